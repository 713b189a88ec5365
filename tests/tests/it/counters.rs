//! The agent against a stand-in whose rules are a pure machine: how such a world is set up, broken and judged.

use std::time::{Duration, Instant};

use system_tests::counter::{Counter, Machine};
use system_tests::faults::{Fault, FaultRule};
use system_tests::oracle::{self, Report, Terms};
use system_tests::world::{Agent, Registers, Setup, TOKEN, TOKEN_NAME, until};

use crate::support::{LONG, agent, skus};

/// Tickets of each run, at least.
const TICKETS: u64 = 60;
/// Pieces of each article in the morning.
pub(crate) const START_STOCK: i64 = 100_000;

pub(crate) struct Bench<M: Machine> {
    _folder: tempfile::TempDir,
    pub(crate) shop: Counter<M>,
    pub(crate) setup: Setup,
    pub(crate) registers: Registers,
}

impl<M: Machine> Bench<M> {
    /// Four registers on a mixed day that sell 20 articles.
    pub(crate) fn mixed(shop: Counter<M>, platform: &str, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registers = Registers::mixed(folder.path(), &skus(20), &[], seed).unwrap();
        Self::new(folder, shop, platform, registers)
    }

    /// One register that sells what the test says.
    pub(crate) fn plain(shop: Counter<M>, platform: &str, skus: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registers = Registers::plain(folder.path(), skus, 7);
        Self::new(folder, shop, platform, registers)
    }

    fn new(folder: tempfile::TempDir, shop: Counter<M>, platform: &str, registers: Registers) -> Self {
        let setup = Setup::new(agent(), folder.path()).env(TOKEN_NAME, TOKEN);
        setup.configure(&registers.source_tables(), platform).unwrap();
        Self { _folder: folder, shop, setup, registers }
    }

    /// Sells until so much has happened.
    pub(crate) async fn sell(&self, enough: impl Fn() -> bool) {
        let selling = self.registers.open(Duration::from_millis(8));
        until("tickets are sold and faults happen", LONG, || Ok(selling.tickets() >= TICKETS && enough()))
            .await
            .unwrap();
        selling.close().unwrap();
    }

    pub(crate) fn judge(&self) -> Report {
        oracle::judge(&self.registers.printed().unwrap(), &self.shop.arrivals(), &Terms::default())
    }

    /// Waits until everything has arrived once and nothing is left that could still be sent.
    pub(crate) async fn must_drain(&self, agent: &mut Agent, what: &str) {
        let deadline = Instant::now() + LONG;
        while !(self.judge().exactly_once() && self.setup.audit().unwrap().is_settled()) {
            agent.must_live().unwrap();
            assert!(Instant::now() < deadline, "{what}: {}\n{}", self.judge(), self.setup.log_text());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// The same, stops the agent, and holds it to account.
    pub(crate) async fn must_be_exact(&self, mut agent: Agent, what: &str) {
        self.must_drain(&mut agent, what).await;
        agent.terminate().await.unwrap();
        let (report, audit) = (self.judge(), self.setup.audit().unwrap());
        let exact = report.exactly_once() && audit.conserved && audit.is_settled() && audit.dead_letters() == 0;
        assert!(exact, "{what}: {report}\n{audit:?}\n{}", self.setup.log_text());
        assert_eq!(self.shop.invalid_requests(), 0, "{what}: requests that no correct client sends");
    }

    /// One kind of fault on one write in five, until it has happened.
    pub(crate) async fn survive(&self, fault: Fault) {
        let (name, what) = (fault.name(), format!("{fault:?}"));
        self.shop.fault(FaultRule::some(fault, 200));
        let agent = self.setup.start().unwrap();
        // A fault that has not happened has proven nothing.
        self.sell(|| self.shop.fired(name) >= 2).await;
        self.must_be_exact(agent, &what).await;
    }
}

/// What every platform has to survive on the way.
pub(crate) fn common_faults() -> Vec<Fault> {
    let status = |status, applied, retry_after_s| Fault::Status { status, applied, retry_after_s };
    vec![
        Fault::RequestLost,
        Fault::ReplyLost,
        Fault::ReplyCut,
        Fault::Reorder { hold_ms: 60 },
        Fault::Delay { hold_ms: 40 },
        Fault::SlowApply { hold_ms: 60 },
        Fault::Stall { hold_ms: 40 },
        Fault::Drip { pause_ms: 1 },
        Fault::Throttled,
        status(500, true, None),
        status(503, true, None),
        status(503, false, Some(1)),
        Fault::Garbage { applied: true },
        Fault::Garbage { applied: false },
        Fault::Html { applied: true },
        Fault::Html { applied: false },
    ]
}
