-- Quantities are millionths of a unit, times are microseconds since 1970-01-01 UTC.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Sources and where they stand. A cursor is written in the commit that records what it covers.
CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE cursor (
  source INTEGER NOT NULL, item TEXT NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (source, item)
) STRICT, WITHOUT ROWID;
CREATE TABLE ignored (
  source INTEGER NOT NULL, rule TEXT NOT NULL, records INTEGER NOT NULL,
  PRIMARY KEY (source, rule)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY, source INTEGER NOT NULL, place TEXT NOT NULL, reason TEXT NOT NULL, raw TEXT NOT NULL,
  records INTEGER NOT NULL, read_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'resolved', 'discarded')), note TEXT
) STRICT;

-- The ledger: the latest snapshot of each transaction, older ones, and what moved.
CREATE TABLE sku (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE segment (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE txn (
  source INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL,
  status TEXT NOT NULL, segment INTEGER NOT NULL, sold_at INTEGER, register TEXT NOT NULL, lines TEXT NOT NULL,
  PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE txn_past (
  source INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL,
  status TEXT NOT NULL, lines TEXT NOT NULL,
  PRIMARY KEY (source, key, version)
) STRICT, WITHOUT ROWID;
-- What transactions beyond the retention had moved; they are no longer known one by one.
CREATE TABLE folded (sku INTEGER PRIMARY KEY, delta INTEGER NOT NULL) STRICT;
-- One row per commit and SKU; seq is the position in the movement stream.
CREATE TABLE movement (
  seq INTEGER NOT NULL, sku INTEGER NOT NULL, lines INTEGER NOT NULL, delta INTEGER NOT NULL,
  PRIMARY KEY (seq, sku)
) STRICT, WITHOUT ROWID;

-- The outbox. An entry is in exactly one of pending, batch (live), sent (closed) or dead_letter.
CREATE TABLE lane (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, since INTEGER NOT NULL) STRICT;
CREATE TABLE pending (
  id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, sku INTEGER NOT NULL, delta INTEGER NOT NULL,
  lines INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, kind TEXT NOT NULL,
  txn TEXT, sold_at INTEGER, uncertain INTEGER NOT NULL
) STRICT;
CREATE TABLE batch (
  id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, key TEXT NOT NULL, stage TEXT NOT NULL, body BLOB,
  items TEXT NOT NULL, lines INTEGER NOT NULL, frozen_at INTEGER NOT NULL
) STRICT;
CREATE TABLE sent (
  id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, key TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('delivered', 'settled', 'silent', 'reopened')),
  items TEXT NOT NULL, lines INTEGER NOT NULL, frozen_at INTEGER NOT NULL, closed_at INTEGER NOT NULL, note TEXT
) STRICT;
CREATE TABLE dead_letter (
  id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, sku INTEGER NOT NULL, delta INTEGER NOT NULL,
  lines INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, kind TEXT NOT NULL,
  txn TEXT, sold_at INTEGER, code TEXT NOT NULL, message TEXT NOT NULL, died_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'discarded')), note TEXT
) STRICT;
CREATE TABLE pruned (
  lane INTEGER NOT NULL, sku INTEGER NOT NULL, lines INTEGER NOT NULL, delta INTEGER NOT NULL,
  PRIMARY KEY (lane, sku)
) STRICT, WITHOUT ROWID;
CREATE TABLE carry (
  lane INTEGER NOT NULL, sku INTEGER NOT NULL, micros INTEGER NOT NULL, PRIMARY KEY (lane, sku)
) STRICT, WITHOUT ROWID;

-- What a platform calls a SKU; its number when first seen, and what we have told it since.
CREATE TABLE target (
  lane INTEGER NOT NULL, sku INTEGER NOT NULL, target TEXT, title TEXT, note TEXT,
  tries INTEGER NOT NULL, next_at INTEGER NOT NULL,
  PRIMARY KEY (lane, sku)
) STRICT, WITHOUT ROWID;
-- A late base was read after the database was lost: what the lost one had sent may be in it already.
CREATE TABLE item (
  lane INTEGER NOT NULL, item TEXT NOT NULL, base INTEGER NOT NULL, told INTEGER NOT NULL, late INTEGER NOT NULL,
  PRIMARY KEY (lane, item)
) STRICT, WITHOUT ROWID;
CREATE TABLE overwrite (
  id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, item TEXT NOT NULL, before INTEGER NOT NULL,
  after INTEGER NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
