//! The demo: three registers sell into real files, the real agent reads them, and a stand-in shop takes the changes.
//!
//! There are online orders at the shop and one outage in the middle. The oracle counts at the end; it looks at what
//! the registers printed and at what the shop applied, never at the agent. Run by `cargo xtask demo`.

mod agent;
mod registers;
mod shopping;
mod table;

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use system_tests::journal;
use system_tests::moment::Moment;
use system_tests::oracle::{self, Terms};
use system_tests::shop::{NewItem, SchemaChoice, ShopSettings, StandInShop, find_schema};

use crate::agent::Agent;
use crate::registers::{Registers, SKUS, START_STOCK, WEIGHED_SKUS};
use crate::shopping::Orders;
use crate::table::{Outage, Summary};

/// Access token of the stand-in; worth nothing anywhere else.
const TOKEN: &str = "stand-in-token";
/// The outage of a run without an end begins after this.
const OUTAGE_AFTER: Duration = Duration::from_secs(20);
/// ... and lasts this long.
const OUTAGE_LASTS: Duration = Duration::from_secs(10);
/// How long the last sales may take once the registers are closed.
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// After the last sale has arrived: time for anything to arrive that should not.
const SETTLE: Duration = Duration::from_millis(1500);

/// Sells on three registers, takes the shop away for a while, and counts what arrived.
#[derive(Debug, Parser)]
struct Arguments {
    /// The agent's binary
    #[arg(long)]
    agent: PathBuf,
    /// Folder for this and other runs
    #[arg(long)]
    work: PathBuf,
    /// End by itself after so many seconds, with success only if every sale arrived exactly once
    #[arg(long)]
    seconds: Option<u64>,
    /// Keep the folder of this run
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let work = arguments.work.join(std::process::id().to_string());
    fs::create_dir_all(&work).with_context(|| format!("cannot make the folder {}", work.display()))?;
    let summary = run(&arguments, &work).await?;
    say(&summary.to_string());
    let good = summary.is_good();
    if arguments.keep || !good {
        say(&format!("kept: {}", work.display()));
    } else {
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One day at the store, from opening to the count.
async fn run(arguments: &Arguments, work: &Path) -> anyhow::Result<Summary> {
    let journal_path = work.join("shop.jsonl");
    let shop = open_shop(&journal_path).await?;
    let registers = Registers::new(work)?;
    let mut agent = Agent::start(&arguments.agent, work, &shop, &registers).await?;
    say(&format!("status page   {}", agent.page()));
    say(&format!("stand-in shop {} ({} articles)", shop.url(), SKUS + WEIGHED_SKUS));
    if !shop.validates() {
        say("note: no schema of the Shopify Admin API at hand, so requests are not checked against it");
    }
    for name in registers.describe() {
        say(&name);
    }
    say(if arguments.seconds.is_some() {
        ""
    } else {
        "Ctrl-C closes the registers, waits for the last sales and counts.\n"
    });

    let selling = registers.open();
    let mut orders = Orders::default();
    let outage = sell(arguments.seconds.map(Duration::from_secs), &shop, &mut orders, &mut agent, &selling).await?;
    let tickets = selling.close()?;
    say(&format!("registers closed after {tickets} tickets; waiting for the last ones"));
    let drained = drain(&shop, &registers, &mut agent).await?;
    let conserved = agent.stop_and_audit().await?;
    let stats = shop.stats();
    let printed = registers.printed()?;
    let lines = journal::read(&journal_path)?;
    let report = oracle::judge(&printed, &lines, &Terms::default());
    let (all, calm) = table::delays(&printed, &lines, outage.as_ref());
    let right = orders.right_numbers(&shop, &printed);
    shop.stop().await;
    let recovered = outage.and_then(|outage| table::recovery(&lines, &outage));
    Ok(Summary { report, all, calm, outage, recovered, stats, right, orders: orders.placed(), drained, conserved })
}

async fn open_shop(journal: &Path) -> anyhow::Result<StandInShop> {
    let schema = if find_schema().is_some() { SchemaChoice::Find } else { SchemaChoice::Off };
    let settings = ShopSettings {
        journal: Some(journal.to_path_buf()),
        tokens: vec![TOKEN.to_owned()],
        schema,
        ..ShopSettings::default()
    };
    let shop = StandInShop::start(settings).await?;
    for sku in registers::all_skus() {
        shop.add_item(NewItem::stocked(&sku, START_STOCK));
    }
    Ok(shop)
}

/// Until the time is up or somebody presses Ctrl-C; says when the shop was away.
async fn sell(
    lasts: Option<Duration>,
    shop: &StandInShop,
    orders: &mut Orders,
    agent: &mut Agent,
    selling: &registers::Selling,
) -> anyhow::Result<Option<Outage>> {
    let (outage_after, outage_lasts) = match lasts {
        // In the middle, for about 15 % of the run.
        Some(lasts) => (lasts.mul_f64(0.42), lasts.mul_f64(0.15)),
        None => (OUTAGE_AFTER, OUTAGE_LASTS),
    };
    let start = Instant::now();
    let mut outage: Option<Outage> = None;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let stopped = tokio::signal::ctrl_c();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            done = &mut stopped => {
                done.context("cannot listen for Ctrl-C")?;
                say("\nclosing");
                break;
            }
            _ = second.tick() => {}
        }
        let passed = start.elapsed();
        match &mut outage {
            None if passed >= outage_after => {
                shop.go_down().await;
                outage = Some(Outage::begun(Moment::now()));
                pause_line("the shop is gone");
            }
            Some(away) if away.is_open() && passed >= outage_after + outage_lasts => {
                shop.come_up().await?;
                away.end(Moment::now());
                pause_line("the shop is back");
            }
            _ => {}
        }
        orders.another(shop);
        agent.must_live()?;
        let away = outage.is_some_and(|outage| outage.is_open());
        live_line(passed, selling.tickets(), &shop.stats(), away);
        if lasts.is_some_and(|lasts| passed >= lasts) {
            break;
        }
    }
    if let Some(away) = outage.as_mut().filter(|away| away.is_open()) {
        shop.come_up().await?;
        away.end(Moment::now());
    }
    Ok(outage)
}

/// Waits until the oracle is content or the time is up; whether it was, and stayed so.
async fn drain(shop: &StandInShop, registers: &Registers, agent: &mut Agent) -> anyhow::Result<bool> {
    let printed = registers.printed()?;
    let deadline = Instant::now() + DRAIN_MAX;
    while Instant::now() < deadline {
        agent.must_live()?;
        if oracle::judge(&printed, &shop.arrivals(), &Terms::default()).exactly_once() {
            tokio::time::sleep(SETTLE).await;
            return Ok(oracle::judge(&printed, &shop.arrivals(), &Terms::default()).exactly_once());
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(false),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    Ok(false)
}

fn live_line(passed: Duration, tickets: u64, stats: &system_tests::shop::ShopStats, away: bool) {
    let mut out = std::io::stdout();
    if !out.is_terminal() {
        return;
    }
    let shop = if away { "shop AWAY" } else { "shop here" };
    let text = format!(
        "\r\x1b[K{:>4} s   tickets {tickets:>5}   changes at the shop {:>5}   requests {:>5}   {shop}",
        passed.as_secs(),
        stats.applied_rows,
        stats.requests
    );
    // A terminal that is gone is no reason to stop counting.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn pause_line(text: &str) {
    if std::io::stdout().is_terminal() {
        say(&format!("\r\x1b[K{text}"));
    } else {
        say(text);
    }
}

/// The demo's output.
fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}
