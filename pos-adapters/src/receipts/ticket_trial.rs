//! Templates and tickets under trial: see [`crate::trial`].

use jiff::tz::TimeZone;
use sync_core::model::Timestamp;

use super::learn;
use super::names::NameTable;
use super::parse::Line;
use super::template::{Template, built_in};
use super::tickets::{TicketEvent, TicketPlan, TicketReader};
use super::{Dialect, Parser};
use crate::trial::Tally;

/// Lines of text, as a journal and as tickets of two rows a line.
pub(crate) fn tickets(data: &[u8], piece: usize) -> Tally {
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
pub(crate) fn template_file(data: &[u8], _piece: usize) -> Tally {
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
