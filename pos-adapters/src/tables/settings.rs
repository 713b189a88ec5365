//! What a table file needs beside its columns, as written in a `[[source]]` of kind `file`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Records of fixed width.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedTable {
    /// First byte of the record type, from 1. Leave out if all records are alike.
    #[serde(default)]
    pub type_start: Option<usize>,
    /// Bytes of the record type.
    #[serde(default)]
    pub type_width: Option<usize>,
    /// Length of every record where records are not ended by a line break.
    #[serde(default)]
    pub record_length: Option<usize>,
    /// The kinds of record.
    #[serde(default)]
    pub record: Vec<FixedRecord>,
}

/// One kind of record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedRecord {
    /// The record type that it has; empty if all records are alike.
    #[serde(default, rename = "type")]
    pub record_type: String,
    /// What it is for.
    pub role: FixedRole,
    /// Its length in bytes; records of another length are set aside. Leave out if it varies.
    #[serde(default)]
    pub length: Option<usize>,
    /// Its fields. Their names are the columns.
    #[serde(default)]
    pub field: Vec<FixedField>,
    /// In a trailer: the field that counts the lines of the ticket.
    #[serde(default)]
    pub count: Option<String>,
}

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FixedRole {
    /// Begins a ticket: its fields go with every line up to the next header.
    Header,
    /// A line of the ticket.
    Line,
    /// Ends a ticket.
    Trailer,
    /// Of no interest (tender, tax).
    Skip,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedField {
    /// Name of the column.
    pub name: String,
    /// First byte, from 1.
    pub start: usize,
    /// Bytes.
    pub width: usize,
    /// Decimals that are not written: `0001250` with 3 is 1.250.
    #[serde(default)]
    pub decimals: Option<u32>,
    /// Where the sign of a number is.
    #[serde(default)]
    pub sign: FixedSign,
    /// How a date is written, if not as it stands.
    #[serde(default)]
    pub date: Option<FixedDate>,
}

/// Where the sign of a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FixedSign {
    /// `-12`, `12-`, `12CR` or none.
    #[default]
    Written,
    /// In the last digit: `{` and `A` to `I` are positive, `}` and `J` to `R` negative.
    Overpunch,
}

/// How a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FixedDate {
    /// Century (0 is 1900, 1 is 2000), year, month, day.
    Cyymmdd,
    /// Two digits of the year (70 to 99 are 1970 to 1999), month, day.
    Yymmdd,
}

/// A dBase or FoxPro table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DbfTable {
    /// File name of the table with one record a ticket, in the same folder. Its columns go with every line, named
    /// `header.NAME`.
    #[serde(default)]
    pub header: Option<String>,
    /// Columns that both tables have and that name a ticket. Needed with `header`.
    #[serde(default)]
    pub key: Vec<String>,
}

/// A workbook.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetTable {
    /// Name of the sheet. Default: the first one.
    #[serde(default)]
    pub name: Option<String>,
}
