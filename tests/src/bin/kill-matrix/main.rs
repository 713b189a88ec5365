//! The kill matrix and its negative controls, as a program: `cargo xtask kill-matrix`.
//!
//! Without `--control` it runs every case against the agent's release binary and fails if one is not exact or if a
//! crash point was never hit. With `--control` it runs a build with one rule broken and fails if nothing notices.

mod build;
mod control;
mod matrix;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use system_tests::kill_matrix::{Action, Case, Limits, Scenario, cases, points, source_folder};

/// Kills the agent at every step, restarts it, and counts.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The agent's binary; without it the release build is made first
    #[arg(long)]
    agent: Option<PathBuf>,
    /// Only these crash points
    #[arg(long, value_delimiter = ',')]
    points: Vec<String>,
    /// kill, error, enospc, eio
    #[arg(long, value_delimiter = ',', default_value = "kill,error,enospc,eio")]
    actions: Vec<Action>,
    /// At which passings of a point, from 1
    #[arg(long, value_delimiter = ',', default_value = "1,3")]
    occurrences: Vec<u32>,
    /// Each point once with kill and once with a full disk
    #[arg(long)]
    quick: bool,
    /// Let the shop take the changes in place of the door, with keys that it says were used for something else
    #[arg(long)]
    shop: bool,
    /// Longest that a case may take to bring everything to the shop
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// Cases at the same time
    #[arg(long, default_value_t = 2)]
    parallel: usize,
    /// Break one rule (cursor-first, fresh-key, regroup, random-ids, no-fsync, or all) and see that it is noticed
    #[arg(long)]
    control: Option<String>,
    /// Most cases until a control must have been noticed
    #[arg(long, default_value_t = 40)]
    cases: usize,
    /// Folder for the files of the run; those of failed cases are kept
    #[arg(long)]
    work: Option<PathBuf>,
}

impl Arguments {
    fn limits(&self) -> Limits {
        Limits { drain: Duration::from_secs(self.seconds), ..Limits::default() }
    }

    fn plan(&self) -> anyhow::Result<Vec<Case>> {
        let known = points(&source_folder())?;
        for name in &self.points {
            anyhow::ensure!(known.contains(name), "there is no crash point `{name}`; there are {}", known.join(", "));
        }
        let wanted = if self.points.is_empty() { &known } else { &self.points };
        let mut plan = if self.quick {
            cases(wanted, &[Action::Kill, Action::DiskFull], &[1])
        } else {
            cases(wanted, &self.actions, &self.occurrences)
        };
        for case in plan.iter_mut().filter(|case| self.shop && case.scenario == Scenario::Door) {
            case.scenario = Scenario::Conflicts;
        }
        Ok(plan)
    }

    fn work(&self) -> anyhow::Result<PathBuf> {
        let folder = match &self.work {
            Some(folder) => folder.clone(),
            None => std::env::temp_dir(),
        };
        let folder = folder.join(format!("kill-matrix-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 6)]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let work = arguments.work()?;
    let good = match &arguments.control {
        Some(name) => control::run(name, &arguments, &work).await?,
        None => matrix::run(&arguments, &work).await?,
    };
    if good {
        remove(&work)?;
    } else {
        say(&format!("kept: {}", work.display()));
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) fn remove(folder: &Path) -> anyhow::Result<()> {
    std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// The program's output.
pub(crate) fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}
