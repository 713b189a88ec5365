//! Made-up sales as the retail standards write them in XML.

use super::{Sale, money};

/// ARTS POSLog, all on one line as some makers write it.
pub(super) fn poslog(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><POSLog xmlns=\"http://www.nrf-arts.org/IXRetail/namespace/\">",
    );
    for sale in sales {
        text.push_str(&format!(
            "<Transaction CancelFlag=\"false\"><RetailStoreID>1</RetailStoreID><WorkstationID>{}</WorkstationID><SequenceNumber>{}</SequenceNumber>\
             <BusinessDayDate>{}</BusinessDayDate><BeginDateTime>{}</BeginDateTime><EndDateTime>{}</EndDateTime><CurrencyCode>EUR</CurrencyCode>\
             <RetailTransaction TransactionStatus=\"Finished\">",
            sale.register,
            sale.number,
            sale.time('T').get(..10).unwrap_or_default(),
            sale.time('T'),
            sale.time('T')
        ));
        for (number, line) in sale.lines.iter().enumerate() {
            text.push_str(&format!(
                "<LineItem EntryMethod=\"Scanned\"><SequenceNumber>{}</SequenceNumber><Sale ItemType=\"Stock\"><ItemID>{}</ItemID><Description>{}</Description>\
                 <ActualSalesUnitPrice>{}</ActualSalesUnitPrice><ExtendedAmount>{}</ExtendedAmount><Quantity>{}</Quantity></Sale></LineItem>",
                number.saturating_add(1),
                line.sku,
                line.name,
                money(line.price),
                money(line.amount()),
                line.quantity
            ));
        }
        text.push_str(&format!(
            "<Total TotalType=\"TransactionGrandAmount\">{}</Total></RetailTransaction></Transaction>",
            money(sale.total())
        ));
    }
    text.push_str("</POSLog>");
    text.into_bytes()
}

/// NAXML POSJournal.
pub(super) fn naxml(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut text = String::from(
        "<?xml version=\"1.0\"?>\n<NAXML-POSJournal version=\"3.4\" xmlns=\"http://www.naxml.org/POSBO/Vocabulary/2003-10-16\">\n\
         <TransmissionHeader><StoreLocationID>1</StoreLocationID><VendorName>Any</VendorName><VendorModelVersion>1</VendorModelVersion></TransmissionHeader>\n\
         <JournalReport><JournalHeader><ReportSequenceNumber>1</ReportSequenceNumber><PrimaryReportPeriod>2</PrimaryReportPeriod>\
         <BeginDate>2026-02-01</BeginDate><BeginTime>00:00:00</BeginTime></JournalHeader>\n",
    );
    for sale in sales {
        let time = sale.time('T');
        let (day, clock) = time.split_once('T').unwrap_or_default();
        text.push_str(&format!(
            "<SaleEvent><EventSequenceID>{0}</EventSequenceID><TrainingModeFlag value=\"no\"/><CashierID>1</CashierID><RegisterID>{1}</RegisterID>\
             <TillID>1</TillID><TransactionID>{0}</TransactionID><EventStartDate>{day}</EventStartDate><EventStartTime>{clock}</EventStartTime>\
             <EventEndDate>{day}</EventEndDate><EventEndTime>{clock}</EventEndTime><BusinessDate>{day}</BusinessDate>\
             <ReceiptDate>{day}</ReceiptDate><ReceiptTime>{clock}</ReceiptTime><SuspendFlag value=\"no\"/><TransactionDetailGroup>\n",
            sale.number, sale.register
        ));
        for line in &sale.lines {
            text.push_str(&format!(
                "<TransactionLine status=\"normal\"><ItemLine><ItemCode><POSCodeFormat format=\"plu\"/><POSCode>{}</POSCode></ItemCode>\
                 <ItemTax/><Description>{}</Description><EntryMethod method=\"scan\"/><ActualSalesPrice>{}</ActualSalesPrice>\
                 <MerchandiseCode>1</MerchandiseCode><SellingUnits>1</SellingUnits><RegularSellPrice>{}</RegularSellPrice>\
                 <SalesQuantity>{}</SalesQuantity><SalesAmount>{}</SalesAmount></ItemLine></TransactionLine>\n",
                line.sku,
                line.name,
                money(line.price),
                money(line.price),
                line.quantity,
                money(line.amount())
            ));
        }
        text.push_str(&format!(
            "</TransactionDetailGroup><TransactionSummary><TransactionTotalGrossAmount>{0}</TransactionTotalGrossAmount>\
             <TransactionTotalNetAmount>{0}</TransactionTotalNetAmount><TransactionTotalTaxNetAmount>0.00</TransactionTotalTaxNetAmount>\
             <TransactionTotalGrandAmount direction=\"Collected\">{0}</TransactionTotalGrandAmount></TransactionSummary></SaleEvent>\n",
            money(sale.total())
        ));
    }
    text.push_str("</JournalReport></NAXML-POSJournal>\n");
    text.into_bytes()
}

/// SAF-T Cash Register.
pub(super) fn saft(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<auditfile xmlns=\"urn:StandardAuditFile-Taxation-CashRegister:NO\">\
         <header><fiscalYear>2026</fiscalYear><startDate>2026-02-01</startDate><endDate>2026-02-28</endDate><curCode>NOK</curCode></header>\
         <company><companyIdent>1</companyIdent><companyName>Any</companyName><location><name>1</name><cashregister><registerID>1</registerID>\n\
         <basics><basic><basicType>11</basicType><basicID>CASHSAL</basicID><predefinedBasicID>11001</predefinedBasicID></basic></basics>\n",
    );
    for sale in sales {
        let time = sale.time('T');
        let (day, clock) = time.split_once('T').unwrap_or_default();
        text.push_str(&format!(
            "<cashtransaction><nr>{0}</nr><transID>{0}</transID><transType>CASHSAL</transType><transAmntIn>{1}</transAmntIn><transAmntEx>{1}</transAmntEx>\
             <amntTp>C</amntTp><empID>1</empID><periodNumber>2</periodNumber><transDate>{day}</transDate><transTime>{clock}</transTime>",
            sale.number,
            money(sale.total())
        ));
        for (number, line) in sale.lines.iter().enumerate() {
            text.push_str(&format!(
                "<ctLine><nr>{}</nr><lineID>{}</lineID><lineType>SAL</lineType><artGroupID>1</artGroupID><artID>{}</artID><qnt>{}</qnt>\
                 <lineAmntIn>{}</lineAmntIn><lineAmntEx>{}</lineAmntEx><amntTp>C</amntTp><lineDate>{day}</lineDate><lineTime>{clock}</lineTime></ctLine>",
                sale.number,
                number.saturating_add(1),
                line.sku,
                line.quantity,
                money(line.amount()),
                money(line.amount())
            ));
        }
        text.push_str("<signature>x</signature><keyVersion>1</keyVersion></cashtransaction>\n");
    }
    text.push_str("</cashregister></location></company></auditfile>\n");
    text.into_bytes()
}
