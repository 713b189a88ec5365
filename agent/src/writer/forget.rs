//! Retention: what lies beyond it is folded into sums per SKU, so that the count of invariant 7 still holds.
//!
//! A transaction older than the ledger's memory could not be recognised if it were read again. So the ledger's
//! horizon only moves forward, and an unknown transaction from before it is quarantined instead of being counted.
//!
//! Movements are added up in place: what lies between the beginnings of two lanes goes to the first position of that
//! stretch, so that "what moved since this lane began" stays the same number for every lane. What a held count would still
//! be compared with is left alone.

use std::collections::BTreeMap;

use rusqlite::params;
use sync_core::model::{Seq, SkuId, Timestamp};

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
        let movements = self.forget_movements(horizon)?;
        self.forget_records(horizon)?;
        Ok(u64::try_from(rows.len().max(values).max(movements)).unwrap_or(0))
    }

    /// Adds up movements, corrections and what platforms knew by themselves, as far as they lie before `horizon`; at most
    /// [`FOLDED_MAX`] of each a stretch. Returns how many were touched.
    fn forget_movements(&mut self, horizon: Timestamp) -> Result<usize, DbError> {
        let until = self.foldable_until(horizon)?;
        let mut touched = 0;
        for (home, end) in self.stretches(until)? {
            touched += self.fold_stretch(home, end)?;
        }
        touched += self.fold_corrections(until)?;
        if touched > 0 {
            // The last position is otherwise told by the last movement, which may have moved to an earlier one.
            db::tables::set_meta(&self.conn, "last_seq", &self.seq.0.to_string())?;
        }
        // The latest moment before the horizon stays: it says how far everything is older than any time after it.
        self.conn.execute("DELETE FROM moment WHERE seq < ?1", [until.0]).map_err(step("forget old moments"))?;
        Ok(touched)
    }

    /// The last position that was reached before `horizon` and that no held count is compared with.
    fn foldable_until(&self, horizon: Timestamp) -> Result<Seq, DbError> {
        self.conn
            .query_row(
                "SELECT min((SELECT coalesce(max(seq), 0) FROM moment WHERE at < ?1),
                            (SELECT coalesce(min(seq), ?2) FROM stock_count WHERE state = 'held'))",
                params![horizon.0, self.seq.0],
                |row| row.get(0),
            )
            .map(Seq)
            .map_err(step("find what lies before the retention"))
    }

    /// The stream up to a position, cut where lanes begin: first position and end of each stretch.
    fn stretches(&self, until: Seq) -> Result<Vec<(i64, i64)>, DbError> {
        let mut borders: Vec<i64> = self
            .conn
            .prepare("SELECT DISTINCT since FROM lane WHERE since > 0 AND since < ?1 ORDER BY since")
            .and_then(|mut statement| statement.query_map([until.0], |row| row.get(0))?.collect())
            .map_err(step("read lanes"))?;
        borders.insert(0, 0);
        let ends = borders.iter().copied().skip(1).chain([until.0]);
        Ok(borders.iter().zip(ends).map(|(begin, end)| (begin + 1, end)).collect())
    }

    fn fold_stretch(&self, home: i64, end: i64) -> Result<usize, DbError> {
        let moved = self.old_rows(home, end, "SELECT 0, seq, sku, lines, delta FROM movement")?;
        for (_, seq, sku, lines, delta) in &moved {
            self.carry_out(
                "INSERT INTO movement VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (seq, sku) DO UPDATE SET lines = lines + ?3, delta = delta + ?4",
                params![home, sku, lines, delta],
            )?;
            self.carry_out("DELETE FROM movement WHERE seq = ?1 AND sku = ?2", params![seq, sku])?;
        }
        let known = self.old_rows(home, end, "SELECT lane, seq, sku, lines, delta FROM exempt")?;
        for (lane, seq, sku, lines, delta) in &known {
            self.carry_out(
                "INSERT INTO exempt VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (lane, seq, sku) DO UPDATE SET lines = lines + ?4, delta = delta + ?5",
                params![lane, home, sku, lines, delta],
            )?;
            self.carry_out("DELETE FROM exempt WHERE lane = ?1 AND seq = ?2 AND sku = ?3", params![lane, seq, sku])?;
        }
        Ok(moved.len().max(known.len()))
    }

    /// Rows (lane, position, SKU, lines, quantity) behind the first position of a stretch.
    fn old_rows(&self, home: i64, end: i64, select: &str) -> Result<Vec<(i64, i64, i64, i64, i64)>, DbError> {
        self.conn
            .prepare_cached(&format!("{select} WHERE seq > ?1 AND seq <= ?2 LIMIT ?3"))
            .and_then(|mut statement| {
                let rows = statement.query_map(params![home, end, FOLDED_MAX], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                })?;
                rows.collect()
            })
            .map_err(step("read old movements"))
    }

    fn fold_corrections(&self, until: Seq) -> Result<usize, DbError> {
        let old: Vec<(i64, i64, i64)> = self
            .conn
            .prepare_cached("SELECT id, sku, delta FROM correction WHERE seq <= ?1 LIMIT ?2")
            .and_then(|mut statement| {
                let rows = statement
                    .query_map(params![until.0, FOLDED_MAX], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                rows.collect()
            })
            .map_err(step("read old corrections"))?;
        for (id, sku, delta) in &old {
            self.carry_out(
                "INSERT INTO folded VALUES (?1, ?2) ON CONFLICT (sku) DO UPDATE SET delta = delta + ?2",
                params![sku, delta],
            )?;
            self.carry_out("DELETE FROM correction WHERE id = ?1", params![id])?;
        }
        Ok(old.len())
    }

    /// What was only kept to be looked at: settled overwrites, runs, lines of counts, decided holds, resolved records.
    fn forget_records(&self, horizon: Timestamp) -> Result<(), DbError> {
        for sql in [
            "DELETE FROM overwrite WHERE at < ?1 AND state <> 'sent'",
            "DELETE FROM reconcile_run WHERE started_at < ?1 AND state NOT IN ('held', 'running')",
            "DELETE FROM stock_count_line WHERE count IN
               (SELECT id FROM stock_count WHERE read_at < ?1 AND state <> 'held')",
            "DELETE FROM value_hold WHERE state <> 'held' AND decided_at < ?1",
            "DELETE FROM quarantine WHERE state = 'resolved' AND read_at < ?1",
        ] {
            self.carry_out(sql, params![horizon.0])?;
        }
        Ok(())
    }

    fn carry_out(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), DbError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map(|_rows| ())
            .map_err(step("fold what is past the retention"))
    }
}

/// Since when the ledger knows every transaction.
pub(super) const HORIZON: &str = "horizon";
