//! The doors: who is let in, how fast, and which rule a path goes to.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::SquareSettings;
use super::catalogue::Variation;
use super::inventory::Change;
use super::orders::Order;
use crate::counter::{Machine, Request, Response};
use crate::journal::{Entry, Journal, JournalLine, Origin};

/// A refusal as Square words it.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) field: Option<String>,
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, detail: &str) -> Self {
        Self { status, code, field: None, detail: detail.to_owned() }
    }

    pub(super) fn of(code: &'static str, field: String, detail: &str) -> Self {
        Self { field: Some(field), ..Self::new(400, code, detail) }
    }

    fn response(&self) -> Response {
        let category = match self.status {
            401 | 403 => "AUTHENTICATION_ERROR",
            429 => "RATE_LIMIT_ERROR",
            500..=599 => "API_ERROR",
            _ => "INVALID_REQUEST_ERROR",
        };
        let mut error = json!({"category": category, "code": self.code, "detail": self.detail});
        if let Some(field) = &self.field {
            error["field"] = Value::from(field.as_str());
        }
        Response::json(self.status, &json!({"errors": [error]}))
    }
}

/// What a key stands for.
#[derive(Debug, Clone)]
enum Kept {
    /// Being worked on.
    Held(Bytes),
    /// Done: the body and what was answered.
    Done(Bytes, Value),
}

/// The seller.
#[derive(Debug)]
pub struct SquareMachine {
    pub(super) settings: SquareSettings,
    pub(super) variations: BTreeMap<String, Variation>,
    pub(super) changes: Vec<Change>,
    pub(super) orders: Vec<Order>,
    pub(super) next_id: u64,
    /// Somebody else writes the catalogue: so many updates are refused.
    pub(super) catalogue_busy: u64,
    journal: Journal,
    keys: BTreeMap<String, Kept>,
    second: (i64, u64),
    invalid: u64,
}

impl SquareMachine {
    /// A seller without goods.
    ///
    /// # Errors
    /// The journal cannot be opened.
    pub fn new(settings: SquareSettings) -> anyhow::Result<Self> {
        Ok(Self {
            journal: Journal::open(settings.journal.as_deref(), true)?,
            variations: BTreeMap::new(),
            changes: Vec::new(),
            orders: Vec::new(),
            next_id: 0,
            catalogue_busy: 0,
            keys: BTreeMap::new(),
            second: (0, 0),
            invalid: 0,
            settings,
        })
    }

    /// The seller's location.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.settings.location
    }

    /// Takes tokens back, or lets others in.
    pub fn set_tokens(&mut self, tokens: &[&str]) {
        self.settings.tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
    }

    /// Takes a scope from every token.
    pub fn take_scope(&mut self, scope: &str) {
        self.settings.scopes.retain(|known| known != scope);
    }

    /// Forgets all idempotency keys, as Square does after a time that it does not tell.
    pub fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// Somebody else writes the catalogue meanwhile: so many updates are refused.
    pub const fn keep_catalogue_busy(&mut self, updates: u64) {
        self.catalogue_busy = updates;
    }

    pub(super) fn take_id(&mut self, kind: &str) -> String {
        self.next_id += 1;
        format!("{kind}{:06}", self.next_id)
    }

    pub(super) fn record(&mut self, origin: Origin<'_>, entries: Vec<Entry>) {
        self.journal.record(origin, entries);
    }

    fn let_in(&mut self, request: &Request, now_us: i64) -> Result<(), Refusal> {
        let token = request.header("authorization").and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        if !self.settings.tokens.iter().any(|known| known == token) {
            return Err(Refusal::new(401, "UNAUTHORIZED", "This request could not be authorized."));
        }
        if request.header("square-version") != Some(self.settings.version.as_str()) {
            self.invalid += 1;
            return Err(Refusal::new(400, "API_VERSION_INCOMPATIBLE", "The stand-in answers one version only."));
        }
        let second = now_us / 1_000_000;
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += 1;
        if self.second.1 > self.settings.requests_per_second {
            return Err(Refusal::new(429, "RATE_LIMITED", "Too many requests."));
        }
        Ok(())
    }

    fn needs(&self, scope: &str) -> Result<(), Refusal> {
        if self.settings.scopes.iter().any(|known| known == scope) {
            return Ok(());
        }
        Err(Refusal::new(403, "INSUFFICIENT_SCOPES", &format!("The merchant has not given the scope {scope}.")))
    }

    fn route(&mut self, request: &Request, now_us: i64) -> Result<Value, Refusal> {
        let body = request.json();
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v2/catalog/search") => self.needs("ITEMS_READ").and_then(|()| self.search(&body)),
            ("POST", "/v2/catalog/batch-retrieve") => {
                self.needs("ITEMS_READ")?;
                Ok(self.retrieve(&body))
            }
            ("POST", "/v2/catalog/batch-upsert") => {
                self.needs("ITEMS_WRITE")?;
                self.keyed(request, |machine| machine.upsert(&body))
            }
            ("POST", "/v2/inventory/counts/batch-retrieve") => {
                self.needs("INVENTORY_READ")?;
                Ok(self.counts(&body))
            }
            ("POST", "/v2/inventory/changes/batch-retrieve") => {
                self.needs("INVENTORY_READ")?;
                Ok(self.history(&body))
            }
            ("POST", "/v2/inventory/changes/batch-create") => {
                self.needs("INVENTORY_WRITE")?;
                let number = request.number;
                self.keyed(request, |machine| machine.change(&body, number, now_us))
            }
            ("POST", "/v2/orders/search") => {
                self.needs("ORDERS_READ")?;
                self.search_orders(&body)
            }
            ("POST", "/oauth2/token/status") => {
                Ok(json!({"scopes": self.settings.scopes, "client_id": "sq0idp-stand-in", "merchant_id": "MSTANDIN"}))
            }
            ("GET", path) if path == format!("/v2/locations/{}", self.settings.location) => {
                self.needs("MERCHANT_PROFILE_READ")?;
                Ok(json!({"location": {"id": self.settings.location, "name": "Stand-in street", "status": "ACTIVE",
                    "currency": "EUR", "business_name": "Stand-in seller"}}))
            }
            (_, _) => {
                self.invalid += 1;
                Err(Refusal::new(404, "NOT_FOUND", "The resource was not found."))
            }
        }
    }

    /// Under the request's key: the first answer again, or a refusal if the body is another one. A refused request does not
    /// use its key up.
    fn keyed(
        &mut self,
        request: &Request,
        act: impl FnOnce(&mut Self) -> Result<Value, Refusal>,
    ) -> Result<Value, Refusal> {
        let key = key_of(request);
        if key.is_empty() || key.len() > 128 {
            self.invalid += 1;
            return Err(Refusal::of("MISSING_REQUIRED_PARAMETER", "idempotency_key".to_owned(), "A key is needed."));
        }
        match self.keys.get(&key) {
            Some(Kept::Done(body, answer)) if *body == request.body => return Ok(answer.clone()),
            Some(Kept::Held(body)) if *body == request.body && !request.holds_key => {
                return Err(Refusal::new(409, "CONFLICT", "A request with this key is being worked on."));
            }
            Some(Kept::Held(body)) if *body == request.body => {}
            Some(Kept::Done(..) | Kept::Held(_)) => {
                return Err(Refusal::of(
                    "IDEMPOTENCY_KEY_REUSED",
                    "idempotency_key".to_owned(),
                    "The key was used before with another body.",
                ));
            }
            None => {}
        }
        let done = act(self);
        match &done {
            Ok(answer) => {
                self.keys.insert(key, Kept::Done(request.body.clone(), answer.clone()));
            }
            Err(refusal) => {
                if refusal.code == "ARRAY_LENGTH_TOO_LONG" || refusal.code == "ARRAY_EMPTY" {
                    self.invalid += 1;
                }
                self.keys.remove(&key);
            }
        }
        done
    }
}

fn key_of(request: &Request) -> String {
    request.json().get("idempotency_key").and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Machine for SquareMachine {
    fn handle(&mut self, request: &Request, now_us: i64) -> Response {
        let answered = self.let_in(request, now_us).and_then(|()| self.route(request, now_us));
        let mut response = match answered {
            Ok(body) => Response::json(200, &body),
            Err(refusal) => refusal.response(),
        };
        response.headers.push(("date", mail_date(now_us)));
        response
    }

    fn is_write(request: &Request) -> bool {
        request.path.ends_with("/batch-create") || request.path.ends_with("/batch-upsert")
    }

    fn take_key(&mut self, request: &Request) {
        let key = key_of(request);
        self.keys.entry(key).or_insert_with(|| Kept::Held(request.body.clone()));
    }

    fn throttled(&mut self, _now_us: i64) -> Response {
        Refusal::new(429, "RATE_LIMITED", "Too many requests.").response()
    }

    fn journal(&self) -> &[JournalLine] {
        self.journal.lines()
    }

    fn invalid_requests(&self) -> u64 {
        self.invalid
    }
}

fn mail_date(us: i64) -> String {
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    jiff::Timestamp::from_microsecond(us)
        .ok()
        .and_then(|at| printer.timestamp_to_rfc9110_string(&at).ok())
        .unwrap_or_default()
}
