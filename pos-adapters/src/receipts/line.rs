//! What the threads of a line share: the way of its bytes to the store, its health, and the end of it all.
//!
//! A line's own threads only ever hand over through [`Tap::put`], which never waits: a slow or full disk loses bytes
//! of the store, counted and told, and never holds a byte on its way to the printer (invariant 10).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sync_core::model::Timestamp;

use super::store::{Arrival, Event, Limits, Writer};
use crate::Waker;

/// Events that wait for the store, each of at most a port's one look (4 KiB) or a socket's (16 KiB).
const EVENTS_WAITING_MAX: usize = 512;
/// Bytes that are written to the store at once.
const BATCH_BYTES: usize = 64 * 1024;
/// The store is put on the disk when the line has been quiet for this long ...
const SYNC_QUIET: Duration = Duration::from_millis(30);
/// ... and after this long in any case.
const SYNC_AT_LATEST: Duration = Duration::from_secs(1);
/// A store that could not be opened is tried again after this long.
const STORE_AGAIN: Duration = Duration::from_secs(1);
/// How often a recorder without work looks whether it should end or retry.
const IDLE: Duration = Duration::from_millis(500);

/// This machine's clock: when bytes arrived.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Told to all threads of a line at once.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    told: Condvar,
}

impl Stop {
    /// Ends the line.
    pub fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }

    /// Whether it ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, or until the end; `true` at the end.
    pub fn wait(&self, for_long: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        *self.told.wait_timeout_while(stopped, for_long, |stopped| !*stopped).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How a line is, as its threads last saw it.
#[derive(Debug, Default)]
pub struct Health(Mutex<Condition>);

/// See [`Health`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Why the port or printer cannot be used now: its name and what the system says.
    pub device: Option<(String, String)>,
    /// Why nothing can be stored now: the file and what the system says.
    pub store: Option<(PathBuf, String)>,
    /// What is wrong with the bytes: a wrong rate, and which to try.
    pub garbled: Option<String>,
    /// Times that the port or printer went away.
    pub unplugged: u64,
    /// Bytes with framing or parity errors.
    pub damaged_bytes: u64,
    /// Bytes that went to the printer and could not be stored.
    pub lost_bytes: u64,
}

impl Health {
    /// A copy.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.lock().clone()
    }

    /// The device works.
    pub fn device_up(&self) {
        self.lock().device = None;
    }

    /// The device cannot be used.
    pub fn device_down(&self, name: &str, why: &str) {
        self.lock().device = Some((name.to_owned(), why.to_owned()));
    }

    /// The device was there and went.
    pub fn unplugged(&self) {
        let mut condition = self.lock();
        condition.unplugged = condition.unplugged.saturating_add(1);
    }

    /// The bytes make no sense, or do again.
    pub fn garbled(&self, why: Option<String>) {
        self.lock().garbled = why;
    }

    /// Bytes came with errors.
    pub fn damaged(&self, bytes: u64) {
        let mut condition = self.lock();
        condition.damaged_bytes = condition.damaged_bytes.saturating_add(bytes);
    }

    fn store(&self, fault: Option<(PathBuf, String)>) {
        self.lock().store = fault;
    }

    fn lost(&self, bytes: u64) {
        let mut condition = self.lock();
        condition.lost_bytes = condition.lost_bytes.saturating_add(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Condition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes what passes on the line.
#[derive(Debug, Clone)]
pub struct Tap {
    events: SyncSender<Arrival>,
    /// Bytes that found no room, not yet told to the store.
    overflow: Arc<AtomicU64>,
}

impl Tap {
    /// Hands an event over; never waits. Without room its bytes are counted as lost.
    pub fn put(&self, event: Event) {
        let bytes = stream_bytes(&event);
        if self.events.try_send(Arrival { at: now(), event }).is_err() {
            // At least one, so that a lost mark leaves a trace as well.
            self.overflow.fetch_add(bytes.max(1), Ordering::Relaxed);
        }
    }
}

/// Stores what the tap takes, in a thread of its own.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    limits: Limits,
    events: Receiver<Arrival>,
    overflow: Arc<AtomicU64>,
    /// Stream bytes that were parsed and committed.
    parsed: Arc<AtomicU64>,
    health: Arc<Health>,
    writer: Option<Writer>,
    tried_at: Option<Instant>,
    /// Bytes lost since the last mark of it.
    lost: u64,
}

/// A recorder for `folder` and the tap that feeds it.
#[must_use]
pub fn recorder(folder: &Path, limits: Limits, parsed: Arc<AtomicU64>, health: Arc<Health>) -> (Tap, Recorder) {
    let (sender, events) = sync_channel(EVENTS_WAITING_MAX);
    let overflow = Arc::new(AtomicU64::new(0));
    let tap = Tap { events: sender, overflow: Arc::clone(&overflow) };
    let folder = folder.to_path_buf();
    let recorder = Recorder { folder, limits, events, overflow, parsed, health, writer: None, tried_at: None, lost: 0 };
    (tap, recorder)
}

impl Recorder {
    /// Stores until every tap is gone.
    pub fn run(mut self, waker: &Waker) {
        self.open();
        let mut dirty_since: Option<Instant> = None;
        loop {
            let wait = if dirty_since.is_some() { SYNC_QUIET } else { IDLE };
            match self.events.recv_timeout(wait) {
                Ok(first) => {
                    let batch = self.batch(first);
                    // While nothing can be stored or understood there is nothing to look at.
                    if self.record(batch) && self.health.lock().garbled.is_none() {
                        waker.wake();
                    }
                    let since = *dirty_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= SYNC_AT_LATEST {
                        self.sync();
                        dirty_since = None;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if dirty_since.take().is_some() {
                        self.sync();
                    } else if self.writer.is_none() {
                        self.open();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.sync();
                    return;
                }
            }
        }
    }

    fn batch(&self, first: Arrival) -> Vec<Arrival> {
        let mut bytes = event_bytes(&first.event);
        let mut batch = vec![first];
        while bytes < BATCH_BYTES
            && let Ok(next) = self.events.try_recv()
        {
            bytes = bytes.saturating_add(event_bytes(&next.event));
            batch.push(next);
        }
        batch
    }

    /// Stores a batch; `false` if it could not, or not all of it.
    fn record(&mut self, mut batch: Vec<Arrival>) -> bool {
        let overflow = self.overflow.swap(0, Ordering::Relaxed);
        self.lose(overflow);
        if self.writer.is_none() && self.tried_at.is_none_or(|at| at.elapsed() >= STORE_AGAIN) {
            self.open();
        }
        let bytes = batch.iter().map(|arrival| stream_bytes(&arrival.event)).fold(0, u64::saturating_add);
        let Some(writer) = &mut self.writer else {
            self.lose(bytes);
            return false;
        };
        if self.lost > 0 {
            let text = format!("{} bytes went to the printer and could not be stored", self.lost);
            batch.insert(0, Arrival { at: now(), event: Event::Damage(text) });
        }
        writer.parsed_to(self.parsed.load(Ordering::Acquire));
        let before = writer.end();
        match writer.append(&batch, now()) {
            Ok(()) => {
                self.lost = 0;
                self.health.store(None);
                true
            }
            Err(error) => {
                let stored = writer.end().saturating_sub(before);
                self.lose(bytes.saturating_sub(stored));
                self.health.store(Some((self.folder.clone(), error.to_string())));
                false
            }
        }
    }

    fn lose(&mut self, bytes: u64) {
        if bytes > 0 {
            self.lost = self.lost.saturating_add(bytes);
            self.health.lost(bytes);
        }
    }

    fn open(&mut self) {
        self.tried_at = Some(Instant::now());
        match Writer::open(&self.folder, self.limits, now()) {
            Ok(writer) => {
                self.writer = Some(writer);
                self.health.store(None);
            }
            Err(error) => self.health.store(Some((self.folder.clone(), error.to_string()))),
        }
    }

    fn sync(&mut self) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.sync()
        {
            self.health.store(Some((self.folder.clone(), error.to_string())));
        }
    }
}

fn event_bytes(event: &Event) -> usize {
    match event {
        Event::Data(bytes) | Event::Answer(bytes) => bytes.len(),
        Event::Damage(text) => text.len(),
        Event::End | Event::Away => 0,
    }
}

fn stream_bytes(event: &Event) -> u64 {
    match event {
        Event::Data(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        Event::Answer(_) | Event::Damage(_) | Event::End | Event::Away => 0,
    }
}
