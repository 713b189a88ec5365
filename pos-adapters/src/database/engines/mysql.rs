//! MySQL and MariaDB.
//!
//! Every look is a read-only transaction with a consistent snapshot (InnoDB takes no locks for it) and limits on
//! statements and locks. The session's zone is UTC, so `TIMESTAMP` columns come in UTC; `DATETIME` columns come as they
//! stand. Tables of the older MyISAM engine are locked by any reader, which [`Mysql::rights`] says.

use std::future::Future;
use std::time::Duration;

use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::prelude::Queryable;
use mysql_async::{Column, Conn, Opts, OptsBuilder, Params, SslOpts};
use tokio::runtime::{Builder, Runtime};

use super::tls;
use crate::database::engine::{
    CONNECT_TIMEOUT, Connection, Dialect, Engine, LOCK_TIMEOUT, Marks, Rows, STATEMENT_TIMEOUT, Tls, VALUE_BYTES_MAX,
    Value, numbered,
};
use crate::error::Cause;
use crate::{Finding, Weight};

/// Beyond the server's own limits, for a server that does not answer at all.
const PATIENCE: Duration = Duration::from_secs(20);
/// Character set number of bytes that are no text.
const BINARY: u16 = 63;
/// Grants of one login that are looked at.
const GRANTS_MAX: usize = 1000;
/// Tables that a finding names.
const TABLES_NAMED_MAX: usize = 20;
/// What reading needs.
const HARMLESS: [&str; 3] = ["USAGE", "SELECT", "SHOW VIEW"];

pub(super) struct Mysql {
    connection: Connection,
    open: Option<Open>,
}

struct Open {
    conn: Conn,
    in_tx: bool,
    // Dropped last: the connection lives in it.
    runtime: Runtime,
}

fn wait<T>(
    runtime: &Runtime,
    longest: Duration,
    what: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, Cause> {
    runtime.block_on(async {
        match tokio::time::timeout(longest, what).await {
            Ok(done) => done.map_err(Into::into),
            Err(_) => Err(format!("no answer within {longest:?}").into()),
        }
    })
}

impl Mysql {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, open: None }
    }

    fn options(&self) -> Result<Opts, Cause> {
        let wanted = &self.connection;
        let ssl = match wanted.tls {
            Tls::Off => None,
            Tls::Encrypt => {
                Some(SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true))
            }
            Tls::Verify => {
                let authority = tls::authority(wanted)?.to_path_buf();
                Some(SslOpts::default().with_root_certs(vec![authority.into()]).with_disable_built_in_roots(true))
            }
        };
        let builder = OptsBuilder::default()
            .ip_or_hostname(wanted.host.clone())
            .tcp_port(wanted.port.unwrap_or(3306))
            .user(Some(wanted.user.clone()))
            .pass(wanted.password.clone())
            .db_name(Some(wanted.database.clone()))
            .prefer_socket(false)
            .stmt_cache_size(16)
            .ssl_opts(ssl);
        Ok(builder.into())
    }

    fn connect(&self) -> Result<Open, Cause> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let options = self.options()?;
        let mut conn = wait(&runtime, CONNECT_TIMEOUT.saturating_add(CONNECT_TIMEOUT), Conn::new(options))?;
        let lock = LOCK_TIMEOUT.as_secs().max(1);
        let session = format!(
            "SET SESSION time_zone = '+00:00', SESSION lock_wait_timeout = {lock}, \
             SESSION innodb_lock_wait_timeout = {lock}, SESSION transaction_isolation = 'REPEATABLE-READ'"
        );
        // MariaDB before 11.1 has the older name of the isolation.
        let older = session.replace("transaction_isolation", "tx_isolation");
        if wait(&runtime, PATIENCE, conn.query_drop(&session)).is_err() {
            wait(&runtime, PATIENCE, conn.query_drop(&older))?;
        }
        let limit = format!("SET SESSION max_statement_time = {}", STATEMENT_TIMEOUT.as_secs());
        if wait(&runtime, PATIENCE, conn.query_drop(&limit)).is_err() {
            // MySQL's own, in milliseconds.
            let limit = format!("SET SESSION max_execution_time = {}", STATEMENT_TIMEOUT.as_millis());
            wait(&runtime, PATIENCE, conn.query_drop(&limit))?;
        }
        Ok(Open { conn, in_tx: false, runtime })
    }

    fn opened(&mut self) -> Result<&mut Open, Cause> {
        if self.open.is_none() {
            self.open = Some(self.connect()?);
        }
        self.open.as_mut().ok_or_else(|| "not connected".into())
    }

    fn batch(&mut self, sql: &str) -> Result<(), Cause> {
        let open = self.opened()?;
        let done = wait(&open.runtime, PATIENCE, open.conn.query_drop(sql));
        if done.is_err() {
            self.open = None;
        }
        done
    }
}

impl Engine for Mysql {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    fn begin(&mut self) -> Result<(), Cause> {
        self.finish();
        const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        // A connection that the server closed while we were idle is made anew once.
        let known = self.open.is_some();
        let begun = self.batch(BEGIN);
        if begun.is_err() && known {
            self.batch(BEGIN)?;
        } else {
            begun?;
        }
        if let Some(open) = &mut self.open {
            open.in_tx = true;
        }
        Ok(())
    }

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        let open = self.open.as_mut().filter(|open| open.in_tx).ok_or("no transaction was begun")?;
        let (sql, order) = numbered(sql, Marks::Question);
        let values: Vec<mysql_async::Value> =
            order.into_iter().map(|at| parameters.get(at).map_or(mysql_async::Value::NULL, to_sql)).collect();
        let values = if values.is_empty() { Params::Empty } else { Params::Positional(values) };
        let Open { conn, runtime, .. } = open;
        let (columns, found) = wait(runtime, PATIENCE, async {
            let mut result = conn.exec_iter(sql, values).await?;
            let columns = result.columns();
            let mut found = Vec::new();
            while found.len() < rows_max
                && let Some(row) = result.next().await?
            {
                found.push(row);
            }
            result.drop_result().await?;
            Ok((columns, found))
        })?;
        let columns = columns.ok_or("the query gives no rows")?;
        let mut rows = Vec::with_capacity(found.len());
        for row in found {
            let values = row.unwrap_raw().into_iter().zip(columns.iter());
            rows.push(
                values
                    .map(|(value, column)| from_sql(value.unwrap_or(mysql_async::Value::NULL), column))
                    .collect::<Result<_, Cause>>()?,
            );
        }
        Ok(Rows { columns: columns.iter().map(|column| column.name_str().to_lowercase()).collect(), rows })
    }

    fn finish(&mut self) {
        if let Some(open) = &mut self.open
            && open.in_tx
        {
            open.in_tx = false;
            if wait(&open.runtime, PATIENCE, open.conn.query_drop("ROLLBACK")).is_err() {
                self.open = None;
            }
        }
    }

    fn rights(&mut self) -> Result<Vec<Finding>, Cause> {
        self.begin()?;
        let grants = self.query("SHOW GRANTS FOR CURRENT_USER", &[], GRANTS_MAX);
        let locked = self.query(
            "SELECT table_name AS t FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND engine IN ('MyISAM', 'Aria') ORDER BY 1",
            &[],
            TABLES_NAMED_MAX,
        );
        self.finish();
        let words = |rows: Rows| rows.rows.iter().filter_map(|row| row.first()).map(Value::text).collect::<Vec<_>>();
        let mut findings = beyond_reading(&self.connection.user, &words(grants?));
        let locked = words(locked?);
        if !locked.is_empty() {
            findings.push(Finding {
                weight: Weight::Warning,
                text: format!("tables without transactions are locked while they are read: {}", locked.join(", ")),
                hint: "ask the POS's vendor whether the tables may be changed to InnoDB; until then use a long `poll`"
                    .to_owned(),
            });
        }
        Ok(findings)
    }
}

/// Names the rights in lines such as ``GRANT SELECT, INSERT ON `pos`.* TO …`` that reading does not need.
fn beyond_reading(user: &str, grants: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for grant in grants {
        let Some((rights, rest)) = grant.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON ")) else {
            continue;
        };
        let place = rest.split(" TO ").next().unwrap_or(rest);
        let mut beyond: Vec<String> = split_rights(rights)
            .into_iter()
            .filter(|right| {
                let bare = right.split('(').next().unwrap_or(right).trim();
                !bare.is_empty() && !HARMLESS.contains(&bare)
            })
            .collect();
        if rest.ends_with("WITH GRANT OPTION") {
            beyond.push("GRANT OPTION".to_owned());
        }
        if !beyond.is_empty() {
            findings.push(Finding {
                weight: Weight::Warning,
                text: format!("login `{user}` has more than it needs on {place}: {}", beyond.join(", ")),
                hint: "make a login of its own with the grants script of the profile".to_owned(),
            });
        }
    }
    findings
}

/// At the commas outside of brackets: `SELECT (a, b), INSERT`.
fn split_rights(rights: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    for c in rights.chars() {
        match c {
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

fn to_sql(value: &Value) -> mysql_async::Value {
    use mysql_async::Value as Sql;
    match value {
        Value::Null => Sql::NULL,
        Value::Integer(number) => Sql::Int(*number),
        Value::Decimal(text) | Value::Float(text) | Value::Text(text) => Sql::Bytes(text.clone().into_bytes()),
        // The session is in UTC, and only MySQL knows zones in literals.
        Value::Time(text) => Sql::Bytes(text.trim_end_matches('Z').replacen('T', " ", 1).into_bytes()),
        Value::Bytes(bytes) => Sql::Bytes(bytes.clone()),
    }
}

fn from_sql(value: mysql_async::Value, column: &Column) -> Result<Value, Cause> {
    use mysql_async::Value as Sql;
    Ok(match value {
        Sql::NULL => Value::Null,
        Sql::Int(number) => Value::Integer(number),
        Sql::UInt(number) => i64::try_from(number).map_or_else(|_| Value::Decimal(number.to_string()), Value::Integer),
        Sql::Float(number) => Value::from_f32(number),
        Sql::Double(number) => Value::from_f64(number),
        // The zero date stands for none.
        Sql::Date(0, ..) | Sql::Date(_, 0, ..) => Value::Null,
        Sql::Date(year, month, day, hour, minute, second, micros) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            if column.column_type() == ColumnType::MYSQL_TYPE_DATE {
                return Ok(Value::Time(date));
            }
            let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
            let time = format!("{hour:02}:{minute:02}:{second:02}{fraction}");
            if column.column_type() == ColumnType::MYSQL_TYPE_TIMESTAMP {
                Value::Time(format!("{date}T{time}Z"))
            } else {
                Value::Time(format!("{date} {time}"))
            }
        }
        Sql::Time(negative, days, hours, minutes, seconds, micros) => {
            let hours = days.saturating_mul(24).saturating_add(u32::from(hours));
            let sign = if negative { "-" } else { "" };
            let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
            Value::Text(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"))
        }
        Sql::Bytes(bytes) => return from_bytes(bytes, column),
    })
}

fn from_bytes(bytes: Vec<u8>, column: &Column) -> Result<Value, Cause> {
    if bytes.len() > VALUE_BYTES_MAX {
        return Err("a value is longer than 64 KiB".into());
    }
    let kind = column.column_type();
    if matches!(kind, ColumnType::MYSQL_TYPE_NEWDECIMAL | ColumnType::MYSQL_TYPE_DECIMAL) {
        return Ok(Value::Decimal(String::from_utf8_lossy(&bytes).into_owned()));
    }
    if kind == ColumnType::MYSQL_TYPE_BIT {
        let number = bytes.iter().fold(0_i64, |sum, byte| sum.wrapping_shl(8) | i64::from(*byte));
        return Ok(Value::Integer(number));
    }
    let binary = column.character_set() == BINARY && column.flags().contains(ColumnFlags::BINARY_FLAG);
    if binary {
        return Ok(Value::Bytes(bytes));
    }
    Ok(Value::Text(String::from_utf8_lossy(&bytes).trim_end_matches(' ').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_beyond_reading_are_named() {
        let check = |grant: &str, expected: &[&str]| {
            let found = beyond_reading("u", &[grant.to_owned()]);
            assert_eq!(found.iter().map(|finding| finding.text.as_str()).collect::<Vec<_>>(), expected, "{grant}");
        };
        check("GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*0'", &[]);
        check("GRANT SELECT (`id`, `qty`) ON `pos`.`lines` TO `u`@`%`", &[]);
        check(
            "GRANT SELECT (`id`, `qty`), INSERT ON `pos`.`lines` TO `u`@`%`",
            &["login `u` has more than it needs on `pos`.`lines`: INSERT"],
        );
        check(
            "GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION",
            &["login `u` has more than it needs on *.*: ALL PRIVILEGES, GRANT OPTION"],
        );
    }
}
