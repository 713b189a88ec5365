//! Building the programs that other commands run.

use std::env;
use std::path::PathBuf;

use crate::say;
use crate::shell;

/// How the test doubles are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubles {
    /// Sooner there; for commands that count.
    Dev,
    /// Faster; for commands that measure.
    Release,
}

/// The agent as it is shipped: built alone, so that no other package adds to its features.
///
/// # Errors
/// It does not compile.
pub(crate) fn agent() -> anyhow::Result<PathBuf> {
    say::step("Building the agent (release)");
    shell::run(shell::cargo().args(["build", "--release", "--package", "tillsync", "--bin", "tillsync"]))?;
    Ok(program("release", "tillsync"))
}

/// Programs of the `system-tests` package, in one build; their paths in the same order.
///
/// # Errors
/// They do not compile.
pub(crate) fn doubles(how: Doubles, names: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let folder = match how {
        Doubles::Dev => "debug",
        Doubles::Release => "release",
    };
    say::step(&format!("Building {} ({folder})", names.join(", ")));
    let mut cargo = shell::cargo();
    cargo.args(["build", "--package", "system-tests"]);
    if how == Doubles::Release {
        cargo.arg("--release");
    }
    for name in names {
        cargo.args(["--bin", name]);
    }
    shell::run(&mut cargo)?;
    Ok(names.iter().map(|name| program(folder, name)).collect())
}

fn program(folder: &str, name: &str) -> PathBuf {
    shell::target().join(folder).join(format!("{name}{}", env::consts::EXE_SUFFIX))
}
