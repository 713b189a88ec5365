//! Records of fixed width: headers whose fields go with the lines below them, implied decimals, overpunched signs. Pure.
//!
//! A record that does not fit (unknown type, wrong length, unreadable number, a trailer whose count is wrong) is written
//! as a record of one field: the reader of the CSV sets it aside with the text, so that nothing disappears.

use std::collections::BTreeMap;

use super::super::map::Csv;
use super::super::settings::{FixedDate, FixedField, FixedRecord, FixedRole, FixedSign, FixedTable};
use crate::file::SettingFault;
use crate::file::decode::{self, Encoding};

/// Longest record.
const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Most lines of one ticket that wait for its trailer.
const LINES_MAX: usize = 10_000;

/// What is wrong with the layout.
pub(super) fn faults(settings: &FixedTable) -> Vec<SettingFault> {
    let mut faults = Vec::new();
    let mut add = |key: String, message: &str| faults.push(SettingFault { key, message: message.to_owned() });
    if settings.record.is_empty() {
        add("fixed.record".to_owned(), "describe at least one kind of record, in `[[source.fixed.record]]`");
    }
    if settings.record.iter().all(|record| record.role != FixedRole::Line) && !settings.record.is_empty() {
        add("fixed.record".to_owned(), "one kind of record must have the role `line`");
    }
    if settings.type_start.is_some() != settings.type_width.is_some() || settings.type_start == Some(0) {
        add("fixed.type_start".to_owned(), "give `type_start` (from 1) and `type_width` together");
    }
    if settings.type_start.is_none() && settings.record.len() > 1 {
        add("fixed.type_start".to_owned(), "is needed to tell several kinds of record apart");
    }
    if settings.record_length.is_some_and(|length| length == 0 || length > RECORD_BYTES_MAX) {
        add("fixed.record_length".to_owned(), "is from 1 to 65536");
    }
    for (at, record) in settings.record.iter().enumerate() {
        for field in &record.field {
            if field.start == 0 || field.width == 0 || field.start.saturating_add(field.width) > RECORD_BYTES_MAX {
                add(
                    format!("fixed.record[{at}].field"),
                    "`start` is from 1, `width` at least 1, and both end below 65536",
                );
            }
            if field.decimals.is_some_and(|decimals| decimals > 6) {
                add(format!("fixed.record[{at}].field"), "`decimals` is from 0 to 6");
            }
        }
        let counted = record.count.as_ref().is_none_or(|name| record.field.iter().any(|field| field.name == *name));
        if !counted {
            add(format!("fixed.record[{at}].count"), "names no field of this record");
        }
    }
    faults
}

/// See [`super::csv`].
pub(super) fn csv(settings: &FixedTable, encoding: Option<Encoding>, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let opening = decode::opening(bytes.get(..bytes.len().min(4096)).unwrap_or_default());
    if let Some(foreign) = opening.foreign {
        return Err(format!("is {foreign}"));
    }
    let body = bytes.get(opening.mark..).unwrap_or_default();
    let encoding = opening.encoding.or(encoding).unwrap_or(if std::str::from_utf8(body).is_ok() {
        Encoding::Utf8
    } else {
        decode::LEGACY
    });
    let mut reader = Reader::new(settings, encoding);
    match settings.record_length {
        Some(length) => body.chunks(length).filter(|record| record.len() == length).for_each(|r| reader.record(r)),
        None => body
            .split(|byte| *byte == b'\n')
            .map(|record| record.strip_suffix(b"\r").unwrap_or(record))
            .filter(|record| !record.iter().all(|byte| matches!(byte, 0 | 0x1a | b' ')))
            .for_each(|record| reader.record(record)),
    }
    Ok(reader.finish())
}

struct Reader<'s> {
    settings: &'s FixedTable,
    encoding: Encoding,
    columns: Vec<&'s str>,
    header: BTreeMap<&'s str, String>,
    waiting: Vec<BTreeMap<&'s str, String>>,
    has_trailer: bool,
    csv: Csv,
}

impl<'s> Reader<'s> {
    fn new(settings: &'s FixedTable, encoding: Encoding) -> Self {
        let mut columns: Vec<&str> = Vec::new();
        let kept = |record: &&FixedRecord| matches!(record.role, FixedRole::Header | FixedRole::Line);
        for field in settings.record.iter().filter(kept).flat_map(|record| &record.field) {
            if !columns.contains(&field.name.as_str()) {
                columns.push(&field.name);
            }
        }
        let csv = Csv::new(columns.iter());
        let has_trailer =
            settings.record.iter().any(|record| record.role == FixedRole::Trailer && record.count.is_some());
        Self { settings, encoding, columns, header: BTreeMap::new(), waiting: Vec::new(), has_trailer, csv }
    }

    fn record(&mut self, bytes: &[u8]) {
        let settings = self.settings;
        let found = match settings.type_start.zip(settings.type_width) {
            Some((start, width)) => {
                let from = start.saturating_sub(1);
                let written = bytes.get(from..from.saturating_add(width)).unwrap_or_default();
                let written = String::from_utf8_lossy(written);
                settings.record.iter().find(|record| record.record_type.trim() == written.trim())
            }
            None => settings.record.first(),
        };
        let Some(kind) = found else { return self.misfit("unknown record type", bytes) };
        if kind.length.is_some_and(|length| length != bytes.len()) {
            return self.misfit("another length than its record type has", bytes);
        }
        match kind.role {
            FixedRole::Skip => {}
            FixedRole::Header => {
                self.flush();
                match self.fields(kind, bytes) {
                    Some(fields) => self.header = fields,
                    None => {
                        self.header.clear();
                        self.misfit("unreadable field", bytes);
                    }
                }
            }
            FixedRole::Line => match self.fields(kind, bytes) {
                Some(mut fields) => {
                    for (name, value) in &self.header {
                        fields.entry(name).or_insert_with(|| value.clone());
                    }
                    self.waiting.push(fields);
                    if !self.has_trailer || self.waiting.len() >= LINES_MAX {
                        self.flush();
                    }
                }
                None => self.misfit("unreadable field", bytes),
            },
            FixedRole::Trailer => self.trailer(kind, bytes),
        }
    }

    fn trailer(&mut self, kind: &'s FixedRecord, bytes: &[u8]) {
        let counted = kind.count.as_deref().map(|name| {
            let fields = self.fields(kind, bytes);
            fields.and_then(|fields| fields.get(name)?.trim().parse::<usize>().ok())
        });
        match counted {
            None => self.flush(),
            Some(count) if count == Some(self.waiting.len()) => self.flush(),
            Some(_) => {
                let lines = self.waiting.len();
                let ticket: Vec<String> = self.waiting.drain(..).flat_map(BTreeMap::into_values).collect();
                let reason =
                    format!("a ticket of {lines} lines whose trailer counts another number: {}", ticket.join(" "));
                self.misfit(&reason, bytes);
            }
        }
        self.header.clear();
    }

    /// The whole text. Lines whose trailer has not come belong to a ticket that is not finished.
    fn finish(mut self) -> Vec<u8> {
        if self.has_trailer && !self.waiting.is_empty() {
            let lines = self.waiting.len();
            let ticket: Vec<String> = self.waiting.drain(..).flat_map(BTreeMap::into_values).collect();
            self.misfit(&format!("a ticket of {lines} lines without its trailer"), ticket.join(" ").as_bytes());
        }
        self.flush();
        self.csv.finish()
    }

    fn flush(&mut self) {
        for fields in std::mem::take(&mut self.waiting) {
            let columns = self.columns.iter();
            self.csv.record(columns.map(|name| fields.get(name).map(String::as_str).unwrap_or_default()));
        }
    }

    /// One field only, so that it is set aside when the CSV is read.
    fn misfit(&mut self, reason: &str, bytes: &[u8]) {
        let text = self.encoding.decode(bytes);
        self.csv.field(&format!("{reason}: {}", text.trim_end()));
        self.csv.end();
    }

    fn fields(&self, kind: &'s FixedRecord, bytes: &[u8]) -> Option<BTreeMap<&'s str, String>> {
        kind.field.iter().map(|field| Some((field.name.as_str(), self.value(field, bytes)?))).collect()
    }

    fn value(&self, field: &FixedField, bytes: &[u8]) -> Option<String> {
        let from = field.start.saturating_sub(1);
        let end = from.saturating_add(field.width).min(bytes.len());
        let text = self.encoding.decode(bytes.get(from..end).unwrap_or_default());
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        match (field.decimals, field.sign, field.date) {
            (None, FixedSign::Written, None) => Some(text.to_owned()),
            (_, _, Some(date)) => civil(text, date),
            (decimals, sign, None) => number(text, decimals.unwrap_or(0), sign),
        }
    }
}

/// A number with its decimal point and its sign in front. Blank is zero, as such files pad with blanks.
fn number(text: &str, decimals: u32, sign: FixedSign) -> Option<String> {
    let (mut negative, mut digits) = (false, String::new());
    match sign {
        FixedSign::Overpunch => {
            let last = text.chars().next_back().unwrap_or('0');
            let (value, minus) = overpunched(last)?;
            negative = minus;
            digits.push_str(text.get(..text.len().saturating_sub(last.len_utf8())).unwrap_or_default());
            digits.push(value);
        }
        FixedSign::Written => {
            let upper = text.to_uppercase();
            let bare = upper.strip_suffix("CR").unwrap_or(&upper);
            let bare = bare.strip_suffix("DB").unwrap_or(bare);
            negative |= upper.ends_with("CR") || bare.starts_with('-') || bare.ends_with('-');
            digits.push_str(bare.trim_matches(|c: char| c == '-' || c == '+' || c.is_whitespace()));
        }
    }
    if digits.is_empty() {
        digits.push('0');
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals = usize::try_from(decimals).ok()?;
    let padded = format!("{digits:0>width$}", width = decimals.saturating_add(1));
    let (whole, fraction) = padded.split_at_checked(padded.len().checked_sub(decimals)?)?;
    let point = if decimals > 0 { "." } else { "" };
    Some(format!("{}{whole}{point}{fraction}", if negative { "-" } else { "" }))
}

/// The digit of a zoned decimal's last place and whether the number is negative.
const fn overpunched(last: char) -> Option<(char, bool)> {
    Some(match last {
        '0'..='9' => (last, false),
        '{' => ('0', false),
        'A' => ('1', false),
        'B' => ('2', false),
        'C' => ('3', false),
        'D' => ('4', false),
        'E' => ('5', false),
        'F' => ('6', false),
        'G' => ('7', false),
        'H' => ('8', false),
        'I' => ('9', false),
        '}' => ('0', true),
        'J' => ('1', true),
        'K' => ('2', true),
        'L' => ('3', true),
        'M' => ('4', true),
        'N' => ('5', true),
        'O' => ('6', true),
        'P' => ('7', true),
        'Q' => ('8', true),
        'R' => ('9', true),
        _ => return None,
    })
}

fn civil(text: &str, date: FixedDate) -> Option<String> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    let (century, rest) = match date {
        FixedDate::Cyymmdd if text.len() == 7 => match text.split_at_checked(1)? {
            ("0", rest) => ("19", rest),
            ("1", rest) => ("20", rest),
            _ => return None,
        },
        FixedDate::Yymmdd if text.len() == 6 => (if text.get(..2)? >= "70" { "19" } else { "20" }, text),
        // Leading zeros of a number are lost.
        FixedDate::Cyymmdd if text.len() == 6 => ("19", text),
        FixedDate::Cyymmdd | FixedDate::Yymmdd => return None,
    };
    Some(format!("{century}{}-{}-{}", rest.get(..2)?, rest.get(2..4)?, rest.get(4..6)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_their_point_and_sign() {
        for (text, decimals, sign, expected) in [
            ("0001250", 3, FixedSign::Written, Some("0001.250")),
            ("5", 3, FixedSign::Written, Some("0.005")),
            ("12-", 0, FixedSign::Written, Some("-12")),
            ("12CR", 2, FixedSign::Written, Some("-0.12")),
            ("0012N", 2, FixedSign::Overpunch, Some("-001.25")),
            ("0012E", 2, FixedSign::Overpunch, Some("001.25")),
            ("", 2, FixedSign::Written, Some("0.00")),
            ("12x4", 2, FixedSign::Written, None),
            ("12!", 2, FixedSign::Overpunch, None),
        ] {
            assert_eq!(number(text, decimals, sign).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn dates_of_other_ages_are_read() {
        assert_eq!(civil("1261124", FixedDate::Cyymmdd).as_deref(), Some("2026-11-24"));
        assert_eq!(civil("991231", FixedDate::Cyymmdd).as_deref(), Some("1999-12-31"));
        assert_eq!(civil("261124", FixedDate::Yymmdd).as_deref(), Some("2026-11-24"));
        assert_eq!(civil("2611", FixedDate::Yymmdd), None);
    }

    #[test]
    fn header_fields_go_with_lines_and_trailers_count() {
        let layout: FixedTable = serde_json::from_str(
            r#"{"type_start": 1, "type_width": 1, "record": [
                {"type": "H", "role": "header", "length": 7, "field": [{"name": "ticket", "start": 2, "width": 6}]},
                {"type": "L", "role": "line", "field": [{"name": "sku", "start": 2, "width": 4},
                    {"name": "qty", "start": 6, "width": 5, "decimals": 3}]},
                {"type": "M", "role": "skip"},
                {"type": "T", "role": "trailer", "count": "n", "field": [{"name": "n", "start": 2, "width": 2}]}]}"#,
        )
        .expect("a layout");
        assert_eq!(faults(&layout), []);
        let text =
            "H000001\r\nLAAAA02000\r\nLBBBB00250\r\nM cash\r\nT02\r\nH000002\r\nLAAAA01000\r\nT09\r\nX?\r\nH3\r\n";
        let csv = csv(&layout, None, text.as_bytes()).expect("a table");
        let csv = String::from_utf8(csv).expect("text");
        let rows: Vec<&str> = csv.trim_start_matches('\u{feff}').lines().collect();
        assert_eq!(
            rows.get(..3),
            Some(
                &["\"ticket\",\"sku\",\"qty\"", "\"000001\",\"AAAA\",\"02.000\"", "\"000001\",\"BBBB\",\"00.250\""][..]
            )
        );
        assert_eq!(rows.len(), 6, "{rows:#?}");
        assert!(rows[3].contains("counts another number") && rows[4].contains("unknown record type"));
        assert!(rows[5].contains("another length"));
    }
}
