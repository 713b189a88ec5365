//! From what the platform shows and what the ledger knows to a plan of repairs (invariants 6, 8, 9).
//!
//! Pure: a [`Snapshot`] and [`Rules`] give a [`Plan`] that prints. The plan repairs only what was seen different twice in
//! the same way, whose article is counted, and of which nothing is on its way; it is bounded, and held for a person
//! where it would change more than is believable. Executors carry it out as it stands.
//!
//! ```text
//!  difference ──first time──► found ──again, the same, later──► confirmed ──► repair (one key, fenced, CAS where there is one)
//!                               └── gone or another number ──► forgotten / found anew
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Quantity, Sku, Timestamp};

mod rules;
#[cfg(test)]
mod tests;

pub use rules::{HoldReason, Rules};

/// What the ledger knows of one article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// What lies on the shelf; `None` if it was never counted.
    pub on_hand: Option<Quantity>,
    /// Changes of it wait or are under way to this platform.
    pub on_its_way: bool,
    /// The platform's item that it is known as; `None` if it was never looked up.
    pub item: Option<String>,
    /// It stands for several items or several units of one: a bundle or a pack.
    pub composite: bool,
    /// Units that the shop is never told.
    pub buffer: i64,
}

/// One number of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The platform's item.
    pub item: String,
    /// The article number that it has there.
    pub sku: Sku,
    /// The number.
    pub number: i64,
}

/// A difference as an earlier look saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The platform's number.
    pub shown: i64,
    /// What it should have been.
    pub due: i64,
    /// When.
    pub seen_at: Timestamp,
}

/// Everything a plan is made from.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The ledger's articles.
    pub articles: BTreeMap<Sku, Article>,
    /// The platform's numbers.
    pub shown: Vec<Shown>,
    /// Where the platform's number is net: units of open online orders, by item. Empty where it is physical.
    pub open_orders: BTreeMap<String, i64>,
    /// Earlier findings, by item.
    pub findings: BTreeMap<String, Finding>,
    /// The platform takes no number below zero.
    pub floor_zero: bool,
}

/// Where a difference stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Seen for the first time, or not the same as before: looked at again before anything is written.
    Found,
    /// Seen twice, the same: to be repaired.
    Confirmed,
    /// Confirmed, but beyond what one run repairs.
    Later,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The article.
    pub sku: Sku,
    /// The platform's item.
    pub item: String,
    /// What the platform shows.
    pub shown: i64,
    /// What it should show.
    pub due: i64,
    /// What lies on the shelf.
    pub on_hand: Quantity,
    /// Units of open online orders that are off the platform's number already.
    pub open_orders: i64,
    /// Units that the shop is never told.
    pub buffer: i64,
    /// Where it stands.
    pub standing: Standing,
}

impl Difference {
    /// Units by which the platform's number changes.
    #[must_use]
    pub const fn change(&self) -> i64 {
        self.due.saturating_sub(self.shown)
    }

    /// In words, for the drift log.
    #[must_use]
    pub fn why(&self) -> String {
        let mut why = format!("the store has {}", self.on_hand);
        if self.open_orders != 0 {
            why.push_str(&format!(", {} of them sold online", self.open_orders));
        }
        if self.buffer != 0 {
            why.push_str(&format!(", {} kept back", self.buffer));
        }
        why.push_str(&format!("; the shop showed {}", self.shown));
        why
    }
}

/// Why an article was not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// The store does not know it.
    NotInStore,
    /// It was never counted: nobody knows what the number should be.
    NeverCounted,
    /// Changes of it are on their way.
    OnItsWay,
    /// Its number stands more than once on the platform.
    Doubled,
    /// It is known as another item.
    OtherItem,
    /// It is a bundle or a pack there.
    Composite,
    /// Counted in the store, and not on the platform.
    NotOnPlatform,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Articles compared.
    pub compared: usize,
    /// Of those, equal.
    pub equal: usize,
    /// Of those, different; by article.
    pub differences: Vec<Difference>,
    /// Not compared, and why.
    pub skipped: BTreeMap<Skipped, usize>,
    /// Why a person has to look first; empty: it may be carried out.
    pub held: Vec<HoldReason>,
}

impl Plan {
    /// What is to be written.
    pub fn repairs(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.standing == Standing::Confirmed)
    }

    /// What has to be looked at again.
    pub fn found(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.standing == Standing::Found)
    }

    /// The plan of a run from both of its looks: `second` looked only at what differed in this one.
    #[must_use]
    pub fn after_second_look(self, second: Self, rules: &Rules) -> Self {
        let mut plan = Self {
            compared: self.compared,
            equal: self.equal.saturating_add(second.equal),
            differences: second.differences,
            skipped: self.skipped,
            held: Vec::new(),
        };
        plan.held = rules.holds(&plan);
        plan
    }

    /// Nothing differs.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.differences.is_empty()
    }
}

/// What the platform should show for an article.
#[must_use]
pub fn due(on_hand: Quantity, open_orders: i64, buffer: i64, floor_zero: bool) -> i64 {
    let due = on_hand.floor_units().saturating_sub(open_orders).saturating_sub(buffer);
    // A buffer alone never makes a number negative.
    let due = if buffer > 0 { due.max(on_hand.floor_units().saturating_sub(open_orders).min(0)) } else { due };
    if floor_zero { due.max(0) } else { due }
}

/// Compares and plans.
#[must_use]
pub fn plan(snapshot: &Snapshot, rules: &Rules, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut times: BTreeMap<&Sku, usize> = BTreeMap::new();
    for shown in &snapshot.shown {
        let count = times.entry(&shown.sku).or_default();
        *count = count.saturating_add(1);
    }
    for shown in &snapshot.shown {
        match comparable(snapshot, shown, times.get(&shown.sku).copied().unwrap_or(0)) {
            Err(skipped) => skip(&mut plan, skipped),
            Ok((article, on_hand)) => compare(&mut plan, snapshot, shown, article, on_hand, rules.confirm_after, now),
        }
    }
    let missing = snapshot
        .articles
        .iter()
        .filter(|(sku, article)| article.on_hand.is_some() && !times.contains_key(*sku))
        .count();
    if missing > 0 {
        plan.skipped.insert(Skipped::NotOnPlatform, missing);
    }
    plan.differences.sort_by(|a, b| a.sku.cmp(&b.sku));
    let mut room = rules.repairs_max;
    for difference in &mut plan.differences {
        if difference.standing == Standing::Confirmed {
            match room.checked_sub(1) {
                Some(rest) => room = rest,
                None => difference.standing = Standing::Later,
            }
        }
    }
    plan.held = rules.holds(&plan);
    plan
}

fn skip(plan: &mut Plan, skipped: Skipped) {
    let count = plan.skipped.entry(skipped).or_default();
    *count = count.saturating_add(1);
}

fn comparable<'a>(snapshot: &'a Snapshot, shown: &Shown, times: usize) -> Result<(&'a Article, Quantity), Skipped> {
    let article = snapshot.articles.get(&shown.sku).ok_or(Skipped::NotInStore)?;
    let on_hand = article.on_hand.ok_or(Skipped::NeverCounted)?;
    if article.composite {
        Err(Skipped::Composite)
    } else if times > 1 {
        Err(Skipped::Doubled)
    } else if article.item.as_ref().is_some_and(|item| *item != shown.item) {
        Err(Skipped::OtherItem)
    } else if article.on_its_way {
        Err(Skipped::OnItsWay)
    } else {
        Ok((article, on_hand))
    }
}

fn compare(
    plan: &mut Plan,
    snapshot: &Snapshot,
    shown: &Shown,
    article: &Article,
    on_hand: Quantity,
    confirm_after: Duration,
    now: Timestamp,
) {
    plan.compared = plan.compared.saturating_add(1);
    let open_orders = snapshot.open_orders.get(&shown.item).copied().unwrap_or(0);
    let due = due(on_hand, open_orders, article.buffer, snapshot.floor_zero);
    if due == shown.number {
        plan.equal = plan.equal.saturating_add(1);
        return;
    }
    let same = snapshot.findings.get(&shown.item).is_some_and(|finding| {
        finding.due.saturating_sub(finding.shown) == due.saturating_sub(shown.number)
            && now.since(finding.seen_at) >= confirm_after
    });
    plan.differences.push(Difference {
        sku: shown.sku.clone(),
        item: shown.item.clone(),
        shown: shown.number,
        due,
        on_hand,
        open_orders,
        buffer: article.buffer,
        standing: if same { Standing::Confirmed } else { Standing::Found },
    });
}
