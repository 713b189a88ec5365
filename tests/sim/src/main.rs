//! Runs the simulation over many seeds and prints what happened; with `--controls`, one broken rule after the other.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use sim::known;
use sim::run::{Given, Shared, run};
use sim::tally::Tally;

/// The deterministic simulation of stores, tills, disks, networks and shops.
#[derive(Parser)]
struct Cli {
    /// How many seeds, beside those that once failed.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them; 0: another one each time.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Years of each store.
    #[arg(long, default_value_t = 0)]
    years: u64,
    /// Days of each store; with `--years` none are added unless asked for.
    #[arg(long)]
    days: Option<u64>,
    /// Leave out the seeds that once failed.
    #[arg(long)]
    only: bool,
    /// Run each seed twice and compare, byte for byte of what reached the shop.
    #[arg(long)]
    twice: bool,
    /// Show what happens, line by line.
    #[arg(long)]
    trace: bool,
    /// Break each rule in turn and count the seeds until it is caught (needs a control build).
    #[arg(long)]
    controls: bool,
}

impl Cli {
    fn days(&self) -> u64 {
        self.years * 365 + self.days.unwrap_or(if self.years == 0 { 60 } else { 0 })
    }

    fn seeds(&self) -> anyhow::Result<Vec<u64>> {
        let first = if self.first == 0 { fresh()? } else { self.first };
        let mut seeds = if self.only { Vec::new() } else { known::seeds() };
        seeds.extend((0..self.seeds).map(|step| first.wrapping_add(step)));
        Ok(seeds)
    }
}

/// A seed that no run had before.
fn fresh() -> anyhow::Result<u64> {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(since.as_secs() * 10_000)
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if cli.trace {
        sim::trace::turn_on();
    }
    let shared = Shared::new()?;
    let passed = if cli.controls { controls(&shared, &cli)? } else { simulate(&shared, &cli)? };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn simulate(shared: &Shared, cli: &Cli) -> anyhow::Result<bool> {
    let (start, mut sum, mut failed) = (Instant::now(), Tally::default(), Vec::new());
    for seed in cli.seeds()? {
        let given = Given { seed, days: cli.days(), shared };
        let outcome = run(&given).with_context(|| format!("seed {seed}"))?;
        if cli.twice {
            let again = run(&given)?;
            anyhow::ensure!(again.tally == outcome.tally, "seed {seed} does not repeat itself");
        }
        if let Some((day, finding)) = &outcome.finding {
            say(&format!("seed {seed}, day {day}: {finding:?}"));
            failed.push(seed);
        }
        sum.add(&outcome.tally);
    }
    report(&sum, start);
    if !failed.is_empty() {
        say(&format!(
            "Failed: {failed:?}. Add them to tests/sim/seeds.txt; look at one with --only --seeds 1 --first SEED --trace"
        ));
    }
    let unfired = sum.unfired();
    let enough = sum.store_days >= sim::tally::DAYS_ENOUGH;
    if enough && !unfired.is_empty() {
        say(&format!("Never fired, so nothing is known about it: {unfired:?}"));
    }
    Ok(failed.is_empty() && (!enough || unfired.is_empty()))
}

fn report(sum: &Tally, start: Instant) {
    let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    let cpu = known::cpu_millis().max(1);
    for (class, times) in sum.by_class() {
        say(&format!("{times:>10}  {class}"));
    }
    say(&format!(
        "{} store-years ({} days), {} tickets, {} lines, {} requests, {} comparisons",
        sum.store_days / 365,
        sum.store_days,
        sum.tickets,
        sum.lines,
        sum.requests,
        sum.comparisons
    ));
    say(&format!(
        "lost {}, doubled {}, oversold by us {}; left to a person {}",
        sum.lost, sum.doubled, sum.oversold, sum.left_to_a_person
    ));
    say(&format!(
        "{} store-days per second of one core's time, {} by the wall clock",
        sum.store_days * 1000 / cpu,
        sum.store_days * 1000 / millis
    ));
}

/// Runs a control takes, and seeds of each at most.
#[cfg(feature = "negative-controls")]
const RUNS: u64 = 9;
#[cfg(feature = "negative-controls")]
const SEEDS_MAX: u64 = 400;

#[cfg(feature = "negative-controls")]
fn controls(shared: &Shared, cli: &Cli) -> anyhow::Result<bool> {
    use sim::run::Outcome;
    use tillsync::sabotage::{Rule, break_rule};
    let mut all_caught = true;
    for rule in Rule::ALL {
        break_rule(Some(rule));
        let mut took = Vec::new();
        let mut example = String::new();
        for round in 0..RUNS {
            for step in 1..=SEEDS_MAX {
                let given = Given { seed: cli.first + round * 10_000 + step, days: cli.days(), shared };
                let caught = match run(&given) {
                    Ok(Outcome { finding: None, .. }) => None,
                    Ok(Outcome { finding: Some((day, finding)), .. }) => Some(format!("day {day}: {finding:?}")),
                    Err(error) => Some(format!("{error:#}")),
                };
                if let Some(what) = caught {
                    took.push(step);
                    example = what.chars().take(90).collect();
                    break;
                }
            }
        }
        took.sort_unstable();
        let missed = RUNS - u64::try_from(took.len()).unwrap_or(0);
        all_caught &= missed == 0;
        let median = took.get(took.len() / 2).map_or_else(|| "none".to_owned(), u64::to_string);
        say(&format!(
            "{:<20} median {median} seeds, most {:?}, missed {missed} of {RUNS}; {example}",
            rule.name(),
            took.last()
        ));
    }
    break_rule(None);
    Ok(all_caught)
}

#[cfg(not(feature = "negative-controls"))]
fn controls(_shared: &Shared, _cli: &Cli) -> anyhow::Result<bool> {
    anyhow::bail!("built without the feature `negative-controls`: use `cargo xtask sim --controls`")
}

#[expect(clippy::print_stdout, reason = "the report of a command-line program")]
fn say(text: &str) {
    println!("{text}");
}
