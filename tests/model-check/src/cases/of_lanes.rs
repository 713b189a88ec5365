//! One article on a lane: every class of platform, repairs of drift, and a clone.

use super::Expected::{Holds, Violated};
use super::{Case, Expected, Model};
use crate::lanes::{
    Baseline, Batching, Conflict, Drained, Fenced, Findings, Keys, LastAttempt, Marker, Number, OrdersRead, Overtaken,
    PastWindow, Picks, Promise, Reconciling, Refused, RepairRetry, Repeat, Rules, Silence, SpentSettling, Swap, Twin,
    Writes,
};

const FOREVER: &str = "keyed changes, keys kept for ever";
const WINDOW: &str = "keyed changes, keys kept for a while";
const EVIDENCE: &str = "changes without keys, a marker tells";
const SILENT: &str = "changes without keys, nothing tells";
const NUMBERS: &str = "numbers only";
const NUMBERS_CAS: &str = "numbers only, compare-and-set";

fn case(
    class: &'static str,
    name: &'static str,
    what: &'static str,
    expected: Expected,
    quick: bool,
    rules: Rules,
) -> Case {
    Case { name, what, class, model: Model::Lanes(rules), expected, quick }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = keyed();
    cases.extend(window());
    cases.extend(without_keys());
    cases.extend(numbers());
    cases.extend(repairs());
    cases.extend(twins());
    cases
}

fn keyed() -> Vec<Case> {
    let base = Rules::default();
    let pairs = Rules { batching: Batching::Pairs, ..base };
    vec![
        case(FOREVER, "keyed", "**ours**: what waits is merged, frozen, sent as the same bytes", Holds, true, base),
        case(
            FOREVER,
            "keyed-large",
            "**ours**: the same, larger bounds",
            Holds,
            false,
            Rules { sales: 4, losses: 3, ..base },
        ),
        case(
            FOREVER,
            "keyed-fresh-key",
            "a new key for each attempt",
            Violated { steps: 8 },
            true,
            Rules { repeat: Repeat::FreshKey, ..base },
        ),
        case(
            FOREVER,
            "keyed-regroup",
            "after silence the entries are batched anew",
            Violated { steps: 9 },
            true,
            Rules { repeat: Repeat::Regrouped, ..base },
        ),
        case(FOREVER, "keyed-batch", "**ours**: batches of several entries, frozen", Holds, false, pairs),
        case(
            FOREVER,
            "keyed-batch-regroup",
            "batches of several entries, batched anew after silence",
            Violated { steps: 9 },
            true,
            Rules { repeat: Repeat::Regrouped, ..pairs },
        ),
    ]
}

fn window() -> Vec<Case> {
    let base = Rules { keys: Keys::Window, sales: 2, ..Rules::default() };
    let shipped = Rules { orders: 1, picks: Picks::Platform, returns: 0, crashes: 1, ..base };
    let followed = Rules { baseline: Baseline::FollowsOrders, ..shipped };
    vec![
        case(
            WINDOW,
            "window-resend",
            "sent again after the key was forgotten",
            Violated { steps: 10 },
            true,
            Rules { past_window: PastWindow::Sent, ..base },
        ),
        case(
            WINDOW,
            "window",
            "**ours**: read back past the window, settled, number by compare-and-set",
            Holds,
            false,
            base,
        ),
        case(WINDOW, "window-large", "**ours**: the same, larger bounds", Holds, false, Rules { sales: 3, ..base }),
        case(
            WINDOW,
            "window-at-once",
            "the same, read back without waiting for the last attempt",
            Violated { steps: 10 },
            true,
            Rules { last_attempt: LastAttempt::Ignored, ..base },
        ),
        case(
            WINDOW,
            "window-shipped",
            "the same, exact although online orders are shipped",
            Violated { steps: 8 },
            true,
            Rules { promise: Promise::ExactOrPerson, ..shipped },
        ),
        case(
            WINDOW,
            "window-shipped-bound",
            "**ours**: the same, off by no more than what was shipped",
            Holds,
            true,
            Rules { promise: Promise::OffByOthers, ..shipped },
        ),
        case(
            WINDOW,
            "window-shipped-followed",
            "what was shipped is taken off base + told: off by no more than what was shipped meanwhile",
            Holds,
            false,
            Rules { promise: Promise::OffByRaces, ..followed },
        ),
        case(
            WINDOW,
            "window-spent-reopened",
            "the same; where the key of a settling number is spent, the change is sent again",
            Violated { steps: 19 },
            true,
            Rules { promise: Promise::ExactOrPerson, spent: SpentSettling::Reopened, doubles: 0, ..followed },
        ),
        case(
            WINDOW,
            "window-reconciled",
            "**ours**: the same with repair of drift: made right at the next reconciliation",
            Holds,
            false,
            Rules { promise: Promise::OffByOthers, reconciling: Some(Reconciling::default()), doubles: 0, ..shipped },
        ),
    ]
}

fn without_keys() -> Vec<Case> {
    let marker = Rules {
        keys: Keys::None,
        marker: Marker::Whole,
        swap: Swap::Blind,
        number: Number::Net,
        orders: 1,
        doubles: 0,
        sales: 2,
        ..Rules::default()
    };
    let silent = Rules { marker: Marker::None, ..marker };
    let repaired = Rules {
        promise: Promise::OffByOthers,
        reconciling: Some(Reconciling::default()),
        returns: 0,
        crashes: 1,
        ..marker
    };
    vec![
        case(
            EVIDENCE,
            "marker",
            "**ours**: after silence wait, read the marker, then repeat or not",
            Holds,
            true,
            marker,
        ),
        case(
            EVIDENCE,
            "marker-large",
            "**ours**: the same, larger bounds",
            Holds,
            false,
            Rules { sales: 4, returns: 2, orders: 2, crashes: 3, losses: 3, ..marker },
        ),
        case(
            EVIDENCE,
            "marker-resend",
            "sent again after silence",
            Violated { steps: 8 },
            true,
            Rules { silence: Silence::Sent, ..marker },
        ),
        case(
            EVIDENCE,
            "marker-at-once",
            "the marker is read without waiting",
            Violated { steps: 10 },
            true,
            Rules { silence: Silence::ReadAtOnce, ..marker },
        ),
        case(
            EVIDENCE,
            "marker-doubled",
            "ours, on a network that doubles requests",
            Violated { steps: 7 },
            true,
            Rules { doubles: 1, ..marker },
        ),
        case(
            EVIDENCE,
            "marker-torn",
            "ours, but the server may die between marker and number",
            Violated { steps: 7 },
            true,
            Rules { marker: Marker::Torn, promise: Promise::ExactOrPerson, ..marker },
        ),
        case(
            EVIDENCE,
            "marker-torn-reconciled",
            "**ours**: the same, made right at the next reconciliation",
            Holds,
            false,
            Rules { marker: Marker::Torn, ..repaired },
        ),
        case(
            SILENT,
            "silent",
            "**ours**: after silence wait, read, settle by base + told; nobody else writes",
            Holds,
            true,
            Rules { orders: 0, ..silent },
        ),
        case(
            SILENT,
            "silent-at-once",
            "the same without waiting",
            Violated { steps: 9 },
            true,
            Rules { orders: 0, silence: Silence::ReadAtOnce, ..silent },
        ),
        case(
            SILENT,
            "silent-orders",
            "the same, exact although online orders come",
            Violated { steps: 7 },
            true,
            Rules { promise: Promise::ExactOrPerson, ..silent },
        ),
        case(
            SILENT,
            "silent-orders-followed",
            "orders are taken off base + told: off by no more than the orders meanwhile",
            Holds,
            true,
            Rules { promise: Promise::OffByRaces, baseline: Baseline::FollowsOrders, ..silent },
        ),
        case(
            SILENT,
            "silent-reconciled",
            "**ours**: off by no more than what others changed, made right at the next reconciliation",
            Holds,
            false,
            Rules { marker: Marker::None, ..repaired },
        ),
    ]
}

fn numbers() -> Vec<Case> {
    let alone =
        Rules { writes: Writes::Number, keys: Keys::None, swap: Swap::Blind, doubles: 0, sales: 2, ..Rules::default() };
    let shipped = Rules { orders: 1, picks: Picks::Platform, returns: 0, ..alone };
    let compared = Rules { swap: Swap::Compared, ..shipped };
    vec![
        case(
            NUMBERS,
            "numbers",
            "**ours**: read, write, after silence wait and read; nobody else writes",
            Holds,
            true,
            alone,
        ),
        case(
            NUMBERS,
            "numbers-large",
            "**ours**: the same, larger bounds",
            Holds,
            false,
            Rules { sales: 4, returns: 2, crashes: 3, losses: 3, ..alone },
        ),
        case(
            NUMBERS,
            "numbers-resend",
            "the number is sent again after silence",
            Violated { steps: 15 },
            true,
            Rules { silence: Silence::Sent, ..alone },
        ),
        case(
            NUMBERS,
            "numbers-at-once",
            "read again without waiting",
            Violated { steps: 11 },
            true,
            Rules { silence: Silence::ReadAtOnce, ..alone },
        ),
        case(
            NUMBERS,
            "numbers-shipped",
            "ours, exact although online orders are shipped",
            Violated { steps: 8 },
            true,
            Rules { promise: Promise::ExactOrPerson, ..shipped },
        ),
        case(
            NUMBERS,
            "numbers-shipped-bound",
            "**ours**: off by no more than what was shipped during a write",
            Holds,
            true,
            Rules { promise: Promise::OffByRaces, ..shipped },
        ),
        case(
            NUMBERS,
            "numbers-reconciled",
            "**ours**: the same, made right at the next reconciliation",
            Holds,
            false,
            Rules { promise: Promise::OffByRaces, reconciling: Some(Reconciling::default()), crashes: 1, ..shipped },
        ),
        case(
            NUMBERS_CAS,
            "numbers-cas-shipped",
            "the same with compare-and-set, exact or with a person",
            Violated { steps: 9 },
            true,
            Rules { promise: Promise::ExactOrPerson, ..compared },
        ),
        case(
            NUMBERS_CAS,
            "numbers-cas-judged",
            "no answer is lost, but a number overtaken is judged like silence",
            Violated { steps: 9 },
            true,
            Rules { promise: Promise::ExactOrPerson, overtaken: Overtaken::Judged, losses: 0, crashes: 0, ..compared },
        ),
        case(
            NUMBERS_CAS,
            "numbers-cas-shipped-no-silence",
            "**ours**: the same as long as no answer is lost",
            Holds,
            true,
            Rules { promise: Promise::ExactOrPerson, losses: 0, crashes: 0, ..compared },
        ),
        case(
            NUMBERS_CAS,
            "numbers-cas-shipped-bound",
            "**ours**: off by no more than what was shipped during a write",
            Holds,
            true,
            Rules { promise: Promise::OffByRaces, ..compared },
        ),
    ]
}

fn repairs() -> Vec<Case> {
    let ours = Reconciling::default();
    let by_hand = Rules {
        reconciling: Some(ours),
        edit: 1,
        sales: 2,
        returns: 1,
        losses: 1,
        crashes: 1,
        doubles: 1,
        ..Rules::default()
    };
    let net =
        Rules { number: Number::Net, orders: 2, picks: Picks::Platform, edit: 0, sales: 1, doubles: 0, ..by_hand };
    let more = Rules { returns: 2, crashes: 0, ..net };
    let physical = Rules { number: Number::Physical, ..net };
    let with = |rules: Rules, how: Reconciling| Rules { reconciling: Some(how), ..rules };
    let mut cases = vec![
        case(
            FOREVER,
            "repair",
            "**ours**: two findings, drained, fenced, compare-and-set, one key",
            Holds,
            false,
            by_hand,
        ),
        case(
            FOREVER,
            "repair-undrained",
            "compared while changes wait",
            Violated { steps: 11 },
            true,
            with(by_hand, Reconciling { drained: Drained::No, ..ours }),
        ),
        case(
            FOREVER,
            "repair-unfenced",
            "changes are sent while a repair is under way",
            Violated { steps: 12 },
            true,
            with(Rules { swap: Swap::Blind, ..by_hand }, Reconciling { fenced: Fenced::No, ..ours }),
        ),
        case(
            FOREVER,
            "repair-planned-anew",
            "after silence the repair is planned anew under a new key",
            Violated { steps: 19 },
            false,
            with(by_hand, Reconciling { retry: RepairRetry::PlannedAnew, ..ours }),
        ),
        case(
            FOREVER,
            "repair-refused-free",
            "ours, but the platform takes a refused key again",
            Violated { steps: 25 },
            false,
            Rules {
                refused: Refused::Free,
                orders: 1,
                picks: Picks::Platform,
                sales: 0,
                returns: 2,
                crashes: 0,
                doubles: 0,
                ..by_hand
            },
        ),
    ];
    cases.extend(vec![
        case(FOREVER, "repair-net", "**ours**, net number: numbers first, then orders, twice", Holds, false, net),
        case(FOREVER, "repair-net-large", "**ours**: the same, larger bounds", Holds, false, more),
        case(
            FOREVER,
            "repair-net-moved",
            "the same bounds, compared although lines were told during the round",
            Violated { steps: 18 },
            false,
            with(more, Reconciling { drained: Drained::AtEnd, ..ours }),
        ),
        case(FOREVER, "repair-physical", "**ours**, physical number, orders shipped", Holds, false, physical),
        case(
            FOREVER,
            "repair-net-one-finding",
            "one finding, lines told during the round",
            Violated { steps: 10 },
            true,
            with(net, Reconciling { findings: Findings::One, drained: Drained::AtEnd, ..ours }),
        ),
        case(
            FOREVER,
            "repair-net-orders-first-once",
            "orders first, then numbers, one finding",
            Violated { steps: 5 },
            true,
            with(net, Reconciling { findings: Findings::One, orders: OrdersRead::BeforeNumbers, ..ours }),
        ),
        case(
            FOREVER,
            "repair-net-orders-first",
            "orders first, then numbers, two findings",
            Violated { steps: 13 },
            true,
            with(net, Reconciling { orders: OrdersRead::BeforeNumbers, ..ours }),
        ),
        case(
            FOREVER,
            "repair-net-orders-at-times",
            "orders as last read, two findings",
            Violated { steps: 7 },
            true,
            with(net, Reconciling { orders: OrdersRead::AtTimes, ..ours }),
        ),
        case(
            FOREVER,
            "repair-net-picks-till",
            "ours, but picks come from the till's log, read late",
            Violated { steps: 8 },
            true,
            Rules { picks: Picks::Till, ..net },
        ),
        case(
            EVIDENCE,
            "repair-net-blind",
            "ours without keys and compare-and-set, exact although online orders come",
            Violated { steps: 9 },
            true,
            Rules { keys: Keys::None, swap: Swap::Blind, marker: Marker::Whole, edit: 1, ..net },
        ),
        case(
            EVIDENCE,
            "repair-net-blind-bound",
            "**ours**: the same, off by no more than what others changed meanwhile, right at the next reconciliation",
            Holds,
            false,
            Rules {
                keys: Keys::None,
                swap: Swap::Blind,
                marker: Marker::Whole,
                edit: 1,
                orders: 1,
                promise: Promise::OffByRaces,
                ..net
            },
        ),
    ]);
    cases
}

fn twins() -> Vec<Case> {
    let both = Rules { twin: Twin::Both, sales: 2, returns: 0, losses: 1, crashes: 1, doubles: 0, ..Rules::default() };
    let single = Rules { batching: Batching::Single, ..both };
    vec![
        case(
            FOREVER,
            "clone",
            "a clone runs too; a key used for something else is settled",
            Violated { steps: 16 },
            true,
            Rules { promise: Promise::ExactOrPerson, sales: 3, ..both },
        ),
        case(
            FOREVER,
            "clone-stops",
            "a clone runs too; a key used for something else stops the lane",
            Holds,
            true,
            Rules { conflict: Conflict::Stops, ..both },
        ),
        case(
            FOREVER,
            "clone-stops-large",
            "the same, larger bounds",
            Holds,
            false,
            Rules { conflict: Conflict::Stops, sales: 3, returns: 1, crashes: 0, ..both },
        ),
        case(
            FOREVER,
            "clone-by-entry",
            "a clone runs too; one entry a request, its key made of the entry",
            Holds,
            true,
            single,
        ),
        case(
            WINDOW,
            "clone-by-entry-window",
            "the same where keys are forgotten",
            Violated { steps: 10 },
            true,
            Rules { keys: Keys::Window, ..single },
        ),
        case(
            WINDOW,
            "clone-stops-window",
            "a conflict stops the lane, where keys are forgotten",
            Violated { steps: 10 },
            true,
            Rules { keys: Keys::Window, conflict: Conflict::Stops, ..both },
        ),
        case(
            FOREVER,
            "clone-leased",
            "one at a time; who takes over treats all it holds as uncertain",
            Holds,
            false,
            Rules { twin: Twin::Leased, promise: Promise::ExactOrPerson, returns: 1, ..both },
        ),
    ]
}
