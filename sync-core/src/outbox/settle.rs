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

    proptest! {
        #[test]
        fn settling_a_sale_never_raises_the_shops_number(shown in -50_i64..50, before in -50_i64..50, change in -50_i64..=0) {
            if let Settlement::Write { on_hand } = settle(shown, before, change) {
                prop_assert!(on_hand < shown);
            }
        }
    }
}
