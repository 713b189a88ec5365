//! The agent: reading, freezing, sending, reading back; and being killed or cloned.

use sync_core::outbox::settle::{self, Evidence, Judgement};

use super::{
    Agent, Baseline, Batch, Batching, Entry, Event, Key, Keys, LastAttempt, Marker, PastWindow, Picks, RepairRetry,
    Repeat, Request, Rules, SLOTS, Silence, Slot, Stage, State, Twin, Writes,
};
use crate::check::Steps;

/// Keys of absolute writes hold the time: clones never share them. Their epochs begin here.
const ABSOLUTE_EPOCHS: u8 = 100;

pub(super) fn steps(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    for (who, agent) in state.agents.iter().enumerate() {
        let name = if who == 0 { "the agent" } else { "the clone" };
        if agent.cursor < state.log.len() {
            steps.add(format_args!("{name} reads a line"), |next| read_line(rules, next, who));
        }
        if !state.may_send(rules, who) {
            continue;
        }
        if agent.changes.is_none() && !agent.waiting.is_empty() && !is_fenced(rules, agent) {
            steps.add(format_args!("{name} freezes a batch"), |next| freeze(rules, next, who));
        }
        for slot in SLOTS {
            let Some(batch) = agent.slot(slot).filter(|batch| !batch.busy) else { continue };
            if batch.held {
                let key = batch.key;
                if state.requests.iter().all(|request| request.key != key) {
                    steps.add(format_args!("the platform has surely stopped working on it"), |next| {
                        if let Some(batch) = batch_mut(next, who, slot) {
                            batch.held = false;
                        }
                    });
                }
                continue;
            }
            let stage = stage_now(rules, state, batch);
            let may_still_arrive = rules.keys == Keys::Window
                && rules.last_attempt == LastAttempt::WaitedOut
                && state.requests.iter().any(|request| request.key == batch.key);
            match stage {
                Stage::ReadBack if batch.stage != Stage::ReadBack && may_still_arrive => {}
                Stage::ReadBack if rules.baseline == Baseline::FollowsOrders && batch.read.is_none() => {
                    steps.add(format_args!("{name} reads {}", state.shop), |next| {
                        let shop = next.shop;
                        if let Some(batch) = batch_mut(next, who, slot) {
                            batch.read = Some(shop);
                        }
                    });
                }
                Stage::Base => steps.add(format_args!("{name} reads {}", state.shop), |next| {
                    let (shop, phase) = (next.shop, next.phase);
                    let Some(batch) = batch_mut(next, who, slot) else { return };
                    let (written, _) = settle::absolute(i64::from(shop), i64::from(batch.change()), 0, false);
                    to_absolute(next, who, slot, (shop, narrow(written)), phase);
                }),
                Stage::ReadBack => {
                    let shown = batch.read.unwrap_or(state.shop);
                    let orders = if batch.read.is_some() { "reads the orders and judges" } else { "reads and judges" };
                    steps.add(format_args!("{name} {orders} {shown}"), |next| {
                        if rules.baseline == Baseline::FollowsOrders {
                            super::reconcile::poll(rules, next, who);
                        }
                        judge(rules, next, who, slot, shown);
                    });
                }
                Stage::Change | Stage::Absolute => {
                    steps.add(format_args!("{name} sends {}", super::network::Words(batch.body())), |next| {
                        send(next, who, slot);
                    });
                }
            }
        }
    }
}

fn is_fenced(rules: &Rules, agent: &Agent) -> bool {
    let fences = rules.reconciling.is_none_or(|reconciling| reconciling.fenced == super::Fenced::Yes);
    fences && agent.repair.is_some()
}

/// As in `Lane::poll`: what may have taken effect and is no longer protected by a key is read back.
fn stage_now(rules: &Rules, state: &State, batch: &Batch) -> Stage {
    let past = match rules.keys {
        Keys::None => rules.silence != Silence::Sent,
        // Only what was first sent before time passed: later keys have a window of their own.
        Keys::Window => rules.past_window == PastWindow::ReadBack && state.phase > 0 && batch.since == 0,
        Keys::Forever => false,
    };
    if batch.maybe && past && batch.stage != Stage::Base { Stage::ReadBack } else { batch.stage }
}

fn batch_mut(state: &mut State, who: usize, slot: Slot) -> Option<&mut Batch> {
    state.agents.get_mut(who).and_then(|agent| agent.slot_mut(slot).as_mut())
}

pub(super) fn narrow(number: i64) -> i8 {
    i8::try_from(number).unwrap_or(i8::MAX)
}

fn read_line(rules: &Rules, state: &mut State, who: usize) {
    let Some(agent) = state.agents.get_mut(who) else { return };
    let Some(event) = state.log.get(agent.cursor).copied() else { return };
    let line = agent.cursor;
    agent.cursor += 1;
    let (rises, falls) = match event {
        Event::Sale => (0, 1),
        Event::Return => (1, 0),
        Event::Pick => {
            agent.book -= 1;
            return;
        }
    };
    agent.book += rises - falls;
    let unsure = line < agent.unsure_until;
    let entry = Entry { rises, falls, line: u8::try_from(line).unwrap_or(u8::MAX), unsure };
    match agent.waiting.first_mut() {
        Some(first) if rules.batching == Batching::Merged => absorb(first, entry),
        Some(_) | None => agent.waiting.push(entry),
    }
}

fn absorb(entry: &mut Entry, later: Entry) {
    entry.rises += later.rises;
    entry.falls += later.falls;
    entry.unsure |= later.unsure;
}

pub(super) fn wait_again(rules: &Rules, agent: &mut Agent, items: Vec<Entry>) {
    for mut entry in items.into_iter().rev() {
        if rules.batching == Batching::Merged && !agent.waiting.is_empty() {
            absorb(&mut entry, agent.waiting.remove(0));
        }
        agent.waiting.insert(0, entry);
    }
}

fn freeze(rules: &Rules, state: &mut State, who: usize) {
    let phase = state.phase;
    let Some(agent) = state.agents.get_mut(who) else { return };
    let most = if rules.batching == Batching::Pairs { 2 } else { 1 };
    let Some(first) = agent.waiting.first().copied() else { return };
    let alike = agent.waiting.iter().take(most).take_while(|entry| entry.unsure == first.unsure).count();
    let items: Vec<Entry> = agent.waiting.drain(..alike).collect();
    if items.iter().all(|entry| entry.delta() == 0) && !first.unsure {
        // It cancels out: nothing to say.
        return;
    }
    let number = match rules.batching {
        Batching::Merged | Batching::Pairs => agent.take_number(),
        Batching::Single => first.line,
    };
    let stage = match (first.unsure, rules.writes) {
        (true, _) => Stage::ReadBack,
        (false, Writes::Change) => Stage::Change,
        (false, Writes::Number) => Stage::Base,
    };
    let key = Key { epoch: agent.epoch, number };
    agent.changes = Some(Batch {
        key,
        items,
        stage,
        row: None,
        since: phase,
        maybe: false,
        held: false,
        read: None,
        busy: false,
        uncertain: first.unsure,
    });
}

fn send(state: &mut State, who: usize, slot: Slot) {
    let phase = state.phase;
    let Some(batch) = batch_mut(state, who, slot) else { return };
    batch.busy = true;
    if !batch.maybe {
        batch.since = phase;
    }
    let request = Request { agent: who, slot, key: batch.key, body: batch.body(), phase, awaited: true };
    state.requests.push(request);
    state.requests.sort_unstable();
}

/// Freezes numbers to be written for a live batch.
fn to_absolute(state: &mut State, who: usize, slot: Slot, row: (i8, i8), phase: u8) {
    let Some(agent) = state.agents.get_mut(who) else { return };
    let key = absolute_key(agent, who);
    if let Some(batch) = agent.slot_mut(slot) {
        batch.key = key;
        batch.row = Some(row);
        batch.stage = Stage::Absolute;
        batch.since = phase;
        batch.maybe = false;
        batch.read = None;
        batch.uncertain = false;
    }
}

pub(super) fn absolute_key(agent: &mut Agent, who: usize) -> Key {
    Key { epoch: ABSOLUTE_EPOCHS + u8::try_from(who).unwrap_or(u8::MAX), number: agent.take_number() }
}

fn judge(rules: &Rules, state: &mut State, who: usize, slot: Slot, shop: i8) {
    let (marker, phase) = (state.marker, state.phase);
    let Some(agent) = state.agents.get_mut(who) else { return };
    let told = agent.told;
    let Some(batch) = agent.slot(slot) else { return };
    let evidence = match rules.marker {
        Marker::None => Evidence::Silent,
        Marker::Whole | Marker::Torn if marker == Some(batch.key) => Evidence::Applied,
        Marker::Whole | Marker::Torn => Evidence::NotApplied,
    };
    let by_row = rules.writes == Writes::Number || slot == Slot::Repair;
    let shown = Some(i64::from(shop));
    let judged = match batch.row {
        Some((before, written)) if by_row => {
            settle::judge_absolute(evidence, shown, i64::from(before), i64::from(written))
        }
        Some(_) | None => settle::judge_delta(evidence, shown, Some(i64::from(told)), i64::from(batch.change())),
    };
    match judged {
        Judgement::InEffect => close(agent, slot),
        Judgement::Again => reopen(rules, agent, slot),
        Judgement::Write { on_hand } => to_absolute(state, who, slot, (shop, narrow(on_hand)), phase),
        Judgement::Ambiguous => {
            let batch = agent.slot_mut(slot).take();
            if slot == Slot::Changes {
                agent.dead.extend(batch.into_iter().flat_map(|batch| batch.items));
            }
        }
    }
}

/// The batch is in effect.
pub(super) fn close(agent: &mut Agent, slot: Slot) {
    let Some(batch) = agent.slot_mut(slot).take() else { return };
    agent.told = batch.row.map_or(agent.told + batch.change(), |(_, written)| written);
    if slot == Slot::Repair {
        agent.dead.clear();
    }
}

/// Nothing of the batch had an effect: its entries wait again. A repair is dropped.
pub(super) fn reopen(rules: &Rules, agent: &mut Agent, slot: Slot) {
    let Some(batch) = agent.slot_mut(slot).take() else { return };
    if slot == Slot::Changes {
        wait_again(rules, agent, batch.items);
    }
}

/// No answer came: it may have taken effect.
pub(super) fn no_answer(rules: &Rules, state: &mut State, who: usize, slot: Slot) {
    let Some(agent) = state.agents.get_mut(who) else { return };
    let drops = slot == Slot::Repair
        && rules.reconciling.is_some_and(|reconciling| reconciling.retry == RepairRetry::PlannedAnew);
    if drops {
        *agent.slot_mut(slot) = None;
        return;
    }
    if slot == Slot::Changes && rules.repeat == Repeat::Regrouped {
        reopen(rules, agent, slot);
        return;
    }
    let fresh = (rules.repeat == Repeat::FreshKey).then(|| absolute_key(agent, who));
    if let Some(batch) = agent.slot_mut(slot) {
        batch.busy = false;
        batch.maybe = true;
        batch.held = rules.keys == Keys::None && rules.silence == Silence::WaitAndRead;
        batch.key = fresh.unwrap_or(batch.key);
    }
}

pub(super) fn faults(rules: &Rules, state: &State, steps: &mut Steps<'_, State>) {
    for (who, agent) in state.agents.iter().enumerate() {
        let in_memory = agent.changes.is_some() || agent.repair.is_some() || agent.round.is_some();
        if state.crashes < rules.crashes && in_memory && state.may_send(rules, who) {
            let name = if who == 0 { "the agent" } else { "the clone" };
            steps.add(format_args!("{name} is killed"), |next| {
                next.crashes += 1;
                if let Some(agent) = next.agents.get_mut(who) {
                    restart(rules, agent);
                }
                for request in next.requests.iter_mut().filter(|request| request.agent == who) {
                    request.awaited = false;
                }
                next.requests.sort_unstable();
            });
        }
    }
    if rules.twin != Twin::None && state.agents.len() == 1 {
        steps.add(format_args!("the disk is cloned"), |next| {
            let mut clone = next.agents.first().cloned();
            if let Some(clone) = &mut clone {
                restart(rules, clone);
            }
            next.agents.extend(clone);
        });
    }
    let is_free = state.requests.iter().all(|request| request.agent != 0);
    if rules.twin == Twin::Leased && state.agents.len() > 1 && state.holder == 0 && is_free {
        steps.add(format_args!("the clone takes over"), take_over);
    }
}

fn restart(rules: &Rules, agent: &mut Agent) {
    agent.round = None;
    for slot in SLOTS {
        let Some(batch) = agent.slot_mut(slot) else { continue };
        batch.busy = false;
        batch.read = None;
        batch.stage = match (batch.row, batch.uncertain, rules.writes) {
            (Some(_), _, _) => Stage::Absolute,
            (None, true, _) => Stage::ReadBack,
            (None, false, Writes::Change) => Stage::Change,
            (None, false, Writes::Number) => Stage::Base,
        };
        if batch.stage != Stage::Base {
            batch.maybe = true;
            batch.held = rules.keys == Keys::None && rules.silence == Silence::WaitAndRead;
        }
    }
}

/// As after a restored backup: a new epoch, and what is open or not read yet is uncertain.
fn take_over(state: &mut State) {
    state.holder = 1;
    let lines = state.log.len();
    let Some(clone) = state.agents.get_mut(1) else { return };
    clone.epoch += 1;
    clone.unsure_until = lines;
    for entry in &mut clone.waiting {
        entry.unsure = true;
    }
    if let Some(batch) = &mut clone.changes {
        batch.stage = Stage::ReadBack;
        batch.uncertain = true;
        batch.row = None;
    }
    clone.repair = None;
    clone.finding = None;
}

/// How many units of sales this agent has not told, or does not know to be told.
pub(super) fn untold(state: &State, agent: &Agent) -> i8 {
    let unread = state.log.iter().skip(agent.cursor).filter(|event| **event == Event::Sale).count();
    let open = agent.waiting.iter().chain(agent.changes.iter().flat_map(|batch| &batch.items));
    let held: i8 = open.chain(&agent.dead).map(|entry| entry.falls).sum();
    held + i8::try_from(unread).unwrap_or(i8::MAX)
}

/// Whether online orders are read.
pub(super) fn polls(rules: &Rules) -> bool {
    rules.reconciling.is_some() || rules.picks == Picks::Platform || rules.baseline == Baseline::FollowsOrders
}
