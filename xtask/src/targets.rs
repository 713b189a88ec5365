//! `cargo xtask check-targets`: the agent compiles for the other systems it is made for.
//!
//! Compiled, not linked: what is needed beside Rust's standard library for the target is a C compiler, for SQLite
//! and the cryptography. Builds below `target/cross`, so that other builds stay as they are.

use anyhow::bail;

use crate::say;
use crate::shell;

struct Target {
    triple: &'static str,
    compiler: &'static str,
    packages: &'static [&'static str],
}

const TARGETS: [Target; 2] = [
    Target {
        triple: "x86_64-pc-windows-gnu",
        compiler: "x86_64-w64-mingw32-gcc",
        packages: &["gcc-mingw-w64-x86-64-posix", "binutils-mingw-w64-x86-64"],
    },
    Target {
        triple: "armv7-unknown-linux-gnueabihf",
        compiler: "arm-linux-gnueabihf-gcc",
        packages: &["gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"],
    },
];

pub(crate) fn run() -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for target in &TARGETS {
        if let Err(reason) = provide(target) {
            say::line(&format!("skipped: {}: {reason}", target.triple));
            continue;
        }
        say::step(&format!("Checking the agent for {}", target.triple));
        let mut cargo = shell::cargo();
        cargo.args(["check", "--package", "tillsync", "--target", target.triple, "--target-dir"]);
        match shell::run(cargo.arg(shell::target().join("cross"))) {
            Ok(()) => say::line(&format!("compiles: {}", target.triple)),
            Err(error) => {
                say::problem(&format!("{error:#}"));
                failed.push(target.triple);
            }
        }
    }
    if !failed.is_empty() {
        bail!("the agent does not compile for {}", failed.join(", "));
    }
    Ok(())
}

/// Gets the target's standard library and C compiler, or says why they cannot be had.
fn provide(target: &Target) -> Result<(), String> {
    if !has_library(target) {
        if shell::find("rustup").is_none() {
            return Err(
                "Rust's standard library for it is not installed, and there is no rustup to fetch it".to_owned()
            );
        }
        say::step(&format!("Fetching Rust's standard library for {}", target.triple));
        let fetched = shell::run(shell::command("rustup").args(["target", "add", target.triple]));
        if fetched.is_err() || !has_library(target) {
            return Err("`rustup target add` got no answer".to_owned());
        }
    }
    if shell::find(target.compiler).is_some() {
        return Ok(());
    }
    let packages = target.packages.join(" ");
    if !shell::may_install() {
        return Err(format!("there is no {}; install it: apt-get install {packages}", target.compiler));
    }
    say::step(&format!("Installing {packages}"));
    shell::install(target.packages).map_err(|error| format!("{error:#}"))
}

fn has_library(target: &Target) -> bool {
    let folder = shell::output(shell::command("rustc").args(["--print", "target-libdir", "--target", target.triple]));
    folder.is_ok_and(|folder| std::fs::read_dir(folder.trim()).is_ok_and(|mut files| files.next().is_some()))
}
