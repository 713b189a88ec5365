//! `index.xml` of an export: how its tables are written. Pure.
//!
//! Outside rules: GDPdU description standard 1.1. It names its own document type by an outside file, which is never
//! fetched; a document type with rules of its own is refused.

use std::collections::BTreeMap;

use crate::documents::tree::{Element, Tree};

/// How one table is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// `,` in Germany, unless it says otherwise.
    pub(crate) decimal: char,
    pub(crate) grouping: char,
    pub(crate) delimiter: u8,
    pub(crate) quote: u8,
    pub(crate) columns: Vec<String>,
}

impl Default for Shape {
    fn default() -> Self {
        Self { decimal: ',', grouping: '.', delimiter: b';', quote: b'"', columns: Vec::new() }
    }
}

/// The tables by the name of their file, in lower case.
pub(crate) type Index = BTreeMap<String, Shape>;

/// Reads the index.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn read(bytes: &[u8]) -> Result<Index, String> {
    let text = std::str::from_utf8(bytes).map_or_else(
        |_| encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned(),
        |text| text.trim_start_matches('\u{feff}').to_owned(),
    );
    let text = without_document_type(&text)?;
    let tree = Tree::read(&text).map_err(|reason| format!("has an index.xml that {reason}"))?;
    let mut index = Index::new();
    let mut stack: Vec<Element<'_>> = vec![tree.root()];
    while let Some(element) = stack.pop() {
        if element.name() == "Table" {
            if let Some((file, shape)) = table(element) {
                index.insert(file, shape);
            }
        } else {
            stack.extend(element.children());
        }
    }
    if index.is_empty() {
        return Err("has an index.xml that names no tables".to_owned());
    }
    Ok(index)
}

fn without_document_type(text: &str) -> Result<String, String> {
    let Some(start) = text.find("<!DOCTYPE") else {
        return Ok(text.to_owned());
    };
    let (before, after) = text.split_at_checked(start).unwrap_or((text, ""));
    let Some((declaration, rest)) = after.split_once('>') else {
        return Err("has an index.xml that does not end".to_owned());
    };
    if declaration.contains('[') || rest.contains("<!DOCTYPE") || before.contains("<DataSet") {
        return Err("has an index.xml with entities of its own, which are refused".to_owned());
    }
    Ok(format!("{before}{rest}"))
}

fn table(table: Element<'_>) -> Option<(String, Shape)> {
    let file = table.text_of("URL")?.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
    let mut shape = Shape::default();
    let sign = |name: &str| table.child(name).and_then(|element| element.text().chars().next());
    shape.decimal = sign("DecimalSymbol").unwrap_or(shape.decimal);
    shape.grouping = sign("DigitGroupingSymbol").unwrap_or(if shape.decimal == ',' { '.' } else { ',' });
    if let Some(columns) = table.child("VariableLength") {
        let byte = |name: &str| columns.text_of(name).and_then(|text| text.bytes().next());
        shape.delimiter = byte("ColumnDelimiter").unwrap_or(shape.delimiter);
        shape.quote = byte("TextEncapsulator").unwrap_or(shape.quote);
        let named = columns.children().filter(|c| matches!(c.name(), "VariablePrimaryKey" | "VariableColumn"));
        shape.columns = named.filter_map(|column| Some(column.text_of("Name")?.to_owned())).collect();
    }
    Some((file, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"<?xml version="1.0"?><!DOCTYPE DataSet SYSTEM "gdpdu-01-09-2004.dtd"><DataSet><Media><Table>
        <URL>lines.csv</URL><DecimalSymbol>.</DecimalSymbol><VariableLength><ColumnDelimiter>|</ColumnDelimiter>
        <VariablePrimaryKey><Name>Z_NR</Name></VariablePrimaryKey><VariableColumn><Name>MENGE</Name></VariableColumn>
        </VariableLength></Table></Media></DataSet>"#;

    #[test]
    fn the_shape_of_a_table_is_read() {
        let index = read(PLAIN.as_bytes()).unwrap();
        let shape = &index["lines.csv"];
        assert_eq!((shape.decimal, shape.grouping, shape.delimiter, shape.quote), ('.', ',', b'|', b'"'));
        assert_eq!(shape.columns, ["Z_NR", "MENGE"]);
    }

    #[test]
    fn own_entities_are_refused() {
        let hostile = PLAIN.replace("SYSTEM \"gdpdu-01-09-2004.dtd\"", "[<!ENTITY x SYSTEM \"file:///etc/passwd\">]");
        assert!(read(hostile.as_bytes()).unwrap_err().contains("entities of its own"));
    }
}
