//! Every pure parser behind one function each, for fuzzing, for hostile-input tests and for measuring.
//!
//! A parser reads `data` cut into pieces of `piece` bytes and tells what it found. Owns no rules: each function calls
//! its family's parser the way that family's reader does.

pub mod made_up;

/// What a parser found in its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Transactions given.
    pub transactions: u64,
    /// Lines of those.
    pub lines: u64,
    /// Records that could not be read.
    pub quarantined: u64,
}

/// A parser under trial: the whole input, and how many bytes it gets at a time.
pub type Trial = fn(data: &[u8], piece: usize) -> Tally;

/// All parsers by name. Each family adds its own below its own comment.
pub const TRIALS: &[(&str, Trial)] = &[
    // receipts: tokenizers
    ("receipts-escpos", crate::receipts::text_trial::escpos),
    ("receipts-star", crate::receipts::text_trial::star),
    ("receipts-journal", crate::receipts::text_trial::journal),
    ("receipts-plain", crate::receipts::text_trial::plain),
    ("receipts-judge", crate::receipts::text_trial::judged),
    // receipts: templates
    ("tickets", crate::receipts::ticket_trial::tickets),
    ("ticket-template", crate::receipts::ticket_trial::template_file),
    // receipts: captures
    ("captured-line", captured_line),
    // documents
    // tables
    // database
    // pushed
    // file
    ("file-csv", crate::file::trial::csv),
    ("file-json-lines", crate::file::trial::json_lines),
    ("file-json-tickets", crate::file::trial::json_tickets),
];

/// What a line's own files and its driver may hold: `data` as one segment of a capture, and as bytes with the driver's
/// marks. Tells events as transactions, and damaged bytes as lines.
fn captured_line(data: &[u8], piece: usize) -> Tally {
    let events = crate::receipts::store::events_of(data);
    let (mut unmark, mut bytes, mut damaged) = (crate::receipts::port::Unmark::default(), Vec::new(), 0_u64);
    for part in data.chunks(piece.max(1)) {
        bytes.clear();
        damaged = damaged.saturating_add(u64::from(unmark.take(part, &mut bytes).damaged));
    }
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    Tally { transactions: count(events.len()), lines: damaged, quarantined: 0 }
}
