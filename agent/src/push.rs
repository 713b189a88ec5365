//! Carries out what the lanes want done on the network, one task per request, and reports back to the writer.
//!
//! Holds no policy: how many requests run, when one is tried again and what an answer means is decided in
//! `sync_core::outbox`.

use std::sync::Arc;

use sync_core::outbox::verdict::Answer;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::crash;
use crate::platform::Platform;
use crate::writer::{Command, Commands, Work};

/// Runs until the writer drops its end or `stop` is cancelled; requests under way are given up then: their
/// batches are stored and are sent again under the same key after the next start.
pub async fn run(
    platforms: Vec<Arc<dyn Platform>>,
    mut work: UnboundedReceiver<Work>,
    commands: Commands,
    stop: CancellationToken,
) {
    let tasks = TaskTracker::new();
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => break,
            next = work.recv() => next,
        };
        let Some(next) = next else { break };
        let lane = match &next {
            Work::Send { lane, .. }
            | Work::ReadBack { lane, .. }
            | Work::LookUp { lane, .. }
            | Work::Probe { lane } => *lane,
        };
        let Some(platform) = platforms.get(lane).cloned() else { continue };
        let (commands, stop) = (commands.clone(), stop.clone());
        tasks.spawn(async move {
            let done = tokio::select! {
                () = stop.cancelled() => return,
                done = carry_out(&*platform, next) => done,
            };
            if commands.send(done).is_err() {
                tracing::debug!("The writer has ended before an answer");
            }
        });
    }
    tasks.close();
    tasks.wait().await;
}

/// One request, or a few that belong together, and what it says to the writer.
pub async fn carry_out(platform: &dyn Platform, work: Work) -> Command {
    match work {
        Work::Send { lane, batch, key, body } => {
            let answer = match crash::point("before_send") {
                Ok(()) => platform.send(&key, body).await,
                Err(error) => Answer::Unavailable { wait: None, reason: error.to_string() },
            };
            let answer = match crash::point("after_send") {
                Ok(()) => answer,
                Err(error) => Answer::Unknown { wait: None, reason: error.to_string() },
            };
            Command::Answer { lane, batch, answer }
        }
        Work::ReadBack { lane, batch, question } => {
            let result = platform.read_back(&question).await;
            Command::ReadBack { lane, batch, question, result }
        }
        Work::LookUp { lane, skus } => {
            let (ids, codes): (Vec<_>, Vec<_>) = skus.into_iter().unzip();
            let result = platform.look_up(&codes).await;
            Command::LookedUp { lane, skus: ids, result }
        }
        Work::Probe { lane } => Command::Probed { lane, result: platform.probe().await },
    }
}
