//! What can be read: inventory, catalogue, settings, orders.

use serde_json::{Value, json};

use super::machine::{BigCommerceMachine, Tracking, Variant, keeper};
use crate::counter::{Request, Response};

/// Rows of a page unless asked otherwise.
const PAGE: usize = 50;
/// Most rows of a page of the inventory.
const INVENTORY_PAGE_MAX: usize = 1000;
/// Most rows of a page of the catalogue.
const CATALOGUE_PAGE_MAX: usize = 250;

impl BigCommerceMachine {
    /// `None`: there is no such path.
    pub(super) fn view(&self, request: &Request, path: &str, now_us: i64) -> Option<Response> {
        match path {
            "/v2/store" => Some(Response::json(200, &json!({"name": "Stand-in store", "currency": "EUR"}))),
            "/v3/settings/inventory" => Some(Response::json(
                200,
                &json!({"data": {"update_stock_behavior": self.settings.update_stock_behavior,
                    "edit_order_stock_adjustment": true, "refund_order_stock_adjustment": true}, "meta": {}}),
            )),
            "/v3/inventory/locations" => Some(self.locations(request)),
            "/v3/catalog/variants" => Some(self.variants(request)),
            "/v3/catalog/products" => Some(self.products(request)),
            "/v2/orders" => Some(self.list_orders(request)),
            _ => {
                let id = path.strip_prefix("/v3/inventory/locations/")?.strip_suffix("/items")?.parse().ok()?;
                self.settings.locations.contains(&id).then(|| self.items(request, id, now_us))
            }
        }
    }

    fn locations(&self, request: &Request) -> Response {
        let asked = list(request, "location_id:in");
        let rows = self
            .settings
            .locations
            .iter()
            .filter(|id| asked.as_ref().is_none_or(|asked| asked.contains(&id.to_string())))
            .map(|id| json!({"id": id, "code": format!("LOCATION-{id}"), "label": format!("Location {id}"), "enabled": true, "managed_by_external_source": false}))
            .collect();
        paged(request, rows, CATALOGUE_PAGE_MAX)
    }

    fn items(&self, request: &Request, location: i64, now_us: i64) -> Response {
        let (skus, variants, products) =
            (list(request, "sku:in"), list(request, "variant_id:in"), list(request, "product_id:in"));
        let wanted = |variant: &Variant| {
            let among =
                |asked: &Option<Vec<String>>, value: String| asked.as_ref().is_none_or(|asked| asked.contains(&value));
            among(&skus, variant.sku.clone())
                && among(&variants, variant.id.to_string())
                && among(&products, variant.product.to_string())
        };
        let rows = self
            .variants
            .iter()
            .filter(|variant| variant.tracking != Tracking::None && wanted(variant))
            .filter_map(|variant| {
                let level = self.levels.get(&(location, keeper(variant)?))?;
                let shown = level.shown(now_us);
                Some(json!({
                    "identity": {"sku": variant.sku, "variant_id": variant.id, "product_id": variant.product},
                    "available_to_sell": shown - level.safety_stock,
                    "total_inventory_onhand": shown,
                    "settings": {"safety_stock": level.safety_stock, "is_in_stock": shown > level.safety_stock,
                        "warning_level": 0, "bin_picking_number": ""},
                }))
            })
            .collect();
        paged(request, rows, INVENTORY_PAGE_MAX)
    }

    fn variants(&self, request: &Request) -> Response {
        let (id, sku, upc) = (request.asked("id"), request.asked("sku"), request.asked("upc"));
        let rows = self
            .variants
            .iter()
            .filter(|variant| id.is_none_or(|id| id == variant.id.to_string()))
            // The real one does not mind letter case either.
            .filter(|variant| sku.is_none_or(|sku| sku.eq_ignore_ascii_case(&variant.sku)))
            .filter(|variant| upc.is_none_or(|upc| upc == variant.upc))
            .map(|variant| {
                json!({"id": variant.id, "product_id": variant.product, "sku": variant.sku, "upc": variant.upc,
                    "price": variant.price.as_deref().and_then(|price| price.parse::<Value>().ok())})
            })
            .collect();
        paged(request, rows, CATALOGUE_PAGE_MAX)
    }

    fn products(&self, request: &Request) -> Response {
        let (ids, tracking) = (list(request, "id:in"), request.asked("inventory_tracking"));
        let rows = self
            .variants
            .iter()
            .filter(|variant| ids.as_ref().is_none_or(|ids| ids.contains(&variant.product.to_string())))
            .map(|variant| {
                let word = match variant.tracking {
                    Tracking::None => "none",
                    Tracking::Product => "product",
                    Tracking::Variant => "variant",
                };
                (word, json!({"id": variant.product, "name": format!("Product {}", variant.sku), "inventory_tracking": word}))
            })
            .filter(|(word, _)| tracking.is_none_or(|tracking| tracking == *word))
            .map(|(_, row)| row)
            .collect();
        paged(request, rows, CATALOGUE_PAGE_MAX)
    }
}

fn list(request: &Request, name: &str) -> Option<Vec<String>> {
    request.asked(name).map(|text| text.split(',').map(str::to_owned).collect())
}

/// One page of rows in the envelope of V3.
fn paged(request: &Request, rows: Vec<Value>, most: usize) -> Response {
    let (page, limit) = window(request, most);
    let total = rows.len();
    let data: Vec<Value> = rows.into_iter().skip((page - 1) * limit).take(limit).collect();
    let meta = json!({"pagination": {"total": total, "count": data.len(), "per_page": limit, "current_page": page, "total_pages": total.div_ceil(limit)}});
    Response::json(200, &json!({"data": data, "meta": meta}))
}

/// The page, from 1, and its length.
pub(super) fn window(request: &Request, most: usize) -> (usize, usize) {
    let number = |name: &str| request.asked(name).and_then(|text| text.parse().ok());
    (number("page").unwrap_or(1).max(1), number("limit").unwrap_or(PAGE).clamp(1, most))
}
