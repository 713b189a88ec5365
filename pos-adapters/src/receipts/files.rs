//! Captured files: one file that grows, or a folder (or pattern) of files that hold one job each.
//!
//! A growing file is read on from where it was; when it shrank or begins otherwise, it is read from its beginning. A spool
//! file is read whole when it has not changed for as long as a silence takes, and again when it changed: the same
//! tickets come again under the same keys, which moves nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sync_core::model::Timestamp;

use super::interpret::Interpreter;
use super::plan::Plan;
use super::store::{self, Arrival, Event};
use crate::file::glob::PathPattern;
use crate::file::scan::{self, Found};
use crate::{Chunk, CursorUpdate, Poll, Quarantined, SourceError};

/// Largest spool file that is read; a larger one is no job of a receipt printer.
const SPOOL_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes and files in one chunk.
const CHUNK_BYTES: u64 = 1024 * 1024;
/// See [`CHUNK_BYTES`].
const CHUNK_FILES: usize = 64;
/// Bytes at the start of a growing file that tell it from another.
const HEAD_BYTES: u64 = 256;
/// Longest time between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Cursor of a growing file.
const GROWING: &str = "growing";
/// Cursor of the ticket reader over all spool files; file names cannot hold this.
const TICKETS: &str = "/tickets";
/// Cursors of spool files.
const SPOOL_PREFIX: &str = "spool:";

#[derive(Debug)]
pub(super) struct Files {
    plan: Arc<Plan>,
    pattern: PathPattern,
    growing: Option<Growing>,
    interpreter: Interpreter,
    /// Spool files that were read, with their size and time.
    read: BTreeMap<String, String>,
    backlog: u64,
}

/// Where the reading of a growing file stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Growing {
    /// Length and SHA-256 of its beginning.
    head: (u64, String),
    /// End of the last receipt.
    at: u64,
    tickets: String,
    /// Next byte to read, which lies behind `at` while a ticket is open.
    #[serde(skip)]
    next: u64,
}

impl Files {
    pub(super) fn new(plan: &Arc<Plan>, pattern: PathPattern) -> Self {
        Self {
            plan: Arc::clone(plan),
            pattern,
            growing: None,
            interpreter: Interpreter::new(plan, &plan.name, 0, None),
            read: BTreeMap::new(),
            backlog: 0,
        }
    }

    pub(super) fn watched(&self) -> Vec<PathBuf> {
        scan::folders(&self.pattern)
    }

    pub(super) const fn backlog_bytes(&self) -> u64 {
        self.backlog
    }

    pub(super) fn resume(&mut self, cursors: Vec<(String, String)>) {
        let mut tickets = None;
        self.growing = None;
        self.read.clear();
        for (item, state) in cursors {
            if item == GROWING {
                self.growing = serde_json::from_str(&state).ok();
            } else if item == TICKETS {
                tickets = Some(state);
            } else if let Some(name) = item.strip_prefix(SPOOL_PREFIX) {
                self.read.insert(name.to_owned(), state);
            }
        }
        let (at, state) = match &mut self.growing {
            Some(growing) => {
                growing.next = growing.at;
                (growing.at, Some(growing.tickets.clone()))
            }
            None => (0, tickets),
        };
        self.interpreter = Interpreter::new(&self.plan, &self.plan.name, at, state.as_deref());
    }

    pub(super) fn poll(&mut self, now: Timestamp) -> Result<Poll, SourceError> {
        if self.pattern.below.is_empty() && !self.pattern.fixed.is_dir() {
            let path = self.pattern.fixed.clone();
            self.poll_growing(&path, now)
        } else {
            self.poll_spool(now)
        }
    }

    fn poll_growing(&mut self, path: &Path, now: Timestamp) -> Result<Poll, SourceError> {
        let (mut bytes, size, written_at) = self.look_at_growing(path).map_err(|cause| self.unreadable(path, cause))?;
        let mut chunk = Chunk::default();
        let before = self.growing.clone();
        let growing = self.growing.get_or_insert_default();
        chunk.bytes = u64::try_from(bytes.len()).unwrap_or(0);
        if growing.next == 0 && store::is_segment(&bytes) {
            for arrival in store::events_of(&bytes) {
                self.interpreter.take(&arrival, &mut chunk);
            }
            growing.next = size;
            self.interpreter.finish(&self.plan.name, now, &mut chunk);
            growing.at = size;
        } else {
            growing.next = growing.next.saturating_add(chunk.bytes);
            if !bytes.is_empty() {
                // Old bytes keep the time of the file; it is the best that is known of them.
                let arrival = Arrival { at: written_at, event: Event::Data(std::mem::take(&mut bytes)) };
                self.interpreter.take(&arrival, &mut chunk);
            }
            if growing.next >= size {
                self.interpreter.quiet(now, &mut chunk);
            }
            growing.at = self.interpreter.boundary();
        }
        self.backlog = size.saturating_sub(growing.next);
        growing.tickets = self.interpreter.state();
        let moved = before.as_ref().is_none_or(|before| growing.at.saturating_sub(before.at) >= CHUNK_BYTES / 4);
        if is_empty(&chunk) && !(moved && chunk.bytes > 0) {
            // More of the file waits: look at once.
            let silent_in = self.interpreter.silent_in(now).unwrap_or(LOOK_AGAIN);
            let again_in = if self.backlog > 0 { Duration::ZERO } else { silent_in.min(LOOK_AGAIN) };
            return Ok(Poll::Quiet { again_in });
        }
        let state = serde_json::to_string(growing).unwrap_or_default();
        chunk.cursors.push(CursorUpdate { item: GROWING.to_owned(), state: Some(state) });
        Ok(Poll::Chunk(chunk))
    }

    /// The next bytes of the growing file, its size and when it was written last. Starts anew when it is another file.
    fn look_at_growing(&mut self, path: &Path) -> std::io::Result<(Vec<u8>, u64, Timestamp)> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let size = metadata.len();
        let known = match &self.growing {
            Some(growing) => size >= growing.next && head(&mut file, growing.head.0)? == growing.head,
            None => false,
        };
        if !known {
            let tickets = self.growing.take().map(|old| old.tickets);
            let head = head(&mut file, HEAD_BYTES.min(size))?;
            self.interpreter = Interpreter::new(&self.plan, &self.plan.name, 0, tickets.as_deref());
            self.growing = Some(Growing { head, ..Growing::default() });
        }
        let growing = self.growing.get_or_insert_default();
        if growing.head.0 < HEAD_BYTES && size > growing.head.0 {
            growing.head = head(&mut file, HEAD_BYTES.min(size))?;
        }
        file.seek(SeekFrom::Start(growing.next))?;
        let mut bytes = Vec::new();
        let most = if growing.next == 0 { SPOOL_BYTES_MAX.min(CHUNK_BYTES.saturating_mul(2)) } else { CHUNK_BYTES };
        file.take(most).read_to_end(&mut bytes)?;
        Ok((bytes, size, scan_time(&metadata)))
    }

    fn poll_spool(&mut self, now: Timestamp) -> Result<Poll, SourceError> {
        let mut found = scan::list(&self.plan.name, &self.pattern, &[])?;
        let mut chunk = Chunk::default();
        self.forget_deleted(&found, &mut chunk);
        found.retain(|file| self.read.get(&name(file)) != Some(&state(file)));
        found.sort_by_key(|file| (file.stat.modified, file.path.clone()));
        self.backlog = found.iter().map(|file| file.stat.size).fold(0, u64::saturating_add);
        let mut unsettled = false;
        for file in found.iter().take(CHUNK_FILES) {
            let age = now.since(Timestamp(file.stat.modified));
            if age < self.plan.silence {
                // Later files wait too: tickets are read in the order in which they were printed.
                unsettled = true;
                break;
            }
            self.read_spool(file, &mut chunk)?;
            self.backlog = self.backlog.saturating_sub(file.stat.size);
            if chunk.bytes >= CHUNK_BYTES {
                break;
            }
        }
        if is_empty(&chunk) && chunk.cursors.is_empty() {
            return Ok(Poll::Quiet { again_in: if unsettled { self.plan.silence } else { LOOK_AGAIN } });
        }
        chunk.cursors.push(CursorUpdate { item: TICKETS.to_owned(), state: Some(self.interpreter.state()) });
        Ok(Poll::Chunk(chunk))
    }

    fn read_spool(&mut self, file: &Found, chunk: &mut Chunk) -> Result<(), SourceError> {
        let name = name(file);
        let shown = file.path.file_name().map_or_else(|| name.clone(), |name| name.to_string_lossy().into_owned());
        let at = Timestamp(file.stat.modified);
        if file.stat.size > SPOOL_BYTES_MAX {
            chunk.quarantined.push(Quarantined {
                at: shown,
                reason: format!("is larger than {SPOOL_BYTES_MAX} bytes, which no job of a receipt printer is"),
                raw: String::new(),
                records: 1,
            });
        } else {
            let bytes = std::fs::read(&file.path).map_err(|cause| self.unreadable(&file.path, cause))?;
            chunk.bytes = chunk.bytes.saturating_add(file.stat.size);
            self.interpreter.finish(&shown, at, chunk);
            if store::is_segment(&bytes) {
                for arrival in store::events_of(&bytes) {
                    self.interpreter.take(&arrival, chunk);
                }
            } else {
                self.interpreter.take(&Arrival { at, event: Event::Data(bytes) }, chunk);
            }
            self.interpreter.finish(&self.plan.name, at, chunk);
        }
        chunk.cursors.push(CursorUpdate { item: format!("{SPOOL_PREFIX}{name}"), state: Some(state(file)) });
        self.read.insert(name, state(file));
        Ok(())
    }

    fn forget_deleted(&mut self, found: &[Found], chunk: &mut Chunk) {
        let names: std::collections::BTreeSet<String> = found.iter().map(name).collect();
        let gone: Vec<String> = self.read.keys().filter(|known| !names.contains(*known)).cloned().collect();
        for name in gone {
            self.read.remove(&name);
            chunk.cursors.push(CursorUpdate { item: format!("{SPOOL_PREFIX}{name}"), state: None });
        }
    }

    fn unreadable(&self, path: &Path, cause: std::io::Error) -> SourceError {
        let at = self.growing.as_ref().map_or(0, |growing| growing.next);
        SourceError::reading(&self.plan.name, path.to_path_buf(), at, cause)
    }
}

fn is_empty(chunk: &Chunk) -> bool {
    chunk.transactions.is_empty() && chunk.quarantined.is_empty() && chunk.ignored.is_empty()
}

fn name(file: &Found) -> String {
    file.path.to_string_lossy().into_owned()
}

fn state(file: &Found) -> String {
    format!("{} {}", file.stat.size, file.stat.modified)
}

fn scan_time(metadata: &std::fs::Metadata) -> Timestamp {
    Timestamp(scan::Stat::of(metadata).modified)
}

fn head(file: &mut File, length: u64) -> std::io::Result<(u64, String)> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    let digest = Sha256::digest(&bytes);
    let text = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((u64::try_from(bytes.len()).unwrap_or(0), text))
}
