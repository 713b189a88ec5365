//! One connection to a POS's database, whatever its make: short read-only looks, exact values.
//!
//! Invariant 10: every look is one read-only transaction with time limits on statements and locks, ends before the
//! next poll, and holds nothing in between. Values come as exact text or whole numbers, never as binary fractions
//! where the database has decimals.

use crate::Finding;
use crate::error::Cause;

/// The SQL that a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// PostgreSQL 9.6 and newer.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// Microsoft SQL Server.
    Mssql,
    /// Firebird 2.5 and newer.
    Firebird,
    /// SQLite.
    Sqlite,
    /// Whatever an ODBC driver speaks; queries keep to common SQL.
    Odbc,
}

/// One value of a row, or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with decimals, exactly as the database has it (`-1.250`). Binary fractions of the database are written
    /// with the fewest digits that read back to them.
    Decimal(String),
    /// Text. `CHAR` padding is taken off at the end.
    Text(String),
    /// Date and time without a zone, as `YYYY-MM-DD HH:MM:SS[.ffffff]`, or with one as RFC 3339.
    Time(String),
    /// Bytes, for row versions and binary keys.
    Bytes(Vec<u8>),
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// Names of the columns, in lower case.
    pub columns: Vec<String>,
    /// The rows, each with one value a column.
    pub rows: Vec<Vec<Value>>,
}

/// One connection, opened when first needed and opened again after a failure. Blocking; owned by one source thread.
pub trait Engine: Send {
    /// What it speaks.
    fn dialect(&self) -> Dialect;

    /// Begins one read-only transaction with its time limits; all queries up to [`Engine::finish`] see one state
    /// where the database can do that.
    ///
    /// # Errors
    /// The driver's error; the connection is dropped and made anew at the next look.
    fn begin(&mut self) -> Result<(), Cause>;

    /// Runs one query. Parameters are written `$1`, `$2`, … whatever the dialect. At most `rows_max` rows are taken.
    ///
    /// # Errors
    /// See [`Engine::begin`].
    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause>;

    /// Ends the transaction and gives up every lock. Never fails loudly: a connection that cannot end it is dropped.
    fn finish(&mut self);

    /// What the login may do beyond reading, each right that is not needed as a finding.
    ///
    /// # Errors
    /// See [`Engine::begin`].
    fn rights(&mut self) -> Result<Vec<Finding>, Cause>;
}
