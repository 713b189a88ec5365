//! What a POSLog transaction says, read from its elements. Pure; decides nothing about stock.
//!
//! Outside rules: ARTS/OMG POSLog 2.1 and 6.0. Elements are found by their names without namespace, as vendors use
//! several prefixes for the same namespace.

use std::collections::BTreeMap;

use sync_core::model::Quantity;

use super::map;
use crate::documents::feed::{Context, Format};
use crate::documents::ticket::{Found, Rules, SkuFrom, number_in};
use crate::documents::tree::Element;

/// Most registers and business days whose numbers are followed in one document.
const SERIES_MAX: usize = 4096;
/// Widest run of ticket numbers of one register and day that is followed.
const SERIES_NUMBERS_MAX: usize = 200_000;
/// Most missing runs that one remark names.
const GAPS_SHOWN_MAX: usize = 20;

/// Transactions that change no stock: rule by element name.
const WITHOUT_GOODS: [(&str, &str); 6] = [
    ("ControlTransaction", "control-transaction"),
    ("TenderControlTransaction", "tender-control"),
    ("TillSettlement", "tender-control"),
    ("BusinessEOD", "control-transaction"),
    ("BusinessSOD", "control-transaction"),
    ("ForeCourtTransaction", "fuel"),
];

/// A POSLog document.
#[derive(Debug)]
pub(crate) struct Poslog {
    rules: Rules,
    /// Ticket numbers by store, register and day; control transactions use numbers of the same series.
    series: BTreeMap<String, Vec<u64>>,
}

/// The head of a transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) store: String,
    pub(super) workstation: String,
    pub(super) number: String,
    pub(super) day: String,
}

/// Sold or brought back, as the element says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Sale,
    Return,
}

/// One line of goods.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) direction: Direction,
    pub(super) number: String,
    pub(super) sku: String,
    pub(super) department: String,
    pub(super) item_type: String,
    pub(super) id_type: String,
    pub(super) entry: String,
    pub(super) void: bool,
    /// NCR ACS: an article that is paid out (bottles brought back), written with a positive quantity.
    pub(super) negative_item: bool,
    /// Where goods that were brought back go, if it is said.
    pub(super) disposal: Option<String>,
    pub(super) quantity: Option<Quantity>,
    pub(super) amount: Quantity,
}

/// A reward of a loyalty programme that changes what is paid.
#[derive(Debug, Clone)]
pub(super) struct Reward {
    /// Promotion and event.
    pub(super) promotion: (String, String),
    /// Logged for one article.
    pub(super) detailed: bool,
    pub(super) amount: Quantity,
}

/// A retail transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Retail {
    pub(super) cancelled: bool,
    pub(super) training: bool,
    /// As written in `TransactionStatus`.
    pub(super) state: String,
    /// It voids another transaction.
    pub(super) voids: Option<String>,
    pub(super) lines: Vec<Line>,
    pub(super) rewards: Vec<Reward>,
    /// Reductions that stand on lines of their own.
    pub(super) discounts: Vec<Quantity>,
    pub(super) taxes: Vec<Quantity>,
    pub(super) grand_total: Option<Quantity>,
    pub(super) net_total: Option<Quantity>,
    pub(super) tax_total: Option<Quantity>,
    /// Vendor lines that are no goods: rules to count.
    pub(super) passed_over: Vec<&'static str>,
}

impl Poslog {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, series: BTreeMap::new() }
    }

    fn follow(&mut self, head: &Head) {
        let Ok(number) = head.number.parse::<u64>() else {
            return;
        };
        let series = format!("{}|{}|{}", head.store, head.workstation, head.day);
        if self.series.len() < SERIES_MAX || self.series.contains_key(&series) {
            let numbers = self.series.entry(series).or_default();
            if numbers.len() < SERIES_NUMBERS_MAX {
                numbers.push(number);
            }
        }
    }
}

impl Format for Poslog {
    fn what(&self) -> &'static str {
        "POSLog"
    }

    fn roots(&self) -> &'static [&'static str] {
        &["POSLog"]
    }

    fn records(&self) -> &'static [&'static str] {
        &["Transaction"]
    }

    fn public(&self) -> &'static [&'static str] {
        &[
            "RetailStoreID",
            "UnitID",
            "WorkstationID",
            "SequenceNumber",
            "BusinessDayDate",
            "BeginDateTime",
            "EndDateTime",
            "POSItemID",
            "ItemID",
            "Quantity",
            "ExtendedAmount",
            "RegularSalesUnitPrice",
            "ActualSalesUnitPrice",
            "Description",
            "Amount",
            "Total",
            "MerchandiseHierarchy",
            "PromotionID",
            "EventID",
            "RewardCategory",
            "ExtendedRewardAmount",
            "ItemType",
            "POSIDType",
            "EntryMethod",
            "VoidFlag",
            "CancelFlag",
            "TrainingModeFlag",
            "TransactionStatus",
            "TotalType",
            "NegativeItem",
            "weightItem",
            "detailedData",
            "summarizedActivity",
            "ReasonCode",
            "Percent",
            "TaxableAmount",
        ]
    }

    fn record(&mut self, record: Element<'_>, found: &mut Found) -> Result<(), String> {
        let head = head(record);
        self.follow(&head);
        if let Some((_, rule)) = WITHOUT_GOODS.iter().find(|(name, _)| record.child(name).is_some()) {
            found.ignore(rule);
            return Ok(());
        }
        let Some(retail) = record.child("RetailTransaction") else {
            let kind = record.children().map(Element::name).find(|name| name.ends_with("Transaction"));
            return Err(format!("is a {}, which is not read", kind.unwrap_or("transaction of an unknown kind")));
        };
        let ended = record
            .text_of("EndDateTime")
            .or_else(|| retail.text_of("ReceiptDateTime"))
            .or_else(|| record.text_of("BeginDateTime"));
        let sold_at = self.rules.time(ended);
        let ticket = retail_of(record, retail, self.rules.sku)?;
        map::ticket(&self.rules, &head, sold_at, ticket, found)
    }

    fn context(&self) -> Context {
        Context::new()
    }

    /// Numbers that no transaction of the document has, within each register and day.
    fn ended(&mut self, found: &mut Found) {
        let (mut gaps, mut missing) = (Vec::new(), 0_u64);
        for (series, numbers) in &mut self.series {
            numbers.sort_unstable();
            for pair in numbers.windows(2) {
                let [before, after] = *pair else { continue };
                let between = after.saturating_sub(before).saturating_sub(1);
                if between > 0 {
                    missing = missing.saturating_add(between);
                    let (from, to) = (before.saturating_add(1), after.saturating_sub(1));
                    gaps.push(if from == to { format!("{series}|{from}") } else { format!("{series}|{from}-{to}") });
                }
            }
        }
        if missing > 0 {
            let more = if gaps.len() > GAPS_SHOWN_MAX { ", …" } else { "" };
            gaps.truncate(GAPS_SHOWN_MAX);
            found.remark(format!(
                "{missing} ticket numbers are missing between others of the same register and day (store|register|day|number): {}{more}",
                gaps.join(", ")
            ));
        }
    }
}

fn head(record: Element<'_>) -> Head {
    let text = |name: &str| record.text_of(name).unwrap_or_default().to_owned();
    let store = record
        .text_of("RetailStoreID")
        .or_else(|| record.child("BusinessUnit").and_then(|unit| unit.text_of("UnitID")))
        .unwrap_or_default();
    Head {
        store: store.to_owned(),
        workstation: text("WorkstationID"),
        number: text("SequenceNumber"),
        day: text("BusinessDayDate"),
    }
}

fn retail_of(record: Element<'_>, retail: Element<'_>, sku: SkuFrom) -> Result<Retail, String> {
    let either = |name: &str| record.flag(name) || retail.flag(name);
    let mut read = Retail {
        cancelled: either("CancelFlag"),
        training: either("TrainingModeFlag"),
        state: retail
            .attribute("TransactionStatus")
            .or_else(|| record.attribute("TransactionStatus"))
            .unwrap_or_default(),
        ..Retail::default()
    };
    for child in retail.children() {
        match child.name() {
            "LineItem" => line_item(child, sku, &mut read)?,
            "Total" => {
                let amount = crate::documents::ticket::number(child.text(), "total")?;
                match child.attribute("TotalType").as_deref() {
                    Some("TransactionGrandAmount") => read.grand_total = Some(amount),
                    Some("TransactionNetAmount") => read.net_total = Some(amount),
                    Some("TransactionTaxAmount") => read.tax_total = Some(amount),
                    Some(_) | None => {}
                }
            }
            "TransactionLink" => {
                let reason = child.attribute("ReasonCode").unwrap_or_default();
                if matches!(reason.as_str(), "PostVoid" | "PostVoided" | "Void" | "Voided") {
                    let other = head(child);
                    read.voids = Some(format!("{}|{}|{}|{}", other.store, other.workstation, other.number, other.day));
                }
            }
            "TransactionStatus" if read.state.is_empty() => child.text().clone_into(&mut read.state),
            _ => {}
        }
    }
    Ok(read)
}

fn line_item(item: Element<'_>, sku: SkuFrom, read: &mut Retail) -> Result<(), String> {
    for part in item.children() {
        match part.name() {
            "Sale" => read.lines.push(goods(item, part, Direction::Sale, sku)?),
            "Return" => read.lines.push(goods(item, part, Direction::Return, sku)?),
            "Tax" => read.taxes.extend(number_in(part, "Amount")?),
            "LoyaltyReward" if part.text_of("RewardCategory") == Some("Monetary") => {
                let text = |name: &str| part.text_of(name).unwrap_or_default().to_owned();
                read.rewards.push(Reward {
                    promotion: (text("PromotionID"), text("EventID")),
                    detailed: part.flag("detailedData"),
                    amount: number_in(part, "ExtendedRewardAmount")?.unwrap_or_default(),
                });
            }
            "Discount" => read.discounts.extend(number_in(part, "Amount")?),
            "ItemNotFound" => read.passed_over.push("item-not-found"),
            "FuelSale" | "FuelReturn" => read.passed_over.push("fuel"),
            "CustomerOrderForPickup"
            | "CustomerOrderForDelivery"
            | "SaleForDelivery"
            | "SaleForPickup"
            | "Exchange" => {
                return Err(format!("has a line of kind {}, which is not read", part.name()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn goods(item: Element<'_>, part: Element<'_>, direction: Direction, sku: SkuFrom) -> Result<Line, String> {
    let identity = part.child("POSIdentity");
    let scanned = identity.and_then(|identity| identity.text_of("POSItemID"));
    let own = part.text_of("ItemID");
    let chosen = match sku {
        SkuFrom::ItemId => own.or(scanned),
        SkuFrom::Gtin | SkuFrom::GtinModifier => scanned.or(own),
    };
    let attribute = |name: &str| item.attribute(name).or_else(|| part.attribute(name)).unwrap_or_default();
    let either = |name: &str| item.flag(name) || part.flag(name);
    let negative_element = |element: Element<'_>| {
        element
            .child("NegativeItem")
            .is_some_and(|flag| flag.text().is_empty() || crate::documents::tree::is_yes(flag.text()))
    };
    let disposal =
        part.child("Disposal").and_then(|d| d.attribute("Method").or_else(|| d.text_of("Method").map(str::to_owned)));
    Ok(Line {
        direction,
        number: item.text_of("SequenceNumber").unwrap_or("?").to_owned(),
        sku: chosen.unwrap_or_default().to_owned(),
        department: part.text_of("MerchandiseHierarchy").unwrap_or_default().to_owned(),
        item_type: part.attribute("ItemType").unwrap_or_default(),
        id_type: identity.and_then(|identity| identity.attribute("POSIDType")).unwrap_or_default(),
        entry: attribute("EntryMethod"),
        void: either("VoidFlag"),
        negative_item: either("NegativeItem") || negative_element(item) || negative_element(part),
        disposal,
        quantity: number_in(part, "Quantity")?,
        amount: number_in(part, "ExtendedAmount")?.unwrap_or_default(),
    })
}
