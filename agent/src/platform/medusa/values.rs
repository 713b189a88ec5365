//! The lanes of values: prices, and units on order from suppliers. A value that is written twice is the same value, so
//! the same bytes may go out as often as needed; the latest one wins.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::verdict::{Answer, RowRefusal, RowRemedy};

use super::client::Link;
use super::map::{Pick, json, major_units, pick, title};
use super::wire::{LevelBatch, LevelUpdate, PRICE_FIELDS, Price, PriceUpdate, Variant, VariantBatch, VariantUpdate};
use crate::platform::transport::status::answer_not_made;
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, Seen, Target, TargetPart, Traits,
};

/// Prices of one batch: one request for each product.
const PRICES_MAX: usize = 50;
/// Values of one batch of units on order.
const INCOMING_MAX: usize = 100;
/// Between product and variant in the id of a price's target, and between variant and item in that of units on order.
const JOINT: char = '/';

#[derive(Debug, Serialize, Deserialize)]
struct Frozen {
    rows: Vec<FrozenRow>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FrozenRow {
    target: String,
    /// Millionths of a major unit, or of a unit on order.
    micros: i64,
}

fn freeze(changes: &[Change]) -> Vec<u8> {
    // The last value of a target stands.
    let rows: BTreeMap<&str, i64> = changes
        .iter()
        .filter_map(|change| Some((change.target.as_ref()?.parts.first()?.item.as_str(), change.delta.micros())))
        .collect();
    json(&Frozen {
        rows: rows.into_iter().map(|(target, micros)| FrozenRow { target: target.to_owned(), micros }).collect(),
    })
}

fn thaw(frozen: &[u8]) -> Result<Vec<FrozenRow>, Answer> {
    serde_json::from_slice::<Frozen>(frozen)
        .map(|frozen| frozen.rows)
        .map_err(|error| Answer::Refused { code: "unreadable".to_owned(), message: error.to_string() })
}

fn value_traits(rows_max: usize) -> Traits {
    Traits { whole_units: false, latest: true, rows_max, ..Traits::default() }
}

fn no_numbers<'a>() -> Call<'a, Result<Vec<Seen>, CallFailure>> {
    Box::pin(std::future::ready(Ok(Vec::new())))
}

/// The lane of prices of one currency.
pub(super) struct Prices {
    link: Arc<Link>,
}

impl Prices {
    pub(super) const fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    async fn find(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let hits = self.link.hits(skus, PRICE_FIELDS).await?;
        Ok(skus
            .iter()
            .map(|sku| match pick(self.link.settings.match_by, sku.as_str(), &hits) {
                Pick::Nothing => Found::Unknown,
                Pick::Several(candidates) => Found::Ambiguous { candidates },
                Pick::One(variant) => price_target(variant),
            })
            .collect())
    }

    async fn send_frozen(&self, frozen: &[u8]) -> Answer {
        let rows = match thaw(frozen) {
            Ok(rows) => rows,
            Err(answer) => return answer,
        };
        let ids: Vec<&str> = rows.iter().filter_map(|row| Some(row.target.split_once(JOINT)?.1)).collect();
        let currency = match self.link.currency().await {
            Ok(currency) => currency,
            Err(failure) => return answer_not_made(failure),
        };
        let known = match self.link.variants_by_id(&ids).await {
            Ok(known) => known,
            Err(failure) => return answer_not_made(failure),
        };
        let mut products: BTreeMap<&str, Vec<VariantUpdate>> = BTreeMap::new();
        let mut gone = Vec::new();
        for row in &rows {
            let Some((product, id)) = row.target.split_once(JOINT) else { continue };
            match known.iter().find(|variant| variant.id == id) {
                Some(variant) => products.entry(product).or_default().push(VariantUpdate {
                    id: id.to_owned(),
                    prices: Some(repriced(&variant.prices, currency, row.micros)),
                    allow_backorder: None,
                }),
                None => gone.push(look_up_again(&row.target)),
            }
        }
        if !gone.is_empty() {
            return Answer::RowsRefused { rows: gone };
        }
        for (product, update) in products {
            let answer =
                self.link.post(&["products", product, "variants", "batch"], &VariantBatch { update }, &[]).await;
            if !matches!(answer, Answer::Applied { .. }) {
                return answer;
            }
        }
        Answer::Applied { reference: None }
    }
}

fn look_up_again(target: &str) -> RowRefusal {
    RowRefusal {
        item: target.to_owned(),
        code: "not_found".to_owned(),
        message: "the variant is gone".to_owned(),
        remedy: RowRemedy::LookUpAgain,
    }
}

fn price_target(variant: &Variant) -> Found {
    let Some(product) = &variant.product_id else {
        return Found::Unusable { reason: format!("`{}` belongs to no product", title(variant)) };
    };
    let part = TargetPart { item: format!("{product}{JOINT}{}", variant.id), per: 1 };
    Found::Target { target: Target { parts: vec![part] }, on_hand: vec![0], title: title(variant) }
}

/// All prices of a variant with ours in it: Medusa replaces the whole list by what is sent (seen), so prices of other
/// currencies, of regions and of quantities go along as they are. Prices of price lists are kept apart.
fn repriced(prices: &[Price], currency: &str, micros: i64) -> Vec<PriceUpdate> {
    let is_ours = |price: &Price| {
        price.currency_code == currency
            && price.price_rules.is_empty()
            && price.min_quantity.is_none()
            && price.max_quantity.is_none()
    };
    let mut list: Vec<PriceUpdate> = prices
        .iter()
        .filter(|price| price.price_list_id.is_none())
        .map(|price| PriceUpdate {
            id: Some(price.id.clone()),
            currency_code: price.currency_code.clone(),
            amount: if is_ours(price) { major_units(micros) } else { price.amount.clone() },
            min_quantity: price.min_quantity.clone(),
            max_quantity: price.max_quantity.clone(),
            rules: price.price_rules.iter().map(|rule| (rule.attribute.clone(), rule.value.clone())).collect(),
        })
        .collect();
    if !prices.iter().any(|price| price.price_list_id.is_none() && is_ours(price)) {
        list.push(PriceUpdate {
            id: None,
            currency_code: currency.to_owned(),
            amount: major_units(micros),
            min_quantity: None,
            max_quantity: None,
            rules: BTreeMap::new(),
        });
    }
    list
}

impl Platform for Prices {
    fn traits(&self) -> Traits {
        value_traits(PRICES_MAX)
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        freeze(changes)
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, _rows: &[Absolute]) -> Vec<u8> {
        Vec::new()
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.send_frozen(&body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.find(skus))
    }

    fn read_back<'a>(&'a self, _question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        no_numbers()
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.link.probe_shop())
    }
}

/// The lane of units on order.
pub(super) struct Incoming {
    link: Arc<Link>,
}

impl Incoming {
    pub(super) const fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    async fn find(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let hits = self.link.hits(skus, super::wire::VARIANT_FIELDS).await?;
        Ok(skus
            .iter()
            .map(|sku| match pick(self.link.settings.match_by, sku.as_str(), &hits) {
                Pick::Nothing => Found::Unknown,
                Pick::Several(candidates) => Found::Ambiguous { candidates },
                Pick::One(variant) => incoming_target(variant),
            })
            .collect())
    }

    async fn send_frozen(&self, frozen: &[u8]) -> Answer {
        let rows = match thaw(frozen) {
            Ok(rows) => rows,
            Err(answer) => return answer,
        };
        let location = match self.link.location().await {
            Ok(location) => location,
            Err(failure) => return answer_not_made(failure),
        };
        let parts: Vec<(&str, &str, &str, i64)> = rows
            .iter()
            .filter_map(|row| {
                let (product, rest) = row.target.split_once(JOINT)?;
                let (variant, item) = rest.split_once(JOINT)?;
                Some((product, variant, item, row.micros.div_euclid(1_000_000).max(0)))
            })
            .collect();
        if self.link.settings.incoming && !parts.is_empty() {
            let update = parts
                .iter()
                .map(|(_, _, item, units)| LevelUpdate {
                    inventory_item_id: item,
                    location_id: location,
                    stocked_quantity: None,
                    incoming_quantity: Some(*units),
                })
                .collect();
            let items: Vec<&str> = parts.iter().map(|(_, _, item, _)| *item).collect();
            let answer =
                self.link.post(&["inventory-items", "location-levels", "batch"], &LevelBatch { update }, &items).await;
            if !matches!(answer, Answer::Applied { .. }) {
                return by_target(answer, &rows);
            }
        }
        if self.link.settings.backorder_while_incoming {
            return self.allow_backorders(&parts).await;
        }
        Answer::Applied { reference: None }
    }

    async fn allow_backorders(&self, parts: &[(&str, &str, &str, i64)]) -> Answer {
        let mut products: BTreeMap<&str, Vec<VariantUpdate>> = BTreeMap::new();
        for (product, variant, _, units) in parts {
            products.entry(product).or_default().push(VariantUpdate {
                id: (*variant).to_owned(),
                prices: None,
                allow_backorder: Some(*units > 0),
            });
        }
        for (product, update) in products {
            let answer =
                self.link.post(&["products", product, "variants", "batch"], &VariantBatch { update }, &[]).await;
            if !matches!(answer, Answer::Applied { .. }) {
                return answer;
            }
        }
        Answer::Applied { reference: None }
    }
}

/// Refused items as the targets that hold them.
fn by_target(answer: Answer, rows: &[FrozenRow]) -> Answer {
    let Answer::RowsRefused { rows: refused } = answer else { return answer };
    let rows = refused
        .into_iter()
        .filter_map(|row| {
            let target = rows.iter().find(|frozen| frozen.target.ends_with(&row.item))?.target.clone();
            Some(RowRefusal { item: target, ..row })
        })
        .collect();
    Answer::RowsRefused { rows }
}

fn incoming_target(variant: &Variant) -> Found {
    let name = title(variant);
    match (variant.inventory_items.as_slice(), &variant.product_id) {
        ([item], Some(product)) if variant.manage_inventory => {
            let item = format!("{product}{JOINT}{}{JOINT}{}", variant.id, item.inventory_item_id);
            let part = TargetPart { item, per: 1 };
            Found::Target { target: Target { parts: vec![part] }, on_hand: vec![0], title: name }
        }
        _ => Found::Unusable {
            reason: format!("`{name}` is not one counted inventory item; its parts are ordered one by one"),
        },
    }
}

impl Platform for Incoming {
    fn traits(&self) -> Traits {
        value_traits(INCOMING_MAX)
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        freeze(changes)
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, _rows: &[Absolute]) -> Vec<u8> {
        Vec::new()
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.send_frozen(&body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.find(skus))
    }

    fn read_back<'a>(&'a self, _question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        no_numbers()
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.link.probe_shop())
    }
}
