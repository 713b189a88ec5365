//! Real captures of printers and journal ports, as text: every letter and column that is on the paper, and no other.

use pos_adapters::receipts::judge::Looks;
use pos_adapters::receipts::parse::Line;
use pos_adapters::receipts::receipt::Receipt;
use pos_adapters::receipts::{Dialect, Parser, judge};

use crate::captures::{arrivals, hex_dump, sample};

const GENERATED: [(&str, &str, Dialect); 5] = [
    ("en-guest-escpos-cp437", "source-en-guest", Dialect::Escpos),
    ("en-guest-starlinesbcs-multilingual", "source-en-guest", Dialect::Star),
    ("en-receipt-escpos-cp437", "source-en-receipt", Dialect::Escpos),
    ("en-receipt-escpos-multilingual", "source-en-receipt", Dialect::Escpos),
    ("en-receipt-starlinesbcs-multilingual", "source-en-receipt", Dialect::Star),
];

#[test]
fn generated_receipts_have_the_columns_of_their_source() {
    for (name, source, dialect) in GENERATED {
        let Some(bytes) = sample(&format!("escpos-generated/{name}.bin")) else { return };
        let Some(source) = sample(&format!("escpos-generated/{source}.receipt.txt")) else { return };
        let receipts = parse(dialect, &bytes);
        assert_eq!(receipts.len(), 1, "{name}");
        let receipt = &receipts[0];
        assert_eq!((receipt.unknown_commands, &receipt.damage), (0, &None), "{name}");
        let printed: Vec<Vec<String>> =
            receipt.rows.iter().map(|row| words(&row.text)).filter(|row| !row.is_empty()).collect();
        assert_eq!(printed, written(&String::from_utf8(source).unwrap()), "{name}: {:#?}", texts(receipt));
        assert_eq!(judge(&bytes).dialect, dialect, "{name}");
    }
}

#[test]
fn quantity_and_amount_stay_apart_and_amounts_stand_under_each_other() {
    for (name, _, dialect) in GENERATED {
        let Some(bytes) = sample(&format!("escpos-generated/{name}.bin")) else { return };
        let receipts = parse(dialect, &bytes);
        let row = |word: &str| receipts[0].rows.iter().find(|row| row.text.contains(word)).unwrap().text.clone();
        let (beer, bird) = (row("BEER"), row("CHIDORI"));
        assert!(words(&bird).ends_with(&["CHIDORI", "2", "172.80"].map(str::to_owned)), "{name}: {bird}");
        let column = |text: &str, word: &str| text.split(word).next().unwrap().chars().count();
        assert_eq!(column(&beer, "13.00") + 5, column(&bird, "172.80") + 6, "{name}:\n{beer}\n{bird}");
    }
}

#[test]
fn a_code_on_a_generated_receipt_is_read() {
    for name in ["en-guest-escpos-cp437", "en-guest-starlinesbcs-multilingual"] {
        let Some(bytes) = sample(&format!("escpos-generated/{name}.bin")) else { return };
        let dialect = if name.contains("star") { Dialect::Star } else { Dialect::Escpos };
        let receipts = parse(dialect, &bytes);
        let codes: Vec<_> = receipts[0].codes.iter().map(|code| (code.kind, code.payload.as_str())).collect();
        assert_eq!(codes, [("code39", "0003")], "{name}");
    }
}

#[test]
fn a_drawn_receipt_is_reported_as_unreadable() {
    let Some(bytes) = sample("escpos-generated/en-receipt-stargraphic-multilingual.bin") else { return };
    let receipts = parse(Dialect::Star, &bytes);
    assert!(!receipts.is_empty() && receipts.iter().all(Receipt::is_unreadable), "{receipts:?}");
    assert_eq!(judge(&bytes).looks, Looks::Pictures);
}

#[test]
fn items_below_a_logo_are_read() {
    let Some(bytes) = sample("escpos/receipt-with-logo.bin") else { return };
    let receipts = parse(Dialect::Escpos, &bytes);
    assert_eq!(receipts.len(), 1);
    let rows: Vec<Vec<String>> = receipts[0].rows.iter().map(|row| words(&row.text)).collect();
    let from = rows.iter().position(|row| row == &["$"]).unwrap() + 1;
    let cents = |row: &Vec<String>| row.last().and_then(|word| word.replace('.', "").parse::<i64>().ok());
    let amounts: Vec<i64> = rows[from..].iter().filter_map(cents).collect();
    assert_eq!(amounts, [400, 350, 100, 445, 1295, 130, 1425]);
    assert_eq!(receipts[0].pictures, 1);
    assert_eq!(receipts[0].unknown_commands, 0);
}

#[test]
fn a_demonstration_of_all_commands_leaks_no_parameter() {
    let Some(bytes) = sample("escpos/php-demo.bin") else { return };
    let receipts = parse(Dialect::Escpos, &bytes);
    let unknown: u32 = receipts.iter().map(|receipt| receipt.unknown_commands).sum();
    assert_eq!(unknown, 0);
    let all: Vec<String> = receipts.iter().flat_map(texts).collect();
    let strange = |text: &&String| text.chars().any(char::is_control);
    assert_eq!(all.iter().find(strange), None);
    assert!(all.iter().filter(|text| text.as_str() == "ABCDEFGHIJabcdefghijk").count() >= 32);
    let codes: Vec<_> = receipts.iter().flat_map(|receipt| &receipt.codes).map(|code| code.kind).collect();
    assert!(codes == ["code39", "qr", "qr", "qr"], "{codes:?}");
}

#[test]
fn cafe_vouchers_are_cut_apart() {
    let Some(dump) = sample("escpos/escpost-cafe-order-voucher.hex") else { return };
    let receipts = parse(Dialect::Escpos, &hex_dump(&dump));
    assert_eq!(receipts.len(), 2);
    assert!(texts(&receipts[0]).contains(&"Order 1847".to_owned()), "{:?}", texts(&receipts[0]));
    assert!(receipts[1].codes.iter().any(|code| code.kind == "qr" && code.payload.ends_with("CAFE-1847")));
    assert!(!receipts.iter().flat_map(texts).any(|text| text.contains("not printed")));
}

#[test]
fn a_receipt_with_a_picture_and_a_code_is_read() {
    let Some(bytes) = sample("escpos/netprinter-receipt-with-qrcode.bin") else { return };
    let receipts = parse(Dialect::Escpos, &bytes);
    let all: Vec<String> = receipts.iter().flat_map(texts).map(|text| text.trim().to_owned()).collect();
    assert!(all.contains(&"Québec, G1G 1G1".to_owned()), "{all:?}");
    assert_eq!(receipts[0].codes[0].payload, "You can readme from your smartphone");
}

#[test]
fn every_line_of_a_journal_port_comes_out_once() {
    let Some(log) = sample("serial-journal/verifone-commander-capture-part1.txt") else { return };
    let reads = arrivals(&log);
    assert!(reads.len() > 200 && reads.iter().all(|read| read.at.ends_with('Z') && !read.port.is_empty()));
    let bytes: Vec<u8> = reads.iter().flat_map(|read| read.bytes.iter().copied()).collect();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let expected: Vec<String> = text
        .split(['\n', '\u{1b}'])
        .map(|part| part.trim_start_matches("!\0").trim_end().to_owned())
        .filter(|part| !part.is_empty() && !part.starts_with("c0\u{1}"))
        .collect();
    let rows: Vec<String> = parse(Dialect::Journal, &bytes).iter().flat_map(texts).collect();
    assert_eq!(rows, expected);
    assert!(rows.iter().all(|row| row.matches("TRAN#").count() + row.matches("CSH:").count() < 2));
    let judged = judge(&bytes);
    assert_eq!((judged.dialect, judged.unknown_commands), (Dialect::Journal, 0));
}

#[test]
fn captures_are_read_alike_in_chunks_of_any_size() {
    let Some(log) = sample("serial-journal/verifone-commander-capture-part1.txt") else { return };
    let journal: Vec<u8> = arrivals(&log).iter().flat_map(|read| read.bytes.iter().copied()).collect();
    let mut captures = vec![(Dialect::Journal, journal)];
    for (name, _, dialect) in GENERATED {
        captures.extend(sample(&format!("escpos-generated/{name}.bin")).map(|bytes| (dialect, bytes)));
    }
    captures.extend(sample("escpos/php-demo.bin").map(|bytes| (Dialect::Escpos, bytes)));
    for (dialect, bytes) in captures {
        let whole = parse(dialect, &bytes);
        for size in [1, 2, 3, 7, 64, 1000] {
            let mut parser = parser(dialect);
            let mut done = Vec::new();
            bytes.chunks(size).for_each(|chunk| parser.push(chunk, &mut done));
            parser.finish(&mut done);
            assert_eq!(done, whole, "{dialect:?} in chunks of {size}");
        }
    }
}

/// Words of a printed row, without the lines of boxes.
fn words(row: &str) -> Vec<String> {
    let line = |c: char| ('\u{2500}'..='\u{257f}').contains(&c);
    row.replace(line, " ").split_whitespace().map(str::to_owned).collect()
}

/// Words of the rows that a source describes: no directives, no rules, no signs for size and print.
fn written(source: &str) -> Vec<Vec<String>> {
    source
        .lines()
        .filter(|line| !line.starts_with('{'))
        .map(|line| words(&line.replace(['|', '^', '~', '`'], " ")))
        .filter(|row| !row.is_empty() && !row.iter().all(|word| word.chars().all(|c| c == '-')))
        .collect()
}

fn parser(dialect: Dialect) -> Parser {
    Parser::new(&Line { dialect, ..Line::default() }, 0).unwrap()
}

fn parse(dialect: Dialect, bytes: &[u8]) -> Vec<Receipt> {
    let mut parser = parser(dialect);
    let mut done = Vec::new();
    parser.push(bytes, &mut done);
    parser.finish(&mut done);
    done
}

fn texts(receipt: &Receipt) -> Vec<String> {
    receipt.rows.iter().map(|row| row.text.clone()).collect()
}
