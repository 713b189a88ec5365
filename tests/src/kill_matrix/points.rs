//! Finds the crash points in the agent's source by their name literals.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

const CALL: &str = "crash::point(\"";

/// The agent's source, beside this package.
#[must_use]
pub fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/src")
}

/// Names of all crash points under this folder, sorted.
///
/// # Errors
/// The folder cannot be read, or there is none in it.
pub fn points(source: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![source.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry.context("cannot read the folder of sources")?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                found.extend(names(&text));
            }
        }
    }
    anyhow::ensure!(!found.is_empty(), "no crash point in {}", source.display());
    Ok(found.into_iter().collect())
}

fn names(text: &str) -> impl Iterator<Item = String> {
    text.split(CALL).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_the_calls() {
        let text = "a(crash::point(\"one\")?); // point\nlet x = crash::point(\"two\").map_err(f);";
        assert_eq!(names(text).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn the_agent_has_points_from_reading_to_acknowledging() {
        let found = points(&source_folder()).unwrap();
        for name in ["chunk_read", "before_commit", "after_commit", "before_send", "after_send", "batch_closed"] {
            assert!(found.iter().any(|point| point == name), "{name} is missing in {found:?}");
        }
    }
}
