//! The lane of prices: `PUT /v3/catalog/variants`, up to 50 at a time. A price is a value, so sending it again is harmless.

use std::sync::Arc;

use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::verdict::Answer;

use super::client::BigCommerce;
use super::{PRICE_ROWS_MAX, classify, map};
use crate::platform::transport::status::answer_not_made;
use crate::platform::{Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, Seen, Traits};

pub(super) struct Prices(pub(super) BigCommerce);

impl Platform for Prices {
    fn traits(&self) -> Traits {
        Traits { whole_units: false, rows_max: PRICE_ROWS_MAX, latest: true, ..Traits::default() }
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        map::prices(changes)
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        debug_assert!(rows.is_empty(), "prices are never read back");
        map::json(&[(); 0])
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move {
            let client = &self.0.0;
            match client.put("/v3/catalog/variants", &body).await {
                Ok(outcome) => classify::prices(&outcome, (client.clock)()),
                Err(failure) => answer_not_made(failure),
            }
        })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.0.0.look_up_variants(skus))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        let gone = vec![Seen { number: None, evidence: Default::default() }; question.items.len()];
        Box::pin(std::future::ready(Ok(gone)))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        self.0.probe()
    }
}
