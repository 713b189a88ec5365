//! Files with counts (IO). They belong to the POS or to whoever counted: read whole, never moved, never held open.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};
use sync_core::model::Timestamp;

use super::parse::{self, Layout};
use super::settings::{CountSettings, TakenAt};
use super::{CountColumns, RawCount};
use crate::SourceError;
use crate::file::SettingFault;
use crate::file::decode;
use crate::file::glob::PathPattern;
use crate::file::plan::{date_order_of, decimal_of, delimiter, duration};
use crate::file::scan::{self, Stat};
use crate::file::settings::Format;
use crate::file::value::{self, StoreClock};
use crate::tables::{self, Table};

/// Largest file that is read.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
const SETTLE_DEFAULT: Duration = Duration::from_secs(2);
const SETTLE_RANGE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(600));

/// Reads the files of one `[[count]]`.
#[derive(Debug, Clone)]
pub struct Reader {
    name: String,
    pattern: PathPattern,
    layout: Layout,
    table: Option<Table>,
    zone: TimeZone,
    taken_at: TakenAt,
    settle: Duration,
}

/// A file that could be a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is.
    pub path: PathBuf,
    /// How it looked: size and time of writing; another look is another content.
    pub look: (u64, i64),
}

/// A file as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCount {
    /// Its rows.
    pub count: RawCount,
    /// When it was taken, for rows that do not say it.
    pub taken_at: Timestamp,
    /// SHA-256 of its content, and of its name where that says when it was taken.
    pub hash: String,
}

impl Reader {
    /// Checks the settings.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(settings: &CountSettings, store_zone: &TimeZone) -> Result<Self, Vec<SettingFault>> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, message: String| faults.push(SettingFault { key: key.to_owned(), message });
        let mut take = |key: &str, result: Result<(), String>| {
            if let Err(message) = result {
                fault(key, message);
            }
        };
        let pattern = PathPattern::new(settings.path.as_deref().unwrap_or_default());
        take("path", pattern.as_ref().map(|_| ()).map_err(Clone::clone));
        let encoding = match settings.encoding.as_deref() {
            None | Some("auto") => Ok(None),
            Some(label) => decode::by_label(label).map(Some),
        };
        take("encoding", encoding.as_ref().map(|_| ()).map_err(Clone::clone));
        let delimiter = delimiter(settings.delimiter.as_deref());
        take("delimiter", delimiter.as_ref().map(|_| ()).map_err(Clone::clone));
        let settle = duration(settings.settle.as_deref(), SETTLE_DEFAULT, SETTLE_RANGE);
        take("settle", settle.as_ref().map(|_| ()).map_err(Clone::clone));
        let zone = match settings.timezone.as_deref() {
            None => Ok(store_zone.clone()),
            Some(name) => TimeZone::get(name).map_err(|_| format!("`{name}` is no IANA time zone")),
        };
        take("timezone", zone.as_ref().map(|_| ()).map_err(Clone::clone));
        let encoding = encoding.unwrap_or_default();
        let table = match settings.format {
            None | Some(Format::Csv) => None,
            Some(Format::Fixed) => {
                Some(Table::Fixed { settings: settings.fixed.clone().unwrap_or_default(), encoding })
            }
            Some(Format::Dbf) => Some(Table::Dbf { settings: settings.dbf.clone().unwrap_or_default(), encoding }),
            Some(Format::Xlsx) => Some(Table::Sheet { settings: settings.sheet.clone().unwrap_or_default() }),
            Some(Format::Jsonl | Format::Json) => {
                take("format", Err("counts are read as csv, fixed, dbf or xlsx".to_owned()));
                None
            }
        };
        faults.extend(table.iter().flat_map(Table::faults));
        let (Ok(pattern), Ok(delimiter), Ok(settle), Ok(zone), true) =
            (pattern, delimiter, settle, zone, faults.is_empty())
        else {
            return Err(faults);
        };
        let layout = layout(settings, table.is_some(), encoding, delimiter);
        let taken_at = settings.taken_at.unwrap_or(if settings.columns.counted_at.is_some() {
            TakenAt::Column
        } else {
            TakenAt::Written
        });
        Ok(Self { name: settings.name.clone(), pattern, layout, table, zone, taken_at, settle })
    }

    /// The time for which a file must be unchanged.
    #[must_use]
    pub fn settle(&self) -> Duration {
        self.settle
    }

    /// Folders whose change should wake.
    #[must_use]
    pub fn watched(&self) -> Vec<PathBuf> {
        scan::folders(&self.pattern)
    }

    /// Files that there are now, the one written last comes last.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn candidates(&self) -> Result<Vec<Candidate>, SourceError> {
        let mut found: Vec<Candidate> = scan::list(&self.name, &self.pattern, &[])?
            .into_iter()
            .filter(|found| found.wanted)
            .map(|found| Candidate { look: (found.stat.size, found.stat.modified), path: found.path })
            .collect();
        found.sort_by(|a, b| (a.look.1, &a.path).cmp(&(b.look.1, &b.path)));
        Ok(found)
    }

    /// Whether a file still looks as it did.
    #[must_use]
    pub fn is_unchanged(&self, candidate: &Candidate) -> bool {
        std::fs::metadata(&candidate.path).is_ok_and(|metadata| {
            let stat = Stat::of(&metadata);
            (stat.size, stat.modified) == candidate.look
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Why it is no count, in plain words.
    pub fn read(&self, path: &Path) -> Result<FileCount, String> {
        let shown = path.display();
        let metadata = std::fs::metadata(path).map_err(|error| format!("cannot look at `{shown}`: {error}"))?;
        if metadata.len() > FILE_BYTES_MAX {
            return Err(format!("`{shown}` has {} bytes, more than a count has", metadata.len()));
        }
        let raw = std::fs::read(path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
        let mut clock = StoreClock::new(self.zone.clone());
        let bytes = match &self.table {
            None => std::borrow::Cow::Borrowed(raw.as_slice()),
            Some(table) => tables::read(table, path)
                .map_err(|error| format!("cannot read `{shown}`: {error}"))?
                .map_err(|reason| format!("`{shown}` {reason}"))?
                .into(),
        };
        let count = parse::rows(&bytes, &self.layout, &mut clock).map_err(|reason| format!("`{shown}` {reason}"))?;
        let mut hash = Sha256::new();
        hash.update(&raw);
        let taken_at = match self.taken_at {
            TakenAt::Name => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                hash.update(name.as_bytes());
                in_name(&name, &mut clock).ok_or_else(|| {
                    format!("`{shown}` has no date and time in its name, as in `stock-20261125-2230.csv`")
                })?
            }
            TakenAt::Column | TakenAt::Written => Timestamp(Stat::of(&metadata).modified),
        };
        Ok(FileCount { count, taken_at, hash: hex(&hash.finalize()) })
    }
}

fn layout(
    settings: &CountSettings,
    is_table: bool,
    encoding: Option<decode::Encoding>,
    delimiter: Option<u8>,
) -> Layout {
    let CountColumns { sku, quantity, counted_at } = settings.columns.clone();
    Layout {
        encoding: if is_table { Some(decode::Encoding::Utf8) } else { encoding },
        delimiter: if is_table { Some(b',') } else { delimiter },
        decimal: settings.decimal.and_then(decimal_of).or_else(|| is_table.then_some(value::DecimalSign::Point)),
        date_order: settings.date_order.and_then(date_order_of),
        header: is_table || settings.header.unwrap_or(true),
        sku: sku.unwrap_or_else(|| "sku".to_owned()),
        quantity: quantity.unwrap_or_else(|| "quantity".to_owned()),
        counted_at,
    }
}

/// Date and time from the digits of a name: `stock-20261125-2230.csv`, `2026-11-25_22-30-00.csv`.
fn in_name(name: &str, clock: &mut StoreClock) -> Option<Timestamp> {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let whole = match digits.len() {
        12 => format!("{digits}00"),
        14 => digits,
        _ => return None,
    };
    value::moment(&whole, None).ok().and_then(|moment| clock.utc(moment))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_when_a_file_was_taken() {
        let mut clock = StoreClock::new(TimeZone::UTC);
        for name in ["stock-20261125-2230.csv", "2026-11-25_22-30-00.csv"] {
            let at = in_name(name, &mut clock).unwrap();
            assert_eq!(jiff::Timestamp::from_microsecond(at.0).unwrap().to_string(), "2026-11-25T22:30:00Z");
        }
        assert_eq!(in_name("stock-20261125.csv", &mut clock), None);
    }
}
