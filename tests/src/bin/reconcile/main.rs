//! How long a reconciliation takes, how many requests and how much memory: `cargo xtask bench --reconcile`.
//!
//! A count of all articles, 1 % of the shop's numbers changed behind its back, then `tillsync reconcile` at the limits that each
//! stand-in keeps. Beside it the least number of reading requests that the platform's page size allows.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use serde_json::Value;
use system_tests::adobe::{AdobeSettings, StandInAdobe};
use system_tests::bigcommerce::{self, BigCommerceSettings};
use system_tests::shop::{NewItem, SchemaChoice, ShopSettings, StandInShop};
use system_tests::square::{self, SquareSettings};
use system_tests::woocommerce::{NewProduct, StandInWoo, WooSettings};
use system_tests::world::{Setup, TOKEN, TOKEN_NAME, until};

const STOCK: i64 = 10;
/// One in so many is changed behind the agent's back.
const DRIFT: usize = 100;
const LONG: Duration = Duration::from_secs(600);
/// Time between the two looks, part of every run.
const CONFIRM_S: u64 = 5;

/// Reconciles many articles with each stand-in.
#[derive(Debug, Parser)]
struct Arguments {
    /// The agent's binary; without it the one beside this program
    #[arg(long)]
    agent: Option<PathBuf>,
    /// Articles
    #[arg(long, default_value_t = 50_000)]
    articles: usize,
    /// Only these platforms
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// A shop with what a run needs to know of it.
struct Shop {
    table: String,
    /// Articles of one page of numbers.
    page: usize,
    change: Box<dyn Fn(&str)>,
    right: Box<dyn Fn(&str) -> bool>,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done =
        runtime.context("cannot start the runtime").and_then(|runtime| runtime.block_on(all(&Arguments::parse())));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("reconcile: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report of a program for developers")]
fn say(text: &str) {
    println!("{text}");
}

async fn all(arguments: &Arguments) -> anyhow::Result<bool> {
    let beside = std::env::current_exe().context("cannot find this program")?.with_file_name("tillsync");
    let binary = arguments.agent.clone().unwrap_or(beside);
    let skus: Vec<String> = (0..arguments.articles).map(|number| format!("R{number:06}")).collect();
    say("| platform | reads | least | repaired | seconds | of them waiting | peak MiB | right |");
    say("|---|---|---|---|---|---|---|---|");
    let mut right = true;
    for name in ["shopify", "woocommerce", "bigcommerce", "square", "adobe-commerce"] {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|only| only == name) {
            continue;
        }
        let shop = open(name, &skus).await?;
        match run(&binary, name, &shop, &skus).await {
            Ok(exact) => right &= exact,
            Err(error) => {
                right = false;
                say(&format!("| {name} | {error:#} |"));
            }
        }
    }
    Ok(right)
}

async fn open(name: &str, skus: &[String]) -> anyhow::Result<Shop> {
    let token =
        |kind: &str, more: String| format!("[[platform]]\nkind = \"{kind}\"\ntoken = \"env:{TOKEN_NAME}\"\n{more}");
    Ok(match name {
        "shopify" => {
            let shop =
                StandInShop::start(ShopSettings { schema: SchemaChoice::Off, ..ShopSettings::default() }).await?;
            for sku in skus {
                shop.add_item(NewItem::stocked(sku, STOCK));
            }
            let table = token("shopify", format!("base_url = {:?}\nlocation = {:?}\n", shop.url(), shop.location()));
            let (one, two) = (shop.clone(), shop);
            Shop {
                table,
                page: 250,
                change: Box::new(move |sku| {
                    let _found = one.change_elsewhere(sku, 1);
                }),
                right: Box::new(move |sku| two.level(sku).is_some_and(|level| level.on_hand() == STOCK)),
            }
        }
        "woocommerce" => {
            let shop = StandInWoo::start(WooSettings { plugin: true, ..WooSettings::default() }).await?;
            for sku in skus {
                shop.add(NewProduct::stocked(sku, STOCK));
            }
            let table = format!(
                "[[platform]]\nkind = \"woocommerce\"\nurl = {:?}\nconsumer_key = \"env:TILLSYNC_WOO_KEY\"\nconsumer_secret = \"env:TILLSYNC_WOO_SECRET\"\n",
                shop.url()
            );
            let (one, two) = (shop.clone(), shop);
            Shop {
                table,
                page: 100,
                change: Box::new(move |sku| {
                    let _found = one.change_elsewhere(sku, 1);
                }),
                right: Box::new(move |sku| two.stock(sku) == Some(STOCK)),
            }
        }
        "bigcommerce" => {
            let shop = bigcommerce::open(BigCommerceSettings::default()).await?;
            for sku in skus {
                shop.with(|machine, _| machine.add(bigcommerce::NewVariant::stocked(sku, STOCK)));
            }
            let more = format!("base_url = \"{}/stores/standin\"\nstock_falls = \"order-placed\"\n", shop.url());
            let (one, two) = (shop.clone(), shop);
            Shop {
                table: token("bigcommerce", more),
                page: 1000,
                change: Box::new(move |sku| {
                    let _found = one.with(|machine, now| machine.change_elsewhere(sku, 1, now));
                }),
                right: Box::new(move |sku| {
                    two.with(|machine, _| machine.level(sku).is_some_and(|level| level.on_hand == STOCK))
                }),
            }
        }
        "square" => {
            let shop = square::open(SquareSettings::default()).await?;
            for sku in skus {
                shop.with(|machine, _| machine.add(square::NewVariation::stocked(sku, STOCK)));
            }
            let more = format!("base_url = {:?}\nlocation = \"LSTANDIN\"\n", shop.url());
            let (one, two) = (shop.clone(), shop);
            Shop {
                table: token("square", more),
                page: 1000,
                change: Box::new(move |sku| {
                    let _found = one.with(|machine, now| machine.change_elsewhere(sku, 1, now));
                }),
                right: Box::new(move |sku| two.with(|machine, _| machine.stock_of(sku) == Some(STOCK))),
            }
        }
        _ => {
            let settings = AdobeSettings { bearer: Some("stand-in-bearer".to_owned()), ..AdobeSettings::default() };
            let site = StandInAdobe::start(settings).await?;
            for sku in skus {
                site.add_item(sku, STOCK);
            }
            let table = format!(
                "[[platform]]\nkind = \"adobe-commerce\"\nurl = {:?}\nsource = \"main-street\"\nbearer_token = \"env:TILLSYNC_STAND_IN_BEARER\"\n",
                site.url()
            );
            let (one, two) = (site.clone(), site);
            Shop {
                table,
                page: 300,
                change: Box::new(move |sku| one.change_elsewhere(sku, 1)),
                right: Box::new(move |sku| two.quantity(sku) == Some(system_tests::decimal::Decimal::units(STOCK))),
            }
        }
    })
}

async fn run(binary: &Path, name: &str, shop: &Shop, skus: &[String]) -> anyhow::Result<bool> {
    let folder = std::env::temp_dir().join(format!("reconcile-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).context("cannot make the folder")?;
    let count: String =
        std::iter::once("sku,quantity\n".to_owned()).chain(skus.iter().map(|sku| format!("{sku},{STOCK}\n"))).collect();
    std::fs::write(folder.join("count.csv"), count).context("cannot write the count")?;
    let top = format!(
        "[reconcile]\nschedule = \"off\"\nafter_count = false\nconfirm_after = \"{CONFIRM_S}s\"\n[[count]]\nname = \"shelf\"\nkind = \"file\"\nbasis = \"shelf\"\nextent = \"full\"\npath = {:?}\nsettle = \"200ms\"\n",
        folder.join("count.csv").display().to_string()
    );
    let source = format!(
        "[[source]]\nname = \"till\"\nkind = \"file\"\npath = {:?}\nscan = \"200ms\"\n",
        folder.join("sales.csv").display().to_string()
    );
    let setup = [
        (TOKEN_NAME, TOKEN),
        ("TILLSYNC_WOO_KEY", "ck_stand_in"),
        ("TILLSYNC_WOO_SECRET", "cs_stand_in"),
        ("TILLSYNC_STAND_IN_BEARER", "stand-in-bearer"),
    ]
    .into_iter()
    .fold(Setup::new(binary, &folder), |setup, (name, value)| setup.env(name, value))
    .tables(&top);
    setup.configure(&source, &shop.table)?;
    let mut agent = setup.start()?;
    until("the count is taken in", LONG, || {
        agent.must_live()?;
        // Refused until the agent has made its database.
        let Ok(rows) = json(&setup, &["count", "list", "--json"]) else { return Ok(false) };
        Ok(rows.as_array().is_some_and(|rows| rows.iter().any(|row| row["state"] == "applied")))
    })
    .await?;
    let drifted: Vec<&String> = skus.iter().step_by(DRIFT).collect();
    drifted.iter().for_each(|sku| (shop.change)(sku));
    let began = Instant::now();
    let setup_too = setup.clone();
    let answer = tokio::task::spawn_blocking(move || json(&setup_too, &["reconcile", "--json"])).await??;
    let seconds = began.elapsed().as_secs();
    agent.must_live()?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).context("cannot read its memory")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    let peak: u64 = peak.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    let wrong = skus.iter().filter(|sku| !(shop.right)(sku)).count();
    let least = skus.len().div_ceil(shop.page) + drifted.len().div_ceil(100);
    let report = &answer[0];
    say(&format!(
        "| {name} | {} | {least} | {} of {} | {seconds} | {CONFIRM_S} | {} | {} |",
        report["pages"],
        report["repaired"],
        drifted.len(),
        peak.div_ceil(1024),
        if wrong == 0 { "all".to_owned() } else { format!("{wrong} wrong: {}", report["summary"]) }
    ));
    agent.terminate().await?;
    std::fs::remove_dir_all(&folder).ok();
    Ok(wrong == 0)
}

fn json(setup: &Setup, words: &[&str]) -> anyhow::Result<Value> {
    let output = setup.command(words)?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{words:?} said: {}", String::from_utf8_lossy(&output.stderr)))
}
