//! `tillsync ports`: which serial ports there are, and what is heard on them. Never sends a byte.

use std::time::Duration;

use anyhow::Context as _;
use pos_adapters::receipts::line::Stop;
use pos_adapters::receipts::listen::{self, FoundPort, HeardSound};
use pos_adapters::receipts::port::Framing;
use serde_json::{Value, json};

use super::{exit, is_human};
use crate::cli::PortsArgs;
use crate::cli::output::{Align, Output, Table, Tone};

/// Longest time to listen, in seconds.
const LISTEN_MAX: u64 = 3600;
/// Where a word after `--listen` is no number, it is a port.
const LISTEN_DEFAULT: u64 = 30;

pub(super) fn ports(args: &PortsArgs, out: &mut Output) -> anyhow::Result<u8> {
    let mut named = args.ports.clone();
    let seconds = args.listen.as_deref().map(|text| {
        text.parse().unwrap_or_else(|_| {
            named.insert(0, text.to_owned());
            LISTEN_DEFAULT
        })
    });
    let found = listen::ports().context("the system does not list its serial ports")?;
    let ports = chosen(found, &named);
    match seconds {
        None => {
            list(&ports, out)?;
            Ok(exit::OK)
        }
        Some(seconds) => {
            anyhow::ensure!((1..=LISTEN_MAX).contains(&seconds), "listen for 1 to {LISTEN_MAX} seconds");
            if is_human(out) && !ports.is_empty() {
                out.line(&format!("Listening for {seconds} s. Let the till print a ticket now."))?;
            }
            let heard = hear_all(&ports, Framing::plain(args.baud), Duration::from_secs(seconds))?;
            tell(&ports, &heard, out)
        }
    }
}

/// The listed ports, or those that were named: any of their names will do, and a port that is not listed too.
fn chosen(found: Vec<FoundPort>, named: &[String]) -> Vec<FoundPort> {
    if named.is_empty() {
        return found;
    }
    let is_named = |port: &FoundPort, name: &String| port.path == *name || port.lasting.as_ref() == Some(name);
    named
        .iter()
        .map(|name| {
            found.iter().find(|port| is_named(port, name)).cloned().unwrap_or_else(|| FoundPort {
                path: name.clone(),
                lasting: None,
                description: "not listed by the system".to_owned(),
                usb: None,
                serial_number: None,
            })
        })
        .collect()
}

fn list(ports: &[FoundPort], out: &mut Output) -> std::io::Result<()> {
    let answer = json!({ "ports": ports.iter().map(facts).collect::<Vec<_>>() });
    out.answer(&answer, |out| {
        if ports.is_empty() {
            return out.line("No serial ports. Plug the adapter in, and see whether the system knows it.");
        }
        let mut table = Table::new(&[
            ("port", Align::Left),
            ("what", Align::Left),
            ("usb", Align::Left),
            ("serial number", Align::Left),
            ("write this in the configuration", Align::Left),
        ]);
        for port in ports {
            let cells = [&port.description, port.usb.as_ref().unwrap_or(&String::new())].map(String::clone);
            let [what, usb] = cells;
            let number = port.serial_number.clone().unwrap_or_default();
            table.row([port.path.clone(), what, usb, number, lasting(port).to_owned()]);
        }
        out.table(&table)
    })
}

fn lasting(port: &FoundPort) -> &str {
    port.lasting.as_deref().unwrap_or(&port.path)
}

fn facts(port: &FoundPort) -> Value {
    json!({
        "port": port.path, "lasting": port.lasting, "description": port.description, "usb": port.usb,
        "serial_number": port.serial_number
    })
}

/// Listens to all of them at once.
fn hear_all(
    ports: &[FoundPort],
    first: Framing,
    for_long: Duration,
) -> anyhow::Result<Vec<std::io::Result<HeardSound>>> {
    let stop = Stop::default();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for port in ports {
            let hear = || listen::listen_to(&port.path, first, for_long, &stop);
            threads.push(std::thread::Builder::new().name("listen".to_owned()).spawn_scoped(scope, hear)?);
        }
        let ended = |_| Err(std::io::Error::other("listening ended before its time"));
        Ok(threads.into_iter().map(|thread| thread.join().unwrap_or_else(ended)).collect())
    })
}

fn tell(ports: &[FoundPort], heard: &[std::io::Result<HeardSound>], out: &mut Output) -> anyhow::Result<u8> {
    let both = || ports.iter().zip(heard);
    let rows: Vec<Value> = both().map(|(port, heard)| row(port, heard)).collect();
    let readable = heard.iter().flatten().filter(|heard| heard.is_readable()).count();
    out.answer(&json!({ "ports": rows }), |out| {
        if ports.is_empty() {
            return out.line("No serial ports. Plug the adapter in, and see whether the system knows it.");
        }
        let mut table = Table::new(&[("port", Align::Left), ("heard", Align::Left)]);
        for (port, heard) in both() {
            let (tone, text) = match heard {
                Ok(heard) if heard.is_readable() => (Tone::Good, heard.to_string()),
                Ok(heard) => (Tone::Warn, heard.to_string()),
                Err(error) => (Tone::Bad, format!("cannot be opened: {error}")),
            };
            table.toned_row([(port.path.clone(), Tone::Plain), (text, tone)]);
        }
        out.table(&table)?;
        for (port, heard) in both() {
            if let Ok(heard) = heard
                && heard.is_readable()
            {
                let framing = heard.framing.to_string();
                let framing = framing.split_once(' ').map_or("8N1", |(_, framing)| framing);
                out.line(&format!(
                    "For {}: port = \"{}\", baud = {}, framing = \"{framing}\"",
                    port.path,
                    lasting(port),
                    heard.framing.baud
                ))?;
            }
        }
        Ok(())
    })?;
    Ok(if readable > 0 { exit::OK } else { exit::FAULTS })
}

fn row(port: &FoundPort, heard: &std::io::Result<HeardSound>) -> Value {
    let mut facts = facts(port);
    let told = match heard {
        Ok(heard) => json!({
            "heard": heard.to_string(), "readable": heard.is_readable(), "baud": heard.framing.baud,
            "framing": heard.framing.to_string(), "bytes": heard.bytes, "damaged_bytes": heard.damaged,
            "clear": heard.signals.map(|signals| signals.clear), "ready": heard.signals.map(|signals| signals.ready)
        }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    if let (Some(facts), Value::Object(told)) = (facts.as_object_mut(), told) {
        facts.extend(told);
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_by_any_of_its_names_and_others_may_be_named_too() {
        let adapter = FoundPort {
            path: "/dev/ttyUSB0".to_owned(),
            lasting: Some("/dev/serial/by-id/usb-example-if00".to_owned()),
            description: "Example adapter".to_owned(),
            usb: Some("0403:6001".to_owned()),
            serial_number: Some("EX123".to_owned()),
        };
        let names = ["/dev/serial/by-id/usb-example-if00".to_owned(), "/dev/pts/7".to_owned()];
        let ports = chosen(vec![adapter.clone()], &names);
        assert_eq!(ports[0], adapter);
        assert_eq!((ports[1].path.as_str(), ports.len()), ("/dev/pts/7", 2));
        assert_eq!(chosen(vec![adapter], &[]).len(), 1);
    }
}
