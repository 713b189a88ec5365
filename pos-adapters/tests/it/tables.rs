//! Tables in files: fixed width, dBase, workbooks.

use std::io::Write as _;

use sync_core::model::TransactionStatus;

use crate::support::Bench;

const FIXED: &str = r#""format": "fixed", "columns": {"transaction": "ticket", "sku": "sku", "quantity": "qty", "date": "day"},
    "fixed": {"type_start": 1, "type_width": 1, "record": [
        {"type": "H", "role": "header", "length": 14, "field": [{"name": "ticket", "start": 2, "width": 6},
            {"name": "day", "start": 8, "width": 7, "date": "cyymmdd"}]},
        {"type": "L", "role": "line", "length": 12, "field": [{"name": "sku", "start": 2, "width": 5},
            {"name": "qty", "start": 7, "width": 6, "decimals": 3, "sign": "overpunch"}]},
        {"type": "P", "role": "skip"},
        {"type": "T", "role": "trailer", "count": "n", "field": [{"name": "n", "start": 2, "width": 2}]}]}"#;

#[test]
fn records_of_fixed_width_are_tickets_with_implied_decimals_and_overpunched_signs() {
    let mut bench = Bench::new("day.txt", FIXED);
    bench.write(
        "day.txt",
        "H0000011261124\r\nL  MUG00100{\r\nLCHEES00125}\r\nP cash\r\nT02\r\nH0000021261124\r\nL  MUG00200{\r\nT03\r\n\x1a",
    );
    bench.settle();
    assert_eq!(bench.summary(), "000001: MUG -1, CHEES 1.25");
    assert_eq!(bench.quarantined.len(), 1, "{:?}", bench.quarantined);
    assert!(bench.quarantined[0].raw.contains("counts another number"), "{:?}", bench.quarantined);
    assert!(bench.sold_at["000001"].is_some());
}

const DBF: &str = r#""format": "dbf", "scan": "1s", "columns": {"transaction": "ticket", "sku": "sku", "quantity": "qty",
    "date": "day"}"#;

#[test]
fn a_live_table_is_read_at_once_and_a_deleted_line_comes_back() {
    let mut bench = Bench::new("SALES.DBF", DBF);
    bench.write("SALES.DBF", dbf(&[" 1MUG  2.000", " 1CUP  1.000", " 2MUG  1.000"], 3));
    bench.drain();
    assert_eq!(bench.summary(), "1: MUG -2, CUP -1; 2: MUG -1");
    // A line is voided, and another ticket is sold whose record the header does not count yet.
    bench.write("SALES.DBF", dbf(&[" 1MUG  2.000", "*1CUP  1.000", "*2MUG  1.000", " 3CUP  1.000"], 3));
    bench.drain();
    assert_eq!(bench.tickets["1"].lines, ["MUG -2", "CUP -1 ignored by cancelled-line"]);
    assert_eq!(bench.tickets["2"].status, TransactionStatus::Cancelled);
    assert!(!bench.tickets.contains_key("3"));
    bench.restart();
    bench.write("SALES.DBF", dbf(&[" 1MUG  2.000", "*1CUP  1.000", "*2MUG  1.000", " 3CUP  1.000"], 4));
    bench.drain();
    assert_eq!(bench.tickets["3"].lines, ["CUP -1"]);
}

#[test]
fn packing_a_table_changes_nothing_but_what_was_deleted() {
    let mut bench = Bench::new("SALES.DBF", DBF);
    bench.write("SALES.DBF", dbf(&[" 1MUG  2.000", "*2CUP  1.000", " 3MUG  1.000"], 3));
    bench.drain();
    bench.write("SALES.DBF", dbf(&[" 1MUG  2.000", " 3MUG  1.000"], 2));
    bench.drain();
    assert_eq!(bench.tickets["1"].lines, ["MUG -2"]);
    assert_eq!(bench.tickets["3"].lines, ["MUG -1"]);
    let covered = bench.coverage.last().unwrap();
    assert_eq!(covered.keys, ["1", "3"], "ticket 2 has vanished from what the table covers");
}

#[test]
fn a_header_table_that_comes_later_completes_the_ticket() {
    let settings = r#""format": "dbf", "columns": {"transaction": "ticket", "sku": "sku", "quantity": "qty",
        "date": "header.day"}, "dbf": {"header": "HEAD.DBF", "key": ["ticket"]}"#;
    let mut bench = Bench::new("SALES.DBF", settings);
    bench.write("SALES.DBF", dbf(&[" 1MUG  2.000", " 2MUG  1.000"], 2));
    bench.write("HEAD.DBF", dbf(&[" 1         "], 1));
    bench.drain();
    assert_eq!(bench.summary(), "1: MUG -2");
    bench.write("HEAD.DBF", dbf(&[" 1         ", " 2         "], 2));
    bench.drain();
    assert_eq!(bench.summary(), "1: MUG -2; 2: MUG -1");
}

#[test]
fn a_workbook_is_read_with_numbers_in_full() {
    let settings = r#""format": "xlsx", "sheet": {"name": "Sales"}, "columns": {"transaction": "Ticket", "sku": "Barcode",
        "quantity": "Qty", "sold_at": "Sold"}"#;
    let mut bench = Bench::new("export.xlsx", settings);
    let rows = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>Ticket</t></is></c><c r="B1" t="inlineStr"><is><t>Barcode</t></is></c>
        <c r="C1" t="inlineStr"><is><t>Qty</t></is></c><c r="D1" t="inlineStr"><is><t>Sold</t></is></c></row>
        <row r="2"><c r="A2"><v>17</v></c><c r="B2"><v>4006381333931</v></c><c r="C2"><v>1.5</v></c>
        <c r="D2" s="1"><v>46350.5875</v></c></row>"#;
    bench.write("export.xlsx", workbook("Sales", rows));
    bench.settle();
    assert_eq!(bench.reasons(), Vec::<&str>::new());
    assert_eq!(bench.summary(), "17: 4006381333931 -1.5");
    // 2026-11-24 14:06 in Berlin.
    assert_eq!(bench.sold_at["17"], Some(1_795_525_560));
}

#[test]
fn what_is_no_such_table_is_set_aside_once() {
    let mut bench = Bench::new("SALES.DBF", DBF);
    bench.write("SALES.DBF", "<html>please log in</html>");
    bench.drain();
    bench.drain();
    assert_eq!(bench.quarantined.len(), 1, "{:?}", bench.quarantined);
    assert!(bench.reasons()[0].contains("begins with byte 3c"), "{:?}", bench.reasons());
}

/// Columns `ticket` (1), `sku` (5), `qty` (5 with 3 decimals), `day`; each record begins with its flag.
fn dbf(records: &[&str], count: u32) -> Vec<u8> {
    let fields: [(&str, u8, u8); 4] = [("TICKET", b'C', 1), ("SKU", b'C', 5), ("QTY", b'N', 5), ("DAY", b'D', 8)];
    let mut bytes = vec![0x03, 126, 11, 24];
    bytes.extend(count.to_le_bytes());
    bytes.extend(161_u16.to_le_bytes());
    bytes.extend(20_u16.to_le_bytes());
    bytes.resize(32, 0);
    for (name, kind, length) in fields {
        let mut field = name.as_bytes().to_vec();
        field.resize(32, 0);
        field[11] = kind;
        field[16] = length;
        bytes.extend(field);
    }
    bytes.push(0x0D);
    for record in records {
        bytes.extend(format!("{record:<12}20261124").into_bytes());
    }
    bytes.push(0x1A);
    bytes
}

/// The smallest workbook: one sheet, and a style for dates.
fn workbook(name: &str, rows: &str) -> Vec<u8> {
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let parts = [
        (
            "[Content_Types].xml",
            format!(
                r#"<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/></Types>"#
            ),
        ),
        (
            "_rels/.rels",
            format!(
                r#"<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                r#"<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="{name}" sheetId="1" r:id="r1"/></sheets></workbook>"#
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                r#"<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{office}/styles" Target="styles.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                r#"<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>"#
            ),
        ),
        ("xl/worksheets/sheet1.xml", format!(r#"<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>"#)),
    ];
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in parts {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(format!("{head}{text}").as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
