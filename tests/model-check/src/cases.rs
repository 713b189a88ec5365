//! The cases: which rules, in which world, and what must come out.

use crate::check::{self, Finding, Verdict};
use crate::{counts, lanes};

mod of_counts;
mod of_lanes;

/// Which model a case is for.
#[derive(Debug, Clone)]
pub enum Model {
    /// See [`counts`].
    Counts(counts::Rules),
    /// See [`lanes`].
    Lanes(lanes::Rules),
}

/// What must come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing is ever wrong.
    Holds,
    /// Wrong after this many steps at the soonest.
    Violated {
        /// Length of the shortest trace.
        steps: usize,
    },
}

/// One set of rules in one world.
#[derive(Debug, Clone)]
pub struct Case {
    /// Short, for the command line.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Kind of platform.
    pub class: &'static str,
    /// Rules and bounds.
    pub model: Model,
    /// What must come out.
    pub expected: Expected,
    /// Searched by the ordinary tests too: done within a second or two.
    pub quick: bool,
}

/// More states than any case generates, repeats included.
const STATES_MAX: usize = 200_000_000;

impl Case {
    /// Searches it.
    #[must_use]
    pub fn search(&self) -> Finding {
        self.search_at_most(STATES_MAX)
    }

    /// Searches it until `states_max` states were generated, repeats included.
    #[must_use]
    pub fn search_at_most(&self, states_max: usize) -> Finding {
        match &self.model {
            Model::Counts(rules) => check::search(*rules, states_max),
            Model::Lanes(rules) => check::search(*rules, states_max),
        }
    }

    /// Whether that is what must come out.
    #[must_use]
    pub fn is_met(&self, finding: &Finding) -> bool {
        match (&finding.verdict, self.expected) {
            (Verdict::Holds, Expected::Holds) => true,
            (Verdict::Violated { trace, .. }, Expected::Violated { steps }) => trace.len() == steps,
            (Verdict::Holds | Verdict::Violated { .. } | Verdict::Unfinished, _) => false,
        }
    }
}

/// All of them, in the order of the published table.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases = of_counts::cases();
    cases.extend(of_lanes::cases());
    cases
}
