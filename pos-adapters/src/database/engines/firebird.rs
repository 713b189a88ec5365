//! Firebird 2.5 to 5 through its server, never through the database's file.
//!
//! Each look is one transaction READ ONLY READ COMMITTED REC_VERSION with a lock timeout. A query that takes longer than
//! its limit is ended at the server: a second connection deletes the row of our own attachment from `MON$ATTACHMENTS`,
//! which is Firebird's way of stopping a statement in every version, and touches no table of the POS.
//!
//! Not read: `DECFLOAT`, times with a zone, and `CHARACTER SET OCTETS`; cast them to text in the query. A `TIME` column
//! comes with today's date in front, so a query casts it to text or adds it to its `DATE`.

mod session;
mod values;

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thiserror::Error;

use self::session::{Reply, Request};
use crate::database::engine::{Connection, Dialect, Engine, Rows, Value};
use crate::database::engines::shared::TimeLimits;
use crate::error::Cause;
use crate::{Finding, Weight};

/// Connections that are given up and not yet closed by the system, before no new one is made.
const GIVEN_UP_MAX: usize = 4;

/// Firebird's own port.
const PORT_DEFAULT: u16 = 3050;

/// Tables with rights of writing that are named one by one.
const TABLES_NAMED_MAX: usize = 5;

/// Tables with rights of writing that are looked for.
const TABLES_MAX: usize = 500;

/// Where the database is, and how long we wait for it.
#[derive(Debug, Clone)]
struct Login {
    to: Connection,
    limits: TimeLimits,
}

impl Login {
    fn port(&self) -> u16 {
        self.to.port.unwrap_or(PORT_DEFAULT)
    }
}

/// What goes wrong beside the server's own errors.
#[derive(Debug, Error)]
pub enum FirebirdError {
    /// No answer in time.
    #[error("the Firebird server gave no answer within {} s when asked to {step}", limit.as_secs())]
    TimedOut {
        /// What was asked.
        step: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The connection is gone.
    #[error("the connection to the Firebird server ended")]
    Lost,
    /// A query outside of a look.
    #[error("no transaction is open")]
    NotBegun,
    /// Too many connections hang.
    #[error("{GIVEN_UP_MAX} connections to the Firebird server still hang; no further one is made until one has ended")]
    Hanging,
}

/// One connection to a Firebird server.
#[derive(Debug)]
pub struct FirebirdEngine {
    login: Login,
    session: Option<Session>,
    given_up: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Session {
    requests: SyncSender<Request>,
    answers: Receiver<Result<Reply, Cause>>,
    attachment: i64,
    begun: bool,
    thread: JoinHandle<()>,
}

impl FirebirdEngine {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self::with_limits(connection, TimeLimits::default())
    }

    /// With time limits of its own.
    #[must_use]
    pub const fn with_limits(connection: Connection, limits: TimeLimits) -> Self {
        Self { login: Login { to: connection, limits }, session: None, given_up: Vec::new() }
    }

    fn connect(&mut self) -> Result<&mut Session, Cause> {
        self.given_up.retain(|thread| !thread.is_finished());
        if self.given_up.len() >= GIVEN_UP_MAX {
            return Err(FirebirdError::Hanging.into());
        }
        let (requests, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let login = self.login.clone();
        let thread = thread::Builder::new()
            .name("firebird".to_owned())
            .spawn(move || session::run(&login, &asked, &answer))?;
        let mut session = Session { requests, answers, attachment: 0, begun: false, thread };
        match session.wait("connect", self.login.limits.connect.saturating_mul(2)) {
            Ok(Reply::Connected(attachment)) => session.attachment = attachment,
            Ok(Reply::Begun | Reply::Rows(_) | Reply::Ended) => return Err(FirebirdError::Lost.into()),
            Err(cause) => {
                self.given_up.push(session.thread);
                return Err(cause);
            }
        }
        Ok(self.session.insert(session))
    }

    /// Asks, waits, and drops the connection if that fails.
    fn ask(&mut self, request: Request, step: &'static str) -> Result<Reply, Cause> {
        let limit = self.login.limits.statement;
        let session = self.session.as_mut().ok_or(FirebirdError::NotBegun)?;
        let answer = match session.requests.send(request) {
            Ok(()) => session.wait(step, limit),
            Err(_) => Err(FirebirdError::Lost.into()),
        };
        if let Err(cause) = &answer {
            let hangs = matches!(cause.downcast_ref(), Some(FirebirdError::TimedOut { .. }));
            self.give_up(hangs);
        }
        answer
    }

    /// Lets go of the connection; its thread ends as soon as the driver returns.
    fn give_up(&mut self, hangs: bool) {
        let Some(session) = self.session.take() else { return };
        if hangs {
            self.stop_at_server(session.attachment);
        }
        self.given_up.push(session.thread);
    }

    /// Ends our attachment from a second connection. Where that fails as well the server is out of reach, and the
    /// attachment ends with its connection.
    fn stop_at_server(&self, attachment: i64) {
        let login = self.login.clone();
        let (ended, waiting) = sync_channel(1);
        let stop = move || {
            let stopped = session::connect(&login).and_then(|mut connection| {
                let sql = format!("DELETE FROM MON$ATTACHMENTS WHERE MON$ATTACHMENT_ID = {attachment}");
                rsfbclient::Execute::execute(&mut connection, &sql, ())?;
                Ok(())
            });
            drop(ended.send(stopped));
        };
        if thread::Builder::new().name("firebird-stop".to_owned()).spawn(stop).is_ok() {
            match waiting.recv_timeout(self.login.limits.connect) {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => tracing::warn!(cause, "A slow query could not be stopped at the Firebird server"),
                Err(_) => tracing::warn!("The Firebird server did not answer when a slow query was to be stopped"),
            }
        }
    }

    fn strings(&mut self, sql: &str, rows_max: usize) -> Result<Vec<Vec<String>>, Cause> {
        let rows = self.query(sql, &[], rows_max)?.rows;
        Ok(rows.iter().map(|row| row.iter().map(Value::text).collect()).collect())
    }
}

impl Session {
    fn wait(&mut self, step: &'static str, limit: Duration) -> Result<Reply, Cause> {
        match self.answers.recv_timeout(limit) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(FirebirdError::TimedOut { step, limit }.into()),
            Err(RecvTimeoutError::Disconnected) => Err(FirebirdError::Lost.into()),
        }
    }
}

impl Engine for FirebirdEngine {
    fn dialect(&self) -> Dialect {
        Dialect::Firebird
    }

    fn begin(&mut self) -> Result<(), Cause> {
        // An idle connection may have been closed by the server meanwhile; that is no fault of this look.
        if self.session.is_some() {
            match self.ask(Request::Begin, "begin a transaction") {
                Ok(_) => {
                    self.session.iter_mut().for_each(|session| session.begun = true);
                    return Ok(());
                }
                Err(cause) if matches!(cause.downcast_ref(), Some(FirebirdError::TimedOut { .. })) => {
                    return Err(cause);
                }
                Err(cause) => tracing::debug!(cause, "The connection to the Firebird server is made anew"),
            }
        }
        self.connect()?;
        self.ask(Request::Begin, "begin a transaction")?;
        self.session.iter_mut().for_each(|session| session.begun = true);
        Ok(())
    }

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        if !self.session.as_ref().is_some_and(|session| session.begun) {
            return Err(FirebirdError::NotBegun.into());
        }
        let request = Request::Query { sql: sql.to_owned(), parameters: parameters.to_vec(), rows_max };
        match self.ask(request, "run a query")? {
            Reply::Rows(rows) => Ok(rows),
            Reply::Connected(_) | Reply::Begun | Reply::Ended => Err(FirebirdError::Lost.into()),
        }
    }

    fn finish(&mut self) {
        let Some(session) = self.session.as_mut() else { return };
        if std::mem::take(&mut session.begun)
            && let Err(cause) = self.ask(Request::Finish, "end a transaction")
        {
            tracing::debug!(cause, "The connection to the Firebird server is given up");
        }
    }

    fn rights(&mut self) -> Result<Vec<Finding>, Cause> {
        self.begin()?;
        let found = self.look_at_rights();
        self.finish();
        found
    }
}

impl FirebirdEngine {
    fn look_at_rights(&mut self) -> Result<Vec<Finding>, Cause> {
        let who = self.strings("SELECT CURRENT_USER, CURRENT_ROLE FROM RDB$DATABASE", 1)?;
        let who = who.into_iter().next().unwrap_or_default();
        let (user, role) = (who.first().cloned().unwrap_or_default(), who.get(1).cloned().unwrap_or_default());
        // Tables have one owner, whoever was granted what; relation 0 is the first of the system's own.
        let owner = "SELECT FIRST 1 RDB$OWNER_NAME FROM RDB$RELATIONS WHERE RDB$RELATION_NAME = 'RDB$DATABASE'";
        let owner = self.strings(owner, 1)?.into_iter().flatten().next().unwrap_or_default();
        let mut findings = Vec::new();
        for (much, what) in [
            (user == "SYSDBA", "is the server's administrator"),
            (user == owner && user != "SYSDBA", "owns the database"),
            (role == "RDB$ADMIN", "has the role RDB$ADMIN"),
        ] {
            if much {
                findings.push(too_much(format!("the login `{user}` {what}")));
            }
        }
        let granted = "SELECT DISTINCT p.RDB$RELATION_NAME FROM RDB$USER_PRIVILEGES p \
             JOIN RDB$RELATIONS r ON r.RDB$RELATION_NAME = p.RDB$RELATION_NAME AND COALESCE(r.RDB$SYSTEM_FLAG, 0) = 0 \
             WHERE p.RDB$USER IN (CURRENT_USER, CURRENT_ROLE, 'PUBLIC') AND p.RDB$PRIVILEGE IN ('I', 'U', 'D') \
             ORDER BY 1";
        if findings.is_empty() {
            let tables: Vec<String> = self.strings(granted, TABLES_MAX)?.into_iter().flatten().collect();
            if !tables.is_empty() {
                let named: Vec<&str> = tables.iter().take(TABLES_NAMED_MAX).map(String::as_str).collect();
                let named = named.join(", ");
                findings.push(too_much(format!("the login `{user}` may write {} tables ({named})", tables.len())));
            }
        }
        if findings.is_empty() {
            let text = format!("the login `{user}` may only read");
            findings.push(Finding { weight: Weight::Good, text, hint: String::new() });
        }
        Ok(findings)
    }
}

fn too_much(text: String) -> Finding {
    let hint = "create a login of its own with SELECT on the tables of the profile: see docs/pos/firebird.md".to_owned();
    Finding { weight: Weight::Warning, text, hint }
}
