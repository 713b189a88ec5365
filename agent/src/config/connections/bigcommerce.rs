//! `kind = "bigcommerce"`.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sync_core::model::LaneName;

use super::{Connection, ConnectionTable, Parts};
use crate::config::faults::{ConfigFault, FaultCode};
use crate::config::file::MatchWord;
use crate::config::platforms::{PlainHttp, address, match_by, reference};
use crate::config::resolve::Resolver;
use crate::platform::bigcommerce::{API_BASE, BigCommerce, BigCommerceSettings, READ_LAG, Ships, StockFalls};
use crate::platform::{Platform, SETTLE_AFTER};
use crate::secret::SecretRef;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_mins(10);

/// A BigCommerce store and the location whose stock this store is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct BigCommerceTable {
    /// `bigcommerce`
    #[schemars(required, extend("const" = "bigcommerce"))]
    #[expect(dead_code, reason = "was looked at before the table was read")]
    kind: Option<String>,
    /// Name of the lane, unique.
    #[schemars(extend("default" = "bigcommerce"))]
    name: Option<String>,
    /// The store's hash: the part after `/stores/` in the API path of the API account. Required unless `base_url` is given.
    store_hash: Option<String>,
    /// Address to use in place of the store's own; `http://` only on loopback.
    base_url: Option<String>,
    /// Id of the location whose stock this store is; 1 is the default location.
    #[schemars(range(min = 1), extend("default" = 1))]
    location: Option<i64>,
    /// Id of the channel whose inventory settings count. Without it the store's own.
    channel: Option<i64>,
    /// Reference to the access token of a store-level API account: `env:NAME`, `file:/path` or `credential:NAME`.
    #[schemars(required)]
    token: Option<String>,
    /// Which field of a variant is the POS's article number.
    r#match: Option<MatchWord>,
    /// When the shop's own number falls for an online order, as its inventory settings say. Required: numbers are compared
    /// by it.
    #[schemars(required)]
    stock_falls: Option<StockFallsWord>,
    /// Orders that are shipped go out from this store.
    #[schemars(extend("default" = true))]
    ships_orders: Option<bool>,
    /// How long an accepted change may take to show; numbers are not read before.
    #[schemars(extend("default" = "10s"))]
    read_lag: Option<String>,
    /// How long the shop may still work on a request whose reply was lost.
    #[schemars(extend("default" = "65s"))]
    settle: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum StockFallsWord {
    /// When a customer places an order.
    OrderPlaced,
    /// When it is shipped or completed.
    OrderShipped,
}

#[derive(Debug)]
struct BigCommerceConfig {
    name: LaneName,
    token: SecretRef,
    settings: BigCommerceSettings,
    key: String,
}

impl ConnectionTable for BigCommerceTable {
    fn resolve(self: Box<Self>, resolver: &mut Resolver<'_>, path: &str) -> Option<Arc<dyn Connection>> {
        let key = |name: &str| format!("{path}.{name}");
        let name = self.name.unwrap_or_else(|| "bigcommerce".to_owned());
        resolver.name("platform", &key("name"), &name);
        let base_url = match (self.base_url, self.store_hash) {
            (Some(_), Some(_)) => {
                let message = "`store_hash` and `base_url` exclude each other";
                let fault = ConfigFault::new(FaultCode::NotAllowed, key("base_url"), message);
                resolver.fault(fault.hint("keep `store_hash`; `base_url` is for tests and proxies"));
                None
            }
            (Some(url), None) => address(resolver, &key("base_url"), &url, PlainHttp::Loopback),
            (None, hash) => resolver
                .required(&key("store_hash"), hash, "the part after `/stores/` in the API path of the API account")
                .and_then(|hash| store_address(resolver, &key("store_hash"), &hash)),
        };
        let token = resolver
            .required(
                &key("token"),
                self.token,
                "a reference to the API account's token, as `file:/etc/tillsync/token`",
            )
            .and_then(|token| reference(resolver, &key("token"), &token));
        let stock_falls = stock_falls(resolver, &key("stock_falls"), self.stock_falls);
        let location: u32 = resolver.number(&key("location"), self.location, 1..=i64::from(i32::MAX), 1);
        let durations = SHORTEST..=LONGEST;
        let read_lag = resolver.duration(&key("read_lag"), self.read_lag.as_deref(), durations.clone(), READ_LAG);
        let settle_after = resolver.duration(&key("settle"), self.settle.as_deref(), durations, SETTLE_AFTER);
        let (token, url) = (token?, base_url?.parse().ok()?);
        let settings = BigCommerceSettings {
            channel: self.channel,
            match_by: match_by(self.r#match),
            ships: if self.ships_orders.unwrap_or(true) { Ships::Here } else { Ships::Elsewhere },
            read_lag,
            settle_after,
            ..BigCommerceSettings::new(url, i64::from(location), token.clone(), stock_falls?)
        };
        Some(Arc::new(BigCommerceConfig { name: LaneName::new(name), token, settings, key: key("token") }))
    }
}

fn store_address(resolver: &mut Resolver<'_>, key: &str, hash: &str) -> Option<String> {
    if !hash.is_empty() && hash.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Some(format!("{API_BASE}/{hash}"));
    }
    let fault = ConfigFault::new(FaultCode::NotAllowed, key, "this is not a store's hash".to_owned());
    resolver.fault(fault.hint("letters and digits, as in `https://api.bigcommerce.com/stores/<hash>/v3/`"));
    None
}

fn stock_falls(resolver: &mut Resolver<'_>, key: &str, word: Option<StockFallsWord>) -> Option<StockFalls> {
    match word {
        Some(StockFallsWord::OrderPlaced) => Some(StockFalls::OrderPlaced),
        Some(StockFallsWord::OrderShipped) => Some(StockFalls::OrderShipped),
        None => {
            let hint =
                "`order-placed` or `order-shipped`, as the shop's inventory settings say; `check --online` compares";
            resolver.required(key, None, hint);
            None
        }
    }
}

impl Connection for BigCommerceConfig {
    fn name(&self) -> &LaneName {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "bigcommerce"
    }

    fn secrets(&self) -> Vec<(String, &SecretRef)> {
        vec![(self.key.clone(), &self.token)]
    }

    fn connect(&self, parts: &Parts) -> anyhow::Result<Arc<dyn Platform>> {
        anyhow::ensure!(!self.settings.base_url.cannot_be_a_base(), "the address of the store takes no path");
        let settings = BigCommerceSettings { prices: parts.values.prices, ..self.settings.clone() };
        Ok(Arc::new(BigCommerce::new(settings, parts.http.clone(), Arc::clone(&parts.wall))))
    }
}
