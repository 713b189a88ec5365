//! A document in pieces through its format: splits, builds trees, keeps what is broken with its place. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::redact;
use super::ticket::{Doubt, Found};
use super::tree::{Element, Tree};
use super::xml::{End, Fault, Mark, Sink, Splitter};

/// What a format knows outside of transactions (store, register, period); stored with a mark.
pub(crate) type Context = BTreeMap<String, String>;

/// A format of this family: which elements are transactions, and what one means.
pub(crate) trait Format: Send + std::fmt::Debug {
    /// Its name in messages.
    fn what(&self) -> &'static str;
    /// Names of the first element.
    fn roots(&self) -> &'static [&'static str];
    /// Names of the elements that are transactions.
    fn records(&self) -> &'static [&'static str];
    /// Elements and attributes whose text may be kept of what cannot be read; of all others only the name is kept.
    fn public(&self) -> &'static [&'static str];
    /// An element outside of transactions begins.
    fn open(&mut self, name: &str, attributes: &str) {
        let _unused = (name, attributes);
    }
    /// It ends.
    fn close(&mut self, name: &str, text: &str) {
        let _unused = (name, text);
    }
    /// Reads one transaction.
    ///
    /// # Errors
    /// Why it is set aside.
    fn record(&mut self, record: Element<'_>, found: &mut Found) -> Result<(), String>;
    /// What it knows outside of transactions.
    fn context(&self) -> Context {
        Context::new()
    }
    /// The reverse of [`Self::context`].
    fn restore(&mut self, context: &Context) {
        let _unused = context;
    }
    /// The document was read from its start to its end.
    fn ended(&mut self, found: &mut Found) {
        let _unused = found;
    }
}

/// From where reading can go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Resume {
    /// Byte of the file.
    pub(crate) offset: u64,
    pub(crate) stack: Vec<String>,
    pub(crate) context: Context,
}

/// One document under way.
#[derive(Debug)]
pub(crate) struct Feed {
    splitter: Splitter,
    reading: Reading,
    from_start: bool,
}

#[derive(Debug)]
struct Reading {
    format: Box<dyn Format>,
    found: Found,
    /// The context after the last transaction, once it has changed.
    context: Context,
}

impl Feed {
    pub(crate) fn new(format: Box<dyn Format>) -> Self {
        let reading = Reading { format, found: Found::default(), context: Context::new() };
        Self { splitter: Splitter::new(), reading, from_start: true }
    }

    pub(crate) fn resume(mut format: Box<dyn Format>, resume: Resume) -> Self {
        format.restore(&resume.context);
        let splitter = Splitter::resume(Mark { offset: resume.offset, stack: resume.stack });
        let reading = Reading { format, found: Found::default(), context: resume.context };
        Self { splitter, reading, from_start: false }
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// Why the rest of the document cannot be read; what was found before stays.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.splitter.push(piece, &mut self.reading)
    }

    /// The document is at its end for now.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn finish(&mut self) -> Result<End, Fault> {
        let end = self.splitter.finish(&mut self.reading)?;
        if end == End::Closed && self.from_start {
            self.reading.format.ended(&mut self.reading.found);
        }
        Ok(end)
    }

    /// What was found since the last call.
    pub(crate) fn take(&mut self) -> Found {
        std::mem::take(&mut self.reading.found)
    }

    /// Tickets and doubts not yet taken.
    pub(crate) fn waiting(&self) -> usize {
        self.reading.found.tickets.len().saturating_add(self.reading.found.doubts.len())
    }

    /// From where reading can go on later; `None` if only from the start.
    pub(crate) fn mark(&self) -> Option<Resume> {
        let Mark { offset, stack } = self.splitter.mark()?;
        let context =
            if self.splitter.is_fresh() { self.reading.format.context() } else { self.reading.context.clone() };
        Some(Resume { offset, stack, context })
    }

    /// Sets the rest aside, from a fault or an end within a transaction.
    pub(crate) fn give_up(&mut self, reason: &str) {
        let (at, raw) = self.splitter.left();
        let raw = redact::redact(raw, self.reading.format.public());
        self.reading.found.doubts.push(Doubt { at: Some(at), reason: reason.to_owned(), raw, records: 1 });
        self.reading.found.unsure = true;
    }
}

impl Sink for Reading {
    fn root(&mut self, name: &str) -> Result<(), String> {
        if self.format.roots().contains(&name) {
            Ok(())
        } else {
            Err(format!("is no {}: its first element is `{}`", self.format.what(), name.escape_default()))
        }
    }

    fn is_record(&self, name: &str) -> bool {
        self.format.records().contains(&name)
    }

    fn open(&mut self, name: &str, attributes: &str) {
        self.format.open(name, attributes);
    }

    fn close(&mut self, name: &str, text: &str) {
        self.format.close(name, text);
    }

    fn remember(&mut self) {
        self.context = self.format.context();
    }

    fn record(&mut self, record: &[u8], at: u64) {
        // Where nothing is declared and it is not UTF-8, tills on Windows write their own page; only names suffer.
        let text = std::str::from_utf8(record).map_or_else(
            |_| Cow::Owned(encoding_rs::WINDOWS_1252.decode_without_bom_handling(record).0.into_owned()),
            Cow::Borrowed,
        );
        let zero = memchr::memchr(0, record).map(|_| "has bytes that were never written (zeros)".to_owned());
        let read = zero
            .map_or_else(|| Tree::read(&text).and_then(|tree| self.format.record(tree.root(), &mut self.found)), Err);
        if let Err(reason) = read {
            self.broken(record, at, &format!("the transaction {reason}"));
        }
    }

    fn broken(&mut self, raw: &[u8], at: u64, reason: &str) {
        let raw = redact::redact(raw, self.format.public());
        self.found.doubts.push(Doubt { at: Some(at), reason: reason.to_owned(), raw, records: 1 });
        self.found.unsure = true;
    }
}
