//! What wakes the schedules: tokio-cron-scheduler, with a job in the store's zone and one each minute in UTC for each of them.
//!
//! Its jobs keep the offset of the zone from when they were made, and fall silent while the wall clock is behind a tick
//! that it has seen. Both only make an alarm late: a watch beside it rings when no job did, and makes the jobs anew when
//! the zone's offset changes or the jobs are silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Offset as _, Utc};
use sync_core::model::Timestamp;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use super::{Looked, Schedules};

/// How often the watch looks.
const WATCH_EVERY: Duration = Duration::from_secs(30);
/// Looks of the watch without any ring after which the jobs are made anew.
const SILENT_LOOKS_MAX: u32 = 6;
/// Messages that the scheduler's channels hold.
const CHANNEL_SIZE: usize = 512;
/// Each minute, for catching up and for rhythms without a pattern.
const EVERY_MINUTE: &str = "0 * * * * *";

/// Rings for all schedules until stopped. Runs under way are not waited for: they hand their work to the writer.
pub async fn serve(schedules: Arc<Schedules>, stop: CancellationToken) {
    if schedules.names().is_empty() {
        return;
    }
    let rings = Arc::new(AtomicU64::new(0));
    look_at_all(&schedules).await;
    let mut jobs = begin(&schedules, &rings).await;
    let mut offset = offset_of(&schedules);
    let (mut heard, mut silent) = (0, 0);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(WATCH_EVERY) => {}
        }
        let ringing = rings.load(Ordering::Relaxed);
        silent = if ringing == heard { silent + 1 } else { 0 };
        heard = ringing;
        let moved = offset_of(&schedules) != offset;
        if silent > 0 || moved || jobs.is_none() {
            look_at_all(&schedules).await;
        }
        if moved || silent >= SILENT_LOOKS_MAX || jobs.is_none() {
            tracing::debug!(moved, silent, "The alarm clocks of the schedules are set anew");
            end(jobs).await;
            jobs = begin(&schedules, &rings).await;
            offset = offset_of(&schedules);
            silent = 0;
        }
    }
    end(jobs).await;
}

async fn look_at_all(schedules: &Schedules) {
    for name in schedules.names() {
        look(schedules, &name).await;
    }
}

async fn look(schedules: &Schedules, name: &str) {
    match schedules.run_if_due(name).await {
        // The task reports by itself.
        Looked::Begun(_running) => {}
        Looked::StillRunning => tracing::info!(schedule = name, "Due while its last run is going on; not begun again"),
        Looked::NotDue | Looked::NotStored => {}
    }
}

async fn begin(schedules: &Arc<Schedules>, rings: &Arc<AtomicU64>) -> Option<JobScheduler> {
    match try_begin(schedules, rings).await {
        Ok(jobs) => Some(jobs),
        Err(error) => {
            tracing::warn!(%error, "No alarm clock for the schedules; they are looked at every half minute");
            None
        }
    }
}

async fn try_begin(schedules: &Arc<Schedules>, rings: &Arc<AtomicU64>) -> Result<JobScheduler, JobSchedulerError> {
    let jobs = JobScheduler::new_with_channel_size(CHANNEL_SIZE).await?;
    for name in schedules.names() {
        if let Some(pattern) = schedules.rhythm(&name).and_then(super::Rhythm::pattern) {
            let mut ring = ring(schedules, rings, &name);
            jobs.add(Job::new_async_tz(pattern.as_str(), schedules.zone(), move |_, _| ring())?).await?;
        }
        let mut ring = ring(schedules, rings, &name);
        jobs.add(Job::new_async_tz(EVERY_MINUTE, Utc, move |_, _| ring())?).await?;
    }
    jobs.start().await?;
    Ok(jobs)
}

type Ring = Box<dyn FnMut() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

fn ring(schedules: &Arc<Schedules>, rings: &Arc<AtomicU64>, name: &str) -> Ring {
    let (schedules, rings, name) = (Arc::clone(schedules), Arc::clone(rings), name.to_owned());
    Box::new(move || {
        let (schedules, name) = (Arc::clone(&schedules), name.clone());
        rings.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { look(&schedules, &name).await })
    })
}

async fn end(jobs: Option<JobScheduler>) {
    if let Some(mut jobs) = jobs
        && let Err(error) = jobs.shutdown().await
    {
        tracing::debug!(%error, "The alarm clocks did not end");
    }
}

/// Seconds east of UTC now.
fn offset_of(schedules: &Schedules) -> Option<i32> {
    let Timestamp(micros) = schedules.now();
    let utc = DateTime::<Utc>::from_timestamp_micros(micros)?;
    Some(utc.with_timezone(&schedules.zone()).offset().fix().local_minus_utc())
}
