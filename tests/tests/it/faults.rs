//! A hostile network and a hostile platform: every class of fault, one at a time, on one request in five.

use std::sync::Arc;
use std::time::Duration;

use system_tests::faults::{Fault, FaultRule, On};
use system_tests::world::{World, until};
use tokio::sync::Semaphore;

use crate::support::{LONG, mixed_door, mixed_shop, must_be_exact};

/// Tickets of each run, at least.
const TICKETS: u64 = 200;
/// Runs at the same time.
const PARALLEL: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn no_fault_of_a_door_loses_or_doubles_anything() {
    // A status line of 2xx is the receiver's yes, whatever its body looks like: only applied ones are honest.
    let faults = [common(), vec![Fault::Garbage { applied: true }, Fault::Html { applied: true }]].concat();
    run_all(faults, |folder, seed| Box::pin(async move { mixed_door(&folder, seed).await })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn no_fault_of_a_shop_loses_or_doubles_anything() {
    let own = vec![
        Fault::Garbage { applied: false },
        Fault::Garbage { applied: true },
        Fault::Html { applied: false },
        Fault::Html { applied: true },
        Fault::UserError { code: "SERVICE_UNAVAILABLE".to_owned() },
        Fault::UserError { code: "IDEMPOTENCY_CONCURRENT_REQUEST".to_owned() },
        Fault::UserError { code: "IDEMPOTENCY_KEY_PARAMETER_MISMATCH".to_owned() },
    ];
    run_all([common(), own].concat(), |folder, seed| Box::pin(async move { mixed_shop(&folder, seed).await })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn faults_on_look_ups_and_read_backs_are_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let world = mixed_shop(folder.path(), 5).await;
    for fault in [Fault::ReplyLost, Fault::Garbage { applied: false }, Fault::Throttled] {
        world.receiver.fault(FaultRule { count: Some(3), ..FaultRule::some(fault, 300).on(On::Read) });
    }
    let agent = world.setup.start().unwrap();
    sell(&world, || true).await;
    must_be_exact(&world, agent).await;
}

fn common() -> Vec<Fault> {
    let status = |status, applied, retry_after_s| Fault::Status { status, applied, retry_after_s };
    vec![
        Fault::RequestLost,
        Fault::ReplyLost,
        Fault::ReplyCut,
        Fault::Duplicate,
        Fault::Reorder { hold_ms: 60 },
        Fault::Delay { hold_ms: 40 },
        Fault::SlowApply { hold_ms: 60 },
        Fault::Stall { hold_ms: 40 },
        Fault::Drip { pause_ms: 2 },
        Fault::Throttled,
        status(429, false, Some(1)),
        status(500, true, None),
        status(502, false, None),
        status(503, true, None),
        status(503, false, Some(1)),
    ]
}

type Making = std::pin::Pin<Box<dyn Future<Output = World> + Send>>;

async fn run_all(faults: Vec<Fault>, make: impl Fn(std::path::PathBuf, u64) -> Making) {
    let places = Arc::new(Semaphore::new(PARALLEL));
    let mut running = Vec::new();
    for (fault, seed) in faults.into_iter().zip(1..) {
        let folder = tempfile::tempdir().unwrap();
        let (places, made) = (Arc::clone(&places), make(folder.path().to_path_buf(), seed));
        running.push(tokio::spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            one(fault, made.await).await;
            drop(folder);
        }));
    }
    for task in running {
        task.await.unwrap();
    }
}

async fn one(fault: Fault, world: World) {
    let name = fault.name();
    world.receiver.fault(FaultRule::some(fault.clone(), 200));
    let agent = world.setup.start().unwrap();
    // A fault that has not happened has proven nothing: sell until it has.
    sell(&world, || world.receiver.fired(name) >= 2).await;
    let outcome = world.finish(agent, LONG).await.unwrap();
    assert!(outcome.is_exact(), "{fault:?}: {}\n{}", outcome.complaint(), world.setup.log_text());
}

async fn sell(world: &World, enough: impl Fn() -> bool) {
    let selling = world.registers.open(Duration::from_millis(8));
    until("tickets are sold and faults happen", LONG, || Ok(selling.tickets() >= TICKETS && enough())).await.unwrap();
    selling.close().unwrap();
}
