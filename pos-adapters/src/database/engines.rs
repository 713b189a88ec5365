//! Which engine speaks to which database, and which of them this build has.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod tls;

use super::engine::{Connection, Dialect, Engine};

/// Makes the engine; connects nothing yet.
///
/// # Errors
/// This build has no engine for the dialect.
pub fn open(connection: Connection) -> Result<Box<dyn Engine>, String> {
    match connection.dialect {
        Dialect::Sqlite => Ok(Box::new(sqlite::Sqlite::new(connection))),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => Ok(Box::new(postgres::Postgres::new(connection))),
        #[cfg(feature = "mysql")]
        Dialect::Mysql => Ok(Box::new(mysql::Mysql::new(connection))),
        other => missing(other),
    }
}

/// Whether this build can speak it.
#[must_use]
pub const fn is_built(dialect: Dialect) -> bool {
    match dialect {
        Dialect::Sqlite => true,
        Dialect::Postgres => cfg!(feature = "postgres"),
        Dialect::Mysql => cfg!(feature = "mysql"),
        Dialect::Mssql | Dialect::Firebird | Dialect::Odbc => false,
    }
}

fn missing(dialect: Dialect) -> Result<Box<dyn Engine>, String> {
    Err(format!("this build has no engine `{}`", dialect.as_str()))
}
