//! The article table and captured files, with the whole program: what the till writes, what the shop is told, and what a
//! mended table or a replayed file changes.

use std::fs;
use std::path::Path;

use system_tests::decimal::Decimal;
use system_tests::door::DoorSettings;
use system_tests::world::{Receiver, Setup, until};

use crate::support::{LONG, agent};

const HEADER: &str = "transaction,sku,quantity\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn barcodes_packs_and_kits_arrive_as_skus_and_a_mended_table_frees_what_was_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::new(folder.path()).await;
    shop.table("sku,barcode,pack,kit\nMUG,4006381333931,1,\nBEER,036000291452,6,\nSET,,1,MUG=2;BEER=1\nRED,96385074,1,\nBLUE,96385074,1,\n");
    shop.write("sales.csv", "1,4006381333931,1\n1,036000291452,2\n2,SET,1\n3,96385074,1\n");
    let running = shop.setup.start().unwrap();
    shop.must_have(&[("MUG", -3), ("BEER", -13), ("RED", 0), ("BLUE", 0)]).await;
    let listed = String::from_utf8(shop.setup.command(&["check"]).unwrap().stdout).unwrap();
    assert!(listed.contains("96385074") && listed.contains("BLUE and RED"), "{listed}");
    shop.table("sku,barcode,pack,kit\nMUG,4006381333931,1,\nBEER,036000291452,6,\nSET,,1,MUG=2;BEER=1\nRED,96385074,1,\nBLUE,,1,\n");
    // The table is looked at every few seconds; asking again is harmless.
    until("the ticket is booked", LONG, || {
        let number = shop.first_quarantined();
        if let Some(number) = number {
            shop.setup.command(&["quarantine", "retry", &number])?;
        }
        Ok(shop.sum("RED") == Decimal::units(-1))
    })
    .await
    .unwrap();
    shop.must_have(&[("MUG", -3), ("BEER", -13), ("BLUE", 0)]).await;
    running.terminate().await.unwrap();
    assert!(shop.setup.audit().unwrap().conserved);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replayed_file_books_only_what_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::new(folder.path()).await;
    shop.table("sku\nA\nB\n");
    shop.write("sales.csv", "1,A,1\n2,B,1\n");
    let running = shop.setup.start().unwrap();
    shop.must_have(&[("A", -1), ("B", -1)]).await;
    // Ticket 3 was never in the folder that the agent reads.
    fs::write(folder.path().join("captured.csv"), format!("{HEADER}1,A,1\n2,B,1\n3,A,5\n")).unwrap();
    for _ in 0..2 {
        let captured = folder.path().join("captured.csv").display().to_string();
        let done = shop.setup.command(&["replay", "--source", "till", &captured]).unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    shop.must_have(&[("A", -6), ("B", -1)]).await;
    // The live reader goes on where it stood.
    shop.append("sales.csv", "4,B,2\n");
    shop.must_have(&[("A", -6), ("B", -3)]).await;
    running.terminate().await.unwrap();
    assert!(shop.setup.audit().unwrap().conserved);
}

struct Shop {
    setup: Setup,
    receiver: Receiver,
    folder: std::path::PathBuf,
}

impl Shop {
    async fn new(folder: &Path) -> Self {
        let receiver = Receiver::door(DoorSettings::default()).await.unwrap();
        let articles = format!("[articles]\ntable = {:?}\n", folder.join("articles.csv").display().to_string());
        let setup = Setup::new(agent(), folder).tables(&articles);
        let source = format!(
            "[[source]]\nname = \"till\"\nkind = \"file\"\npath = {:?}\nscan = \"200ms\"\n",
            folder.join("sales*.csv").display().to_string()
        );
        setup.configure(&source, &receiver.platform_table()).unwrap();
        Self { setup, receiver, folder: folder.to_path_buf() }
    }

    fn table(&self, text: &str) {
        let beside = self.folder.join("articles.part");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.folder.join("articles.csv")).unwrap();
    }

    fn write(&self, name: &str, lines: &str) {
        fs::write(self.folder.join(name), format!("{HEADER}{lines}")).unwrap();
    }

    fn append(&self, name: &str, lines: &str) {
        let text = fs::read_to_string(self.folder.join(name)).unwrap();
        fs::write(self.folder.join(name), text + lines).unwrap();
    }

    fn sum(&self, sku: &str) -> Decimal {
        self.receiver.as_door().unwrap().sums().get(sku).copied().unwrap_or(Decimal::ZERO)
    }

    fn first_quarantined(&self) -> Option<String> {
        let output = self.setup.command(&["quarantine", "--json"]).ok()?;
        let rows: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let row = rows.as_array().cloned().unwrap_or_else(|| vec![rows]).into_iter().find(|row| row["id"].is_i64())?;
        Some(row["id"].to_string())
    }

    async fn must_have(&self, wanted: &[(&str, i64)]) {
        let right = || wanted.iter().all(|(sku, units)| self.sum(sku) == Decimal::units(*units));
        if until("the numbers are right", LONG, || Ok(right())).await.is_err() {
            let found: Vec<(&str, Decimal)> = wanted.iter().map(|(sku, _)| (*sku, self.sum(sku))).collect();
            panic!("{wanted:?} wanted, {found:?} found\n{}", self.setup.log_text());
        }
    }
}
