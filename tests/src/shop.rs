//! The stand-in shop: a test double that behaves as the Shopify Admin GraphQL API 2026-10 does where the agent
//! relies on it, and that misbehaves on demand.
//!
//! Every request is checked against the platform's real schema first. Stock, idempotency, compare-and-set, user
//! errors and cost throttling follow the published rules; what the stand-in does not know it refuses in so many
//! words. Every change that it applies goes to a journal, which is what the oracle believes. Faults are of
//! [`crate::faults`]; they break TCP connections, not TLS.

mod contract;
mod control;
mod cost;
mod document;
mod idempotency;
mod mutate;
mod search;
mod serve;
mod state;
mod stock;
#[cfg(test)]
mod tests;
mod view;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;

use self::contract::Contract;
pub use self::contract::find_schema;
pub use self::state::ShopStats;
use self::state::State;
pub use self::stock::{Item, Level, Location, NewItem, Order, OrderState, Shipment, gid};
use crate::faults::{FaultPlan, FaultRule};
use crate::journal::{Cause, JournalLine, Origin};
use crate::locked;
use crate::server::Server;

/// Most bytes of one request.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Which schema requests are checked against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SchemaChoice {
    /// The one that [`find_schema`] finds; starting fails if there is none.
    #[default]
    Find,
    /// This file.
    At(PathBuf),
    /// None: requests are not validated. Results prove less.
    Off,
}

/// How the shop is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopSettings {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Its name.
    pub shop_name: String,
    /// The only version it answers.
    pub api_version: String,
    /// Names of its locations; the first one holds the stock.
    pub locations: Vec<String>,
    /// Static access tokens.
    pub tokens: Vec<String>,
    /// Client id and secret for the client-credentials grant.
    pub client: (String, String),
    /// How long an issued token lives, on the shop's clock.
    pub token_lives: Duration,
    /// Access scopes of the app.
    pub scopes: Vec<String>,
    /// Points that the cost bucket holds.
    pub bucket_max: u64,
    /// Points a second that come back.
    pub bucket_restore: u64,
    /// Most points of one request.
    pub query_cost_max: u64,
    /// What requests are checked against.
    pub schema: SchemaChoice,
    /// Where the journal goes.
    pub journal: Option<PathBuf>,
    /// Also keep the journal in memory.
    pub keep_journal: bool,
    /// A key whose attempt was refused with `userErrors` answers `IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED` from
    /// then on, instead of being forgotten.
    pub failures_spend_keys: bool,
    /// Inactive levels take changes in silence, instead of refusing them as not stocked. Either may be found.
    pub inactive_levels_take_changes: bool,
    /// Keys are accepted and not remembered: no honest platform does so.
    pub ignores_keys: bool,
    /// `changeFromQuantity` is accepted and not compared: no honest platform does so.
    pub ignores_expected: bool,
    /// How long a new product stays unknown to the search index, on the shop's clock.
    pub index_delay: Duration,
    /// Decides which requests are hit by chance.
    pub seed: u64,
}

impl Default for ShopSettings {
    fn default() -> Self {
        Self {
            port: 0,
            shop_name: "Stand-in shop".to_owned(),
            api_version: "2026-10".to_owned(),
            locations: vec!["Main street".to_owned()],
            tokens: vec!["stand-in-token".to_owned()],
            client: ("stand-in-client".to_owned(), "stand-in-secret".to_owned()),
            token_lives: Duration::from_secs(86_399),
            scopes: ["read_products", "read_inventory", "write_inventory", "read_locations"]
                .map(str::to_owned)
                .to_vec(),
            bucket_max: 2000,
            bucket_restore: 100,
            query_cost_max: cost::QUERY_COST_MAX,
            schema: SchemaChoice::Find,
            journal: None,
            keep_journal: true,
            failures_spend_keys: false,
            inactive_levels_take_changes: false,
            ignores_keys: false,
            ignores_expected: false,
            index_delay: Duration::ZERO,
            seed: 1,
        }
    }
}

/// The running shop. Its port closes with the last clone.
#[derive(Debug, Clone)]
pub struct StandInShop(Arc<Running>);

#[derive(Debug)]
struct Running(Arc<Shop>);

impl Drop for Running {
    fn drop(&mut self) {
        // The server's routes hold the shop in turn: without this neither would ever go.
        if let Ok(mut server) = self.0.server.try_lock() {
            *server = None;
        }
    }
}

impl StandInShop {
    /// Starts it on 127.0.0.1.
    ///
    /// # Errors
    /// The schema cannot be found or read, the journal cannot be opened, or the port is taken.
    pub async fn start(settings: ShopSettings) -> anyhow::Result<Self> {
        let schema = match &settings.schema {
            SchemaChoice::Off => None,
            SchemaChoice::At(path) => Some(path.clone()),
            SchemaChoice::Find => Some(find_schema().ok_or_else(|| {
                anyhow::anyhow!("no schema of the Shopify Admin API found: name one, point TILLSYNC_CONTRACTS at the contracts folder, or switch validation off")
            })?),
        };
        let contract = Contract::load(schema.as_deref())?;
        let shop = Arc::new(Shop {
            api_version: settings.api_version.clone(),
            contract,
            faults: Mutex::new(FaultPlan::new(settings.seed)),
            server: tokio::sync::Mutex::default(),
            state: Mutex::new(State::new(settings.clone())?),
            addr: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 0))),
        });
        let router = Router::new()
            .route("/admin/api/{version}/graphql.json", post(serve::graphql))
            .route("/admin/oauth/access_token", post(serve::access_token))
            .merge(control::routes())
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::clone(&shop));
        let server = Server::open(settings.port, router).await?;
        *locked(&shop.addr) = server.addr();
        *shop.server.lock().await = Some(server);
        Ok(Self(Arc::new(Running(shop))))
    }

    /// Base address for a client, e.g. `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", locked(&self.addr))
    }

    /// Closes the port for good.
    pub async fn stop(&self) {
        self.go_down().await;
        *self.server.lock().await = None;
    }
}

impl std::ops::Deref for StandInShop {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.0.0
    }
}

/// What can be asked and told about a shop, apart from its HTTP doors.
pub struct Shop {
    api_version: String,
    contract: Contract,
    state: Mutex<State>,
    faults: Mutex<FaultPlan>,
    server: tokio::sync::Mutex<Option<Server>>,
    addr: Mutex<SocketAddr>,
}

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shop").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Shop {
    /// Whether requests are checked against a schema.
    #[must_use]
    pub const fn validates(&self) -> bool {
        self.contract.validates()
    }

    /// Puts an item into the shop; returns the id of its inventory item.
    pub fn add_item(&self, item: NewItem) -> String {
        let mut state = locked(&self.state);
        let delay_us = i64::try_from(state.settings.index_delay.as_micros()).unwrap_or(i64::MAX);
        let searchable_at_us = if delay_us == 0 { i64::MIN } else { state.shop_now_us().saturating_add(delay_us) };
        gid("InventoryItem", state.stock.add(item, searchable_at_us))
    }

    /// Adds a location; returns its id.
    pub fn add_location(&self, name: &str, active: bool) -> String {
        gid("Location", locked(&self.state).stock.add_location(name, active))
    }

    /// The id of the first location, where stock is kept.
    #[must_use]
    pub fn location(&self) -> String {
        locked(&self.state).stock.locations.first().map(|location| gid("Location", location.id)).unwrap_or_default()
    }

    /// Changes items with this SKU, as somebody in the shop's admin would; says how many there are.
    pub fn amend(&self, sku: &str, change: impl FnMut(&mut Item)) -> usize {
        locked(&self.state).stock.amend(sku, change)
    }

    /// Somebody changes a number in the shop's own admin, behind the agent's back.
    pub fn change_elsewhere(&self, sku: &str, delta: i64) -> bool {
        let mut state = locked(&self.state);
        let changed = state.stock.amend(sku, |item| {
            if let Some(level) = item.levels.values_mut().next() {
                level.available += delta;
            }
        });
        let line = state.stock.with_sku(sku).next().and_then(|item| {
            Some(stock::entry(item, *item.levels.keys().next()?, Cause::Elsewhere, "available", delta))
        });
        state.journal.record(Origin::default(), line.into_iter().collect());
        changed > 0
    }

    /// The numbers of the first item with this SKU at its first location.
    #[must_use]
    pub fn level(&self, sku: &str) -> Option<Level> {
        locked(&self.state).stock.with_sku(sku).next()?.levels.values().next().copied()
    }

    /// All items.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        locked(&self.state).stock.items().to_vec()
    }

    /// An online order; `None` if no such item is stocked.
    pub fn place_order(&self, sku: &str, quantity: i64) -> Option<u64> {
        let mut state = locked(&self.state);
        let now_us = state.shop_now_us();
        let (id, lines) = state.stock.place_order(sku, quantity, now_us)?;
        state.journal.record(Origin::default(), lines);
        Some(id)
    }

    /// Hands over all that is left of an order; `false` if it is not open.
    pub fn fulfil_order(&self, id: u64) -> bool {
        self.with_orders(|stock, now_us| stock.fulfil_order(id, None, now_us))
    }

    /// Hands a part of an order over; `false` if it is not open or has less left.
    pub fn fulfil_part(&self, id: u64, units: i64) -> bool {
        self.with_orders(|stock, now_us| stock.fulfil_order(id, Some(units), now_us))
    }

    /// Takes the last shipment of an order back; `false` if there is none.
    pub fn cancel_shipment(&self, id: u64) -> bool {
        self.with_orders(|stock, now_us| stock.cancel_shipment(id, now_us))
    }

    /// Cancels what is left of an order; `false` if it is not open.
    pub fn cancel_order(&self, id: u64) -> bool {
        self.with_orders(|stock, now_us| stock.cancel_order(id, now_us))
    }

    fn with_orders(&self, change: impl FnOnce(&mut stock::Stock, i64) -> Option<Vec<crate::journal::Entry>>) -> bool {
        let mut state = locked(&self.state);
        let now_us = state.shop_now_us();
        let lines = change(&mut state.stock, now_us);
        let changed = lines.is_some();
        state.journal.record(Origin::default(), lines.unwrap_or_default());
        changed
    }

    /// All orders.
    #[must_use]
    pub fn orders(&self) -> Vec<Order> {
        locked(&self.state).stock.orders().to_vec()
    }

    /// Adds a fault behind the others.
    pub fn fault(&self, rule: FaultRule) {
        locked(&self.faults).add(rule);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        locked(&self.faults).replace(Vec::new());
    }

    /// Moves the shop's own clock: keys and tokens age.
    pub fn advance_clock(&self, by: Duration) {
        locked(&self.state).advance_clock(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
    }

    /// Takes an access token back, static or issued; `None` takes all.
    pub fn revoke_token(&self, token: Option<&str>) {
        let mut state = locked(&self.state);
        state.tokens.retain(|known, _| token.is_some_and(|token| token != known));
    }

    /// Lets another static token in.
    pub fn allow_token(&self, token: &str) {
        locked(&self.state).tokens.insert(token.to_owned(), None);
    }

    /// Forgets all idempotency keys, as no honest platform does.
    pub fn forget_keys(&self) {
        locked(&self.state).keys.forget();
    }

    /// What it has counted.
    #[must_use]
    pub fn stats(&self) -> ShopStats {
        let mut stats = {
            let state = locked(&self.state);
            ShopStats { keys: state.keys.count(), ..state.stats.clone() }
        };
        stats.faults.clone_from(locked(&self.faults).fired());
        stats
    }

    /// The journal's lines, if they are kept in memory.
    #[must_use]
    pub fn arrivals(&self) -> Vec<JournalLine> {
        locked(&self.state).journal.lines().to_vec()
    }

    /// Number of journal lines so far.
    #[must_use]
    pub fn arrival_count(&self) -> u64 {
        locked(&self.state).journal.count()
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
