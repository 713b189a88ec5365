//! A count of stock becomes corrections of the ledger (invariant 5), or a question for a person (invariant 9).
//!
//! A count says how much of an article lay there at one moment. The ledger says the same by what it has recorded up to that
//! moment; [`place`] finds out which movements those are, [`judge`] compares, [`guard`] looks at the whole sheet. The
//! difference enters the ledger as a movement of its own and travels like a sale.
//!
//! - A count never undoes a sale that it did not see, and never applies one twice: where the order of a sale and the count
//!   cannot be known, the article waits for the next count ([`Outcome::Waits`]).
//! - The first count of an article says what lay there when nothing had moved; nothing is corrected by it.
//! - What the ledger learns after a count of the shelf, of before it, was in the count already ([`place::is_late`]).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Quantity, Sku};

pub mod guard;
pub mod place;

pub use guard::{Limits, Reason};
pub use place::{Contained, Effect, Place, Recent, Reference, Span, Unsure};

/// Most articles of one sheet; more is refused rather than cut short.
pub const ARTICLES_MAX: usize = 500_000;

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The POS's own stock number: it knows the tickets that the POS knew.
    Ledger,
    /// Goods, by people: it knows the tickets that were sold before.
    Shelf,
}

impl Basis {
    /// The word in the configuration and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Shelf => "shelf",
        }
    }
}

/// How much of the store a count is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CountExtent {
    /// Every article that has stock.
    Full,
    /// Some articles (a cycle count).
    Partial,
}

impl CountExtent {
    /// The word in the configuration and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
        }
    }
}

/// What the ledger knows of a counted article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What lay there when nothing had moved; `None` if it was never counted.
    pub base: Option<Quantity>,
    /// What had moved up to the moment of the count.
    pub contained: Contained,
}

/// What a count means for one article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// It was never counted before: this becomes its base. Nothing moves.
    First {
        /// What lay there when nothing had moved.
        base: Quantity,
    },
    /// The ledger said the same.
    Equal,
    /// The difference becomes a movement.
    Corrected {
        /// Counted less what the ledger says.
        by: Quantity,
    },
    /// The order of its movements and the count is not known; the next count settles it.
    Waits {
        /// Why.
        why: Unsure,
    },
}

impl Outcome {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First { .. } => "first",
            Self::Equal => "equal",
            Self::Corrected { .. } => "corrected",
            Self::Waits { .. } => "waits",
        }
    }
}

/// Compares a counted quantity with the ledger.
#[must_use]
pub fn judge(counted: Quantity, standing: Standing) -> Outcome {
    let contained = match standing.contained {
        Ok(contained) => contained,
        Err(why) => return Outcome::Waits { why },
    };
    let Some(base) = standing.base else {
        return match counted.checked_sub(contained) {
            Some(base) => Outcome::First { base },
            None => Outcome::Waits { why: Unsure::OutOfRange },
        };
    };
    match base.checked_add(contained).and_then(|due| counted.checked_sub(due)) {
        Some(by) if by.is_zero() => Outcome::Equal,
        Some(by) => Outcome::Corrected { by },
        None => Outcome::Waits { why: Unsure::OutOfRange },
    }
}

/// One article of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// The article.
    pub sku: Sku,
    /// What was counted.
    pub counted: Quantity,
    /// What the ledger says of the same moment, where it can.
    pub due: Option<Quantity>,
    /// What it means.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a count would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// By article.
    pub lines: Vec<PlanLine>,
    /// Why a person has to look at it first; empty if nobody has to.
    pub held: Vec<Reason>,
}

impl Plan {
    /// Judges every article, and the sheet as a whole.
    #[must_use]
    pub fn new(
        counted: &BTreeMap<Sku, Quantity>,
        standings: &BTreeMap<Sku, Standing>,
        sheet: &guard::Sheet,
        limits: &Limits,
    ) -> Self {
        let unknown = Standing { base: None, contained: Ok(Quantity::ZERO) };
        let lines: Vec<PlanLine> = counted
            .iter()
            .map(|(sku, counted)| {
                let standing = standings.get(sku).copied().unwrap_or(unknown);
                let due = standing.base.zip(standing.contained.ok());
                PlanLine {
                    sku: sku.clone(),
                    counted: *counted,
                    due: due.and_then(|(base, contained)| base.checked_add(contained)),
                    outcome: judge(*counted, standing),
                }
            })
            .collect();
        let held = guard::reasons(&lines, sheet, limits);
        Self { lines, held }
    }

    /// Articles with this outcome, by its word.
    #[must_use]
    pub fn count(&self, outcome: &str) -> usize {
        self.lines.iter().filter(|line| line.outcome.as_str() == outcome).count()
    }
}

/// Lines of a printed plan; the rest is counted.
const PRINTED_MAX: usize = 50;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let articles = self.lines.len();
        writeln!(
            f,
            "{articles} {} counted: {} equal, {} corrected, {} counted for the first time, {} wait for the next count",
            if articles == 1 { "article" } else { "articles" },
            self.count("equal"),
            self.count("corrected"),
            self.count("first"),
            self.count("waits")
        )?;
        for reason in &self.held {
            writeln!(f, "held: {reason}")?;
        }
        let shown = |line: &&PlanLine| matches!(line.outcome, Outcome::Corrected { .. } | Outcome::Waits { .. });
        for line in self.lines.iter().filter(shown).take(PRINTED_MAX) {
            match (line.outcome, line.due) {
                (Outcome::Waits { why }, _) => writeln!(f, "  {}: {} counted, waits: {why}", line.sku, line.counted)?,
                (Outcome::Corrected { by }, Some(due)) => {
                    let sign = if by.is_negative() { "" } else { "+" };
                    writeln!(f, "  {}: {} counted, the ledger says {due}: {sign}{by}", line.sku, line.counted)?;
                }
                (Outcome::Corrected { .. } | Outcome::First { .. } | Outcome::Equal, _) => {}
            }
        }
        let left = self.lines.iter().filter(shown).count().saturating_sub(PRINTED_MAX);
        if left > 0 {
            writeln!(f, "  … and {left} more")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
