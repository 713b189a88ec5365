//! The long-running proofs; the programs are in the `system-tests` package, built for speed.

use clap::Args;

use crate::build::{self, Doubles};
use crate::contracts;
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
    command.args(&options.rest);
    shell::hand_over_to(command)
}
