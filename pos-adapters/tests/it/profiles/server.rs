//! The database that a POS writes: a file, or a database of its own on a test server.

use std::path::PathBuf;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::sync::atomic::{AtomicU32, Ordering};

use pos_adapters::database::engine::{Connection, Dialect};

use super::shop::{Kind, PLAIN, file_connection};

/// What writes.
pub(crate) enum Server {
    File {
        folder: tempfile::TempDir,
        writer: rusqlite::Connection,
    },
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::Postgres>),
    #[cfg(feature = "mysql")]
    Mysql(Box<mysql::Mysql>),
}

/// A connection with nothing filled in.
pub(crate) fn connection_to(dialect: Dialect) -> Connection {
    Connection {
        dialect,
        host: String::new(),
        port: None,
        instance: None,
        database: String::new(),
        user: String::new(),
        password: None,
        path: PathBuf::new(),
        tls: PLAIN,
        tls_ca: None,
        charset: None,
        connection_string: None,
    }
}

impl Server {
    /// `None` where there is none; says so.
    pub(crate) fn start(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let writer = rusqlite::Connection::open(folder.path().join("pos.db")).unwrap();
                Some(Self::File { folder, writer })
            }
            #[cfg(feature = "postgres")]
            Kind::Postgres => postgres::Postgres::start().map(|server| Self::Postgres(Box::new(server))),
            #[cfg(feature = "mysql")]
            Kind::Mysql => mysql::Mysql::start().map(|server| Self::Mysql(Box::new(server))),
            #[cfg(not(all(feature = "postgres", feature = "mysql")))]
            Kind::Postgres | Kind::Mysql => {
                println!("skipped on {kind:?}: not in this build");
                None
            }
        }
    }

    /// Runs statements as the POS.
    pub(crate) fn run(&mut self, sql: &str) {
        match self {
            Self::File { writer, .. } => {
                writer.execute_batch(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.run(sql),
            #[cfg(feature = "mysql")]
            Self::Mysql(server) => server.run(sql),
        }
    }

    /// Makes the login of a grants script, and gives the way in with it.
    pub(crate) fn login(&mut self, script: &str) -> Connection {
        match self {
            Self::File { .. } => panic!("a file has no logins: {script}"),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.login(script),
            #[cfg(feature = "mysql")]
            Self::Mysql(server) => server.login(script),
        }
    }

    /// The way in as the administrator.
    pub(crate) fn connection(&self) -> Connection {
        match self {
            Self::File { folder, .. } => file_connection(folder.path().join("pos.db")),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.admin.clone(),
            #[cfg(feature = "mysql")]
            Self::Mysql(server) => server.admin.clone(),
        }
    }

    /// Whether the login of the script is refused a statement that the administrator may run.
    pub(crate) fn refused_to_login(&mut self, sql: &str) -> bool {
        match self {
            Self::File { .. } => panic!("a file has no logins: {sql}"),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.refused_to_login(sql),
            #[cfg(feature = "mysql")]
            Self::Mysql(server) => server.refused_to_login(sql),
        }
    }
}

/// Numbers for names that nothing else on the server has.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn own_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("profile_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `user:password@host:port` of a variable.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn from_environment(variable: &str, dialect: Dialect) -> Option<Connection> {
    let Ok(text) = std::env::var(variable) else {
        println!("skipped on {}: {variable} is not set (cargo xtask services start)", dialect.as_str());
        return None;
    };
    let (login, place) = text.rsplit_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let (host, port) = place.rsplit_once(':').unwrap();
    Some(Connection {
        host: host.to_owned(),
        port: Some(port.parse().unwrap()),
        user: user.to_owned(),
        password: Some(password.to_owned()),
        ..connection_to(dialect)
    })
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[cfg(feature = "postgres")]
mod postgres {
    use pos_adapters::database::engine::{Connection, Dialect};
    use tokio::runtime::Runtime;
    use tokio_postgres::{Client, NoTls};

    pub(crate) struct Postgres {
        pub(super) admin: Connection,
        login: Option<Connection>,
        client: Client,
        /// The login may have two connections: one reads, this one tries what it may not.
        trespasser: Option<Client>,
        runtime: Runtime,
    }

    fn connect(runtime: &Runtime, connection: &Connection) -> Client {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&connection.host)
            .port(connection.port.unwrap())
            .user(&connection.user)
            .dbname(&connection.database);
        config.password(connection.password.as_ref().unwrap());
        let (client, link) = runtime.block_on(config.connect(NoTls)).unwrap();
        runtime.spawn(link);
        client
    }

    impl Postgres {
        pub(super) fn start() -> Option<Self> {
            let mut admin = super::from_environment("TILLSYNC_TEST_POSTGRES", Dialect::Postgres)?;
            let runtime = super::runtime();
            admin.database = "postgres".to_owned();
            let server = connect(&runtime, &admin);
            admin.database = super::own_name();
            runtime.block_on(server.batch_execute(&format!("CREATE DATABASE {}", admin.database))).unwrap();
            let client = connect(&runtime, &admin);
            Some(Self { admin, login: None, client, trespasser: None, runtime })
        }

        pub(super) fn run(&mut self, sql: &str) {
            self.runtime.block_on(self.client.batch_execute(sql)).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        }

        pub(super) fn login(&mut self, script: &str) -> Connection {
            let user = format!("{}_login", self.admin.database);
            self.run(&script.replace("tillsync", &user));
            let login = Connection { user, password: Some("change-this-password".to_owned()), ..self.admin.clone() };
            self.login = Some(login.clone());
            login
        }

        pub(super) fn refused_to_login(&mut self, sql: &str) -> bool {
            if self.trespasser.is_none() {
                let client = connect(&self.runtime, self.login.as_ref().unwrap());
                // Without the read-only default of the login: the rights themselves must refuse.
                self.runtime.block_on(client.batch_execute("SET default_transaction_read_only = off")).unwrap();
                self.trespasser = Some(client);
            }
            let refused = self.runtime.block_on(self.trespasser.as_ref().unwrap().batch_execute(sql));
            let code = refused.err().and_then(|error| error.code().cloned());
            code == Some(tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE)
        }
    }

    impl Drop for Postgres {
        fn drop(&mut self) {
            let database = self.admin.database.clone();
            self.admin.database = "postgres".to_owned();
            let server = connect(&self.runtime, &self.admin);
            let drop = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
            let _the_test_is_over = self.runtime.block_on(server.batch_execute(&drop));
            if let Some(login) = &self.login {
                let drop = format!("DROP ROLE IF EXISTS {}", login.user);
                let _the_test_is_over = self.runtime.block_on(server.batch_execute(&drop));
            }
        }
    }
}

#[cfg(feature = "mysql")]
mod mysql {
    use mysql_async::prelude::Queryable;
    use mysql_async::{Conn, OptsBuilder};
    use pos_adapters::database::engine::{Connection, Dialect};
    use tokio::runtime::Runtime;

    pub(crate) struct Mysql {
        pub(super) admin: Connection,
        login: Option<Connection>,
        client: Option<Conn>,
        /// The login may have two connections: one reads, this one tries what it may not.
        trespasser: Option<Conn>,
        runtime: Runtime,
    }

    /// Errors of the server that mean that the login may not.
    const DENIED: [u16; 4] = [1044, 1045, 1142, 1143];

    fn connect(runtime: &Runtime, connection: &Connection) -> Conn {
        let database = Some(connection.database.clone()).filter(|name| !name.is_empty());
        let options = OptsBuilder::default()
            .ip_or_hostname(connection.host.clone())
            .tcp_port(connection.port.unwrap())
            .user(Some(connection.user.clone()))
            .pass(connection.password.clone())
            .db_name(database)
            .prefer_socket(false);
        runtime.block_on(Conn::new(options)).unwrap()
    }

    fn statements(sql: &str) -> impl Iterator<Item = String> {
        let kept: Vec<&str> = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        let kept = kept.join("\n");
        let list: Vec<String> =
            kept.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
        list.into_iter()
    }

    impl Mysql {
        pub(super) fn start() -> Option<Self> {
            let mut admin = super::from_environment("TILLSYNC_TEST_MARIADB", Dialect::Mysql)?;
            let runtime = super::runtime();
            let mut server = connect(&runtime, &admin);
            admin.database = super::own_name();
            let create = format!("CREATE DATABASE {} CHARACTER SET utf8mb4", admin.database);
            runtime.block_on(server.query_drop(create)).unwrap();
            runtime.block_on(server.disconnect()).unwrap();
            let client = Some(connect(&runtime, &admin));
            Some(Self { admin, login: None, client, trespasser: None, runtime })
        }

        pub(super) fn run(&mut self, sql: &str) {
            let client = self.client.as_mut().unwrap();
            for statement in statements(sql) {
                self.runtime
                    .block_on(client.query_drop(statement.clone()))
                    .unwrap_or_else(|error| panic!("{error:?}\n{statement}"));
            }
        }

        pub(super) fn login(&mut self, script: &str) -> Connection {
            let user = format!("{}_l", self.admin.database);
            self.run(&script.replace("'tillsync'@'localhost'", &format!("'{user}'@'%'")));
            let login = Connection { user, password: Some("change-this-password".to_owned()), ..self.admin.clone() };
            self.login = Some(login.clone());
            login
        }

        pub(super) fn refused_to_login(&mut self, sql: &str) -> bool {
            if self.trespasser.is_none() {
                self.trespasser = Some(connect(&self.runtime, self.login.as_ref().unwrap()));
            }
            let done = self.runtime.block_on(self.trespasser.as_mut().unwrap().query_drop(sql));
            matches!(done, Err(mysql_async::Error::Server(error)) if DENIED.contains(&error.code))
        }
    }

    impl Drop for Mysql {
        fn drop(&mut self) {
            let mut drops = vec![format!("DROP DATABASE IF EXISTS {}", self.admin.database)];
            drops.extend(self.login.iter().map(|login| format!("DROP USER IF EXISTS '{}'@'%'", login.user)));
            if let Some(mut client) = self.client.take() {
                for drop in drops {
                    let _the_test_is_over = self.runtime.block_on(client.query_drop(drop));
                }
                let _the_test_is_over = self.runtime.block_on(client.disconnect());
            }
        }
    }
}
