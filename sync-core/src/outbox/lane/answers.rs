//! What an answer does to its batch and to the lane: one total function, arm by arm.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{
    Answer, BatchId, BatchItem, Condition, Entry, Jitter, Lane, LaneRefusal, LiveBatch, MovementKind, Outcome,
    Quantity, RowRefusal, RowRemedy, SkuId, Stage, Timestamp, Writes, retry,
};

/// Longest wait before the same key is asked about again while the platform still works on it.
const IN_PROGRESS_WAIT: Duration = Duration::from_secs(2);
/// Refused writes of one SKU that are answered by looking it up again; then it is a dead letter.
const LOOK_UPS_AFTER_REFUSAL_MAX: u32 = 2;

/// What reading back decided for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadBackVerdict {
    /// The platform shows what it should after the batch: it is in effect.
    InEffect,
    /// It shows something else, or its numbers were read to be changed: an absolute write follows.
    WriteAbsolute,
}

impl Lane {
    /// Takes the answer to a sent batch. `items_of` says which platform items a SKU stands for, to find the
    /// entries behind a refused row.
    #[expect(clippy::too_many_lines, reason = "one total function, arm by arm")]
    pub fn answered(
        &mut self,
        id: BatchId,
        answer: Answer,
        items_of: &dyn Fn(SkuId) -> Vec<String>,
        now: Timestamp,
        jitter: Jitter,
    ) -> Outcome {
        let Some(batch) = self.batches.get_mut(&id) else { return Outcome::Kept };
        batch.busy = false;
        match answer {
            Answer::Applied { reference } => {
                self.recovered();
                let closed = self.close(id);
                for item in closed.iter().flat_map(|batch| &batch.items) {
                    self.relooks.remove(&item.entry.sku);
                }
                let settled = closed.is_some_and(|batch| batch.stage != Stage::Change);
                Outcome::Delivered { settled, reference }
            }
            Answer::RowsRefused { rows } if batch.is_repair() => {
                self.recovered();
                self.narrow_repair(id, &rows, items_of)
            }
            Answer::RowsRefused { rows } if rows.iter().any(|row| row.remedy == RowRemedy::ReadAgain) => {
                self.read_again(id, now, jitter)
            }
            Answer::RowsRefused { rows } => {
                self.recovered();
                self.reopen_without(id, &rows, items_of)
            }
            Answer::Mixed { rows, reference } => {
                self.recovered();
                self.take_partly(id, &rows, reference, items_of)
            }
            Answer::NeedsAbsolute { reason } => {
                self.recovered();
                self.write_as_number(id, reason)
            }
            Answer::Refused { code, message } => {
                self.recovered();
                self.halve(id, &code, &message)
            }
            Answer::TooLarge => {
                self.recovered();
                self.halve(id, "too_large", "the platform says that even this single change is too large")
            }
            // An earlier attempt at a settling number was overtaken and its answer lost: its change is not to be sent again.
            Answer::KeySpent { .. } if batch.stage == Stage::Absolute && !batch.is_repair() => {
                batch.stage = Stage::ReadBack;
                batch.not_before = now.plus(retry::delay(batch.attempts, None, self.limits.retry, jitter));
                self.recovered();
                Outcome::ReadAgain
            }
            Answer::KeySpent { message } => {
                self.recovered();
                self.renew(id, message)
            }
            Answer::KeyConflict { message } => self.key_conflict(id, &message),
            Answer::Stale if batch.is_repair() => {
                self.recovered();
                self.drop_repair(id, "the number was changed by others before it was repaired".to_owned())
            }
            Answer::Stale => self.read_again(id, now, jitter),
            Answer::InProgress => {
                batch.maybe_applied = true;
                batch.not_before = now.plus(retry::delay(1, Some(IN_PROGRESS_WAIT), self.limits.retry, jitter));
                Outcome::Kept
            }
            Answer::Throttled { wait } => {
                self.back_off(wait, "the platform asks for fewer requests".to_owned(), now, jitter);
                Outcome::Kept
            }
            Answer::Unavailable { wait, reason } => {
                self.back_off(wait, reason, now, jitter);
                Outcome::Kept
            }
            Answer::Unknown { wait, reason } => {
                batch.maybe_applied = true;
                if self.limits.key_window == Some(Duration::ZERO) {
                    batch.not_before = now.plus(self.limits.settle_after);
                }
                self.back_off(wait, reason, now, jitter);
                Outcome::Kept
            }
            Answer::LaneRefused { cause, detail } => {
                self.pause(cause, detail, now, jitter);
                Outcome::Kept
            }
        }
    }

    /// The platform's numbers were read for a batch in [`Stage::ReadBack`] and judged.
    pub fn read_back(&mut self, id: BatchId, verdict: ReadBackVerdict) -> Outcome {
        self.recovered();
        let Some(batch) = self.batches.get_mut(&id) else { return Outcome::Kept };
        batch.busy = false;
        match verdict {
            ReadBackVerdict::InEffect => {
                self.close(id);
                Outcome::Delivered { settled: true, reference: None }
            }
            ReadBackVerdict::WriteAbsolute => {
                batch.stage = Stage::Absolute;
                batch.first_sent = None;
                batch.maybe_applied = false;
                batch.attempts = 0;
                batch.not_before = Timestamp(0);
                Outcome::Kept
            }
        }
    }

    /// The numbers that were read for a batch do not tell enough yet: they are read again at a time.
    pub fn look_again(&mut self, id: BatchId, at: Timestamp) {
        if let Some(batch) = self.batches.get_mut(&id).filter(|batch| batch.stage == Stage::ReadBack) {
            batch.busy = false;
            batch.not_before = at;
        }
    }

    /// Takes entries out of a live batch whose outcome nobody can tell; the rest of the batch goes on. Returns them
    /// with the remainders to be stored. Their SKUs are free again.
    pub fn set_aside(&mut self, id: BatchId, skus: &BTreeSet<SkuId>) -> (Vec<Entry>, Vec<(SkuId, i64)>) {
        let Some(batch) = self.batches.get_mut(&id) else { return (Vec::new(), Vec::new()) };
        let (taken, kept) =
            std::mem::take(&mut batch.items).into_iter().partition(|item| skus.contains(&item.entry.sku));
        batch.items = kept;
        let taken: Vec<BatchItem> = taken;
        let mut carries = Vec::new();
        for item in &taken {
            self.uncarry(item, &mut carries);
            self.busy_skus.remove(&item.entry.sku);
            self.refresh_ready(item.entry.sku);
        }
        (taken.into_iter().map(|item| item.entry).collect(), carries)
    }

    /// Entries that [`Self::set_aside`] took out, and that had no effect for sure, wait again. Repairs are dropped.
    pub fn put_back(&mut self, entries: Vec<Entry>) {
        for entry in entries.into_iter().rev() {
            self.wait_again(entry);
        }
    }

    /// A call that changes nothing (look-up, read-back) failed in passing.
    pub fn call_failed(
        &mut self,
        batch: Option<BatchId>,
        wait: Option<Duration>,
        reason: String,
        now: Timestamp,
        jitter: Jitter,
    ) {
        if let Some(batch) = batch.and_then(|id| self.batches.get_mut(&id)) {
            batch.busy = false;
        }
        self.back_off(wait, reason, now, jitter);
    }

    /// A call that changes nothing was refused for cause.
    pub fn call_refused(
        &mut self,
        batch: Option<BatchId>,
        cause: LaneRefusal,
        detail: String,
        now: Timestamp,
        jitter: Jitter,
    ) {
        if let Some(batch) = batch.and_then(|id| self.batches.get_mut(&id)) {
            batch.busy = false;
        }
        self.pause(cause, detail, now, jitter);
    }

    /// The probe of a paused lane ended well.
    pub fn probe_succeeded(&mut self) {
        self.probing = false;
        self.recovered();
    }

    /// It did not: the cause is still there, or it is another one now.
    pub fn probe_failed(&mut self, cause: LaneRefusal, detail: String, now: Timestamp, jitter: Jitter) {
        self.probing = false;
        self.pause(cause, detail, now, jitter);
    }

    /// The probe did not get through; the cause stands.
    pub fn probe_unanswered(&mut self, now: Timestamp, jitter: Jitter) {
        self.probing = false;
        if let Condition::Paused { cause, detail, .. } = self.condition.clone() {
            self.pause(cause, detail, now, jitter);
        }
    }

    fn recovered(&mut self) {
        self.failures = 0;
        self.probes = 0;
        self.condition = Condition::Open;
    }

    fn back_off(&mut self, wait: Option<Duration>, reason: String, now: Timestamp, jitter: Jitter) {
        if matches!(self.condition, Condition::Paused { .. }) {
            return;
        }
        // Answers of requests that were under way together count as one failure.
        if !matches!(&self.condition, Condition::BackingOff { until, .. } if now < *until) {
            self.failures = self.failures.saturating_add(1);
        }
        let until = now.plus(retry::delay(self.failures, wait, self.limits.retry, jitter));
        self.condition = match &self.condition {
            Condition::BackingOff { until: standing, .. } if *standing > until => {
                Condition::BackingOff { until: *standing, reason }
            }
            Condition::Open | Condition::BackingOff { .. } | Condition::Paused { .. } => {
                Condition::BackingOff { until, reason }
            }
        };
    }

    fn pause(&mut self, cause: LaneRefusal, detail: String, now: Timestamp, jitter: Jitter) {
        self.probes = self.probes.saturating_add(1);
        let probe_at = now.plus(retry::delay(self.probes, None, self.limits.probe, jitter));
        self.condition = Condition::Paused { cause, detail, probe_at };
    }

    fn close(&mut self, id: BatchId) -> Option<LiveBatch> {
        let batch = self.batches.remove(&id)?;
        let skus: BTreeSet<SkuId> = batch.items.iter().map(|item| item.entry.sku).collect();
        for sku in skus {
            self.busy_skus.remove(&sku);
            self.refresh_ready(sku);
        }
        for item in &batch.items {
            self.suspects.remove(&item.entry.id);
        }
        Some(batch)
    }

    /// Takes the whole units of an item that was never written back into the remainder.
    fn uncarry(&mut self, item: &BatchItem, carries: &mut Vec<(SkuId, i64)>) {
        if !self.limits.whole_units {
            return;
        }
        let units = Quantity::from_units(item.units).unwrap_or_default();
        let carry = self.carries.entry(item.entry.sku).or_default();
        let restored = Quantity::from_micros(*carry).saturating_add(units).saturating_sub(item.entry.delta).micros();
        if restored != *carry {
            *carry = restored;
            carries.push((item.entry.sku, restored));
        }
    }

    /// Back to waiting, before whatever came later for the same SKU.
    fn wait_again(&mut self, mut entry: Entry) {
        if entry.kind == MovementKind::Repair {
            return;
        }
        if self.limits.merge {
            let later = self.by_sku.get(&entry.sku).and_then(|ids| ids.first().copied());
            if let Some(later) = later.and_then(|id| self.take_waiting(id)) {
                entry.absorb(later, self.limits.latest);
            }
        }
        self.dirty.insert(entry.id);
        self.put_waiting(entry, false);
    }

    fn reopen_without(&mut self, id: BatchId, rows: &[RowRefusal], items_of: &dyn Fn(SkuId) -> Vec<String>) -> Outcome {
        let Some(batch) = self.close(id) else { return Outcome::Kept };
        let (mut dead, mut carries, mut forgotten) = (Vec::new(), Vec::new(), Vec::new());
        let reason = rows.first().map(|row| format!("{}: {}", row.code, row.message)).unwrap_or_default();
        let mut blamed = false;
        for item in batch.items.iter().rev() {
            self.uncarry(item, &mut carries);
            let items = items_of(item.entry.sku);
            match rows.iter().find(|row| items.contains(&row.item)) {
                Some(row) => {
                    self.refuse(&item.entry, row, &mut dead, &mut forgotten);
                    blamed = true;
                }
                None => self.wait_again(item.entry.clone()),
            }
        }
        if !blamed {
            // The platform blames a row that we cannot find: isolate it by halves instead of asking for ever.
            let cap = batch.items.len().div_ceil(2);
            self.suspect(&batch.items, cap);
            if batch.items.len() == 1 {
                return self.bury_waiting(&batch.items, &reason, carries);
            }
        }
        dead.reverse();
        Outcome::Reopened { dead, carries, forgotten, reason }
    }

    /// One row that had no effect: its entry dies or waits for another look-up.
    fn refuse(
        &mut self,
        entry: &Entry,
        row: &RowRefusal,
        dead: &mut Vec<(Entry, String, String)>,
        forgotten: &mut Vec<SkuId>,
    ) {
        if entry.kind == MovementKind::Repair {
            return;
        }
        if row.remedy == RowRemedy::DeadLetter || self.is_hopeless_to_look_up(entry.sku) {
            dead.push((entry.clone(), row.code.clone(), row.message.clone()));
        } else {
            self.targets.remove(&entry.sku);
            forgotten.push(entry.sku);
            self.wait_again(entry.clone());
        }
    }

    /// Rows were decided one by one; those that are not named are in effect.
    fn take_partly(
        &mut self,
        id: BatchId,
        rows: &[RowRefusal],
        reference: Option<String>,
        items_of: &dyn Fn(SkuId) -> Vec<String>,
    ) -> Outcome {
        let is_refused = |sku: SkuId| {
            let items = items_of(sku);
            rows.iter().any(|row| items.contains(&row.item))
        };
        let Some(batch) = self.batches.get(&id) else { return Outcome::Kept };
        if batch.items.iter().all(|item| is_refused(item.entry.sku)) {
            return self.reopen_without(id, rows, items_of);
        }
        let Some(batch) = self.close(id) else { return Outcome::Kept };
        let (mut kept, mut dead, mut carries, mut forgotten) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for item in batch.items.into_iter().rev() {
            let items = items_of(item.entry.sku);
            match rows.iter().find(|row| items.contains(&row.item)) {
                Some(row) => {
                    self.uncarry(&item, &mut carries);
                    self.refuse(&item.entry, row, &mut dead, &mut forgotten);
                }
                None => {
                    self.relooks.remove(&item.entry.sku);
                    kept.push(item);
                }
            }
        }
        dead.reverse();
        kept.reverse();
        Outcome::Partly { kept, dead, carries, forgotten, reference }
    }

    /// Nothing took effect as a change: the numbers are read and written instead.
    fn write_as_number(&mut self, id: BatchId, reason: String) -> Outcome {
        if !self.limits.reads_back {
            return self.bury(id, "needs_absolute", &reason);
        }
        if let Some(batch) = self.batches.get_mut(&id) {
            batch.stage = Stage::Base;
            batch.maybe_applied = false;
            batch.first_sent = None;
        }
        Outcome::ToReadBack
    }

    /// The number read was overtaken.
    fn read_again(&mut self, id: BatchId, now: Timestamp, jitter: Jitter) -> Outcome {
        if let Some(batch) = self.batches.get_mut(&id) {
            // Where nothing was sent but this, nothing took effect: the number is read anew, not judged. It could be what we
            // meant to write by chance.
            let anew = self.limits.writes == Writes::Absolute && !batch.maybe_applied;
            batch.stage = if anew { Stage::Base } else { Stage::ReadBack };
            batch.not_before = now.plus(retry::delay(batch.attempts, None, self.limits.retry, jitter));
        }
        Outcome::ReadAgain
    }

    /// Rows of a repair that cannot be written are left to the next reconciliation; the others go out again without them.
    fn narrow_repair(&mut self, id: BatchId, rows: &[RowRefusal], items_of: &dyn Fn(SkuId) -> Vec<String>) -> Outcome {
        let reason = rows.first().map(|row| format!("{}: {}", row.code, row.message)).unwrap_or_default();
        let Some(batch) = self.batches.get_mut(&id) else { return Outcome::Kept };
        let (refused, kept): (Vec<BatchItem>, Vec<BatchItem>) =
            std::mem::take(&mut batch.items).into_iter().partition(|item| {
                let items = items_of(item.entry.sku);
                rows.iter().any(|row| items.contains(&row.item))
            });
        if kept.is_empty() || refused.is_empty() {
            batch.items = if kept.is_empty() { refused } else { kept };
            return self.drop_repair(id, reason);
        }
        batch.items.clone_from(&kept);
        batch.first_sent = None;
        batch.maybe_applied = false;
        batch.attempts = 0;
        for item in refused {
            self.busy_skus.remove(&item.entry.sku);
            self.refresh_ready(item.entry.sku);
        }
        Outcome::Narrowed { kept, reason }
    }

    fn drop_repair(&mut self, id: BatchId, reason: String) -> Outcome {
        self.close(id);
        Outcome::Reopened { dead: Vec::new(), carries: Vec::new(), forgotten: Vec::new(), reason }
    }

    /// A look-up that finds the SKU and a write that refuses it must not take turns for ever.
    fn is_hopeless_to_look_up(&mut self, sku: SkuId) -> bool {
        let tries = self.relooks.entry(sku).or_default();
        *tries = tries.saturating_add(1);
        *tries > LOOK_UPS_AFTER_REFUSAL_MAX
    }

    fn suspect(&mut self, items: &[BatchItem], cap: usize) {
        for item in items {
            if self.waiting.contains_key(&item.entry.id) {
                self.suspects.insert(item.entry.id, cap);
            }
        }
    }

    fn bury_waiting(&mut self, items: &[BatchItem], reason: &str, carries: Vec<(SkuId, i64)>) -> Outcome {
        let dead = items
            .iter()
            .filter_map(|item| self.take_waiting(item.entry.id))
            .map(|entry| (entry, "refused".to_owned(), reason.to_owned()))
            .collect();
        Outcome::Reopened { dead, carries, forgotten: Vec::new(), reason: reason.to_owned() }
    }

    fn halve(&mut self, id: BatchId, code: &str, message: &str) -> Outcome {
        if self.batches.get(&id).is_some_and(|batch| batch.items.len() <= 1) {
            return self.bury(id, code, message);
        }
        let Some(batch) = self.close(id) else { return Outcome::Kept };
        let cap = batch.items.len().div_ceil(2);
        let mut carries = Vec::new();
        for item in batch.items.iter().rev() {
            self.uncarry(item, &mut carries);
            self.wait_again(item.entry.clone());
        }
        self.suspect(&batch.items, cap);
        Outcome::Reopened { dead: Vec::new(), carries, forgotten: Vec::new(), reason: format!("{code}: {message}") }
    }

    fn renew(&mut self, id: BatchId, message: String) -> Outcome {
        let Some(batch) = self.close(id) else { return Outcome::Kept };
        let mut carries = Vec::new();
        for item in batch.items.iter().rev() {
            self.uncarry(item, &mut carries);
            self.wait_again(item.entry.clone());
        }
        Outcome::Reopened { dead: Vec::new(), carries, forgotten: Vec::new(), reason: message }
    }

    fn key_conflict(&mut self, id: BatchId, message: &str) -> Outcome {
        if !self.limits.reads_back {
            return self.bury(id, "key_conflict", message);
        }
        if let Some(batch) = self.batches.get_mut(&id) {
            batch.stage = Stage::ReadBack;
        }
        Outcome::ToReadBack
    }

    fn bury(&mut self, id: BatchId, code: &str, message: &str) -> Outcome {
        let Some(batch) = self.close(id) else { return Outcome::Kept };
        let mut carries = Vec::new();
        let mut dead = Vec::with_capacity(batch.items.len());
        for item in batch.items.into_iter().filter(|item| item.entry.kind != MovementKind::Repair) {
            self.uncarry(&item, &mut carries);
            dead.push((item.entry, code.to_owned(), message.to_owned()));
        }
        Outcome::Reopened { dead, carries, forgotten: Vec::new(), reason: format!("{code}: {message}") }
    }
}
