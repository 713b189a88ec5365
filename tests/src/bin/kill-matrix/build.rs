//! Builds the agent that is put to the test.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::say;

/// As it is shipped.
pub(crate) fn release() -> anyhow::Result<PathBuf> {
    say("Building the agent (release)");
    cargo(&["build", "--release", "--package", "tillsync", "--bin", "tillsync"])?;
    Ok(program(&target()?, "release"))
}

/// With the rules that can be broken, in a folder of its own: it must never lie where a package is made from.
pub(crate) fn control() -> anyhow::Result<PathBuf> {
    say("Building the agent (negative controls)");
    let folder = target()?.join("controls");
    let text = folder.display().to_string();
    cargo(&[
        "build",
        "--package",
        "tillsync",
        "--bin",
        "tillsync",
        "--features",
        "negative-controls",
        "--target-dir",
        &text,
    ])?;
    Ok(program(&folder, "debug"))
}

fn cargo(words: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(words)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .status()
        .context("cannot run cargo")?;
    anyhow::ensure!(status.success(), "the agent does not compile");
    Ok(())
}

/// The folder above the profile that this program was built in.
fn target() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let folder = own.ancestors().nth(2).context("this program is not in a target folder")?;
    Ok(folder.to_path_buf())
}

fn program(target: &Path, profile: &str) -> PathBuf {
    target.join(profile).join(format!("tillsync{}", std::env::consts::EXE_SUFFIX))
}
