//! Products and variations over the REST API.

use serde_json::{Map, Value, json};

use super::catalogue::{Managed, NewProduct, Product};
use super::machine::{BATCH_MAX, Machine, Request, Response, fields, intval};
use crate::journal::Cause;

impl Machine {
    pub(crate) fn list_products(&self, request: &Request) -> Response {
        let by_sku = request.asked_list("sku");
        let by_gtin = request.asked_list("global_unique_id");
        let include = request.asked_list("include");
        let with_variations = by_sku.is_some() || (by_gtin.is_some() && self.settings.gtin_finds_variations);
        let kept = |product: &&Product| {
            (with_variations || product.given.parent == 0)
                // The database compares without regard to letter case.
                && by_sku.as_ref().is_none_or(|skus| skus.iter().any(|sku| sku.eq_ignore_ascii_case(&product.given.sku)))
                && by_gtin.as_ref().is_none_or(|gtins| gtins.contains(&product.given.gtin.as_str()))
                && include.as_ref().is_none_or(|ids| ids.contains(&product.id.to_string().as_str()))
        };
        let rows = self.rows(request, self.catalogue.all().filter(kept));
        Self::paged(request, rows)
    }

    pub(crate) fn list_variations(&self, request: &Request, parent: Option<u64>) -> Response {
        let include = request.asked_list("include");
        let kept = |product: &&Product| {
            product.given.parent != 0
                && parent.is_none_or(|parent| product.given.parent == parent)
                && include.as_ref().is_none_or(|ids| ids.contains(&product.id.to_string().as_str()))
        };
        let rows = self.rows(request, self.catalogue.all().filter(kept));
        Self::paged(request, rows)
    }

    fn rows<'a>(&'a self, request: &Request, products: impl Iterator<Item = &'a Product>) -> Vec<Value> {
        let mut kept: Vec<&Product> = products.filter(|product| self.is_after(request, product.modified_us)).collect();
        match request.asked("orderby") {
            Some("id") => kept.sort_by_key(|product| product.id),
            Some("modified") => kept.sort_by_key(|product| (product.modified_us, product.id)),
            _ => kept.sort_by_key(|product| (product.created_us, product.id)),
        }
        if request.asked("order") != Some("asc") {
            kept.reverse();
        }
        kept.into_iter().map(|product| self.catalogue.view(product)).collect()
    }

    /// `modified_after`: later than this, in the shop's local time unless `dates_are_gmt`.
    pub(crate) fn is_after(&self, request: &Request, modified_us: i64) -> bool {
        let Some(text) = request.asked("modified_after") else { return true };
        let Ok(utc) = format!("{}Z", text.trim_end_matches('Z')).parse::<jiff::Timestamp>() else { return true };
        let gmt = request.asked("dates_are_gmt").is_some_and(|value| matches!(value, "true" | "1"));
        let offset_s = if gmt { 0 } else { self.settings.gmt_offset_s };
        // Columns of the database hold whole seconds.
        modified_us.div_euclid(1_000_000) > utc.as_second() - offset_s
    }

    pub(crate) fn show_product(&self, request: &Request, id: Option<u64>) -> Response {
        match id.and_then(|id| self.catalogue.get(id)) {
            Some(product) if product.given.parent == 0 => Response::ok(&fields(request, self.catalogue.view(product))),
            _ => Response::error(404, "woocommerce_rest_product_invalid_id", "Invalid ID."),
        }
    }

    pub(crate) fn create_product(&mut self, request: &Request, now_us: i64) -> Response {
        let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&request.body) else {
            return invalid_json();
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let sku = text("sku");
        if let Some(known) = self.catalogue.with_sku(sku).filter(|_| !sku.is_empty()) {
            let data = json!({"status": 400, "resource_id": known.id, "unique_sku": format!("{sku}-1")});
            let error = json!({"code": "product_invalid_sku", "message": "Invalid or duplicated SKU.", "data": data});
            return Response::json(400, &error);
        }
        let given = NewProduct {
            name: text("name").to_owned(),
            variable: text("type") == "variable",
            manage_stock: body.get("manage_stock") == Some(&json!(true)),
            regular_price: text("regular_price").to_owned(),
            ..NewProduct::stocked(sku, body.get("stock_quantity").map(intval).unwrap_or_default())
        };
        let id = self.add(given, now_us);
        let view = self.catalogue.get(id).map(|product| self.catalogue.view(product)).unwrap_or_default();
        Response::json(201, &fields(request, view))
    }

    /// One product or variation. Only here is `stock_quantity` checked, and `null` made to 0.
    pub(crate) fn put_product(&mut self, request: &Request, id: u64, parent: Option<u64>, now_us: i64) -> Response {
        let Ok(Value::Object(mut body)) = serde_json::from_slice::<Value>(&request.body) else {
            return invalid_json();
        };
        if let Some(given) = body.get("stock_quantity") {
            let checked = match given {
                Value::Null => json!(0),
                Value::Number(number) if number.is_i64() => given.clone(),
                Value::String(text) if text.parse::<i64>().is_ok() => given.clone(),
                _ => {
                    let message = "Invalid parameter(s): stock_quantity";
                    return Response::error(400, "rest_invalid_param", message);
                }
            };
            body.insert("stock_quantity".to_owned(), checked);
        }
        match self.save(id, parent, &body, request.number, now_us) {
            Ok(view) => Response::ok(&fields(request, view)),
            Err((status, code, message)) => Response::error(status, code, message),
        }
    }

    /// `{update: […]}` and the like: rows one after the other, each by itself, always 200.
    pub(crate) fn batch(&mut self, request: &Request, parent: Option<u64>, now_us: i64) -> Response {
        let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&request.body) else {
            return invalid_json();
        };
        let rows = |name: &str| body.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        if rows("create") + rows("update") + rows("delete") > BATCH_MAX {
            let message = format!("Unable to accept more than {BATCH_MAX} items for this request.");
            return Response::error(413, "woocommerce_rest_request_entity_too_large", &message);
        }
        let Some(updates) = body.get("update").and_then(Value::as_array) else {
            return Response::ok(&json!([]));
        };
        let mut answers = Vec::with_capacity(updates.len());
        for row in updates {
            let empty = Map::new();
            let row = row.as_object().unwrap_or(&empty);
            let id = row.get("id").map(intval).and_then(|id| u64::try_from(id).ok()).unwrap_or_default();
            answers.push(match self.save(id, parent, row, request.number, now_us) {
                Ok(view) => view,
                Err((status, code, message)) => {
                    json!({"id": id, "error": {"code": code, "message": message, "data": {"status": status}}})
                }
            });
        }
        Response::ok(&json!({"update": answers}))
    }

    fn save(
        &mut self,
        id: u64,
        parent: Option<u64>,
        body: &Map<String, Value>,
        request: u64,
        now_us: i64,
    ) -> Result<Value, (u16, &'static str, &'static str)> {
        let product = match (self.catalogue.get(id), parent) {
            (Some(product), Some(parent)) if product.given.parent == parent => product,
            (_, Some(_)) => return Err((404, "woocommerce_rest_product_variation_invalid_id", "Invalid ID.")),
            (Some(product), None) if product.given.parent != 0 => {
                return Err((
                    404,
                    "woocommerce_rest_invalid_product_id",
                    "To manipulate product variations you should use the /products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint.",
                ));
            }
            (Some(product), None) => product,
            (None, None) => return Err((400, "woocommerce_rest_product_invalid_id", "Invalid ID.")),
        };
        let managed = self.catalogue.managed(product);
        // Meta data goes to the database before the number does.
        for meta in body.get("meta_data").and_then(Value::as_array).into_iter().flatten() {
            let key = meta.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
            self.catalogue.set_meta(id, &key, meta.get("value").cloned().unwrap_or_default());
        }
        if let Some(price) = body.get("regular_price") {
            self.set_price(id, price);
        }
        let number = body.get("stock_quantity").filter(|value| !value.is_null());
        let delta = body.get("inventory_delta").filter(|value| !value.is_null());
        if number.is_some() || delta.is_some() {
            match managed {
                Managed::Own => self.save_stock(id, number, delta, request, now_us),
                Managed::Parent | Managed::No => self.stats.dropped_rows += 1,
            }
        }
        if let Some(product) = self.catalogue.get_mut(id) {
            product.modified_us = now_us;
        }
        Ok(self.catalogue.get(id).map(|product| self.catalogue.view(product)).unwrap_or_default())
    }

    /// A comma is no decimal point here: it is dropped.
    fn set_price(&mut self, id: u64, price: &Value) {
        let text = match price {
            Value::String(text) => text.replace(',', ""),
            other => other.to_string(),
        };
        if let Some(product) = self.catalogue.get_mut(id) {
            product.given.regular_price = text;
        }
    }

    /// Reads, works out, writes. What lands in between is overwritten.
    fn save_stock(&mut self, id: u64, number: Option<&Value>, delta: Option<&Value>, request: u64, now_us: i64) {
        let read = self.catalogue.stock(id).unwrap_or_default();
        let (cause, due) = match (number, delta) {
            (Some(number), _) => (Cause::Set, intval(number)),
            (None, Some(delta)) => (Cause::Adjust, read + intval(delta)),
            (None, None) => return,
        };
        for (sku, quantity) in std::mem::take(&mut self.landing) {
            self.place_order(&sku, quantity, super::Status::Processing, now_us);
        }
        let landed = self.catalogue.stock(id).unwrap_or_default();
        let mut entries = Vec::new();
        if landed != read {
            self.stats.overwritten_orders += 1;
            entries.extend(self.catalogue.write_stock(id, read, Cause::Elsewhere, now_us));
        }
        entries.extend(self.catalogue.write_stock(id, due, cause, now_us));
        self.stats.applied_rows += 1;
        self.record(request, None, entries);
    }
}

fn invalid_json() -> Response {
    Response::error(400, "rest_invalid_json", "Invalid JSON body passed.")
}
