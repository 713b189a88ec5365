//! The kill matrix: the real agent dies or fails at each of its crash points, goes on, and must come out exact.
//!
//! Crash points are found in the agent's source, so that a new one is part of the next run. One [`Case`] is one
//! point, one action and one occurrence, in the scenario that reaches the point. The judge is the
//! [`oracle`](crate::oracle): what the registers printed against what the receiver applied; `tillsync audit` must
//! agree. A case whose point was not hit has proven nothing and counts as failed.
//!
//! What it cannot see: what a disk loses in a power cut. A killed process leaves its page cache to the system, so
//! [`durability`] counts the calls that make a commit durable instead.

mod case;
pub mod durability;
mod points;

pub use self::case::{Case, Judged, Limits};
pub use self::points::{points, source_folder};

use std::fmt;
use std::str::FromStr;

/// What happens at an armed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process ends at once.
    Kill,
    /// The step fails.
    Error,
    /// The step fails because the disk is full.
    DiskFull,
    /// The step fails because the disk does not work.
    InputOutput,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kill, Self::Error, Self::DiskFull, Self::InputOutput];

    /// The agent's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Error => "error",
            Self::DiskFull => "enospc",
            Self::InputOutput => "eio",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == word);
        found.ok_or_else(|| format!("`{word}` is none of kill, error, enospc, eio"))
    }
}

/// What goes on around the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Mixed registers, an `http` platform that loses requests and replies.
    Door,
    /// Tens of thousands of lines wait: enough for the write-ahead log to be folded while sales are recorded.
    Backlog,
    /// Mixed registers, a shop where each article must be looked up first, and online orders.
    Shop,
    /// The shop says that keys were used for something else: outcomes are settled by read-back and absolute writes.
    Conflicts,
}

impl Scenario {
    /// The one that reaches this point.
    #[must_use]
    pub fn reaching(point: &str) -> Self {
        match point {
            "checkpoint" => Self::Backlog,
            "looked_up" => Self::Shop,
            "absolute_frozen" => Self::Conflicts,
            _ => Self::Door,
        }
    }

    /// Its name in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Door => "door",
            Self::Backlog => "backlog",
            Self::Shop => "shop",
            Self::Conflicts => "conflicts",
        }
    }
}

/// All cases, points varying fastest, so that a run that is cut short has seen many of them.
#[must_use]
pub fn cases(points: &[String], actions: &[Action], occurrences: &[u32]) -> Vec<Case> {
    let mut cases = Vec::new();
    for occurrence in occurrences {
        for action in actions {
            for point in points {
                let number = u64::try_from(cases.len()).unwrap_or(0);
                cases.push(Case {
                    point: point.clone(),
                    action: *action,
                    occurrence: *occurrence,
                    scenario: Scenario::reaching(point),
                    seed: number + 1,
                });
            }
        }
    }
    cases
}
