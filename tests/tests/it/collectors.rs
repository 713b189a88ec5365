//! A store with a PC at each till: three collectors, one ledger. Whatever happens to a collector or to the ledger,
//! every sale counts once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use system_tests::door::DoorSettings;
use system_tests::oracle::{self, Report, Terms, Units};
use system_tests::shop::ShopSettings;
use system_tests::till::{Format, Pattern, TillSettings};
use system_tests::world::{Agent, Receiver, Registers, Setup, TOKEN, TOKEN_NAME, until};

use crate::support::{LONG, agent, skus};

/// Where the ledger's receiver is told apart from the collectors' secrets.
const SECRETS: [(&str, &str); 3] = [
    ("TILL_1_SECRET", "whsec_b25lIG1hZGUtdXAgc2VjcmV0IG9mIGEgdGlsbCE="),
    ("TILL_2_SECRET", "whsec_dHdvIG1hZGUtdXAgc2VjcmV0IG9mIGEgdGlsbCE="),
    ("TILL_3_SECRET", "whsec_dHJpIG1hZGUtdXAgc2VjcmV0IG9mIGEgdGlsbCE="),
];
const PATTERNS: [(Format, Pattern); 3] = [
    (Format::JsonLines, Pattern::Journal),
    (Format::Csv, Pattern::Journal),
    (Format::JsonLines, Pattern::ExportRenamed),
];

/// A till's PC.
struct Collector {
    setup: Setup,
    registers: Registers,
}

/// The whole shop.
struct Shop {
    ledger: Setup,
    receiver: Receiver,
    collectors: Vec<Collector>,
    units: Units,
}

impl Shop {
    /// The ledger is started once, to make its certificate; the collectors trust it by the fingerprint that `check`
    /// shows.
    async fn open(folder: &Path, receiver: Receiver, units: Units) -> (Self, Agent) {
        let port = free_port();
        let home = made(folder.join("ledger"));
        let mut ledger = Setup::new(agent(), &home).env(TOKEN_NAME, TOKEN);
        let mut source =
            format!("[[source]]\nname = \"tills\"\nkind = \"http\"\nlisten = \"127.0.0.1:{port}\"\n[source.tls]\n");
        for (number, (name, secret)) in (1..).zip(SECRETS) {
            ledger = ledger.env(name, secret);
            source.push_str(&format!("[[source.key]]\nname = \"till-{number}\"\nsecret = \"env:{name}\"\n"));
        }
        ledger.configure(&source, &receiver.platform_table()).unwrap();
        let running = ledger.start().unwrap();
        let mut fingerprint = None;
        until("the certificate is made", LONG, || {
            let said = ledger.command(&["check"])?;
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            fingerprint =
                said.split_once("fingerprint ").and_then(|(_, rest)| rest.split_whitespace().next()).map(str::to_owned);
            Ok(fingerprint.is_some())
        })
        .await
        .unwrap();
        let fingerprint = fingerprint.unwrap();
        let collectors = (1..=SECRETS.len()).map(|number| collector(folder, number, port, &fingerprint)).collect();
        (Self { ledger, receiver, collectors, units }, running)
    }

    fn judge(&self) -> anyhow::Result<Report> {
        let mut printed = Vec::new();
        for collector in &self.collectors {
            printed.extend(collector.registers.printed()?);
        }
        Ok(oracle::judge(&printed, &self.receiver.arrivals(), &Terms { units: self.units, ..Terms::default() }))
    }

    /// Waits for everything, stops all, and holds them to account.
    async fn must_be_exact(&self, ledger: Agent, collectors: Vec<Agent>) {
        let settled = until("everything has arrived", LONG, || {
            let all = self.collectors.iter().map(|collector| &collector.setup).chain([&self.ledger]);
            Ok(self.judge()?.exactly_once()
                && all.map(Setup::audit).all(|audit| audit.is_ok_and(|audit| audit.is_settled())))
        })
        .await;
        assert!(settled.is_ok(), "{}\n{}", self.judge().unwrap(), self.logs());
        for agent in collectors.into_iter().chain([ledger]) {
            agent.terminate().await.unwrap();
        }
        let audit = self.ledger.audit().unwrap();
        assert!(audit.conserved && audit.quarantined_records == 0 && audit.dead_letters() == 0, "{audit:?}");
        for collector in &self.collectors {
            let audit = collector.setup.audit().unwrap();
            assert!(audit.conserved && audit.dead_letters() == 0, "{audit:?}");
        }
        assert_eq!(self.receiver.invalid_requests(), 0);
        let report = self.judge().unwrap();
        assert!(report.exactly_once(), "{report}\n{}", self.logs());
        assert!(report.sales > 100, "too few sales to prove anything");
    }

    fn logs(&self) -> String {
        let all = self.collectors.iter().map(|collector| &collector.setup).chain([&self.ledger]);
        all.map(Setup::log_text).collect::<Vec<_>>().join("\n=====\n")
    }
}

fn collector(folder: &Path, number: usize, port: u16, fingerprint: &str) -> Collector {
    let home = made(folder.join(format!("till-{number}")));
    let (name, secret) = SECRETS[number - 1];
    let (format, pattern) = PATTERNS[number - 1];
    let register = format!("R{number}");
    let till = TillSettings::journal(&register, format, &home.join("sales"), &home.join("printed"), skus(20));
    let till = TillSettings {
        pattern,
        voids_per_mille: 80,
        durable_log: false,
        seed: u64::try_from(number).unwrap() * 17,
        ..till.mixed()
    };
    let registers = Registers::of(vec![till]);
    let setup = Setup::new(agent(), &home).env(name, secret);
    let platform = format!(
        "[[platform]]\nname = \"ledger\"\nkind = \"http\"\nbody = \"transactions\"\nurl = \"https://127.0.0.1:{port}/sales/till-{number}\"\n\
         secret = \"env:{name}\"\nfingerprint = \"{fingerprint}\"\nchanges_max = 40\n"
    );
    setup.configure(&registers.source_tables(), &platform).unwrap();
    Collector { setup, registers }
}

fn made(folder: PathBuf) -> PathBuf {
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One is off for a day, one is killed, one is set up anew, the ledger goes down in between.
async fn a_day_of_mishaps(shop: Shop, mut ledger: Agent) {
    let start = |at: usize| shop.collectors[at].setup.start().unwrap();
    let mut running = vec![start(0), start(1), start(2)];
    // An export is read when it has been quiet for a while, so its till needs pauses.
    let pace = |pattern| Duration::from_millis(if matches!(pattern, Pattern::Journal) { 15 } else { 400 });
    let selling: Vec<_> = shop
        .collectors
        .iter()
        .zip(PATTERNS)
        .map(|(collector, (_, pattern))| collector.registers.open(pace(pattern)))
        .collect();
    let sends = |at: usize| {
        let collector = &shop.collectors[at];
        until("it sends", LONG, || {
            Ok(collector.setup.audit().is_ok_and(|audit| audit.lanes.iter().any(|lane| lane.delivered > 0)))
        })
    };
    let sold = || selling.iter().map(system_tests::world::Selling::tickets).sum::<u64>();
    let reach = |tickets: u64| {
        let wanted = sold() + tickets;
        until("sales go on", LONG, move || Ok(sold() >= wanted))
    };
    reach(60).await.unwrap();
    sends(2).await.unwrap();
    running.pop().unwrap().terminate().await.unwrap();

    reach(40).await.unwrap();
    running.remove(0).kill().unwrap();
    running.insert(0, start(0));

    reach(40).await.unwrap();
    sends(1).await.unwrap();
    running.pop().unwrap().terminate().await.unwrap();
    std::fs::remove_dir_all(shop.collectors[1].setup.state()).unwrap();
    running.push(start(1));
    sends(1).await.unwrap();

    reach(20).await.unwrap();
    ledger.kill().unwrap();
    reach(40).await.unwrap();
    ledger = shop.ledger.start().unwrap();

    reach(20).await.unwrap();
    running.remove(0).kill().unwrap();
    running.insert(0, start(0));
    running.push(start(2));
    sends(0).await.unwrap();
    sends(2).await.unwrap();
    reach(40).await.unwrap();
    for registers in selling {
        registers.close().unwrap();
    }
    shop.must_be_exact(ledger, running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_collectors_and_a_day_of_mishaps_lose_and_double_nothing_at_a_door() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::door(DoorSettings::default()).await.unwrap();
    let (shop, ledger) = Shop::open(folder.path(), receiver, Units::Exact).await;
    a_day_of_mishaps(shop, ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_collectors_and_a_day_of_mishaps_lose_and_double_nothing_at_a_shop() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::shop(ShopSettings::default(), &skus(20)).await.unwrap();
    let (shop, ledger) = Shop::open(folder.path(), receiver, Units::Whole).await;
    a_day_of_mishaps(shop, ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_collector_set_up_anew_at_once_moves_no_stock() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::door(DoorSettings::default()).await.unwrap();
    let (shop, ledger) = Shop::open(folder.path(), receiver, Units::Exact).await;
    let mut running = Vec::new();
    for collector in &shop.collectors {
        let mut till = collector.registers.first().unwrap();
        for _ in 0..50 {
            till.ring_up().unwrap();
        }
        running.push(collector.setup.start().unwrap());
    }
    until("all sales arrive", LONG, || Ok(shop.judge()?.exactly_once())).await.unwrap();
    for (agent, collector) in running.drain(..).zip(&shop.collectors) {
        agent.kill().unwrap();
        std::fs::remove_dir_all(collector.setup.state()).unwrap();
    }
    let known = shop.ledger.audit().unwrap().transactions;
    let agents: Vec<_> = shop.collectors.iter().map(|collector| collector.setup.start().unwrap()).collect();
    until("all files are read again and sent", LONG, || {
        // While a database is just being made it cannot be asked.
        let mut audits = shop.collectors.iter().map(|collector| collector.setup.audit());
        Ok(audits.all(|audit| audit.is_ok_and(|audit| audit.transactions == 50 && audit.is_settled())))
    })
    .await
    .unwrap();
    shop.must_be_exact(ledger, agents).await;
    assert_eq!(shop.ledger.audit().unwrap().transactions, known, "the same tickets are the same tickets");
}
