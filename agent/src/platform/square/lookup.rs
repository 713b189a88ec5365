//! Finding variations, reading their numbers, and asking the history what became of a request.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::model::Sku;
use sync_core::outbox::settle::Evidence;

use super::client::Client;
use super::ledger::before;
use super::map::{IN_STOCK, reference, rfc3339, units};
use super::wire::{
    Changes, ChangesRequest, Counts, CountsRequest, Objects, Query, Retrieve, Search, SetQuery, Variation,
};
use crate::platform::matching::{Candidate, Pick, pick};
use crate::platform::{CallFailure, Found, Level, LevelPage, ReadBack, Seen, Sent, Target, TargetPart};

/// Values of one `set_query`.
const TERMS_MAX: usize = 250;
/// Objects and counts of one request.
const PAGE: usize = 1000;
/// Pages of one search: more means that it does not filter.
const PAGES_MAX: usize = 20;
/// How far before a request was frozen its traces are looked for: Square's clock may be behind.
const LOOK_BACK: Duration = Duration::from_hours(1);

impl Candidate for Variation {
    fn id(&self) -> &str {
        &self.id
    }
    fn sku(&self) -> Option<&str> {
        self.item_variation_data.sku.as_deref()
    }
    fn barcode(&self) -> Option<&str> {
        self.item_variation_data.upc.as_deref()
    }
    fn title(&self) -> &str {
        match self.item_variation_data.name.as_str() {
            "" => self.sku().unwrap_or_default(),
            name => name,
        }
    }
}

impl Variation {
    /// Sold at this location at all.
    fn is_present(&self, location: &str) -> bool {
        let listed = |ids: &[String]| ids.iter().any(|id| id == location);
        if self.present_at_all_locations {
            !listed(&self.absent_at_location_ids)
        } else {
            listed(&self.present_at_location_ids)
        }
    }

    /// The location's own setting goes before the variation's.
    fn is_tracked(&self, location: &str) -> bool {
        let data = &self.item_variation_data;
        let own = data.location_overrides.iter().find(|own| own.location_id == location);
        own.and_then(|own| own.track_inventory).or(data.track_inventory).unwrap_or(false)
    }
}

impl Client {
    /// The trait's look-up.
    pub(super) async fn look_up(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let hits = self.hits(skus).await?;
        let location = &self.settings.location;
        let mut found = Vec::with_capacity(skus.len());
        let mut wanted: Vec<String> = Vec::new();
        for sku in skus {
            found.push(match pick(self.settings.match_by, sku.as_str(), &hits) {
                Pick::Nothing => Found::Unknown,
                Pick::Several(candidates) => Found::Ambiguous { candidates },
                Pick::One(hit) if !hit.is_present(location) => Found::Unusable {
                    reason: format!("`{}` is not sold at the location; make it available there", hit.title()),
                },
                Pick::One(hit) if !hit.is_tracked(location) => Found::Unusable {
                    reason: format!("`{}` is not tracked; turn on inventory tracking for it in Square", hit.title()),
                },
                Pick::One(hit) => {
                    wanted.push(hit.id.clone());
                    Found::Target {
                        target: Target { parts: vec![TargetPart { item: hit.id.clone(), per: 1 }] },
                        on_hand: vec![0],
                        title: hit.title().to_owned(),
                    }
                }
            });
        }
        let numbers = self.counts(&wanted).await?;
        for answer in &mut found {
            if let Found::Target { target, on_hand, .. } = answer
                && let Some(number) = target.parts.first().and_then(|part| numbers.get(&part.item))
            {
                *on_hand = vec![*number];
            }
        }
        Ok(found)
    }

    /// The look-up of the lane of prices: any variation, tracked or not.
    pub(super) async fn look_up_variations(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let hits = self.hits(skus).await?;
        let found = |sku: &Sku| match pick(self.settings.match_by, sku.as_str(), &hits) {
            Pick::Nothing => Found::Unknown,
            Pick::Several(candidates) => Found::Ambiguous { candidates },
            Pick::One(hit) => Found::Target {
                target: Target { parts: vec![TargetPart { item: hit.id.clone(), per: 1 }] },
                on_hand: vec![0],
                title: hit.title().to_owned(),
            },
        };
        Ok(skus.iter().map(found).collect())
    }

    /// Square's search does not mind letter case, so its hits are compared again.
    async fn hits(&self, skus: &[Sku]) -> Result<Vec<Variation>, CallFailure> {
        let match_by = self.settings.match_by;
        let mut hits = Vec::new();
        for chunk in skus.chunks(TERMS_MAX) {
            let terms: Vec<&str> = chunk.iter().map(Sku::as_str).collect();
            if match_by.by_sku() {
                hits.extend(self.search("sku", &terms).await?);
            }
            if match_by.by_barcode() {
                hits.extend(self.search("upc", &terms).await?);
            }
        }
        Ok(hits)
    }

    async fn search(&self, attribute_name: &'static str, terms: &[&str]) -> Result<Vec<Variation>, CallFailure> {
        let mut hits = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let set_query = SetQuery { attribute_name, attribute_values: terms };
            let search = Search {
                object_types: ["ITEM_VARIATION"],
                query: Query { set_query },
                cursor: cursor.as_deref(),
                limit: PAGE,
            };
            let page: Objects = self.ask("/v2/catalog/search", &search).await?;
            hits.extend(page.objects.into_iter().filter(|object| !object.is_deleted));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(hits);
            }
        }
        Err(CallFailure::Passing { wait: None, reason: format!("a search has more than {PAGES_MAX} pages") })
    }

    /// What is in stock at the location; a variation that was never counted is left out.
    async fn counts(&self, ids: &[String]) -> Result<BTreeMap<String, i64>, CallFailure> {
        let mut numbers = BTreeMap::new();
        for chunk in ids.chunks(PAGE) {
            let mut cursor: Option<String> = None;
            for _ in 0..PAGES_MAX {
                let page = self.count_page(Some(chunk), cursor.as_deref()).await?;
                numbers.extend(page.0);
                cursor = page.1;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(numbers)
    }

    async fn count_page(
        &self,
        ids: Option<&[String]>,
        cursor: Option<&str>,
    ) -> Result<(Vec<(String, i64)>, Option<String>), CallFailure> {
        let request = CountsRequest {
            catalog_object_ids: ids,
            location_ids: [&self.settings.location],
            states: [IN_STOCK],
            cursor,
            limit: PAGE,
        };
        let asked = (self.clock)();
        let page: Counts = self.ask("/v2/inventory/counts/batch-retrieve", &request).await?;
        let mut numbers = Vec::with_capacity(page.counts.len());
        for count in page.counts.into_iter().filter(|count| count.state == IN_STOCK) {
            let Some(number) = units(&count.quantity) else {
                let reason = format!("`{}` of {} is no number", count.quantity, count.catalog_object_id);
                return Err(CallFailure::Passing { wait: None, reason });
            };
            self.dates.read(&count.catalog_object_id, number, asked);
            numbers.push((count.catalog_object_id, number));
        }
        Ok((numbers, page.cursor))
    }

    async fn variations(&self, ids: &[String]) -> Result<Vec<Variation>, CallFailure> {
        let mut variations = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(PAGE) {
            let page: Objects = self.ask("/v2/catalog/batch-retrieve", &Retrieve { object_ids: chunk }).await?;
            variations.extend(page.objects.into_iter().filter(|object| !object.is_deleted));
        }
        Ok(variations)
    }

    /// The trait's read-back.
    pub(super) async fn read_back(&self, question: &ReadBack) -> Result<Vec<Seen>, CallFailure> {
        let evidence = match &question.sent {
            Some(sent) => self.traces(&question.items, sent).await?,
            None => Traces::default(),
        };
        let mut numbers = self.counts(&question.items).await?;
        let uncounted: Vec<String> =
            question.items.iter().filter(|item| !numbers.contains_key(*item)).cloned().collect();
        if !uncounted.is_empty() {
            // Never counted is none in stock; deleted is gone.
            numbers.extend(self.variations(&uncounted).await?.into_iter().map(|known| (known.id, 0)));
        }
        Ok(question
            .items
            .iter()
            .map(|item| Seen { number: numbers.get(item).copied(), evidence: evidence.of(item) })
            .collect())
    }

    /// Which articles have a change in the history that carries the request's key.
    async fn traces(&self, items: &[String], sent: &Sent) -> Result<Traces, CallFailure> {
        let (reference, since) = (reference(&sent.key), rfc3339(before(sent.frozen_at, LOOK_BACK)));
        let mut traces = Traces::default();
        for chunk in items.chunks(PAGE) {
            let mut cursor: Option<String> = None;
            for _ in 0..PAGES_MAX {
                let request = ChangesRequest {
                    catalog_object_ids: chunk,
                    location_ids: [&self.settings.location],
                    types: ["ADJUSTMENT", "PHYSICAL_COUNT"],
                    updated_after: &since,
                    cursor: cursor.as_deref(),
                    limit: PAGE,
                };
                let page: Changes = self.ask("/v2/inventory/changes/batch-retrieve", &request).await?;
                let ours = page.changes.iter().filter_map(|change| change.facts());
                traces.found.extend(
                    ours.filter(|(_, known, _)| *known == Some(reference.as_str())).map(|(id, _, _)| id.to_owned()),
                );
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
            if cursor.is_none() {
                traces.searched.extend(chunk.iter().cloned());
            }
        }
        Ok(traces)
    }

    /// The trait's page of numbers. The cursor is Square's.
    pub(super) async fn levels(&self, page: Option<String>) -> Result<LevelPage, CallFailure> {
        let (numbers, next) = self.count_page(None, page.as_deref()).await?;
        let ids: Vec<String> = numbers.iter().map(|(id, _)| id.clone()).collect();
        let variations: BTreeMap<String, Variation> =
            self.variations(&ids).await?.into_iter().map(|variation| (variation.id.clone(), variation)).collect();
        let location = &self.settings.location;
        let mut levels = Vec::with_capacity(numbers.len());
        for (item, number) in numbers {
            let Some(variation) = variations.get(&item).filter(|v| v.is_present(location) && v.is_tracked(location))
            else {
                continue;
            };
            let match_by = self.settings.match_by;
            let sku = variation.sku().filter(|_| match_by.by_sku());
            let barcode = variation.barcode().filter(|_| match_by.by_barcode());
            for code in [sku, barcode].into_iter().flatten().filter(|code| !code.is_empty()) {
                levels.push(Level { item: item.clone(), sku: Sku::from(code), number });
            }
        }
        Ok(LevelPage { levels, next })
    }
}

/// What the history shows of a request.
#[derive(Default)]
struct Traces {
    found: BTreeSet<String>,
    /// Articles whose history was read to its end.
    searched: BTreeSet<String>,
}

impl Traces {
    fn of(&self, item: &str) -> Evidence {
        if self.found.contains(item) {
            Evidence::Applied
        } else if self.searched.contains(item) {
            Evidence::NotApplied
        } else {
            Evidence::Silent
        }
    }
}
