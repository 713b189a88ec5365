//! Everything that is wrong with a configuration file, told like a compiler does: file, line, key, what would
//! be right. Never shows the value of a key that may hold a secret.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::mask;

/// Faults shown of one file; a file with more has some other problem.
pub const FAULTS_MAX: usize = 200;

/// What kind of fault; the text form is stable and listed in `docs/errors.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultCode {
    /// The file cannot be read at all.
    #[serde(rename = "config_unreadable")]
    Unreadable,
    /// Not TOML.
    #[serde(rename = "config_syntax")]
    Syntax,
    /// No such key.
    #[serde(rename = "config_unknown_key")]
    UnknownKey,
    /// A number where text is expected, or the like.
    #[serde(rename = "config_wrong_type")]
    WrongType,
    /// A required key is not there.
    #[serde(rename = "config_missing")]
    Missing,
    /// A value outside of what is allowed.
    #[serde(rename = "config_not_allowed")]
    NotAllowed,
    /// Two tables with the same name.
    #[serde(rename = "config_duplicate")]
    Duplicate,
    /// Known, but this build cannot do it.
    #[serde(rename = "config_not_in_this_build")]
    NotInThisBuild,
    /// A secret stands in the file itself.
    #[serde(rename = "config_literal_secret")]
    LiteralSecret,
}

impl FaultCode {
    /// All of them, for the documentation.
    pub const ALL: [Self; 9] = [
        Self::Unreadable,
        Self::Syntax,
        Self::UnknownKey,
        Self::WrongType,
        Self::Missing,
        Self::NotAllowed,
        Self::Duplicate,
        Self::NotInThisBuild,
        Self::LiteralSecret,
    ];

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "config_unreadable",
            Self::Syntax => "config_syntax",
            Self::UnknownKey => "config_unknown_key",
            Self::WrongType => "config_wrong_type",
            Self::Missing => "config_missing",
            Self::NotAllowed => "config_not_allowed",
            Self::Duplicate => "config_duplicate",
            Self::NotInThisBuild => "config_not_in_this_build",
            Self::LiteralSecret => "config_literal_secret",
        }
    }
}

/// Does it keep the agent from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It works, but deserves a look.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigFault {
    /// Error or warning.
    pub severity: Severity,
    /// What kind.
    pub code: FaultCode,
    /// Line in the file, from 1; `None` if it has none (a missing table, an unreadable file).
    pub line: Option<usize>,
    /// Column of the first character, from 1.
    pub column: Option<usize>,
    /// Path of the key, as `source[0].path`; empty for the whole file.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What would be right, or the next step.
    pub hint: Option<String>,
    /// The line as it stands in the file, secrets masked.
    pub text: Option<String>,
}

impl ConfigFault {
    /// A fault without a place; see [`Self::at`].
    #[must_use]
    pub fn new(code: FaultCode, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            line: None,
            column: None,
            key: key.into(),
            message: message.into(),
            hint: None,
            text: None,
        }
    }

    /// Adds the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Makes it a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Adds the place: the byte `offset` in `source`.
    #[must_use]
    pub fn at(mut self, source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let line = source.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        self.line = Some(before.matches('\n').count().saturating_add(1));
        self.column = Some(before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1));
        let hide = matches!(self.code, FaultCode::UnknownKey | FaultCode::LiteralSecret);
        self.text = Some(if hide { mask::hide_value(line) } else { mask::mask_line(line, &self.key) });
        self
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, file: &Path) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{word}[{}]: {}", self.code.as_str(), self.message)?;
        let margin = self.line.map_or(1, |line| line.to_string().len());
        write!(f, "{:margin$}--> {}", "", file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        writeln!(f)?;
        if let (Some(line), Some(text)) = (self.line, &self.text) {
            writeln!(f, "{:margin$} |", "")?;
            writeln!(f, "{line} | {text}")?;
        }
        if !self.key.is_empty() {
            writeln!(f, "{:margin$} = key: {}", "", self.key)?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "{:margin$} = help: {hint}", "")?;
        }
        Ok(())
    }
}

/// All that is wrong with one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigFaults {
    /// The file.
    pub file: PathBuf,
    /// At least one.
    pub faults: Vec<ConfigFault>,
}

impl ConfigFaults {
    /// Sorts by line and drops what is beyond [`FAULTS_MAX`].
    #[must_use]
    pub fn new(file: &Path, mut faults: Vec<ConfigFault>) -> Self {
        faults.sort_by_key(|fault| (fault.line.unwrap_or(usize::MAX), fault.column));
        faults.truncate(FAULTS_MAX);
        Self { file: file.to_owned(), faults }
    }

    /// One fault about the file as a whole.
    #[must_use]
    pub fn of_file(file: &Path, code: FaultCode, message: String, hint: &str) -> Self {
        Self::new(file, vec![ConfigFault::new(code, "", message).hint(hint)])
    }

    /// The stable name of the first fault.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.faults.first().map_or("config_unreadable", |fault| fault.code.as_str())
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            fault.write(f, &self.file)?;
            writeln!(f)?;
        }
        let errors = self.faults.iter().filter(|fault| fault.severity == Severity::Error).count();
        let warnings = self.faults.len().saturating_sub(errors);
        let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        match (errors, warnings) {
            (0, _) => write!(f, "{}: {}", self.file.display(), count(warnings, "warning")),
            (_, 0) => write!(f, "{}: {}", self.file.display(), count(errors, "fault")),
            _ => write!(f, "{}: {}, {}", self.file.display(), count(errors, "fault"), count(warnings, "warning")),
        }
    }
}

impl std::error::Error for ConfigFaults {}
