//! What must be true when everything is at rest: the platform shows what lies on the shelf, the agent's own count
//! balances, and nothing is left lying.

use crate::agent::DeadLetter;
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
    /// Something was put aside for a person for no good reason.
    PutAside(String),
}

/// The only reason for which a change may be left to a person: its outcome is unknown and others changed the number.
const UNCERTAIN: &str = "uncertain";
/// Most such changes of one article at one comparison.
const PUT_ASIDE_MAX: usize = 10;

/// What a person does with what was put aside: number of the entry, and whether it is to be tried again. They count the
/// article: if the shop is right without the change it is in effect, else it is not.
///
/// # Errors
/// A [`Finding`] if it should not have been put aside, or nothing that a person can do makes it right.
pub fn decide(shown: &[i64], right: &[i64], dead: &[DeadLetter]) -> Result<Vec<(i64, bool)>, Finding> {
    if let Some(other) = dead.iter().find(|letter| letter.code != UNCERTAIN) {
        return Err(Finding::PutAside(format!("{other:?}")));
    }
    let mut decisions = Vec::new();
    for (article, (shown, right)) in shown.iter().zip(right).enumerate() {
        let of_article: Vec<&DeadLetter> = dead.iter().filter(|letter| letter.article == code(article)).collect();
        let missing = right - shown;
        if of_article.len() > PUT_ASIDE_MAX {
            return Err(Finding::PutAside(format!("{} changes of {}", of_article.len(), code(article))));
        }
        let chosen = (0..1_u32 << of_article.len()).find(|choice| {
            let retried = of_article.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
            retried.map(|(_, letter)| letter.delta).sum::<i64>() == missing
        });
        let Some(choice) = chosen else { return Err(Finding::Wrong(vec![(code(article), *shown, *right)])) };
        decisions.extend(of_article.iter().enumerate().map(|(bit, letter)| (letter.id, choice & (1 << bit) != 0)));
    }
    Ok(decisions)
}

/// Compares.
#[must_use]
pub fn judge(shown: &[i64], right: &[i64], audit: &tillsync::audit::Report) -> Option<Finding> {
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
    if !audit.conserved {
        return Some(Finding::NotConserved(format!("{audit:?}")));
    }
    (audit.quarantined_records > 0).then(|| Finding::PutAside(format!("{} records", audit.quarantined_records)))
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
