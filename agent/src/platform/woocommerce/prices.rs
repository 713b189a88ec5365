//! The side lane of prices: `regular_price` of products and variations.
//!
//! A price is a value: sending it again changes nothing, so no marker is needed. The price of a variation is its own even
//! where the parent keeps the stock.

use std::sync::Arc;

use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::verdict::Answer;

use super::client::Client;
use super::lookup::Wanted;
use super::map::price_body;
use crate::platform::{Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, Seen, Traits};

/// Prices of one shop.
pub(super) struct Prices(pub(super) Arc<Client>);

impl Platform for Prices {
    fn traits(&self) -> Traits {
        Traits {
            whole_units: false,
            needs_target: true,
            rows_max: self.0.settings.rows_max,
            in_flight_max: 1,
            merge: true,
            latest: true,
            writes: Writes::Delta,
            key_window: None,
            ..Traits::default()
        }
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        price_body(changes)
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        debug_assert!(rows.is_empty(), "prices are not read back");
        price_body(&[])
    }

    fn send<'a>(&'a self, key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.0.send_rows(key.as_str(), &body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.0.find(skus, Wanted::Price))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(self.0.seen(question))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.0.look_around())
    }
}
