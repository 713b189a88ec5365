//! The cost bucket of one shop, shared by push, look-up and read-back.
//!
//! It waits and never refuses. Its time never goes back, whatever the wall clock does: a clock set back would
//! otherwise stop the bucket from filling until the old time is reached again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sync_core::budget::Budget;
use sync_core::model::Timestamp;

use super::wire::Cost;
use crate::platform::transport::WallClock;

/// The bucket of the smallest plan (shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits), until told.
const MAXIMUM_UNTIL_TOLD: i64 = 2000;
const RESTORE_UNTIL_TOLD: i64 = 100;

pub(super) struct Bucket {
    state: Mutex<State>,
    clock: WallClock,
}

struct State {
    budget: Budget,
    /// Points of requests that are not answered yet.
    pending: i64,
    wall: Timestamp,
    /// The same as `wall` less its steps back.
    forward: Timestamp,
}

impl State {
    fn forward(&mut self, wall: Timestamp) -> Timestamp {
        self.forward = self.forward.plus(wall.since(self.wall));
        self.wall = wall;
        self.forward
    }
}

impl Bucket {
    pub(super) fn new(clock: WallClock) -> Self {
        let wall = clock();
        let budget = Budget::new(MAXIMUM_UNTIL_TOLD, RESTORE_UNTIL_TOLD, wall);
        Self { state: Mutex::new(State { budget, pending: 0, wall, forward: wall }), clock }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `points` are there and takes them.
    pub(super) async fn take(&self, points: i64) -> Spent<'_> {
        loop {
            let wait = {
                let mut state = self.state();
                let now = state.forward((self.clock)());
                match state.budget.take(points, now) {
                    Ok(()) => {
                        state.pending = state.pending.saturating_add(points);
                        return Spent { bucket: self, points };
                    }
                    Err(wait) => wait,
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Points there now, for people.
    pub(super) fn available(&self) -> i64 {
        let mut state = self.state();
        let now = state.forward((self.clock)());
        state.budget.available(now)
    }
}

/// Points taken for one request; dropping it says that the request is answered or given up.
pub(super) struct Spent<'a> {
    bucket: &'a Bucket,
    points: i64,
}

impl Spent<'_> {
    /// Takes over what the platform says of its bucket.
    pub(super) fn answered(self, cost: Option<&Cost>) {
        let Some(cost) = cost else { return };
        let mut state = self.bucket.state();
        let now = state.forward((self.bucket.clock)());
        let others = state.pending.saturating_sub(self.points);
        let status = cost.throttle_status;
        state.budget.told(status.maximum_available.0, status.currently_available.0, status.restore_rate.0, others, now);
    }
}

impl Drop for Spent<'_> {
    fn drop(&mut self) {
        let mut state = self.bucket.state();
        state.pending = state.pending.saturating_sub(self.points);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use super::super::wire::{Points, ThrottleStatus};
    use super::*;

    fn told(available: i64) -> Cost {
        let status = ThrottleStatus {
            maximum_available: Points(1000),
            currently_available: Points(available),
            restore_rate: Points(50),
        };
        Cost { requested_query_cost: Points(10), throttle_status: status }
    }

    /// A wall clock that follows tokio's, plus an offset that the test sets.
    fn clock(offset: &Arc<AtomicI64>) -> WallClock {
        let (start, offset) = (tokio::time::Instant::now(), Arc::clone(offset));
        Arc::new(move || Timestamp(offset.load(Ordering::Relaxed)).plus(start.elapsed()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_bucket_is_waited_for() {
        let bucket = Bucket::new(clock(&Arc::new(AtomicI64::new(1_000_000))));
        bucket.take(10).await.answered(Some(&told(0)));
        let start = tokio::time::Instant::now();
        drop(bucket.take(100).await);
        let waited = start.elapsed();
        assert!(waited >= Duration::from_secs(2) && waited < Duration::from_millis(2100), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_back_does_not_stop_the_bucket() {
        let offset = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let bucket = Bucket::new(clock(&offset));
        bucket.take(10).await.answered(Some(&told(0)));
        offset.store(0, Ordering::Relaxed);
        let start = tokio::time::Instant::now();
        drop(bucket.take(100).await);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn points_of_unanswered_requests_are_kept_back() {
        let bucket = Bucket::new(clock(&Arc::new(AtomicI64::new(0))));
        let other = bucket.take(30).await;
        bucket.take(10).await.answered(Some(&told(100)));
        assert_eq!(bucket.available(), 70);
        drop(other);
        bucket.take(10).await.answered(Some(&told(100)));
        assert_eq!(bucket.available(), 100);
    }
}
