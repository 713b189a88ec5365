//! The stand-in's own rules, each over a real connection.

mod hostile;

use std::time::Duration;

use serde_json::{Value, json};

use super::{NewItem, SchemaChoice, ShopSettings, StandInShop, find_schema};
use crate::faults::{Fault, FaultRule};
use crate::raw_http::{Got, post};

const ADJUST: &str = "mutation Adjust($input: InventoryAdjustQuantitiesInput!, $key: String!) {
  inventoryAdjustQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason referenceDocumentUri changes { name delta } }
    userErrors { code field message }
  }
}";

const SET: &str = "mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) { inventoryAdjustmentGroup { id } userErrors { code field message } }
}";

const LOOK_UP: &str = "query LookUp($query: String!, $location: ID!) {
  productVariants(first: 20, query: $query) {
    nodes { id variantSku: sku barcode title requiresComponents product { title }
      productVariantComponents(first: 5) { nodes { quantity productVariant { sku inventoryItem { id } } } }
      inventoryItem { id sku tracked inventoryLevel(locationId: $location) { id isActive quantities(names: [\"available\", \"on_hand\"]) { name quantity } } } }
    pageInfo { hasNextPage endCursor }
  }
}";

#[tokio::test]
async fn a_delta_moves_available_and_on_hand_and_is_written_down() {
    let desk = Counter::open().await;
    let reply = desk.adjust("k1", &[("A", -2)]).await;
    let payload = &reply["data"]["inventoryAdjustQuantities"];
    assert_eq!(payload["userErrors"], json!([]), "{reply}");
    assert_eq!(
        payload["inventoryAdjustmentGroup"]["changes"],
        json!([{"name": "available", "delta": -2}, {"name": "on_hand", "delta": -2}])
    );
    assert_eq!(desk.on_hand("A"), 8);
    let journal = desk.shop.arrivals();
    assert_eq!(
        (journal.len(), journal[0].key.as_deref(), journal[0].reference.as_deref()),
        (1, Some("k1"), Some("gid://till/Batch/k1"))
    );
    assert!(reply["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"].is_u64());
}

#[tokio::test]
async fn a_key_is_replayed_for_a_day_of_the_shops_clock_and_no_longer() {
    let desk = Counter::open().await;
    let first = desk.adjust("k1", &[("A", -2)]).await;
    let again = desk.adjust("k1", &[("A", -2)]).await;
    assert_eq!(again["data"], first["data"]);
    assert_eq!((desk.on_hand("A"), desk.shop.stats().replays), (8, 1));
    desk.shop.advance_clock(Duration::from_hours(24));
    desk.adjust("k1", &[("A", -2)]).await;
    assert_eq!(desk.on_hand("A"), 6);
}

#[tokio::test]
async fn a_key_with_other_variables_is_refused() {
    let desk = Counter::open().await;
    desk.adjust("k1", &[("A", -2)]).await;
    desk.refused(&desk.adjust("k1", &[("A", -3)]).await, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", Value::Null);
    assert_eq!(desk.on_hand("A"), 8);
}

#[tokio::test]
async fn a_repeat_while_the_first_is_being_worked_on_is_concurrent() {
    let desk = Counter::open().await;
    desk.shop.fault(FaultRule::next(Fault::SlowApply { hold_ms: 1000 }, 1));
    let rows = [("A", -1)];
    let (first, second) = tokio::join!(desk.adjust("k1", &rows), async {
        while desk.shop.stats().keys == 0 {
            tokio::task::yield_now().await;
        }
        desk.adjust("k1", &rows).await
    });
    desk.refused(&second, "IDEMPOTENCY_CONCURRENT_REQUEST", Value::Null);
    assert_eq!(first["data"]["inventoryAdjustQuantities"]["userErrors"], json!([]));
    assert_eq!(desk.on_hand("A"), 9);
}

#[tokio::test]
async fn a_failed_key_can_stay_spent() {
    let desk = Counter::with(ShopSettings { failures_spend_keys: true, ..ShopSettings::default() }).await;
    desk.adjust_rows("k1", json!([{"inventoryItemId": "gid://shopify/InventoryItem/1", "locationId": desk.shop.location(), "delta": 1, "changeFromQuantity": null}])).await;
    let again = desk.adjust_rows("k1", json!([{"inventoryItemId": "gid://shopify/InventoryItem/1", "locationId": desk.shop.location(), "delta": 1, "changeFromQuantity": null}])).await;
    desk.refused(&again, "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", Value::Null);
}

#[tokio::test]
async fn the_directive_and_the_compare_quantity_must_be_there() {
    let desk = Counter::open().await;
    let bare = ADJUST.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "");
    let reply = desk.graphql(&bare, &json!({"input": desk.input(&[("A", -1)])})).await;
    assert_eq!(reply["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    assert_eq!(reply["data"]["inventoryAdjustQuantities"], Value::Null);
    let reply = desk
        .adjust_rows("k1", json!([{"inventoryItemId": desk.id("A"), "locationId": desk.shop.location(), "delta": 1}]))
        .await;
    assert_eq!(reply["errors"][0]["extensions"]["code"], "INVALID_FIELD_ARGUMENTS");
    assert_eq!(desk.on_hand("A"), 10);
}

#[tokio::test]
async fn compare_and_set_looks_at_the_number_that_is_named() {
    let desk = Counter::open().await;
    desk.shop.place_order("A", 3).unwrap();
    let reply = desk.set("k1", "on_hand", "A", 7, json!(9)).await;
    desk.refused(&reply, "CHANGE_FROM_QUANTITY_STALE", json!(["input", "quantities", "0", "changeFromQuantity"]));
    let reply = desk.set("k2", "on_hand", "A", 7, json!(10)).await;
    assert_eq!(reply["data"]["inventorySetQuantities"]["userErrors"], json!([]), "{reply}");
    let level = desk.shop.level("A").unwrap();
    assert_eq!((level.on_hand(), level.committed, level.available), (7, 3, 4));
}

#[tokio::test]
async fn one_bad_row_leaves_all_rows_undone_and_is_named() {
    let desk = Counter::open().await;
    desk.shop.add_item(NewItem { components: vec![("A".to_owned(), 2)], stocked: false, ..NewItem::stocked("KIT", 0) });
    desk.shop.add_item(NewItem { tracked: false, ..NewItem::stocked("LOOSE", 0) });
    desk.shop.add_item(NewItem { stocked: false, ..NewItem::stocked("ELSEWHERE", 0) });
    for (sku, code, field) in [
        ("KIT", "NON_MUTABLE_INVENTORY_ITEM", "inventoryItemId"),
        ("LOOSE", "INVALID_INVENTORY_ITEM", "inventoryItemId"),
        ("ELSEWHERE", "ITEM_NOT_STOCKED_AT_LOCATION", "locationId"),
    ] {
        let reply = desk.adjust(&format!("k-{sku}"), &[("A", -1), (sku, -1)]).await;
        desk.refused(&reply, code, json!(["input", "changes", "1", field]));
    }
    assert_eq!((desk.on_hand("A"), desk.shop.arrival_count()), (10, 0));
}

#[tokio::test]
async fn every_documented_input_fault_has_its_code() {
    let desk = Counter::open().await;
    let good = desk.input(&[("A", -1)]);
    let cases = [
        ("/name", json!("on_hand"), "INVALID_QUANTITY_NAME"),
        ("/name", json!("damaged"), "INVALID_QUANTITY_DOCUMENT"),
        ("/reason", json!("sale"), "INVALID_REASON"),
        ("/referenceDocumentUri", json!("nothing"), "INVALID_REFERENCE_DOCUMENT"),
        ("/changes/0/ledgerDocumentUri", json!("gid://till/Doc/1"), "INVALID_AVAILABLE_DOCUMENT"),
        ("/changes/0/inventoryItemId", json!("gid://shopify/InventoryItem/1"), "INVALID_INVENTORY_ITEM"),
        ("/changes/0/locationId", json!("gid://shopify/Location/1"), "INVALID_LOCATION"),
        ("/changes/0/changeFromQuantity", json!(9), "CHANGE_FROM_QUANTITY_STALE"),
        ("/changes/0/delta", json!(2_000_000_000), "INVALID_QUANTITY_TOO_HIGH"),
    ];
    for (pointer, value, code) in cases {
        let mut input = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        input.pointer_mut(parent).unwrap()[name] = value;
        let reply = desk.graphql(ADJUST, &json!({"input": input, "key": pointer.to_owned() + code})).await;
        assert_eq!(reply["data"]["inventoryAdjustQuantities"]["userErrors"][0]["code"], code, "{reply}");
    }
    for (name, quantity, code) in [
        ("damaged", 1, "INVALID_NAME"),
        ("on_hand", -1, "INVALID_QUANTITY_NEGATIVE"),
        ("available", 1_000_000_001, "INVALID_QUANTITY_TOO_HIGH"),
    ] {
        let reply = desk.set(&format!("s-{code}"), name, "A", quantity, Value::Null).await;
        assert_eq!(reply["data"]["inventorySetQuantities"]["userErrors"][0]["code"], code, "{reply}");
    }
    assert_eq!(desk.on_hand("A"), 10);
}

#[tokio::test]
async fn nothing_to_do_is_a_success_without_a_group() {
    let desk = Counter::open().await;
    let reply = desk.adjust("k1", &[("A", 0), ("B", 0)]).await;
    assert_eq!(reply["data"]["inventoryAdjustQuantities"], json!({"inventoryAdjustmentGroup": null, "userErrors": []}));
    assert_eq!(desk.shop.arrival_count(), 0);
}

#[tokio::test]
async fn more_than_250_rows_are_too_many() {
    let desk = Counter::open().await;
    let reply = desk.adjust("k1", &[("A", -1); 251]).await;
    assert_eq!(reply["errors"][0]["extensions"]["code"], "MAX_INPUT_SIZE_EXCEEDED");
    desk.adjust("k2", &[("A", 1); 250]).await;
    assert_eq!(desk.on_hand("A"), 260);
}

#[tokio::test]
async fn requests_that_do_not_fit_the_schema_are_refused() {
    let desk = Counter::open().await;
    if !desk.shop.validates() {
        return;
    }
    let reply = desk.graphql("{ shop { nam } }", &json!({})).await;
    assert!(reply["errors"].to_string().contains("`nam`"), "{reply}");
    let mut input = desk.input(&[("A", -1)]);
    input["changes"][0]["compareQuantity"] = json!(1);
    input["changes"][0]["delta"] = json!("1");
    let reply = desk.graphql(ADJUST, &json!({"input": input, "key": "k"})).await;
    assert_eq!(reply["errors"][0]["extensions"]["code"], "INVALID_VARIABLE", "{reply}");
    assert_eq!(reply["errors"][0]["extensions"]["problems"].as_array().unwrap().len(), 2);
    assert_eq!(desk.shop.stats().invalid_requests, 2);
}

#[tokio::test]
async fn a_look_up_finds_too_much_and_shows_only_what_was_asked() {
    let desk = Counter::open().await;
    desk.shop.add_item(NewItem { barcode: Some("4006381333931".to_owned()), ..NewItem::stocked("TEA-1", 4) });
    desk.shop.add_item(NewItem::stocked("tea 1 large", 4));
    desk.shop.add_item(NewItem {
        components: vec![("TEA-1".to_owned(), 2)],
        stocked: false,
        ..NewItem::stocked("KIT", 0)
    });
    let reply = desk
        .graphql(LOOK_UP, &json!({"query": "sku:'TEA-1' OR barcode:'4006381333931'", "location": desk.shop.location()}))
        .await;
    let nodes = reply["data"]["productVariants"]["nodes"].as_array().unwrap_or_else(|| panic!("{reply}"));
    assert_eq!(
        nodes.iter().map(|node| node["variantSku"].as_str().unwrap()).collect::<Vec<_>>(),
        ["TEA-1", "tea 1 large"]
    );
    assert_eq!(
        nodes[0]["inventoryItem"]["inventoryLevel"]["quantities"],
        json!([{"name": "available", "quantity": 4}, {"name": "on_hand", "quantity": 4}])
    );
    assert!(nodes[0].get("sku").is_none());
    let reply = desk.graphql(LOOK_UP, &json!({"query": "sku:KIT", "location": desk.shop.location()})).await;
    let kit = &reply["data"]["productVariants"]["nodes"][0];
    assert_eq!(
        (&kit["requiresComponents"], &kit["productVariantComponents"]["nodes"][0]["quantity"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(kit["inventoryItem"]["inventoryLevel"], Value::Null);
}

#[tokio::test]
async fn a_new_product_is_found_when_the_index_has_caught_up() {
    let desk = Counter::with(ShopSettings { index_delay: Duration::from_mins(1), ..ShopSettings::default() }).await;
    let found = async || {
        desk.graphql(
            LOOK_UP,
            &json!({"query": "sku:A", "location": desk.shop.location()}),
        )
        .await["data"]["productVariants"]["nodes"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(found().await, 0);
    desk.shop.advance_clock(Duration::from_mins(1));
    assert_eq!(found().await, 1);
}

#[tokio::test]
async fn numbers_scopes_and_places_can_be_read_back() {
    let desk = Counter::open().await;
    let query = "query($ids: [ID!]!, $at: ID!) { nodes(ids: $ids) { id ... on InventoryItem { inventoryLevel(locationId: $at) { quantities(names: [\"on_hand\"]) { quantity } } } }
        shop { name } location(id: $at) { name isActive } locations(first: 5) { edges { node { name } } } currentAppInstallation { accessScopes { handle } } }";
    let reply = desk
        .graphql(query, &json!({"ids": [desk.id("A"), "gid://shopify/InventoryItem/1"], "at": desk.shop.location()}))
        .await;
    assert_eq!(reply["data"]["nodes"][0]["inventoryLevel"]["quantities"][0]["quantity"], 10, "{reply}");
    assert_eq!((&reply["data"]["nodes"][1], &reply["data"]["location"]["isActive"]), (&Value::Null, &json!(true)));
    assert_eq!(reply["data"]["currentAppInstallation"]["accessScopes"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn activation_stocks_an_item() {
    let desk = Counter::open().await;
    desk.shop.add_item(NewItem { stocked: false, ..NewItem::stocked("NEW", 0) });
    let activate = "mutation($item: ID!, $at: ID!, $key: String!) { inventoryActivate(inventoryItemId: $item, locationId: $at) @idempotent(key: $key) { inventoryLevel { isActive } userErrors { field message } } }";
    let reply = desk.graphql(activate, &json!({"item": desk.id("NEW"), "at": desk.shop.location(), "key": "a1"})).await;
    assert_eq!(
        reply["data"]["inventoryActivate"],
        json!({"inventoryLevel": {"isActive": true}, "userErrors": []}),
        "{reply}"
    );
    desk.adjust("k1", &[("NEW", 4)]).await;
    assert_eq!(desk.on_hand("NEW"), 4);
}

#[tokio::test]
async fn an_empty_bucket_throttles_without_effect() {
    let desk = Counter::with(ShopSettings { bucket_max: 20, bucket_restore: 0, ..ShopSettings::default() }).await;
    desk.adjust("k1", &[("A", -1)]).await;
    let reply = desk.adjust("k2", &[("A", -1)]).await;
    assert_eq!(reply["errors"][0]["extensions"]["code"], "THROTTLED");
    assert_eq!((desk.on_hand("A"), desk.shop.stats().throttled), (9, 1));
    let dear = desk.graphql("{ productVariants(first: 250) { nodes { product { id } inventoryItem { id } inventoryItem2: inventoryItem { id } } } }", &json!({})).await;
    assert_eq!(dear["errors"][0]["extensions"]["code"], "MAX_COST_EXCEEDED");
}

#[tokio::test]
async fn tokens_are_given_out_expire_and_are_taken_back() {
    let desk = Counter::open().await;
    let grant = async |secret: &str| {
        post(
            &desk.shop.url(),
            "/admin/oauth/access_token",
            &[],
            &format!("grant_type=client_credentials&client_id=stand-in-client&client_secret={secret}"),
        )
        .await
    };
    assert_eq!(grant("wrong").await.status, 401);
    let token = grant("stand-in-secret").await.json();
    assert_eq!(token["expires_in"], 86_399);
    let token = token["access_token"].as_str().unwrap().to_owned();
    let ask = async |token: &str| desk.ask_as(token, "{ shop { name } }", &json!({})).await.status;
    assert_eq!((ask(&token).await, ask("nobody").await), (200, 401));
    desk.shop.advance_clock(Duration::from_hours(24));
    assert_eq!((ask(&token).await, ask("stand-in-token").await), (401, 200));
    desk.shop.revoke_token(None);
    assert_eq!(ask("stand-in-token").await, 401);
}

/// Somebody who knows how to talk to the shop.
struct Counter {
    shop: StandInShop,
}

impl Counter {
    async fn open() -> Self {
        Self::with(ShopSettings::default()).await
    }

    /// With the real schema where there is one. Without it the requests go unchecked, and the test says so.
    async fn with(settings: ShopSettings) -> Self {
        let schema = if find_schema().is_some() { SchemaChoice::Find } else { SchemaChoice::Off };
        if schema == SchemaChoice::Off {
            eprintln!("no Shopify schema found: requests are not checked against it in this test");
        }
        let shop = StandInShop::start(ShopSettings { schema, ..settings }).await.unwrap();
        for sku in ["A", "B"] {
            shop.add_item(NewItem::stocked(sku, 10));
        }
        Self { shop }
    }

    fn on_hand(&self, sku: &str) -> i64 {
        self.shop.level(sku).unwrap().on_hand()
    }

    fn id(&self, sku: &str) -> String {
        let item = self.shop.items().into_iter().find(|item| item.given.sku == sku).unwrap();
        super::gid("InventoryItem", item.id)
    }

    fn input(&self, rows: &[(&str, i64)]) -> Value {
        let ids: std::collections::BTreeMap<&str, String> = rows.iter().map(|(sku, _)| (*sku, self.id(sku))).collect();
        let rows: Vec<Value> = rows
            .iter()
            .map(|(sku, delta)| json!({"inventoryItemId": ids[sku], "locationId": self.shop.location(), "delta": delta, "changeFromQuantity": null}))
            .collect();
        json!({"name": "available", "reason": "correction", "referenceDocumentUri": "gid://till/Batch/k1", "changes": rows})
    }

    async fn adjust(&self, key: &str, rows: &[(&str, i64)]) -> Value {
        self.graphql(ADJUST, &json!({"input": self.input(rows), "key": key})).await
    }

    async fn adjust_rows(&self, key: &str, rows: Value) -> Value {
        self.graphql(
            ADJUST,
            &json!({"input": {"name": "available", "reason": "correction", "changes": rows}, "key": key}),
        )
        .await
    }

    async fn raw_adjust(&self, key: &str) -> Got {
        self.ask_as("stand-in-token", ADJUST, &json!({"input": self.input(&[("A", -1)]), "key": key})).await
    }

    async fn set(&self, key: &str, name: &str, sku: &str, quantity: i64, from: Value) -> Value {
        let rows = json!([{"inventoryItemId": self.id(sku), "locationId": self.shop.location(), "quantity": quantity, "changeFromQuantity": from}]);
        self.graphql(SET, &json!({"input": {"name": name, "reason": "correction", "quantities": rows}, "key": key}))
            .await
    }

    async fn graphql(&self, query: &str, variables: &Value) -> Value {
        self.ask_as("stand-in-token", query, variables).await.json()
    }

    async fn ask_as(&self, token: &str, query: &str, variables: &Value) -> Got {
        let body = json!({"query": query, "variables": variables}).to_string();
        post(
            &self.shop.url(),
            "/admin/api/2026-10/graphql.json",
            &[("x-shopify-access-token", token), ("content-type", "application/json")],
            &body,
        )
        .await
    }

    #[track_caller]
    fn refused(&self, reply: &Value, code: &str, field: Value) {
        let errors = &reply["data"]["inventoryAdjustQuantities"]["userErrors"];
        let errors = if errors.is_array() { errors } else { &reply["data"]["inventorySetQuantities"]["userErrors"] };
        assert_eq!((&errors[0]["code"], &errors[0]["field"]), (&json!(code), &field), "{reply}");
    }
}
