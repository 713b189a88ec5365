//! Housekeeping on its own thread: backups when due, forgetting of what is past its retention.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, SystemTime};

use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::db::{StateFolder, backup};
use crate::ingest::Wake;
use crate::writer::{Command, Commands};

const LOOK_EVERY: Duration = Duration::from_secs(15 * 60);
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// What the thread needs.
pub struct Upkeep {
    folder: StateFolder,
    every: Duration,
    keep: usize,
    history: Duration,
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
            clock,
            commands,
        }
    }

    /// Runs until [`Wake::Stop`].
    pub fn run(self, wakes: &Receiver<Wake>) {
        let mut wait = FIRST_LOOK;
        loop {
            match wakes.recv_timeout(wait) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Wake::Changed(_) | Wake::Scan | Wake::Resume) | Err(RecvTimeoutError::Timeout) => {}
            }
            wait = LOOK_EVERY;
            if self.is_backup_due() {
                self.back_up();
            }
            self.forget();
        }
    }

    fn is_backup_due(&self) -> bool {
        let newest = backup::list(&self.folder).into_iter().next().and_then(|path| path.metadata().ok()?.modified().ok());
        newest.is_none_or(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age >= self.every))
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

    /// Asks the writer to fold closed batches beyond the retention into sums.
    fn forget(&self) {
        let before = sync_core::model::Timestamp(self.clock.now().0.saturating_sub(i64::try_from(self.history.as_micros()).unwrap_or(i64::MAX)));
        let (reply, answer) = sync_channel(1);
        if self.commands.send(Command::Forget { before, reply }).is_ok()
            && let Ok(forgotten) = answer.recv()
            && forgotten > 0
        {
            tracing::info!(batches = forgotten, "Delivered batches past the retention were folded into sums");
        }
    }
}

/// The file name of a backup; names sort by time.
pub fn backup_name(stamp: &str) -> String {
    let digits: String = stamp.chars().filter(char::is_ascii_digit).take(14).collect();
    format!("tillsync-{digits}.db")
}
