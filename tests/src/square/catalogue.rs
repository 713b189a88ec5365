//! The catalogue: variations, their search, their versions.

use serde_json::{Value, json};

use super::inventory::{Change, What, ids, paged};
use super::machine::{Refusal, SquareMachine};

/// A variation to be put into the catalogue.
#[derive(Debug, Clone)]
pub struct NewVariation {
    /// SKU.
    pub sku: String,
    /// Barcode.
    pub upc: String,
    /// Its stock is kept.
    pub tracked: bool,
    /// The number counted in the morning; `None`: never counted.
    pub stock: Option<i64>,
}

impl NewVariation {
    /// Tracked, with this number.
    #[must_use]
    pub fn stocked(sku: &str, stock: i64) -> Self {
        Self { sku: sku.to_owned(), upc: String::new(), tracked: true, stock: Some(stock) }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Variation {
    pub(super) sku: String,
    pub(super) upc: String,
    pub(super) tracked: bool,
    pub(super) deleted: bool,
    pub(super) version: u64,
    pub(super) amount: u64,
    /// What a client must write back as it was.
    pub(super) note: String,
}

impl SquareMachine {
    /// Puts a variation into the catalogue; returns its id.
    pub fn add(&mut self, new: NewVariation) -> String {
        let id = self.take_id("VAR");
        if let Some(stock) = new.stock {
            let what = What::Count(stock);
            let (variation, reference) = (id.clone(), None);
            self.changes.push(Change { variation, occurred_us: i64::MIN, created_us: i64::MIN, reference, what });
        }
        let known = Variation {
            sku: new.sku,
            upc: new.upc,
            tracked: new.tracked,
            deleted: false,
            version: 1,
            amount: 500,
            note: "kept".to_owned(),
        };
        self.variations.insert(id.clone(), known);
        id
    }

    /// Deletes a variation.
    pub fn delete(&mut self, sku: &str) {
        for known in self.variations.values_mut().filter(|known| known.sku == sku) {
            known.deleted = true;
        }
    }

    /// The price of a SKU in cents, and what a client must not have changed.
    #[must_use]
    pub fn price(&self, sku: &str) -> Option<(u64, &str)> {
        self.variations.values().find(|known| known.sku == sku).map(|known| (known.amount, known.note.as_str()))
    }

    fn object(&self, id: &str, known: &Variation) -> Value {
        json!({"id": id, "type": "ITEM_VARIATION", "version": known.version, "is_deleted": known.deleted,
            "present_at_all_locations": true, "item_variation_data": {"item_id": format!("ITEM-{id}"),
                "name": format!("Article {}", known.sku), "sku": known.sku, "upc": known.upc,
                "track_inventory": known.tracked, "pricing_type": "FIXED_PRICING", "user_data": known.note,
                "price_money": {"amount": known.amount, "currency": "EUR"}}})
    }

    /// `POST /v2/catalog/search` with a `set_query`, which does not mind letter case.
    pub(super) fn search(&self, body: &Value) -> Result<Value, Refusal> {
        let query = body.pointer("/query/set_query").cloned().unwrap_or_default();
        let values = ids(&query, "attribute_values").unwrap_or_default();
        if values.is_empty() || values.len() > 250 {
            let field = "query.set_query.attribute_values".to_owned();
            return Err(Refusal::of("ARRAY_LENGTH_TOO_LONG", field, "1 to 250 values."));
        }
        let by_upc = query.get("attribute_name").and_then(Value::as_str) == Some("upc");
        let rows = self
            .variations
            .iter()
            .filter(|(_, known)| !known.deleted)
            .filter(|(_, known)| {
                let code = if by_upc { &known.upc } else { &known.sku };
                values.iter().any(|value| value.eq_ignore_ascii_case(code))
            })
            .map(|(id, known)| self.object(id, known))
            .collect();
        Ok(paged("objects", rows, body))
    }

    /// `POST /v2/catalog/batch-retrieve`.
    pub(super) fn retrieve(&self, body: &Value) -> Value {
        let asked = ids(body, "object_ids").unwrap_or_default();
        let rows: Vec<Value> = asked.iter().filter_map(|id| Some(self.object(id, self.variations.get(id)?))).collect();
        json!({"objects": rows})
    }

    /// `POST /v2/catalog/batch-upsert`: on condition of each object's version, one writer at a time.
    pub(super) fn upsert(&mut self, body: &Value) -> Result<Value, Refusal> {
        if self.catalogue_busy > 0 {
            self.catalogue_busy -= 1;
            return Err(Refusal::new(429, "RATE_LIMITED", "Another update of the catalogue is being worked on."));
        }
        let objects: Vec<Value> = body
            .get("batches")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|batch| batch.get("objects")?.as_array())
            .flatten()
            .cloned()
            .collect();
        for object in &objects {
            let id = object.get("id").and_then(Value::as_str).unwrap_or_default();
            let Some(known) = self.variations.get(id) else {
                return Err(Refusal::new(404, "NOT_FOUND", &format!("object {id} was not found")));
            };
            if object.get("version").and_then(Value::as_u64) != Some(known.version) {
                return Err(Refusal::new(
                    400,
                    "VERSION_MISMATCH",
                    "Object version does not match latest database version.",
                ));
            }
        }
        for object in &objects {
            let id = object.get("id").and_then(Value::as_str).unwrap_or_default();
            let data = object.get("item_variation_data").cloned().unwrap_or_default();
            if let Some(known) = self.variations.get_mut(id) {
                known.version += 1;
                known.amount = data.pointer("/price_money/amount").and_then(Value::as_u64).unwrap_or(0);
                // What is not sent is gone.
                known.note = data.get("user_data").and_then(Value::as_str).unwrap_or_default().to_owned();
                known.sku = data.get("sku").and_then(Value::as_str).unwrap_or_default().to_owned();
            }
        }
        Ok(json!({"objects": objects}))
    }
}
