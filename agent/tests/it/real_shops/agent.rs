//! The whole program in front of a real shop: a till writes sales, the agent tells the shop, a reply is lost, a customer
//! orders and staff hands the goods over, somebody types a wrong number in the shop's admin, and a reconciliation mends it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::medusa_shop::MedusaShop;
use super::relay::Relay;
use super::vendure_shop::VendureShop;

/// Long past anything that a slow machine needs.
const LONG: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);

/// What the day at the till asks of a shop.
trait RealShop {
    /// Its `[[platform]]` table, by way of the relay.
    fn table(&self, relay: &str) -> String;
    /// Where it is.
    fn base(&self) -> &str;
    /// In the bytes of a write.
    const MARK: &'static str;
    /// A new article: SKU, item, what a shopper asks for.
    async fn new_article(&self, on_hand: i64) -> (String, String, String);
    /// What is on hand.
    async fn on_hand(&self, item: &str) -> i64;
    /// Somebody writes a number.
    async fn type_in(&self, item: &str, number: i64);
    /// Somebody orders this many, and staff hands that many over.
    async fn order_and_hand_over(&self, ordered: &str, units: i64, handed_over: i64);
}

impl RealShop for MedusaShop {
    const MARK: &'static str = "location-levels/batch";

    fn table(&self, relay: &str) -> String {
        format!(
            "[[platform]]\nkind = \"medusa\"\nurl = {relay:?}\nlocation = {:?}\nkey = \"{}\"\nsettle = \"2s\"\n",
            self.location,
            self.key()
        )
    }

    fn base(&self) -> &str {
        &self.base
    }

    async fn new_article(&self, on_hand: i64) -> (String, String, String) {
        let article = self.stocked(on_hand).await;
        (article.sku, article.item, article.variant)
    }

    async fn on_hand(&self, item: &str) -> i64 {
        self.stock(item).await.stocked
    }

    async fn type_in(&self, item: &str, number: i64) {
        self.set(item, number).await;
    }

    async fn order_and_hand_over(&self, ordered: &str, units: i64, handed_over: i64) {
        let order = self.buy(ordered, units).await.unwrap();
        assert!(self.fulfil(&order, handed_over).await);
    }
}

impl RealShop for VendureShop {
    const MARK: &'static str = "updateProductVariants(input:$input)";

    fn table(&self, relay: &str) -> String {
        format!(
            "[[platform]]\nkind = \"vendure\"\nurl = \"{relay}/admin-api\"\nkey = \"{}\"\nsettle = \"2s\"\n",
            self.key()
        )
    }

    fn base(&self) -> &str {
        &self.base
    }

    async fn new_article(&self, on_hand: i64) -> (String, String, String) {
        let article = self.stocked(on_hand).await;
        (article.sku, article.variant.clone(), article.variant)
    }

    async fn on_hand(&self, item: &str) -> i64 {
        self.stock(item).await.on_hand
    }

    async fn type_in(&self, item: &str, number: i64) {
        self.set(item, number).await;
    }

    async fn order_and_hand_over(&self, ordered: &str, units: i64, handed_over: i64) {
        let order = self.buy(ordered, units).await.unwrap();
        assert!(self.fulfil(&order, handed_over).await.is_some());
    }
}

/// A store PC: configuration, sales and state in one folder.
struct Store {
    folder: tempfile::TempDir,
    sales: String,
    agent: Child,
}

impl Store {
    fn start(platform: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let sales = "transaction,sku,quantity\n".to_owned();
        fs::write(at("sales.csv"), &sales).unwrap();
        let config = format!(
            "[store]\nid = \"test\"\n[state]\npath = {:?}\ndisk_reserve_mb = 16\n[status]\nlisten = \"off\"\n\
             [log]\nformat = \"human\"\nlevel = \"info\"\n[reconcile]\nschedule = \"off\"\nconfirm_after = \"5s\"\n\
             [online_orders]\npicks = \"platform\"\npoll = \"5s\"\n\
             [[source]]\nname = \"till\"\nkind = \"file\"\npath = {:?}\nscan = \"200ms\"\n\
             columns = {{ transaction = \"transaction\", sku = \"sku\", quantity = \"quantity\" }}\n{platform}",
            at("state"),
            at("sales.csv"),
        );
        fs::write(at("agent.toml"), config).unwrap();
        let log = File::create(at("agent.log")).unwrap();
        let errors = log.try_clone().unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_tillsync"));
        run.args(["run", "--config", &at("agent.toml")]).stdin(Stdio::null()).stdout(log).stderr(errors);
        let agent = run.spawn().unwrap();
        Self { folder, sales, agent }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ring_up(&mut self, lines: &str) {
        self.sales.push_str(lines);
        fs::write(self.at("sales.csv"), &self.sales).unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("agent.log")).unwrap_or_default()
    }

    fn ask(&self, words: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tillsync"));
        command.args(words).arg("--config").arg(self.at("agent.toml")).stdin(Stdio::null());
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!("{words:?}: {output:?}\n{}", self.log());
        })
    }

    fn database(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.at("state").join("tillsync.db")).unwrap();
        conn.busy_timeout(LONG).unwrap();
        conn
    }

    /// By how much the ledger has moved an article, in units.
    fn moved(&self, sku: &str) -> i64 {
        let query = "SELECT moved / 1000000 FROM stock WHERE sku = (SELECT id FROM sku WHERE code = ?1)";
        self.database().query_row(query, [sku], |row| row.get(0)).unwrap_or(0)
    }

    /// The ledger is told with how much an article began, as a first count does.
    fn began_with(&self, sku: &str, units: i64) {
        let told = "UPDATE stock SET base = ?2 * 1000000 WHERE sku = (SELECT id FROM sku WHERE code = ?1)";
        assert_eq!(self.database().execute(told, rusqlite::params![sku, units]).unwrap(), 1);
    }

    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let since = Instant::now();
        while !is_so().await {
            assert!(since.elapsed() < LONG, "waited for: {what}\n{}", self.log());
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.agent.kill());
        drop(self.agent.wait());
    }
}

async fn a_day(shop: &impl RealShop, relay: &Relay) {
    let (shirt, item, ordered) = shop.new_article(10).await;
    let (hat, hat_item, _) = shop.new_article(5).await;
    let mut store = Store::start(&shop.table(&relay.base));
    store.ring_up(&format!("1,{shirt},2\n1,{hat},1\n2,{shirt},-1\n"));
    store
        .until("sales and a return", async || shop.on_hand(&item).await == 9 && shop.on_hand(&hat_item).await == 4)
        .await;

    relay.lose_a_reply();
    store.ring_up(&format!("3,{shirt},3\n"));
    store.until("the write whose reply is lost", async || relay.has_lost_it()).await;
    store.ring_up(&format!("4,{hat},1\n"));
    store.until("the other article goes on", async || shop.on_hand(&hat_item).await == 3).await;
    store.until("the outcome is settled", async || store.ask(&["audit", "--json"])["lanes"][0]["in_flight"] == 0).await;
    assert_eq!(shop.on_hand(&item).await, 6, "once, not twice");

    shop.order_and_hand_over(&ordered, 2, 1).await;
    assert_eq!(shop.on_hand(&item).await, 5);
    store.until("what was handed over is in the ledger", async || store.moved(&shirt) == -5).await;
    assert_eq!(shop.on_hand(&item).await, 5, "the shop is not told what it knows");

    for (sku, began) in [(&shirt, 10), (&hat, 5)] {
        store.began_with(sku, began);
    }
    shop.type_in(&item, 50).await;
    let report = store.ask(&["reconcile", "--json"]);
    assert_eq!((&report[0]["state"], &report[0]["repaired"]), (&Value::from("done"), &Value::from(1)), "{report}");
    assert_eq!((shop.on_hand(&item).await, shop.on_hand(&hat_item).await), (5, 3));
    let again = store.ask(&["reconcile", "--json"]);
    assert_eq!(again[0]["plan"]["differences"].as_array().map(Vec::len), Some(0), "{again}");
    let log = store.ask(&["reconcile", "log", "--json"]);
    assert_eq!((&log[0]["before"], &log[0]["after"]), (&Value::from(50), &Value::from(5)), "{log}");

    let audit = store.ask(&["audit", "--json"]);
    assert_eq!(
        (&audit["conserved"], &audit["lanes"][0]["dead_letters"]),
        (&Value::Bool(true), &Value::from(0)),
        "{audit}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_in_front_of_a_real_vendure() {
    let Some(shop) = VendureShop::open().await else { return };
    let relay = Relay::before(shop.base(), VendureShop::MARK).await;
    a_day(&shop, &relay).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_in_front_of_a_real_medusa() {
    let Some(shop) = MedusaShop::open().await else { return };
    let relay = Relay::before(shop.base(), MedusaShop::MARK).await;
    a_day(&shop, &relay).await;
}
