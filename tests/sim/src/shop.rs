//! The shop that the agent talks to, in memory: its numbers and its memory of keys, behind a network that loses,
//! delays and doubles.
//!
//! Written apart from the agent: it knows what a platform promises and nothing of how the agent works. [`Front`] is
//! shared by the two faces of the shop: `shopify` speaks HTTP and GraphQL to the real client, `plain` stands for the
//! classes of platforms that have no keys or take numbers only.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use tillsync::platform::transport::{BodyEnd, Reply, Unreached};

use crate::dice::Dice;
use crate::tally::Tally;
use crate::time::SimTime;
use crate::trace;

pub mod plain;
pub mod shopify;

/// How long the platform remembers a key (Shopify: 24 hours).
const KEYS_KEPT: Duration = Duration::from_hours(24);
/// Longest that a request may be on its way after its sender gave up, in milliseconds; below `SETTLE_AFTER`.
const STRAGGLES_MAX_MS: u64 = 55_000;
/// When the agent gives up waiting for a reply.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// What a platform can do, as far as it matters for losing and doubling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Changes under keys: Shopify, through the agent's real client.
    Keyed,
    /// Changes without keys; the platform can tell whether it knows a request.
    KeylessEvidence,
    /// Changes without keys; there is nothing but the number.
    KeylessSilent,
    /// Numbers only, refused if another is there.
    AbsoluteCas,
    /// Numbers only.
    AbsoluteBlind,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Keyed, Self::KeylessEvidence, Self::KeylessSilent, Self::AbsoluteCas, Self::AbsoluteBlind];

    /// Its name in the tally.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keyed => "class: changes under keys (Shopify)",
            Self::KeylessEvidence => "class: changes without keys, with evidence",
            Self::KeylessSilent => "class: changes without keys, number only",
            Self::AbsoluteCas => "class: numbers with compare-and-set",
            Self::AbsoluteBlind => "class: numbers without compare-and-set",
        }
    }
}

/// What a request did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is in effect, now or under the same key before.
    Applied,
    /// The key is known with other content.
    Mismatch,
    /// Another number is there than was expected.
    Stale,
    /// The row's item is not listed.
    NoItem(usize),
}

/// One row of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Adds to the number of an item.
    Change(usize, i64),
    /// Sets it, if the number is the expected one.
    Set(usize, i64, Option<i64>),
}

impl Write {
    fn item(self) -> usize {
        match self {
            Self::Change(item, _) | Self::Set(item, _, _) => item,
        }
    }
}

/// The shop's books.
#[derive(Debug)]
pub struct Shop {
    numbers: Vec<i64>,
    listed: Vec<bool>,
    keys: BTreeMap<String, (Duration, Vec<u8>)>,
    by_age: VecDeque<(Duration, String)>,
    /// Keys of writes in effect, with their items, for platforms that can tell.
    log: BTreeMap<String, Vec<usize>>,
}

impl Shop {
    fn new(numbers: Vec<i64>) -> Self {
        let listed = vec![true; numbers.len()];
        Self { numbers, listed, keys: BTreeMap::new(), by_age: VecDeque::new(), log: BTreeMap::new() }
    }

    /// The number of an item, if it is listed.
    #[must_use]
    pub fn number(&self, item: usize) -> Option<i64> {
        self.numbers.get(item).copied().filter(|_| self.listed.get(item) == Some(&true))
    }

    /// The items, listed or not.
    #[must_use]
    pub fn numbers(&self) -> &[i64] {
        &self.numbers
    }

    fn knows(&self, key: &str, item: usize) -> bool {
        self.log.get(key).is_some_and(|items| items.contains(&item))
    }

    /// A write under a key that the platform minds: once, and again within a day without effect.
    fn write_once(&mut self, key: &str, body: &[u8], rows: &[Write], now: Duration, tally: &mut Tally) -> Done {
        while self.by_age.front().is_some_and(|(at, _)| now.saturating_sub(*at) > KEYS_KEPT) {
            let Some((_, key)) = self.by_age.pop_front() else { break };
            self.keys.remove(&key);
            tally.fault("platform: key forgotten");
        }
        if let Some((_, known)) = self.keys.get(key) {
            return if known == body { Done::Applied } else { Done::Mismatch };
        }
        let done = self.write(key, rows);
        if done == Done::Applied {
            self.keys.insert(key.to_owned(), (now, body.to_vec()));
            self.by_age.push_back((now, key.to_owned()));
        }
        done
    }

    /// A write of all rows or none.
    fn write(&mut self, key: &str, rows: &[Write]) -> Done {
        for row in rows {
            let Some(number) = self.number(row.item()) else { return Done::NoItem(row.item()) };
            if let Write::Set(_, _, Some(expected)) = row
                && *expected != number
            {
                return Done::Stale;
            }
        }
        for row in rows {
            let Some(number) = self.numbers.get_mut(row.item()) else { continue };
            match row {
                Write::Change(_, delta) => *number += delta,
                Write::Set(_, to, _) => *number = *to,
            }
        }
        self.log.insert(key.to_owned(), rows.iter().map(|row| row.item()).collect());
        Done::Applied
    }
}

/// How the network and the platform behave now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// Requests in a thousand that something happens to.
    pub trouble: u64,
    /// Nobody is reached until then.
    pub outage_until: Duration,
    /// Everything is refused with 401 until then.
    pub refused_until: Duration,
    /// Everything is answered with 503 until then.
    pub down_until: Duration,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    Refused,
    LostRequest,
    Straggles(Duration),
    LostReply,
    Doubled,
    TooMany,
    Busy,
    BucketEmpty,
    ErrorBefore,
    ErrorAfter,
    Garbage,
    Cut,
}

struct Inside {
    shop: Shop,
    dice: Dice,
    weather: Weather,
    tally: Tally,
}

/// The shop as the network reaches it. Clones are the same shop.
#[derive(Clone)]
pub struct Front {
    inside: Arc<Mutex<Inside>>,
    time: SimTime,
    class: Class,
}

/// Carries a request out on the books and makes the reply.
type Handler = Arc<dyn Fn(&mut Shop, &mut Tally, Duration) -> Reply + Send + Sync>;

impl Front {
    /// A shop that begins with these numbers.
    #[must_use]
    pub fn new(class: Class, numbers: Vec<i64>, dice: Dice, time: SimTime) -> Self {
        let inside = Inside { shop: Shop::new(numbers), dice, weather: Weather::default(), tally: Tally::default() };
        Self { inside: Arc::new(Mutex::new(inside)), time, class }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// How it behaves from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// How it behaves.
    #[must_use]
    pub fn weather(&self) -> Weather {
        self.lock().weather
    }

    /// Its numbers now.
    #[must_use]
    pub fn numbers(&self) -> Vec<i64> {
        self.lock().shop.numbers().to_vec()
    }

    /// Lists an article or takes it off the list. Its number stays.
    pub fn list(&self, item: usize, listed: bool) {
        if let Some(place) = self.lock().shop.listed.get_mut(item) {
            *place = listed;
        }
    }

    /// A customer buys online and the goods go out: the shop's own number falls. False if it does not show enough.
    pub fn sell(&self, item: usize, units: i64) -> bool {
        let mut inside = self.lock();
        let Some(number) = inside.shop.numbers.get_mut(item).filter(|number| **number >= units) else { return false };
        *number -= units;
        true
    }

    /// Adds what happened here to `tally`.
    pub fn tell(&self, tally: &mut Tally) {
        tally.add(&self.lock().tally);
    }

    fn apply(&self, body: &[u8], handler: &Handler) -> Reply {
        let mut inside = self.lock();
        let inside = &mut *inside;
        inside.tally.requests += 1;
        inside.tally.trace(body);
        let now = self.time.elapsed();
        let reply = handler(&mut inside.shop, &mut inside.tally, now);
        trace::line(now, || {
            format!("shop: {} -> {}", String::from_utf8_lossy(body), String::from_utf8_lossy(&reply.body))
        });
        reply
    }

    /// One request over the network.
    async fn carry(&self, body: Arc<[u8]>, handler: Handler) -> Result<Reply, Unreached> {
        let (fate, there, back) = self.draw();
        tokio::time::sleep(there).await;
        match fate {
            Fate::Refused => return Err(Unreached::NotSent("connection refused".to_owned())),
            Fate::LostRequest => return Err(self.given_up("no reply").await),
            Fate::Straggles(after) => {
                let (front, body) = (self.clone(), Arc::clone(&body));
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    drop(front.apply(&body, &handler));
                });
                return Err(self.given_up("no reply in time").await);
            }
            Fate::TooMany => return Ok(status(429, Some("7"))),
            Fate::ErrorBefore => return Ok(status(503, None)),
            Fate::Busy => return Ok(shopify::busy()),
            Fate::BucketEmpty => return Ok(shopify::bucket_empty()),
            Fate::Fine | Fate::LostReply | Fate::Doubled | Fate::ErrorAfter | Fate::Garbage | Fate::Cut => {}
        }
        if self.is_refused() {
            return Ok(status(401, None));
        }
        if fate == Fate::Doubled {
            drop(self.apply(&body, &handler));
        }
        let mut reply = self.apply(&body, &handler);
        tokio::time::sleep(back).await;
        match fate {
            Fate::LostReply => Err(self.given_up("connection lost").await),
            Fate::ErrorAfter => Ok(status(502, None)),
            Fate::Garbage => {
                reply.body = b"<html>It works!</html>".to_vec();
                Ok(reply)
            }
            Fate::Cut => {
                reply.body.truncate(reply.body.len() / 2);
                reply.end = BodyEnd::Cut("connection reset".to_owned());
                Ok(reply)
            }
            _ => Ok(reply),
        }
    }

    async fn given_up(&self, why: &str) -> Unreached {
        tokio::time::sleep(GIVEN_UP).await;
        Unreached::MaybeSent(why.to_owned())
    }

    fn is_refused(&self) -> bool {
        let now = self.time.elapsed();
        let mut inside = self.lock();
        let refused = now < inside.weather.refused_until;
        if refused {
            inside.tally.fault("platform: 401 for a while");
        }
        refused
    }

    /// What happens to the next request, and how long it takes there and back.
    fn draw(&self) -> (Fate, Duration, Duration) {
        let now = self.time.elapsed();
        let mut inside = self.lock();
        let inside = &mut *inside;
        let (there, back) = (inside.dice.millis(10, 300), inside.dice.millis(10, 900));
        let fate = if now < inside.weather.outage_until {
            inside.tally.fault("network: outage");
            if inside.dice.per_mille(700) { Fate::Refused } else { Fate::LostRequest }
        } else if now < inside.weather.down_until {
            inside.tally.fault("platform: long outage");
            Fate::ErrorBefore
        } else if inside.dice.per_mille(inside.weather.trouble) {
            fate(self.class, &mut inside.dice)
        } else {
            Fate::Fine
        };
        if let Some(class) = fate.class() {
            trace::line(now, || format!("{class} {fate:?}"));
            inside.tally.fault(class);
        }
        (fate, there, back)
    }
}

/// A fault that the class of platform can have. Only where keys protect does anything double a request.
fn fate(class: Class, dice: &mut Dice) -> Fate {
    let straggles = Fate::Straggles(dice.millis(100, STRAGGLES_MAX_MS));
    let common = [
        Fate::Refused,
        Fate::LostRequest,
        straggles,
        Fate::LostReply,
        Fate::TooMany,
        Fate::ErrorBefore,
        Fate::ErrorAfter,
        Fate::Garbage,
        Fate::Cut,
    ];
    let keyed = [Fate::Doubled, Fate::Busy, Fate::BucketEmpty];
    let choices = if class == Class::Keyed { common.len() + keyed.len() } else { common.len() };
    let index = dice.index(choices);
    common.iter().chain(&keyed).nth(index).copied().unwrap_or(Fate::Fine)
}

impl Fate {
    const fn class(self) -> Option<&'static str> {
        match self {
            Self::Fine => None,
            Self::Refused => Some("network: connection refused"),
            Self::LostRequest => Some("network: request lost"),
            Self::Straggles(_) => Some("network: request applied after we gave up"),
            Self::LostReply => Some("network: reply lost"),
            Self::Doubled => Some("network: request doubled on its way"),
            Self::TooMany => Some("platform: 429"),
            Self::Busy => Some("platform: key being worked on"),
            Self::BucketEmpty => Some("platform: cost bucket empty"),
            Self::ErrorBefore => Some("platform: 5xx without effect"),
            Self::ErrorAfter => Some("platform: 5xx with effect"),
            Self::Garbage => Some("platform: garbage with 200"),
            Self::Cut => Some("network: reply cut short"),
        }
    }
}

fn status(status: u16, retry_after: Option<&'static str>) -> Reply {
    let mut headers = HeaderMap::new();
    if let Some(seconds) = retry_after {
        headers.insert("retry-after", HeaderValue::from_static(seconds));
    }
    Reply { status, headers, body: Vec::new(), end: BodyEnd::Complete }
}

fn ok(body: Vec<u8>) -> Reply {
    Reply { status: 200, headers: HeaderMap::new(), body, end: BodyEnd::Complete }
}
