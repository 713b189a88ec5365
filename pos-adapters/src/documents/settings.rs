//! One `[[source]]` table of this family, as written in the configuration. Decides nothing.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::SettingFault;
use crate::{PosSource, SourceContext, SourceSettings};

/// Files of a retail standard: POSLog, NAXML, Verifone transaction sets, DSFinV-K, SAF-T.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "documents")]
pub struct DocumentSettings {
    /// Name of this source, unique in the configuration. It is part of what makes a transaction unique: do not
    /// change it later.
    pub name: String,
    /// The kind of source.
    pub kind: DocumentKind,
    /// A file, a folder, or a pattern with `*` and `?` in file or folder names.
    pub path: String,
    /// What the files contain.
    pub format: DocumentFormat,
}

/// The kind of this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// `file`
    File,
}

/// What the files contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DocumentFormat {
    /// ARTS/OMG POSLog 2.x and 6.
    Poslog,
    /// NAXML POSJournal 3.x.
    Naxml,
    /// Verifone Commander transaction sets.
    Verifone,
    /// DSFinV-K 2.x, a folder or zip archive.
    Dsfinvk,
    /// SAF-T cash register.
    Saft,
}

impl SourceSettings for DocumentSettings {
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
