//! What follows from numbers that were read: the outcome of a request, or the number to write.
//!
//! Two questions come here. A platform that takes only absolute numbers is read before every change; the change is added to
//! what was read and the sum is frozen. And after silence, where no key protects a repeat, each row is judged by
//! `sync_core::outbox::settle`: in effect, not in effect (its entry waits again), to be written as a number, or
//! unclear, which is left to a person or the next count.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::ledger::MovementKind;
use sync_core::model::{BatchId, IdempotencyKey, SkuId};
use sync_core::outbox::lane::{BatchItem, Entry, ReadBackVerdict, Stage, Writes};
use sync_core::outbox::settle::{self, Evidence, Judgement};

use super::lanes::{Frozen, LaneRuntime, batch_key};
use super::{Writer, jitter, looks};
use crate::crash;
use crate::db::outbox::{BatchRow, WrittenRow};
use crate::db::{self, DbError};
use crate::platform::{Absolute, CallFailure, ReadBack, Seen, TargetPart};
use crate::sabotage::{self, Rule};

/// What is known of the online orders beside the numbers.
#[derive(Clone, Copy)]
struct Orders {
    /// They are read.
    follows: bool,
    /// They could not be read for long.
    in_doubt: bool,
}

/// What was found out about a batch.
#[derive(Default)]
struct Judged {
    /// To be written as numbers.
    rows: Vec<WrittenRow>,
    /// Had no effect: wait again.
    again: BTreeSet<SkuId>,
    /// Nobody can tell.
    unclear: BTreeSet<SkuId>,
    /// The item is gone: look it up again.
    gone: BTreeSet<SkuId>,
}

impl Writer {
    /// The platform's numbers were read for a batch.
    pub(super) fn read_back(
        &mut self,
        index: usize,
        batch: BatchId,
        question: &ReadBack,
        result: Result<Vec<Seen>, CallFailure>,
    ) -> Result<(), DbError> {
        let (now, has_orders) = (self.now(), self.has_orders(index));
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        let seen = match result {
            Ok(seen) => seen,
            Err(CallFailure::Passing { wait, reason }) => {
                runtime.lane.call_failed(Some(batch), wait, reason, now, jitter());
                return Ok(());
            }
            Err(CallFailure::LaneRefused { cause, detail }) => {
                runtime.lane.call_refused(Some(batch), cause, detail, now, jitter());
                return Ok(());
            }
        };
        let Some(live) = runtime.lane.batches().get(&batch) else { return Ok(()) };
        let (items, stage) = (live.items.clone(), live.stage);
        let follows = runtime.follows(&self.conn, has_orders)?;
        let mut in_doubt = false;
        if stage != Stage::Base && follows && looks::is_silent(&seen) {
            match runtime.looks.look(batch, &seen, now) {
                looks::Verdict::Judge => {}
                looks::Verdict::Doubt => in_doubt = true,
                looks::Verdict::Again(at) => {
                    runtime.lane.look_again(batch, at);
                    self.orders_soon(index);
                    return Ok(());
                }
            }
        }
        let seen: BTreeMap<&str, Seen> = question.items.iter().map(String::as_str).zip(seen).collect();
        let judged = if stage == Stage::Base {
            self.base(index, &items, &seen)?
        } else {
            self.judge(index, batch, &items, &seen, Orders { follows, in_doubt })?
        };
        self.carry_out_judgement(index, batch, items, judged)
    }

    /// The numbers to write for changes that were never sent.
    fn base(&self, index: usize, items: &[BatchItem], seen: &BTreeMap<&str, Seen>) -> Result<Judged, DbError> {
        let mut judged = Judged::default();
        let Some(runtime) = self.lanes.get(index) else { return Ok(judged) };
        let mut gone = BTreeSet::new();
        for (item, change) in runtime.parts(items) {
            let Some(read) = seen.get(item.as_str()).and_then(|seen| seen.number) else {
                gone.insert(item);
                continue;
            };
            let owed = db::tables::owed(&self.conn, runtime.id, &item)?;
            let (written, owed) = settle::absolute(read, change, owed, runtime.traits.floor_zero);
            judged.rows.push(WrittenRow { item, expected: read, written, owed });
        }
        judged.gone = skus_of(runtime, items, &gone);
        Ok(judged)
    }

    /// What became of each row of a request whose answer never came.
    fn judge(
        &self,
        index: usize,
        batch: BatchId,
        items: &[BatchItem],
        seen: &BTreeMap<&str, Seen>,
        orders: Orders,
    ) -> Result<Judged, DbError> {
        let mut judged = Judged::default();
        let Some(runtime) = self.lanes.get(index) else { return Ok(judged) };
        let frozen = runtime.frozen.get(&batch);
        let from_lost_database = frozen.is_none_or(|frozen| frozen.body.is_none() && frozen.rows.is_empty());
        let by_rows = runtime.traits.writes == Writes::Absolute || items.iter().any(is_repair);
        let written = frozen.map(|frozen| frozen.rows.as_slice()).unwrap_or_default();
        let changes = runtime.parts(items);
        let names: Vec<String> = changes.keys().cloned().collect();
        let expected = db::tables::expected(&self.conn, runtime.id, &names)?;
        let mut verdicts: BTreeMap<&str, Judgement> = BTreeMap::new();
        for (item, change) in &changes {
            let Some(seen) = seen.get(item.as_str()) else { continue };
            let row = written.iter().find(|row| row.item == *item).filter(|_| by_rows);
            let verdict = match (row, expected.get(item)) {
                _ if orders.in_doubt && seen.evidence == Evidence::Silent => Judgement::Ambiguous,
                (Some(row), _) => {
                    let none = settle::Taken::default();
                    let taken = if orders.follows { runtime.taken_since(&self.conn, item, frozen)? } else { none };
                    settle::judge_absolute_beside(seen.evidence, seen.number, row.expected, row.written, taken)
                }
                (None, Some((_, true))) if from_lost_database => Judgement::Ambiguous,
                (None, known) => {
                    // What is in doubt is as good as not known.
                    let before = known.filter(|(_, late)| !(*late && orders.follows)).map(|(number, _)| *number);
                    settle::judge_delta(seen.evidence, seen.number, before, *change)
                }
            };
            let verdict = match (verdict, expected.get(item)) {
                (Judgement::Ambiguous, Some((before, _))) if sabotage::breaks(Rule::BlindSet) => {
                    Judgement::Write { on_hand: before.saturating_add(*change) }
                }
                (verdict, _) => verdict,
            };
            if let (Judgement::Write { on_hand }, Some(shown)) = (verdict, seen.number) {
                let row = WrittenRow { item: item.clone(), expected: shown, written: on_hand, owed: 0 };
                judged.rows.push(row);
            }
            verdicts.insert(item, verdict);
        }
        for sku in items.iter().map(|item| item.entry.sku) {
            let of_sku: Vec<Judgement> = runtime
                .items_of(sku, None)
                .iter()
                .map(|item| verdicts.get(item.as_str()).copied().unwrap_or(Judgement::Ambiguous))
                .collect();
            let again = of_sku.iter().filter(|verdict| **verdict == Judgement::Again).count();
            if of_sku.contains(&Judgement::Ambiguous) || (again > 0 && again < of_sku.len()) {
                judged.unclear.insert(sku);
            } else if again > 0 {
                judged.again.insert(sku);
            }
        }
        Ok(judged)
    }

    fn carry_out_judgement(
        &mut self,
        index: usize,
        batch: BatchId,
        items: Vec<BatchItem>,
        mut judged: Judged,
    ) -> Result<(), DbError> {
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        let (dead, mut carries) = runtime.lane.set_aside(batch, &judged.unclear);
        let back: BTreeSet<SkuId> = judged.again.union(&judged.gone).copied().collect();
        let (waiting, more) = runtime.lane.set_aside(batch, &back);
        carries.extend(more);
        runtime.lane.put_back(waiting);
        for (sku, micros) in carries {
            db::outbox::set_carry(&self.conn, runtime.id, sku, micros)?;
        }
        for sku in &judged.gone {
            runtime.targets.remove(sku);
            runtime.lane.forget_target(*sku);
            db::tables::forget_target(&self.conn, runtime.id, *sku)?;
        }
        let kept: Vec<BatchItem> = items
            .into_iter()
            .filter(|item| !judged.unclear.contains(&item.entry.sku) && !back.contains(&item.entry.sku))
            .collect();
        let kept_items = runtime.parts(&kept);
        judged.rows.retain(|row| kept_items.contains_key(&row.item));
        let verdict = if judged.rows.is_empty() { ReadBackVerdict::InEffect } else { ReadBackVerdict::WriteAbsolute };
        let outcome = runtime.lane.read_back(batch, verdict);
        self.bury_unclear(index, &dead)?;
        self.freeze_settlement(index, batch, &kept, judged.rows)?;
        self.settle(index, batch, &kept, outcome)
    }

    /// Changes that nobody can tell the outcome of become dead letters: a person or the next count decides.
    fn bury_unclear(&mut self, index: usize, dead: &[Entry]) -> Result<(), DbError> {
        const MESSAGE: &str = "it is unknown whether the shop has this change, and the shop's number was changed by others since: count this article, then retry or discard";
        let now = self.now();
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        for entry in dead.iter().filter(|entry| entry.kind != MovementKind::Repair) {
            tracing::error!(
                lane = runtime.name,
                entry = entry.id.0,
                "The outcome of a stock change cannot be told; it waits for a person"
            );
            db::outbox::put_dead(&self.conn, runtime.id, entry, "uncertain", MESSAGE, now)?;
            self.board.died(index);
        }
        Ok(())
    }

    /// Stores what is left of a batch, with the absolute write that settles it, if one is needed.
    fn freeze_settlement(
        &mut self,
        index: usize,
        batch: BatchId,
        items: &[BatchItem],
        rows: Vec<WrittenRow>,
    ) -> Result<(), DbError> {
        if !rows.is_empty() {
            return self.freeze_absolute(index, batch, items, rows);
        }
        let Some(runtime) = self.lanes.get(index) else { return Ok(()) };
        let frozen = runtime.frozen.get(&batch);
        let row = BatchRow {
            id: batch,
            key: frozen.map_or_else(|| IdempotencyKey::new(""), |frozen| frozen.key.clone()),
            stage: Stage::ReadBack,
            body: None,
            items: items.to_vec(),
            frozen_at: self.now(),
            rows: frozen.map(|frozen| frozen.rows.clone()).unwrap_or_default(),
        };
        db::outbox::put_batch(&self.conn, runtime.id, &row)
    }

    /// Freezes numbers to be written for a live batch.
    fn freeze_absolute(
        &mut self,
        index: usize,
        batch: BatchId,
        items: &[BatchItem],
        rows: Vec<WrittenRow>,
    ) -> Result<(), DbError> {
        let now = self.now();
        let key = batch_key(&self.epoch, index, batch, now.0);
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        let body = runtime.platform.encode_absolute(&key, &absolute(&rows));
        if runtime.traits.writes == Writes::Delta {
            for row in &rows {
                tracing::warn!(
                    lane = runtime.name,
                    item = row.item,
                    before = row.expected,
                    after = row.written,
                    "A change is written as a number"
                );
                super::repair::log(
                    &self.conn,
                    runtime.id,
                    batch,
                    row,
                    None,
                    "outcome of a change unknown past its window",
                    now,
                )?;
            }
        }
        let row = BatchRow {
            id: batch,
            key,
            stage: Stage::Absolute,
            body: Some(body),
            items: items.to_vec(),
            frozen_at: now,
            rows,
        };
        db::outbox::put_batch(&self.conn, runtime.id, &row)?;
        crash::point("absolute_frozen").map_err(|source| DbError::Io { step: "freeze an absolute write", source })?;
        let read = runtime.looks.span(batch, now);
        runtime.frozen.insert(batch, Frozen { read, ..Frozen::from(&row) });
        Ok(())
    }
}

/// The rows as a platform takes them.
pub(super) fn absolute(rows: &[WrittenRow]) -> Vec<Absolute> {
    rows.iter()
        .map(|row| Absolute {
            part: TargetPart { item: row.item.clone(), per: 1 },
            on_hand: row.written,
            expected: row.expected,
        })
        .collect()
}

fn is_repair(item: &BatchItem) -> bool {
    item.entry.kind == MovementKind::Repair
}

fn skus_of(runtime: &LaneRuntime, items: &[BatchItem], wanted: &BTreeSet<String>) -> BTreeSet<SkuId> {
    items
        .iter()
        .map(|item| item.entry.sku)
        .filter(|sku| runtime.items_of(*sku, None).iter().any(|item| wanted.contains(item)))
        .collect()
}
