//! The values of one record by slot, without copying those that can be taken as they stand.

/// Where the value of a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Cell {
    #[default]
    Absent,
    /// From and to in the record.
    Record(usize, usize),
    /// From and to in the text that had to be rewritten.
    Rewritten(usize, usize),
}

/// Reused from record to record.
#[derive(Debug, Clone, Default)]
pub(super) struct Cells {
    cells: Vec<Cell>,
    rewritten: String,
}

impl Cells {
    /// Empties all of `slots` slots.
    pub(super) fn clear(&mut self, slots: usize) {
        self.cells.clear();
        self.cells.resize(slots, Cell::Absent);
        self.rewritten.clear();
    }

    pub(super) fn cell(&self, slot: usize) -> Cell {
        self.cells.get(slot).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, slot: usize, from: usize, to: usize) {
        if let Some(cell) = self.cells.get_mut(slot) {
            *cell = Cell::Record(from, to);
        }
    }

    pub(super) fn set_text(&mut self, slot: usize, text: &str) {
        let from = self.rewritten.len();
        self.rewritten.push_str(text);
        if let Some(cell) = self.cells.get_mut(slot) {
            *cell = Cell::Rewritten(from, self.rewritten.len());
        }
    }

    /// The value, empty if absent. `record` is the text that the cells were read from.
    pub(super) fn get<'a>(&'a self, slot: usize, record: &'a str) -> &'a str {
        match self.cell(slot) {
            Cell::Absent => "",
            Cell::Record(from, to) => record.get(from..to).unwrap_or_default(),
            Cell::Rewritten(from, to) => self.rewritten.get(from..to).unwrap_or_default(),
        }
    }
}
