//! Medusa's words to ours and back.

use serde_json::json;

use super::*;
use crate::platform::TargetPart;

fn variant(id: &str, sku: &str, items: &[(&str, i64, Option<i64>)]) -> Variant {
    let items: Vec<_> = items
        .iter()
        .map(|(item, per, stocked)| {
            let levels: Vec<_> = stocked
                .iter()
                .map(|stocked| json!({"location_id": "sloc_1", "stocked_quantity": stocked}))
                .chain([json!({"location_id": "sloc_2", "stocked_quantity": 99})])
                .collect();
            json!({"inventory_item_id": item, "required_quantity": per, "inventory": {"location_levels": levels}})
        })
        .collect();
    serde_json::from_value(json!({
        "id": id, "sku": sku, "ean": "4006381333931", "upc": null, "barcode": "B-1", "title": "M", "product_id": "prod_1",
        "manage_inventory": true, "product": {"title": "Shirt"}, "inventory_items": items,
    }))
    .unwrap()
}

#[test]
fn a_location_is_an_id_or_a_name() {
    assert_eq!(Location::parse(" sloc_01ABC "), Location::Id("sloc_01ABC".to_owned()));
    assert_eq!(Location::parse("Main Street"), Location::Name("Main Street".to_owned()));
}

#[test]
fn frozen_bytes_hold_what_was_read_and_nothing_below_zero() {
    let part = TargetPart { item: "iitem_1".to_owned(), per: 1 };
    let bytes = freeze(&[Absolute { part, on_hand: -2, expected: 1 }]);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text, r#"{"rows":[{"inventory_item_id":"iitem_1","stocked_quantity":0,"expected":1}]}"#);
}

#[test]
fn the_article_is_found_by_its_sku_or_one_of_its_barcodes() {
    let hits = [variant("v1", "A", &[("i1", 1, Some(3))]), variant("v2", "a", &[("i2", 1, Some(3))])];
    assert!(matches!(pick(MatchBy::Sku, "A", &hits), Pick::One(found) if found.id == "v1"));
    assert!(matches!(pick(MatchBy::Sku, "4006381333931", &hits), Pick::Nothing));
    assert!(matches!(pick(MatchBy::Barcode, "B-1", &hits), Pick::Several(candidates) if candidates.len() == 2));
    assert!(matches!(pick(MatchBy::SkuThenBarcode, "a", &hits), Pick::One(found) if found.id == "v2"));
    assert!(matches!(pick(MatchBy::SkuThenBarcode, "4006381333931", &hits[..1]), Pick::One(_)));
}

#[test]
fn variants_of_one_inventory_item_are_one_article() {
    let one = [("i1", 1, Some(3))];
    let hits = [variant("v1", "A", &one), variant("v2", "A", &one)];
    assert!(matches!(pick(MatchBy::Sku, "A", &hits), Pick::One(_)));
    let hits = [variant("v1", "A", &one), variant("v2", "A", &[("i1", 2, Some(3))])];
    assert!(matches!(pick(MatchBy::Sku, "A", &hits), Pick::Several(_)));
}

#[test]
fn a_kit_has_no_number_of_its_own() {
    let level = |items: &[(&str, i64, Option<i64>)]| levels(MatchBy::Sku, &variant("v", "A", items), "sloc_1");
    assert_eq!(level(&[("i1", 1, Some(3))]), [Level { item: "i1".to_owned(), sku: Sku::from("A"), number: 3 }]);
    assert_eq!(level(&[("i1", 2, Some(3))]), []);
    assert_eq!(level(&[("i1", 1, Some(3)), ("i2", 1, Some(3))]), []);
    assert_eq!(level(&[("i1", 1, None)]), []);
}

#[test]
fn an_order_holds_what_is_reserved_here_and_has_taken_what_was_fulfilled_from_here() {
    let order: Order = serde_json::from_value(json!({
        "id": "order_1", "display_id": 7, "created_at": "2026-11-24T10:00:00.000Z", "updated_at": "2026-11-24T11:00:00.500Z",
        "items": [
            {"id": "l1", "variant_sku": "A", "variant": {"inventory_items": [{"inventory_item_id": "i1"}]}},
            {"id": "l2", "variant_sku": "KIT", "variant": {"inventory_items": [{"inventory_item_id": "i1"}, {"inventory_item_id": "i2"}]}},
            {"id": "l3", "variant_sku": null, "variant": null},
        ],
        "fulfillments": [
            {"location_id": "sloc_1", "canceled_at": null, "items": [{"line_item_id": "l1", "inventory_item_id": "i1", "quantity": 1}]},
            {"location_id": "sloc_1", "canceled_at": "2026-11-24T10:30:00Z", "items": [{"line_item_id": "l1", "inventory_item_id": "i1", "quantity": 5}]},
            {"location_id": "sloc_2", "canceled_at": null, "items": [{"line_item_id": "l2", "inventory_item_id": "i2", "quantity": 4}]},
        ],
    }))
    .unwrap();
    let held: Vec<Reservation> = serde_json::from_value(json!([
        {"line_item_id": "l1", "inventory_item_id": "i1", "quantity": 2},
        {"line_item_id": "l2", "inventory_item_id": "i1", "quantity": 4},
        {"line_item_id": null, "inventory_item_id": "i1", "quantity": 9},
    ]))
    .unwrap();
    let read = online_order(&order, &held, "sloc_1").unwrap();
    assert_eq!((read.name.as_str(), read.changed_at), ("#7", Timestamp(1_795_518_000_500_000)));
    assert_eq!(read.placed_at, Some(Timestamp(1_795_514_400_000_000)));
    let lines: Vec<_> = read
        .lines
        .iter()
        .map(|line| (line.id.as_str(), line.sku.as_ref().map(Sku::as_str), line.open, line.handed_over))
        .collect();
    assert_eq!(lines, [("l1/i1", Some("A"), 2, 1), ("l2/i1", None, 4, 0), ("l2/i2", None, 0, 0)]);
}

#[test]
fn prices_are_numbers_of_major_units() {
    for (micros, text) in [(7_250_000, "7.25"), (5_000_000, "5"), (100_000, "0.1"), (0, "0"), (-1_500_000, "-1.5")] {
        assert_eq!(major_units(micros).to_string(), text);
    }
}
