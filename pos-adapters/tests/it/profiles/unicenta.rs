//! uniCenta and its family: the diary, the tickets, kits, deleted tickets.

use super::shop::{Shop, on};

pub(super) const SCHEMA: &str = "
CREATE TABLE products (id VARCHAR(64) PRIMARY KEY, reference VARCHAR(64) NOT NULL, code VARCHAR(64) NOT NULL,
  name VARCHAR(64) NOT NULL, pricesell {DOUBLE} NOT NULL, isservice {BOOL} NOT NULL);
CREATE TABLE products_bundle (id VARCHAR(64) PRIMARY KEY, product VARCHAR(64) NOT NULL,
  product_bundle VARCHAR(64) NOT NULL, quantity {DOUBLE} NOT NULL);
CREATE TABLE stockdiary (id VARCHAR(64) PRIMARY KEY, datenew {TIME} NOT NULL, reason INTEGER NOT NULL,
  location VARCHAR(64) NOT NULL, product VARCHAR(64) NOT NULL, attributesetinstance_id VARCHAR(64),
  units {DOUBLE} NOT NULL, price {DOUBLE} NOT NULL, appuser VARCHAR(64));
CREATE TABLE stockcurrent (location VARCHAR(64) NOT NULL, product VARCHAR(64) NOT NULL,
  attributesetinstance_id VARCHAR(64), units {DOUBLE} NOT NULL);
CREATE TABLE closedcash (money VARCHAR(64) PRIMARY KEY, host VARCHAR(64) NOT NULL);
CREATE TABLE receipts (id VARCHAR(64) PRIMARY KEY, money VARCHAR(64) NOT NULL, datenew {TIME} NOT NULL);
CREATE TABLE tickets (id VARCHAR(64) PRIMARY KEY, tickettype INTEGER NOT NULL, ticketid INTEGER NOT NULL,
  person VARCHAR(64) NOT NULL, customer VARCHAR(64));
CREATE TABLE ticketlines (ticket VARCHAR(64) NOT NULL, line INTEGER NOT NULL, product VARCHAR(64),
  units {DOUBLE} NOT NULL, price {DOUBLE} NOT NULL);
INSERT INTO products VALUES
  ('p-mug', 'MUG', '4000000000017', 'Mug', 5.5, FALSE), ('p-tea', 'TEA', '4000000000024', 'Tea, loose', 20, FALSE),
  ('p-spoon', 'SPOON', '4000000000031', 'Spoon', 2, FALSE), ('p-gift', 'GIFT', '4000000000048', 'Gift box', 24, FALSE),
  ('p-hamper', 'HAMPER', '4000000000055', 'Hamper of two boxes', 45, FALSE),
  ('p-wrap', 'WRAP', '4000000000062', 'Gift wrapping', 1, TRUE);
INSERT INTO products_bundle VALUES ('b1', 'p-gift', 'p-mug', 1), ('b2', 'p-gift', 'p-tea', 0.1),
  ('b3', 'p-hamper', 'p-gift', 2), ('b4', 'p-hamper', 'p-spoon', 1);
INSERT INTO closedcash VALUES ('m1', 'till-1'), ('m2', 'till-of-the-other-shop');
";

fn diary(id: &str, time: &str, reason: i32, location: &str, product: &str, units: &str) -> String {
    format!(
        "INSERT INTO stockdiary VALUES ('{id}', '2026-11-20 {time}', {reason}, '{location}', '{product}', NULL, {units}, 1, 'till')"
    )
}

fn the_diary_tells_every_movement(shop: &mut Shop) {
    shop.pos(&diary("d1", "09:00:00", -1, "0", "p-mug", "-2"));
    assert_eq!(shop.look(), ["MUG -2 sale"]);
    shop.pos(&diary("d2", "09:05:00", 2, "0", "p-mug", "1"));
    assert_eq!(shop.look(), ["MUG 1 return"]);
    assert_eq!(shop.look(), [""; 0], "nothing new, nothing moves");

    // Noise of binary fractions, in the row and made by a kit: 3 × 0.1.
    shop.pos(&diary("d3", "09:06:00", -1, "0", "p-tea", "-0.30000000000000004"));
    shop.pos(&diary("d4", "09:07:00", -1, "0", "p-gift", "-3"));
    assert_eq!(shop.look(), ["TEA -0.3 sale", "MUG -3 sale", "TEA -0.3 sale"]);
    // A kit of kits.
    shop.pos(&diary("d5", "09:08:00", -1, "0", "p-hamper", "-1"));
    assert_eq!(shop.look(), ["MUG -2 sale", "SPOON -1 sale", "TEA -0.2 sale"]);

    // Purchase, breakage, and a move out of the other shop's stock.
    shop.pos(&diary("d6", "09:10:00", 1, "0", "p-tea", "10"));
    shop.pos(&diary("d7", "09:11:00", -3, "0", "p-mug", "-1"));
    shop.pos(&diary("d8", "09:12:00", -4, "1", "p-mug", "-5"));
    assert_eq!(shop.look(), ["TEA 10 receipt", "MUG -1 adjustment"]);

    // "Delete ticket" of d1: the ticket's rows are gone, the diary gains one. A service is booked back as well.
    shop.pos(&diary("d9", "10:00:00", 2, "0", "p-mug", "2"));
    shop.pos(&diary("d10", "10:00:00", 2, "0", "p-wrap", "1"));
    assert_eq!(shop.look(), ["MUG 2 return"]);
    assert_eq!(shop.ignored(), [("service", 1)]);

    // The back office deletes a diary row for good.
    shop.pos("DELETE FROM stockdiary WHERE id = 'd7'");
    assert_eq!(shop.look(), ["MUG 1 void"]);
}

fn deleting_a_kits_ticket_moves_what_the_pos_moves(shop: &mut Shop) {
    shop.pos(&diary("d1", "09:00:00", -1, "0", "p-gift", "-1"));
    assert_eq!(shop.look(), ["MUG -1 sale", "TEA -0.1 sale"]);
    // The POS writes the kit and its parts, and puts the parts into STOCKCURRENT twice.
    shop.pos(&diary("d2", "09:30:00", 2, "0", "p-gift", "1"));
    shop.pos(&diary("d3", "09:30:00", 2, "0", "p-mug", "1"));
    shop.pos(&diary("d4", "09:30:00", 2, "0", "p-tea", "0.1"));
    assert_eq!(shop.look(), ["MUG 1 return", "TEA 0.1 return", "MUG 1 return", "TEA 0.1 return"]);
}

fn stock_on_hand_adds_the_rows_of_an_article_up(shop: &mut Shop) {
    shop.pos(
        "INSERT INTO stockcurrent VALUES ('0', 'p-mug', NULL, 3), ('0', 'p-mug', 'blue', -5), ('1', 'p-mug', NULL, 40)",
    );
    shop.pos("INSERT INTO stockcurrent VALUES ('0', 'p-tea', NULL, 1.25)");
    // Kits and services have no stock; an article without a row has none of it.
    assert_eq!(shop.on_hand(), ["MUG -2", "SPOON 0", "TEA 1.25"]);
    assert_eq!(shop.products().len(), 6);
    assert_eq!(shop.products()[2], "MUG 4000000000017 5.5 Mug");
}

fn receipt(id: &str, money: &str, time: &str, kind: i32, number: i32) -> [String; 2] {
    [
        format!("INSERT INTO receipts VALUES ('{id}', '{money}', '2026-11-20 {time}')"),
        format!("INSERT INTO tickets VALUES ('{id}', {kind}, {number}, 'u1', NULL)"),
    ]
}

fn ticket_lines_are_an_alternative_to_the_diary(shop: &mut Shop) {
    shop.pos_all(&receipt("r1", "m1", "09:00:00", 0, 1));
    shop.pos(
        "INSERT INTO ticketlines VALUES ('r1', 0, 'p-mug', 2, 5.5), ('r1', 1, 'p-mug', 2, 5.5),
      ('r1', 2, 'p-wrap', 1, 1), ('r1', 3, NULL, 1, 3)",
    );
    assert_eq!(shop.look(), ["MUG -2 sale", "MUG -2 sale"]);
    assert_eq!(shop.ignored(), [("no product", 1), ("service", 1)]);
    // A refund has numbers of its own, so its ticket number comes again.
    shop.pos_all(&receipt("r2", "m1", "09:05:00", 1, 1));
    shop.pos("INSERT INTO ticketlines VALUES ('r2', 0, 'p-mug', -1, 5.5)");
    assert_eq!(shop.look(), ["MUG 1 return"]);
    // A debt paid, and the other shop's till.
    shop.pos_all(&receipt("r3", "m1", "09:06:00", 2, 1));
    shop.pos_all(&receipt("r4", "m2", "09:07:00", 0, 2));
    shop.pos("INSERT INTO ticketlines VALUES ('r4', 0, 'p-mug', 7, 5.5)");
    assert_eq!(shop.look(), [""; 0]);
    shop.pos_all(&receipt("r5", "m1", "09:08:00", 0, 3));
    shop.pos("INSERT INTO ticketlines VALUES ('r5', 0, 'p-gift', 1, 24)");
    assert_eq!(shop.look(), ["MUG -1 sale", "TEA -0.1 sale"]);
    // An edited ticket, and a deleted one.
    shop.pos("UPDATE ticketlines SET units = 1 WHERE ticket = 'r1' AND line = 1");
    assert_eq!(shop.look(), ["MUG 1 edit"]);
    for table in ["ticketlines WHERE ticket", "tickets WHERE id", "receipts WHERE id"] {
        shop.pos(&format!("DELETE FROM {table} = 'r5'"));
    }
    assert_eq!(shop.look(), ["MUG 1 void", "TEA 0.1 void"]);
}

const CHROMIS_SCHEMA: &str = "
CREATE TABLE PRODUCTS (ID VARCHAR(64) PRIMARY KEY, REFERENCE VARCHAR(64), CODE VARCHAR(64), NAME VARCHAR(64),
  PRICESELL {DOUBLE}, ISSERVICE {BOOL});
CREATE TABLE PRODUCTS_KIT (ID VARCHAR(64) PRIMARY KEY, PRODUCT VARCHAR(64), PRODUCT_KIT VARCHAR(64), QUANTITY {DOUBLE});
CREATE TABLE STOCKDIARY (ID VARCHAR(64) PRIMARY KEY, DATENEW {TIME}, REASON INTEGER, LOCATION VARCHAR(64),
  PRODUCT VARCHAR(64), UNITS {DOUBLE}, PRICE {DOUBLE});
CREATE TABLE STOCKCURRENT (LOCATION VARCHAR(64), PRODUCT VARCHAR(64), ATTRIBUTESETINSTANCE_ID VARCHAR(64), UNITS {DOUBLE});
INSERT INTO PRODUCTS VALUES ('1', 'MUG', '4000000000017', 'Mug', 5.5, FALSE), ('2', 'PAIR', '4000000000093', 'Two mugs', 9, FALSE);
INSERT INTO PRODUCTS_KIT VALUES ('k', '2', '1', 2);
";

fn chromis_opens_its_kits_too(shop: &mut Shop) {
    shop.pos("INSERT INTO STOCKDIARY VALUES ('d1', '2026-11-20 09:00:00', -1, '0', '2', -1, 9)");
    assert_eq!(shop.look(), ["MUG -2 sale"]);
    shop.pos("INSERT INTO STOCKCURRENT VALUES ('0', '1', NULL, -2)");
    assert_eq!(shop.on_hand(), ["MUG -2"]);
    assert_eq!(shop.products()[1], "PAIR 4000000000093 9 Two mugs");
}

fn openbravo_has_neither_kits_nor_services(shop: &mut Shop) {
    shop.pos("INSERT INTO STOCKDIARY VALUES ('d1', '2026-11-20 09:00:00', -1, '0', '2', -1, 9)");
    assert_eq!(shop.look(), ["PAIR -1 sale"]);
    assert_eq!(shop.on_hand(), ["MUG 0", "PAIR 0"]);
}

on!(
    unicenta_diary,
    "unicenta",
    SCHEMA,
    [],
    [Sqlite, Postgres, Mysql],
    [
        the_diary_tells_every_movement,
        deleting_a_kits_ticket_moves_what_the_pos_moves,
        stock_on_hand_adds_the_rows_of_an_article_up,
    ]
);
on!(
    unicenta_tickets,
    "unicenta-tickets",
    SCHEMA,
    [("registers", &["till-1"])],
    [Sqlite, Postgres, Mysql],
    [ticket_lines_are_an_alternative_to_the_diary,]
);
on!(chromis, "chromis", CHROMIS_SCHEMA, [], [Sqlite, Postgres, Mysql], [chromis_opens_its_kits_too]);
on!(openbravo, "openbravo", CHROMIS_SCHEMA, [], [Sqlite, Postgres, Mysql], [openbravo_has_neither_kits_nor_services]);
