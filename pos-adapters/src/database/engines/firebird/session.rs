//! One connection to a Firebird server, as the driver has it.

use std::net::{TcpStream, ToSocketAddrs};

use rsfbclient::prelude::*;
use rsfbclient::{Charset, Column, Connection, FbError, Row, RustFbClient, SqlType, Transaction, builder_pure_rust};

use super::Login;
use super::values::{is_wide, parameter, settled, value};
use crate::database::engine::{Marks, Rows, Value, numbered};
use crate::database::engines::shared::{arranged, bounded_rows};
use crate::database::engines::worker::Session;
use crate::error::Cause;

/// Longest text that a column is asked for again as.
const WIDE_TEXT: &str = "VARCHAR(80)";

pub(super) struct FirebirdSession {
    connection: Connection<RustFbClient>,
    configuration: TransactionConfiguration,
    attachment: i64,
}

impl Session for FirebirdSession {
    type Login = Login;

    fn database(login: &Login) -> String {
        login.to.address()
    }

    fn connect(login: &Login) -> Result<Self, Cause> {
        let mut connection = connect(login)?;
        let configuration = configuration(login);
        let attachment = attachment(&mut connection, configuration)?;
        Ok(Self { connection, configuration, attachment })
    }

    fn number(&self) -> i64 {
        self.attachment
    }

    fn begin(&mut self) -> Result<(), Cause> {
        Ok(self.connection.begin_transaction_config(self.configuration)?)
    }

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        // The driver's own error type cannot carry ours through its closure.
        let mut answer = Err(Cause::from("the query was not run"));
        self.connection.with_transaction_config(self.configuration, |tx| {
            answer = query(tx, sql, parameters, rows_max);
            Ok(())
        })?;
        answer
    }

    fn finish(&mut self) -> Result<(), Cause> {
        Ok(self.connection.rollback()?)
    }

    fn stop(login: &Login, number: i64) -> Result<(), Cause> {
        let mut connection = connect(login)?;
        let sql = format!("DELETE FROM MON$ATTACHMENTS WHERE MON$ATTACHMENT_ID = {number}");
        connection.execute(&sql, ())?;
        Ok(())
    }
}

/// Makes a connection.
fn connect(login: &Login) -> Result<Connection<RustFbClient>, Cause> {
    reachable(login)?;
    let to = &login.to;
    let charset: Charset = to.charset.as_deref().unwrap_or("UTF8").parse()?;
    let mut builder = builder_pure_rust();
    builder.host(&to.host).port(login.port()).db_name(&to.database).charset(charset).stmt_cache_size(0);
    builder.user(&to.user).pass(to.password.as_deref().unwrap_or_default());
    Ok(builder.connect()?)
}

/// The driver connects without a time limit, so whether anybody listens is tried first.
fn reachable(login: &Login) -> Result<(), Cause> {
    let mut failed = Cause::from(format!("`{}` has no address", login.to.host));
    for address in (login.to.host.as_str(), login.port()).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, login.limits.connect) {
            Ok(_) => return Ok(()),
            Err(error) => failed = error.into(),
        }
    }
    Err(failed)
}

fn attachment(connection: &mut Connection<RustFbClient>, with: TransactionConfiguration) -> Result<i64, Cause> {
    let sql = "SELECT CURRENT_CONNECTION FROM RDB$DATABASE";
    let rows = connection.with_transaction_config(with, |tx| fetch(tx, sql, &[], 1))?;
    match rows.into_iter().next().and_then(|row| row.into_iter().next()).map(|column| column.value) {
        Some(SqlType::Integer(number)) => Ok(number),
        _ => Err(Cause::from("the server does not tell the number of this connection")),
    }
}

/// READ ONLY READ COMMITTED REC_VERSION: sees the last committed version of each row, waits for no writer, and does not
/// hold back the server's garbage collection.
fn configuration(login: &Login) -> TransactionConfiguration {
    let wait = u32::try_from(login.limits.lock.as_secs()).unwrap_or(u32::MAX);
    let lock_resolution = if wait == 0 { TrLockResolution::NoWait } else { TrLockResolution::Wait(Some(wait)) };
    TransactionConfiguration {
        data_access: TrDataAccessMode::ReadOnly,
        isolation: TrIsolationLevel::ReadCommited(TrRecordVersion::RecordVersion),
        lock_resolution,
    }
}

/// Runs a query, and once more with columns as text where a number may have lost digits.
fn query(
    tx: &mut Transaction<'_, RustFbClient>,
    sql: &str,
    parameters: &[Value],
    rows_max: usize,
) -> Result<Rows, Cause> {
    let (sql, order) = numbered(sql, Marks::Question);
    let given: Vec<SqlType> = arranged(&order, parameters)?.into_iter().map(parameter).collect();
    let found = fetch(tx, &sql, &given, rows_max)?;
    let Some(first) = found.first() else {
        return Ok(Rows { columns: names_without_rows(tx, &sql, &given)?, rows: Vec::new() });
    };
    let names: Vec<String> = first.iter().map(|column| column.name.to_string()).collect();
    let columns: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let wide: Vec<bool> = (0..names.len()).map(|at| found.iter().any(|row| row.get(at).is_some_and(is_wide))).collect();
    let rows: Vec<Vec<Value>> = if wide.contains(&true) {
        let sql = as_text(&sql, &names, &wide)?;
        fetch(tx, &sql, &given, rows_max)?.into_iter().map(|row| join(row, &wide)).collect()
    } else {
        found.into_iter().map(|row| row.into_iter().map(value).collect()).collect()
    };
    let rows = bounded_rows(rows, &columns)?;
    Ok(Rows { columns, rows })
}

/// The driver names columns only with a row, so one without values is asked for.
fn names_without_rows(
    tx: &mut Transaction<'_, RustFbClient>,
    sql: &str,
    given: &[SqlType],
) -> Result<Vec<String>, Cause> {
    let sql = format!("SELECT q.* FROM RDB$DATABASE LEFT JOIN (SELECT r.* FROM ({sql}) r WHERE 1 = 0) q ON 1 = 1");
    let row = fetch(tx, &sql, given, 1)?.into_iter().next().unwrap_or_default();
    Ok(row.iter().map(|column| column.name.to_lowercase()).collect())
}

fn fetch(
    tx: &mut Transaction<'_, RustFbClient>,
    sql: &str,
    parameters: &[SqlType],
    rows_max: usize,
) -> Result<Vec<Vec<Column>>, FbError> {
    // Not the driver's cache of statements: a prepared one keeps tables from being altered by the POS's updates.
    let mut statement = tx.prepare(sql, false)?;
    let rows = statement.query::<Row, _>(parameters.to_vec())?;
    rows.take(rows_max).map(|row| row.map(|row| row.cols)).collect()
}

/// The query with each wide column followed by its text.
fn as_text(sql: &str, names: &[String], wide: &[bool]) -> Result<String, Cause> {
    let mut columns = Vec::with_capacity(names.len());
    for (at, (name, wide)) in names.iter().zip(wide).enumerate() {
        if name.is_empty() || names.iter().take(at).any(|before| before == name) {
            return Err(Cause::from(format!(
                "column {} needs a name of its own: a number with more than {} digits is read by name",
                at.saturating_add(1),
                super::values::DIGITS_EXACT
            )));
        }
        let quoted = name.replace('"', "\"\"");
        columns.push(format!("q.\"{quoted}\""));
        if *wide {
            columns.push(format!("CAST(q.\"{quoted}\" AS {WIDE_TEXT})"));
        }
    }
    Ok(format!("SELECT {} FROM ({sql}) q", columns.join(", ")))
}

/// Takes each wide column together with its text.
fn join(row: Vec<Column>, wide: &[bool]) -> Vec<Value> {
    let mut cells = row.into_iter();
    let mut joined = Vec::with_capacity(wide.len());
    for wide in wide {
        let Some(cell) = cells.next() else { break };
        let text = if *wide { cells.next() } else { None };
        joined.push(match (&cell.value, text.map(|column| column.value)) {
            (SqlType::Floating(number), Some(SqlType::Text(text))) => settled(*number, &text),
            _ => value(cell),
        });
    }
    joined
}
