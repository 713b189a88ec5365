//! The store's article table, and the source that reads through it.
//!
//! [`ArticleSource`] wraps any reader: what it reads is resolved by [`sync_core::article`] before the ledger sees it. The
//! table is a file of the store (an export of the back office, a spreadsheet saved as CSV); it is read again when it
//! changes. While it cannot be read, the source waits: nothing is booked under a wrong article.
//!
//! A transaction whose code is blocked or unknown is set aside whole. It is not lost: the POS still has it, and
//! `tillsync quarantine retry` reads the source again after the table was mended. What was posted to us (kind `http`) has
//! to be posted again: its sender was told that it is stored.

mod parse;
pub mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sync_core::article::{ArticleTable, Collision, Kits, Resolved, resolve};
use sync_core::model::{Timestamp, Transaction};

use crate::file::scan::Stat;
use crate::file::scrub;
use crate::{Chunk, Poll, PosSource, Quarantined, SourceError, Waker};
pub use parse::TableFault;
pub use settings::ArticleSettings;

/// Largest table that is read.
pub const TABLE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Shortest time between two looks whether the table has changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What a look at the table found.
#[derive(Debug, Clone)]
pub struct TableReport {
    /// Rows with an article.
    pub articles: usize,
    /// Codes that mean several SKUs.
    pub collisions: Vec<Collision>,
    /// Rows that could not be read.
    pub faults: Vec<TableFault>,
}

/// Reads the table once, for `tillsync check`.
///
/// # Errors
/// Why the file cannot be read, in plain words.
pub fn inspect(settings: &ArticleSettings) -> Result<TableReport, String> {
    let bytes = read(Path::new(&settings.table)).map_err(|error| format!("`{}`: {error}", settings.table))?;
    let rules =
        settings.rules().map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let (rows, faults) = parse::articles(&bytes)?;
    let table = ArticleTable::new(rows, rules);
    Ok(TableReport { articles: table.len(), collisions: table.collisions(), faults })
}

/// Reads the table once, for resolving other things than sales.
///
/// # Errors
/// Why the file cannot be read, in plain words.
pub fn load(settings: &ArticleSettings) -> Result<ArticleTable, String> {
    let bytes = read(Path::new(&settings.table)).map_err(|error| format!("`{}`: {error}", settings.table))?;
    let (rows, _faults) = parse::articles(&bytes)?;
    Ok(ArticleTable::new(rows, settings.rules().unwrap_or_default()))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let length = std::fs::metadata(path)?.len();
    if length > TABLE_BYTES_MAX {
        return Err(std::io::Error::other(format!("{length} bytes are more than an article table has")));
    }
    std::fs::read(path)
}

/// A reader whose transactions name stocked SKUs.
pub struct ArticleSource {
    inner: Box<dyn PosSource>,
    settings: ArticleSettings,
    source_name: String,
    kits: Kits,
    table: Option<Arc<ArticleTable>>,
    seen: Option<Stat>,
    looked: Option<Timestamp>,
}

impl ArticleSource {
    /// Wraps a reader. `source_name` is the name of its `[[source]]`.
    #[must_use]
    pub fn new(inner: Box<dyn PosSource>, settings: ArticleSettings, source_name: &str) -> Self {
        let kits = if settings.kits_taken_apart_by.iter().any(|name| name == source_name) {
            Kits::TakenApart
        } else {
            Kits::TakeApart
        };
        Self { inner, settings, source_name: source_name.to_owned(), kits, table: None, seen: None, looked: None }
    }

    /// The table as it is now.
    fn table(&mut self, now: Timestamp) -> Result<Arc<ArticleTable>, SourceError> {
        let recent = self.looked.is_some_and(|at| now.since(at) < LOOK_EVERY && now >= at);
        if let (true, Some(table)) = (recent, &self.table) {
            return Ok(Arc::clone(table));
        }
        let path = PathBuf::from(&self.settings.table);
        let unreadable =
            |cause| SourceError::ArticleTable { source_name: self.source_name.clone(), path: path.clone(), cause };
        let stat = Stat::of(&std::fs::metadata(&path).map_err(|error| unreadable(error.into()))?);
        if let (Some(table), true) = (&self.table, self.seen == Some(stat)) {
            self.looked = Some(now);
            return Ok(Arc::clone(table));
        }
        let bytes = read(&path).map_err(|error| unreadable(error.into()))?;
        let (rows, _faults) = parse::articles(&bytes).map_err(|reason| unreadable(reason.into()))?;
        let rules = self.settings.rules().unwrap_or_default();
        let table = Arc::new(ArticleTable::new(rows, rules));
        self.table = Some(Arc::clone(&table));
        self.seen = Some(stat);
        self.looked = Some(now);
        Ok(table)
    }

    fn resolve(&self, chunk: &mut Chunk, table: &ArticleTable) {
        let read = std::mem::take(&mut chunk.transactions);
        for transaction in read {
            let (key, segment) = (transaction.key.to_string(), transaction.segment.to_string());
            let raw = written(&transaction);
            let records = u32::try_from(transaction.lines.len().max(1)).unwrap_or(u32::MAX);
            match resolve(transaction, table, self.kits) {
                Resolved::Transaction(resolved) => chunk.transactions.push(resolved),
                Resolved::Refused(reason) => {
                    let at = format!("{segment}, transaction {key}");
                    chunk.quarantined.push(Quarantined { at, reason, raw: scrub::raw(&raw), records });
                }
            }
        }
    }
}

/// A transaction as a person would look at it.
fn written(transaction: &Transaction) -> String {
    let lines: Vec<String> = transaction.lines.iter().map(|line| format!("{} {}", line.delta, line.sku)).collect();
    lines.join("\n")
}

impl PosSource for ArticleSource {
    fn watched(&self) -> Vec<PathBuf> {
        self.inner.watched()
    }

    fn wake_with(&mut self, waker: Waker) {
        self.inner.wake_with(waker);
    }

    fn inbox(&self) -> Option<Arc<crate::pushed::Inbox>> {
        self.inner.inbox()
    }

    fn poll(&mut self, changed: &[PathBuf], now: Timestamp) -> Result<Poll, SourceError> {
        // Before reading: what was read must not be lost because the table is away.
        let table = self.table(now)?;
        let mut poll = self.inner.poll(changed, now)?;
        if let Poll::Chunk(chunk) = &mut poll {
            self.resolve(chunk, &table);
        }
        Ok(poll)
    }

    fn resume(&mut self, cursors: Vec<(String, String)>) {
        self.inner.resume(cursors);
    }

    fn backlog_bytes(&self) -> Option<u64> {
        self.inner.backlog_bytes()
    }
}
