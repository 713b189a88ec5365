//! The Vendure connector against a real Vendure.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sync_core::model::{EntryId, IdempotencyKey, Quantity, Sku};
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRemedy};
use tillsync::platform::vendure::{Location, MatchBy, Vendure, VendureSettings};
use tillsync::platform::{CallFailure, Change, Found, OrdersSince, Platform, ReadBack, Sent, Target, TargetPart};
use tillsync::secret::SecretRef;

use super::relay::Relay;
use super::ring_up::{found, levels, one_part, orders, ring_up, shown, units, write, write_as};
use super::vendure_shop::{PERMISSIONS, Stock, VendureShop};
use super::web::{clock, http, now, unique};

fn connect(settings: VendureSettings) -> Vendure {
    Vendure::new(settings, http(), clock())
}

const fn stock(on_hand: i64, allocated: i64) -> Stock {
    Stock { on_hand, allocated }
}

#[tokio::test]
async fn an_article_is_found_by_its_sku_or_custom_field_if_only_one_has_it() {
    let Some(shop) = VendureShop::open().await else { return };
    let vendure = connect(shop.settings());
    let shirt = shop.stocked(10).await;
    assert_eq!(one_part(&found(&vendure, &shirt.sku).await), (shirt.variant.clone(), 1, 10));
    assert_eq!(found(&vendure, &shirt.sku.to_lowercase()).await, Found::Unknown, "letter case counts");
    assert_eq!(found(&vendure, "no \"such\" thing").await, Found::Unknown);
    shop.article(1, json!({"sku": shirt.sku})).await;
    let Found::Ambiguous { candidates } = found(&vendure, &shirt.sku).await else { panic!("two have it") };
    assert_eq!(candidates.len(), 2, "Vendure does not keep SKUs unique");
    let uncounted = shop.article(1, json!({"trackInventory": "FALSE"})).await;
    assert!(matches!(found(&vendure, &uncounted.sku).await, Found::Unusable { .. }));
    let inherits = shop.article(4, json!({"trackInventory": "INHERIT"})).await;
    assert_eq!(one_part(&found(&vendure, &inherits.sku).await).2, 4);
    let ean = unique("EAN");
    let hat = shop.article(7, json!({"customFields": {"ean": ean}})).await;
    for match_by in [MatchBy::Barcode("ean".to_owned()), MatchBy::SkuThenBarcode("ean".to_owned())] {
        let by_barcode = connect(VendureSettings { match_by, ..shop.settings() });
        assert_eq!(one_part(&found(&by_barcode, &ean).await), (hat.variant.clone(), 1, 7));
    }
    let typo = connect(VendureSettings { match_by: MatchBy::Barcode("eann".to_owned()), ..shop.settings() });
    let refused = typo.look_up(&[Sku::from("x")]).await.unwrap_err();
    assert!(matches!(refused, CallFailure::LaneRefused { cause: LaneRefusal::Misconfigured, .. }), "{refused:?}");
}

#[tokio::test]
async fn a_number_is_written_only_if_it_is_still_the_one_that_was_read() {
    let Some(shop) = VendureShop::open().await else { return };
    let vendure = connect(shop.settings());
    let shirt = shop.stocked(10).await;
    assert_eq!(ring_up(&vendure, &shirt.variant, -2).await, 0);
    assert_eq!(ring_up(&vendure, &shirt.variant, 1).await, 0);
    assert_eq!(shop.stock(&shirt.variant).await, stock(9, 0));
    shop.set(&shirt.variant, 7).await;
    assert_eq!(write(&vendure, &shirt.variant, 9, 8).await, Answer::Stale);
    assert_eq!(shop.stock(&shirt.variant).await, stock(7, 0), "nothing was written");
    assert_eq!(write(&vendure, &shirt.variant, 7, -1).await, Answer::Applied { reference: None });
    assert_eq!(shop.stock(&shirt.variant).await, stock(-1, 0), "Vendure takes numbers below zero");
    let Answer::RowsRefused { rows } = write(&vendure, "999999", 1, 0).await else { panic!("it is not there") };
    assert_eq!((rows[0].item.as_str(), rows[0].remedy), ("999999", RowRemedy::LookUpAgain));
    assert_eq!(shown(&vendure, "999999").await, None);
}

#[tokio::test]
async fn the_log_tells_what_became_of_a_write_whose_reply_was_lost() {
    let Some(shop) = VendureShop::open().await else { return };
    let relay = Relay::before(&shop.base, "updateProductVariants(input:$input)").await;
    let url = format!("{}/admin-api", relay.base).parse().unwrap();
    let vendure = connect(VendureSettings { url, ..shop.settings() });
    let shirt = shop.stocked(10).await;
    let key = IdempotencyKey::new(unique("key"));
    relay.lose_a_reply();
    let answer = write_as(&vendure, &key, &shirt.variant, 10, 8).await;
    assert!(matches!(answer, Answer::Unknown { .. }), "{answer:?}");
    assert!(relay.has_lost_it());
    // Somebody receives goods: the number alone would tell nothing.
    let deadline = now().plus(Duration::from_secs(10));
    while shop.stock(&shirt.variant).await != stock(8, 0) && now() < deadline {
        tokio::task::yield_now().await;
    }
    shop.set(&shirt.variant, 20).await;
    let asked = |key: &IdempotencyKey| ReadBack {
        items: vec![shirt.variant.clone()],
        sent: Some(Sent { key: key.clone(), frozen_at: now(), changes: vec![-2] }),
    };
    let seen = vendure.read_back(&asked(&key)).await.unwrap();
    assert_eq!((seen[0].number, seen[0].evidence), (Some(20), Evidence::Applied));
    let other = vendure.read_back(&asked(&IdempotencyKey::new("of another life"))).await.unwrap();
    assert_eq!(other[0].evidence, Evidence::Silent);
}

#[tokio::test]
async fn the_numbers_of_the_location_are_read_page_by_page() {
    let Some(shop) = VendureShop::open().await else { return };
    let vendure = connect(VendureSettings { location: Some(Location::parse(&shop.location)), ..shop.settings() });
    let (shirt, hat) = (shop.stocked(10).await, shop.stocked(0).await);
    let all = levels(&vendure).await;
    let of = |variant: &str| {
        let ours = all.iter().filter(|level| level.item == variant);
        ours.map(|level| (level.sku.as_str(), level.number)).collect::<Vec<_>>()
    };
    assert_eq!(of(&shirt.variant), [(shirt.sku.as_str(), 10)]);
    assert_eq!(of(&hat.variant), [(hat.sku.as_str(), 0)]);
}

#[tokio::test]
async fn an_online_order_is_open_until_it_is_fulfilled_although_its_time_of_change_does_not_move() {
    let Some(shop) = VendureShop::open().await else { return };
    let vendure = connect(shop.settings());
    let shirt = shop.stocked(10).await;
    let order = shop.buy(&shirt.variant, 3).await.unwrap();
    let read = |since: OrdersSince| async { units(&orders(&vendure, since).await, &order, &shirt.variant) };
    assert_eq!(read(OrdersSince::default()).await, [(3, 0)]);
    // The clock of changes has gone on since.
    let later = || OrdersSince { changed_after: Some(now().plus(Duration::from_secs(60))), page: None };
    let first = shop.fulfil(&order, 1).await.unwrap();
    assert_eq!(shop.stock(&shirt.variant).await, stock(9, 2));
    assert_eq!(read(later()).await, [(2, 1)]);
    ring_up(&vendure, &shirt.variant, -4).await;
    assert_eq!(shop.stock(&shirt.variant).await, stock(5, 2), "a sale at the till leaves what is promised");
    let second = shop.fulfil(&order, 2).await.unwrap();
    for fulfilment in [first, second] {
        shop.ship(&fulfilment).await;
    }
    assert_eq!(read(later()).await, [(0, 3)], "it was open, so it is asked for although nothing says that it changed");
    let restarted = connect(shop.settings());
    let read = units(&orders(&restarted, later()).await, &order, &shirt.variant);
    assert_eq!(read, [(0, 3)], "a new process asks for orders that were sent of late");
}

#[tokio::test]
async fn a_cancelled_order_holds_nothing() {
    let Some(shop) = VendureShop::open().await else { return };
    let vendure = connect(shop.settings());
    let shirt = shop.stocked(10).await;
    let order = shop.buy(&shirt.variant, 3).await.unwrap();
    let cancel = "mutation($o:ID!){cancelOrder(input:{orderId:$o}){__typename}}";
    assert_eq!(units(&orders(&vendure, OrdersSince::default()).await, &order, &shirt.variant), [(3, 0)]);
    shop.admin(cancel, json!({"o": order})).await;
    assert_eq!(units(&orders(&vendure, OrdersSince::default()).await, &order, &shirt.variant), [(0, 0)]);
    assert_eq!(shop.stock(&shirt.variant).await, stock(10, 0));
}

fn value(item: &str, micros: i64) -> Change {
    Change {
        entry: EntryId(1),
        sku: Sku::from("any"),
        target: Some(Arc::new(Target { parts: vec![TargetPart { item: item.to_owned(), per: 1 }] })),
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
async fn prices_and_what_may_be_sold_before_it_is_there_are_told_without_touching_stock() {
    let Some(shop) = VendureShop::open().await else { return };
    let settings = VendureSettings { prices: true, backorder_while_incoming: true, ..shop.settings() };
    let vendure = connect(settings.clone());
    let shirt = shop.stocked(5).await;
    let (prices, incoming) = (vendure.prices().unwrap(), vendure.incoming().unwrap());
    let item = one_part(&found(&*prices, &shirt.sku).await).0;
    let read = || async {
        let query = "query($v:ID!){productVariant(id:$v){price outOfStockThreshold useGlobalOutOfStockThreshold}}";
        shop.admin(query, json!({"v": shirt.variant})).await["productVariant"].clone()
    };
    let shows = |price: i64, threshold: i64, global: bool| -> Value {
        json!({"price": price, "outOfStockThreshold": threshold, "useGlobalOutOfStockThreshold": global})
    };
    assert_eq!(tell(&*prices, &item, 7_250_000).await, Answer::Applied { reference: None });
    assert_eq!(read().await, shows(725, 0, true));
    assert_eq!(tell(&*incoming, &item, 24_000_000).await, Answer::Applied { reference: None });
    assert_eq!(read().await, shows(725, -24, false));
    assert_eq!(tell(&*incoming, &item, 0).await, Answer::Applied { reference: None });
    assert_eq!(read().await, shows(725, 0, true));
    let in_currency = connect(VendureSettings { currency: Some("USD".to_owned()), ..settings });
    assert_eq!(tell(&*in_currency.prices().unwrap(), &item, 8_000_000).await, Answer::Applied { reference: None });
    assert_eq!(read().await, shows(800, 0, true));
    assert_eq!(shop.stock(&shirt.variant).await, stock(5, 0));
    assert!(matches!(tell(&*prices, "999999", 1_000_000).await, Answer::RowsRefused { .. }));
}

#[tokio::test]
async fn a_probe_names_what_the_role_lacks_and_what_it_does_not_need() {
    let Some(shop) = VendureShop::open().await else { return };
    let report = connect(shop.settings()).probe().await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert!(report.facts.iter().any(|(name, _)| name == "location"));
    let folder = tempfile::tempdir().unwrap();
    let with = |key: String| {
        let path = folder.path().join(unique("key"));
        std::fs::write(&path, key).unwrap();
        connect(VendureSettings { key: SecretRef::File(path), ..shop.settings() })
    };
    for lacking in PERMISSIONS {
        let others: Vec<&str> = PERMISSIONS.into_iter().filter(|permission| *permission != lacking).collect();
        let report = with(shop.new_key(&others).await).probe().await.unwrap();
        assert!(report.faults.iter().any(|fault| fault.contains(lacking)), "{lacking}: {:?}", report.faults);
    }
    let all: Vec<&str> = PERMISSIONS.into_iter().chain(["ReadCustomer"]).collect();
    let report = with(shop.new_key(&all).await).probe().await.unwrap();
    assert!(report.facts.contains(&("rights not needed".to_owned(), "customers".to_owned())), "{:?}", report.facts);
    let refused = with("1234:5678".to_owned()).probe().await.unwrap_err();
    assert!(matches!(refused, CallFailure::LaneRefused { cause: LaneRefusal::Unauthorised, .. }), "{refused:?}");
    let nowhere = VendureSettings { location: Some(Location::parse("No such store")), ..shop.settings() };
    let refused = connect(nowhere).probe().await.unwrap_err();
    assert!(matches!(refused, CallFailure::LaneRefused { cause: LaneRefusal::Misconfigured, .. }), "{refused:?}");
}

/// How many were sold, and why others were not.
fn count(bought: &[Result<String, String>]) -> (i64, String) {
    let mut reasons: Vec<&str> = bought.iter().filter_map(|result| result.as_ref().err()).map(String::as_str).collect();
    let sold = bought.len() - reasons.len();
    reasons.dedup();
    (i64::try_from(sold).unwrap(), reasons.join("; "))
}

/// Shoppers of one article at the same moment, while the till sells the same article.
#[tokio::test]
async fn shoppers_and_the_till_lose_no_sale_of_the_till() {
    const ON_SHELF: i64 = 10;
    const AT_THE_TILL: i64 = 3;
    let Some(shop) = VendureShop::open().await else { return };
    let vendure = connect(shop.settings());
    let alone = shop.stocked(ON_SHELF).await;
    let (before, _) = count(&join_all((0..20).map(|_| shop.buy(&alone.variant, 1))).await);
    let shirt = shop.stocked(ON_SHELF).await;
    let till = async {
        for _ in 0..AT_THE_TILL {
            ring_up(&vendure, &shirt.variant, -1).await;
        }
    };
    let (bought, ()) = tokio::join!(join_all((0..20).map(|_| shop.buy(&shirt.variant, 1))), till);
    let (sold, refused) = count(&bought);
    let after = shop.stock(&shirt.variant).await;
    // Once more alone: how close together shoppers come differs from run to run.
    let alone = shop.stocked(ON_SHELF).await;
    let (again, alone_refused) = count(&join_all((0..20).map(|_| shop.buy(&alone.variant, 1))).await);
    let alone_sold = before.max(again);
    eprintln!(
        "vendure: 20 shoppers for {ON_SHELF} pieces and nobody else: {alone_sold} sold, {} oversold by the shop itself ({alone_refused}); with {AT_THE_TILL} sold at the till: {sold} sold, {} oversold ({refused}); {after:?}",
        (alone_sold - ON_SHELF).max(0),
        (sold + AT_THE_TILL - ON_SHELF).max(0),
    );
    assert_eq!(after.on_hand, ON_SHELF - AT_THE_TILL, "orders do not move it, and no sale of the till is lost");
}

/// Staff fulfils orders while the till sells: both lower the same number, and Vendure has no compare-and-set.
#[tokio::test]
async fn fulfilments_that_meet_our_writes_are_put_right() {
    const ROUNDS: i64 = 6;
    const ORDERS: i64 = 4;
    const SALES: i64 = 6;
    let Some(shop) = VendureShop::open().await else { return };
    let vendure = connect(shop.settings());
    let (mut lost, mut by_the_shop, mut stale, mut fulfilments, mut put_right) = (0, 0, 0, 0, 0);
    for _ in 0..ROUNDS {
        let shirt = shop.stocked(50).await;
        let mut placed = Vec::new();
        for _ in 0..ORDERS {
            placed.push(shop.buy(&shirt.variant, 1).await.unwrap());
        }
        let staff = async {
            let mut done = 0;
            for order in &placed {
                done += i64::from(shop.fulfil(order, 1).await.is_some());
            }
            done
        };
        let till = async {
            let mut tries = 0;
            for _ in 0..SALES {
                tries += ring_up(&vendure, &shirt.variant, -1).await;
            }
            tries
        };
        let (fulfilled, tries) = tokio::join!(staff, till);
        (stale, fulfilments) = (stale + tries, fulfilments + fulfilled);
        let (after, (logged, adjustments)) = (shop.stock(&shirt.variant).await, shop.logged(&shirt.variant).await);
        // One for what it began with, one for each sale.
        put_right += (adjustments - 1 - SALES).max(0);
        lost += (after.on_hand - (50 - SALES - fulfilled)).abs();
        by_the_shop += (after.on_hand - logged).abs();
    }
    eprintln!(
        "vendure: {fulfilments} fulfilments met {} writes of the till: {stale} writes saw it in time and began again, {put_right} were put right afterwards, {lost} units lost; number and log of the shop differ by {by_the_shop}",
        ROUNDS * SALES
    );
    assert!(lost <= by_the_shop.max(1), "what is lost is lost by the shop itself, after our last look");
}
