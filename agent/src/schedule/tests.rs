//! Schedules under simulated time: a test owns the clock and asks as often as it likes.

use std::sync::atomic::{AtomicI64, AtomicU32};

use super::*;

struct Bench {
    schedules: Schedules,
    clock: Arc<AtomicI64>,
    runs: Arc<AtomicU32>,
    store: Arc<MemoryStore>,
}

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().expect("a time").as_microsecond())
}

fn bench(zone: &str, rhythm: &str, now: &str) -> Bench {
    bench_on(Arc::default(), zone, rhythm, now)
}

fn bench_on(store: Arc<MemoryStore>, zone: &str, rhythm: &str, now: &str) -> Bench {
    let (clock, runs) = (Arc::new(AtomicI64::new(at(now).0)), Arc::new(AtomicU32::new(0)));
    let told = Arc::clone(&clock);
    let mut schedules = Schedules::new(
        zone,
        Arc::clone(&store) as Arc<dyn StateStore>,
        Arc::new(move || Timestamp(told.load(Ordering::Relaxed))),
    );
    let counted = Arc::clone(&runs);
    schedules.add("count", Rhythm::cron(rhythm).expect("a rhythm"), move || {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok("counted".to_owned())
        }
    });
    Bench { schedules, clock, runs, store }
}

impl Bench {
    /// Lets time pass, looking every `step`, and says at which instants it ran.
    async fn pass(&self, until: &str, step: Duration) -> Vec<String> {
        let mut ran = Vec::new();
        let end = at(until);
        loop {
            let now = Timestamp(self.clock.load(Ordering::Relaxed));
            if let Looked::Begun(run) = self.schedules.run_if_due("count").await {
                run.await.expect("a run");
                ran.push(crate::clock::rfc3339(now));
            }
            if now >= end {
                return ran;
            }
            self.clock.store(now.plus(step).min(end).0, Ordering::Relaxed);
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_schedule_is_due_once_at_its_local_time_on_both_sides_of_a_clock_change() {
    let bench = bench("Europe/Berlin", "0 30 22 * * *", "2026-10-23T12:00:00Z");
    let ran = bench.pass("2026-10-26T23:00:00Z", MINUTE).await;
    assert_eq!(ran, ["2026-10-23T20:30:00Z", "2026-10-24T20:30:00Z", "2026-10-25T21:30:00Z", "2026-10-26T21:30:00Z"]);
}

#[tokio::test]
async fn an_hour_that_the_clock_skips_is_due_once_when_it_is_over() {
    let bench = bench("Europe/Berlin", "0 30 2 * * *", "2027-03-27T12:00:00Z");
    let ran = bench.pass("2027-03-29T12:00:00Z", MINUTE).await;
    assert_eq!(ran.len(), 2, "{ran:?}");
    // 02:30 does not exist on 28 March: the clock goes from 02:00 to 03:00 at 01:00 UTC.
    assert!(ran[0].as_str() >= "2027-03-28T01:00:00Z" && ran[0].as_str() <= "2027-03-28T01:30:00Z", "{ran:?}");
    assert_eq!(ran[1], "2027-03-29T00:30:00Z");
}

#[tokio::test]
async fn an_hour_that_the_clock_shows_twice_is_due_once() {
    let bench = bench("Europe/Berlin", "0 30 2 * * *", "2026-10-24T12:00:00Z");
    let ran = bench.pass("2026-10-26T12:00:00Z", MINUTE).await;
    assert_eq!(ran.len(), 2, "{ran:?}");
    assert!(ran[0].starts_with("2026-10-25T0"), "{ran:?}");
    assert_eq!(ran[1], "2026-10-26T01:30:00Z");
}

#[tokio::test]
async fn what_was_missed_is_caught_up_once_and_a_new_schedule_is_not_due_for_the_past() {
    let store = Arc::new(MemoryStore::default());
    let first = bench_on(Arc::clone(&store), "UTC", "0 0 4 * * *", "2026-11-01T12:00:00Z");
    assert!(first.pass("2026-11-01T13:00:00Z", MINUTE).await.is_empty());
    // A week of downtime.
    let second = bench_on(store, "UTC", "0 0 4 * * *", "2026-11-08T09:17:00Z");
    assert_eq!(second.pass("2026-11-08T10:00:00Z", MINUTE).await, ["2026-11-08T09:17:00Z"]);
    assert_eq!(second.runs.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_run_that_was_cut_short_is_begun_again() {
    let bench = bench("UTC", "0 0 4 * * *", "2026-11-01T12:00:00Z");
    let begun = ScheduleState {
        due_at: at("2026-11-01T04:00:00Z"),
        started_at: Some(at("2026-11-01T04:00:01Z")),
        ..ScheduleState::default()
    };
    assert!(bench.store.put("count", &begun).await);
    assert_eq!(bench.pass("2026-11-01T13:00:00Z", MINUTE).await, ["2026-11-01T12:00:00Z"]);
}

#[tokio::test]
async fn a_run_is_not_begun_beside_itself_and_a_panic_ends_only_its_run() {
    let clock = Arc::new(AtomicI64::new(at("2026-11-01T12:00:00Z").0));
    let told = Arc::clone(&clock);
    let now: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(move || Timestamp(told.load(Ordering::Relaxed)));
    let mut schedules = Schedules::new("UTC", Arc::new(MemoryStore::default()), now);
    let gate = Arc::new(tokio::sync::Notify::new());
    let waits = Arc::clone(&gate);
    schedules.add("slow", Rhythm::Every(MINUTE), move || {
        let waits = Arc::clone(&waits);
        async move {
            waits.notified().await;
            panic!("as some day happens")
        }
    });
    assert!(matches!(schedules.run_if_due("slow").await, Looked::NotDue));
    clock.fetch_add(60_000_000, Ordering::Relaxed);
    let Looked::Begun(run) = schedules.run_if_due("slow").await else { panic!("it is due") };
    clock.fetch_add(60_000_000, Ordering::Relaxed);
    assert!(matches!(schedules.run_if_due("slow").await, Looked::StillRunning));
    gate.notify_one();
    run.await.expect("the panic is caught");
    let status = schedules.status();
    assert!(status[0].outcome.as_deref().is_some_and(|words| words.contains("panic")), "{status:?}");
    assert!(matches!(schedules.run_if_due("slow").await, Looked::Begun(_)));
}

#[tokio::test]
async fn a_clock_that_was_far_ahead_does_not_silence_a_schedule() {
    let store = Arc::new(MemoryStore::default());
    let ahead = bench_on(Arc::clone(&store), "UTC", "0 0 4 * * *", "2099-01-01T12:00:00Z");
    assert!(ahead.pass("2099-01-01T12:01:00Z", MINUTE).await.is_empty());
    let right = bench_on(store, "UTC", "0 0 4 * * *", "2026-11-01T12:00:00Z");
    assert_eq!(right.pass("2026-11-02T05:00:00Z", MINUTE).await, ["2026-11-02T04:00:00Z"]);
}

#[test]
fn next_lies_after_now_and_before_not_after_it_through_a_year_of_every_zone_change() {
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"] {
        let zone: chrono_tz::Tz = zone.parse().expect("a zone");
        for pattern in ["0 30 2 * * *", "0 0 1 * * 7", "0 */15 * * * *", "0 0 2 1 * *"] {
            let rhythm = Rhythm::cron(pattern).expect("a rhythm");
            let mut now = at("2026-01-01T00:00:00Z");
            let mut last = Timestamp(0);
            while now < at("2027-01-02T00:00:00Z") {
                let before = rhythm.before(zone, now);
                assert!(before <= now, "{zone} {pattern} {now:?}");
                // What falls into an hour that the clock leaves out is named by the last second before it or by the first behind.
                assert!(before.plus(Duration::from_secs(1)) >= last, "{zone} {pattern}: {before:?} after {last:?}");
                assert!(rhythm.next(zone, last, now).is_some_and(|next| next > now), "{zone} {pattern} {now:?}");
                last = before;
                now = now.plus(Duration::from_secs(1_777));
            }
        }
    }
}
