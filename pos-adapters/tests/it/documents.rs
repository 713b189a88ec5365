//! Files of retail standards through their source: settling, growing, replacing, archives, and the facts measured on
//! real captures where those are at hand.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use pos_adapters::documents::DocumentSettings;
use pos_adapters::trial::{TRIALS, Tally};
use pos_adapters::{Chunk, Coverage, NoSecrets, Poll, PosSource, Quarantined, SourceContext, SourceSettings};
use proptest::prelude::*;
use sync_core::model::{Extent, Quantity, Timestamp, Transaction};

const START: i64 = 1_795_431_600_000_000;

struct Bench {
    folder: tempfile::TempDir,
    source: Box<dyn PosSource>,
    settings: DocumentSettings,
    now: Timestamp,
    read: BTreeMap<String, Transaction>,
    given: usize,
    quarantined: Vec<Quarantined>,
    ignored: BTreeMap<String, u64>,
    coverage: Vec<Coverage>,
    cursors: BTreeMap<String, String>,
    bytes: u64,
}

impl Bench {
    fn new(path: &str, rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join(path);
        let text = format!(r#"{{"name": "till", "kind": "file", "path": {:?}, {rest}}}"#, full.to_str().unwrap());
        let settings: DocumentSettings = serde_json::from_str(&text).unwrap();
        Self {
            folder,
            source: open(&settings),
            settings,
            now: Timestamp(START),
            read: BTreeMap::new(),
            given: 0,
            quarantined: Vec::new(),
            ignored: BTreeMap::new(),
            coverage: Vec::new(),
            cursors: BTreeMap::new(),
            bytes: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn restart(&mut self) {
        self.source = open(&self.settings);
        self.source.resume(self.cursors.clone().into_iter().collect());
    }

    fn wait(&mut self, seconds: i64) {
        self.now.0 += seconds * 1_000_000;
    }

    /// Polls until quiet; gives how many tickets were read.
    fn drain(&mut self) -> usize {
        let before = self.given;
        self.bytes = 0;
        for _ in 0..1000 {
            match self.source.poll(&[], self.now).unwrap() {
                Poll::Quiet { .. } => return self.given - before,
                Poll::Chunk(chunk) => self.store(chunk),
            }
        }
        panic!("the source never becomes quiet");
    }

    fn store(&mut self, chunk: Chunk) {
        self.given += chunk.transactions.len();
        self.bytes += chunk.bytes;
        for transaction in chunk.transactions {
            assert_eq!(transaction.extent, Extent::Whole);
            self.read.insert(transaction.key.as_str().to_owned(), transaction);
        }
        self.quarantined.extend(chunk.quarantined);
        for (rule, count) in chunk.ignored {
            *self.ignored.entry(rule).or_default() += count;
        }
        self.coverage.extend(chunk.coverage);
        for cursor in chunk.cursors {
            self.cursors.insert(cursor.item, cursor.state.unwrap());
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.read.keys().map(String::as_str).collect()
    }

    fn reasons(&self) -> Vec<&str> {
        self.quarantined.iter().map(|q| q.reason.as_str()).collect()
    }
}

fn context() -> SourceContext {
    SourceContext {
        store: "S1".to_owned(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        own_files: PathBuf::new(),
        secrets: Arc::new(NoSecrets),
    }
}

fn open(settings: &DocumentSettings) -> Box<dyn PosSource> {
    settings.open(&context()).unwrap()
}

/// One ticket with one line.
fn ticket(number: u32) -> String {
    format!(
        "<Transaction><RetailStoreID>9</RetailStoreID><WorkstationID>1</WorkstationID><SequenceNumber>{number}</SequenceNumber>\
         <BusinessDayDate>2026-10-01</BusinessDayDate><EndDateTime>2026-10-01T10:00:00</EndDateTime><RetailTransaction>\
         <LineItem><Sale><ItemID>A{number}</ItemID><ExtendedAmount>1.00</ExtendedAmount><Quantity>1</Quantity></Sale></LineItem>\
         </RetailTransaction></Transaction>"
    )
}

fn day(numbers: std::ops::Range<u32>) -> String {
    format!("<POSLog>{}</POSLog>", numbers.map(ticket).collect::<String>())
}

#[test]
fn a_finished_document_is_read_at_the_first_look() {
    let mut bench = Bench::new("out", r#""format": "poslog""#);
    fs::create_dir(bench.path("out")).unwrap();
    bench.write("out/1.xml", day(1..3));
    bench.write("out/2.xml.tmp", day(3..4));
    assert_eq!(bench.drain(), 2);
    assert_eq!(bench.keys(), ["9|1|1|2026-10-01", "9|1|2|2026-10-01"]);
    fs::remove_file(bench.path("out/1.xml")).unwrap();
    assert_eq!(bench.drain(), 0);
    bench.restart();
    bench.write("out/1.xml", day(1..3));
    bench.wait(10);
    bench.drain();
    assert_eq!(bench.read.len(), 2);
}

#[test]
fn a_growing_day_file_is_not_read_again_from_its_start() {
    let mut bench = Bench::new("day.xml", r#""format": "poslog""#);
    bench.write("day.xml", day(0..1000));
    assert_eq!(bench.drain(), 1000);
    // The end tag is overwritten by what is appended.
    bench.write("day.xml", day(0..1003));
    assert_eq!(bench.drain(), 3);
    assert!(bench.bytes < 5000, "{}", bench.bytes);
    bench.restart();
    assert_eq!(bench.drain(), 0);
    // Open ended, in the middle of a ticket.
    let open = day(0..1005);
    bench.write("day.xml", &open.as_bytes()[..open.len() - 50]);
    assert_eq!(bench.drain(), 1);
    bench.write("day.xml", open);
    assert_eq!(bench.drain(), 1);
    assert!(bench.quarantined.is_empty(), "{:?}", bench.reasons());
}

#[test]
fn a_file_that_is_never_quiet_is_read_all_the_same() {
    let mut bench = Bench::new("day.xml", r#""format": "poslog""#);
    let whole = day(0..40);
    let mut read = 0;
    for part in 1..=40 {
        bench.write("day.xml", &whole.as_bytes()[..whole.len() * part / 41]);
        read += bench.drain();
        bench.wait(1);
    }
    assert!(read >= 35, "{read}");
    assert_eq!(read, bench.read.len());
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_is_read_again() {
    let mut bench = Bench::new("day.xml", r#""format": "poslog""#);
    bench.write("day.xml", day(0..20_000));
    let Poll::Chunk(chunk) = bench.source.poll(&[], bench.now).unwrap() else { panic!() };
    bench.store(chunk);
    bench.write("day.xml", day(0..30_000).replace("<Sale>", "<Sale ItemType='Stock'>"));
    bench.drain();
    bench.wait(6);
    bench.drain();
    assert_eq!((bench.read.len(), bench.quarantined.len()), (30_000, 0));
}

#[test]
fn a_replaced_day_file_is_read_from_its_start() {
    let mut bench = Bench::new("day.xml", r#""format": "poslog""#);
    bench.write("day.xml", day(0..100));
    assert_eq!(bench.drain(), 100);
    bench.write("day.xml", day(0..101).replace("A50", "B50"));
    assert_eq!(bench.drain(), 101);
    assert_eq!(bench.read["9|1|50|2026-10-01"].lines[0].sku.as_str(), "B50");
}

#[test]
fn a_torn_file_gives_what_is_whole_and_is_told_only_when_it_stays_torn() {
    let mut bench = Bench::new("day.xml", r#""format": "poslog""#);
    let whole = day(0..10);
    bench.write("day.xml", &whole.as_bytes()[..whole.len() - 100]);
    bench.drain();
    bench.wait(6);
    assert_eq!(bench.drain(), 9);
    assert!(bench.quarantined.is_empty());
    bench.restart();
    bench.wait(601);
    assert_eq!(bench.drain(), 0);
    assert_eq!(bench.reasons(), ["the file ends in the middle of a transaction"]);
    bench.wait(601);
    bench.drain();
    assert_eq!(bench.quarantined.len(), 1);
    bench.write("day.xml", whole);
    assert_eq!(bench.drain(), 1);
}

#[test]
fn a_document_type_is_refused_whole() {
    let mut bench = Bench::new("*.xml", r#""format": "poslog""#);
    let hostile = format!("<!DOCTYPE POSLog [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>{}", day(0..2));
    bench.write("a.xml", hostile);
    bench.write("b.xml", "<html><body>Log in</body></html>");
    bench.drain();
    bench.wait(6);
    bench.drain();
    assert!(bench.read.is_empty());
    assert!(bench.reasons()[0].contains("document type declaration") && bench.reasons()[1].contains("`html`"));
}

#[test]
fn what_is_missing_from_a_newer_file_is_taken_back_only_where_that_is_wanted() {
    let mut bench = Bench::new("day.xml", r#""format": "poslog", "vanished": "reverse""#);
    bench.write("day.xml", day(0..5));
    bench.drain();
    assert_eq!(bench.coverage[0].keys.len(), 5);
    bench.write("day.xml", day(0..4));
    bench.drain();
    assert_eq!((bench.coverage.len(), bench.coverage[1].keys.len()), (2, 4));
    bench.write("day.xml", "<POSLog></POSLog>");
    bench.drain();
    assert_eq!(bench.coverage.len(), 2);
    assert!(bench.reasons()[0].contains("had 4 before"));
    let mut bench = Bench::new("day.xml", r#""format": "poslog""#);
    bench.write("day.xml", day(0..5));
    bench.drain();
    assert!(bench.coverage.is_empty());
}

#[test]
fn large_files_come_in_bounded_chunks_and_go_on_after_a_restart() {
    let mut bench = Bench::new("day.xml", r#""format": "poslog""#);
    bench.write("day.xml", day(0..20_000));
    let Poll::Chunk(chunk) = bench.source.poll(&[], bench.now).unwrap() else { panic!() };
    assert!((4096..6000).contains(&chunk.transactions.len()), "{}", chunk.transactions.len());
    let first = chunk.transactions.len();
    bench.store(chunk);
    bench.restart();
    assert_eq!(bench.drain(), 20_000 - first);
    assert_eq!(bench.read.len(), 20_000);
}

fn zip(path: &Path, entries: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, content) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn archives_of_documents_are_read_and_bombs_are_refused() {
    let mut bench = Bench::new("in", r#""format": "saft", "reconcile": false"#);
    fs::create_dir(bench.path("in")).unwrap();
    let document = include_bytes!("../fixtures/saft/register.xml").to_vec();
    zip(&bench.path("in/2026.zip"), &[("readme.txt", b"x".to_vec()), ("a/register.XML", document)]);
    zip(&bench.path("in/bomb.zip"), &[("bomb.xml", vec![b' '; 8 * 1024 * 1024])]);
    assert_eq!(bench.drain(), 7);
    assert!(bench.reasons().iter().any(|reason| reason.contains("unfolds more than")), "{:?}", bench.reasons());
    bench.restart();
    assert_eq!(bench.drain(), 0);
}

#[test]
fn an_export_of_tables_is_read_from_a_folder_and_from_an_archive() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dsfinvk/export");
    let files: Vec<(String, Vec<u8>)> = fs::read_dir(fixture)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    let mut folder = Bench::new("*/index.xml", r#""format": "dsfinvk""#);
    fs::create_dir(folder.path("march")).unwrap();
    for (name, content) in &files {
        folder.write(&format!("march/{name}"), content);
    }
    assert_eq!(folder.drain(), 0);
    folder.wait(6);
    assert_eq!(folder.drain(), 9);
    // Another source moves the stock of these registers: this one only compares, and `check` says so.
    let all = folder.read.values().flat_map(|ticket| &ticket.lines).all(|line| line.ignored.is_some());
    assert!(all && folder.settings.probe(&context()).iter().any(|finding| finding.text.contains("only compares")));
    folder.restart();
    assert_eq!(folder.drain(), 0);
    let mut packed = Bench::new("*.zip", r#""format": "dsfinvk", "reconcile": false"#);
    let entries: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    zip(&packed.path("march.zip"), &entries);
    assert_eq!(packed.drain(), 9);
    assert_eq!(packed.keys(), folder.keys());
    assert_eq!(packed.reasons(), folder.reasons());
    let lines = &packed.read["K1|2026-03-01T20:00:00|1|b1"].lines;
    assert_eq!((lines[0].delta, lines[0].ignored.is_none()), (Quantity::from_units(-12).unwrap(), true));
    zip(&packed.path("half.zip"), entries.get(..1).unwrap());
    packed.drain();
    assert!(packed.reasons().last().unwrap().contains("has no"), "{:?}", packed.reasons());
}

#[test]
fn settings_that_make_no_sense_are_named() {
    for (rest, key) in [
        (r#""format": "saft", "sku": "gtin""#, "sku"),
        (r#""format": "poslog", "sets": "components""#, "sets"),
        (r#""format": "poslog", "timezone": "Mars""#, "timezone"),
        (r#""format": "poslog", "settle": "1 week""#, "settle"),
        (r#""format": "poslog", "vanish_limit": 2.0"#, "vanish_limit"),
        (r#""format": "poslog", "ignore": [{"rule": "x"}]"#, "ignore"),
    ] {
        let text = format!(r#"{{"name": "till", "kind": "file", "path": "x", {rest}}}"#);
        let settings: DocumentSettings = serde_json::from_str(&text).unwrap();
        let faults = settings.open(&context()).err().unwrap();
        assert_eq!(faults.iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>(), [key]);
    }
}

#[test]
fn every_parser_of_the_family_stands_trial() {
    let expected =
        [("poslog", 12, 23, 5), ("naxml", 7, 12, 2), ("verifone", 6, 10, 2), ("saft", 7, 8, 3), ("dsfinvk", 9, 14, 4)];
    for ((name, document), (same, transactions, lines, quarantined)) in documents().into_iter().zip(expected) {
        assert_eq!(name, same);
        let (_, trial) = TRIALS.iter().find(|(known, _)| *known == name).unwrap();
        for piece in [1, 1000] {
            assert_eq!(trial(&document, piece), Tally { transactions, lines, quarantined }, "{name}");
        }
    }
}

/// A document of each format, as its trial takes it.
fn documents() -> Vec<(&'static str, Vec<u8>)> {
    let export = ["index.xml", "transactions.csv", "lines.csv", "lines_vat.csv", "subitems.csv", "references.csv"];
    let fixture =
        |path: &str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)).unwrap();
    vec![
        ("poslog", fixture("poslog/day.xml")),
        ("naxml", fixture("naxml/journal.xml")),
        ("verifone", fixture("verifone/set.xml")),
        ("saft", fixture("saft/register.xml")),
        ("dsfinvk", export.map(|name| fixture(&format!("dsfinvk/export/{name}"))).join(&0)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn damaged_documents_are_read_alike_in_pieces_of_any_size(
        damage in prop::collection::vec((any::<u16>(), 0_usize..40, prop::sample::select(vec![
            "", "<", ">", "\"", "</Transaction>", "<Transaction>", "<trans>", "<!--", "<![CDATA[", "&x;", "-", ";", "\n", "9999999999",
        ])), 1..5),
        piece in 1_usize..50,
    ) {
        for (name, mut document) in documents() {
            for (at, length, instead) in &damage {
                let start = usize::from(*at) % document.len();
                let end = (start + length).min(document.len());
                document.splice(start..end, instead.bytes());
            }
            let (_, trial) = TRIALS.iter().find(|(known, _)| *known == name).unwrap();
            prop_assert_eq!(trial(&document, piece), trial(&document, usize::MAX), "{}", name);
        }
    }
}

/// A folder of real captures, if it is at hand.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn samples(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TILLSYNC_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples"), PathBuf::from);
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no samples in {}", path.display());
    None
}

/// The tickets of one sample.
fn sample(folder: &str, file: &str, rest: &str) -> Option<Bench> {
    let path = samples(folder)?.join(file);
    let mut bench = Bench::new("unused", rest);
    bench.settings.path = path.to_string_lossy().into_owned();
    bench.source = open(&bench.settings);
    bench.drain();
    bench.wait(60);
    bench.drain();
    Some(bench)
}

fn net(bench: &Bench, key: &str, sku: &str) -> Quantity {
    let lines = bench.read[key].lines.iter().filter(|line| line.sku.as_str() == sku && line.ignored.is_none());
    lines.fold(Quantity::ZERO, |sum, line| sum.saturating_add(line.delta))
}

#[test]
fn a_real_grocery_day_balances_and_its_keys_are_unique() {
    let Some(bench) = sample("poslog", "ncr-acs-POSLog-part1.xml", r#""format": "poslog""#) else { return };
    assert_eq!((bench.given, bench.read.len(), bench.quarantined.len()), (14, 14, 0), "{:?}", bench.reasons());
    assert_eq!(
        bench.ignored,
        BTreeMap::from([("control-transaction".to_owned(), 3), ("item-not-found".to_owned(), 1)])
    );
    // The line that took another back nets out, by piece and by weight.
    assert_eq!(net(&bench, "9|31|115|2017-10-01", "00000000062367"), Quantity::ZERO);
    assert_eq!(net(&bench, "9|1|376|2017-10-01", "00021908501406"), Quantity::from_units(-2).unwrap());
    let lines = bench.read.values().flat_map(|ticket| &ticket.lines);
    let deposits = lines.clone().filter(|line| line.ignored.as_ref().is_some_and(|r| r.as_str() == "linked-deposit"));
    assert_eq!((lines.clone().count(), deposits.count()), (179, 2));
    let Some(small) = sample("poslog", "ncr-acs-SMALL.xml", r#""format": "poslog""#) else { return };
    assert_eq!((small.keys(), small.quarantined.len()), (vec!["9|34|161|2017-09-30"], 0));
}

#[test]
fn a_real_journal_moves_nothing_for_its_cancelled_line() {
    let Some(bench) = sample("naxml", "passport-sale-with-voided-item.xml", r#""format": "naxml""#) else { return };
    let lines = &bench.read["1|1|8945|2025-12-08"].lines;
    let moved: Vec<_> = lines.iter().map(|line| (line.sku.as_str(), line.ignored.is_none())).collect();
    assert_eq!((moved, bench.quarantined.len()), (vec![("111111111111", false), ("222222222222", true)], 0));
}

#[test]
fn a_real_transaction_set_is_read_and_its_period_does_not_add_up() {
    let Some(bench) = sample("verifone-tlog", "commander-transset.xml", r#""format": "verifone""#) else { return };
    assert_eq!(bench.keys(), ["0508|SN-1001", "0508|SN-1002", "0508|SN-1003"]);
    assert_eq!(net(&bench, "0508|SN-1001", "0012345678905"), Quantity::from_units(-1).unwrap());
    assert!(
        bench.reasons()[0].contains("grew by 500, but the sales that it lists come to 40.7"),
        "{:?}",
        bench.reasons()
    );
}

#[test]
fn the_tax_authority_example_gives_its_return_back_to_the_shelf() {
    let rest = r#""format": "saft", "reconcile": false"#;
    let Some(bench) = sample("saft", "no-saft-cash-register-example.xml", rest) else { return };
    assert_eq!((bench.read.len(), bench.quarantined.len()), (4, 0), "{:?}", bench.reasons());
    let returned = bench.read.values().find(|ticket| ticket.key.as_str().contains("|1003|")).unwrap();
    assert_eq!((returned.lines[0].sku.as_str(), returned.lines[0].delta), ("1001", Quantity::from_units(1).unwrap()));
}
