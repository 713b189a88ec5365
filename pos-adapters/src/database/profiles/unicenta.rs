//! uniCenta oPOS, KrIOS, Chromis and Openbravo POS: one family of tables, four profiles.
//!
//! # Diary or tickets, never both
//! Each sold line is written to `STOCKDIARY` in the same database transaction as its ticket, and so are purchases,
//! breakage and moves between locations. "Delete ticket" erases the ticket's rows and adds diary rows with reason 2,
//! so the diary never loses a movement. It is the stock; the ticket lines (`unicenta-tickets`) are for shops whose
//! diary was switched off or is cleared.
//!
//! # Kits
//! The diary has the kit itself; only `STOCKCURRENT` is moved for the parts (`DataLogicSales.adjustStock`). Kits are
//! therefore opened here, once, two levels deep. Deleting a ticket writes the kit and its parts, so the POS puts the
//! parts back twice; the profile follows, so that the ledger and the POS's own stock on hand stay equal.

use crate::database::engine::Dialect;
use crate::database::profile::{
    Meaning, OnHandLag, OptionKind, PosClock, Profile, ProfileOption, Settle, Sql, Table, TicketId,
};
use crate::file::settings::QuantitySign;

const LOCATION: ProfileOption = ProfileOption {
    name: "location",
    kind: OptionKind::Text,
    default: Some("0"),
    help: "id of the stock location that is this store (table LOCATIONS)",
};
const SKU_COLUMN: ProfileOption = ProfileOption {
    name: "sku_column",
    kind: OptionKind::Name,
    default: Some("reference"),
    help: "column of PRODUCTS that the web shop knows as SKU: reference or code (the barcode)",
};
const REGISTERS: ProfileOption = ProfileOption {
    name: "registers",
    kind: OptionKind::List,
    default: Some(""),
    help: "host names of this store's tills (CLOSEDCASH.HOST); empty takes all",
};

const STOCK: Meaning = Meaning { quantity: QuantitySign::Stock, ..Meaning::PLAIN };

const NEGATIVE_OR_OLD: &str = "purchases and moves are seen only as far as the POS writes them to its stock diary";
const DATES: &str =
    "a till with a wrong clock writes wrong dates: rows dated further back than the daily look are missed";
const DEEP_KITS: &str = "kits inside kits inside kits are opened two levels deep only";
const DELETED_KITS: &str = "deleting a ticket with a kit puts the kit's parts back twice in the POS, and so in the web shop; count them in the POS";

/// uniCenta 4 and newer, KrIOS: the stock diary.
pub(super) const UNICENTA: Profile = Profile {
    name: "unicenta",
    pos: "uniCenta oPOS 4 and newer, KrIOS (stock diary)",
    dialects: &[Dialect::Mysql, Dialect::Postgres],
    tables: &[
        Table { name: "stockdiary", columns: &["id", "datenew", "reason", "location", "product", "units"] },
        Table { name: "stockcurrent", columns: &["location", "product", "units"] },
        Table { name: "products", columns: &["id", "reference", "code", "name", "pricesell", "isservice"] },
        Table { name: "products_bundle", columns: &["id", "product", "product_bundle", "quantity"] },
    ],
    options: &[LOCATION, SKU_COLUMN],
    sales: Sql {
        common: "SELECT d.id AS ticket, d.datenew AS sold_at,
  CASE d.reason WHEN -1 THEN 'sale' WHEN 2 THEN 'return' WHEN 1 THEN 'receipt' ELSE 'adjustment' END AS kind,
  p.{sku_column} AS sku, d.units AS quantity,
  COALESCE(k1.quantity, 1) * COALESCE(k2.quantity, 1) AS factor,
  CASE WHEN p.isservice = TRUE THEN 'service' END AS ignored
FROM stockdiary d
LEFT JOIN products_bundle k1 ON k1.product = d.product
LEFT JOIN products_bundle k2 ON k2.product = k1.product_bundle
JOIN products p ON p.id = COALESCE(k2.product_bundle, k1.product_bundle, d.product)
WHERE d.location = {location}",
        by_dialect: &[],
    },
    on_hand: Some(Sql {
        common: "SELECT p.{sku_column} AS sku, COALESCE(SUM(s.units), 0) AS quantity
FROM products p
LEFT JOIN stockcurrent s ON s.product = p.id AND s.location = {location}
WHERE p.isservice = FALSE AND NOT EXISTS (SELECT 1 FROM products_bundle k WHERE k.product = p.id)
GROUP BY p.{sku_column}",
        by_dialect: &[],
    }),
    unapplied: None,
    lag: OnHandLag::AtSale,
    products: Some(Sql {
        common: "SELECT p.{sku_column} AS sku, p.name AS name, p.pricesell AS price, p.code AS barcode FROM products p",
        by_dialect: &[],
    }),
    meaning: STOCK,
    ticket: TicketId::Unique,
    clock: PosClock::Store,
    settle: Settle::Together,
    blind_spots: &[NEGATIVE_OR_OLD, DATES, DEEP_KITS, DELETED_KITS],
};

/// uniCenta 4 and newer, KrIOS: the ticket lines.
pub(super) const UNICENTA_TICKETS: Profile = Profile {
    name: "unicenta-tickets",
    pos: "uniCenta oPOS 4 and newer, KrIOS (ticket lines; never together with `unicenta`)",
    tables: &[
        Table { name: "receipts", columns: &["id", "money", "datenew"] },
        Table { name: "tickets", columns: &["id", "tickettype"] },
        Table { name: "ticketlines", columns: &["ticket", "line", "product", "units"] },
        Table { name: "closedcash", columns: &["money", "host"] },
        Table { name: "stockcurrent", columns: &["location", "product", "units"] },
        Table { name: "products", columns: &["id", "reference", "code", "name", "pricesell", "isservice"] },
        Table { name: "products_bundle", columns: &["id", "product", "product_bundle", "quantity"] },
    ],
    options: &[LOCATION, SKU_COLUMN, REGISTERS],
    sales: Sql {
        common: "SELECT r.id AS ticket, r.datenew AS sold_at, c.host AS register, l.line AS line_no,
  CASE WHEN l.ticket IS NULL THEN NULL ELSE COALESCE(p.{sku_column}, 'no product') END AS sku,
  l.units AS quantity, COALESCE(k1.quantity, 1) * COALESCE(k2.quantity, 1) AS factor,
  CASE WHEN l.product IS NULL THEN 'no product' WHEN p.isservice = TRUE THEN 'service' END AS ignored
FROM receipts r
JOIN tickets t ON t.id = r.id
LEFT JOIN closedcash c ON c.money = r.money
LEFT JOIN ticketlines l ON l.ticket = t.id
LEFT JOIN products_bundle k1 ON k1.product = l.product
LEFT JOIN products_bundle k2 ON k2.product = k1.product_bundle
LEFT JOIN products p ON p.id = COALESCE(k2.product_bundle, k1.product_bundle, l.product)
WHERE t.tickettype IN (0, 1) AND ('' IN ({registers}) OR c.host IN ({registers}))",
        by_dialect: &[],
    },
    meaning: Meaning::PLAIN,
    blind_spots: &[
        "purchases, breakage and moves between locations are no tickets",
        "a deleted ticket is seen when its day is read again, not at once",
        DATES,
        DEEP_KITS,
    ],
    ..UNICENTA
};

/// Chromis: the stock diary.
pub(super) const CHROMIS: Profile = Profile {
    name: "chromis",
    pos: "Chromis POS (stock diary)",
    tables: &[
        Table { name: "STOCKDIARY", columns: &["ID", "DATENEW", "REASON", "LOCATION", "PRODUCT", "UNITS"] },
        Table { name: "STOCKCURRENT", columns: &["LOCATION", "PRODUCT", "UNITS"] },
        Table { name: "PRODUCTS", columns: &["ID", "REFERENCE", "CODE", "NAME", "PRICESELL", "ISSERVICE"] },
        Table { name: "PRODUCTS_KIT", columns: &["ID", "PRODUCT", "PRODUCT_KIT", "QUANTITY"] },
    ],
    sales: Sql {
        common: "SELECT d.ID AS ticket, d.DATENEW AS sold_at,
  CASE d.REASON WHEN -1 THEN 'sale' WHEN 2 THEN 'return' WHEN 1 THEN 'receipt' ELSE 'adjustment' END AS kind,
  p.{sku_column} AS sku, d.UNITS AS quantity,
  COALESCE(k1.QUANTITY, 1) * COALESCE(k2.QUANTITY, 1) AS factor,
  CASE WHEN p.ISSERVICE = TRUE THEN 'service' END AS ignored
FROM STOCKDIARY d
LEFT JOIN PRODUCTS_KIT k1 ON k1.PRODUCT = d.PRODUCT
LEFT JOIN PRODUCTS_KIT k2 ON k2.PRODUCT = k1.PRODUCT_KIT
JOIN PRODUCTS p ON p.ID = COALESCE(k2.PRODUCT_KIT, k1.PRODUCT_KIT, d.PRODUCT)
WHERE d.LOCATION = {location}",
        by_dialect: &[],
    },
    on_hand: Some(Sql {
        common: "SELECT p.{sku_column} AS sku, COALESCE(SUM(s.UNITS), 0) AS quantity
FROM PRODUCTS p
LEFT JOIN STOCKCURRENT s ON s.PRODUCT = p.ID AND s.LOCATION = {location}
WHERE p.ISSERVICE = FALSE AND NOT EXISTS (SELECT 1 FROM PRODUCTS_KIT k WHERE k.PRODUCT = p.ID)
GROUP BY p.{sku_column}",
        by_dialect: &[],
    }),
    products: Some(Sql {
        common: "SELECT p.{sku_column} AS sku, p.NAME AS name, p.PRICESELL AS price, p.CODE AS barcode FROM PRODUCTS p",
        by_dialect: &[],
    }),
    blind_spots: &[NEGATIVE_OR_OLD, DATES, DEEP_KITS],
    options: &[LOCATION, UPPER_SKU_COLUMN],
    ..UNICENTA
};

/// Openbravo POS 2 and uniCenta 3: the stock diary, without kits.
pub(super) const OPENBRAVO: Profile = Profile {
    name: "openbravo",
    pos: "Openbravo POS 2.30, uniCenta oPOS 3 (stock diary)",
    dialects: &[Dialect::Mysql, Dialect::Postgres, Dialect::Firebird],
    tables: &[
        Table { name: "STOCKDIARY", columns: &["ID", "DATENEW", "REASON", "LOCATION", "PRODUCT", "UNITS"] },
        Table { name: "STOCKCURRENT", columns: &["LOCATION", "PRODUCT", "UNITS"] },
        Table { name: "PRODUCTS", columns: &["ID", "REFERENCE", "CODE", "NAME", "PRICESELL"] },
    ],
    sales: Sql {
        common: "SELECT d.ID AS ticket, d.DATENEW AS sold_at,
  CASE d.REASON WHEN -1 THEN 'sale' WHEN 2 THEN 'return' WHEN 1 THEN 'receipt' ELSE 'adjustment' END AS kind,
  p.{sku_column} AS sku, d.UNITS AS quantity
FROM STOCKDIARY d
JOIN PRODUCTS p ON p.ID = d.PRODUCT
WHERE d.LOCATION = {location}",
        by_dialect: &[],
    },
    on_hand: Some(Sql {
        common: "SELECT p.{sku_column} AS sku, COALESCE(SUM(s.UNITS), 0) AS quantity
FROM PRODUCTS p
LEFT JOIN STOCKCURRENT s ON s.PRODUCT = p.ID AND s.LOCATION = {location}
GROUP BY p.{sku_column}",
        by_dialect: &[],
    }),
    products: CHROMIS.products,
    blind_spots: &[
        NEGATIVE_OR_OLD,
        DATES,
        "services cannot be told from goods: leave them without an item in the web shop",
    ],
    options: &[LOCATION, UPPER_SKU_COLUMN],
    ..UNICENTA
};

const UPPER_SKU_COLUMN: ProfileOption = ProfileOption {
    default: Some("REFERENCE"),
    help: "column of PRODUCTS that the web shop knows as SKU: REFERENCE or CODE (the barcode)",
    ..SKU_COLUMN
};
