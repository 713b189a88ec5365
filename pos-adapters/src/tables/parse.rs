//! The kinds of table, each as CSV text. Pure.

mod dbf;
mod fixed;
mod memo;
mod sheet;

use std::path::PathBuf;

use super::settings::{DbfTable, FixedTable, SheetTable};
use crate::file::SettingFault;
use crate::file::decode::Encoding;

/// A kind of table with what is known of it.
#[derive(Debug, Clone)]
pub(crate) enum Table {
    /// Records of fixed width.
    Fixed { settings: FixedTable, encoding: Option<Encoding> },
    /// dBase, FoxPro, Clipper.
    Dbf { settings: DbfTable, encoding: Option<Encoding> },
    /// XLSX, XLS, XLSB, ODS.
    Sheet { settings: SheetTable },
}

/// Why the content is no such table, in plain words.
pub(crate) type Refusal = String;

impl Table {
    /// What the content should be, for messages.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Fixed { .. } => "a file of fixed width",
            Self::Dbf { .. } => "a dBase table",
            Self::Sheet { .. } => "a workbook",
        }
    }

    /// Whether it is written in place all day, so that waiting for it to settle could last until the evening.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self, Self::Dbf { .. })
    }

    /// What is wrong with the settings.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        match self {
            Self::Fixed { settings, .. } => fixed::faults(settings),
            Self::Dbf { settings, .. } if settings.header.is_some() == settings.key.is_empty() => vec![SettingFault {
                key: "dbf.key".to_owned(),
                message: "name the columns of the ticket in both tables, together with `header`".to_owned(),
            }],
            Self::Dbf { .. } | Self::Sheet { .. } => Vec::new(),
        }
    }
}

/// The CSV text of a table. `others` are its companions with their paths.
pub(super) fn csv(table: &Table, main: &[u8], others: &[(PathBuf, Vec<u8>)]) -> Result<Vec<u8>, Refusal> {
    match table {
        Table::Fixed { settings, encoding } => fixed::csv(settings, *encoding, main),
        Table::Dbf { settings, encoding } => dbf::csv(settings, *encoding, main, others),
        Table::Sheet { settings } => sheet::csv(settings, main),
    }
}
