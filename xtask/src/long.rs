//! The long-running proofs; the programs are in the `system-tests` package, built for speed.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::build::{self, Doubles};
use crate::contracts;
use crate::say;
use crate::shell;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A short run: fewer occurrences of each fault
    #[arg(long)]
    quick: bool,
    /// Passed on to the program
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(program: &str, options: &Options) -> anyhow::Result<()> {
    let folder = contracts::provide()?;
    let path = build::doubles(Doubles::Release, &[program])?.remove(0);
    let mut command = shell::command(path);
    if let Some(folder) = folder {
        command.env(contracts::VARIABLE, folder);
    }
    if options.quick {
        command.arg("--quick");
    }
    if program == "soak" {
        let calendar = shell::target().join("soak-calendar");
        match library() {
            Some(library) => {
                std::fs::write(&calendar, "+0\n").context("cannot write the calendar")?;
                command.arg("--calendar").arg(&calendar);
                command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &calendar);
                command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_CACHE_DURATION", "1");
            }
            None => say::step("Without libfaketime nothing passes its retention: growth of the database is not judged"),
        }
    }
    command.args(&options.rest);
    shell::hand_over_to(command)
}

/// libfaketime, from Debian's package of that name.
fn library() -> Option<PathBuf> {
    let find = || {
        let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
        folders.map(|folder| folder.join("faketime").join("libfaketimeMT.so.1")).find(|path| path.is_file())
    };
    find().or_else(|| {
        if shell::may_install() {
            say::step("Installing libfaketime");
            shell::install(&["libfaketime"]).ok()?;
        }
        find()
    })
}
