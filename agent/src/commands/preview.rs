//! `tillsync preview`: what a source would give, stored and sent nowhere.

use anyhow::Context as _;
use pos_adapters::{Chunk, Poll};
use serde_json::json;
use sync_core::model::{LineKind, Transaction};

use super::{exit, is_human};
use crate::cli::PreviewArgs;
use crate::cli::output::{Align, Output, Table};
use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::connect;

/// Polls without anything new after which the input is at its end; some patterns wait for a file to settle.
const QUIET_POLLS: u32 = 3;
const SETTLE_WAIT: std::time::Duration = std::time::Duration::from_millis(2_500);

pub(super) fn preview(config: &Config, args: &PreviewArgs, out: &mut Output) -> anyhow::Result<u8> {
    let mut wanted = config
        .sources
        .iter()
        .find(|source| source.name() == args.source)
        .cloned()
        .with_context(|| format!("there is no source `{}`", args.source))?;
    if let Some(input) = &args.input {
        wanted = wanted.reading(input).map_err(anyhow::Error::msg)?;
    }
    let mut source = connect::source(&wanted, config)?;
    source.resume(Vec::new());
    let clock = Clock::default();
    let mut table = Table::new(&[
        ("transaction", Align::Left),
        ("register", Align::Left),
        ("line", Align::Right),
        ("sku", Align::Left),
        ("quantity", Align::Right),
        ("kind", Align::Left),
        ("sold at", Align::Left),
    ]);
    let (mut lines, mut quarantined, mut quiet) = (0_u64, 0_u64, 0);
    let limit = args.limit.unwrap_or(if is_human(out) { 50 } else { u64::MAX });
    while quiet < QUIET_POLLS && lines < limit {
        match source.poll(&[], clock.now())? {
            Poll::Chunk(chunk) => {
                quiet = 0;
                show(&chunk, limit, &mut lines, &mut quarantined, &mut table, out)?;
            }
            Poll::Quiet { .. } => {
                quiet += 1;
                if quiet < QUIET_POLLS && lines + quarantined == 0 {
                    let (_hold, wait) = std::sync::mpsc::channel::<()>();
                    let _timed_out = wait.recv_timeout(SETTLE_WAIT);
                } else {
                    break;
                }
            }
        }
    }
    if is_human(out) {
        out.table(&table)?;
        out.line(&format!("{lines} lines shown, {quarantined} records cannot be read. Nothing was stored or sent."))?;
    }
    Ok(exit::OK)
}

fn show(
    chunk: &Chunk,
    limit: u64,
    lines: &mut u64,
    quarantined: &mut u64,
    table: &mut Table,
    out: &mut Output,
) -> anyhow::Result<()> {
    for read in &chunk.transactions {
        for (index, line) in read.lines.iter().enumerate() {
            if *lines >= limit {
                return Ok(());
            }
            *lines += 1;
            let kind = kind(read, line);
            let units = match line.kind {
                LineKind::Sale => line.delta.negated(),
                LineKind::Return | LineKind::Receipt | LineKind::Adjustment => line.delta,
            };
            let sold_at = read.sold_at.map(rfc3339);
            if is_human(out) {
                table.row([
                    read.key.to_string(),
                    read.register.clone(),
                    (index + 1).to_string(),
                    line.sku.to_string(),
                    units.to_string(),
                    kind,
                    sold_at.unwrap_or_default(),
                ]);
            } else {
                out.json_line(&json!({
                    "transaction": read.key, "register": read.register, "line": index + 1, "sku": line.sku,
                    "quantity": units, "kind": kind, "sold_at": sold_at
                }))?;
            }
        }
    }
    for row in &chunk.quarantined {
        *quarantined += u64::from(row.records);
        if is_human(out) {
            out.line(&format!("cannot be read: {}: {}", row.at, row.reason))?;
        } else {
            out.json_line(&json!({ "quarantined": row.raw, "reason": row.reason, "at": row.at }))?;
        }
    }
    Ok(())
}

/// The line's kind, or the rule by which it moves nothing.
fn kind(read: &Transaction, line: &sync_core::model::LineItem) -> String {
    match sync_core::ledger::ignoring_rule(read.status, line) {
        Some(rule) => format!("ignored: {rule}"),
        None => line.kind.as_str().to_owned(),
    }
}
