//! Virtual time: tokio's paused clock, and the store computer's idea of the calendar, which may be wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sync_core::model::Timestamp;
use tillsync::clock::TimeSource;
use tokio::time::Instant;

/// 2027-01-04T00:00:00Z, a Monday: when every run begins.
const BEGIN: Timestamp = Timestamp(1_799_020_800_000_000);

/// The time of a run. Clones share it.
#[derive(Debug, Clone)]
pub struct SimTime {
    start: Instant,
    wrong_by: Arc<AtomicI64>,
}

impl SimTime {
    /// Begins now; only inside a runtime whose time is paused.
    #[must_use]
    pub fn begin() -> Self {
        Self { start: Instant::now(), wrong_by: Arc::default() }
    }

    /// Since the beginning of the run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The moment of `elapsed`.
    #[must_use]
    pub fn instant(&self, elapsed: Duration) -> Instant {
        self.start + elapsed
    }

    /// What the time really is.
    #[must_use]
    pub fn right(&self) -> Timestamp {
        BEGIN.plus(self.elapsed())
    }

    /// Sets the computer's calendar wrong by so many microseconds.
    pub fn set_wrong_by(&self, micros: i64) {
        self.wrong_by.store(micros, Ordering::Relaxed);
    }
}

impl TimeSource for SimTime {
    fn wall(&self) -> Timestamp {
        Timestamp(self.right().0.saturating_add(self.wrong_by.load(Ordering::Relaxed)))
    }

    fn steady(&self) -> Duration {
        self.elapsed()
    }
}
