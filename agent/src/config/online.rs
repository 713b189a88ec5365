//! `[online_orders]` and `[buffers]`: how orders of the platforms meet the store's shelf, and units that they are never told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sync_core::model::{Quantity, Sku};
use sync_core::orders::{Picks, Recognise};

use super::faults::{ConfigFault, FaultCode};
use super::mask;
use super::read::nearest_or_list;
use super::resolve::Resolver;

/// Longest time between two looks at the orders: open ones are known within a minute.
const POLL_MAX: Duration = Duration::from_secs(60);
const POLL_MIN: Duration = Duration::from_secs(5);
const POLL_DEFAULT: Duration = Duration::from_secs(30);

/// `[online_orders]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineOrders {
    /// Time between two looks.
    pub poll: Duration,
    /// Where goods handed over enter the ledger from.
    pub picks: Picks,
    /// The same, by the name of the platform.
    pub platforms: BTreeMap<String, Picks>,
    /// How tickets are recognised that ring an order up.
    pub recognise: Recognise,
    /// The configuration says where goods handed over are read from; a platform that needs another right to read orders is
    /// asked for them only then.
    pub is_decided: bool,
}

impl OnlineOrders {
    /// Where goods handed over for a platform's orders enter the ledger from.
    #[must_use]
    pub fn picks_of(&self, platform: &str) -> Picks {
        self.platforms.get(platform).copied().unwrap_or(self.picks)
    }
}

/// `[buffers]`: units that the platforms are never told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Buffers {
    everywhere: Buffer,
    platforms: BTreeMap<String, Buffer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Buffer {
    default: Option<Quantity>,
    skus: BTreeMap<Sku, Quantity>,
}

impl Buffers {
    /// Units of an article that stay out of a platform's number; never negative. What is said of the article wins over what is
    /// said of all, and what is said of the platform over what is said of all platforms.
    #[must_use]
    pub fn of(&self, lane: &str, sku: &Sku) -> Quantity {
        let platform = self.platforms.get(lane);
        platform
            .and_then(|buffer| buffer.skus.get(sku))
            .or_else(|| self.everywhere.skus.get(sku))
            .copied()
            .or_else(|| platform.and_then(|buffer| buffer.default))
            .or(self.everywhere.default)
            .unwrap_or_default()
    }
}

/// Orders of the platforms that this store hands out.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlineOrdersTable {
    /// Time between two looks at the orders of a platform. From 5 s to 60 s.
    #[schemars(extend("default" = "30s"))]
    pub(super) poll: Option<String>,
    /// Where goods that were handed over or shipped enter the ledger from: `platform` (its shipments and pick-ups), `pos`
    /// (the till rings them up), or `none` (this store hands nothing out). Never both: they would be counted twice.
    #[schemars(extend("default" = "none"))]
    pub(super) picks: Option<PicksWord>,
    /// Other settings for one platform, by its name.
    pub(super) platform: Option<BTreeMap<String, OnlinePlatformTable>>,
    /// How tickets of the till are recognised that ring up an online order.
    pub(super) recognise: Option<RecogniseTable>,
}

/// Settings for the orders of one platform.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlinePlatformTable {
    /// As above.
    pub(super) picks: Option<PicksWord>,
}

/// See `picks`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PicksWord {
    /// The platform's shipments and pick-ups.
    Platform,
    /// The till rings them up.
    Pos,
    /// This store hands nothing out.
    None,
}

impl PicksWord {
    const fn resolved(self) -> Picks {
        match self {
            Self::Platform => Picks::Platform,
            Self::Pos => Picks::Pos,
            Self::None => Picks::None,
        }
    }
}

/// How tickets are recognised that ring up an online order. A source that names the order in a column of its own
/// (`online_order`) needs nothing of this.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecogniseTable {
    /// The column `online_order` names an order only where it begins with one of these, as `#` or `WEB-`.
    pub(super) prefixes: Option<Vec<String>>,
    /// Articles that are rung up only to mark such a ticket. They move no stock.
    pub(super) skus: Option<Vec<String>>,
    /// Tills that ring up nothing but online orders.
    pub(super) registers: Option<Vec<String>>,
}

/// Units that the platforms are never told (safety stock). A change takes effect with the next reconciliation.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BuffersTable {
    /// Units of each article, a decimal as text.
    #[schemars(extend("default" = "0"))]
    pub(super) default: Option<String>,
    /// Units of single articles, by SKU.
    pub(super) sku: Option<BTreeMap<String, String>>,
    /// Other units for one platform, by its name.
    pub(super) platform: Option<BTreeMap<String, PlatformBuffersTable>>,
}

/// Units that one platform is never told.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlatformBuffersTable {
    /// As above.
    pub(super) default: Option<String>,
    /// As above.
    pub(super) sku: Option<BTreeMap<String, String>>,
}

/// `platforms` are the names of the configured ones.
pub(super) fn orders(resolver: &mut Resolver<'_>, table: OnlineOrdersTable, platforms: &[String]) -> OnlineOrders {
    let poll = resolver.duration("online_orders.poll", table.poll.as_deref(), POLL_MIN..=POLL_MAX, POLL_DEFAULT);
    let mut of_platforms = BTreeMap::new();
    for (name, table) in table.platform.unwrap_or_default() {
        known_platform(resolver, &format!("online_orders.platform.{name}"), &name, platforms);
        of_platforms.extend(table.picks.map(|picks| (name, picks.resolved())));
    }
    let picks = table.picks.map_or_else(Picks::default, PicksWord::resolved);
    let is_decided = table.picks.is_some()
        || (!platforms.is_empty() && platforms.iter().all(|name| of_platforms.contains_key(name)));
    let recognise = table.recognise.map(|table| recognise(resolver, table)).unwrap_or_default();
    let nobody = picks == Picks::None && of_platforms.values().all(|picks| *picks == Picks::None);
    if nobody && recognise != Recognise::default() {
        let message = "tickets are recognised, but with `picks = \"none\"` no order is handed out here";
        let fault = ConfigFault::new(FaultCode::NotAllowed, "online_orders.recognise", message);
        resolver.fault(fault.hint("set `picks = \"pos\"`, or `\"platform\"` if the platform reports the same goods"));
    }
    OnlineOrders { poll, picks, platforms: of_platforms, recognise, is_decided }
}

fn recognise(resolver: &mut Resolver<'_>, table: RecogniseTable) -> Recognise {
    let lists = [("prefixes", table.prefixes), ("skus", table.skus), ("registers", table.registers)];
    let mut lists = lists.map(|(key, words)| {
        let words: Vec<String> = words.unwrap_or_default().iter().map(|word| word.trim().to_owned()).collect();
        if words.iter().any(String::is_empty) {
            let key = format!("online_orders.recognise.{key}");
            let fault = ConfigFault::new(FaultCode::NotAllowed, key, "an empty word would fit every ticket");
            resolver.fault(fault.hint("take it out"));
        }
        words
    });
    let [prefixes, skus, registers] = &mut lists;
    Recognise {
        prefixes: std::mem::take(prefixes),
        skus: skus.drain(..).map(Sku::new).collect(),
        registers: registers.drain(..).collect::<BTreeSet<_>>(),
    }
}

pub(super) fn buffers(resolver: &mut Resolver<'_>, table: BuffersTable, platforms: &[String]) -> Buffers {
    let everywhere = buffer(resolver, "buffers", table.default, table.sku);
    let mut of_platforms = BTreeMap::new();
    for (name, table) in table.platform.unwrap_or_default() {
        let path = format!("buffers.platform.{name}");
        known_platform(resolver, &path, &name, platforms);
        of_platforms.insert(name, buffer(resolver, &path, table.default, table.sku));
    }
    Buffers { everywhere, platforms: of_platforms }
}

fn buffer(
    resolver: &mut Resolver<'_>,
    path: &str,
    default: Option<String>,
    skus: Option<BTreeMap<String, String>>,
) -> Buffer {
    let mut units = |key: String, text: &str| match Quantity::parse(text.trim()) {
        Ok(units) if !units.is_negative() => Some(units),
        Ok(_) | Err(_) => {
            let message = format!("`{}` is no number of units", mask::scrub(text));
            resolver.fault(ConfigFault::new(FaultCode::NotAllowed, key, message).hint("write a decimal such as \"2\""));
            None
        }
    };
    Buffer {
        default: default.and_then(|text| units(format!("{path}.default"), &text)),
        skus: skus
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(sku, text)| units(format!("{path}.sku.{sku}"), &text).map(|units| (Sku::new(sku), units)))
            .collect(),
    }
}

fn known_platform(resolver: &mut Resolver<'_>, path: &str, name: &str, platforms: &[String]) {
    if platforms.iter().all(|known| known != name) {
        let message = format!("there is no platform `{}`", mask::scrub(name));
        let hint = nearest_or_list(name, platforms.iter().map(String::as_str));
        resolver.fault(ConfigFault::new(FaultCode::NotAllowed, path, message).hint(hint));
    }
}
