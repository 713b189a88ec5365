//! The source as the agent sees it: a line with its threads and store, or captured files; settings in, chunks out.
//!
//! The threads of a line start with [`PosSource::wake_with`], which only the running agent calls. Without it (`check`,
//! `preview`) what was captured so far is read, and neither port nor printer is touched.

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sync_core::model::Timestamp;

use super::files::Files;
use super::interpret::Interpreter;
use super::line::{self, Condition, Health, Stop};
use super::listen::RateEar;
use super::plan::{Input, Plan};
use super::serial::{self, Shared};
use super::store::{Event, Reader};
use crate::{Chunk, CursorUpdate, Poll, PosSource, Quarantined, SourceError, StoredSignal, Waker};

/// Most transactions and unreadable records in one chunk, roughly.
const CHUNK_RECORDS: usize = 500;
/// Bytes of the line after which a chunk ends, and a cursor is stored even if nothing came of them.
const CHUNK_BYTES: u64 = 256 * 1024;
/// Longest time between two looks at a line whose threads wake us.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// A line that failed is begun anew after this long.
const LINE_AGAIN: Duration = Duration::from_millis(100);
/// The item under which a line's cursor is stored.
const LINE: &str = "line";

/// Sales that a POS prints.
#[derive(Debug)]
pub struct ReceiptSource {
    plan: Arc<Plan>,
    from: From,
}

#[derive(Debug)]
enum From {
    Line(Box<LineReader>),
    Files(Box<Files>),
}

impl ReceiptSource {
    pub(super) fn new(plan: Plan) -> Self {
        let plan = Arc::new(plan);
        let from = match &plan.input {
            Input::Files(pattern) if pattern.below.is_empty() && holds_a_capture(&pattern.fixed) => {
                From::Line(Box::new(LineReader::new(&plan, pattern.fixed.clone())))
            }
            Input::Files(pattern) => From::Files(Box::new(Files::new(&plan, pattern.clone()))),
            Input::Listen { .. } | Input::PassThrough { .. } | Input::Tcp(_) => {
                From::Line(Box::new(LineReader::new(&plan, plan.folder.clone())))
            }
        };
        Self { plan, from }
    }
}

fn holds_a_capture(folder: &std::path::Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("line-") && name.ends_with(".raw")
    })
}

impl PosSource for ReceiptSource {
    fn watched(&self) -> Vec<PathBuf> {
        match &self.from {
            From::Line(_) => Vec::new(),
            From::Files(files) => files.watched(),
        }
    }

    fn wake_with(&mut self, waker: Waker) {
        match &mut self.from {
            From::Line(line) => line.start(&waker),
            From::Files(_) => drop(waker),
        }
    }

    fn poll(&mut self, _changed: &[PathBuf], now: Timestamp) -> Result<Poll, SourceError> {
        match &mut self.from {
            From::Line(line) => line.poll(now),
            From::Files(files) => files.poll(now),
        }
    }

    fn resume(&mut self, cursors: Vec<(String, String)>) {
        match &mut self.from {
            From::Line(line) => line.resume(&cursors),
            From::Files(files) => files.resume(cursors),
        }
    }

    fn backlog_bytes(&self) -> Option<u64> {
        match &self.from {
            From::Line(line) => line.reader.as_ref().map(Reader::unread_bytes).or(Some(0)),
            From::Files(files) => Some(files.backlog_bytes()),
        }
    }
}

impl ReceiptSource {
    /// How the line is, as its threads last saw it; `None` for files.
    #[must_use]
    pub fn condition(&self) -> Option<Condition> {
        match &self.from {
            From::Line(line) => Some(line.health.condition()),
            From::Files(_) => None,
        }
    }

    /// Name of the source.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }
}

/// Where a line's reading stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Place {
    /// Which life of the store.
    epoch: u64,
    /// The stream byte to go on from: the end of a receipt.
    at: u64,
    /// State of the ticket reader there.
    tickets: String,
}

#[derive(Debug)]
struct LineReader {
    plan: Arc<Plan>,
    folder: PathBuf,
    place: Option<Place>,
    reader: Option<Reader>,
    interpreter: Option<Interpreter>,
    /// Stream byte of the last cursor that was handed out.
    told: u64,
    health: Arc<Health>,
    stop: Arc<Stop>,
    /// Stream bytes before this one are parsed and committed.
    parsed: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl LineReader {
    fn new(plan: &Arc<Plan>, folder: PathBuf) -> Self {
        Self {
            plan: Arc::clone(plan),
            folder,
            place: None,
            reader: None,
            interpreter: None,
            told: 0,
            health: Arc::new(Health::default()),
            stop: Arc::new(Stop::default()),
            parsed: Arc::new(AtomicU64::new(0)),
            threads: Vec::new(),
        }
    }

    /// Starts the threads of the line.
    fn start(&mut self, waker: &Waker) {
        if !self.threads.is_empty() || matches!(self.plan.input, Input::Files(_)) {
            return;
        }
        let (tap, recorder) =
            line::recorder(&self.folder, self.plan.limits, Arc::clone(&self.parsed), Arc::clone(&self.health));
        let shared = Shared { tap, health: Arc::clone(&self.health), stop: Arc::clone(&self.stop) };
        let waker = waker.clone();
        self.spawn("line-store", move || recorder.run(&waker));
        let input = self.plan.input.clone();
        self.spawn("line", move || run_line(&input, &shared));
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) {
        match std::thread::Builder::new().name(name.to_owned()).spawn(run) {
            Ok(thread) => self.threads.push(thread),
            Err(error) => self.health.device_down(name, &error.to_string()),
        }
    }

    fn resume(&mut self, cursors: &[(String, String)]) {
        let stored = cursors.iter().find(|(item, _)| item == LINE).map(|(_, state)| state);
        self.place = stored.and_then(|state| serde_json::from_str(state).ok());
        self.reader = None;
        self.interpreter = None;
        self.told = 0;
    }

    fn poll(&mut self, now: Timestamp) -> Result<Poll, SourceError> {
        let mut chunk = Chunk::default();
        self.open(now, &mut chunk).map_err(|cause| self.own_file(cause))?;
        self.read(now, &mut chunk).map_err(|cause| self.own_file(cause))?;
        if self.is_worth_telling(&chunk) {
            return self.hand_over(chunk).map(Poll::Chunk).map_err(|cause| self.own_file(cause));
        }
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let silent_in = self.interpreter.as_ref().and_then(|interpreter| interpreter.silent_in(now));
        Ok(Poll::Quiet { again_in: silent_in.map_or(LOOK_AGAIN, |silent| silent.min(LOOK_AGAIN)) })
    }

    /// Opens the store where the cursor stands, once there is one.
    fn open(&mut self, now: Timestamp, chunk: &mut Chunk) -> io::Result<()> {
        if self.reader.is_some() {
            return Ok(());
        }
        let from = self.place.as_ref().map(|place| (place.epoch, place.at));
        let mut reader = Reader::open(&self.folder, from)?;
        let Some(epoch) = reader.epoch() else { return Ok(()) };
        let state = self.place.as_ref().filter(|place| place.epoch == epoch).map(|place| place.tickets.as_str());
        let missing = reader.take_missing();
        if missing > 0 && self.place.as_ref().is_some_and(|place| place.epoch == epoch) {
            chunk.quarantined.push(Quarantined {
                at: format!("{} byte {}", self.plan.name, reader.stream().saturating_sub(missing)),
                reason: format!(
                    "{missing} captured bytes are gone that were not read yet: compare the sales of that time by hand"
                ),
                raw: String::new(),
                records: 1,
            });
        }
        tracing::debug!(source = self.plan.name, at = reader.stream(), ?now, "Reading a captured line");
        self.told = reader.stream();
        self.parsed.fetch_max(reader.stream(), Ordering::AcqRel);
        self.interpreter = Some(Interpreter::new(&self.plan, &self.plan.name, reader.stream(), state));
        self.reader = Some(reader);
        Ok(())
    }

    fn read(&mut self, now: Timestamp, chunk: &mut Chunk) -> io::Result<()> {
        let (Some(reader), Some(interpreter)) = (&mut self.reader, &mut self.interpreter) else { return Ok(()) };
        let start = reader.stream();
        while chunk.transactions.len().saturating_add(chunk.quarantined.len()) < CHUNK_RECORDS
            && reader.stream().saturating_sub(start) < CHUNK_BYTES
        {
            let Some(arrival) = reader.next_event()? else {
                interpreter.quiet(now, chunk);
                break;
            };
            interpreter.take(&arrival, chunk);
            if let Event::Data(bytes) = &arrival.event {
                chunk.bytes = chunk.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
            }
        }
        Ok(())
    }

    fn is_worth_telling(&self, chunk: &Chunk) -> bool {
        let boundary = self.interpreter.as_ref().map_or(0, Interpreter::boundary);
        !chunk.transactions.is_empty()
            || !chunk.quarantined.is_empty()
            || !chunk.ignored.is_empty()
            || boundary.saturating_sub(self.told) >= CHUNK_BYTES
    }

    /// Adds the cursor. The bytes that it covers are on the disk before it is.
    fn hand_over(&mut self, mut chunk: Chunk) -> io::Result<Chunk> {
        let (Some(reader), Some(interpreter)) = (&self.reader, &self.interpreter) else { return Ok(chunk) };
        reader.sync()?;
        let at = interpreter.boundary();
        let place = Place { epoch: reader.epoch().unwrap_or_default(), at, tickets: interpreter.state() };
        let state = serde_json::to_string(&place).map_err(io::Error::other)?;
        chunk.cursors.push(CursorUpdate { item: LINE.to_owned(), state: Some(state) });
        let parsed = Arc::clone(&self.parsed);
        chunk.stored = Some(StoredSignal::new(move || {
            parsed.fetch_max(at, Ordering::AcqRel);
        }));
        self.told = at;
        Ok(chunk)
    }

    fn fault(&self) -> Option<SourceError> {
        let condition = self.health.condition();
        let source_name = self.plan.name.clone();
        if let Some((path, why)) = condition.store {
            return Some(SourceError::OwnFile { source_name, path, cause: io::Error::other(why) });
        }
        if let Some((device, why)) = condition.device {
            return Some(SourceError::DeviceUnreachable { source_name, device, cause: why.into() });
        }
        condition.garbled.map(|why| SourceError::LineUnreadable { source_name, cause: why.into() })
    }

    fn own_file(&self, cause: io::Error) -> SourceError {
        SourceError::OwnFile { source_name: self.plan.name.clone(), path: self.folder.clone(), cause }
    }
}

/// Keeps the line going whatever happens in it: a till that prints through us must go on printing.
fn run_line(input: &Input, shared: &Shared) {
    let once = || match input {
        Input::Listen { opener, tries_rates } => {
            serial::listen(opener, &mut RateEar::new(opener.framing, *tries_rates), shared);
        }
        Input::PassThrough { pos, printer, flow } => serial::pass_through(pos, printer, *flow, shared),
        Input::Tcp(proxy) => proxy.run(shared),
        Input::Files(_) => {}
    };
    while std::panic::catch_unwind(AssertUnwindSafe(once)).is_err() {
        tracing::error!("A printer's line failed in a way that it should not; it is begun anew");
        if shared.stop.wait(LINE_AGAIN) {
            return;
        }
    }
}

impl Drop for LineReader {
    fn drop(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(source = self.plan.name, "A thread of a printer's line ended before its time");
            }
        }
    }
}
