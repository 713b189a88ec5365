//! From TOML text to tables, keeping every fault. Owns key paths and their places; decides nothing about values.
//!
//! A table is deserialized again and again: each fault is recorded, its key is taken out, and the rest is tried,
//! so that one mistake does not hide the next. Secrets in values never get into a message.

use std::collections::BTreeMap;
use std::sync::Arc;

use pos_adapters::SourceSettings;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::connections::{self, ConnectionTable};
use super::faults::{ConfigFault, FaultCode};
use super::file::{HttpTable, ShopifyTable, SingleTables};
use super::{mask, sources};

/// Faults recorded of one table before giving up on it.
const FAULTS_PER_TABLE_MAX: usize = 64;

/// The place of what does not stand in the file.
const NOWHERE: std::ops::Range<usize> = 0..0;

/// Tables that stand once, and arrays that are read by `kind`.
pub(super) const ROOT_KEYS: [&str; 15] = [
    "store",
    "state",
    "source",
    "articles",
    "platform",
    "count",
    "reconcile",
    "status",
    "log",
    "look_up",
    "backup",
    "online_orders",
    "buffers",
    "prices",
    "incoming",
];

/// Tables with a meaning that this build does not have.
pub(super) const RESERVED_KEYS: [&str; 3] = ["alerts", "central", "update"];

/// Kinds of `[[source]]` of this build, and those that others have.
pub(super) const SOURCE_KINDS: (&[&str], &[&str]) = (&["file", "database", "serial", "tcp-printer", "http"], &[]);

/// Kinds of `[[platform]]` of this build, and those that others have.
pub(super) const PLATFORM_KINDS: (&[&str], &[&str]) = (
    &["shopify", "http", "adobe-commerce", "bigcommerce", "medusa", "square", "vendure", "woocommerce"],
    &["magento", "prestashop", "shopware", "saleor", "commercetools", "amazon", "ebay", "lightspeed", "ecwid", "wix"],
);

/// Where each key stands, by its path.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, usize>);

impl Places {
    /// Byte offset of the key, or of the nearest table around it that is written down.
    pub(super) fn of(&self, key: &str) -> Option<usize> {
        let mut path = key;
        loop {
            if let Some(offset) = self.0.get(path) {
                return Some(*offset);
            }
            path = path.rsplit_once(['.', '['])?.0;
        }
    }

    fn collect(&mut self, table: &DeTable<'_>, path: &str) {
        for (key, value) in table {
            let path = join(path, key.get_ref());
            self.0.insert(path.clone(), key.span().start);
            self.collect_value(value, &path);
        }
    }

    fn collect_value(&mut self, value: &Spanned<DeValue<'_>>, path: &str) {
        if let Some(table) = value.get_ref().as_table() {
            self.collect(table, path);
        } else if let Some(array) = value.get_ref().as_array() {
            for (index, item) in array.iter().enumerate() {
                let path = format!("{path}[{index}]");
                self.0.insert(path.clone(), item.span().start);
                self.collect_value(item, &path);
            }
        }
    }
}

/// What the text holds, and what is wrong with it so far.
#[derive(Debug, Default)]
pub struct Read {
    pub(super) tables: SingleTables,
    pub(super) sources: Vec<(String, Arc<dyn SourceSettings>)>,
    pub(super) platforms: Vec<(String, KnownPlatform)>,
    pub(super) counts: Vec<(String, pos_adapters::counts::CountSettings)>,
    pub(super) places: Places,
    pub(super) faults: Vec<ConfigFault>,
}

/// A `[[platform]]` of a kind that this build has.
#[derive(Debug)]
pub(super) enum KnownPlatform {
    Shopify(Box<ShopifyTable>),
    Http(Box<HttpTable>),
    Other(Box<dyn ConnectionTable>),
}

/// Reads `text`; never fails, see [`Read::faults`].
#[must_use]
pub(super) fn read(text: &str) -> Read {
    let mut read = Read::default();
    let (mut root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // The tree around a syntax error is a guess, and faults of a guess would only confuse.
        read.faults = errors.iter().map(|error| syntax_fault(error, text)).collect();
        return read;
    }
    read.places.collect(root.get_ref(), "");
    let sources = read.take_array(root.get_mut(), "source", text);
    let platforms = read.take_array(root.get_mut(), "platform", text);
    let counts = read.take_array(root.get_mut(), "count", text);
    for name in RESERVED_KEYS {
        if root.get_mut().remove(name).is_some() {
            let fault = ConfigFault::new(FaultCode::NotInThisBuild, name, format!("`{name}` is not in this build"))
                .hint("take the table out, or install a release that has it");
            read.fault(fault, text);
        }
    }
    if let Some(tables) = read.deserialize(root, "", text) {
        read.tables = tables;
    }
    for (path, table) in sources {
        if let Some(kind) = read.kind(&table, &path, SOURCE_KINDS, text)
            && let Some(settings) = sources::table(&mut read, &kind, table, &path, text)
        {
            read.sources.push((path, settings));
        }
    }
    for (path, table) in counts {
        if let Some(settings) = read.deserialize(table, &path, text) {
            read.counts.push((path, settings));
        }
    }
    for (path, table) in platforms {
        match read.kind(&table, &path, PLATFORM_KINDS, text).as_deref() {
            Some("shopify") => {
                if let Some(table) = read.deserialize(table, &path, text) {
                    read.platforms.push((path, KnownPlatform::Shopify(Box::new(table))));
                }
            }
            Some("http") => {
                if let Some(table) = read.deserialize(table, &path, text) {
                    read.platforms.push((path, KnownPlatform::Http(Box::new(table))));
                }
            }
            Some(kind) => {
                if let Some(table) = connections::table(&mut read, kind, table, &path, text) {
                    read.platforms.push((path, KnownPlatform::Other(table)));
                }
            }
            None => {}
        }
    }
    read
}

impl Read {
    /// Records a fault at the place of its key.
    pub(super) fn fault(&mut self, fault: ConfigFault, text: &str) {
        let place = self.places.of(&fault.key);
        self.faults.push(match place {
            Some(offset) => fault.at(text, offset),
            None => fault,
        });
    }

    fn take_array<'i>(
        &mut self,
        root: &mut DeTable<'i>,
        name: &str,
        text: &str,
    ) -> Vec<(String, Spanned<DeTable<'i>>)> {
        let Some(value) = root.remove(name) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value.into_inner() else {
            let fault = ConfigFault::new(FaultCode::WrongType, name, format!("`{name}` must be a list of tables"))
                .hint(format!("write `[[{name}]]`, with two brackets"));
            self.fault(fault, text);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (index, item) in array.into_iter().enumerate() {
            let (path, span) = (format!("{name}[{index}]"), item.span());
            if let DeValue::Table(table) = item.into_inner() {
                tables.push((path, Spanned::new(span, table)));
            } else {
                let fault = ConfigFault::new(FaultCode::WrongType, path, format!("`{name}` must hold tables"))
                    .hint(format!("write `[[{name}]]` above the keys of each"));
                self.fault(fault, text);
            }
        }
        tables
    }

    /// The `kind` of a table if this build has it; otherwise a fault.
    fn kind(
        &mut self,
        table: &Spanned<DeTable<'_>>,
        path: &str,
        (known, elsewhere): (&[&str], &[&str]),
        text: &str,
    ) -> Option<String> {
        let allowed = || format!("one of {}", quoted(known.iter().copied()));
        let Some(value) = table.get_ref().get("kind") else {
            let fault = ConfigFault::new(FaultCode::Missing, path, "`kind` is missing").hint(allowed());
            self.fault(fault, text);
            return None;
        };
        let key = join(path, "kind");
        let Some(kind) = value.get_ref().as_str() else {
            let fault = ConfigFault::new(FaultCode::WrongType, key, "`kind` must be text").hint(allowed());
            self.fault(fault, text);
            return None;
        };
        if known.contains(&kind) {
            return Some(kind.to_owned());
        }
        let fault = if elsewhere.contains(&kind) {
            ConfigFault::new(FaultCode::NotInThisBuild, key, format!("kind `{kind}` is not in this build"))
                .hint(format!("this build has {}", quoted(known.iter().copied())))
        } else {
            ConfigFault::new(FaultCode::NotAllowed, key, format!("`{}` is not a known kind", mask::scrub(kind)))
                .hint(nearest_or_list(kind, known.iter().copied()))
        };
        self.fault(fault, text);
        None
    }

    pub(super) fn deserialize<T: DeserializeOwned>(
        &mut self,
        mut table: Spanned<DeTable<'_>>,
        path: &str,
        text: &str,
    ) -> Option<T> {
        let mut filled: Vec<String> = Vec::new();
        for _ in 0..FAULTS_PER_TABLE_MAX {
            let error = match T::deserialize(Deserializer::from(table.clone())) {
                Ok(value) => return filled.is_empty().then_some(value),
                Err(error) if error.span() == Some(NOWHERE) => return None,
                Err(error) => error,
            };
            let steps = error.span().map(|span| locate(table.get_ref(), span.start)).unwrap_or_default();
            let fault = explain(error.message(), path, &steps);
            let missing = match steps.as_slice() {
                [] if fault.code == FaultCode::Missing => {
                    backquoted(error.message()).first().map(|field| (*field).to_owned())
                }
                _ => None,
            };
            // A value of the wrong type was reported and taken out: it is not missing too.
            if missing.is_none() || self.faults.iter().all(|earlier| earlier.key != fault.key) {
                self.faults.push(match error.span() {
                    Some(span) => fault.at(text, span.start),
                    None => fault,
                });
            }
            if let Some(field) = missing.filter(|field| !filled.contains(field)) {
                // Something has to stand there for the next missing key to be found.
                let key = Spanned::new(NOWHERE, field.clone().into());
                table.get_mut().insert(key, Spanned::new(NOWHERE, DeValue::String("".into())));
                filled.push(field);
            } else if !take_out(table.get_mut(), &steps) {
                return None;
            }
        }
        None
    }
}

fn syntax_fault(error: &toml::de::Error, text: &str) -> ConfigFault {
    let fault = ConfigFault::new(FaultCode::Syntax, "", format!("not TOML: {}", mask::scrub(error.message())))
        .hint("text stands in quotes, tables in [brackets], and each key stands once in its table");
    match error.span() {
        Some(span) => fault.at(text, span.start),
        None => fault,
    }
}

/// One step of a key path.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// The innermost key or value that stands at `offset`.
fn locate(table: &DeTable<'_>, offset: usize) -> Vec<Step> {
    let mut best: Option<(usize, Vec<Step>)> = None;
    locate_in_table(table, offset, &mut Vec::new(), &mut best);
    best.map(|(_, steps)| steps).unwrap_or_default()
}

type Best = Option<(usize, Vec<Step>)>;

fn locate_in_table(table: &DeTable<'_>, offset: usize, path: &mut Vec<Step>, best: &mut Best) {
    for (key, value) in table {
        path.push(Step::Key(key.get_ref().clone().into_owned()));
        offer(key.span(), offset, path, best);
        locate_in_value(value, offset, path, best);
        path.pop();
    }
}

fn locate_in_value(value: &Spanned<DeValue<'_>>, offset: usize, path: &mut Vec<Step>, best: &mut Best) {
    offer(value.span(), offset, path, best);
    if let Some(table) = value.get_ref().as_table() {
        locate_in_table(table, offset, path, best);
    } else if let Some(array) = value.get_ref().as_array() {
        for (index, item) in array.iter().enumerate() {
            path.push(Step::Index(index));
            locate_in_value(item, offset, path, best);
            path.pop();
        }
    }
}

fn offer(span: std::ops::Range<usize>, offset: usize, path: &[Step], best: &mut Best) {
    let width = span.len();
    if span.contains(&offset) && best.as_ref().is_none_or(|(narrowest, _)| width <= *narrowest) {
        *best = Some((width, path.to_vec()));
    }
}

/// Takes the key or item at the end of `steps` out; `false` if there is none.
fn take_out(table: &mut DeTable<'_>, steps: &[Step]) -> bool {
    let [Step::Key(key), rest @ ..] = steps else {
        return false;
    };
    if rest.is_empty() {
        return table.remove(key.as_str()).is_some();
    }
    table.get_mut(key.as_str()).is_some_and(|value| take_out_of_value(value, rest))
}

fn take_out_of_value(value: &mut Spanned<DeValue<'_>>, steps: &[Step]) -> bool {
    match (value.get_mut(), steps) {
        (DeValue::Table(table), _) => take_out(table, steps),
        (DeValue::Array(array), [Step::Index(index), rest @ ..]) => match array.get_mut(*index) {
            Some(item) if !rest.is_empty() => take_out_of_value(item, rest),
            Some(_) => {
                *array = std::mem::replace(array, DeArray::new())
                    .into_iter()
                    .enumerate()
                    .filter_map(|(at, item)| (at != *index).then_some(item))
                    .collect();
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// Turns serde's words into ours. Values of keys that may hold secrets do not appear.
fn explain(message: &str, prefix: &str, steps: &[Step]) -> ConfigFault {
    let key = steps.iter().fold(prefix.to_owned(), |path, step| match step {
        Step::Key(key) => join(&path, key),
        Step::Index(index) => format!("{path}[{index}]"),
    });
    let names = backquoted(message);
    let (first, others) = names.split_first().map_or(("", Default::default()), |(first, rest)| (*first, rest));
    if message.starts_with("unknown field") {
        let known: Vec<&str> = if prefix.is_empty() && steps.len() == 1 { ROOT_KEYS.to_vec() } else { others.to_vec() };
        return ConfigFault::new(FaultCode::UnknownKey, key, format!("unknown key `{first}`"))
            .hint(nearest_or_list(first, known.into_iter()));
    }
    if message.starts_with("missing field") {
        return ConfigFault::new(FaultCode::Missing, join(&key, first), format!("`{first}` is missing"));
    }
    let secret = mask::is_secret_path(&key);
    if message.starts_with("unknown variant") {
        let what = if secret { "this value".to_owned() } else { format!("`{}`", mask::scrub(first)) };
        return ConfigFault::new(FaultCode::NotAllowed, key, format!("{what} is not one of the allowed values"))
            .hint(nearest_or_list(first, others.iter().copied()));
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        let found = if secret { "something else" } else { found };
        return ConfigFault::new(
            FaultCode::WrongType,
            key,
            format!("{} expected, found {}", plain(expected), mask::scrub(found)),
        );
    }
    let message = if secret { "this value is not allowed".to_owned() } else { mask::scrub(message) };
    ConfigFault::new(FaultCode::NotAllowed, key, message)
}

/// What a person calls the type.
fn plain(expected: &str) -> &str {
    match expected {
        "a string" | "string" => "text in quotes",
        "a boolean" => "true or false",
        "i64" | "u64" | "u32" | "usize" | "u16" => "a whole number",
        "a sequence" => "a list in [brackets]",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

fn backquoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

pub(super) fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// "did you mean" if something is near, otherwise all that is known.
pub(super) fn nearest_or_list<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let wanted = name.to_lowercase().replace('-', "_");
    let nearest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase().replace('-', "_")), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.len().min(name.len()) / 3));
    match nearest {
        Some((_, candidate)) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "no key is known here".to_owned(),
        None => format!("known here: {}", quoted(known.into_iter())),
    }
}
