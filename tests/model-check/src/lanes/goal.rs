//! What must hold.
//!
//! At every end, when all lines are read and all is answered: the platform's number is right, but for what the
//! [`Promise`] allows. At every moment: it shows no more than there is, but for sales that are not told yet. And where
//! drift is repaired: from every end that is not right the agent alone, without anything else happening, makes it right.

use std::collections::{BTreeSet, HashSet};

use super::{Entry, Picks, Promise, Rules, State, agent, network, reconcile};
use crate::check::Steps;

/// States looked at on the way from a wrong end to the right one.
const REPAIR_STATES_MAX: usize = 2_000;

pub(super) fn fault(rules: &Rules, state: &State) -> Option<String> {
    let due = state.due(rules);
    let off = state.shop - due;
    let edit = if state.edited { rules.edit } else { 0 };
    let untold = state.agents.iter().map(|agent| agent::untold(state, agent)).max().unwrap_or(0);
    let (raced, torn) = match rules.promise {
        Promise::Exact | Promise::ExactOrPerson => (0, 0),
        Promise::OffByRaces | Promise::OffByOthers => (state.raced, state.torn),
    };
    if off > untold + edit.max(0) + raced + torn {
        return Some(format!(
            "stock is put back: the platform shows {}, {due} are there, {untold} not told",
            state.shop
        ));
    }
    if !is_told(rules, state) {
        return None;
    }
    let dead: Vec<Entry> = state.agents.iter().flat_map(|agent| agent.dead.iter().copied()).collect();
    if rules.promise == Promise::Exact && !dead.is_empty() {
        return Some("a change is left to a person".to_owned());
    }
    if !explained(off, &dead, edit, torn).into_iter().any(|explained| explained.abs_diff(off) <= raced.unsigned_abs()) {
        return Some(format!("all is told: the platform shows {}, {due} would be right", state.shop));
    }
    if rules.reconciling.is_some() && off != 0 && !gets_right(rules, state) {
        return Some(format!("drift stays: the platform shows {}, {due} would be right", state.shop));
    }
    None
}

/// The lines are read, nothing waits and nothing is on its way.
fn is_told(rules: &Rules, state: &State) -> bool {
    state.requests.is_empty()
        && state.agents.iter().enumerate().filter(|(who, _)| state.may_send(rules, *who)).all(|(_, agent)| {
            agent.is_idle()
                && agent.cursor == state.log.len()
                && (rules.picks != Picks::Platform || agent.handed == state.handed)
        })
}

/// Deviations that are accounted for: changes left to a person may be missing, a change by hand and a torn write may
/// still be there.
fn explained(off: i8, dead: &[Entry], edit: i8, torn: i8) -> BTreeSet<i8> {
    let mut sums = BTreeSet::from([0]);
    let whole = dead.iter().filter(|entry| !entry.unsure).map(|entry| -entry.delta());
    // Of what a copy of this agent may have told, any part may be missing.
    let partly = dead
        .iter()
        .filter(|entry| entry.unsure)
        .flat_map(|entry| (0..entry.rises).map(|_| -1).chain((0..entry.falls).map(|_| 1)));
    for part in whole.chain(partly).chain([edit]).chain((0..torn).map(|_| off.signum())).filter(|part| *part != 0) {
        sums = sums.iter().flat_map(|sum| [*sum, sum + part]).collect();
    }
    sums
}

/// Whether there is a way for the agent alone from here to the right number.
fn gets_right(rules: &Rules, state: &State) -> bool {
    let (mut seen, mut open) = (HashSet::from([state.clone()]), vec![state.clone()]);
    while let Some(state) = open.pop() {
        if state.shop == state.due(rules) && is_told(rules, &state) {
            return true;
        }
        if seen.len() > REPAIR_STATES_MAX {
            return false;
        }
        let mut steps = Steps::from(&state);
        agent::steps(rules, &state, &mut steps);
        reconcile::steps(rules, &state, &mut steps);
        network::steps(rules, &state, &mut steps);
        open.extend(steps.into_states().filter(|next| seen.insert(next.clone())));
    }
    false
}
