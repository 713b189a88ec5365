//! The tables of an export, joined by ticket. Pure; decides nothing about stock.
//!
//! Outside rules: DSFinV-K 2.0 to 2.4. Numbers of tickets hold within one closing of one register only, so the whole
//! primary key of the standard (`Z_KASSE_ID`, `Z_ERSTELLUNG`, `Z_NR`, `BON_ID`) names a ticket.

use std::borrow::Cow;
use std::collections::HashMap;

use sync_core::model::Quantity;

use super::index::{Index, Shape};
use super::rows::Rows;
use crate::documents::ticket::Doubt;
use crate::file::value::{self, DecimalSign, NumberFault};

/// Most tickets of one export.
pub(crate) const TICKETS_MAX: usize = 150_000;
/// Most lines of one export, parts of sets included.
pub(crate) const LINES_MAX: usize = 1_000_000;
/// Most rows that are shown one by one as unreadable.
const DOUBTS_MAX: usize = 1000;

/// The tables that are read, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableKind {
    Transactions,
    Lines,
    LinesVat,
    Subitems,
    References,
}

impl TableKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Transactions, Self::Lines, Self::LinesVat, Self::Subitems, Self::References];

    /// An export without it is none.
    pub(crate) const fn is_required(self) -> bool {
        matches!(self, Self::Transactions | Self::Lines)
    }

    /// Names of its file; the first is that of the standard since 2.0.
    const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Transactions => &["transactions.csv", "bonkopf.csv"],
            Self::Lines => &["lines.csv", "bonpos.csv"],
            Self::LinesVat => &["lines_vat.csv", "bonpos_ust.csv"],
            Self::Subitems => &["subitems.csv", "bonpos_zusatzinfo.csv"],
            Self::References => &["references.csv", "bon_referenzen.csv"],
        }
    }

    /// Columns that are read; those before the bar must be there.
    const fn columns(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Transactions => (
                &["Z_KASSE_ID", "Z_ERSTELLUNG", "Z_NR", "BON_ID", "BON_TYP"],
                &["BON_NR", "TERMINAL_ID", "BON_STORNO", "BON_START", "BON_ENDE", "UMS_BRUTTO"],
            ),
            Self::Lines => (
                &["Z_KASSE_ID", "Z_ERSTELLUNG", "Z_NR", "BON_ID", "POS_ZEILE", "GV_TYP", "ART_NR", "MENGE"],
                &["GTIN", "P_STORNO", "WARENGR_ID", "FAKTOR"],
            ),
            Self::LinesVat => (&["Z_KASSE_ID", "Z_ERSTELLUNG", "Z_NR", "BON_ID", "POS_BRUTTO"], &[]),
            Self::Subitems => (
                &["Z_KASSE_ID", "Z_ERSTELLUNG", "Z_NR", "BON_ID", "POS_ZEILE", "ZI_ART_NR", "ZI_MENGE"],
                &["ZI_GTIN", "ZI_WARENGR_ID", "ZI_FAKTOR"],
            ),
            Self::References => {
                (&["Z_KASSE_ID", "Z_ERSTELLUNG", "Z_NR", "BON_ID"], &["REF_Z_KASSE_ID", "REF_Z_NR", "REF_BON_ID"])
            }
        }
    }
}

/// One position of a ticket, or one part of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// `POS_ZEILE`; the same for a set and its parts.
    pub(crate) number: String,
    pub(crate) business: String,
    pub(crate) void: bool,
    pub(crate) article: String,
    pub(crate) gtin: String,
    pub(crate) group: String,
    pub(crate) quantity: Quantity,
    /// Pieces in one sold unit.
    pub(crate) factor: Quantity,
}

/// One ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bon {
    pub(crate) key: String,
    pub(crate) register: String,
    pub(crate) kind: String,
    pub(crate) void: bool,
    pub(crate) ended: String,
    pub(crate) total: Option<Quantity>,
    /// Sum of its positions with tax, where that table is there.
    pub(crate) positions_total: Option<Quantity>,
    pub(crate) positions: Vec<Position>,
    pub(crate) parts: Vec<Position>,
    /// (`REF_Z_KASSE_ID`, `REF_Z_NR`, `REF_BON_ID`) of the ticket that it takes back.
    pub(crate) refers_to: Option<(String, String, String)>,
    /// A row of it could not be read.
    pub(crate) fault: Option<String>,
}

/// Everything that an export says of tickets.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) bons: Vec<Bon>,
    pub(crate) doubts: Vec<Doubt>,
    /// Rows that belong to no ticket.
    pub(crate) orphans: u32,
}

/// An export being read.
#[derive(Debug)]
pub(crate) struct Export {
    index: Index,
    joined: Joined,
    by_key: HashMap<String, usize>,
    lines: usize,
    table: Option<Table>,
    rows: Option<Rows>,
}

#[derive(Debug)]
struct Table {
    kind: TableKind,
    name: String,
    shape: Shape,
    /// Where each wanted column stands; empty until the header was read.
    columns: Vec<Option<usize>>,
}

/// The cells of one row by the names of their columns.
struct Cells<'a> {
    table: &'a Table,
    fields: &'a [Cow<'a, str>],
}

impl<'a> Cells<'a> {
    fn text(&self, name: &str) -> &'a str {
        let (required, others) = self.table.kind.columns();
        let at = required.iter().chain(others).position(|column| *column == name);
        let column = at.and_then(|at| self.table.columns.get(at).copied().flatten());
        column.and_then(|column| self.fields.get(column)).map_or("", |field| field.trim())
    }

    fn number(&self, name: &str) -> Result<Option<Quantity>, String> {
        let text = self.text(name);
        if text.is_empty() {
            return Ok(None);
        }
        let sign = if self.table.shape.decimal == '.' { DecimalSign::Point } else { DecimalSign::Comma };
        value::quantity(text, Some(sign)).map(Some).map_err(|fault| match fault {
            NumberFault::Ambiguous => format!("has `{text}` in {name}, which may mean two things"),
            NumberFault::Unreadable(reason) => format!("has an unreadable {name}: {reason}"),
        })
    }

    fn key(&self) -> String {
        ["Z_KASSE_ID", "Z_ERSTELLUNG", "Z_NR", "BON_ID"].map(|name| self.text(name)).join("|")
    }
}

impl Export {
    pub(crate) fn new(index: Index) -> Self {
        Self { index, joined: Joined::default(), by_key: HashMap::new(), lines: 0, table: None, rows: None }
    }

    /// Begins a table; gives the name of its file.
    pub(crate) fn begin(&mut self, kind: TableKind) -> String {
        let files = kind.files();
        let name = files.iter().find(|name| self.index.contains_key(**name)).or(files.first()).copied().unwrap_or("");
        let shape = self.index.get(name).cloned().unwrap_or_default();
        self.rows = Some(Rows::new(shape.delimiter, shape.quote));
        self.table = Some(Table { kind, name: name.to_owned(), shape, columns: Vec::new() });
        name.to_owned()
    }

    /// Takes a piece of the table.
    ///
    /// # Errors
    /// Why the export is refused.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), String> {
        let Some(mut rows) = self.rows.take() else { return Ok(()) };
        let read = rows.push(piece, &mut |fields| self.row(fields));
        self.rows = Some(rows);
        read.map_err(|reason| self.in_table(&reason))
    }

    /// The table is at its end.
    ///
    /// # Errors
    /// Why the export is refused.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        let Some(mut rows) = self.rows.take() else { return Ok(()) };
        rows.finish(&mut |fields| self.row(fields)).map_err(|reason| self.in_table(&reason))
    }

    /// Everything, once all tables were read.
    pub(crate) fn finish(self) -> Joined {
        self.joined
    }

    fn in_table(&self, reason: &str) -> String {
        format!("has a table `{}` that {reason}", self.table.as_ref().map_or("", |table| &table.name))
    }

    fn row(&mut self, fields: &[Cow<'_, str>]) -> Result<(), String> {
        let Some(mut table) = self.table.take() else { return Ok(()) };
        let bound = if table.columns.is_empty() { bind(&mut table, fields) } else { Ok(false) };
        let read = match bound {
            Ok(true) => Ok(()),
            Ok(false) => self.record(&Cells { table: &table, fields }),
            Err(reason) => Err(reason),
        };
        self.table = Some(table);
        read
    }

    fn record(&mut self, cells: &Cells<'_>) -> Result<(), String> {
        let key = cells.key();
        if cells.table.kind == TableKind::Transactions {
            return self.bon(cells, key);
        }
        let Some(bon) = self.by_key.get(&key).and_then(|at| self.joined.bons.get_mut(*at)) else {
            self.joined.orphans = self.joined.orphans.saturating_add(1);
            return Ok(());
        };
        let mut fault = None;
        match cells.table.kind {
            TableKind::Transactions => {}
            TableKind::Lines | TableKind::Subitems => {
                self.lines = self.lines.saturating_add(1);
                if self.lines > LINES_MAX {
                    return Err(format!("has more than {LINES_MAX} lines: export shorter periods"));
                }
                match position(cells) {
                    Ok(position) if cells.table.kind == TableKind::Lines => bon.positions.push(position),
                    Ok(part) => bon.parts.push(part),
                    Err(reason) => fault = Some(reason),
                }
            }
            TableKind::LinesVat => match cells.number("POS_BRUTTO") {
                Ok(amount) => {
                    let sum = bon.positions_total.unwrap_or_default();
                    bon.positions_total = sum.checked_add(amount.unwrap_or_default());
                }
                Err(reason) => fault = Some(reason),
            },
            TableKind::References => {
                let other = ["REF_Z_KASSE_ID", "REF_Z_NR", "REF_BON_ID"].map(|name| cells.text(name).to_owned());
                let [register, closing, id] = other;
                if !id.is_empty() {
                    bon.refers_to = Some((register, closing, id));
                }
            }
        }
        if fault.is_some() {
            bon.fault = bon.fault.take().or(fault);
        }
        Ok(())
    }

    fn bon(&mut self, cells: &Cells<'_>, key: String) -> Result<(), String> {
        if self.joined.bons.len() >= TICKETS_MAX {
            return Err(format!("has more than {TICKETS_MAX} tickets: export shorter periods"));
        }
        let (total, fault) = match cells.number("UMS_BRUTTO") {
            Ok(total) => (total, None),
            Err(reason) => (None, Some(reason)),
        };
        let register = match cells.text("TERMINAL_ID") {
            "" => cells.text("Z_KASSE_ID"),
            terminal => terminal,
        };
        let bon = Bon {
            register: register.to_owned(),
            kind: cells.text("BON_TYP").to_owned(),
            void: is_set(cells.text("BON_STORNO")),
            ended: Some(cells.text("BON_ENDE"))
                .filter(|end| !end.is_empty())
                .unwrap_or(cells.text("BON_START"))
                .to_owned(),
            total,
            positions_total: None,
            positions: Vec::new(),
            parts: Vec::new(),
            refers_to: None,
            fault,
            key: key.clone(),
        };
        if cells.text("BON_ID").is_empty() {
            self.doubt("a ticket without BON_ID cannot be recognised when it is read again".to_owned());
        } else if self.by_key.insert(key.clone(), self.joined.bons.len()).is_some() {
            return Err(format!("names the ticket {key} twice"));
        } else {
            self.joined.bons.push(bon);
        }
        Ok(())
    }

    fn doubt(&mut self, reason: String) {
        if self.joined.doubts.len() < DOUBTS_MAX {
            self.joined.doubts.push(Doubt { at: None, reason, raw: String::new(), records: 1 });
        }
    }
}

fn is_set(word: &str) -> bool {
    matches!(word, "1" | "true" | "True")
}

fn position(cells: &Cells<'_>) -> Result<Position, String> {
    let part = cells.table.kind == TableKind::Subitems;
    let [article, gtin, group, quantity, factor] = if part {
        ["ZI_ART_NR", "ZI_GTIN", "ZI_WARENGR_ID", "ZI_MENGE", "ZI_FAKTOR"]
    } else {
        ["ART_NR", "GTIN", "WARENGR_ID", "MENGE", "FAKTOR"]
    };
    let one = Quantity::from_micros(1_000_000);
    Ok(Position {
        number: cells.text("POS_ZEILE").to_owned(),
        business: cells.text("GV_TYP").to_owned(),
        void: is_set(cells.text("P_STORNO")),
        article: cells.text(article).to_owned(),
        gtin: cells.text(gtin).to_owned(),
        group: cells.text(group).to_owned(),
        quantity: cells.number(quantity)?.unwrap_or_default(),
        // Some leave it empty or zero where it is one.
        factor: cells.number(factor)?.filter(|factor| !factor.is_zero()).unwrap_or(one),
    })
}

/// Finds the columns by the header, or by the index where the file has no header. Whether the row was a header.
fn bind(table: &mut Table, fields: &[Cow<'_, str>]) -> Result<bool, String> {
    let (required, others) = table.kind.columns();
    let header = fields.iter().any(|field| *field == "Z_NR" || *field == "BON_ID");
    let place = |wanted: &&str| {
        if header {
            fields.iter().position(|field| field == wanted)
        } else {
            table.shape.columns.iter().position(|column| column == wanted)
        }
    };
    let columns: Vec<Option<usize>> = required.iter().chain(others).map(&place).collect();
    if let Some(missing) = required.iter().find(|wanted| place(wanted).is_none()) {
        return Err(format!("has no column {missing}"));
    }
    table.columns = columns;
    Ok(header)
}
