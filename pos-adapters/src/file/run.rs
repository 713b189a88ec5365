//! Reading one whole file: survey, then chunks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sync_core::model::{Extent, LineItem, Segment, Timestamp, Transaction, TransactionKey, TransactionStatus};

use super::block::{self, HEADER_BYTES_MAX, Start};
use super::cursor::{VERSION, WholeState, finish};
use super::frame::{self, Frame, LineEnd};
use super::interpret::{Head, Interpreter, Sink, Step};
use super::journal::{BLOCK_BYTES, RECORDS_MAX, read_at, refused, to_u64};
use super::plan::Plan;
use super::scan::Stat;
use super::settings::{Format, Pattern, Vanished};
use super::whole::item_of;
use crate::tables;
use crate::{Chunk, Coverage, Quarantined};

/// Bytes at the end of a file in which its end is looked for.
const END_BYTES: u64 = 64;

/// What opening a file brought.
pub(super) enum Opened {
    Run(Box<Run>),
    /// The same content as before.
    Unchanged(WholeState),
    /// Not applied; the chunk says why.
    Held(Chunk, WholeState),
}

/// What one step brought.
pub(super) enum Progress {
    Part(Chunk),
    Last(Chunk, WholeState),
    /// The file is no longer the one that was surveyed.
    Changed,
}

/// Whether the last bytes prove that the file was written to its end.
pub(super) fn ends_well(path: &Path, plan: &Plan) -> bool {
    if plan.table.is_some() {
        return false;
    }
    let mut buffer = Vec::new();
    let tail = File::open(path).and_then(|mut file| {
        let size = file.metadata()?.len();
        read_at(&mut file, size.saturating_sub(END_BYTES), BLOCK_BYTES, &mut buffer)
    });
    // UTF-16 ends are taken by their non-zero bytes.
    let text: Vec<u8> = buffer.iter().copied().filter(|b| *b != 0).collect();
    tail.is_ok()
        && match plan.format {
            Format::Csv | Format::Jsonl | Format::Fixed | Format::Dbf | Format::Xlsx => {
                text.last().is_some_and(|b| matches!(b, b'\n' | b'\r' | 0x1a))
            }
            Format::Json => text.trim_ascii_end().last().is_some_and(|b| matches!(b, b']' | b'}')),
        }
}

/// What is interpreted: a file, or the text that was made of a table.
#[derive(Debug)]
enum Content {
    File(File),
    Text(Cursor<Arc<[u8]>>),
}

impl Content {
    fn open(path: &Path, text: Option<&Arc<[u8]>>) -> io::Result<Self> {
        match text {
            Some(text) => Ok(Self::Text(Cursor::new(Arc::clone(text)))),
            None => File::open(path).map(Self::File),
        }
    }

    /// How the file looks now; `None` for a text, which cannot change any more.
    fn stat(&self) -> io::Result<Option<Stat>> {
        match self {
            Self::File(file) => file.metadata().map(|metadata| Some(Stat::of(&metadata))),
            Self::Text(_) => Ok(None),
        }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Text(text) => text.read(buffer),
        }
    }
}

impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Text(text) => text.seek(to),
        }
    }
}

/// One file under way.
#[derive(Debug)]
pub(super) struct Run {
    plan: Arc<Plan>,
    path: PathBuf,
    stat: Stat,
    /// The text of a table; other files are read piece by piece.
    text: Option<Arc<[u8]>>,
    /// Bytes of what is interpreted.
    length: u64,
    before: WholeState,
    interpreter: Interpreter,
    start: u64,
    offset: u64,
    print: String,
    tickets: Tickets,
}

impl Run {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn unread(&self) -> u64 {
        self.length.saturating_sub(self.offset)
    }

    /// Opens and surveys a file.
    pub(super) fn open(
        plan: &Arc<Plan>,
        path: PathBuf,
        stat: Stat,
        before: WholeState,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Opened> {
        let (text, refusal) = match &plan.table {
            None => (None, None),
            Some(table) => match tables::read(table, &path)? {
                Ok(csv) => (Some(Arc::<[u8]>::from(csv)), None),
                Err(reason) => (Some(Arc::<[u8]>::from(Vec::new())), Some(reason)),
            },
        };
        let length = text.as_ref().map_or(stat.size, |text| to_u64(text.len()));
        let mut file = Content::open(&path, text.as_ref())?;
        let print = match &refusal {
            Some(reason) => super::cursor::print(format!("{reason} {stat:?}").as_bytes()),
            None => print_of(&mut file, length, buffer)?,
        };
        let state =
            WholeState { v: VERSION, size: stat.size, modified: stat.modified, print: print.clone(), ..before.clone() };
        if before.print == print {
            return Ok(Opened::Unchanged(state));
        }
        read_at(&mut file, 0, HEADER_BYTES_MAX, buffer)?;
        let mut interpreter = Interpreter::new(Arc::clone(plan), super::interpret::Facts::default());
        let hold = |reason: &str, sample: &[u8]| {
            Ok(Opened::Held(refused(&path.display().to_string(), reason, sample), state.clone()))
        };
        if let Some(reason) = refusal {
            return hold(&reason, &[]);
        }
        let start = match block::start(buffer, true, plan, &mut interpreter) {
            Start::Ready { bytes, .. } => to_u64(bytes),
            Start::Wait(_) if before.tickets == 0 => return Ok(Opened::Unchanged(state)),
            Start::Wait(reason) => {
                return hold(
                    &format!(
                        "{reason}, but had {} transactions before: nothing was taken back, export it again",
                        before.tickets
                    ),
                    buffer,
                );
            }
            Start::Refused(reason) => return hold(&reason, buffer),
        };
        let tickets = Tickets::new(&path, before.generation.saturating_add(1));
        let mut run = Box::new(Self {
            plan: Arc::clone(plan),
            path: path.clone(),
            stat,
            text,
            length,
            before,
            interpreter,
            start,
            offset: start,
            print,
            tickets,
        });
        let mut counts = Counts::default();
        let closed = run.survey(&mut file, buffer, &mut counts)?;
        if plan.format == Format::Json && !closed {
            return hold("ends in the middle of a record: it was not written to its end", buffer);
        }
        if counts.0.is_empty() && run.before.tickets > 0 {
            let had = run.before.tickets;
            return hold(
                &format!("has no transactions, but had {had} before: nothing was taken back, export it again"),
                buffer,
            );
        }
        run.tickets.remaining = counts.0;
        run.offset = run.start;
        Ok(Opened::Run(run))
    }

    /// Counts the records of every ticket. Returns whether the last record was complete.
    fn survey(&mut self, file: &mut Content, buffer: &mut Vec<u8>, counts: &mut Counts) -> io::Result<bool> {
        self.interpreter.surveyed = false;
        let mut complete = true;
        let mut frames = Vec::new();
        while self.offset < self.length {
            let block = self.block(file, buffer, &mut frames)?;
            for frame in &frames {
                let record = block.text.get(frame.start..frame.end).unwrap_or_default();
                let mut step = self.interpreter.read(record, counts);
                if step == Step::Undecided {
                    self.decide(file)?;
                    step = self.interpreter.read(record, counts);
                }
                if step == Step::Resync {
                    self.interpreter.read_lines(record, counts);
                }
            }
            complete = block.complete;
            self.offset = self.offset.saturating_add(block.bytes);
        }
        Ok(complete)
    }

    /// Reads all of the file once to decide what a single record cannot tell.
    fn decide(&mut self, file: &mut Content) -> io::Result<()> {
        let here = self.offset;
        let (mut buffer, mut frames) = (Vec::new(), Vec::new());
        self.offset = self.start;
        while self.offset < self.length {
            let block = self.block(file, &mut buffer, &mut frames)?;
            for frame in &frames {
                self.interpreter.survey(block.text.get(frame.start..frame.end).unwrap_or_default());
            }
            self.offset = self.offset.saturating_add(block.bytes);
        }
        self.offset = here;
        self.interpreter.decide();
        Ok(())
    }

    /// Reads the next chunk.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Progress> {
        let mut file = Content::open(&self.path, self.text.as_ref())?;
        if file.stat()?.is_some_and(|stat| stat != self.stat) {
            return Ok(Progress::Changed);
        }
        let mut frames = Vec::new();
        let from = self.offset;
        if self.offset < self.length {
            let block = self.block(&mut file, buffer, &mut frames)?;
            self.interpreter.surveyed = true;
            for frame in &frames {
                let record = block.text.get(frame.start..frame.end).unwrap_or_default();
                if self.interpreter.read(record, &mut self.tickets) == Step::Resync {
                    self.interpreter.read_lines(record, &mut self.tickets);
                }
                self.tickets.record = self.tickets.record.saturating_add(1);
            }
            self.offset = self.offset.saturating_add(block.bytes);
        }
        let bytes = self.offset.saturating_sub(from);
        if self.offset < self.length {
            return Ok(Progress::Part(Chunk { bytes, ..self.tickets.take() }));
        }
        let same = print_of(&mut file, self.length, buffer)? == self.print;
        if !same || file.stat()?.is_some_and(|stat| stat != self.stat) {
            return Ok(Progress::Changed);
        }
        let state = WholeState {
            v: VERSION,
            size: self.stat.size,
            modified: self.stat.modified,
            print: self.print.clone(),
            generation: self.before.generation.saturating_add(1),
            tickets: to_u64(self.tickets.keys.len()),
            seen_day: 0,
        };
        let coverage = self.coverage();
        Ok(Progress::Last(Chunk { bytes, coverage, ..self.tickets.finish() }, state))
    }

    fn coverage(&mut self) -> Option<Coverage> {
        let wanted = self.plan.pattern == Pattern::Export && self.plan.vanished == Vanished::Reverse;
        let (from, to) = self.tickets.span?;
        (wanted && !self.tickets.unsure).then(|| Coverage {
            origin: item_of(&self.path),
            from,
            to,
            keys: std::mem::take(&mut self.tickets.keys).into_iter().collect(),
        })
    }

    fn block<'a>(&self, file: &mut Content, buffer: &'a mut Vec<u8>, frames: &mut Vec<Frame>) -> io::Result<Text<'a>> {
        let mut length = BLOCK_BYTES;
        loop {
            read_at(file, self.offset, length, buffer)?;
            let at_end = self.offset.saturating_add(to_u64(buffer.len())) >= self.length || buffer.is_empty();
            let encoding = self.interpreter.encoding();
            let text = block::text(buffer, encoding);
            let tail = frame::frames(&text, 0, self.interpreter.framing(), RECORDS_MAX, frames);
            if frames.is_empty() && !at_end && length < BLOCK_BYTES.saturating_mul(4) {
                length = length.saturating_mul(2);
                continue;
            }
            let mut end = tail.start;
            let mut complete = true;
            if frames.len() < RECORDS_MAX && !tail.closed && (at_end || frames.is_empty()) {
                // The last record needs no terminator; a quote that never ends costs its own line only.
                complete = text
                    .get(end..)
                    .unwrap_or_default()
                    .trim_ascii()
                    .iter()
                    .all(|b| matches!(b, 0x1a | 0 | b']' | b','));
                let line_end = self.interpreter.facts.line_end.unwrap_or(LineEnd::Lf);
                let open = tail.open_quote.then(|| frame::line(&text, end, line_end)).flatten();
                let last = open.unwrap_or(Frame { start: end, end: text.len(), next: text.len() });
                let content = text.get(last.start..last.end).unwrap_or_default();
                if content.iter().any(|b| !matches!(b, 0 | 0x1a) && !b.is_ascii_whitespace()) {
                    frames.push(last);
                }
                end = last.next;
            }
            let consumed = to_u64(block::raw_bytes(text.get(..end).unwrap_or_default(), encoding));
            let rest = to_u64(buffer.len());
            // Trailing bytes that make no character are passed over at the end of the file.
            let bytes = if at_end && end >= text.len() { rest } else { consumed };
            let text = block::text(buffer, encoding);
            return Ok(Text {
                text,
                bytes: bytes.max(u64::from(at_end && frames.is_empty()).saturating_mul(rest.max(1))),
                complete,
            });
        }
    }
}

struct Text<'a> {
    text: std::borrow::Cow<'a, [u8]>,
    bytes: u64,
    complete: bool,
}

fn print_of(file: &mut Content, size: u64, buffer: &mut Vec<u8>) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut at = 0;
    while at < size {
        read_at(file, at, BLOCK_BYTES, buffer)?;
        if buffer.is_empty() {
            break;
        }
        hasher.update(&buffer);
        at = at.saturating_add(to_u64(buffer.len()));
    }
    Ok(finish(hasher))
}

fn key_hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Records by ticket; 64-bit hashes keep it small, and two tickets with one hash only wait for each other.
#[derive(Debug, Default)]
struct Counts(HashMap<u64, u32>);

impl Counts {
    fn add(&mut self, key: &str) {
        if !key.is_empty() {
            let count = self.0.entry(key_hash(key)).or_default();
            *count = count.saturating_add(1);
        }
    }
}

impl Sink for Counts {
    fn line(&mut self, head: Head<'_>, _: LineItem, _: Option<i64>) {
        self.add(head.key);
    }
    fn ticket(&mut self, head: Head<'_>, _: Vec<LineItem>) {
        self.add(head.key);
    }
    fn dropped(&mut self, key: &str, _: &str) {
        self.add(key);
    }
    fn faulty(&mut self, key: &str, _: String, _: String) {
        self.add(key);
    }
}

/// Tickets being put together.
#[derive(Debug)]
struct Tickets {
    path: PathBuf,
    segment: Segment,
    remaining: HashMap<u64, u32>,
    open: HashMap<String, Vec<(i64, LineItem, TransactionStatus)>>,
    heads: HashMap<String, Transaction>,
    keys: BTreeSet<String>,
    span: Option<(Timestamp, Timestamp)>,
    /// A transaction without time, or a record without key: what is covered cannot be told.
    unsure: bool,
    record: u64,
    chunk: Chunk,
    ignored: BTreeMap<String, u64>,
}

impl Tickets {
    fn new(path: &Path, generation: u64) -> Self {
        Self {
            path: path.to_path_buf(),
            segment: Segment::new(format!("{}#{generation}", item_of(path))),
            remaining: HashMap::new(),
            open: HashMap::new(),
            heads: HashMap::new(),
            keys: BTreeSet::new(),
            span: None,
            unsure: false,
            record: 0,
            chunk: Chunk::default(),
            ignored: BTreeMap::new(),
        }
    }

    fn add(&mut self, head: Head<'_>, lines: impl Iterator<Item = (i64, LineItem)>) {
        match head.sold_at {
            Some(at) => self.span = Some(self.span.map_or((at, at), |(from, to)| (from.min(at), to.max(at)))),
            None => self.unsure = true,
        }
        let known = self.heads.entry(head.key.to_owned()).or_insert_with(|| Transaction {
            key: TransactionKey::from(head.key),
            register: head.register.to_owned(),
            sold_at: head.sold_at,
            status: head.status,
            online_order: head.online_order.map(str::to_owned),
            extent: Extent::Whole,
            segment: self.segment.clone(),
            lines: Vec::new(),
        });
        known.sold_at = known.sold_at.or(head.sold_at);
        if known.online_order.is_none() {
            known.online_order = head.online_order.map(str::to_owned);
        }
        if head.status == TransactionStatus::Completed {
            known.status = head.status;
        }
        self.open
            .entry(head.key.to_owned())
            .or_default()
            .extend(lines.map(|(number, line)| (number, line, head.status)));
    }

    /// One record of a ticket was read; gives the ticket on after its last one.
    fn count_down(&mut self, key: &str) {
        if key.is_empty() {
            return;
        }
        if !self.keys.contains(key) {
            self.keys.insert(key.to_owned());
        }
        if let Some(left) = self.remaining.get_mut(&key_hash(key)) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.give(key);
            }
        }
    }

    fn give(&mut self, key: &str) {
        let Some(mut ticket) = self.heads.remove(key) else {
            return;
        };
        let mut lines = self.open.remove(key).unwrap_or_default();
        lines.sort_by_key(|(number, ..)| *number);
        let completed = ticket.status == TransactionStatus::Completed;
        ticket.lines = lines
            .into_iter()
            .map(|(_, mut line, status)| {
                // One cancelled line among completed ones.
                if completed && status != TransactionStatus::Completed {
                    line.ignored = line.ignored.or_else(|| Some("cancelled-line".into()));
                }
                line
            })
            .collect();
        self.chunk.transactions.push(ticket);
    }

    fn take(&mut self) -> Chunk {
        self.chunk.ignored = std::mem::take(&mut self.ignored).into_iter().collect();
        std::mem::take(&mut self.chunk)
    }

    fn finish(&mut self) -> Chunk {
        let mut left: Vec<String> = self.heads.keys().cloned().collect();
        left.sort();
        for key in left {
            self.give(&key);
        }
        self.take()
    }
}

impl Sink for Tickets {
    fn line(&mut self, head: Head<'_>, line: LineItem, number: Option<i64>) {
        self.add(head, std::iter::once((number.unwrap_or(0), line)));
        self.count_down(head.key);
    }

    fn ticket(&mut self, head: Head<'_>, lines: Vec<LineItem>) {
        self.add(head, lines.into_iter().map(|line| (0, line)));
        self.count_down(head.key);
    }

    fn dropped(&mut self, key: &str, rule: &str) {
        let count = self.ignored.entry(rule.to_owned()).or_default();
        *count = count.saturating_add(1);
        self.count_down(key);
    }

    fn faulty(&mut self, key: &str, reason: String, raw: String) {
        self.unsure |= key.is_empty();
        let at = format!("{} record {}", self.path.display(), self.record.saturating_add(1));
        self.chunk.quarantined.push(Quarantined { at, reason, raw, records: 1 });
        self.count_down(key);
    }
}
