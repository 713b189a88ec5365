//! All cases against one binary, a few at a time, each a row of the table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use system_tests::kill_matrix::{Case, Judged, Limits, durability};
use tokio::sync::Semaphore;

use crate::{Arguments, build, remove, say};

/// Whether all passed.
pub(crate) async fn run(arguments: &Arguments, work: &Path) -> anyhow::Result<bool> {
    let binary = match &arguments.agent {
        Some(binary) => binary.clone(),
        None => build::release()?,
    };
    let plan = arguments.plan()?;
    let points: BTreeSet<String> = plan.iter().map(|case| case.point.clone()).collect();
    say(&format!("{} cases: {} crash points found in the source", plan.len(), points.len()));
    say(&format!(
        "{:<22} {:<7} {:>3}  {:<10} {:<4} {:>6} {:>6} {:>8} {:<10} {:>8} {:>6}",
        "point", "action", "n", "scenario", "hit", "sales", "lost", "doubled", "conserved", "requests", "s"
    ));
    let begun = Instant::now();
    let rows = all(plan, binary.clone(), work, arguments.limits(), arguments.parallel).await?;
    let hit: BTreeSet<&String> = rows.iter().filter(|row| row.hit).map(|row| &row.point).collect();
    let passed = rows.iter().filter(|row| row.passed).count();
    let never: Vec<&String> = points.iter().filter(|point| !hit.contains(point)).collect();
    if !never.is_empty() {
        say(&format!("never hit: {never:?}"));
    }
    let durable = match durability::count(&binary, &work.join("durability"), None).await? {
        Some(counted) => {
            say(&format!("durable calls: {} for {} batches sent one by one", counted.syncs, counted.batches));
            counted.is_durable()
        }
        None => {
            say("left out: durable calls for each batch, because strace cannot be used here");
            true
        }
    };
    say(&format!(
        "{passed} passed, {} failed; {} of {} points hit; sales {}, lost {}, doubled {}; {} s",
        rows.len() - passed,
        hit.len(),
        points.len(),
        rows.iter().map(|row| row.sales).sum::<usize>(),
        rows.iter().filter(|row| row.lost).count(),
        rows.iter().filter(|row| row.doubled).count(),
        begun.elapsed().as_secs()
    ));
    Ok(passed == rows.len() && never.is_empty() && durable)
}

struct Row {
    point: String,
    hit: bool,
    passed: bool,
    sales: usize,
    lost: bool,
    doubled: bool,
}

async fn all(
    plan: Vec<Case>,
    binary: PathBuf,
    work: &Path,
    limits: Limits,
    parallel: usize,
) -> anyhow::Result<Vec<Row>> {
    let places = Arc::new(Semaphore::new(parallel.max(1)));
    let mut running = Vec::new();
    for (number, case) in plan.into_iter().enumerate() {
        let (places, binary, folder) = (Arc::clone(&places), binary.clone(), work.join(format!("case-{number}")));
        running.push(tokio::spawn(async move {
            let _place = places.acquire_owned().await?;
            one(&case, &binary, &folder, limits).await
        }));
    }
    let mut rows = Vec::new();
    for task in running {
        rows.push(task.await.context("a case panicked")??);
    }
    Ok(rows)
}

async fn one(case: &Case, binary: &Path, folder: &Path, limits: Limits) -> anyhow::Result<Row> {
    let judged = case.run(binary, folder, limits).await;
    let head = format!("{:<22} {:<7} {:>3}  {:<10}", case.point, case.action, case.occurrence, case.scenario.as_str());
    let point = case.point.clone();
    match judged {
        Ok(judged) => {
            say(&format!("{head} {}", cells(&judged)));
            let passed = judged.passed();
            if passed {
                remove(folder)?;
            } else {
                say(&format!("  FAILED ({}): {}", folder.display(), judged.outcome.complaint()));
            }
            let report = &judged.outcome.report;
            Ok(Row {
                point,
                hit: judged.hit,
                passed,
                sales: report.sales,
                lost: !report.lost.is_zero(),
                doubled: !report.doubled.is_zero() || report.repeated_changes > 0,
            })
        }
        Err(error) => {
            say(&format!("{head} FAILED ({}): {error:#}", folder.display()));
            Ok(Row { point, hit: false, passed: false, sales: 0, lost: false, doubled: false })
        }
    }
}

fn cells(judged: &Judged) -> String {
    let report = &judged.outcome.report;
    let (hit, conserved) = (yes(judged.hit), yes(judged.outcome.audit.conserved));
    let tenths = judged.took.as_millis() / 100;
    format!(
        "{hit:<4} {:>6} {:>6} {:>8} {conserved:<10} {:>8} {:>6}",
        report.sales,
        report.lost.to_string(),
        report.doubled.to_string(),
        judged.requests,
        format!("{}.{}", tenths / 10, tenths % 10)
    )
}

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "NO" }
}
