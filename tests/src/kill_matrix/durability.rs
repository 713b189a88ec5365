//! Whether commits wait for the disk, seen from outside: calls that make data durable against requests that left.
//!
//! Each batch of sales is frozen by a commit of its own before its first send. An agent that sends more batches
//! than it has made durable calls has sent something that a power cut can undo.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use crate::door::DoorSettings;
use crate::world::{Receiver, Registers, World, until};

/// Tickets, one at a time, each waiting for the one before.
const TICKETS: u32 = 24;
const ARRIVES_MAX: Duration = Duration::from_secs(30);

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// fsync, fdatasync, sync_file_range, msync.
    pub syncs: u64,
    /// Batches applied.
    pub batches: u64,
}

impl Counted {
    /// At least one for each batch.
    #[must_use]
    pub const fn is_durable(self) -> bool {
        self.syncs >= self.batches
    }
}

/// Sells and counts; `None` where strace is not installed or may not look. `broken` goes into the agent's environment.
///
/// # Errors
/// The agent ends by itself, or a file cannot be used.
pub async fn count(binary: &Path, folder: &Path, broken: Option<(&str, &str)>) -> anyhow::Result<Option<Counted>> {
    fs::create_dir_all(folder)?;
    let receiver = Receiver::door(DoorSettings::default()).await?;
    let mut world = World::new(binary, folder, receiver, Registers::plain(folder, &["A".to_owned()], 1))?;
    if let Some((name, value)) = broken {
        world.setup = world.setup.env(name, value);
    }
    let door = world.receiver.as_door()?.clone();
    let mut till = world.registers.first()?;
    let agent = world.setup.start()?;
    // Past the making of the database.
    till.ring_up()?;
    until("the first ticket arrives", ARRIVES_MAX, || Ok(door.stats().applied_batches == 1)).await?;
    let trace = folder.join("strace");
    let Some(mut tracer) = attach(agent.pid(), &trace).await? else { return Ok(None) };
    for sold in 0..TICKETS {
        till.ring_up()?;
        until("a ticket arrives", ARRIVES_MAX, || Ok(door.stats().applied_batches > u64::from(sold) + 1)).await?;
    }
    agent.kill()?;
    tracer.wait().context("cannot wait for strace")?;
    let text = fs::read_to_string(&trace).context("strace left nothing")?;
    let calls = text.lines().filter(|line| line.contains('(') && !line.contains("resumed")).count();
    Ok(Some(Counted { syncs: u64::try_from(calls)?, batches: u64::from(TICKETS) }))
}

async fn attach(pid: u32, trace: &Path) -> anyhow::Result<Option<std::process::Child>> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o"]).arg(trace);
    command.arg("-p").arg(pid.to_string());
    let Ok(mut tracer) = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn() else { return Ok(None) };
    loop {
        if tracer.try_wait().context("cannot ask for strace")?.is_some() {
            return Ok(None);
        }
        if all_threads_traced(pid) {
            return Ok(Some(tracer));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn all_threads_traced(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
    })
}
