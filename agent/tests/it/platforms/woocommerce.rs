//! WooCommerce: what is sent for frozen rows, with the plugin and without, and what is made of the answers.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::model::{EntryId, IdempotencyKey, Quantity, Sku, Timestamp};
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal};
use tillsync::platform::woocommerce::{MatchBy, PluginUse, WooCommerce, WooSettings};
use tillsync::platform::{
    Absolute, CallFailure, Change, Found, Level, OrdersSince, Platform, ReadBack, Sent, Target, TargetPart,
};
use tillsync::secret::SecretRef;

use super::server::{Canned, Received, Server, clock, http};

/// A REST key whose parts are files in a folder that lives as long as the test.
struct Kept(tempfile::TempDir);

impl Kept {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn secret(&self, name: &str, text: &str) -> SecretRef {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path)
    }

    fn shop(&self, server: &Server, change: impl FnOnce(&mut WooSettings)) -> WooCommerce {
        let (key, secret) = (self.secret("key", "ck_test"), self.secret("secret", "cs_test"));
        let mut settings = WooSettings::new(server.url.join("/shop/").unwrap(), key, secret, "s1");
        settings.plugin = PluginUse::Off;
        change(&mut settings);
        WooCommerce::new(settings, http(), clock())
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

async fn push(shop: &WooCommerce, changes: &[Change]) -> Answer {
    let key = IdempotencyKey::from("key-1");
    shop.send(&key, shop.encode(&key, changes).into()).await
}

async fn set(shop: &WooCommerce, item: &str, on_hand: i64, expected: i64) -> Answer {
    let key = IdempotencyKey::from("key-1");
    let row = Absolute { part: TargetPart { item: item.to_owned(), per: 1 }, on_hand, expected };
    shop.send(&key, shop.encode_absolute(&key, &[row]).into()).await
}

fn shown(id: u64, stock: i64, marker: &str) -> Value {
    json!({
        "id": id, "name": format!("Article {id}"), "sku": format!("A-{id}"), "type": "simple", "manage_stock": true,
        "stock_quantity": stock, "meta_data": [{"id": 1, "key": "_tillsync_op_s1", "value": marker}],
    })
}

fn ok(body: &Value) -> Canned {
    Canned::ok(body.to_string())
}

fn no_route() -> Canned {
    Canned::Reply(404, "", json!({"code": "rest_no_route", "message": "m", "data": {"status": 404}}).to_string())
}

fn info() -> Canned {
    ok(
        &json!({"plugin": "tillsync-stock", "version": "1.0.0", "contract": 1, "keep_days": 60, "rows_max": 100, "transactional": true}),
    )
}

fn query_of(request: &Received, name: &str) -> Option<String> {
    let url: url::Url = format!("http://shop.example.com{}", request.path()).parse().unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn path_of(request: &Received) -> &str {
    request.path().split('?').next().unwrap()
}

#[tokio::test]
async fn frozen_rows_go_product_by_product_and_parent_by_parent() {
    let server = Server::with([
        ok(&json!({"update": [shown(7, 5, "key-1"), shown(8, 1, "key-1")]})),
        ok(&json!({"update": [shown(34, 2, "key-1")]})),
    ])
    .await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |_| {});
    let changes = [change("8", -1), change("12/34", -2), change("7", -3), change("7", 1)];
    assert_eq!(push(&shop, &changes).await, Answer::Applied { reference: None });
    let received = server.received();
    assert_eq!(path_of(&received[0]), "/shop/wp-json/wc/v3/products/batch");
    assert_eq!(received[0].header("authorization"), Some("Basic Y2tfdGVzdDpjc190ZXN0"));
    let mark = json!([{"key": "_tillsync_op_s1", "value": "key-1"}]);
    assert_eq!(
        received[0].json(),
        json!({"update": [
            {"id": 7, "inventory_delta": -2, "meta_data": mark},
            {"id": 8, "inventory_delta": -1, "meta_data": mark},
        ]})
    );
    assert_eq!(path_of(&received[1]), "/shop/wp-json/wc/v3/products/12/variations/batch");
    assert_eq!(received[1].json(), json!({"update": [{"id": 34, "inventory_delta": -2, "meta_data": mark}]}));
}

#[tokio::test]
async fn a_break_after_the_first_request_leaves_the_outcome_open() {
    let server =
        Server::with([ok(&json!({"update": [shown(7, 5, "key-1")]})), Canned::Reply(429, "", String::new())]).await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |_| {});
    let answer = push(&shop, &[change("7", -1), change("12/34", -1)]).await;
    assert!(matches!(&answer, Answer::Unknown { reason, .. } if reason.contains("request 2 of 2")), "{answer:?}");
}

#[tokio::test]
async fn the_marker_tells_what_became_of_each_row() {
    let gone = shown(9, 4, "an older key");
    let server = Server::with([
        ok(&json!([shown(7, 5, "key-1"), gone])),
        ok(&json!([{"id": 34, "manage_stock": false, "stock_quantity": null, "meta_data": [{"key": "_tillsync_op_s1", "value": "key-1"}]}])),
    ])
    .await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |_| {});
    let items = ["12/34", "7", "8", "9"].map(str::to_owned).to_vec();
    let sent = Sent { key: IdempotencyKey::from("key-1"), frozen_at: Timestamp(0), changes: vec![-1, -1, -1, -1] };
    let seen = shop.read_back(&ReadBack { items, sent: Some(sent) }).await.unwrap();
    let told: Vec<(Option<i64>, Evidence)> = seen.iter().map(|seen| (seen.number, seen.evidence)).collect();
    // The shop stores the marker of a number that it drops: only a kept number counts.
    assert_eq!(
        told,
        [
            (None, Evidence::NotApplied),
            (Some(5), Evidence::Applied),
            (None, Evidence::NotApplied),
            (Some(4), Evidence::NotApplied)
        ]
    );
    assert_eq!(query_of(&server.received()[0], "include").as_deref(), Some("7,8,9"));
}

#[tokio::test]
async fn a_number_is_only_set_over_the_number_that_was_read() {
    let kept = Kept::new();
    let server = Server::with([ok(&json!([shown(7, 6, "x")]))]).await;
    assert_eq!(set(&kept.shop(&server, |_| {}), "7", 3, 5).await, Answer::Stale);
    let server = Server::with([ok(&json!([shown(7, 5, "x")])), ok(&json!({"update": [shown(7, 3, "key-1")]}))]).await;
    assert_eq!(set(&kept.shop(&server, |_| {}), "7", 3, 5).await, Answer::Applied { reference: None });
    assert_eq!(server.received()[1].json()["update"][0]["stock_quantity"], 3);
}

#[tokio::test]
async fn the_plugin_is_used_while_it_is_there() {
    let taken = |status: &str| {
        ok(
            &json!({"key": "key-1", "replayed": false, "stale": false, "rows": [{"id": "12/34", "product": 34, "status": status, "code": "not_managed", "message": "m", "stock": 3}]}),
        )
    };
    let server = Server::with([
        info(),
        taken("applied"),
        taken("refused"),
        no_route(),
        no_route(),
        ok(&json!({"update": [shown(34, 2, "key-1")]})),
    ])
    .await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |settings| settings.plugin = PluginUse::Auto);
    assert_eq!(push(&shop, &[change("12/34", -2)]).await, Answer::Applied { reference: None });
    assert!(matches!(push(&shop, &[change("12/34", -2)]).await, Answer::RowsRefused { .. }));
    // Deactivated: nothing took effect, and the next send goes to WooCommerce itself.
    assert!(matches!(push(&shop, &[change("12/34", -2)]).await, Answer::Unavailable { .. }));
    assert_eq!(push(&shop, &[change("12/34", -2)]).await, Answer::Applied { reference: None });
    let received = server.received();
    assert_eq!(path_of(&received[1]), "/shop/wp-json/tillsync/v1/stock");
    assert_eq!(
        received[1].json(),
        json!({"key": "key-1", "marker": "_tillsync_op_s1", "rows": [{"id": "12/34", "product": 34, "delta": -2}]})
    );
    assert_eq!(path_of(&received[5]), "/shop/wp-json/wc/v3/products/12/variations/batch");
}

#[tokio::test]
async fn a_required_plugin_that_is_not_there_stops_the_lane() {
    let server = Server::with([no_route()]).await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |settings| settings.plugin = PluginUse::Required);
    assert!(shop.traits().key_window > Some(std::time::Duration::ZERO) && shop.traits().compare_and_set);
    let answer = push(&shop, &[change("7", -2)]).await;
    assert!(matches!(answer, Answer::LaneRefused { cause: LaneRefusal::Misconfigured, .. }), "{answer:?}");
}

#[tokio::test]
async fn the_plugins_table_and_the_marker_are_both_believed() {
    let server = Server::with([
        info(),
        ok(&json!({"key": "key-1", "known": true, "stale": false, "rows": [{"id": "7", "product": 7, "status": "applied"}, {"id": "8", "product": 8, "status": "refused"}]})),
        ok(&json!([shown(7, 5, "later"), shown(8, 5, "later")])),
    ])
    .await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |settings| settings.plugin = PluginUse::Auto);
    let sent = Sent { key: IdempotencyKey::from("key-1"), frozen_at: Timestamp(0), changes: vec![-1, -1] };
    let question = ReadBack { items: vec!["7".to_owned(), "8".to_owned()], sent: Some(sent) };
    let seen = shop.read_back(&question).await.unwrap();
    assert_eq!((seen[0].evidence, seen[1].evidence), (Evidence::Applied, Evidence::NotApplied));
}

#[tokio::test]
async fn articles_are_found_exactly_wherever_they_are() {
    let variation = |id: u64, sku: &str, manage: Value| json!({"id": id, "parent_id": 12, "type": "variation", "name": "V", "sku": sku, "manage_stock": manage, "stock_quantity": 4});
    let server = Server::with([
        ok(&json!([
            shown(7, 5, "x"),
            {"id": 8, "name": "other case", "sku": "a-7", "type": "simple", "manage_stock": true, "stock_quantity": 1},
            variation(34, "V-1", json!(true)),
            variation(35, "V-2", json!("parent")),
            variation(36, "V-3", json!(false)),
            {"id": 50, "name": "One", "sku": "TWICE", "manage_stock": true, "stock_quantity": 1},
            {"id": 51, "name": "Two", "sku": "TWICE", "manage_stock": true, "stock_quantity": 1},
        ])),
        ok(&json!([{"id": 60, "name": "Tin", "sku": "T", "global_unique_id": "4006381333931", "type": "simple", "manage_stock": true, "stock_quantity": 2}])),
    ])
    .await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |settings| settings.match_by = MatchBy::SkuThenBarcode);
    let skus = ["A-7", "V-1", "V-2", "V-3", "TWICE", "4006381333931", "NONE"].map(Sku::from);
    let found = shop.look_up(&skus).await.unwrap();
    let place = |found: &Found| match found {
        Found::Target { target, on_hand, .. } => format!("{}={}", target.parts[0].item, on_hand[0]),
        Found::Unknown => "unknown".to_owned(),
        Found::Ambiguous { candidates } => format!("{} of them", candidates.len()),
        Found::Unusable { reason } => reason.split(':').next().unwrap().to_owned(),
    };
    let places: Vec<String> = found.iter().map(place).collect();
    assert_eq!(
        places,
        ["7=5", "12/34=4", "12=4", "`V` (product 36) keeps no stock number", "2 of them", "60=2", "unknown"]
    );
    let received = server.received();
    assert_eq!(query_of(&received[0], "sku").as_deref(), Some("A-7,V-1,V-2,V-3,TWICE,4006381333931,NONE"));
    assert_eq!(query_of(&received[1], "global_unique_id").as_deref(), Some("4006381333931,NONE"));
}

#[tokio::test]
async fn all_numbers_are_read_page_by_page_also_where_variations_have_no_list_of_their_own() {
    let variation = json!({"id": 34, "type": "variation", "sku": "V-1", "manage_stock": true, "stock_quantity": 4});
    let server = Server::start(move |request| match path_of(request) {
        "/shop/wp-json/wc/v3/variations" => no_route(),
        "/shop/wp-json/wc/v3/products/12/variations" => {
            Canned::Reply(200, "x-wp-totalpages: 1\r\n", json!([variation]).to_string())
        }
        _ => {
            let first = query_of(request, "page").as_deref() == Some("1");
            let rows = if first {
                json!([shown(7, 5, "x"), {"id": 12, "type": "variable", "sku": "V", "manage_stock": false}])
            } else {
                json!([shown(8, 6, "x")])
            };
            Canned::Reply(200, "x-wp-totalpages: 2\r\n", rows.to_string())
        }
    })
    .await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |_| {});
    let (mut page, mut levels): (Option<String>, Vec<Level>) = (None, Vec::new());
    loop {
        let read = shop.levels(page).await.unwrap();
        levels.extend(read.levels);
        page = read.next;
        if page.is_none() {
            break;
        }
    }
    let found: Vec<(&str, &str, i64)> =
        levels.iter().map(|level| (level.item.as_str(), level.sku.as_str(), level.number)).collect();
    assert_eq!(found, [("7", "A-7", 5), ("12/34", "V-1", 4), ("8", "A-8", 6)]);
}

#[tokio::test]
async fn orders_are_asked_for_in_utc_and_variations_find_who_keeps_their_stock() {
    let line = |id: u64, product: u64, variation: u64, taken: &str| json!({"id": id, "product_id": product, "variation_id": variation, "quantity": 2, "meta_data": [{"key": "_reduced_stock", "value": taken}]});
    let order = json!({"id": 5, "number": "1005", "status": "processing", "date_modified_gmt": "2026-11-23T09:59:00", "line_items": [line(1, 7, 0, "2"), line(2, 12, 34, "1")]});
    let server = Server::with([
        Canned::Reply(200, "x-wp-totalpages: 1\r\n", json!([order]).to_string()),
        ok(&json!([{"id": 34, "parent_id": 12, "type": "variation", "manage_stock": "parent", "stock_quantity": 20}])),
    ])
    .await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |_| {});
    let since = OrdersSince { changed_after: Some(super::server::NOW), page: None };
    let page = shop.orders(since).unwrap().await.unwrap();
    let lines: Vec<(&str, i64)> = page.orders[0].lines.iter().map(|line| (line.item.as_str(), line.open)).collect();
    assert_eq!((lines, page.next), (vec![("7", 2), ("12", 1)], None));
    let received = server.received();
    assert_eq!(query_of(&received[0], "modified_after").as_deref(), Some("2026-11-23T09:59:59"));
    assert_eq!(query_of(&received[0], "dates_are_gmt").as_deref(), Some("true"));
    assert!(!query_of(&received[0], "_fields").unwrap().contains("billing"));
}

#[tokio::test]
async fn prices_go_to_the_variation_itself_with_a_point() {
    let server = Server::with([
        ok(&json!([{"id": 34, "parent_id": 12, "type": "variation", "name": "V", "sku": "V-1", "manage_stock": "parent", "stock_quantity": 4}])),
        ok(&json!({"update": [{"id": 34, "regular_price": "7.5"}]})),
    ])
    .await;
    let kept = Kept::new();
    let prices = kept.shop(&server, |settings| settings.prices = true).prices().unwrap();
    let found = prices.look_up(&[Sku::from("V-1")]).await.unwrap();
    let Found::Target { target, .. } = &found[0] else { panic!("{found:?}") };
    let mut priced = change("12/34", 0);
    priced.target = Some(Arc::new(target.clone()));
    priced.delta = Quantity::from_micros(7_500_000);
    let key = IdempotencyKey::from("key-1");
    let answer = prices.send(&key, prices.encode(&key, &[priced]).into()).await;
    assert_eq!(answer, Answer::Applied { reference: None });
    assert_eq!(server.received()[1].json(), json!({"update": [{"id": 34, "regular_price": "7.50"}]}));
}

#[tokio::test]
async fn a_changed_secret_is_read_again_after_a_refusal() {
    let refused = json!({"code": "woocommerce_rest_authentication_error", "message": "m", "data": {"status": 401}});
    let taken = json!({"update": [shown(7, 5, "key-1")]});
    let server = Server::start(move |request| match request.header("authorization") {
        Some("Basic Y2tfdGVzdDpjc190ZXN0") => ok(&taken),
        _ => Canned::Reply(401, "", refused.to_string()),
    })
    .await;
    let kept = Kept::new();
    let shop = kept.shop(&server, |_| {});
    kept.secret("secret", "cs_old");
    let answer = push(&shop, &[change("7", -1)]).await;
    assert!(matches!(answer, Answer::LaneRefused { cause: LaneRefusal::Unauthorised, .. }), "{answer:?}");
    kept.secret("secret", "cs_test");
    assert_eq!(push(&shop, &[change("7", -1)]).await, Answer::Applied { reference: None });
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_site_without_the_api_says_what_to_do() {
    let server = Server::with([Canned::Reply(404, "", "<html>Page not found</html>".to_owned())]).await;
    let kept = Kept::new();
    let failure = kept.shop(&server, |_| {}).probe().await.unwrap_err();
    assert!(
        matches!(&failure, CallFailure::LaneRefused { detail, .. } if detail.contains("Permalinks")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_check_names_what_is_missing() {
    let server = Server::start(|request| match path_of(request) {
        "/shop/wp-json/" => ok(&json!({"name": "Shop", "namespaces": ["wc/v3"]})),
        "/shop/wp-json/wc/v3/products" => {
            ok(&json!([shown(7, 5, "x"), {"id": 8, "sku": "B", "type": "simple", "manage_stock": false}]))
        }
        "/shop/wp-json/wc/v3/products/batch" => ok(&json!([])),
        "/shop/wp-json/wc/v3/orders" => Canned::Reply(
            403,
            "",
            json!({"code": "woocommerce_rest_cannot_view", "message": "m", "data": {"status": 403}}).to_string(),
        ),
        "/shop/wp-json/wc/v3/system_status" => ok(&json!({"environment": {"version": "11.0.1"}})),
        "/shop/wp-json/tillsync/v1/info" => no_route(),
        "/shop/wp-json/wc/v3/settings/products/woocommerce_manage_stock" => ok(&json!({"value": "no"})),
        other => panic!("not expected: {other}"),
    })
    .await;
    let kept = Kept::new();
    let report = kept.shop(&server, |settings| settings.plugin = PluginUse::Required).probe().await.unwrap();
    let facts: Vec<&str> = report.facts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(facts, ["shop", "key", "woocommerce", "plugin", "products looked at", "without stock management"]);
    assert_eq!(report.faults.len(), 3, "{:?}", report.faults);
}
