//! The only place where the configuration knows the families of sources: which table belongs to which, and whether
//! its settings make sense.

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use pos_adapters::database::DatabaseSettings;
use pos_adapters::documents::DocumentSettings;
use pos_adapters::file::FileSettings;
use pos_adapters::pushed::PushedSettings;
use pos_adapters::receipts::ReceiptSettings;
use pos_adapters::{NoSecrets, SourceContext, SourceSettings};
use toml::Spanned;
use toml::de::DeTable;

use super::read::Read;
use crate::secret::SecretRef;

/// Formats of kind `file`, by the family that reads them; anything else is read by `file` itself.
const DOCUMENT_FORMATS: [&str; 5] = ["poslog", "naxml", "verifone", "dsfinvk", "saft"];
/// See [`DOCUMENT_FORMATS`].
const RECEIPT_FORMATS: [&str; 1] = ["receipt"];

/// Reads a `[[source]]` table of a kind that this build has.
pub(super) fn table(
    read: &mut Read,
    kind: &str,
    table: Spanned<DeTable<'_>>,
    path: &str,
    text: &str,
) -> Option<Arc<dyn SourceSettings>> {
    let format = table.get_ref().get("format").and_then(|value| value.get_ref().as_str()).unwrap_or_default();
    match kind {
        "file" if DOCUMENT_FORMATS.contains(&format) => boxed(read.deserialize::<DocumentSettings>(table, path, text)),
        "file" if RECEIPT_FORMATS.contains(&format) => boxed(read.deserialize::<ReceiptSettings>(table, path, text)),
        "file" => boxed(read.deserialize::<FileSettings>(table, path, text)),
        "database" => boxed(read.deserialize::<DatabaseSettings>(table, path, text)),
        "serial" | "tcp-printer" => boxed(read.deserialize::<ReceiptSettings>(table, path, text)),
        "http" => boxed(read.deserialize::<PushedSettings>(table, path, text)),
        _ => None,
    }
}

fn boxed<T: SourceSettings + 'static>(settings: Option<T>) -> Option<Arc<dyn SourceSettings>> {
    settings.map(|settings| Arc::new(settings).into_dyn())
}

trait IntoDyn {
    fn into_dyn(self) -> Arc<dyn SourceSettings>;
}

impl<T: SourceSettings + 'static> IntoDyn for Arc<T> {
    fn into_dyn(self) -> Arc<dyn SourceSettings> {
        self
    }
}

/// What the reader would refuse, as (key within the table, message).
#[must_use]
pub(super) fn faults(settings: &dyn SourceSettings, zone: &TimeZone) -> Vec<(String, String)> {
    let context = SourceContext {
        store: String::new(),
        zone: zone.clone(),
        own_files: Path::new("sources").join(settings.name()),
        secrets: Arc::new(NoSecrets),
    };
    let mut faults: Vec<(String, String)> = match settings.open(&context) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| (fault.key, fault.message)).collect(),
    };
    for (key, reference) in settings.secrets() {
        if SecretRef::parse(&reference).is_err() {
            let message =
                "must be a reference such as `env:NAME`, `file:/path` or `credential:NAME`, not the secret itself";
            faults.push((key, message.to_owned()));
        }
    }
    faults
}
