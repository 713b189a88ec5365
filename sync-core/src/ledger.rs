//! From what was read to what moved (invariant 1).
//!
//! The ledger keeps the latest snapshot of every transaction. A transaction read again is compared with it and
//! only the difference moves stock: the same content gives nothing, changed lines give the difference per SKU,
//! a cancelled or vanished one gives the reverse. Order and repetition of reads therefore do not matter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Extent, LineItem, LineKind, Quantity, RuleName, Segment, Sku, Transaction, TransactionStatus};

/// Most units that one line may move; more is a misread number (a barcode in the quantity column).
pub const LINE_UNITS_MAX: i64 = 1_000_000;
/// Most lines of one transaction.
pub const TRANSACTION_LINES_MAX: usize = 10_000;

/// A transaction as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// 1 for the first reading; grows with every change.
    pub version: u32,
    /// Whether it moves stock now.
    pub status: TransactionStatus,
    /// Where it was last read.
    pub segment: Segment,
    /// Its lines.
    pub lines: Vec<LineItem>,
}

/// Why stock moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// A line of a transaction read for the first time.
    Sale,
    /// See [`LineKind::Return`].
    Return,
    /// See [`LineKind::Receipt`].
    Receipt,
    /// See [`LineKind::Adjustment`].
    Adjustment,
    /// The difference that a changed transaction made to one SKU.
    Edit,
    /// The reverse of a transaction that was cancelled or vanished.
    Void,
    /// The difference between a count and the ledger (invariant 5).
    Correction,
    /// Goods handed over for an online order, as the platform reports them.
    Pick,
    /// Several of the above, merged while they waited.
    Mixed,
    /// No movement: an absolute write that repairs drift (invariant 6).
    Repair,
    /// No movement: a value that replaces the one before it (a price, units on order).
    Value,
}

impl MovementKind {
    /// The word used in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Return => "return",
            Self::Receipt => "receipt",
            Self::Adjustment => "adjustment",
            Self::Edit => "edit",
            Self::Void => "void",
            Self::Correction => "correction",
            Self::Pick => "pick",
            Self::Mixed => "mixed",
            Self::Repair => "repair",
            Self::Value => "value",
        }
    }

    /// The reverse of [`Self::as_str`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Sale,
            Self::Return,
            Self::Receipt,
            Self::Adjustment,
            Self::Edit,
            Self::Void,
            Self::Correction,
            Self::Pick,
            Self::Mixed,
            Self::Repair,
            Self::Value,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

impl From<LineKind> for MovementKind {
    fn from(kind: LineKind) -> Self {
        match kind {
            LineKind::Sale => Self::Sale,
            LineKind::Return => Self::Return,
            LineKind::Receipt => Self::Receipt,
            LineKind::Adjustment => Self::Adjustment,
        }
    }
}

/// A signed change of one SKU's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Which article.
    pub sku: Sku,
    /// By how much.
    pub delta: Quantity,
    /// Why.
    pub kind: MovementKind,
}

/// What a reading means for the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diff {
    /// Known already, to the letter.
    Unchanged,
    /// Known already, but read from another segment: later lines there will continue it.
    Moved {
        /// The segment to remember.
        segment: Segment,
    },
    /// To be stored, with what it moves (possibly nothing: a line was renumbered, a text changed).
    Changed {
        /// The new snapshot.
        snapshot: Snapshot,
        /// One for each moving line of a new transaction, one for each SKU of a changed one.
        movements: Vec<Movement>,
    },
}

/// Why a transaction cannot enter the ledger; it is quarantined whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// See [`LINE_UNITS_MAX`].
    #[error(
        "line {line} of transaction `{key}` moves {delta} units, more than {LINE_UNITS_MAX}: check the quantity column"
    )]
    LineTooLarge {
        /// The transaction.
        key: String,
        /// 1-based.
        line: usize,
        /// As read.
        delta: Quantity,
    },
    /// See [`TRANSACTION_LINES_MAX`].
    #[error("transaction `{key}` has {lines} lines, more than {TRANSACTION_LINES_MAX}: check the transaction column")]
    TooManyLines {
        /// The transaction.
        key: String,
        /// As read.
        lines: usize,
    },
    /// No key: nothing could be recognised when it is read again.
    #[error("a transaction without a number cannot be recognised when it is read again: check the transaction column")]
    NoKey,
}

/// Checks what was read before it is compared.
///
/// # Errors
/// [`Refusal`] names the line and what to check.
pub fn admit(read: &Transaction) -> Result<(), Refusal> {
    if read.key.as_str().is_empty() {
        return Err(Refusal::NoKey);
    }
    if read.lines.len() > TRANSACTION_LINES_MAX {
        return Err(Refusal::TooManyLines { key: read.key.to_string(), lines: read.lines.len() });
    }
    let most = Quantity::from_units(LINE_UNITS_MAX).unwrap_or_default();
    match read.lines.iter().position(|line| line.delta.magnitude() > most) {
        Some(index) => Err(Refusal::LineTooLarge {
            key: read.key.to_string(),
            line: index.saturating_add(1),
            delta: read.lines.get(index).map(|line| line.delta).unwrap_or_default(),
        }),
        None => Ok(()),
    }
}

/// The movements of a transaction that the ledger has never seen.
pub fn first_movements(read: &Transaction) -> impl Iterator<Item = (&Sku, Quantity, MovementKind)> {
    let moves = read.status.moves_stock();
    read.lines
        .iter()
        .filter(move |line| moves && line.ignored.is_none() && !line.delta.is_zero())
        .map(|line| (&line.sku, line.delta, line.kind.into()))
}

/// Compares a reading with what is known.
#[must_use]
pub fn diff(previous: Option<&Snapshot>, read: Transaction) -> Diff {
    let Some(previous) = previous else {
        let movements =
            first_movements(&read).map(|(sku, delta, kind)| Movement { sku: sku.clone(), delta, kind }).collect();
        let snapshot = Snapshot { version: 1, status: read.status, segment: read.segment, lines: read.lines };
        return Diff::Changed { snapshot, movements };
    };
    let mut lines = match read.extent {
        Extent::Extends if previous.segment == read.segment => previous.lines.clone(),
        Extent::Extends | Extent::Whole => Vec::new(),
    };
    lines.extend(read.lines);
    if lines == previous.lines && read.status == previous.status {
        return match read.extent {
            Extent::Extends if previous.segment != read.segment => Diff::Moved { segment: read.segment },
            Extent::Extends | Extent::Whole => Diff::Unchanged,
        };
    }
    changed(
        previous,
        Snapshot { version: previous.version.saturating_add(1), status: read.status, segment: read.segment, lines },
    )
}

/// The transaction is no longer in the export that covers it.
#[must_use]
pub fn vanish(previous: &Snapshot) -> Diff {
    if !previous.status.moves_stock() {
        return Diff::Unchanged;
    }
    let snapshot = Snapshot {
        version: previous.version.saturating_add(1),
        status: TransactionStatus::Vanished,
        segment: previous.segment.clone(),
        lines: previous.lines.clone(),
    };
    changed(previous, snapshot)
}

fn changed(previous: &Snapshot, snapshot: Snapshot) -> Diff {
    let kind = if snapshot.status.moves_stock() { MovementKind::Edit } else { MovementKind::Void };
    let mut sums = effect(snapshot.status, &snapshot.lines);
    for (sku, before) in effect(previous.status, &previous.lines) {
        let sum = sums.entry(sku).or_default();
        *sum = sum.saturating_sub(before);
    }
    let movements = sums
        .into_iter()
        .filter(|(_, delta)| !delta.is_zero())
        .map(|(sku, delta)| Movement { sku, delta, kind })
        .collect();
    Diff::Changed { snapshot, movements }
}

/// What a transaction in this state moves, per SKU. Sums stay in range: [`admit`] bounds lines and quantities.
#[must_use]
pub fn effect(status: TransactionStatus, lines: &[LineItem]) -> BTreeMap<Sku, Quantity> {
    let mut sums: BTreeMap<Sku, Quantity> = BTreeMap::new();
    if status.moves_stock() {
        for line in lines.iter().filter(|line| line.ignored.is_none()) {
            let sum = sums.entry(line.sku.clone()).or_default();
            *sum = sum.saturating_add(line.delta);
        }
    }
    sums
}

/// The named rule by which a line moves nothing, if it does not.
#[must_use]
pub fn ignoring_rule(status: TransactionStatus, line: &LineItem) -> Option<RuleName> {
    match status {
        TransactionStatus::Completed => {
            line.ignored.clone().or_else(|| line.delta.is_zero().then(|| RuleName::from("zero quantity")))
        }
        TransactionStatus::Cancelled => Some(RuleName::from("cancelled")),
        TransactionStatus::Suspended => Some(RuleName::from("suspended")),
        TransactionStatus::Training => Some(RuleName::from("training")),
        TransactionStatus::Vanished => Some(RuleName::from("vanished")),
    }
}

/// Whether so many vanished transactions are believable, or the export is torn (invariant 9).
/// `limit_percent` is of the transactions known in the covered time; a handful is always believed.
#[must_use]
pub fn vanishing_is_believable(known: usize, vanished: usize, limit_percent: usize) -> bool {
    const ALWAYS_BELIEVED: usize = 3;
    vanished <= ALWAYS_BELIEVED || vanished.saturating_mul(100) <= known.saturating_mul(limit_percent)
}

#[cfg(test)]
mod tests;
