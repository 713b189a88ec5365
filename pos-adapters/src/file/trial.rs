//! The reading of appended files behind [`crate::trial`], without a file: bytes arrive in pieces, and what is complete
//! is taken as the reader takes it.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::cursor::JournalState;
use super::journal::{BLOCK_BYTES, Block, Tracked, to_u64, to_usize};
use super::plan::Plan;
use super::settings::{Columns, FileKind, FileSettings, Format, OneOrMore, Pattern, Profile, Signs, StatusWords};
use crate::trial::Tally;

pub(crate) fn csv(data: &[u8], piece: usize) -> Tally {
    follow(settings(Format::Csv, None), data, piece)
}

pub(crate) fn json_lines(data: &[u8], piece: usize) -> Tally {
    follow(settings(Format::Jsonl, None), data, piece)
}

/// One object a ticket, its lines in an array.
pub(crate) fn json_tickets(data: &[u8], piece: usize) -> Tally {
    follow(settings(Format::Jsonl, Some("lines")), data, piece)
}

fn settings(format: Format, items: Option<&str>) -> FileSettings {
    let named = |name: &str| Some(name.to_owned());
    FileSettings {
        name: "trial".to_owned(),
        kind: FileKind::File,
        path: "sales".to_owned(),
        format: Some(format),
        profile: Profile::Generic,
        pattern: Some(Pattern::Journal),
        encoding: None,
        delimiter: None,
        decimal: None,
        date_order: None,
        timezone: None,
        scan: None,
        settle: None,
        header: None,
        vanished: None,
        vanish_limit: None,
        columns: Columns {
            transaction: Some(OneOrMore::One("transaction".to_owned())),
            register: named("register"),
            sku: named("sku"),
            quantity: named("quantity"),
            sold_at: named("sold_at"),
            items: items.map(str::to_owned),
            ..Columns::default()
        },
        signs: Signs::default(),
        status: StatusWords::default(),
        ignore: Vec::new(),
    }
}

fn follow(settings: FileSettings, data: &[u8], piece: usize) -> Tally {
    let mut tally = Tally::default();
    let Ok(plan) = Plan::new(settings, TimeZone::UTC) else { return tally };
    let plan = Arc::new(plan);
    let mut tracked = Tracked::new("trial".to_owned(), JournalState::default());
    let (mut arrived, mut settled) = (0_usize, false);
    loop {
        let offset = to_usize(tracked.state.offset);
        let end = arrived.min(offset.saturating_add(BLOCK_BYTES));
        let block = Block {
            plan: &plan,
            elsewhere: &[],
            data: data.get(offset..end).unwrap_or_default(),
            at_end: end >= arrived,
            settled,
        };
        let read = if offset < end { block.read(&mut tracked) } else { None };
        if let Some(chunk) = &read {
            tally.transactions = tally.transactions.saturating_add(to_u64(chunk.transactions.len()));
            let lines = chunk.transactions.iter().map(|transaction| transaction.lines.len()).sum();
            tally.lines = tally.lines.saturating_add(to_u64(lines));
            let quarantined = chunk.quarantined.iter().map(|record| u64::from(record.records)).sum();
            tally.quarantined = tally.quarantined.saturating_add(quarantined);
        }
        if to_usize(tracked.state.offset) > offset {
            settled = false;
        } else if arrived < data.len() {
            arrived = arrived.saturating_add(piece.max(1)).min(data.len());
        } else if settled {
            return tally;
        } else {
            settled = true;
        }
    }
}
