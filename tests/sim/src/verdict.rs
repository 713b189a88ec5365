//! What must be true when everything is at rest: the platform shows what lies on the shelf, the agent's own count
//! balances, and nothing is left lying.

use crate::tally::Tally;
use crate::till::code;

/// What was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The agent does not start although nothing is in its way.
    CannotStart(String),
    /// Something is still waiting after days without a fault.
    NeverQuiet(String),
    /// The platform shows other numbers: article, shown, right.
    Wrong(Vec<(String, i64, i64)>),
    /// The agent's own count does not balance.
    NotConserved(String),
    /// Something was put aside for a person that needs none.
    DeadLetters(i64),
}

/// Compares.
#[must_use]
pub fn judge(shown: &[i64], right: &[i64], audit: &tillsync::audit::Report) -> Option<Finding> {
    if !audit.conserved {
        return Some(Finding::NotConserved(format!("{audit:?}")));
    }
    let wrong: Vec<_> = shown
        .iter()
        .zip(right)
        .enumerate()
        .filter(|(_, (shown, right))| shown != right)
        .map(|(article, (shown, right))| (code(article), *shown, *right))
        .collect();
    if !wrong.is_empty() {
        return Some(Finding::Wrong(wrong));
    }
    let dead: i64 = audit.lanes.iter().map(|lane| lane.dead_letters).sum();
    (dead > 0 || audit.quarantined_records > 0).then(|| Finding::DeadLetters(dead + audit.quarantined_records))
}

/// Counts the units that are missing or doubled.
pub fn count(shown: &[i64], right: &[i64], tally: &mut Tally) {
    for (shown, right) in shown.iter().zip(right) {
        let more = u64::try_from(shown - right).unwrap_or(0);
        let less = u64::try_from(right - shown).unwrap_or(0);
        tally.lost += more;
        tally.doubled += less;
        tally.oversold += u64::try_from((shown - right.max(&0)).max(0)).unwrap_or(0);
    }
}
