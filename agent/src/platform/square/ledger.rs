//! When a change is said to have happened, so that Square's ledger comes to the store's number.
//!
//! Square's number is the last physical count and all adjustments dated after it. Two things follow.
//!
//! - A change must be dated after the last count that *we* wrote: that count holds every sale that was recorded when it was
//!   written, whatever the till's clock said, and a late ticket dated before it would have no effect. A count that somebody
//!   took in Square itself holds the sales made before it, so a late ticket keeps the till's time towards that one. Which
//!   counts we wrote before this start is not remembered: nothing is dated before the start.
//! - A count is dated at the moment at which the number was asked for that it corrects, unless we changed the article
//!   since: an online order that came in between then lies after the count and stays in effect. An order in the second in
//!   which the number is read may be taken off twice, never put back: the next reconciliation finds it.
//!
//! All of it by Square's clock, which is learned from the `Date` of its replies; until the first one ours is believed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::model::Timestamp;

use super::OLDEST;

/// Articles remembered; with more of them the memory begins anew, which only makes dates more careful.
const ITEMS_MAX: usize = 200_000;
/// Between a count and the first change after it.
const STEP: Duration = Duration::from_millis(1);
/// `Date` has whole seconds, and replies take a while: smaller differences are none.
const JITTER: i64 = 3_000_000;

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// When the number was asked for, and what it was.
    read: Option<(Timestamp, i64)>,
    /// When a change of ours was last frozen.
    changed: Option<Timestamp>,
    /// The date of our last count.
    counted: Option<Timestamp>,
}

#[derive(Debug)]
struct Memory {
    /// Nothing is dated before it.
    floor: Timestamp,
    /// Square's clock less ours, in microseconds, once it is known.
    ahead: Option<i64>,
    items: BTreeMap<String, Known>,
}

pub(super) struct Dates(Mutex<Memory>);

impl Dates {
    pub(super) fn new(started: Timestamp) -> Self {
        Self(Mutex::new(Memory { floor: started.plus(STEP), ahead: None, items: BTreeMap::new() }))
    }

    /// Square's clock when ours says `now`.
    pub(super) fn theirs(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_add(self.memory().ahead.unwrap_or(0)))
    }

    /// A reply that came at `now` says what time it is at Square.
    pub(super) fn told(&self, date: Timestamp, now: Timestamp) {
        let ahead = date.0.saturating_sub(now.0);
        let mut memory = self.memory();
        let known = memory.ahead.unwrap_or(0);
        if ahead.saturating_sub(known).abs() > JITTER {
            memory.floor = Timestamp(memory.floor.0.saturating_add(ahead.saturating_sub(known)));
            memory.ahead = Some(ahead);
        }
    }

    /// The date of a change that is frozen now.
    pub(super) fn change(&self, item: &str, sold_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let now = self.theirs(now);
        let mut memory = self.memory();
        let floor = memory.floor;
        let known = memory.of(item, now);
        known.changed = Some(now);
        let after = known.counted.map_or(floor, |counted| counted.plus(STEP).max(floor));
        sold_at.unwrap_or(now).max(before(now, OLDEST)).min(now).max(after)
    }

    /// The date of a count that is frozen now and corrects the number that was read.
    pub(super) fn count(&self, item: &str, expected: i64, now: Timestamp) -> Timestamp {
        let now = self.theirs(now);
        let mut memory = self.memory();
        let known = memory.of(item, now);
        let read = known.read.filter(|(at, number)| {
            *number == expected && known.changed.is_none_or(|changed| changed < *at) && *at >= before(now, OLDEST)
        });
        let after = known.counted.map_or(Timestamp(i64::MIN), |counted| counted.plus(STEP));
        let at = read.map_or(now, |(at, _)| at.min(now)).max(after);
        known.counted = Some(at);
        at
    }

    /// A number was asked for at `asked`, by our clock, and came back.
    pub(super) fn read(&self, item: &str, number: i64, asked: Timestamp) {
        let asked = self.theirs(asked);
        self.memory().of(item, asked).read = Some((asked, number));
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn of(&mut self, item: &str, now: Timestamp) -> &mut Known {
        if self.items.len() >= ITEMS_MAX && !self.items.contains_key(item) {
            self.items.clear();
            self.floor = now.plus(STEP);
        }
        self.items.entry(item.to_owned()).or_default()
    }
}

/// Earlier by `span`.
pub(super) fn before(at: Timestamp, span: Duration) -> Timestamp {
    Timestamp(at.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_795_428_000_000_000);

    fn at(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_sale_keeps_the_tills_time_within_what_square_takes() {
        let dates = Dates::new(START);
        assert_eq!(dates.change("A", Some(at(10)), at(20)), at(10));
        assert_eq!(dates.change("A", Some(at(99)), at(20)), at(20), "a till whose clock is ahead");
        assert_eq!(dates.change("A", None, at(20)), at(20));
        let days = 3 * 24 * 3600;
        assert_eq!(dates.change("A", Some(at(10)), at(days)), before(at(days), OLDEST), "after an outage of days");
    }

    #[test]
    fn nothing_is_dated_before_the_start_or_our_last_count() {
        let dates = Dates::new(START);
        assert_eq!(dates.change("A", Some(before(START, OLDEST)), at(5)), START.plus(STEP));
        let counted = dates.count("A", 7, at(30));
        assert_eq!(counted, at(30));
        assert_eq!(dates.change("A", Some(at(10)), at(40)), counted.plus(STEP), "a late ticket still counts");
        assert_eq!(dates.change("B", Some(at(10)), at(40)), at(10), "of another article");
    }

    #[test]
    fn a_count_is_dated_when_its_number_was_read_unless_we_wrote_since() {
        let dates = Dates::new(START);
        dates.read("A", 7, at(50));
        assert_eq!(dates.count("A", 7, at(60)), at(50));
        dates.read("A", 8, at(70));
        assert_eq!(dates.count("A", 7, at(80)), at(80), "another number than was read");
        dates.read("A", 7, at(90));
        dates.change("A", None, at(95));
        assert_eq!(dates.count("A", 7, at(99)), at(99), "we wrote since");
    }

    #[test]
    fn squares_clock_is_learned_from_its_replies() {
        let dates = Dates::new(START);
        dates.told(at(299), at(0));
        assert_eq!(dates.change("A", None, at(10)), at(309));
        dates.told(at(310), at(10));
        assert_eq!(dates.change("A", None, at(20)), at(319), "a second is jitter");
        dates.told(at(20), at(20));
        assert_eq!(dates.change("B", Some(at(25)), at(22)), at(22));
    }
}
