//! Other programs: whether they are there, running them, what they say.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::say;

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where Cargo builds, and where commands keep what they make.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The program's full path, if one of the folders of `PATH` has it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|path| path.is_file())
}

/// A command that runs in the workspace's root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The Cargo that runs us.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs it to its end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", spelled(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", spelled(command));
    }
    Ok(())
}

/// Its standard output; anything but success is an error.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {}", spelled(command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", spelled(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} did not answer in UTF-8", spelled(command)))
}

/// Runs it to its end; what it says is shown only if it fails.
pub(crate) fn quietly(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot start {}", spelled(command)))?;
    if !output.status.success() {
        say::problem(&String::from_utf8_lossy(&output.stdout));
        say::problem(&String::from_utf8_lossy(&output.stderr));
        bail!("{} failed: {}", spelled(command), output.status);
    }
    Ok(())
}

/// Whether it ends with success; what it says is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs it in our place where the system can do that, so that Ctrl-C reaches it and nobody in between.
#[cfg(unix)]
pub(crate) fn hand_over_to(mut command: Command) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", spelled(&command)))
}

/// Runs it in our place where the system can do that, so that Ctrl-C reaches it and nobody in between.
#[cfg(not(unix))]
pub(crate) fn hand_over_to(mut command: Command) -> anyhow::Result<()> {
    run(&mut command)
}

/// Whether we may install system packages.
pub(crate) fn may_install() -> bool {
    let id = command("id").arg("-u").output();
    find("apt-get").is_some() && id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs Debian packages. Needs [`may_install`].
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let apt = || {
        let mut command = command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command
    };
    if run(apt().args(["install", "-y", "--no-install-recommends"]).args(packages)).is_ok() {
        return Ok(());
    }
    // Package lists may be missing or older than the mirror.
    run(apt().arg("update"))?;
    run(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

fn spelled(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    format!("`{}`", words.join(" "))
}
