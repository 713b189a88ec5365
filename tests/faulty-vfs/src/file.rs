//! One file: what is seen of it, what is on the platter, and the writes between the two.

use std::ops::Range;

use crate::dice::Dice;

/// What a power cut does to the writes that no fsync covers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CutMode {
    /// All are gone.
    AllLost,
    /// The first some are kept.
    PrefixKept,
    /// Each is kept or lost by itself: later ones may survive earlier ones.
    Reordered,
    /// As [`Self::Reordered`], and of the kept ones each sector by itself.
    Torn {
        /// 512 or 4,096 bytes.
        sector: usize,
    },
}

/// What a power cut did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CutLosses {
    pub(crate) lost: u64,
    pub(crate) torn: u64,
    pub(crate) reordered: u64,
}

#[derive(Debug, Clone)]
enum Op {
    /// Bytes of the file from `at`; the data are in the arena.
    Write {
        at: usize,
        data: Range<usize>,
    },
    Truncate(usize),
}

/// A file.
#[derive(Debug, Clone, Default)]
pub(crate) struct File {
    seen: Vec<u8>,
    platter: Vec<u8>,
    /// Since the last fsync, in order.
    ops: Vec<Op>,
    arena: Vec<u8>,
    /// Its name is on the platter.
    named: bool,
}

impl File {
    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Fills `into` as far as there is something; the rest becomes zero. Returns whether all was there.
    pub(crate) fn read(&self, at: usize, into: &mut [u8]) -> bool {
        let there = self.seen.get(at..).unwrap_or_default();
        let taken = there.len().min(into.len());
        let (filled, rest) = into.split_at_mut(taken);
        filled.copy_from_slice(there.get(..taken).unwrap_or_default());
        rest.fill(0);
        rest.is_empty()
    }

    pub(crate) fn write(&mut self, at: usize, data: &[u8]) {
        put(&mut self.seen, at, data);
        let start = self.arena.len();
        self.arena.extend_from_slice(data);
        self.ops.push(Op::Write { at, data: start..self.arena.len() });
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.seen.resize(len, 0);
        self.ops.push(Op::Truncate(len));
    }

    /// Everything written is on the platter.
    pub(crate) fn sync(&mut self) {
        for op in &self.ops {
            apply(&mut self.platter, op, &self.arena);
        }
        self.named = true;
        self.clean();
    }

    /// The fsync failed: some of it is on the platter, and the system takes all of it for clean. What programs see
    /// does not change until the power is cut.
    pub(crate) fn sync_failed(&mut self, dice: &mut Dice) {
        for op in &self.ops {
            if dice.below(2) == 0 {
                apply(&mut self.platter, op, &self.arena);
            }
        }
        self.clean();
    }

    /// Returns false if the file itself is gone.
    pub(crate) fn power_cut(&mut self, mode: CutMode, dice: &mut Dice, losses: &mut CutLosses) -> bool {
        if !self.named && dice.below(2) == 0 {
            return false;
        }
        let kept_first = dice.below(u64::try_from(self.ops.len()).unwrap_or(u64::MAX).saturating_add(1));
        let mut lost_before = false;
        for (index, op) in self.ops.iter().enumerate() {
            let kept = match mode {
                CutMode::AllLost => false,
                CutMode::PrefixKept => u64::try_from(index).is_ok_and(|index| index < kept_first),
                CutMode::Reordered | CutMode::Torn { .. } => dice.below(2) == 0,
            };
            if !kept {
                losses.lost += 1;
                lost_before = true;
                continue;
            }
            if lost_before {
                losses.reordered += 1;
            }
            match (mode, op) {
                (CutMode::Torn { sector }, Op::Write { at, data }) => {
                    let data = self.arena.get(data.clone()).unwrap_or_default();
                    if tear(&mut self.platter, *at, data, sector, dice) {
                        losses.torn += 1;
                    }
                }
                _ => apply(&mut self.platter, op, &self.arena),
            }
        }
        self.clean();
        self.named = true;
        self.seen.clone_from(&self.platter);
        true
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.ops.is_empty()
    }

    fn clean(&mut self) {
        self.ops.clear();
        self.arena.clear();
    }
}

fn apply(platter: &mut Vec<u8>, op: &Op, arena: &[u8]) {
    match op {
        Op::Write { at, data } => put(platter, *at, arena.get(data.clone()).unwrap_or_default()),
        Op::Truncate(len) => platter.resize(*len, 0),
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at.saturating_add(data.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(at..end) {
        place.copy_from_slice(data);
    }
}

/// Writes each sector or not. Returns whether something is missing.
fn tear(platter: &mut Vec<u8>, at: usize, data: &[u8], sector: usize, dice: &mut Dice) -> bool {
    let mut torn = false;
    let (mut at, mut rest) = (at, data);
    while !rest.is_empty() {
        let room = (sector - at % sector).min(rest.len());
        let (part, after) = rest.split_at(room);
        if dice.below(2) == 0 {
            put(platter, at, part);
        } else {
            torn = true;
        }
        at += room;
        rest = after;
    }
    torn
}
