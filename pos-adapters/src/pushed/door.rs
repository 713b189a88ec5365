//! Who may come in with what: from the parts of a request to a delivery, or to the reason for refusing it. Pure but
//! for reading the secret of the key; the time is an argument.
//!
//! Nothing of a refused request is kept. What is genuine and cannot be read is taken in, to wait for a person: the
//! sender could only send the same again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sync_core::model::Timestamp;
use tokio::sync::oneshot;

use super::budget::Budget;
use super::inbox::{Delivery, Told};
use super::map::{self, Mapped};
use super::memory::digest;
use super::parse::{self, TEXT_BYTES_MAX, Unreadable, Whole};
use super::plan::{Key, Plan};
use super::settings::Scheme;
use super::signature::{self, Proof, Standing};

/// Reasons that an answer names; the quarantine has all.
const REASONS_MAX: usize = 10;

/// The headers of a request. One that stands twice, or is no text, is not there.
pub trait Headers {
    /// By its name in lower case.
    fn header(&self, name: &str) -> Option<&str>;
}

/// Why a request is not taken in. Nothing of it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// No such key, no signature, or a wrong one.
    Unauthorised,
    /// Well signed, too long ago or ahead.
    Stale,
    /// Not what this key may post.
    OutOfScope(String),
    /// Too often.
    Throttled(Duration),
    /// Longer than it may be, or too many transactions.
    TooLarge,
    /// A header says one thing and the body another.
    Contradiction(String),
    /// The key's own secret cannot be used.
    Unusable(String),
}

impl Refused {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Unauthorised | Self::Stale => 401,
            Self::OutOfScope(_) => 403,
            Self::Throttled(_) => 429,
            Self::TooLarge => 413,
            Self::Contradiction(_) => 422,
            Self::Unusable(_) => 503,
        }
    }

    /// For the sender; says nothing that a stranger may not know.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Unauthorised => "no such key, or the signature is missing or wrong".to_owned(),
            Self::Stale => "the signature's time is too far from this machine's clock".to_owned(),
            Self::OutOfScope(reason) | Self::Contradiction(reason) => reason.clone(),
            Self::Throttled(_) => "too many requests".to_owned(),
            Self::TooLarge => "the request is too large: send fewer transactions at a time".to_owned(),
            Self::Unusable(_) => "the key cannot be used at the moment".to_owned(),
        }
    }
}

/// A request that was let in.
#[derive(Debug)]
pub struct Admitted {
    /// For the inbox.
    pub delivery: Delivery,
    /// Told after the commit; closed untold if it failed.
    pub told: oneshot::Receiver<Told>,
    /// Tickets and changes in it.
    pub transactions: usize,
    /// Records set apart for a person.
    pub quarantined: usize,
    /// Why, for the first of them.
    pub reasons: Vec<String>,
    /// Whether the answer says that something was set apart; cloud senders only know yes and no.
    pub says_quarantined: bool,
}

/// Counted since the start.
#[derive(Debug, Default)]
pub struct DoorCounts {
    /// Let in.
    pub admitted: AtomicU64,
    /// Not let in for want of a good signature.
    pub unauthorised: AtomicU64,
    /// Refused for anything else.
    pub refused: AtomicU64,
}

/// The door of one source.
#[derive(Debug)]
pub struct Door {
    plan: Arc<Plan>,
    budgets: Mutex<BTreeMap<String, Budget>>,
    /// What has come.
    pub counts: DoorCounts,
}

impl Door {
    /// With the keys of the source.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan, budgets: Mutex::default(), counts: DoorCounts::default() }
    }

    /// Looks at a complete request.
    ///
    /// # Errors
    /// [`Refused`] says how to answer.
    pub fn admit(&self, key: &str, headers: &dyn Headers, body: &[u8], now: Timestamp) -> Result<Admitted, Refused> {
        let outcome = self.look(key, headers, body, now);
        let counter = match &outcome {
            Ok(_) => &self.counts.admitted,
            Err(Refused::Unauthorised | Refused::Stale) => &self.counts.unauthorised,
            Err(_) => &self.counts.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    fn look(&self, key: &str, headers: &dyn Headers, body: &[u8], now: Timestamp) -> Result<Admitted, Refused> {
        let key = self.plan.key(key).ok_or(Refused::Unauthorised)?;
        let secret = self.plan.secrets.read(&key.secret).map_err(Refused::Unusable)?;
        let secrets = signature::keys(key.scheme, &secret).map_err(Refused::Unusable)?;
        let proof = Proof {
            id: headers.header("webhook-id"),
            timestamp: headers.header("webhook-timestamp"),
            signature: headers.header(signature::header(key.scheme)),
            notification_url: &key.notification_url,
            body,
        };
        match signature::check(key.scheme, &secrets, &proof, key.clock_tolerance, now) {
            Standing::Genuine => {}
            Standing::Wrong => return Err(Refused::Unauthorised),
            Standing::Stale => return Err(Refused::Stale),
        }
        self.budgets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key.name.clone())
            .or_default()
            .take(key.requests_per_minute, now)
            .map_err(Refused::Throttled)?;
        if body.len() > self.plan.body_bytes_max {
            return Err(Refused::TooLarge);
        }
        self.read(key, headers, body)
    }

    /// A genuine request.
    fn read(&self, key: &Key, headers: &dyn Headers, body: &[u8]) -> Result<Admitted, Refused> {
        let named = match key.scheme {
            Scheme::StandardWebhooks => headers.header("webhook-id"),
            Scheme::Bearer => headers.header("idempotency-key").or_else(|| headers.header("webhook-id")),
            // Not signed; it only saves work where it is right.
            Scheme::Shopify => headers.header("x-shopify-webhook-id"),
            Scheme::Square => None,
        };
        if named.is_some_and(|id| id.is_empty() || id.len() > TEXT_BYTES_MAX) {
            return Err(Refused::Contradiction(format!("an id has 1 to {TEXT_BYTES_MAX} bytes")));
        }
        let mut id = named.map(str::to_owned);
        let place = format!("{}, request {}", key.name, id.as_deref().unwrap_or("without id"));
        let mapped = match key.scheme {
            Scheme::StandardWebhooks | Scheme::Bearer => own(key, &self.plan, &place, &mut id, body)?,
            Scheme::Square => square(key, &self.plan, &place, &mut id, body),
            Scheme::Shopify => match parse::shopify::posted(body) {
                Ok(posted) => map::shopify::posted(key, &self.plan.zone, &place, &posted),
                Err(unreadable) => foreign(&place, unreadable.reason, body),
            },
        };
        if let Some(reason) = mapped.transactions.iter().find_map(|revised| key.out_of_scope(&revised.transaction)) {
            return Err(Refused::OutOfScope(reason));
        }
        Ok(admitted(key, id, mapped, body))
    }
}

fn own(key: &Key, plan: &Plan, place: &str, id: &mut Option<String>, body: &[u8]) -> Result<Mapped, Refused> {
    let posted = match parse::posted(body) {
        Ok(posted) => posted,
        Err(Whole::TooMany) => return Err(Refused::TooLarge),
        Err(Whole::Unreadable(unreadable)) => {
            let mut mapped = Mapped::default();
            mapped.set_apart(place, &unreadable);
            return Ok(mapped);
        }
    };
    match (&posted.batch, id.as_deref()) {
        (Some(batch), Some(named)) if batch != named => {
            return Err(Refused::Contradiction(format!("the batch is `{batch}` and the request's id is `{named}`")));
        }
        (Some(batch), None) => *id = Some(batch.clone()),
        _ => {}
    }
    Ok(map::posted(key, &plan.zone, place, posted))
}

fn square(key: &Key, plan: &Plan, place: &str, id: &mut Option<String>, body: &[u8]) -> Mapped {
    match parse::square::posted(body) {
        Ok(event) => {
            let place = format!("{}, event {}", key.name, event.event_id.0);
            let mapped = map::square::posted(key, &plan.zone, &place, &event);
            *id = Some(event.event_id.0);
            mapped
        }
        Err(unreadable) => foreign(place, unreadable.reason, body),
    }
}

/// A body of a cloud POS that cannot be read: only what names goods is kept of it.
fn foreign(place: &str, reason: String, body: &[u8]) -> Mapped {
    let mut mapped = Mapped::default();
    mapped.set_apart(place, &Unreadable { reason, raw: parse::goods_only(body) });
    mapped
}

fn admitted(key: &Key, id: Option<String>, mapped: Mapped, body: &[u8]) -> Admitted {
    let (told, waits) = oneshot::channel();
    Admitted {
        told: waits,
        transactions: mapped.transactions.len(),
        quarantined: mapped.quarantined.len(),
        reasons: mapped.quarantined.iter().take(REASONS_MAX).map(|row| format!("{}: {}", row.at, row.reason)).collect(),
        says_quarantined: matches!(key.scheme, Scheme::StandardWebhooks | Scheme::Bearer),
        delivery: Delivery {
            key: key.name.clone(),
            id,
            digest: digest(body),
            transactions: mapped.transactions,
            quarantined: mapped.quarantined,
            ignored: mapped.ignored,
            bytes: body.len(),
            told,
        },
    }
}

#[cfg(test)]
pub(super) mod tests;
