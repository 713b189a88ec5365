//! Runs the simulation over many seeds and prints what happened.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use sim::run::{Given, run};
use sim::tally::Tally;
use tillsync::platform::transport::{ProxyChoice, TransportSettings, client};
use tillsync::secret::SecretRef;

/// The deterministic simulation of stores, tills, disks, networks and shops.
#[derive(Parser)]
struct Cli {
    /// How many seeds.
    #[arg(long, default_value_t = 50)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Years of each store.
    #[arg(long, default_value_t = 0)]
    years: u64,
    /// Days of each store, beside the years.
    #[arg(long, default_value_t = 60)]
    days: u64,
    /// Run each seed twice and compare.
    #[arg(long)]
    twice: bool,
    /// Show what happens, line by line.
    #[arg(long)]
    trace: bool,
}

#[expect(clippy::print_stdout, reason = "the report of a command-line program")]
fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if cli.trace {
        sim::trace::turn_on();
    }
    tillsync::connect::install_tls();
    let http = client(&TransportSettings { proxy: ProxyChoice::Direct, ..TransportSettings::default() })?;
    let token = std::env::temp_dir().join(format!("tillsync-sim-{}.token", std::process::id()));
    std::fs::write(&token, "test-token").context("cannot write the token of the simulated shop")?;
    let reference = SecretRef::parse(&format!("file:{}", token.display()))?;
    let (start, mut sum, mut failed) = (Instant::now(), Tally::default(), Vec::new());
    for seed in cli.first..cli.first + cli.seeds {
        let given =
            Given { seed, days: cli.years * 365 + cli.days, http: http.clone(), token: reference.clone() };
        let outcome = run(&given).with_context(|| format!("seed {seed}"))?;
        if cli.twice {
            let again = run(&given)?;
            anyhow::ensure!(again.tally == outcome.tally, "seed {seed} does not repeat itself");
        }
        if let Some((day, finding)) = &outcome.finding {
            println!("seed {seed}, day {day}: {finding:?}");
            failed.push(seed);
        }
        sum.add(&outcome.tally);
    }
    drop(std::fs::remove_file(&token));
    for (class, times) in sum.by_class() {
        println!("{times:>10}  {class}");
    }
    let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    println!(
        "{} store-days, {} tickets, {} lines, {} requests, {} comparisons; lost {}, doubled {}, oversold {}, left to a person {}; {} store-days/s",
        sum.store_days,
        sum.tickets,
        sum.lines,
        sum.requests,
        sum.comparisons,
        sum.lost,
        sum.doubled,
        sum.oversold,
        sum.left_to_a_person,
        sum.store_days * 1000 / millis
    );
    println!("failed seeds: {failed:?}");
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
