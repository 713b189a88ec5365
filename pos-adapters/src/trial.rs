//! Every pure parser behind one function each, for fuzzing, for hostile-input tests and for measuring.
//!
//! A parser reads `data` cut into pieces of `piece` bytes and tells what it found. Owns no rules: each function calls
//! its family's parser the way that family's reader does.

use jiff::tz::TimeZone;
use sync_core::model::Timestamp;

use crate::receipts::learn;
use crate::receipts::names::NameTable;
use crate::receipts::parse::Line;
use crate::receipts::template::{Template, built_in};
use crate::receipts::tickets::{TicketEvent, TicketPlan, TicketReader};
use crate::receipts::{Dialect, Parser};

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
    ("receipt-tickets", receipt_tickets),
    ("receipt-template-file", receipt_template_file),
    // receipts: captures
    ("receipt-capture", crate::receipts::line_trial::captured_line),
    // documents
    // tables
    // database
    // pushed
    // file
    ("file-csv", crate::file::trial::csv),
    ("file-json-lines", crate::file::trial::json_lines),
    ("file-json-tickets", crate::file::trial::json_tickets),
];

/// Lines of text, as a journal and as tickets of two rows a line.
fn receipt_tickets(data: &[u8], piece: usize) -> Tally {
    let mut tally = Tally::default();
    for name in ["verifone-journal", "name-then-quantity"] {
        let Some((_, template)) = built_in(name) else { continue };
        let Ok(plan) = TicketPlan::of_template(&template, TimeZone::UTC) else { continue };
        let Ok(mut parser) = Parser::new(&Line { dialect: Dialect::Plain, ..Line::default() }, 0) else { continue };
        let mut reader = TicketReader::new(plan);
        let mut take = |receipts: Vec<_>| {
            for receipt in &receipts {
                for event in reader.receipt(receipt, "trial", Timestamp(0)) {
                    match event {
                        TicketEvent::Transaction { transaction, .. } => {
                            tally.transactions = tally.transactions.saturating_add(1);
                            let lines = u64::try_from(transaction.lines.len()).unwrap_or(u64::MAX);
                            tally.lines = tally.lines.saturating_add(lines);
                        }
                        TicketEvent::Quarantined(_) => tally.quarantined = tally.quarantined.saturating_add(1),
                        TicketEvent::Ignored { .. } => {}
                    }
                }
            }
        };
        for chunk in data.chunks(piece.max(1)) {
            let mut receipts = Vec::new();
            parser.push(chunk, &mut receipts);
            receipts.extend(parser.drain());
            take(receipts);
        }
        let mut receipts = Vec::new();
        parser.finish(&mut receipts);
        take(receipts);
    }
    tally
}

/// The text as a template file and as a table of names; a template without fault reads the text.
fn receipt_template_file(data: &[u8], _piece: usize) -> Tally {
    let text = String::from_utf8_lossy(data);
    let table = NameTable::from_csv(&text);
    let mut tally = Tally { quarantined: u64::try_from(table.faults.len()).unwrap_or(u64::MAX), ..Tally::default() };
    if let Ok(template) = Template::from_toml(&text)
        && let Ok(mut parser) = Parser::new(&Line { dialect: Dialect::Plain, ..Line::default() }, 0)
    {
        let mut receipts = Vec::new();
        parser.push(data, &mut receipts);
        parser.finish(&mut receipts);
        if let Ok(score) = learn::score(&template, &receipts) {
            tally.transactions = score.believed;
            tally.lines = score.rows;
        }
    }
    tally
}
