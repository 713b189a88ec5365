//! Floreant: tickets that are visible before they are paid, voids that come late, re-opened tickets.

use super::shop::{Shop, on};

pub(super) const SCHEMA: &str = "
CREATE TABLE TICKET (ID INTEGER PRIMARY KEY, CREATE_DATE {TIME}, CLOSING_DATE {TIME}, PAID {BOOL}, SETTLED {BOOL},
  VOIDED {BOOL}, VOID_REASON VARCHAR(64), WASTED {BOOL}, REFUNDED {BOOL}, IS_RE_OPENED {BOOL}, TERMINAL_ID INTEGER,
  CUSTOMER_ID INTEGER, DELIVERY_ADDRESS VARCHAR(120));
CREATE TABLE TICKET_ITEM (ID INTEGER PRIMARY KEY, TICKET_ID INTEGER, ITEM_ID INTEGER, ITEM_COUNT INTEGER,
  ITEM_QUANTITY {DOUBLE}, ITEM_NAME VARCHAR(64), FRACTIONAL_UNIT {BOOL}, STOCK_AMOUNT_ADJUSTED {BOOL});
CREATE TABLE MENU_ITEM (ID INTEGER PRIMARY KEY, NAME VARCHAR(64), BARCODE VARCHAR(64), PRICE {DOUBLE},
  STOCK_AMOUNT {DOUBLE}, DISABLE_WHEN_STOCK_AMOUNT_IS_ZERO {BOOL});
INSERT INTO MENU_ITEM VALUES (1, 'Cola', '4000000000017', 2.5, 40, FALSE), (2, 'Beans', '', 18, 12.5, FALSE),
  (3, 'Soup', NULL, 6, 0, FALSE), (4, 'Cake', '4000000000024', 4, 0, TRUE);
";

fn ticket(id: i32, time: &str, settled: &str) -> String {
    let closed = if settled == "TRUE" { format!("'2026-11-20 {time}'") } else { "NULL".to_owned() };
    format!(
        "INSERT INTO TICKET VALUES ({id}, '2026-11-20 {time}', {closed}, {settled}, {settled}, FALSE, NULL, NULL, FALSE,
         FALSE, 7, NULL, NULL)"
    )
}

fn item(id: i32, ticket: i32, article: i32, count: i32) -> String {
    format!("INSERT INTO TICKET_ITEM VALUES ({id}, {ticket}, {article}, {count}, 0, 'x', FALSE, TRUE)")
}

fn only_settled_tickets_move_stock(shop: &mut Shop) {
    shop.pos(&ticket(1, "09:00:00", "FALSE"));
    assert_eq!(shop.look(), [""; 0], "a ticket without lines yet");
    shop.pos(&item(1, 1, 1, 2));
    shop.pos(&item(2, 1, 0, 1));
    shop.pos("INSERT INTO TICKET_ITEM VALUES (3, 1, 2, 1, 0.25, 'x', TRUE, TRUE)");
    assert_eq!(shop.look(), [""; 0], "an open ticket");
    shop.pos("UPDATE TICKET SET PAID = TRUE, SETTLED = TRUE, CLOSING_DATE = '2026-11-20 09:40:00' WHERE ID = 1");
    assert_eq!(shop.look(), ["4000000000017 -2 sale", "#2 -0.25 sale"]);
    assert_eq!(shop.ignored(), [("open item", 1)]);
}

fn a_void_comes_late_and_waste_stays_gone(shop: &mut Shop) {
    for (id, time) in [(1, "09:00:00"), (2, "09:01:00")] {
        shop.pos(&ticket(id, time, "TRUE"));
        shop.pos(&item(id, id, 1, 3));
    }
    assert_eq!(shop.look(), ["4000000000017 -3 sale", "4000000000017 -3 sale"]);
    shop.pos("UPDATE TICKET SET VOIDED = TRUE, WASTED = FALSE, CLOSING_DATE = '2026-11-20 20:00:00' WHERE ID = 1");
    shop.pos("UPDATE TICKET SET VOIDED = TRUE, WASTED = TRUE, CLOSING_DATE = '2026-11-20 20:01:00' WHERE ID = 2");
    assert_eq!(shop.look(), ["4000000000017 3 void"]);
    // Money given back tells nothing of goods.
    shop.pos(&ticket(3, "10:00:00", "TRUE"));
    shop.pos(&item(9, 3, 3, 1));
    assert_eq!(shop.look(), ["#3 -1 sale"]);
    shop.pos("UPDATE TICKET SET REFUNDED = TRUE, CLOSING_DATE = '2026-11-20 20:02:00' WHERE ID = 3");
    assert_eq!(shop.look(), [""; 0]);
}

fn a_reopened_ticket_moves_the_difference_at_once(shop: &mut Shop) {
    shop.pos(&ticket(1, "09:00:00", "TRUE"));
    shop.pos(&item(1, 1, 1, 2));
    shop.pos(&item(2, 1, 4, 1));
    assert_eq!(shop.look(), ["4000000000017 -2 sale", "4000000000024 -1 sale"]);
    shop.pos("UPDATE TICKET SET SETTLED = FALSE, CLOSING_DATE = NULL, IS_RE_OPENED = TRUE WHERE ID = 1");
    assert_eq!(shop.look(), [""; 0], "its goods left the shop already");
    shop.pos("DELETE FROM TICKET_ITEM WHERE ID = 2");
    shop.pos(&item(3, 1, 1, 1));
    assert_eq!(shop.look(), ["4000000000017 -1 edit", "4000000000024 1 edit"]);
    shop.pos("UPDATE TICKET SET SETTLED = TRUE, CLOSING_DATE = '2026-11-20 11:00:00' WHERE ID = 1");
    assert_eq!(shop.look(), [""; 0]);
    // Erased for good, and the number given to another ticket after a restore.
    shop.pos("DELETE FROM TICKET_ITEM WHERE TICKET_ID = 1");
    shop.pos("DELETE FROM TICKET WHERE ID = 1");
    assert_eq!(shop.look(), ["4000000000017 3 void"]);
    shop.pos(&ticket(1, "15:00:00", "TRUE"));
    shop.pos(&item(4, 1, 1, 1));
    assert_eq!(shop.look(), ["4000000000017 -1 sale"]);
}

fn stock_on_hand_is_without_what_open_tickets_took(shop: &mut Shop) {
    // Soup has no stock count; cake is sold out and counted; three cola are on an open ticket.
    shop.pos("UPDATE MENU_ITEM SET STOCK_AMOUNT = 37 WHERE ID = 1");
    shop.pos(&ticket(1, "09:00:00", "FALSE"));
    shop.pos(&item(1, 1, 1, 3));
    assert_eq!(shop.on_hand(), ["#2 12.5", "4000000000017 40", "4000000000024 0"]);
    shop.pos("UPDATE MENU_ITEM SET STOCK_AMOUNT = -1 WHERE ID = 4");
    assert_eq!(shop.on_hand()[2], "4000000000024 -1");
    assert_eq!(shop.products()[0], "#2 - 18 Beans");
}

on!(
    floreant,
    "floreant",
    SCHEMA,
    [("terminals", &["7"])],
    [Sqlite, Postgres, Mysql],
    [
        only_settled_tickets_move_stock,
        a_void_comes_late_and_waste_stays_gone,
        a_reopened_ticket_moves_the_difference_at_once,
        stock_on_hand_is_without_what_open_tickets_took,
    ]
);
