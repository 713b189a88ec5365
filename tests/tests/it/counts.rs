//! Counts with the whole program: files and a POS's database say what lies there, and the shop is told the difference.

use std::fs;
use std::path::Path;

use serde_json::Value;
use system_tests::decimal::Decimal;
use system_tests::door::DoorSettings;
use system_tests::world::{Receiver, Setup, until};

use crate::support::{LONG, agent};

const HEADER: &str = "transaction,sold_at,sku,quantity\n";

struct Store {
    setup: Setup,
    receiver: Receiver,
    folder: std::path::PathBuf,
}

impl Store {
    async fn new(folder: &Path, tables: &str, source: &str) -> Self {
        let receiver = Receiver::door(DoorSettings::default()).await.unwrap();
        let setup = Setup::new(agent(), folder).tables(tables);
        setup.configure(source, &receiver.platform_table()).unwrap();
        Self { setup, receiver, folder: folder.to_path_buf() }
    }

    fn put(&self, name: &str, text: &str) {
        let beside = self.folder.join("part");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.folder.join(name)).unwrap();
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.setup.command(words).unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{words:?}: {error}\n{text}\n{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The state of each count, the first first.
    fn states(&self) -> Vec<String> {
        let rows = self.json(&["count", "list", "--json"]);
        let rows = rows.as_array().cloned().unwrap_or_default();
        rows.iter().rev().map(|row| row["state"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn must_be(&self, states: &[&str]) {
        if until("the counts are taken in", LONG, || Ok(self.states() == states)).await.is_err() {
            panic!("{states:?} wanted, {:?} found\n{}", self.states(), self.setup.log_text());
        }
    }

    async fn must_have(&self, wanted: &[(&str, i64)]) {
        let sums = || self.receiver.as_door().unwrap().sums();
        let right = || {
            let sums = sums();
            wanted.iter().all(|(sku, units)| sums.get(*sku).copied().unwrap_or(Decimal::ZERO) == Decimal::units(*units))
        };
        if until("the shop's numbers are right", LONG, || Ok(right())).await.is_err() {
            panic!("{wanted:?} wanted, {:?} found\n{}", sums(), self.setup.log_text());
        }
    }
}

fn file_count(folder: &Path) -> String {
    format!(
        "[[count]]\nname = \"shelf\"\nkind = \"file\"\nextent = \"full\"\npath = {:?}\nsettle = \"200ms\"\ncolumns = {{ counted_at = \"at\" }}\n",
        folder.join("count*.csv").display().to_string()
    )
}

fn till(folder: &Path) -> String {
    format!(
        "[[source]]\nname = \"till\"\nkind = \"file\"\npath = {:?}\nscan = \"200ms\"\ncolumns = {{ transaction = \"transaction\", sku = \"sku\", quantity = \"quantity\", sold_at = \"sold_at\" }}\n",
        folder.join("sales.csv").display().to_string()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_count_from_a_file_reaches_the_shop_as_differences_and_a_zeroing_one_waits_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), &file_count(folder.path()), &till(folder.path())).await;
    let day = jiff::Timestamp::now();
    let at = |minutes: i64| (day - jiff::SignedDuration::from_mins(minutes)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    store.put("sales.csv", &format!("{HEADER}1,{},A,1\n2,{},B,2\n", at(300), at(200)));
    let running = store.setup.start().unwrap();
    store.must_have(&[("A", -1), ("B", -2)]).await;
    let sheet = |at: &str, a: i64, b: i64| format!("sku,quantity,at\nA,{a},{at}\nB,{b},{at}\n");
    store.put("count-1.csv", &sheet(&at(250), 10, 10));
    store.must_be(&["applied"]).await;
    // A first count moves nothing; B was sold after it.
    store.must_have(&[("A", -1), ("B", -2)]).await;
    store.put("count-2.csv", &sheet(&at(100), 9, 8));
    store.must_be(&["applied", "applied"]).await;
    store.must_have(&[("A", -2), ("B", -2)]).await;
    // The same sheet under another name is known.
    store.put("count-3.csv", &sheet(&at(100), 9, 8));
    store.put("count-4.csv", &sheet(&at(50), 0, 0));
    store.must_be(&["applied", "applied", "held"]).await;
    running.terminate().await.unwrap();
    let running = store.setup.start().unwrap();
    store.must_be(&["applied", "applied", "held"]).await;
    store.must_have(&[("A", -2), ("B", -2)]).await;
    // A ticket from before the second count that comes late was in it.
    let sales = fs::read_to_string(folder.path().join("sales.csv")).unwrap();
    fs::write(folder.path().join("sales.csv"), format!("{sales}3,{},A,4\n", at(150))).unwrap();
    until("the late ticket is booked", LONG, || {
        let conn = rusqlite::Connection::open(store.setup.state().join("tillsync.db"))?;
        let late: i64 = conn.query_row("SELECT count(*) FROM correction WHERE late = 1", [], |row| row.get(0))?;
        Ok(late == 1)
    })
    .await
    .unwrap();
    store.must_have(&[("A", -2), ("B", -2)]).await;
    let held = store.json(&["count", "held", "--json"]);
    let id = held[0]["id"].to_string();
    let shown = store.json(&["count", "show", &id, "--json"]);
    assert_eq!(shown["lines"].as_array().map(Vec::len), Some(2), "{shown}");
    let approved = store.json(&["count", "approve", &id, "--reason", "the shelf burnt down", "--json"]);
    assert_eq!(approved[0]["state"], "applied", "{approved}");
    // A was corrected a moment ago, after the time of this count: it waits for the next one and says so.
    store.must_have(&[("A", -2), ("B", -10)]).await;
    let set = store.json(&["count", "set", "C=3", "--by", "the owner", "--json"]);
    assert_eq!(set[0]["state"], "applied", "{set}");
    running.terminate().await.unwrap();
    assert!(store.setup.audit().unwrap().conserved);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_count_of_the_database_of_a_pos_corrects_what_the_pos_changed_without_a_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pos.db");
    let pos = rusqlite::Connection::open(&path).unwrap();
    pos.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE sale (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT, sku TEXT, qty INTEGER);
         CREATE TABLE stock (sku TEXT PRIMARY KEY, qty INTEGER);
         INSERT INTO stock VALUES ('A', 10), ('B', 5);",
    )
    .unwrap();
    let sell = |sku: &str, units: i64| {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        pos.execute_batch(&format!(
            "BEGIN IMMEDIATE; INSERT INTO sale (at, sku, qty) VALUES ('{now}', '{sku}', {units});
             UPDATE stock SET qty = qty - {units} WHERE sku = '{sku}'; COMMIT;"
        ))
        .unwrap();
    };
    let source = format!(
        "[[source]]\nname = \"pos\"\nkind = \"database\"\nengine = \"sqlite\"\npath = {:?}\npoll = \"200ms\"\n\
         queries = {{ sales = \"SELECT id AS ticket, id AS seq, at AS sold_at, sku, qty AS quantity FROM sale\", \
         on_hand = \"SELECT sku, qty AS quantity FROM stock\" }}\nrules = {{ ticket_is_unique = true }}\n",
        path.display().to_string()
    );
    let tables = "[[count]]\nname = \"night\"\nkind = \"database\"\nsource = \"pos\"\nevery = \"1d\"\n";
    let store = Store::new(folder.path(), tables, &source).await;
    let running = store.setup.start().unwrap();
    until("the agent has looked", LONG, || {
        Ok(store.setup.log_text().contains("Tillsync") && store.setup.state().join("tillsync.db").exists())
    })
    .await
    .unwrap();
    let first = store.json(&["count", "now", "night", "--json"]);
    assert_eq!(first[0]["state"], "applied", "{first}\n{}", store.setup.log_text());
    sell("A", 2);
    store.must_have(&[("A", -2)]).await;
    pos.execute_batch("UPDATE stock SET qty = qty - 1 WHERE sku = 'B'").unwrap();
    let dry = store.json(&["count", "now", "night", "--dry-run", "--json"]);
    assert_eq!(dry[0]["state"], "planned", "{dry}");
    store.must_have(&[("A", -2), ("B", 0)]).await;
    store.json(&["count", "now", "night", "--json"]);
    store.must_have(&[("A", -2), ("B", -1)]).await;
    let last = store.json(&["count", "now", "night", "--json"]);
    assert!(last[0]["plan"]["lines"].as_array().unwrap().iter().all(|line| line["outcome"] == "equal"), "{last}");
    running.terminate().await.unwrap();
    assert!(store.setup.audit().unwrap().conserved);
}
