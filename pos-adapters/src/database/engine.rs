//! One connection to a POS's database, whatever its make: short read-only looks, exact values.
//!
//! Invariant 10: every look is one read-only transaction with time limits on statements and locks, ends before the
//! next poll, and holds nothing in between. Values come as exact text or whole numbers, never as binary fractions
//! where the database has decimals.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Finding;
use crate::error::Cause;

/// Longest time to get a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that one statement may run; the server ends it where it can.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a lock that a till holds.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest text or bytes of one value that an engine gives; longer ones are an error (a picture in the query).
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// The SQL that a database speaks; the word in `engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// PostgreSQL 9.6 and newer.
    Postgres,
    /// MySQL 5.7 and MariaDB 10.2, and newer.
    Mysql,
    /// Microsoft SQL Server.
    Mssql,
    /// Firebird 2.5 and newer.
    Firebird,
    /// SQLite.
    Sqlite,
    /// Whatever an ODBC driver speaks; queries keep to common SQL.
    Odbc,
    /// A Microsoft Access file, read from a copy through ODBC.
    Access,
}

impl Dialect {
    /// The word used in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mssql => "mssql",
            Self::Firebird => "firebird",
            Self::Sqlite => "sqlite",
            Self::Odbc => "odbc",
            Self::Access => "access",
        }
    }
}

/// Whether and how a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Plain. Default on this machine.
    Off,
    /// Encrypted, whoever answers: most POS servers have a certificate that nobody signed. Default elsewhere.
    Encrypt,
    /// Encrypted, and the server's certificate must come from `tls_ca` and carry the name in `host`.
    Verify,
}

/// Where a database is and how to get in.
#[derive(Clone)]
pub struct Connection {
    /// What it speaks.
    pub dialect: Dialect,
    /// Name or address of the server; an absolute folder is the PostgreSQL server's socket folder.
    pub host: String,
    /// Port; `None` is the usual one of the dialect.
    pub port: Option<u16>,
    /// Named instance (SQL Server).
    pub instance: Option<String>,
    /// Name of the database; path or alias on the server with Firebird.
    pub database: String,
    /// Login.
    pub user: String,
    /// Password in the clear; never shown.
    pub password: Option<String>,
    /// The file of an SQLite database.
    pub path: PathBuf,
    /// Encryption.
    pub tls: Tls,
    /// PEM file of the authority that signed the server's certificate, for [`Tls::Verify`].
    pub tls_ca: Option<PathBuf>,
    /// Character set of columns that do not say theirs (Firebird's `NONE`), as the driver names it.
    pub charset: Option<String>,
    /// ODBC connection string without the password.
    pub connection_string: Option<String>,
}

impl Connection {
    /// Host and database, or the file; never with a password.
    #[must_use]
    pub fn address(&self) -> String {
        match self.dialect {
            Dialect::Sqlite | Dialect::Access => self.path.display().to_string(),
            Dialect::Odbc => self.connection_string.clone().unwrap_or_default(),
            Dialect::Postgres | Dialect::Mysql | Dialect::Mssql | Dialect::Firebird => {
                let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
                let instance = self.instance.as_ref().map(|name| format!("\\{name}")).unwrap_or_default();
                format!("{}{instance}{port}/{}", self.host, self.database)
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("dialect", &self.dialect)
            .field("address", &self.address())
            .field("user", &self.user)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// One value of a row, or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A whole number; booleans are 0 and 1.
    Integer(i64),
    /// A number with decimals, exactly as the database has it (`-1.250`).
    Decimal(String),
    /// A binary fraction of the database (`double`, `float`), written without exponent and with the fewest digits that
    /// read back to it. It is not exact there, so quantities of it are rounded to six decimals.
    Float(String),
    /// Text. `CHAR` padding is taken off at the end. UUIDs are text in lower case with hyphens.
    Text(String),
    /// Date and time without a zone, as `YYYY-MM-DD HH:MM:SS[.ffffff]` (a date alone as `YYYY-MM-DD`), or with one as
    /// RFC 3339 in UTC (`…T…Z`).
    Time(String),
    /// Bytes, for row versions and binary keys.
    Bytes(Vec<u8>),
}

impl Value {
    /// As text: what a key, a SKU or a word is made of. Empty for [`Value::Null`]; bytes are hexadecimal.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(text) | Self::Float(text) | Self::Text(text) | Self::Time(text) => text.clone(),
            Self::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// A binary fraction as [`Value::Float`]; what is no number is [`Value::Null`].
    #[must_use]
    pub fn from_f64(number: f64) -> Self {
        if number.is_finite() { Self::Float(number.to_string()) } else { Self::Null }
    }

    /// See [`Value::from_f64`].
    #[must_use]
    pub fn from_f32(number: f32) -> Self {
        if number.is_finite() { Self::Float(number.to_string()) } else { Self::Null }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Integer(_) => 8,
            Self::Decimal(text) | Self::Float(text) | Self::Text(text) | Self::Time(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
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
    /// where the database can do that without a lock that a till could feel.
    ///
    /// # Errors
    /// The driver's error; the connection is dropped and made anew at the next look.
    fn begin(&mut self) -> Result<(), Cause>;

    /// Runs one query. Parameters are written `$1`, `$2`, … whatever the dialect (see [`numbered`]). At most `rows_max`
    /// rows are taken.
    ///
    /// # Errors
    /// See [`Engine::begin`]. After an error of a query the transaction may be unusable: call [`Engine::finish`].
    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause>;

    /// Ends the transaction and gives up every lock. Never fails loudly: a connection that cannot end it is dropped.
    fn finish(&mut self);

    /// What the login may do beyond reading, each right that is not needed as a finding.
    ///
    /// # Errors
    /// See [`Engine::begin`].
    fn rights(&mut self) -> Result<Vec<Finding>, Cause>;

    /// A cheap look at whether anything was committed since the last call: `Some(false)` only when surely nothing was.
    /// Called outside of a transaction. `None` where the database has no such thing.
    fn changed(&mut self) -> Option<bool> {
        None
    }
}

/// How a driver wants its parameters written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// `?`, in order of appearance.
    Question,
    /// `?1`, `?2`.
    QuestionNumber,
    /// `@P1`, `@P2`.
    AtP,
}

/// Writes the parameters `$1`, `$2` of a query as a driver wants them, and says which parameter (from 0) stands at
/// each mark for drivers that count marks. Quoted text, quoted names and comments are left as they are.
#[must_use]
pub fn numbered(sql: &str, marks: Marks) -> (String, Vec<usize>) {
    let mut out = String::with_capacity(sql.len());
    let mut order = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' | '`' => copy_until(&mut chars, &mut out, c, |ch, _| ch == c),
            '[' => copy_until(&mut chars, &mut out, c, |ch, _| ch == ']'),
            '-' if chars.peek() == Some(&'-') => copy_until(&mut chars, &mut out, c, |ch, _| ch == '\n'),
            '/' if chars.peek() == Some(&'*') => {
                copy_until(&mut chars, &mut out, c, |ch, before| ch == '/' && before == '*');
            }
            '$' if chars.peek().is_some_and(char::is_ascii_digit) => {
                let mut number = 0_usize;
                while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                    let digit = usize::try_from(digit).unwrap_or(0);
                    number = number.saturating_mul(10).saturating_add(digit);
                    chars.next();
                }
                order.push(number.saturating_sub(1));
                match marks {
                    Marks::Question => out.push('?'),
                    Marks::QuestionNumber => out.push_str(&format!("?{number}")),
                    Marks::AtP => out.push_str(&format!("@P{number}")),
                }
            }
            _ => out.push(c),
        }
    }
    (out, order)
}

fn copy_until(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    out: &mut String,
    first: char,
    ends: impl Fn(char, char) -> bool,
) {
    out.push(first);
    let mut before = '\0';
    for c in chars.by_ref() {
        out.push(c);
        if ends(c, before) {
            return;
        }
        before = c;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_the_driver_wants_them() {
        check("a = $2 AND b = $1 AND c = $2", Marks::Question, "a = ? AND b = ? AND c = ?", &[1, 0, 1]);
        check("a = $2 AND b = $10", Marks::QuestionNumber, "a = ?2 AND b = ?10", &[1, 9]);
        check("TOP ($1) x", Marks::AtP, "TOP (@P1) x", &[0]);
    }

    #[test]
    fn quoted_text_names_and_comments_are_left_alone() {
        for text in ["'costs $1'", "\"a$1\"", "`a$1`", "[a$1]", "-- $1\n", "/* $1 */", "'it''s $1'"] {
            check(&format!("{text} $1"), Marks::Question, &format!("{text} ?"), &[0]);
        }
        check("cost$ $x", Marks::Question, "cost$ $x", &[]);
    }

    #[test]
    fn binary_fractions_have_no_exponent() {
        assert_eq!(Value::from_f64(1e-7), Value::Float("0.0000001".to_owned()));
        assert_eq!(Value::from_f64(0.1), Value::Float("0.1".to_owned()));
        assert_eq!(Value::from_f32(0.1), Value::Float("0.1".to_owned()));
        assert_eq!(Value::from_f64(f64::NAN), Value::Null);
    }

    fn check(sql: &str, marks: Marks, expected: &str, order: &[usize]) {
        assert_eq!(numbered(sql, marks), (expected.to_owned(), order.to_vec()), "{sql}");
    }
}
