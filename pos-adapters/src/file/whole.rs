//! Files that are read whole: exports that are written again and again, and files of one ticket each (IO).
//!
//! A whole file is accepted only when nobody is writing it any more. It is surveyed first (what holds for the whole
//! file, how many records each ticket has, a print of its content), then read in bounded chunks; a ticket is given on
//! once all its records were read, wherever in the file they stand. The last chunk carries the cursor and the coverage.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sync_core::model::Timestamp;

use super::cursor::{FORGET_AFTER_DAYS, State, WholeState};
use super::glob;
use super::journal::{BLOCK_BYTES, RECORDS_MAX};
use super::plan::Plan;
use super::run::{Opened, Progress, Run};
use super::scan::{self, Stat};
use super::settings::Pattern;
use crate::tables::{self, Table};
use crate::{Chunk, CursorUpdate, Poll, SourceError};

/// A file with a proper end must be unchanged for this part of the settle time only.
const WELL_ENDED_SHARE: u32 = 4;

/// The files of an export or per-transaction source.
#[derive(Debug)]
pub(super) struct Wholes {
    plan: Arc<Plan>,
    /// By path, as stored in the cursors.
    known: HashMap<String, WholeState>,
    /// New content that may still be written: how it looked and since when.
    settling: HashMap<PathBuf, (Stat, Timestamp)>,
    queue: VecDeque<(PathBuf, Stat)>,
    running: Option<Box<Run>>,
    following: bool,
    forgotten: Vec<CursorUpdate>,
    buffer: Vec<u8>,
}

impl Wholes {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            known: HashMap::new(),
            settling: HashMap::new(),
            queue: VecDeque::new(),
            running: None,
            following: false,
            forgotten: Vec::new(),
            buffer: Vec::new(),
        }
    }

    pub(super) fn resume(&mut self, cursors: Vec<(String, String)>) {
        *self = Self::new(Arc::clone(&self.plan));
        self.known = cursors
            .into_iter()
            .filter_map(|(item, text)| match State::read(&text) {
                Some(State::Whole(state)) => Some((item, state)),
                Some(State::Journal(_)) | None => None,
            })
            .collect();
    }

    pub(super) fn backlog_bytes(&self) -> u64 {
        let waiting: u64 = self.queue.iter().map(|(_, stat)| stat.size).sum();
        waiting.saturating_add(self.running.as_ref().map_or(0, |run| run.unread()))
    }

    pub(super) fn poll(&mut self, changed: &[PathBuf], now: Timestamp) -> Result<Poll, SourceError> {
        if self.running.is_none() && (!changed.is_empty() || !self.following) {
            self.look(changed, now)?;
        }
        let mut failed = None;
        let mut chunk = Chunk::default();
        let (mut records, mut any) = (0, false);
        while self.running.is_some() || !self.queue.is_empty() {
            match self.step(now) {
                Ok(Some(part)) => {
                    any = true;
                    records += part.transactions.iter().map(|t| t.lines.len().max(1)).sum::<usize>().max(1);
                    merge(&mut chunk, part);
                }
                Ok(None) => {}
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
            let full = records >= RECORDS_MAX || chunk.bytes >= super::journal::to_u64(BLOCK_BYTES);
            if any && (full || chunk.coverage.is_some() || self.plan.pattern != Pattern::PerTransaction) {
                break;
            }
        }
        if any || !self.forgotten.is_empty() {
            self.following = true;
            chunk.cursors.append(&mut self.forgotten);
            return Ok(Poll::Chunk(chunk));
        }
        self.following = false;
        if let Some(error) = failed {
            return Err(error);
        }
        let soon = self.plan.scan.min(self.plan.settle.max(super::reader::AGAIN_MIN));
        Ok(Poll::Quiet { again_in: if self.settling.is_empty() { self.plan.scan } else { soon } })
    }

    /// Finds changed files: among the named ones, or in the folders.
    fn look(&mut self, changed: &[PathBuf], now: Timestamp) -> Result<(), SourceError> {
        let mut found: Vec<(PathBuf, Stat)> = Vec::new();
        let plain = |path: &PathBuf| {
            !path.is_dir()
                && (scan::is_wanted(&self.plan.path, path)
                    || path.file_name().is_some_and(|name| glob::is_temporary(&name.to_string_lossy())))
        };
        let named = !changed.is_empty() && changed.iter().all(plain);
        if named {
            let wanted = changed.iter().filter(|path| scan::is_wanted(&self.plan.path, path));
            // New files that come all the time must not keep those that have settled from being read.
            let settling = self.settling.keys().filter(|path| !changed.contains(path));
            found.extend(wanted.chain(settling).filter_map(|path| {
                std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|m| (path.clone(), Stat::of(&m)))
            }));
        } else {
            let listed = scan::list(&self.plan.name, &self.plan.path, &[])?;
            found.extend(listed.into_iter().map(|file| (file.path, file.stat)));
            self.forget(&found, now);
        }
        for (path, stat) in found {
            let stat = self.with_companions(&path, stat);
            let live = self.plan.table.as_ref().is_some_and(Table::is_live);
            let seen = self
                .known
                .get(&item_of(&path))
                .is_some_and(|known| known.size == stat.size && known.modified == stat.modified);
            if seen || self.queue.iter().any(|(queued, _)| *queued == path) {
                self.settling.remove(&path);
                continue;
            }
            match self.settling.get(&path) {
                _ if live => {
                    self.settling.remove(&path);
                    self.queue.push_back((path, stat));
                }
                Some((before, since)) if *before == stat => {
                    let quiet = now.since(*since);
                    if quiet >= self.plan.settle
                        || (quiet >= self.plan.settle / WELL_ENDED_SHARE && super::run::ends_well(&path, &self.plan))
                    {
                        self.settling.remove(&path);
                        self.queue.push_back((path, stat));
                    }
                }
                Some(_) | None => {
                    self.settling.insert(path, (stat, now));
                }
            }
        }
        Ok(())
    }

    /// A table has changed too when a file that belongs to it has.
    fn with_companions(&self, path: &Path, mut stat: Stat) -> Stat {
        for companion in self.plan.table.iter().flat_map(|table| tables::companions(table, path)) {
            if let Ok(other) = std::fs::metadata(&companion).map(|metadata| Stat::of(&metadata)) {
                stat.size = stat.size.saturating_add(other.size);
                stat.modified = stat.modified.max(other.modified);
            }
        }
        stat
    }

    fn forget(&mut self, found: &[(PathBuf, Stat)], now: Timestamp) {
        let today = now.0.div_euclid(86_400_000_000);
        let old = |state: &WholeState| today.saturating_sub(state.seen_day) > FORGET_AFTER_DAYS;
        if !self.known.values().any(old) {
            return;
        }
        let present: std::collections::HashSet<String> = found.iter().map(|(path, _)| item_of(path)).collect();
        let gone: Vec<String> = self
            .known
            .iter()
            .filter(|(item, state)| old(state) && !present.contains(*item))
            .map(|(item, _)| item.clone())
            .collect();
        for item in gone {
            self.known.remove(&item);
            self.forgotten.push(CursorUpdate { item, state: None });
        }
    }

    /// Goes on with the file under way, or starts the next one.
    fn step(&mut self, now: Timestamp) -> Result<Option<Chunk>, SourceError> {
        let today = now.0.div_euclid(86_400_000_000);
        let mut run = match self.running.take() {
            Some(run) => run,
            None => {
                let Some((path, stat)) = self.queue.pop_front() else {
                    return Ok(None);
                };
                let item = item_of(&path);
                let before = self.known.get(&item).cloned().unwrap_or_default();
                let opened = Run::open(&self.plan, path.clone(), stat, before, &mut self.buffer)
                    .map_err(|cause| SourceError::reading(&self.plan.name, path, 0, cause))?;
                match opened {
                    Opened::Run(run) => run,
                    Opened::Unchanged(mut state) => {
                        state.seen_day = today;
                        self.known.insert(item, state);
                        return Ok(None);
                    }
                    Opened::Held(mut chunk, mut state) => {
                        state.seen_day = today;
                        chunk.cursors.push(CursorUpdate {
                            item: item.clone(),
                            state: Some(State::Whole(state.clone()).write()),
                        });
                        self.known.insert(item, state);
                        return Ok(Some(chunk));
                    }
                }
            }
        };
        let path = run.path().to_path_buf();
        match run.next(&mut self.buffer) {
            Ok(Progress::Part(chunk)) => {
                self.running = Some(run);
                Ok(Some(chunk))
            }
            Ok(Progress::Last(mut chunk, mut state)) => {
                let item = item_of(&path);
                state.seen_day = today;
                chunk
                    .cursors
                    .push(CursorUpdate { item: item.clone(), state: Some(State::Whole(state.clone()).write()) });
                self.known.insert(item, state);
                Ok(Some(chunk))
            }
            // Written to while it was read: once it is quiet, it is read again from its start.
            Ok(Progress::Changed) => Ok(None),
            Err(cause) => Err(SourceError::reading(&self.plan.name, path, run.offset(), cause)),
        }
    }
}

fn merge(into: &mut Chunk, part: Chunk) {
    into.transactions.extend(part.transactions);
    into.quarantined.extend(part.quarantined);
    let mut ignored: BTreeMap<String, u64> = std::mem::take(&mut into.ignored).into_iter().collect();
    for (rule, count) in part.ignored {
        let sum = ignored.entry(rule).or_default();
        *sum = sum.saturating_add(count);
    }
    into.ignored = ignored.into_iter().collect();
    into.coverage = part.coverage;
    into.cursors.extend(part.cursors);
    into.bytes = into.bytes.saturating_add(part.bytes);
}

/// The path names the file: renaming a new export into place keeps it.
pub(super) fn item_of(path: &Path) -> String {
    path.to_string_lossy().replace('#', "%23")
}
