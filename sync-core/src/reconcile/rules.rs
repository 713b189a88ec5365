//! The guard rails of a reconciliation (invariant 9): what a person has to see before it is written.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Plan, Standing};

/// Limits; the defaults suit a shop that reconciles every day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Time between the two looks that a repair needs. Longer than a platform's own delay of reads.
    pub confirm_after: Duration,
    /// Repairs of one run; the rest waits for the next.
    pub repairs_max: usize,
    /// Share of the compared articles, in percent, that a run may change without a person.
    pub changed_percent_max: usize,
    /// So many may always be changed.
    pub changed_always: usize,
    /// Units that a run may add to the shop in all without a person: what re-inflated stock looks like.
    pub raised_units_max: i64,
    /// Share of the compared articles, in percent, that may become zero without a person.
    pub emptied_percent_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            confirm_after: Duration::from_secs(60),
            repairs_max: 5_000,
            changed_percent_max: 20,
            changed_always: 10,
            raised_units_max: 1_000,
            emptied_percent_max: 10,
        }
    }
}

/// Why a run waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum HoldReason {
    /// More articles differ than is believable.
    TooManyChanges {
        /// That many differ.
        different: usize,
        /// Of so many.
        compared: usize,
        /// The limit.
        percent_max: usize,
    },
    /// The shop would get more units than is believable.
    TooManyUnitsAdded {
        /// Units.
        units: i64,
        /// The limit.
        max: i64,
    },
    /// More articles would be sold out than is believable.
    TooManyEmptied {
        /// That many would become zero or less.
        emptied: usize,
        /// Of so many.
        compared: usize,
        /// The limit.
        percent_max: usize,
    },
}

impl HoldReason {
    /// In plain words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::TooManyChanges { different, compared, percent_max } => format!(
                "{different} of {compared} articles differ between the store and the shop, more than {percent_max} %"
            ),
            Self::TooManyUnitsAdded { units, max } => {
                format!("{units} units would be added to the shop, more than {max}")
            }
            Self::TooManyEmptied { emptied, compared, percent_max } => {
                format!("{emptied} of {compared} articles would be sold out in the shop, more than {percent_max} %")
            }
        }
    }
}

impl Rules {
    /// What stands against carrying a plan out. Differences count whether confirmed or not: a run that finds too many is
    /// held before anything of it is written.
    pub(super) fn holds(&self, plan: &Plan) -> Vec<HoldReason> {
        let mut held = Vec::new();
        let different = plan.differences.len();
        if different > self.changed_always && exceeds(different, plan.compared, self.changed_percent_max) {
            held.push(HoldReason::TooManyChanges {
                different,
                compared: plan.compared,
                percent_max: self.changed_percent_max,
            });
        }
        let added = plan
            .differences
            .iter()
            .filter(|difference| difference.standing != Standing::Later)
            .map(|difference| difference.change().max(0))
            .fold(0_i64, i64::saturating_add);
        if added > self.raised_units_max {
            held.push(HoldReason::TooManyUnitsAdded { units: added, max: self.raised_units_max });
        }
        let emptied = plan.differences.iter().filter(|d| d.due <= 0 && d.shown > 0).count();
        if emptied > self.changed_always && exceeds(emptied, plan.compared, self.emptied_percent_max) {
            held.push(HoldReason::TooManyEmptied {
                emptied,
                compared: plan.compared,
                percent_max: self.emptied_percent_max,
            });
        }
        held
    }
}

fn exceeds(part: usize, whole: usize, percent: usize) -> bool {
    part.saturating_mul(100) > whole.saturating_mul(percent)
}
