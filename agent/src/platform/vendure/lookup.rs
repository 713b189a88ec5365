//! Finding articles, and reading all numbers of our location.

use sync_core::model::Sku;

use super::MatchBy;
use super::client::{Link, misconfigured, only, with_field};
use super::map::{Pick, at, level, pick, title};
use super::wire::{
    BY_ID, FieldFilter, In, ListOptions, NoFilter, OptionsVariable, Tracking, VARIANTS, Variant, VariantsData,
};
use crate::platform::{CallFailure, Found, LevelPage, Target, TargetPart};

/// Variants of one page; the server allows 1,000, but asks the database for each.
const PAGE: usize = 100;
/// Most pages of one question; codes are exact, so more means that hundreds of variants share one.
const PAGES_MAX: usize = 10;

impl Link {
    /// The trait's look-up.
    pub(super) async fn find(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let hits = self.hits(skus).await?;
        let mut found = Vec::with_capacity(skus.len());
        for sku in skus {
            found.push(match pick(&self.settings.match_by, sku.as_str(), &hits) {
                Pick::Nothing => Found::Unknown,
                Pick::Several(candidates) => Found::Ambiguous { candidates },
                Pick::One(variant) => self.target(variant).await?,
            });
        }
        Ok(found)
    }

    /// Every variant that has one of these codes.
    pub(super) async fn hits(&self, skus: &[Sku]) -> Result<Vec<Variant>, CallFailure> {
        let asked: Vec<&str> = match &self.settings.match_by {
            MatchBy::Sku => vec!["sku"],
            MatchBy::Barcode(field) => vec![field],
            MatchBy::SkuThenBarcode(field) => vec!["sku", field],
        };
        let mut hits: Vec<Variant> = Vec::new();
        for chunk in skus.chunks(PAGE) {
            for field in &asked {
                let values = chunk.iter().map(Sku::as_str).collect();
                for variant in self.variants(&only(field, In { values })).await? {
                    if hits.iter().all(|known| known.id != variant.id) {
                        hits.push(variant);
                    }
                }
            }
        }
        Ok(hits)
    }

    async fn variants(&self, filter: &FieldFilter<'_>) -> Result<Vec<Variant>, CallFailure> {
        let document = with_field(VARIANTS, self.settings.match_by.field());
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let options = ListOptions { take: PAGE, skip: found.len(), sort: BY_ID, filter };
            let data: VariantsData = self.ask(&document, OptionsVariable { options }).await?;
            let got = data.page.items.len();
            found.extend(data.page.items);
            if got == 0 || found.len() >= data.page.total_items {
                return Ok(found);
            }
        }
        Err(misconfigured(&format!(
            "more than {} variants share the codes of a few articles; check `match`",
            found.len()
        )))
    }

    /// Whether a variant counts its stock.
    async fn is_tracked(&self, variant: &Variant) -> Result<bool, CallFailure> {
        match variant.track_inventory {
            Tracking::True => Ok(true),
            Tracking::False => Ok(false),
            Tracking::Inherit => self.tracks_by_default().await,
        }
    }

    async fn target(&self, variant: &Variant) -> Result<Found, CallFailure> {
        let name = title(variant);
        if !self.is_tracked(variant).await? {
            let reason = format!("`{name}` does not count its stock; turn on \"track inventory\" in the shop");
            return Ok(Found::Unusable { reason });
        }
        let on_hand = match at(&variant.stock_levels, &self.place().await?.id) {
            Some(number) => number,
            // Vendure makes the level with the first write.
            None if self.settings.activate_missing => 0,
            None => {
                let reason =
                    format!("`{name}` is not stocked at the location; stock it there, or set activate_missing");
                return Ok(Found::Unusable { reason });
            }
        };
        let target = Target { parts: vec![TargetPart { item: variant.id.clone(), per: 1 }] };
        Ok(Found::Target { target, on_hand: vec![on_hand], title: name })
    }

    /// The trait's page of numbers: variants in the order of their ids.
    pub(super) async fn level_page(&self, page: Option<String>) -> Result<LevelPage, CallFailure> {
        let location = &self.place().await?.id;
        let skip: usize = page.as_deref().unwrap_or("0").parse().unwrap_or(0);
        let document = with_field(VARIANTS, self.settings.match_by.field());
        let options = ListOptions { take: PAGE, skip, sort: BY_ID, filter: NoFilter {} };
        let data: VariantsData = self.ask(&document, OptionsVariable { options }).await?;
        let end = skip.saturating_add(data.page.items.len());
        let mut levels = Vec::with_capacity(data.page.items.len());
        for variant in &data.page.items {
            if self.is_tracked(variant).await? {
                levels.extend(level(&self.settings.match_by, variant, location));
            }
        }
        Ok(LevelPage { levels, next: (end > skip && end < data.page.total_items).then(|| end.to_string()) })
    }
}
