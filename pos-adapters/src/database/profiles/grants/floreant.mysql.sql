-- Rights of Tillsync, profile `floreant`: Floreant POS 1.4 and newer on MySQL or PostgreSQL.
-- MariaDB and MySQL. Change the password, then run it as an administrator in the POS's database:
--   mariadb -u root -p THE_POS_DATABASE < this-file.sql
-- Where Tillsync runs on another machine, put that machine's address in place of localhost and add REQUIRE SSL.
-- The login can read the columns named here. It cannot write or see other columns.
CREATE USER 'tillsync'@'localhost' IDENTIFIED BY 'change-this-password' WITH MAX_USER_CONNECTIONS 2;
GRANT SELECT (ID, CREATE_DATE, CLOSING_DATE, SETTLED, VOIDED, WASTED, IS_RE_OPENED, TERMINAL_ID)
  ON TICKET TO 'tillsync'@'localhost';
GRANT SELECT (ID, TICKET_ID, ITEM_ID, ITEM_COUNT, ITEM_QUANTITY, FRACTIONAL_UNIT, STOCK_AMOUNT_ADJUSTED)
  ON TICKET_ITEM TO 'tillsync'@'localhost';
GRANT SELECT (ID, NAME, BARCODE, PRICE, STOCK_AMOUNT, DISABLE_WHEN_STOCK_AMOUNT_IS_ZERO)
  ON MENU_ITEM TO 'tillsync'@'localhost';
