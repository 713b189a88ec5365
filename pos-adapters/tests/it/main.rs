//! Sources of every family on real files, ports, servers and databases; the caller's clock is a number.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing step of a test should stop it")]

mod captures;
mod chunking;
#[cfg(all(feature = "postgres", feature = "mysql"))]
mod database;
mod documents;
mod export;
#[cfg(feature = "firebird")]
mod firebird;
#[cfg(any(feature = "firebird", feature = "odbc"))]
mod gate;
mod hostile;
mod journal;
#[cfg(feature = "mssql")]
mod mssql;
#[cfg(feature = "odbc")]
mod odbc;
#[cfg(unix)]
mod printer_line;
mod profiles;
mod receipt_text;
mod receipt_tickets;
mod settings;
mod support;
mod tables;
#[cfg(feature = "mssql")]
mod tds;
#[cfg(unix)]
mod terminals;
mod text;
mod tickets;
