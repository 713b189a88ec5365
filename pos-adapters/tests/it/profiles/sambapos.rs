//! SambaPOS: order lines that say what they do to stock, merged tickets, counts of a work period.

use super::shop::{Shop, on};

const SCHEMA: &str = "
CREATE TABLE Tickets (Id INTEGER PRIMARY KEY, Date {TIME}, LastUpdateTime {TIME}, IsClosed SMALLINT, TicketNumber VARCHAR(20),
  Note VARCHAR(100));
CREATE TABLE Orders (Id INTEGER PRIMARY KEY, TicketId INTEGER, WarehouseId INTEGER, MenuItemId INTEGER,
  MenuItemName VARCHAR(50), PortionName VARCHAR(20), PortionCount INTEGER, Quantity {DECIMAL}, CalculatePrice SMALLINT,
  DecreaseInventory SMALLINT, IncreaseInventory SMALLINT, OrderStates VARCHAR(100));
CREATE TABLE MenuItems (Id INTEGER PRIMARY KEY, Name VARCHAR(50), Barcode VARCHAR(20));
CREATE TABLE MenuItemPortions (Id INTEGER PRIMARY KEY, Name VARCHAR(20), MenuItemId INTEGER, Multiplier INTEGER);
CREATE TABLE MenuItemPrices (Id INTEGER PRIMARY KEY, MenuItemPortionId INTEGER, PriceTag VARCHAR(10), Price {DECIMAL});
CREATE TABLE Recipes (Id INTEGER PRIMARY KEY, Name VARCHAR(50), Portion_Id INTEGER);
CREATE TABLE RecipeItems (Id INTEGER PRIMARY KEY, RecipeId INTEGER, InventoryItem_Id INTEGER, Quantity {DECIMAL});
CREATE TABLE PeriodicConsumptions (Id INTEGER PRIMARY KEY, WorkPeriodId INTEGER, StartDate {TIME}, EndDate {TIME});
CREATE TABLE WarehouseConsumptions (Id INTEGER PRIMARY KEY, PeriodicConsumptionId INTEGER, WarehouseId INTEGER);
CREATE TABLE PeriodicConsumptionItems (Id INTEGER PRIMARY KEY, PeriodicConsumptionId INTEGER, WarehouseConsumptionId INTEGER,
  InventoryItemId INTEGER, UnitMultiplier {DECIMAL}, InStock {DECIMAL}, Added {DECIMAL}, Removed {DECIMAL},
  Consumption {DECIMAL}, PhysicalInventory {DECIMAL});
INSERT INTO MenuItems VALUES (1, 'Cola', '4000000000017'), (2, 'Beans', ''), (3, 'Soup', NULL);
INSERT INTO MenuItemPortions VALUES (1, 'Normal', 1, 1), (2, '250 g', 2, 1), (3, '1 kg', 2, 4), (4, 'Normal', 3, 1);
INSERT INTO MenuItemPrices VALUES (1, 1, NULL, 2.5), (2, 1, 'HAPPY', 1.5), (3, 2, '', 6), (4, 3, '', 20), (5, 4, '', 5);
INSERT INTO Recipes VALUES (1, 'Cola', 1), (2, 'Beans', 2), (3, 'Beans', 3), (4, 'Soup', 4);
INSERT INTO RecipeItems VALUES (1, 1, 10, 1), (2, 2, 11, 250), (3, 3, 11, 1000), (4, 4, 12, 3), (5, 4, 13, 1);
";

fn ticket(id: i32, time: &str, closed: i32) -> String {
    format!("INSERT INTO Tickets VALUES ({id}, '2026-11-20 {time}', '2026-11-20 {time}', {closed}, '{id}', NULL)")
}

/// `flags` are DecreaseInventory and IncreaseInventory.
fn order(id: i32, ticket: i32, article: i32, portion: (&str, i32), quantity: &str, flags: (i32, i32)) -> String {
    format!(
        "INSERT INTO Orders VALUES ({id}, {ticket}, 1, {article}, 'x', '{}', {}, {quantity}, 1, {}, {}, NULL)",
        portion.0, portion.1, flags.0, flags.1
    )
}

const NORMAL: (&str, i32) = ("Normal", 1);
const SOLD: (i32, i32) = (1, 0);

fn order_lines_say_what_they_do(shop: &mut Shop) {
    shop.pos(&ticket(1, "09:00:00", 0));
    shop.pos(&order(1, 1, 1, NORMAL, "2", SOLD));
    shop.pos(&order(2, 1, 2, ("1 kg", 2), "1", SOLD));
    shop.pos(&order(3, 1, 1, NORMAL, "1", (0, 0)));
    shop.pos(&order(4, 1, 3, NORMAL, "1", (0, 1)));
    // A gift: no price, and it is gone all the same.
    shop.pos(&order(5, 1, 3, NORMAL, "1", SOLD));
    shop.pos("UPDATE Orders SET CalculatePrice = 0 WHERE Id = 5");
    assert_eq!(shop.look(), [""; 0], "an open ticket");
    shop.pos("UPDATE Tickets SET IsClosed = 1, LastUpdateTime = '2026-11-20 09:40:00' WHERE Id = 1");
    assert_eq!(shop.look(), ["4000000000017 -2 sale", "#2/1 kg -1 sale", "#3 1 return", "#3 -1 sale"]);
    assert_eq!(shop.ignored(), [("void", 1)]);
    // Voided after the fact, and another warehouse's stock.
    shop.pos("UPDATE Orders SET DecreaseInventory = 0 WHERE Id = 1");
    assert_eq!(shop.look(), ["4000000000017 2 edit"]);
    shop.pos(&ticket(2, "10:00:00", 1));
    shop.pos(&order(6, 2, 1, NORMAL, "9", SOLD));
    shop.pos("UPDATE Orders SET WarehouseId = 2 WHERE Id = 6");
    assert_eq!(shop.look(), [""; 0]);
    assert_eq!(shop.ignored(), [("other warehouse", 1), ("void", 2)]);
}

fn merged_tickets_move_nothing_twice(shop: &mut Shop) {
    for (id, time) in [(1, "09:00:00"), (2, "09:01:00")] {
        shop.pos(&ticket(id, time, 1));
        shop.pos(&order(id, id, 1, NORMAL, "2", SOLD));
    }
    assert_eq!(shop.look(), ["4000000000017 -2 sale", "4000000000017 -2 sale"]);
    shop.pos(&ticket(3, "09:30:00", 1));
    shop.pos("UPDATE Orders SET TicketId = 3");
    assert_eq!(
        shop.look(),
        ["4000000000017 2 edit", "4000000000017 2 edit", "4000000000017 -2 sale", "4000000000017 -2 sale"]
    );
    shop.pos("DELETE FROM Tickets WHERE Id IN (1, 2)");
    assert_eq!(shop.look(), [""; 0]);
    shop.pos("DELETE FROM Tickets WHERE Id = 3");
    assert_eq!(shop.look(), ["4000000000017 4 void"]);
}

fn counts_come_from_the_last_work_period(shop: &mut Shop) {
    assert_eq!(shop.on_hand(), [""; 0], "nothing was ever counted");
    shop.pos(
        "INSERT INTO PeriodicConsumptions VALUES (1, 1, '2026-11-18 08:00:00', '2026-11-18 22:00:00'),
      (2, 2, '2026-11-19 08:00:00', '2026-11-19 22:00:00')",
    );
    shop.pos("INSERT INTO WarehouseConsumptions VALUES (1, 1, 1), (2, 2, 1), (3, 2, 2)");
    // Cola by the crate of 24: three and a half should be there. Beans serve two portions; soup has two ingredients.
    shop.pos(
        "INSERT INTO PeriodicConsumptionItems VALUES (1, 1, 1, 10, 24, 9, 0, 0, 0, NULL),
      (2, 2, 2, 10, 24, 3, 1, 0, 0.5, NULL), (3, 2, 2, 11, 1, 9000, 0, 0, 0, NULL), (4, 2, 2, 12, 1, 5, 0, 0, 0, NULL),
      (5, 2, 3, 10, 24, 50, 0, 0, 0, NULL)",
    );
    assert_eq!(shop.on_hand(), ["4000000000017 84"]);
    shop.pos("UPDATE PeriodicConsumptionItems SET PhysicalInventory = 3 WHERE Id = 2");
    assert_eq!(shop.on_hand(), ["4000000000017 72"], "somebody counted");
    shop.pos(&ticket(1, "09:00:00", 1));
    shop.pos(&order(1, 1, 1, NORMAL, "2", SOLD));
    shop.pos(&order(2, 1, 1, NORMAL, "1", (0, 1)));
    shop.pos(&order(3, 1, 1, NORMAL, "8", (0, 0)));
    shop.pos("UPDATE PeriodicConsumptionItems SET PhysicalInventory = 0 WHERE Id = 2");
    assert_eq!(shop.on_hand(), ["4000000000017 -1"], "sold since then, and one came back");
    assert_eq!(
        shop.products(),
        ["#2/1 kg - 20 Beans", "#2/250 g - 6 Beans", "#3 - 5 Soup", "4000000000017 4000000000017 2.5 Cola"]
    );
}

on!(
    sambapos,
    "sambapos",
    SCHEMA,
    [],
    [Sqlite, Postgres],
    [order_lines_say_what_they_do, merged_tickets_move_nothing_twice, counts_come_from_the_last_work_period,]
);
