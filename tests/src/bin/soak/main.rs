//! The soak: hours of sales at a steady rate with faults at the shop, on the real agent: `cargo xtask soak`.
//!
//! Says every minute what the agent holds (memory, database, log) and what is behind; fails if a sale is lost or doubled, or
//! if memory grows by more than [`GROWTH_KIB_MAX`]. With `--calendar` the
//! date of all programs runs [`DAYS_A_MINUTE`] days a minute (libfaketime reads the file; spans of time stay real), so that sales pass
//! their retention while the run lasts; then the database must have stopped growing, too.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use system_tests::faults::{Fault, FaultRule, On};
use system_tests::shop::ShopSettings;
use system_tests::till::{Format, TillSettings};
use system_tests::world::{Receiver, Registers, World};

/// What memory may grow by until the end: allocators keep some of a backlog. Counted from the first tenth; with `--calendar` from
/// [`FLAT_FROM_PERCENT`] on, since SQLite's cache fills until the first sales pass their retention.
const GROWTH_KIB_MAX: u64 = 4 * 1024;
const REGISTERS: u64 = 4;
const ARTICLES: usize = 500;
/// How fast the date runs with `--calendar`: the shortest retention, 30 days, is over after seven and a half minutes.
const DAYS_A_MINUTE: u64 = 4;
/// The share of the run after which the database must not grow any more, and by how much it may all the same.
const FLAT_FROM_PERCENT: u64 = 60;
const DATABASE_GROWTH_PERCENT_MAX: u64 = 10;
/// Longest wait for the last sales.
const DRAIN_MAX: Duration = Duration::from_secs(180);

/// Sells for a long time, with faults, and looks whether anything grows.
#[derive(Debug, Parser)]
struct Arguments {
    /// The agent's binary; without it the release build beside this program
    #[arg(long)]
    agent: Option<PathBuf>,
    /// Minutes of selling
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// One minute
    #[arg(long)]
    quick: bool,
    /// Tickets a second, of all registers together
    #[arg(long, default_value_t = 50)]
    rate: u64,
    /// The file from which libfaketime, loaded into this program and its children, reads the date
    #[arg(long)]
    calendar: Option<PathBuf>,
    /// Folder for the files of the run
    #[arg(long)]
    work: Option<PathBuf>,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done =
        runtime.context("cannot start the runtime").and_then(|runtime| runtime.block_on(soak(&Arguments::parse())));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("soak: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report of a program for developers")]
fn say(text: &str) {
    println!("{text}");
}

async fn soak(arguments: &Arguments) -> anyhow::Result<bool> {
    let minutes = if arguments.quick { 1 } else { arguments.minutes.max(1) };
    let beside = std::env::current_exe().context("cannot find this program")?.with_file_name("tillsync");
    let binary = arguments.agent.clone().unwrap_or(beside);
    let folder =
        arguments.work.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("soak-{}", std::process::id())));
    std::fs::create_dir_all(folder.join("sales")).context("cannot make the folder")?;
    let skus: Vec<String> = (0..ARTICLES).map(|number| format!("SOAK-{number:04}")).collect();
    let tills = (1..=REGISTERS).map(|number| till(&folder, &skus, number)).collect();
    let receiver = Receiver::shop(ShopSettings::default(), &skus).await?;
    let mut world = World::new(&binary, &folder, receiver, Registers::of(tills))?;
    faults(&world.receiver);
    if let Some(file) = arguments.calendar.clone() {
        world.setup = world.setup.retention_days(30);
        world.setup.configure(&world.registers.source_tables(), &world.receiver.platform_table())?;
        tokio::spawn(turn_pages(file));
    }
    let mut agent = world.setup.start()?;
    let every = Duration::from_micros(1_000_000 * REGISTERS / arguments.rate.max(1));
    let selling = world.registers.open(every);
    say("minute  tickets   requests  RSS KiB  database KiB  log KiB");
    let (started, mut early, mut full) = (Instant::now(), None, None);
    for minute in 1..=minutes {
        // One minute in ten the shop is away for twenty seconds.
        if minute % 10 == 5 {
            world.receiver.go_down().await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            world.receiver.come_up().await?;
        }
        tokio::time::sleep_until((started + Duration::from_secs(60 * minute)).into()).await;
        agent.must_live()?;
        let memory = memory_kib(agent.pid())?;
        let flat_from = if arguments.calendar.is_some() { FLAT_FROM_PERCENT } else { 10 };
        if minute * 100 >= minutes * flat_from {
            early.get_or_insert(memory);
        }
        if minute * 100 >= minutes * FLAT_FROM_PERCENT {
            full.get_or_insert(kib(&world.setup.database()));
        }
        say(&format!(
            "{minute:>6}  {:>8}  {:>8}  {memory:>7}  {:>12}  {:>7}",
            selling.tickets(),
            world.receiver.requests(),
            kib(&world.setup.database()),
            kib(&world.setup.database().with_extension("db-wal"))
        ));
    }
    let tickets = selling.close()?;
    world.receiver.clear_faults();
    world.drain(&mut agent, DRAIN_MAX).await?;
    let (memory, peak) = (memory_kib(agent.pid())?, status_kib(agent.pid(), "VmHWM")?);
    let outcome = world.finish(agent, DRAIN_MAX).await?;
    let before = early.unwrap_or(memory);
    let flat = memory <= before + GROWTH_KIB_MAX;
    let fired: Vec<String> =
        ["reply_lost", "request_lost", "status", "throttled", "duplicate", "garbage", "reorder", "stall"]
            .iter()
            .map(|kind| format!("{kind} {}", world.receiver.fired(kind)))
            .collect();
    say(&format!("{tickets} tickets in {minutes} min; faults: {}", fired.join(", ")));
    say(&format!("memory early {before} KiB, at the end {memory} KiB, peak {peak} KiB"));
    let database = kib(&world.setup.database());
    let full = full.unwrap_or(database);
    say(&format!(
        "database {full} KiB after {FLAT_FROM_PERCENT} % of the time, at the end {database} KiB, {} bytes a ticket",
        database * 1024 / tickets.max(1)
    ));
    let stopped = arguments.calendar.is_none() || database * 100 <= full * (100 + DATABASE_GROWTH_PERCENT_MAX);
    say(&format!(
        "lost {}, doubled {}, conserved {}",
        outcome.report.lost, outcome.report.doubled, outcome.audit.conserved
    ));
    if !outcome.is_exact() {
        say(&outcome.complaint());
    }
    Ok(outcome.is_exact() && flat && stopped)
}

/// Lets the date run.
async fn turn_pages(file: PathBuf) {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let ahead = started.elapsed().as_secs() * DAYS_A_MINUTE * 1_440;
        if let Err(error) = write_whole(&file, &format!("+{ahead}\n")) {
            say(&format!("the date stands still: {error}"));
        }
    }
}

/// Never half written: a reader would fall back to the real date.
fn write_whole(file: &Path, text: &str) -> std::io::Result<()> {
    let part = file.with_extension("part");
    std::fs::write(&part, text)?;
    std::fs::rename(part, file)
}

fn till(folder: &Path, skus: &[String], number: u64) -> TillSettings {
    let register = format!("R{number}");
    let (format, end) = if number % 2 == 0 { (Format::Csv, "csv") } else { (Format::JsonLines, "jsonl") };
    let path = folder.join("sales").join(format!("r{number}.{end}"));
    let log = folder.join(format!("{register}.printed"));
    let plain = TillSettings::journal(&register, format, &path, &log, skus.to_vec());
    TillSettings { durable_log: false, seed: number, ..plain.mixed() }
}

fn faults(receiver: &Receiver) {
    let status = |status, applied| Fault::Status { status, applied, retry_after_s: None };
    for (fault, per_mille) in [
        (Fault::ReplyLost, 5),
        (Fault::RequestLost, 5),
        (status(503, false), 5),
        (status(500, true), 3),
        (Fault::Throttled, 5),
        (Fault::Duplicate, 5),
        (Fault::Garbage { applied: true }, 2),
        (Fault::Reorder { hold_ms: 300 }, 3),
        (Fault::Stall { hold_ms: 1500 }, 2),
    ] {
        receiver.fault(FaultRule::some(fault, per_mille).on(On::Write));
    }
}

fn memory_kib(pid: u32) -> anyhow::Result<u64> {
    status_kib(pid, "VmRSS")
}

fn status_kib(pid: u32, name: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("cannot read the agent's memory")?;
    let line = text.lines().find(|line| line.starts_with(name)).context("the system does not say")?;
    let figure: String = line.chars().filter(char::is_ascii_digit).collect();
    figure.parse().context("the figure cannot be read")
}

fn kib(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len() / 1024)
}
