//! What the system says about the agent's process.

use std::fs;
use std::path::Path;

use anyhow::Context;
use system_tests::world::{self, Setup};

/// The environment variable that configurations refer to, and the stand-in's token.
pub(crate) const TOKEN: (&str, &str) = (world::TOKEN_NAME, world::TOKEN);

/// The agent as a child process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Agent(world::Agent);

impl Agent {
    /// Starts it with the `agent.toml` of the folder.
    pub(crate) fn start(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        Setup::new(binary, folder).env(TOKEN.0, TOKEN.1).start().map(Self)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid()
    }

    pub(crate) fn must_live(&mut self) -> anyhow::Result<()> {
        self.0.must_live()
    }

    /// SIGKILL.
    pub(crate) fn kill(self) -> anyhow::Result<()> {
        self.0.kill()
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().context("cannot start a runtime")?;
        runtime.block_on(self.0.terminate())
    }

    /// CPU time of all its threads, in microseconds.
    pub(crate) fn cpu_us(&self) -> anyhow::Result<u64> {
        let folder = format!("/proc/{}/task", self.pid());
        let mut nanos = 0_u64;
        for thread in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
            // A thread may end meanwhile.
            let Ok(text) = thread.and_then(|thread| fs::read_to_string(thread.path().join("schedstat"))) else {
                continue;
            };
            nanos += text.split_ascii_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(nanos / 1000)
    }

    /// A memory figure such as `VmRSS` or `VmHWM`, in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.pid());
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
            .with_context(|| format!("no {name} in {path}"))
    }
}
