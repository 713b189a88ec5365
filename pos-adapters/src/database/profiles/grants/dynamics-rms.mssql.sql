-- Rights of Tillsync, profile `dynamics-rms`: Microsoft Dynamics RMS Store Operations 1.2 and 2.0 (SQL Server).
-- SQL Server. Change the password and the name of the POS's database, then run it as an administrator.
-- The login can read the columns named here. It cannot write or see other columns.
USE [THE_POS_DATABASE];
CREATE LOGIN tillsync WITH PASSWORD = 'Change-This-Password-1', CHECK_POLICY = ON;
CREATE USER tillsync FOR LOGIN tillsync;
GRANT SELECT ON dbo.[Transaction] (StoreID, TransactionNumber, BatchNumber, Time)
  TO tillsync;
GRANT SELECT ON dbo.TransactionEntry (ID, StoreID, TransactionNumber, ItemID, ItemType, Quantity)
  TO tillsync;
GRANT SELECT ON dbo.Batch (StoreID, BatchNumber, RegisterID)
  TO tillsync;
GRANT SELECT ON dbo.Register (ID, Number)
  TO tillsync;
GRANT SELECT ON dbo.Item (ID, ItemLookupCode, Description, Price, Quantity, ItemType, Inactive)
  TO tillsync;
GRANT SELECT ON dbo.Alias (ItemID, Alias)
  TO tillsync;
