//! Which SKUs the platform knows, and when to ask again for those that it does not.

use super::{Condition, Jitter, Lane, SkuId, Timestamp, retry};

/// What the lane knows of a SKU's place on the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetState {
    /// It can be written; a request needs this many rows for it.
    Known {
        /// 1, or the number of components of a bundle.
        rows: usize,
    },
    /// It cannot be written (unknown, ambiguous, unusable): asked again at `next`, without anyone's help.
    Missing {
        /// How often it was asked for.
        tries: u32,
        /// When to ask again.
        next: Timestamp,
    },
}

/// What a look-up says about one SKU, as far as the lane cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookedUp {
    /// It can be written.
    Known {
        /// See [`TargetState::Known`].
        rows: usize,
    },
    /// It cannot.
    Missing,
}

impl Lane {
    pub(super) fn weight(&self, sku: SkuId) -> usize {
        match self.targets.get(&sku) {
            Some(TargetState::Known { rows }) => (*rows).max(1),
            Some(TargetState::Missing { .. }) | None => 1,
        }
    }

    /// Puts back what the database knows.
    pub fn restore_target(&mut self, sku: SkuId, state: TargetState) {
        self.targets.insert(sku, state);
        self.refresh_ready(sku);
    }

    /// Forgets what is known, so that the SKU is looked up again at once.
    pub fn forget_target(&mut self, sku: SkuId) {
        self.targets.remove(&sku);
        self.refresh_ready(sku);
    }

    /// A SKU was looked up. Returns the new state, to be stored.
    pub fn looked_up(&mut self, sku: SkuId, found: LookedUp, now: Timestamp, jitter: Jitter) -> TargetState {
        let state = match found {
            LookedUp::Known { rows } => TargetState::Known { rows },
            LookedUp::Missing => {
                let tries = match self.targets.get(&sku) {
                    Some(TargetState::Missing { tries, .. }) => tries.saturating_add(1),
                    Some(TargetState::Known { .. }) | None => 1,
                };
                // Half of the delay is certain, so that an unknown SKU is never asked for in a tight loop.
                let ceiling = self.limits.look_up_retry;
                let drawn = retry::delay(tries, None, ceiling, jitter);
                let least = retry::delay(tries, None, ceiling, Jitter(u32::MAX)).checked_div(2).unwrap_or_default();
                TargetState::Missing { tries, next: now.plus(drawn.max(least)) }
            }
        };
        self.targets.insert(sku, state.clone());
        self.refresh_ready(sku);
        state
    }

    /// The look-up under way has ended. A failure counts as the lane's: `answer` it first.
    pub fn look_up_ended(&mut self) {
        self.looking_up = false;
    }

    pub(super) fn due_look_ups(&mut self, now: Timestamp) -> Vec<SkuId> {
        if !self.limits.needs_target || self.looking_up {
            return Vec::new();
        }
        let due: Vec<SkuId> = self
            .by_sku
            .keys()
            .filter(|sku| match self.targets.get(sku) {
                None => true,
                Some(TargetState::Known { .. }) => false,
                Some(TargetState::Missing { next, .. }) => now >= *next,
            })
            .take(self.limits.look_up_max)
            .copied()
            .collect();
        self.looking_up = !due.is_empty();
        due
    }

    pub(super) fn next_look_up(&self) -> Option<Timestamp> {
        if !self.limits.needs_target || self.looking_up || matches!(self.condition, Condition::Paused { .. }) {
            return None;
        }
        self.by_sku
            .keys()
            .filter_map(|sku| match self.targets.get(sku) {
                None => Some(Timestamp(0)),
                Some(TargetState::Known { .. }) => None,
                Some(TargetState::Missing { next, .. }) => Some(*next),
            })
            .min()
    }

    /// SKUs that wait because the platform does not know them.
    #[must_use]
    pub fn missing_skus(&self) -> usize {
        self.by_sku.keys().filter(|sku| matches!(self.targets.get(sku), Some(TargetState::Missing { .. }))).count()
    }
}
