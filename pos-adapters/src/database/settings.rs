//! One `[[source]]` table of this family, as written in the configuration. Decides nothing.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::SettingFault;
use crate::{PosSource, SourceContext, SourceSettings};

/// A database that the POS writes.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "database")]
pub struct DatabaseSettings {
    /// Name of this source, unique in the configuration. It is part of what makes a transaction unique: do not
    /// change it later.
    pub name: String,
    /// The kind of source.
    pub kind: DatabaseKind,
}

/// The kind of this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseKind {
    /// `database`
    Database,
}

impl SourceSettings for DatabaseSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "database"
    }

    fn reading(&self, input: &Path) -> Result<Arc<dyn SourceSettings>, String> {
        Err(format!("source `{}` reads no files, so it cannot read `{}`", self.name, input.display()))
    }

    fn open(&self, context: &SourceContext) -> Result<Box<dyn PosSource>, Vec<SettingFault>> {
        let _not_yet = context;
        Err(vec![SettingFault { key: "kind".to_owned(), message: "is not in this build".to_owned() }])
    }
}
