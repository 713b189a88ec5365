//! `tillsync reconcile`: ask the running agent, or read what it has kept.

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;
use sync_core::model::Timestamp;

use super::{is_running, reader};
use crate::cli::output::{Align, Output, Table, Tone};
use crate::cli::{ListArgs, ReconcileAction, ReconcileArgs, exit};
use crate::clock::rfc3339;
use crate::config::Config;
use crate::requests;
use crate::writer::admin::Action;

/// Differences that are printed; `--json` has all of them.
const SHOWN_MAX: usize = 50;

pub(super) fn reconcile(config: &Config, args: &ReconcileArgs, out: &mut Output) -> anyhow::Result<u8> {
    match &args.action {
        None => {
            let action = Action::Reconcile { platform: args.platform.clone(), dry_run: args.dry_run, who: person() };
            ask(config, &action, out)
        }
        Some(ReconcileAction::Held(list)) => held(config, list, out),
        Some(ReconcileAction::Log(list)) => log(config, list, out),
        Some(ReconcileAction::Runs(list)) => runs(config, list, out),
        Some(ReconcileAction::Approve { run }) => {
            ask(config, &Action::DecideReconcile { run: *run, approve: true, reason: None, who: person() }, out)
        }
        Some(ReconcileAction::Refuse { run, reason }) => {
            let action = Action::DecideReconcile { run: *run, approve: false, reason: reason.clone(), who: person() };
            ask(config, &action, out)
        }
    }
}

/// Who stands at the machine, for the record.
pub(super) fn person() -> String {
    ["SUDO_USER", "USER", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .map_or_else(|| "the command line".to_owned(), |name| format!("{name} (command line)"))
}

fn ask(config: &Config, action: &Action, out: &mut Output) -> anyhow::Result<u8> {
    anyhow::ensure!(
        is_running(config),
        "no agent runs on `{}`: start it with `tillsync run` first; it compares with what is on its way",
        config.state.path.display()
    );
    let answer = requests::ask(&config.state.path, action)?;
    let reports: Vec<Value> = serde_json::from_str(&answer).context("the agent's answer cannot be read")?;
    out.answer(&reports, |out| {
        for report in &reports {
            print(report, out)?;
        }
        if reports.is_empty() {
            out.line("Refused; nothing is written.")?;
        }
        Ok(())
    })?;
    let state = |word: &str| reports.iter().any(|report| report["state"] == word);
    Ok(if state("failed") {
        exit::UNREACHABLE
    } else if state("held") {
        exit::FAULTS
    } else {
        exit::OK
    })
}

fn print(report: &Value, out: &mut Output) -> std::io::Result<()> {
    let text = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
    let tone = match report["state"].as_str() {
        Some("failed") => Tone::Bad,
        Some("held") => Tone::Warn,
        _ => Tone::Good,
    };
    out.line(&out.paint(tone, &format!("{}: {}", text("platform"), text("summary"))))?;
    let plan = &report["plan"];
    let differences = plan["differences"].as_array().cloned().unwrap_or_default();
    if !differences.is_empty() {
        let mut table = Table::new(&[
            ("SKU", Align::Left),
            ("shop shows", Align::Right),
            ("should be", Align::Right),
            ("store has", Align::Right),
            ("sold online", Align::Right),
            ("kept back", Align::Right),
            ("", Align::Left),
        ]);
        for row in differences.iter().take(SHOWN_MAX) {
            let word = match row["standing"].as_str() {
                Some("confirmed") => "seen twice",
                Some("later") => "next run",
                _ => "seen once",
            };
            table.row([
                plain(&row["sku"]),
                plain(&row["shown"]),
                plain(&row["due"]),
                plain(&row["on_hand"]),
                plain(&row["open_orders"]),
                plain(&row["buffer"]),
                word.to_owned(),
            ]);
        }
        out.table(&table)?;
        if differences.len() > SHOWN_MAX {
            out.line(&format!("… and {} more (--json shows all)", differences.len() - SHOWN_MAX))?;
        }
    }
    for (reason, count) in plan["skipped"].as_object().into_iter().flatten() {
        out.line(&format!("  not compared: {count} {}", skipped_words(reason)))?;
    }
    if report["state"] == "held" {
        out.line(&format!(
            "  Look at it, then `tillsync reconcile approve {0}` or `tillsync reconcile refuse {0}`.",
            report["run"]
        ))?;
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn skipped_words(reason: &str) -> &'static str {
    match reason {
        "not_in_store" => "that the store does not know",
        "never_counted" => "that were never counted",
        "on_its_way" => "with changes on their way",
        "doubled" => "whose number stands more than once in the shop",
        "other_item" => "that are known as another product",
        "composite" => "that are bundles or packs in the shop",
        "not_on_platform" => "that the shop does not have",
        _ => "for another reason",
    }
}

/// A run as kept.
#[derive(Serialize)]
struct Run {
    id: i64,
    platform: String,
    started_at: String,
    state: String,
    compared: i64,
    different: i64,
    repaired: i64,
    summary: String,
    who: String,
    decided_by: Option<String>,
    note: Option<String>,
}

const RUN_COLUMNS: &str = "SELECT r.id, l.name, r.started_at, r.state, r.compared, r.different, r.repaired, r.summary, r.who, r.decided_by, r.note
     FROM reconcile_run r JOIN lane l ON l.id = r.lane";

fn read_runs(config: &Config, filter: &str, limit: u64) -> anyhow::Result<Vec<Run>> {
    let conn = reader(config)?;
    let mut statement = conn.prepare(&format!("{RUN_COLUMNS} {filter} ORDER BY r.id DESC LIMIT ?1"))?;
    let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(Run {
            id: row.get(0)?,
            platform: row.get(1)?,
            started_at: rfc3339(Timestamp(row.get(2)?)),
            state: row.get(3)?,
            compared: row.get(4)?,
            different: row.get(5)?,
            repaired: row.get(6)?,
            summary: row.get(7)?,
            who: row.get(8)?,
            decided_by: row.get(9)?,
            note: row.get(10)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn print_runs(runs: &[Run], nothing: &str, out: &mut Output) -> std::io::Result<()> {
    out.answer(&runs, |out| {
        if runs.is_empty() {
            return out.line(nothing);
        }
        let mut table = Table::new(&[
            ("run", Align::Right),
            ("platform", Align::Left),
            ("started", Align::Left),
            ("state", Align::Left),
            ("what", Align::Left),
            ("by", Align::Left),
        ]);
        for run in runs {
            let by = run.decided_by.clone().unwrap_or_else(|| run.who.clone());
            table.row([
                run.id.to_string(),
                run.platform.clone(),
                run.started_at.clone(),
                run.state.clone(),
                run.summary.clone(),
                by,
            ]);
        }
        out.table(&table)
    })
}

fn held(config: &Config, list: &ListArgs, out: &mut Output) -> anyhow::Result<u8> {
    let runs = read_runs(config, "WHERE r.state = 'held'", list.limit)?;
    print_runs(&runs, "No reconciliation waits for a decision.", out)?;
    Ok(exit::OK)
}

fn runs(config: &Config, list: &ListArgs, out: &mut Output) -> anyhow::Result<u8> {
    let runs = read_runs(config, "", list.limit)?;
    print_runs(&runs, "There was no reconciliation yet.", out)?;
    Ok(exit::OK)
}

/// One overwrite as logged.
#[derive(Serialize)]
struct Overwrite {
    at: String,
    platform: String,
    sku: Option<String>,
    item: String,
    before: i64,
    after: i64,
    state: String,
    why: String,
    who: Option<String>,
    run: Option<i64>,
}

fn log(config: &Config, list: &ListArgs, out: &mut Output) -> anyhow::Result<u8> {
    let conn = reader(config)?;
    let mut statement = conn.prepare(
        "SELECT o.at, l.name, s.code, o.item, o.before, o.after, o.state, o.why, o.who, o.run
         FROM overwrite o JOIN lane l ON l.id = o.lane LEFT JOIN sku s ON s.id = o.sku ORDER BY o.id DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([i64::try_from(list.limit).unwrap_or(i64::MAX)], |row| {
        Ok(Overwrite {
            at: rfc3339(Timestamp(row.get(0)?)),
            platform: row.get(1)?,
            sku: row.get(2)?,
            item: row.get(3)?,
            before: row.get(4)?,
            after: row.get(5)?,
            state: row.get(6)?,
            why: row.get(7)?,
            who: row.get(8)?,
            run: row.get(9)?,
        })
    })?;
    let rows: Vec<Overwrite> = rows.collect::<Result<_, _>>()?;
    out.answer(&rows, |out| {
        if rows.is_empty() {
            return out.line("No number of a shop was ever overwritten.");
        }
        let mut table = Table::new(&[
            ("when", Align::Left),
            ("platform", Align::Left),
            ("SKU", Align::Left),
            ("before", Align::Right),
            ("after", Align::Right),
            ("state", Align::Left),
            ("why", Align::Left),
            ("by", Align::Left),
        ]);
        for row in &rows {
            table.row([
                row.at.clone(),
                row.platform.clone(),
                row.sku.clone().unwrap_or_else(|| row.item.clone()),
                row.before.to_string(),
                row.after.to_string(),
                row.state.clone(),
                row.why.clone(),
                row.who.clone().unwrap_or_default(),
            ]);
        }
        out.table(&table)
    })?;
    Ok(exit::OK)
}
