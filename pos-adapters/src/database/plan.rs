//! Settings and profile made into what the reader works with; all faults at once. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use sync_core::model::{LineKind, Timestamp, TransactionStatus};

use super::engine::{Connection, Dialect, Tls};
use super::engines;
use super::profile::{OnHandLag, OptionKind, PosClock, Profile, ProfileOption, Settle, Sql, TicketId};
use super::profiles;
use super::settings::{DatabaseSettings, OptionValue, Rules};
use crate::file::SettingFault;
use crate::file::plan::duration;
use crate::file::settings::QuantitySign;

const POLL_DEFAULT: Duration = Duration::from_secs(2);
const POLL_RANGE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3600));
const WINDOW_DEFAULT: Duration = Duration::from_secs(2 * 3600);
const WINDOW_RANGE: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(24 * 3600));
/// Settle time where header and lines are written one after the other.
const SETTLE_APART: Duration = Duration::from_secs(10);
const SETTLE_RANGE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(600));
const OVERLAP_DEFAULT: i64 = 500;
const OVERLAP_MAX: i64 = 10_000;
const RESCAN_DAYS_DEFAULT: u32 = 14;
const VANISH_LIMIT_DEFAULT: f64 = 0.2;
/// Longest text of an option.
const OPTION_BYTES_MAX: usize = 200;
/// Most words of a list.
const OPTION_WORDS_MAX: usize = 200;

/// What one source of this family does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the source.
    pub name: String,
    /// Where the database is; the password is filled in when it is opened.
    pub connection: Connection,
    /// Reference of the password.
    pub password: Option<String>,
    /// Sales.
    pub sales: String,
    /// Stock on hand.
    pub on_hand: Option<String>,
    /// Sales that the stock on hand does not know yet.
    pub unapplied: Option<String>,
    /// Articles.
    pub products: Option<String>,
    /// When the stock on hand moves.
    pub lag: OnHandLag,
    /// Tables and columns that must be there.
    pub tables: Vec<(String, Vec<String>)>,
    /// How rows are to be understood.
    pub words: Words,
    /// Zone of times that carry none.
    pub zone: TimeZone,
    /// Sales from before are not taken; `None`: from before the day of the first look.
    pub since: Option<Timestamp>,
    /// Time between two looks.
    pub poll: Duration,
    /// Ticket numbers that the overlap look goes back.
    pub overlap: i64,
    /// Time that the overlap look goes back.
    pub window: Duration,
    /// Days that are read again each day.
    pub rescan_days: u32,
    /// How long a ticket must stay unchanged.
    pub settle: Duration,
    /// Share of transactions that may vanish at once.
    pub vanish_limit_percent: usize,
    /// Where copies of a database that is a file are kept; filled in when it is opened.
    pub own_files: PathBuf,
}

/// How the words and signs of the sales query are to be understood.
#[derive(Debug, Clone)]
pub struct Words {
    /// How the quantity is to be read.
    pub quantity: QuantitySign,
    /// Folded words of the `kind` column.
    pub kinds: BTreeMap<String, LineKind>,
    /// Folded words of the `status` column.
    pub statuses: BTreeMap<String, TransactionStatus>,
    /// Rule, column and folded values of lines that move no stock.
    pub ignore: Vec<(String, String, Vec<String>)>,
    /// Whether `ticket` alone is unique.
    pub ticket: TicketId,
}

impl Words {
    /// Our own words only.
    #[must_use]
    pub fn plain(ticket: TicketId) -> Self {
        let kinds = [LineKind::Sale, LineKind::Return, LineKind::Receipt, LineKind::Adjustment];
        Self {
            quantity: QuantitySign::Signed,
            kinds: kinds.into_iter().map(|kind| (kind.as_str().to_owned(), kind)).collect(),
            statuses: STATUSES.into_iter().map(|(word, status)| (word.to_owned(), status)).collect(),
            ignore: Vec::new(),
            ticket,
        }
    }
}

const STATUSES: [(&str, TransactionStatus); 4] = [
    ("completed", TransactionStatus::Completed),
    ("cancelled", TransactionStatus::Cancelled),
    ("suspended", TransactionStatus::Suspended),
    ("training", TransactionStatus::Training),
];

/// As words are compared.
pub(super) fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

struct Faults(Vec<SettingFault>);

impl Faults {
    fn add(&mut self, key: &str, message: impl Into<String>) {
        self.0.push(SettingFault { key: key.to_owned(), message: message.into() });
    }

    fn take<T>(&mut self, key: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.add(key, message)).ok()
    }
}

impl Plan {
    /// Fills in the profile and checks everything.
    ///
    /// # Errors
    /// All faults of the settings at once.
    pub fn new(settings: &DatabaseSettings, store_zone: &TimeZone) -> Result<Self, Vec<SettingFault>> {
        let mut faults = Faults(Vec::new());
        if settings.name.trim().is_empty() {
            faults.add("name", "is empty; give the source a name");
        }
        let connection = connection(settings, &mut faults);
        let profile = profile(settings, &mut faults);
        let sql = queries(settings, profile, &mut faults);
        let words = words(&settings.rules, profile, &mut faults);
        let zone = zone(settings, profile, store_zone, &mut faults);
        let mut time = |key: &str, text: &Option<String>, default, range| {
            faults.take(key, duration(text.as_deref(), default, range)).unwrap_or(default)
        };
        let poll = time("poll", &settings.poll, POLL_DEFAULT, POLL_RANGE);
        let window = time("window", &settings.window, WINDOW_DEFAULT, WINDOW_RANGE);
        let apart = match settings.rules.lines_come_later {
            Some(apart) => apart,
            None => profile.is_some_and(|profile| profile.settle == Settle::Apart),
        };
        let settle_default = if apart { SETTLE_APART } else { Duration::ZERO };
        let settle = time("settle", &settings.settle, settle_default, SETTLE_RANGE);
        let since = since(settings.since.as_deref(), &zone, &mut faults);
        let overlap = settings.overlap.unwrap_or(OVERLAP_DEFAULT);
        if !(1..=OVERLAP_MAX).contains(&overlap) {
            faults.add("overlap", format!("{overlap} must be from 1 to {OVERLAP_MAX} tickets"));
        }
        let rescan_days = settings.rescan_days.unwrap_or(RESCAN_DAYS_DEFAULT);
        if !(7..=31).contains(&rescan_days) {
            faults.add("rescan_days", format!("{rescan_days} must be from 7 to 31 days"));
        }
        let vanish_limit = settings.vanish_limit.unwrap_or(VANISH_LIMIT_DEFAULT);
        if !(0.0..=1.0).contains(&vanish_limit) {
            faults.add("vanish_limit", "must be from 0 to 1, e.g. 0.2 for a fifth");
        }
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        Ok(Self {
            name: settings.name.clone(),
            connection,
            password: settings.password.clone(),
            sales: sql.sales,
            on_hand: sql.on_hand,
            unapplied: sql.unapplied,
            products: sql.products,
            lag: profile.map_or(OnHandLag::AtSale, |profile| profile.lag),
            tables: sql.tables,
            words,
            zone,
            since,
            poll,
            overlap,
            window,
            rescan_days,
            settle,
            vanish_limit_percent: percent(vanish_limit),
            own_files: PathBuf::new(),
        })
    }
}

/// Whole percents of a share from 0 to 1.
fn percent(share: f64) -> usize {
    (0..=100_u8).take_while(|percent| f64::from(*percent).le(&hundredfold(share))).last().map_or(0, usize::from)
}

#[expect(clippy::float_arithmetic, reason = "a share of counts, not an amount")]
fn hundredfold(share: f64) -> f64 {
    share * 100.0 + 1e-9
}

/// The driver of Microsoft's Access Database Engine.
const ACCESS_DRIVER: &str = "Driver={Microsoft Access Driver (*.mdb, *.accdb)}";

fn connection(settings: &DatabaseSettings, faults: &mut Faults) -> Connection {
    let dialect = settings.engine;
    if !engines::is_built(dialect) {
        faults.add("engine", format!("this build has no engine `{}`", dialect.as_str()));
    }
    let access = dialect == Dialect::Access;
    let (file, odbc) = (dialect == Dialect::Sqlite || access, dialect == Dialect::Odbc);
    let word = dialect.as_str();
    let needed = |faults: &mut Faults, key: &str, value: &Option<String>, is_needed: bool| {
        let given = value.as_ref().is_some_and(|value| !value.trim().is_empty());
        if is_needed && !given {
            faults.add(key, format!("is needed with engine `{word}`"));
        }
        if !is_needed && value.is_some() {
            faults.add(key, format!("has no meaning with engine `{word}`"));
        }
    };
    needed(faults, "path", &settings.path, file);
    if !access {
        needed(faults, "connection", &settings.connection, odbc);
    }
    needed(faults, "database", &settings.database, !file && !odbc);
    if !odbc {
        needed(faults, "user", &settings.user, !file);
    }
    if dialect == Dialect::Sqlite && settings.password.is_some() {
        faults.add("password", "has no meaning with engine `sqlite`");
    }
    if (file || odbc) && settings.host.is_some() {
        faults.add("host", format!("has no meaning with engine `{word}`"));
    }
    if settings.instance.is_some() && (dialect != Dialect::Mssql || settings.port.is_some()) {
        faults.add("instance", "is for engine `mssql`, in place of `port`");
    }
    let host = settings.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned());
    let local = ["localhost", "::1"].contains(&host.as_str()) || host.starts_with("127.") || host.starts_with('/');
    let tls = settings.tls.unwrap_or(if local || file || odbc { Tls::Off } else { Tls::Encrypt });
    if dialect == Dialect::Mssql && tls != Tls::Off {
        faults
            .add("tls", "this build has no encryption for SQL Server: write `tls = \"off\"` if the network is trusted");
    }
    if (tls == Tls::Verify) != settings.tls_ca.is_some() {
        faults.add("tls_ca", "goes with `tls = \"verify\"`");
    }
    Connection {
        dialect,
        host,
        port: settings.port,
        instance: settings.instance.clone(),
        database: settings.database.clone().unwrap_or_default(),
        user: settings.user.clone().unwrap_or_default(),
        password: None,
        path: settings.path.clone().map(PathBuf::from).unwrap_or_default(),
        tls,
        tls_ca: settings.tls_ca.clone().map(PathBuf::from),
        charset: settings.charset.clone(),
        connection_string: settings.connection.clone().or_else(|| access.then(|| ACCESS_DRIVER.to_owned())),
    }
}

fn profile(settings: &DatabaseSettings, faults: &mut Faults) -> Option<&'static Profile> {
    let name = settings.profile.as_deref()?;
    let Some(profile) = profiles::by_name(name) else {
        let names: Vec<&str> = profiles::PROFILES.iter().map(|profile| profile.name).collect();
        faults.add("profile", format!("`{name}` is not known; there are {}", names.join(", ")));
        return None;
    };
    let dialect = settings.engine;
    // ODBC may lead to any of them.
    if !matches!(dialect, Dialect::Odbc | Dialect::Access) && !profile.dialects.contains(&dialect) {
        let known: Vec<&str> = profile.dialects.iter().map(|dialect| dialect.as_str()).collect();
        faults.add("engine", format!("profile `{name}` is for {}", known.join(", ")));
    }
    Some(profile)
}

#[derive(Default)]
struct Texts {
    sales: String,
    on_hand: Option<String>,
    unapplied: Option<String>,
    products: Option<String>,
    tables: Vec<(String, Vec<String>)>,
}

fn queries(settings: &DatabaseSettings, profile: Option<&Profile>, faults: &mut Faults) -> Texts {
    let values = options(settings, profile.map_or(&[], |profile| profile.options), faults);
    let own = &settings.queries;
    let dialect = settings.engine;
    let text = |own: &Option<String>, ready: Option<&Sql>| {
        own.clone().or_else(|| ready.map(|sql| filled(sql.text(dialect), &values)))
    };
    let mut texts = Texts {
        sales: text(&own.sales, profile.map(|profile| &profile.sales)).unwrap_or_default(),
        on_hand: text(&own.on_hand, profile.and_then(|profile| profile.on_hand.as_ref())),
        unapplied: text(&own.unapplied, profile.and_then(|profile| profile.unapplied.as_ref())),
        products: text(&own.products, profile.and_then(|profile| profile.products.as_ref())),
        tables: Vec::new(),
    };
    if texts.sales.trim().is_empty() && (settings.profile.is_none() || own.sales.is_some()) {
        faults.add("queries.sales", "is needed where no `profile` is named");
    }
    for (key, query) in [
        ("queries.sales", &own.sales),
        ("queries.on_hand", &own.on_hand),
        ("queries.unapplied", &own.unapplied),
        ("queries.products", &own.products),
    ] {
        let text = query.as_deref().unwrap_or_default().trim();
        let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
        // A WITH clause cannot stand in brackets on every database.
        if !text.is_empty() && first != "select" {
            faults.add(key, "must be one SELECT");
        }
        if text.contains(';') {
            faults.add(key, "must be one SELECT without `;`");
        }
    }
    // Own sales read tables of which nothing is known; asking for the profile's would be wrong.
    if let Some(profile) = profile
        && own.sales.is_none()
    {
        let columns = |columns: &[&str]| columns.iter().map(|column| filled(column, &values)).collect();
        texts.tables =
            profile.tables.iter().map(|table| (filled(table.name, &values), columns(table.columns))).collect();
    }
    texts
}

/// The values of a profile's options as they stand in SQL.
fn options(
    settings: &DatabaseSettings,
    known: &[ProfileOption],
    faults: &mut Faults,
) -> BTreeMap<&'static str, String> {
    for key in settings.options.keys() {
        if !known.iter().any(|option| option.name == key) {
            let names: Vec<&str> = known.iter().map(|option| option.name).collect();
            faults.add(&format!("options.{key}"), format!("is not known here; there are: {}", names.join(", ")));
        }
    }
    let mut values = BTreeMap::new();
    for option in known {
        let key = format!("options.{}", option.name);
        let default = option.default.map(|default| OptionValue::Text(default.to_owned()));
        let Some(value) = settings.options.get(option.name).cloned().or(default) else {
            faults.add(&key, format!("is needed: {}", option.help));
            continue;
        };
        if let Some(text) = faults.take(&key, literal(option.kind, &value.words())) {
            values.insert(option.name, text);
        }
    }
    values
}

/// A value as it stands in SQL. Nothing that could end a literal is let through.
fn literal(kind: OptionKind, words: &[String]) -> Result<String, String> {
    if words.len() > OPTION_WORDS_MAX || words.iter().any(|word| word.len() > OPTION_BYTES_MAX) {
        return Err("is too long".to_owned());
    }
    let one = || match words {
        [word] => Ok(word),
        _ => Err("must be one value, not a list".to_owned()),
    };
    let quoted = |word: &String| {
        // A backslash escapes in some dialects and not in others.
        if word.chars().any(|c| c.is_control() || c == '\\') {
            return Err(format!("`{}` must not contain a backslash or control characters", word.escape_debug()));
        }
        Ok(format!("'{}'", word.replace('\'', "''")))
    };
    match kind {
        OptionKind::Text => quoted(one()?),
        OptionKind::Integer => {
            let word = one()?;
            word.parse::<i64>().map(|number| number.to_string()).map_err(|_| format!("`{word}` must be a whole number"))
        }
        OptionKind::Name => {
            let word = one()?;
            let fits = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if fits { Ok(word.clone()) } else { Err(format!("`{word}` must be made of letters, digits and `_`")) }
        }
        OptionKind::List if words.is_empty() => Ok("''".to_owned()),
        OptionKind::List => Ok(words.iter().map(quoted).collect::<Result<Vec<_>, _>>()?.join(",")),
    }
}

/// Puts values in place of `{name}`; other braces stay.
fn filled(template: &str, values: &BTreeMap<&'static str, String>) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn words(rules: &Rules, profile: Option<&Profile>, faults: &mut Faults) -> Words {
    let ticket = match rules.ticket_is_unique {
        Some(true) => TicketId::Unique,
        Some(false) => TicketId::Reusable,
        None => profile.map_or(TicketId::Reusable, |profile| profile.ticket),
    };
    let mut words = Words::plain(ticket);
    if let Some(meaning) = profile.map(|profile| &profile.meaning) {
        words.quantity = meaning.quantity;
        words.kinds.extend(meaning.kinds.iter().map(|(word, kind)| (fold(word), *kind)));
        words.statuses.extend(meaning.statuses.iter().map(|(word, status)| (fold(word), *status)));
        words.ignore.extend(meaning.ignore.iter().map(|ignore| {
            (ignore.rule.to_owned(), fold(ignore.column), ignore.equals.iter().map(|value| fold(value)).collect())
        }));
    }
    words.quantity = rules.quantity.unwrap_or(words.quantity);
    let plain = Words::plain(ticket);
    for (word, kind) in &rules.kinds {
        match plain.kinds.get(&fold(kind)) {
            Some(kind) => drop(words.kinds.insert(fold(word), *kind)),
            None => {
                faults.add(&format!("rules.kinds.{word}"), "must be `sale`, `return`, `receipt` or `adjustment`");
            }
        }
    }
    for (word, status) in &rules.statuses {
        match plain.statuses.get(&fold(status)) {
            Some(status) => drop(words.statuses.insert(fold(word), *status)),
            None => faults
                .add(&format!("rules.statuses.{word}"), "must be `completed`, `cancelled`, `suspended` or `training`"),
        }
    }
    words
}

fn zone(
    settings: &DatabaseSettings,
    profile: Option<&Profile>,
    store_zone: &TimeZone,
    faults: &mut Faults,
) -> TimeZone {
    let Some(name) = settings.timezone.as_deref() else {
        let utc = profile.is_some_and(|profile| profile.clock == PosClock::Utc);
        return if utc { TimeZone::UTC } else { store_zone.clone() };
    };
    let unknown = |_| format!("`{name}` is no IANA time zone; write one such as `Europe/Berlin`");
    faults.take("timezone", TimeZone::get(name).map_err(unknown)).unwrap_or_else(|| store_zone.clone())
}

fn since(text: Option<&str>, zone: &TimeZone, faults: &mut Faults) -> Option<Timestamp> {
    let text = text?;
    let day = text.parse::<Date>().map_err(|_| format!("`{text}` must be a day such as `2026-01-31`"));
    let day = faults.take("since", day)?;
    day_start(day, zone)
}

/// The first moment of a day.
pub(super) fn day_start(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().ok()?;
    Some(Timestamp(start.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        let one = |kind, word: &str| literal(kind, &[word.to_owned()]);
        assert_eq!(one(OptionKind::Text, "it's"), Ok("'it''s'".to_owned()));
        assert!(one(OptionKind::Text, r"\").is_err());
        assert_eq!(one(OptionKind::Integer, "-7"), Ok("-7".to_owned()));
        assert!(one(OptionKind::Integer, "7 OR 1=1").is_err());
        assert_eq!(one(OptionKind::Name, "store_1"), Ok("store_1".to_owned()));
        assert!(one(OptionKind::Name, "a b").is_err());
        assert_eq!(literal(OptionKind::List, &["a".into(), "b'".into()]), Ok("'a','b'''".to_owned()));
        assert_eq!(literal(OptionKind::List, &[]), Ok("''".to_owned()));
        assert!(literal(OptionKind::Text, &["a".into(), "b".into()]).is_err());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let keys = |text: &str| {
            let settings: DatabaseSettings = serde_json::from_str(text).unwrap();
            let faults = Plan::new(&settings, &TimeZone::UTC).err().unwrap_or_default();
            faults.into_iter().map(|fault| fault.key).collect::<Vec<_>>()
        };
        let sqlite =
            r#"{"name": "a", "kind": "database", "engine": "sqlite", "path": "p", "queries": {"sales": "SELECT 1"}}"#;
        assert_eq!(keys(sqlite), Vec::<String>::new());
        let wrong = r#"{"name": " ", "kind": "database", "engine": "sqlite", "host": "h", "password": "env:P", "user": "u",
            "profile": "no such thing", "timezone": "Mars", "since": "yesterday", "poll": "1ms", "window": "1s",
            "settle": "1h", "overlap": 0, "rescan_days": 3, "vanish_limit": 2, "tls_ca": "f",
            "options": {"x": 1}, "queries": {"sales": "DELETE FROM sale; SELECT 1"},
            "rules": {"kinds": {"R": "refund"}, "statuses": {"V": "void"}}}"#;
        assert_eq!(
            keys(wrong),
            [
                "name",
                "path",
                "user",
                "password",
                "host",
                "tls_ca",
                "profile",
                "options.x",
                "queries.sales",
                "queries.sales",
                "rules.kinds.R",
                "rules.statuses.V",
                "timezone",
                "poll",
                "window",
                "settle",
                "since",
                "overlap",
                "rescan_days",
                "vanish_limit"
            ]
        );
    }

    #[test]
    fn shares_become_whole_percents() {
        for (share, expected) in [(0.0, 0), (0.2, 20), (0.29, 29), (1.0, 100)] {
            assert_eq!(percent(share), expected, "{share}");
        }
    }
}
