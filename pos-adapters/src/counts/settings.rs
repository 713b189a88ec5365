//! One `[[count]]` table, as written in the configuration.

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sync_core::count::{Basis, CountExtent};

use crate::file::SettingFault;
use crate::file::settings::{DateOrder, Decimal, Format};
use crate::tables::settings::{DbfTable, FixedTable, SheetTable};

/// Where counts of stock come from.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountSettings {
    /// Name of this count, unique. It ties a count to the one before it: do not change it later.
    pub name: String,
    /// `file` or `database`.
    pub kind: CountKind,
    /// With `kind = "database"`: name of the `[[source]]` whose POS is asked for its stock number.
    #[serde(default)]
    pub source: Option<String>,
    /// With `kind = "file"`: a file, a folder, or a pattern with `*` and `?` in file or folder names.
    #[serde(default)]
    pub path: Option<String>,
    /// `ledger`: the POS's own stock number, it knows the tickets that the POS knew. `shelf`: goods counted by people, it
    /// knows the tickets that were sold before. Default: `ledger` for databases, `shelf` for files.
    #[serde(default)]
    pub basis: Option<BasisWord>,
    /// `full`: every article that has stock. `partial`: some of them. Default: `full` for databases, `partial` for files.
    #[serde(default)]
    pub extent: Option<ExtentWord>,
    /// When, in store-local time, as six fields: second, minute, hour, day, month, weekday.
    #[serde(default)]
    pub schedule: Option<String>,
    /// In place of `schedule`: time between two counts (`1m` to `30d`).
    #[serde(default)]
    pub every: Option<String>,
    /// Take files in as they come. Default: true for files without `schedule` and `every`.
    #[serde(default)]
    pub on_change: Option<bool>,
    /// Where a file's time comes from: a column (`columns.counted_at`), the file's name, or when it was last written.
    /// Default: `column` if one is named, else `written`.
    #[serde(default)]
    pub taken_at: Option<TakenAt>,
    /// How far the clocks of the POS and of whoever counted may differ (`0s` to `30m`); an article sold within this time
    /// around its count waits for the next one. Default: `2m`.
    #[serde(default)]
    pub margin: Option<String>,
    /// A file of the POS's stock number is taken in this long after its moment, so that the last sales have come in
    /// (`0s` to `24h`). Default: `2m`.
    #[serde(default)]
    pub sales_within: Option<String>,
    /// What the files contain: `csv`, `fixed`, `dbf` or `xlsx`. Default: `csv`.
    #[serde(default)]
    pub format: Option<Format>,
    /// Text encoding, as for sources. Default: `auto`.
    #[serde(default)]
    pub encoding: Option<String>,
    /// Character between the fields, as for sources. Default: `auto`.
    #[serde(default)]
    pub delimiter: Option<String>,
    /// Decimal sign of quantities: `auto`, `.` or `,`. Default: `auto`.
    #[serde(default)]
    pub decimal: Option<Decimal>,
    /// Order of day, month and year in dates such as `03/04/2026`. Default: `auto`.
    #[serde(default)]
    pub date_order: Option<DateOrder>,
    /// IANA time zone of the times in the files. Default: the store's.
    #[serde(default)]
    pub timezone: Option<String>,
    /// How long a file must be unchanged before it is taken as complete. From 0 s to 10 min. Default: `2s`.
    #[serde(default)]
    pub settle: Option<String>,
    /// Whether a CSV file names its columns. Without a header, columns are numbers, the first is `1`. Default: true.
    #[serde(default)]
    pub header: Option<bool>,
    /// Which column is what.
    #[serde(default)]
    pub columns: CountColumns,
    /// Layout of records of fixed width, for format `fixed`.
    #[serde(default)]
    pub fixed: Option<FixedTable>,
    /// What a dBase table needs beside its columns, for format `dbf`.
    #[serde(default)]
    pub dbf: Option<DbfTable>,
    /// Which sheet of a workbook is read, for format `xlsx`.
    #[serde(default)]
    pub sheet: Option<SheetTable>,
    /// What a person has to see before it is taken in.
    #[serde(default)]
    pub limits: CountLimits,
}

/// Where a count comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CountKind {
    /// Files.
    File,
    /// The database of a source.
    Database,
}

/// See [`CountSettings::basis`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BasisWord {
    /// The POS's own stock number.
    Ledger,
    /// Goods, by people.
    Shelf,
}

/// See [`CountSettings::extent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExtentWord {
    /// Every article that has stock.
    Full,
    /// Some of them.
    Partial,
}

/// See [`CountSettings::taken_at`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TakenAt {
    /// `columns.counted_at`
    Column,
    /// Digits in the file's name: `stock-20261125-2230.csv`.
    Name,
    /// When the file was last written.
    Written,
}

/// Names of columns. Letter case and outer blanks do not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountColumns {
    /// The article number or barcode. Default: `sku`.
    #[serde(default)]
    pub sku: Option<String>,
    /// How much lies there. Default: `quantity`.
    #[serde(default)]
    pub quantity: Option<String>,
    /// When this row was counted.
    #[serde(default)]
    pub counted_at: Option<String>,
}

/// What a person has to see before it is taken in. A held count is never taken in by time-out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountLimits {
    /// A full count may have so many percent fewer articles than the one before (0 to 100). Default: 10.
    #[serde(default)]
    pub fewer_percent_max: Option<u32>,
    /// The total of a full count may be so many percent smaller than the ledger's (0 to 100). Default: 20.
    #[serde(default)]
    pub shrunk_percent_max: Option<u32>,
    /// So many percent of the articles that had stock may have none (0 to 100). Default: 5.
    #[serde(default)]
    pub zeroed_percent_max: Option<u32>,
    /// So many percent of the articles may be below zero (0 to 100). Default: 5.
    #[serde(default)]
    pub negative_percent_max: Option<u32>,
    /// Most units of one article (1 to 10000000). Default: 100000.
    #[serde(default)]
    pub units_max: Option<u32>,
    /// So many percent of the compared articles may be corrected (0 to 100). Default: 20.
    #[serde(default)]
    pub corrected_percent_max: Option<u32>,
    /// Units that may be corrected in all (0 to 100000000). Default: 1000.
    #[serde(default)]
    pub corrected_units_max: Option<u32>,
    /// So many percent of the rows may be unreadable (0 to 100). Default: 1.
    #[serde(default)]
    pub unreadable_percent_max: Option<u32>,
    /// So many articles are always believed (0 to 1000). Default: 5.
    #[serde(default)]
    pub always: Option<u32>,
}

impl CountLimits {
    /// With the defaults filled in.
    ///
    /// # Errors
    /// Every limit that is out of its range.
    pub fn checked(&self) -> Result<sync_core::count::Limits, Vec<SettingFault>> {
        let usual = sync_core::count::Limits::default();
        let mut faults = Vec::new();
        let mut size = |key: &str, value: Option<u32>, max: u32, usual: usize| {
            let Some(value) = value else { return usual };
            if value > max {
                faults.push(SettingFault {
                    key: format!("limits.{key}"),
                    message: format!("{value} is more than {max}"),
                });
            }
            usize::try_from(value).unwrap_or(usual)
        };
        let checked = sync_core::count::Limits {
            fewer_percent_max: size("fewer_percent_max", self.fewer_percent_max, 100, usual.fewer_percent_max),
            shrunk_percent_max: size("shrunk_percent_max", self.shrunk_percent_max, 100, usual.shrunk_percent_max),
            zeroed_percent_max: size("zeroed_percent_max", self.zeroed_percent_max, 100, usual.zeroed_percent_max),
            negative_percent_max: size(
                "negative_percent_max",
                self.negative_percent_max,
                100,
                usual.negative_percent_max,
            ),
            corrected_percent_max: size(
                "corrected_percent_max",
                self.corrected_percent_max,
                100,
                usual.corrected_percent_max,
            ),
            unreadable_percent_max: size(
                "unreadable_percent_max",
                self.unreadable_percent_max,
                100,
                usual.unreadable_percent_max,
            ),
            always: size("always", self.always, 1_000, usual.always),
            units_max: self.units_max.map_or(usual.units_max, i64::from),
            corrected_units_max: self.corrected_units_max.map_or(usual.corrected_units_max, i64::from),
        };
        if faults.is_empty() { Ok(checked) } else { Err(faults) }
    }
}

impl CountSettings {
    /// What it counts.
    #[must_use]
    pub fn basis(&self) -> Basis {
        match (self.basis, self.kind) {
            (Some(BasisWord::Ledger), _) | (None, CountKind::Database) => Basis::Ledger,
            (Some(BasisWord::Shelf), _) | (None, CountKind::File) => Basis::Shelf,
        }
    }

    /// How much of the store it is about.
    #[must_use]
    pub fn extent(&self) -> CountExtent {
        match (self.extent, self.kind) {
            (Some(ExtentWord::Full), _) | (None, CountKind::Database) => CountExtent::Full,
            (Some(ExtentWord::Partial), _) | (None, CountKind::File) => CountExtent::Partial,
        }
    }

    /// What is wrong with it, whatever the rest of the configuration says.
    #[must_use]
    pub fn faults(&self, zone: &TimeZone) -> Vec<SettingFault> {
        let mut faults = self.limits.checked().err().unwrap_or_default();
        let mut add = |key: &str, message: &str| {
            faults.push(SettingFault { key: key.to_owned(), message: message.to_owned() });
        };
        match self.kind {
            CountKind::Database => {
                if self.source.is_none() {
                    add("source", "name the `[[source]]` whose database is asked");
                }
                if self.basis == Some(BasisWord::Shelf) {
                    add("basis", "a database has the POS's own number: take the key out, or write \"ledger\"");
                }
                if self.path.is_some() {
                    add("path", "is for `kind = \"file\"`");
                }
                if self.on_change == Some(true) {
                    add("on_change", "is for `kind = \"file\"`; write `schedule` or `every`");
                }
            }
            CountKind::File => {
                if self.path.is_none() {
                    add("path", "name the file, folder or pattern");
                }
                if self.source.is_some() {
                    add("source", "is for `kind = \"database\"`");
                }
            }
        }
        if self.schedule.is_some() && self.every.is_some() {
            add("every", "give either `schedule` or `every`");
        }
        if self.taken_at == Some(TakenAt::Column) && self.columns.counted_at.is_none() {
            add("columns.counted_at", "name the column that says when a row was counted");
        }
        if self.kind == CountKind::File
            && let Err(mut others) = super::file::Reader::new(self, zone)
        {
            faults.append(&mut others);
        }
        faults
    }
}
