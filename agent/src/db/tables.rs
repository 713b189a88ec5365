//! Small tables: meta values, sources with their cursors, SKU and segment numbers, quarantine, targets.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use sync_core::model::{SkuId, Timestamp};
use sync_core::outbox::lane::TargetState;

use super::{DbError, step};
use crate::platform::Target;

/// A value of `meta`.
///
/// # Errors
/// [`DbError::Step`].
pub fn meta(conn: &Connection, key: &str) -> Result<Option<String>, DbError> {
    conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .optional()
        .map_err(step("read meta"))
}

/// Sets a value of `meta`.
///
/// # Errors
/// [`DbError::Step`].
pub fn set_meta(conn: &Connection, key: &str, value: &str) -> Result<(), DbError> {
    conn.execute("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2", [key, value])
        .map_err(step("write meta"))?;
    Ok(())
}

/// The number of a named source, made if new.
///
/// # Errors
/// [`DbError::Step`].
pub fn source_id(conn: &Connection, name: &str) -> Result<i64, DbError> {
    named_id(conn, "SELECT id FROM source WHERE name = ?1", "INSERT INTO source (name) VALUES (?1)", name)
}

/// The number of a segment, made if new.
///
/// # Errors
/// [`DbError::Step`].
pub fn segment_id(conn: &Connection, name: &str) -> Result<i64, DbError> {
    named_id(conn, "SELECT id FROM segment WHERE name = ?1", "INSERT INTO segment (name) VALUES (?1)", name)
}

/// The number of a SKU, made if new.
///
/// # Errors
/// [`DbError::Step`].
pub fn sku_id(conn: &Connection, code: &str) -> Result<SkuId, DbError> {
    named_id(conn, "SELECT id FROM sku WHERE code = ?1", "INSERT INTO sku (code) VALUES (?1)", code).map(SkuId)
}

fn named_id(conn: &Connection, find: &'static str, make: &'static str, name: &str) -> Result<i64, DbError> {
    let found = conn
        .prepare_cached(find)
        .and_then(|mut s| s.query_row([name], |row| row.get(0)).optional())
        .map_err(step("find a name"))?;
    if let Some(id) = found {
        return Ok(id);
    }
    conn.prepare_cached(make).and_then(|mut s| s.insert([name])).map_err(step("number a name"))
}

/// All SKUs with their numbers.
///
/// # Errors
/// [`DbError::Step`].
pub fn all_skus(conn: &Connection) -> Result<Vec<(SkuId, String)>, DbError> {
    let mut statement = conn.prepare("SELECT id, code FROM sku").map_err(step("read SKUs"))?;
    let rows = statement.query_map([], |row| Ok((SkuId(row.get(0)?), row.get(1)?))).map_err(step("read SKUs"))?;
    rows.collect::<Result<_, _>>().map_err(step("read SKUs"))
}

/// Where a source stands: (item, state).
///
/// # Errors
/// [`DbError::Step`].
pub fn cursors(conn: &Connection, source: i64) -> Result<Vec<(String, String)>, DbError> {
    let mut statement =
        conn.prepare("SELECT item, state FROM cursor WHERE source = ?1").map_err(step("read cursors"))?;
    let rows = statement.query_map([source], |row| Ok((row.get(0)?, row.get(1)?))).map_err(step("read cursors"))?;
    rows.collect::<Result<_, _>>().map_err(step("read cursors"))
}

/// Writes one cursor; `None` forgets it.
///
/// # Errors
/// [`DbError::Step`].
pub fn set_cursor(conn: &Connection, source: i64, item: &str, state: Option<&str>) -> Result<(), DbError> {
    match state {
        Some(state) => conn
            .prepare_cached(
                "INSERT INTO cursor VALUES (?1, ?2, ?3) ON CONFLICT (source, item) DO UPDATE SET state = ?3",
            )
            .and_then(|mut s| s.execute(params![source, item, state])),
        None => conn
            .prepare_cached("DELETE FROM cursor WHERE source = ?1 AND item = ?2")
            .and_then(|mut s| s.execute(params![source, item])),
    }
    .map_err(step("write a cursor"))?;
    Ok(())
}

/// Counts records that a named rule left out.
///
/// # Errors
/// [`DbError::Step`].
pub fn add_ignored(conn: &Connection, source: i64, rule: &str, records: i64) -> Result<(), DbError> {
    conn.prepare_cached(
        "INSERT INTO ignored VALUES (?1, ?2, ?3) ON CONFLICT (source, rule) DO UPDATE SET records = records + ?3",
    )
    .and_then(|mut s| s.execute(params![source, rule, records]))
    .map_err(step("count ignored records"))?;
    Ok(())
}

/// Keeps a record that could not become movements.
///
/// # Errors
/// [`DbError::Step`].
pub fn add_quarantine(
    conn: &Connection,
    source: i64,
    row: &pos_adapters::Quarantined,
    now: Timestamp,
) -> Result<(), DbError> {
    conn.prepare_cached(
        "INSERT INTO quarantine (source, place, reason, raw, records, read_at, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open')",
    )
    .and_then(|mut s| s.execute(params![source, row.at, row.reason, row.raw, row.records, now.0]))
    .map_err(step("keep a quarantined record"))?;
    Ok(())
}

/// Notes on the record that was just kept which online order it names.
///
/// # Errors
/// [`DbError::Step`].
pub fn name_order(conn: &Connection, order: Option<&str>) -> Result<(), DbError> {
    conn.prepare_cached("UPDATE quarantine SET online_ref = ?2 WHERE id = ?1")
        .and_then(|mut statement| statement.execute(params![conn.last_insert_rowid(), order]))
        .map_err(step("note the order of a quarantined record"))?;
    Ok(())
}

/// A SKU's place on the platform, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRow {
    /// The SKU.
    pub sku: SkuId,
    /// `None` while it is missing.
    pub target: Option<Target>,
    /// What the lane needs to know.
    pub state: TargetState,
}

/// What a lane knows of its SKUs.
///
/// # Errors
/// [`DbError`].
pub fn targets(conn: &Connection, lane: i64) -> Result<Vec<TargetRow>, DbError> {
    let mut statement =
        conn.prepare("SELECT sku, target, tries, next_at FROM target WHERE lane = ?1").map_err(step("read targets"))?;
    let rows = statement
        .query_map([lane], |row| {
            Ok((SkuId(row.get(0)?), row.get::<_, Option<String>>(1)?, row.get::<_, u32>(2)?, Timestamp(row.get(3)?)))
        })
        .map_err(step("read targets"))?;
    rows.map(|row| {
        let (sku, text, tries, next) = row.map_err(step("read targets"))?;
        let target: Option<Target> = text
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| DbError::Row { what: format!("target {sku}"), detail: e.to_string() })?;
        let state = match &target {
            Some(target) => TargetState::Known { rows: target.parts.len() },
            None => TargetState::Missing { tries, next },
        };
        Ok(TargetRow { sku, target, state })
    })
    .collect()
}

/// Stores the result of a look-up.
///
/// # Errors
/// [`DbError::Step`].
pub fn set_target(
    conn: &Connection,
    lane: i64,
    row: &TargetRow,
    title: Option<&str>,
    note: Option<&str>,
) -> Result<(), DbError> {
    let text = row.target.as_ref().map(|target| serde_json::to_string(target).unwrap_or_default());
    let (tries, next) = match &row.state {
        TargetState::Known { .. } => (0, 0),
        TargetState::Missing { tries, next } => (*tries, next.0),
    };
    conn.prepare_cached(
        "INSERT INTO target VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (lane, sku)
         DO UPDATE SET target = ?3, title = ?4, note = ?5, tries = ?6, next_at = ?7",
    )
    .and_then(|mut s| s.execute(params![lane, row.sku.0, text, title, note, tries, next]))
    .map_err(step("store a look-up"))?;
    Ok(())
}

/// Forgets a SKU's place.
///
/// # Errors
/// [`DbError::Step`].
pub fn forget_target(conn: &Connection, lane: i64, sku: SkuId) -> Result<(), DbError> {
    conn.execute("DELETE FROM target WHERE lane = ?1 AND sku = ?2", params![lane, sku.0])
        .map_err(step("forget a target"))?;
    Ok(())
}

/// Remembers the number that an item had when it was first looked up.
///
/// # Errors
/// [`DbError::Step`].
pub fn set_base(conn: &Connection, lane: i64, item: &str, base: i64, late: bool) -> Result<(), DbError> {
    conn.prepare_cached("INSERT OR IGNORE INTO item (lane, item, base, told, late) VALUES (?1, ?2, ?3, 0, ?4)")
        .and_then(|mut s| s.execute(params![lane, item, base, late]))
        .map_err(step("store a base number"))?;
    Ok(())
}

/// The base of an item may hold an online order twice, or not at all.
///
/// # Errors
/// [`DbError::Step`].
pub fn doubt_base(conn: &Connection, lane: i64, item: &str) -> Result<(), DbError> {
    conn.prepare_cached("UPDATE item SET late = 1 WHERE lane = ?1 AND item = ?2")
        .and_then(|mut s| s.execute(params![lane, item]))
        .map_err(step("doubt a base number"))?;
    Ok(())
}

/// Forgets the base of an item, unless something is owed beside it: it is read again.
///
/// # Errors
/// [`DbError::Step`].
pub fn forget_base(conn: &Connection, lane: i64, item: &str) -> Result<(), DbError> {
    conn.prepare_cached("DELETE FROM item WHERE lane = ?1 AND item = ?2 AND owed = 0")
        .and_then(|mut s| s.execute(params![lane, item]))
        .map_err(step("forget a base number"))?;
    Ok(())
}

/// Counts units that the platform has taken.
///
/// # Errors
/// [`DbError::Step`].
pub fn add_told(conn: &Connection, lane: i64, item: &str, units: i64) -> Result<(), DbError> {
    conn.prepare_cached("UPDATE item SET told = told + ?3 WHERE lane = ?1 AND item = ?2")
        .and_then(|mut s| s.execute(params![lane, item, units]))
        .map_err(step("count told units"))?;
    Ok(())
}

/// Remembers the number that was written to an item, and what is owed beside it.
///
/// # Errors
/// [`DbError::Step`].
pub fn set_written(conn: &Connection, lane: i64, item: &str, number: i64, owed: i64) -> Result<(), DbError> {
    conn.prepare_cached(
        "INSERT INTO item (lane, item, base, told, late, owed) VALUES (?1, ?2, ?3, 0, 0, ?4)
         ON CONFLICT (lane, item) DO UPDATE SET base = ?3, told = 0, late = 0, owed = ?4",
    )
    .and_then(|mut s| s.execute(params![lane, item, number, owed]))
    .map_err(step("store a written number"))?;
    Ok(())
}

/// What a side lane is told, by its name: `<platform>/prices`, `<platform>/incoming`.
#[must_use]
pub fn value_kind(lane: &str) -> Option<&'static str> {
    match lane.rsplit_once('/')?.1 {
        "prices" => Some("price"),
        "incoming" => Some("incoming"),
        _ => None,
    }
}

/// Units sold below the platform's zero; never positive.
///
/// # Errors
/// [`DbError::Step`].
pub fn owed(conn: &Connection, lane: i64, item: &str) -> Result<i64, DbError> {
    conn.prepare_cached("SELECT owed FROM item WHERE lane = ?1 AND item = ?2")
        .and_then(|mut s| s.query_row(params![lane, item], |row| row.get(0)).optional())
        .map(Option::unwrap_or_default)
        .map_err(step("read what is owed"))
}

/// What each of these items should show by our account (base and told units), and whether its base is late.
///
/// # Errors
/// [`DbError::Step`].
pub fn expected(conn: &Connection, lane: i64, items: &[String]) -> Result<BTreeMap<String, (i64, bool)>, DbError> {
    let mut statement = conn
        .prepare_cached("SELECT base + told, late FROM item WHERE lane = ?1 AND item = ?2")
        .map_err(step("read expected numbers"))?;
    let mut found = BTreeMap::new();
    for item in items {
        let number = statement
            .query_row(params![lane, item], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(step("read expected numbers"))?;
        if let Some(number) = number {
            found.insert(item.clone(), number);
        }
    }
    Ok(found)
}
