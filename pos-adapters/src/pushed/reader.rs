//! The source as the agent sees it: what lies in the inbox becomes chunks, with those who wait for the commit.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sync_core::model::Timestamp;
use tokio::sync::oneshot;

use super::inbox::{Delivery, Inbox, Told};
use super::memory::{Known, Memory};
use super::plan::Plan;
use crate::{Chunk, Poll, PosSource, SourceError, StoredSignal, Waker};

/// Most requests of one chunk.
const DELIVERIES_MAX: usize = 64;
/// No more requests are added to a chunk that has so many transactions.
const TRANSACTIONS_ENOUGH: usize = 2000;
/// A look without being woken.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Sales that are posted to this agent.
#[derive(Debug)]
pub struct PushedSource {
    inbox: Arc<Inbox>,
    memory: Memory,
}

impl PushedSource {
    /// Opens nothing: the agent lends its listener to the inbox.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { inbox: Arc::new(Inbox::new(Arc::new(plan))), memory: Memory::default() }
    }

    /// Adds a request to a chunk.
    fn take_in(&mut self, delivery: Delivery, chunk: &mut Chunk, waiting: &mut Waiting) {
        chunk.bytes = chunk.bytes.saturating_add(u64::try_from(delivery.bytes).unwrap_or(u64::MAX));
        let empty = delivery.is_empty();
        if let Some(id) = &delivery.id {
            match self.memory.knows(&delivery.key, id, &delivery.digest) {
                // What it repeats may not be committed yet: its answer waits for the same commit, or a later one.
                Known::Same => return waiting.push((delivery.told, Told::Stored { repeated: true })),
                Known::Other => {
                    let _gone = delivery.told.send(Told::Conflict);
                    return;
                }
                Known::No if empty => {}
                Known::No => self.memory.remember(&delivery.key, id, &delivery.digest, &mut chunk.cursors),
            }
        }
        for revised in delivery.transactions {
            let old = revised.revision.is_some_and(|revision| {
                self.memory.is_old(revised.transaction.key.as_str(), revision, &mut chunk.cursors)
            });
            if old {
                chunk.ignored.push(("old revision of a ticket".to_owned(), 1));
            } else {
                chunk.transactions.push(revised.transaction);
            }
        }
        chunk.quarantined.extend(delivery.quarantined);
        chunk.ignored.extend(delivery.ignored);
        waiting.push((delivery.told, Told::Stored { repeated: false }));
    }
}

type Waiting = Vec<(oneshot::Sender<Told>, Told)>;

impl PosSource for PushedSource {
    fn watched(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn wake_with(&mut self, waker: Waker) {
        self.inbox.wake_with(waker);
    }

    fn inbox(&self) -> Option<Arc<Inbox>> {
        Some(Arc::clone(&self.inbox))
    }

    fn poll(&mut self, _changed: &[PathBuf], _now: Timestamp) -> Result<Poll, SourceError> {
        let (mut chunk, mut waiting) = (Chunk::default(), Waiting::new());
        while waiting.len() < DELIVERIES_MAX && chunk.transactions.len() < TRANSACTIONS_ENOUGH {
            let Some(delivery) = self.inbox.take() else { break };
            self.take_in(delivery, &mut chunk, &mut waiting);
        }
        if !waiting.is_empty() {
            chunk.stored = Some(signal(waiting));
            return Ok(Poll::Chunk(chunk));
        }
        match self.inbox.fault() {
            Some(fault) => Err(SourceError::ListenerUnavailable {
                source_name: self.inbox.plan().name.clone(),
                address: self.inbox.plan().listen.to_string(),
                cause: fault.into(),
            }),
            None => Ok(Poll::Quiet { again_in: LOOK_AGAIN }),
        }
    }

    fn resume(&mut self, cursors: Vec<(String, String)>) {
        self.memory = Memory::load(cursors);
    }

    fn backlog_bytes(&self) -> Option<u64> {
        u64::try_from(self.inbox.bytes()).ok()
    }
}

/// Tells all of them, once.
fn signal(waiting: Waiting) -> StoredSignal {
    let waiting = Mutex::new(waiting);
    StoredSignal::new(move || {
        let waiting = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for (sender, told) in waiting {
            // Who does not wait any more asks again and gets the same answer.
            let _gone = sender.send(told);
        }
    })
}

#[cfg(test)]
mod tests;
