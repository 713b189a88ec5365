-- Rights of Tillsync, profile `sambapos`: SambaPOS 3, 4 and 5 (SQL Server).
-- SQL Server. Change the password and the name of the POS's database, then run it as an administrator.
-- The login can read the columns named here. It cannot write or see other columns.
USE [THE_POS_DATABASE];
CREATE LOGIN tillsync WITH PASSWORD = 'Change-This-Password-1', CHECK_POLICY = ON;
CREATE USER tillsync FOR LOGIN tillsync;
GRANT SELECT ON dbo.Tickets (Id, Date, IsClosed)
  TO tillsync;
GRANT SELECT ON dbo.Orders (Id, TicketId, WarehouseId, MenuItemId, PortionName, PortionCount, Quantity, DecreaseInventory, IncreaseInventory)
  TO tillsync;
GRANT SELECT ON dbo.MenuItems (Id, Name, Barcode)
  TO tillsync;
GRANT SELECT ON dbo.MenuItemPortions (Id, Name, MenuItemId)
  TO tillsync;
GRANT SELECT ON dbo.MenuItemPrices (MenuItemPortionId, PriceTag, Price)
  TO tillsync;
GRANT SELECT ON dbo.Recipes (Id, Portion_Id)
  TO tillsync;
GRANT SELECT ON dbo.RecipeItems (RecipeId, InventoryItem_Id, Quantity)
  TO tillsync;
GRANT SELECT ON dbo.PeriodicConsumptions (Id, EndDate)
  TO tillsync;
GRANT SELECT ON dbo.WarehouseConsumptions (Id, PeriodicConsumptionId, WarehouseId)
  TO tillsync;
GRANT SELECT ON dbo.PeriodicConsumptionItems (PeriodicConsumptionId, WarehouseConsumptionId, InventoryItemId, UnitMultiplier, InStock, Added, Removed, Consumption, PhysicalInventory)
  TO tillsync;
