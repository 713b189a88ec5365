//! What an enemy, or a broken till, makes of a good input: things that never end, things within things, and bytes
//! changed at random.

use super::Chance;

/// A way for an input to be hostile: after a good beginning comes something without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// What is hostile about it.
    pub name: &'static str,
    opening: &'static [u8],
    /// Repeated to the end.
    filler: &'static [u8],
}

/// All of them.
pub const ENDINGS: &[Ending] = &[
    Ending { name: "line without an end", opening: b"\n", filler: b"x" },
    Ending { name: "empty lines only", opening: b"\n", filler: b"\n" },
    Ending { name: "zero bytes only", opening: b"\n", filler: b"\0" },
    Ending {
        name: "quote without an end",
        opening: b"\n\"",
        filler: b"1001,1,2026-02-01 10:00:00,SKU-00001,a name,1,9.50 and so on and on, a long line without any meaning at all\n",
    },
    Ending { name: "quotes only", opening: b"\n", filler: b"\"" },
    Ending { name: "separators only", opening: b"\n", filler: b"," },
    Ending { name: "string without an end", opening: b"{\"transaction\":\"", filler: b"x" },
    Ending { name: "escapes only", opening: b"{\"transaction\":\"", filler: b"\\\\" },
    Ending { name: "arrays within arrays", opening: b"", filler: b"[" },
    Ending { name: "objects within objects", opening: b"", filler: b"{\"lines\":" },
    Ending { name: "number without an end", opening: b"{\"quantity\":", filler: b"9" },
    Ending { name: "elements within elements", opening: b"<POSLog>", filler: b"<Transaction>" },
    Ending { name: "text without an end", opening: b"<POSLog><Transaction>", filler: b"x" },
    Ending { name: "name without an end", opening: b"<", filler: b"x" },
    Ending { name: "attribute without an end", opening: b"<POSLog a=\"", filler: b"x" },
    Ending { name: "attributes only", opening: b"<POSLog", filler: b" a=\"b\"" },
    Ending { name: "comment without an end", opening: b"<!-- ", filler: b"-x" },
    Ending { name: "entities only", opening: b"<POSLog>", filler: b"&a;" },
    Ending { name: "prefixes only", opening: b"", filler: b"\x1b" },
    Ending { name: "greatest lengths", opening: b"", filler: b"\x1d8L\xff\xff\xff\x7f" },
    Ending { name: "pictures only", opening: b"\x1b*rA", filler: b"\x1dv0\x00\x01\x00\x01\x00x" },
    Ending { name: "pieces without a row", opening: b"\x1b@", filler: b"\x1b$\x01\x00x\x1b\x1dA\x02\x00y" },
    Ending { name: "a page without an end", opening: b"\x1bL", filler: b"\x1d$\x02\x00x\n" },
    Ending { name: "codes only", opening: b"\x1b@", filler: b"\x1d(k\x04\x001P0x\x1d(k\x03\x001Q0" },
];

impl Ending {
    /// So many bytes: `good`, and then this without an end.
    #[must_use]
    pub fn input(&self, good: &[u8], bytes: usize) -> Vec<u8> {
        let mut input = Vec::with_capacity(bytes.saturating_add(self.filler.len()));
        input.extend_from_slice(good);
        input.extend_from_slice(self.opening);
        let unit = self.filler.repeat(1024);
        while input.len() < bytes {
            input.extend_from_slice(&unit);
        }
        input.truncate(bytes.max(good.len().saturating_add(self.opening.len())));
        input
    }
}

/// The input with some bytes changed, removed, doubled or moved.
#[must_use]
pub fn mutated(input: &[u8], chance: &mut Chance) -> Vec<u8> {
    const TELLING: &[u8] = b"\0\n\r\",;|<>&{}[]:\\\x1b\x1c\x1d\x10\xff\x80-09";
    let mut bytes = input.to_vec();
    for _ in 0..chance.below(8).saturating_add(1) {
        let at = chance.place(bytes.len());
        let end = at.saturating_add(chance.place(64)).min(bytes.len());
        match chance.below(6) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(chance.below(256)).unwrap_or_default();
                }
            }
            1 => {
                let telling = TELLING.get(chance.place(TELLING.len())).copied().unwrap_or_default();
                bytes.insert(at, telling);
            }
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes.get(at..end).unwrap_or_default().repeat(chance.place(4));
                bytes.splice(at..at, part);
            }
            4 => bytes.truncate(at.max(1)),
            _ => {
                let part: Vec<u8> = bytes.drain(at..end).collect();
                let to = chance.place(bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_as_long_as_asked_for_and_told_apart() {
        let mut inputs: Vec<Vec<u8>> = ENDINGS.iter().map(|ending| ending.input(b"good", 5000)).collect();
        assert!(inputs.iter().all(|input| input.len() == 5000 && input.starts_with(b"good")));
        inputs.sort();
        inputs.dedup();
        assert_eq!(inputs.len(), ENDINGS.len());
    }

    #[test]
    fn mutations_change_and_repeat() {
        let (mut one, mut other) = (Chance::new(5), Chance::new(5));
        let changed = (0..50).filter(|_| {
            let made = mutated(b"a,b,c\n1,2,3\n", &mut one);
            assert_eq!(made, mutated(b"a,b,c\n1,2,3\n", &mut other));
            made != b"a,b,c\n1,2,3\n"
        });
        assert!(changed.count() > 40);
        assert!(mutated(b"", &mut one).len() < 100);
    }
}
