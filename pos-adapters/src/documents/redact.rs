//! What may be kept of a transaction that cannot be read (invariant 12): element names, and the texts of elements that
//! a format lists. Works on broken XML too. Pure.

use super::xml::local;
use crate::QUARANTINE_BYTES_MAX;

/// Stands for a text that is not kept.
const HIDDEN: &str = "***";

/// The record as it may be kept.
pub(crate) fn redact(record: &[u8], public: &[&str]) -> String {
    let record = record.get(..record.len().min(QUARANTINE_BYTES_MAX)).unwrap_or_default();
    let text = String::from_utf8_lossy(record);
    let mut out = String::with_capacity(text.len());
    let mut shown = false;
    for (at, part) in text.split('<').enumerate() {
        let (tag, after) = if at == 0 { ("", part) } else { part.split_once('>').unwrap_or((part, "")) };
        if at > 0 {
            shown = write_tag(tag, public, &mut out);
        }
        let after = after.trim();
        if !after.is_empty() {
            out.push_str(if shown { after } else { HIDDEN });
        }
        if out.len() >= QUARANTINE_BYTES_MAX {
            break;
        }
    }
    out.truncate(out.floor_char_boundary(QUARANTINE_BYTES_MAX));
    out
}

/// Writes a tag with its public attributes; tells whether the text after it may be shown.
fn write_tag(tag: &str, public: &[&str], out: &mut String) -> bool {
    let closing = tag.strip_prefix('/');
    let inner = closing.unwrap_or(tag);
    let end = inner.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(inner.len());
    let (name, rest) = inner.split_at_checked(end).unwrap_or((inner, ""));
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, ':' | '_' | '-' | '.'));
    let name = if plain { local(name) } else { HIDDEN };
    out.push('<');
    if closing.is_some() {
        out.push('/');
    }
    out.push_str(name);
    for wanted in public {
        if rest.contains(wanted)
            && let Some(value) = super::xml::attribute(rest.trim_end_matches('/'), wanted)
        {
            out.extend([" ", wanted, "=\"", &value, "\""]);
        }
    }
    if rest.trim_end().ends_with('/') {
        out.push('/');
    }
    out.push('>');
    closing.is_none() && plain && public.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_texts_and_attributes_are_kept() {
        let record = br#"<T><Op x:Name="Jo Doe">7</Op><Qty VoidFlag="true" Birthdate="1">2</Qty> Jo <a:Qty/><Sign>4111 <!-- Jo -->"#;
        assert_eq!(
            redact(record, &["Qty", "VoidFlag"]),
            r#"<T><Op>***</Op><Qty VoidFlag="true">2</Qty>***<Qty/><Sign>***<***>"#
        );
    }

    #[test]
    fn it_is_never_longer_than_the_limit() {
        assert!(redact("<a>é".repeat(QUARANTINE_BYTES_MAX).as_bytes(), &["a"]).len() <= QUARANTINE_BYTES_MAX);
    }
}
