//! A leaky bucket of cost points, as Shopify keeps one per app and shop; shared by push, look-up and read-back.
//!
//! The bucket is what the platform last said plus what has been restored since, less what we have spent since.
//! It only says how long to wait; it never refuses.

use std::time::Duration;

use crate::model::Timestamp;

/// State of the bucket as far as we know, in millipoints so that nothing is rounded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    maximum: i64,
    restore_per_second: i64,
    available: i64,
    at: Timestamp,
}

const MILLI: i64 = 1000;

impl Budget {
    /// A full bucket of `maximum` points that restores `restore_per_second`.
    #[must_use]
    pub fn new(maximum: i64, restore_per_second: i64, now: Timestamp) -> Self {
        Self {
            maximum: maximum.max(1).saturating_mul(MILLI),
            restore_per_second: restore_per_second.max(1).saturating_mul(MILLI),
            available: maximum.max(1).saturating_mul(MILLI),
            at: now,
        }
    }

    fn restored(&self, now: Timestamp) -> i64 {
        let micros = i64::try_from(now.since(self.at).as_micros()).unwrap_or(i64::MAX);
        let gained = self.restore_per_second.saturating_mul(micros).checked_div(1_000_000).unwrap_or(0);
        self.available.saturating_add(gained).min(self.maximum)
    }

    /// Takes `points` now if they are there, or says how long until they are.
    ///
    /// # Errors
    /// The wait. A request dearer than the whole bucket waits for a full bucket.
    pub fn take(&mut self, points: i64, now: Timestamp) -> Result<(), Duration> {
        let wanted = points.max(0).saturating_mul(MILLI).min(self.maximum);
        let available = self.restored(now);
        if available >= wanted {
            self.available = available.saturating_sub(wanted);
            self.at = now;
            return Ok(());
        }
        let missing = wanted.saturating_sub(available);
        let micros = missing
            .saturating_mul(1_000_000)
            .checked_div(self.restore_per_second)
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        Err(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    /// What the platform said. `pending` are points of our requests that it has not answered yet.
    pub fn told(&mut self, maximum: i64, available: i64, restore_per_second: i64, pending: i64, now: Timestamp) {
        self.maximum = maximum.max(1).saturating_mul(MILLI);
        self.restore_per_second = restore_per_second.max(1).saturating_mul(MILLI);
        self.available = available.saturating_sub(pending).saturating_mul(MILLI).clamp(0, self.maximum);
        self.at = now;
    }

    /// Points there now.
    #[must_use]
    pub fn available(&self, now: Timestamp) -> i64 {
        self.restored(now).checked_div(MILLI).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bucket_names_the_wait() {
        let mut budget = Budget::new(100, 50, Timestamp(0));
        assert_eq!(budget.take(100, Timestamp(0)), Ok(()));
        let wait = budget.take(25, Timestamp(0)).expect_err("the bucket is empty");
        assert!(wait >= Duration::from_millis(500) && wait < Duration::from_millis(501), "{wait:?}");
        assert_eq!(budget.take(25, Timestamp(0).plus(wait)), Ok(()));
    }

    #[test]
    fn what_the_platform_says_wins() {
        let mut budget = Budget::new(2000, 100, Timestamp(0));
        budget.told(1000, 10, 50, 4, Timestamp(0));
        assert_eq!(budget.available(Timestamp(0)), 6);
    }
}
