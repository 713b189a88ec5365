//! The path of a source: a fixed folder and patterns below it. Pure; `*` and `?` do not cross folders.

use std::path::{Component, Path, PathBuf};

/// A file, a folder, or a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PathPattern {
    /// The part without `*` and `?`.
    pub(crate) fixed: PathBuf,
    /// The components from the first one with `*` or `?` on; empty for a plain path.
    pub(crate) below: Vec<String>,
}

impl PathPattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("is empty; write the file, folder or pattern to read".to_owned());
        }
        if text.contains("**") {
            return Err("`**` is not supported; write one `*` for each level of folders".to_owned());
        }
        let mut pattern = Self::default();
        for component in Path::new(text).components() {
            let name = component.as_os_str().to_string_lossy();
            let wild = name.contains(['*', '?']) && !matches!(component, Component::Prefix(_));
            if wild || !pattern.below.is_empty() {
                pattern.below.push(name.into_owned());
            } else {
                pattern.fixed.push(component);
            }
        }
        Ok(pattern)
    }
}

/// Whether a name fits a pattern; letter case matters, as on the file systems of tills on Linux.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(n) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p = p.saturating_add(1);
            }
            Some(wanted) if *wanted == '?' || same(*wanted, *c) => {
                p = p.saturating_add(1);
                n = n.saturating_add(1);
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from.saturating_add(1)));
                    p = at.saturating_add(1);
                    n = from.saturating_add(1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

fn same(a: char, b: char) -> bool {
    a == b || (cfg!(windows) && a.to_lowercase().eq(b.to_lowercase()))
}

/// Names that programs give to files they are still writing.
pub(crate) fn is_temporary(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(['.', '~'])
        || [".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", ".lck", ".lock", ".swp"]
            .iter()
            .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_fit_within_one_name() {
        for (pattern, name, fits) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csv.1", false),
            ("j????.jsonl", "j0412.jsonl", true),
            ("*a*b*", "xxaxxbx", true),
            ("a", "b", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn the_fixed_part_ends_before_the_first_star() {
        let pattern = PathPattern::new("/var/pos/reg*/day-*.csv").unwrap();
        assert_eq!(
            (pattern.fixed, pattern.below),
            (PathBuf::from("/var/pos"), vec!["reg*".to_owned(), "day-*.csv".to_owned()])
        );
    }
}
