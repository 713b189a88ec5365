//! The only reader of time.
//!
//! [`Clock::now`] never goes back: when the wall clock steps back, time goes on from where it was; when it jumps
//! forward (network time after a boot at 1970, a resume from suspend), it follows. [`Clock::is_trusted`] says
//! whether ages of things from before this start can be told: not while the wall clock is behind what the
//! database has already seen. [`Clock::steady`] measures spans.
//!
//! Where time comes from is a [`TimeSource`]: the computer's own clocks, or a simulation's.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sync_core::model::Timestamp;

/// No build of this program ran before 2026-11-01T00:00:00Z.
const EARLIEST: Timestamp = Timestamp(1_793_491_200_000_000);
/// A wall clock this far behind is stepped back, not just slewed.
const BACKWARD_TOLERANCE: Duration = Duration::from_secs(120);

/// From where a [`Clock`] reads.
pub trait TimeSource: std::fmt::Debug + Send + Sync {
    /// What the computer's calendar says; may jump in both directions.
    fn wall(&self) -> Timestamp;

    /// Time since some fixed moment; never goes back.
    fn steady(&self) -> Duration;
}

/// The computer's own clocks.
#[derive(Debug)]
struct System {
    start: Instant,
}

impl TimeSource for System {
    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(0).plus(since)
    }

    fn steady(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Wall and monotonic time as one.
#[derive(Debug)]
pub struct Clock {
    source: Box<dyn TimeSource>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    at: Timestamp,
    steady: Duration,
    floor: Timestamp,
    behind: bool,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(Box::new(System { start: Instant::now() }))
    }
}

impl Clock {
    /// A clock that reads from `source`.
    pub fn new(source: Box<dyn TimeSource>) -> Self {
        let state = State { at: source.wall(), steady: source.steady(), floor: EARLIEST, behind: false };
        Self { source, state: Mutex::new(state) }
    }

    /// For spans: time since some fixed moment, never going back.
    pub fn steady(&self) -> Duration {
        self.source.steady()
    }

    /// Tells the latest time that the database has seen.
    pub fn raise_floor(&self, seen: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.floor = state.floor.max(seen);
    }

    /// The time; never earlier than an earlier answer.
    pub fn now(&self) -> Timestamp {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (wall, span) = (self.source.wall(), self.source.steady());
        let steady = state.at.plus(span.saturating_sub(state.steady));
        state.behind = steady.since(wall) > BACKWARD_TOLERANCE;
        state.at = steady.max(wall);
        state.steady = span;
        state.at
    }

    /// Ages of what was done before this start can be told. A calendar set back while this program runs does not
    /// matter: time goes on by the steady clock, so no age is ever taken for less than it is.
    pub fn is_trusted(&self) -> bool {
        !self.is_behind_database()
    }

    fn is_behind_database(&self) -> bool {
        let now = self.now();
        let state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        now.plus(BACKWARD_TOLERANCE) < state.floor
    }

    /// What is wrong with the wall clock, in plain words.
    pub fn note(&self) -> Option<&'static str> {
        if self.is_behind_database() {
            return Some(
                "the computer's clock is behind the last recorded sale: set the date and time, or wait for network time",
            );
        }
        let state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.behind { Some("the computer's clock was set back: check the date and time") } else { None }
    }
}

/// A point in time as RFC 3339 in UTC, to the microsecond at most.
pub fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| at.0.to_string(), |stamp| stamp.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A calendar that the test sets, and a steady clock that stands still.
    #[derive(Debug, Clone)]
    struct Calendar(Arc<AtomicI64>);

    impl TimeSource for Calendar {
        fn wall(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }

        fn steady(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn a_calendar_set_back_while_running_is_shown_and_stops_nothing() {
        let calendar = Calendar(Arc::new(AtomicI64::new(EARLIEST.0 + 7_200_000_000)));
        let clock = Clock::new(Box::new(calendar.clone()));
        let before = clock.now();
        calendar.0.store(EARLIEST.0 + 3_600_000_000, Ordering::Relaxed);
        assert_eq!(clock.now(), before);
        assert!(clock.note().is_some() && clock.is_trusted());
    }

    #[test]
    fn time_never_goes_back_and_a_clock_behind_the_database_is_not_trusted() {
        let clock = Clock::default();
        let first = clock.now();
        assert!(clock.now() >= first);
        clock.raise_floor(first.plus(Duration::from_secs(3600)));
        assert!(!clock.is_trusted());
    }
}
