//! Page mode: text placed anywhere on a page, printed when the page is complete.

use super::PIECES_MAX;
use crate::receipts::receipt::PrintedRow;
use crate::receipts::row::{self, Alignment, Piece};

/// Dots from line to line until the till says otherwise.
const LINE_DOTS: u32 = 30;
/// Most pieces on a page.
const PAGE_PIECES_MAX: usize = PIECES_MAX * 8;

/// A page that is being filled.
#[derive(Debug, Clone)]
pub(super) struct PageMode {
    /// Pieces with the area they stand in and the line in it, both from the top.
    placed: Vec<(u32, u32, Piece)>,
    overflowed: bool,
    area: Area,
    y: u32,
    line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Area {
    /// Rows of different areas are told apart by this: its top where it is read from left to right, else its turn.
    rank: u32,
    top: u32,
    left: u32,
    /// `ESC T`: 0 reads from left to right.
    direction: u8,
    turn: u32,
}

impl PageMode {
    pub(super) fn new() -> Self {
        Self { placed: Vec::new(), overflowed: false, area: Area::default(), y: 0, line: LINE_DOTS }
    }

    pub(super) fn clear(&mut self) {
        self.placed.clear();
    }

    pub(super) fn put(&mut self, mut piece: Piece) {
        if self.placed.len() >= PAGE_PIECES_MAX {
            self.overflowed = true;
            return;
        }
        let mut y = self.y;
        if self.area.direction == 0 {
            y = y.saturating_add(self.area.top);
            piece.x = (piece.x.0.saturating_add(self.area.left), piece.x.1.saturating_add(self.area.left));
        }
        self.placed.push((self.area.rank, y, piece));
    }

    pub(super) fn line_feed(&mut self) {
        self.y = self.y.saturating_add(self.line.max(1));
    }

    pub(super) fn set_line(&mut self, dots: Option<u8>) {
        self.line = dots.map_or(LINE_DOTS, u32::from);
    }

    /// `ESC W`: the printing area, in dots.
    pub(super) fn set_area(&mut self, left: u32, top: u32) {
        self.area = Area { left, top, ..self.area };
        self.place();
    }

    /// `ESC T`: in which direction the area is read.
    pub(super) fn set_direction(&mut self, direction: u8) {
        self.area.direction = direction;
        self.place();
    }

    fn place(&mut self) {
        self.y = 0;
        self.area.turn = self.area.turn.saturating_add(1);
        // Text that is turned is a page of its own: lines of it and of others have nothing to do with each other.
        self.area.rank = if self.area.direction == 0 { 0 } else { self.area.turn };
    }

    pub(super) fn go_to(&mut self, y: u32) {
        self.y = y;
    }

    pub(super) fn go_on(&mut self, dots: i32) {
        self.y = self.y.saturating_add_signed(dots);
    }

    /// The rows of the page from top to bottom, and whether it held too much.
    pub(super) fn print(&mut self) -> (Vec<PrintedRow>, bool) {
        self.placed.sort_by_key(|(area, y, piece)| (*area, *y, piece.x.0));
        let mut rows = Vec::new();
        let mut line: Vec<Piece> = Vec::new();
        let mut of = None;
        for (area, y, piece) in self.placed.drain(..) {
            if of != Some((area, y)) && !line.is_empty() {
                rows.push(row::row(&mut line, Alignment::Left, 0));
                line.clear();
            }
            of = Some((area, y));
            line.push(piece);
        }
        if !line.is_empty() {
            rows.push(row::row(&mut line, Alignment::Left, 0));
        }
        (rows, std::mem::take(&mut self.overflowed))
    }
}
