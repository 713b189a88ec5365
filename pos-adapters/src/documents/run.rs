//! Reading one file to its end in chunks of bounded size (IO).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sync_core::model::{Extent, Segment, Timestamp, Transaction, TransactionKey};

use super::archive::{Archive, ArchiveFault, is_zip};
use super::cursor::{FileState, VERSION, finish, item_of};
use super::dsfinvk;
use super::feed::{Feed, Resume};
use super::settings::Plan;
use super::ticket::{Doubt, Found, Ticket};
use super::xml::{End, Fault};
use crate::file::scan::Stat;
use crate::{Chunk, Coverage, Quarantined};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 256 * 1024;
/// Bytes of a file after which a chunk is handed on.
pub(super) const CHUNK_BYTES: u64 = 4 * 1024 * 1024;
/// Tickets after which a chunk is handed on; a block may bring some more.
pub(super) const TICKETS_MAX: usize = 4096;
/// Unpacked bytes of an archive for each chunk; what was read before is unpacked again and passed over.
const UNPACK_BYTES: u64 = 8 * 1024 * 1024;
/// First bytes of a growing file that are compared before reading goes on behind them.
const HEAD_PRINT_BYTES: u64 = 32 * 1024 * 1024;
/// Last bytes before the place where reading goes on that are compared.
const TAIL_PRINT_BYTES: u64 = 64 * 1024;
/// Bytes by which a file that grows while it is read is recognised.
const SEAM_BYTES: usize = 4096;
/// How long an end in the middle of a transaction may be a pause of the writer, in microseconds.
pub(super) const CUT_SHOWN_AFTER: i64 = 10 * 60 * 1_000_000;

/// What opening a file brought.
pub(super) enum Opened {
    Run(Box<Run>),
    /// The same content as before.
    Unchanged(FileState),
    /// Not applied; the chunk says why.
    Held(Chunk, FileState),
}

/// What one step brought.
pub(super) enum Progress {
    /// More is to come; the state, if reading can go on from here after a restart.
    Part(Chunk, Option<FileState>),
    Last(Chunk, FileState),
    /// The file is no longer the one that was opened.
    Changed,
}

/// One file under way.
#[derive(Debug)]
pub(super) struct Run {
    plan: Arc<Plan>,
    path: PathBuf,
    stat: Stat,
    before: FileState,
    generation: u64,
    kind: Kind,
    segment: Segment,
    keys: BTreeSet<String>,
    tickets: u64,
    span: Option<(Timestamp, Timestamp)>,
    unsure: bool,
    now: Timestamp,
}

#[derive(Debug)]
enum Kind {
    Xml(Xml),
    Zip(Zip),
    Tables(Tables),
}

#[derive(Debug)]
struct Xml {
    feed: Box<Feed>,
    offset: u64,
    printed: Prefix,
    resumed: bool,
    /// The last bytes read: while they stand where they stood, a file that grew is still the same.
    seam: Vec<u8>,
    /// Its first element was closed.
    closed: bool,
}

#[derive(Debug)]
struct Zip {
    print: String,
    /// Entries that are still to be read, by number.
    entries: VecDeque<(usize, String)>,
    feed: Option<Box<Feed>>,
    position: u64,
}

#[derive(Debug)]
struct Tables {
    print: String,
    tickets: VecDeque<Ticket>,
    rest: Found,
}

impl Run {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn offset(&self) -> u64 {
        match &self.kind {
            Kind::Xml(xml) => xml.offset,
            Kind::Zip(zip) => zip.position,
            Kind::Tables(_) => 0,
        }
    }

    pub(super) fn unread(&self) -> u64 {
        match &self.kind {
            Kind::Xml(xml) => self.stat.size.saturating_sub(xml.offset),
            Kind::Zip(_) | Kind::Tables(_) => self.stat.size,
        }
    }

    /// Opens a file and finds out from where it is to be read.
    pub(super) fn open(
        plan: &Arc<Plan>,
        path: PathBuf,
        stat: Stat,
        before: FileState,
        now: Timestamp,
    ) -> io::Result<Opened> {
        let mut file = File::open(&path)?;
        let mut first = Vec::new();
        (&mut file).take(4).read_to_end(&mut first)?;
        let packed = is_zip(&first);
        if let (false, Some(format)) = (packed, super::xml_format(plan.format, &plan.rules)) {
            let (xml, generation) = open_xml(plan, &mut file, stat, &before, format)?;
            return Ok(Opened::Run(Box::new(Self::new(plan, path, stat, before, generation, Kind::Xml(xml), now))));
        }
        let print = if packed { print_of(&mut file, stat.size)? } else { dsfinvk::print_of_folder(&path)? };
        let state =
            FileState { v: VERSION, size: stat.size, modified: stat.modified, print: print.clone(), ..before.clone() };
        if before.print == print {
            return Ok(Opened::Unchanged(state));
        }
        let archive = match packed.then(|| Archive::open(file)).transpose() {
            Ok(archive) => archive,
            Err(ArchiveFault::Io(cause)) => return Err(cause),
            Err(ArchiveFault::Refused(reason)) => return Ok(Opened::Held(refused(&path, &reason), state)),
        };
        let generation = before.generation.saturating_add(1);
        let kind = match archive {
            Some(archive) if super::xml_format(plan.format, &plan.rules).is_some() => {
                let wanted = |name: &str| name.to_ascii_lowercase().ends_with(".xml") && !name.starts_with("__MACOSX");
                let entries: VecDeque<_> =
                    archive.names().filter(|(_, name)| wanted(name)).map(|(at, name)| (at, name.to_owned())).collect();
                if entries.is_empty() {
                    return Ok(Opened::Held(refused(&path, "is an archive without XML files"), state));
                }
                Kind::Zip(Zip { print, entries, feed: None, position: 0 })
            }
            archive => {
                let folder = archive.map_or_else(|| dsfinvk::Folder::beside(&path), dsfinvk::Folder::packed);
                match dsfinvk::read(folder, &plan.rules) {
                    Ok(mut found) => {
                        let tickets = std::mem::take(&mut found.tickets).into();
                        Kind::Tables(Tables { print, tickets, rest: found })
                    }
                    Err(ArchiveFault::Io(cause)) => return Err(cause),
                    Err(ArchiveFault::Refused(reason)) => return Ok(Opened::Held(refused(&path, &reason), state)),
                }
            }
        };
        Ok(Opened::Run(Box::new(Self::new(plan, path, stat, before, generation, kind, now))))
    }

    fn new(
        plan: &Arc<Plan>,
        path: PathBuf,
        stat: Stat,
        before: FileState,
        generation: u64,
        kind: Kind,
        now: Timestamp,
    ) -> Self {
        let segment = Segment::new(format!("{}#{generation}", item_of(&path)));
        Self {
            plan: Arc::clone(plan),
            path,
            stat,
            before,
            generation,
            kind,
            segment,
            keys: BTreeSet::new(),
            tickets: 0,
            span: None,
            unsure: false,
            now,
        }
    }

    /// Reads the next chunk.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Progress> {
        match &mut self.kind {
            Kind::Xml(_) => self.next_xml(buffer),
            Kind::Zip(_) => self.next_zip(buffer),
            Kind::Tables(tables) => {
                let some = tables.tickets.len().min(TICKETS_MAX);
                let tickets = tables.tickets.drain(..some).collect();
                let done = tables.tickets.is_empty();
                let rest = if done { std::mem::take(&mut tables.rest) } else { Found::default() };
                let print = tables.print.clone();
                let chunk = self.chunk(Found { tickets, ..rest }, if done { self.stat.size } else { 0 });
                Ok(if done {
                    self.last(chunk, FileState { print, ..FileState::default() })
                } else {
                    Progress::Part(chunk, None)
                })
            }
        }
    }

    fn next_xml(&mut self, buffer: &mut Vec<u8>) -> io::Result<Progress> {
        let mut file = File::open(&self.path)?;
        let Kind::Xml(xml) = &mut self.kind else { return Ok(Progress::Changed) };
        if !is_same(&mut file, &self.stat, xml, buffer)? {
            return Ok(Progress::Changed);
        }
        let from = xml.offset;
        let mut fault = None;
        while xml.offset < self.stat.size && fault.is_none() {
            let most = usize::try_from(self.stat.size.saturating_sub(xml.offset)).unwrap_or(usize::MAX);
            read_at(&mut file, xml.offset, most.min(BLOCK_BYTES), buffer)?;
            if buffer.is_empty() {
                return Ok(Progress::Changed);
            }
            xml.seam.clear();
            xml.seam.extend_from_slice(buffer.get(buffer.len().saturating_sub(SEAM_BYTES)..).unwrap_or_default());
            xml.offset = xml.offset.saturating_add(to_u64(buffer.len()));
            fault = xml.feed.push(buffer).err();
            if xml.feed.waiting() >= TICKETS_MAX || xml.offset.saturating_sub(from) >= CHUNK_BYTES {
                break;
            }
        }
        let bytes = xml.offset.saturating_sub(from);
        if xml.offset < self.stat.size && fault.is_none() {
            let found = xml.feed.take();
            let mark = if self.plan.reverse_vanished { None } else { xml.feed.mark() };
            let state = match mark {
                Some(resume) => {
                    let (print, tail) = xml.printed.at(&mut file, resume.offset)?;
                    let generation = self.generation;
                    Some(FileState { v: VERSION, generation, resume, print, tail, ..FileState::default() })
                }
                None => None,
            };
            return Ok(Progress::Part(self.chunk(found, bytes), state));
        }
        let end = match fault {
            Some(fault) => Err(fault),
            None => xml.feed.finish(),
        };
        let same = self.before.size == self.stat.size && self.before.modified == self.stat.modified;
        let since = self.before.cut_since.filter(|_| same).unwrap_or(self.now.0);
        let mut state = ended(xml, end, since, self.now);
        self.unsure |= state.cut_since.is_some() || !xml.closed;
        if let Some(resume) = xml.feed.mark().filter(|_| !self.plan.reverse_vanished) {
            (state.print, state.tail) = xml.printed.at(&mut file, resume.offset)?;
            state.resume = resume;
        }
        if xml.resumed {
            self.tickets = self.tickets.saturating_add(self.before.tickets);
        }
        let found = xml.feed.take();
        if !is_same(&mut file, &self.stat, xml, buffer)? {
            // The tickets so far are whole; the rest is read again once it is quiet.
            return Ok(Progress::Part(self.chunk(found, bytes), None));
        }
        let chunk = self.chunk(found, bytes);
        Ok(self.last(chunk, state))
    }

    fn next_zip(&mut self, buffer: &mut Vec<u8>) -> io::Result<Progress> {
        let file = File::open(&self.path)?;
        if Stat::of(&file.metadata()?) != self.stat {
            return Ok(Progress::Changed);
        }
        let Kind::Zip(zip) = &mut self.kind else { return Ok(Progress::Changed) };
        let Some((index, name)) = zip.entries.front().cloned() else {
            let print = zip.print.clone();
            return Ok(self.last(Chunk::default(), FileState { print, ..FileState::default() }));
        };
        let mut feed = match zip.feed.take() {
            Some(feed) => feed,
            None => match super::xml_format(self.plan.format, &self.plan.rules) {
                Some(format) => Box::new(Feed::new(format)),
                None => return Ok(Progress::Changed),
            },
        };
        let read = Archive::open(file).and_then(|mut archive| archive.read(index, zip.position, UNPACK_BYTES, buffer));
        let mut ended = true;
        match read {
            Err(ArchiveFault::Io(cause)) => return Err(cause),
            Err(ArchiveFault::Refused(reason)) => feed.give_up(&format!("the archive {reason}")),
            Ok(()) => {
                zip.position = zip.position.saturating_add(to_u64(buffer.len()));
                ended = to_u64(buffer.len()) < UNPACK_BYTES;
                let mut read = feed.push(buffer).map(|()| End::Open);
                if read.is_ok() && ended {
                    read = feed.finish();
                }
                match read {
                    Err(fault) => {
                        feed.give_up(&format!("the file `{name}` {}", fault.reason));
                        ended = true;
                    }
                    Ok(End::Within) if ended => {
                        feed.give_up(&format!("the file `{name}` ends in the middle of a transaction"));
                    }
                    Ok(End::Within | End::Open | End::Closed | End::Empty) => {}
                }
            }
        }
        let found = feed.take();
        if ended {
            zip.entries.pop_front();
            zip.position = 0;
        } else {
            zip.feed = Some(feed);
        }
        let done = zip.entries.is_empty();
        let print = zip.print.clone();
        let chunk = self.chunk(found, if done { self.stat.size } else { 0 });
        Ok(if done {
            self.last(chunk, FileState { print, ..FileState::default() })
        } else {
            Progress::Part(chunk, None)
        })
    }

    /// The end: what covers what, and the state to store.
    fn last(&mut self, mut chunk: Chunk, state: FileState) -> Progress {
        let empty = self.tickets == 0 && self.before.tickets > 0;
        if self.plan.reverse_vanished && !self.unsure {
            if empty {
                let had = self.before.tickets;
                let reason = format!("has no transactions, but had {had} before: nothing was taken back");
                chunk.quarantined.extend(refused(&self.path, &reason).quarantined);
            } else if let Some((from, to)) = self.span {
                let keys = std::mem::take(&mut self.keys).into_iter().collect();
                chunk.coverage = Some(Coverage { origin: item_of(&self.path), from, to, keys });
            }
        }
        let (size, modified) = (self.stat.size, self.stat.modified);
        let tickets = if empty { self.before.tickets } else { self.tickets };
        Progress::Last(chunk, FileState { v: VERSION, size, modified, generation: self.generation, tickets, ..state })
    }

    /// Tickets as transactions of this file.
    fn chunk(&mut self, found: Found, bytes: u64) -> Chunk {
        self.unsure |= found.unsure;
        self.tickets = self.tickets.saturating_add(to_u64(found.tickets.len()));
        let mut transactions = Vec::with_capacity(found.tickets.len());
        for ticket in found.tickets {
            match ticket.sold_at {
                Some(at) => self.span = Some(self.span.map_or((at, at), |(from, to)| (from.min(at), to.max(at)))),
                None => self.unsure = true,
            }
            if self.plan.reverse_vanished {
                self.keys.insert(ticket.key.clone());
            }
            transactions.push(Transaction {
                key: TransactionKey::new(ticket.key),
                register: ticket.register,
                sold_at: ticket.sold_at,
                status: ticket.status,
                online_order: None,
                extent: Extent::Whole,
                segment: self.segment.clone(),
                lines: ticket.lines,
            });
        }
        let ignored: BTreeMap<String, u64> = found.ignored;
        let quarantined = found.doubts.into_iter().map(|doubt| quarantined(&self.path, doubt)).collect();
        Chunk { transactions, quarantined, ignored: ignored.into_iter().collect(), bytes, ..Chunk::default() }
    }
}

fn open_xml(
    plan: &Plan,
    file: &mut File,
    stat: Stat,
    before: &FileState,
    format: Box<dyn super::feed::Format>,
) -> io::Result<(Xml, u64)> {
    let Resume { offset, .. } = before.resume;
    let mut printed = Prefix::new();
    if !plan.reverse_vanished && offset > 0 && offset <= stat.size {
        let (print, tail) = printed.at(file, offset)?;
        if print == before.print && tail == before.tail {
            let feed = Box::new(Feed::resume(format, before.resume.clone()));
            return Ok((
                Xml { feed, offset, printed, resumed: true, seam: Vec::new(), closed: false },
                before.generation,
            ));
        }
    }
    let feed = Box::new(Feed::new(format));
    Ok((
        Xml { feed, offset: 0, printed: Prefix::new(), resumed: false, seam: Vec::new(), closed: false },
        before.generation.saturating_add(1),
    ))
}

/// What the end of a document means; `since` is when it first ended like that.
fn ended(xml: &mut Xml, end: Result<End, Fault>, since: i64, now: Timestamp) -> FileState {
    let mut state = FileState::default();
    match end {
        Ok(End::Within) => {
            state.cut_since = Some(since);
            if now.0.saturating_sub(since) >= CUT_SHOWN_AFTER {
                xml.feed.give_up("the file ends in the middle of a transaction");
                state.cut_shown = true;
            }
        }
        Ok(End::Closed) => xml.closed = true,
        Ok(End::Open | End::Empty) => {}
        Err(fault) => xml.feed.give_up(&format!("the file {}", fault.reason)),
    }
    state
}

/// Whether a file is still the one that was opened, or has only grown since.
fn is_same(file: &mut File, stat: &Stat, xml: &Xml, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let now = Stat::of(&file.metadata()?);
    if now == *stat {
        return Ok(true);
    }
    if now.id != stat.id || now.size <= stat.size {
        return Ok(false);
    }
    let seam = xml.seam.len();
    read_at(file, xml.offset.saturating_sub(to_u64(seam)), seam, buffer)?;
    Ok(*buffer == xml.seam)
}

fn quarantined(path: &Path, doubt: Doubt) -> Quarantined {
    let path = path.display();
    let at = doubt.at.map_or_else(|| path.to_string(), |at| format!("{path} byte {at}"));
    Quarantined { at, reason: doubt.reason, raw: doubt.raw, records: doubt.records }
}

fn refused(path: &Path, reason: &str) -> Chunk {
    let whole = Doubt { at: None, reason: format!("the file {reason}"), raw: String::new(), records: 1 };
    Chunk { quarantined: vec![quarantined(path, whole)], ..Chunk::default() }
}

/// Print of the bytes before a place that only moves on: all of the first part, and the last bytes before it.
#[derive(Debug)]
struct Prefix {
    hasher: Sha256,
    hashed: u64,
}

impl Prefix {
    fn new() -> Self {
        Self { hasher: Sha256::new(), hashed: 0 }
    }

    fn at(&mut self, file: &mut File, offset: u64) -> io::Result<(String, String)> {
        let head = offset.min(HEAD_PRINT_BYTES);
        if self.hashed > head {
            *self = Self::new();
        }
        hash(file, self.hashed, head.saturating_sub(self.hashed), &mut self.hasher)?;
        self.hashed = head;
        let start = offset.saturating_sub(TAIL_PRINT_BYTES);
        let mut tail = Sha256::new();
        hash(file, start, offset.saturating_sub(start), &mut tail)?;
        Ok((finish(self.hasher.clone()), finish(tail)))
    }
}

fn print_of(file: &mut File, size: u64) -> io::Result<String> {
    let mut hasher = Sha256::new();
    hash(file, 0, size, &mut hasher)?;
    Ok(finish(hasher))
}

/// Hashes a stretch of a file.
pub(super) fn hash(file: &mut File, from: u64, length: u64, hasher: &mut Sha256) -> io::Result<()> {
    let mut buffer = Vec::new();
    let (mut at, end) = (from, from.saturating_add(length));
    while at < end {
        let most = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(BLOCK_BYTES);
        read_at(file, at, most, &mut buffer)?;
        if buffer.is_empty() {
            break;
        }
        hasher.update(&buffer);
        at = at.saturating_add(to_u64(buffer.len()));
    }
    Ok(())
}

fn read_at(file: &mut File, from: u64, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    file.seek(SeekFrom::Start(from))?;
    file.take(to_u64(length)).read_to_end(buffer)?;
    Ok(())
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
