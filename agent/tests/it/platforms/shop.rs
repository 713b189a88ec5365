//! Shopify: tokens, budget, location, writes and their retries.

mod look_up;
mod standin;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::model::{EntryId, IdempotencyKey, Quantity, Sku};
use sync_core::outbox::verdict::{Answer, LaneRefusal};
use tillsync::platform::shopify::{Auth, Location, Shopify, ShopifySettings};
use tillsync::platform::{CallFailure, Change, Platform, Target, TargetPart};
use tillsync::secret::SecretRef;

use super::server::{Canned, Received, Server, clock, http, set_clock};

const LOCATION: &str = "gid://shopify/Location/55";

/// A shop whose secrets are files in a folder that lives as long as the test.
struct Kept(tempfile::TempDir);

impl Kept {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn secret(&self, name: &str, text: &str) -> SecretRef {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path)
    }

    fn settings(&self, server: &Server) -> ShopifySettings {
        let auth = Auth::StaticToken(self.secret("token", "token-1"));
        ShopifySettings::new(server.url.clone(), Location::parse(LOCATION), auth)
    }

    fn granted(&self, server: &Server) -> ShopifySettings {
        let auth =
            Auth::ClientCredentials { client_id: "id-1".to_owned(), client_secret: self.secret("client", "hush & co") };
        ShopifySettings { auth, ..self.settings(server) }
    }
}

fn applied() -> Canned {
    Canned::ok(r#"{"data":{"inventoryAdjustQuantities":{"inventoryAdjustmentGroup":{"id":"g-1"},"userErrors":[]}}}"#)
}

fn grant(token: &str, seconds: u64) -> Canned {
    Canned::ok(json!({"access_token": token, "scope": "", "expires_in": seconds}).to_string())
}

fn change() -> Change {
    Change {
        entry: EntryId(1),
        sku: Sku::from("A"),
        target: Some(Arc::new(Target { parts: vec![TargetPart { item: item(1), per: 1 }] })),
        delta: Quantity::from_units(-1).unwrap(),
        units: -1,
        on_hand: None,
        transaction: None,
        sold_at: None,
        kind: "sale",
    }
}

fn item(number: u32) -> String {
    format!("gid://shopify/InventoryItem/{number}")
}

async fn push(shop: &Shopify) -> Answer {
    let key = IdempotencyKey::from("key-1");
    shop.send(&key, shop.encode(&key, &[change()]).into()).await
}

fn token_of(request: &Received) -> Option<&str> {
    request.header("x-shopify-access-token")
}

#[tokio::test]
async fn a_write_carries_token_and_frozen_bytes() {
    let server = Server::with([applied(), Canned::Cut, applied()]).await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.settings(&server), http(), clock());
    assert_eq!(push(&shop).await, Answer::Applied { reference: Some("g-1".to_owned()) });
    assert!(matches!(push(&shop).await, Answer::Unknown { .. }));
    assert!(matches!(push(&shop).await, Answer::Applied { .. }));
    let received = server.received();
    assert_eq!(received[0].path(), "/admin/api/2026-10/graphql.json");
    assert_eq!(token_of(&received[0]), Some("token-1"));
    assert_eq!(received[0].json()["variables"]["key"], "key-1");
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(received[0].body, received[2].body);
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_before_it_ends() {
    let server = Server::start({
        let mut grants = 0;
        move |request| {
            if request.path() == "/admin/oauth/access_token" {
                grants += 1;
                return grant(&format!("granted-{grants}"), 86_399);
            }
            applied()
        }
    })
    .await;
    let kept = Kept::new();
    let offset = Arc::new(Mutex::new(Duration::ZERO));
    let shop = Shopify::new(kept.granted(&server), http(), set_clock(&offset));
    let (one, two) = tokio::join!(push(&shop), push(&shop));
    assert!(matches!((one, two), (Answer::Applied { .. }, Answer::Applied { .. })));
    *offset.lock().unwrap() = Duration::from_secs(86_399 - 301);
    push(&shop).await;
    *offset.lock().unwrap() = Duration::from_secs(86_399 - 299);
    push(&shop).await;

    let received = server.received();
    let grants: Vec<&Received> = received.iter().filter(|r| r.path() == "/admin/oauth/access_token").collect();
    assert_eq!(grants.len(), 2);
    let form = String::from_utf8(grants[0].body.clone()).unwrap();
    assert_eq!(form, "grant_type=client_credentials&client_id=id-1&client_secret=hush+%26+co");
    let tokens: Vec<Option<&str>> =
        received.iter().filter(|r| r.path() != "/admin/oauth/access_token").map(token_of).collect();
    assert_eq!(tokens, [Some("granted-1"), Some("granted-1"), Some("granted-1"), Some("granted-2")]);
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_once() {
    let unauthorised = || Canned::Reply(401, "", r#"{"errors":"[API] Invalid API key or access token"}"#.to_owned());
    let server = Server::with([
        grant("granted-1", 86_399),
        unauthorised(),
        grant("granted-2", 86_399),
        applied(),
        unauthorised(),
        grant("granted-3", 86_399),
        unauthorised(),
    ])
    .await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.granted(&server), http(), clock());
    assert!(matches!(push(&shop).await, Answer::Applied { .. }));
    let received = server.received();
    assert_eq!(received[1].body, received[3].body);
    assert_eq!(token_of(&received[3]), Some("granted-2"));
    assert!(matches!(push(&shop).await, Answer::LaneRefused { cause: LaneRefusal::Unauthorised, .. }));
    assert_eq!(server.received().len(), 7);
}

#[tokio::test]
async fn a_static_token_is_sent_again_only_if_its_file_has_changed() {
    let server = Server::start(|request| match token_of(request) {
        Some("token-2") => applied(),
        _ => Canned::Reply(401, "", String::new()),
    })
    .await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.settings(&server), http(), clock());
    assert!(matches!(push(&shop).await, Answer::LaneRefused { cause: LaneRefusal::Unauthorised, .. }));
    assert_eq!(server.received().len(), 1);
    kept.secret("token", "token-2");
    assert!(matches!(push(&shop).await, Answer::Applied { .. }));
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_grant_that_is_refused_says_so_and_keeps_the_secret() {
    let server = Server::with([
        Canned::Reply(400, "", "<html>Oauth error application_cannot_be_found</html>".to_owned()),
        Canned::Reply(503, "retry-after: 9\r\n", String::new()),
        Canned::ok(r#"{"access_token":"sneaky"}"#),
    ])
    .await;
    let kept = Kept::new();
    let settings = kept.granted(&server);
    assert!(!format!("{settings:?}").contains("hush"));
    let shop = Shopify::new(settings, http(), clock());
    let refused = push(&shop).await;
    assert!(matches!(refused, Answer::LaneRefused { cause: LaneRefusal::Unauthorised, .. }), "{refused:?}");
    assert!(!format!("{refused:?}").contains("hush"));
    let wait = Some(Duration::from_secs(9));
    assert!(matches!(push(&shop).await, Answer::Unavailable { wait: w, .. } if w == wait));
    let odd = push(&shop).await;
    assert!(matches!(odd, Answer::Unavailable { .. }) && !format!("{odd:?}").contains("sneaky"), "{odd:?}");
}

#[tokio::test]
async fn a_named_location_is_resolved_once_and_must_be_the_only_one() {
    let page = |nodes: Value, next: Option<&str>| {
        Canned::ok(
            json!({"data": {"locations": {"nodes": nodes,
            "pageInfo": {"hasNextPage": next.is_some(), "endCursor": next}}}})
            .to_string(),
        )
    };
    let node = |number: u32, name: &str| json!({"id": format!("gid://shopify/Location/{number}"), "name": name, "isActive": true});
    let server = Server::with([
        page(json!([node(1, "Main"), node(2, "main street")]), Some("c")),
        page(json!([node(3, "Main Street")]), None),
        applied(),
        applied(),
    ])
    .await;
    let kept = Kept::new();
    let named = |server: &Server| ShopifySettings { location: Location::parse("Main Street"), ..kept.settings(server) };
    let shop = Shopify::new(named(&server), http(), clock());
    push(&shop).await;
    push(&shop).await;
    let received = server.received();
    assert_eq!(received[2].json()["variables"]["input"]["changes"][0]["locationId"], "gid://shopify/Location/3");
    assert_eq!(received[2].body, received[3].body);

    let server =
        Server::with([page(json!([node(1, "Main Street"), node(2, "Main Street")]), None), page(json!([]), None)])
            .await;
    let shop = Shopify::new(named(&server), http(), clock());
    for expected in ["several locations", "no location named `Main Street`"] {
        let Answer::LaneRefused { cause: LaneRefusal::Misconfigured, detail } = push(&shop).await else {
            panic!("{expected}")
        };
        assert!(detail.contains(expected), "{detail}");
    }
}

#[tokio::test]
async fn an_empty_bucket_is_waited_for_before_sending() {
    let told = |available: u32| {
        Canned::ok(format!(
            r#"{{"data":{{"inventoryAdjustQuantities":{{"inventoryAdjustmentGroup":null,"userErrors":[]}}}},
            "extensions":{{"cost":{{"requestedQueryCost":20,"actualQueryCost":20,
            "throttleStatus":{{"maximumAvailable":1000.0,"currentlyAvailable":{available},"restoreRate":200.0}}}}}}}}"#
        ))
    };
    let server = Server::with([told(0), told(500)]).await;
    let kept = Kept::new();
    let start = tokio::time::Instant::now();
    let clock = Arc::new(move || super::server::NOW.plus(start.elapsed()));
    let shop = Shopify::new(kept.settings(&server), http(), clock);
    push(&shop).await;
    let before = tokio::time::Instant::now();
    push(&shop).await;
    // 20 points at 200 a second.
    assert!(before.elapsed() >= Duration::from_millis(80), "{:?}", before.elapsed());
}

#[tokio::test]
async fn a_probe_names_what_is_missing() {
    let report = |location: Value, scopes: &[&str]| {
        let scopes: Vec<Value> = scopes.iter().map(|handle| json!({"handle": handle})).collect();
        Canned::ok(
            json!({"data": {"shop": {"name": "Harbour", "myshopifyDomain": "harbour.myshopify.com"},
            "location": location, "currentAppInstallation": {"accessScopes": scopes}}})
            .to_string(),
        )
    };
    let here = |active: bool| json!({"id": LOCATION, "name": "Quay", "isActive": active});
    let server = Server::with([
        report(here(true), &["write_products", "write_inventory", "read_locations"]),
        report(here(false), &["read_products", "read_inventory"]),
        report(Value::Null, &["read_products", "write_inventory", "read_locations"]),
        Canned::Reply(402, "", r#"{"errors":"Unavailable Shop"}"#.to_owned()),
    ])
    .await;
    let kept = Kept::new();
    let shop = Shopify::new(kept.settings(&server), http(), clock());
    let good = shop.probe().await.unwrap();
    assert_eq!(good.faults, Vec::<String>::new());
    assert!(good.facts.contains(&("shop".to_owned(), "Harbour (harbour.myshopify.com)".to_owned())));
    let bad = shop.probe().await.unwrap().faults.join("\n");
    for expected in ["`Quay` is not active", "write_inventory", "read_locations"] {
        assert!(bad.contains(expected), "{bad}");
    }
    assert!(shop.probe().await.unwrap().faults[0].contains(LOCATION));
    let closed = shop.probe().await.unwrap_err();
    assert!(matches!(closed, CallFailure::LaneRefused { cause: LaneRefusal::ShopClosed, .. }), "{closed:?}");
}
