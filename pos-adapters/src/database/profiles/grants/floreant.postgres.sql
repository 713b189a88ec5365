-- Rights of Tillsync, profile `floreant`: Floreant POS 1.4 and newer on MySQL or PostgreSQL.
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
GRANT SELECT (ID, CREATE_DATE, CLOSING_DATE, SETTLED, VOIDED, WASTED, IS_RE_OPENED, TERMINAL_ID)
  ON TICKET TO tillsync;
GRANT SELECT (ID, TICKET_ID, ITEM_ID, ITEM_COUNT, ITEM_QUANTITY, FRACTIONAL_UNIT, STOCK_AMOUNT_ADJUSTED)
  ON TICKET_ITEM TO tillsync;
GRANT SELECT (ID, NAME, BARCODE, PRICE, STOCK_AMOUNT, DISABLE_WHEN_STOCK_AMOUNT_IS_ZERO)
  ON MENU_ITEM TO tillsync;
