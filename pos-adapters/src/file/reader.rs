//! The source as the agent sees it: settings in, chunks out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use sync_core::model::Timestamp;

use super::journals::{self, Journals};
use super::plan::Plan;
use super::scan;
use super::settings::{FileSettings, Pattern, SettingFault};
use super::whole::Wholes;
use crate::{Poll, PosSource, SourceContext, SourceError, SourceSettings};

/// Shortest time between two looks at something incomplete.
pub(super) const AGAIN_MIN: Duration = Duration::from_millis(100);

/// Sales that a POS writes to files.
#[derive(Debug)]
pub struct FileSource {
    plan: Arc<Plan>,
    files: Files,
}

#[derive(Debug)]
enum Files {
    Journals(Box<Journals>),
    Wholes(Box<Wholes>),
}

impl FileSource {
    /// Checks the settings; reads nothing yet. `store_zone` is used where the settings name no time zone.
    ///
    /// # Errors
    /// All faults of the settings at once.
    pub fn new(settings: FileSettings, store_zone: TimeZone) -> Result<Self, Vec<SettingFault>> {
        let plan = Arc::new(Plan::new(settings, store_zone)?);
        let files = match plan.pattern {
            Pattern::Journal => Files::Journals(Box::new(Journals::new(Arc::clone(&plan)))),
            Pattern::Export | Pattern::PerTransaction => Files::Wholes(Box::new(Wholes::new(Arc::clone(&plan)))),
        };
        Ok(Self { plan, files })
    }

    /// Name of the source.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }
}

impl PosSource for FileSource {
    fn watched(&self) -> Vec<PathBuf> {
        scan::folders(&self.plan.path)
    }

    fn poll(&mut self, changed: &[PathBuf], now: Timestamp) -> Result<Poll, SourceError> {
        match &mut self.files {
            Files::Journals(files) => files.poll(changed, now),
            Files::Wholes(files) => files.poll(changed, now),
        }
    }

    fn resume(&mut self, cursors: Vec<(String, String)>) {
        match &mut self.files {
            Files::Journals(files) => files.resume(journals::states(cursors)),
            Files::Wholes(files) => files.resume(cursors),
        }
    }

    fn backlog_bytes(&self) -> Option<u64> {
        Some(match &self.files {
            Files::Journals(files) => files.backlog_bytes(),
            Files::Wholes(files) => files.backlog_bytes(),
        })
    }
}

impl SourceSettings for FileSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "file"
    }

    fn path(&self) -> Option<&str> {
        Some(&self.path)
    }

    fn vanish_limit(&self) -> Option<f64> {
        self.vanish_limit
    }

    fn reading(&self, input: &Path) -> Result<Arc<dyn SourceSettings>, String> {
        Ok(Arc::new(Self { path: input.to_string_lossy().into_owned(), ..self.clone() }))
    }

    fn open(&self, context: &SourceContext) -> Result<Box<dyn PosSource>, Vec<SettingFault>> {
        Ok(Box::new(FileSource::new(self.clone(), context.zone.clone())?))
    }
}
