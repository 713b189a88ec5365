//! A small POS's tables, the source that reads them, and a ledger that folds what it reads.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use pos_adapters::database::DatabaseSettings;
use pos_adapters::{
    Chunk, Coverage, Finding, Poll, PosSource, Quarantined, SecretReader, SourceContext, SourceError, SourceSettings,
};
use sync_core::ledger::{self, Diff, Snapshot};
use sync_core::model::{Quantity, Timestamp, Transaction};

use super::till::{Database, Kind, Till, server};

/// All columns.
pub(crate) const SALES: &str = "SELECT h.id AS ticket, h.id AS seq, h.sold_at, h.changed_at, h.till AS register, h.status, \
     h.line_count, l.line_no, l.sku, l.qty AS quantity FROM sale h LEFT JOIN sale_line l ON l.sale_id = h.id";
/// No time of change.
pub(crate) const NO_CHANGED: &str = "SELECT h.id AS ticket, h.id AS seq, h.sold_at, h.till AS register, h.status, \
     l.line_no, l.sku, l.qty AS quantity FROM sale h LEFT JOIN sale_line l ON l.sale_id = h.id";
/// Tickets named by a UUID, without a growing number.
pub(crate) const NO_SEQ: &str = "SELECT h.uid AS ticket, h.sold_at, h.changed_at, h.status, l.line_no, l.sku, \
     l.qty AS quantity FROM sale h LEFT JOIN sale_line l ON l.sale_id = h.id";
/// A name and the time of sale.
pub(crate) const BARE: &str = "SELECT h.uid AS ticket, h.sold_at, h.status, l.line_no, l.sku, l.qty AS quantity \
     FROM sale h LEFT JOIN sale_line l ON l.sale_id = h.id";

/// 2026-03-02 12:00 UTC.
const START: i64 = 1_772_452_800_000_000;
const SECOND: i64 = 1_000_000;

struct Password(String);

impl SecretReader for Password {
    fn read(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

/// A shop with its database and its source.
pub(crate) struct Shop {
    pub(crate) database: Database,
    pub(crate) now: Timestamp,
    pub(crate) ledger: BTreeMap<String, (Snapshot, Option<Timestamp>)>,
    pub(crate) stock: BTreeMap<String, Quantity>,
    pub(crate) quarantined: Vec<Quarantined>,
    pub(crate) cursors: BTreeMap<String, String>,
    source: Box<dyn PosSource>,
    settings: DatabaseSettings,
    folder: tempfile::TempDir,
}

impl Shop {
    /// `None` where the server is not there.
    pub(crate) fn open(kind: Kind, sales: &str, more: &str) -> Option<Self> {
        println!("on {kind:?}");
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(kind, folder.path())?;
        let mut till = database.till();
        let (number, time) = match kind {
            Kind::Postgres => ("BIGSERIAL PRIMARY KEY", "TIMESTAMP(6)"),
            Kind::Mariadb => ("BIGINT AUTO_INCREMENT PRIMARY KEY", "DATETIME(6)"),
            // Without AUTOINCREMENT the number of a deleted last row comes again.
            Kind::Sqlite => ("INTEGER PRIMARY KEY", "TEXT"),
        };
        till.run(&format!(
            "CREATE TABLE sale (id {number}, uid VARCHAR(40), till VARCHAR(10), sold_at {time}, changed_at {time},
               status VARCHAR(20), line_count INTEGER);
             CREATE TABLE sale_line (sale_id BIGINT, line_no INTEGER, sku VARCHAR(20), qty DECIMAL(10,3));
             CREATE INDEX sale_changed ON sale (changed_at);
             CREATE INDEX sale_sold ON sale (sold_at);
             CREATE INDEX sale_uid ON sale (uid);
             CREATE INDEX line_sale ON sale_line (sale_id)"
        ));
        let settings = settings(&database, sales, more, None);
        let source = source(&settings, kind);
        let (ledger, stock, cursors) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let now = Timestamp(START);
        Some(Self { database, now, ledger, stock, quarantined: Vec::new(), cursors, source, settings, folder })
    }

    /// Every kind of `kinds` that is there.
    pub(crate) fn each(kinds: &[Kind], sales: &str, more: &str, story: impl Fn(&mut Self)) {
        for kind in kinds {
            if let Some(mut shop) = Self::open(*kind, sales, more) {
                story(&mut shop);
            }
        }
    }

    /// A login that may do nothing but read, and the findings of a check with it.
    pub(crate) fn probe(&self, login: Option<(&str, &str)>, more: &str) -> Vec<Finding> {
        let settings = settings(&self.database, SALES, more, login.map(|(user, _)| user));
        let password = login.map_or_else(|| password(self.database.kind), |(_, password)| password.to_owned());
        settings.probe(&context(password))
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now.0 += seconds * SECOND;
    }

    /// As after a crash or restart: only the stored cursors are left.
    pub(crate) fn restart(&mut self) {
        self.source = source(&self.settings, self.database.kind);
        self.source.resume(self.cursors.clone().into_iter().collect());
    }

    /// One poll; `false` when it is quiet.
    pub(crate) fn poll(&mut self) -> Result<bool, SourceError> {
        match self.source.poll(&[], self.now)? {
            Poll::Quiet { again_in } => Ok(again_in.is_zero()),
            Poll::Chunk(chunk) => {
                self.store(chunk);
                Ok(true)
            }
        }
    }

    /// Polls until quiet.
    pub(crate) fn read(&mut self) {
        for _ in 0..10_000 {
            if !self.poll().unwrap_or_else(|error| panic!("{}", chain(&error))) {
                return;
            }
        }
        panic!("the source never becomes quiet");
    }

    /// Time passes with polls, as it does.
    pub(crate) fn pass(&mut self, seconds: i64) {
        let step = (seconds / 40).max(2);
        for _ in 0..(seconds / step).max(1) {
            self.wait(step);
            self.read();
        }
    }

    fn store(&mut self, chunk: Chunk) {
        for transaction in chunk.transactions {
            assert!(ledger::admit(&transaction).is_ok(), "{transaction:?}");
            self.fold(transaction);
        }
        if let Some(coverage) = &chunk.coverage {
            self.vanish(coverage);
        }
        self.quarantined.extend(chunk.quarantined);
        for cursor in chunk.cursors {
            match cursor.state {
                Some(state) => self.cursors.insert(cursor.item, state),
                None => self.cursors.remove(&cursor.item),
            };
        }
    }

    fn fold(&mut self, read: Transaction) {
        let (key, sold_at) = (read.key.as_str().to_owned(), read.sold_at);
        let known = self.ledger.get(&key);
        let sold_at = known.map_or(sold_at, |(_, at)| *at);
        let diff = ledger::diff(known.map(|(snapshot, _)| snapshot), read);
        self.apply(key, sold_at, diff);
    }

    /// As the agent does it.
    fn vanish(&mut self, coverage: &Coverage) {
        let is_known = |(snapshot, at): &(Snapshot, Option<Timestamp>)| {
            snapshot.status.moves_stock() && at.is_some_and(|at| at >= coverage.from && at <= coverage.to)
        };
        let known: Vec<String> =
            self.ledger.iter().filter(|(_, ticket)| is_known(ticket)).map(|(key, _)| key.clone()).collect();
        let gone: Vec<String> = known.iter().filter(|key| coverage.keys.binary_search(key).is_err()).cloned().collect();
        if !ledger::vanishing_is_believable(known.len(), gone.len(), 20) {
            return;
        }
        for key in gone {
            let (snapshot, at) = self.ledger[&key].clone();
            self.apply(key, at, ledger::vanish(&snapshot));
        }
    }

    fn apply(&mut self, key: String, sold_at: Option<Timestamp>, diff: Diff) {
        if let Diff::Changed { snapshot, movements } = diff {
            for movement in movements {
                let sum = self.stock.entry(movement.sku.as_str().to_owned()).or_default();
                *sum = sum.checked_add(movement.delta).unwrap();
            }
            self.ledger.insert(key, (snapshot, sold_at));
        }
    }

    /// What moved, as `A -2, B -1`.
    pub(crate) fn moved(&self) -> String {
        let moved = self.stock.iter().filter(|(_, quantity)| !quantity.is_zero());
        moved.map(|(sku, quantity)| format!("{sku} {quantity}")).collect::<Vec<_>>().join(", ")
    }

    /// The ledger's sums are those of the database.
    pub(crate) fn agrees(&self) {
        assert_eq!(self.moved(), truth(&mut self.database.till()));
        assert_eq!(self.reasons(), Vec::<&str>::new());
    }

    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.quarantined.iter().map(|record| record.reason.as_str()).collect()
    }

    /// The clock of a till that is so many seconds off, as SQL.
    pub(crate) fn at(&self, off: i64) -> String {
        time(Timestamp(self.now.0 + off * SECOND))
    }
}

/// A time as the POS writes it.
pub(crate) fn time(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap();
    format!("'{}'", TimeZone::UTC.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S"))
}

/// The shop's sums as the database has them.
pub(crate) fn truth(till: &mut Till) -> String {
    let text = if matches!(till, Till::Mariadb(..)) { "CHAR" } else { "VARCHAR" };
    let rows = till.rows(&format!(
        "SELECT l.sku, CAST(SUM(l.qty) AS {text}(30)) FROM sale h JOIN sale_line l ON l.sale_id = h.id
         WHERE h.status = 'completed' GROUP BY l.sku ORDER BY l.sku"
    ));
    let sums = rows.into_iter().map(|row| (row[0].clone(), Quantity::parse(&row[1]).unwrap().negated()));
    sums.filter(|(_, sum)| !sum.is_zero()).map(|(sku, sum)| format!("{sku} {sum}")).collect::<Vec<_>>().join(", ")
}

/// SQL of a sale of one line; its number is drawn by the database.
pub(crate) fn sale(uid: &str, at: &str, changed: &str, sku: &str, quantity: &str) -> String {
    let header = format!(
        "INSERT INTO sale (uid, till, sold_at, changed_at, status, line_count) VALUES ('{uid}', '1', {at}, {changed}, 'completed', 1)"
    );
    format!("{header}; {}", line(uid, 1, sku, quantity))
}

/// SQL of one more line of the latest sale of this name.
pub(crate) fn line(uid: &str, number: u32, sku: &str, quantity: &str) -> String {
    format!(
        "INSERT INTO sale_line (sale_id, line_no, sku, qty) SELECT MAX(id), {number}, '{sku}', {quantity} FROM sale WHERE uid = '{uid}'"
    )
}

fn password(kind: Kind) -> String {
    server(kind).map(|server| server.password).unwrap_or_default()
}

pub(crate) fn settings(database: &Database, sales: &str, more: &str, login: Option<&str>) -> DatabaseSettings {
    let place = match server(database.kind) {
        None => format!("\"engine\": \"sqlite\", \"path\": {:?}", database.path.to_str().unwrap()),
        Some(server) => format!(
            "\"engine\": \"{}\", \"host\": \"{}\", \"port\": {}, \"database\": \"{}\", \"user\": \"{}\", \"password\": \"env:POS_PASSWORD\"",
            if database.kind == Kind::Postgres { "postgres" } else { "mysql" },
            server.host,
            server.port,
            database.name,
            login.unwrap_or(&server.user),
        ),
    };
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    let since = if more.contains("since") { "" } else { ", \"since\": \"2026-02-20\"" };
    let text = format!(
        "{{\"name\": \"pos\", \"kind\": \"database\", {place}, \"queries\": {{\"sales\": {sales:?}}}{since}{more}}}"
    );
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn context(password: String) -> SourceContext {
    SourceContext {
        store: "store".to_owned(),
        zone: TimeZone::UTC,
        own_files: std::env::temp_dir(),
        secrets: std::sync::Arc::new(Password(password)),
    }
}

pub(crate) fn source(settings: &DatabaseSettings, kind: Kind) -> Box<dyn PosSource> {
    settings.open(&context(password(kind))).unwrap_or_else(|faults| panic!("{faults:?}"))
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
