//! When a schedule is due. Pure: the time and the zone are arguments.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Offset as _, SubsecRound as _, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use sync_core::model::Timestamp;

/// When a schedule is due.
#[derive(Debug, Clone)]
pub enum Rhythm {
    /// By a cron pattern of six fields (second, minute, hour, day, month, weekday) in the store's local time.
    Cron(Box<Cron>),
    /// So long after the last time.
    Every(Duration),
}

/// A clock is set back by an hour at most, here and there by less.
const FOLD_HOURS: i64 = 3;
/// Patterns that are due more often are found backwards.
const FOLD_STEPS_MAX: usize = 64;

impl Rhythm {
    /// From six fields: second, minute, hour, day of the month, month, weekday.
    ///
    /// # Errors
    /// What is wrong with the pattern, in plain words.
    pub fn cron(pattern: &str) -> Result<Self, String> {
        let parsed = CronParser::builder().seconds(Seconds::Required).build().parse(pattern);
        let cron = parsed.map_err(|error| {
            format!("`{pattern}` is no schedule ({error}); write six fields such as `0 30 22 * * *`: second, minute, hour, day, month, weekday")
        })?;
        Ok(Self::Cron(Box::new(cron)))
    }

    /// The latest instant that is due, if one lies after `last` and not after `now`.
    pub fn due(&self, zone: chrono_tz::Tz, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(_) => Some(self.before(zone, now)).filter(|due| *due > last),
            Self::Every(every) => (now.since(last) >= *every).then_some(now),
        }
    }

    /// The latest instant that is not after `now`; `now` itself where there is none.
    pub fn before(&self, zone: chrono_tz::Tz, now: Timestamp) -> Timestamp {
        let Self::Cron(cron) = self else { return now };
        let Some(local) = local(zone, now) else { return now };
        let back = cron.find_previous_occurrence(&local, true).ok().filter(|found| *found <= local);
        back.max(first_pass(cron, &local)).and_then(|found| stamp(&found)).unwrap_or(now)
    }

    /// When it is due next.
    pub fn next(&self, zone: chrono_tz::Tz, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(cron) => {
                let local = local(zone, now)?;
                // In the second pass of an hour that the clock shows twice, what was due in the first is found again.
                (0..=FOLD_HOURS)
                    .filter_map(|hours| {
                        cron.find_next_occurrence(&(local + chrono::TimeDelta::hours(hours)), false).ok()
                    })
                    .find(|found| *found > local)
                    .and_then(|found| stamp(&found))
            }
            Self::Every(every) => Some(last.plus(*every).max(now)),
        }
    }

    /// The cron pattern, if it is one.
    pub fn pattern(&self) -> Option<String> {
        match self {
            Self::Cron(cron) => Some(cron.as_str().to_owned()),
            Self::Every(_) => None,
        }
    }
}

impl fmt::Display for Rhythm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => f.write_str(cron.as_str()),
            Self::Every(every) => write!(f, "every {every:?}"),
        }
    }
}

/// What was due lately before a clock that was set back: from the second pass of an hour, a search backwards misses what
/// was due in the first. Forwards is right only here: across a spring gap it names instants that are not due.
fn first_pass(cron: &Cron, local: &DateTime<chrono_tz::Tz>) -> Option<DateTime<chrono_tz::Tz>> {
    let mut from = *local - chrono::TimeDelta::hours(FOLD_HOURS);
    if from.offset().fix().local_minus_utc() <= local.offset().fix().local_minus_utc() {
        return None;
    }
    let mut found = None;
    for _ in 0..FOLD_STEPS_MAX {
        match cron.find_next_occurrence(&from, false) {
            Ok(next) if next <= *local && next > from => {
                from = next;
                found = Some(next);
            }
            Ok(_) | Err(_) => break,
        }
    }
    found
}

fn local(zone: chrono_tz::Tz, at: Timestamp) -> Option<DateTime<chrono_tz::Tz>> {
    DateTime::<Utc>::from_timestamp_micros(at.0).map(|utc| utc.trunc_subsecs(0).with_timezone(&zone))
}

fn stamp(at: &DateTime<chrono_tz::Tz>) -> Option<Timestamp> {
    at.timestamp().checked_mul(1_000_000).map(Timestamp)
}
