//! The cases that take a second or two, and what the table must be like.

#![expect(clippy::panic, reason = "a test says what it found")]

use std::collections::BTreeSet;

use model_check::cases::{self, Case, Expected};
use model_check::{Finding, Verdict};

fn check(case: &Case) -> Finding {
    let finding = case.search();
    assert!(case.is_met(&finding), "{} ({}): expected {:?}, found {finding:?}", case.name, case.what, case.expected);
    finding
}

#[test]
fn the_rules_in_use_hold_in_every_reachable_state() {
    for case in cases::all().iter().filter(|case| case.quick && case.expected == Expected::Holds) {
        assert!(check(case).states > 100, "{} looked at almost nothing", case.name);
    }
}

#[test]
fn every_broken_rule_is_violated_by_a_trace_of_known_length() {
    for case in cases::all().iter().filter(|case| case.quick && case.expected != Expected::Holds) {
        let Verdict::Violated { trace, fault } = check(case).verdict else { panic!("{} holds", case.name) };
        assert!(trace.iter().all(|step| !step.is_empty()), "{}: {trace:?}", case.name);
        assert!(!fault.is_empty(), "{}", case.name);
    }
}

#[test]
fn names_are_unique_and_every_broken_rule_has_one_beside_it_that_holds() {
    let all = cases::all();
    let names: BTreeSet<&str> = all.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), all.len());
    for class in all.iter().map(|case| case.class).collect::<BTreeSet<_>>() {
        let of_class = || all.iter().filter(|case| case.class == class);
        assert!(of_class().any(|case| case.expected == Expected::Holds), "{class}: nothing holds");
        assert!(of_class().any(|case| case.expected != Expected::Holds), "{class}: nothing is broken");
    }
}

#[test]
fn a_search_cut_short_is_not_taken_for_a_proof() {
    let Some(case) = cases::all().into_iter().find(|case| case.name == "keyed") else { panic!("it is in the table") };
    let cut = case.search_at_most(1_000);
    assert_eq!(cut.verdict, Verdict::Unfinished);
    assert!(!case.is_met(&cut));
}
