//! The stand-in for Adobe Commerce (Magento Open Source is the same here): multi-source inventory as its REST API shows it.
//!
//! [`commerce`](self) is a pure machine: sources hold numbers, an order takes a reservation, a shipment takes goods off a
//! source and the reservation with them; what can be sold is what the sources hold less what is reserved. Source items are
//! written as numbers, last writer wins, and there is nothing that would tell a repeat. `serve` is the thin HTTP side with
//! OAuth 1.0a. Behaviour after the published OpenAPI 2.4.9, the module's sources and its issues.
//! <https://developer.adobe.com/commerce/webapi/rest/inventory/>

mod commerce;
mod criteria;
mod oauth;
mod serve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use serde::Serialize;

pub use self::commerce::{Commerce, Item, Order, OrderState, Product, Shipment, SourceItem};
pub use self::oauth::Credentials;
use crate::decimal::Decimal;
use crate::faults::{FaultPlan, FaultRule};
use crate::journal::{Cause, Entry, Journal, JournalLine, Origin};
use crate::locked;
use crate::server::Server;

/// Most bytes of one request.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How it is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdobeSettings {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Codes of its sources; the first one holds the stock.
    pub sources: Vec<String>,
    /// Credentials of the integration.
    pub credentials: Credentials,
    /// A bare token is taken as a bearer token (off by default since 2.4.4).
    pub bearer: Option<String>,
    /// Name and password of an admin user that may ask for tokens.
    pub admin: (String, String),
    /// Most items of one list in a request; `None`: no input limiting.
    pub items_max: Option<usize>,
    /// Largest page.
    pub page_max: usize,
    /// Resources that the integration may use.
    pub resources: Vec<String>,
    /// Decides which requests are hit by chance.
    pub seed: u64,
}

impl Default for AdobeSettings {
    fn default() -> Self {
        Self {
            port: 0,
            sources: vec!["main-street".to_owned(), "warehouse".to_owned()],
            credentials: Credentials::made_up(),
            bearer: None,
            admin: ("stand-in-admin".to_owned(), "stand-in-password".to_owned()),
            items_max: Some(20),
            page_max: 300,
            resources: [serve::SOURCES, serve::ORDERS, serve::SHIPMENTS, serve::PRODUCTS].map(str::to_owned).to_vec(),
            seed: 1,
        }
    }
}

/// What it has counted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AdobeStats {
    /// Requests that came in, faulted ones included.
    pub requests: u64,
    /// Writes of source items that were taken.
    pub applied_writes: u64,
    /// Rows of those.
    pub applied_rows: u64,
    /// Requests that no correct client sends: unknown routes, broken bodies, lists or pages over the limit.
    pub invalid_requests: u64,
    /// Requests without valid proof of who sends them.
    pub unauthorised: u64,
    /// Source items for articles that are in no catalogue.
    pub orphans: u64,
    /// Requests by route.
    pub operations: BTreeMap<String, u64>,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// The running stand-in. Its port closes with the last clone.
#[derive(Debug, Clone)]
pub struct StandInAdobe(Arc<Running>);

#[derive(Debug)]
struct Running(Arc<Site>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(mut server) = self.0.server.try_lock() {
            *server = None;
        }
    }
}

impl StandInAdobe {
    /// Starts it on 127.0.0.1.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(settings: AdobeSettings) -> anyhow::Result<Self> {
        let site = Arc::new(Site {
            faults: Mutex::new(FaultPlan::new(settings.seed)),
            server: tokio::sync::Mutex::default(),
            addr: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            state: Mutex::new(State {
                commerce: Commerce::new(&settings.sources),
                journal: Journal::open(None, true)?,
                stats: AdobeStats::default(),
                nonces: oauth::Nonces::default(),
                admin_tokens: Vec::new(),
                settings: settings.clone(),
            }),
        });
        let router = Router::new()
            .fallback(serve::any)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::clone(&site));
        let server = Server::open(settings.port, router).await?;
        *locked(&site.addr) = server.addr();
        *site.server.lock().await = Some(server);
        Ok(Self(Arc::new(Running(site))))
    }

    /// Base address for a client, e.g. `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", locked(&self.addr))
    }
}

impl std::ops::Deref for StandInAdobe {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.0.0
    }
}

/// What can be asked and told about it, apart from its HTTP door.
pub struct Site {
    state: Mutex<State>,
    faults: Mutex<FaultPlan>,
    server: tokio::sync::Mutex<Option<Server>>,
    addr: Mutex<SocketAddr>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("addr", &self.addr).finish_non_exhaustive()
    }
}

pub(crate) struct State {
    pub(crate) settings: AdobeSettings,
    pub(crate) commerce: Commerce,
    pub(crate) journal: Journal,
    pub(crate) stats: AdobeStats,
    pub(crate) nonces: oauth::Nonces,
    pub(crate) admin_tokens: Vec<String>,
}

impl State {
    /// Writes down what changed at a source.
    pub(crate) fn record(&mut self, origin: Origin<'_>, cause: Cause, changes: &[(String, String, Decimal)]) {
        let entries = changes
            .iter()
            .map(|(sku, source, delta)| Entry {
                cause,
                sku: sku.clone(),
                name: "quantity".to_owned(),
                delta: *delta,
                on_hand: self.commerce.source_item(sku, source).map(|item| item.quantity.floor_units()),
                item: Some(sku.clone()),
                location: Some(source.clone()),
                change: None,
                transaction: None,
            })
            .collect();
        self.journal.record(origin, entries);
    }
}

impl Site {
    /// Changes or asks anything of the machine, as the site's own admin would.
    pub fn with<T>(&self, then: impl FnOnce(&mut Commerce) -> T) -> T {
        then(&mut locked(&self.state).commerce)
    }

    /// Puts a simple product into the catalogue with so many at the first source.
    pub fn add_item(&self, sku: &str, quantity: i64) {
        let mut state = locked(&self.state);
        let source = state.settings.sources.first().cloned().unwrap_or_default();
        state.commerce.add_product(sku, "simple");
        state.commerce.set(sku, &source, Decimal::units(quantity), true);
    }

    /// What the first source holds of it.
    #[must_use]
    pub fn quantity(&self, sku: &str) -> Option<Decimal> {
        let state = locked(&self.state);
        let source = state.settings.sources.first()?;
        state.commerce.source_item(sku, source).map(|item| item.quantity)
    }

    /// An order of these articles; `pickup` names the source where it is collected.
    pub fn place_order(&self, lines: &[(&str, i64)], pickup: Option<&str>) -> u64 {
        locked(&self.state).commerce.place_order(lines, pickup)
    }

    /// Ships units of the lines of an order from a source.
    ///
    /// # Errors
    /// What the site says.
    pub fn ship(&self, order: u64, source: &str, units: &[(&str, i64)]) -> Result<u64, String> {
        let mut state = locked(&self.state);
        let (id, changes) = state.commerce.ship(order, source, units)?;
        state.record(Origin::default(), Cause::OrderFulfilled, &changes);
        Ok(id)
    }

    /// Somebody sets the number in the site's own admin, behind the agent's back.
    pub fn change_elsewhere(&self, sku: &str, delta: i64) {
        let mut state = locked(&self.state);
        let source = state.settings.sources.first().cloned().unwrap_or_default();
        let now = state.commerce.source_item(sku, &source).map_or(Decimal::ZERO, |item| item.quantity);
        state.commerce.set(sku, &source, now + Decimal::units(delta), true);
        let change = (sku.to_owned(), source, Decimal::units(delta));
        state.record(Origin::default(), Cause::Elsewhere, &[change]);
    }

    /// Adds a fault behind the others.
    pub fn fault(&self, rule: FaultRule) {
        locked(&self.faults).add(rule);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        locked(&self.faults).replace(Vec::new());
    }

    /// Lets another integration in, and the one before no more.
    pub fn replace_credentials(&self, credentials: Credentials) {
        locked(&self.state).settings.credentials = credentials;
    }

    /// Ends all tokens of admin users.
    pub fn end_admin_tokens(&self) {
        locked(&self.state).admin_tokens.clear();
    }

    /// What it has counted.
    #[must_use]
    pub fn stats(&self) -> AdobeStats {
        let mut stats = locked(&self.state).stats.clone();
        stats.faults.clone_from(locked(&self.faults).fired());
        stats
    }

    /// The journal's lines.
    #[must_use]
    pub fn arrivals(&self) -> Vec<JournalLine> {
        locked(&self.state).journal.lines().to_vec()
    }

    /// Closes the port and breaks all connections; what is being worked on is still applied.
    pub async fn go_down(&self) {
        if let Some(server) = self.server.lock().await.as_mut() {
            server.close().await;
        }
    }

    /// Opens the same port again.
    ///
    /// # Errors
    /// The port was taken meanwhile.
    pub async fn come_up(&self) -> anyhow::Result<()> {
        match self.server.lock().await.as_mut() {
            Some(server) => server.reopen().await,
            None => Ok(()),
        }
    }
}
