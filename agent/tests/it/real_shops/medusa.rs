//! The Medusa connector against a real Medusa.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sync_core::model::{EntryId, IdempotencyKey, Quantity, Sku};
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRemedy};
use tillsync::platform::medusa::{Location, MatchBy, Medusa, MedusaSettings};
use tillsync::platform::{CallFailure, Change, Found, OrdersSince, Platform, Target};
use tillsync::secret::SecretRef;

use super::medusa_shop::{MedusaShop, Stock};
use super::ring_up::{found, levels, one_part, orders, ring_up, shown, units, write};
use super::web::{clock, http, now, unique};

fn connect(settings: MedusaSettings) -> Medusa {
    Medusa::new(settings, http(), clock())
}

const fn stock(stocked: i64, reserved: i64) -> Stock {
    Stock { stocked, reserved, incoming: 0 }
}

#[tokio::test]
async fn an_article_is_found_by_its_sku_or_barcode_and_only_if_it_can_hold_stock_here() {
    let Some(shop) = MedusaShop::open().await else { return };
    let medusa = connect(shop.settings());
    let shirt = shop.stocked(10).await;
    assert_eq!(one_part(&found(&medusa, &shirt.sku).await), (shirt.item.clone(), 1, 10));
    assert_eq!(found(&medusa, &shirt.sku.to_lowercase()).await, Found::Unknown, "letter case counts");
    assert_eq!(found(&medusa, "no such & thing?").await, Found::Unknown);

    let elsewhere = shop.article(json!({})).await;
    let reason = |found: Found| {
        let Found::Unusable { reason } = found else { panic!("it can hold stock") };
        reason
    };
    assert!(reason(found(&medusa, &elsewhere.sku).await).contains("not stocked at the location"));
    let activating = connect(MedusaSettings { activate_missing: true, ..shop.settings() });
    assert_eq!(one_part(&found(&activating, &elsewhere.sku).await), (elsewhere.item.clone(), 1, 0));
    assert_eq!(one_part(&found(&medusa, &elsewhere.sku).await).2, 0, "it is stocked here now");

    let uncounted = shop.article(json!({"manage_inventory": false})).await;
    assert!(reason(found(&medusa, &uncounted.sku).await).contains("does not count its stock"));

    let (ean, upc) = (unique("EAN"), unique("UPC"));
    let first = shop.article(json!({"ean": ean})).await;
    shop.article(json!({"barcode": ean})).await;
    let other = shop.article(json!({"upc": upc})).await;
    let by_barcode = MedusaSettings { match_by: MatchBy::SkuThenBarcode, activate_missing: true, ..shop.settings() };
    let by_barcode = connect(by_barcode);
    assert_eq!(one_part(&found(&by_barcode, &upc).await).0, other.item);
    assert_eq!(one_part(&found(&by_barcode, &first.sku).await).0, first.item);
    let Found::Ambiguous { candidates } = found(&by_barcode, &ean).await else { panic!("two have it") };
    assert_eq!(candidates.len(), 2);
}

#[tokio::test]
async fn a_kit_is_its_parts_each_as_often_as_it_holds_them() {
    let Some(shop) = MedusaShop::open().await else { return };
    let medusa = connect(shop.settings());
    let (bottle, box_of) = (shop.stocked(12).await, shop.stocked(4).await);
    let parts = json!([
        {"inventory_item_id": bottle.item, "required_quantity": 6},
        {"inventory_item_id": box_of.item, "required_quantity": 1},
    ]);
    let kit = shop.article(json!({"inventory_items": parts})).await;
    let Found::Target { target: Target { mut parts }, .. } = found(&medusa, &kit.sku).await else { panic!("no kit") };
    parts.sort_by_key(|part| -part.per);
    let parts: Vec<(&str, i64)> = parts.iter().map(|part| (part.item.as_str(), part.per)).collect();
    assert_eq!(parts, [(bottle.item.as_str(), 6), (box_of.item.as_str(), 1)]);
    let order = shop.buy(&kit.variant, 1).await.unwrap();
    let read = orders(&medusa, OrdersSince::default()).await;
    assert_eq!(units(&read, &order, &bottle.item), [(6, 0)]);
    assert!(shop.fulfil(&order, 1).await);
    let read = orders(&medusa, OrdersSince::default()).await;
    assert_eq!(units(&read, &order, &bottle.item), [(0, 6)]);
    assert_eq!(shop.stock(&bottle.item).await, stock(6, 0));
}

#[tokio::test]
async fn a_number_is_written_only_if_it_is_still_the_one_that_was_read() {
    let Some(shop) = MedusaShop::open().await else { return };
    let medusa = connect(MedusaSettings { location: Location::parse(&shop.location_name), ..shop.settings() });
    let shirt = shop.stocked(10).await;
    assert_eq!(ring_up(&medusa, &shirt.item, -2).await, 0);
    assert_eq!(ring_up(&medusa, &shirt.item, 1).await, 0);
    assert_eq!(shop.stock(&shirt.item).await, stock(9, 0));

    shop.set(&shirt.item, 7).await;
    assert_eq!(write(&medusa, &shirt.item, 9, 8).await, Answer::Stale);
    assert_eq!(shop.stock(&shirt.item).await, stock(7, 0), "nothing was written");
    assert_eq!(write(&medusa, &shirt.item, 7, -1).await, Answer::Applied { reference: None });
    assert_eq!(shop.stock(&shirt.item).await, stock(0, 0), "Medusa knows no number below zero");

    let Answer::RowsRefused { rows } = write(&medusa, "iitem_none", 1, 0).await else { panic!("it is not there") };
    assert_eq!((rows[0].item.as_str(), rows[0].remedy), ("iitem_none", RowRemedy::LookUpAgain));
    assert_eq!(shown(&medusa, "iitem_none").await, None);
    let key = IdempotencyKey::new("k");
    let change = medusa.encode(&key, &[]);
    assert!(matches!(medusa.send(&key, change.into()).await, Answer::NeedsAbsolute { .. }));
}

#[tokio::test]
async fn the_numbers_of_the_location_are_read_page_by_page() {
    let Some(shop) = MedusaShop::open().await else { return };
    let medusa = connect(shop.settings());
    let (shirt, hat, elsewhere) = (shop.stocked(10).await, shop.stocked(0).await, shop.article(json!({})).await);
    let all = levels(&medusa).await;
    let of = |item: &str| {
        all.iter()
            .filter(|level| level.item == item)
            .map(|level| (level.sku.as_str(), level.number))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&shirt.item), [(shirt.sku.as_str(), 10)]);
    assert_eq!(of(&hat.item), [(hat.sku.as_str(), 0)]);
    assert_eq!(of(&elsewhere.item), []);
    assert_eq!(all.len(), 2, "no other location's");
}

#[tokio::test]
async fn an_online_order_is_open_until_it_is_fulfilled_or_cancelled() {
    let Some(shop) = MedusaShop::open().await else { return };
    let medusa = connect(shop.settings());
    let shirt = shop.stocked(10).await;
    let before = now();
    let order = shop.buy(&shirt.variant, 3).await.unwrap();
    let read = || async {
        let recent = OrdersSince { changed_after: Some(before), page: None };
        let (recent, open) = (orders(&medusa, recent).await, orders(&medusa, OrdersSince::default()).await);
        let recent = units(&recent, &order, &shirt.item);
        (recent, units(&open, &order, &shirt.item))
    };
    assert_eq!(read().await, (vec![(3, 0)], vec![(3, 0)]));
    assert_eq!(shop.stock(&shirt.item).await, stock(10, 3), "it lies on the shelf");
    assert!(shop.fulfil(&order, 1).await);
    assert_eq!(read().await, (vec![(2, 1)], vec![(2, 1)]));
    assert_eq!(shop.stock(&shirt.item).await, stock(9, 2));
    // A sale at the till does not touch what is promised.
    ring_up(&medusa, &shirt.item, -4).await;
    assert_eq!(shop.stock(&shirt.item).await, stock(5, 2));
    let found = shop.read(&format!("/admin/orders/{order}?fields=fulfillments.id")).await.good();
    let fulfilment = super::web::text(&found, "/order/fulfillments/0/id");
    shop.admin(&format!("/admin/orders/{order}/fulfillments/{fulfilment}/cancel"), json!({})).await;
    assert_eq!(read().await.0, [(3, 0)]);
    shop.admin(&format!("/admin/orders/{order}/cancel"), json!({})).await;
    assert_eq!(read().await, (vec![(0, 0)], vec![]));
    assert_eq!(shop.stock(&shirt.item).await, stock(6, 0));
}

fn value(item: &str, micros: i64) -> Change {
    let part = tillsync::platform::TargetPart { item: item.to_owned(), per: 1 };
    Change {
        entry: EntryId(1),
        sku: Sku::from("any"),
        target: Some(Arc::new(Target { parts: vec![part] })),
        delta: Quantity::from_micros(micros),
        units: 0,
        on_hand: None,
        transaction: None,
        sold_at: None,
        kind: "value",
    }
}

async fn tell(lane: &dyn Platform, item: &str, micros: i64) -> Answer {
    let key = IdempotencyKey::new(unique("value"));
    lane.send(&key, lane.encode(&key, &[value(item, micros)]).into()).await
}

#[tokio::test]
async fn a_price_is_changed_and_no_other_price_with_it() {
    let Some(shop) = MedusaShop::open().await else { return };
    let settings = MedusaSettings { prices: true, currency: Some("usd".to_owned()), ..shop.settings() };
    let medusa = connect(settings);
    let prices = medusa.prices().unwrap();
    let shirt = shop
        .article(json!({"prices": [
            {"currency_code": "usd", "amount": 5},
            {"currency_code": "eur", "amount": 6.5},
            {"currency_code": "usd", "amount": 4, "min_quantity": 10, "max_quantity": 20},
        ]}))
        .await;
    let sale = json!({
        "title": unique("sale"), "description": "d", "status": "active", "type": "sale",
        "prices": [{"currency_code": "usd", "amount": 3, "variant_id": shirt.variant}],
    });
    let list = super::web::text(&shop.admin("/admin/price-lists", sale).await, "/price_list/id");
    let item = one_part(&found(&*prices, &shirt.sku).await).0;
    assert_eq!(tell(&*prices, &item, 7_250_000).await, Answer::Applied { reference: None });
    assert_eq!(
        tell(&*prices, &item, 7_250_000).await,
        Answer::Applied { reference: None },
        "once more changes nothing"
    );
    let found = shop.read(&format!("/admin/products/{}?fields=*variants.prices", shirt.product)).await.good();
    let mut seen: Vec<String> = found["product"]["variants"][0]["prices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|price| format!("{} {} {}", price["currency_code"], price["amount"], price["min_quantity"]))
        .collect();
    seen.sort();
    assert_eq!(seen, ["\"eur\" 6.5 null", "\"usd\" 4 10", "\"usd\" 7.25 null"]);
    let listed = shop.read(&format!("/admin/price-lists/{list}?fields=*prices")).await.good();
    assert_eq!(listed["price_list"]["prices"][0]["amount"], 3, "{listed}");
    assert!(matches!(tell(&*prices, "prod_x/variant_x", 1_000_000).await, Answer::RowsRefused { .. }));
}

#[tokio::test]
async fn units_on_order_are_told_and_backorders_follow_them() {
    let Some(shop) = MedusaShop::open().await else { return };
    let medusa = connect(MedusaSettings { incoming: true, backorder_while_incoming: true, ..shop.settings() });
    let incoming = medusa.incoming().unwrap();
    let shirt = shop.stocked(3).await;
    let item = one_part(&found(&*incoming, &shirt.sku).await).0;
    let backorders = || async {
        let found =
            shop.read(&format!("/admin/products/{}?fields=variants.allow_backorder", shirt.product)).await.good();
        found["product"]["variants"][0]["allow_backorder"].clone()
    };
    assert_eq!(backorders().await, Value::Bool(false));
    assert_eq!(tell(&*incoming, &item, 24_000_000).await, Answer::Applied { reference: None });
    assert_eq!(shop.stock(&shirt.item).await, Stock { stocked: 3, reserved: 0, incoming: 24 });
    assert_eq!(backorders().await, Value::Bool(true));
    assert_eq!(tell(&*incoming, &item, 0).await, Answer::Applied { reference: None });
    assert_eq!(shop.stock(&shirt.item).await, stock(3, 0));
    assert_eq!(backorders().await, Value::Bool(false));
}

#[tokio::test]
async fn a_probe_says_what_is_there_and_what_is_wrong() {
    let Some(shop) = MedusaShop::open().await else { return };
    let report = connect(shop.settings()).probe().await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    let location = report.facts.iter().find(|(name, _)| name == "location").unwrap();
    assert_eq!(location.1, format!("{} ({})", shop.location_name, shop.location));
    let wrong = MedusaSettings { location: Location::parse("sloc_none"), ..shop.settings() };
    let report = connect(wrong).probe().await.unwrap();
    assert!(report.faults[0].contains(&shop.location_name), "{:?}", report.faults);
    let refused = |settings| async {
        match connect(settings).probe().await {
            Err(CallFailure::LaneRefused { cause, .. }) => cause,
            other => panic!("{other:?}"),
        }
    };
    let nowhere = MedusaSettings { location: Location::parse("No such store"), ..shop.settings() };
    assert_eq!(refused(nowhere).await, LaneRefusal::Misconfigured);
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "sk_wrong").unwrap();
    let stranger = MedusaSettings { key: SecretRef::File(key), ..shop.settings() };
    assert_eq!(refused(stranger).await, LaneRefusal::Unauthorised);
}

/// Shoppers of one article at the same moment, while the till sells the same article.
#[tokio::test]
async fn shoppers_and_the_till_sell_no_piece_twice_that_the_shop_could_know_of() {
    const ON_SHELF: i64 = 10;
    const AT_THE_TILL: i64 = 3;
    let Some(shop) = MedusaShop::open().await else { return };
    let medusa = connect(shop.settings());
    let shirt = shop.stocked(ON_SHELF).await;
    let till = async {
        for _ in 0..AT_THE_TILL {
            ring_up(&medusa, &shirt.item, -1).await;
        }
    };
    let (bought, ()) = tokio::join!(join_all((0..12).map(|_| shop.buy(&shirt.variant, 1))), till);
    let sold = i64::try_from(bought.iter().filter(|result| result.is_ok()).count()).unwrap();
    let after = shop.stock(&shirt.item).await;
    let oversold = (sold + AT_THE_TILL - ON_SHELF).max(0);
    eprintln!("medusa: {sold} sold online and {AT_THE_TILL} at the till of {ON_SHELF}: {oversold} oversold; {after:?}");
    assert_eq!(after.stocked, ON_SHELF - AT_THE_TILL, "orders do not move it, and no sale of the till is lost");
    assert_eq!(after.reserved, sold, "no order is lost");
    // Whoever ordered before the till's number arrived could not know of it: at most what the till sold is oversold.
    assert!(oversold <= AT_THE_TILL, "{bought:?}");
}

/// Staff fulfils orders while the till sells: both lower the same number, and Medusa has no compare-and-set.
#[tokio::test]
async fn fulfilments_that_meet_our_writes_are_counted() {
    const ROUNDS: i64 = 4;
    const ORDERS: i64 = 3;
    let Some(shop) = MedusaShop::open().await else { return };
    let medusa = connect(shop.settings());
    let (mut lost, mut stale) = (0, 0);
    for _ in 0..ROUNDS {
        let shirt = shop.stocked(50).await;
        let bought = join_all((0..ORDERS).map(|_| shop.buy(&shirt.variant, 1))).await;
        let fulfilments = async {
            let mut done = 0;
            for order in bought.iter().flatten() {
                done += i64::from(shop.fulfil(order, 1).await);
            }
            done
        };
        let till = async {
            let mut tries = 0;
            for _ in 0..4 {
                tries += ring_up(&medusa, &shirt.item, -1).await;
            }
            tries
        };
        let (fulfilled, tries) = tokio::join!(fulfilments, till);
        stale += tries;
        let after = shop.stock(&shirt.item).await;
        lost += (after.stocked - (50 - 4 - fulfilled)).abs();
        // What is lost is drift that the fulfilments explain: one comparison with the ledger finds it.
        let due = 50 - 4 - fulfilled;
        if after.stocked != due {
            assert_eq!(write(&medusa, &shirt.item, after.stocked, due).await, Answer::Applied { reference: None });
            assert_eq!(shop.stock(&shirt.item).await.stocked, due);
        }
    }
    eprintln!(
        "medusa: {} fulfilments met {} writes of the till: {stale} writes saw it in time and began again, {lost} units were lost until they were reconciled",
        ROUNDS * ORDERS,
        ROUNDS * 4
    );
    assert!(lost <= ROUNDS * ORDERS, "no more is lost than was fulfilled");
}
