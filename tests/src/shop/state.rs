//! Everything that the stand-in shop remembers, behind one lock.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::ShopSettings;
use super::cost::Bucket;
use super::idempotency::Keys;
use super::stock::Stock;
use crate::journal::Journal;
use crate::moment::Moment;

/// What the shop has counted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ShopStats {
    /// GraphQL and token requests that came in, faulted ones included.
    pub requests: u64,
    /// Mutations that changed a number.
    pub applied_writes: u64,
    /// Rows of those that changed a number.
    pub applied_rows: u64,
    /// Mutations answered again under a known key.
    pub replays: u64,
    /// Mutations refused because of their key.
    pub refused_keys: u64,
    /// Mutations refused with `userErrors`.
    pub refused_writes: u64,
    /// Requests that do not fit the schema: always a fault of the client.
    pub invalid_requests: u64,
    /// Requests refused for their cost.
    pub throttled: u64,
    /// Requests without a valid token.
    pub unauthorised: u64,
    /// Access tokens handed out.
    pub tokens: u64,
    /// Keys in memory.
    pub keys: usize,
    /// Requests by root field.
    pub operations: BTreeMap<String, u64>,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// The shop's memory.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: ShopSettings,
    pub(crate) stock: Stock,
    pub(crate) keys: Keys,
    pub(crate) bucket: Bucket,
    pub(crate) journal: Journal,
    pub(crate) stats: ShopStats,
    pub(crate) next_group: u64,
    /// Access tokens and when they expire (shop clock, microseconds); `None`: never.
    pub(crate) tokens: HashMap<String, Option<i64>>,
    clock_ahead_us: i64,
}

impl State {
    pub(crate) fn new(settings: ShopSettings) -> anyhow::Result<Self> {
        let journal = Journal::open(settings.journal.as_deref(), settings.keep_journal)?;
        let mut stock = Stock::default();
        for name in &settings.locations {
            stock.add_location(name, true);
        }
        let tokens = settings.tokens.iter().map(|token| (token.clone(), None)).collect();
        let keys = Keys::new(settings.failures_spend_keys);
        let bucket = Bucket::new(settings.bucket_max, settings.bucket_restore);
        Ok(Self {
            settings,
            stock,
            keys,
            bucket,
            journal,
            stats: ShopStats::default(),
            next_group: 0,
            tokens,
            clock_ahead_us: 0,
        })
    }

    /// The shop's own clock, in microseconds since 1970.
    pub(crate) fn shop_now_us(&self) -> i64 {
        Moment::now().wall_us.saturating_add(self.clock_ahead_us)
    }

    pub(crate) const fn advance_clock(&mut self, by_us: i64) {
        self.clock_ahead_us = self.clock_ahead_us.saturating_add(by_us);
    }

    pub(crate) fn lets_in(&self, token: &str) -> bool {
        let now_us = self.shop_now_us();
        self.tokens.get(token).is_some_and(|expires| expires.is_none_or(|at| now_us < at))
    }

    /// A new access token for this app.
    pub(crate) fn issue_token(&mut self) -> String {
        self.stats.tokens += 1;
        let token = format!("stand-in-issued-{}", self.stats.tokens);
        let lives_us = i64::try_from(self.settings.token_lives.as_micros()).unwrap_or(i64::MAX);
        self.tokens.insert(token.clone(), Some(self.shop_now_us().saturating_add(lives_us)));
        token
    }
}
