//! Writes the store: one writer for a folder. Never reads the records of older segments.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sync_core::model::Timestamp;

use super::{Arrival, Event, HEADER_BYTES, Header, Limits, PAYLOAD_BYTES_MAX, RECORD_BYTES};

/// Most spares, whatever the reserve says.
const SPARES_MAX: u64 = 64;
/// A segment takes bytes for this part of the time that they are kept.
const AGED_PART: u32 = 8;
/// Zeros are written in pieces of this many bytes.
const ZEROS: usize = 64 * 1024;

/// Appends to the store.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    limits: Limits,
    /// All segments, the open one last.
    segments: Vec<Segment>,
    spares: Vec<PathBuf>,
    spare_number: u64,
    epoch: u64,
    open: Option<Open>,
    /// Stream bytes stored so far.
    end: u64,
    /// Stream bytes that were parsed and committed.
    parsed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    sequence: u64,
    first: u64,
    made_at: i64,
}

#[derive(Debug)]
struct Open {
    file: File,
    sequence: u64,
    offset: u64,
    dirty: bool,
}

impl Writer {
    /// Opens or begins the store. Reads the newest segment to find its end.
    ///
    /// # Errors
    /// The folder cannot be made, listed or read.
    pub fn open(folder: &Path, limits: Limits, now: Timestamp) -> io::Result<Self> {
        make_folder(folder)?;
        let mut writer = Self {
            folder: folder.to_path_buf(),
            limits,
            segments: Vec::new(),
            spares: Vec::new(),
            spare_number: 0,
            epoch: now.0.cast_unsigned(),
            open: None,
            end: 0,
            parsed: 0,
        };
        writer.find_segments()?;
        writer.find_spares()?;
        writer.find_end()?;
        writer.provide_spares();
        Ok(writer)
    }

    /// Stream bytes stored so far.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// All stream bytes before `stream` were parsed and committed: their space may be used again.
    pub fn parsed_to(&mut self, stream: u64) {
        self.parsed = self.parsed.max(stream.min(self.end));
    }

    /// Bytes that segments and spares take.
    #[must_use]
    pub fn taken_bytes(&self) -> u64 {
        let files = self.segments.len().saturating_add(self.spares.len());
        u64::try_from(files).unwrap_or(u64::MAX).saturating_mul(self.limits.segment_bytes)
    }

    /// Writes events one after the other, as far as there is room. Not synced.
    ///
    /// # Errors
    /// No space, or the disk fails. Events that were written before it stay; the number of stream bytes that were not
    /// written is the difference of [`Writer::end`].
    pub fn append(&mut self, arrivals: &[Arrival], now: Timestamp) -> io::Result<()> {
        let mut batch = Vec::new();
        let mut stream = 0_u64;
        for arrival in arrivals.iter().flat_map(pieces) {
            let needed = RECORD_BYTES.saturating_add(arrival.event.payload().len());
            if !self.fits(batch.len().saturating_add(needed)) || self.is_aged(now) {
                self.write(&mut batch, &mut stream)?;
                self.next_segment(now)?;
            }
            let Some(open) = &self.open else { return Err(full()) };
            super::put_record(&mut batch, open.sequence, &arrival);
            if let Event::Data(bytes) = &arrival.event {
                stream = stream.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
            }
        }
        self.write(&mut batch, &mut stream)
    }

    /// Puts what was written on the disk.
    ///
    /// # Errors
    /// The disk fails.
    pub fn sync(&mut self) -> io::Result<()> {
        if let Some(open) = self.open.as_mut().filter(|open| open.dirty) {
            open.file.sync_data()?;
            open.dirty = false;
        }
        Ok(())
    }

    fn fits(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.open.as_ref().is_some_and(|open| open.offset.saturating_add(bytes) <= self.limits.segment_bytes)
    }

    /// A quiet line also begins new segments, so that its oldest can go about when it should.
    fn is_aged(&self, now: Timestamp) -> bool {
        let is_used = self.open.as_ref().is_some_and(|open| open.offset > offset(HEADER_BYTES));
        let made_at = self.segments.last().map_or(now.0, |last| last.made_at);
        is_used && now.since(Timestamp(made_at)) > self.limits.keep / AGED_PART
    }

    fn write(&mut self, batch: &mut Vec<u8>, stream: &mut u64) -> io::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let Some(open) = &mut self.open else { return Err(full()) };
        let result = open.file.seek(SeekFrom::Start(open.offset)).and_then(|_| open.file.write_all(batch));
        if let Err(error) = result {
            // What was written in part has no valid checksum and is written over.
            batch.clear();
            return Err(error);
        }
        open.offset = open.offset.saturating_add(u64::try_from(batch.len()).unwrap_or(0));
        open.dirty = true;
        self.end = self.end.saturating_add(*stream);
        *stream = 0;
        batch.clear();
        Ok(())
    }

    /// Begins the next segment in reserved space, and takes the reserve anew behind it.
    fn next_segment(&mut self, now: Timestamp) -> io::Result<()> {
        self.sync()?;
        self.retire(now);
        let sequence = self.segments.last().map_or(1, |last| last.sequence.saturating_add(1));
        let path = super::segment_path(&self.folder, sequence);
        let mut file = self.space_for(&path)?;
        let header = Header { sequence, epoch: self.epoch, first: self.end, made_at: now.0 };
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header.bytes())?;
        file.sync_data()?;
        sync_folder(&self.folder);
        self.segments.push(Segment { sequence, first: self.end, made_at: now.0 });
        self.open = Some(Open { file, sequence, offset: offset(HEADER_BYTES), dirty: false });
        self.provide_spares();
        Ok(())
    }

    fn space_for(&mut self, path: &Path) -> io::Result<File> {
        if let Some(spare) = self.spares.last() {
            fs::rename(spare, path)?;
            self.spares.pop();
            return reopen(path);
        }
        match self.new_space(path) {
            Ok(file) => Ok(file),
            Err(refused) => self.oldest_space(path)?.ok_or(refused),
        }
    }

    /// Space that the disk did not give to us yet.
    fn new_space(&self, path: &Path) -> io::Result<File> {
        if self.taken_bytes().saturating_add(self.limits.segment_bytes) > self.limits.total_bytes {
            return Err(full());
        }
        create(path, self.limits.segment_bytes).inspect_err(|_| {
            // Half a file holds space that something else may need.
            let _gone = fs::remove_file(path);
        })
    }

    /// The space of the oldest segment, if all of it was parsed.
    fn oldest_space(&mut self, path: &Path) -> io::Result<Option<File>> {
        if !self.is_parsed(0) {
            return Ok(None);
        }
        let oldest = self.segments.remove(0);
        fs::rename(super::segment_path(&self.folder, oldest.sequence), path)?;
        let mut file = reopen(path)?;
        zero(&mut file, self.limits.segment_bytes)?;
        Ok(Some(file))
    }

    /// Whether the segment at `index` was parsed to its end. The open one never counts.
    fn is_parsed(&self, index: usize) -> bool {
        self.segments.get(index.saturating_add(1)).is_some_and(|next| next.first <= self.parsed)
    }

    /// Gives parsed segments up that are older than they have to be kept.
    fn retire(&mut self, now: Timestamp) {
        while self.is_parsed(0) {
            let closed_at = self.segments.get(1).map_or(now.0, |next| next.made_at);
            if now.since(Timestamp(closed_at)) <= self.limits.keep {
                return;
            }
            let oldest = self.segments.remove(0);
            if let Err(error) = fs::remove_file(super::segment_path(&self.folder, oldest.sequence)) {
                tracing::warn!(%error, sequence = oldest.sequence, "Cannot delete an old capture of a printer's line");
            }
        }
    }

    /// Takes the reserve on the disk: new space, else that of the oldest parsed segments. A disk that is full of unread
    /// bytes has none; it is tried again at each segment.
    fn provide_spares(&mut self) {
        let wanted = self.limits.reserve_bytes.checked_div(self.limits.segment_bytes).unwrap_or(0).min(SPARES_MAX);
        while u64::try_from(self.spares.len()).unwrap_or(u64::MAX) < wanted {
            let path = self.folder.join(format!("spare-{}.raw", self.spare_number));
            self.spare_number = self.spare_number.saturating_add(1);
            let taken = self.new_space(&path).or_else(|refused| self.oldest_space(&path)?.ok_or(refused));
            match taken {
                Ok(_) => self.spares.push(path),
                Err(error) => {
                    tracing::debug!(%error, "The reserve for a printer's line is not complete");
                    return;
                }
            }
        }
    }

    fn find_segments(&mut self) -> io::Result<()> {
        for listed in super::list(&self.folder)? {
            let mut head = Vec::new();
            File::open(&listed.path)?.take(u64::try_from(HEADER_BYTES).unwrap_or(0)).read_to_end(&mut head)?;
            match Header::parse(&head).filter(|header| header.sequence == listed.sequence) {
                Some(header) => {
                    self.epoch = header.epoch;
                    self.segments.push(Segment {
                        sequence: header.sequence,
                        first: header.first,
                        made_at: header.made_at,
                    });
                }
                // A power cut between taking the space and writing the header: nothing was stored in it.
                None if is_unused(&head, listed.sequence) => fs::remove_file(&listed.path)?,
                None => {
                    let aside = self.folder.join(format!("damaged-{:010}.raw", listed.sequence));
                    tracing::error!(aside = %aside.display(), "A capture of a printer's line is damaged on the disk; set aside");
                    fs::rename(&listed.path, &aside)?;
                }
            }
        }
        Ok(())
    }

    fn find_spares(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let number = name.strip_prefix("spare-").and_then(|rest| rest.strip_suffix(".raw"));
            let Some(number) = number.and_then(|digits| digits.parse::<u64>().ok()) else { continue };
            self.spare_number = self.spare_number.max(number.saturating_add(1));
            if fs::metadata(&path)?.len() == self.limits.segment_bytes {
                self.spares.push(path);
            } else {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Reads the newest segment to its last whole record. Goes on behind it if only zeros follow, else (a torn tail, or
    /// another size) begins a new one with the next event.
    fn find_end(&mut self) -> io::Result<()> {
        let Some(last) = self.segments.last().copied() else { return Ok(()) };
        let bytes = fs::read(super::segment_path(&self.folder, last.sequence))?;
        let mut rest = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let mut stream = last.first;
        while let Some(found) = super::take_record(rest, last.sequence) {
            if let Event::Data(data) = &found.arrival.event {
                stream = stream.saturating_add(u64::try_from(data.len()).unwrap_or(0));
            }
            rest = rest.get(found.bytes..).unwrap_or_default();
        }
        self.end = stream;
        let whole = u64::try_from(bytes.len()).is_ok_and(|length| length == self.limits.segment_bytes);
        if whole && rest.iter().all(|byte| *byte == 0) {
            let file = reopen(&super::segment_path(&self.folder, last.sequence))?;
            let used = bytes.len().saturating_sub(rest.len());
            self.open = Some(Open { file, sequence: last.sequence, offset: offset(used), dirty: false });
        } else {
            tracing::warn!(
                sequence = last.sequence,
                "The capture of a printer's line has a torn end; going on in a new segment"
            );
        }
        Ok(())
    }
}

/// Space that was taken for a segment and not begun: zeros, or the header of what was there before.
fn is_unused(head: &[u8], sequence: u64) -> bool {
    head.iter().all(|byte| *byte == 0) || Header::parse(head).is_some_and(|header| header.sequence != sequence)
}

/// An event in pieces that fit into one record.
fn pieces(arrival: &Arrival) -> Vec<Arrival> {
    let split = |bytes: &[u8], event: fn(Vec<u8>) -> Event| {
        bytes.chunks(PAYLOAD_BYTES_MAX).map(|piece| Arrival { at: arrival.at, event: event(piece.to_vec()) }).collect()
    };
    match &arrival.event {
        Event::Data(bytes) if bytes.len() > PAYLOAD_BYTES_MAX => split(bytes, Event::Data),
        Event::Answer(bytes) if bytes.len() > PAYLOAD_BYTES_MAX => split(bytes, Event::Answer),
        Event::Damage(text) if text.len() > PAYLOAD_BYTES_MAX => {
            let text = text.chars().take(PAYLOAD_BYTES_MAX / 4).collect();
            vec![Arrival { at: arrival.at, event: Event::Damage(text) }]
        }
        Event::Data(_) | Event::Answer(_) | Event::Damage(_) | Event::End | Event::Away => vec![arrival.clone()],
    }
}

fn offset(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "the space for this line is full of bytes that were not parsed yet")
}

/// A folder that only its owner may enter: printed tickets can name customers.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

fn create(path: &Path, bytes: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    zero(&mut file, bytes)?;
    Ok(file)
}

/// Real zeros rather than a hole: only they take the space now.
fn zero(file: &mut File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS];
    file.seek(SeekFrom::Start(0))?;
    let mut left = bytes;
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(ZEROS).min(ZEROS);
        file.write_all(zeros.get(..piece).unwrap_or_default())?;
        left = left.saturating_sub(u64::try_from(piece).unwrap_or(left));
    }
    file.sync_all()
}

fn reopen(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// So that a new name survives a power cut. Windows has no such call and needs none.
fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Err(error) = File::open(folder).and_then(|folder| folder.sync_all())
    {
        tracing::debug!(%error, "Cannot sync the folder of a printer's line");
    }
}
