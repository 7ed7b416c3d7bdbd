//! Names of files: what a stranger sent becomes a name that no system takes for a path, a command or another name.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

/// Most characters of a name.
pub const LONGEST: usize = 200;
/// Most characters of an ending that a long name keeps.
const ENDING: usize = 16;

/// The name under which a file is kept and offered: no folders, no control or invisible characters, no direction marks,
/// nothing that only Windows would mind, at most [`LONGEST`] characters, never empty.
#[must_use]
pub fn cleaned(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.nfc().filter(|letter| !is_unfit(*letter)).collect();
    let kept = kept.trim_matches(|letter: char| letter.is_whitespace() || letter == '.').to_owned();
    let kept = if kept.is_empty() { "file".to_owned() } else { kept };
    shortened(&kept)
}

/// Whether a character has no place in a name: it controls, hides, turns the direction of text, or is special somewhere.
fn is_unfit(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '<' | '>' | ':' | '"' | '|' | '?' | '*')
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(letter, '\u{fff0}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}')
}

fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= LONGEST {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| {
        let length = ending.chars().count();
        (1..=ENDING).contains(&length)
    });
    let Some(ending) = ending else { return name.chars().take(LONGEST).collect() };
    let room = LONGEST - ending.chars().count() - 1;
    let stem: String = name.chars().take(room).collect();
    format!("{stem}.{ending}")
}

/// The header that makes every browser store the file under this name instead of showing it (RFC 6266, RFC 5987).
#[must_use]
pub fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '_' })
        .map(|letter| if matches!(letter, '"' | '\\' | '%' | ';') { '_' } else { letter })
        .collect();
    let mut header = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            header.push(char::from(byte));
        } else {
            let _ = write!(header, "%{byte:02X}");
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_no_path_no_command_and_no_trick() {
        for (sent, kept) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
            ("a\r\nSet-Cookie: x=1.txt", "aSet-Cookie x=1.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("zero\u{200b}width.txt", "zerowidth.txt"),
            ("..", "file"),
            ("", "file"),
            (" .hidden ", "hidden"),
            ("a\"b.txt", "ab.txt"),
            ("Überblick – Café.xlsx", "Überblick – Café.xlsx"),
            ("/", "file"),
            ("nul\0.txt", "nul.txt"),
        ] {
            assert_eq!(cleaned(sent), kept, "{sent:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let long = cleaned(&format!("{}.tar", "ä".repeat(10_000)));
        assert_eq!(long.chars().count(), LONGEST);
        assert!(long.ends_with("ä.tar"));
        assert_eq!(cleaned(&"x".repeat(10_000)).len(), LONGEST);
        assert_eq!(cleaned(&format!("x.{}", "y".repeat(10_000))).len(), LONGEST);
    }

    #[test]
    fn the_header_is_plain_ascii_and_says_the_name_exactly() {
        let header = disposition("Café \"50%\".txt");
        assert_eq!(
            header,
            "attachment; filename=\"Caf_ _50__.txt\"; filename*=UTF-8''Caf%C3%A9%20%2250%25%22.txt"
        );
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_that_can_stand_in_a_header(sent in any::<String>()) {
            let name = cleaned(&sent);
            prop_assert!(!name.is_empty() && name.chars().count() <= LONGEST);
            prop_assert!(!name.chars().any(|letter| is_unfit(letter) || matches!(letter, '/' | '\\')));
            prop_assert_eq!(cleaned(&name), name.clone());
            let header = disposition(&name);
            prop_assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{}", header);
        }
    }
}
