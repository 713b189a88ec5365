//! Captured bytes of a printer's line, made receipts. Pure: takes chunks of any size and remembers everything between
//! them itself; however a capture is cut, it gives the same receipts. Memory is bounded by the limits of the
//! tokenizer, the screen and `ROWS_MAX`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codepage;
use super::journal::{JournalMarks, MARK_BYTES_MAX, Marker};
use super::receipt::{Ending, Receipt};
use super::screen::{Obeys, Screen};
use super::tokens::{Grammar, Token, Tokenizer};

/// The language of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// ESC/POS, which most receipt printers understand.
    #[default]
    Escpos,
    /// Star line mode.
    Star,
    /// A journal or text-overlay port: lines of text, perhaps with a few ESC/POS commands.
    Journal,
    /// Lines of text as a generic text printer driver writes them; a form feed ends a ticket.
    Plain,
}

/// What is known of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Its language.
    pub dialect: Dialect,
    /// Label of the code page that the printer uses until it is told another (`cp437`, `cp1252`, `gbk`, …).
    pub code_page: Option<String>,
    /// Columns of the paper. Where they are set, longer lines are wrapped as the printer does.
    pub columns: Option<u16>,
    /// Strings of a journal port.
    pub marks: JournalMarks,
}

/// Reads one line.
#[derive(Debug, Clone)]
pub struct Parser {
    tokenizer: Tokenizer,
    screen: Screen,
    marker: Option<Marker>,
    /// What stays in the buffer at the end was never printed: there is a printer.
    keeps_unprinted: bool,
}

impl Parser {
    /// For a capture from its byte `at` on.
    ///
    /// # Errors
    /// The code page is not known, or a mark is too long; in words.
    pub fn new(line: &Line, at: u64) -> Result<Self, String> {
        if line.marks.longest() > MARK_BYTES_MAX {
            return Err(format!("a start string, end string or delimiter may have at most {MARK_BYTES_MAX} bytes"));
        }
        let page = line.code_page.as_deref().map(codepage::page).transpose()?;
        let (grammar, obeys) = match line.dialect {
            Dialect::Escpos => (Grammar::Escpos, Obeys::Escpos),
            Dialect::Star => (Grammar::Star { raster: false }, Obeys::Star),
            Dialect::Journal | Dialect::Plain => (Grammar::Escpos, Obeys::Journal),
        };
        let marker = if obeys == Obeys::Journal { Marker::new(&line.marks) } else { None };
        Ok(Self {
            tokenizer: Tokenizer::new(grammar, at),
            screen: Screen::new(obeys, page, line.columns, at),
            marker,
            keeps_unprinted: obeys != Obeys::Journal,
        })
    }

    /// Reads on; receipts that end are added to `done`.
    pub fn push(&mut self, bytes: &[u8], done: &mut Vec<Receipt>) {
        let (screen, marker) = (&mut self.screen, &mut self.marker);
        self.tokenizer.push(bytes, &mut |token: Token<'_>, span| {
            match marker {
                Some(marker) => marker.take(token, span, screen),
                None => screen.take(token, span),
            }
            done.extend(screen.closed());
        });
    }

    /// The bytes at this place are not what the till sent (framing or parity errors, bytes lost): the receipt is
    /// damaged.
    pub fn damaged(&mut self, why: &str) {
        self.screen.damage(why);
    }

    /// The line was silent for so long that a ticket is over: what is complete is given, and a command in the middle
    /// of which the till stopped is given up.
    pub fn silence(&mut self, done: &mut Vec<Receipt>) {
        let screen = &mut self.screen;
        self.tokenizer.silence(&mut |token: Token<'_>, span| screen.take(token, span));
        if !self.keeps_unprinted {
            screen.break_row(self.tokenizer.position());
        }
        // A row that is not complete stays in the printer, and is printed with what comes next.
        if self.screen.is_between_rows() {
            self.screen.end_receipt(Ending::Silence, self.tokenizer.position());
        } else if let Some(mut receipt) = self.screen.drain() {
            receipt.ending = Ending::Silence;
            done.push(receipt);
        }
        done.extend(self.screen.closed());
    }

    /// The capture ends here.
    pub fn finish(mut self, done: &mut Vec<Receipt>) {
        let screen = &mut self.screen;
        self.tokenizer.silence(&mut |token: Token<'_>, span| screen.take(token, span));
        if self.keeps_unprinted {
            screen.forget_unprinted();
        }
        screen.end_receipt(Ending::Silence, self.tokenizer.position());
        done.extend(screen.closed());
    }

    /// The receipt that is being printed, as far as its rows are complete.
    #[must_use]
    pub const fn open(&self) -> &Receipt {
        self.screen.open()
    }

    /// Takes the complete rows of the open receipt out of it, for lines whose tickets only a template can tell apart.
    /// The rest comes in the next receipt.
    pub fn drain(&mut self) -> Option<Receipt> {
        self.screen.drain()
    }

    /// Where the next byte is in the capture.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.tokenizer.position()
    }
}

#[cfg(test)]
mod tests;
