//! XML of any size in pieces of any size: finds the elements that are transactions and hands each on whole. Pure.
//!
//! ```text
//! bytes -> encoding (mark, declaration) -> UTF-8 -> tags -+-> outside: open(name, attributes), close(name, text)
//!                                                         +-> record: the bytes of one transaction element
//! ```
//! Memory is bounded by one transaction ([`RECORD_BYTES_MAX`]), whatever the file holds. A document type declaration ends
//! the reading: nothing is expanded, nothing is fetched. A transaction that is cut off by the next one costs itself only.

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Longest transaction element.
pub(crate) const RECORD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest tag, attributes included.
pub(crate) const TAG_BYTES_MAX: usize = 64 * 1024;
/// Longest text between two tags outside of transactions; more is passed over.
pub(crate) const OUTSIDE_TEXT_MAX: usize = 4 * 1024;
/// Deepest nesting, outside of transactions and within one.
pub(crate) const DEPTH_MAX: usize = 64;
/// Bytes in which the declaration is looked for.
const DECLARATION_BYTES_MAX: usize = 512;
/// Bytes of a broken transaction that are shown.
const BROKEN_BYTES_MAX: usize = crate::QUARANTINE_BYTES_MAX;

/// Why the rest of a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Byte of the decoded document.
    pub(crate) at: u64,
    pub(crate) reason: String,
}

/// Takes what was found.
pub(crate) trait Sink {
    /// The first element of a document.
    ///
    /// # Errors
    /// Why this is not a document of the format.
    fn root(&mut self, name: &str) -> Result<(), String>;
    /// Whether an element of this local name is a transaction.
    fn is_record(&self, name: &str) -> bool;
    /// An element outside of transactions begins.
    fn open(&mut self, name: &str, attributes: &str);
    /// It ends; `text` is what stood since the last tag.
    fn close(&mut self, name: &str, text: &str);
    /// Whatever is known now holds for the place after the last transaction; called before it changes.
    fn remember(&mut self);
    /// One whole transaction element, its own tags included.
    fn record(&mut self, record: &[u8], at: u64);
    /// A transaction that cannot be whole.
    fn broken(&mut self, raw: &[u8], at: u64, reason: &str);
}

/// A place right after a transaction, from which reading can go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Byte of the file.
    pub(crate) offset: u64,
    /// Names of the elements that are open there.
    pub(crate) stack: Vec<String>,
}

/// How a document ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its first element was closed.
    Closed,
    /// Between two transactions: more may be appended.
    Open,
    /// Within a transaction.
    Within,
    /// Nothing but blanks.
    Empty,
}

enum Input {
    /// The first bytes, until the encoding is known.
    Start(Vec<u8>),
    Utf8,
    Coded(Box<Decoder>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// At a `<`.
    Markup,
    /// Within a tag, and within which quotes.
    Tag(Option<u8>),
    Comment,
    Data,
    Instruction,
}

/// Finds transactions in a document.
pub(crate) struct Splitter {
    input: Input,
    buffer: Vec<u8>,
    /// Document byte of `buffer[0]`.
    base: u64,
    /// Bytes of the byte-order mark, which the document does not count.
    mark_bytes: u64,
    at: usize,
    /// Where the markup under way begins.
    token: usize,
    state: State,
    stack: Vec<String>,
    text: Vec<u8>,
    record: Option<Record>,
    /// After a broken transaction, until the end of what holds them: its own tags may still come, and mean nothing.
    lost: bool,
    rooted: bool,
    /// Zero bytes were met: the rest is not written yet.
    unwritten: bool,
    fault: Option<Fault>,
    /// Offset after the last transaction, and the stack there once it has changed.
    mark: Mark,
    fresh: bool,
    any: bool,
}

struct Record {
    start: usize,
    name: String,
    /// Too large: its end is looked for, its bytes are not kept.
    skipping: bool,
}

impl std::fmt::Debug for Splitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Splitter").field("base", &self.base).field("stack", &self.stack).finish_non_exhaustive()
    }
}

impl Splitter {
    pub(crate) fn new() -> Self {
        Self {
            input: Input::Start(Vec::new()),
            buffer: Vec::new(),
            base: 0,
            mark_bytes: 0,
            at: 0,
            token: 0,
            state: State::Text,
            stack: Vec::new(),
            text: Vec::new(),
            record: None,
            lost: false,
            rooted: false,
            unwritten: false,
            fault: None,
            mark: Mark::default(),
            fresh: false,
            any: false,
        }
    }

    /// Goes on from a mark of a file in UTF-8.
    pub(crate) fn resume(mark: Mark) -> Self {
        Self {
            input: Input::Utf8,
            base: mark.offset,
            stack: mark.stack.clone(),
            rooted: !mark.stack.is_empty(),
            any: true,
            mark,
            ..Self::new()
        }
    }

    /// The place after the last transaction. `None` if there is none, or if the file is not in UTF-8.
    pub(crate) fn mark(&self) -> Option<Mark> {
        if !self.any || !matches!(self.input, Input::Utf8) {
            return None;
        }
        Some(if self.fresh { Mark { offset: self.mark.offset, stack: self.stack.clone() } } else { self.mark.clone() })
    }

    /// Whether the knowledge outside of transactions has not changed since the last one.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Fault`]: what follows cannot be read.
    pub(crate) fn push(&mut self, piece: &[u8], sink: &mut dyn Sink) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let read = self.take(piece, false).and_then(|()| self.scan(sink));
        self.settle(sink);
        if let Err(fault) = &read {
            self.fault = Some(fault.clone());
        }
        read
    }

    /// The input is at its end.
    ///
    /// # Errors
    /// [`Fault`]: what was left cannot be read.
    pub(crate) fn finish(&mut self, sink: &mut dyn Sink) -> Result<End, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.take(&[], true)?;
        self.scan(sink)?;
        Ok(if self.record.is_some() || matches!(self.state, State::Tag(_)) && !self.unwritten {
            End::Within
        } else if !self.rooted {
            End::Empty
        } else if self.stack.is_empty() {
            End::Closed
        } else {
            End::Open
        })
    }

    /// What is left of a transaction that does not end.
    pub(crate) fn left(&self) -> (u64, &[u8]) {
        let start = self.record.as_ref().map_or(self.token, |record| record.start);
        let end = start.saturating_add(BROKEN_BYTES_MAX).min(self.buffer.len());
        (self.place(start), self.buffer.get(start..end).unwrap_or_default())
    }

    /// Bytes held.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.buffer.capacity()
    }

    fn place(&self, at: usize) -> u64 {
        self.base.saturating_add(to_u64(at))
    }

    fn faulty<T>(&self, at: usize, reason: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { at: self.place(at), reason: reason.into() })
    }

    /// Decodes a piece into the buffer.
    fn take(&mut self, piece: &[u8], last: bool) -> Result<(), Fault> {
        match &mut self.input {
            Input::Utf8 => self.buffer.extend_from_slice(piece),
            Input::Coded(decoder) => decode(decoder, piece, last, &mut self.buffer),
            Input::Start(first) => {
                first.extend_from_slice(piece);
                if !last && !is_decided(first) {
                    return Ok(());
                }
                let first = std::mem::take(first);
                let (mark, encoding) = match opening(&first) {
                    Ok(opening) => opening,
                    Err(reason) => return self.faulty(0, reason),
                };
                let body = first.get(mark..).unwrap_or_default();
                if encoding == UTF_8 {
                    self.mark_bytes = to_u64(mark);
                    self.input = Input::Utf8;
                    self.buffer.extend_from_slice(body);
                } else {
                    let mut decoder = Box::new(encoding.new_decoder_without_bom_handling());
                    decode(&mut decoder, body, last, &mut self.buffer);
                    self.input = Input::Coded(decoder);
                }
            }
        }
        Ok(())
    }

    /// Drops what is no longer needed, and gives up a transaction that is too large.
    fn settle(&mut self, sink: &mut dyn Sink) {
        if let Some(record) = &mut self.record
            && !record.skipping
            && self.buffer.len().saturating_sub(record.start) > RECORD_BYTES_MAX
        {
            record.skipping = true;
            let start = record.start;
            let shown = self.buffer.get(start..start.saturating_add(BROKEN_BYTES_MAX)).unwrap_or_default();
            let at = self.base.saturating_add(to_u64(start));
            sink.broken(shown, at, &format!("the transaction is larger than {RECORD_BYTES_MAX} bytes"));
        }
        let in_markup = matches!(self.state, State::Markup | State::Tag(_));
        let keep = match &self.record {
            Some(record) if !record.skipping => record.start,
            Some(_) | None if in_markup => self.token,
            Some(_) | None => self.at,
        };
        if keep > 0 {
            self.buffer.drain(..keep);
            self.base = self.base.saturating_add(to_u64(keep));
            self.at = self.at.saturating_sub(keep);
            self.token = self.token.saturating_sub(keep);
            if let Some(record) = &mut self.record {
                record.start = record.start.saturating_sub(keep);
            }
        }
    }

    fn scan(&mut self, sink: &mut dyn Sink) -> Result<(), Fault> {
        while !self.unwritten {
            let more = match self.state {
                State::Text => self.text()?,
                State::Markup => self.markup()?,
                State::Tag(quote) => self.tag(quote, sink)?,
                State::Comment => self.until(b"-->"),
                State::Data => self.until(b"]]>"),
                State::Instruction => self.until(b"?>"),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    fn text(&mut self) -> Result<bool, Fault> {
        let found = memchr::memchr(b'<', self.rest());
        let length = found.unwrap_or(self.rest().len());
        if self.record.is_none() && !self.lost && length > 0 {
            let text = self.buffer.get(self.at..self.at.saturating_add(length)).unwrap_or_default();
            let written = memchr::memchr(0, text).unwrap_or(text.len());
            let text = text.get(..written).unwrap_or_default();
            if self.stack.is_empty() && !text.trim_ascii().is_empty() {
                let blank = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
                return self.faulty(self.at.saturating_add(blank), "is no XML: there is text outside of elements");
            }
            let room = OUTSIDE_TEXT_MAX.saturating_sub(self.text.len()).min(text.len());
            self.text.extend_from_slice(text.get(..room).unwrap_or_default());
            if written < length {
                self.unwritten = true;
                return Ok(false);
            }
        }
        self.at = self.at.saturating_add(length);
        if found.is_some() {
            self.token = self.at;
            self.state = State::Markup;
        }
        Ok(found.is_some())
    }

    /// Tells what begins at a `<`.
    fn markup(&mut self) -> Result<bool, Fault> {
        let rest = self.rest();
        let (state, length) = match rest.get(1) {
            None => return Ok(false),
            Some(b'?') => (State::Instruction, 2),
            Some(b'!') => {
                if rest.starts_with(b"<!--") {
                    (State::Comment, 4)
                } else if rest.starts_with(b"<![CDATA[") {
                    (State::Data, 9)
                } else if b"<!--".starts_with(rest) || b"<![CDATA[".starts_with(rest) {
                    return Ok(false);
                } else {
                    return self.faulty(
                        self.at,
                        "has a document type declaration or entities, which are refused: ask for files without DOCTYPE",
                    );
                }
            }
            Some(_) => (State::Tag(None), 1),
        };
        self.at = self.at.saturating_add(length);
        self.state = state;
        Ok(true)
    }

    fn until(&mut self, end: &[u8]) -> bool {
        match memchr::memmem::find(self.rest(), end) {
            Some(found) => {
                self.at = self.at.saturating_add(found).saturating_add(end.len());
                self.state = State::Text;
                true
            }
            None => {
                // The end may be cut in two.
                let kept = end.len().saturating_sub(1).min(self.rest().len());
                self.at = self.buffer.len().saturating_sub(kept);
                false
            }
        }
    }

    fn tag(&mut self, mut quote: Option<u8>, sink: &mut dyn Sink) -> Result<bool, Fault> {
        let mut end = None;
        for (at, byte) in self.rest().iter().enumerate() {
            match (quote, byte) {
                (None, b'>' | b'<') => {
                    end = Some((at, *byte));
                    break;
                }
                (None, b'"' | b'\'') => quote = Some(*byte),
                (Some(open), byte) if open == *byte => quote = None,
                (None | Some(_), _) => {}
            }
        }
        let length = end.map_or(self.rest().len(), |(at, _)| at);
        self.at = self.at.saturating_add(length);
        if self.at.saturating_sub(self.token) > TAG_BYTES_MAX {
            return self.faulty(self.token, format!("has a tag longer than {TAG_BYTES_MAX} bytes"));
        }
        match end {
            None => {
                self.state = State::Tag(quote);
                Ok(false)
            }
            // A tag that another one cuts off.
            Some((_, b'<')) => {
                if self.record.is_none() && !self.lost {
                    return self.faulty(self.token, "has a tag that does not end");
                }
                self.give_up(self.at, "ends in the middle of a tag", sink);
                self.token = self.at;
                self.state = State::Markup;
                Ok(true)
            }
            Some(_) => {
                self.at = self.at.saturating_add(1);
                self.state = State::Text;
                self.tag_ended(sink)?;
                Ok(true)
            }
        }
    }

    /// The transaction under way is broken at `end`.
    fn give_up(&mut self, end: usize, why: &str, sink: &mut dyn Sink) {
        if let Some(record) = self.record.take() {
            let shown = end.min(record.start.saturating_add(BROKEN_BYTES_MAX));
            if !record.skipping {
                let raw = self.buffer.get(record.start..shown).unwrap_or_default();
                sink.broken(raw, self.place(record.start), &format!("the transaction {why}"));
            }
            self.lost = true;
        }
    }

    fn tag_ended(&mut self, sink: &mut dyn Sink) -> Result<(), Fault> {
        let (start, end) = (self.token, self.at);
        let inner = self.buffer.get(start.saturating_add(1)..end.saturating_sub(1)).unwrap_or_default();
        if let Some(name) = inner.strip_prefix(b"/") {
            let name = name.trim_ascii_end();
            if let Some(record) = self.record.take_if(|record| record.name.as_bytes() == name) {
                if !record.skipping {
                    sink.record(self.buffer.get(record.start..end).unwrap_or_default(), self.place(record.start));
                }
                self.after_record(end);
                return Ok(());
            }
            if self.record.is_some() {
                return Ok(());
            }
            let name = name.to_vec();
            return self.closed(&name, sink);
        }
        let empty = inner.ends_with(b"/");
        let inner = inner.strip_suffix(b"/").unwrap_or(inner);
        let length = inner.iter().position(u8::is_ascii_whitespace).unwrap_or(inner.len());
        let name = inner.get(..length).unwrap_or_default();
        if let Some(record) = &self.record {
            if record.name.as_bytes() != name {
                return Ok(());
            }
            self.give_up(start, "does not end before the next one begins", sink);
        }
        let inner = self.buffer.get(start.saturating_add(1)..end.saturating_sub(1)).unwrap_or_default();
        let Ok(name) = std::str::from_utf8(inner.get(..length).unwrap_or_default()) else {
            return self.faulty(start, "has a name that is no text");
        };
        if name.is_empty() || name.starts_with(|c: char| c.is_whitespace() || c == '/') {
            return if self.lost { Ok(()) } else { self.faulty(start, "has a tag without name") };
        }
        if sink.is_record(local(name)) {
            let name = name.to_owned();
            if empty {
                sink.record(self.buffer.get(start..end).unwrap_or_default(), self.place(start));
                self.after_record(end);
            } else {
                self.record = Some(Record { start, name, skipping: false });
            }
            return Ok(());
        }
        if self.lost {
            return Ok(());
        }
        let name = name.to_owned();
        let attributes = String::from_utf8_lossy(inner.get(length..).unwrap_or_default()).into_owned();
        self.opened(&name, attributes.trim_end_matches('/'), empty, sink)
    }

    /// An end tag outside of transactions.
    fn closed(&mut self, name: &[u8], sink: &mut dyn Sink) -> Result<(), Fault> {
        if self.lost && self.stack.last().is_none_or(|open| open.as_bytes() != name) {
            return Ok(());
        }
        self.lost = false;
        self.remember(sink);
        match self.stack.pop() {
            Some(open) if open.as_bytes() == name => {
                let text = String::from_utf8_lossy(&self.text).trim().to_owned();
                sink.close(local(&open), &text);
                self.text.clear();
                Ok(())
            }
            Some(open) => self.faulty(self.token, format!("closes `{open}` by another name")),
            None => self.faulty(self.token, "closes an element that is not open"),
        }
    }

    fn opened(&mut self, name: &str, attributes: &str, empty: bool, sink: &mut dyn Sink) -> Result<(), Fault> {
        self.remember(sink);
        if self.stack.is_empty() {
            if let Err(reason) = sink.root(local(name)) {
                return self.faulty(self.token, reason);
            }
            self.rooted = true;
        }
        if self.stack.len() >= DEPTH_MAX {
            return self.faulty(self.token, format!("is nested deeper than {DEPTH_MAX} elements"));
        }
        self.text.clear();
        sink.open(local(name), attributes);
        if empty {
            sink.close(local(name), "");
        } else {
            self.stack.push(name.to_owned());
        }
        Ok(())
    }

    fn after_record(&mut self, end: usize) {
        self.text.clear();
        self.mark.offset = self.place(end).saturating_add(self.mark_bytes);
        (self.fresh, self.any) = (true, true);
    }

    /// Keeps the stack of the last mark before it changes.
    fn remember(&mut self, sink: &mut dyn Sink) {
        if self.fresh {
            self.mark.stack.clone_from(&self.stack);
            self.fresh = false;
            sink.remember();
        }
    }
}

/// The name without its prefix.
pub(crate) fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Whether the first bytes are enough to tell the encoding.
fn is_decided(first: &[u8]) -> bool {
    first.len() >= DECLARATION_BYTES_MAX || (first.len() >= 4 && memchr::memchr(b'>', first).is_some())
}

/// Length of the byte-order mark, and the encoding.
fn opening(first: &[u8]) -> Result<(usize, &'static Encoding), String> {
    for (start, mark, encoding) in [
        (b"\xef\xbb\xbf".as_slice(), 3, UTF_8),
        (b"\xff\xfe", 2, UTF_16LE),
        (b"\xfe\xff", 2, UTF_16BE),
        (b"<\0", 0, UTF_16LE),
        (b"\0<", 0, UTF_16BE),
    ] {
        if first.starts_with(start) {
            return Ok((mark, encoding));
        }
    }
    let head = first.get(..first.len().min(DECLARATION_BYTES_MAX)).unwrap_or_default();
    // A declaration ends at the first `>`; what stands behind it must not matter, as it may not be here yet.
    let end = memchr::memchr(b'>', head).map_or(head.len(), |at| at.saturating_add(1));
    let head = String::from_utf8_lossy(head.get(..end).unwrap_or_default());
    let Some((declaration, _)) = head.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) else {
        return Ok((0, UTF_8));
    };
    let Some(label) = attribute(declaration, "encoding") else {
        return Ok((0, UTF_8));
    };
    match Encoding::for_label(label.as_bytes()) {
        // Text that was UTF-16 in memory keeps that word when it is written as UTF-8.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => Ok((0, UTF_8)),
        Some(encoding) if encoding.is_ascii_compatible() => Ok((0, encoding)),
        Some(_) | None => Err(format!("is written in encoding `{label}`, which is not known")),
    }
}

fn decode(decoder: &mut Decoder, mut piece: &[u8], last: bool, into: &mut Vec<u8>) {
    let mut scratch = [0; 8192];
    loop {
        let (result, read, written, _) = decoder.decode_to_utf8(piece, &mut scratch, last);
        into.extend_from_slice(scratch.get(..written).unwrap_or_default());
        piece = piece.get(read..).unwrap_or_default();
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

/// The value of an attribute by its local name, entities resolved.
pub(crate) fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, next) = after.strip_prefix(quote)?.split_once(quote)?;
        if local(name.trim()) == wanted {
            return Some(
                quick_xml::escape::unescape(value).map_or_else(|_| value.to_owned(), std::borrow::Cow::into_owned),
            );
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests;
