//! The parsers of bodies for [`crate::trial`].

use crate::trial::Tally;

/// What a request may be at most, as configured at the most.
const PUSHED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The body of a request, taken in pieces as the listener does; a longer one is refused.
fn pushed_body(data: &[u8], piece: usize) -> Option<super::parse::Body> {
    let mut body = super::parse::Body::new(PUSHED_BYTES_MAX);
    data.chunks(piece.max(1)).try_for_each(|piece| body.push(piece)).ok()?;
    Some(body)
}

fn pushed_key() -> super::Key {
    super::Key {
        name: "trial".to_owned(),
        scheme: super::settings::Scheme::default(),
        secret: String::new(),
        registers: Vec::new(),
        kinds: Vec::new(),
        clock_tolerance: std::time::Duration::ZERO,
        requests_per_minute: 1,
        notification_url: String::new(),
        locations: Vec::new(),
    }
}

fn pushed_tally(mapped: &super::map::Mapped) -> Tally {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Tally {
        transactions: count(mapped.transactions.len()),
        lines: mapped.transactions.iter().map(|revised| count(revised.transaction.lines.len())).sum(),
        quarantined: count(mapped.quarantined.len()),
    }
}

const PUSHED_REFUSED: Tally = Tally { transactions: 0, lines: 0, quarantined: 1 };

pub(crate) fn pushed(data: &[u8], piece: usize) -> Tally {
    let read = pushed_body(data, piece).and_then(|body| super::parse::posted(body.bytes()).ok());
    read.map_or(PUSHED_REFUSED, |posted| {
        pushed_tally(&super::map::posted(&pushed_key(), &jiff::tz::TimeZone::UTC, "trial", posted))
    })
}

pub(crate) fn pushed_shopify(data: &[u8], piece: usize) -> Tally {
    let read = pushed_body(data, piece).and_then(|body| super::parse::shopify::posted(body.bytes()).ok());
    read.map_or(PUSHED_REFUSED, |posted| {
        pushed_tally(&super::map::shopify::posted(&pushed_key(), &jiff::tz::TimeZone::UTC, "trial", &posted))
    })
}

pub(crate) fn pushed_square(data: &[u8], piece: usize) -> Tally {
    let read = pushed_body(data, piece).and_then(|body| super::parse::square::posted(body.bytes()).ok());
    read.map_or(PUSHED_REFUSED, |posted| {
        pushed_tally(&super::map::square::posted(&pushed_key(), &jiff::tz::TimeZone::UTC, "trial", &posted))
    })
}
