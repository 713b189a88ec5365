//! BigCommerce: what is sent, what a refusal does, how articles, numbers, orders and prices are read.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::model::{EntryId, IdempotencyKey, Quantity, Sku, Timestamp};
use sync_core::outbox::verdict::Answer;
use tillsync::platform::bigcommerce::{BigCommerce, BigCommerceSettings, MatchBy, StockFalls};
use tillsync::platform::{
    Absolute, CallFailure, Change, Found, Number, OrdersSince, Platform, ReadBack, Target, TargetPart,
};
use tillsync::secret::SecretRef;

use super::server::{Canned, NOW, Received, Server, clock, http};

struct Kept(tempfile::TempDir);

impl Kept {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn token(&self, text: &str) -> SecretRef {
        let path = self.0.path().join("token");
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path)
    }

    fn settings(&self, server: &Server) -> BigCommerceSettings {
        let base = server.url.join("/stores/abc").unwrap();
        let settings = BigCommerceSettings::new(base, 7, self.token("token-1"), StockFalls::OrderPlaced);
        BigCommerceSettings { read_lag: Duration::ZERO, ..settings }
    }
}

fn change(item: &str, units: i64) -> Change {
    Change {
        entry: EntryId(1),
        sku: Sku::from("A"),
        target: Some(Arc::new(target(item))),
        delta: Quantity::from_units(units).unwrap(),
        units,
        on_hand: None,
        transaction: None,
        sold_at: None,
        kind: "sale",
    }
}

fn target(item: &str) -> Target {
    Target { parts: vec![TargetPart { item: item.to_owned(), per: 1 }] }
}

async fn push(shop: &BigCommerce, changes: &[Change]) -> Answer {
    let key = IdempotencyKey::from("key-1");
    shop.send(&key, shop.encode(&key, changes).into()).await
}

fn applied() -> Canned {
    Canned::ok(r#"{"transaction_id":"t-1"}"#)
}

fn page(rows: Value) -> Canned {
    let count = rows.as_array().unwrap().len();
    Canned::ok(
        json!({"data": rows, "meta": {"pagination": {"total": count, "current_page": 1, "total_pages": 1}}})
            .to_string(),
    )
}

fn row(sku: &str, variant: i64, product: i64, number: i64) -> Value {
    json!({"identity": {"sku": sku, "variant_id": variant, "product_id": product},
        "available_to_sell": number - 2, "total_inventory_onhand": number})
}

#[tokio::test]
async fn a_sale_is_a_relative_adjustment_at_the_location() {
    let server = Server::with([applied(), Canned::Cut]).await;
    let kept = Kept::new();
    let shop = BigCommerce::new(kept.settings(&server), http(), clock());
    let done = push(&shop, &[change("v74", -2), change("p9", 3)]).await;
    assert_eq!(done, Answer::Applied { reference: Some("t-1".to_owned()) });
    assert!(matches!(push(&shop, &[change("v74", -2)]).await, Answer::Unknown { .. }));
    let received = server.received();
    assert!(
        received[0].head.starts_with("POST /stores/abc/v3/inventory/adjustments/relative "),
        "{}",
        received[0].head
    );
    assert_eq!(received[0].header("x-auth-token"), Some("token-1"));
    assert_eq!(
        received[0].json(),
        json!({"reason": "tillsync:key-1", "items": [{"location_id": 7, "variant_id": 74, "quantity": -2},
            {"location_id": 7, "product_id": 9, "quantity": 3}]})
    );
}

#[tokio::test]
async fn a_number_is_an_absolute_adjustment() {
    let server = Server::with([applied()]).await;
    let kept = Kept::new();
    let shop = BigCommerce::new(kept.settings(&server), http(), clock());
    let key = IdempotencyKey::from("key-1");
    let part = TargetPart { item: "v74".to_owned(), per: 1 };
    let body = shop.encode_absolute(&key, &[Absolute { part, on_hand: 5, expected: 4 }]);
    assert!(matches!(shop.send(&key, body.into()).await, Answer::Applied { .. }));
    let received = server.received();
    assert!(received[0].head.starts_with("PUT /stores/abc/v3/inventory/adjustments/absolute "));
    assert_eq!(received[0].json()["items"][0]["quantity"], 5);
}

#[tokio::test]
async fn nothing_to_say_is_not_said() {
    let server = Server::with([]).await;
    let kept = Kept::new();
    let shop = BigCommerce::new(kept.settings(&server), http(), clock());
    let done = push(&shop, &[change("v74", -2), change("v74", 2)]).await;
    assert_eq!(done, Answer::Applied { reference: None });
}

#[tokio::test]
async fn an_empty_quota_is_waited_for() {
    let headers = "x-rate-limit-requests-left: 0\r\nx-rate-limit-time-reset-ms: 80\r\n";
    let told = || Canned::Reply(200, headers, r#"{"transaction_id":"t-1"}"#.to_owned());
    let server = Server::with([told(), told()]).await;
    let kept = Kept::new();
    let start = tokio::time::Instant::now();
    let shop = BigCommerce::new(kept.settings(&server), http(), Arc::new(move || NOW.plus(start.elapsed())));
    push(&shop, &[change("v74", -1)]).await;
    let before = tokio::time::Instant::now();
    push(&shop, &[change("v74", -1)]).await;
    assert!(before.elapsed() >= Duration::from_millis(60), "{:?}", before.elapsed());
}

#[tokio::test]
async fn a_replaced_token_is_picked_up_after_a_refusal() {
    let server = Server::start(|request| match request.header("x-auth-token") {
        Some("token-2") => applied(),
        _ => Canned::Reply(401, "", String::new()),
    })
    .await;
    let kept = Kept::new();
    let shop = BigCommerce::new(kept.settings(&server), http(), clock());
    assert!(matches!(push(&shop, &[change("v74", -1)]).await, Answer::LaneRefused { .. }));
    kept.token("token-2");
    assert!(matches!(push(&shop, &[change("v74", -1)]).await, Answer::Applied { .. }));
}

/// A shop with a tracked variant, one that is tracked by product, one that is not tracked and one that was never set.
fn catalogue(request: &Received) -> Canned {
    let path = request.path().to_owned();
    let asked = |name: &str| {
        let url = url::Url::parse(&format!("http://x{path}")).unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    if path.contains("/locations/7/items") {
        let rows = match (asked("sku:in"), asked("variant_id:in"), asked("product_id:in")) {
            (Some(_), _, _) => json!([row("A", 1, 101, 9), row("a", 2, 102, 3), row("SHARED", 3, 103, 8)]),
            (_, Some(ids), _) if ids == "1,5" || ids == "5" || ids == "1" => json!([row("A", 1, 101, 9)]),
            (_, _, Some(_)) => json!([row("SHARED", 3, 103, 8)]),
            _ => json!([]),
        };
        return page(rows);
    }
    if path.contains("/catalog/products") {
        let product = |id: i64, word: &str| json!({"id": id, "name": "Mug", "inventory_tracking": word});
        return page(json!([
            product(101, "variant"),
            product(103, "product"),
            product(104, "none"),
            product(105, "variant")
        ]));
    }
    let rows = match (asked("sku").as_deref(), asked("upc").as_deref(), asked("id").as_deref()) {
        (Some("UNTRACKED"), _, _) => json!([{"id": 4, "product_id": 104, "sku": "UNTRACKED"}]),
        (Some("VIRGIN"), _, _) | (_, _, Some("5")) => json!([{"id": 5, "product_id": 105, "sku": "VIRGIN"}]),
        (_, Some("4006381333931"), _) => json!([{"id": 1, "product_id": 101, "sku": "A", "upc": "4006381333931"}]),
        _ => json!([]),
    };
    page(rows)
}

#[tokio::test]
async fn articles_are_found_exactly_and_where_their_stock_is_kept() {
    let server = Server::start(catalogue).await;
    let kept = Kept::new();
    let settings = BigCommerceSettings { match_by: MatchBy::SkuThenBarcode, ..kept.settings(&server) };
    let shop = BigCommerce::new(settings, http(), clock());
    let skus = ["A", "SHARED", "UNTRACKED", "VIRGIN", "4006381333931", "NOWHERE"].map(Sku::from);
    let found = shop.look_up(&skus).await.unwrap();
    let item = |found: &Found| match found {
        Found::Target { target, on_hand, .. } => format!("{} {}", target.parts[0].item, on_hand[0]),
        other => format!("{other:?}"),
    };
    assert_eq!(item(&found[0]), "v1 9");
    assert_eq!(item(&found[1]), "p103 8");
    assert!(matches!(&found[2], Found::Unusable { reason } if reason.contains("track inventory")), "{:?}", found[2]);
    assert_eq!(item(&found[3]), "v5 0", "never set is none");
    assert_eq!(item(&found[4]), "v1 9");
    assert_eq!(found[5], Found::Unknown);
}

#[tokio::test]
async fn numbers_are_not_read_while_a_change_is_on_its_way() {
    let server = Server::start(|request| match request.path() {
        path if path.contains("adjustments") => applied(),
        path if path.contains("catalog") => page(json!([])),
        _ => page(json!([row("A", 1, 101, 9)])),
    })
    .await;
    let kept = Kept::new();
    let start = tokio::time::Instant::now();
    let settings = BigCommerceSettings { read_lag: Duration::from_millis(120), ..kept.settings(&server) };
    let shop = BigCommerce::new(settings, http(), Arc::new(move || NOW.plus(start.elapsed())));
    push(&shop, &[change("v1", -1)]).await;
    let before = tokio::time::Instant::now();
    let question = ReadBack { items: vec!["v1".to_owned(), "v2".to_owned()], sent: None };
    let seen = shop.read_back(&question).await.unwrap();
    assert!(before.elapsed() >= Duration::from_millis(100), "{:?}", before.elapsed());
    assert_eq!(seen.iter().map(|seen| seen.number).collect::<Vec<_>>(), [Some(9), None], "a deleted variant is gone");
}

#[tokio::test]
async fn the_shops_setting_decides_what_its_number_means() {
    let kept = Kept::new();
    let said = |word: &str| Canned::ok(json!({"data": {"update_stock_behavior": word}}).to_string());
    let server =
        Server::with([said("order_completed_or_shipped"), said("order_placed"), page(json!([row("A", 1, 101, 9)]))])
            .await;
    let shop = BigCommerce::new(kept.settings(&server), http(), clock());
    assert_eq!(shop.traits().number, Number::Net);
    let refused = shop.levels(None).await.unwrap_err();
    assert!(
        matches!(&refused, CallFailure::LaneRefused { detail, .. } if detail.contains("update stock")),
        "{refused:?}"
    );
    let page = shop.levels(None).await.unwrap();
    assert_eq!((page.levels[0].item.as_str(), page.levels[0].number, page.next), ("v1", 9, None));
    let shipped = BigCommerceSettings { stock_falls: StockFalls::OrderShipped, ..kept.settings(&server) };
    assert_eq!(BigCommerce::new(shipped, http(), clock()).traits().number, Number::Physical);
}

#[tokio::test]
async fn orders_hold_what_lies_on_this_shelf() {
    let line = |id: i64, quantity: i64, shipped: i64| {
        json!({"id": id, "product_id": 101, "variant_id": 1, "sku": "A",
        "quantity": quantity, "quantity_shipped": shipped, "quantity_refunded": 0})
    };
    let order = |id: i64, status: i64, pickups: Value, shipping: Value| {
        json!({"id": id, "status_id": status,
        "date_created": "Mon, 23 Nov 2026 09:00:00 +0000", "date_modified": "Mon, 23 Nov 2026 10:00:00 +0000",
        "consignments": {"pickups": pickups, "shipping": shipping}})
    };
    let rows = json!([
        order(1, 3, json!([]), json!([{"line_items": [line(11, 3, 1)]}])),
        order(
            2,
            8,
            json!([{"location": {"id": 7}, "line_items": [line(21, 2, 0)]}, {"location": {"id": 8}, "line_items": [line(22, 5, 0)]}]),
            json!([])
        ),
        order(3, 10, json!([{"location": {"id": 7}, "line_items": [line(31, 2, 0)]}]), json!([])),
        order(4, 5, json!([]), json!([{"line_items": [line(41, 4, 0)]}])),
    ]);
    let server = Server::with([Canned::ok(rows.to_string()), Canned::Reply(204, "", String::new())]).await;
    let kept = Kept::new();
    let shop = BigCommerce::new(kept.settings(&server), http(), clock());
    let since = OrdersSince { changed_after: Some(NOW), page: None };
    let found = shop.orders(since.clone()).unwrap().await.unwrap();
    let lines: Vec<(String, i64, i64)> = found
        .orders
        .iter()
        .flat_map(|order| &order.lines)
        .map(|line| (line.id.clone(), line.open, line.handed_over))
        .collect();
    assert_eq!(
        lines,
        [("11".to_owned(), 2, 1), ("21".to_owned(), 2, 0), ("31".to_owned(), 0, 2), ("41".to_owned(), 0, 0)]
    );
    assert_eq!(found.orders[0].changed_at, NOW);
    assert_eq!(found.orders[0].placed_at, Some(Timestamp(NOW.0 - 3_600_000_000)));
    assert!(shop.orders(since).unwrap().await.unwrap().orders.is_empty(), "no content is no orders");
    assert!(
        server.received()[0].path().contains("min_date_modified=2026-11-23T10%3A00%3A00Z"),
        "{}",
        server.received()[0].path()
    );
}

#[tokio::test]
async fn all_open_orders_are_asked_for_status_by_status() {
    let server = Server::start(|_| Canned::Reply(204, "", String::new())).await;
    let kept = Kept::new();
    let shop = BigCommerce::new(kept.settings(&server), http(), clock());
    let mut since = OrdersSince::default();
    while let Some(next) = shop.orders(since.clone()).unwrap().await.unwrap().next {
        since.page = Some(next);
    }
    assert_eq!(server.received().len(), 7);
}

#[tokio::test]
async fn prices_go_to_the_catalogue() {
    let server = Server::with([Canned::ok(r#"{"data":[{"id":74}]}"#)]).await;
    let kept = Kept::new();
    assert!(BigCommerce::new(kept.settings(&server), http(), clock()).prices().is_none());
    let settings = BigCommerceSettings { prices: true, ..kept.settings(&server) };
    let lane = BigCommerce::new(settings, http(), clock()).prices().unwrap();
    assert!(lane.traits().latest && lane.traits().rows_max == 50);
    let key = IdempotencyKey::from("key-1");
    let price = Change { delta: Quantity::from_micros(19_990_000), ..change("v74", 0) };
    assert!(matches!(lane.send(&key, lane.encode(&key, &[price]).into()).await, Answer::Applied { .. }));
    let received = server.received();
    assert!(received[0].head.starts_with("PUT /stores/abc/v3/catalog/variants "));
    assert_eq!(received[0].body, br#"[{"id":74,"price":19.99}]"#);
}

#[tokio::test]
async fn a_probe_names_what_is_missing() {
    let server = Server::start(|request| match request.path() {
        path if path.contains("/v2/store") => Canned::ok(r#"{"name":"Harbour","currency":"EUR"}"#),
        path if path.contains("/inventory/locations?") => page(json!([{"id": 7, "label": "Quay", "enabled": false}])),
        path if path.contains("/settings/") => {
            Canned::ok(r#"{"data":{"update_stock_behavior":"order_completed_or_shipped"}}"#)
        }
        path if path.contains("/v2/orders") => Canned::Reply(403, "", String::new()),
        path if path.contains("/products") => page(json!([{"id": 1}])),
        _ => page(json!([])),
    })
    .await;
    let kept = Kept::new();
    let report = BigCommerce::new(kept.settings(&server), http(), clock()).probe().await.unwrap();
    let faults = report.faults.join("\n");
    for expected in ["`Quay` is not enabled", "order_completed_or_shipped", "Orders: read-only"] {
        assert!(faults.contains(expected), "{faults}");
    }
    assert!(report.facts.contains(&("shop".to_owned(), "Harbour (EUR)".to_owned())));
    assert!(report.facts.contains(&("products that are not tracked".to_owned(), "1".to_owned())));
}
