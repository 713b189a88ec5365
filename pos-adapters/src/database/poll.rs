//! What to ask a database for next, and what of the answer is new. Pure: no clock, no IO.
//!
//! # How new sales are found
//! Never by "number greater than the last one": numbers are drawn before they are committed, so ticket 300 may become
//! visible after ticket 301, and times are stamped by tills whose clocks differ. Instead:
//!
//! * **settled**: all tickets up to this number were read, and nothing below may still be on its way. It moves past a
//!   missing number only when that has been missing for [`GAP_AGE`], and past a ticket only when it is taken.
//! * **fast look** (each poll): tickets above *settled*, and tickets changed since the latest change, less a few seconds.
//! * **overlap look** (every [`OVERLAP_EVERY`]): the last K ticket numbers below *settled* as well, and whatever was
//!   changed (or sold, where there is no time of change) within the window. Tickets whose hash is known are dropped. A known
//!   ticket that is no longer where it was is gone: it is given as vanished, which takes its movements back.
//! * **rescan** (at the start, every [`RESCAN_EVERY`], and after the numbers went back): the last days by time of sale, a
//!   page a poll, each page with the keys that it covers, so that the ledger finds what was deleted, too.
//!
//! ```text
//! Idle -> Newest -> Seq … -> Changed … -> Window … -> Rescan (one page) -> Idle
//! ```
//! A page ends before the first group of rows that may have been cut off, so a ticket is never split over pages. All of it
//! may be read twice: only differences move stock.

mod form;
mod position;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use sync_core::ledger;
use sync_core::model::{Extent, Segment, Timestamp, Transaction, TransactionKey, TransactionStatus};

pub use form::TimeForm;
pub use position::{Position, Rescan};

use super::engine::{Rows, Value};
use super::map::{Columns, Mapper, Ticket};
use super::plan::{Plan, day_start};
use super::query::Order;
use crate::{Coverage, Quarantined};

/// Time between two overlap looks.
pub const OVERLAP_EVERY: Duration = Duration::from_secs(30);
/// A number that is missing for longer is not on its way any more (a sale that was rolled back).
pub const GAP_AGE: Duration = Duration::from_secs(600);
/// A ticket that does not agree with its header for longer is set aside.
pub const INCOMPLETE_AGE: Duration = Duration::from_secs(600);
/// Time between two rescans.
pub const RESCAN_EVERY: Duration = Duration::from_secs(24 * 3600);
/// What fast looks go back in time.
const FAST_WINDOW: Duration = Duration::from_secs(5);
/// A gap before a ticket that was sold so long ago is history.
const HISTORY_AGE: Duration = Duration::from_secs(24 * 3600);
/// Rows of one page.
pub const PAGE_ROWS: usize = 2_000;
/// Rows of a page that holds one group of rows only (all tickets of a day, where times are days).
pub const PAGE_ROWS_MAX: usize = 64_000;
/// Tickets whose hash is kept. Beyond, they are given again and the ledger finds them unchanged.
pub const KNOWN_MAX: usize = 100_000;
/// Tickets that wait for their lines or for the settle time. Beyond, they are taken as they are.
pub const WAITING_MAX: usize = 20_000;
/// Tickets of which is remembered that they were set aside, so that a rescan does not do it again.
pub const ASIDE_MAX: usize = 10_000;
/// Missing numbers, as ranges. Beyond, younger ones are not waited for.
const GAPS_MAX: usize = 10_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A query that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The column that is followed.
    pub order: Order,
    /// Only the newest row by that column; the bounds mean nothing.
    pub newest: bool,
    /// First value, inclusive.
    pub from: Option<Value>,
    /// Last value, exclusive.
    pub until: Option<Value>,
    /// Most rows.
    pub rows_max: usize,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask the database.
    Ask(Ask),
    /// Nothing for so long.
    Wait(Duration),
}

/// What an answer brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// New and changed tickets.
    pub transactions: Vec<Transaction>,
    /// What could not be read.
    pub quarantined: Vec<Quarantined>,
    /// A stretch of time whose tickets are all in this answer.
    pub coverage: Option<Coverage>,
    /// Tickets that were set aside, with their hash, or `None` when they are not any more; for the cursor.
    pub aside: Vec<(String, Option<u64>)>,
    /// Bytes read.
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Idle,
    Newest,
    Seq { from: i64, rows_max: usize },
    Changed { from: Value, rows_max: usize },
    Window { from: Value, rows_max: usize },
    Rescan { from: Value, rows_max: usize },
}

/// One look, from the newest row to the last page.
#[derive(Debug, Clone)]
struct Round {
    began: Timestamp,
    overlap: bool,
    /// The last number seen in this round, and whether *settled* may still move.
    before: i64,
    blocked: bool,
    gaps: BTreeMap<i64, Gap>,
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    last: i64,
    seen: Timestamp,
}

#[derive(Debug, Clone)]
struct Known {
    hash: u64,
    seq: Option<i64>,
    sold_at: Option<Timestamp>,
    seen: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    hash: u64,
    since: Timestamp,
}

/// Rows of a page that are whole, and where the next page begins.
struct Page {
    rows: Rows,
    next: Option<Value>,
}

/// See the module.
#[derive(Debug)]
pub struct Poller {
    poll: Duration,
    overlap: i64,
    window: Duration,
    rescan: Duration,
    settle: Duration,
    vanish_limit_percent: usize,
    zone: TimeZone,
    segment: Segment,
    origin: String,
    has_seq: bool,
    has_changed: bool,
    changed_form: TimeForm,
    sold_form: TimeForm,
    position: Position,
    stage: Stage,
    round: Option<Round>,
    due: Timestamp,
    overlap_due: Timestamp,
    /// Latest time of change (or sale) seen.
    latest: Timestamp,
    known: BTreeMap<String, Known>,
    waiting: BTreeMap<String, Waiting>,
    gaps: BTreeMap<i64, Gap>,
    aside: BTreeMap<String, u64>,
}

impl Poller {
    /// Goes on from `position`. `columns` are those of the sales query; `origin` names where transactions come from.
    #[must_use]
    pub fn new(
        plan: &Plan,
        columns: &Columns,
        origin: &str,
        position: Position,
        aside: BTreeMap<String, u64>,
        now: Timestamp,
    ) -> Self {
        let mut poller = Self {
            poll: plan.poll,
            overlap: plan.overlap,
            window: plan.window,
            rescan: DAY.saturating_mul(plan.rescan_days),
            settle: plan.settle,
            vanish_limit_percent: plan.vanish_limit_percent,
            zone: plan.zone.clone(),
            segment: Segment::new(format!("{origin}#1")),
            origin: origin.to_owned(),
            has_seq: columns.of(Order::Seq).is_some(),
            has_changed: columns.of(Order::Changed).is_some(),
            changed_form: TimeForm::default(),
            sold_form: TimeForm::default(),
            position,
            stage: Stage::Idle,
            round: None,
            due: now,
            overlap_due: now,
            latest: Timestamp(0),
            known: BTreeMap::new(),
            waiting: BTreeMap::new(),
            gaps: BTreeMap::new(),
            aside,
        };
        if poller.position.rescan.is_none() && !poller.rescan_is_due(now) {
            // What was deleted while nobody looked.
            let from = back(poller.position.looked_at.unwrap_or(now), plan.window);
            poller.position.rescan = Some(poller.rescan_from(from, now, false));
        }
        poller
    }

    fn rescan_from(&self, from: Timestamp, now: Timestamp, whole: bool) -> Rescan {
        Rescan { began: now, whole, from: midnight(from, &self.zone).max(self.position.since) }
    }

    /// Where all transactions are read from.
    #[must_use]
    pub const fn segment(&self) -> &Segment {
        &self.segment
    }

    /// For the cursor.
    #[must_use]
    pub const fn position(&self) -> &Position {
        &self.position
    }

    /// Whether time alone may bring something, without anything being written to the database.
    #[must_use]
    pub fn is_restless(&self, now: Timestamp) -> bool {
        self.stage != Stage::Idle
            || self.position.looked_at.is_none()
            || self.position.rescan.is_some()
            || !self.waiting.is_empty()
            || !self.gaps.is_empty()
            || self.rescan_is_due(now)
    }

    /// Whether the round that is about to begin, or has just begun, is an overlap look.
    #[must_use]
    pub fn begins_overlap(&self) -> bool {
        self.stage == Stage::Newest && self.round.as_ref().is_some_and(|round| round.overlap)
    }

    /// Whether history is being read, so that the next round follows at once.
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        self.position.rescanned_at.is_none()
    }

    /// The round failed; the next one begins from the start.
    pub fn abort(&mut self) {
        self.stage = Stage::Idle;
        self.round = None;
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Timestamp) -> Next {
        if self.stage == Stage::Idle {
            if now < self.due && self.due.since(now) <= self.poll {
                return Next::Wait(self.due.since(now));
            }
            if self.rescan_is_due(now) {
                // The first one takes all sales since the start; a later one also what happened while nobody looked.
                let from = match (self.position.rescanned_at, self.position.looked_at) {
                    (None, _) => self.position.since,
                    (Some(_), Some(looked_at)) => back(now, self.rescan).min(back(looked_at, self.window)),
                    (Some(_), None) => back(now, self.rescan),
                };
                self.position.rescan = Some(self.rescan_from(from, now, true));
            }
            let overlap = now >= self.overlap_due || self.overlap_due.since(now) > OVERLAP_EVERY;
            self.round = Some(Round {
                began: now,
                overlap,
                before: self.position.settled.unwrap_or(0),
                blocked: false,
                gaps: BTreeMap::new(),
            });
            self.stage = Stage::Newest;
        }
        let ask = |order, from: &Value, until, rows_max| Ask {
            order,
            newest: false,
            from: Some(from.clone()),
            until,
            rows_max,
        };
        Next::Ask(match &self.stage {
            Stage::Idle | Stage::Newest => {
                Ask { order: self.first_order(), newest: true, from: None, until: None, rows_max: 1 }
            }
            Stage::Seq { from, rows_max } => ask(Order::Seq, &Value::Integer(*from), None, *rows_max),
            Stage::Changed { from, rows_max } => ask(Order::Changed, from, None, *rows_max),
            Stage::Window { from, rows_max } => ask(Order::Sold, from, None, *rows_max),
            Stage::Rescan { from, rows_max } => {
                let until = self.rescan_until(now).map(|until| self.sold_form.value(until, &self.zone));
                ask(Order::Sold, from, until, *rows_max)
            }
        })
    }

    /// Takes the answer to the last [`Ask`].
    ///
    /// # Errors
    /// A group of rows that belong together is larger than a page may be.
    pub fn answer(
        &mut self,
        columns: &Columns,
        rows: Rows,
        mapper: &mut Mapper,
        now: Timestamp,
    ) -> Result<Found, String> {
        match self.stage.clone() {
            Stage::Idle => Ok(Found::default()),
            Stage::Newest => {
                self.newest(columns, &rows);
                self.end_if_idle(now);
                Ok(Found::default())
            }
            Stage::Seq { from, rows_max } => {
                let Some(page) = self.page(columns, rows, Order::Seq, rows_max)? else { return Ok(Found::default()) };
                Ok(self.seq_page(columns, page, from, mapper, now))
            }
            Stage::Changed { rows_max, .. } => {
                let Some(page) = self.page(columns, rows, Order::Changed, rows_max)? else {
                    return Ok(Found::default());
                };
                Ok(self.changed_page(columns, page, mapper, now))
            }
            Stage::Window { from, rows_max } => {
                let Some(page) = self.page(columns, rows, Order::Sold, rows_max)? else { return Ok(Found::default()) };
                Ok(self.window_page(columns, page, &from, mapper, now))
            }
            Stage::Rescan { rows_max, .. } => {
                let Some(page) = self.page(columns, rows, Order::Sold, rows_max)? else { return Ok(Found::default()) };
                self.rescan_page(columns, page, mapper, now)
            }
        }
    }

    fn first_order(&self) -> Order {
        match (self.has_seq, self.has_changed) {
            (true, _) => Order::Seq,
            (false, true) => Order::Changed,
            (false, false) => Order::Sold,
        }
    }

    fn rescan_is_due(&self, now: Timestamp) -> bool {
        let last = self.position.rescanned_at;
        self.position.rescan.is_none() && last.is_none_or(|last| now.since(last) >= RESCAN_EVERY)
    }

    /// Learns from the newest row, and decides what the round looks at.
    fn newest(&mut self, columns: &Columns, rows: &Rows) {
        let row = rows.rows.first().map(Vec::as_slice).unwrap_or_default();
        let sample = |order| columns.of(order).and_then(|at| row.get(at));
        let form = |order, before| sample(order).and_then(TimeForm::of).unwrap_or(before);
        self.changed_form = form(Order::Changed, self.changed_form);
        self.sold_form = form(Order::Sold, self.sold_form);
        if self.has_seq {
            let top = sample(Order::Seq).and_then(super::map::whole).unwrap_or(0);
            self.arrived_at(top);
        }
        self.stage = self.first_stage();
    }

    fn arrived_at(&mut self, top: i64) {
        let settled = *self.position.settled.get_or_insert(top);
        if self.position.top.is_some_and(|before| top < before) {
            // The newest tickets were deleted, or the database was put back: numbers will come again.
            self.position.settled = Some(settled.min(top));
            self.gaps.clear();
            if self.position.rescanned_at.is_some() {
                self.position.rescanned_at = Some(Timestamp(0));
                self.position.rescan = None;
            }
            if let Some(round) = &mut self.round {
                round.overlap = true;
            }
        }
        self.position.top = Some(top);
        if let (Some(round), Some(settled)) = (&mut self.round, self.position.settled) {
            round.before = settled;
        }
    }

    fn first_stage(&self) -> Stage {
        let overlap = self.round.as_ref().is_some_and(|round| round.overlap);
        let settled = self.position.settled.unwrap_or(0);
        if self.has_seq && (overlap || self.position.top.is_some_and(|top| top > settled)) {
            let from = if overlap { settled.saturating_sub(self.overlap) } else { settled };
            return Stage::Seq { from: from.saturating_add(1), rows_max: PAGE_ROWS };
        }
        self.after_seq()
    }

    fn after_seq(&self) -> Stage {
        if self.has_changed {
            return Stage::Changed { from: self.look_back(self.changed_form), rows_max: PAGE_ROWS };
        }
        self.after_changed()
    }

    fn after_changed(&self) -> Stage {
        let overlap = self.round.as_ref().is_some_and(|round| round.overlap);
        let wanted =
            if self.has_seq || self.has_changed { overlap && !(self.has_seq && self.has_changed) } else { true };
        if wanted {
            return Stage::Window { from: self.look_back(self.sold_form), rows_max: PAGE_ROWS };
        }
        self.after_window()
    }

    fn after_window(&self) -> Stage {
        match self.position.rescan {
            Some(rescan) => Stage::Rescan { from: self.sold_form.value(rescan.from, &self.zone), rows_max: PAGE_ROWS },
            None => Stage::Idle,
        }
    }

    /// How far back in time this round looks.
    fn look_back(&self, form: TimeForm) -> Value {
        let Some(round) = &self.round else { return Value::Null };
        let from = if round.overlap {
            let last = self.position.looked_at.unwrap_or(round.began).min(round.began);
            back(last, self.window)
        } else {
            back(self.latest.min(round.began), FAST_WINDOW).max(back(round.began, self.window))
        };
        form.value(from, &self.zone)
    }

    /// Leaves off the last group of rows if it may be cut off; asks again for more where the page holds nothing else.
    fn page(&mut self, columns: &Columns, rows: Rows, order: Order, rows_max: usize) -> Result<Option<Page>, String> {
        let at = columns.of(order).unwrap_or_default();
        if rows.rows.len() < rows_max {
            return Ok(Some(Page { rows, next: None }));
        }
        let cut = rows.rows.last().and_then(|row| row.get(at)).cloned().unwrap_or(Value::Null);
        let mut rows = rows;
        let whole = rows.rows.iter().position(|row| row.get(at) == Some(&cut)).unwrap_or(0);
        if whole > 0 {
            rows.rows.truncate(whole);
            return Ok(Some(Page { rows, next: Some(cut) }));
        }
        if rows_max >= PAGE_ROWS_MAX {
            let column = order.column();
            return Err(format!("more than {PAGE_ROWS_MAX} lines have the same `{column}` ({})", cut.text()));
        }
        match &mut self.stage {
            Stage::Seq { rows_max, .. }
            | Stage::Changed { rows_max, .. }
            | Stage::Window { rows_max, .. }
            | Stage::Rescan { rows_max, .. } => *rows_max = rows_max.saturating_mul(2).min(PAGE_ROWS_MAX),
            Stage::Idle | Stage::Newest => {}
        }
        Ok(None)
    }

    fn seq_page(&mut self, columns: &Columns, page: Page, from: i64, mapper: &mut Mapper, now: Timestamp) -> Found {
        let mut found = Found::default();
        let mut numbers: Vec<(i64, bool, Option<Timestamp>)> = Vec::new();
        for ticket in mapper.tickets(columns, &page.rows) {
            let (seq, sold_at) = (ticket.seq, ticket.transaction.sold_at);
            let taken = self.take(ticket, false, now, &mut found);
            if let Some(seq) = seq {
                numbers.push((seq, taken, sold_at));
            }
        }
        let next = page.next.as_ref().and_then(super::map::whole);
        let to = next.map_or(i64::MAX, |next| next.saturating_sub(1));
        self.miss(|known| known.seq.is_some_and(|seq| (from..=to).contains(&seq)), &mut found);
        numbers.sort_unstable_by_key(|(seq, ..)| *seq);
        self.settle(&numbers, now);
        self.stage = match next {
            Some(from) => Stage::Seq { from, rows_max: PAGE_ROWS },
            None => {
                self.gaps = self.round.as_mut().map(|round| std::mem::take(&mut round.gaps)).unwrap_or_default();
                self.after_seq()
            }
        };
        self.end_if_idle(now);
        found
    }

    /// Moves *settled* past numbers that are read and gaps that are old.
    fn settle(&mut self, numbers: &[(i64, bool, Option<Timestamp>)], now: Timestamp) {
        let Some(round) = &mut self.round else { return };
        let mut settled = self.position.settled.unwrap_or(0);
        for (seq, taken, sold_at) in numbers {
            if *seq <= round.before {
                continue;
            }
            let first = round.before.saturating_add(1);
            if *seq > first {
                let before = self.gaps.range(..=first).next_back().filter(|(_, gap)| gap.last >= first);
                let seen = before.map_or(now, |(_, gap)| gap.seen);
                let history = sold_at.is_some_and(|at| now.since(at) >= HISTORY_AGE);
                if !history && now.since(seen) < GAP_AGE && round.gaps.len() < GAPS_MAX {
                    round.gaps.insert(first, Gap { last: seq.saturating_sub(1), seen });
                    round.blocked = true;
                }
            }
            round.blocked |= !taken;
            round.before = *seq;
            if !round.blocked {
                settled = *seq;
            }
        }
        self.position.settled = Some(settled);
    }

    fn changed_page(&mut self, columns: &Columns, page: Page, mapper: &mut Mapper, now: Timestamp) -> Found {
        let mut found = Found::default();
        self.note_latest(columns, &page, Order::Changed, mapper);
        for ticket in mapper.tickets(columns, &page.rows) {
            let _waits = self.take(ticket, false, now, &mut found);
        }
        self.stage = match page.next {
            Some(from) => Stage::Changed { from, rows_max: PAGE_ROWS },
            None => self.after_changed(),
        };
        self.end_if_idle(now);
        found
    }

    fn window_page(
        &mut self,
        columns: &Columns,
        page: Page,
        from: &Value,
        mapper: &mut Mapper,
        now: Timestamp,
    ) -> Found {
        let mut found = Found::default();
        if !self.has_changed {
            self.note_latest(columns, &page, Order::Sold, mapper);
        }
        for ticket in mapper.tickets(columns, &page.rows) {
            let _waits = self.take(ticket, false, now, &mut found);
        }
        if !self.has_seq {
            let from = mapper.time(from).unwrap_or(now);
            let to = page.next.as_ref().and_then(|next| mapper.time(next));
            self.miss(|known| known.sold_at.is_some_and(|at| at >= from && to.is_none_or(|to| at < to)), &mut found);
        }
        self.stage = match page.next {
            Some(from) => Stage::Window { from, rows_max: PAGE_ROWS },
            None => self.after_window(),
        };
        self.end_if_idle(now);
        found
    }

    fn rescan_page(
        &mut self,
        columns: &Columns,
        page: Page,
        mapper: &mut Mapper,
        now: Timestamp,
    ) -> Result<Found, String> {
        let mut found = Found::default();
        let mut keys = Vec::new();
        for ticket in mapper.tickets(columns, &page.rows) {
            keys.push(ticket.id.clone());
            let _waits = self.take(ticket, true, now, &mut found);
        }
        let until = self.rescan_until(now);
        let next = match &page.next {
            Some(cut) => Some(mapper.time(cut).ok_or_else(|| format!("`{}` in `sold_at` is no time", cut.text()))?),
            None => until,
        };
        if let Some(rescan) = self.position.rescan {
            keys.sort_unstable();
            keys.dedup();
            let to = next.map_or(now.max(rescan.from).plus(DAY), |next| back(next, Duration::from_micros(1)));
            found.coverage = Some(Coverage { origin: self.origin.clone(), from: rescan.from, to, keys });
            self.position.rescan = match next {
                // Times finer than a microsecond must not keep it in one place.
                Some(next) => Some(Rescan { from: next.max(rescan.from.plus(Duration::from_micros(1))), ..rescan }),
                None => {
                    if rescan.whole {
                        self.position.rescanned_at = Some(rescan.began);
                    }
                    None
                }
            };
        }
        self.stage = Stage::Idle;
        self.end_if_idle(now);
        Ok(found)
    }

    /// Where this part of a rescan ends: at the next midnight; the last part has no end.
    fn rescan_until(&self, now: Timestamp) -> Option<Timestamp> {
        let from = self.position.rescan?.from;
        // A day and two hours later is the next day even where it has 25 hours.
        let until = midnight(midnight(from, &self.zone).plus(Duration::from_secs(26 * 3600)), &self.zone);
        (until < now && until > from).then_some(until)
    }

    fn note_latest(&mut self, columns: &Columns, page: &Page, order: Order, mapper: &mut Mapper) {
        let last = page.rows.rows.last().zip(columns.of(order)).and_then(|(row, at)| row.get(at));
        if let Some(at) = last.and_then(|value| mapper.time(value)) {
            self.latest = self.latest.max(at);
        }
    }

    /// Takes a ticket if it is new or changed and complete. `false` while it waits.
    fn take(&mut self, ticket: Ticket, is_rescan: bool, now: Timestamp, found: &mut Found) -> bool {
        found.bytes = found.bytes.saturating_add(ticket.bytes);
        let seen = self.round.as_ref().map_or(now, |round| round.began);
        if let Some(known) = self.known.get_mut(&ticket.id) {
            known.seen = seen;
            if known.hash == ticket.hash {
                self.waiting.remove(&ticket.id);
                return true;
            }
        }
        let sold_at = ticket.transaction.sold_at;
        let before_start = sold_at.is_some_and(|at| at < self.position.since);
        let is_final = is_rescan && sold_at.is_some_and(|at| now.since(at) >= self.window);
        if !before_start && !is_final && self.must_wait(&ticket, now) {
            return false;
        }
        self.waiting.remove(&ticket.id);
        if !is_rescan && !before_start && (self.known.len() < KNOWN_MAX || self.known.contains_key(&ticket.id)) {
            let known = Known { hash: ticket.hash, seq: ticket.seq, sold_at, seen };
            self.known.insert(ticket.id.clone(), known);
        }
        if before_start {
            return true;
        }
        let incomplete = ticket.waits.is_some();
        let mut aside = ticket.quarantined;
        if let Some(reason) = ticket.waits {
            aside = vec![Quarantined {
                at: format!("{}, transaction {}", self.segment, ticket.id),
                reason: format!("the ticket is not complete: {reason}; it is taken when they agree"),
                raw: String::new(),
                records: u32::try_from(ticket.transaction.lines.len().max(1)).unwrap_or(u32::MAX),
            }];
        }
        self.set_aside(&ticket.id, ticket.hash, aside, found);
        if !incomplete && !ticket.transaction.key.as_str().is_empty() {
            found.transactions.push(ticket.transaction);
        }
        true
    }

    /// Gives what cannot be read once for each state of its ticket.
    fn set_aside(&mut self, id: &str, hash: u64, records: Vec<Quarantined>, found: &mut Found) {
        if records.is_empty() {
            if self.aside.remove(id).is_some() {
                found.aside.push((id.to_owned(), None));
            }
            return;
        }
        if self.aside.get(id) == Some(&hash) {
            return;
        }
        found.quarantined.extend(records);
        if self.aside.len() < ASIDE_MAX || self.aside.contains_key(id) {
            self.aside.insert(id.to_owned(), hash);
            found.aside.push((id.to_owned(), Some(hash)));
        }
    }

    fn must_wait(&mut self, ticket: &Ticket, now: Timestamp) -> bool {
        let longest = if ticket.waits.is_some() { INCOMPLETE_AGE } else { self.settle };
        if longest.is_zero() {
            return false;
        }
        let is_full = self.waiting.len() >= WAITING_MAX;
        match self.waiting.get_mut(&ticket.id) {
            Some(waiting) if waiting.hash == ticket.hash => now.since(waiting.since) < longest,
            Some(waiting) => {
                *waiting = Waiting { hash: ticket.hash, since: now };
                true
            }
            None if is_full => false,
            None => {
                self.waiting.insert(ticket.id.clone(), Waiting { hash: ticket.hash, since: now });
                true
            }
        }
    }

    /// Known tickets in a stretch that was read whole, and that were not there.
    fn miss(&mut self, is_covered: impl Fn(&Known) -> bool, found: &mut Found) {
        let Some(began) = self.round.as_ref().map(|round| round.began) else { return };
        let covered = self.known.values().filter(|known| is_covered(known)).count();
        let missing = self.known.iter().filter(|(_, known)| is_covered(known) && known.seen < began);
        let missing: Vec<String> = missing.map(|(id, _)| id.clone()).collect();
        if missing.is_empty() {
            return;
        }
        for id in &missing {
            self.known.remove(id);
        }
        if !ledger::vanishing_is_believable(covered, missing.len(), self.vanish_limit_percent) {
            found.quarantined.push(Quarantined {
                at: self.origin.clone(),
                reason: format!(
                    "{} of the latest {covered} tickets are gone at once: the database was put back or cleared, so nothing was reversed. Count the articles, or enter the lost sales again",
                    missing.len()
                ),
                raw: missing.iter().take(50).map(String::as_str).collect::<Vec<_>>().join("\n"),
                records: u32::try_from(missing.len()).unwrap_or(u32::MAX),
            });
            return;
        }
        found.transactions.extend(missing.into_iter().map(|id| Transaction {
            key: TransactionKey::new(id),
            register: String::new(),
            sold_at: None,
            status: TransactionStatus::Vanished,
            online_order: None,
            extent: Extent::Whole,
            segment: self.segment.clone(),
            lines: Vec::new(),
        }));
    }

    /// The round is over: sets the next one, and forgets tickets that are out of sight.
    fn end_if_idle(&mut self, now: Timestamp) {
        if self.stage != Stage::Idle {
            return;
        }
        let Some(round) = self.round.take() else { return };
        let wait = if self.is_catching_up() { Duration::ZERO } else { self.poll };
        self.due = now.plus(wait);
        if round.overlap {
            self.overlap_due = round.began.plus(OVERLAP_EVERY);
            self.position.looked_at = Some(round.began);
            self.known.retain(|_, known| known.seen >= round.began);
            self.waiting.retain(|_, waiting| now.since(waiting.since) < DAY);
        }
    }
}

/// The first moment of the day of a time.
fn midnight(at: Timestamp, zone: &TimeZone) -> Timestamp {
    let instant = jiff::Timestamp::from_microsecond(at.0).ok();
    instant.and_then(|instant| day_start(zone.to_datetime(instant).date(), zone)).unwrap_or(at)
}

fn back(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp(at.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests;
