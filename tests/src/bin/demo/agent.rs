//! The real agent as a child process, with a configuration made for this run.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use system_tests::shop::StandInShop;

use crate::TOKEN;
use crate::registers::Registers;

/// The environment variable that the configuration refers to.
const TOKEN_NAME: &str = "TILLSYNC_DEMO_TOKEN";
/// How long the agent may take to come up.
const START_MAX: Duration = Duration::from_secs(20);
/// How long it may take to stop when told to.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Port of the status page, if it is free.
const USUAL_PORT: u16 = 7737;

/// Running; killed when dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    status: SocketAddr,
    child: Child,
}

impl Agent {
    /// Writes the configuration, starts the agent and waits until it says that it is up.
    pub(crate) async fn start(
        binary: &Path,
        work: &Path,
        shop: &StandInShop,
        registers: &Registers,
    ) -> anyhow::Result<Self> {
        let status = free_address()?;
        let (config, log) = (work.join("agent.toml"), work.join("agent.log"));
        let text = format!(
            "[store]\nid = \"demo\"\n\n[state]\npath = {:?}\n\n{}\n[[platform]]\nkind = \"shopify\"\nbase_url = {:?}\nlocation = {:?}\ntoken = \"env:{TOKEN_NAME}\"\n\n[status]\nlisten = \"{status}\"\n\n[log]\nformat = \"human\"\n",
            work.join("state").display().to_string(),
            registers.source_tables(),
            shop.url(),
            shop.location(),
        );
        fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = out.try_clone().context("cannot share the log file")?;
        let mut command = Command::new(binary);
        command.arg("run").arg("--config").arg(&config).env(TOKEN_NAME, TOKEN);
        command.stdin(Stdio::null()).stdout(out).stderr(errors);
        out_of_reach(&mut command);
        let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let mut agent = Self { binary: binary.to_path_buf(), config, log, status, child };
        agent.wait_until_up().await?;
        Ok(agent)
    }

    /// Address of the status page.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.status)
    }

    /// # Errors
    /// It has ended.
    pub(crate) fn must_live(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("cannot ask for the agent")? {
            None => Ok(()),
            Some(status) => bail!("the agent ended by itself ({status}); its log ends:\n{}", self.last_words()),
        }
    }

    /// Stops it as a service manager does, then asks the program for its count; whether it adds up.
    pub(crate) async fn stop_and_audit(mut self) -> anyhow::Result<bool> {
        self.must_live()?;
        terminate(&mut self.child)?;
        let deadline = Instant::now() + STOP_MAX;
        while self.child.try_wait().context("cannot ask for the agent")?.is_none() {
            if Instant::now() > deadline {
                bail!("the agent did not stop; its log ends:\n{}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let audit = Command::new(&self.binary)
            .args(["audit", "--json", "--config"])
            .arg(&self.config)
            .env(TOKEN_NAME, TOKEN)
            .output()
            .context("cannot run the audit")?;
        let said: serde_json::Value = serde_json::from_slice(&audit.stdout)
            .with_context(|| format!("the audit said: {}", String::from_utf8_lossy(&audit.stderr)))?;
        Ok(said["conserved"] == true)
    }

    async fn wait_until_up(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_MAX;
        while !self.is_up() {
            self.must_live()?;
            if Instant::now() > deadline {
                bail!("the agent did not come up; its log ends:\n{}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn is_up(&self) -> bool {
        let ask = || {
            use std::io::{Read as _, Write as _};
            let mut line = TcpStream::connect(self.status)?;
            line.set_read_timeout(Some(Duration::from_secs(2)))?;
            write!(line, "GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.status)?;
            let mut answer = String::new();
            line.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(15)).copied().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    let usual = TcpListener::bind((Ipv4Addr::LOCALHOST, USUAL_PORT));
    let listener = usual.or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).context("cannot find a free port")?;
    listener.local_addr().context("a listening socket has no address")
}

/// Ctrl-C is for the demo: the agent is told later, once the last sales have arrived.
#[cfg(unix)]
fn out_of_reach(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(windows)]
fn out_of_reach(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;
    /// `CREATE_NEW_PROCESS_GROUP`
    const NEW_GROUP: u32 = 0x0000_0200;
    command.creation_flags(NEW_GROUP);
}

#[cfg(unix)]
fn terminate(child: &mut Child) -> anyhow::Result<()> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .context("the agent has no process id")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("cannot stop the agent")
}

#[cfg(not(unix))]
fn terminate(child: &mut Child) -> anyhow::Result<()> {
    child.kill().context("cannot stop the agent")
}
