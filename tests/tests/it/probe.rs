//! `tillsync check --online --probe`, as a person runs it.

use serde_json::Value;
use system_tests::shop::ShopSettings;
use system_tests::world::{Receiver, Registers, World};

use crate::support::agent;

async fn world(folder: &std::path::Path, settings: ShopSettings) -> World {
    let skus = ["A".to_owned()];
    let receiver = Receiver::shop(settings, &skus).await.unwrap();
    World::new(agent(), folder, receiver, Registers::plain(folder, &skus, 7)).unwrap()
}

fn probed(world: &World, more: &[&str]) -> (Option<i32>, Value) {
    let words = [&["check", "--online", "--probe", "A", "--json"], more].concat();
    let output = world.setup.command(&words).unwrap();
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shop_is_probed_only_after_agreement_and_has_its_number_back() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path(), ShopSettings::default()).await;
    let shop = world.receiver.as_shop().unwrap();
    let before = shop.level("A").unwrap();
    let (code, report) = probed(&world, &[]);
    assert_eq!((code, shop.arrival_count()), (Some(1), 0), "{report:#}");
    assert!(report.to_string().contains("nobody agreed"), "{report:#}");
    let (code, report) = probed(&world, &["--yes"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["contract"]["findings"].as_array().unwrap().len(), 7, "{report:#}");
    assert_eq!(shop.level("A").unwrap(), before);
    assert!(shop.arrival_count() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shop_that_forgets_keys_fails_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path(), ShopSettings { ignores_keys: true, ..ShopSettings::default() }).await;
    let (code, report) = probed(&world, &["--yes", "--platform", "shopify"]);
    assert_eq!(code, Some(1), "{report:#}");
    let key = report["contract"]["findings"].as_array().unwrap().iter().find(|finding| finding["step"] == "key");
    assert_eq!(key.unwrap()["verdict"], "broken", "{report:#}");
}
