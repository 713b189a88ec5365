//! Finding articles and reading numbers back.

use tillsync::platform::shopify::MatchBy;
use tillsync::platform::{Found, ReadBack};

use super::*;

/// One variant of a look-up reply.
fn variant(number: u32, sku: &str) -> Value {
    json!({
        "id": format!("gid://shopify/ProductVariant/{number}"), "sku": sku, "barcode": null, "title": "Default Title",
        "requiresComponents": false, "product": {"title": format!("Product {number}")},
        "inventoryItem": {"id": item(number), "tracked": true,
            "inventoryLevel": {"isActive": true, "quantities": [{"name": "on_hand", "quantity": number}]}},
    })
}

fn with(mut variant: Value, pointer: &str, value: Value) -> Value {
    *variant.pointer_mut(pointer).unwrap() = value;
    variant
}

fn hits(nodes: &[Value], next: Option<&str>) -> Canned {
    let page = json!({"nodes": nodes, "pageInfo": {"hasNextPage": next.is_some(), "endCursor": next}});
    Canned::ok(json!({"data": {"productVariants": page}}).to_string())
}

fn one_part(number: u32) -> Found {
    Found::Target {
        target: Target { parts: vec![TargetPart { item: item(number), per: 1 }] },
        on_hand: vec![i64::from(number)],
        title: format!("Product {number}"),
    }
}

fn skus(texts: &[&str]) -> Vec<Sku> {
    texts.iter().map(|text| Sku::from(*text)).collect()
}

#[tokio::test]
async fn a_look_up_reads_all_pages_and_compares_exactly() {
    let server = Server::with([
        hits(&[variant(1, "TEA-1"), variant(2, "TEA-10"), variant(3, "tea-2")], Some("next")),
        hits(&[variant(4, "DUP"), variant(5, "DUP"), variant(6, "TEA-3")], None),
    ])
    .await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.settings(&server), http(), clock());
    let found = shop.look_up(&skus(&["TEA-3", "TEA-1", "TEA-2", "DUP"])).await.unwrap();
    assert_eq!(found[0], one_part(6));
    assert_eq!(found[1], one_part(1));
    assert_eq!(found[2], Found::Unknown);
    assert!(matches!(&found[3], Found::Ambiguous { candidates } if candidates.len() == 2));
    let variables = server.received()[1].json()["variables"].clone();
    assert_eq!(variables["after"], "next");
    assert_eq!(variables["query"], "sku:'TEA-3' OR sku:'TEA-1' OR sku:'TEA-2' OR sku:'DUP'");
    assert_eq!(variables["location"], LOCATION);
}

#[tokio::test]
async fn many_skus_are_asked_for_in_several_queries_and_answered_in_order() {
    let server = Server::start(|request| {
        let query = request.json()["variables"]["query"].as_str().unwrap().to_owned();
        let nodes: Vec<Value> =
            (0..100).filter(|n| query.contains(&format!("'S{n}'"))).map(|n| variant(n, &format!("S{n}"))).collect();
        hits(&nodes, None)
    })
    .await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.settings(&server), http(), clock());
    let wanted: Vec<Sku> = (0..100).map(|n| Sku::new(format!("S{n}"))).collect();
    let found = shop.look_up(&wanted).await.unwrap();
    assert_eq!(found, (0..100).map(one_part).collect::<Vec<_>>());
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn an_article_that_cannot_hold_stock_says_what_to_do() {
    let server = Server::with([hits(
        &[
            with(variant(1, "LOOSE"), "/inventoryItem/tracked", json!(false)),
            with(variant(2, "ELSEWHERE"), "/inventoryItem/inventoryLevel", Value::Null),
            with(variant(3, "OFF"), "/inventoryItem/inventoryLevel/isActive", json!(false)),
        ],
        None,
    )])
    .await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.settings(&server), http(), clock());
    let found = shop.look_up(&skus(&["LOOSE", "ELSEWHERE", "OFF"])).await.unwrap();
    for (found, expected) in found.iter().zip(["track quantity", "not stocked", "not stocked"]) {
        assert!(matches!(found, Found::Unusable { reason } if reason.contains(expected)), "{found:?}");
    }
}

#[tokio::test]
async fn an_article_is_stocked_at_the_location_if_that_is_wished() {
    let level = json!({"isActive": true, "quantities": [{"name": "on_hand", "quantity": 1}]});
    let server = Server::with([
        hits(&[with(variant(1, "A"), "/inventoryItem/inventoryLevel", Value::Null)], None),
        Canned::ok(json!({"data": {"inventoryActivate": {"inventoryLevel": level, "userErrors": []}}}).to_string()),
        hits(&[with(variant(1, "A"), "/inventoryItem/inventoryLevel", Value::Null)], None),
        Canned::ok(r#"{"data":{"inventoryActivate":{"inventoryLevel":null,"userErrors":[{"field":null,"message":"no room"}]}}}"#),
    ])
    .await;
    let kept = Kept::new();
    let settings = ShopifySettings { activate_missing: true, ..kept.settings(&server) };
    let shop = Shopify::new(settings, http(), clock());
    assert_eq!(shop.look_up(&skus(&["A"])).await.unwrap(), [one_part(1)]);
    assert_eq!(server.received()[1].json()["variables"]["item"], item(1));
    let found = shop.look_up(&skus(&["A"])).await.unwrap();
    assert!(matches!(&found[0], Found::Unusable { reason } if reason.contains("no room")), "{found:?}");
}

#[tokio::test]
async fn a_bundle_is_its_components() {
    let component = |quantity: u32, variant: Value| json!({"quantity": quantity, "productVariant": variant});
    let components = json!([
        component(2, variant(8, "MUG")),
        component(1, variant(7, "TEA")),
        component(1, variant(8, "MUG")),
        component(1, with(variant(9, "CARD"), "/inventoryItem/tracked", json!(false))),
    ]);
    let page = json!({"nodes": components, "pageInfo": {"hasNextPage": false, "endCursor": null}});
    let server = Server::with([
        hits(&[with(variant(1, "SET"), "/requiresComponents", json!(true))], None),
        Canned::ok(json!({"data": {"nodes": [{"id": "x", "productVariantComponents": page}]}}).to_string()),
    ])
    .await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.settings(&server), http(), clock());
    let parts = vec![TargetPart { item: item(7), per: 1 }, TargetPart { item: item(8), per: 3 }];
    let target = Target { parts };
    let expected = Found::Target { target, on_hand: vec![7, 8], title: "Product 1".to_owned() };
    assert_eq!(shop.look_up(&skus(&["SET"])).await.unwrap(), [expected]);
}

#[tokio::test]
async fn a_search_without_end_is_given_up_for_that_sku_only() {
    let server = Server::start(|request| {
        let query = request.json()["variables"]["query"].as_str().unwrap().to_owned();
        if query.contains("'1'") { hits(&[variant(1, "10")], Some("more")) } else { hits(&[variant(2, "B")], None) }
    })
    .await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.settings(&server), http(), clock());
    let found = shop.look_up(&skus(&["1", "B"])).await.unwrap();
    assert!(matches!(&found[0], Found::Unusable { reason } if reason.contains("`1`")), "{found:?}");
    assert_eq!(found[1], one_part(2));
}

#[tokio::test]
async fn a_barcode_is_searched_as_one() {
    let server = Server::with([hits(&[with(variant(1, "A"), "/barcode", json!("4006381333931"))], None)]).await;
    let kept = Kept::new();
    let settings = ShopifySettings { match_by: MatchBy::SkuThenBarcode, ..kept.settings(&server) };
    let shop = Shopify::new(settings, http(), clock());
    assert_eq!(shop.look_up(&skus(&["4006381333931"])).await.unwrap(), [one_part(1)]);
    let query = server.received()[0].json()["variables"]["query"].clone();
    assert_eq!(query, "sku:'4006381333931' OR barcode:'4006381333931'");
}

#[tokio::test]
async fn numbers_are_read_back_in_order_with_gaps() {
    let level = |n: i64| json!({"isActive": false, "quantities": [{"name": "on_hand", "quantity": n}]});
    let server = Server::start(move |request| {
        let ids = request.json()["variables"]["ids"].as_array().unwrap().clone();
        let nodes: Vec<Value> = ids
            .iter()
            .map(|id| match id.as_str().unwrap().rsplit('/').next().unwrap().parse::<i64>().unwrap() {
                3 => Value::Null,
                4 => json!({"id": id, "inventoryLevel": null}),
                5 => json!({}),
                n => json!({"id": id, "inventoryLevel": level(-n)}),
            })
            .collect();
        Canned::ok(json!({"data": {"nodes": nodes}}).to_string())
    })
    .await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.settings(&server), http(), clock());
    let items: Vec<String> = (1..=250).map(item).collect();
    let question = ReadBack { items, sent: None };
    let numbers: Vec<Option<i64>> =
        shop.read_back(&question).await.unwrap().into_iter().map(|seen| seen.number).collect();
    let expected: Vec<Option<i64>> = (1..=250).map(|n| if (3..=5).contains(&n) { None } else { Some(-n) }).collect();
    assert_eq!(numbers, expected);
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_throttled_read_is_asked_again_and_then_left_to_the_caller() {
    let throttled = || {
        Canned::ok(
            r#"{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":12,
            "throttleStatus":{"maximumAvailable":1000.0,"currentlyAvailable":2,"restoreRate":200.0}}}}"#,
        )
    };
    let server = Server::with([throttled(), hits(&[variant(1, "A")], None)]).await;
    let kept = Kept::new();
    let start = tokio::time::Instant::now();
    let clock = Arc::new(move || super::super::server::NOW.plus(start.elapsed()));
    let shop = Shopify::new(kept.settings(&server), http(), clock);
    assert_eq!(shop.look_up(&skus(&["A"])).await.unwrap(), [one_part(1)]);
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(50), "{waited:?}");
    let answered = Server::with([throttled()]).await;
    let shop = Shopify::new(kept.settings(&answered), http(), super::super::server::clock());
    assert!(matches!(push(&shop).await, Answer::Throttled { wait: Some(_) }));
}
