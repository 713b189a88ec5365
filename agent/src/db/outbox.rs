//! Pending entries, live and closed batches, dead letters, carries.

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use sync_core::ledger::MovementKind;
use sync_core::model::{BatchId, EntryId, IdempotencyKey, Quantity, Seq, SkuId, Timestamp};
use sync_core::outbox::lane::{BatchItem, Entry, Stage};

use super::{DbError, step};

/// One item of a batch as stored: entry, SKU, delta, units, lines, first, last, kind, ticket, POS time.
#[derive(Serialize, Deserialize)]
struct StoredItem(i64, i64, i64, i64, i64, i64, i64, MovementKind, Option<String>, Option<i64>);

/// The items of a batch as JSON.
pub fn write_items(items: &[BatchItem]) -> String {
    let stored: Vec<StoredItem> = items
        .iter()
        .map(|BatchItem { entry, units }| {
            StoredItem(
                entry.id.0,
                entry.sku.0,
                entry.delta.micros(),
                *units,
                entry.lines,
                entry.first.0,
                entry.last.0,
                entry.kind,
                entry.transaction.clone(),
                entry.sold_at.map(|at| at.0),
            )
        })
        .collect();
    serde_json::to_string(&stored).unwrap_or_default()
}

/// The reverse of [`write_items`].
///
/// # Errors
/// [`DbError::Row`].
pub fn read_items(id: i64, text: &str) -> Result<Vec<BatchItem>, DbError> {
    let stored: Vec<StoredItem> =
        serde_json::from_str(text).map_err(|e| DbError::Row { what: format!("batch {id}"), detail: e.to_string() })?;
    Ok(stored
        .into_iter()
        .map(|StoredItem(id, sku, delta, units, lines, first, last, kind, transaction, sold_at)| BatchItem {
            entry: Entry {
                id: EntryId(id),
                sku: SkuId(sku),
                delta: Quantity::from_micros(delta),
                lines,
                first: Seq(first),
                last: Seq(last),
                kind,
                transaction,
                sold_at: sold_at.map(Timestamp),
                uncertain: false,
            },
            units,
        })
        .collect())
}

/// The number of a lane, made if new; a new lane starts at `since` and is not told what moved before.
///
/// # Errors
/// [`DbError::Step`].
pub fn lane_id(conn: &Connection, name: &str, since: Seq) -> Result<i64, DbError> {
    conn.execute("INSERT OR IGNORE INTO lane (name, since) VALUES (?1, ?2)", params![name, since.0])
        .map_err(step("name a lane"))?;
    conn.query_row("SELECT id FROM lane WHERE name = ?1", [name], |row| row.get(0)).map_err(step("find a lane"))
}

/// Writes a waiting entry, new or changed.
///
/// # Errors
/// [`DbError::Step`].
pub fn put_pending(conn: &Connection, lane: i64, entry: &Entry) -> Result<(), DbError> {
    conn.prepare_cached("INSERT OR REPLACE INTO pending VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
        .and_then(|mut statement| {
            statement.execute(params![
                entry.id.0,
                lane,
                entry.sku.0,
                entry.delta.micros(),
                entry.lines,
                entry.first.0,
                entry.last.0,
                entry.kind.as_str(),
                entry.transaction,
                entry.sold_at.map(|at| at.0),
                entry.uncertain
            ])
        })
        .map_err(step("store a waiting entry"))?;
    Ok(())
}

/// Deletes an entry that no longer waits.
///
/// # Errors
/// [`DbError::Step`].
pub fn delete_pending(conn: &Connection, id: EntryId) -> Result<(), DbError> {
    conn.prepare_cached("DELETE FROM pending WHERE id = ?1")
        .and_then(|mut statement| statement.execute([id.0]))
        .map_err(step("delete a waiting entry"))?;
    Ok(())
}

/// Waiting entries of a lane beyond `after`, oldest first, at most `most`.
///
/// # Errors
/// [`DbError::Step`].
pub fn pending(conn: &Connection, lane: i64, after: EntryId, most: usize) -> Result<Vec<Entry>, DbError> {
    let mut statement = conn
        .prepare_cached(
            "SELECT id, sku, delta, lines, first_seq, last_seq, kind, txn, sold_at, uncertain FROM pending
             WHERE id > ?2 AND lane = ?1 ORDER BY id LIMIT ?3",
        )
        .map_err(step("read waiting entries"))?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![lane, after.0, most], entry).map_err(step("read waiting entries"))?;
    rows.collect::<Result<_, _>>().map_err(step("read waiting entries"))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: EntryId(row.get(0)?),
        sku: SkuId(row.get(1)?),
        delta: Quantity::from_micros(row.get(2)?),
        lines: row.get(3)?,
        first: Seq(row.get(4)?),
        last: Seq(row.get(5)?),
        kind: MovementKind::from_word(&row.get::<_, String>(6)?).unwrap_or(MovementKind::Mixed),
        transaction: row.get(7)?,
        sold_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        uncertain: row.get(9)?,
    })
}

/// One row of an absolute write, kept to judge its outcome by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenRow {
    /// The platform's item.
    pub item: String,
    /// The number that was read.
    pub expected: i64,
    /// The number that is written.
    pub written: i64,
    /// What could not be written because the platform knows no number below zero; never positive.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub owed: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A live batch as stored.
#[derive(Debug)]
pub struct BatchRow {
    /// Its number.
    pub id: BatchId,
    /// The key of its current stage.
    pub key: IdempotencyKey,
    /// Its stage.
    pub stage: Stage,
    /// The frozen bytes of its current stage.
    pub body: Option<Vec<u8>>,
    /// What it carries.
    pub items: Vec<BatchItem>,
    /// When the current stage was frozen.
    pub frozen_at: Timestamp,
    /// The rows of an absolute write.
    pub rows: Vec<WrittenRow>,
}

/// Stores a frozen batch.
///
/// # Errors
/// [`DbError::Step`].
pub fn put_batch(conn: &Connection, lane: i64, batch: &BatchRow) -> Result<(), DbError> {
    let lines: i64 = batch.items.iter().map(|item| item.entry.lines).sum();
    conn.prepare_cached("INSERT OR REPLACE INTO batch (id, lane, key, stage, body, items, lines, frozen_at, rows) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
        .and_then(|mut statement| {
            statement.execute(params![
                batch.id.0,
                lane,
                batch.key.as_str(),
                batch.stage.as_str(),
                batch.body,
                write_items(&batch.items),
                lines,
                batch.frozen_at.0,
                (!batch.rows.is_empty()).then(|| serde_json::to_string(&batch.rows).unwrap_or_default())
            ])
        })
        .map_err(step("freeze a batch"))?;
    Ok(())
}

/// The live batches of a lane.
///
/// # Errors
/// [`DbError`].
pub fn live_batches(conn: &Connection, lane: i64) -> Result<Vec<BatchRow>, DbError> {
    let mut statement = conn
        .prepare_cached("SELECT id, key, stage, body, items, frozen_at, rows FROM batch WHERE lane = ?1 ORDER BY id")
        .map_err(step("read live batches"))?;
    let rows = statement
        .query_map([lane], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get(3)?,
                row.get::<_, String>(4)?,
                row.get(5)?,
                row.get::<_, Option<String>>(6)?,
            ))
        })
        .map_err(step("read live batches"))?;
    rows.map(|row| {
        let (id, key, stage, body, items, frozen_at, rows) = row.map_err(step("read live batches"))?;
        let stage = Stage::from_word(&stage)
            .ok_or_else(|| DbError::Row { what: format!("batch {id}"), detail: format!("unknown stage `{stage}`") })?;
        Ok(BatchRow {
            id: BatchId(id),
            key: IdempotencyKey::new(key),
            stage,
            body,
            items: read_items(id, &items)?,
            frozen_at: Timestamp(frozen_at),
            rows: rows
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|e| DbError::Row { what: format!("rows of batch {id}"), detail: e.to_string() })?
                .unwrap_or_default(),
        })
    })
    .collect()
}

/// Moves a live batch to the closed ones.
///
/// # Errors
/// [`DbError::Step`].
pub fn close_batch(
    conn: &Connection,
    id: BatchId,
    outcome: &str,
    note: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    conn.prepare_cached(
        "INSERT INTO sent SELECT id, lane, key, ?2, items, lines, frozen_at, ?3, ?4 FROM batch WHERE id = ?1",
    )
    .and_then(|mut statement| statement.execute(params![id.0, outcome, now.0, note]))
    .map_err(step("close a batch"))?;
    conn.prepare_cached("DELETE FROM batch WHERE id = ?1")
        .and_then(|mut statement| statement.execute([id.0]))
        .map_err(step("close a batch"))?;
    Ok(())
}

/// Records a batch that had nothing to say to the platform.
///
/// # Errors
/// [`DbError::Step`].
pub fn put_silent(
    conn: &Connection,
    lane: i64,
    id: BatchId,
    items: &[BatchItem],
    now: Timestamp,
) -> Result<(), DbError> {
    let lines: i64 = items.iter().map(|item| item.entry.lines).sum();
    conn.prepare_cached("INSERT INTO sent VALUES (?1, ?2, '', 'silent', ?3, ?4, ?5, ?5, NULL)")
        .and_then(|mut statement| statement.execute(params![id.0, lane, write_items(items), lines, now.0]))
        .map_err(step("record a silent batch"))?;
    Ok(())
}

/// Keeps an entry that can never succeed.
///
/// # Errors
/// [`DbError::Step`].
pub fn put_dead(
    conn: &Connection,
    lane: i64,
    entry: &Entry,
    code: &str,
    message: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    conn.prepare_cached(
        "INSERT INTO dead_letter VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'open', NULL)",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            entry.id.0,
            lane,
            entry.sku.0,
            entry.delta.micros(),
            entry.lines,
            entry.first.0,
            entry.last.0,
            entry.kind.as_str(),
            entry.transaction,
            entry.sold_at.map(|at| at.0),
            code,
            message,
            now.0
        ])
    })
    .map_err(step("keep a dead letter"))?;
    Ok(())
}

/// Takes an open dead letter back, to be tried again under its own number.
///
/// # Errors
/// [`DbError::Step`].
pub fn take_dead(conn: &Connection, id: EntryId) -> Result<Option<(i64, Entry)>, DbError> {
    use rusqlite::OptionalExtension;
    let found = conn
        .query_row(
            "SELECT id, sku, delta, lines, first_seq, last_seq, kind, txn, sold_at, 0, lane FROM dead_letter WHERE id = ?1 AND state = 'open'",
            [id.0],
            |row| Ok((row.get(10)?, entry(row)?)),
        )
        .optional()
        .map_err(step("read a dead letter"))?;
    if found.is_some() {
        conn.execute("DELETE FROM dead_letter WHERE id = ?1", [id.0]).map_err(step("reopen a dead letter"))?;
    }
    Ok(found)
}

/// Stores the remainder of a SKU.
///
/// # Errors
/// [`DbError::Step`].
pub fn set_carry(conn: &Connection, lane: i64, sku: SkuId, micros: i64) -> Result<(), DbError> {
    conn.prepare_cached("INSERT INTO carry VALUES (?1, ?2, ?3) ON CONFLICT (lane, sku) DO UPDATE SET micros = ?3")
        .and_then(|mut statement| statement.execute(params![lane, sku.0, micros]))
        .map_err(step("store a remainder"))?;
    Ok(())
}

/// The stored remainder of a SKU, in millionths; zero if there is none.
///
/// # Errors
/// [`DbError::Step`].
pub fn carry(conn: &Connection, lane: i64, sku: SkuId) -> Result<i64, DbError> {
    use rusqlite::OptionalExtension;
    conn.prepare_cached("SELECT micros FROM carry WHERE lane = ?1 AND sku = ?2")
        .and_then(|mut statement| statement.query_row(params![lane, sku.0], |row| row.get(0)).optional())
        .map(Option::unwrap_or_default)
        .map_err(step("read a remainder"))
}

/// The remainders of a lane.
///
/// # Errors
/// [`DbError::Step`].
pub fn carries(conn: &Connection, lane: i64) -> Result<Vec<(SkuId, i64)>, DbError> {
    let mut statement =
        conn.prepare_cached("SELECT sku, micros FROM carry WHERE lane = ?1").map_err(step("read remainders"))?;
    let rows =
        statement.query_map([lane], |row| Ok((SkuId(row.get(0)?), row.get(1)?))).map_err(step("read remainders"))?;
    rows.collect::<Result<_, _>>().map_err(step("read remainders"))
}

/// The highest entry and batch numbers ever used, and the latest time recorded.
///
/// # Errors
/// [`DbError::Step`].
pub fn highest(conn: &Connection) -> Result<(EntryId, BatchId, Timestamp), DbError> {
    let kept = |key| -> Result<i64, DbError> {
        Ok(super::tables::meta(conn, key)?.and_then(|text| text.parse().ok()).unwrap_or(0))
    };
    let number =
        |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(step("read the highest numbers"));
    let pending = number("SELECT coalesce(max(id), 0) FROM pending")?;
    let dead = number("SELECT coalesce(max(id), 0) FROM dead_letter")?;
    let live = number("SELECT coalesce(max(id), 0) FROM batch")?;
    let sent = number("SELECT coalesce(max(id), 0) FROM sent")?;
    let mut entry = pending.max(dead).max(kept("last_entry")?);
    // Entries of a batch have lower numbers than the ones that came after it: the newest batches decide.
    let mut statement = conn
        .prepare("SELECT id, items FROM batch UNION ALL SELECT * FROM (SELECT id, items FROM sent ORDER BY id DESC LIMIT 64)")
        .map_err(step("read the highest numbers"))?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .map_err(step("read the highest numbers"))?;
    for row in rows {
        let (id, items) = row.map_err(step("read the highest numbers"))?;
        entry = read_items(id, &items)?.iter().map(|item| item.entry.id.0).fold(entry, i64::max);
    }
    let seen = number(
        "SELECT max(coalesce((SELECT max(frozen_at) FROM batch), 0), coalesce((SELECT closed_at FROM sent ORDER BY id DESC LIMIT 1), 0))",
    )?;
    Ok((EntryId(entry), BatchId(live.max(sent).max(kept("last_batch")?)), Timestamp(seen)))
}
