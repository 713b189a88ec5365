//! One `[[source]]` table of this family, as written in the configuration. Decides nothing.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::SettingFault;
use crate::{PosSource, SourceContext, SourceSettings};

/// Tables in files: fixed width, DBF, workbooks, Access.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tables")]
pub struct TableSettings {
    /// Name of this source, unique in the configuration. It is part of what makes a transaction unique: do not
    /// change it later.
    pub name: String,
    /// The kind of source.
    pub kind: TableKind,
    /// A file, a folder, or a pattern with `*` and `?` in file or folder names.
    pub path: String,
    /// What the files contain.
    pub format: TableFormat,
}

/// The kind of this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TableKind {
    /// `file`
    File,
}

/// What the files contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    /// Fixed width records.
    Fixed,
    /// dBase and FoxPro tables.
    Dbf,
    /// Workbooks.
    Xlsx,
    /// Access databases, read from a copy.
    Access,
}

impl SourceSettings for TableSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "file"
    }

    fn path(&self) -> Option<&str> {
        Some(&self.path)
    }

    fn reading(&self, input: &Path) -> Result<Arc<dyn SourceSettings>, String> {
        Ok(Arc::new(Self { path: input.to_string_lossy().into_owned(), ..self.clone() }))
    }

    fn open(&self, context: &SourceContext) -> Result<Box<dyn PosSource>, Vec<SettingFault>> {
        let _not_yet = context;
        Err(vec![SettingFault { key: "kind".to_owned(), message: "is not in this build".to_owned() }])
    }
}
