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
    /// Where no key protects a repeat, the change is sent again without looking (breaks invariant 3).
    NoReadBack,
    /// A compare-and-set that found another number counts as done (breaks invariant 6).
    IgnoreStale,
    /// A number that others changed is written over with ours (breaks invariant 6).
    BlindSet,
    /// A request is sent before the commit that stores it (breaks invariant 3).
    SendBeforeCommit,
    /// A key is relied on for ever (breaks invariant 3).
    EndlessKeys,
    /// An answer that says nothing counts as done (breaks invariant 4).
    UnknownIsDone,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::CursorFirst,
        Self::FreshKeyOnRetry,
        Self::RegroupAfterLostReply,
        Self::RandomIds,
        Self::NoFsync,
        Self::NoReadBack,
        Self::IgnoreStale,
        Self::BlindSet,
        Self::SendBeforeCommit,
        Self::EndlessKeys,
        Self::UnknownIsDone,
    ];

    /// Its name in `TILLSYNC_BREAK`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CursorFirst => "cursor-first",
            Self::FreshKeyOnRetry => "fresh-key",
            Self::RegroupAfterLostReply => "regroup",
            Self::RandomIds => "random-ids",
            Self::NoFsync => "no-fsync",
            Self::NoReadBack => "no-read-back",
            Self::IgnoreStale => "ignore-stale",
            Self::BlindSet => "blind-set",
            Self::SendBeforeCommit => "send-before-commit",
            Self::EndlessKeys => "endless-keys",
            Self::UnknownIsDone => "unknown-is-done",
        }
    }
}

#[cfg(feature = "negative-controls")]
static BROKEN: std::sync::Mutex<Option<Option<Rule>>> = std::sync::Mutex::new(None);

/// Breaks a rule from here on in place of the one that the environment names, or none.
#[cfg(feature = "negative-controls")]
pub fn break_rule(rule: Option<Rule>) {
    *BROKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(rule);
}

/// Whether this run breaks the rule.
#[cfg(feature = "negative-controls")]
pub fn breaks(rule: Rule) -> bool {
    let mut broken = BROKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let broken = broken.get_or_insert_with(|| {
        let name = std::env::var("TILLSYNC_BREAK").ok()?;
        Rule::ALL.into_iter().find(|rule| rule.name() == name)
    });
    *broken == Some(rule)
}

/// Never, outside of control builds.
#[cfg(not(feature = "negative-controls"))]
#[inline]
pub const fn breaks(_rule: Rule) -> bool {
    false
}
