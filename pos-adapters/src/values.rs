//! Lists of values that the POS or its back office has of each article: prices, units on order from suppliers.
//!
//! A list is a query of a database that is a source already, or a CSV file with a header. It is read whole each time, in
//! one short transaction or from a copy in memory; who reads decides what differs. A row that cannot be read is named and
//! left out; where one article has several prices, nothing is taken for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sync_core::model::{Quantity, Sku};
use sync_core::values::{VALUES_MAX, ValueKind};

use crate::database::DatabaseSettings;
use crate::database::values as database;
use crate::file::SettingFault;
use crate::file::csv;
use crate::file::decode::{self, Encoding};
use crate::file::value::{self, DecimalSign, is_spreadsheet_exponent, unwrap_cell};
use crate::{SecretReader, SourceError};

/// Largest file that is read.
pub const LIST_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Most notes on rows that cannot be read.
const NOTES_MAX: usize = 20;

/// A list as read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ValueList {
    /// The value of each article.
    pub values: BTreeMap<Sku, Quantity>,
    /// Rows that were left out, in words; at most 20.
    pub notes: Vec<String>,
    /// Rows that were left out.
    pub left_out: usize,
    contested: BTreeSet<Sku>,
}

impl ValueList {
    /// Adds a row. Units of one article are added up; two prices of one article contradict each other.
    pub(crate) fn add(&mut self, kind: ValueKind, sku: &str, value: Result<Quantity, String>) {
        let sku = sku.trim();
        if sku.is_empty() {
            return self.note("a row without an article number".to_owned());
        }
        let value = match value {
            Ok(value) => value,
            Err(reason) => return self.note(format!("article `{sku}`: {reason}")),
        };
        let sku = Sku::from(sku);
        match (kind, self.values.get_mut(&sku)) {
            (_, None) if self.contested.contains(&sku) => {}
            (_, None) => {
                self.values.insert(sku, value);
            }
            (ValueKind::Incoming, Some(sum)) => *sum = sum.saturating_add(value),
            (ValueKind::Price, Some(known)) if *known == value => {}
            (ValueKind::Price, Some(known)) => {
                let reason = format!("article `{sku}`: two prices, {known} and {value}; neither is taken");
                self.values.remove(&sku);
                self.contested.insert(sku);
                self.note(reason);
            }
        }
    }

    fn note(&mut self, reason: String) {
        self.left_out = self.left_out.saturating_add(1);
        if self.notes.len() < NOTES_MAX {
            self.notes.push(reason);
        }
    }
}

/// Names of the columns of a CSV list. Letter case and outer blanks do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListColumns")]
pub struct ListColumns {
    /// The article number. Default: `sku`.
    #[serde(default)]
    pub sku: Option<String>,
    /// The price, or the number of units on order. Default: `price`, or `quantity`.
    #[serde(default)]
    pub value: Option<String>,
}

/// The sign before the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ListDecimal")]
pub enum ListDecimal {
    /// `1.50`
    Point,
    /// `1,50`
    Comma,
}

/// Reads a list from a file.
///
/// # Errors
/// Why the file is no such list, in plain words.
pub fn from_file(
    path: &Path,
    kind: ValueKind,
    columns: &ListColumns,
    decimal: Option<ListDecimal>,
) -> Result<ValueList, String> {
    let shown = path.display();
    let length = std::fs::metadata(path).map_err(|error| format!("cannot look at `{shown}`: {error}"))?.len();
    if length > LIST_BYTES_MAX {
        return Err(format!("`{shown}` has {length} bytes, more than a list has"));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    from_bytes(&bytes, kind, columns, decimal).map_err(|reason| format!("`{shown}` {reason}"))
}

/// Reads a list from the bytes of a file.
///
/// # Errors
/// Why they are no such list.
pub fn from_bytes(
    bytes: &[u8],
    kind: ValueKind,
    columns: &ListColumns,
    decimal: Option<ListDecimal>,
) -> Result<ValueList, String> {
    let opening = decode::opening(bytes.get(..bytes.len().min(4096)).unwrap_or_default());
    if let Some(foreign) = opening.foreign {
        return Err(format!("is {foreign}, not a CSV file"));
    }
    let body = bytes.get(opening.mark..).unwrap_or_default();
    let text = match opening.encoding {
        Some(encoding) if encoding.is_utf16() => encoding.transcode(body).into(),
        Some(encoding) => encoding.decode(body),
        None if std::str::from_utf8(body).is_ok() => Encoding::Utf8.decode(body),
        None => decode::LEGACY.decode(body),
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let header = lines.next().ok_or("is empty")?;
    let delimiter = [b';', b'\t', b'|', b','].into_iter().max_by_key(|d| header.bytes().filter(|b| b == d).count());
    let delimiter = delimiter.unwrap_or(b',');
    let mut fields = Vec::new();
    csv::split(header, delimiter, &mut fields);
    let names: Vec<String> =
        fields.iter().map(|field| unwrap_cell(&field.text(header)).trim().to_lowercase()).collect();
    let place = |wanted: &Option<String>, usual: &str| {
        let wanted = wanted.as_deref().unwrap_or(usual).trim().to_lowercase();
        let at = names.iter().position(|name| *name == wanted);
        at.ok_or_else(|| format!("has no column `{wanted}`; it has {}", names.join(", ")))
    };
    let (sku_at, value_at) = (place(&columns.sku, "sku")?, place(&columns.value, value_column(kind))?);
    let sign = decimal.map(|decimal| match decimal {
        ListDecimal::Point => DecimalSign::Point,
        ListDecimal::Comma => DecimalSign::Comma,
    });
    let mut list = ValueList::default();
    for line in lines {
        csv::split(line, delimiter, &mut fields);
        let cell = |at: usize| -> String {
            fields.get(at).map(|field| unwrap_cell(&field.text(line)).trim().to_owned()).unwrap_or_default()
        };
        let (sku, written) = (cell(sku_at), cell(value_at));
        if is_spreadsheet_exponent(&sku) {
            list.note(format!("`{sku}` has lost its digits in a spreadsheet; export the column as text"));
            continue;
        }
        if written.is_empty() {
            list.note(format!("article `{sku}`: no value"));
            continue;
        }
        let value = value::quantity(&written, sign).map_err(|_| {
            format!("`{written}` is no clear number; write 3.99, or say `decimal = \"comma\"` or `\"point\"`")
        });
        list.add(kind, &sku, value);
        if list.values.len() > VALUES_MAX {
            return Err(format!("has more than {VALUES_MAX} articles"));
        }
    }
    Ok(list)
}

/// Name of the column of a kind's values.
pub(crate) const fn value_column(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Price => "price",
        ValueKind::Incoming => "quantity",
    }
}

/// A database list, checked: nothing is connected yet.
///
/// # Errors
/// What the settings lack; the source's own faults are not repeated.
pub fn check_database(
    source: &DatabaseSettings,
    kind: ValueKind,
    query: Option<&str>,
    zone: &TimeZone,
) -> Result<(), Vec<SettingFault>> {
    database::plan(source, kind, query, zone).map(|_| ())
}

/// Reads a list from the database of a source. `query` replaces what the profile knows of prices.
///
/// # Errors
/// [`SourceError`] names the step.
pub fn from_database(
    source: &DatabaseSettings,
    kind: ValueKind,
    query: Option<&str>,
    zone: &TimeZone,
    own_files: &Path,
    secrets: &dyn SecretReader,
) -> Result<ValueList, SourceError> {
    database::read(source, kind, query, zone, own_files, secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: ValueKind, text: &str) -> ValueList {
        from_bytes(text.as_bytes(), kind, &ListColumns::default(), None).expect("a list")
    }

    fn shown(list: &ValueList) -> Vec<String> {
        list.values.iter().map(|(sku, value)| format!("{sku} {value}")).collect()
    }

    #[test]
    fn a_price_list_is_read_as_offices_write_it() {
        let list = read(ValueKind::Price, "SKU;Price;Name\n=\"0012\";1,99;x\nB;10,00;\"a;b\"\n;5;\nC;;\nD;1.2.3;\n");
        assert_eq!(shown(&list), ["0012 1.99", "B 10"]);
        assert_eq!(list.left_out, 3);
    }

    #[test]
    fn an_article_with_two_prices_keeps_the_one_it_has() {
        let list = read(ValueKind::Price, "sku,price\nA,1.50\nB,2\nA,1.60\nA,1.60\nB,2.00\n");
        assert_eq!(shown(&list), ["B 2"]);
    }

    #[test]
    fn units_on_order_are_added_up() {
        let list = read(ValueKind::Incoming, "sku,quantity\nA,5\nA,7\nB,1\n");
        assert_eq!(shown(&list), ["A 12", "B 1"]);
    }

    #[test]
    fn a_number_that_may_be_read_in_two_ways_is_left_out_unless_the_sign_is_said() {
        let text = "sku;price\nA;1.250\n";
        assert!(read(ValueKind::Price, text).values.is_empty());
        let columns = ListColumns::default();
        let read = from_bytes(text.as_bytes(), ValueKind::Price, &columns, Some(ListDecimal::Comma)).expect("a list");
        assert_eq!(shown(&read), ["A 1250"]);
    }

    #[test]
    fn other_files_are_refused() {
        let columns = ListColumns { sku: Some("Artikel".to_owned()), value: Some("VK".to_owned()) };
        let refused = from_bytes(b"sku,price\nA,1\n", ValueKind::Price, &columns, None);
        assert!(refused.is_err_and(|reason| reason.contains("no column `artikel`")));
        assert!(from_bytes(b"", ValueKind::Price, &columns, None).is_err());
        let named = from_bytes(b"ARTIKEL;vk\nA;1,00\n", ValueKind::Price, &columns, None).expect("a list");
        assert_eq!(shown(&named), ["A 1"]);
    }
}
