-- Rights of Tillsync, profile `unicenta`: uniCenta oPOS 4 and newer, KrIOS (stock diary).
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
GRANT SELECT (id, datenew, reason, location, product, units)
  ON stockdiary TO tillsync;
GRANT SELECT (location, product, units)
  ON stockcurrent TO tillsync;
GRANT SELECT (id, reference, code, name, pricesell, isservice)
  ON products TO tillsync;
GRANT SELECT (id, product, product_bundle, quantity)
  ON products_bundle TO tillsync;
