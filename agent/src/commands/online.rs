//! `tillsync check --online`: looks at each source and asks each platform.

use std::path::Path;

use pos_adapters::Poll;

use super::lanes_of;
use crate::cli::check::{self, Probe};
use crate::cli::output::Output;
use crate::clock::Clock;
use crate::config::Config;
use crate::connect;
use crate::platform::CallFailure;

pub(super) fn check(path: &Path, out: &mut Output) -> anyhow::Result<u8> {
    let (mut report, config) = check::offline(path);
    if let Some(config) = config {
        for probe in sources(&config) {
            report.add(probe);
        }
        for probe in platforms(&config)? {
            report.add(probe);
        }
    }
    check::print(out, &report)?;
    Ok(report.exit_code())
}

fn sources(config: &Config) -> Vec<Probe> {
    let clock = Clock::default();
    config
        .sources
        .iter()
        .map(|wanted| {
            let subject = format!("source `{}`", wanted.name());
            let mut source = match connect::source(wanted, config) {
                Ok(source) => source,
                Err(error) => return Probe::fault(subject, format!("{error:#}"), "mend the configuration"),
            };
            source.resume(Vec::new());
            match source.poll(&[], clock.now()) {
                Ok(Poll::Chunk(chunk)) => Probe::ok(
                    subject,
                    format!(
                        "readable; the first look gives {} transactions and {} unreadable records",
                        chunk.transactions.len(),
                        chunk.quarantined.len()
                    ),
                ),
                Ok(Poll::Quiet { .. }) => Probe::ok(subject, "reachable, nothing to read yet"),
                Err(fault) => Probe::fault(subject, crate::ingest::chain(&fault), fault.hint()),
            }
        })
        .collect()
}

fn platforms(config: &Config) -> anyhow::Result<Vec<Probe>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut probes = Vec::new();
    for lane in lanes_of(config)? {
        let subject = format!("platform `{}`", lane.name);
        match runtime.block_on(lane.platform.probe()) {
            Ok(report) => {
                let facts: Vec<String> = report.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                probes.push(Probe::ok(subject.clone(), facts.join(", ")));
                probes.extend(
                    report
                        .faults
                        .into_iter()
                        .map(|fault| Probe::fault(subject.clone(), fault, "mend it at the platform")),
                );
            }
            Err(CallFailure::Passing { reason, .. }) => {
                probes.push(Probe::fault(subject, reason, "check the network and the address"))
            }
            Err(CallFailure::LaneRefused { cause, detail }) => {
                probes.push(Probe::fault(subject, format!("{}: {detail}", cause.as_str()), "mend it at the platform"))
            }
        }
    }
    Ok(probes)
}
