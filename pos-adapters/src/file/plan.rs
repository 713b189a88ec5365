//! Settings checked and compiled: columns become numbered slots, words become sets. A [`Plan`] cannot hold a bad
//! value, so readers and parsers never look at the settings again.

use std::time::Duration;

use jiff::tz::TimeZone;
use sync_core::model::RuleName;

use super::decode::{self, Encoding};
use super::glob::PathPattern;
use super::presets;
use super::settings::{
    DateOrder, Decimal, FileSettings, Format, OneOrMore, Pattern, QuantitySign, SettingFault, Vanished,
};
use super::value::{DayOrder, DecimalSign};
use crate::tables::{self, Table};

/// Where the value of a slot is looked up when one JSON object is a whole transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Ticket,
    Line,
    LineThenTicket,
}

/// One column that is read.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) scope: Scope,
    /// A file without this column is refused.
    pub(super) required: bool,
}

/// Which slot plays which part.
#[derive(Debug, Clone, Default)]
pub(super) struct Roles {
    pub(super) key: Vec<usize>,
    pub(super) register: Option<usize>,
    pub(super) sku: usize,
    pub(super) quantity: usize,
    pub(super) sold_at: Option<usize>,
    pub(super) date: Option<usize>,
    pub(super) time: Option<usize>,
    pub(super) line: Option<usize>,
    pub(super) kind: Option<usize>,
    pub(super) status: Option<usize>,
    pub(super) name: Option<usize>,
    pub(super) online_order: Option<usize>,
}

/// Words, folded for comparison.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(Vec<String>);

impl Words {
    fn new(words: Option<&Vec<String>>) -> Self {
        Self(words.into_iter().flatten().map(|word| fold(word)).collect())
    }

    pub(super) fn contain(&self, value: &str) -> bool {
        self.0.iter().any(|word| same_word(word, value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Lower case without outer blanks.
pub(super) fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

fn same_word(folded: &str, value: &str) -> bool {
    let value = value.trim();
    folded == value || folded.eq_ignore_ascii_case(value) || (!value.is_ascii() && folded == value.to_lowercase())
}

/// A filter of lines.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) rule: RuleName,
    pub(super) slot: usize,
    equals: Words,
    prefix: Option<String>,
}

impl Filter {
    pub(super) fn matches(&self, value: &str) -> bool {
        self.equals.contain(value) || self.prefix.as_ref().is_some_and(|prefix| fold(value).starts_with(prefix))
    }
}

/// Words of the kind column and the meaning of the number.
#[derive(Debug, Clone)]
pub(super) struct SignRules {
    pub(super) quantity: QuantitySign,
    pub(super) sale: Words,
    pub(super) returned: Words,
    pub(super) receipt: Words,
    pub(super) adjustment: Words,
}

/// Everything that a reader and a parser need to know about a source.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) path: PathPattern,
    /// Of the text that is interpreted; a table is CSV by then.
    pub(super) format: Format,
    /// What makes text of the file, if it is none.
    pub(super) table: Option<Table>,
    pub(super) pattern: Pattern,
    /// `None`: decided once per file.
    pub(super) encoding: Option<Encoding>,
    pub(super) delimiter: Option<u8>,
    pub(super) decimal: Option<DecimalSign>,
    pub(super) date_order: Option<DayOrder>,
    pub(super) zone: TimeZone,
    pub(super) scan: Duration,
    pub(super) settle: Duration,
    pub(super) header: bool,
    pub(super) vanished: Vanished,
    pub(super) slots: Vec<Slot>,
    pub(super) roles: Roles,
    pub(super) items: Option<String>,
    pub(super) signs: SignRules,
    pub(super) cancelled: Words,
    pub(super) suspended: Words,
    pub(super) training: Words,
    pub(super) filters: Vec<Filter>,
}

const SCAN_DEFAULT: Duration = Duration::from_secs(5);
const SETTLE_DEFAULT: Duration = Duration::from_secs(2);
const SCAN_RANGE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3600));
const SETTLE_RANGE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(600));

impl Plan {
    /// Fills in the profile and checks everything; all faults at once.
    pub(super) fn new(mut settings: FileSettings, store_zone: TimeZone) -> Result<Self, Vec<SettingFault>> {
        if matches!(settings.format, Some(Format::Fixed | Format::Dbf | Format::Xlsx)) {
            settings.pattern = settings.pattern.or(Some(Pattern::Export));
        }
        presets::fill(&mut settings);
        let mut faults = Faults(Vec::new());
        if settings.name.trim().is_empty() {
            faults.add("name", "is empty; give the source a name".to_owned());
        }
        let path = faults.take("path", PathPattern::new(&settings.path)).unwrap_or_default();
        let encoding = match settings.encoding.as_deref() {
            None | Some("auto") => None,
            Some(label) => faults.take("encoding", decode::by_label(label)),
        };
        let table = table_of(&mut settings, encoding, &mut faults);
        let format = if table.is_some() { Format::Csv } else { settings.format.unwrap_or(Format::Csv) };
        let encoding = if table.is_some() { Some(Encoding::Utf8) } else { encoding };
        let pattern = settings.pattern.unwrap_or(Pattern::Journal);
        if format == Format::Json && pattern == Pattern::Journal {
            faults.add(
                "pattern",
                "a JSON array cannot be appended to; use \"export\" or \"per-transaction\", or format \"jsonl\""
                    .to_owned(),
            );
        }
        let zone = zone(settings.timezone.as_deref(), store_zone, &mut faults);
        let delimiter = faults.take("delimiter", delimiter(settings.delimiter.as_deref())).flatten();
        let scan =
            faults.take("scan", duration(settings.scan.as_deref(), SCAN_DEFAULT, SCAN_RANGE)).unwrap_or(SCAN_DEFAULT);
        let settle = faults
            .take("settle", duration(settings.settle.as_deref(), SETTLE_DEFAULT, SETTLE_RANGE))
            .unwrap_or(SETTLE_DEFAULT);
        vanish_limit_fault(&settings, &mut faults);
        let mut columns = ColumnBinder::new(&settings, format);
        let roles = columns.roles(&settings, &mut faults);
        let filters = columns.filters(&settings, &mut faults);
        let slots = columns.slots;
        let signs = sign_rules(&settings, &mut faults);
        status_faults(&settings, &mut faults);
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        Ok(Self {
            name: settings.name,
            path,
            format,
            table,
            pattern,
            encoding,
            delimiter,
            decimal: settings.decimal.and_then(decimal_of),
            date_order: settings.date_order.and_then(date_order_of),
            zone,
            scan,
            settle,
            header: settings.header.unwrap_or(true),
            vanished: settings.vanished.unwrap_or(Vanished::Reverse),
            slots,
            roles,
            items: settings.columns.items.filter(|_| format != Format::Csv),
            signs,
            cancelled: Words::new(settings.status.cancelled.as_ref()),
            suspended: Words::new(settings.status.suspended.as_ref()),
            training: Words::new(settings.status.training.as_ref()),
            filters,
        })
    }

    /// Whether one record is a whole ticket, or a line of one that others may follow.
    pub(super) fn record_is_ticket(&self) -> bool {
        self.items.is_some()
    }
}

/// What makes text of a table, with the settings that a table implies filled in.
fn table_of(settings: &mut FileSettings, encoding: Option<Encoding>, faults: &mut Faults) -> Option<Table> {
    let table = match settings.format? {
        Format::Csv | Format::Jsonl | Format::Json => return None,
        Format::Fixed => Table::Fixed { settings: settings.fixed.clone().unwrap_or_default(), encoding },
        Format::Dbf => Table::Dbf { settings: settings.dbf.clone().unwrap_or_default(), encoding },
        Format::Xlsx => Table::Sheet { settings: settings.sheet.clone().unwrap_or_default() },
    };
    faults.0.extend(table.faults());
    if settings.pattern == Some(Pattern::Journal) {
        faults.add("pattern", "a table is read whole; use \"export\" or \"per-transaction\"".to_owned());
    }
    if settings.header == Some(false) {
        faults.add("header", "a table has names of columns; take the key out".to_owned());
    }
    settings.delimiter = Some(",".to_owned());
    settings.decimal = settings.decimal.filter(|decimal| *decimal != Decimal::Auto).or(Some(Decimal::Point));
    if settings.format == Some(Format::Dbf) && settings.columns.status.is_none() {
        settings.columns.status = Some(tables::DELETED.to_owned());
        settings.status.cancelled = Some(vec!["*".to_owned()]);
    }
    Some(table)
}

struct Faults(Vec<SettingFault>);

impl Faults {
    fn add(&mut self, key: &str, message: String) {
        self.0.push(SettingFault { key: key.to_owned(), message });
    }

    fn take<T>(&mut self, key: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.add(key, message)).ok()
    }
}

struct ColumnBinder {
    slots: Vec<Slot>,
    items: bool,
    /// Columns are numbers.
    numbered: bool,
}

impl ColumnBinder {
    fn new(settings: &FileSettings, format: Format) -> Self {
        Self {
            slots: Vec::new(),
            items: settings.columns.items.is_some() && format != Format::Csv,
            numbered: format == Format::Csv && settings.header == Some(false),
        }
    }

    fn bind(&mut self, key: &str, name: &str, scope: Scope, required: bool, faults: &mut Faults) -> usize {
        let scope = if self.items { scope } else { Scope::Ticket };
        if self.numbered && !name.parse::<usize>().is_ok_and(|number| (1..=10_000).contains(&number)) {
            faults.add(
                key,
                format!("`{name}` must be the number of a column, as the file has no header; the first is \"1\""),
            );
        }
        if name.trim().is_empty() {
            faults.add(key, "is empty".to_owned());
        }
        if let Some(at) = self.slots.iter().position(|slot| slot.name == name && slot.scope == scope) {
            if let Some(slot) = self.slots.get_mut(at) {
                slot.required |= required;
            }
            return at;
        }
        self.slots.push(Slot { name: name.to_owned(), scope, required });
        self.slots.len().saturating_sub(1)
    }

    fn roles(&mut self, settings: &FileSettings, faults: &mut Faults) -> Roles {
        let columns = &settings.columns;
        let mut roles = Roles::default();
        let key_names = columns.transaction.as_ref().map(OneOrMore::names).unwrap_or_default();
        if key_names.is_empty() {
            faults.add("columns.transaction", "name the column or columns that make a transaction unique".to_owned());
        }
        roles.key =
            key_names.iter().map(|name| self.bind("columns.transaction", name, Scope::Ticket, true, faults)).collect();
        let mut one = |key: &str, name: &Option<String>, scope, required| {
            name.as_ref().map(|name| self.bind(key, name, scope, required, faults))
        };
        roles.register = one("columns.register", &columns.register, Scope::Ticket, false);
        roles.sku = one("columns.sku", &columns.sku, Scope::Line, true).unwrap_or_default();
        roles.quantity = one("columns.quantity", &columns.quantity, Scope::Line, true).unwrap_or_default();
        roles.sold_at = one("columns.sold_at", &columns.sold_at, Scope::Ticket, true);
        roles.date = one("columns.date", &columns.date, Scope::Ticket, true);
        roles.time = one("columns.time", &columns.time, Scope::Ticket, true);
        roles.line = one("columns.line", &columns.line, Scope::Line, false);
        roles.kind = one("columns.kind", &columns.kind, Scope::LineThenTicket, true);
        roles.status = one("columns.status", &columns.status, Scope::Ticket, true);
        roles.online_order = one("columns.online_order", &columns.online_order, Scope::Ticket, true);
        roles.name = one("columns.name", &columns.name, Scope::LineThenTicket, false);
        if columns.time.is_some() && columns.date.is_none() {
            faults.add("columns.date", "is needed when `time` is given".to_owned());
        }
        if columns.sold_at.is_some() && columns.date.is_some() {
            faults.add("columns.sold_at", "give either `sold_at` or `date` and `time`".to_owned());
        }
        roles
    }

    fn filters(&mut self, settings: &FileSettings, faults: &mut Faults) -> Vec<Filter> {
        let mut filters = Vec::new();
        for (number, rule) in settings.ignore.iter().enumerate() {
            let key = format!("ignore[{number}]");
            if rule.rule.trim().is_empty() {
                faults.add(
                    &format!("{key}.rule"),
                    "is empty; the name is shown beside each line that was left out".to_owned(),
                );
            }
            if rule.equals.is_empty() && rule.prefix.is_none() {
                faults.add(&key, "needs `equals` or `prefix`".to_owned());
            }
            filters.push(Filter {
                rule: RuleName::new(rule.rule.clone()),
                slot: self.bind(&format!("{key}.column"), &rule.column, Scope::LineThenTicket, true, faults),
                equals: Words::new(Some(&rule.equals)),
                prefix: rule.prefix.as_deref().map(fold),
            });
        }
        filters
    }
}

fn sign_rules(settings: &FileSettings, faults: &mut Faults) -> SignRules {
    let signs = &settings.signs;
    let rules = SignRules {
        quantity: signs.quantity.unwrap_or(QuantitySign::Signed),
        sale: Words::new(signs.sale.as_ref()),
        returned: Words::new(signs.returned.as_ref()),
        receipt: Words::new(signs.receipt.as_ref()),
        adjustment: Words::new(signs.adjustment.as_ref()),
    };
    let worded = ![&rules.sale, &rules.returned, &rules.receipt, &rules.adjustment].into_iter().all(Words::is_empty);
    if worded && settings.columns.kind.is_none() {
        faults.add("columns.kind", "name the column whose values `signs` lists".to_owned());
    }
    if rules.quantity == QuantitySign::ByKind && !worded {
        faults.add(
            "signs",
            "list the values of the kind column, as `quantity = \"by-kind\"` takes the sign from it".to_owned(),
        );
    }
    rules
}

fn vanish_limit_fault(settings: &FileSettings, faults: &mut Faults) {
    if settings.vanish_limit.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        faults.add("vanish_limit", "must be from 0 to 1, e.g. 0.2 for a fifth".to_owned());
    }
}

fn status_faults(settings: &FileSettings, faults: &mut Faults) {
    let status = &settings.status;
    let worded = status.cancelled.is_some() || status.suspended.is_some() || status.training.is_some();
    if worded && settings.columns.status.is_none() {
        faults.add("columns.status", "name the column whose values `status` lists".to_owned());
    }
}

fn zone(name: Option<&str>, store_zone: TimeZone, faults: &mut Faults) -> TimeZone {
    let Some(name) = name else { return store_zone };
    let unknown = |_| format!("`{name}` is no IANA time zone; write one such as `Europe/Berlin`");
    faults.take("timezone", TimeZone::get(name).map_err(unknown)).unwrap_or(store_zone)
}

/// The sign, unless it is to be found out.
pub(crate) fn decimal_of(decimal: Decimal) -> Option<DecimalSign> {
    match decimal {
        Decimal::Auto => None,
        Decimal::Point => Some(DecimalSign::Point),
        Decimal::Comma => Some(DecimalSign::Comma),
    }
}

/// The order, unless it is to be found out.
pub(crate) fn date_order_of(order: DateOrder) -> Option<DayOrder> {
    match order {
        DateOrder::Auto => None,
        DateOrder::Ymd => Some(DayOrder::Ymd),
        DateOrder::Dmy => Some(DayOrder::Dmy),
        DateOrder::Mdy => Some(DayOrder::Mdy),
    }
}

/// The delimiter, unless it is to be found out.
pub(crate) fn delimiter(text: Option<&str>) -> Result<Option<u8>, String> {
    match text {
        None | Some("auto") => Ok(None),
        Some("\t" | "tab") => Ok(Some(b'\t')),
        Some(text) => match text.as_bytes() {
            [byte] if byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\'' | b'.' | b'-' | b'+') => {
                Ok(Some(*byte))
            }
            _ => Err(format!("`{text}` must be `auto`, `tab` or one of , ; | and the like")),
        },
    }
}

/// Reads `500ms`, `5s`, `2m`, `1h`.
pub(crate) fn duration(text: Option<&str>, default: Duration, range: (Duration, Duration)) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(default) };
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = text.get(..split).and_then(|digits| digits.parse::<u64>().ok());
    let millis = match text.get(split..).map(str::trim) {
        Some("ms") => Some(1),
        Some("s") => Some(1000),
        Some("m" | "min") => Some(60_000),
        Some("h") => Some(3_600_000),
        _ => None,
    };
    number
        .zip(millis)
        .and_then(|(number, millis)| number.checked_mul(millis))
        .map(Duration::from_millis)
        .filter(|read| (range.0..=range.1).contains(read))
        .ok_or_else(|| format!("`{text}` must be a time such as `5s`, from {:?} to {:?}", range.0, range.1))
}
