//! The state folder: one agent at a time.

use system_tests::decimal::Decimal;

use crate::support::{LONG, must_be_exact, must_drain, plain_door};

/// Exit code: another agent holds the state folder.
const HELD: i32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_agent_on_the_same_folder_is_refused_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = plain_door(folder.path(), &["A".to_owned()]).await;
    let mut till = world.registers.first().unwrap();
    till.sell(&[("A", Decimal::units(-1))]).unwrap();
    let mut first = world.setup.start().unwrap();
    must_drain(&world, &mut first).await;
    let mut second = world.setup.start().unwrap();
    assert_eq!(second.wait(LONG).await.unwrap().code(), Some(HELD));
    assert!(world.setup.log_text().contains("another tillsync is running"));
    till.sell(&[("A", Decimal::units(-1))]).unwrap();
    must_be_exact(&world, first).await;
}
