//! Microsoft Dynamics RMS (Store Operations) on SQL Server.
//!
//! `TransactionNumber` is unique within one store only, so every join and the ticket's key have `StoreID` too. A till
//! that was offline uploads its tickets later with their old `Time` and new numbers. Quantities are binary fractions.
//! A return is a line with a negative quantity; a voided transaction is a new one with reversed lines. What is on hold
//! is in `TransactionHold`, which is not read.
//!
//! Kits have stock of their own (built and broken out in the manager), and an assembly puts its parts into the
//! transaction as lines: nothing is opened here.

use crate::database::engine::Dialect;
use crate::database::profile::{
    Meaning, OnHandLag, OptionKind, PosClock, Profile, ProfileOption, Settle, Sql, Table, TicketId,
};

/// The sales query; only the quotes around the table with a reserved name differ.
macro_rules! sales {
    ($transaction:literal) => {
        concat!(
            "SELECT t.StoreID AS ticket, t.TransactionNumber AS ticket_2, t.TransactionNumber AS seq, t.Time AS sold_at,
  r.Number AS register, e.ID AS line_no,
  CASE WHEN e.ID IS NULL THEN NULL ELSE COALESCE(i.ItemLookupCode, 'no item') END AS sku, e.Quantity AS quantity,
  CASE WHEN e.ID IS NOT NULL AND i.ID IS NULL THEN 'no item'
    WHEN COALESCE(e.ItemType, i.ItemType) = 9 THEN 'voucher'
    WHEN i.ItemType = 7 THEN 'noninventory' END AS ignored
FROM ",
            $transaction,
            " t
LEFT JOIN Batch b ON b.StoreID = t.StoreID AND b.BatchNumber = t.BatchNumber
LEFT JOIN Register r ON r.ID = b.RegisterID
LEFT JOIN TransactionEntry e ON e.StoreID = t.StoreID AND e.TransactionNumber = t.TransactionNumber
LEFT JOIN Item i ON i.ID = e.ItemID
WHERE t.StoreID = {store}"
        )
    };
}

/// Dynamics RMS Store Operations.
pub(super) const DYNAMICS_RMS: Profile = Profile {
    name: "dynamics-rms",
    pos: "Microsoft Dynamics RMS Store Operations 1.2 and 2.0 (SQL Server)",
    dialects: &[Dialect::Mssql],
    tables: &[
        Table { name: "[Transaction]", columns: &["StoreID", "TransactionNumber", "BatchNumber", "Time"] },
        Table {
            name: "TransactionEntry",
            columns: &["ID", "StoreID", "TransactionNumber", "ItemID", "ItemType", "Quantity"],
        },
        Table { name: "Batch", columns: &["StoreID", "BatchNumber", "RegisterID"] },
        Table { name: "Register", columns: &["ID", "Number"] },
        Table {
            name: "Item",
            columns: &["ID", "ItemLookupCode", "Description", "Price", "Quantity", "ItemType", "Inactive"],
        },
        Table { name: "Alias", columns: &["ItemID", "Alias"] },
    ],
    options: &[ProfileOption {
        name: "store",
        kind: OptionKind::Integer,
        default: Some("0"),
        help: "StoreID of this store ([Transaction].StoreID; 0 without Headquarters)",
    }],
    sales: Sql { common: sales!("[Transaction]"), by_dialect: &[(Dialect::Postgres, sales!("\"Transaction\""))] },
    on_hand: Some(Sql {
        common: "SELECT i.ItemLookupCode AS sku, i.Quantity AS quantity FROM Item i WHERE i.ItemType NOT IN (7, 9)",
        by_dialect: &[],
    }),
    unapplied: None,
    lag: OnHandLag::AtSale,
    products: Some(Sql {
        common: "SELECT i.ItemLookupCode AS sku, i.Description AS name, i.Price AS price, a.Alias AS barcode
FROM Item i
LEFT JOIN Alias a ON a.ItemID = i.ID
WHERE i.Inactive = 0",
        by_dialect: &[],
    }),
    meaning: Meaning::PLAIN,
    ticket: TicketId::Reusable,
    clock: PosClock::Store,
    settle: Settle::Apart,
    blind_spots: &[
        "a till that is offline writes nothing: its sales come when it is online again, with their old time",
        "a case that is opened for single pieces (ParentItem, ParentQuantity) is no transaction: count the stock",
        "purchase orders, transfers and manual adjustments are no transactions: count the stock",
        "items of a type numbered 7 or 9 are taken for noninventory and vouchers: check `ItemType` in your `Item` table",
    ],
};
