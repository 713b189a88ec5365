//! Append-only files: what to read next of which file (IO), bounded, with the cursor that covers it (invariant 2).
//! Which file is which is decided in [`super::journals`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use sync_core::model::{Extent, LineItem, Segment, Timestamp, Transaction, TransactionKey};

use super::block::{self, Start};
use super::cursor::{JournalState, LastTicket, PRINT_BYTES, State, VERSION, print};
use super::frame::{self, Frame, LineEnd};
use super::interpret::{Head, Interpreter, STRAY_QUOTE, Sink, Step};
use super::plan::Plan;
use super::scan::Stat;
use super::scrub;
use crate::{Chunk, CursorUpdate, Quarantined};

/// Bytes read for one chunk.
pub(super) const BLOCK_BYTES: usize = 1024 * 1024;
/// Records of one chunk.
pub(super) const RECORDS_MAX: usize = 8192;
/// Longest record; one that is longer is set aside up to its first line break.
pub(super) const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// One file that is followed.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) item: String,
    pub(super) state: JournalState,
    /// As last seen in the folder; `None` until then.
    pub(super) seen: Option<Stat>,
    /// Kept between chunks of the same file.
    pub(super) interpreter: Option<Interpreter>,
    /// Where reading waits for more, and since when.
    pub(super) stuck: Option<(u64, Timestamp)>,
}

/// What reading a file once brought.
pub(super) enum Reading {
    Chunk(Box<Chunk>),
    /// Nothing to read now.
    Nothing,
    /// Something incomplete is there; look again after the settle time.
    Waiting,
    /// It is not the file that the cursor belongs to: find out which one it is.
    Changed,
}

impl Tracked {
    pub(super) fn new(item: String, state: JournalState) -> Self {
        Self { item, state, seen: None, interpreter: None, stuck: None }
    }

    /// Forgets the content: it is read again from its start, as another generation.
    pub(super) fn restart(&mut self) {
        let state = &mut self.state;
        *state = JournalState {
            v: VERSION,
            path: std::mem::take(&mut state.path),
            generation: state.generation.saturating_add(1),
            origin: std::mem::take(&mut state.origin),
            seen_day: state.seen_day,
            ..JournalState::default()
        };
        self.interpreter = None;
        self.stuck = None;
    }

    /// Whether an opened file has the content up to the offset that was read before.
    pub(super) fn recognises(&self, file: &mut File, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let state = &self.state;
        if state.offset == 0 {
            return Ok(true);
        }
        let tail = state.offset.min(to_u64(PRINT_BYTES));
        read_at(file, 0, to_usize(state.head_len), buffer)?;
        if to_u64(buffer.len()) != state.head_len || print(buffer) != state.head {
            return Ok(false);
        }
        read_at(file, state.offset.saturating_sub(tail), to_usize(tail), buffer)?;
        Ok(to_u64(buffer.len()) == tail && (tail == 0 || print(buffer) == state.tail))
    }
}

/// Reads up to `length` bytes from `from` on.
pub(super) fn read_at(file: &mut (impl Read + Seek), from: u64, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    file.seek(SeekFrom::Start(from))?;
    file.by_ref().take(to_u64(length)).read_to_end(buffer)?;
    Ok(())
}

pub(super) fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

pub(super) fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Reads the next chunk of a file. `elsewhere` are the last tickets of the other files, which a new file may continue.
pub(super) fn read(
    tracked: &mut Tracked,
    plan: &Arc<Plan>,
    elsewhere: &[LastTicket],
    buffer: &mut Vec<u8>,
    now: Timestamp,
) -> io::Result<Reading> {
    let mut file = File::open(&tracked.state.path)?;
    let stat = Stat::of(&file.metadata()?);
    let offset = tracked.state.offset;
    if stat.size < offset || (stat.id.is_some() && stat.id != tracked.state.id) {
        return Ok(Reading::Changed);
    }
    tracked.seen = Some(stat);
    if stat.size == offset {
        return Ok(Reading::Nothing);
    }
    let context = to_usize(offset.min(to_u64(PRINT_BYTES)));
    read_at(&mut file, offset.saturating_sub(to_u64(context)), context.saturating_add(BLOCK_BYTES), buffer)?;
    let before = buffer.get(..context).unwrap_or_default();
    if before.len() < context || (context > 0 && print(before) != tracked.state.tail) {
        return Ok(Reading::Changed);
    }
    let at_end = offset.saturating_add(to_u64(buffer.len().saturating_sub(context))) >= stat.size;
    let settled = tracked.stuck.is_some_and(|(at, since)| at == offset && now.since(since) >= plan.settle);
    let step = Block { plan, elsewhere, data: buffer.get(context..).unwrap_or_default(), at_end, settled };
    let Some(mut chunk) = step.read(tracked) else {
        if tracked.stuck.is_none_or(|(at, _)| at != offset) {
            tracked.stuck = Some((offset, now));
        }
        return Ok(if tracked.state.refused.is_some() { Reading::Nothing } else { Reading::Waiting });
    };
    tracked.stuck = None;
    let state = &mut tracked.state;
    let end = context.saturating_add(to_usize(state.offset.saturating_sub(offset)));
    let tail = end.min(PRINT_BYTES);
    state.tail = print(buffer.get(end.saturating_sub(tail)..end).unwrap_or_default());
    if state.head_len < to_u64(PRINT_BYTES) && state.head_len < state.offset {
        read_at(&mut file, 0, PRINT_BYTES.min(to_usize(state.offset)), buffer)?;
        state.head_len = to_u64(buffer.len());
        state.head = print(buffer);
    }
    state.v = VERSION;
    state.seen_day = now.0.div_euclid(86_400_000_000);
    chunk.bytes = state.offset.saturating_sub(offset);
    chunk.cursors.push(CursorUpdate {
        item: tracked.item.clone(),
        state: Some(State::Journal(Box::new(state.clone())).write()),
    });
    Ok(Reading::Chunk(Box::new(chunk)))
}

/// Bytes at hand, from the offset of the file on.
pub(super) struct Block<'a> {
    pub(super) plan: &'a Arc<Plan>,
    pub(super) elsewhere: &'a [LastTicket],
    pub(super) data: &'a [u8],
    /// Nothing follows in the file for now.
    pub(super) at_end: bool,
    /// It has looked like this for the settle time.
    pub(super) settled: bool,
}

impl Block<'_> {
    /// Reads what is complete and moves the state on; `None` if nothing is.
    pub(super) fn read(&self, tracked: &mut Tracked) -> Option<Chunk> {
        let mut interpreter = tracked
            .interpreter
            .take()
            .unwrap_or_else(|| Interpreter::new(Arc::clone(self.plan), tracked.state.facts.clone()));
        let chunk = self.read_with(&mut interpreter, &mut tracked.state);
        tracked.state.facts = interpreter.facts.clone();
        tracked.interpreter = Some(interpreter);
        chunk
    }

    fn read_with(&self, interpreter: &mut Interpreter, state: &mut JournalState) -> Option<Chunk> {
        let mut skip = 0;
        if state.offset == 0 {
            match self.start(interpreter, state) {
                Ok((bytes, records, lines)) => {
                    skip = bytes;
                    state.records = records;
                    state.lines = lines;
                    state.refused = None;
                }
                Err(refused) => return refused.map(|chunk| *chunk),
            }
        }
        let body = self.data.get(skip..).unwrap_or_default();
        let encoding = interpreter.encoding();
        let text = block::text(body, encoding);
        if interpreter.facts.line_end.is_none() {
            interpreter.facts.line_end = frame::line_end(&text);
        }
        let mut tickets = Tickets::new(state, self.elsewhere, self.plan.record_is_ticket());
        let end = self.records(interpreter, &text, &mut tickets);
        let consumed = skip.saturating_add(block::raw_bytes(text.get(..end).unwrap_or_default(), encoding));
        if consumed == 0 {
            return None;
        }
        let chunk = tickets.finish(state);
        state.lines =
            state.lines.saturating_add(count_lines(text.get(..end).unwrap_or_default(), interpreter.facts.line_end));
        state.offset = state.offset.saturating_add(to_u64(consumed));
        Some(chunk)
    }

    /// Bytes, records and lines before the data; or what to answer instead.
    fn start(
        &self,
        interpreter: &mut Interpreter,
        state: &mut JournalState,
    ) -> Result<(usize, u64, u64), Option<Box<Chunk>>> {
        let reason = match block::start(self.data, false, self.plan, interpreter) {
            Start::Ready { bytes, records } => {
                let lines = count_lines(
                    &block::text(self.data.get(..bytes).unwrap_or_default(), interpreter.encoding()),
                    interpreter.facts.line_end,
                );
                return Ok((bytes, to_u64(records), lines));
            }
            Start::Wait(reason)
                if self.settled
                    && self.data.iter().any(|b| *b != 0 && !b.is_ascii_whitespace())
                    && self.data.contains(&b'\n') =>
            {
                reason
            }
            Start::Wait(_) => return Err(None),
            Start::Refused(reason) => reason,
        };
        let sample = self.data.get(..self.data.len().min(PRINT_BYTES)).unwrap_or_default();
        let content = print(sample);
        if state.refused.as_ref() == Some(&content) {
            return Err(None);
        }
        state.refused = Some(content);
        Err(Some(Box::new(refused(&state.path.display().to_string(), &reason, self.data))))
    }

    /// Reads complete records; returns where in the text the next one starts.
    fn records(&self, interpreter: &mut Interpreter, text: &[u8], tickets: &mut Tickets<'_>) -> usize {
        let mut frames: Vec<Frame> = Vec::new();
        let mut start = 0;
        interpreter.surveyed = false;
        loop {
            let room = RECORDS_MAX.saturating_sub(tickets.records);
            let tail = frame::frames(text, start, interpreter.framing(), room, &mut frames);
            let full = frames.len() >= room;
            match self.frames(interpreter, text, &frames, tickets) {
                Stop::AtTail => start = tail.start,
                Stop::At(at) => return at,
                Stop::Resync(at) => {
                    start = self.set_line_aside(text, at, interpreter, tickets, STRAY_QUOTE);
                    continue;
                }
            }
            let rest = text.len().saturating_sub(start);
            let stray = tail.open_quote
                && (rest > RECORD_BYTES_MAX
                    || (self.at_end && self.settled && next_line_is_record(text, start, interpreter)));
            let endless = !full && start == 0 && rest >= BLOCK_BYTES.saturating_sub(HEADROOM) && !self.at_end;
            if (stray || endless) && !full {
                start = self.set_line_aside(
                    text,
                    start,
                    interpreter,
                    tickets,
                    "starts a quoted field that does not end, or is too long",
                );
                continue;
            }
            let more = full || !self.at_end;
            return if more { tickets.hold_back_last(start) } else { start };
        }
    }

    fn frames(&self, interpreter: &mut Interpreter, text: &[u8], frames: &[Frame], tickets: &mut Tickets<'_>) -> Stop {
        for (at, frame) in frames.iter().enumerate() {
            let record = text.get(frame.start..frame.end).unwrap_or_default();
            if memchr::memchr(0, record).is_some() && !self.settled {
                return Stop::At(frame.start);
            }
            tickets.at = frame.start;
            let mut step = interpreter.read(record, tickets);
            if step == Step::Undecided {
                interpreter.survey_block(text, frames.get(at..).unwrap_or_default());
                step = interpreter.read(record, tickets);
            }
            if step == Step::Resync {
                return Stop::Resync(frame.start);
            }
            tickets.records = tickets.records.saturating_add(1);
        }
        Stop::AtTail
    }

    /// Sets the physical line at `start` aside and returns where the next one starts.
    fn set_line_aside(
        &self,
        text: &[u8],
        start: usize,
        interpreter: &mut Interpreter,
        tickets: &mut Tickets<'_>,
        why: &str,
    ) -> usize {
        let end = interpreter.facts.line_end.unwrap_or(LineEnd::Lf);
        let whole = Frame { start, end: text.len(), next: text.len() };
        let line = frame::line(text, start, end).unwrap_or(whole);
        tickets.at = line.start;
        let raw = interpreter.text(text.get(line.start..line.end).unwrap_or_default());
        tickets.faulty("", why.to_owned(), scrub::raw(&raw));
        line.next
    }
}

/// A block may end within a character or a record's context.
const HEADROOM: usize = 4096;

enum Stop {
    AtTail,
    At(usize),
    Resync(usize),
}

/// What is kept of a file that is refused as a whole.
pub(super) fn refused(path: &str, reason: &str, data: &[u8]) -> Chunk {
    let sample = String::from_utf8_lossy(data.get(..data.len().min(PRINT_BYTES)).unwrap_or_default()).replace('\0', "");
    let lines = memchr::memchr_iter(b'\n', data).count().max(1);
    Chunk {
        quarantined: vec![Quarantined {
            at: path.to_owned(),
            reason: format!("the file {reason}"),
            raw: scrub::raw(&sample),
            records: u32::try_from(lines).unwrap_or(u32::MAX),
        }],
        ..Chunk::default()
    }
}

fn count_lines(text: &[u8], end: Option<LineEnd>) -> u64 {
    let terminator = if end == Some(LineEnd::Cr) { b'\r' } else { b'\n' };
    to_u64(memchr::memchr_iter(terminator, text).count())
}

/// Whether the line after the one at `start` is a good record by itself: then a quote before it is a stray one.
fn next_line_is_record(text: &[u8], start: usize, interpreter: &Interpreter) -> bool {
    let end = interpreter.facts.line_end.unwrap_or(LineEnd::Lf);
    let next = frame::line(text, start, end).and_then(|line| frame::line(text, line.next, end));
    let Some(next) = next else { return false };
    let mut probe = Probe(false);
    let mut interpreter = interpreter.clone();
    interpreter.surveyed = true;
    interpreter.read(text.get(next.start..next.end).unwrap_or_default(), &mut probe) == Step::Done && probe.0
}

struct Probe(bool);

impl Sink for Probe {
    fn line(&mut self, _: Head<'_>, _: LineItem, _: Option<i64>) {
        self.0 = true;
    }
    fn ticket(&mut self, _: Head<'_>, _: Vec<LineItem>) {
        self.0 = true;
    }
    fn dropped(&mut self, _: &str, _: &str) {}
    fn faulty(&mut self, _: &str, _: String, _: String) {}
}

/// Gathers neighbouring lines of one ticket.
struct Tickets<'a> {
    path: PathBuf,
    segment: Segment,
    carry: Option<LastTicket>,
    may_carry: bool,
    elsewhere: &'a [LastTicket],
    whole: bool,
    chunk: Chunk,
    ignored: BTreeMap<String, u64>,
    records: usize,
    lines_before: u64,
    /// Where the record at hand starts.
    at: usize,
    /// Where the last ticket of the chunk started, with what had been gathered by then.
    run: Option<Run>,
}

struct Run {
    at: usize,
    quarantined: usize,
    ignored: BTreeMap<String, u64>,
    records: usize,
    carry: Option<LastTicket>,
    may_carry: bool,
}

impl<'a> Tickets<'a> {
    fn new(state: &JournalState, elsewhere: &'a [LastTicket], whole: bool) -> Self {
        Self {
            path: state.path.clone(),
            segment: Segment::new(format!("{}#{}", state.origin, state.generation)),
            carry: state.carry.clone(),
            may_carry: state.may_carry,
            elsewhere,
            whole,
            chunk: Chunk::default(),
            ignored: BTreeMap::new(),
            records: 0,
            lines_before: state.lines,
            at: 0,
            run: None,
        }
    }

    fn segment_of(&mut self, key: &str) -> Segment {
        if std::mem::take(&mut self.may_carry) {
            self.carry = self.elsewhere.iter().find(|last| last.key == key).cloned();
        }
        match &self.carry {
            Some(carry) if carry.key == key => Segment::new(carry.segment.clone()),
            Some(_) => {
                self.carry = None;
                self.segment.clone()
            }
            None => self.segment.clone(),
        }
    }

    fn push(&mut self, head: Head<'_>, lines: Vec<LineItem>) {
        self.run = Some(Run {
            at: self.at,
            quarantined: self.chunk.quarantined.len(),
            ignored: if self.ignored.is_empty() { BTreeMap::new() } else { self.ignored.clone() },
            records: self.records,
            carry: self.carry.clone(),
            may_carry: self.may_carry,
        });
        let segment = self.segment_of(head.key);
        self.chunk.transactions.push(Transaction {
            key: TransactionKey::from(head.key),
            register: head.register.to_owned(),
            sold_at: head.sold_at,
            status: head.status,
            online_order: head.online_order.map(str::to_owned),
            extent: if self.whole { Extent::Whole } else { Extent::Extends },
            segment,
            lines,
        });
    }

    /// More of the last ticket may follow in the bytes beyond `end`: leaves it for the next chunk, unless it is all there is.
    fn hold_back_last(&mut self, end: usize) -> usize {
        if self.whole || self.chunk.transactions.len() < 2 {
            return end;
        }
        let Some(run) = self.run.take() else {
            return end;
        };
        self.chunk.transactions.pop();
        self.chunk.quarantined.truncate(run.quarantined);
        self.ignored = run.ignored;
        self.records = run.records;
        self.carry = run.carry;
        self.may_carry = run.may_carry;
        run.at
    }

    fn finish(mut self, state: &mut JournalState) -> Chunk {
        if let Some(last) = self.chunk.transactions.last() {
            state.last =
                Some(LastTicket { key: last.key.as_str().to_owned(), segment: last.segment.as_str().to_owned() });
        }
        state.carry = self.carry;
        state.may_carry = self.may_carry;
        state.records = state.records.saturating_add(to_u64(self.records));
        self.chunk.ignored = self.ignored.into_iter().collect();
        self.chunk
    }
}

impl Sink for Tickets<'_> {
    fn line(&mut self, head: Head<'_>, line: LineItem, _: Option<i64>) {
        if self.run.is_some()
            && let Some(last) = self.chunk.transactions.last_mut()
            && last.key.as_str() == head.key
            && last.status == head.status
        {
            last.lines.push(line);
            last.sold_at = last.sold_at.or(head.sold_at);
            return;
        }
        self.push(head, vec![line]);
    }

    fn ticket(&mut self, head: Head<'_>, lines: Vec<LineItem>) {
        self.push(head, lines);
    }

    fn dropped(&mut self, _: &str, rule: &str) {
        let count = self.ignored.entry(rule.to_owned()).or_default();
        *count = count.saturating_add(1);
        if rule == "repeated-header" {
            // Records before it have another layout and cannot be read again with the new one.
            self.run = None;
        }
    }

    fn faulty(&mut self, _: &str, reason: String, raw: String) {
        let record = self.lines_before.saturating_add(to_u64(self.records)).saturating_add(1);
        let at = format!("{} line {record}", self.path.display());
        self.chunk.quarantined.push(Quarantined { at, reason, raw, records: 1 });
    }
}
