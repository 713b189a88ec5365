//! ESC/POS commands, obeyed.

use super::{Alignment, DOTS_PER_INCH, FONT_A, FONT_B, Obeys, Page, PageMode, Screen};
use crate::receipts::codepage;
use crate::receipts::codes;
use crate::receipts::receipt::Ending;
use crate::receipts::tokens::{DLE, ESC, FF, FS, GS};

impl Screen {
    pub(super) fn escpos(&mut self, command: &[u8], span: (u64, u64)) {
        match command {
            [ESC, rest @ ..] => self.escpos_esc(rest, span),
            [FS, rest @ ..] => self.escpos_fs(rest),
            [GS, rest @ ..] => self.escpos_gs(rest, span),
            [DLE, 0x14, 1, ..] => self.pulse(),
            _ => {}
        }
    }

    fn escpos_esc(&mut self, rest: &[u8], span: (u64, u64)) {
        match rest {
            [b'@'] => {
                if self.obeys == Obeys::Journal {
                    self.break_row(span.0);
                }
                self.reset();
            }
            [b'!', n] => {
                let n = *n;
                self.restyle(|style| {
                    style.cell = if n & 1 == 0 { FONT_A } else { FONT_B };
                    style.bold = n & 8 != 0;
                    style.tall = if n & 16 == 0 { 1 } else { 2 };
                    style.wide = if n & 32 == 0 { 1 } else { 2 };
                });
            }
            [b'E', n] => self.restyle(|style| style.bold = n & 1 != 0),
            [b'G', n] => self.restyle(|style| style.struck_twice = n & 1 != 0),
            [b'M', n] => self.restyle(|style| style.cell = if matches!(n, 0 | b'0') { FONT_A } else { FONT_B }),
            [b' ', n] => self.restyle(|style| style.space = u32::from(*n)),
            [b't', n] => {
                let page = codepage::escpos_page(*n);
                self.restyle(|style| style.page = page);
            }
            [b'R', n] => self.restyle(|style| style.set = *n),
            [b'a', n] => {
                self.flush();
                self.alignment = alignment(*n);
            }
            [b'{', n] => {
                self.flush();
                self.upside_down = n & 1 != 0;
            }
            [b'D', stops @ ..] => self.set_stops(stops.strip_suffix(&[0]).unwrap_or(stops)),
            [b'$', low, high] => {
                let dots = self.dots(*low, *high);
                self.go_to(dots);
            }
            [b'\\', low, high] => {
                let steps = i32::from(i16::from_le_bytes([*low, *high]));
                self.go_on(steps.saturating_mul(i32::try_from(self.unit).unwrap_or(1)));
            }
            [b'J' | b'K' | b'd' | b'e', ..] if self.page.is_none() => self.break_row(span.0),
            [b'i' | b'm'] => self.cut(span),
            [b'p', ..] => self.pulse(),
            [b'*', ..] => self.picture(),
            // Which paper: a journal port begins each of its lines with this.
            [b'c', b'0', _] if self.obeys == Obeys::Journal => self.break_row(span.0),
            _ => self.escpos_page(rest, span),
        }
    }

    fn escpos_page(&mut self, rest: &[u8], span: (u64, u64)) {
        match (rest, &mut self.page) {
            ([b'L'], None) => {
                self.break_row(span.0);
                self.page = Some(PageMode::new());
                self.x = 0;
                self.margin = 0;
            }
            ([b'S'], Some(_)) => {
                self.run.clear();
                self.page = None;
            }
            ([FF], Some(_)) => {
                self.print_page();
                self.x = 0;
            }
            ([b'W', xl, xh, yl, yh, ..], Some(_)) => {
                self.flush();
                self.x = 0;
                let (left, top) = (number(*xl, *xh), number(*yl, *yh));
                if let Some(page) = &mut self.page {
                    page.set_area(left, top);
                }
            }
            ([b'T', direction], Some(_)) => {
                self.flush();
                self.x = 0;
                if let Some(page) = &mut self.page {
                    page.set_direction(direction & 3);
                }
            }
            ([b'3', dots], Some(page)) => page.set_line(Some(*dots)),
            ([b'2'], Some(page)) => page.set_line(None),
            _ => {}
        }
    }

    fn escpos_fs(&mut self, rest: &[u8]) {
        match rest {
            [b'&'] => {
                self.flush();
                self.kanji.on = true;
            }
            [b'.'] => {
                self.flush();
                self.kanji.on = false;
            }
            // A page of two bytes a character that the settings name is the printer's own, whatever this says.
            [b'C', n] if !self.configured.is_multibyte() => {
                self.flush();
                self.kanji.page = match n {
                    1 | b'1' | 2 | b'2' => codepage::page("shift_jis").unwrap_or(Page::Other),
                    _ => Page::Jis,
                };
            }
            [b'p', ..] => self.picture(),
            _ => {}
        }
    }

    fn escpos_gs(&mut self, rest: &[u8], span: (u64, u64)) {
        match rest {
            [b'!', n] => {
                let n = *n;
                self.restyle(|style| {
                    style.wide = u32::from(n >> 4 & 7).saturating_add(1);
                    style.tall = u32::from(n & 7).saturating_add(1);
                });
            }
            [b'L', low, high] => {
                let dots = self.dots(*low, *high);
                self.set_margin(dots);
            }
            [b'W', low, high] => {
                let dots = self.dots(*low, *high);
                if self.run.is_empty() && self.pieces.is_empty() {
                    self.area = Some(dots);
                }
            }
            [b'P', x, _] => {
                self.flush();
                self.unit = if *x == 0 { 1 } else { DOTS_PER_INCH.div_euclid(u32::from(*x)).max(1) };
            }
            [b'$', low, high] => {
                let dots = self.dots(*low, *high);
                self.flush();
                if let Some(page) = &mut self.page {
                    page.go_to(dots);
                }
            }
            [b'\\', low, high] => {
                self.flush();
                if let Some(page) = &mut self.page {
                    page.go_on(i32::from(i16::from_le_bytes([*low, *high])));
                }
            }
            [b'V', ..] => self.cut(span),
            [b'k', kind @ 65..=79, _, data @ ..] | [b'k', kind @ 0..=6, data @ ..] => {
                let data = if *kind <= 6 { data.strip_suffix(&[0]).unwrap_or(data) } else { data };
                let payload = if *kind == 73 { codes::code128(data) } else { codes::plain(data) };
                self.code(codes::escpos_kind(*kind), payload);
            }
            // Store, then print, the data of a two-dimensional code.
            [b'(', b'k', _, _, kind, 80, _, data @ ..] => self.stored = Some((*kind, codes::plain(data))),
            [b'(', b'k', _, _, kind, 81, ..] => {
                if let Some((_, payload)) = self.stored.clone().filter(|(stored, _)| stored == kind) {
                    self.code(codes::matrix_kind(*kind), payload);
                }
            }
            [b'(', b'L', _, _, _, 2 | 50 | 69 | 85, ..] => self.picture(),
            [b'v' | b'Q' | b'/', ..] => self.picture(),
            _ => {}
        }
    }

    /// A distance in motion units, as dots.
    fn dots(&self, low: u8, high: u8) -> u32 {
        number(low, high).saturating_mul(self.unit)
    }

    /// The paper is cut: whatever comes next is another ticket.
    pub(super) fn cut(&mut self, span: (u64, u64)) {
        if self.page.is_none() {
            self.end_receipt(Ending::Cut, span.1);
        }
    }
}

pub(super) fn number(low: u8, high: u8) -> u32 {
    u32::from(u16::from_le_bytes([low, high]))
}

pub(super) const fn alignment(n: u8) -> Alignment {
    match n {
        1 | b'1' => Alignment::Center,
        2 | b'2' => Alignment::Right,
        _ => Alignment::Left,
    }
}
