//! All append-only files of a source: which listed file is which known one, and whose turn it is.
//!
//! A file is known again by device and inode where there are such, and always by its content: the prints of its first
//! bytes and of those before the offset. So a recycled inode, a copy made by copy-and-truncate rotation, a rename and a
//! restored backup are told apart. Known content is never read twice; replaced content starts a new generation.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sync_core::model::Timestamp;

use super::cursor::{FORGET_AFTER_DAYS, JournalState, LastTicket, PRINT_BYTES, State, VERSION};
use super::journal::{self, Reading, Tracked, to_u64};
use super::plan::Plan;
use super::scan::{self, Found, Stat};
use crate::{Chunk, CursorUpdate, Poll, SourceError};

/// Most times that one poll finds out again which file is which.
const RESCANS_MAX: u32 = 2;

/// The files of one journal source.
#[derive(Debug)]
pub(super) struct Journals {
    plan: Arc<Plan>,
    tracked: Vec<Tracked>,
    queue: VecDeque<usize>,
    /// The last answer was a chunk: what it left is finished before folders are listed again.
    following: bool,
    /// New files that look like a copy still being made: size and since when.
    copying: HashMap<PathBuf, (u64, Timestamp)>,
    forgotten: Vec<CursorUpdate>,
    buffer: Vec<u8>,
}

impl Journals {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            tracked: Vec::new(),
            queue: VecDeque::new(),
            following: false,
            copying: HashMap::new(),
            forgotten: Vec::new(),
            buffer: Vec::new(),
        }
    }

    pub(super) fn resume(&mut self, states: Vec<(String, JournalState)>) {
        *self = Self::new(Arc::clone(&self.plan));
        self.tracked = states.into_iter().map(|(item, state)| Tracked::new(item, state)).collect();
    }

    pub(super) fn backlog_bytes(&self) -> u64 {
        self.tracked.iter().filter_map(|t| t.seen.map(|seen| seen.size.saturating_sub(t.state.offset))).sum()
    }

    pub(super) fn poll(&mut self, changed: &[PathBuf], now: Timestamp) -> Result<Poll, SourceError> {
        let full = if changed.is_empty() { !self.following } else { self.hinted(changed) };
        if full {
            self.scan(now)?;
        }
        let mut rescans = 0;
        let mut failed = None;
        let mut waiting = !self.copying.is_empty();
        while let Some(at) = self.queue.pop_front() {
            let elsewhere = self.last_tickets_but(at);
            let Some(tracked) = self.tracked.get_mut(at) else {
                continue;
            };
            match journal::read(tracked, &self.plan, &elsewhere, &mut self.buffer, now) {
                Ok(Reading::Chunk(mut chunk)) => {
                    self.queue.push_front(at);
                    self.following = true;
                    chunk.cursors.append(&mut self.forgotten);
                    return Ok(Poll::Chunk(*chunk));
                }
                Ok(Reading::Nothing) => {}
                Ok(Reading::Waiting) => waiting = true,
                Ok(Reading::Changed) if rescans < RESCANS_MAX => {
                    rescans += 1;
                    self.suspect(at);
                    self.scan(now)?;
                }
                Ok(Reading::Changed) => {
                    // Changed again between listing and reading: the next scan sorts it out.
                    self.suspect(at);
                    waiting = true;
                }
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => self.suspect(at),
                Err(cause) => {
                    let path = tracked.state.path.clone();
                    failed.get_or_insert(SourceError::reading(&self.plan.name, path, tracked.state.offset, cause));
                }
            }
        }
        self.following = false;
        match failed {
            Some(error) => Err(error),
            None if !self.forgotten.is_empty() => {
                Ok(Poll::Chunk(Chunk { cursors: std::mem::take(&mut self.forgotten), ..Chunk::default() }))
            }
            None if waiting => {
                Ok(Poll::Quiet { again_in: self.plan.scan.min(self.plan.settle.max(super::reader::AGAIN_MIN)) })
            }
            None => Ok(Poll::Quiet { again_in: self.plan.scan }),
        }
    }

    fn suspect(&mut self, at: usize) {
        if let Some(tracked) = self.tracked.get_mut(at) {
            tracked.seen = None;
        }
    }

    /// Only a file whose first ticket may continue another's needs to know them.
    fn last_tickets_but(&self, at: usize) -> Vec<LastTicket> {
        if !self.tracked.get(at).is_some_and(|t| t.state.may_carry) {
            return Vec::new();
        }
        let others = self.tracked.iter().enumerate().filter(|(other, _)| *other != at);
        others.filter_map(|(_, t)| t.state.last.clone()).collect()
    }

    /// Queues the known files among the named ones; whether a full scan is needed.
    fn hinted(&mut self, changed: &[PathBuf]) -> bool {
        let mut full = false;
        for path in changed {
            let known = self.tracked.iter().position(|t| t.state.path == *path && t.seen.is_some());
            match known {
                Some(at) => {
                    let same = std::fs::metadata(path).is_ok_and(|metadata| {
                        let stat = Stat::of(&metadata);
                        self.tracked.get(at).is_some_and(|t| {
                            stat.id == t.state.id
                                && stat.size >= t.state.offset
                                && t.seen.is_some_and(|seen| is_familiar(seen, stat))
                        })
                    });
                    full |= !same;
                    if same && !self.queue.contains(&at) {
                        self.queue.push_back(at);
                    }
                }
                None => full |= self.may_concern(path),
            }
        }
        full
    }

    /// Events may spell a path in another way than the configuration.
    fn may_concern(&self, path: &Path) -> bool {
        let name = path.file_name();
        scan::is_wanted(&self.plan.path, path)
            || path.is_dir()
            || name == self.plan.path.fixed.file_name()
            || self.tracked.iter().any(|t| t.state.path.file_name() == name)
    }

    /// Lists the folders, finds out which file is which, and queues what has something to read.
    fn scan(&mut self, now: Timestamp) -> Result<(), SourceError> {
        let found = scan::list(&self.plan.name, &self.plan.path, &self.stems())?;
        let today = now.0.div_euclid(86_400_000_000);
        let mut claims: Vec<Option<usize>> = vec![None; found.len()];
        let mut replaced: Vec<(usize, usize)> = Vec::new();
        self.claim_by_id(&found, &mut claims, &mut replaced);
        self.claim_by_path(&found, &mut claims, &mut replaced);
        self.claim_by_content(&found, &mut claims, &mut replaced, now);
        for (tracked, file) in replaced {
            if let (Some(tracked), Some(claim), Some(file)) =
                (self.tracked.get_mut(tracked), claims.get_mut(file), found.get(file))
            {
                tracked.restart();
                tracked.state.id = file.stat.id;
                *claim = Some(usize::MAX);
                tracked.seen = Some(file.stat);
            }
        }
        self.track_new(&found, &claims, now);
        let present: HashSet<&Path> = found.iter().map(|file| file.path.as_path()).collect();
        for tracked in &mut self.tracked {
            if present.contains(tracked.state.path.as_path()) {
                tracked.state.seen_day = today;
            } else {
                tracked.seen = None;
            }
        }
        self.forget(today);
        self.queue = (0..self.tracked.len())
            .filter(|at| self.tracked.get(*at).is_some_and(|t| t.seen.is_some_and(|seen| seen.size != t.state.offset)))
            .collect();
        Ok(())
    }

    /// Beginnings of names that a known file may be renamed to.
    fn stems(&self) -> Vec<String> {
        let single = self.plan.path.below.is_empty().then(|| self.plan.path.fixed.file_stem()).flatten();
        let mut stems: Vec<String> = self
            .tracked
            .iter()
            .filter_map(|t| t.state.path.file_stem())
            .chain(single)
            .map(|stem| stem.to_string_lossy().into_owned())
            .collect();
        stems.sort();
        stems.dedup();
        stems
    }

    fn is_familiar_at(&self, at: usize, file: &Found) -> bool {
        let seen = self.tracked.get(at).and_then(|t| t.seen);
        seen.is_some_and(|seen| seen.id == file.stat.id && is_familiar(seen, file.stat))
    }

    fn recognises(&mut self, at: usize, file: &Found) -> bool {
        let Some(tracked) = self.tracked.get(at) else {
            return false;
        };
        file.stat.size >= tracked.state.offset
            && File::open(&file.path)
                .is_ok_and(|mut open| tracked.recognises(&mut open, &mut self.buffer).unwrap_or(false))
    }

    fn claim_by_id(&mut self, found: &[Found], claims: &mut [Option<usize>], replaced: &mut Vec<(usize, usize)>) {
        for at in 0..self.tracked.len() {
            let Some((id, path, seen)) = self.tracked.get(at).map(|t| (t.state.id, t.state.path.clone(), t.seen))
            else {
                continue;
            };
            if id.is_none() {
                continue;
            }
            let free = |file: usize| claims.get(file).is_some_and(Option::is_none);
            let Some((number, file)) = found.iter().enumerate().find(|(n, file)| file.stat.id == id && free(*n)) else {
                continue;
            };
            let familiar = file.path == path && seen.is_some_and(|seen| is_familiar(seen, file.stat));
            if familiar || self.recognises(at, file) {
                self.claim(at, number, file, claims);
            } else if file.path == path {
                replaced.push((at, number));
            }
        }
    }

    fn claim_by_path(&mut self, found: &[Found], claims: &mut [Option<usize>], replaced: &mut Vec<(usize, usize)>) {
        for (number, file) in found.iter().enumerate() {
            if claims.get(number).is_some_and(Option::is_some) || replaced.iter().any(|(_, n)| *n == number) {
                continue;
            }
            let known = (0..self.tracked.len()).find(|at| {
                self.tracked.get(*at).is_some_and(|t| t.state.path == file.path)
                    && !claims.contains(&Some(*at))
                    && !replaced.iter().any(|(t, _)| t == at)
            });
            match known {
                Some(at) if self.is_familiar_at(at, file) || self.recognises(at, file) => {
                    self.claim(at, number, file, claims)
                }
                Some(at) => replaced.push((at, number)),
                None => {}
            }
        }
    }

    /// A file with the content of a known one is that one moved, or a copy of it; it is continued, not read again.
    fn claim_by_content(
        &mut self,
        found: &[Found],
        claims: &mut [Option<usize>],
        replaced: &mut Vec<(usize, usize)>,
        now: Timestamp,
    ) {
        for (number, file) in found.iter().enumerate() {
            if claims.get(number).is_some_and(Option::is_some)
                || replaced.iter().any(|(_, n)| *n == number)
                || file.stat.size == 0
            {
                continue;
            }
            let original = (0..self.tracked.len()).find(|at| {
                let gone = !claims.contains(&Some(*at));
                let read = self.tracked.get(*at).is_some_and(|t| t.state.last.is_some() && t.state.offset > 0);
                read && (file.wanted || gone) && self.recognises(*at, file)
            });
            let Some(at) = original else { continue };
            if claims.contains(&Some(at)) {
                let copy =
                    self.tracked.get(at).map(|t| Tracked::new(self.fresh_item(&file.path, now), t.state.clone()));
                self.tracked.extend(copy);
                self.claim(self.tracked.len().saturating_sub(1), number, file, claims);
                continue;
            }
            // Copied and truncated, or moved: the old content goes on where it is now, its old place starts anew.
            replaced.retain(|(tracked, _)| *tracked != at);
            self.claim(at, number, file, claims);
        }
    }

    fn claim(&mut self, at: usize, number: usize, file: &Found, claims: &mut [Option<usize>]) {
        if let (Some(tracked), Some(claim)) = (self.tracked.get_mut(at), claims.get_mut(number)) {
            tracked.state.path.clone_from(&file.path);
            tracked.state.id = file.stat.id;
            tracked.seen = Some(file.stat);
            *claim = Some(at);
        }
    }

    fn track_new(&mut self, found: &[Found], claims: &[Option<usize>], now: Timestamp) {
        let mut copying = HashMap::new();
        for (number, file) in found.iter().enumerate() {
            if claims.get(number).is_some_and(Option::is_some) || !file.wanted {
                continue;
            }
            if self.looks_like_copy_under_way(file) {
                let (size, since) = self
                    .copying
                    .get(&file.path)
                    .copied()
                    .filter(|(size, _)| *size == file.stat.size)
                    .unwrap_or((file.stat.size, now));
                if now.since(since) < self.plan.settle {
                    copying.insert(file.path.clone(), (size, since));
                    continue;
                }
            }
            let item = self.fresh_item(&file.path, now);
            let state = JournalState {
                v: VERSION,
                path: file.path.clone(),
                id: file.stat.id,
                origin: item.replace('#', "%23"),
                may_carry: true,
                ..JournalState::default()
            };
            let mut tracked = Tracked::new(item, state);
            tracked.seen = Some(file.stat);
            self.tracked.push(tracked);
        }
        self.copying = copying;
    }

    /// It starts like a known longer file: probably a rotation by copying that is not done.
    fn looks_like_copy_under_way(&self, file: &Found) -> bool {
        let mut start = Vec::new();
        let shown = file.stat.size.min(to_u64(PRINT_BYTES));
        let read = |path: &Path, length: u64, into: &mut Vec<u8>| {
            File::open(path)
                .and_then(|mut open| journal::read_at(&mut open, 0, journal::to_usize(length), into))
                .is_ok()
        };
        let longer: Vec<&Tracked> =
            self.tracked.iter().filter(|t| t.state.last.is_some() && file.stat.size < t.state.offset).collect();
        if file.stat.size == 0 || longer.is_empty() || !read(&file.path, shown, &mut start) {
            return false;
        }
        let mut original = Vec::new();
        longer.into_iter().any(|t| {
            let by_print = t.state.head_len == shown && super::cursor::print(&start) == t.state.head;
            by_print || (t.seen.is_some() && read(&t.state.path, shown, &mut original) && original == start)
        })
    }

    fn fresh_item(&self, path: &Path, now: Timestamp) -> String {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let taken = |item: &String| self.tracked.iter().any(|t| t.item == *item);
        (now.0..).map(|stamp| format!("{name}@{stamp:x}")).find(|item| !taken(item)).unwrap_or(name)
    }

    fn forget(&mut self, today: i64) {
        let forgotten = &mut self.forgotten;
        self.tracked.retain(|t| {
            let keep = t.seen.is_some()
                || t.state.seen_day == 0
                || today.saturating_sub(t.state.seen_day) <= FORGET_AFTER_DAYS;
            if !keep {
                forgotten.push(CursorUpdate { item: t.item.clone(), state: None });
            }
            keep
        });
    }
}

/// Not touched, or only grown: its content before the offset is checked when it is read.
fn is_familiar(seen: Stat, stat: Stat) -> bool {
    seen == stat || stat.size > seen.size
}

/// The journal states among stored cursors.
pub(super) fn states(cursors: Vec<(String, String)>) -> Vec<(String, JournalState)> {
    cursors
        .into_iter()
        .filter_map(|(item, text)| match State::read(&text) {
            Some(State::Journal(state)) => Some((item, *state)),
            Some(State::Whole(_)) | None => None,
        })
        .collect()
}
