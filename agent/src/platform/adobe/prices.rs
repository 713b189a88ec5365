//! The lane of prices: `POST products/base-prices`, whose answer names the prices that were not taken.
//!
//! A price replaces what is there, so a repeat does no harm; one whose reply was lost waits until the site cannot still be
//! working on it, so that no older price arrives after a newer one.

use std::sync::Arc;
use std::time::Duration;

use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::verdict::Answer;

use super::classify::Wrote;
use super::client::Site;
use super::map::prices_body;
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, SETTLE_AFTER, Seen, Target,
    TargetPart, Traits,
};

/// Prices of one store view.
pub(super) struct Prices {
    pub(super) site: Arc<Site>,
    pub(super) store_view: u32,
}

impl Platform for Prices {
    fn traits(&self) -> Traits {
        Traits {
            whole_units: false,
            needs_target: true,
            rows_max: self.site.settings.rows_max,
            in_flight_max: 1,
            merge: true,
            latest: true,
            key_window: Some(Duration::ZERO),
            settle_after: SETTLE_AFTER,
            reads_back: false,
            ..Traits::default()
        }
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        prices_body(self.store_view, changes)
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, _rows: &[Absolute]) -> Vec<u8> {
        debug_assert!(false, "a price is never read back");
        prices_body(self.store_view, &[])
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.site.write("products/base-prices", Wrote::Prices, &body).await })
    }

    /// Every product that is there has a price of its own; no source is needed.
    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(async move {
            let titles = self.site.titles(skus).await?;
            let place = |sku: &Sku| {
                let title = titles.get(sku.as_str())?;
                let target = Target { parts: vec![TargetPart { item: sku.to_string(), per: 1 }] };
                Some(Found::Target { target, on_hand: vec![0], title: title.clone() })
            };
            Ok(skus.iter().map(|sku| place(sku).unwrap_or(Found::Unknown)).collect())
        })
    }

    fn read_back<'a>(&'a self, _question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.site.probe_site())
    }
}
