//! One thread per source: poll, hand the chunk to the writer, go on reading while it is stored.
//!
//! The thread decides nothing: when a chunk could not be stored, the writer wakes the source with
//! [`Wake::Resume`] and takes no more chunks of the same *run* from it; the source goes back to the cursors in the
//! database and begins a new run. A stored chunk is not answered: nobody waits for it. When the source cannot be
//! read, the fault is shown and it is tried again.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use pos_adapters::{Chunk, Poll, PosSource};
use sync_core::model::Timestamp;

use crate::clock::Clock;
use crate::crash;
use crate::disk::Disk;
use crate::writer::{Command, Commands};

/// Chunks of one source that wait for the writer.
const CHUNKS_WAITING_MAX: usize = 2;
/// A source that seems to be read to its end is looked at again after this long; an event comes sooner.
const FOLLOW_UP: Duration = Duration::from_millis(100);
/// Delays after a source could not be read.
const FAULT_WAIT_FIRST: Duration = Duration::from_secs(1);
const FAULT_WAIT_MAX: Duration = Duration::from_secs(30);

/// Why a source should look.
#[derive(Debug)]
pub enum Wake {
    /// A file event named these.
    Changed(Vec<PathBuf>),
    /// Events were lost, or somebody asked: look at everything.
    Scan,
    /// The cursors in the database were changed: start from them.
    Resume,
    /// Say when everything that is at the POS now was read and handed to the writer.
    Settle(Sender<()>),
    /// End.
    Stop,
}

/// Somebody waits until everything of before was read.
struct Settling {
    /// A quiet look that begins after this is proof; known after the first quiet look.
    proof_after: Option<Timestamp>,
    reply: Sender<()>,
}

/// Bounds what waits for the writer.
#[derive(Debug, Default)]
pub struct Room {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A place in the [`Room`], free again when dropped.
#[derive(Debug)]
pub struct Place(Arc<Room>);

impl Room {
    fn enter(self: &Arc<Self>) -> Place {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= CHUNKS_WAITING_MAX {
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Place(Arc::clone(self))
    }
}

impl Place {
    /// A place in a room of its own, for who hands over one chunk at a time.
    pub fn alone() -> Self {
        Arc::<Room>::default().enter()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken -= 1;
        self.0.freed.notify_one();
    }
}

/// One source with its way to the writer.
pub struct SourceThread {
    /// Index among the sources.
    pub index: usize,
    /// The reader.
    pub source: Box<dyn PosSource>,
    /// What wakes it.
    pub wakes: Receiver<Wake>,
    /// Given to the writer with each run, to be told of a chunk that could not be stored.
    pub wake: Sender<Wake>,
    /// To the writer.
    pub commands: Commands,
    /// Time.
    pub clock: Arc<Clock>,
    /// Room on the disk.
    pub disk: Arc<Disk>,
}

enum Next {
    Look(Vec<PathBuf>),
    Resume,
    Stop,
}

impl SourceThread {
    /// Runs until [`Wake::Stop`] or until the writer has ended.
    pub fn run(mut self) {
        let mut run = 0_u64;
        let mut settling = Vec::new();
        loop {
            run += 1;
            let Some(cursors) = self.begin_run(run, &mut settling) else { return };
            self.source.resume(cursors);
            match self.run_once(run, &mut settling) {
                Next::Stop => return,
                Next::Resume | Next::Look(_) => {}
            }
        }
    }

    /// Reads until the run ends.
    fn run_once(&mut self, run: u64, settling: &mut Vec<Settling>) -> Next {
        let room = Arc::new(Room::default());
        let mut faults = 0_u32;
        let mut told = None;
        let mut changed = Vec::new();
        loop {
            if self.disk.is_short() {
                let hint = "free some disk space; the POS keeps its files, and reading goes on by itself";
                self.tell(
                    run,
                    &mut told,
                    Some((
                        "disk_nearly_full".to_owned(),
                        "the disk of the state folder is nearly full; reading pauses".to_owned(),
                        hint.to_owned(),
                    )),
                );
                match self.next(FAULT_WAIT_MAX, settling) {
                    Next::Look(mut paths) => changed.append(&mut paths),
                    ended @ (Next::Resume | Next::Stop) => return ended,
                }
                continue;
            }
            let began = self.clock.now();
            let wait = match self.source.poll(&changed, began) {
                Ok(Poll::Chunk(chunk)) => {
                    faults = 0;
                    let backlog = self.source.backlog_bytes();
                    if !self.hand_over(chunk, backlog, run, &room) {
                        return Next::Stop;
                    }
                    if backlog == Some(0) { FOLLOW_UP } else { Duration::ZERO }
                }
                Ok(Poll::Quiet { again_in }) => {
                    faults = 0;
                    self.tell(run, &mut told, None);
                    settled(settling, began, again_in)
                }
                Err(fault) => {
                    faults = faults.saturating_add(1);
                    tracing::warn!(
                        code = fault.code(),
                        hint = fault.hint(),
                        error = chain(&fault),
                        "Cannot read a source; it is tried again"
                    );
                    self.tell(run, &mut told, Some((fault.code().to_owned(), chain(&fault), fault.hint().to_owned())));
                    FAULT_WAIT_FIRST.saturating_mul(1 << faults.min(5)).min(FAULT_WAIT_MAX)
                }
            };
            match self.next(wait, settling) {
                // More of the same files follows: they stay named.
                Next::Look(mut paths) if wait.is_zero() => changed.append(&mut paths),
                Next::Look(paths) => changed = paths,
                ended @ (Next::Resume | Next::Stop) => return ended,
            }
        }
    }

    /// Sends a chunk to the writer; `false` if there is no writer any more.
    fn hand_over(&self, chunk: Chunk, backlog: Option<u64>, run: u64, room: &Arc<Room>) -> bool {
        if let Err(error) = crash::point("chunk_read") {
            tracing::warn!(%error, "Reading failed");
            let _ended = self.wake.send(Wake::Resume);
            return true;
        }
        let room = room.enter();
        self.commands.send(Command::Chunk { source: self.index, run, chunk, backlog, room }).is_ok()
    }

    /// Starts a run: what the database says of where the source stands.
    fn begin_run(&self, run: u64, settling: &mut Vec<Settling>) -> Option<Vec<(String, String)>> {
        loop {
            let (reply, answer) = sync_channel(1);
            let wake = self.wake.clone();
            self.commands.send(Command::BeginRun { source: self.index, run, wake, reply }).ok()?;
            match answer.recv() {
                Ok(Some(cursors)) => return Some(cursors),
                Ok(None) | Err(_) => match self.next(FAULT_WAIT_FIRST, settling) {
                    Next::Stop => return None,
                    Next::Look(_) | Next::Resume => {}
                },
            }
        }
    }

    /// Tells the board once per change.
    fn tell(&self, run: u64, told: &mut Option<Option<String>>, fault: Option<(String, String, String)>) {
        let state = fault.as_ref().map(|fault| fault.1.clone());
        if told.as_ref() == Some(&state) {
            return;
        }
        *told = Some(state);
        let backlog = self.source.backlog_bytes();
        if self.commands.send(Command::SourceState { source: self.index, run, backlog, fault }).is_err() {
            tracing::debug!("The writer has ended");
        }
    }

    /// Waits for something to do, and takes all wakes that have piled up.
    fn next(&self, wait: Duration, settling: &mut Vec<Settling>) -> Next {
        let mut paths = Vec::new();
        let mut scan = false;
        let mut first = if wait.is_zero() {
            self.wakes.try_recv().map_err(|e| match e {
                std::sync::mpsc::TryRecvError::Empty => RecvTimeoutError::Timeout,
                std::sync::mpsc::TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            })
        } else {
            self.wakes.recv_timeout(wait)
        };
        loop {
            match first {
                Ok(Wake::Changed(mut changed)) => paths.append(&mut changed),
                Ok(Wake::Scan) => scan = true,
                Ok(Wake::Settle(reply)) => {
                    scan = true;
                    settling.push(Settling { proof_after: None, reply });
                }
                Ok(Wake::Resume) => return Next::Resume,
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return Next::Stop,
                Err(RecvTimeoutError::Timeout) => break,
            }
            first = self.wakes.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
        paths.sort_unstable();
        paths.dedup();
        if scan { Next::Look(Vec::new()) } else { Next::Look(paths) }
    }
}

/// A quiet look proves that everything was read only if the source looked at all: it may say that it is too early to look.
/// One that begins when the first quiet one wanted to be asked again has looked. Returns when to look next.
fn settled(settling: &mut Vec<Settling>, began: Timestamp, again_in: Duration) -> Duration {
    if again_in.is_zero() {
        return again_in;
    }
    settling.retain_mut(|waiting| match waiting.proof_after {
        None => {
            waiting.proof_after = Some(began.plus(again_in));
            true
        }
        Some(after) if began >= after => {
            // Who no longer waits needs no answer.
            let _gone = waiting.reply.send(());
            false
        }
        Some(_) => true,
    });
    again_in
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
