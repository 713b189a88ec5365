//! The only place where the configuration asks a source whether its settings make sense.

use jiff::tz::TimeZone;
use pos_adapters::file::FileSource;
use pos_adapters::file::settings::FileSettings;

/// What the reader would refuse, as (key within the table, message).
#[must_use]
pub(super) fn faults_of_file(settings: &FileSettings, zone: &TimeZone) -> Vec<(String, String)> {
    match FileSource::new(settings.clone(), zone.clone()) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| (fault.key, fault.message)).collect(),
    }
}
