//! The Shopify schema that requests are checked against in tests: found, or made from the published npm package.
//!
//! It is not part of the project. Looked for in the folder that `TILLSYNC_CONTRACTS` names, then in
//! `../shared/contracts`, then where [`provide`] puts it.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::say;
use crate::shell;

/// Names the folder, for the tests and the stand-in shop.
pub(crate) const VARIABLE: &str = "TILLSYNC_CONTRACTS";

/// The npm package (ISC) that ships the introspection of Admin GraphQL 2026-10.
const PACKAGE: &str = "@shopify/dev-mcp@1.16.0";

/// Below the contracts folder.
const SCHEMA: [&str; 2] = ["shopify", "admin_2026-10_trimmed_nodesc.graphql"];

/// Turns introspection into SDL; standard library of Node only.
const TO_SDL: &str = include_str!("schema_to_sdl.mjs");

/// The folder, if it is there already.
pub(crate) fn present() -> Option<PathBuf> {
    let named = env::var_os(VARIABLE).map(PathBuf::from);
    let beside = shell::root().parent().map(|folder| folder.join("shared").join("contracts"));
    named.into_iter().chain(beside).chain([made()]).find(|folder| folder.join(SCHEMA[0]).join(SCHEMA[1]).is_file())
}

/// The folder; made if need be. `None`, with a notice, where npm or its registry is not there.
///
/// # Errors
/// The package is not what it was.
pub(crate) fn provide() -> anyhow::Result<Option<PathBuf>> {
    if let Some(folder) = present() {
        return Ok(Some(folder));
    }
    let missing = ["npm", "node", "tar"].into_iter().find(|program| shell::find(program).is_none());
    if let Some(program) = missing {
        say::problem(&format!(
            "skipped: the Shopify schema cannot be fetched without {program}; tests that need it say so"
        ));
        return Ok(None);
    }
    say::step(&format!("Fetching the Shopify schema ({PACKAGE})"));
    let work = shell::target().join("tools").join("shopify-schema");
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let mut pack = shell::command("npm");
    let Ok(packed) = shell::output(pack.args(["pack", "--silent", PACKAGE]).current_dir(&work)) else {
        say::problem("skipped: the npm registry does not answer; tests that need the Shopify schema say so");
        return Ok(None);
    };
    let archive = packed.lines().last().context("npm pack named no file")?.trim();
    shell::run(shell::command("tar").arg("-xzf").arg(archive).current_dir(&work))?;
    let script = work.join("schema_to_sdl.mjs");
    fs::write(&script, TO_SDL).with_context(|| format!("cannot write {}", script.display()))?;
    let schema = made().join(SCHEMA[0]).join(SCHEMA[1]);
    let folder = schema.parent().context("the schema has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let introspection = work.join("package/dist/data/admin_2026-10.json.gz");
    shell::run(shell::command("node").arg(script).arg(introspection).arg(&schema))?;
    Ok(Some(made()))
}

fn made() -> PathBuf {
    shell::target().join("tools").join("contracts")
}
