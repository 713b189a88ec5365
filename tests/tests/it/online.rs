//! Online orders and prices with the whole program: a shop whose orders this store hands out, and a middleware beside it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use system_tests::decimal::Decimal;
use system_tests::door::DoorSettings;
use system_tests::shop::{ShopSettings, StandInShop};
use system_tests::world::{Agent, Receiver, START_STOCK, Setup, TOKEN, TOKEN_NAME, until};

use crate::support::{LONG, agent};

const HEADER: &str = "transaction,sku,quantity,web\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn shipments_that_the_shop_reports_leave_the_ledger_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "[online_orders]\npicks = \"platform\"\npoll = \"5s\"\n").await;
    // Handed over before anybody looked: a baseline.
    let old = store.shop().place_order("A", 7).unwrap();
    assert!(store.shop().fulfil_part(old, 4));
    store.write_sales("1,A,2,\n");
    let running = store.start().await;
    store.must_know("3 units are promised", 1, 3).await;
    let new = store.shop().place_order("A", 5).unwrap();
    store.must_know("8 units are promised", 2, 8).await;
    assert!(store.shop().fulfil_part(new, 2) && store.shop().fulfil_order(old));
    store.must_have("A", -2 - 2 - 3, -2 - 7 - 2).await;
    // Cancelling a shipment puts its goods back.
    assert!(store.shop().cancel_shipment(new));
    store.must_have("A", -2 - 3, -2 - 7).await;
    // Goods handed over while the agent is away are found afterwards.
    running.terminate().await.unwrap();
    assert!(store.shop().fulfil_order(new));
    let running = store.start().await;
    store.must_have("A", -2 - 3 - 5, -2 - 7 - 5).await;
    store.end(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pick_up_that_the_till_rings_up_is_not_counted_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "[online_orders]\npicks = \"pos\"\npoll = \"5s\"\n").await;
    let running = store.start().await;
    store.shop().place_order("A", 3).unwrap();
    store.must_know("the order is known", 1, 3).await;
    let number = store.orders()[0]["online_order"].as_str().unwrap().to_owned();
    store.write_sales(&format!("1,A,1,\n2,A,3,{number}\n3,B,1,#999999\n"));
    // The shop is told of the ordinary sale only; it has taken the order's goods off itself when they are handed over.
    let id = store.shop().orders()[0].id;
    assert!(store.shop().fulfil_order(id));
    store.must_have("A", -1 - 3, -1 - 3).await;
    store.must_have("B", 0, 0).await;
    let listed = store.setup.command(&["quarantine", "--json"]).unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("999999") && listed.contains("no platform has"), "{listed}");
    store.end(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_changed_price_is_in_the_shop_and_a_wrong_one_waits_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("prices.csv");
    let tables = format!("[[prices]]\npath = {:?}\nevery = \"1s\"\n", list.display().to_string());
    let store = Store::new(folder.path(), &tables).await;
    let write = |text: &str| fs::write(&list, format!("sku;price\n{text}")).unwrap();
    write("A;1,50\nB;2,00\n");
    let running = store.start().await;
    store.must_say("the first look is done", &["prices", "--json"], |lists| lists[0]["articles"] == 2).await;
    assert_eq!(store.price("A"), "0.00");
    write("A;1,60\nB;2,00\n");
    until("the price is in the shop", LONG, || Ok(store.price("A") == "1.60")).await.unwrap();
    assert_eq!(store.price("B"), "0.00");
    write("A;0\nB;2,20\n");
    until("the other price is in the shop", LONG, || Ok(store.price("B") == "2.20")).await.unwrap();
    store.must_say("one is held", &["prices", "held", "--json"], |held| held[0]["articles"] == 1).await;
    assert_eq!(store.price("A"), "1.60");
    let refused = store.setup.command(&["prices", "refuse", "1", "--reason", "typing error"]).unwrap();
    assert!(refused.status.success(), "{}", String::from_utf8_lossy(&refused.stderr));
    write("A;1,70\nB;2,20\n");
    until("the mended price is in the shop", LONG, || Ok(store.price("A") == "1.70")).await.unwrap();
    store.end(running).await;
}

struct Store {
    setup: Setup,
    shop: Receiver,
    door: Receiver,
    folder: PathBuf,
}

impl Store {
    async fn new(folder: &Path, tables: &str) -> Self {
        let mut settings = ShopSettings::default();
        settings.scopes.extend(["read_merchant_managed_fulfillment_orders", "write_products"].map(str::to_owned));
        let shop = Receiver::shop(settings, &["A".to_owned(), "B".to_owned()]).await.unwrap();
        let door = Receiver::door(DoorSettings::default()).await.unwrap();
        let setup = Setup::new(agent(), folder).env(TOKEN_NAME, TOKEN).tables(tables);
        let source = format!(
            "[[source]]\nname = \"till\"\nkind = \"file\"\npath = {:?}\nscan = \"200ms\"\n\
             columns = {{ transaction = \"transaction\", sku = \"sku\", quantity = \"quantity\", online_order = \"web\" }}\n",
            folder.join("sales.csv").display().to_string()
        );
        setup.configure(&source, &format!("{}\n{}", shop.platform_table(), door.platform_table())).unwrap();
        Self { setup, shop, door, folder: folder.to_path_buf() }
    }

    async fn start(&self) -> Agent {
        let mut running = self.setup.start().unwrap();
        until("there is a database", LONG, || {
            running.must_live()?;
            Ok(self.setup.command(&["orders", "--json"])?.status.success())
        })
        .await
        .unwrap();
        running
    }

    fn shop(&self) -> &StandInShop {
        self.shop.as_shop().unwrap()
    }

    fn write_sales(&self, lines: &str) {
        fs::write(self.folder.join("sales.csv"), format!("{HEADER}{lines}")).unwrap();
    }

    fn price(&self, sku: &str) -> String {
        self.shop().items().into_iter().find(|item| item.given.sku == sku).unwrap().given.price
    }

    fn rows(&self, words: &[&str]) -> Value {
        let output = self.setup.command(words).unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn orders(&self) -> Value {
        self.rows(&["orders", "--json"])
    }

    async fn must_say(&self, what: &str, words: &[&str], right: impl Fn(&Value) -> bool) {
        if until(what, LONG, || Ok(right(&self.rows(words)))).await.is_err() {
            panic!("{what}: {}\n{}", self.rows(words), self.setup.log_text());
        }
    }

    /// So many open orders, and units promised in them.
    async fn must_know(&self, what: &str, orders: usize, units: i64) {
        let right = |rows: &Value| {
            let rows = rows.as_array().cloned().unwrap_or_default();
            rows.len() == orders && rows.iter().filter_map(|row| row["promised"].as_i64()).sum::<i64>() == units
        };
        self.must_say(what, &["orders", "--json"], right).await;
    }

    /// What the middleware was told, and what the shop has compared with the start.
    async fn must_have(&self, sku: &str, told: i64, moved: i64) {
        let sums = || self.door.as_door().unwrap().sums().get(sku).copied().unwrap_or(Decimal::ZERO);
        let shown = || self.shop().level(sku).unwrap().on_hand() - START_STOCK;
        let right = || Ok(sums() == Decimal::units(told) && shown() == moved);
        if until("the numbers are right", LONG, right).await.is_err() {
            panic!("{sku}: told {}, moved {} instead of {told}, {moved}\n{}", sums(), shown(), self.setup.log_text());
        }
    }

    /// Everything is sent and counted once, and the shop was never asked anything that it does not know.
    async fn end(&self, running: Agent) {
        until("nothing waits", LONG, || Ok(self.setup.audit()?.is_settled())).await.unwrap();
        running.terminate().await.unwrap();
        let audit = self.setup.audit().unwrap();
        assert!(audit.conserved, "{audit:?}");
        assert_eq!(self.shop.invalid_requests() + self.door.invalid_requests(), 0);
    }
}
