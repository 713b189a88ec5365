//! A ticket, how it is made up, and how it looks as text.

use std::fmt::Write;

use serde_json::json;

use super::{Format, TillSettings};
use crate::decimal::Decimal;
use crate::dice::Dice;

/// Header of the CSV files.
pub(crate) const CSV_HEADER: &str = "transaction,register,line,sold_at,status,kind,sku,name,quantity,price\r\n";

/// Of a thousand lines, so many are weighed if there is anything to weigh.
const WEIGHED_PER_MILLE: u32 = 200;

/// One line of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketLine {
    /// The article.
    pub sku: String,
    /// As printed: positive for goods sold.
    pub quantity: Decimal,
    /// Name of the article.
    pub name: String,
}

/// One ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The register.
    pub register: String,
    /// Its number, unique in the store.
    pub number: String,
    /// Seconds since 1970.
    pub sold_at_s: i64,
    /// Cancelled as a whole.
    pub voided: bool,
    /// Its lines.
    pub lines: Vec<TicketLine>,
}

impl Ticket {
    pub(crate) fn rung_up(settings: &TillSettings, dice: &mut Dice, number: String) -> Self {
        let mut lines = Vec::new();
        for _ in 0..=dice.below(settings.lines_max.max(1)) {
            let weighed =
                !settings.weighed_skus.is_empty() && (settings.skus.is_empty() || dice.happens(WEIGHED_PER_MILLE));
            let from = if weighed { &settings.weighed_skus } else { &settings.skus };
            let Some(sku) = dice.pick(from).cloned() else {
                continue;
            };
            let grams = i64::try_from(50 + dice.below(1500)).unwrap_or(1);
            let pieces = i64::try_from(1 + dice.below(3)).unwrap_or(1);
            let amount = if weighed { Decimal::thousandths(grams) } else { Decimal::units(pieces) };
            let quantity = if dice.happens(settings.returns_per_mille) { -amount } else { amount };
            let name = article_name(&sku, settings.awkward_names, dice);
            let line = TicketLine { sku, quantity, name };
            if dice.happens(settings.line_voids_per_mille) {
                lines.push(line.clone());
                lines.push(TicketLine { quantity: -line.quantity, ..line });
            } else {
                lines.push(line);
            }
        }
        Self { register: settings.register.clone(), number, sold_at_s: now_s(), voided: false, lines }
    }

    pub(crate) fn of(register: &str, number: String, changes: &[(&str, Decimal)]) -> Self {
        let lines = changes
            .iter()
            .map(|(sku, delta)| TicketLine {
                sku: (*sku).to_owned(),
                quantity: -*delta,
                name: format!("Article {sku}"),
            })
            .collect();
        Self { register: register.to_owned(), number, sold_at_s: now_s(), voided: false, lines }
    }

    /// (line, article, change of stock) of everything that moves stock.
    pub(crate) fn moves(&self) -> Vec<(u64, String, Decimal)> {
        if self.voided {
            return Vec::new();
        }
        (1..).zip(&self.lines).map(|(number, line)| (number, line.sku.clone(), -line.quantity)).collect()
    }

    /// Its records, complete with their line ends.
    pub(crate) fn text(&self, format: Format) -> String {
        match format {
            Format::Csv => self.csv(),
            Format::JsonLines => self.json(),
        }
    }

    fn status(&self) -> &'static str {
        if self.voided { "voided" } else { "completed" }
    }

    fn sold_at(&self) -> String {
        jiff::Timestamp::from_second(self.sold_at_s).unwrap_or_default().to_string()
    }

    fn csv(&self) -> String {
        let (mut text, sold_at) = (String::new(), self.sold_at());
        for (number, line) in (1..).zip(&self.lines) {
            let TicketLine { sku, quantity, name } = line;
            let (kind, status) = (kind(line), self.status());
            let name = name.replace('"', "\"\"");
            writeln!(
                text,
                "{},{},{number},{sold_at},{status},{kind},{sku},\"{name}\",{quantity},2.50\r",
                self.number, self.register
            )
            .expect("writing to a string never fails");
        }
        text
    }

    fn json(&self) -> String {
        let items: Vec<_> = (1..)
            .zip(&self.lines)
            .map(|(number, line): (u64, _)| json!({"line": number, "sku": line.sku, "name": line.name, "quantity": line.quantity, "kind": kind(line), "price": "2.50"}))
            .collect();
        let ticket = json!({"transaction": self.number, "register": self.register, "sold_at": self.sold_at(), "status": self.status(), "items": items});
        format!("{ticket}\n")
    }
}

fn kind(line: &TicketLine) -> &'static str {
    if line.quantity.is_negative() { "return" } else { "sale" }
}

fn article_name(sku: &str, awkward: bool, dice: &mut Dice) -> String {
    match (awkward, dice.below(8)) {
        (true, 0) => format!("Tea, \"green\" {sku}"),
        (true, 1) => format!("Gift box\r\nwith ribbon {sku}"),
        (true, 2) => format!("Käse; 45 % {sku}"),
        _ => format!("Article {sku}"),
    }
}

fn now_s() -> i64 {
    crate::moment::Moment::now().wall_us / 1_000_000
}
