//! Square: what is sent, what the history proves, how articles, numbers, orders and prices are read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::model::{EntryId, IdempotencyKey, Quantity, Sku, Timestamp};
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, RowRemedy};
use tillsync::platform::square::{MatchBy, Square, SquareSettings};
use tillsync::platform::{Absolute, Change, Found, OrdersSince, Platform, ReadBack, Sent, Target, TargetPart};
use tillsync::secret::SecretRef;

use super::server::{Canned, NOW, Server, clock, http, set_clock};

struct Kept(tempfile::TempDir);

impl Kept {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn settings(&self, server: &Server) -> SquareSettings {
        let path = self.0.path().join("token");
        std::fs::write(&path, "token-1").unwrap();
        SquareSettings::new(server.url.clone(), "L1".to_owned(), SecretRef::File(path))
    }
}

fn change(item: &str, units: i64) -> Change {
    Change {
        entry: EntryId(1),
        sku: Sku::from("A"),
        target: Some(Arc::new(Target { parts: vec![TargetPart { item: item.to_owned(), per: 1 }] })),
        delta: Quantity::from_units(units).unwrap(),
        units,
        on_hand: None,
        transaction: None,
        sold_at: None,
        kind: "sale",
    }
}

fn variation(id: &str, sku: &str, tracked: bool) -> Value {
    json!({"id": id, "type": "ITEM_VARIATION", "version": 3, "present_at_all_locations": true,
        "item_variation_data": {"name": "Mug", "sku": sku, "upc": "4006381333931", "track_inventory": tracked,
            "price_money": {"amount": 500, "currency": "EUR"}}})
}

fn count(id: &str, quantity: &str) -> Value {
    json!({"catalog_object_id": id, "state": "IN_STOCK", "location_id": "L1", "quantity": quantity})
}

#[tokio::test]
async fn a_sale_is_an_adjustment_under_its_key_and_the_pinned_version() {
    let server = Server::with([Canned::ok("{}"), Canned::HalfReply, Canned::ok("{}")]).await;
    let kept = Kept::new();
    let square = Square::new(kept.settings(&server), http(), clock());
    let key = IdempotencyKey::from("key-1");
    let body: Arc<[u8]> = square.encode(&key, &[change("V1", -2)]).into();
    assert_eq!(square.send(&key, Arc::clone(&body)).await, Answer::Applied { reference: None });
    assert!(matches!(square.send(&key, Arc::clone(&body)).await, Answer::Unknown { .. }));
    square.send(&key, body).await;
    let received = server.received();
    assert_eq!(received[0].path(), "/v2/inventory/changes/batch-create");
    assert_eq!(received[0].header("authorization"), Some("Bearer token-1"));
    assert_eq!(received[0].header("square-version"), Some("2025-08-20"));
    assert_eq!(received[0].body, received[2].body);
    let sent = received[0].json();
    assert_eq!(sent["idempotency_key"], "key-1");
    let adjustment = &sent["changes"][0]["adjustment"];
    assert_eq!((adjustment["from_state"].as_str(), adjustment["to_state"].as_str()), (Some("IN_STOCK"), Some("SOLD")));
    assert_eq!((adjustment["location_id"].as_str(), adjustment["quantity"].as_str()), (Some("L1"), Some("2")));
}

#[tokio::test]
async fn after_an_outage_of_days_a_sale_is_dated_within_what_square_takes() {
    let server = Server::with([]).await;
    let kept = Kept::new();
    let offset = Arc::new(Mutex::new(Duration::ZERO));
    let square = Square::new(kept.settings(&server), http(), set_clock(&offset));
    *offset.lock().unwrap() = Duration::from_hours(72);
    let sold = Change { sold_at: Some(NOW.plus(Duration::from_hours(1))), ..change("V1", -1) };
    let body: Value = serde_json::from_slice(&square.encode(&IdempotencyKey::from("k"), &[sold])).unwrap();
    assert_eq!(body["changes"][0]["adjustment"]["occurred_at"], "2026-11-25T12:00:00.000Z");
}

#[tokio::test]
async fn a_number_is_a_physical_count_dated_when_it_was_read() {
    let server = Server::start(|_| Canned::ok(json!({"counts": [count("V1", "4")]}).to_string())).await;
    let kept = Kept::new();
    let offset = Arc::new(Mutex::new(Duration::from_secs(10)));
    let square = Square::new(kept.settings(&server), http(), set_clock(&offset));
    square.read_back(&ReadBack { items: vec!["V1".to_owned()], sent: None }).await.unwrap();
    *offset.lock().unwrap() = Duration::from_secs(300);
    let part = TargetPart { item: "V1".to_owned(), per: 1 };
    let rows = [Absolute { part, on_hand: 6, expected: 4 }];
    let body: Value = serde_json::from_slice(&square.encode_absolute(&IdempotencyKey::from("k"), &rows)).unwrap();
    let counted = &body["changes"][0]["physical_count"];
    assert_eq!((counted["quantity"].as_str(), counted["state"].as_str()), (Some("6"), Some("IN_STOCK")));
    assert_eq!(counted["occurred_at"], "2026-11-23T10:00:10.000Z");
    assert_eq!(body["ignore_unchanged_counts"], false);
}

#[tokio::test]
async fn the_history_proves_what_became_of_a_request() {
    let server = Server::start(|request| match request.path() {
        "/v2/inventory/changes/batch-retrieve" if request.json()["cursor"].is_null() => Canned::ok(
            json!({"changes": [{"type": "ADJUSTMENT", "adjustment": {"catalog_object_id": "V1", "reference_id": "tillsync:other"}}],
                "cursor": "next"})
            .to_string(),
        ),
        "/v2/inventory/changes/batch-retrieve" => Canned::ok(
            json!({"changes": [{"type": "ADJUSTMENT", "adjustment": {"catalog_object_id": "V2", "reference_id": "tillsync:key-1"}}]})
                .to_string(),
        ),
        "/v2/catalog/batch-retrieve" => Canned::ok(json!({"objects": [variation("V3", "C", true)]}).to_string()),
        _ => Canned::ok(json!({"counts": [count("V1", "4"), count("V2", "-1.5")]}).to_string()),
    })
    .await;
    let kept = Kept::new();
    let square = Square::new(kept.settings(&server), http(), clock());
    let items = ["V1", "V2", "V3", "V4"].map(str::to_owned).to_vec();
    let sent = Sent { key: IdempotencyKey::from("key-1"), frozen_at: NOW, changes: vec![-1; 4] };
    let seen = square.read_back(&ReadBack { items, sent: Some(sent) }).await.unwrap();
    let facts: Vec<(Option<i64>, Evidence)> = seen.iter().map(|seen| (seen.number, seen.evidence)).collect();
    assert_eq!(
        facts,
        [
            (Some(4), Evidence::NotApplied),
            (Some(-2), Evidence::Applied),
            (Some(0), Evidence::NotApplied),
            (None, Evidence::NotApplied)
        ]
    );
}

#[tokio::test]
async fn articles_are_found_exactly_and_must_be_tracked_here() {
    let server = Server::start(|request| match request.path() {
        "/v2/catalog/search" if request.json()["query"]["set_query"]["attribute_name"] == "sku" => {
            let elsewhere = json!({"id": "V5", "present_at_all_locations": false, "present_at_location_ids": ["L2"],
                "item_variation_data": {"sku": "ELSEWHERE", "track_inventory": true}});
            let here = json!({"id": "V6", "item_variation_data": {"sku": "HERE", "track_inventory": false,
                "location_overrides": [{"location_id": "L1", "track_inventory": true}]}});
            Canned::ok(json!({"objects": [variation("V1", "A", true), variation("V2", "a", true), variation("V3", "OFF", false),
                variation("V4", "TWICE", true), variation("V7", "TWICE", true), elsewhere, here]}).to_string())
        }
        "/v2/catalog/search" => Canned::ok(json!({"objects": [variation("V1", "A", true)]}).to_string()),
        _ => Canned::ok(json!({"counts": [count("V1", "4")]}).to_string()),
    })
    .await;
    let kept = Kept::new();
    let settings = SquareSettings { match_by: MatchBy::SkuThenBarcode, ..kept.settings(&server) };
    let square = Square::new(settings, http(), clock());
    let skus = ["A", "OFF", "TWICE", "ELSEWHERE", "HERE", "4006381333931", "NOWHERE"].map(Sku::from);
    let found = square.look_up(&skus).await.unwrap();
    assert!(
        matches!(&found[0], Found::Target { target, on_hand, .. } if target.parts[0].item == "V1" && on_hand == &[4])
    );
    assert!(matches!(&found[1], Found::Unusable { reason } if reason.contains("tracking")));
    assert!(matches!(&found[2], Found::Ambiguous { candidates } if candidates.len() == 2));
    assert!(matches!(&found[3], Found::Unusable { reason } if reason.contains("not sold at the location")));
    assert!(matches!(&found[4], Found::Target { on_hand, .. } if on_hand == &[0]));
    // Every hit has this barcode, so which one is meant is for a person.
    assert!(matches!(&found[5], Found::Ambiguous { .. }));
    assert_eq!(found[6], Found::Unknown);
}

#[tokio::test]
async fn numbers_are_paged_with_their_article_numbers() {
    let server = Server::start(|request| match request.path() {
        "/v2/catalog/batch-retrieve" => {
            Canned::ok(json!({"objects": [variation("V1", "A", true), variation("V2", "B", false)]}).to_string())
        }
        _ => Canned::ok(json!({"counts": [count("V1", "4"), count("V2", "9")], "cursor": "c-2"}).to_string()),
    })
    .await;
    let kept = Kept::new();
    let square = Square::new(kept.settings(&server), http(), clock());
    let page = square.levels(Some("c-1".to_owned())).await.unwrap();
    assert_eq!(page.levels.len(), 1, "what is not tracked is left out");
    assert_eq!((page.levels[0].sku.as_str(), page.levels[0].number), ("A", 4));
    assert_eq!(page.next.as_deref(), Some("c-2"));
    assert_eq!(server.received()[0].json()["cursor"], "c-1");
}

#[tokio::test]
async fn orders_hold_what_lies_on_this_shelf() {
    let order = |id: &str, state: &str, fulfillments: Value| {
        json!({"id": id, "state": state, "reference_id": format!("#{id}"),
        "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T10:00:00Z", "fulfillments": fulfillments,
        "line_items": [{"uid": "u1", "catalog_object_id": "V1", "quantity": "3"}, {"uid": "u2", "quantity": "1"}]})
    };
    let part = json!([{"state": "COMPLETED", "line_item_application": "ENTRY_LIST", "entries": [{"line_item_uid": "u1", "quantity": "1"}]},
        {"state": "PROPOSED", "line_item_application": "ENTRY_LIST", "entries": [{"line_item_uid": "u1", "quantity": "2"}]}]);
    let rows = json!({"orders": [order("o1", "OPEN", part), order("o2", "COMPLETED", json!([{"state": "COMPLETED"}])),
        order("o3", "CANCELED", json!([{"state": "CANCELED"}])), order("counter", "COMPLETED", json!([]))], "cursor": "c"});
    let server = Server::with([Canned::ok(rows.to_string()), Canned::ok("{}")]).await;
    let kept = Kept::new();
    let square = Square::new(kept.settings(&server), http(), clock());
    let page = square.orders(OrdersSince { changed_after: Some(NOW), page: None }).unwrap().await.unwrap();
    let lines: Vec<(&str, i64, i64)> = page
        .orders
        .iter()
        .flat_map(|order| order.lines.iter().map(|line| (order.id.as_str(), line.open, line.handed_over)))
        .collect();
    assert_eq!(lines, [("o1", 2, 1), ("o2", 0, 3), ("o3", 0, 0)]);
    assert_eq!((page.orders[0].name.as_str(), page.next.as_deref()), ("#o1", Some("c")));
    assert_eq!(page.orders[0].placed_at, Some(Timestamp(NOW.0 - 3_600_000_000)));
    square.orders(OrdersSince::default()).unwrap().await.unwrap();
    let received = server.received();
    assert_eq!(
        received[0].json()["query"]["filter"]["date_time_filter"]["updated_at"]["start_at"],
        "2026-11-23T10:00:00.000Z"
    );
    assert_eq!(received[0].json()["query"]["sort"]["sort_field"], "UPDATED_AT");
    assert_eq!(received[1].json()["query"]["filter"]["state_filter"]["states"], json!(["OPEN"]));
}

#[tokio::test]
async fn prices_are_written_on_condition_of_the_version_that_was_read() {
    let server = Server::start(|request| match request.path() {
        "/v2/locations/L1" => Canned::ok(r#"{"location":{"currency":"EUR"}}"#),
        "/v2/catalog/batch-retrieve" => Canned::ok(json!({"objects": [variation("V1", "A", true)]}).to_string()),
        _ => Canned::ok("{}"),
    })
    .await;
    let kept = Kept::new();
    assert!(Square::new(kept.settings(&server), http(), clock()).prices().is_none());
    let settings = SquareSettings { prices: true, ..kept.settings(&server) };
    let lane = Square::new(settings, http(), clock()).prices().unwrap();
    let key = IdempotencyKey::from("key-1");
    let price = |item: &str, micros| Change { delta: Quantity::from_micros(micros), ..change(item, 0) };
    let sent = lane.encode(&key, &[price("V1", 4_500_000)]);
    assert_eq!(lane.send(&key, sent.into()).await, Answer::Applied { reference: None });
    let upsert = server.received().pop().unwrap();
    assert_eq!(upsert.path(), "/v2/catalog/batch-upsert");
    let mut expected = variation("V1", "A", true);
    expected["item_variation_data"]["price_money"]["amount"] = json!(450);
    expected["item_variation_data"]["pricing_type"] = json!("FIXED_PRICING");
    assert_eq!(upsert.json()["batches"][0]["objects"][0], expected);
    assert!(upsert.json()["idempotency_key"].as_str().unwrap().starts_with("key-1-"));

    let sent = lane.encode(&key, &[price("V1", 5_000_000)]);
    assert_eq!(lane.send(&key, sent.into()).await, Answer::Applied { reference: None });
    assert_ne!(server.received().pop().unwrap().path(), "/v2/catalog/batch-upsert", "it has that price");
    let sent = lane.encode(&key, &[price("V1", 4_505_000), price("V9", 1_000_000)]);
    let Answer::RowsRefused { rows } = lane.send(&key, sent.into()).await else { panic!("not refused") };
    let remedies: Vec<(&str, RowRemedy)> = rows.iter().map(|row| (row.item.as_str(), row.remedy)).collect();
    assert_eq!(remedies, [("V1", RowRemedy::DeadLetter), ("V9", RowRemedy::LookUpAgain)]);
}

#[tokio::test]
async fn a_probe_names_what_is_missing() {
    let server = Server::start(|request| match request.path() {
        "/oauth2/token/status" => Canned::Reply(
            200,
            "date: Mon, 23 Nov 2026 10:05:00 GMT\r\n",
            r#"{"scopes":["ITEMS_READ","INVENTORY_READ","INVENTORY_WRITE","MERCHANT_PROFILE_READ","PAYMENTS_READ"]}"#
                .to_owned(),
        ),
        _ => Canned::Reply(
            200,
            "date: Mon, 23 Nov 2026 10:05:00 GMT\r\n",
            r#"{"location":{"name":"Quay","status":"INACTIVE","currency":"EUR"}}"#.to_owned(),
        ),
    })
    .await;
    let kept = Kept::new();
    let report = Square::new(kept.settings(&server), http(), clock()).probe().await.unwrap();
    let faults = report.faults.join("\n");
    for expected in ["ORDERS_READ", "`Quay` is not active", "clock"] {
        assert!(faults.contains(expected), "{faults}");
    }
    assert_eq!(report.faults.len(), 3);
    assert!(report.facts.contains(&("scopes not needed".to_owned(), "PAYMENTS_READ".to_owned())));
}
