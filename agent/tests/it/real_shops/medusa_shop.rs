//! A Medusa shop: seeded over its own API, with shoppers and a person who fulfils orders.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tillsync::platform::medusa::{Location, MedusaSettings};
use tillsync::platform::transport::HttpClient;
use tillsync::secret::SecretRef;

use super::web::{Answered, get, http, number, place, post, text, unique};

/// A sales channel and a stock location of its own.
pub(super) struct MedusaShop {
    pub(super) base: String,
    http: HttpClient,
    token: String,
    publishable: String,
    channel: String,
    region: String,
    pub(super) location: String,
    pub(super) location_name: String,
    profile: String,
    shipping: String,
    folder: tempfile::TempDir,
}

/// An article for sale.
#[derive(Debug, Clone)]
pub(super) struct Article {
    pub(super) sku: String,
    pub(super) product: String,
    pub(super) variant: String,
    pub(super) item: String,
}

/// Numbers of an item at our location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) stocked: i64,
    pub(super) reserved: i64,
    pub(super) incoming: i64,
}

impl MedusaShop {
    pub(super) async fn open() -> Option<Self> {
        let place = place("TILLSYNC_TEST_MEDUSA")?;
        let http = http();
        let login = json!({"email": place.user, "password": place.password});
        let session = post(&http, &format!("{}/auth/user/emailpass", place.base), &[], &login).await.good();
        let mut shop = Self {
            base: place.base,
            http,
            token: format!("Bearer {}", text(&session, "/token")),
            publishable: String::new(),
            channel: String::new(),
            region: String::new(),
            location: String::new(),
            location_name: unique("Store"),
            profile: String::new(),
            shipping: String::new(),
            folder: tempfile::tempdir().unwrap(),
        };
        shop.set_up().await;
        Some(shop)
    }

    async fn set_up(&mut self) {
        let name = unique("web");
        let key = self.admin("/admin/api-keys", json!({"title": name, "type": "secret"})).await;
        std::fs::write(self.key_path(), text(&key, "/api_key/token")).unwrap();
        self.channel = text(&self.admin("/admin/sales-channels", json!({"name": name})).await, "/sales_channel/id");
        let key = self.admin("/admin/api-keys", json!({"title": name, "type": "publishable"})).await;
        self.publishable = text(&key, "/api_key/token");
        let path = format!("/admin/api-keys/{}/sales-channels", text(&key, "/api_key/id"));
        self.admin(&path, json!({"add": [self.channel]})).await;
        self.region = self.region().await;
        let location = self.admin("/admin/stock-locations", json!({"name": self.location_name})).await;
        self.location = text(&location, "/stock_location/id");
        let at = format!("/admin/stock-locations/{}", self.location);
        self.admin(&format!("{at}/sales-channels"), json!({"add": [self.channel]})).await;
        self.admin(&format!("{at}/fulfillment-providers"), json!({"add": ["manual_manual"]})).await;
        self.admin(&format!("{at}/fulfillment-sets"), json!({"name": name, "type": "shipping"})).await;
        let sets = self.read(&format!("{at}?fields=*fulfillment_sets")).await.good();
        let set = text(&sets, "/stock_location/fulfillment_sets/0/id");
        let zone = json!({"name": name, "geo_zones": [{"type": "country", "country_code": "us"}]});
        let zones = self.admin(&format!("/admin/fulfillment-sets/{set}/service-zones"), zone).await;
        let zone = text(&zones, "/fulfillment_set/service_zones/0/id");
        self.profile = self.profile().await;
        let option = json!({
            "name": name, "service_zone_id": zone, "shipping_profile_id": self.profile, "provider_id": "manual_manual",
            "price_type": "flat", "type": {"label": "Standard", "description": "Standard", "code": "standard"},
            "prices": [{"currency_code": "usd", "amount": 0}], "rules": [],
        });
        self.shipping = text(&self.admin("/admin/shipping-options", option).await, "/shipping_option/id");
    }

    /// A country is in one region only, and other tests want it too.
    async fn region(&self) -> String {
        let region = json!({"name": "US", "currency_code": "usd", "countries": ["us"], "payment_providers": ["pp_system_default"]});
        let made = post(&self.http, &self.url("/admin/regions"), &self.login(), &region).await;
        if made.status < 300 {
            return text(&made.json, "/region/id");
        }
        let regions = self.read("/admin/regions").await.good();
        let ours = regions["regions"].as_array().unwrap().iter().find(|region| region["name"] == "US");
        text(ours.unwrap_or_else(|| panic!("{}", made.json)), "/id")
    }

    async fn profile(&self) -> String {
        let known = self.read("/admin/shipping-profiles").await.good();
        match known.pointer("/shipping_profiles/0/id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => {
                let made = self.admin("/admin/shipping-profiles", json!({"name": unique("p"), "type": "default"})).await;
                text(&made, "/shipping_profile/id")
            }
        }
    }

    fn key_path(&self) -> std::path::PathBuf {
        self.folder.path().join("key")
    }

    pub(super) fn key(&self) -> SecretRef {
        SecretRef::File(self.key_path())
    }

    pub(super) fn settings(&self) -> MedusaSettings {
        MedusaSettings::new(self.base.parse().unwrap(), Location::parse(&self.location), self.key())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn login(&self) -> [(&str, &str); 1] {
        [("authorization", &self.token)]
    }

    pub(super) async fn read(&self, path: &str) -> Answered {
        get(&self.http, &self.url(path), &self.login()).await
    }

    pub(super) async fn admin(&self, path: &str, body: Value) -> Value {
        post(&self.http, &self.url(path), &self.login(), &body).await.good()
    }

    async fn store(&self, path: &str, body: Value) -> Answered {
        let headers = [("x-publishable-api-key", self.publishable.as_str())];
        post(&self.http, &self.url(path), &headers, &body).await
    }

    /// The key's own login, for what the agent does by hand.
    pub(super) fn basic(&self) -> String {
        let key = std::fs::read_to_string(self.key_path()).unwrap();
        format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")))
    }

    /// A product with one variant; `more` are further fields of the variant.
    pub(super) async fn article(&self, more: Value) -> Article {
        let sku = unique("M");
        let mut variant = json!({
            "title": "M", "sku": sku, "manage_inventory": true, "options": {"Size": "M"},
            "prices": [{"currency_code": "usd", "amount": 5}],
        });
        for (name, value) in more.as_object().unwrap() {
            variant[name] = value.clone();
        }
        let product = json!({
            "title": sku, "status": "published", "shipping_profile_id": self.profile, "sales_channels": [{"id": self.channel}],
            "options": [{"title": "Size", "values": ["M"]}], "variants": [variant],
        });
        let made = self.admin("/admin/products", product).await;
        let items = self.read(&format!("/admin/inventory-items?sku={sku}")).await.good();
        let item = items.pointer("/inventory_items/0/id").and_then(Value::as_str).unwrap_or_default().to_owned();
        Article { sku, product: text(&made, "/product/id"), variant: text(&made, "/product/variants/0/id"), item }
    }

    /// The same, with this much of it at our location.
    pub(super) async fn stocked(&self, stocked: i64) -> Article {
        let article = self.article(json!({})).await;
        let level = json!({"location_id": self.location, "stocked_quantity": stocked});
        self.admin(&format!("/admin/inventory-items/{}/location-levels", article.item), level).await;
        article
    }

    pub(super) async fn stock(&self, item: &str) -> Stock {
        let levels = self.read(&format!("/admin/inventory-items/{item}/location-levels")).await.good();
        let here = levels["inventory_levels"].as_array().unwrap();
        let level = here.iter().find(|level| level["location_id"] == self.location.as_str()).unwrap();
        Stock {
            stocked: number(level, "/stocked_quantity"),
            reserved: number(level, "/reserved_quantity"),
            incoming: number(level, "/incoming_quantity"),
        }
    }

    /// Somebody writes the number in the admin.
    pub(super) async fn set(&self, item: &str, stocked: i64) {
        let path = format!("/admin/inventory-items/{item}/location-levels/{}", self.location);
        self.admin(&path, json!({"stocked_quantity": stocked})).await;
    }

    /// A shopper: the order's id, or why the shop refused.
    pub(super) async fn buy(&self, variant: &str, quantity: i64) -> Result<String, String> {
        let address = json!({
            "first_name": "A", "last_name": "B", "address_1": "1 Street", "city": "X", "country_code": "us",
            "province": "ca", "postal_code": "90001",
        });
        let cart = json!({
            "region_id": self.region, "sales_channel_id": self.channel, "email": "shopper@example.com",
            "shipping_address": address, "billing_address": address,
        });
        let cart = text(&self.store("/store/carts", cart).await.good(), "/cart/id");
        let line = json!({"variant_id": variant, "quantity": quantity});
        let added = self.store(&format!("/store/carts/{cart}/line-items"), line).await;
        if added.status >= 300 {
            return Err(format!("cart: {}", added.json["type"]));
        }
        self.store(&format!("/store/carts/{cart}/shipping-methods"), json!({"option_id": self.shipping})).await.good();
        let payment = self.store("/store/payment-collections", json!({"cart_id": cart})).await.good();
        let path = format!("/store/payment-collections/{}/payment-sessions", text(&payment, "/payment_collection/id"));
        self.store(&path, json!({"provider_id": "pp_system_default"})).await.good();
        let done = self.store(&format!("/store/carts/{cart}/complete"), json!({})).await;
        match done.json.pointer("/order/id").and_then(Value::as_str) {
            Some(order) => Ok(order.to_owned()),
            None => Err(format!("complete: {} {}", done.status, done.json["type"])),
        }
    }

    /// Somebody picks an order's first line: whether the shop took it.
    pub(super) async fn fulfil(&self, order: &str, quantity: i64) -> bool {
        let found = self.read(&format!("/admin/orders/{order}?fields=*items")).await.good();
        let line = text(&found, "/order/items/0/id");
        let body = json!({"location_id": self.location, "items": [{"id": line, "quantity": quantity}]});
        let path = self.url(&format!("/admin/orders/{order}/fulfillments"));
        post(&self.http, &path, &self.login(), &body).await.status < 300
    }
}
