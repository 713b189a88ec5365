//! What must not be seen: secrets and personal bits in configuration, log lines and support bundles.
//!
//! Two nets: keys by name ([`is_secret_path`]) and text by its shape ([`scrub`]). Both rather hide too much.

use std::collections::BTreeSet;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::reference;
use crate::secret::SecretRef;

/// What stands in place of something hidden.
pub const MASK: &str = "***";

/// Parts of key names whose values let someone in.
const SECRET_WORDS: [&str; 11] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "api_key",
    "apikey",
    "authorization",
    "credential",
    "cookie",
];

/// Beginnings of tokens that are recognised wherever they stand.
const TOKEN_PREFIXES: [&str; 10] =
    ["shpat_", "shpss_", "shpca_", "shppa_", "shpua_", "shprt_", "whsec_", "ck_", "cs_", "sk_live_"];

/// Shortest run of letters and digits after a prefix that is taken for a token.
const TOKEN_TAIL_MIN: usize = 6;

/// Does the key at this path hold a secret (or anything else that lets someone in)?
#[must_use]
pub fn is_secret_path(path: &str) -> bool {
    let mut parts = path.split('.');
    let last = path.rsplit('.').next().unwrap_or_default().to_lowercase().replace('-', "_");
    parts.any(|part| part == "headers")
        || last == "key"
        || last.ends_with("_key")
        || SECRET_WORDS.iter().any(|word| last.contains(word))
}

/// `line` of a configuration file, its value hidden if it may be secret.
#[must_use]
pub fn mask_line(line: &str, path: &str) -> String {
    let lower = line.to_lowercase();
    let suspicious = is_secret_path(path)
        || SECRET_WORDS.iter().any(|word| lower.contains(word))
        || lower.contains("headers")
        || lower.contains("_key")
        || lower.contains("-key");
    if suspicious { hide_value(line) } else { scrub(line) }
}

/// `line` with everything after the first `=` hidden, unless it is nothing but a reference.
#[must_use]
pub fn hide_value(line: &str) -> String {
    let Some((key, value)) = line.split_once('=') else {
        return scrub(line);
    };
    let value = value.trim();
    let reference = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|inner| !inner.contains(['"', ' ']))
        .and_then(|inner| SecretRef::parse(inner).ok());
    match reference {
        Some(reference) => format!("{key}= \"{}\"", scrub(&reference.to_string())),
        None => format!("{key}= {MASK}"),
    }
}

/// Hides what looks like a secret or a person in any text: known token forms, bearer tokens, passwords in
/// addresses, mail addresses, card numbers, and user names in home folders.
#[must_use]
pub fn scrub(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_scheme_word = false;
    for piece in
        text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '<' | '>' | '(' | ')'))
    {
        let end = piece.trim_end_matches(|c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '<' | '>' | '(' | ')')
        });
        let tail = piece.get(end.len()..).unwrap_or_default();
        let lower = end.to_lowercase();
        if after_scheme_word && !end.is_empty() {
            out.push_str(MASK);
            after_scheme_word = false;
        } else {
            out.push_str(&scrub_word(end));
        }
        if !end.is_empty() {
            after_scheme_word = matches!(lower.trim_start_matches("authorization:"), "bearer" | "basic");
        }
        out.push_str(tail);
    }
    scrub_card_numbers(&out)
}

fn scrub_word(word: &str) -> String {
    let mut word = hide_tokens(word);
    if let Some((before, after)) = word.split_once("://") {
        let (authority, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
        if let Some((_, host)) = authority.rsplit_once('@') {
            word = format!("{before}://{MASK}@{host}{rest}");
        }
    } else if looks_like_mail(&word) {
        word = MASK.to_owned();
    }
    hide_home(&word)
}

fn hide_tokens(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    for prefix in TOKEN_PREFIXES {
        let Some(at) = lower.find(prefix) else {
            continue;
        };
        let starts_a_word =
            lower.get(..at).unwrap_or_default().chars().last().is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
        let tail = lower.get(at.saturating_add(prefix.len())..).unwrap_or_default();
        let run =
            tail.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_')).count();
        if starts_a_word && run >= TOKEN_TAIL_MIN {
            let end = at.saturating_add(prefix.len()).saturating_add(run);
            let before = word.get(..at.saturating_add(prefix.len())).unwrap_or_default();
            return format!("{before}{MASK}{}", hide_tokens(word.get(end..).unwrap_or_default()));
        }
    }
    word.to_owned()
}

fn looks_like_mail(word: &str) -> bool {
    word.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
    })
}

fn hide_home(word: &str) -> String {
    for (marker, separator) in [("/home/", '/'), ("/Users/", '/'), ("\\Users\\", '\\'), ("\\\\Users\\\\", '\\')] {
        let Some(at) = word.find(marker) else {
            continue;
        };
        let from = at.saturating_add(marker.len());
        let rest = word.get(from..).unwrap_or_default();
        let user_end = rest.find(separator).unwrap_or(rest.len());
        if user_end > 0 {
            let (before, after) = (word.get(..from).unwrap_or_default(), rest.get(user_end..).unwrap_or_default());
            return format!("{before}{MASK}{after}");
        }
    }
    word.to_owned()
}

/// Hides card numbers: 14 to 19 digits in groups (single spaces or dashes between them) that begin as card
/// numbers do and whose Luhn check digit is right (ISO/IEC 7812-1). Article numbers (GTIN) stay.
fn scrub_card_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars() {
        let joins = matches!(c, ' ' | '-') && run.ends_with(|last: char| last.is_ascii_digit());
        if c.is_ascii_digit() || joins {
            run.push(c);
        } else {
            end_run(&mut out, &run);
            run.clear();
            out.push(c);
        }
    }
    end_run(&mut out, &run);
    out
}

fn end_run(out: &mut String, run: &str) {
    let groups: Vec<&str> = run.split_inclusive([' ', '-']).collect();
    let mut start = 0;
    while let Some(group) = groups.get(start) {
        let mut digits = Vec::new();
        let card_end =
            groups.iter().enumerate().skip(start).take_while(|(_, group)| group.len() <= 20).find(|(_, group)| {
                digits.extend(group.chars().filter_map(|c| c.to_digit(10)));
                is_card(&digits)
            });
        if let Some((end, last)) = card_end {
            out.push_str(MASK);
            out.push_str(last.trim_start_matches(|c: char| c.is_ascii_digit()));
            start = end;
        } else {
            out.push_str(group);
        }
        start = start.saturating_add(1);
    }
}

fn is_card(digits: &[u32]) -> bool {
    let begins = match digits {
        [3, 0 | 6 | 8 | 9, ..] => digits.len() >= 14,
        [2..=6, ..] => digits.len() >= 15,
        _ => false,
    };
    begins && digits.len() <= 19 && luhn(digits)
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit.saturating_mul(2)) {
            (0, _) => *digit,
            (_, double) if double > 9 => double.saturating_sub(9),
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The configuration as it may be shown: comments left out, secrets and values of unknown keys hidden,
/// references kept.
///
/// # Errors
/// The text is not TOML. The error does not echo the text.
pub fn mask_config(text: &str) -> Result<String, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let known = reference::key_names();
    let table = document.as_table_mut();
    table.decor_mut().clear();
    mask_table(table, "", &known);
    document.set_trailing("");
    Ok(document.to_string().trim_start().to_owned())
}

fn mask_table(table: &mut Table, path: &str, known: &BTreeSet<String>) {
    for (mut key, item) in table.iter_mut() {
        key.leaf_decor_mut().clear();
        key.dotted_decor_mut().clear();
        let path = format!("{path}.{}", key.get());
        mask_item(item, &path, known.contains(key.get()), known);
    }
}

fn mask_item(item: &mut Item, path: &str, is_known: bool, known: &BTreeSet<String>) {
    match item {
        Item::None => {}
        Item::Value(value) => mask_value(value, path, is_known, known),
        Item::Table(table) => {
            table.decor_mut().clear();
            table.decor_mut().set_prefix("\n");
            mask_table(table, path, known);
        }
        Item::ArrayOfTables(tables) => {
            for table in tables.iter_mut() {
                table.decor_mut().clear();
                table.decor_mut().set_prefix("\n");
                mask_table(table, path, known);
            }
        }
    }
}

fn mask_value(value: &mut Value, path: &str, is_known: bool, known: &BTreeSet<String>) {
    match value {
        Value::InlineTable(table) => mask_inline(table, path, known),
        Value::Array(array) => mask_array(array, path, is_known, known),
        Value::String(text) => {
            let text = text.value();
            let hidden = is_secret_path(path) || !(is_known || path.starts_with(".source."));
            let shown = match SecretRef::parse(text) {
                Ok(reference) => scrub(&reference.to_string()),
                Err(_) if hidden => MASK.to_owned(),
                Err(_) => scrub(text),
            };
            *value = Value::from(shown);
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            if is_secret_path(path) || !is_known {
                *value = Value::from(MASK);
            }
        }
    }
    value.decor_mut().clear();
}

fn mask_inline(table: &mut InlineTable, path: &str, known: &BTreeSet<String>) {
    for (mut key, value) in TableLike::iter_mut(table) {
        key.leaf_decor_mut().clear();
        let path = format!("{path}.{}", key.get());
        mask_item(value, &path, known.contains(key.get()), known);
    }
}

fn mask_array(array: &mut Array, path: &str, is_known: bool, known: &BTreeSet<String>) {
    array.set_trailing("");
    for value in array.iter_mut() {
        mask_value(value, path, is_known, known);
    }
}
