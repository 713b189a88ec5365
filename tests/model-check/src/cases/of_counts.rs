//! Sales and counts on a platform that adds changes up: the ways that were thought of, and what is wrong with most.

use super::Expected::{Holds, Violated};
use super::{Case, Expected, Model};
use crate::counts::{Counting, EntryIds, KeyMemory, Picks, Reading, RereadKey, Rules};

const CLASS: &str = "keyed changes";

fn case(name: &'static str, what: &'static str, expected: Expected, quick: bool, rules: Rules) -> Case {
    Case { name, what, class: CLASS, model: Model::Counts(rules), expected, quick }
}

pub(super) fn cases() -> Vec<Case> {
    let base = Rules::default();
    let count = Rules { counting: Counting::CompareAndSet, shrinks: true, ..base };
    let fenced = Rules { barrier: true, ..count };
    let small = Rules { sales: 1, losses: 1, crashes: 1, extra_sends: 2, ..fenced };
    let came_back = Rules { sales: 0, returns: true, orders: false, ..small };
    let correction = Rules { counting: Counting::Correction, ..count };
    let mut cases = deliveries(base);
    cases.extend([
        case(
            "count-set",
            "count written as a number, blindly",
            Violated { steps: 15 },
            true,
            Rules { counting: Counting::Set, ..count },
        ),
        case(
            "count-cas",
            "count by compare-and-set while changes are on their way",
            Violated { steps: 16 },
            false,
            count,
        ),
        case("count-cas-fenced", "count by compare-and-set behind a drained, fenced lane", Holds, false, fenced),
        case("count-cas-fenced-small", "the same, smaller bounds", Holds, true, small),
        case(
            "count-cas-aba",
            "the same with a return, a fresh key whenever the number is read again",
            Violated { steps: 16 },
            true,
            came_back,
        ),
        case(
            "count-cas-one-key",
            "the same, one key for the whole count",
            Holds,
            true,
            Rules { reread: RereadKey::Kept, ..came_back },
        ),
        case(
            "count-cas-picks",
            "fenced compare-and-set, picks missing in the till's log",
            Violated { steps: 18 },
            false,
            Rules { picks: Picks::Unlogged, ..fenced },
        ),
        case(
            "count-correction",
            "**ours**: count becomes a correction that travels like a sale",
            Holds,
            false,
            correction,
        ),
        case(
            "count-correction-no-picks",
            "the same, picks missing in the till's log",
            Violated { steps: 17 },
            false,
            Rules { picks: Picks::Unlogged, ..correction },
        ),
        case(
            "count-correction-picks",
            "**ours**: the same, picks in the log (1 sale, 1 loss)",
            Holds,
            true,
            Rules { picks: Picks::Logged, sales: 1, losses: 1, ..correction },
        ),
        case(
            "count-correction-return",
            "**ours**: the same with a return (1 sale, 1 loss)",
            Holds,
            false,
            Rules { sales: 1, losses: 1, returns: true, ..correction },
        ),
    ]);
    cases
}

fn deliveries(base: Rules) -> Vec<Case> {
    vec![
        case(
            "cursor-first",
            "the cursor is stored before the entry",
            Violated { steps: 6 },
            true,
            Rules { reading: Reading::CursorFirst, ..base },
        ),
        case(
            "random-ids",
            "the entry before the cursor, random numbers",
            Violated { steps: 17 },
            true,
            Rules { reading: Reading::EntryFirst, ids: EntryIds::Random, ..base },
        ),
        case(
            "entry-first",
            "the entry before the cursor, numbers by source",
            Holds,
            true,
            Rules { reading: Reading::EntryFirst, ..base },
        ),
        case(
            "no-keys",
            "one commit, no keys at the platform",
            Violated { steps: 13 },
            true,
            Rules { keys: KeyMemory::None, ..base },
        ),
        case(
            "keys-forgotten",
            "one commit, one key for ever, the platform forgets it",
            Violated { steps: 14 },
            true,
            Rules { keys: KeyMemory::Forgets, ..base },
        ),
        case("keys-kept", "**ours**: one commit, one key, the platform never forgets", Holds, true, base),
    ]
}
