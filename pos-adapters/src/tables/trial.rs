//! The parsers of this family for [`crate::trial`]: rows of the text that each makes. A table is read whole, so pieces do
//! not matter.

use super::parse::{self, Table};
use super::settings::{DbfTable, FixedField, FixedRecord, FixedRole, FixedSign, FixedTable, SheetTable};
use crate::trial::Tally;

pub(crate) fn fixed(data: &[u8], _piece: usize) -> Tally {
    let field = |name: &str, start, width, decimals| FixedField {
        name: name.to_owned(),
        start,
        width,
        decimals,
        sign: FixedSign::Overpunch,
        date: None,
    };
    let record = |record_type: &str, role, field| FixedRecord {
        record_type: record_type.to_owned(),
        role,
        length: None,
        field,
        count: (role == FixedRole::Trailer).then(|| "lines".to_owned()),
    };
    let settings = FixedTable {
        type_start: Some(1),
        type_width: Some(1),
        record_length: None,
        record: vec![
            record("H", FixedRole::Header, vec![field("ticket", 2, 8, None)]),
            record("L", FixedRole::Line, vec![field("sku", 2, 13, None), field("quantity", 15, 7, Some(3))]),
            record("T", FixedRole::Trailer, vec![field("lines", 2, 3, Some(0))]),
        ],
    };
    tally(&Table::Fixed { settings, encoding: None }, data)
}

pub(crate) fn dbf(data: &[u8], _piece: usize) -> Tally {
    tally(&Table::Dbf { settings: DbfTable::default(), encoding: None }, data)
}

pub(crate) fn sheet(data: &[u8], _piece: usize) -> Tally {
    tally(&Table::Sheet { settings: SheetTable::default() }, data)
}

fn tally(table: &Table, data: &[u8]) -> Tally {
    match parse::csv(table, data, &[]) {
        Ok(text) => {
            let rows = memchr::memchr_iter(b'\n', &text).count().saturating_sub(1);
            let lines = u64::try_from(rows).unwrap_or(u64::MAX);
            Tally { transactions: 0, lines, quarantined: 0 }
        }
        Err(_) => Tally { transactions: 0, lines: 0, quarantined: 1 },
    }
}
