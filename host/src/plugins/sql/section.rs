//! The texts that a component carries: what the SDK's `sql!` wrote into the custom section `stoa:sql` of its modules.
//!
//! Each text is its length as four bytes, little endian, and its UTF-8 bytes; sections of several object files follow
//! each other. Used by the host, and by `cargo xtask build`, which takes this very file: it names nothing of either.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The section.
const NAME: &str = "stoa:sql";
/// Modules and components lie in components; deeper than this there is nothing of ours.
const DEPTH: usize = 4;

/// Every text once, in order; `None` when the bytes are no component, or the section is torn.
pub(crate) fn texts(component: &[u8]) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    collect(component, 0, &mut found)?;
    Some(found)
}

/// `sql.json`: the texts in order, each with what it does.
pub(crate) fn listing(texts: &BTreeSet<String>) -> Value {
    let listed = texts.iter().map(|text| {
        let first = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        // A write has neither WITH nor SELECT: a host refuses it.
        let kind = match first.as_str() {
            "select" | "with" | "values" => Some("read"),
            "insert" | "replace" | "update" | "delete" => Some("write"),
            _ => None,
        };
        match kind {
            Some(kind) => json!({ "text": text, "kind": kind }),
            None => json!({ "text": text }),
        }
    });
    json!({ "v": 1, "texts": listed.collect::<Vec<_>>() })
}

fn collect(binary: &[u8], depth: usize, found: &mut BTreeSet<String>) -> Option<()> {
    const CUSTOM: u8 = 0;
    const CORE_MODULE: u8 = 1;
    const COMPONENT: u8 = 4;
    let (preamble, mut rest) = binary.split_at_checked(8)?;
    if !preamble.starts_with(b"\0asm") {
        return None;
    }
    // The third pair of bytes tells a component from a module.
    let is_component = preamble.get(6) == Some(&1);
    while let Some((kind, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let (content, after) = after.split_at_checked(length)?;
        rest = after;
        match *kind {
            CUSTOM => {
                let (length, named) = number(content)?;
                let (name, data) = named.split_at_checked(length)?;
                if name == NAME.as_bytes() {
                    split(data, found)?;
                }
            }
            CORE_MODULE | COMPONENT if is_component && depth < DEPTH => collect(content, depth + 1, found)?,
            _ => {}
        }
    }
    Some(())
}

fn split(mut data: &[u8], found: &mut BTreeSet<String>) -> Option<()> {
    while let Some((length, after)) = data.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (text, after) = after.split_at_checked(length)?;
        found.insert(std::str::from_utf8(text).ok()?.to_owned());
        data = after;
    }
    data.is_empty().then_some(())
}

/// A LEB128 number of 32 bits, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(kind: u8, content: &[u8]) -> Vec<u8> {
        assert!(content.len() < 128);
        [&[kind, content.len().try_into().unwrap()], content].concat()
    }

    fn sql(texts: &[&str]) -> Vec<u8> {
        let mut content = [b"\x08", NAME.as_bytes()].concat();
        for text in texts {
            content.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            content.extend(text.as_bytes());
        }
        section(0, &content)
    }

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const WHOLE: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn texts_of_all_modules_and_sections_are_found_once() {
        let module =
            [MODULE, &section(0, b"\x04nameabc"), &sql(&["select 1", "select 2"]), &sql(&["select 1"])]
                .concat();
        let other = [MODULE, &sql(&["select 'ß'"])].concat();
        let nested = [WHOLE, &section(1, &other)].concat();
        let component = [WHOLE, &section(1, &module), &section(4, &nested)].concat();
        let found = texts(&component).unwrap();
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            ["select 'ß'", "select 1", "select 2"]
        );
        assert_eq!(texts(WHOLE), Some(BTreeSet::new()));
        // A section of a module is not taken for a nested module.
        assert_eq!(texts(&[MODULE, &section(1, b"types")].concat()), Some(BTreeSet::new()));
    }

    #[test]
    fn a_listing_says_what_each_text_does() {
        let texts = ["delete from t", "explain select 1", "select 1"].map(str::to_owned);
        let listed = listing(&texts.into());
        let kinds: Vec<_> =
            listed["texts"].as_array().unwrap().iter().map(|text| text["kind"].clone()).collect();
        assert_eq!(kinds, [json!("write"), Value::Null, json!("read")]);
    }

    #[test]
    fn torn_bytes_are_refused() {
        let whole = [WHOLE, &section(1, &[MODULE, &sql(&["select 1"])].concat())].concat();
        assert!(texts(&whole).is_some());
        for end in 0..whole.len() {
            if end != WHOLE.len() {
                assert_eq!(texts(&whole[..end]), None, "{end}");
            }
        }
        assert_eq!(texts(b"no component"), None);
        assert_eq!(texts(&[WHOLE, &[0, 0xff, 0xff, 0xff, 0xff, 0xff]].concat()), None);
    }
}
