//! What a cash transaction says, read from its elements. Pure; decides nothing about stock.
//!
//! Outside rules: Skatteetaten, SAF-T Cash Register 1.00. The words of a POS (`CASHSAL`) get their meaning from the
//! `basics` table, which names the authority's code (`11001`); a code itself is taken as well.

use std::collections::BTreeMap;

use sync_core::model::{Quantity, Timestamp};

use super::map;
use crate::documents::feed::{Context, Format};
use crate::documents::ticket::{Found, Rules, number_in};
use crate::documents::tree::{Element, is_yes};

/// Most words of the `basics` table.
const BASICS_MAX: usize = 2048;

/// A cash register export.
#[derive(Debug)]
pub(crate) struct Saft {
    rules: Rules,
    register: String,
    basics: BTreeMap<String, String>,
    basic: (String, String),
}

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) number: String,
    pub(super) article: String,
    pub(super) group: String,
    pub(super) quantity: Option<Quantity>,
    pub(super) amount: Quantity,
    /// `amntTp`: debit, money goes out.
    pub(super) debit: bool,
}

/// One transaction.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) register: String,
    pub(super) number: String,
    pub(super) id: String,
    pub(super) day: String,
    /// The authority's code of the kind of transaction, or the POS's word.
    pub(super) code: String,
    pub(super) void: bool,
    pub(super) training: bool,
    pub(super) sold_at: Option<Timestamp>,
    pub(super) lines: Vec<Line>,
    pub(super) total: Option<Quantity>,
    pub(super) total_without_tax: Option<Quantity>,
    pub(super) sum_without_tax: Option<Quantity>,
}

impl Saft {
    pub(crate) const fn new(rules: Rules) -> Self {
        Self { rules, register: String::new(), basics: BTreeMap::new(), basic: (String::new(), String::new()) }
    }

    fn transaction(&mut self, record: Element<'_>) -> Result<Transaction, String> {
        let text = |name: &str| record.text_of(name).unwrap_or_default().to_owned();
        let word = text("transType");
        let code = self.basics.get(&word).cloned().unwrap_or(word);
        let mut lines = Vec::new();
        let mut without_tax = Vec::new();
        for line in record.children().filter(|line| line.name() == "ctLine") {
            let text = |name: &str| line.text_of(name).unwrap_or_default().to_owned();
            without_tax.push(number_in(line, "lineAmntEx")?.unwrap_or_default());
            lines.push(Line {
                number: text("lineID"),
                article: text("artID"),
                group: text("artGroupID"),
                quantity: number_in(line, "qnt")?,
                amount: number_in(line, "lineAmntIn")?.unwrap_or_default(),
                debit: line.text_of("amntTp").is_some_and(|side| side.eq_ignore_ascii_case("D")),
            });
        }
        let flag = |name: &str| record.text_of(name).is_some_and(is_yes);
        Ok(Transaction {
            register: self.register.clone(),
            number: text("nr"),
            id: text("transID"),
            day: text("transDate"),
            code,
            void: flag("voidTransaction"),
            training: flag("trainingID"),
            sold_at: self.rules.time_of(record.text_of("transDate"), record.text_of("transTime")),
            lines,
            total: number_in(record, "transAmntIn")?,
            total_without_tax: number_in(record, "transAmntEx")?,
            sum_without_tax: crate::documents::ticket::sum(without_tax),
        })
    }
}

impl Format for Saft {
    fn what(&self) -> &'static str {
        "SAF-T cash register export"
    }

    fn roots(&self) -> &'static [&'static str] {
        &["auditfile"]
    }

    fn records(&self) -> &'static [&'static str] {
        &["cashtransaction"]
    }

    fn public(&self) -> &'static [&'static str] {
        &[
            "nr",
            "transID",
            "transType",
            "transAmntIn",
            "transAmntEx",
            "amntTp",
            "transDate",
            "transTime",
            "lineID",
            "lineType",
            "artGroupID",
            "artID",
            "qnt",
            "lineAmntIn",
            "lineAmntEx",
            "lineDate",
            "lineTime",
            "voidTransaction",
            "trainingID",
            "receiptNum",
        ]
    }

    fn close(&mut self, name: &str, text: &str) {
        match name {
            "registerID" => text.clone_into(&mut self.register),
            "basicID" => self.basic = (text.to_owned(), String::new()),
            "predefinedBasicID" => text.clone_into(&mut self.basic.1),
            "basic" => {
                let (word, code) = std::mem::take(&mut self.basic);
                if !code.is_empty() && self.basics.len() < BASICS_MAX {
                    self.basics.insert(word, code);
                }
            }
            _ => {}
        }
    }

    fn record(&mut self, record: Element<'_>, found: &mut Found) -> Result<(), String> {
        let transaction = self.transaction(record)?;
        map::transaction(&self.rules, &transaction, found)
    }

    fn context(&self) -> Context {
        let basics = self.basics.iter().map(|(word, code)| (format!("basic:{word}"), code.clone()));
        basics.chain([("register".to_owned(), self.register.clone())]).collect()
    }

    fn restore(&mut self, context: &Context) {
        self.register = context.get("register").cloned().unwrap_or_default();
        let basic = |(key, code): (&String, &String)| Some((key.strip_prefix("basic:")?.to_owned(), code.clone()));
        self.basics = context.iter().filter_map(basic).collect();
    }
}
