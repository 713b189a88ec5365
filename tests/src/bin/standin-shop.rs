//! Runs the stand-in shop, the stand-in door, the stand-in WooCommerce, or several of them, until it is told to stop.
//!
//! Prints one line of JSON with the addresses when both are up. A test double: it belongs to no installation.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use serde_json::json;
use system_tests::door::{DoorSettings, StandInDoor};
use system_tests::shop::{NewItem, SchemaChoice, ShopSettings, StandInShop};
use system_tests::woocommerce::{NewProduct, StandInWoo, WooSettings};

/// A stand-in for an e-commerce platform, for tests, demos and benchmarks.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port of the shop on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 0)]
    shop_port: u16,
    /// Do not start the shop
    #[arg(long)]
    no_shop: bool,
    /// Also start the door, on this port (0: any free one)
    #[arg(long)]
    door_port: Option<u16>,
    /// Signing secret of the door (`whsec_` and base64); without it the door takes unsigned requests
    #[arg(long)]
    door_secret: Option<String>,
    /// Also start a WooCommerce, on this port (0: any free one); its key is ck_stand_in:cs_stand_in
    #[arg(long)]
    woo_port: Option<u16>,
    /// The WooCommerce has the companion plugin
    #[arg(long, requires = "woo_port")]
    woo_plugin: bool,
    /// Journal of changes that the WooCommerce applied
    #[arg(long, requires = "woo_port")]
    woo_journal: Option<PathBuf>,
    /// Number of articles, named SKU-00000 and so on
    #[arg(long, default_value_t = 1000)]
    skus: u64,
    /// Pieces of each article at the start
    #[arg(long, default_value_t = 1_000_000)]
    stock: i64,
    /// GraphQL schema to check requests against (default: contracts/shopify beside the workspace, or in $TILLSYNC_CONTRACTS)
    #[arg(long)]
    schema: Option<PathBuf>,
    /// Do not check requests against a schema
    #[arg(long, conflicts_with = "schema")]
    no_schema: bool,
    /// Journal of changes that the shop applied
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Journal of changes that the door applied
    #[arg(long)]
    door_journal: Option<PathBuf>,
    /// Access token that the shop takes
    #[arg(long, default_value = "stand-in-token")]
    token: String,
    /// Points in the shop's cost bucket
    #[arg(long, default_value_t = 2000)]
    bucket_max: u64,
    /// Points a second that come back
    #[arg(long, default_value_t = 100)]
    bucket_restore: u64,
    /// Seed of everything that happens by chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let shop = if arguments.no_shop { None } else { Some(StandInShop::start(shop_settings(&arguments)).await?) };
    if let Some(shop) = &shop {
        for number in 0..arguments.skus {
            shop.add_item(NewItem::stocked(&format!("SKU-{number:05}"), arguments.stock));
        }
    }
    let door = match arguments.door_port {
        Some(port) => Some(StandInDoor::start(door_settings(&arguments, port)).await?),
        None => None,
    };
    let woo = match arguments.woo_port {
        Some(port) => Some(woocommerce(&arguments, port).await?),
        None => None,
    };
    announce(shop.as_ref(), door.as_ref(), woo.as_ref());
    told_to_stop().await?;
    if let Some(shop) = &shop {
        shop.stop().await;
    }
    if let Some(door) = &door {
        door.stop().await;
    }
    if let Some(woo) = &woo {
        woo.stop().await;
    }
    Ok(())
}

async fn woocommerce(arguments: &Arguments, port: u16) -> anyhow::Result<StandInWoo> {
    let settings = WooSettings {
        port,
        plugin: arguments.woo_plugin,
        journal: arguments.woo_journal.clone(),
        keep_journal: false,
        seed: arguments.seed,
        ..WooSettings::default()
    };
    let woo = StandInWoo::start(settings).await?;
    for number in 0..arguments.skus {
        woo.add(NewProduct::stocked(&format!("SKU-{number:05}"), arguments.stock));
    }
    Ok(woo)
}

fn shop_settings(arguments: &Arguments) -> ShopSettings {
    let schema = match &arguments.schema {
        Some(path) => SchemaChoice::At(path.clone()),
        None if arguments.no_schema => SchemaChoice::Off,
        None => SchemaChoice::Find,
    };
    ShopSettings {
        port: arguments.shop_port,
        tokens: vec![arguments.token.clone()],
        bucket_max: arguments.bucket_max,
        bucket_restore: arguments.bucket_restore,
        journal: arguments.journal.clone(),
        keep_journal: false,
        seed: arguments.seed,
        schema,
        ..ShopSettings::default()
    }
}

fn door_settings(arguments: &Arguments, port: u16) -> DoorSettings {
    DoorSettings {
        port,
        secret: arguments.door_secret.clone(),
        journal: arguments.door_journal.clone(),
        keep_journal: false,
        seed: arguments.seed,
        ..DoorSettings::default()
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the addresses are this program's output")]
fn announce(shop: Option<&StandInShop>, door: Option<&StandInDoor>, woo: Option<&StandInWoo>) {
    if shop.is_some_and(|shop| !shop.validates()) {
        eprintln!(
            "standin-shop: NO SCHEMA: requests are NOT checked against the platform's contract; this run proves less"
        );
    }
    let line = json!({
        "shop": shop.map(StandInShop::url),
        "location": shop.map(|shop| shop.location()),
        "validates": shop.is_some_and(|shop| shop.validates()),
        "door": door.map(StandInDoor::url),
        "woocommerce": woo.map(StandInWoo::url),
    });
    println!("{line}");
}

#[cfg(unix)]
async fn told_to_stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        stopped = tokio::signal::ctrl_c() => stopped.context("cannot listen for Ctrl-C"),
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> anyhow::Result<()> {
    tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")
}
