//! Answers that are made from data others gathered: the status in a terminal.

use std::io;

use super::output::{Align, Output, Table, Tone};
use crate::status::{LaneState, SourceState, StatusSnapshot, ago, summary};

/// `tillsync status`: the summary, then the figures.
///
/// # Errors
/// Writing failed.
pub fn status(out: &mut Output, status: &StatusSnapshot) -> io::Result<()> {
    out.answer(status, |out| {
        for (index, line) in summary(status).lines().enumerate() {
            let tone = match (index, status.healthy) {
                (0, true) => Tone::Good,
                (0, false) => Tone::Bad,
                _ => Tone::Plain,
            };
            let line = out.paint(tone, line);
            out.line(&line)?;
        }
        out.line("")?;
        out.table(&sources(status))?;
        out.line("")?;
        out.table(&lanes(status))
    })
}

fn sources(status: &StatusSnapshot) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("source", left),
        ("state", left),
        ("last sale", left),
        ("transactions", right),
        ("lines", right),
        ("quarantined", right),
    ]);
    for source in &status.sources {
        let (state, tone) = match source.state {
            SourceState::Ok => ("ok", Tone::Good),
            SourceState::Waiting => ("waiting", Tone::Warn),
            SourceState::Error => ("error", Tone::Bad),
        };
        let sale = source.last_sale_at.map_or_else(|| "none yet".to_owned(), |at| ago(status.now, at));
        table.toned_row([
            (source.name.clone(), Tone::Plain),
            (state.to_owned(), tone),
            (sale, Tone::Plain),
            (source.transactions.to_string(), Tone::Plain),
            (source.lines.to_string(), Tone::Plain),
            (source.quarantined.to_string(), if source.quarantined > 0 { Tone::Warn } else { Tone::Plain }),
        ]);
    }
    table
}

fn lanes(status: &StatusSnapshot) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("platform", left),
        ("state", left),
        ("waiting lines", right),
        ("in flight", right),
        ("delivered lines", right),
        ("unknown SKUs", right),
        ("refused", right),
    ]);
    for lane in &status.lanes {
        let (state, tone) = match lane.state {
            LaneState::Open => ("open", Tone::Good),
            LaneState::BackingOff => ("backing off", Tone::Warn),
            LaneState::Paused => ("paused", Tone::Bad),
        };
        let alarming = |number: u64| (number.to_string(), if number > 0 { Tone::Warn } else { Tone::Plain });
        table.toned_row([
            (lane.name.clone(), Tone::Plain),
            (state.to_owned(), tone),
            (lane.waiting_lines.to_string(), Tone::Plain),
            (lane.in_flight.to_string(), Tone::Plain),
            (lane.delivered_lines.to_string(), Tone::Plain),
            alarming(lane.unknown_skus),
            alarming(lane.dead_letters),
        ]);
    }
    table
}
