//! Repair of drift: numbers and online orders are read, compared with the book, and written where they differ.
//!
//! The two reads are apart: others act in between.

use sync_core::model::Quantity;

use super::{Agent, Baseline, Batch, Number, Rules, Slot, Stage, State, agent};
use crate::check::Steps;

/// How many identical findings a repair needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Findings {
    /// One.
    One,
    /// Two in a row, each with its own reads.
    Two,
}

/// When online orders are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrdersRead {
    /// In each round, after the numbers.
    AfterNumbers,
    /// In each round, before the numbers.
    BeforeNumbers,
    /// By themselves, at times: a round takes what was last read.
    AtTimes,
}

/// Whether an article is compared only while nothing of it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// When the comparison is made, after both reads.
    AtEnd,
    /// The same, and no line was read since the first of the reads.
    AllRound,
    /// No.
    No,
}

/// Whether changes wait while a repair is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    /// They do.
    Yes,
    /// No.
    No,
}

/// What is done with a repair whose answer does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairRetry {
    /// The same bytes under the same key; without keys it is read back, and dropped if that tells nothing.
    SameKey,
    /// It is given up at once and planned anew, under a new key.
    PlannedAnew,
}

/// How drift is repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconciling {
    /// Findings.
    pub findings: Findings,
    /// Orders.
    pub orders: OrdersRead,
    /// Drained.
    pub drained: Drained,
    /// Fenced.
    pub fenced: Fenced,
    /// Repeats.
    pub retry: RepairRetry,
}

impl Default for Reconciling {
    /// Ours.
    fn default() -> Self {
        Self {
            findings: Findings::Two,
            orders: OrdersRead::AfterNumbers,
            drained: Drained::AllRound,
            fenced: Fenced::Yes,
            retry: RepairRetry::SameKey,
        }
    }
}

/// The first half of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Round {
    /// The number, or nothing if orders were read first.
    shown: Option<i8>,
    /// Lines read before it, and whether anything was open; only where that is looked at.
    before: Option<(usize, bool)>,
}

pub(super) fn steps(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    for (who, agent) in state.agents.iter().enumerate() {
        if agent::polls(rules) && (agent.orders != state.open || agent.handed != state.handed) {
            steps.add(format_args!("online orders are read: {} open", state.open), |next| poll(rules, next, who));
        }
        let Some(reconciling) = rules.reconciling.filter(|_| state.may_send(rules, who)) else { continue };
        match agent.round {
            None if agent.repair.is_none() => begin(rules, reconciling, state, who, steps),
            None => {}
            Some(round) => finish(rules, reconciling, state, who, round, steps),
        }
    }
}

pub(super) fn poll(rules: &Rules, state: &mut State, who: usize) {
    let (open, handed) = (state.open, state.handed);
    let Some(agent) = state.agents.get_mut(who) else { return };
    if rules.picks == super::Picks::Platform {
        agent.book -= signed(handed) - signed(agent.handed);
    }
    if rules.baseline == Baseline::FollowsOrders {
        let taken_off = match rules.number {
            Number::Physical => signed(handed) - signed(agent.handed),
            Number::Net => signed(open) + signed(handed) - signed(agent.orders) - signed(agent.handed),
        };
        agent.told -= taken_off;
    }
    agent.orders = open;
    agent.handed = handed;
}

fn signed(units: u8) -> i8 {
    i8::try_from(units).unwrap_or(i8::MAX)
}

fn begin(rules: &Rules, how: Reconciling, state: &State, who: usize, steps: &mut Steps<'_, State>) {
    let shop = state.shop;
    let before = (how.drained == Drained::AllRound)
        .then(|| state.agents.get(who).map(|agent| (agent.cursor, agent.is_idle())))
        .flatten();
    if how.orders == OrdersRead::BeforeNumbers {
        steps.add(format_args!("a round begins with the orders: {} open", state.open), |next| {
            poll(rules, next, who);
            set_round(next, who, Some(Round { shown: None, before }));
        });
    } else {
        steps.add(format_args!("a round begins with the number: {shop}"), |next| {
            set_round(next, who, Some(Round { shown: Some(shop), before }));
        });
    }
}

fn set_round(state: &mut State, who: usize, round: Option<Round>) {
    if let Some(agent) = state.agents.get_mut(who) {
        agent.round = round;
    }
}

fn finish(rules: &Rules, how: Reconciling, state: &State, who: usize, round: Round, steps: &mut Steps<'_, State>) {
    let shown = round.shown.unwrap_or(state.shop);
    let what = match how.orders {
        OrdersRead::AfterNumbers => "the orders",
        OrdersRead::BeforeNumbers => "the number",
        OrdersRead::AtTimes => "what is known of orders",
    };
    steps.add(format_args!("the round ends with {what}"), |next| {
        if how.orders == OrdersRead::AfterNumbers {
            poll(rules, next, who);
        }
        let phase = next.phase;
        let Some(agent) = next.agents.get_mut(who) else { return };
        agent.round = None;
        let moved = match how.drained {
            Drained::No => false,
            Drained::AtEnd => !agent.is_idle(),
            Drained::AllRound => !agent.is_idle() || round.before != Some((agent.cursor, true)),
        };
        if moved || agent.repair.is_some() {
            return;
        }
        conclude(rules, how, agent, who, shown, phase);
    });
}

/// What the book says that the platform should show.
fn due(rules: &Rules, agent: &Agent) -> i8 {
    let on_hand = Quantity::from_units(i64::from(agent.book)).unwrap_or_default();
    let open = match rules.number {
        Number::Physical => 0,
        Number::Net => i64::from(agent.orders),
    };
    agent::narrow(sync_core::reconcile::due(on_hand, open, 0, false))
}

fn conclude(rules: &Rules, how: Reconciling, agent: &mut Agent, who: usize, shown: i8, phase: u8) {
    let found = (shown, due(rules, agent));
    if found.0 == found.1 {
        agent.finding = None;
    } else if how.findings == Findings::One || agent.finding == Some(found) {
        agent.finding = None;
        let key = agent::absolute_key(agent, who);
        *agent.slot_mut(Slot::Repair) = Some(Batch {
            key,
            items: Vec::new(),
            stage: Stage::Absolute,
            row: Some(found),
            since: phase,
            maybe: false,
            held: false,
            read: None,
            busy: false,
            uncertain: false,
        });
    } else {
        agent.finding = Some(found);
    }
}
