//! A till on Firebird. Without the engine in the build there is none.

#[cfg(feature = "firebird")]
pub(crate) use with::{Till, create};
#[cfg(not(feature = "firebird"))]
pub(crate) use without::{Till, create};

#[cfg(feature = "firebird")]
mod with {
    use std::path::Path;

    use rsfbclient::prelude::*;
    use rsfbclient::{Connection, PureRustConnectionBuilder, Row, RustFbClient, builder_pure_rust};

    use crate::database::till::{Kind, Server, server};

    pub(crate) struct Till(Connection<RustFbClient>);

    pub(crate) fn create(path: &Path) -> Option<()> {
        driver(&server(Kind::Firebird)?, path.to_str()?).create_database().unwrap();
        Some(())
    }

    fn driver(server: &Server, path: &str) -> PureRustConnectionBuilder {
        let mut builder = builder_pure_rust();
        builder.host(&server.host).port(server.port).db_name(path).user(&server.user).pass(&server.password);
        builder.stmt_cache_size(0);
        // Tills see past each other's open sales, as on the other servers.
        builder.with_transaction(|tx| tx.with_read_commited(TrRecordVersion::RecordVersion).wait(5));
        builder
    }

    impl Till {
        pub(crate) fn connect(server: &Server, path: &str) -> Option<Self> {
            Some(Self(driver(server, path).connect().unwrap()))
        }

        pub(crate) fn run(&mut self, sql: &str) -> Result<(), String> {
            for one in sql.split(';').map(str::trim).filter(|one| !one.is_empty()) {
                match one {
                    "BEGIN" => self.0.begin_transaction(),
                    "COMMIT" => self.0.commit(),
                    "ROLLBACK" => self.0.rollback(),
                    other => self.0.execute(other, ()).map(drop),
                }
                .map_err(|error| error.to_string())?;
            }
            Ok(())
        }

        pub(crate) fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
            let rows = self.0.query_iter::<_, Row>(sql, ()).unwrap();
            let text = |row: Row| {
                (0..row.cols.len()).map(|at| row.get::<Option<String>>(at).unwrap().unwrap_or_default()).collect()
            };
            rows.map(|row| text(row.unwrap())).collect()
        }
    }
}

#[cfg(not(feature = "firebird"))]
mod without {
    use std::path::Path;

    use crate::database::till::Server;

    pub(crate) enum Till {}

    pub(crate) fn create(_: &Path) -> Option<()> {
        None
    }

    impl Till {
        pub(crate) fn connect(_: &Server, _: &str) -> Option<Self> {
            None
        }

        pub(crate) fn run(&mut self, _: &str) -> Result<(), String> {
            match *self {}
        }

        pub(crate) fn rows(&mut self, _: &str) -> Vec<Vec<String>> {
            match *self {}
        }
    }
}
