//! What is remembered of requests: their ids, so that a repeat changes nothing, and the revisions of tickets, so that
//! old news does not overwrite new. Pure; kept as cursors of the source, in the commit that holds the sales.
//!
//! ```text
//! item                         state
//! id|<key>|<digest of the id>  <number>|<digest of the body>      the newest IDS_MAX of each key
//! rev|<transaction key>        <number>|<revision>                the newest REVISIONS_MAX
//! ```

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::CursorUpdate;

/// Ids remembered of each key.
const IDS_MAX: usize = 4096;
/// Revisions remembered.
const REVISIONS_MAX: usize = 16_384;
/// Bytes of a digest that are kept.
const DIGEST_BYTES: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Memory {
    next: u64,
    ids: BTreeMap<String, Ring>,
    revisions: Ring,
}

/// How an id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Never seen, or forgotten.
    No,
    /// With this body.
    Same,
    /// With another.
    Other,
}

impl Memory {
    /// From the cursors of the database.
    pub(super) fn load(cursors: Vec<(String, String)>) -> Self {
        let mut memory = Self::default();
        for (item, state) in cursors {
            let Some((number, value)) = state.split_once('|') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            memory.next = memory.next.max(number.saturating_add(1));
            let mut parts = item.splitn(3, '|');
            match (parts.next(), parts.next()) {
                (Some("id"), Some(key)) => {
                    memory.ids.entry(key.to_owned()).or_default().set(&item, number, value);
                }
                (Some("rev"), Some(_)) => memory.revisions.set(&item, number, value),
                _ => {}
            }
        }
        memory
    }

    /// Whether a request under this id was taken in before.
    pub(super) fn knows(&self, key: &str, id: &str, digest: &str) -> Known {
        match self.ids.get(key).and_then(|ring| ring.value(&id_item(key, id))) {
            None => Known::No,
            Some(known) if known == digest => Known::Same,
            Some(_) => Known::Other,
        }
    }

    /// Remembers it.
    pub(super) fn remember(&mut self, key: &str, id: &str, digest: &str, cursors: &mut Vec<CursorUpdate>) {
        let number = self.number();
        self.ids.entry(key.to_owned()).or_default().put(id_item(key, id), number, digest, IDS_MAX, cursors);
    }

    /// Whether a newer one of this ticket was taken in; if not, this is the newest from now on.
    pub(super) fn is_old(&mut self, transaction: &str, revision: i64, cursors: &mut Vec<CursorUpdate>) -> bool {
        let item = format!("rev|{transaction}");
        let known = self.revisions.value(&item).and_then(|value| value.parse::<i64>().ok());
        if known.is_some_and(|known| known > revision) {
            return true;
        }
        if known != Some(revision) {
            let number = self.number();
            self.revisions.put(item, number, &revision.to_string(), REVISIONS_MAX, cursors);
        }
        false
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        number
    }
}

/// Values by item, the oldest forgotten first.
#[derive(Debug, Default)]
struct Ring {
    values: BTreeMap<String, (u64, String)>,
    order: BTreeMap<u64, String>,
}

impl Ring {
    fn value(&self, item: &str) -> Option<&str> {
        self.values.get(item).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, item: &str, number: u64, value: &str) {
        if let Some((before, _)) = self.values.insert(item.to_owned(), (number, value.to_owned())) {
            self.order.remove(&before);
        }
        self.order.insert(number, item.to_owned());
    }

    fn put(&mut self, item: String, number: u64, value: &str, most: usize, cursors: &mut Vec<CursorUpdate>) {
        self.set(&item, number, value);
        cursors.push(CursorUpdate { item, state: Some(format!("{number}|{value}")) });
        while self.values.len() > most {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.values.remove(&oldest);
            cursors.push(CursorUpdate { item: oldest, state: None });
        }
    }
}

fn id_item(key: &str, id: &str) -> String {
    format!("id|{key}|{}", digest(id.as_bytes()))
}

/// Short and of one length, whatever it is of.
pub(super) fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().take(DIGEST_BYTES).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_known_after_a_restart() {
        let (mut memory, mut cursors) = (Memory::default(), Vec::new());
        assert_eq!(memory.knows("till-1", "a", "x"), Known::No);
        memory.remember("till-1", "a", "x", &mut cursors);
        assert!(!memory.is_old("till-1|1|7", 5, &mut cursors));
        let stored = cursors.into_iter().map(|cursor| (cursor.item, cursor.state.unwrap())).collect();
        let mut memory = Memory::load(stored);
        assert_eq!(memory.knows("till-1", "a", "x"), Known::Same);
        assert_eq!(memory.knows("till-1", "a", "y"), Known::Other);
        assert_eq!(memory.knows("till-2", "a", "x"), Known::No, "ids are each key's own");
        let mut cursors = Vec::new();
        assert!(memory.is_old("till-1|1|7", 4, &mut cursors) && !memory.is_old("till-1|1|7", 5, &mut cursors));
        assert!(cursors.is_empty(), "nothing new was learnt");
    }

    #[test]
    fn the_oldest_ids_are_forgotten_in_the_database_too() {
        let (mut memory, mut stored) = (Memory::default(), BTreeMap::new());
        for number in 0..IDS_MAX + 10 {
            let mut cursors = Vec::new();
            memory.remember("till-1", &number.to_string(), "x", &mut cursors);
            for cursor in cursors {
                match cursor.state {
                    Some(state) => stored.insert(cursor.item, state),
                    None => stored.remove(&cursor.item),
                };
            }
        }
        assert_eq!(stored.len(), IDS_MAX);
        let memory = Memory::load(stored.into_iter().collect());
        assert_eq!((memory.knows("till-1", "9", "x"), memory.knows("till-1", "10", "x")), (Known::No, Known::Same));
    }
}
