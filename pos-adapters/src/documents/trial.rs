//! The parsers of this family as fuzzing and benchmarks call them.

use jiff::tz::TimeZone;

use super::dsfinvk::index;
use super::dsfinvk::parse::{Export, TableKind};
use super::feed::Feed;
use super::settings::DocumentFormat;
use super::ticket::{Found, Rules, SkuFrom};
use crate::file::value::StoreClock;
use crate::trial::Tally;

/// Rules as a source has them by default.
pub(crate) fn rules() -> Rules {
    Rules {
        sku: SkuFrom::ItemId,
        reconcile: false,
        control_sum: true,
        components: false,
        ignore: Vec::new(),
        clock: StoreClock::new(TimeZone::UTC),
    }
}

pub(crate) fn poslog(data: &[u8], piece: usize) -> Tally {
    xml(DocumentFormat::Poslog, data, piece)
}

pub(crate) fn naxml(data: &[u8], piece: usize) -> Tally {
    xml(DocumentFormat::Naxml, data, piece)
}

pub(crate) fn verifone(data: &[u8], piece: usize) -> Tally {
    xml(DocumentFormat::Verifone, data, piece)
}

pub(crate) fn saft(data: &[u8], piece: usize) -> Tally {
    xml(DocumentFormat::Saft, data, piece)
}

/// The parts of an export in one: `index.xml`, then the tables in the order of [`TableKind::ALL`], each after a line
/// of one zero byte.
pub(crate) fn dsfinvk(data: &[u8], piece: usize) -> Tally {
    let mut parts = data.split(|byte| *byte == 0);
    let Ok(index) = index::read(parts.next().unwrap_or_default()) else {
        return Tally { quarantined: 1, ..Tally::default() };
    };
    let mut export = Export::new(index);
    for (kind, part) in TableKind::ALL.into_iter().zip(parts) {
        export.begin(kind);
        let read = part.chunks(piece.max(1)).try_for_each(|piece| export.push(piece)).and_then(|()| export.end());
        if read.is_err() {
            return Tally { quarantined: 1, ..Tally::default() };
        }
    }
    add(Tally::default(), &super::dsfinvk::map::tickets(rules(), export.finish()))
}

fn xml(format: DocumentFormat, data: &[u8], piece: usize) -> Tally {
    let mut tally = Tally::default();
    let Some(format) = super::xml_format(format, &rules()) else { return tally };
    let mut feed = Feed::new(format);
    let mut read = Ok(());
    for piece in data.chunks(piece.max(1)) {
        read = feed.push(piece);
        tally = add(tally, &feed.take());
        if read.is_err() {
            break;
        }
    }
    if read.and_then(|()| feed.finish()).is_err() {
        tally.quarantined = tally.quarantined.saturating_add(1);
    }
    add(tally, &feed.take())
}

fn add(mut tally: Tally, found: &Found) -> Tally {
    for ticket in &found.tickets {
        tally.transactions = tally.transactions.saturating_add(1);
        tally.lines = tally.lines.saturating_add(u64::try_from(ticket.lines.len()).unwrap_or(u64::MAX));
    }
    tally.quarantined = tally.quarantined.saturating_add(u64::try_from(found.doubts.len()).unwrap_or(u64::MAX));
    tally
}
