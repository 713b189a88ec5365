//! Counts at the writer on real SQLite: what they correct, what waits, what is held, and that nothing is done twice.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

use std::collections::BTreeMap;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use pos_adapters::{Chunk, StoredSignal};
use sync_core::count::{Basis, CountExtent, Limits, Outcome, Span};
use sync_core::model::{
    Extent, LineItem, LineKind, Quantity, Segment, Seq, Sku, Timestamp, Transaction, TransactionKey, TransactionStatus,
};
use tempfile::TempDir;
use tillsync::clock::Clock;
use tillsync::db::{self, StateFolder};
use tillsync::writer::count::{CountAnswer, CountRequest, CountSheet, CountStep, Counted, Taken};
use tillsync::writer::{Board, Command, Commands, SourceSpec, Writer};

const SOON: Duration = Duration::from_secs(20);
const MARGIN: Duration = Duration::from_secs(120);

struct Bench {
    folder: TempDir,
    commands: Commands,
    writer: JoinHandle<()>,
    clock: Arc<Clock>,
}

fn units(count: i64) -> Quantity {
    Quantity::from_units(count).unwrap()
}

impl Bench {
    fn start() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(folder: TempDir) -> Self {
        let database = StateFolder::shared(folder.path()).database();
        let conn = db::open_writer(&database, 1024).unwrap();
        let clock = Arc::new(Clock::default());
        let (work, _works) = tokio::sync::mpsc::unbounded_channel();
        let (commands, taken) = channel();
        let source = SourceSpec { name: "till".to_owned(), vanish_limit_percent: 20 };
        let board = Arc::new(Board::new(&["till".to_owned()], 0));
        let writer = Writer::new(conn, database, Arc::clone(&clock), &[source], vec![], work, board).unwrap();
        let writer = std::thread::spawn(move || writer.run(&taken));
        Self { folder, commands, writer, clock }
    }

    fn restart(self) -> Self {
        self.commands.send(Command::Stop).unwrap();
        self.writer.join().unwrap();
        Self::on(self.folder)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// So many minutes ago.
    fn ago(&self, minutes: i64) -> Timestamp {
        Timestamp(self.now().0 - minutes * 60_000_000)
    }

    fn ticket(&self, key: &str, status: TransactionStatus, sold_at: Option<Timestamp>, lines: &[(&str, i64)]) {
        let line = |(code, count): &(&str, i64)| LineItem {
            sku: Sku::from(*code),
            delta: units(*count),
            kind: LineKind::Sale,
            ignored: None,
        };
        let transaction = Transaction {
            key: TransactionKey::new(key),
            register: "1".to_owned(),
            sold_at,
            status,
            extent: Extent::Whole,
            segment: Segment::new("sales#0"),
            lines: lines.iter().map(line).collect(),
            online_order: None,
        };
        let (told, stored) = channel();
        let told = Mutex::new(told);
        let chunk = Chunk {
            transactions: vec![transaction],
            stored: Some(StoredSignal::new(move || told.lock().unwrap().send(()).unwrap())),
            ..Chunk::default()
        };
        self.commands.send(Command::Replay { source: 0, chunk }).unwrap();
        stored.recv_timeout(SOON).unwrap();
    }

    fn sell(&self, key: &str, sold_at: Timestamp, lines: &[(&str, i64)]) {
        self.ticket(key, TransactionStatus::Completed, Some(sold_at), lines);
    }

    fn seq(&self) -> Seq {
        db::ledger::last_seq(&self.conn()).unwrap()
    }

    fn conn(&self) -> rusqlite::Connection {
        db::open_reader(&StateFolder::shared(self.folder.path()).database()).unwrap()
    }

    fn ask(&self, step: CountStep) -> CountAnswer {
        let (reply, answer) = sync_channel(1);
        self.commands.send(Command::Count(CountRequest { step, who: "test".to_owned(), reply })).unwrap();
        answer.recv_timeout(SOON).unwrap().unwrap()
    }

    fn take(&self, sheet: CountSheet) -> CountAnswer {
        self.ask(CountStep::Sheet { sheet: Box::new(sheet), limits: Limits::default(), dry_run: false })
    }

    fn shelf(&self, at: Timestamp, lines: &[(&str, i64)]) -> CountAnswer {
        self.take(sheet(Basis::Shelf, Taken::Moment { at, margin: MARGIN }, lines))
    }

    fn snapshot(&self, before: Seq, lines: &[(&str, i64)]) -> CountAnswer {
        self.take(sheet(Basis::Ledger, Taken::Snapshot { before, after: None, at: self.now() }, lines))
    }

    fn on_hand(&self, code: &str) -> Option<String> {
        let conn = self.conn();
        let id = conn.query_row("SELECT id FROM sku WHERE code = ?1", [code], |row| row.get(0)).ok()?;
        db::ledger::on_hand(&conn, sync_core::model::SkuId(id)).unwrap().map(|quantity| quantity.to_string())
    }

    fn number(&self, sql: &str) -> i64 {
        self.conn().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn stop_conserved(self) {
        self.commands.send(Command::Stop).unwrap();
        self.writer.join().unwrap();
        let database = StateFolder::shared(self.folder.path()).database();
        let report = tillsync::audit::audit(&mut db::open_reader(&database).unwrap(), &mut |_, _| {}).unwrap();
        assert!(report.conserved, "{report:?}");
    }
}

fn sheet(basis: Basis, taken: Taken, lines: &[(&str, i64)]) -> CountSheet {
    let lines: BTreeMap<Sku, Counted> =
        lines.iter().map(|(sku, count)| (Sku::from(*sku), Counted { quantity: units(*count), span: None })).collect();
    CountSheet {
        name: "count".to_owned(),
        basis,
        extent: CountExtent::Full,
        taken,
        lines,
        notes: Vec::new(),
        unreadable: 0,
        hash: None,
        place: "a test".to_owned(),
        posted_until: None,
        stale: false,
    }
}

fn outcomes(answer: &CountAnswer) -> Vec<String> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Corrected { by } => format!("corrected {by}"),
        other => other.as_str().to_owned(),
    };
    answer.plan.lines.iter().map(|line| format!("{} {}", line.sku, word(&line.outcome))).collect()
}

#[test]
fn a_first_count_sets_the_base_a_later_one_corrects_the_difference() {
    let bench = Bench::start();
    bench.sell("t1", bench.now(), &[("A", -2)]);
    let first = bench.snapshot(bench.seq(), &[("A", 10), ("B", 4)]);
    assert_eq!((first.state.as_str(), outcomes(&first)), ("applied", vec!["A first".to_owned(), "B first".to_owned()]));
    assert_eq!(bench.number("SELECT count(*) FROM correction"), 0, "nothing moved");
    bench.sell("t2", bench.now(), &[("A", -1)]);
    assert_eq!(bench.on_hand("A").as_deref(), Some("9"));
    let second = bench.snapshot(bench.seq(), &[("A", 8), ("B", 4)]);
    assert_eq!(outcomes(&second), ["A corrected -1", "B equal"]);
    let bench = bench.restart();
    assert_eq!((bench.on_hand("A").as_deref(), bench.on_hand("B").as_deref()), (Some("8"), Some("4")));
    let third = bench.snapshot(bench.seq(), &[("A", 8), ("B", 4)]);
    assert_eq!(outcomes(&third), ["A equal", "B equal"]);
    bench.stop_conserved();
}

#[test]
fn what_is_sold_in_the_middle_of_a_snapshot_waits_and_the_next_count_settles_it() {
    let bench = Bench::start();
    bench.snapshot(bench.seq(), &[("A", 10), ("B", 4)]);
    let before = bench.seq();
    bench.sell("t1", bench.now(), &[("A", -1)]);
    let count = bench.snapshot(before, &[("A", 9), ("B", 3)]);
    assert_eq!(outcomes(&count), ["A waits", "B corrected -1"]);
    assert_eq!(bench.on_hand("A").as_deref(), Some("9"), "the sale was not undone");
    let again = bench.snapshot(bench.seq(), &[("A", 9)]);
    assert_eq!(outcomes(&again), ["A equal"]);
    bench.stop_conserved();
}

#[test]
fn a_count_of_the_shelf_is_ordered_by_the_time_of_sale() {
    let bench = Bench::start();
    let at = bench.ago(30);
    bench.sell("before", bench.ago(60), &[("A", -1), ("B", -1), ("C", -1)]);
    bench.sell("around", bench.ago(30), &[("B", -1)]);
    bench.sell("after", bench.ago(10), &[("A", -2), ("C", -3)]);
    bench.ticket("after", TransactionStatus::Completed, Some(bench.ago(10)), &[("A", -2), ("C", -5)]);
    let count = bench.shelf(at, &[("A", 20), ("B", 5), ("C", 9)]);
    assert_eq!(outcomes(&count), ["A first", "B waits", "C first"]);
    assert_eq!(
        ["A", "B", "C"].map(|sku| bench.on_hand(sku)),
        [Some("18".to_owned()), None, Some("4".to_owned())],
        "what was sold after the count is off, in its last version"
    );
    bench.stop_conserved();
}

#[test]
fn a_late_ticket_that_a_count_of_the_shelf_has_seen_is_not_applied_twice() {
    let bench = Bench::start();
    bench.sell("known", bench.ago(90), &[("A", -1)]);
    let at = bench.ago(30);
    bench.shelf(at, &[("A", 10)]);
    let bench = bench.restart();
    bench.sell("late", bench.ago(60), &[("A", -3)]);
    assert_eq!(bench.on_hand("A").as_deref(), Some("10"), "its goods were gone already");
    assert_eq!(bench.number("SELECT count(*) FROM correction WHERE late = 1"), 1);
    bench.sell("after", bench.ago(5), &[("A", -1)]);
    assert_eq!(bench.on_hand("A").as_deref(), Some("9"));
    // The void of a late ticket puts goods back now.
    bench.ticket("late", TransactionStatus::Cancelled, Some(bench.ago(60)), &[("A", -3)]);
    assert_eq!(bench.on_hand("A").as_deref(), Some("12"));
    bench.sell("around", at, &[("A", -1)]);
    assert_eq!(bench.on_hand("A").as_deref(), Some("11"), "nobody knows: the sale counts");
    assert_eq!(bench.number("SELECT count(*) FROM stock_count_line WHERE outcome = 'waits'"), 1, "and it says so");
    bench.stop_conserved();
}

#[test]
fn an_older_count_of_an_article_does_not_correct_what_a_later_one_has() {
    let bench = Bench::start();
    bench.shelf(bench.ago(120), &[("A", 10)]);
    bench.shelf(bench.ago(10), &[("A", 8)]);
    let mut older = sheet(Basis::Shelf, Taken::Moment { at: bench.ago(60), margin: MARGIN }, &[("A", 8)]);
    older.extent = CountExtent::Partial;
    assert_eq!(outcomes(&bench.take(older)), ["A waits"]);
    assert_eq!(bench.on_hand("A").as_deref(), Some("8"));
    bench.stop_conserved();
}

#[test]
fn a_zeroing_count_is_held_over_a_restart_and_a_person_decides() {
    let bench = Bench::start();
    bench.snapshot(bench.seq(), &[("A", 10), ("B", 4), ("C", 1)]);
    let before = bench.seq();
    let held = bench.snapshot(before, &[("A", 0), ("B", 0), ("C", 0)]);
    assert_eq!(held.state, "held", "{held:?}");
    assert_eq!(bench.on_hand("A").as_deref(), Some("10"));
    let bench = bench.restart();
    assert_eq!(bench.number("SELECT count(*) FROM stock_count WHERE state = 'held'"), 1);
    // Sold while it was held: the count did not see it.
    bench.sell("t1", bench.now(), &[("A", -1)]);
    let id = held.id.unwrap();
    let done = bench.ask(CountStep::Decide { id, approve: true, reason: None });
    assert_eq!(outcomes(&done), ["A corrected -10", "B corrected -4", "C corrected -1"]);
    assert_eq!(bench.on_hand("A").as_deref(), Some("-1"));
    let again = bench.ask(CountStep::Decide { id, approve: true, reason: None });
    assert_eq!(again.state, "no_such_count");
    let refused = bench.snapshot(bench.seq(), &[]);
    assert_eq!(refused.state, "held");
    let refused = bench.ask(CountStep::Decide { id: refused.id.unwrap(), approve: false, reason: Some("torn".into()) });
    assert_eq!(refused.state, "refused");
    bench.stop_conserved();
}

#[test]
fn the_same_file_is_taken_in_once() {
    let bench = Bench::start();
    let at = bench.ago(30);
    let mut first = sheet(Basis::Shelf, Taken::Moment { at, margin: MARGIN }, &[("A", 10)]);
    first.hash = Some("abc".to_owned());
    assert_eq!(bench.take(first.clone()).state, "applied");
    bench.sell("t1", bench.now(), &[("A", -4)]);
    assert_eq!(bench.take(first).state, "known");
    assert_eq!(bench.on_hand("A").as_deref(), Some("6"));
    bench.stop_conserved();
}

#[test]
fn a_dry_run_stores_nothing() {
    let bench = Bench::start();
    let taken = Taken::Moment { at: bench.ago(30), margin: MARGIN };
    let mut counted = sheet(Basis::Shelf, taken, &[("A", 10)]);
    if let Some(line) = counted.lines.get_mut(&Sku::from("A")) {
        line.span = Some(Span { from: bench.ago(40), until: bench.ago(30) });
    }
    let step = CountStep::Sheet { sheet: Box::new(counted), limits: Limits::default(), dry_run: true };
    assert_eq!(bench.ask(step).state, "planned");
    assert_eq!(bench.number("SELECT count(*) FROM stock_count") + bench.number("SELECT count(*) FROM sku"), 0);
    bench.stop_conserved();
}

#[test]
fn an_export_contains_what_was_recorded_well_before_it_and_what_is_unclear_waits() {
    let bench = Bench::start();
    bench.sell("t1", bench.ago(300), &[("A", -1), ("B", -1)]);
    // The ledger learnt of both just now: whether the POS's number of ten minutes ago knew the first is not certain.
    let at = bench.ago(10);
    let count = bench.take(sheet(Basis::Ledger, Taken::Moment { at, margin: MARGIN }, &[("A", 7), ("C", 2)]));
    assert_eq!(outcomes(&count), ["A waits", "C first"]);
    bench.stop_conserved();
}
