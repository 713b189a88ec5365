//! Vendure's words to ours and back.

use serde_json::json;

use super::*;

fn variant(id: &str, sku: &str, ean: &str) -> Variant {
    serde_json::from_value(json!({
        "id": id, "sku": sku, "name": "Shirt M", "trackInventory": "INHERIT", "product": {"name": "Shirt"},
        "stockLevels": [{"stockLocationId": "1", "stockOnHand": 5}], "customFields": {"ean": ean},
    }))
    .unwrap()
}

#[test]
fn a_location_is_a_number_or_a_name() {
    assert_eq!(Location::parse("12"), Location::Id("12".to_owned()));
    assert_eq!(Location::parse("Main Street 1"), Location::Name("Main Street 1".to_owned()));
}

#[test]
fn a_sku_that_two_variants_have_is_for_a_person() {
    let hits = [variant("1", "A", "111"), variant("2", "A", "222"), variant("3", "a", "333")];
    assert!(matches!(pick(&MatchBy::Sku, "A", &hits), Pick::Several(candidates) if candidates.len() == 2));
    assert!(matches!(pick(&MatchBy::Sku, "a", &hits), Pick::One(found) if found.id == "3"));
    let barcode = MatchBy::Barcode("ean".to_owned());
    assert!(matches!(pick(&barcode, "222", &hits), Pick::One(found) if found.id == "2"));
    let either = MatchBy::SkuThenBarcode("ean".to_owned());
    assert!(matches!(pick(&either, "333", &hits), Pick::One(found) if found.id == "3"));
    assert!(matches!(pick(&either, "444", &hits), Pick::Nothing));
}

fn entry(kind: &str, quantity: i64) -> Movement {
    Movement { kind: kind.to_owned(), quantity }
}

fn due(before: i64, meant: i64, after: i64, log: &[Movement], one_location: bool) -> Option<i64> {
    still_due(Written { before, meant, after, log, one_location })
}

#[test]
fn a_write_that_met_nobody_needs_nothing_more() {
    for one in [true, false] {
        assert_eq!(due(10, -2, 8, &[entry("ADJUSTMENT", -2), entry("ALLOCATION", 3)], one), Some(0));
    }
}

#[test]
fn a_fulfilment_that_a_write_has_undone_is_put_right() {
    // 10, 3 are fulfilled: 7. Writing 8 adds 1.
    let log = [entry("SALE", -3), entry("ADJUSTMENT", 1)];
    assert_eq!(due(10, -2, 8, &log, true), Some(-3));
    assert_eq!(due(10, -2, 8, &log, false), Some(-3));
    // The fulfilment brought the number to what we write: nothing is logged for us.
    assert_eq!(due(10, -3, 7, &[entry("SALE", -3)], true), Some(-3));
}

#[test]
fn a_fulfilment_that_the_shop_itself_has_lost_is_put_right_where_the_log_can_tell() {
    let log = [entry("SALE", -3), entry("ADJUSTMENT", -2)];
    assert_eq!(due(10, -2, 8, &log, true), Some(-3));
    assert_eq!(due(10, -2, 8, &log, false), Some(0));
}

#[test]
fn what_another_hand_wrote_is_left_alone() {
    assert_eq!(due(10, -2, 8, &[entry("ADJUSTMENT", 40), entry("ADJUSTMENT", -42)], true), None);
}

#[test]
fn a_corrected_number_is_what_everybody_meant() {
    for (before, meant, sold) in (0..12).flat_map(|b| (-4..5).flat_map(move |m| (0..4).map(move |s| (b, m, s)))) {
        // The fulfilment is saved before the shop reads for our write, after it, or is saved over by it.
        let ways = [(before - sold, before + meant), (before, before + meant - sold), (before, before + meant)];
        for (found, after) in ways {
            let mut log = vec![entry("SALE", -sold)];
            let ours = before + meant - found;
            if ours != 0 {
                log.push(entry("ADJUSTMENT", ours));
            }
            let due = due(before, meant, after, &log, true).unwrap();
            assert_eq!(after + due, before + meant - sold, "{before} {meant} {sold}");
        }
    }
}

#[test]
fn an_order_holds_what_was_not_sent_and_gives_back_what_is_cancelled() {
    let read = |state: &str, placed: Option<&str>, quantity: i64, parts: &[(i64, &str)]| {
        let parts: Vec<_> =
            parts.iter().map(|(units, state)| json!({"quantity": units, "fulfillment": {"state": state}})).collect();
        let order: Order = serde_json::from_value(json!({
            "id": "1", "code": "ABC", "state": state, "updatedAt": "2026-11-24T11:00:00.000Z", "orderPlacedAt": placed,
            "lines": [{"id": "4", "quantity": quantity, "productVariant": {"id": "9", "sku": "A"}, "fulfillmentLines": parts}],
        }))
        .unwrap();
        let line = online_order(&order).unwrap().lines.remove(0);
        (line.open, line.handed_over)
    };
    let placed = Some("2026-11-24T10:00:00.000Z");
    assert_eq!(read("ArrangingPayment", None, 3, &[]), (0, 0));
    assert_eq!(read("PaymentSettled", placed, 3, &[]), (3, 0));
    assert_eq!(read("PaymentSettled", placed, 3, &[(1, "Pending")]), (2, 1));
    assert_eq!(read("PartiallyShipped", placed, 3, &[(1, "Shipped"), (2, "Cancelled")]), (2, 1));
    assert_eq!(read("Cancelled", placed, 0, &[(1, "Shipped")]), (0, 0));
}

#[test]
fn prices_are_minor_units() {
    for (micros, minor) in [(7_250_000, 725), (5_000_000, 500), (1_005_000, 101), (1_004_999, 100), (0, 0)] {
        assert_eq!(minor_units(micros), minor);
    }
}
