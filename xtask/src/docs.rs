//! `cargo xtask docs`: writes the generated files again (`config/agent.schema.json`, `docs/configure.md`).
//!
//! The agent's own tests hold those files to the code; told to, they write them instead.

use crate::say;
use crate::shell;

pub(crate) fn run() -> anyhow::Result<()> {
    say::step("Writing config/agent.schema.json and docs/configure.md");
    shell::run(shell::cargo().env("TILLSYNC_UPDATE", "1").args([
        "test",
        "--quiet",
        "--package",
        "tillsync",
        "--lib",
        "config::",
    ]))
}
