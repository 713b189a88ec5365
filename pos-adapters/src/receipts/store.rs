//! The raw bytes of a printer's line on disk, before anything is understood of them.
//!
//! A line cannot be read again, so its bytes are written first and parsed from here; a ticket can be parsed again
//! after a template was mended. One folder holds one line:
//!
//! ```text
//! line-0000000007.raw   a segment of fixed size, zero-filled when it was made
//!   header  64 bytes: magic 8 | sequence 8 | epoch 8 | first stream byte 8 | made at 8 | zeros 20 | crc32 4
//!   record  payload length 4 | kind 4 | arrival 8 | crc32 4 | payload
//!   ...
//!   zeros   to the end of the file
//! spare-0.raw           zero-filled space kept for the day on which the disk is full
//! ```
//! Numbers are little-endian, times microseconds since 1970. The checksum of a record covers its segment's sequence,
//! so what is left of an older use of the space never looks like a record, and a torn tail ends the segment.
//!
//! The *stream* is what the POS sent to the printer, and nothing else: its bytes are numbered from 0 for as long as
//! the folder lives. Answers of the printer and marks (damage, end of a connection) stand between them and have no number.
//!
//! Invariants:
//! - **Bounded.** Segments and spares together never take more than [`Limits::total_bytes`].
//! - **Nothing unread goes.** A segment is reused or deleted only when all of it was parsed and committed. When only
//!   unread bytes are left and no space, new bytes are refused and the caller counts them as lost.
//! - **A full disk costs nothing at first.** Spares are written with zeros beforehand, and old segments are written over
//!   in place; both need no new space.
//! - **Sync policy.** A record is visible to the reader as soon as it is written. It is on the disk after
//!   [`Writer::sync`]: the line's thread calls it when the line pauses and at the latest after a second, and the reader
//!   syncs before it hands out a ticket, so no cursor ever points past what survives a power cut.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sync_core::model::Timestamp;

mod read;
mod write;

pub use read::Reader;
pub use write::Writer;

/// Longest payload of one record; longer pieces are split.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// Smallest and usual size of a segment.
pub const SEGMENT_BYTES_MIN: u64 = 64 * 1024;
/// See [`SEGMENT_BYTES_MIN`].
pub const SEGMENT_BYTES_DEFAULT: u64 = 1024 * 1024;

const MAGIC: [u8; 8] = *b"TSLINE1\n";
const HEADER_BYTES: usize = 64;
const RECORD_BYTES: usize = 20;

/// How much a store may take, and for how long it keeps what was parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Segments and spares together, in bytes.
    pub total_bytes: u64,
    /// The part of it that is taken on the disk beforehand, in bytes.
    pub reserve_bytes: u64,
    /// How long parsed bytes are kept, as far as the total allows.
    pub keep: Duration,
    /// Size of one segment, in bytes.
    pub segment_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total_bytes: 256 * 1024 * 1024,
            reserve_bytes: 8 * 1024 * 1024,
            keep: Duration::from_secs(31 * 86_400),
            segment_bytes: SEGMENT_BYTES_DEFAULT,
        }
    }
}

/// What came over the line, or happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes from the POS to the printer.
    Data(Vec<u8>),
    /// Bytes from the printer to the POS.
    Answer(Vec<u8>),
    /// Something that makes the bytes around it doubtful, in plain words.
    Damage(String),
    /// A connection, job or file ended here.
    End,
    /// The port or printer went away here, and whatever was sent until it came back.
    Away,
}

/// An event and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Clock of this machine.
    pub at: Timestamp,
    /// What it was.
    pub event: Event,
}

impl Event {
    const fn kind(&self) -> u32 {
        match self {
            Self::Data(_) => 1,
            Self::Answer(_) => 2,
            Self::Damage(_) => 3,
            Self::End => 4,
            Self::Away => 5,
        }
    }

    const fn payload(&self) -> &[u8] {
        match self {
            Self::Data(bytes) | Self::Answer(bytes) => bytes.as_slice(),
            Self::Damage(text) => text.as_bytes(),
            Self::End | Self::Away => &[],
        }
    }

    fn of(kind: u32, payload: &[u8]) -> Option<Self> {
        match kind {
            1 => Some(Self::Data(payload.to_vec())),
            2 => Some(Self::Answer(payload.to_vec())),
            3 => Some(Self::Damage(String::from_utf8_lossy(payload).into_owned())),
            4 => Some(Self::End),
            5 => Some(Self::Away),
            _ => None,
        }
    }
}

/// The first bytes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    sequence: u64,
    /// When the folder was begun; a cursor of another epoch belongs to another life of it.
    epoch: u64,
    /// Number of the first stream byte.
    first: u64,
    made_at: i64,
}

impl Header {
    fn bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.made_at.to_le_bytes());
        bytes.resize(HEADER_BYTES - 4, 0);
        let sum = crc32(&[&bytes]);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.try_into().unwrap_or([0; HEADER_BYTES])
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.get(..HEADER_BYTES)?.split_at(HEADER_BYTES - 4);
        if !body.starts_with(&MAGIC) || number(sum, 0, 4)? != u64::from(crc32(&[body])) {
            return None;
        }
        Some(Self {
            sequence: number(body, 8, 8)?,
            epoch: number(body, 16, 8)?,
            first: number(body, 24, 8)?,
            made_at: number(body, 32, 8)?.cast_signed(),
        })
    }
}

/// One record found in a segment, with its length on disk.
struct Found {
    arrival: Arrival,
    bytes: usize,
}

/// Appends a record as it stands on the disk.
fn put_record(into: &mut Vec<u8>, sequence: u64, arrival: &Arrival) {
    let payload = arrival.event.payload();
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let start = into.len();
    into.extend_from_slice(&length.to_le_bytes());
    into.extend_from_slice(&arrival.event.kind().to_le_bytes());
    into.extend_from_slice(&arrival.at.0.to_le_bytes());
    let sum = crc32(&[&sequence.to_le_bytes(), into.get(start..).unwrap_or_default(), payload]);
    into.extend_from_slice(&sum.to_le_bytes());
    into.extend_from_slice(payload);
}

/// The record at the start of `bytes`; `None` if there is no whole one.
fn take_record(bytes: &[u8], sequence: u64) -> Option<Found> {
    let head = bytes.get(..RECORD_BYTES)?;
    let length = usize::try_from(number(head, 0, 4)?).ok().filter(|length| *length <= PAYLOAD_BYTES_MAX)?;
    let end = RECORD_BYTES.checked_add(length)?;
    let payload = bytes.get(RECORD_BYTES..end)?;
    let (fields, sum) = head.split_at(RECORD_BYTES - 4);
    if number(sum, 0, 4)? != u64::from(crc32(&[&sequence.to_le_bytes(), fields, payload])) {
        return None;
    }
    let event = Event::of(u32::try_from(number(head, 4, 4)?).ok()?, payload)?;
    let at = Timestamp(number(head, 8, 8)?.cast_signed());
    Some(Found { arrival: Arrival { at, event }, bytes: end })
}

/// A segment as its folder lists it.
#[derive(Debug, Clone)]
struct Listed {
    sequence: u64,
    path: PathBuf,
}

/// All segments by their sequence.
fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let sequence = name.strip_prefix("line-").and_then(|rest| rest.strip_suffix(".raw"));
        if let Some(sequence) = sequence.and_then(|digits| digits.parse().ok()) {
            found.push(Listed { sequence, path });
        }
    }
    found.sort_by_key(|listed| listed.sequence);
    Ok(found)
}

fn segment_path(folder: &Path, sequence: u64) -> PathBuf {
    folder.join(format!("line-{sequence:010}.raw"))
}

/// All events of one segment, as a file of its own: a part of a capture that somebody sent.
#[must_use]
pub fn events_of(segment: &[u8]) -> Vec<Arrival> {
    let Some(header) = Header::parse(segment) else { return Vec::new() };
    let mut rest = segment.get(HEADER_BYTES..).unwrap_or_default();
    let mut events = Vec::new();
    while let Some(found) = take_record(rest, header.sequence) {
        events.push(found.arrival);
        rest = rest.get(found.bytes..).unwrap_or_default();
    }
    events
}

/// Whether a file begins as a segment does, and is a capture rather than a spool file.
#[must_use]
pub fn is_segment(beginning: &[u8]) -> bool {
    beginning.starts_with(&MAGIC)
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(width)?)?;
    Some(part.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// CRC-32 as in ISO 3309 (reflected 0xEDB88320), over the parts one after the other.
fn crc32(parts: &[&[u8]]) -> u32 {
    let mut sum = u32::MAX;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        let index = usize::from(sum.to_le_bytes()[0] ^ byte);
        sum = sum >> 8 ^ CRC_TABLE[index];
    }
    !sum
}

const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut index = 0_u32;
    let mut at = 0_usize;
    while at < 256 {
        let mut sum = index;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[at] = sum;
        at += 1;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests;
