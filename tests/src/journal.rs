//! The append-only record of every change that a stand-in applied: what the oracle believes.
//!
//! One JSON object a line, one write to the file per request, before the reply leaves. A replay under a known
//! key applies nothing and so leaves no line.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;
use crate::moment::Moment;

/// Why a number changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A delta that a client sent.
    Adjust,
    /// An absolute write that a client sent; the line's delta is the difference it made.
    Set,
    /// The item was stocked at a location, with a first number.
    Activate,
    /// A change taken by the middleware door.
    Change,
    /// An online order took it from `available` to `committed`.
    OrderPlaced,
    /// An online order left the house.
    OrderFulfilled,
    /// An online order was cancelled before it left.
    OrderCancelled,
    /// Somebody changed it in the shop's own admin.
    Elsewhere,
}

/// One applied change of one SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// When it was applied.
    #[serde(flatten)]
    pub at: Moment,
    /// Number of the request that did it; 0 for the shop's own doing.
    pub request: u64,
    /// Why.
    pub cause: Cause,
    /// The SKU.
    pub sku: String,
    /// Which number changed (`available`, `on_hand`, …).
    pub name: String,
    /// By how much.
    pub delta: Decimal,
    /// Physical number afterwards, as far as the stand-in keeps one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
    /// Platform id of the item and location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// See `item`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Idempotency key of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `referenceDocumentUri` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Id of the change within the request (door only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Ticket of the change, if the sender named it (door only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
}

/// A line before it has a number and a time.
#[derive(Debug, Clone)]
pub struct Entry {
    /// See [`JournalLine::cause`].
    pub cause: Cause,
    /// See [`JournalLine::sku`].
    pub sku: String,
    /// See [`JournalLine::name`].
    pub name: String,
    /// See [`JournalLine::delta`].
    pub delta: Decimal,
    /// See [`JournalLine::on_hand`].
    pub on_hand: Option<i64>,
    /// See [`JournalLine::item`].
    pub item: Option<String>,
    /// See [`JournalLine::location`].
    pub location: Option<String>,
    /// See [`JournalLine::change`].
    pub change: Option<String>,
    /// See [`JournalLine::transaction`].
    pub transaction: Option<String>,
}

/// What the changes of one request have in common.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// See [`JournalLine::request`].
    pub request: u64,
    /// See [`JournalLine::key`].
    pub key: Option<&'a str>,
    /// See [`JournalLine::reference`].
    pub reference: Option<&'a str>,
}

/// The journal of one stand-in.
#[derive(Debug, Default)]
pub struct Journal {
    file: Option<(PathBuf, File)>,
    keep: bool,
    lines: Vec<JournalLine>,
    seq: u64,
}

impl Journal {
    /// Opens the journal; `path` is created or continued. `keep` also holds the lines in memory.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: Option<&Path>, keep: bool) -> anyhow::Result<Self> {
        let file = path
            .map(|path| {
                let file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(path)
                    .with_context(|| format!("cannot open the journal {}", path.display()))?;
                anyhow::Ok((path.to_path_buf(), file))
            })
            .transpose()?;
        Ok(Self { file, keep, lines: Vec::new(), seq: 0 })
    }

    /// Records what one request did, in one write.
    pub fn record(&mut self, origin: Origin<'_>, entries: Vec<Entry>) {
        let at = Moment::now();
        let mut text = Vec::new();
        for entry in entries {
            self.seq += 1;
            let line = JournalLine {
                seq: self.seq,
                at,
                request: origin.request,
                cause: entry.cause,
                sku: entry.sku,
                name: entry.name,
                delta: entry.delta,
                on_hand: entry.on_hand,
                item: entry.item,
                location: entry.location,
                key: origin.key.map(str::to_owned),
                reference: origin.reference.map(str::to_owned),
                change: entry.change,
                transaction: entry.transaction,
            };
            if self.file.is_some() {
                serde_json::to_writer(&mut text, &line).expect("a journal line is plain data");
                text.push(b'\n');
            }
            if self.keep {
                self.lines.push(line);
            }
        }
        if let Some((path, file)) = &mut self.file {
            let written = file.write_all(&text);
            assert!(written.is_ok(), "cannot write the journal {}: {written:?}", path.display());
        }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }

    /// The lines, if they are kept in memory.
    #[must_use]
    pub fn lines(&self) -> &[JournalLine] {
        &self.lines
    }

    /// Number of lines so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.seq
    }
}

/// Reads a journal file. A torn last line (the stand-in was killed in mid-write) is left out.
///
/// # Errors
/// The file cannot be read or another line is not a journal line.
pub fn read(path: &Path) -> anyhow::Result<Vec<JournalLine>> {
    read_lines(path)
}

pub(crate) fn read_lines<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<Vec<T>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut reader = BufReader::new(file);
    let (mut lines, mut text, mut number) = (Vec::new(), String::new(), 0_u64);
    loop {
        text.clear();
        number += 1;
        let read = reader.read_line(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 || !text.ends_with('\n') {
            return Ok(lines);
        }
        lines.push(
            serde_json::from_str(&text)
                .with_context(|| format!("{} line {number} is not what is expected there", path.display()))?,
        );
    }
}
