//! What the writer is told, and what it hands to the network.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender};

use pos_adapters::Chunk;
use sync_core::model::{BatchId, IdempotencyKey, Sku, SkuId, Timestamp};
use sync_core::outbox::verdict::Answer;

use super::{admin, count, facts, orders, post, repair, values};
use crate::ingest::Wake;
use crate::platform::{CallFailure, Found, ProbeReport, ReadBack, Seen};

/// To the writer.
pub enum Command {
    /// A chunk of a source, with its cursors.
    Chunk {
        /// Index of the source.
        source: usize,
        /// The run of the source that read it; chunks of a run with a failed one are dropped.
        run: u64,
        /// What was read.
        chunk: Chunk,
        /// Unread bytes as far as known; more than zero: more follows at once.
        backlog: Option<u64>,
        /// Dropped when the chunk has been taken in.
        room: crate::ingest::Place,
    },
    /// A captured file is fed to a source again: recorded like a chunk, beside the run of its reader.
    Replay {
        /// Index of the source.
        source: usize,
        /// What was read, without cursors and coverage; its signal is told after the commit.
        chunk: Chunk,
    },
    /// A source begins to read from where the database says it stands.
    BeginRun {
        /// Index of the source.
        source: usize,
        /// Number of the run.
        run: u64,
        /// Told [`Wake::Resume`] if a chunk of the run cannot be stored.
        wake: Sender<Wake>,
        /// Where to answer: (item, state), or `None` while the database cannot be read.
        reply: SyncSender<Option<Vec<(String, String)>>>,
    },
    /// A source has nothing new, or cannot be read.
    SourceState {
        /// Index of the source.
        source: usize,
        /// The run of the source that says so.
        run: u64,
        /// Unread bytes as far as known.
        backlog: Option<u64>,
        /// What is wrong, if something is: code, message, hint.
        fault: Option<(String, String, String)>,
    },
    /// The answer to a sent batch.
    Answer {
        /// Index of the lane.
        lane: usize,
        /// Which batch.
        batch: BatchId,
        /// What the platform said.
        answer: Answer,
    },
    /// A look-up ended.
    LookedUp {
        /// Index of the lane.
        lane: usize,
        /// What was asked for.
        skus: Vec<SkuId>,
        /// What was found, in the same order.
        result: Result<Vec<Found>, CallFailure>,
    },
    /// A read-back ended.
    ReadBack {
        /// Index of the lane.
        lane: usize,
        /// For which batch.
        batch: BatchId,
        /// What was asked for.
        question: ReadBack,
        /// How the items stand, in the same order.
        result: Result<Vec<Seen>, CallFailure>,
    },
    /// Drift is to be repaired.
    Repair(repair::RepairRequest),
    /// What the ledger knows beside what is on its way.
    Facts(facts::FactsRequest),
    /// A step of a reconciliation is to be kept.
    Reconcile(facts::RunRequest),
    /// Movements that no ticket stands for.
    Post(post::PostRequest),
    /// A page of a platform's online orders.
    Orders(orders::OrdersRequest),
    /// Values of articles.
    Values(values::ValuesRequest),
    /// The probe of a paused lane ended.
    Probed {
        /// Index of the lane.
        lane: usize,
        /// What it said.
        result: Result<ProbeReport, CallFailure>,
    },
    /// Fold what lies beyond the retention into sums.
    Forget {
        /// Batches closed before this.
        before: Timestamp,
        /// Transactions sold before this; `None` while the clock is not trusted, or it is not due.
        horizon: Option<Timestamp>,
        /// Told how many after the commit; none if it failed.
        reply: SyncSender<u64>,
    },
    /// A count of stock, or a decision about one.
    Count(count::CountRequest),
    /// When a schedule was last due.
    Schedule(crate::schedule::store::ScheduleRequest),
    /// A person's action on the outbox or quarantine, from the command line.
    Admin(admin::Request),
    /// End after what is queued.
    Stop,
}

/// From the writer to the network.
#[derive(Debug)]
pub enum Work {
    /// Send frozen bytes.
    Send {
        /// Index of the lane.
        lane: usize,
        /// Which batch.
        batch: BatchId,
        /// Its key.
        key: IdempotencyKey,
        /// Its bytes.
        body: Arc<[u8]>,
    },
    /// Read the platform's numbers.
    ReadBack {
        /// Index of the lane.
        lane: usize,
        /// For which batch.
        batch: BatchId,
        /// Which items, and what was sent.
        question: ReadBack,
    },
    /// Look SKUs up.
    LookUp {
        /// Index of the lane.
        lane: usize,
        /// Which.
        skus: Vec<(SkuId, Sku)>,
    },
    /// Probe a paused lane.
    Probe {
        /// Index of the lane.
        lane: usize,
    },
}
