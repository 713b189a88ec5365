//! The lane of prices: each variation is read with its version, its price changed, and written on condition of that version
//! (`POST /v2/catalog/batch-upsert`). A price is a value, so reading and writing it again is harmless.
//!
//! Everything else of a variation is written back as it was read. A location's own price, where there is one, is changed in
//! place of the variation's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::verdict::{Answer, RowRefusal, RowRemedy};

use super::client::{Client, Square};
use super::map::json as bytes;
use super::wire::Retrieve;
use super::{PRICE_ROWS_MAX, classify, money};
use crate::platform::transport::status::answer_not_made;
use crate::platform::{Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, Seen, Traits};

/// Frozen bytes: Square's own body needs versions that are only known when it is sent.
#[derive(Debug, Serialize, Deserialize)]
struct Frozen {
    prices: Vec<Price>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Price {
    id: String,
    /// Millionths of a major unit.
    micros: i64,
}

pub(super) struct Prices(pub(super) Square);

impl Client {
    async fn write_prices(&self, key: &IdempotencyKey, frozen: &[u8]) -> Result<Answer, CallFailure> {
        let Ok(frozen) = serde_json::from_slice::<Frozen>(frozen) else {
            let message = "the stored request is not one of this version".to_owned();
            return Ok(Answer::Refused { code: "not_understood".to_owned(), message });
        };
        let _alone = self.catalogue.lock().await;
        let currency = self.currency().await?.to_owned();
        let ids: Vec<String> = frozen.prices.iter().map(|price| price.id.clone()).collect();
        let read: Value = self.ask("/v2/catalog/batch-retrieve", &Retrieve { object_ids: &ids }).await?;
        let mut known: BTreeMap<String, Value> = read
            .get("objects")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|object| object.get("is_deleted").and_then(Value::as_bool) != Some(true))
            .filter_map(|object| Some((object.get("id")?.as_str()?.to_owned(), object.clone())))
            .collect();
        let (mut objects, mut refused) = (Vec::new(), Vec::new());
        for price in &frozen.prices {
            let priced = match (known.remove(&price.id), money::minor(price.micros, &currency)) {
                (None, _) => Err(("gone", "the variation is no longer there".to_owned(), RowRemedy::LookUpAgain)),
                (_, None) => {
                    let message = format!("the price is negative or finer than {currency} allows");
                    Err(("price", message, RowRemedy::DeadLetter))
                }
                (Some(object), Some(amount)) => priced(object, &self.settings.location, amount, &currency),
            };
            match priced {
                Ok(Some(object)) => objects.push(object),
                Ok(None) => {}
                Err((code, message, remedy)) => {
                    refused.push(RowRefusal { item: price.id.clone(), code: code.to_owned(), message, remedy });
                }
            }
        }
        if !refused.is_empty() {
            return Ok(Answer::RowsRefused { rows: refused });
        }
        if objects.is_empty() {
            return Ok(Answer::Applied { reference: None });
        }
        // The versions are part of what the key stands for.
        let batches = json!([{ "objects": objects }]);
        let digest = Sha256::digest(bytes(&batches));
        let versions: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let body = json!({"idempotency_key": format!("{key}-{versions}"), "batches": batches});
        let outcome = self.request(reqwest::Method::POST, "/v2/catalog/batch-upsert", Some(&bytes(&body))).await?;
        Ok(classify::prices(&outcome, (self.clock)()))
    }
}

type Refused = (&'static str, String, RowRemedy);

/// The object with its new price; `None` if it has that price already.
fn priced(mut object: Value, location: &str, amount: i64, currency: &str) -> Result<Option<Value>, Refused> {
    let money = json!({"amount": amount, "currency": currency});
    let refuse = |what: &str| Err(("price", what.to_owned(), RowRemedy::DeadLetter));
    let Some(data) = object.get_mut("item_variation_data") else { return refuse("it is no variation") };
    let own = data
        .get_mut("location_overrides")
        .and_then(Value::as_array_mut)
        .and_then(|own| own.iter_mut().find(|own| own.get("location_id").and_then(Value::as_str) == Some(location)))
        .filter(|own| own.get("price_money").is_some());
    let place = match own {
        Some(own) => own,
        None => data,
    };
    if place.get("pricing_type").and_then(Value::as_str) == Some("VARIABLE_PRICING") {
        return refuse("its price is asked for at the counter (variable pricing)");
    }
    let before = place.get("price_money");
    if before.and_then(|before| before.get("currency")).is_some_and(|known| known != currency) {
        return refuse("its price is in another currency than the location's");
    }
    if before.and_then(|before| before.get("amount")) == Some(&json!(amount)) {
        return Ok(None);
    }
    if let Some(place) = place.as_object_mut() {
        place.insert("price_money".to_owned(), money);
        place.insert("pricing_type".to_owned(), json!("FIXED_PRICING"));
    }
    Ok(Some(object))
}

impl Platform for Prices {
    fn traits(&self) -> Traits {
        Traits { whole_units: false, rows_max: PRICE_ROWS_MAX, latest: true, ..Traits::default() }
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        let mut latest: BTreeMap<&str, i64> = BTreeMap::new();
        for change in changes {
            for part in change.target.iter().flat_map(|target| &target.parts) {
                latest.insert(&part.item, change.delta.micros());
            }
        }
        let prices = latest.into_iter().map(|(id, micros)| Price { id: id.to_owned(), micros }).collect();
        bytes(&Frozen { prices })
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        debug_assert!(rows.is_empty(), "prices are never read back");
        bytes(&Frozen { prices: Vec::new() })
    }

    fn send<'a>(&'a self, key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.0.0.write_prices(key, &body).await.unwrap_or_else(answer_not_made) })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.0.0.look_up_variations(skus))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        let gone = vec![Seen { number: None, evidence: Default::default() }; question.items.len()];
        Box::pin(std::future::ready(Ok(gone)))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.0.0.probe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variation() -> Value {
        json!({"id": "V1", "version": 7, "type": "ITEM_VARIATION", "item_variation_data": {
            "item_id": "I", "sku": "A", "track_inventory": true, "pricing_type": "FIXED_PRICING",
            "price_money": {"amount": 500, "currency": "EUR"},
            "location_overrides": [{"location_id": "OTHER", "price_money": {"amount": 1, "currency": "EUR"}}]}})
    }

    #[test]
    fn only_the_price_is_changed() {
        let mut expected = variation();
        expected["item_variation_data"]["price_money"]["amount"] = json!(450);
        assert_eq!(priced(variation(), "L", 450, "EUR").unwrap(), Some(expected));
        assert_eq!(priced(variation(), "L", 500, "EUR").unwrap(), None);
    }

    #[test]
    fn a_price_of_the_location_goes_before_the_variations() {
        let changed = priced(variation(), "OTHER", 450, "EUR").unwrap().unwrap();
        assert_eq!(changed["item_variation_data"]["price_money"]["amount"], 500);
        assert_eq!(changed["item_variation_data"]["location_overrides"][0]["price_money"]["amount"], 450);
    }

    #[test]
    fn a_price_that_cannot_be_set_is_for_a_person() {
        let mut variable = variation();
        variable["item_variation_data"]["pricing_type"] = json!("VARIABLE_PRICING");
        assert!(priced(variable, "L", 450, "EUR").is_err());
        assert!(priced(variation(), "L", 450, "USD").is_err());
    }
}
