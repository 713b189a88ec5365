//! Reading and writing numbers, with the shop's log of stock movements as witness.
//!
//! ```text
//! read number and length of log ─► not as expected: stale, nothing is written
//!        │ as expected
//!        ▼
//! write ─► refused or unknown: so answered
//!        │ taken
//!        ▼
//! read the log since ─► as meant: done
//!        │ units of others were overwritten: read again, and if nothing moved meanwhile, write what is still due
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::PoisonError;

use sync_core::model::IdempotencyKey;
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, RowRefusal, RowRemedy};

use super::client::{Link, only};
use super::map::{Frozen, FrozenRow, Written, at, is_logged, still_due};
use super::wire::{
    BY_ID, FieldFilter, In, InputVariable, ListOptions, OptionsVariable, STOCK, Since, Stock, StockData,
    StockLevelInput, UPDATE, VariantInput,
};
use crate::platform::transport::status::answer_not_made;
use crate::platform::{CallFailure, ReadBack, Seen};

/// Variants of one reading.
const READ_MAX: usize = 50;
/// Log entries that are read of one variant after a write; more than a shop adds in the blink of one.
const LOG_MAX: usize = 50;
/// How often a write is put right before the rest is left to the next reconciliation.
const ROUNDS_MAX: usize = 4;
/// Writes with an unknown outcome that are remembered.
const REMEMBERED_MAX: usize = 64;

/// How long the logs of a write's items were before it, for writes that may still be asked about.
#[derive(Debug, Default)]
pub(super) struct Logs(VecDeque<(String, BTreeMap<String, usize>)>);

impl Logs {
    fn remember(&mut self, key: &IdempotencyKey, lengths: BTreeMap<String, usize>) {
        self.forget(key);
        self.0.push_back((key.as_str().to_owned(), lengths));
        while self.0.len() > REMEMBERED_MAX {
            self.0.pop_front();
        }
    }

    fn forget(&mut self, key: &IdempotencyKey) {
        self.0.retain(|(known, _)| known != key.as_str());
    }

    fn of(&self, key: &IdempotencyKey) -> Option<BTreeMap<String, usize>> {
        self.0.iter().find(|(known, _)| known == key.as_str()).map(|(_, lengths)| lengths.clone())
    }
}

impl Link {
    /// Numbers and lengths of logs, in the order of `items`; `None` where a variant is gone.
    async fn stock(&self, items: &[&str]) -> Result<Vec<Option<Stock>>, CallFailure> {
        let mut found = Vec::with_capacity(items.len());
        for chunk in items.chunks(READ_MAX) {
            let filter: FieldFilter<'_> = only("id", In { values: chunk.to_vec() });
            let options = ListOptions { take: chunk.len(), skip: 0, sort: BY_ID, filter };
            let data: StockData = self.ask(STOCK, OptionsVariable { options }).await?;
            found.extend(chunk.iter().map(|id| data.page.items.iter().find(|stock| stock.id == *id).cloned()));
        }
        Ok(found)
    }

    /// Writes what was frozen, unless a number is no longer the one that it was worked out from.
    pub(super) async fn send_frozen(&self, key: &IdempotencyKey, frozen: &[u8]) -> Answer {
        let Ok(Frozen { rows }) = serde_json::from_slice::<Frozen>(frozen) else {
            return Answer::NeedsAbsolute { reason: "Vendure takes numbers only".to_owned() };
        };
        let items: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let place = match self.place().await {
            Ok(place) => place,
            Err(failure) => return answer_not_made(failure),
        };
        let found = match self.stock(&items).await {
            Ok(found) => found,
            Err(failure) => return answer_not_made(failure),
        };
        let gone: Vec<RowRefusal> =
            rows.iter().zip(&found).filter(|(_, stock)| stock.is_none()).map(|(row, _)| refused(row)).collect();
        if !gone.is_empty() {
            return Answer::RowsRefused { rows: gone };
        }
        let mut lengths = BTreeMap::new();
        for (row, stock) in rows.iter().zip(found.iter().flatten()) {
            // A level that is not there yet is made by the write.
            if at(&stock.stock_levels, &place.id).unwrap_or(0) != row.expected {
                return Answer::Stale;
            }
            lengths.insert(row.id.clone(), stock.stock_movements.total_items);
        }
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).remember(key, lengths.clone());
        let answer = self.write(&rows).await;
        if matches!(answer, Answer::Applied { .. }) {
            self.put_right(rows, lengths).await;
        }
        if !matches!(answer, Answer::Unknown { .. }) {
            self.logs.lock().unwrap_or_else(PoisonError::into_inner).forget(key);
        }
        answer
    }

    async fn write(&self, rows: &[FrozenRow]) -> Answer {
        let location = match self.place().await {
            Ok(place) => place.id.as_str(),
            Err(failure) => return answer_not_made(failure),
        };
        let input: Vec<VariantInput<'_>> = rows
            .iter()
            .map(|row| VariantInput {
                id: &row.id,
                stock_levels: Some([StockLevelInput { stock_location_id: location, stock_on_hand: row.stock_on_hand }]),
                ..VariantInput::default()
            })
            .collect();
        let items: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        self.tell(UPDATE, InputVariable { input }, &items).await
    }

    /// Reads what a write really did, and adds what is still due. What cannot be put right here is drift: the next
    /// reconciliation finds it.
    async fn put_right(&self, mut rows: Vec<FrozenRow>, mut lengths: BTreeMap<String, usize>) {
        let Ok(place) = self.place().await else { return };
        let mut last: Option<BTreeMap<String, Since>> = None;
        for _ in 0..ROUNDS_MAX {
            let Ok(seen) = self.since(&lengths).await else { return };
            let due: Vec<(FrozenRow, i64)> = rows
                .iter()
                .filter_map(|row| {
                    let since = seen.get(&row.id)?;
                    let written = Written {
                        before: row.expected,
                        meant: row.stock_on_hand.saturating_sub(row.expected),
                        after: at(&since.stock_levels, &place.id)?,
                        log: &since.stock_movements.items,
                        one_location: place.count == 1,
                    };
                    let due = still_due(written).filter(|due| *due != 0)?;
                    let number = written.after.saturating_add(due);
                    Some((FrozenRow { id: row.id.clone(), stock_on_hand: number, expected: written.after }, due))
                })
                .collect();
            if due.is_empty() {
                return;
            }
            // Number and log are not read in one moment: only what is read twice alike is acted on.
            if last.as_ref() != Some(&seen) {
                last = Some(seen);
                continue;
            }
            for (row, due) in &due {
                tracing::warn!(
                    item = row.id,
                    units = due,
                    "A write met a fulfilment at the shop; what it overwrote is put right"
                );
            }
            rows = due.into_iter().map(|(row, _)| row).collect();
            lengths = rows
                .iter()
                .filter_map(|row| Some((row.id.clone(), seen.get(&row.id)?.stock_movements.total_items)))
                .collect();
            last = None;
            if !matches!(self.write(&rows).await, Answer::Applied { .. }) {
                return;
            }
        }
        tracing::warn!("Writes and fulfilments keep meeting at the shop; the next reconciliation looks again");
    }

    /// Number and log of each variant since its log was this long.
    async fn since(&self, lengths: &BTreeMap<String, usize>) -> Result<BTreeMap<String, Since>, CallFailure> {
        let mut found = BTreeMap::new();
        let all: Vec<(&String, &usize)> = lengths.iter().collect();
        for chunk in all.chunks(READ_MAX) {
            let (mut head, mut fields) = (String::new(), String::new());
            let mut variables: BTreeMap<String, serde_json::Value> = BTreeMap::new();
            for (index, (id, length)) in chunk.iter().enumerate() {
                head.push_str(&format!("$i{index}:ID!,$s{index}:Int!,"));
                fields.push_str(&format!(
                    "v{index}:productVariant(id:$i{index}){{stockLevels{{stockLocationId stockOnHand}} stockMovements(options:{{skip:$s{index},take:{LOG_MAX}}}){{totalItems items{{...on StockMovement{{type quantity}}}}}}}} "
                ));
                variables.insert(format!("i{index}"), (*id).clone().into());
                variables.insert(format!("s{index}"), (**length).into());
            }
            let document = format!("query({head}){{{fields}}}");
            let mut data: BTreeMap<String, Option<Since>> = self.ask(&document, variables).await?;
            for (index, (id, _)) in chunk.iter().enumerate() {
                if let Some(since) = data.remove(&format!("v{index}")).flatten() {
                    found.insert((*id).clone(), since);
                }
            }
        }
        Ok(found)
    }

    /// The trait's read-back. The log tells of a write that this process sent; after a restart it is the number that
    /// has to.
    pub(super) async fn seen(&self, question: &ReadBack) -> Result<Vec<Seen>, CallFailure> {
        let items: Vec<&str> = question.items.iter().map(String::as_str).collect();
        let place = self.place().await?;
        let found = self.stock(&items).await?;
        let lengths = question
            .sent
            .as_ref()
            .and_then(|sent| self.logs.lock().unwrap_or_else(PoisonError::into_inner).of(&sent.key));
        let log = match &lengths {
            Some(lengths) => self.since(lengths).await?,
            None => BTreeMap::new(),
        };
        let changes = question.sent.iter().flat_map(|sent| sent.changes.iter().copied().map(Some));
        Ok(found
            .iter()
            .zip(&question.items)
            .zip(changes.chain(std::iter::repeat(None)))
            .map(|((stock, item), change)| Seen {
                number: stock.as_ref().map(|stock| at(&stock.stock_levels, &place.id).unwrap_or(0)),
                evidence: match (log.get(item), change) {
                    (Some(since), Some(change)) if change != 0 => {
                        if is_logged(&since.stock_movements.items, change) {
                            Evidence::Applied
                        } else {
                            Evidence::NotApplied
                        }
                    }
                    _ => Evidence::Silent,
                },
            })
            .collect())
    }
}

fn refused(row: &FrozenRow) -> RowRefusal {
    RowRefusal {
        item: row.id.clone(),
        code: "ENTITY_NOT_FOUND".to_owned(),
        message: "the variant is gone".to_owned(),
        remedy: RowRemedy::LookUpAgain,
    }
}
