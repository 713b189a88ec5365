//! The stand-in keeps the rules that the agent relies on.

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::counter::{Machine, Request, iso};

const NOW: i64 = 1_795_428_000_000_000;
const MINUTE: i64 = 60_000_000;

fn seller() -> (SquareMachine, String) {
    let scopes = [SquareSettings::default().scopes, vec!["ITEMS_WRITE".to_owned()]].concat();
    let mut seller = SquareMachine::new(SquareSettings { scopes, ..SquareSettings::default() }).unwrap();
    let id = seller.add(NewVariation::stocked("A", 10));
    (seller, id)
}

fn ask(seller: &mut SquareMachine, path: &str, body: &Value, at: i64) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer stand-in-token".parse().unwrap());
    headers.insert("square-version", "2025-08-20".parse().unwrap());
    let request = Request {
        number: 1,
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        headers,
        body: Bytes::from(body.to_string()),
        holds_key: false,
    };
    let response = seller.handle(&request, at);
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

fn row(id: &str, quantity: &str, occurred: i64) -> Value {
    json!({"type": "ADJUSTMENT", "adjustment": {"catalog_object_id": id, "location_id": "LSTANDIN",
        "from_state": "IN_STOCK", "to_state": "SOLD", "quantity": quantity, "occurred_at": iso(occurred), "reference_id": "r-1"}})
}

fn count(id: &str, quantity: &str, occurred: i64) -> Value {
    json!({"type": "PHYSICAL_COUNT", "physical_count": {"catalog_object_id": id, "location_id": "LSTANDIN",
        "state": "IN_STOCK", "quantity": quantity, "occurred_at": iso(occurred)}})
}

fn change(seller: &mut SquareMachine, key: &str, changes: &[Value], at: i64) -> (u16, Value) {
    let body = json!({"idempotency_key": key, "changes": changes, "ignore_unchanged_counts": false});
    ask(seller, "/v2/inventory/changes/batch-create", &body, at)
}

#[test]
fn the_number_follows_when_things_happened_not_when_they_arrived() {
    let (mut seller, id) = seller();
    assert_eq!(change(&mut seller, "k1", &[count(&id, "7", NOW)], NOW).0, 200);
    assert_eq!(change(&mut seller, "k2", &[row(&id, "2", NOW - MINUTE)], NOW).0, 200);
    assert_eq!(seller.in_stock(&id), Some(7), "it was before the count");
    assert_eq!(change(&mut seller, "k3", &[row(&id, "2", NOW + MINUTE)], NOW + MINUTE).0, 200);
    assert_eq!(seller.in_stock(&id), Some(5));
}

#[test]
fn a_key_stands_for_one_body() {
    let (mut seller, id) = seller();
    let first = change(&mut seller, "k", &[row(&id, "2", NOW)], NOW);
    assert_eq!(change(&mut seller, "k", &[row(&id, "2", NOW)], NOW + MINUTE), first);
    assert_eq!(seller.in_stock(&id), Some(8));
    let (status, body) = change(&mut seller, "k", &[row(&id, "3", NOW)], NOW);
    assert_eq!((status, body["errors"][0]["code"].as_str()), (400, Some("IDEMPOTENCY_KEY_REUSED")));
}

#[test]
fn dates_have_limits_and_so_have_batches() {
    let (mut seller, id) = seller();
    for occurred in [NOW + 1_000_000, NOW - 24 * 60 * MINUTE - 1_000_000] {
        let (status, body) = change(&mut seller, "k", &[row(&id, "1", occurred)], NOW);
        assert_eq!((status, body["errors"][0]["field"].as_str()), (400, Some("changes[0].adjustment.occurred_at")));
    }
    let many: Vec<Value> = (0..101).map(|_| row(&id, "1", NOW)).collect();
    assert_eq!(change(&mut seller, "k", &many, NOW).1["errors"][0]["code"], "ARRAY_LENGTH_TOO_LONG");
    let (_, body) = change(&mut seller, "k", &[row(&id, "1", NOW), row("GONE", "1", NOW)], NOW);
    assert_eq!(body["errors"][0]["field"], "changes[1].adjustment.catalog_object_id");
    assert_eq!(seller.in_stock(&id), Some(10), "all or nothing");
}

#[test]
fn the_history_shows_references() {
    let (mut seller, id) = seller();
    change(&mut seller, "k", &[row(&id, "1", NOW)], NOW);
    let body = json!({"catalog_object_ids": [id], "updated_after": iso(NOW - MINUTE)});
    let (_, found) = ask(&mut seller, "/v2/inventory/changes/batch-retrieve", &body, NOW);
    assert_eq!(found["changes"][0]["adjustment"]["reference_id"], "r-1");
    assert_eq!(found["changes"].as_array().map(Vec::len), Some(1), "older ones are left out");
}

#[test]
fn the_catalogue_takes_one_writer_and_the_latest_version() {
    let (mut seller, id) = seller();
    let object = |version: u64| {
        json!({"id": id, "version": version, "item_variation_data": {"sku": "A", "user_data": "kept",
        "price_money": {"amount": 450, "currency": "EUR"}}})
    };
    let upsert = |key: &str, version| json!({"idempotency_key": key, "batches": [{"objects": [object(version)]}]});
    seller.keep_catalogue_busy(1);
    assert_eq!(ask(&mut seller, "/v2/catalog/batch-upsert", &upsert("a", 1), NOW).0, 429);
    assert_eq!(ask(&mut seller, "/v2/catalog/batch-upsert", &upsert("b", 1), NOW).0, 200);
    assert_eq!(
        ask(&mut seller, "/v2/catalog/batch-upsert", &upsert("c", 1), NOW).1["errors"][0]["code"],
        "VERSION_MISMATCH"
    );
    assert_eq!(seller.price("A"), Some((450, "kept")));
}

#[test]
fn too_many_requests_are_refused_for_a_second() {
    let (mut seller, _) = seller();
    let nothing = json!({"object_ids": []});
    let refused = (0..50).filter(|_| ask(&mut seller, "/v2/catalog/batch-retrieve", &nothing, NOW).0 == 429).count();
    assert_eq!(refused, 10);
    assert_eq!(ask(&mut seller, "/v2/catalog/batch-retrieve", &nothing, NOW + 1_000_000).0, 200);
}
