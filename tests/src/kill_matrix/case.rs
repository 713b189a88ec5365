//! One case: sell, let the agent be hit, sell on, restart, drain, judge.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Action, Scenario};
use crate::door::DoorSettings;
use crate::faults::{Fault, FaultRule};
use crate::shop::{ShopSettings, StandInShop};
use crate::till::Till;
use crate::world::{Agent, Outcome, Receiver, Registers, World};

/// Pause of a register between two tickets.
const SELL_EVERY: Duration = Duration::from_millis(12);
/// Tickets that all registers sell after the hit, at least.
const TICKETS_AFTER: u64 = 16;
/// How long the agent stays dead, while the registers sell on.
const DEAD_FOR: Duration = Duration::from_millis(40);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(4);
/// Tickets of one delivery to the backlog: more than the agent records between two foldings of its log.
const BACKLOG_TICKETS: u32 = 52_000;
/// Deliveries to the backlog until the point must have been hit.
const BACKLOG_DELIVERIES: u32 = 12;
/// A control build that has lost something never gets there.
const BROKEN_DRAIN: Duration = Duration::from_secs(8);
/// The code by which the shop says that a key was used for something else.
const KEY_CONFLICT: &str = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH";

/// One point, one action, one occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The crash point.
    pub point: String,
    /// What happens there.
    pub action: Action,
    /// At which passing, from 1.
    pub occurrence: u32,
    /// What goes on around the agent.
    pub scenario: Scenario,
    /// Decides what is sold and which requests are lost.
    pub seed: u64,
}

/// How long a case may wait.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the point to be hit.
    pub hit: Duration,
    /// For everything to arrive afterwards.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { hit: Duration::from_secs(20), drain: Duration::from_secs(40) }
    }
}

/// What a case showed.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The armed point was reached.
    pub hit: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Requests that the receiver saw.
    pub requests: u64,
    /// How long it took.
    pub took: Duration,
}

impl Judged {
    /// Hit, and exact.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.hit && self.outcome.is_exact() && self.outcome.audit.dead_letters() == 0
    }
}

impl Case {
    /// Runs it in this folder, which must be empty.
    ///
    /// # Errors
    /// The agent ends by itself or a file cannot be used: nothing was judged.
    pub async fn run(&self, binary: &Path, folder: &Path, limits: Limits) -> anyhow::Result<Judged> {
        std::fs::create_dir_all(folder)?;
        self.play(self.world(binary, folder).await?, limits).await
    }

    /// The same with this in the agent's environment: a rule that a control build breaks. A sum that stays wrong
    /// for a while is taken as the result.
    ///
    /// # Errors
    /// See [`Self::run`].
    pub async fn run_broken(
        &self,
        binary: &Path,
        folder: &Path,
        limits: Limits,
        (name, value): (&str, &str),
    ) -> anyhow::Result<Judged> {
        std::fs::create_dir_all(folder)?;
        let mut world = self.world(binary, folder).await?;
        world.setup = world.setup.env(name, value);
        self.play(world, Limits { drain: limits.drain.min(BROKEN_DRAIN), ..limits }).await
    }

    async fn play(&self, world: World, limits: Limits) -> anyhow::Result<Judged> {
        let begun = Instant::now();
        let (hit, agent) = match self.scenario {
            Scenario::Backlog => self.fill(&world, limits).await?,
            Scenario::Door | Scenario::Shop | Scenario::Conflicts => self.sell(&world, limits).await?,
        };
        let outcome = world.finish(agent, limits.drain).await?;
        Ok(Judged { hit, outcome, requests: world.receiver.requests(), took: begun.elapsed() })
    }

    async fn world(&self, binary: &Path, folder: &Path) -> anyhow::Result<World> {
        let (skus, weighed) = self.articles();
        let all: Vec<String> = skus.iter().chain(&weighed).cloned().collect();
        let door = || Receiver::door(DoorSettings { seed: self.seed, ..DoorSettings::default() });
        let (receiver, registers) = match self.scenario {
            Scenario::Door => (door().await?, Registers::mixed(folder, &skus, &weighed, self.seed)?),
            Scenario::Backlog => (door().await?, Registers::plain(folder, &skus, self.seed)),
            Scenario::Shop | Scenario::Conflicts => {
                let settings = ShopSettings { seed: self.seed, ..ShopSettings::default() };
                (Receiver::shop(settings, &all).await?, Registers::mixed(folder, &skus, &weighed, self.seed)?)
            }
        };
        receiver.fault(FaultRule { count: Some(4), ..FaultRule::some(Fault::ReplyLost, 150) });
        receiver.fault(FaultRule { count: Some(2), ..FaultRule::some(Fault::RequestLost, 60) });
        receiver.fault(FaultRule { count: Some(2), ..FaultRule::some(Fault::Duplicate, 60) });
        if self.scenario == Scenario::Conflicts {
            let conflict = Fault::UserError { code: KEY_CONFLICT.to_owned() };
            receiver.fault(FaultRule { count: Some(12), ..FaultRule::some(conflict, 600) });
        }
        World::new(binary, folder, receiver, registers)
    }

    /// Few articles meet again and again; many give a look-up after each ticket.
    fn articles(&self) -> (Vec<String>, Vec<String>) {
        let count = if self.scenario == Scenario::Shop { 400 } else { 24 };
        let pieces = (0..count).map(article).collect();
        (pieces, vec!["CHEESE".to_owned(), "HAM".to_owned()])
    }

    fn start(&self, world: &World) -> anyhow::Result<Agent> {
        world.setup.start_armed(&self.point, self.action.as_str(), self.occurrence)
    }

    async fn sell(&self, world: &World, limits: Limits) -> anyhow::Result<(bool, Agent)> {
        let mut agent = self.start(world)?;
        let online = world.receiver.as_shop().ok().map(|shop| OnlineOrders::open(shop.clone()));
        let selling = world.registers.open(SELL_EVERY);
        let hit = self.wait_for_hit(world, &mut agent, limits).await?;
        let sold = selling.tickets();
        let agent = self.go_on(world, agent, hit).await?;
        while selling.tickets() < sold + TICKETS_AFTER {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        selling.close()?;
        if let Some(online) = online {
            online.close().await?;
        }
        Ok((hit, agent))
    }

    /// Deliveries of many tickets at once, until the point is hit.
    async fn fill(&self, world: &World, limits: Limits) -> anyhow::Result<(bool, Agent)> {
        let mut till = world.registers.first()?;
        sell_many(&mut till, BACKLOG_TICKETS)?;
        let mut agent = self.start(world)?;
        let mut hit = false;
        for delivery in 0..BACKLOG_DELIVERIES {
            let recorded = u64::from(BACKLOG_TICKETS) * u64::from(delivery + 1);
            let deadline = Instant::now() + limits.hit;
            while Instant::now() < deadline {
                hit = self.is_hit(world, &mut agent)?;
                if hit || world.setup.audit()?.transactions >= recorded {
                    break;
                }
                tokio::time::sleep(LOOK_EVERY * 10).await;
            }
            if hit {
                break;
            }
            sell_many(&mut till, BACKLOG_TICKETS)?;
        }
        Ok((hit, self.go_on(world, agent, hit).await?))
    }

    async fn wait_for_hit(&self, world: &World, agent: &mut Agent, limits: Limits) -> anyhow::Result<bool> {
        let deadline = Instant::now() + limits.hit;
        while Instant::now() < deadline {
            if self.is_hit(world, agent)? {
                return Ok(true);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(false)
    }

    /// The point says so itself; a killed agent must also be gone.
    fn is_hit(&self, world: &World, agent: &mut Agent) -> anyhow::Result<bool> {
        if !world.setup.point_was_hit() {
            agent.must_live()?;
            return Ok(false);
        }
        Ok(self.action != Action::Kill || agent.ended()?.is_some())
    }

    /// After a kill it is started again. After a failure it goes on by itself, except that later occurrences
    /// also lose the process that failed.
    async fn go_on(&self, world: &World, agent: Agent, hit: bool) -> anyhow::Result<Agent> {
        let again = match self.action {
            Action::Kill => hit,
            Action::Error | Action::DiskFull | Action::InputOutput => hit && self.occurrence > 1,
        };
        if !again {
            return Ok(agent);
        }
        // Nothing if it is dead already.
        drop(agent);
        tokio::time::sleep(DEAD_FOR).await;
        world.setup.start()
    }
}

fn article(number: u32) -> String {
    format!("SKU-{number:05}")
}

fn sell_many(till: &mut Till, tickets: u32) -> anyhow::Result<()> {
    for _ in 0..tickets {
        till.ring_up()?;
    }
    Ok(())
}

/// Other people buy too: stock that the agent must not mistake for its own doing.
struct OnlineOrders {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl OnlineOrders {
    fn open(shop: StandInShop) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            for number in (0..20).cycle() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                shop.place_order(&article(number), 1);
                tokio::time::sleep(SELL_EVERY * 3).await;
            }
        });
        Self { stop, task }
    }

    async fn close(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.task.await?)
    }
}
