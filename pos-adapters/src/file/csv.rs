//! Fields of one CSV record, and which column is which. Pure. Columns are bound by name once per file; where the names
//! do not fit, nothing is guessed.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::cells::Cells;
use super::frame::{Delimiters, closing_quote};
use super::plan::{Slot, fold};
use super::value::unwrap_cell;

/// Position of a field in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    start: usize,
    end: usize,
    /// It contains doubled or escaped quotes.
    escaped: bool,
}

impl Field {
    /// The text of the field.
    pub(crate) fn text(self, record: &str) -> Cow<'_, str> {
        let raw = record.get(self.start..self.end).unwrap_or_default();
        if self.escaped { Cow::Owned(raw.replace("\"\"", "\"").replace("\\\"", "\"")) } else { Cow::Borrowed(raw) }
    }

    /// It spans lines and has a quote in it that is not doubled: it was probably opened by a stray quote.
    pub(super) fn is_suspicious(self, record: &str) -> bool {
        let raw = record.get(self.start..self.end).unwrap_or_default();
        self.escaped && raw.contains(['\n', '\r']) && raw.replace("\"\"", "").replace("\\\"", "").contains('"')
    }

    fn is_blank(self, record: &str) -> bool {
        unwrap_cell(record.get(self.start..self.end).unwrap_or_default()).is_empty()
    }
}

/// Splits a record into its fields.
pub(crate) fn split(record: &str, delimiter: u8, fields: &mut Vec<Field>) {
    fields.clear();
    let bytes = record.as_bytes();
    let mut start = 0;
    loop {
        let (field, after) = if bytes.get(start) == Some(&b'"') {
            quoted_field(bytes, start, delimiter)
        } else {
            let rest = bytes.get(start..).unwrap_or_default();
            let end = memchr(delimiter, rest).map_or(bytes.len(), |at| start.saturating_add(at));
            (Field { start, end, escaped: false }, end)
        };
        fields.push(field);
        if after >= bytes.len() {
            return;
        }
        start = after.saturating_add(1);
    }
}

fn quoted_field(bytes: &[u8], start: usize, delimiter: u8) -> (Field, usize) {
    let start = start.saturating_add(1);
    let close = closing_quote(bytes, start, Delimiters::One(delimiter)).filter(|close| {
        // A line break after the quote ends a record only outside of the record.
        bytes.get(close.saturating_add(1)) == Some(&delimiter)
    });
    let last = bytes.len().saturating_sub(1);
    let (end, after) = match close {
        Some(close) => (close, close.saturating_add(1)),
        None if last >= start && bytes.get(last) == Some(&b'"') => (last, bytes.len()),
        None => (bytes.len(), bytes.len()),
    };
    let inside = bytes.get(start..end).unwrap_or_default();
    (Field { start, end, escaped: memchr2(b'"', b'\\', inside).is_some() }, after)
}

/// Whether no field has content.
pub(crate) fn is_blank(fields: &[Field], record: &str) -> bool {
    fields.iter().all(|field| field.is_blank(record))
}

/// Which slot is in which column of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) delimiter: u8,
    /// Names of the columns as written; empty if the file has no header.
    pub(super) header: Vec<String>,
    folded: Vec<String>,
    at: Vec<Option<usize>>,
}

impl Layout {
    /// Binds by name.
    ///
    /// # Errors
    /// What is missing or there twice, in words.
    pub(super) fn by_name(delimiter: u8, header: Vec<String>, slots: &[Slot]) -> Result<Self, Vec<String>> {
        let folded: Vec<String> = header.iter().map(|name| fold(unwrap_cell(name))).collect();
        let mut faults = Vec::new();
        let at = slots
            .iter()
            .map(|slot| {
                let wanted = fold(&slot.name);
                let mut matching = folded.iter().enumerate().filter(|(_, name)| **name == wanted).map(|(at, _)| at);
                match (matching.next(), matching.next()) {
                    (None, _) if slot.required => {
                        faults.push(format!("column `{}` is missing", slot.name));
                        None
                    }
                    (Some(_), Some(_)) => {
                        faults.push(format!("column `{}` is there twice", slot.name));
                        None
                    }
                    (found, _) => found,
                }
            })
            .collect();
        if faults.is_empty() { Ok(Self { delimiter, header, folded, at }) } else { Err(faults) }
    }

    /// Binds by number, for files without a header; the settings were checked to be numbers.
    pub(super) fn by_number(delimiter: u8, slots: &[Slot]) -> Self {
        let at =
            slots.iter().map(|slot| slot.name.parse::<usize>().ok().and_then(|number| number.checked_sub(1))).collect();
        Self { delimiter, header: Vec::new(), folded: Vec::new(), at }
    }

    /// Puts the bound fields into the slots. Returns whether every required column is there.
    pub(super) fn fill(&self, fields: &[Field], record: &str, slots: &[Slot], cells: &mut Cells) -> bool {
        cells.clear(slots.len());
        let mut complete = true;
        for (slot, column) in self.at.iter().enumerate() {
            let Some(column) = column else { continue };
            match fields.get(*column) {
                Some(field) if field.escaped => cells.set_text(slot, &field.text(record)),
                Some(field) => cells.set(slot, field.start, field.end),
                None => complete &= !slots.get(slot).is_some_and(|slot| slot.required),
            }
        }
        complete
    }

    /// Whether a record has content beyond the last named column: a delimiter or quote in it was misread.
    pub(super) fn overflows(&self, fields: &[Field], record: &str) -> bool {
        !self.header.is_empty() && fields.get(self.header.len()..).is_some_and(|extra| !is_blank(extra, record))
    }

    /// Whether a record names columns: at least half of its cells are names of this header.
    pub(super) fn resembles_header(&self, fields: &[Field], record: &str) -> bool {
        let named = fields.iter().filter(|field| !field.is_blank(record));
        let (mut all, mut known) = (0_usize, 0_usize);
        for field in named {
            all = all.saturating_add(1);
            let name = fold(unwrap_cell(&field.text(record)));
            known = known.saturating_add(usize::from(self.folded.contains(&name)));
        }
        known >= 2 && known.saturating_mul(2) >= all
    }
}

/// Where the header was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FoundHeader {
    /// How many records, this one included, come before the data.
    pub(super) records: usize,
    pub(super) layout: Layout,
}

/// Most records before the header.
pub(super) const PREAMBLE_RECORDS_MAX: usize = 50;

const USUAL_DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Looks for the first record that names every required column.
///
/// # Errors
/// What the best candidate lacks, in words; `None` if there was no candidate at all.
pub(super) fn find_header(
    records: &[Cow<'_, str>],
    delimiter: Option<u8>,
    slots: &[Slot],
) -> Result<FoundHeader, Option<String>> {
    let mut best: Option<(usize, String)> = None;
    let announced = records.first().and_then(|first| announced_delimiter(first));
    let candidates: Vec<u8> = delimiter.or(announced).map_or_else(|| USUAL_DELIMITERS.to_vec(), |one| vec![one]);
    let mut fields = Vec::new();
    for (at, record) in records.iter().take(PREAMBLE_RECORDS_MAX).enumerate() {
        for candidate in &candidates {
            split(record, *candidate, &mut fields);
            let names: Vec<String> = fields.iter().map(|field| unwrap_cell(&field.text(record)).to_owned()).collect();
            match Layout::by_name(*candidate, names, slots) {
                Ok(layout) => {
                    return Ok(FoundHeader { records: at.saturating_add(1), layout });
                }
                Err(faults) => {
                    let better = best.as_ref().is_none_or(|(count, _)| faults.len() < *count);
                    if better && !record.trim_ascii().is_empty() {
                        best = Some((faults.len(), faults.join(", ")));
                    }
                }
            }
        }
    }
    Err(best.map(|(_, faults)| faults))
}

/// Spreadsheets announce the delimiter in a first line `sep=;`.
pub(crate) fn announced_delimiter(record: &str) -> Option<u8> {
    let record = record.trim_matches('"');
    match record.strip_prefix("sep=").or_else(|| record.strip_prefix("SEP="))?.as_bytes() {
        [one] => Some(*one),
        _ => None,
    }
}

/// For a file without header: the delimiter that gives the first record enough fields.
pub(super) fn delimiter_of(record: &str, slots: &[Slot]) -> Option<u8> {
    let wanted = slots.iter().filter_map(|slot| slot.name.parse::<usize>().ok()).max()?;
    let mut fields = Vec::new();
    USUAL_DELIMITERS.into_iter().find(|delimiter| {
        split(record, *delimiter, &mut fields);
        fields.len() >= wanted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_with_their_quotes_taken_off() {
        check("a,\"b,\"\"c\"\"\",,d", &["a", "b,\"c\"", "", "d"]);
        check("\"a\",\"\"", &["a", ""]);
        check("=\"001\",19\" rack,\"x\\\"y\"", &["=\"001\"", "19\" rack", "x\"y"]);
        check("\"line\none\",2,", &["line\none", "2", ""]);
        check("\"open,2", &["open,2"]);
    }

    fn check(record: &str, expected: &[&str]) {
        let mut fields = Vec::new();
        split(record, b',', &mut fields);
        let texts: Vec<_> = fields.iter().map(|field| field.text(record).into_owned()).collect();
        assert_eq!(texts, expected, "{record}");
    }
}
