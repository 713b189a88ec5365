//! The shop as Shopify's GraphQL answers (shopify.dev/docs/api/admin-graphql): look-up, adjust, set, read-back and
//! probe, as far as the agent asks.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use tillsync::platform::Call;
use tillsync::platform::transport::{Exchange, Reply, Request, Unreached};

use super::{Done, Front, Shop, Write, ok};
use crate::tally::Tally;
use crate::till::code;

const ITEM: &str = "gid://shopify/InventoryItem/";

#[derive(Deserialize)]
struct Asked {
    query: String,
    variables: Variables,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Variables {
    query: String,
    ids: Vec<String>,
    key: String,
    input: Input,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Input {
    changes: Vec<Change>,
    quantities: Vec<Quantity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    inventory_item_id: String,
    delta: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Quantity {
    inventory_item_id: String,
    quantity: i64,
    change_from_quantity: Option<i64>,
}

impl Exchange for Front {
    fn exchange(&self, request: Request) -> Call<'_, Result<Reply, Unreached>> {
        let body: Arc<[u8]> = Arc::from(request.body);
        let asked = Arc::clone(&body);
        let handler =
            move |shop: &mut Shop, tally: &mut Tally, now: std::time::Duration| answer(shop, tally, &asked, now);
        Box::pin(self.carry(body, Arc::new(handler)))
    }
}

fn answer(shop: &mut Shop, tally: &mut Tally, body: &[u8], now: std::time::Duration) -> Reply {
    let Ok(asked) = serde_json::from_slice::<Asked>(body) else { return super::status(400, None) };
    let name = asked.query.split_whitespace().nth(1).unwrap_or_default().split('(').next().unwrap_or_default();
    match name {
        "Adjust" => {
            let rows: Option<Vec<Write>> = asked.variables.input.changes.iter().map(change).collect();
            write(shop, tally, "inventoryAdjustQuantities", &asked.variables.key, body, rows, now)
        }
        "Set" => {
            let rows: Option<Vec<Write>> = asked.variables.input.quantities.iter().map(quantity).collect();
            write(shop, tally, "inventorySetQuantities", &asked.variables.key, body, rows, now)
        }
        "LookUp" => ok(look_up(shop, &asked.variables.query)),
        "ReadBack" => ok(read_back(shop, &asked.variables.ids)),
        "Probe" => ok(probe()),
        _ => super::status(400, None),
    }
}

fn item(id: &str) -> Option<usize> {
    id.strip_prefix(ITEM)?.parse().ok()
}

fn change(row: &Change) -> Option<Write> {
    Some(Write::Change(item(&row.inventory_item_id)?, row.delta))
}

fn quantity(row: &Quantity) -> Option<Write> {
    Some(Write::Set(item(&row.inventory_item_id)?, row.quantity, row.change_from_quantity))
}

const COST: &str = r#""extensions":{"cost":{"requestedQueryCost":10,"throttleStatus":{"maximumAvailable":2000.0,"currentlyAvailable":1900,"restoreRate":100.0}}}"#;

fn write(
    shop: &mut Shop,
    tally: &mut Tally,
    mutation: &str,
    key: &str,
    body: &[u8],
    rows: Option<Vec<Write>>,
    now: std::time::Duration,
) -> Reply {
    let Some(rows) = rows else { return super::status(400, None) };
    let error = |code: &str, field: &str| {
        format!(
            r#"{{"data":{{"{mutation}":{{"inventoryAdjustmentGroup":null,"userErrors":[{{"code":"{code}","field":{field},"message":"{code}"}}]}}}},{COST}}}"#
        )
    };
    let text = match shop.write_once(key, body, &rows, now, tally) {
        Done::Applied => format!(
            r#"{{"data":{{"{mutation}":{{"inventoryAdjustmentGroup":{{"id":"gid://shopify/InventoryAdjustmentGroup/1"}},"userErrors":[]}}}},{COST}}}"#
        ),
        Done::Mismatch => error("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "null"),
        Done::Stale => error("CHANGE_FROM_QUANTITY_STALE", "null"),
        Done::NoItem(item) => {
            let row = rows.iter().position(|row| row.item() == item).unwrap_or(0);
            let list = if mutation == "inventorySetQuantities" { "quantities" } else { "changes" };
            error("INVALID_INVENTORY_ITEM", &format!(r#"["input","{list}","{row}","inventoryItemId"]"#))
        }
    };
    ok(text.into_bytes())
}

/// Articles by their exact code, out of a search for `sku:'A' OR sku:'B'`.
fn look_up(shop: &Shop, query: &str) -> Vec<u8> {
    let nodes: Vec<_> = (0..shop.numbers().len())
        .filter(|article| query.contains(&format!("'{}'", code(*article))))
        .filter_map(|article| Some((article, shop.number(article)?)))
        .map(|(article, number)| {
            json!({
                "id": format!("gid://shopify/ProductVariant/{article}"),
                "sku": code(article), "barcode": null, "title": "Default Title", "requiresComponents": false,
                "product": {"title": "Article"},
                "inventoryItem": {"id": format!("{ITEM}{article}"), "tracked": true, "inventoryLevel": level(number)},
            })
        })
        .collect();
    json!({"data": {"productVariants": {"nodes": nodes, "pageInfo": {"hasNextPage": false, "endCursor": null}}}})
        .to_string()
        .into_bytes()
}

fn level(number: i64) -> serde_json::Value {
    json!({"isActive": true, "quantities": [{"name": "on_hand", "quantity": number}]})
}

fn read_back(shop: &Shop, ids: &[String]) -> Vec<u8> {
    let nodes: Vec<_> = ids
        .iter()
        .map(|id| {
            item(id).and_then(|item| shop.number(item)).map(|number| json!({"id": id, "inventoryLevel": level(number)}))
        })
        .collect();
    json!({"data": {"nodes": nodes}}).to_string().into_bytes()
}

fn probe() -> Vec<u8> {
    let scopes: Vec<_> = tillsync::platform::shopify::SCOPES.iter().map(|scope| json!({"handle": scope})).collect();
    json!({"data": {
        "shop": {"name": "Shop", "myshopifyDomain": "shop.example.com"},
        "location": {"id": "gid://shopify/Location/1", "name": "Store", "isActive": true},
        "currentAppInstallation": {"accessScopes": scopes},
    }})
    .to_string()
    .into_bytes()
}

/// An earlier request with the key has not ended.
pub(super) fn busy() -> Reply {
    let error = r#"{"code":"IDEMPOTENCY_CONCURRENT_REQUEST","field":null,"message":"another request is in progress"}"#;
    let text = format!(
        r#"{{"data":{{"inventoryAdjustQuantities":{{"inventoryAdjustmentGroup":null,"userErrors":[{error}]}}}},{COST}}}"#
    );
    ok(text.into_bytes())
}

/// No points are left.
pub(super) fn bucket_empty() -> Reply {
    let text = r#"{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":10,"throttleStatus":{"maximumAvailable":2000.0,"currentlyAvailable":0,"restoreRate":100.0}}}}"#;
    ok(text.as_bytes().to_vec())
}
