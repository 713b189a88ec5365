//! Microsoft SQL Server 2008 and newer, by TDS 7.3.
//!
//! SQL Server has no transaction that may only read. A look is a transaction that is always rolled back, takes nothing but
//! `SELECT`, gives way in a deadlock, and waits for a lock no longer than its limit; what really keeps the login from
//! writing are its rights, which [`Engine::rights`] names. Where the database allows it a look is a snapshot, otherwise
//! READ COMMITTED; `NOLOCK` is never used, as it shows sales that are rolled back later and skips some that are not.
//!
//! Without encryption: this build has no TLS for TDS, so it is for this machine and for networks that are trusted.

mod values;

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use thiserror::Error;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Query, QueryItem, SqlBrowser as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use crate::database::engine::{Connection, Dialect, Engine, Marks, Rows, Tls, Value, numbered};
use crate::database::engines::shared::{TimeLimits, bounded_rows};
use crate::error::Cause;
use crate::{Finding, Weight};

/// SQL Server's own port.
const PORT_DEFAULT: u16 = 1433;

/// Port of the SQL Server Browser (UDP), which knows the ports of named instances.
const BROWSER_PORT: u16 = 1434;

/// How often a server may send us on to another one (read-only routing of an availability group).
const ROUTES_MAX: usize = 2;

/// The name under which we are seen at the server (`program_name` in `sys.dm_exec_sessions`).
const PROGRAM: &str = "tillsync";

/// Errors of the server with words for what they mean here; the numbers are those of `sys.messages`.
#[derive(Debug, Error)]
pub enum MssqlError {
    /// 1205.
    #[error("the server ended our query in favour of a till's (deadlock)")]
    DeadlockVictim(#[source] tiberius::error::Error),
    /// 1222.
    #[error("a till held a lock for more than {} ms", limit.as_millis())]
    LockTimeout {
        /// How long it was waited.
        limit: Duration,
        /// The server's words.
        #[source]
        cause: tiberius::error::Error,
    },
    /// 18456 and its kin.
    #[error("the server refuses the login `{user}`")]
    LoginRefused {
        /// The login.
        user: String,
        /// The server's words.
        #[source]
        cause: tiberius::error::Error,
    },
    /// 229, 230, 916.
    #[error("the login `{user}` has no right to read this; run the grants script of the profile")]
    NoRight {
        /// The login.
        user: String,
        /// The server's words.
        #[source]
        cause: tiberius::error::Error,
    },
    /// No answer in time.
    #[error("the SQL Server gave no answer within {} s when asked to {step}", limit.as_secs())]
    TimedOut {
        /// What was asked.
        step: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// A setting that cannot be met.
    #[error(
        "this build speaks to SQL Server without encryption only: set `tls = \"off\"` if you trust the network between"
    )]
    NoEncryption,
    /// A query that is not one.
    #[error("only queries that begin with SELECT or WITH are run")]
    NotASelect,
    /// A query outside of a look.
    #[error("no transaction is open")]
    NotBegun,
}

type Session = Client<Compat<TcpStream>>;

/// One connection to a SQL Server.
#[derive(Debug)]
pub struct MssqlEngine {
    to: Connection,
    limits: TimeLimits,
    runtime: Option<Arc<Runtime>>,
    session: Option<Session>,
    begun: bool,
}

impl MssqlEngine {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self::with_limits(connection, TimeLimits::default())
    }

    /// With time limits of its own.
    #[must_use]
    pub const fn with_limits(connection: Connection, limits: TimeLimits) -> Self {
        Self { to: connection, limits, runtime: None, session: None, begun: false }
    }

    fn runtime(&mut self) -> Result<Arc<Runtime>, Cause> {
        if let Some(runtime) = &self.runtime {
            return Ok(Arc::clone(runtime));
        }
        let runtime = Arc::new(tokio::runtime::Builder::new_current_thread().enable_all().build()?);
        self.runtime = Some(Arc::clone(&runtime));
        Ok(runtime)
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.host(&self.to.host);
        match (self.to.port, &self.to.instance) {
            (Some(port), _) => config.port(port),
            (None, Some(instance)) => {
                config.instance_name(instance);
                config.port(BROWSER_PORT);
            }
            (None, None) => config.port(PORT_DEFAULT),
        }
        config.database(&self.to.database);
        config.authentication(AuthMethod::sql_server(&self.to.user, self.to.password.as_deref().unwrap_or_default()));
        config.application_name(PROGRAM);
        // ApplicationIntent=ReadOnly: a secondary of an availability group may answer. It is a hint, not a right.
        config.readonly(true);
        config.encryption(EncryptionLevel::NotSupported);
        config.handshake_timeout(Some(self.limits.connect));
        config.command_timeout(Some(self.limits.statement));
        config
    }

    fn connect(&mut self) -> Result<(), Cause> {
        if self.to.tls != Tls::Off {
            return Err(MssqlError::NoEncryption.into());
        }
        let (config, runtime, limit) = (self.config(), self.runtime()?, self.limits.connect);
        let connected = runtime.block_on(async {
            tokio::time::timeout(limit, dial(config)).await.map_err(|_| MssqlError::TimedOut { step: "connect", limit })
        })?;
        let mut session = connected.map_err(|cause| self.named(cause))?;
        let snapshot = "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()";
        let allowed = runtime.block_on(answered(&mut session, snapshot, limit)).map_err(|cause| self.named(cause))?;
        let isolation = if allowed == Some(1) { "SNAPSHOT" } else { "READ COMMITTED" };
        let wait = self.limits.lock.as_millis();
        let settings =
            format!("SET LOCK_TIMEOUT {wait}; SET DEADLOCK_PRIORITY LOW; SET TRANSACTION ISOLATION LEVEL {isolation};");
        runtime.block_on(done(&mut session, &settings, limit)).map_err(|cause| self.named(cause))?;
        self.session = Some(session);
        Ok(())
    }

    /// Runs a statement without an answer.
    fn command(&mut self, sql: &str) -> Result<(), Cause> {
        let (runtime, limit) = (self.runtime()?, self.limits.statement);
        let session = self.session.as_mut().ok_or(MssqlError::NotBegun)?;
        let ran = runtime.block_on(done(session, sql, limit));
        ran.map_err(|cause| self.failed(cause))
    }

    /// After any failure the connection is not used again: the transaction may be doomed, the answer half read.
    fn failed(&mut self, cause: Cause) -> Cause {
        self.session = None;
        self.begun = false;
        self.named(cause)
    }

    fn named(&self, cause: Cause) -> Cause {
        let cause = match cause.downcast::<tiberius::error::Error>() {
            Ok(cause) => *cause,
            Err(other) => return other,
        };
        let user = self.to.user.clone();
        match cause.code() {
            Some(1205) => MssqlError::DeadlockVictim(cause).into(),
            Some(1222) => MssqlError::LockTimeout { limit: self.limits.lock, cause }.into(),
            Some(18_456 | 18_452 | 18_470 | 18_486 | 18_487 | 18_488 | 4060) => {
                MssqlError::LoginRefused { user, cause }.into()
            }
            Some(229 | 230 | 916) => MssqlError::NoRight { user, cause }.into(),
            Some(_) | None => cause.into(),
        }
    }
}

/// Connects, and goes on to where the server sends us.
async fn dial(mut config: Config) -> Result<Session, Cause> {
    for _ in 0..=ROUTES_MAX {
        let stream = TcpStream::connect_named(&config).await?;
        match Client::connect(config.clone(), stream.compat_write()).await {
            Ok(session) => return Ok(session),
            Err(tiberius::error::Error::Routing { host, port }) => {
                config.host(host);
                config.port(port);
            }
            Err(cause) => return Err(cause.into()),
        }
    }
    Err(Cause::from("the server sends us on from one server to another without end"))
}

/// Runs statements and waits for their end.
async fn done(session: &mut Session, sql: &str, limit: Duration) -> Result<(), Cause> {
    let run = async {
        session.simple_query(sql).await?.into_results().await?;
        Ok::<_, tiberius::error::Error>(())
    };
    Ok(tokio::time::timeout(limit, run)
        .await
        .map_err(|_| MssqlError::TimedOut { step: "run a statement", limit })??)
}

/// The first number of the first row.
async fn answered(session: &mut Session, sql: &str, limit: Duration) -> Result<Option<i64>, Cause> {
    let run = async { session.simple_query(sql).await?.into_row().await };
    let row =
        tokio::time::timeout(limit, run).await.map_err(|_| MssqlError::TimedOut { step: "run a query", limit })??;
    let cell = row.as_ref().and_then(|row| row.cells().next());
    let value = cell.map(|(column, data)| values::value(column, data)).transpose()?;
    Ok(match value {
        Some(Value::Integer(number)) => Some(number),
        _ => None,
    })
}

/// Runs a query and takes its rows as they come.
async fn rows(session: &mut Session, query: Query<'_>, rows_max: usize) -> Result<Rows, Cause> {
    let mut stream = query.query(session).await?;
    let mut found = Rows::default();
    while let Some(item) = stream.try_next().await? {
        match item {
            QueryItem::Metadata(columns) if columns.result_index() == 0 => {
                found.columns = columns.columns().iter().map(|column| column.name().to_lowercase()).collect();
            }
            QueryItem::Row(row) if row.result_index() == 0 && found.rows.len() < rows_max => {
                let cells: Result<Vec<Value>, Cause> =
                    row.cells().map(|(column, data)| values::value(column, data)).collect();
                found.rows.push(cells?);
            }
            QueryItem::Metadata(_) | QueryItem::Row(_) => {}
        }
    }
    found.rows = bounded_rows(found.rows, &found.columns)?;
    Ok(found)
}

fn is_select(sql: &str) -> bool {
    let first: String = sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    first.eq_ignore_ascii_case("select") || first.eq_ignore_ascii_case("with")
}

impl Engine for MssqlEngine {
    fn dialect(&self) -> Dialect {
        Dialect::Mssql
    }

    fn begin(&mut self) -> Result<(), Cause> {
        const BEGIN: &str = "BEGIN TRANSACTION";
        // An idle connection may have been closed by the server meanwhile; that is no fault of this look.
        if self.session.is_some() {
            match self.command(BEGIN) {
                Ok(()) => {
                    self.begun = true;
                    return Ok(());
                }
                Err(cause) => tracing::debug!(cause, "The connection to the SQL Server is made anew"),
            }
        }
        self.connect()?;
        self.command(BEGIN)?;
        self.begun = true;
        Ok(())
    }

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        if !is_select(sql) {
            return Err(MssqlError::NotASelect.into());
        }
        if !self.begun {
            return Err(MssqlError::NotBegun.into());
        }
        let (sql, _) = numbered(sql, Marks::AtP);
        // The server stops after so many rows, so that no more of them travel than are taken.
        let mut query = Query::new(format!("SET ROWCOUNT {}; {sql}", rows_max.max(1)));
        for parameter in parameters {
            values::bind(&mut query, parameter);
        }
        let (runtime, limit) = (self.runtime()?, self.limits.statement);
        let session = self.session.as_mut().ok_or(MssqlError::NotBegun)?;
        let answer = runtime.block_on(async { tokio::time::timeout(limit, rows(session, query, rows_max)).await });
        let answer = answer.unwrap_or_else(|_| Err(MssqlError::TimedOut { step: "run a query", limit }.into()));
        answer.map_err(|cause| self.failed(cause))
    }

    fn finish(&mut self) {
        if !std::mem::take(&mut self.begun) {
            return;
        }
        if let Err(cause) = self.command("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION") {
            tracing::debug!(cause, "The connection to the SQL Server is given up");
        }
    }

    fn rights(&mut self) -> Result<Vec<Finding>, Cause> {
        self.begin()?;
        let found = self.look_at_rights();
        self.finish();
        found
    }
}

/// What no reader needs, with the expression that says whether the login has it.
const RIGHTS: [(&str, &str); 9] = [
    ("is `sysadmin`, the server's administrator", "IS_SRVROLEMEMBER('sysadmin')"),
    ("is `db_owner`", "IS_MEMBER('db_owner')"),
    ("is `db_datawriter`", "IS_MEMBER('db_datawriter')"),
    ("is `db_ddladmin`", "IS_MEMBER('db_ddladmin')"),
    ("is `db_securityadmin`", "IS_MEMBER('db_securityadmin')"),
    ("may insert into every table", "HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'INSERT')"),
    ("may update every table", "HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UPDATE')"),
    ("may delete from every table", "HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'DELETE')"),
    ("may control the server", "HAS_PERMS_BY_NAME(NULL, NULL, 'CONTROL SERVER')"),
];

/// Rights that stand for all that follow from them.
const ROLES_THAT_SAY_ALL: usize = 2;

impl MssqlEngine {
    fn look_at_rights(&mut self) -> Result<Vec<Finding>, Cause> {
        let columns: Vec<String> = RIGHTS.iter().enumerate().map(|(at, (_, sql))| format!("{sql} AS r{at}")).collect();
        let rows = self.query(&format!("SELECT {}", columns.join(", ")), &[], 1)?.rows;
        let row = rows.into_iter().next().unwrap_or_default();
        let mut findings = Vec::new();
        for (at, ((what, _), value)) in RIGHTS.iter().zip(&row).enumerate() {
            if at >= ROLES_THAT_SAY_ALL && findings.len() == 1 && row.iter().take(ROLES_THAT_SAY_ALL).any(is_one) {
                break;
            }
            if is_one(value) {
                let hint =
                    "create a login of its own with SELECT on the tables of the profile: see docs/pos/sql-server.md";
                findings.push(Finding {
                    weight: Weight::Warning,
                    text: format!("the login `{}` {what}", self.to.user),
                    hint: hint.to_owned(),
                });
            }
        }
        if findings.is_empty() {
            let text = format!("the login `{}` may only read", self.to.user);
            findings.push(Finding { weight: Weight::Good, text, hint: String::new() });
        }
        Ok(findings)
    }
}

fn is_one(value: &Value) -> bool {
    *value == Value::Integer(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_queries_are_run() {
        for sql in ["select 1", "  WITH a AS (SELECT 1 b) SELECT b FROM a", "SELECT\n1"] {
            assert!(is_select(sql), "{sql}");
        }
        for sql in ["DELETE FROM t", "selection", "", "-- x\nDROP TABLE t", "EXEC p"] {
            assert!(!is_select(sql), "{sql}");
        }
    }
}
