//! A Vendure shop: seeded over its own API, with shoppers and a person who fulfils orders.

use std::fs::File;

use serde_json::{Value, json};
use tillsync::platform::transport::HttpClient;
use tillsync::platform::vendure::VendureSettings;
use tillsync::secret::SecretRef;

use super::web::{Answered, http, number, place, post, text, unique};

/// What the agent's role may do, and all that it needs.
pub(super) const PERMISSIONS: [&str; 4] = ["ReadProduct", "UpdateProduct", "ReadStockLocation", "ReadOrder"];

pub(super) struct VendureShop {
    pub(super) base: String,
    http: HttpClient,
    token: String,
    pub(super) location: String,
    folder: tempfile::TempDir,
}

/// An article for sale.
#[derive(Debug, Clone)]
pub(super) struct Article {
    pub(super) sku: String,
    pub(super) variant: String,
}

/// Numbers of a variant at the first location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) on_hand: i64,
    pub(super) allocated: i64,
}

impl VendureShop {
    pub(super) async fn open() -> Option<Self> {
        let place = place("TILLSYNC_TEST_VENDURE")?;
        let http = http();
        let login = json!({
            "query": "mutation($u:String!,$p:String!){login(username:$u,password:$p){__typename}}",
            "variables": {"u": place.user, "p": place.password},
        });
        let answered = post(&http, &format!("{}/admin-api", place.base), &[], &login).await;
        let token = answered.headers.get("vendure-auth-token").unwrap().to_str().unwrap();
        let mut shop = Self {
            base: place.base,
            token: format!("Bearer {token}"),
            http,
            location: String::new(),
            folder: tempfile::tempdir().unwrap(),
        };
        shop.set_up().await;
        Some(shop)
    }

    async fn set_up(&mut self) {
        let name = self.base.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        // Tests are processes, and the shop's country must be made by one of them.
        let gate = File::create(std::env::temp_dir().join(format!("tillsync-test-{name}.lock"))).unwrap();
        gate.lock().unwrap();
        if number(&self.admin("{countries{totalItems}}", json!({})).await, "/countries/totalItems") == 0 {
            self.open_for_business().await;
        }
        drop(gate);
        let locations = self.admin("{stockLocations{items{id}}}", json!({})).await;
        self.location = text(&locations, "/stockLocations/items/0/id");
        let key = self.new_key(&PERMISSIONS).await;
        std::fs::write(self.folder.path().join("key"), key).unwrap();
    }

    /// A country, a tax rate, a way to ship and a way to pay.
    async fn open_for_business(&self) {
        let country = "mutation{createCountry(input:{code:\"US\",enabled:true,translations:[{languageCode:en,name:\"US\"}]}){id}}";
        let country = text(&self.admin(country, json!({})).await, "/createCountry/id");
        let zone = "mutation($c:ID!){createZone(input:{name:\"US\",memberIds:[$c]}){id}}";
        let zone = text(&self.admin(zone, json!({"c": country})).await, "/createZone/id");
        let category = "mutation{createTaxCategory(input:{name:\"standard\",isDefault:true}){id}}";
        let category = text(&self.admin(category, json!({})).await, "/createTaxCategory/id");
        let rate = "mutation($z:ID!,$t:ID!){createTaxRate(input:{name:\"none\",enabled:true,value:0,categoryId:$t,zoneId:$z}){id}}";
        self.admin(rate, json!({"z": zone, "t": category})).await;
        let channel =
            "mutation($z:ID!){updateChannel(input:{id:1,defaultTaxZoneId:$z,defaultShippingZoneId:$z}){__typename}}";
        self.admin(channel, json!({"z": zone})).await;
        let shipping = "mutation{createShippingMethod(input:{code:\"standard\",fulfillmentHandler:\"manual-fulfillment\",\
            checker:{code:\"default-shipping-eligibility-checker\",arguments:[{name:\"orderMinimum\",value:\"0\"}]},\
            calculator:{code:\"default-shipping-calculator\",arguments:[{name:\"rate\",value:\"0\"},{name:\"taxRate\",value:\"0\"},{name:\"includesTax\",value:\"auto\"}]},\
            translations:[{languageCode:en,name:\"standard\",description:\"\"}]}){id}}";
        self.admin(shipping, json!({})).await;
        let payment = "mutation{createPaymentMethod(input:{code:\"always\",enabled:true,\
            handler:{code:\"dummy-payment-handler\",arguments:[{name:\"automaticSettle\",value:\"true\"}]},\
            translations:[{languageCode:en,name:\"always\",description:\"\"}]}){id}}";
        self.admin(payment, json!({})).await;
    }

    /// An API key of a new role with these permissions.
    pub(super) async fn new_key(&self, permissions: &[&str]) -> String {
        let role =
            "mutation($c:String!,$p:[Permission!]!){createRole(input:{code:$c,description:$c,permissions:$p}){id}}";
        let role = self.admin(role, json!({"c": unique("role"), "p": permissions})).await;
        let key = "mutation($r:[ID!]!){createApiKey(input:{roleIds:$r,translations:[{languageCode:en,name:\"agent\"}]}){apiKey}}";
        text(&self.admin(key, json!({"r": [text(&role, "/createRole/id")]})).await, "/createApiKey/apiKey")
    }

    pub(super) fn key(&self) -> SecretRef {
        SecretRef::File(self.folder.path().join("key"))
    }

    pub(super) fn settings(&self) -> VendureSettings {
        VendureSettings::new(format!("{}/admin-api", self.base).parse().unwrap(), self.key())
    }

    /// An administrator's question.
    pub(super) async fn admin(&self, query: &str, variables: Value) -> Value {
        let headers = [("authorization", self.token.as_str())];
        let body = json!({"query": query, "variables": variables});
        let answered = post(&self.http, &format!("{}/admin-api", self.base), &headers, &body).await;
        assert!(answered.json.get("errors").is_none(), "{query}: {}", answered.json);
        answered.json["data"].clone()
    }

    async fn shop(&self, session: Option<&str>, query: &str, variables: Value) -> Answered {
        let headers: Vec<(&str, &str)> = session.map(|session| ("authorization", session)).into_iter().collect();
        post(&self.http, &format!("{}/shop-api", self.base), &headers, &json!({"query": query, "variables": variables}))
            .await
    }

    /// A product with one variant of which there is this much; `more` are further fields of the variant.
    pub(super) async fn article(&self, on_hand: i64, more: Value) -> Article {
        let sku = unique("V");
        let product = "mutation($n:String!){createProduct(input:{translations:[{languageCode:en,name:$n,slug:$n,description:\"\"}]}){id}}";
        let product = text(&self.admin(product, json!({"n": sku})).await, "/createProduct/id");
        let mut input = json!({
            "productId": product, "sku": sku, "price": 500, "trackInventory": "TRUE", "stockOnHand": on_hand,
            "translations": [{"languageCode": "en", "name": sku}],
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let sku = text(&input, "/sku");
        let made = "mutation($i:[CreateProductVariantInput!]!){createProductVariants(input:$i){id}}";
        let made = self.admin(made, json!({"i": [input]})).await;
        Article { sku, variant: text(&made, "/createProductVariants/0/id") }
    }

    pub(super) async fn stocked(&self, on_hand: i64) -> Article {
        self.article(on_hand, json!({})).await
    }

    pub(super) async fn stock(&self, variant: &str) -> Stock {
        let query = "query($v:ID!){productVariant(id:$v){stockLevels{stockOnHand stockAllocated}}}";
        let found = self.admin(query, json!({"v": variant})).await;
        let level = &found["productVariant"]["stockLevels"][0];
        Stock { on_hand: number(level, "/stockOnHand"), allocated: number(level, "/stockAllocated") }
    }

    /// What the log of movements says is on hand, and how many adjustments are in it.
    pub(super) async fn logged(&self, variant: &str) -> (i64, i64) {
        let query = "query($v:ID!){productVariant(id:$v){stockMovements(options:{take:500}){items{...on StockMovement{type quantity}}}}}";
        let found = self.admin(query, json!({"v": variant})).await;
        let (mut on_hand, mut adjustments) = (0, 0);
        for entry in found["productVariant"]["stockMovements"]["items"].as_array().unwrap() {
            let kind = entry["type"].as_str().unwrap();
            if !matches!(kind, "ALLOCATION" | "RELEASE") {
                on_hand += number(entry, "/quantity");
            }
            adjustments += i64::from(kind == "ADJUSTMENT");
        }
        (on_hand, adjustments)
    }

    /// Somebody writes the number in the admin.
    pub(super) async fn set(&self, variant: &str, on_hand: i64) {
        let query = "mutation($v:ID!,$q:Int!){updateProductVariants(input:[{id:$v,stockOnHand:$q}]){id}}";
        self.admin(query, json!({"v": variant, "q": on_hand})).await;
    }

    /// A shopper: the order's id, or why the shop refused.
    pub(super) async fn buy(&self, variant: &str, quantity: i64) -> Result<String, String> {
        let add = "mutation($v:ID!,$q:Int!){addItemToOrder(productVariantId:$v,quantity:$q){__typename ...on ErrorResult{errorCode}}}";
        let added = self.shop(None, add, json!({"v": variant, "q": quantity})).await;
        let refusal = |answer: &Value| {
            let code =
                answer.pointer("/data").and_then(|data| data.as_object()?.values().next()?.get("errorCode").cloned());
            code.or_else(|| answer.get("errors").cloned()).map(|code| code.to_string())
        };
        if let Some(refusal) = refusal(&added.json) {
            return Err(format!("cart: {refusal}"));
        }
        let session = format!("Bearer {}", added.headers.get("vendure-auth-token").unwrap().to_str().unwrap());
        let mail = format!("{}@example.com", unique("shopper"));
        let steps = [
            (
                "mutation($m:String!){setCustomerForOrder(input:{firstName:\"A\",lastName:\"B\",emailAddress:$m}){__typename ...on ErrorResult{errorCode}}}",
                json!({"m": mail}),
            ),
            (
                "mutation{setOrderShippingAddress(input:{fullName:\"A\",streetLine1:\"1\",city:\"X\",postalCode:\"1\",countryCode:\"US\"}){__typename ...on ErrorResult{errorCode}}}",
                json!({}),
            ),
            (
                "mutation($s:[ID!]!){setOrderShippingMethod(shippingMethodId:$s){__typename ...on ErrorResult{errorCode}}}",
                json!({"s": [self.shipping(&session).await]}),
            ),
            (
                "mutation{transitionOrderToState(state:\"ArrangingPayment\"){__typename ...on ErrorResult{errorCode}}}",
                json!({}),
            ),
        ];
        for (query, variables) in steps {
            let done = self.shop(Some(&session), query, variables).await;
            if let Some(refusal) = refusal(&done.json) {
                return Err(format!("checkout: {refusal}"));
            }
        }
        let pay = "mutation{addPaymentToOrder(input:{method:\"always\",metadata:{}}){__typename ...on Order{id} ...on ErrorResult{errorCode}}}";
        let paid = self.shop(Some(&session), pay, json!({})).await;
        match paid.json.pointer("/data/addPaymentToOrder/id").and_then(Value::as_str) {
            Some(order) => Ok(order.to_owned()),
            None => Err(format!("payment: {}", paid.json)),
        }
    }

    async fn shipping(&self, session: &str) -> String {
        let methods = self.shop(Some(session), "{eligibleShippingMethods{id}}", json!({})).await;
        text(&methods.json, "/data/eligibleShippingMethods/0/id")
    }

    /// Somebody picks an order's first line: the fulfilment's id, if the shop took it.
    pub(super) async fn fulfil(&self, order: &str, quantity: i64) -> Option<String> {
        let found = self.admin("query($o:ID!){order(id:$o){lines{id}}}", json!({"o": order})).await;
        let line = text(&found, "/order/lines/0/id");
        let query = "mutation($l:ID!,$q:Int!){addFulfillmentToOrder(input:{lines:[{orderLineId:$l,quantity:$q}],\
            handler:{code:\"manual-fulfillment\",arguments:[{name:\"method\",value:\"van\"},{name:\"trackingCode\",value:\"1\"}]}})\
            {__typename ...on Fulfillment{id} ...on ErrorResult{errorCode}}}";
        let made = self.admin(query, json!({"l": line, "q": quantity})).await;
        made.pointer("/addFulfillmentToOrder/id").and_then(Value::as_str).map(str::to_owned)
    }

    /// The parcel leaves.
    pub(super) async fn ship(&self, fulfilment: &str) {
        let query = "mutation($f:ID!){transitionFulfillmentToState(id:$f,state:\"Shipped\"){__typename}}";
        self.admin(query, json!({"f": fulfilment})).await;
    }
}
