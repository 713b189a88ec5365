//! What the agent and every family of sources agree on: settings that open a reader, what a reader may know of the
//! store, what a check of it found, and how a pushed sale is answered.
//!
//! Owns no policy and does no IO. The agent sees settings of any family through [`SourceSettings`] only.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::PosSource;
use crate::file::SettingFault;

/// What a reader may know of the store and of this machine.
#[derive(Clone)]
pub struct SourceContext {
    /// `[store] id`.
    pub store: String,
    /// Zone of POS times that carry none.
    pub zone: TimeZone,
    /// Folder of this source's own files below the state folder; made when first needed. The raw bytes of a printer's
    /// line are kept here.
    pub own_files: PathBuf,
    /// Reads a secret by its reference (`env:NAME`, `file:/path`, `credential:NAME`).
    pub secrets: Arc<dyn SecretReader>,
}

impl fmt::Debug for SourceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceContext").field("store", &self.store).field("own_files", &self.own_files).finish()
    }
}

/// Reads secrets; the agent knows where they are kept.
pub trait SecretReader: Send + Sync {
    /// The value behind a reference. It must not be stored or logged.
    ///
    /// # Errors
    /// Why it cannot be had, without the value.
    fn read(&self, reference: &str) -> Result<String, String>;
}

/// No secrets at all, for sources and tests that need none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

impl SecretReader for NoSecrets {
    fn read(&self, reference: &str) -> Result<String, String> {
        Err(format!("`{reference}` cannot be read here"))
    }
}

/// How much a [`Finding`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// As it should be.
    Good,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work.
    Fault,
}

/// One thing that a look at a source found, for `tillsync check --online`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// What was found, in plain words.
    pub text: String,
    /// What to do about it; empty where nothing is to be done.
    pub hint: String,
}

/// One `[[source]]` table, whatever its kind.
pub trait SourceSettings: fmt::Debug + Send + Sync {
    /// Unique name of the source.
    fn name(&self) -> &str;

    /// The word in `kind`.
    fn kind(&self) -> &'static str;

    /// The file, folder or pattern that it reads, if it reads files.
    fn path(&self) -> Option<&str> {
        None
    }

    /// Keys that refer to secrets, with the reference as written; the configuration refuses anything else there.
    fn secrets(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Share of an export's transactions that may vanish at once (invariant 9).
    fn vanish_limit(&self) -> Option<f64> {
        None
    }

    /// What others need to post sales to this source, for sources that wait to be told.
    fn pushed(&self) -> Option<&crate::pushed::PushedSettings> {
        None
    }

    /// The database that it reads, for sources that read one.
    fn database(&self) -> Option<&crate::database::DatabaseSettings> {
        None
    }

    /// The same settings reading another file, for `tillsync preview --input` and `tillsync replay`.
    ///
    /// # Errors
    /// Why this kind of source has no file to read from.
    fn reading(&self, input: &Path) -> Result<Arc<dyn SourceSettings>, String>;

    /// Checks the settings and makes the reader. Touches neither the POS nor the disk yet.
    ///
    /// # Errors
    /// All faults of the settings at once.
    fn open(&self, context: &SourceContext) -> Result<Box<dyn PosSource>, Vec<SettingFault>>;

    /// Looks at what the source needs beyond being readable: rights of a login, signals of a port, a listening address.
    fn probe(&self, context: &SourceContext) -> Vec<Finding> {
        let _nothing_needed = context;
        Vec::new()
    }
}

/// Wakes the thread of a source that has something new.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// From what is to be called.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Asks for a poll.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

/// Told once the chunk that carries it is committed and on the disk; dropped untold when it could not be stored.
/// Only sources that have to answer somebody (a POS that pushes) set one.
#[derive(Clone)]
pub struct StoredSignal(Arc<dyn Fn() + Send + Sync>);

impl StoredSignal {
    /// From what is to be called after the commit.
    pub fn new(stored: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(stored))
    }

    /// The chunk is committed and synced.
    pub fn stored(&self) {
        (self.0)();
    }
}

impl fmt::Debug for StoredSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSignal")
    }
}

impl PartialEq for StoredSignal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for StoredSignal {}
