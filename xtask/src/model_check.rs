//! The model check; the program is in the package `model-check`, built for speed.

use clap::Args;

use crate::say;
use crate::shell;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only cases that take a second or two
    #[arg(long)]
    quick: bool,
    /// Passed on to the program
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    say::step("Building model-check");
    shell::run(shell::cargo().args(["build", "--profile", "perf", "--package", "model-check"]))?;
    let program = format!("model-check{}", std::env::consts::EXE_SUFFIX);
    let mut command = shell::command(shell::target().join("perf").join(program));
    if options.quick {
        command.arg("--quick");
    }
    command.args(&options.rest);
    shell::hand_over_to(command)
}
