//! From the configuration to live parts: platform connections and source readers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pos_adapters::articles::ArticleSource;
use pos_adapters::{PosSource, SecretReader, SourceContext};
use sync_core::retry::RetryLimits;

use crate::clock::Clock;
use crate::config::{
    Config, HttpConfig, MatchBy, Parts, PlainOrSecret, PlatformConfig, ShopifyAuth, ShopifyConfig, SourceConfig, Trust,
    WantedValues,
};
use crate::platform::http::{HeaderText, Http, HttpSettings};
use crate::platform::shopify::{self, Shopify, ShopifySettings};
use crate::platform::transport::{self, HttpClient, TransportSettings, WallClock};
use crate::platform::{OrdersSince, Platform};
use crate::secret::SecretRef;
use crate::writer::orders::OnlineSettings;
use crate::writer::{LaneSpec, SourceSpec};

/// Installs the TLS provider of the process. Must come before any client is built.
pub fn install_tls() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("A TLS provider was installed before");
    }
}

/// One lane for each platform, and one for each kind of values that it takes.
///
/// # Errors
/// The first platform that cannot be set up.
pub fn lanes(config: &Config, clock: &Arc<Clock>) -> anyhow::Result<Vec<LaneSpec>> {
    let http = transport::client(&TransportSettings::default())?;
    let look_up_retry = RetryLimits { first: config.look_up.retry_first, max: config.look_up.retry_most };
    let lane = |name: String, kind, platform| LaneSpec {
        name,
        kind,
        platform,
        look_up_retry,
        retry: RetryLimits::default(),
        probe: RetryLimits { first: Duration::from_secs(10), max: Duration::from_secs(120) },
    };
    let mut lanes = Vec::new();
    for platform in &config.platforms {
        let (name, kind) = (platform.name().to_string(), platform.kind());
        let connected =
            connect(platform, config, &http, clock).with_context(|| format!("cannot set up platform `{name}`"))?;
        let sides = [("prices", connected.prices()), ("incoming", connected.incoming())];
        lanes.push(lane(name.clone(), kind, connected));
        for (side, platform) in sides {
            lanes.extend(platform.map(|platform| lane(format!("{name}/{side}"), kind, platform)));
        }
    }
    Ok(lanes)
}

fn connect(
    platform: &PlatformConfig,
    config: &Config,
    http: &HttpClient,
    clock: &Arc<Clock>,
) -> anyhow::Result<Arc<dyn Platform>> {
    let clock = Arc::clone(clock);
    let wall: WallClock = Arc::new(move || clock.now());
    Ok(match platform {
        PlatformConfig::Shopify(shopify) => {
            Arc::new(Shopify::new(shopify_settings(shopify, config)?, http.clone(), wall))
        }
        PlatformConfig::Other(other) => other.connect(&Parts {
            http: http.clone(),
            wall,
            store: config.store.id.to_string(),
            values: WantedValues::of(&config.feeds),
        })?,
        PlatformConfig::Http(door) => {
            let http = trusting(&door.trust)?.unwrap_or_else(|| http.clone());
            Arc::new(Http::new(http_settings(door, config)?, http, wall))
        }
    })
}

/// A client for a receiver that the system's authorities do not vouch for.
fn trusting(trust: &Trust) -> anyhow::Result<Option<HttpClient>> {
    let mut settings = TransportSettings::default();
    match trust {
        Trust::System => return Ok(None),
        Trust::Ca(path) => {
            let pem = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            settings.extra_ca_pem = Some(pem);
        }
        Trust::Fingerprint(digest) => settings.pinned = Some(*digest),
    }
    Ok(Some(transport::client(&settings)?))
}

fn shopify_settings(config: &ShopifyConfig, whole: &Config) -> anyhow::Result<ShopifySettings> {
    let base = config.base_url.parse().with_context(|| format!("`{}` is no address", config.base_url))?;
    let auth = match &config.auth {
        ShopifyAuth::Token(token) => shopify::Auth::StaticToken(token.clone()),
        ShopifyAuth::ClientCredentials { client_id, client_secret } => shopify::Auth::ClientCredentials {
            client_id: match client_id {
                PlainOrSecret::Plain(text) => text.clone(),
                PlainOrSecret::Secret(reference) => reference.read()?.expose().to_owned(),
            },
            client_secret: client_secret.clone(),
        },
    };
    let mut settings = ShopifySettings::new(base, shopify::Location::parse(&config.location), auth);
    settings.match_by = match config.match_by {
        MatchBy::Sku => shopify::MatchBy::Sku,
        MatchBy::Barcode => shopify::MatchBy::Barcode,
        MatchBy::SkuThenBarcode => shopify::MatchBy::SkuThenBarcode,
    };
    settings.in_flight_max = config.in_flight_max;
    settings.activate_missing = config.activate_missing;
    let wanted = WantedValues::of(&whole.feeds);
    settings.prices = wanted.prices;
    settings.incoming = wanted.incoming;
    settings.backorder_while_incoming = wanted.backorder_while_incoming;
    // Another scope is needed, so only where it is used.
    settings.orders = whole.online_orders.is_decided;
    Ok(settings)
}

fn http_settings(door: &HttpConfig, config: &Config) -> anyhow::Result<HttpSettings> {
    let url = door.url.parse().context("the url of the platform is no address")?;
    let mut settings = HttpSettings::new(url, config.store.id.clone());
    settings.secret = door.secret.clone();
    settings.merge = door.merge;
    settings.contents = door.contents;
    settings.changes_max = door.changes_max;
    settings.in_flight_max = door.in_flight_max;
    settings.headers = door
        .headers
        .iter()
        .map(|(name, value)| {
            let value = match value {
                PlainOrSecret::Plain(text) => HeaderText::Plain(text.clone()),
                PlainOrSecret::Secret(reference) => HeaderText::Secret(reference.clone()),
            };
            (name.clone(), value)
        })
        .collect();
    Ok(settings)
}

/// The reader of a source.
///
/// # Errors
/// What its settings lack.
pub fn source(source: &SourceConfig, config: &Config) -> anyhow::Result<Box<dyn PosSource>> {
    let reader = source.open(&source_context(source, config)).map_err(|faults| {
        let list: Vec<String> = faults.into_iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect();
        anyhow::anyhow!("source `{}`: {}", source.name(), list.join("; "))
    })?;
    Ok(match &config.articles {
        Some(articles) if articles.is_for(source.name()) => {
            Box::new(ArticleSource::new(reader, articles.clone(), source.name()))
        }
        Some(_) | None => reader,
    })
}

/// What a source may know.
pub fn source_context(source: &SourceConfig, config: &Config) -> SourceContext {
    SourceContext {
        store: config.store.id.to_string(),
        zone: config.store.timezone.clone(),
        own_files: config.state.path.join("sources").join(source.name()),
        secrets: Arc::new(Secrets),
    }
}

/// What the writer needs to know of online orders, and the connections that have some: index and name of the lane.
#[must_use]
pub fn online(config: &Config, lanes: &[LaneSpec]) -> (OnlineSettings, Vec<OrderLane>) {
    let (mut pollers, mut picks, mut soon) = (Vec::new(), Vec::new(), Vec::new());
    for (index, lane) in lanes.iter().enumerate() {
        // Only asked whether there are any; nothing is sent until the call is waited for.
        let has_orders = lane.platform.orders(OrdersSince::default()).is_some();
        picks.push(has_orders.then(|| config.online_orders.picks_of(&lane.name)));
        soon.push(has_orders.then(Arc::default));
        if let Some(Some(soon)) = soon.last() {
            let platform = Arc::clone(&lane.platform);
            pollers.push(OrderLane { lane: index, name: lane.name.clone(), platform, soon: Arc::clone(soon) });
        }
    }
    (OnlineSettings { recognise: config.online_orders.recognise.clone(), picks, soon }, pollers)
}

/// A connection that has online orders.
pub struct OrderLane {
    /// Index of its lane.
    pub lane: usize,
    /// Name of its lane.
    pub name: String,
    /// The connection.
    pub platform: Arc<dyn Platform>,
    /// Makes them be read at once.
    pub soon: Arc<tokio::sync::Notify>,
}

/// Reads secrets by reference.
#[must_use]
pub fn secrets() -> Arc<dyn SecretReader> {
    Arc::new(Secrets)
}

/// Secrets by reference, read anew each time.
struct Secrets;

impl SecretReader for Secrets {
    fn read(&self, reference: &str) -> Result<String, String> {
        let secret = SecretRef::parse(reference).and_then(|reference| reference.read());
        secret.map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
    }
}

/// What the writer needs to know of each source.
pub fn source_specs(config: &Config) -> Vec<SourceSpec> {
    config
        .sources
        .iter()
        .map(|source| SourceSpec {
            name: source.name().to_owned(),
            vanish_limit_percent: percent(source.vanish_limit()),
        })
        .collect()
}

/// A share as whole percent; the configuration has checked its range.
#[expect(clippy::float_arithmetic, reason = "a share of a count of transactions, never of stock or money")]
fn percent(share: Option<f64>) -> usize {
    const DEFAULT: usize = 20;
    share.map_or(DEFAULT, |share| {
        (0..=100_u8).take_while(|percent| f64::from(*percent) <= share * 100.0 + 0.5).count().saturating_sub(1)
    })
}
