-- Rights of Tillsync, profile `openbravo`: Openbravo POS 2.30, uniCenta oPOS 3 (stock diary).
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
GRANT SELECT (ID, DATENEW, REASON, LOCATION, PRODUCT, UNITS)
  ON STOCKDIARY TO tillsync;
GRANT SELECT (LOCATION, PRODUCT, UNITS)
  ON STOCKCURRENT TO tillsync;
GRANT SELECT (ID, REFERENCE, CODE, NAME, PRICESELL)
  ON PRODUCTS TO tillsync;
