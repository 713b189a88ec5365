//! Numbers that are read back, beside the online orders that move them.
//!
//! Where a platform tells nothing but its number, an online order looks like a change of ours. So such a number is judged
//! only if it is the same before and after the orders were read, and by what is known of them then:
//!
//! ```text
//!  number ─► orders, a whole round ─► number again ─► the same, and no order taken in meanwhile: judged
//!                                                  └► another one: it is the first, and orders are read again
//! ```
//!
//! A number that was read before it was known which orders it holds (a base, or what an absolute write began from) stays
//! in doubt for the orders of the round that was under way; [`Taken`] keeps the two apart. All of this is memory only:
//! after a start every order of an article within [`CLOCKS_DIFFER_MAX`] of the request is in doubt.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use sync_core::model::{BatchId, SkuId, Timestamp};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::settle::{Evidence, Taken};

use super::lanes::Frozen;
use super::{Writer, lanes::LaneRuntime};
use crate::db::{self, DbError};
use crate::platform::Seen;

/// A number is read again this long after the last look at the latest; sooner when orders were read.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// After so long without a round of orders a number that tells nothing by itself is left to a person.
const LOOK_WAIT_MAX: Duration = Duration::from_secs(30 * 60);
/// Orders that are remembered of one item; older ones put everything before them in doubt.
const ORDERS_KEPT: usize = 64;
/// How far the platform's clock and ours may be apart.
pub(super) const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// Units of one item that a platform took off its own number.
#[derive(Debug, Clone, Copy)]
struct Event {
    /// When it was taken in.
    at: Timestamp,
    /// It happened after this.
    after: Timestamp,
    units: i64,
}

/// When a number was asked for and heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    asked: Timestamp,
    heard: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Timestamp,
    /// Orders taken in until then.
    taken: u64,
    /// The round that was complete then.
    round: Option<Timestamp>,
}

#[derive(Debug)]
struct Look {
    seen: Vec<Seen>,
    heard: Timestamp,
    /// When the first of all looks at the batch was.
    first: Timestamp,
}

/// What is to be done with numbers that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They can be judged.
    Judge,
    /// They are looked at again, at this time at the latest.
    Again(Timestamp),
    /// Orders cannot be read: numbers tell nothing.
    Doubt,
}

/// What a lane remembers of its platform's orders.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Since when: the start, or the last commit that failed.
    since: Timestamp,
    /// When the latest round began that was read to its end.
    round: Option<Timestamp>,
    /// Times that units were taken off.
    taken: u64,
    events: BTreeMap<String, VecDeque<Event>>,
    asked: BTreeMap<BatchId, Asked>,
    look_up_asked: Timestamp,
    looks: BTreeMap<BatchId, Look>,
    /// Bases that the orders of a whole round have not confirmed yet.
    bases: BTreeMap<String, Span>,
    /// Items whose base may hold an order twice, or not at all.
    doubted: BTreeSet<String>,
}

impl Looks {
    /// Nothing is remembered from before.
    pub(super) fn begin(&mut self, now: Timestamp) {
        *self = Self { since: now, ..Self::default() };
    }

    /// A batch's numbers are asked for.
    pub(super) fn asks(&mut self, batch: BatchId, now: Timestamp) {
        self.asked.insert(batch, Asked { at: now, taken: self.taken, round: self.round });
    }

    /// Articles are looked up.
    pub(super) fn asks_look_up(&mut self, now: Timestamp) {
        self.look_up_asked = now;
    }

    /// When a batch's numbers were asked for and heard.
    pub(super) fn span(&self, batch: BatchId, now: Timestamp) -> Option<Span> {
        self.asked.get(&batch).map(|asked| Span { asked: asked.at, heard: now })
    }

    /// A batch is closed.
    pub(super) fn forget(&mut self, batch: BatchId) {
        self.asked.remove(&batch);
        self.looks.remove(&batch);
    }

    /// What follows from numbers that tell nothing by themselves.
    pub(super) fn look(&mut self, batch: BatchId, seen: &[Seen], now: Timestamp) -> Verdict {
        let asked = self.asked.get(&batch).copied();
        let earlier = self.looks.remove(&batch);
        let first = earlier.as_ref().map_or(now, |look| look.first);
        let is_final = earlier.as_ref().is_some_and(|look| {
            let undisturbed = asked.is_some_and(|asked| asked.taken == self.taken);
            let orders_between = asked.and_then(|asked| asked.round).is_some_and(|round| round >= look.heard);
            let same = look.seen.iter().map(|seen| seen.number).eq(seen.iter().map(|seen| seen.number));
            undisturbed && orders_between && same
        });
        if is_final {
            return Verdict::Judge;
        }
        if now.since(first) >= LOOK_WAIT_MAX {
            return Verdict::Doubt;
        }
        self.looks.insert(batch, Look { seen: seen.to_vec(), heard: now, first });
        Verdict::Again(now.plus(LOOK_EVERY))
    }

    /// An article's base number was read. Whether it is in doubt at once.
    pub(super) fn base_read(&mut self, item: &str, now: Timestamp) -> bool {
        let asked = self.look_up_asked;
        let meanwhile = self.events.get(item).is_some_and(|events| events.iter().any(|event| event.at >= asked));
        self.bases.insert(item.to_owned(), Span { asked, heard: now });
        if meanwhile {
            self.doubted.insert(item.to_owned());
        }
        meanwhile
    }

    /// Units were taken off an item's number. Whether its base is in doubt by it.
    fn took(&mut self, item: &str, units: i64, now: Timestamp) -> bool {
        self.taken += 1;
        let after = self.round.unwrap_or(Timestamp(i64::MIN));
        let events = self.events.entry(item.to_owned()).or_default();
        events.push_back(Event { at: now, after, units });
        if events.len() > ORDERS_KEPT
            && let Some(oldest) = events.pop_front()
        {
            self.since = self.since.max(oldest.at);
        }
        let doubted = self.bases.get(item).is_some_and(|base| after < base.heard);
        if doubted {
            self.doubted.insert(item.to_owned());
        }
        doubted
    }

    /// A round that began at `began` was read to its end. Batches that waited for it.
    fn round_ended(&mut self, began: Timestamp) -> Vec<BatchId> {
        self.round = self.round.max(Some(began));
        self.bases.retain(|_, base| base.heard > began);
        self.looks.iter().filter(|(_, look)| look.heard <= began).map(|(batch, _)| *batch).collect()
    }

    /// What was taken off an item since a number of it was read; `None` if that was before all that is remembered.
    fn taken(&self, item: &str, span: Span) -> Option<Taken> {
        if span.asked < self.since {
            return None;
        }
        let mut taken = Taken::default();
        for event in self.events.get(item).into_iter().flatten().filter(|event| event.at >= span.asked) {
            if event.after >= span.heard {
                taken.since = taken.since.saturating_add(event.units);
            } else {
                taken.maybe = taken.maybe.saturating_add(event.units.saturating_abs());
            }
        }
        Some(taken)
    }
}

impl LaneRuntime {
    /// Online orders move its platform's numbers, and they are read.
    pub(super) fn follows(&self, conn: &rusqlite::Connection, has_orders: bool) -> Result<bool, DbError> {
        Ok(has_orders && db::orders::poll_state(conn, self.id)?.paired_at.is_some())
    }

    /// What orders have taken off an item since the number was read that a frozen absolute write begins from.
    pub(super) fn taken_since(
        &self,
        conn: &rusqlite::Connection,
        item: &str,
        frozen: Option<&Frozen>,
    ) -> Result<Taken, DbError> {
        let remembered = frozen.and_then(|frozen| frozen.read).and_then(|span| self.looks.taken(item, span));
        if let Some(taken) = remembered {
            return Ok(taken);
        }
        let at = frozen.map_or(Timestamp(0), |frozen| frozen.at);
        let margin = i64::try_from(CLOCKS_DIFFER_MAX.as_micros()).unwrap_or(i64::MAX);
        let from = Timestamp(at.0.saturating_sub(margin));
        Ok(Taken { since: 0, maybe: db::orders::units_changed_since(conn, self.id, item, from)? })
    }
}

/// Whether some of them tell nothing but a number.
pub(super) fn is_silent(seen: &[Seen]) -> bool {
    seen.iter().any(|seen| seen.evidence == Evidence::Silent)
}

impl Writer {
    /// The platform of this lane has online orders.
    pub(super) fn has_orders(&self, lane: usize) -> bool {
        self.online.picks.get(lane).copied().flatten().is_some()
    }

    /// Asks for the orders of a lane to be read now.
    pub(super) fn orders_soon(&self, lane: usize) {
        if let Some(Some(soon)) = self.online.soon.get(lane) {
            soon.notify_one();
        }
    }

    /// Units of an item were taken off the platform's own number.
    pub(super) fn orders_took(&mut self, lane: usize, item: &str, units: i64) -> Result<(), DbError> {
        let now = self.now();
        let Some(runtime) = self.lanes.get_mut(lane) else { return Ok(()) };
        db::tables::add_told(&self.conn, runtime.id, item, units.saturating_neg())?;
        if units != 0 && runtime.looks.took(item, units, now) {
            db::tables::doubt_base(&self.conn, runtime.id, item)?;
        }
        Ok(())
    }

    /// A round of orders was read to its end: what waited for it is looked at again, and what is in doubt read anew.
    pub(super) fn orders_round_ended(&mut self, lane: usize, began: Timestamp) -> Result<(), DbError> {
        let now = self.now();
        let Some(runtime) = self.lanes.get_mut(lane) else { return Ok(()) };
        for batch in runtime.looks.round_ended(began) {
            runtime.lane.look_again(batch, now);
        }
        if runtime.traits.writes != Writes::Delta {
            runtime.looks.doubted.clear();
            return Ok(());
        }
        for item in std::mem::take(&mut runtime.looks.doubted) {
            let skus: Vec<SkuId> = runtime
                .targets
                .iter()
                .filter(|(_, target)| target.parts.iter().any(|part| part.item == item))
                .map(|(sku, _)| *sku)
                .collect();
            if skus.iter().any(|sku| runtime.lane.is_under_way(*sku)) {
                runtime.looks.doubted.insert(item);
                continue;
            }
            // Nothing of it is under way: its number is read anew with its place, before it is sold again.
            db::tables::forget_base(&self.conn, runtime.id, &item)?;
            for sku in skus {
                runtime.targets.remove(&sku);
                runtime.lane.forget_target(sku);
                db::tables::forget_target(&self.conn, runtime.id, sku)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: BatchId = BatchId(1);

    fn at(second: i64) -> Timestamp {
        Timestamp(second * 1_000_000)
    }

    fn shows(number: i64) -> [Seen; 1] {
        [Seen { number: Some(number), evidence: Evidence::Silent }]
    }

    fn begun() -> Looks {
        let mut looks = Looks::default();
        looks.begin(at(0));
        looks
    }

    #[test]
    fn a_number_is_judged_if_it_is_the_same_before_and_after_orders_were_read() {
        let mut looks = begun();
        looks.asks(BATCH, at(10));
        assert_eq!(looks.look(BATCH, &shows(7), at(11)), Verdict::Again(at(71)));
        assert!(looks.round_ended(at(10)).is_empty(), "that round began before the number was heard");
        looks.asks(BATCH, at(12));
        assert!(matches!(looks.look(BATCH, &shows(7), at(13)), Verdict::Again(_)));
        assert_eq!(looks.round_ended(at(14)), [BATCH]);
        looks.asks(BATCH, at(15));
        assert_eq!(looks.look(BATCH, &shows(7), at(16)), Verdict::Judge);
    }

    #[test]
    fn a_number_that_moved_and_orders_that_came_meanwhile_begin_it_anew() {
        let mut looks = begun();
        looks.asks(BATCH, at(10));
        assert!(matches!(looks.look(BATCH, &shows(7), at(11)), Verdict::Again(_)));
        looks.round_ended(at(12));
        looks.asks(BATCH, at(13));
        assert!(matches!(looks.look(BATCH, &shows(6), at(14)), Verdict::Again(_)), "it moved");
        looks.round_ended(at(15));
        looks.asks(BATCH, at(16));
        looks.took("a", 1, at(17));
        assert!(matches!(looks.look(BATCH, &shows(6), at(18)), Verdict::Again(_)), "an order came in");
        looks.round_ended(at(19));
        looks.asks(BATCH, at(20));
        assert_eq!(looks.look(BATCH, &shows(6), at(21)), Verdict::Judge);
    }

    #[test]
    fn without_orders_a_number_is_in_doubt_in_the_end() {
        let mut looks = begun();
        looks.asks(BATCH, at(10));
        assert!(matches!(looks.look(BATCH, &shows(7), at(11)), Verdict::Again(_)));
        looks.asks(BATCH, at(1811));
        assert_eq!(looks.look(BATCH, &shows(7), at(1811)), Verdict::Doubt);
    }

    #[test]
    fn orders_of_the_round_that_was_under_way_are_in_doubt_and_later_ones_are_not() {
        let mut looks = begun();
        looks.round_ended(at(5));
        let span = Span { asked: at(10), heard: at(11) };
        looks.took("a", 2, at(9));
        looks.took("a", 1, at(12));
        looks.round_ended(at(12));
        looks.took("a", 4, at(70));
        assert_eq!(looks.taken("a", span), Some(Taken { since: 4, maybe: 1 }));
        assert_eq!(looks.taken("b", span), Some(Taken::default()));
        assert_eq!(looks.taken("a", Span { asked: at(-1), heard: at(11) }), None);
    }

    #[test]
    fn a_base_is_in_doubt_for_orders_that_may_be_in_it() {
        let mut looks = begun();
        looks.round_ended(at(5));
        looks.asks_look_up(at(10));
        assert!(!looks.base_read("a", at(11)));
        assert!(looks.took("a", 1, at(12)));
        looks.round_ended(at(12));
        assert!(!looks.took("a", 1, at(72)), "that one was placed after the base was read");
    }
}
