//! The platform's memory of idempotency keys.
//!
//! A key protects for 24 hours from its first request; the same key with the same variables is answered again
//! without effect, with other variables it is refused, and while the first is being worked on it is refused as
//! concurrent. <https://shopify.dev/docs/api/usage/implementing-idempotency>

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::mutate::Group;

/// How long a key is remembered.
pub(crate) const WINDOW: Duration = Duration::from_hours(24);

/// What a known key did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Being worked on.
    Working,
    /// Took effect; the reply is made again from the adjustment group, if there was one.
    Done(Option<Arc<Group>>),
    /// Had no effect.
    Failed,
}

/// What is to be done about a request with a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Work on it.
    Fresh,
    /// Answer again, no effect.
    Replay(Option<Arc<Group>>),
    /// Refuse with this code and message.
    Refuse(&'static str, &'static str),
}

#[derive(Debug)]
struct Known {
    fingerprint: u64,
    first_us: i64,
    outcome: Outcome,
}

/// All keys of the shop.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    known: HashMap<String, Known>,
    /// A key whose first attempt failed stays spent, instead of being forgotten.
    pub(crate) failures_spend_keys: bool,
}

impl Keys {
    pub(crate) fn new(failures_spend_keys: bool) -> Self {
        Self { known: HashMap::new(), failures_spend_keys }
    }

    /// Looks the key up and, if it is fresh, takes it.
    pub(crate) fn take(&mut self, key: &str, fingerprint: u64, now_us: i64, holds_key: bool) -> Verdict {
        let window_us = i64::try_from(WINDOW.as_micros()).unwrap_or(i64::MAX);
        if self.known.get(key).is_some_and(|known| now_us.saturating_sub(known.first_us) >= window_us) {
            self.known.remove(key);
        }
        let Some(known) = self.known.get(key) else {
            self.known.insert(key.to_owned(), Known { fingerprint, first_us: now_us, outcome: Outcome::Working });
            return Verdict::Fresh;
        };
        if known.fingerprint != fingerprint {
            return Verdict::Refuse(
                "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
                "The same idempotency key cannot be used with different operation parameters.",
            );
        }
        match &known.outcome {
            Outcome::Working if holds_key => Verdict::Fresh,
            Outcome::Working => Verdict::Refuse(
                "IDEMPOTENCY_CONCURRENT_REQUEST",
                "This request is currently inprogress, please try again with the same idempotency key.",
            ),
            Outcome::Done(group) => Verdict::Replay(group.clone()),
            Outcome::Failed => Verdict::Refuse(
                "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
                "A previous request with this idempotency key failed. Retry with a new idempotency key.",
            ),
        }
    }

    /// Stores what became of a taken key.
    pub(crate) fn settle(&mut self, key: &str, outcome: Outcome) {
        if outcome == Outcome::Failed && !self.failures_spend_keys {
            self.known.remove(key);
        } else if let Some(known) = self.known.get_mut(key) {
            known.outcome = outcome;
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.known.len()
    }

    /// Forgets all, as a platform does that lost its memory.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}

/// Stands for a request's meaning. The order of fields counts, as the platform warns it does.
pub(crate) fn fingerprint(root: &str, variables: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (root, variables).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    #[test]
    fn a_key_is_replayed_within_its_window_and_fresh_after_it() {
        let mut keys = Keys::default();
        assert_eq!(keys.take("k", 1, 0, false), Verdict::Fresh);
        keys.settle("k", Outcome::Done(None));
        assert_eq!(keys.take("k", 1, 23 * HOUR_US, false), Verdict::Replay(None));
        assert_eq!(keys.take("k", 1, 24 * HOUR_US, false), Verdict::Fresh);
    }

    #[test]
    fn a_key_with_other_variables_is_refused() {
        let mut keys = Keys::default();
        keys.take("k", 1, 0, false);
        keys.settle("k", Outcome::Done(None));
        assert!(matches!(keys.take("k", 2, 0, false), Verdict::Refuse("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", _)));
    }

    #[test]
    fn a_key_in_work_is_concurrent_except_for_who_holds_it() {
        let mut keys = Keys::default();
        keys.take("k", 1, 0, false);
        assert!(matches!(keys.take("k", 1, 0, false), Verdict::Refuse("IDEMPOTENCY_CONCURRENT_REQUEST", _)));
        assert_eq!(keys.take("k", 1, 0, true), Verdict::Fresh);
    }

    #[test]
    fn a_failed_key_is_forgotten_or_spent_as_configured() {
        let mut keys = Keys::default();
        keys.take("k", 1, 0, false);
        keys.settle("k", Outcome::Failed);
        assert_eq!(keys.take("k", 1, 0, false), Verdict::Fresh);
        keys.failures_spend_keys = true;
        keys.settle("k", Outcome::Failed);
        assert!(matches!(keys.take("k", 1, 0, false), Verdict::Refuse("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", _)));
    }
}
