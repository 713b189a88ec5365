//! Whatever has an ODBC driver: Db2 for i (AS/400), Access, Informix, old SQL Servers.
//!
//! Text is bound as UTF-16 with a bounded size, `CHAR FOR BIT DATA` and columns of CCSID 65535 as bytes, numbers with
//! decimals as the driver's text, so that no digit passes through a binary fraction. A day kept as a number
//! (`1260102`, CYYMMDD) stays that number. ODBC has no read-only transaction that every driver keeps: the engine runs
//! nothing but `SELECT`, asks the databases that it knows to refuse writes, and rolls every look back.
//!
//! A database that is one file (Access) is read from a copy, see [`copy`].

pub mod copy;
mod session;
mod values;

use self::copy::FileCopy;
use self::session::OdbcSession;
use crate::database::engine::{Connection, Dialect, Engine, Rows, Value};
use crate::database::engines::shared::TimeLimits;
use crate::database::engines::worker::Worker;
use crate::error::Cause;
use crate::{Finding, Weight};

/// Where the database is, and how long we wait for it.
#[derive(Debug, Clone)]
struct Login {
    to: Connection,
    /// The file that is read in place of the POS's own.
    copy: Option<std::path::PathBuf>,
    limits: TimeLimits,
}

/// One connection through the system's ODBC driver manager.
#[derive(Debug)]
pub struct OdbcEngine {
    dialect: Dialect,
    worker: Worker<OdbcSession>,
    copy: Option<FileCopy>,
}

impl OdbcEngine {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self::with_limits(connection, TimeLimits::default())
    }

    /// With time limits of its own.
    #[must_use]
    pub fn with_limits(connection: Connection, limits: TimeLimits) -> Self {
        let dialect = connection.dialect;
        Self { dialect, worker: Worker::new(Login { to: connection, copy: None, limits }, limits), copy: None }
    }

    /// Reads a copy of the file that the POS keeps its database in; the connection string gets `DBQ=` and `Database=` of
    /// the copy behind it.
    #[must_use]
    pub fn over_copy(connection: Connection, copy: FileCopy, limits: TimeLimits) -> Self {
        let dialect = connection.dialect;
        let login = Login { to: connection, copy: Some(copy.path().to_path_buf()), limits };
        Self { dialect, worker: Worker::new(login, limits), copy: Some(copy) }
    }
}

impl Engine for OdbcEngine {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn begin(&mut self) -> Result<(), Cause> {
        if let Some(copy) = &mut self.copy
            && copy.is_outdated()?
        {
            // The driver may keep the old copy open.
            self.worker.close();
            copy.renew()?;
        }
        self.worker.begin()
    }

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        self.worker.query(sql, parameters, rows_max)
    }

    fn finish(&mut self) {
        self.worker.finish();
    }

    /// ODBC has no question for rights.
    fn rights(&mut self) -> Result<Vec<Finding>, Cause> {
        self.begin()?;
        self.finish();
        if self.copy.is_some() {
            let text = "the file is copied and the copy is read, so nothing can be written".to_owned();
            return Ok(vec![Finding { weight: Weight::Good, text, hint: String::new() }]);
        }
        Ok(vec![Finding {
            weight: Weight::Warning,
            text: "an ODBC driver does not tell what a login may do".to_owned(),
            hint: "make sure that the login may only read: see docs/pos/odbc.md".to_owned(),
        }])
    }

    fn changed(&mut self) -> Option<bool> {
        self.copy.as_ref().and_then(|copy| copy.is_outdated().ok())
    }
}
