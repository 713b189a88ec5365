//! Bounds: pages, values, and nothing that is held between two looks.

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use pos_adapters::database::engine::{Engine, Value};
use pos_adapters::database::engines;
use pos_adapters::database::plan::Plan;

use super::shop::{BARE, SALES, Shop, chain, sale, settings};
use super::till::{ALL, Kind, server};

fn engine(shop: &Shop) -> Box<dyn Engine> {
    let settings = settings(&shop.database, SALES, "", None);
    let mut connection = Plan::new(&settings, &TimeZone::UTC).unwrap().connection;
    connection.password = server(shop.database.kind).map(|server| server.password);
    engines::open(connection).unwrap()
}

#[test]
fn a_ticket_is_never_split_over_pages() {
    Shop::each(&ALL, SALES, "", |shop| {
        let mut till = shop.database.till();
        for ticket in 0..5 {
            let now = shop.at(ticket);
            let lines: Vec<String> =
                (1..=1500).map(|line| format!("({}, {line}, 'S{}', 1)", ticket + 1, line % 7)).collect();
            till.run(&format!(
                "INSERT INTO sale (uid, till, sold_at, changed_at, status, line_count) VALUES ('t{ticket}', '1', {now}, {now}, 'completed', 1500);
                 INSERT INTO sale_line (sale_id, line_no, sku, qty) VALUES {}",
                lines.join(", ")
            ));
        }
        shop.read();
        shop.agrees();
        assert_eq!(shop.ledger.len(), 5);
        assert!(shop.ledger.values().all(|(ticket, _)| ticket.version == 1 && ticket.lines.len() == 1500));
    });
}

#[test]
fn more_tickets_of_one_moment_than_a_page_holds_are_read() {
    Shop::each(&ALL, BARE, "\"rules\": {\"ticket_is_unique\": true}", |shop| {
        let mut till = shop.database.till();
        let now = shop.at(0);
        let headers: Vec<String> = (0..3000).map(|n| format!("('t{n}', '1', {now}, {now}, 'completed', 1)")).collect();
        till.run(&format!(
            "INSERT INTO sale (uid, till, sold_at, changed_at, status, line_count) VALUES {};
             INSERT INTO sale_line SELECT id, 1, 'A', 1 FROM sale",
            headers.join(", ")
        ));
        shop.read();
        assert_eq!(shop.moved(), "A -3000");
        shop.agrees();
    });
}

#[test]
fn nothing_can_be_written_through_an_engine() {
    Shop::each(&ALL, SALES, "", |shop| {
        let mut engine = engine(shop);
        engine.begin().unwrap();
        let written = engine.query("INSERT INTO sale (uid) VALUES ('x')", &[], 1);
        engine.finish();
        assert!(written.is_err());
        let rows = shop.database.till().rows("SELECT uid FROM sale");
        assert_eq!(rows.len(), 0);
    });
}

#[test]
fn nothing_is_held_between_two_looks() {
    Shop::each(&ALL, SALES, "", |shop| {
        let mut till = shop.database.till();
        let now = shop.at(0);
        till.run(&sale("t", &now, &now, "A", "1"));
        shop.read();
        let patience = match shop.database.kind {
            Kind::Postgres | Kind::Odbc => "SET lock_timeout = '200ms'",
            Kind::Mariadb => "SET SESSION lock_wait_timeout = 1",
            Kind::Sqlite => "PRAGMA busy_timeout = 0",
            Kind::Firebird => panic!("it has a test of its own"),
        };
        let _rows_of_a_pragma = till.try_run(patience);
        till.run("ALTER TABLE sale ADD COLUMN remark VARCHAR(10)");
        shop.pass(2);
        shop.agrees();
    });
}

#[test]
fn a_lock_of_a_till_ends_a_look_and_not_the_till() {
    Shop::each(&ALL, SALES, "", |shop| {
        let mut till = shop.database.till();
        let now = shop.at(0);
        till.run(&sale("t", &now, &now, "A", "1"));
        let (lock, unlock) = match shop.database.kind {
            Kind::Postgres | Kind::Odbc => ("BEGIN; LOCK TABLE sale IN ACCESS EXCLUSIVE MODE", "COMMIT"),
            Kind::Mariadb => ("LOCK TABLES sale WRITE, sale_line WRITE", "UNLOCK TABLES"),
            Kind::Sqlite => ("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE", "COMMIT"),
            Kind::Firebird => panic!("nothing of a till locks a reader out"),
        };
        shop.read();
        if shop.database.kind == Kind::Sqlite {
            // The mode can be changed only while nobody has the file open.
            shop.restart();
        }
        till.run(lock);
        shop.wait(2);
        let since = Instant::now();
        let error = shop.poll().unwrap_err();
        assert!(since.elapsed() < Duration::from_secs(8), "{:?}: {}", since.elapsed(), chain(&error));
        till.run(unlock);
        shop.pass(4);
        shop.agrees();
    });
}

#[test]
fn values_come_exactly() {
    Shop::each(&ALL, SALES, "", |shop| {
        let mut engine = engine(shop);
        let mut till = shop.database.till();
        let (double, bytes, stamp) = match shop.database.kind {
            Kind::Postgres | Kind::Odbc => ("DOUBLE PRECISION", "BYTEA", "TIMESTAMPTZ"),
            Kind::Mariadb => ("DOUBLE", "VARBINARY(8)", "TIMESTAMP"),
            Kind::Sqlite => ("DOUBLE", "BLOB", "TEXT"),
            Kind::Firebird => panic!("it has a test of its own"),
        };
        till.run(&format!("CREATE TABLE v (n BIGINT, d DECIMAL(20,6), f {double}, c CHAR(5), b {bytes}, s {stamp})"));
        let (hex, at) = match shop.database.kind {
            Kind::Postgres | Kind::Odbc => ("'\\x00ff'", "'2026-03-02 10:00:00+01'"),
            Kind::Mariadb => ("X'00ff'", "'2026-03-02 09:00:00'"),
            Kind::Sqlite => ("X'00ff'", "'2026-03-02T09:00:00Z'"),
            Kind::Firebird => panic!("it has a test of its own"),
        };
        till.run(&format!("INSERT INTO v VALUES (9007199254740993, -12345678901234.250000, 0.1, 'ab', {hex}, {at})"));
        engine.begin().unwrap();
        let rows = engine.query(
            "SELECT n, d, f, c, b, s, NULL AS x FROM v WHERE n = $1",
            &[Value::Integer(9_007_199_254_740_993)],
            9,
        );
        engine.finish();
        let rows = rows.unwrap();
        assert_eq!(rows.columns, ["n", "d", "f", "c", "b", "s", "x"]);
        let is_file = shop.database.kind == Kind::Sqlite;
        // SQLite keeps decimals as binary fractions.
        let decimal = if is_file {
            Value::Float("-12345678901234.25".into())
        } else {
            Value::Decimal("-12345678901234.250000".into())
        };
        let stamp = "2026-03-02T09:00:00Z".to_owned();
        let expected = [
            Value::Integer(9_007_199_254_740_993),
            decimal,
            Value::Float("0.1".into()),
            Value::Text("ab".into()),
            Value::Bytes(vec![0, 255]),
            if is_file { Value::Text(stamp) } else { Value::Time(stamp) },
            Value::Null,
        ];
        assert_eq!(rows.rows, [expected]);
    });
}
