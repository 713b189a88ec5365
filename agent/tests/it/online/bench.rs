//! A writer on real SQLite with two shops and a lane of prices, all scripted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pos_adapters::{Chunk, StoredSignal};
use sync_core::model::{
    Extent, IdempotencyKey, LineItem, LineKind, Quantity, Segment, Sku, Timestamp, Transaction, TransactionKey,
    TransactionStatus,
};
use sync_core::orders::{Picks, Recognise};
use sync_core::outbox::verdict::Answer;
use sync_core::retry::RetryLimits;
use tempfile::TempDir;
use tillsync::audit::{self, Report};
use tillsync::clock::Clock;
use tillsync::db::{self, StateFolder};
use tillsync::orders::OrderPoller;
use tillsync::platform::{
    Absolute, Call, CallFailure, Change, Found, OnlineOrder, OrderLine, OrderPage, OrdersSince, Platform, ProbeReport,
    ReadBack, Seen, Traits,
};
use tillsync::push;
use tillsync::writer::admin::{Action, Request};
use tillsync::writer::orders::{OnlineSettings, OrdersRead, OrdersRequest, RoundEnd};
use tillsync::writer::values::ValuesRequest;
use tillsync::writer::{Board, Command, Commands, LaneSpec, SourceSpec, Writer};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);
const QUICK: RetryLimits = RetryLimits { first: Duration::from_millis(1), max: Duration::from_millis(5) };
/// When the first round of orders begins.
pub(super) const PAIRED: i64 = 1_000_000_000;

/// A page of orders, or why there is none.
pub(super) type Scripted = Result<OrderPage, CallFailure>;

/// A shop that knows what it was told, and answers for its orders as scripted.
#[derive(Default)]
pub(super) struct Script {
    pub(super) told: BTreeMap<String, i64>,
    pub(super) pages: VecDeque<Scripted>,
    pub(super) asked: Vec<OrdersSince>,
}

struct Scene {
    latest: bool,
    script: Arc<Mutex<Script>>,
}

impl Platform for Scene {
    fn traits(&self) -> Traits {
        Traits { latest: self.latest, whole_units: false, needs_target: false, ..Traits::default() }
    }

    fn encode(&self, _: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        let rows: Vec<(&str, i64)> =
            changes.iter().map(|change| (change.sku.as_str(), change.delta.micros())).collect();
        serde_json::to_vec(&rows).unwrap()
    }

    fn encode_absolute(&self, _: &IdempotencyKey, _: &[Absolute]) -> Vec<u8> {
        Vec::new()
    }

    fn send<'a>(&'a self, _: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        let rows: Vec<(String, i64)> = serde_json::from_slice(&body).unwrap();
        let mut script = self.script.lock().unwrap();
        for (sku, micros) in rows {
            let told = script.told.entry(sku).or_default();
            *told = if self.latest { micros } else { *told + micros };
        }
        Box::pin(std::future::ready(Answer::Applied { reference: None }))
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(std::future::ready(Ok(vec![Found::Unknown; skus.len()])))
    }

    fn read_back<'a>(&'a self, _: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn orders(&self, since: OrdersSince) -> Option<Call<'_, Scripted>> {
        let mut script = self.script.lock().unwrap();
        script.asked.push(since);
        let page = script.pages.pop_front().unwrap_or_else(|| Ok(OrderPage::default()));
        Some(Box::pin(std::future::ready(page)))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(std::future::ready(Ok(ProbeReport::default())))
    }
}

/// Lanes: `web`, whose orders are handed out here; `other`; `web/prices`.
pub(super) struct Bench {
    folder: TempDir,
    picks: Picks,
    recognise: Recognise,
    scripts: [Arc<Mutex<Script>>; 3],
    pub(super) commands: Commands,
    writer: JoinHandle<()>,
    network: JoinHandle<()>,
    stop: CancellationToken,
}

impl Bench {
    pub(super) fn start(picks: Picks) -> Self {
        Self::recognising(picks, Recognise::default())
    }

    pub(super) fn recognising(picks: Picks, recognise: Recognise) -> Self {
        Self::on(tempfile::tempdir().unwrap(), picks, recognise, Default::default())
    }

    fn on(folder: TempDir, picks: Picks, recognise: Recognise, scripts: [Arc<Mutex<Script>>; 3]) -> Self {
        let database = StateFolder::shared(folder.path()).database();
        let conn = db::open_writer(&database, 1024).unwrap();
        let (work, works) = tokio::sync::mpsc::unbounded_channel();
        let (commands, taken) = channel();
        let platforms: Vec<Arc<dyn Platform>> = scripts
            .iter()
            .enumerate()
            .map(|(at, script)| -> Arc<dyn Platform> {
                Arc::new(Scene { latest: at == 2, script: Arc::clone(script) })
            })
            .collect();
        let lanes = ["web", "other", "web/prices"].into_iter().zip(&platforms).map(|(name, platform)| LaneSpec {
            name: name.to_owned(),
            kind: "test",
            platform: Arc::clone(platform),
            look_up_retry: QUICK,
            retry: QUICK,
            probe: QUICK,
        });
        let source = SourceSpec { name: "till".to_owned(), vanish_limit_percent: 20 };
        let board = Arc::new(Board::new(&["till".to_owned()], 3));
        let writer =
            Writer::new(conn, database, Arc::new(Clock::default()), &[source], lanes.collect(), work, board).unwrap();
        let settings =
            OnlineSettings { recognise: recognise.clone(), picks: vec![Some(picks), None, None], soon: Vec::new() };
        let writer = writer.with_online(settings);
        let writer = std::thread::spawn(move || writer.run(&taken));
        let stop = CancellationToken::new();
        let (to_writer, stopping) = (commands.clone(), stop.clone());
        let network = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(push::run(platforms, works, to_writer, stopping));
        });
        Self { folder, picks, recognise, scripts, commands, writer, network, stop }
    }

    /// What a shop was told of an article in all.
    pub(super) fn told(&self, lane: usize, sku: &str) -> String {
        let micros = self.scripts[lane].lock().unwrap().told.get(sku).copied();
        micros.map_or_else(|| "nothing".to_owned(), |micros| Quantity::from_micros(micros).to_string())
    }

    pub(super) fn script<T>(&self, what: impl FnOnce(&mut Script) -> T) -> T {
        what(&mut self.scripts[0].lock().unwrap())
    }

    /// Stores a whole round with one page.
    pub(super) fn round(&self, orders: Vec<OnlineOrder>, listed: Option<&[&str]>, began_at: i64) {
        let end = RoundEnd {
            changed_after: Timestamp(began_at),
            listed: listed.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()),
            wanted: false,
        };
        let read = OrdersRead { orders, began_at: Timestamp(began_at), end: Some(end) };
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.commands.send(Command::Orders(OrdersRequest { lane: 0, read: Ok(read), reply })).unwrap();
        assert!(answer.blocking_recv().unwrap());
    }

    /// A ticket is read and stored.
    pub(super) fn sell(&self, key: &str, online_order: Option<&str>, lines: &[(&str, i64)]) {
        let line = |(sku, count): &(&str, i64)| LineItem {
            sku: Sku::from(*sku),
            delta: Quantity::from_units(*count).unwrap(),
            kind: LineKind::Sale,
            ignored: None,
        };
        let transaction = Transaction {
            key: TransactionKey::new(key),
            register: "1".to_owned(),
            sold_at: None,
            status: TransactionStatus::Completed,
            online_order: online_order.map(str::to_owned),
            extent: Extent::Whole,
            segment: Segment::new("sales#0"),
            lines: lines.iter().map(line).collect(),
        };
        let (told, stored) = channel();
        let told = Mutex::new(told);
        let chunk = Chunk {
            transactions: vec![transaction],
            stored: Some(StoredSignal::new(move || told.lock().unwrap().send(()).unwrap())),
            ..Chunk::default()
        };
        self.commands.send(Command::Replay { source: 0, chunk }).unwrap();
        stored.recv_timeout(SOON).unwrap();
    }

    pub(super) fn values(&self, request: ValuesRequest) {
        let (reply, answer) = sync_channel(1);
        self.commands.send(Command::Values(ValuesRequest { reply, ..request })).unwrap();
        assert!(answer.recv_timeout(SOON).unwrap());
    }

    pub(super) fn ask(&self, action: Action) -> Result<String, String> {
        let (reply, answer) = sync_channel(1);
        self.commands.send(Command::Admin(Request { action, reply })).unwrap();
        answer.recv_timeout(SOON).unwrap()
    }

    /// Polls the orders of `web` until `is_so`.
    pub(super) fn poll_until(&self, is_so: impl Fn(&Self) -> bool) {
        let poller = OrderPoller {
            lane: 0,
            name: "web".to_owned(),
            platform: Arc::new(Scene { latest: false, script: Arc::clone(&self.scripts[0]) }),
            commands: self.commands.clone(),
            clock: Arc::new(Clock::default()),
            database: StateFolder::shared(self.folder.path()).database(),
            poll: Duration::from_millis(5),
            soon: Arc::default(),
        };
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let polling = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(poller.run(stopping));
        });
        self.until(is_so);
        stop.cancel();
        polling.join().unwrap();
    }

    pub(super) fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + SOON;
        while !is_so(self) {
            assert!(Instant::now() < until, "it did not happen");
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    pub(super) fn count(&self, sql: &str) -> i64 {
        let conn = db::open_reader(&StateFolder::shared(self.folder.path()).database()).unwrap();
        conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(super) fn restart(self) -> Self {
        let (picks, recognise) = (self.picks, self.recognise.clone());
        let scripts = self.scripts.clone();
        Self::on(self.end(), picks, recognise, scripts)
    }

    /// Ends it when everything is sent; every line must be in exactly one place.
    pub(super) fn conserved(self) -> Report {
        self.until(|bench| bench.count("SELECT (SELECT count(*) FROM pending) + (SELECT count(*) FROM batch)") == 0);
        let folder = self.end();
        let mut conn = db::open_reader(&StateFolder::shared(folder.path()).database()).unwrap();
        let report = audit::audit(&mut conn, &mut |_, _| {}).unwrap();
        assert!(report.conserved, "{report:?}");
        report
    }

    fn end(self) -> TempDir {
        self.stop.cancel();
        self.network.join().unwrap();
        self.commands.send(Command::Stop).unwrap();
        self.writer.join().unwrap();
        self.folder
    }
}

/// An order of one line of article `A`; placed before the connection if `placed` is negative.
pub(super) fn order(id: &str, placed: i64, changed: i64, open: i64, handed_over: i64) -> OnlineOrder {
    OnlineOrder {
        id: id.to_owned(),
        name: format!("#{id}"),
        placed_at: Some(Timestamp(PAIRED + placed)),
        changed_at: Timestamp(PAIRED + changed),
        lines: vec![OrderLine {
            id: format!("{id}-1"),
            item: "item-a".to_owned(),
            sku: Some(Sku::from("A")),
            open,
            handed_over,
        }],
    }
}
