//! Project commands: `cargo xtask demo`, `test`, `services`, `shops`, `lint`, `check-targets`, `bench`, `fuzz`, `kill-matrix`,
//! `model-check`, `sim`, `soak`, `docs`.
//!
//! Owns how the project is built, run and measured on a developer's machine and in CI. Links nothing of the
//! product: it starts programs, so that it compiles in seconds and cannot see more than a user sees.

mod bench;
mod build;
mod contracts;
mod demo;
mod docs;
mod fuzz;
mod long;
mod model_check;
mod say;
mod services;
mod shell;
mod shops;
mod sim;
mod targets;
mod tests;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Project commands", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sell on three registers, lose the shop for a while, and count what arrived
    Demo(demo::Options),
    /// Install what the tests need, then run all of them
    Test(tests::Options),
    /// Real database servers for the tests, started by hand
    Services {
        #[command(subcommand)]
        action: services::Action,
    },
    /// Real shops for the tests, started by hand
    Shops {
        #[command(subcommand)]
        action: shops::Action,
    },
    /// Formatting and lints, as warnings that fail
    Lint,
    /// Compile the agent for Windows and 32-bit ARM
    CheckTargets,
    /// Measure latency, throughput, memory and crash safety beside the machine's own limits
    Bench(bench::Options),
    /// Look for inputs that break a parser
    Fuzz(fuzz::Options),
    /// Kill the release binary at every named crash point and count what arrived
    KillMatrix(long::Options),
    /// Search the models of the protocol exhaustively
    ModelCheck(model_check::Options),
    /// Live whole stores from seeds, with everything failing, and compare at quiet moments
    Sim(sim::Options),
    /// Sell for an hour under faults at the shop and watch memory and files
    Soak(long::Options),
    /// Write the generated files again: the configuration's schema and reference
    Docs,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => tests::run(&options),
        Command::Services { action } => services::run(action),
        Command::Shops { action } => shops::run(&action),
        Command::Lint => tests::lint(),
        Command::CheckTargets => targets::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::KillMatrix(options) => long::run("kill-matrix", &options),
        Command::ModelCheck(options) => model_check::run(&options),
        Command::Sim(options) => sim::run(&options),
        Command::Soak(options) => long::run("soak", &options),
        Command::Docs => docs::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::problem(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
