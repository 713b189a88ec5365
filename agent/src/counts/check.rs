//! What `tillsync check --online` finds out about counts: read once, nothing is stored.

use std::collections::BTreeSet;
use std::path::Path;

use pos_adapters::articles;
use pos_adapters::counts::file::Reader;
use pos_adapters::counts::{CountKind, CountRow, RawCount, resolve};
use sync_core::article::Kits;
use sync_core::model::Sku;

use super::database::Database;
use crate::cli::check::Probe;
use crate::clock::rfc3339;
use crate::config::{Config, CountConfig};
use crate::db;

/// One or more findings for each `[[count]]`.
pub fn probes(config: &Config, database: &Path) -> Vec<Probe> {
    let known = known_skus(database);
    config.counts.iter().flat_map(|count| one(config, count, &known)).collect()
}

fn one(config: &Config, count: &CountConfig, known: &BTreeSet<String>) -> Vec<Probe> {
    let subject = format!("count `{}`", count.settings.name);
    let mut probes = Vec::new();
    let read = match count.settings.kind {
        CountKind::Database => {
            let Some(database) = Database::new(config, &count.settings) else { return probes };
            probes.push(Probe::ok(subject.clone(), database.lag_in_words()));
            database.read().map(|read| {
                let rows = read.stock.into_iter().map(|(sku, quantity)| CountRow {
                    code: sku.into_string(),
                    quantity,
                    counted_at: None,
                });
                let raw =
                    RawCount { rows: rows.collect(), unreadable: read.unreadable.len(), notes: read.unreadable };
                ("the database".to_owned(), raw)
            })
        }
        CountKind::File => match file(config, count) {
            Ok(Some(read)) => Ok(read),
            Ok(None) => {
                let words = "there is no file yet; it is taken in when it comes";
                probes.push(Probe::warning(subject, words, "put a sheet there and check again, to prove its columns"));
                return probes;
            }
            Err(reason) => Err(reason),
        },
    };
    match read.and_then(|(place, raw)| words(config, &place, raw, known)) {
        Ok((text, None)) => probes.push(Probe::ok(subject, text)),
        Ok((text, Some(note))) => probes.push(Probe::warning(subject, text, &note)),
        Err(reason) => probes.push(Probe::fault(subject, reason, "mend the source or its columns, then check again")),
    }
    probes
}

fn file(config: &Config, count: &CountConfig) -> Result<Option<(String, RawCount)>, String> {
    // Faults of settings are shown when they are read.
    let Ok(reader) = Reader::new(&count.settings, &config.store.timezone) else { return Ok(None) };
    let candidates = reader.candidates().map_err(|error| crate::ingest::chain(&error))?;
    let Some(newest) = candidates.last() else { return Ok(None) };
    let read = reader.read(&newest.path)?;
    let latest = read.count.rows.iter().filter_map(|row| row.counted_at).max().unwrap_or(read.taken_at);
    Ok(Some((format!("`{}`, taken at {}", newest.path.display(), rfc3339(latest)), read.count)))
}

fn words(
    config: &Config,
    place: &str,
    raw: RawCount,
    known: &BTreeSet<String>,
) -> Result<(String, Option<String>), String> {
    let table = config.articles.as_ref().map(articles::load).transpose()?;
    let resolved = resolve(raw, table.as_ref(), Kits::TakeApart);
    let all = resolved.lines.len();
    let matched = resolved.lines.keys().filter(|sku: &&Sku| known.contains(sku.as_str())).count();
    let text = format!(
        "{place}: {all} articles, {matched} of them known to the ledger, {} rows unreadable",
        resolved.unreadable
    );
    let note = if !resolved.notes.is_empty() {
        Some(resolved.notes.join("; "))
    } else if all > 0 && matched == 0 && !known.is_empty() {
        Some("none of its articles was ever sold: is it the column of the article number?".to_owned())
    } else {
        None
    };
    Ok((text, note))
}

/// Articles that the ledger knows; none if there is no database yet.
fn known_skus(database: &Path) -> BTreeSet<String> {
    let rows = db::open_reader(database).ok().and_then(|conn| db::tables::all_skus(&conn).ok());
    rows.into_iter().flatten().map(|(_, code)| code).collect()
}
