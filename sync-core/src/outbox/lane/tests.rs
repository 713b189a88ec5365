//! The lane driven by hand, and a model of caller, database and platform that answers in any order.

#![expect(clippy::arithmetic_side_effects, reason = "numbers are made up here and small")]

use proptest::prelude::*;

use super::*;

#[test]
fn an_idle_lane_freezes_at_once_and_merges_only_while_it_waits() {
    let mut lane = lane(limits());
    assert!(lane.add(entry(1, 7, -1)));
    let draft = lane.draft(at(0)).expect("an idle lane sends at once");
    lane.frozen(BatchId(1), draft);
    lane.add(entry(2, 7, -1));
    lane.add(entry(3, 7, -2));
    lane.add(entry(4, 8, -1));
    let draft = lane.draft(at(0)).expect("another SKU may go");
    assert_eq!(ids(&draft), [4], "a SKU in flight keeps its order");
    let waiting: Vec<i64> = lane.waiting().map(|e| e.delta.micros()).collect();
    assert_eq!(waiting, [-3_000_000]);
}

#[test]
fn a_retry_is_the_same_batch_until_its_outcome_is_known() {
    let (mut lane, id) = sent(limits());
    let unknown = Answer::Unknown { wait: None, reason: "time-out".to_owned() };
    assert_eq!(answer(&mut lane, id, unknown, 1), Outcome::Kept);
    lane.add(entry(2, 7, -1));
    let (at, _) = lane.next_deadline().expect("a retry is due");
    assert_eq!(lane.poll(at, true), [Action::Send(id)]);
    let applied = answer(&mut lane, id, Answer::Applied { reference: None }, 2);
    assert_eq!(applied, Outcome::Delivered { settled: false, reference: None });
    assert_eq!(lane.draft(self::at(3)).map(|d| ids(&d)), Some(vec![2]));
}

#[test]
fn past_the_window_the_change_is_never_sent_again() {
    let (mut lane, id) = sent(limits());
    answer(&mut lane, id, Answer::Unknown { wait: None, reason: "cut".to_owned() }, 1);
    assert_eq!(lane.poll(at(24 * 3600), true), [], "the last attempt may still be worked on");
    assert_eq!(lane.next_deadline().map(|(due, _)| due), Some(at(24 * 3600 + 60)));
    assert_eq!(lane.poll(at(24 * 3600 + 60), true), [Action::ReadBack(id)]);
    assert_eq!(lane.read_back(id, ReadBackVerdict::WriteAbsolute), Outcome::Kept);
    assert_eq!(lane.poll(at(24 * 3600 + 60), true), [Action::Send(id)]);
    assert_eq!(answer(&mut lane, id, Answer::Stale, 24 * 3600 + 60), Outcome::ReadAgain);
    assert_eq!(lane.poll(at(25 * 3600), true), [Action::ReadBack(id)]);
    assert_eq!(lane.read_back(id, ReadBackVerdict::InEffect), Outcome::Delivered { settled: true, reference: None });
    assert!(lane.is_drained());
}

#[test]
fn a_settling_number_whose_key_is_spent_is_not_followed_by_its_change() {
    let (mut lane, id) = sent(limits());
    answer(&mut lane, id, Answer::Unknown { wait: None, reason: "cut".to_owned() }, 1);
    lane.poll(at(24 * 3600), true);
    lane.poll(at(24 * 3600 + 60), true);
    lane.read_back(id, ReadBackVerdict::WriteAbsolute);
    assert_eq!(lane.poll(at(24 * 3600 + 60), true), [Action::Send(id)]);
    let spent = Answer::KeySpent { message: "refused before".to_owned() };
    assert_eq!(answer(&mut lane, id, spent, 24 * 3600 + 61), Outcome::ReadAgain);
    assert_eq!(lane.waiting_len(), 0);
    assert_eq!(lane.poll(at(25 * 3600), true), [Action::ReadBack(id)]);
}

#[test]
fn a_number_that_was_overtaken_is_read_anew_not_judged() {
    let mut lane = lane(LaneLimits { writes: Writes::Absolute, key_window: Some(Duration::ZERO), ..limits() });
    lane.add(entry(1, 7, -1));
    freeze(&mut lane, 1);
    lane.poll(at(0), true);
    lane.read_back(BatchId(1), ReadBackVerdict::WriteAbsolute);
    lane.poll(at(0), true);
    assert_eq!(answer(&mut lane, BatchId(1), Answer::Stale, 1), Outcome::ReadAgain);
    assert_eq!(lane.batches()[&BatchId(1)].stage, Stage::Base);
    assert_eq!(lane.poll(at(600), true), [Action::ReadBack(BatchId(1))]);
}

#[test]
fn a_batch_that_never_left_is_not_read_back() {
    let (mut lane, id) = sent(limits());
    answer(&mut lane, id, Answer::Unavailable { wait: None, reason: "refused".to_owned() }, 1);
    assert_eq!(lane.poll(at(48 * 3600), true), [Action::Send(id)]);
}

#[test]
fn while_the_clock_is_not_trusted_an_uncertain_batch_waits() {
    let (mut lane, id) = sent(limits());
    answer(&mut lane, id, Answer::Unknown { wait: None, reason: "cut".to_owned() }, 1);
    assert_eq!(lane.poll(at(600), false), []);
    assert_eq!(lane.poll(at(600), true), [Action::Send(id)]);
}

#[test]
fn a_refused_row_is_isolated_and_the_rest_goes_on() {
    let mut lane = lane(limits());
    for id in 1..=3 {
        lane.add(entry(id, id, -1));
    }
    freeze(&mut lane, 1);
    lane.poll(at(0), true);
    let row = RowRefusal {
        item: "item-2".to_owned(),
        code: "X".to_owned(),
        message: "no".to_owned(),
        remedy: RowRemedy::DeadLetter,
    };
    let Outcome::Reopened { dead, .. } = answer(&mut lane, BatchId(1), Answer::RowsRefused { rows: vec![row] }, 1)
    else {
        panic!("reopened")
    };
    assert_eq!(dead.iter().map(|(e, ..)| e.id.0).collect::<Vec<_>>(), [2]);
    assert_eq!(lane.draft(at(1)).map(|d| ids(&d)), Some(vec![1, 3]));
}

#[test]
fn a_poisoned_batch_is_halved_until_the_culprit_is_alone() {
    let mut lane = lane(limits());
    for id in 1..=8 {
        lane.add(entry(id, id, -1));
    }
    let (mut next, mut dead) = (1, Vec::new());
    while let Some(draft) = lane.draft(at(0)) {
        let poisoned = ids(&draft).contains(&5);
        lane.frozen(BatchId(next), draft);
        lane.poll(at(0), true);
        let said = if poisoned {
            Answer::Refused { code: "BAD".to_owned(), message: "something is wrong".to_owned() }
        } else {
            Answer::Applied { reference: None }
        };
        if let Outcome::Reopened { dead: died, .. } = answer(&mut lane, BatchId(next), said, 0) {
            dead.extend(died.into_iter().map(|(e, ..)| e.id.0));
        }
        next += 1;
        assert!(next < 30, "isolation must end");
    }
    assert_eq!(dead, [5]);
    assert!(lane.is_drained());
}

#[test]
fn a_refused_lane_pauses_and_resumes_by_itself() {
    let (mut lane, id) = sent(limits());
    let refused = Answer::LaneRefused { cause: LaneRefusal::Unauthorised, detail: "token".to_owned() };
    answer(&mut lane, id, refused, 1);
    lane.add(entry(2, 9, -1));
    assert_eq!(lane.draft(at(100_000)), None);
    let (probe_at, _) = lane.next_deadline().expect("it asks again");
    assert_eq!(lane.poll(probe_at, true), [Action::Probe]);
    assert_eq!(lane.poll(probe_at, true), []);
    lane.probe_succeeded();
    assert_eq!(lane.poll(probe_at, true), [Action::Send(id)]);
}

#[test]
fn unknown_skus_wait_and_are_asked_for_again_without_holding_others() {
    let mut lane = Lane::new(LaneLimits { needs_target: true, ..limits() });
    lane.add(entry(1, 1, -1));
    lane.add(entry(2, 2, -1));
    assert_eq!(lane.poll(at(0), true), [Action::LookUp(vec![SkuId(1), SkuId(2)])]);
    lane.looked_up(SkuId(1), LookedUp::Missing, at(0), Jitter(0));
    lane.looked_up(SkuId(2), LookedUp::Known { rows: 1 }, at(0), Jitter(0));
    lane.look_up_ended();
    assert_eq!(lane.draft(at(0)).map(|d| ids(&d)), Some(vec![2]));
    let (next, _) = lane.next_deadline().expect("asked again");
    assert_eq!(lane.poll(next, true), [Action::LookUp(vec![SkuId(1)])]);
}

#[test]
fn parts_of_a_unit_are_carried_as_the_floor() {
    let mut lane = lane(LaneLimits { whole_units: true, ..limits() });
    let mut told = 0;
    for id in 1..=10 {
        lane.add(Entry { delta: Quantity::from_micros(-300_000), ..entry(id, 7, 0) });
        let draft = lane.draft(at(0)).expect("free");
        told += draft.items[0].units;
        assert_eq!(told, Quantity::from_micros(-300_000 * id).floor_units());
        if !draft.is_silent(true) {
            lane.frozen(BatchId(id), draft);
            answer(&mut lane, BatchId(id), Answer::Applied { reference: None }, 0);
        }
    }
    assert_eq!(told, -3);
}

#[test]
fn a_request_under_way_is_no_deadline() {
    let (mut lane, id) = sent(limits());
    answer(&mut lane, id, Answer::Unavailable { wait: None, reason: "refused".to_owned() }, 1);
    let (at, _) = lane.next_deadline().expect("a retry is due");
    assert_eq!(lane.poll(at, true), [Action::Send(id)]);
    assert_eq!(lane.next_deadline(), None, "nothing to do until the answer comes");
}

#[test]
fn where_only_numbers_are_taken_they_are_read_first_and_again_after_silence() {
    let limits = LaneLimits { writes: Writes::Absolute, key_window: Some(Duration::ZERO), ..limits() };
    let mut lane = lane(limits);
    lane.add(entry(1, 7, -1));
    freeze(&mut lane, 1);
    assert_eq!(lane.poll(at(0), true), [Action::ReadBack(BatchId(1))]);
    assert_eq!(lane.batches()[&BatchId(1)].stage, Stage::Base);
    assert_eq!(lane.read_back(BatchId(1), ReadBackVerdict::WriteAbsolute), Outcome::Kept);
    assert_eq!(lane.poll(at(0), true), [Action::Send(BatchId(1))]);
    answer(&mut lane, BatchId(1), Answer::Unknown { wait: None, reason: "cut".to_owned() }, 1);
    assert_eq!(lane.poll(at(59), true), [], "the platform may still work on it");
    assert_eq!(lane.poll(at(62), true), [Action::ReadBack(BatchId(1))]);
    let (entries, _) = lane.set_aside(BatchId(1), &[SkuId(7)].into());
    lane.put_back(entries);
    assert_eq!(
        lane.read_back(BatchId(1), ReadBackVerdict::InEffect),
        Outcome::Delivered { settled: true, reference: None }
    );
    assert_eq!(lane.waiting_len(), 1);
}

#[test]
fn a_number_that_others_changed_before_it_was_written_is_read_again() {
    let limits = LaneLimits { writes: Writes::Absolute, key_window: Some(Duration::ZERO), ..limits() };
    let mut lane = lane(limits);
    lane.add(entry(1, 7, -1));
    freeze(&mut lane, 1);
    lane.poll(at(0), true);
    lane.read_back(BatchId(1), ReadBackVerdict::WriteAbsolute);
    assert_eq!(lane.poll(at(0), true), [Action::Send(BatchId(1))]);
    assert_eq!(answer(&mut lane, BatchId(1), Answer::Stale, 1), Outcome::ReadAgain);
    assert_eq!(lane.batches()[&BatchId(1)].stage, Stage::Base, "it is worked out anew, not judged");
    assert_eq!(lane.poll(at(100), true), [Action::ReadBack(BatchId(1))]);
}

#[test]
fn a_repair_fences_its_sku_and_is_dropped_when_it_was_overtaken() {
    let mut lane = lane(limits());
    assert!(lane.is_idle(SkuId(7)));
    let repair = Entry { kind: MovementKind::Repair, lines: 0, ..entry(1, 7, 0) };
    lane.repair(BatchId(1), vec![BatchItem { entry: repair, units: 0 }]);
    lane.add(entry(2, 7, -1));
    assert!(lane.draft(at(0)).is_none(), "the sale waits behind the repair");
    assert_eq!(lane.poll(at(0), true), [Action::Send(BatchId(1))]);
    let outcome = answer(&mut lane, BatchId(1), Answer::Stale, 1);
    assert!(matches!(outcome, Outcome::Reopened { dead, .. } if dead.is_empty()));
    assert_eq!(lane.draft(at(1)).expect("the sale goes on").items.len(), 1);
}

#[test]
fn a_repair_goes_on_without_the_rows_that_were_overtaken() {
    let overtaken = |item: &str| RowRefusal {
        item: item.to_owned(),
        code: "STALE".to_owned(),
        message: "another number".to_owned(),
        remedy: RowRemedy::ReadAgain,
    };
    let mut lane = lane(limits());
    let repair = |id, sku| Entry { kind: MovementKind::Repair, lines: 0, ..entry(id, sku, 0) };
    let items = [repair(1, 7), repair(2, 8), repair(3, 9)].map(|entry| BatchItem { entry, units: 0 });
    lane.repair(BatchId(1), items.to_vec());
    lane.add(entry(4, 8, -1));
    assert_eq!(lane.poll(at(0), true), [Action::Send(BatchId(1))]);
    let outcome = answer(&mut lane, BatchId(1), Answer::RowsRefused { rows: vec![overtaken("item-8")] }, 1);
    let Outcome::Narrowed { kept, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(kept.iter().map(|item| item.entry.sku).collect::<Vec<_>>(), [SkuId(7), SkuId(9)]);
    assert_eq!(lane.draft(at(1)).expect("the sale waits for nothing any more").items.len(), 1);
    assert!(!lane.is_idle(SkuId(7)), "the others are still fenced");
    assert_eq!(lane.poll(at(1), true), [Action::Send(BatchId(1))]);
    let rows = vec![overtaken("item-7"), overtaken("item-9")];
    assert!(matches!(answer(&mut lane, BatchId(1), Answer::RowsRefused { rows }, 2), Outcome::Reopened { .. }));
    assert!(lane.is_idle(SkuId(7)) && lane.batches().is_empty());
}

#[test]
fn a_settling_write_some_of_whose_rows_were_overtaken_is_read_again() {
    let (mut lane, id) = sent(limits());
    answer(&mut lane, id, Answer::KeyConflict { message: "cloned".to_owned() }, 1);
    assert_eq!(lane.poll(at(1), true), [Action::ReadBack(id)]);
    lane.read_back(id, ReadBackVerdict::WriteAbsolute);
    assert_eq!(lane.poll(at(1), true), [Action::Send(id)]);
    let row = RowRefusal {
        item: "item-7".to_owned(),
        code: "STALE".to_owned(),
        message: "another number".to_owned(),
        remedy: RowRemedy::ReadAgain,
    };
    assert_eq!(answer(&mut lane, id, Answer::RowsRefused { rows: vec![row] }, 2), Outcome::ReadAgain);
    assert_eq!(lane.batches()[&id].stage, Stage::ReadBack);
}

#[test]
fn the_latest_value_replaces_those_that_wait() {
    let mut lane = lane(LaneLimits { latest: true, ..limits() });
    lane.add(entry(1, 7, 5));
    freeze(&mut lane, 1);
    lane.poll(at(0), true);
    lane.add(entry(2, 7, 6));
    lane.add(entry(3, 7, 8));
    answer(&mut lane, BatchId(1), Answer::KeySpent { message: "failed before".to_owned() }, 1);
    let draft = lane.draft(at(1)).expect("the value waits");
    assert_eq!(draft.items.len(), 1);
    assert_eq!(draft.items[0].entry.delta, Quantity::from_units(8).expect("small"));
    assert_eq!(draft.items[0].entry.lines, 3);
}

#[test]
fn rows_decided_one_by_one_leave_the_refused_ones_only() {
    let mut lane = lane(limits());
    lane.add(entry(1, 7, -1));
    lane.add(entry(2, 8, -1));
    freeze(&mut lane, 1);
    lane.poll(at(0), true);
    let row = RowRefusal {
        item: "item-8".to_owned(),
        code: "GONE".to_owned(),
        message: String::new(),
        remedy: RowRemedy::LookUpAgain,
    };
    let Outcome::Partly { kept, dead, .. } =
        answer(&mut lane, BatchId(1), Answer::Mixed { rows: vec![row], reference: None }, 1)
    else {
        panic!("one of two rows is in effect");
    };
    assert_eq!((kept.len(), dead.len(), lane.waiting_len()), (1, 0, 1));
}

#[derive(Debug, Clone)]
enum Step {
    Sale(i64, i64),
    Answer(u8),
    Wait,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_i64..5, -3_000_000_i64..1_000_000).prop_map(|(sku, micros)| Step::Sale(sku, micros)),
        4 => (0_u8..13).prop_map(Step::Answer),
        2 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the order of sales, answers, lost replies, late retries and restarts: once the platform answers,
    /// its number is the floor of the exact sum (or the exact sum), except for what is a dead letter.
    #[test]
    fn any_interleaving_ends_alike(steps in prop::collection::vec(step(), 1..60), whole_units: bool, merge: bool) {
        let mut world = World::new(LaneLimits { whole_units, merge, rows_max: 3, in_flight_max: 2, ..limits() });
        for step in steps {
            match step {
                Step::Sale(sku, micros) => world.sell(sku, micros),
                Step::Answer(what) => world.answer(what),
                Step::Wait => world.now = world.now.plus(Duration::from_secs(400)),
                Step::Restart => world.restart(),
            }
            world.pump();
        }
        for _ in 0..200 {
            world.now = world.now.plus(Duration::from_secs(400));
            world.pump();
            world.answer(0);
        }
        world.pump();
        prop_assert!(world.lane.is_drained(), "not drained: {:?}", world.lane);
        world.check();
    }
}

/// A lane with a platform that remembers keys, and the database's view for restarts.
struct World {
    limits: LaneLimits,
    lane: Lane,
    now: Timestamp,
    next_entry: i64,
    next_batch: i64,
    rows: BTreeMap<EntryId, Entry>,
    live: BTreeMap<BatchId, LiveBatch>,
    carries: BTreeMap<SkuId, i64>,
    asked: Vec<BatchId>,
    applied: BTreeSet<BatchId>,
    platform: BTreeMap<SkuId, Quantity>,
    sold: BTreeMap<SkuId, Quantity>,
    dead: BTreeMap<SkuId, Quantity>,
}

impl World {
    fn new(limits: LaneLimits) -> Self {
        Self {
            limits,
            lane: Lane::new(limits),
            now: at(0),
            next_entry: 1,
            next_batch: 1,
            rows: BTreeMap::new(),
            live: BTreeMap::new(),
            carries: BTreeMap::new(),
            asked: Vec::new(),
            applied: BTreeSet::new(),
            platform: BTreeMap::new(),
            sold: BTreeMap::new(),
            dead: BTreeMap::new(),
        }
    }

    fn sell(&mut self, sku: i64, micros: i64) {
        let entry = Entry { delta: Quantity::from_micros(micros), ..entry(self.next_entry, sku, 0) };
        self.next_entry += 1;
        let sum = self.sold.entry(SkuId(sku)).or_default();
        *sum = sum.saturating_add(entry.delta);
        assert!(self.lane.add(entry), "the window is large enough here");
    }

    fn pump(&mut self) {
        while let Some(draft) = self.lane.draft(self.now) {
            self.carries.extend(draft.carries.iter().copied());
            if draft.is_silent(self.limits.whole_units) {
                continue;
            }
            let id = BatchId(self.next_batch);
            self.next_batch += 1;
            self.live.insert(id, LiveBatch::new(draft.items.clone(), Stage::Change));
            self.lane.frozen(id, draft);
        }
        let (written, gone) = self.lane.take_changes();
        for id in gone {
            self.rows.remove(&id);
        }
        self.rows.extend(written.into_iter().map(|e| (e.id, e)));
        for action in self.lane.poll(self.now, true) {
            if let Action::Send(id) = action {
                self.asked.push(id);
                if let Some(row) = self.live.get_mut(&id) {
                    row.first_sent.get_or_insert(self.now);
                    row.maybe_applied = true;
                }
            }
        }
    }

    fn apply(&mut self, id: BatchId) {
        self.apply_but(id, None);
    }

    fn apply_but(&mut self, id: BatchId, refused: Option<SkuId>) {
        if self.applied.insert(id) {
            for item in &self.live.get(&id).expect("sent batches are live").items {
                if Some(item.entry.sku) == refused {
                    continue;
                }
                let change = if self.limits.whole_units {
                    Quantity::from_units(item.units).expect("small")
                } else {
                    item.entry.delta
                };
                let sum = self.platform.entry(item.entry.sku).or_default();
                *sum = sum.saturating_add(change);
            }
        }
    }

    fn answer(&mut self, what: u8) {
        if self.asked.is_empty() {
            return;
        }
        let id = self.asked.remove(usize::from(what) % self.asked.len());
        let known = self.applied.contains(&id);
        let said = match what {
            6 => Answer::Unknown { wait: None, reason: "request lost".to_owned() },
            7 => {
                self.apply(id);
                Answer::Unknown { wait: None, reason: "reply lost".to_owned() }
            }
            8 => Answer::Throttled { wait: Some(Duration::from_secs(2)) },
            9 if !known => Answer::Refused { code: "BAD".to_owned(), message: "no".to_owned() },
            10 if !known => Answer::KeySpent { message: "failed before".to_owned() },
            11 if !known => {
                let sku = self.live.get(&id).expect("live").items[0].entry.sku;
                let row = RowRefusal {
                    item: format!("item-{sku}"),
                    code: "X".to_owned(),
                    message: String::new(),
                    remedy: RowRemedy::DeadLetter,
                };
                Answer::RowsRefused { rows: vec![row] }
            }
            12 if !known => {
                let sku = self.live.get(&id).expect("live").items[0].entry.sku;
                self.apply_but(id, Some(sku));
                let row = RowRefusal {
                    item: format!("item-{sku}"),
                    code: "X".to_owned(),
                    message: String::new(),
                    remedy: RowRemedy::DeadLetter,
                };
                Answer::Mixed { rows: vec![row], reference: None }
            }
            _ => {
                self.apply(id);
                Answer::Applied { reference: None }
            }
        };
        match answer_at(&mut self.lane, id, said, self.now) {
            Outcome::Delivered { .. } => {
                self.live.remove(&id);
            }
            Outcome::Reopened { dead, carries, .. } | Outcome::Partly { dead, carries, .. } => {
                self.live.remove(&id);
                self.carries.extend(carries);
                for (entry, ..) in dead {
                    let sum = self.dead.entry(entry.sku).or_default();
                    *sum = sum.saturating_add(entry.delta);
                }
            }
            // No repairs in this model.
            Outcome::Narrowed { .. } | Outcome::Kept | Outcome::ToReadBack | Outcome::ReadAgain => {}
        }
    }

    fn restart(&mut self) {
        self.pump();
        self.asked.clear();
        self.lane = Lane::new(self.limits);
        for (sku, micros) in &self.carries {
            self.lane.restore_carry(*sku, *micros);
        }
        for entry in self.rows.values() {
            self.lane.restore_waiting(entry.clone());
        }
        for (id, batch) in &self.live {
            let mut batch = batch.clone();
            batch.busy = false;
            self.lane.restore_batch(*id, batch);
        }
    }

    fn check(&self) {
        for (sku, sold) in &self.sold {
            let dead = self.dead.get(sku).copied().unwrap_or_default();
            let exact = sold.saturating_sub(dead);
            let expected =
                if self.limits.whole_units { Quantity::from_units(exact.floor_units()).expect("small") } else { exact };
            let shown = self.platform.get(sku).copied().unwrap_or_default();
            assert_eq!(shown, expected, "SKU {sku}");
        }
    }
}

fn limits() -> LaneLimits {
    LaneLimits {
        rows_max: 250,
        in_flight_max: 4,
        merge: true,
        whole_units: false,
        needs_target: false,
        reads_back: true,
        latest: false,
        writes: Writes::Delta,
        key_window: Some(Duration::from_secs(24 * 3600)),
        settle_after: Duration::from_secs(60),
        window_max: 10_000,
        look_up_max: 40,
        retry: RetryLimits::default(),
        look_up_retry: RetryLimits { first: Duration::from_secs(60), max: Duration::from_secs(900) },
        probe: RetryLimits { first: Duration::from_secs(30), max: Duration::from_secs(300) },
    }
}

fn lane(limits: LaneLimits) -> Lane {
    Lane::new(limits)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn entry(id: i64, sku: i64, units: i64) -> Entry {
    Entry {
        id: EntryId(id),
        sku: SkuId(sku),
        delta: Quantity::from_units(units).expect("small"),
        lines: 1,
        first: Seq(id),
        last: Seq(id),
        kind: MovementKind::Sale,
        transaction: None,
        sold_at: None,
        uncertain: false,
    }
}

fn freeze(lane: &mut Lane, id: i64) {
    let draft = lane.draft(at(0)).expect("something to send");
    lane.frozen(BatchId(id), draft);
}

fn sent(limits: LaneLimits) -> (Lane, BatchId) {
    let mut lane = lane(limits);
    lane.add(entry(1, 7, -1));
    freeze(&mut lane, 1);
    assert_eq!(lane.poll(at(0), true), [Action::Send(BatchId(1))]);
    (lane, BatchId(1))
}

fn ids(draft: &Draft) -> Vec<i64> {
    draft.items.iter().map(|item| item.entry.id.0).collect()
}

fn answer(lane: &mut Lane, id: BatchId, said: Answer, seconds: i64) -> Outcome {
    answer_at(lane, id, said, at(seconds))
}

fn answer_at(lane: &mut Lane, id: BatchId, said: Answer, now: Timestamp) -> Outcome {
    lane.answered(id, said, &|sku| vec![format!("item-{sku}")], now, Jitter(u32::MAX / 2))
}
