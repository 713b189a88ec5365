//! One thread per source: poll, hand the chunk to the writer, go on reading while it is stored.
//!
//! The thread decides nothing: when a chunk could not be stored, the source goes back to the cursors in the
//! database; when the source cannot be read, the fault is shown and it is tried again.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use pos_adapters::{Chunk, Poll, PosSource};

use crate::clock::Clock;
use crate::crash;
use crate::writer::{Command, Commands};

/// Chunks of one source that wait for the writer.
const CHUNKS_WAITING_MAX: usize = 2;
/// Chunks of one source in a group that is not yet committed.
const CHUNKS_UNSTORED_MAX: usize = 64;
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
    /// End.
    Stop,
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
    /// To the writer.
    pub commands: Commands,
    /// Time.
    pub clock: Arc<Clock>,
}

enum Next {
    Look(Vec<PathBuf>),
    Resume,
    Stop,
}

impl SourceThread {
    /// Runs until [`Wake::Stop`] or until the writer has ended.
    pub fn run(mut self) {
        let mut faults = 0_u32;
        'resume: loop {
            let Some(cursors) = self.stored_cursors() else { return };
            self.source.resume(cursors);
            let room = Arc::new(Room::default());
            let mut unstored: VecDeque<Receiver<bool>> = VecDeque::new();
            let mut last_state = None;
            let mut changed = Vec::new();
            loop {
                match self.source.poll(&changed, self.clock.now()) {
                    Ok(Poll::Chunk(chunk)) => {
                        faults = 0;
                        last_state = None;
                        if !self.hand_over(chunk, &room, &mut unstored) {
                            return;
                        }
                        if !all_stored(&mut unstored, CHUNKS_UNSTORED_MAX) {
                            continue 'resume;
                        }
                        // The same paths again: a chunk is bounded, there may be more in them.
                        match self.next(Duration::ZERO) {
                            Next::Look(mut more) => changed.append(&mut more),
                            Next::Resume => continue 'resume,
                            Next::Stop => return,
                        }
                    }
                    Ok(Poll::Quiet { again_in }) => {
                        faults = 0;
                        self.tell(&mut last_state, None);
                        if !all_stored(&mut unstored, 0) {
                            continue 'resume;
                        }
                        match self.next(again_in) {
                            Next::Look(paths) => changed = paths,
                            Next::Resume => continue 'resume,
                            Next::Stop => return,
                        }
                    }
                    Err(fault) => {
                        faults = faults.saturating_add(1);
                        tracing::warn!(code = fault.code(), hint = fault.hint(), error = &fault as &dyn std::error::Error, "Cannot read a source; it is tried again");
                        let fault = (fault.code().to_owned(), chain(&fault), fault.hint().to_owned());
                        self.tell(&mut last_state, Some(fault));
                        if !all_stored(&mut unstored, 0) {
                            continue 'resume;
                        }
                        let wait = FAULT_WAIT_FIRST.saturating_mul(1 << faults.min(5)).min(FAULT_WAIT_MAX);
                        match self.next(wait) {
                            Next::Look(paths) => changed = paths,
                            Next::Resume => continue 'resume,
                            Next::Stop => return,
                        }
                    }
                }
            }
        }
    }

    /// Sends a chunk to the writer; `false` if there is no writer any more.
    fn hand_over(&self, chunk: Chunk, room: &Arc<Room>, unstored: &mut VecDeque<Receiver<bool>>) -> bool {
        if let Err(error) = crash::point("chunk_read") {
            tracing::warn!(%error, "Reading failed");
        }
        let more = self.source.backlog_bytes().is_some_and(|bytes| bytes > 0);
        let (stored, answer) = sync_channel(1);
        unstored.push_back(answer);
        let room = room.enter();
        self.commands.send(Command::Chunk { source: self.index, chunk, more, room, stored }).is_ok()
    }

    fn stored_cursors(&self) -> Option<Vec<(String, String)>> {
        loop {
            let (reply, answer) = sync_channel(1);
            self.commands.send(Command::Cursors { source: self.index, reply }).ok()?;
            match answer.recv() {
                Ok(Some(cursors)) => return Some(cursors),
                Ok(None) | Err(_) => match self.next(FAULT_WAIT_FIRST) {
                    Next::Stop => return None,
                    Next::Look(_) | Next::Resume => {}
                },
            }
        }
    }

    fn tell(&self, last: &mut Option<(u64, Option<String>)>, fault: Option<(String, String, String)>) {
        let backlog = self.source.backlog_bytes();
        let state = (backlog.unwrap_or(0), fault.as_ref().map(|fault| fault.1.clone()));
        if last.as_ref() == Some(&state) {
            return;
        }
        *last = Some(state);
        if self.commands.send(Command::SourceState { source: self.index, backlog, fault }).is_err() {
            tracing::debug!("The writer has ended");
        }
    }

    /// Waits for something to do, and takes all wakes that have piled up.
    fn next(&self, wait: Duration) -> Next {
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

/// Takes the answers that are there, and waits until at most `most` are open. `false` if one chunk was not stored.
fn all_stored(unstored: &mut VecDeque<Receiver<bool>>, most: usize) -> bool {
    while let Some(answer) = unstored.front() {
        let stored = if unstored.len() > most { answer.recv().unwrap_or(false) } else {
            match answer.try_recv() {
                Ok(stored) => stored,
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => false,
            }
        };
        if !stored {
            return false;
        }
        unstored.pop_front();
    }
    true
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
