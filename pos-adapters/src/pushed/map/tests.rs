//! Tickets, orders, refunds and events to snapshots, and what waits for a person.

use std::time::Duration;

use super::*;
use crate::pushed::parse;
use crate::pushed::settings::Scheme;

fn key(locations: &[&str]) -> Key {
    Key {
        name: "till-1".to_owned(),
        scheme: Scheme::StandardWebhooks,
        secret: "env:T1".to_owned(),
        registers: Vec::new(),
        kinds: Vec::new(),
        clock_tolerance: Duration::from_mins(5),
        requests_per_minute: 60,
        notification_url: String::new(),
        locations: locations.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn own(body: &str) -> Mapped {
    posted(
        &key(&[]),
        &TimeZone::get("Europe/Berlin").unwrap(),
        "till-1, request r",
        parse::posted(body.as_bytes()).unwrap(),
    )
}

fn lines(mapped: &Mapped) -> Vec<(String, String, &'static str)> {
    let rows = mapped.transactions.iter().flat_map(|revised| &revised.transaction.lines);
    rows.map(|line| (line.sku.to_string(), line.delta.to_string(), line.kind.as_str())).collect()
}

fn line(sku: &str, delta: &str, kind: &'static str) -> (String, String, &'static str) {
    (sku.to_owned(), delta.to_owned(), kind)
}

#[test]
fn quantities_as_rung_up_become_changes_of_stock() {
    let mapped = own(
        r#"{"transaction":"7","register":"1","business_date":"2026-11-24","sold_at":"2026-11-24T10:00:00","lines":[
        {"sku":"A","quantity":"2"},{"sku":"A","quantity":"-1"},{"sku":"B","quantity":1,"kind":"return"},
        {"sku":"C","quantity":12,"kind":"receipt"},{"sku":"D","delta":"-0.5","kind":"adjustment"}]}"#,
    );
    let expected = [
        line("A", "-2", "sale"),
        line("A", "1", "return"),
        line("B", "1", "return"),
        line("C", "12", "receipt"),
        line("D", "-0.5", "adjustment"),
    ];
    assert_eq!(lines(&mapped), expected);
    let transaction = &mapped.transactions[0].transaction;
    assert_eq!(transaction.key.as_str(), "till-1|1|2026-11-24|7");
    assert_eq!(transaction.sold_at, Some(Timestamp(1_795_510_800_000_000)), "local time of the store");
}

#[test]
fn what_could_mean_two_things_waits_for_a_person() {
    for line in [
        r#"{"sku":"A","quantity":-1,"kind":"return"}"#,
        r#"{"sku":"A","quantity":1,"delta":-1}"#,
        r#"{"sku":"A"}"#,
        r#"{"sku":" ","quantity":1}"#,
        r#"{"sku":"A","quantity":1,"kind":"adjustment"}"#,
    ] {
        let mapped = own(&format!(r#"{{"transaction":"7","lines":[{line}]}}"#));
        assert!(
            mapped.transactions.is_empty() && mapped.quarantined[0].reason.starts_with("line 1: "),
            "{line}: {mapped:?}"
        );
    }
    assert!(own(r#"{"transaction":" ","lines":[]}"#).transactions.is_empty());
    assert!(own(r#"{"transaction":"1","sold_at":"yesterday","lines":[]}"#).transactions.is_empty());
}

#[test]
fn a_collectors_tickets_are_known_by_its_source_and_a_change_by_its_batch() {
    let mapped = own(
        r#"{"batch":"k","store":"s","transactions":[{"source":"R1","transaction":"a|b","status":"voided","lines":[{"sku":"A","delta":"-1"}]}],
        "changes":[{"id":"9","sku":"A","delta":"-1","kind":"edit"}]}"#,
    );
    let keys: Vec<&str> = mapped.transactions.iter().map(|revised| revised.transaction.key.as_str()).collect();
    assert_eq!(keys, [r"till-1|from|R1|a\|b", "till-1|change|s|k|9"]);
    assert_eq!(mapped.transactions[0].transaction.status, TransactionStatus::Cancelled);
}

#[test]
fn no_two_tickets_share_a_key() {
    let one = own(r#"{"transaction":"3","register":"1|2","lines":[]}"#);
    let other = own(r#"{"transaction":"2|3","register":"1","lines":[]}"#);
    assert_ne!(one.transactions[0].transaction.key, other.transactions[0].transaction.key);
}

const ORDER: &str = r#"{"id":820982911946154508,"source_name":"pos","location_id":42,"created_at":"2026-11-24T10:00:00Z",
    "updated_at":"2026-11-24T10:00:01Z","test":false,"customer":{"first_name":"Made","last_name":"Up"},"line_items":[
    {"id":1,"sku":"TEA-1","quantity":2,"variant_id":11,"gift_card":false},{"id":2,"sku":null,"quantity":1,"variant_id":null},
    {"id":3,"sku":"","quantity":1,"variant_id":12},{"id":4,"sku":"CARD","quantity":1,"variant_id":13,"gift_card":true}]}"#;

fn shopify_mapped(body: &str, locations: &[&str]) -> Mapped {
    let posted = parse::shopify::posted(body.as_bytes()).unwrap();
    shopify::posted(&key(locations), &TimeZone::UTC, "shop", &posted)
}

#[test]
fn an_order_of_shopify_pos_is_a_sale() {
    let mapped = shopify_mapped(ORDER, &["42"]);
    let transaction = &mapped.transactions[0].transaction;
    assert_eq!(transaction.key.as_str(), "till-1|order|820982911946154508");
    let moved: Vec<_> =
        transaction.lines.iter().filter(|line| line.ignored.is_none()).map(|line| line.sku.as_str()).collect();
    assert_eq!(moved, ["TEA-1"]);
    assert_eq!(mapped.quarantined.len(), 1, "a variant without SKU waits for a person");
    assert_eq!(mapped.transactions[0].revision, Some(1_795_514_401_000_000));
}

#[test]
fn online_orders_and_other_locations_are_ignored_and_counted() {
    let online = shopify_mapped(&ORDER.replace("\"pos\"", "\"web\""), &[]);
    assert_eq!((online.transactions.len(), online.ignored.len()), (0, 1));
    let elsewhere = shopify_mapped(ORDER, &["43"]);
    assert_eq!(elsewhere.ignored, [("shopify: another location".to_owned(), 1)]);
}

#[test]
fn a_refund_counts_where_the_goods_were_put_back() {
    let item = |restock: &str, location: u32| {
        format!(
            r#"{{"quantity":1,"restock_type":"{restock}","location_id":{location},"line_item":{{"sku":"TEA-1","quantity":2,"variant_id":11}}}}"#
        )
    };
    let body = format!(
        r#"{{"id":5,"order_id":6,"created_at":"2026-11-24T11:00:00Z","refund_line_items":[{},{},{}]}}"#,
        item("return", 42),
        item("no_restock", 42),
        item("return", 7)
    );
    let mapped = shopify_mapped(&body, &["42"]);
    assert_eq!(lines(&mapped), [line("TEA-1", "1", "return")]);
    assert_eq!(mapped.ignored.len(), 2);
}

fn square_mapped(body: &str) -> Mapped {
    square::posted(&key(&[]), &TimeZone::UTC, "square", &parse::square::posted(body.as_bytes()).unwrap())
}

#[test]
fn a_completed_order_of_square_without_lines_is_not_passed_over() {
    let note = |state: &str| {
        format!(
            r#"{{"type":"order.updated","event_id":"e","data":{{"object":{{"order_updated":{{"order_id":"o","state":"{state}","version":2}}}}}}}}"#
        )
    };
    let completed = square_mapped(&note("COMPLETED"));
    assert!(completed.transactions.is_empty() && completed.quarantined[0].reason.contains("carries no lines"));
    assert_eq!(square_mapped(&note("OPEN")).ignored, [("square: order not completed".to_owned(), 1)]);
    let payment =
        square_mapped(r#"{"type":"payment.updated","event_id":"e","data":{"object":{"payment":{"id":"p"}}}}"#);
    assert_eq!(payment.ignored, [("square: payment event".to_owned(), 1)]);
}

#[test]
fn a_whole_order_of_square_is_read_with_its_returns() {
    let body = r#"{"type":"order.updated","event_id":"e","data":{"object":{"order":{"id":"o","state":"COMPLETED","version":3,
        "line_items":[{"uid":"1","quantity":"2","catalog_object_id":"VAR1","item_type":"ITEM"},{"quantity":"1","item_type":"CUSTOM_AMOUNT"}],
        "returns":[{"return_line_items":[{"quantity":"1","catalog_object_id":"VAR2"}]}]}}}}"#;
    let mapped = square_mapped(body);
    let moved: Vec<_> = lines(&mapped).into_iter().filter(|(sku, _, _)| !sku.is_empty()).collect();
    assert_eq!(moved, [line("VAR1", "-2", "sale"), line("VAR2", "1", "return")]);
    let cancelled = square_mapped(&body.replace("COMPLETED", "CANCELED"));
    assert_eq!(cancelled.transactions[0].transaction.status, TransactionStatus::Cancelled);
}

#[test]
fn nobody_is_named_in_what_is_kept_of_a_foreign_body() {
    let kept = parse::goods_only(
        ORDER.replace("\"line_items\"", "\"billing_address\":{\"name\":\"Made Up\"},\"line_items\"").as_bytes(),
    );
    assert!(kept.contains("TEA-1") && !kept.contains("Made"), "{kept}");
}
