//! ERPNext: submitted, cancelled, returned and consolidated POS Invoices.

use super::shop::{Shop, on};

pub(super) const SCHEMA: &str = "
CREATE TABLE `tabPOS Invoice` (name VARCHAR(64) PRIMARY KEY, creation {TIME}, modified {TIME},
  docstatus INTEGER, pos_profile VARCHAR(64), update_stock INTEGER, is_return INTEGER, return_against VARCHAR(64),
  consolidated_invoice VARCHAR(64), customer VARCHAR(64), contact_mobile VARCHAR(64));
CREATE TABLE `tabPOS Invoice Item` (name VARCHAR(64) PRIMARY KEY, parent VARCHAR(64), idx INTEGER,
  item_code VARCHAR(64), qty {DECIMAL}, stock_qty {DECIMAL}, uom VARCHAR(16), conversion_factor {DECIMAL},
  warehouse VARCHAR(64));
CREATE TABLE `tabPacked Item` (name VARCHAR(64) PRIMARY KEY, parent VARCHAR(64), parenttype VARCHAR(64),
  parent_detail_docname VARCHAR(64), idx INTEGER, item_code VARCHAR(64), qty {DECIMAL}, warehouse VARCHAR(64));
CREATE TABLE tabItem (name VARCHAR(64) PRIMARY KEY, item_name VARCHAR(64), is_stock_item INTEGER);
CREATE TABLE `tabItem Barcode` (name VARCHAR(64) PRIMARY KEY, parent VARCHAR(64), barcode VARCHAR(64));
CREATE TABLE `tabItem Price` (name VARCHAR(64) PRIMARY KEY, item_code VARCHAR(64), price_list VARCHAR(64),
  selling INTEGER, price_list_rate {DECIMAL}, uom VARCHAR(16), customer VARCHAR(64), valid_upto DATE);
CREATE TABLE tabBin (name VARCHAR(64) PRIMARY KEY, item_code VARCHAR(64), warehouse VARCHAR(64), actual_qty {DECIMAL});
INSERT INTO tabItem VALUES ('MUG', 'Mug', 1), ('TEA', 'Tea', 1), ('GIFT', 'Gift box', 0), ('WRAP', 'Wrapping', 0);
INSERT INTO `tabItem Barcode` VALUES ('b1', 'MUG', '4000000000017'), ('b2', 'MUG', '4000000000024');
INSERT INTO `tabItem Price` VALUES ('r1', 'MUG', 'Standard Selling', 1, 5.5, 'Nos', NULL, NULL),
  ('r2', 'MUG', 'Wholesale', 1, 4, 'Nos', NULL, NULL), ('r3', 'MUG', 'Standard Selling', 1, 1, 'Nos', 'C-1', NULL);
INSERT INTO tabBin VALUES ('x1', 'MUG', 'Shop - T', 10), ('x2', 'MUG', 'Store - T', 500), ('x3', 'TEA', 'Shop - T', -0.5);
";

fn invoice(name: &str, time: &str, docstatus: i32) -> String {
    format!(
        "INSERT INTO `tabPOS Invoice` VALUES ('{name}', '2026-11-20 {time}', '2026-11-20 {time}.250000', {docstatus},
         'Counter', 1, 0, NULL, NULL, 'Walk-in', NULL)"
    )
}

fn line(name: &str, parent: &str, idx: i32, article: &str, stock: &str) -> String {
    format!(
        "INSERT INTO `tabPOS Invoice Item` VALUES ('{name}', '{parent}', {idx}, '{article}', 1, {stock}, 'Box', {stock}, 'Shop - T')"
    )
}

fn submitted_invoices_move_stock_units(shop: &mut Shop) {
    shop.pos(&invoice("PSINV-2026-00001", "09:00:00", 0));
    shop.pos(&line("l1", "PSINV-2026-00001", 1, "MUG", "6"));
    shop.pos(&line("l2", "PSINV-2026-00001", 2, "WRAP", "1"));
    assert_eq!(shop.look(), [""; 0], "a draft");
    shop.pos("UPDATE `tabPOS Invoice` SET docstatus = 1 WHERE name = 'PSINV-2026-00001'");
    assert_eq!(shop.look(), ["MUG -6 sale"], "one box of six");
    assert_eq!(shop.ignored(), [("not a stock item", 1)]);
    shop.pos(&invoice("PSINV-2026-00002", "09:10:00", 1));
    shop.pos(&line("l3", "PSINV-2026-00002", 1, "MUG", "-1"));
    shop.pos("UPDATE `tabPOS Invoice` SET is_return = 1, return_against = 'PSINV-2026-00001' WHERE name = 'PSINV-2026-00002'");
    assert_eq!(shop.look(), ["MUG 1 return"]);
    // Closing merges both into a Sales Invoice: `modified` moves, nothing else does.
    shop.pos("UPDATE `tabPOS Invoice` SET consolidated_invoice = 'SINV-9', modified = '2026-11-20 20:00:00.000001'");
    assert_eq!(shop.look(), [""; 0]);
    shop.pos(
        "UPDATE `tabPOS Invoice` SET docstatus = 2, modified = '2026-11-20 20:10:00' WHERE name = 'PSINV-2026-00001'",
    );
    assert_eq!(shop.look(), ["MUG 6 void"]);
    // A cancelled invoice may be deleted, and an amended one has a name of its own.
    shop.pos("DELETE FROM `tabPOS Invoice` WHERE name = 'PSINV-2026-00001'");
    shop.pos(&invoice("PSINV-2026-00001-1", "20:11:00", 1));
    shop.pos(&line("l4", "PSINV-2026-00001-1", 1, "MUG", "5"));
    assert_eq!(shop.look(), ["MUG -5 sale"]);
}

fn bundles_move_their_parts(shop: &mut Shop) {
    shop.pos(&invoice("P1", "09:00:00", 1));
    shop.pos(&line("l1", "P1", 1, "GIFT", "2"));
    shop.pos("INSERT INTO `tabPacked Item` VALUES ('k1', 'P1', 'POS Invoice', 'l1', 1, 'MUG', 2, 'Shop - T'),
      ('k2', 'P1', 'POS Invoice', 'l1', 2, 'TEA', 0.5, 'Shop - T'), ('k3', 'P1', 'Sales Order', 'l1', 1, 'TEA', 9, 'Shop - T')");
    assert_eq!(shop.look(), ["MUG -2 sale", "TEA -0.5 sale"]);
    // Sold from another warehouse, and billed without goods.
    shop.pos(&invoice("P2", "09:10:00", 1));
    shop.pos(&line("l2", "P2", 1, "MUG", "4"));
    shop.pos("UPDATE `tabPOS Invoice Item` SET warehouse = 'Store - T' WHERE name = 'l2'");
    shop.pos(&invoice("P3", "09:11:00", 1));
    shop.pos(&line("l3", "P3", 1, "MUG", "1"));
    shop.pos("UPDATE `tabPOS Invoice` SET update_stock = 0 WHERE name = 'P3'");
    assert_eq!(shop.look(), [""; 0]);
    assert_eq!(shop.ignored(), [("invoice without stock", 1), ("other warehouse", 1)]);
}

fn stock_on_hand_moves_when_the_day_is_closed(shop: &mut Shop) {
    assert_eq!(shop.on_hand(), ["MUG 10", "TEA -0.5"]);
    shop.pos(&invoice("P1", "09:00:00", 1));
    shop.pos(&line("l1", "P1", 1, "MUG", "3"));
    shop.pos(&line("l2", "P1", 2, "GIFT", "1"));
    shop.pos("INSERT INTO `tabPacked Item` VALUES ('k1', 'P1', 'POS Invoice', 'l2', 1, 'MUG', 1, 'Shop - T')");
    shop.pos(&invoice("P2", "09:10:00", 2));
    shop.pos(&line("l3", "P2", 1, "MUG", "100"));
    assert_eq!(shop.on_hand(), ["MUG 6", "TEA -0.5"]);
    shop.pos("UPDATE `tabPOS Invoice` SET consolidated_invoice = 'SINV-1' WHERE name = 'P1'");
    shop.pos("UPDATE tabBin SET actual_qty = 6 WHERE name = 'x1'");
    assert_eq!(shop.on_hand(), ["MUG 6", "TEA -0.5"], "closing the day changes the count by nothing");
    assert_eq!(shop.products()[1..3], ["MUG 4000000000017 5.5 Mug", "MUG 4000000000024 5.5 Mug"]);
}

on!(
    erpnext,
    "erpnext-pos",
    SCHEMA,
    [("warehouse", &["Shop - T"])],
    [Sqlite, Mysql],
    [submitted_invoices_move_stock_units, bundles_move_their_parts, stock_on_hand_moves_when_the_day_is_closed,]
);
