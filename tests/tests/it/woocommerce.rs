//! The agent against the stand-in WooCommerce: without the plugin, where it is there by chance, and where it is relied on.
//!
//! Half of the articles are variations, so that one batch is several requests and can break off between them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use system_tests::faults::{Fault, FaultRule, On};
use system_tests::journal::Cause;
use system_tests::oracle::{self, Report, Terms};
use system_tests::woocommerce::{NewProduct, StandInWoo, WooSettings};
use system_tests::world::{Agent, Registers, Setup, until};
use tokio::sync::Semaphore;

use crate::support::{LONG, agent, skus};

/// Tickets of each run, at least.
const TICKETS: u64 = 60;
/// Runs at the same time.
const PARALLEL: usize = 3;
/// Pieces of each article in the morning.
const START_STOCK: i64 = 100_000;
/// A read-back waits this long after a lost reply; no fault here holds a request longer than a third of it.
const SETTLE: &str = "1s";
const KEY: (&str, &str) = ("TILLSYNC_WOO_KEY", "ck_stand_in");
const SECRET: (&str, &str) = ("TILLSYNC_WOO_SECRET", "cs_stand_in");

/// How the agent is set up and what the shop has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// No plugin.
    Plain,
    /// The plugin is there, and used because it is.
    Found,
    /// The plugin is there and relied on.
    Keyed,
}

const MODES: [Mode; 3] = [Mode::Plain, Mode::Found, Mode::Keyed];

struct Bench {
    _folder: tempfile::TempDir,
    shop: StandInWoo,
    setup: Setup,
    registers: Registers,
}

impl Bench {
    async fn new(mode: Mode, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop = StandInWoo::start(WooSettings { plugin: mode != Mode::Plain, seed, ..WooSettings::default() })
            .await
            .unwrap();
        let skus = skus(20);
        let parents = [shop.add(NewProduct::variable("P-0")), shop.add(NewProduct::variable("P-1"))];
        for (number, sku) in skus.iter().enumerate() {
            match parents.get(number % 4) {
                Some(parent) => shop.add(NewProduct::variation(sku, *parent, START_STOCK)),
                None => shop.add(NewProduct::stocked(sku, START_STOCK)),
            };
        }
        let registers = Registers::mixed(folder.path(), &skus, &[], seed).unwrap();
        let setup = setup(folder.path());
        let plugin = if mode == Mode::Keyed { "required" } else { "auto" };
        setup.configure(&registers.source_tables(), &platform_table(&shop, plugin)).unwrap();
        Self { _folder: folder, shop, setup, registers }
    }

    async fn sell(&self, enough: impl Fn() -> bool) {
        let selling = self.registers.open(Duration::from_millis(8));
        until("tickets are sold and faults happen", LONG, || Ok(selling.tickets() >= TICKETS && enough()))
            .await
            .unwrap();
        selling.close().unwrap();
    }

    fn judge(&self) -> Report {
        oracle::judge(&self.registers.printed().unwrap(), &self.shop.arrivals(), &Terms::default())
    }

    async fn must_be_exact(&self, mut agent: Agent, what: &str) {
        let deadline = Instant::now() + LONG;
        while Instant::now() < deadline && !(self.judge().exactly_once() && self.setup.audit().unwrap().is_settled()) {
            agent.must_live().unwrap();
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        agent.terminate().await.unwrap();
        let (report, audit) = (self.judge(), self.setup.audit().unwrap());
        let exact = report.exactly_once() && audit.conserved && audit.is_settled() && audit.dead_letters() == 0;
        assert!(exact, "{what}: {report}\n{audit:?}\n{}", self.setup.log_text());
        assert_eq!(self.shop.stats().invalid_requests, 0, "{what}: {:?}", self.shop.stats());
    }
}

fn setup(folder: &Path) -> Setup {
    Setup::new(agent(), folder).env(KEY.0, KEY.1).env(SECRET.0, SECRET.1)
}

fn platform_table(shop: &StandInWoo, plugin: &str) -> String {
    format!(
        "[[platform]]\nkind = \"woocommerce\"\nurl = {:?}\nconsumer_key = \"env:{}\"\nconsumer_secret = \"env:{}\"\nplugin = {plugin:?}\nsettle = {SETTLE:?}\n",
        shop.url(),
        KEY.0,
        SECRET.0
    )
}

fn faults() -> Vec<Fault> {
    let status = |status, applied, retry_after_s| Fault::Status { status, applied, retry_after_s };
    vec![
        Fault::RequestLost,
        Fault::ReplyLost,
        Fault::ReplyCut,
        Fault::Reorder { hold_ms: 60 },
        Fault::Delay { hold_ms: 40 },
        Fault::Stall { hold_ms: 40 },
        Fault::Drip { pause_ms: 1 },
        Fault::Throttled,
        status(403, false, None),
        status(403, true, None),
        status(500, true, None),
        status(503, true, None),
        status(503, false, Some(1)),
        Fault::Garbage { applied: true },
        Fault::Garbage { applied: false },
        Fault::Html { applied: true },
        Fault::Html { applied: false },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn no_fault_of_a_woocommerce_loses_or_doubles_anything() {
    let places = Arc::new(Semaphore::new(PARALLEL));
    let mut running = Vec::new();
    for mode in MODES {
        for (fault, seed) in faults().into_iter().zip(1..) {
            let places = Arc::clone(&places);
            running.push(tokio::spawn(async move {
                let _place = places.acquire_owned().await.unwrap();
                one(mode, fault, seed).await;
            }));
        }
    }
    for task in running {
        task.await.unwrap();
    }
}

async fn one(mode: Mode, fault: Fault, seed: u64) {
    let bench = Bench::new(mode, seed).await;
    let name = fault.name();
    // Without keys each of them costs a wait; so fewer, and then none, so that the rest can drain.
    let share = if mode == Mode::Keyed { 200 } else { 60 };
    bench.shop.fault(FaultRule { count: Some(6), ..FaultRule::some(fault.clone(), share) });
    let agent = bench.setup.start().unwrap();
    bench.sell(|| bench.shop.stats().faults.get(name).copied().unwrap_or(0) >= 2).await;
    bench.must_be_exact(agent, &format!("{mode:?} {fault:?}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_bytes_twice_are_once_with_the_plugin() {
    let bench = Bench::new(Mode::Keyed, 3).await;
    bench.shop.fault(FaultRule::some(Fault::Duplicate, 300));
    let agent = bench.setup.start().unwrap();
    bench.sell(|| bench.shop.stats().replays >= 2).await;
    bench.must_be_exact(agent, "duplicates").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_agent_finds_out_what_became_of_its_last_request() {
    for mode in MODES {
        let bench = Bench::new(mode, 11).await;
        bench.shop.fault(FaultRule::next(Fault::Stall { hold_ms: 200 }, 4));
        let agent = bench.setup.start().unwrap();
        let selling = bench.registers.open(Duration::from_millis(8));
        until("a request is under way", LONG, || Ok(bench.shop.stats().faults.contains_key("stall"))).await.unwrap();
        agent.kill().unwrap();
        let agent = bench.setup.start().unwrap();
        until("tickets are sold", LONG, || Ok(selling.tickets() >= TICKETS)).await.unwrap();
        selling.close().unwrap();
        bench.must_be_exact(agent, &format!("{mode:?} killed")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plugin_that_comes_and_goes_doubles_nothing() {
    let bench = Bench::new(Mode::Found, 5).await;
    bench.shop.fault(FaultRule { count: Some(4), ..FaultRule::some(Fault::ReplyLost, 100) });
    let agent = bench.setup.start().unwrap();
    let selling = bench.registers.open(Duration::from_millis(8));
    let sold = async |tickets: u64| until("tickets are sold", LONG, || Ok(selling.tickets() >= tickets)).await.unwrap();
    sold(TICKETS).await;
    bench.shop.with(|machine, _| machine.switch_plugin(false));
    let goes_without = || bench.shop.stats().routes.contains_key("POST /wc/v3/products/batch");
    until("it goes without the plugin", LONG, || Ok(goes_without())).await.unwrap();
    bench.shop.with(|machine, _| machine.switch_plugin(true));
    sold(selling.tickets() + TICKETS).await;
    selling.close().unwrap();
    bench.must_be_exact(agent, "comes and goes").await;
}

/// The number at the end less what it should be: all sales and the orders' units off the morning's.
async fn drift_after_orders(mode: Mode) -> i64 {
    const UNITS: i64 = 5;
    let bench = Bench::new(mode, 7).await;
    let agent = bench.setup.start().unwrap();
    // For each article: whichever is written next, the order lands inside that write where there is an inside.
    for sku in skus(20) {
        bench.shop.with(|machine, _| machine.land_inside_next_write(&sku, UNITS));
    }
    bench.sell(|| true).await;
    bench.must_be_exact(agent, &format!("{mode:?} orders")).await;
    let placed: i64 = bench
        .shop
        .with(|machine, _| machine.orders().iter().flat_map(|order| &order.lines).map(|line| line.quantity).sum());
    let sold: i64 = bench
        .shop
        .arrivals()
        .iter()
        .filter(|line| matches!(line.cause, Cause::Adjust | Cause::Set))
        .map(|line| line.delta.floor_units())
        .sum();
    let shown: i64 = skus(20).iter().filter_map(|sku| bench.shop.stock(sku)).sum();
    let morning = START_STOCK * 20;
    assert!(mode != Mode::Plain || placed > 0, "orders landed inside a write of the REST API");
    shown - (morning + sold - placed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_of_the_same_moment_is_overwritten_without_the_plugin_and_never_with_it() {
    assert_eq!(drift_after_orders(Mode::Plain).await, 5, "one product was written when the orders landed");
    assert_eq!(drift_after_orders(Mode::Keyed).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_firewall_in_front_of_reads_only_delays() {
    let bench = Bench::new(Mode::Plain, 9).await;
    let fault = Fault::Status { status: 403, applied: false, retry_after_s: None };
    bench.shop.fault(FaultRule { count: Some(3), ..FaultRule::every(fault).on(On::Read) });
    let agent = bench.setup.start().unwrap();
    bench.sell(|| true).await;
    bench.must_be_exact(agent, "firewall").await;
}

/// The plugin's own tests, over the MariaDB of `cargo xtask services`.
#[test]
#[expect(clippy::print_stderr, reason = "a test that was left out must say so")]
fn the_plugin_keeps_its_contract_over_a_real_database() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/woocommerce/tests/run.php");
    let Ok(place) = std::env::var("TILLSYNC_TEST_MARIADB") else {
        eprintln!("left out: TILLSYNC_TEST_MARIADB is not set");
        return;
    };
    let ran = match std::process::Command::new("php").arg(tests).env("TILLSYNC_TEST_MARIADB", place).output() {
        Ok(ran) => ran,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("left out: there is no php");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("ok   "), "{said}");
}
