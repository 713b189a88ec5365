//! A batch as bytes, written by hand: this is done for every line of every store, and nothing of it needs a tree.

use sync_core::model::{IdempotencyKey, Quantity, StoreId, Timestamp, TransactionStatus};

use crate::platform::{Change, Ticket};

/// Bytes of a usual change, for the first allocation.
const CHANGE_BYTES_USUAL: usize = 160;
const MICROS_PER_UNIT: u64 = 1_000_000;
const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The body of DESIGN section 6: decimals as text, `null` for what is not known. The same batch gives the same
/// bytes.
pub(super) fn body(store: &StoreId, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
    let mut out = Vec::with_capacity(changes.len().saturating_mul(CHANGE_BYTES_USUAL).saturating_add(128));
    out.extend_from_slice(b"{\"batch\":");
    text(&mut out, key.as_str());
    out.extend_from_slice(b",\"store\":");
    text(&mut out, store.as_str());
    out.extend_from_slice(b",\"changes\":[");
    for (index, one) in changes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        change(&mut out, one);
    }
    out.extend_from_slice(b"]}");
    out
}

/// The body of a batch of whole tickets: what the receiving ledger compares with what it knows. Only lines that move
/// stock are sent; the others are on record here. The same batch gives the same bytes.
pub(super) fn tickets(store: &StoreId, key: &IdempotencyKey, tickets: &[Ticket], changes: &[Change]) -> Vec<u8> {
    let mut out = Vec::with_capacity(tickets.len().saturating_mul(2 * CHANGE_BYTES_USUAL).saturating_add(128));
    out.extend_from_slice(b"{\"batch\":");
    text(&mut out, key.as_str());
    out.extend_from_slice(b",\"store\":");
    text(&mut out, store.as_str());
    out.extend_from_slice(b",\"transactions\":[");
    for (index, one) in tickets.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        ticket(&mut out, one);
    }
    out.extend_from_slice(b"],\"changes\":[");
    for (index, one) in changes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        change(&mut out, one);
    }
    out.extend_from_slice(b"]}");
    out
}

fn ticket(out: &mut Vec<u8>, ticket: &Ticket) {
    out.extend_from_slice(b"{\"source\":");
    text(out, &ticket.source);
    out.extend_from_slice(b",\"transaction\":");
    text(out, &ticket.key);
    out.extend_from_slice(b",\"register\":");
    text(out, &ticket.register);
    out.extend_from_slice(b",\"sold_at\":");
    match ticket.sold_at {
        Some(sold_at) => time(out, sold_at),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"status\":");
    let status = match ticket.status {
        TransactionStatus::Completed => "completed",
        TransactionStatus::Cancelled | TransactionStatus::Vanished => "cancelled",
        TransactionStatus::Suspended => "suspended",
        TransactionStatus::Training => "training",
    };
    text(out, status);
    if let Some(order) = &ticket.online_order {
        out.extend_from_slice(b",\"online_order\":");
        text(out, order);
    }
    out.extend_from_slice(b",\"lines\":[");
    let moving = ticket.lines.iter().filter(|line| line.ignored.is_none() && !line.delta.is_zero());
    for (index, line) in moving.enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"sku\":" } else { b",{\"sku\":" });
        text(out, line.sku.as_str());
        out.extend_from_slice(b",\"delta\":");
        quantity(out, line.delta);
        out.extend_from_slice(b",\"kind\":");
        text(out, line.kind.as_str());
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

fn change(out: &mut Vec<u8>, change: &Change) {
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(itoa::Buffer::new().format(change.entry.0).as_bytes());
    out.extend_from_slice(b"\",\"sku\":");
    text(out, change.sku.as_str());
    out.extend_from_slice(b",\"delta\":");
    quantity(out, change.delta);
    out.extend_from_slice(b",\"on_hand\":");
    match change.on_hand {
        Some(on_hand) => quantity(out, on_hand),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"transaction\":");
    match &change.transaction {
        Some(transaction) => text(out, transaction),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"sold_at\":");
    match change.sold_at {
        Some(sold_at) => time(out, sold_at),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"kind\":");
    text(out, change.kind);
    out.push(b'}');
}

/// A JSON string.
fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    if text.as_bytes().iter().all(plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0x00..=0x1f => {
                    out.extend_from_slice(b"\\u00");
                    out.extend_from_slice(&[hex(byte >> 4), hex(byte & 0x0f)]);
                }
                other => out.push(other),
            }
        }
    }
    out.push(b'"');
}

const fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// `"-2"`, `"0.25"`.
fn quantity(out: &mut Vec<u8>, quantity: Quantity) {
    out.push(b'"');
    if quantity.is_negative() {
        out.push(b'-');
    }
    let micros = quantity.micros().unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(micros / MICROS_PER_UNIT).as_bytes());
    fraction(out, micros % MICROS_PER_UNIT);
    out.push(b'"');
}

/// Millionths behind a point, without zeros at the end; nothing for zero.
fn fraction(out: &mut Vec<u8>, mut micros: u64) {
    if micros == 0 {
        return;
    }
    out.push(b'.');
    let mut place = MICROS_PER_UNIT / 10;
    while micros > 0 {
        out.push(digit(micros / place));
        micros %= place;
        place /= 10;
    }
}

/// RFC 3339 in UTC.
fn time(out: &mut Vec<u8>, at: Timestamp) {
    let seconds = at.0.div_euclid(MICROS_PER_SECOND);
    let (year, month, day) = civil(seconds.div_euclid(SECONDS_PER_DAY));
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY).unsigned_abs();
    out.push(b'"');
    digits(out, year, 1000);
    out.push(b'-');
    digits(out, month, 10);
    out.push(b'-');
    digits(out, day, 10);
    out.push(b'T');
    digits(out, of_day / 3600, 10);
    out.push(b':');
    digits(out, of_day / 60 % 60, 10);
    out.push(b':');
    digits(out, of_day % 60, 10);
    fraction(out, at.0.rem_euclid(MICROS_PER_SECOND).unsigned_abs());
    out.extend_from_slice(b"Z\"");
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar. Years run from March, in eras of 400.
fn civil(days: i64) -> (u64, u64, u64) {
    // 0000-03-01 to 9999-12-31: RFC 3339 has four digits for a year.
    let from_march = days.clamp(-719_468, 2_932_896) + 719_468;
    let (era, day_of_era) = (from_march / 146_097, from_march % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year.unsigned_abs(), month.unsigned_abs(), day.unsigned_abs())
}

/// All places from `place` down, zeros included.
fn digits(out: &mut Vec<u8>, value: u64, mut place: u64) {
    while place > 0 {
        out.push(digit(value / place % 10));
        place /= 10;
    }
}

fn digit(value: u64) -> u8 {
    b'0' + u8::try_from(value % 10).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sync_core::model::{EntryId, Sku};

    use super::*;

    fn sale() -> Change {
        Change {
            entry: EntryId(7),
            sku: Sku::from("TEA-1"),
            target: None,
            delta: Quantity::from_micros(-2_000_000),
            units: -2,
            on_hand: Quantity::from_units(17),
            transaction: Some("main|3|1001".to_owned()),
            sold_at: Some(Timestamp(1_795_428_000_000_000)),
            kind: "sale",
        }
    }

    #[test]
    fn a_batch_is_written_as_promised() {
        let merged =
            Change { entry: EntryId(8), transaction: None, on_hand: None, sold_at: None, kind: "mixed", ..sale() };
        let bytes = body(&StoreId::from("harbour"), &IdempotencyKey::from("k-1"), &[sale(), merged]);
        let expected = concat!(
            r#"{"batch":"k-1","store":"harbour","changes":["#,
            r#"{"id":"7","sku":"TEA-1","delta":"-2","on_hand":"17","transaction":"main|3|1001","#,
            r#""sold_at":"2026-11-23T10:00:00Z","kind":"sale"},"#,
            r#"{"id":"8","sku":"TEA-1","delta":"-2","on_hand":null,"transaction":null,"sold_at":null,"kind":"mixed"}]}"#,
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_ticket_is_written_whole_without_what_moves_nothing() {
        use sync_core::model::{LineItem, LineKind, RuleName};
        let line = |sku: &str, micros, ignored| LineItem {
            sku: Sku::from(sku),
            delta: Quantity::from_micros(micros),
            kind: LineKind::Sale,
            ignored,
        };
        let ticket = Ticket {
            online_order: None,
            source: "R1".to_owned(),
            key: "main|3|1001".to_owned(),
            register: "3".to_owned(),
            sold_at: None,
            status: TransactionStatus::Vanished,
            lines: vec![
                line("TEA-1", -2_000_000, None),
                line("DEPOSIT", -1_000_000, Some(RuleName::from("deposit"))),
                line("A\"", -500_000, None),
            ],
        };
        let bytes = tickets(&StoreId::from("harbour"), &IdempotencyKey::from("k-1"), &[ticket], &[]);
        let expected = concat!(
            r#"{"batch":"k-1","store":"harbour","transactions":[{"source":"R1","transaction":"main|3|1001","#,
            r#""register":"3","sold_at":null,"status":"cancelled","lines":[{"sku":"TEA-1","delta":"-2","kind":"sale"},"#,
            r#"{"sku":"A\"","delta":"-0.5","kind":"sale"}]}],"changes":[]}"#,
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
        let read = pos_adapters::pushed::parse::posted(&bytes).unwrap();
        assert!(read.transactions.iter().all(Result::is_ok) && read.transactions.len() == 1, "{read:?}");
    }

    #[test]
    fn any_text_is_legal_json() {
        for sku in ["plain", "quo\"te", "back\\slash", "tab\tline\nend\r", "\u{0}\u{1f}\u{7f}", "Käse 200 g", "🍎"] {
            let mut out = Vec::new();
            text(&mut out, sku);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), sku);
        }
    }

    #[test]
    fn quantities_and_times_agree_with_the_slow_way() {
        for micros in [0, 1, -1, 250_000, -300_000, 1_999_999, 123_456_789, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            quantity(&mut out, Quantity::from_micros(micros));
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{}\"", Quantity::from_micros(micros)));
        }
        for micros in [0, -1, 951_782_400_000_000, 951_868_799_999_999, 1_709_164_800_500_000, 4_107_542_400_000_000] {
            let mut out = Vec::new();
            time(&mut out, Timestamp(micros));
            let expected = jiff::Timestamp::from_microsecond(micros).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{expected}\""));
        }
    }
}
