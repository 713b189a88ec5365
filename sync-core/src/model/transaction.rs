//! A POS ticket as it was read.

use serde::{Deserialize, Serialize};

use super::{Quantity, RuleName, Segment, Sku, Timestamp, TransactionKey};

/// What a line does to the shelf. The sign is in [`LineItem::delta`], never derived from the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Goods handed to a customer.
    Sale,
    /// Goods that came back from a customer.
    Return,
    /// Goods received from a supplier or another store.
    Receipt,
    /// A correction made at the POS (breakage, own use, inventory difference).
    Adjustment,
}

impl LineKind {
    /// The word used in files, the database and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Return => "return",
            Self::Receipt => "receipt",
            Self::Adjustment => "adjustment",
        }
    }
}

/// Whether a transaction moves stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionStatus {
    /// Finished: its lines move stock.
    Completed,
    /// Voided or cancelled as a whole: moves nothing; what it moved before is reversed.
    Cancelled,
    /// Parked to be recalled later: moves nothing.
    Suspended,
    /// Rung up in training mode: moves nothing.
    Training,
    /// Read before and no longer in the export that covers it: moves nothing.
    Vanished,
}

impl TransactionStatus {
    /// Only a completed transaction moves stock.
    #[must_use]
    pub const fn moves_stock(self) -> bool {
        match self {
            Self::Completed => true,
            Self::Cancelled | Self::Suspended | Self::Training | Self::Vanished => false,
        }
    }
}

/// How what was read relates to what the ledger already has under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// The complete ticket: it replaces what was known.
    Whole,
    /// Lines met in an append-only file. Within one [`Segment`] they continue the ticket; a ticket that
    /// was known from another segment is being read again and is replaced.
    Extends,
}

/// One line of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineItem {
    /// Article as the POS names it.
    pub sku: Sku,
    /// Signed change of stock on hand: a sale of two is −2, its return is +2.
    pub delta: Quantity,
    /// What the line is.
    pub kind: LineKind,
    /// Set if a named rule says that this line moves no stock (deposit, service, gift card).
    pub ignored: Option<RuleName>,
}

/// A snapshot of one POS ticket, complete or in part (see [`Extent`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Unique at the source.
    pub key: TransactionKey,
    /// The till, as the POS names it; empty if the source does not say.
    pub register: String,
    /// POS clock, made UTC by the store's time zone.
    pub sold_at: Option<Timestamp>,
    /// Whether it moves stock.
    pub status: TransactionStatus,
    /// The online order that it rings up, as the POS writes it, if the source says so.
    pub online_order: Option<String>,
    /// Complete, or a continuation.
    pub extent: Extent,
    /// Where it was read.
    pub segment: Segment,
    /// Its lines, in order; equal lines are legal.
    pub lines: Vec<LineItem>,
}
