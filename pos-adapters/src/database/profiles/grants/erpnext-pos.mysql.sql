-- Rights of Tillsync, profile `erpnext-pos`: ERPNext 13 and newer, Point of Sale with POS Invoices (MariaDB).
-- MariaDB and MySQL. Change the password, then run it as an administrator in the POS's database:
--   mariadb -u root -p THE_POS_DATABASE < this-file.sql
-- Where Tillsync runs on another machine, put that machine's address in place of localhost and add REQUIRE SSL.
-- The login can read the columns named here. It cannot write or see other columns.
CREATE USER 'tillsync'@'localhost' IDENTIFIED BY 'change-this-password' WITH MAX_USER_CONNECTIONS 2;
GRANT SELECT (name, creation, modified, docstatus, pos_profile, update_stock, consolidated_invoice)
  ON `tabPOS Invoice` TO 'tillsync'@'localhost';
GRANT SELECT (name, parent, idx, item_code, stock_qty, warehouse)
  ON `tabPOS Invoice Item` TO 'tillsync'@'localhost';
GRANT SELECT (parent, parenttype, parent_detail_docname, idx, item_code, qty, warehouse)
  ON `tabPacked Item` TO 'tillsync'@'localhost';
GRANT SELECT (name, item_name, is_stock_item)
  ON tabItem TO 'tillsync'@'localhost';
GRANT SELECT (parent, barcode)
  ON `tabItem Barcode` TO 'tillsync'@'localhost';
GRANT SELECT (item_code, price_list, selling, price_list_rate, uom, customer, valid_upto)
  ON `tabItem Price` TO 'tillsync'@'localhost';
GRANT SELECT (item_code, warehouse, actual_qty)
  ON tabBin TO 'tillsync'@'localhost';
