//! Counts of stock: what a POS exports, what its database says, what people counted with a scanner or wrote in a spreadsheet.
//!
//! `settings` is one `[[count]]` as written; `parse` makes rows of bytes (pure); `file` finds files that nobody is writing any
//! more, read-only; databases are read by [`crate::database::count`]. [`resolve`] makes SKUs of codes by the store's article
//! table. What a count means is decided elsewhere.

use std::collections::BTreeMap;

use sync_core::article::{ArticleTable, Kits, Resolved};
use sync_core::count::Span;
use sync_core::model::{
    Extent, LineItem, LineKind, Quantity, Segment, Sku, Timestamp, Transaction, TransactionKey, TransactionStatus,
};

pub mod file;
mod parse;
pub mod settings;

pub use settings::{CountColumns, CountKind, CountLimits, CountSettings};

/// Most notes on rows that cannot be read.
pub const NOTES_MAX: usize = 20;

/// One row of a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountRow {
    /// The article as the sheet names it.
    pub code: String,
    /// How much of it lies there.
    pub quantity: Quantity,
    /// When it was counted, if the row says it.
    pub counted_at: Option<Timestamp>,
}

/// A count as read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawCount {
    /// In the order of the sheet.
    pub rows: Vec<CountRow>,
    /// Rows that could not be read, in words; at most [`NOTES_MAX`].
    pub notes: Vec<String>,
    /// How many they are.
    pub unreadable: usize,
}

impl RawCount {
    /// Names a row that could not be read.
    pub fn note(&mut self, reason: String) {
        self.unreadable = self.unreadable.saturating_add(1);
        if self.notes.len() < NOTES_MAX {
            self.notes.push(reason);
        }
    }
}

/// Quantities by stocked SKU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedCount {
    /// Rows of one article are added up; with the time that its rows were counted at, where they say it.
    pub lines: BTreeMap<Sku, (Quantity, Option<Span>)>,
    /// Rows that could not be read or resolved, in words; at most [`NOTES_MAX`].
    pub notes: Vec<String>,
    /// How many they are.
    pub unreadable: usize,
}

/// Makes SKUs of codes, as sales are resolved.
#[must_use]
pub fn resolve(raw: RawCount, table: Option<&ArticleTable>, kits: Kits) -> ResolvedCount {
    let mut out = ResolvedCount { lines: BTreeMap::new(), notes: Vec::new(), unreadable: raw.unreadable };
    let mut refused = RawCount { notes: raw.notes, unreadable: raw.unreadable, rows: Vec::new() };
    for row in raw.rows {
        let span = row.counted_at.map(Span::at);
        let Some(table) = table else {
            add(&mut out, Sku::new(row.code), row.quantity, span);
            continue;
        };
        match resolve_row(&row, table, kits) {
            Ok(lines) => {
                for line in lines.into_iter().filter(|line| line.ignored.is_none()) {
                    add(&mut out, line.sku, line.delta, span);
                }
            }
            Err(reason) => refused.note(format!("article `{}`: {reason}", row.code)),
        }
    }
    out.notes = refused.notes;
    out.unreadable = refused.unreadable;
    out
}

fn add(out: &mut ResolvedCount, sku: Sku, quantity: Quantity, span: Option<Span>) {
    let (sum, seen) = out.lines.entry(sku).or_insert((Quantity::ZERO, span));
    *sum = sum.saturating_add(quantity);
    *seen = match (*seen, span) {
        (Some(seen), Some(span)) => Some(seen.with(span)),
        (None, _) | (_, None) => None,
    };
}

fn resolve_row(row: &CountRow, table: &ArticleTable, kits: Kits) -> Result<Vec<LineItem>, String> {
    let line =
        LineItem { sku: Sku::from(row.code.as_str()), delta: row.quantity, kind: LineKind::Adjustment, ignored: None };
    let as_ticket = Transaction {
        key: TransactionKey::from("count"),
        register: String::new(),
        sold_at: None,
        status: TransactionStatus::Completed,
        extent: Extent::Whole,
        segment: Segment::new("count"),
        lines: vec![line],
        online_order: None,
    };
    match sync_core::article::resolve(as_ticket, table, kits) {
        Resolved::Transaction(resolved) => Ok(resolved.lines),
        Resolved::Refused(reason) => Err(reason.trim_start_matches("line 1: ").to_owned()),
    }
}
