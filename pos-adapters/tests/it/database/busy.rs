//! Several tills at work while we read, and what they feel of it.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pos_adapters::{Poll, PosSource};
use sync_core::model::Timestamp;

use super::shop::{NO_SEQ, SALES, Shop, line, sale, settings, source, time};
use super::till::{Database, EVERY, Kind, Till};

const TILLS: u64 = 4;
const OPERATIONS: u64 = 50;
/// Of each way, in turns.
const ROUNDS: u32 = 4;
const SALES_MEASURED: usize = 1000;

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
                let since = Instant::now();
                while is_open.load(Ordering::Relaxed) {
                    looks += 1;
                    // A hundred times as fast, and never so far that a till's stamp leaves the window.
                    shop.now = start.plus(since.elapsed().saturating_mul(100).min(Duration::from_secs(3000)));
                    if looks.is_multiple_of(25) {
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
        let started = Instant::now();
        let modes: [Option<&str>; 3] = [None, Some("2s"), Some("200ms")];
        let mut times = [const { Vec::new() }; 3];
        for round in 0..ROUNDS {
            for (mode, times) in modes.iter().zip(&mut times) {
                let name = format!("r{round}{}", mode.unwrap_or_default());
                let Some(poll) = mode else {
                    sell(&mut till, &shop, started, &name, times);
                    continue;
                };
                let settings = settings(&shop.database, SALES, &format!("\"poll\": \"{poll}\""), None);
                let stop = AtomicBool::new(false);
                let caught_up = Barrier::new(2);
                thread::scope(|scope| {
                    let (stop, settings, caught_up) = (&stop, &settings, &caught_up);
                    let start = shop.now;
                    scope.spawn(move || keep_reading(source(settings, kind), start, started, caught_up, stop));
                    caught_up.wait();
                    sell(&mut till, &shop, started, &name, times);
                    stop.store(true, Ordering::Relaxed);
                });
            }
        }
        for (mode, times) in modes.iter().zip(&mut times) {
            let beside = mode.map_or("alone".to_owned(), |poll| format!("read every {poll}"));
            println!("{kind:?}, {beside}: {}", figures(times));
        }
    }
}

fn keep_reading(
    mut source: Box<dyn PosSource>,
    start: Timestamp,
    started: Instant,
    caught_up: &Barrier,
    stop: &AtomicBool,
) {
    source.resume(Vec::new());
    let mut is_waited_for = true;
    while !stop.load(Ordering::Relaxed) {
        match source.poll(&[], start.plus(started.elapsed())) {
            Ok(Poll::Quiet { again_in }) => {
                if is_waited_for && source.backlog_bytes() == Some(0) {
                    is_waited_for = false;
                    caught_up.wait();
                }
                let until = Instant::now() + again_in;
                while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                    thread::park_timeout(Duration::from_millis(50).min(again_in));
                }
            }
            Ok(Poll::Chunk(_)) => {}
            Err(error) => println!("a look failed: {}", super::shop::chain(&error)),
        }
    }
}

fn sell(till: &mut Till, shop: &Shop, started: Instant, name: &str, times: &mut Vec<Duration>) {
    let begin = if shop.database.kind == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    for number in 0..SALES_MEASURED {
        let at = time(shop.now.plus(started.elapsed()));
        let sql = sale(&format!("{name}-{number}"), &at, &at, "A", "1");
        let since = Instant::now();
        till.run(begin);
        till.run(&sql);
        till.run("COMMIT");
        times.push(since.elapsed());
        thread::park_timeout(Duration::from_millis(2));
    }
}

fn figures(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |thousandth: usize| times[(times.len() - 1) * thousandth / 1000];
    format!("p50 {:?} p99 {:?} p99.9 {:?} of {}", at(500), at(990), at(999), times.len())
}
