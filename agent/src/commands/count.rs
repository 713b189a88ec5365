//! `tillsync count`: ask the running agent, or read what it has kept.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;
use sync_core::model::{Quantity, Timestamp};

use super::{is_running, reader};
use crate::cli::count::{CountAction, SetArgs};
use crate::cli::output::{Align, Output, Table, Tone};
use crate::cli::{ListArgs, exit};
use crate::clock::rfc3339;
use crate::config::Config;
use crate::requests;
use crate::writer::admin::Action;
use crate::writer::count::CountSheet;

/// Lines that are printed; `--json` has all of them.
const SHOWN_MAX: usize = 50;
/// Most articles of one count on the command line; a request has to be short.
const SET_MAX: usize = 1_000;

pub(super) fn count(config: &Config, action: &CountAction, out: &mut Output) -> anyhow::Result<u8> {
    match action {
        CountAction::List(list) => counts(config, list, false, out),
        CountAction::Held(list) => counts(config, list, true, out),
        CountAction::Show { id } => show(config, *id, out),
        CountAction::Approve { id, reason } => decide(config, *id, true, reason.as_ref(), out),
        CountAction::Refuse { id, reason } => decide(config, *id, false, reason.as_ref(), out),
        CountAction::Now { name, dry_run } => {
            let action = Action::CountNow { name: name.clone(), dry_run: *dry_run, who: super::reconcile::person() };
            ask(config, &action, out)
        }
        CountAction::Set(args) => set(config, args, out),
    }
}

fn decide(config: &Config, id: i64, approve: bool, reason: Option<&String>, out: &mut Output) -> anyhow::Result<u8> {
    let who = super::reconcile::person();
    ask(config, &Action::DecideCount { id, approve, reason: reason.cloned(), who }, out)
}

fn set(config: &Config, args: &SetArgs, out: &mut Output) -> anyhow::Result<u8> {
    let mut lines = Vec::new();
    for written in &args.articles {
        lines.push(article(written)?);
    }
    if let Some(file) = &args.file {
        lines.extend(from_file(file)?);
    }
    anyhow::ensure!(!lines.is_empty(), "name at least one article, such as `tillsync count set 4006381333931=12`");
    anyhow::ensure!(
        lines.len() <= SET_MAX,
        "{} articles are too many for the command line (at most {SET_MAX}): give the agent a file with `[[count]]`",
        lines.len()
    );
    let who = args.by.clone().unwrap_or_else(super::reconcile::person);
    ask(config, &Action::CountSet { lines, dry_run: args.dry_run, who }, out)
}

fn article(written: &str) -> anyhow::Result<(String, Quantity)> {
    let (sku, quantity) =
        written.rsplit_once('=').with_context(|| format!("`{written}` is no count; write SKU=QUANTITY"))?;
    let quantity = Quantity::parse(quantity.trim()).with_context(|| format!("`{written}` is no count"))?;
    anyhow::ensure!(!sku.trim().is_empty(), "`{written}` names no article");
    Ok((sku.trim().to_owned(), quantity))
}

/// Lines `SKU=QUANTITY`, `SKU;QUANTITY` or `SKU,QUANTITY`; a line that ends in no number is refused.
fn from_file(file: &Path) -> anyhow::Result<Vec<(String, Quantity)>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| article(&line.replace([';', '\t', ','], "=")))
        .collect()
}

fn ask(config: &Config, action: &Action, out: &mut Output) -> anyhow::Result<u8> {
    anyhow::ensure!(
        is_running(config),
        "no agent runs on `{}`: start it with `tillsync run` first; only it knows which sales a count has seen",
        config.state.path.display()
    );
    let answer = requests::ask(&config.state.path, action)?;
    let answers: Vec<Value> = serde_json::from_str(&answer).context("the agent's answer cannot be read")?;
    out.answer(&answers, |out| {
        for answer in &answers {
            print(answer, out)?;
        }
        Ok(())
    })?;
    let state = |word: &str| answers.iter().any(|answer| answer["state"] == word);
    Ok(if state("held") {
        exit::HELD
    } else if state("not_now") {
        exit::UNREACHABLE
    } else {
        exit::OK
    })
}

fn print(answer: &Value, out: &mut Output) -> std::io::Result<()> {
    let state = answer["state"].as_str().unwrap_or_default();
    let tone = match state {
        "held" | "not_now" => Tone::Warn,
        _ => Tone::Good,
    };
    out.line(&out.paint(tone, &format!("{}: {}", word(&answer["name"]), word(&answer["summary"]))))?;
    let lines = answer["plan"]["lines"].as_array().cloned().unwrap_or_default();
    let telling: Vec<&Value> =
        lines.iter().filter(|line| line["outcome"] == "corrected" || line["outcome"] == "waits").collect();
    if !telling.is_empty() {
        let columns = [("SKU", Align::Left), ("counted", Align::Right), ("ledger", Align::Right), ("", Align::Left)];
        let mut table = Table::new(&columns);
        for line in telling.iter().take(SHOWN_MAX) {
            let what = match line["outcome"].as_str() {
                Some("corrected") => format!("corrected by {}", word(&line["by"])),
                _ => "waits for the next count".to_owned(),
            };
            table.row([word(&line["sku"]), word(&line["counted"]), word(&line["due"]), what]);
        }
        out.table(&table)?;
        if telling.len() > SHOWN_MAX {
            out.line(&format!("… and {} more (--json shows all)", telling.len() - SHOWN_MAX))?;
        }
    }
    if state == "held" {
        out.line(&format!(
            "  Look at it with `tillsync count show {0}`, then `tillsync count approve {0}` or `tillsync count refuse {0}`.",
            answer["id"]
        ))?;
    }
    Ok(())
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[derive(Debug, Serialize)]
struct CountRow {
    id: i64,
    name: String,
    basis: String,
    extent: String,
    taken_at: Option<String>,
    state: String,
    articles: i64,
    corrected: i64,
    waiting: i64,
    reasons: Vec<String>,
    who: Option<String>,
    decided_at: Option<String>,
    note: Option<String>,
    place: Option<String>,
}

const COLUMNS: &str = "id, name, basis, extent, taken_at, state, articles, corrected, waiting, reasons, who, decided_at, note, place";

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<CountRow> {
    let time = |at: Option<i64>| at.map(|at| rfc3339(Timestamp(at)));
    Ok(CountRow {
        id: row.get(0)?,
        name: row.get(1)?,
        basis: row.get(2)?,
        extent: row.get(3)?,
        taken_at: time(row.get(4)?),
        state: row.get(5)?,
        articles: row.get(6)?,
        corrected: row.get(7)?,
        waiting: row.get(8)?,
        reasons: serde_json::from_str(&row.get::<_, String>(9)?).unwrap_or_default(),
        who: row.get(10)?,
        decided_at: time(row.get(11)?),
        note: row.get(12)?,
        place: row.get(13)?,
    })
}

fn counts(config: &Config, list: &ListArgs, held: bool, out: &mut Output) -> anyhow::Result<u8> {
    let conn = reader(config)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM stock_count WHERE ?1 = 0 OR state = 'held' ORDER BY id DESC LIMIT ?2"
    );
    let limit = i64::try_from(list.limit).unwrap_or(i64::MAX);
    let mut statement = conn.prepare(&sql)?;
    let rows: Vec<CountRow> =
        statement.query_map(rusqlite::params![held, limit], row)?.collect::<rusqlite::Result<_>>()?;
    out.answer(&rows, |out| {
        if rows.is_empty() {
            return out.line(if held { "No count is held." } else { "Nothing was counted yet." });
        }
        let mut table = Table::new(&[
            ("count", Align::Right),
            ("name", Align::Left),
            ("taken at", Align::Left),
            ("state", Align::Left),
            ("articles", Align::Right),
            ("corrected", Align::Right),
            ("waiting", Align::Right),
            ("why", Align::Left),
        ]);
        for row in &rows {
            let why = if row.state == "held" { row.reasons.join("; ") } else { row.note.clone().unwrap_or_default() };
            table.row([
                row.id.to_string(),
                row.name.clone(),
                row.taken_at.clone().unwrap_or_default(),
                row.state.clone(),
                row.articles.to_string(),
                row.corrected.to_string(),
                row.waiting.to_string(),
                why,
            ]);
        }
        out.table(&table)
    })?;
    Ok(exit::OK)
}

#[derive(Debug, Serialize)]
struct LineRow {
    sku: String,
    counted: Quantity,
    due: Option<Quantity>,
    outcome: String,
}

fn show(config: &Config, id: i64, out: &mut Output) -> anyhow::Result<u8> {
    let conn = reader(config)?;
    let found = conn
        .query_row(&format!("SELECT {COLUMNS}, sheet FROM stock_count WHERE id = ?1"), [id], |found| {
            Ok((row(found)?, found.get::<_, Option<String>>(14)?))
        })
        .with_context(|| format!("there is no count {id}; `tillsync count list` shows them"))?;
    let (count, sheet) = found;
    let lines: Vec<LineRow> = match sheet.as_deref().map(serde_json::from_str::<CountSheet>).transpose()? {
        Some(sheet) => sheet
            .lines
            .into_iter()
            .map(|(sku, counted)| LineRow {
                sku: sku.into_string(),
                counted: counted.quantity,
                due: None,
                outcome: count.state.clone(),
            })
            .collect(),
        None => {
            let mut statement = conn.prepare(
                "SELECT s.code, l.counted, l.due, l.outcome FROM stock_count_line l JOIN sku s ON s.id = l.sku
                 WHERE l.count = ?1 ORDER BY s.code",
            )?;
            let rows = statement.query_map([id], |row| {
                Ok(LineRow {
                    sku: row.get(0)?,
                    counted: Quantity::from_micros(row.get(1)?),
                    due: row.get::<_, Option<i64>>(2)?.map(Quantity::from_micros),
                    outcome: row.get(3)?,
                })
            })?;
            rows.collect::<rusqlite::Result<_>>()?
        }
    };
    out.answer(&serde_json::json!({ "count": count, "lines": lines }), |out| {
        let at = count.taken_at.clone().unwrap_or_default();
        out.line(&format!("Count {id} `{}` ({}, {}) taken at {at}: {}", count.name, count.basis, count.extent, count.state))?;
        for reason in &count.reasons {
            out.line(&format!("  {reason}"))?;
        }
        let columns =
            [("SKU", Align::Left), ("counted", Align::Right), ("ledger", Align::Right), ("outcome", Align::Left)];
        let mut table = Table::new(&columns);
        for line in lines.iter().take(SHOWN_MAX) {
            let due = line.due.map(|due| due.to_string()).unwrap_or_default();
            table.row([line.sku.clone(), line.counted.to_string(), due, line.outcome.clone()]);
        }
        out.table(&table)?;
        if lines.len() > SHOWN_MAX {
            out.line(&format!("… and {} more (--json shows all)", lines.len() - SHOWN_MAX))?;
        }
        Ok(())
    })?;
    Ok(exit::OK)
}
