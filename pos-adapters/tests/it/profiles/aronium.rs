//! Aronium: documents of all kinds with the sign in their type, edited and deleted later, products without a code.

use super::shop::{Shop, on};

pub(super) const SCHEMA: &str = "
CREATE TABLE DocumentType (Id INTEGER PRIMARY KEY, Name TEXT, Code TEXT, StockDirection INTEGER (1), WarehouseId INTEGER);
CREATE TABLE Document (Id INTEGER PRIMARY KEY, Number TEXT, DocumentTypeId INTEGER, WarehouseId INTEGER, CustomerId INTEGER,
  Date DATE, StockDate DATETIME, DateCreated DATETIME, DateUpdated DATETIME, Total NUMERIC);
CREATE TABLE DocumentItem (Id INTEGER PRIMARY KEY, DocumentId INTEGER, ProductId INTEGER, Quantity NUMERIC,
  ExpectedQuantity NUMERIC, Price NUMERIC);
CREATE TABLE Product (Id INTEGER PRIMARY KEY, Name TEXT, Code TEXT, Price FLOAT, IsService INTEGER (1), IsEnabled INTEGER (1));
CREATE TABLE Barcode (Id INTEGER PRIMARY KEY, ProductId INTEGER, Value TEXT);
CREATE TABLE Stock (Id INTEGER PRIMARY KEY, ProductId INTEGER, WarehouseId INTEGER, Quantity NUMERIC);
INSERT INTO DocumentType VALUES (1, 'Purchase', '100', 1, 1), (2, 'Sales', '200', 2, 1), (3, 'Inventory Count', '300', 1, 1),
  (4, 'Refund', '220', 1, 1), (5, 'Stock Return', '120', 2, 1), (6, 'Loss And Damage', '400', 2, 1), (7, 'Proforma', '230', 0, 1);
INSERT INTO Product VALUES (1, 'Mug', 'MUG', 5.5, 0, 1), (2, 'Tea', '', 20, 0, 1), (3, 'Spoon', NULL, 2, 0, 1),
  (4, 'Delivery', 'DELIVERY', 4, 1, 1);
INSERT INTO Barcode VALUES (1, 2, '4000000000024'), (2, 1, '4000000000017'), (3, 1, '4000000000031');
INSERT INTO Stock VALUES (1, 1, 1, -15537), (2, 1, 2, 40), (3, 2, 1, 1.25);
";

fn document(id: i32, number: &str, kind: i32, time: &str) -> String {
    format!(
        "INSERT INTO Document VALUES ({id}, '{number}', {kind}, 1, 1, '2026-11-20', '2026-11-20 {time}',
         '2026-11-20 {time}', '2026-11-20 {time}', 0)"
    )
}

fn item(id: i32, document: i32, product: i32, quantity: &str, expected: &str) -> String {
    format!("INSERT INTO DocumentItem VALUES ({id}, {document}, {product}, {quantity}, {expected}, 1)")
}

fn the_type_of_a_document_gives_the_sign(shop: &mut Shop) {
    for (id, (number, kind, product, quantity, expected)) in [
        ("26-200-000001", 2, 1, "2", "0"),
        ("26-220-000001", 4, 1, "1", "0"),
        ("26-100-000001", 1, 2, "10", "0"),
        ("26-120-000001", 5, 2, "0.125", "0"),
        ("26-400-000001", 6, 3, "1", "0"),
        // Counted eight, expected ten.
        ("26-300-000001", 3, 1, "8", "10"),
        ("26-230-000001", 7, 1, "99", "0"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = i32::try_from(id).unwrap() + 1;
        shop.pos(&document(id, number, kind, &format!("09:0{id}:00")));
        shop.pos(&item(id, id, product, quantity, expected));
    }
    assert_eq!(
        shop.look(),
        [
            "MUG -2 sale",
            "MUG 1 return",
            "4000000000024 10 receipt",
            "4000000000024 -0.125 adjustment",
            "#3 -1 adjustment",
            "MUG -2 adjustment"
        ]
    );
    assert_eq!(shop.ignored(), [("document without stock", 1)]);
}

fn documents_are_edited_and_deleted_later(shop: &mut Shop) {
    shop.pos(&document(1, "26-200-000001", 2, "09:00:00"));
    assert_eq!(shop.look(), [""; 0]);
    shop.pos(&item(1, 1, 1, "2", "0"));
    shop.pos(&item(2, 1, 1, "2", "0"));
    shop.pos(&item(3, 1, 4, "1", "0"));
    assert_eq!(shop.look(), ["MUG -4 edit"], "equal lines are two lines");
    assert_eq!(shop.ignored(), [("service", 1)]);
    shop.pos("UPDATE DocumentItem SET Quantity = 1 WHERE Id = 2");
    shop.pos("UPDATE Document SET DateUpdated = '2026-11-21 08:00:00', StockDate = '2026-11-20 10:00:00' WHERE Id = 1");
    assert_eq!(shop.look(), ["MUG 1 edit"], "also with another stock date");
    shop.pos("DELETE FROM DocumentItem WHERE DocumentId = 1");
    shop.pos("DELETE FROM Document WHERE Id = 1");
    assert_eq!(shop.look(), ["MUG 3 void"]);
    // SQLite gives the id to the next document.
    shop.pos(&document(1, "26-200-000002", 2, "11:00:00"));
    shop.pos(&item(1, 1, 3, "1", "0"));
    assert_eq!(shop.look(), ["#3 -1 sale"]);
}

fn stock_on_hand_of_the_stores_warehouse(shop: &mut Shop) {
    assert_eq!(shop.on_hand(), ["#3 0", "4000000000024 1.25", "MUG -15537"]);
    assert_eq!(shop.products()[1], "4000000000024 4000000000024 20 Tea");
}

on!(
    aronium,
    "aronium",
    SCHEMA,
    [],
    [Sqlite],
    [
        the_type_of_a_document_gives_the_sign,
        documents_are_edited_and_deleted_later,
        stock_on_hand_of_the_stores_warehouse,
    ]
);
