//! `tillsync check --online`: looks at each source and asks each platform; with `--probe` tries what a platform promises.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use pos_adapters::{Poll, Weight};
use sync_core::orders::Picks;

use super::lanes_of;
use crate::cli::CheckArgs;
use crate::cli::check::{self, Probe};
use crate::cli::output::Output;
use crate::clock::Clock;
use crate::config::Config;
use crate::connect;
use crate::platform::contract::{self, Pace, Subject, Verdict};
use crate::platform::transport::WallClock;
use crate::platform::{CallFailure, OrderPage, OrdersSince};

pub(super) fn check(path: &Path, args: &CheckArgs, out: &mut Output) -> anyhow::Result<u8> {
    let (mut report, config) = check::offline(path);
    if let Some(config) = config {
        for probe in sources(&config) {
            report.add(probe);
        }
        for probe in
            crate::counts::check::probes(&config, &crate::db::StateFolder::shared(&config.state.path).database())
        {
            report.add(probe);
        }
        for probe in platforms(&config)? {
            report.add(probe);
        }
        if let Some(sku) = &args.probe {
            contract(&config, sku, args, &mut report)?;
        }
    }
    check::print(out, &report)?;
    Ok(report.exit_code())
}

fn sources(config: &Config) -> Vec<Probe> {
    let clock = Clock::default();
    let mut probes = Vec::new();
    for wanted in &config.sources {
        let subject = format!("source `{}`", wanted.name());
        let mut source = match connect::source(wanted, config) {
            Ok(source) => source,
            Err(error) => {
                probes.push(Probe::fault(subject, format!("{error:#}"), "mend the configuration"));
                continue;
            }
        };
        source.resume(Vec::new());
        probes.push(match source.poll(&[], clock.now()) {
            Ok(Poll::Chunk(chunk)) => Probe::ok(
                subject.clone(),
                format!(
                    "readable; the first look gives {} transactions and {} unreadable records",
                    chunk.transactions.len(),
                    chunk.quarantined.len()
                ),
            ),
            Ok(Poll::Quiet { .. }) => Probe::ok(subject.clone(), "reachable, nothing to read yet"),
            Err(fault) => Probe::fault(subject.clone(), crate::ingest::chain(&fault), fault.hint()),
        });
        let found = wanted.probe(&connect::source_context(wanted, config));
        probes.extend(found.into_iter().map(|finding| match finding.weight {
            Weight::Good => Probe::ok(subject.clone(), finding.text),
            Weight::Warning => Probe::warning(subject.clone(), finding.text, &finding.hint),
            Weight::Fault => Probe::fault(subject.clone(), finding.text, &finding.hint),
        }));
    }
    probes
}

fn platforms(config: &Config) -> anyhow::Result<Vec<Probe>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut probes = Vec::new();
    for lane in lanes_of(config)? {
        let subject = format!("platform `{}`", lane.name);
        if let Some(read) = lane.platform.orders(OrdersSince::default()) {
            probes.push(orders(config, &lane.name, runtime.block_on(read)));
        }
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

/// Whether online orders can be read, and whether it is said where their goods enter the ledger from.
fn orders(config: &Config, platform: &str, read: Result<OrderPage, CallFailure>) -> Probe {
    let subject = format!("online orders of `{platform}`");
    let page = match read {
        Ok(page) => page,
        Err(CallFailure::Passing { reason, .. }) => {
            return Probe::fault(subject, reason, "check the network and the address");
        }
        Err(CallFailure::LaneRefused { cause, detail }) => {
            let detail = format!("{}: {detail}", cause.as_str());
            return Probe::fault(subject, detail, "give the access the right to read orders");
        }
    };
    let open = page.orders.iter().filter(|order| order.lines.iter().any(|line| line.open > 0)).count();
    let more = if page.next.is_some() { " or more" } else { "" };
    let picks = config.online_orders.picks_of(platform);
    if picks == Picks::None && open > 0 {
        return Probe::warning(
            subject,
            format!(
                "{open}{more} open, and `picks = \"none\"`: what this store hands over for them is never taken off its stock, so that every count finds goods missing and the shop offers them until then"
            ),
            "set `[online_orders] picks` to \"platform\" if the platform is told of each shipment and pick-up, to \"pos\" if the till rings them up",
        );
    }
    Probe::ok(subject, format!("{open}{more} open; goods handed over are read from: {}", picks.as_str()))
}

/// Tries what one platform promises, after asking.
fn contract(config: &Config, sku: &str, args: &CheckArgs, report: &mut check::CheckReport) -> anyhow::Result<()> {
    let lanes = lanes_of(config)?;
    let wanted = |name: &str| args.platform.as_deref().is_none_or(|platform| platform == name);
    let mut lanes = lanes.iter().filter(|lane| !lane.platform.traits().latest && wanted(&lane.name));
    let (Some(lane), None) = (lanes.next(), lanes.next()) else {
        let names: Vec<String> = config.platforms.iter().map(|platform| platform.name().to_string()).collect();
        let hint = format!("name one of them with `--platform`: {}", names.join(", "));
        report.add(Probe::fault("contract", "it is not clear which platform is meant", hint));
        return Ok(());
    };
    let subject = format!("platform `{}`, contract", lane.name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = match runtime.block_on(contract::find(&*lane.platform, &sku.into())) {
        Ok(found) => found,
        Err(reason) => {
            report.add(Probe::fault(subject, reason, "name an article of its own for this, in a development shop"));
            return Ok(());
        }
    };
    if !args.yes && !agreed(&lane.name, &found)? {
        let hint = "agree, or give `--yes` where nobody can be asked; only in a development shop";
        report.add(Probe::fault(subject, "nothing was tried: nobody agreed that the number may change", hint));
        return Ok(());
    }
    let clock = Arc::new(Clock::default());
    let wall: WallClock = Arc::new(move || clock.now());
    let name = (lane.name.as_str(), lane.kind);
    let findings = runtime.block_on(contract::probe(name, &*lane.platform, found, &wall, Pace::default()));
    for finding in &findings.findings {
        let subject = format!("{subject}, {}", finding.step);
        let seen = finding.seen.clone();
        report.add(match finding.verdict {
            Verdict::Kept => Probe::ok(subject, seen),
            Verdict::Unclear => Probe::warning(subject, seen, "look at the article in the shop, then try again"),
            Verdict::Broken => Probe::fault(subject, seen, "do not connect a store to this platform; report this"),
        });
    }
    report.add(if findings.is_broken() {
        Probe::fault(subject, findings.conclusion.clone(), "see the findings above")
    } else {
        Probe::ok(subject, findings.conclusion.clone())
    });
    report.contract = Some(findings);
    Ok(())
}

/// Whether the person at the terminal agrees; `false` where there is none.
fn agreed(platform: &str, subject: &Subject) -> io::Result<bool> {
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    if !stdin.is_terminal() {
        return Ok(false);
    }
    write!(
        stderr,
        "The number of `{}` ({}) at platform `{platform}` is changed a few times and put back.\n\
         This is for a development shop and an article that nobody buys. Go on? [y/N] ",
        subject.title, subject.sku
    )?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
