//! What a number read back from the platform says about a change whose outcome is unknown.
//!
//! The platform should show `before` if the change never took effect and `before + change` if it did. A number
//! between the two is what a part of a merged change leaves (the rest was sent by a database that was lost): the
//! store's number is written. Anything else means that somebody else changed the platform too (a fulfilled online
//! order, a hand in the admin). Writing then could put stock back that is gone, so it is left to a person or to the
//! next count (invariants 5 and 6).

/// What follows from a number that was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The change is in effect.
    InEffect,
    /// Write this number, if the platform still shows the one that was read.
    Write {
        /// The store's number.
        on_hand: i64,
    },
    /// It cannot be told; nothing is written.
    Ambiguous,
}

/// What the platform itself tells of one row of a request, beside its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Evidence {
    /// A marker, reference or movement shows that the row is in effect.
    Applied,
    /// The platform would show it, and does not: the row had no effect.
    NotApplied,
    /// The platform cannot tell.
    #[default]
    Silent,
}

/// What follows for a row whose outcome was unknown, after looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is in effect.
    InEffect,
    /// It had no effect: its entry goes back to waiting.
    Again,
    /// Write this number, if the platform still shows the one that was read.
    Write {
        /// The store's number.
        on_hand: i64,
    },
    /// It cannot be told; nothing is written.
    Ambiguous,
}

/// Judges a row of a relative write. `before` is what the platform should show without it, if that is known.
#[must_use]
pub fn judge_delta(evidence: Evidence, shown: Option<i64>, before: Option<i64>, change: i64) -> Judgement {
    match (evidence, shown, before) {
        (Evidence::Applied, _, _) => Judgement::InEffect,
        (Evidence::NotApplied, Some(_), _) => Judgement::Again,
        (Evidence::Silent, Some(shown), Some(before)) => match settle(shown, before, change) {
            Settlement::InEffect => Judgement::InEffect,
            Settlement::Write { on_hand } => Judgement::Write { on_hand },
            Settlement::Ambiguous => Judgement::Ambiguous,
        },
        (Evidence::NotApplied | Evidence::Silent, _, _) => Judgement::Ambiguous,
    }
}

/// Judges a row of an absolute write: `before` was read, `written` was sent. A number that is neither means that
/// somebody else wrote too, before or after us: nothing follows from it.
#[must_use]
pub fn judge_absolute(evidence: Evidence, shown: Option<i64>, before: i64, written: i64) -> Judgement {
    match (evidence, shown) {
        (Evidence::Applied, _) => Judgement::InEffect,
        (Evidence::NotApplied, Some(_)) => Judgement::Again,
        (Evidence::Silent, Some(shown)) if shown == written => Judgement::InEffect,
        (Evidence::Silent, Some(shown)) if shown == before => Judgement::Again,
        (Evidence::NotApplied | Evidence::Silent, _) => Judgement::Ambiguous,
    }
}

/// What online orders have taken off an item's number since a number of it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Units taken off since for sure; negative: put back.
    pub since: i64,
    /// Beside them, units of which nobody knows whether the number that was read holds them already; never negative.
    pub maybe: i64,
}

/// Judges a row of an absolute write beside what online orders have `taken` since `before` was read. Only what a single
/// reading of it explains is decided: where orders could stand for the row, nobody can tell.
#[must_use]
pub fn judge_absolute_beside(
    evidence: Evidence,
    shown: Option<i64>,
    before: i64,
    written: i64,
    taken: Taken,
) -> Judgement {
    let (Evidence::Silent, Some(shown)) = (evidence, shown) else {
        return judge_absolute(evidence, shown, before, written);
    };
    let fits = |number: i64| {
        let due = number.saturating_sub(taken.since);
        (due.saturating_sub(taken.maybe.max(0))..=due).contains(&shown)
    };
    match (fits(written), fits(before)) {
        (true, _) if written == before => Judgement::InEffect,
        (true, false) => Judgement::InEffect,
        (false, true) => Judgement::Again,
        (true, true) | (false, false) => Judgement::Ambiguous,
    }
}

/// The number to write where only absolute numbers are taken: what was read, the change, and what could not be
/// written before because the platform knows no number below zero (`owed`, never positive). Returns the number and
/// what is owed after it.
#[must_use]
pub fn absolute(read: i64, change: i64, owed: i64, floor_zero: bool) -> (i64, i64) {
    let due = read.saturating_add(change).saturating_add(owed.min(0));
    if floor_zero && due < 0 { (0, due) } else { (due, 0) }
}

/// Judges one item. `before` is what the platform should show without the change, all in whole units.
#[must_use]
pub fn settle(shown: i64, before: i64, change: i64) -> Settlement {
    let due = before.saturating_add(change);
    if shown == due {
        return Settlement::InEffect;
    }
    let between = shown >= due.min(before) && shown <= due.max(before);
    // No platform that is read back takes a physical number below zero.
    if between && due >= 0 { Settlement::Write { on_hand: due } } else { Settlement::Ambiguous }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "numbers are made up here and small")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_change_that_is_there_is_not_written_again() {
        assert_eq!(settle(7, 10, -3), Settlement::InEffect);
    }

    #[test]
    fn a_change_that_is_not_there_or_in_part_is_written() {
        assert_eq!(settle(10, 10, -3), Settlement::Write { on_hand: 7 });
        assert_eq!(settle(8, 10, -3), Settlement::Write { on_hand: 7 });
    }

    #[test]
    fn a_number_that_others_changed_is_left_alone() {
        assert_eq!(settle(5, 10, -3), Settlement::Ambiguous);
        assert_eq!(settle(12, 10, -3), Settlement::Ambiguous);
        assert_eq!(settle(1, 1, -3), Settlement::Ambiguous);
    }

    #[test]
    fn evidence_decides_before_numbers_do() {
        assert_eq!(judge_delta(Evidence::Applied, Some(10), Some(10), -3), Judgement::InEffect);
        assert_eq!(judge_delta(Evidence::NotApplied, Some(7), Some(10), -3), Judgement::Again);
        assert_eq!(judge_delta(Evidence::NotApplied, None, Some(10), -3), Judgement::Ambiguous);
        assert_eq!(judge_delta(Evidence::Silent, Some(7), None, -3), Judgement::Ambiguous);
        assert_eq!(judge_delta(Evidence::Silent, Some(9), Some(10), -3), Judgement::Write { on_hand: 7 });
    }

    #[test]
    fn an_absolute_write_is_repeated_only_if_nothing_has_changed() {
        assert_eq!(judge_absolute(Evidence::Silent, Some(7), 10, 7), Judgement::InEffect);
        assert_eq!(judge_absolute(Evidence::Silent, Some(10), 10, 7), Judgement::Again);
        assert_eq!(judge_absolute(Evidence::Silent, Some(9), 10, 7), Judgement::Ambiguous);
        assert_eq!(judge_absolute(Evidence::Silent, None, 10, 7), Judgement::Ambiguous);
        assert_eq!(judge_absolute(Evidence::Applied, Some(9), 10, 7), Judgement::InEffect);
    }

    #[test]
    fn an_order_beside_an_absolute_write_is_told_from_it_or_nobody_can_tell() {
        let judge = |shown, taken| judge_absolute_beside(Evidence::Silent, Some(shown), 10, 9, taken);
        let sure = Taken { since: 1, maybe: 0 };
        assert_eq!(judge(9, sure), Judgement::Again, "the order alone");
        assert_eq!(judge(8, sure), Judgement::InEffect, "the order and the change");
        let maybe = Taken { since: 0, maybe: 1 };
        assert_eq!(judge(9, maybe), Judgement::Ambiguous);
        assert_eq!(judge(10, maybe), Judgement::Again);
        assert_eq!(judge(8, maybe), Judgement::InEffect);
        assert_eq!(judge(9, Taken::default()), Judgement::InEffect);
    }

    #[test]
    fn what_was_sold_below_zero_is_owed_until_goods_come_in() {
        assert_eq!(absolute(1, -3, 0, true), (0, -2));
        assert_eq!(absolute(0, 5, -2, true), (3, 0));
        assert_eq!(absolute(1, -3, 0, false), (-2, 0));
    }

    proptest! {
        #[test]
        fn what_is_written_and_owed_adds_up(read in 0_i64..50, change in -50_i64..50, owed in -50_i64..=0) {
            let (written, after) = absolute(read, change, owed, true);
            prop_assert_eq!(written + after, read + change + owed);
            prop_assert!(written >= 0 && after <= 0);
        }

        #[test]
        fn settling_a_sale_never_raises_the_shops_number(shown in -50_i64..50, before in -50_i64..50, change in -50_i64..=0) {
            if let Settlement::Write { on_hand } = settle(shown, before, change) {
                prop_assert!(on_hand < shown);
            }
        }
    }
}
