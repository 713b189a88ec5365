//! Drift repairs: the only absolute writes that no change stands for (invariant 6), and the log of every overwrite.
//!
//! A repair is taken only if nothing has moved since it was planned: the ledger says what the plan says, nothing of the
//! article waits or is under way, and the article's place on the platform is the one that was compared. It is frozen with
//! its own key; what is sold meanwhile waits behind it.

use rusqlite::{Connection, params};
use sync_core::ledger::MovementKind;
use sync_core::model::{BatchId, Quantity, Sku, SkuId, Timestamp};
use sync_core::outbox::lane::{BatchItem, Entry, Stage};

use super::Writer;
use super::lanes::{Frozen, LaneRuntime, batch_key};
use super::readback::absolute;
use crate::db::outbox::{BatchRow, WrittenRow};
use crate::db::{self, DbError, step};
use crate::platform::{Target, TargetPart};

/// One article to be repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairRow {
    /// The article.
    pub sku: Sku,
    /// Its item on the platform.
    pub item: String,
    /// The platform's number as compared.
    pub shown: i64,
    /// The number to write.
    pub due: i64,
    /// The ledger's on hand from which `due` was worked out.
    pub on_hand: Quantity,
    /// In words, for the drift log.
    pub why: String,
}

/// What is asked: rows of one request.
#[derive(Debug)]
pub struct RepairRequest {
    /// Index of the lane.
    pub lane: usize,
    /// The run that planned them.
    pub run: i64,
    /// At most the platform's rows of one request.
    pub rows: Vec<RepairRow>,
    /// Who or what asked, for the drift log.
    pub who: String,
    /// Where to answer, after the commit.
    pub reply: tokio::sync::oneshot::Sender<RepairAnswer>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairAnswer {
    /// These articles are being written; the others had moved or are under way, with the reason.
    Taken {
        /// Frozen.
        frozen: Vec<Sku>,
        /// Left for another run.
        left: Vec<(Sku, &'static str)>,
    },
    /// The lane cannot send now; ask again.
    Busy,
    /// It could not be stored.
    Failed,
}

impl Writer {
    /// Freezes a repair inside the open SQL transaction.
    pub(super) fn repair(&mut self, request: &RepairRequest) -> Result<RepairAnswer, DbError> {
        let now = self.now();
        self.post_movements()?;
        if !self.lanes.get(request.lane).is_some_and(|runtime| runtime.lane.has_free_request(now)) {
            return Ok(RepairAnswer::Busy);
        }
        let (mut items, mut rows, mut frozen, mut left) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in &request.rows {
            let sku = self.sku(&row.sku)?;
            match self.repair_refusal(request.lane, sku, row)? {
                Some(reason) => left.push((row.sku.clone(), reason)),
                None => {
                    let entry = self.repair_entry(sku);
                    items.push(BatchItem { entry, units: 0 });
                    rows.push(WrittenRow { item: row.item.clone(), expected: row.shown, written: row.due, owed: 0 });
                    frozen.push(row.sku.clone());
                }
            }
        }
        if items.is_empty() {
            return Ok(RepairAnswer::Taken { frozen, left });
        }
        self.next_batch = BatchId(self.next_batch.0 + 1);
        let id = self.next_batch;
        let key = batch_key(&self.epoch, request.lane, id, 0);
        let Some(runtime) = self.lanes.get_mut(request.lane) else { return Ok(RepairAnswer::Busy) };
        for row in request.rows.iter().filter(|row| frozen.contains(&row.sku)) {
            let Some(sku) = self.skus.get(row.sku.as_str()).copied() else { continue };
            remember_target(&self.conn, runtime, sku, row)?;
            let written = WrittenRow { item: row.item.clone(), expected: row.shown, written: row.due, owed: 0 };
            log(&self.conn, runtime.id, id, &written, Some((request, sku)), &row.why, now)?;
        }
        let taken = request.rows.iter().filter(|row| frozen.contains(&row.sku));
        for (sku, on_hand) in taken.filter_map(|row| Some((*self.skus.get(row.sku.as_str())?, row.on_hand))) {
            // The number written is the whole units of the shelf: what is left over is carried to the next change.
            let whole = Quantity::from_units(on_hand.floor_units()).unwrap_or_default();
            let rest = on_hand.saturating_sub(whole).micros();
            runtime.lane.restore_carry(sku, rest);
            db::outbox::set_carry(&self.conn, runtime.id, sku, rest)?;
        }
        let body = runtime.platform.encode_absolute(&key, &absolute(&rows));
        let row =
            BatchRow { id, key, stage: Stage::Absolute, body: Some(body), items: items.clone(), frozen_at: now, rows };
        db::outbox::put_batch(&self.conn, runtime.id, &row)?;
        runtime.frozen.insert(id, Frozen::from(&row));
        runtime.lane.repair(id, items);
        Ok(RepairAnswer::Taken { frozen, left })
    }

    /// Why an article is not repaired now, if it is not.
    fn repair_refusal(&self, lane: usize, sku: SkuId, row: &RepairRow) -> Result<Option<&'static str>, DbError> {
        let Some(runtime) = self.lanes.get(lane) else { return Ok(Some("there is no such platform")) };
        if !runtime.lane.is_idle(sku) {
            return Ok(Some("changes of it are on their way"));
        }
        if db::ledger::on_hand(&self.conn, sku)? != Some(row.on_hand) {
            return Ok(Some("it has moved since it was compared"));
        }
        let known = runtime.targets.get(&sku);
        if known.is_some_and(|target| {
            target.parts.len() != 1 || target.parts.iter().any(|part| part.item != row.item || part.per != 1)
        }) {
            return Ok(Some("it stands for another product of the shop"));
        }
        Ok(None)
    }

    /// Freezes what is left of a repair, some of whose rows were refused before anything took effect. The key is another
    /// one: the request is another one, and platforms remember what they refused.
    pub(super) fn narrow_repair(
        &mut self,
        index: usize,
        batch: BatchId,
        kept: &[BatchItem],
        reason: &str,
    ) -> Result<(), DbError> {
        let now = self.now();
        let key = batch_key(&self.epoch, index, batch, now.0);
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        let items = runtime.parts(kept);
        let before = runtime.frozen.get(&batch).map(|frozen| frozen.rows.clone()).unwrap_or_default();
        let (rows, left): (Vec<WrittenRow>, Vec<WrittenRow>) =
            before.into_iter().partition(|row| items.contains_key(&row.item));
        for row in &left {
            tracing::warn!(
                lane = runtime.name,
                item = row.item,
                reason,
                "An article is not repaired now; the next reconciliation looks again"
            );
            drop_one(&self.conn, batch, &row.item)?;
        }
        let body = runtime.platform.encode_absolute(&key, &absolute(&rows));
        let row = BatchRow {
            id: batch,
            key,
            stage: Stage::Absolute,
            body: Some(body),
            items: kept.to_vec(),
            frozen_at: now,
            rows,
        };
        db::outbox::put_batch(&self.conn, runtime.id, &row)?;
        runtime.frozen.insert(batch, Frozen::from(&row));
        Ok(())
    }

    fn repair_entry(&mut self, sku: SkuId) -> Entry {
        Entry {
            id: self.take_entry_id(),
            sku,
            delta: Quantity::default(),
            lines: 0,
            first: self.seq,
            last: self.seq,
            kind: MovementKind::Repair,
            transaction: None,
            sold_at: None,
            uncertain: false,
        }
    }
}

/// An article that was never sold has no place yet: the compared item is it.
fn remember_target(conn: &Connection, runtime: &mut LaneRuntime, sku: SkuId, row: &RepairRow) -> Result<(), DbError> {
    if runtime.targets.contains_key(&sku) {
        return Ok(());
    }
    let target = Target { parts: vec![TargetPart { item: row.item.clone(), per: 1 }] };
    let state = sync_core::outbox::lane::TargetState::Known { rows: 1 };
    let stored = db::tables::TargetRow { sku, target: Some(target.clone()), state: state.clone() };
    db::tables::set_target(conn, runtime.id, &stored, None, None)?;
    runtime.lane.restore_target(sku, state);
    runtime.targets.insert(sku, std::sync::Arc::new(target));
    Ok(())
}

/// Logs an overwrite that is about to be sent.
pub(super) fn log(
    conn: &Connection,
    lane: i64,
    batch: BatchId,
    row: &WrittenRow,
    repair: Option<(&RepairRequest, SkuId)>,
    why: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    conn.prepare_cached(
        "INSERT INTO overwrite (lane, item, before, after, why, at, batch, run, who, sku, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'sent')",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            lane,
            row.item,
            row.expected,
            row.written,
            why,
            now.0,
            batch.0,
            repair.map(|(request, _)| request.run),
            repair.map_or("settling", |(request, _)| request.who.as_str()),
            repair.map(|(_, sku)| sku.0)
        ])
    })
    .map_err(step("log an overwrite"))?;
    Ok(())
}

/// The overwrites of a batch are in effect; what a person was to decide about these articles is decided by them.
pub(super) fn written(
    conn: &Connection,
    lane: i64,
    batch: BatchId,
    items: &[BatchItem],
    now: Timestamp,
) -> Result<(), DbError> {
    conn.prepare_cached("UPDATE overwrite SET state = 'written' WHERE batch = ?1 AND state = 'sent'")
        .and_then(|mut statement| statement.execute([batch.0]))
        .map_err(step("log an overwrite"))?;
    for item in items.iter().filter(|item| item.entry.kind == MovementKind::Repair) {
        let note = format!("superseded by the repair of {}", crate::clock::rfc3339(now));
        conn.prepare_cached(
            "UPDATE dead_letter SET state = 'discarded', note = ?4 WHERE lane = ?1 AND sku = ?2 AND last_seq <= ?3 AND state = 'open'",
        )
        .and_then(|mut statement| statement.execute(params![lane, item.entry.sku.0, item.entry.last.0, note]))
        .map_err(step("supersede dead letters"))?;
    }
    Ok(())
}

/// One overwrite of a batch was given up.
fn drop_one(conn: &Connection, batch: BatchId, item: &str) -> Result<(), DbError> {
    conn.prepare_cached("UPDATE overwrite SET state = 'dropped' WHERE batch = ?1 AND item = ?2 AND state = 'sent'")
        .and_then(|mut statement| statement.execute(params![batch.0, item]))
        .map_err(step("log an overwrite"))?;
    Ok(())
}

/// The overwrites of a batch were given up; the next reconciliation looks again.
pub(super) fn dropped(conn: &Connection, batch: BatchId) -> Result<(), DbError> {
    conn.prepare_cached("UPDATE overwrite SET state = 'dropped' WHERE batch = ?1 AND state = 'sent'")
        .and_then(|mut statement| statement.execute([batch.0]))
        .map_err(step("log an overwrite"))?;
    Ok(())
}
