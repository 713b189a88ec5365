//! `[source.receipt]`: which template reads the tickets of a source, and what its names and numbers mean. Holds what a
//! person wrote; [`TicketSettings::plan`] checks it.

use std::path::Path;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tickets::TicketPlan;
use crate::file::SettingFault;

/// How the tickets of a printer's line are read.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketSettings {
    /// The template: the name of one that is built in (`tillsync receipts templates` lists them), or the path of a TOML file.
    pub template: String,
    /// CSV file with the columns `printed name`, `price` (may be empty) and `sku`, for receipts that print names only.
    #[serde(default)]
    pub names: Option<String>,
    /// What becomes of a printed name that the table does not know. Default: `quarantine`.
    #[serde(default)]
    pub unknown_names: UnknownNames,
    /// The till, where the tickets do not print it.
    #[serde(default)]
    pub register: Option<String>,
    /// Highest tax rate in percent that may explain a total above its lines where the tax is not printed, e.g. `"10"`.
    /// Default: what the template says.
    #[serde(default)]
    pub tax_max_percent: Option<String>,
    /// What becomes of a ticket on which nothing can be checked. Default: `quarantine`.
    #[serde(default)]
    pub unchecked: Unchecked,
}

/// What becomes of a printed name that the table does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownNames {
    /// The line is set aside and shown; the other lines of its ticket move stock.
    #[default]
    Quarantine,
    /// The printed name is taken as the SKU.
    AsSku,
}

/// What becomes of a ticket on which nothing can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unchecked {
    /// It is set aside and shown.
    #[default]
    Quarantine,
    /// It is taken as it reads.
    Accept,
}

impl TicketSettings {
    /// Checks everything. `read` gives the text of a file (the only IO, left to the caller); `zone` is the store's.
    ///
    /// # Errors
    /// All faults at once, with keys below `receipt.`.
    pub fn plan(
        &self,
        zone: TimeZone,
        read: &dyn Fn(&Path) -> Result<String, String>,
    ) -> Result<TicketPlan, Vec<SettingFault>> {
        TicketPlan::from_settings(self, zone, read)
    }
}
