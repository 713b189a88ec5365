//! Which engine speaks to which database, and which of them this build has.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod tls;

use std::path::Path;

use super::engine::{Connection, Dialect, Engine};

#[cfg(feature = "firebird")]
pub mod firebird;
#[cfg(feature = "mssql")]
pub mod mssql;
#[cfg(feature = "odbc")]
pub mod odbc;

#[cfg(any(feature = "firebird", feature = "mssql", feature = "odbc"))]
pub mod shared;
#[cfg(any(feature = "firebird", feature = "odbc"))]
pub mod worker;

/// Makes the engine; connects nothing yet.
///
/// # Errors
/// This build has no engine for the dialect.
pub fn open(connection: Connection) -> Result<Box<dyn Engine>, String> {
    match connection.dialect {
        #[cfg(feature = "firebird")]
        Dialect::Firebird => Ok(Box::new(firebird::FirebirdEngine::new(connection))),
        #[cfg(feature = "mssql")]
        Dialect::Mssql => Ok(Box::new(mssql::MssqlEngine::new(connection))),
        #[cfg(feature = "odbc")]
        Dialect::Odbc => Ok(Box::new(odbc::OdbcEngine::new(connection))),
        Dialect::Sqlite => Ok(Box::new(sqlite::Sqlite::new(connection))),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => Ok(Box::new(postgres::Postgres::new(connection))),
        #[cfg(feature = "mysql")]
        Dialect::Mysql => Ok(Box::new(mysql::Mysql::new(connection))),
        #[cfg(feature = "odbc")]
        Dialect::Access => Err("a database that is a file is read from a copy".to_owned()),
        #[cfg(not(all(
            feature = "postgres",
            feature = "mysql",
            feature = "mssql",
            feature = "firebird",
            feature = "odbc"
        )))]
        other => missing(other),
    }
}

/// The same for a database that is a file, which is copied into a folder of our own and read there.
///
/// # Errors
/// This build has no engine for the dialect.
pub fn open_copy(connection: Connection, folder: &Path) -> Result<Box<dyn Engine>, String> {
    match connection.dialect {
        #[cfg(feature = "odbc")]
        Dialect::Access => Ok(Box::new(odbc::OdbcEngine::over_copy(
            connection.clone(),
            odbc::copy::FileCopy::new(connection.path, folder),
            shared::TimeLimits::default(),
        ))),
        other => {
            let _only_for_access = folder;
            missing(other)
        }
    }
}

/// Whether this build can speak it.
#[must_use]
pub const fn is_built(dialect: Dialect) -> bool {
    match dialect {
        Dialect::Sqlite => true,
        Dialect::Postgres => cfg!(feature = "postgres"),
        Dialect::Mysql => cfg!(feature = "mysql"),
        Dialect::Mssql => cfg!(feature = "mssql"),
        Dialect::Firebird => cfg!(feature = "firebird"),
        Dialect::Odbc | Dialect::Access => cfg!(feature = "odbc"),
    }
}

fn missing(dialect: Dialect) -> Result<Box<dyn Engine>, String> {
    Err(format!("this build has no engine `{}`", dialect.as_str()))
}
