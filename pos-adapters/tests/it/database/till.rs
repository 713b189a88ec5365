//! Connections of a POS's own: one for each till, on any of the databases. Servers are named by the variables that
//! `cargo xtask test` sets; without one, its tests say that they are skipped.

use std::env;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::firebird;

/// A database product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Mariadb,
    Sqlite,
    Firebird,
    /// PostgreSQL through ODBC.
    Odbc,
}

/// Every server by every engine that reaches it.
pub(crate) const EVERY_SERVER: [Kind; 4] = [Kind::Postgres, Kind::Mariadb, Kind::Firebird, Kind::Odbc];
/// Those and SQLite.
pub(crate) const EVERY: [Kind; 5] = [Kind::Postgres, Kind::Mariadb, Kind::Firebird, Kind::Odbc, Kind::Sqlite];
/// Both servers, where several writers may be at work at the same time.
pub(crate) const SERVERS: [Kind; 2] = [Kind::Postgres, Kind::Mariadb];
/// All of them.
pub(crate) const ALL: [Kind; 3] = [Kind::Postgres, Kind::Mariadb, Kind::Sqlite];

impl Kind {
    const fn variable(self) -> Option<&'static str> {
        match self {
            Self::Postgres | Self::Odbc => Some("TILLSYNC_TEST_POSTGRES"),
            Self::Firebird => Some("TILLSYNC_TEST_FIREBIRD"),
            Self::Mariadb => Some("TILLSYNC_TEST_MARIADB"),
            Self::Sqlite => None,
        }
    }
}

/// A server as a variable names it: `user:password@host:port`, with `/folder` where databases are files.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) folder: String,
}

/// The server of a kind; `None`, said once for each test, where there is none.
pub(crate) fn server(kind: Kind) -> Option<Server> {
    let variable = kind.variable()?;
    let is_built = match kind {
        Kind::Firebird => cfg!(feature = "firebird"),
        Kind::Odbc => cfg!(feature = "odbc"),
        Kind::Postgres | Kind::Mariadb | Kind::Sqlite => true,
    };
    if !is_built {
        println!("skipped: the engine of {kind:?} is not in this build");
        return None;
    }
    let Ok(text) = env::var(variable) else {
        println!("skipped: {variable} is not set; `cargo xtask services start` starts the servers");
        return None;
    };
    let (login, place) = text.split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let (host, port) = place.split_once(':').unwrap();
    let (port, folder) = port.split_at(port.find('/').unwrap_or(port.len()));
    let (user, password, host, folder) = (user.into(), password.into(), host.into(), folder.into());
    Some(Server { user, password, host, port: port.parse().unwrap(), folder })
}

/// An empty database of one test.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl Database {
    /// `None` where the server is not there.
    pub(crate) fn new(kind: Kind, folder: &std::path::Path) -> Option<Self> {
        let name = format!("till_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let database = Self { kind, name: name.clone(), path: folder.join("pos.db") };
        match kind {
            Kind::Sqlite => {
                database.open()?.run("PRAGMA journal_mode = WAL");
            }
            Kind::Firebird => {
                let path = PathBuf::from(server(kind)?.folder).join(format!("{name}.fdb"));
                return firebird::create(&path).map(|()| Self { path, ..database });
            }
            Kind::Postgres | Kind::Odbc => Till::connect(kind, "postgres")?.run(&format!("CREATE DATABASE {name}")),
            Kind::Mariadb => Till::connect(kind, "information_schema")?.run(&format!("CREATE DATABASE {name}")),
        }
        Some(database)
    }

    /// A till's own connection.
    pub(crate) fn open(&self) -> Option<Till> {
        match self.kind {
            Kind::Sqlite => {
                let db = rusqlite::Connection::open(&self.path).unwrap();
                db.busy_timeout(Duration::from_secs(20)).unwrap();
                Some(Till::Sqlite(db))
            }
            Kind::Firebird => Till::connect(self.kind, self.path.to_str()?),
            Kind::Postgres | Kind::Odbc | Kind::Mariadb => Till::connect(self.kind, &self.name),
        }
    }

    /// As [`Database::open`], where it is known to be there.
    pub(crate) fn till(&self) -> Till {
        self.open().unwrap()
    }
}

/// A till at work.
pub(crate) enum Till {
    Postgres(Runtime, Box<tokio_postgres::Client>),
    Mariadb(Runtime, Box<mysql_async::Conn>),
    Sqlite(rusqlite::Connection),
    Firebird(firebird::Till),
}

impl Till {
    pub(crate) fn connect(kind: Kind, database: &str) -> Option<Self> {
        let server = server(kind)?;
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        match kind {
            Kind::Sqlite => None,
            Kind::Firebird => firebird::Till::connect(&server, database).map(Self::Firebird),
            Kind::Postgres | Kind::Odbc => {
                let mut config = tokio_postgres::Config::new();
                config.host(&server.host).port(server.port).user(&server.user).password(&server.password);
                config.dbname(database);
                let (client, link) = runtime.block_on(config.connect(tokio_postgres::NoTls)).unwrap();
                runtime.spawn(link);
                Some(Self::Postgres(runtime, Box::new(client)))
            }
            Kind::Mariadb => {
                let options = mysql_async::OptsBuilder::default()
                    .ip_or_hostname(server.host)
                    .tcp_port(server.port)
                    .user(Some(server.user))
                    .pass(Some(server.password))
                    .db_name(Some(database))
                    .prefer_socket(false);
                let mut conn = runtime.block_on(mysql_async::Conn::new(options)).unwrap();
                // Without locks on gaps, so that tills do not wait for each other.
                let session = "SET SESSION time_zone = '+00:00', SESSION tx_isolation = 'READ-COMMITTED'";
                runtime.block_on(mysql_async::prelude::Queryable::query_drop(&mut conn, session)).unwrap();
                Some(Self::Mariadb(runtime, Box::new(conn)))
            }
        }
    }

    pub(crate) fn run(&mut self, sql: &str) {
        self.try_run(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(crate) fn try_run(&mut self, sql: &str) -> Result<(), String> {
        match self {
            Self::Postgres(runtime, client) => {
                runtime.block_on(client.batch_execute(sql)).map_err(|e| format!("{e:?}"))
            }
            Self::Mariadb(runtime, conn) => {
                for one in sql.split(';').map(str::trim).filter(|one| !one.is_empty()) {
                    let run = mysql_async::prelude::Queryable::query_drop(&mut **conn, one);
                    runtime.block_on(run).map_err(|e| e.to_string())?;
                }
                Ok(())
            }
            Self::Sqlite(db) => db.execute_batch(sql).map_err(|e| e.to_string()),
            Self::Firebird(till) => till.run(sql),
        }
    }

    /// Rows of text; the query casts.
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Self::Postgres(runtime, client) => {
                let messages = runtime.block_on(client.simple_query(sql)).unwrap();
                let row = |row: tokio_postgres::SimpleQueryRow| {
                    (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect()
                };
                messages
                    .into_iter()
                    .filter_map(|message| match message {
                        tokio_postgres::SimpleQueryMessage::Row(found) => Some(row(found)),
                        tokio_postgres::SimpleQueryMessage::CommandComplete(_) | _ => None,
                    })
                    .collect()
            }
            Self::Mariadb(runtime, conn) => {
                let run = mysql_async::prelude::Queryable::query::<mysql_async::Row, _>(&mut **conn, sql);
                let text = |value| match value {
                    Some(mysql_async::Value::Bytes(bytes)) => String::from_utf8(bytes).unwrap(),
                    _ => String::new(),
                };
                runtime
                    .block_on(run)
                    .unwrap()
                    .into_iter()
                    .map(|row| row.unwrap_raw().into_iter().map(text).collect())
                    .collect()
            }
            Self::Firebird(till) => till.rows(sql),
            Self::Sqlite(db) => {
                let mut statement = db.prepare(sql).unwrap();
                let width = statement.column_count();
                let rows = statement.query_map([], |row| {
                    (0..width).map(|at| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default)).collect()
                });
                rows.unwrap().collect::<Result<_, _>>().unwrap()
            }
        }
    }
}
