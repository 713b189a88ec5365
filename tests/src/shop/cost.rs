//! Query cost and the leaky bucket of one app on one shop.
//!
//! A field with fields below costs 1, a connection 2 and its page size times what one node costs, a mutation 10
//! besides. <https://shopify.dev/docs/api/usage/limits#graphql-admin-api-rate-limits>

use std::time::Instant;

use serde_json::{Value, json};

use super::document::{Field, Operation, Variables};

/// Most that one request may ask for.
pub(crate) const QUERY_COST_MAX: u64 = 1000;

const MUTATION_COST: u64 = 10;
const CONNECTION_COST: u64 = 2;

/// The bucket is kept in millionths of a point, so that frequent looks at it lose nothing.
const MICRO: u64 = 1_000_000;

/// What the operation may cost at most.
pub(crate) fn requested(operation: &Operation, variables: &Variables) -> u64 {
    let base = if operation.mutation { MUTATION_COST } else { 0 };
    operation.fields.iter().map(|field| cost_of(field, variables) + base).sum()
}

fn cost_of(field: &Field, variables: &Variables) -> u64 {
    if field.fields.is_empty() {
        return 0;
    }
    let below = || field.fields.iter().map(|below| cost_of(below, variables)).sum::<u64>();
    let page = ["first", "last"].into_iter().find_map(|name| field.argument(name, variables)?.as_u64());
    if let Some(page) = page {
        let node = field
            .fields
            .iter()
            .filter(|below| below.name != "pageInfo")
            .map(|wrapper| node_cost(wrapper, variables))
            .max();
        return CONNECTION_COST + page * node.unwrap_or(0);
    }
    if let Some(ids) = field.argument("ids", variables) {
        return ids.as_array().map_or(1, |list| super::stock::count(list.len())) * (1 + below());
    }
    1 + below()
}

fn node_cost(wrapper: &Field, variables: &Variables) -> u64 {
    let fields = wrapper
        .fields
        .iter()
        .find(|field| wrapper.name == "edges" && field.name == "node")
        .map_or(&wrapper.fields, |node| &node.fields);
    1 + fields.iter().map(|field| cost_of(field, variables)).sum::<u64>()
}

/// The bucket: holds `max` points and fills up again by `restore_rate` a second.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    max: u64,
    restore_rate: u64,
    available_micro: u64,
    seen: Instant,
}

impl Bucket {
    pub(crate) fn new(max: u64, restore_rate: u64) -> Self {
        Self { max, restore_rate, available_micro: max.saturating_mul(MICRO), seen: Instant::now() }
    }

    fn restore(&mut self) {
        let passed = u64::try_from(self.seen.elapsed().as_micros()).unwrap_or(u64::MAX);
        if passed > 0 {
            self.seen = Instant::now();
            let full = self.max.saturating_mul(MICRO);
            self.available_micro =
                self.available_micro.saturating_add(passed.saturating_mul(self.restore_rate)).min(full);
        }
    }

    /// Takes the points, or leaves all and says no.
    pub(crate) fn take(&mut self, points: u64) -> bool {
        self.restore();
        let micro = points.saturating_mul(MICRO);
        if micro > self.available_micro {
            return false;
        }
        self.available_micro -= micro;
        true
    }

    /// Empties it.
    pub(crate) const fn drain(&mut self) {
        self.available_micro = 0;
    }

    /// `extensions.cost` of a reply.
    pub(crate) fn report(&mut self, requested: u64, actual: Option<u64>) -> Value {
        self.restore();
        json!({"cost": {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": {"maximumAvailable": self.max, "currentlyAvailable": self.available_micro / MICRO, "restoreRate": self.restore_rate},
        }})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bucket_refuses() {
        let mut bucket = Bucket::new(20, 0);
        assert!(bucket.take(13));
        assert!(!bucket.take(13));
        assert!(bucket.take(7));
    }
}
