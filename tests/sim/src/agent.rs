//! The real agent, put together by hand: writer, database on the faulty disk, platform client, stepped in one thread.
//!
//! What is missing of the program: threads, file readers (the till hands its tickets over as a reader would), the
//! status server. What a thread would wait for, the run's loop waits for in virtual time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::time::Duration;

use faulty_vfs::Disk;
use pos_adapters::{Chunk, CursorUpdate};
use sync_core::model::Quantity;
use sync_core::retry::RetryLimits;
use tillsync::clock::Clock;
use tillsync::db::{self, DbError};
use tillsync::ingest::{Place, Wake};
use tillsync::platform::Platform;
use tillsync::platform::shopify::{Auth, Location, Shopify, ShopifySettings};
use tillsync::platform::transport::{HttpClient, WallClock};
use tillsync::push;
use tillsync::secret::SecretRef;
use tillsync::writer::admin::{Action, Request};
use tillsync::writer::{Board, Command, LaneSpec, SourceSpec, Turn, Work, Writer};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use crate::shop::plain::Plain;
use crate::shop::{Class, Front};
use crate::till::Pos;
use crate::time::SimTime;
use crate::trace;

const CACHE_KIB: i64 = 2048;
/// Records of a journal in one chunk.
const CHUNK_RECORDS_MAX: usize = 200;
/// Turns at one moment before something is wrong with the writer.
const TURNS_AT_ONCE_MAX: usize = 10_000;

/// What is the same at every start of one installation.
#[derive(Clone)]
pub struct Setup {
    /// Where the database is.
    pub disk: Disk,
    /// The time of the run.
    pub time: SimTime,
    /// The shop.
    pub front: Front,
    /// For HTTP platforms.
    pub http: HttpClient,
    /// Where the shop's token is.
    pub token: SecretRef,
    /// Identity of a new database.
    pub epoch: String,
    /// How patient the lane is.
    pub retry: RetryLimits,
}

impl Setup {
    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.disk.folder().join("tillsync.db")
    }

    fn platform(&self, clock: &Arc<Clock>) -> anyhow::Result<Arc<dyn Platform>> {
        if self.front.class() != Class::Keyed {
            return Ok(Arc::new(Plain::new(self.front.clone())));
        }
        let settings = ShopifySettings::new(
            "https://shop.example.com".parse()?,
            Location::parse("1"),
            Auth::StaticToken(self.token.clone()),
        );
        let clock = Arc::clone(clock);
        let wall: WallClock = Arc::new(move || clock.now());
        let http = self.http.answered_by(Arc::new(self.front.clone()));
        Ok(Arc::new(Shopify::new(settings, http, wall)))
    }
}

/// A running agent.
pub struct Agent {
    writer: Writer,
    commands: Receiver<Command>,
    sender: Sender<Command>,
    works: UnboundedReceiver<Work>,
    platform: Arc<dyn Platform>,
    requests: JoinSet<()>,
    answered: Arc<Notify>,
    board: Arc<Board>,
    wakes: Receiver<Wake>,
    wake: Sender<Wake>,
    run: u64,
    /// Records handed over, by register; `None` until a run has begun.
    handed: Option<Vec<usize>>,
    turn: Turn,
    time: SimTime,
}

/// An answer in short.
fn told(command: &Command) -> String {
    match command {
        Command::Answer { batch, answer, .. } => format!("{batch:?} {answer:?}"),
        Command::ReadBack { batch, result, .. } => format!("{batch:?} {result:?}"),
        Command::LookedUp { result, .. } => format!("looked up: {}", result.is_ok()),
        _ => "something else".to_owned(),
    }
}

impl Agent {
    /// Starts on what is on the disk.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn start(setup: &Setup) -> anyhow::Result<Self> {
        let path = setup.database();
        let conn = db::open_writer(&path, CACHE_KIB)?;
        if db::tables::meta(&conn, "epoch")?.is_none() {
            db::tables::set_meta(&conn, "epoch", &setup.epoch)?;
        }
        let clock = Arc::new(Clock::new(Box::new(setup.time.clone())));
        let platform = setup.platform(&clock)?;
        let board = Arc::new(Board::new(&["till".to_owned()], 1));
        let (work, works) = tokio::sync::mpsc::unbounded_channel();
        let (sender, commands) = channel();
        let (wake, wakes) = channel();
        let source = SourceSpec { name: "till".to_owned(), vanish_limit_percent: 20 };
        let lane = LaneSpec {
            name: "shop".to_owned(),
            kind: "shop",
            platform: Arc::clone(&platform),
            look_up_retry: RetryLimits { first: Duration::from_secs(60), max: Duration::from_hours(1) },
            retry: setup.retry,
            probe: RetryLimits { first: Duration::from_secs(10), max: Duration::from_mins(10) },
        };
        let mut writer = Writer::new(conn, path, clock, &[source], vec![lane], work, Arc::clone(&board))?;
        writer.start();
        Ok(Self {
            writer,
            commands,
            sender,
            works,
            platform,
            requests: JoinSet::new(),
            answered: Arc::default(),
            board,
            wakes,
            wake,
            run: 0,
            handed: None,
            turn: Turn::Due(Duration::ZERO),
            time: setup.time.clone(),
        })
    }

    /// When the next turn is due, from now on.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        match self.turn {
            Turn::Due(wait) => Some(wait),
            Turn::Idle | Turn::Ended => None,
        }
    }

    /// Told when a request was answered.
    #[must_use]
    pub fn answered(&self) -> Arc<Notify> {
        Arc::clone(&self.answered)
    }

    /// Nothing waits in the lane, on the way or in the reader.
    #[must_use]
    pub fn is_quiet(&self, pos: &Pos) -> bool {
        let facts = self.board.facts();
        let lane = facts.lanes.iter().all(|lane| lane.waiting_lines == 0 && lane.in_flight == 0);
        let read = self.handed.as_ref().is_some_and(|handed| {
            (0..pos.registers()).all(|register| handed.get(register) == Some(&pos.written(register)))
        });
        lane && read && !self.writer.is_broken() && self.requests.is_empty() && self.turn == Turn::Idle
    }

    /// What the status page would show of the lane, for a failed run.
    #[must_use]
    pub fn state(&self) -> String {
        let facts = self.board.facts();
        format!(
            "{:?} {:?} {:?} clock {:?} fault {:?}",
            self.turn, self.handed, facts.lanes, facts.clock_note, facts.fault
        )
    }

    /// The reader goes back some records, as one that met a re-written file.
    pub fn read_again(&mut self, register: usize, records: usize) {
        if let Some(handed) = self.handed.as_mut().and_then(|handed| handed.get_mut(register)) {
            *handed = handed.saturating_sub(records);
        }
    }

    /// Hands over what the till has written, and lets the writer and the network act.
    ///
    /// # Errors
    /// If the writer never comes to rest.
    pub fn act(&mut self, pos: &Pos) -> anyhow::Result<()> {
        while let Ok(wake) = self.wakes.try_recv() {
            if matches!(wake, Wake::Resume) {
                self.handed = None;
            }
        }
        self.read(pos);
        for _ in 0..TURNS_AT_ONCE_MAX {
            self.turn = self.writer.step(None, &self.commands);
            self.send();
            while self.requests.try_join_next().is_some() {}
            let due = matches!(self.turn, Turn::Due(wait) if wait.is_zero());
            match self.commands.try_recv() {
                Ok(command) => {
                    self.turn = self.writer.step(Some(command), &self.commands);
                    self.send();
                }
                Err(_) if due => {}
                Err(_) => return Ok(()),
            }
            if self.writer.is_broken() {
                return Ok(());
            }
        }
        anyhow::bail!("the writer does not come to rest: {}", self.state())
    }

    /// As the thread of a source does: asks where it stands, then hands chunks over.
    fn read(&mut self, pos: &Pos) {
        if self.writer.is_broken() {
            return;
        }
        if self.handed.is_none() {
            self.run += 1;
            let (reply, cursors) = sync_channel(1);
            let begin = Command::BeginRun { source: 0, run: self.run, wake: self.wake.clone(), reply };
            self.turn = self.writer.step(Some(begin), &self.commands);
            self.send();
            let Some(cursors) = cursors.try_recv().ok().flatten() else { return };
            let mut handed = vec![0; pos.registers()];
            for (item, state) in cursors {
                if let (Ok(register), Ok(at)) = (item.parse::<usize>(), state.parse())
                    && let Some(place) = handed.get_mut(register)
                {
                    *place = at;
                }
            }
            self.handed = Some(handed);
        }
        let Some(handed) = &mut self.handed else { return };
        for (register, handed) in handed.iter_mut().enumerate() {
            while *handed < pos.written(register) {
                let mut transactions = pos.read(register, *handed);
                transactions.truncate(CHUNK_RECORDS_MAX);
                *handed += transactions.len();
                let cursor = CursorUpdate { item: register.to_string(), state: Some(handed.to_string()) };
                let chunk = Chunk { transactions, cursors: vec![cursor], ..Chunk::default() };
                let command = Command::Chunk { source: 0, run: self.run, chunk, backlog: None, room: Place::alone() };
                let _writer_lives = self.sender.send(command);
            }
        }
    }

    fn send(&mut self) {
        while let Ok(work) = self.works.try_recv() {
            let (platform, sender, answered) =
                (Arc::clone(&self.platform), self.sender.clone(), Arc::clone(&self.answered));
            let time = self.time.clone();
            self.requests.spawn(async move {
                trace::line(time.elapsed(), || format!("agent asks {work:?}"));
                let done = push::carry_out(&*platform, work).await;
                trace::line(time.elapsed(), || format!("agent hears {}", told(&done)));
                let _writer_lives = sender.send(done);
                answered.notify_one();
            });
        }
    }

    /// A person tries a change again or gives it up.
    pub fn decide(&mut self, id: i64, retry: bool) {
        let action = if retry {
            Action::RetryEntry { id }
        } else {
            Action::DiscardEntry { id, reason: "it is in effect".to_owned() }
        };
        let (reply, _answer) = sync_channel(1);
        self.turn = self.writer.step(Some(Command::Admin(Request { action, reply })), &self.commands);
        self.send();
    }

    /// Stops as the service does.
    pub fn stop(mut self) {
        self.requests.abort_all();
        self.turn = self.writer.step(Some(Command::Stop), &self.commands);
    }
}

/// A change that was put aside for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// Code of the article.
    pub article: String,
    /// Units.
    pub delta: i64,
    /// Why, as a code.
    pub code: String,
}

/// What is in the database: the agent's own count, and what waits for a person.
///
/// # Errors
/// [`DbError`].
pub fn look(setup: &Setup) -> Result<(tillsync::audit::Report, Vec<DeadLetter>), DbError> {
    let mut conn = db::open_reader(&setup.database())?;
    let report = tillsync::audit::audit(&mut conn, &mut |_, _| {})?;
    let read = |conn: &rusqlite::Connection| -> rusqlite::Result<Vec<DeadLetter>> {
        let mut statement = conn.prepare(
            "SELECT d.id, s.code, d.delta, d.code FROM dead_letter d JOIN sku s ON s.id = d.sku WHERE d.state = 'open'",
        )?;
        let rows = statement.query_map([], |row| {
            let delta = Quantity::from_micros(row.get(2)?).floor_units();
            Ok(DeadLetter { id: row.get(0)?, article: row.get(1)?, delta, code: row.get(3)? })
        })?;
        rows.collect()
    };
    let dead = read(&conn).map_err(db::step("read the dead letters"))?;
    Ok((report, dead))
}
