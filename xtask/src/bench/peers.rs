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
    (
        "tillsync-csv",
        "csv",
        r#""--key-header", "idempotency-key""#,
    ),
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
    shell::run(
        shell::cargo()
            .args(["build", "--release", "--target-dir", "target"])
            .current_dir(work.join("sink")),
    )?;
    let python = python(&work)?;
    let harness = Harness {
        work,
        python,
        agent: agent.to_path_buf(),
    };
    let peers = installed();
    say::line(&format!("beside: {}", peers.join(", ")));
    harness.measure(&peers, quick)
}

struct Harness {
    work: PathBuf,
    python: PathBuf,
    agent: PathBuf,
}

impl Harness {
    fn measure(&self, peers: &[&str], quick: bool) -> anyhow::Result<()> {
        let results = self.work.join("out").join("results.jsonl");
        if results.is_file() {
            fs::remove_file(&results)
                .with_context(|| format!("cannot remove {}", results.display()))?;
        }
        let single: Vec<&str> = ["tillsync"].iter().chain(peers).copied().collect();
        let both: Vec<&str> = ["tillsync", "tillsync-csv"]
            .iter()
            .chain(peers)
            .copied()
            .collect();
        let (lines, crash, repeat, samples, idle) = if quick {
            ("100000", "50000", "2", "60", "10")
        } else {
            ("1000000", "200000", "10", "0", "60")
        };
        self.bench("limits", &[], &["--repeat", if quick { "1" } else { "3" }])?;
        self.bench("latency", &single, &["--n", samples])?;
        self.bench(
            "drain",
            &both,
            &["--lines", lines, "--repeat", if quick { "1" } else { "3" }],
        )?;
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
        command
            .current_dir(&self.work)
            .arg("bench.py")
            .arg(test)
            .args(peers)
            .args(options);
        command
            .env("AGENT", &self.agent)
            .env("BENCH_PYTHON", &self.python);
        command.env(
            "BENCH_BIN",
            self.work.join("sink").join("target").join("release"),
        );
        if let Err(error) = shell::run(&mut command) {
            say::problem(&format!("{error:#}"));
        }
        Ok(())
    }
}

/// Peers that are installed or can be.
fn installed() -> Vec<&'static str> {
    let mut peers = vec!["floor", "python"];
    let debian = [
        ("rsyslogd", "rsyslog", &["rsyslog"][..]),
        (
            "syslog-ng",
            "syslogng-tuned",
            &["syslog-ng-core", "syslog-ng-mod-http"][..],
        ),
    ];
    for (program, peer, packages) in debian {
        if shell::find(program).is_none() && shell::may_install() {
            say::step(&format!("Installing {}", packages.join(" ")));
            if let Err(error) = shell::install(packages) {
                say::problem(&format!("left out: {peer}: {error:#}"));
            }
        }
        if shell::find(program).is_some() {
            peers.push(peer);
        }
    }
    if shell::find("fluent-bit").is_some() {
        peers.extend(["fluentbit", "fluentbit-tuned"]);
    } else {
        say::problem("left out: Fluent Bit is not installed");
    }
    peers
}

/// A Python with what the script among the peers needs, in a folder of its own.
fn python(work: &Path) -> anyhow::Result<PathBuf> {
    let folder = work.join("venv");
    let python = folder.join("bin").join("python3");
    if !python.is_file() {
        say::step("Installing watchdog and requests for the Python peer");
        shell::run(shell::command("python3").args(["-m", "venv"]).arg(&folder))?;
        shell::run(
            shell::command(&python)
                .args(["-m", "pip", "install", "--quiet", "watchdog", "requests"]),
        )?;
    }
    Ok(python)
}

/// Our entries and configurations, beside those of the peers.
fn enter(work: &Path) -> anyhow::Result<()> {
    let path = work.join("peers.toml");
    let mut peers = OpenOptions::new()
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    for (name, format, sink) in OURS {
        let template = format!("{name}.toml");
        let from = shell::root().join("xtask").join("bench").join(&template);
        let to = work.join("peers").join(&template);
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        let table = format!(
            "\n[{name}]\nstart = [\"@ENV:AGENT=tillsync@\", \"run\", \"--config\", \"@WORK@/agent.toml\"]\n\
             files = {{ \"agent.toml\" = \"{template}\" }}\nformat = \"{format}\"\nsink = [{sink}]\nsize = [\"@ENV:AGENT=tillsync@\"]\n"
        );
        peers
            .write_all(table.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
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
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            fs::write(&target, bytes)
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}
