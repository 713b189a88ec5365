//! Housekeeping on its own thread: backups when due, forgetting of what is past its retention.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, UNIX_EPOCH};

use sync_core::model::Timestamp;

use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::db::{StateFolder, backup};
use crate::ingest::Wake;
use crate::writer::{Command, Commands};

const LOOK_EVERY: Duration = Duration::from_secs(5 * 60);
const FIRST_LOOK: Duration = Duration::from_secs(60);
/// Between two portions of what is past its retention; the writer has sales to record in between.
const NEXT_PORTION: Duration = Duration::from_secs(1);
const FORGET_EVERY: Duration = Duration::from_secs(86_400);

/// What the thread needs.
pub struct Upkeep {
    folder: StateFolder,
    every: Duration,
    keep: usize,
    history: Duration,
    retention: Duration,
    clock: Arc<Clock>,
    commands: Commands,
}

impl Upkeep {
    /// From the configuration.
    pub fn new(config: &Config, folder: &StateFolder, clock: Arc<Clock>, commands: Commands) -> Self {
        Self {
            folder: StateFolder::shared(folder.path()),
            every: config.backup.every,
            keep: usize::try_from(config.backup.keep).unwrap_or(usize::MAX),
            history: Duration::from_secs(u64::from(config.state.batch_history_days) * 86_400),
            retention: Duration::from_secs(u64::from(config.state.retention_days) * 86_400),
            clock,
            commands,
        }
    }

    /// Runs until [`Wake::Stop`].
    pub fn run(self, wakes: &Receiver<Wake>) {
        let mut wait = FIRST_LOOK;
        let mut transactions = None;
        loop {
            match wakes.recv_timeout(wait) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Wake::Changed(_) | Wake::Scan | Wake::Resume | Wake::Settle(_)) | Err(RecvTimeoutError::Timeout) => {
                }
            }
            // Not between portions: a backup that cannot be made would be tried every second.
            if wait != NEXT_PORTION && self.is_backup_due() {
                self.back_up();
            }
            let forgotten = self.forget(&mut transactions);
            wait = if forgotten > 0 { NEXT_PORTION } else { LOOK_EVERY };
        }
    }

    fn is_backup_due(&self) -> bool {
        let newest =
            backup::list(&self.folder).into_iter().next().and_then(|path| path.metadata().ok()?.modified().ok());
        newest
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
            .is_none_or(|at| self.clock.now().since(Timestamp(0).plus(at)) >= self.every)
    }

    fn back_up(&self) {
        let target = self.folder.backups().join(backup_name(&rfc3339(self.clock.now())));
        match backup::copy(&self.folder.database(), &target, &mut |_, _| {}) {
            Ok(()) => {
                tracing::info!(path = %target.display(), "Backup made and checked");
                backup::prune(&self.folder, self.keep);
            }
            Err(fault) => {
                let error: &dyn std::error::Error = &fault;
                tracing::warn!(code = fault.code(), error, "No backup could be made; it is tried again");
            }
        }
    }

    /// Asks the writer to fold a portion of what lies beyond the retention into sums; transactions once a day. Returns how
    /// much there was.
    fn forget(&self, transactions: &mut Option<Timestamp>) -> u64 {
        let now = self.clock.now();
        let due = self.clock.is_trusted() && transactions.is_none_or(|last| now.since(last) >= FORGET_EVERY);
        let (reply, answer) = sync_channel(1);
        let horizon = due.then(|| before(now, self.retention));
        if self.commands.send(Command::Forget { before: before(now, self.history), horizon, reply }).is_err() {
            return 0;
        }
        let Ok(forgotten) = answer.recv() else { return 0 };
        if forgotten > 0 {
            tracing::info!(rows = forgotten, "Batches and transactions past the retention were folded into sums");
        } else if due {
            *transactions = Some(now);
        }
        forgotten
    }
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)))
}

/// The file name of a backup; names sort by time.
pub fn backup_name(stamp: &str) -> String {
    let digits: String = stamp.chars().filter(char::is_ascii_digit).take(14).collect();
    format!("tillsync-{digits}.db")
}
