//! The Firebird engine against a real server (`cargo xtask test` starts one). Each test makes a database of its own.

#![expect(clippy::unwrap_in_result, clippy::print_stdout, reason = "a test that is skipped says so; others stop")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use pos_adapters::database::DatabaseSettings;
use pos_adapters::database::engine::{Connection, Dialect, Engine, Tls, Value};
use pos_adapters::database::engines::firebird::FirebirdEngine;
use pos_adapters::database::engines::shared::TimeLimits;
use pos_adapters::{Poll, PosSource, SecretReader, SourceContext, SourceSettings as _, Weight};
use rsfbclient::{Execute, PureRustConnectionBuilder, RustFbClient, builder_pure_rust};

use sync_core::model::Timestamp;

use crate::gate::Gate;

/// `user:password@host:port/folder`: the server's administrator, and where it may make databases.
const SERVER: &str = "TILLSYNC_TEST_FIREBIRD";

const LIMITS: TimeLimits =
    TimeLimits { connect: Duration::from_secs(5), statement: Duration::from_secs(2), lock: Duration::from_secs(1) };

/// A database, with the POS's own connection to it.
struct Pos {
    server: SocketAddr,
    administrator: String,
    password: String,
    path: String,
    till: rsfbclient::Connection<RustFbClient>,
}

impl Pos {
    fn new(name: &str) -> Option<Self> {
        let Ok(given) = std::env::var(SERVER) else {
            println!("skipped: {SERVER} is not set; `cargo xtask test` starts a Firebird server");
            return None;
        };
        let (login, place) = given.split_once('@').unwrap();
        let (administrator, password) = login.split_once(':').unwrap();
        let (server, folder) = place.split_at(place.find('/').unwrap());
        let server: SocketAddr = server.parse().unwrap();
        let path = format!("{folder}/{name}-{}.fdb", std::process::id());
        let (administrator, password) = (administrator.to_owned(), password.to_owned());
        let till = driver(server, &path, &administrator, &password).create_database().unwrap();
        Some(Self { server, administrator, password, path, till })
    }

    fn run(&mut self, statements: &[&str]) {
        for sql in statements {
            self.till.execute(sql, ()).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    /// Another till.
    fn till(&self) -> rsfbclient::Connection<RustFbClient> {
        driver(self.server, &self.path, &self.administrator, &self.password).connect().unwrap()
    }

    /// As the administrator, through another port.
    fn through(&self, port: u16) -> Connection {
        self.connection(port, &self.administrator, &self.password)
    }

    fn connection(&self, port: u16, user: &str, password: &str) -> Connection {
        Connection {
            dialect: Dialect::Firebird,
            host: "127.0.0.1".to_owned(),
            port: Some(port),
            instance: None,
            database: self.path.clone(),
            user: user.to_owned(),
            password: Some(password.to_owned()),
            path: std::path::PathBuf::new(),
            tls: Tls::Off,
            tls_ca: None,
            charset: None,
            connection_string: None,
        }
    }

    fn engine(&self) -> FirebirdEngine {
        FirebirdEngine::with_limits(self.through(self.server.port()), LIMITS)
    }
}

fn driver(server: SocketAddr, path: &str, user: &str, password: &str) -> PureRustConnectionBuilder {
    let mut builder = builder_pure_rust();
    builder.host("127.0.0.1").port(server.port()).db_name(path).user(user).pass(password);
    // As the tills of a POS: no statement stays prepared.
    builder.stmt_cache_size(0);
    builder
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn look(engine: &mut FirebirdEngine, sql: &str, parameters: &[Value]) -> Vec<Vec<Value>> {
    engine.begin().unwrap();
    let rows = engine.query(sql, parameters, 1000).unwrap();
    engine.finish();
    rows.rows
}

#[test]
fn every_kind_of_column_comes_as_it_is_stored() {
    let Some(mut pos) = Pos::new("columns") else { return };
    pos.run(&[
        "CREATE TABLE SALE (ID BIGINT, QTY NUMERIC(9,3), PRICE NUMERIC(18,4), BIG NUMERIC(18,2), F DOUBLE PRECISION, \
         CODE CHAR(8), NAME VARCHAR(40) CHARACTER SET WIN1252, NOTE BLOB SUB_TYPE TEXT, RAW BLOB SUB_TYPE BINARY, \
         SOLD TIMESTAMP, DAY_OF DATE, DONE BOOLEAN, NOTHING INTEGER)",
        "INSERT INTO SALE VALUES (9223372036854775807, -1.250, 19.9900, 90071992547409.93, 0.1, 'A1', 'Käse €5', \
         'two\nlines', 'xyz', '2026-03-29 02:30:00.1234', '2026-03-29', TRUE, NULL)",
    ]);
    let mut engine = pos.engine();
    engine.begin().unwrap();
    let rows = engine.query("SELECT * FROM SALE", &[], 10).unwrap();
    engine.finish();
    assert_eq!(rows.columns[..4], ["id", "qty", "price", "big"]);
    let row = &rows.rows[0];
    assert_eq!(row[0], Value::Integer(i64::MAX));
    assert_eq!(row[1].text(), "-1.25");
    assert_eq!(row[2].text(), "19.99");
    assert_eq!(row[3], Value::Decimal("90071992547409.93".to_owned()), "more digits than a binary fraction holds");
    assert_eq!(row[4], Value::Float("0.1".to_owned()));
    assert_eq!(row[5], text("A1"), "padding is not part of a SKU");
    assert_eq!(row[6], text("Käse €5"));
    assert_eq!(row[7], text("two\nlines"));
    assert_eq!(row[8], Value::Bytes(b"xyz".to_vec()));
    assert_eq!(row[9], Value::Time("2026-03-29 02:30:00.123400".to_owned()));
    assert_eq!(row[10], Value::Time("2026-03-29 00:00:00".to_owned()));
    assert_eq!(row[11..], [Value::Integer(1), Value::Null]);
}

#[test]
fn a_database_without_a_character_set_is_read_as_the_tills_write_it() {
    let Some(mut pos) = Pos::new("charset") else { return };
    pos.run(&[
        "CREATE TABLE ARTICLE (NAME VARCHAR(20) CHARACTER SET NONE)",
        "INSERT INTO ARTICLE VALUES (_WIN1252 x'4BE47365')",
    ]);
    let mut connection = pos.through(pos.server.port());
    connection.charset = Some("WIN1252".to_owned());
    let mut engine = FirebirdEngine::with_limits(connection, LIMITS);
    assert_eq!(look(&mut engine, "SELECT NAME FROM ARTICLE", &[]), [[text("Käse")]]);
}

#[test]
fn parameters_go_in_by_number_and_keep_their_digits() {
    let Some(mut pos) = Pos::new("parameters") else { return };
    pos.run(&[
        "CREATE TABLE SALE (ID INTEGER, QTY NUMERIC(18,4), SOLD TIMESTAMP, CODE VARCHAR(10))",
        "INSERT INTO SALE VALUES (1, 12345678901234.5678, '2026-01-02 03:04:05.1230', 'A')",
        "INSERT INTO SALE VALUES (2, 12345678901234.5679, '2026-01-02 03:04:06', 'B')",
    ]);
    let mut engine = pos.engine();
    let sql = "SELECT ID FROM SALE WHERE SOLD >= $2 AND QTY = $1 AND ID < $3 AND CODE = $4 AND SOLD >= $2";
    let parameters = [
        Value::Decimal("12345678901234.5678".to_owned()),
        Value::Time("2026-01-02 03:04:05.123000".to_owned()),
        Value::Integer(5),
        text("A"),
    ];
    assert_eq!(look(&mut engine, sql, &parameters), [[Value::Integer(1)]]);
    assert!(look(&mut engine, "SELECT ID FROM SALE WHERE CODE = $1", &[Value::Null]).is_empty());
    engine.begin().unwrap();
    assert_eq!(engine.query("SELECT ID FROM SALE ORDER BY ID", &[], 1).unwrap().rows, [[Value::Integer(1)]]);
    engine.finish();
}

#[test]
fn columns_are_named_where_there_are_no_rows() {
    let Some(mut pos) = Pos::new("empty") else { return };
    pos.run(&["CREATE TABLE SALE (ID INTEGER, QTY NUMERIC(18,4))"]);
    let mut engine = pos.engine();
    engine.begin().unwrap();
    let sql = "SELECT FIRST 10 t.* FROM (SELECT ID, QTY AS QUANTITY FROM SALE) t WHERE ID > $1 ORDER BY ID";
    let rows = engine.query(sql, &[Value::Integer(1)], 10).unwrap();
    engine.finish();
    assert_eq!(rows.columns, ["id", "quantity"]);
    assert!(rows.rows.is_empty());
}

#[test]
fn a_write_is_refused_by_the_server() {
    let Some(mut pos) = Pos::new("readonly") else { return };
    pos.run(&["CREATE TABLE SALE (ID INTEGER)", "INSERT INTO SALE VALUES (1)"]);
    let mut engine = pos.engine();
    for write in ["INSERT INTO SALE VALUES (1)", "DELETE FROM SALE", "DROP TABLE SALE"] {
        engine.begin().unwrap();
        let refused = engine.query(write, &[], 1).unwrap_err().to_string();
        assert!(refused.contains("read-only"), "{write}: {refused}");
        engine.finish();
    }
    assert_eq!(look(&mut engine, "SELECT COUNT(*) FROM SALE", &[]), [[Value::Integer(1)]]);
}

#[test]
fn an_open_sale_is_neither_seen_nor_waited_for() {
    let Some(mut pos) = Pos::new("open") else { return };
    pos.run(&["CREATE TABLE SALE (ID INTEGER)", "INSERT INTO SALE VALUES (1)"]);
    let mut engine = pos.engine();
    pos.till.begin_transaction().unwrap();
    pos.till.execute("INSERT INTO SALE VALUES (2)", ()).unwrap();
    pos.till.execute("UPDATE SALE SET ID = 10 WHERE ID = 1", ()).unwrap();
    let started = Instant::now();
    assert_eq!(look(&mut engine, "SELECT ID FROM SALE ORDER BY ID", &[]), [[Value::Integer(1)]]);
    assert!(started.elapsed() < Duration::from_millis(900), "waited for the till: {:?}", started.elapsed());
    pos.till.commit().unwrap();
    let seen = look(&mut engine, "SELECT ID FROM SALE ORDER BY ID", &[]);
    assert_eq!(seen, [[Value::Integer(2)], [Value::Integer(10)]]);
}

#[test]
fn numbers_that_commit_out_of_order_are_both_seen_in_the_end() {
    let Some(mut pos) = Pos::new("order") else { return };
    pos.run(&["CREATE TABLE SALE (ID INTEGER)", "CREATE SEQUENCE NUMBERS"]);
    let mut engine = pos.engine();
    let mut other = pos.till();
    pos.till.begin_transaction().unwrap();
    pos.till.execute("INSERT INTO SALE VALUES (NEXT VALUE FOR NUMBERS)", ()).unwrap();
    other.execute("INSERT INTO SALE VALUES (NEXT VALUE FOR NUMBERS)", ()).unwrap();
    let first = look(&mut engine, "SELECT ID FROM SALE", &[]);
    pos.till.commit().unwrap();
    let both = look(&mut engine, "SELECT ID FROM SALE ORDER BY ID", &[]);
    assert_eq!(first.len(), 1);
    assert_eq!((both.len(), &both[1]), (2, &first[0]), "the lower number came second");
}

#[test]
fn nothing_is_held_between_two_looks() {
    let Some(mut pos) = Pos::new("held") else { return };
    pos.run(&["CREATE TABLE SALE (ID INTEGER)", "INSERT INTO SALE VALUES (1)"]);
    let mut engine = pos.engine();
    look(&mut engine, "SELECT ID FROM SALE", &[]);
    // A prepared statement or an open transaction of ours would refuse this as "object is in use".
    pos.run(&["ALTER TABLE SALE ADD CODE VARCHAR(10)", "DROP TABLE SALE"]);
    let open = "SELECT COUNT(*) FROM MON$TRANSACTIONS t JOIN MON$ATTACHMENTS a ON a.MON$ATTACHMENT_ID = \
                t.MON$ATTACHMENT_ID WHERE a.MON$ATTACHMENT_ID <> CURRENT_CONNECTION AND a.MON$SYSTEM_FLAG = 0";
    let mut second = pos.engine();
    assert_eq!(look(&mut second, open, &[]), [[Value::Integer(0)]]);
}

#[test]
fn a_query_that_takes_too_long_is_ended_at_the_server() {
    let Some(mut pos) = Pos::new("slow") else { return };
    pos.run(&["CREATE TABLE SALE (ID INTEGER)"]);
    let mut engine = pos.engine();
    engine.begin().unwrap();
    let started = Instant::now();
    let slow = "SELECT COUNT(*) FROM RDB$FIELDS a, RDB$FIELDS b, RDB$FIELDS c, RDB$FIELDS d, RDB$FIELDS e";
    let error = engine.query(slow, &[], 1).unwrap_err().to_string();
    assert!(error.contains("no answer within 2 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    engine.finish();
    let running = "SELECT COUNT(*) FROM MON$STATEMENTS WHERE MON$SQL_TEXT CONTAINING 'RDB$FIELDS e' \
                   AND MON$ATTACHMENT_ID <> CURRENT_CONNECTION";
    let deadline = Instant::now() + Duration::from_secs(10);
    while look(&mut engine, running, &[]) != [[Value::Integer(0)]] {
        assert!(Instant::now() < deadline, "the query still runs at the server");
    }
}

#[test]
fn a_server_that_went_away_is_found_again() {
    let Some(mut pos) = Pos::new("away") else { return };
    pos.run(&["CREATE TABLE SALE (ID INTEGER)", "INSERT INTO SALE VALUES (7)"]);
    let gate = Gate::to(pos.server);
    let mut engine = FirebirdEngine::with_limits(pos.through(gate.port()), LIMITS);
    assert_eq!(look(&mut engine, "SELECT ID FROM SALE", &[]), [[Value::Integer(7)]]);
    gate.cut();
    assert!(engine.begin().is_err());
    gate.open();
    assert_eq!(look(&mut engine, "SELECT ID FROM SALE", &[]), [[Value::Integer(7)]]);
    // Cut between two looks: the next one makes its connection anew without an error.
    gate.cut();
    gate.open();
    assert_eq!(look(&mut engine, "SELECT ID FROM SALE", &[]), [[Value::Integer(7)]]);
}

#[test]
fn a_network_that_swallows_answers_does_not_hang_the_source() {
    let Some(pos) = Pos::new("silent") else { return };
    let gate = Gate::to(pos.server);
    let mut engine = FirebirdEngine::with_limits(pos.through(gate.port()), LIMITS);
    look(&mut engine, "SELECT 1 FROM RDB$DATABASE", &[]);
    gate.silence();
    let (done, waiting) = mpsc::channel();
    thread::spawn(move || {
        let failed = engine.begin().is_err();
        done.send((failed, engine)).unwrap();
    });
    let (failed, mut engine) = waiting.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(failed);
    gate.cut();
    gate.open();
    assert_eq!(look(&mut engine, "SELECT 1 FROM RDB$DATABASE", &[]), [[Value::Integer(1)]]);
}

#[test]
fn a_wrong_password_is_named_by_the_server() {
    let Some(pos) = Pos::new("password") else { return };
    let mut engine =
        FirebirdEngine::with_limits(pos.connection(pos.server.port(), &pos.administrator, "wrong"), LIMITS);
    let error = engine.begin().unwrap_err().to_string();
    assert!(error.contains("user name and password"), "{error}");
}

#[test]
fn a_login_with_more_rights_than_needed_is_named() {
    let Some(mut pos) = Pos::new("rights") else { return };
    let (reader, writer) = (format!("READER{}", std::process::id()), format!("WRITER{}", std::process::id()));
    let statements = [
        "CREATE TABLE SALE (ID INTEGER)".to_owned(),
        format!("CREATE USER {reader} PASSWORD 'made-up'"),
        format!("CREATE USER {writer} PASSWORD 'made-up'"),
        format!("GRANT SELECT ON SALE TO {reader}"),
        format!("GRANT SELECT, INSERT ON SALE TO {writer}"),
    ];
    for sql in &statements {
        pos.run(&[sql]);
    }
    let rights = |user: &str, password: &str| {
        FirebirdEngine::with_limits(pos.connection(pos.server.port(), user, password), LIMITS).rights().unwrap()
    };
    let check = |user: &str, password: &str, weight: Weight, word: &str| {
        let found = rights(user, password);
        assert!(found.iter().any(|finding| finding.weight == weight && finding.text.contains(word)), "{found:?}");
    };
    check(&pos.administrator, &pos.password, Weight::Warning, "administrator");
    check(&reader, "made-up", Weight::Good, "may only read");
    check(&writer, "made-up", Weight::Warning, "SALE");
    pos.run(&[&format!("DROP USER {reader}"), &format!("DROP USER {writer}")]);
}

/// A source on this database with queries of its own.
fn source(pos: &Pos, folder: &std::path::Path) -> Box<dyn PosSource> {
    let settings: DatabaseSettings = toml::from_str(&format!(
        "name = 'front'\nkind = 'database'\nengine = 'firebird'\nhost = '127.0.0.1'\nport = {}\ndatabase = '{}'\n\
         user = '{}'\npassword = 'env:ADMIN'\nsince = '2026-01-01'\n[queries]\n\
         sales = 'SELECT ID AS ticket, ID AS seq, SOLD AS sold_at, CODE AS sku, QTY AS quantity FROM SALE'\n",
        pos.server.port(),
        pos.path,
        pos.administrator
    ))
    .unwrap();
    let context = SourceContext {
        store: "s1".to_owned(),
        zone: jiff::tz::TimeZone::UTC,
        own_files: folder.to_path_buf(),
        secrets: Arc::new(Password(pos.password.clone())),
    };
    settings.open(&context).unwrap()
}

struct Password(String);

impl SecretReader for Password {
    fn read(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

/// Polls until it is quiet; the last state of each ticket's quantities.
fn drain(source: &mut dyn PosSource, seen: &mut BTreeMap<String, String>, now: &mut Timestamp) {
    for _ in 0..50 {
        *now = Timestamp(now.0 + 3_000_000);
        match source.poll(&[], *now).unwrap() {
            Poll::Quiet { again_in } if again_in > Duration::ZERO => return,
            Poll::Quiet { .. } => {}
            Poll::Chunk(chunk) => {
                assert!(chunk.quarantined.is_empty(), "{:?}", chunk.quarantined);
                for transaction in chunk.transactions {
                    let lines: Vec<String> =
                        transaction.lines.iter().map(|line| format!("{}×{}", line.sku, line.delta)).collect();
                    seen.insert(transaction.key.to_string(), lines.join(","));
                }
            }
        }
    }
    panic!("the source does not become quiet");
}

#[test]
fn a_source_on_firebird_finds_what_committed_late_and_out_of_order() {
    let Some(mut pos) = Pos::new("source") else { return };
    pos.run(&["CREATE TABLE SALE (ID INTEGER, SOLD TIMESTAMP, CODE CHAR(8), QTY NUMERIC(9,3))"]);
    let folder = tempfile::tempdir().unwrap();
    let mut source = source(&pos, folder.path());
    let (mut seen, mut now) = (BTreeMap::new(), Timestamp(1_767_355_200_000_000));
    drain(source.as_mut(), &mut seen, &mut now);
    assert!(seen.is_empty());
    pos.till.begin_transaction().unwrap();
    pos.till.execute("INSERT INTO SALE VALUES (1, '2026-01-02 11:59:00', 'A', 1.250)", ()).unwrap();
    let mut other = pos.till();
    other.execute("INSERT INTO SALE VALUES (2, '2026-01-02 12:00:00', 'B', 2)", ()).unwrap();
    drain(source.as_mut(), &mut seen, &mut now);
    assert_eq!(seen.len(), 1, "{seen:?}");
    pos.till.commit().unwrap();
    drain(source.as_mut(), &mut seen, &mut now);
    let lines: Vec<&str> = seen.values().map(String::as_str).collect();
    assert_eq!(lines, ["A×-1.25", "B×-2"]);
    // A row that is changed after the fact is read again by the next overlap look, as nothing says when it changed.
    now = Timestamp(now.0 + 31_000_000);
    other.execute("UPDATE SALE SET QTY = 3 WHERE ID = 2", ()).unwrap();
    drain(source.as_mut(), &mut seen, &mut now);
    let lines: Vec<&str> = seen.values().map(String::as_str).collect();
    assert_eq!(lines, ["A×-1.25", "B×-3"]);
}
