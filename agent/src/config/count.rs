//! `[[count]]`: where counts of stock come from, and when.

use std::time::Duration;

use jiff::tz::TimeZone;
use pos_adapters::counts::{CountKind, CountSettings};
use sync_core::count::Limits;

use super::faults::{ConfigFault, FaultCode};
use super::read::nearest_or_list;
use super::resolve::Resolver;
use super::{CountConfig, SourceConfig, mask};
use crate::schedule::Rhythm;

const MARGIN_DEFAULT: Duration = Duration::from_secs(2 * 60);
const MARGIN_MAX: Duration = Duration::from_secs(30 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Counted on the command line.
const MANUAL: &str = "manual";

pub(super) fn resolve(resolver: &mut Resolver<'_>, zone: &TimeZone, sources: &[SourceConfig]) -> Vec<CountConfig> {
    let tables = resolver.counts();
    tables.into_iter().map(|(path, settings)| one(resolver, &path, settings, zone, sources)).collect()
}

fn one(
    resolver: &mut Resolver<'_>,
    path: &str,
    settings: CountSettings,
    zone: &TimeZone,
    sources: &[SourceConfig],
) -> CountConfig {
    resolver.name("count", &format!("{path}.name"), &settings.name);
    if settings.name == MANUAL {
        let fault = ConfigFault::new(
            FaultCode::NotAllowed,
            format!("{path}.name"),
            "`manual` is what counts on the command line are called".to_owned(),
        );
        resolver.fault(fault.hint("give it another name"));
    }
    for fault in settings.faults(zone) {
        resolver.fault(ConfigFault::new(FaultCode::NotAllowed, format!("{path}.{}", fault.key), fault.message));
    }
    if let Some(wanted) = &settings.source {
        let found = sources.iter().find(|source| source.name() == wanted);
        if found.is_none_or(|source| source.database().is_none()) {
            let message = match found {
                None => format!("there is no source `{}`", mask::scrub(wanted)),
                Some(_) => format!("source `{}` reads no database", mask::scrub(wanted)),
            };
            let databases = sources.iter().filter(|source| source.database().is_some()).map(|source| source.name());
            let hint = nearest_or_list(wanted, databases);
            resolver.fault(ConfigFault::new(FaultCode::NotAllowed, format!("{path}.source"), message).hint(hint));
        }
    }
    let rhythm = rhythm(resolver, path, &settings);
    let zero = Duration::ZERO;
    let margin =
        resolver.duration(&format!("{path}.margin"), settings.margin.as_deref(), zero..=MARGIN_MAX, MARGIN_DEFAULT);
    let within = settings.sales_within.as_deref();
    let sales_within = resolver.duration(&format!("{path}.sales_within"), within, zero..=DAY, MARGIN_DEFAULT);
    let on_change = settings.kind == CountKind::File && settings.on_change.unwrap_or(rhythm.is_none());
    let limits = settings.limits.checked().unwrap_or_else(|_| Limits::default());
    CountConfig { settings, rhythm, on_change, margin, sales_within, limits }
}

fn rhythm(resolver: &mut Resolver<'_>, path: &str, settings: &CountSettings) -> Option<Rhythm> {
    if let Some(pattern) = &settings.schedule {
        match Rhythm::cron(pattern) {
            Ok(rhythm) => return Some(rhythm),
            Err(message) => {
                resolver.fault(ConfigFault::new(
                    FaultCode::NotAllowed,
                    format!("{path}.schedule"),
                    mask::scrub(&message).to_string(),
                ));
            }
        }
    }
    let every = settings.every.as_deref()?;
    let range = Duration::from_secs(60)..=30 * DAY;
    Some(Rhythm::Every(resolver.duration(&format!("{path}.every"), Some(every), range, DAY)))
}
