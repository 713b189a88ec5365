//! A shop whose POS writes a database, and a ledger in small that folds what its profile reads.
//!
//! On real servers the profile reads through the login of its own grants script, so each story also shows that the
//! script gives all that is needed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use pos_adapters::database::engine::{Connection, Dialect, Engine, Rows, Tls, Value};
use pos_adapters::database::engines;
use pos_adapters::database::map::{Columns, Mapper, Ticket};
use pos_adapters::database::plan::Words;
use pos_adapters::database::profile::{OptionKind, Profile, Sql};
use pos_adapters::database::profiles;
use pos_adapters::database::query::{self, Order};
use sync_core::ledger::{self, Diff, Snapshot};
use sync_core::model::{Quantity, Segment};

use super::server::{self, Server};

/// More rows than any story has.
const ROWS_MAX: usize = 1000;

/// Where a story is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    Mysql,
}

impl Kind {
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Sqlite => Dialect::Sqlite,
            Self::Postgres => Dialect::Postgres,
            Self::Mysql => Dialect::Mysql,
        }
    }

    /// Puts the types of the database into a schema.
    fn schema(self, text: &str) -> String {
        let (time, truth, transaction) = match self {
            Self::Sqlite => ("DATETIME", "BOOLEAN", "[Transaction]"),
            Self::Postgres => ("TIMESTAMP", "BOOLEAN", "\"Transaction\""),
            Self::Mysql => ("DATETIME(6)", "BIT(1)", "`Transaction`"),
        };
        [
            ("{TIME}", time),
            ("{BOOL}", truth),
            ("{DOUBLE}", "DOUBLE PRECISION"),
            ("{DECIMAL}", "DECIMAL(18,6)"),
            ("{TRANSACTION}", transaction),
        ]
        .iter()
        .fold(text.to_owned(), |text, (token, written)| text.replace(token, written))
    }
}

/// Tells each story on each database that is there.
macro_rules! on {
    ($module:ident, $profile:literal, $schema:ident, $options:expr, [$($kind:ident),*], [$($story:ident),* $(,)?]) => {
        mod $module {
            use crate::profiles::shop::{Kind, Shop};

            fn tell(story: fn(&mut Shop)) {
                let options: &[(&str, &[&str])] = &$options;
                for kind in [$(Kind::$kind),*] {
                    if let Some(mut shop) = Shop::open(kind, $profile, super::$schema, options) {
                        story(&mut shop);
                    }
                }
            }

            $(
                #[test]
                fn $story() {
                    tell(super::$story);
                }
            )*
        }
    };
}
pub(crate) use on;

pub(crate) struct Shop {
    kind: Kind,
    profile: &'static Profile,
    options: BTreeMap<&'static str, String>,
    server: Server,
    engine: Box<dyn Engine>,
    ledger: BTreeMap<String, Snapshot>,
}

impl Shop {
    /// `None` where the server is not there; says so.
    pub(crate) fn open(kind: Kind, profile: &str, schema: &str, options: &[(&str, &[&str])]) -> Option<Self> {
        Self::with_login(kind, profile, schema, options).map(|(shop, _)| shop)
    }

    /// Also gives the way in that the profile reads through.
    pub(crate) fn with_login(
        kind: Kind,
        profile: &str,
        schema: &str,
        options: &[(&str, &[&str])],
    ) -> Option<(Self, Connection)> {
        println!("on {kind:?}");
        let profile = profiles::by_name(profile).unwrap();
        let mut server = Server::start(kind)?;
        server.run(&kind.schema(schema));
        let connection = match profiles::grants(profile.name, kind.dialect()).filter(|_| kind != Kind::Sqlite) {
            Some(script) => server.login(script),
            None => server.connection(),
        };
        let shop = Self {
            kind,
            profile,
            options: filled_options(profile, options),
            server,
            engine: engines::open(connection.clone()).unwrap(),
            ledger: BTreeMap::new(),
        };
        Some((shop, connection))
    }

    /// The POS writes.
    pub(crate) fn pos(&mut self, sql: &str) {
        self.server.run(&self.kind.schema(sql));
    }

    pub(crate) fn pos_all(&mut self, statements: &[String]) {
        for statement in statements {
            self.pos(statement);
        }
    }

    /// Reads everything and gives what moved, as `SKU quantity kind`.
    pub(crate) fn look(&mut self) -> Vec<String> {
        let sales = self.text(&self.profile.sales);
        let rows = self.ask(&query::bounded(self.kind.dialect(), &sales, ROWS_MAX), &[]);
        self.pages_follow_every_column(&sales, &rows);
        let columns = Columns::find(&rows.columns).unwrap();
        let mut tickets = self.mapper().tickets(&columns, &rows);
        tickets.sort_by_key(|ticket| (ticket.transaction.sold_at, ticket.transaction.key.to_string()));
        let mut moved = Vec::new();
        let mut seen = Vec::new();
        for Ticket { transaction, quarantined, waits, .. } in tickets {
            assert_eq!(quarantined, [], "nothing of a story is set aside");
            assert_eq!(waits, None);
            assert!(transaction.sold_at.is_some(), "{transaction:?}");
            ledger::admit(&transaction).unwrap();
            let key = transaction.key.to_string();
            seen.push(key.clone());
            let difference = ledger::diff(self.ledger.get(&key), transaction);
            self.record(key, difference, &mut moved);
        }
        let gone: Vec<String> = self.ledger.keys().filter(|key| !seen.contains(key)).cloned().collect();
        for key in gone {
            let difference = ledger::vanish(&self.ledger[&key]);
            self.record(key.clone(), difference, &mut moved);
            self.ledger.remove(&key);
        }
        moved
    }

    fn record(&mut self, key: String, difference: Diff, moved: &mut Vec<String>) {
        if let Diff::Changed { snapshot, movements } = difference {
            moved.extend(
                movements
                    .iter()
                    .map(|movement| format!("{} {} {}", movement.sku, movement.delta, movement.kind.as_str())),
            );
            self.ledger.insert(key, snapshot);
        }
    }

    /// Lines of finished tickets that move nothing, by rule.
    pub(crate) fn ignored(&self) -> Vec<(&str, usize)> {
        let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
        for snapshot in self.ledger.values().filter(|snapshot| snapshot.status.moves_stock()) {
            for rule in snapshot.lines.iter().filter_map(|line| line.ignored.as_ref()) {
                *rules.entry(rule.as_str()).or_default() += 1;
            }
        }
        rules.into_iter().collect()
    }

    /// What a count would say: stock on hand without the sales that it does not know yet, as `SKU quantity`.
    pub(crate) fn on_hand(&mut self) -> Vec<String> {
        let mut stock: BTreeMap<String, Quantity> = BTreeMap::new();
        for (sign, sql) in [(1, self.profile.on_hand), (-1, self.profile.unapplied)] {
            let Some(sql) = sql else { continue };
            let text = self.text(&sql);
            let rows = self.ask(&query::bounded(self.kind.dialect(), &text, ROWS_MAX), &[]);
            assert_eq!(rows.columns, ["sku", "quantity"]);
            for row in &rows.rows {
                let quantity = amount(&row[1]);
                let sum = stock.entry(row[0].text()).or_default();
                *sum = sum.saturating_add(if sign > 0 { quantity } else { quantity.negated() });
            }
        }
        stock.into_iter().map(|(sku, quantity)| format!("{sku} {quantity}")).collect()
    }

    /// Articles as `SKU barcode price name`, in order.
    pub(crate) fn products(&mut self) -> Vec<String> {
        let text = self.text(&self.profile.products.unwrap());
        let rows = self.ask(&query::bounded(self.kind.dialect(), &text, ROWS_MAX), &[]);
        assert_eq!(rows.columns, ["sku", "name", "price", "barcode"]);
        let shown = |value: &Value| if *value == Value::Null { "-".to_owned() } else { value.text() };
        let price = |value: &Value| if *value == Value::Null { "-".to_owned() } else { amount(value).to_string() };
        let mut lines: Vec<String> = rows
            .rows
            .iter()
            .map(|row| format!("{} {} {} {}", row[0].text(), shown(&row[3]), price(&row[2]), shown(&row[1])))
            .collect();
        lines.sort();
        lines
    }

    /// A name that Odoo keeps as JSON: taken out of it on PostgreSQL.
    pub(crate) fn json_name(&self, name: &str) -> String {
        if self.kind == Kind::Postgres { name.to_owned() } else { format!("{{\"en_US\": \"{name}\"}}") }
    }

    /// The login may not do this.
    pub(crate) fn refused(&mut self, sql: &str) -> bool {
        self.server.refused_to_login(&self.kind.schema(sql))
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    fn text(&self, sql: &Sql) -> String {
        let text = sql.text(self.kind.dialect()).to_owned();
        self.options.iter().fold(text, |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    fn ask(&mut self, sql: &str, parameters: &[Value]) -> Rows {
        self.engine.begin().unwrap();
        let rows = self.engine.query(sql, parameters, ROWS_MAX).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        self.engine.finish();
        rows
    }

    /// The poller's filters work on the query, whatever column it follows.
    fn pages_follow_every_column(&mut self, sales: &str, all: &Rows) {
        let dialect = self.kind.dialect();
        let columns = Columns::find(&all.columns).unwrap();
        for order in [Order::Seq, Order::Changed, Order::Sold] {
            let Some(at) = columns.of(order) else { continue };
            let newest = self.ask(&query::newest(dialect, sales, order), &[]);
            let Some(newest) = newest.rows.first().map(|row| row[at].clone()) else { continue };
            let (sql, parameters) = query::page(dialect, sales, order, Some(newest.clone()), None, ROWS_MAX);
            let page = self.ask(&sql, &parameters);
            assert!(!page.rows.is_empty() && page.rows.iter().all(|row| row[at] == newest), "{order:?}: {page:?}");
        }
    }

    fn mapper(&self) -> Mapper {
        let meaning = self.profile.meaning;
        let mut words = Words::plain(self.profile.ticket);
        words.quantity = meaning.quantity;
        assert!(meaning.kinds.is_empty() && meaning.statuses.is_empty() && meaning.ignore.is_empty());
        Mapper::new(words, TimeZone::UTC, Segment::new("shop"))
    }
}

/// The values of options as they stand in SQL.
fn filled_options(profile: &Profile, given: &[(&str, &[&str])]) -> BTreeMap<&'static str, String> {
    let mut values = BTreeMap::new();
    for option in profile.options {
        let words = given.iter().find(|(name, _)| *name == option.name).map(|(_, words)| words.to_vec());
        let words = words.unwrap_or_else(|| vec![option.default.unwrap()]);
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let value = match option.kind {
            OptionKind::Text | OptionKind::List => quoted.join(","),
            OptionKind::Integer | OptionKind::Name => words.concat(),
        };
        values.insert(option.name, value);
    }
    values
}

/// A number of the database, rounded to six decimals.
fn amount(value: &Value) -> Quantity {
    let text = value.text();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals <= 6 {
        return Quantity::parse(&text).unwrap();
    }
    Quantity::parse(&format!("{:.6}", text.parse::<f64>().unwrap())).unwrap()
}

/// A connection to a file.
pub(crate) fn file_connection(path: PathBuf) -> Connection {
    Connection { path, ..server::connection_to(Dialect::Sqlite) }
}

/// Without encryption, on this machine.
pub(crate) const PLAIN: Tls = Tls::Off;
