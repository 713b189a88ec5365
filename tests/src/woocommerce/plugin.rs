//! The companion plugin's contract, as `packaging/woocommerce/tillsync-stock` has it.
//!
//! | | |
//! |---|---|
//! | `GET /tillsync/v1/info` | that it is there, what it can do, how long it remembers |
//! | `POST /tillsync/v1/stock` | `{key, marker, rows: [{id, product, delta}` or `{id, product, set, expect}]}` |
//! | `POST /tillsync/v1/outcome` | `{key}`: what became of it; a key that is not known is closed for good |
//!
//! A key is carried out once and answered alike from then on. Rows with `delta` are decided one by one; a request with a
//! `set` takes effect as a whole or not at all. Products that were changed carry the key as meta data under `marker`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use super::catalogue::Managed;
use super::machine::{BATCH_MAX, Machine, Request, Response};
use crate::journal::Cause;

const DAY_US: i64 = 24 * 3600 * 1_000_000;

#[derive(Debug)]
enum Operation {
    Done { body: u64, rows: Value, stale: bool },
    Closed,
}

/// What the plugin's table holds.
#[derive(Debug, Default)]
pub(crate) struct Operations(BTreeMap<String, (i64, Operation)>);

impl Machine {
    pub(crate) fn plugin(&mut self, request: &Request, method: &str, rest: &[&str], now_us: i64) -> Response {
        let keep_us = i64::try_from(self.settings.plugin_key_days).unwrap_or(i64::MAX).saturating_mul(DAY_US);
        self.operations.0.retain(|_, (at, _)| now_us.saturating_sub(*at) < keep_us);
        match (method, rest) {
            ("GET", ["info"]) => Response::ok(&json!({
                "plugin": "tillsync-stock",
                "version": "1.0.0",
                "contract": 1,
                "keep_days": self.settings.plugin_key_days,
                "rows_max": BATCH_MAX,
                "transactional": true,
                "manage_stock": self.settings.manage_stock,
                "woocommerce": "11.0.1",
            })),
            ("POST", ["stock"]) => self.plugin_stock(request, now_us),
            ("POST", ["outcome"]) => self.plugin_outcome(request, now_us),
            _ => Response::error(404, "rest_no_route", "No route was found matching the URL and request method."),
        }
    }

    fn plugin_stock(&mut self, request: &Request, now_us: i64) -> Response {
        let Ok(body) = serde_json::from_slice::<Map<String, Value>>(&request.body) else {
            return Response::error(400, "rest_invalid_json", "Invalid JSON body passed.");
        };
        let key = body.get("key").and_then(Value::as_str).unwrap_or_default();
        let rows = body.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
        let marked =
            body.get("marker").is_some_and(|name| name.as_str().is_some_and(|name| name.starts_with("_tillsync_")));
        if key.is_empty() || !marked || rows.is_empty() || rows.iter().any(|row| Row::read(row).is_none()) {
            return Response::error(400, "tillsync_invalid", "key and rows are needed");
        }
        if rows.len() > BATCH_MAX {
            return Response::error(413, "tillsync_too_large", "too many rows");
        }
        let mut hasher = DefaultHasher::new();
        request.body.hash(&mut hasher);
        let digest = hasher.finish();
        match self.operations.0.get(key) {
            Some((_, Operation::Closed)) => {
                return Response::error(409, "tillsync_key_closed", "this key was closed before its request came");
            }
            Some((_, Operation::Done { body, .. })) if *body != digest => {
                return Response::error(409, "tillsync_key_reused", "this key was used with other rows");
            }
            Some((_, Operation::Done { rows, stale, .. })) => {
                self.stats.replays += 1;
                return Response::ok(&json!({"key": key, "replayed": true, "stale": stale, "rows": rows}));
            }
            None => {}
        }
        let rows: Vec<Row> = rows.iter().filter_map(Row::read).collect();
        let (answers, stale) = self.carry_out(&rows, key, request.number, now_us);
        let marker = body.get("marker").and_then(Value::as_str).unwrap_or_default();
        for answer in answers.iter().filter(|answer| answer.get("status") == Some(&json!("applied"))) {
            let product = answer.get("product").and_then(Value::as_u64).unwrap_or_default();
            self.catalogue.set_meta(product, marker, json!(key));
        }
        let answers = Value::from(answers);
        let done = Operation::Done { body: digest, rows: answers.clone(), stale };
        self.operations.0.insert(key.to_owned(), (now_us, done));
        Response::ok(&json!({"key": key, "replayed": false, "stale": stale, "rows": answers}))
    }

    fn carry_out(&mut self, rows: &[Row], key: &str, request: u64, now_us: i64) -> (Vec<Value>, bool) {
        let refusals: Vec<Option<Value>> = rows.iter().map(|row| self.refusal(row)).collect();
        let sets = rows.iter().any(|row| matches!(row.write, Write::Set { .. }));
        let stale = refusals.iter().flatten().any(|refusal| refusal.get("status") == Some(&json!("stale")));
        let untouched = sets && refusals.iter().any(Option::is_some);
        let mut answers = Vec::with_capacity(rows.len());
        let mut entries = Vec::new();
        for (row, refusal) in rows.iter().zip(refusals) {
            if let Some(refusal) = refusal {
                answers.push(refusal);
                continue;
            }
            if untouched {
                answers.push(json!({"id": row.id, "product": row.product, "status": "untouched"}));
                continue;
            }
            entries.extend(match row.write {
                Write::Delta(delta) => self.catalogue.add_stock(row.product, delta, Cause::Adjust, now_us),
                Write::Set { number, .. } => self.catalogue.write_stock(row.product, number, Cause::Set, now_us),
            });
            self.stats.applied_rows += 1;
            let stock = self.catalogue.stock(row.product);
            answers.push(json!({"id": row.id, "product": row.product, "status": "applied", "stock": stock}));
        }
        self.record(request, Some(key), entries);
        (answers, stale)
    }

    /// Why a row cannot be carried out, if it cannot.
    fn refusal(&self, row: &Row) -> Option<Value> {
        let refused = |code: &str| {
            Some(json!({"id": row.id, "product": row.product, "status": "refused", "code": code, "message": code}))
        };
        let Some(product) = self.catalogue.get(row.product) else { return refused("unknown_product") };
        match self.catalogue.managed(product) {
            Managed::No => refused("not_managed"),
            Managed::Parent => refused("managed_by_parent"),
            Managed::Own => match row.write {
                Write::Set { expect, .. } if product.given.stock != expect => {
                    Some(json!({"id": row.id, "product": row.product, "status": "stale", "stock": product.given.stock}))
                }
                Write::Set { .. } | Write::Delta(_) => None,
            },
        }
    }

    fn plugin_outcome(&mut self, request: &Request, now_us: i64) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(key) = body.get("key").and_then(Value::as_str).filter(|key| !key.is_empty()) else {
            return Response::error(400, "tillsync_invalid", "a key is needed");
        };
        match self.operations.0.get(key) {
            Some((_, Operation::Done { rows, stale, .. })) => {
                Response::ok(&json!({"key": key, "known": true, "stale": stale, "rows": rows}))
            }
            Some((_, Operation::Closed)) => Response::ok(&json!({"key": key, "known": false, "closed": true})),
            None => {
                self.operations.0.insert(key.to_owned(), (now_us, Operation::Closed));
                Response::ok(&json!({"key": key, "known": false, "closed": true}))
            }
        }
    }
}

struct Row {
    id: String,
    product: u64,
    write: Write,
}

enum Write {
    Delta(i64),
    Set { number: i64, expect: i64 },
}

impl Row {
    fn read(row: &Value) -> Option<Self> {
        let number = |name: &str| row.get(name).and_then(Value::as_i64);
        let write = match (number("delta"), number("set"), number("expect")) {
            (Some(delta), None, None) => Write::Delta(delta),
            (None, Some(number), Some(expect)) => Write::Set { number, expect },
            _ => return None,
        };
        Some(Self { id: row.get("id")?.as_str()?.to_owned(), product: row.get("product")?.as_u64()?, write })
    }
}
