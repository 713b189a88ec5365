//! Adobe Commerce: the connector against the stand-in, signatures included.

use std::collections::BTreeMap;
use std::sync::Arc;

use sync_core::model::{EntryId, IdempotencyKey, Quantity, Sku, Timestamp};
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRemedy};
use system_tests::adobe::{AdobeSettings as SiteSettings, Credentials, StandInAdobe};
use system_tests::decimal::Decimal;
use system_tests::faults::{Fault, FaultRule, On};
use tillsync::platform::adobe::{Adobe, AdobeSettings, Auth, OrdersOf};
use tillsync::platform::{
    Absolute, CallFailure, Change, Found, OnlineOrder, OrdersSince, Platform, ReadBack, Target, TargetPart,
};
use tillsync::secret::SecretRef;

use super::server::{clock, http};

const SOURCE: &str = "main-street";

struct Both {
    site: StandInAdobe,
    shop: Adobe,
    kept: tempfile::TempDir,
}

impl Both {
    async fn open(site: SiteSettings, change: impl FnOnce(&mut AdobeSettings)) -> Self {
        let site = StandInAdobe::start(site).await.unwrap();
        let kept = tempfile::tempdir().unwrap();
        let secret = |name: &str, text: &str| {
            let path = kept.path().join(name);
            std::fs::write(&path, text).unwrap();
            SecretRef::File(path)
        };
        let Credentials { consumer_key, consumer_secret, token, token_secret } = Credentials::made_up();
        let auth = Auth::Integration {
            consumer_key: secret("consumer-key", &consumer_key),
            consumer_secret: secret("consumer-secret", &consumer_secret),
            access_token: secret("token", &token),
            access_token_secret: secret("token-secret", &token_secret),
        };
        let mut settings = AdobeSettings::new(format!("{}/rest/V1", site.url()).parse().unwrap(), SOURCE, auth);
        change(&mut settings);
        let shop = Adobe::new(settings, http(), clock());
        Self { site, shop, kept }
    }

    async fn plain() -> Self {
        Self::open(SiteSettings::default(), |_| {}).await
    }

    async fn write(&self, rows: &[(&str, i64)]) -> Answer {
        let rows: Vec<Absolute> =
            rows.iter().map(|(sku, on_hand)| Absolute { part: part(sku), on_hand: *on_hand, expected: 0 }).collect();
        let key = IdempotencyKey::from("key-1");
        self.shop.send(&key, self.shop.encode_absolute(&key, &rows).into()).await
    }

    async fn orders(&self, since: Option<Timestamp>) -> Vec<OnlineOrder> {
        let (mut orders, mut page) = (Vec::new(), None);
        loop {
            let read = self.shop.orders(OrdersSince { changed_after: since, page }).unwrap().await.unwrap();
            orders.extend(read.orders);
            page = read.next;
            if page.is_none() {
                return orders;
            }
        }
    }
}

fn part(sku: &str) -> TargetPart {
    TargetPart { item: sku.to_owned(), per: 1 }
}

fn skus(texts: &[&str]) -> Vec<Sku> {
    texts.iter().map(|text| Sku::from(*text)).collect()
}

/// Name, open, handed over of the first line.
fn seen(orders: &[OnlineOrder]) -> Vec<(&str, i64, i64)> {
    orders.iter().map(|o| (o.name.as_str(), o.lines[0].open, o.lines[0].handed_over)).collect()
}

#[tokio::test]
async fn an_article_is_found_by_its_exact_number_and_only_where_it_holds_stock_here() {
    let both = Both::plain().await;
    both.site.add_item("TEA", 5);
    both.site.add_item("A,B", 7);
    both.site.with(|site| {
        site.add_product("SHIRT", "configurable");
        site.add_product("FAR", "simple");
        site.set("FAR", "warehouse", Decimal::units(3), true);
    });
    let found = both.shop.look_up(&skus(&["TEA", "A,B", "tea", "SHIRT", "FAR", "NONE"])).await.unwrap();
    let target = |sku: &str, on_hand| Found::Target {
        target: Target { parts: vec![part(sku)] },
        on_hand: vec![on_hand],
        title: format!("Article {sku}"),
    };
    assert_eq!(found[..3], [target("TEA", 5), target("A,B", 7), Found::Unknown]);
    assert!(matches!(&found[3], Found::Unusable { reason } if reason.contains("configurable")), "{found:?}");
    assert!(matches!(&found[4], Found::Unusable { reason } if reason.contains("main-street")), "{found:?}");
    assert_eq!(found[5], Found::Unknown);

    let both = Both::open(SiteSettings::default(), |settings| settings.assign_missing = true).await;
    both.site.with(|site| site.add_product("FAR", "simple"));
    assert_eq!(both.shop.look_up(&skus(&["FAR"])).await.unwrap(), [target("FAR", 0)]);
    assert!(matches!(both.write(&[("FAR", 4)]).await, Answer::Applied { .. }));
    assert_eq!(both.site.quantity("FAR"), Some(Decimal::units(4)));
    assert_eq!(both.site.stats().invalid_requests, 0);
}

#[tokio::test]
async fn a_number_is_written_with_its_status_and_read_back() {
    let both = Both::plain().await;
    for sku in ["A", "B"] {
        both.site.add_item(sku, 5);
    }
    assert!(matches!(both.write(&[("A", 3), ("B", 0)]).await, Answer::Applied { .. }));
    let in_stock = |sku: &str| both.site.with(|site| site.source_item(sku, SOURCE).unwrap().in_stock);
    assert!(in_stock("A") && !in_stock("B"));
    let question = ReadBack { items: ["B", "A", "GONE"].map(str::to_owned).to_vec(), sent: None };
    let seen = both.shop.read_back(&question).await.unwrap();
    assert_eq!(seen.iter().map(|seen| seen.number).collect::<Vec<_>>(), [Some(0), Some(3), None]);
    assert!(seen.iter().all(|seen| seen.evidence == Evidence::Silent));
    let too_many: Vec<(String, i64)> = (0..21).map(|n| (format!("S{n}"), 1)).collect();
    let too_many: Vec<(&str, i64)> = too_many.iter().map(|(sku, n)| (sku.as_str(), *n)).collect();
    assert_eq!(both.write(&too_many).await, Answer::TooLarge);
}

#[tokio::test]
async fn all_numbers_are_paged_to_the_end_and_no_further() {
    let both = Both::open(SiteSettings::default(), |settings| settings.page = 100).await;
    for number in 0..300 {
        both.site.add_item(&format!("S{number:03}"), number);
    }
    both.site.with(|site| site.set("S000", "warehouse", Decimal::units(99), true));
    both.site.with(|site| site.set("S001", SOURCE, Decimal::thousandths(1500), true));
    let (mut numbers, mut pages, mut next) = (BTreeMap::new(), 0, None);
    loop {
        let page = both.shop.levels(next).await.unwrap();
        pages += 1;
        for level in page.levels {
            assert_eq!(numbers.insert(level.sku.to_string(), level.number), None);
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!((numbers.len(), pages), (300, 3));
    assert_eq!((numbers["S000"], numbers["S001"], numbers["S299"]), (0, 1, 299));
}

#[tokio::test]
async fn an_order_is_open_where_it_is_collected_and_handed_over_where_it_was_shipped() {
    let both = Both::plain().await;
    both.site.add_item("TEA", 20);
    both.site.with(|site| site.set("TEA", "warehouse", Decimal::units(20), true));
    let pickup = both.site.place_order(&[("TEA", 5)], Some(SOURCE));
    let other = both.site.place_order(&[("TEA", 2)], Some("warehouse"));
    let shipped = both.site.place_order(&[("TEA", 3)], None);
    let name = |id: u64| format!("{id:09}");
    let open = both.orders(None).await;
    assert_eq!(seen(&open), [(name(pickup).as_str(), 5, 0)]);
    assert_eq!(open[0].lines[0].sku, Some(Sku::from("TEA")));
    let whole = format!("{open:?}");
    assert!(!whole.contains("example.com") && !whole.contains("Made-Up"), "{whole}");

    both.site.ship(pickup, SOURCE, &[("TEA", 2)]).unwrap();
    both.site.ship(shipped, SOURCE, &[("TEA", 3)]).unwrap();
    both.site.ship(other, "warehouse", &[("TEA", 2)]).unwrap();
    let changed = both.orders(Some(Timestamp(0))).await;
    assert_eq!(seen(&changed), [(name(pickup).as_str(), 3, 2), (name(shipped).as_str(), 0, 3)]);
    assert_eq!(both.site.quantity("TEA"), Some(Decimal::units(15)));
    assert!(both.site.with(|site| site.cancel_order(pickup)));
    assert_eq!(seen(&both.orders(Some(Timestamp(0))).await)[0], (name(pickup).as_str(), 0, 2));
    let later = Timestamp(changed.iter().map(|order| order.changed_at.0).max().unwrap() + 60_000_000);
    assert_eq!(both.orders(Some(later)).await, []);
    assert_eq!(both.site.stats().invalid_requests, 0);
}

#[tokio::test]
async fn a_site_with_one_source_has_all_orders_here() {
    let both = Both::open(SiteSettings::default(), |settings| settings.orders = OrdersOf::All).await;
    both.site.add_item("TEA", 200);
    let ids: Vec<u64> = (0..60).map(|_| both.site.place_order(&[("TEA", 1)], None)).collect();
    for id in &ids[..2] {
        both.site.ship(*id, SOURCE, &[("TEA", 1)]).unwrap();
    }
    assert_eq!(both.orders(None).await.len(), 58);
    let all = both.orders(Some(Timestamp(0))).await;
    assert_eq!((all.len(), all.iter().map(|o| o.lines[0].handed_over).sum::<i64>()), (60, 2));
}

#[tokio::test]
async fn prices_are_taken_one_by_one() {
    let both = Both::open(SiteSettings::default(), |settings| settings.prices = Some(0)).await;
    for sku in ["A", "B"] {
        both.site.add_item(sku, 1);
    }
    let prices = both.shop.prices().unwrap();
    let found = prices.look_up(&skus(&["A", "NONE"])).await.unwrap();
    assert!(matches!((&found[0], &found[1]), (Found::Target { .. }, Found::Unknown)));
    let value = |sku: &str, micros| Change {
        entry: EntryId(1),
        sku: Sku::from(sku),
        target: Some(Arc::new(Target { parts: vec![part(sku)] })),
        delta: Quantity::from_micros(micros),
        units: 0,
        on_hand: None,
        transaction: None,
        sold_at: None,
        kind: "value",
    };
    let key = IdempotencyKey::from("k");
    let rows = [value("A", 12_500_000), value("B", -1_000_000), value("GONE", 1_000_000)];
    let Answer::Mixed { rows, .. } = prices.send(&key, prices.encode(&key, &rows).into()).await else { panic!() };
    let refused: BTreeMap<&str, RowRemedy> = rows.iter().map(|row| (row.item.as_str(), row.remedy)).collect();
    assert_eq!(refused, BTreeMap::from([("B", RowRemedy::DeadLetter), ("GONE", RowRemedy::LookUpAgain)]));
    assert_eq!(both.site.with(|site| site.products()["A"].price.clone()), "12.5");
}

#[tokio::test]
async fn lost_and_senseless_replies_leave_the_outcome_open_and_refusals_do_not() {
    let both = Both::plain().await;
    both.site.add_item("A", 5);
    let next = |fault| both.site.fault(FaultRule::next(fault, 1));
    for fault in [Fault::RequestLost, Fault::ReplyLost, Fault::ReplyCut, Fault::Html { applied: true }] {
        next(fault.clone());
        let answer = both.write(&[("A", 4)]).await;
        assert!(matches!(answer, Answer::Unknown { .. }), "{fault:?}: {answer:?}");
    }
    next(Fault::Throttled);
    assert!(matches!(both.write(&[("A", 4)]).await, Answer::Throttled { wait: Some(_) }));
    both.site
        .fault(FaultRule::next(Fault::Status { status: 503, applied: false, retry_after_s: Some(9) }, 1).on(On::Read));
    let failed = both.shop.levels(None).await.unwrap_err();
    assert!(matches!(failed, CallFailure::Passing { wait: Some(_), .. }), "{failed:?}");
    both.site.go_down().await;
    assert!(matches!(both.write(&[("A", 4)]).await, Answer::Unavailable { .. }));
}

#[tokio::test]
async fn each_way_to_prove_who_we_are_is_taken_and_a_wrong_one_is_not() {
    let both = Both::plain().await;
    both.site.add_item("A", 5);
    assert_eq!(both.shop.probe().await.unwrap().faults, Vec::<String>::new());
    both.site.replace_credentials(Credentials { token: "another".to_owned(), ..Credentials::made_up() });
    let refused = both.write(&[("A", 4)]).await;
    assert!(matches!(refused, Answer::LaneRefused { cause: LaneRefusal::Unauthorised, .. }), "{refused:?}");
    std::fs::write(both.kept.path().join("token"), "another").unwrap();
    assert!(matches!(both.write(&[("A", 4)]).await, Answer::Applied { .. }));

    let bearer = both.kept.path().join("bearer");
    std::fs::write(&bearer, "stand-in-bearer").unwrap();
    let site = SiteSettings { bearer: Some("stand-in-bearer".to_owned()), ..SiteSettings::default() };
    let with_token = Both::open(site, |settings| settings.auth = Auth::Bearer(SecretRef::File(bearer))).await;
    assert_eq!(with_token.shop.probe().await.unwrap().faults, Vec::<String>::new());

    let password = both.kept.path().join("password");
    std::fs::write(&password, "stand-in-password").unwrap();
    let auth = Auth::Admin { username: "stand-in-admin".to_owned(), password: SecretRef::File(password) };
    let admin = Both::open(SiteSettings::default(), |settings| settings.auth = auth).await;
    admin.site.add_item("A", 5);
    assert!(matches!(admin.write(&[("A", 4)]).await, Answer::Applied { .. }));
    admin.site.end_admin_tokens();
    assert!(matches!(admin.write(&[("A", 3)]).await, Answer::Applied { .. }));
    assert_eq!(admin.site.quantity("A"), Some(Decimal::units(3)));
}

#[tokio::test]
async fn a_probe_names_the_source_that_is_not_there_and_the_right_that_is_missing() {
    let both = Both::open(SiteSettings::default(), |settings| settings.source = "nowhere".to_owned()).await;
    let faults = both.shop.probe().await.unwrap().faults.join("\n");
    assert!(faults.contains("`nowhere`"), "{faults}");
    let answer = both.write(&[("A", 1)]).await;
    assert!(matches!(answer, Answer::LaneRefused { cause: LaneRefusal::Misconfigured, .. }), "{answer:?}");
    let poor = SiteSettings { resources: vec!["Magento_Catalog::products".to_owned()], ..SiteSettings::default() };
    let both = Both::open(poor, |_| {}).await;
    let refused = both.shop.probe().await.unwrap_err();
    let CallFailure::LaneRefused { cause: LaneRefusal::Unauthorised, detail } = refused else { panic!("{refused:?}") };
    assert!(detail.contains("Magento_InventoryApi::source"), "{detail}");
}
