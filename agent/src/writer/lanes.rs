//! The lanes as the writer holds them: each pure [`Lane`] with its rows, targets and frozen bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use sync_core::model::{BatchId, EntryId, IdempotencyKey, Quantity, Seq, Sku, SkuId, Timestamp};
use sync_core::outbox::lane::{
    Action, BatchItem, Draft, Entry, Lane, LaneLimits, LiveBatch, LookedUp, Outcome, Stage, Writes,
};
use sync_core::outbox::verdict::Answer;

use super::looks::{Looks, Span};
use super::{LaneSpec, Work, Writer, jitter};
use crate::crash;
use crate::db::outbox::{BatchRow, WrittenRow};
use crate::db::tables::TargetRow;
use crate::db::{self, DbError};
use crate::platform::{CallFailure, Change, Found, Platform, ProbeReport, ReadBack, Sent, Target, Traits};
use crate::sabotage::{self, Rule};

/// SKUs of one look-up.
const LOOK_UP_MAX: usize = 200;
/// Requests' worth of entries that a lane that does not merge keeps in memory; the others wait in the database.
const WINDOW_REQUESTS: usize = 3;

/// One lane with everything that the pure machine does not hold.
pub struct LaneRuntime {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) lane: Lane,
    pub(super) platform: Arc<dyn Platform>,
    pub(super) traits: Traits,
    pub(super) targets: HashMap<SkuId, Arc<Target>>,
    pub(super) frozen: BTreeMap<BatchId, Frozen>,
    under_way: BTreeSet<BatchId>,
    pub(super) looks: Looks,
}

/// What is kept of a live batch beside its items.
pub(super) struct Frozen {
    pub(super) key: IdempotencyKey,
    /// `None` while there is nothing to send but numbers to read.
    pub(super) body: Option<Arc<[u8]>>,
    /// The rows of an absolute write.
    pub(super) rows: Vec<WrittenRow>,
    pub(super) at: Timestamp,
    /// When the numbers were read that `rows` begin from; `None` after a start.
    pub(super) read: Option<Span>,
}

impl From<&BatchRow> for Frozen {
    fn from(row: &BatchRow) -> Self {
        Self {
            key: row.key.clone(),
            body: row.body.as_deref().map(Arc::from),
            rows: row.rows.clone(),
            at: row.frozen_at,
            read: None,
        }
    }
}

impl LaneRuntime {
    pub(super) fn new(conn: &Connection, spec: LaneSpec, since: Seq) -> Result<Self, DbError> {
        let traits = spec.platform.traits();
        let limits = LaneLimits {
            rows_max: traits.rows_max,
            in_flight_max: traits.in_flight_max,
            merge: traits.merge,
            latest: traits.latest,
            writes: traits.writes,
            settle_after: traits.settle_after,
            whole_units: traits.whole_units,
            needs_target: traits.needs_target,
            reads_back: traits.reads_back,
            key_window: traits.key_window.filter(|window| window.is_zero() || !sabotage::breaks(Rule::EndlessKeys)),
            window_max: traits.rows_max.saturating_mul(WINDOW_REQUESTS),
            look_up_max: LOOK_UP_MAX,
            retry: spec.retry,
            look_up_retry: spec.look_up_retry,
            probe: spec.probe,
        };
        Ok(Self {
            id: db::outbox::lane_id(conn, &spec.name, since)?,
            name: spec.name,
            kind: spec.kind,
            lane: Lane::new(limits),
            platform: spec.platform,
            traits,
            targets: HashMap::new(),
            frozen: BTreeMap::new(),
            under_way: BTreeSet::new(),
            looks: Looks::default(),
        })
    }

    /// Reads everything back from the database; requests under way stay so.
    fn rebuild(&mut self, conn: &Connection, clean_start: bool, now: Timestamp) -> Result<(), DbError> {
        let limits = *self.lane.limits();
        self.lane = Lane::new(limits);
        self.looks.begin(now);
        self.targets.clear();
        self.frozen.clear();
        for (sku, micros) in db::outbox::carries(conn, self.id)? {
            self.lane.restore_carry(sku, micros);
        }
        for row in db::tables::targets(conn, self.id)? {
            self.lane.restore_target(row.sku, row.state);
            if let Some(target) = row.target {
                self.targets.insert(row.sku, Arc::new(target));
            }
        }
        let most = if limits.merge { usize::MAX } else { limits.window_max };
        let waiting = db::outbox::pending(conn, self.id, EntryId(0), most)?;
        self.lane.set_spilled(waiting.len() == most);
        for entry in waiting {
            self.lane.restore_waiting(entry);
        }
        for row in db::outbox::live_batches(conn, self.id)? {
            self.frozen.insert(row.id, Frozen::from(&row));
            let mut batch = LiveBatch::new(row.items, row.stage);
            if row.stage != Stage::Base {
                batch.first_sent = Some(row.frozen_at);
                batch.maybe_applied = true;
                if limits.key_window == Some(std::time::Duration::ZERO) {
                    // A request of before may still be worked on.
                    batch.hold_until(now.plus(limits.settle_after));
                }
            }
            self.lane.restore_batch(row.id, batch);
            if !clean_start && self.under_way.contains(&row.id) {
                self.lane.mark_busy(row.id);
            }
        }
        Ok(())
    }

    pub(super) fn items_of(&self, sku: SkuId, code: Option<&Sku>) -> Vec<String> {
        match self.targets.get(&sku) {
            Some(target) => target.parts.iter().map(|part| part.item.clone()).collect(),
            None => code.map(|code| code.as_str().to_owned()).into_iter().collect(),
        }
    }

    pub(super) fn parts(&self, items: &[BatchItem]) -> BTreeMap<String, i64> {
        let mut units: BTreeMap<String, i64> = BTreeMap::new();
        for item in items {
            for part in self.targets.get(&item.entry.sku).iter().flat_map(|target| &target.parts) {
                *units.entry(part.item.clone()).or_default() += item.units * part.per;
            }
        }
        units
    }
}

impl LaneRuntime {
    /// What is asked about a batch whose numbers are wanted.
    fn question(&self, batch: BatchId) -> ReadBack {
        let Some(live) = self.lane.batches().get(&batch) else {
            return ReadBack { items: Vec::new(), sent: None };
        };
        let parts = self.parts(&live.items);
        let sent = match (live.stage, self.frozen.get(&batch)) {
            (Stage::Base, _) | (_, None) => None,
            // Recorded again after a restored backup: it may have been sent under a key that is lost, so that no marker
            // under the new one proves that it was not.
            (Stage::ReadBack, Some(frozen)) if frozen.body.is_none() && frozen.rows.is_empty() => None,
            (Stage::Change | Stage::ReadBack | Stage::Absolute, Some(frozen)) => Some(Sent {
                key: frozen.key.clone(),
                frozen_at: frozen.at,
                changes: parts
                    .iter()
                    .map(|(item, change)| {
                        let row = frozen.rows.iter().find(|row| row.item == *item);
                        row.map_or(*change, |row| row.written.saturating_sub(row.expected))
                    })
                    .collect(),
            }),
        };
        ReadBack { items: parts.into_keys().collect(), sent }
    }
}

impl Writer {
    /// Makes memory say what the database says.
    pub(super) fn rebuild(&mut self) -> Result<(), DbError> {
        let clean_start = self.next_batch == BatchId(0);
        self.reset_moved();
        self.seq = db::ledger::last_seq(&self.conn)?;
        let horizon = db::tables::meta(&self.conn, super::forget::HORIZON)?.and_then(|text| text.parse().ok());
        self.horizon = Timestamp(horizon.unwrap_or(i64::MIN));
        let (entry, batch, seen) = db::outbox::highest(&self.conn)?;
        // The gap covers entry numbers that were given out and are in no row that was looked at.
        const ENTRY_GAP: i64 = 1 << 24;
        self.next_entry = EntryId(self.next_entry.0.max(entry.0 + ENTRY_GAP));
        self.next_batch = BatchId(self.next_batch.0.max(batch.0).max(1));
        if clean_start {
            self.clock.raise_floor(seen);
        }
        self.skus.clear();
        self.codes.clear();
        self.segments.clear();
        for (id, code) in db::tables::all_skus(&self.conn)? {
            self.codes.insert(id, Sku::from(code.as_str()));
            self.skus.insert(code, id);
        }
        self.load_shelf_counts()?;
        let now = self.now();
        for runtime in &mut self.lanes {
            runtime.rebuild(&self.conn, clean_start, now)?;
        }
        Ok(())
    }

    /// Freezes what may be sent now. Returns whether anything was.
    pub(super) fn freeze(&mut self) -> Result<bool, DbError> {
        let now = self.now();
        let mut any = false;
        for index in 0..self.lanes.len() {
            loop {
                self.refill(index)?;
                let Some(draft) = self.lanes.get_mut(index).and_then(|runtime| runtime.lane.draft(now)) else { break };
                any = true;
                self.freeze_one(index, draft)?;
            }
        }
        Ok(any)
    }

    fn refill(&mut self, index: usize) -> Result<(), DbError> {
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        if !runtime.lane.wants_refill() {
            return Ok(());
        }
        // What is waiting in memory must be in the table before the table is read beyond it.
        let (written, gone) = runtime.lane.take_changes();
        for id in gone {
            db::outbox::delete_pending(&self.conn, id)?;
        }
        for entry in &written {
            db::outbox::put_pending(&self.conn, runtime.id, entry)?;
        }
        let most = runtime.lane.limits().window_max;
        let after = runtime.lane.last_waiting().unwrap_or_default();
        let loaded = db::outbox::pending(&self.conn, runtime.id, after, most)?;
        runtime.lane.set_spilled(loaded.len() == most);
        for entry in loaded {
            runtime.lane.restore_waiting(entry);
        }
        Ok(())
    }

    fn freeze_one(&mut self, index: usize, draft: Draft) -> Result<(), DbError> {
        self.next_batch = BatchId(self.next_batch.0 + 1);
        let (id, now) = (self.next_batch, self.now());
        let key = batch_key(&self.epoch, index, id, 0);
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        // A whole ticket that may have arrived already changes nothing: its receiver keeps a ledger.
        let takes_tickets = runtime.platform.takes_tickets();
        let uncertain = draft.uncertain && !takes_tickets;
        if uncertain && !runtime.traits.reads_back {
            return self.bury_restored(index, &draft, now);
        }
        for (sku, micros) in &draft.carries {
            db::outbox::set_carry(&self.conn, runtime.id, *sku, *micros)?;
        }
        if draft.is_silent(runtime.traits.whole_units) && !uncertain {
            db::outbox::put_silent(&self.conn, runtime.id, id, &draft.items, now)?;
            self.board.delivered(index, draft.items.iter().map(|item| item.entry.lines).sum(), &[], now);
            return Ok(());
        }
        let stage = if uncertain { Stage::ReadBack } else { runtime.lane.first_stage(&draft) };
        let body = match (stage, takes_tickets) {
            (Stage::Base | Stage::ReadBack, false) => None,
            (_, true) => Some(encode_tickets(&self.conn, runtime, &self.codes, &key, &draft.items)?),
            (Stage::Change | Stage::Absolute, false) => {
                Some(runtime.platform.encode(&key, &changes(runtime, &self.codes, &draft.items)))
            }
        };
        let row = BatchRow { id, key, stage, body, items: draft.items.clone(), frozen_at: now, rows: Vec::new() };
        db::outbox::put_batch(&self.conn, runtime.id, &row)?;
        crash::point("batch_frozen").map_err(|source| DbError::Io { step: "freeze a batch", source })?;
        runtime.frozen.insert(id, Frozen::from(&row));
        runtime.lane.frozen(id, draft);
        Ok(())
    }

    /// What may be in effect already on a platform that cannot be asked waits for a person. Nothing was written, so
    /// the remainders stay as they are stored.
    fn bury_restored(&mut self, index: usize, draft: &Draft, now: Timestamp) -> Result<(), DbError> {
        const MESSAGE: &str = "recorded again after a restored backup, and this platform cannot be asked whether it already has it: compare with the receiver, then retry or discard";
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        for (sku, _) in &draft.carries {
            let stored = db::outbox::carry(&self.conn, runtime.id, *sku)?;
            runtime.lane.restore_carry(*sku, stored);
        }
        for item in &draft.items {
            db::outbox::put_dead(&self.conn, runtime.id, &item.entry, "restored", MESSAGE, now)?;
            self.board.died(index);
        }
        Ok(())
    }

    /// Writes waiting entries that changed.
    pub(super) fn flush_lanes(&mut self) -> Result<(), DbError> {
        for runtime in &mut self.lanes {
            let (written, gone) = runtime.lane.take_changes();
            for id in gone {
                db::outbox::delete_pending(&self.conn, id)?;
            }
            for entry in &written {
                db::outbox::put_pending(&self.conn, runtime.id, entry)?;
            }
        }
        Ok(())
    }

    /// Hands to the network what the lanes want done. Only after a commit.
    pub(super) fn act(&mut self) {
        let (now, trusted) = (self.now(), self.clock.is_trusted());
        for index in 0..self.lanes.len() {
            let Some(runtime) = self.lanes.get_mut(index) else { continue };
            for action in runtime.lane.poll(now, trusted) {
                let work = match action {
                    Action::Send(batch) => {
                        let Some(frozen) = runtime.frozen.get(&batch) else { continue };
                        let Some(body) = frozen.body.clone() else { continue };
                        let key = frozen.key.clone();
                        let (key, body) = if sabotage::breaks(Rule::FreshKeyOnRetry) {
                            under_fresh_key(&key, &body)
                        } else {
                            (key, body)
                        };
                        runtime.under_way.insert(batch);
                        Work::Send { lane: index, batch, key, body }
                    }
                    Action::ReadBack(batch) => {
                        runtime.looks.asks(batch, now);
                        match runtime.frozen.get(&batch).and_then(|frozen| frozen.body.clone()) {
                            Some(body) if sabotage::breaks(Rule::NoReadBack) => {
                                let key = runtime.frozen.get(&batch).map(|frozen| frozen.key.clone());
                                Work::Send {
                                    lane: index,
                                    batch,
                                    key: key.unwrap_or_else(|| IdempotencyKey::new("")),
                                    body,
                                }
                            }
                            Some(_) | None => Work::ReadBack { lane: index, batch, question: runtime.question(batch) },
                        }
                    }
                    Action::LookUp(skus) => {
                        runtime.looks.asks_look_up(now);
                        let known = |id: SkuId| Some((id, self.codes.get(&id)?.clone()));
                        Work::LookUp { lane: index, skus: skus.into_iter().filter_map(known).collect() }
                    }
                    Action::Probe => Work::Probe { lane: index },
                };
                if self.work.send(work).is_err() {
                    tracing::debug!("The network side has stopped");
                }
            }
        }
    }

    /// A batch was answered.
    pub(super) fn answered(&mut self, index: usize, batch: BatchId, answer: Answer) -> Result<(), DbError> {
        crash::point("answer_received").map_err(|source| DbError::Io { step: "take an answer", source })?;
        let now = self.now();
        let codes = &self.codes;
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        runtime.under_way.remove(&batch);
        let answer = as_control_builds_hear(answer);
        let Some(items) = runtime.lane.batches().get(&batch).map(|live| live.items.clone()) else { return Ok(()) };
        let by_sku: BTreeMap<SkuId, Vec<String>> = items
            .iter()
            .map(|item| (item.entry.sku, runtime.items_of(item.entry.sku, codes.get(&item.entry.sku))))
            .collect();
        let items_of = |sku: SkuId| by_sku.get(&sku).cloned().unwrap_or_default();
        log_answer(&runtime.name, batch, &answer);
        self.board.answered(index, &answer);
        let outcome = runtime.lane.answered(batch, answer, &items_of, now, jitter());
        self.settle(index, batch, &items, outcome)
    }

    pub(super) fn settle(
        &mut self,
        index: usize,
        batch: BatchId,
        items: &[BatchItem],
        outcome: Outcome,
    ) -> Result<(), DbError> {
        let now = self.now();
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        match outcome {
            Outcome::Delivered { settled, reference } => {
                let word = if settled { "settled" } else { "delivered" };
                db::outbox::close_batch(&self.conn, batch, word, reference.as_deref(), now)?;
                crash::point("batch_closed").map_err(|source| DbError::Io { step: "close a batch", source })?;
                remember_told(&self.conn, runtime, batch, items)?;
                super::repair::written(&self.conn, runtime.id, batch, items, now)?;
                runtime.frozen.remove(&batch);
                runtime.looks.forget(batch);
                let sold: Vec<_> = items.iter().filter_map(|item| item.entry.sold_at).collect();
                self.board.delivered(index, items.iter().map(|item| item.entry.lines).sum(), &sold, now);
            }
            Outcome::Reopened { dead, carries, forgotten, reason } => {
                db::outbox::close_batch(&self.conn, batch, "reopened", Some(&reason), now)?;
                super::repair::dropped(&self.conn, batch)?;
                runtime.frozen.remove(&batch);
                runtime.looks.forget(batch);
                self.return_rows(index, &dead, &carries, &forgotten)?;
            }
            Outcome::Partly { kept, dead, carries, forgotten, reference } => {
                self.keep_part(index, batch, &kept, reference.as_deref())?;
                self.return_rows(index, &dead, &carries, &forgotten)?;
            }
            Outcome::Narrowed { kept, reason } => self.narrow_repair(index, batch, &kept, &reason)?,
            Outcome::Kept | Outcome::ToReadBack | Outcome::ReadAgain => {}
        }
        Ok(())
    }

    /// What a refused request leaves: remainders, articles to look up again, dead letters.
    fn return_rows(
        &mut self,
        index: usize,
        dead: &[(Entry, String, String)],
        carries: &[(SkuId, i64)],
        forgotten: &[SkuId],
    ) -> Result<(), DbError> {
        let now = self.now();
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        for (sku, micros) in carries {
            db::outbox::set_carry(&self.conn, runtime.id, *sku, *micros)?;
        }
        for sku in forgotten {
            runtime.targets.remove(sku);
            db::tables::forget_target(&self.conn, runtime.id, *sku)?;
        }
        for (entry, code, message) in dead {
            tracing::error!(
                lane = runtime.name,
                entry = entry.id.0,
                code,
                message,
                "A stock change cannot be delivered; it waits for a person"
            );
            db::outbox::put_dead(&self.conn, runtime.id, entry, code, message, now)?;
            self.board.died(index);
        }
        Ok(())
    }

    /// Rows were decided one by one: those in effect are delivered under the batch's number.
    fn keep_part(
        &mut self,
        index: usize,
        batch: BatchId,
        kept: &[BatchItem],
        reference: Option<&str>,
    ) -> Result<(), DbError> {
        let now = self.now();
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        if let Some(frozen) = runtime.frozen.get(&batch) {
            let row = BatchRow {
                id: batch,
                key: frozen.key.clone(),
                stage: Stage::Change,
                body: None,
                items: kept.to_vec(),
                frozen_at: frozen.at,
                rows: Vec::new(),
            };
            db::outbox::put_batch(&self.conn, runtime.id, &row)?;
        }
        db::outbox::close_batch(&self.conn, batch, "delivered", reference, now)?;
        remember_told(&self.conn, runtime, batch, kept)?;
        super::repair::written(&self.conn, runtime.id, batch, kept, now)?;
        super::repair::dropped(&self.conn, batch)?;
        runtime.frozen.remove(&batch);
        runtime.looks.forget(batch);
        let sold: Vec<Timestamp> = kept.iter().filter_map(|item| item.entry.sold_at).collect();
        self.board.delivered(index, kept.iter().map(|item| item.entry.lines).sum(), &sold, now);
        Ok(())
    }

    /// SKUs were looked up.
    pub(super) fn looked_up(
        &mut self,
        index: usize,
        skus: &[SkuId],
        result: Result<Vec<Found>, CallFailure>,
    ) -> Result<(), DbError> {
        let (now, has_orders) = (self.now(), self.has_orders(index));
        let Some(runtime) = self.lanes.get_mut(index) else { return Ok(()) };
        runtime.lane.look_up_ended();
        let found = match result {
            Ok(found) => found,
            Err(CallFailure::Passing { wait, reason }) => {
                runtime.lane.call_failed(None, wait, reason, now, jitter());
                return Ok(());
            }
            Err(CallFailure::LaneRefused { cause, detail }) => {
                runtime.lane.call_refused(None, cause, detail, now, jitter());
                return Ok(());
            }
        };
        let catching_up = self.restored.is_catching_up();
        let follows = runtime.traits.writes == Writes::Delta && has_orders;
        for (sku, found) in skus.iter().zip(found) {
            let late = catching_up || runtime.lane.is_uncertain(*sku);
            let (state, target, title, note) = match found {
                Found::Target { target, on_hand, title } => {
                    for (part, number) in target.parts.iter().zip(on_hand) {
                        let late = late | (follows && runtime.looks.base_read(&part.item, now));
                        db::tables::set_base(&self.conn, runtime.id, &part.item, number, late)?;
                    }
                    (LookedUp::Known { rows: target.parts.len() }, Some(target), Some(title), None)
                }
                Found::Unknown => (
                    LookedUp::Missing,
                    None,
                    None,
                    Some("no product of the shop has this SKU or barcode; it is asked for again by itself".to_owned()),
                ),
                Found::Ambiguous { candidates } => (
                    LookedUp::Missing,
                    None,
                    None,
                    Some(format!(
                        "more than one product has this SKU: {}; make it unique in the shop",
                        candidates.join(", ")
                    )),
                ),
                Found::Unusable { reason } => (LookedUp::Missing, None, None, Some(reason)),
            };
            let state = runtime.lane.looked_up(*sku, state, now, jitter());
            match &target {
                Some(target) => runtime.targets.insert(*sku, Arc::new(target.clone())),
                None => runtime.targets.remove(sku),
            };
            let row = TargetRow { sku: *sku, target, state };
            db::tables::set_target(&self.conn, runtime.id, &row, title.as_deref(), note.as_deref())?;
        }
        crash::point("looked_up").map_err(|source| DbError::Io { step: "store a look-up", source })
    }

    /// A paused lane was probed.
    pub(super) fn probed(&mut self, index: usize, result: Result<ProbeReport, CallFailure>) {
        let now = self.now();
        let Some(runtime) = self.lanes.get_mut(index) else { return };
        match result {
            Ok(report) if report.faults.is_empty() => {
                tracing::info!(lane = runtime.name, "The cause of the pause is gone; the lane goes on");
                runtime.lane.probe_succeeded();
            }
            Ok(report) => {
                let cause = sync_core::outbox::verdict::LaneRefusal::Misconfigured;
                runtime.lane.probe_failed(cause, report.faults.join("; "), now, jitter());
            }
            Err(CallFailure::LaneRefused { cause, detail }) => runtime.lane.probe_failed(cause, detail, now, jitter()),
            Err(CallFailure::Passing { .. }) => runtime.lane.probe_unanswered(now, jitter()),
        }
    }
}

/// The tickets of the entries as the ledger has them now, each once; entries whose ticket is no longer known one by one
/// go as changes.
fn encode_tickets(
    conn: &Connection,
    runtime: &LaneRuntime,
    codes: &HashMap<SkuId, Sku>,
    key: &IdempotencyKey,
    items: &[BatchItem],
) -> Result<Vec<u8>, DbError> {
    let mut known: BTreeMap<&str, bool> = BTreeMap::new();
    let (mut tickets, mut loose) = (Vec::new(), Vec::new());
    for item in items {
        let found = match item.entry.transaction.as_deref() {
            None => false,
            Some(key) => match known.get(key) {
                Some(found) => *found,
                None => {
                    let before = tickets.len();
                    tickets.append(&mut db::ledger::tickets(conn, key)?);
                    let found = tickets.len() > before;
                    known.insert(key, found);
                    found
                }
            },
        };
        if !found {
            loose.push(item.clone());
        }
    }
    Ok(runtime.platform.encode_tickets(key, &tickets, &changes(runtime, codes, &loose)))
}

/// Counts what a delivered batch has told the platform, to know what its numbers should be.
fn remember_told(conn: &Connection, runtime: &LaneRuntime, batch: BatchId, items: &[BatchItem]) -> Result<(), DbError> {
    if !runtime.traits.reads_back {
        return Ok(());
    }
    let rows = runtime.frozen.get(&batch).map(|frozen| frozen.rows.as_slice()).unwrap_or_default();
    for (item, units) in runtime.parts(items) {
        match rows.iter().find(|row| row.item == item) {
            Some(row) => db::tables::set_written(conn, runtime.id, &item, row.written, row.owed)?,
            None => db::tables::add_told(conn, runtime.id, &item, units)?,
        }
    }
    Ok(())
}

fn changes(runtime: &LaneRuntime, codes: &HashMap<SkuId, Sku>, items: &[BatchItem]) -> Vec<Change> {
    items
        .iter()
        .map(|item| Change {
            entry: item.entry.id,
            sku: codes.get(&item.entry.sku).cloned().unwrap_or_else(|| Sku::from("")),
            target: runtime.targets.get(&item.entry.sku).cloned(),
            delta: item.entry.delta,
            units: item.units,
            on_hand: None::<Quantity>,
            transaction: item.entry.transaction.clone(),
            sold_at: item.entry.sold_at,
            kind: item.entry.kind.as_str(),
        })
        .collect()
}

/// A key that no other batch of any store, lane or restored database has: derived from the database's random epoch.
pub(super) fn batch_key(epoch: &str, lane: usize, batch: BatchId, remade: i64) -> IdempotencyKey {
    use std::fmt::Write as _;
    let digest = Sha256::digest(format!("{epoch}/{lane}/{batch}/{remade}"));
    let mut text = String::with_capacity(36);
    for (index, byte) in digest.iter().take(16).enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _infallible = write!(text, "{byte:02x}");
    }
    IdempotencyKey::new(text)
}

/// The broken rules of control builds about answers.
fn as_control_builds_hear(answer: Answer) -> Answer {
    match answer {
        Answer::Unknown { .. } if sabotage::breaks(Rule::RegroupAfterLostReply) => {
            Answer::KeySpent { message: "control build".to_owned() }
        }
        Answer::Unknown { .. } if sabotage::breaks(Rule::UnknownIsDone) => Answer::Applied { reference: None },
        Answer::Stale if sabotage::breaks(Rule::IgnoreStale) => Answer::Applied { reference: None },
        answer => answer,
    }
}

/// The broken rule of a control build: the same change under a key that the platform has not seen.
fn under_fresh_key(key: &IdempotencyKey, body: &[u8]) -> (IdempotencyKey, Arc<[u8]>) {
    let kept: String = key.as_str().chars().take(28).collect();
    let fresh = format!("{kept}{:08x}", getrandom::u32().unwrap_or(0));
    let body = String::from_utf8_lossy(body).replace(key.as_str(), &fresh);
    (IdempotencyKey::new(fresh), Arc::from(body.into_bytes()))
}

fn log_answer(lane: &str, batch: BatchId, answer: &Answer) {
    match answer {
        Answer::Applied { .. } => tracing::debug!(lane, batch = batch.0, "Delivered"),
        Answer::LaneRefused { cause, detail } => tracing::error!(
            lane,
            cause = cause.as_str(),
            detail,
            "The shop refuses us; the lane pauses and asks again by itself"
        ),
        Answer::Mixed { rows, .. } => {
            tracing::warn!(lane, batch = batch.0, ?rows, "Some rows were refused; all others are delivered");
        }
        Answer::NeedsAbsolute { reason } => {
            tracing::warn!(
                lane,
                batch = batch.0,
                reason,
                "Refused as a change; the number is read and written instead"
            );
        }
        Answer::RowsRefused { .. }
        | Answer::Refused { .. }
        | Answer::TooLarge
        | Answer::KeySpent { .. }
        | Answer::KeyConflict { .. }
        | Answer::Stale => {
            tracing::warn!(lane, batch = batch.0, ?answer, "Refused; nothing of the request took effect");
        }
        Answer::InProgress | Answer::Throttled { .. } | Answer::Unavailable { .. } | Answer::Unknown { .. } => {
            tracing::warn!(lane, batch = batch.0, ?answer, "Not delivered yet; it is sent again by itself");
        }
    }
}
