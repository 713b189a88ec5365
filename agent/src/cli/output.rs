//! How answers look: tables and words for people, JSON for scripts. Colours only where a terminal shows them.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;

/// Who reads the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Words and tables.
    Human,
    /// One JSON document, or one object a line for streams.
    Json,
}

/// What a piece of text means; shown as a colour on terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// Good.
    Good,
    /// Recovers alone.
    Warn,
    /// Somebody must act.
    Bad,
    /// Less important.
    Dim,
    /// A heading.
    Strong,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\x1b[32m",
            Self::Warn => "\x1b[33m",
            Self::Bad => "\x1b[31m",
            Self::Dim => "\x1b[2m",
            Self::Strong => "\x1b[1m",
        }
    }
}

/// Where answers go.
pub struct Output {
    out: Box<dyn Write>,
    form: Form,
    colour: bool,
}

impl Output {
    /// Standard output; colours if it is a terminal and `NO_COLOR` (no-color.org) is not set.
    #[must_use]
    pub fn stdout(form: Form) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colour = form == Form::Human && wanted && io::stdout().is_terminal();
        Self { out: Box::new(io::stdout()), form, colour }
    }

    /// Any writer, without colours.
    #[must_use]
    pub fn to(out: Box<dyn Write>, form: Form) -> Self {
        Self { out, form, colour: false }
    }

    /// Who reads.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// `text` in its tone.
    #[must_use]
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colour && tone != Tone::Plain { format!("{}{text}\x1b[0m", tone.code()) } else { text.to_owned() }
    }

    /// One line.
    ///
    /// # Errors
    /// Writing failed; a reader that went away (a closed pipe) is no failure.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// One JSON document over several lines.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.bytes(&text)
    }

    /// One JSON object on one line, for streams.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(value)?;
        text.push(b'\n');
        self.bytes(&text)
    }

    /// JSON for scripts, otherwise what `human` writes.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub fn answer(
        &mut self,
        value: &impl Serialize,
        human: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.form {
            Form::Json => self.json(value),
            Form::Human => human(self),
        }
    }

    /// A table, its columns aligned.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub fn table(&mut self, table: &Table) -> io::Result<()> {
        let text = table.render(|tone, text| self.paint(tone, text));
        self.bytes(text.as_bytes())
    }

    /// Bytes as they are.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.out.write_all(bytes).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

/// Which side of its column a cell keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows with a heading.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<(String, Tone)>>,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new(columns: &[(&str, Align)]) -> Self {
        Self { columns: columns.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.toned_row(cells.into_iter().map(|cell| (cell.into(), Tone::Plain)));
    }

    /// Adds a row of cells that mean something.
    pub fn toned_row(&mut self, cells: impl IntoIterator<Item = (String, Tone)>) {
        // A line break or an escape code read from a POS must not break the table or the terminal.
        let clean = |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.rows.push(cells.into_iter().map(|(text, tone)| (clean(text), tone)).collect());
    }

    /// Has it no rows?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn render(&self, paint: impl Fn(Tone, &str) -> String) -> String {
        let width = |index: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|(text, _)| text.chars().count());
            cells.chain(self.columns.get(index).map(|(name, _)| name.chars().count())).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut out = String::new();
        let heading: Vec<(String, Tone)> = self.columns.iter().map(|(name, _)| (name.clone(), Tone::Strong)).collect();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut line = String::new();
            let mut gap = 0;
            for (((text, tone), (_, align)), width) in row.iter().zip(&self.columns).zip(&widths) {
                let pad = width.saturating_sub(text.chars().count());
                let (before, after) = if *align == Align::Right { (pad, 0) } else { (0, pad) };
                line.push_str(&" ".repeat(gap + before));
                line.push_str(&paint(*tone, text));
                gap = after + 2;
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_taken_out() {
        let mut table = Table::new(&[("sku", Align::Left), ("units", Align::Right)]);
        table.row(["A", "12"]);
        table.row(["long\u{1b}[31m", "-3"]);
        assert_eq!(table.render(|_, text| text.to_owned()), "sku        units\nA             12\nlong [31m     -3\n");
    }

    #[test]
    fn there_are_no_colours_where_there_is_no_terminal() {
        let output = Output::to(Box::new(io::sink()), Form::Human);
        assert_eq!(output.paint(Tone::Bad, "x"), "x");
    }
}
