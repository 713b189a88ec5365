//! The grammar of Star line mode: how long each command is.
//!
//! It shares bytes with ESC/POS and means other things by them: bold (`ESC E`) has no parameter, `ESC d` cuts, `ESC i`
//! sets the size, and a lone FS opens the drawer. After Star's line mode command manual.

use super::{BEL, Block, ESC, FF, FS, GS, Items, RS, Shape, params, word};

/// Most tab stops, and a little for other lists that end with NUL.
const LIST_MAX: usize = 33;
/// Longest barcode.
const BARCODE_MAX: usize = 255;
/// Dots of one row of a bit image of three bytes.
const STRIPE_DOTS: u64 = 24;

pub(super) fn shape(head: &[u8]) -> Shape {
    match head {
        [ESC, GS, rest @ ..] => extended(rest),
        [ESC, rest @ ..] => esc(rest),
        // Rows of a picture, in raster mode.
        [b'b' | b'k', low, high, ..] => Shape::Picture(word(*low, *high)),
        [b'b' | b'k'] | [b'b' | b'k', _] => Shape::More,
        _ => Shape::Unknown,
    }
}

fn esc(rest: &[u8]) -> Shape {
    match rest {
        [
            b'@' | b'E' | b'F' | b'G' | b'H' | b'4' | b'5' | b'0' | b'1' | b'2' | b'M' | b'P' | b':' | b'<' | b'O'
            | b'p' | b'q',
            ..,
        ] => Shape::Done,
        [
            b'-' | b'_' | b' ' | b'W' | b'h' | b'R' | b'd' | b'a' | b'J' | b'I' | b'l' | b'Q' | b'z' | b'3' | b'A'
            | b'y' | b'N' | b'$' | b'%' | b'u' | FF | 0x06,
            p @ ..,
        ] => params(1, p),
        [b'i' | b's' | b't' | BEL, p @ ..] => params(2, p),
        [RS, b'A'..=b'Z' | b'a'..=b'z', p @ ..] => params(1, p),
        // Page length in lines, or after a NUL in inches.
        [b'C', 0, p @ ..] => params(1, p),
        [b'C', p @ ..] => params(1, p),
        [b'D' | b'B'] => Shape::List { end: 0, max: LIST_MAX, items: Items::Ascending },
        [b'#'] => Shape::List { end: 0, max: LIST_MAX, items: Items::Any },
        [b'b', _, _, _, _] => Shape::List { end: RS, max: BARCODE_MAX, items: Items::Any },
        [b'k', low, high, ..] => Shape::Picture(word(*low, *high).saturating_mul(STRIPE_DOTS)),
        [b'X', low, high, ..] => Shape::Picture(word(*low, *high).saturating_mul(3)),
        [b'K' | b'L', low, high, ..] => Shape::Picture(word(*low, *high)),
        [b'*', b'r', b'A' | b'B' | b'C' | b'R', ..] => Shape::Done,
        [b'*', b'r', b'a'..=b'z' | b'D'..=b'Q' | b'S'..=b'Z'] => {
            Shape::List { end: 0, max: LIST_MAX, items: Items::Any }
        }
        [FS, b'p', p @ ..] => params(2, p),
        [FS, b'q', count, ..] => Shape::Series { blocks: u16::from(*count), block: Block::Image },
        [] | [RS | b'*' | FS] | [b'*', b'r'] | [FS, b'q'] => Shape::More,
        [b'b', p @ ..] if p.len() < 4 => Shape::More,
        [b'k' | b'X' | b'K' | b'L', p @ ..] if p.len() < 2 => Shape::More,
        _ => Shape::Unknown,
    }
}

/// Commands that begin with `ESC GS`.
fn extended(rest: &[u8]) -> Shape {
    match rest {
        [b'a' | b't' | b'b', p @ ..] => params(1, p),
        [b'A' | b'R', p @ ..] => params(2, p),
        [0x03 | BEL, p @ ..] => params(3, p),
        [0x19, 0x11..=0x14, p @ ..] => params(3, p),
        [b'y', p @ ..] => qr(p),
        [b'x', p @ ..] => pdf417(p),
        [b'P', p @ ..] => page(p),
        [b'S', _, xl, xh, yl, yh, _, ..] => Shape::Picture(word(*xl, *xh).saturating_mul(word(*yl, *yh))),
        [b'S', p @ ..] if p.len() < 6 => Shape::More,
        [b'(' | b')', b'A'..=b'Z' | b'a'..=b'z', low, high, ..] => Shape::Data(word(*low, *high)),
        [b'(' | b')', p @ ..] if p.len() < 3 => Shape::More,
        [] | [0x19] => Shape::More,
        _ => Shape::Unknown,
    }
}

fn qr(rest: &[u8]) -> Shape {
    match rest {
        [b'P' | b'I', ..] => Shape::Done,
        [b'S', b'0' | b'1' | b'2', p @ ..] => params(1, p),
        [b'D', b'1' | b'2', _, low, high, ..] => Shape::Data(word(*low, *high)),
        [] | [b'S'] => Shape::More,
        [b'D', p @ ..] if p.len() < 4 => Shape::More,
        _ => Shape::Unknown,
    }
}

fn pdf417(rest: &[u8]) -> Shape {
    match rest {
        [b'P' | b'I', ..] => Shape::Done,
        [b'S', b'0', p @ ..] => params(3, p),
        [b'S', b'1' | b'2' | b'3', p @ ..] => params(1, p),
        [b'D', low, high, ..] => Shape::Data(word(*low, *high)),
        [] | [b'S'] => Shape::More,
        [b'D', p @ ..] if p.len() < 2 => Shape::More,
        _ => Shape::Unknown,
    }
}

/// Page mode of newer printers.
fn page(rest: &[u8]) -> Shape {
    match rest {
        [] => Shape::More,
        [b'0' | b'1' | b'6' | b'7' | b'8', ..] => Shape::Done,
        [b'2', p @ ..] => params(1, p),
        [b'3', p @ ..] => params(8, p),
        [b'4' | b'5', p @ ..] => params(2, p),
        _ => Shape::Unknown,
    }
}
