//! One `[[source]]` table of this family, as written in the configuration. Decides nothing.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::SettingFault;
use crate::{PosSource, SourceContext, SourceSettings};

/// The receipt printer's line: a serial port, a network printer, or captured files.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "receipts")]
pub struct ReceiptSettings {
    /// Name of this source, unique in the configuration. It is part of what makes a transaction unique: do not
    /// change it later.
    pub name: String,
    /// The kind of source.
    pub kind: ReceiptKind,
    /// Captured files, for kind `file`: a file, a folder, or a pattern with `*` and `?`.
    #[serde(default)]
    pub path: Option<String>,
    /// What the files contain, for kind `file`.
    #[serde(default)]
    pub format: Option<ReceiptFormat>,
}

/// The kind of this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptKind {
    /// `serial`
    Serial,
    /// `tcp-printer`
    TcpPrinter,
    /// `file`
    File,
}

/// What the files contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptFormat {
    /// Captured bytes of a receipt printer.
    Receipt,
}

impl SourceSettings for ReceiptSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        match self.kind {
            ReceiptKind::Serial => "serial",
            ReceiptKind::TcpPrinter => "tcp-printer",
            ReceiptKind::File => "file",
        }
    }

    fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    fn reading(&self, input: &Path) -> Result<Arc<dyn SourceSettings>, String> {
        Ok(Arc::new(Self {
            kind: ReceiptKind::File,
            path: Some(input.to_string_lossy().into_owned()),
            format: Some(ReceiptFormat::Receipt),
            ..self.clone()
        }))
    }

    fn open(&self, context: &SourceContext) -> Result<Box<dyn PosSource>, Vec<SettingFault>> {
        let _not_yet = context;
        Err(vec![SettingFault { key: "kind".to_owned(), message: "is not in this build".to_owned() }])
    }
}
