//! SambaPOS 3, 4 and 5 on SQL Server (Express, LocalDB).
//!
//! An order line says by itself what it does to stock: `DecreaseInventory` for a sale (also of a gift, whose
//! `CalculatePrice` is off), `IncreaseInventory` for a return, neither for a void. Lines change until the ticket is
//! closed, and merging or splitting tickets moves lines to another ticket: only closed tickets move stock, and a ticket
//! that lost its lines gives them back while the other one takes them. `LastUpdateTime` has no index and is not used:
//! tickets are found by their number, and the last ones are read again.
//!
//! SambaPOS keeps no running stock. At the end of a work period it writes what should be there, from recipes, and what
//! somebody counted. Counts are made from that, for articles whose recipe is one inventory item that no other recipe uses.

use crate::database::engine::Dialect;
use crate::database::profile::{
    Meaning, OnHandLag, OptionKind, PosClock, Profile, ProfileOption, Settle, Sql, Table, TicketId,
};
use crate::file::settings::QuantitySign;

/// The SKU of order line `o` of article `m`: the barcode, or `#` and the article's id; with the portion's name where
/// the article has several.
macro_rules! order_sku {
    ($plus:literal) => {
        concat!(
            "COALESCE(NULLIF(m.Barcode, ''), '#' ",
            $plus,
            " CAST(o.MenuItemId AS VARCHAR(12))) ",
            $plus,
            " CASE WHEN o.PortionCount > 1 THEN '/' ",
            $plus,
            " o.PortionName ELSE '' END"
        )
    };
}

/// The same for portion `n` of article `m`.
macro_rules! portion_sku {
    ($plus:literal) => {
        concat!(
            "COALESCE(NULLIF(m.Barcode, ''), '#' ",
            $plus,
            " CAST(m.Id AS VARCHAR(12))) ",
            $plus,
            " CASE WHEN (SELECT COUNT(*) FROM MenuItemPortions q WHERE q.MenuItemId = m.Id) > 1 THEN '/' ",
            $plus,
            " n.Name ELSE '' END"
        )
    };
}

macro_rules! sales {
    ($plus:literal) => {
        concat!(
            "SELECT t.Id AS ticket, t.Id AS seq, t.Date AS sold_at, o.Id AS line_no,
  CASE WHEN o.Id IS NULL THEN NULL ELSE ",
            order_sku!($plus),
            " END AS sku,
  CASE WHEN o.IncreaseInventory = 1 THEN o.Quantity ELSE -o.Quantity END AS quantity,
  CASE WHEN o.IncreaseInventory = 1 THEN 'return' ELSE 'sale' END AS kind,
  CASE WHEN o.IncreaseInventory = 0 AND o.DecreaseInventory = 0 THEN 'void'
    WHEN o.WarehouseId <> {warehouse} THEN 'other warehouse' END AS ignored
FROM Tickets t
LEFT JOIN Orders o ON o.TicketId = t.Id
LEFT JOIN MenuItems m ON m.Id = o.MenuItemId
WHERE t.IsClosed = 1"
        )
    };
}

macro_rules! on_hand {
    ($plus:literal) => {
        concat!(
            "SELECT ",
            portion_sku!($plus),
            " AS sku,
  ROUND(COALESCE(x.PhysicalInventory, x.InStock + x.Added - x.Removed - x.Consumption) * x.UnitMultiplier / g.Quantity, 6)
    AS quantity
FROM PeriodicConsumptionItems x
JOIN WarehouseConsumptions w ON w.Id = x.WarehouseConsumptionId AND w.PeriodicConsumptionId = x.PeriodicConsumptionId
JOIN RecipeItems g ON g.InventoryItem_Id = x.InventoryItemId
JOIN Recipes r ON r.Id = g.RecipeId
JOIN MenuItemPortions n ON n.Id = r.Portion_Id
JOIN MenuItems m ON m.Id = n.MenuItemId
WHERE w.WarehouseId = {warehouse} AND g.Quantity > 0
  AND x.PeriodicConsumptionId = (SELECT MAX(z.Id) FROM PeriodicConsumptions z)
  AND (SELECT COUNT(*) FROM RecipeItems g2 WHERE g2.RecipeId = r.Id) = 1
  AND (SELECT COUNT(*) FROM RecipeItems g3 WHERE g3.InventoryItem_Id = x.InventoryItemId) = 1"
        )
    };
}

macro_rules! unapplied {
    ($plus:literal) => {
        concat!(
            "SELECT ",
            order_sku!($plus),
            " AS sku, CASE WHEN o.IncreaseInventory = 1 THEN -o.Quantity ELSE o.Quantity END AS quantity
FROM Tickets t
JOIN Orders o ON o.TicketId = t.Id
LEFT JOIN MenuItems m ON m.Id = o.MenuItemId
WHERE t.IsClosed = 1 AND o.WarehouseId = {warehouse} AND (o.IncreaseInventory = 1 OR o.DecreaseInventory = 1)
  AND t.Date > (SELECT MAX(z.EndDate) FROM PeriodicConsumptions z)"
        )
    };
}

macro_rules! products {
    ($plus:literal) => {
        concat!(
            "SELECT ",
            portion_sku!($plus),
            " AS sku, m.Name AS name, c.Price AS price, NULLIF(m.Barcode, '') AS barcode
FROM MenuItems m
JOIN MenuItemPortions n ON n.MenuItemId = m.Id
LEFT JOIN MenuItemPrices c ON c.MenuItemPortionId = n.Id AND COALESCE(c.PriceTag, '') = ''"
        )
    };
}

/// A query with the sign that SQL Server puts texts together with, and the one of everybody else.
macro_rules! sql {
    ($query:ident) => {
        Sql { common: $query!("||"), by_dialect: &[(Dialect::Mssql, $query!("+"))] }
    };
}

/// SambaPOS.
pub(super) const SAMBAPOS: Profile = Profile {
    name: "sambapos",
    pos: "SambaPOS 3, 4 and 5 (SQL Server)",
    dialects: &[Dialect::Mssql],
    tables: &[
        Table { name: "Tickets", columns: &["Id", "Date", "IsClosed"] },
        Table {
            name: "Orders",
            columns: &[
                "Id",
                "TicketId",
                "WarehouseId",
                "MenuItemId",
                "PortionName",
                "PortionCount",
                "Quantity",
                "DecreaseInventory",
                "IncreaseInventory",
            ],
        },
        Table { name: "MenuItems", columns: &["Id", "Name", "Barcode"] },
        Table { name: "MenuItemPortions", columns: &["Id", "Name", "MenuItemId"] },
        Table { name: "MenuItemPrices", columns: &["MenuItemPortionId", "PriceTag", "Price"] },
        Table { name: "Recipes", columns: &["Id", "Portion_Id"] },
        Table { name: "RecipeItems", columns: &["RecipeId", "InventoryItem_Id", "Quantity"] },
        Table { name: "PeriodicConsumptions", columns: &["Id", "EndDate"] },
        Table { name: "WarehouseConsumptions", columns: &["Id", "PeriodicConsumptionId", "WarehouseId"] },
        Table {
            name: "PeriodicConsumptionItems",
            columns: &[
                "PeriodicConsumptionId",
                "WarehouseConsumptionId",
                "InventoryItemId",
                "UnitMultiplier",
                "InStock",
                "Added",
                "Removed",
                "Consumption",
                "PhysicalInventory",
            ],
        },
    ],
    options: &[ProfileOption {
        name: "warehouse",
        kind: OptionKind::Integer,
        default: Some("1"),
        help: "id of the store's warehouse (table Warehouses)",
    }],
    sales: sql!(sales),
    on_hand: Some(sql!(on_hand)),
    unapplied: Some(sql!(unapplied)),
    lag: OnHandLag::AtPhysicalCount,
    products: Some(sql!(products)),
    meaning: Meaning { quantity: QuantitySign::Stock, ..Meaning::PLAIN },
    ticket: TicketId::Reusable,
    clock: PosClock::Store,
    settle: Settle::Together,
    blind_spots: &[
        "open tickets move nothing: a table that pays late is seen late, and a closed ticket that is opened again gives its goods back until it is closed",
        "articles are sold, inventory items are counted: counts exist only where an article's recipe is one item of its own",
        "purchases and transfers between warehouses are no tickets: they are in the counts of the next work period",
        "SQL Server Compact (one file) cannot be read: move SambaPOS to SQL Server Express",
    ],
};
