//! Several tills at work while we read, and what they feel of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pos_adapters::{Poll, PosSource};
use sync_core::model::Timestamp;

use super::shop::{NO_SEQ, SALES, Shop, line, sale, settings, source, time};
use super::till::{Database, EVERY, Kind, Till};

const TILLS: u64 = 4;
const OPERATIONS: u64 = 50;

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Sells, edits, voids, deletes and changes its mind, by a clock of its own.
fn work(database: &Database, number: u64, start: Timestamp) {
    let mut till = database.till();
    let mut dice = Dice(number * 7919 + 1);
    let off = i64::try_from(dice.below(7200)).unwrap() - 3600;
    let begin = if database.kind == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    for operation in 0..OPERATIONS {
        let at = time(Timestamp(start.0 + (off + i64::try_from(operation).unwrap()) * 1_000_000));
        let uid = format!("t{number}-{operation}");
        let earlier = format!("t{number}-{}", dice.below(operation.max(1)));
        let quantity = (dice.below(5) + 1).to_string();
        let own = format!("(SELECT id FROM sale WHERE uid = '{earlier}')");
        let statements = match dice.below(10) {
            0 => format!("UPDATE sale SET status = 'cancelled', changed_at = {at} WHERE uid = '{earlier}'"),
            1 => format!(
                "UPDATE sale_line SET qty = {quantity} WHERE sale_id = {own}; UPDATE sale SET changed_at = {at} WHERE uid = '{earlier}'"
            ),
            2 if operation % 5 == 0 => {
                format!("DELETE FROM sale_line WHERE sale_id = {own}; DELETE FROM sale WHERE uid = '{earlier}'")
            }
            _ => {
                let sku = format!("S{}", dice.below(6));
                let second = line(&uid, 2, "S9", "0.125");
                format!(
                    "{}; {second}; UPDATE sale SET line_count = 2 WHERE uid = '{uid}'",
                    sale(&uid, &at, &at, &sku, &quantity)
                )
            }
        };
        let done = till.try_run(begin).and_then(|()| {
            till.try_run(&statements)?;
            thread::park_timeout(Duration::from_millis(dice.below(8)));
            till.try_run(if dice.below(10) == 0 { "ROLLBACK" } else { "COMMIT" })
        });
        // Two tills may have met; the one that gave way does not sell.
        if done.is_err() {
            till.run("ROLLBACK");
        }
    }
}

#[test]
fn what_several_tills_do_at_the_same_time_is_counted_exactly_once() {
    for (sales, more) in [(SALES, ""), (NO_SEQ, "\"rules\": {\"ticket_is_unique\": true}")] {
        Shop::each(&EVERY, sales, more, |shop| {
            let (database, start) = (shop.database.clone(), shop.now);
            let is_open = AtomicBool::new(true);
            thread::scope(|scope| {
                let tills: Vec<_> = (0..TILLS)
                    .map(|number| {
                        let database = &database;
                        scope.spawn(move || work(database, number, start))
                    })
                    .collect();
                let is_open = &is_open;
                scope.spawn(move || {
                    for till in tills {
                        till.join().unwrap();
                    }
                    is_open.store(false, Ordering::Relaxed);
                });
                let mut looks = 0_u32;
                while is_open.load(Ordering::Relaxed) {
                    looks += 1;
                    shop.wait(3);
                    if looks % 25 == 0 {
                        shop.restart();
                    }
                    // A lock that a till holds for too long is an error of this look only.
                    while let Ok(true) = shop.poll() {}
                }
            });
            shop.pass(80);
            shop.agrees();
            assert!(shop.ledger.len() > 50, "{} tickets", shop.ledger.len());
        });
    }
}

/// Sales of one till measured under load; the figures are printed, never judged.
#[test]
#[ignore = "measures; run it alone with --ignored --nocapture"]
fn what_a_till_feels_of_us() {
    const SALES_MEASURED: usize = 1500;
    for kind in EVERY {
        let Some(shop) = Shop::open(kind, SALES, "\"poll\": \"200ms\"") else { continue };
        let mut till = shop.database.till();
        let mut fill = String::new();
        for number in 0..5_000 {
            let at = shop.at(number - 5_000);
            fill.push_str(&format!(
                "INSERT INTO sale (uid, till, sold_at, changed_at, status, line_count) VALUES ('f{number}', '1', {at}, {at}, 'completed', 1);"
            ));
        }
        till.run("BEGIN");
        till.run(&fill);
        till.run("INSERT INTO sale_line SELECT id, 1, 'A', 1 FROM sale; COMMIT");
        let mut alone = Vec::new();
        let mut beside = Vec::new();
        for round in 0..6_u32 {
            if round % 2 == 0 {
                sell(&mut till, &shop, SALES_MEASURED, round, &mut alone);
                continue;
            }
            let settings = settings(&shop.database, SALES, "\"poll\": \"200ms\"", None);
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                let (stop, settings) = (&stop, &settings);
                let start = shop.now;
                scope.spawn(move || keep_reading(source(settings, kind), start, stop));
                sell(&mut till, &shop, SALES_MEASURED, round, &mut beside);
                stop.store(true, Ordering::Relaxed);
            });
        }
        println!("{kind:?}: alone {}, with us {}", figures(&mut alone), figures(&mut beside));
    }
}

fn keep_reading(mut source: Box<dyn PosSource>, start: Timestamp, stop: &AtomicBool) {
    source.resume(Vec::new());
    let since = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let now = start.plus(since.elapsed());
        match source.poll(&[], now) {
            Ok(Poll::Quiet { again_in }) => thread::park_timeout(again_in.min(Duration::from_millis(200))),
            Ok(Poll::Chunk(_)) => {}
            Err(error) => println!("a look failed: {}", super::shop::chain(&error)),
        }
    }
}

fn sell(till: &mut Till, shop: &Shop, sales: usize, round: u32, times: &mut Vec<Duration>) {
    let begin = if shop.database.kind == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    let at = shop.at(0);
    for number in 0..sales {
        let uid = format!("r{round}-{number}");
        let sql = sale(&uid, &at, &at, "A", "1");
        let since = Instant::now();
        till.run(begin);
        till.run(&sql);
        till.run("COMMIT");
        times.push(since.elapsed());
        thread::park_timeout(Duration::from_micros(500));
    }
}

fn figures(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |thousandth: usize| times[(times.len() - 1) * thousandth / 1000];
    format!("p50 {:?} p99 {:?} p99.9 {:?} of {}", at(500), at(990), at(999), times.len())
}
