//! The stand-in's own rules, over a real connection.

use serde_json::{Value, json};

use super::{AdobeSettings, StandInAdobe};
use crate::decimal::Decimal;
use crate::raw_http::{Got, request};

const TOKEN: &str = "stand-in-bearer";

async fn open(settings: AdobeSettings) -> StandInAdobe {
    let site = StandInAdobe::start(AdobeSettings { bearer: Some(TOKEN.to_owned()), ..settings }).await.unwrap();
    site.add_item("TEA", 5);
    site
}

async fn ask(site: &StandInAdobe, method: &str, path: &str, body: &str) -> Got {
    let proof = format!("Bearer {TOKEN}");
    request(method, &site.url(), &format!("/rest/V1/{path}"), &[("authorization", &proof)], body).await
}

fn rows(count: usize) -> String {
    let row = |n: usize| json!({"sku": format!("S{n}"), "source_code": "main-street", "quantity": 1, "status": 1});
    json!({"sourceItems": (0..count).map(row).collect::<Vec<Value>>()}).to_string()
}

#[tokio::test]
async fn a_number_is_written_over_whatever_was_there() {
    let site = open(AdobeSettings::default()).await;
    let body = json!({"sourceItems": [{"sku": "TEA", "source_code": "main-street", "quantity": 3, "status": 1}]});
    for _ in 0..2 {
        let got = ask(&site, "POST", "inventory/source-items", &body.to_string()).await;
        assert_eq!((got.status, got.json()), (200, json!([])));
    }
    assert_eq!(site.quantity("TEA"), Some(Decimal::units(3)));
    assert_eq!(site.arrivals().len(), 1);
}

#[tokio::test]
async fn one_invalid_row_leaves_all_undone_and_long_lists_are_refused() {
    let site = open(AdobeSettings::default()).await;
    let body = json!({"sourceItems": [{"sku": "TEA", "source_code": "main-street", "quantity": 3, "status": 1},
        {"sku": "TEA", "source_code": "nowhere", "quantity": 3, "status": 1}]});
    let got = ask(&site, "POST", "inventory/source-items", &body.to_string()).await;
    assert_eq!((got.status, &got.json()["message"]), (400, &json!("Validation Failed")));
    assert_eq!(site.quantity("TEA"), Some(Decimal::units(5)));
    assert_eq!(ask(&site, "POST", "inventory/source-items", &rows(21)).await.status, 400);
    let site = open(AdobeSettings { items_max: None, ..AdobeSettings::default() }).await;
    assert_eq!(ask(&site, "POST", "inventory/source-items", &rows(21)).await.status, 200);
    assert_eq!(site.stats().orphans, 21);
}

#[tokio::test]
async fn nobody_gets_in_without_proof_or_the_right() {
    let site = open(AdobeSettings { resources: Vec::new(), ..AdobeSettings::default() }).await;
    let got = request("GET", &site.url(), "/rest/V1/inventory/source-items", &[], "").await;
    assert_eq!(got.status, 401);
    assert_eq!(ask(&site, "GET", "inventory/source-items?searchCriteria[pageSize]=1", "").await.status, 401);
    assert_eq!(site.stats().unauthorised, 1);
}

#[tokio::test]
async fn behind_the_last_page_the_last_page_comes_again() {
    let site = open(AdobeSettings::default()).await;
    site.add_item("COFFEE", 1);
    for page in [2, 3] {
        let path = format!("inventory/source-items?searchCriteria[pageSize]=1&searchCriteria[currentPage]={page}");
        let got = ask(&site, "GET", &path, "").await.json();
        assert_eq!((&got["items"][0]["sku"], &got["total_count"]), (&json!("TEA"), &json!(2)));
    }
}
