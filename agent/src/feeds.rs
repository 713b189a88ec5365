//! Reads lists of prices and of units on order, one thread a list, and hands what differs to the writer.
//!
//! A file is read when it changes, a database at the list's interval and never more than a twentieth of the time. What
//! differs, and what a person has to look at first, is decided in `sync_core::values`. Titles and descriptions are never
//! read; products are neither made nor deleted.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use jiff::tz::TimeZone;
use pos_adapters::SecretReader;
use pos_adapters::values::{self, ValueList};
use sync_core::model::{Quantity, Sku};
use sync_core::values::{ValueKind, judge};

use crate::config::{Config, FeedConfig, FeedInput};
use crate::connect;
use crate::db::{self, DbError, StateFolder};
use crate::ingest::{Wake, chain};
use crate::writer::values::{ROWS_MAX, ValuesRequest};
use crate::writer::{Command, Commands};

/// A look is followed by the next one no sooner than so many times as long as it took: the POS comes first.
const REST: u32 = 20;
/// A file that is being written is read again after this long.
const SETTLE: Duration = Duration::from_millis(300);
/// Longest wait between two looks at a file without an event: network shares send none.
const SCAN_EVERY: Duration = Duration::from_secs(10);
/// After a fault.
const FAULT_WAIT: Duration = Duration::from_secs(30);

/// One list with its way to the writer.
pub struct FeedThread {
    /// The list.
    pub feed: FeedConfig,
    /// Zone of the store.
    pub zone: TimeZone,
    /// Reads secrets.
    pub secrets: Arc<dyn SecretReader>,
    /// Folder for files of its own.
    pub own_files: PathBuf,
    /// The database.
    pub database: PathBuf,
    /// To the writer.
    pub commands: Commands,
    /// What wakes it.
    pub wakes: Receiver<Wake>,
}

/// A list that says what it said before is compared again after this long.
const SAME_MAX: Duration = Duration::from_secs(60);

/// What tells a file that has changed.
type Seen = (u64, Option<SystemTime>);

enum Done {
    Stored,
    NotStored,
    Ended,
}

impl FeedThread {
    /// For one list of the configuration.
    #[must_use]
    pub fn new(
        feed: &FeedConfig,
        config: &Config,
        folder: &StateFolder,
        commands: Commands,
        wakes: Receiver<Wake>,
    ) -> Self {
        Self {
            feed: feed.clone(),
            zone: config.store.timezone.clone(),
            secrets: connect::secrets(),
            own_files: folder.path().join("lists").join(&feed.name),
            database: folder.database(),
            commands,
            wakes,
        }
    }

    /// The folder whose changes should wake it.
    #[must_use]
    pub fn watched(feed: &FeedConfig) -> Option<PathBuf> {
        match &feed.input {
            FeedInput::File { path, .. } => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                Some(folder.unwrap_or(Path::new(".")).to_path_buf())
            }
            FeedInput::Database { .. } => None,
        }
    }

    /// Runs until [`Wake::Stop`].
    pub fn run(self) {
        let mut taken: Option<Seen> = None;
        let mut same: Option<(u64, Instant)> = None;
        let mut told: Option<String> = None;
        loop {
            let began = Instant::now();
            let seen = self.stat();
            let unchanged = seen.is_some() && seen == taken;
            let wait = if unchanged {
                self.rest(began.elapsed())
            } else {
                match self.look(&mut same) {
                    Ok(Done::Stored) => {
                        told = None;
                        // A file that changed while it was read is read again.
                        let again = self.stat();
                        taken = seen.filter(|_| seen == again);
                        if seen == again { self.rest(began.elapsed()) } else { SETTLE }
                    }
                    Ok(Done::NotStored) => FAULT_WAIT,
                    Ok(Done::Ended) => return,
                    Err(reason) => {
                        if told.as_ref() != Some(&reason) {
                            tracing::warn!(
                                list = self.feed.name,
                                reason,
                                "Cannot use a list of values; the shop keeps what it has"
                            );
                            told = Some(reason.clone());
                        }
                        taken = seen;
                        if matches!(self.tell(self.request().failed(reason)), Done::Ended) {
                            return;
                        }
                        self.rest(began.elapsed()).max(Duration::from_secs(1))
                    }
                }
            };
            if !self.sleep(wait) {
                return;
            }
        }
    }

    fn stat(&self) -> Option<Seen> {
        let FeedInput::File { path, .. } = &self.feed.input else { return None };
        let found = std::fs::metadata(path).ok()?;
        Some((found.len(), found.modified().ok()))
    }

    fn rest(&self, took: Duration) -> Duration {
        let most = match &self.feed.input {
            FeedInput::File { .. } => self.feed.every.min(SCAN_EVERY),
            FeedInput::Database { .. } => self.feed.every,
        };
        most.max(took.saturating_mul(REST))
    }

    /// Waits; `false` to end.
    fn sleep(&self, wait: Duration) -> bool {
        match self.wakes.recv_timeout(wait) {
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => false,
            Ok(Wake::Changed(_) | Wake::Scan | Wake::Resume | Wake::Settle(_)) => {
                // Events come in bursts while a file is written.
                loop {
                    match self.wakes.recv_timeout(SETTLE) {
                        Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                        Ok(Wake::Changed(_) | Wake::Scan | Wake::Resume | Wake::Settle(_)) => {}
                        Err(RecvTimeoutError::Timeout) => return true,
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => true,
        }
    }

    fn read(&self) -> Result<ValueList, String> {
        let kind = self.feed.kind;
        match &self.feed.input {
            FeedInput::File { path, columns, decimal } => values::from_file(path, kind, columns, *decimal),
            FeedInput::Database { source, query } => {
                let Some(database) = source.database() else { return Err("the source is no database".to_owned()) };
                let query = query.as_deref();
                values::from_database(database, kind, query, &self.zone, &self.own_files, &*self.secrets)
                    .map_err(|fault| format!("{}: {}", chain(&fault), fault.hint()))
            }
        }
    }

    /// `same` is what the list said when it was last stored.
    fn look(&self, same: &mut Option<(u64, Instant)>) -> Result<Done, String> {
        let list = self.read()?;
        let says = fingerprint(&list);
        if same.is_some_and(|(said, at)| said == says && at.elapsed() < SAME_MAX) {
            return Ok(Done::Stored);
        }
        *same = None;
        let done = self.compare(list)?;
        if matches!(done, Done::Stored) {
            *same = Some((says, Instant::now()));
        }
        Ok(done)
    }

    fn compare(&self, list: ValueList) -> Result<Done, String> {
        if list.left_out > 0 {
            tracing::debug!(list = self.feed.name, rows = list.left_out, first = ?list.notes.first(), "Rows that are no values");
        }
        let kind = self.feed.kind;
        let (begun, known, refused) = self.known().map_err(|error| chain(&error))?;
        if !begun {
            return Ok(self.first(list));
        }
        let stale: Vec<Sku> = refused
            .iter()
            .filter(|(sku, value)| list.values.get(sku).is_some_and(|read| read != value))
            .map(|(sku, _)| sku.clone())
            .collect();
        let verdict = judge(kind, &known, &list.values, &refused, &self.feed.limits);
        if let Some(reason) = verdict.unbelievable {
            return Err(reason);
        }
        let rows: Vec<(Sku, Quantity)> = verdict.apply.into_iter().map(|change| (change.sku, change.after)).collect();
        let mut end = self.request();
        end.hold = Some((verdict.hold, verdict.reasons));
        end.forget_refusals = stale;
        end.complete = Some(list.values.len());
        Ok(self.tell_rows(rows, true, end))
    }

    /// What was there at the first look is taken for what the platforms have, or sent to them.
    fn first(&self, list: ValueList) -> Done {
        let mut end = self.request();
        end.complete = Some(list.values.len());
        let is_price = self.feed.kind == ValueKind::Price;
        let usable =
            list.values.into_iter().filter(|(_, value)| !is_price || (!value.is_zero() && !value.is_negative()));
        self.tell_rows(usable.collect(), self.feed.send_first, end)
    }

    fn known(
        &self,
    ) -> Result<(bool, std::collections::BTreeMap<Sku, Quantity>, std::collections::BTreeSet<(Sku, Quantity)>), DbError>
    {
        let conn = db::open_reader(&self.database)?;
        let begun = db::values::feed(&conn, &self.feed.name)?.begun;
        Ok((begun, db::values::latest_all(&conn, self.feed.kind)?, db::values::refused(&conn, &self.feed.name)?))
    }

    fn request(&self) -> ValuesRequest {
        ValuesRequest::of(self.feed.name.clone(), self.feed.kind)
    }

    /// Hands rows over in parts; the last part tells that the reading is complete.
    fn tell_rows(&self, rows: Vec<(Sku, Quantity)>, told: bool, end: ValuesRequest) -> Done {
        let mut parts: Vec<Vec<(Sku, Quantity)>> = rows.chunks(ROWS_MAX).map(<[_]>::to_vec).collect();
        let last = parts.pop().unwrap_or_default();
        for rows in parts {
            let mut request = self.request();
            request.rows = rows;
            request.told = told;
            match self.tell(request) {
                Done::Stored => {}
                ended => return ended,
            }
        }
        let mut request = end;
        request.rows = last;
        request.told = told;
        self.tell(request)
    }

    fn tell(&self, mut request: ValuesRequest) -> Done {
        let (reply, answer) = sync_channel(1);
        request.reply = reply;
        if self.commands.send(Command::Values(request)).is_err() {
            return Done::Ended;
        }
        // Dropped unanswered with a group that could not be stored.
        if answer.recv().unwrap_or(false) { Done::Stored } else { Done::NotStored }
    }
}

/// Only compares a list with itself a moment ago.
fn fingerprint(list: &ValueList) -> u64 {
    let mut hasher = DefaultHasher::new();
    list.values.hash(&mut hasher);
    hasher.finish()
}
