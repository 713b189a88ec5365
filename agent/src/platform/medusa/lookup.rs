//! Finding articles, and reading all numbers of our location.

use std::collections::BTreeSet;

use reqwest::Method;
use sync_core::model::Sku;

use super::MatchBy;
use super::client::{Link, Query, misconfigured};
use super::map::{Pick, at, json, levels, per, pick, title};
use super::wire::{NewLevel, PRICE_FIELDS, VARIANT_FIELDS, Variant, Variants};
use crate::platform::transport::status::{failure_by_status, failure_unreached, said};
use crate::platform::{CallFailure, Found, LevelPage, Target, TargetPart};

/// Codes of one question: they stand in the address, and servers refuse long ones.
const ASK_MAX: usize = 50;
/// Variants of one page.
const PAGE: usize = 200;
/// Most pages of one question; codes are exact, so more means that hundreds of variants share one.
const PAGES_MAX: usize = 5;

impl Link {
    /// The trait's look-up.
    pub(super) async fn find(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let hits = self.hits(skus, VARIANT_FIELDS).await?;
        let mut found = Vec::with_capacity(skus.len());
        for sku in skus {
            found.push(match pick(self.settings.match_by, sku.as_str(), &hits) {
                Pick::Nothing => Found::Unknown,
                Pick::Several(candidates) => Found::Ambiguous { candidates },
                Pick::One(variant) => self.target(variant).await?,
            });
        }
        Ok(found)
    }

    /// Every variant that has one of these codes.
    pub(super) async fn hits(&self, skus: &[Sku], fields: &'static str) -> Result<Vec<Variant>, CallFailure> {
        debug_assert!(fields == VARIANT_FIELDS || fields == PRICE_FIELDS, "both hold what is compared");
        let asked: &[&'static str] = match self.settings.match_by {
            MatchBy::Sku => &["sku[]"],
            MatchBy::Barcode => &["ean[]", "upc[]", "barcode[]"],
            MatchBy::SkuThenBarcode => &["sku[]", "ean[]", "upc[]", "barcode[]"],
        };
        let mut hits: Vec<Variant> = Vec::new();
        for chunk in skus.chunks(ASK_MAX) {
            for field in asked {
                let codes: Query<'_> = chunk.iter().map(|sku| (*field, sku.as_str())).collect();
                for variant in self.variants(&codes, fields).await? {
                    if hits.iter().all(|known| known.id != variant.id) {
                        hits.push(variant);
                    }
                }
            }
        }
        Ok(hits)
    }

    async fn variants(&self, asked: &Query<'_>, fields: &'static str) -> Result<Vec<Variant>, CallFailure> {
        let (limit, mut found) = (PAGE.to_string(), Vec::new());
        for _ in 0..PAGES_MAX {
            let offset = found.len().to_string();
            let mut query: Query<'_> =
                vec![("fields", fields), ("order", "id"), ("limit", &limit), ("offset", &offset)];
            query.extend(asked);
            let page: Variants = self.get(&["product-variants"], &query).await?;
            let got = page.variants.len();
            found.extend(page.variants);
            if got == 0 || found.len() >= page.count {
                return Ok(found);
            }
        }
        Err(misconfigured(format!(
            "more than {} variants share the codes of {} articles; check `match`",
            found.len(),
            asked.len()
        )))
    }

    async fn target(&self, variant: &Variant) -> Result<Found, CallFailure> {
        let name = title(variant);
        let unusable = |reason: String| Ok(Found::Unusable { reason });
        if !variant.manage_inventory {
            return unusable(format!("`{name}` does not count its stock; turn on \"manage inventory\" in the shop"));
        }
        if variant.inventory_items.is_empty() {
            return unusable(format!("`{name}` has no inventory item; give it one in the shop"));
        }
        let location = self.location().await?;
        let (mut parts, mut on_hand) = (Vec::new(), Vec::new());
        for item in &variant.inventory_items {
            let here = item.inventory.as_ref().and_then(|inventory| at(&inventory.location_levels, location));
            let number = match here {
                Some(number) => number,
                None if self.settings.activate_missing => {
                    self.stock_here(&item.inventory_item_id, location).await?;
                    0
                }
                None => {
                    return unusable(format!(
                        "`{name}` is not stocked at the location; stock it there, or set activate_missing"
                    ));
                }
            };
            parts.push(TargetPart { item: item.inventory_item_id.clone(), per: per(item.required_quantity) });
            on_hand.push(number);
        }
        Ok(Found::Target { target: Target { parts }, on_hand, title: name })
    }

    /// Stocks an item at the location with nothing. A level that somebody else made meanwhile is left as it is.
    async fn stock_here(&self, item: &str, location: &str) -> Result<(), CallFailure> {
        let body = json(&NewLevel { location_id: location, stocked_quantity: 0 });
        let path = ["inventory-items", item, "location-levels"];
        let reply = self.call(Method::POST, &path, &Vec::new(), Some(body)).await?.map_err(failure_unreached)?;
        if reply.status == 400 {
            // "already exists": the next look-up reads it.
            return Err(CallFailure::Passing { wait: None, reason: said(&reply) });
        }
        failure_by_status(&reply, (self.clock)()).map_or(Ok(()), Err)
    }

    /// The trait's page of numbers: variants in the order of their ids, which grow with time, so that what is added
    /// meanwhile comes last.
    pub(super) async fn level_page(&self, page: Option<String>) -> Result<LevelPage, CallFailure> {
        let location = self.location().await?;
        let offset: usize = page.as_deref().unwrap_or("0").parse().unwrap_or(0);
        let (limit, from) = (PAGE.to_string(), offset.to_string());
        let query = vec![("fields", VARIANT_FIELDS), ("order", "id"), ("limit", &*limit), ("offset", &*from)];
        let page: Variants = self.get(&["product-variants"], &query).await?;
        let end = offset.saturating_add(page.variants.len());
        let levels =
            page.variants.iter().flat_map(|variant| levels(self.settings.match_by, variant, location)).collect();
        let next = (end > offset && end < page.count).then(|| end.to_string());
        Ok(LevelPage { levels, next })
    }

    /// Variants by their ids.
    pub(super) async fn variants_by_id(&self, ids: &[&str]) -> Result<Vec<Variant>, CallFailure> {
        let ids: BTreeSet<&str> = ids.iter().copied().collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(ASK_MAX) {
            let asked: Query<'_> = chunk.iter().map(|id| ("id[]", *id)).collect();
            found.extend(self.variants(&asked, PRICE_FIELDS).await?);
        }
        Ok(found)
    }
}
