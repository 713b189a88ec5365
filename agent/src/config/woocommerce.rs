//! `[[platform]]` of `kind = "woocommerce"`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use schemars::JsonSchema;
use serde::Deserialize;
use sync_core::model::LaneName;

use super::connections::{Connection, ConnectionTable, Parts};
use super::faults::{ConfigFault, FaultCode};
use super::file::MatchWord;
use super::platforms::{PlainHttp, address, reference};
use super::resolve::Resolver;
use crate::platform::woocommerce::{MatchBy, OPEN_STATUSES, PluginUse, WooCommerce, WooSettings};
use crate::platform::{Platform, SETTLE_AFTER};
use crate::secret::SecretRef;

/// More statuses than a shop has.
const STATUSES_MAX: usize = 20;
/// Shorter than any server gives up; longer than any works on.
const SETTLE_RANGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);

/// A WooCommerce shop.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WooTable {
    /// `woocommerce`
    #[schemars(required, extend("const" = "woocommerce"))]
    #[expect(dead_code, reason = "was looked at before the table was read")]
    kind: Option<String>,
    /// Name of the lane, unique.
    #[schemars(extend("default" = "woocommerce"))]
    name: Option<String>,
    /// Address of the site, with its folder if it has one: `https://shop.example.com`. `http://` only on loopback. Required.
    #[schemars(required)]
    url: Option<String>,
    /// Reference to the consumer key (`ck_...`) of a REST key with Read/Write: `env:NAME`, `file:/path` or `credential:NAME`. Required.
    #[schemars(required)]
    consumer_key: Option<String>,
    /// Reference to the consumer secret (`cs_...`) of the same key. Required.
    #[schemars(required)]
    consumer_secret: Option<String>,
    /// What the store's SKU is compared with, exactly; `barcode` is the product's GTIN, UPC, EAN or ISBN.
    #[serde(rename = "match")]
    #[schemars(extend("default" = "sku"))]
    match_by: Option<MatchWord>,
    /// The companion plugin tillsync-stock: `auto` uses it while it is there, `required` relies on it, `off` does without.
    #[schemars(extend("default" = "auto"))]
    plugin: Option<PluginWord>,
    /// Rows of one request (1 to 100): fewer for a slow host.
    #[schemars(extend("default" = 50, "minimum" = 1, "maximum" = 100))]
    rows: Option<i64>,
    /// How long the shop may still work on a request whose reply was lost, before it is looked what became of it.
    #[schemars(extend("default" = "65s"))]
    settle: Option<String>,
    /// Statuses of orders whose goods are off the number and still lie in the store.
    #[schemars(extend("default" = ["processing", "on-hold"]))]
    open_statuses: Option<Vec<String>>,
}

/// Whether the companion plugin is used.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(super) enum PluginWord {
    Auto,
    Required,
    Off,
}

/// Every value checked.
#[derive(Debug, Clone)]
struct WooConfig {
    name: LaneName,
    url: String,
    consumer_key: SecretRef,
    consumer_secret: SecretRef,
    match_by: MatchBy,
    plugin: PluginUse,
    rows_max: usize,
    settle_after: Duration,
    open_statuses: Vec<String>,
}

impl ConnectionTable for WooTable {
    fn resolve(self: Box<Self>, resolver: &mut Resolver<'_>, path: &str) -> Option<Arc<dyn Connection>> {
        let key = |name: &str| format!("{path}.{name}");
        let name = self.name.unwrap_or_else(|| "woocommerce".to_owned());
        resolver.name("platform", &key("name"), &name);
        let url = resolver
            .required(&key("url"), self.url, "the address of the site, as `https://shop.example.com`")
            .and_then(|url| address(resolver, &key("url"), &url, PlainHttp::Loopback));
        let mut secret = |name: &str, value: Option<String>| {
            let hint =
                "make a REST key with Read/Write under WooCommerce, Settings, Advanced, and refer to it, as `env:NAME`";
            let text = resolver.required(&key(name), value, hint)?;
            reference(resolver, &key(name), &text)
        };
        let consumer_key = secret("consumer_key", self.consumer_key);
        let consumer_secret = secret("consumer_secret", self.consumer_secret);
        let rows: u32 = resolver.number(&key("rows"), self.rows, 1..=100, 50);
        let settle_after = resolver.duration(&key("settle"), self.settle.as_deref(), SETTLE_RANGE, SETTLE_AFTER);
        let open_statuses = statuses(resolver, &key("open_statuses"), self.open_statuses);
        Some(Arc::new(WooConfig {
            name: LaneName::new(name),
            url: url?,
            consumer_key: consumer_key?,
            consumer_secret: consumer_secret?,
            match_by: match self.match_by {
                None | Some(MatchWord::Sku) => MatchBy::Sku,
                Some(MatchWord::Barcode) => MatchBy::Barcode,
                Some(MatchWord::SkuThenBarcode) => MatchBy::SkuThenBarcode,
            },
            plugin: match self.plugin {
                None | Some(PluginWord::Auto) => PluginUse::Auto,
                Some(PluginWord::Required) => PluginUse::Required,
                Some(PluginWord::Off) => PluginUse::Off,
            },
            rows_max: usize::try_from(rows).unwrap_or(1),
            settle_after,
            open_statuses,
        }))
    }
}

fn statuses(resolver: &mut Resolver<'_>, key: &str, given: Option<Vec<String>>) -> Vec<String> {
    let usual = || OPEN_STATUSES.map(str::to_owned).to_vec();
    let Some(given) = given else { return usual() };
    let is_word = |status: &String| {
        !status.is_empty()
            && status.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
    };
    if !given.is_empty() && given.len() <= STATUSES_MAX && given.iter().all(is_word) {
        return given;
    }
    let fault = ConfigFault::new(FaultCode::NotAllowed, key, "`open_statuses` holds what is no status of an order");
    resolver.fault(fault.hint("write the short names without `wc-`, as `[\"processing\", \"on-hold\", \"ready\"]`"));
    usual()
}

impl Connection for WooConfig {
    fn name(&self) -> &LaneName {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "woocommerce"
    }

    fn secrets(&self) -> Vec<(String, &SecretRef)> {
        vec![("consumer_key".to_owned(), &self.consumer_key), ("consumer_secret".to_owned(), &self.consumer_secret)]
    }

    fn connect(&self, parts: &Parts) -> anyhow::Result<Arc<dyn Platform>> {
        let url = self.url.parse().with_context(|| format!("`{}` is no address", self.url))?;
        let mut settings =
            WooSettings::new(url, self.consumer_key.clone(), self.consumer_secret.clone(), parts.store.clone());
        settings.match_by = self.match_by;
        settings.plugin = self.plugin;
        settings.rows_max = self.rows_max;
        settings.settle_after = self.settle_after;
        settings.open_statuses.clone_from(&self.open_statuses);
        settings.prices = parts.values.prices;
        settings.backorder_while_incoming = parts.values.backorder_while_incoming;
        Ok(Arc::new(WooCommerce::new(settings, parts.http.clone(), parts.wall.clone())))
    }
}
