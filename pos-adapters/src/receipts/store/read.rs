//! Reads the store while it is written: follows the newest segment and moves on when the next one begins.
//!
//! Never changes the store; another process (`tillsync preview`) may read at the same time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{Arrival, Event, HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, RECORD_BYTES};

/// Bytes read from a segment at once; more than one record.
const READ_BYTES: usize = 4 * (RECORD_BYTES + PAYLOAD_BYTES_MAX);

/// Follows the events of a store.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    current: Option<Current>,
    /// Number of the next stream byte.
    stream: u64,
    /// Stream bytes that were asked for and are not there any more.
    missing: u64,
}

#[derive(Debug)]
struct Current {
    file: File,
    header: Header,
    /// Of the first byte of `buffer` that is not used yet.
    offset: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl Reader {
    /// Stands before the stream byte `from` of the store begun at `epoch`; a store of another epoch is read from its
    /// beginning. Opens nothing yet.
    ///
    /// # Errors
    /// The folder is there and cannot be read.
    pub fn open(folder: &Path, from: Option<(u64, u64)>) -> io::Result<Self> {
        let mut reader = Self { folder: folder.to_path_buf(), current: None, stream: 0, missing: 0 };
        let listed = match super::list(folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(reader),
            Err(error) => return Err(error),
        };
        let mut headers = Vec::new();
        for segment in listed {
            if let Some(header) = header_of(&segment.path, segment.sequence)? {
                headers.push(header);
            }
        }
        let Some(oldest) = headers.first().copied() else { return Ok(reader) };
        let wanted = from.filter(|(epoch, _)| *epoch == oldest.epoch).map_or(oldest.first, |(_, stream)| stream);
        reader.missing = oldest.first.saturating_sub(wanted);
        let wanted = wanted.max(oldest.first);
        let start = headers.iter().rev().find(|header| header.first <= wanted).copied().unwrap_or(oldest);
        reader.enter(start)?;
        reader.skip_to(wanted)?;
        Ok(reader)
    }

    /// Number of the next stream byte.
    #[must_use]
    pub const fn stream(&self) -> u64 {
        self.stream
    }

    /// When the store was begun; `None` before its first segment.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.current.as_ref().map(|current| current.header.epoch)
    }

    /// Stream bytes between what was asked for and the oldest that is left; told once.
    pub fn take_missing(&mut self) -> u64 {
        std::mem::take(&mut self.missing)
    }

    /// The next event; `None` if nothing more was written yet.
    ///
    /// # Errors
    /// The disk fails, or the segment was deleted by hand.
    pub fn next_event(&mut self) -> io::Result<Option<Arrival>> {
        if self.current.is_none() && !self.enter_first()? {
            return Ok(None);
        }
        loop {
            if let Some(arrival) = self.read_record()? {
                self.count(&arrival);
                return Ok(Some(arrival));
            }
            let Some(next) = self.following()? else { return Ok(None) };
            // The last record may have been written just before the next segment was begun.
            if let Some(arrival) = self.read_record()? {
                self.count(&arrival);
                return Ok(Some(arrival));
            }
            let lost = next.first.saturating_sub(self.stream);
            self.enter(next)?;
            if lost > 0 {
                let text = format!("{lost} captured bytes cannot be read back from the disk");
                return Ok(Some(Arrival { at: sync_core::model::Timestamp(next.made_at), event: Event::Damage(text) }));
            }
        }
    }

    /// Puts what was read so far on the disk, so that a cursor may point behind it.
    ///
    /// # Errors
    /// The disk fails.
    pub fn sync(&self) -> io::Result<()> {
        match &self.current {
            // Windows flushes only through a handle that may write.
            Some(current) if cfg!(windows) => {
                let path = super::segment_path(&self.folder, current.header.sequence);
                OpenOptions::new().read(true).write(true).open(path)?.sync_data()
            }
            Some(current) => current.file.sync_data(),
            None => Ok(()),
        }
    }

    /// Bytes on disk behind what was read, a little too many: for progress only.
    #[must_use]
    pub fn unread_bytes(&self) -> u64 {
        let Ok(listed) = super::list(&self.folder) else { return 0 };
        let sequence = self.current.as_ref().map_or(0, |current| current.header.sequence);
        let newer = listed.iter().filter(|segment| segment.sequence > sequence);
        newer.filter_map(|segment| std::fs::metadata(&segment.path).ok()).map(|metadata| metadata.len()).sum()
    }

    fn count(&mut self, arrival: &Arrival) {
        if let Event::Data(bytes) = &arrival.event {
            self.stream = self.stream.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        }
    }

    fn enter_first(&mut self) -> io::Result<bool> {
        let listed = match super::list(&self.folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(first) = listed.first() else { return Ok(false) };
        let Some(header) = header_of(&first.path, first.sequence)? else { return Ok(false) };
        self.enter(header)?;
        Ok(true)
    }

    fn enter(&mut self, header: Header) -> io::Result<()> {
        let file = File::open(super::segment_path(&self.folder, header.sequence))?;
        self.stream = header.first;
        let offset = u64::try_from(HEADER_BYTES).unwrap_or(0);
        self.current = Some(Current { file, header, offset, buffer: Vec::new(), used: 0 });
        Ok(())
    }

    /// Reads over what lies before `wanted`; the part of a record behind it is not given again, so cursors stand
    /// at ends of tickets and [`Reader::next_event`] may start with the rest of a record.
    fn skip_to(&mut self, wanted: u64) -> io::Result<()> {
        while self.stream < wanted {
            let Some(arrival) = self.read_record()? else { return Ok(()) };
            let before = self.stream;
            self.count(&arrival);
            if self.stream > wanted
                && let Event::Data(bytes) = arrival.event
            {
                let seen = usize::try_from(wanted.saturating_sub(before)).unwrap_or(0);
                let rest = bytes.get(seen..).unwrap_or_default().to_vec();
                self.stream = self.stream.saturating_sub(u64::try_from(rest.len()).unwrap_or(0));
                self.push_back(Arrival { at: arrival.at, event: Event::Data(rest) });
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes an event the next one to be read.
    fn push_back(&mut self, arrival: Arrival) {
        if let Some(current) = &mut self.current {
            let mut again = Vec::new();
            super::put_record(&mut again, current.header.sequence, &arrival);
            again.extend_from_slice(current.buffer.get(current.used..).unwrap_or_default());
            current.buffer = again;
            current.used = 0;
        }
    }

    fn read_record(&mut self) -> io::Result<Option<Arrival>> {
        let Some(current) = &mut self.current else { return Ok(None) };
        for fresh in [false, true] {
            if fresh {
                current.refill()?;
            }
            let rest = current.buffer.get(current.used..).unwrap_or_default();
            if let Some(found) = super::take_record(rest, current.header.sequence) {
                current.used = current.used.saturating_add(found.bytes);
                return Ok(Some(found.arrival));
            }
        }
        Ok(None)
    }

    fn following(&self) -> io::Result<Option<Header>> {
        let Some(current) = &self.current else { return Ok(None) };
        let next = super::list(&self.folder)?.into_iter().find(|listed| listed.sequence > current.header.sequence);
        match next {
            Some(next) => header_of(&next.path, next.sequence),
            None => Ok(None),
        }
    }
}

impl Current {
    /// Reads on from the first record that is not used yet: it may have been half written at the last look.
    fn refill(&mut self) -> io::Result<()> {
        let unused = self.buffer.len().saturating_sub(self.used);
        let start = self.offset.saturating_sub(u64::try_from(unused).unwrap_or(0));
        self.file.seek(SeekFrom::Start(start))?;
        let mut buffer = Vec::with_capacity(READ_BYTES);
        (&self.file).take(u64::try_from(READ_BYTES).unwrap_or(0)).read_to_end(&mut buffer)?;
        self.offset = start.saturating_add(u64::try_from(buffer.len()).unwrap_or(0));
        self.buffer = buffer;
        self.used = 0;
        Ok(())
    }
}

fn header_of(path: &Path, sequence: u64) -> io::Result<Option<Header>> {
    let mut head = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(u64::try_from(HEADER_BYTES).unwrap_or(0)).read_to_end(&mut head)?,
        // Given up or renamed since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Header::parse(&head).filter(|header| header.sequence == sequence))
}
