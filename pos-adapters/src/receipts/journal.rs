//! Text journals: ports that a till feeds for a camera's text overlay or an electronic journal. Lines of text, glued
//! or not, with strings that the installer can name as the end of a line and as the start and end of a ticket.
//!
//! Without such strings a line ends at LF, CR, or where the till chooses a paper (`ESC c 0 n`, as one maker's journal
//! does at the start of each line, often without any line feed), and tickets are told apart by the templates only.

use super::receipt::Ending;
use super::screen::Screen;
use super::tokens::Token;

/// Longest string that marks something.
pub const MARK_BYTES_MAX: usize = 64;

/// Strings that a journal port was told to send. Empty: none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalMarks {
    /// Ends a line; not part of it. Where it is set, LF and CR still end lines.
    pub delimiter: Vec<u8>,
    /// Begins a ticket; stays in its first line.
    pub start: Vec<u8>,
    /// Ends a ticket; stays in its last line.
    pub end: Vec<u8>,
}

impl JournalMarks {
    const fn is_empty(&self) -> bool {
        self.delimiter.is_empty() && self.start.is_empty() && self.end.is_empty()
    }

    /// Longest of the strings, for the settings' check.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.delimiter.len().max(self.start.len()).max(self.end.len())
    }
}

/// Finds the marks in the raw bytes, whether they are text or part of commands.
#[derive(Debug, Clone)]
pub(super) struct Marker {
    marks: JournalMarks,
    /// The last bytes, and of each whether it was printed.
    tail: Vec<(u8, bool)>,
}

impl Marker {
    /// `None` if there is nothing to look for.
    pub(super) fn new(marks: &JournalMarks) -> Option<Self> {
        (!marks.is_empty()).then(|| Self { marks: marks.clone(), tail: Vec::new() })
    }

    /// Gives a token to the screen, with the marks in it carried out.
    pub(super) fn take(&mut self, token: Token<'_>, span: (u64, u64), screen: &mut Screen) {
        match token {
            Token::Text(bytes) => {
                for (byte, at) in bytes.iter().zip(span.0..) {
                    screen.take(Token::Text(&[*byte]), (at, at.saturating_add(1)));
                    self.saw(&[*byte], true, at.saturating_add(1), screen);
                }
            }
            Token::Control(byte) => {
                screen.take(token, span);
                self.saw(&[byte], false, span.1, screen);
            }
            Token::Command(bytes) | Token::Unknown(bytes) => {
                screen.take(token, span);
                self.saw(bytes, false, span.1, screen);
            }
            Token::Lost(_) => {
                screen.take(token, span);
                self.tail.clear();
            }
        }
    }

    fn saw(&mut self, bytes: &[u8], printed: bool, end: u64, screen: &mut Screen) {
        self.tail.extend(bytes.iter().map(|byte| (*byte, printed)));
        if let Some(letters) = self.ends_with(&self.marks.delimiter) {
            screen.take_back(letters);
            screen.break_row(end);
            self.tail.clear();
        } else if self.ends_with(&self.marks.end).is_some() {
            screen.end_receipt(Ending::Mark, end);
            self.tail.clear();
        } else if let Some(letters) = self.ends_with(&self.marks.start) {
            let before = end.saturating_sub(u64::try_from(self.marks.start.len()).unwrap_or_default());
            let text: Vec<u8> =
                self.tail.iter().rev().take(self.marks.start.len()).rev().map(|(byte, _)| *byte).collect();
            screen.take_back(letters);
            screen.end_receipt(Ending::Mark, before);
            if letters == text.len() {
                screen.text(&text, before);
            }
            self.tail.clear();
        }
        let surplus = self.tail.len().saturating_sub(self.marks.longest());
        self.tail.drain(..surplus);
    }

    /// How many letters of the mark were printed, if the bytes end with it.
    fn ends_with(&self, mark: &[u8]) -> Option<usize> {
        if mark.is_empty() {
            return None;
        }
        let from = self.tail.len().checked_sub(mark.len())?;
        let last = self.tail.get(from..)?;
        let same = last.iter().zip(mark).all(|((byte, _), marked)| byte == marked);
        same.then(|| last.iter().filter(|(_, printed)| *printed).count())
    }
}
