//! Carries counts out: finds sheets, reads databases, waits until the sources were read to their end, hands sheets to the
//! writer. One thread, one count after the other. What a count means is decided in `sync_core::count`, at the writer.
//!
//! The order is the point: the ledger's position is noted, the POS's number is read, every source is read to its end, and only
//! then the writer compares. Articles that were sold in between wait; the count is repeated for them a few times.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pos_adapters::articles::{self, ArticleSettings};
use pos_adapters::counts::file::{Candidate, Reader};
use pos_adapters::counts::{CountKind, ResolvedCount, resolve};
use serde::{Deserialize, Serialize};
use sync_core::article::Kits;
use sync_core::count::{Basis, CountExtent, Limits, Outcome, Unsure};
use sync_core::model::{Quantity, Sku, Timestamp};

use crate::clock::Clock;
use crate::config::{Config, CountConfig};
use crate::db;
use crate::ingest::Wake;
use crate::writer::count::{CountAnswer, CountRequest, CountSheet, CountStep, Counted, Taken};
use crate::writer::{Command, Commands};

pub mod check;
mod database;

/// How often folders are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Longest wait until the sources were read to their end.
const SETTLE_MAX: Duration = Duration::from_secs(90);
/// Longest wait for the writer.
const WRITER_MAX: Duration = Duration::from_secs(120);
/// Repeats of a database count for articles that were sold in the middle of it, and the pause before each.
const REPEATS_MAX: u32 = 4;
const REPEAT_AFTER: Duration = Duration::from_secs(15);
/// A sheet that is older is shown to a person first.
const AGE_MAX: Duration = Duration::from_secs(48 * 60 * 60);
/// A file that could not be taken in because a source was away is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Files remembered of one `[[count]]`.
const SEEN_MAX: usize = 10_000;
/// Name of counts on the command line.
pub const MANUAL: &str = "manual";
/// Counted on the command line: goods are on their way from the shelf to the till for so long.
const MANUAL_MARGIN: Duration = Duration::from_secs(2 * 60);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Count now.
    Now {
        /// Name of the `[[count]]`.
        name: String,
        /// Only say what it would do.
        dry_run: bool,
    },
    /// Somebody has counted.
    Set {
        /// Codes with quantities.
        lines: Vec<(String, Quantity)>,
        /// Only say what it would do.
        dry_run: bool,
    },
    /// A person decides about a held count.
    Decide {
        /// Its number.
        id: i64,
        /// Take it in, or give it up.
        approve: bool,
        /// Why.
        reason: Option<String>,
    },
}

/// Answers, as JSON.
pub type Reply = Box<dyn FnOnce(Result<String, String>) + Send>;

/// To the thread that counts.
pub enum Ask {
    /// Something to do.
    Do {
        /// What.
        what: What,
        /// Who or what asks.
        who: String,
        /// Told when it is done.
        reply: Reply,
    },
    /// End.
    Stop,
}

/// Where asks are put.
pub type Asks = Sender<Ask>;

/// A count as the status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CountStatus {
    /// As configured.
    pub name: String,
    /// `waiting`, `applied`, `held`, `known`, `not_now`, `failed`.
    pub state: String,
    /// What came of the last one, in words.
    pub summary: String,
    /// When that was.
    #[serde(with = "crate::status::rfc3339::option")]
    pub at: Option<Timestamp>,
    /// Number of the last one.
    pub id: Option<i64>,
}

/// What the status shows, shared with it.
pub type CountBoard = Arc<Mutex<BTreeMap<String, CountStatus>>>;

/// The thread that counts.
pub struct Counts {
    sources: Vec<Source>,
    commands: Commands,
    clock: Arc<Clock>,
    database: PathBuf,
    /// Sources of sales, by name.
    wakes: Vec<(String, Sender<Wake>)>,
    articles: Option<ArticleSettings>,
    board: CountBoard,
    asks: Receiver<Ask>,
    stopped: bool,
    kept: Vec<Ask>,
    /// Called after a count was taken in.
    taken_in: Box<dyn Fn() + Send>,
}

struct Source {
    config: CountConfig,
    from: From,
    kits: Kits,
}

enum From {
    Files(Files),
    Database(Box<database::Database>),
}

struct Files {
    reader: Reader,
    /// Files whose content was taken in, or can never be, as they looked.
    seen: BTreeSet<(PathBuf, (u64, i64))>,
    /// Files as they looked first, and since when.
    settling: BTreeMap<PathBuf, ((u64, i64), Instant)>,
    /// A scheduled count waits for a file.
    wanted: bool,
    not_before: Option<Instant>,
}

impl Counts {
    /// Prepares the counts of a configuration. `wakes` are the sources of sales by name; `taken_in` is called after each count
    /// that was taken in.
    pub fn new(
        config: &Config,
        commands: Commands,
        clock: Arc<Clock>,
        database: PathBuf,
        wakes: Vec<(String, Sender<Wake>)>,
        board: CountBoard,
        taken_in: Box<dyn Fn() + Send>,
    ) -> (Self, Asks) {
        let (asking, asks) = channel();
        let mut sources = Vec::new();
        for count in &config.counts {
            let takes_apart = config.articles.as_ref().is_some_and(|articles| {
                count.settings.source.as_ref().is_some_and(|name| articles.kits_taken_apart_by.contains(name))
            });
            let from = match count.settings.kind {
                CountKind::File => match Reader::new(&count.settings, &config.store.timezone) {
                    Ok(reader) => From::Files(Files {
                        reader,
                        seen: BTreeSet::new(),
                        settling: BTreeMap::new(),
                        wanted: false,
                        not_before: None,
                    }),
                    // Refused when the configuration was read.
                    Err(_) => continue,
                },
                CountKind::Database => match database::Database::new(config, &count.settings) {
                    Some(database) => From::Database(Box::new(database)),
                    None => continue,
                },
            };
            let kits = if takes_apart { Kits::TakenApart } else { Kits::TakeApart };
            sources.push(Source { config: count.clone(), from, kits });
        }
        let counts = Self {
            sources,
            commands,
            clock,
            database,
            wakes,
            articles: config.articles.clone(),
            board,
            asks,
            stopped: false,
            kept: Vec::new(),
            taken_in,
        };
        counts.fill_board();
        (counts, asking)
    }

    /// Runs until [`Ask::Stop`].
    pub fn run(mut self) {
        let looks = self.sources.iter().any(|source| matches!(source.from, From::Files(_)));
        while !self.stopped {
            let next = if self.kept.is_empty() {
                let wait = if looks { LOOK_EVERY } else { Duration::from_secs(3600) };
                self.asks.recv_timeout(wait)
            } else {
                Ok(self.kept.remove(0))
            };
            match next {
                Ok(Ask::Do { what, who, reply }) => reply(self.answer(&what, &who)),
                Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.look_at_folders(),
            }
        }
        self.hear();
        for ask in self.kept.drain(..) {
            if let Ask::Do { reply, .. } = ask {
                reply(Err("the agent is stopping".to_owned()));
            }
        }
    }

    fn answer(&mut self, what: &What, who: &str) -> Result<String, String> {
        let answers = match what {
            What::Decide { id, approve, reason } => {
                let step = CountStep::Decide { id: *id, approve: *approve, reason: reason.clone() };
                let answer = self.ask_writer(step, who)?;
                if answer.state == "no_such_count" {
                    return Err(answer.summary);
                }
                self.show(&answer.name, &answer.state, &answer.summary, answer.id);
                vec![answer]
            }
            What::Set { lines, dry_run } => vec![self.set(lines, *dry_run, who)?],
            What::Now { name, dry_run } => {
                let index = self.sources.iter().position(|source| source.config.settings.name == *name);
                let index = index.ok_or_else(|| {
                    let known: Vec<&str> =
                        self.sources.iter().map(|source| source.config.settings.name.as_str()).collect();
                    format!("there is no [[count]] `{name}`; there is {}", known.join(", "))
                })?;
                self.run_one(index, *dry_run, who)?
            }
        };
        serde_json::to_string(&answers).map_err(|error| error.to_string())
    }

    fn run_one(&mut self, index: usize, dry_run: bool, who: &str) -> Result<Vec<CountAnswer>, String> {
        let Some(source) = self.sources.get(index) else { return Ok(Vec::new()) };
        let name = source.config.settings.name.clone();
        let done = match &source.from {
            From::Database(_) => self.count_database(index, dry_run, who),
            From::Files(_) => self.count_files(index, true, dry_run, who),
        };
        match &done {
            Ok(answers) => {
                if let Some(last) = answers.last().filter(|_| !dry_run) {
                    self.show(&name, &last.state, &last.summary, last.id);
                }
            }
            Err(reason) => {
                tracing::warn!(count = name, reason, "A count could not be taken");
                self.show(&name, "failed", reason, None);
            }
        }
        done
    }

    fn look_at_folders(&mut self) {
        for index in 0..self.sources.len() {
            let due = self.sources.get(index).is_some_and(|source| match &source.from {
                From::Files(files) => {
                    (source.config.on_change || files.wanted) && files.not_before.is_none_or(|at| at <= Instant::now())
                }
                From::Database(_) => false,
            });
            if due && !self.stopped {
                match self.count_files(index, false, false, "file") {
                    Ok(answers) => {
                        if let Some(last) = answers.last() {
                            self.show(&last.name, &last.state, &last.summary, last.id);
                        }
                    }
                    Err(reason) => {
                        let name = self.sources.get(index).map(|source| source.config.settings.name.clone());
                        tracing::warn!(count = name, reason, "A file could not be taken in as a count");
                        self.show(&name.unwrap_or_default(), "failed", &reason, None);
                    }
                }
            }
        }
    }

    /// Takes in what is new and complete. `asked`: somebody wants it now, so what settles is waited for.
    fn count_files(&mut self, index: usize, asked: bool, dry_run: bool, who: &str) -> Result<Vec<CountAnswer>, String> {
        let mut answers = Vec::new();
        let mut ready = self.ready(index)?;
        if ready.is_empty() && asked {
            let settle = self.files(index).map_or(LOOK_EVERY, |files| files.reader.settle());
            self.sleep(settle + Duration::from_millis(100));
            ready = self.ready(index)?;
        }
        for candidate in ready {
            if self.stopped {
                break;
            }
            let Some(sheet) = self.read_file(index, &candidate, dry_run)? else { continue };
            if let Some(answer) = self.known(&sheet).filter(|_| !dry_run) {
                self.remember(index, candidate);
                answers.push(answer);
                continue;
            }
            let missing = self.settle();
            if let Some(missing) = missing {
                if let Some(files) = self.files(index) {
                    files.not_before = Some(Instant::now() + TRY_AGAIN);
                }
                answers.push(not_now(&sheet.name, &missing));
                break;
            }
            let limits = self.sources.get(index).map_or_else(Limits::default, |source| source.config.limits);
            let answer = self.ask_writer(CountStep::Sheet { sheet: Box::new(sheet), limits, dry_run }, who)?;
            if !dry_run && answer.state != "not_now" {
                self.remember(index, candidate);
            }
            answers.push(answer);
        }
        if asked && answers.is_empty() && !dry_run {
            if let Some(files) = self.files(index) {
                files.wanted = true;
            }
            let name = self.sources.get(index).map(|source| source.config.settings.name.clone()).unwrap_or_default();
            answers.push(not_now(&name, "there is no new file yet; it is taken in when it comes"));
        } else if !answers.is_empty()
            && let Some(files) = self.files(index)
        {
            files.wanted = false;
        }
        Ok(answers)
    }

    fn files(&mut self, index: usize) -> Option<&mut Files> {
        match self.sources.get_mut(index).map(|source| &mut source.from) {
            Some(From::Files(files)) => Some(files),
            Some(From::Database(_)) | None => None,
        }
    }

    /// Files that are new and that nobody is writing any more, oldest first.
    fn ready(&mut self, index: usize) -> Result<Vec<Candidate>, String> {
        let basis = self.sources.get(index).map(|source| source.config.settings.basis());
        let Some(files) = self.files(index) else { return Ok(Vec::new()) };
        let mut found = files.reader.candidates().map_err(|error| crate::ingest::chain(&error))?;
        if basis == Some(Basis::Ledger) {
            // Only the newest number of the POS is of interest.
            found = found.pop().into_iter().collect();
        }
        found.retain(|candidate| !files.seen.contains(&(candidate.path.clone(), candidate.look)));
        let now = Instant::now();
        let settle = files.reader.settle();
        let mut settling = std::mem::take(&mut files.settling);
        let mut ready = Vec::new();
        for candidate in found {
            let since = match settling.remove(&candidate.path) {
                Some((look, since)) if look == candidate.look => since,
                Some(_) | None => now,
            };
            files.settling.insert(candidate.path.clone(), (candidate.look, since));
            if now.duration_since(since) >= settle && files.settling.len() <= SEEN_MAX {
                ready.push(candidate);
            }
        }
        Ok(ready)
    }

    fn remember(&mut self, index: usize, candidate: Candidate) {
        let Some(files) = self.files(index) else { return };
        files.settling.remove(&candidate.path);
        if files.seen.len() >= SEEN_MAX {
            // The database knows what was taken in by its content; this only saves reading.
            files.seen.clear();
        }
        files.seen.insert((candidate.path, candidate.look));
    }

    /// Reads a file; `None` if it is not complete, or its last sales may not have come in yet.
    fn read_file(&mut self, index: usize, candidate: &Candidate, dry_run: bool) -> Result<Option<CountSheet>, String> {
        let Some(files) = self.files(index) else { return Ok(None) };
        let read = match files.reader.read(&candidate.path) {
            Ok(read) => read,
            Err(reason) => {
                if !dry_run {
                    self.remember(index, candidate.clone());
                }
                return Err(reason);
            }
        };
        if !files.reader.is_unchanged(candidate) {
            return Ok(None);
        }
        let Some(source) = self.sources.get(index) else { return Ok(None) };
        let (settings, margin) = (&source.config.settings, source.config.margin);
        let resolved = self.resolve(read.count, source.kits)?;
        let latest = resolved.lines.values().filter_map(|(_, span)| span.map(|span| span.until)).max();
        let at = latest.unwrap_or(read.taken_at);
        let now = self.clock.now();
        if settings.basis() == Basis::Ledger && !dry_run && now < at.plus(source.config.sales_within) {
            return Ok(None);
        }
        Ok(Some(CountSheet {
            name: settings.name.clone(),
            basis: settings.basis(),
            extent: settings.extent(),
            taken: Taken::Moment { at, margin },
            lines: counted(&resolved),
            notes: resolved.notes,
            unreadable: resolved.unreadable,
            hash: Some(read.hash),
            place: candidate.path.display().to_string(),
            posted_until: None,
            stale: now.since(at) > AGE_MAX,
        }))
    }

    fn resolve(&self, raw: pos_adapters::counts::RawCount, kits: Kits) -> Result<ResolvedCount, String> {
        let table = self.articles.as_ref().map(articles::load).transpose()?;
        Ok(resolve(raw, table.as_ref(), kits))
    }

    /// The answer for a file whose content was taken in before, without waiting for anything.
    fn known(&self, sheet: &CountSheet) -> Option<CountAnswer> {
        let conn = db::open_reader(&self.database).ok()?;
        let found: (i64, String) = conn
            .query_row(
                "SELECT id, state FROM stock_count WHERE name = ?1 AND hash = ?2 ORDER BY id DESC LIMIT 1",
                rusqlite::params![sheet.name, sheet.hash],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .ok()?;
        Some(CountAnswer {
            id: Some(found.0),
            state: "known".to_owned(),
            name: sheet.name.clone(),
            summary: format!("count {} had the same content and is {}; nothing is done", found.0, found.1),
            plan: sync_core::count::Plan::default(),
        })
    }

    fn set(&mut self, lines: &[(String, Quantity)], dry_run: bool, who: &str) -> Result<CountAnswer, String> {
        let mut raw = pos_adapters::counts::RawCount::default();
        raw.rows.extend(lines.iter().map(|(code, quantity)| pos_adapters::counts::CountRow {
            code: code.clone(),
            quantity: *quantity,
            counted_at: None,
        }));
        let resolved = self.resolve(raw, Kits::TakeApart)?;
        if resolved.unreadable > 0 {
            return Err(resolved.notes.join("; "));
        }
        let at = self.clock.now();
        if let Some(missing) = self.settle() {
            return Err(missing);
        }
        let sheet = CountSheet {
            name: MANUAL.to_owned(),
            basis: Basis::Shelf,
            extent: CountExtent::Partial,
            taken: Taken::Moment { at, margin: MANUAL_MARGIN },
            lines: counted(&resolved),
            notes: Vec::new(),
            unreadable: 0,
            hash: None,
            place: who.to_owned(),
            posted_until: None,
            stale: false,
        };
        let step = CountStep::Sheet { sheet: Box::new(sheet), limits: Limits::default(), dry_run };
        self.ask_writer(step, who)
    }

    /// Waits until every source was read to its end; says which was not.
    fn settle(&mut self) -> Option<String> {
        let mut waits = Vec::new();
        for (name, wake) in &self.wakes {
            let (reply, settled) = channel();
            if wake.send(Wake::Settle(reply)).is_ok() {
                waits.push((name.clone(), settled));
            }
        }
        let began = Instant::now();
        for (name, settled) in waits {
            loop {
                match settled.recv_timeout(Duration::from_millis(200)) {
                    Ok(()) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        return Some(format!("source `{name}` has ended; the count is not taken in"));
                    }
                    Err(RecvTimeoutError::Timeout) if began.elapsed() > SETTLE_MAX => {
                        return Some(format!(
                            "source `{name}` cannot be read to its end now, so it is not known which sales the count has seen; mend the source, then count again"
                        ));
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        self.hear();
                        if self.stopped {
                            return Some("the agent is stopping".to_owned());
                        }
                    }
                }
            }
        }
        None
    }

    fn ask_writer(&self, step: CountStep, who: &str) -> Result<CountAnswer, String> {
        let (reply, answer) = sync_channel(1);
        let request = CountRequest { step, who: who.to_owned(), reply };
        self.commands.send(Command::Count(request)).map_err(|_| "the agent is stopping".to_owned())?;
        match answer.recv_timeout(WRITER_MAX) {
            Ok(Some(answer)) => {
                if answer.state == "applied" {
                    (self.taken_in)();
                }
                Ok(answer)
            }
            Ok(None) => Err("the count could not be stored; nothing of it was taken in, count again".to_owned()),
            Err(_) => {
                Err("the database does not answer; look at `tillsync count list` before counting again".to_owned())
            }
        }
    }

    /// Takes asks while something else is waited for.
    fn hear(&mut self) {
        while let Ok(ask) = self.asks.try_recv() {
            match ask {
                Ask::Stop => self.stopped = true,
                Ask::Do { .. } => self.kept.push(ask),
            }
        }
    }

    fn sleep(&mut self, wait: Duration) {
        let began = Instant::now();
        while !self.stopped && began.elapsed() < wait {
            let left = wait.saturating_sub(began.elapsed()).min(Duration::from_millis(200));
            match self.asks.recv_timeout(left) {
                Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => self.stopped = true,
                Ok(ask @ Ask::Do { .. }) => self.kept.push(ask),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn show(&self, name: &str, state: &str, summary: &str, id: Option<i64>) {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let status = CountStatus {
            name: name.to_owned(),
            state: state.to_owned(),
            summary: summary.to_owned(),
            at: Some(self.clock.now()),
            id,
        };
        board.insert(name.to_owned(), status);
    }

    fn fill_board(&self) {
        let last = db::open_reader(&self.database).ok();
        for source in &self.sources {
            let name = source.config.settings.name.clone();
            let found = last.as_ref().and_then(|conn| {
                conn.query_row(
                    "SELECT id, state, coalesce(decided_at, read_at) FROM stock_count WHERE name = ?1 ORDER BY id DESC LIMIT 1",
                    [&name],
                    |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?)),
                )
                .ok()
            });
            let status = match found {
                Some((id, state, at)) => CountStatus {
                    name: name.clone(),
                    summary: format!("count {id} is {state}"),
                    state,
                    at: Some(Timestamp(at)),
                    id: Some(id),
                },
                None => CountStatus {
                    name: name.clone(),
                    state: "waiting".to_owned(),
                    summary: "not counted yet".to_owned(),
                    ..CountStatus::default()
                },
            };
            self.board.lock().unwrap_or_else(PoisonError::into_inner).insert(name, status);
        }
    }
}

fn counted(resolved: &ResolvedCount) -> BTreeMap<Sku, Counted> {
    let lines = resolved.lines.iter();
    lines.map(|(sku, (quantity, span))| (sku.clone(), Counted { quantity: *quantity, span: *span })).collect()
}

fn not_now(name: &str, summary: &str) -> CountAnswer {
    CountAnswer {
        id: None,
        state: "not_now".to_owned(),
        name: name.to_owned(),
        summary: summary.to_owned(),
        plan: sync_core::count::Plan::default(),
    }
}

/// Articles that a quick repeat may settle.
fn moved_meanwhile(answer: &CountAnswer) -> BTreeSet<Sku> {
    let lines = answer.plan.lines.iter();
    lines
        .filter(|line| line.outcome == Outcome::Waits { why: Unsure::MovedMeanwhile })
        .map(|line| line.sku.clone())
        .collect()
}

/// Answers in words, for the status of a schedule.
pub fn in_words(answers: &str) -> String {
    let answers: Vec<CountAnswer> = serde_json::from_str(answers).unwrap_or_default();
    answers.last().map(|answer| answer.summary.clone()).unwrap_or_default()
}
