//! One `[[source]]` table of kind `file`, as written in the configuration. It holds what a person wrote and
//! decides nothing; [`super::plan`] checks it and fills in the profile.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tables::settings::{DbfTable, FixedTable, SheetTable};

/// A fault of one key, to be shown with its place in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// The key below the `[[source]]` table, dotted, e.g. `columns.sku`.
    pub key: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl fmt::Display for SettingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Sales that a POS writes to files.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// Name of this source, unique in the configuration. It is part of what makes a transaction unique: do not
    /// change it later.
    pub name: String,
    /// Always `file` for this kind of source.
    #[serde(default)]
    pub kind: FileKind,
    /// A file, a folder, or a pattern with `*` and `?` in file or folder names. `~` and environment variables are
    /// not expanded. Windows paths are fine; in TOML write them in single quotes: `'C:\POS\sales.csv'`.
    pub path: String,
    /// What the files contain. Default: what the profile says, else `csv`.
    #[serde(default)]
    pub format: Option<Format>,
    /// Ready-made columns, signs and filters of a known export. Keys written here win over the profile.
    #[serde(default)]
    pub profile: Profile,
    /// How the files are written. Default: what the profile says, else `journal`.
    #[serde(default)]
    pub pattern: Option<Pattern>,
    /// Text encoding: `auto`, `utf-8`, `utf-16le`, `utf-16be`, a DOS page such as `cp437`, `cp850`, `cp858`, or any
    /// WHATWG label such as `cp1252`, `shift_jis`, `gbk`. `auto` knows byte-order marks, UTF-16 and UTF-8, and
    /// takes anything else for `cp1252`. Default: `auto`.
    #[serde(default)]
    pub encoding: Option<String>,
    /// Character between the fields of a CSV file: `auto`, or one of `,` `;` `|` or a tab. Default: `auto`.
    #[serde(default)]
    pub delimiter: Option<String>,
    /// Decimal sign of quantities: `auto`, `.` or `,`. `auto` decides once per file. Default: `auto`.
    #[serde(default)]
    pub decimal: Option<Decimal>,
    /// Order of day, month and year in dates such as `03/04/2026`. `auto` decides once per file from any number above
    /// 12; until then such dates stay empty. Default: `auto`.
    #[serde(default)]
    pub date_order: Option<DateOrder>,
    /// IANA time zone of the times in the files, e.g. `Europe/Berlin`. Default: the store's.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Longest time between two looks when no file event comes, e.g. `5s`. From 100 ms to 1 h. Default: `5s`.
    #[serde(default)]
    pub scan: Option<String>,
    /// How long an export or a ticket file must be unchanged before it is taken as complete, unless its end
    /// proves it. From 0 s to 10 min. Default: `2s`.
    #[serde(default)]
    pub settle: Option<String>,
    /// Whether a CSV file names its columns. Without a header, columns are numbers, the first is `1`. Default: true.
    #[serde(default)]
    pub header: Option<bool>,
    /// What a transaction that is missing from a newer export of the same file means: `reverse` takes its movements
    /// back, `keep` leaves them. Exports only. Default: `reverse`.
    #[serde(default)]
    pub vanished: Option<Vanished>,
    /// Largest share of transactions that may vanish from an export at once (0 to 1); more than that is held for a
    /// person. Default: 0.2.
    #[serde(default)]
    pub vanish_limit: Option<f64>,
    /// Which column is what.
    #[serde(default)]
    pub columns: Columns,
    /// How the sign of a line is found.
    #[serde(default)]
    pub signs: Signs,
    /// Values of the status column by which a transaction moves no stock.
    #[serde(default)]
    pub status: StatusWords,
    /// Layout of records of fixed width, for format `fixed`.
    #[serde(default)]
    pub fixed: Option<FixedTable>,
    /// What a dBase table needs beside its columns, for format `dbf`.
    #[serde(default)]
    pub dbf: Option<DbfTable>,
    /// Which sheet of a workbook is read, for format `xlsx`.
    #[serde(default)]
    pub sheet: Option<SheetTable>,
    /// Lines that move no stock; they are kept in their transaction and say by which rule.
    #[serde(default)]
    pub ignore: Vec<IgnoreRule>,
}

/// The kind of this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// Sales that a POS writes to files.
    #[default]
    File,
}

/// What the files contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lines of fields with a delimiter.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// The whole file is one JSON array of objects, or one object.
    Json,
    /// Records of fixed width, described in `[source.fixed]`.
    Fixed,
    /// A dBase, FoxPro or Clipper table. Deleted records are marked with `*` in the column `_deleted`.
    Dbf,
    /// A workbook (XLSX, XLS, ODS).
    Xlsx,
}

/// A known export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Nothing preset but the usual names `transaction`, `sku`, `quantity`, `sold_at`.
    #[default]
    Generic,
    /// Square, "Item details" export.
    SquareItems,
    /// Loyverse, "Receipts by item" export.
    LoyverseItems,
    /// Lightspeed Retail (X-Series), sales lines export.
    LightspeedSales,
}

/// How the files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Lines are only ever appended; files may be rotated.
    Journal,
    /// The whole file is written again, in place or renamed into place.
    Export,
    /// One file for each transaction, in a folder that fills up.
    PerTransaction,
}

/// Decimal sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Decimal {
    /// Decided once per file.
    #[serde(rename = "auto")]
    Auto,
    /// `1.5`
    #[serde(rename = ".")]
    Point,
    /// `1,5`
    #[serde(rename = ",")]
    Comma,
}

/// Order of the parts of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// Decided once per file.
    Auto,
    /// Year, month, day.
    Ymd,
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
}

/// What a transaction missing from a newer export means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Vanished {
    /// It was deleted: its movements are taken back.
    Reverse,
    /// Nothing.
    Keep,
}

/// Names of columns (CSV header cells, JSON keys; JSON paths are dotted). Letter case and outer blanks do not matter in CSV.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// What makes a transaction unique: one column, or several whose values are joined by `|`.
    #[serde(default)]
    pub transaction: Option<OneOrMore>,
    /// The till.
    #[serde(default)]
    pub register: Option<String>,
    /// The article number.
    #[serde(default)]
    pub sku: Option<String>,
    /// How many, or how much by weight.
    #[serde(default)]
    pub quantity: Option<String>,
    /// Date and time in one column.
    #[serde(default)]
    pub sold_at: Option<String>,
    /// Date, when the time is in another column.
    #[serde(default)]
    pub date: Option<String>,
    /// Time of day, when the date is in another column.
    #[serde(default)]
    pub time: Option<String>,
    /// Number of the line within its transaction: whole transactions are put in this order.
    #[serde(default)]
    pub line: Option<String>,
    /// What kind of line it is; its values are named in `[source.signs]`.
    #[serde(default)]
    pub kind: Option<String>,
    /// State of the transaction; its values are named in `[source.status]`.
    #[serde(default)]
    pub status: Option<String>,
    /// The online order that the transaction rings up; its number as the platform shows it.
    #[serde(default)]
    pub online_order: Option<String>,
    /// JSON: name of the array of lines when one object is a whole transaction. `sku`, `quantity` and `line` are
    /// then looked up in the line, `kind` and filter columns in the line first, the others in the transaction.
    #[serde(default)]
    pub items: Option<String>,
    /// Name of the article; only used to make messages readable.
    #[serde(default)]
    pub name: Option<String>,
}

/// One name or a list of names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One name.
    One(String),
    /// Several names.
    More(Vec<String>),
}

impl OneOrMore {
    /// The names in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::More(names) => names.clone(),
        }
    }
}

/// How the sign of a line is found. Values are compared without regard to letter case and outer blanks.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signs {
    /// How the quantity is to be read. Default: `signed`.
    #[serde(default)]
    pub quantity: Option<QuantitySign>,
    /// Values of the kind column that mean a sale.
    #[serde(default)]
    pub sale: Option<Vec<String>>,
    /// Values of the kind column that mean goods brought back by a customer.
    #[serde(default, rename = "return")]
    pub returned: Option<Vec<String>>,
    /// Values of the kind column that mean goods received.
    #[serde(default)]
    pub receipt: Option<Vec<String>>,
    /// Values of the kind column that mean a correction of stock; its quantity is the stock change itself.
    #[serde(default)]
    pub adjustment: Option<Vec<String>>,
}

/// How a quantity becomes a stock change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QuantitySign {
    /// Positive was sold, negative came back.
    Signed,
    /// Only the amount counts; the kind column decides the sign.
    ByKind,
    /// The number is the stock change: negative was sold.
    Stock,
}

/// Values of the status column, compared without regard to letter case and outer blanks.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusWords {
    /// Voided as a whole.
    #[serde(default)]
    pub cancelled: Option<Vec<String>>,
    /// Parked to be recalled later.
    #[serde(default)]
    pub suspended: Option<Vec<String>>,
    /// Rung up in training mode.
    #[serde(default)]
    pub training: Option<Vec<String>>,
}

/// Lines that move no stock.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IgnoreRule {
    /// Name of the rule, shown beside each line that it left out.
    pub rule: String,
    /// The column to look at.
    pub column: String,
    /// The line is left out if the value is one of these.
    #[serde(default)]
    pub equals: Vec<String>,
    /// The line is left out if the value starts with this.
    #[serde(default)]
    pub prefix: Option<String>,
}
