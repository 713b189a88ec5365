//! The lanes of values: prices, and what may be sold before it is there. A value that is written twice is the same
//! value, so the same bytes may go out as often as needed; the latest one wins. Stock is not touched: levels that a
//! request does not name stay as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::verdict::Answer;

use super::client::Link;
use super::map::{Pick, json, minor_units, pick, title};
use super::wire::{InputVariable, PriceInput, UPDATE, VariantInput};
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, Seen, Target, TargetPart, Traits,
};

/// Values of one request.
const VALUES_MAX: usize = 50;

#[derive(Debug, Serialize, Deserialize)]
struct Frozen {
    rows: BTreeMap<String, i64>,
}

/// The last value of a variant stands, in millionths.
fn freeze(changes: &[Change]) -> Vec<u8> {
    let rows = changes
        .iter()
        .filter_map(|change| Some((change.target.as_ref()?.parts.first()?.item.clone(), change.delta.micros())))
        .collect();
    json(&Frozen { rows })
}

fn value_traits() -> Traits {
    Traits { whole_units: false, latest: true, rows_max: VALUES_MAX, ..Traits::default() }
}

impl Link {
    /// Any variant that is there takes values.
    async fn find_values(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let hits = self.hits(skus).await?;
        Ok(skus
            .iter()
            .map(|sku| match pick(&self.settings.match_by, sku.as_str(), &hits) {
                Pick::Nothing => Found::Unknown,
                Pick::Several(candidates) => Found::Ambiguous { candidates },
                Pick::One(variant) => Found::Target {
                    target: Target { parts: vec![TargetPart { item: variant.id.clone(), per: 1 }] },
                    on_hand: vec![0],
                    title: title(variant),
                },
            })
            .collect())
    }

    async fn send_values<'a>(&self, frozen: &'a [u8], input: impl Fn(&'a str, i64) -> VariantInput<'a>) -> Answer {
        let rows: BTreeMap<&'a str, i64> = match serde_json::from_slice::<FrozenText<'a>>(frozen) {
            Ok(frozen) => frozen.rows,
            Err(error) => return Answer::Refused { code: "unreadable".to_owned(), message: error.to_string() },
        };
        if rows.is_empty() {
            return Answer::Applied { reference: None };
        }
        let items: Vec<&str> = rows.keys().copied().collect();
        let input = rows.iter().map(|(id, micros)| input(id, *micros)).collect();
        self.tell(UPDATE, InputVariable { input }, &items).await
    }
}

/// [`Frozen`], borrowed. Vendure's ids hold nothing that JSON escapes.
#[derive(Debug, Deserialize)]
struct FrozenText<'a> {
    #[serde(borrow)]
    rows: BTreeMap<&'a str, i64>,
}

/// The lane of prices in our channel.
pub(super) struct Prices {
    link: Arc<Link>,
}

impl Prices {
    pub(super) const fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    async fn send_frozen(&self, frozen: &[u8]) -> Answer {
        let currency = self.link.settings.currency.as_deref();
        let input = |id, micros| {
            let price = minor_units(micros);
            VariantInput {
                id,
                price: currency.is_none().then_some(price),
                prices: currency.map(|currency_code| [PriceInput { currency_code, price }]),
                ..VariantInput::default()
            }
        };
        self.link.send_values(frozen, input).await
    }
}

/// The lane of units on order: Vendure has no number for them, but sells below zero down to a threshold.
pub(super) struct Backorders {
    link: Arc<Link>,
}

impl Backorders {
    pub(super) const fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    async fn send_frozen(&self, frozen: &[u8]) -> Answer {
        let input = |id, micros: i64| {
            let units = micros.div_euclid(1_000_000).max(0);
            VariantInput {
                id,
                out_of_stock_threshold: Some(-units),
                // Nothing on order: back to what holds for the whole shop.
                use_global_out_of_stock_threshold: Some(units == 0),
                ..VariantInput::default()
            }
        };
        self.link.send_values(frozen, input).await
    }
}

/// Both lanes are alike but for what they send.
macro_rules! value_lane {
    ($lane:ty) => {
        impl Platform for $lane {
            fn traits(&self) -> Traits {
                value_traits()
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
                Box::pin(self.link.find_values(skus))
            }

            fn read_back<'a>(&'a self, _question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
                Box::pin(std::future::ready(Ok(Vec::new())))
            }

            fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
                Box::pin(self.link.probe_shop())
            }
        }
    };
}

value_lane!(Prices);
value_lane!(Backorders);
