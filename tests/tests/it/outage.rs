//! Days without a network, and being stopped in the middle of work.

use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use system_tests::world::{World, until};

use crate::support::{LONG, mixed_door, must_be_exact, must_record, plain_door, skus};

/// Seven days at 6,000 lines.
const LINES: u64 = 42_000;
const SKUS: usize = 250;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn seven_days_without_a_shop_are_delivered_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = plain_door(folder.path(), &skus(SKUS)).await;
    world.receiver.go_down().await;
    let mut till = world.registers.first().unwrap();
    for _ in 0..LINES {
        till.ring_up().unwrap();
    }
    let agent = world.setup.start().unwrap();
    must_record(&world, LINES).await;
    agent.kill().unwrap();
    // What a start has to read does not grow with the outage.
    assert!(open_entries(&world) <= 2 * SKUS, "{} entries for {SKUS} articles", open_entries(&world));

    let agent = world.setup.start().unwrap();
    till.ring_up().unwrap();
    must_record(&world, LINES + 1).await;
    agent.kill().unwrap();
    assert!(open_entries(&world) <= 2 * SKUS, "{} entries for {SKUS} articles", open_entries(&world));

    world.receiver.come_up().await.unwrap();
    must_be_exact(&world, world.setup.start().unwrap()).await;
    assert_eq!(world.setup.audit().unwrap().transactions, LINES + 1);
}

/// Waiting entries, and those of live batches.
fn open_entries(world: &World) -> usize {
    let conn = Connection::open_with_flags(world.setup.database(), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let sql = "SELECT (SELECT count(*) FROM pending) + coalesce((SELECT sum(json_array_length(items)) FROM batch), 0)";
    usize::try_from(conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn being_stopped_in_the_middle_of_sales_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = mixed_door(folder.path(), 21).await;
    let selling = world.registers.open(Duration::from_millis(2));
    for round in 1..=6_u64 {
        let agent = world.setup.start().unwrap();
        let reached = selling.tickets() + 60;
        until("sales go on", LONG, || Ok(selling.tickets() >= reached && world.receiver.requests() >= round))
            .await
            .unwrap();
        agent.terminate().await.unwrap_or_else(|error| panic!("round {round}: {error:#}"));
    }
    selling.close().unwrap();
    must_be_exact(&world, world.setup.start().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn being_killed_again_and_again_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = mixed_door(folder.path(), 22).await;
    let selling = world.registers.open(Duration::from_millis(4));
    for round in 1..=12_u64 {
        let agent = world.setup.start().unwrap();
        let reached = selling.tickets() + 10 + 7 * (round % 5);
        until("sales go on", LONG, || Ok(selling.tickets() >= reached)).await.unwrap();
        agent.kill().unwrap();
    }
    selling.close().unwrap();
    must_be_exact(&world, world.setup.start().unwrap()).await;
}
