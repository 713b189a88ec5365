//! `[reconcile]`: when the platforms' numbers are compared with the ledger, and what a person has to see first.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sync_core::reconcile::Rules;

use super::ReconcileConfig;
use super::faults::{ConfigFault, FaultCode};
use super::resolve::Resolver;
use crate::schedule::Rhythm;

/// Daily before most shops open.
const SCHEDULE_DEFAULT: &str = "0 30 4 * * *";

/// Comparing the platforms' numbers with the store's, and repairing them. Only articles that were counted are compared.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReconcileTable {
    /// When, in store-local time, as six fields: second, minute, hour, day, month, weekday; or `off`.
    #[schemars(extend("default" = SCHEDULE_DEFAULT))]
    pub(super) schedule: Option<String>,
    /// Also after each count that was taken in.
    #[schemars(extend("default" = true))]
    pub(super) after_count: Option<bool>,
    /// Time between the two looks that a repair needs (`5s` to `24h`).
    #[schemars(extend("default" = "1m"))]
    pub(super) confirm_after: Option<String>,
    /// Articles repaired in one run (1 to 100000); the rest waits for the next.
    #[schemars(extend("default" = 5000, "minimum" = 1, "maximum" = 100_000))]
    pub(super) repairs_max: Option<i64>,
    /// Share of the compared articles, in percent, that a run may change without a person (1 to 100).
    #[schemars(extend("default" = 20, "minimum" = 1, "maximum" = 100))]
    pub(super) changed_percent_max: Option<i64>,
    /// So many articles may always be changed (0 to 10000).
    #[schemars(extend("default" = 10, "minimum" = 0, "maximum" = 10_000))]
    pub(super) changed_always: Option<i64>,
    /// Units that a run may add to a shop in all without a person (0 to 1000000).
    #[schemars(extend("default" = 1000, "minimum" = 0, "maximum" = 1_000_000))]
    pub(super) raised_units_max: Option<i64>,
    /// Share of the compared articles, in percent, that a run may make sold out without a person (1 to 100).
    #[schemars(extend("default" = 10, "minimum" = 1, "maximum" = 100))]
    pub(super) emptied_percent_max: Option<i64>,
}

pub(super) fn resolve(resolver: &mut Resolver<'_>, table: ReconcileTable) -> ReconcileConfig {
    let usual = Rules::default();
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let confirm_after = resolver.duration(
        "reconcile.confirm_after",
        table.confirm_after.as_deref(),
        Duration::from_secs(5)..=Duration::from_hours(24),
        usual.confirm_after,
    );
    let repairs_max: u32 = resolver.number("reconcile.repairs_max", table.repairs_max, 1..=100_000, 5_000);
    let changed: u32 = resolver.number("reconcile.changed_percent_max", table.changed_percent_max, 1..=100, 20);
    let always: u32 = resolver.number("reconcile.changed_always", table.changed_always, 0..=10_000, 10);
    let raised: u32 = resolver.number("reconcile.raised_units_max", table.raised_units_max, 0..=1_000_000, 1_000);
    let emptied: u32 = resolver.number("reconcile.emptied_percent_max", table.emptied_percent_max, 1..=100, 10);
    let schedule = table.schedule.unwrap_or_else(|| SCHEDULE_DEFAULT.to_owned());
    if schedule != "off"
        && let Err(reason) = Rhythm::cron(&schedule)
    {
        let fault = ConfigFault::new(FaultCode::NotAllowed, "reconcile.schedule", reason);
        resolver.fault(fault.hint("or write `off` to compare only when asked and after counts"));
    }
    ReconcileConfig {
        schedule: (schedule != "off").then_some(schedule),
        after_count: table.after_count.unwrap_or(true),
        rules: Rules {
            confirm_after,
            repairs_max: size(repairs_max),
            changed_percent_max: size(changed),
            changed_always: size(always),
            raised_units_max: i64::from(raised),
            emptied_percent_max: size(emptied),
        },
    }
}
