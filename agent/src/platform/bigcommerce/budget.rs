//! The shop's request quota, as its replies tell it (developer.bigcommerce.com, "API rate limits").
//!
//! Every reply says how many requests are left in the window and when the window ends. All programs of the shop share the
//! quota, so the number is never trusted to stay: the next reply corrects it. Reads leave some of it to writes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use sync_core::model::Timestamp;

use crate::platform::transport::WallClock;

/// Requests that reads leave to writes.
const LEFT_TO_WRITES: u64 = 5;
/// Longest window that is believed; BigCommerce's is 30 s.
const WINDOW_MAX: Duration = Duration::from_mins(5);

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    left: u64,
    until: Timestamp,
}

pub(super) struct Budget {
    window: Mutex<Option<Window>>,
    clock: WallClock,
}

impl Budget {
    pub(super) fn new(clock: WallClock) -> Self {
        Self { window: Mutex::default(), clock }
    }

    /// Takes one request, waiting for the next window if there is none left.
    pub(super) async fn take(&self, purpose: Purpose) {
        if let Some(wait) = self.wait(purpose) {
            tokio::time::sleep(wait).await;
        }
    }

    /// How long to wait; the request is counted.
    fn wait(&self, purpose: Purpose) -> Option<Duration> {
        let now = (self.clock)();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let open = window.as_mut().filter(|window| now < window.until)?;
        let kept = match purpose {
            Purpose::Write => 0,
            Purpose::Read => LEFT_TO_WRITES,
        };
        if open.left > kept {
            open.left = open.left.saturating_sub(1);
            return None;
        }
        Some(open.until.since(now))
    }

    /// What a reply says.
    pub(super) fn told(&self, headers: &HeaderMap) {
        let Some(left) = number(headers, "x-rate-limit-requests-left") else { return };
        let Some(reset) = reset(headers) else { return };
        let until = (self.clock)().plus(reset);
        *self.window.lock().unwrap_or_else(PoisonError::into_inner) = Some(Window { left, until });
    }

    /// Requests left, for people.
    pub(super) fn left(&self) -> Option<u64> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).map(|window| window.left)
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `X-Rate-Limit-Time-Reset-Ms`; a 429 without it means that the platform itself is overloaded.
pub(super) fn reset(headers: &HeaderMap) -> Option<Duration> {
    number(headers, "x-rate-limit-time-reset-ms").map(|ms| Duration::from_millis(ms).min(WINDOW_MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_428_000_000_000);

    #[test]
    fn an_empty_quota_is_waited_for_and_reads_leave_some_to_writes() {
        let budget = Budget::new(Arc::new(|| NOW));
        assert_eq!(budget.wait(Purpose::Read), None);
        budget.told(&headers("6", "15000"));
        assert_eq!(budget.wait(Purpose::Read), None);
        assert_eq!(budget.wait(Purpose::Read), Some(Duration::from_secs(15)));
        for _ in 0..5 {
            assert_eq!(budget.wait(Purpose::Write), None);
        }
        assert_eq!(budget.wait(Purpose::Write), Some(Duration::from_secs(15)));
        budget.told(&headers("100", "30000"));
        assert_eq!(budget.wait(Purpose::Write), None);
    }

    #[test]
    fn headers_that_are_no_numbers_change_nothing() {
        let budget = Budget::new(Arc::new(|| NOW));
        budget.told(&headers("many", "soon"));
        assert_eq!(budget.left(), None);
    }

    fn headers(left: &str, reset: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-rate-limit-requests-left", left.parse().unwrap());
        headers.insert("x-rate-limit-time-reset-ms", reset.parse().unwrap());
        headers
    }
}
