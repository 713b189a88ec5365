//! Values of articles inside the open SQL transaction: what a list says differently is recorded and goes into the side lanes
//! in one commit; what is held for a person is kept, applied or refused.
//!
//! Values take their places in the same stream of positions as movements. The newest value of an article replaces those that
//! wait; the count of invariant 7 counts changes, not amounts.

use std::sync::mpsc::SyncSender;

use sync_core::ledger::MovementKind;
use sync_core::model::{Quantity, Seq, Sku};
use sync_core::outbox::lane::Entry;
use sync_core::values::{Change, ValueKind};

use super::{Applied, Writer};
use crate::db::values::FeedState;
use crate::db::{self, DbError};

/// What a reading of a list brings; at most [`ROWS_MAX`] values.
#[derive(Debug)]
pub struct ValuesRequest {
    /// Name of the list.
    pub feed: String,
    /// What its values are.
    pub kind: ValueKind,
    /// Values to be recorded.
    pub rows: Vec<(Sku, Quantity)>,
    /// Whether the platforms are told; not so for what was there at the first look.
    pub told: bool,
    /// What is held from now on, with the reasons; empty: nothing. `None` leaves what is held.
    pub hold: Option<(Vec<Change>, Vec<String>)>,
    /// Refusals of these articles no longer matter: the POS says something else.
    pub forget_refusals: Vec<Sku>,
    /// The last part of a reading: articles on the list.
    pub complete: Option<usize>,
    /// Why the list cannot be used.
    pub failed: Option<String>,
    /// Told after the commit whether it was stored.
    pub reply: SyncSender<bool>,
}

impl ValuesRequest {
    /// A request that brings nothing yet.
    #[must_use]
    pub fn of(feed: String, kind: ValueKind) -> Self {
        let (reply, _) = std::sync::mpsc::sync_channel(1);
        Self {
            feed,
            kind,
            rows: Vec::new(),
            told: true,
            hold: None,
            forget_refusals: Vec::new(),
            complete: None,
            failed: None,
            reply,
        }
    }

    /// The list cannot be used.
    #[must_use]
    pub fn failed(self, reason: String) -> Self {
        Self { failed: Some(reason), ..self }
    }
}

/// Most values of one request: a sale waits no longer than their commit takes.
pub const ROWS_MAX: usize = 2_000;
/// How often it is written down that a list was read, if nothing else is.
const NOTE_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

impl Writer {
    /// Takes a reading in, and answers after the commit.
    pub(super) fn values_read(&mut self, request: ValuesRequest, applied: &mut Applied) -> Result<(), DbError> {
        self.take_values(&request)?;
        applied.after.push(Box::new(move |stored| {
            let _nobody_waits = request.reply.send(stored);
        }));
        Ok(())
    }

    fn take_values(&mut self, request: &ValuesRequest) -> Result<(), DbError> {
        for (sku, value) in &request.rows {
            self.record_value(request.kind, sku, *value, request.told)?;
        }
        for sku in &request.forget_refusals {
            db::values::forget_refusal(&self.conn, &request.feed, sku)?;
        }
        let now = self.now();
        if let Some((changes, reasons)) = &request.hold {
            let open = db::values::open_hold(&self.conn, Some(&request.feed), None)?;
            let same = open.as_ref().is_some_and(|open| open.changes == *changes);
            if let Some(open) = open.filter(|_| !same) {
                db::values::close_hold(&self.conn, open.id, "overtaken", None, now)?;
            }
            if !same && !changes.is_empty() {
                tracing::warn!(
                    list = request.feed,
                    articles = changes.len(),
                    reasons = reasons.join("; "),
                    "Values are held for a person: see `tillsync prices held`"
                );
                db::values::put_hold(&self.conn, &request.feed, request.kind, changes, reasons, now)?;
            }
        }
        if request.complete.is_some() || request.failed.is_some() {
            let before = db::values::feed(&self.conn, &request.feed)?;
            let is_news = !before.begun
                || before.failed != request.failed
                || !request.rows.is_empty()
                || before.read_at.is_none_or(|at| now.since(at) >= NOTE_EVERY || at > now);
            if !is_news {
                return Ok(());
            }
            let state = FeedState {
                begun: before.begun || request.complete.is_some(),
                read_at: request.complete.map(|_| now).or(before.read_at),
                articles: request.complete.and_then(|count| i64::try_from(count).ok()).or(before.articles),
                failed: request.failed.clone(),
            };
            db::values::set_feed(&self.conn, &request.feed, request.kind, &state)?;
        }
        Ok(())
    }

    /// Records one value behind what the group has moved so far, if it is another than the latest.
    fn record_value(&mut self, kind: ValueKind, code: &Sku, value: Quantity, told: bool) -> Result<bool, DbError> {
        let sku = self.sku(code)?;
        if db::values::latest(&self.conn, kind, sku)? == Some(value) {
            return Ok(false);
        }
        self.post_movements()?;
        let (now, seq) = (self.now(), Seq(self.seq.0 + 1));
        db::values::add_fact(&self.conn, seq, kind, sku, value, now, told)?;
        self.seq = seq;
        for index in 0..self.lanes.len() {
            let concerned = |name: &str| db::tables::value_kind(name) == Some(kind.as_str());
            if !told || !self.lanes.get(index).is_some_and(|lane| lane.traits.latest && concerned(&lane.name)) {
                continue;
            }
            let entry = Entry {
                id: self.take_entry_id(),
                sku,
                delta: value,
                lines: 1,
                first: seq,
                last: seq,
                kind: MovementKind::Value,
                transaction: None,
                sold_at: None,
                // To say a value twice does no harm.
                uncertain: false,
            };
            self.add_to_lane(index, entry)?;
        }
        Ok(true)
    }

    /// A person lets held values through.
    pub(super) fn approve_values(&mut self, id: i64) -> Result<Result<String, String>, DbError> {
        let Some(hold) = db::values::open_hold(&self.conn, None, Some(id))? else {
            return Ok(Err(format!("nothing is held under number {id}")));
        };
        let mut told = 0;
        for change in &hold.changes {
            told += usize::from(self.record_value(hold.kind, &change.sku, change.after, true)?);
        }
        db::values::close_hold(&self.conn, id, "approved", None, self.now())?;
        Ok(Ok(format!("{told} values of list `{}` go to the shop", hold.feed)))
    }

    /// A person refuses held values; they are asked for again only when the POS says something else.
    pub(super) fn refuse_values(&mut self, id: i64, reason: &str) -> Result<Result<String, String>, DbError> {
        let Some(hold) = db::values::open_hold(&self.conn, None, Some(id))? else {
            return Ok(Err(format!("nothing is held under number {id}")));
        };
        for change in &hold.changes {
            db::values::refuse(&self.conn, &hold.feed, &change.sku, change.after)?;
        }
        db::values::close_hold(&self.conn, id, "refused", Some(reason), self.now())?;
        Ok(Ok(format!(
            "{} values of list `{}` are refused; the shop keeps what it has until the POS says something else",
            hold.changes.len(),
            hold.feed
        )))
    }
}
