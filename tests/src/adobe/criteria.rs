//! `searchCriteria` of a query string: groups are joined by AND, filters of one group by OR.
//! <https://developer.adobe.com/commerce/webapi/rest/use-rest/performing-searches/>

use std::collections::BTreeMap;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Filter {
    pub(crate) field: String,
    pub(crate) value: String,
    pub(crate) condition: String,
}

/// What is searched for, and which page of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Criteria {
    pub(crate) groups: Vec<Vec<Filter>>,
    pub(crate) page_size: Option<usize>,
    pub(crate) current_page: usize,
}

/// Reads a query string; `None` if it holds something else.
pub(crate) fn read(query: &str) -> Option<Criteria> {
    let mut criteria = Criteria { current_page: 1, ..Criteria::default() };
    let mut groups: BTreeMap<usize, BTreeMap<usize, Filter>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name == "fields" {
            continue;
        }
        let parts: Vec<&str> = name.strip_prefix("searchCriteria[")?.strip_suffix(']')?.split("][").collect();
        match parts.as_slice() {
            ["pageSize"] => criteria.page_size = Some(value.parse().ok()?),
            ["currentPage"] => criteria.current_page = value.parse().ok()?,
            ["sortOrders", _, "field" | "direction"] => {}
            ["filterGroups", group, "filters", filter, what] => {
                let filter = groups.entry(group.parse().ok()?).or_default().entry(filter.parse().ok()?).or_default();
                let slot = match *what {
                    "field" => &mut filter.field,
                    "value" => &mut filter.value,
                    "conditionType" => &mut filter.condition,
                    _ => return None,
                };
                *slot = value.into_owned();
            }
            _ => return None,
        }
    }
    criteria.groups = groups.into_values().map(|filters| filters.into_values().collect()).collect();
    Some(criteria)
}

impl Criteria {
    /// Whether something whose fields `look` tells is wanted; a field that it does not have fits nothing.
    pub(crate) fn fits(&self, look: impl Fn(&str) -> Option<String>) -> bool {
        self.groups
            .iter()
            .all(|filters| filters.iter().any(|filter| look(&filter.field).is_some_and(|found| filter.fits(&found))))
    }

    /// The wanted page. Behind the last one the last one comes again, as collections do.
    pub(crate) fn page<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let size = self.page_size.unwrap_or(all.len()).max(1);
        let last = all.len().div_ceil(size).max(1);
        let page = self.current_page.clamp(1, last) - 1;
        all.chunks(size).nth(page).unwrap_or_default()
    }
}

impl Filter {
    /// Articles are compared as its database does: without regard to letter case.
    fn fits(&self, found: &str) -> bool {
        let equal = |value: &str| value.eq_ignore_ascii_case(found);
        match self.condition.as_str() {
            "in" => self.value.split(',').any(equal),
            "gteq" => found >= self.value.as_str(),
            "eq" | "" => equal(&self.value),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_pages_are_read() {
        let query = "searchCriteria[filterGroups][0][filters][0][field]=sku&searchCriteria[filterGroups][0][filters][0][value]=a%2CB\
                     &searchCriteria[filterGroups][0][filters][0][conditionType]=in&searchCriteria[pageSize]=2&searchCriteria[currentPage]=9";
        let criteria = read(query).unwrap();
        let fits = |sku: &str| criteria.fits(|field| (field == "sku").then(|| sku.to_owned()));
        assert!(fits("A") && fits("b") && !fits("c"));
        assert_eq!(criteria.page(&[1, 2, 3, 4, 5]), [5]);
        assert_eq!(read("page=3"), None);
    }
}
