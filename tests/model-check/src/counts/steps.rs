//! All that can happen next: at the till, in the agent, on the network, on the platform.

use std::fmt;

use super::{
    Body, Counting, Entry, EntryIds, Event, KeyMemory, Picks, Reading, Request, RereadKey, Rules, State, What,
};
use crate::check::Steps;

/// Random entry numbers begin here.
const RANDOM_IDS: u8 = 100;

pub(super) fn all(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    store(rules, state, steps);
    reading(rules, state, steps);
    sending(rules, state, steps);
    platform(rules, state, steps);
    replies(rules, state, steps);
    if state.crashes < rules.crashes && (state.halfway.is_some() || state.read.is_some()) {
        steps.add(format_args!("the agent is killed"), |next| {
            next.halfway = None;
            next.read = None;
            next.crashes += 1;
        });
    }
    if rules.keys == KeyMemory::Forgets && !state.forgot && !state.seen.is_empty() {
        steps.add(format_args!("the platform forgets its keys"), |next| {
            next.seen.clear();
            next.forgot = true;
        });
    }
}

fn store(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    let mut move_one = |label: fmt::Arguments<'_>, event: Event, change: i8| {
        steps.add(label, |next| {
            next.shelf += change;
            next.log.push(event);
        });
    };
    if state.log.iter().filter(|event| **event == Event::Sale).count() < usize::from(rules.sales) {
        move_one(format_args!("a unit is sold"), Event::Sale, -1);
    }
    if rules.returns && !state.log.contains(&Event::Return) {
        move_one(format_args!("a unit comes back"), Event::Return, 1);
    }
    if rules.counting != Counting::Never && !state.log.iter().any(|event| matches!(event, Event::Count(_))) {
        move_one(format_args!("the shelf is counted: {}", state.shelf), Event::Count(state.shelf), 0);
    }
    if rules.shrinks && !state.shrunk {
        steps.add(format_args!("a unit vanishes unseen"), |next| {
            next.shelf -= 1;
            next.shrunk = true;
        });
    }
    if rules.orders && !state.ordered {
        steps.add(format_args!("an online order"), |next| {
            next.ordered = true;
            next.open += 1;
            next.shop -= 1;
        });
    }
    if rules.picks != Picks::Never && state.open > 0 {
        steps.add(format_args!("the order is picked"), |next| {
            next.open -= 1;
            next.shelf -= 1;
            if rules.picks == Picks::Logged {
                next.log.push(Event::Pick);
            }
        });
    }
}

/// The entry of a line, and the book after it.
fn entry_of(rules: &Rules, state: &State, line: usize) -> (Entry, i8) {
    let event = state.log.get(line).copied().unwrap_or(Event::Pick);
    let number = match rules.ids {
        EntryIds::BySource => u8::try_from(line).unwrap_or(u8::MAX),
        EntryIds::Random => u8::try_from(state.outbox.len()).map_or(u8::MAX, |count| RANDOM_IDS.saturating_add(count)),
    };
    let (what, book) = match (event, rules.counting) {
        (Event::Sale, _) => (What::Change(-1), state.book - 1),
        (Event::Return, _) => (What::Change(1), state.book + 1),
        (Event::Pick, _) => (What::Local, state.book - 1),
        (Event::Count(counted), Counting::Set) => (What::Set(counted), counted),
        (Event::Count(counted), Counting::CompareAndSet) => (What::CompareAndSet(counted), counted),
        (Event::Count(counted), Counting::Correction | Counting::Never) => {
            (What::Change(counted - state.book), counted)
        }
    };
    (Entry { id: number, what, done: false }, book)
}

fn reading(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    let line = state.cursor;
    if line < state.log.len() {
        match rules.reading {
            Reading::OneCommit => steps.add(format_args!("the line, its entry and the cursor are stored"), |next| {
                let (entry, book) = entry_of(rules, state, line);
                next.cursor += 1;
                next.outbox.push(entry);
                next.book = book;
            }),
            Reading::CursorFirst if state.halfway.is_none() => {
                steps.add(format_args!("the cursor is stored"), |next| {
                    next.cursor += 1;
                    next.halfway = Some(line);
                })
            }
            Reading::EntryFirst if state.halfway.is_none() => steps.add(format_args!("the entry is stored"), |next| {
                let (entry, book) = entry_of(rules, state, line);
                if next.outbox.iter().all(|known| known.id != entry.id) {
                    next.outbox.push(entry);
                }
                next.book = book;
                next.halfway = Some(line);
            }),
            Reading::CursorFirst | Reading::EntryFirst => {}
        }
    }
    match (rules.reading, state.halfway) {
        (Reading::CursorFirst, Some(line)) => steps.add(format_args!("the entry is stored"), |next| {
            let (entry, book) = entry_of(rules, state, line);
            next.outbox.push(entry);
            next.book = book;
            next.halfway = None;
        }),
        (Reading::EntryFirst, Some(line)) => steps.add(format_args!("the cursor is stored"), |next| {
            next.cursor = line + 1;
            next.halfway = None;
        }),
        (Reading::OneCommit, _) | (_, None) => {}
    }
}

fn sending(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    for (place, entry) in state.outbox.iter().enumerate().filter(|(_, entry)| !entry.done) {
        if entry.what == What::Local {
            steps.add(format_args!("the pick needs no request"), |next| mark_done(next, entry.id));
            continue;
        }
        let earlier = state.outbox.get(..place).unwrap_or_default();
        let is_count = matches!(entry.what, What::CompareAndSet(_));
        if rules.barrier && is_count && earlier.iter().any(|other| !other.done) {
            continue;
        }
        let count_waits = earlier.iter().any(|other| !other.done && matches!(other.what, What::CompareAndSet(_)));
        if rules.barrier && !is_count && count_waits {
            continue;
        }
        let under_way = state.requests.iter().filter(|request| request.id == entry.id).count();
        let most = usize::from(rules.extra_sends) + state.outbox.len();
        if under_way >= if is_count { 2 } else { 1 } || usize::from(state.sends) >= most {
            continue;
        }
        let body = match (entry.what, state.read) {
            (What::Change(change), _) => Body::Change(change),
            (What::Set(counted), _) => Body::Set(counted),
            (What::CompareAndSet(counted), Some((from, open))) => Body::Swap { from, to: counted - open },
            (What::CompareAndSet(_), None) => {
                steps.add(format_args!("the platform is read: {}, {} on order", state.shop, state.open), |next| {
                    next.read = Some((state.shop, state.open));
                });
                continue;
            }
            (What::Local, _) => continue,
        };
        let attempt = if matches!(body, Body::Swap { .. }) { state.sends } else { 0 };
        steps.add(format_args!("{} is sent", Words(entry.id, body)), |next| {
            next.requests.push(Request { id: entry.id, body, attempt });
            next.requests.sort_unstable();
            next.sends += 1;
            if is_count {
                next.read = None;
            }
        });
    }
}

struct Words(u8, Body);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(id, body) = self;
        match body {
            Body::Change(change) => write!(f, "change {change:+} (entry {id})"),
            Body::Set(number) => write!(f, "number {number} (entry {id})"),
            Body::Swap { from, to } => write!(f, "number {to} in place of {from} (entry {id})"),
        }
    }
}

fn mark_done(state: &mut State, id: u8) {
    for entry in state.outbox.iter_mut().filter(|entry| entry.id == id) {
        entry.done = true;
    }
}

fn platform(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    let mut before = None;
    for (place, request) in state.requests.iter().enumerate() {
        if before.replace(request) == Some(request) {
            continue;
        }
        let attempt = match (request.body, rules.reread) {
            (Body::Swap { .. }, RereadKey::Fresh) => request.attempt + 1,
            (Body::Change(_) | Body::Set(_) | Body::Swap { .. }, _) => 0,
        };
        let key = (request.id, attempt);
        let known = rules.keys != KeyMemory::None && state.seen.contains(&key);
        let (shop, taken) = match request.body {
            _ if known => (state.shop, true),
            Body::Change(change) => (state.shop + change, true),
            Body::Set(number) => (number - state.open, true),
            Body::Swap { from, to } if state.shop == from => (to, true),
            Body::Swap { .. } => (state.shop, false),
        };
        let what = Words(request.id, request.body);
        let verb = match (known, taken) {
            (true, _) => "knows already",
            (false, true) => "takes",
            (false, false) => "refuses",
        };
        steps.add(format_args!("the platform {verb} {what}, shows {shop}"), |next| {
            next.requests.remove(place);
            next.shop = shop;
            if taken && !known && rules.keys != KeyMemory::None {
                next.seen.push(key);
                next.seen.sort_unstable();
            }
            next.replies.push((request.id, taken));
            next.replies.sort_unstable();
        });
        if state.losses < rules.losses {
            steps.add(format_args!("{what} is lost"), |next| {
                next.requests.remove(place);
                next.losses += 1;
            });
        }
        if state.doubles < rules.doubles {
            steps.add(format_args!("the network doubles {what}"), |next| {
                next.requests.insert(place, *request);
                next.doubles += 1;
            });
        }
    }
}

fn replies(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    for (place, (id, taken)) in state.replies.iter().enumerate() {
        steps.add(
            format_args!("entry {id} is answered: {}", if *taken { "taken" } else { "the number had changed" }),
            |next| {
                next.replies.remove(place);
                if *taken {
                    mark_done(next, *id);
                }
            },
        );
        if state.losses < rules.losses {
            steps.add(format_args!("the answer to entry {id} is lost"), |next| {
                next.replies.remove(place);
                next.losses += 1;
            });
        }
    }
}
