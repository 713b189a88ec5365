//! When a schedule is due. Pure: the time and the zone are arguments.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
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
        // In an hour that the clock shows twice, a search from its second pass may miss what was due in the first: it is
        // also begun an hour, and a few hours, earlier.
        (0..4)
            .filter_map(|hours| cron.find_previous_occurrence(&(local - chrono::TimeDelta::hours(hours)), true).ok())
            .filter_map(|found| first_pass(found, &local))
            .max()
            .and_then(|found| stamp(&found))
            .unwrap_or(now)
    }

    /// When it is due next.
    pub fn next(&self, zone: chrono_tz::Tz, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(cron) => {
                let found = cron.find_next_occurrence(&local(zone, now)?, false).ok()?;
                stamp(&found)
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

/// What was found, or the same reading of the clock before it was set back, if only that is not after `local`.
fn first_pass(found: DateTime<chrono_tz::Tz>, local: &DateTime<chrono_tz::Tz>) -> Option<DateTime<chrono_tz::Tz>> {
    if found <= *local {
        return Some(found);
    }
    // Lord Howe Island sets its clocks back by half an hour, everybody else by one.
    [60, 30]
        .into_iter()
        .map(|minutes| found.clone() - chrono::TimeDelta::minutes(minutes))
        .find(|earlier| earlier.naive_local() == found.naive_local() && earlier <= local)
}

fn local(zone: chrono_tz::Tz, at: Timestamp) -> Option<DateTime<chrono_tz::Tz>> {
    DateTime::<Utc>::from_timestamp_micros(at.0).map(|utc| utc.trunc_subsecs(0).with_timezone(&zone))
}

fn stamp(at: &DateTime<chrono_tz::Tz>) -> Option<Timestamp> {
    at.timestamp().checked_mul(1_000_000).map(Timestamp)
}
