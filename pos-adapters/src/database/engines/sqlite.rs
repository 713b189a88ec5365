//! An SQLite database beside the POS that writes it.
//!
//! The file is opened read-only and `query_only`, never as `immutable` (a live file would give wrong rows) and never by
//! anything else of this process (closing any other handle of the file would drop SQLite's locks on POSIX). In rollback
//! mode our shared lock keeps the till from committing, so looks are short and a statement is ended at its time limit.
//! A file that was replaced (a backup put into its place) is noticed by its identity and opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rusqlite::types::ValueRef;
use rusqlite::{OpenFlags, params_from_iter};

use crate::database::engine::{
    Connection, Dialect, Engine, LOCK_TIMEOUT, Marks, Rows, STATEMENT_TIMEOUT, VALUE_BYTES_MAX, Value, numbered,
};
use crate::error::Cause;
use crate::{Finding, Weight};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS_PER_CHECK: i32 = 20_000;

#[derive(Debug)]
pub(super) struct Sqlite {
    connection: Connection,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    db: rusqlite::Connection,
    /// Device and number of the file, where the system has them.
    identity: Option<(u64, u64)>,
    data_version: Option<i64>,
    /// Milliseconds since `born` when the running statement must end.
    deadline: Arc<AtomicU64>,
    born: Instant,
}

impl Sqlite {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, open: None }
    }

    fn identity(&self) -> Result<Option<(u64, u64)>, Cause> {
        let metadata = std::fs::metadata(&self.connection.path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Ok(Some((metadata.dev(), metadata.ino())))
        }
        #[cfg(not(unix))]
        {
            // An open database cannot be replaced there.
            let _its_size_says_nothing = metadata;
            Ok(None)
        }
    }

    fn opened(&mut self) -> Result<&mut Open, Cause> {
        let identity = self.identity()?;
        if self.open.as_ref().is_some_and(|open| open.identity != identity) {
            self.open = None;
        }
        match &mut self.open {
            Some(open) => Ok(open),
            none => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let mut db = rusqlite::Connection::open_with_flags(&self.connection.path, flags)?;
                db.busy_timeout(LOCK_TIMEOUT)?;
                db.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
                let born = Instant::now();
                let deadline = Arc::new(AtomicU64::new(u64::MAX));
                let seen = Arc::clone(&deadline);
                let over = move || millis(born.elapsed()) > seen.load(Ordering::Relaxed);
                db.progress_handler(STEPS_PER_CHECK, Some(over))?;
                Ok(none.insert(Open { db, identity, data_version: None, deadline, born }))
            }
        }
    }

    /// Drops the connection after a failure.
    fn failed(&mut self, error: impl Into<Cause>) -> Cause {
        self.open = None;
        error.into()
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Engine for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn begin(&mut self) -> Result<(), Cause> {
        self.finish();
        let begun = self.opened()?.db.execute_batch("BEGIN DEFERRED");
        begun.map_err(|error| self.failed(error))
    }

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        let open = self.open.as_ref().ok_or("no transaction was begun")?;
        open.deadline.store(millis(open.born.elapsed().saturating_add(STATEMENT_TIMEOUT)), Ordering::Relaxed);
        let rows = run(&open.db, sql, parameters, rows_max);
        open.deadline.store(u64::MAX, Ordering::Relaxed);
        rows
    }

    fn finish(&mut self) {
        let ended =
            self.open.as_ref().is_none_or(|open| open.db.is_autocommit() || open.db.execute_batch("COMMIT").is_ok());
        if !ended {
            self.open = None;
        }
    }

    fn rights(&mut self) -> Result<Vec<Finding>, Cause> {
        self.begin()?;
        let mode = self.query("SELECT * FROM pragma_journal_mode", &[], 1);
        self.finish();
        let mode = mode?.rows.first().and_then(|row| row.first()).map(Value::text).unwrap_or_default();
        let mut findings = vec![Finding {
            weight: Weight::Good,
            text: format!("the file is opened read-only; its journal mode is `{mode}`"),
            hint: String::new(),
        }];
        if self.connection.path.to_string_lossy().starts_with(r"\\") {
            findings.push(Finding {
                weight: Weight::Warning,
                text: "the file is on a network share, where SQLite's locks do not hold".to_owned(),
                hint: "run the agent on the machine that has the file".to_owned(),
            });
        }
        Ok(findings)
    }

    fn changed(&mut self) -> Option<bool> {
        // A file that was replaced is another connection, whose first version is new.
        let open = self.opened().ok()?;
        let version = open.db.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0)).ok()?;
        let before = open.data_version.replace(version);
        Some(before != Some(version))
    }
}

fn run(db: &rusqlite::Connection, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
    let (sql, _) = numbered(sql, Marks::QuestionNumber);
    let mut statement = db.prepare_cached(&sql)?;
    let columns: Vec<String> = statement.column_names().map(str::to_lowercase).collect();
    let mut found = statement.query(params_from_iter(parameters.iter().map(to_sql)))?;
    let mut rows = Vec::new();
    while rows.len() < rows_max
        && let Some(row) = found.next()?
    {
        let values = (0..columns.len()).map(|at| from_sql(row.get_ref(at)?)).collect::<Result<Vec<_>, Cause>>()?;
        rows.push(values);
    }
    Ok(Rows { columns, rows })
}

fn to_sql(value: &Value) -> rusqlite::types::Value {
    use rusqlite::types::Value as Sql;
    match value {
        Value::Null => Sql::Null,
        Value::Integer(number) => Sql::Integer(*number),
        // Binary fractions are what SQLite compares decimals as.
        Value::Decimal(text) | Value::Float(text) => text.parse().map_or_else(|_| Sql::Text(text.clone()), Sql::Real),
        Value::Text(text) | Value::Time(text) => Sql::Text(text.clone()),
        Value::Bytes(bytes) => Sql::Blob(bytes.clone()),
    }
}

fn from_sql(value: ValueRef<'_>) -> Result<Value, Cause> {
    let fits =
        |bytes: &[u8]| if bytes.len() <= VALUE_BYTES_MAX { Ok(()) } else { Err("a value is longer than 64 KiB") };
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::from_f64(number),
        ValueRef::Text(text) => {
            fits(text)?;
            Value::Text(String::from_utf8_lossy(text).trim_end_matches(' ').to_owned())
        }
        ValueRef::Blob(bytes) => {
            fits(bytes)?;
            Value::Bytes(bytes.to_vec())
        }
    })
}
