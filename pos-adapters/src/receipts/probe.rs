//! What a look at a port or printer finds beyond being readable, for `tillsync check --online`. Sends nothing.

use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::listen;
use super::plan::{Input, Plan};
use super::port::{DeviceOpener, Opener as _, USB_PREFIX};
use crate::source::{Finding, Weight};

/// Longest wait for a network printer.
const CONNECT_MAX: Duration = Duration::from_secs(3);

pub(super) fn probe(plan: &Plan) -> Vec<Finding> {
    match &plan.input {
        Input::Listen { opener, tries_rates } => {
            let mut found = port(opener);
            if *tries_rates {
                found.push(finding(
                    Weight::Warning,
                    "no `baud` is set, so a ticket may be missed after each restart until the rate is found".to_owned(),
                    "let the till print, run `tillsync ports --listen`, and set `baud` to what it names",
                ));
            }
            found
        }
        Input::PassThrough { pos, printer, .. } => {
            let mut found = port(pos);
            found.extend(port(printer));
            found.push(finding(
                Weight::Warning,
                "the till prints through this machine: while it is off or the agent is stopped, nothing is printed"
                    .to_owned(),
                "use a passive tap where one is enough, or adapters with a relay that closes without power",
            ));
            found
        }
        Input::Tcp(proxy) => {
            let mut found = vec![match reach(&proxy.printer) {
                Ok(()) => finding(Weight::Good, format!("the printer at {} takes connections", proxy.printer), ""),
                Err(error) => finding(
                    Weight::Fault,
                    format!("the printer at {} cannot be reached: {error}", proxy.printer),
                    "check its power, network and address; some printers take one connection only, which a running agent may hold",
                ),
            }];
            found.push(match TcpListener::bind(proxy.listen.as_str()) {
                Ok(_) => finding(Weight::Good, format!("{} is free for the till to print to", proxy.listen), ""),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    finding(Weight::Good, format!("{} is in use, as it is while the agent runs", proxy.listen), "")
                }
                Err(error) => finding(
                    Weight::Fault,
                    format!("cannot listen on {}: {error}", proxy.listen),
                    "write an address of this machine, or 0.0.0.0 for all of them",
                ),
            });
            found
        }
        Input::Files(_) => Vec::new(),
    }
}

fn port(opener: &DeviceOpener) -> Vec<Finding> {
    let mut found = Vec::new();
    let listed = listen::ports().unwrap_or_default();
    let ours = listed.iter().find(|port| port.path == opener.port);
    if let Some(lasting) = ours.and_then(|port| port.lasting.as_ref()) {
        found.push(finding(
            Weight::Warning,
            format!("`{}` may be another adapter after the next start", opener.port),
            &format!("write `port = \"{lasting}\"`"),
        ));
    }
    match opener.open() {
        Ok(mut port) => {
            let text = match port.signals() {
                Ok(Some(signals)) if signals.clear || signals.ready => {
                    "can be opened, and the other end is switched on"
                }
                Ok(_) => "can be opened; no signals from the other end, which is right for a passive tap",
                Err(_) => "can be opened, and went away at once",
            };
            found.push(finding(Weight::Good, format!("`{}` {text}", opener.port), ""));
        }
        Err(error) if is_held(&error) => found.push(finding(
            Weight::Warning,
            format!("`{}` is in use by another program", opener.port),
            "nothing to do if that is the running agent; otherwise end the other program",
        )),
        Err(error) => {
            let hint = if error.kind() == std::io::ErrorKind::PermissionDenied {
                "add the account that runs the agent to the group of the port (`dialout` on Debian)"
            } else if opener.port.starts_with(USB_PREFIX) {
                "plug the adapter in; `tillsync ports` lists the serial numbers"
            } else {
                "check the cable and the name; `tillsync ports` lists the ports"
            };
            found.push(finding(Weight::Fault, format!("`{}` cannot be opened: {error}", opener.port), hint));
        }
    }
    found
}

/// The error by which a system says that another program has the port.
fn is_held(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::ResourceBusy || error.to_string().contains("busy")
}

fn reach(address: &str) -> std::io::Result<()> {
    let mut refused = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
            Ok(_) => return Ok(()),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn finding(weight: Weight, text: String, hint: &str) -> Finding {
    Finding { weight, text, hint: hint.to_owned() }
}
