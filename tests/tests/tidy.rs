//! What can be told about the project from its files alone: habits that reviews would have to repeat.
//!
//! Reads the source as text and runs nothing of it, so that it is quick and holds for code of every target.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const CRATES: [&str; 5] = ["sync-core", "pos-adapters", "agent", "tests", "xtask"];
/// Longest source file, lines; beyond it nobody reads it whole.
const LINES_MAX: usize = 900;

#[test]
fn every_module_says_what_it_owns() {
    let silent: Vec<String> =
        sources("src").into_iter().filter(|file| !file.text.starts_with("//!")).map(|file| file.name).collect();
    assert!(silent.is_empty(), "these do not open with `//!`: {silent:#?}");
}

#[test]
fn no_source_file_is_longer_than_a_person_reads() {
    let long: Vec<String> = sources("src")
        .into_iter()
        .filter(|file| file.text.lines().count() > LINES_MAX)
        .map(|file| format!("{}: {} lines", file.name, file.text.lines().count()))
        .collect();
    assert!(long.is_empty(), "split these by what they own: {long:#?}");
}

#[test]
fn the_pure_core_depends_on_nothing_that_does_io() {
    const PURE: [&str; 5] = ["proptest", "serde", "serde_json", "sha2", "thiserror"];
    let manifest = read("sync-core/Cargo.toml");
    let named: BTreeSet<&str> = dependencies(&manifest);
    assert!(named.contains("serde"), "the manifest is not read as it is written");
    let foreign: Vec<&&str> = named.iter().filter(|name| !PURE.contains(name)).collect();
    assert!(
        foreign.is_empty(),
        "decisions need no clock, file or socket, so `sync-core` may not depend on {foreign:?}"
    );
}

#[test]
fn dependencies_between_the_crates_point_one_way() {
    let adapters = read("pos-adapters/Cargo.toml");
    let named = dependencies(&adapters);
    for above in ["tillsync", "system-tests", "reqwest", "axum"] {
        assert!(!named.contains(above), "`pos-adapters` may not depend on {above}");
    }
    let agent = read("agent/Cargo.toml");
    // Its tests may put connections in front of stand-ins; the program may not.
    let of_the_program = agent.split("[dev-dependencies]").next().unwrap_or_default();
    assert!(!dependencies(of_the_program).contains("system-tests"), "no line of the agent knows the stand-ins");
}

#[test]
fn every_error_code_is_documented() {
    let mut codes = BTreeSet::new();
    for file in
        sources("src").iter().filter(|file| file.name.starts_with("agent/") || file.name.starts_with("pos-adapters/"))
    {
        codes.extend(bodies(&file.text, "fn code(&self) -> &'static str {").flat_map(literals));
    }
    for (name, start) in [
        ("sync-core/src/outbox/verdict.rs", "fn as_str(self) -> &'static str {"),
        ("agent/src/config/faults.rs", "fn as_str(self) -> &'static str {"),
    ] {
        codes.extend(bodies(&read(name), start).flat_map(literals));
    }
    codes.extend(dead_letter_codes());
    codes.extend(written_after("agent/src/ingest.rs", "Some((\""));
    assert!(codes.len() > 35, "the codes are no longer found in the source: {codes:?}");
    let page = read("docs/errors.md");
    let missing: Vec<&String> = codes.iter().filter(|code| !page.contains(&format!("| `{code}` |"))).collect();
    assert!(missing.is_empty(), "docs/errors.md does not say what to do about {missing:?}");
}

#[test]
fn every_crash_point_has_a_name_of_its_own() {
    let names = crash_points();
    assert!(names.len() > 10, "the crash points are no longer found in the source: {names:?}");
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(names.len(), distinct.len(), "the kill matrix tells crash points apart by name: {names:?}");
}

#[test]
fn the_map_of_the_code_names_every_module_and_crash_point() {
    let map = read("ARCHITECTURE.md");
    assert!(map.lines().count() < 200, "a map that is not read in one go is not read");
    let mut wanted: Vec<String> = CRATES.iter().map(|name| format!("`{name}`")).collect();
    for folder in ["agent/src", "sync-core/src", "pos-adapters/src"] {
        wanted.extend(modules(folder).map(|name| format!("`{name}`")));
    }
    wanted.extend(crash_points().into_iter().map(|name| format!("`{name}`")));
    let missing: Vec<String> = wanted.into_iter().filter(|name| !map.contains(name)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {missing:?}");
}

#[test]
fn the_pages_lead_to_files_that_are_there() {
    let mut broken = Vec::new();
    for file in tracked().into_iter().filter(|name| name.ends_with(".md")) {
        let text = read(&file);
        let folder = root().join(&file).parent().expect("a file is in a folder").to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let outside = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !outside && !folder.join(target).exists() {
                broken.push(format!("{file} -> {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere: {broken:#?}");
}

#[test]
fn the_tests_that_show_an_invariant_are_there() {
    let page = read("docs/invariants.md");
    let code: String = tracked().iter().filter(|name| name.ends_with(".rs")).map(|name| read(name)).collect();
    let cited: Vec<&str> = page
        .split("Shown by:")
        .skip(1)
        .filter_map(|rest| rest.split("\n\n").next())
        .flat_map(|list| list.split('`').skip(1).step_by(2))
        .filter(|name| name.matches('_').count() > 2)
        .collect();
    assert!(cited.len() > 30, "the page is not read as it is written: {cited:?}");
    let missing: Vec<&&str> = cited.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/invariants.md names tests that are not there: {missing:?}");
}

#[test]
fn no_file_knows_the_machine_that_it_was_written_on() {
    // Put together here, so that this file does not find itself. `jane` is the made-up user of the masking tests.
    let folders = ["home", "root", "work", "builds", "Users"].map(|name| format!("/{name}/"));
    let mut found = Vec::new();
    for name in tracked() {
        let Ok(text) = std::fs::read_to_string(root().join(&name)) else { continue };
        for (index, line) in text.lines().enumerate() {
            if folders.iter().any(|folder| is_path_below(line, folder)) {
                found.push(format!("{name}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "paths of one machine: {found:#?}");
}

// --- reading the source ---------------------------------------------------------------------------------------

struct Source {
    /// From the root of the project, with `/`.
    name: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the project").to_owned()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).expect(name)
}

/// Rust files below this folder of every crate.
fn sources(folder: &str) -> Vec<Source> {
    let mut names = Vec::new();
    for name in CRATES {
        walk(&root().join(name).join(folder), &mut names);
    }
    let rust = names.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let found: Vec<Source> = rust.map(|path| relative(&path)).map(|name| Source { text: read(&name), name }).collect();
    assert!(found.len() > 100, "only {} source files found", found.len());
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() {
            found.push(path);
        } else if !name.starts_with('.') && name != "target" && name != "out" && name != "node_modules" {
            walk(&path, found);
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/")
}

/// Files of the project: what git tracks, or everything where there is no git.
fn tracked() -> Vec<String> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            let names = String::from_utf8_lossy(&output.stdout).into_owned();
            names
                .split('\0')
                .filter(|name| !name.is_empty() && root().join(name).is_file())
                .map(str::to_owned)
                .collect()
        }
        _ => {
            let mut names = Vec::new();
            walk(&root(), &mut names);
            names.iter().map(|path| relative(path)).collect()
        }
    }
}

/// Names of the modules that lie directly in a folder.
fn modules(folder: &str) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(root().join(folder)).expect(folder);
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name != "lib")
}

/// Names in every `[…dependencies]` table of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && let Some((name, _)) = line.split_once('=') {
            names.insert(name.trim().trim_end_matches(".workspace"));
        }
    }
    names
}

/// What stands between the braces that `start` opens, wherever it occurs.
fn bodies<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(start).map(move |(at, _)| {
        let body = text.get(at + start.len()..).unwrap_or_default();
        let mut depth = 1_i32;
        let end = body.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        });
        end.and_then(|end| body.get(..end)).unwrap_or(body)
    })
}

/// String literals that are codes: small letters and digits with `_` or `-`.
fn literals(body: &str) -> Vec<String> {
    let is_code = |text: &&str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    };
    body.split('"').skip(1).step_by(2).filter(is_code).map(str::to_owned).collect()
}

/// Codes that our own program gives to dead letters; platforms have codes of their own beside them.
fn dead_letter_codes() -> BTreeSet<String> {
    let given = [
        ("sync-core/src/outbox/lane/answers.rs", "self.bury(id, \""),
        ("sync-core/src/outbox/lane/answers.rs", "self.halve(id, \""),
        ("sync-core/src/outbox/lane/answers.rs", "(entry, \""),
        ("agent/src/writer/lanes.rs", "&item.entry, \""),
    ];
    let mut codes = BTreeSet::new();
    for (name, call) in given {
        codes.extend(written_after(name, call));
    }
    codes
}

/// What follows `start` up to the next quotation mark, in a file that must have it.
fn written_after(name: &str, start: &str) -> Vec<String> {
    // As if each call stood on one line.
    let text = read(name).split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
    let found: Vec<String> =
        text.split(start).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    assert!(!found.is_empty(), "`{start}` is no longer written in {name}");
    found
}

/// Names of crash points, once for each place.
fn crash_points() -> Vec<String> {
    let agent = sources("src").into_iter().filter(|file| file.name.starts_with("agent/"));
    agent
        .flat_map(|file| {
            let places = file.text.split("crash::point(").skip(1);
            places
                .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// An absolute path into a folder below `folder`, other than that of the made-up user.
fn is_path_below(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + folder.len()..).unwrap_or_default();
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && c != '.' && c != '/' && c != '*');
        begins && after.starts_with(|c: char| c.is_ascii_alphanumeric()) && !after.starts_with("jane")
    })
}
