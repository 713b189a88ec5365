//! A writer on real SQLite, its network side and a reconciler around one shop.

use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pos_adapters::{Chunk, StoredSignal};
use serde_json::Value;
use sync_core::ledger::MovementKind;
use sync_core::model::{Extent, LineItem, LineKind, Segment, Transaction, TransactionKey, TransactionStatus};
use sync_core::reconcile::Rules;
use sync_core::retry::RetryLimits;
use tempfile::TempDir;
use tillsync::clock::Clock;
use tillsync::db::{self, StateFolder};
use tillsync::platform::{Platform, Traits};
use tillsync::reconcile::{Ask, Asks, ReconcileLane, Reconciler, What};
use tillsync::writer::post::{PostRequest, Posting};
use tillsync::writer::{Board, Command, Commands, LaneSpec, SourceSpec, Writer};
use tillsync::{audit, push};
use tokio_util::sync::CancellationToken;

use super::shop::{Connected, Kind, Shop};
use super::{sku, units};

const SOON: Duration = Duration::from_secs(20);
const QUICK: RetryLimits = RetryLimits { first: Duration::from_millis(1), max: Duration::from_millis(5) };

pub(super) struct Bench {
    folder: TempDir,
    kind: Kind,
    traits: Traits,
    shop: Arc<Mutex<Shop>>,
    commands: Commands,
    asks: Asks,
    writer: JoinHandle<()>,
    network: JoinHandle<()>,
    stop: CancellationToken,
}

impl Bench {
    pub(super) fn start(kind: Kind, numbers: &[(&str, i64)]) -> Self {
        Self::start_with(kind, kind.traits(), numbers)
    }

    pub(super) fn start_with(kind: Kind, traits: Traits, numbers: &[(&str, i64)]) -> Self {
        let mut shop = Shop::default();
        for (code, number) in numbers {
            shop.set(code, *number);
        }
        Self::on(tempfile::tempdir().unwrap(), kind, traits, Arc::new(Mutex::new(shop)), vec![])
    }

    /// `first` waits for the writer when it starts, so that it is one group.
    fn on(folder: TempDir, kind: Kind, traits: Traits, shop: Arc<Mutex<Shop>>, first: Vec<Command>) -> Self {
        let database = StateFolder::shared(folder.path()).database();
        let conn = db::open_writer(&database, 1024).unwrap();
        let clock = Arc::new(Clock::default());
        let platform: Arc<dyn Platform> = Arc::new(Connected { kind, traits: traits.clone(), shop: Arc::clone(&shop) });
        let (work, works) = tokio::sync::mpsc::unbounded_channel();
        let (commands, taken) = channel();
        let lane = LaneSpec {
            name: "shop".to_owned(),
            kind: "test",
            platform: Arc::clone(&platform),
            look_up_retry: QUICK,
            retry: QUICK,
            probe: QUICK,
        };
        let source = SourceSpec { name: "till".to_owned(), vanish_limit_percent: 20 };
        let board = Arc::new(Board::new(&["till".to_owned()], 1));
        let writer =
            Writer::new(conn, database.clone(), Arc::clone(&clock), &[source], vec![lane], work, board).unwrap();
        for command in first {
            commands.send(command).unwrap();
        }
        let writer = std::thread::spawn(move || writer.run(&taken));
        let stop = CancellationToken::new();
        let (asks, asked) = tokio::sync::mpsc::unbounded_channel();
        let reconciler = Reconciler {
            lanes: vec![ReconcileLane {
                index: 0,
                name: "shop".to_owned(),
                platform: Arc::clone(&platform),
                soon: None,
            }],
            commands: commands.clone(),
            clock,
            database,
            rules: Rules { confirm_after: Duration::from_millis(20), ..Rules::default() },
            buffers: Arc::new(|_, _| 0),
            orders_wait: Duration::from_millis(300),
        };
        let (to_writer, stopping) = (commands.clone(), stop.clone());
        let network = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let pushed = push::run(vec![platform], works, to_writer, stopping.clone());
                tokio::join!(pushed, reconciler.serve(asked, stopping));
            });
        });
        Self { folder, kind, traits, shop, commands, asks, writer, network, stop }
    }

    pub(super) fn traits(&self) -> &Traits {
        &self.traits
    }

    pub(super) fn shop<T>(&self, what: impl FnOnce(&mut Shop) -> T) -> T {
        what(&mut self.shop.lock().unwrap())
    }

    /// A ticket is read and stored.
    pub(super) fn sell(&self, key: &str, lines: &[(&str, i64)]) {
        let (told, stored) = channel();
        let told = Mutex::new(told);
        let chunk = Chunk {
            transactions: vec![ticket(key, lines)],
            stored: Some(StoredSignal::new(move || told.lock().unwrap().send(()).unwrap())),
            ..Chunk::default()
        };
        self.commands.send(Command::Replay { source: 0, chunk }).unwrap();
        stored.recv_timeout(SOON).unwrap();
    }

    /// The ledger is told what lies on the shelf, as a first count does.
    pub(super) fn count(&self, numbers: &[(&str, i64)]) {
        for (code, _) in numbers {
            self.post(code, 1, Some(0));
            self.post(code, -1, Some(0));
        }
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.busy_timeout(SOON).unwrap();
        for (code, number) in numbers {
            let base = units(*number).micros();
            conn.execute(
                "UPDATE stock SET base = ?2 - moved WHERE sku = (SELECT id FROM sku WHERE code = ?1)",
                rusqlite::params![code, base],
            )
            .unwrap();
        }
    }

    pub(super) fn orders_known(&self, open: &[(&str, i64)]) {
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.busy_timeout(SOON).unwrap();
        // A round that began after any reading of numbers in this test.
        let now = Clock::default().now().plus(Duration::from_secs(600)).0;
        conn.execute("INSERT INTO online_poll (lane, polled_at) VALUES (1, ?1)", [now]).unwrap();
        for (item, units) in open {
            conn.execute(
                "INSERT INTO online_line (lane, ord, line, name, item, open, handed_over, changed_at)
                 VALUES (1, 'o1', ?1, '#1', ?1, ?2, 0, ?3)",
                rusqlite::params![item, units, now],
            )
            .unwrap();
        }
    }

    pub(super) fn post(&self, code: &str, count: i64, exempt: Option<usize>) {
        let (reply, posted) = sync_channel(1);
        let posting = Posting {
            sku: sku(code),
            delta: units(count),
            kind: MovementKind::Correction,
            exempt,
            count: None,
            why: "counted".to_owned(),
            who: "test".to_owned(),
        };
        self.commands.send(Command::Post(PostRequest { postings: vec![posting], reply })).unwrap();
        assert!(posted.recv_timeout(SOON).unwrap().is_some());
    }

    pub(super) fn reconcile(&self) -> Value {
        self.ask(What::Run)
    }

    pub(super) fn approve(&self, run: i64) -> Value {
        self.ask(What::Approve { run })
    }

    fn ask(&self, what: What) -> Value {
        let (reply, answer) = sync_channel(1);
        let ask = Ask { platform: None, what, who: "test".to_owned(), reply: Some(reply) };
        assert!(self.asks.send(ask).is_ok());
        let answer = answer.recv_timeout(SOON).unwrap().unwrap();
        let reports: Vec<Value> = serde_json::from_str(&answer).unwrap();
        reports[0].clone()
    }

    pub(super) fn until(&self, is_so: impl Fn(&Shop) -> bool) {
        let until = Instant::now() + SOON;
        while !self.shop(|shop| is_so(shop)) {
            assert!(Instant::now() < until, "{:?}: it did not happen", self.kind);
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    pub(super) fn until_counted(&self, sql: &str, count: i64) {
        let until = Instant::now() + SOON;
        while self.reader().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() != count {
            assert!(Instant::now() < until, "{:?}: it did not happen: {sql}", self.kind);
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Everything recorded so far is past its retention, and is folded, portion by portion.
    pub(super) fn forget_all(&self) {
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.busy_timeout(SOON).unwrap();
        let (past, all) = (Clock::default().now(), "SELECT max(seq) FROM movement");
        conn.execute(&format!("INSERT OR REPLACE INTO moment VALUES (({all}), ?1)"), [past.0 - 1]).unwrap();
        let horizon = past.plus(Duration::from_secs(1));
        loop {
            let (reply, answer) = sync_channel(1);
            self.commands.send(Command::Forget { before: horizon, horizon: Some(horizon), reply }).unwrap();
            if answer.recv_timeout(SOON).unwrap() == 0 {
                return;
            }
        }
    }

    /// A count of this moment waits for a person.
    pub(super) fn hold_count(&self) {
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.busy_timeout(SOON).unwrap();
        conn.execute(
            "INSERT INTO stock_count (name, basis, extent, seq, read_at, state, articles, corrected, waiting, reasons)
             SELECT 'shelf', 'shelf', 'full', max(seq), 0, 'held', 0, 0, 0, '' FROM movement",
            [],
        )
        .unwrap();
    }

    /// A lane that begins here; only what movements say of it is looked at.
    pub(super) fn lane_begins(&self, name: &str) {
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.busy_timeout(SOON).unwrap();
        conn.execute("INSERT INTO lane (name, since) SELECT ?1, max(seq) FROM movement", [name]).unwrap();
    }

    pub(super) fn lane_ends(&self, name: &str) {
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.busy_timeout(SOON).unwrap();
        conn.execute("DELETE FROM lane WHERE name = ?1", [name]).unwrap();
    }

    /// The first column of each row, as text.
    pub(super) fn rows(&self, sql: &str) -> Vec<String> {
        let conn = self.reader();
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement
            .query_map([], |row| {
                Ok(match row.get_ref(0)? {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    other => other.as_str()?.to_owned(),
                })
            })
            .unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn database(&self) -> std::path::PathBuf {
        StateFolder::shared(self.folder.path()).database()
    }

    fn reader(&self) -> rusqlite::Connection {
        db::open_reader(&self.database()).unwrap()
    }

    pub(super) fn restart(self) -> Self {
        let (kind, traits, shop) = (self.kind, self.traits.clone(), Arc::clone(&self.shop));
        Self::on(self.end(), kind, traits, shop, vec![])
    }

    /// Starts on what looks like a restored database; the source reads a ticket and is quiet at once, by its first run or by
    /// one that has ended.
    pub(super) fn restart_restored(self, key: &str, lines: &[(&str, i64)], quiet_run: u64) -> Self {
        let (kind, traits, shop) = (self.kind, self.traits.clone(), Arc::clone(&self.shop));
        let folder = self.end();
        let conn = rusqlite::Connection::open(StateFolder::shared(folder.path()).database()).unwrap();
        conn.execute("INSERT INTO meta VALUES ('catching_up_after_restore', '1')", []).unwrap();
        drop(conn);
        let ((wake, _wakes), (reply, _cursors)) = (channel(), sync_channel(1));
        let chunk = Chunk { transactions: vec![ticket(key, lines)], ..Chunk::default() };
        let first = vec![
            Command::BeginRun { source: 0, run: 2, wake, reply },
            Command::Replay { source: 0, chunk },
            Command::SourceState { source: 0, run: quiet_run, backlog: Some(0), fault: None },
        ];
        Self::on(folder, kind, traits, shop, first)
    }

    /// Ends it; every line must be in exactly one place.
    pub(super) fn stop_conserved(self) {
        let folder = self.end();
        let mut conn = db::open_reader(&StateFolder::shared(folder.path()).database()).unwrap();
        let report = audit::audit(&mut conn, &mut |_, _| {}).unwrap();
        assert!(report.conserved, "{report:?}");
    }

    fn end(self) -> TempDir {
        self.stop.cancel();
        self.network.join().unwrap();
        self.commands.send(Command::Stop).unwrap();
        self.writer.join().unwrap();
        self.folder
    }
}

fn ticket(key: &str, lines: &[(&str, i64)]) -> Transaction {
    let line = |(code, count): &(&str, i64)| LineItem {
        sku: sku(code),
        delta: units(*count),
        kind: LineKind::Sale,
        ignored: None,
    };
    Transaction {
        key: TransactionKey::new(key),
        register: "1".to_owned(),
        sold_at: None,
        status: TransactionStatus::Completed,
        extent: Extent::Whole,
        segment: Segment::new("sales#0"),
        lines: lines.iter().map(line).collect(),
        online_order: None,
    }
}
