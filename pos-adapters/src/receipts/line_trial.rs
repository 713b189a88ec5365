//! The trial of what a line's own files and its driver may hold.

use super::port::Unmark;
use super::store;
use crate::trial::Tally;

/// `data` as one segment of a capture, and as bytes with the driver's marks. Tells events as transactions, and damaged
/// bytes as lines.
pub(crate) fn captured_line(data: &[u8], piece: usize) -> Tally {
    let events = store::events_of(data);
    let (mut unmark, mut bytes, mut damaged) = (Unmark::default(), Vec::new(), 0_u64);
    for part in data.chunks(piece.max(1)) {
        bytes.clear();
        damaged = damaged.saturating_add(u64::from(unmark.take(part, &mut bytes).damaged));
    }
    let transactions = u64::try_from(events.len()).unwrap_or(u64::MAX);
    Tally { transactions, lines: damaged, quarantined: 0 }
}
