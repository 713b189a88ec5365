//! The ODBC engine through unixODBC: the drivers of PostgreSQL and SQLite, and that of mdbtools for Access.

#![expect(clippy::unwrap_in_result, clippy::print_stdout, reason = "a test that is skipped says so; others stop")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use odbc_api::{Connection as Driver, ConnectionOptions, environment};
use pos_adapters::Weight;
use pos_adapters::database::engine::{Connection, Dialect, Engine, Tls, Value};
use pos_adapters::database::engines::odbc::OdbcEngine;
use pos_adapters::database::engines::odbc::copy::FileCopy;
use pos_adapters::database::engines::shared::TimeLimits;

use crate::gate::Gate;

mod jet;

/// `user:password@host:port` of a PostgreSQL server.
const POSTGRES: &str = "TILLSYNC_TEST_POSTGRES";

const LIMITS: TimeLimits =
    TimeLimits { connect: Duration::from_secs(5), statement: Duration::from_secs(2), lock: Duration::from_secs(1) };

/// A table of its own in one of the databases, with the POS's own connection.
struct Pos {
    string: String,
    user: String,
    password: Option<String>,
    table: String,
    till: Driver<'static>,
    /// Kept until the end.
    _folder: Option<tempfile::TempDir>,
}

impl Pos {
    fn postgres(name: &str) -> Option<Self> {
        let Ok(given) = std::env::var(POSTGRES) else {
            println!("skipped: {POSTGRES} is not set; `cargo xtask test` starts a server");
            return None;
        };
        let driver = installed("PostgreSQL Unicode")?;
        let (login, place) = given.split_once('@').unwrap();
        let (user, password) = login.split_once(':').unwrap();
        let (host, port) = place.split_once(':').unwrap();
        let string = format!("Driver={{{driver}}};Server={host};Port={port};Database=postgres");
        let table = format!("odbc_{name}_{}", std::process::id());
        let till = connect(&format!("{string};UID={user};PWD={password}"));
        Some(Self { string, user: user.to_owned(), password: Some(password.to_owned()), table, till, _folder: None })
    }

    fn sqlite(name: &str) -> Option<Self> {
        let driver = installed("SQLite3")?;
        let folder = tempfile::tempdir().unwrap();
        let string = format!("Driver={{{driver}}};Database={}", folder.path().join("shop.db").display());
        let till = connect(&string);
        let table = format!("odbc_{name}");
        Some(Self { string, user: String::new(), password: None, table, till, _folder: Some(folder) })
    }

    fn run(&self, sql: &str) {
        let sql = sql.replace("SALE", &self.table);
        self.till.execute(&sql, (), None).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn connection(&self) -> Connection {
        connection(&self.string, &self.user, self.password.as_deref())
    }

    fn engine(&self) -> OdbcEngine {
        OdbcEngine::with_limits(self.connection(), LIMITS)
    }

    fn look(&self, engine: &mut OdbcEngine, sql: &str, parameters: &[Value]) -> Vec<Vec<Value>> {
        engine.begin().unwrap();
        let rows = engine.query(&sql.replace("SALE", &self.table), parameters, 1000).unwrap();
        engine.finish();
        rows.rows
    }
}

impl Drop for Pos {
    fn drop(&mut self) {
        drop(self.till.execute(&format!("DROP TABLE {}", self.table), (), None));
    }
}

fn installed(driver: &str) -> Option<String> {
    let found = environment().unwrap().drivers().unwrap().into_iter().find(|known| known.description == driver);
    if found.is_none() {
        println!("skipped: the ODBC driver `{driver}` is not installed");
    }
    found.map(|driver| driver.description)
}

fn connect(string: &str) -> Driver<'static> {
    environment().unwrap().connect_with_connection_string(string, ConnectionOptions::default()).unwrap()
}

fn connection(string: &str, user: &str, password: Option<&str>) -> Connection {
    Connection {
        dialect: Dialect::Odbc,
        host: String::new(),
        port: None,
        instance: None,
        database: String::new(),
        user: user.to_owned(),
        password: password.map(str::to_owned),
        path: PathBuf::new(),
        tls: Tls::Off,
        tls_ca: None,
        charset: None,
        connection_string: Some(string.to_owned()),
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.to_owned())
}

#[test]
fn every_kind_of_column_comes_as_postgresql_stores_it() {
    let Some(pos) = Pos::postgres("columns") else { return };
    pos.run(
        "CREATE TABLE SALE (id BIGINT, qty NUMERIC(38,4), f DOUBLE PRECISION, code CHAR(8), name VARCHAR(40), \
         raw BYTEA, sold TIMESTAMP, day_of DATE, cyymmdd DECIMAL(7,0), done SMALLINT, nothing INTEGER)",
    );
    pos.run(
        "INSERT INTO SALE VALUES (9223372036854775807, -1234567890123456789012345678901234.5000, 0.1, 'A1', 'Käse €5 🧀', \
         '\\xC1C2F040'::bytea, '2026-03-29 02:30:00.123456', '2026-03-29', 1260329, 1, NULL)",
    );
    let mut engine = pos.engine();
    let rows = pos.look(&mut engine, "SELECT * FROM SALE", &[]);
    assert_eq!(
        rows,
        [[
            Value::Integer(i64::MAX),
            decimal("-1234567890123456789012345678901234.5000"),
            Value::Float("0.1".to_owned()),
            text("A1"),
            text("Käse €5 🧀"),
            Value::Bytes(vec![0xC1, 0xC2, 0xF0, 0x40]),
            Value::Time("2026-03-29 02:30:00.123456".to_owned()),
            Value::Time("2026-03-29".to_owned()),
            decimal("1260329"),
            Value::Integer(1),
            Value::Null,
        ]]
    );
}

#[test]
fn every_kind_of_column_comes_as_sqlite_stores_it() {
    let Some(pos) = Pos::sqlite("columns") else { return };
    pos.run("CREATE TABLE SALE (id INTEGER, big BIGINT, f DOUBLE, name VARCHAR(40), note TEXT, sold TIMESTAMP)");
    pos.run("INSERT INTO SALE VALUES (7, 9223372036854775807, -1.25, 'Käse €5', NULL, '2026-03-29 02:30:00')");
    let mut engine = pos.engine();
    let rows = pos.look(&mut engine, "SELECT * FROM SALE", &[]);
    assert_eq!(
        rows,
        [[
            Value::Integer(7),
            Value::Integer(i64::MAX),
            Value::Float("-1.25".to_owned()),
            text("Käse €5"),
            Value::Null,
            Value::Time("2026-03-29 02:30:00".to_owned()),
        ]]
    );
}

#[test]
fn parameters_go_in_by_number_and_keep_their_digits() {
    for pos in [Pos::postgres("parameters"), Pos::sqlite("parameters")].into_iter().flatten() {
        pos.run("CREATE TABLE SALE (id INTEGER, code VARCHAR(20), sold TIMESTAMP)");
        pos.run("INSERT INTO SALE VALUES (1, 'A', '2026-01-02 03:04:05')");
        pos.run("INSERT INTO SALE VALUES (2, 'B', '2026-01-02 03:04:06')");
        let mut engine = pos.engine();
        let sql = "SELECT id FROM SALE WHERE code = $2 AND id >= $1 AND sold >= $3 AND id < $4 AND id >= $1";
        let parameters =
            [Value::Integer(1), text("B"), Value::Time("2026-01-02 03:04:06".to_owned()), Value::Integer(5)];
        assert_eq!(pos.look(&mut engine, sql, &parameters), [[Value::Integer(2)]]);
        assert!(pos.look(&mut engine, "SELECT id FROM SALE WHERE code = $1", &[Value::Null]).is_empty());
    }
}

#[test]
fn more_rows_than_one_fetch_are_read_and_no_more_than_asked_for() {
    for pos in [Pos::postgres("rows"), Pos::sqlite("rows")].into_iter().flatten() {
        pos.run("CREATE TABLE SALE (id INTEGER, name VARCHAR(200))");
        pos.run(
            "INSERT INTO SALE WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
             SELECT i, 'row' FROM n",
        );
        let mut engine = pos.engine();
        let rows = pos.look(&mut engine, "SELECT id, name FROM SALE ORDER BY id", &[]);
        assert_eq!((rows.len(), &rows[899][0]), (900, &Value::Integer(900)));
        engine.begin().unwrap();
        let few = engine.query(&format!("SELECT id FROM {} ORDER BY id", pos.table), &[], 3).unwrap();
        assert_eq!(few.rows.len(), 3);
        let again = engine.query(&format!("SELECT id FROM {}", pos.table), &[], 3).unwrap();
        assert_eq!(again.rows.len(), 3);
        engine.finish();
    }
}

#[test]
fn a_value_longer_than_its_bound_is_an_error_and_not_cut() {
    for pos in [Pos::postgres("long"), Pos::sqlite("long")].into_iter().flatten() {
        pos.run("CREATE TABLE SALE (note TEXT)");
        let long = "x".repeat(100_000);
        pos.run(&format!("INSERT INTO SALE VALUES ('{long}')"));
        let mut engine = pos.engine();
        engine.begin().unwrap();
        let error = engine.query(&format!("SELECT note FROM {}", pos.table), &[], 10).unwrap_err().to_string();
        assert!(error.contains("`note`"), "{error}");
        engine.finish();
    }
}

#[test]
fn a_write_is_refused_by_the_engine_and_by_the_database() {
    let Some(pos) = Pos::postgres("readonly") else { return };
    pos.run("CREATE TABLE SALE (id INTEGER)");
    let mut engine = pos.engine();
    engine.begin().unwrap();
    assert!(engine.query(&format!("DELETE FROM {}", pos.table), &[], 1).is_err());
    engine.finish();
    // A query that writes is let through by the engine, and refused by the database.
    let writing = format!("WITH w AS (INSERT INTO {} VALUES (1) RETURNING id) SELECT id FROM w", pos.table);
    engine.begin().unwrap();
    let error = engine.query(&writing, &[], 1).unwrap_err().to_string();
    assert!(error.contains("read-only transaction"), "{error}");
    engine.finish();
    assert_eq!(pos.look(&mut engine, "SELECT COUNT(*) FROM SALE", &[]), [[Value::Integer(0)]]);
}

#[test]
fn an_open_sale_is_neither_seen_nor_waited_for_and_nothing_is_held_afterwards() {
    let Some(pos) = Pos::postgres("open") else { return };
    pos.run("CREATE TABLE SALE (id INTEGER)");
    let mut engine = pos.engine();
    pos.till.set_autocommit(false).unwrap();
    pos.run("INSERT INTO SALE VALUES (1)");
    assert!(pos.look(&mut engine, "SELECT id FROM SALE", &[]).is_empty());
    pos.till.commit().unwrap();
    assert_eq!(pos.look(&mut engine, "SELECT id FROM SALE", &[]), [[Value::Integer(1)]]);
    // An open transaction of ours would hold a lock on the table, and this would wait for ever.
    pos.run("ALTER TABLE SALE ADD code VARCHAR(10)");
    pos.till.commit().unwrap();
    pos.till.set_autocommit(true).unwrap();
}

#[test]
fn a_query_that_takes_too_long_is_ended() {
    let Some(pos) = Pos::postgres("slow") else { return };
    let mut engine = pos.engine();
    engine.begin().unwrap();
    let started = Instant::now();
    assert!(engine.query("SELECT COUNT(*) FROM pg_sleep(20)", &[], 1).is_err());
    engine.finish();
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(pos.look(&mut engine, "SELECT 1", &[]), [[Value::Integer(1)]]);
}

#[test]
fn a_server_that_went_away_is_found_again() {
    let Some(pos) = Pos::postgres("away") else { return };
    let server = std::env::var(POSTGRES).unwrap();
    let (_, place) = server.split_once('@').unwrap();
    let (_, port) = place.split_once(':').unwrap();
    let gate = Gate::to(place.parse().unwrap());
    let mut connection = pos.connection();
    let string = pos.string.replace(&format!("Port={port}"), &format!("Port={}", gate.port()));
    connection.connection_string = Some(string);
    let mut engine = OdbcEngine::with_limits(connection, LIMITS);
    assert_eq!(pos.look(&mut engine, "SELECT 1", &[]), [[Value::Integer(1)]]);
    gate.cut();
    assert!(engine.begin().is_err());
    gate.open();
    assert_eq!(pos.look(&mut engine, "SELECT 1", &[]), [[Value::Integer(1)]]);
    gate.cut();
    gate.open();
    assert_eq!(pos.look(&mut engine, "SELECT 1", &[]), [[Value::Integer(1)]], "a stale connection is made anew");
}

#[test]
fn what_cannot_be_known_about_rights_is_said() {
    let Some(pos) = Pos::sqlite("rights") else { return };
    let found = pos.engine().rights().unwrap();
    assert_eq!((found.len(), found[0].weight), (1, Weight::Warning));
}

#[test]
fn a_driver_that_is_not_installed_is_named() {
    let mut engine = OdbcEngine::with_limits(connection("Driver={No such driver};Server=x", "", None), LIMITS);
    let error = engine.begin().unwrap_err().to_string();
    assert!(
        error.to_lowercase().contains("no such driver") || error.contains("IM002") || error.contains("open lib"),
        "{error}"
    );
}

/// The engine over a copy of a file, with the driver of SQLite in the place of Access's.
#[test]
fn a_database_that_is_a_file_is_read_from_a_copy_that_follows_it() {
    let Some(driver) = installed("SQLite3") else { return };
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("Shop.mdb");
    let till = connect(&format!("Driver={{{driver}}};Database={}", original.display()));
    till.execute("CREATE TABLE sale (id INTEGER)", (), None).unwrap();
    till.execute("INSERT INTO sale VALUES (1)", (), None).unwrap();
    let still = Duration::from_millis(50);
    let copy = FileCopy::with_still(original.clone(), &folder.path().join("own"), still);
    let copied = copy.path().to_path_buf();
    let string = format!("Driver={{{driver}}}");
    let mut engine = OdbcEngine::over_copy(connection(&string, "", None), copy, LIMITS);
    let mut ids = || {
        engine.begin().ok()?;
        let rows = engine.query("SELECT id FROM sale ORDER BY id", &[], 10).unwrap().rows;
        engine.finish();
        Some(rows.len())
    };
    assert_eq!(within(&mut ids, Some(1)), Some(1));
    till.execute("INSERT INTO sale VALUES (2)", (), None).unwrap();
    assert_eq!(within(&mut ids, Some(2)), Some(2));
    assert!(copied.is_file());
    std::fs::remove_file(&original).unwrap();
    assert_eq!(ids(), None, "a file that is gone is an error");
    let found = engine.rights();
    assert!(found.is_err());
}

/// Access's own format through mdbtools, which reads single tables only.
#[test]
fn an_access_file_is_read_from_a_copy() {
    let Some(driver) = installed("MDBTools") else { return };
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("Shop.mdb");
    let sales = [(1, "Käse", -125_i64), (2, "Milch", 10_000), (3, "it's", 0)];
    std::fs::write(&original, jet::shop(&sales)).unwrap();
    let still = Duration::from_millis(50);
    let copy = FileCopy::with_still(original, &folder.path().join("own"), still);
    let mut engine = OdbcEngine::over_copy(connection(&format!("Driver={{{driver}}}"), "", None), copy, LIMITS);
    let deadline = Instant::now() + Duration::from_secs(5);
    while let Err(error) = engine.begin() {
        assert!(Instant::now() < deadline, "{error}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let rows = engine.query("SELECT Id, Article, Price FROM Sales WHERE Id >= $1", &[Value::Integer(2)], 10).unwrap();
    engine.finish();
    assert_eq!(rows.columns, ["id", "article", "price"]);
    let read: Vec<Vec<String>> = rows.rows.iter().map(|row| row.iter().map(Value::text).collect()).collect();
    assert_eq!(read, [["2", "Milch", "1.0000"], ["3", "it's", "0.0000"]]);
}

fn within(ids: &mut impl FnMut() -> Option<usize>, expected: Option<usize>) -> Option<usize> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let found = ids();
        if found == expected || Instant::now() > deadline {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
