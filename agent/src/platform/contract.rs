//! The contract probe: what a platform really does with keys, with numbers that were overtaken and with what is read back,
//! found out with one article that nobody buys.
//!
//! [`Traits`] say what the agent relies on. Each is tried here the way the lane uses it: the same bytes under the same key a
//! second time, an absolute write that expects a wrong number, the evidence of a change that was and of one that was never
//! sent, the article in the pages of all numbers. Then the number is put back. A promise that is not kept is a fault: where
//! a key does not stop a repeat, a lost reply makes a sale count twice.
//!
//! Only meant for a development shop and an article made for it. It writes at most five times.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sync_core::model::{EntryId, IdempotencyKey, Quantity, Sku, Timestamp};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, RowRefusal, RowRemedy};

use super::transport::WallClock;
use super::{Absolute, CallFailure, Change, Found, Number, Platform, ReadBack, Seen, Sent, Target, TargetPart, Traits};

/// Pages of numbers that are read to find one article.
const PAGES_MAX: usize = 2000;
/// How far from the truth the number is that a compare-and-set must refuse.
const WRONG_BY: i64 = 1000;

/// How a promise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As the agent relies on.
    Kept,
    /// Not as the agent relies on: sales could be lost, doubled or overwritten.
    Broken,
    /// Could not be found out.
    Unclear,
}

/// What one step showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name: `look_up`, `change`, `key`, `evidence`, `compare_and_set`, `absolute`, `levels`, `put_back`.
    pub step: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was seen, in words.
    pub seen: String,
}

/// All that was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractReport {
    /// The platform's name in the configuration.
    pub platform: String,
    /// Its kind.
    pub kind: &'static str,
    /// The article.
    pub sku: String,
    /// Its number before.
    pub before: Option<i64>,
    /// Its number at the end.
    pub after: Option<i64>,
    /// In order.
    pub findings: Vec<Finding>,
    /// What the agent concludes.
    pub conclusion: String,
}

impl ContractReport {
    /// Some promise is not kept.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Broken)
    }
}

/// Time between looks at a number, and how many of them before it counts as settled.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks.
    pub look_every: Duration,
    /// Looks until a number that does not move is taken as final.
    pub looks: u32,
}

impl Default for Pace {
    /// Two seconds: platforms with queues show a change within one.
    fn default() -> Self {
        Self { look_every: Duration::from_millis(400), looks: 5 }
    }
}

/// The article, found and not touched yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The article.
    pub sku: Sku,
    /// Title for people.
    pub title: String,
    item: String,
    target: Arc<Target>,
}

/// Finds the article; the error is for people.
///
/// # Errors
/// It is not one plain article of this platform, or the platform cannot be probed at all.
pub async fn find(platform: &dyn Platform, sku: &Sku) -> Result<Subject, String> {
    let traits = platform.traits();
    if !traits.reads_back || !traits.needs_target {
        return Err("this platform has no number that could be read back: there is nothing to probe".to_owned());
    }
    let found = platform.look_up(std::slice::from_ref(sku)).await.map_err(words)?;
    match found.into_iter().next() {
        Some(Found::Target { target, title, .. }) => match target.parts.as_slice() {
            [TargetPart { item, per: 1 }] => {
                Ok(Subject { sku: sku.clone(), title, item: item.clone(), target: Arc::new(target) })
            }
            _ => Err(format!("`{sku}` stands for several items; name a plain article")),
        },
        Some(Found::Ambiguous { candidates }) => {
            Err(format!("`{sku}` is the number of several articles: {}", candidates.join(", ")))
        }
        Some(Found::Unusable { reason }) => Err(reason),
        Some(Found::Unknown) | None => {
            Err(format!("the shop has no article `{sku}`; make one for this probe, and let nobody order it"))
        }
    }
}

/// Probes a platform with the article and puts its number back.
pub async fn probe(
    (name, kind): (&str, &'static str),
    platform: &dyn Platform,
    subject: Subject,
    clock: &WallClock,
    pace: Pace,
) -> ContractReport {
    let mut probe = Probe {
        platform,
        traits: platform.traits(),
        subject,
        pace,
        clock: Arc::clone(clock),
        run: format!("probe-{:016x}", getrandom::u64().unwrap_or(0)),
        findings: Vec::new(),
    };
    let sku = probe.subject.sku.to_string();
    let found = format!("`{sku}` is `{}` ({})", probe.subject.title, probe.subject.item);
    probe.note("look_up", Verdict::Kept, found);
    let before = probe.number().await;
    let mut after = None;
    match before {
        None => probe.note("look_up", Verdict::Unclear, "its number cannot be read".to_owned()),
        Some(before) => {
            probe.tell_and_repeat(before).await;
            probe.levels().await;
            after = probe.put_back(before).await;
        }
    }
    let conclusion = conclusion(&probe.traits, &probe.findings);
    ContractReport { platform: name.to_owned(), kind, sku, before, after, findings: probe.findings, conclusion }
}

struct Probe<'a> {
    platform: &'a dyn Platform,
    traits: Traits,
    subject: Subject,
    pace: Pace,
    clock: WallClock,
    /// Makes the keys of this run its own.
    run: String,
    findings: Vec<Finding>,
}

impl Probe<'_> {
    fn note(&mut self, step: &'static str, verdict: Verdict, seen: String) {
        self.findings.push(Finding { step, verdict, seen });
    }

    fn key(&self, step: &str) -> IdempotencyKey {
        IdempotencyKey::new(format!("{}-{step}", self.run))
    }

    async fn look(&self, sent: Option<Sent>) -> Result<Seen, String> {
        let question = ReadBack { items: vec![self.subject.item.clone()], sent };
        let seen = self.platform.read_back(&question).await.map_err(words)?;
        seen.into_iter().next().ok_or_else(|| "the platform says nothing of it".to_owned())
    }

    async fn number(&self) -> Option<i64> {
        self.look(None).await.ok()?.number
    }

    /// The number once it is `due`, or what it is after all looks.
    async fn settled(&self, due: i64) -> Option<i64> {
        let mut number = None;
        for _ in 0..self.pace.looks {
            number = self.number().await;
            if number == Some(due) {
                return number;
            }
            tokio::time::sleep(self.pace.look_every).await;
        }
        number
    }

    /// The number after it had time to move once more.
    async fn rested(&self) -> Option<i64> {
        for _ in 0..self.pace.looks {
            tokio::time::sleep(self.pace.look_every).await;
        }
        self.number().await
    }

    fn change(&self, units: i64) -> Change {
        Change {
            entry: EntryId(0),
            sku: self.subject.sku.clone(),
            target: Some(Arc::clone(&self.subject.target)),
            delta: Quantity::from_units(units).unwrap_or_default(),
            units,
            on_hand: None,
            transaction: None,
            sold_at: None,
            kind: "adjustment",
        }
    }

    fn absolute(&self, key: &IdempotencyKey, on_hand: i64, expected: i64) -> Arc<[u8]> {
        let part = TargetPart { item: self.subject.item.clone(), per: 1 };
        self.platform.encode_absolute(key, &[Absolute { part, on_hand, expected }]).into()
    }

    async fn tell_and_repeat(&mut self, before: i64) {
        let frozen_at = (self.clock)();
        let due = before.saturating_add(1);
        let (step, key, body): (_, _, Arc<[u8]>) = match self.traits.writes {
            Writes::Delta => {
                let key = self.key("change");
                let body = self.platform.encode(&key, &[self.change(1)]).into();
                ("change", key, body)
            }
            Writes::Absolute => {
                let key = self.key("absolute");
                let body = self.absolute(&key, due, before);
                ("absolute", key, body)
            }
        };
        if !self.written(step, &key, &body, before, due).await {
            return;
        }
        self.evidence(&key, frozen_at).await;
        self.repeat(&key, &body, due).await;
        self.compare().await;
    }

    /// Sends one unit more; `false` if that is as far as it goes.
    async fn written(
        &mut self,
        step: &'static str,
        key: &IdempotencyKey,
        body: &Arc<[u8]>,
        before: i64,
        due: i64,
    ) -> bool {
        let answer = self.platform.send(key, Arc::clone(body)).await;
        if !matches!(answer, Answer::Applied { .. }) {
            self.note(step, Verdict::Unclear, format!("one unit more was not taken: {}", said(&answer)));
            return false;
        }
        match self.settled(due).await {
            Some(number) if number == due => {
                self.note(step, Verdict::Kept, format!("one unit more: the number went from {before} to {number}"));
                true
            }
            Some(number) => {
                let seen =
                    format!("one unit more was taken, but the number went from {before} to {number}, not to {due}");
                self.note(step, Verdict::Broken, seen);
                false
            }
            None => {
                self.note(step, Verdict::Unclear, "its number cannot be read any more".to_owned());
                false
            }
        }
    }

    /// Evidence of a change that is in effect, and of one that was never sent.
    async fn evidence(&mut self, key: &IdempotencyKey, frozen_at: Timestamp) {
        let sent = |key: IdempotencyKey| Some(Sent { key, frozen_at, changes: vec![1] });
        let of_ours = self.look(sent(key.clone())).await.map(|seen| seen.evidence);
        let of_none = self.look(sent(self.key("never"))).await.map(|seen| seen.evidence);
        let (verdict, seen) = match (&of_ours, &of_none) {
            (Err(reason), _) | (_, Err(reason)) => (Verdict::Unclear, reason.as_str()),
            (Ok(Evidence::NotApplied), _) => {
                (Verdict::Broken, "it is said of a change that is in effect that it is not: it would be sent twice")
            }
            (_, Ok(Evidence::Applied)) => {
                (Verdict::Broken, "it is said of a change that was never sent that it is in effect: it would be lost")
            }
            (Ok(Evidence::Silent), Ok(_)) => {
                (Verdict::Kept, "the platform cannot tell a single change; the number and the key decide")
            }
            (Ok(Evidence::Applied), Ok(_)) => {
                (Verdict::Kept, "the platform tells a change that is in effect from one that is not")
            }
        };
        let seen = seen.to_owned();
        self.note("evidence", verdict, seen);
    }

    /// The same bytes under the same key.
    async fn repeat(&mut self, key: &IdempotencyKey, body: &Arc<[u8]>, due: i64) {
        let keyless = self.traits.key_window == Some(Duration::ZERO);
        if keyless && self.traits.writes == Writes::Delta {
            let seen = "there are no keys here: a change whose reply was lost is read back before it is sent again";
            self.note("key", Verdict::Kept, seen.to_owned());
            return;
        }
        let answer = self.platform.send(key, Arc::clone(body)).await;
        let (verdict, seen) = match (self.rested().await, &answer) {
            (None, _) => (Verdict::Unclear, "its number cannot be read any more".to_owned()),
            (Some(number), Answer::Applied { .. }) if number == due => {
                (Verdict::Kept, format!("the same request again changed nothing: the number is still {number}"))
            }
            (Some(number), _) if number == due => (
                Verdict::Unclear,
                format!("the same request again changed nothing, and was answered: {}", said(&answer)),
            ),
            (Some(number), _) => {
                let seen = format!("the same request again moved the number once more, from {due} to {number}");
                (Verdict::Broken, seen)
            }
        };
        self.note("key", verdict, seen);
    }

    /// An absolute write that expects another number.
    async fn compare(&mut self) {
        if !self.traits.compare_and_set {
            return;
        }
        let Some(now) = self.number().await else {
            self.note("compare_and_set", Verdict::Unclear, "its number cannot be read any more".to_owned());
            return;
        };
        let key = self.key("compare");
        let body = self.absolute(&key, now.saturating_add(2), now.saturating_add(WRONG_BY));
        let answer = self.platform.send(&key, body).await;
        let overtaken = |rows: &[RowRefusal]| rows.iter().all(|row| row.remedy == RowRemedy::ReadAgain);
        let refused =
            matches!(&answer, Answer::Stale) || matches!(&answer, Answer::RowsRefused { rows } if overtaken(rows));
        let (verdict, seen) = match self.rested().await {
            Some(number) if number == now && refused => {
                (Verdict::Kept, "a number that expects another one than there is was refused".to_owned())
            }
            Some(number) if number == now => (
                Verdict::Unclear,
                format!("a write that expects a wrong number changed nothing, and was answered: {}", said(&answer)),
            ),
            Some(number) => {
                let seen = format!("a write that expects a wrong number was taken: {now} became {number}");
                (Verdict::Broken, seen)
            }
            None => (Verdict::Unclear, "its number cannot be read any more".to_owned()),
        };
        self.note("compare_and_set", verdict, seen);
    }

    /// The article in the pages of all numbers.
    async fn levels(&mut self) {
        if self.traits.number == Number::None {
            return;
        }
        let (mut page, mut pages) = (None, 0);
        let found = loop {
            let read = match self.platform.levels(page.take()).await {
                Ok(read) => read,
                Err(failure) => break Err(words(failure)),
            };
            pages += 1;
            if let Some(level) = read.levels.into_iter().find(|level| level.item == self.subject.item) {
                break Ok(Some(level));
            }
            page = read.next;
            if page.is_none() || pages == PAGES_MAX {
                break Ok(None);
            }
        };
        let number = self.number().await;
        let (verdict, seen) = match found {
            Err(reason) => (Verdict::Unclear, reason),
            Ok(None) => (Verdict::Broken, format!("the article is in none of {pages} pages of all numbers")),
            Ok(Some(level)) if level.sku != self.subject.sku => {
                (Verdict::Unclear, format!("the pages of all numbers call the article `{}`", level.sku))
            }
            Ok(Some(level)) if Some(level.number) == number => {
                (Verdict::Kept, format!("page {pages} of all numbers has the article with {}", level.number))
            }
            Ok(Some(level)) => {
                let shown = number.map_or_else(|| "nothing".to_owned(), |number| number.to_string());
                (Verdict::Broken, format!("the pages of all numbers say {}, the article itself {shown}", level.number))
            }
        };
        self.note("levels", verdict, seen);
    }

    /// The number as it was before.
    async fn put_back(&mut self, before: i64) -> Option<i64> {
        let now = self.number().await;
        let Some(moved) = now.map(|now| now.saturating_sub(before)) else {
            self.note("put_back", Verdict::Unclear, format!("its number cannot be read; it was {before}"));
            return None;
        };
        if moved == 0 {
            self.note("put_back", Verdict::Kept, format!("the number is {before}, as it was"));
            return now;
        }
        let key = self.key("back");
        let body = match self.traits.writes {
            Writes::Delta => self.platform.encode(&key, &[self.change(moved.saturating_neg())]).into(),
            Writes::Absolute => self.absolute(&key, before, now.unwrap_or(before)),
        };
        let answer = self.platform.send(&key, body).await;
        let after = self.settled(before).await;
        if after == Some(before) {
            self.note("put_back", Verdict::Kept, format!("the number is {before} again"));
        } else {
            let seen = format!("the number was {before} and could not be put back: {}; set it by hand", said(&answer));
            self.note("put_back", Verdict::Unclear, seen);
        }
        after
    }
}

fn conclusion(traits: &Traits, findings: &[Finding]) -> String {
    let broken: Vec<&str> =
        findings.iter().filter(|finding| finding.verdict == Verdict::Broken).map(|finding| finding.step).collect();
    if !broken.is_empty() {
        return format!(
            "this platform does not keep what the agent relies on ({}): do not connect a store to it, and report this",
            broken.join(", ")
        );
    }
    let class = match (traits.writes, traits.key_window) {
        (Writes::Absolute, _) => "numbers that are read, changed, written and read again",
        (Writes::Delta, Some(Duration::ZERO)) => "changes without keys that are read back after a lost reply",
        (Writes::Delta, _) => "changes under keys that stop a repeat",
    };
    if findings.iter().any(|finding| finding.verdict == Verdict::Unclear) {
        return format!("nothing speaks against {class}, but not all could be found out");
    }
    format!("as the agent relies on: {class}")
}

/// An answer in a few words.
fn said(answer: &Answer) -> String {
    match answer {
        Answer::Applied { .. } => "taken".to_owned(),
        Answer::RowsRefused { rows } | Answer::Mixed { rows, .. } => {
            rows.first().map_or_else(|| "refused".to_owned(), |row| format!("refused, {}: {}", row.code, row.message))
        }
        Answer::NeedsAbsolute { reason } => format!("no relative change is taken: {reason}"),
        Answer::Refused { code, message } => format!("refused, {code}: {message}"),
        Answer::TooLarge => "too large".to_owned(),
        Answer::KeySpent { message } => format!("the key is spent: {message}"),
        Answer::KeyConflict { message } => format!("the key was used otherwise: {message}"),
        Answer::InProgress => "still being worked on".to_owned(),
        Answer::Throttled { .. } => "too many requests".to_owned(),
        Answer::Unavailable { reason, .. } => format!("not reached: {reason}"),
        Answer::Unknown { reason, .. } => format!("no clear answer: {reason}"),
        Answer::LaneRefused { cause, detail } => format!("{}: {detail}", cause.as_str()),
        Answer::Stale => "the number is another one by now".to_owned(),
    }
}

fn words(failure: CallFailure) -> String {
    match failure {
        CallFailure::Passing { reason, .. } => reason,
        CallFailure::LaneRefused { cause, detail } => format!("{}: {detail}", cause.as_str()),
    }
}
