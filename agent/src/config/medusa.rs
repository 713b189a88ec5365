//! `[[platform]]` of kind `medusa`.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sync_core::model::LaneName;

use super::connections::{Connection, ConnectionTable, Parts};
use super::faults::{ConfigFault, FaultCode};
use super::file::MatchWord;
use super::platforms::{PlainHttp, address, reference};
use super::resolve::Resolver;
use crate::platform::{Platform, SETTLE_AFTER};
use crate::platform::medusa::{Location, MatchBy, Medusa, MedusaSettings};
use crate::secret::SecretRef;

const KIND: &str = "medusa";
/// What `settle` may be.
pub(super) const SETTLE_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);

/// A Medusa shop and the stock location whose stock this store is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MedusaTable {
    /// `medusa`
    #[schemars(required, extend("const" = "medusa"))]
    #[expect(dead_code, reason = "read before the table is")]
    kind: Option<String>,
    /// Name of the lane, unique among platforms: 1 to 64 letters, digits, `-`, `_` or `.`.
    #[schemars(extend("default" = "medusa"))]
    name: Option<String>,
    /// The Medusa server, as `https://shop.example.com`: what stands in front of `/admin`. Required. Without TLS only on this
    /// machine.
    #[schemars(required, extend("example" = "https://shop.example.com"))]
    url: Option<String>,
    /// The stock location: its id (`sloc_…`), or its name if no other has the same one. Required.
    #[schemars(required)]
    location: Option<String>,
    /// A secret API key (Settings, Secret API keys), by reference. Required.
    #[schemars(required, extend("example" = "file:/etc/tillsync/medusa-key"))]
    key: Option<String>,
    /// Which field of a variant is the POS's article number: `barcode` is its EAN, UPC or barcode.
    #[serde(rename = "match")]
    #[schemars(extend("default" = "sku"))]
    match_by: Option<MatchWord>,
    /// Currency of the prices that the POS sets, as `eur`. Default: the shop's default currency.
    currency: Option<String>,
    /// Most writes at a time (1 to 16).
    #[schemars(extend("default" = 2, "minimum" = 1, "maximum" = 16))]
    in_flight: Option<i64>,
    /// How long the server may still work on a request whose reply was lost (`1s` to `10m`): longer than its own time limits,
    /// and those of a proxy before it.
    #[schemars(extend("default" = "65s"))]
    settle: Option<String>,
    /// Stock a variant at the location by itself, with 0, if it is not stocked there yet.
    #[schemars(extend("default" = false))]
    activate_missing: Option<bool>,
}

/// Every value checked.
#[derive(Debug)]
struct MedusaConfig {
    name: LaneName,
    settings: MedusaSettings,
}

impl ConnectionTable for MedusaTable {
    fn resolve(self: Box<Self>, resolver: &mut Resolver<'_>, path: &str) -> Option<Arc<dyn Connection>> {
        let key = |name: &str| format!("{path}.{name}");
        let name = self.name.unwrap_or_else(|| KIND.to_owned());
        resolver.name("platform", &key("name"), &name);
        let url = resolver
            .required(&key("url"), self.url, "the address of the Medusa server, as `https://shop.example.com`")
            .and_then(|url| address(resolver, &key("url"), &url, PlainHttp::Loopback));
        let hint =
            "the id (`sloc_…`) or the unique name of the stock location, see Settings, Locations in the shop's admin";
        let location = resolver.required(&key("location"), self.location, hint);
        let secret = resolver
            .required(&key("key"), self.key, "refer to a secret API key, as `key = \"file:/etc/tillsync/medusa-key\"`")
            .and_then(|text| reference(resolver, &key("key"), &text));
        let currency = self.currency.and_then(|text| currency(resolver, &key("currency"), &text));
        let in_flight: u32 = resolver.number(&key("in_flight"), self.in_flight, 1..=16, 2);
        let settle = resolver.duration(&key("settle"), self.settle.as_deref(), SETTLE_RANGE, SETTLE_AFTER);
        let mut settings = MedusaSettings::new(url?.parse().ok()?, Location::parse(&location?), secret?);
        settings.match_by = match self.match_by {
            None | Some(MatchWord::Sku) => MatchBy::Sku,
            Some(MatchWord::Barcode) => MatchBy::Barcode,
            Some(MatchWord::SkuThenBarcode) => MatchBy::SkuThenBarcode,
        };
        settings.currency = currency.map(|currency| currency.to_ascii_lowercase());
        settings.in_flight_max = usize::try_from(in_flight).unwrap_or(1);
        settings.settle_after = settle;
        settings.activate_missing = self.activate_missing.unwrap_or(false);
        Some(Arc::new(MedusaConfig { name: LaneName::new(name), settings }))
    }
}

/// Three letters, in whatever case.
pub(super) fn currency(resolver: &mut Resolver<'_>, key: &str, text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Some(text.to_owned());
    }
    let fault = ConfigFault::new(FaultCode::NotAllowed, key, "this is no currency".to_owned());
    resolver.fault(fault.hint("write its three letters, as `EUR`"));
    None
}

impl Connection for MedusaConfig {
    fn name(&self) -> &LaneName {
        &self.name
    }

    fn kind(&self) -> &'static str {
        KIND
    }

    fn secrets(&self) -> Vec<(String, &SecretRef)> {
        vec![("key".to_owned(), &self.settings.key)]
    }

    fn connect(&self, parts: &Parts) -> anyhow::Result<Arc<dyn Platform>> {
        let mut settings = self.settings.clone();
        settings.prices = parts.values.prices;
        settings.incoming = parts.values.incoming;
        settings.backorder_while_incoming = parts.values.backorder_while_incoming;
        Ok(Arc::new(Medusa::new(settings, parts.http.clone(), Arc::clone(&parts.wall))))
    }
}
