//! Negative controls: one rule of the design broken on purpose, to see that the kill matrix catches it.
//!
//! Only compiled with the feature `negative-controls`, which no package and no release has; without it every
//! question is answered "not broken" at compile time.

/// A rule that a control build can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The cursor is saved in a commit of its own before what it covers (breaks invariant 2).
    CursorFirst,
    /// A retry gets a new key (breaks invariant 3).
    FreshKeyOnRetry,
    /// After a lost reply the entries go back and are batched anew (breaks invariant 3).
    RegroupAfterLostReply,
    /// Transactions get random keys in the ledger (breaks invariant 1).
    RandomIds,
    /// Commits do not wait for the disk.
    NoFsync,
}

/// Whether this run breaks the rule.
#[cfg(feature = "negative-controls")]
pub fn breaks(rule: Rule) -> bool {
    let name = match rule {
        Rule::CursorFirst => "cursor-first",
        Rule::FreshKeyOnRetry => "fresh-key",
        Rule::RegroupAfterLostReply => "regroup",
        Rule::RandomIds => "random-ids",
        Rule::NoFsync => "no-fsync",
    };
    std::env::var("TILLSYNC_BREAK").is_ok_and(|broken| broken == name)
}

/// Never, outside of control builds.
#[cfg(not(feature = "negative-controls"))]
#[inline]
pub const fn breaks(_rule: Rule) -> bool {
    false
}
