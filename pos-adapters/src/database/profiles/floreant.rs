//! Floreant POS and its children.
//!
//! A ticket is visible as soon as it is saved, long before it is paid (`SETTLED`, written when it is closed, whether
//! paid or voided). `VOIDED` flips later, together with a new `CLOSING_DATE`; a re-opened ticket loses its
//! `CLOSING_DATE` and keeps `IS_RE_OPENED` for ever. Removed lines are deleted rows.
//!
//! What is decided here:
//! - An open ticket is not read before it is settled.
//! - A re-opened ticket goes on moving stock with the lines that it has now: its goods left the shop already.
//! - A voided ticket gives its goods back, unless it is marked `WASTED`: then they are gone.
//! - A refund (`REFUNDED`) gives money back and does not say whether goods came back; Floreant does not put them back
//!   into its own stock, and neither does this profile.
//!
//! Floreant takes a line off `MENU_ITEM.STOCK_AMOUNT` when the ticket is first saved, so its stock on hand knows open
//! tickets; they are added back for counts.

use crate::database::engine::Dialect;
use crate::database::profile::{
    Meaning, OnHandLag, OptionKind, PosClock, Profile, ProfileOption, Settle, Sql, Table, TicketId,
};
use crate::file::settings::QuantitySign;

/// Floreant POS on MySQL or PostgreSQL.
pub(super) const FLOREANT: Profile = Profile {
    name: "floreant",
    pos: "Floreant POS 1.4 and newer on MySQL or PostgreSQL",
    dialects: &[Dialect::Mysql, Dialect::Postgres],
    tables: &[
        Table {
            name: "TICKET",
            columns: &[
                "ID",
                "CREATE_DATE",
                "CLOSING_DATE",
                "SETTLED",
                "VOIDED",
                "WASTED",
                "IS_RE_OPENED",
                "TERMINAL_ID",
            ],
        },
        Table {
            name: "TICKET_ITEM",
            columns: &[
                "ID",
                "TICKET_ID",
                "ITEM_ID",
                "ITEM_COUNT",
                "ITEM_QUANTITY",
                "FRACTIONAL_UNIT",
                "STOCK_AMOUNT_ADJUSTED",
            ],
        },
        Table {
            name: "MENU_ITEM",
            columns: &["ID", "NAME", "BARCODE", "PRICE", "STOCK_AMOUNT", "DISABLE_WHEN_STOCK_AMOUNT_IS_ZERO"],
        },
    ],
    options: &[ProfileOption {
        name: "terminals",
        kind: OptionKind::List,
        default: Some(""),
        help: "numbers of this store's terminals (TICKET.TERMINAL_ID); empty takes all",
    }],
    sales: Sql {
        common: "SELECT t.ID AS ticket, t.ID AS seq, t.CREATE_DATE AS sold_at, t.CLOSING_DATE AS changed_at,
  t.TERMINAL_ID AS register, i.ID AS line_no,
  CASE WHEN t.VOIDED = TRUE AND COALESCE(t.WASTED, FALSE) = FALSE THEN 'cancelled' ELSE 'completed' END AS status,
  CASE WHEN i.ID IS NULL THEN NULL ELSE COALESCE(NULLIF(m.BARCODE, ''), CONCAT('#', i.ITEM_ID)) END AS sku,
  CASE WHEN i.FRACTIONAL_UNIT = TRUE THEN -i.ITEM_QUANTITY ELSE -i.ITEM_COUNT END AS quantity,
  CASE WHEN t.VOIDED = TRUE THEN 'adjustment' ELSE 'sale' END AS kind,
  CASE WHEN i.ID IS NOT NULL AND COALESCE(i.ITEM_ID, 0) = 0 THEN 'open item' END AS ignored
FROM TICKET t
LEFT JOIN TICKET_ITEM i ON i.TICKET_ID = t.ID
LEFT JOIN MENU_ITEM m ON m.ID = i.ITEM_ID
WHERE (t.SETTLED = TRUE OR t.IS_RE_OPENED = TRUE) AND ('' IN ({terminals}) OR CONCAT(t.TERMINAL_ID, '') IN ({terminals}))",
        by_dialect: &[],
    },
    on_hand: Some(Sql {
        common: "SELECT COALESCE(NULLIF(m.BARCODE, ''), CONCAT('#', m.ID)) AS sku, m.STOCK_AMOUNT AS quantity
FROM MENU_ITEM m
WHERE m.STOCK_AMOUNT <> 0 OR m.DISABLE_WHEN_STOCK_AMOUNT_IS_ZERO = TRUE
UNION ALL
SELECT COALESCE(NULLIF(m.BARCODE, ''), CONCAT('#', m.ID)) AS sku,
  CASE WHEN i.FRACTIONAL_UNIT = TRUE THEN i.ITEM_QUANTITY ELSE i.ITEM_COUNT END AS quantity
FROM TICKET t
JOIN TICKET_ITEM i ON i.TICKET_ID = t.ID
JOIN MENU_ITEM m ON m.ID = i.ITEM_ID
WHERE COALESCE(t.SETTLED, FALSE) = FALSE AND COALESCE(t.IS_RE_OPENED, FALSE) = FALSE
  AND i.STOCK_AMOUNT_ADJUSTED = TRUE
  AND (m.STOCK_AMOUNT <> 0 OR m.DISABLE_WHEN_STOCK_AMOUNT_IS_ZERO = TRUE)",
        by_dialect: &[],
    }),
    unapplied: None,
    lag: OnHandLag::AtSale,
    products: Some(Sql {
        common: "SELECT COALESCE(NULLIF(m.BARCODE, ''), CONCAT('#', m.ID)) AS sku, m.NAME AS name, m.PRICE AS price,
  NULLIF(m.BARCODE, '') AS barcode FROM MENU_ITEM m",
        by_dialect: &[],
    }),
    meaning: Meaning { quantity: QuantitySign::Stock, ..Meaning::PLAIN },
    ticket: TicketId::Reusable,
    clock: PosClock::Store,
    settle: Settle::Together,
    blind_spots: &[
        "the default Derby database can be opened by one program only: move Floreant to MySQL or PostgreSQL",
        "a refund gives money back and says nothing about goods: it moves no stock",
        "recipes and modifiers move no stock of ingredients",
        "Floreant's own stock stops at zero, and is not put back by a void: count what is sold online",
        "a void or edit of a ticket that was closed before the days that are read again is missed",
    ],
};
