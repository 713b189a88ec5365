//! Online orders as stored: lines by order, how far each platform's orders are read, tickets that ring them up.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use sync_core::model::Timestamp;
use sync_core::orders::{KnownLine, reference};

use super::{DbError, step};
use crate::platform::{OnlineOrder, OrderLine};

/// A full list that an order is missing from so often is believed: a page can slip while it is read.
const ABSENT_BELIEVED: i64 = 2;

/// How far a platform's orders are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PollState {
    /// When the first reading of all open orders began; `None` while it is not complete.
    pub paired_at: Option<Timestamp>,
    /// From where the next look reads, by the platform's clock, the overlap taken off.
    pub changed_after: Option<Timestamp>,
    /// When orders were last read to the end, about.
    pub polled_at: Option<Timestamp>,
    /// Why they cannot be read, while they cannot.
    pub failed: Option<String>,
}

/// How far the orders of a lane are read.
///
/// # Errors
/// [`DbError::Step`].
pub fn poll_state(conn: &Connection, lane: i64) -> Result<PollState, DbError> {
    conn.prepare_cached("SELECT paired_at, changed_after, polled_at, failed FROM online_poll WHERE lane = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([lane], |row| {
                    Ok(PollState {
                        paired_at: row.get::<_, Option<i64>>(0)?.map(Timestamp),
                        changed_after: row.get::<_, Option<i64>>(1)?.map(Timestamp),
                        polled_at: row.get::<_, Option<i64>>(2)?.map(Timestamp),
                        failed: row.get(3)?,
                    })
                })
                .optional()
        })
        .map(Option::unwrap_or_default)
        .map_err(step("read how far online orders are read"))
}

/// Stores how far the orders of a lane are read.
///
/// # Errors
/// [`DbError::Step`].
pub fn set_poll_state(conn: &Connection, lane: i64, state: &PollState) -> Result<(), DbError> {
    conn.prepare_cached("INSERT OR REPLACE INTO online_poll VALUES (?1, ?2, ?3, ?4, ?5)")
        .and_then(|mut statement| {
            statement.execute(params![
                lane,
                state.paired_at.map(|at| at.0),
                state.changed_after.map(|at| at.0),
                state.polled_at.map(|at| at.0),
                state.failed
            ])
        })
        .map_err(step("store how far online orders are read"))?;
    Ok(())
}

/// The lines of an order as stored.
///
/// # Errors
/// [`DbError::Step`].
pub fn lines_of(conn: &Connection, lane: i64, order: &str) -> Result<BTreeMap<String, KnownLine>, DbError> {
    let mut statement = conn
        .prepare_cached(
            "SELECT line, open, handed_over, posted, changed_at FROM online_line WHERE lane = ?1 AND ord = ?2",
        )
        .map_err(step("read an online order"))?;
    let rows = statement
        .query_map(params![lane, order], |row| {
            let line = KnownLine {
                open: row.get(1)?,
                handed_over: row.get(2)?,
                posted: row.get(3)?,
                changed_at: Timestamp(row.get(4)?),
            };
            Ok((row.get(0)?, line))
        })
        .map_err(step("read an online order"))?;
    rows.collect::<Result<_, _>>().map_err(step("read an online order"))
}

/// Stores a line of an order; `read` is the line as the platform has it, `None` if it is no longer there.
///
/// # Errors
/// [`DbError::Step`].
pub fn put_line(
    conn: &Connection,
    lane: i64,
    order: &OnlineOrder,
    id: &str,
    read: Option<&OrderLine>,
    now: &KnownLine,
) -> Result<(), DbError> {
    let (item, sku) = match read {
        Some(line) => (Some(line.item.as_str()), line.sku.as_ref().map(|sku| sku.as_str().to_owned())),
        None => (None, None),
    };
    conn.prepare_cached(
        "INSERT INTO online_line VALUES (?1, ?2, ?3, ?4, ?5, coalesce(?6, ''), ?7, ?8, ?9, ?10, ?11, 0)
         ON CONFLICT (lane, ord, line) DO UPDATE SET name = ?4, ref = ?5, item = coalesce(?6, item), sku = coalesce(?7, sku),
           open = ?8, handed_over = ?9, posted = ?10, changed_at = ?11, absent = 0",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            lane,
            order.id,
            id,
            order.name,
            reference(&order.name),
            item,
            sku,
            now.open,
            now.handed_over,
            now.posted,
            now.changed_at.0
        ])
    })
    .map_err(step("store an online order"))?;
    Ok(())
}

/// Units of all lines of an item whose orders changed at or after a time, by the platform's clock.
///
/// # Errors
/// [`DbError::Step`].
pub fn units_changed_since(conn: &Connection, lane: i64, item: &str, since: Timestamp) -> Result<i64, DbError> {
    conn.prepare_cached(
        "SELECT coalesce(sum(open + handed_over), 0) FROM online_line WHERE lane = ?1 AND item = ?2 AND changed_at >= ?3",
    )
    .and_then(|mut statement| statement.query_row(params![lane, item, since.0], |row| row.get(0)))
    .map_err(step("read late online orders"))
}

/// A line of which goods went over the counter, or came back, that are not in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueLine {
    /// The platform's id of the order.
    pub order: String,
    /// The platform's id of the line.
    pub line: String,
    /// The number that people see.
    pub name: String,
    /// The platform's id of the item.
    pub item: String,
    /// The article number on the line.
    pub sku: Option<String>,
    /// Units that left; negative: they came back.
    pub units: i64,
}

/// Lines with goods that are not in the ledger, at most `most`.
///
/// # Errors
/// [`DbError::Step`].
pub fn due(conn: &Connection, lane: i64, most: i64) -> Result<Vec<DueLine>, DbError> {
    let mut statement = conn
        .prepare_cached(
            "SELECT ord, line, name, item, sku, handed_over - posted FROM online_line
             WHERE lane = ?1 AND handed_over <> posted ORDER BY ord, line LIMIT ?2",
        )
        .map_err(step("read goods handed over"))?;
    let rows = statement
        .query_map(params![lane, most], |row| {
            Ok(DueLine {
                order: row.get(0)?,
                line: row.get(1)?,
                name: row.get(2)?,
                item: row.get(3)?,
                sku: row.get(4)?,
                units: row.get(5)?,
            })
        })
        .map_err(step("read goods handed over"))?;
    rows.collect::<Result<_, _>>().map_err(step("read goods handed over"))
}

/// What was handed over of a line is in the ledger; without a line: of all lines of the lane.
///
/// # Errors
/// [`DbError::Step`].
pub fn set_posted(conn: &Connection, lane: i64, line: Option<&DueLine>) -> Result<(), DbError> {
    match line {
        Some(line) => conn
            .prepare_cached("UPDATE online_line SET posted = handed_over WHERE lane = ?1 AND ord = ?2 AND line = ?3")
            .and_then(|mut statement| statement.execute(params![lane, line.order, line.line])),
        None => conn
            .prepare_cached("UPDATE online_line SET posted = handed_over WHERE lane = ?1 AND handed_over <> posted")
            .and_then(|mut statement| statement.execute([lane])),
    }
    .map_err(step("mark goods as handed over"))?;
    Ok(())
}

/// Counts, for open orders that a full list did not hold, how often that was so; closes those that were missing often enough.
/// `listed` are the ids of the list, which began at `began`. Returns how many were closed.
///
/// # Errors
/// [`DbError::Step`].
pub fn close_absent(
    conn: &Connection,
    lane: i64,
    listed: &std::collections::BTreeSet<String>,
    began: Timestamp,
) -> Result<usize, DbError> {
    let open: Vec<String> = conn
        .prepare_cached("SELECT DISTINCT ord FROM online_line WHERE lane = ?1 AND open > 0")
        .and_then(|mut statement| statement.query_map([lane], |row| row.get(0))?.collect())
        .map_err(step("read open online orders"))?;
    let mut closed = 0;
    for order in open {
        let sql = if listed.contains(&order) {
            "UPDATE online_line SET absent = 0 WHERE lane = ?1 AND ord = ?2 AND absent > 0 AND ?3 IS NOT NULL"
        } else {
            "UPDATE online_line SET absent = absent + 1 WHERE lane = ?1 AND ord = ?2 AND changed_at < ?3"
        };
        conn.prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params![lane, order, began.0]))
            .map_err(step("look for online orders that are gone"))?;
        closed += conn
            .prepare_cached(
                "UPDATE online_line SET open = 0 WHERE lane = ?1 AND ord = ?2 AND absent >= ?3 AND open > 0",
            )
            .and_then(|mut statement| statement.execute(params![lane, order, ABSENT_BELIEVED]))
            .map_err(step("close online orders that are gone"))?;
    }
    Ok(closed)
}

/// Units of open orders by the platform's id of the item: what is promised and still lies on this store's shelf.
///
/// # Errors
/// [`DbError::Step`].
pub fn open_units(conn: &Connection, lane: i64) -> Result<BTreeMap<String, i64>, DbError> {
    let mut statement = conn
        .prepare_cached("SELECT item, sum(open) FROM online_line WHERE lane = ?1 AND open > 0 GROUP BY item")
        .map_err(step("add up open online orders"))?;
    let rows =
        statement.query_map([lane], |row| Ok((row.get(0)?, row.get(1)?))).map_err(step("add up open online orders"))?;
    rows.collect::<Result<_, _>>().map_err(step("add up open online orders"))
}

/// Open orders, units promised in them, and units handed over of articles that the store does not know.
///
/// # Errors
/// [`DbError::Step`].
pub fn totals(conn: &Connection, lane: i64) -> Result<(u64, i64, i64), DbError> {
    let (orders, units): (i64, i64) = conn
        .prepare_cached(
            "SELECT count(DISTINCT ord), coalesce(sum(open), 0) FROM online_line WHERE lane = ?1 AND open > 0",
        )
        .and_then(|mut statement| statement.query_row([lane], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(step("count open online orders"))?;
    let unknown: i64 = conn
        .prepare_cached(
            "SELECT coalesce(sum(abs(handed_over - posted)), 0) FROM online_line WHERE lane = ?1 AND handed_over <> posted",
        )
        .and_then(|mut statement| statement.query_row([lane], |row| row.get(0)))
        .map_err(step("count goods of unknown articles"))?;
    Ok((u64::try_from(orders).unwrap_or(0), units, unknown))
}

/// Whether a platform has an order, by what a ticket calls it.
///
/// # Errors
/// [`DbError::Step`].
pub fn has_order(conn: &Connection, lane: i64, reference: &str) -> Result<bool, DbError> {
    conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM online_line WHERE ref = ?2 AND lane = ?1)
             OR EXISTS (SELECT 1 FROM online_line WHERE lane = ?1 AND ord = ?2)",
    )
    .and_then(|mut statement| statement.query_row(params![lane, reference], |row| row.get(0)))
    .map_err(step("look for an online order"))
}

/// The lane that knows of a ticket's goods already; `None` for an ordinary ticket.
///
/// # Errors
/// [`DbError::Step`].
pub fn ticket_lane(conn: &Connection, source: i64, key: &str) -> Result<Option<i64>, DbError> {
    conn.prepare_cached("SELECT lane FROM online_ticket WHERE source = ?1 AND key = ?2")
        .and_then(|mut statement| {
            statement.query_row(params![source, key], |row| row.get::<_, Option<i64>>(0)).optional()
        })
        .map(Option::flatten)
        .map_err(step("read who knows of a ticket"))
}

/// Remembers how a ticket that names an online order was taken.
///
/// # Errors
/// [`DbError::Step`].
pub fn put_ticket(
    conn: &Connection,
    source: i64,
    key: &str,
    written: Option<&str>,
    lane: Option<i64>,
) -> Result<(), DbError> {
    conn.prepare_cached("INSERT OR REPLACE INTO online_ticket VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut statement| statement.execute(params![source, key, written, lane]))
        .map_err(step("remember who knows of a ticket"))?;
    Ok(())
}

/// Forgets closed orders that last changed before `horizon`, and moves the time of the connection up to it, so that one that
/// is touched again is not taken for new.
///
/// # Errors
/// [`DbError::Step`].
pub fn forget(conn: &Connection, horizon: Timestamp) -> Result<usize, DbError> {
    let forgotten = conn
        .execute("DELETE FROM online_line WHERE open = 0 AND handed_over = posted AND changed_at < ?1", [horizon.0])
        .map_err(step("forget old online orders"))?;
    if forgotten > 0 {
        conn.execute("UPDATE online_poll SET paired_at = max(paired_at, ?1) WHERE paired_at IS NOT NULL", [horizon.0])
            .map_err(step("forget old online orders"))?;
    }
    Ok(forgotten)
}
