//! Values of articles as stored: the latest of each, lists that are read, values held for a person.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use sync_core::model::{Quantity, Seq, Sku, SkuId, Timestamp};
use sync_core::values::{Change, ValueKind};

use super::{DbError, step};

/// How a list stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedState {
    /// Its first look is complete: from now on what differs is told.
    pub begun: bool,
    /// When it was last read.
    pub read_at: Option<Timestamp>,
    /// Articles on it then.
    pub articles: Option<i64>,
    /// Why it cannot be used, while it cannot.
    pub failed: Option<String>,
}

/// How a list stands.
///
/// # Errors
/// [`DbError::Step`].
pub fn feed(conn: &Connection, name: &str) -> Result<FeedState, DbError> {
    conn.prepare_cached("SELECT begun, read_at, articles, failed FROM feed WHERE name = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([name], |row| {
                    Ok(FeedState {
                        begun: row.get(0)?,
                        read_at: row.get::<_, Option<i64>>(1)?.map(Timestamp),
                        articles: row.get(2)?,
                        failed: row.get(3)?,
                    })
                })
                .optional()
        })
        .map(Option::unwrap_or_default)
        .map_err(step("read how a list stands"))
}

/// Stores how a list stands.
///
/// # Errors
/// [`DbError::Step`].
pub fn set_feed(conn: &Connection, name: &str, kind: ValueKind, state: &FeedState) -> Result<(), DbError> {
    conn.prepare_cached("INSERT OR REPLACE INTO feed VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .and_then(|mut statement| {
            statement.execute(params![
                name,
                kind.as_str(),
                state.begun,
                state.read_at.map(|at| at.0),
                state.articles,
                state.failed
            ])
        })
        .map_err(step("store how a list stands"))?;
    Ok(())
}

/// The latest value of every article.
///
/// # Errors
/// [`DbError::Step`].
pub fn latest_all(conn: &Connection, kind: ValueKind) -> Result<BTreeMap<Sku, Quantity>, DbError> {
    let mut statement = conn
        .prepare(
            "SELECT s.code, f.value FROM fact f JOIN sku s ON s.id = f.sku
             WHERE f.kind = ?1 AND f.seq = (SELECT max(l.seq) FROM fact l WHERE l.kind = ?1 AND l.sku = f.sku)",
        )
        .map_err(step("read values"))?;
    let rows = statement
        .query_map([kind.as_str()], |row| Ok((Sku::new(row.get::<_, String>(0)?), Quantity::from_micros(row.get(1)?))))
        .map_err(step("read values"))?;
    rows.collect::<Result<_, _>>().map_err(step("read values"))
}

/// The latest value of one article.
///
/// # Errors
/// [`DbError::Step`].
pub fn latest(conn: &Connection, kind: ValueKind, sku: SkuId) -> Result<Option<Quantity>, DbError> {
    conn.prepare_cached("SELECT value FROM fact WHERE kind = ?1 AND sku = ?2 ORDER BY seq DESC LIMIT 1")
        .and_then(|mut statement| statement.query_row(params![kind.as_str(), sku.0], |row| row.get(0)).optional())
        .map(|found| found.map(Quantity::from_micros))
        .map_err(step("read a value"))
}

/// Records a value.
///
/// # Errors
/// [`DbError::Step`].
pub fn add_fact(
    conn: &Connection,
    seq: Seq,
    kind: ValueKind,
    sku: SkuId,
    value: Quantity,
    at: Timestamp,
    told: bool,
) -> Result<(), DbError> {
    conn.prepare_cached("INSERT INTO fact VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .and_then(|mut statement| statement.execute(params![seq.0, kind.as_str(), sku.0, value.micros(), at.0, told]))
        .map_err(step("record a value"))?;
    Ok(())
}

/// A hold: its number, list, kind and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its number.
    pub id: i64,
    /// The list.
    pub feed: String,
    /// What its values are.
    pub kind: ValueKind,
    /// The values.
    pub changes: Vec<Change>,
}

/// The open hold of a list, or of a number.
///
/// # Errors
/// [`DbError`].
pub fn open_hold(conn: &Connection, feed: Option<&str>, id: Option<i64>) -> Result<Option<Hold>, DbError> {
    let row: Option<(i64, String, String, String)> = conn
        .prepare_cached(
            "SELECT id, feed, kind, rows FROM value_hold
             WHERE state = 'held' AND (?1 IS NULL OR feed = ?1) AND (?2 IS NULL OR id = ?2) ORDER BY id DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![feed, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .optional()
        })
        .map_err(step("read held values"))?;
    let Some((id, feed, kind, rows)) = row else { return Ok(None) };
    let changes = serde_json::from_str(&rows)
        .map_err(|error| DbError::Row { what: format!("held values {id}"), detail: error.to_string() })?;
    let kind = if kind == ValueKind::Price.as_str() { ValueKind::Price } else { ValueKind::Incoming };
    Ok(Some(Hold { id, feed, kind, changes }))
}

/// Keeps values for a person.
///
/// # Errors
/// [`DbError::Step`].
pub fn put_hold(
    conn: &Connection,
    feed: &str,
    kind: ValueKind,
    changes: &[Change],
    reasons: &[String],
    now: Timestamp,
) -> Result<(), DbError> {
    let rows = serde_json::to_string(changes).unwrap_or_default();
    conn.prepare_cached(
        "INSERT INTO value_hold (feed, kind, held_at, reasons, rows, state) VALUES (?1, ?2, ?3, ?4, ?5, 'held')",
    )
    .and_then(|mut statement| statement.execute(params![feed, kind.as_str(), now.0, reasons.join("; "), rows]))
    .map_err(step("hold values for a person"))?;
    Ok(())
}

/// Closes a hold.
///
/// # Errors
/// [`DbError::Step`].
pub fn close_hold(conn: &Connection, id: i64, state: &str, note: Option<&str>, now: Timestamp) -> Result<(), DbError> {
    conn.prepare_cached("UPDATE value_hold SET state = ?2, note = ?3, decided_at = ?4 WHERE id = ?1")
        .and_then(|mut statement| statement.execute(params![id, state, note, now.0]))
        .map_err(step("close held values"))?;
    Ok(())
}

/// What a person refused of a list.
///
/// # Errors
/// [`DbError::Step`].
pub fn refused(conn: &Connection, feed: &str) -> Result<BTreeSet<(Sku, Quantity)>, DbError> {
    let mut statement =
        conn.prepare_cached("SELECT sku, value FROM value_refused WHERE feed = ?1").map_err(step("read refusals"))?;
    let rows = statement
        .query_map([feed], |row| Ok((Sku::new(row.get::<_, String>(0)?), Quantity::from_micros(row.get(1)?))))
        .map_err(step("read refusals"))?;
    rows.collect::<Result<_, _>>().map_err(step("read refusals"))
}

/// Remembers a refusal.
///
/// # Errors
/// [`DbError::Step`].
pub fn refuse(conn: &Connection, feed: &str, sku: &Sku, value: Quantity) -> Result<(), DbError> {
    conn.prepare_cached("INSERT OR REPLACE INTO value_refused VALUES (?1, ?2, ?3)")
        .and_then(|mut statement| statement.execute(params![feed, sku.as_str(), value.micros()]))
        .map_err(step("remember a refusal"))?;
    Ok(())
}

/// Forgets a refusal: the POS says something else now.
///
/// # Errors
/// [`DbError::Step`].
pub fn forget_refusal(conn: &Connection, feed: &str, sku: &Sku) -> Result<(), DbError> {
    conn.prepare_cached("DELETE FROM value_refused WHERE feed = ?1 AND sku = ?2")
        .and_then(|mut statement| statement.execute(params![feed, sku.as_str()]))
        .map_err(step("forget a refusal"))?;
    Ok(())
}

/// Folds values older than `horizon` that were replaced since, at most `most`; what lanes were told of them is taken off
/// what is on record as delivered, so that the count of invariant 7 still holds.
///
/// # Errors
/// [`DbError::Step`].
pub fn forget(conn: &Connection, horizon: Timestamp, most: i64) -> Result<usize, DbError> {
    let old: Vec<(i64, String, i64, bool)> = conn
        .prepare_cached(
            "SELECT f.seq, f.kind, f.sku, f.told FROM fact f WHERE f.at < ?1
               AND EXISTS (SELECT 1 FROM fact l WHERE l.kind = f.kind AND l.sku = f.sku AND l.seq > f.seq) LIMIT ?2",
        )
        .and_then(|mut statement| {
            let rows = statement
                .query_map(params![horizon.0, most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            rows.collect()
        })
        .map_err(step("read old values"))?;
    if old.is_empty() {
        return Ok(0);
    }
    let lanes: Vec<(i64, String, i64)> = conn
        .prepare_cached("SELECT id, name, since FROM lane")
        .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect())
        .map_err(step("read lanes"))?;
    for (seq, kind, sku, told) in &old {
        let concerned = |name: &str, since: i64| super::tables::value_kind(name) == Some(kind.as_str()) && *seq > since;
        for (lane, _, _) in lanes.iter().filter(|(_, name, since)| *told && concerned(name, *since)) {
            conn.prepare_cached(
                "INSERT INTO pruned VALUES (?1, ?2, -1, 0) ON CONFLICT (lane, sku) DO UPDATE SET lines = lines - 1",
            )
            .and_then(|mut statement| statement.execute(params![lane, sku]))
            .map_err(step("fold old values"))?;
        }
        conn.prepare_cached("DELETE FROM fact WHERE seq = ?1")
            .and_then(|mut statement| statement.execute([seq]))
            .map_err(step("fold old values"))?;
    }
    Ok(old.len())
}
