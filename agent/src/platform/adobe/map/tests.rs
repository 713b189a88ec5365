//! Bytes of writes, queries, and whose an order is.

use super::super::{Auth, wire};
use super::*;
use crate::platform::TargetPart;
use crate::secret::SecretRef;

fn settings() -> AdobeSettings {
    let auth = Auth::Bearer(SecretRef::Env("NO_SUCH_TOKEN".to_owned()));
    AdobeSettings::new("https://shop.example.com/rest/V1".parse().unwrap(), "shop-1", auth)
}

fn row(sku: &str, on_hand: i64) -> Absolute {
    Absolute { part: TargetPart { item: sku.to_owned(), per: 1 }, on_hand, expected: 0 }
}

fn order(text: serde_json::Value) -> Order {
    serde_json::from_value(text).unwrap()
}

fn one_order(pickup: Option<&str>, items: serde_json::Value) -> Order {
    let pickup = pickup.map_or_else(|| serde_json::json!({}), |code| serde_json::json!({"pickup_location_code": code}));
    order(serde_json::json!({"entity_id": 7, "increment_id": "000000007", "state": "processing",
        "created_at": "2026-11-23 09:00:00", "updated_at": "2026-11-23 10:00:00", "customer_email": "nobody@example.com",
        "items": items, "extension_attributes": pickup}))
}

fn shipped(line: u64, units: i64) -> ShipmentItem {
    ShipmentItem { order_item_id: line, qty: wire::Whole(units) }
}

/// Article, open, handed over.
fn lines(found: &OnlineOrder) -> Vec<(&str, i64, i64)> {
    found.lines.iter().map(|line| (line.item.as_str(), line.open, line.handed_over)).collect()
}

#[test]
fn a_number_goes_with_its_status() {
    let body: serde_json::Value = serde_json::from_slice(&set_body(&settings(), &[row("B", 3), row("A", 0)])).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"sourceItems": [
            {"sku": "A", "source_code": "shop-1", "quantity": 0, "status": 0},
            {"sku": "B", "source_code": "shop-1", "quantity": 3, "status": 1}]})
    );
    let backorders = AdobeSettings { in_stock_at_zero: true, ..settings() };
    let body = String::from_utf8(set_body(&backorders, &[row("A", 0)])).unwrap();
    assert!(body.contains("\"quantity\":0,\"status\":1"), "{body}");
}

#[test]
fn an_article_number_with_a_comma_is_asked_for_by_itself() {
    let pairs = Search::page(1, 300).skus(["B", "A", "X,Y"].into_iter()).filter("source_code", "eq", "s").pairs();
    let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let at = |group: usize, filter: usize, what: &str| {
        value(&format!("searchCriteria[filterGroups][{group}][filters][{filter}][{what}]")).unwrap().to_owned()
    };
    assert_eq!((at(0, 0, "value"), at(0, 0, "conditionType")), ("X,Y".to_owned(), "eq".to_owned()));
    assert_eq!((at(0, 1, "value"), at(0, 1, "conditionType")), ("A,B".to_owned(), "in".to_owned()));
    assert_eq!(at(1, 0, "field"), "source_code");
}

#[test]
fn times_are_read_and_written_in_utc() {
    assert_eq!(moment("2026-11-23 10:00:00"), Some(Timestamp(1_795_428_000_000_000)));
    assert_eq!(civil(Timestamp(1_795_428_000_900_000)), "2026-11-23 10:00:00");
    assert_eq!(moment("yesterday"), None);
}

#[test]
fn an_order_is_ours_if_it_is_collected_here_or_was_shipped_from_here() {
    let items = || serde_json::json!([{"item_id": 1, "product_type": "simple", "sku": "TEA", "qty_ordered": 3, "qty_shipped": 1}]);
    let found = online_order(&settings(), one_order(Some("shop-1"), items()), &[]).unwrap();
    assert_eq!(lines(&found), [("TEA", 2, 0)]);
    assert_eq!(online_order(&settings(), one_order(Some("shop-2"), items()), &[]), None);
    assert_eq!(online_order(&settings(), one_order(None, items()), &[]), None);
    let found = online_order(&settings(), one_order(None, items()), &[shipped(1, 1)]).unwrap();
    assert_eq!(lines(&found), [("TEA", 0, 1)]);
    let all = AdobeSettings { orders: OrdersOf::All, ..settings() };
    let found = online_order(&all, one_order(None, items()), &[shipped(1, 1)]).unwrap();
    assert_eq!(lines(&found), [("TEA", 2, 1)]);
}

#[test]
fn a_configurable_product_counts_once_and_a_bundle_by_its_parts() {
    let items = serde_json::json!([
        {"item_id": 1, "product_type": "configurable", "sku": "SHIRT-M", "qty_ordered": 2, "qty_shipped": 1},
        {"item_id": 2, "parent_item_id": 1, "product_type": "simple", "sku": "SHIRT-M", "qty_ordered": 2},
        {"item_id": 3, "product_type": "bundle", "sku": "SET", "qty_ordered": 2, "qty_shipped": 1},
        {"item_id": 4, "parent_item_id": 3, "product_type": "simple", "sku": "CUP", "qty_ordered": 8},
        {"item_id": 5, "product_type": "virtual", "is_virtual": 1, "sku": "CARD", "qty_ordered": 1},
    ]);
    let found = online_order(&settings(), one_order(Some("shop-1"), items), &[shipped(1, 1), shipped(3, 1)]).unwrap();
    assert_eq!(lines(&found), [("SHIRT-M", 1, 1), ("CUP", 4, 4)]);
}
