//! The benchmark: the shipped agent beside the limits of the machine, all measured in one run.
//!
//! Prints a table: each figure, the machine's own limit for the same thing, the ratio, and what is asked for. Never
//! a test: it fails only if it cannot measure, or if a sale was lost or doubled. Linux only, for what it reads in
//! `/proc`. Run by `cargo xtask bench`.

mod agent;
mod limits;
mod load;
mod runs;
mod shopify;
mod sink;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use crate::runs::Bench;
use crate::table::Table;

/// Measures the agent beside the machine's own limits.
#[derive(Debug, Parser)]
struct Arguments {
    /// The agent's binary
    #[arg(long)]
    agent: PathBuf,
    /// Folder of the configuration templates
    #[arg(long)]
    templates: PathBuf,
    /// Folder for the runs, on the disk that is to be measured
    #[arg(long)]
    work: PathBuf,
    /// Fewer samples and a tenth of the lines: shows that it works, proves little
    #[arg(long)]
    quick: bool,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Amounts {
    /// Sales a second, and how many of them.
    rates: [(u32, u32); 3],
    lines: u64,
    idle: Duration,
    kills: u32,
    /// Sales under `strace`, one a second.
    traced: u32,
}

const FULL: Amounts = Amounts {
    rates: [(1, 60), (10, 300), (100, 2000)],
    lines: 1_000_000,
    idle: Duration::from_secs(60),
    kills: 10,
    traced: 20,
};
const QUICK: Amounts = Amounts {
    rates: [(1, 8), (10, 60), (100, 500)],
    lines: 100_000,
    idle: Duration::from_secs(10),
    kills: 3,
    traced: 5,
};

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    fs::create_dir_all(&arguments.work)
        .with_context(|| format!("cannot make the folder {}", arguments.work.display()))?;
    let work = fs::canonicalize(&arguments.work).context("the work folder has no full path")?;
    let amounts = if arguments.quick { QUICK } else { FULL };
    let mut table = Table::new();
    let bench = Bench { agent: arguments.agent, templates: arguments.templates, work };
    for (rate, sales) in amounts.rates {
        bench.latency(rate, sales, &mut table)?;
    }
    for (rate, sales) in amounts.rates {
        shopify::latency(&bench, rate, sales, &mut table)?;
    }
    bench.syncs(amounts.traced, &mut table)?;
    bench.drain("tillsync", amounts.lines, &mut table)?;
    bench.drain("tillsync-merged", amounts.lines, &mut table)?;
    bench.crash(amounts.lines, amounts.kills, &mut table)?;
    bench.idle(amounts.idle, &mut table)?;
    bench.machine(amounts.lines, &mut table)?;
    table.end();
    Ok(if table.exactly_once() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
