//! The classes of platforms without keys, or that take numbers only, in one plain protocol of rows.
//!
//! It answers as such platforms do and classes the answers as their connections do: whatever may have taken effect is
//! unknown, everything else had none.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRefusal, RowRemedy};
use tillsync::platform::transport::{BodyEnd, Reply, Unreached};
use tillsync::platform::{
    Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, Seen, Target, TargetPart, Traits,
};

use super::{Class, Done, Front, Shop, Write, ok};
use crate::tally::Tally;
use crate::till::code;

const ROWS_MAX: usize = 20;

/// A connection.
pub struct Plain {
    front: Front,
}

#[derive(Serialize, Deserialize)]
struct Body {
    key: String,
    rows: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    item: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<i64>,
}

impl Plain {
    /// A connection to the shop.
    #[must_use]
    pub fn new(front: Front) -> Self {
        Self { front }
    }

    async fn post(&self, body: Arc<[u8]>) -> Answer {
        let compare = self.front.class() == Class::AbsoluteCas;
        let asked = Arc::clone(&body);
        let handler = move |shop: &mut Shop, _: &mut Tally, _: Duration| write(shop, &asked, compare);
        match self.front.carry(body, Arc::new(handler)).await {
            Err(Unreached::NotSent(reason)) => Answer::Unavailable { wait: None, reason },
            Err(Unreached::MaybeSent(reason)) => Answer::Unknown { wait: None, reason },
            Ok(reply) => classify(&reply),
        }
    }

    /// Asks for something that changes nothing.
    async fn ask<T: Send + 'static>(
        &self,
        name: &'static str,
        read: impl Fn(&Shop) -> T + Send + Sync + 'static,
    ) -> Result<T, CallFailure> {
        let (told, answers) = std::sync::mpsc::channel();
        let told = std::sync::Mutex::new(told);
        let handler = move |shop: &mut Shop, _: &mut Tally, _: Duration| {
            if let Ok(told) = told.lock() {
                let _nobody_waits = told.send(read(shop));
            }
            ok(b"done".to_vec())
        };
        let passing = |reason: &str| CallFailure::Passing { wait: None, reason: reason.to_owned() };
        match self.front.carry(Arc::from(name.as_bytes()), Arc::new(handler)).await {
            Err(Unreached::NotSent(reason) | Unreached::MaybeSent(reason)) => Err(passing(&reason)),
            Ok(reply) if reply.status == 401 => Err(refused()),
            Ok(reply) if reply.status != 200 || reply.body != b"done" => Err(passing("no answer that makes sense")),
            Ok(_) => answers.try_recv().map_err(|_| passing("no answer")),
        }
    }
}

fn refused() -> CallFailure {
    CallFailure::LaneRefused { cause: LaneRefusal::Unauthorised, detail: "401".to_owned() }
}

fn write(shop: &mut Shop, body: &[u8], compare: bool) -> Reply {
    let Ok(body) = serde_json::from_slice::<Body>(body) else { return super::status(400, None) };
    let rows: Vec<Write> = body
        .rows
        .iter()
        .map(|row| match row.number {
            Some(number) => Write::Set(row.item, number, row.expected.filter(|_| compare)),
            None => Write::Change(row.item, row.change.unwrap_or(0)),
        })
        .collect();
    match shop.write(&body.key, &rows) {
        Done::Applied => ok(b"done".to_vec()),
        Done::Stale => ok(b"stale".to_vec()),
        Done::NoItem(item) => ok(format!("gone {item}").into_bytes()),
        Done::Mismatch => super::status(400, None),
    }
}

fn classify(reply: &Reply) -> Answer {
    let unknown = || Answer::Unknown { wait: None, reason: format!("HTTP {}", reply.status) };
    match (reply.status, &reply.end) {
        (429, _) => Answer::Throttled { wait: Some(Duration::from_secs(7)) },
        (401, _) => Answer::LaneRefused { cause: LaneRefusal::Unauthorised, detail: "401".to_owned() },
        (200, BodyEnd::Complete) => match reply.body.as_slice() {
            b"done" => Answer::Applied { reference: None },
            b"stale" => Answer::Stale,
            body => match body.strip_prefix(b"gone ").map(String::from_utf8_lossy) {
                Some(item) => Answer::RowsRefused {
                    rows: vec![RowRefusal {
                        item: item.into_owned(),
                        code: "gone".to_owned(),
                        message: "no such item".to_owned(),
                        remedy: RowRemedy::LookUpAgain,
                    }],
                },
                None => unknown(),
            },
        },
        (_, _) => unknown(),
    }
}

impl Platform for Plain {
    fn traits(&self) -> Traits {
        let absolute = matches!(self.front.class(), Class::AbsoluteCas | Class::AbsoluteBlind);
        Traits {
            rows_max: ROWS_MAX,
            writes: if absolute { Writes::Absolute } else { Writes::Delta },
            key_window: Some(Duration::ZERO),
            reads_back: true,
            compare_and_set: self.front.class() == Class::AbsoluteCas,
            ..Traits::default()
        }
    }

    fn encode(&self, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        let rows = changes
            .iter()
            .flat_map(|change| {
                let parts = change.target.iter().flat_map(|target| target.parts.clone());
                parts.map(|part| Row {
                    item: part.item.parse().unwrap_or(usize::MAX),
                    change: Some(change.units * part.per),
                    number: None,
                    expected: None,
                })
            })
            .collect();
        serde_json::to_vec(&Body { key: key.as_str().to_owned(), rows }).unwrap_or_default()
    }

    fn encode_absolute(&self, key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        let rows = rows
            .iter()
            .map(|row| Row {
                item: row.part.item.parse().unwrap_or(usize::MAX),
                change: None,
                number: Some(row.on_hand),
                expected: Some(row.expected),
            })
            .collect();
        serde_json::to_vec(&Body { key: key.as_str().to_owned(), rows }).unwrap_or_default()
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(self.post(body))
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        let wanted: Vec<String> = skus.iter().map(|sku| sku.as_str().to_owned()).collect();
        Box::pin(self.ask("look up", move |shop| {
            let find = |wanted: &String| {
                let article = (0..shop.numbers().len()).find(|article| code(*article) == *wanted)?;
                let number = shop.number(article)?;
                let part = TargetPart { item: article.to_string(), per: 1 };
                Some(Found::Target {
                    target: Target { parts: vec![part] },
                    on_hand: vec![number],
                    title: wanted.clone(),
                })
            };
            wanted.iter().map(|wanted| find(wanted).unwrap_or(Found::Unknown)).collect()
        }))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        let items: Vec<usize> = question.items.iter().map(|item| item.parse().unwrap_or(usize::MAX)).collect();
        let key = question.sent.as_ref().map(|sent| sent.key.as_str().to_owned());
        let tells = self.front.class() == Class::KeylessEvidence;
        Box::pin(self.ask("read back", move |shop| {
            let evidence = |item| match &key {
                Some(key) if tells && shop.knows(key, item) => Evidence::Applied,
                Some(_) if tells => Evidence::NotApplied,
                Some(_) | None => Evidence::Silent,
            };
            items.iter().map(|item| Seen { number: shop.number(*item), evidence: evidence(*item) }).collect()
        }))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.ask("probe", |_| ProbeReport::default()))
    }
}
