//! A damaged database: set aside, rebuilt, and settled without sending anything again.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use system_tests::decimal::Decimal;
use system_tests::journal::Cause;
use system_tests::till::Till;
use system_tests::world::{World, until};

use crate::support::{LONG, must_be_exact, must_drain, must_say, plain_shop, skus};

const ONE: Decimal = Decimal::units(-1);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_damaged_database_is_rebuilt_from_the_backup_and_settled_by_absolute_writes() {
    let folder = tempfile::tempdir().unwrap();
    let world = plain_shop(folder.path(), &skus(8)).await;
    let mut till = world.registers.first().unwrap();
    let mut agent = world.setup.start().unwrap();
    sell_one_of_each(&mut till, 8);
    must_drain(&world, &mut agent).await;
    back_up(&world);
    sell(&mut till, 20);
    must_drain(&world, &mut agent).await;
    agent.terminate().await.unwrap();
    damage(&world);
    sell(&mut till, 20);

    let before = world.receiver.arrivals().len();
    let mut agent = world.setup.start().unwrap();
    must_say(&world, "was damaged").await;
    must_drain(&world, &mut agent).await;
    let arrivals = world.receiver.arrivals();
    assert!(
        arrivals.len() > before && arrivals[before..].iter().all(|line| line.cause == Cause::Set),
        "no change is sent again"
    );
    assert!(set_aside(&world), "the damaged file is kept");
    must_say(&world, "has been read again").await;
    sell(&mut till, 5);
    must_be_exact(&world, agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_restored_by_hand_sends_nothing_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = plain_shop(folder.path(), &skus(8)).await;
    let mut till = world.registers.first().unwrap();
    let mut agent = world.setup.start().unwrap();
    sell_one_of_each(&mut till, 8);
    must_drain(&world, &mut agent).await;
    let copy = folder.path().join("copy.db");
    let made = world.setup.command(&["backup", "--output", &copy.display().to_string()]).unwrap();
    assert!(made.status.success(), "{made:?}");
    sell(&mut till, 20);
    must_drain(&world, &mut agent).await;
    agent.terminate().await.unwrap();
    let restored = world.setup.command(&["restore", "--from", &copy.display().to_string()]).unwrap();
    assert!(restored.status.success(), "{restored:?}");

    let before = world.receiver.arrivals().len();
    let mut agent = world.setup.start().unwrap();
    must_say(&world, "has been read again").await;
    must_drain(&world, &mut agent).await;
    assert_eq!(world.receiver.arrivals().len(), before, "the shop shows it all already");
    sell(&mut till, 5);
    must_be_exact(&world, agent).await;
}

/// What the shop had before its first sale is not on record any more: nobody can say what it should show.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn articles_that_the_backup_does_not_know_wait_for_a_person_instead_of_being_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = plain_shop(folder.path(), &["OLD".to_owned(), "NEW".to_owned()]).await;
    let mut till = world.registers.first().unwrap();
    let mut agent = world.setup.start().unwrap();
    till.sell(&[("OLD", ONE)]).unwrap();
    must_drain(&world, &mut agent).await;
    back_up(&world);
    till.sell(&[("OLD", ONE), ("NEW", ONE)]).unwrap();
    must_drain(&world, &mut agent).await;
    agent.terminate().await.unwrap();
    damage(&world);

    let agent = world.setup.start().unwrap();
    must_say(&world, "has been read again").await;
    until("nothing is open", LONG, || Ok(world.setup.audit()?.is_settled())).await.unwrap();
    let outcome = world.finish(agent, LONG).await.unwrap();
    assert!(outcome.is_exact(), "{}\n{}", outcome.complaint(), world.setup.log_text());
    assert_eq!(outcome.audit.dead_letters(), 1, "NEW is held: {:?}", outcome.audit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_damaged_database_without_a_backup_sends_nothing_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = plain_shop(folder.path(), &skus(4)).await;
    let mut till = world.registers.first().unwrap();
    let mut agent = world.setup.start().unwrap();
    sell(&mut till, 12);
    must_drain(&world, &mut agent).await;
    agent.terminate().await.unwrap();
    damage(&world);

    let mut agent = world.setup.start().unwrap();
    must_say(&world, "has been read again").await;
    must_drain(&world, &mut agent).await;
    sell(&mut till, 6);
    must_be_exact(&world, agent).await;
}

fn sell(till: &mut Till, tickets: u32) {
    for _ in 0..tickets {
        till.ring_up().unwrap();
    }
}

/// So that the backup knows them all.
fn sell_one_of_each(till: &mut Till, articles: usize) {
    for sku in skus(articles) {
        till.sell(&[(&sku, ONE)]).unwrap();
    }
}

fn back_up(world: &World) {
    let made = world.setup.command(&["backup"]).unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// Garbage over the middle of the file, as a dying card leaves it.
fn damage(world: &World) {
    let mut file = fs::OpenOptions::new().write(true).open(world.setup.database()).unwrap();
    let length = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&vec![0xA5; usize::try_from(length).unwrap().saturating_sub(4096).max(4096)]).unwrap();
}

fn set_aside(world: &World) -> bool {
    let mut names = fs::read_dir(world.setup.state()).unwrap().flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().contains("damaged"))
}
