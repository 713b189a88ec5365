//! The lanes of values: prices of variants, and goods on order (`incoming`).
//!
//! A value replaces what is there, so writing it twice is writing it once; no key is needed for that. What must not happen
//! is that an older value arrives after a newer one:
//!
//! - **Prices** (`productVariantsBulkUpdate`, which knows no idempotency key): a SKU has one request at a time, and a
//!   request whose reply was lost is repeated only after [`SETTLE_AFTER`](crate::platform::SETTLE_AFTER), when the shop
//!   cannot still be working on it. One product a request: that is what the mutation takes.
//! - **Goods on order**: Shopify takes only differences of this number (`inventoryAdjustQuantities`, name `incoming`). The
//!   number is read and the difference written on condition that it is still the one that was read, so a late or repeated
//!   request changes nothing. The key follows from what is written, as Shopify wants one for every adjustment.
//!
//! With backorders the variant is sold below zero exactly while goods are on order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sync_core::model::{IdempotencyKey, Quantity, Sku};
use sync_core::outbox::verdict::{Answer, RowRefusal, RowRemedy};

use super::client::Shop;
use super::map::{json, reference, title};
use super::wire::values::{
    IncomingBody, IncomingNode, IncomingRow, PRICE, ProductVariables, READ_INCOMING, VariantInput,
};
use super::wire::{ADJUST, AdjustRow, Input, NodesData, Request, Variant, WriteVariables};
use crate::platform::transport::status::answer_not_made;
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, SETTLE_AFTER, Seen, Target,
    TargetPart, Traits,
};

/// Items of one request of goods on order; they are read before.
const INCOMING_ROWS_MAX: usize = 100;
/// What one of these writes costs until the shop has said so.
const POINTS_UNTIL_TOLD: i64 = 15;
/// Before a number that somebody else has just changed is read again.
const OVERTAKEN_WAIT: Duration = Duration::from_secs(1);
/// Stands between the inventory item and the variant in a place.
const AND: char = '|';
/// Stands between the variant and its product in a place.
const OF: char = '@';

/// What a place on the platform is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Stock: the item, or the components of a bundle.
    Stock,
    /// The variant's price.
    Price,
    /// Goods on order.
    Incoming,
}

/// Where a price goes.
pub(super) fn price_place(variant: &Variant) -> Found {
    let item = format!("{}{OF}{}", variant.id, variant.product.id);
    found(item, variant)
}

/// Where goods on order go: the item, and its variant where that is sold below zero meanwhile.
pub(super) fn incoming_place(variant: &Variant, backorders: bool) -> Found {
    if variant.requires_components {
        let reason = format!("`{}` is a bundle: order its parts one by one", title(variant));
        return Found::Unusable { reason };
    }
    let mut item = variant.inventory_item.id.clone();
    if backorders {
        item.push_str(&format!("{AND}{}{OF}{}", variant.id, variant.product.id));
    }
    found(item, variant)
}

fn found(item: String, variant: &Variant) -> Found {
    let target = Target { parts: vec![TargetPart { item, per: 1 }] };
    Found::Target { target, on_hand: vec![0], title: title(variant) }
}

/// What both lanes have in common.
fn traits(rows_max: usize, in_flight_max: usize) -> Traits {
    Traits {
        whole_units: false,
        needs_target: true,
        rows_max,
        in_flight_max,
        merge: true,
        latest: true,
        key_window: None,
        reads_back: false,
        ..Traits::default()
    }
}

/// The lane of prices.
pub(super) struct Prices {
    pub(super) shop: Arc<Shop>,
    points: AtomicI64,
}

impl Prices {
    pub(super) const fn new(shop: Arc<Shop>) -> Self {
        Self { shop, points: AtomicI64::new(POINTS_UNTIL_TOLD) }
    }
}

impl Platform for Prices {
    fn traits(&self) -> Traits {
        // No keys, nothing to read back: a repeat waits until the first cannot be under way any more.
        Traits {
            key_window: Some(Duration::ZERO),
            settle_after: SETTLE_AFTER,
            ..traits(1, self.shop.settings.in_flight_max)
        }
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        let places = changes.iter().flat_map(|change| {
            let parts = change.target.iter().flat_map(|target| &target.parts);
            parts.filter_map(|part| Some((part.item.split_once(OF)?, change.delta)))
        });
        let mut product = "";
        let mut variants = Vec::new();
        for ((variant, of), price) in places {
            // One product a request: so the lane hands one row over.
            product = if product.is_empty() { of } else { product };
            if of == product {
                variants.push(VariantInput { id: variant, price: Some(money(price)), inventory_policy: None });
            }
        }
        json(&Request { query: PRICE, variables: ProductVariables { product, variants } })
    }

    fn encode_absolute(&self, key: &IdempotencyKey, _rows: &[Absolute]) -> Vec<u8> {
        debug_assert!(false, "a price is never read back");
        self.encode(key, &[])
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.shop.write(&body, &body, &self.points).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.shop.find(skus, Purpose::Price))
    }

    fn read_back<'a>(&'a self, _question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.shop.probe_shop())
    }
}

/// The lane of goods on order.
pub(super) struct Incoming {
    pub(super) shop: Arc<Shop>,
    points: AtomicI64,
}

/// One item as it stands now and as it should.
struct Step<'a> {
    place: &'a str,
    item: &'a str,
    now: i64,
    due: i64,
}

impl Incoming {
    pub(super) const fn new(shop: Arc<Shop>) -> Self {
        Self { shop, points: AtomicI64::new(POINTS_UNTIL_TOLD) }
    }

    async fn write(&self, key: &IdempotencyKey, frozen: &[u8]) -> Answer {
        let Ok(body) = serde_json::from_slice::<IncomingBody>(frozen) else {
            return Answer::Refused { code: "no_body".to_owned(), message: "these bytes are none of ours".to_owned() };
        };
        let steps = match self.steps(&body.incoming).await {
            Ok(Ok(steps)) => steps,
            Ok(Err(rows)) => return Answer::RowsRefused { rows },
            Err(failure) => return answer_not_made(failure),
        };
        match self.adjust(key, &steps).await {
            Answer::Applied { reference } => match self.policies(&steps).await {
                Answer::Applied { .. } => Answer::Applied { reference },
                other => other,
            },
            Answer::Stale => Answer::Unavailable {
                wait: Some(OVERTAKEN_WAIT),
                reason: "the number of goods on order was changed by others meanwhile".to_owned(),
            },
            Answer::RowsRefused { rows } => Answer::RowsRefused { rows: by_place(rows, &steps) },
            other => other,
        }
    }

    /// The inner error: rows whose item is gone or not stocked.
    async fn steps<'a>(&self, rows: &'a [IncomingRow]) -> Result<Result<Vec<Step<'a>>, Vec<RowRefusal>>, CallFailure> {
        let items: Vec<String> = rows.iter().map(|row| item_of(&row.place).to_owned()).collect();
        let numbers = self.shop.incoming(&items).await?;
        let (mut steps, mut refused) = (Vec::new(), Vec::new());
        for (row, number) in rows.iter().zip(numbers) {
            match number {
                Some(now) => {
                    steps.push(Step { place: &row.place, item: item_of(&row.place), now, due: row.units });
                }
                None => refused.push(RowRefusal {
                    item: row.place.clone(),
                    code: "not_stocked".to_owned(),
                    message: "the item is gone, or not stocked at the location".to_owned(),
                    remedy: RowRemedy::LookUpAgain,
                }),
            }
        }
        Ok(if refused.is_empty() { Ok(steps) } else { Err(refused) })
    }

    async fn adjust(&self, key: &IdempotencyKey, steps: &[Step<'_>]) -> Answer {
        let settings = &self.shop.settings;
        let location = match self.shop.location_id().await {
            Ok(location) => location,
            Err(failure) => return answer_not_made(failure),
        };
        // One document for all, so that raising and lowering are entries of one ledger.
        let ledger =
            format!("gid://{}/Incoming/{}", settings.app_name, location.rsplit('/').next().unwrap_or_default());
        let changes: Vec<AdjustRow<'_>> = steps
            .iter()
            .filter(|step| step.now != step.due)
            .map(|step| AdjustRow {
                inventory_item_id: step.item,
                location_id: location,
                delta: step.due.saturating_sub(step.now),
                change_from_quantity: Some(step.now),
                ledger_document_uri: Some(&ledger),
            })
            .collect();
        if changes.is_empty() {
            return Answer::Applied { reference: None };
        }
        let (key, reference) = (step_key(key, steps), reference(&settings.app_name, key));
        let input = Input {
            name: "incoming",
            reason: "other",
            reference_document_uri: &reference,
            changes: Some(changes),
            quantities: None,
        };
        let body = json(&Request { query: ADJUST, variables: WriteVariables { input, key: &key } });
        self.shop.write(&body, &body, &self.points).await
    }

    /// Sold below zero while goods are on order, and only then.
    async fn policies(&self, steps: &[Step<'_>]) -> Answer {
        for step in steps {
            let Some((variant, product)) = step.place.split_once(AND).and_then(|(_, rest)| rest.split_once(OF)) else {
                continue;
            };
            let policy = if step.due > 0 { "CONTINUE" } else { "DENY" };
            let variants = vec![VariantInput { id: variant, price: None, inventory_policy: Some(policy) }];
            let body = json(&Request { query: PRICE, variables: ProductVariables { product, variants } });
            match self.shop.write(&body, &body, &self.points).await {
                Answer::Applied { .. } => {}
                Answer::RowsRefused { rows } => {
                    let rows = rows.into_iter().map(|row| RowRefusal { item: step.place.to_owned(), ..row }).collect();
                    return Answer::RowsRefused { rows };
                }
                other => return other,
            }
        }
        Answer::Applied { reference: None }
    }
}

impl Platform for Incoming {
    fn traits(&self) -> Traits {
        // The policy is written product by product.
        let rows_max = if self.shop.settings.backorder_while_incoming { 1 } else { INCOMING_ROWS_MAX };
        traits(rows_max, 1)
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        let mut rows: BTreeMap<&str, i64> = BTreeMap::new();
        for change in changes {
            for part in change.target.iter().flat_map(|target| &target.parts) {
                rows.insert(&part.item, change.delta.floor_units().max(0));
            }
        }
        let incoming = rows.into_iter().map(|(place, units)| IncomingRow { place: place.to_owned(), units }).collect();
        json(&IncomingBody { incoming })
    }

    fn encode_absolute(&self, key: &IdempotencyKey, _rows: &[Absolute]) -> Vec<u8> {
        debug_assert!(false, "goods on order are never read back");
        self.encode(key, &[])
    }

    fn send<'a>(&'a self, key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.write(key, &body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.shop.find(skus, Purpose::Incoming))
    }

    fn read_back<'a>(&'a self, _question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.shop.probe_shop())
    }
}

impl Shop {
    /// Goods on order now; `None` where the item is gone or has no level.
    async fn incoming(&self, items: &[String]) -> Result<Vec<Option<i64>>, CallFailure> {
        let nodes: Vec<Option<IncomingNode>> = self.nodes(READ_INCOMING, items).await?;
        Ok(nodes.into_iter().map(|node| node?.inventory_level?.named("incoming")).collect())
    }

    /// Objects by their ids, in the same order.
    pub(super) async fn nodes<T: serde::de::DeserializeOwned>(
        &self,
        query: &'static str,
        ids: &[String],
    ) -> Result<Vec<Option<T>>, CallFailure> {
        /// The platform takes 250 ids, but each costs several points of the 1,000.
        const IDS_MAX: usize = 100;
        const POINTS_EACH: i64 = 5;
        #[derive(serde::Serialize)]
        struct Variables<'a> {
            ids: &'a [String],
            location: &'a str,
        }
        let location = self.location_id().await?;
        let mut nodes = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS_MAX) {
            let points = i64::try_from(ids.len()).unwrap_or(i64::MAX).saturating_mul(POINTS_EACH);
            let data: NodesData<T> = self.ask(query, Variables { ids, location }, points).await?;
            if data.nodes.len() != ids.len() {
                let reason = format!("{} items were asked for and {} came back", ids.len(), data.nodes.len());
                return Err(CallFailure::Passing { wait: None, reason });
            }
            nodes.extend(data.nodes);
        }
        Ok(nodes)
    }
}

fn item_of(place: &str) -> &str {
    place.split_once(AND).map_or(place, |(item, _)| item)
}

/// Refused rows name the inventory item; the lane knows the place.
fn by_place(rows: Vec<RowRefusal>, steps: &[Step<'_>]) -> Vec<RowRefusal> {
    rows.into_iter()
        .map(|row| {
            let place = steps.iter().find(|step| step.item == row.item).map(|step| step.place.to_owned());
            RowRefusal { item: place.unwrap_or_else(|| row.item.clone()), ..row }
        })
        .collect()
}

/// The same step has the same key; another one has another.
fn step_key(key: &IdempotencyKey, steps: &[Step<'_>]) -> String {
    use std::fmt::Write as _;
    let mut digest = Sha256::new();
    for step in steps {
        digest.update(format!("{} {} {};", step.item, step.now, step.due));
    }
    let mut text = format!("{key}-");
    for byte in digest.finalize().iter().take(8) {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// A price as Shopify takes it: a decimal number without needless zeros.
fn money(price: Quantity) -> String {
    price.to_string()
}

#[cfg(test)]
mod tests;
