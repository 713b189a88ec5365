//! Workbooks as tables: one sheet, values as stored (formulas by their last result). Pure.
//!
//! Whole numbers are written with all their digits, so that a barcode that the workbook kept as a number is read back;
//! what was lost before (more than 15 digits) cannot be. Dates are written as `YYYY-MM-DD HH:MM:SS` in the workbook's own
//! age (1900 or 1904). A cell with an error is empty.

use std::io::{Cursor, Read as _};

use calamine::{Data, Reader as _, open_workbook_auto_from_rs};

use super::super::TABLE_BYTES_MAX;
use super::super::map::Csv;
use super::super::settings::SheetTable;

/// Most parts of an archive.
const PARTS_MAX: usize = 10_000;

/// See [`super::csv`].
pub(super) fn csv(settings: &SheetTable, bytes: &[u8]) -> Result<Vec<u8>, String> {
    if bytes.starts_with(b"PK") {
        admit(bytes)?;
    }
    let mut book =
        open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|error| format!("cannot be opened: {error}"))?;
    let names = book.sheet_names();
    let name = match &settings.name {
        Some(wanted) => names
            .iter()
            .find(|name| name.eq_ignore_ascii_case(wanted))
            .ok_or_else(|| format!("has no sheet `{wanted}`; it has {}", names.join(", ")))?,
        None => names.first().ok_or("has no sheet")?,
    };
    let range =
        book.worksheet_range(name).map_err(|error| format!("has a sheet `{name}` that cannot be read: {error}"))?;
    let mut rows = range.rows().map(|row| row.iter().map(text).collect::<Vec<String>>());
    let Some(first) = rows.next() else { return Ok(Csv::new(std::iter::empty::<&str>()).finish()) };
    let mut csv = Csv::new(first.iter());
    for row in rows {
        csv.record(row.iter());
    }
    Ok(csv.finish())
}

/// Refuses an archive that grows beyond all use when unpacked.
fn admit(bytes: &[u8]) -> Result<(), String> {
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| format!("is a broken archive: {error}"))?;
    if archive.len() > PARTS_MAX {
        return Err(format!("has more than {PARTS_MAX} parts"));
    }
    let mut left = TABLE_BYTES_MAX;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|error| format!("is a broken archive: {error}"))?;
        // The size written in the archive may be a lie: count what really comes out.
        let real = std::io::copy(&mut part.take(left.saturating_add(1)), &mut std::io::sink())
            .map_err(|error| format!("is a broken archive: {error}"))?;
        left = left.checked_sub(real).ok_or_else(|| format!("unpacks to more than {TABLE_BYTES_MAX} bytes"))?;
    }
    Ok(())
}

fn text(cell: &Data) -> String {
    match cell {
        Data::Empty | Data::Error(_) => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number.to_string(),
        Data::Bool(value) => value.to_string(),
        Data::DateTime(moment) if moment.is_duration() => {
            let (_, _, _, hour, minute, second, _) = moment.to_ymd_hms_milli();
            format!("{hour:02}:{minute:02}:{second:02}")
        }
        Data::DateTime(moment) => {
            let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
            // Half a second is what a binary fraction of a day may be off.
            let second = if milli >= 500 && second < 59 { second.saturating_add(1) } else { second };
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        }
    }
}
