//! The platform's search syntax, as far as a look-up of articles needs it.
//!
//! `sku:'A-1' OR sku:"B 2" OR barcode:4006381333931`: terms side by side must all match, `OR` starts another
//! group. Filters that the stand-in does not know match everything, as an ignored filter does on the platform.
//! <https://shopify.dev/docs/api/usage/search-syntax>

use std::collections::BTreeSet;

use super::stock::Stock;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: Option<String>,
    value: String,
}

/// A filter with a comparison, as `id:>4711` or `updated_at:>='2026-11-23T10:00:00Z'`. Only terms joined by `AND`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) name: String,
    compare: String,
    value: String,
}

impl Filter {
    /// Whether a number passes it.
    pub(crate) fn number_fits(&self, number: u64) -> bool {
        self.value.parse().is_ok_and(|wanted: u64| self.fits(&number, &wanted))
    }

    /// Whether a moment passes it: microseconds since 1970, compared by the second as the platform shows it.
    pub(crate) fn moment_fits(&self, at_us: i64) -> bool {
        let wanted = self.value.parse::<jiff::Timestamp>().ok();
        wanted.is_some_and(|wanted| self.fits(&at_us.div_euclid(1_000_000), &wanted.as_second()))
    }

    fn fits<T: Ord>(&self, given: &T, wanted: &T) -> bool {
        match self.compare.as_str() {
            ">" => given > wanted,
            ">=" => given >= wanted,
            "<" => given < wanted,
            "<=" => given <= wanted,
            _ => given == wanted,
        }
    }
}

/// The filters of a query whose terms all must match.
pub(crate) fn filters(query: &str) -> Vec<Filter> {
    let term = |text: &str| {
        let (name, rest) = text.split_once(':')?;
        let value = rest.trim_start_matches(['<', '>', '=']);
        let compare = rest.strip_suffix(value)?.to_owned();
        Some(Filter { name: name.to_owned(), compare, value: value.trim_matches(['\'', '"']).to_owned() })
    };
    query.split_whitespace().filter(|word| *word != "AND").filter_map(term).collect()
}

/// Indices of the items that match, in order of their making.
pub(crate) fn run(stock: &Stock, query: &str) -> BTreeSet<usize> {
    let everything = || (0..stock.items().len()).collect::<BTreeSet<usize>>();
    let groups = parse(query);
    if groups.iter().all(Vec::is_empty) {
        return everything();
    }
    let mut found = BTreeSet::new();
    for group in groups.iter().filter(|group| !group.is_empty()) {
        let mut hits: Option<BTreeSet<usize>> = None;
        for term in group {
            let matched = match term.field.as_deref() {
                Some("sku" | "barcode" | "title") | None => stock.search(&term.value),
                Some(_) => everything(),
            };
            hits = Some(hits.map_or_else(|| matched.clone(), |before| &before & &matched));
        }
        found.extend(hits.unwrap_or_default());
    }
    found
}

fn parse(query: &str) -> Vec<Vec<Term>> {
    let mut groups = vec![Vec::new()];
    let mut rest = query.chars().peekable();
    while let Some(next) = rest.peek().copied() {
        if next.is_whitespace() || matches!(next, '(' | ')') {
            rest.next();
            continue;
        }
        let (word, quoted) = word(&mut rest);
        if !quoted && word == "OR" {
            groups.push(Vec::new());
            continue;
        }
        if !quoted && word == "AND" {
            continue;
        }
        let term = if !quoted && rest.peek() == Some(&':') {
            rest.next();
            Term { field: Some(word), value: self::word(&mut rest).0 }
        } else {
            Term { field: None, value: word }
        };
        if let Some(group) = groups.last_mut() {
            group.push(term);
        }
    }
    groups
}

/// A bare word up to a space, bracket or colon, or a quoted one with its escapes undone.
fn word(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> (String, bool) {
    let mut text = String::new();
    let quote = rest.next_if(|c| matches!(c, '\'' | '"'));
    while let Some(next) = rest.peek().copied() {
        let ends = quote
            .map_or_else(|| next.is_whitespace() || matches!(next, '(' | ')') || (next == ':'), |quote| next == quote);
        if ends {
            if quote.is_some() || text.is_empty() {
                rest.next();
            }
            break;
        }
        rest.next();
        if next == '\\' {
            text.extend(rest.next());
        } else {
            text.push(next);
        }
    }
    (text, quote.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_compare_numbers_and_moments() {
        let filters = filters("id:>41 AND updated_at:>='2026-11-23T10:00:00Z'");
        assert!(filters[0].number_fits(42) && !filters[0].number_fits(41));
        assert!(filters[1].moment_fits(1_795_428_000_900_000) && !filters[1].moment_fits(1_795_427_999_999_999));
    }

    #[test]
    fn terms_quotes_and_escapes_are_read() {
        let term = |field: &str, value: &str| Term { field: Some(field.to_owned()), value: value.to_owned() };
        assert_eq!(
            parse(r#"sku:'A-1' OR (barcode:"4 5") OR sku:'it\'s'"#),
            [vec![term("sku", "A-1")], vec![term("barcode", "4 5")], vec![term("sku", "it's")]]
        );
        assert_eq!(parse("sku:A-1 location_id:7"), [vec![term("sku", "A-1"), term("location_id", "7")]]);
    }
}
