//! The article table from its bytes. Pure. A row that cannot be read is named and left out; a file without the column
//! `sku` is no article table.

use std::fmt;

use sync_core::article::table::ARTICLES_MAX;
use sync_core::article::{Article, Ratio};
use sync_core::model::{Quantity, RuleName, Sku};

use crate::file::csv::{self, Field};
use crate::file::decode::{self, Encoding};
use crate::file::value::{self, is_spreadsheet_exponent, unwrap_cell};

/// Most faults that are kept.
const FAULTS_MAX: usize = 1_000;

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFault {
    /// Line of the file, from 1.
    pub line: usize,
    /// Why, in plain words.
    pub reason: String,
}

impl fmt::Display for TableFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Which field is which.
#[derive(Debug, Default)]
struct Columns {
    sku: usize,
    barcode: Option<usize>,
    pack: Option<usize>,
    kit: Option<usize>,
    non_stock: Option<usize>,
    price: Option<usize>,
}

/// All articles of a table, and the rows that are none.
///
/// # Errors
/// Why the file is no article table.
pub(super) fn articles(bytes: &[u8]) -> Result<(Vec<Article>, Vec<TableFault>), String> {
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
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, header) = lines.next().ok_or("is empty")?;
    let delimiter = [b';', b'\t', b'|', b','].into_iter().max_by_key(|d| header.bytes().filter(|b| b == d).count());
    let delimiter = delimiter.unwrap_or(b',');
    let mut fields = Vec::new();
    csv::split(header, delimiter, &mut fields);
    let columns = columns(&fields, header)?;
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for (at, line) in lines {
        csv::split(line, delimiter, &mut fields);
        match article(&fields, line, &columns) {
            Ok(article) if found.len() < ARTICLES_MAX => found.push(article),
            Ok(_) => return Err(format!("has more than {ARTICLES_MAX} articles")),
            Err(reason) if faults.len() < FAULTS_MAX => faults.push(TableFault { line: at.saturating_add(1), reason }),
            Err(_) => {}
        }
    }
    Ok((found, faults))
}

fn columns(fields: &[Field], header: &str) -> Result<Columns, String> {
    let names: Vec<String> =
        fields.iter().map(|field| unwrap_cell(&field.text(header)).trim().to_lowercase()).collect();
    let find = |name: &str| names.iter().position(|column| column == name);
    let sku = find("sku").ok_or_else(|| format!("has no column `sku`; it has {}", names.join(", ")))?;
    Ok(Columns {
        sku,
        barcode: find("barcode").or_else(|| find("gtin")).or_else(|| find("ean")).or_else(|| find("upc")),
        pack: find("pack"),
        kit: find("kit"),
        non_stock: find("non_stock"),
        price: find("price"),
    })
}

fn article(fields: &[Field], line: &str, columns: &Columns) -> Result<Article, String> {
    let cell = |at: Option<usize>| -> Option<String> {
        let text = fields.get(at?)?.text(line);
        let text = unwrap_cell(&text).trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let sku = cell(Some(columns.sku)).ok_or("has no SKU")?;
    let barcode = cell(columns.barcode);
    for code in barcode.iter().chain([&sku]) {
        if is_spreadsheet_exponent(code) {
            return Err(format!("`{code}` has lost its digits in a spreadsheet; export the column as text"));
        }
    }
    let pack = match cell(columns.pack) {
        Some(text) => Ratio::parse(&text).ok_or_else(|| format!("`{text}` is no pack; write 6 or 1/12"))?,
        None => Ratio::ONE,
    };
    let unit_price = match cell(columns.price) {
        Some(text) => Some(price(&text)?),
        None => None,
    };
    let kit = cell(columns.kit).map(|text| kit(&text)).transpose()?.unwrap_or_default();
    let non_stock = cell(columns.non_stock).map(RuleName::new);
    Ok(Article { sku: Sku::new(sku), barcode, pack, kit, non_stock, unit_price })
}

fn price(text: &str) -> Result<Quantity, String> {
    value::quantity(text, None).map_err(|_| format!("`{text}` is no clear price; write 3.99"))
}

fn kit(text: &str) -> Result<Vec<(Sku, Ratio)>, String> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (sku, each) = part.rsplit_once('=').unwrap_or((part, "1"));
            let ratio = Ratio::parse(each).ok_or_else(|| format!("`{part}` is no component; write SKU=2"))?;
            Ok((Sku::new(sku.trim()), ratio))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_with_its_packs_and_kits() {
        let text = "SKU;Barcode;Pack;Kit;Non_stock;Price\n\
            A;=\"4006381333931\";6;;;1,99\n\
            B;;;\"A=2; C=1/2\";;\n\
            D;;;;deposit;\n";
        let (found, faults) = articles(text.as_bytes()).expect("a table");
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(found[0].barcode.as_deref(), Some("4006381333931"));
        assert_eq!((found[0].pack.to_string(), found[0].unit_price), ("6".to_owned(), Quantity::parse("1.99").ok()));
        assert_eq!(found[1].kit.len(), 2);
        assert_eq!(found[2].non_stock, Some(RuleName::from("deposit")));
    }

    #[test]
    fn rows_that_are_none_are_named() {
        check("sku,barcode\nA,4.00638E+12\n", "line 2: `4.00638E+12` has lost its digits");
        check("sku,pack\nA,0\n", "line 2: `0` is no pack");
        check("sku,pack\n,2\n", "line 2: has no SKU");
        check("sku,kit\nA,B=x\n", "line 2: `B=x` is no component");
    }

    #[test]
    fn other_files_are_refused() {
        assert!(articles(b"<html></html>").is_err());
        assert!(articles(b"name,price\nx,1\n").is_err_and(|reason| reason.contains("no column `sku`")));
        assert!(articles(b"").is_err());
    }

    fn check(text: &str, expected: &str) {
        let (found, faults) = articles(text.as_bytes()).expect("a table");
        assert!(found.is_empty());
        assert!(faults[0].to_string().starts_with(expected), "{}", faults[0]);
    }
}
