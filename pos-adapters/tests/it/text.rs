//! Encodings, dialects, headers, and files that are no tables.

use crate::support::{Bench, PLAIN};

fn read(content: impl AsRef<[u8]>, rest: &str) -> Bench {
    let mut bench = Bench::new("s.csv", &format!("{PLAIN}{rest}"));
    bench.write("s.csv", content);
    bench.settle();
    bench
}

#[test]
fn byte_order_marks_carriage_returns_and_end_marks_are_no_data() {
    for content in [
        "\u{feff}t,sku,qty\r\nT1,A,2\r\n\x1a",
        "t,sku,qty\rT1,A,2\rT1",
        "sep=;\r\nt;sku;qty\r\nT1;A;2\r\n",
        "t\tsku\tqty\nT1\tA\t2\n",
    ] {
        let bench = read(content, "");
        assert_eq!((bench.summary().as_str(), bench.quarantined.len()), ("T1: A -2", 0), "{content:?}");
    }
}

#[test]
fn utf16_is_followed_in_both_orders_with_and_without_a_mark() {
    let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
    for mark in ["\u{feff}", ""] {
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes = |text: &str| units(text).into_iter().flat_map(order).collect::<Vec<u8>>();
            let mut bench = read(bytes(&format!("{mark}t,sku,qty\r\nT1,Ä€😀,2\r\nT2,B")), "");
            bench.append("s.csv", bytes(",3\r\n"));
            bench.restart();
            bench.drain();
            assert_eq!(bench.summary(), "T1: Ä€😀 -2; T2: B -3");
        }
    }
}

#[test]
fn legacy_pages_are_read_as_configured_and_as_windows_text_by_default() {
    for (bytes, encoding, sku) in [
        (&b"\xc4.\x80"[..], "auto", "Ä.€"),
        (b"\x8e\xd5", "cp858", "Ä€"),
        (b"\x8e", "cp437", "Ä"),
        (b"\x8e\xb5", "cp850", "ÄÁ"),
        (b"\xc4", "cp1252", "Ä"),
        ("Ä€".as_bytes(), "auto", "Ä€"),
    ] {
        let content = [b"t,sku,qty\nT1,", bytes, b",2\n"].concat();
        let bench = read(content, &format!(r#", "encoding": "{encoding}""#));
        assert_eq!(bench.summary(), format!("T1: {sku} -2"), "{encoding}");
    }
}

#[test]
fn damaged_article_numbers_are_set_aside_and_damaged_names_are_not() {
    let bench = read(b"t,sku,qty,name\nT1,A,1,caf\xc3\xa9\nT2,\xff\xff,1,x\nT3,B,1,\xff\n", "");
    assert_eq!(bench.summary(), "T1: A -1; T3: B -1");
    assert!(bench.reasons()[0].contains("damaged"));
}

#[test]
fn preamble_total_and_blank_rows_and_repeated_headers_are_left_out_by_name() {
    let bench =
        read("Daily sales,,\n23.11.2026\n\nt,sku,qty,,\nT1,A,2,,\n,,,,\nt,sku,qty,,\nT2,A,1,,\nTotal,,3,,\n", "");
    assert_eq!(bench.summary(), "T1: A -2; T2: A -1");
    let ignored: Vec<_> = bench.ignored.iter().map(|(rule, count)| (rule.as_str(), *count)).collect();
    assert_eq!(ignored, [("blank", 1), ("repeated-header", 1), ("total-row", 1)]);
    assert!(bench.quarantined.is_empty());
}

#[test]
fn columns_are_bound_by_name_even_when_they_move_within_a_file() {
    let bench = read("Qty, SKU ,extra,T\n2,A,x,T1\nt,qty,sku,new\nT2,3,B,y\n", "");
    assert_eq!(bench.summary(), "T1: A -2; T2: B -3");
}

#[test]
fn a_renamed_column_refuses_the_file_once_and_says_which() {
    let mut bench = read("t,article,qty\nT1,A,2\n", "");
    assert_eq!((bench.summary().as_str(), bench.quarantined.len()), ("", 1));
    assert!(bench.reasons()[0].contains("`sku` is missing"), "{:?}", bench.reasons());
    bench.settle();
    bench.restart();
    bench.settle();
    assert_eq!(bench.quarantined.len(), 1);
    bench.write("s.csv", "t,sku,qty\nT1,A,2\n");
    bench.settle();
    assert_eq!(bench.summary(), "T1: A -2");
}

#[test]
fn a_header_that_stops_fitting_in_the_middle_sets_the_rest_aside() {
    let bench = read("t,sku,qty,name\nT1,A,2,x\nt,article,qty,name\nT2,B,1,y\n", "");
    assert_eq!(bench.summary(), "T1: A -2");
    assert_eq!(bench.quarantined.len(), 2);
}

#[test]
fn foreign_files_saved_as_csv_are_refused_once() {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0\"/></svg>\n";
    for content in [
        svg.as_bytes(),
        b"  <!DOCTYPE html><html>\n",
        b"PK\x03\x04zip\n",
        b"%PDF-1.7\n",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0\n",
    ] {
        let mut bench = read(content, "");
        bench.settle();
        assert_eq!((bench.quarantined.len(), bench.tickets.len()), (1, 0), "{:?}", bench.reasons());
    }
}

#[test]
fn spreadsheet_damage_is_unwrapped_or_set_aside_but_never_repaired() {
    let bench = read("t,sku,qty\nT1,\"=\"\"00123\"\"\",1\nT2,'00123,1\nT3,=\"007\",1\nT4,1.23E+12,1\n", "");
    assert_eq!(bench.summary(), "T1: 00123 -1; T2: 00123 -1; T3: 007 -1");
    assert!(bench.reasons()[0].contains("rounded by a spreadsheet"));
}

#[test]
fn the_decimal_sign_is_decided_per_file() {
    let comma = read("t;sku;qty;price\nT1;A;1,250;9,99\nT2;A;1.000;9,99\nT3;A;(2,5);1\nT4;A;2,5-;1\n", "");
    assert_eq!(comma.summary(), "T1: A -1.25; T2: A -1000; T3: A 2.5; T4: A 2.5");
    let point = read("t,sku,qty,price\nT1,A,\"1,250\",9.99\nT2,A,1.000,9.99\n", "");
    assert_eq!(point.summary(), "T1: A -1250; T2: A -1");
    let unclear = read("t,sku,qty\nT1,A,\"1,250\"\nT2,A,1\n", "");
    assert_eq!((unclear.summary().as_str(), unclear.quarantined.len()), ("T2: A -1", 1));
    let told = read("t,sku,qty\nT1,A,\"1,250\"\n", r#", "decimal": ",""#);
    assert_eq!(told.summary(), "T1: A -1.25");
}

#[test]
fn the_order_of_dates_is_decided_per_file() {
    let dated = |rows: &str, rest: &str| {
        let columns = r#""columns": {"transaction": "t", "sku": "sku", "quantity": "qty", "sold_at": "at"}"#;
        let mut bench = Bench::new("s.csv", &format!("{columns}{rest}"));
        bench.write("s.csv", format!("t,sku,qty,at\n{rows}"));
        bench.drain();
        bench.sold_at.values().copied().collect::<Vec<_>>()
    };
    let (april_3, march_4) = (1_775_214_000, 1_772_622_000);
    assert_eq!(dated("T1,A,1,03/04/2026 13:00\nT2,A,1,23/04/2026 13:00\n", "")[0], Some(april_3));
    assert_eq!(dated("T1,A,1,03/04/2026 12:00\nT2,A,1,03/24/2026 12:00\n", "")[0], Some(march_4));
    assert_eq!(dated("T1,A,1,03/04/2026 12:00\n", ""), [None]);
    assert_eq!(dated("T1,A,1,03/04/2026 13:00\n", r#", "date_order": "dmy""#), [Some(april_3)]);
}

#[test]
fn a_file_without_header_is_mapped_by_number() {
    let rest = r#""header": false, "columns": {"transaction": ["1", "2"], "sku": "3", "quantity": "4"}"#;
    let mut bench = Bench::new("s.csv", rest);
    bench.write("s.csv", "R1;T1;A;2\nR2;T1;A;1\n");
    bench.drain();
    assert_eq!(bench.summary(), "R1|T1: A -2; R2|T1: A -1");
}

#[test]
fn names_of_customers_are_not_kept_in_what_is_set_aside() {
    let bench = read("t,sku,qty,Customer name\nT1,,2,Jo Doe\n", "");
    assert!(!bench.quarantined[0].raw.contains("Jo") && bench.quarantined[0].raw.starts_with("T1,"));
}
