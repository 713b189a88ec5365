//! The connector against the stand-in shop, which checks every request against Shopify's schema where that is at hand.

use std::collections::BTreeMap;

use sync_core::outbox::verdict::RowRemedy;
use system_tests::shop::{NewItem, SchemaChoice, ShopSettings, StandInShop, find_schema};
use tillsync::platform::{Absolute, Found, OnlineOrder, OrdersSince};

use super::*;

const SCOPES: [&str; 7] = [
    "read_products",
    "read_inventory",
    "write_inventory",
    "read_locations",
    "write_products",
    "read_merchant_managed_fulfillment_orders",
    "read_orders",
];

/// The stand-in and the connector.
struct Both {
    standin: StandInShop,
    shop: Shopify,
    _kept: Kept,
}

impl Both {
    async fn open(change: impl FnOnce(&mut ShopifySettings)) -> Self {
        Self::with(ShopSettings::default(), change).await
    }

    async fn with(settings: ShopSettings, change: impl FnOnce(&mut ShopifySettings)) -> Self {
        let schema = if find_schema().is_some() { SchemaChoice::Find } else { SchemaChoice::Off };
        let settings = ShopSettings {
            schema,
            scopes: SCOPES.map(str::to_owned).to_vec(),
            bucket_max: 1_000_000,
            bucket_restore: 100_000,
            ..settings
        };
        let standin = StandInShop::start(settings).await.unwrap();
        let kept = Kept::new();
        let auth = Auth::StaticToken(kept.secret("token", "stand-in-token"));
        let location = Location::parse(&standin.location());
        let mut settings = ShopifySettings::new(standin.url().parse().unwrap(), location, auth);
        change(&mut settings);
        let shop = Shopify::new(settings, http(), clock());
        Self { standin, shop, _kept: kept }
    }

    async fn orders(&self, since: OrdersSince) -> Vec<OnlineOrder> {
        let page = self.shop.orders(since).expect("orders are asked for").await.unwrap();
        assert_eq!(page.next, None);
        page.orders
    }

    /// All numbers, by SKU.
    async fn numbers(&self) -> (BTreeMap<String, i64>, usize) {
        let (mut numbers, mut pages, mut next) = (BTreeMap::new(), 0, None);
        loop {
            let page = self.shop.levels(next).await.unwrap();
            pages += 1;
            for level in page.levels {
                let before = numbers.insert(level.sku.to_string(), level.number);
                assert_eq!(before, None, "{}", level.sku);
            }
            next = page.next;
            if next.is_none() {
                return (numbers, pages);
            }
        }
    }
}

/// What a value is written to, and the value.
async fn write_value(lane: &dyn Platform, sku: &str, micros: i64) -> Answer {
    let found = lane.look_up(&[Sku::from(sku)]).await.unwrap().remove(0);
    let Found::Target { target, .. } = found else { panic!("{found:?}") };
    let value = Change { target: Some(Arc::new(target)), delta: Quantity::from_micros(micros), ..change() };
    let key = IdempotencyKey::from("value-1");
    lane.send(&key, lane.encode(&key, &[value]).into()).await
}

#[tokio::test]
async fn all_numbers_are_paged_and_only_of_what_is_stocked_here() {
    let both = Both::open(|_| {}).await;
    for number in 0..600 {
        both.standin.add_item(NewItem::stocked(&format!("S{number}"), number));
    }
    both.standin.add_item(NewItem { stocked: false, ..NewItem::stocked("ELSEWHERE", 5) });
    both.standin.add_item(NewItem { tracked: false, ..NewItem::stocked("SERVICE", 5) });
    both.standin.add_item(NewItem::stocked("", 5));
    both.standin.place_order("S500", 3).unwrap();
    let (numbers, pages) = both.numbers().await;
    assert_eq!((numbers.len(), pages), (600, 3));
    assert_eq!((numbers["S599"], numbers["S500"]), (599, 500));
    assert_eq!(both.standin.stats().invalid_requests, 0);
}

#[tokio::test]
async fn a_catalogue_deeper_than_one_list_is_read_in_slices() {
    let both = Both::open(|settings| settings.match_by = tillsync::platform::shopify::MatchBy::Barcode).await;
    for number in 0..25_500 {
        let item = NewItem { barcode: Some(format!("B{number}")), ..NewItem::stocked(&format!("S{number}"), number) };
        both.standin.add_item(item);
    }
    let (numbers, pages) = both.numbers().await;
    assert_eq!((numbers.len(), numbers["B25499"], pages), (25_500, 25_499, 128));
    assert_eq!(both.standin.stats().invalid_requests, 0);
}

#[tokio::test]
async fn an_order_is_open_until_it_is_handed_over_and_a_cancelled_one_was_never_shipped() {
    let both = Both::open(|settings| settings.orders = true).await;
    both.standin.add_item(NewItem::stocked("TEA", 20));
    let first = both.standin.place_order("TEA", 5).unwrap();
    let second = both.standin.place_order("TEA", 2).unwrap();
    let seen = |orders: Vec<OnlineOrder>| -> Vec<(String, i64, i64)> {
        orders.into_iter().map(|o| (o.name.clone(), o.lines[0].open, o.lines[0].handed_over)).collect()
    };
    let name = |id: u64| format!("#{}", 1000 + id);
    let open = both.orders(OrdersSince::default()).await;
    assert_eq!(open[0].lines[0].sku, Some(Sku::from("TEA")));
    assert!(open[0].placed_at.is_some());
    assert_eq!(seen(open), [(name(first), 5, 0), (name(second), 2, 0)]);

    assert!(both.standin.fulfil_part(first, 2));
    assert!(both.standin.cancel_order(second));
    assert_eq!(seen(both.orders(OrdersSince::default()).await), [(name(first), 3, 2)]);
    let all = OrdersSince { changed_after: Some(sync_core::model::Timestamp(0)), page: None };
    assert_eq!(seen(both.orders(all.clone()).await), [(name(first), 3, 2), (name(second), 0, 0)]);

    assert!(both.standin.fulfil_order(first));
    assert_eq!(seen(both.orders(all.clone()).await)[0], (name(first), 0, 5));
    assert!(both.standin.cancel_shipment(first));
    assert_eq!(seen(both.orders(all).await)[0], (name(first), 3, 2));
    let later = OrdersSince { changed_after: Some(sync_core::model::Timestamp(4_000_000_000_000_000)), page: None };
    assert_eq!(both.orders(later).await, []);
    assert_eq!(both.standin.stats().invalid_requests, 0);
}

#[tokio::test]
async fn a_price_is_written_to_the_variant_and_a_refused_one_names_its_row() {
    let both = Both::open(|settings| settings.prices = true).await;
    both.standin.add_item(NewItem::stocked("TEA", 20));
    let prices = both.shop.prices().unwrap();
    assert!(matches!(write_value(&*prices, "TEA", 12_500_000).await, Answer::Applied { .. }));
    assert_eq!(both.standin.items()[0].given.price, "12.50");
    let Answer::RowsRefused { rows } = write_value(&*prices, "TEA", -1_000_000).await else { panic!() };
    assert_eq!(rows[0].remedy, RowRemedy::DeadLetter);
    assert!(rows[0].item.contains('@'), "{rows:?}");
    assert_eq!(both.standin.items()[0].given.price, "12.50");
    assert_eq!(both.standin.level("TEA").unwrap().on_hand(), 20);
}

#[tokio::test]
async fn goods_on_order_are_set_however_often_they_are_sent_and_allow_backorders() {
    let both = Both::open(|settings| (settings.incoming, settings.backorder_while_incoming) = (true, true)).await;
    both.standin.add_item(NewItem::stocked("TEA", 20));
    let lane = both.shop.incoming().unwrap();
    for _ in 0..2 {
        let answer = write_value(&*lane, "TEA", 7_000_000).await;
        assert!(matches!(answer, Answer::Applied { .. }), "{answer:?}");
        let level = both.standin.level("TEA").unwrap();
        assert_eq!((level.incoming, level.on_hand()), (7, 20));
        assert!(both.standin.items()[0].given.sells_below_zero);
    }
    both.standin.amend("TEA", |item| item.levels.values_mut().for_each(|level| level.incoming = 9));
    assert!(matches!(write_value(&*lane, "TEA", 0).await, Answer::Applied { .. }));
    assert_eq!(both.standin.level("TEA").unwrap().incoming, 0);
    assert!(!both.standin.items()[0].given.sells_below_zero);
    assert_eq!(both.standin.stats().invalid_requests, 0);
}

#[tokio::test]
async fn a_stale_row_of_a_repair_is_named_and_all_stale_rows_are_one_answer() {
    let both = Both::open(|_| {}).await;
    let items = ["A", "B"].map(|sku| both.standin.add_item(NewItem::stocked(sku, 10)));
    let row =
        |item: &str, expected| Absolute { part: TargetPart { item: item.to_owned(), per: 1 }, on_hand: 4, expected };
    let send = async |rows: &[Absolute], key: &str| {
        let key = IdempotencyKey::from(key);
        both.shop.send(&key, both.shop.encode_absolute(&key, rows).into()).await
    };
    let Answer::RowsRefused { rows } = send(&[row(&items[0], 10), row(&items[1], 9)], "k1").await else { panic!() };
    assert_eq!(
        rows.iter().map(|row| (row.item.clone(), row.remedy)).collect::<Vec<_>>(),
        [(items[1].clone(), RowRemedy::ReadAgain)]
    );
    assert_eq!(both.standin.level("A").unwrap().on_hand(), 10);
    assert_eq!(send(&[row(&items[0], 9), row(&items[1], 9)], "k2").await, Answer::Stale);
    assert!(matches!(send(&[row(&items[0], 10)], "k3").await, Answer::Applied { .. }));
    assert_eq!(both.standin.level("A").unwrap().on_hand(), 4);
}

#[tokio::test]
async fn a_missing_scope_is_named_only_if_it_is_needed() {
    let both = Both::open(|settings| settings.prices = true).await;
    let report = both.shop.probe().await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    let poor = ShopSettings::default();
    let standin = StandInShop::start(ShopSettings { schema: SchemaChoice::Off, ..poor }).await.unwrap();
    let kept = Kept::new();
    let auth = Auth::StaticToken(kept.secret("token", "stand-in-token"));
    let mut settings = ShopifySettings::new(standin.url().parse().unwrap(), Location::parse(&standin.location()), auth);
    settings.orders = true;
    let shop = Shopify::new(settings, http(), clock());
    let faults = shop.probe().await.unwrap().faults.join("\n");
    assert!(
        faults.contains("read_merchant_managed_fulfillment_orders") && !faults.contains("write_products"),
        "{faults}"
    );
    let refused = shop.orders(OrdersSince::default()).unwrap().await.unwrap_err();
    assert!(matches!(refused, CallFailure::LaneRefused { cause: LaneRefusal::Forbidden, .. }), "{refused:?}");
}
