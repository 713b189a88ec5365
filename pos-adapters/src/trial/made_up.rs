//! Inputs for the parsers under trial: made-up sales in the shape of each format, and what an enemy makes of them.
//!
//! The same seed gives the same bytes. Nothing here is anybody's data. A trial whose name is not known here gets
//! pieces of all formats, which is enough to start fuzzing from.

mod hostile;
mod printed;
mod xml;

pub use hostile::{ENDINGS, Ending, mutated};

/// Reproducible chance (SplitMix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The same seed gives the same numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`; zero if `end` is zero.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        match z.checked_rem(end) {
            Some(number) => number,
            None => 0,
        }
    }

    /// A place in something of so many parts.
    pub fn place(&mut self, parts: usize) -> usize {
        usize::try_from(self.below(u64::try_from(parts).unwrap_or(u64::MAX))).unwrap_or_default()
    }
}

/// One line of a made-up sale.
#[derive(Debug, Clone, Copy)]
struct Line {
    sku: u64,
    name: &'static str,
    quantity: u64,
    /// Of one piece, in cents.
    price: u64,
}

impl Line {
    const fn amount(self) -> u64 {
        self.quantity.saturating_mul(self.price)
    }
}

/// A made-up sale.
#[derive(Debug, Clone)]
struct Sale {
    number: u64,
    register: u64,
    /// Minutes since the first day.
    minute: u64,
    lines: Vec<Line>,
}

const NAMES: [&str; 10] = [
    "Tea breakfast 50",
    "Milk 1 l",
    "Bread rye",
    "Apples kg",
    "Soap",
    "Candle red",
    "Pen blue",
    "Notebook A5",
    "Nuts 200 g",
    "Water 6x1.5",
];

impl Sale {
    fn total(&self) -> u64 {
        self.lines.iter().map(|line| line.amount()).sum()
    }

    fn time(&self, between: char) -> String {
        let (day, minute) = (self.minute.div_euclid(1440).min(27), self.minute.rem_euclid(1440));
        format!(
            "2026-02-{:02}{between}{:02}:{:02}:{:02}",
            day.saturating_add(1),
            minute.div_euclid(60),
            minute.rem_euclid(60),
            self.number.rem_euclid(60)
        )
    }
}

fn sales(count: u64, seed: u64) -> impl Iterator<Item = Sale> {
    let mut chance = Chance::new(seed);
    (0..count).map(move |index| Sale {
        number: index.saturating_add(1001),
        register: index.rem_euclid(3).saturating_add(1),
        minute: index.div_euclid(2).saturating_add(480),
        lines: (0..chance.below(5).saturating_add(1))
            .map(|_| {
                let sku = chance.below(500);
                let name = NAMES.get(usize::try_from(sku.rem_euclid(10)).unwrap_or_default()).copied().unwrap_or("Tea");
                Line {
                    sku,
                    name,
                    quantity: chance.below(3).saturating_add(1),
                    price: chance.below(900).saturating_add(99),
                }
            })
            .collect(),
    })
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents.div_euclid(100), cents.rem_euclid(100))
}

/// A whole input for the trial with so many sales; `None` if its format is not known here.
#[must_use]
pub fn document(trial: &str, count: u64, seed: u64) -> Option<Vec<u8>> {
    let sales = sales(count, seed);
    Some(match trial {
        "file-csv" => csv(sales),
        "file-json-lines" => json_lines(sales),
        "file-json-tickets" => json_tickets(sales),
        "pushed" => posted(sales),
        "receipts-escpos" | "receipts-judge" => printed::escpos(sales),
        "receipts-star" => printed::star(sales),
        "receipts-journal" => printed::journal(sales),
        "receipts-plain" => printed::plain(sales),
        "receipt-tickets" => printed::tickets(sales),
        "poslog" => xml::poslog(sales),
        "naxml" => xml::naxml(sales),
        "saft" => xml::saft(sales),
        _ => return None,
    })
}

/// Small inputs to start fuzzing a trial from.
#[must_use]
pub fn seeds(trial: &str) -> Vec<Vec<u8>> {
    let own = [1, 3].into_iter().filter_map(|count| document(trial, count, count));
    let all = ["file-csv", "file-json-tickets", "pushed", "receipts-escpos", "poslog", "naxml", "saft"];
    let others = if document(trial, 1, 0).is_some() { &[][..] } else { &all[..] };
    let mut seeds: Vec<Vec<u8>> = own.chain(others.iter().filter_map(|other| document(other, 2, 0))).collect();
    // Every kind of trap, short.
    let traps: Vec<Vec<u8>> =
        ENDINGS.iter().map(|ending| ending.input(seeds.first().map_or(&[], Vec::as_slice), 512)).collect();
    seeds.extend(traps);
    seeds
}

fn csv(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut text = String::from("transaction,register,sold_at,sku,name,quantity,amount\r\n");
    for sale in sales {
        for line in &sale.lines {
            // Every tenth name needs quotes.
            let name = if line.sku.is_multiple_of(10) {
                format!("\"{}, \"\"fine\"\"\"", line.name)
            } else {
                line.name.to_owned()
            };
            text.push_str(&format!(
                "{},{},{},SKU-{:05},{name},{},{}\r\n",
                sale.number,
                sale.register,
                sale.time(' '),
                line.sku,
                line.quantity,
                money(line.amount())
            ));
        }
    }
    text.into_bytes()
}

fn json_lines(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut text = String::new();
    for sale in sales {
        for line in &sale.lines {
            text.push_str(&format!(
                "{{\"transaction\":\"{}\",\"register\":\"{}\",\"sold_at\":\"{}Z\",\"sku\":\"SKU-{:05}\",\"name\":\"{}\",\"quantity\":{},\"amount\":{}}}\n",
                sale.number,
                sale.register,
                sale.time('T'),
                line.sku,
                line.name,
                line.quantity,
                money(line.amount())
            ));
        }
    }
    text.into_bytes()
}

fn json_tickets(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut text = String::new();
    for sale in sales {
        let lines: Vec<String> = sale
            .lines
            .iter()
            .map(|line| {
                format!(
                    "{{\"sku\":\"SKU-{:05}\",\"name\":\"{}\",\"quantity\":{},\"price\":{}}}",
                    line.sku,
                    line.name,
                    line.quantity,
                    money(line.price)
                )
            })
            .collect();
        text.push_str(&format!(
            "{{\"transaction\":\"{}\",\"register\":\"{}\",\"sold_at\":\"{}Z\",\"total\":{},\"lines\":[{}]}}\n",
            sale.number,
            sale.register,
            sale.time('T'),
            money(sale.total()),
            lines.join(",")
        ));
    }
    text.into_bytes()
}

/// The body of a request of our own kind.
fn posted(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let of = |sale: Sale| {
        let lines: Vec<String> = sale
            .lines
            .iter()
            .map(|line| {
                format!("{{\"sku\":\"SKU-{:05}\",\"quantity\":\"{}\",\"kind\":\"sale\"}}", line.sku, line.quantity)
            })
            .collect();
        format!(
            "{{\"transaction\":\"{}\",\"register\":\"{}\",\"sold_at\":\"{}Z\",\"status\":\"completed\",\"lines\":[{}]}}",
            sale.number,
            sale.register,
            sale.time('T'),
            lines.join(",")
        )
    };
    format!("[{}]", sales.map(of).collect::<Vec<String>>().join(",\n")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{TRIALS, Tally};

    #[test]
    fn made_up_sales_are_read_by_the_parsers_they_are_made_for() {
        for (name, trial) in
            TRIALS.iter().filter(|(name, _)| name.starts_with("file-") || name.starts_with("receipts-"))
        {
            let Some(document) = document(name, 40, 7) else { continue };
            let lines: u64 = sales(40, 7).map(|sale| u64::try_from(sale.lines.len()).unwrap()).sum();
            for piece in [61, document.len()] {
                let tally = trial(&document, piece);
                assert_eq!(tally.quarantined, 0, "{name}: {tally:?}");
                assert!(*name == "receipts-judge" || tally.transactions >= 40, "{name}: {tally:?}");
                assert!(tally.lines >= lines, "{name}: {tally:?}");
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_bytes() {
        for (name, _) in TRIALS {
            assert_eq!(document(name, 9, 3), document(name, 9, 3));
            assert!(seeds(name).len() > ENDINGS.len(), "{name}");
        }
        assert_ne!(document("file-csv", 9, 3), document("file-csv", 9, 4));
        let mut chance = Chance::new(1);
        assert!((0..100).all(|_| chance.below(7) < 7) && chance.below(0) == 0);
        assert_eq!(Tally::default().lines, 0);
    }
}
