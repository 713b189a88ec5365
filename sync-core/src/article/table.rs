//! The store's articles by every code that a till may write for them.

use std::collections::{BTreeMap, BTreeSet};

use super::gs1;
use super::gtin::Gtin;
use super::ratio::Ratio;
use super::restricted::{Content, Layout};
use crate::model::{Quantity, RuleName, Sku};

/// Most articles of a store.
pub const ARTICLES_MAX: usize = 500_000;
/// Most components of one kit.
pub const COMPONENTS_MAX: usize = 200;

/// One article, or one more barcode of an article that has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// The article number under which stock is kept.
    pub sku: Sku,
    /// A code of it, as written; several rows give several.
    pub barcode: Option<String>,
    /// Units of stock for one unit sold under this barcode (or under the SKU, where the row has no barcode).
    pub pack: Ratio,
    /// What one unit is made of; empty for an article that has stock of its own.
    pub kit: Vec<(Sku, Ratio)>,
    /// The rule by which it moves no stock.
    pub non_stock: Option<RuleName>,
    /// Price of one unit, to work out a weight from a printed price.
    pub unit_price: Option<Quantity>,
}

/// What is done with a code that the table does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// It is taken for a SKU as it is: the platform may know it.
    #[default]
    Keep,
    /// The transaction is set aside until the table knows it.
    Refuse,
}

/// How codes are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// See [`Unknown`].
    pub unknown: Unknown,
    /// Layouts of codes that hold a weight or a price.
    pub layouts: Vec<Layout>,
    /// Where a line says one piece, take the weight, price or count from its code.
    pub quantity_from_code: bool,
}

/// One code that means several SKUs: lines with it are set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The code as compared: as written, or as fourteen digits.
    pub code: String,
    /// The SKUs, in order.
    pub skus: Vec<Sku>,
}

/// A code that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'t> {
    /// The article.
    pub article: &'t Article,
    /// What else the code holds.
    pub content: Option<Content>,
}

/// What the table says of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'t> {
    /// One article.
    One(Found<'t>),
    /// Several SKUs.
    Several(Vec<&'t Sku>),
    /// None.
    None,
}

/// Articles by code. Built once, asked for each line.
#[derive(Debug, Clone, Default)]
pub struct ArticleTable {
    rules: Rules,
    articles: Vec<Article>,
    by_sku: BTreeMap<String, Vec<usize>>,
    by_barcode: BTreeMap<String, Vec<usize>>,
    by_gtin: BTreeMap<Gtin, Vec<usize>>,
    /// SKUs and barcodes without zeros in front.
    by_bare: BTreeMap<String, Vec<usize>>,
}

impl ArticleTable {
    /// Builds the table; what is beyond [`ARTICLES_MAX`] is left out, so check the count before.
    #[must_use]
    pub fn new(articles: Vec<Article>, rules: Rules) -> Self {
        let mut table = Self { rules, articles, ..Self::default() };
        table.articles.truncate(ARTICLES_MAX);
        for (at, article) in table.articles.iter().enumerate() {
            let sku = article.sku.as_str();
            let main = article.barcode.is_none();
            let first = !table.by_sku.contains_key(sku);
            let of_sku = table.by_sku.entry(sku.to_owned()).or_default();
            // The row without a barcode says what the SKU itself means; without one, the first row does.
            if main && !first {
                of_sku.insert(0, at);
            } else {
                of_sku.push(at);
            }
            if first {
                add(&mut table.by_bare, sku.trim_start_matches('0'), at);
            }
            if let Some(barcode) = &article.barcode {
                add(&mut table.by_barcode, barcode, at);
                add(&mut table.by_bare, barcode.trim_start_matches('0'), at);
                if let Some(gtin) = Gtin::parse(barcode).or_else(|| Gtin::without_check_digit(barcode)) {
                    table.by_gtin.entry(gtin).or_default().push(at);
                }
            }
        }
        table
    }

    /// How codes are read.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.articles.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.articles.is_empty()
    }

    /// Every code that means several SKUs, in order.
    #[must_use]
    pub fn collisions(&self) -> Vec<Collision> {
        let written = self.by_barcode.iter().map(|(code, rows)| (code.clone(), rows));
        let digits = self.by_gtin.iter().map(|(code, rows)| (code.to_string(), rows));
        let mut found: Vec<Collision> = written
            .chain(digits)
            .map(|(code, rows)| (code, self.skus(rows)))
            .filter(|(_, skus)| skus.len() > 1)
            .map(|(code, skus)| Collision { code, skus: skus.into_iter().cloned().collect() })
            .collect();
        // A code that collides as written collides as digits too: it is listed once.
        found.sort_by(|a, b| a.skus.cmp(&b.skus).then(a.code.len().cmp(&b.code.len())).then(a.code.cmp(&b.code)));
        found.dedup_by(|later, earlier| {
            later.skus == earlier.skus
                && later.code.trim_start_matches('0').starts_with(earlier.code.trim_start_matches('0'))
        });
        found
    }

    /// The row that says what a SKU is made of.
    #[must_use]
    pub fn of_sku(&self, sku: &str) -> Option<&Article> {
        self.by_sku.get(sku).and_then(|rows| rows.first()).and_then(|at| self.articles.get(*at))
    }

    /// Looks a code up: as a SKU, as a barcode as written, by its fourteen digits, with its check digit added, as
    /// a padded PLU, as a UPC-E, as a code of the store's layouts or a GS1 element string, and at last without zeros in
    /// front if only one article has it so.
    #[must_use]
    pub fn find(&self, code: &str) -> Answer<'_> {
        let code = code.trim();
        if let Some(article) = self.of_sku(code) {
            return Answer::One(Found { article, content: None });
        }
        // Code 39 is printed between asterisks, and some scanners pass them on.
        let code = code.strip_prefix('*').and_then(|rest| rest.strip_suffix('*')).unwrap_or(code);
        let exact = self.by_barcode.get(code).or_else(|| Gtin::parse(code).and_then(|gtin| self.by_gtin.get(&gtin)));
        if let Some(rows) = exact {
            return self.answer(rows, None);
        }
        if let Some(content) = self.rules.layouts.iter().find_map(|layout| layout.read(code)) {
            let rows = self
                .by_barcode
                .get(&content.zeroed)
                .or_else(|| self.by_sku.get(&content.item))
                .or_else(|| self.by_barcode.get(&content.item))
                .or_else(|| self.by_bare.get(content.item.trim_start_matches('0')));
            if let Some(rows) = rows {
                return self.answer(rows, Some(content));
            }
        }
        if let Some(elements) = gs1::parse(code)
            && let Some(gtin) = elements.gtin
        {
            let content = Content {
                zeroed: gtin.to_string(),
                item: gtin.to_string(),
                weight: elements.weight,
                price: elements.price,
                count: elements.count.and_then(Quantity::from_units),
            };
            if let Some(rows) = self.by_gtin.get(&gtin) {
                return self.answer(rows, Some(content));
            }
        }
        self.find_repaired(code)
    }

    /// Codes that a till has shortened or padded.
    fn find_repaired(&self, code: &str) -> Answer<'_> {
        let added = Gtin::without_check_digit(code).and_then(|gtin| self.by_gtin.get(&gtin));
        let short = || Gtin::from_upc_e(code).and_then(|gtin| self.by_gtin.get(&gtin));
        if let Some(rows) = added.or_else(short) {
            return self.answer(rows, None);
        }
        let padded = Gtin::parse(code).map(Gtin::unpadded).filter(|bare| !bare.is_empty());
        if let Some(article) = padded.as_deref().and_then(|bare| self.of_sku(bare)) {
            return Answer::One(Found { article, content: None });
        }
        let plu = padded.and_then(|bare| self.by_bare.get(&bare));
        let bare = code.trim_start_matches('0');
        match plu.or_else(|| (!bare.is_empty()).then(|| self.by_bare.get(bare)).flatten()) {
            Some(rows) if self.skus(rows).len() == 1 => self.answer(rows, None),
            Some(_) | None => Answer::None,
        }
    }

    fn answer(&self, rows: &[usize], content: Option<Content>) -> Answer<'_> {
        let skus = self.skus(rows);
        match (skus.as_slice(), rows.first().and_then(|at| self.articles.get(*at))) {
            ([_], Some(article)) => Answer::One(Found { article, content }),
            ([], _) | (_, None) => Answer::None,
            (several, Some(_)) => Answer::Several(several.to_vec()),
        }
    }

    fn skus(&self, rows: &[usize]) -> Vec<&Sku> {
        let skus: BTreeSet<&Sku> = rows.iter().filter_map(|at| self.articles.get(*at)).map(|row| &row.sku).collect();
        skus.into_iter().collect()
    }
}

fn add(codes: &mut BTreeMap<String, Vec<usize>>, code: &str, at: usize) {
    if !code.is_empty() {
        codes.entry(code.to_owned()).or_default().push(at);
    }
}
