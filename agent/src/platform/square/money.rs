//! Amounts in the smallest unit of a currency (ISO 4217), as Square has them.

/// Millionths of a major unit.
const MICROS: i64 = 1_000_000;

/// Digits after the point. What is not listed has two.
fn digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// Minor units; `None` if the price is finer than the currency, or negative.
pub(super) fn minor(micros: i64, currency: &str) -> Option<i64> {
    let unit = MICROS.checked_div(10_i64.checked_pow(digits(currency))?)?;
    (micros >= 0 && micros.checked_rem(unit)? == 0).then(|| micros / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_in_their_currency_or_none() {
        for (micros, currency, expected) in [
            (19_990_000, "USD", Some(1999)),
            (19_990_000, "JPY", None),
            (20_000_000, "JPY", Some(20)),
            (1_234_000, "KWD", Some(1234)),
            (1_234_000, "EUR", None),
            (0, "EUR", Some(0)),
            (-10_000, "EUR", None),
        ] {
            assert_eq!(minor(micros, currency), expected, "{micros} {currency}");
        }
    }
}
