//! Dynamics RMS: numbers that are unique in one store only, binary fractions, reversed transactions.

use super::shop::{Shop, on};

/// `{TRANSACTION}` is the reserved word in the quotes of the database.
const SCHEMA: &str = "
CREATE TABLE {TRANSACTION} (StoreID INTEGER, TransactionNumber INTEGER, BatchNumber INTEGER, Time {TIME},
  CustomerID INTEGER, Total {DECIMAL}, RecallType INTEGER, RecallID INTEGER);
CREATE TABLE TransactionEntry (ID INTEGER PRIMARY KEY, StoreID INTEGER, TransactionNumber INTEGER, ItemID INTEGER,
  ItemType SMALLINT, Price {DECIMAL}, Quantity {DOUBLE}, DetailID INTEGER);
CREATE TABLE Batch (StoreID INTEGER, BatchNumber INTEGER, RegisterID INTEGER);
CREATE TABLE Register (ID INTEGER PRIMARY KEY, Number INTEGER);
CREATE TABLE Item (ID INTEGER PRIMARY KEY, ItemLookupCode VARCHAR(25), Description VARCHAR(30), Price {DECIMAL},
  Quantity {DOUBLE}, ItemType SMALLINT, Inactive SMALLINT, ParentItem INTEGER, ParentQuantity {DOUBLE});
CREATE TABLE Alias (ID INTEGER PRIMARY KEY, ItemID INTEGER, Alias VARCHAR(25));
INSERT INTO Item VALUES (1, 'MUG', 'Mug', 5.5, 12, 0, 0, 0, 0), (2, 'TEA', 'Tea, weighed', 20, -0.30000000000000004, 4, 0, 0, 0),
  (3, 'GIFT', 'Gift box, a kit', 24, 3, 2, 0, 0, 0), (4, 'BAG', 'Carrier bag', 0.1, 0, 7, 0, 0, 0),
  (5, 'VOUCHER', 'Voucher', 0, 0, 9, 0, 0, 0), (6, 'OLD', 'No longer sold', 1, 2, 0, 1, 0, 0);
INSERT INTO Alias VALUES (1, 1, '4000000000017'), (2, 1, '4000000000024');
INSERT INTO Register VALUES (1, 1), (2, 2);
INSERT INTO Batch VALUES (1, 10, 1), (1, 11, 2), (2, 10, 1);
";

fn transaction(store: i32, number: i32, time: &str) -> String {
    format!("INSERT INTO {{TRANSACTION}} VALUES ({store}, {number}, 10, '2026-11-20 {time}', 0, 0, 0, 0)")
}

fn entry(id: i32, store: i32, number: i32, article: i32, kind: i32, quantity: &str) -> String {
    format!("INSERT INTO TransactionEntry VALUES ({id}, {store}, {number}, {article}, {kind}, 1, {quantity}, 0)")
}

fn numbers_belong_to_a_store(shop: &mut Shop) {
    for store in [1, 2] {
        shop.pos(&transaction(store, 500, "09:00:00"));
    }
    shop.pos(&entry(1, 1, 500, 1, 0, "2"));
    shop.pos(&entry(2, 2, 500, 1, 0, "7"));
    assert_eq!(shop.look(), ["MUG -2 sale"]);
    shop.pos(&transaction(1, 501, "09:01:00"));
    assert_eq!(shop.look(), [""; 0], "a header whose lines come later");
    shop.pos(&entry(3, 1, 501, 2, 4, "0.30000000000000004"));
    shop.pos(&entry(4, 1, 501, 4, 7, "1"));
    shop.pos(&entry(5, 1, 501, 5, 9, "1"));
    shop.pos(&entry(6, 1, 501, 3, 2, "1"));
    shop.pos(&entry(7, 1, 501, 0, 0, "1"));
    assert_eq!(shop.look(), ["GIFT -1 edit", "TEA -0.3 edit"], "a kit has stock of its own");
    assert_eq!(shop.ignored(), [("no item", 1), ("noninventory", 1), ("voucher", 1)]);
}

fn returns_voids_and_late_uploads(shop: &mut Shop) {
    shop.pos(&transaction(1, 500, "09:00:00"));
    shop.pos(&entry(1, 1, 500, 1, 0, "2"));
    shop.pos(&transaction(1, 501, "09:01:00"));
    shop.pos(&entry(2, 1, 501, 1, 0, "-1"));
    assert_eq!(shop.look(), ["MUG -2 sale", "MUG 1 return"]);
    // Voided: a transaction of its own that reverses the lines and recalls the first.
    shop.pos("INSERT INTO {TRANSACTION} VALUES (1, 502, 10, '2026-11-20 09:02:00', 0, 0, 1, 500)");
    shop.pos(&entry(3, 1, 502, 1, 0, "-2"));
    assert_eq!(shop.look(), ["MUG 2 return"]);
    // A till that was offline since yesterday.
    shop.pos("INSERT INTO {TRANSACTION} VALUES (1, 503, 11, '2026-11-19 17:00:00', 0, 0, 0, 0)");
    shop.pos(&entry(4, 1, 503, 1, 0, "1"));
    assert_eq!(shop.look(), ["MUG -1 sale"]);
    // The database is restored; the number comes again for another ticket.
    shop.pos("DELETE FROM TransactionEntry WHERE TransactionNumber = 503");
    shop.pos("DELETE FROM {TRANSACTION} WHERE TransactionNumber = 503");
    shop.pos(&transaction(1, 503, "11:00:00"));
    shop.pos(&entry(5, 1, 503, 1, 0, "4"));
    assert_eq!(shop.look(), ["MUG -4 sale", "MUG 1 void"]);
    shop.pos("UPDATE TransactionEntry SET Quantity = 3 WHERE ID = 5");
    assert_eq!(shop.look(), ["MUG 1 edit"]);
}

fn stock_on_hand_is_without_noninventory(shop: &mut Shop) {
    assert_eq!(shop.on_hand(), ["GIFT 3", "MUG 12", "OLD 2", "TEA -0.3"]);
    assert_eq!(shop.products()[2..4], ["MUG 4000000000017 5.5 Mug", "MUG 4000000000024 5.5 Mug"]);
}

on!(
    dynamics_rms,
    "dynamics-rms",
    SCHEMA,
    [("store", &["1"])],
    [Sqlite, Postgres],
    [numbers_belong_to_a_store, returns_voids_and_late_uploads, stock_on_hand_is_without_noninventory,]
);
