//! What a lane does when the platform refuses: an unknown article, a token, a row; and lanes that do not merge.

use std::time::Duration;

use system_tests::decimal::Decimal;
use system_tests::door::Refused;
use system_tests::faults::{Fault, FaultRule, On};
use system_tests::shop::NewItem;
use system_tests::world::{TOKEN, until};

use crate::support::{LONG, mixed_shop, must_be_exact, must_drain, must_say, plain_door, plain_shop};

const ONE: Decimal = Decimal::units(-1);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_unknown_article_is_delivered_once_its_product_appears() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = plain_shop(folder.path(), &["A".to_owned()]).await;
    let mut till = world.registers.first().unwrap();
    let mut agent = world.setup.start().unwrap();
    till.sell(&[("A", ONE), ("NEW", Decimal::units(-2))]).unwrap();
    world.terms.not_sold_online.insert("NEW".to_owned());
    until("the known article arrives", LONG, || Ok(world.judge()?.exactly_once())).await.unwrap();
    let waiting = |world: &system_tests::world::World| world.setup.audit().unwrap().lanes[0].waiting;
    until("the unknown one waits", LONG, || Ok(waiting(&world) == 1)).await.unwrap();
    world.terms.not_sold_online.clear();
    world.receiver.as_shop().unwrap().add_item(NewItem::stocked("NEW", 10));
    must_drain(&world, &mut agent).await;
    must_be_exact(&world, agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refused_token_pauses_the_lane_until_it_is_good_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = plain_shop(folder.path(), &["A".to_owned()]).await;
    let shop = world.receiver.as_shop().unwrap();
    let mut till = world.registers.first().unwrap();
    let mut agent = world.setup.start().unwrap();
    till.sell(&[("A", ONE)]).unwrap();
    must_drain(&world, &mut agent).await;
    shop.revoke_token(None);
    till.sell(&[("A", ONE)]).unwrap();
    must_say(&world, "the lane pauses").await;
    till.sell(&[("A", ONE)]).unwrap();
    shop.allow_token(TOKEN);
    must_be_exact(&world, agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_single_401_in_the_middle_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = mixed_shop(folder.path(), 3).await;
    let refused = Fault::Status { status: 401, applied: false, retry_after_s: None };
    world.receiver.fault(FaultRule::next(refused, 1).on(On::Write).after(2));
    let agent = world.setup.start().unwrap();
    let selling = world.registers.open(Duration::from_millis(20));
    must_say(&world, "the lane pauses").await;
    selling.close().unwrap();
    must_be_exact(&world, agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refused_row_is_set_apart_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = plain_door(folder.path(), &["A".to_owned()]).await;
    let door = world.receiver.as_door().unwrap().clone();
    door.refuse("BAD", Refused::Yes);
    let mut till = world.registers.first().unwrap();
    till.sell(&[("A", ONE), ("BAD", ONE), ("B", ONE)]).unwrap();
    let mut agent = world.setup.start().unwrap();
    world.terms.not_sold_online.insert("BAD".to_owned());
    must_drain(&world, &mut agent).await;
    assert_eq!(world.setup.audit().unwrap().dead_letters(), 1);

    door.refuse("BAD", Refused::No);
    let listed = world.setup.command(&["outbox", "list", "--json"]).unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let dead = listed.as_array().unwrap().iter().find(|entry| entry["state"] == "dead letter").unwrap();
    let retried = world.setup.command(&["outbox", "retry", &dead["entry"].to_string()]).unwrap();
    assert!(retried.status.success(), "{retried:?}");
    world.terms.not_sold_online.clear();
    must_drain(&world, &mut agent).await;
    must_be_exact(&world, agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lane_that_does_not_merge_sends_one_change_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let world = plain_door(folder.path(), &["A".to_owned(), "B".to_owned()]).await;
    let table = format!("{}merge = false\n", world.receiver.platform_table());
    world.setup.configure(&world.registers.source_tables(), &table).unwrap();
    world.receiver.fault(FaultRule { count: Some(3), ..FaultRule::some(Fault::ReplyLost, 300) });
    let mut till = world.registers.first().unwrap();
    let agent = world.setup.start().unwrap();
    for _ in 0..150 {
        till.sell(&[("A", ONE), ("A", ONE), ("B", Decimal::units(-3))]).unwrap();
    }
    must_be_exact(&world, agent).await;
    let arrivals = world.receiver.arrivals();
    let changes: std::collections::BTreeSet<_> = arrivals.iter().map(|line| line.change.clone()).collect();
    assert!(arrivals.iter().all(|line| line.transaction.is_some()), "each change names its ticket");
    // Two equal lines of one article on one ticket are one movement of the ledger.
    assert!(changes.len() == arrivals.len() && (300..=450).contains(&changes.len()), "{} changes", changes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn online_orders_meanwhile_leave_the_physical_number_right() {
    let folder = tempfile::tempdir().unwrap();
    let world = mixed_shop(folder.path(), 9).await;
    let shop = world.receiver.as_shop().unwrap().clone();
    world.receiver.fault(FaultRule { count: Some(4), ..FaultRule::some(Fault::ReplyLost, 200) });
    let agent = world.setup.start().unwrap();
    let selling = world.registers.open(Duration::from_millis(10));
    let mut handed_over = std::collections::BTreeMap::new();
    for round in 0..20_usize {
        let sku = format!("SKU-{:05}", round % 5);
        let order = shop.place_order(&sku, 2).unwrap();
        match round % 3 {
            0 => {
                assert!(shop.fulfil_order(order));
                *handed_over.entry(sku).or_insert(0) += 2;
            }
            1 => assert!(shop.cancel_order(order)),
            _ => {}
        }
        let reached = u64::try_from(round).unwrap() * 5;
        until("sales go on", LONG, || Ok(selling.tickets() >= reached)).await.unwrap();
    }
    selling.close().unwrap();
    must_be_exact(&world, agent).await;
    let mut sold: std::collections::BTreeMap<String, Decimal> = std::collections::BTreeMap::new();
    for line in world.registers.printed().unwrap() {
        *sold.entry(line.sku).or_insert(Decimal::ZERO) += line.delta;
    }
    for (sku, sold) in sold {
        let wanted =
            system_tests::world::START_STOCK + sold.floor_units() - handed_over.get(&sku).copied().unwrap_or(0);
        assert_eq!(shop.level(&sku).unwrap().on_hand(), wanted, "{sku}");
    }
}
