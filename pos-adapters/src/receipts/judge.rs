//! What a stretch of captured bytes looks like: which dialect, or that the port is set wrongly. Pure.
//!
//! A guess for the installer, from the share of readable characters and of commands that are known; never used to
//! read sales.

use super::parse::Dialect;
use super::tokens::{BEL, CAN, CR, ESC, FF, FS, GS, Grammar, HT, LF, RS, Token, Tokenizer};

/// Fewer bytes than this say nothing.
pub const BYTES_MIN: usize = 32;
/// More than this are not looked at.
pub const BYTES_MAX: usize = 256 * 1024;

/// What the bytes look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// Text that can be read.
    Readable,
    /// A printer's language with pictures and hardly any text: the till draws its receipts.
    Pictures,
    /// Noise: the port's speed is probably wrong.
    WrongSpeed,
    /// Text with a parity bit: the port should be set to 7 data bits and this parity.
    SevenBits {
        /// Even parity; else odd.
        even: bool,
    },
    /// Too little to tell.
    TooLittle,
}

/// What a stretch of bytes looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// The dialect that explains the bytes best.
    pub dialect: Dialect,
    /// Whether and how it can be read.
    pub looks: Looks,
    /// Of the bytes that are no commands and no pictures, how many are readable characters, in percent.
    pub readable_percent: u8,
    /// Commands that the dialect knows.
    pub commands: u64,
    /// Commands that it does not know, and commands with impossible lengths.
    pub unknown_commands: u64,
    /// Line breaks.
    pub lines: u64,
}

/// Looks at a stretch of bytes, best some whole tickets.
#[must_use]
pub fn judge(bytes: &[u8]) -> Judgement {
    let bytes = bytes.get(..bytes.len().min(BYTES_MAX)).unwrap_or(bytes);
    let escpos = Tally::of(bytes, Grammar::Escpos);
    let star = Tally::of(bytes, Grammar::Star { raster: false });
    let (tally, dialect) = if star.unknown < escpos.unknown && star.only_here > 0 {
        (star, Dialect::Star)
    } else if escpos.commands == 0 && escpos.unknown == 0 {
        (escpos, Dialect::Plain)
    } else if escpos.papers > 0 && escpos.papers.saturating_mul(3) >= escpos.commands {
        (escpos, Dialect::Journal)
    } else {
        (escpos, Dialect::Escpos)
    };
    let looks = if bytes.len() < BYTES_MIN {
        Looks::TooLittle
    } else if let Some(even) = parity(bytes) {
        Looks::SevenBits { even }
    } else if tally.is_noise() {
        Looks::WrongSpeed
    } else if tally.pictures > 0 && tally.readable < tally.pictures.saturating_mul(4) {
        Looks::Pictures
    } else if tally.text.saturating_add(tally.strange) == 0 {
        Looks::TooLittle
    } else {
        Looks::Readable
    };
    Judgement {
        dialect,
        looks,
        readable_percent: percent(tally.readable, tally.text.saturating_add(tally.strange)),
        commands: tally.commands,
        unknown_commands: tally.unknown,
        lines: tally.lines,
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Bytes outside of commands, and those of them that a person would expect on paper.
    text: u64,
    readable: u64,
    /// Control bytes without a meaning.
    strange: u64,
    commands: u64,
    unknown: u64,
    /// Commands that other dialects do not have.
    only_here: u64,
    /// `ESC c 0`, with which journal ports begin their lines.
    papers: u64,
    pictures: u64,
    lines: u64,
}

impl Tally {
    fn of(bytes: &[u8], grammar: Grammar) -> Self {
        let mut tally = Self::default();
        let mut tokenizer = Tokenizer::new(grammar, 0);
        tokenizer.push(bytes, &mut |token: Token<'_>, _| tally.take(token));
        tally
    }

    fn take(&mut self, token: Token<'_>) {
        let more = |count: &mut u64| *count = count.saturating_add(1);
        match token {
            Token::Text(text) => {
                let ascii = text.iter().filter(|byte| matches!(byte, 0x20..=0x7e)).count();
                // Letters of code pages stand between readable ones, and box lines repeat themselves; noise does neither.
                let line = text.windows(2).filter(|pair| matches!(pair, [a, b] if a == b && *a >= 0x80)).count();
                let known = ascii.saturating_add(line);
                let readable = if known.saturating_mul(3) >= text.len() { text.len() } else { known };
                self.text = self.text.saturating_add(u64::try_from(text.len()).unwrap_or_default());
                self.readable = self.readable.saturating_add(u64::try_from(readable).unwrap_or_default());
            }
            Token::Control(LF) => more(&mut self.lines),
            Token::Control(0 | HT | CR | FF | BEL | CAN | FS | 0x11 | 0x13) => {}
            Token::Control(_) => more(&mut self.strange),
            Token::Command(command) => {
                more(&mut self.commands);
                match command {
                    [ESC, b'c', b'0', ..] => more(&mut self.papers),
                    [ESC, GS | RS, ..] | [ESC, b'*', b'r', ..] | [ESC, b'i', _, _] | [ESC, b'E' | b'F'] => {
                        more(&mut self.only_here)
                    }
                    [GS, b'v' | b'Q' | b'8', ..]
                    | [ESC, b'*' | b'k' | b'X' | b'K' | b'L', _, ..]
                    | [b'b' | b'k', ..] => {
                        more(&mut self.pictures);
                    }
                    [GS, b'(', b'L', ..] => more(&mut self.pictures),
                    _ => {}
                }
            }
            Token::Unknown(_) => more(&mut self.unknown),
            Token::Lost(_) => self.unknown = self.unknown.saturating_add(4),
        }
    }

    /// At a wrong speed most bytes are control bytes or have their top bit set, and commands are there by chance.
    fn is_noise(&self) -> bool {
        let outside = self.text.saturating_add(self.strange);
        let unreadable = outside.saturating_sub(self.readable).saturating_add(self.unknown);
        let by_chance = self.unknown > 2 && self.unknown.saturating_mul(3) > self.commands;
        percent(unreadable, outside.saturating_add(self.unknown)) > 40
            || (by_chance && percent(self.readable, outside) < 80)
    }
}

/// Whether the bytes are readable without their top bit, and that bit makes the number of ones even, or odd.
fn parity(bytes: &[u8]) -> Option<bool> {
    let high = bytes.iter().filter(|byte| **byte >= 0x80).count();
    let readable = bytes.iter().filter(|byte| matches!(**byte & 0x7f, 0x20..=0x7e | LF | CR)).count();
    if high.saturating_mul(5) < bytes.len() || readable.saturating_mul(10) < bytes.len().saturating_mul(9) {
        return None;
    }
    let even = bytes.iter().filter(|byte| byte.count_ones().is_multiple_of(2)).count();
    match percent(u64::try_from(even).unwrap_or_default(), u64::try_from(bytes.len()).unwrap_or_default()) {
        98..=100 => Some(true),
        0..=2 => Some(false),
        _ => None,
    }
}

fn percent(part: u64, whole: u64) -> u8 {
    u8::try_from(part.saturating_mul(100).checked_div(whole).unwrap_or_default().min(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESCPOS: &[u8] = b"\x1b@\x1ba\x01Corner shop\n\x1b!\x00Tea      2  3.00\n\x1bE\x01TOTAL 3.00\n\x1bE\x00\x1dV0";

    #[test]
    fn dialects_are_told_apart() {
        check(ESCPOS, Dialect::Escpos, Looks::Readable);
        check(
            b"\x1b@\x1b\x1ea\x00Corner shop\n\x1bi\x00\x01\x1bETOTAL 3.00\x1bF\n\x1b\x1dA\x30\x00thank you\n\x1bd3",
            Dialect::Star,
            Looks::Readable,
        );
        check(&b"\x1bc0\x01\x1b!\x0001/02/26 10:00:00 L Tea 3.00\n".repeat(3), Dialect::Journal, Looks::Readable);
        check(b"Corner shop\r\nTea 3.00\r\nTOTAL 3.00\r\nThank you for coming\r\n", Dialect::Plain, Looks::Readable);
    }

    #[test]
    fn pictures_are_named() {
        let mut stream = b"\x1b@".to_vec();
        for _ in 0..20 {
            stream.extend(b"\x1b*!\x30\x00");
            stream.extend([0x55; 144]);
            stream.push(b'\n');
        }
        check(&stream, Dialect::Escpos, Looks::Pictures);
    }

    #[test]
    fn a_wrong_speed_is_recognised_whatever_it_does_to_the_bits() {
        for (sent, heard) in
            [(9600, 19_200), (9600, 38_400), (19_200, 9600), (38_400, 9600), (115_200, 9600), (9600, 115_200)]
        {
            let noise = heard_at(&ESCPOS.repeat(12), sent, heard);
            let judged = judge(&noise);
            assert_eq!(judged.looks, Looks::WrongSpeed, "{sent} heard at {heard}: {judged:?}");
        }
        assert_eq!(heard_at(ESCPOS, 9600, 9600), ESCPOS);
    }

    #[test]
    fn a_parity_bit_is_recognised() {
        let text = b"CORNER SHOP\r\nTEA 3.00\r\nMILK 1.20\r\nTOTAL 4.20\r\n";
        for even in [true, false] {
            let sent: Vec<u8> =
                text.iter().map(|b| if (b.count_ones() % 2 == 1) == even { b | 0x80 } else { *b }).collect();
            assert_eq!(judge(&sent).looks, Looks::SevenBits { even });
        }
    }

    #[test]
    fn code_pages_and_box_lines_are_no_noise() {
        let boxes =
            [&b"\x1bt\x01\x9c"[..], &[0x95; 40], b"\x9d\n\x1bt\x00Caf\x82  2.00\nTOTAL 2.00\nThank you for coming\n"]
                .concat();
        check(&boxes.repeat(3), Dialect::Escpos, Looks::Readable);
        assert_eq!(judge(b"\x1b@").looks, Looks::TooLittle);
    }

    fn check(bytes: &[u8], dialect: Dialect, looks: Looks) {
        let judged = judge(bytes);
        assert_eq!((judged.dialect, judged.looks), (dialect, looks), "{judged:?}");
        assert_eq!(judged.unknown_commands, 0, "{judged:?}");
    }

    /// What a receiver set to `heard` bits a second makes of bytes sent at `sent`, 8N1: a start bit, eight bits from
    /// the lowest, a stop bit, sampled in the middle of each bit.
    fn heard_at(bytes: &[u8], sent: u64, heard: u64) -> Vec<u8> {
        let bits: Vec<bool> =
            bytes.iter().flat_map(|b| (0..10).map(move |n| n == 9 || (n > 0 && b >> (n - 1) & 1 == 1))).collect();
        // Times in units of 1 / (2 * sent * heard) seconds.
        let level = |time: u64| bits.get(usize::try_from(time / (2 * heard)).unwrap()).copied();
        let (mut at, mut found) = (0, Vec::new());
        while let Some(high) = level(at) {
            if high {
                at = (at / (2 * heard) + 1) * (2 * heard);
                continue;
            }
            let sample = |n: u64| level(at + n * 2 * sent + sent).unwrap_or(true);
            found.push((0..8).map(|n| u8::from(sample(n + 1)) << n).sum());
            at += 9 * 2 * sent + sent;
        }
        found
    }
}
