//! The stand-in WooCommerce: a test double that behaves as a WooCommerce 11.0.1 (and 10.9.2) was seen to behave where the
//! agent relies on it, its traps included, and that misbehaves on demand.
//!
//! Seen and kept: an absolute number always wins; `inventory_delta` reads, adds and writes, so that an order landing in
//! between is overwritten; a number sent to a product without stock management is dropped in silence while its meta data
//! is stored; `null` becomes 0; a batch answers 200 with an error in each row that failed and skips the checks of types
//! that a single `PUT` makes; variations are written below their parent only; article numbers are found whatever their
//! letter case; orders take their goods at `on-hold`, `processing` and `completed`. There is no idempotency.
//!
//! The rules are in [`Machine`], which opens no socket and reads no clock. The companion plugin's contract can be switched on.
//! Faults are of [`crate::faults`].

mod catalogue;
mod machine;
mod orders;
mod plugin;
mod products;
mod serve;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use self::catalogue::{Managed, NewProduct, Product};
pub use self::machine::{Machine, Request, Response, WooStats};
pub use self::orders::{Order, OrderLine, Status};
use crate::faults::{FaultPlan, FaultRule};
use crate::journal::JournalLine;
use crate::locked;
use crate::moment::Moment;
use crate::server::Server;

/// How the shop is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WooSettings {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// REST keys as (consumer key, secret, may write).
    pub keys: Vec<(String, String, bool)>,
    /// The shop's setting "Enable stock management".
    pub manage_stock: bool,
    /// `GET /wc/v3/variations` exists (since 10.3).
    pub flat_variations: bool,
    /// `?global_unique_id=` finds variations too (10.9.2 does, older ones search products only).
    pub gtin_finds_variations: bool,
    /// Pretty permalinks; without them `/wp-json/` is a page that is not found.
    pub permalinks: bool,
    /// A firewall answers every `PUT` and `DELETE` with a page and 403.
    pub blocks_put: bool,
    /// The shop's local time less UTC, in seconds: what `modified_after` means without `dates_are_gmt`.
    pub gmt_offset_s: i64,
    /// The companion plugin is active.
    pub plugin: bool,
    /// Days for which the plugin remembers operations.
    pub plugin_key_days: u64,
    /// So many of a thousand changes of an order's status to one that takes goods take them twice, as parallel requests
    /// were seen to do.
    pub double_reduction_per_mille: u32,
    /// Where the journal goes.
    pub journal: Option<PathBuf>,
    /// Also keep the journal in memory.
    pub keep_journal: bool,
    /// Decides everything that happens by chance.
    pub seed: u64,
}

impl Default for WooSettings {
    fn default() -> Self {
        Self {
            port: 0,
            keys: vec![("ck_stand_in".to_owned(), "cs_stand_in".to_owned(), true)],
            manage_stock: true,
            flat_variations: true,
            gtin_finds_variations: true,
            permalinks: true,
            blocks_put: false,
            gmt_offset_s: 3600,
            plugin: false,
            plugin_key_days: 60,
            double_reduction_per_mille: 0,
            journal: None,
            keep_journal: true,
            seed: 1,
        }
    }
}

/// The running shop. Its port closes with the last clone.
#[derive(Debug, Clone)]
pub struct StandInWoo(Arc<Running>);

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

impl StandInWoo {
    /// Starts it on 127.0.0.1.
    ///
    /// # Errors
    /// The journal cannot be opened, or the port is taken.
    pub async fn start(settings: WooSettings) -> anyhow::Result<Self> {
        let shop = Arc::new(Shop {
            faults: Mutex::new(FaultPlan::new(settings.seed)),
            server: tokio::sync::Mutex::default(),
            addr: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            clock_ahead_us: Mutex::new(0),
            requests: Mutex::new(0),
            machine: Mutex::new(Machine::new(settings.clone())?),
        });
        let server = Server::open(settings.port, serve::router(&shop)).await?;
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

impl std::ops::Deref for StandInWoo {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.0.0
    }
}

/// What can be asked and told about a shop, apart from its HTTP doors.
pub struct Shop {
    machine: Mutex<Machine>,
    faults: Mutex<FaultPlan>,
    server: tokio::sync::Mutex<Option<Server>>,
    addr: Mutex<SocketAddr>,
    clock_ahead_us: Mutex<i64>,
    requests: Mutex<u64>,
}

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shop").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Shop {
    /// Does something with the rules and the goods, at the shop's own time in microseconds since 1970.
    pub fn with<T>(&self, act: impl FnOnce(&mut Machine, i64) -> T) -> T {
        let now_us = Moment::now().wall_us.saturating_add(*locked(&self.clock_ahead_us));
        act(&mut locked(&self.machine), now_us)
    }

    /// Puts a product or a variation into the shop; returns its id.
    pub fn add(&self, product: NewProduct) -> u64 {
        self.with(|machine, now_us| machine.add(product, now_us))
    }

    /// The number of the product with this SKU, as the shop has it.
    #[must_use]
    pub fn stock(&self, sku: &str) -> Option<i64> {
        self.with(|machine, _| machine.stock_of(sku))
    }

    /// An order from the storefront that takes its goods at once (`processing`); `None` if there is no such article.
    pub fn place_order(&self, sku: &str, quantity: i64) -> Option<u64> {
        self.with(|machine, now_us| machine.place_order(sku, quantity, Status::Processing, now_us))
    }

    /// Changes an order's status; `false` if there is no such order.
    pub fn set_order(&self, id: u64, status: Status) -> bool {
        self.with(|machine, now_us| machine.set_order_status(id, status, now_us))
    }

    /// Somebody changes a number in the shop's admin, behind the agent's back.
    pub fn change_elsewhere(&self, sku: &str, delta: i64) -> bool {
        self.with(|machine, now_us| machine.change_elsewhere(sku, delta, now_us))
    }

    /// Moves the shop's own clock.
    pub fn advance_clock(&self, by: Duration) {
        let mut ahead = locked(&self.clock_ahead_us);
        *ahead = ahead.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
    }

    /// Adds a fault behind the others.
    pub fn fault(&self, rule: FaultRule) {
        locked(&self.faults).add(rule);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        locked(&self.faults).replace(Vec::new());
    }

    /// What it has counted.
    #[must_use]
    pub fn stats(&self) -> WooStats {
        let mut stats = locked(&self.machine).stats().clone();
        stats.requests = *locked(&self.requests);
        stats.faults.clone_from(locked(&self.faults).fired());
        stats
    }

    /// The journal's lines, if they are kept in memory.
    #[must_use]
    pub fn arrivals(&self) -> Vec<JournalLine> {
        locked(&self.machine).journal().lines().to_vec()
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
