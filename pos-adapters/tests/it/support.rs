//! A folder with a source on it, and a ledger in small that folds what the source reads.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use pos_adapters::file::{FileSettings, FileSource};
use pos_adapters::{Chunk, Coverage, Poll, PosSource, Quarantined, SourceError};
use sync_core::model::{Extent, Timestamp, Transaction, TransactionStatus};

/// Columns `t`, `sku`, `qty`; JSON settings are easier to vary than TOML.
pub(crate) const PLAIN: &str = r#""columns": {"transaction": "t", "sku": "sku", "quantity": "qty"}"#;

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) source: FileSource,
    settings: String,
    pub(crate) now: Timestamp,
    pub(crate) tickets: BTreeMap<String, Ticket>,
    pub(crate) quarantined: Vec<Quarantined>,
    pub(crate) ignored: BTreeMap<String, u64>,
    pub(crate) coverage: Vec<Coverage>,
    pub(crate) cursors: BTreeMap<String, String>,
    pub(crate) sold_at: BTreeMap<String, Option<i64>>,
    /// Lines given by the source since the last look, replays included.
    pub(crate) lines_read: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticket {
    pub(crate) segment: String,
    pub(crate) status: TransactionStatus,
    pub(crate) lines: Vec<String>,
}

impl Bench {
    /// `path` is relative to the folder; `rest` are further JSON members.
    pub(crate) fn new(path: &str, rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join(path);
        let settings = format!(r#"{{"name": "till", "kind": "file", "path": {:?}, {rest}}}"#, full.to_str().unwrap());
        let source = open(&settings);
        Self {
            folder,
            source,
            settings,
            now: Timestamp(1_795_431_600_000_000),
            tickets: BTreeMap::new(),
            quarantined: Vec::new(),
            ignored: BTreeMap::new(),
            coverage: Vec::new(),
            cursors: BTreeMap::new(),
            sold_at: BTreeMap::new(),
            lines_read: 0,
        }
    }

    pub(crate) fn plain(path: &str) -> Self {
        Self::new(path, PLAIN)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(name))
            .unwrap()
            .write_all(content.as_ref())
            .unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// As after a crash or restart: only the stored cursors are left.
    pub(crate) fn restart(&mut self) {
        self.source = open(&self.settings);
        self.source.resume(self.cursors.clone().into_iter().collect());
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now.0 += seconds * 1_000_000;
    }

    /// Polls until quiet.
    pub(crate) fn drain(&mut self) {
        self.try_drain(&[]).unwrap();
    }

    pub(crate) fn try_drain(&mut self, changed: &[PathBuf]) -> Result<(), SourceError> {
        self.lines_read = 0;
        let mut changed = changed;
        for _ in 0..10_000 {
            match self.source.poll(changed, self.now)? {
                Poll::Quiet { .. } => return Ok(()),
                Poll::Chunk(chunk) => self.store(chunk),
            }
            changed = &[];
        }
        panic!("the source never becomes quiet");
    }

    /// Drains, waits longer than the settle time, and drains again.
    pub(crate) fn settle(&mut self) {
        self.drain();
        let before = self.lines_read;
        self.wait(3);
        self.drain();
        self.lines_read += before;
    }

    fn store(&mut self, chunk: Chunk) {
        for transaction in chunk.transactions {
            self.fold(transaction);
        }
        self.quarantined.extend(chunk.quarantined);
        for (rule, count) in chunk.ignored {
            *self.ignored.entry(rule).or_default() += count;
        }
        self.coverage.extend(chunk.coverage);
        for cursor in chunk.cursors {
            match cursor.state {
                Some(state) => self.cursors.insert(cursor.item, state),
                None => self.cursors.remove(&cursor.item),
            };
        }
    }

    fn fold(&mut self, read: Transaction) {
        self.lines_read += read.lines.len();
        let lines = read.lines.iter().map(|line| match &line.ignored {
            None => format!("{} {}", line.sku, line.delta),
            Some(rule) => format!("{} {} ignored by {rule}", line.sku, line.delta),
        });
        let segment = read.segment.as_str().to_owned();
        let key = read.key.as_str().to_owned();
        self.sold_at.insert(key.clone(), read.sold_at.map(|at| at.0 / 1_000_000));
        let known =
            self.tickets.get_mut(&key).filter(|known| read.extent == Extent::Extends && known.segment == segment);
        match known {
            Some(known) => {
                known.lines.extend(lines);
                known.status = read.status;
            }
            None => {
                let ticket = Ticket { segment, status: read.status, lines: lines.collect() };
                self.tickets.insert(key, ticket);
            }
        }
    }

    /// `T1: A -2, B -1; T2: …`
    pub(crate) fn summary(&self) -> String {
        let one = |(key, ticket): (&String, &Ticket)| format!("{key}: {}", ticket.lines.join(", "));
        self.tickets.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.quarantined.iter().map(|q| q.reason.as_str()).collect()
    }
}

fn open(settings: &str) -> FileSource {
    let settings: FileSettings = serde_json::from_str(settings).unwrap();
    FileSource::new(settings, TimeZone::get("Europe/Berlin").unwrap()).unwrap()
}
