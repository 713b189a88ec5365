//! `[[platform]]` of kind `vendure`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use sync_core::model::LaneName;

use super::connections::{Connection, ConnectionTable, Parts};
use super::faults::{ConfigFault, FaultCode};
use super::file::MatchWord;
use super::medusa::{SETTLE_RANGE, currency};
use super::platforms::{PlainHttp, address, reference};
use super::resolve::Resolver;
use crate::platform::vendure::{Location, MatchBy, Vendure, VendureSettings};
use crate::platform::{Platform, SETTLE_AFTER};
use crate::secret::SecretRef;

const KIND: &str = "vendure";

/// A Vendure shop and the stock location whose stock this store is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VendureTable {
    /// `vendure`
    #[schemars(required, extend("const" = "vendure"))]
    #[expect(dead_code, reason = "read before the table is")]
    kind: Option<String>,
    /// Name of the lane, unique among platforms: 1 to 64 letters, digits, `-`, `_` or `.`.
    #[schemars(extend("default" = "vendure"))]
    name: Option<String>,
    /// The Admin API, as `https://shop.example.com/admin-api`. Required. Without TLS only on this machine.
    #[schemars(required, extend("example" = "https://shop.example.com/admin-api"))]
    url: Option<String>,
    /// An API key (Vendure 3.6 or newer), by reference. Required.
    #[schemars(required, extend("example" = "file:/etc/tillsync/vendure-key"))]
    key: Option<String>,
    /// Token of the channel.
    #[schemars(extend("default" = "the default channel"))]
    channel: Option<String>,
    /// The stock location: its number, or its name if no other has the same one. Default: the shop's only one.
    location: Option<String>,
    /// Which field of a variant is the POS's article number.
    #[serde(rename = "match")]
    #[schemars(extend("default" = "sku"))]
    match_by: Option<MatchWord>,
    /// Name of the custom field that holds the barcode, for `match` by barcode.
    barcode_field: Option<String>,
    /// All online orders leave from this location, although the shop has several.
    #[schemars(extend("default" = false))]
    all_orders: Option<bool>,
    /// Currency of the prices that the POS sets, as `EUR`. Default: the channel's default currency.
    currency: Option<String>,
    /// Most writes at a time (1 to 16).
    #[schemars(extend("default" = 2, "minimum" = 1, "maximum" = 16))]
    in_flight: Option<i64>,
    /// How long the server may still work on a request whose reply was lost (`1s` to `10m`): longer than its own time limits,
    /// and those of a proxy before it.
    #[schemars(extend("default" = "65s"))]
    settle: Option<String>,
    /// Stock a variant at the location by itself if it is not stocked there yet.
    #[schemars(extend("default" = false))]
    activate_missing: Option<bool>,
}

/// Every value checked.
#[derive(Debug)]
struct VendureConfig {
    name: LaneName,
    settings: VendureSettings,
}

impl ConnectionTable for VendureTable {
    fn resolve(self: Box<Self>, resolver: &mut Resolver<'_>, path: &str) -> Option<Arc<dyn Connection>> {
        let key = |name: &str| format!("{path}.{name}");
        let name = self.name.unwrap_or_else(|| KIND.to_owned());
        resolver.name("platform", &key("name"), &name);
        let url = resolver
            .required(&key("url"), self.url, "the address of the Admin API, as `https://shop.example.com/admin-api`")
            .and_then(|url| address(resolver, &key("url"), &url, PlainHttp::Loopback));
        let secret = resolver
            .required(&key("key"), self.key, "refer to an API key, as `key = \"file:/etc/tillsync/vendure-key\"`")
            .and_then(|text| reference(resolver, &key("key"), &text));
        let match_by = match_by(resolver, &key("barcode_field"), self.match_by, self.barcode_field);
        let currency = self.currency.and_then(|text| currency(resolver, &key("currency"), &text));
        let in_flight: u32 = resolver.number(&key("in_flight"), self.in_flight, 1..=16, 2);
        let settle = resolver.duration(&key("settle"), self.settle.as_deref(), SETTLE_RANGE, SETTLE_AFTER);
        let mut settings = VendureSettings::new(url?.parse().ok()?, secret?);
        settings.match_by = match_by?;
        settings.channel = self.channel;
        settings.location = self.location.as_deref().map(Location::parse);
        settings.all_orders = self.all_orders.unwrap_or(false);
        settings.currency = currency.map(|currency| currency.to_ascii_uppercase());
        settings.in_flight_max = usize::try_from(in_flight).unwrap_or(1);
        settings.settle_after = settle;
        settings.activate_missing = self.activate_missing.unwrap_or(false);
        Some(Arc::new(VendureConfig { name: LaneName::new(name), settings }))
    }
}

/// The field goes into GraphQL as it is, so only a name is taken.
fn match_by(resolver: &mut Resolver<'_>, key: &str, word: Option<MatchWord>, field: Option<String>) -> Option<MatchBy> {
    let field = match (word, field) {
        (None | Some(MatchWord::Sku), None) => return Some(MatchBy::Sku),
        (None | Some(MatchWord::Sku), Some(_)) => {
            let fault = ConfigFault::new(FaultCode::NotAllowed, key, "articles are matched by SKU".to_owned());
            resolver.fault(fault.hint("take it out, or set `match` to `barcode` or `sku-then-barcode`"));
            return None;
        }
        (Some(_), field) => resolver.required(key, field, "the name of the variant's custom field with the barcode")?,
    };
    let is_name = field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && field.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if !is_name {
        let fault = ConfigFault::new(FaultCode::NotAllowed, key, "this is no name of a field".to_owned());
        resolver.fault(fault.hint("letters, digits and `_`, as in the shop's configuration"));
        return None;
    }
    Some(if matches!(word, Some(MatchWord::Barcode)) {
        MatchBy::Barcode(field)
    } else {
        MatchBy::SkuThenBarcode(field)
    })
}

impl Connection for VendureConfig {
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
        settings.backorder_while_incoming = parts.values.backorder_while_incoming;
        Ok(Arc::new(Vendure::new(settings, parts.http.clone(), Arc::clone(&parts.wall))))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;

    fn faults(table: &str) -> Vec<String> {
        let text = format!(
            "[store]\nid = \"s\"\n[state]\npath = \"/tmp/s\"\n[[source]]\nname = \"t\"\nkind = \"file\"\npath = \"/tmp/t.csv\"\nprofile = \"generic\"\n[[platform]]\n{table}"
        );
        match parse(&text, Path::new("agent.toml")) {
            Ok(_) => Vec::new(),
            Err(faults) => {
                let keys = faults.faults.iter().map(|fault| fault.key.clone());
                let mut keys: Vec<String> = keys.filter(|key| key.contains("platform")).collect();
                keys.sort();
                keys
            }
        }
    }

    #[test]
    fn medusa_and_vendure_name_all_that_is_missing_or_wrong_at_once() {
        let medusa =
            "kind = \"medusa\"\nurl = \"https://shop.example.com\"\nlocation = \"Main Street\"\nkey = \"env:KEY\"\n";
        assert_eq!(faults(medusa), Vec::<String>::new());
        let wrong = "kind = \"medusa\"\nurl = \"http://shop.example.com\"\nkey = \"sk_0123456789\"\ncurrency = \"euro\"\nin_flight = 99\nsettle = \"1d\"\n";
        let keys = ["currency", "in_flight", "key", "location", "settle", "url"];
        assert_eq!(faults(wrong), keys.map(|key| format!("platform[0].{key}")));
        let vendure = "kind = \"vendure\"\nurl = \"https://shop.example.com/admin-api\"\nkey = \"env:KEY\"\n";
        assert_eq!(faults(vendure), Vec::<String>::new());
        assert_eq!(faults(&format!("{vendure}match = \"barcode\"\nbarcode_field = \"ean\"\n")), Vec::<String>::new());
        for field in ["", "barcode_field = \"e-a-n\"\n", "barcode_field = \"1st\"\n"] {
            let table = format!("{vendure}match = \"sku-then-barcode\"\n{field}");
            assert_eq!(faults(&table), ["platform[0].barcode_field"], "{field}");
        }
        assert_eq!(faults(&format!("{vendure}barcode_field = \"ean\"\n")), ["platform[0].barcode_field"]);
    }
}
