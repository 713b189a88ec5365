//! A template tried on rows without a reader's memory: what each row means, and whether each ticket's sums hold. Pure.

use sync_core::model::Quantity;

use super::super::template::{Compiled, RowKind, TicketEnd};
use super::draft::{Draft, DraftLine, LineClass, Step};
use super::{ladder, no_sale_rule};

/// What became of one ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Outcome {
    /// Its sums hold.
    Believed,
    /// It is no sale, or was put aside.
    NoSale,
    /// The rule that does not hold.
    Failed(&'static str),
}

/// A trial run over some rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct DryRun {
    /// Each row with what it means.
    pub(in super::super) rows: Vec<(String, Option<RowKind>)>,
    pub(in super::super) tickets: Vec<Outcome>,
    /// Parts of lines that were told apart (article numbers, prices, more than one piece, names without numbers at their
    /// ends): between two readings that both add up, the one that tells more is right.
    pub(in super::super) told: u64,
}

impl DryRun {
    /// Reads the rows of one receipt, or of a journal.
    pub(in super::super) fn read<'a>(
        &mut self,
        rows: impl Iterator<Item = &'a str>,
        compiled: &Compiled,
        tax_max: Quantity,
    ) {
        let mut draft = Draft::default();
        for row in rows {
            let step = draft.row(row, compiled);
            if !row.trim().is_empty() {
                self.rows.push((row.to_owned(), draft.last_kind));
            }
            match step {
                Step::Goes | Step::Recalls(_) => {}
                Step::Suspends(_) => {
                    draft = Draft::default();
                    self.tickets.push(Outcome::NoSale);
                }
                Step::Starts if draft.lines.is_empty() => {}
                Step::Starts | Step::Ends => self.ticket(std::mem::take(&mut draft), compiled, tax_max),
            }
        }
        if compiled.ticket().ends == TicketEnd::Cut {
            self.ticket(draft, compiled, tax_max);
        }
    }

    fn ticket(&mut self, mut draft: Draft, compiled: &Compiled, tax_max: Quantity) {
        if draft.is_blank() {
            return;
        }
        let beside = no_sale_rule(&draft).is_some() || draft.titles.contains(&RowKind::VoidTicket);
        let empty = draft.lines.is_empty() && draft.total.is_none_or(Quantity::is_zero);
        if beside || empty {
            self.tickets.push(Outcome::NoSale);
            return;
        }
        if draft.lines.is_empty() {
            self.tickets.push(Outcome::Failed("lines"));
            return;
        }
        match ladder::climb(&mut draft, compiled, tax_max) {
            Ok(_) => {
                self.tickets.push(Outcome::Believed);
                self.told = draft.lines.iter().map(told).fold(self.told, u64::saturating_add);
            }
            Err(failure) => self.tickets.push(Outcome::Failed(failure.rule)),
        }
    }
}

fn told(line: &DraftLine) -> u64 {
    if line.class != LineClass::Item {
        return 0;
    }
    let is_number = |word: Option<&str>| word.is_some_and(|word| word.chars().all(|c| c.is_ascii_digit()));
    let clean = !is_number(line.name.split(' ').next_back())
        && !is_number(line.name.split(' ').next())
        && !line.name.contains('@');
    let parts = [line.sku.is_some(), line.price.is_some(), line.units.magnitude().micros() != 1_000_000, clean];
    parts.into_iter().map(u64::from).sum()
}
