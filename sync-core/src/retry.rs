//! When to try again: exponential with full jitter, or as long as the platform asks.

use std::time::Duration;

/// Limits of the delay between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryLimits {
    /// Ceiling of the first delay.
    pub first: Duration,
    /// Ceiling of every later one.
    pub max: Duration,
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), max: Duration::from_secs(60) }
    }
}

/// Longest wait that a platform can impose; a larger `Retry-After` is a mistake or an attack.
pub const WAIT_ASKED_MAX: Duration = Duration::from_secs(3600);

/// A number in `0..=u32::MAX`, drawn by the caller; the pure code has no randomness of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(pub u32);

/// Delay before attempt `failures + 1`. A wait asked for by the platform is the least, and gets up to a
/// tenth on top so that many stores do not come back in the same instant.
#[must_use]
pub fn delay(failures: u32, asked: Option<Duration>, limits: RetryLimits, jitter: Jitter) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let ceiling = limits.first.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(limits.max);
    match asked {
        Some(wait) => {
            let wait = wait.min(WAIT_ASKED_MAX);
            wait.saturating_add(share(wait.checked_div(10).unwrap_or_default(), jitter))
        }
        None => share(ceiling, jitter),
    }
}

fn share(of: Duration, jitter: Jitter) -> Duration {
    let micros = u64::try_from(of.as_micros()).unwrap_or(u64::MAX);
    let part = u128::from(micros).saturating_mul(u128::from(jitter.0)).checked_div(u128::from(u32::MAX)).unwrap_or(0);
    Duration::from_micros(u64::try_from(part).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wait_asked_for_is_never_cut_short_but_bounded() {
        let asked = Some(Duration::from_secs(2));
        assert_eq!(delay(1, asked, RetryLimits::default(), Jitter(0)), Duration::from_secs(2));
        let absurd = Some(Duration::from_secs(1_000_000));
        assert_eq!(delay(1, absurd, RetryLimits::default(), Jitter(0)), WAIT_ASKED_MAX);
    }

    proptest! {
        #[test]
        fn the_delay_stays_under_its_ceiling(failures in 0_u32..100, jitter: u32) {
            let limits = RetryLimits::default();
            let delay = delay(failures, None, limits, Jitter(jitter));
            prop_assert!(delay <= limits.max);
            if failures <= 1 { prop_assert!(delay <= limits.first); }
        }
    }
}
