//! Feeds a captured file to a source of the running agent once more: what the ledger knows gives nothing, what it does
//! not know is booked.
//!
//! The file is read with the source's own settings beside its live reader. Its chunks carry no cursors and say nothing of
//! what has vanished, so the live reader's place and other tickets stay as they are.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pos_adapters::{Chunk, Poll, StoredSignal};
use sync_core::model::Timestamp;

use crate::clock::Clock;
use crate::config::Config;
use crate::connect;
use crate::writer::{Command, Commands};

/// Longest that one chunk may wait for its commit.
const STORED_WAIT: Duration = Duration::from_secs(60);
/// Looks without anything new after which the file is at its end.
const QUIET_LOOKS: u32 = 3;
/// The clock of each such look is ahead by so much more: a captured file needs no settling.
const LOOK_AHEAD_MICROS: i64 = 900_000_000;

/// Reads `path` as the source of this name reads its files, and waits until everything is stored.
///
/// # Errors
/// In plain words: there is no such source, it reads no files, the file cannot be read, or it could not be stored.
pub fn replay(config: &Config, clock: &Clock, commands: &Commands, name: &str, path: &Path) -> Result<String, String> {
    let found = config.sources.iter().enumerate().find(|(_, source)| source.name() == name);
    let (index, settings) = found.ok_or_else(|| format!("there is no source `{name}`"))?;
    let settings = settings.reading(path)?;
    let mut reader = connect::source(&settings, config).map_err(|error| format!("{error:#}"))?;
    reader.resume(Vec::new());
    let (mut now, mut quiet) = (clock.now(), 0);
    let (mut transactions, mut lines, mut quarantined) = (0_u64, 0_u64, 0_u64);
    while quiet < QUIET_LOOKS {
        match reader.poll(&[], now).map_err(|fault| crate::ingest::chain(&fault))? {
            Poll::Chunk(chunk) => {
                quiet = 0;
                transactions += u64::try_from(chunk.transactions.len()).unwrap_or(0);
                lines +=
                    chunk.transactions.iter().map(|read| u64::try_from(read.lines.len()).unwrap_or(0)).sum::<u64>();
                quarantined += chunk.quarantined.iter().map(|row| u64::from(row.records)).sum::<u64>();
                store(index, chunk, commands)?;
            }
            Poll::Quiet { .. } => {
                quiet += 1;
                now = Timestamp(now.0.saturating_add(LOOK_AHEAD_MICROS));
            }
        }
    }
    Ok(format!(
        "{transactions} transactions with {lines} lines read again, {quarantined} records cannot be read; what was known moved nothing"
    ))
}

fn store(source: usize, mut chunk: Chunk, commands: &Commands) -> Result<(), String> {
    chunk.cursors.clear();
    chunk.coverage = None;
    let (told, stored) = channel();
    let told = std::sync::Mutex::new(told);
    chunk.stored = Some(StoredSignal::new(move || {
        // Nobody waits any more if the request was given up.
        let _given_up = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner).send(());
    }));
    commands.send(Command::Replay { source, chunk }).map_err(|_| "the agent is stopping".to_owned())?;
    stored.recv_timeout(STORED_WAIT).map_err(|error| match error {
        RecvTimeoutError::Timeout => "storing takes too long; try again later".to_owned(),
        RecvTimeoutError::Disconnected => {
            "it could not be stored; try again, what was stored moves nothing twice".to_owned()
        }
    })
}
