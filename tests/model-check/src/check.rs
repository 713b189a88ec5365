//! Runs one model through stateright: breadth first on one thread, so that the first violation found is a shortest one.
//!
//! States are told apart by 64-bit fingerprints: in ten million states the chance that two are confused is about one in
//! three hundred thousand.

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::time::{Duration, Instant};

use stateright::{Checker as _, HasDiscoveries, Model, Property};

/// Collects what can happen next.
#[derive(Debug)]
pub struct Steps<'a, S> {
    from: &'a S,
    told: bool,
    found: Vec<(String, S)>,
}

impl<'a, S: Clone> Steps<'a, S> {
    /// Nothing yet, and no words.
    #[must_use]
    pub fn from(state: &'a S) -> Self {
        Self { from: state, told: false, found: Vec::new() }
    }

    /// Where it leads.
    pub fn into_states(self) -> impl Iterator<Item = S> {
        self.found.into_iter().map(|(_, next)| next)
    }

    /// One thing that can happen, in plain words, and what it changes.
    pub fn add(&mut self, label: fmt::Arguments<'_>, change: impl FnOnce(&mut S)) {
        let mut next = self.from.clone();
        change(&mut next);
        self.found.push((if self.told { label.to_string() } else { String::new() }, next));
    }
}

/// All that can happen next, without words.
pub fn successors<P: Protocol>(protocol: &P, state: &P::State) -> Vec<P::State> {
    let mut steps = Steps::from(state);
    protocol.steps(state, &mut steps);
    steps.into_states().collect()
}

fn words<P: Protocol>(protocol: &P, from: &P::State, to: &P::State) -> String {
    let mut steps = Steps { from, told: true, found: Vec::new() };
    protocol.steps(from, &mut steps);
    steps.found.into_iter().find(|(_, next)| next == to).map(|(label, _)| label).unwrap_or_default()
}

/// A protocol, its world and what must hold.
pub trait Protocol: Send + Sync + Sized + 'static {
    /// A state of everything: shelf, till, agent, network, platform.
    type State: Clone + Debug + Eq + Hash + Send + Sync + 'static;

    /// Before anything happened.
    fn start(&self) -> Self::State;

    /// All that can happen next.
    fn steps(&self, state: &Self::State, steps: &mut Steps<'_, Self::State>);

    /// What is wrong with this state, if anything is.
    fn fault(&self, state: &Self::State) -> Option<String>;
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No reachable state is wrong.
    Holds,
    /// The shortest way to a wrong state.
    Violated {
        /// What happened, step by step.
        trace: Vec<String>,
        /// What is wrong in the end.
        fault: String,
    },
    /// The limit of states was reached; nothing was wrong until then.
    Unfinished,
}

/// The result of one search.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Different states visited.
    pub states: usize,
    /// Longest trace looked at, in steps.
    pub depth: usize,
    /// Time taken.
    pub time: Duration,
    /// What came out.
    pub verdict: Verdict,
}

struct Searched<P>(P);

impl<P: Protocol> Model for Searched<P> {
    type State = P::State;
    type Action = P::State;

    fn init_states(&self) -> Vec<Self::State> {
        vec![self.0.start()]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        actions.extend(successors(&self.0, state));
    }

    fn next_state(&self, _last: &Self::State, next: Self::Action) -> Option<Self::State> {
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(RIGHT, |model, state| model.0.fault(state).is_none())]
    }
}

const RIGHT: &str = "the platform shows what it should";

/// Searches everything, or until a violation or `states_max` visits.
#[must_use]
pub fn search<P: Protocol>(protocol: P, states_max: usize) -> Finding {
    let began = Instant::now();
    let checker = Searched(protocol)
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(states_max)
        .spawn_bfs()
        .join();
    let time = began.elapsed();
    let verdict = match checker.discovery(RIGHT) {
        Some(path) => {
            let protocol = &checker.model().0;
            let fault = protocol.fault(path.last_state()).unwrap_or_default();
            let states = path.into_states();
            let trace = states.iter().zip(states.iter().skip(1)).map(|(from, to)| words(protocol, from, to)).collect();
            Verdict::Violated { trace, fault }
        }
        None if checker.state_count() >= states_max => Verdict::Unfinished,
        None => Verdict::Holds,
    };
    Finding { states: checker.unique_state_count(), depth: checker.max_depth(), time, verdict }
}
