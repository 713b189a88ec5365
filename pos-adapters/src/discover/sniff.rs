//! What a file is, by its name and first bytes. Pure. Says nothing rather than something unsure.

use std::collections::BTreeMap;

use super::FileKind;
use crate::file::csv;
use crate::file::decode::{self, Encoding};
use crate::file::value::unwrap_cell;

/// Bytes that are looked at.
pub(super) const SAMPLE_BYTES: usize = 16 * 1024;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Files(FileKind),
    Sqlite,
    Firebird,
    Access,
}

/// Words by which columns are known, the likeliest first.
const COLUMN_WORDS: [(&str, &[&str]); 5] = [
    (
        "transaction",
        &[
            "transaction",
            "transaction id",
            "ticket",
            "ticket no",
            "receipt number",
            "receipt no",
            "receipt",
            "invoice no",
            "invoiceno",
            "invoice",
            "bill no",
            "order id",
            "bon_id",
        ],
    ),
    (
        "sku",
        &[
            "sku",
            "item code",
            "itemcode",
            "article",
            "article number",
            "stockcode",
            "stock code",
            "product code",
            "plu",
            "item number",
            "barcode",
            "gtin",
            "ean",
            "upc",
        ],
    ),
    ("quantity", &["quantity", "qty", "units", "units sold", "menge", "aantal", "antal"]),
    (
        "sold_at",
        &[
            "sold_at",
            "sold at",
            "date",
            "datetime",
            "date time",
            "timestamp",
            "invoicedate",
            "sale date",
            "created at",
            "datum",
        ],
    ),
    ("register", &["register", "till", "terminal", "pos", "lane", "workstation"]),
];

/// Looks at a file.
pub(super) fn content(name: &str, sample: &[u8]) -> Option<Content> {
    let lower = name.to_lowercase();
    let ends = |end: &str| lower.ends_with(end);
    if sample.starts_with(b"SQLite format 3\0") {
        return Some(Content::Sqlite);
    }
    if sample.get(4..19) == Some(b"Standard Jet DB") || sample.get(4..19) == Some(b"Standard ACE DB") {
        return Some(Content::Access);
    }
    // A Firebird header page: type 1, and its size of page at byte 16.
    if (ends(".fdb") || ends(".gdb")) && sample.first() == Some(&1) {
        return Some(Content::Firebird);
    }
    if sample.starts_with(b"PK") {
        return ends(".xlsx").then_some(Content::Files(FileKind::Workbook));
    }
    if ends(".dbf") {
        return dbf_columns(sample).map(|columns| Content::Files(FileKind::Dbf(columns)));
    }
    if sample.contains(&0x1b)
        && (sample.windows(2).any(|pair| pair == b"\x1b@") || sample.windows(2).any(|pair| pair == b"\x1dV"))
    {
        return Some(Content::Files(FileKind::Receipts));
    }
    let text = text(sample)?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('<') {
        return document(text).map(|format| Content::Files(FileKind::Document(format)));
    }
    records(text).map(Content::Files)
}

fn text(sample: &[u8]) -> Option<String> {
    let opening = decode::opening(sample);
    if opening.foreign.is_some() && !sample.trim_ascii_start().starts_with(b"<") {
        return None;
    }
    let body = sample.get(opening.mark..)?;
    let text = match opening.encoding {
        Some(encoding) if encoding.is_utf16() => encoding.transcode(body),
        Some(encoding) => encoding.decode(body).into_owned(),
        None => Encoding::Utf8.decode(body).into_owned(),
    };
    (!text.contains('\0')).then_some(text)
}

fn document(text: &str) -> Option<&'static str> {
    let head: String = text.chars().take(4_096).collect();
    let known = [
        ("<POSLog", "poslog"),
        (":POSLog", "poslog"),
        ("NAXML-POSJournal", "naxml"),
        ("<transSet", "verifone"),
        ("<auditfile", "saft"),
        (":auditfile", "saft"),
        ("gdpdu", "dsfinvk"),
    ];
    known.into_iter().find(|(mark, _)| head.contains(mark)).map(|(_, format)| format)
}

fn records(text: &str) -> Option<FileKind> {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("sep="))?;
    if first.starts_with('{') {
        let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(first).ok()?;
        let columns = columns(object.keys().map(String::as_str));
        return is_sales(&columns).then_some(FileKind::Records { format: "jsonl", profile: None, columns });
    }
    let delimiter = [b';', b'\t', b'|', b','].into_iter().max_by_key(|d| first.bytes().filter(|b| b == d).count())?;
    let mut fields = Vec::new();
    csv::split(first, delimiter, &mut fields);
    let names: Vec<String> = fields.iter().map(|field| unwrap_cell(&field.text(first)).trim().to_owned()).collect();
    let has = |name: &str| names.iter().any(|column| column.eq_ignore_ascii_case(name));
    let profile = if has("Itemization Type") || (has("Transaction ID") && has("Event Type") && has("Qty")) {
        Some("square-items")
    } else if has("Receipt number") && has("Receipt type") && has("SKU") && has("Quantity") {
        Some("loyverse-items")
    } else {
        None
    };
    let columns = columns(names.iter().map(String::as_str));
    (profile.is_some() || is_sales(&columns)).then_some(FileKind::Records { format: "csv", profile, columns })
}

fn columns<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (part, words) in COLUMN_WORDS {
        let plain = |name: &str| name.trim().to_lowercase().replace(['_', '-', '.'], " ");
        let of_word = |word: &&str| names.clone().find(|name| plain(name) == word.replace('_', " "));
        if let Some(name) = words.iter().find_map(of_word) {
            found.push((part, name.to_owned()));
        }
    }
    found
}

/// A transaction, an article and a quantity are what makes a sale.
fn is_sales(columns: &[(&'static str, String)]) -> bool {
    ["transaction", "sku", "quantity"].iter().all(|part| columns.iter().any(|(known, _)| known == part))
}

fn dbf_columns(sample: &[u8]) -> Option<Vec<String>> {
    matches!(sample.first()?, 0x03 | 0x04 | 0x30..=0x32 | 0x83 | 0x8B | 0xE5 | 0xF5).then_some(())?;
    let names: Vec<String> = sample
        .get(32..)?
        .chunks_exact(32)
        .take_while(|field| field.first() != Some(&0x0D))
        .map(|field| field.split(|byte| *byte == 0).next().unwrap_or_default())
        .map(|name| String::from_utf8_lossy(name.get(..name.len().min(11)).unwrap_or_default()).trim().to_lowercase())
        .collect();
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_sales_is_recognised() {
        check(
            "a.csv",
            b"Ticket No;SKU;Qty;Date\n1;A;2;2026-11-24\n",
            "csv transaction=Ticket No sku=SKU quantity=Qty sold_at=Date",
        );
        check("a.jsonl", b"{\"ticket\":1,\"sku\":\"A\",\"qty\":1}\n", "jsonl transaction=ticket sku=sku quantity=qty");
        check("a.csv", b"Date,Receipt number,Receipt type,SKU,Quantity\n", "csv loyverse-items");
        check("x.xml", b"<?xml version=\"1.0\"?><POSLog xmlns=\"x\">", "poslog");
        check("x.xml", b"<NAXML-POSJournal version=\"3.4\">", "naxml");
        check("t.prn", b"\x1b@Hello\n\x1dV\x00", "receipts");
    }

    #[test]
    fn what_does_not_is_left_alone() {
        for (name, sample) in [
            ("a.csv", &b"name,price\nx,1\n"[..]),
            ("a.html", b"<html><body>"),
            ("a.bin", &[0, 1, 2, 3]),
            ("a.txt", b"Dear customer\n"),
            ("a.csv", b""),
        ] {
            assert_eq!(content(name, sample), None, "{name}");
        }
    }

    #[test]
    fn databases_are_recognised() {
        assert_eq!(content("pos.db", b"SQLite format 3\0..."), Some(Content::Sqlite));
        assert_eq!(content("x.mdb", b"\0\x01\0\0Standard Jet DB\0"), Some(Content::Access));
    }

    fn check(name: &str, sample: &[u8], expected: &str) {
        let Some(Content::Files(kind)) = content(name, sample) else { panic!("{name} is not recognised") };
        let text = match kind {
            FileKind::Document(format) => format.to_owned(),
            FileKind::Receipts => "receipts".to_owned(),
            FileKind::Workbook => "workbook".to_owned(),
            FileKind::Dbf(columns) => columns.join(" "),
            FileKind::Records { format, profile: Some(profile), .. } => format!("{format} {profile}"),
            FileKind::Records { format, columns, .. } => {
                let columns: Vec<String> = columns.into_iter().map(|(part, name)| format!("{part}={name}")).collect();
                format!("{format} {}", columns.join(" "))
            }
        };
        assert_eq!(text, expected);
    }
}
