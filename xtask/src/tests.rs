//! `cargo xtask test` and `cargo xtask lint`.

use clap::Args;

use crate::contracts;
use crate::say;
use crate::services;
use crate::shell;
use crate::shops::{self, Need, Shop};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only the tests beside the code, not those that run the whole program
    #[arg(long)]
    quick: bool,
    /// Against every real shop (Medusa, Vendure), not only the one that starts quickly
    #[arg(long)]
    real_shops: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let contracts = contracts::provide()?;
    let services = services::provide()?;
    let shops = if options.real_shops {
        shops::provide(&Shop::ALL, Need::Required)?
    } else {
        shops::provide(&[Shop::Vendure], Need::Welcome)?
    };
    provide_port_maker()?;
    let nextest = shell::succeeds(shell::cargo().args(["nextest", "--version"]));
    let mut tests = shell::cargo();
    if nextest {
        tests.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        say::step("cargo-nextest is not installed; running with cargo test");
        tests.args(["test", "--no-fail-fast"]);
    }
    if options.quick {
        tests.args(["--package", "sync-core", "--package", "pos-adapters", "--package", "tillsync"]);
    } else {
        tests.arg("--workspace");
    }
    let features: &[&str] = if services::has_odbc() {
        &["--features", "pos-adapters/odbc"]
    } else {
        say::step("The ODBC driver manager is not installed (package `unixodbc-dev`); its engine is left out");
        &[]
    };
    tests.args(features);
    if let Some(folder) = contracts {
        tests.env(contracts::VARIABLE, folder);
    }
    services.tell(&mut tests);
    shops.tell(&mut tests);
    if nextest {
        // Nextest leaves the examples in documentation out.
        say::step("Running the examples in documentation");
        shell::quietly(shell::cargo().args(["test", "--workspace", "--doc", "--quiet"]).args(features))?;
    }
    say::step("Building and running the tests");
    shell::run(&mut tests)?;
    say::line("All tests passed.");
    Ok(())
}

/// Some tests use serial ports that `socat` makes; without it they make their own and skip the rest.
fn provide_port_maker() -> anyhow::Result<()> {
    if cfg!(target_os = "linux") && shell::find("socat").is_none() {
        if !shell::may_install() {
            say::step("socat is not installed; tests with its serial ports are skipped");
            return Ok(());
        }
        say::step("Installing socat");
        shell::install(&["socat"])?;
    }
    Ok(())
}

pub(crate) fn lint() -> anyhow::Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
    shell::run(shell::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    say::line("No formatting or lint faults.");
    Ok(())
}
