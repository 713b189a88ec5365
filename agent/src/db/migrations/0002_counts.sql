-- Counts, reconciliation, online orders, values. All additions: the program before this one ignores them.

-- The rows of an absolute write under way: what was read, what is written, what is owed after it.
ALTER TABLE batch ADD COLUMN rows TEXT;
-- Units sold below a platform's zero; never positive.
ALTER TABLE item ADD COLUMN owed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE overwrite ADD COLUMN batch INTEGER;
ALTER TABLE overwrite ADD COLUMN run INTEGER;
ALTER TABLE overwrite ADD COLUMN sku INTEGER;
ALTER TABLE overwrite ADD COLUMN who TEXT;
-- 'sent' until the platform has answered; then 'written', or 'dropped' if it was overtaken or never took effect.
ALTER TABLE overwrite ADD COLUMN state TEXT NOT NULL DEFAULT 'written';

-- Running sums: what moved in all, and what lay there when nothing had moved; no base: never counted.
-- `counted_at`: for when the latest count that was taken in is true.
CREATE TABLE stock (sku INTEGER PRIMARY KEY, moved INTEGER NOT NULL, base INTEGER, counted_at INTEGER) STRICT;
INSERT INTO stock (sku, moved) SELECT sku, sum(delta) FROM movement GROUP BY sku;
-- When a position of the movement stream was reached, about every half minute.
CREATE TABLE moment (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
-- Movements that a platform knows by itself: goods handed over for its own orders.
CREATE TABLE exempt (
  lane INTEGER NOT NULL, seq INTEGER NOT NULL, sku INTEGER NOT NULL, lines INTEGER NOT NULL, delta INTEGER NOT NULL,
  PRIMARY KEY (lane, seq, sku)
) STRICT, WITHOUT ROWID;
CREATE INDEX txn_sold_at ON txn (sold_at);

-- Counts: those taken in, and those held for a person with all their lines.
CREATE TABLE stock_count (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, basis TEXT NOT NULL, extent TEXT NOT NULL, taken_at INTEGER,
  seq INTEGER NOT NULL, read_at INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('applied', 'held', 'refused')),
  articles INTEGER NOT NULL, corrected INTEGER NOT NULL, waiting INTEGER NOT NULL, reasons TEXT NOT NULL,
  sheet TEXT, who TEXT, decided_at INTEGER, note TEXT, hash TEXT, place TEXT
) STRICT;
CREATE INDEX stock_count_name ON stock_count (name, taken_at);
-- What a count said of each article: 'equal', 'first', 'corrected', 'waits'.
CREATE TABLE stock_count_line (
  count INTEGER NOT NULL, sku INTEGER NOT NULL, counted INTEGER NOT NULL, due INTEGER, outcome TEXT NOT NULL,
  PRIMARY KEY (count, sku)
) STRICT, WITHOUT ROWID;
-- Corrections are movements of their own; also of tickets that a shelf count had seen before the ledger did.
CREATE TABLE correction (
  id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, sku INTEGER NOT NULL, delta INTEGER NOT NULL, count INTEGER,
  why TEXT NOT NULL, who TEXT NOT NULL, at INTEGER NOT NULL, late INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX correction_seq ON correction (seq);
-- The latest shelf count of an article: tickets sold before it that come late are in it already.
CREATE TABLE shelf_count (
  sku INTEGER PRIMARY KEY, count INTEGER NOT NULL, taken_at INTEGER NOT NULL, until INTEGER NOT NULL, margin INTEGER NOT NULL,
  seq INTEGER NOT NULL
) STRICT;

-- Online orders of each platform that concern this store's shelf. `posted`: units of `handed_over` that are in the ledger, or
-- were gone before the platform was connected. `ref` is `name` as tickets are compared with it. `absent`: full lists that it
-- was missing from.
CREATE TABLE online_line (
  lane INTEGER NOT NULL, ord TEXT NOT NULL, line TEXT NOT NULL, name TEXT NOT NULL, ref TEXT NOT NULL DEFAULT '', item TEXT NOT NULL,
  sku TEXT, open INTEGER NOT NULL, handed_over INTEGER NOT NULL, posted INTEGER NOT NULL DEFAULT 0, changed_at INTEGER NOT NULL,
  absent INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (lane, ord, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX online_open ON online_line (lane, item) WHERE open > 0;
CREATE INDEX online_due ON online_line (lane) WHERE handed_over <> posted;
CREATE INDEX online_ref ON online_line (ref, lane);
-- `paired_at`: when the first reading of all open orders began; `changed_after`: from where the next look reads, by the
-- platform's clock.
CREATE TABLE online_poll (
  lane INTEGER PRIMARY KEY, paired_at INTEGER, changed_after INTEGER, polled_at INTEGER, failed TEXT
) STRICT;
-- Tickets that name an online order, as the POS wrote it; and the lane that knows of their goods already.
CREATE TABLE online_ticket (
  source INTEGER NOT NULL, key TEXT NOT NULL, written TEXT, lane INTEGER,
  PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
-- The order that a ticket in quarantine names: it is read again when the order appears.
ALTER TABLE quarantine ADD COLUMN online_ref TEXT;

-- Reconciliation: what was seen different once, and the runs.
CREATE TABLE finding (
  lane INTEGER NOT NULL, item TEXT NOT NULL, sku INTEGER NOT NULL, shown INTEGER NOT NULL, due INTEGER NOT NULL, seen_at INTEGER NOT NULL,
  PRIMARY KEY (lane, item)
) STRICT, WITHOUT ROWID;
CREATE TABLE reconcile_run (
  id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, state TEXT NOT NULL,
  compared INTEGER NOT NULL, different INTEGER NOT NULL, repaired INTEGER NOT NULL, summary TEXT NOT NULL, plan TEXT,
  who TEXT NOT NULL, decided_by TEXT, decided_at INTEGER, note TEXT
) STRICT;

-- Values of articles as the POS has them: one row a change, in the same stream of positions as movements; side lanes are
-- told the latest. `told` is 0 for what was there at the first look.
CREATE TABLE fact (
  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('price', 'incoming')), sku INTEGER NOT NULL, value INTEGER NOT NULL,
  at INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX fact_latest ON fact (kind, sku, seq);
CREATE INDEX fact_at ON fact (at);
-- Lists of values: whether their first look is done, and how the last one went.
CREATE TABLE feed (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, begun INTEGER NOT NULL DEFAULT 0, read_at INTEGER, articles INTEGER, failed TEXT
) STRICT;
-- Values held for a person: rows are [[sku, before, after], ...].
CREATE TABLE value_hold (
  id INTEGER PRIMARY KEY, feed TEXT NOT NULL, kind TEXT NOT NULL, held_at INTEGER NOT NULL, reasons TEXT NOT NULL, rows TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('held', 'approved', 'refused', 'overtaken')), decided_at INTEGER, note TEXT
) STRICT;
-- What a person refused; forgotten when the POS says something else.
CREATE TABLE value_refused (
  feed TEXT NOT NULL, sku TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (feed, sku)
) STRICT, WITHOUT ROWID;

-- When each schedule was last due and how it went.
CREATE TABLE schedule_state (
  name TEXT PRIMARY KEY, due_at INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, outcome TEXT
) STRICT;
