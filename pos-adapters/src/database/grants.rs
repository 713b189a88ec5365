//! The login that a profile needs, as a script for the database's administrator. Pure.
//!
//! Nothing is granted but `SELECT` on the tables and columns that the profile reads; the login may have two connections
//! where the database can limit them.

use std::fmt::Write as _;

use super::engine::Dialect;
use super::plan::Plan;

/// Where the script has its password put in.
const PASSWORD: &str = "PUT-A-PASSWORD-HERE";

/// The script for a plan with a profile; says so where there is nothing to grant.
#[must_use]
pub fn script(plan: &Plan, login: &str) -> String {
    let tables = &plan.tables;
    let database = &plan.connection.database;
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        let _a_string_takes_all = writeln!(text, "{args}");
    };
    let per_table = |line: &mut dyn FnMut(std::fmt::Arguments<'_>), to: &str| {
        for (table, columns) in tables {
            line(format_args!("GRANT SELECT ({}) ON {table} TO {to};", columns.join(", ")));
        }
    };
    match plan.connection.dialect {
        Dialect::Postgres => {
            line(format_args!("CREATE ROLE {login} LOGIN NOINHERIT CONNECTION LIMIT 2 PASSWORD '{PASSWORD}';"));
            line(format_args!("ALTER ROLE {login} SET default_transaction_read_only = on;"));
            line(format_args!("ALTER ROLE {login} SET statement_timeout = '10s';"));
            line(format_args!("GRANT CONNECT ON DATABASE \"{database}\" TO {login};"));
            line(format_args!("GRANT USAGE ON SCHEMA public TO {login};"));
            per_table(&mut line, login);
        }
        Dialect::Mysql => {
            line(format_args!("CREATE USER '{login}'@'%' IDENTIFIED BY '{PASSWORD}' WITH MAX_USER_CONNECTIONS 2;"));
            per_table(&mut line, &format!("'{login}'@'%'"));
        }
        Dialect::Mssql => {
            line(format_args!("CREATE LOGIN {login} WITH PASSWORD = '{PASSWORD}', CHECK_POLICY = ON;"));
            line(format_args!("CREATE USER {login} FOR LOGIN {login};"));
            for (table, columns) in tables {
                line(format_args!("GRANT SELECT ON {table} ({}) TO {login};", columns.join(", ")));
            }
        }
        Dialect::Firebird => {
            line(format_args!("CREATE USER {login} PASSWORD '{PASSWORD}';"));
            // Firebird has no SELECT on columns.
            for (table, _) in tables {
                line(format_args!("GRANT SELECT ON {table} TO {login};"));
            }
        }
        Dialect::Sqlite => {
            line(format_args!("-- SQLite has no logins: let the agent's account read the file and its folder."));
        }
        Dialect::Access => line(format_args!("-- Access has no logins: let the agent's account read the file.")),
        Dialect::Odbc => per_table(&mut line, login),
    }
    text
}
