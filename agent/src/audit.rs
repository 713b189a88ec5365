//! `tillsync audit`: proves by counting that nothing has disappeared (invariant 7).
//!
//! Two independent counts over one consistent view of the database: the ledger (what the stored transactions move
//! must equal the movements), and each lane (what was recorded since the lane exists must equal what
//! is delivered, in flight, waiting, dead or discarded, per SKU, in lines and in quantity).

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Serialize;
use sync_core::audit::{Account, Imbalance, balance};
use sync_core::ledger::{effect, ignoring_rule};
use sync_core::model::{Quantity, Sku, SkuId};

use crate::db::{self, DbError, step};

/// Imbalances that are listed; more are only counted.
const LISTED_MAX: usize = 20;

/// The result.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Both counts agree.
    pub conserved: bool,
    /// Transactions in the ledger.
    pub transactions: u64,
    /// Lines of their latest snapshots.
    pub lines: u64,
    /// Of those, lines that move stock.
    pub moving_lines: u64,
    /// Of those, lines ignored, by rule.
    pub ignored_lines: BTreeMap<String, u64>,
    /// Records left out before they became lines, by rule.
    pub ignored_records: BTreeMap<String, i64>,
    /// Records in quarantine that wait for a person.
    pub quarantined_records: i64,
    /// Movements, counted in lines.
    pub movements: i64,
    /// Where the ledger disagrees with itself.
    pub ledger_imbalances: Vec<Difference>,
    /// Each lane.
    pub lanes: Vec<LaneReport>,
}

/// One lane's count, in lines.
#[derive(Debug, Serialize)]
pub struct LaneReport {
    /// Its name.
    pub name: String,
    /// Recorded since the lane exists.
    pub recorded: i64,
    /// In effect on the platform.
    pub delivered: i64,
    /// In a live batch.
    pub in_flight: i64,
    /// Waiting.
    pub waiting: i64,
    /// Dead letters that wait for a person.
    pub dead_letters: i64,
    /// Dead letters given up by a person.
    pub discarded: i64,
    /// Where recorded and the sum of the places differ.
    pub imbalances: Vec<Difference>,
}

/// A difference of one SKU.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Which.
    pub sku: String,
    /// In lines.
    pub lines: i64,
    /// In quantity.
    pub quantity: Quantity,
}

/// Counts. `progress` is told the transactions looked at and in all.
///
/// # Errors
/// [`DbError`] if the database cannot be read.
pub fn audit(conn: &mut Connection, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, DbError> {
    let view = conn.transaction().map_err(step("begin the audit"))?;
    let codes: BTreeMap<SkuId, String> = db::tables::all_skus(&view)?.into_iter().collect();
    let ids: BTreeMap<&str, SkuId> = codes.iter().map(|(id, code)| (code.as_str(), *id)).collect();
    let mut report = Report {
        conserved: true,
        transactions: 0,
        lines: 0,
        moving_lines: 0,
        ignored_lines: BTreeMap::new(),
        ignored_records: sums(&view, "SELECT rule, sum(records) FROM ignored GROUP BY rule")?,
        quarantined_records: number(&view, "SELECT coalesce(sum(records), 0) FROM quarantine WHERE state = 'open'")?,
        movements: 0,
        ledger_imbalances: Vec::new(),
        lanes: Vec::new(),
    };
    let mut snapshots = transactions(&view, &ids, &mut report, progress)?;
    snapshots.add_all(&account(&view, "SELECT sku, 0, delta FROM folded")?);
    snapshots.add_all(&account(&view, "SELECT sku, 0, delta FROM correction")?);
    let moved = account(&view, "SELECT sku, lines, delta FROM movement")?;
    report.movements = moved.lines();
    // Line counts of snapshots and movements differ where tickets were edited; quantities never do.
    let quantities = balance(&moved, [&snapshots]).into_iter().filter(|found| !found.delta.is_zero()).collect();
    report.ledger_imbalances = named(&codes, quantities);
    for (id, name, since) in lanes(&view)? {
        report.lanes.push(lane(&view, id, name, since, &codes)?);
    }
    report.conserved =
        report.ledger_imbalances.is_empty() && report.lanes.iter().all(|lane| lane.imbalances.is_empty());
    Ok(report)
}

fn transactions(
    view: &Connection,
    ids: &BTreeMap<&str, SkuId>,
    report: &mut Report,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Account, DbError> {
    let all = u64::try_from(number(view, "SELECT count(*) FROM txn")?).unwrap_or(0);
    let mut snapshots = Account::default();
    let mut statement = view.prepare("SELECT key, status, lines FROM txn").map_err(step("read transactions"))?;
    let mut rows = statement.query([]).map_err(step("read transactions"))?;
    while let Some(row) = rows.next().map_err(step("read transactions"))? {
        let (key, status, text): (String, String, String) = (
            row.get(0).map_err(step("read transactions"))?,
            row.get(1).map_err(step("read transactions"))?,
            row.get(2).map_err(step("read transactions"))?,
        );
        let bad = |detail: String| DbError::Row { what: format!("transaction {key}"), detail };
        let status = db::ledger::status_from(&status).ok_or_else(|| bad(format!("unknown status `{status}`")))?;
        let lines = db::ledger::read_lines(&text).map_err(bad)?;
        report.transactions += 1;
        for line in &lines {
            report.lines += 1;
            match ignoring_rule(status, line) {
                Some(rule) => *report.ignored_lines.entry(rule.into_string()).or_default() += 1,
                None => report.moving_lines += 1,
            }
        }
        for (sku, delta) in effect(status, &lines) {
            match id_of(ids, &sku) {
                Some(id) => snapshots.add(id, 0, delta),
                None if delta.is_zero() => {}
                None => return Err(bad(format!("SKU `{sku}` is not in the SKU table"))),
            }
        }
        if report.transactions.is_multiple_of(1000) {
            progress(report.transactions, all);
        }
    }
    progress(report.transactions, all);
    Ok(snapshots)
}

fn id_of(ids: &BTreeMap<&str, SkuId>, sku: &Sku) -> Option<SkuId> {
    ids.get(sku.as_str()).copied()
}

fn lane(
    view: &Connection,
    id: i64,
    name: String,
    since: i64,
    codes: &BTreeMap<SkuId, String>,
) -> Result<LaneReport, DbError> {
    if let Some(kind) = db::tables::value_kind(&name) {
        return values(view, id, name, kind, since, codes);
    }
    let mut recorded = account(view, &format!("SELECT sku, lines, delta FROM movement WHERE seq > {since}"))?;
    let known = format!("SELECT sku, -lines, -delta FROM exempt WHERE lane = {id} AND seq > {since}");
    recorded.add_all(&account(view, &known)?);
    let waiting = account(view, &format!("SELECT sku, lines, delta FROM pending WHERE lane = {id}"))?;
    let dead =
        account(view, &format!("SELECT sku, lines, delta FROM dead_letter WHERE lane = {id} AND state = 'open'"))?;
    let discarded =
        account(view, &format!("SELECT sku, lines, delta FROM dead_letter WHERE lane = {id} AND state = 'discarded'"))?;
    let in_flight = batches(view, &format!("SELECT id, items FROM batch WHERE lane = {id}"))?;
    let mut delivered =
        batches(view, &format!("SELECT id, items FROM sent WHERE lane = {id} AND outcome <> 'reopened'"))?;
    delivered.add_all(&account(view, &format!("SELECT sku, lines, delta FROM pruned WHERE lane = {id}"))?);
    Ok(LaneReport {
        name,
        recorded: recorded.lines(),
        delivered: delivered.lines(),
        in_flight: in_flight.lines(),
        waiting: waiting.lines(),
        dead_letters: dead.lines(),
        discarded: discarded.lines(),
        imbalances: named(codes, balance(&recorded, [&waiting, &dead, &discarded, &in_flight, &delivered])),
    })
}

/// A lane of values: the latest replaces those before it, so that changes are counted and nothing is added up.
fn values(
    view: &Connection,
    id: i64,
    name: String,
    kind: &str,
    since: i64,
    codes: &BTreeMap<SkuId, String>,
) -> Result<LaneReport, DbError> {
    let count = |sql: String| -> Result<Account, DbError> { Ok(account(view, &sql)?.without_quantities()) };
    let recorded = count(format!("SELECT sku, 1, 0 FROM fact WHERE kind = '{kind}' AND told = 1 AND seq > {since}"))?;
    let waiting = count(format!("SELECT sku, lines, 0 FROM pending WHERE lane = {id}"))?;
    let dead = count(format!("SELECT sku, lines, 0 FROM dead_letter WHERE lane = {id} AND state = 'open'"))?;
    let discarded = count(format!("SELECT sku, lines, 0 FROM dead_letter WHERE lane = {id} AND state = 'discarded'"))?;
    let in_flight = batches(view, &format!("SELECT id, items FROM batch WHERE lane = {id}"))?.without_quantities();
    let mut delivered =
        batches(view, &format!("SELECT id, items FROM sent WHERE lane = {id} AND outcome <> 'reopened'"))?;
    delivered.add_all(&account(view, &format!("SELECT sku, lines, delta FROM pruned WHERE lane = {id}"))?);
    let delivered = delivered.without_quantities();
    Ok(LaneReport {
        name,
        recorded: recorded.lines(),
        delivered: delivered.lines(),
        in_flight: in_flight.lines(),
        waiting: waiting.lines(),
        dead_letters: dead.lines(),
        discarded: discarded.lines(),
        imbalances: named(codes, balance(&recorded, [&waiting, &dead, &discarded, &in_flight, &delivered])),
    })
}

fn named(codes: &BTreeMap<SkuId, String>, found: Vec<Imbalance>) -> Vec<Difference> {
    found
        .into_iter()
        .take(LISTED_MAX)
        .map(|found| Difference {
            sku: codes.get(&found.sku).cloned().unwrap_or_else(|| found.sku.to_string()),
            lines: found.lines,
            quantity: found.delta,
        })
        .collect()
}

fn account(view: &Connection, sql: &str) -> Result<Account, DbError> {
    let mut account = Account::default();
    let mut statement = view.prepare(sql).map_err(step("count"))?;
    let rows = statement
        .query_map([], |row| Ok((SkuId(row.get(0)?), row.get::<_, i64>(1)?, Quantity::from_micros(row.get(2)?))))
        .map_err(step("count"))?;
    for row in rows {
        let (sku, lines, delta) = row.map_err(step("count"))?;
        account.add(sku, lines, delta);
    }
    Ok(account)
}

fn batches(view: &Connection, sql: &str) -> Result<Account, DbError> {
    let mut account = Account::default();
    let mut statement = view.prepare(sql).map_err(step("count batches"))?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .map_err(step("count batches"))?;
    for row in rows {
        let (id, items) = row.map_err(step("count batches"))?;
        for item in db::outbox::read_items(id, &items)? {
            account.add(item.entry.sku, item.entry.lines, item.entry.delta);
        }
    }
    Ok(account)
}

fn lanes(view: &Connection) -> Result<Vec<(i64, String, i64)>, DbError> {
    let mut statement = view.prepare("SELECT id, name, since FROM lane ORDER BY id").map_err(step("read lanes"))?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(step("read lanes"))?;
    rows.collect::<Result<_, _>>().map_err(step("read lanes"))
}

fn number(view: &Connection, sql: &str) -> Result<i64, DbError> {
    view.query_row(sql, [], |row| row.get(0)).map_err(step("count"))
}

fn sums(view: &Connection, sql: &str) -> Result<BTreeMap<String, i64>, DbError> {
    let mut statement = view.prepare(sql).map_err(step("count"))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(step("count"))?;
    rows.collect::<Result<_, _>>().map_err(step("count"))
}
