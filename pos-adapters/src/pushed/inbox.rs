//! What was posted and waits to be stored: bounded, between the listener's side and the reader's.
//!
//! A delivery whose answer nobody waits for any more is dropped: its sender was told to come again, or has gone, and
//! an old request must not be stored after a newer one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::model::Transaction;
use tokio::sync::oneshot;

use super::plan::Plan;
use crate::{Quarantined, Waker};

/// Most requests that wait.
const DELIVERIES_MAX: usize = 64;
/// Most bytes of them, as they came in.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// A snapshot, with what orders it among the snapshots of its ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revised {
    /// The ticket.
    pub transaction: Transaction,
    /// Grows with each change of the ticket, where the sender says.
    pub revision: Option<i64>,
}

/// How a delivery ended; a sender that is dropped instead has stored nothing for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Committed and on the disk.
    Stored {
        /// It was stored before, under the same id.
        repeated: bool,
    },
    /// The id was used before, for another body.
    Conflict,
}

/// One request that was let in.
#[derive(Debug)]
pub struct Delivery {
    /// Name of the key that signed.
    pub key: String,
    /// The sender's id of it, if it has one.
    pub id: Option<String>,
    /// Of the body, in hexadecimal.
    pub digest: String,
    /// Snapshots, in order.
    pub transactions: Vec<Revised>,
    /// What could not be read.
    pub quarantined: Vec<Quarantined>,
    /// What a named rule left out.
    pub ignored: Vec<(String, u64)>,
    /// Of the body.
    pub bytes: usize,
    /// Who waits.
    pub told: oneshot::Sender<Told>,
}

impl Delivery {
    /// There is nothing in it to be stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty() && self.quarantined.is_empty() && self.ignored.is_empty()
    }
}

/// There is no room for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Where deliveries wait.
#[derive(Debug)]
pub struct Inbox {
    plan: Arc<Plan>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Delivery>,
    bytes: usize,
    waker: Option<Waker>,
    fault: Option<String>,
}

impl Inbox {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self { plan, state: Mutex::default() }
    }

    /// The settings of the source.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a delivery down and wakes the reader.
    ///
    /// # Errors
    /// [`Full`]: the delivery is dropped, and the sender has to come again.
    pub fn put(&self, delivery: Delivery) -> Result<(), Full> {
        let waker = {
            let mut state = self.state();
            // One that is larger than all the room may wait alone.
            let full = state.bytes.saturating_add(delivery.bytes) > BYTES_MAX && !state.waiting.is_empty();
            if full || state.waiting.len() >= DELIVERIES_MAX {
                return Err(Full);
            }
            state.bytes = state.bytes.saturating_add(delivery.bytes);
            state.waiting.push_back(delivery);
            state.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// The next delivery that somebody waits for.
    pub(super) fn take(&self) -> Option<Delivery> {
        let mut state = self.state();
        while let Some(delivery) = state.waiting.pop_front() {
            state.bytes = state.bytes.saturating_sub(delivery.bytes);
            if !delivery.told.is_closed() {
                return Some(delivery);
            }
        }
        None
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.state().bytes
    }

    pub(super) fn wake_with(&self, waker: Waker) {
        self.state().waker = Some(waker);
    }

    /// Tells why the address cannot be listened on, or that it can.
    pub fn listening(&self, fault: Option<String>) {
        let waker = {
            let mut state = self.state();
            if state.fault == fault {
                return;
            }
            state.fault = fault;
            state.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn fault(&self) -> Option<String> {
        self.state().fault.clone()
    }
}
