//! Reading: which product an article is, how numbers stand, what online customers wait for.
//!
//! The shop compares article numbers without regard to letter case, so every hit is compared again, exactly. A list of SKUs
//! finds variations too; a list of GTINs does so in 10.9.2, while older releases search products only: there the barcode of
//! a variation is not found, and its SKU has to be the article number.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::model::Sku;
use sync_core::outbox::settle::Evidence;

use super::MatchBy;
use super::client::Client;
use super::map::{self, Item, Place, number, place, sku_of};
use super::wire::{ManageStock, ORDER_FIELDS, Order, PRODUCT_FIELDS, Product};
use crate::platform::{
    CallFailure, Found, Level, LevelPage, OrderPage, OrdersSince, ReadBack, Seen, Target, TargetPart,
};

/// Article numbers of one question.
const TERMS_MAX: usize = 40;
/// Bytes of them; some servers refuse longer addresses than 4 KiB.
const TERMS_BYTES_MAX: usize = 1500;
/// The platform's own limit.
const PAGE: usize = 100;
/// Pages of one question: more hits than this for 40 article numbers are a catalogue gone wrong.
const PAGES_MAX: usize = 5;
/// Parents whose variations are read in one page of levels, where the shop cannot list all variations at once.
const PARENTS_A_PAGE: usize = 10;
/// Pages of variations of one product.
const VARIATION_PAGES_MAX: usize = 10;

/// For what a product is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The product or variation that keeps its number.
    Stock,
    /// The product or variation that has its price.
    Price,
}

impl Client {
    pub(super) async fn find(&self, skus: &[Sku], wanted: Wanted) -> Result<Vec<Found>, CallFailure> {
        let by_sku = match self.settings.match_by {
            MatchBy::Sku | MatchBy::SkuThenBarcode => self.hits("sku", skus).await?,
            MatchBy::Barcode => Vec::new(),
        };
        let has = |product: &Product, field: Field, sku: &Sku| field.of(product) == Some(sku.as_str());
        let missing: Vec<Sku> = match self.settings.match_by {
            MatchBy::Sku => Vec::new(),
            MatchBy::Barcode => skus.to_vec(),
            MatchBy::SkuThenBarcode => {
                skus.iter().filter(|sku| !by_sku.iter().any(|product| has(product, Field::Sku, sku))).cloned().collect()
            }
        };
        let by_barcode = self.hits("global_unique_id", &missing).await?;
        let found = skus.iter().map(|sku| {
            let first: Vec<&Product> = by_sku.iter().filter(|product| has(product, Field::Sku, sku)).collect();
            let second = by_barcode.iter().filter(|product| has(product, Field::Barcode, sku));
            let hits = if first.is_empty() { second.collect() } else { first };
            self.settle(&hits, wanted)
        });
        Ok(found.collect())
    }

    fn settle(&self, hits: &[&Product], wanted: Wanted) -> Found {
        let product = match hits {
            [] => return Found::Unknown,
            [one] => one,
            several => {
                let candidates = several.iter().map(|product| format!("{} (product {})", product.name, product.id));
                return Found::Ambiguous { candidates: candidates.collect() };
            }
        };
        self.remember_keeper(product);
        let target = |item: Item| Target { parts: vec![TargetPart { item: item.text(), per: 1 }] };
        let title = product.name.clone();
        match (wanted, place(product)) {
            (Wanted::Price, _) if matches!(product.kind.as_str(), "variable" | "grouped") => Found::Unusable {
                reason: format!("`{title}` is a {} product, which has no price of its own", product.kind),
            },
            (Wanted::Price, _) => {
                let item = Item { parent: product.parent_id, id: product.id };
                Found::Target { target: target(item), on_hand: vec![0], title }
            }
            (Wanted::Stock, Place::Item { item, number }) => {
                Found::Target { target: target(item), on_hand: vec![number], title }
            }
            (Wanted::Stock, Place::Unusable(reason)) => Found::Unusable { reason },
        }
    }

    /// All products and variations that the shop thinks have one of these in `field`.
    async fn hits(&self, field: &str, terms: &[Sku]) -> Result<Vec<Product>, CallFailure> {
        let mut hits = Vec::new();
        for list in questions(terms) {
            for page in 1..=PAGES_MAX {
                let query = [(field, list.clone()), ("_fields", PRODUCT_FIELDS.to_owned())];
                let (products, pages) = self.page::<Product>("products", &query, page).await?;
                hits.extend(products);
                if page >= pages {
                    break;
                }
            }
        }
        hits.sort_by_key(|product| product.id);
        hits.dedup_by_key(|product| product.id);
        Ok(hits)
    }

    /// Products by their numbers, wherever they are. Those that are gone are left out.
    pub(super) async fn by_items(&self, items: &BTreeSet<Item>) -> Result<BTreeMap<Item, Product>, CallFailure> {
        let mut by_parent: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for item in items {
            by_parent.entry(item.parent).or_default().push(item.id);
        }
        let mut found = BTreeMap::new();
        for (parent, ids) in by_parent {
            let path = if parent == 0 { "products".to_owned() } else { format!("products/{parent}/variations") };
            for some in ids.chunks(PAGE) {
                let list: Vec<String> = some.iter().map(u64::to_string).collect();
                let query = [("include", list.join(",")), ("_fields", PRODUCT_FIELDS.to_owned())];
                let (products, _) = self.page::<Product>(&path, &query, 1).await?;
                // An older shop may leave the filter out: what was not asked for is not taken.
                for product in products.into_iter().filter(|product| some.contains(&product.id)) {
                    self.remember_keeper(&product);
                    found.insert(Item { parent, id: product.id }, product);
                }
            }
        }
        Ok(found)
    }

    /// The numbers of items now, and whether they carry the marker of a request.
    pub(super) async fn seen(&self, question: &ReadBack) -> Result<Vec<Seen>, CallFailure> {
        let items: Vec<Option<Item>> = question.items.iter().map(|text| Item::parse(text)).collect();
        let known = match &question.sent {
            Some(sent) => self.plugin_outcome(sent.key.as_str()).await?,
            None => None,
        };
        let products = self.by_items(&items.iter().flatten().copied().collect()).await?;
        let seen = items.iter().enumerate().map(|(at, item)| {
            let product =
                item.and_then(|item| products.get(&item)).filter(|product| product.manage_stock == ManageStock::Own);
            let evidence = match (&question.sent, product) {
                (None, _) => Evidence::Silent,
                (Some(sent), _) if sent.changes.get(at) == Some(&0) => Evidence::Applied,
                (Some(sent), product) => {
                    let marked = product.is_some_and(|product| product.meta(&self.marker) == Some(sent.key.as_str()));
                    let by_plugin =
                        question.items.get(at).zip(known.as_ref()).is_some_and(|(item, rows)| rows.contains(item));
                    if marked || by_plugin { Evidence::Applied } else { Evidence::NotApplied }
                }
            };
            Seen { number: product.and_then(number), evidence }
        });
        Ok(seen.collect())
    }

    /// One page of all numbers. A page is named `p:<page>`, `p:<page>:<parents done>` or `v:<page>`.
    pub(super) async fn levels(&self, page: Option<String>) -> Result<LevelPage, CallFailure> {
        let name = page.unwrap_or_else(|| "p:1".to_owned());
        let mut parts = name.split(':');
        let (list, page, done) = (parts.next(), parts.next(), parts.next());
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok());
        let (page, done) = (number(page).unwrap_or(1), number(done));
        match list {
            Some("v") => self.variation_levels(page).await,
            _ => self.product_levels(page, done).await,
        }
    }

    async fn product_levels(&self, page: usize, done: Option<usize>) -> Result<LevelPage, CallFailure> {
        let query = [("orderby", "id".to_owned()), ("order", "asc".to_owned()), ("_fields", PRODUCT_FIELDS.to_owned())];
        let (products, pages) = self.page::<Product>("products", &query, page).await?;
        let flat = self.has_flat_variations().await?;
        let more = page < pages;
        let parents: Vec<u64> =
            products.iter().filter(|product| product.kind == "variable").map(|product| product.id).collect();
        let mut levels = match done {
            None => self.levels_of(&products),
            Some(_) => Vec::new(),
        };
        let next = match (flat, more) {
            (true, true) => Some(format!("p:{}", page.saturating_add(1))),
            (true, false) => Some("v:1".to_owned()),
            (false, _) => {
                let done = done.unwrap_or(0);
                let until = done.saturating_add(PARENTS_A_PAGE).min(parents.len());
                for parent in parents.get(done..until).unwrap_or_default() {
                    levels.extend(self.levels_of(&self.variations(*parent).await?));
                }
                match (until < parents.len(), more) {
                    (true, _) => Some(format!("p:{page}:{until}")),
                    (false, true) => Some(format!("p:{}", page.saturating_add(1))),
                    (false, false) => None,
                }
            }
        };
        Ok(LevelPage { levels, next })
    }

    async fn variation_levels(&self, page: usize) -> Result<LevelPage, CallFailure> {
        let query = [("orderby", "id".to_owned()), ("order", "asc".to_owned()), ("_fields", PRODUCT_FIELDS.to_owned())];
        let (variations, pages) = self.page::<Product>("variations", &query, page).await?;
        let next = (page < pages).then(|| format!("v:{}", page.saturating_add(1)));
        Ok(LevelPage { levels: self.levels_of(&variations), next })
    }

    async fn variations(&self, parent: u64) -> Result<Vec<Product>, CallFailure> {
        let mut all = Vec::new();
        for page in 1..=VARIATION_PAGES_MAX {
            let query = [("_fields", PRODUCT_FIELDS.to_owned())];
            let (variations, pages) =
                self.page::<Product>(&format!("products/{parent}/variations"), &query, page).await?;
            // The list below a product may leave the parent out.
            all.extend(variations.into_iter().map(|product| Product { parent_id: parent, ..product }));
            if page >= pages {
                break;
            }
        }
        Ok(all)
    }

    /// The numbers that products keep themselves; a parent's number stands at the parent.
    fn levels_of(&self, products: &[Product]) -> Vec<Level> {
        products
            .iter()
            .filter_map(|product| {
                self.remember_keeper(product);
                if product.manage_stock != ManageStock::Own {
                    return None;
                }
                let item = Item { parent: product.parent_id, id: product.id };
                Some(Level {
                    item: item.text(),
                    sku: sku_of(product, self.settings.match_by)?,
                    number: number(product)?,
                })
            })
            .collect()
    }

    /// One page of orders.
    pub(super) async fn order_page(&self, since: &OrdersSince) -> Result<OrderPage, CallFailure> {
        let page = since.page.as_deref().and_then(|page| page.parse().ok()).unwrap_or(1);
        let mut query =
            vec![("orderby", "id".to_owned()), ("order", "asc".to_owned()), ("_fields", ORDER_FIELDS.to_owned())];
        match since.changed_after {
            None => query.push(("status", self.settings.open_statuses.join(","))),
            Some(at) => query.extend([
                ("status", "any".to_owned()),
                ("modified_after", map::time_text(at)),
                ("dates_are_gmt", "true".to_owned()),
            ]),
        }
        let (orders, pages) = self.page::<Order>("orders", &query, page).await?;
        self.learn_keepers(&orders).await?;
        let keeper = |parent, variation| self.keeper(parent, variation);
        let orders =
            orders.iter().filter_map(|order| map::order(order, &self.settings.open_statuses, keeper)).collect();
        let next = (page < pages).then(|| page.saturating_add(1).to_string());
        Ok(OrderPage { orders, next })
    }

    /// An order's line names a variation; whether that or its parent keeps the number has to be read once.
    async fn learn_keepers(&self, orders: &[Order]) -> Result<(), CallFailure> {
        let unknown: BTreeSet<Item> = orders
            .iter()
            .flat_map(|order| &order.line_items)
            .filter(|line| line.variation_id != 0 && self.keeper(line.product_id, line.variation_id).is_none())
            .map(|line| Item { parent: line.product_id, id: line.variation_id })
            .collect();
        self.by_items(&unknown).await.map(drop)
    }
}

#[derive(Clone, Copy)]
enum Field {
    Sku,
    Barcode,
}

impl Field {
    fn of(self, product: &Product) -> Option<&str> {
        match self {
            Self::Sku => product.sku.as_deref(),
            Self::Barcode => product.global_unique_id.as_deref(),
        }
    }
}

/// Article numbers as lists separated by commas. One that holds a comma itself is asked for alone: the shop then tries the
/// whole text too.
fn questions(terms: &[Sku]) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    let mut open: Option<(String, usize)> = None;
    for term in terms {
        let term = term.as_str();
        if term.contains(',') {
            lists.push(term.to_owned());
            continue;
        }
        open = Some(match open.take() {
            Some((list, count)) if count < TERMS_MAX && list.len().saturating_add(term.len()) < TERMS_BYTES_MAX => {
                (format!("{list},{term}"), count.saturating_add(1))
            }
            full => {
                lists.extend(full.map(|(list, _)| list));
                (term.to_owned(), 1)
            }
        });
    }
    lists.extend(open.map(|(list, _)| list));
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_bounded_and_commas_are_asked_for_alone() {
        let skus: Vec<Sku> = (0..90).map(|number| Sku::from(format!("A-{number}").as_str())).collect();
        let lists = questions(&skus);
        assert_eq!(lists.iter().map(|list| list.split(',').count()).collect::<Vec<_>>(), [40, 40, 10]);
        assert_eq!(questions(&[Sku::from("a,b"), Sku::from("c"), Sku::from("d")]), ["a,b", "c,d"]);
        assert!(questions(&[]).is_empty());
    }
}
