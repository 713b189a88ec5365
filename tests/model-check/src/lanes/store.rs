//! What happens without the agent: at the till, on the web shop, by hand, and time passing.

use super::{Event, Keys, Number, Picks, Promise, Rules, State};
use crate::check::Steps;

pub(super) fn steps(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    let logged = |event: Event| state.log.iter().filter(|logged| **logged == event).count();
    if logged(Event::Sale) < usize::from(rules.sales) {
        steps.add(format_args!("a unit is sold"), |next| {
            next.shelf -= 1;
            next.log.push(Event::Sale);
        });
    }
    if logged(Event::Return) < usize::from(rules.returns) {
        steps.add(format_args!("a unit comes back"), |next| {
            next.shelf += 1;
            next.log.push(Event::Return);
        });
    }
    if state.orders < rules.orders {
        steps.add(format_args!("an online order"), |next| {
            next.orders += 1;
            next.open += 1;
            if rules.number == Number::Net {
                others_change(rules, next, -1);
            }
        });
    }
    if rules.picks != Picks::Never && state.open > 0 {
        steps.add(format_args!("an online order is picked and handed over"), |next| {
            next.open -= 1;
            next.handed += 1;
            next.shelf -= 1;
            if rules.number == Number::Physical {
                others_change(rules, next, -1);
            }
            if rules.picks == Picks::Till {
                next.log.push(Event::Pick);
            }
        });
    }
    if rules.edit != 0 && !state.edited {
        steps.add(format_args!("somebody changes the platform's number by {:+}", rules.edit), |next| {
            next.edited = true;
            others_change(rules, next, rules.edit);
        });
    }
    if rules.keys == Keys::Window {
        time(state, steps);
    }
}

/// The agent stops relying on keys long before the platform forgets them: nothing sent in between is still on its way.
fn time(state: &State, steps: &mut Steps<'_, State>) {
    if state.phase == 0 {
        steps.add(format_args!("the agent's trust in keys runs out"), |next| next.phase = 1);
    }
    if state.phase == 1 && state.requests.iter().all(|request| request.phase > 0) {
        steps.add(format_args!("the platform forgets old keys"), |next| {
            next.phase = 2;
            next.used.retain(|used| used.phase > 0);
        });
    }
}

fn others_change(rules: &Rules, state: &mut State, change: i8) {
    state.shop += change;
    let is_open = !state.requests.is_empty()
        || state.agents.iter().any(|agent| {
            agent.changes.is_some() || agent.repair.is_some() || agent.round.is_some() || agent.finding.is_some()
        });
    match rules.promise {
        Promise::OffByRaces if is_open => state.raced += 1,
        Promise::OffByOthers => state.raced += 1,
        Promise::Exact | Promise::ExactOrPerson | Promise::OffByRaces => {}
    }
}
