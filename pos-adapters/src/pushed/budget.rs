//! How often a key may post. Pure: the time is an argument.

use std::time::Duration;

use sync_core::model::Timestamp;

const MICROS_PER_MINUTE: i64 = 60_000_000;
/// Requests that may come at once, as time of the steady rate.
const BURST: Duration = Duration::from_secs(10);

/// A bucket that fills steadily, told as the time at which it would be full again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    full_at: i64,
}

impl Budget {
    /// Takes one request.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn take(&mut self, per_minute: u32, now: Timestamp) -> Result<(), Duration> {
        let each = MICROS_PER_MINUTE.checked_div(i64::from(per_minute)).unwrap_or(MICROS_PER_MINUTE);
        let burst = i64::try_from(BURST.as_micros()).unwrap_or(0).max(each);
        // A clock that was put back must not lock a key out.
        self.full_at = self.full_at.clamp(now.0, now.0.saturating_add(burst));
        let after = self.full_at.saturating_add(each);
        let over = after.saturating_sub(now.0.saturating_add(burst));
        if over > 0 {
            return Err(Duration::from_micros(over.unsigned_abs()));
        }
        self.full_at = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_steady_rate() {
        let (mut budget, start) = (Budget::default(), Timestamp(1_795_428_000_000_000));
        let passed = (0..100).filter(|_| budget.take(60, start).is_ok()).count();
        assert_eq!(passed, 10);
        assert_eq!(budget.take(60, start), Err(Duration::from_secs(1)));
        assert!(budget.take(60, start.plus(Duration::from_secs(1))).is_ok());
        assert!(budget.take(60, start.plus(Duration::from_secs(1))).is_err());
    }

    #[test]
    fn a_clock_put_back_locks_nobody_out() {
        let mut budget = Budget::default();
        assert!(budget.take(1, Timestamp(1_795_428_000_000_000)).is_ok());
        assert!(budget.take(1, Timestamp(1_000_000)).is_err());
        assert!(budget.take(1, Timestamp(61_000_001)).is_ok());
    }
}
