//! Movements that no ticket stands for: corrections of counts, goods handed over for online orders.
//!
//! Each is a movement of its own in the ledger and an entry in every lane, except where the platform knows of it
//! already (goods of its own order): that lane's account is exempt from it, so that the audit still balances.

use std::sync::mpsc::SyncSender;

use rusqlite::params;
use sync_core::ledger::MovementKind;
use sync_core::model::{Quantity, Seq, Sku, Timestamp};
use sync_core::outbox::lane::Entry;

use super::Writer;
use super::record::Apart;
use crate::db::{self, DbError, step};

/// About how often the time of a position in the movement stream is kept.
const MOMENT_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

/// One movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The article.
    pub sku: Sku,
    /// By how much.
    pub delta: Quantity,
    /// Why stock moved.
    pub kind: MovementKind,
    /// The lane whose platform knows of it already.
    pub exempt: Option<usize>,
    /// The count that it corrects.
    pub count: Option<i64>,
    /// In words, for the log of corrections.
    pub why: String,
    /// Who or what asked.
    pub who: String,
}

/// Movements to be posted in one commit.
#[derive(Debug)]
pub struct PostRequest {
    /// In order.
    pub postings: Vec<Posting>,
    /// Told the position of the last one after the commit; `None` if it could not be stored.
    pub reply: SyncSender<Option<Seq>>,
}

impl Writer {
    pub(super) fn take_postings(&mut self, request: &PostRequest) -> Result<Seq, DbError> {
        for posting in &request.postings {
            self.post(posting)?;
        }
        Ok(self.seq)
    }

    /// Posts one movement inside the open SQL transaction, behind what the group has moved so far.
    pub(super) fn post(&mut self, posting: &Posting) -> Result<(), DbError> {
        if posting.delta.is_zero() {
            return Ok(());
        }
        self.post_movements()?;
        let (now, seq) = (self.now(), Seq(self.seq.0 + 1));
        let sku = self.sku(&posting.sku)?;
        self.conn
            .prepare_cached(
                "INSERT INTO correction (seq, sku, delta, count, why, who, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    seq.0,
                    sku.0,
                    posting.delta.micros(),
                    posting.count,
                    posting.why,
                    posting.who,
                    now.0
                ])
            })
            .map_err(step("record a correction"))?;
        self.post_apart(Apart {
            sku,
            delta: posting.delta,
            kind: posting.kind,
            transaction: None,
            sold_at: None,
            known_to: posting.exempt,
        })
    }

    /// Books one movement at a position of its own, in the ledger and in every lane but the one whose platform knows of it.
    pub(super) fn post_apart(&mut self, movement: Apart) -> Result<(), DbError> {
        let Apart { sku, delta, kind, transaction, sold_at, known_to } = movement;
        let seq = Seq(self.seq.0 + 1);
        db::ledger::add_movement(&self.conn, seq, sku, 1, delta)?;
        let uncertain = self.restored.is_catching_up();
        for index in 0..self.lanes.len() {
            let Some(runtime) = self.lanes.get(index) else { continue };
            if runtime.traits.latest {
                continue;
            }
            if known_to == Some(index) {
                self.conn
                    .prepare_cached("INSERT INTO exempt VALUES (?1, ?2, ?3, 1, ?4)")
                    .and_then(|mut statement| statement.execute(params![runtime.id, seq.0, sku.0, delta.micros()]))
                    .map_err(step("record what a platform knows"))?;
                continue;
            }
            let entry = Entry {
                id: self.take_entry_id(),
                sku,
                delta,
                lines: 1,
                first: seq,
                last: seq,
                kind,
                transaction: transaction.clone(),
                sold_at,
                uncertain,
            };
            self.add_to_lane(index, entry)?;
        }
        self.seq = seq;
        self.mark_moment()
    }

    /// Keeps when the stream was at its present position, now and then.
    pub(super) fn mark_moment(&mut self) -> Result<(), DbError> {
        let now = self.now();
        if now.since(self.last_moment) < MOMENT_EVERY && self.last_moment != Timestamp(0) {
            return Ok(());
        }
        self.last_moment = now;
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO moment VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute(params![self.seq.0, now.0]))
            .map_err(step("keep the time of a position"))?;
        Ok(())
    }
}
