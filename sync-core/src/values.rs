//! Values of articles that the POS decides and the platforms are told: prices, units on order from suppliers.
//!
//! A reading of the whole list is compared with the latest value of each article; only what differs is told. A list that
//! looks wrong is not believed: it is held for a person (invariant 9).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{Quantity, Sku};

/// Most values of one list.
pub const VALUES_MAX: usize = 500_000;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// A price in major units of the currency.
    Price,
    /// Units on order from suppliers.
    Incoming,
}

impl ValueKind {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Incoming => "incoming",
        }
    }
}

/// What is believed without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueLimits {
    /// A change of more than this share of the former price is a large one.
    pub change_percent: u32,
    /// So many large changes at once are believed; with incoming goods, so many articles that are no longer on order.
    pub articles: usize,
    /// A larger share of all known prices that change at once is not believed (beyond [`Self::articles`]).
    pub share_percent: u32,
}

impl Default for ValueLimits {
    fn default() -> Self {
        Self { change_percent: 30, articles: 20, share_percent: 50 }
    }
}

/// One article whose value differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub sku: Sku,
    /// The latest value; `None` if the article is new.
    pub before: Option<Quantity>,
    /// The value as read.
    pub after: Quantity,
}

/// What a reading means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// To be recorded and told.
    pub apply: Vec<Change>,
    /// To be held for a person.
    pub hold: Vec<Change>,
    /// Why, in words; empty if nothing is held.
    pub reasons: Vec<String>,
    /// Why the whole reading is worth nothing.
    pub unbelievable: Option<String>,
}

/// Compares a reading with what is known. `refused` are values that a person has refused.
#[must_use]
pub fn judge(
    kind: ValueKind,
    known: &BTreeMap<Sku, Quantity>,
    read: &BTreeMap<Sku, Quantity>,
    refused: &BTreeSet<(Sku, Quantity)>,
    limits: &ValueLimits,
) -> Verdict {
    let changes = changes(kind, known, read, refused);
    match kind {
        ValueKind::Price => prices(changes, known.len(), read.is_empty(), limits),
        ValueKind::Incoming => incoming(changes, known, read.is_empty(), limits),
    }
}

fn changes(
    kind: ValueKind,
    known: &BTreeMap<Sku, Quantity>,
    read: &BTreeMap<Sku, Quantity>,
    refused: &BTreeSet<(Sku, Quantity)>,
) -> Vec<Change> {
    let mut changes: Vec<Change> = read
        .iter()
        .map(|(sku, after)| Change { sku: sku.clone(), before: known.get(sku).copied(), after: *after })
        // An article that never had a price and has none now is one whose price is typed in at the till.
        .filter(|change| change.before != Some(change.after) && (change.before.is_some() || !change.after.is_zero()))
        .collect();
    if kind == ValueKind::Incoming {
        let gone = known.iter().filter(|(sku, before)| !before.is_zero() && !read.contains_key(*sku));
        changes.extend(gone.map(|(sku, before)| Change {
            sku: sku.clone(),
            before: Some(*before),
            after: Quantity::ZERO,
        }));
    }
    changes.retain(|change| !refused.contains(&(change.sku.clone(), change.after)));
    changes
}

fn prices(changes: Vec<Change>, known: usize, is_empty: bool, limits: &ValueLimits) -> Verdict {
    if is_empty {
        let reason = "the list has no prices at all; nothing was changed".to_owned();
        return Verdict { unbelievable: (known > 0).then_some(reason), ..Verdict::default() };
    }
    let mut verdict = Verdict::default();
    let (good, none): (Vec<Change>, Vec<Change>) =
        changes.into_iter().partition(|change| !change.after.is_negative() && !change.after.is_zero());
    if !none.is_empty() {
        verdict.reasons.push(format!("{} would have a price of nothing or less", articles(none.len())));
        verdict.hold = none;
    }
    let large = good.iter().filter(|change| is_large(change, limits.change_percent)).count();
    let changed = good.iter().filter(|change| change.before.is_some()).count();
    let share = known.saturating_mul(usize::try_from(limits.share_percent).unwrap_or(100));
    let mass = if large > limits.articles {
        Some(format!("{} change by more than {} %", articles(large), limits.change_percent))
    } else if changed > limits.articles && changed.saturating_mul(100) > share {
        Some(format!("{changed} of {known} prices change at once"))
    } else {
        None
    };
    match mass {
        Some(reason) => {
            verdict.reasons.push(reason);
            verdict.hold.extend(good);
        }
        None => verdict.apply = good,
    }
    verdict
}

fn is_large(change: &Change, percent: u32) -> bool {
    let Some(before) = change.before.filter(|before| !before.is_zero()) else { return false };
    let difference = i128::from(change.after.saturating_sub(before).magnitude().micros());
    difference.saturating_mul(100) > i128::from(before.magnitude().micros()).saturating_mul(i128::from(percent))
}

fn incoming(changes: Vec<Change>, known: &BTreeMap<Sku, Quantity>, is_empty: bool, limits: &ValueLimits) -> Verdict {
    let on_order = known.values().filter(|units| !units.is_zero()).count();
    if is_empty && on_order > limits.articles {
        let reason = format!("nothing is on order any more, and {} were; nothing was changed", articles(on_order));
        return Verdict { unbelievable: Some(reason), ..Verdict::default() };
    }
    let (apply, hold): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(|change| !change.after.is_negative());
    let reasons = if hold.is_empty() {
        Vec::new()
    } else {
        vec![format!("{} would have less than nothing on order", articles(hold.len()))]
    };
    Verdict { apply, hold, reasons, unbelievable: None }
}

fn articles(count: usize) -> String {
    format!("{count} article{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "numbers are made up here and small")]

    use proptest::prelude::*;

    use super::*;

    fn list(rows: &[(&str, &str)]) -> BTreeMap<Sku, Quantity> {
        rows.iter().map(|(sku, value)| (Sku::from(*sku), Quantity::parse(value).expect("a value"))).collect()
    }

    fn judged(kind: ValueKind, known: &[(&str, &str)], read: &[(&str, &str)]) -> Verdict {
        judge(kind, &list(known), &list(read), &BTreeSet::new(), &ValueLimits::default())
    }

    fn skus(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.sku.as_str()).collect()
    }

    #[test]
    fn only_what_differs_is_told_and_an_article_that_is_not_listed_keeps_its_price() {
        let verdict =
            judged(ValueKind::Price, &[("A", "1"), ("B", "2"), ("C", "3")], &[("A", "1"), ("B", "2.2"), ("D", "4")]);
        assert_eq!(skus(&verdict.apply), ["B", "D"]);
        assert!(verdict.hold.is_empty());
    }

    #[test]
    fn a_price_of_nothing_or_less_is_held_and_the_others_are_told() {
        let verdict =
            judged(ValueKind::Price, &[("A", "1"), ("B", "2")], &[("A", "0"), ("B", "2.1"), ("C", "-1"), ("D", "0")]);
        assert_eq!(skus(&verdict.apply), ["B"]);
        assert_eq!(skus(&verdict.hold), ["A", "C"]);
        assert_eq!(verdict.reasons.len(), 1);
    }

    #[test]
    fn a_column_read_wrongly_is_held_whole() {
        let names: Vec<String> = (0..30).map(|n| format!("S{n:02}")).collect();
        let at = |price: &str| names.iter().map(|n| (Sku::from(n.as_str()), Quantity::parse(price).unwrap())).collect();
        let known: BTreeMap<Sku, Quantity> = at("10");
        let limits = ValueLimits::default();
        for read in ["1000", "12"] {
            let verdict = judge(ValueKind::Price, &known, &at(read), &BTreeSet::new(), &limits);
            assert!(verdict.apply.is_empty(), "{read}");
            assert_eq!(verdict.hold.len(), 30, "{read}");
        }
    }

    #[test]
    fn an_empty_price_list_changes_nothing() {
        assert!(judged(ValueKind::Price, &[("A", "1")], &[]).unbelievable.is_some());
        assert_eq!(judged(ValueKind::Price, &[], &[]), Verdict::default());
    }

    #[test]
    fn goods_that_are_no_longer_on_order_have_arrived() {
        let verdict = judged(ValueKind::Incoming, &[("A", "10"), ("B", "5"), ("C", "0")], &[("A", "4")]);
        let found: Vec<(&str, String)> =
            verdict.apply.iter().map(|change| (change.sku.as_str(), change.after.to_string())).collect();
        assert_eq!(found, [("A", "4".to_owned()), ("B", "0".to_owned())]);
    }

    #[test]
    fn what_a_person_has_refused_is_not_asked_again() {
        let refused = BTreeSet::from([(Sku::from("A"), Quantity::ZERO)]);
        let verdict =
            judge(ValueKind::Price, &list(&[("A", "1")]), &list(&[("A", "0")]), &refused, &ValueLimits::default());
        assert_eq!(verdict, Verdict::default());
    }

    proptest! {
        /// What is told makes the known values equal to the list; told again, it gives nothing.
        #[test]
        fn a_list_that_was_taken_in_gives_nothing_more(
            known in prop::collection::btree_map(0_u8..40, 1_i64..2_000, 0..40),
            read in prop::collection::btree_map(0_u8..40, -5_i64..2_000, 0..40),
            is_price: bool,
        ) {
            let values = |rows: &BTreeMap<u8, i64>| -> BTreeMap<Sku, Quantity> {
                rows.iter().map(|(sku, cents)| (Sku::new(format!("S{sku}")), Quantity::from_micros(cents * 10_000))).collect()
            };
            let kind = if is_price { ValueKind::Price } else { ValueKind::Incoming };
            let (mut known, read) = (values(&known), values(&read));
            let verdict = judge(kind, &known, &read, &BTreeSet::new(), &ValueLimits::default());
            for change in &verdict.apply {
                prop_assert!(!change.after.is_negative());
                prop_assert_eq!(known.get(&change.sku).copied(), change.before);
                known.insert(change.sku.clone(), change.after);
            }
            let again = judge(kind, &known, &read, &BTreeSet::new(), &ValueLimits::default());
            let held: BTreeSet<&Sku> = verdict.hold.iter().map(|change| &change.sku).collect();
            prop_assert!(again.apply.iter().all(|change| held.contains(&change.sku)), "{:?}", again.apply);
        }
    }
}
