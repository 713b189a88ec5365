//! NCR Counterpoint on SQL Server.
//!
//! # Two places, one ticket
//! A finished ticket is in `PS_DOC_HDR`/`PS_DOC_LIN` until it is posted, often at the end of the day, and in
//! `PS_TKT_HIST`/`PS_TKT_HIST_LIN` from then on, under the same `DOC_ID`. Both are read as one list, so a sale is seen at
//! once and posting it changes nothing. Stock on hand moves at posting only; unposted tickets are taken off it.
//!
//! Lines belong to headers by `DOC_ID`; ticket numbers come again. The sold unit is `QTY_NUMER`/`QTY_DENOM` stock units.
//! Items with a grid have one line and a cell row for each size and colour. Only line types S (sold) and R (returned)
//! move stock: A rows are money, U rows tell what became of an order that was booked before.

use crate::database::engine::Dialect;
use crate::database::profile::{
    Meaning, OnHandLag, OptionKind, PosClock, Profile, ProfileOption, Settle, Sql, Table, TicketId,
};
use crate::file::settings::QuantitySign;

/// Item number and the values of its grid that are not `*`, put together with `|`.
macro_rules! cell_sku {
    ($plus:literal, $item:literal, $one:literal, $two:literal, $three:literal) => {
        concat!(
            $item,
            " ",
            $plus,
            " CASE WHEN ",
            $one,
            " <> '*' THEN '|' ",
            $plus,
            " ",
            $one,
            " ELSE '' END ",
            $plus,
            " CASE WHEN ",
            $two,
            " <> '*' THEN '|' ",
            $plus,
            " ",
            $two,
            " ELSE '' END ",
            $plus,
            " CASE WHEN ",
            $three,
            " <> '*' THEN '|' ",
            $plus,
            " ",
            $three,
            " ELSE '' END"
        )
    };
}

macro_rules! line_sku {
    ($plus:literal) => {
        cell_sku!(
            $plus,
            "l.ITEM_NO",
            "COALESCE(c.DIM_1_UPR, l.DIM_1_UPR, '*')",
            "COALESCE(c.DIM_2_UPR, l.DIM_2_UPR, '*')",
            "COALESCE(c.DIM_3_UPR, l.DIM_3_UPR, '*')"
        )
    };
}

macro_rules! ticket_columns {
    ($plus:literal) => {
        concat!(
            "SELECT h.DOC_ID AS ticket, h.STR_ID AS ticket_2, h.TKT_NO AS ticket_3, h.TKT_DT AS sold_at,
  h.LST_MAINT_DT AS changed_at, h.STA_ID AS register, l.LIN_SEQ_NO AS line_no,
  CASE h.TKT_TYP WHEN 'V' THEN 'cancelled' ELSE 'completed' END AS status,
  ",
            line_sku!($plus),
            " AS sku,
  CASE l.LIN_TYP WHEN 'R' THEN ABS(COALESCE(c.QTY_SOLD, l.QTY_SOLD)) ELSE -COALESCE(c.QTY_SOLD, l.QTY_SOLD) END AS quantity,
  l.QTY_NUMER AS factor, l.QTY_DENOM AS divisor,
  CASE l.LIN_TYP WHEN 'R' THEN 'return' ELSE 'sale' END AS kind,
  CASE WHEN l.LIN_TYP = 'U' THEN 'order lifecycle line' WHEN l.LIN_TYP NOT IN ('S', 'R') THEN 'money line'
    WHEN l.IS_KIT_PAR = 'Y' THEN 'kit parent' WHEN l.ITEM_TYP <> 'I' THEN 'not an inventory item'
    WHEN l.STK_LOC_ID <> {location} THEN 'other location' END AS ignored
"
        )
    };
}

macro_rules! sales {
    ($plus:literal) => {
        concat!(
            ticket_columns!($plus),
            "FROM PS_TKT_HIST h
LEFT JOIN PS_TKT_HIST_LIN l ON l.DOC_ID = h.DOC_ID AND l.BUS_DAT = h.BUS_DAT
LEFT JOIN PS_TKT_HIST_LIN_CELL c ON c.DOC_ID = l.DOC_ID AND c.BUS_DAT = l.BUS_DAT AND c.LIN_SEQ_NO = l.LIN_SEQ_NO
WHERE h.STR_ID = {store}
UNION ALL
",
            ticket_columns!($plus),
            "FROM PS_DOC_HDR h
LEFT JOIN PS_DOC_LIN l ON l.DOC_ID = h.DOC_ID
LEFT JOIN PS_DOC_LIN_CELL c ON c.DOC_ID = l.DOC_ID AND c.LIN_SEQ_NO = l.LIN_SEQ_NO
WHERE h.STR_ID = {store} AND h.DOC_TYP = 'T' AND h.IS_DOC_COMMITTED = 'Y'
  AND NOT EXISTS (SELECT 1 FROM PS_TKT_HIST posted WHERE posted.DOC_ID = h.DOC_ID)"
        )
    };
}

macro_rules! on_hand {
    ($plus:literal) => {
        concat!(
            "SELECT v.ITEM_NO AS sku, v.QTY_ON_HND AS quantity
FROM IM_INV v
JOIN IM_ITEM i ON i.ITEM_NO = v.ITEM_NO
WHERE v.LOC_ID = {location} AND i.ITEM_TYP = 'I' AND i.TRK_METH <> 'G'
UNION ALL
SELECT ",
            cell_sku!($plus, "v.ITEM_NO", "v.DIM_1_UPR", "v.DIM_2_UPR", "v.DIM_3_UPR"),
            " AS sku, v.QTY_ON_HND AS quantity
FROM IM_INV_CELL v
JOIN IM_ITEM i ON i.ITEM_NO = v.ITEM_NO
WHERE v.LOC_ID = {location} AND i.ITEM_TYP = 'I' AND i.TRK_METH = 'G'"
        )
    };
}

macro_rules! unapplied {
    ($plus:literal) => {
        concat!(
            "SELECT ",
            line_sku!($plus),
            " AS sku,
  ROUND(CASE l.LIN_TYP WHEN 'R' THEN -ABS(COALESCE(c.QTY_SOLD, l.QTY_SOLD)) ELSE COALESCE(c.QTY_SOLD, l.QTY_SOLD) END
    * l.QTY_NUMER / l.QTY_DENOM, 6) AS quantity
FROM PS_DOC_HDR h
JOIN PS_DOC_LIN l ON l.DOC_ID = h.DOC_ID
LEFT JOIN PS_DOC_LIN_CELL c ON c.DOC_ID = l.DOC_ID AND c.LIN_SEQ_NO = l.LIN_SEQ_NO
WHERE h.STR_ID = {store} AND h.DOC_TYP = 'T' AND h.IS_DOC_COMMITTED = 'Y' AND h.TKT_TYP <> 'V'
  AND l.LIN_TYP IN ('S', 'R') AND l.IS_KIT_PAR <> 'Y' AND l.ITEM_TYP = 'I' AND l.STK_LOC_ID = {location}
  AND NOT EXISTS (SELECT 1 FROM PS_TKT_HIST posted WHERE posted.DOC_ID = h.DOC_ID)"
        )
    };
}

macro_rules! products {
    ($plus:literal) => {
        concat!(
            "SELECT ",
            cell_sku!(
                $plus,
                "i.ITEM_NO",
                "COALESCE(b.DIM_1_UPR, '*')",
                "COALESCE(b.DIM_2_UPR, '*')",
                "COALESCE(b.DIM_3_UPR, '*')"
            ),
            " AS sku, i.DESCR AS name, i.PRC_1 AS price, b.BARCOD AS barcode
FROM IM_ITEM i
LEFT JOIN IM_BARCOD b ON b.ITEM_NO = i.ITEM_NO"
        )
    };
}

/// A query with the sign that SQL Server puts texts together with, and the one of everybody else.
macro_rules! sql {
    ($query:ident) => {
        Sql { common: $query!("||"), by_dialect: &[(Dialect::Mssql, $query!("+"))] }
    };
}

/// NCR Counterpoint.
pub(super) const COUNTERPOINT: Profile = Profile {
    name: "ncr-counterpoint",
    pos: "NCR Counterpoint 8 (SQL Server)",
    dialects: &[Dialect::Mssql],
    tables: &[
        Table {
            name: "PS_TKT_HIST",
            columns: &["DOC_ID", "STR_ID", "STA_ID", "TKT_NO", "TKT_TYP", "BUS_DAT", "TKT_DT", "LST_MAINT_DT"],
        },
        Table {
            name: "PS_TKT_HIST_LIN",
            columns: &[
                "DOC_ID",
                "BUS_DAT",
                "LIN_SEQ_NO",
                "LIN_TYP",
                "ITEM_NO",
                "QTY_SOLD",
                "QTY_NUMER",
                "QTY_DENOM",
                "IS_KIT_PAR",
                "ITEM_TYP",
                "STK_LOC_ID",
                "DIM_1_UPR",
                "DIM_2_UPR",
                "DIM_3_UPR",
            ],
        },
        Table {
            name: "PS_TKT_HIST_LIN_CELL",
            columns: &["DOC_ID", "BUS_DAT", "LIN_SEQ_NO", "DIM_1_UPR", "DIM_2_UPR", "DIM_3_UPR", "QTY_SOLD"],
        },
        Table {
            name: "PS_DOC_HDR",
            columns: &[
                "DOC_ID",
                "DOC_TYP",
                "STR_ID",
                "STA_ID",
                "TKT_NO",
                "TKT_TYP",
                "TKT_DT",
                "LST_MAINT_DT",
                "IS_DOC_COMMITTED",
            ],
        },
        Table {
            name: "PS_DOC_LIN",
            columns: &[
                "DOC_ID",
                "LIN_SEQ_NO",
                "LIN_TYP",
                "ITEM_NO",
                "QTY_SOLD",
                "QTY_NUMER",
                "QTY_DENOM",
                "IS_KIT_PAR",
                "ITEM_TYP",
                "STK_LOC_ID",
                "DIM_1_UPR",
                "DIM_2_UPR",
                "DIM_3_UPR",
            ],
        },
        Table {
            name: "PS_DOC_LIN_CELL",
            columns: &["DOC_ID", "LIN_SEQ_NO", "DIM_1_UPR", "DIM_2_UPR", "DIM_3_UPR", "QTY_SOLD"],
        },
        Table { name: "IM_ITEM", columns: &["ITEM_NO", "DESCR", "ITEM_TYP", "TRK_METH", "PRC_1"] },
        Table { name: "IM_INV", columns: &["ITEM_NO", "LOC_ID", "QTY_ON_HND"] },
        Table {
            name: "IM_INV_CELL",
            columns: &["ITEM_NO", "LOC_ID", "DIM_1_UPR", "DIM_2_UPR", "DIM_3_UPR", "QTY_ON_HND"],
        },
        Table { name: "IM_BARCOD", columns: &["ITEM_NO", "BARCOD", "DIM_1_UPR", "DIM_2_UPR", "DIM_3_UPR"] },
    ],
    options: &[
        ProfileOption { name: "store", kind: OptionKind::Text, default: Some("MAIN"), help: "STR_ID of this store" },
        ProfileOption {
            name: "location",
            kind: OptionKind::Text,
            default: Some("MAIN"),
            help: "LOC_ID whose stock is sold online; lines from other locations move nothing",
        },
    ],
    sales: sql!(sales),
    on_hand: Some(sql!(on_hand)),
    unapplied: Some(sql!(unapplied)),
    lag: OnHandLag::AtPosting,
    products: Some(sql!(products)),
    meaning: Meaning { quantity: QuantitySign::Stock, ..Meaning::PLAIN },
    ticket: TicketId::Unique,
    clock: PosClock::Store,
    settle: Settle::Apart,
    blind_spots: &[
        "orders and layaways move nothing before they become a ticket with S lines; U lines are left out and counted",
        "a till in offline mode writes nothing here before it is online again",
        "receivings, transfers and adjustments are no tickets: count the stock",
        "with several sites items are replicated before tickets: read the database of the site itself",
        "sites rename and add tables: `check --online` names what is missing",
    ],
};
