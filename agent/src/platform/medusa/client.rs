//! The connection to one shop: key, location, one request at a time per call.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRefusal, RowRemedy};
use tokio::sync::OnceCell;

use super::classify::classify;
use super::map::{Frozen, FrozenRow, Location, at, freeze, json};
use super::values::{Incoming, Prices};
use super::wire::{ITEM_FIELDS, Items, LOCATION_FIELDS, LevelBatch, LevelUpdate, Locations, STORE_FIELDS, Stores};
use super::{MedusaSettings, ROWS_MAX};
use crate::platform::transport::status::{answer_not_made, failure_by_status, failure_unreached, refusal_detail, said};
use crate::platform::transport::{HttpClient, REPLY_BYTES_MAX, Reply, Unreached, WallClock};
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, LevelPage, Number, OrderPage, OrdersSince, Platform, ProbeReport,
    ReadBack, Seen, Traits,
};
use crate::secret::{HeldSecret, Secret};

/// Items of one reading: their ids stand in the address.
const READ_MAX: usize = 100;
/// Locations of one page, and most pages.
const LOCATIONS_PAGE: usize = 100;
const LOCATION_PAGES_MAX: usize = 20;

/// One shop, one location.
pub struct Medusa {
    pub(super) link: Arc<Link>,
}

/// What the lanes of one shop share.
pub(super) struct Link {
    pub(super) settings: MedusaSettings,
    http: HttpClient,
    pub(super) clock: WallClock,
    key: HeldSecret,
    location: OnceCell<String>,
    currency: OnceCell<String>,
}

/// Pairs of a query.
pub(super) type Query<'a> = Vec<(&'static str, &'a str)>;

impl Medusa {
    /// Opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(settings: MedusaSettings, http: HttpClient, clock: WallClock) -> Self {
        let key = HeldSecret::new(settings.key.clone());
        Self {
            link: Arc::new(Link { settings, http, clock, key, location: OnceCell::new(), currency: OnceCell::new() }),
        }
    }
}

impl Link {
    /// One request. A 401 has no effect at the shop, so it goes out once more if there is another key.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &Query<'_>,
        body: Option<Vec<u8>>,
    ) -> Result<Result<Reply, Unreached>, CallFailure> {
        let key = self.key.value().map_err(unreadable)?;
        let outcome = self.once(&key, &method, path, query, body.clone()).await;
        if outcome.as_ref().is_ok_and(|reply| reply.status == 401)
            && let Some(key) = self.key.value_after_refusal(&key).map_err(unreadable)?
        {
            return Ok(self.once(&key, &method, path, query, body).await);
        }
        Ok(outcome)
    }

    async fn once(
        &self,
        key: &Secret,
        method: &Method,
        path: &[&str],
        query: &Query<'_>,
        body: Option<Vec<u8>>,
    ) -> Result<Reply, Unreached> {
        let mut url = self.settings.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("admin").extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        // A secret key is the user name of Basic authentication; as a Bearer token it is refused (seen).
        let login = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:", key.expose())));
        let mut login = HeaderValue::from_str(&login)
            .map_err(|_| Unreached::NotSent("the key contains characters that no header can carry".to_owned()))?;
        login.set_sensitive(true);
        let mut request = self
            .http
            .request(method.clone(), url)
            .timeout(self.settings.request_timeout)
            .header("accept", HeaderValue::from_static("application/json"))
            .header("authorization", login);
        if let Some(body) = body {
            request = request.header("content-type", HeaderValue::from_static("application/json")).body(body);
        }
        self.http.exchange(request, REPLY_BYTES_MAX).await
    }

    /// A read.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &Query<'_>) -> Result<T, CallFailure> {
        let reply = self.call(Method::GET, path, query, None).await?.map_err(failure_unreached)?;
        match failure_by_status(&reply, (self.clock)()) {
            Some(failure) => Err(failure),
            None => serde_json::from_slice(&reply.body).map_err(|error| CallFailure::Passing {
                wait: None,
                reason: format!("the reply cannot be read ({error}): {}", said(&reply)),
            }),
        }
    }

    /// A write.
    pub(super) async fn post<T: Serialize>(&self, path: &[&str], body: &T, items: &[&str]) -> Answer {
        match self.call(Method::POST, path, &Vec::new(), Some(json(body))).await {
            Ok(outcome) => classify(&outcome, items, (self.clock)()),
            Err(failure) => answer_not_made(failure),
        }
    }

    /// The location's id, looked up by its name if need be, once.
    pub(super) async fn location(&self) -> Result<&str, CallFailure> {
        match &self.settings.location {
            Location::Id(id) => Ok(id),
            Location::Name(name) => {
                self.location.get_or_try_init(|| self.find_location(name)).await.map(String::as_str)
            }
        }
    }

    async fn find_location(&self, name: &str) -> Result<String, CallFailure> {
        let found: Vec<String> =
            self.locations().await?.into_iter().filter(|(_, found)| found == name).map(|(id, _)| id).collect();
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(misconfigured(format!("the shop has no stock location named `{name}`"))),
            several => Err(misconfigured(format!(
                "several stock locations are named `{name}`, use one of {}",
                several.join(", ")
            ))),
        }
    }

    /// The currency of our prices: the configured one, or the shop's default, looked up once.
    pub(super) async fn currency(&self) -> Result<&str, CallFailure> {
        match &self.settings.currency {
            Some(currency) => Ok(currency),
            None => self.currency.get_or_try_init(|| self.default_currency()).await.map(String::as_str),
        }
    }

    async fn default_currency(&self) -> Result<String, CallFailure> {
        let stores: Stores = self.get(&["stores"], &vec![("fields", STORE_FIELDS)]).await?;
        let currencies = stores.stores.into_iter().flat_map(|store| store.supported_currencies);
        let default = currencies.into_iter().find(|currency| currency.is_default);
        default
            .map(|currency| currency.currency_code)
            .ok_or_else(|| misconfigured("the shop has no default currency; set `currency`".to_owned()))
    }

    /// Id and name of every stock location.
    async fn locations(&self) -> Result<Vec<(String, String)>, CallFailure> {
        let mut all = Vec::new();
        let limit = LOCATIONS_PAGE.to_string();
        for _ in 0..LOCATION_PAGES_MAX {
            let offset = all.len().to_string();
            let query = vec![("fields", LOCATION_FIELDS), ("limit", &limit), ("offset", &offset), ("order", "id")];
            let page: Locations = self.get(&["stock-locations"], &query).await?;
            let got = page.stock_locations.len();
            all.extend(page.stock_locations.into_iter().map(|location| (location.id, location.name)));
            if got == 0 || all.len() >= page.count {
                break;
            }
        }
        Ok(all)
    }

    /// The number of each item at our location: `None` if the item is gone, the inner one if it is not stocked here.
    pub(super) async fn stocked(&self, items: &[&str]) -> Result<Vec<Option<Option<i64>>>, CallFailure> {
        let location = self.location().await?;
        let mut numbers = Vec::with_capacity(items.len());
        for chunk in items.chunks(READ_MAX) {
            let limit = chunk.len().to_string();
            let mut query: Query<'_> = vec![("fields", ITEM_FIELDS), ("limit", &limit)];
            query.extend(chunk.iter().map(|item| ("id[]", *item)));
            let page: Items = self.get(&["inventory-items"], &query).await?;
            numbers.extend(chunk.iter().map(|id| {
                page.inventory_items.iter().find(|item| item.id == *id).map(|item| at(&item.location_levels, location))
            }));
        }
        Ok(numbers)
    }

    /// Writes what was frozen, unless a number is no longer the one that it was worked out from.
    async fn send_frozen(&self, frozen: &[u8]) -> Answer {
        let Ok(Frozen { rows }) = serde_json::from_slice::<Frozen>(frozen) else {
            return Answer::NeedsAbsolute { reason: "Medusa takes numbers only".to_owned() };
        };
        let items: Vec<&str> = rows.iter().map(|row| row.inventory_item_id.as_str()).collect();
        let (location, now) = match self.location().await {
            Ok(location) => match self.stocked(&items).await {
                Ok(numbers) => (location, numbers),
                Err(failure) => return answer_not_made(failure),
            },
            Err(failure) => return answer_not_made(failure),
        };
        let gone: Vec<RowRefusal> = rows
            .iter()
            .zip(&now)
            .filter(|(_, number)| number.flatten().is_none())
            .map(|(row, number)| refused(row, number.is_some()))
            .collect();
        if !gone.is_empty() {
            return Answer::RowsRefused { rows: gone };
        }
        if rows.iter().zip(&now).any(|(row, number)| number.flatten() != Some(row.expected)) {
            return Answer::Stale;
        }
        let update: Vec<LevelUpdate<'_>> = rows
            .iter()
            .filter(|row| row.stocked_quantity != row.expected)
            .map(|row| LevelUpdate {
                inventory_item_id: &row.inventory_item_id,
                location_id: location,
                stocked_quantity: Some(row.stocked_quantity),
                incoming_quantity: None,
            })
            .collect();
        if update.is_empty() {
            return Answer::Applied { reference: None };
        }
        self.post(&["inventory-items", "location-levels", "batch"], &LevelBatch { update }, &items).await
    }

    async fn seen(&self, question: &ReadBack) -> Result<Vec<Seen>, CallFailure> {
        let items: Vec<&str> = question.items.iter().map(String::as_str).collect();
        let numbers = self.stocked(&items).await?;
        // Medusa keeps no log of who wrote what.
        Ok(numbers.into_iter().map(|number| Seen { number: number.flatten(), evidence: Evidence::Silent }).collect())
    }

    pub(super) async fn probe_shop(&self) -> Result<ProbeReport, CallFailure> {
        let mut report = ProbeReport::default();
        let stores: Stores = self.get(&["stores"], &vec![("fields", STORE_FIELDS)]).await?;
        let locations = self.locations().await?;
        let found = match &self.settings.location {
            Location::Id(id) => locations.iter().find(|(found, _)| found == id).cloned(),
            Location::Name(_) => {
                let id = self.location().await?;
                locations.iter().find(|(found, _)| found == id).cloned()
            }
        };
        let mut fact = |name: &str, value: String| report.facts.push((name.to_owned(), value));
        let store = stores.stores.first();
        fact("shop", store.map_or_else(String::new, |store| store.name.clone()));
        let currencies: Vec<String> =
            store.iter().flat_map(|store| &store.supported_currencies).map(|one| one.currency_code.clone()).collect();
        fact("currencies", currencies.join(", "));
        fact("permissions", "all of an administrator: Medusa's secret keys know no lesser ones".to_owned());
        match found {
            Some((id, name)) => fact("location", format!("{name} ({id})")),
            None => {
                let names: Vec<String> = locations.iter().map(|(id, name)| format!("`{name}` ({id})")).collect();
                report.faults.push(format!("the shop has no such stock location; it has {}", names.join(", ")));
            }
        }
        if let Some(currency) = self.settings.currency.as_ref().filter(|currency| !currencies.contains(currency)) {
            report
                .faults
                .push(format!("the shop sells in {}, not in {currency}; check `currency`", currencies.join(", ")));
        }
        Ok(report)
    }
}

fn refused(row: &FrozenRow, is_there: bool) -> RowRefusal {
    let message = if is_there { "the item is not stocked at the location" } else { "the inventory item is gone" };
    RowRefusal {
        item: row.inventory_item_id.clone(),
        code: "not_found".to_owned(),
        message: message.to_owned(),
        remedy: RowRemedy::LookUpAgain,
    }
}

pub(super) fn misconfigured(said: String) -> CallFailure {
    let cause = LaneRefusal::Misconfigured;
    CallFailure::LaneRefused { cause, detail: refusal_detail(cause, &said) }
}

fn unreadable(error: crate::secret::SecretError) -> CallFailure {
    CallFailure::LaneRefused { cause: LaneRefusal::Unauthorised, detail: format!("{error}; {}", error.hint()) }
}

impl Platform for Medusa {
    fn traits(&self) -> Traits {
        Traits {
            rows_max: ROWS_MAX,
            in_flight_max: self.link.settings.in_flight_max,
            writes: Writes::Absolute,
            key_window: Some(std::time::Duration::ZERO),
            settle_after: self.link.settings.settle_after,
            reads_back: true,
            floor_zero: true,
            number: Number::Physical,
            ..Traits::default()
        }
    }

    fn encode(&self, _key: &IdempotencyKey, _changes: &[Change]) -> Vec<u8> {
        // Sent, it says that numbers are wanted.
        Vec::new()
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        freeze(rows)
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.link.send_frozen(&body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.link.find(skus))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(self.link.seen(question))
    }

    fn levels(&self, page: Option<String>) -> Call<'_, Result<LevelPage, CallFailure>> {
        Box::pin(self.link.level_page(page))
    }

    fn orders(&self, since: OrdersSince) -> Option<Call<'_, Result<OrderPage, CallFailure>>> {
        Some(Box::pin(self.link.order_page(since)))
    }

    fn prices(&self) -> Option<Arc<dyn Platform>> {
        let wanted = self.link.settings.prices;
        wanted.then(|| -> Arc<dyn Platform> { Arc::new(Prices::new(Arc::clone(&self.link))) })
    }

    fn incoming(&self) -> Option<Arc<dyn Platform>> {
        let wanted = self.link.settings.incoming || self.link.settings.backorder_while_incoming;
        wanted.then(|| -> Arc<dyn Platform> { Arc::new(Incoming::new(Arc::clone(&self.link))) })
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.link.probe_shop())
    }
}
