//! A chunk of a source becomes transaction versions, movements and cursors, inside the open SQL transaction.

use std::collections::BTreeMap;

use pos_adapters::{Chunk, Coverage, Quarantined};
use sync_core::ledger::{self, Diff, MovementKind};
use sync_core::model::{EntryId, Extent, Quantity, Seq, SkuId, Timestamp, Transaction};
use sync_core::outbox::lane::Entry;

use super::{Writer, view};
use crate::crash;
use crate::db::{self, DbError};
use crate::sabotage::{self, Rule};

/// Segments remembered by number.
const SEGMENTS_MAX: usize = 4096;

/// What the open SQL transaction has moved so far.
#[derive(Default)]
pub(super) struct Moved {
    by_sku: BTreeMap<SkuId, Sum>,
    /// Movements one by one, for lanes that do not merge.
    single: Vec<(SkuId, Quantity, MovementKind, String, Option<Timestamp>)>,
    keep_single: bool,
    /// Movements that the platform of a lane knows by itself.
    apart: Vec<Apart>,
}

/// A movement that is booked by itself.
#[derive(Debug, Clone)]
pub(super) struct Apart {
    pub(super) sku: SkuId,
    pub(super) delta: Quantity,
    pub(super) kind: MovementKind,
    pub(super) transaction: Option<String>,
    pub(super) sold_at: Option<Timestamp>,
    /// Index of the lane that is not told.
    pub(super) known_to: Option<usize>,
}

struct Sum {
    lines: i64,
    delta: Quantity,
    kind: MovementKind,
    transaction: Option<String>,
    sold_at: Option<Timestamp>,
}

impl Moved {
    pub(super) fn clear(&mut self, keep_single: bool) {
        self.by_sku.clear();
        self.single.clear();
        self.apart.clear();
        self.keep_single = keep_single;
    }

    fn add(&mut self, sku: SkuId, delta: Quantity, kind: MovementKind, key: &str, sold_at: Option<Timestamp>) {
        if self.keep_single {
            self.single.push((sku, delta, kind, key.to_owned(), sold_at));
        }
        match self.by_sku.entry(sku) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(Sum { lines: 1, delta, kind, transaction: Some(key.to_owned()), sold_at });
            }
            std::collections::btree_map::Entry::Occupied(mut taken) => {
                let sum = taken.get_mut();
                sum.lines += 1;
                sum.delta = sum.delta.saturating_add(delta);
                sum.sold_at = sum.sold_at.max(sold_at);
                sum.transaction = None;
                if sum.kind != kind {
                    sum.kind = MovementKind::Mixed;
                }
            }
        }
    }
}

impl Writer {
    /// Records a chunk and its cursors.
    pub(super) fn record(&mut self, source: usize, chunk: Chunk, backlog: Option<u64>) -> Result<(), DbError> {
        crash::point("chunk_received").map_err(|source| DbError::Io { step: "take a chunk", source })?;
        let Some((source_id, vanish_limit)) =
            self.sources.get(source).map(|runtime| (runtime.id, runtime.vanish_limit_percent))
        else {
            return Ok(());
        };
        if sabotage::breaks(Rule::CursorFirst) {
            self.save_cursors_too_early(source_id, &chunk)?;
        }
        let now = self.now();
        let seq = Seq(self.seq.0 + 1);
        let (mut lines, mut last_sale) = (0_u64, None);
        let transactions = chunk.transactions.len();
        for read in chunk.transactions {
            lines += u64::try_from(read.lines.len()).unwrap_or(0);
            last_sale = last_sale.max(read.sold_at);
            self.record_one(source_id, seq, read, now)?;
        }
        crash::point("transactions_recorded").map_err(|source| DbError::Io { step: "record transactions", source })?;
        for row in &chunk.quarantined {
            db::tables::add_quarantine(&self.conn, source_id, row, now)?;
        }
        for (rule, records) in &chunk.ignored {
            db::tables::add_ignored(&self.conn, source_id, rule, i64::try_from(*records).unwrap_or(i64::MAX))?;
        }
        if let Some(coverage) = &chunk.coverage {
            self.vanish(source_id, seq, coverage, vanish_limit, now)?;
        }
        for cursor in &chunk.cursors {
            db::tables::set_cursor(&self.conn, source_id, &cursor.item, cursor.state.as_deref())?;
        }
        self.reverse_late()?;
        crash::point("cursor_saved").map_err(|source| DbError::Io { step: "save a cursor", source })?;
        let read = view::Read { transactions, lines, last_sale, bytes: chunk.bytes, backlog, at: now };
        self.board.recorded(source, &read, &chunk.quarantined);
        Ok(())
    }

    /// The broken rule of a control build: what is read is lost if the program dies right after.
    fn save_cursors_too_early(&mut self, source_id: i64, chunk: &Chunk) -> Result<(), DbError> {
        for cursor in &chunk.cursors {
            db::tables::set_cursor(&self.conn, source_id, &cursor.item, cursor.state.as_deref())?;
        }
        self.conn.execute_batch("COMMIT; BEGIN IMMEDIATE").map_err(db::step("commit"))
    }

    fn record_one(&mut self, source: i64, seq: Seq, mut read: Transaction, now: Timestamp) -> Result<(), DbError> {
        if sabotage::breaks(Rule::RandomIds) {
            read.key = sync_core::model::TransactionKey::new(format!("{}#{}", read.key, getrandom::u64().unwrap_or(0)));
        }
        if let Err(refusal) = ledger::admit(&read) {
            return self.quarantine_transaction(source, &read, &refusal.to_string(), now);
        }
        if read.sold_at.is_some_and(|at| at < self.horizon)
            && db::ledger::snapshot(&self.conn, source, read.key.as_str())?.is_none()
        {
            let reason = "older than the ledger remembers ([state] retention_days), so it cannot be told whether it was counted before; nothing was moved";
            return self.quarantine_transaction(source, &read, reason, now);
        }
        if let Err(set_aside) = self.rule_online(source, &mut read)? {
            self.quarantine_transaction(source, &read, &set_aside.reason, now)?;
            return db::tables::name_order(&self.conn, set_aside.order.as_deref());
        }
        let segment = self.segment(read.segment.as_str())?;
        let mut text = std::mem::take(&mut self.lines_text);
        db::ledger::write_lines(&read.lines, &mut text);
        let is_new = db::ledger::insert_new(&self.conn, source, seq, segment, &read, &text)?;
        self.lines_text = text;
        if is_new {
            let (key, sold_at) = (read.key.as_str(), read.sold_at);
            let known_to = if read.online_order.is_some() || self.online.recognises() {
                self.lane_that_knows(source, key)?
            } else {
                None
            };
            for (code, delta, kind) in ledger::first_movements(&read) {
                let sku = self.sku(code)?;
                self.note_late(sku, code, delta, sold_at, (None, known_to))?;
                self.add_moved(sku, delta, kind, key, sold_at, known_to);
            }
            return Ok(());
        }
        let (key, sold_at) = (read.key.as_str().to_owned(), read.sold_at);
        let known = db::ledger::snapshot(&self.conn, source, &key)?;
        let grows = read.extent == Extent::Extends && self.has_shelf_counts();
        let diff = ledger::diff(known.as_ref().map(|(snapshot, _)| snapshot), read);
        if let (true, Diff::Changed { movements, .. }) = (grows, &diff) {
            let first = self.first_seq(source, &key)?;
            let known_to = self.lane_that_knows(source, &key)?;
            for movement in movements {
                let sku = self.sku(&movement.sku)?;
                self.note_late(sku, &movement.sku, movement.delta, sold_at, (first, known_to))?;
            }
        }
        self.record_diff(source, seq, &key, sold_at, diff)
    }

    fn record_diff(
        &mut self,
        source: i64,
        seq: Seq,
        key: &str,
        sold_at: Option<Timestamp>,
        diff: Diff,
    ) -> Result<(), DbError> {
        match diff {
            Diff::Unchanged => Ok(()),
            Diff::Moved { segment } => {
                let segment = self.segment(segment.as_str())?;
                db::ledger::relocate(&self.conn, source, key, segment)
            }
            Diff::Changed { snapshot, movements } => {
                let segment = self.segment(snapshot.segment.as_str())?;
                let mut text = String::new();
                db::ledger::write_lines(&snapshot.lines, &mut text);
                db::ledger::replace(&self.conn, source, key, seq, segment, &snapshot, &text)?;
                let known_to = self.lane_that_knows(source, key)?;
                for movement in movements {
                    let sku = self.sku(&movement.sku)?;
                    self.add_moved(sku, movement.delta, movement.kind, key, sold_at, known_to);
                }
                Ok(())
            }
        }
    }

    fn add_moved(
        &mut self,
        sku: SkuId,
        delta: Quantity,
        kind: MovementKind,
        key: &str,
        sold_at: Option<Timestamp>,
        known_to: Option<usize>,
    ) {
        if known_to.is_none() {
            return self.moved.add(sku, delta, kind, key, sold_at);
        }
        self.moved.apart.push(Apart { sku, delta, kind, transaction: Some(key.to_owned()), sold_at, known_to });
    }

    fn quarantine_transaction(
        &mut self,
        source: i64,
        read: &Transaction,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let mut raw = String::new();
        db::ledger::write_lines(&read.lines, &mut raw);
        raw.truncate(raw.floor_char_boundary(pos_adapters::QUARANTINE_BYTES_MAX));
        let row = Quarantined {
            at: format!("{}, transaction {}", read.segment, read.key),
            reason: reason.to_owned(),
            raw,
            records: u32::try_from(read.lines.len()).unwrap_or(u32::MAX),
        };
        db::tables::add_quarantine(&self.conn, source, &row, now)
    }

    /// Reverses what an export covers but no longer contains, if that is believable.
    fn vanish(
        &mut self,
        source: i64,
        seq: Seq,
        coverage: &Coverage,
        limit_percent: usize,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let known = db::ledger::keys_of_origin(&self.conn, source, &coverage.origin, coverage.from.0, coverage.to.0)?;
        let vanished: Vec<&String> = known.iter().filter(|key| coverage.keys.binary_search(key).is_err()).collect();
        if !ledger::vanishing_is_believable(known.len(), vanished.len(), limit_percent) {
            let row = Quarantined {
                at: coverage.origin.clone(),
                reason: format!(
                    "{} of {} transactions are no longer in this export: it looks torn or cut short, so nothing was reversed. If it is right, fix or re-export it; a later complete export is taken as it is",
                    vanished.len(),
                    known.len()
                ),
                raw: vanished.iter().take(50).map(|key| key.as_str()).collect::<Vec<_>>().join("\n"),
                records: u32::try_from(vanished.len()).unwrap_or(u32::MAX),
            };
            return db::tables::add_quarantine(&self.conn, source, &row, now);
        }
        for key in vanished {
            if let Some((snapshot, _)) = db::ledger::snapshot(&self.conn, source, key)? {
                self.record_diff(source, seq, key, None, ledger::vanish(&snapshot))?;
            }
        }
        Ok(())
    }

    fn segment(&mut self, name: &str) -> Result<i64, DbError> {
        if let Some(id) = self.segments.get(name) {
            return Ok(*id);
        }
        let id = db::tables::segment_id(&self.conn, name)?;
        if self.segments.len() >= SEGMENTS_MAX {
            self.segments.clear();
        }
        self.segments.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Writes what the group moved to the ledger and hands it to the lanes.
    pub(super) fn post_movements(&mut self) -> Result<(), DbError> {
        let apart = std::mem::take(&mut self.moved.apart);
        if !self.moved.by_sku.is_empty() {
            self.post_merged()?;
        }
        for movement in apart {
            self.post_apart(movement)?;
        }
        Ok(())
    }

    fn post_merged(&mut self) -> Result<(), DbError> {
        let seq = Seq(self.seq.0 + 1);
        let by_sku = std::mem::take(&mut self.moved.by_sku);
        let single = std::mem::take(&mut self.moved.single);
        for (sku, sum) in &by_sku {
            db::ledger::add_movement(&self.conn, seq, *sku, sum.lines, sum.delta)?;
        }
        crash::point("movements_recorded").map_err(|source| DbError::Io { step: "record movements", source })?;
        let uncertain = self.restored.is_catching_up();
        for lane in 0..self.lanes.len() {
            if self.lanes.get(lane).is_some_and(|runtime| runtime.traits.latest) {
                continue;
            }
            let merges = self.lanes.get(lane).is_some_and(|runtime| runtime.lane.limits().merge);
            if merges {
                for (sku, sum) in &by_sku {
                    let entry = Entry {
                        id: self.take_entry_id(),
                        sku: *sku,
                        delta: sum.delta,
                        lines: sum.lines,
                        first: seq,
                        last: seq,
                        kind: sum.kind,
                        transaction: sum.transaction.clone(),
                        sold_at: sum.sold_at,
                        uncertain,
                    };
                    self.add_to_lane(lane, entry)?;
                }
            } else {
                for (sku, delta, kind, key, sold_at) in &single {
                    let entry = Entry {
                        id: self.take_entry_id(),
                        sku: *sku,
                        delta: *delta,
                        lines: 1,
                        first: seq,
                        last: seq,
                        kind: *kind,
                        transaction: Some(key.clone()),
                        sold_at: *sold_at,
                        uncertain,
                    };
                    self.add_to_lane(lane, entry)?;
                }
            }
        }
        self.seq = seq;
        self.mark_moment()?;
        let keep_single = self.lanes.iter().any(|runtime| !runtime.lane.limits().merge);
        self.moved.clear(keep_single);
        Ok(())
    }

    pub(super) fn reset_moved(&mut self) {
        let keep_single = self.lanes.iter().any(|runtime| !runtime.lane.limits().merge);
        self.moved.clear(keep_single);
    }

    pub(super) fn take_entry_id(&mut self) -> EntryId {
        self.next_entry = EntryId(self.next_entry.0 + 1);
        self.next_entry
    }

    pub(super) fn add_to_lane(&mut self, lane: usize, entry: Entry) -> Result<(), DbError> {
        let Some(runtime) = self.lanes.get_mut(lane) else { return Ok(()) };
        let spilled = if runtime.lane.has_room() { None } else { Some(entry.clone()) };
        if !runtime.lane.add(entry)
            && let Some(entry) = spilled
        {
            db::outbox::put_pending(&self.conn, runtime.id, &entry)?;
        }
        Ok(())
    }
}
