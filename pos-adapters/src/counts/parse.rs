//! Rows of a count from the bytes of a file with delimiters. Pure. A row that cannot be read is named, never guessed.

use sync_core::count::ARTICLES_MAX;

use super::{CountRow, RawCount};
use crate::file::csv::{self, Field};
use crate::file::decode::{self, Encoding};
use crate::file::value::{
    self, DayOrder, DecimalSign, NumberFault, StoreClock, TimeFault, is_spreadsheet_exponent, unwrap_cell,
};

/// Lines before the header that are looked at.
const PREAMBLE_MAX: usize = 20;

/// How a sheet is to be read.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) encoding: Option<Encoding>,
    pub(super) delimiter: Option<u8>,
    pub(super) decimal: Option<DecimalSign>,
    pub(super) date_order: Option<DayOrder>,
    pub(super) header: bool,
    pub(super) sku: String,
    pub(super) quantity: String,
    pub(super) counted_at: Option<String>,
}

struct Places {
    sku: usize,
    quantity: usize,
    counted_at: Option<usize>,
}

/// Reads a sheet.
///
/// # Errors
/// Why it is none.
pub(super) fn rows(bytes: &[u8], layout: &Layout, clock: &mut StoreClock) -> Result<RawCount, String> {
    let text = text(bytes, layout.encoding)?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    let Some(first) = lines.peek() else { return Err("is empty".to_owned()) };
    let delimiter = layout.delimiter.or_else(|| csv::announced_delimiter(first)).unwrap_or_else(|| likely(&text));
    let places = if layout.header {
        header(&mut lines, delimiter, layout)?
    } else {
        let number = |name: &str| name.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let at = |name: &str| number(name).ok_or_else(|| format!("column `{name}` must be a number"));
        Places {
            sku: at(&layout.sku)?,
            quantity: at(&layout.quantity)?,
            counted_at: layout.counted_at.as_deref().map(at).transpose()?,
        }
    };
    let body: Vec<&str> = lines.collect();
    let mut fields = Vec::new();
    let decimal = layout.decimal.or_else(|| evidence(&body, delimiter, places.quantity, &mut fields));
    let mut count = RawCount::default();
    for line in body {
        csv::split(line, delimiter, &mut fields);
        if csv::is_blank(&fields, line) {
            continue;
        }
        if count.rows.len() >= ARTICLES_MAX {
            return Err(format!("has more than {ARTICLES_MAX} rows"));
        }
        match row(&fields, line, &places, decimal, layout.date_order, clock) {
            Ok(row) => count.rows.push(row),
            Err(reason) => count.note(reason),
        }
    }
    Ok(count)
}

fn text(bytes: &[u8], encoding: Option<Encoding>) -> Result<std::borrow::Cow<'_, str>, String> {
    let opening = decode::opening(bytes.get(..bytes.len().min(4096)).unwrap_or_default());
    if let Some(foreign) = opening.foreign {
        return Err(format!("is {foreign}, not a file with columns"));
    }
    let body = bytes.get(opening.mark..).unwrap_or_default();
    Ok(match opening.encoding.or(encoding) {
        Some(encoding) if encoding.is_utf16() => encoding.transcode(body).into(),
        Some(encoding) => encoding.decode(body),
        None if std::str::from_utf8(body).is_ok() => Encoding::Utf8.decode(body),
        None => decode::LEGACY.decode(body),
    })
}

fn likely(text: &str) -> u8 {
    let sample: Vec<&str> = text.lines().take(PREAMBLE_MAX).collect();
    let count = |delimiter: u8| -> usize {
        sample.iter().map(|line| line.bytes().filter(|byte| *byte == delimiter).count()).sum()
    };
    [b',', b'|', b'\t', b';'].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

fn header<'t>(lines: &mut impl Iterator<Item = &'t str>, delimiter: u8, layout: &Layout) -> Result<Places, String> {
    let mut fields: Vec<Field> = Vec::new();
    let mut seen = String::new();
    for line in lines.take(PREAMBLE_MAX) {
        csv::split(line, delimiter, &mut fields);
        let names: Vec<String> =
            fields.iter().map(|field| unwrap_cell(&field.text(line)).trim().to_lowercase()).collect();
        let find = |wanted: &str| names.iter().position(|name| *name == wanted.trim().to_lowercase());
        let counted_at = layout.counted_at.as_deref().map(find);
        if let (Some(sku), Some(quantity), None | Some(Some(_))) =
            (find(&layout.sku), find(&layout.quantity), counted_at)
        {
            return Ok(Places { sku, quantity, counted_at: counted_at.flatten() });
        }
        if seen.is_empty() {
            seen = names.join(", ");
        }
    }
    let wanted: Vec<String> =
        [&layout.sku, &layout.quantity].into_iter().chain(&layout.counted_at).map(|name| format!("`{name}`")).collect();
    Err(format!("has no header with {}; its first line has {seen}", wanted.join(" and ")))
}

fn evidence(body: &[&str], delimiter: u8, quantity: usize, fields: &mut Vec<Field>) -> Option<DecimalSign> {
    body.iter().find_map(|line| {
        csv::split(line, delimiter, fields);
        fields.get(quantity).and_then(|field| value::decimal_evidence(&field.text(line)))
    })
}

fn row(
    fields: &[Field],
    line: &str,
    places: &Places,
    decimal: Option<DecimalSign>,
    order: Option<DayOrder>,
    clock: &mut StoreClock,
) -> Result<CountRow, String> {
    let cell = |at: usize| -> String {
        fields.get(at).map(|field| unwrap_cell(&field.text(line)).trim().to_owned()).unwrap_or_default()
    };
    let (code, written) = (cell(places.sku), cell(places.quantity));
    if code.is_empty() {
        return Err("a row without an article number".to_owned());
    }
    if is_spreadsheet_exponent(&code) {
        return Err(format!("`{code}` has lost its digits in a spreadsheet; export the column as text"));
    }
    if written.is_empty() {
        return Err(format!("article `{code}`: nothing stands where the quantity should"));
    }
    let quantity = value::quantity(&written, decimal).map_err(|fault| match fault {
        NumberFault::Ambiguous => {
            format!("article `{code}`: `{written}` may be a thousand or a fraction; set `decimal`")
        }
        NumberFault::Unreadable(reason) => format!("article `{code}`: {reason}"),
    })?;
    let counted_at = match places.counted_at {
        None => None,
        Some(at) => {
            let written = cell(at);
            let moment = value::moment(&written, order).map_err(|fault| match fault {
                TimeFault::NeedsOrder(..) => format!("article `{code}`: `{written}` needs `date_order`"),
                TimeFault::Unreadable => format!("article `{code}`: `{written}` is no time"),
            })?;
            Some(clock.utc(moment).ok_or_else(|| format!("article `{code}`: `{written}` is no time"))?)
        }
    };
    Ok(CountRow { code, quantity, counted_at })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn layout() -> Layout {
        Layout {
            encoding: None,
            delimiter: None,
            decimal: None,
            date_order: None,
            header: true,
            sku: "sku".to_owned(),
            quantity: "quantity".to_owned(),
            counted_at: None,
        }
    }

    fn read(text: &str, layout: &Layout) -> Result<RawCount, String> {
        rows(text.as_bytes(), layout, &mut StoreClock::new(TimeZone::get("Europe/Berlin").unwrap()))
    }

    #[test]
    fn a_sheet_with_a_title_and_decimal_commas_is_read() {
        let count =
            read("Stock list 12\n\nSKU;Name;Quantity\nA;\"Tea; green\";1,5\nB;Cup;-2\n;;\n", &layout()).unwrap();
        let rows: Vec<String> = count.rows.iter().map(|row| format!("{} {}", row.code, row.quantity)).collect();
        assert_eq!((rows, count.unreadable), (vec!["A 1.5".to_owned(), "B -2".to_owned()], 0));
    }

    #[test]
    fn rows_that_are_none_are_named() {
        let count = read("sku,quantity\nA,x\n4.00638E+12,1\nB,\n,3\n", &layout()).unwrap();
        assert_eq!((count.rows.len(), count.unreadable), (0, 4), "{:?}", count.notes);
    }

    #[test]
    fn rows_may_say_when_they_were_counted() {
        let layout = Layout { counted_at: Some("at".to_owned()), ..layout() };
        let count = read("sku,quantity,at\nA,1,2026-11-25 22:30:00\n", &layout).unwrap();
        let at = count.rows[0].counted_at.unwrap();
        assert_eq!(jiff::Timestamp::from_microsecond(at.0).unwrap().to_string(), "2026-11-25T21:30:00Z");
        assert!(read("sku,quantity\nA,1\n", &layout).unwrap_err().contains("`at`"));
    }
}
