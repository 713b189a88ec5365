//! What the commands do that need the database, a platform or the running agent.

use std::path::Path;

use anyhow::Context as _;

use crate::cli::output::{Align, Form, Output, Table, Tone};
use crate::cli::progress::{Progress, Unit};
use crate::cli::{Cli, Command, check, exit};
use crate::clock::{Clock, rfc3339};
use crate::config::{self, Config};
use crate::db::{self, DbError, StateFolder, backup, recovery};
use crate::{audit, connect, run, telemetry};

mod count;
mod discover;
mod lists;
mod online;
mod ports;
mod preview;
mod receipts;
mod reconcile;
mod support;

/// Carries a command out and answers the exit code.
///
/// # Errors
/// What kept it from being carried out; `main` prints the chain.
pub fn run(cli: &Cli, out: &mut Output) -> anyhow::Result<u8> {
    if let Some(code) = crate::cli::run_offline(cli, out)? {
        return Ok(code);
    }
    if let Command::Diag { output } = &cli.command {
        return support::diag(&cli.common.config, output.as_deref(), out);
    }
    if let Command::Discover(args) = &cli.command {
        return discover::discover(args, out);
    }
    if let Command::Ports(args) = &cli.command {
        return ports::ports(args, out);
    }
    if let Command::Receipts { action } = &cli.command {
        return receipts::receipts(action, out);
    }
    let config = match config::load(&cli.common.config) {
        Ok(config) => config,
        Err(faults) => {
            check::print(out, &check::CheckReport::refused(&faults))?;
            return Ok(exit::FAULTS);
        }
    };
    match &cli.command {
        Command::Run => start(&config),
        Command::Check(args) => online::check(&cli.common.config, args, out),
        Command::Preview(args) => preview::preview(&config, args, out),
        Command::Replay(args) => lists::replay(&config, args, out),
        Command::Audit => conservation(&config, out),
        Command::Status => support::status(&config, out),
        Command::Outbox { action } => lists::outbox(&config, action.as_ref(), out),
        Command::Quarantine { action } => lists::quarantine(&config, action.as_ref(), out),
        Command::Mapping { action } => lists::mapping(&config, action.as_ref(), out),
        Command::Count { action } => count::count(&config, action, out),
        Command::Orders(args) => lists::orders(&config, args, out),
        Command::Prices { action } => lists::prices(&config, action.as_ref(), out),
        Command::Reconcile(args) => reconcile::reconcile(&config, args, out),
        Command::Backup { output } => copy(&config, output.as_deref(), out),
        Command::Restore { from } => restore(&config, from, out),
        Command::Diag { .. }
        | Command::Discover(_)
        | Command::Ports(_)
        | Command::Receipts { .. }
        | Command::Grants(_)
        | Command::MaskConfig
        | Command::ConfigSchema
        | Command::Completions { .. } => Ok(exit::USAGE),
    }
}

fn start(config: &Config) -> anyhow::Result<u8> {
    telemetry::install(&config.log, &config.state.path)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), store = %config.store.id, "Tillsync starts");
    match run::run(config) {
        Ok(()) => Ok(exit::OK),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "Tillsync cannot run");
            Err(error)
        }
    }
}

/// The exit code of a failure.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<DbError>() {
        Some(DbError::Locked { .. }) => exit::HELD,
        Some(_) => exit::UNREACHABLE,
        None => exit::FAULTS,
    }
}

fn reader(config: &Config) -> anyhow::Result<rusqlite::Connection> {
    let path = StateFolder::shared(&config.state.path).database();
    anyhow::ensure!(
        path.exists(),
        "there is no database in `{}` yet: start the agent with `tillsync run` first",
        config.state.path.display()
    );
    let conn = db::open_reader(&path)?;
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    anyhow::ensure!(version > 0, "the agent is just making its database: ask again in a moment");
    Ok(conn)
}

fn conservation(config: &Config, out: &mut Output) -> anyhow::Result<u8> {
    let mut conn = reader(config)?;
    let progress = Progress::new("counting", Some(0), Unit::Count, out.form());
    let report = audit::audit(&mut conn, &mut |done, all| {
        progress.total(all);
        progress.set(done);
    })?;
    progress.finish();
    out.answer(&report, |out| {
        out.line(&format!(
            "{} transactions, {} lines: {} move stock, {} ignored by a rule, {} records in quarantine",
            report.transactions,
            report.lines,
            report.moving_lines,
            report.ignored_lines.values().sum::<u64>(),
            report.quarantined_records
        ))?;
        let right = ["recorded", "delivered", "in flight", "waiting", "dead letters", "discarded"]
            .map(|name| (name, Align::Right));
        let mut columns = vec![("lane", Align::Left)];
        columns.extend(right);
        let mut table = Table::new(&columns);
        for lane in &report.lanes {
            let counts =
                [lane.recorded, lane.delivered, lane.in_flight, lane.waiting, lane.dead_letters, lane.discarded];
            table.row(std::iter::once(lane.name.clone()).chain(counts.map(|count| count.to_string())));
        }
        out.table(&table)?;
        for found in report.ledger_imbalances.iter().chain(report.lanes.iter().flat_map(|lane| &lane.imbalances)) {
            out.line(&out.paint(
                Tone::Bad,
                &format!("SKU {}: {} lines, {} units do not add up", found.sku, found.lines, found.quantity),
            ))?;
        }
        let (tone, text) = if report.conserved {
            (Tone::Good, "Conserved: every line is in exactly one place.")
        } else {
            (Tone::Bad, "NOT conserved: stop the agent, make a bundle with `tillsync diag` and report it.")
        };
        out.line(&out.paint(tone, text))
    })?;
    Ok(if report.conserved { exit::OK } else { exit::FAULTS })
}

fn copy(config: &Config, output: Option<&Path>, out: &mut Output) -> anyhow::Result<u8> {
    let folder = StateFolder::shared(&config.state.path);
    let stamp = rfc3339(Clock::default().now());
    let target = output.map_or_else(|| folder.backups().join(crate::upkeep::backup_name(&stamp)), Path::to_path_buf);
    let progress = Progress::new("copying", Some(0), Unit::Count, out.form());
    backup::copy(&folder.database(), &target, &mut |left, all| {
        let (left, all) = (u64::try_from(left).unwrap_or(0), u64::try_from(all).unwrap_or(0));
        progress.total(all);
        progress.set(all.saturating_sub(left));
    })?;
    progress.finish();
    out.answer(&serde_json::json!({ "backup": target }), |out| {
        out.line(&format!("Backup made and checked: {}", target.display()))
    })?;
    Ok(exit::OK)
}

fn restore(config: &Config, from: &Path, out: &mut Output) -> anyhow::Result<u8> {
    let folder = StateFolder::lock(&config.state.path)?;
    let stamp: String = rfc3339(Clock::default().now()).chars().filter(char::is_ascii_digit).take(14).collect();
    let aside =
        recovery::restore(&folder, from, &stamp).with_context(|| format!("cannot restore `{}`", from.display()))?;
    let answer = serde_json::json!({ "restored": from, "set_aside": aside });
    out.answer(&answer, |out| {
        out.line(&format!("Restored from {}.", from.display()))?;
        if let Some(aside) = &aside {
            out.line(&format!("The former database is kept as {}.", aside.display()))?;
        }
        out.line("At the next start the sources are read again and the shop's numbers are read back before anything is written.")
    })?;
    Ok(exit::OK)
}

/// Whether an answer is for people.
fn is_human(out: &Output) -> bool {
    out.form() == Form::Human
}

/// Whether an agent runs on the state folder.
fn is_running(config: &Config) -> bool {
    matches!(StateFolder::lock(&config.state.path), Err(DbError::Locked { .. }))
}

/// Parts of the program that a check needs.
fn lanes_of(config: &Config) -> anyhow::Result<Vec<crate::writer::LaneSpec>> {
    connect::install_tls();
    connect::lanes(config, &std::sync::Arc::new(Clock::default()))
}
