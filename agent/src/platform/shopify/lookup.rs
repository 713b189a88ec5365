//! Finding the inventory item of a SKU, and reading physical numbers.
//!
//! Shopify's search is tokenised and lags behind the catalogue: it returns more than was asked for and may miss
//! what is there. So every page is read to its end, hits are compared exactly, and "not found" is only ever
//! "not yet".

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sync_core::model::Sku;

use super::client::Shop;
use super::map::{Pick, Stock, pick, search, stock, title};
use super::values::{Purpose, incoming_place, price_place};
use super::wire::{
    ACTIVATE, ActivateData, BundleNode, COMPONENTS, Component, Item, LOOK_UP, LookUpData, NodesData, READ_BACK,
    StockNode, Variant,
};
use crate::platform::{CallFailure, Found, Target, TargetPart};

/// Search terms of one query.
const TERMS_MAX: usize = 40;
/// Hits of one page; with what hangs on each it stays far below the 1,000 points that one query may cost.
const PAGE: usize = 50;
/// Pages of one query. Whatever still has more hits is asked for SKU by SKU.
const PAGES_MAX: usize = 10;
/// Queries at a time; more would only wait for the same bucket.
const QUERIES_AT_ONCE: usize = 2;
/// Components of one bundle (Shopify allows 30; with options 150).
const COMPONENTS_MAX: usize = 150;
/// Points of one hit, estimated: variant, product, item, level, quantity.
const POINTS_A_HIT: i64 = 5;

#[derive(Serialize)]
struct LookUpVariables<'a> {
    query: &'a str,
    location: &'a str,
    first: usize,
    after: Option<String>,
}

#[derive(Serialize)]
struct NodesVariables<'a> {
    ids: &'a [String],
    location: &'a str,
    first: usize,
}

#[derive(Serialize)]
struct ActivateVariables<'a> {
    item: &'a str,
    location: &'a str,
    key: &'a str,
}

/// All hits of a query, or only the first pages of too many.
enum Hits {
    All(Vec<Variant>),
    TooMany,
}

impl Shop {
    /// The trait's look-up.
    pub(super) async fn find(&self, skus: &[Sku], purpose: Purpose) -> Result<Vec<Found>, CallFailure> {
        let queries: Vec<_> = skus.chunks(TERMS_MAX).map(|chunk| self.find_some(chunk, purpose)).collect();
        stream::iter(queries).buffered(QUERIES_AT_ONCE).try_concat().await
    }

    async fn find_some(&self, skus: &[Sku], purpose: Purpose) -> Result<Vec<Found>, CallFailure> {
        let mut found = Vec::with_capacity(skus.len());
        match self.hits(skus).await? {
            Hits::All(variants) => {
                for sku in skus {
                    found.push(self.settle(sku, &variants, purpose).await?);
                }
            }
            Hits::TooMany => {
                for sku in skus {
                    found.push(match self.hits(std::slice::from_ref(sku)).await? {
                        Hits::All(variants) => self.settle(sku, &variants, purpose).await?,
                        Hits::TooMany => too_common(sku),
                    });
                }
            }
        }
        Ok(found)
    }

    async fn hits(&self, skus: &[Sku]) -> Result<Hits, CallFailure> {
        let terms: Vec<&str> = skus.iter().map(Sku::as_str).collect();
        let query = search(self.settings.match_by, &terms);
        let location = self.location_id().await?;
        let first = skus.len().saturating_add(10).min(PAGE);
        let points = i64::try_from(first).unwrap_or(i64::MAX).saturating_mul(POINTS_A_HIT);
        let mut variants = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let variables = LookUpVariables { query: &query, location, first, after };
            let page = self.ask::<_, LookUpData>(LOOK_UP, variables, points).await?.product_variants;
            variants.extend(page.nodes);
            after = page.page_info.end_cursor;
            if !page.page_info.has_next_page || after.is_none() {
                return Ok(Hits::All(variants));
            }
        }
        Ok(Hits::TooMany)
    }

    async fn settle(&self, sku: &Sku, variants: &[Variant], purpose: Purpose) -> Result<Found, CallFailure> {
        match pick(self.settings.match_by, sku.as_str(), variants) {
            Pick::Nothing => Ok(Found::Unknown),
            Pick::Several(candidates) => Ok(Found::Ambiguous { candidates }),
            Pick::One(variant) if purpose == Purpose::Price => Ok(price_place(variant)),
            Pick::One(variant) if purpose == Purpose::Incoming => {
                Ok(incoming_place(variant, self.settings.backorder_while_incoming))
            }
            Pick::One(variant) if variant.requires_components => self.bundle(variant).await,
            Pick::One(variant) => self.single(variant).await,
        }
    }

    async fn single(&self, variant: &Variant) -> Result<Found, CallFailure> {
        let item = &variant.inventory_item;
        Ok(match self.ready(item, &title(variant)).await? {
            Ok(on_hand) => Found::Target {
                target: Target { parts: vec![TargetPart { item: item.id.clone(), per: 1 }] },
                on_hand: vec![on_hand],
                title: title(variant),
            },
            Err(reason) => Found::Unusable { reason },
        })
    }

    /// A bundle has no stock of its own; what is sold are its components.
    async fn bundle(&self, parent: &Variant) -> Result<Found, CallFailure> {
        let components = match self.components(parent).await? {
            Ok(components) => components,
            Err(reason) => return Ok(Found::Unusable { reason }),
        };
        let mut parts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for component in &components {
            let variant = &component.product_variant;
            if variant.requires_components {
                let reason =
                    format!("`{}` contains the bundle `{}`; sell its parts one by one", title(parent), title(variant));
                return Ok(Found::Unusable { reason });
            }
            // Nothing to count down: a gift box, a service.
            if !variant.inventory_item.tracked {
                continue;
            }
            match self.ready(&variant.inventory_item, &title(variant)).await? {
                Ok(on_hand) => {
                    let part = parts.entry(variant.inventory_item.id.clone()).or_insert((0, on_hand));
                    part.0 = part.0.saturating_add(component.quantity);
                }
                Err(reason) => {
                    return Ok(Found::Unusable { reason: format!("component of `{}`: {reason}", title(parent)) });
                }
            }
        }
        if parts.is_empty() {
            let reason =
                format!("no component of `{}` is tracked; turn on \"track quantity\" in the shop", title(parent));
            return Ok(Found::Unusable { reason });
        }
        let on_hand = parts.values().map(|(_, on_hand)| *on_hand).collect();
        let parts = parts.into_iter().map(|(item, (per, _))| TargetPart { item, per }).collect();
        Ok(Found::Target { target: Target { parts }, on_hand, title: title(parent) })
    }

    /// The inner error is a reason for people.
    async fn components(&self, parent: &Variant) -> Result<Result<Vec<Component>, String>, CallFailure> {
        let ids = [parent.id.clone()];
        let variables = NodesVariables { ids: &ids, location: self.location_id().await?, first: COMPONENTS_MAX };
        let data: NodesData<BundleNode> = self.ask(COMPONENTS, variables, 50).await?;
        let page = data.nodes.into_iter().flatten().next().and_then(|node| node.product_variant_components);
        Ok(match page {
            Some(page) if !page.page_info.has_next_page && !page.nodes.is_empty() => Ok(page.nodes),
            Some(page) if page.nodes.is_empty() => Err(format!("the bundle `{}` has no components", title(parent))),
            Some(_) => Err(format!("the bundle `{}` has more than {COMPONENTS_MAX} components", title(parent))),
            None => Err(format!("the bundle `{}` is gone", title(parent))),
        })
    }

    /// The physical number of an item that can hold stock here; the inner error is a reason for people.
    async fn ready(&self, item: &Item, title: &str) -> Result<Result<i64, String>, CallFailure> {
        match stock(item) {
            Stock::Ready { on_hand } => Ok(Ok(on_hand)),
            Stock::Untracked => Ok(Err(format!("`{title}` is not tracked; turn on \"track quantity\" in the shop"))),
            Stock::NotStocked if self.settings.activate_missing => self.activate(item, title).await,
            Stock::NotStocked => {
                Ok(Err(format!("`{title}` is not stocked at the location; stock it there, or set activate_missing")))
            }
            Stock::Odd => Err(CallFailure::Passing {
                wait: None,
                reason: format!("the reply lacks the on-hand number of `{title}`"),
            }),
        }
    }

    /// Stocks the item at the location; numbers that it had there come back. Doing so twice changes nothing.
    async fn activate(&self, item: &Item, title: &str) -> Result<Result<i64, String>, CallFailure> {
        let location = self.location_id().await?;
        let key = format!(
            "activate-{:016x}",
            getrandom::u64().map_err(|error| CallFailure::Passing {
                wait: None,
                reason: format!("no random number to be had: {error}"),
            })?
        );
        let variables = ActivateVariables { item: &item.id, location, key: &key };
        let data: ActivateData = self.ask(ACTIVATE, variables, 15).await?;
        let payload = data.inventory_activate;
        let on_hand =
            payload.as_ref().and_then(|p| p.inventory_level.as_ref()).filter(|l| l.is_active).and_then(|l| l.on_hand());
        Ok(on_hand.ok_or_else(|| {
            let said =
                payload.and_then(|p| p.user_errors.into_iter().next()).map(|error| error.message).unwrap_or_default();
            format!("`{title}` cannot be stocked at the location: {said}")
        }))
    }

    /// The trait's read-back.
    pub(super) async fn on_hand(&self, items: &[String]) -> Result<Vec<Option<i64>>, CallFailure> {
        let nodes: Vec<Option<StockNode>> = self.nodes(READ_BACK, items).await?;
        Ok(nodes.into_iter().map(|node| node?.inventory_level?.on_hand()).collect())
    }
}

fn too_common(sku: &Sku) -> Found {
    let most = PAGES_MAX.saturating_mul(PAGE);
    Found::Unusable {
        reason: format!("the shop's search finds more than {most} articles for `{sku}`; give it a longer SKU"),
    }
}
