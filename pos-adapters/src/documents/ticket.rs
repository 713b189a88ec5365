//! What the formats of this family have in common: a ticket as read, the rules by which its lines move stock, and
//! what a document came to. Pure.

use std::collections::BTreeMap;

use sync_core::model::{LineItem, LineKind, Quantity, RuleName, Sku, Timestamp, TransactionStatus};

use super::tree::Element;
use crate::file::value::{self, StoreClock};

/// Rule of lines without article number.
pub(crate) const NO_SKU: &str = "no-sku";
/// Rule of all lines of a source that only reconciles.
pub(crate) const RECONCILE: &str = "reconcile";

/// Which of a line's numbers names the article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SkuFrom {
    /// The POS's own article number.
    ItemId,
    /// The number on the package, as scanned or keyed.
    Gtin,
    /// The number on the package and the selector of the pack, joined by `/`.
    GtinModifier,
}

/// Lines left out by the installer.
#[derive(Debug, Clone)]
pub(crate) struct ArticleRule {
    pub(crate) rule: String,
    pub(crate) departments: Vec<String>,
    pub(crate) skus: Vec<String>,
    pub(crate) prefix: Option<String>,
}

/// What holds for all documents of a source.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) sku: SkuFrom,
    /// Nothing moves; tickets are kept to be compared.
    pub(crate) reconcile: bool,
    /// A ticket whose sums do not agree is quarantined.
    pub(crate) control_sum: bool,
    /// The components of a sold set move instead of the set.
    pub(crate) components: bool,
    pub(crate) ignore: Vec<ArticleRule>,
    pub(crate) clock: StoreClock,
}

/// One line before the rules of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) sku: String,
    pub(crate) department: String,
    /// Change of stock on hand.
    pub(crate) delta: Quantity,
    pub(crate) kind: LineKind,
    /// The format says that it moves nothing.
    pub(crate) ignored: Option<&'static str>,
}

impl Rules {
    /// Applies the rules of the source.
    pub(crate) fn line(&self, draft: Draft) -> LineItem {
        let ignored = match draft.ignored {
            Some(rule) => Some(RuleName::from(rule)),
            None if draft.sku.is_empty() => Some(RuleName::from(NO_SKU)),
            None => self.ignored(&draft).or_else(|| self.reconcile.then(|| RuleName::from(RECONCILE))),
        };
        LineItem { sku: Sku::new(draft.sku), delta: draft.delta, kind: draft.kind, ignored }
    }

    fn ignored(&self, draft: &Draft) -> Option<RuleName> {
        let fits = |rule: &&ArticleRule| {
            rule.departments.contains(&draft.department)
                || rule.skus.contains(&draft.sku)
                || rule.prefix.as_ref().is_some_and(|prefix| draft.sku.starts_with(prefix.as_str()))
        };
        self.ignore.iter().find(fits).map(|rule| RuleName::new(format!("filter:{}", rule.rule)))
    }

    /// A time of the POS; none if it cannot be read.
    pub(crate) fn time(&mut self, text: Option<&str>) -> Option<Timestamp> {
        value::moment(text?, None).ok().and_then(|moment| self.clock.utc(moment))
    }

    /// A time of the POS in two parts.
    pub(crate) fn time_of(&mut self, date: Option<&str>, time: Option<&str>) -> Option<Timestamp> {
        value::moment_of(date?, time.unwrap_or(""), None).ok().and_then(|moment| self.clock.utc(moment))
    }
}

/// A ticket of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) key: String,
    pub(crate) register: String,
    pub(crate) sold_at: Option<Timestamp>,
    pub(crate) status: TransactionStatus,
    pub(crate) lines: Vec<LineItem>,
}

/// Whether a ticket's own total agrees with its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Balance {
    /// To the cent.
    Exact,
    /// The ticket says no total.
    NoTotal,
    /// It does not, in words.
    Off(String),
}

/// What is read and cannot become movements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// Byte of the document; `None` for the document as a whole.
    pub(crate) at: Option<u64>,
    pub(crate) reason: String,
    pub(crate) raw: String,
    /// Records that this stands for; 0 for a remark on what is missing.
    pub(crate) records: u32,
}

/// Tickets by how their control sum came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) exact: u64,
    pub(crate) no_total: u64,
    pub(crate) off: u64,
}

/// What a piece of a document came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Found {
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) doubts: Vec<Doubt>,
    pub(crate) ignored: BTreeMap<String, u64>,
    pub(crate) sums: Sums,
    /// A record without a readable key or time: what a document covers cannot be told.
    pub(crate) unsure: bool,
}

impl Found {
    /// Counts a record that a rule leaves out.
    pub(crate) fn ignore(&mut self, rule: &str) {
        match self.ignored.get_mut(rule) {
            Some(count) => *count = count.saturating_add(1),
            None => drop(self.ignored.insert(rule.to_owned(), 1)),
        }
    }

    /// Takes a ticket, or says why its sums keep it out.
    ///
    /// # Errors
    /// The difference, in words.
    pub(crate) fn accept(&mut self, ticket: Ticket, balance: Balance, control_sum: bool) -> Result<(), String> {
        match balance {
            Balance::Exact => self.sums.exact = self.sums.exact.saturating_add(1),
            Balance::NoTotal => self.sums.no_total = self.sums.no_total.saturating_add(1),
            Balance::Off(difference) => {
                self.sums.off = self.sums.off.saturating_add(1);
                if control_sum && ticket.status.moves_stock() {
                    return Err(difference);
                }
            }
        }
        self.tickets.push(ticket);
        Ok(())
    }

    /// Something that a person should know of the document as a whole.
    pub(crate) fn remark(&mut self, reason: String) {
        self.doubts.push(Doubt { at: None, reason, raw: String::new(), records: 0 });
    }
}

/// Joins what makes a ticket unique.
pub(crate) fn key(parts: &[&str]) -> String {
    parts.join("|")
}

/// A decimal number as XML writes it.
pub(crate) fn number(text: &str, what: &str) -> Result<Quantity, String> {
    Quantity::parse(text.trim()).map_err(|fault| format!("has an unreadable {what}: {fault}"))
}

/// The number in a child element, if there is one.
pub(crate) fn number_in(element: Element<'_>, name: &str) -> Result<Option<Quantity>, String> {
    element.text_of(name).map(|text| number(text, name)).transpose()
}

/// An exact product; none if it does not fit into six decimals.
pub(crate) fn times(a: Quantity, b: Quantity) -> Option<Quantity> {
    let product = i128::from(a.micros()).checked_mul(i128::from(b.micros()))?;
    (product.checked_rem(1_000_000)? == 0).then_some(())?;
    i64::try_from(product.checked_div(1_000_000)?).ok().map(Quantity::from_micros)
}

/// Sum of amounts; none beyond the range.
pub(crate) fn sum(amounts: impl IntoIterator<Item = Quantity>) -> Option<Quantity> {
    amounts.into_iter().try_fold(Quantity::ZERO, Quantity::checked_add)
}

/// Whether one of the ways in which tickets are added up gives one of the totals that the ticket states.
pub(crate) fn balance(sums: &[Option<Quantity>], totals: &[Option<Quantity>]) -> Balance {
    let Some(total) = totals.iter().flatten().next() else {
        return Balance::NoTotal;
    };
    if sums.iter().flatten().any(|sum| totals.iter().flatten().any(|total| total == sum)) {
        return Balance::Exact;
    }
    match sums.iter().flatten().next() {
        Some(sum) => Balance::Off(format!("adds up to {sum}, but says a total of {total}")),
        None => Balance::Off("has amounts that are too large to add up".to_owned()),
    }
}

/// Tickets as short text, one a line, for snapshots in tests.
#[cfg(test)]
pub(crate) fn words(found: &Found) -> String {
    let mut all = Vec::new();
    for ticket in &found.tickets {
        let lines = ticket.lines.iter().map(|line| {
            let rule = line.ignored.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
            format!("{} {}{rule}", line.sku, line.delta)
        });
        let lines: Vec<String> = lines.collect();
        let at = ticket.sold_at.map_or(String::new(), |at| format!(" @{}", at.0 / 1_000_000));
        all.push(format!("{}{at} {:?}: {}", ticket.key, ticket.status, lines.join(", ")));
    }
    all.extend(found.doubts.iter().map(|doubt| format!("! {}", doubt.reason)));
    all.extend(found.ignored.iter().map(|(rule, count)| format!("- {rule} {count}")));
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_exact_or_refused() {
        let q = |text: &str| Quantity::parse(text).unwrap();
        assert_eq!(times(q("3"), q("0.5")), Some(q("1.5")));
        assert_eq!(times(q("-2"), q("6")), Some(q("-12")));
        assert_eq!(times(q("0.001"), q("0.0005")), None);
        assert_eq!(times(q("9000000000000"), q("9000000")), None);
    }
}
