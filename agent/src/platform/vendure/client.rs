//! The connection to one shop: key, channel, location, one request at a time per call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use reqwest::header::HeaderValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::verdict::{Answer, LaneRefusal};
use tokio::sync::OnceCell;

use super::classify::{classify, read};
use super::map::{Location, freeze, json};
use super::orders::Watched;
use super::stock::Logs;
use super::values::{Backorders, Prices};
use super::wire::{
    BY_ID, CHANNEL, ChannelData, LOCATIONS, ListOptions, LocationsData, MAY_READ, MAY_READ_ORDERS, MAY_UPDATE,
    NOT_NEEDED, NoFilter, OptionsVariable, Request, SETTINGS, SettingsData, StockLocation,
};
use super::{ROWS_MAX, VendureSettings};
use crate::platform::transport::status::{answer_not_made, refusal_detail};
use crate::platform::transport::{HttpClient, REPLY_BYTES_MAX, Reply, Unreached, WallClock};
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, LevelPage, Number, OrderPage, OrdersSince, Platform, ProbeReport,
    ReadBack, Seen, Traits,
};
use crate::secret::{HeldSecret, Secret};

/// Locations that are listed; no shop is known to have more.
const LOCATIONS_MAX: usize = 500;

/// One shop, one location.
pub struct Vendure {
    pub(super) link: Arc<Link>,
}

/// What the lanes of one shop share.
pub(super) struct Link {
    pub(super) settings: VendureSettings,
    http: HttpClient,
    pub(super) clock: WallClock,
    key: HeldSecret,
    place: OnceCell<Place>,
    tracks: OnceCell<bool>,
    /// How long the logs were before writes whose outcome is not known yet.
    pub(super) logs: Mutex<Logs>,
    /// Open orders, to ask for them again.
    pub(super) watched: Mutex<Watched>,
}

/// Our location.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) name: String,
    /// Locations of the shop, ours included.
    pub(super) count: usize,
}

impl Vendure {
    /// Opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(settings: VendureSettings, http: HttpClient, clock: WallClock) -> Self {
        let key = HeldSecret::new(settings.key.clone());
        let link = Link {
            settings,
            http,
            clock,
            key,
            place: OnceCell::new(),
            tracks: OnceCell::new(),
            logs: Mutex::default(),
            watched: Mutex::default(),
        };
        Self { link: Arc::new(link) }
    }
}

impl Link {
    /// One request. A refusal of the key has no effect at the shop, so it goes out once more if there is another key.
    async fn call<V: Serialize>(&self, query: &str, variables: V) -> Result<Result<Reply, Unreached>, CallFailure> {
        let key = self.key.value().map_err(unreadable)?;
        let body = json(&Request { query, variables });
        let outcome = self.once(&key, body.clone()).await;
        if outcome.as_ref().is_ok_and(is_forbidden)
            && let Some(key) = self.key.value_after_refusal(&key).map_err(unreadable)?
        {
            return Ok(self.once(&key, body).await);
        }
        Ok(outcome)
    }

    async fn once(&self, key: &Secret, body: Vec<u8>) -> Result<Reply, Unreached> {
        let mut header = HeaderValue::from_str(key.expose())
            .map_err(|_| Unreached::NotSent("the API key contains characters that no header can carry".to_owned()))?;
        header.set_sensitive(true);
        let mut request = self
            .http
            .post(self.settings.url.clone())
            .timeout(self.settings.request_timeout)
            .header("content-type", HeaderValue::from_static("application/json"))
            .header("accept", HeaderValue::from_static("application/json"))
            .header("vendure-api-key", header);
        if let Some(channel) = &self.settings.channel {
            request = request.header("vendure-token", channel.as_str());
        }
        self.http.exchange(request.body(body), REPLY_BYTES_MAX).await
    }

    /// A read.
    pub(super) async fn ask<V: Serialize, T: DeserializeOwned>(
        &self,
        query: &str,
        variables: V,
    ) -> Result<T, CallFailure> {
        let data = read(self.call(query, variables).await?, (self.clock)())?;
        serde_json::from_value(data)
            .map_err(|error| CallFailure::Passing { wait: None, reason: format!("the reply cannot be read: {error}") })
    }

    /// A write.
    pub(super) async fn tell<V: Serialize>(&self, mutation: &str, variables: V, items: &[&str]) -> Answer {
        match self.call(mutation, variables).await {
            Ok(outcome) => classify(&outcome, items, (self.clock)()),
            Err(failure) => answer_not_made(failure),
        }
    }

    /// Our location, looked up once.
    pub(super) async fn place(&self) -> Result<&Place, CallFailure> {
        self.place.get_or_try_init(|| self.find_place()).await
    }

    async fn find_place(&self) -> Result<Place, CallFailure> {
        let options = ListOptions { take: LOCATIONS_MAX, skip: 0, sort: BY_ID, filter: NoFilter {} };
        let data: LocationsData = self.ask(LOCATIONS, OptionsVariable { options }).await?;
        let all = data.page.items;
        let found: Vec<&StockLocation> = all
            .iter()
            .filter(|location| match &self.settings.location {
                Some(Location::Id(id)) => location.id == *id,
                Some(Location::Name(name)) => location.name == *name,
                None => true,
            })
            .collect();
        let known = || all.iter().map(|one| format!("`{}` ({})", one.name, one.id)).collect::<Vec<_>>().join(", ");
        match found.as_slice() {
            [one] => Ok(Place { id: one.id.clone(), name: one.name.clone(), count: data.page.total_items }),
            [] => Err(misconfigured(&format!("the shop has no such stock location; it has {}", known()))),
            _ => Err(misconfigured(&format!("name the stock location by its number, one of {}", known()))),
        }
    }

    /// Whether variants count their stock unless they say otherwise.
    pub(super) async fn tracks_by_default(&self) -> Result<bool, CallFailure> {
        let ask = || async {
            let data: SettingsData = self.ask(SETTINGS, NoFilter {}).await?;
            Ok(data.global_settings.track_inventory)
        };
        self.tracks.get_or_try_init(ask).await.copied()
    }

    /// Whether a permission is there: a question that changes nothing is refused without it.
    async fn may(&self, question: &str) -> Result<bool, CallFailure> {
        match self.ask::<_, serde_json::Value>(question, NoFilter {}).await {
            Ok(_) => Ok(true),
            Err(CallFailure::LaneRefused { cause: LaneRefusal::Forbidden, .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn probe_shop(&self) -> Result<ProbeReport, CallFailure> {
        let channel = match self.ask::<_, ChannelData>(CHANNEL, NoFilter {}).await {
            Ok(data) => data.active_channel,
            // A key that is known may always see its channel.
            Err(CallFailure::LaneRefused { cause: LaneRefusal::Forbidden, .. }) => {
                let cause = LaneRefusal::Unauthorised;
                return Err(CallFailure::LaneRefused {
                    cause,
                    detail: refusal_detail(cause, "the shop does not know this API key"),
                });
            }
            Err(failure) => return Err(failure),
        };
        let mut report = ProbeReport::default();
        for (permission, question, what_for) in [
            ("ReadStockLocation", LOCATIONS, "to find the location"),
            ("ReadProduct", MAY_READ, "to find articles"),
            ("UpdateProduct", MAY_UPDATE, "to write numbers"),
            ("ReadOrder", MAY_READ_ORDERS, "to know what online orders hold"),
        ] {
            if !self.may(question).await? {
                report
                    .faults
                    .push(format!("the key's role lacks {permission}, needed {what_for}; grant it in the shop"));
            }
        }
        let mut fact = |name: &str, value: String| report.facts.push((name.to_owned(), value));
        fact("channel", channel.code);
        fact("currency", channel.default_currency_code.clone());
        if report.faults.is_empty() {
            let place = self.place().await?;
            fact("location", format!("{} ({})", place.name, place.id));
            if place.count > 1 && !self.settings.all_orders {
                let why = "not read: the shop has several stock locations, and its orders do not say from which they leave; set all_orders if it is this one";
                fact("online orders", why.to_owned());
            }
        }
        let mut unneeded = Vec::new();
        for (right, question) in NOT_NEEDED {
            if self.may(question).await? {
                unneeded.push(right);
            }
        }
        if !unneeded.is_empty() {
            fact("rights not needed", unneeded.join(", "));
        }
        let sells_in = |currency: &String| {
            *currency == channel.default_currency_code || channel.available_currency_codes.contains(currency)
        };
        if let Some(currency) = self.settings.currency.as_ref().filter(|currency| !sells_in(currency)) {
            report.faults.push(format!("the channel does not sell in {currency}; check `currency`"));
        }
        Ok(report)
    }
}

/// Vendure says so with status 200.
fn is_forbidden(reply: &Reply) -> bool {
    const MARK: &[u8] = b"\"FORBIDDEN\"";
    reply.status == 401 || reply.status == 403 || reply.body.windows(MARK.len()).any(|window| window == MARK)
}

pub(super) fn misconfigured(said: &str) -> CallFailure {
    let cause = LaneRefusal::Misconfigured;
    CallFailure::LaneRefused { cause, detail: refusal_detail(cause, said) }
}

fn unreadable(error: crate::secret::SecretError) -> CallFailure {
    CallFailure::LaneRefused { cause: LaneRefusal::Unauthorised, detail: format!("{error}; {}", error.hint()) }
}

/// A document with the custom field of barcodes in it, if there is one.
pub(super) fn with_field(document: &str, field: Option<&str>) -> String {
    let selected = field.map_or_else(String::new, |field| format!(" customFields{{{field}}}"));
    document.replace("$field", &selected)
}

/// The name of a map's only key, for filters.
pub(super) fn only<V>(key: &str, value: V) -> BTreeMap<&str, V> {
    BTreeMap::from([(key, value)])
}

impl Platform for Vendure {
    fn traits(&self) -> Traits {
        Traits {
            rows_max: ROWS_MAX,
            in_flight_max: self.link.settings.in_flight_max,
            writes: Writes::Absolute,
            key_window: Some(std::time::Duration::ZERO),
            settle_after: self.link.settings.settle_after,
            reads_back: true,
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

    fn send<'a>(&'a self, key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.link.send_frozen(key, &body).await })
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
        let wanted = self.link.settings.backorder_while_incoming;
        wanted.then(|| -> Arc<dyn Platform> { Arc::new(Backorders::new(Arc::clone(&self.link))) })
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.link.probe_shop())
    }
}
