//! Transactions, movements and stock.
//!
//! Lines are stored as JSON arrays `["SKU","-1","sale"]`, with the ignoring rule as a fourth element, so that
//! `sqlite3` and its JSON functions can read them.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension, params};
use sync_core::ledger::Snapshot;
use sync_core::model::{
    LineItem, LineKind, Quantity, RuleName, Segment, Seq, Sku, SkuId, Timestamp, Transaction, TransactionStatus,
};

use super::{DbError, step};
use crate::platform::Ticket;

/// Writes lines as JSON into `text`, replacing what it held.
pub fn write_lines(lines: &[LineItem], text: &mut String) {
    text.clear();
    text.push('[');
    for (index, line) in lines.iter().enumerate() {
        text.push_str(if index == 0 { "[" } else { ",[" });
        push_text(line.sku.as_str(), text);
        // Writing to a String cannot fail.
        let _infallible = write!(text, ",\"{}\",\"{}\"", line.delta, line.kind.as_str());
        if let Some(rule) = &line.ignored {
            text.push(',');
            push_text(rule.as_str(), text);
        }
        text.push(']');
    }
    text.push(']');
}

fn push_text(value: &str, text: &mut String) {
    if value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

/// Reads what [`write_lines`] wrote.
///
/// # Errors
/// What is wrong with the text.
pub fn read_lines(text: &str) -> Result<Vec<LineItem>, String> {
    let rows: Vec<Vec<String>> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    rows.into_iter()
        .map(|row| {
            let [sku, delta, kind, rest @ ..] = row.as_slice() else {
                return Err("a line has too few fields".to_owned());
            };
            let kind: LineKind =
                serde_json::from_value(serde_json::Value::from(kind.as_str())).map_err(|e| e.to_string())?;
            Ok(LineItem {
                sku: Sku::from(sku.as_str()),
                delta: Quantity::parse(delta).map_err(|e| e.to_string())?,
                kind,
                ignored: rest.first().map(|rule| RuleName::from(rule.as_str())),
            })
        })
        .collect()
}

/// The word for a status in the database.
pub fn status_word(status: TransactionStatus) -> &'static str {
    match status {
        TransactionStatus::Completed => "completed",
        TransactionStatus::Cancelled => "cancelled",
        TransactionStatus::Suspended => "suspended",
        TransactionStatus::Training => "training",
        TransactionStatus::Vanished => "vanished",
    }
}

/// The reverse of [`status_word`].
pub fn status_from(word: &str) -> Option<TransactionStatus> {
    [
        TransactionStatus::Completed,
        TransactionStatus::Cancelled,
        TransactionStatus::Suspended,
        TransactionStatus::Training,
        TransactionStatus::Vanished,
    ]
    .into_iter()
    .find(|status| status_word(*status) == word)
}

/// Inserts a transaction if the ledger has never seen its key; `false` if it has.
///
/// # Errors
/// [`DbError::Step`].
pub fn insert_new(
    conn: &Connection,
    source: i64,
    seq: Seq,
    segment: i64,
    read: &Transaction,
    lines: &str,
) -> Result<bool, DbError> {
    let inserted = conn
        .prepare_cached("INSERT INTO txn VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING")
        .and_then(|mut statement| {
            statement.execute(params![
                source,
                read.key.as_str(),
                seq.0,
                status_word(read.status),
                segment,
                read.sold_at.map(|at| at.0),
                read.register,
                lines
            ])
        })
        .map_err(step("record a transaction"))?;
    Ok(inserted == 1)
}

/// The latest snapshot under a key, with its position.
///
/// # Errors
/// [`DbError::Step`], or [`DbError::Row`] if it cannot be understood.
pub fn snapshot(conn: &Connection, source: i64, key: &str) -> Result<Option<(Snapshot, Seq)>, DbError> {
    let row = conn
        .prepare_cached(
            "SELECT t.version, t.seq, t.status, g.name, t.lines FROM txn t JOIN segment g ON g.id = t.segment
             WHERE t.source = ?1 AND t.key = ?2",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![source, key], |row| {
                    Ok((
                        row.get::<_, u32>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, String>(2)?,
                        row.get::<_, String>(3)?,
                        row.get::<_, String>(4)?,
                    ))
                })
                .optional()
        })
        .map_err(step("read a transaction"))?;
    let Some((version, seq, status, segment, lines)) = row else { return Ok(None) };
    let bad = |detail: String| DbError::Row { what: format!("transaction {key}"), detail };
    let status = status_from(&status).ok_or_else(|| bad(format!("unknown status `{status}`")))?;
    let lines = read_lines(&lines).map_err(bad)?;
    Ok(Some((Snapshot { version, status, segment: Segment::new(segment), lines }, Seq(seq))))
}

/// The tickets under a key, of any source: two sources may use the same numbers.
///
/// # Errors
/// [`DbError::Step`], or [`DbError::Row`] if one cannot be understood.
pub fn tickets(conn: &Connection, key: &str) -> Result<Vec<Ticket>, DbError> {
    let mut statement = conn
        .prepare_cached(
            "SELECT s.name, t.register, t.sold_at, t.status, t.lines, o.written FROM source s
             CROSS JOIN txn t ON t.source = s.id AND t.key = ?1
             LEFT JOIN online_ticket o ON o.source = t.source AND o.key = t.key ORDER BY s.id",
        )
        .map_err(step("read a ticket"))?;
    let rows = statement
        .query_map([key], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, Option<i64>>(2)?,
                row.get::<_, String>(3)?,
                row.get::<_, String>(4)?,
                row.get::<_, Option<String>>(5)?,
            ))
        })
        .map_err(step("read a ticket"))?;
    let bad = |detail: String| DbError::Row { what: format!("transaction {key}"), detail };
    rows.map(|row| {
        let (source, register, sold_at, status, lines, online_order) = row.map_err(step("read a ticket"))?;
        Ok(Ticket {
            source,
            key: key.to_owned(),
            register,
            sold_at: sold_at.map(Timestamp),
            status: status_from(&status).ok_or_else(|| bad(format!("unknown status `{status}`")))?,
            online_order,
            lines: read_lines(&lines).map_err(bad)?,
        })
    })
    .collect()
}

/// Replaces a snapshot and keeps the former one.
///
/// # Errors
/// [`DbError::Step`].
pub fn replace(
    conn: &Connection,
    source: i64,
    key: &str,
    seq: Seq,
    segment: i64,
    new: &Snapshot,
    lines: &str,
) -> Result<(), DbError> {
    conn.prepare_cached(
        "INSERT INTO txn_past SELECT source, key, version, seq, status, lines FROM txn WHERE source = ?1 AND key = ?2",
    )
    .and_then(|mut statement| statement.execute(params![source, key]))
    .map_err(step("keep the former snapshot"))?;
    conn.prepare_cached(
        "UPDATE txn SET version = ?3, seq = ?4, status = ?5, segment = ?6, lines = ?7 WHERE source = ?1 AND key = ?2",
    )
    .and_then(|mut statement| {
        statement.execute(params![source, key, new.version, seq.0, status_word(new.status), segment, lines])
    })
    .map_err(step("replace a snapshot"))?;
    Ok(())
}

/// The transaction was read again from another segment, unchanged.
///
/// # Errors
/// [`DbError::Step`].
pub fn relocate(conn: &Connection, source: i64, key: &str, segment: i64) -> Result<(), DbError> {
    conn.prepare_cached("UPDATE txn SET segment = ?3 WHERE source = ?1 AND key = ?2")
        .and_then(|mut statement| statement.execute(params![source, key, segment]))
        .map_err(step("relocate a transaction"))?;
    Ok(())
}

/// Keys that moved stock, were read from an origin and lie in a time range.
///
/// # Errors
/// [`DbError::Step`].
pub fn keys_of_origin(
    conn: &Connection,
    source: i64,
    origin: &str,
    from: i64,
    to: i64,
) -> Result<Vec<String>, DbError> {
    let mut statement = conn
        .prepare_cached(
            "SELECT t.key FROM txn t JOIN segment g ON g.id = t.segment
             WHERE t.source = ?1 AND t.sold_at BETWEEN ?3 AND ?4 AND t.status = 'completed'
               AND substr(g.name, 1, length(?2) + 1) = ?2 || '#' ORDER BY t.key",
        )
        .map_err(step("list the transactions of an export"))?;
    let rows = statement
        .query_map(params![source, origin, from, to], |row| row.get(0))
        .map_err(step("list the transactions of an export"))?;
    rows.collect::<Result<_, _>>().map_err(step("list the transactions of an export"))
}

/// Records what one commit moved of one SKU.
///
/// # Errors
/// [`DbError::Step`].
pub fn add_movement(conn: &Connection, seq: Seq, sku: SkuId, lines: i64, delta: Quantity) -> Result<(), DbError> {
    conn.prepare_cached("INSERT INTO movement VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut statement| statement.execute(params![seq.0, sku.0, lines, delta.micros()]))
        .map_err(step("record a movement"))?;
    conn.prepare_cached(
        "INSERT INTO stock (sku, moved) VALUES (?1, ?2) ON CONFLICT (sku) DO UPDATE SET moved = moved + ?2",
    )
    .and_then(|mut statement| statement.execute(params![sku.0, delta.micros()]))
    .map_err(step("add up the stock"))?;
    Ok(())
}

/// What lies on the shelf by the ledger; `None` for an article that was never counted.
///
/// # Errors
/// [`DbError::Step`].
pub fn on_hand(conn: &Connection, sku: SkuId) -> Result<Option<Quantity>, DbError> {
    use rusqlite::OptionalExtension;
    conn.prepare_cached("SELECT base + moved FROM stock WHERE sku = ?1")
        .and_then(|mut statement| statement.query_row([sku.0], |row| row.get::<_, Option<i64>>(0)).optional())
        .map(|found| found.flatten().map(Quantity::from_micros))
        .map_err(step("read the stock"))
}

/// The last position of the movement stream.
///
/// # Errors
/// [`DbError::Step`].
pub fn last_seq(conn: &Connection) -> Result<Seq, DbError> {
    let moved: i64 = conn
        .query_row("SELECT coalesce(max(seq), 0) FROM movement", [], |row| row.get(0))
        .map_err(step("read the last position"))?;
    // Values take their places in the same stream.
    let told: i64 = conn
        .query_row("SELECT coalesce(max(seq), 0) FROM fact", [], |row| row.get(0))
        .map_err(step("read the last position"))?;
    let moved = moved.max(told);
    let kept = super::tables::meta(conn, "last_seq")?.and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(Seq(moved.max(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_as_written() {
        let line = |sku: &str, micros, ignored: Option<&str>| LineItem {
            sku: Sku::from(sku),
            delta: Quantity::from_micros(micros),
            kind: LineKind::Return,
            ignored: ignored.map(RuleName::from),
        };
        let lines = vec![line("A-1", -1_500_000, None), line("quoted \"x\" \\ ü", 1, Some("deposit"))];
        let mut text = String::new();
        write_lines(&lines, &mut text);
        assert_eq!(read_lines(&text), Ok(lines), "{text}");
    }
}
