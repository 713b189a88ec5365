//! `[[prices]]` and `[[incoming]]`: lists of values that the POS decides and the platforms are told.

use std::path::PathBuf;
use std::time::Duration;

use pos_adapters::values::{self, ListColumns, ListDecimal};
use schemars::JsonSchema;
use serde::Deserialize;
use sync_core::values::{ValueKind, ValueLimits};

use super::faults::{ConfigFault, FaultCode};
use super::read::nearest_or_list;
use super::resolve::Resolver;
use super::{SourceConfig, mask};

const EVERY_MIN: Duration = Duration::from_secs(1);
const EVERY_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const EVERY_DEFAULT: Duration = Duration::from_secs(10);
const ARTICLES_MAX: i64 = 500_000;

/// One list, checked.
#[derive(Debug, Clone)]
pub struct FeedConfig {
    /// Unique among the lists.
    pub name: String,
    /// What its values are.
    pub kind: ValueKind,
    /// Where it is read from.
    pub input: FeedInput,
    /// Longest time between two looks.
    pub every: Duration,
    /// The currency of the prices, for people: it must be the shop's.
    pub currency: Option<String>,
    /// What is there at the first look is told too.
    pub send_first: bool,
    /// What is believed without a person.
    pub limits: ValueLimits,
    /// Articles may be sold below zero while goods are on order.
    pub backorder_while_incoming: bool,
}

/// Where a list is read from.
#[derive(Debug, Clone)]
pub enum FeedInput {
    /// The database of a source.
    Database {
        /// The source.
        source: SourceConfig,
        /// In place of what the profile knows.
        query: Option<String>,
    },
    /// A CSV file.
    File {
        /// Which.
        path: PathBuf,
        /// Its columns.
        columns: ListColumns,
        /// The sign before its decimals; judged from each number if it is not said.
        decimal: Option<ListDecimal>,
    },
}

/// A list of prices or of units on order.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedTable {
    /// Name of the list, unique among them.
    #[schemars(extend("default" = "prices, or incoming"))]
    pub(super) name: Option<String>,
    /// Name of a source of kind `database`: its articles are read.
    pub(super) source: Option<String>,
    /// A query of one `SELECT`, in place of what the source's profile knows: columns `sku` and `price`, or `sku` and
    /// `quantity` for units on order.
    pub(super) query: Option<String>,
    /// A CSV file with a header, in place of `source`. It is read when it changes.
    pub(super) path: Option<String>,
    /// Names of the columns of the file.
    pub(super) columns: Option<ListColumns>,
    /// The sign before the decimals of the file: `point` or `comma`.
    #[schemars(extend("default" = "judged from each number"))]
    pub(super) decimal: Option<ListDecimal>,
    /// Longest time between two looks. From 1 s to 1 d. A look is never followed by the next before twenty times as long as
    /// it took.
    #[schemars(extend("default" = "10s"))]
    pub(super) every: Option<String>,
    /// Currency of the prices, such as `EUR`; it must be the shop's. Nothing is converted.
    pub(super) currency: Option<String>,
    /// What happens to the values of the first look: `keep` takes them for what the shop has, `send` sends them all.
    #[schemars(extend("default" = "keep"))]
    pub(super) first: Option<FirstWord>,
    /// Percent by which a price may change without being a large change.
    #[schemars(extend("default" = 30, "minimum" = 1, "maximum" = 10000))]
    pub(super) change_percent: Option<i64>,
    /// So many large changes at once are sent; more are held for a person.
    #[schemars(extend("default" = 20, "minimum" = 0, "maximum" = ARTICLES_MAX))]
    pub(super) change_articles: Option<i64>,
    /// Percent of all known prices that may change at once; more are held for a person.
    #[schemars(extend("default" = 50, "minimum" = 1, "maximum" = 100))]
    pub(super) share_percent: Option<i64>,
    /// Units on order only: the shop may sell an article below zero while some are on order, where the platform has such a
    /// mark.
    #[schemars(extend("default" = false))]
    pub(super) backorder_while_incoming: Option<bool>,
}

/// See `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FirstWord {
    /// They are taken for what the shop has.
    Keep,
    /// All are sent.
    Send,
}

pub(super) fn feeds(
    resolver: &mut Resolver<'_>,
    kind: ValueKind,
    tables: Vec<FeedTable>,
    sources: &[SourceConfig],
    zone: &jiff::tz::TimeZone,
) -> Vec<FeedConfig> {
    let array = match kind {
        ValueKind::Price => "prices",
        ValueKind::Incoming => "incoming",
    };
    if kind == ValueKind::Incoming && tables.len() > 1 {
        // What is no longer on a list is no longer on order; two lists would undo each other.
        let fault = ConfigFault::new(FaultCode::NotAllowed, "incoming[1]", "units on order come from one list");
        resolver.fault(fault.hint("let one query give all of them"));
    }
    let tables = tables.into_iter().enumerate();
    tables.filter_map(|(at, table)| feed(resolver, kind, array, at, table, sources, zone)).collect()
}

fn feed(
    resolver: &mut Resolver<'_>,
    kind: ValueKind,
    array: &'static str,
    at: usize,
    table: FeedTable,
    sources: &[SourceConfig],
    zone: &jiff::tz::TimeZone,
) -> Option<FeedConfig> {
    let path = format!("{array}[{at}]");
    let key = |name: &str| format!("{path}.{name}");
    let name = table.name.clone().unwrap_or_else(|| array.to_owned());
    resolver.name("list", &key("name"), &name);
    let limits = ValueLimits {
        change_percent: resolver.number(&key("change_percent"), table.change_percent, 1..=10_000, 30),
        articles: usize::try_from(resolver.number::<u32>(
            &key("change_articles"),
            table.change_articles,
            0..=ARTICLES_MAX,
            20,
        ))
        .unwrap_or(usize::MAX),
        share_percent: resolver.number(&key("share_percent"), table.share_percent, 1..=100, 50),
    };
    let every = resolver.duration(&key("every"), table.every.as_deref(), EVERY_MIN..=EVERY_MAX, EVERY_DEFAULT);
    if kind == ValueKind::Price && table.backorder_while_incoming.is_some() {
        let fault = ConfigFault::new(
            FaultCode::NotAllowed,
            key("backorder_while_incoming"),
            "`backorder_while_incoming` has no meaning for prices",
        );
        resolver.fault(fault.hint("it belongs to [[incoming]]"));
    }
    let currency = currency(resolver, &key("currency"), table.currency.as_deref());
    let send_first = table.first == Some(FirstWord::Send);
    let backorder_while_incoming = table.backorder_while_incoming.unwrap_or(false);
    let input = input(resolver, kind, &path, table, sources, zone)?;
    Some(FeedConfig { name, kind, input, every, currency, send_first, limits, backorder_while_incoming })
}

fn currency(resolver: &mut Resolver<'_>, key: &str, text: Option<&str>) -> Option<String> {
    let text = text?;
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Some(text.to_owned());
    }
    let message = format!("`{}` is no currency", mask::scrub(text));
    resolver.fault(ConfigFault::new(FaultCode::NotAllowed, key, message).hint("write its three letters, as `EUR`"));
    None
}

fn input(
    resolver: &mut Resolver<'_>,
    kind: ValueKind,
    path: &str,
    table: FeedTable,
    sources: &[SourceConfig],
    zone: &jiff::tz::TimeZone,
) -> Option<FeedInput> {
    let key = |name: &str| format!("{path}.{name}");
    let misplaced = |resolver: &mut Resolver<'_>, name: &str, with: &str| {
        let message = format!("`{name}` has no meaning with `{with}`");
        resolver.fault(ConfigFault::new(FaultCode::NotAllowed, key(name), message).hint("take it out"));
    };
    match (table.source, table.path) {
        (Some(_), Some(_)) => {
            let fault = ConfigFault::new(FaultCode::NotAllowed, key("path"), "`source` and `path` exclude each other");
            resolver.fault(fault.hint("keep one of them"));
            None
        }
        (None, None) => {
            resolver.required(&key("source"), None, "name a source of kind `database`, or a CSV file in `path`");
            None
        }
        (None, Some(file)) => {
            if table.query.is_some() {
                misplaced(resolver, "query", "path");
            }
            let file = resolver.required(&key("path"), Some(file), "name a CSV file")?;
            let columns = table.columns.unwrap_or_default();
            Some(FeedInput::File { path: file.into(), columns, decimal: table.decimal })
        }
        (Some(name), None) => {
            if table.columns.is_some() {
                misplaced(resolver, "columns", "source");
            }
            let found = sources.iter().find(|source| source.name() == name);
            let Some((source, database)) = found.and_then(|source| Some((source, source.database()?))) else {
                let databases: Vec<&str> =
                    sources.iter().filter(|source| source.database().is_some()).map(|source| source.name()).collect();
                let message = format!("there is no source `{}` of kind `database`", mask::scrub(&name));
                let fault = ConfigFault::new(FaultCode::NotAllowed, key("source"), message);
                resolver.fault(fault.hint(nearest_or_list(&name, databases.into_iter())));
                return None;
            };
            for fault in values::check_database(database, kind, table.query.as_deref(), zone).err().unwrap_or_default()
            {
                resolver.fault(ConfigFault::new(FaultCode::NotAllowed, key(&fault.key), fault.message));
            }
            Some(FeedInput::Database { source: std::sync::Arc::clone(source), query: table.query })
        }
    }
}
