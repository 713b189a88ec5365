//! The runs against the sink: latency, synced writes, a million waiting lines, kills, and doing nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use system_tests::moment::Moment;

use crate::agent::Agent;
use crate::limits::{self, Probe};
use crate::load::{self, rest};
use crate::sink::Sink;
use crate::table::{Table, grouped, ms, percentile, ratio, say};

/// Sales before those that count.
const WARM_UP: u32 = 5;
/// Without any new sale for so long, the run has failed.
const STALL: Duration = Duration::from_secs(60);
/// Time for anything to come that should not.
const SETTLE: Duration = Duration::from_secs(2);
const ONE_MIB_KIB: u64 = 1024;
/// The calls that make something durable.
const SYNC_CALLS: &str = "trace=fsync,fdatasync,msync,sync_file_range,syncfs,sync";

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) agent: PathBuf,
    pub(crate) templates: PathBuf,
    pub(crate) work: PathBuf,
}

/// A fresh folder, sink and sale file.
pub(crate) struct Stage {
    pub(crate) folder: PathBuf,
    sink: Sink,
    sales: PathBuf,
}

impl Bench {
    fn stage(&self, template: &str) -> anyhow::Result<Stage> {
        let folder = self.fresh()?;
        let sink = Sink::open()?;
        let sales = folder.join("sales.jsonl");
        fs::write(&sales, "").with_context(|| format!("cannot write {}", sales.display()))?;
        let path = self.templates.join(format!("{template}.toml"));
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = text
            .replace("@WORK@", &folder.display().to_string())
            .replace("@SALES@", &sales.display().to_string())
            .replace("@URL@", &sink.url());
        let config = folder.join("agent.toml");
        fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        Ok(Stage { folder, sink, sales })
    }

    /// An empty folder for one run.
    pub(crate) fn fresh(&self) -> anyhow::Result<PathBuf> {
        let folder = self.work.join("run");
        // Of the run before, if any.
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(folder)
    }

    pub(crate) fn start(&self, folder: &Path) -> anyhow::Result<Agent> {
        Agent::start(&self.agent, folder)
    }

    /// An agent that has delivered its first sales.
    fn warm(&self, stage: &Stage) -> anyhow::Result<Agent> {
        let mut agent = self.start(&stage.folder)?;
        load::trickle(&stage.sales, 1, (WARM_UP, 5), || Ok(()))?;
        wait_unique(stage, &mut agent, u64::from(WARM_UP))?;
        rest(Duration::from_secs(1));
        Ok(agent)
    }

    /// Till to sink at a pace, with the limits measured right after it, at the same pace.
    pub(crate) fn latency(&self, rate: u32, sales: u32, table: &mut Table) -> anyhow::Result<()> {
        let stage = self.stage("tillsync")?;
        let mut agent = self.warm(&stage)?;
        let first = u64::from(WARM_UP) + 1;
        let mut probe = Probe::new(&self.work, stage.sink.addr())?;
        let before = agent.cpu_us()?;
        let sent = load::trickle(&stage.sales, first, (sales, rate), || probe.once())?;
        wait_unique(&stage, &mut agent, u64::from(WARM_UP + sales))?;
        let cpu = agent.cpu_us()?.saturating_sub(before) / u64::from(sales);
        let mut took = delays(&stage.sink, first, &sent);
        agent.stop()?;
        let slow = (percentile(&mut took, 50), percentile(&mut took, 99));
        report_latency(&format!("till to sink, {rate}/s"), slow, &mut probe, table);
        if rate == 100 {
            table.plain("CPU for each sale at 100/s", &ms(cpu), "at most the floor program's (--peers)");
        }
        Ok(())
    }

    /// Durable writes for each sale, at one sale a second.
    pub(crate) fn syncs(&self, sales: u32, table: &mut Table) -> anyhow::Result<()> {
        let stage = self.stage("tillsync")?;
        let mut agent = self.warm(&stage)?;
        let trace = stage.folder.join("strace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", SYNC_CALLS, "-o"]).arg(&trace).arg("-p").arg(agent.pid().to_string());
        let Ok(mut tracer) = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn() else {
            say("left out: synced writes for each sale, because strace is not installed");
            return Ok(());
        };
        rest(Duration::from_secs(1));
        load::trickle(&stage.sales, u64::from(WARM_UP) + 1, (sales, 1), || Ok(()))?;
        wait_unique(&stage, &mut agent, u64::from(WARM_UP + sales))?;
        rest(Duration::from_secs(1));
        agent.stop()?;
        tracer.wait().context("cannot wait for strace")?;
        let text = fs::read_to_string(&trace).context("strace left nothing")?;
        // Stopping the agent adds a few of its own; they are counted too.
        let calls = text.lines().filter(|line| line.contains('(') && !line.contains("resumed")).count();
        let calls = u64::try_from(calls).unwrap_or(u64::MAX);
        let each = ratio(calls, u64::from(sales)).unwrap_or_default().replace(" x", "");
        table.plain(
            "synced writes for each sale, 1/s",
            &format!("{each} ({calls} for {sales}, with the stop)"),
            "at most 2",
        );
        Ok(())
    }

    /// All lines wait in the file; the state is empty.
    pub(crate) fn drain(&self, template: &str, lines: u64, table: &mut Table) -> anyhow::Result<()> {
        let stage = self.stage(template)?;
        let pieces = load::fill(&stage.sales, lines)?;
        let begun = Moment::now().mono_ns;
        let mut agent = self.start(&stage.folder)?;
        wait_pieces(&stage, &mut agent, pieces)?;
        let (peak, cpu) = (agent.memory_kib("VmHWM")?, agent.cpu_us()?);
        rest(SETTLE);
        let us = u64::try_from((stage.sink.taken().last_ns - begun) / 1000).unwrap_or(0);
        let requests = stage.sink.taken().requests;
        agent.stop()?;
        let bare = limits::micros(limits::insert(&self.work, lines)?);
        let merged = if template == "tillsync" { "one change a line" } else { "merged" };
        let name = format!("{} lines, {merged}", grouped(lines));
        let speed = |us: u64| grouped(lines.saturating_mul(1_000_000) / us.max(1));
        let limit = format!("{}/s bare SQLite insert, one commit", speed(bare));
        table.figure(
            &name,
            &format!("{} lines/s, {} ms", speed(us), us / 1000),
            &limit,
            ratio(bare, us),
            "at least 0.50 x",
        );
        table.plain("  requests", &grouped(requests), &format!("{} if each sale had its own", grouped(lines)));
        table.plain("  CPU of the agent", &ms(cpu), "");
        table.plain("  memory, peak", &mib(peak), "under 48 MiB");
        let (lost, doubled) =
            if template == "tillsync" { by_sale(&stage.sink, lines) } else { by_pieces(&stage.sink, lines) };
        table.exact("  arrived", lost, doubled);
        Ok(())
    }

    /// The same under kill -9, at points spread over the run.
    pub(crate) fn crash(&self, lines: u64, kills: u32, table: &mut Table) -> anyhow::Result<()> {
        let stage = self.stage("tillsync")?;
        load::fill(&stage.sales, lines)?;
        let mut agent = self.start(&stage.folder)?;
        for kill in 1..=u64::from(kills) {
            let point = lines * kill / (u64::from(kills) + 1);
            wait_unique(&stage, &mut agent, point)?;
            agent.kill()?;
            rest(Duration::from_millis(100));
            agent = self.start(&stage.folder)?;
        }
        wait_unique(&stage, &mut agent, lines)?;
        rest(SETTLE);
        agent.stop()?;
        let (lost, doubled) = by_sale(&stage.sink, lines);
        let repeats = stage.sink.taken().repeats;
        table.exact(&format!("kill -9, {kills} times in {}", grouped(lines)), lost, doubled);
        table.plain("  requests repeated, key known", &grouped(repeats), "");
        Ok(())
    }

    /// Memory and CPU of an agent that has nothing to do, and its size on disk.
    pub(crate) fn idle(&self, time: Duration, table: &mut Table) -> anyhow::Result<()> {
        let stage = self.stage("tillsync")?;
        let mut agent = self.warm(&stage)?;
        rest(Duration::from_secs(4));
        let before = agent.cpu_us()?;
        rest(time);
        let used = agent.cpu_us()?.saturating_sub(before);
        agent.must_live()?;
        table.plain("memory, idle", &mib(agent.memory_kib("VmRSS")?), "under 12 MiB");
        // Hundred-thousandths of one core, printed as a percentage.
        let share = used.saturating_mul(100_000) / limits::micros(time).max(1);
        table.plain("CPU, idle", &format!("{}.{:03} % of one core", share / 1000, share % 1000), "under 0.1 %");
        agent.stop()?;
        let size = fs::metadata(&self.agent).context("cannot look at the agent's binary")?.len();
        table.plain("binary", &mib(size / 1024), "under 12 MiB");
        Ok(())
    }

    /// What is left of the machine's limits.
    pub(crate) fn machine(&self, lines: u64, table: &mut Table) -> anyhow::Result<()> {
        let sink = Sink::open()?;
        let mut steps = Probe::new(&self.work, sink.addr())?;
        for _ in 0..1000 {
            steps.once()?;
        }
        let mut commits = limits::commits(&self.work, 500)?;
        let mut wakes = limits::wakes(&self.work, 500)?;
        let pair =
            |values: &mut Vec<u64>| format!("p50 {}, p99 {}", ms(percentile(values, 50)), ms(percentile(values, 99)));
        table.figure("machine, back to back", "", &format!("append + fdatasync {}", pair(&mut steps.sync)), None, "");
        table.figure("", "", &format!("loopback POST {}", pair(&mut steps.post)), None, "");
        table.figure("", "", &format!("one-row SQLite commit {}", pair(&mut commits)), None, "");
        table.figure("", "", &format!("write to reader awake {}", pair(&mut wakes)), None, "");
        let insert = limits::micros(limits::insert(&self.work, lines)?);
        table.figure("", "", &format!("{} rows in one commit {} ms", grouped(lines), insert / 1000), None, "");
        Ok(())
    }
}

/// Two lines: the middle and the slow end.
pub(crate) fn report_latency(name: &str, (p50, p99): (u64, u64), probe: &mut Probe, table: &mut Table) {
    let (limit50, limit99) = (probe.p50(), probe.p99());
    let parts =
        format!("{} fdatasync + {} POST", ms(percentile(&mut probe.sync, 50)), ms(percentile(&mut probe.post, 50)));
    table.figure(&format!("{name}, p50"), &ms(p50), &parts, ratio(p50, limit50), "at most 1.50 x");
    let asked = format!("at most 5 x ({} of the limit's p99)", ratio(p99, limit99).unwrap_or_default());
    table.figure(
        &format!("{name}, p99"),
        &ms(p99),
        &format!("{} p50, {} p99", ms(limit50), ms(limit99)),
        ratio(p99, limit50),
        &asked,
    );
}

fn delays(sink: &Sink, first: u64, sent: &[i64]) -> Vec<u64> {
    let taken = sink.taken();
    let arrived = taken.sales.iter().skip(usize::try_from(first).unwrap_or(usize::MAX));
    sent.iter().zip(arrived).map(|(sent, (at, _))| u64::try_from((at - sent) / 1000).unwrap_or(0)).collect()
}

/// Sales that never came, and applications beyond the first.
fn by_sale(sink: &Sink, lines: u64) -> (u64, u64) {
    let taken = sink.taken();
    let repeated = taken.sales.iter().map(|(_, times)| u64::from(times.saturating_sub(1))).sum();
    (lines.saturating_sub(taken.unique), repeated)
}

/// Pieces that never came, and pieces too many, SKU by SKU.
fn by_pieces(sink: &Sink, lines: u64) -> (u64, u64) {
    let mut owed: std::collections::HashMap<Vec<u8>, i64> = std::collections::HashMap::new();
    for sale in 1..=lines {
        let (sku, pieces) = load::article(sale);
        *owed.entry(format!("SKU-{sku:05}").into_bytes()).or_default() += i64::try_from(pieces).unwrap_or(0);
    }
    let taken = sink.taken();
    for (sku, pieces) in &taken.by_sku {
        *owed.entry(sku.clone()).or_default() += pieces;
    }
    let sum = |too: fn(&i64) -> bool| owed.values().filter(|rest| too(rest)).map(|rest| rest.unsigned_abs()).sum();
    (sum(|rest| *rest > 0), sum(|rest| *rest < 0))
}

fn wait_unique(stage: &Stage, agent: &mut Agent, wanted: u64) -> anyhow::Result<()> {
    wait(stage, agent, || {
        let unique = stage.sink.taken().unique;
        (unique, unique >= wanted)
    })
}

fn wait_pieces(stage: &Stage, agent: &mut Agent, wanted: u64) -> anyhow::Result<()> {
    wait(stage, agent, || {
        let pieces = stage.sink.taken().pieces.unsigned_abs();
        (pieces, pieces >= wanted)
    })
}

fn wait(stage: &Stage, agent: &mut Agent, mut state: impl FnMut() -> (u64, bool)) -> anyhow::Result<()> {
    let (mut best, mut since) = (0, Instant::now());
    loop {
        let (now, done) = state();
        if done {
            return Ok(());
        }
        agent.must_live()?;
        if now > best {
            (best, since) = (now, Instant::now());
        }
        if since.elapsed() > STALL {
            bail!("nothing new for {} s at {best}; see {}", STALL.as_secs(), stage.folder.display());
        }
        rest(Duration::from_millis(5));
    }
}

fn mib(kib: u64) -> String {
    format!("{}.{} MiB", kib / ONE_MIB_KIB, kib % ONE_MIB_KIB * 10 / ONE_MIB_KIB)
}
