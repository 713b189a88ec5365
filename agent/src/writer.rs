//! The one thread that writes the database, and the loop that owns the lanes.
//!
//! Everything that changes state arrives as a [`Command`]. The loop takes what is queued as one group, applies it
//! inside one SQL transaction (transactions, movements, cursors, answers, new frozen batches), commits, and only
//! then lets anything leave: replies to sources, [`Work`] for the network. One fsync therefore stands between a
//! sale and its request, and many sales share one fsync when they come fast.
//!
//! [`Writer::step`] is one turn and waits for nothing; [`Writer::run`] is the thread that waits between turns.
//!
//! When a group cannot be committed it is rolled back whole, the lanes are rebuilt from the database, sources go
//! back to their stored cursors, and answers are kept and applied again. Nothing is decided here that the pure
//! core could decide.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::Duration;

use pos_adapters::{Chunk, StoredSignal};
use rusqlite::Connection;
use sync_core::model::{BatchId, EntryId, Seq, Sku, SkuId, Timestamp};
use sync_core::outbox::verdict::Answer;
use sync_core::retry::Jitter;

use crate::clock::Clock;
use crate::crash;
use crate::db::{self, DbError, step};
use crate::ingest::{Wake, chain};
use crate::platform::Platform;
use crate::sabotage::{self, Rule};

pub mod admin;
mod command;
pub mod count;
pub mod facts;
mod forget;
mod lanes;
mod looks;
pub mod orders;
pub mod post;
mod readback;
mod record;
pub mod repair;
pub mod restore;
pub mod values;
pub mod view;

pub use command::{Command, Work};
pub use lanes::LaneRuntime;
pub use view::Board;

/// Most lines that one commit takes.
const GROUP_LINES_MAX: u64 = 65_536;
/// Longest that a group stays open for chunks that are known to follow.
const GROUP_OPEN_MAX: Duration = Duration::from_millis(200);
/// How long to wait for the next of them.
const NEXT_CHUNK_WAIT: Duration = Duration::from_millis(20);
/// Longest that a plain acknowledgement waits to share a commit with the next sale.
const ACK_WAIT_MAX: Duration = Duration::from_millis(50);
/// A closing that was committed without fsync is made durable after this long at the latest.
const UNSYNCED_MAX: Duration = Duration::from_secs(5);
/// Pause after a failed commit.
const FAILURE_WAIT: Duration = Duration::from_secs(1);
/// The write-ahead log is folded into the database after this many commits or lines, and when idle. It is then written
/// from its start again, over blocks that the file system has given already: a commit there costs the least.
const CHECKPOINT_COMMITS: u32 = 200;
const CHECKPOINT_LINES: u64 = 50_000;
/// Least time between two looks of the board at a lane with much to do.
const PUBLISH_MIN: Duration = Duration::from_millis(100);
const IDLE_BEFORE_FOLD: Duration = Duration::from_secs(30);

/// Where the writer puts work for the network.
pub type WorkQueue = tokio::sync::mpsc::UnboundedSender<Work>;

/// One source of the configuration.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// Its name.
    pub name: String,
    /// Share of an export's transactions that may vanish at once; more is held for a person (invariant 9).
    pub vanish_limit_percent: usize,
}

/// One lane of the configuration.
pub struct LaneSpec {
    /// Its name.
    pub name: String,
    /// `shopify`, `http`, …
    pub kind: &'static str,
    /// The connection.
    pub platform: Arc<dyn Platform>,
    /// Delays, from the configuration.
    pub look_up_retry: sync_core::retry::RetryLimits,
    /// See `look_up_retry`.
    pub retry: sync_core::retry::RetryLimits,
    /// See `look_up_retry`.
    pub probe: sync_core::retry::RetryLimits,
}

/// The writer's state. Rebuilt from the database after a failed commit.
pub struct Writer {
    conn: Connection,
    clock: Arc<Clock>,
    epoch: String,
    sources: Vec<SourceRuntime>,
    lanes: Vec<LaneRuntime>,
    skus: HashMap<String, SkuId>,
    codes: HashMap<SkuId, Sku>,
    segments: HashMap<String, i64>,
    seq: Seq,
    next_entry: EntryId,
    next_batch: BatchId,
    moved: record::Moved,
    restored: restore::CatchingUp,
    work: WorkQueue,
    board: Arc<Board>,
    kept: VecDeque<Command>,
    broken: bool,
    /// [`Command::Stop`] came in the middle of a group.
    stopping: bool,
    /// By the steady clock, as the other spans.
    unsynced_since: Option<Duration>,
    /// Since when acknowledgements in `kept` wait for company.
    acks_since: Option<Duration>,
    commits_since_checkpoint: u32,
    lines_since_checkpoint: u64,
    db_path: std::path::PathBuf,
    /// Folds the log beside the writer; without one it is folded between groups.
    checkpointer: Option<SyncSender<()>>,
    /// Beside the writer or between groups, the log could not be folded.
    fold_failed: Arc<AtomicBool>,
    lines_text: String,
    published: Duration,
    synchronous_full: bool,
    horizon: Timestamp,
    last_moment: Timestamp,
    late: count::late::Late,
    online: orders::OnlineSettings,
}

struct SourceRuntime {
    id: i64,
    name: String,
    vanish_limit_percent: usize,
    /// The run whose chunks are taken; `None` after one could not be stored.
    run: Option<u64>,
    wake: Option<Sender<Wake>>,
}

/// When the writer's next turn is, if no command comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// After this long at the latest.
    Due(Duration),
    /// Nothing waits for time to pass.
    Idle,
    /// [`Command::Stop`] was carried out.
    Ended,
}

/// What a turn has to do.
enum Group {
    Go(VecDeque<Command>),
    /// Only acknowledgements are there, and they may wait this long.
    Wait(Duration),
    Stop,
}

impl Writer {
    /// Takes the database over: reads what is pending and prepares the lanes.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn new(
        conn: Connection,
        db_path: std::path::PathBuf,
        clock: Arc<Clock>,
        sources: &[SourceSpec],
        lanes: Vec<LaneSpec>,
        work: WorkQueue,
        board: Arc<Board>,
    ) -> Result<Self, DbError> {
        if sabotage::breaks(Rule::NoFsync) {
            conn.execute_batch("PRAGMA synchronous = OFF").map_err(step("set synchronous"))?;
        }
        let epoch = restore::epoch(&conn)?;
        let sources = sources
            .iter()
            .map(|spec| {
                Ok(SourceRuntime {
                    id: db::tables::source_id(&conn, &spec.name)?,
                    name: spec.name.clone(),
                    vanish_limit_percent: spec.vanish_limit_percent,
                    run: None,
                    wake: None,
                })
            })
            .collect::<Result<Vec<_>, DbError>>()?;
        let seq = db::ledger::last_seq(&conn)?;
        let lanes =
            lanes.into_iter().map(|spec| LaneRuntime::new(&conn, spec, seq)).collect::<Result<Vec<_>, DbError>>()?;
        let restored = restore::CatchingUp::load(&conn, sources.len())?;
        let mut writer = Self {
            conn,
            clock,
            epoch,
            sources,
            lanes,
            skus: HashMap::new(),
            codes: HashMap::new(),
            segments: HashMap::new(),
            seq,
            next_entry: EntryId(0),
            next_batch: BatchId(0),
            moved: record::Moved::default(),
            restored,
            work,
            board,
            kept: VecDeque::new(),
            broken: false,
            stopping: false,
            unsynced_since: None,
            acks_since: None,
            commits_since_checkpoint: 0,
            lines_since_checkpoint: 0,
            db_path,
            checkpointer: None,
            fold_failed: Arc::default(),
            lines_text: String::new(),
            published: Duration::ZERO,
            // As opened.
            synchronous_full: true,
            horizon: Timestamp(i64::MIN),
            last_moment: Timestamp(0),
            late: count::late::Late::default(),
            online: orders::OnlineSettings::default(),
        };
        writer.rebuild()?;
        writer.board.start(&writer.conn)?;
        Ok(writer)
    }

    /// Runs until [`Command::Stop`].
    pub fn run(mut self, commands: &Receiver<Command>) {
        self.checkpointer = Some(spawn_checkpointer(self.db_path.clone(), Arc::clone(&self.fold_failed)));
        self.start();
        let mut turn = self.next_turn();
        loop {
            let wait = match turn {
                Turn::Due(wait) => wait,
                Turn::Idle => IDLE_BEFORE_FOLD,
                Turn::Ended => break,
            };
            let first = match commands.recv_timeout(wait) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Command::Stop),
            };
            turn = self.step(first, commands);
            if self.broken {
                // A full disk is not helped by trying at once; commands keep queueing, bounded by their senders.
                let (_hold, pause) = std::sync::mpsc::channel::<()>();
                let _timed_out = pause.recv_timeout(FAILURE_WAIT);
            }
        }
    }

    /// Lets what was pending at the start leave.
    pub fn start(&mut self) {
        // An earlier run may have died between a failed fsync and its mending.
        if let Err(fault) = self.fold_whole() {
            self.failed(&fault);
            return;
        }
        self.act();
        self.publish();
    }

    /// One turn: `first` and what is queued behind it. Waits for nothing. After a failed commit ([`Self::is_broken`])
    /// the next turn tries again.
    pub fn step(&mut self, first: Option<Command>, commands: &Receiver<Command>) -> Turn {
        let ended = match self.gather(first, commands) {
            Group::Wait(wait) => return Turn::Due(wait),
            Group::Go(group) => {
                self.group(group, commands);
                self.stopping
            }
            Group::Stop => true,
        };
        if !ended {
            return self.next_turn();
        }
        let kept = std::mem::take(&mut self.kept);
        if !kept.is_empty() {
            self.group(kept, commands);
        }
        if let Err(fault) = self.sync_now() {
            tracing::error!(error = chain(&fault), "The last acknowledgements may be sent again after the next start");
        }
        Turn::Ended
    }

    /// The last group could not be stored.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Takes a group together, or says how long acknowledgements may still wait for company.
    fn gather(&mut self, first: Option<Command>, commands: &Receiver<Command>) -> Group {
        let mut next = first.or_else(|| commands.try_recv().ok());
        while let Some(command) = next {
            if matches!(command, Command::Stop) {
                return Group::Stop;
            }
            if !self.may_wait(&command) {
                let mut group = std::mem::take(&mut self.kept);
                group.push_back(command);
                self.acks_since = None;
                return Group::Go(group);
            }
            self.acks_since.get_or_insert(self.clock.steady());
            self.kept.push_back(command);
            next = commands.try_recv().ok();
        }
        if let Some(since) = self.acks_since {
            let waited = self.clock.steady().saturating_sub(since);
            if waited < ACK_WAIT_MAX {
                return Group::Wait(ACK_WAIT_MAX.saturating_sub(waited));
            }
        }
        self.acks_since = None;
        let group = std::mem::take(&mut self.kept);
        if group.is_empty() {
            self.idle();
        }
        Group::Go(group)
    }

    /// A plain acknowledgement with nothing waiting behind it can share the commit of the next sale.
    fn may_wait(&self, command: &Command) -> bool {
        let Command::Answer { lane, answer: Answer::Applied { .. }, .. } = command else { return false };
        self.lanes.get(*lane).is_some_and(|runtime| runtime.lane.waiting_len() == 0)
    }

    fn next_turn(&self) -> Turn {
        let now = self.clock.now();
        let lane = self.lanes.iter().filter_map(|runtime| runtime.lane.next_deadline()).map(|(at, _)| at).min();
        let lane = lane.map(|at| at.since(now));
        let sync = self.unsynced_since.map(|since| UNSYNCED_MAX.saturating_sub(self.since(since)));
        let broken = self.broken.then_some(FAILURE_WAIT);
        let fold = (self.commits_since_checkpoint > 0).then_some(IDLE_BEFORE_FOLD);
        // While the clock is not trusted, a due retry may have to wait: looking for it must not spin.
        let least = if self.clock.is_trusted() { Duration::from_millis(1) } else { Duration::from_secs(1) };
        let due = [lane, sync, broken, fold].into_iter().flatten().min();
        due.map_or(Turn::Idle, |due| Turn::Due(due.clamp(least, IDLE_BEFORE_FOLD)))
    }

    fn idle(&mut self) {
        if self.broken {
            return;
        }
        if self.unsynced_since.is_some_and(|since| self.since(since) >= UNSYNCED_MAX)
            && let Err(fault) = self.sync_now()
        {
            self.failed(&fault);
        }
        if self.commits_since_checkpoint > 0 && self.lanes.iter().all(|runtime| runtime.lane.next_deadline().is_none())
        {
            self.commits_since_checkpoint = 0;
            if let Err(source) = self.conn.execute_batch("PRAGMA wal_checkpoint(RESTART)") {
                self.failed(&DbError::Step { step: "fold the write-ahead log", source });
            }
        }
    }

    /// Copies all of the log into the database file and begins it anew. After a failed fsync this is the only way to be
    /// sure: the system takes the pages that it could not write for clean, says of the next fsync that all is well, and
    /// a log with a hole ends there after a power cut, whatever was acknowledged behind it.
    fn fold_whole(&self) -> Result<(), DbError> {
        // A reader that is in the way only keeps the log from being emptied.
        self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(step("fold the write-ahead log"))
    }

    /// One group: apply, commit, act.
    fn group(&mut self, mut group: VecDeque<Command>, commands: &Receiver<Command>) {
        self.broken |= self.fold_failed.swap(false, Ordering::AcqRel);
        if self.broken {
            // What a failed commit left in the log must be on the disk before anything of it is sent.
            if let Err(fault) = self.rebuild().and_then(|()| self.fold_whole()).and_then(|()| self.sync_now()) {
                self.failed(&fault);
                self.put_back(group);
                return;
            }
            self.broken = false;
        }
        let durable = group.iter().any(|command| !self.may_wait(command)) || group.is_empty();
        let mut applied = Applied::default();
        let restored = self.restored.clone();
        match self.apply(&mut group, commands, &mut applied, durable) {
            Ok(()) => {
                applied.tell_stored();
                applied.reply(true);
                self.act();
                self.checkpoint_if_due();
            }
            Err(fault) => {
                if let Err(error) = self.conn.execute_batch("ROLLBACK") {
                    tracing::debug!(%error, "No transaction to roll back");
                }
                self.failed(&fault);
                self.restored = restored;
                let mut kept = std::mem::take(&mut applied.keep);
                kept.append(&mut group);
                self.end_runs(&applied.sources);
                applied.reply(false);
                self.put_back(kept);
            }
        }
        self.publish();
    }

    /// What a failed group held is tried again; its chunks are read again from the stored cursors.
    fn put_back(&mut self, group: VecDeque<Command>) {
        for command in group {
            if let Command::Chunk { source, .. } = &command {
                self.end_runs(&[*source]);
            } else if !matches!(command, Command::Replay { .. }) {
                // Whoever asked for a replay is told by the signal that is dropped, and may ask again.
                self.kept.push_back(command);
            }
        }
    }

    /// Takes no more chunks of the sources' runs, and tells them to begin another.
    fn end_runs(&mut self, sources: &[usize]) {
        for source in sources {
            let Some(runtime) = self.sources.get_mut(*source) else { continue };
            runtime.run = None;
            if let Some(wake) = runtime.wake.take() {
                let _ended = wake.send(Wake::Resume);
            }
        }
    }

    fn failed(&mut self, fault: &DbError) {
        self.broken = true;
        self.board.fault(fault);
        tracing::error!(
            code = fault.code(),
            hint = fault.hint(),
            error = chain(fault),
            "Cannot store; nothing is lost, it is tried again"
        );
    }

    fn apply(
        &mut self,
        group: &mut VecDeque<Command>,
        commands: &Receiver<Command>,
        applied: &mut Applied,
        durable: bool,
    ) -> Result<(), DbError> {
        let full = durable && !sabotage::breaks(Rule::NoFsync);
        self.set_synchronous(full)?;
        let changes = self.conn.total_changes();
        self.execute("BEGIN IMMEDIATE")?;
        self.board.begin();
        let opened = self.clock.steady();
        let mut more = false;
        while let Some(command) = group.pop_front() {
            more = self.apply_one(command, applied)?;
        }
        while applied.lines < GROUP_LINES_MAX && self.since(opened) < GROUP_OPEN_MAX {
            let next = if more { commands.recv_timeout(NEXT_CHUNK_WAIT).ok() } else { commands.try_recv().ok() };
            match next {
                None => break,
                Some(Command::Stop) => {
                    self.stopping = true;
                    break;
                }
                Some(command) => more = self.apply_one(command, applied)?,
            }
        }
        self.post_movements()?;
        let frozen = self.freeze()?;
        self.flush_lanes()?;
        if sabotage::breaks(Rule::SendBeforeCommit) {
            self.act();
        }
        crash::point("before_commit").map_err(|source| DbError::Io { step: "commit", source })?;
        self.execute("COMMIT")?;
        crash::point("after_commit").map_err(|source| DbError::Io { step: "commit", source })?;
        self.board.commit();
        // A commit of nothing writes nothing and syncs nothing.
        if self.conn.total_changes() == changes {
            // A repeat is answered as stored: what it repeats may have been left unsynced by an earlier run.
            return if applied.stored.is_empty() { Ok(()) } else { self.sync_now() };
        }
        self.commits_since_checkpoint += 1;
        self.lines_since_checkpoint += applied.lines;
        if full {
            self.unsynced_since = None;
        } else {
            self.unsynced_since.get_or_insert(self.clock.steady());
            if frozen || applied.lines > 0 || !applied.stored.is_empty() {
                self.sync_now()?;
            }
        }
        Ok(())
    }

    /// Only between transactions. Not a cached statement: SQLite carries this pragma out when it compiles it.
    fn set_synchronous(&mut self, full: bool) -> Result<(), DbError> {
        if self.synchronous_full == full || sabotage::breaks(Rule::NoFsync) {
            return Ok(());
        }
        let level = if full { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
        self.conn.execute_batch(level).map_err(step("set synchronous"))?;
        self.synchronous_full = full;
        Ok(())
    }

    fn execute(&self, sql: &'static str) -> Result<(), DbError> {
        self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(|_| ()).map_err(step(sql))
    }

    /// An fsync of everything committed so far.
    fn sync_now(&mut self) -> Result<(), DbError> {
        self.set_synchronous(true)?;
        db::tables::set_meta(&self.conn, "synced_at", &self.clock.now().0.to_string())?;
        self.unsynced_since = None;
        Ok(())
    }

    /// Records a chunk; its signal is told after the commit.
    fn take_chunk(
        &mut self,
        source: usize,
        mut chunk: Chunk,
        backlog: Option<u64>,
        applied: &mut Applied,
    ) -> Result<(), DbError> {
        applied.lines += u64::try_from(chunk.transactions.len()).unwrap_or(u64::MAX);
        let stored = chunk.stored.take();
        self.record(source, chunk, backlog)?;
        applied.stored.extend(stored);
        Ok(())
    }

    /// Applies one command inside the open transaction. Returns whether more of the same source follows.
    #[expect(clippy::too_many_lines, reason = "one total function, arm by arm")]
    fn apply_one(&mut self, command: Command, applied: &mut Applied) -> Result<bool, DbError> {
        match command {
            Command::Chunk { source, run, chunk, backlog, room } => {
                if self.sources.get(source).is_none_or(|runtime| runtime.run != Some(run)) {
                    return Ok(false);
                }
                if !applied.sources.contains(&source) {
                    applied.sources.push(source);
                }
                self.take_chunk(source, chunk, backlog, applied)?;
                drop(room);
                Ok(backlog.is_some_and(|bytes| bytes > 0))
            }
            Command::Replay { source, chunk } => self.take_chunk(source, chunk, None, applied).map(|()| false),
            Command::BeginRun { source, run, wake, reply } => {
                let cursors = self.sources.get_mut(source).and_then(|runtime| {
                    runtime.run = Some(run);
                    runtime.wake = Some(wake);
                    db::tables::cursors(&self.conn, runtime.id).ok()
                });
                if reply.send(cursors).is_err() {
                    tracing::debug!("A source stopped before its cursors were read");
                }
                Ok(false)
            }
            Command::SourceState { source, run, backlog, fault } => {
                applied.keep.push_back(Command::SourceState { source, run, backlog, fault: fault.clone() });
                self.source_quiet(source, run, backlog, fault)?;
                Ok(false)
            }
            Command::Answer { lane, batch, answer } => {
                applied.keep.push_back(Command::Answer { lane, batch, answer: answer.clone() });
                self.answered(lane, batch, answer)?;
                Ok(false)
            }
            Command::LookedUp { lane, skus, result } => {
                applied.keep.push_back(Command::LookedUp { lane, skus: skus.clone(), result: result.clone() });
                self.looked_up(lane, &skus, result)?;
                Ok(false)
            }
            Command::ReadBack { lane, batch, question, result } => {
                let kept = Command::ReadBack { lane, batch, question: question.clone(), result: result.clone() };
                applied.keep.push_back(kept);
                self.read_back(lane, batch, &question, result)?;
                Ok(false)
            }
            Command::Repair(request) => {
                let answer = self.repair(&request)?;
                applied.after.push(Box::new(move |stored| {
                    let _nobody_waits = request.reply.send(if stored { answer } else { repair::RepairAnswer::Failed });
                }));
                Ok(false)
            }
            Command::Facts(request) => {
                let articles = self.facts(request.lane, request.since)?;
                applied.after.push(Box::new(move |stored| {
                    let _nobody_waits = request.reply.send(stored.then_some(articles));
                }));
                Ok(false)
            }
            Command::Reconcile(request) => {
                let number = self.keep_run(&request)?;
                applied.after.push(Box::new(move |stored| {
                    let _nobody_waits = request.reply.send(stored.then_some(number));
                }));
                Ok(false)
            }
            Command::Post(request) => {
                let posted = self.take_postings(&request)?;
                applied.after.push(Box::new(move |stored| {
                    let _nobody_waits = request.reply.send(stored.then_some(posted));
                }));
                Ok(false)
            }
            Command::Count(request) => {
                let answer = self.count(&request)?;
                applied.after.push(Box::new(move |stored| {
                    let _nobody_waits = request.reply.send(stored.then_some(answer));
                }));
                Ok(false)
            }
            Command::Schedule(request) => {
                crate::schedule::store::put(&self.conn, &request.name, &request.state)?;
                applied.after.push(Box::new(move |stored| {
                    let _nobody_waits = request.reply.send(stored);
                }));
                Ok(false)
            }
            Command::Orders(request) => self.orders_read(request, applied).map(|()| false),
            Command::Values(request) => self.values_read(request, applied).map(|()| false),
            Command::Probed { lane, result } => {
                self.probed(lane, result);
                Ok(false)
            }
            Command::Forget { before, horizon, reply } => {
                let mut forgotten = self.forget_sent(before)?;
                if let Some(horizon) = horizon {
                    forgotten += self.forget_transactions(horizon)?;
                }
                applied.after.push(Box::new(move |stored| {
                    let _nobody_waits = reply.send(if stored { forgotten } else { 0 });
                }));
                Ok(false)
            }
            Command::Admin(request) => {
                let answered = self.admin(request)?;
                applied.admin.push(answered);
                Ok(false)
            }
            Command::Stop => {
                self.stopping = true;
                Ok(false)
            }
        }
    }

    fn checkpoint_if_due(&mut self) {
        if self.commits_since_checkpoint >= CHECKPOINT_COMMITS || self.lines_since_checkpoint >= CHECKPOINT_LINES {
            self.commits_since_checkpoint = 1;
            self.lines_since_checkpoint = 0;
            match &self.checkpointer {
                Some(checkpointer) => {
                    // A full queue means that one is under way.
                    let _already_asked = checkpointer.try_send(());
                }
                None => note_fold(fold(&self.conn), &self.fold_failed),
            }
        }
    }

    fn sku(&mut self, code: &Sku) -> Result<SkuId, DbError> {
        if let Some(id) = self.skus.get(code.as_str()) {
            return Ok(*id);
        }
        let id = db::tables::sku_id(&self.conn, code.as_str())?;
        self.skus.insert(code.as_str().to_owned(), id);
        self.codes.insert(id, code.clone());
        Ok(id)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How long ago that was by the steady clock.
    fn since(&self, steady: Duration) -> Duration {
        self.clock.steady().saturating_sub(steady)
    }

    /// Tells the board; rarely enough that a busy lane does not pay for it.
    fn publish(&mut self) {
        if self.since(self.published) < PUBLISH_MIN && self.lanes.iter().any(|runtime| runtime.lane.waiting_len() > 100)
        {
            return;
        }
        self.published = self.clock.steady();
        self.board.lanes(self.lanes.iter().map(view::lane_facts).collect(), self.skus.len(), self.seq, &self.clock);
    }
}

/// What a group has to answer when it ends.
#[derive(Default)]
struct Applied {
    sources: Vec<usize>,
    keep: VecDeque<Command>,
    admin: Vec<admin::Answered>,
    /// Told whether the group was stored.
    after: Vec<Box<dyn FnOnce(bool) + Send>>,
    lines: u64,
    /// Told after the commit; dropped untold with a group that failed.
    stored: Vec<StoredSignal>,
}

impl Applied {
    fn tell_stored(&mut self) {
        for signal in self.stored.drain(..) {
            signal.stored();
        }
    }

    fn reply(self, ok: bool) {
        for tell in self.after {
            tell(ok);
        }
        for (reply, done) in self.admin {
            let done = if ok { done } else { Err("it could not be stored; try again".to_owned()) };
            if reply.send(done).is_err() {
                tracing::debug!("Nobody waits for the answer");
            }
        }
    }
}

thread_local! {
    static JITTER: Cell<u64> = const { Cell::new(0) };
}

/// Where this thread's [`jitter`] begins, so that a run can be repeated. Not zero.
pub fn seed_jitter(seed: u64) {
    JITTER.set(seed | 1);
}

/// Only spreads retries: a splitmix64 sequence that starts at a random place.
pub(crate) fn jitter() -> Jitter {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    if JITTER.get() == 0 {
        seed_jitter(getrandom::u64().unwrap_or(STEP));
    }
    let mut mixed = JITTER.get();
    JITTER.set(mixed.wrapping_add(STEP));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    Jitter(u32::try_from(mixed >> 32).unwrap_or(u32::MAX))
}

/// Folds the write-ahead log beside the writer, so that its fsyncs are not in the way of a sale.
fn spawn_checkpointer(path: std::path::PathBuf, failed: Arc<AtomicBool>) -> SyncSender<()> {
    let (asked, asks) = std::sync::mpsc::sync_channel::<()>(1);
    let beside = move || {
        let Ok(conn) = Connection::open(&path) else { return };
        while asks.recv().is_ok() {
            note_fold(fold(&conn), &failed);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(beside) {
        tracing::warn!(%error, "No checkpoint thread; the log is folded when idle");
    }
    asked
}

fn fold(conn: &Connection) -> Result<(), String> {
    crash::point("checkpoint").map_err(|e| e.to_string())?;
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(|e| e.to_string())
}

/// What was not folded is folded whole before the next group.
fn note_fold(folded: Result<(), String>, failed: &AtomicBool) {
    if let Err(error) = folded {
        tracing::warn!(error, "Cannot fold the write-ahead log; it is tried again");
        failed.store(true, Ordering::Release);
    }
}

/// A channel to the writer that many can hold.
pub type Commands = Sender<Command>;
