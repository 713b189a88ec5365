//! The source as the agent sees it: which files have settled, which is read next (IO).
//!
//! A file is read once nobody writes it any more: its size and time stayed the same for the settle time, or its end is
//! that of a finished document; then it is read at once, as another program may take it away (exchange folders).

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use sync_core::model::Timestamp;

use super::cursor::{FORGET_AFTER_DAYS, FileState, item_of};
use super::run::{CHUNK_BYTES, CUT_SHOWN_AFTER, Opened, Progress, Run, TICKETS_MAX};
use super::settings::{DocumentFormat, DocumentSettings, Plan};
use crate::file::SettingFault;
use crate::file::glob;
use crate::file::scan::{self, Stat};
use crate::{Chunk, CursorUpdate, Poll, PosSource, SourceError};

/// Shortest time between two looks at something that settles.
const AGAIN_MIN: Duration = Duration::from_millis(100);
/// A file that is never quiet is read after this many settle times, if it has only grown.
const RESTLESS_SETTLES: u32 = 6;
/// Bytes at the end of a file in which its end is looked for.
const END_BYTES: u64 = 256;

/// Files of a retail standard.
#[derive(Debug)]
pub struct DocumentSource {
    plan: Arc<Plan>,
    /// By path, as stored in the cursors.
    known: HashMap<String, FileState>,
    /// New content that may still be written.
    settling: HashMap<PathBuf, Settling>,
    queue: VecDeque<(PathBuf, Stat)>,
    running: Option<Box<Run>>,
    following: bool,
    forgotten: Vec<CursorUpdate>,
    buffer: Vec<u8>,
}

/// A file that may still be written.
#[derive(Debug, Clone, Copy)]
struct Settling {
    /// How it looked.
    stat: Stat,
    /// Since when it looks like that.
    since: Timestamp,
    /// Since when it has only grown.
    growing: Timestamp,
}

impl DocumentSource {
    /// Checks the settings; reads nothing yet. `store_zone` is used where the settings name no time zone.
    ///
    /// # Errors
    /// All faults of the settings at once.
    pub fn new(settings: &DocumentSettings, store_zone: TimeZone) -> Result<Self, Vec<SettingFault>> {
        Ok(Self::with(Arc::new(Plan::new(settings, store_zone)?)))
    }

    fn with(plan: Arc<Plan>) -> Self {
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

    /// Whether a file of the folder is one to read.
    fn is_document(&self, path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        self.plan.format != DocumentFormat::Dsfinvk || name == "index.xml" || name.ends_with(".zip")
    }

    /// How a file looks; for the index of tables, together with the tables beside it.
    fn stat(&self, path: &Path, metadata: &Metadata) -> Stat {
        let stat = Stat::of(metadata);
        if self.plan.format == DocumentFormat::Dsfinvk
            && path.extension().is_some_and(|end| end.eq_ignore_ascii_case("xml"))
        {
            return super::dsfinvk::stat_of_folder(path, stat);
        }
        stat
    }

    /// Finds changed files: among the named ones, or in the folders.
    fn look(&mut self, changed: &[PathBuf], now: Timestamp) -> Result<(), SourceError> {
        let plain = |path: &PathBuf| {
            !path.is_dir()
                && (scan::is_wanted(&self.plan.path, path)
                    || path.file_name().is_some_and(|name| glob::is_temporary(&name.to_string_lossy())))
        };
        let named = self.plan.format != DocumentFormat::Dsfinvk && !changed.is_empty() && changed.iter().all(plain);
        let mut found: Vec<(PathBuf, Stat)> = Vec::new();
        if named {
            let wanted = changed.iter().filter(|path| scan::is_wanted(&self.plan.path, path));
            // New files that come all the time must not keep those that have settled from being read.
            let settling = self.settling.keys().filter(|path| !changed.contains(path));
            found.extend(wanted.chain(settling).filter_map(|path| {
                std::fs::metadata(path).ok().filter(Metadata::is_file).map(|m| (path.clone(), Stat::of(&m)))
            }));
        } else {
            for file in scan::list(&self.plan.name, &self.plan.path, &[])? {
                if self.is_document(&file.path) {
                    let stat =
                        std::fs::metadata(&file.path).map_or(file.stat, |metadata| self.stat(&file.path, &metadata));
                    found.push((file.path, stat));
                }
            }
            let present: HashSet<&PathBuf> = found.iter().map(|(path, _)| path).collect();
            self.settling.retain(|path, _| present.contains(path));
            self.forget(&found, now);
        }
        for (path, stat) in found {
            self.weigh(path, stat, now);
        }
        Ok(())
    }

    /// Decides whether a file is to be read now.
    fn weigh(&mut self, path: PathBuf, stat: Stat, now: Timestamp) {
        if self.queue.iter().any(|(queued, _)| *queued == path) {
            return;
        }
        if let Some(known) = self.known.get(&item_of(&path))
            && known.size == stat.size
            && known.modified == stat.modified
        {
            self.settling.remove(&path);
            let overdue = known.cut_since.is_some_and(|since| now.0.saturating_sub(since) >= CUT_SHOWN_AFTER);
            if overdue && !known.cut_shown {
                self.queue.push_back((path, stat));
            }
            return;
        }
        let before = self.settling.get(&path).copied();
        let since = before.filter(|before| before.stat == stat).map_or(now, |before| before.since);
        let growing = before.filter(|before| grew(&before.stat, &stat)).map_or(now, |before| before.growing);
        let restless = now.since(growing) >= self.plan.settle.saturating_mul(RESTLESS_SETTLES);
        let quiet = before.is_some() && now.since(since) >= self.plan.settle;
        if quiet
            || restless && self.plan.settle > Duration::ZERO
            || self.is_appended(&path, &stat)
            || ends_well(&path, self.plan.format)
        {
            self.settling.remove(&path);
            self.queue.push_back((path, stat));
        } else {
            self.settling.insert(path, Settling { stat, since, growing });
        }
    }

    /// A file of which a part was read and that has grown since: its whole transactions can be read at once.
    fn is_appended(&self, path: &Path, stat: &Stat) -> bool {
        let known = self.known.get(&item_of(path));
        known.is_some_and(|known| known.resume.offset > 0 && known.size > 0 && stat.size > known.size)
    }

    fn forget(&mut self, found: &[(PathBuf, Stat)], now: Timestamp) {
        let today = day_of(now);
        let old = |state: &FileState| today.saturating_sub(state.seen_day) > FORGET_AFTER_DAYS;
        if !self.known.values().any(old) {
            return;
        }
        let present: HashSet<String> = found.iter().map(|(path, _)| item_of(path)).collect();
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

    fn store(&mut self, path: &Path, mut state: FileState, chunk: &mut Chunk, now: Timestamp) {
        state.seen_day = day_of(now);
        let item = item_of(path);
        chunk.cursors.push(CursorUpdate { item: item.clone(), state: Some(state.write()) });
        self.known.insert(item, state);
    }

    /// Goes on with the file under way, or starts the next one.
    fn step(&mut self, now: Timestamp) -> Result<Option<Chunk>, SourceError> {
        let mut run = match self.running.take() {
            Some(run) => run,
            None => {
                let Some((path, stat)) = self.queue.pop_front() else {
                    return Ok(None);
                };
                let before = self.known.get(&item_of(&path)).cloned().unwrap_or_default();
                let opened = match Run::open(&self.plan, path.clone(), stat, before, now) {
                    Ok(opened) => opened,
                    // Taken away between the look and the reading.
                    Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    Err(cause) => return Err(SourceError::reading(&self.plan.name, path, 0, cause)),
                };
                match opened {
                    Opened::Run(run) => run,
                    Opened::Unchanged(state) => {
                        let mut chunk = Chunk::default();
                        self.store(&path, state, &mut chunk, now);
                        return Ok(Some(chunk));
                    }
                    Opened::Held(mut chunk, state) => {
                        self.store(&path, state, &mut chunk, now);
                        return Ok(Some(chunk));
                    }
                }
            }
        };
        let path = run.path().to_path_buf();
        match run.next(&mut self.buffer) {
            Ok(Progress::Part(mut chunk, state)) => {
                self.running = Some(run);
                if let Some(state) = state {
                    self.store(&path, state, &mut chunk, now);
                }
                Ok(Some(chunk))
            }
            Ok(Progress::Last(mut chunk, state)) => {
                self.store(&path, state, &mut chunk, now);
                Ok(Some(chunk))
            }
            // Written to while it was read: once it is quiet, it is read on.
            Ok(Progress::Changed) => Ok(None),
            Err(cause) => Err(SourceError::reading(&self.plan.name, path, run.offset(), cause)),
        }
    }
}

impl PosSource for DocumentSource {
    fn watched(&self) -> Vec<PathBuf> {
        scan::folders(&self.plan.path)
    }

    fn poll(&mut self, changed: &[PathBuf], now: Timestamp) -> Result<Poll, SourceError> {
        if self.running.is_none() && (!changed.is_empty() || !self.following) {
            self.look(changed, now)?;
        }
        let mut chunk = Chunk::default();
        let (mut any, mut failed) = (false, None);
        while self.running.is_some() || !self.queue.is_empty() {
            match self.step(now) {
                Ok(Some(part)) => {
                    any = true;
                    merge(&mut chunk, part);
                }
                Ok(None) => {}
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
            if any
                && (chunk.transactions.len() >= TICKETS_MAX || chunk.bytes >= CHUNK_BYTES || chunk.coverage.is_some())
            {
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
        let soon = self.plan.scan.min(self.plan.settle.max(AGAIN_MIN));
        Ok(Poll::Quiet { again_in: if self.settling.is_empty() { self.plan.scan } else { soon } })
    }

    fn resume(&mut self, cursors: Vec<(String, String)>) {
        *self = Self::with(Arc::clone(&self.plan));
        self.known = cursors.into_iter().filter_map(|(item, text)| Some((item, FileState::read(&text)?))).collect();
    }

    fn backlog_bytes(&self) -> Option<u64> {
        let waiting: u64 = self.queue.iter().map(|(_, stat)| stat.size).sum();
        Some(waiting.saturating_add(self.running.as_ref().map_or(0, |run| run.unread())))
    }
}

/// Whether a file is the same one and not shorter.
fn grew(before: &Stat, now: &Stat) -> bool {
    before.id == now.id && now.size >= before.size
}

fn day_of(now: Timestamp) -> i64 {
    now.0.div_euclid(86_400_000_000)
}

/// Whether the last bytes are those of a finished document: the end tag of its first element, or of an archive.
fn ends_well(path: &Path, format: DocumentFormat) -> bool {
    let root: &[&str] = match format {
        DocumentFormat::Poslog => &["POSLog"],
        DocumentFormat::Naxml => &["NAXML-POSJournal"],
        DocumentFormat::Verifone => &["transSet", "transset"],
        DocumentFormat::Saft => &["auditfile"],
        // The tables beside the index may still be written.
        DocumentFormat::Dsfinvk => &[],
    };
    let mut tail = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(END_BYTES)))?;
        file.take(END_BYTES).read_to_end(&mut tail)
    });
    if read.is_err() {
        return false;
    }
    if tail.iter().rev().nth(21) == Some(&b'P') && memchr::memmem::rfind(&tail, b"PK\x05\x06").is_some() {
        return true;
    }
    // UTF-16 ends are taken by their non-zero bytes.
    let text: Vec<u8> = tail.into_iter().filter(|b| *b != 0).collect();
    let text = String::from_utf8_lossy(&text);
    let Some(name) = text.trim_end().strip_suffix('>').and_then(|rest| rest.rsplit_once("</")).map(|(_, name)| name)
    else {
        return false;
    };
    root.contains(&super::xml::local(name.trim_end()))
}

fn merge(into: &mut Chunk, part: Chunk) {
    into.transactions.extend(part.transactions);
    into.quarantined.extend(part.quarantined);
    for (rule, count) in part.ignored {
        match into.ignored.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => into.ignored.push((rule, count)),
        }
    }
    into.coverage = part.coverage;
    into.cursors.extend(part.cursors);
    into.bytes = into.bytes.saturating_add(part.bytes);
}
