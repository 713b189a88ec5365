//! The login of a grants script reads what its profile reads, and can do nothing else.

use super::shop::{Shop, on};

const UNICENTA: &str = super::unicenta::SCHEMA;
const FLOREANT: &str = super::floreant::SCHEMA;
const ODOO: &str = super::odoo::SCHEMA;
const ERPNEXT: &str = super::erpnext::SCHEMA;

/// All queries of the profile run; these statements do not.
fn check(shop: &mut Shop, refused: &[&str]) {
    shop.look();
    shop.on_hand();
    shop.products();
    for sql in refused {
        assert!(shop.refused(sql), "{:?}: {sql}", shop.kind());
    }
}

fn the_login_reads_the_diary_only(shop: &mut Shop) {
    check(
        shop,
        &[
            "DELETE FROM stockdiary",
            "UPDATE stockcurrent SET units = 0",
            "INSERT INTO products_bundle VALUES ('x', 'x', 'x', 1)",
            "SELECT customer FROM tickets",
            "SELECT appuser FROM stockdiary",
            "DROP TABLE stockdiary",
            "CREATE TABLE mine (a INTEGER)",
        ],
    );
}

fn the_login_reads_tickets_without_customers(shop: &mut Shop) {
    check(
        shop,
        &[
            "UPDATE TICKET SET VOIDED = TRUE",
            "DELETE FROM TICKET_ITEM",
            "SELECT CUSTOMER_ID FROM TICKET",
            "SELECT DELIVERY_ADDRESS FROM TICKET",
            "SELECT * FROM TICKET",
        ],
    );
}

fn the_login_reads_orders_without_partners(shop: &mut Shop) {
    check(
        shop,
        &[
            "UPDATE pos_order SET state = 'cancel'",
            "DELETE FROM pos_order_line",
            "SELECT partner_id FROM pos_order",
            "SELECT * FROM pos_order",
            "INSERT INTO stock_quant VALUES (1, 1, 1, 1, 1)",
        ],
    );
}

fn the_login_reads_invoices_without_customers(shop: &mut Shop) {
    check(
        shop,
        &[
            "UPDATE `tabPOS Invoice` SET docstatus = 2",
            "DELETE FROM tabBin",
            "SELECT customer FROM `tabPOS Invoice`",
            "SELECT contact_mobile FROM `tabPOS Invoice`",
            "SELECT * FROM `tabPOS Invoice`",
        ],
    );
}

on!(unicenta, "unicenta", UNICENTA, [], [Postgres, Mysql], [the_login_reads_the_diary_only]);
on!(floreant, "floreant", FLOREANT, [], [Postgres, Mysql], [the_login_reads_tickets_without_customers]);
on!(odoo, "odoo-pos", ODOO, [], [Postgres], [the_login_reads_orders_without_partners]);
on!(
    erpnext,
    "erpnext-pos",
    ERPNEXT,
    [("warehouse", &["Shop - T"])],
    [Mysql],
    [the_login_reads_invoices_without_customers]
);
