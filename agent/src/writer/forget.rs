//! Retention: what lies beyond it is folded into sums per SKU, so that the count of invariant 7 still holds.
//!
//! A transaction older than the ledger's memory could not be recognised if it were read again. So the ledger's
//! horizon only moves forward, and an unknown transaction from before it is quarantined instead of being counted.

use std::collections::BTreeMap;

use rusqlite::params;
use sync_core::model::{SkuId, Timestamp};

use super::Writer;
use crate::db::{self, DbError, step};

/// Batches folded in one commit.
const FOLDED_MAX: i64 = 2_000;

impl Writer {
    /// Folds batches closed before `before`, oldest first, a bounded number. Returns how many.
    pub(super) fn forget_sent(&mut self, before: Timestamp) -> Result<u64, DbError> {
        let rows: Vec<(i64, i64, String, String)> = self
            .conn
            .prepare_cached("SELECT id, lane, outcome, items FROM sent WHERE closed_at < ?1 ORDER BY id LIMIT ?2")
            .and_then(|mut statement| {
                let rows = statement.query_map(params![before.0, FOLDED_MAX], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?;
                rows.collect()
            })
            .map_err(step("read old batches"))?;
        let mut sums: BTreeMap<(i64, SkuId), (i64, i64)> = BTreeMap::new();
        for (id, lane, outcome, items) in &rows {
            if outcome != "reopened" {
                for item in db::outbox::read_items(*id, items)? {
                    let sum = sums.entry((*lane, item.entry.sku)).or_default();
                    sum.0 += item.entry.lines;
                    sum.1 += item.entry.delta.micros();
                }
            }
            self.conn.execute("DELETE FROM sent WHERE id = ?1", [id]).map_err(step("forget a batch"))?;
        }
        for ((lane, sku), (lines, delta)) in sums {
            self.conn
                .execute(
                    "INSERT INTO pruned VALUES (?1, ?2, ?3, ?4) ON CONFLICT (lane, sku) DO UPDATE SET lines = lines + ?3, delta = delta + ?4",
                    params![lane, sku.0, lines, delta],
                )
                .map_err(step("fold old batches"))?;
        }
        if !rows.is_empty() {
            db::tables::set_meta(&self.conn, "last_batch", &self.next_batch.0.to_string())?;
            db::tables::set_meta(&self.conn, "last_entry", &self.next_entry.0.to_string())?;
        }
        Ok(u64::try_from(rows.len()).unwrap_or(0))
    }

    /// Folds transactions sold before `horizon`, and remembers the horizon. Returns how many.
    pub(super) fn forget_transactions(&mut self, horizon: Timestamp) -> Result<u64, DbError> {
        let rows: Vec<(i64, String, String, String)> = self
            .conn
            .prepare_cached("SELECT source, key, status, lines FROM txn WHERE sold_at < ?1 LIMIT ?2")
            .and_then(|mut statement| {
                let rows = statement.query_map(params![horizon.0, FOLDED_MAX], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?;
                rows.collect()
            })
            .map_err(step("read old transactions"))?;
        for (source, key, status, text) in &rows {
            let bad = |detail: String| DbError::Row { what: format!("transaction {key}"), detail };
            let status = db::ledger::status_from(status).ok_or_else(|| bad(format!("unknown status `{status}`")))?;
            let lines = db::ledger::read_lines(text).map_err(bad)?;
            for (sku, delta) in sync_core::ledger::effect(status, &lines) {
                let sku = self.sku(&sku)?;
                self.conn
                    .prepare_cached(
                        "INSERT INTO folded VALUES (?1, ?2) ON CONFLICT (sku) DO UPDATE SET delta = delta + ?2",
                    )
                    .and_then(|mut statement| statement.execute(params![sku.0, delta.micros()]))
                    .map_err(step("fold old transactions"))?;
            }
            for sql in [
                "DELETE FROM txn WHERE source = ?1 AND key = ?2",
                "DELETE FROM txn_past WHERE source = ?1 AND key = ?2",
                "DELETE FROM online_ticket WHERE source = ?1 AND key = ?2",
            ] {
                self.conn
                    .prepare_cached(sql)
                    .and_then(|mut statement| statement.execute(params![source, key]))
                    .map_err(step("fold old transactions"))?;
            }
        }
        if horizon > self.horizon {
            db::tables::set_meta(&self.conn, HORIZON, &horizon.0.to_string())?;
            self.horizon = horizon;
        }
        db::orders::forget(&self.conn, horizon)?;
        let values = db::values::forget(&self.conn, horizon, FOLDED_MAX)?;
        Ok(u64::try_from(rows.len().max(values)).unwrap_or(0))
    }
}

/// Since when the ledger knows every transaction.
pub(super) const HORIZON: &str = "horizon";
