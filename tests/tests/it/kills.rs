//! A short kill matrix; the long one is `cargo xtask kill-matrix`.

use std::sync::Arc;

use system_tests::kill_matrix::{Action, Case, Limits, cases, durability, points, source_folder};
use tokio::sync::Semaphore;

use crate::support::agent;

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn every_crash_point_is_hit_and_survives_a_kill() {
    all_exact(cases(&points(&source_folder()).unwrap(), &[Action::Kill], &[1])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn full_and_broken_disks_are_survived_where_something_is_stored() {
    let points =
        ["before_commit", "after_commit", "movements_recorded", "cursor_saved", "batch_frozen", "batch_closed"];
    all_exact(cases(&points.map(str::to_owned), &[Action::DiskFull, Action::InputOutput], &[2])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_never_leaves_before_its_commit_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing to see where strace is missing or may not look.
    if let Some(counted) = durability::count(agent(), folder.path(), None).await.unwrap() {
        assert!(counted.is_durable(), "{counted:?}");
    }
}

async fn all_exact(cases: Vec<Case>) {
    let places = Arc::new(Semaphore::new(2));
    let mut running = Vec::new();
    for case in cases {
        let places = Arc::clone(&places);
        running.push(tokio::spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            let judged = case.run(agent(), folder.path(), Limits::default()).await;
            (case, judged)
        }));
    }
    for task in running {
        let (case, judged) = task.await.unwrap();
        let judged = judged.unwrap_or_else(|error| panic!("{case:?}: {error:#}"));
        assert!(judged.passed(), "{case:?}: hit {}, {}", judged.hit, judged.outcome.complaint());
    }
}
