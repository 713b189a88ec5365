//! What a transaction of a Commander set says, read from its elements. Pure; decides nothing about stock.

use sync_core::model::{Quantity, Timestamp};

use super::map;
use crate::documents::feed::{Context, Format};
use crate::documents::ticket::{Found, Rules, SkuFrom, number, number_in, sum};
use crate::documents::tree::Element;
use crate::documents::xml;

/// A transaction set.
#[derive(Debug)]
pub(crate) struct Verifone {
    rules: Rules,
    set: Set,
    /// Sums of the sales that were read, with tax.
    sold: Option<Quantity>,
}

/// What holds for the whole set.
#[derive(Debug, Clone, Default)]
struct Set {
    site: String,
    period: String,
    /// Running totals at the start and at the end of the period.
    start: Option<Quantity>,
    end: Option<Quantity>,
    /// In `startTotals` or `endTotals`.
    totals: Option<Edge>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Start,
    End,
}

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// `plu`, `dept`, `preFuel`, … as written.
    pub(super) kind: String,
    pub(super) sku: String,
    pub(super) department: String,
    pub(super) quantity: Quantity,
    /// `trlSign` says minus.
    pub(super) minus: bool,
    pub(super) amount: Quantity,
    pub(super) fuel: bool,
}

/// One transaction.
#[derive(Debug, Clone)]
pub(super) struct Trans {
    /// `sale`, `network sale`, `void`, `journal`, … as written.
    pub(super) kind: String,
    pub(super) site: String,
    pub(super) period: String,
    pub(super) serial: String,
    pub(super) register: String,
    pub(super) number: String,
    pub(super) sold_at: Option<Timestamp>,
    pub(super) lines: Vec<Line>,
    pub(super) net: Option<Quantity>,
    pub(super) gross: Option<Quantity>,
}

impl Verifone {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, set: Set::default(), sold: Some(Quantity::ZERO) }
    }

    fn trans(&mut self, record: Element<'_>) -> Result<Trans, String> {
        let text = |name: &str| record.text_of(name).unwrap_or_default().to_owned();
        let value = record.child("trValue");
        let total = |name: &str| value.map_or(Ok(None), |value| number_in(value, name));
        let mut lines = Vec::new();
        for line in record.child("trLines").into_iter().flat_map(Element::children) {
            if line.name() == "trLine" {
                lines.push(self.line(line)?);
            }
        }
        Ok(Trans {
            kind: record.attribute("type").unwrap_or_default(),
            site: self.set.site.clone(),
            period: self.set.period.clone(),
            serial: text("trUniqueSN"),
            register: text("posNum"),
            number: text("trTickNum"),
            sold_at: self.rules.time(record.text_of("date")),
            lines,
            net: total("trTotNoTax")?,
            gross: total("trTotWTax")?,
        })
    }

    fn line(&self, line: Element<'_>) -> Result<Line, String> {
        let upc = line.text_of("trlUPC").unwrap_or_default();
        let sku = match (self.rules.sku, line.text_of("trlModifier")) {
            (SkuFrom::GtinModifier, Some(modifier)) => format!("{upc}/{modifier}"),
            (SkuFrom::Gtin | SkuFrom::ItemId | SkuFrom::GtinModifier, _) => upc.to_owned(),
        };
        let department = line.child("trlDept");
        let department =
            department.and_then(|d| d.attribute("number")).or_else(|| department.map(|d| d.text().to_owned()));
        Ok(Line {
            kind: line.attribute("type").unwrap_or_default(),
            sku,
            department: department.unwrap_or_default(),
            quantity: number_in(line, "trlQty")?.unwrap_or(Quantity::from_micros(1_000_000)),
            minus: number_in(line, "trlSign")?.is_some_and(Quantity::is_negative),
            amount: number_in(line, "trlLineTot")?.unwrap_or_default(),
            fuel: line.child("trlFlags").is_some_and(|flags| flags.child("trlFuelSale").is_some())
                || line.child("trlFuel").is_some(),
        })
    }
}

impl Format for Verifone {
    fn what(&self) -> &'static str {
        "Verifone transaction set"
    }

    fn roots(&self) -> &'static [&'static str] {
        &["transSet", "transset"]
    }

    fn records(&self) -> &'static [&'static str] {
        &["trans"]
    }

    fn public(&self) -> &'static [&'static str] {
        &[
            "trTickNum",
            "posNum",
            "trUniqueSN",
            "date",
            "trTotNoTax",
            "trTotWTax",
            "trTotTax",
            "trlDept",
            "trlQty",
            "trlSign",
            "trlLineTot",
            "trlDesc",
            "trlUPC",
            "trlModifier",
            "type",
            "recalled",
        ]
    }

    fn open(&mut self, name: &str, attributes: &str) {
        match name {
            "transSet" | "transset" => {
                let value = |name: &str| xml::attribute(attributes, name).unwrap_or_default();
                self.set.site = value("site");
                self.set.period = format!("{}-{}", value("periodID"), value("longId"));
            }
            "startTotals" => self.set.totals = Some(Edge::Start),
            "endTotals" => self.set.totals = Some(Edge::End),
            _ => {}
        }
    }

    fn close(&mut self, name: &str, text: &str) {
        match (name, self.set.totals) {
            ("overallSales", Some(Edge::Start)) => self.set.start = number(text, name).ok(),
            ("overallSales", Some(Edge::End)) => self.set.end = number(text, name).ok(),
            ("startTotals" | "endTotals", _) => self.set.totals = None,
            _ => {}
        }
    }

    fn record(&mut self, record: Element<'_>, found: &mut Found) -> Result<(), String> {
        let trans = self.trans(record)?;
        if trans.kind.contains("sale") {
            self.sold = self.sold.and_then(|sold| sum([sold, trans.gross.or(trans.net).unwrap_or_default()]));
        }
        map::trans(&self.rules, &trans, found)
    }

    fn context(&self) -> Context {
        Context::from([("site".to_owned(), self.set.site.clone()), ("period".to_owned(), self.set.period.clone())])
    }

    fn restore(&mut self, context: &Context) {
        let value = |name: &str| context.get(name).cloned().unwrap_or_default();
        (self.set.site, self.set.period) = (value("site"), value("period"));
    }

    /// The running totals of a period against the sales that the set lists.
    fn ended(&mut self, found: &mut Found) {
        let grown = self.set.end.zip(self.set.start).and_then(|(end, start)| end.checked_sub(start));
        if let (Some(grown), Some(sold)) = (grown, self.sold)
            && grown != sold
        {
            found.remark(format!(
                "the totals of period {} grew by {grown}, but the sales that it lists come to {sold}: sales may be missing from the set",
                self.set.period
            ));
        }
    }
}
