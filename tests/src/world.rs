//! A store with its registers, the real agent as a child process, and a stand-in that takes the changes.
//!
//! Everything that a test of the whole program needs to start, to break and to count. What it says about the
//! outcome comes from the [`oracle`](crate::oracle); the agent's own audit is asked beside it and never instead.

mod agent;
mod registers;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

pub use self::agent::{Agent, Audit, Ended, LaneAudit, Setup};
pub use self::registers::{Registers, Selling};
use crate::door::{DoorSettings, StandInDoor};
use crate::faults::FaultRule;
use crate::journal::JournalLine;
use crate::oracle::{self, Report, Terms, Units};
use crate::shop::{NewItem, SchemaChoice, ShopSettings, StandInShop, find_schema};
use crate::till::Printed;

/// Name of the environment variable that the configuration refers to for the shop's token.
pub const TOKEN_NAME: &str = "TILLSYNC_STAND_IN_TOKEN";
/// The shop's token; worth nothing anywhere else.
pub const TOKEN: &str = "stand-in-token";
/// Pieces of each article at the shop in the morning.
pub const START_STOCK: i64 = 100_000;
/// Between two looks at whether everything has arrived.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// What takes the changes.
#[derive(Debug, Clone)]
pub enum Receiver {
    /// A middleware behind the open `http` platform.
    Door(StandInDoor),
    /// Shopify.
    Shop(StandInShop),
}

impl Receiver {
    /// A door with these settings.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn door(settings: DoorSettings) -> anyhow::Result<Self> {
        Ok(Self::Door(StandInDoor::start(settings).await?))
    }

    /// A shop that has these articles. Requests are checked against the platform's schema where it is at hand.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn shop(settings: ShopSettings, skus: &[String]) -> anyhow::Result<Self> {
        let schema = if find_schema().is_some() { SchemaChoice::Find } else { SchemaChoice::Off };
        let shop = StandInShop::start(ShopSettings { schema, ..settings }).await?;
        for sku in skus {
            shop.add_item(NewItem::stocked(sku, START_STOCK));
        }
        Ok(Self::Shop(shop))
    }

    /// The shop.
    ///
    /// # Errors
    /// It is a door.
    pub fn as_shop(&self) -> anyhow::Result<&StandInShop> {
        match self {
            Self::Shop(shop) => Ok(shop),
            Self::Door(_) => anyhow::bail!("this world has a door, not a shop"),
        }
    }

    /// The door.
    ///
    /// # Errors
    /// It is a shop.
    pub fn as_door(&self) -> anyhow::Result<&StandInDoor> {
        match self {
            Self::Door(door) => Ok(door),
            Self::Shop(_) => anyhow::bail!("this world has a shop, not a door"),
        }
    }

    /// The agent's `[[platform]]` table.
    #[must_use]
    pub fn platform_table(&self) -> String {
        match self {
            Self::Door(door) => format!("[[platform]]\nkind = \"http\"\nurl = {:?}\n", door.url()),
            Self::Shop(shop) => format!(
                "[[platform]]\nkind = \"shopify\"\nbase_url = {:?}\nlocation = {:?}\ntoken = \"env:{TOKEN_NAME}\"\n",
                shop.url(),
                shop.location()
            ),
        }
    }

    /// What it has applied.
    #[must_use]
    pub fn arrivals(&self) -> Vec<JournalLine> {
        match self {
            Self::Door(door) => door.arrivals(),
            Self::Shop(shop) => shop.arrivals(),
        }
    }

    /// Adds a fault behind the others.
    pub fn fault(&self, rule: FaultRule) {
        match self {
            Self::Door(door) => door.fault(rule),
            Self::Shop(shop) => shop.fault(rule),
        }
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        match self {
            Self::Door(door) => door.clear_faults(),
            Self::Shop(shop) => shop.clear_faults(),
        }
    }

    /// How often this kind of fault happened.
    #[must_use]
    pub fn fired(&self, kind: &str) -> u64 {
        let faults = match self {
            Self::Door(door) => door.stats().faults,
            Self::Shop(shop) => shop.stats().faults,
        };
        faults.get(kind).copied().unwrap_or(0)
    }

    /// Requests that came in.
    #[must_use]
    pub fn requests(&self) -> u64 {
        match self {
            Self::Door(door) => door.stats().requests,
            Self::Shop(shop) => shop.stats().requests,
        }
    }

    /// Requests that no correct client sends.
    #[must_use]
    pub fn invalid_requests(&self) -> u64 {
        match self {
            Self::Door(door) => door.stats().invalid_requests,
            Self::Shop(shop) => shop.stats().invalid_requests,
        }
    }

    /// Closes the port and breaks all connections.
    pub async fn go_down(&self) {
        match self {
            Self::Door(door) => door.go_down().await,
            Self::Shop(shop) => shop.go_down().await,
        }
    }

    /// Opens the same port again.
    ///
    /// # Errors
    /// The port was taken meanwhile.
    pub async fn come_up(&self) -> anyhow::Result<()> {
        match self {
            Self::Door(door) => door.come_up().await,
            Self::Shop(shop) => shop.come_up().await,
        }
    }

    fn units(&self) -> Units {
        match self {
            Self::Door(_) => Units::Exact,
            Self::Shop(_) => Units::Whole,
        }
    }
}

/// The store, the agent's setup and the receiver.
#[derive(Debug)]
pub struct World {
    /// Where all files of this world are.
    pub folder: PathBuf,
    /// How the agent is started.
    pub setup: Setup,
    /// What takes the changes.
    pub receiver: Receiver,
    /// Who sells.
    pub registers: Registers,
    /// What the oracle must know beside the two records.
    pub terms: Terms,
}

impl World {
    /// Writes the agent's configuration; nothing is started but the receiver that is handed in.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new(binary: &Path, folder: &Path, receiver: Receiver, registers: Registers) -> anyhow::Result<Self> {
        let setup = Setup::new(binary, folder).env(TOKEN_NAME, TOKEN);
        setup.configure(&registers.source_tables(), &receiver.platform_table())?;
        let terms = Terms { units: receiver.units(), ..Terms::default() };
        Ok(Self { folder: folder.to_path_buf(), setup, receiver, registers, terms })
    }

    /// What the registers printed against what was applied.
    ///
    /// # Errors
    /// A log of sales cannot be read.
    pub fn judge(&self) -> anyhow::Result<Report> {
        Ok(self.judge_against(&self.registers.printed()?))
    }

    fn judge_against(&self, printed: &[Printed]) -> Report {
        oracle::judge(printed, &self.receiver.arrivals(), &self.terms)
    }

    /// Waits until everything printed has arrived and nothing is left that could still be sent, or the time is up;
    /// whether it has. Registers must be closed.
    ///
    /// # Errors
    /// The agent has ended, or a file cannot be read.
    pub async fn drain(&self, agent: &mut Agent, most: Duration) -> anyhow::Result<bool> {
        let printed = self.registers.printed()?;
        let deadline = Instant::now() + most;
        while Instant::now() < deadline {
            agent.must_live()?;
            if self.judge_against(&printed).exactly_once() && self.setup.audit()?.is_settled() {
                return Ok(true);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(false)
    }

    /// [`Self::drain`], then stops the agent as a service manager does, and counts.
    ///
    /// # Errors
    /// The agent has ended by itself or does not stop, or a file cannot be read.
    pub async fn finish(&self, mut agent: Agent, most: Duration) -> anyhow::Result<Outcome> {
        let drained = self.drain(&mut agent, most).await?;
        agent.terminate().await.context("the agent was told to stop")?;
        let audit = self.setup.audit()?;
        Ok(Outcome { report: self.judge()?, audit, drained, invalid: self.receiver.invalid_requests() })
    }
}

/// Waits for something that must become true, without believing in a duration.
///
/// # Errors
/// It has not become true in a very long time.
pub async fn until(what: &str, most: Duration, mut holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + most;
    while !holds()? {
        anyhow::ensure!(Instant::now() < deadline, "waited {} s in vain: {what}", most.as_secs());
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// How it ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The oracle's verdict.
    pub report: Report,
    /// The agent's own count.
    pub audit: Audit,
    /// Everything had arrived before the agent was stopped.
    pub drained: bool,
    /// Requests that no correct client sends.
    pub invalid: u64,
}

impl Outcome {
    /// Every sale arrived once, and the agent's books say so too.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.report.exactly_once() && self.audit.conserved && self.drained && self.invalid == 0
    }

    /// Why not, in one line.
    #[must_use]
    pub fn complaint(&self) -> String {
        let Report { lost, doubled, repeated_changes, .. } = &self.report;
        format!(
            "lost {lost}, doubled {doubled}, repeated changes {repeated_changes}, conserved {}, drained {}, invalid requests {}; {}; audit {:?}",
            self.audit.conserved,
            self.drained,
            self.invalid,
            self.report.to_string().replace('\n', "; "),
            self.audit
        )
    }
}
