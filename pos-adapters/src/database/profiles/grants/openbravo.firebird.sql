-- Rights of Tillsync, profile `openbravo`: Openbravo POS 2.30, uniCenta oPOS 3 (stock diary).
-- Firebird. Change the password, then run it with isql as the owner of the POS's tables.
-- Firebird gives the right to read whole tables only; none of these holds a customer's data.
CREATE USER tillsync PASSWORD 'change-this-password';
COMMIT;
GRANT SELECT ON STOCKDIARY TO USER tillsync;
GRANT SELECT ON STOCKCURRENT TO USER tillsync;
GRANT SELECT ON PRODUCTS TO USER tillsync;
COMMIT;
