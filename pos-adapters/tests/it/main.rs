//! File sources on real files in a temporary folder; the caller's clock is a number.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing step of a test should stop it")]

mod chunking;
#[cfg(all(feature = "postgres", feature = "mysql"))]
mod database;
mod export;
#[cfg(feature = "firebird")]
mod firebird;
#[cfg(any(feature = "firebird", feature = "odbc"))]
mod gate;
mod journal;
#[cfg(feature = "mssql")]
mod mssql;
#[cfg(feature = "odbc")]
mod odbc;
mod profiles;
mod settings;
mod support;
#[cfg(feature = "mssql")]
mod tds;
mod text;
mod tickets;
