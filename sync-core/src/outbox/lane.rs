//! The machine of one lane: the ordered stream of stock changes to one platform.
//!
//! The caller owns the clock, the database and the network. It feeds movements, answers and look-ups in, stores
//! what the lane says has changed, and carries out the [`Action`]s of [`Lane::poll`] *after* the commit that
//! stored them. After a failed commit the lane is rebuilt from the database.
//!
//! ```text
//! lane:   Open ──busy answer──► BackingOff ──time──► Open        Open ──refused for cause──► Paused ──probe ok──► Open
//! batch:  Ready ──► Sending ──► (closed: delivered | refused)
//!           ▲          │ no answer, 5xx …: same bytes, same key
//!           └──────────┘
//!         past the key's window, or the key belongs to somebody else, or there are no keys:
//!         ReadBack ──► in effect: closed | not in effect: back to waiting, or absolute write | unclear: dead letter
//!         where only absolute numbers are taken: Base (numbers are read) ──► Absolute ──no answer──► ReadBack
//! ```
//!
//! A repair of drift ([`Lane::repair`]) is a batch that carries no entry of its own: its SKUs are idle when it is
//! frozen and busy until it is closed, so nothing overtakes it. It is dropped, never repeated, once its outcome cannot be
//! told: the next reconciliation looks again (invariant 6).
//!
//! Invariants kept here: a SKU is in at most one live batch, so its changes keep their order (4); entries leave a
//! batch only when the platform has said that nothing of it took effect (3, 4); no entry is ever dropped (7);
//! waiting entries, batches and look-ups in memory are bounded by [`LaneLimits`] (11).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ledger::MovementKind;
use crate::model::{BatchId, EntryId, Quantity, Seq, SkuId, Timestamp};
use crate::retry::{self, Jitter, RetryLimits};

use super::verdict::{Answer, LaneRefusal, RowRefusal, RowRemedy};

mod answers;
mod targets;
#[cfg(test)]
mod tests;

pub use answers::ReadBackVerdict;
pub use targets::{LookedUp, TargetState};

/// How a change is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writes {
    /// As a change: the platform adds it up.
    #[default]
    Delta,
    /// As a number: it is read, changed and written, and read again before it is ever written a second time.
    Absolute,
}

/// What the platform allows and how patient the lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimits {
    /// Most rows of one request.
    pub rows_max: usize,
    /// Most requests in flight.
    pub in_flight_max: usize,
    /// Waiting entries of one SKU become one.
    pub merge: bool,
    /// An entry is a value, not a change: the latest of one SKU replaces those that wait. Only with `merge`.
    pub latest: bool,
    /// How a change is written.
    pub writes: Writes,
    /// The platform takes whole units only; remainders are carried per SKU.
    pub whole_units: bool,
    /// A SKU must be looked up before it can be written.
    pub needs_target: bool,
    /// The platform can be read back and takes absolute writes.
    pub reads_back: bool,
    /// How long after the first send a key is relied on; the platform's own window less clocks and transit.
    pub key_window: Option<Duration>,
    /// How long the platform may still work on a request that nobody waits for any more: numbers are read back after
    /// this long where no key tells a repeat from a new request.
    pub settle_after: Duration,
    /// Entries kept in memory where they do not merge; the others wait in the database only.
    pub window_max: usize,
    /// SKUs of one look-up.
    pub look_up_max: usize,
    /// Delay between attempts.
    pub retry: RetryLimits,
    /// Delay between look-ups of an unknown SKU.
    pub look_up_retry: RetryLimits,
    /// Delay between probes of a paused lane.
    pub probe: RetryLimits,
}

/// One pending effect on the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: EntryId,
    /// The article.
    pub sku: SkuId,
    /// Exact change.
    pub delta: Quantity,
    /// Movements that it stands for.
    pub lines: i64,
    /// First and last position in the movement stream.
    pub first: Seq,
    /// See `first`.
    pub last: Seq,
    /// Why stock moved.
    pub kind: MovementKind,
    /// The ticket, if it stands for exactly one movement.
    pub transaction: Option<String>,
    /// Latest POS time among its movements.
    pub sold_at: Option<Timestamp>,
    /// It may already be in effect (after a restored backup): read back, never sent as a change.
    pub uncertain: bool,
}

impl Entry {
    fn absorb(&mut self, later: Self, latest: bool) {
        self.delta = if latest { later.delta } else { self.delta.saturating_add(later.delta) };
        self.lines = self.lines.saturating_add(later.lines);
        self.first = self.first.min(later.first);
        self.last = self.last.max(later.last);
        self.sold_at = self.sold_at.max(later.sold_at);
        if self.kind != later.kind {
            self.kind = MovementKind::Mixed;
        }
        self.transaction = None;
        self.uncertain |= later.uncertain;
    }
}

/// An entry in a batch, with the whole units that the request carries for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// The entry.
    pub entry: Entry,
    /// Units written, after carrying the remainder.
    pub units: i64,
}

/// A batch about to be frozen: the caller gives it a number and a key, encodes and stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its entries, in order.
    pub items: Vec<BatchItem>,
    /// Entries that must not be sent as a change: the batch starts with a read-back.
    pub uncertain: bool,
    /// New remainders, in millionths, to be stored.
    pub carries: Vec<(SkuId, i64)>,
}

impl Draft {
    /// Nothing to say to the platform: all rows are zero (cancelled out, or less than one unit).
    #[must_use]
    pub fn is_silent(&self, whole_units: bool) -> bool {
        // A price of nothing is a price.
        if self.items.iter().any(|item| item.entry.kind == MovementKind::Value) {
            return false;
        }
        self.items.iter().all(|item| if whole_units { item.units == 0 } else { item.entry.delta.is_zero() })
    }
}

/// Where a live batch stands. Stored as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The change itself is (re)sent.
    Change,
    /// The platform's numbers are read, to be changed and written; nothing was sent yet.
    Base,
    /// Its outcome cannot be learned from a retry: the platform's numbers are read.
    ReadBack,
    /// An absolute write settles it.
    Absolute,
}

impl Stage {
    /// The word used in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Base => "base",
            Self::ReadBack => "read_back",
            Self::Absolute => "absolute",
        }
    }

    /// The reverse of [`Self::as_str`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Change, Self::Base, Self::ReadBack, Self::Absolute].into_iter().find(|stage| stage.as_str() == word)
    }
}

/// A batch whose outcome is not final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBatch {
    /// What it carries.
    pub items: Vec<BatchItem>,
    /// What is done with it next.
    pub stage: Stage,
    /// First attempt of the current stage that could have taken effect.
    pub first_sent: Option<Timestamp>,
    /// Some attempt of the current stage may have taken effect.
    pub maybe_applied: bool,
    /// Attempts of the current stage.
    pub attempts: u32,
    busy: bool,
    not_before: Timestamp,
}

impl LiveBatch {
    /// As frozen or as read from the database.
    #[must_use]
    pub fn new(items: Vec<BatchItem>, stage: Stage) -> Self {
        Self {
            items,
            stage,
            first_sent: None,
            maybe_applied: false,
            attempts: 0,
            busy: false,
            not_before: Timestamp(0),
        }
    }

    /// It writes a number that no entry stands for.
    #[must_use]
    pub fn is_repair(&self) -> bool {
        self.items.first().is_some_and(|item| item.entry.kind == MovementKind::Repair)
    }

    /// Nothing is done with it before `at`.
    pub fn hold_until(&mut self, at: Timestamp) {
        self.not_before = at;
    }
}

/// Whether the lane sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It does.
    Open,
    /// Not before `until`; then it tries again by itself.
    BackingOff {
        /// When.
        until: Timestamp,
        /// What the platform or the network said.
        reason: String,
    },
    /// Refused for a cause that somebody has to mend; probed until it is gone.
    Paused {
        /// What kind.
        cause: LaneRefusal,
        /// What was said and what to do.
        detail: String,
        /// Next probe.
        probe_at: Timestamp,
    },
}

/// To be carried out by the caller, after its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send the stored bytes of this batch's current stage under their key.
    Send(BatchId),
    /// Read the platform's numbers for this batch's items.
    ReadBack(BatchId),
    /// Look these SKUs up.
    LookUp(Vec<SkuId>),
    /// Ask whether the cause of the pause is gone.
    Probe,
}

/// What became of a batch, to be stored in the same commit as the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// In effect: entries are delivered. `settled` if by read-back.
    Delivered {
        /// By reading back, or by an absolute write.
        settled: bool,
        /// The platform's name for it.
        reference: Option<String>,
    },
    /// Nothing took effect: entries went back to waiting, except the dead ones.
    Reopened {
        /// Entries that can never succeed, with code and message.
        dead: Vec<(Entry, String, String)>,
        /// Remainders to be stored again.
        carries: Vec<(SkuId, i64)>,
        /// SKUs whose place on the platform is to be looked up again.
        forgotten: Vec<SkuId>,
        /// Why.
        reason: String,
    },
    /// Each row was decided by itself: `kept` is in effect, the others as in [`Self::Reopened`].
    Partly {
        /// Delivered.
        kept: Vec<BatchItem>,
        /// Entries that can never succeed, with code and message.
        dead: Vec<(Entry, String, String)>,
        /// Remainders to be stored again.
        carries: Vec<(SkuId, i64)>,
        /// SKUs whose place on the platform is to be looked up again.
        forgotten: Vec<SkuId>,
        /// The platform's name for it.
        reference: Option<String>,
    },
    /// Some rows of a repair were refused and nothing took effect: the others are to be frozen again, under another key.
    Narrowed {
        /// To be written still.
        kept: Vec<BatchItem>,
        /// Why the others are not.
        reason: String,
    },
    /// Outcome still open: same bytes, same key, later.
    Kept,
    /// Retrying can no longer tell: read back next.
    ToReadBack,
    /// The number read was overtaken before the absolute write: read again.
    ReadAgain,
}

/// The lane.
#[derive(Debug)]
pub struct Lane {
    limits: LaneLimits,
    condition: Condition,
    failures: u32,
    probes: u32,
    probing: bool,
    waiting: BTreeMap<EntryId, Waiting>,
    by_sku: BTreeMap<SkuId, BTreeSet<EntryId>>,
    ready: BTreeSet<EntryId>,
    batches: BTreeMap<BatchId, LiveBatch>,
    busy_skus: BTreeMap<SkuId, BatchId>,
    carries: BTreeMap<SkuId, i64>,
    targets: BTreeMap<SkuId, TargetState>,
    looking_up: bool,
    suspects: BTreeMap<EntryId, usize>,
    relooks: BTreeMap<SkuId, u32>,
    dirty: BTreeSet<EntryId>,
    gone: Vec<EntryId>,
    spilled: bool,
}

#[derive(Debug, Clone)]
struct Waiting {
    entry: Entry,
    stored: bool,
}

impl Lane {
    /// An empty lane.
    #[must_use]
    pub fn new(limits: LaneLimits) -> Self {
        Self {
            limits,
            condition: Condition::Open,
            failures: 0,
            probes: 0,
            probing: false,
            waiting: BTreeMap::new(),
            by_sku: BTreeMap::new(),
            ready: BTreeSet::new(),
            batches: BTreeMap::new(),
            busy_skus: BTreeMap::new(),
            carries: BTreeMap::new(),
            targets: BTreeMap::new(),
            looking_up: false,
            suspects: BTreeMap::new(),
            relooks: BTreeMap::new(),
            dirty: BTreeSet::new(),
            gone: Vec::new(),
            spilled: false,
        }
    }

    /// Its limits.
    #[must_use]
    pub const fn limits(&self) -> &LaneLimits {
        &self.limits
    }

    /// Whether it sends, and if not, why.
    #[must_use]
    pub const fn condition(&self) -> &Condition {
        &self.condition
    }

    // --- what waits -------------------------------------------------------------------------------------------

    /// Takes a new movement. Returns `false` if there is no room: the caller stores the entry, and gives it back
    /// by [`Self::restore_waiting`] when [`Self::wants_refill`].
    pub fn add(&mut self, entry: Entry) -> bool {
        if self.limits.merge {
            let waiting = self.by_sku.get(&entry.sku).and_then(|ids| ids.last().copied());
            if let Some(kept) = waiting.and_then(|id| self.waiting.get_mut(&id)) {
                kept.entry.absorb(entry, self.limits.latest);
                self.dirty.insert(kept.entry.id);
                return true;
            }
        } else if !self.has_room() {
            self.spilled = true;
            return false;
        }
        self.dirty.insert(entry.id);
        self.put_waiting(entry, false);
        true
    }

    /// Whether [`Self::add`] would take an entry.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.limits.merge || (!self.spilled && self.waiting.len() < self.limits.window_max)
    }

    /// Puts back an entry that the database holds as waiting.
    pub fn restore_waiting(&mut self, entry: Entry) {
        self.put_waiting(entry, true);
    }

    /// Says whether entries beyond the window are left in the database.
    pub fn set_spilled(&mut self, spilled: bool) {
        self.spilled = spilled;
    }

    /// There is room in the window, and the database holds more.
    #[must_use]
    pub fn wants_refill(&self) -> bool {
        self.spilled && self.waiting.len() <= self.limits.window_max.div_euclid(2)
    }

    /// The highest number among the entries in memory.
    #[must_use]
    pub fn last_waiting(&self) -> Option<EntryId> {
        self.waiting.keys().next_back().copied()
    }

    fn put_waiting(&mut self, entry: Entry, stored: bool) {
        let (id, sku) = (entry.id, entry.sku);
        self.by_sku.entry(sku).or_default().insert(id);
        if self.is_sendable(sku) {
            self.ready.insert(id);
        }
        self.waiting.insert(id, Waiting { entry, stored });
    }

    fn take_waiting(&mut self, id: EntryId) -> Option<Entry> {
        let taken = self.waiting.remove(&id)?;
        self.ready.remove(&id);
        if let Some(ids) = self.by_sku.get_mut(&taken.entry.sku) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_sku.remove(&taken.entry.sku);
            }
        }
        self.dirty.remove(&id);
        if taken.stored {
            self.gone.push(id);
        }
        Some(taken.entry)
    }

    fn is_sendable(&self, sku: SkuId) -> bool {
        !self.busy_skus.contains_key(&sku)
            && (!self.limits.needs_target || matches!(self.targets.get(&sku), Some(TargetState::Known { .. })))
    }

    fn refresh_ready(&mut self, sku: SkuId) {
        let sendable = self.is_sendable(sku);
        for id in self.by_sku.get(&sku).into_iter().flatten() {
            if sendable {
                self.ready.insert(*id);
            } else {
                self.ready.remove(id);
            }
        }
    }

    /// Waiting entries that were added or changed since the last call, to be written; and those to be deleted.
    pub fn take_changes(&mut self) -> (Vec<Entry>, Vec<EntryId>) {
        let mut written = Vec::with_capacity(self.dirty.len());
        for id in std::mem::take(&mut self.dirty) {
            if let Some(waiting) = self.waiting.get_mut(&id) {
                waiting.stored = true;
                written.push(waiting.entry.clone());
            }
        }
        (written, std::mem::take(&mut self.gone))
    }

    // --- freezing ---------------------------------------------------------------------------------------------

    /// The next batch, if one may be sent now. The caller stores it and calls [`Self::frozen`].
    pub fn draft(&mut self, now: Timestamp) -> Option<Draft> {
        if self.batches.len() >= self.limits.in_flight_max || !self.may_send(now) {
            return None;
        }
        let first = *self.ready.first()?;
        let cap = self.suspects.get(&first).copied();
        let uncertain = self.waiting.get(&first)?.entry.uncertain;
        let rows_max = cap.unwrap_or(self.limits.rows_max).max(1);
        let mut rows = 0_usize;
        let mut chosen = Vec::new();
        for id in &self.ready {
            let Some(waiting) = self.waiting.get(id) else { continue };
            if self.suspects.get(id).copied() != cap || waiting.entry.uncertain != uncertain {
                break;
            }
            let weight = self.weight(waiting.entry.sku);
            if rows > 0 && rows.saturating_add(weight) > rows_max {
                break;
            }
            rows = rows.saturating_add(weight);
            chosen.push(*id);
        }
        Some(self.draw_up(&chosen, uncertain))
    }

    fn draw_up(&mut self, chosen: &[EntryId], uncertain: bool) -> Draft {
        let mut items = Vec::with_capacity(chosen.len());
        let mut carries = BTreeMap::new();
        for entry in chosen.iter().filter_map(|id| self.take_waiting(*id)).collect::<Vec<_>>() {
            let units = if self.limits.whole_units {
                let carry = self.carries.get(&entry.sku).copied().unwrap_or(0);
                let total = Quantity::from_micros(carry).saturating_add(entry.delta);
                let units = total.floor_units();
                let rest = total.saturating_sub(Quantity::from_units(units).unwrap_or_default()).micros();
                if rest != carry {
                    self.carries.insert(entry.sku, rest);
                    carries.insert(entry.sku, rest);
                }
                units
            } else {
                0
            };
            items.push(BatchItem { entry, units });
        }
        Draft { items, uncertain, carries: carries.into_iter().collect() }
    }

    /// A drafted batch was given its number. A silent one is delivered already and must not be passed here.
    pub fn frozen(&mut self, id: BatchId, draft: Draft) {
        let stage = self.first_stage(&draft);
        self.restore_batch(id, LiveBatch::new(draft.items, stage));
    }

    /// What is done first with a drafted batch.
    #[must_use]
    pub fn first_stage(&self, draft: &Draft) -> Stage {
        match (draft.uncertain, self.limits.writes) {
            (true, _) => Stage::ReadBack,
            (false, Writes::Delta) => Stage::Change,
            (false, Writes::Absolute) => Stage::Base,
        }
    }

    /// Nothing of this SKU waits or is under way: what was recorded of it is in effect on the platform.
    #[must_use]
    pub fn is_idle(&self, sku: SkuId) -> bool {
        !self.spilled && !self.by_sku.contains_key(&sku) && !self.busy_skus.contains_key(&sku)
    }

    /// A request with changes of this SKU is live.
    #[must_use]
    pub fn is_under_way(&self, sku: SkuId) -> bool {
        self.busy_skus.contains_key(&sku)
    }

    /// Something of this SKU waits that may be in effect already: a number read now may hold it.
    #[must_use]
    pub fn is_uncertain(&self, sku: SkuId) -> bool {
        let ids = self.by_sku.get(&sku).into_iter().flatten();
        ids.filter_map(|id| self.waiting.get(id)).any(|waiting| waiting.entry.uncertain)
    }

    /// Whether one more request may be sent now.
    #[must_use]
    pub fn has_free_request(&self, now: Timestamp) -> bool {
        self.batches.len() < self.limits.in_flight_max && self.may_send(now)
    }

    /// Takes a repair that was stored with its absolute write. Every SKU of it must be idle.
    pub fn repair(&mut self, id: BatchId, items: Vec<BatchItem>) {
        debug_assert!(items.iter().all(|item| self.is_idle(item.entry.sku)), "a repair is fenced");
        self.restore_batch(id, LiveBatch::new(items, Stage::Absolute));
    }

    /// Puts back a batch that the database holds as live.
    pub fn restore_batch(&mut self, id: BatchId, batch: LiveBatch) {
        let skus: BTreeSet<SkuId> = batch.items.iter().map(|item| item.entry.sku).collect();
        self.batches.insert(id, batch);
        for sku in skus {
            self.busy_skus.insert(sku, id);
            self.refresh_ready(sku);
        }
    }

    /// A request for this batch is under way although the lane was rebuilt; its answer will come.
    pub fn mark_busy(&mut self, id: BatchId) {
        if let Some(batch) = self.batches.get_mut(&id) {
            batch.busy = true;
        }
    }

    /// The remainder of a SKU, in millionths, as stored.
    pub fn restore_carry(&mut self, sku: SkuId, micros: i64) {
        self.carries.insert(sku, micros);
    }

    // --- acting -----------------------------------------------------------------------------------------------

    fn may_send(&self, now: Timestamp) -> bool {
        match &self.condition {
            Condition::Open => true,
            Condition::BackingOff { until, .. } => now >= *until,
            Condition::Paused { .. } => false,
        }
    }

    /// What is to be done now. Everything returned is marked as under way. While the clock is not to be trusted,
    /// batches that may have taken effect before wait: their age cannot be known.
    pub fn poll(&mut self, now: Timestamp, clock_trusted: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Condition::Paused { probe_at, .. } = &self.condition {
            if now >= *probe_at && !self.probing {
                self.probing = true;
                actions.push(Action::Probe);
            }
            return actions;
        }
        if !self.may_send(now) {
            return actions;
        }
        for (id, batch) in &mut self.batches {
            if batch.busy || now < batch.not_before || (batch.maybe_applied && !clock_trusted) {
                continue;
            }
            let asks = matches!(batch.stage, Stage::Change | Stage::Absolute);
            if asks && past_window(batch, self.limits.key_window, now) && self.limits.reads_back {
                batch.stage = Stage::ReadBack;
                if self.limits.key_window != Some(Duration::ZERO) {
                    // The last attempt may be of a moment ago, or of before a restart: the platform may still work on it.
                    batch.not_before = now.plus(self.limits.settle_after);
                    continue;
                }
            }
            batch.busy = true;
            batch.attempts = batch.attempts.saturating_add(1);
            if matches!(batch.stage, Stage::ReadBack | Stage::Base) {
                actions.push(Action::ReadBack(*id));
            } else {
                batch.first_sent.get_or_insert(now);
                actions.push(Action::Send(*id));
            }
        }
        let skus = self.due_look_ups(now);
        if !skus.is_empty() {
            actions.push(Action::LookUp(skus));
        }
        actions
    }

    /// When [`Self::poll`] or [`Self::draft`] has something to do next although nothing happens, and why.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Timestamp, &'static str)> {
        let not_before = match &self.condition {
            Condition::Paused { probe_at, .. } => {
                return (!self.probing).then_some((*probe_at, "probe of a paused lane"));
            }
            Condition::BackingOff { until, .. } => *until,
            Condition::Open => Timestamp(0),
        };
        let resend =
            self.batches.values().filter(|batch| !batch.busy).map(|batch| (batch.not_before, "retry of a batch")).min();
        let look_up = self.next_look_up().map(|at| (at, "look-up of an unknown SKU"));
        let backing_off = matches!(self.condition, Condition::BackingOff { .. });
        let room = backing_off && !self.ready.is_empty() && self.batches.len() < self.limits.in_flight_max;
        let freeze = room.then_some((not_before, "end of a back-off"));
        let first = resend.into_iter().chain(look_up).chain(freeze).min()?;
        Some((first.0.max(not_before), first.1))
    }

    // --- what others may know ---------------------------------------------------------------------------------

    /// Live batches.
    #[must_use]
    pub const fn batches(&self) -> &BTreeMap<BatchId, LiveBatch> {
        &self.batches
    }

    /// Waiting entries in memory, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Entry> {
        self.waiting.values().map(|waiting| &waiting.entry)
    }

    /// Number of waiting entries in memory.
    #[must_use]
    pub fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Everything has been delivered, as far as the lane knows.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.waiting.is_empty() && self.batches.is_empty() && !self.spilled
    }
}

fn past_window(batch: &LiveBatch, window: Option<Duration>, now: Timestamp) -> bool {
    let (Some(window), Some(first)) = (window, batch.first_sent) else { return false };
    batch.maybe_applied && now.since(first) >= window
}
