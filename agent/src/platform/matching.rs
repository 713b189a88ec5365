//! Which item of a shop is the POS's article: exact comparison, by SKU, barcode or both.

/// Which field of an item is the POS's article number. Compared exactly, letter case and leading zeros included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchBy {
    /// The SKU.
    #[default]
    Sku,
    /// The barcode.
    Barcode,
    /// The SKU; if no item has it, the barcode.
    SkuThenBarcode,
}

impl MatchBy {
    /// Whether SKUs are asked for.
    #[must_use]
    pub const fn by_sku(self) -> bool {
        matches!(self, Self::Sku | Self::SkuThenBarcode)
    }

    /// Whether barcodes are asked for.
    #[must_use]
    pub const fn by_barcode(self) -> bool {
        matches!(self, Self::Barcode | Self::SkuThenBarcode)
    }
}

/// What a search found, as far as matching goes.
pub(crate) trait Candidate {
    /// The platform's id of the thing that holds the stock.
    fn id(&self) -> &str;
    /// Its SKU, if it has one.
    fn sku(&self) -> Option<&str>;
    /// Its barcode, if it has one.
    fn barcode(&self) -> Option<&str>;
    /// Its title for people.
    fn title(&self) -> &str;
}

/// Which of the hits is the article.
#[derive(Debug)]
pub(crate) enum Pick<'a, T> {
    /// None.
    Nothing,
    /// This one.
    One(&'a T),
    /// Several, as `title (id)`.
    Several(Vec<String>),
}

/// Hits that share one id are one article: searches find more than was asked for, and find it twice.
pub(crate) fn pick<'a, T: Candidate>(match_by: MatchBy, code: &str, hits: &'a [T]) -> Pick<'a, T> {
    let by = |field: &dyn Fn(&'a T) -> Option<&'a str>| {
        let mut found: Vec<&'a T> = Vec::new();
        for hit in hits.iter().filter(|hit| field(hit) == Some(code)) {
            if found.iter().all(|known| known.id() != hit.id()) {
                found.push(hit);
            }
        }
        found
    };
    let mut found = Vec::new();
    if match_by.by_sku() {
        found = by(&|hit| hit.sku());
    }
    if found.is_empty() && match_by.by_barcode() {
        found = by(&|hit| hit.barcode());
    }
    match found.as_slice() {
        [] => Pick::Nothing,
        [one] => Pick::One(one),
        several => Pick::Several(several.iter().map(|hit| format!("{} ({})", hit.title(), hit.id())).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hit(&'static str, Option<&'static str>, Option<&'static str>);

    impl Candidate for Hit {
        fn id(&self) -> &str {
            self.0
        }
        fn sku(&self) -> Option<&str> {
            self.1
        }
        fn barcode(&self) -> Option<&str> {
            self.2
        }
        fn title(&self) -> &str {
            "Mug"
        }
    }

    fn check(match_by: MatchBy, code: &str, hits: &[Hit], expected: &str) {
        let found = match pick(match_by, code, hits) {
            Pick::Nothing => "nothing".to_owned(),
            Pick::One(hit) => hit.0.to_owned(),
            Pick::Several(several) => several.join(", "),
        };
        assert_eq!(found, expected, "{code}");
    }

    #[test]
    fn only_an_exact_match_is_the_article() {
        let hits = [Hit("1", Some("mug"), None), Hit("2", Some("MUG"), Some("4006381333931"))];
        check(MatchBy::Sku, "MUG", &hits, "2");
        check(MatchBy::Sku, "4006381333931", &hits, "nothing");
        check(MatchBy::Barcode, "4006381333931", &hits, "2");
        check(MatchBy::SkuThenBarcode, "4006381333931", &hits, "2");
        check(MatchBy::Sku, "Mug", &hits, "nothing");
    }

    #[test]
    fn two_items_with_one_sku_are_for_a_person() {
        let hits = [Hit("1", Some("MUG"), None), Hit("2", Some("MUG"), None), Hit("1", Some("MUG"), None)];
        check(MatchBy::Sku, "MUG", &hits, "Mug (1), Mug (2)");
    }
}
