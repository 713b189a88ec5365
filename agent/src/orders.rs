//! Reads the platforms' online orders, one task a lane, and hands each page to the writer.
//!
//! A platform is asked for what changed since the last look, reaching back a little; now and then for all open orders, so
//! that one that was deleted there does not stay promised for ever. The next page is asked for when the last one is
//! stored. What a page means is decided in `sync_core::orders`; how far a platform is read is stored with the page.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::OptionalExtension;
use sync_core::model::Timestamp;
use sync_core::retry::{self, RetryLimits};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::db;
use crate::platform::{CallFailure, OrdersSince, Platform};
use crate::writer::orders::{OrdersRead, OrdersRequest, RoundEnd};
use crate::writer::{Command, Commands, jitter};

/// How far each look reaches back behind the latest change seen: search indexes of shops lag by seconds to minutes.
const OVERLAP: Duration = Duration::from_secs(5 * 60);
/// How far the second look reaches back where the first found no order whose time could be used.
const OVERLAP_FIRST: Duration = Duration::from_secs(60 * 60);
/// How often all open orders are read.
const FULL_EVERY: Duration = Duration::from_secs(60 * 60);
/// Most pages of one round; a platform that always names a next page must not be read for ever.
const PAGES_MAX: usize = 2_000;
/// Waits after a refusal.
const BACK_OFF: RetryLimits = RetryLimits { first: Duration::from_secs(5), max: Duration::from_secs(5 * 60) };

/// Reads the orders of one lane.
pub struct OrderPoller {
    /// Index of the lane.
    pub lane: usize,
    /// Name of the lane.
    pub name: String,
    /// The connection.
    pub platform: Arc<dyn Platform>,
    /// To the writer.
    pub commands: Commands,
    /// Time.
    pub clock: Arc<Clock>,
    /// The database, to read how far the orders are read.
    pub database: PathBuf,
    /// Time between two looks.
    pub poll: Duration,
    /// Told if they are wanted sooner.
    pub soon: Arc<Notify>,
}

/// Why a round was not read to its end.
enum Broken {
    /// Wait, at least so long.
    Refused(Option<Duration>, String),
    /// The writer could not store a page.
    NotStored,
    /// The writer has ended.
    Ended,
}

impl OrderPoller {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let (mut refusals, mut full_at, mut wanted) = (0_u32, None::<Timestamp>, false);
        loop {
            let now = self.clock.now();
            let full = full_at.is_none_or(|at| now.since(at) >= FULL_EVERY || at > now);
            let round = tokio::select! {
                () = stop.cancelled() => return,
                round = self.round(full, wanted) => round,
            };
            let wait = match round {
                Ok(()) => {
                    refusals = 0;
                    if full {
                        full_at = Some(now);
                    }
                    self.poll
                }
                Err(Broken::Ended) => return,
                Err(Broken::NotStored) => self.poll,
                Err(Broken::Refused(wait, reason)) => {
                    refusals = refusals.saturating_add(1);
                    tracing::warn!(lane = self.name, reason, "Cannot read online orders; it is tried again");
                    if self.hand_over(Err(reason)).await.is_err() {
                        return;
                    }
                    retry::delay(refusals, wait, BACK_OFF, jitter()).max(self.poll)
                }
            };
            // A refusal is waited out, whoever asks.
            let soon = async { if refusals == 0 { self.soon.notified().await } else { std::future::pending().await } };
            wanted = tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => false,
                () = soon => true,
            };
        }
    }

    /// One round, page by page. `wanted`: somebody waits for it to be on record.
    async fn round(&self, full: bool, wanted: bool) -> Result<(), Broken> {
        let began_at = self.clock.now();
        let known = self.known().map_err(|error| {
            tracing::warn!(lane = self.name, %error, "Cannot read how far online orders are read");
            Broken::NotStored
        })?;
        // The first reading is of all that are open, whatever was asked for.
        let changed_after = known.changed_after.filter(|_| !full && known.paired_at.is_some());
        let mut listed = changed_after.is_none().then(BTreeSet::new);
        let (mut page, mut latest) = (None, None::<Timestamp>);
        for _ in 0..PAGES_MAX {
            let since = OrdersSince { changed_after, page: page.take() };
            let Some(call) = self.platform.orders(since) else { return Err(Broken::Ended) };
            let read = call.await.map_err(|failure| match failure {
                CallFailure::Passing { wait, reason } => Broken::Refused(wait, reason),
                CallFailure::LaneRefused { cause, detail } => {
                    Broken::Refused(Some(BACK_OFF.max), format!("{}: {detail}", cause.as_str()))
                }
            })?;
            latest = latest.max(read.orders.iter().map(|order| order.changed_at).max());
            if let Some(listed) = &mut listed {
                listed.extend(read.orders.iter().map(|order| order.id.clone()));
            }
            let end = read.next.is_none().then(|| RoundEnd {
                changed_after: next_look(known.changed_after, latest, began_at),
                listed: listed.take(),
                wanted,
            });
            let is_last = end.is_some();
            let stored = self.hand_over(Ok(OrdersRead { orders: read.orders, began_at, end })).await?;
            match (stored, is_last) {
                (false, _) => return Err(Broken::NotStored),
                (true, true) => return Ok(()),
                (true, false) => page = read.next,
            }
        }
        Err(Broken::Refused(Some(BACK_OFF.max), format!("the list of orders has more than {PAGES_MAX} pages")))
    }

    async fn hand_over(&self, read: Result<OrdersRead, String>) -> Result<bool, Broken> {
        let (reply, answer) = oneshot::channel();
        let request = OrdersRequest { lane: self.lane, read, reply };
        self.commands.send(Command::Orders(request)).map_err(|_| Broken::Ended)?;
        // Dropped unanswered with a group that could not be stored.
        Ok(answer.await.unwrap_or(false))
    }

    fn known(&self) -> Result<db::orders::PollState, db::DbError> {
        let conn = db::open_reader(&self.database)?;
        let lane: Option<i64> = conn
            .query_row("SELECT id FROM lane WHERE name = ?1", [&self.name], |row| row.get(0))
            .optional()
            .map_err(db::step("find a lane"))?;
        lane.map_or_else(|| Ok(db::orders::PollState::default()), |lane| db::orders::poll_state(&conn, lane))
    }
}

/// From where the next look reads: behind the latest change that was seen, by the platform's own clock.
fn next_look(before: Option<Timestamp>, latest: Option<Timestamp>, began_at: Timestamp) -> Timestamp {
    let back = |at: Timestamp, by: Duration| Timestamp(at.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(0)));
    let seen = latest.map(|at| back(at, OVERLAP));
    before.max(seen).unwrap_or_else(|| back(began_at, OVERLAP_FIRST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_look_reaches_back_behind_the_latest_change_and_never_further_than_the_last() {
        let minute = |n: i64| Timestamp(n * 60_000_000);
        assert_eq!(next_look(None, None, minute(100)), minute(40));
        assert_eq!(next_look(None, Some(minute(90)), minute(100)), minute(85));
        assert_eq!(next_look(Some(minute(85)), Some(minute(86)), minute(101)), minute(85));
        assert_eq!(next_look(Some(minute(85)), None, minute(101)), minute(85));
    }
}
