//! The bytes that a till sends to its printer, cut into text, controls and commands.
//!
//! ```text
//! ground --prefix--> head --length known--> data | list | series --> command, ground
//!                      |                       |
//!                      +--- no such command ---+--> unknown, ground
//!                      +--- impossible length -----> lost: bytes are passed over until ESC @
//! ```
//! A command is exactly as long as its grammar says, so that no parameter is ever taken for text. The state is all in
//! [`Tokenizer`]: however a stream is cut, it gives the same tokens, except that a run of text comes in as many
//! pieces as the stream did. Holds at most [`HELD_BYTES_MAX`] bytes.

pub(super) mod escpos;
pub(super) mod star;

use memchr::memchr;

pub(super) const ESC: u8 = 0x1b;
pub(super) const FS: u8 = 0x1c;
pub(super) const GS: u8 = 0x1d;
pub(super) const DLE: u8 = 0x10;
pub(super) const RS: u8 = 0x1e;
pub(super) const LF: u8 = 0x0a;
pub(super) const FF: u8 = 0x0c;
pub(super) const CR: u8 = 0x0d;
pub(super) const HT: u8 = 0x09;
pub(super) const BEL: u8 = 0x07;
pub(super) const CAN: u8 = 0x18;

/// Longest data of a command that is no picture. A receipt has nothing longer: a greater length was misread.
const DATA_BYTES_MAX: u64 = 64 * 1024;
/// Longest picture in one command: 80 mm paper at 203 dpi, more than a metre of it.
const PICTURE_BYTES_MAX: u64 = 1024 * 1024;
/// What is kept of a command's data; the longest that anybody reads is a two-dimensional code (7,089 digits).
const HELD_BYTES_MAX: usize = 8 * 1024;
/// After so many bytes without ESC @ the stream is read again from where it is: some tills never send it.
const LOST_BYTES_MAX: u64 = 64 * 1024;

/// One thing in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Bytes to print, a piece of a run.
    Text(&'a [u8]),
    /// A single control byte.
    Control(u8),
    /// A command from its prefix on, with as much of its data as is kept.
    Command(&'a [u8]),
    /// A prefix with what the dialect does not know after it.
    Unknown(&'a [u8]),
    /// From here on bytes cannot be read, until the next command.
    Lost(Loss),
}

/// Why bytes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// A command declares more data than a receipt has.
    Length,
    /// A list in a command has no end.
    Endless,
    /// The line was silent in the middle of a command.
    Silence,
}

/// How a command goes on, as told by its bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One more byte is needed to tell.
    More,
    /// It is complete.
    Done,
    /// So many bytes of data follow.
    Data(u64),
    /// So many bytes of a picture follow.
    Picture(u64),
    /// Data up to and with `end`, at most `max` bytes.
    List { end: u8, max: usize, items: Items },
    /// So many blocks follow, each with a head that tells its length.
    Series { blocks: u16, block: Block },
    /// The dialect has no such command.
    Unknown,
}

/// What may stand in a list; anything else ends it and is read on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Items {
    Any,
    /// Every byte greater than the one before it, as tab stops are.
    Ascending,
    /// No control bytes.
    Printable,
}

/// How long the blocks of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// `xL xH yL yH`, then x·y·8 bytes.
    Image,
    /// `x`, then x·rows bytes.
    Character { rows: u8 },
}

impl Block {
    const fn head(self) -> usize {
        match self {
            Self::Image => 4,
            Self::Character { .. } => 1,
        }
    }

    fn data(self, head: &[u8]) -> u64 {
        match (self, head) {
            (Self::Image, [xl, xh, yl, yh]) => word(*xl, *xh).saturating_mul(word(*yl, *yh)).saturating_mul(8),
            (Self::Character { rows }, [x]) => u64::from(*x).saturating_mul(u64::from(rows)),
            (Self::Image | Self::Character { .. }, _) => 0,
        }
    }
}

/// The command languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    Escpos,
    Star {
        /// Between `ESC * r A` and `ESC * r B` rows of pictures come as `b` and `k` without a prefix.
        raster: bool,
    },
}

impl Grammar {
    const fn is_prefix(self, byte: u8) -> bool {
        match self {
            Self::Escpos => matches!(byte, ESC | FS | GS | DLE),
            Self::Star { raster: false } => byte == ESC,
            Self::Star { raster: true } => matches!(byte, ESC | b'b' | b'k'),
        }
    }

    fn shape(self, head: &[u8]) -> Shape {
        match self {
            Self::Escpos => escpos::shape(head),
            Self::Star { .. } => star::shape(head),
        }
    }

    fn after(&mut self, command: &[u8]) {
        if let Self::Star { raster } = self {
            match command {
                [ESC, b'*', b'r', b'A'] => *raster = true,
                [ESC, b'*', b'r', b'B'] | [ESC, b'@'] => *raster = false,
                _ => {}
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    Head,
    Data {
        left: u64,
    },
    List {
        end: u8,
        /// Length of the whole command at which it is given up.
        max: usize,
        items: Items,
    },
    Series {
        blocks: u16,
        block: Block,
        head: [u8; 4],
        filled: usize,
        left: u64,
    },
    Lost {
        left: u64,
        after_escape: bool,
    },
}

/// Cuts a stream into tokens.
#[derive(Debug, Clone)]
pub(super) struct Tokenizer {
    grammar: Grammar,
    state: State,
    held: Vec<u8>,
    /// Where the next byte is in the stream.
    at: u64,
    /// Where the command under way began.
    began: u64,
}

impl Tokenizer {
    pub(super) const fn new(grammar: Grammar, at: u64) -> Self {
        Self { grammar, state: State::Ground, held: Vec::new(), at, began: at }
    }

    /// Where the next byte is in the stream.
    pub(super) const fn position(&self) -> u64 {
        self.at
    }

    /// Reads on. `sink` gets each token with the places of its first byte and of the byte after its last.
    pub(super) fn push(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Token<'_>, (u64, u64))) {
        while let Some(first) = bytes.first() {
            let taken = match self.state {
                State::Ground => self.ground(bytes, sink),
                State::Head => {
                    self.held.push(*first);
                    self.settle(sink)
                }
                State::Data { left } => self.data(bytes, left, sink),
                State::List { end, max, items } => self.list(*first, end, max, items, sink),
                State::Series { .. } => self.series(bytes, sink),
                State::Lost { left, after_escape } => self.lost(bytes, left, after_escape, sink),
            };
            self.at = after(self.at, taken);
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// The line has been silent for seconds, or the capture ends: what is under way will not be completed.
    pub(super) fn silence(&mut self, sink: &mut impl FnMut(Token<'_>, (u64, u64))) {
        match self.state {
            State::Ground => {}
            State::Head | State::Data { .. } | State::List { .. } | State::Series { .. } => {
                sink(Token::Lost(Loss::Silence), (self.began, self.at));
            }
            State::Lost { .. } => {}
        }
        self.held.clear();
        self.state = State::Ground;
    }

    fn ground(&mut self, bytes: &[u8], sink: &mut impl FnMut(Token<'_>, (u64, u64))) -> usize {
        let raster = self.grammar == Grammar::Star { raster: true };
        let run = if raster { 0 } else { bytes.iter().position(|byte| *byte < 0x20).unwrap_or(bytes.len()) };
        if run > 0 {
            sink(Token::Text(bytes.get(..run).unwrap_or_default()), (self.at, after(self.at, run)));
            return run;
        }
        let byte = bytes.first().copied().unwrap_or_default();
        if self.grammar.is_prefix(byte) {
            self.began = self.at;
            self.held.clear();
            self.held.push(byte);
            self.state = State::Head;
        } else if raster && byte >= 0x20 {
            sink(Token::Unknown(&[byte]), (self.at, after(self.at, 1)));
        } else {
            sink(Token::Control(byte), (self.at, after(self.at, 1)));
        }
        1
    }

    /// A byte was added to the head: what now? Returns how many bytes were taken (0: the byte is read again).
    fn settle(&mut self, sink: &mut impl FnMut(Token<'_>, (u64, u64))) -> usize {
        match self.grammar.shape(&self.held) {
            Shape::More => {}
            Shape::Done | Shape::Data(0) | Shape::Picture(0) => self.complete(1, sink),
            Shape::Data(left) if left <= DATA_BYTES_MAX => self.state = State::Data { left },
            Shape::Picture(left) if left <= PICTURE_BYTES_MAX => self.state = State::Data { left },
            Shape::Data(_) | Shape::Picture(_) => self.lose(Loss::Length, sink),
            Shape::List { end, max, items } => {
                self.state = State::List { end, max: self.held.len().saturating_add(max), items };
            }
            Shape::Series { blocks: 0, .. } => self.complete(1, sink),
            Shape::Series { blocks, block } => {
                self.state = State::Series { blocks, block, head: [0; 4], filled: 0, left: 0 };
            }
            Shape::Unknown => return self.unknown(sink),
        }
        1
    }

    /// Gives up on the head. A control byte at its end may begin something that is known.
    fn unknown(&mut self, sink: &mut impl FnMut(Token<'_>, (u64, u64))) -> usize {
        self.state = State::Ground;
        let again = self.held.len() > 1 && self.held.last().is_some_and(|byte| *byte < 0x20);
        if again {
            self.held.pop();
        }
        let taken = usize::from(!again);
        sink(Token::Unknown(&self.held), (self.began, after(self.at, taken)));
        self.held.clear();
        taken
    }

    /// The command is complete with the next `taken` bytes.
    fn complete(&mut self, taken: usize, sink: &mut impl FnMut(Token<'_>, (u64, u64))) {
        self.state = State::Ground;
        sink(Token::Command(&self.held), (self.began, after(self.at, taken)));
        self.grammar.after(&self.held);
        self.held.clear();
    }

    fn lose(&mut self, loss: Loss, sink: &mut impl FnMut(Token<'_>, (u64, u64))) {
        sink(Token::Lost(loss), (self.began, after(self.at, 1)));
        self.held.clear();
        self.state = State::Lost { left: LOST_BYTES_MAX, after_escape: false };
    }

    fn data(&mut self, bytes: &[u8], left: u64, sink: &mut impl FnMut(Token<'_>, (u64, u64))) -> usize {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let room = HELD_BYTES_MAX.saturating_sub(self.held.len()).min(taken);
        self.held.extend_from_slice(bytes.get(..room).unwrap_or_default());
        let left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        if left == 0 {
            self.complete(taken, sink);
        } else {
            self.state = State::Data { left };
        }
        taken
    }

    fn list(
        &mut self,
        byte: u8,
        end: u8,
        max: usize,
        items: Items,
        sink: &mut impl FnMut(Token<'_>, (u64, u64)),
    ) -> usize {
        if byte == end {
            self.held.push(byte);
            self.complete(1, sink);
            return 1;
        }
        let fits = match items {
            Items::Any => true,
            Items::Printable => byte >= 0x20,
            // The command's own letter stands before the first item; stops are compared among themselves only.
            Items::Ascending => self.held.get(2..).is_none_or(|stops| stops.last().is_none_or(|last| byte > *last)),
        };
        if !fits && items == Items::Ascending {
            self.complete(0, sink);
            return 0;
        }
        self.held.push(byte);
        if !fits {
            return self.unknown(sink);
        }
        if self.held.len() > max {
            self.lose(Loss::Endless, sink);
        }
        1
    }

    fn series(&mut self, bytes: &[u8], sink: &mut impl FnMut(Token<'_>, (u64, u64))) -> usize {
        let State::Series { mut blocks, block, mut head, mut filled, mut left } = self.state else { return 1 };
        let mut taken = 0_usize;
        if left > 0 {
            taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        } else {
            if let (Some(slot), Some(byte)) = (head.get_mut(filled), bytes.first()) {
                *slot = *byte;
            }
            (filled, taken) = (filled.saturating_add(1), taken.saturating_add(1));
            if filled == block.head() {
                left = block.data(head.get(..filled).unwrap_or_default());
                if left > PICTURE_BYTES_MAX {
                    self.lose(Loss::Length, sink);
                    return taken;
                }
            }
        }
        if filled == block.head() && left == 0 {
            (blocks, filled) = (blocks.saturating_sub(1), 0);
        }
        if blocks == 0 {
            self.complete(taken, sink);
        } else {
            self.state = State::Series { blocks, block, head, filled, left };
        }
        taken
    }

    fn lost(
        &mut self,
        bytes: &[u8],
        left: u64,
        after_escape: bool,
        sink: &mut impl FnMut(Token<'_>, (u64, u64)),
    ) -> usize {
        let first = bytes.first().copied().unwrap_or_default();
        if after_escape && first == b'@' {
            self.began = self.at.saturating_sub(1);
            self.held.clear();
            self.held.extend_from_slice(&[ESC, b'@']);
            self.complete(1, sink);
            return 1;
        }
        let reach = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let taken = memchr(ESC, bytes.get(..reach).unwrap_or_default()).map_or(reach, |at| at.saturating_add(1));
        let left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        let after_escape = taken > 0 && bytes.get(taken.saturating_sub(1)) == Some(&ESC);
        self.state = if left == 0 { State::Ground } else { State::Lost { left, after_escape } };
        taken
    }
}

fn after(at: u64, taken: usize) -> u64 {
    at.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX))
}

/// Two bytes, the low one first.
pub(super) fn word(low: u8, high: u8) -> u64 {
    u64::from(u16::from_le_bytes([low, high]))
}

/// A command with so many parameter bytes.
pub(super) const fn params(count: usize, so_far: &[u8]) -> Shape {
    if so_far.len() < count { Shape::More } else { Shape::Done }
}

#[cfg(test)]
mod tests;
