//! What a file is: found in its first bytes. What the client says of it is believed only where the bytes leave it open.

/// How many bytes are looked at.
pub const LOOK: usize = 8 * 1024;

/// What anything is that nothing is known of.
pub const UNKNOWN: &str = "application/octet-stream";

/// Texts that look alike: which of them it is, the client may say.
const TEXTS: [&str; 9] = [
    "text/plain",
    "text/csv",
    "text/tab-separated-values",
    "text/markdown",
    "text/calendar",
    "text/vcard",
    "application/json",
    "application/x-ndjson",
    "message/rfc822",
];

/// What is a ZIP archive inside: office documents, which the client may name.
const ZIPPED: [&str; 7] = [
    "application/vnd.openxmlformats-officedocument.",
    "application/vnd.oasis.opendocument.",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    "application/epub+zip",
    "application/vnd.apple.pages",
    "application/vnd.apple.numbers",
    "application/vnd.apple.keynote",
];

/// Types that a browser may be told, beside images, sound and film: it runs nothing of them.
const SERVED: [&str; 10] = [
    "application/pdf",
    "application/zip",
    "application/gzip",
    "application/json",
    "application/msword",
    "application/rtf",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "text/plain",
    "text/csv",
];

/// Images that are nothing but points.
const IMAGES: [&str; 8] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/tiff",
    "image/heif",
    "image/avif",
];

/// The type of a file with these first bytes, of which the client says that it is a `declared`.
#[must_use]
pub fn sniffed(head: &[u8], declared: Option<&str>) -> String {
    let declared = declared.unwrap_or_default().to_ascii_lowercase();
    if let Some(markup) = markup(head) {
        return markup.to_owned();
    }
    if let Some(found) = infer::get(head) {
        let named =
            found.mime_type() == "application/zip" && ZIPPED.iter().any(|kind| declared.starts_with(kind));
        return if named && is_media_type(&declared) { declared } else { found.mime_type().to_owned() };
    }
    if !is_text(head) {
        return UNKNOWN.to_owned();
    }
    if TEXTS.contains(&declared.as_str()) { declared } else { "text/plain".to_owned() }
}

/// What a browser is told: the type when it is harmless, nothing otherwise.
#[must_use]
pub fn served(media_type: &str) -> &str {
    let harmless = SERVED.contains(&media_type)
        || IMAGES.contains(&media_type)
        || media_type.starts_with("audio/")
        || media_type.starts_with("video/")
        || media_type.starts_with("application/vnd.openxmlformats-officedocument.")
        || media_type.starts_with("application/vnd.oasis.opendocument.");
    if harmless && is_media_type(media_type) { media_type } else { UNKNOWN }
}

/// Markup that a browser would run, wherever in the first bytes it begins: a byte-order mark, spaces and comments may
/// stand before it.
fn markup(head: &[u8]) -> Option<&'static str> {
    let text = decoded(head)?.to_lowercase();
    let start = text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
    if !start.starts_with('<') {
        return None;
    }
    if text.contains("<svg") {
        return Some("image/svg+xml");
    }
    let html =
        ["<!doctype html", "<html", "<head", "<body", "<script", "<iframe", "<img", "<a ", "<div", "<p>"];
    if html.iter().any(|sign| text.contains(sign)) {
        return Some("text/html");
    }
    start.starts_with("<?xml").then_some("application/xml")
}

/// The bytes as text, if they are text: UTF-8, or UTF-16 with its mark.
fn decoded(head: &[u8]) -> Option<String> {
    match head {
        [0xff, 0xfe, rest @ ..] => Some(wide(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Some(wide(rest, u16::from_be_bytes)),
        _ if head.contains(&0) => None,
        _ => Some(String::from_utf8_lossy(head).into_owned()),
    }
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|letter| letter.unwrap_or('\u{fffd}')).collect()
}

/// Whether the bytes are text of people: UTF-8, perhaps cut in its last letter, without control characters.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => head
            .get(..error.valid_up_to())
            .and_then(|good| std::str::from_utf8(good).ok())
            .unwrap_or_default(),
        Err(_) => return false,
    };
    !text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\u{c}'))
}

/// Whether a text can stand in a header as a type.
fn is_media_type(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    text.len() <= 127 && text.split_once('/').is_some_and(|(kind, name)| part(kind) && part(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn the_bytes_say_what_a_file_is_and_not_the_client() {
        let cases: [(&[u8], Option<&str>, &str); 16] = [
            (PNG, Some("image/png"), "image/png"),
            (PNG, Some("text/html"), "image/png"),
            (b"%PDF-1.7\n", Some("image/png"), "application/pdf"),
            (
                b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0",
                Some("image/png"),
                "application/vnd.microsoft.portable-executable",
            ),
            (PROGRAM, Some("text/plain"), "application/x-executable"),
            (b"a,b\n1,2\n", Some("text/csv"), "text/csv"),
            (b"a,b\n1,2\n", Some("image/png"), "text/plain"),
            (b"a,b\n1,2\n", None, "text/plain"),
            (b"{}", Some("application/json"), "application/json"),
            (b"<html><script>alert(1)</script>", Some("text/plain"), "text/html"),
            (b"\xef\xbb\xbf  \n<!-- x --><SCRIPT>alert(1)</SCRIPT>", Some("text/csv"), "text/html"),
            (b"\xff\xfe<\0h\0t\0m\0l\0>\0", Some("text/plain"), "text/html"),
            (b"<?xml version='1.0'?><svg onload='x'/>", Some("image/png"), "image/svg+xml"),
            (b"<?xml version='1.0'?><a/>", Some("text/plain"), "application/xml"),
            (b"\0\x01\x02\x03", Some("text/plain"), UNKNOWN),
            (b"", Some("image/png"), "text/plain"),
        ];
        for (head, declared, expected) in cases {
            assert_eq!(sniffed(head, declared), expected, "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn an_office_document_is_what_the_client_says_only_if_it_is_an_archive() {
        let word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        let archive = b"PK\x03\x04\x14\0\0\0\x08\0abcdefghijklmnopqrstuvwxyz0123456789";
        assert_eq!(sniffed(archive, Some(word)), word);
        assert_eq!(sniffed(archive, Some("application/java-archive")), "application/zip");
        assert_eq!(sniffed(b"plain", Some(word)), "text/plain");
        let split = format!("{word}\r\nX: y");
        assert_eq!(sniffed(archive, Some(&split)), "application/zip");
    }

    #[test]
    fn what_a_browser_could_run_is_served_as_bytes() {
        for dangerous in [
            "text/html",
            "image/svg+xml",
            "application/xml",
            "text/x-shellscript",
            "application/x-executable",
            "application/wasm",
            "application/vnd.microsoft.portable-executable",
            "video/x\r\ny",
            "nonsense",
        ] {
            assert_eq!(served(dangerous), UNKNOWN, "{dangerous}");
        }
        for harmless in ["image/png", "application/pdf", "text/csv", "video/mp4"] {
            assert_eq!(served(harmless), harmless);
        }
    }

    #[test]
    fn a_polyglot_is_what_its_head_says_and_harmless_as_such() {
        let gif = b"GIF89a/*\0\0*/=1;/*<script>alert(document.domain)</script>*/";
        assert_eq!(sniffed(gif, Some("text/html")), "image/gif");
        assert_eq!(served("image/gif"), "image/gif");
    }

    #[test]
    fn text_that_is_cut_in_a_letter_is_text() {
        assert!(is_text("grün".as_bytes().get(..3).unwrap()));
        assert!(!is_text(b"gr\xffn"));
    }
}
