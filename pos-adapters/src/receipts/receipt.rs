//! One printed ticket as text: what a person would read on the paper, row by row.
//!
//! Made by the tokenizers from raw bytes, read by the templates. Owns no rule about what a row means.

/// A printed ticket, or a part of the roll between two cuts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Rows in the order in which they stand on the paper.
    pub rows: Vec<PrintedRow>,
    /// Barcodes and two-dimensional codes, in order.
    pub codes: Vec<PrintedCode>,
    /// Why the bytes cannot be trusted: framing errors, an unknown command, a cut-off transfer. Such a ticket is
    /// never turned into movements.
    pub damage: Option<String>,
    /// Pictures printed. A ticket of pictures only has no text to read.
    pub pictures: u32,
    /// Commands that the dialect does not know; more than none hints at the wrong dialect.
    pub unknown_commands: u32,
    /// First byte and the byte after the last, in the captured stream.
    pub bytes: (u64, u64),
}

/// One row of print. Columns are kept: characters that were placed by position stand at their column, with at least
/// one blank between pieces that did not touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrintedRow {
    /// The text, without blanks at its end.
    pub text: String,
    /// Printed bold.
    pub bold: bool,
    /// Printed in double width or height.
    pub large: bool,
}

/// A code on the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintedCode {
    /// `ean13`, `code39`, `code128`, `itf`, `qr`, `pdf417`, …
    pub kind: &'static str,
    /// Its payload as text.
    pub payload: String,
    /// The row below which it stands.
    pub after_row: usize,
}
