-- Rights of Tillsync, profile `unicenta-tickets`: uniCenta oPOS 4 and newer, KrIOS (ticket lines; never together with `unicenta`).
-- MariaDB and MySQL. Change the password, then run it as an administrator in the POS's database:
--   mariadb -u root -p THE_POS_DATABASE < this-file.sql
-- Where Tillsync runs on another machine, put that machine's address in place of localhost and add REQUIRE SSL.
-- The login can read the columns named here. It cannot write or see other columns.
CREATE USER 'tillsync'@'localhost' IDENTIFIED BY 'change-this-password' WITH MAX_USER_CONNECTIONS 2;
GRANT SELECT (id, money, datenew)
  ON receipts TO 'tillsync'@'localhost';
GRANT SELECT (id, tickettype)
  ON tickets TO 'tillsync'@'localhost';
GRANT SELECT (ticket, line, product, units)
  ON ticketlines TO 'tillsync'@'localhost';
GRANT SELECT (money, host)
  ON closedcash TO 'tillsync'@'localhost';
GRANT SELECT (location, product, units)
  ON stockcurrent TO 'tillsync'@'localhost';
GRANT SELECT (id, reference, code, name, pricesell, isservice)
  ON products TO 'tillsync'@'localhost';
GRANT SELECT (id, product, product_bundle, quantity)
  ON products_bundle TO 'tillsync'@'localhost';
