//! PostgreSQL through its own protocol.
//!
//! Every look is `REPEATABLE READ READ ONLY` with limits on statements, locks and idling, so a look that is cut off
//! holds back neither tills nor vacuum for longer than that. Parameters go as text, so that the server reads them as
//! the type it compares them with. The runtime is the engine's own and runs only while a call waits.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;
use crate::database::engine::{
    CONNECT_TIMEOUT, Connection, Dialect, Engine, LOCK_TIMEOUT, Rows, STATEMENT_TIMEOUT, VALUE_BYTES_MAX, Value,
};
use crate::error::Cause;
use crate::{Finding, Weight};

/// Beyond the server's own limits, for a server that does not answer at all.
const PATIENCE: Duration = Duration::from_secs(20);
/// Statements kept prepared; an engine runs a handful.
const PREPARED_MAX: usize = 16;
/// Microseconds from 1970 to 2000, where PostgreSQL's times begin.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

pub(super) struct Postgres {
    connection: Connection,
    open: Option<Open>,
}

struct Open {
    client: Client,
    link: JoinHandle<()>,
    prepared: BTreeMap<String, Statement>,
    in_tx: bool,
    // Dropped last: the others live in it.
    runtime: Runtime,
}

impl Open {
    fn wait<T>(&self, what: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Cause> {
        wait(&self.runtime, PATIENCE, what)
    }
}

fn wait<T, E: Into<Cause>>(
    runtime: &Runtime,
    longest: Duration,
    what: impl Future<Output = Result<T, E>>,
) -> Result<T, Cause> {
    runtime.block_on(async {
        match tokio::time::timeout(longest, what).await {
            Ok(done) => done.map_err(Into::into),
            Err(_) => Err(format!("no answer within {longest:?}").into()),
        }
    })
}

impl Postgres {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, open: None }
    }

    fn connect(&self) -> Result<Open, Cause> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut config = Config::new();
        config.host(&self.connection.host).dbname(&self.connection.database).user(&self.connection.user);
        config.port(self.connection.port.unwrap_or(5432)).application_name("tillsync").connect_timeout(CONNECT_TIMEOUT);
        if let Some(password) = &self.connection.password {
            config.password(password);
        }
        let tls = tls::config(&self.connection)?;
        let limit = CONNECT_TIMEOUT.saturating_add(CONNECT_TIMEOUT);
        let (client, link) = match tls {
            None => {
                config.ssl_mode(tokio_postgres::config::SslMode::Disable);
                let (client, link) = wait(&runtime, limit, config.connect(NoTls))?;
                (client, runtime.spawn(ended(link)))
            }
            Some(tls) => {
                config.ssl_mode(tokio_postgres::config::SslMode::Require);
                let (client, link) = wait(&runtime, limit, config.connect(MakeRustlsConnect::new(tls)))?;
                (client, runtime.spawn(ended(link)))
            }
        };
        let open = Open { client, link, prepared: BTreeMap::new(), in_tx: false, runtime };
        let session = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET TIME ZONE 'UTC'; \
                       SET extra_float_digits = 3; SET client_encoding = 'UTF8'";
        open.wait(open.client.batch_execute(session))?;
        Ok(open)
    }

    fn opened(&mut self) -> Result<&mut Open, Cause> {
        if self.open.as_ref().is_some_and(|open| open.client.is_closed() || open.link.is_finished()) {
            self.open = None;
        }
        if self.open.is_none() {
            self.open = Some(self.connect()?);
        }
        self.open.as_mut().ok_or_else(|| "not connected".into())
    }
}

async fn ended<F: Future<Output = Result<(), tokio_postgres::Error>>>(link: F) {
    if let Err(error) = link.await {
        tracing::debug!(%error, "The connection to the POS's database ended");
    }
}

impl Engine for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn begin(&mut self) -> Result<(), Cause> {
        self.finish();
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; \
             SET LOCAL lock_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}",
            STATEMENT_TIMEOUT.as_millis(),
            LOCK_TIMEOUT.as_millis(),
            PATIENCE.as_millis(),
        );
        let open = self.opened()?;
        let begun = open.wait(open.client.batch_execute(&begin));
        open.in_tx = begun.is_ok();
        if begun.is_err() {
            self.open = None;
        }
        begun
    }

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        let open = self.open.as_mut().filter(|open| open.in_tx).ok_or("no transaction was begun")?;
        let statement = match open.prepared.get(sql) {
            Some(statement) => statement.clone(),
            None => {
                let statement = open.wait(open.client.prepare(sql))?;
                if open.prepared.len() >= PREPARED_MAX {
                    open.prepared.clear();
                }
                open.prepared.insert(sql.to_owned(), statement.clone());
                statement
            }
        };
        let texts: Vec<Parameter<'_>> = parameters.iter().map(Parameter).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|text| -> &(dyn ToSql + Sync) { text }).collect();
        let found = open.wait(open.client.query(&statement, &parameters))?;
        let columns = statement.columns().iter().map(|column| column.name().to_lowercase()).collect();
        let mut rows = Vec::with_capacity(found.len().min(rows_max));
        for row in found.iter().take(rows_max) {
            let values = (0..row.len()).map(|at| Ok(row.try_get::<_, Read>(at)?.0)).collect::<Result<_, Cause>>()?;
            rows.push(values);
        }
        Ok(Rows { columns, rows })
    }

    fn finish(&mut self) {
        if let Some(open) = &mut self.open
            && open.in_tx
        {
            open.in_tx = false;
            if open.wait(open.client.batch_execute("ROLLBACK")).is_err() {
                self.open = None;
            }
        }
    }

    fn rights(&mut self) -> Result<Vec<Finding>, Cause> {
        self.begin()?;
        let found = self.query(RIGHTS, &[], 1);
        self.finish();
        let found = found?;
        let row = found.rows.first().ok_or("the server does not say what the login may do")?;
        Ok(findings(&self.connection.user, row))
    }
}

/// Superuser, create roles, create databases, replication, tables it may write, one of those, tables it owns, one of
/// those.
const RIGHTS: &str = "SELECT r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
 (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
     AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')),
 (SELECT min(c.relname::text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
     AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')),
 (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
     AND pg_has_role(c.relowner, 'USAGE')),
 (SELECT min(c.relname::text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
     AND pg_has_role(c.relowner, 'USAGE'))
 FROM pg_roles r WHERE r.rolname = current_user";

fn findings(user: &str, row: &[Value]) -> Vec<Finding> {
    let number = |at: usize| match row.get(at) {
        Some(Value::Integer(number)) => *number,
        _ => 0,
    };
    let name = |at: usize| row.get(at).map(Value::text).unwrap_or_default();
    let mut findings = Vec::new();
    let mut add = |text: String, hint: &str| {
        findings.push(Finding { weight: Weight::Warning, text, hint: hint.to_owned() });
    };
    const OWN_LOGIN: &str = "make a login of its own with the grants script of the profile";
    if number(0) != 0 {
        add(format!("login `{user}` is a superuser"), OWN_LOGIN);
    }
    for (at, right) in [(1, "create logins"), (2, "create databases"), (3, "replicate the whole server")] {
        if number(at) != 0 {
            add(format!("login `{user}` may {right}"), OWN_LOGIN);
        }
    }
    // A superuser may write everything; said once.
    if number(0) == 0 && number(4) > 0 {
        add(format!("login `{user}` may write {} tables, `{}` among them", number(4), name(5)), OWN_LOGIN);
    }
    if number(0) == 0 && number(6) > 0 {
        add(format!("login `{user}` owns {} tables, `{}` among them", number(6), name(7)), OWN_LOGIN);
    }
    findings
}

/// A parameter as the text that the server reads as whatever type it expects there.
#[derive(Debug)]
struct Parameter<'a>(&'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if matches!(self.0, Value::Null) {
            return Ok(IsNull::Yes);
        }
        let mut text = self.0.text();
        if matches!(self.0, Value::Bytes(_)) {
            text.insert_str(0, "\\x");
        }
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A value of a row.
struct Read(Value);

impl<'a> FromSql<'a> for Read {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        if raw.len() > VALUE_BYTES_MAX {
            return Err("a value is longer than 64 KiB".into());
        }
        decode(ty, raw).map(Self)
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn decode(ty: &Type, raw: &[u8]) -> Result<Value, Cause> {
    let value = match *ty {
        Type::BOOL => Value::Integer(i64::from(bool::from_sql(ty, raw)?)),
        Type::INT2 => Value::Integer(i64::from(i16::from_sql(ty, raw)?)),
        Type::INT4 => Value::Integer(i64::from(i32::from_sql(ty, raw)?)),
        Type::INT8 => Value::Integer(i64::from_sql(ty, raw)?),
        Type::OID => Value::Integer(i64::from(u32::from_sql(ty, raw)?)),
        Type::FLOAT4 => Value::from_f32(f32::from_sql(ty, raw)?),
        Type::FLOAT8 => Value::from_f64(f64::from_sql(ty, raw)?),
        Type::NUMERIC => Value::Decimal(numeric(raw).ok_or("a number that is not finite or not whole")?),
        Type::TIMESTAMP => time(i64::from_be_bytes(raw.try_into()?), false)?,
        Type::TIMESTAMPTZ => time(i64::from_be_bytes(raw.try_into()?), true)?,
        Type::DATE => {
            let days = i64::from(i32::from_be_bytes(raw.try_into()?));
            let midnight = time(days.saturating_mul(86_400_000_000), false)?.text();
            Value::Time(midnight.split(' ').next().unwrap_or_default().to_owned())
        }
        Type::TIME => {
            let of_day = time(i64::from_be_bytes(raw.try_into()?), false)?.text();
            Value::Text(of_day.split(' ').nth(1).unwrap_or_default().to_owned())
        }
        Type::UUID => {
            let hex = Value::Bytes(raw.to_vec()).text();
            let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
            Value::Text([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
        }
        Type::BYTEA => Value::Bytes(raw.to_vec()),
        Type::VARCHAR | Type::TEXT | Type::BPCHAR | Type::NAME | Type::JSON | Type::CHAR | Type::UNKNOWN => text(raw),
        ref other if matches!(other.kind(), tokio_postgres::types::Kind::Enum(_)) || other.name() == "citext" => {
            text(raw)
        }
        ref other => return Err(format!("cannot read values of type `{other}`: cast the column to text").into()),
    };
    Ok(value)
}

fn text(raw: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(raw).trim_end_matches(' ').to_owned())
}

/// From microseconds since 2000.
fn time(micros: i64, zoned: bool) -> Result<Value, Cause> {
    let at = micros.checked_add(EPOCH_MICROS).ok_or("a time without end")?;
    let at = jiff::Timestamp::from_microsecond(at)?;
    if zoned {
        return Ok(Value::Time(at.to_string()));
    }
    let civil = jiff::tz::TimeZone::UTC.to_datetime(at);
    Ok(Value::Time(civil.to_string().replacen('T', " ", 1)))
}

/// The binary form of `numeric`: count of digits, weight of the first, sign, decimals, then digits of base 10000.
fn numeric(raw: &[u8]) -> Option<String> {
    let word = |at: usize| -> Option<i16> {
        let bytes = raw.get(at.checked_mul(2)?..at.checked_add(1)?.checked_mul(2)?)?;
        Some(i16::from_be_bytes(bytes.try_into().ok()?))
    };
    let (count, weight, sign, scale) = (word(0)?, i64::from(word(1)?), word(2)?, word(3)?);
    let negative = match sign {
        0 => false,
        0x4000 => true,
        _ => return None,
    };
    let count = i64::from(count);
    let digit = |group: i64| -> Option<i16> {
        if (0..count).contains(&group) { word(usize::try_from(group.checked_add(4)?).ok()?) } else { Some(0) }
    };
    let mut whole = String::new();
    for group in 0..=weight.max(-1) {
        whole.push_str(&format!("{:04}", digit(group)?));
    }
    let whole = whole.trim_start_matches('0');
    let scale = usize::try_from(scale).ok()?;
    let mut fraction = String::new();
    let mut group = weight.checked_add(1)?;
    while fraction.len() < scale {
        fraction.push_str(&format!("{:04}", digit(group)?));
        group = group.checked_add(1)?;
    }
    fraction.truncate(scale);
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{}{whole}{point}{fraction}", if negative { "-" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        let words = |words: &[i16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let check = |raw: &[i16], expected: &str| assert_eq!(numeric(&words(raw)).as_deref(), Some(expected));
        check(&[0, 0, 0, 0], "0");
        check(&[1, 0, 0, 0, 12], "12");
        check(&[2, 0, 0x4000, 3, 1, 2500], "-1.250");
        check(&[1, -1, 0, 3, 50], "0.005");
        check(&[1, 1, 0, 0, 3], "30000");
        check(&[1, -2, 0, 6, 100], "0.000001");
        assert_eq!(numeric(&words(&[0, 0, -16384, 0])), None, "not a number");
    }

    #[test]
    fn times_say_whether_they_have_a_zone() {
        assert_eq!(time(0, false).unwrap(), Value::Time("2000-01-01 00:00:00".to_owned()));
        assert_eq!(time(1_500_000, true).unwrap(), Value::Time("2000-01-01T00:00:01.5Z".to_owned()));
        assert!(time(i64::MAX, false).is_err(), "infinity is no time");
    }

    #[test]
    fn rights_beyond_reading_are_named() {
        let row = |numbers: [i64; 4], write: i64, own: i64| {
            let mut row: Vec<Value> = numbers.into_iter().map(Value::Integer).collect();
            row.extend([Value::Integer(write), Value::Text("a".into()), Value::Integer(own), Value::Text("b".into())]);
            findings("u", &row).into_iter().map(|finding| finding.text).collect::<Vec<_>>()
        };
        assert_eq!(row([0, 0, 0, 0], 0, 0), Vec::<String>::new());
        assert_eq!(row([1, 0, 0, 0], 9, 9), ["login `u` is a superuser"]);
        assert_eq!(
            row([0, 0, 1, 0], 2, 1),
            [
                "login `u` may create databases",
                "login `u` may write 2 tables, `a` among them",
                "login `u` owns 1 tables, `b` among them"
            ]
        );
    }
}
