//! The agent beside its peers, with the harness of `../shared/bench`: copied to `target/bench/peers`, never changed
//! in place and no part of the project.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::say;
use crate::shell;

/// Our entries: name, format, what the sink is told.
const OURS: [(&str, &str, &str); 3] = [
    ("tillsync", "jsonl", r#""--key-header", "idempotency-key""#),
    (
        "tillsync-merged",
        "jsonl",
        r#""--key-header", "idempotency-key", "--id-regex", '"sku":"(?P<sku>[^"]+)","delta":"(?P<qty>-?\d+)'"#,
    ),
    ("tillsync-csv", "csv", r#""--key-header", "idempotency-key""#),
];

pub(super) fn run(agent: &Path, quick: bool) -> anyhow::Result<()> {
    let from = shell::root().join("..").join("shared").join("bench");
    if !from.join("bench.py").is_file() {
        bail!(
            "there is no ../shared/bench: the rows of the peers are left out; `cargo xtask bench` measures without it"
        );
    }
    let work = shell::target().join("bench").join("peers");
    copy(&from, &work)?;
    enter(&work)?;
    say::step("Building the harness (sink, load, limits, floor)");
    shell::run(shell::cargo().args(["build", "--release", "--target-dir", "target"]).current_dir(work.join("sink")))?;
    let python = python(&work)?;
    let (peers, env) = peers(&work);
    let harness = Harness { work, python, agent: agent.to_path_buf(), env };
    say::line(&format!("beside: {}", peers.join(", ")));
    harness.measure(&peers, quick)
}

struct Harness {
    work: PathBuf,
    python: PathBuf,
    agent: PathBuf,
    env: Vec<(&'static str, PathBuf)>,
}

impl Harness {
    fn measure(&self, peers: &[&str], quick: bool) -> anyhow::Result<()> {
        let results = self.work.join("out").join("results.jsonl");
        if results.is_file() {
            fs::remove_file(&results).with_context(|| format!("cannot remove {}", results.display()))?;
        }
        let single: Vec<&str> = ["tillsync"].iter().chain(peers).copied().collect();
        let both: Vec<&str> = ["tillsync", "tillsync-csv"].iter().chain(peers).copied().collect();
        let (lines, crash, repeat, samples, idle) =
            if quick { ("100000", "50000", "2", "60", "10") } else { ("1000000", "200000", "10", "0", "60") };
        self.bench("limits", &[], &["--repeat", if quick { "1" } else { "3" }])?;
        self.bench("latency", &single, &["--n", samples])?;
        self.bench("drain", &both, &["--lines", lines, "--repeat", if quick { "1" } else { "3" }])?;
        self.bench("idle", &single, &["--seconds", idle])?;
        self.bench("syncs", &single, &[])?;
        self.bench("crash", &single, &["--lines", crash, "--repeat", repeat])?;
        self.bench("ackloss", &single, &["--lines", crash])?;
        say::line("\nMedians [least..most]");
        self.bench("report", &[], &[])
    }

    /// A peer that fails says so in its row; the others go on.
    fn bench(&self, test: &str, peers: &[&str], options: &[&str]) -> anyhow::Result<()> {
        let mut command = shell::command(&self.python);
        command.current_dir(&self.work).arg("bench.py").arg(test).args(peers).args(options);
        command.env("AGENT", &self.agent).env("BENCH_PYTHON", &self.python);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.env("BENCH_BIN", self.work.join("sink").join("target").join("release"));
        if let Err(error) = shell::run(&mut command) {
            say::problem(&format!("{error:#}"));
        }
        Ok(())
    }
}

/// A peer from Debian's packages.
struct Packaged {
    peer: &'static str,
    packages: &'static [&'static str],
    program: &'static str,
    modules: &'static str,
    /// Names under which `peers.toml` asks for the program and its modules.
    names: [&'static str; 2],
}

const PACKAGED: [Packaged; 2] = [
    Packaged {
        peer: "rsyslog",
        packages: &["rsyslog", "rsyslog-elasticsearch"],
        program: "usr/sbin/rsyslogd",
        modules: "usr/lib/x86_64-linux-gnu/rsyslog",
        names: ["RSYSLOGD", "RSYSLOG_MODULES"],
    },
    Packaged {
        peer: "syslogng-tuned",
        packages: &["syslog-ng-core", "syslog-ng-mod-http"],
        program: "usr/sbin/syslog-ng",
        modules: "usr/lib/syslog-ng/3.38",
        names: ["SYSLOG_NG", "SYSLOG_NG_MODULES"],
    },
];

/// Peers that can be had, and the environment in which they are found.
fn peers(work: &Path) -> (Vec<&'static str>, Vec<(&'static str, PathBuf)>) {
    let (mut peers, mut env, mut libraries) = (vec!["floor", "python"], Vec::new(), Vec::new());
    for packaged in &PACKAGED {
        // Unpacked, not installed: Debian's system loggers exclude each other.
        let folder = work.join("debian").join(packaged.peer);
        if let Err(error) = unpack(packaged.packages, &folder) {
            say::problem(&format!("left out: {}: {error:#}", packaged.peer));
            continue;
        }
        peers.push(packaged.peer);
        env.push((packaged.names[0], folder.join(packaged.program)));
        env.push((packaged.names[1], folder.join(packaged.modules)));
        libraries.push(folder.join("usr/lib/x86_64-linux-gnu"));
        libraries.push(folder.join("usr/lib/syslog-ng"));
    }
    let libraries = std::env::join_paths(libraries).unwrap_or_default();
    env.push(("SYSLOG_NG_LIB", libraries.clone().into()));
    env.push(("LD_LIBRARY_PATH", libraries.into()));
    if shell::find("fluent-bit").is_some() {
        peers.extend(["fluentbit", "fluentbit-tuned"]);
    } else {
        say::problem("left out: Fluent Bit is not installed");
    }
    (peers, env)
}

/// Fetches Debian packages, and those below them that are not installed, and unpacks all of them into the folder.
fn unpack(packages: &[&str], folder: &Path) -> anyhow::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    say::step(&format!("Fetching {}", packages.join(" ")));
    let part = folder.with_extension("part");
    fs::create_dir_all(&part).with_context(|| format!("cannot make the folder {}", part.display()))?;
    let below = shell::output(
        shell::command("apt-cache").arg("depends").args(FIRM_ONLY.map(|kind| format!("--{kind}"))).args(packages),
    )?;
    let names = below.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()));
    let missing: Vec<&str> = names.filter(|name| packages.contains(name) || !is_installed(name)).collect();
    shell::run(shell::command("apt-get").args(["download", "-q"]).args(missing).current_dir(&part))?;
    for entry in fs::read_dir(&part).with_context(|| format!("cannot read {}", part.display()))? {
        let path = entry.with_context(|| format!("cannot read {}", part.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            shell::run(shell::command("dpkg").arg("-x").arg(&path).arg(&part))?;
        }
    }
    fs::rename(&part, folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Only what a package cannot do without.
const FIRM_ONLY: [&str; 7] =
    ["recurse", "no-recommends", "no-suggests", "no-conflicts", "no-breaks", "no-replaces", "no-enhances"];

fn is_installed(package: &str) -> bool {
    let asked = shell::command("dpkg-query").args(["-W", "-f", "${Status}", package]).output();
    asked.is_ok_and(|answer| answer.stdout.ends_with(b" installed"))
}

/// A Python with what the script among the peers needs, in a folder of its own.
fn python(work: &Path) -> anyhow::Result<PathBuf> {
    let folder = work.join("venv");
    let python = folder.join("bin").join("python3");
    if !python.is_file() {
        say::step("Installing watchdog and requests for the Python peer");
        shell::run(shell::command("python3").args(["-m", "venv"]).arg(&folder))?;
        shell::run(shell::command(&python).args(["-m", "pip", "install", "--quiet", "watchdog", "requests"]))?;
    }
    Ok(python)
}

/// Our entries and configurations, beside those of the peers.
fn enter(work: &Path) -> anyhow::Result<()> {
    let path = work.join("peers.toml");
    let mut peers =
        OpenOptions::new().append(true).open(&path).with_context(|| format!("cannot write {}", path.display()))?;
    for (name, format, sink) in OURS {
        let template = format!("{name}.toml");
        let from = shell::root().join("xtask").join("bench").join(&template);
        let to = work.join("peers").join(&template);
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        let table = format!(
            "\n[{name}]\nstart = [\"@ENV:AGENT=tillsync@\", \"run\", \"--config\", \"@WORK@/agent.toml\"]\n\
             files = {{ \"agent.toml\" = \"{template}\" }}\nformat = \"{format}\"\nsink = [{sink}]\nsize = [\"@ENV:AGENT=tillsync@\"]\n"
        );
        peers.write_all(table.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Files newer than in an earlier copy are replaced; what was built there stays.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make the folder {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            if entry.file_name() != "target" && entry.file_name() != "out" {
                copy(&path, &target)?;
            }
        } else {
            // A plain write: the copy must be writable even where the original is not.
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            fs::write(&target, bytes).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}
