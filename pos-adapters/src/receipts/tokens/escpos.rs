//! The grammar of ESC/POS: how long each command is.
//!
//! After Epson's command reference, with what other makers' printers and real captures add. A command that is not
//! here is unknown, which shows as a count: better than a wrong length that eats or invents text.

use super::{Block, DLE, ESC, FF, FS, GS, Items, Shape, params, word};

/// Most tab stops that a printer has.
const STOPS_MAX: usize = 32;
/// Longest barcode.
const BARCODE_MAX: usize = 255;
/// Widest row of a bit image, in columns of dots.
const COLUMNS_MAX: u64 = 4096;
/// Longest `GS C ;` command: five numbers of up to five digits.
const COUNTER_MAX: usize = 32;

pub(super) fn shape(head: &[u8]) -> Shape {
    match head {
        [ESC, rest @ ..] => esc(rest),
        [FS, rest @ ..] => fs(rest),
        [GS, rest @ ..] => gs(rest),
        [DLE, rest @ ..] => dle(rest),
        _ => Shape::Unknown,
    }
}

fn esc(rest: &[u8]) -> Shape {
    match rest {
        [b'@' | b'2' | b'<' | b'L' | b'S' | b'v' | b'i' | b'm' | FF, ..] => Shape::Done,
        [
            b' ' | b'!' | b'%' | b'-' | b'3' | b'=' | b'?' | b'E' | b'G' | b'J' | b'K' | b'M' | b'R' | b'T' | b'U'
            | b'V' | b'a' | b'd' | b'e' | b'r' | b't' | b'u' | b'{',
            p @ ..,
        ] => params(1, p),
        [b'$' | b'\\', p @ ..] => params(2, p),
        [b'p', p @ ..] => params(3, p),
        [b'W', p @ ..] => params(8, p),
        [b'c', b'0' | b'1' | b'3' | b'4' | b'5', p @ ..] => params(1, p),
        [b'D'] => Shape::List { end: 0, max: STOPS_MAX.saturating_add(1), items: Items::Ascending },
        [b'(', b'A'..=b'Z', low, high, ..] => Shape::Data(word(*low, *high)),
        [b'*', mode, low, high, ..] => match (word(*low, *high), *mode) {
            (columns, 0 | 1) if columns <= COLUMNS_MAX => Shape::Picture(columns),
            (columns, 32 | 33) if columns <= COLUMNS_MAX => Shape::Picture(columns.saturating_mul(3)),
            _ => Shape::Unknown,
        },
        [b'&', rows, first, last, ..] if *rows <= 4 && first <= last => Shape::Series {
            blocks: u16::from(*last).saturating_sub(u16::from(*first)).saturating_add(1),
            block: Block::Character { rows: *rows },
        },
        [] | [b'c'] | [b'('] | [b'(', b'A'..=b'Z'] | [b'(', b'A'..=b'Z', _] => Shape::More,
        [b'*' | b'&', p @ ..] if p.len() < 3 => Shape::More,
        _ => Shape::Unknown,
    }
}

fn fs(rest: &[u8]) -> Shape {
    match rest {
        [b'&' | b'.', ..] => Shape::Done,
        [b'!' | b'-' | b'W' | b'C', p @ ..] => params(1, p),
        [b'S' | b'p' | b'?', p @ ..] => params(2, p),
        [b'2', p @ ..] if p.len() < 2 => Shape::More,
        [b'2', ..] => Shape::Data(72),
        [b'q', count, ..] => Shape::Series { blocks: u16::from(*count), block: Block::Image },
        [b'(', b'A'..=b'Z', low, high, ..] => Shape::Data(word(*low, *high)),
        // Write to or read from the user memory.
        [b'g', b'1', _, _, _, _, _, low, high, ..] => Shape::Data(word(*low, *high)),
        [b'g', b'2', p @ ..] => params(7, p),
        [b'g', b'1', p @ ..] if p.len() < 7 => Shape::More,
        [] | [b'q' | b'g' | b'('] | [b'(', b'A'..=b'Z'] | [b'(', b'A'..=b'Z', _] => Shape::More,
        _ => Shape::Unknown,
    }
}

fn gs(rest: &[u8]) -> Shape {
    match rest {
        [b':' | b'c', ..] => Shape::Done,
        [b'!' | b'B' | b'E' | b'H' | b'I' | b'T' | b'a' | b'b' | b'f' | b'h' | b'j' | b'r' | b'w' | b'/', p @ ..] => {
            params(1, p)
        }
        [b'$' | b'L' | b'P' | b'W' | b'\\', p @ ..] => params(2, p),
        [b'^', p @ ..] => params(3, p),
        [b'z', b'0', p @ ..] => params(2, p),
        [b'g', b'0' | b'2', p @ ..] => params(3, p),
        [b'V', p @ ..] => cut(p),
        [b'k', p @ ..] => barcode(p),
        [b'C', p @ ..] => counter(p),
        [b'*', x, y, ..] => Shape::Picture(u64::from(*x).saturating_mul(u64::from(*y)).saturating_mul(8)),
        [b'v', b'0', _, xl, xh, yl, yh, ..] => Shape::Picture(word(*xl, *xh).saturating_mul(word(*yl, *yh))),
        [b'Q', b'0', _, xl, xh, yl, yh, ..] => Shape::Picture(word(*xl, *xh).saturating_mul(word(*yl, *yh))),
        [b'(', b'A'..=b'Z' | b'a'..=b'z', low, high, ..] => Shape::Data(word(*low, *high)),
        [b'8', b'L', a, b, c, d, ..] => Shape::Picture(u64::from(u32::from_le_bytes([*a, *b, *c, *d]))),
        [] | [b'z' | b'g' | b'*' | b'v' | b'Q' | b'(' | b'8'] | [b'*', _] => Shape::More,
        [b'v' | b'Q', b'0', p @ ..] if p.len() < 5 => Shape::More,
        [b'(', b'A'..=b'Z' | b'a'..=b'z', p @ ..] if p.len() < 2 => Shape::More,
        [b'8', b'L', p @ ..] if p.len() < 4 => Shape::More,
        _ => Shape::Unknown,
    }
}

fn cut(rest: &[u8]) -> Shape {
    match rest {
        [] => Shape::More,
        [0 | 1 | b'0' | b'1', ..] => Shape::Done,
        [65 | 66 | 97 | 98 | 103 | 104, p @ ..] => params(1, p),
        _ => Shape::Unknown,
    }
}

/// The older form ends with NUL, the newer one tells its length.
fn barcode(rest: &[u8]) -> Shape {
    match rest {
        [] | [65..=79] => Shape::More,
        [0..=6] => Shape::List { end: 0, max: BARCODE_MAX, items: Items::Printable },
        [65..=79, length, ..] => Shape::Data(u64::from(*length)),
        _ => Shape::Unknown,
    }
}

/// Serial number counter.
fn counter(rest: &[u8]) -> Shape {
    match rest {
        [] => Shape::More,
        [0 | b'0' | 2 | b'2', p @ ..] => params(2, p),
        [1 | b'1', p @ ..] => params(6, p),
        [b';', p @ ..] if p.len() <= COUNTER_MAX && p.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';')) => {
            if p.iter().filter(|byte| **byte == b';').count() < 5 { Shape::More } else { Shape::Done }
        }
        _ => Shape::Unknown,
    }
}

/// Commands that the printer obeys at once, whatever it is doing.
fn dle(rest: &[u8]) -> Shape {
    match rest {
        [0x04, 7 | 8 | 18, p @ ..] => params(1, p),
        [0x04, 1..=6, ..] | [0x05, _, ..] => Shape::Done,
        [0x14, 1 | 2, p @ ..] => params(2, p),
        [0x14, 8, p @ ..] => params(7, p),
        // The switch for the status bar of newer printers, and clearing of buffers, have the same length as a pulse.
        [0x14, 3 | 7, p @ ..] => params(1, p),
        [] | [0x04 | 0x05 | 0x14] => Shape::More,
        _ => Shape::Unknown,
    }
}
