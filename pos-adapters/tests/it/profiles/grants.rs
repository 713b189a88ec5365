//! Each grants script gives the columns of its profile and nothing else.
//!
//! The scripts are written from the profiles: after a change, run these tests with `TILLSYNC_WRITE_GRANTS=1` and look at
//! the difference.

use std::fmt::Write as _;

use pos_adapters::database::engine::Dialect;
use pos_adapters::database::profile::Profile;
use pos_adapters::database::profiles::{PROFILES, grants};

#[test]
fn every_profile_has_a_script_for_each_database_of_its_pos() {
    for profile in PROFILES {
        for dialect in profile.dialects {
            let script = grants(profile.name, *dialect);
            let expected = script_of(profile, *dialect);
            if std::env::var_os("TILLSYNC_WRITE_GRANTS").is_some() {
                let path = format!("src/database/profiles/grants/{}.{}.sql", profile.name, dialect.as_str());
                std::fs::write(path, &expected).unwrap();
                continue;
            }
            assert_eq!(script, Some(expected.as_str()), "{} on {}", profile.name, dialect.as_str());
        }
    }
    assert_eq!(grants("unicenta", Dialect::Mssql), None);
    assert_eq!(grants("nothing", Dialect::Postgres), None);
}

#[test]
fn no_column_with_a_customers_data_is_read() {
    const PERSONAL: &[&str] = &[
        "customer",
        "cust_no",
        "cust_nam",
        "partner",
        "phone",
        "email",
        "address",
        "adrs",
        "card",
        "note",
        "person",
        "comment",
        "signature",
        "cashier",
        "user",
        "tax_id",
    ];
    for profile in PROFILES {
        for table in profile.tables {
            for column in table.columns {
                // The customer column of ERPNext's price list tells prices of everybody from those of one customer.
                let told_apart =
                    profile.name == "erpnext-pos" && table.name.contains("Item Price") && *column == "customer";
                let found = PERSONAL.iter().find(|word| column.to_lowercase().contains(*word));
                assert!(found.is_none() || told_apart, "{}: {}.{column}", profile.name, table.name);
            }
        }
    }
}

#[test]
fn scripts_give_nothing_but_the_right_to_read() {
    for profile in PROFILES {
        for dialect in profile.dialects {
            let script = grants(profile.name, *dialect).unwrap();
            let code: Vec<&str> = script.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
            for statement in code.join(" ").split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                const ALLOWED: &[&str] = &[
                    "CREATE ROLE tillsync LOGIN NOINHERIT",
                    "CREATE USER",
                    "CREATE LOGIN tillsync",
                    "ALTER ROLE tillsync SET",
                    "GRANT USAGE ON SCHEMA",
                    "GRANT SELECT",
                    "USE [",
                    "COMMIT",
                ];
                assert!(ALLOWED.iter().any(|start| statement.starts_with(start)), "{}: {statement}", profile.name);
                assert!(!statement.contains("WITH GRANT"), "{}: {statement}", profile.name);
            }
        }
    }
}

/// The script for an administrator of the POS's database.
fn script_of(profile: &Profile, dialect: Dialect) -> String {
    let mut out = String::new();
    writeln!(out, "-- Rights of Tillsync, profile `{}`: {}.", profile.name, profile.pos).unwrap();
    match dialect {
        Dialect::Postgres => postgres(profile, &mut out),
        Dialect::Mysql => mysql(profile, &mut out),
        Dialect::Mssql => mssql(profile, &mut out),
        Dialect::Firebird => firebird(profile, &mut out),
        Dialect::Sqlite => sqlite(profile, &mut out),
        Dialect::Odbc | Dialect::Access => panic!("there is no login to give rights to"),
    }
    out
}

fn postgres(profile: &Profile, out: &mut String) {
    out.push_str(
        "-- PostgreSQL. Change the password, then run it as the owner of the POS's tables:
--   psql -d THE_POS_DATABASE -f this-file.sql
-- The login can read the columns named here. It cannot write, see other columns, or keep a lock or a snapshot.
CREATE ROLE tillsync LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 2
  PASSWORD 'change-this-password';
ALTER ROLE tillsync SET default_transaction_read_only = on;
ALTER ROLE tillsync SET statement_timeout = '10s';
ALTER ROLE tillsync SET lock_timeout = '1s';
ALTER ROLE tillsync SET idle_in_transaction_session_timeout = '30s';
GRANT USAGE ON SCHEMA public TO tillsync;
",
    );
    for table in profile.tables {
        writeln!(out, "GRANT SELECT ({})\n  ON {} TO tillsync;", table.columns.join(", "), table.name).unwrap();
    }
}

fn mysql(profile: &Profile, out: &mut String) {
    out.push_str(
        "-- MariaDB and MySQL. Change the password, then run it as an administrator in the POS's database:
--   mariadb -u root -p THE_POS_DATABASE < this-file.sql
-- Where Tillsync runs on another machine, put that machine's address in place of localhost and add REQUIRE SSL.
-- The login can read the columns named here. It cannot write or see other columns.
CREATE USER 'tillsync'@'localhost' IDENTIFIED BY 'change-this-password' WITH MAX_USER_CONNECTIONS 2;
",
    );
    for table in profile.tables {
        writeln!(out, "GRANT SELECT ({})\n  ON {} TO 'tillsync'@'localhost';", table.columns.join(", "), table.name)
            .unwrap();
    }
}

fn mssql(profile: &Profile, out: &mut String) {
    out.push_str(
        "-- SQL Server. Change the password and the name of the POS's database, then run it as an administrator.
-- The login can read the columns named here. It cannot write or see other columns.
USE [THE_POS_DATABASE];
CREATE LOGIN tillsync WITH PASSWORD = 'Change-This-Password-1', CHECK_POLICY = ON;
CREATE USER tillsync FOR LOGIN tillsync;
",
    );
    for table in profile.tables {
        writeln!(out, "GRANT SELECT ON dbo.{} ({})\n  TO tillsync;", table.name, table.columns.join(", ")).unwrap();
    }
}

fn firebird(profile: &Profile, out: &mut String) {
    out.push_str(
        "-- Firebird. Change the password, then run it with isql as the owner of the POS's tables.
-- Firebird gives the right to read whole tables only; none of these holds a customer's data.
CREATE USER tillsync PASSWORD 'change-this-password';
COMMIT;
",
    );
    for table in profile.tables {
        writeln!(out, "GRANT SELECT ON {} TO USER tillsync;", table.name).unwrap();
    }
    out.push_str("COMMIT;\n");
}

fn sqlite(profile: &Profile, out: &mut String) {
    out.push_str(
        "-- SQLite has no logins: the file system decides. Nothing is to be run. Give the account that runs Tillsync
--   read rights on the database file and on the files beside it that end in -wal and -shm,
--   and, where the POS uses write-ahead logging, write rights on the -shm file only.
-- Tillsync opens the file read-only and reads these columns:
",
    );
    for table in profile.tables {
        writeln!(out, "--   {} ({})", table.name, table.columns.join(", ")).unwrap();
    }
}
