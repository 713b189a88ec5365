//! The ways in which tills lay out a line, each as the rows of a template. Data only.

use super::super::template::{Applies, RowKind, RowRule};

/// One way: rows of a template, in order: kind, patterns, and which line they are about.
type Layout = &'static [(RowKind, &'static [&'static str], Applies)];

/// All ways, the ones that tell more first.
pub(super) const LAYOUTS: &[Layout] = &[
    // One row a line, with everything.
    &[(RowKind::Item, &["{sku:4-14} {name} {qty} (x|X|@|*) {price} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{sku:4-14} {name} {qty} {price} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{name} {qty}[ ](x|X|@|*)[ ]{price} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{name} {price} (x|X|@|*)[ ]{qty} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{name} {qty} {price} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{name} {price} {qty} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{qty} {name} {price} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{sku:4-14} {name} {qty} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{qty}[ ](x|X|*) {name} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{name} (x|X){qty} {amount}[ {flag}]"], Applies::Next)],
    // Two rows: name, then numbers; a single piece may stand in one.
    &[
        (
            RowKind::Item,
            &[
                "{sku:4-14} {qty}[ ](x|X|@|*)[ ]{price} {amount}[ {flag}]",
                "{sku:4-14} {weight}[ ]{unit}[ ](x|X|@|*)[ ]{price}[ ][/][ ][{unit}] {amount}[ {flag}]",
            ],
            Applies::Next,
        ),
        (RowKind::Name, &["{name}"], Applies::Next),
    ],
    &[
        (
            RowKind::Item,
            &[
                "{qty}[ ](x|X|@|*)[ ]{price} {amount}[ {flag}]",
                "{weight}[ ]{unit}[ ](x|X|@|*)[ ]{price}[ ][/][ ][{unit}] {amount}[ {flag}]",
            ],
            Applies::Next,
        ),
        (RowKind::Item, &["{sku:4-14} {name} {amount}[ {flag}]"], Applies::Next),
        (RowKind::Name, &["{sku:4-14} {name}"], Applies::Next),
    ],
    &[
        (
            RowKind::Item,
            &[
                "{qty}[ ](x|X|@|*)[ ]{price} {amount}[ {flag}]",
                "{weight}[ ]{unit}[ ](x|X|@|*)[ ]{price}[ ][/][ ][{unit}] {amount}[ {flag}]",
            ],
            Applies::Next,
        ),
        (RowKind::Item, &["{name} {amount}[ {flag}]"], Applies::Next),
        (RowKind::Name, &["{name}"], Applies::Next),
    ],
    &[
        (RowKind::Item, &["{qty} {price} {amount}[ {flag}]"], Applies::Next),
        (RowKind::Name, &["{name}"], Applies::Next),
    ],
    // Name and amount, with the pieces in the row above or below.
    &[
        (
            RowKind::Quantity,
            &["{qty}[ ](x|X|@|*)[ ]{price}", "{weight}[ ]{unit}[ ](x|X|@|*)[ ]{price}[ ][/][ ][{unit}]"],
            Applies::Next,
        ),
        (RowKind::Item, &["{sku:6-14} {name} {amount}[ {flag}]"], Applies::Next),
    ],
    &[
        (
            RowKind::Quantity,
            &["{qty}[ ](x|X|@|*)[ ]{price}", "{weight}[ ]{unit}[ ](x|X|@|*)[ ]{price}[ ][/][ ][{unit}]"],
            Applies::Next,
        ),
        (RowKind::Item, &["{name} {amount}[ {flag}]"], Applies::Next),
    ],
    &[
        (
            RowKind::Quantity,
            &["{qty}[ ](x|X|@|*)[ ]{price}", "{weight}[ ]{unit}[ ](x|X|@|*)[ ]{price}[ ][/][ ][{unit}]"],
            Applies::Previous,
        ),
        (RowKind::Item, &["{name} {amount}[ {flag}]"], Applies::Next),
    ],
    // Columns without a price.
    &[(RowKind::Item, &["{name} {qty} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{qty} {name} {amount}[ {flag}]"], Applies::Next)],
    &[(RowKind::Item, &["{name}[ {fill}] {amount}[ {flag}]"], Applies::Next)],
];

/// A layout as rows of a template.
pub(super) fn rules(layout: Layout) -> Vec<RowRule> {
    let rule = |(is, patterns, applies): &(RowKind, &[&str], Applies)| RowRule {
        is: *is,
        patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
        columns: false,
        sign: None,
        applies: (*is == RowKind::Quantity).then_some(*applies),
        no_stock: None,
    };
    layout.iter().map(rule).collect()
}
