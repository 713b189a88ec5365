//! Logs and the names of metrics. Owns where log lines go and how they look; never decides what is logged.
//!
//! Logging must never stop the agent: a line that cannot be written is lost, and that is counted.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use thiserror::Error;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{FmtSpan, Format, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Old log files kept beside the current one, as `NAME.1` (newest) to `NAME.3`.
pub const LOG_FILES_KEPT: u32 = 3;

/// Name of the log file in the state folder.
/// Name of the log file in the `logs` folder of the state folder.
pub const FILE_NAME: &str = "tillsync.log";

/// Why logs cannot be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The log file cannot be opened.
    #[error("cannot open the log file `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The level is not understood.
    #[error("`{level}` is not a log level")]
    Level {
        /// As written.
        level: String,
        /// Why.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Set up twice in one process.
    #[error("logs are set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

impl TelemetryError {
    /// Stable code, listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "log_file_unusable",
            Self::Level { .. } => "log_level_unknown",
            Self::Twice(_) => "log_set_up_twice",
        }
    }

    /// The next step.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "let the agent's user write to the folder, or name another file in `[log] file`",
            Self::Level { .. } => "use error, warn, info, debug or trace",
            Self::Twice(_) => "this is a fault of the program; please report it",
        }
    }
}

/// Where lines go and how they look, decided from the configuration and the surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlan {
    /// Never [`LogFormat::Auto`].
    pub format: LogFormat,
    /// A file, or standard error.
    pub file: Option<PathBuf>,
    /// Colours.
    pub colour: bool,
}

/// What the process is surrounded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// Standard error is a terminal.
    pub terminal: bool,
    /// Standard error goes to the journal.
    pub journal: bool,
    /// Colours are wanted.
    pub colour: bool,
}

impl Surroundings {
    /// As they are.
    #[must_use]
    pub fn now() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            journal: stderr_is_journal(),
            colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// systemd.exec(5): `$JOURNAL_STREAM` is `device:inode` of the stream, so that a redirected stream is noticed.
#[cfg(target_os = "linux")]
fn stderr_is_journal() -> bool {
    use std::os::unix::fs::MetadataExt;
    let Some((device, inode)) = std::env::var("JOURNAL_STREAM")
        .ok()
        .and_then(|text| text.split_once(':').map(|(device, inode)| (device.to_owned(), inode.to_owned())))
    else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stream| stream.dev().to_string() == device && stream.ino().to_string() == inode)
}

#[cfg(not(target_os = "linux"))]
fn stderr_is_journal() -> bool {
    false
}

/// Decides where lines go. Pure.
#[must_use]
pub fn plan(log: &LogConfig, state_folder: &Path, around: Surroundings) -> LogPlan {
    let file = || state_folder.join("logs").join(FILE_NAME);
    let auto = log.format == LogFormat::Auto;
    let format = match (log.format, &log.file) {
        (LogFormat::Auto, Some(_)) => LogFormat::Human,
        (LogFormat::Auto, None) if around.journal => LogFormat::Journald,
        (LogFormat::Auto, None) => LogFormat::Human,
        (format @ (LogFormat::Human | LogFormat::Json | LogFormat::Journald), _) => format,
    };
    let nobody_reads = auto && !around.journal && !around.terminal;
    let file = log.file.clone().or_else(|| nobody_reads.then(file));
    let colour = around.terminal && around.colour && file.is_none();
    LogPlan { format, file, colour }
}

/// Sets up logs for the rest of the process and answers where they go.
///
/// # Errors
/// The log file cannot be opened, or logs were set up before.
pub fn install(log: &LogConfig, state_folder: &Path) -> Result<LogPlan, TelemetryError> {
    let plan = plan(log, state_folder, Surroundings::now());
    let filter: Targets =
        log.level.parse().map_err(|source| TelemetryError::Level { level: log.level.clone(), source })?;
    let result = match &plan.file {
        Some(path) => {
            let file = RotatingFile::open(path, log.file_bytes_max)
                .map_err(|source| TelemetryError::File { path: path.clone(), source })?;
            subscribe(&plan, filter, Mutex::new(file))
        }
        None => subscribe(&plan, filter, io::stderr),
    };
    result.map_err(TelemetryError::Twice)?;
    Ok(plan)
}

fn subscribe<W>(plan: &LogPlan, filter: Targets, writer: W) -> Result<(), tracing_subscriber::util::TryInitError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let base = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(plan.colour)
        .with_writer(writer);
    match plan.format {
        LogFormat::Json => base.json().flatten_event(true).with_current_span(false).finish().with(filter).try_init(),
        LogFormat::Journald => base.event_format(JournalLine(Format::default())).finish().with(filter).try_init(),
        LogFormat::Auto | LogFormat::Human => base.with_target(false).finish().with(filter).try_init(),
    }
}

/// `<N>` priority (sd-daemon(3)) and no time: the journal knows both better.
struct JournalLine(Format);

impl<S, N> FormatEvent<S, N> for JournalLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.clone().without_time().with_level(false).with_target(false).with_ansi(false).format_event(
            ctx,
            Writer::new(&mut line),
            event,
        )?;
        // The journal ends an entry at a line break, and only the first line would carry the priority.
        writeln!(writer, "<{}>{}", priority(*event.metadata().level()), line.trim_end().replace('\n', "\\n"))
    }
}

/// syslog(3) severities.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// A file that is renamed to `NAME.1` before it grows beyond its limit. Never fails to its caller.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    bytes_max: u64,
    len: u64,
    file: File,
    /// Lines that could not be written since the last one that could.
    lost: u64,
}

impl RotatingFile {
    /// Opens or makes the file and its folder.
    ///
    /// # Errors
    /// The folder or file cannot be made or opened.
    pub fn open(path: &Path, bytes_max: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = append_to(path)?;
        let len = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), bytes_max, len, file, lost: 0 })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..LOG_FILES_KEPT).rev() {
            let next = numbered(&self.path, number.saturating_add(1));
            match std::fs::rename(numbered(&self.path, number), next) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        std::fs::rename(&self.path, numbered(&self.path, 1))?;
        self.file = append_to(&self.path)?;
        self.len = 0;
        Ok(())
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let wanted = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.len > 0 && self.len.saturating_add(wanted) > self.bytes_max {
            self.rotate()?;
        }
        if self.lost > 0 {
            let note = format!("{} log lines before this one could not be written\n", self.lost);
            self.file.write_all(note.as_bytes())?;
            self.len = self.len.saturating_add(u64::try_from(note.len()).unwrap_or(0));
            self.lost = 0;
        }
        self.file.write_all(line)?;
        self.len = self.len.saturating_add(wanted);
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.write_line(line).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// The last `bytes_max` bytes of the log file and its predecessors, oldest first, from the start of a line.
#[must_use]
pub fn log_tail(path: &Path, bytes_max: usize) -> String {
    let mut newest_first = Vec::new();
    let mut room = bytes_max;
    let files = std::iter::once(path.to_owned()).chain((1..=LOG_FILES_KEPT).map(|number| numbered(path, number)));
    for file in files {
        if room == 0 {
            break;
        }
        let Ok(tail) = tail_of(&file, room) else {
            continue;
        };
        room = room.saturating_sub(tail.len());
        newest_first.push(tail);
    }
    newest_first.reverse();
    String::from_utf8_lossy(&newest_first.concat()).into_owned()
}

fn tail_of(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let start = file.metadata()?.len().saturating_sub(limit);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    if start > 0 {
        let line = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at.saturating_add(1));
        bytes.drain(..line);
    }
    Ok(bytes)
}

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

/// One metric. Names are an interface: they change only with a note in the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// As in the exposition.
    pub name: &'static str,
    /// What it does.
    pub kind: MetricKind,
    /// One line for people.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $id:ident = $kind:ident $name:literal, $help:literal;)*) => {
        /// The names of all metrics.
        pub mod metric {
            use super::{Metric, MetricKind};
            $($(#[$doc])* #[doc = $help] pub const $id: Metric = Metric { name: $name, kind: MetricKind::$kind, help: $help };)*
            /// All of them, in the order of the exposition.
            pub const ALL: &[Metric] = &[$($id),*];
        }
    };
}

metrics! {
    BUILD_INFO = Gauge "tillsync_build_info", "Always 1; the labels name store and version";
    HEALTHY = Gauge "tillsync_healthy", "1 if nobody has to act";
    READY = Gauge "tillsync_ready", "1 once sources and outbox are up";
    UPTIME_SECONDS = Gauge "tillsync_uptime_seconds", "Seconds since the agent started";
    SOURCE_UP = Gauge "tillsync_source_up", "0 if the source cannot be read now";
    SOURCE_TRANSACTIONS = Counter "tillsync_source_transactions_total", "Transactions read, changed ones again";
    SOURCE_LINES = Counter "tillsync_source_lines_total", "Lines read";
    SOURCE_QUARANTINED = Gauge "tillsync_source_quarantined", "Records that wait in quarantine";
    SOURCE_BACKLOG_BYTES = Gauge "tillsync_source_backlog_bytes", "Bytes that are not read yet";
    SOURCE_LAST_READ = Gauge "tillsync_source_last_read_timestamp_seconds", "When the source was last read";
    SOURCE_LAST_SALE = Gauge "tillsync_source_last_sale_timestamp_seconds", "POS time of the latest sale";
    LANE_OPEN = Gauge "tillsync_lane_open", "1 if the lane sends, 0 if it backs off or is paused";
    LANE_WAITING_ENTRIES = Gauge "tillsync_lane_waiting_entries", "Outbox entries that wait";
    LANE_WAITING_LINES = Gauge "tillsync_lane_waiting_lines", "Sale lines that they stand for";
    LANE_IN_FLIGHT = Gauge "tillsync_lane_in_flight", "Requests under way";
    LANE_DELIVERED_LINES = Counter "tillsync_lane_delivered_lines_total", "Sale lines whose effect is on the platform";
    LANE_DEAD_LETTERS = Gauge "tillsync_lane_dead_letters", "Entries that the platform will never take as they are";
    LANE_UNKNOWN_SKUS = Gauge "tillsync_lane_unknown_skus", "SKUs that the platform does not know";
    LANE_UNCERTAIN = Gauge "tillsync_lane_uncertain", "Items whose effect is unknown and is being settled by read-back";
    LANE_REQUESTS = Counter "tillsync_lane_requests_total", "Requests sent";
    LANE_RETRIES = Counter "tillsync_lane_retries_total", "Requests sent again";
    LANE_LAST_DELIVERED = Gauge "tillsync_lane_last_delivered_timestamp_seconds", "When the platform last took a change";
    LANE_OLDEST_WAITING = Gauge "tillsync_lane_oldest_waiting_timestamp_seconds", "Since when the oldest waiting entry waits";
    LEDGER_TRANSACTIONS = Gauge "tillsync_ledger_transactions", "Transactions on record";
    LEDGER_LINES = Gauge "tillsync_ledger_lines", "Lines on record";
    LEDGER_SKUS = Gauge "tillsync_ledger_skus", "SKUs on record";
    STATE_BYTES = Gauge "tillsync_state_bytes", "Size of the database";
    WAL_BYTES = Gauge "tillsync_wal_bytes", "Size of the database's write-ahead log";
    DISK_FREE_BYTES = Gauge "tillsync_disk_free_bytes", "Free bytes on the disk of the state folder";
    CLOCK_TRUSTED = Gauge "tillsync_clock_trusted", "1 if this machine's clock can be believed";
    TILL_TO_SHOP = Histogram "tillsync_till_to_shop_seconds", "From the POS's line being seen to the platform's answer";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(format: LogFormat, file: Option<&str>) -> LogConfig {
        LogConfig { format, level: "info".to_owned(), file: file.map(PathBuf::from), file_bytes_max: 100 }
    }

    #[test]
    fn lines_go_where_somebody_reads_them() {
        let around = |terminal, journal| Surroundings { terminal, journal, colour: true };
        let check = |format, file, around, expected: (LogFormat, Option<&str>, bool)| {
            let plan = plan(&log(format, file), Path::new("/state"), around);
            assert_eq!((plan.format, plan.file, plan.colour), (expected.0, expected.1.map(PathBuf::from), expected.2));
        };
        check(LogFormat::Auto, None, around(true, false), (LogFormat::Human, None, true));
        check(LogFormat::Auto, None, around(false, true), (LogFormat::Journald, None, false));
        check(LogFormat::Auto, None, around(false, false), (LogFormat::Human, Some("/state/logs/tillsync.log"), false));
        check(LogFormat::Auto, Some("/l"), around(false, true), (LogFormat::Human, Some("/l"), false));
        check(LogFormat::Json, None, around(false, false), (LogFormat::Json, None, false));
        check(LogFormat::Json, Some("/l"), around(true, false), (LogFormat::Json, Some("/l"), false));
    }

    #[test]
    fn a_log_file_never_grows_beyond_its_limit_and_three_old_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs").join("t.log");
        let mut file = RotatingFile::open(&path, 40).unwrap();
        for number in 0..20 {
            file.write_all(format!("line {number:04} of the log\n").as_bytes()).unwrap();
        }
        let mut names: Vec<_> =
            std::fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["t.log", "t.log.1", "t.log.2", "t.log.3"]);
        assert!(std::fs::metadata(&path).unwrap().len() <= 40);
        let tail = log_tail(&path, 1000);
        assert!(tail.ends_with("line 0019 of the log\n"), "{tail}");
        assert!(tail.lines().map(str::to_owned).collect::<Vec<_>>().is_sorted(), "{tail}");
        let short = log_tail(&path, 30);
        assert_eq!(short, "line 0019 of the log\n");
    }

    #[test]
    fn an_existing_log_file_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.log");
        RotatingFile::open(&path, 1000).unwrap().write_all(b"one\n").unwrap();
        RotatingFile::open(&path, 1000).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_journal_line_carries_its_priority_and_no_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.log");
        let file = RotatingFile::open(&path, 1000).unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(Mutex::new(file))
            .event_format(JournalLine(Format::default()))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(lane = "shopify", "Lane backs off\nsecond");
            tracing::info!("Started");
        });
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "<4>Lane backs off\\nsecond lane=\"shopify\"\n<6>Started\n");
    }

    #[test]
    fn metric_names_are_unique_and_end_as_their_kind_asks() {
        let mut names: Vec<_> = metric::ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), metric::ALL.len());
        for metric in metric::ALL {
            assert_eq!(metric.kind == MetricKind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        }
    }

    #[test]
    fn every_metric_is_documented() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate.md");
        let text = std::fs::read_to_string(path).unwrap();
        for metric in metric::ALL {
            assert!(text.contains(&format!("| `{}` |", metric.name)) && text.contains(metric.help), "{}", metric.name);
        }
    }
}
