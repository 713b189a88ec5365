//! Requests on their way, and what the platform does with them.

use std::fmt;

use super::{
    Body, Conflict, Keys, Marker, Overtaken, Refused, Request, Rules, Slot, SpentSettling, Stage, State, Swap, Used,
    Writes, agent,
};
use crate::check::Steps;

/// A body in words.
pub(super) struct Words(pub(super) Body);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Body::Change(change) => write!(f, "{change:+}"),
            Body::Number { before, written } => write!(f, "number {written} for {before}"),
        }
    }
}

enum Answer {
    Applied,
    Stale,
    KeySpent,
    KeyConflict,
}

pub(super) fn steps(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    for (place, request) in distinct(state) {
        let late = if request.awaited { "" } else { " late" };
        steps.add(format_args!("{} arrives{late}", Words(request.body)), |next| {
            next.requests.remove(place);
            let answer = apply(rules, next, request);
            if request.awaited {
                take_answer(rules, next, request, &answer);
            }
        });
        if !request.awaited {
            steps.add(format_args!("{} never arrives", Words(request.body)), |next| {
                next.requests.remove(place);
            });
        }
    }
}

pub(super) fn faults(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    for (place, request) in distinct(state) {
        let words = Words(request.body);
        if request.awaited && state.losses < rules.losses {
            steps.add(format_args!("no answer to {words} in time"), |next| {
                next.losses += 1;
                give_up(rules, next, place, request);
            });
        }
        if state.doubles < rules.doubles {
            steps.add(format_args!("the network doubles {words}"), |next| {
                next.doubles += 1;
                next.requests.push(Request { awaited: false, ..request });
                next.requests.sort_unstable();
            });
        }
        if rules.marker == Marker::Torn && state.torn == 0 {
            steps.add(format_args!("the platform dies between marker and number of {words}"), |next| {
                next.torn += match request.body {
                    Body::Change(change) => change.abs(),
                    Body::Number { before, written } => (written - before).abs(),
                };
                next.marker = Some(request.key);
                if request.awaited {
                    agent::no_answer(rules, next, request.agent, request.slot);
                }
                next.requests.remove(place);
            });
        }
    }
}

fn distinct(state: &State) -> impl Iterator<Item = (usize, Request)> {
    let mut before = None;
    state.requests.iter().copied().enumerate().filter(move |(_, request)| before.replace(*request) != Some(*request))
}

/// The agent stops waiting; the request may still arrive.
fn give_up(rules: &Rules, state: &mut State, place: usize, request: Request) {
    if let Some(left) = state.requests.get_mut(place) {
        left.awaited = false;
    }
    state.requests.sort_unstable();
    agent::no_answer(rules, state, request.agent, request.slot);
}

fn apply(rules: &Rules, state: &mut State, request: Request) -> Answer {
    let known = state.used.iter().find(|used| used.key == request.key).filter(|_| rules.keys != Keys::None);
    if let Some(used) = known {
        return match (used.body == request.body, used.taken) {
            (false, _) => Answer::KeyConflict,
            (true, true) => Answer::Applied,
            (true, false) => Answer::KeySpent,
        };
    }
    let (shop, taken) = match request.body {
        Body::Change(change) => (state.shop + change, true),
        Body::Number { before, .. } if rules.swap == Swap::Compared && state.shop != before => (state.shop, false),
        Body::Number { written, .. } => (written, true),
    };
    state.shop = shop;
    if rules.keys != Keys::None && (taken || rules.refused == Refused::Spent) {
        state.used.push(Used { key: request.key, body: request.body, phase: state.phase, taken });
        state.used.sort_unstable();
    }
    if taken && rules.marker != Marker::None {
        state.marker = Some(request.key);
    }
    if taken { Answer::Applied } else { Answer::Stale }
}

/// As in `Lane::answered`.
fn take_answer(rules: &Rules, state: &mut State, request: Request, answer: &Answer) {
    let Some(agent) = state.agents.get_mut(request.agent) else { return };
    let Some(batch) = agent.slot_mut(request.slot).as_mut().filter(|batch| batch.key == request.key) else { return };
    batch.busy = false;
    match answer {
        Answer::Applied => agent::close(agent, request.slot),
        Answer::Stale if request.slot == Slot::Repair => agent.repair = None,
        Answer::Stale if rules.writes == Writes::Number && rules.overtaken == Overtaken::BeginsAnew && !batch.maybe => {
            batch.stage = Stage::Base;
        }
        Answer::Stale => batch.stage = Stage::ReadBack,
        Answer::KeySpent
            if rules.spent == SpentSettling::ReadAgain
                && request.slot == Slot::Changes
                && batch.stage == Stage::Absolute =>
        {
            batch.stage = Stage::ReadBack;
        }
        Answer::KeySpent => agent::reopen(rules, agent, request.slot),
        Answer::KeyConflict => match rules.conflict {
            Conflict::Settled => batch.stage = Stage::ReadBack,
            Conflict::Stops => agent.stopped = true,
        },
    }
}
