//! What the lane does with a platform that takes numbers only, step by step: read, add, write, and from the start again
//! if somebody else was there.

use std::sync::Arc;

use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::verdict::Answer;
use tillsync::platform::{Absolute, Found, Level, OnlineOrder, OrdersSince, Platform, ReadBack, Target, TargetPart};

use super::web::unique;

/// Tries of one change; each loses against another writer.
const TRIES_MAX: usize = 50;

/// The number of an item.
pub(super) async fn shown(platform: &dyn Platform, item: &str) -> Option<i64> {
    let question = ReadBack { items: vec![item.to_owned()], sent: None };
    platform.read_back(&question).await.unwrap()[0].number
}

/// Writes a number that is worked out from `expected`.
pub(super) async fn write(platform: &dyn Platform, item: &str, expected: i64, on_hand: i64) -> Answer {
    write_as(platform, &IdempotencyKey::new(unique("key")), item, expected, on_hand).await
}

pub(super) async fn write_as(
    platform: &dyn Platform,
    key: &IdempotencyKey,
    item: &str,
    expected: i64,
    on_hand: i64,
) -> Answer {
    let part = TargetPart { item: item.to_owned(), per: 1 };
    let body: Arc<[u8]> = platform.encode_absolute(key, &[Absolute { part, on_hand, expected }]).into();
    platform.send(key, body).await
}

/// A change, as often as others get in between. Returns how often that was.
pub(super) async fn ring_up(platform: &dyn Platform, item: &str, change: i64) -> usize {
    for tries in 0..TRIES_MAX {
        let number = shown(platform, item).await.unwrap();
        let answer = write(platform, item, number, number + change).await;
        if matches!(answer, Answer::Applied { .. }) {
            return tries;
        }
        assert_eq!(answer, Answer::Stale);
    }
    panic!("others were there {TRIES_MAX} times");
}

/// The target of one article.
pub(super) async fn found(platform: &dyn Platform, sku: &str) -> Found {
    platform.look_up(&[Sku::from(sku)]).await.unwrap().remove(0)
}

pub(super) fn one_part(found: &Found) -> (String, i64, i64) {
    let Found::Target { target: Target { parts }, on_hand, .. } = found else { panic!("{found:?}") };
    assert_eq!(parts.len(), 1, "{found:?}");
    (parts[0].item.clone(), parts[0].per, on_hand[0])
}

/// Every number of the location.
pub(super) async fn levels(platform: &dyn Platform) -> Vec<Level> {
    let (mut all, mut page) = (Vec::new(), None);
    loop {
        let read = platform.levels(page).await.unwrap();
        all.extend(read.levels);
        page = read.next;
        if page.is_none() {
            return all;
        }
    }
}

/// Every online order of a reading.
pub(super) async fn orders(platform: &dyn Platform, mut since: OrdersSince) -> Vec<OnlineOrder> {
    let mut all = Vec::new();
    loop {
        let read = platform.orders(since.clone()).unwrap().await.unwrap();
        all.extend(read.orders);
        since.page = read.next;
        if since.page.is_none() {
            return all;
        }
    }
}

/// Open and handed-over units of the lines of one order that hold this item.
pub(super) fn units(orders: &[OnlineOrder], order: &str, item: &str) -> Vec<(i64, i64)> {
    let orders = orders.iter().filter(|read| read.id == order);
    let lines = orders.flat_map(|order| &order.lines).filter(|line| line.item == item);
    lines.map(|line| (line.open, line.handed_over)).collect()
}
