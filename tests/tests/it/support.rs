//! What the tests share: the agent's binary, built once, and worlds to put it in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use system_tests::door::DoorSettings;
use system_tests::shop::ShopSettings;
use system_tests::world::{Agent, Receiver, Registers, World, until};

/// Long past anything that a slow machine needs.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The agent, built as the tests are, unless `TILLSYNC_TEST_AGENT` names another binary.
pub(crate) fn agent() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os("TILLSYNC_TEST_AGENT").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    // target/<profile>/deps/<this test>
    let own = std::env::current_exe().expect("a test has a path");
    let profile = own.ancestors().nth(2).expect("a test lies in a target folder");
    let target = profile.parent().expect("a profile lies in a target folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "tillsync", "--bin", "tillsync", "--target-dir"]).arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo can be run");
    assert!(built.success(), "the agent does not compile");
    profile.join(format!("tillsync{}", std::env::consts::EXE_SUFFIX))
}

pub(crate) fn skus(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("SKU-{number:05}")).collect()
}

/// One plain register and a door.
pub(crate) async fn plain_door(folder: &Path, skus: &[String]) -> World {
    let receiver = Receiver::door(DoorSettings::default()).await.unwrap();
    World::new(agent(), folder, receiver, Registers::plain(folder, skus, 7)).unwrap()
}

/// One plain register and a shop that has these articles.
pub(crate) async fn plain_shop(folder: &Path, skus: &[String]) -> World {
    let receiver = Receiver::shop(ShopSettings::default(), skus).await.unwrap();
    World::new(agent(), folder, receiver, Registers::plain(folder, skus, 7)).unwrap()
}

/// Four registers on a mixed day and a door.
pub(crate) async fn mixed_door(folder: &Path, seed: u64) -> World {
    let receiver = Receiver::door(DoorSettings { seed, ..DoorSettings::default() }).await.unwrap();
    let registers = Registers::mixed(folder, &skus(20), &["CHEESE".to_owned()], seed).unwrap();
    World::new(agent(), folder, receiver, registers).unwrap()
}

/// Four registers on a mixed day and a shop.
pub(crate) async fn mixed_shop(folder: &Path, seed: u64) -> World {
    let mut all = skus(20);
    all.push("CHEESE".to_owned());
    let receiver = Receiver::shop(ShopSettings { seed, ..ShopSettings::default() }, &all).await.unwrap();
    let registers = Registers::mixed(folder, &all[..20], &all[20..], seed).unwrap();
    World::new(agent(), folder, receiver, registers).unwrap()
}

/// Waits for everything, stops the agent, and holds it to account.
pub(crate) async fn must_be_exact(world: &World, agent: Agent) {
    let outcome = world.finish(agent, LONG).await.unwrap();
    assert!(outcome.is_exact(), "{}\n{}", outcome.complaint(), world.setup.log_text());
}

/// Waits until the receiver has everything that was printed so far.
pub(crate) async fn must_drain(world: &World, agent: &mut Agent) {
    let drained = world.drain(agent, LONG).await.unwrap();
    assert!(drained, "{}\n{}", world.judge().unwrap(), world.setup.log_text());
}

/// Waits until the agent has this many transactions on record.
pub(crate) async fn must_record(world: &World, transactions: u64) {
    until("tickets are on record", LONG, || Ok(world.setup.audit()?.transactions >= transactions)).await.unwrap();
}

/// Waits until the agent's log says so.
pub(crate) async fn must_say(world: &World, words: &str) {
    until(words, LONG, || Ok(world.setup.log_text().contains(words))).await.unwrap();
}
