//! The simulation; the program is in the package `sim`, built for speed.

use clap::Args;

use crate::say;
use crate::shell;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many seeds, beside those that once failed
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Years of each store
    #[arg(long, default_value_t = 1)]
    years: u64,
    /// Break each rule of the design in turn and count the seeds until it is caught
    #[arg(long)]
    controls: bool,
    /// Passed on to the program
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    say::step("Building the simulation");
    let mut build = shell::cargo();
    build.args(["build", "--profile", "perf", "--package", "sim"]);
    if options.controls {
        // In a folder of its own: no control build may be taken for another one.
        build.args(["--features", "negative-controls", "--target-dir"]).arg(shell::target().join("controls"));
    }
    shell::run(&mut build)?;
    let folder = if options.controls { shell::target().join("controls") } else { shell::target() };
    let mut command = shell::command(folder.join("perf").join(format!("sim{}", std::env::consts::EXE_SUFFIX)));
    if options.controls {
        command.args(["--controls", "--days", "60"]);
    } else {
        command.args(["--seeds", &options.seeds.to_string(), "--years", &options.years.to_string()]);
    }
    command.args(&options.rest);
    shell::hand_over_to(command)
}
