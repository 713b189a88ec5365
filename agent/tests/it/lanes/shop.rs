//! A shop in memory that behaves like one class of platforms.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, RowRefusal, RowRemedy};
use tillsync::platform::{
    Absolute, Call, CallFailure, Change, Found, Level, LevelPage, Number, Platform, ProbeReport, ReadBack, Seen,
    Target, TargetPart, Traits,
};

/// Longer than any request here takes.
const SETTLE_AFTER: Duration = Duration::from_millis(60);
const PAGE: usize = 2;

/// The class of a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changes under keys that are never forgotten, compare-and-set.
    Keyed,
    /// Changes without keys; a marker tells whether one is in effect; rows are decided one by one.
    Marked,
    /// Changes without keys and without any evidence.
    Plain,
    /// Numbers only, none below zero.
    Numbers,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Keyed, Self::Marked, Self::Plain, Self::Numbers];

    pub(super) fn traits(self) -> Traits {
        let usual = Traits {
            reads_back: true,
            number: Number::Physical,
            settle_after: SETTLE_AFTER,
            key_window: Some(Duration::ZERO),
            ..Traits::default()
        };
        match self {
            Self::Keyed => Traits { key_window: None, compare_and_set: true, ..usual },
            Self::Marked | Self::Plain => usual,
            Self::Numbers => Traits { writes: Writes::Absolute, floor_zero: true, ..usual },
        }
    }
}

/// What happens to a write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    LoseRequest,
    LoseReply,
}

/// The shop's state and what is going to happen to it.
#[derive(Default)]
pub(super) struct Shop {
    numbers: BTreeMap<String, i64>,
    keys: BTreeMap<String, Answer>,
    markers: BTreeMap<String, String>,
    pub(super) faults: VecDeque<Fault>,
    /// Somebody else changes the number right after the next write.
    pub(super) after_next_write: Option<i64>,
    /// Somebody else changes the first number right before the next absolute write.
    pub(super) before_next_absolute: Option<i64>,
    pub(super) slow_absolute: Duration,
    /// An article that is refused by itself.
    pub(super) refused: Option<String>,
}

impl Shop {
    pub(super) fn number(&self, sku: &str) -> i64 {
        self.numbers.get(sku).copied().unwrap()
    }

    pub(super) fn set(&mut self, sku: &str, number: i64) {
        self.numbers.insert(sku.to_owned(), number);
    }
}

#[derive(Serialize, Deserialize)]
struct Body {
    key: String,
    changes: Vec<(String, i64)>,
    numbers: Vec<(String, i64, i64)>,
}

/// A connection to the shop.
pub(super) struct Connected {
    pub(super) kind: Kind,
    pub(super) traits: Traits,
    pub(super) shop: Arc<Mutex<Shop>>,
}

impl Connected {
    fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().unwrap()
    }

    fn take(&self, body: &[u8]) -> Answer {
        let body: Body = serde_json::from_slice(body).unwrap();
        let lost = |reason: &str| Answer::Unknown { wait: Some(Duration::from_millis(1)), reason: reason.to_owned() };
        let fault = self.shop().faults.pop_front();
        if matches!(fault, Some(Fault::LoseRequest)) {
            return lost("the request was lost");
        }
        let answer = self.apply(&body);
        if matches!(fault, Some(Fault::LoseReply)) { lost("the reply was lost") } else { answer }
    }

    fn apply(&self, body: &Body) -> Answer {
        let mut shop = self.shop();
        if let Some(known) = shop.keys.get(&body.key).filter(|_| self.traits.key_window != Some(Duration::ZERO)) {
            return known.clone();
        }
        if !body.numbers.is_empty()
            && let Some(change) = shop.before_next_absolute.take()
        {
            shop.numbers.values_mut().take(1).for_each(|number| *number += change);
        }
        let mut rows = Vec::new();
        for (item, change) in &body.changes {
            if shop.refused.as_ref() == Some(item) {
                rows.push(RowRefusal {
                    item: item.clone(),
                    code: "REFUSED".to_owned(),
                    message: "not this one".to_owned(),
                    remedy: RowRemedy::DeadLetter,
                });
                continue;
            }
            *shop.numbers.get_mut(item).unwrap() += change;
            shop.markers.insert(item.clone(), body.key.clone());
        }
        let stale = |(item, _, expected): &(String, i64, i64)| shop.numbers.get(item) != Some(expected);
        let overtaken: Vec<RowRefusal> = body
            .numbers
            .iter()
            .filter(|row| self.traits.compare_and_set && stale(row))
            .map(|(item, _, _)| RowRefusal {
                item: item.clone(),
                code: "STALE".to_owned(),
                message: "another number".to_owned(),
                remedy: RowRemedy::ReadAgain,
            })
            .collect();
        if overtaken.len() == body.numbers.len() && !overtaken.is_empty() {
            return Answer::Stale;
        }
        if !overtaken.is_empty() {
            return Answer::RowsRefused { rows: overtaken };
        }
        for (item, number, _) in &body.numbers {
            assert!(*number >= 0 || !self.traits.floor_zero, "a number below zero was sent");
            shop.numbers.insert(item.clone(), *number);
            shop.markers.insert(item.clone(), body.key.clone());
        }
        if let Some(change) = shop.after_next_write.take() {
            shop.numbers.values_mut().for_each(|number| *number += change);
        }
        let answer =
            if rows.is_empty() { Answer::Applied { reference: None } } else { Answer::Mixed { rows, reference: None } };
        shop.keys.insert(body.key.clone(), answer.clone());
        answer
    }
}

impl Platform for Connected {
    fn traits(&self) -> Traits {
        self.traits.clone()
    }

    fn encode(&self, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        assert_ne!(self.traits.writes, Writes::Absolute, "this shop takes no changes");
        let changes = changes
            .iter()
            .flat_map(|change| {
                change.target.iter().flat_map(|target| &target.parts).map(|part| (part.item.clone(), change.units))
            })
            .collect();
        serde_json::to_vec(&Body { key: key.to_string(), changes, numbers: Vec::new() }).unwrap()
    }

    fn encode_absolute(&self, key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        let numbers = rows.iter().map(|row| (row.part.item.clone(), row.on_hand, row.expected)).collect();
        serde_json::to_vec(&Body { key: key.to_string(), changes: Vec::new(), numbers }).unwrap()
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move {
            let slow = self.shop().slow_absolute;
            if !slow.is_zero() {
                tokio::time::sleep(slow).await;
            }
            self.take(&body)
        })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        let shop = self.shop();
        let found = skus
            .iter()
            .map(|sku| match shop.numbers.get(sku.as_str()) {
                None => Found::Unknown,
                Some(number) => Found::Target {
                    target: Target { parts: vec![TargetPart { item: sku.as_str().to_owned(), per: 1 }] },
                    on_hand: vec![*number],
                    title: sku.as_str().to_owned(),
                },
            })
            .collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        let shop = self.shop();
        let seen = question
            .items
            .iter()
            .map(|item| {
                let evidence = match &question.sent {
                    Some(sent) if self.kind == Kind::Marked => {
                        if shop.markers.get(item).is_some_and(|key| *key == sent.key.as_str()) {
                            Evidence::Applied
                        } else {
                            Evidence::NotApplied
                        }
                    }
                    Some(_) | None => Evidence::Silent,
                };
                Seen { number: shop.numbers.get(item).copied(), evidence }
            })
            .collect();
        Box::pin(std::future::ready(Ok(seen)))
    }

    fn levels(&self, page: Option<String>) -> Call<'_, Result<LevelPage, CallFailure>> {
        let from: usize = page.map_or(0, |page| page.parse().unwrap());
        let shop = self.shop();
        let levels: Vec<Level> = shop
            .numbers
            .iter()
            .skip(from)
            .take(PAGE)
            .map(|(item, number)| Level { item: item.clone(), sku: Sku::from(item.as_str()), number: *number })
            .collect();
        let next = (from + PAGE < shop.numbers.len()).then(|| (from + PAGE).to_string());
        Box::pin(std::future::ready(Ok(LevelPage { levels, next })))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(std::future::ready(Ok(ProbeReport::default())))
    }
}
