//! `trim` with a set of characters, in linear time.

use std::collections::HashSet;

/// Where characters are taken away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ends {
    Left,
    Right,
    Both,
}

/// Longest character in UTF-8. What looks longer in a broken text stands for nothing.
const LONGEST: usize = 4;

/// The characters of a set: those of one byte in a table, the others by their length.
struct Set<'a> {
    single: [bool; 256],
    longer: [HashSet<&'a [u8]>; LONGEST - 1],
}

impl<'a> Set<'a> {
    fn of(mut text: &'a [u8]) -> Self {
        let mut set = Self { single: [false; 256], longer: Default::default() };
        while let Some(first) = text.first() {
            // As SQLite counts: bytes that continue a character belong to the one that begins it.
            let continues = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
            let more = if *first < 0xc0 { 0 } else { text.iter().skip(1).take_while(continues).count() };
            let (character, rest) = text.split_at_checked(1 + more).unwrap_or((text, &[]));
            if more == 0 {
                set.single.get_mut(usize::from(*first)).into_iter().for_each(|known| *known = true);
            } else if let Some(known) = set.longer.get_mut(more - 1) {
                known.insert(character);
            }
            text = rest;
        }
        set
    }

    /// How many bytes at one end of the text are a character of the set, if they are one.
    fn matches<'t>(&self, end: impl Fn(usize) -> Option<&'t [u8]>) -> Option<usize> {
        let single = |byte: &u8| self.single.get(usize::from(*byte)).copied().unwrap_or_default();
        if end(1)?.first().is_some_and(single) {
            return Some(1);
        }
        let long = |(at, known): (usize, &HashSet<&[u8]>)| {
            let length = at + 2;
            (!known.is_empty() && known.contains(end(length)?)).then_some(length)
        };
        self.longer.iter().enumerate().find_map(long)
    }
}

/// The text without the characters of the set at its ends.
pub(super) fn trimmed<'t>(mut text: &'t [u8], set: &[u8], ends: Ends) -> &'t [u8] {
    let set = Set::of(set);
    if ends != Ends::Right {
        while let Some(length) = set.matches(|length| text.get(..length)) {
            text = text.get(length..).unwrap_or_default();
        }
    }
    if ends != Ends::Left {
        while let Some(length) = set.matches(|length| text.get(text.len().checked_sub(length)?..)) {
            text = text.get(..text.len() - length).unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_a_set_go_from_the_ends() {
        for (text, set, ends, rest) in [
            ("xxaxx", "x", Ends::Both, "a"),
            ("xxaxx", "x", Ends::Left, "axx"),
            ("xxaxx", "x", Ends::Right, "xxa"),
            ("äöa€", "€öä", Ends::Both, "a"),
            ("äöa€", "€", Ends::Both, "äöa"),
            ("𝄞𝄞", "𝄞", Ends::Both, ""),
            ("", "x", Ends::Both, ""),
            ("a", "", Ends::Both, "a"),
        ] {
            assert_eq!(
                trimmed(text.as_bytes(), set.as_bytes(), ends),
                rest.as_bytes(),
                "{text} {set} {ends:?}"
            );
        }
    }

    #[test]
    fn broken_texts_end() {
        for bytes in [&[0xff, 0x80, 0x80][..], &[0x80; 9], &[0xc0; 9], &[0xf0, 0x80, 0x80, 0x80, 0x80, 0x80]]
        {
            for set in [&[0x80][..], &[0xff, 0x80], &[0xf0, 0x80, 0x80, 0x80, 0x80, 0x80], &[0xc0]] {
                assert!(trimmed(bytes, set, Ends::Both).len() <= bytes.len());
            }
        }
    }
}
