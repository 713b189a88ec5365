//! `kind = "square"`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use sync_core::model::LaneName;

use super::{Connection, ConnectionTable, Parts};
use crate::config::faults::{ConfigFault, FaultCode};
use crate::config::file::MatchWord;
use crate::config::platforms::{PlainHttp, address, match_by, reference};
use crate::config::resolve::Resolver;
use crate::platform::Platform;
use crate::platform::square::{BASE_URL, Square, SquareSettings};
use crate::secret::SecretRef;

/// A Square seller and the location whose stock this store is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct SquareTable {
    /// `square`
    #[schemars(required, extend("const" = "square"))]
    #[expect(dead_code, reason = "was looked at before the table was read")]
    kind: Option<String>,
    /// Name of the lane, unique.
    #[schemars(extend("default" = "square"))]
    name: Option<String>,
    /// Address to use in place of Square's own, e.g. the sandbox's; `http://` only on loopback.
    #[schemars(extend("default" = "https://connect.squareup.com"))]
    base_url: Option<String>,
    /// Id of the location whose stock this store is.
    #[schemars(required)]
    location: Option<String>,
    /// Reference to an access token: `env:NAME`, `file:/path` or `credential:NAME`.
    #[schemars(required)]
    token: Option<String>,
    /// Which field of a variation is the POS's article number.
    r#match: Option<MatchWord>,
}

#[derive(Debug)]
struct SquareConfig {
    name: LaneName,
    token: SecretRef,
    settings: SquareSettings,
    key: String,
}

impl ConnectionTable for SquareTable {
    fn resolve(self: Box<Self>, resolver: &mut Resolver<'_>, path: &str) -> Option<Arc<dyn Connection>> {
        let key = |name: &str| format!("{path}.{name}");
        let name = self.name.unwrap_or_else(|| "square".to_owned());
        resolver.name("platform", &key("name"), &name);
        let base_url = self.base_url.unwrap_or_else(|| BASE_URL.to_owned());
        let base_url = address(resolver, &key("base_url"), &base_url, PlainHttp::Loopback);
        let location = resolver
            .required(&key("location"), self.location, "the location's id in the Square developer console")
            .and_then(|location| location_id(resolver, &key("location"), location));
        let token = resolver
            .required(&key("token"), self.token, "a reference to an access token, as `file:/etc/tillsync/token`")
            .and_then(|token| reference(resolver, &key("token"), &token));
        let (token, url) = (token?, base_url?.parse().ok()?);
        let settings =
            SquareSettings { match_by: match_by(self.r#match), ..SquareSettings::new(url, location?, token.clone()) };
        Some(Arc::new(SquareConfig { name: LaneName::new(name), token, settings, key: key("token") }))
    }
}

/// It becomes part of an address.
fn location_id(resolver: &mut Resolver<'_>, key: &str, text: String) -> Option<String> {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        return Some(text);
    }
    let fault = ConfigFault::new(FaultCode::NotAllowed, key, "this is not a location's id".to_owned());
    resolver.fault(fault.hint("letters and digits, as the Square developer console shows it; not the location's name"));
    None
}

impl Connection for SquareConfig {
    fn name(&self) -> &LaneName {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "square"
    }

    fn secrets(&self) -> Vec<(String, &SecretRef)> {
        vec![(self.key.clone(), &self.token)]
    }

    fn connect(&self, parts: &Parts) -> anyhow::Result<Arc<dyn Platform>> {
        anyhow::ensure!(!self.settings.base_url.cannot_be_a_base(), "the address of Square takes no path");
        let settings = SquareSettings { prices: parts.values.prices, ..self.settings.clone() };
        Ok(Arc::new(Square::new(settings, parts.http.clone(), Arc::clone(&parts.wall))))
    }
}
