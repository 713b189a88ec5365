//! What a NAXML event says, read from its elements. Pure; decides nothing about stock.
//!
//! Outside rules: Conexxus NAXML POSJournal 3.4. Amounts of a refund event are negative; a line with status `cancel` was
//! taken back by the register itself before the end.

use sync_core::model::{Quantity, Timestamp};

use super::map;
use crate::documents::feed::{Context, Format};
use crate::documents::ticket::{Found, Rules, SkuFrom, number_in};
use crate::documents::tree::{Element, is_yes};

/// A POSJournal document.
#[derive(Debug)]
pub(crate) struct Naxml {
    rules: Rules,
    store: String,
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sale,
    Refund,
    Void,
}

/// What a line sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ware {
    Item,
    /// Rung up by its department only.
    Department,
    Fuel,
}

/// One line of goods.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) ware: Ware,
    pub(super) status: String,
    pub(super) sku: String,
    pub(super) department: String,
    pub(super) quantity: Quantity,
    /// Pieces that one sold unit stands for.
    pub(super) units: Quantity,
    pub(super) amount: Quantity,
}

/// One event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) kind: Kind,
    pub(super) store: String,
    pub(super) register: String,
    pub(super) number: String,
    pub(super) day: String,
    pub(super) sold_at: Option<Timestamp>,
    pub(super) training: bool,
    pub(super) suspended: bool,
    pub(super) lines: Vec<Line>,
    /// Reductions on lines of their own.
    pub(super) discounts: Vec<Quantity>,
    pub(super) gross: Option<Quantity>,
    pub(super) net: Option<Quantity>,
    pub(super) tax: Option<Quantity>,
    pub(super) grand: Option<Quantity>,
}

impl Naxml {
    pub(crate) const fn new(rules: Rules) -> Self {
        Self { rules, store: String::new() }
    }
}

impl Format for Naxml {
    fn what(&self) -> &'static str {
        "NAXML POSJournal"
    }

    fn roots(&self) -> &'static [&'static str] {
        &["NAXML-POSJournal"]
    }

    fn records(&self) -> &'static [&'static str] {
        &["SaleEvent", "RefundEvent", "VoidEvent", "FinancialEvent", "OtherEvent"]
    }

    fn public(&self) -> &'static [&'static str] {
        &[
            "RegisterID",
            "TransactionID",
            "EventSequenceID",
            "ReceiptDate",
            "ReceiptTime",
            "BusinessDate",
            "POSCode",
            "POSCodeModifier",
            "Description",
            "MerchandiseCode",
            "SalesQuantity",
            "SalesAmount",
            "SellingUnits",
            "ActualSalesPrice",
            "TransactionTotalGrossAmount",
            "TransactionTotalNetAmount",
            "TransactionTotalGrandAmount",
            "TransactionTotalTaxNetAmount",
            "status",
            "value",
            "format",
            "direction",
            "FuelGradeID",
        ]
    }

    fn close(&mut self, name: &str, text: &str) {
        if name == "StoreLocationID" {
            text.clone_into(&mut self.store);
        }
    }

    fn record(&mut self, record: Element<'_>, found: &mut Found) -> Result<(), String> {
        let kind = match record.name() {
            "SaleEvent" => Kind::Sale,
            "RefundEvent" => Kind::Refund,
            "VoidEvent" => Kind::Void,
            "FinancialEvent" => {
                found.ignore("financial-event");
                return Ok(());
            }
            _ => {
                found.ignore("other-event");
                return Ok(());
            }
        };
        let event = self.event(record, kind)?;
        map::event(&self.rules, &event, found)
    }

    fn context(&self) -> Context {
        Context::from([("store".to_owned(), self.store.clone())])
    }

    fn restore(&mut self, context: &Context) {
        self.store = context.get("store").cloned().unwrap_or_default();
    }
}

impl Naxml {
    fn event(&mut self, record: Element<'_>, kind: Kind) -> Result<Event, String> {
        let text = |name: &str| record.text_of(name).unwrap_or_default().to_owned();
        let flag = |name: &str| {
            record
                .child(name)
                .is_some_and(|flag| is_yes(flag.text()) || flag.attribute("value").is_some_and(|v| is_yes(&v)))
        };
        let summary = record.child("TransactionSummary");
        let total = |name: &str| summary.map_or(Ok(None), |summary| number_in(summary, name));
        let (date, time) = (record.text_of("ReceiptDate"), record.text_of("ReceiptTime"));
        let (date, time) = match date {
            Some(date) => (Some(date), time),
            None => (record.text_of("EventStartDate"), record.text_of("EventStartTime")),
        };
        let mut event = Event {
            kind,
            store: self.store.clone(),
            register: text("RegisterID"),
            number: text("TransactionID"),
            day: text("BusinessDate"),
            sold_at: match record.text_of("EventDateTime") {
                Some(moment) => self.rules.time(Some(moment)),
                None => self.rules.time_of(date, time),
            },
            training: flag("TrainingModeFlag"),
            suspended: flag("SuspendFlag"),
            lines: Vec::new(),
            discounts: Vec::new(),
            gross: total("TransactionTotalGrossAmount")?,
            net: total("TransactionTotalNetAmount")?,
            tax: total("TransactionTotalTaxNetAmount")?,
            grand: total("TransactionTotalGrandAmount")?,
        };
        if let Some(group) = record.child("TransactionDetailGroup") {
            for line in group.children().filter(|line| line.name() == "TransactionLine") {
                self.line(line, &mut event)?;
            }
        }
        Ok(event)
    }

    fn line(&self, line: Element<'_>, event: &mut Event) -> Result<(), String> {
        let status = line.attribute("status").unwrap_or_default();
        for part in line.children() {
            let ware = match part.name() {
                "ItemLine" => Ware::Item,
                "MerchandiseCodeLine" => Ware::Department,
                "FuelLine" | "FuelPrepayLine" => Ware::Fuel,
                "Discount" | "DiscountLine" if status != "cancel" => {
                    event.discounts.extend(number_in(part, "DiscountAmount")?);
                    continue;
                }
                _ => continue,
            };
            let code = part.child("ItemCode");
            let code_text = |name: &str| code.and_then(|code| code.text_of(name));
            let scanned = code_text("POSCode").unwrap_or_default();
            let sku = match (self.rules.sku, code_text("POSCodeModifier")) {
                (SkuFrom::ItemId, _) => code_text("InventoryItemID")
                    .or_else(|| part.text_of("InventoryItemID"))
                    .unwrap_or(scanned)
                    .to_owned(),
                (SkuFrom::GtinModifier, Some(modifier)) => format!("{scanned}/{modifier}"),
                (SkuFrom::Gtin | SkuFrom::GtinModifier, _) => scanned.to_owned(),
            };
            let one = Quantity::from_micros(1_000_000);
            event.lines.push(Line {
                ware,
                status: status.clone(),
                sku,
                department: part.text_of("MerchandiseCode").unwrap_or_default().to_owned(),
                quantity: number_in(part, "SalesQuantity")?.unwrap_or(one),
                units: number_in(part, "SellingUnits")?.unwrap_or(one),
                amount: number_in(part, "SalesAmount")?.unwrap_or_default(),
            });
        }
        Ok(())
    }
}
