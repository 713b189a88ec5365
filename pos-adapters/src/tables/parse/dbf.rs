//! dBase III, IV, 7, FoxPro and Clipper tables. Pure.
//!
//! ```text
//! 0 version | 1-3 date (not looked at) | 4-7 records | 8-9 header bytes | 10-11 record bytes | 29 code page
//! 32.. fields of 32 bytes (48 from byte 68 in dBase 7): name, type, length, decimals | 0x0D | records, each with a flag
//! ```
//! Source: the dBase file structure as published by Borland and Microsoft ("Table File Structure (.dbc, .dbf, .frx, …)").
//!
//! - A record counts only if the header counts it and the file holds it whole.
//! - A deleted record (flag `*`) is given with [`super::super::DELETED`] set: its ticket or line was voided.
//! - The place of a record says nothing: `PACK` moves records. Tickets are known by their columns.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::{Span, civil};
use sync_core::model::Quantity;

use super::super::DELETED;
use super::super::map::Csv;
use super::super::settings::DbfTable;
use super::memo::Memo;
use crate::file::decode::{self, Encoding};

/// Most fields of a table (dBase 7 has 1,024).
const FIELDS_MAX: usize = 1_024;
/// The day number of 1970-01-01 in FoxPro and dBase 7 times.
const UNIX_DAY: i64 = 2_440_588;

#[derive(Debug)]
struct Field {
    name: String,
    kind: u8,
    offset: usize,
    length: usize,
}

#[derive(Debug)]
struct Dbf<'b> {
    fields: Vec<Field>,
    encoding: Encoding,
    records: &'b [u8],
    record_length: usize,
    /// dBase 7 writes numbers with the high byte first.
    big_endian: bool,
    fox: bool,
    /// Where FoxPro notes which fields are null or shorter than their place.
    null_flags: Option<(usize, usize)>,
}

/// See [`super::csv`].
pub(super) fn csv(
    settings: &DbfTable,
    encoding: Option<Encoding>,
    main: &[u8],
    others: &[(PathBuf, Vec<u8>)],
) -> Result<Vec<u8>, String> {
    let table = Dbf::parse(main, encoding)?;
    let is_memo = |path: &PathBuf| {
        path.extension().is_some_and(|end| end.eq_ignore_ascii_case("fpt") || end.eq_ignore_ascii_case("dbt"))
    };
    let memo = others.iter().find(|(path, _)| is_memo(path)).map(|(path, bytes)| Memo::new(path, bytes));
    let header = match (&settings.header, others.iter().find(|(path, _)| !is_memo(path))) {
        (Some(_), Some((_, bytes))) => Some(Header::new(bytes, encoding, &settings.key)?),
        (Some(name), None) => return Err(format!("has no header table `{name}` beside it")),
        (None, _) => None,
    };
    let names: Vec<String> = table.fields.iter().map(|field| field.name.to_lowercase()).collect();
    let key = key_columns(&names, if header.is_some() { &settings.key } else { &[] })?;
    let header_names = header.iter().flat_map(|header| header.names.iter().map(|name| format!("header.{name}")));
    let columns = names.iter().cloned().chain(header_names).chain([DELETED.to_owned()]);
    let mut csv = Csv::new(columns);
    for record in table.records() {
        let values: Vec<Cow<'_, str>> =
            table.fields.iter().map(|field| table.value(field, record, memo.as_ref())).collect();
        let mut deleted = record.first() == Some(&b'*');
        let mut extra: &[String] = &[];
        if let Some(header) = &header {
            let written: Vec<&str> =
                key.iter().map(|at| values.get(*at).map(Cow::as_ref).unwrap_or_default()).collect();
            // A line whose header is not there yet belongs to a ticket that is being written.
            let Some((fields, gone)) = header.tickets.get(&written.join("|")) else { continue };
            deleted |= *gone;
            extra = fields;
        }
        for value in &values {
            csv.field(value);
        }
        for value in extra {
            csv.field(value);
        }
        csv.field(if deleted { "*" } else { "" });
        csv.end();
    }
    Ok(csv.finish())
}

/// The header table: fields of each ticket, and whether it is deleted.
struct Header {
    names: Vec<String>,
    tickets: BTreeMap<String, (Vec<String>, bool)>,
}

impl Header {
    fn new(bytes: &[u8], encoding: Option<Encoding>, key: &[String]) -> Result<Self, String> {
        let table = Dbf::parse(bytes, encoding).map_err(|reason| format!("has a header table that {reason}"))?;
        let names: Vec<String> = table.fields.iter().map(|field| field.name.to_lowercase()).collect();
        let key = key_columns(&names, key)?;
        let mut tickets = BTreeMap::new();
        for record in table.records() {
            let values: Vec<String> =
                table.fields.iter().map(|field| table.value(field, record, None).into_owned()).collect();
            let written: Vec<&str> =
                key.iter().map(|at| values.get(*at).map(String::as_str).unwrap_or_default()).collect();
            let deleted = record.first() == Some(&b'*');
            let written = written.join("|");
            // A header that was deleted and written anew is there.
            if !deleted || !tickets.contains_key(&written) {
                tickets.insert(written, (values, deleted));
            }
        }
        Ok(Self { names, tickets })
    }
}

fn key_columns(names: &[String], key: &[String]) -> Result<Vec<usize>, String> {
    key.iter()
        .map(|wanted| {
            let wanted = wanted.to_lowercase();
            names
                .iter()
                .position(|name| *name == wanted)
                .ok_or_else(|| format!("has no column `{wanted}`; it has {}", names.join(", ")))
        })
        .collect()
}

impl<'b> Dbf<'b> {
    fn parse(bytes: &'b [u8], wanted: Option<Encoding>) -> Result<Self, String> {
        let version = byte(bytes, 0);
        if !matches!(version, 0x02..=0x05 | 0x07 | 0x30..=0x32 | 0x43 | 0x63 | 0x83 | 0x8B | 0x8C | 0x8E | 0xCB | 0xE5 | 0xF5 | 0xFB)
        {
            return Err(format!("begins with byte {version:02x}, as no dBase table does"));
        }
        let count = number_le(bytes, 4, 4);
        let (header, length) = (number_le(bytes, 8, 2), number_le(bytes, 10, 2));
        if header < 33 || length < 2 || header > bytes.len() {
            return Err("is cut short in its header".to_owned());
        }
        let dbase7 = version & 0x07 == 4;
        let (fields, null_flags) = fields(bytes.get(..header).unwrap_or_default(), dbase7, length)?;
        let body = bytes.get(header..).unwrap_or_default();
        let whole = body.len().checked_div(length).unwrap_or(0).min(count);
        let records = body.get(..whole.saturating_mul(length)).unwrap_or_default();
        let encoding = wanted.or_else(|| code_page(byte(bytes, 29))).unwrap_or(decode::LEGACY);
        let fox = matches!(version, 0x30..=0x32 | 0xF5 | 0xFB);
        Ok(Self { fields, encoding, records, record_length: length, big_endian: dbase7, fox, null_flags })
    }

    fn records(&self) -> impl Iterator<Item = &'b [u8]> {
        self.records.chunks_exact(self.record_length)
    }

    fn value(&self, field: &Field, record: &[u8], memo: Option<&Memo<'_>>) -> Cow<'b, str> {
        let bytes = record.get(field.offset..field.offset.saturating_add(field.length)).unwrap_or_default();
        let text = |bytes: &[u8]| -> Cow<'b, str> {
            let text = self.encoding.decode(bytes);
            Cow::Owned(text.trim_matches(|c: char| c == '\0' || c == ' ').to_owned())
        };
        match field.kind {
            b'D' => date(bytes),
            b'I' | b'+' => self.integer(bytes),
            b'Y' => {
                let value = bytes.try_into().map_or(0, i64::from_le_bytes);
                Cow::Owned(
                    value.checked_mul(100).map(|micros| Quantity::from_micros(micros).to_string()).unwrap_or_default(),
                )
            }
            b'B' if self.fox => Cow::Owned(bytes.try_into().map_or(0.0, f64::from_le_bytes).to_string()),
            b'O' => Cow::Owned(self.double(bytes).to_string()),
            b'T' | b'@' => self.time(bytes),
            b'M' | b'G' | b'B' | b'P' => {
                let block = match bytes.len() {
                    4 => number_le(bytes, 0, 4),
                    _ => String::from_utf8_lossy(bytes).trim().parse().unwrap_or(0),
                };
                memo.and_then(|memo| memo.text(block)).map(text).unwrap_or_default()
            }
            b'V' | b'Q' => {
                let last = usize::from(bytes.last().copied().unwrap_or(0));
                let is_short = self.null_flags.is_some_and(|(at, length)| {
                    record.get(at..at.saturating_add(length)).unwrap_or_default().iter().any(|flags| *flags != 0)
                });
                text(if is_short && last < bytes.len() { bytes.get(..last).unwrap_or_default() } else { bytes })
            }
            _ => text(bytes),
        }
    }

    fn integer(&self, bytes: &[u8]) -> Cow<'b, str> {
        let Ok(four) = <[u8; 4]>::try_from(bytes) else { return Cow::Borrowed("") };
        // dBase 7 turns the sign bit over, so that numbers sort as bytes.
        let value =
            if self.big_endian { i32::from_be_bytes(four).wrapping_sub(i32::MIN) } else { i32::from_le_bytes(four) };
        Cow::Owned(value.to_string())
    }

    fn double(&self, bytes: &[u8]) -> f64 {
        let Ok(mut eight) = <[u8; 8]>::try_from(bytes) else { return 0.0 };
        if !self.big_endian {
            return f64::from_le_bytes(eight);
        }
        // Positive numbers have their sign bit turned over, negative ones all bits.
        if eight[0] & 0x80 == 0 {
            eight = eight.map(|byte| !byte);
        } else {
            eight[0] &= 0x7f;
        }
        f64::from_be_bytes(eight)
    }

    /// Day number and milliseconds of the day.
    fn time(&self, bytes: &[u8]) -> Cow<'b, str> {
        let (day, millis) = (number_le(bytes, 0, 4), number_le(bytes, 4, 4));
        if day == 0 {
            return Cow::Borrowed("");
        }
        let days = i64::try_from(day).unwrap_or(0).saturating_sub(UNIX_DAY);
        let midnight = civil::date(1970, 1, 1).at(0, 0, 0, 0);
        // FoxPro rounds through a binary fraction of the day: the last millisecond may be missing.
        let seconds = i64::try_from(millis.saturating_add(500) / 1_000).unwrap_or(0);
        let span = Span::new().try_days(days).and_then(|span| span.try_seconds(seconds));
        let moment = span.and_then(|span| midnight.checked_add(span));
        moment.map(|moment| Cow::Owned(moment.to_string())).unwrap_or_default()
    }
}

type Fields = (Vec<Field>, Option<(usize, usize)>);

fn fields(header: &[u8], dbase7: bool, record_length: usize) -> Result<Fields, String> {
    let (start, size, name_length, at) = if dbase7 { (68, 48, 32, (32, 33, 34)) } else { (32, 32, 11, (11, 16, 17)) };
    let mut fields = Vec::new();
    let mut null_flags = None;
    let mut offset: usize = 1;
    for descriptor in header.get(start..).unwrap_or_default().chunks_exact(size) {
        if descriptor.first() == Some(&0x0D) || fields.len() >= FIELDS_MAX {
            break;
        }
        let name = descriptor.get(..name_length).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let (kind, short, high) = (byte(descriptor, at.0), byte(descriptor, at.1), byte(descriptor, at.2));
        // Clipper and FoxPro write the length of long texts into the place of the decimals too.
        let length = usize::from(short).saturating_add(if kind == b'C' { usize::from(high) << 8 } else { 0 });
        if kind == b'0' {
            null_flags = Some((offset, length));
        } else {
            fields.push(Field { name: String::from_utf8_lossy(name).trim().to_owned(), kind, offset, length });
        }
        offset = offset.saturating_add(length);
    }
    if fields.is_empty() || offset > record_length {
        return Err("has fields that do not fit into its records".to_owned());
    }
    Ok((fields, null_flags))
}

/// `YYYYMMDD`, or blank.
fn date(bytes: &[u8]) -> Cow<'static, str> {
    let text = String::from_utf8_lossy(bytes);
    let parts = (text.get(..4), text.get(4..6), text.get(6..8));
    match parts {
        (Some(year), Some(month), Some(day)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Cow::Owned(format!("{year}-{month}-{day}"))
        }
        _ => Cow::Borrowed(""),
    }
}

/// Byte 29: the language driver.
fn code_page(driver: u8) -> Option<Encoding> {
    let label = match driver {
        0x01 | 0x09 | 0x0B | 0x0D | 0x0F | 0x11 | 0x15 | 0x18 | 0x19 | 0x1B => "cp437",
        0x02 | 0x0A | 0x0E | 0x10 | 0x12 | 0x14 | 0x16 | 0x1A | 0x1D | 0x25 | 0x37 => "cp850",
        0x03 | 0x57..=0x59 => "cp1252",
        0x08 | 0x17 | 0x66 => "cp865",
        0x13 | 0x7B => "cp932",
        0x1C | 0x6C => "cp863",
        0x1F | 0x22 | 0x23 | 0x40 | 0x64 | 0x87 => "cp852",
        0x24 => "cp860",
        0x26 | 0x65 => "cp866",
        0x4D | 0x7A => "cp936",
        0x4E | 0x79 => "cp949",
        0x4F | 0x78 => "cp950",
        0x50 | 0x7C => "cp874",
        0x67 => "cp861",
        0x6A | 0x86 => "cp737",
        0x6B | 0x88 => "cp857",
        0x7D => "cp1255",
        0x7E => "cp1256",
        0xC8 => "cp1250",
        0xC9 => "cp1251",
        0xCA => "cp1254",
        0xCB => "cp1253",
        0xCC => "cp1257",
        _ => return None,
    };
    decode::by_label(label).ok()
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

fn number_le(bytes: &[u8], at: usize, length: usize) -> usize {
    let bytes = bytes.get(at..at.saturating_add(length)).unwrap_or_default();
    bytes.iter().rev().fold(0, |value: usize, byte| (value << 8) | usize::from(*byte))
}

#[cfg(test)]
mod tests;
