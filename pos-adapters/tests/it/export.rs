//! Whole-file exports.

use sync_core::model::TransactionStatus;

use crate::support::{Bench, PLAIN};

const DATED: &str =
    r#""pattern": "export", "columns": {"transaction": "t", "sku": "sku", "quantity": "qty", "sold_at": "at"}"#;
const HEAD: &str = "t,sku,qty,at\n";

#[test]
fn an_export_is_read_when_it_has_settled_and_says_what_it_covers() {
    let mut bench = Bench::new("e.csv", DATED);
    bench.write(
        "e.csv",
        format!("{HEAD}T2,A,1,2026-11-23T12:00:00Z\nT1,A,2,2026-11-22T12:00:00Z\nT2,B,1,2026-11-23T12:00:00Z"),
    );
    bench.drain();
    assert_eq!(bench.summary(), "");
    bench.wait(3);
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T2: A -1, B -1");
    let coverage = &bench.coverage[0];
    assert_eq!(coverage.keys, ["T1", "T2"]);
    assert_eq!((coverage.to.0 - coverage.from.0) / 1_000_000, 86_400);
    assert!(bench.tickets["T1"].segment.starts_with(&format!("{}#", coverage.origin)));
}

#[test]
fn unchanged_content_is_quiet_and_a_renamed_in_export_keeps_its_origin() {
    let mut bench = Bench::new("e.csv", DATED);
    let content = format!("{HEAD}T1,A,2,2026-11-22T12:00:00Z\n");
    bench.write("e.csv", &content);
    bench.settle();
    bench.write("e.tmp", &content);
    bench.rename("e.tmp", "e.csv");
    bench.settle();
    assert_eq!((bench.coverage.len(), bench.lines_read), (1, 0));
    bench.write("e.tmp", format!("{HEAD}T3,A,2,2026-11-22T12:00:00Z\n"));
    bench.rename("e.tmp", "e.csv");
    bench.restart();
    bench.settle();
    assert_eq!(bench.coverage.len(), 2);
    assert_eq!(bench.coverage[0].origin, bench.coverage[1].origin);
    assert!(bench.tickets["T3"].segment.ends_with("#2"));
}

#[test]
fn an_export_still_growing_is_left_alone() {
    let mut bench = Bench::new("e.csv", DATED);
    bench.write("e.csv", HEAD);
    for n in 0..5 {
        bench.append("e.csv", format!("T{n},A,1,2026-11-22T12:00:00"));
        bench.drain();
        bench.wait(1);
    }
    assert_eq!(bench.lines_read, 0);
}

#[test]
fn an_emptied_export_or_one_without_header_is_held() {
    for emptied in ["", "\n", HEAD, "T1,A,2,2026-11-22\n"] {
        let mut bench = Bench::new("e.csv", DATED);
        bench.write("e.csv", format!("{HEAD}T1,A,2,2026-11-22T12:00:00Z\n"));
        bench.settle();
        bench.write("e.csv", emptied);
        bench.settle();
        bench.settle();
        assert_eq!((bench.quarantined.len(), bench.coverage.len()), (1, 1), "{emptied:?} {:?}", bench.reasons());
    }
}

#[test]
fn no_coverage_without_times_or_with_unreadable_numbers_or_when_told_so() {
    let covers = |content: &str, rest: &str| {
        let mut bench = Bench::new("e.csv", &format!("{DATED}{rest}"));
        bench.write("e.csv", content);
        bench.settle();
        !bench.coverage.is_empty()
    };
    assert!(covers(&format!("{HEAD}T1,A,2,2026-11-22T12:00:00Z\n"), ""));
    assert!(covers(&format!("{HEAD}T1,A,2,2026-11-22T12:00:00Z\nT2,,1,2026-11-22\n"), ""));
    assert!(!covers(&format!("{HEAD}T1,A,2,2026-11-22T12:00:00Z\nT2,A,1,\n"), ""));
    assert!(!covers(&format!("{HEAD}T1,A,2,2026-11-22T12:00:00Z\n,A,1,2026-11-22\n"), ""));
    assert!(!covers(&format!("{HEAD}T1,A,2,2026-11-22T12:00:00Z\n"), r#", "vanished": "keep""#));
}

#[test]
fn a_faulty_ticket_of_an_export_is_not_taken_for_vanished() {
    let mut bench = Bench::new("e.csv", DATED);
    bench.write("e.csv", format!("{HEAD}T1,A,2,2026-11-22T12:00:00Z\nT2,B,many,2026-11-22T12:00:00Z\n"));
    bench.settle();
    assert_eq!(bench.coverage[0].keys, ["T1", "T2"]);
}

#[test]
fn a_big_export_is_read_in_chunks_and_keeps_scattered_tickets_whole() {
    let mut bench = Bench::new("e.csv", DATED);
    let rows: String = (0..30_000).map(|n| format!("T{},A{n},1,2026-11-22T12:00:00Z\n", n % 1000)).collect();
    bench.write("e.csv", format!("{HEAD}{rows}"));
    bench.settle();
    assert_eq!(bench.tickets.len(), 1000);
    assert!(bench.tickets.values().all(|ticket| ticket.lines.len() == 30));
    assert_eq!((bench.coverage.len(), bench.coverage[0].keys.len()), (1, 1000));
}

#[test]
fn a_json_array_is_an_export_and_half_of_one_is_held() {
    let mut bench = Bench::new("e.json", &format!(r#""format": "json", "pattern": "export", {PLAIN}"#));
    bench.write("e.json", "[{\"t\":1,\"sku\":\"A\",\"qty\":2},\n {\"t\":2,\"sku\":\"A\",\"qty\":1}]\n");
    bench.settle();
    assert_eq!(bench.summary(), "1: A -2; 2: A -1");
    bench.write("e.json", "[{\"t\":1,\"sku\":\"A\",\"qty\":2},\n {\"t\":2,\"sk");
    bench.settle();
    assert_eq!(bench.quarantined.len(), 1);
    assert_eq!(bench.lines_read, 0);
}

#[test]
fn square_refunds_come_back_and_custom_amounts_are_left_out() {
    let mut bench = Bench::new("items.csv", r#""profile": "square-items", "settle": "0s""#);
    bench.write("items.csv", include_bytes!("../fixtures/square-items.csv"));
    bench.settle();
    assert_eq!(bench.summary(), "TX1|PAY1: TEA-1 -2, MUG -1; TX1|PAY2: TEA-1 1; TX2|PAY3: TEA-1 -1");
    assert_eq!(bench.ignored["custom-amount"], 1);
    assert_eq!(bench.sold_at["TX1|PAY1"], Some(1_795_429_800));
}

#[test]
fn loyverse_cancelled_receipts_move_nothing() {
    let mut bench = Bench::new("items.csv", r#""profile": "loyverse-items""#);
    bench.write("items.csv", include_bytes!("../fixtures/loyverse-items.csv"));
    bench.settle();
    assert_eq!(bench.summary(), "Corner|2-17: 10221 -1, 10230 -6; Corner|2-18: 10221 1; Corner|2-19: 10221 -1");
    assert_eq!(bench.tickets["Corner|2-19"].status, TransactionStatus::Cancelled);
    assert_eq!(bench.tickets["Corner|2-17"].status, TransactionStatus::Completed);
}

#[test]
fn lightspeed_parked_sales_move_nothing_and_rows_without_goods_are_left_out() {
    let mut bench = Bench::new("sales.csv", r#""profile": "lightspeed-sales""#);
    bench.write("sales.csv", include_bytes!("../fixtures/lightspeed-sales.csv"));
    bench.settle();
    assert_eq!(bench.summary(), "Main|501: A-1 -2; Main|502: A-1 -1");
    assert_eq!(bench.tickets["Main|502"].status, TransactionStatus::Suspended);
    assert_eq!((bench.ignored["sale-row"], bench.ignored["payment-row"]), (2, 1));
}
