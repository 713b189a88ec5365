//! Odoo: orders sent again, refunds, rescue sessions, stock that moves at the end of the session.

use super::shop::{Shop, on};

pub(super) const SCHEMA: &str = "
CREATE TABLE pos_config (id INTEGER PRIMARY KEY, name VARCHAR(64));
CREATE TABLE pos_session (id INTEGER PRIMARY KEY, config_id INTEGER, name VARCHAR(64), state VARCHAR(32), rescue {BOOL});
CREATE TABLE pos_order (id INTEGER PRIMARY KEY, pos_reference VARCHAR(64), date_order {TIME}, write_date {TIME},
  state VARCHAR(32), session_id INTEGER, partner_id INTEGER);
CREATE TABLE pos_order_line (id INTEGER PRIMARY KEY, order_id INTEGER, product_id INTEGER, qty {DECIMAL},
  refunded_orderline_id INTEGER, combo_parent_id INTEGER);
CREATE TABLE product_template (id INTEGER PRIMARY KEY, name VARCHAR(128), type VARCHAR(32), list_price {DECIMAL});
CREATE TABLE product_product (id INTEGER PRIMARY KEY, product_tmpl_id INTEGER, default_code VARCHAR(64),
  barcode VARCHAR(64), active {BOOL});
CREATE TABLE stock_location (id INTEGER PRIMARY KEY, usage VARCHAR(32), parent_path VARCHAR(64));
CREATE TABLE stock_warehouse (id INTEGER PRIMARY KEY, code VARCHAR(8), lot_stock_id INTEGER);
CREATE TABLE stock_quant (id INTEGER PRIMARY KEY, product_id INTEGER, location_id INTEGER, quantity {DECIMAL},
  reserved_quantity {DECIMAL});
CREATE TABLE stock_picking (id INTEGER PRIMARY KEY, pos_order_id INTEGER, pos_session_id INTEGER, state VARCHAR(32));
CREATE TABLE mrp_bom (id INTEGER PRIMARY KEY, type VARCHAR(32), active {BOOL}, product_tmpl_id INTEGER,
  product_id INTEGER, product_qty {DECIMAL}, sequence INTEGER);
CREATE TABLE mrp_bom_line (id INTEGER PRIMARY KEY, bom_id INTEGER, product_id INTEGER, product_qty {DECIMAL});
INSERT INTO pos_config VALUES (1, 'Shop'), (2, 'Other shop');
INSERT INTO pos_session VALUES (1, 1, 'POS/00001', 'opened', FALSE), (2, 2, 'POS/00002', 'opened', FALSE);
INSERT INTO product_template VALUES (1, '{\"en_US\": \"Mug\"}', 'consu', 5.5), (2, 'Tea', 'consu', 20),
  (3, 'Delivery', 'service', 4), (4, 'Breakfast', 'combo', 9), (5, 'Gift box', 'consu', 24), (6, 'Stamp', 'consu', 1);
INSERT INTO product_product VALUES (1, 1, 'MUG', '4000000000017', TRUE), (2, 2, 'TEA', NULL, TRUE),
  (3, 3, 'DELIVERY', NULL, TRUE), (4, 4, 'BREAKFAST', NULL, TRUE), (5, 5, 'GIFT', NULL, TRUE), (6, 6, NULL, NULL, TRUE);
INSERT INTO stock_location VALUES (8, 'internal', '1/7/8/'), (9, 'internal', '1/7/8/9/'), (15, 'internal', '1/14/15/'),
  (5, 'customer', '2/5/');
INSERT INTO stock_warehouse VALUES (1, 'WH', 8), (2, 'OTHER', 15);
INSERT INTO mrp_bom VALUES (1, 'phantom', TRUE, 5, NULL, 2, 1), (2, 'normal', TRUE, 1, NULL, 1, 1);
INSERT INTO mrp_bom_line VALUES (1, 1, 1, 2), (2, 1, 2, 1), (3, 2, 2, 9);
";

fn order(id: i32, number: &str, time: &str, state: &str, session: i32) -> String {
    format!(
        "INSERT INTO pos_order VALUES ({id}, 'Order {number}', '2026-11-20 {time}', '2026-11-20 {time}', '{state}', {session}, NULL)"
    )
}

fn line(id: i32, order: i32, product: i32, quantity: &str) -> String {
    format!("INSERT INTO pos_order_line VALUES ({id}, {order}, {product}, {quantity}, NULL, NULL)")
}

fn an_order_that_is_sent_again_moves_the_difference(shop: &mut Shop) {
    shop.pos(&order(1, "00001-001-0001", "09:00:00", "draft", 1));
    shop.pos(&line(1, 1, 1, "2"));
    assert_eq!(shop.look(), [""; 0], "a draft");
    shop.pos("UPDATE pos_order SET state = 'paid' WHERE id = 1");
    assert_eq!(shop.look(), ["MUG -2 sale"]);
    // All lines are unlinked and written again: first the same, then with another quantity and one more.
    shop.pos("DELETE FROM pos_order_line WHERE order_id = 1");
    shop.pos(&line(2, 1, 1, "2"));
    assert_eq!(shop.look(), [""; 0]);
    shop.pos("DELETE FROM pos_order_line WHERE order_id = 1");
    shop.pos(&line(3, 1, 1, "1"));
    shop.pos(&line(4, 1, 6, "3"));
    assert_eq!(shop.look(), ["#6 -3 edit", "MUG 1 edit"]);
    shop.pos("UPDATE pos_order SET state = 'done', write_date = '2026-11-20 20:00:00' WHERE id = 1");
    assert_eq!(shop.look(), [""; 0], "the session is closed");
    shop.pos("DELETE FROM pos_order_line WHERE order_id = 1");
    shop.pos("DELETE FROM pos_order WHERE id = 1");
    assert_eq!(shop.look(), ["#6 3 void", "MUG 1 void"]);
}

fn refunds_services_combos_and_other_shops(shop: &mut Shop) {
    shop.pos(&order(1, "00001-001-0001", "09:00:00", "invoiced", 1));
    for (id, product, quantity) in [(1, 2, "0.125"), (2, 3, "1"), (3, 4, "1"), (4, 1, "1")] {
        shop.pos(&line(id, 1, product, quantity));
    }
    assert_eq!(shop.look(), ["TEA -0.125 sale", "MUG -1 sale"]);
    assert_eq!(shop.ignored(), [("combo", 1), ("service", 1)]);
    shop.pos(&order(2, "00001-001-0002", "09:10:00", "paid", 1));
    shop.pos(&line(5, 2, 2, "-0.125"));
    shop.pos(&order(3, "00002-001-0001", "09:11:00", "paid", 2));
    shop.pos(&line(6, 3, 1, "40"));
    shop.pos(&order(4, "00001-001-0003", "09:12:00", "cancel", 1));
    shop.pos(&line(7, 4, 1, "9"));
    assert_eq!(shop.look(), ["TEA 0.125 return"]);
    // A till that was offline: its session is closed, its order comes in a rescue session with its old time.
    shop.pos("UPDATE pos_session SET state = 'closed' WHERE id = 1");
    shop.pos("INSERT INTO pos_session VALUES (3, 1, '(RESCUE FOR POS/00001)', 'opened', TRUE)");
    shop.pos(&order(5, "00001-001-0004", "08:00:00", "paid", 3));
    shop.pos(&line(8, 5, 1, "1"));
    assert_eq!(shop.look(), ["MUG -1 sale"]);
}

fn stock_on_hand_knows_an_order_when_its_goods_are_moved(shop: &mut Shop) {
    shop.pos(
        "INSERT INTO stock_quant VALUES (1, 1, 8, 10, 4), (2, 1, 9, 2.5, 0), (3, 1, 15, 70, 0), (4, 1, 5, 30, 0),
      (5, 2, 5, 3, 0)",
    );
    // The last tea was sold: Odoo deletes the quant of nothing. A stamp was never in stock.
    assert_eq!(shop.on_hand(), ["MUG 12.5", "TEA 0"]);
    // Stock moves when the session is closed.
    shop.pos(&order(1, "00001-001-0001", "09:00:00", "paid", 1));
    shop.pos(&line(1, 1, 1, "3"));
    // This one was moved at once, and this one is to be delivered.
    shop.pos(&order(2, "00001-001-0002", "09:10:00", "paid", 1));
    shop.pos(&line(2, 2, 1, "1"));
    shop.pos("INSERT INTO stock_picking VALUES (1, 2, 1, 'done')");
    assert_eq!(shop.on_hand(), ["MUG 9.5", "TEA 0"]);
    shop.pos("UPDATE pos_session SET state = 'closed' WHERE id = 1");
    shop.pos("UPDATE stock_quant SET quantity = 7 WHERE id = 1");
    assert_eq!(shop.on_hand(), ["MUG 9.5", "TEA 0"], "closing the session changes the count by nothing");
    shop.pos("INSERT INTO stock_picking VALUES (2, 1, NULL, 'confirmed')");
    assert_eq!(shop.on_hand(), ["MUG 6.5", "TEA 0"], "an order to be delivered is still on the shelf");
    assert_eq!(shop.products()[4], "MUG 4000000000017 5.5 Mug".replace("Mug", shop.json_name("Mug").as_str()));
}

fn kits_are_opened_once(shop: &mut Shop) {
    shop.pos(&order(1, "00001-001-0001", "09:00:00", "paid", 1));
    shop.pos(&line(1, 1, 5, "3"));
    shop.pos(&line(2, 1, 1, "1"));
    // The bill is for two boxes: two mugs and one tea make two.
    assert_eq!(shop.look(), ["MUG -3 sale", "TEA -1.5 sale", "MUG -1 sale"]);
    shop.pos("INSERT INTO stock_quant VALUES (1, 1, 8, 10, 0), (2, 2, 8, 10, 0)");
    assert_eq!(shop.on_hand(), ["MUG 6", "TEA 8.5"]);
}

on!(
    odoo,
    "odoo-pos",
    SCHEMA,
    [("shops", &["Shop"])],
    [Sqlite, Postgres],
    [
        an_order_that_is_sent_again_moves_the_difference,
        refunds_services_combos_and_other_shops,
        stock_on_hand_knows_an_order_when_its_goods_are_moved,
    ]
);
on!(odoo_kits, "odoo-pos-kits", SCHEMA, [("shops", &["Shop"])], [Sqlite, Postgres], [kits_are_opened_once]);
