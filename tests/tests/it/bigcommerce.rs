//! The agent against the stand-in BigCommerce: no keys, numbers that lag, requests that are refused whole.

use std::sync::Arc;
use std::time::Duration;

use system_tests::bigcommerce::{BigCommerceMachine, BigCommerceSettings, NewVariant, StandInBigCommerce, open};
use system_tests::decimal::Decimal;
use system_tests::faults::{Fault, FaultRule, On};
use system_tests::journal::Cause;
use system_tests::world::{TOKEN_NAME, until};
use tokio::sync::Semaphore;

use crate::counters::{Bench, START_STOCK, common_faults};
use crate::support::{LONG, skus};

/// Runs at the same time.
const PARALLEL: usize = 3;

/// Reads wait longer than the stand-in lags, and a read-back longer than any fault holds a request.
fn platform_table(shop: &StandInBigCommerce) -> String {
    format!(
        "[[platform]]\nkind = \"bigcommerce\"\nbase_url = \"{}/stores/standin\"\ntoken = \"env:{TOKEN_NAME}\"\nstock_falls = \"order-placed\"\nread_lag = \"400ms\"\nsettle = \"1s\"\n",
        shop.url()
    )
}

async fn shop(settings: BigCommerceSettings, articles: &[String]) -> StandInBigCommerce {
    let shop = open(settings).await.unwrap();
    for sku in articles {
        shop.with(|machine, _| machine.add(NewVariant::stocked(sku, START_STOCK)));
    }
    shop
}

fn roomy(seed: u64) -> BigCommerceSettings {
    BigCommerceSettings { quota: 5000, seed, ..BigCommerceSettings::default() }
}

async fn mixed(settings: BigCommerceSettings) -> Bench<BigCommerceMachine> {
    let seed = settings.seed;
    let shop = shop(settings, &skus(20)).await;
    let table = platform_table(&shop);
    Bench::mixed(shop, &table, seed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn no_fault_of_a_bigcommerce_loses_or_doubles_anything() {
    let places = Arc::new(Semaphore::new(PARALLEL));
    let mut running = Vec::new();
    for (fault, seed) in common_faults().into_iter().zip(1..) {
        let places = Arc::clone(&places);
        running.push(tokio::spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            mixed(roomy(seed)).await.survive(fault).await;
        }));
    }
    for task in running {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn faults_on_look_ups_and_read_backs_are_harmless() {
    let bench = mixed(roomy(5)).await;
    for fault in [Fault::ReplyLost, Fault::Garbage { applied: false }, Fault::Throttled] {
        bench.shop.fault(FaultRule { count: Some(3), ..FaultRule::some(fault, 300).on(On::Read) });
    }
    bench.shop.fault(FaultRule { count: Some(4), ..FaultRule::some(Fault::ReplyLost, 200) });
    let agent = bench.setup.start().unwrap();
    bench.sell(|| true).await;
    bench.must_be_exact(agent, "faults of reads").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_row_that_takes_no_change_is_written_as_a_number_and_the_others_as_changes() {
    let articles = skus(12);
    let shop = shop(roomy(1), &articles).await;
    shop.with(|machine, _| {
        machine.add(NewVariant { stock: None, ..NewVariant::stocked("VIRGIN", 0) });
        machine.add(NewVariant { safety_stock: 2, ..NewVariant::stocked("LOW", 3) });
    });
    let table = platform_table(&shop);
    let all = [articles.clone(), vec!["VIRGIN".to_owned(), "LOW".to_owned()]].concat();
    let bench = Bench::plain(shop, &table, &all);
    let mut till = bench.registers.first().unwrap();
    let mut lines: Vec<(&str, Decimal)> = articles.iter().map(|sku| (sku.as_str(), Decimal::units(-1))).collect();
    lines.extend([("VIRGIN", Decimal::units(3)), ("LOW", Decimal::units(-2))]);
    till.sell(&lines).unwrap();
    let mut agent = bench.setup.start().unwrap();
    bench.must_drain(&mut agent, "two rows are refused").await;
    till.sell(&[("VIRGIN", Decimal::units(-1))]).unwrap();
    bench.must_be_exact(agent, "two rows are refused").await;
    let set: Vec<String> =
        bench.shop.arrivals().into_iter().filter(|line| line.cause == Cause::Set).map(|line| line.sku).collect();
    assert_eq!(set.len(), 2, "{set:?}");
    assert!(set.contains(&"VIRGIN".to_owned()) && set.contains(&"LOW".to_owned()), "{set:?}");
    bench.shop.with(|machine, _| {
        assert_eq!(machine.level("VIRGIN").unwrap().on_hand, 2);
        assert_eq!(machine.level("LOW").unwrap().on_hand, 1);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_sold_below_nothing_is_owed_until_goods_come_in() {
    let shop = shop(roomy(1), &[]).await;
    shop.with(|machine, _| machine.add(NewVariant::stocked("A", 1)));
    let table = platform_table(&shop);
    let bench = Bench::plain(shop, &table, &["A".to_owned()]);
    let mut till = bench.registers.first().unwrap();
    let on_hand = || bench.shop.with(|machine, _| machine.level("A").unwrap().on_hand);
    let agent = bench.setup.start().unwrap();
    till.sell(&[("A", Decimal::units(-3))]).unwrap();
    until("the shop has none left", LONG, || Ok(on_hand() == 0 && bench.setup.audit()?.is_settled())).await.unwrap();
    till.sell(&[("A", Decimal::units(5))]).unwrap();
    until("goods came in", LONG, || Ok(on_hand() > 0 && bench.setup.audit()?.is_settled())).await.unwrap();
    agent.terminate().await.unwrap();
    assert_eq!(bench.setup.audit().unwrap().dead_letters(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_shops_quota_is_kept_and_an_overloaded_platform_is_left_alone() {
    let bench = mixed(BigCommerceSettings { quota: 12, window_ms: 1500, ..roomy(3) }).await;
    bench.shop.with(|machine, _| machine.overload(2));
    let agent = bench.setup.start().unwrap();
    bench.sell(|| true).await;
    bench.must_be_exact(agent, "a small quota").await;
    let refused = bench.shop.with(|machine, _| machine.refused_by_quota());
    assert!(refused <= 2, "{refused} requests beyond the quota");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn online_orders_meanwhile_leave_the_number_right() {
    let bench = mixed(roomy(9)).await;
    let agent = bench.setup.start().unwrap();
    let selling = bench.registers.open(Duration::from_millis(10));
    let mut ordered = std::collections::BTreeMap::new();
    for round in 0..20_u64 {
        let sku = format!("SKU-{:05}", round % 5);
        bench.shop.with(|machine, now| machine.place_order(&sku, 2, now)).unwrap();
        *ordered.entry(sku).or_insert(0) += 2;
        until("sales go on", LONG, || Ok(selling.tickets() >= round * 3)).await.unwrap();
    }
    selling.close().unwrap();
    bench.must_be_exact(agent, "orders").await;
    let mut sold: std::collections::BTreeMap<String, Decimal> = std::collections::BTreeMap::new();
    for line in bench.registers.printed().unwrap() {
        *sold.entry(line.sku).or_insert(Decimal::ZERO) += line.delta;
    }
    for (sku, sold) in sold {
        let wanted = START_STOCK + sold.floor_units() - ordered.get(&sku).copied().unwrap_or(0);
        assert_eq!(bench.shop.with(|machine, _| machine.level(&sku).unwrap().on_hand), wanted, "{sku}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_asks_the_shop_and_compares_its_setting() {
    let shop = shop(roomy(1), &["A".to_owned()]).await;
    let table = platform_table(&shop);
    let bench = Bench::plain(shop, &table, &["A".to_owned()]);
    let said = |bench: &Bench<BigCommerceMachine>| {
        let output = bench.setup.command(&["check", "--online"]).unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    assert!(said(&bench).contains("Stand-in store"), "{}", said(&bench));
    bench.shop.with(|machine, _| machine.set_update_stock_behavior("order_completed_or_shipped"));
    assert!(said(&bench).contains("order_completed_or_shipped"), "{}", said(&bench));
}
