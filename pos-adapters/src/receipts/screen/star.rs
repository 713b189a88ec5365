//! Star line mode commands, obeyed.

use super::escpos::{alignment, number};
use super::{FONT_A, FONT_B, Page, Screen};
use crate::receipts::codepage;
use crate::receipts::codes;
use crate::receipts::tokens::{ESC, FS, GS, RS};

impl Screen {
    pub(super) fn star(&mut self, command: &[u8], span: (u64, u64)) {
        match command {
            [ESC, GS, rest @ ..] => self.star_extended(rest),
            [ESC, rest @ ..] => self.star_esc(rest, span),
            // A row of a picture in raster mode.
            [b'b' | b'k', ..] => self.picture(),
            _ => {}
        }
    }

    /// Controls that only Star printers obey.
    pub(super) fn star_control(&mut self, byte: u8) {
        match byte {
            0x0e => self.restyle(|style| style.wide = 2),
            0x14 => self.restyle(|style| style.wide = 1),
            0x0f => {
                self.flush();
                self.upside_down = true;
            }
            0x12 => {
                self.flush();
                self.upside_down = false;
            }
            _ => {}
        }
    }

    fn star_esc(&mut self, rest: &[u8], span: (u64, u64)) {
        match rest {
            [b'@'] => self.reset(),
            [b'E' | b'G'] => self.restyle(|style| style.bold = true),
            [b'F' | b'H'] => self.restyle(|style| style.bold = false),
            [b'i', tall, wide] => {
                let (tall, wide) = (times(*tall), times(*wide));
                self.restyle(|style| (style.tall, style.wide) = (tall, wide));
            }
            [b'W', n] => {
                let wide = times(*n);
                self.restyle(|style| style.wide = wide);
            }
            [b'h', n] => {
                let tall = times(*n);
                self.restyle(|style| style.tall = tall);
            }
            [b' ', n] => self.restyle(|style| style.space = u32::from(digit(*n))),
            [b'M'] => self.restyle(|style| style.cell = FONT_A),
            [b'P'] => self.restyle(|style| style.cell = FONT_A.saturating_add(FONT_A.div_euclid(4))),
            [RS, b'F', n] => self.restyle(|style| style.cell = if digit(*n) == 0 { FONT_A } else { FONT_B }),
            [b'R', n] => self.restyle(|style| style.set = digit(*n)),
            [b'd', _] => self.cut(span),
            [b'a' | b'J' | b'I', _] => self.break_row(span.0),
            [b'l', columns] => {
                let pitch = self.pitch();
                self.set_margin(u32::from(*columns).saturating_mul(pitch));
            }
            [b'D', stops @ ..] => self.set_stops(stops.strip_suffix(&[0]).unwrap_or(stops)),
            [b'b', kind, _, _, _, data @ ..] => {
                let data = data.strip_suffix(&[RS]).unwrap_or(data);
                let kind = codes::star_kind(*kind);
                self.code(kind, if kind == "code128" { codes::code128(data) } else { codes::plain(data) });
            }
            [b'k' | b'X' | b'K' | b'L', ..] | [FS, b'p', ..] => self.picture(),
            [b'p'] => self.star_kanji(true, Page::Jis),
            [b'q'] => self.star_kanji(false, Page::Jis),
            [b'$', n] => {
                let page = codepage::page("shift_jis").unwrap_or(Page::Other);
                self.star_kanji(digit(*n) != 0, page);
            }
            _ => {}
        }
    }

    fn star_kanji(&mut self, on: bool, page: Page) {
        self.flush();
        if !self.configured.is_multibyte() {
            (self.kanji.on, self.kanji.page) = (on, page);
        }
    }

    fn star_extended(&mut self, rest: &[u8]) {
        match rest {
            [b'A', low, high] => self.go_to(number(*low, *high)),
            [b'R', low, high] => self.go_on(i32::from(i16::from_le_bytes([*low, *high]))),
            [b'a', n] => {
                self.flush();
                self.alignment = alignment(*n);
            }
            [b't', n] => {
                let page = codepage::star_page(*n);
                self.restyle(|style| style.page = page);
            }
            [b'y', b'D', _, _, _, _, data @ ..] => self.stored = Some((b'y', codes::plain(data))),
            [b'x', b'D', _, _, data @ ..] => self.stored = Some((b'x', codes::plain(data))),
            [which @ (b'x' | b'y'), b'P'] => {
                if let Some((_, payload)) = self.stored.clone().filter(|(stored, _)| stored == which) {
                    self.code(if *which == b'y' { "qr" } else { "pdf417" }, payload);
                }
            }
            [b'S', ..] => self.picture(),
            _ => {}
        }
    }
}

/// Numbers may be written as themselves or as digits.
const fn digit(n: u8) -> u8 {
    if n.is_ascii_digit() { n.saturating_sub(b'0') } else { n }
}

/// How many times as large; 0 is as it is.
fn times(n: u8) -> u32 {
    u32::from(digit(n)).min(7).saturating_add(1)
}
