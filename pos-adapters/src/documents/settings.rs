//! One `[[source]]` table of this family, as written in the configuration, and its check. Decides nothing else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reader::DocumentSource;
use super::ticket::{ArticleRule, Rules, SkuFrom};
use crate::file::SettingFault;
use crate::file::glob::PathPattern;
use crate::file::plan::duration;
use crate::file::value::StoreClock;
use crate::{Finding, PosSource, SourceContext, SourceSettings, Weight};

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
    /// A file, a folder, or a pattern with `*` and `?` in file or folder names. Zip archives are read too. For a
    /// DSFinV-K export that is not packed, the path of its `index.xml`.
    pub path: String,
    /// What the files contain.
    pub format: DocumentFormat,
    /// Which number of a line names the article: `item-id` (the POS's own), `gtin` (on the package, as scanned) or
    /// `gtin-modifier` (with the selector of the pack, `012345678905/2`). Default: `item-id` for POSLog, DSFinV-K and
    /// SAF-T, `gtin` for NAXML and Verifone.
    #[serde(default)]
    pub sku: Option<SkuChoice>,
    /// Tickets are kept and counted, and move nothing, because another source moves them. Default: true for DSFinV-K
    /// and SAF-T, false for the others.
    #[serde(default)]
    pub reconcile: Option<bool>,
    /// A ticket whose lines do not add up to its total: `quarantine` sets it aside, `ignore` takes it. Default:
    /// `quarantine`.
    #[serde(default)]
    pub control_sum: Option<ControlSum>,
    /// What a sold set takes from the shelf, where the file lists its parts (DSFinV-K): `parent` or `components`.
    /// Default: `parent`.
    #[serde(default)]
    pub sets: Option<Sets>,
    /// IANA time zone of the times in the files. Default: the store's.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Longest time between two looks when no file event comes, e.g. `5s`. From 100 ms to 1 h. Default: `5s`.
    #[serde(default)]
    pub scan: Option<String>,
    /// How long a file must be unchanged before it is read, unless its end proves that it was written to the end.
    /// From 0 s to 10 min. Default: `5s`.
    #[serde(default)]
    pub settle: Option<String>,
    /// What a ticket that is missing from a newer version of the same file means: `keep` leaves its movements,
    /// `reverse` takes them back; then every change reads the whole file again. Default: `keep`.
    #[serde(default)]
    pub vanished: Option<DocumentVanished>,
    /// Largest share of transactions that may vanish at once (0 to 1); more is held for a person. Default: 0.2.
    #[serde(default)]
    pub vanish_limit: Option<f64>,
    /// Lines that move no stock beyond those that the format names itself.
    #[serde(default)]
    pub ignore: Vec<IgnoreArticles>,
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

/// Which number of a line names the article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SkuChoice {
    /// The POS's own article number.
    ItemId,
    /// The number on the package.
    Gtin,
    /// The number on the package and the selector of the pack, joined by `/`.
    GtinModifier,
}

/// What happens to a ticket whose sums do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ControlSum {
    /// It is set aside and shown.
    Quarantine,
    /// It is taken.
    Ignore,
}

/// What a sold set takes from the shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sets {
    /// The set itself.
    Parent,
    /// Its parts.
    Components,
}

/// What a missing ticket means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentVanished {
    /// Its movements are taken back.
    Reverse,
    /// Nothing.
    Keep,
}

/// Lines that move no stock; they are kept in their ticket and say by which rule.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "document lines")]
pub struct IgnoreArticles {
    /// Name of the rule, e.g. `lottery`.
    pub rule: String,
    /// Departments or merchandise groups, as the file writes them.
    #[serde(default)]
    pub departments: Vec<String>,
    /// Articles.
    #[serde(default)]
    pub skus: Vec<String>,
    /// Articles that start with this.
    #[serde(default)]
    pub prefix: Option<String>,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) path: PathPattern,
    pub(super) format: DocumentFormat,
    pub(super) scan: Duration,
    pub(super) settle: Duration,
    pub(super) reverse_vanished: bool,
    pub(super) rules: Rules,
}

const SCAN_DEFAULT: Duration = Duration::from_secs(5);
const SETTLE_DEFAULT: Duration = Duration::from_secs(5);
const SCAN_RANGE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3600));
const SETTLE_RANGE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(600));

impl Plan {
    /// Checks everything; all faults at once.
    pub(super) fn new(settings: &DocumentSettings, store_zone: TimeZone) -> Result<Self, Vec<SettingFault>> {
        let mut faults = Vec::new();
        if settings.name.trim().is_empty() {
            fault(&mut faults, "name", "is empty; give the source a name");
        }
        let path = PathPattern::new(&settings.path).map_err(|message| fault(&mut faults, "path", message));
        let zone = zone(settings.timezone.as_deref(), store_zone).map_err(|m| fault(&mut faults, "timezone", m));
        let scan = duration(settings.scan.as_deref(), SCAN_DEFAULT, SCAN_RANGE)
            .map_err(|message| fault(&mut faults, "scan", message));
        let settle = duration(settings.settle.as_deref(), SETTLE_DEFAULT, SETTLE_RANGE)
            .map_err(|message| fault(&mut faults, "settle", message));
        let sku = sku(settings).map_err(|message| fault(&mut faults, "sku", message));
        if settings.vanish_limit.is_some_and(|limit| !(0.0..=1.0).contains(&limit)) {
            fault(&mut faults, "vanish_limit", "must be a share from 0 to 1");
        }
        if settings.sets == Some(Sets::Components) && settings.format != DocumentFormat::Dsfinvk {
            fault(&mut faults, "sets", "only DSFinV-K lists the parts of a set; leave it out");
        }
        for rule in &settings.ignore {
            if rule.rule.trim().is_empty() {
                fault(&mut faults, "ignore.rule", "is empty; give the rule a name");
            }
            if rule.departments.is_empty() && rule.skus.is_empty() && rule.prefix.is_none() {
                fault(&mut faults, "ignore", "names nothing; write departments, skus or a prefix");
            }
        }
        let (Ok(path), Ok(zone), Ok(scan), Ok(settle), Ok(sku), true) =
            (path, zone, scan, settle, sku, faults.is_empty())
        else {
            return Err(faults);
        };
        let fiscal = matches!(settings.format, DocumentFormat::Dsfinvk | DocumentFormat::Saft);
        let rule = |rule: &IgnoreArticles| ArticleRule {
            rule: rule.rule.clone(),
            departments: rule.departments.clone(),
            skus: rule.skus.clone(),
            prefix: rule.prefix.clone(),
        };
        Ok(Self {
            name: settings.name.clone(),
            path,
            format: settings.format,
            scan,
            settle,
            reverse_vanished: settings.vanished == Some(DocumentVanished::Reverse),
            rules: Rules {
                sku,
                reconcile: settings.reconcile.unwrap_or(fiscal),
                control_sum: settings.control_sum != Some(ControlSum::Ignore),
                components: settings.sets == Some(Sets::Components),
                ignore: settings.ignore.iter().map(rule).collect(),
                clock: StoreClock::new(zone),
            },
        })
    }
}

fn fault(faults: &mut Vec<SettingFault>, key: &str, message: impl Into<String>) {
    faults.push(SettingFault { key: key.to_owned(), message: message.into() });
}

fn sku(settings: &DocumentSettings) -> Result<SkuFrom, &'static str> {
    match (settings.format, settings.sku) {
        (DocumentFormat::Naxml | DocumentFormat::Verifone, None | Some(SkuChoice::Gtin)) => Ok(SkuFrom::Gtin),
        (DocumentFormat::Naxml | DocumentFormat::Verifone, Some(SkuChoice::GtinModifier)) => Ok(SkuFrom::GtinModifier),
        (DocumentFormat::Verifone, Some(SkuChoice::ItemId)) => {
            Err("transaction sets have no article number of the POS; write `gtin` or `gtin-modifier`")
        }
        (DocumentFormat::Naxml, Some(SkuChoice::ItemId)) => Ok(SkuFrom::ItemId),
        (DocumentFormat::Saft, Some(SkuChoice::Gtin)) => {
            Err("SAF-T has no number of the package; write `item-id` or leave it out")
        }
        (_, Some(SkuChoice::GtinModifier)) => Err("only NAXML and Verifone have a selector of the pack"),
        (DocumentFormat::Poslog | DocumentFormat::Dsfinvk, Some(SkuChoice::Gtin)) => Ok(SkuFrom::Gtin),
        (DocumentFormat::Poslog | DocumentFormat::Dsfinvk | DocumentFormat::Saft, None | Some(SkuChoice::ItemId)) => {
            Ok(SkuFrom::ItemId)
        }
    }
}

fn zone(name: Option<&str>, store_zone: TimeZone) -> Result<TimeZone, String> {
    let Some(name) = name else { return Ok(store_zone) };
    TimeZone::get(name).map_err(|_| format!("`{name}` is no IANA time zone; write one such as `Europe/Berlin`"))
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

    fn vanish_limit(&self) -> Option<f64> {
        self.vanish_limit
    }

    fn reading(&self, input: &Path) -> Result<Arc<dyn SourceSettings>, String> {
        Ok(Arc::new(Self { path: input.to_string_lossy().into_owned(), ..self.clone() }))
    }

    fn open(&self, context: &SourceContext) -> Result<Box<dyn PosSource>, Vec<SettingFault>> {
        Ok(Box::new(DocumentSource::new(self, context.zone.clone())?))
    }

    fn probe(&self, context: &SourceContext) -> Vec<Finding> {
        match Plan::new(self, context.zone.clone()) {
            Ok(plan) if plan.rules.reconcile => vec![Finding {
                weight: Weight::Good,
                text: format!("source `{}` only compares: its tickets move no stock", self.name),
                hint: "write `reconcile = false` if no other source reads the same registers".to_owned(),
            }],
            Ok(_) | Err(_) => Vec::new(),
        }
    }
}
