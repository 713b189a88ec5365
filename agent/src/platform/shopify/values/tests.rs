//! The bytes of values, and the keys of their steps.

use sync_core::model::EntryId;

use super::*;
use crate::platform::shopify::{Auth, Location, ShopifySettings};
use crate::platform::transport::{TransportSettings, client};
use crate::secret::SecretRef;

fn shop() -> Arc<Shop> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let auth = Auth::StaticToken(SecretRef::Env("NO_SUCH_TOKEN".to_owned()));
    let settings = ShopifySettings::new("https://shop.example.com".parse().unwrap(), Location::parse("55"), auth);
    let clock = Arc::new(|| sync_core::model::Timestamp(0));
    Arc::new(Shop::new(settings, client(&TransportSettings::default()).unwrap(), clock))
}

fn value(item: &str, micros: i64) -> Change {
    Change {
        entry: EntryId(1),
        sku: Sku::from("A"),
        target: Some(Arc::new(Target { parts: vec![TargetPart { item: item.to_owned(), per: 1 }] })),
        delta: Quantity::from_micros(micros),
        units: 0,
        on_hand: None,
        transaction: None,
        sold_at: None,
        kind: "value",
    }
}

#[test]
fn a_price_is_a_decimal_number_of_its_variant_and_product() {
    let key = IdempotencyKey::from("k");
    let body = Prices::new(shop()).encode(&key, &[value("gid://v/5@gid://p/9", 12_500_000)]);
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body["variables"],
        serde_json::json!({"product": "gid://p/9", "variants": [{"id": "gid://v/5", "price": "12.5"}]})
    );
}

#[test]
fn goods_on_order_are_whole_and_never_negative() {
    let key = IdempotencyKey::from("k");
    let rows = [value("i/1", 3_900_000), value("i/2|v@p", -1_000_000)];
    let body = Incoming::new(shop()).encode(&key, &rows);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
        serde_json::json!({"incoming": [{"place": "i/1", "units": 3}, {"place": "i/2|v@p", "units": 0}]})
    );
}

#[test]
fn another_step_has_another_key() {
    let key = IdempotencyKey::from("k");
    let step = |now| [Step { place: "i", item: "i", now, due: 5 }];
    assert_eq!(step_key(&key, &step(1)), step_key(&key, &step(1)));
    assert_ne!(step_key(&key, &step(1)), step_key(&key, &step(2)));
    assert!(step_key(&IdempotencyKey::from("x".repeat(36).as_str()), &step(1)).len() <= 64);
}
