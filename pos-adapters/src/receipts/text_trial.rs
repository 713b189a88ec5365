//! The parsers of printed bytes behind [`crate::trial`].

use super::journal::JournalMarks;
use super::parse::{Dialect, Line, Parser};
use super::receipt::Receipt;
use crate::trial::Tally;

pub(crate) fn escpos(data: &[u8], piece: usize) -> Tally {
    read(&Line::default(), data, piece)
}

pub(crate) fn star(data: &[u8], piece: usize) -> Tally {
    read(&Line { dialect: Dialect::Star, ..Line::default() }, data, piece)
}

/// With marks, since that is the way through all of the code.
pub(crate) fn journal(data: &[u8], piece: usize) -> Tally {
    let marks = JournalMarks { delimiter: b"|".to_vec(), start: b"<<".to_vec(), end: b">>".to_vec() };
    read(&Line { dialect: Dialect::Journal, marks, ..Line::default() }, data, piece)
}

pub(crate) fn plain(data: &[u8], piece: usize) -> Tally {
    read(&Line { dialect: Dialect::Plain, columns: Some(42), ..Line::default() }, data, piece)
}

pub(crate) fn judged(data: &[u8], _: usize) -> Tally {
    let judged = super::judge::judge(data);
    Tally { transactions: 0, lines: judged.lines, quarantined: judged.unknown_commands }
}

fn read(line: &Line, data: &[u8], piece: usize) -> Tally {
    let mut tally = Tally::default();
    let Ok(mut parser) = Parser::new(line, 0) else { return tally };
    let mut done = Vec::new();
    for piece in data.chunks(piece.max(1)) {
        parser.push(piece, &mut done);
        count(&mut tally, &mut done);
    }
    parser.finish(&mut done);
    count(&mut tally, &mut done);
    tally
}

fn count(tally: &mut Tally, done: &mut Vec<Receipt>) {
    for receipt in done.drain(..) {
        tally.transactions = tally.transactions.saturating_add(1);
        tally.lines = tally.lines.saturating_add(u64::try_from(receipt.rows.len()).unwrap_or(u64::MAX));
        tally.quarantined = tally.quarantined.saturating_add(u64::from(receipt.damage.is_some()));
    }
}
