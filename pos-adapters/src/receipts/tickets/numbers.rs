//! What is remembered between tickets: which numbers came, what was read since the last Z report, how the till's clock
//! stands. Pure, bounded, saved with the cursor.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use sync_core::model::{Quantity, Timestamp};

/// Registers on one line, at most.
const REGISTERS_MAX: usize = 64;
/// A jump by more than this is another numbering, not lost tickets.
const GAP_MAX: u64 = 1_000;
/// Open gaps that are remembered a register, so that late tickets can close them.
const GAPS_KEPT_MAX: usize = 64;
/// A number below this, far behind the last, is the start of a new numbering.
const RESTART_MAX: u64 = 10;
/// Tickets by which reprints are recognised.
const RECENT_MAX: usize = 256;
/// Offsets of which the median is the till's clock.
const OFFSETS_MAX: usize = 31;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    #[serde(default)]
    registers: BTreeMap<String, Register>,
    #[serde(default)]
    recent: VecDeque<Recent>,
    #[serde(default)]
    offsets: VecDeque<i64>,
}

/// A ticket by which its reprint is recognised: hash of the key, total in millionths, hash of the lines, and whether its
/// control sums held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Recent(u64, i64, u64, bool);

/// One register.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Register {
    last: u64,
    /// First and last missing number.
    #[serde(default)]
    gaps: VecDeque<(u64, u64)>,
    /// Of all tickets since the last Z report.
    #[serde(default)]
    total: Quantity,
    #[serde(default)]
    tickets: u64,
    /// A Z report was seen, so that the sum is that of a whole period.
    #[serde(default)]
    from_report: bool,
}

/// What a number says of the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The next one, the first one, or one that was missing.
    Fits,
    /// These did not come.
    Gap { first: u64, last: u64 },
    /// Another numbering began.
    Restarted,
}

/// How a ticket relates to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    New,
    /// Same key, total and lines.
    Same,
    /// Same key, other content.
    Differs,
    /// Same key as one whose sums did not hold, and its sums do.
    Mends,
}

/// What a Z report says against what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) total: Quantity,
    pub(super) tickets: u64,
    /// Whether all of the period was read.
    pub(super) whole: bool,
}

impl Memory {
    fn register(&mut self, name: &str) -> &mut Register {
        if !self.registers.contains_key(name) && self.registers.len() >= REGISTERS_MAX {
            self.registers.pop_first();
        }
        self.registers.entry(name.to_owned()).or_default()
    }

    /// Notes a ticket number.
    pub(super) fn number(&mut self, register: &str, number: u64) -> Seen {
        let known = self.register(register);
        let last = known.last;
        if last == 0 || number == last.saturating_add(1) {
            known.last = number;
            return Seen::Fits;
        }
        if number > last {
            known.last = number;
            if number.saturating_sub(last) > GAP_MAX {
                return Seen::Restarted;
            }
            let (first, last) = (last.saturating_add(1), number.saturating_sub(1));
            if known.gaps.len() >= GAPS_KEPT_MAX {
                known.gaps.pop_front();
            }
            known.gaps.push_back((first, last));
            return Seen::Gap { first, last };
        }
        if let Some(at) = known.gaps.iter().position(|(first, last)| (*first..=*last).contains(&number)) {
            if let Some((first, last)) = known.gaps.remove(at) {
                let parts = [(first, number.saturating_sub(1)), (number.saturating_add(1), last)];
                known.gaps.extend(parts.into_iter().filter(|(first, last)| first <= last));
            }
            return Seen::Fits;
        }
        if number <= RESTART_MAX && last > number.saturating_add(RESTART_MAX) {
            known.last = number;
            known.gaps.clear();
            return Seen::Restarted;
        }
        Seen::Fits
    }

    /// Numbers that are missing now, over all registers.
    pub(super) fn missing(&self) -> u64 {
        let gaps = self.registers.values().flat_map(|register| &register.gaps);
        gaps.fold(0, |sum: u64, (first, last)| sum.saturating_add(last.saturating_sub(*first).saturating_add(1)))
    }

    /// Compares a ticket with those before it, and remembers it; `holds` tells whether its control sums do.
    pub(super) fn ticket(&mut self, key: &str, total: Quantity, content: &str, holds: bool) -> Repeat {
        let ticket = Recent(hash(key), total.micros(), hash(content), holds);
        if let Some(known) = self.recent.iter_mut().find(|known| known.0 == ticket.0) {
            if (known.1, known.2) == (ticket.1, ticket.2) {
                return Repeat::Same;
            }
            if known.3 || !holds {
                return Repeat::Differs;
            }
            *known = ticket;
            return Repeat::Mends;
        }
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(ticket);
        Repeat::New
    }

    /// Adds a ticket to the period of its register.
    pub(super) fn sold(&mut self, register: &str, total: Quantity) {
        let known = self.register(register);
        known.total = known.total.saturating_add(total);
        known.tickets = known.tickets.saturating_add(1);
    }

    /// Ends the period of a register and tells what was read in it.
    pub(super) fn close(&mut self, register: &str) -> Period {
        let known = self.register(register);
        let period = Period { total: known.total, tickets: known.tickets, whole: known.from_report };
        (known.total, known.tickets, known.from_report) = (Quantity::ZERO, 0, true);
        period
    }

    /// Notes when a ticket was printed by the till's clock, and when its bytes came.
    pub(super) fn clock(&mut self, printed: Timestamp, arrived: Timestamp) {
        if self.offsets.len() >= OFFSETS_MAX {
            self.offsets.pop_front();
        }
        self.offsets.push_back(printed.0.saturating_sub(arrived.0) / 1_000_000);
    }

    /// Seconds that the till's clock is ahead: the median of the last tickets.
    pub(super) fn clock_offset(&self) -> Option<i64> {
        let mut sorted: Vec<i64> = self.offsets.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

/// FNV-1a, 64 bits: stable across releases, since it is stored.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_number_is_told_once_and_may_come_late() {
        let mut memory = Memory::default();
        assert_eq!(memory.number("1", 100), Seen::Fits);
        assert_eq!(memory.number("1", 101), Seen::Fits);
        assert_eq!(memory.number("2", 7), Seen::Fits);
        assert_eq!(memory.number("1", 105), Seen::Gap { first: 102, last: 104 });
        assert_eq!(memory.missing(), 3);
        assert_eq!(memory.number("1", 103), Seen::Fits);
        assert_eq!(memory.missing(), 2);
        assert_eq!(memory.number("1", 106), Seen::Fits);
        assert_eq!(memory.number("1", 1), Seen::Restarted);
        assert_eq!(memory.number("1", 2), Seen::Fits);
        assert_eq!(memory.number("1", 90_000), Seen::Restarted);
    }

    #[test]
    fn the_same_ticket_again_is_known_by_key_total_and_lines() {
        let mut memory = Memory::default();
        let total = Quantity::from_micros(5);
        assert_eq!(memory.ticket("1|7|2026-01-01", total, "x", true), Repeat::New);
        assert_eq!(memory.ticket("1|7|2026-01-01", total, "x", true), Repeat::Same);
        assert_eq!(memory.ticket("1|7|2026-01-01", Quantity::ZERO, "x", true), Repeat::Differs);
        for n in 0..RECENT_MAX {
            memory.ticket(&n.to_string(), total, "", true);
        }
        assert!(memory.recent.len() <= RECENT_MAX);
    }

    #[test]
    fn the_clock_of_the_till_is_the_median_offset() {
        let mut memory = Memory::default();
        for seconds in [427, 428, 3_600, 426, 427] {
            memory.clock(Timestamp(seconds * 1_000_000), Timestamp(0));
        }
        assert_eq!(memory.clock_offset(), Some(427));
    }
}
