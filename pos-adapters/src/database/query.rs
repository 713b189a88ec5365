//! The SQL that is put around a profile's queries: a filter, an order, a limit. Pure.
//!
//! A look never asks for an exact place behind the last row: it asks from the first group of rows that was cut off, that
//! one included, so rows with equal values are neither split nor lost, and rounding of times does no harm.

use super::engine::{Dialect, Value};

/// The column that a page follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `seq`: tickets in the order in which they drew their numbers.
    Seq,
    /// `changed_at`: in the order of their last change.
    Changed,
    /// `sold_at`: in the order of the POS's clock.
    Sold,
}

impl Order {
    /// The column of the sales query.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::Seq => "seq",
            Self::Changed => "changed_at",
            Self::Sold => "sold_at",
        }
    }
}

/// One page of sales: what to run and with which parameters.
#[must_use]
pub fn page(
    dialect: Dialect,
    sales: &str,
    order: Order,
    from: Option<Value>,
    until: Option<Value>,
    rows_max: usize,
) -> (String, Vec<Value>) {
    let column = order.column();
    let mut filters = Vec::new();
    let mut parameters = Vec::new();
    for (bound, sign) in [(from, ">="), (until, "<")] {
        if let Some(bound) = bound {
            parameters.push(bound);
            filters.push(format!("t.{column} {sign} ${}", parameters.len()));
        }
    }
    let filter = if filters.is_empty() { String::new() } else { format!(" WHERE {}", filters.join(" AND ")) };
    (limited(dialect, sales, &format!("{filter} ORDER BY t.{column}"), rows_max), parameters)
}

/// The newest row by a column: what the values of the database look like, and how far it has come.
#[must_use]
pub fn newest(dialect: Dialect, sales: &str, order: Order) -> String {
    let column = order.column();
    limited(dialect, sales, &format!(" WHERE t.{column} IS NOT NULL ORDER BY t.{column} DESC"), 1)
}

/// All rows of a query, bounded.
#[must_use]
pub fn bounded(dialect: Dialect, query: &str, rows_max: usize) -> String {
    limited(dialect, query, "", rows_max)
}

/// Asks for columns of a table without reading it.
#[must_use]
pub fn nothing_of(table: &str, columns: &[String]) -> String {
    format!("SELECT {} FROM {table} WHERE 1 = 0", columns.join(", "))
}

fn limited(dialect: Dialect, query: &str, rest: &str, rows_max: usize) -> String {
    let query = query.trim();
    match dialect {
        Dialect::Postgres | Dialect::Mysql | Dialect::Sqlite => {
            format!("SELECT t.* FROM ({query}) t{rest} LIMIT {rows_max}")
        }
        Dialect::Mssql => format!("SELECT TOP ({rows_max}) t.* FROM ({query}) t{rest}"),
        Dialect::Firebird => format!("SELECT FIRST {rows_max} t.* FROM ({query}) t{rest}"),
        // No limit is common to all; the driver stops fetching.
        Dialect::Odbc => format!("SELECT t.* FROM ({query}) t{rest}"),
        Dialect::Access => format!("SELECT TOP {rows_max} t.* FROM ({query}) t{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_limit() {
        let check = |dialect, expected: &str| {
            let (sql, parameters) =
                page(dialect, "SELECT 1", Order::Seq, Some(Value::Integer(5)), Some(Value::Integer(9)), 10);
            assert_eq!(sql, expected);
            assert_eq!(parameters, [Value::Integer(5), Value::Integer(9)]);
        };
        let rest = "t.* FROM (SELECT 1) t WHERE t.seq >= $1 AND t.seq < $2 ORDER BY t.seq";
        check(Dialect::Postgres, &format!("SELECT {rest} LIMIT 10"));
        check(Dialect::Mssql, &format!("SELECT TOP (10) {rest}"));
        check(Dialect::Firebird, &format!("SELECT FIRST 10 {rest}"));
        check(Dialect::Odbc, &format!("SELECT {rest}"));
    }
}
