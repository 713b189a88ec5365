-- Rights of Tillsync, profile `openbravo`: Openbravo POS 2.30, uniCenta oPOS 3 (stock diary).
-- MariaDB and MySQL. Change the password, then run it as an administrator in the POS's database:
--   mariadb -u root -p THE_POS_DATABASE < this-file.sql
-- Where Tillsync runs on another machine, put that machine's address in place of localhost and add REQUIRE SSL.
-- The login can read the columns named here. It cannot write or see other columns.
CREATE USER 'tillsync'@'localhost' IDENTIFIED BY 'change-this-password' WITH MAX_USER_CONNECTIONS 2;
GRANT SELECT (ID, DATENEW, REASON, LOCATION, PRODUCT, UNITS)
  ON STOCKDIARY TO 'tillsync'@'localhost';
GRANT SELECT (LOCATION, PRODUCT, UNITS)
  ON STOCKCURRENT TO 'tillsync'@'localhost';
GRANT SELECT (ID, REFERENCE, CODE, NAME, PRICESELL)
  ON PRODUCTS TO 'tillsync'@'localhost';
