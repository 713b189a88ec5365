//! Negative controls: a build with one rule broken must be noticed, or the matrix proves nothing.

use std::path::Path;

use system_tests::kill_matrix::{Case, durability};

use crate::{Arguments, build, remove, say};

/// The variable by which a control build is told which rule to break.
const VARIABLE: &str = "TILLSYNC_BREAK";
const RULES: [&str; 5] = ["cursor-first", "fresh-key", "regroup", "random-ids", "no-fsync"];

/// Whether all that were asked for are noticed.
pub(crate) async fn run(name: &str, arguments: &Arguments, work: &Path) -> anyhow::Result<bool> {
    let wanted: Vec<&str> = RULES.into_iter().filter(|rule| name == "all" || name == *rule).collect();
    anyhow::ensure!(!wanted.is_empty(), "there is no control `{name}`; there are {} and all", RULES.join(", "));
    let binary = match &arguments.agent {
        Some(binary) => binary.clone(),
        None => build::control()?,
    };
    let mut good = true;
    for rule in wanted {
        let folder = work.join(rule);
        good &= if rule == "no-fsync" {
            undurable(&binary, &folder).await?
        } else {
            caught(rule, &binary, &folder, arguments).await?
        };
    }
    Ok(good)
}

async fn caught(rule: &str, binary: &Path, work: &Path, arguments: &Arguments) -> anyhow::Result<bool> {
    let plan = arguments.plan()?;
    for (number, case) in plan.iter().take(arguments.cases).enumerate() {
        let folder = work.join(format!("case-{number}"));
        let judged = case.run_broken(binary, &folder, arguments.limits(), (VARIABLE, rule)).await?;
        let report = &judged.outcome.report;
        if !report.exactly_once() || !judged.outcome.audit.conserved {
            say(&format!(
                "{rule}: caught by case {} of {} ({}), lost {}, doubled {}, repeated changes {}, conserved {}",
                number + 1,
                plan.len(),
                title(case),
                report.lost,
                report.doubled,
                report.repeated_changes,
                judged.outcome.audit.conserved
            ));
            remove(work)?;
            return Ok(true);
        }
    }
    say(&format!("{rule}: NOT caught in {} cases", plan.len().min(arguments.cases)));
    Ok(false)
}

async fn undurable(binary: &Path, work: &Path) -> anyhow::Result<bool> {
    let kept = durability::count(binary, &work.join("kept"), None).await?;
    let broken = durability::count(binary, &work.join("broken"), Some((VARIABLE, "no-fsync"))).await?;
    let (Some(kept), Some(broken)) = (kept, broken) else {
        say("no-fsync: cannot be seen here, because strace cannot be used");
        return Ok(false);
    };
    let good = kept.is_durable() && !broken.is_durable();
    say(&format!(
        "no-fsync: {} by counting durable calls: {} for {} batches, {} with the rule kept",
        if good { "caught" } else { "NOT caught" },
        broken.syncs,
        broken.batches,
        kept.syncs
    ));
    Ok(good)
}

fn title(case: &Case) -> String {
    format!("{} at {}, {}", case.action, case.point, case.occurrence)
}
