//! The agent as a child process, and what the system says about it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::load::rest;

/// How long it may take to stop.
const STOP_TRIES: u32 = 500;

/// Running; killed when dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
}

impl Agent {
    pub(crate) fn start(binary: &Path, config: &Path, log: &Path) -> anyhow::Result<Self> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let errors = out.try_clone().context("cannot share the log file")?;
        let mut command = Command::new(binary);
        command
            .arg("run")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors);
        command.env("TILLSYNC_BENCH_TOKEN", "stand-in-token");
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self { child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn must_live(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("cannot ask for the agent")? {
            None => Ok(()),
            Some(status) => {
                bail!("the agent ended by itself: {status}; its log is in the work folder")
            }
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot kill the agent")?;
        self.child.wait().context("cannot wait for the agent")?;
        Ok(())
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.must_live()?;
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .context("the agent has no process id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .context("cannot stop the agent")?;
        for _ in 0..STOP_TRIES {
            if self
                .child
                .try_wait()
                .context("cannot ask for the agent")?
                .is_some()
            {
                return Ok(());
            }
            rest(Duration::from_millis(20));
        }
        bail!("the agent did not stop")
    }

    /// CPU time of all its threads, in microseconds.
    pub(crate) fn cpu_us(&self) -> anyhow::Result<u64> {
        let folder = format!("/proc/{}/task", self.pid());
        let mut nanos = 0_u64;
        for thread in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
            // A thread may end meanwhile.
            let Ok(text) =
                thread.and_then(|thread| fs::read_to_string(thread.path().join("schedstat")))
            else {
                continue;
            };
            nanos += text
                .split_ascii_whitespace()
                .next()
                .and_then(|word| word.parse::<u64>().ok())
                .unwrap_or(0);
        }
        Ok(nanos / 1000)
    }

    /// A memory figure such as `VmRSS` or `VmHWM`, in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.pid());
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
            .with_context(|| format!("no {name} in {path}"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
