//! `tillsync discover`: what could be read on this machine and on the network that it was pointed at, as a proposed
//! configuration.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pos_adapters::discover::{self, FileKind, Found, Segment, Store};
use serde_json::json;

use super::{exit, is_human};
use crate::cli::DiscoverArgs;
use crate::cli::output::{Align, Output, Table};
use crate::config;

/// Longest walk through folders.
const WALK_MAX: Duration = Duration::from_secs(30);
/// Folders below which tills keep their files, where nothing else is said.
const USUAL_FOLDERS: [&str; 7] =
    ["/srv", "/var/lib", "/opt", "/home", r"C:\ProgramData", r"C:\Program Files (x86)", r"C:\POS"];

pub(super) fn discover(args: &DiscoverArgs, out: &mut Output) -> anyhow::Result<u8> {
    let segments: Vec<Segment> = args
        .network
        .iter()
        .map(|text| Segment::parse(text))
        .chain([Ok(Segment::LOOPBACK)])
        .collect::<Result<_, _>>()?;
    let folders: Vec<PathBuf> = if args.folders.is_empty() {
        USUAL_FOLDERS.iter().map(PathBuf::from).filter(|folder| folder.is_dir()).collect()
    } else {
        args.folders.clone()
    };
    for folder in &folders {
        anyhow::ensure!(folder.is_dir(), "`{}` is no folder", folder.display());
    }
    let mut found = discover::walk(&folders, Instant::now() + WALK_MAX);
    found.extend(discover::scan(&segments));
    found.extend(discover::serial_ports());
    let text = discover::proposal(&found, &store());
    if let Some(path) = &args.output {
        write_new(path, &text)?;
    }
    if is_human(out) {
        show(&found, args.output.as_deref(), &text, out)?;
    } else {
        let found: Vec<serde_json::Value> = found.iter().map(as_json).collect();
        out.json_line(&json!({ "found": found, "config": text }))?;
    }
    Ok(exit::OK)
}

fn store() -> Store {
    let zone = jiff::tz::TimeZone::system();
    Store {
        timezone: zone.iana_name().filter(|name| *name != "Etc/Unknown").unwrap_or("UTC").to_owned(),
        state: config::default_state_folder().to_string_lossy().into_owned(),
    }
}

/// A configuration that somebody has written is never written over.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file =
        file.with_context(|| format!("cannot make `{}`; name a file that is not there yet", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))
}

fn show(found: &[Found], written: Option<&Path>, text: &str, out: &mut Output) -> anyhow::Result<()> {
    let mut table = Table::new(&[("what", Align::Left), ("where", Align::Left), ("note", Align::Left)]);
    for one in found {
        let [what, place, note] = row(one);
        table.row([what, place, note]);
    }
    if found.is_empty() {
        out.line("Nothing that looks like a till's sales was found. Name folders, or a network with --network 192.168.1.0/24.")?;
    } else {
        out.table(&table)?;
    }
    match written {
        Some(path) => out.line(&format!(
            "\nWritten to {}. Next: tillsync check --config {0}, then tillsync preview --config {0} --source NAME.",
            path.display()
        ))?,
        None => {
            out.line("\nThe proposed configuration (write it with --output agent.toml):\n")?;
            out.line(text)?;
        }
    }
    Ok(())
}

/// What, where, and what to know of it.
fn row(found: &Found) -> [String; 3] {
    match found {
        Found::Server { engine, host, port } => {
            ["database server".to_owned(), format!("{host}:{port}"), format!("{engine:?}").to_lowercase()]
        }
        Found::DatabaseFile { engine, path, profile } => {
            let note = profile.map_or_else(|| format!("{engine:?}").to_lowercase(), str::to_owned);
            ["database file".to_owned(), path.display().to_string(), note]
        }
        Found::Files { path, kind, count } => {
            let what = match kind {
                FileKind::Document(format) => format!("{format} documents"),
                FileKind::Dbf(_) => "dBase table".to_owned(),
                FileKind::Workbook => "workbook".to_owned(),
                FileKind::Receipts => "printer's bytes".to_owned(),
                FileKind::Records { format, profile, .. } => {
                    format!("sales lines ({})", profile.unwrap_or(format))
                }
            };
            [what, path.clone(), if *count == 1 { String::new() } else { format!("{count} files") }]
        }
        Found::Printer { host, port } => ["printer".to_owned(), format!("{host}:{port}"), String::new()],
        Found::SerialPort { name, device } => ["serial port".to_owned(), name.clone(), device.clone()],
    }
}

fn as_json(found: &Found) -> serde_json::Value {
    let [what, place, note] = row(found);
    json!({ "what": what, "where": place, "note": note })
}
