//! Till to shop: the same with the stand-in shop at the other end, which checks each request as the platform does.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use system_tests::oracle::{self, Terms};
use system_tests::shop::{NewItem, SchemaChoice, ShopSettings, StandInShop, find_schema};
use system_tests::till::{Format, Till, TillSettings, printed};

use crate::agent::{Agent, TOKEN};
use crate::limits::Probe;
use crate::load::{paced, rest};
use crate::runs::{Bench, report_latency};
use crate::sink::Sink;
use crate::table::{Table, ms};

/// Few enough that all are looked up in the warm-up.
const SKUS: u64 = 20;
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// Till to the stand-in shop at a pace; the limits as for the sink.
pub(crate) fn latency(bench: &Bench, rate: u32, sales: u32, table: &mut Table) -> anyhow::Result<()> {
    let folder = bench.fresh()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start the shop's runtime")?;
    let schema = if find_schema().is_some() { SchemaChoice::Find } else { SchemaChoice::Off };
    // A bucket that never runs dry: what is measured is the way, not the platform's patience.
    let settings = ShopSettings {
        tokens: vec![TOKEN.1.to_owned()],
        schema,
        bucket_max: 1_000_000,
        bucket_restore: 100_000,
        ..ShopSettings::default()
    };
    let shop = runtime.block_on(StandInShop::start(settings))?;
    let skus: Vec<String> = (0..SKUS).map(|number| format!("SKU-{number:05}")).collect();
    for sku in &skus {
        shop.add_item(NewItem::stocked(sku, 1_000_000));
    }
    let till = |log: &Path| TillSettings {
        durable_log: false,
        ..TillSettings::journal("R1", Format::JsonLines, &folder.join("sales.jsonl"), log, skus.clone())
    };
    let (early, log) = (folder.join("early"), folder.join("printed"));
    configure(&folder, &till(&log), &shop)?;
    let mut warm_up = Till::open(till(&early))?;
    for sku in &skus {
        warm_up.sell(&[(sku, system_tests::decimal::Decimal::units(-1))])?;
    }
    let mut agent = bench.start(&folder)?;
    arrive(&shop, &[&early], &mut agent)?;
    rest(Duration::from_secs(1));
    let mut till = Till::open(till(&log))?.starting_after(warm_up.sold());
    let warm = shop.arrivals().len();
    let sink = Sink::open()?;
    let mut probe = Probe::new(&bench.work, sink.addr())?;
    paced(rate, sales, |_| till.ring_up().map(drop), || probe.once())?;
    arrive(&shop, &[&early, &log], &mut agent)?;
    agent.stop()?;
    let arrivals = shop.arrivals();
    let report = oracle::judge(&printed(&log)?, arrivals.get(warm..).unwrap_or_default(), &Terms::default());
    let us = |time: i64| u64::try_from(time).unwrap_or(0);
    let name = format!("till to stand-in Shopify, {rate}/s");
    let slow = (us(report.latency.p50_us), us(report.latency.p99_us));
    report_latency(&name, slow, &mut probe, table);
    if !report.exactly_once() {
        bail!("{name}: {report}");
    }
    table.plain("  slowest", &ms(us(report.latency.max_us)), "");
    runtime.block_on(shop.stop());
    Ok(())
}

fn configure(folder: &Path, till: &TillSettings, shop: &StandInShop) -> anyhow::Result<()> {
    let config = folder.join("agent.toml");
    let text = format!(
        "[store]\nid = \"bench\"\n\n[state]\npath = {:?}\n\n{}\n[[platform]]\nkind = \"shopify\"\nbase_url = {:?}\nlocation = {:?}\ntoken = \"env:{}\"\n\n[status]\nlisten = \"off\"\n\n[log]\nformat = \"human\"\n",
        folder.join("state").display().to_string(),
        till.source_table("tills"),
        shop.url(),
        shop.location(),
        TOKEN.0,
    );
    fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))
}

fn arrive(shop: &StandInShop, logs: &[&Path], agent: &mut Agent) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for log in logs {
        lines.extend(printed(log)?);
    }
    let start = Instant::now();
    while !oracle::judge(&lines, &shop.arrivals(), &Terms::default()).exactly_once() {
        agent.must_live()?;
        if start.elapsed() > DRAIN_MAX {
            bail!("the stand-in shop did not get every sale");
        }
        rest(Duration::from_millis(50));
    }
    Ok(())
}
