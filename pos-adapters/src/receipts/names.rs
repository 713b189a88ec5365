//! Printed names to SKUs, for receipts that print no article numbers: a table that the store keeps. Pure.
//!
//! ```csv
//! printed name,price,sku
//! BROWN BREAD,,10023
//! APPLES 1KG,2.49,10040
//! APPLES 1KG,3.99,10041
//! LOTTERY,,!lottery
//! ```
//! A price tells equal names apart; empty means any. A SKU of `!rule` is a line that moves no stock by that rule. A name
//! with two SKUs is a collision: it blocks, it is listed, and nothing is guessed.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::model::{Quantity, Sku};

/// Rows of a table, at most.
const ROWS_MAX: usize = 500_000;
/// Bytes of one row.
const ROW_BYTES_MAX: usize = 4 * 1024;
/// Characters of a printed name.
const NAME_CHARS_MAX: usize = 200;
/// Faults and collisions that are listed.
const LISTED_MAX: usize = 1_000;

/// The table, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameTable {
    rows: BTreeMap<String, BTreeMap<Option<Quantity>, BTreeSet<String>>>,
    /// Rows that could not be used: line, and what is wrong.
    pub faults: Vec<(usize, String)>,
}

/// One printed name that stands for several SKUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// As normalised: upper case, single blanks.
    pub name: String,
    /// The price for which it collides; `None`: any.
    pub price: Option<Quantity>,
    /// All its SKUs, sorted.
    pub skus: Vec<String>,
}

/// What a printed name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// One article.
    Sku(Sku),
    /// Nothing that has stock, by this rule.
    NoStock(String),
    /// Not in the table.
    Unknown,
    /// Several articles; none is taken.
    Collides(Vec<String>),
}

impl NameTable {
    /// Reads a CSV table (`,`, `;` or tabs; a header is recognised by the word `sku`).
    #[must_use]
    pub fn from_csv(text: &str) -> Self {
        let mut table = Self::default();
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().next().unwrap_or_default();
        let delimiter = [',', ';', '\t'].into_iter().max_by_key(|d| first.matches(*d).count()).unwrap_or(',');
        for (index, line) in text.lines().enumerate() {
            let number = index.saturating_add(1);
            if index >= ROWS_MAX {
                table.fault(number, format!("the table ends here: at most {ROWS_MAX} rows"));
                break;
            }
            if line.len() > ROW_BYTES_MAX {
                table.fault(number, format!("is longer than {ROW_BYTES_MAX} bytes"));
                continue;
            }
            let fields = split(line, delimiter);
            let header = index == 0 && fields.iter().any(|field| field.trim().eq_ignore_ascii_case("sku"));
            if !header && !line.trim().is_empty() {
                table.row(number, &fields);
            }
        }
        table
    }

    fn fault(&mut self, line: usize, message: String) {
        if self.faults.len() < LISTED_MAX {
            self.faults.push((line, message));
        }
    }

    fn row(&mut self, line: usize, fields: &[String]) {
        let [name, price, sku] = fields else {
            return self.fault(line, format!("has {} fields instead of name, price and sku", fields.len()));
        };
        let (name, price, sku) = (normal(name), price.trim(), sku.trim());
        if name.is_empty() || sku.is_empty() || sku == "!" {
            return self.fault(line, "lacks its name or SKU".to_owned());
        }
        let price = if price.is_empty() {
            None
        } else {
            match Quantity::parse(&price.replace(',', ".")) {
                Ok(price) => Some(price),
                Err(error) => return self.fault(line, error.to_string()),
            }
        };
        self.rows.entry(name).or_default().entry(price).or_default().insert(sku.to_owned());
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All names that stand for several SKUs at the same price.
    #[must_use]
    pub fn collisions(&self) -> Vec<Collision> {
        let mut found = Vec::new();
        for (name, prices) in &self.rows {
            for (price, skus) in prices.iter().filter(|(_, skus)| skus.len() > 1) {
                let skus = skus.iter().cloned().collect();
                found.push(Collision { name: name.clone(), price: *price, skus });
            }
        }
        found.truncate(LISTED_MAX);
        found
    }

    /// What `name` stands for at `price` a unit. `columns` is where the till cuts names, 0 if it does not: a name of that
    /// length may stand for a longer one, if for one only.
    #[must_use]
    pub fn named(&self, name: &str, price: Option<Quantity>, columns: usize) -> Named {
        let name = normal(name);
        if let Some(prices) = self.rows.get(&name) {
            return one(priced(prices, price));
        }
        let cut = columns > 0 && name.chars().count() >= columns.saturating_sub(1).max(1);
        if !cut {
            return Named::Unknown;
        }
        let longer = self.rows.range(name.clone()..).take_while(|(known, _)| known.starts_with(&name));
        one(longer.take(LISTED_MAX).flat_map(|(_, prices)| priced(prices, price)).collect())
    }
}

/// The SKUs of the exact price, else those of any price.
fn priced(prices: &BTreeMap<Option<Quantity>, BTreeSet<String>>, price: Option<Quantity>) -> BTreeSet<&str> {
    let exact = price.and_then(|price| prices.get(&Some(price)));
    exact.or_else(|| prices.get(&None)).into_iter().flatten().map(String::as_str).collect()
}

fn one(skus: BTreeSet<&str>) -> Named {
    let mut all = skus.iter();
    match (all.next(), all.next()) {
        (None, _) => Named::Unknown,
        (Some(sku), None) => match sku.strip_prefix('!') {
            Some(rule) => Named::NoStock(rule.to_owned()),
            None => Named::Sku(Sku::new(*sku)),
        },
        (Some(_), Some(_)) => Named::Collides(skus.into_iter().map(str::to_owned).collect()),
    }
}

/// Upper case, single blanks.
fn normal(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    words.join(" ").chars().take(NAME_CHARS_MAX).flat_map(char::to_uppercase).collect()
}

/// Price of one unit, where it can be told exactly.
pub(super) fn unit_price(price: Option<Quantity>, amount: Quantity, units: Quantity) -> Option<Quantity> {
    if price.is_some() {
        return price;
    }
    let (amount, units) = (i128::from(amount.micros()).abs(), i128::from(units.micros()).abs());
    let scaled = amount.checked_mul(1_000_000)?;
    (units > 0 && scaled % units == 0).then(|| i64::try_from(scaled / units).ok().map(Quantity::from_micros))?
}

/// Fields of one line; a field in quotes may hold the delimiter and doubled quotes.
fn split(line: &str, delimiter: char) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(field) = fields.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            c if c == delimiter && !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Printed name,Price,SKU
Brown  bread,,10023
APPLES 1KG,2.49,10040
APPLES 1KG,3.99,10041
TEA,1.00,A
TEA,1.00,B
\"CHEESE, OLD 24 MONTHS\",,10050
MILK WHOLE 3.5 PERCENT,,10060
MILK WHOLE 3.8 PERCENT,,10061
Lottery,,!lottery
,,1
BAD,x,2
";

    #[test]
    fn a_name_and_its_price_tell_the_article() {
        let table = NameTable::from_csv(TABLE);
        let sku = |text: &str| Named::Sku(Sku::from(text));
        let price = |text: &str| Some(Quantity::parse(text).unwrap());
        assert_eq!(table.named("BROWN BREAD", price("9.99"), 0), sku("10023"));
        assert_eq!(table.named("apples 1kg", price("3.99"), 0), sku("10041"));
        assert_eq!(table.named("apples 1kg", price("5.00"), 0), Named::Unknown);
        assert_eq!(table.named("LOTTERY", None, 0), Named::NoStock("lottery".to_owned()));
        assert_eq!(table.faults.len(), 2);
    }

    #[test]
    fn a_cut_name_is_known_if_it_can_only_be_one() {
        let table = NameTable::from_csv(TABLE);
        assert_eq!(table.named("CHEESE, OLD 24 M", None, 16), Named::Sku(Sku::from("10050")));
        assert_eq!(table.named("CHEESE, OLD 24 M", None, 0), Named::Unknown);
        assert_eq!(table.named("CHEESE", None, 16), Named::Unknown);
        let both = vec!["10060".to_owned(), "10061".to_owned()];
        assert_eq!(table.named("MILK WHOLE 3.", None, 13), Named::Collides(both));
    }

    #[test]
    fn one_name_with_two_skus_blocks_and_is_listed() {
        let table = NameTable::from_csv(TABLE);
        let price = Quantity::parse("1.00").ok();
        let skus = vec!["A".to_owned(), "B".to_owned()];
        assert_eq!(table.named("TEA", price, 0), Named::Collides(skus.clone()));
        assert_eq!(table.collisions(), vec![Collision { name: "TEA".to_owned(), price, skus }]);
    }
}
