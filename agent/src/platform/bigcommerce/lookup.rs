//! Finding articles, reading their numbers, and paging through all of them.
//!
//! The inventory lists tracked items by SKU, many at a time; the catalogue knows everything else, one article number at a
//! time: barcodes, what is not tracked, SKUs with a comma in them. What a product's variants share is said by the product.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::model::Sku;

use super::client::Client;
use super::map::ItemId;
use super::wire::{LocationItem, Product, Variant};
use crate::platform::matching::{Candidate, Pick, pick};
use crate::platform::{CallFailure, Found, Level, LevelPage, Target, TargetPart};

/// SKUs and ids of one request: its address stays below 8 KiB.
const TERMS_MAX: usize = 50;
/// Rows of a page of the inventory.
const ITEMS_PAGE: usize = 1000;
/// Rows of a page of the catalogue.
const CATALOGUE_PAGE: usize = 250;
/// Pages of one search; more hits than that for 50 terms is a search that does not filter.
const PAGES_MAX: u64 = 4;
/// Pages of a whole catalogue: 10 million articles.
const ALL_PAGES_MAX: u64 = 10_000;

/// A variant as look-ups see it.
struct Hit {
    item: String,
    variant: i64,
    product: i64,
    sku: Option<String>,
    upc: Option<String>,
}

impl Candidate for Hit {
    fn id(&self) -> &str {
        &self.item
    }
    fn sku(&self) -> Option<&str> {
        self.sku.as_deref()
    }
    fn barcode(&self) -> Option<&str> {
        self.upc.as_deref()
    }
    fn title(&self) -> &str {
        self.sku.as_deref().unwrap_or_default()
    }
}

impl From<Variant> for Hit {
    fn from(variant: Variant) -> Self {
        Self {
            item: ItemId::Variant(variant.id).to_string(),
            variant: variant.id,
            product: variant.product_id,
            sku: variant.sku,
            upc: variant.upc,
        }
    }
}

impl Client {
    /// The trait's look-up.
    pub(super) async fn look_up(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let mut found = Vec::with_capacity(skus.len());
        for chunk in skus.chunks(TERMS_MAX) {
            found.extend(self.look_up_some(chunk).await?);
        }
        Ok(found)
    }

    async fn look_up_some(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let hits = self.hits(skus).await?;
        let products = self.products(hits.iter().map(|hit| hit.product)).await?;
        let mut items: Vec<Option<(ItemId, String)>> = Vec::with_capacity(skus.len());
        let mut found = Vec::with_capacity(skus.len());
        for sku in skus {
            let (item, answer) = match pick(self.settings.match_by, sku.as_str(), &hits) {
                Pick::Nothing => (None, Found::Unknown),
                Pick::Several(candidates) => (None, Found::Ambiguous { candidates }),
                Pick::One(hit) => place(hit, products.get(&hit.product)),
            };
            items.push(item);
            found.push(answer);
        }
        let wanted: Vec<ItemId> = items.iter().flatten().map(|(item, _)| *item).collect();
        if wanted.is_empty() {
            return Ok(found);
        }
        let numbers = self.numbers(&wanted).await?;
        for (answer, item) in found.iter_mut().zip(items) {
            let Some((item, title)) = item else { continue };
            if let Some(number) = numbers.get(&item) {
                let target = Target { parts: vec![TargetPart { item: item.to_string(), per: 1 }] };
                *answer = Found::Target { target, on_hand: vec![*number], title };
            }
        }
        Ok(found)
    }

    /// Everything that any of the article numbers finds.
    async fn hits(&self, skus: &[Sku]) -> Result<Vec<Hit>, CallFailure> {
        let match_by = self.settings.match_by;
        let mut hits: Vec<Hit> = Vec::new();
        if match_by.by_sku() {
            let plain: Vec<&str> = skus.iter().map(Sku::as_str).filter(|sku| !sku.contains(',')).collect();
            if !plain.is_empty() {
                hits.extend(self.tracked(&plain).await?);
            }
        }
        for sku in skus.iter().map(Sku::as_str) {
            if match_by.by_sku() && hits.iter().all(|hit| hit.sku.as_deref() != Some(sku)) {
                hits.extend(self.catalogue("sku", sku).await?);
            }
            if match_by.by_barcode() && hits.iter().all(|hit| hit.sku.as_deref() != Some(sku)) {
                hits.extend(self.catalogue("upc", sku).await?);
            }
        }
        Ok(hits)
    }

    /// Tracked items by SKU, as the inventory has them.
    async fn tracked(&self, skus: &[&str]) -> Result<Vec<Hit>, CallFailure> {
        let (list, limit) = (skus.join(","), ITEMS_PAGE.to_string());
        let rows: Vec<LocationItem> =
            self.all(&self.items_path(), &[("sku:in", &list), ("limit", &limit)], PAGES_MAX).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let identity = row.identity;
                let (variant, product) = (identity.variant_id?, identity.product_id?);
                let item = ItemId::Variant(variant).to_string();
                Some(Hit { item, variant, product, sku: identity.sku, upc: None })
            })
            .collect())
    }

    async fn catalogue(&self, field: &str, code: &str) -> Result<Vec<Hit>, CallFailure> {
        let page = self.page::<Variant>("/v3/catalog/variants", &[(field, code), ("limit", "10")]).await?;
        Ok(page.data.into_iter().map(Hit::from).collect())
    }

    /// Products by id, and a note of which are tracked as one.
    async fn products(&self, ids: impl Iterator<Item = i64>) -> Result<BTreeMap<i64, Product>, CallFailure> {
        let mut ids: Vec<i64> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        let mut products = BTreeMap::new();
        for chunk in ids.chunks(TERMS_MAX) {
            let (list, limit) = (listed(chunk), CATALOGUE_PAGE.to_string());
            let query =
                [("id:in", list.as_str()), ("include_fields", "name,inventory_tracking"), ("limit", limit.as_str())];
            for product in self.page::<Product>("/v3/catalog/products", &query).await?.data {
                self.note_tracking(&product);
                products.insert(product.id, product);
            }
        }
        Ok(products)
    }

    /// What lies at the location, safety stock included. An item that was never set counts as none, one that is gone is
    /// left out.
    pub(super) async fn numbers(&self, items: &[ItemId]) -> Result<BTreeMap<ItemId, i64>, CallFailure> {
        let mut numbers = BTreeMap::new();
        let items: BTreeSet<ItemId> = items.iter().copied().collect();
        let of = |variants: bool| -> Vec<i64> {
            items
                .iter()
                .filter_map(|item| match item {
                    ItemId::Variant(id) => variants.then_some(*id),
                    ItemId::Product(id) => (!variants).then_some(*id),
                })
                .collect()
        };
        let limit = ITEMS_PAGE.to_string();
        for (field, ids) in [("variant_id:in", of(true)), ("product_id:in", of(false))] {
            for chunk in ids.chunks(TERMS_MAX) {
                let list = listed(chunk);
                let rows: Vec<LocationItem> =
                    self.all(&self.items_path(), &[(field, &list), ("limit", &limit)], PAGES_MAX).await?;
                for row in rows {
                    let (variant, product) = (row.identity.variant_id, row.identity.product_id);
                    for item in [variant.map(ItemId::Variant), product.map(ItemId::Product)].into_iter().flatten() {
                        if items.contains(&item) {
                            numbers.insert(item, row.total_inventory_onhand);
                        }
                    }
                }
            }
        }
        for item in items {
            if !numbers.contains_key(&item) && self.exists(item).await? {
                numbers.insert(item, 0);
            }
        }
        Ok(numbers)
    }

    async fn exists(&self, item: ItemId) -> Result<bool, CallFailure> {
        let (path, field, id) = match item {
            ItemId::Variant(id) => ("/v3/catalog/variants", "id", id),
            ItemId::Product(id) => ("/v3/catalog/products", "id:in", id),
        };
        let page = self.page::<serde_json::Value>(path, &[(field, &id.to_string()), ("limit", "1")]).await?;
        Ok(!page.data.is_empty())
    }

    fn items_path(&self) -> String {
        format!("/v3/inventory/locations/{}/items", self.settings.location)
    }

    /// All pages of a search.
    async fn all<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        pages_max: u64,
    ) -> Result<Vec<T>, CallFailure> {
        let mut rows = Vec::new();
        for number in 1..=pages_max {
            let number = number.to_string();
            let query: Vec<(&str, &str)> = query.iter().copied().chain([("page", number.as_str())]).collect();
            let page = self.page::<T>(path, &query).await?;
            rows.extend(page.data);
            if page.meta.pagination.current_page >= page.meta.pagination.total_pages {
                return Ok(rows);
            }
        }
        Err(CallFailure::Passing {
            wait: None,
            reason: format!("{path} has more than {pages_max} pages for one search"),
        })
    }

    /// The trait's page of numbers.
    pub(super) async fn levels(&self, page: Option<String>) -> Result<LevelPage, CallFailure> {
        if page.is_none() {
            self.check_stock_falls().await?;
        }
        let number: u64 = page.as_deref().unwrap_or("1").parse().unwrap_or(1);
        if number > ALL_PAGES_MAX {
            let reason = format!("the shop has more than {ALL_PAGES_MAX} pages of articles");
            return Err(CallFailure::Passing { wait: None, reason });
        }
        self.until_settled().await;
        if self.settings.match_by.by_barcode() {
            self.levels_of_catalogue(number).await
        } else {
            self.levels_of_location(number).await
        }
    }

    async fn levels_of_location(&self, number: u64) -> Result<LevelPage, CallFailure> {
        let (text, limit) = (number.to_string(), ITEMS_PAGE.to_string());
        let page = self.page::<LocationItem>(&self.items_path(), &[("page", &text), ("limit", &limit)]).await?;
        let levels = page
            .data
            .into_iter()
            .filter_map(|row| {
                let item = ItemId::of(&row.identity, |product| self.is_shared(product))?.to_string();
                let sku = row.identity.sku.filter(|sku| !sku.is_empty())?;
                Some(Level { item, sku: Sku::from(sku.as_str()), number: row.total_inventory_onhand })
            })
            .collect();
        Ok(LevelPage { levels, next: (number < page.meta.pagination.total_pages).then(|| (number + 1).to_string()) })
    }

    /// The inventory knows no barcodes: the catalogue is paged, and the numbers of each page are read.
    async fn levels_of_catalogue(&self, number: u64) -> Result<LevelPage, CallFailure> {
        let (text, limit) = (number.to_string(), CATALOGUE_PAGE.to_string());
        let page = self.page::<Variant>("/v3/catalog/variants", &[("page", &text), ("limit", &limit)]).await?;
        let ids: Vec<i64> = page.data.iter().map(|variant| variant.id).collect();
        let mut numbers = BTreeMap::new();
        for chunk in ids.chunks(TERMS_MAX) {
            let list = listed(chunk);
            let rows: Vec<LocationItem> =
                self.all(&self.items_path(), &[("variant_id:in", &list), ("limit", &limit)], PAGES_MAX).await?;
            for row in rows {
                if let (Some(id), Some(item)) =
                    (row.identity.variant_id, ItemId::of(&row.identity, |product| self.is_shared(product)))
                {
                    numbers.insert(id, (item, row.total_inventory_onhand));
                }
            }
        }
        let mut levels = Vec::new();
        for variant in page.data {
            let Some((item, number)) = numbers.get(&variant.id) else { continue };
            let sku = variant.sku.filter(|_| self.settings.match_by.by_sku());
            for code in [sku, variant.upc].into_iter().flatten().filter(|code| !code.is_empty()) {
                levels.push(Level { item: item.to_string(), sku: Sku::from(code.as_str()), number: *number });
            }
        }
        Ok(LevelPage { levels, next: (number < page.meta.pagination.total_pages).then(|| (number + 1).to_string()) })
    }

    /// The look-up of the lane of prices: the variant, tracked or not.
    pub(super) async fn look_up_variants(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let mut found = Vec::with_capacity(skus.len());
        for chunk in skus.chunks(TERMS_MAX) {
            let hits = self.hits(chunk).await?;
            for sku in chunk {
                found.push(match pick(self.settings.match_by, sku.as_str(), &hits) {
                    Pick::Nothing => Found::Unknown,
                    Pick::Several(candidates) => Found::Ambiguous { candidates },
                    Pick::One(hit) => Found::Target {
                        target: Target { parts: vec![TargetPart { item: hit.item.clone(), per: 1 }] },
                        on_hand: vec![0],
                        title: hit.title().to_owned(),
                    },
                });
            }
        }
        Ok(found)
    }
}

/// Where an article's stock is kept, and the answer that stands if it turns out to be gone.
fn place(hit: &Hit, product: Option<&Product>) -> (Option<(ItemId, String)>, Found) {
    let Some(product) = product else { return (None, Found::Unknown) };
    let title = format!("{} ({})", product.name, hit.title());
    match product.inventory_tracking.as_str() {
        "variant" => (Some((ItemId::Variant(hit.variant), title)), Found::Unknown),
        "product" => (Some((ItemId::Product(hit.product), title)), Found::Unknown),
        _ => (
            None,
            Found::Unusable { reason: format!("`{title}` is not tracked; turn on \"track inventory\" in the shop") },
        ),
    }
}

fn listed(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}
