-- Rights of Tillsync, profile `odoo-pos-kits`: Odoo Point of Sale 14 and newer with kits (Manufacturing app).
-- PostgreSQL. Change the password, then run it as the owner of the POS's tables:
--   psql -d THE_POS_DATABASE -f this-file.sql
-- The login can read the columns named here. It cannot write, see other columns, or keep a lock or a snapshot.
CREATE ROLE tillsync LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 2
  PASSWORD 'change-this-password';
ALTER ROLE tillsync SET default_transaction_read_only = on;
ALTER ROLE tillsync SET statement_timeout = '10s';
ALTER ROLE tillsync SET lock_timeout = '1s';
ALTER ROLE tillsync SET idle_in_transaction_session_timeout = '30s';
GRANT USAGE ON SCHEMA public TO tillsync;
GRANT SELECT (id, pos_reference, date_order, write_date, state, session_id)
  ON pos_order TO tillsync;
GRANT SELECT (id, order_id, product_id, qty)
  ON pos_order_line TO tillsync;
GRANT SELECT (id, config_id, state)
  ON pos_session TO tillsync;
GRANT SELECT (id, name)
  ON pos_config TO tillsync;
GRANT SELECT (id, product_tmpl_id, default_code, barcode, active)
  ON product_product TO tillsync;
GRANT SELECT (id, name, type, list_price)
  ON product_template TO tillsync;
GRANT SELECT (product_id, location_id, quantity)
  ON stock_quant TO tillsync;
GRANT SELECT (id, usage, parent_path)
  ON stock_location TO tillsync;
GRANT SELECT (id, code, lot_stock_id)
  ON stock_warehouse TO tillsync;
GRANT SELECT (id, pos_order_id, state)
  ON stock_picking TO tillsync;
GRANT SELECT (id, type, active, product_tmpl_id, product_id, product_qty, sequence)
  ON mrp_bom TO tillsync;
GRANT SELECT (id, bom_id, product_id, product_qty)
  ON mrp_bom_line TO tillsync;
