//! ERPNext's Point of Sale: POS Invoices, before and after they are consolidated.
//!
//! Each ticket is one submitted `POS Invoice` (`docstatus` 1; 2 is cancelled, 0 a draft). At closing they are merged
//! into a `Sales Invoice` that posts the stock; only the POS Invoices are read here, so nothing comes twice. The names
//! of the merged invoice enter each POS Invoice then, which changes `modified` and nothing that moves.
//!
//! The time of a sale is the one when the server first saved the invoice (`creation`): it never changes, while the posting
//! date and time can be set by hand and have no index together.
//!
//! Bundles: `Packed Item` rows hold the parts, in stock units, with the invoice's sign; the bundle itself has no stock.

use crate::database::engine::Dialect;
use crate::database::profile::{
    Meaning, OnHandLag, OptionKind, PosClock, Profile, ProfileOption, Settle, Sql, Table, TicketId,
};

/// ERPNext 13 and newer on MariaDB.
pub(super) const ERPNEXT: Profile = Profile {
    name: "erpnext-pos",
    pos: "ERPNext 13 and newer, Point of Sale with POS Invoices (MariaDB)",
    dialects: &[Dialect::Mysql],
    tables: &[
        Table {
            name: "`tabPOS Invoice`",
            columns: &[
                "name",
                "creation",
                "modified",
                "docstatus",
                "pos_profile",
                "update_stock",
                "consolidated_invoice",
            ],
        },
        Table {
            name: "`tabPOS Invoice Item`",
            columns: &["name", "parent", "idx", "item_code", "stock_qty", "warehouse"],
        },
        Table {
            name: "`tabPacked Item`",
            columns: &["parent", "parenttype", "parent_detail_docname", "idx", "item_code", "qty", "warehouse"],
        },
        Table { name: "tabItem", columns: &["name", "item_name", "is_stock_item"] },
        Table { name: "`tabItem Barcode`", columns: &["parent", "barcode"] },
        Table {
            name: "`tabItem Price`",
            columns: &["item_code", "price_list", "selling", "price_list_rate", "uom", "customer", "valid_upto"],
        },
        Table { name: "tabBin", columns: &["item_code", "warehouse", "actual_qty"] },
    ],
    options: &[
        ProfileOption {
            name: "warehouse",
            kind: OptionKind::Text,
            default: None,
            help: "the store's warehouse, as ERPNext names it (`Shop - ABC`)",
        },
        ProfileOption {
            name: "pos_profiles",
            kind: OptionKind::List,
            default: Some(""),
            help: "names of the store's POS Profiles; empty takes all",
        },
        ProfileOption {
            name: "price_list",
            kind: OptionKind::Text,
            default: Some("Standard Selling"),
            help: "price list of the article query",
        },
    ],
    sales: Sql {
        common: "SELECT v.name AS ticket, v.creation AS sold_at, v.modified AS changed_at, v.pos_profile AS register,
  CASE v.docstatus WHEN 2 THEN 'cancelled' ELSE 'completed' END AS status,
  l.idx * 1000 + COALESCE(k.idx, 0) AS line_no,
  COALESCE(k.item_code, l.item_code) AS sku, COALESCE(k.qty, l.stock_qty) AS quantity,
  CASE WHEN l.name IS NULL THEN NULL
    WHEN v.update_stock = 0 THEN 'invoice without stock'
    WHEN a.is_stock_item = 0 THEN 'not a stock item'
    WHEN COALESCE(NULLIF(k.warehouse, ''), l.warehouse) <> {warehouse} THEN 'other warehouse' END AS ignored
FROM `tabPOS Invoice` v
LEFT JOIN `tabPOS Invoice Item` l ON l.parent = v.name
LEFT JOIN `tabPacked Item` k ON k.parent = v.name AND k.parenttype = 'POS Invoice' AND k.parent_detail_docname = l.name
LEFT JOIN tabItem a ON a.name = COALESCE(k.item_code, l.item_code)
WHERE v.docstatus IN (1, 2) AND ('' IN ({pos_profiles}) OR v.pos_profile IN ({pos_profiles}))",
        by_dialect: &[],
    },
    on_hand: Some(Sql {
        common: "SELECT a.name AS sku, COALESCE(SUM(b.actual_qty), 0) AS quantity
FROM tabItem a
LEFT JOIN tabBin b ON b.item_code = a.name AND b.warehouse = {warehouse}
WHERE a.is_stock_item = 1
GROUP BY a.name",
        by_dialect: &[],
    }),
    unapplied: Some(Sql {
        common: "SELECT COALESCE(k.item_code, l.item_code) AS sku, COALESCE(k.qty, l.stock_qty) AS quantity
FROM `tabPOS Invoice` v
JOIN `tabPOS Invoice Item` l ON l.parent = v.name
LEFT JOIN `tabPacked Item` k ON k.parent = v.name AND k.parenttype = 'POS Invoice' AND k.parent_detail_docname = l.name
JOIN tabItem a ON a.name = COALESCE(k.item_code, l.item_code)
WHERE v.docstatus = 1 AND v.update_stock = 1 AND COALESCE(v.consolidated_invoice, '') = '' AND a.is_stock_item = 1
  AND COALESCE(NULLIF(k.warehouse, ''), l.warehouse) = {warehouse}",
        by_dialect: &[],
    }),
    lag: OnHandLag::AtClose,
    products: Some(Sql {
        common: "SELECT a.name AS sku, a.item_name AS name, p.price_list_rate AS price, b.barcode AS barcode
FROM tabItem a
LEFT JOIN `tabItem Price` p ON p.item_code = a.name AND p.price_list = {price_list} AND p.selling = 1
  AND COALESCE(p.customer, '') = '' AND p.valid_upto IS NULL
LEFT JOIN `tabItem Barcode` b ON b.parent = a.name",
        by_dialect: &[],
    }),
    meaning: Meaning::PLAIN,
    ticket: TicketId::Reusable,
    clock: PosClock::Store,
    settle: Settle::Together,
    blind_spots: &[
        "tills that write Sales Invoices in place of POS Invoices (POS Settings, and offline add-ons) need own queries",
        "Delivery Notes, Stock Entries and Sales Invoices of the back office are no tickets: count the stock",
        "invoices of an offline till come when it is online again, with the time of then",
        "the time is the one of the ERPNext server: set `timezone` if it is not in the store",
    ],
};
