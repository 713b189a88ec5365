//! What a printer does with its commands: where characters stand, how they look, when a row and a ticket end.
//!
//! Common to all dialects; `screen/escpos.rs` and `screen/star.rs` translate commands into calls of this. Rows are
//! given as they stand on the paper: what is printed upside down is turned round, what is placed in page mode is
//! sorted. Everything is bounded: a row, a page, a receipt and its codes each have a limit.

mod escpos;
mod page;
mod star;

use super::codepage::{self, Page};
use super::receipt::{Ending, PrintedCode, PrintedRow, Receipt};
use super::row::{self, Alignment, Piece};
use super::tokens::{BEL, CAN, CR, FF, FS, HT, LF, Loss, Token};
use page::PageMode;

/// Most rows of a receipt; a longer one is given in parts.
pub(super) const ROWS_MAX: usize = 2000;
/// Most codes of a receipt; more are a damage.
const CODES_MAX: usize = 64;
/// Longest run of bytes in a row, and most pieces of it.
const ROW_BYTES_MAX: usize = 1024;
const PIECES_MAX: usize = 512;
/// Columns of the usual paper, if the settings do not say.
const COLUMNS_USUAL: u32 = 42;
/// Dots of a character in fonts A and B of all printers alike.
const FONT_A: u32 = 12;
const FONT_B: u32 = 9;
/// Dots per inch, for `GS P`.
const DOTS_PER_INCH: u32 = 180;
/// Columns from tab stop to tab stop, until others are set.
const STOP_COLUMNS: u32 = 8;

/// Which commands it obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obeys {
    Escpos,
    Star,
    /// A journal port: ESC/POS, where choosing a paper begins a line, and empty lines mean nothing.
    Journal,
}

/// How characters look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    page: Page,
    /// International set, `ESC R n`.
    set: u8,
    bold: bool,
    struck_twice: bool,
    /// Times the width, 1 to 8.
    wide: u32,
    tall: u32,
    cell: u32,
    /// Dots between characters.
    space: u32,
}

impl Style {
    /// As after a reset.
    fn plain(configured: Page) -> Self {
        // A far-eastern page is switched on beside this one.
        let page = if configured.is_multibyte() { codepage::escpos_page(0) } else { configured };
        Self { page, set: 0, bold: false, struck_twice: false, wide: 1, tall: 1, cell: FONT_A, space: 0 }
    }
}

/// What `FS &` and its like switch to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kanji {
    on: bool,
    page: Page,
}

/// The paper under the print head.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    obeys: Obeys,
    /// The page that the settings name.
    configured: Page,
    columns: Option<u32>,
    style: Style,
    kanji: Kanji,
    /// Dot at which the run begins.
    x: u32,
    margin: u32,
    area: Option<u32>,
    unit: u32,
    stops: Vec<u32>,
    alignment: Alignment,
    upside_down: bool,
    run: Vec<u8>,
    run_at: u64,
    pieces: Vec<Piece>,
    /// A CR came; an LF after it ends the same line.
    carriage: bool,
    /// The last thing printed was a strip of a picture.
    picture: bool,
    page: Option<PageMode>,
    /// Data of a two-dimensional code that waits for the command to print it: kind and payload.
    stored: Option<(u8, String)>,
    /// Where rows that are upside down began.
    upside_from: Option<usize>,
    receipt: Receipt,
    closed: Vec<Receipt>,
}

impl Screen {
    pub(super) fn new(obeys: Obeys, page: Option<Page>, columns: Option<u16>, at: u64) -> Self {
        let configured = page.unwrap_or_else(|| codepage::escpos_page(0));
        let kanji = if configured.is_multibyte() { configured } else { Page::Jis };
        Self {
            obeys,
            configured,
            columns: columns.map(u32::from),
            style: Style::plain(configured),
            kanji: Kanji { on: configured.is_multibyte(), page: kanji },
            x: 0,
            margin: 0,
            area: None,
            unit: 1,
            stops: Vec::new(),
            alignment: Alignment::Left,
            upside_down: false,
            run: Vec::new(),
            run_at: at,
            pieces: Vec::new(),
            carriage: false,
            picture: false,
            page: None,
            stored: None,
            upside_from: None,
            receipt: Receipt { bytes: (at, at), ..Receipt::default() },
            closed: Vec::new(),
        }
    }

    /// Obeys one token, which is at `span` in the stream.
    pub(super) fn take(&mut self, token: Token<'_>, span: (u64, u64)) {
        match token {
            Token::Text(bytes) => self.text(bytes, span.0),
            Token::Control(byte) => self.control(byte, span),
            Token::Command(command) => match self.obeys {
                Obeys::Escpos | Obeys::Journal => self.escpos(command, span),
                Obeys::Star => self.star(command, span),
            },
            Token::Unknown(_) => self.receipt.unknown_commands = self.receipt.unknown_commands.saturating_add(1),
            Token::Lost(loss) => self.damage(match loss {
                Loss::Length => "a command declares more data than a receipt has",
                Loss::Endless => "a list in a command has no end",
                Loss::Silence => "the line fell silent in the middle of a command",
            }),
        }
        self.receipt.bytes.1 = self.receipt.bytes.1.max(span.1);
    }

    /// The receipt so far.
    pub(super) const fn open(&self) -> &Receipt {
        &self.receipt
    }

    /// Receipts that have ended since the last call.
    pub(super) fn closed(&mut self) -> std::vec::Drain<'_, Receipt> {
        self.closed.drain(..)
    }

    /// Marks the receipt as not to be trusted; the first reason is kept.
    pub(super) fn damage(&mut self, why: &str) {
        self.receipt.damage.get_or_insert_with(|| why.to_owned());
    }

    /// Prints text.
    pub(super) fn text(&mut self, bytes: &[u8], at: u64) {
        if self.carriage {
            self.carriage = false;
            self.end_row(at, Blank::Kept);
        }
        self.picture = false;
        let mut at = at;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = ROW_BYTES_MAX.saturating_sub(self.run.len()).min(rest.len());
            let (now, later) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            if self.run.is_empty() {
                self.run_at = at;
            }
            self.run.extend_from_slice(now);
            at = at.saturating_add(u64::try_from(now.len()).unwrap_or_default());
            rest = later;
            if self.run.len() >= ROW_BYTES_MAX {
                self.end_row(at, Blank::Dropped);
            }
        }
        if let Some(columns) = self.columns {
            self.wrap(columns, at);
        }
    }

    /// Takes back the last bytes of text, as far as they are still in the run: a delimiter that is made of letters.
    pub(super) fn take_back(&mut self, bytes: usize) {
        self.run.truncate(self.run.len().saturating_sub(bytes));
    }

    /// Ends the row if it has anything in it.
    pub(super) fn break_row(&mut self, at: u64) {
        self.carriage = false;
        self.end_row(at, Blank::Dropped);
    }

    /// Ends the receipt at `at`.
    pub(super) fn end_receipt(&mut self, ending: Ending, at: u64) {
        self.carriage = false;
        self.end_row(at, Blank::Dropped);
        self.close(ending, at);
    }

    /// Gives the receipt as it is and goes on below it; what is not yet a row stays.
    pub(super) fn drain(&mut self) -> Option<Receipt> {
        if self.receipt.rows.is_empty() && self.receipt.codes.is_empty() {
            return None;
        }
        let at = self.unfinished_at().unwrap_or(self.receipt.bytes.1);
        let end = self.receipt.bytes.1;
        self.close(Ending::Open, at);
        self.receipt.bytes.1 = end;
        self.closed.pop()
    }

    /// Forgets what was sent and not printed: at the end of a capture it stays in the printer's buffer.
    pub(super) fn forget_unprinted(&mut self) {
        self.run.clear();
        self.pieces.clear();
        self.page = None;
    }

    /// Whether nothing waits for the end of its row.
    pub(super) const fn is_between_rows(&self) -> bool {
        self.run.is_empty() && self.pieces.is_empty()
    }

    fn unfinished_at(&self) -> Option<u64> {
        let run = (!self.run.is_empty()).then_some(self.run_at);
        run.into_iter().chain(self.pieces.iter().map(|piece| piece.at)).min()
    }

    fn control(&mut self, byte: u8, span: (u64, u64)) {
        match (byte, self.obeys) {
            (LF, _) => {
                self.carriage = false;
                self.line_feed(span.0);
            }
            (CR, _) => {
                // Alone at the start of a line it comes after an LF and means nothing.
                self.carriage = self.page.is_none() && !(self.run.is_empty() && self.pieces.is_empty());
            }
            (HT, _) => self.tab(),
            (FF, Obeys::Escpos) if self.page.is_some() => self.end_page(),
            (FF, Obeys::Journal) => {
                self.break_row(span.0);
                self.close(Ending::Cut, span.1);
            }
            (FF, _) => self.break_row(span.0),
            (BEL, _) | (FS | 0x19 | 0x1a, Obeys::Star) => self.pulse(),
            (CAN, Obeys::Escpos) => {
                if let Some(page) = &mut self.page {
                    page.clear();
                }
            }
            (_, Obeys::Star) => self.star_control(byte),
            // NUL, flow control and other bytes without a meaning here print nothing.
            (_, Obeys::Escpos | Obeys::Journal) => {}
        }
    }

    fn pulse(&mut self) {
        self.receipt.drawer_pulses = self.receipt.drawer_pulses.saturating_add(1);
    }

    /// A picture, or a strip of one.
    fn picture(&mut self) {
        self.flush();
        if !self.picture {
            self.receipt.pictures = self.receipt.pictures.saturating_add(1);
        }
        self.picture = true;
    }

    fn code(&mut self, kind: &'static str, payload: String) {
        self.flush();
        self.picture = false;
        if self.receipt.codes.len() < CODES_MAX {
            let after_row = self.receipt.rows.len().saturating_add(usize::from(!self.pieces.is_empty()));
            self.receipt.codes.push(PrintedCode { kind, payload, after_row });
        } else {
            self.damage("has more codes than a receipt");
        }
    }

    fn reset(&mut self) {
        self.forget_unprinted();
        self.style = Style::plain(self.configured);
        self.kanji.on = self.configured.is_multibyte();
        (self.x, self.margin, self.area, self.unit) = (0, 0, None, 1);
        self.stops.clear();
        self.alignment = Alignment::Left;
        self.upside_down = false;
        self.carriage = false;
        self.stored = None;
    }

    /// Changes how the following characters look.
    fn restyle(&mut self, change: impl FnOnce(&mut Style)) {
        self.flush();
        change(&mut self.style);
    }

    fn active_page(&self) -> Page {
        if self.kanji.on { self.kanji.page } else { self.style.page }
    }

    fn pitch(&self) -> u32 {
        self.style.cell.saturating_add(self.style.space).saturating_mul(self.style.wide)
    }

    /// Makes the run a piece.
    fn flush(&mut self) {
        if self.run.is_empty() {
            return;
        }
        if self.page.is_none() && self.pieces.len() >= PIECES_MAX {
            self.run.clear();
            self.damage("has more pieces in a row than a receipt");
            return;
        }
        let page = self.active_page();
        let text = codepage::decode(&self.run, page, self.style.set);
        let cells = if page.is_as_wide_as_bytes() { self.run.len() } else { text.chars().count() };
        self.run.clear();
        let end = self.x.saturating_add(u32::try_from(cells).unwrap_or(u32::MAX).saturating_mul(self.pitch()));
        let piece = Piece {
            x: (self.x, end),
            text,
            cell: self.style.cell.saturating_add(self.style.space),
            bold: self.style.bold || self.style.struck_twice,
            large: self.style.wide > 1 || self.style.tall > 1,
            at: self.run_at,
        };
        self.x = end;
        match &mut self.page {
            Some(page) => page.put(piece),
            None => self.pieces.push(piece),
        }
    }

    /// Breaks a run that is longer than the paper is wide, as the printer does.
    fn wrap(&mut self, columns: u32, at: u64) {
        let width = columns.saturating_mul(FONT_A);
        let pitch = self.pitch().max(1);
        if self.page.is_some() || self.active_page().is_multibyte() {
            return;
        }
        loop {
            let room = usize::try_from(width.saturating_sub(self.x).div_euclid(pitch)).unwrap_or(usize::MAX);
            if self.run.len() <= room || (room == 0 && self.x == 0) {
                return;
            }
            let rest = self.run.split_off(room);
            let rest_at = self.run_at.saturating_add(u64::try_from(room).unwrap_or_default()).min(at);
            self.end_row(rest_at, Blank::Dropped);
            self.run = rest;
            self.run_at = rest_at;
        }
    }

    fn line_feed(&mut self, at: u64) {
        if self.page.is_some() {
            self.flush();
            self.x = 0;
            if let Some(page) = &mut self.page {
                page.line_feed();
            }
            return;
        }
        let blank = if self.picture || self.obeys == Obeys::Journal { Blank::Dropped } else { Blank::Kept };
        self.end_row(at, blank);
    }

    fn tab(&mut self) {
        self.flush();
        let relative = self.x.saturating_sub(self.margin);
        let next = if self.stops.is_empty() {
            let step = FONT_A.saturating_mul(STOP_COLUMNS);
            Some(relative.div_euclid(step).saturating_add(1).saturating_mul(step))
        } else {
            self.stops.iter().copied().find(|stop| *stop > relative)
        };
        if let Some(next) = next {
            self.x = self.margin.saturating_add(next);
        }
    }

    fn set_stops(&mut self, columns: &[u8]) {
        self.flush();
        let pitch = self.pitch();
        self.stops = columns.iter().map(|column| u32::from(*column).saturating_mul(pitch)).collect();
    }

    /// Goes to a dot from the left margin.
    fn go_to(&mut self, dots: u32) {
        self.flush();
        self.x = self.margin.saturating_add(dots);
    }

    /// Goes so many dots on, or back.
    fn go_on(&mut self, dots: i32) {
        self.flush();
        self.x = self.x.saturating_add_signed(dots);
    }

    fn set_margin(&mut self, dots: u32) {
        self.flush();
        if self.pieces.is_empty() && self.page.is_none() {
            self.margin = dots;
            self.x = dots;
        }
    }

    fn end_page(&mut self) {
        self.print_page();
        self.page = None;
        self.x = self.margin;
    }

    fn print_page(&mut self) {
        self.flush();
        let Some(page) = &mut self.page else { return };
        let (rows, overflowed) = page.print();
        if overflowed {
            self.damage("has more pieces on a page than a receipt");
        }
        for made in rows {
            self.push_row(made);
        }
    }

    fn end_row(&mut self, at: u64, blank: Blank) {
        self.flush();
        self.x = self.margin;
        if self.pieces.is_empty() && blank == Blank::Dropped {
            return;
        }
        let columns = self.columns.unwrap_or(COLUMNS_USUAL);
        let width = self.area.map_or_else(|| columns.saturating_mul(FONT_A), |area| self.margin.saturating_add(area));
        let empty = self.pieces.is_empty();
        let mut made = row::row(&mut self.pieces, self.alignment, width);
        self.pieces.clear();
        if empty {
            made.at = at;
        }
        if made.text.is_empty() && blank == Blank::Dropped {
            return;
        }
        self.push_row(made);
    }

    fn push_row(&mut self, made: PrintedRow) {
        if self.receipt.rows.len() >= ROWS_MAX {
            self.close(Ending::Limit, made.at);
        }
        if self.upside_down {
            self.upside_from.get_or_insert(self.receipt.rows.len());
        } else {
            self.turn_round();
        }
        self.receipt.rows.push(made);
    }

    /// What was printed upside down is read from its last row to its first.
    fn turn_round(&mut self) {
        let Some(from) = self.upside_from.take() else { return };
        let rows = self.receipt.rows.len();
        if let Some(turned) = self.receipt.rows.get_mut(from..) {
            turned.reverse();
        }
        for code in self.receipt.codes.iter_mut().filter(|code| code.after_row >= from) {
            code.after_row = from.saturating_add(rows.saturating_sub(code.after_row));
        }
    }

    fn close(&mut self, ending: Ending, at: u64) {
        self.turn_round();
        let next = Receipt { bytes: (at, at), ..Receipt::default() };
        let mut done = std::mem::replace(&mut self.receipt, next);
        done.ending = ending;
        done.bytes.1 = at;
        self.picture = false;
        while done.rows.last().is_some_and(|row| row.text.is_empty()) {
            done.rows.pop();
        }
        let rows = done.rows.len();
        for code in &mut done.codes {
            code.after_row = code.after_row.min(rows);
        }
        if !done.is_blank() || done.damage.is_some() {
            self.closed.push(done);
        } else {
            // Nothing was printed: what is known of it belongs to what comes next.
            self.receipt.drawer_pulses = done.drawer_pulses;
            self.receipt.unknown_commands = done.unknown_commands;
        }
    }
}

/// Whether a row of nothing is a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blank {
    Kept,
    Dropped,
}
