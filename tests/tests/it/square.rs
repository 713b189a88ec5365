//! The agent against the stand-in Square: a ledger ordered by time, keys, a history that proves.

use std::sync::Arc;
use std::time::Duration;

use system_tests::decimal::Decimal;
use system_tests::faults::{Fault, FaultRule, On};
use system_tests::square::{NewVariation, SquareMachine, SquareSettings, StandInSquare, open};
use system_tests::world::{TOKEN_NAME, until};
use tokio::sync::Semaphore;

use crate::counters::{Bench, START_STOCK, common_faults};
use crate::support::{LONG, skus};

/// Runs at the same time.
const PARALLEL: usize = 3;

fn platform_table(shop: &StandInSquare) -> String {
    format!(
        "[[platform]]\nkind = \"square\"\nbase_url = {:?}\nlocation = \"LSTANDIN\"\ntoken = \"env:{TOKEN_NAME}\"\n",
        shop.url()
    )
}

async fn shop(settings: SquareSettings, articles: &[String]) -> StandInSquare {
    let shop = open(settings).await.unwrap();
    for sku in articles {
        shop.with(|machine, _| machine.add(NewVariation::stocked(sku, START_STOCK)));
    }
    shop
}

async fn mixed(seed: u64) -> Bench<SquareMachine> {
    let shop = shop(SquareSettings { seed, ..SquareSettings::default() }, &skus(20)).await;
    let table = platform_table(&shop);
    Bench::mixed(shop, &table, seed)
}

async fn plain(articles: &[&str]) -> Bench<SquareMachine> {
    let articles: Vec<String> = articles.iter().map(|sku| (*sku).to_owned()).collect();
    let shop = shop(SquareSettings::default(), &articles).await;
    let table = platform_table(&shop);
    Bench::plain(shop, &table, &articles)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn no_fault_of_a_square_loses_or_doubles_anything() {
    let places = Arc::new(Semaphore::new(PARALLEL));
    let mut running = Vec::new();
    for (fault, seed) in [common_faults(), vec![Fault::Duplicate]].concat().into_iter().zip(1..) {
        let places = Arc::clone(&places);
        running.push(tokio::spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            mixed(seed).await.survive(fault).await;
        }));
    }
    for task in running {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn faults_on_reads_are_harmless_and_the_pace_is_kept() {
    let settings = SquareSettings { requests_per_second: 3, ..SquareSettings::default() };
    let shop = shop(settings, &skus(20)).await;
    let table = platform_table(&shop);
    let bench = Bench::mixed(shop, &table, 5);
    for fault in [Fault::ReplyLost, Fault::Garbage { applied: false }, Fault::Throttled] {
        bench.shop.fault(FaultRule { count: Some(3), ..FaultRule::some(fault, 300).on(On::Read) });
    }
    let agent = bench.setup.start().unwrap();
    bench.sell(|| true).await;
    bench.must_be_exact(agent, "faults of reads").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_that_waited_for_more_than_a_day_is_made_anew() {
    let bench = plain(&["A", "B"]).await;
    let mut till = bench.registers.first().unwrap();
    let mut agent = bench.setup.start().unwrap();
    till.sell(&[("A", Decimal::units(-1))]).unwrap();
    bench.must_drain(&mut agent, "before the outage").await;
    bench.shop.go_down().await;
    till.sell(&[("A", Decimal::units(-2)), ("B", Decimal::units(-1))]).unwrap();
    until("a request is frozen", LONG, || Ok(bench.setup.audit()?.lanes.iter().any(|lane| lane.in_flight > 0)))
        .await
        .unwrap();
    bench.shop.advance_clock(Duration::from_hours(26));
    bench.shop.come_up().await.unwrap();
    till.sell(&[("B", Decimal::units(-1))]).unwrap();
    bench.must_be_exact(agent, "a day later").await;
    assert_eq!(bench.shop.with(|machine, _| machine.stock_of("A")), Some(START_STOCK - 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_machine_whose_clock_is_ahead_of_squares_still_delivers() {
    let shop = shop(SquareSettings::default(), &["A".to_owned()]).await;
    // Square an hour ahead, then back: to the agent its own clock is wrong by an hour, either way.
    shop.advance_clock(Duration::from_hours(1));
    let table = platform_table(&shop);
    let bench = Bench::plain(shop, &table, &["A".to_owned()]);
    let mut till = bench.registers.first().unwrap();
    let agent = bench.setup.start().unwrap();
    till.sell(&[("A", Decimal::units(-1))]).unwrap();
    bench.must_be_exact(agent, "an hour apart").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deleted_variation_is_set_apart_and_the_others_go_on() {
    let bench = plain(&["A", "GONE"]).await;
    let mut till = bench.registers.first().unwrap();
    let mut agent = bench.setup.start().unwrap();
    till.sell(&[("A", Decimal::units(-1)), ("GONE", Decimal::units(-1))]).unwrap();
    bench.must_drain(&mut agent, "both are there").await;
    bench.shop.with(|machine, _| machine.delete("GONE"));
    till.sell(&[("A", Decimal::units(-1)), ("GONE", Decimal::units(-1))]).unwrap();
    until("the other one arrives and this one waits", LONG, || {
        let audit = bench.setup.audit()?;
        let waits = audit.lanes.iter().map(|lane| lane.waiting).sum::<i64>() == 1;
        Ok(bench.shop.with(|machine, _| machine.stock_of("A")) == Some(START_STOCK - 2) && waits)
    })
    .await
    .unwrap();
    agent.terminate().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn online_orders_meanwhile_leave_the_number_right() {
    let bench = mixed(9).await;
    bench.shop.fault(FaultRule { count: Some(4), ..FaultRule::some(Fault::ReplyLost, 200) });
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
        assert_eq!(bench.shop.with(|machine, _| machine.stock_of(&sku)), Some(wanted), "{sku}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_asks_square_and_names_missing_rights() {
    let bench = plain(&["A"]).await;
    let said = |bench: &Bench<SquareMachine>| {
        let output = bench.setup.command(&["check", "--online"]).unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    assert!(said(&bench).contains("Stand-in street"), "{}", said(&bench));
    bench.shop.with(|machine, _| machine.take_scope("ORDERS_READ"));
    assert!(said(&bench).contains("lacks the scope ORDERS_READ"), "{}", said(&bench));
}
