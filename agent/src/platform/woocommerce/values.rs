//! The side lanes of values: `regular_price` of products and variations, and `backorders` while units are on order.
//!
//! A value is a value: sending it again changes nothing, so no marker is needed. The price of a variation is its own even
//! where the parent keeps the stock; whether it may be sold below zero is a matter of whoever keeps the stock.

use std::sync::Arc;

use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::verdict::Answer;

use super::client::Client;
use super::lookup::Wanted;
use super::map::value_body;
use crate::platform::{Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, Seen, Traits};

/// Which values a lane carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Prices.
    Price,
    /// `backorders`: `notify` while units are on order, else `no`.
    Backorders,
}

/// Values of one kind, of one shop.
pub(super) struct Values {
    pub(super) client: Arc<Client>,
    pub(super) kind: Kind,
}

impl Platform for Values {
    fn traits(&self) -> Traits {
        Traits {
            whole_units: false,
            needs_target: true,
            rows_max: self.client.settings.rows_max,
            in_flight_max: 1,
            merge: true,
            latest: true,
            writes: Writes::Delta,
            key_window: None,
            ..Traits::default()
        }
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        value_body(self.kind, changes)
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        debug_assert!(rows.is_empty(), "values are not read back");
        value_body(self.kind, &[])
    }

    fn send<'a>(&'a self, key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.client.send_rows(key.as_str(), &body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        let wanted = match self.kind {
            Kind::Price => Wanted::Price,
            Kind::Backorders => Wanted::Stock,
        };
        Box::pin(self.client.find(skus, wanted))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(self.client.seen(question))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.client.look_around())
    }
}
