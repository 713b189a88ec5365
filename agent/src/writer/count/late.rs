//! Tickets that come after a count of the shelf although they were sold before it: their goods were missing from the shelf
//! already, so their movement is reversed at once.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::params;
use sync_core::count::place::is_late;
use sync_core::count::{Basis, Span};
use sync_core::ledger::MovementKind;
use sync_core::model::{Quantity, Sku, SkuId, Timestamp};

use super::{CountSheet, Taken};
use crate::db::{DbError, step};
use crate::writer::Writer;
use crate::writer::post::Posting;

/// The latest count of the shelf of an article.
#[derive(Debug, Clone, Copy)]
pub(in crate::writer) struct ShelfCount {
    count: i64,
    span: Span,
    margin: Duration,
    /// Position when it was taken in.
    seq: i64,
}

#[derive(Debug)]
struct Reversal {
    sku: Sku,
    delta: Quantity,
    count: i64,
    known_to: Option<usize>,
}

/// What the open group has to reverse.
#[derive(Debug, Default)]
pub(in crate::writer) struct Late {
    counts: BTreeMap<SkuId, ShelfCount>,
    reversals: Vec<Reversal>,
}

impl Writer {
    /// Reads the counts of the shelf, after a start or a failed commit.
    pub(in crate::writer) fn load_shelf_counts(&mut self) -> Result<(), DbError> {
        let mut statement = self
            .conn
            .prepare("SELECT sku, count, taken_at, until, margin, seq FROM shelf_count")
            .map_err(step("read counts of the shelf"))?;
        let rows = statement
            .query_map([], |row| {
                Ok((
                    SkuId(row.get(0)?),
                    ShelfCount {
                        count: row.get(1)?,
                        span: Span { from: Timestamp(row.get(2)?), until: Timestamp(row.get(3)?) },
                        margin: Duration::from_micros(u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0)),
                        seq: row.get(5)?,
                    },
                ))
            })
            .map_err(step("read counts of the shelf"))?;
        let counts = rows.collect::<Result<_, _>>().map_err(step("read counts of the shelf"))?;
        self.late = Late { counts, reversals: Vec::new() };
        Ok(())
    }

    /// Remembers a count of the shelf; the POS's own number takes its place.
    pub(super) fn keep_shelf_count(
        &mut self,
        count: i64,
        sku: SkuId,
        sheet: &CountSheet,
        span: Span,
    ) -> Result<(), DbError> {
        let Taken::Moment { margin, .. } = sheet.taken else { return self.forget_shelf_count(sku) };
        if sheet.basis == Basis::Ledger {
            return self.forget_shelf_count(sku);
        }
        let row = ShelfCount { count, span, margin, seq: self.seq.0 };
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO shelf_count VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
            .and_then(|mut statement| {
                let margin = i64::try_from(margin.as_micros()).unwrap_or(i64::MAX);
                statement.execute(params![sku.0, count, span.from.0, span.until.0, margin, row.seq])
            })
            .map_err(step("keep a count of the shelf"))?;
        self.late.counts.insert(sku, row);
        Ok(())
    }

    fn forget_shelf_count(&mut self, sku: SkuId) -> Result<(), DbError> {
        if self.late.counts.remove(&sku).is_some() {
            self.conn
                .execute("DELETE FROM shelf_count WHERE sku = ?1", [sku.0])
                .map_err(step("forget a count of the shelf"))?;
        }
        Ok(())
    }

    /// A ticket moves an article. `first_seq`: where the ledger met the ticket first, if it is not now; `known_to`: the lane
    /// whose platform knows of it, and of its reverse.
    pub(in crate::writer) fn note_late(
        &mut self,
        sku: SkuId,
        code: &Sku,
        delta: Quantity,
        sold_at: Option<Timestamp>,
        (first_seq, known_to): (Option<i64>, Option<usize>),
    ) -> Result<(), DbError> {
        let Some(counted) = self.late.counts.get(&sku).copied() else { return Ok(()) };
        if first_seq.is_some_and(|first| first <= counted.seq) {
            return Ok(());
        }
        if is_late(sold_at, counted.span, counted.margin) {
            self.late.reversals.push(Reversal { sku: code.clone(), delta: delta.negated(), count: counted.count, known_to });
        } else if sold_at.is_some_and(|at| at <= counted.span.until.plus(counted.margin)) {
            // Sold around the count: nobody knows whether it is in it, so the next count has to say.
            self.conn
                .prepare_cached("UPDATE stock_count_line SET outcome = 'waits' WHERE count = ?1 AND sku = ?2")
                .and_then(|mut statement| statement.execute(params![counted.count, sku.0]))
                .map_err(step("note that an article waits"))?;
        }
        Ok(())
    }

    /// Whether anything was ever counted on the shelf.
    pub(in crate::writer) fn has_shelf_counts(&self) -> bool {
        !self.late.counts.is_empty()
    }

    /// Posts what the chunk brought too late.
    pub(in crate::writer) fn reverse_late(&mut self) -> Result<(), DbError> {
        for Reversal { sku, delta, count, known_to } in std::mem::take(&mut self.late.reversals) {
            self.post(&Posting {
                sku,
                delta,
                kind: MovementKind::Correction,
                exempt: known_to,
                count: Some(count),
                why: format!("sold before count {count} of the shelf, read after it"),
                who: "count".to_owned(),
            })?;
            self.conn
                .prepare_cached("UPDATE correction SET late = 1 WHERE seq = ?1")
                .and_then(|mut statement| statement.execute([self.seq.0]))
                .map_err(step("mark a correction"))?;
        }
        Ok(())
    }

    /// Where the ledger first met a ticket.
    pub(in crate::writer) fn first_seq(&self, source: i64, key: &str) -> Result<Option<i64>, DbError> {
        self.conn
            .prepare_cached(
                "SELECT min(seq) FROM (SELECT seq FROM txn WHERE source = ?1 AND key = ?2
                 UNION ALL SELECT seq FROM txn_past WHERE source = ?1 AND key = ?2)",
            )
            .and_then(|mut statement| statement.query_row(params![source, key], |row| row.get(0)))
            .map_err(step("find the first version of a ticket"))
    }
}
