//! Odoo's Point of Sale.
//!
//! An order is a row of `pos_order`. A till that sends it again rewrites it: all lines are unlinked and written anew
//! under new ids, so neither line ids nor their number mean anything. Refunds are orders of their own with negative
//! quantities. An order of a closed session comes into a session "RESCUE FOR …", hours or days late. `date_order` is the
//! clock of the till's browser, made UTC; `write_date` is the server's, and Odoo has no index on it: a look by it reads
//! half a million orders in 0.2 s, one by `date_order` or number in a millisecond. New and late orders are found by
//! their numbers, edits of recent orders by the numbers and times that are read again.
//!
//! Stock moves at once or when the session is closed (`update_stock_at_closing`), so `stock_quant` may not know the
//! day's sales: an order is known to it when its picking is done or its session is closed.

use crate::database::engine::Dialect;
use crate::database::profile::{
    Meaning, OnHandLag, OptionKind, PosClock, Profile, ProfileOption, Settle, Sql, Table, TicketId,
};

const WAREHOUSE: ProfileOption = ProfileOption {
    name: "warehouse",
    kind: OptionKind::Text,
    default: Some("WH"),
    help: "short name of the store's warehouse (Inventory, Configuration, Warehouses)",
};
const SHOPS: ProfileOption = ProfileOption {
    name: "shops",
    kind: OptionKind::List,
    default: Some(""),
    help: "names of the store's Points of Sale; empty takes all",
};
const SKU_COLUMN: ProfileOption = ProfileOption {
    name: "sku_column",
    kind: OptionKind::Name,
    default: Some("default_code"),
    help: "what the web shop knows as SKU: default_code (Internal Reference) or barcode; without one it is `#` and Odoo's id",
};

const CHANGE_COLUMN: ProfileOption = ProfileOption {
    name: "change_column",
    kind: OptionKind::Name,
    default: Some("date_order"),
    help: "date_order, which has an index; or write_date, which finds edits of old orders at once and reads all orders at each look unless it has one",
};

/// The SKU of a product, where `p` is `product_product`.
macro_rules! sku {
    () => {
        "COALESCE(NULLIF(p.{sku_column}, ''), '#' || p.id)"
    };
}

macro_rules! order_columns {
    () => {
        "SELECT o.id AS ticket, o.pos_reference AS ticket_2, o.id AS seq, o.date_order AS sold_at,
  o.{change_column} AS changed_at, c.name AS register, l.id AS line_no,
  CASE o.state WHEN 'cancel' THEN 'cancelled' ELSE 'completed' END AS status,
  CASE WHEN l.id IS NULL THEN NULL ELSE COALESCE(NULLIF(p.{sku_column}, ''), '#' || p.id) END AS sku,
  l.qty AS quantity,
  CASE t.type WHEN 'service' THEN 'service' WHEN 'combo' THEN 'combo' END AS ignored"
    };
}

macro_rules! orders {
    () => {
        "
FROM pos_order o
JOIN pos_session s ON s.id = o.session_id
JOIN pos_config c ON c.id = s.config_id
LEFT JOIN pos_order_line l ON l.order_id = o.id"
    };
}

macro_rules! kits {
    () => {
        "
LEFT JOIN product_product sold ON sold.id = l.product_id
LEFT JOIN mrp_bom b ON b.id = (SELECT k.id FROM mrp_bom k
  WHERE k.type = 'phantom' AND k.active = TRUE AND k.product_tmpl_id = sold.product_tmpl_id
    AND (k.product_id IS NULL OR k.product_id = sold.id)
  ORDER BY k.product_id IS NULL, k.sequence, k.id LIMIT 1)
LEFT JOIN mrp_bom_line bl ON bl.bom_id = b.id
LEFT JOIN product_product p ON p.id = COALESCE(bl.product_id, l.product_id)"
    };
}

macro_rules! which_orders {
    () => {
        "
WHERE o.state <> 'draft' AND ('' IN ({shops}) OR c.name IN ({shops}))"
    };
}

macro_rules! template {
    () => {
        "
LEFT JOIN product_template t ON t.id = p.product_tmpl_id"
    };
}

/// Orders of an open session whose goods are not moved yet, and orders with a delivery that is still to be made.
macro_rules! not_moved_yet {
    () => {
        "
WHERE o.state IN ('paid', 'done', 'invoiced') AND ('' IN ({shops}) OR c.name IN ({shops}))
  AND t.type NOT IN ('service', 'combo')
  AND ((s.state <> 'closed' AND NOT EXISTS (SELECT 1 FROM stock_picking k WHERE k.pos_order_id = o.id AND k.state = 'done'))
    OR EXISTS (SELECT 1 FROM stock_picking k WHERE k.pos_order_id = o.id AND k.state NOT IN ('done', 'cancel')))"
    };
}

const ORDER: Table =
    Table { name: "pos_order", columns: &["id", "pos_reference", "date_order", "write_date", "state", "session_id"] };
const ORDER_LINE: Table = Table { name: "pos_order_line", columns: &["id", "order_id", "product_id", "qty"] };
const SESSION: Table = Table { name: "pos_session", columns: &["id", "config_id", "state"] };
const CONFIG: Table = Table { name: "pos_config", columns: &["id", "name"] };
const PRODUCT: Table =
    Table { name: "product_product", columns: &["id", "product_tmpl_id", "default_code", "barcode", "active"] };
const TEMPLATE: Table = Table { name: "product_template", columns: &["id", "name", "type", "list_price"] };
const QUANT: Table = Table { name: "stock_quant", columns: &["product_id", "location_id", "quantity"] };
const STOCK_LOCATION: Table = Table { name: "stock_location", columns: &["id", "usage", "parent_path"] };
const STOCK_WAREHOUSE: Table = Table { name: "stock_warehouse", columns: &["id", "code", "lot_stock_id"] };
const PICKING: Table = Table { name: "stock_picking", columns: &["id", "pos_order_id", "state"] };
const BOM: Table = Table {
    name: "mrp_bom",
    columns: &["id", "type", "active", "product_tmpl_id", "product_id", "product_qty", "sequence"],
};
const BOM_LINE: Table = Table { name: "mrp_bom_line", columns: &["id", "bom_id", "product_id", "product_qty"] };

const RESCUE: &str =
    "an order that a till sends after its session was closed comes late, in a rescue session, with its old time";
const UNITS: &str = "units of measure of kits are taken as the parts' own units";
const SHIP_LATER: &str = "orders to be shipped later are taken off when they are paid";

/// Odoo 14 and newer.
pub(super) const ODOO: Profile = Profile {
    name: "odoo-pos",
    pos: "Odoo Point of Sale 14 and newer",
    dialects: &[Dialect::Postgres],
    tables: &[ORDER, ORDER_LINE, SESSION, CONFIG, PRODUCT, TEMPLATE, QUANT, STOCK_LOCATION, STOCK_WAREHOUSE, PICKING],
    options: &[WAREHOUSE, SHOPS, SKU_COLUMN, CHANGE_COLUMN],
    sales: Sql {
        common: concat!(
            order_columns!(),
            orders!(),
            "
LEFT JOIN product_product p ON p.id = l.product_id",
            template!(),
            which_orders!()
        ),
        by_dialect: &[],
    },
    on_hand: Some(Sql {
        common: concat!(
            "SELECT ",
            sku!(),
            " AS sku, COALESCE(SUM(q.quantity), 0) AS quantity
FROM product_product p
LEFT JOIN (SELECT sq.product_id, sq.quantity FROM stock_quant sq
    JOIN stock_location loc ON loc.id = sq.location_id
    JOIN stock_warehouse w ON w.code = {warehouse}
    JOIN stock_location shop ON shop.id = w.lot_stock_id
    WHERE loc.usage = 'internal' AND loc.parent_path LIKE shop.parent_path || '%') q ON q.product_id = p.id
WHERE EXISTS (SELECT 1 FROM stock_quant any_place WHERE any_place.product_id = p.id)
GROUP BY p.id, p.{sku_column}"
        ),
        by_dialect: &[],
    }),
    unapplied: Some(Sql {
        common: concat!(
            "SELECT ",
            sku!(),
            " AS sku, l.qty AS quantity",
            orders!(),
            "
JOIN product_product p ON p.id = l.product_id",
            template!(),
            not_moved_yet!()
        ),
        by_dialect: &[],
    }),
    lag: OnHandLag::AtClose,
    products: Some(Sql {
        common: concat!(
            "SELECT ",
            sku!(),
            " AS sku, t.name AS name, t.list_price AS price, NULLIF(p.barcode, '') AS barcode
FROM product_product p
JOIN product_template t ON t.id = p.product_tmpl_id
WHERE p.active = TRUE"
        ),
        // From Odoo 16 on a name is JSON, one text a language.
        by_dialect: &[(
            Dialect::Postgres,
            concat!(
                "SELECT ",
                sku!(),
                " AS sku,
  CASE WHEN LEFT(CAST(t.name AS text), 1) = '{' THEN CAST(CAST(t.name AS text) AS jsonb) ->> 'en_US'
    ELSE CAST(t.name AS text) END AS name,
  t.list_price AS price, NULLIF(p.barcode, '') AS barcode
FROM product_product p
JOIN product_template t ON t.id = p.product_tmpl_id
WHERE p.active = TRUE"
            ),
        )],
    }),
    meaning: Meaning::PLAIN,
    ticket: TicketId::Unique,
    clock: PosClock::Utc,
    settle: Settle::Together,
    blind_spots: &[
        "kits of the Manufacturing app are not opened: use the profile `odoo-pos-kits`",
        RESCUE,
        SHIP_LATER,
        "receipts, scrap and inventory adjustments are no orders: count the stock",
        "one database of several companies: name the store's Points of Sale in `shops`",
    ],
};

/// Odoo 14 and newer with kits of the Manufacturing app.
pub(super) const ODOO_KITS: Profile = Profile {
    name: "odoo-pos-kits",
    pos: "Odoo Point of Sale 14 and newer with kits (Manufacturing app)",
    tables: &[
        ORDER,
        ORDER_LINE,
        SESSION,
        CONFIG,
        PRODUCT,
        TEMPLATE,
        QUANT,
        STOCK_LOCATION,
        STOCK_WAREHOUSE,
        PICKING,
        BOM,
        BOM_LINE,
    ],
    sales: Sql {
        common: concat!(
            order_columns!(),
            ", COALESCE(bl.product_qty, 1) AS factor, COALESCE(b.product_qty, 1) AS divisor",
            orders!(),
            kits!(),
            template!(),
            which_orders!()
        ),
        by_dialect: &[],
    },
    unapplied: Some(Sql {
        common: concat!(
            "SELECT ",
            sku!(),
            " AS sku, ROUND(l.qty * 1.0 * COALESCE(bl.product_qty, 1) / COALESCE(b.product_qty, 1), 6) AS quantity",
            orders!(),
            kits!(),
            template!(),
            not_moved_yet!()
        ),
        by_dialect: &[],
    }),
    blind_spots: &[
        RESCUE,
        SHIP_LATER,
        UNITS,
        "kits inside kits are opened one level deep only",
        "receipts, scrap and inventory adjustments are no orders: count the stock",
        "one database of several companies: name the store's Points of Sale in `shops`",
    ],
    ..ODOO
};
