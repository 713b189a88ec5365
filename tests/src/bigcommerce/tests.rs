//! The stand-in keeps the rules that the agent relies on.

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::counter::{Machine, Request, Response};

const NOW: i64 = 1_795_428_000_000_000;

fn store() -> BigCommerceMachine {
    let mut store = BigCommerceMachine::new(BigCommerceSettings::default()).unwrap();
    store.add(NewVariant { safety_stock: 2, ..NewVariant::stocked("A", 10) });
    store.add(NewVariant { stock: None, ..NewVariant::stocked("VIRGIN", 0) });
    store
}

fn ask(store: &mut BigCommerceMachine, method: &str, path: &str, body: &Value, at: i64) -> Response {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = HeaderMap::new();
    headers.insert("x-auth-token", "stand-in-token".parse().unwrap());
    let request = Request {
        number: 1,
        method: method.to_owned(),
        path: format!("/stores/standin{path}"),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers,
        body: Bytes::from(body.to_string()),
        holds_key: false,
    };
    store.handle(&request, at)
}

fn adjust(store: &mut BigCommerceMachine, word: &str, rows: &[(&str, i64)]) -> Response {
    let items: Vec<Value> =
        rows.iter().map(|(sku, quantity)| json!({"location_id": 1, "sku": sku, "quantity": quantity})).collect();
    let method = if word == "relative" { "POST" } else { "PUT" };
    let path = format!("/v3/inventory/adjustments/{word}");
    ask(store, method, &path, &json!({"reason": "r", "items": items}), NOW)
}

fn shown(store: &mut BigCommerceMachine, at: i64) -> i64 {
    let response = ask(store, "GET", "/v3/inventory/locations/1/items?sku:in=A", &Value::Null, at);
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    body["data"][0]["total_inventory_onhand"].as_i64().unwrap()
}

#[test]
fn a_change_shows_only_after_a_while_and_counts_each_time() {
    let mut store = store();
    assert_eq!(adjust(&mut store, "relative", &[("A", -3)]).status, 200);
    assert_eq!(shown(&mut store, NOW), 10);
    assert_eq!(shown(&mut store, NOW + 300_000), 7);
    adjust(&mut store, "relative", &[("A", -3)]);
    assert_eq!(store.level("A").unwrap().on_hand, 4);
}

#[test]
fn a_change_below_what_may_be_sold_refuses_the_whole_request() {
    let mut store = store();
    store.add(NewVariant::stocked("B", 5));
    assert_eq!(adjust(&mut store, "relative", &[("B", -1), ("A", -9)]).status, 422);
    assert_eq!(store.level("B").unwrap().on_hand, 5);
    assert_eq!(adjust(&mut store, "relative", &[("A", -8)]).status, 200);
    assert_eq!(adjust(&mut store, "absolute", &[("A", 0)]).status, 200);
    assert_eq!(store.level("A").unwrap().on_hand, 0);
}

#[test]
fn a_number_must_be_set_before_it_can_be_changed() {
    let mut store = store();
    let refused = adjust(&mut store, "relative", &[("VIRGIN", 1)]);
    assert!(String::from_utf8_lossy(&refused.body).contains("requires absolute adjustment before relative"));
    assert_eq!(adjust(&mut store, "absolute", &[("VIRGIN", 0)]).status, 200);
    assert_eq!(adjust(&mut store, "relative", &[("VIRGIN", 1)]).status, 200);
}

#[test]
fn the_quota_is_told_and_kept() {
    let mut store =
        BigCommerceMachine::new(BigCommerceSettings { quota: 2, ..BigCommerceSettings::default() }).unwrap();
    let header = |response: &Response, name: &str| {
        response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    let first = ask(&mut store, "GET", "/v2/store", &Value::Null, NOW);
    assert_eq!(header(&first, "x-rate-limit-requests-left").as_deref(), Some("1"));
    ask(&mut store, "GET", "/v2/store", &Value::Null, NOW);
    let refused = ask(&mut store, "GET", "/v2/store", &Value::Null, NOW + 10_000_000);
    assert_eq!(refused.status, 429);
    assert_eq!(header(&refused, "x-rate-limit-time-reset-ms").as_deref(), Some("20000"));
    assert_eq!(ask(&mut store, "GET", "/v2/store", &Value::Null, NOW + 30_000_000).status, 200);
    store.overload(1);
    let overloaded = ask(&mut store, "GET", "/v2/store", &Value::Null, NOW + 30_000_000);
    assert_eq!((overloaded.status, overloaded.headers.len()), (429, 0));
}

#[test]
fn orders_take_their_goods_when_the_setting_says() {
    let mut store = store();
    let order = store.place_order("A", 3, NOW).unwrap();
    assert_eq!(store.level("A").unwrap().on_hand, 7);
    assert!(store.close_order(order, Status::Cancelled, NOW));
    assert_eq!(store.level("A").unwrap().on_hand, 10);
    store.set_update_stock_behavior("order_completed_or_shipped");
    let order = store.place_order("A", 3, NOW).unwrap();
    assert_eq!(store.level("A").unwrap().on_hand, 10);
    assert!(store.close_order(order, Status::Shipped, NOW));
    assert_eq!(store.level("A").unwrap().on_hand, 7);
    assert_eq!(store.place_order("A", 6, NOW), None, "safety stock is not for sale");
}

#[test]
fn a_list_of_no_orders_has_no_content() {
    let mut store = store();
    assert_eq!(ask(&mut store, "GET", "/v2/orders", &Value::Null, NOW).status, 204);
    store.place_order("A", 1, NOW).unwrap();
    let path = "/v2/orders?include=consignments.line_items&consignment_structure=object&min_date_modified=2026-11-23T09:00:00Z";
    let body: Value = serde_json::from_slice(&ask(&mut store, "GET", path, &Value::Null, NOW).body).unwrap();
    assert_eq!(body[0]["consignments"]["shipping"][0]["line_items"][0]["quantity"], 1);
}

#[test]
fn a_product_that_is_tracked_as_one_refuses_its_variants() {
    let mut store = store();
    store.track("A", Tracking::Product);
    let refused = adjust(&mut store, "relative", &[("A", -1)]);
    assert!(String::from_utf8_lossy(&refused.body).contains("is tracked by product"));
}
