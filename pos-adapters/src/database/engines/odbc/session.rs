//! One connection through the ODBC driver manager.

use odbc_api::buffers::{BufferDesc, ColumnarDynBuffer};
use odbc_api::parameter::InputParameter;
use odbc_api::{ColumnDescription, Connection, ConnectionOptions, Cursor, Error, environment};

use super::Login;
use super::values::{Kind, cell, kind, literal, parameter, written};
use crate::database::engine::{Marks, Rows, VALUE_BYTES_MAX, Value, numbered};
use crate::database::engines::shared::{arranged, bounded_rows, too_long};
use crate::database::engines::worker::Session;
use crate::error::Cause;

/// Memory for the rows of one fetch.
const FETCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Rows of one fetch at most.
const FETCH_ROWS_MAX: usize = 200;

/// Columns of one query at most.
const COLUMNS_MAX: usize = 200;

pub(super) struct OdbcSession {
    connection: Connection<'static>,
    make: Make,
    timeout_seconds: usize,
}

/// Databases that differ in what keeps them from writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Make {
    Postgres,
    Mysql,
    Oracle,
    Sqlite,
    /// The driver of mdbtools: reads files only, and knows neither parameters nor transactions.
    MdbTools,
    Other,
}

impl Make {
    fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let makes = [
            ("postgres", Self::Postgres),
            ("mysql", Self::Mysql),
            ("mariadb", Self::Mysql),
            ("oracle", Self::Oracle),
            ("sqlite", Self::Sqlite),
            ("mdb", Self::MdbTools),
        ];
        makes.iter().find(|(word, _)| name.contains(word)).map_or(Self::Other, |(_, make)| *make)
    }

    /// What makes the database itself refuse a write in the transaction that begins.
    const fn read_only(self) -> Option<&'static str> {
        match self {
            Self::Postgres | Self::Oracle => Some("SET TRANSACTION READ ONLY"),
            Self::Mysql => Some("SET SESSION TRANSACTION READ ONLY"),
            Self::Sqlite => Some("PRAGMA query_only = ON"),
            Self::MdbTools | Self::Other => None,
        }
    }

    /// Whether the setting is made once a connection and outside of a transaction.
    const fn is_of_the_session(self) -> bool {
        matches!(self, Self::Mysql | Self::Sqlite)
    }
}

impl Session for OdbcSession {
    type Login = Login;

    fn database(login: &Login) -> String {
        login.copy.as_ref().map_or_else(|| login.to.address(), |copy| copy.display().to_string())
    }

    fn connect(login: &Login) -> Result<Self, Cause> {
        let seconds = login.limits.connect.as_secs().max(1);
        let options =
            ConnectionOptions { login_timeout_sec: Some(u32::try_from(seconds)?), ..ConnectionOptions::default() };
        let string = connection_string(login);
        let connection = match environment()?.connect_with_connection_string(&string, options) {
            Ok(connection) => connection,
            // Drivers that reach no network know no time limit for it.
            Err(Error::Diagnostics { record, .. }) if record.state.as_str() == "HYC00" => {
                environment()?.connect_with_connection_string(&string, ConnectionOptions::default())?
            }
            Err(error) => return Err(error.into()),
        };
        let make = Make::of(&connection.database_management_system_name().unwrap_or_default());
        let timeout_seconds = usize::try_from(login.limits.statement.as_secs().max(1))?;
        let session = Self { connection, make, timeout_seconds };
        if let Some(sql) = make.read_only().filter(|_| make.is_of_the_session()) {
            session.connection.execute(sql, (), None)?;
        }
        if make != Make::MdbTools {
            session.connection.set_autocommit(false)?;
        }
        Ok(session)
    }

    fn number(&self) -> i64 {
        0
    }

    fn begin(&mut self) -> Result<(), Cause> {
        if let Some(sql) = self.make.read_only().filter(|_| !self.make.is_of_the_session()) {
            self.connection.execute(sql, (), Some(self.timeout_seconds))?;
        }
        Ok(())
    }

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        if !is_select(sql) {
            return Err(Cause::from("only queries that begin with SELECT or WITH are run"));
        }
        let (sql, order) = numbered(sql, Marks::Question);
        let given = arranged(&order, parameters)?;
        if self.make == Make::MdbTools {
            return self.run(&with_literals(&sql, &given)?, &[], rows_max);
        }
        let given: Vec<Box<dyn InputParameter>> = given.into_iter().map(parameter).collect();
        self.run(&sql, &given, rows_max)
    }

    fn finish(&mut self) -> Result<(), Cause> {
        if self.make == Make::MdbTools {
            return Ok(());
        }
        Ok(self.connection.rollback()?)
    }

    /// The driver stops a query by itself after the time that it is given; there is no other way that all of them know.
    fn stop(_: &Login, _: i64) -> Result<(), Cause> {
        Ok(())
    }
}

impl OdbcSession {
    fn run(&self, sql: &str, given: &[Box<dyn InputParameter>], rows_max: usize) -> Result<Rows, Cause> {
        let timeout = (self.make != Make::MdbTools).then_some(self.timeout_seconds);
        let cursor = match self.connection.execute(sql, given, timeout) {
            Err(Error::Diagnostics { record, .. }) if timeout.is_some() && record.state.as_str() == "HYC00" => {
                self.connection.execute(sql, given, None)?
            }
            other => other?,
        };
        match cursor {
            Some(cursor) if self.make == Make::MdbTools => rows_as_text(cursor, rows_max),
            Some(cursor) => rows(cursor, rows_max),
            None => Ok(Rows::default()),
        }
    }
}

/// Names of the columns, and how each is read.
fn described(cursor: &mut impl Cursor) -> Result<(Vec<String>, Vec<Kind>), Cause> {
    let count = usize::try_from(cursor.num_result_cols()?)?;
    if count > COLUMNS_MAX {
        return Err(Cause::from(format!("the query has {count} columns; up to {COLUMNS_MAX} are read")));
    }
    let mut columns = Vec::with_capacity(count);
    let mut kinds = Vec::with_capacity(count);
    for at in 1..=u16::try_from(count)? {
        // Not one attribute after the other: simple drivers know only the whole description.
        let mut description = ColumnDescription::default();
        cursor.describe_col(at, &mut description)?;
        columns.push(description.name_to_string()?.to_lowercase());
        kinds.push(kind(description.data_type));
    }
    Ok((columns, kinds))
}

/// Row by row and every value as text, for drivers that know no more.
fn rows_as_text(mut cursor: impl Cursor, rows_max: usize) -> Result<Rows, Cause> {
    let (columns, kinds) = described(&mut cursor)?;
    let mut found = Vec::new();
    let mut text = Vec::new();
    while found.len() < rows_max
        && let Some(mut row) = cursor.next_row()?
    {
        let mut cells = Vec::with_capacity(kinds.len());
        for (at, kind) in (1..=u16::try_from(kinds.len())?).zip(&kinds) {
            text.clear();
            let there = row.get_text(at, &mut text)?;
            cells.push(if there { written(kind, &String::from_utf8_lossy(&text)) } else { Value::Null });
        }
        found.push(cells);
    }
    let rows = bounded_rows(found, &columns)?;
    Ok(Rows { columns, rows })
}

/// Many rows a call.
fn rows(mut cursor: impl Cursor, rows_max: usize) -> Result<Rows, Cause> {
    let (columns, kinds) = described(&mut cursor)?;
    let a_row: usize = kinds.iter().map(|kind| buffer(kind).bytes_per_row()).sum();
    let at_once = (FETCH_BYTES_MAX / a_row.max(1)).clamp(1, FETCH_ROWS_MAX).min(rows_max.max(1));
    let buffers = ColumnarDynBuffer::try_from_descs(at_once, kinds.iter().map(buffer))?;
    let mut block = cursor.bind_buffer(buffers)?;
    let mut found = Vec::new();
    loop {
        let batch = match block.fetch_with_truncation_check(true) {
            Ok(batch) => batch,
            Err(Error::TooLargeValueForBuffer { buffer_index, .. }) => {
                return Err(too_long(columns.get(buffer_index).map_or("", String::as_str)));
            }
            Err(error) => return Err(error.into()),
        };
        let Some(batch) = batch else { break };
        for row in 0..batch.num_rows() {
            if found.len() >= rows_max {
                break;
            }
            let cells: Result<Vec<Value>, Cause> =
                kinds.iter().enumerate().map(|(at, kind)| cell(kind, batch.column(at), row)).collect();
            found.push(cells?);
        }
        if found.len() >= rows_max {
            break;
        }
    }
    let rows = bounded_rows(found, &columns)?;
    Ok(Rows { columns, rows })
}

fn buffer(kind: &Kind) -> BufferDesc {
    match *kind {
        Kind::Integer => BufferDesc::I64 { nullable: true },
        Kind::Float => BufferDesc::F64 { nullable: true },
        Kind::Single => BufferDesc::F32 { nullable: true },
        Kind::Bytes { bytes_max } => BufferDesc::Binary { max_bytes: bytes_max.min(VALUE_BYTES_MAX) },
        Kind::Text { units_max, .. } => BufferDesc::WText { max_str_len: units_max.min(VALUE_BYTES_MAX) },
        Kind::Decimal => BufferDesc::WText { max_str_len: super::values::DECIMAL_UNITS_MAX },
        Kind::Day => BufferDesc::Date { nullable: true },
        Kind::Time => BufferDesc::Timestamp { nullable: true },
    }
}

/// The string with user and password behind it, and the copy's path for drivers of files.
fn connection_string(login: &Login) -> String {
    let mut string = login.to.connection_string.clone().unwrap_or_default();
    let mut add = |key: &str, value: &str| {
        if !string.is_empty() && !string.ends_with(';') {
            string.push(';');
        }
        string.push_str(key);
        string.push('=');
        string.push_str(&quoted(value));
        string.push(';');
    };
    if let Some(copy) = &login.copy {
        let copy = copy.to_string_lossy();
        add("DBQ", &copy);
        add("Database", &copy);
    }
    if !login.to.user.is_empty() {
        add("UID", &login.to.user);
    }
    if let Some(password) = &login.to.password {
        add("PWD", password);
    }
    string
}

/// A value that may hold `;` or braces (ODBC: connection string attribute values).
fn quoted(value: &str) -> String {
    if value.contains(['[', ']', '{', '}', '(', ')', ',', ';', '?', '*', '=', '!', '@']) {
        format!("{{{}}}", value.replace('}', "}}"))
    } else {
        value.to_owned()
    }
}

fn is_select(sql: &str) -> bool {
    let first: String = sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    first.eq_ignore_ascii_case("select") || first.eq_ignore_ascii_case("with")
}

/// The query with its parameters written into it.
fn with_literals(sql: &str, given: &[&Value]) -> Result<String, Cause> {
    let mut given = given.iter();
    let mut out = String::with_capacity(sql.len());
    let mut quote = None;
    for c in sql.chars() {
        match (quote, c) {
            (None, '?') => {
                let value = given.next().ok_or_else(|| Cause::from("the query has more marks than values"))?;
                out.push_str(&literal(value)?);
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                out.push(c);
            }
            (Some(open), close) if open == close => {
                quote = None;
                out.push(c);
            }
            (_, other) => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_a_semicolon_stays_one_value() {
        assert_eq!(quoted("a;b}c"), "{a;b}}c}");
        assert_eq!(quoted("plain-1"), "plain-1");
    }

    #[test]
    fn values_are_written_into_a_query_where_a_driver_knows_no_parameters() {
        let text = Value::Text("it's".to_owned());
        let sql = with_literals("SELECT a FROM t WHERE b = ? AND c = '?' AND d > ?", &[&text, &Value::Integer(-5)]);
        assert_eq!(sql.unwrap(), "SELECT a FROM t WHERE b = 'it''s' AND c = '?' AND d > -5");
    }

    #[test]
    fn only_queries_are_run() {
        assert!(is_select(" with a as (select 1) select 1") && is_select("SELECT 1"));
        assert!(!is_select("UPDATE t SET a = 1") && !is_select("CALL p"));
    }
}
