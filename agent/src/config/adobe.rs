//! `[[platform]]` of kind `adobe-commerce`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use sync_core::model::LaneName;

use super::connections::{Connection, ConnectionTable, Parts};
use super::faults::{ConfigFault, FaultCode};
use super::platforms::{PlainHttp, address, reference};
use super::resolve::Resolver;
use crate::platform::Platform;
use crate::platform::adobe::{Adobe, AdobeSettings, Auth, OrdersOf, PAGE, ROWS_MAX};
use crate::secret::SecretRef;

const KIND: &str = "adobe-commerce";
/// Where the REST API of a site on own servers or in Adobe's cloud begins.
const REST: &str = "rest/V1";

/// An Adobe Commerce or Magento Open Source site and the source whose stock this store is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdobeTable {
    /// `adobe-commerce`
    #[schemars(required, extend("const" = "adobe-commerce"))]
    #[expect(dead_code, reason = "read before the table is")]
    kind: Option<String>,
    /// Name of the lane, unique among platforms: 1 to 64 letters, digits, `-`, `_` or `.`.
    #[schemars(extend("default" = "adobe-commerce"))]
    name: Option<String>,
    /// The site, as `https://shop.example.com`. Required. Without TLS only on this machine.
    #[schemars(required, extend("example" = "https://shop.example.com"))]
    url: Option<String>,
    /// Where its REST API begins, below `url`.
    #[schemars(extend("default" = "rest/V1"))]
    rest: Option<String>,
    /// Code of the source (Stores, Inventory, Sources) whose stock this store is. Required.
    #[schemars(required)]
    source: Option<String>,
    /// Consumer key of the integration, by reference.
    consumer_key: Option<String>,
    /// Consumer secret of the integration, by reference.
    consumer_secret: Option<String>,
    /// Access token of the integration, by reference.
    access_token: Option<String>,
    /// Access token secret of the integration, by reference.
    access_token_secret: Option<String>,
    /// In place of the four: a bare token, by reference. Off at the platform by default since 2.4.4.
    bearer_token: Option<String>,
    /// In place of the four: name of an admin user.
    username: Option<String>,
    /// Password of the admin user, by reference.
    password: Option<String>,
    /// Most articles of one write (1 to 300): 20 where the site limits input, as it does by default where it limits at all.
    #[schemars(extend("default" = 20, "minimum" = 1, "maximum" = 300))]
    rows: Option<i64>,
    /// Objects of one page that is read (1 to 1000).
    #[schemars(extend("default" = 300, "minimum" = 1, "maximum" = 1000))]
    page: Option<i64>,
    /// Assign an article to the source by itself, if it is not yet.
    #[schemars(extend("default" = false))]
    assign_missing: Option<bool>,
    /// Call articles "in stock" at zero too: for sites that take backorders.
    #[schemars(extend("default" = false))]
    in_stock_at_zero: Option<bool>,
    /// Online orders that this store hands over: `pickup` are those that are collected here; `all` for a site with one source.
    #[schemars(extend("default" = "pickup"))]
    orders: Option<OrdersWord>,
    /// Store view whose prices the POS sets (0 to 65535); 0 is the default scope of all.
    #[schemars(extend("default" = 0, "minimum" = 0, "maximum" = 65535))]
    price_store_view: Option<i64>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(super) enum OrdersWord {
    Pickup,
    All,
}

/// Every value checked.
#[derive(Debug)]
struct AdobeConfig {
    name: LaneName,
    settings: AdobeSettings,
    price_store_view: u32,
}

impl ConnectionTable for AdobeTable {
    fn resolve(self: Box<Self>, resolver: &mut Resolver<'_>, path: &str) -> Option<Arc<dyn Connection>> {
        let key = |name: &str| format!("{path}.{name}");
        let auth = self.auth(resolver, path);
        let name = self.name.unwrap_or_else(|| KIND.to_owned());
        resolver.name("platform", &key("name"), &name);
        let url = resolver
            .required(&key("url"), self.url, "the address of the site, as `https://shop.example.com`")
            .and_then(|url| address(resolver, &key("url"), &url, PlainHttp::Loopback));
        let hint = "the code of the source, see Stores, Inventory, Sources in the site's admin";
        let source = resolver.required(&key("source"), self.source, hint);
        let rows: u32 = resolver.number(&key("rows"), self.rows, 1..=300, u32::try_from(ROWS_MAX).unwrap_or(20));
        let page: u32 = resolver.number(&key("page"), self.page, 1..=1000, u32::try_from(PAGE).unwrap_or(300));
        let price_store_view: u32 = resolver.number(&key("price_store_view"), self.price_store_view, 0..=65535, 0);
        let rest = self.rest.unwrap_or_else(|| REST.to_owned());
        let rest_url = format!("{}/{}", url?.trim_end_matches('/'), rest.trim_matches('/'));
        let mut settings = AdobeSettings::new(rest_url.parse().ok()?, &source?, auth?);
        settings.rows_max = usize::try_from(rows).unwrap_or(ROWS_MAX);
        settings.page = usize::try_from(page).unwrap_or(PAGE);
        settings.assign_missing = self.assign_missing.unwrap_or(false);
        settings.in_stock_at_zero = self.in_stock_at_zero.unwrap_or(false);
        settings.orders = match self.orders {
            None | Some(OrdersWord::Pickup) => OrdersOf::Pickup,
            Some(OrdersWord::All) => OrdersOf::All,
        };
        Some(Arc::new(AdobeConfig { name: LaneName::new(name), settings, price_store_view }))
    }
}

impl AdobeTable {
    /// One way to prove who we are, and all of it.
    fn auth(&self, resolver: &mut Resolver<'_>, path: &str) -> Option<Auth> {
        let key = |name: &str| format!("{path}.{name}");
        let four = [
            ("consumer_key", &self.consumer_key),
            ("consumer_secret", &self.consumer_secret),
            ("access_token", &self.access_token),
            ("access_token_secret", &self.access_token_secret),
        ];
        let any_of_four = four.iter().any(|(_, value)| value.is_some());
        let admin = self.username.is_some() || self.password.is_some();
        let ways = [any_of_four, self.bearer_token.is_some(), admin];
        if ways.iter().filter(|given| **given).count() > 1 {
            let message = "the integration's four credentials, `bearer_token` and `username` exclude each other";
            let fault = ConfigFault::new(FaultCode::NotAllowed, path, message);
            resolver.fault(fault.hint("keep the four credentials of an integration"));
            return None;
        }
        if let Some(token) = &self.bearer_token {
            return reference(resolver, &key("bearer_token"), token).map(Auth::Bearer);
        }
        if admin {
            let hint = "`username` and `password` go together";
            let username = resolver.required(&key("username"), self.username.clone(), hint);
            let password = resolver.required(&key("password"), self.password.clone(), hint)?;
            let password = reference(resolver, &key("password"), &password)?;
            return Some(Auth::Admin { username: username?, password });
        }
        let mut found = Vec::new();
        for (name, value) in four {
            let hint = "System, Integrations in the site's admin shows four credentials; refer to each, as `file:/etc/tillsync/…`";
            let text = resolver.required(&key(name), value.clone(), hint);
            found.push(text.and_then(|text| reference(resolver, &key(name), &text)));
        }
        let [consumer_key, consumer_secret, access_token, access_token_secret] =
            <[Option<SecretRef>; 4]>::try_from(found).ok()?;
        Some(Auth::Integration {
            consumer_key: consumer_key?,
            consumer_secret: consumer_secret?,
            access_token: access_token?,
            access_token_secret: access_token_secret?,
        })
    }
}

impl Connection for AdobeConfig {
    fn name(&self) -> &LaneName {
        &self.name
    }

    fn kind(&self) -> &'static str {
        KIND
    }

    fn secrets(&self) -> Vec<(String, &SecretRef)> {
        let named = |name: &str, reference| (name.to_owned(), reference);
        match &self.settings.auth {
            Auth::Integration { consumer_key, consumer_secret, access_token, access_token_secret } => vec![
                named("consumer_key", consumer_key),
                named("consumer_secret", consumer_secret),
                named("access_token", access_token),
                named("access_token_secret", access_token_secret),
            ],
            Auth::Bearer(token) => vec![named("bearer_token", token)],
            Auth::Admin { password, .. } => vec![named("password", password)],
        }
    }

    fn connect(&self, parts: &Parts) -> anyhow::Result<Arc<dyn Platform>> {
        let mut settings = self.settings.clone();
        settings.prices = parts.values.prices.then_some(self.price_store_view);
        Ok(Arc::new(Adobe::new(settings, parts.http.clone(), Arc::clone(&parts.wall))))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, ConfigFaults};
    use super::*;

    const FOUR: &str = "consumer_key = \"env:A\"\nconsumer_secret = \"env:B\"\naccess_token = \"env:C\"\naccess_token_secret = \"env:D\"\n";

    fn load(more: &str) -> Result<Config, ConfigFaults> {
        let text = format!(
            "[store]\nid = \"s1\"\n[state]\npath = \"/var/lib/tillsync\"\n[[source]]\nname = \"a\"\nkind = \"file\"\npath = \"/x\"\nformat = \"jsonl\"\n\
             columns = {{ transaction = \"t\", sku = \"s\", quantity = \"q\" }}\n\
             [[platform]]\nkind = \"adobe-commerce\"\nurl = \"https://shop.example.com/\"\n{more}"
        );
        super::super::parse(&text, Path::new("agent.toml"))
    }

    #[test]
    fn four_credentials_make_an_integration() {
        let config = load(&format!("source = \"shop-1\"\n{FOUR}")).unwrap_or_else(|faults| panic!("{faults}"));
        let platform = &config.platforms[0];
        assert_eq!((platform.name().to_string().as_str(), platform.kind()), (KIND, KIND));
        assert_eq!(platform.secrets().len(), 4);
    }

    #[test]
    fn what_is_missing_is_named_at_once_and_ways_do_not_mix() {
        let faults = load("consumer_key = \"env:A\"\nrows = 1000\n").unwrap_err().to_string();
        for expected in ["source", "consumer_secret", "access_token_secret", "rows"] {
            assert!(faults.contains(expected), "{expected}: {faults}");
        }
        let faults = load(&format!("source = \"s\"\nbearer_token = \"env:T\"\n{FOUR}")).unwrap_err().to_string();
        assert!(faults.contains("exclude each other"), "{faults}");
        let faults = load("source = \"s\"\nusername = \"till\"\npassword = \"hunter2\"\n").unwrap_err().to_string();
        assert!(faults.contains("reference") && !faults.contains("hunter2"), "{faults}");
    }
}
