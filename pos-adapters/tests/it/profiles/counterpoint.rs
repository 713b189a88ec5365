//! Counterpoint: posting, ticket numbers that come again, units, grids, order lines.

use super::shop::{Shop, on};

const SCHEMA: &str = "
CREATE TABLE PS_TKT_HIST (DOC_ID BIGINT, BUS_DAT {TIME}, STR_ID VARCHAR(10), STA_ID VARCHAR(10), TKT_NO VARCHAR(15),
  TKT_TYP VARCHAR(1), TKT_DT {TIME}, LST_MAINT_DT {TIME}, CUST_NO VARCHAR(15));
CREATE TABLE PS_TKT_HIST_LIN (DOC_ID BIGINT, BUS_DAT {TIME}, LIN_SEQ_NO INTEGER, TKT_NO VARCHAR(15), LIN_TYP VARCHAR(1),
  ITEM_NO VARCHAR(20), QTY_SOLD {DECIMAL}, QTY_NUMER {DECIMAL}, QTY_DENOM {DECIMAL}, IS_KIT_PAR VARCHAR(1),
  ITEM_TYP VARCHAR(1), STK_LOC_ID VARCHAR(10), DIM_1_UPR VARCHAR(15), DIM_2_UPR VARCHAR(15), DIM_3_UPR VARCHAR(15));
CREATE TABLE PS_TKT_HIST_LIN_CELL (DOC_ID BIGINT, BUS_DAT {TIME}, LIN_SEQ_NO INTEGER, DIM_1_UPR VARCHAR(15),
  DIM_2_UPR VARCHAR(15), DIM_3_UPR VARCHAR(15), QTY_SOLD {DECIMAL});
CREATE TABLE PS_DOC_HDR (DOC_ID BIGINT, DOC_TYP VARCHAR(1), STR_ID VARCHAR(10), STA_ID VARCHAR(10), TKT_NO VARCHAR(15),
  TKT_TYP VARCHAR(1), TKT_DT {TIME}, LST_MAINT_DT {TIME}, IS_DOC_COMMITTED VARCHAR(1), IS_OFFLINE INTEGER);
CREATE TABLE PS_DOC_LIN (DOC_ID BIGINT, LIN_SEQ_NO INTEGER, LIN_TYP VARCHAR(1), ITEM_NO VARCHAR(20), QTY_SOLD {DECIMAL},
  QTY_NUMER {DECIMAL}, QTY_DENOM {DECIMAL}, IS_KIT_PAR VARCHAR(1), ITEM_TYP VARCHAR(1), STK_LOC_ID VARCHAR(10),
  DIM_1_UPR VARCHAR(15), DIM_2_UPR VARCHAR(15), DIM_3_UPR VARCHAR(15));
CREATE TABLE PS_DOC_LIN_CELL (DOC_ID BIGINT, LIN_SEQ_NO INTEGER, DIM_1_UPR VARCHAR(15), DIM_2_UPR VARCHAR(15),
  DIM_3_UPR VARCHAR(15), QTY_SOLD {DECIMAL});
CREATE TABLE IM_ITEM (ITEM_NO VARCHAR(20), DESCR VARCHAR(30), ITEM_TYP VARCHAR(1), TRK_METH VARCHAR(1), PRC_1 {DECIMAL});
CREATE TABLE IM_INV (ITEM_NO VARCHAR(20), LOC_ID VARCHAR(10), QTY_ON_HND {DECIMAL}, QTY_COMMIT {DECIMAL});
CREATE TABLE IM_INV_CELL (ITEM_NO VARCHAR(20), LOC_ID VARCHAR(10), DIM_1_UPR VARCHAR(15), DIM_2_UPR VARCHAR(15),
  DIM_3_UPR VARCHAR(15), QTY_ON_HND {DECIMAL});
CREATE TABLE IM_BARCOD (ITEM_NO VARCHAR(20), BARCOD VARCHAR(30), DIM_1_UPR VARCHAR(15), DIM_2_UPR VARCHAR(15),
  DIM_3_UPR VARCHAR(15));
INSERT INTO IM_ITEM VALUES ('MUG', 'Mug', 'I', 'N', 5.5), ('SHIRT', 'Shirt', 'I', 'G', 15), ('GIFT', 'Gift box', 'I', 'N', 24),
  ('REPAIR', 'Repair', 'S', 'N', 10);
INSERT INTO IM_INV VALUES ('MUG', 'MAIN', 40, 0), ('MUG', 'EAST', 7, 0), ('SHIRT', 'MAIN', 3, 0), ('REPAIR', 'MAIN', 0, 0);
INSERT INTO IM_INV_CELL VALUES ('SHIRT', 'MAIN', 'RED', 'M', '*', 4), ('SHIRT', 'MAIN', 'RED', 'L', '*', -1),
  ('SHIRT', 'EAST', 'RED', 'M', '*', 9);
INSERT INTO IM_BARCOD VALUES ('MUG', '4000000000017', '*', '*', '*'), ('SHIRT', '4000000000024', 'RED', 'M', '*');
";

/// A finished ticket that is not posted yet.
fn ticket(doc: i64, number: &str, time: &str) -> String {
    format!(
        "INSERT INTO PS_DOC_HDR VALUES ({doc}, 'T', 'MAIN', '1', '{number}', 'T', '2026-11-20 {time}', '2026-11-20 {time}', 'Y', 0)"
    )
}

fn line(doc: i64, line: i32, kind: &str, article: &str, quantity: &str, unit: (i32, i32)) -> String {
    format!(
        "INSERT INTO PS_DOC_LIN VALUES ({doc}, {line}, '{kind}', '{article}', {quantity}, {}, {}, 'N', 'I', 'MAIN', NULL, NULL, NULL)",
        unit.0, unit.1
    )
}

/// Posts all tickets: they move to history and the stock on hand moves.
fn post(shop: &mut Shop, maintained: &str) {
    shop.pos(&format!(
        "INSERT INTO PS_TKT_HIST SELECT DOC_ID, '2026-11-20 00:00:00', STR_ID, STA_ID, TKT_NO, TKT_TYP, TKT_DT,
         '2026-11-20 {maintained}', NULL FROM PS_DOC_HDR WHERE DOC_TYP = 'T'"
    ));
    shop.pos(
        "INSERT INTO PS_TKT_HIST_LIN SELECT DOC_ID, '2026-11-20 00:00:00', LIN_SEQ_NO, 'x', LIN_TYP, ITEM_NO, QTY_SOLD,
      QTY_NUMER, QTY_DENOM, IS_KIT_PAR, ITEM_TYP, STK_LOC_ID, DIM_1_UPR, DIM_2_UPR, DIM_3_UPR FROM PS_DOC_LIN",
    );
    shop.pos(
        "INSERT INTO PS_TKT_HIST_LIN_CELL SELECT DOC_ID, '2026-11-20 00:00:00', LIN_SEQ_NO, DIM_1_UPR, DIM_2_UPR,
      DIM_3_UPR, QTY_SOLD FROM PS_DOC_LIN_CELL",
    );
    for table in ["PS_DOC_HDR", "PS_DOC_LIN", "PS_DOC_LIN_CELL"] {
        shop.pos(&format!("DELETE FROM {table}"));
    }
}

fn a_sale_is_seen_before_it_is_posted_and_once(shop: &mut Shop) {
    shop.pos(&ticket(9001, "1-100", "09:00:00"));
    shop.pos(&line(9001, 1, "S", "MUG", "2", (12, 1)));
    shop.pos(&line(9001, 2, "S", "MUG", "1", (1, 1)));
    shop.pos(&line(9001, 3, "S", "SHIRT", "3", (1, 1)));
    shop.pos("INSERT INTO PS_DOC_LIN_CELL VALUES (9001, 3, 'RED', 'M', '*', 2), (9001, 3, 'RED', 'L', '*', 1)");
    // Still being rung up.
    shop.pos(&ticket(9002, "1-101", "09:01:00"));
    shop.pos(&line(9002, 1, "S", "MUG", "50", (1, 1)));
    shop.pos("UPDATE PS_DOC_HDR SET IS_DOC_COMMITTED = 'N' WHERE DOC_ID = 9002");
    assert_eq!(shop.look(), ["MUG -24 sale", "MUG -1 sale", "SHIRT|RED|L -1 sale", "SHIRT|RED|M -2 sale"]);
    assert_eq!(shop.on_hand(), ["MUG 15", "SHIRT|RED|L -2", "SHIRT|RED|M 2"]);
    shop.pos("DELETE FROM PS_DOC_LIN WHERE DOC_ID = 9002");
    shop.pos("DELETE FROM PS_DOC_HDR WHERE DOC_ID = 9002");
    post(shop, "20:00:00");
    shop.pos("UPDATE IM_INV SET QTY_ON_HND = 15 WHERE ITEM_NO = 'MUG' AND LOC_ID = 'MAIN'");
    shop.pos("UPDATE IM_INV_CELL SET QTY_ON_HND = QTY_ON_HND - 2 WHERE DIM_2_UPR = 'M' AND LOC_ID = 'MAIN'");
    shop.pos("UPDATE IM_INV_CELL SET QTY_ON_HND = QTY_ON_HND - 1 WHERE DIM_2_UPR = 'L' AND LOC_ID = 'MAIN'");
    assert_eq!(shop.look(), [""; 0], "posting moves nothing");
    assert_eq!(shop.on_hand(), ["MUG 15", "SHIRT|RED|L -2", "SHIRT|RED|M 2"], "and changes the count by nothing");
}

fn ticket_numbers_come_again(shop: &mut Shop) {
    for (doc, time) in [(9001, "09:00:00"), (9500, "10:00:00")] {
        shop.pos(&ticket(doc, "1-100", time));
        shop.pos(&line(doc, 1, "S", "MUG", "1", (1, 1)));
    }
    post(shop, "20:00:00");
    assert_eq!(shop.look(), ["MUG -1 sale", "MUG -1 sale"]);
}

fn returns_kits_orders_and_voids(shop: &mut Shop) {
    shop.pos(&ticket(1, "1-1", "09:00:00"));
    // Returns are written with either sign.
    shop.pos(&line(1, 1, "R", "MUG", "1", (1, 1)));
    shop.pos(&line(1, 2, "R", "MUG", "-2", (1, 1)));
    shop.pos(&line(1, 3, "U", "MUG", "9", (1, 1)));
    shop.pos(&line(1, 4, "A", "MUG", "9", (1, 1)));
    assert_eq!(shop.look(), ["MUG 1 return", "MUG 2 return"]);
    assert_eq!(shop.ignored(), [("money line", 1), ("order lifecycle line", 1)]);
    shop.pos(&ticket(2, "1-2", "09:01:00"));
    shop.pos(&line(2, 1, "S", "GIFT", "1", (1, 1)));
    shop.pos(&line(2, 2, "S", "MUG", "2", (1, 1)));
    shop.pos(&line(2, 3, "S", "REPAIR", "1", (1, 1)));
    shop.pos(&line(2, 4, "S", "MUG", "6", (1, 1)));
    shop.pos("UPDATE PS_DOC_LIN SET IS_KIT_PAR = 'Y' WHERE ITEM_NO = 'GIFT'");
    shop.pos("UPDATE PS_DOC_LIN SET ITEM_TYP = 'S' WHERE ITEM_NO = 'REPAIR'");
    shop.pos("UPDATE PS_DOC_LIN SET STK_LOC_ID = 'EAST' WHERE DOC_ID = 2 AND LIN_SEQ_NO = 4");
    assert_eq!(shop.look(), ["MUG -2 sale"], "a kit's parts are lines of their own");
    assert_eq!(shop.ignored()[..2], [("kit parent", 1), ("money line", 1)]);
    shop.pos("UPDATE PS_DOC_HDR SET TKT_TYP = 'V', LST_MAINT_DT = '2026-11-20 12:00:00' WHERE DOC_ID = 2");
    assert_eq!(shop.look(), ["MUG 2 void"]);
    shop.pos("UPDATE PS_DOC_LIN SET QTY_SOLD = 3 WHERE DOC_ID = 1 AND LIN_SEQ_NO = 1");
    assert_eq!(shop.look(), ["MUG 2 edit"]);
    // A single cell on the line itself.
    shop.pos(&ticket(3, "1-3", "09:02:00"));
    shop.pos("INSERT INTO PS_DOC_LIN VALUES (3, 1, 'S', 'SHIRT', 1, 1, 1, 'N', 'I', 'MAIN', 'RED', 'M', '*')");
    assert_eq!(shop.look(), ["SHIRT|RED|M -1 sale"]);
    // Purged from history for good.
    shop.pos("DELETE FROM PS_DOC_HDR WHERE DOC_ID = 3");
    assert_eq!(shop.look(), ["SHIRT|RED|M 1 void"]);
    assert_eq!(shop.products()[1..3], ["MUG 4000000000017 5.5 Mug", "REPAIR - 10 Repair"]);
}

on!(
    counterpoint,
    "ncr-counterpoint",
    SCHEMA,
    [],
    [Sqlite, Postgres],
    [a_sale_is_seen_before_it_is_posted_and_once, ticket_numbers_come_again, returns_kits_orders_and_voids,]
);
