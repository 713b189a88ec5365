//! From tables as written to a [`Config`]: ranges, durations, addresses, names that must be unique. Every fault
//! is recorded at its line; only if there is none does a `Config` come out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use pos_adapters::articles::ArticleSettings;
use sync_core::model::StoreId;
use sync_core::values::ValueKind;
use tracing_subscriber::filter::Targets;

use super::faults::{ConfigFault, ConfigFaults, FaultCode, Severity};
use super::file::{BackupTable, LogFormatWord, LogTable, LookUpTable, StateTable, StoreTable};
use super::read::{KnownPlatform, Read, nearest_or_list};
use super::{
    BackupConfig, Config, LogConfig, LogFormat, LookUpConfig, PlatformConfig, SourceConfig, StateConfig, StatusConfig,
    StoreConfig, feeds, mask, online, platforms, sources,
};

/// Where the status server listens if nothing is said.
const LISTEN_DEFAULT: &str = "127.0.0.1:7737";

/// Longest name of a store, source or lane.
const NAME_LEN_MAX: usize = 64;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MEGABYTE: u64 = 1024 * 1024;

/// Collects faults while values are checked.
pub(super) struct Resolver<'t> {
    read: Read,
    text: &'t str,
    /// Names taken so far, by array (`source`, `platform`).
    names: BTreeMap<(&'static str, String), String>,
}

pub(super) fn resolve(read: Read, text: &str, origin: &Path) -> Result<Config, ConfigFaults> {
    if read.faults.iter().any(|fault| fault.code == FaultCode::Syntax) {
        return Err(ConfigFaults::new(origin, read.faults));
    }
    let mut resolver = Resolver { read, text, names: BTreeMap::new() };
    let tables = std::mem::take(&mut resolver.read.tables);
    let store = resolver.store(tables.store);
    let state = resolver.state(tables.state);
    let sources = resolver.sources(&store.timezone);
    let articles = resolver.articles(tables.articles, &sources);
    let platforms = resolver.platforms();
    let counts = super::count::resolve(&mut resolver, &store.timezone, &sources);
    let reconcile = super::reconcile::resolve(&mut resolver, tables.reconcile);
    let names: Vec<String> = platforms.iter().map(|platform| platform.name().to_string()).collect();
    let online_orders = online::orders(&mut resolver, tables.online_orders, &names);
    let buffers = online::buffers(&mut resolver, tables.buffers, &names);
    let mut feeds = feeds::feeds(&mut resolver, ValueKind::Price, tables.prices, &sources, &store.timezone);
    feeds.extend(feeds::feeds(&mut resolver, ValueKind::Incoming, tables.incoming, &sources, &store.timezone));
    let status = resolver.status(tables.status.listen);
    let log = resolver.log(tables.log);
    let look_up = resolver.look_up(tables.look_up);
    let backup = resolver.backup(&tables.backup);
    let faults = resolver.read.faults;
    if faults.iter().any(|fault| fault.severity == Severity::Error) {
        return Err(ConfigFaults::new(origin, faults));
    }
    Ok(Config {
        path: origin.to_owned(),
        store,
        state,
        sources,
        articles,
        platforms,
        counts,
        reconcile,
        status,
        log,
        look_up,
        backup,
        online_orders,
        buffers,
        feeds,
        warnings: ConfigFaults::new(origin, faults).faults,
    })
}

impl Resolver<'_> {
    pub(super) fn fault(&mut self, fault: ConfigFault) {
        self.read.fault(fault, self.text);
    }

    /// A key that has to be there and must not be empty.
    pub(super) fn required(&mut self, key: &str, value: Option<String>, hint: &str) -> Option<String> {
        match value {
            Some(value) if !value.trim().is_empty() => Some(value),
            Some(_) => {
                self.fault(
                    ConfigFault::new(FaultCode::NotAllowed, key, format!("`{}` is empty", last(key))).hint(hint),
                );
                None
            }
            None => {
                // A value of the wrong type was reported and taken out: it is not missing too.
                if self.read.faults.iter().all(|fault| fault.key != key) {
                    let missing = format!("`{}` is missing", last(key));
                    self.fault(ConfigFault::new(FaultCode::Missing, key, missing).hint(hint));
                }
                None
            }
        }
    }

    /// A whole number within `range`, or `default`.
    pub(super) fn number<T: Copy + TryFrom<i64> + Into<u64>>(
        &mut self,
        key: &str,
        value: Option<i64>,
        range: RangeInclusive<i64>,
        default: T,
    ) -> T {
        let Some(value) = value else { return default };
        if let (true, Ok(value)) = (range.contains(&value), T::try_from(value)) {
            return value;
        }
        let message = format!("`{}` is {value}, allowed is {} to {}", last(key), range.start(), range.end());
        self.fault(
            ConfigFault::new(FaultCode::NotAllowed, key, message).hint(format!("the default is {}", default.into())),
        );
        default
    }

    /// A duration within `range`, or `default`.
    pub(super) fn duration(
        &mut self,
        key: &str,
        value: Option<&str>,
        range: RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        let Some(value) = value else { return default };
        let allowed = format!("{} to {}", duration_text(*range.start()), duration_text(*range.end()));
        let message = match parse_duration(value) {
            Some(duration) if range.contains(&duration) => return duration,
            Some(_) => format!("`{}` is {value}, allowed is {allowed}", last(key)),
            None => format!("`{}` is `{}`, which is no duration", last(key), mask::scrub(value)),
        };
        let hint =
            format!("write a number and ms, s, m, h or d, from {allowed}; the default is {}", duration_text(default));
        self.fault(ConfigFault::new(FaultCode::NotAllowed, key, message).hint(hint));
        default
    }

    /// A name of letters, digits, `-`, `_` and `.`, not used twice in `array`.
    pub(super) fn name(&mut self, array: &'static str, key: &str, name: &str) {
        self.well_formed_name(key, name);
        if let Some(first) = self.names.insert((array, name.to_owned()), key.to_owned()) {
            let message = format!("the name `{}` is used twice, first by {first}", mask::scrub(name));
            self.fault(
                ConfigFault::new(FaultCode::Duplicate, key, message)
                    .hint(format!("give each [[{array}]] its own `name`")),
            );
        }
    }

    fn well_formed_name(&mut self, key: &str, name: &str) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.chars().all(allowed) {
            let message = format!("`{}` is not a usable name", mask::scrub(name));
            let hint = format!("1 to {NAME_LEN_MAX} letters, digits, `-`, `_` or `.`");
            self.fault(ConfigFault::new(FaultCode::NotAllowed, key, message).hint(hint));
        }
    }

    fn store(&mut self, table: Option<StoreTable>) -> StoreConfig {
        let table = table.unwrap_or_default();
        let id = self.required("store.id", table.id, "write for example `[store]` and below it `id = \"store-12\"`");
        if let Some(id) = &id {
            self.well_formed_name("store.id", id);
        }
        let name = table.timezone.unwrap_or_else(|| "UTC".to_owned());
        let timezone = self.timezone("store.timezone", &name);
        StoreConfig { id: StoreId::new(id.unwrap_or_default()), timezone_name: name, timezone }
    }

    fn timezone(&mut self, key: &str, name: &str) -> TimeZone {
        if let Ok(zone) = TimeZone::get(name) {
            return zone;
        }
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
        let near = nearest_or_list(name, known.iter().map(String::as_str));
        let hint =
            if near.starts_with("did you") { near } else { "use an IANA name such as `Europe/Berlin`".to_owned() };
        let message = format!("`{}` is not a known time zone", mask::scrub(name));
        self.fault(ConfigFault::new(FaultCode::NotAllowed, key, message).hint(hint));
        TimeZone::UTC
    }

    fn state(&mut self, table: StateTable) -> StateConfig {
        let path = match table.path {
            Some(path) => {
                self.required("state.path", Some(path), "name a folder on a local disk").unwrap_or_default().into()
            }
            None => default_state_folder(),
        };
        let reserve_mb: u32 = self.number("state.disk_reserve_mb", table.disk_reserve_mb, 16..=65536, 256);
        StateConfig {
            path,
            retention_days: self.number("state.retention_days", table.retention_days, 30..=3650, 400),
            batch_history_days: self.number("state.batch_history_days", table.batch_history_days, 1..=400, 30),
            disk_reserve_bytes: u64::from(reserve_mb).saturating_mul(MEGABYTE),
        }
    }

    /// The `[[count]]` tables as read.
    pub(super) fn counts(&mut self) -> Vec<(String, pos_adapters::counts::CountSettings)> {
        std::mem::take(&mut self.read.counts)
    }

    fn sources(&mut self, zone: &TimeZone) -> Vec<SourceConfig> {
        let tables = std::mem::take(&mut self.read.sources);
        if tables.is_empty() && self.read.faults.iter().all(|fault| !fault.key.starts_with("source")) {
            let fault = ConfigFault::new(FaultCode::Missing, "source", "there is no [[source]]: nothing would be read");
            self.fault(
                fault
                    .hint("add a table such as `[[source]]`, `name = \"till-1\"`, `kind = \"file\"`, `path = \"...\"`"),
            );
        }
        let mut resolved = Vec::new();
        for (path, settings) in tables {
            self.name("source", &format!("{path}.name"), settings.name());
            for (key, message) in sources::faults(settings.as_ref(), zone) {
                let key = if key.is_empty() { path.clone() } else { format!("{path}.{key}") };
                self.fault(ConfigFault::new(FaultCode::NotAllowed, key, message));
            }
            resolved.push(settings);
        }
        resolved
    }

    fn articles(&mut self, table: Option<ArticleSettings>, known: &[SourceConfig]) -> Option<ArticleSettings> {
        let settings = table?;
        for fault in settings.rules().err().unwrap_or_default() {
            self.fault(ConfigFault::new(FaultCode::NotAllowed, format!("articles.{}", fault.key), fault.message));
        }
        for (key, names) in [("sources", &settings.sources), ("kits_taken_apart_by", &settings.kits_taken_apart_by)] {
            for name in names.iter().filter(|name| known.iter().all(|source| source.name() != name.as_str())) {
                let message = format!("there is no source `{}`", mask::scrub(name));
                let hint = nearest_or_list(name, known.iter().map(|source| source.name()));
                self.fault(ConfigFault::new(FaultCode::NotAllowed, format!("articles.{key}"), message).hint(hint));
            }
        }
        Some(settings)
    }

    fn platforms(&mut self) -> Vec<PlatformConfig> {
        let tables = std::mem::take(&mut self.read.platforms);
        if tables.is_empty() && self.read.faults.iter().all(|fault| !fault.key.starts_with("platform")) {
            let fault = ConfigFault::new(
                FaultCode::Missing,
                "platform",
                "there is no [[platform]]: sales are recorded but sent nowhere",
            );
            self.fault(fault.hint("add a table such as `[[platform]]`, `kind = \"shopify\"`").as_warning());
        }
        tables
            .into_iter()
            .filter_map(|(path, table)| match table {
                KnownPlatform::Shopify(table) => platforms::shopify(self, &path, *table).map(PlatformConfig::Shopify),
                KnownPlatform::Http(table) => platforms::http(self, &path, *table).map(PlatformConfig::Http),
                KnownPlatform::Other(table) => table.resolve(self, &path).map(PlatformConfig::Other),
            })
            .collect()
    }

    fn status(&mut self, listen: Option<String>) -> Option<StatusConfig> {
        let listen = listen.unwrap_or_else(|| LISTEN_DEFAULT.to_owned());
        if listen == "off" {
            return None;
        }
        let text = listen.strip_prefix("localhost:").map_or_else(|| listen.clone(), |port| format!("127.0.0.1:{port}"));
        let hint = format!("write an address and port such as `{LISTEN_DEFAULT}`, or `off`");
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => {
                return Some(StatusConfig { listen: address });
            }
            Ok(_) => {
                let message = format!("`{}` can be reached from other machines", mask::scrub(&listen));
                self.fault(ConfigFault::new(FaultCode::NotAllowed, "status.listen", message).hint(format!(
                    "the status page has no log-in in this build: use a loopback address such as `{LISTEN_DEFAULT}`"
                )));
            }
            Err(_) => {
                let message = format!("`{}` is no address with a port", mask::scrub(&listen));
                self.fault(ConfigFault::new(FaultCode::NotAllowed, "status.listen", message).hint(hint));
            }
        }
        None
    }

    fn log(&mut self, table: LogTable) -> LogConfig {
        let format = match table.format {
            None | Some(LogFormatWord::Auto) => LogFormat::Auto,
            Some(LogFormatWord::Human) => LogFormat::Human,
            Some(LogFormatWord::Json) => LogFormat::Json,
            Some(LogFormatWord::Journald) => LogFormat::Journald,
        };
        let level = table.level.unwrap_or_else(|| "info".to_owned());
        let words = ["error", "warn", "info", "debug", "trace", "off"];
        let is_directive = level.contains(['=', ',']) && level.parse::<Targets>().is_ok();
        if !is_directive && !words.contains(&level.as_str()) {
            let message = format!("`{}` is not a log level", mask::scrub(&level));
            let fault = ConfigFault::new(FaultCode::NotAllowed, "log.level", message);
            self.fault(fault.hint(nearest_or_list(&level, words.into_iter())));
        }
        let file = match table.file {
            Some(file) => self.required("log.file", Some(file), "name a file, or leave the key out").map(PathBuf::from),
            None => None,
        };
        let megabytes: u32 = self.number("log.file_max_mb", table.file_max_mb, 1..=1024, 10);
        LogConfig { format, level, file, file_bytes_max: u64::from(megabytes).saturating_mul(MEGABYTE) }
    }

    fn look_up(&mut self, table: LookUpTable) -> LookUpConfig {
        let retry = table.retry.unwrap_or_default();
        let range = || Duration::from_secs(1)..=DAY;
        let first = self.duration("look_up.retry.first", retry.first.as_deref(), range(), MINUTE);
        let most = self.duration("look_up.retry.most", retry.most.as_deref(), range(), (15 * MINUTE).max(first));
        if most < first {
            let message =
                format!("`most` ({}) is shorter than `first` ({})", duration_text(most), duration_text(first));
            let fault = ConfigFault::new(FaultCode::NotAllowed, "look_up.retry.most", message);
            self.fault(fault.hint("the wait grows from `first` to `most`"));
        }
        LookUpConfig { retry_first: first, retry_most: most }
    }

    fn backup(&mut self, table: &BackupTable) -> BackupConfig {
        BackupConfig {
            every: self.duration("backup.every", table.every.as_deref(), HOUR..=30 * DAY, DAY),
            keep: self.number("backup.keep", table.keep, 1..=100, 7),
        }
    }
}

/// Last part of a key path.
pub(super) fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// `90s`, `15m`, `1h 30m`, `500ms`, `2d`; whole numbers only.
#[must_use]
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let unit_len = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(unit_len);
        let number: u64 = number.parse().ok()?;
        let millis = match unit {
            "ms" => number,
            "s" => number.checked_mul(1_000)?,
            "m" => number.checked_mul(60_000)?,
            "h" => number.checked_mul(3_600_000)?,
            "d" => number.checked_mul(86_400_000)?,
            _ => return None,
        };
        total = Some(Duration::from_millis(millis).checked_add(total.unwrap_or_default())?);
        rest = tail.trim_start();
    }
    total
}

/// The shortest form that [`parse_duration`] reads back.
#[must_use]
pub(super) fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

/// Where state is kept if nothing is said.
#[must_use]
pub fn default_state_folder() -> PathBuf {
    if cfg!(windows) { PathBuf::from(r"C:\ProgramData\Tillsync") } else { PathBuf::from("/var/lib/tillsync") }
}
