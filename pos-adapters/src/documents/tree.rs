//! One transaction element as a tree: names without prefixes, texts with their entities resolved. Pure.
//!
//! Well-formedness is checked here; depth and number of elements are bounded, so that what follows may walk freely.

use std::borrow::Cow;

use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::xml::{self, DEPTH_MAX};

/// Most elements of one transaction.
pub(crate) const ELEMENTS_MAX: usize = 400_000;

/// The elements of a transaction, in the order in which they begin.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
}

#[derive(Debug)]
struct Node<'a> {
    name: &'a str,
    attributes: &'a str,
    text: Cow<'a, str>,
    /// The node after the last one below this.
    end: usize,
}

impl<'a> Tree<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// Why it is not well-formed, or which limit it exceeds.
    pub(crate) fn read(record: &'a str) -> Result<Self, String> {
        let mut reader = Reader::from_str(record);
        reader.config_mut().expand_empty_elements = true;
        let mut nodes: Vec<Node<'a>> = Vec::with_capacity(64);
        let mut open: Vec<usize> = Vec::with_capacity(16);
        let mut at = 0;
        loop {
            let event = reader.read_event().map_err(|fault| format!("is not well-formed: {fault}"))?;
            let next = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            match event {
                Event::Start(_) | Event::Empty(_) => {
                    if open.len() >= DEPTH_MAX || nodes.len() >= ELEMENTS_MAX {
                        return Err(format!(
                            "is nested deeper than {DEPTH_MAX} elements or has more than {ELEMENTS_MAX}"
                        ));
                    }
                    let tag = record.get(at..next).unwrap_or_default();
                    let tag = tag.strip_prefix('<').unwrap_or(tag);
                    let tag = tag.strip_suffix('>').unwrap_or(tag);
                    let tag = tag.strip_suffix('/').unwrap_or(tag);
                    let (name, attributes) = tag.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((tag, ""));
                    open.push(nodes.len());
                    nodes.push(Node { name: xml::local(name), attributes, text: Cow::Borrowed(""), end: 0 });
                }
                Event::End(_) => {
                    let end = nodes.len();
                    if let Some(node) = open.pop().and_then(|index| nodes.get_mut(index)) {
                        node.end = end;
                    }
                }
                Event::Text(text) => add(&mut nodes, &open, text.into_inner()),
                Event::CData(data) => add(&mut nodes, &open, data.into_inner()),
                Event::GeneralRef(reference) => {
                    let c = match reference.resolve_char_ref() {
                        Ok(Some(c)) => c,
                        Ok(None) => match reference.into_inner().as_ref() {
                            "amp" => '&',
                            "lt" => '<',
                            "gt" => '>',
                            "quot" => '"',
                            "apos" => '\'',
                            name => return Err(format!("uses the entity `{name}`, which is refused")),
                        },
                        Err(fault) => return Err(format!("is not well-formed: {fault}")),
                    };
                    add(&mut nodes, &open, Cow::Owned(c.to_string()));
                }
                Event::DocType(_) => return Err("has a document type declaration, which is refused".to_owned()),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
            at = next;
        }
        if !open.is_empty() || nodes.is_empty() {
            return Err("is not well-formed: it does not end".to_owned());
        }
        Ok(Self { nodes })
    }

    /// The transaction element itself.
    pub(crate) const fn root(&self) -> Element<'_> {
        Element { nodes: self.nodes.as_slice(), index: 0 }
    }
}

fn add<'a>(nodes: &mut [Node<'a>], open: &[usize], text: Cow<'a, str>) {
    let Some(node) = open.last().and_then(|index| nodes.get_mut(*index)) else {
        return;
    };
    if node.text.trim_ascii_start_is_empty() {
        node.text = text;
    } else {
        node.text.to_mut().push_str(&text);
    }
}

trait Blank {
    fn trim_ascii_start_is_empty(&self) -> bool;
}

impl Blank for Cow<'_, str> {
    fn trim_ascii_start_is_empty(&self) -> bool {
        self.as_bytes().iter().all(u8::is_ascii_whitespace)
    }
}

/// One element of a tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'t> {
    nodes: &'t [Node<'t>],
    index: usize,
}

impl<'t> Element<'t> {
    fn node(self) -> Option<&'t Node<'t>> {
        self.nodes.get(self.index)
    }

    /// Its name without prefix.
    pub(crate) fn name(self) -> &'t str {
        self.node().map_or("", |node| node.name)
    }

    /// Its own text, trimmed.
    pub(crate) fn text(self) -> &'t str {
        self.node().map_or("", |node| node.text.trim())
    }

    /// An attribute by its name without prefix.
    pub(crate) fn attribute(self, name: &str) -> Option<String> {
        let attributes = self.node()?.attributes;
        if attributes.is_empty() { None } else { xml::attribute(attributes, name) }
    }

    /// Whether an attribute says yes.
    pub(crate) fn flag(self, name: &str) -> bool {
        self.attribute(name).is_some_and(|value| is_yes(&value))
    }

    /// The elements right below.
    pub(crate) fn children(self) -> impl Iterator<Item = Element<'t>> {
        let end = self.node().map_or(0, |node| node.end);
        let mut next = self.index.saturating_add(1);
        let nodes = self.nodes;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let child = Element { nodes, index: next };
            next = nodes.get(next).map_or(end, |node| node.end);
            Some(child)
        })
    }

    /// The first element of a name right below.
    pub(crate) fn child(self, name: &str) -> Option<Self> {
        self.children().find(|child| child.name() == name)
    }

    /// The text of a child; `None` if it is missing or empty.
    pub(crate) fn text_of(self, name: &str) -> Option<&'t str> {
        self.child(name).map(Element::text).filter(|text| !text.is_empty())
    }
}

/// Words that mean yes.
pub(crate) fn is_yes(word: &str) -> bool {
    matches!(word.trim(), "true" | "True" | "TRUE" | "1" | "yes" | "Yes" | "YES")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_prefix_and_texts_their_entities() {
        let tree =
            Tree::read(r#"<a:T x:Flag="true" n="a&amp;b"><b> 1 </b><c/><b>&lt;2&#65;<![CDATA[&]]></b></a:T>"#).unwrap();
        let root = tree.root();
        assert_eq!((root.name(), root.flag("Flag"), root.attribute("n").as_deref()), ("T", true, Some("a&b")));
        let texts: Vec<_> = root.children().map(|child| (child.name(), child.text())).collect();
        assert_eq!(texts, [("b", "1"), ("c", ""), ("b", "<2A&")]);
        assert_eq!((root.text_of("c"), root.text_of("b")), (None, Some("1")));
    }

    #[test]
    fn what_is_not_well_formed_or_has_own_entities_is_refused() {
        for (record, expected) in [
            ("<a><b></a>", "not well-formed"),
            ("<a>&lol;</a>", "entity `lol`"),
            ("<a>", "does not end"),
            ("<!DOCTYPE a><a/>", "document type"),
        ] {
            let reason = Tree::read(record).unwrap_err();
            assert!(reason.contains(expected), "{record}: {reason}");
        }
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        assert!(Tree::read(&deep).unwrap_err().contains("nested deeper"));
    }
}
