//! Aronium (SQLite).
//!
//! Everything is a `Document`: sales (type 200), refunds (220), purchases (100), stock returns (120), inventory counts
//! (300), loss and damage (400), proformas (230). `DocumentType.StockDirection` gives the sign: 1 adds, 2 takes away, 0
//! does neither. An inventory count moves `Quantity - ExpectedQuantity`. Documents can be edited and deleted later.
//! Open orders are in `PosOrder`, which is not read.
//!
//! `Date` is a day; `StockDate`, `DateCreated` and `DateUpdated` have the time. `Product.Code` is often empty: then the
//! first barcode is the SKU, and `#` with the product's id where there is none.

use crate::database::engine::Dialect;
use crate::database::profile::{
    Meaning, OnHandLag, OptionKind, PosClock, Profile, ProfileOption, Settle, Sql, Table, TicketId,
};
use crate::file::settings::QuantitySign;

/// The SKU of product `p`.
macro_rules! sku {
    () => {
        "COALESCE(NULLIF(TRIM(p.Code), ''), (SELECT MIN(b.Value) FROM Barcode b WHERE b.ProductId = p.Id), '#' || p.Id)"
    };
}

/// Aronium.
pub(super) const ARONIUM: Profile = Profile {
    name: "aronium",
    pos: "Aronium POS (SQLite)",
    dialects: &[Dialect::Sqlite],
    tables: &[
        Table {
            name: "Document",
            columns: &[
                "Id",
                "Number",
                "DocumentTypeId",
                "WarehouseId",
                "StockDate",
                "DateCreated",
                "DateUpdated",
            ],
        },
        Table {
            name: "DocumentItem",
            columns: &["Id", "DocumentId", "ProductId", "Quantity", "ExpectedQuantity"],
        },
        Table { name: "DocumentType", columns: &["Id", "Code", "StockDirection"] },
        Table { name: "Product", columns: &["Id", "Code", "Name", "Price", "IsService", "IsEnabled"] },
        Table { name: "Barcode", columns: &["ProductId", "Value"] },
        Table { name: "Stock", columns: &["ProductId", "WarehouseId", "Quantity"] },
    ],
    options: &[ProfileOption {
        name: "warehouse",
        kind: OptionKind::Integer,
        default: Some("1"),
        help: "id of the store's warehouse (table Warehouse)",
    }],
    sales: Sql {
        common: concat!(
            "SELECT d.Number AS ticket, d.Id AS ticket_2, d.DateCreated AS ticket_3, d.Id AS seq, d.StockDate AS sold_at,
  d.DateUpdated AS changed_at, i.Id AS line_no,
  CASE WHEN i.Id IS NULL THEN NULL ELSE ",
            sku!(),
            " END AS sku,
  CASE WHEN y.Code = '300' THEN i.Quantity - i.ExpectedQuantity WHEN y.StockDirection = 1 THEN i.Quantity
    ELSE -i.Quantity END AS quantity,
  CASE y.Code WHEN '200' THEN 'sale' WHEN '220' THEN 'return' WHEN '100' THEN 'receipt' ELSE 'adjustment' END AS kind,
  CASE WHEN p.IsService = 1 THEN 'service'
    WHEN y.Code <> '300' AND y.StockDirection NOT IN (1, 2) THEN 'document without stock' END AS ignored
FROM Document d
JOIN DocumentType y ON y.Id = d.DocumentTypeId
LEFT JOIN DocumentItem i ON i.DocumentId = d.Id
LEFT JOIN Product p ON p.Id = i.ProductId
WHERE d.WarehouseId = {warehouse}"
        ),
        by_dialect: &[],
    },
    on_hand: Some(Sql {
        common: concat!(
            "SELECT ",
            sku!(),
            " AS sku, COALESCE(SUM(s.Quantity), 0) AS quantity
FROM Product p
LEFT JOIN Stock s ON s.ProductId = p.Id AND s.WarehouseId = {warehouse}
WHERE p.IsService = 0
GROUP BY p.Id, p.Code"
        ),
        by_dialect: &[],
    }),
    unapplied: None,
    lag: OnHandLag::AtSale,
    products: Some(Sql {
        common: concat!(
            "SELECT ",
            sku!(),
            " AS sku, p.Name AS name, p.Price AS price, c.Value AS barcode
FROM Product p
LEFT JOIN Barcode c ON c.ProductId = p.Id
WHERE p.IsEnabled = 1"
        ),
        by_dialect: &[],
    }),
    meaning: Meaning { quantity: QuantitySign::Stock, ..Meaning::PLAIN },
    ticket: TicketId::Unique,
    clock: PosClock::Store,
    settle: Settle::Together,
    blind_spots: &[
        "moves between warehouses have no stock direction and are not seen: count the stock",
        "the file must be on this machine's own disk, never on a share",
        "a product whose code is filled in later changes its SKU: its old sales stay under `#` and its id",
    ],
};
