//! The bytes of a batch, the search terms, and which hit is the article.

use std::sync::Arc;

use sync_core::model::{EntryId, Quantity, Sku};

use super::super::wire::{FrozenBody, Level, NamedQuantity, Titled};
use super::*;
use crate::platform::{Target, TargetPart};

fn part(number: u32, per: i64) -> TargetPart {
    TargetPart { item: format!("gid://shopify/InventoryItem/{number}"), per }
}

fn change(parts: Vec<TargetPart>, units: i64) -> Change {
    Change {
        entry: EntryId(1),
        sku: Sku::from("A"),
        target: Some(Arc::new(Target { parts })),
        delta: Quantity::from_units(units).unwrap(),
        units,
        on_hand: None,
        transaction: None,
        sold_at: None,
        kind: "sale",
    }
}

fn variables(body: &[u8]) -> serde_json::Value {
    serde_json::from_slice::<serde_json::Value>(body).unwrap()["variables"].clone()
}

fn at() -> Location {
    Location::parse("55")
}

#[test]
fn each_item_stands_once_with_its_sum_and_zeros_are_left_out() {
    let changes = [
        change(vec![part(2, 1)], -3),
        change(vec![part(1, 2), part(2, 1), part(3, 1)], -1),
        change(vec![part(3, 1)], 1),
    ];
    let body = adjust_body("tillsync", &at(), &IdempotencyKey::from("k 1"), &changes);
    let expected = serde_json::json!({
        "input": {
            "name": "available",
            "reason": "correction",
            "referenceDocumentUri": "gid://tillsync/Batch/k%201",
            "changes": [
                {"inventoryItemId": "gid://shopify/InventoryItem/1", "locationId": "gid://shopify/Location/55",
                 "delta": -2, "changeFromQuantity": null},
                {"inventoryItemId": "gid://shopify/InventoryItem/2", "locationId": "gid://shopify/Location/55",
                 "delta": -4, "changeFromQuantity": null},
            ],
        },
        "key": "k 1",
    });
    assert_eq!(variables(&body), expected);
    assert_eq!(FrozenBody::items(&body), ["gid://shopify/InventoryItem/1", "gid://shopify/InventoryItem/2"]);
}

#[test]
fn the_same_batch_gives_the_same_bytes_in_any_order() {
    let (one, two) = (change(vec![part(1, 1)], -1), change(vec![part(2, 1)], -1));
    let key = IdempotencyKey::from("k");
    let bytes = adjust_body("tillsync", &at(), &key, &[one.clone(), two.clone()]);
    assert_eq!(adjust_body("tillsync", &at(), &key, &[two, one]), bytes);
    // Shopify refuses a request that leaves the field out.
    assert!(String::from_utf8(bytes).unwrap().contains(r#""changeFromQuantity":null"#));
}

#[test]
fn a_batch_that_adds_up_to_nothing_still_has_a_row() {
    let changes = [change(vec![part(1, 1)], -1), change(vec![part(1, 1)], 1), change(vec![part(2, 1)], 0)];
    let body = adjust_body("tillsync", &at(), &IdempotencyKey::from("k"), &changes);
    assert_eq!(variables(&body)["input"]["changes"].as_array().unwrap().len(), 1);
    assert_eq!(variables(&body)["input"]["changes"][0]["delta"], 0);
}

#[test]
fn an_absolute_write_names_the_number_that_was_read() {
    let rows = [Absolute { part: part(1, 1), on_hand: 7, expected: 9 }];
    let body = set_body("tillsync", &at(), &IdempotencyKey::from("k"), &rows);
    let input = &variables(&body)["input"];
    assert_eq!(input["name"], "on_hand");
    assert_eq!(
        (&input["quantities"][0]["quantity"], &input["quantities"][0]["changeFromQuantity"]),
        (&7.into(), &9.into())
    );
    assert!(input.get("changes").is_none());
    assert_eq!(FrozenBody::items(&body), ["gid://shopify/InventoryItem/1"]);
}

#[test]
fn a_named_location_is_put_in_on_the_way_out() {
    let named = Location::parse("Main \"Street\"");
    let frozen = adjust_body(
        "tillsync",
        &named,
        &IdempotencyKey::from("k"),
        &[change(vec![part(1, 1)], -1), change(vec![part(2, 1)], -1)],
    );
    let sent = with_location(&frozen, &named, "gid://shopify/Location/55");
    assert_eq!(
        sent,
        adjust_body(
            "tillsync",
            &at(),
            &IdempotencyKey::from("k"),
            &[change(vec![part(1, 1)], -1), change(vec![part(2, 1)], -1)]
        )
    );
    assert_eq!(with_location(&sent, &at(), "gid://shopify/Location/55"), sent);
}

#[test]
fn a_location_is_an_id_a_number_or_a_name() {
    assert_eq!(at(), Location::Id("gid://shopify/Location/55".to_owned()));
    assert_eq!(Location::parse("gid://shopify/Location/55"), at());
    assert_eq!(Location::parse("Harbour 2"), Location::Name("Harbour 2".to_owned()));
}

#[test]
fn search_terms_are_quoted_and_escaped() {
    assert_eq!(search(MatchBy::Sku, &["A-1", "O'Neill", r"a\b"]), r"sku:'A-1' OR sku:'O\'Neill' OR sku:'a\\b'");
    assert_eq!(search(MatchBy::SkuThenBarcode, &["1"]), "sku:'1' OR barcode:'1'");
    assert_eq!(search(MatchBy::Barcode, &["1"]), "barcode:'1'");
}

fn variant(number: u32, sku: &str, barcode: &str) -> Variant {
    Variant {
        id: format!("gid://shopify/ProductVariant/{number}"),
        sku: Some(sku.to_owned()),
        barcode: Some(barcode.to_owned()),
        title: "Default Title".to_owned(),
        requires_components: false,
        product: Titled { id: String::new(), title: format!("Product {number}") },
        inventory_item: Item { id: part(number, 1).item, tracked: true, inventory_level: Some(level(true, 5)) },
    }
}

fn level(is_active: bool, on_hand: i64) -> Level {
    Level { is_active, quantities: vec![NamedQuantity { name: "on_hand".to_owned(), quantity: on_hand }] }
}

#[test]
fn only_an_exact_hit_is_the_article() {
    let hits = [variant(1, "TEA-1", ""), variant(2, "tea-1", ""), variant(3, "TEA-10", ""), variant(4, "TEA-1 ", "")];
    assert!(matches!(pick(MatchBy::Sku, "TEA-1", &hits), Pick::One(v) if v.id.ends_with("/1")));
    assert!(matches!(pick(MatchBy::Sku, "TEA", &hits), Pick::Nothing));
    assert!(matches!(pick(MatchBy::Sku, "001", &[variant(1, "1", "")]), Pick::Nothing));
}

#[test]
fn two_items_are_ambiguous_but_two_variants_of_one_item_are_not() {
    let mut hits = [variant(1, "TEA-1", ""), variant(2, "TEA-1", "")];
    let Pick::Several(candidates) = pick(MatchBy::Sku, "TEA-1", &hits) else { panic!("two items") };
    assert_eq!(candidates[0], "Product 1 (gid://shopify/ProductVariant/1)");
    hits[1].inventory_item.id = hits[0].inventory_item.id.clone();
    assert!(matches!(pick(MatchBy::Sku, "TEA-1", &hits), Pick::One(_)));
}

#[test]
fn a_barcode_counts_only_where_it_is_asked_for() {
    let hits = [variant(1, "A", "4006381333931"), variant(2, "4006381333931", "B")];
    let picked = |match_by| match pick(match_by, "4006381333931", &hits) {
        Pick::One(variant) => variant.id.clone(),
        other @ (Pick::Nothing | Pick::Several(_)) => panic!("{other:?}"),
    };
    assert!(picked(MatchBy::Sku).ends_with("/2"));
    assert!(picked(MatchBy::Barcode).ends_with("/1"));
    assert!(picked(MatchBy::SkuThenBarcode).ends_with("/2"));
    assert!(matches!(pick(MatchBy::SkuThenBarcode, "B", &hits), Pick::One(v) if v.id.ends_with("/2")));
}

#[test]
fn an_item_holds_stock_only_if_tracked_and_active_here() {
    let check = |tracked, inventory_level, expected| {
        assert_eq!(stock(&Item { id: "i".to_owned(), tracked, inventory_level }), expected);
    };
    check(true, Some(level(true, 5)), Stock::Ready { on_hand: 5 });
    check(true, Some(level(false, 5)), Stock::NotStocked);
    check(true, None, Stock::NotStocked);
    check(false, Some(level(true, 5)), Stock::Untracked);
    check(true, Some(Level { is_active: true, quantities: Vec::new() }), Stock::Odd);
}
