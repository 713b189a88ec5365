//! Captures of a line for [`crate::trial`].

use crate::trial::Tally;

/// What a line's own files and its driver may hold: `data` as one segment of a capture, and as bytes with the driver's
/// marks. Tells events as transactions, and damaged bytes as lines.
pub(crate) fn captured_line(data: &[u8], piece: usize) -> Tally {
    let events = super::store::events_of(data);
    let (mut unmark, mut bytes, mut damaged) = (super::port::Unmark::default(), Vec::new(), 0_u64);
    for part in data.chunks(piece.max(1)) {
        bytes.clear();
        damaged = damaged.saturating_add(u64::from(unmark.take(part, &mut bytes).damaged));
    }
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    Tally { transactions: count(events.len()), lines: damaged, quarantined: 0 }
}
