//! Made-up sales as printers and journal ports get them.

use super::{Sale, money};

/// ESC/POS with columns made by absolute positions, a logo, a barcode and a cut.
pub(super) fn escpos(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for sale in sales {
        bytes.extend(b"\x1b@\x1bt\x02\x1ba\x01\x1dv0\x00\x04\x00\x08\x00");
        bytes.extend([0x5a; 32]);
        bytes.extend(b"\x1d!\x11CORNER SHOP\x1d!\x00\n\x1ba\x00");
        bytes.extend(format!("Ticket {}  Register {}  {}\n", sale.number, sale.register, sale.time(' ')).into_bytes());
        for line in &sale.lines {
            bytes.extend(line.name.as_bytes());
            bytes.extend(b"\x1b$\x50\x01");
            bytes.extend(format!("{} x {}", line.quantity, money(line.price)).into_bytes());
            bytes.extend(b"\x1b$\xa8\x01");
            bytes.extend(format!("{:>7}\n", money(line.amount())).into_bytes());
        }
        bytes.extend(format!("\u{1b}E\u{1}TOTAL{:>31}\u{1b}E\u{0}\n", money(sale.total())).into_bytes());
        bytes.extend(format!("\u{1d}kE\u{6}{:06}\n\u{1b}d\u{3}", sale.number.rem_euclid(1_000_000)).into_bytes());
        bytes.extend(b"\x1dV\x42\x00\x1bp\x00\x19\xfa");
    }
    bytes
}

/// Star line mode.
pub(super) fn star(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for sale in sales {
        bytes.extend(b"\x1b@\x1b\x1dt\x04\x1b\x1da\x01\x1bi\x01\x01CORNER SHOP\x1bi\x00\x00\n\x1b\x1da\x00");
        bytes.extend(format!("Ticket {}  Register {}  {}\n", sale.number, sale.register, sale.time(' ')).into_bytes());
        for line in &sale.lines {
            bytes.extend(line.name.as_bytes());
            bytes.extend(b"\x1b\x1dA\x50\x01");
            bytes.extend(format!("{} x {}", line.quantity, money(line.price)).into_bytes());
            bytes.extend(b"\x1b\x1dA\xa8\x01");
            bytes.extend(format!("{:>7}\n", money(line.amount())).into_bytes());
        }
        bytes.extend(format!("\u{1b}ETOTAL{:>31}\u{1b}F\n", money(sale.total())).into_bytes());
        bytes.extend(b"\x1bd\x02\x07");
    }
    bytes
}

/// A journal port with marks round each ticket and after each line, as the trial of it expects.
pub(super) fn journal(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut text = String::new();
    for sale in sales {
        text.push_str(&format!(
            "\u{1b}c0\u{1}\u{1b}!\u{0}<<{} ST#1  DR#{} TRAN#{}|",
            sale.time(' '),
            sale.register,
            sale.number
        ));
        for line in &sale.lines {
            text.push_str(&format!(
                "\u{1b}c0\u{1}\u{1b}!\u{0}{} L {:>20} {:>3} {:>10}|",
                sale.time(' '),
                line.name,
                line.quantity,
                money(line.amount())
            ));
        }
        text.push_str(&format!(
            "\u{1b}c0\u{1}\u{1b}!\u{0}{} {:>26} {:>10}>>\n",
            sale.time(' '),
            "TOTAL",
            money(sale.total())
        ));
    }
    text.into_bytes()
}

/// Lines of text, a form feed after each ticket.
pub(super) fn plain(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut text = String::new();
    for sale in sales {
        text.push_str(&format!(
            "CORNER SHOP\r\nTicket {}  Register {}\r\n{}\r\n",
            sale.number,
            sale.register,
            sale.time(' ')
        ));
        for line in &sale.lines {
            text.push_str(&format!(
                "{:<20} {:>3} x {:>6} {:>8}\r\n",
                line.name,
                line.quantity,
                money(line.price),
                money(line.amount())
            ));
        }
        text.push_str(&format!("TOTAL {:>34}\r\n\u{c}", money(sale.total())));
    }
    text.into_bytes()
}

/// The same journal as a till sends it that was told of no marks: a line feed after each line.
pub(super) fn tickets(sales: impl Iterator<Item = Sale>) -> Vec<u8> {
    let mut text = String::new();
    for sale in sales {
        let stamp = format!(
            "\u{1b}c0\u{1}\u{1b}!\u{0}02/{:02}/26 10:00:00 {:03}",
            sale.number.rem_euclid(28).saturating_add(1),
            sale.register
        );
        for line in &sale.lines {
            text.push_str(&format!(
                "{stamp} L  {:>19} {:>3} {:>11} \n",
                line.name,
                line.quantity,
                money(line.amount())
            ));
        }
        text.push_str(&format!("{stamp} {:>27} {:>11} \n", "TOTAL", money(sale.total())));
        text.push_str(&format!("{stamp} {:>27} {:>11} \n", "CASH", money(sale.total())));
        text.push_str(&format!("{stamp} ST#1                   DR#1 TRAN#{:07}{stamp} CSH: ANY\n", sale.number));
    }
    text.into_bytes()
}
