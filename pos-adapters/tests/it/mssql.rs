//! The SQL Server engine against a stand-in that speaks TDS. No SQL Server was asked: see `tds.rs` for what that shows.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use pos_adapters::Weight;
use pos_adapters::database::engine::{Connection, Dialect, Engine, Tls, Value};
use pos_adapters::database::engines::mssql::{MssqlEngine, MssqlError};
use pos_adapters::database::engines::shared::TimeLimits;

use crate::tds::tokens::{self, CYRILLIC, Column, LATIN, wide};
use crate::tds::{Reply, Standin, Statement};

const LIMITS: TimeLimits =
    TimeLimits { connect: Duration::from_secs(5), statement: Duration::from_secs(1), lock: Duration::from_millis(700) };

fn connection(port: u16, password: &str) -> Connection {
    Connection {
        dialect: Dialect::Mssql,
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        instance: None,
        database: "Shop".to_owned(),
        user: "tillsync".to_owned(),
        password: Some(password.to_owned()),
        path: std::path::PathBuf::new(),
        tls: Tls::Off,
        tls_ca: None,
        charset: None,
        connection_string: None,
    }
}

fn engine(standin: &Standin) -> MssqlEngine {
    MssqlEngine::with_limits(connection(standin.address.port(), "made-up"), LIMITS)
}

/// What begins and ends a look is answered as a server does; everything else by `reply`.
fn server(reply: impl Fn(&Statement) -> Reply + Send + Sync + 'static) -> Standin {
    Standin::start(move |statement| match statement.sql.as_str() {
        sql if sql.contains("snapshot_isolation_state") => one_number(1),
        sql if sql.starts_with("SET LOCK_TIMEOUT") || sql.contains(" TRANSACTION") => Reply::Done,
        _ => reply(statement),
    })
}

fn one_number(number: u8) -> Reply {
    Reply::Rows(vec![Column::intn("n", 1)], vec![vec![Some(vec![number])]])
}

fn time(text: &str) -> Value {
    Value::Time(text.to_owned())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.to_owned())
}

#[test]
fn every_kind_of_column_comes_as_it_is_stored() {
    let columns = vec![
        Column::int("TransactionNumber"),
        Column::bigint("Big"),
        Column::float("Quantity"),
        Column::decimal("Exact", 38, 4),
        Column::money("Price"),
        Column::nvarchar("Name"),
        Column::varchar("Code", LATIN),
        Column::varchar("Cyrillic", CYRILLIC),
        Column::nchar("Padded"),
        Column::datetime("Time"),
        Column::datetime2("Precise", 7),
        Column::datetimeoffset("Zoned", 0),
        Column::date("Day"),
        Column::bit("Taxable"),
        Column::varbinary("Raw"),
        Column::rowversion("DBTimeStamp"),
        Column::guid("Id"),
    ];
    let zoned = [&3723_u64.to_le_bytes()[..3], &739_617_u32.to_le_bytes()[..3], &(-300_i16).to_le_bytes()[..]].concat();
    let row = vec![
        (-7_i32).to_le_bytes().to_vec(),
        i64::MAX.to_le_bytes().to_vec(),
        0.1_f64.to_le_bytes().to_vec(),
        tokens::decimal(-12_345_678_901_234_567_890_i128),
        tokens::money(-199_900),
        wide("Käse €5 🧀"),
        b"K\xe4se".to_vec(),
        b"\xd1\xfb\xf0".to_vec(),
        wide("A1  "),
        tokens::datetime(46_022, 3723 * 300 + 2),
        tokens::datetime2(739_617, 37_230_000_000 + 1_234_567, 7),
        zoned,
        739_617_u32.to_le_bytes()[..3].to_vec(),
        vec![1],
        vec![0xDE, 0xAD],
        vec![0, 0, 0, 0, 0, 0, 0x07, 0xD1],
        vec![0x78, 0x56, 0x34, 0x12, 0x34, 0x12, 0x78, 0x56, 0x90, 0xAB, 0xCD, 0xEF, 1, 2, 3, 4],
    ];
    let standin = server(move |_| Reply::Rows(columns.clone(), vec![row.iter().cloned().map(Some).collect()]));
    let mut engine = engine(&standin);
    engine.begin().unwrap();
    let rows = engine.query("SELECT * FROM TransactionEntry", &[], 10).unwrap();
    engine.finish();
    assert_eq!(rows.columns[..2], ["transactionnumber", "big"]);
    assert_eq!(
        rows.rows,
        [[
            Value::Integer(-7),
            Value::Integer(i64::MAX),
            Value::Float("0.1".to_owned()),
            decimal("-1234567890123456.7890"),
            decimal("-19.9900"),
            text("Käse €5 🧀"),
            text("Käse"),
            text("Сыр"),
            text("A1"),
            time("2026-01-02 01:02:03.007"),
            time("2026-01-02 01:02:03.123456"),
            time("2026-01-02T01:02:03Z"),
            time("2026-01-02"),
            Value::Integer(1),
            Value::Bytes(vec![0xDE, 0xAD]),
            Value::Bytes(vec![0, 0, 0, 0, 0, 0, 0x07, 0xD1]),
            text("12345678-1234-5678-90ab-cdef01020304"),
        ]]
    );
}

#[test]
fn a_missing_value_is_missing_whatever_its_type_and_row_format() {
    let columns = || {
        vec![
            Column::intn("a", 4),
            Column::bitn("b"),
            Column::floatn("c"),
            Column::moneyn("d"),
            Column::datetimen("e", 8),
            Column::decimal("f", 9, 2),
            Column::nvarchar("g"),
            Column::varbinary("h"),
            Column::datetime2("i", 3),
            Column::guid("j"),
            Column::intn("k", 8),
        ]
    };
    let row = || [vec![None; 10], vec![Some(5_i64.to_le_bytes().to_vec())]].concat();
    let plain = server(move |_| Reply::Rows(columns(), vec![row()]));
    let packed = server(move |_| Reply::RowsWithBitmap(columns(), vec![row(); 40]));
    for (standin, count) in [(plain, 1), (packed, 40)] {
        let mut engine = engine(&standin);
        engine.begin().unwrap();
        let rows = engine.query("SELECT 1", &[], 100).unwrap().rows;
        assert_eq!(rows.len(), count);
        for row in rows {
            assert_eq!(row[..10], vec![Value::Null; 10]);
            assert_eq!(row[10], Value::Integer(5));
        }
    }
}

#[test]
fn a_look_gives_way_to_tills_and_is_always_rolled_back() {
    let standin = server(|_| one_number(1));
    let mut engine = engine(&standin);
    engine.begin().unwrap();
    engine
        .query(
            "SELECT a FROM t WHERE b = $2 AND c >= $1 AND d = $3 AND e = $4",
            &[time("2026-01-02 03:04:05.123456"), Value::Integer(-9), decimal("1.250"), Value::Null],
            50,
        )
        .unwrap();
    engine.finish();
    let login = standin.logins().remove(0);
    assert_eq!((login.user.as_str(), login.database.as_str()), ("tillsync", "Shop"));
    assert_eq!(login.program, "tillsync");
    assert!(login.read_only_intent, "ApplicationIntent=ReadOnly was not asked for");
    let said = standin.statements();
    let sql: Vec<&str> = said.iter().map(|statement| statement.sql.as_str()).collect();
    assert_eq!(
        sql[1..],
        [
            "SET LOCK_TIMEOUT 700; SET DEADLOCK_PRIORITY LOW; SET TRANSACTION ISOLATION LEVEL SNAPSHOT;",
            "BEGIN TRANSACTION",
            "SET ROWCOUNT 50; SELECT a FROM t WHERE b = @P2 AND c >= @P1 AND d = @P3 AND e = @P4",
            "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION",
        ]
    );
    assert_eq!(said[3].parameters, ["nvarchar:2026-01-02T03:04:05.123", "int:-9", "nvarchar:1.250", "null",]);
    assert!(!sql.iter().any(|sql| sql.to_uppercase().contains("NOLOCK")));
}

#[test]
fn nothing_but_a_query_leaves_the_engine() {
    let standin = server(|_| Reply::Done);
    let mut engine = engine(&standin);
    engine.begin().unwrap();
    let refused = engine.query("DELETE FROM [Transaction]", &[], 1).unwrap_err();
    assert!(matches!(refused.downcast_ref(), Some(MssqlError::NotASelect)), "{refused}");
    engine.finish();
    assert!(!standin.statements().iter().any(|statement| statement.sql.contains("DELETE")));
}

#[test]
fn the_servers_errors_are_named_and_the_next_look_works() {
    let check = |number: u32, said: &'static str, expected: &str| {
        let answered = std::sync::atomic::AtomicBool::new(false);
        let standin = server(move |_| {
            if answered.swap(true, std::sync::atomic::Ordering::SeqCst) {
                one_number(3)
            } else {
                Reply::Error(number, said)
            }
        });
        let mut engine = engine(&standin);
        engine.begin().unwrap();
        let error = engine.query("SELECT 1", &[], 1).unwrap_err();
        engine.finish();
        assert!(error.to_string().contains(expected), "{number}: {error}");
        let cause = error.source().map(ToString::to_string).unwrap_or_else(|| error.to_string());
        assert!(cause.contains(said), "{number}: {cause}");
        engine.begin().unwrap();
        assert_eq!(engine.query("SELECT 1", &[], 1).unwrap().rows, [[Value::Integer(3)]]);
    };
    check(1205, "Transaction was deadlocked and has been chosen as the deadlock victim.", "in favour of a till's");
    check(1222, "Lock request time out period exceeded.", "more than 700 ms");
    check(229, "The SELECT permission was denied on the object 'Item'.", "no right to read this");
    check(208, "Invalid object name 'Nothing'.", "Invalid object name");
}

#[test]
fn an_error_after_rows_is_not_taken_for_a_short_answer() {
    let rows = vec![vec![Some(vec![1])]; 3];
    let standin = server(move |_| Reply::RowsThenError(vec![Column::intn("n", 1)], rows.clone(), 1205, "deadlocked"));
    let mut engine = engine(&standin);
    engine.begin().unwrap();
    assert!(engine.query("SELECT n FROM t", &[], 100).is_err());
}

#[test]
fn a_wrong_password_is_named() {
    let standin = server(|_| Reply::Done);
    let mut engine = MssqlEngine::with_limits(connection(standin.address.port(), "wrong"), LIMITS);
    let error = engine.begin().unwrap_err();
    assert!(error.to_string().contains("refuses the login `tillsync`"), "{error}");
    assert_eq!(standin.logins()[0].password, "wrong");
}

#[test]
fn a_connection_cut_anywhere_in_a_row_is_an_error_and_never_a_short_answer() {
    let columns = || vec![Column::nvarchar("name"), Column::decimal("n", 9, 2)];
    let row = || vec![Some(wide(&"x".repeat(100))), Some(tokens::decimal(125))];
    let whole = tokens::Tokens::new().rows(&columns(), &vec![row(); 5], false).done(5).bytes().len();
    for cut in (1..whole).step_by(37).chain([whole - 1]) {
        let standin = server(move |_| Reply::CutAfter(cut, Box::new(Reply::Rows(columns(), vec![row(); 5]))));
        let mut engine = engine(&standin);
        engine.begin().unwrap();
        let error = engine.query("SELECT name, n FROM t", &[], 100);
        assert!(error.is_err(), "cut after {cut} of {whole} bytes");
        engine.finish();
        engine.begin().unwrap();
    }
}

#[test]
fn a_slow_answer_ends_at_its_limit() {
    let standin = server(|_| Reply::Slow(Duration::from_secs(4), Box::new(one_number(1))));
    let mut engine = engine(&standin);
    engine.begin().unwrap();
    let started = Instant::now();
    assert!(engine.query("SELECT 1", &[], 1).is_err());
    engine.finish();
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    engine.begin().unwrap();
}

#[test]
fn a_server_that_never_answers_the_login_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let limits = TimeLimits { connect: Duration::from_millis(500), ..LIMITS };
    let mut engine = MssqlEngine::with_limits(connection(silent.local_addr().unwrap().port(), "made-up"), limits);
    let started = Instant::now();
    assert!(engine.begin().is_err());
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_server_that_was_started_anew_is_found_again_without_an_error() {
    let standin = server(|_| one_number(1));
    let mut engine = engine(&standin);
    for _ in 0..3 {
        engine.begin().unwrap();
        assert_eq!(engine.query("SELECT 1", &[], 1).unwrap().rows, [[Value::Integer(1)]]);
        engine.finish();
        standin.restart();
    }
    assert_eq!(standin.logins().len(), 3);
}

#[test]
fn no_more_rows_are_taken_than_asked_for() {
    let standin = server(|_| Reply::Rows(vec![Column::intn("n", 1)], vec![vec![Some(vec![1])]; 1000]));
    let mut engine = engine(&standin);
    engine.begin().unwrap();
    assert_eq!(engine.query("SELECT n FROM t", &[], 10).unwrap().rows.len(), 10);
    assert_eq!(engine.query("SELECT n FROM t", &[], 10).unwrap().rows.len(), 10);
}

#[test]
fn rights_beyond_reading_are_named() {
    let granted = |granted: &'static [&'static str]| {
        let standin = server(move |statement| {
            let expressions: Vec<&str> = statement.sql.split(" AS r").collect();
            let has = |sql: &&str| granted.iter().any(|right| sql.ends_with(&format!("'{right}')")));
            let cells: Vec<_> = expressions[..expressions.len() - 1]
                .iter()
                .map(|sql| Some(i32::from(has(sql)).to_le_bytes().to_vec()))
                .collect();
            Reply::Rows((0..cells.len()).map(|at| Column::intn(&format!("r{at}"), 4)).collect(), vec![cells])
        });
        engine(&standin).rights().unwrap()
    };
    let owner = granted(&["sysadmin", "db_owner", "INSERT", "UPDATE"]);
    assert!(owner[0].weight == Weight::Warning && owner[0].text.contains("sysadmin"), "{owner:?}");
    let writer = granted(&["db_datawriter"]);
    assert!(writer.iter().any(|finding| finding.text.contains("db_datawriter")), "{writer:?}");
    let reader = granted(&[]);
    assert_eq!((reader.len(), reader[0].weight), (1, Weight::Good));
}

#[test]
fn encryption_that_this_build_lacks_is_refused_with_what_to_do() {
    let mut connection = connection(1, "made-up");
    connection.tls = Tls::Encrypt;
    let error = MssqlEngine::with_limits(connection, LIMITS).begin().unwrap_err().to_string();
    assert!(error.contains("tls = \"off\""), "{error}");
}
