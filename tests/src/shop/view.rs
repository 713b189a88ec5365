//! What a request gets to see: objects cut down to the selected fields.
//!
//! A field that the platform has and the stand-in does not is an error that says so, never a made-up value.

use serde_json::{Map, Value, json};

mod orders;

use super::document::{Field, Variables};
use super::mutate::{Done, Group, UserError};
use super::search;
use super::state::State;
use super::stock::{Item, Level, Location, gid};

/// A value or a GraphQL error.
pub(crate) type Seen = Result<Value, Value>;

/// Looks at one state with the variables of one request.
pub(crate) struct View<'a> {
    pub(crate) state: &'a State,
    pub(crate) variables: &'a Variables,
}

/// Page size where the client gives none.
const PAGE_DEFAULT: usize = 50;
/// Deepest object of one connection. <https://shopify.dev/docs/api/usage/limits>
const DEPTH_MAX: usize = 25_000;

impl View<'_> {
    fn object(&self, fields: &[Field], type_name: &str, mut resolve: impl FnMut(&Field) -> Seen) -> Seen {
        let mut object = Map::new();
        for field in fields.iter().filter(|field| field.applies(type_name, self.variables)) {
            let value = if field.name == "__typename" { Value::from(type_name) } else { resolve(field)? };
            object.insert(field.key.clone(), value);
        }
        Ok(Value::Object(object))
    }

    /// One field of the query root.
    pub(crate) fn query(&self, field: &Field) -> Seen {
        let variables = self.variables;
        let stock = &self.state.stock;
        let id = || field.text("id", variables).unwrap_or_default();
        match field.name.as_str() {
            "shop" => self.shop(field),
            "currentAppInstallation" => self.installation(field),
            "location" => {
                let found = if field.argument("id", variables).is_none() {
                    stock.locations.first()
                } else {
                    stock.location(&id())
                };
                found.map_or(Ok(Value::Null), |location| self.location(&field.fields, location))
            }
            "locations" => {
                let inactive = field.argument("includeInactive", variables).and_then(|v| v.as_bool()).unwrap_or(false);
                let found: Vec<&Location> =
                    stock.locations.iter().filter(|location| location.active || inactive).collect();
                self.connection(field, "Location", &found, |fields, location| self.location(fields, location))
            }
            "inventoryItem" => {
                stock.item(&id()).map_or(Ok(Value::Null), |(_, item)| self.inventory_item(&field.fields, item))
            }
            "inventoryItems" => {
                let filters = search::filters(&field.text("query", variables).unwrap_or_default());
                let kept = |item: &&Item| filters.iter().all(|f| f.name != "id" || f.number_fits(item.id));
                let mut found: Vec<&Item> = stock.items().iter().filter(kept).collect();
                found.sort_by_key(|item| item.id);
                self.connection(field, "InventoryItem", &found, |fields, item| self.inventory_item(fields, item))
            }
            "productVariantsCount" => {
                let most = field.argument("limit", variables).and_then(|v| v.as_u64()).unwrap_or(10_000);
                let count = u64::try_from(stock.items().len()).unwrap_or(u64::MAX);
                self.object(&field.fields, "Count", |f| match f.name.as_str() {
                    "count" => Ok(json!(count.min(most))),
                    "precision" => Ok(json!(if count > most { "AT_LEAST" } else { "EXACT" })),
                    _ => unsupported("Count", f),
                })
            }
            "fulfillmentOrders" => self.fulfilment_orders(field),
            "fulfillmentOrder" => stock
                .fulfilment_order(&id())
                .map_or(Ok(Value::Null), |order| self.fulfilment_order(&field.fields, order)),
            "productVariant" => stock.variant(&id()).map_or(Ok(Value::Null), |item| self.variant(&field.fields, item)),
            "node" => self.node(field, &id()),
            "nodes" => {
                let ids = field.argument("ids", variables).unwrap_or(Value::Null);
                ids.as_array()
                    .into_iter()
                    .flatten()
                    .map(|id| self.node(field, id.as_str().unwrap_or_default()))
                    .collect()
            }
            "productVariants" => {
                let now_us = self.state.shop_now_us();
                let hits = search::run(stock, &field.text("query", variables).unwrap_or_default());
                let found: Vec<&Item> = hits
                    .into_iter()
                    .filter_map(|index| stock.items().get(index))
                    .filter(|item| item.searchable_at_us <= now_us)
                    .collect();
                self.connection(field, "ProductVariant", &found, |fields, item| self.variant(fields, item))
            }
            "__schema" | "__type" => Err(
                json!({"message": "the stand-in shop does not answer introspection", "extensions": {"code": "STAND_IN_UNSUPPORTED"}}),
            ),
            _ => unsupported("QueryRoot", field),
        }
    }

    fn shop(&self, field: &Field) -> Seen {
        self.object(&field.fields, "Shop", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("Shop", 1))),
            "name" => Ok(json!(self.state.settings.shop_name)),
            "myshopifyDomain" => Ok(json!("stand-in.myshopify.com")),
            "currencyCode" => Ok(json!("EUR")),
            "ianaTimezone" => Ok(json!("Etc/UTC")),
            _ => unsupported("Shop", f),
        })
    }

    fn installation(&self, field: &Field) -> Seen {
        self.object(&field.fields, "AppInstallation", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("AppInstallation", 1))),
            "accessScopes" => self.state.settings.scopes.iter().map(|scope| self.scope(&f.fields, scope)).collect(),
            _ => unsupported("AppInstallation", f),
        })
    }

    fn scope(&self, fields: &[Field], scope: &str) -> Seen {
        self.object(fields, "AccessScope", |f| match f.name.as_str() {
            "handle" => Ok(json!(scope)),
            "description" => Ok(json!(scope.replace('_', " "))),
            _ => unsupported("AccessScope", f),
        })
    }

    fn node(&self, field: &Field, id: &str) -> Seen {
        if let Some((_, item)) = self.state.stock.item(id) {
            return self.inventory_item(&field.fields, item);
        }
        if let Some(item) = self.state.stock.variant(id) {
            return self.variant(&field.fields, item);
        }
        self.state.stock.location(id).map_or(Ok(Value::Null), |location| self.location(&field.fields, location))
    }

    fn connection<T>(&self, field: &Field, type_name: &str, all: &[&T], each: impl Fn(&[Field], &T) -> Seen) -> Seen {
        let number = |name: &str| {
            field.argument(name, self.variables).and_then(|v| v.as_u64()).and_then(|n| usize::try_from(n).ok())
        };
        // A cursor is the position of the object plus one.
        let start = field.text("after", self.variables).and_then(|cursor| cursor.parse::<usize>().ok()).unwrap_or(0);
        let page: Vec<(usize, &T)> =
            all.iter().copied().enumerate().skip(start).take(number("first").unwrap_or(PAGE_DEFAULT)).collect();
        if start.saturating_add(page.len()) > DEPTH_MAX {
            let message = format!("pagination beyond {DEPTH_MAX} objects is not available");
            return Err(json!({"message": message, "path": [field.key], "extensions": {"code": "BAD_REQUEST"}}));
        }
        let end = page.last().map_or(start, |(position, _)| position + 1);
        let page_info = |f: &Field| {
            self.object(&f.fields, "PageInfo", |f| match f.name.as_str() {
                "hasNextPage" => Ok(json!(end < all.len())),
                "hasPreviousPage" => Ok(json!(start > 0)),
                "startCursor" => {
                    Ok(page.first().map_or(Value::Null, |(position, _)| json!((position + 1).to_string())))
                }
                "endCursor" => Ok(page.last().map_or(Value::Null, |(position, _)| json!((position + 1).to_string()))),
                _ => unsupported("PageInfo", f),
            })
        };
        self.object(&field.fields, &format!("{type_name}Connection"), |f| match f.name.as_str() {
            "nodes" => page.iter().map(|(_, one)| each(&f.fields, one)).collect(),
            "edges" => page
                .iter()
                .map(|(position, one)| {
                    self.object(&f.fields, &format!("{type_name}Edge"), |f| match f.name.as_str() {
                        "cursor" => Ok(json!((position + 1).to_string())),
                        "node" => each(&f.fields, one),
                        _ => unsupported("Edge", f),
                    })
                })
                .collect(),
            "pageInfo" => page_info(f),
            _ => unsupported(type_name, f),
        })
    }

    fn location(&self, fields: &[Field], location: &Location) -> Seen {
        self.object(fields, "Location", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("Location", location.id))),
            "legacyResourceId" => Ok(json!(location.id.to_string())),
            "name" => Ok(json!(location.name)),
            "isActive" => Ok(json!(location.active)),
            "fulfillsOnlineOrders" | "shipsInventory" => Ok(json!(location.active)),
            "isFulfillmentService" => Ok(json!(false)),
            "inventoryLevels" => {
                let inactive = f.argument("includeInactive", self.variables).and_then(|v| v.as_bool()).unwrap_or(false);
                let found: Vec<(&Item, &Level)> = self
                    .state
                    .stock
                    .items()
                    .iter()
                    .filter_map(|item| Some((item, item.levels.get(&location.id)?)))
                    .filter(|(_, level)| level.active || inactive)
                    .collect();
                let found: Vec<&(&Item, &Level)> = found.iter().collect();
                self.connection(f, "InventoryLevel", &found, |fields, (item, level)| {
                    self.level(fields, item, location, level)
                })
            }
            _ => unsupported("Location", f),
        })
    }

    fn variant(&self, fields: &[Field], item: &Item) -> Seen {
        self.object(fields, "ProductVariant", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("ProductVariant", item.variant))),
            "legacyResourceId" => Ok(json!(item.variant.to_string())),
            "sku" => Ok(json!(item.given.sku)),
            "barcode" => Ok(json!(item.given.barcode)),
            "title" => Ok(json!("Default Title")),
            "displayName" => Ok(json!(format!("{} - Default Title", item.given.title))),
            "requiresComponents" => Ok(json!(!item.given.components.is_empty())),
            "price" => Ok(json!(item.given.price)),
            "inventoryPolicy" => Ok(json!(if item.given.sells_below_zero { "CONTINUE" } else { "DENY" })),
            "inventoryQuantity" => Ok(json!(item.levels.values().map(|level| level.available).sum::<i64>())),
            "inventoryItem" => self.inventory_item(&f.fields, item),
            "product" => self.object(&f.fields, "Product", |f| match f.name.as_str() {
                "id" => Ok(json!(gid("Product", item.product))),
                "title" => Ok(json!(item.given.title)),
                "status" => Ok(json!("ACTIVE")),
                _ => unsupported("Product", f),
            }),
            "productVariantComponents" => {
                let parts: Vec<(&Item, i64)> = item
                    .given
                    .components
                    .iter()
                    .filter_map(|(sku, per)| Some((self.state.stock.with_sku(sku).next()?, *per)))
                    .collect();
                let parts: Vec<&(&Item, i64)> = parts.iter().collect();
                self.connection(f, "ProductVariantComponent", &parts, |fields, part| self.component(fields, part))
            }
            _ => unsupported("ProductVariant", f),
        })
    }

    fn component(&self, fields: &[Field], (item, per): &(&Item, i64)) -> Seen {
        self.object(fields, "ProductVariantComponent", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("ProductVariantComponent", item.variant))),
            "quantity" => Ok(json!(per)),
            "productVariant" => self.variant(&f.fields, item),
            _ => unsupported("ProductVariantComponent", f),
        })
    }

    fn inventory_item(&self, fields: &[Field], item: &Item) -> Seen {
        let variables = self.variables;
        self.object(fields, "InventoryItem", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("InventoryItem", item.id))),
            "legacyResourceId" => Ok(json!(item.id.to_string())),
            "sku" => Ok(json!(item.given.sku)),
            "tracked" => Ok(json!(item.given.tracked)),
            "requiresShipping" => Ok(json!(true)),
            "duplicateSkuCount" => Ok(json!(self.state.stock.with_sku(&item.given.sku).count().saturating_sub(1))),
            "variant" => self.variant(&f.fields, item),
            "inventoryLevel" => {
                let location = f.text("locationId", variables).unwrap_or_default();
                let inactive = f.argument("includeInactive", variables).and_then(|v| v.as_bool()).unwrap_or(false);
                let found =
                    self.state.stock.location(&location).and_then(|place| Some((place, item.levels.get(&place.id)?)));
                found
                    .filter(|(_, level)| level.active || inactive)
                    .map_or(Ok(Value::Null), |(place, level)| self.level(&f.fields, item, place, level))
            }
            "inventoryLevels" => {
                let places = &self.state.stock.locations;
                let found: Vec<(&Location, &Level)> =
                    places.iter().filter_map(|place| Some((place, item.levels.get(&place.id)?))).collect();
                let found: Vec<&(&Location, &Level)> = found.iter().filter(|(_, level)| level.active).collect();
                self.connection(f, "InventoryLevel", &found, |fields, (place, level)| {
                    self.level(fields, item, place, level)
                })
            }
            _ => unsupported("InventoryItem", f),
        })
    }

    fn level(&self, fields: &[Field], item: &Item, place: &Location, level: &Level) -> Seen {
        let variables = self.variables;
        self.object(fields, "InventoryLevel", |f| match f.name.as_str() {
            "id" => Ok(json!(format!("{}?inventory_item_id={}", gid("InventoryLevel", place.id + 1), item.id))),
            "isActive" => Ok(json!(level.active)),
            "item" => self.inventory_item(&f.fields, item),
            "location" => self.location(&f.fields, place),
            "quantities" => {
                let names = f.argument("names", variables).unwrap_or(Value::Null);
                let wanted = names.as_array().into_iter().flatten().filter_map(Value::as_str);
                wanted
                    .filter_map(|name| Some((name, level.named(name)?)))
                    .map(|(name, quantity)| self.quantity(&f.fields, name, quantity))
                    .collect()
            }
            _ => unsupported("InventoryLevel", f),
        })
    }

    fn quantity(&self, fields: &[Field], name: &str, quantity: i64) -> Seen {
        self.object(fields, "InventoryQuantity", |f| match f.name.as_str() {
            "name" => Ok(json!(name)),
            "quantity" => Ok(json!(quantity)),
            "updatedAt" => Ok(Value::Null),
            _ => unsupported("InventoryQuantity", f),
        })
    }

    /// The payload of a mutation.
    pub(crate) fn payload(&self, field: &Field, done: &Done) -> Seen {
        let type_name = match field.name.as_str() {
            "inventoryAdjustQuantities" => "InventoryAdjustQuantities",
            "inventorySetQuantities" => "InventorySetQuantities",
            "productVariantsBulkUpdate" => "ProductVariantsBulkUpdate",
            _ => "InventoryActivate",
        };
        let (group, errors) = match done {
            Done::Effect(group) => (group.as_deref(), &[][..]),
            Done::Refused(errors) => (None, errors.as_slice()),
        };
        self.object(&field.fields, &format!("{type_name}Payload"), |f| match f.name.as_str() {
            "inventoryAdjustmentGroup" => group.map_or(Ok(Value::Null), |group| self.group(&f.fields, group)),
            "inventoryLevel" if errors.is_empty() => {
                let (item, place) = (
                    field.text("inventoryItemId", self.variables).unwrap_or_default(),
                    field.text("locationId", self.variables).unwrap_or_default(),
                );
                let found = self.state.stock.item(&item).zip(self.state.stock.location(&place));
                let found = found.and_then(|((_, item), place)| Some((item, place, item.levels.get(&place.id)?)));
                found.map_or(Ok(Value::Null), |(item, place, level)| self.level(&f.fields, item, place, level))
            }
            "inventoryLevel" => Ok(Value::Null),
            "product" if errors.is_empty() => {
                let id = field.text("productId", self.variables).unwrap_or_default();
                self.object(&f.fields, "Product", |f| match f.name.as_str() {
                    "id" => Ok(json!(id)),
                    _ => unsupported("Product", f),
                })
            }
            "product" => Ok(Value::Null),
            "userErrors" => errors.iter().map(|error| self.user_error(&f.fields, type_name, error)).collect(),
            _ => unsupported(type_name, f),
        })
    }

    fn user_error(&self, fields: &[Field], type_name: &str, error: &UserError) -> Seen {
        self.object(fields, &format!("{type_name}UserError"), |f| match f.name.as_str() {
            "code" => Ok(json!(error.code)),
            "field" => Ok(json!(error.field)),
            "message" => Ok(json!(error.message)),
            _ => unsupported("UserError", f),
        })
    }

    fn group(&self, fields: &[Field], group: &Group) -> Seen {
        self.object(fields, "InventoryAdjustmentGroup", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("InventoryAdjustmentGroup", group.id))),
            "createdAt" => {
                Ok(json!(jiff::Timestamp::from_microsecond(group.created_us).unwrap_or_default().to_string()))
            }
            "reason" => Ok(json!(group.reason)),
            "referenceDocumentUri" => Ok(json!(group.reference)),
            "changes" => {
                let mirrored = |name: &str| {
                    if name == "incoming" || name == "on_hand" { None } else { Some("on_hand") }
                };
                let other = if group.name == "on_hand" { Some("available") } else { mirrored(&group.name) };
                let names = [Some(group.name.as_str()), other];
                group
                    .rows
                    .iter()
                    .flat_map(|row| names.into_iter().flatten().map(move |name| (row, name)))
                    .map(|(row, name)| self.change(&f.fields, row, name))
                    .collect()
            }
            _ => unsupported("InventoryAdjustmentGroup", f),
        })
    }

    fn change(&self, fields: &[Field], (item, place, delta): &(usize, u64, i64), name: &str) -> Seen {
        self.object(fields, "InventoryChange", |f| match f.name.as_str() {
            "name" => Ok(json!(name)),
            "delta" => Ok(json!(delta)),
            "quantityAfterChange" | "ledgerDocumentUri" => Ok(Value::Null),
            "item" => {
                self.state.stock.items().get(*item).map_or(Ok(Value::Null), |item| self.inventory_item(&f.fields, item))
            }
            "location" => self
                .state
                .stock
                .locations
                .iter()
                .find(|one| one.id == *place)
                .map_or(Ok(Value::Null), |one| self.location(&f.fields, one)),
            _ => unsupported("InventoryChange", f),
        })
    }
}

fn unsupported(type_name: &str, field: &Field) -> Seen {
    Err(json!({
        "message": format!("the stand-in shop does not implement {type_name}.{}", field.name),
        "path": [field.key],
        "extensions": {"code": "STAND_IN_UNSUPPORTED"},
    }))
}
