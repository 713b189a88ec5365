//! `cargo xtask fuzz`: every parser of `pos-adapters` on inputs that a fuzzer invents, bounded in time and memory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::build::{self, Doubles};
use crate::say;
use crate::shell;

/// Memory of a run, with what the sanitizer takes; an input that needs more is a fault.
const MEMORY_MB: u32 = 1024;
/// An input that takes longer is a fault, seconds.
const INPUT_SECONDS: u32 = 20;
/// Longest input.
const INPUT_BYTES: u32 = 16 * 1024;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long each parser is fuzzed
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only this parser
    #[arg(long)]
    target: Option<String>,
    /// Instead, run every parser on 100 MB of each kind of hostile input and measure its memory
    #[arg(long)]
    hostile: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if options.hostile {
        let program = build::doubles(Doubles::Release, &["parsers"])?.remove(0);
        let mut command = shell::command(program);
        command.arg("--hostile");
        if let Some(target) = &options.target {
            command.args(["--only", target]);
        }
        return shell::hand_over_to(command);
    }
    let binary = built()?;
    let work = shell::target().join("fuzz-work");
    let corpus = work.join("corpus");
    let names = names(&binary, &work, &corpus)?;
    let names: Vec<&str> = names
        .lines()
        .filter(|name| corpus.join(name).is_dir() && options.target.as_deref().is_none_or(|only| only == *name))
        .collect();
    if names.is_empty() {
        bail!("no parser has that name; `pos-adapters/src/trial.rs` lists them");
    }
    let mut faulty = Vec::new();
    for name in names {
        say::step(&format!("Fuzzing {name} for {} s", options.seconds));
        let log = work.join(format!("{name}.log"));
        let good = fuzz(&binary, name, options.seconds, &corpus.join(name), &log)?;
        say::line(&summary(&log, good)?);
        if !good {
            faulty.push(name);
        }
    }
    if !faulty.is_empty() {
        bail!("inputs that break {} are in {}", faulty.join(", "), work.display());
    }
    Ok(())
}

/// Writes the seeds and lists the parsers, one a line. The fuzzer calls an early end a fault; it is none here.
fn names(binary: &Path, work: &Path, corpus: &Path) -> anyhow::Result<String> {
    fs::create_dir_all(work).with_context(|| format!("cannot make {}", work.display()))?;
    let mut command = shell::command(binary);
    command.arg("-runs=0").arg(format!("-artifact_prefix={}/listing-", work.display())).env("TILLSYNC_SEEDS", corpus);
    let output = command.output().with_context(|| format!("cannot start {}", binary.display()))?;
    String::from_utf8(output.stdout).context("the fuzz target did not answer in UTF-8")
}

/// The fuzz target, built with coverage and the address sanitizer.
fn built() -> anyhow::Result<PathBuf> {
    if !shell::succeeds(shell::command("rustup").args(["run", "nightly", "rustc", "--version"])) {
        bail!("fuzzing needs a nightly compiler, and there is none here; `rustup toolchain install nightly` gets it");
    }
    if shell::find("cargo-fuzz").is_none() {
        say::step("Installing cargo-fuzz");
        shell::run(shell::cargo().args(["install", "cargo-fuzz", "--locked"]))
            .context("fuzzing needs cargo-fuzz, and it cannot be installed")?;
    }
    say::step("Building the fuzz target (nightly)");
    let target = shell::target().join("fuzz");
    let mut build = shell::command("rustup");
    build.args(["run", "nightly", "cargo", "fuzz", "build", "--fuzz-dir", "pos-adapters/fuzz"]);
    shell::run(build.arg("--target-dir").arg(&target).arg("trial"))?;
    let version = shell::output(shell::command("rustup").args(["run", "nightly", "rustc", "-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name its host")?;
    Ok(target.join(host).join("release").join("trial"))
}

/// Whether it ran without a fault.
fn fuzz(binary: &Path, name: &str, seconds: u32, corpus: &Path, log: &Path) -> anyhow::Result<bool> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = shell::command(binary);
    command.env("TILLSYNC_TRIAL", name).env_remove("TILLSYNC_SEEDS").arg(corpus);
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-rss_limit_mb={MEMORY_MB}"));
    command.arg(format!("-timeout={INPUT_SECONDS}")).arg(format!("-max_len={INPUT_BYTES}"));
    command.arg(format!("-artifact_prefix={}-", log.with_extension("").display())).arg("-print_final_stats=1");
    command.stdout(file.try_clone().context("cannot write the log twice")?).stderr(file);
    Ok(command.status().with_context(|| format!("cannot start {}", binary.display()))?.success())
}

fn summary(log: &Path, good: bool) -> anyhow::Result<String> {
    let text = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let stats: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("stat::")?.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let stat = |name: &str| stats.get(name).copied().unwrap_or("?");
    let verdict = if good { "no fault" } else { "FAULT" };
    Ok(format!(
        "{verdict}: {} inputs, {} a second, {} MB at most (log: {})",
        stat("number_of_executed_units"),
        stat("average_exec_per_sec"),
        stat("peak_rss_mb"),
        log.display()
    ))
}
