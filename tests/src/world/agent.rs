//! The real agent as a child process: configured, armed, killed, stopped and asked for its count.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;

/// How long it may take to stop when told to.
const STOP_MAX: Duration = Duration::from_secs(20);
/// Overrides the level of the agent's log, to find out why a test failed.
const LOG_LEVEL: &str = "TILLSYNC_TEST_LOG";
/// Lines of the log that an error shows.
const LAST_WORDS: usize = 25;

/// The agent's own count, as far as tests look at it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Audit {
    /// Both counts agree.
    pub conserved: bool,
    /// Transactions in the ledger.
    pub transactions: u64,
    /// Records that wait for a person.
    pub quarantined_records: i64,
    /// Each lane.
    pub lanes: Vec<LaneAudit>,
}

/// One lane's count, in lines.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct LaneAudit {
    /// Recorded since the lane exists.
    pub recorded: i64,
    /// In effect on the platform.
    pub delivered: i64,
    /// In a live batch.
    pub in_flight: i64,
    /// Waiting.
    pub waiting: i64,
    /// Dead letters that wait for a person.
    pub dead_letters: i64,
}

impl Audit {
    /// Nothing is left that could still be sent.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.lanes.iter().all(|lane| lane.in_flight == 0 && lane.waiting == 0)
    }

    /// Sum over the lanes.
    #[must_use]
    pub fn dead_letters(&self) -> i64 {
        self.lanes.iter().map(|lane| lane.dead_letters).sum()
    }
}

/// How the agent is started: binary, configuration, environment.
#[derive(Debug, Clone)]
pub struct Setup {
    binary: PathBuf,
    folder: PathBuf,
    env: Vec<(String, String)>,
    top: String,
    retention_days: Option<u32>,
}

impl Setup {
    /// Of this binary, with all its files in the folder.
    #[must_use]
    pub fn new(binary: &Path, folder: &Path) -> Self {
        Self {
            binary: binary.to_path_buf(),
            folder: folder.to_path_buf(),
            env: Vec::new(),
            top: String::new(),
            retention_days: None,
        }
    }

    /// With this in the environment of every run.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With these tables in front of the others at the next [`Self::configure`].
    #[must_use]
    pub fn tables(mut self, text: &str) -> Self {
        text.clone_into(&mut self.top);
        self
    }

    /// With this retention.
    #[must_use]
    pub fn retention_days(mut self, days: u32) -> Self {
        self.retention_days = Some(days);
        self
    }

    /// The state folder.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.state().join("tillsync.db")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("agent.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("agent.log")
    }

    fn crash_log(&self) -> PathBuf {
        self.folder.join("crash.log")
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn configure(&self, sources: &str, platforms: &str) -> anyhow::Result<()> {
        let retention = self
            .retention_days
            .map(|days| format!("retention_days = {days}\nbatch_history_days = {days}\n"))
            .unwrap_or_default();
        let text = format!(
            "[store]\nid = \"test\"\n\n[state]\npath = {:?}\ndisk_reserve_mb = 16\n{retention}\n[status]\nlisten = \"off\"\n\n[log]\nformat = \"human\"\nlevel = \"{}\"\n\n[look_up]\nretry = {{ first = \"10s\", most = \"10s\" }}\n\n{}\n{sources}\n{platforms}",
            self.state().display().to_string(),
            std::env::var(LOG_LEVEL).unwrap_or_else(|_| "info".to_owned()),
            self.top
        );
        fs::write(self.config(), text).context("cannot write the agent's configuration")
    }

    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self) -> anyhow::Result<Agent> {
        self.start_with(&[])
    }

    /// Starts it with this crash point armed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_armed(&self, point: &str, action: &str, occurrence: u32) -> anyhow::Result<Agent> {
        let crash_log = self.crash_log();
        self.start_with(&[
            ("TILLSYNC_CRASH", OsStr::new(&format!("{point}:{action}:{occurrence}"))),
            ("TILLSYNC_CRASH_LOG", crash_log.as_os_str()),
        ])
    }

    /// Whether the armed point was hit.
    #[must_use]
    pub fn point_was_hit(&self) -> bool {
        fs::metadata(self.crash_log()).is_ok_and(|found| found.len() > 0)
    }

    fn start_with(&self, more: &[(&str, &OsStr)]) -> anyhow::Result<Agent> {
        let log = self.log();
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let errors = out.try_clone().context("cannot share the log file")?;
        let mut command = self.program();
        command.args(["run", "--config"]).arg(self.config()).envs(more.iter().copied());
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        Ok(Agent { child, log })
    }

    fn program(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command beside the agent, e.g. `["backup"]`, with its configuration.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn command(&self, words: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.program();
        command.args(words).arg("--config").arg(self.config()).stdin(Stdio::null());
        command.output().with_context(|| format!("cannot run {words:?}"))
    }

    /// The agent's own count. Before there is a database it is empty and not conserved.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn audit(&self) -> anyhow::Result<Audit> {
        if !self.database().exists() {
            return Ok(Audit::default());
        }
        let output = self.command(&["audit", "--json"])?;
        // The agent is just making it.
        if output.stdout.is_empty() && String::from_utf8_lossy(&output.stderr).contains("no such table") {
            return Ok(Audit::default());
        }
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("the audit said: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The log of all runs so far.
    #[must_use]
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

/// How a run ended.
pub type Ended = ExitStatus;

/// A running agent; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether and how it has ended.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> anyhow::Result<Option<Ended>> {
        self.child.try_wait().context("cannot ask for the agent")
    }

    /// # Errors
    /// It has ended.
    pub fn must_live(&mut self) -> anyhow::Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("the agent ended by itself ({status}); its log ends:\n{}", self.last_words()),
        }
    }

    /// Ends it at once, with nothing flushed.
    ///
    /// # Errors
    /// The system says no.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot kill the agent")?;
        self.child.wait().context("cannot wait for the agent")?;
        Ok(())
    }

    /// Stops it as a service manager does.
    ///
    /// # Errors
    /// It does not end in time, or not with success.
    pub async fn terminate(mut self) -> anyhow::Result<()> {
        self.must_live()?;
        self.signal()?;
        let ended = self.wait(STOP_MAX).await?;
        anyhow::ensure!(ended.success(), "the agent ended with {ended}; its log ends:\n{}", self.last_words());
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn wait(&mut self, most: Duration) -> anyhow::Result<Ended> {
        let deadline = Instant::now() + most;
        loop {
            if let Some(ended) = self.ended()? {
                return Ok(ended);
            }
            if Instant::now() > deadline {
                bail!("the agent does not end; its log ends:\n{}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[cfg(unix)]
    fn signal(&self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .context("the agent has no process id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("cannot stop the agent")
    }

    #[cfg(not(unix))]
    fn signal(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot stop the agent")
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
