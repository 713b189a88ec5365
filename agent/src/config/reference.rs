//! The reference of all keys, made from the doc comments of `config/file.rs` and of the sources' settings:
//! `config/agent.schema.json` and the key tables of `docs/configure.md`. Tests hold both to it.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::file::ConfigFile;

/// The JSON Schema of the configuration file, with a line end.
#[must_use]
pub fn schema_json() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).expect("a schema holds nothing that JSON cannot");
    text.push('\n');
    text
}

fn schema() -> Value {
    schemars::schema_for!(ConfigFile).to_value()
}

/// Every key name that has a meaning anywhere.
#[must_use]
pub fn key_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect_names(&schema(), &mut names);
    names
}

fn collect_names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let Some(properties) = object.get("properties").and_then(Value::as_object) {
                names.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| collect_names(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_names(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// All keys as Markdown: one section a table, one row a key.
#[must_use]
pub fn markdown() -> String {
    let schema = schema();
    let mut writer = Reference { root: &schema, out: String::new() };
    for (name, table) in properties(&schema) {
        writer.top(name, table);
    }
    writer.out
}

struct Reference<'s> {
    root: &'s Value,
    out: String,
}

impl<'s> Reference<'s> {
    fn top(&mut self, name: &str, node: &'s Value) {
        let description = text_of(node);
        let table = self.follow(node);
        if let Some(items) = table.get("items") {
            let items = self.follow(items);
            match items.get("anyOf").and_then(Value::as_array) {
                Some(variants) => {
                    for variant in variants {
                        let variant = self.follow(variant);
                        let title = format!("[[{name}]] {}", self.told_by(variant));
                        self.table(&title, name, text_of(variant), variant);
                    }
                }
                None => self.table(&format!("[[{name}]]"), name, description, items),
            }
        } else {
            self.table(&format!("[{name}]"), name, description, table);
        }
    }

    /// What tells this variant from the others: its kinds, and its formats where another variant has the same kind.
    fn told_by(&self, variant: &'s Value) -> String {
        let words = |key: &str| {
            let node = variant.pointer(&format!("/properties/{key}"));
            let words = node.map(|node| words_of(self.follow(node))).unwrap_or_default();
            words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
        };
        let (kind, format) = (words("kind"), words("format"));
        if format.is_empty() { format!("kind = {kind}") } else { format!("kind = {kind}, format = {format}") }
    }

    fn table(&mut self, title: &str, path: &str, description: &str, table: &'s Value) {
        let required: Vec<&str> =
            table.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut rows = String::new();
        let mut below = Vec::new();
        for (key, node) in properties(table) {
            let resolved = self.follow(node);
            let description =
                [text_of(node), text_of(resolved)].into_iter().find(|text| !text.is_empty()).unwrap_or("");
            let is_list = resolved.get("items").is_some();
            let inner = resolved.get("items").map_or(resolved, |items| self.follow(items));
            if inner.get("properties").is_some() {
                below.push((key, is_list, description, inner));
            } else {
                let must = if required.contains(&key.as_str()) { "required" } else { "" };
                let default =
                    default_of(node, resolved).map_or_else(|| must.to_owned(), |default| format!("`{default}`"));
                writeln!(rows, "| `{key}` | {} | {default} | {} |", self.kind_of(resolved), cell(description))
                    .expect("writing to a string does not fail");
            }
        }
        write!(self.out, "## `{title}`\n\n{}\n\n", description.trim()).expect("writing to a string does not fail");
        if !rows.is_empty() {
            write!(self.out, "| key | value | default | what it does |\n|---|---|---|---|\n{rows}\n")
                .expect("writing to a string does not fail");
        }
        for (key, is_list, description, inner) in below {
            let path = format!("{path}.{key}");
            let title = if is_list { format!("[[{path}]]") } else { format!("[{path}]") };
            self.table(&title, &path, description, inner);
        }
    }

    /// Through `$ref` and "or null" to the schema that says something.
    fn follow(&self, node: &'s Value) -> &'s Value {
        if let Some(name) = node.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix('#')) {
            return self.root.pointer(name).map_or(node, |found| self.follow(found));
        }
        let variants = node.get("anyOf").or_else(|| node.get("oneOf")).and_then(Value::as_array);
        let mut real = variants.into_iter().flatten().filter(|variant| !is_null(variant));
        match (real.next(), real.next()) {
            (Some(only), None) => self.follow(only),
            _ => node,
        }
    }

    fn kind_of(&self, node: &'s Value) -> String {
        let words = words_of(node);
        if !words.is_empty() {
            return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        }
        if let Some(variants) = node.get("anyOf").or_else(|| node.get("oneOf")).and_then(Value::as_array) {
            let kinds: BTreeSet<String> = variants
                .iter()
                .filter(|variant| !is_null(variant))
                .map(|variant| self.kind_of(self.follow(variant)))
                .collect();
            return kinds.into_iter().collect::<Vec<_>>().join(" or ");
        }
        if let Some(items) = node.get("items") {
            return format!("list of {}", self.kind_of(self.follow(items)));
        }
        let name = match node.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
            }
            _ => "",
        };
        match name {
            "string" => "text",
            "integer" => "whole number",
            "boolean" => "`true` or `false`",
            "object" => "table",
            other => other,
        }
        .to_owned()
    }
}

/// The allowed words of an enum, however schemars spells it.
fn words_of(node: &Value) -> Vec<&str> {
    if let Some(word) = node.get("const").and_then(Value::as_str) {
        return vec![word];
    }
    if let Some(words) = node.get("enum").and_then(Value::as_array) {
        return words.iter().filter_map(Value::as_str).collect();
    }
    match node.get("oneOf").and_then(Value::as_array) {
        Some(variants) if variants.iter().all(|variant| is_null(variant) || !words_of(variant).is_empty()) => {
            variants.iter().flat_map(words_of).collect()
        }
        _ => Vec::new(),
    }
}

fn is_null(node: &Value) -> bool {
    node.get("type").and_then(Value::as_str) == Some("null")
}

fn properties(node: &Value) -> impl Iterator<Item = (&String, &Value)> {
    node.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn text_of(node: &Value) -> &str {
    node.get("description").and_then(Value::as_str).unwrap_or_default()
}

fn default_of(node: &Value, resolved: &Value) -> Option<String> {
    let default = node.get("default").or_else(|| resolved.get("default")).filter(|value| !value.is_null())?;
    Some(default.as_str().map_or_else(|| default.to_string(), str::to_owned))
}

fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
