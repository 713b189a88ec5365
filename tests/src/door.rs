//! The stand-in door: a test double of a middleware behind the open `http` platform.
//!
//! It checks what a careful receiver would check: the Standard Webhooks signature, the idempotency key, decimals
//! as text. A known key with the same bytes is answered again without effect. A change id that comes again under
//! *another* key is applied and counted as repeated: that is the mistake of a sender, and the oracle must see it.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

mod batch;
mod serve;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::decimal::Decimal;
use crate::faults::{FaultPlan, FaultRule};
use crate::journal::{Journal, JournalLine};
use crate::locked;
use crate::server::Server;

/// Most bytes of one request.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How the door is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorSettings {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// `whsec_` and base64; `None` takes unsigned requests.
    pub secret: Option<String>,
    /// Largest difference between the signature's time and this machine's; `None` takes any.
    pub clock_slack: Option<Duration>,
    /// Most changes of one batch.
    pub changes_max: usize,
    /// SKUs that are refused with 422.
    pub refused_skus: BTreeSet<String>,
    /// How long a key is remembered on the door's clock.
    pub key_window: Duration,
    /// Where the journal goes.
    pub journal: Option<PathBuf>,
    /// Also keep the journal in memory.
    pub keep_journal: bool,
    /// Decides which requests are hit by chance.
    pub seed: u64,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self {
            port: 0,
            secret: None,
            clock_slack: Some(Duration::from_mins(5)),
            changes_max: 1000,
            refused_skus: BTreeSet::new(),
            key_window: Duration::from_hours(24 * 365),
            journal: None,
            keep_journal: true,
            seed: 1,
        }
    }
}

/// What the door has counted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DoorStats {
    /// Requests, faulted ones included.
    pub requests: u64,
    /// Batches applied.
    pub applied_batches: u64,
    /// Changes applied.
    pub applied_changes: u64,
    /// Batches answered again under a known key.
    pub replays: u64,
    /// Changes whose id was applied before under another key: always a fault of the sender.
    pub repeated_changes: u64,
    /// Requests without a valid signature.
    pub unauthorised: u64,
    /// Requests that are not a batch, or use a key for other bytes: always a fault of the sender.
    pub invalid_requests: u64,
    /// Batches refused for a SKU.
    pub refused_batches: u64,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

pub(crate) enum KeyState {
    Working,
    Done,
}

pub(crate) struct Known {
    body: u64,
    first_us: i64,
    state: KeyState,
}

pub(crate) struct Memory {
    settings: DoorSettings,
    secret: Option<Vec<u8>>,
    keys: HashMap<String, Known>,
    changes: HashSet<Box<str>>,
    sums: BTreeMap<String, Decimal>,
    journal: Journal,
    stats: DoorStats,
    clock_ahead_us: i64,
}

/// The running door. Its port closes with the last clone.
#[derive(Debug, Clone)]
pub struct StandInDoor(Arc<Running>);

#[derive(Debug)]
struct Running(Arc<Door>);

impl Drop for Running {
    fn drop(&mut self) {
        // The server's routes hold the door in turn: without this neither would ever go.
        if let Ok(mut server) = self.0.server.try_lock() {
            *server = None;
        }
    }
}

impl StandInDoor {
    /// Starts it on 127.0.0.1.
    ///
    /// # Errors
    /// The secret is not `whsec_` and base64, the journal cannot be opened, or the port is taken.
    pub async fn start(settings: DoorSettings) -> anyhow::Result<Self> {
        let secret = settings.secret.as_deref().map(key_of).transpose()?;
        let journal = Journal::open(settings.journal.as_deref(), settings.keep_journal)?;
        let memory = Memory {
            secret,
            journal,
            keys: HashMap::new(),
            changes: HashSet::new(),
            sums: BTreeMap::new(),
            stats: DoorStats::default(),
            clock_ahead_us: 0,
            settings: settings.clone(),
        };
        let door = Arc::new(Door {
            memory: Mutex::new(memory),
            faults: Mutex::new(FaultPlan::new(settings.seed)),
            server: tokio::sync::Mutex::default(),
            addr: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 0))),
        });
        let router = Router::new()
            .route("/changes", post(serve::changes).head(serve::nothing).get(serve::nothing))
            .route("/_door/stats", get(serve::stats))
            .route("/_door/sums", get(serve::sums))
            .route("/_door/faults", post(serve::set_faults).delete(serve::clear_faults))
            .route("/_door/clock", post(serve::advance))
            .route("/_door/outage", post(serve::outage))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::clone(&door));
        let server = Server::open(settings.port, router).await?;
        *locked(&door.addr) = server.addr();
        *door.server.lock().await = Some(server);
        Ok(Self(Arc::new(Running(door))))
    }

    /// Where changes are posted to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/changes", self.base_url())
    }

    /// The address without a path.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", locked(&self.addr))
    }

    /// Closes the port for good.
    pub async fn stop(&self) {
        self.go_down().await;
        *self.server.lock().await = None;
    }
}

impl std::ops::Deref for StandInDoor {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.0.0
    }
}

/// What can be asked and told about a door, apart from its HTTP side.
pub struct Door {
    memory: Mutex<Memory>,
    faults: Mutex<FaultPlan>,
    server: tokio::sync::Mutex<Option<Server>>,
    addr: Mutex<SocketAddr>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Door {
    /// Sum of all changes applied, by SKU.
    #[must_use]
    pub fn sums(&self) -> BTreeMap<String, Decimal> {
        locked(&self.memory).sums.clone()
    }

    /// Refuses this SKU from now on, or takes it again.
    pub fn refuse(&self, sku: &str, refused: Refused) {
        let mut memory = locked(&self.memory);
        match refused {
            Refused::Yes => memory.settings.refused_skus.insert(sku.to_owned()),
            Refused::No => memory.settings.refused_skus.remove(sku),
        };
    }

    /// Adds a fault behind the others.
    pub fn fault(&self, rule: FaultRule) {
        locked(&self.faults).add(rule);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        locked(&self.faults).replace(Vec::new());
    }

    /// Moves the door's own clock: keys age.
    pub fn advance_clock(&self, by: Duration) {
        let mut memory = locked(&self.memory);
        memory.clock_ahead_us = memory.clock_ahead_us.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
    }

    /// What it has counted.
    #[must_use]
    pub fn stats(&self) -> DoorStats {
        let mut stats = locked(&self.memory).stats.clone();
        stats.faults.clone_from(locked(&self.faults).fired());
        stats
    }

    /// The journal's lines, if they are kept in memory.
    #[must_use]
    pub fn arrivals(&self) -> Vec<JournalLine> {
        locked(&self.memory).journal.lines().to_vec()
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

/// For [`Door::refuse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Refuse it.
    Yes,
    /// Take it.
    No,
}

fn key_of(secret: &str) -> anyhow::Result<Vec<u8>> {
    let text = secret.strip_prefix("whsec_").context("the signing secret must start with whsec_")?;
    STANDARD.decode(text).context("the signing secret is not base64 after whsec_")
}
