//! The guard rails of a count (invariant 9): what a person has to see before it is taken in.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CountExtent, Outcome, PlanLine};
use crate::model::Quantity;

/// Limits; the defaults suit a shop that counts every night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A full count may have so many percent fewer articles than the one before.
    pub fewer_percent_max: usize,
    /// The total of a full count may be so many percent smaller than the ledger's.
    pub shrunk_percent_max: usize,
    /// So many percent of the articles that had stock may have none.
    pub zeroed_percent_max: usize,
    /// So many percent of the articles may be below zero.
    pub negative_percent_max: usize,
    /// Most units of one article; more is a misread number.
    pub units_max: i64,
    /// So many percent of the compared articles may be corrected.
    pub corrected_percent_max: usize,
    /// Units that may be corrected in all, up and down.
    pub corrected_units_max: i64,
    /// So many percent of the rows may be unreadable.
    pub unreadable_percent_max: usize,
    /// So many articles are always believed, whatever their share.
    pub always: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fewer_percent_max: 10,
            shrunk_percent_max: 20,
            zeroed_percent_max: 5,
            negative_percent_max: 5,
            units_max: 100_000,
            corrected_percent_max: 20,
            corrected_units_max: 1_000,
            unreadable_percent_max: 1,
            always: 5,
        }
    }
}

/// What is known of a sheet beside its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sheet {
    /// Full or partial.
    pub extent: CountExtent,
    /// Rows that could not be read.
    pub unreadable: usize,
    /// Articles of the last full count that was taken in under the same name.
    pub last_articles: Option<usize>,
    /// A count of the same name for a later time was taken in already.
    pub is_older: bool,
}

/// Why a count waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It has no article.
    Empty,
    /// It is full, and articles of the last one are missing.
    Fewer {
        /// Articles now.
        articles: usize,
        /// Articles of the last full count.
        before: usize,
    },
    /// The goods in all became fewer than is believable.
    Shrunk {
        /// Counted.
        total: Quantity,
        /// By the ledger.
        due: Quantity,
    },
    /// Many articles that had stock have none.
    Zeroed {
        /// That many.
        zeroed: usize,
        /// Of so many.
        stocked: usize,
    },
    /// Many articles are below zero.
    Negative {
        /// That many.
        negative: usize,
        /// Of so many.
        articles: usize,
    },
    /// Numbers that no shelf holds.
    Absurd {
        /// That many.
        articles: usize,
        /// The limit.
        units_max: i64,
    },
    /// Many articles differ.
    TooManyCorrections {
        /// That many.
        corrected: usize,
        /// Of so many compared.
        compared: usize,
    },
    /// Many units differ.
    TooManyUnits {
        /// Up and down.
        units: Quantity,
        /// The limit.
        units_max: i64,
    },
    /// A later count was taken in already.
    Older,
    /// Rows could not be read.
    Unreadable {
        /// That many.
        rows: usize,
        /// Beside so many that could.
        readable: usize,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it has no article"),
            Self::Fewer { articles, before } => {
                write!(f, "it is a full count of {articles} articles, the last one had {before}: is it cut short?")
            }
            Self::Shrunk { total, due } => {
                write!(f, "it has {total} units in all where the ledger has {due}")
            }
            Self::Zeroed { zeroed, stocked } => {
                write!(f, "{zeroed} of {stocked} articles that had stock have none")
            }
            Self::Negative { negative, articles } => write!(f, "{negative} of {articles} articles are below zero"),
            Self::Absurd { articles, units_max } => {
                write!(f, "{articles} articles have more than {units_max} units: is it the right column?")
            }
            Self::TooManyCorrections { corrected, compared } => {
                write!(f, "{corrected} of {compared} articles differ from the ledger")
            }
            Self::TooManyUnits { units, units_max } => {
                write!(f, "{units} units differ from the ledger, more than {units_max}")
            }
            Self::Older => f.write_str("a count for a later time was taken in already"),
            Self::Unreadable { rows, readable } => {
                write!(f, "{rows} rows could not be read, {readable} could")
            }
        }
    }
}

/// `part` of `whole` is more than `percent`, and more than a handful.
fn exceeds(part: usize, whole: usize, percent: usize, always: usize) -> bool {
    part > always && part.saturating_mul(100) > whole.saturating_mul(percent)
}

/// All reasons for which a person has to look at a count.
#[must_use]
pub fn reasons(lines: &[PlanLine], sheet: &Sheet, limits: &Limits) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let articles = lines.len();
    if articles == 0 {
        reasons.push(Reason::Empty);
    }
    if sheet.is_older {
        reasons.push(Reason::Older);
    }
    if exceeds(sheet.unreadable, articles.saturating_add(sheet.unreadable), limits.unreadable_percent_max, 0) {
        reasons.push(Reason::Unreadable { rows: sheet.unreadable, readable: articles });
    }
    if let Some(before) = sheet.last_articles.filter(|_| sheet.extent == CountExtent::Full)
        && exceeds(before.saturating_sub(articles), before, limits.fewer_percent_max, limits.always)
    {
        reasons.push(Reason::Fewer { articles, before });
    }
    let absurd = Quantity::from_units(limits.units_max).unwrap_or_default();
    let absurd = lines.iter().filter(|line| line.counted.magnitude() > absurd).count();
    if absurd > 0 {
        reasons.push(Reason::Absurd { articles: absurd, units_max: limits.units_max });
    }
    let negative = lines.iter().filter(|line| line.counted.is_negative()).count();
    if exceeds(negative, articles, limits.negative_percent_max, limits.always) {
        reasons.push(Reason::Negative { negative, articles });
    }
    against_the_ledger(lines, sheet, limits, &mut reasons);
    reasons
}

fn against_the_ledger(lines: &[PlanLine], sheet: &Sheet, limits: &Limits, reasons: &mut Vec<Reason>) {
    let (mut total, mut due_total, mut units) = (Quantity::ZERO, Quantity::ZERO, Quantity::ZERO);
    let (mut stocked, mut zeroed, mut compared, mut corrected) = (0_usize, 0_usize, 0_usize, 0_usize);
    for line in lines {
        let Some(due) = line.due else { continue };
        compared = compared.saturating_add(1);
        total = total.saturating_add(line.counted);
        due_total = due_total.saturating_add(due);
        if due > Quantity::ZERO {
            stocked = stocked.saturating_add(1);
            zeroed = zeroed.saturating_add(usize::from(line.counted <= Quantity::ZERO));
        }
        if let Outcome::Corrected { by } = line.outcome {
            corrected = corrected.saturating_add(1);
            units = units.saturating_add(by.magnitude());
        }
    }
    let all_gone = sheet.extent == CountExtent::Full && zeroed == stocked && stocked > 1;
    // A sheet of nothing but zeroes is no count, also where its articles cannot be compared yet.
    let is_blank =
        sheet.extent == CountExtent::Full && lines.len() > 1 && lines.iter().all(|line| line.counted <= Quantity::ZERO);
    if is_blank {
        reasons.push(Reason::Zeroed { zeroed: lines.len(), stocked: lines.len() });
    } else if all_gone || exceeds(zeroed, stocked, limits.zeroed_percent_max, limits.always) {
        reasons.push(Reason::Zeroed { zeroed, stocked });
    }
    let missing = due_total.saturating_sub(total).micros();
    let percent = i64::try_from(limits.shrunk_percent_max).unwrap_or(i64::MAX);
    if sheet.extent == CountExtent::Full
        && corrected > limits.always
        && i128::from(missing).saturating_mul(100) > i128::from(due_total.micros()).saturating_mul(i128::from(percent))
        && due_total > Quantity::ZERO
    {
        reasons.push(Reason::Shrunk { total, due: due_total });
    }
    if exceeds(corrected, compared, limits.corrected_percent_max, limits.always) {
        reasons.push(Reason::TooManyCorrections { corrected, compared });
    }
    if units > Quantity::from_units(limits.corrected_units_max).unwrap_or(units) {
        reasons.push(Reason::TooManyUnits { units, units_max: limits.corrected_units_max });
    }
}
