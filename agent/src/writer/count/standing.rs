//! What the ledger knows of counted articles: which of their movements a count contains.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rusqlite::params;
use sync_core::count::Standing;
use sync_core::count::place::{Posting, contained};
use sync_core::count::{Effect, Recent, Reference, Span, Unsure, place::Place};
use sync_core::ledger;
use sync_core::model::{LineItem, Quantity, Seq, Sku, SkuId, Timestamp, TransactionStatus};

use super::{CountSheet, NOT_POSTED, Taken, reference, span_of};
use crate::db::{self, DbError, step};
use crate::writer::Writer;

/// Tickets that come in later than this after their sale are not looked for; their articles wait.
const LATE_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);

#[derive(Clone, Copy)]
struct Stock {
    base: Option<Quantity>,
    moved: Quantity,
    counted_at: Option<Timestamp>,
}

/// One version of a ticket.
struct Version {
    seq: i64,
    status: TransactionStatus,
    lines: Vec<LineItem>,
}

impl Writer {
    /// The standing of every article of a sheet that the ledger knows.
    pub(super) fn standings(&self, sheet: &CountSheet) -> Result<BTreeMap<Sku, Standing>, DbError> {
        let mut ids: BTreeMap<SkuId, (Sku, Span)> = BTreeMap::new();
        for sku in sheet.lines.keys() {
            if let Some(id) = self.skus.get(sku.as_str()) {
                ids.insert(*id, (sku.clone(), span_of(sheet, sku)));
            }
        }
        let earliest = ids.values().map(|(_, span)| span.from).min().unwrap_or_else(|| sheet.taken.at());
        let before = match sheet.taken {
            Taken::Snapshot { before, .. } => before,
            Taken::Moment { margin, .. } => self.position_before(minus(earliest, margin))?,
        };
        let reference = reference(sheet, before);
        let stock = self.all_stock()?;
        let recent = self.recent(before)?;
        let mut effects: BTreeMap<SkuId, Vec<Effect>> = BTreeMap::new();
        match sheet.taken {
            Taken::Snapshot { .. } => self.effects_by_position(reference, &ids, &mut effects)?,
            Taken::Moment { margin, .. } if !recent.is_empty() => {
                self.effects_of_postings(reference, &ids, &mut effects)?;
                self.effects_of_tickets(reference, minus(earliest, margin), &ids, &mut effects)?;
            }
            Taken::Moment { .. } => {}
        }
        let unposted = match sheet.posted_until {
            Some(until) => self.recent(self.position_before(until)?)?.into_keys().collect(),
            None => BTreeSet::new(),
        };
        let mut standings = BTreeMap::new();
        for (id, (sku, span)) in ids {
            let known =
                stock.get(&id).copied().unwrap_or(Stock { base: None, moved: Quantity::ZERO, counted_at: None });
            let own = effects.get(&id).map_or(&[][..], Vec::as_slice);
            let contained = if known.counted_at.is_some_and(|at| at > span.from) {
                Err(Unsure::CountedLater)
            } else if unposted.contains(&id) {
                Err(NOT_POSTED)
            } else {
                contained(known.moved, recent.get(&id).copied().unwrap_or_default(), own)
            };
            standings.insert(sku, Standing { base: known.base, contained });
        }
        Ok(standings)
    }

    /// The last position that was reached for certain by a time.
    fn position_before(&self, at: Timestamp) -> Result<Seq, DbError> {
        self.conn
            .prepare_cached("SELECT coalesce(max(seq), 0) FROM moment WHERE at < ?1")
            .and_then(|mut statement| statement.query_row([at.0], |row| row.get(0)))
            .map(Seq)
            .map_err(step("find the position of a time"))
    }

    fn all_stock(&self) -> Result<BTreeMap<SkuId, Stock>, DbError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT sku, base, moved, counted_at FROM stock")
            .map_err(step("read the stock"))?;
        let rows = statement
            .query_map([], |row| {
                Ok((
                    SkuId(row.get(0)?),
                    Stock {
                        base: row.get::<_, Option<i64>>(1)?.map(Quantity::from_micros),
                        moved: Quantity::from_micros(row.get(2)?),
                        counted_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
                    },
                ))
            })
            .map_err(step("read the stock"))?;
        rows.collect::<Result<_, _>>().map_err(step("read the stock"))
    }

    /// What moved after a position.
    fn recent(&self, before: Seq) -> Result<BTreeMap<SkuId, Recent>, DbError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT sku, sum(lines), sum(delta) FROM movement WHERE seq > ?1 GROUP BY sku")
            .map_err(step("read what moved"))?;
        let rows = statement
            .query_map([before.0], |row| {
                Ok((SkuId(row.get(0)?), Recent { lines: row.get(1)?, delta: Quantity::from_micros(row.get(2)?) }))
            })
            .map_err(step("read what moved"))?;
        rows.collect::<Result<_, _>>().map_err(step("read what moved"))
    }

    fn effects_by_position(
        &self,
        reference: Reference,
        ids: &BTreeMap<SkuId, (Sku, Span)>,
        effects: &mut BTreeMap<SkuId, Vec<Effect>>,
    ) -> Result<(), DbError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT seq, sku, lines, delta FROM movement WHERE seq > ?1")
            .map_err(step("read what moved"))?;
        let mut rows = statement.query([reference.before().0]).map_err(step("read what moved"))?;
        while let Some(row) = rows.next().map_err(step("read what moved"))? {
            let read = (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))();
            let (seq, sku, lines, delta): (i64, i64, i64, i64) = read.map_err(step("read what moved"))?;
            if ids.contains_key(&SkuId(sku)) {
                let place = reference.of_position(Seq(seq));
                let effect = Effect { lines, delta: Quantity::from_micros(delta), place };
                effects.entry(SkuId(sku)).or_default().push(effect);
            }
        }
        Ok(())
    }

    fn effects_of_postings(
        &self,
        reference: Reference,
        ids: &BTreeMap<SkuId, (Sku, Span)>,
        effects: &mut BTreeMap<SkuId, Vec<Effect>>,
    ) -> Result<(), DbError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT sku, delta, count, late, at FROM correction WHERE seq > ?1")
            .map_err(step("read corrections"))?;
        let mut rows = statement.query([reference.before().0]).map_err(step("read corrections"))?;
        while let Some(row) = rows.next().map_err(step("read corrections"))? {
            let read = (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))();
            let (sku, delta, count, late, at): (i64, i64, Option<i64>, bool, i64) =
                read.map_err(step("read corrections"))?;
            let Some((_, span)) = ids.get(&SkuId(sku)) else { continue };
            let posting = match (late, count) {
                (true, _) => Posting::Late,
                (false, Some(_)) => Posting::Count,
                (false, None) => Posting::HandedOver { at: Timestamp(at) },
            };
            let place = reference.of_posting(*span, posting);
            let effect = Effect { lines: 1, delta: Quantity::from_micros(delta), place };
            effects.entry(SkuId(sku)).or_default().push(effect);
        }
        Ok(())
    }

    fn effects_of_tickets(
        &self,
        reference: Reference,
        earliest: Timestamp,
        ids: &BTreeMap<SkuId, (Sku, Span)>,
        effects: &mut BTreeMap<SkuId, Vec<Effect>>,
    ) -> Result<(), DbError> {
        let mut statement = self
            .conn
            .prepare_cached(
                "SELECT source, key, version, seq, sold_at, status, lines FROM txn WHERE sold_at > ?1 AND seq > ?2",
            )
            .map_err(step("read tickets"))?;
        let from = minus(earliest, LATE_MAX);
        let mut rows = statement.query(params![from.0, reference.before().0]).map_err(step("read tickets"))?;
        while let Some(row) = rows.next().map_err(step("read tickets"))? {
            let read = (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))();
            let (source, key, version, seq, sold_at): (i64, String, u32, i64, i64) =
                read.map_err(step("read tickets"))?;
            let latest = self.version(&key, seq, row.get(5), row.get(6))?;
            let mut versions = if version > 1 { self.past(source, &key)? } else { Vec::new() };
            versions.push(latest);
            self.effects_of_ticket(reference, Timestamp(sold_at), &versions, ids, effects);
        }
        Ok(())
    }

    fn effects_of_ticket(
        &self,
        reference: Reference,
        sold_at: Timestamp,
        versions: &[Version],
        ids: &BTreeMap<SkuId, (Sku, Span)>,
        effects: &mut BTreeMap<SkuId, Vec<Effect>>,
    ) {
        let before = reference.before().0;
        let known = versions.first().is_some_and(|first| first.seq <= before);
        // A ticket that only grows while it is read line by line was not changed.
        let grew = versions.windows(2).all(|pair| match pair {
            [old, new] => new.status == old.status && new.lines.starts_with(&old.lines),
            _ => true,
        });
        let changes = if grew { 1 } else { u32::try_from(versions.len()).unwrap_or(u32::MAX) };
        let mut moved: BTreeMap<SkuId, (i64, Quantity)> = BTreeMap::new();
        let mut previous: BTreeMap<Sku, Quantity> = BTreeMap::new();
        for (number, version) in versions.iter().enumerate() {
            let effect = ledger::effect(version.status, &version.lines);
            if version.seq > before {
                for sku in previous.keys().chain(effect.keys()).collect::<BTreeSet<_>>() {
                    let Some(id) = self.skus.get(sku.as_str()).filter(|id| ids.contains_key(id)) else { continue };
                    let was = previous.get(sku).copied().unwrap_or_default();
                    let by = effect.get(sku).copied().unwrap_or_default().saturating_sub(was);
                    let lines = if number == 0 { first_lines(version, sku) } else { i64::from(!by.is_zero()) };
                    let sum = moved.entry(*id).or_default();
                    *sum = (sum.0.saturating_add(lines), sum.1.saturating_add(by));
                }
            }
            previous = effect;
        }
        for (id, (lines, delta)) in moved {
            let Some((_, span)) = ids.get(&id).filter(|_| lines > 0) else { continue };
            let place: Place = reference.of_ticket(*span, Some(sold_at), known, changes);
            effects.entry(id).or_default().push(Effect { lines, delta, place });
        }
    }

    fn past(&self, source: i64, key: &str) -> Result<Vec<Version>, DbError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT seq, status, lines FROM txn_past WHERE source = ?1 AND key = ?2 ORDER BY version")
            .map_err(step("read former versions of a ticket"))?;
        let mut rows = statement.query(params![source, key]).map_err(step("read former versions of a ticket"))?;
        let mut versions = Vec::new();
        while let Some(row) = rows.next().map_err(step("read former versions of a ticket"))? {
            let seq = row.get(0).map_err(step("read former versions of a ticket"))?;
            versions.push(self.version(key, seq, row.get(1), row.get(2))?);
        }
        Ok(versions)
    }

    #[expect(clippy::unused_self, reason = "beside the readers that use it")]
    fn version(
        &self,
        key: &str,
        seq: i64,
        status: rusqlite::Result<String>,
        lines: rusqlite::Result<String>,
    ) -> Result<Version, DbError> {
        let bad = |detail: String| DbError::Row { what: format!("transaction {key}"), detail };
        let status = status.map_err(step("read a ticket"))?;
        let lines = db::ledger::read_lines(&lines.map_err(step("read a ticket"))?).map_err(bad)?;
        let status = db::ledger::status_from(&status).ok_or_else(|| bad(format!("unknown status `{status}`")))?;
        Ok(Version { seq, status, lines })
    }
}

/// Lines that a first reading books for an article.
fn first_lines(version: &Version, sku: &Sku) -> i64 {
    let moving = |line: &&LineItem| line.sku == *sku && line.ignored.is_none() && !line.delta.is_zero();
    if version.status.moves_stock() {
        i64::try_from(version.lines.iter().filter(moving).count()).unwrap_or(i64::MAX)
    } else {
        0
    }
}

fn minus(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp(at.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}
