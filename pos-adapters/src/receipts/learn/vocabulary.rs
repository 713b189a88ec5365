//! Words that tills print, by what they mean, in the languages of the shops that are likely to ask. Data only.

use super::super::template::RowKind;

/// Labels in front of an amount; lower case, without punctuation at their end.
pub(super) const AMOUNT_LABELS: &[(RowKind, &[&str])] = &[
    (
        RowKind::Subtotal,
        &[
            "subtotal", "sub total", "sub-total", "subtot", "zwischensumme", "sous-total", "sous total", "subtotale",
            "subtotaal", "netto summe",
        ],
    ),
    (
        RowKind::Total,
        &[
            "total", "total due", "amount due", "balance", "balance due", "grand total", "to pay", "summe", "gesamt",
            "gesamtsumme", "gesamtbetrag", "zu zahlen", "total ttc", "a payer", "à payer", "totale", "totale complessivo",
            "totaal", "te betalen", "total a pagar", "importe total", "suma", "razem", "att betala", "sum",
        ],
    ),
    (
        RowKind::Tax,
        &[
            "tax", "sales tax", "vat", "gst", "hst", "pst", "mwst", "ust", "inkl mwst", "tva", "iva", "btw", "moms",
            "ptu", "incl. vat", "enth. mwst", "local tax", "a local tax",
        ],
    ),
    (
        RowKind::Tender,
        &[
            "cash", "card", "credit", "debit", "credit card", "debit card", "visa", "mastercard", "amex", "maestro",
            "check", "cheque", "voucher", "gift card", "ebt", "paid", "tendered", "eftpos", "contactless", "bar", "gegeben",
            "karte", "kartenzahlung", "ec-karte", "ec-cash", "girocard", "kreditkarte", "gutschein", "especes", "espèces",
            "carte", "carte bancaire", "cb", "efectivo", "tarjeta", "contanti", "carta", "pagamento contante",
            "pagamento elettronico", "contant", "pin", "gotowka", "karta", "kontant", "kort", "swish",
        ],
    ),
    (
        RowKind::Change,
        &[
            "change", "change due", "rückgeld", "rueckgeld", "zurück", "zurueck", "rendu", "rendu monnaie", "cambio", "resto",
            "wisselgeld", "reszta", "växel", "tilbake", "vuelto",
        ],
    ),
    (
        RowKind::Charge,
        &["service charge", "service", "tip", "gratuity", "rounding", "rundung", "arrondi", "delivery fee", "trinkgeld"],
    ),
    (
        RowKind::Discount,
        &[
            "discount", "saving", "savings", "multibuy", "multi-buy", "offer", "coupon", "promotion", "promo", "rabatt",
            "nachlass", "aktion", "remise", "descuento", "sconto", "korting", "rabat", "loyalty discount",
        ],
    ),
    (
        RowKind::Deposit,
        &["deposit", "bottle deposit", "bottle refund", "crv", "pfand", "leergut", "consigne", "statiegeld", "pant", "kaucja"],
    ),
    (RowKind::ZTotal, &["net sales", "sales total", "umsatz", "ventes", "ventas", "vendite", "omzet"]),
];

/// Words in front of the name of a line that is taken back or came back.
pub(super) const LINE_WORDS: &[(RowKind, &[&str])] = &[
    (RowKind::Void, &["void", "voided item", "item void", "storno", "annulation", "annul", "anulacion", "correction"]),
    (RowKind::Return, &["refund", "return", "retoure", "rückgabe", "retour", "devolucion", "reso", "retur"]),
];

/// Rows without an amount: titles and marks; lower case, without the stars around them.
pub(super) const TITLES: &[(RowKind, &[&str])] = &[
    (
        RowKind::Reprint,
        &["reprint", "copy", "duplicate", "duplicate receipt", "duplikat", "kopie", "duplicata", "copia", "nachdruck"],
    ),
    (RowKind::Training, &["training", "training mode", "schulung", "trainingsmodus", "formation", "not a receipt"]),
    (RowKind::NoSale, &["no sale", "nullbon", "drawer open", "kassenlade", "open drawer"]),
    (RowKind::XReport, &["x report", "x-report", "x-bericht", "rapport x"]),
    (RowKind::ZReport, &["z report", "z-report", "z-bericht", "tagesabschluss", "rapport z", "end of day"]),
    (
        RowKind::VoidTicket,
        &["void ticket", "ticket voided", "transaction voided", "void transaction", "bonstorno", "sale cancelled"],
    ),
    (RowKind::ErrorCorrect, &["error correct", "void last", "sofortstorno", "storno", "item void", "void", "correction"]),
    (RowKind::ReturnTicket, &["refund receipt", "refund", "return", "rückgabe", "retoure", "avoir"]),
    (RowKind::Kitchen, &["kitchen", "kitchen order", "new order", "küche", "bar order"]),
    (RowKind::Proforma, &["proforma", "guest check", "pre-bill", "preview", "zwischenrechnung", "addition"]),
    (RowKind::Gift, &["gift receipt", "geschenkbon", "ticket cadeau"]),
    (RowKind::Quote, &["quote", "quotation", "angebot", "devis"]),
    (RowKind::CardSlip, &["merchant copy", "customer copy", "händlerbeleg", "kundenbeleg", "card payment", "kartenbeleg"]),
];

/// First words of rows about people.
pub(super) const PEOPLE: &[(RowKind, &[&str])] = &[
    (
        RowKind::Cashier,
        &["cashier", "operator", "clerk", "served", "server", "bediener", "kassierer", "caissier", "cajero", "operatore", "csh"],
    ),
    (RowKind::Customer, &["customer", "kunde", "client", "cliente", "address", "phone", "tel", "debt", "member"]),
    (RowKind::Card, &["auth", "aid", "ref", "pan", "terminal-id", "trace", "acct"]),
    (RowKind::Loyalty, &["points", "loyalty", "punkte", "bonuspunkte"]),
];

/// Labels in front of a whole number.
pub(super) const COUNT_LABELS: &[(RowKind, &[&str])] = &[
    (
        RowKind::ItemCount,
        &["items", "item count", "items count", "items sold", "number of items", "artikel", "posten", "articles", "anzahl", "pezzi"],
    ),
    (RowKind::ZCount, &["tickets", "receipts", "transactions", "belege", "bons", "kunden"]),
];

/// Words by which a number is the ticket's.
pub(super) const NUMBER_WORDS: &[&str] = &[
    "ticket", "receipt", "bon", "beleg", "trans", "tran", "transaction", "no", "nr", "invoice", "rechnung", "order", "check",
    "facture", "factura", "scontrino", "bonnr", "belegnr", "sale",
];

/// Words by which a number is the register's.
pub(super) const REGISTER_WORDS: &[&str] =
    &["till", "reg", "register", "kasse", "caisse", "caja", "cassa", "kassa", "terminal", "lane", "pos", "drawer", "dr", "term"];

/// Currency marks.
pub(super) const CURRENCIES: &[&str] = &["$", "€", "£", "EUR", "USD", "GBP", "CHF", "kr", "zł", "R$", "SEK", "NOK", "DKK", "Fr."];
