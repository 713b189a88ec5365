//! `cargo xtask demo`: builds the agent and the demo's driver, then becomes the driver.

use clap::Args;

use crate::build::{self, Doubles};
use crate::contracts;
use crate::shell;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// End by itself after so many seconds, with success only if every sale arrived exactly once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: Option<u64>,
    /// Keep the folder with the sale files, the configuration and the agent's database
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let agent = build::agent()?;
    let driver = build::doubles(Doubles::Dev, &["demo"])?.remove(0);
    let mut command = shell::command(driver);
    command.arg("--agent").arg(agent).arg("--work").arg(shell::target().join("demo"));
    if let Some(contracts) = contracts::present() {
        command.env(contracts::VARIABLE, contracts);
    }
    if let Some(seconds) = options.seconds {
        command.arg("--seconds").arg(seconds.to_string());
    }
    if options.keep {
        command.arg("--keep");
    }
    shell::hand_over_to(command)
}
