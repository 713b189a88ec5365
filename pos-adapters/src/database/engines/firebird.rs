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

use self::session::FirebirdSession;
use crate::database::engine::{Connection, Dialect, Engine, Rows, Value};
use crate::database::engines::shared::TimeLimits;
use crate::database::engines::worker::Worker;
use crate::error::Cause;
use crate::{Finding, Weight};

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

/// One connection to a Firebird server.
#[derive(Debug)]
pub struct FirebirdEngine {
    worker: Worker<FirebirdSession>,
}

impl FirebirdEngine {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self::with_limits(connection, TimeLimits::default())
    }

    /// With time limits of its own.
    #[must_use]
    pub fn with_limits(connection: Connection, limits: TimeLimits) -> Self {
        Self { worker: Worker::new(Login { to: connection, limits }, limits) }
    }

    fn strings(&mut self, sql: &str, rows_max: usize) -> Result<Vec<Vec<String>>, Cause> {
        let rows = self.worker.query(sql, &[], rows_max)?.rows;
        Ok(rows.iter().map(|row| row.iter().map(Value::text).collect()).collect())
    }
}

impl Engine for FirebirdEngine {
    fn dialect(&self) -> Dialect {
        Dialect::Firebird
    }

    fn begin(&mut self) -> Result<(), Cause> {
        self.worker.begin()
    }

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        self.worker.query(sql, parameters, rows_max)
    }

    fn finish(&mut self) {
        self.worker.finish();
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
    let hint =
        "create a login of its own with SELECT on the tables of the profile: see docs/pos/firebird.md".to_owned();
    Finding { weight: Weight::Warning, text, hint }
}
