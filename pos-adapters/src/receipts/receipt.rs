//! One printed ticket as text: what a person would read on the paper, row by row.
//!
//! Made by the parser from raw bytes, read by the templates. Owns no rule about what a row means.

/// A printed ticket, or a part of the roll between two cuts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Rows in the order in which they stand on the paper.
    pub rows: Vec<PrintedRow>,
    /// Barcodes and two-dimensional codes, in order.
    pub codes: Vec<PrintedCode>,
    /// Why the bytes cannot be trusted: framing errors, a command with an impossible length, a cut-off transfer. Such
    /// a ticket is never turned into movements.
    pub damage: Option<String>,
    /// Pictures printed. A ticket of pictures only has no text to read.
    pub pictures: u32,
    /// Commands that the dialect does not know; more than none hints at the wrong dialect.
    pub unknown_commands: u32,
    /// Pulses that opened the cash drawer while this was printed: a hint that a sale was finished.
    pub drawer_pulses: u32,
    /// What ended it.
    pub ending: Ending,
    /// First byte and the byte after the last, in the captured stream.
    pub bytes: (u64, u64),
}

/// What ended a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// Nothing yet: more rows may follow in the next receipt, which goes on where this one stops.
    #[default]
    Open,
    /// The paper was cut.
    Cut,
    /// The start or end string of a journal.
    Mark,
    /// It became longer than any receipt (`ROWS_MAX`); the next one goes on where this one stops.
    Limit,
    /// The line was silent, or the capture ended.
    Silence,
}

impl Receipt {
    /// Whether it has no readable text and yet something was printed: pictures only, or nothing that survived.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.pictures > 0 && self.rows.iter().all(|row| row.text.trim().is_empty())
    }

    /// Whether nothing was printed at all.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.pictures == 0 && self.codes.is_empty() && self.rows.iter().all(|row| row.text.is_empty())
    }
}

/// One row of print. Columns are kept: characters that were placed by position stand at their column, with at least
/// one blank between pieces that did not touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrintedRow {
    /// The text, without blanks at its end.
    pub text: String,
    /// Some of it is printed bold.
    pub bold: bool,
    /// Some of it is printed in double width or height, or larger.
    pub large: bool,
    /// Where its first byte is in the captured stream.
    pub at: u64,
}

/// A code on the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintedCode {
    /// `ean13`, `code39`, `code128`, `itf`, `qr`, `pdf417`, …
    pub kind: &'static str,
    /// Its payload as text.
    pub payload: String,
    /// How many rows stand above it.
    pub after_row: usize,
}
