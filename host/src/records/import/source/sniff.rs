//! Which format a file has, by its first bytes.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::{Format, Wishes, encoding, package, refused};
use crate::records::import::ImportError;

/// Bytes that are looked at.
const HEAD: u64 = 64 * 1024;

/// The first bytes of a file.
pub(super) fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// The format of the file, unless the wish for another cannot be meant.
pub(super) fn format(path: &Path, wishes: &Wishes<'_>) -> Result<Format, ImportError> {
    let head = head(path)?;
    let found = if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        package::kind(path)?
    } else if head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        let detail = "this is a workbook of Excel 97 or one with a password; save it as .xlsx without one";
        return Err(refused("unsupported_format", detail));
    } else if let Some(kind) = binary(&head) {
        let detail = format!("this is a file of type {kind}; send CSV, XLSX, ODS or JSON Lines");
        return Err(refused("unsupported_format", detail));
    } else {
        text(&head)?
    };
    let workbook = |format: Format| matches!(format, Format::Xlsx | Format::Ods);
    match wishes.format {
        None => Ok(found),
        Some(wish) if wish == found || !workbook(wish) && !workbook(found) => Ok(wish),
        Some(wish) => {
            let detail = format!("`format` says {}, but the file is {}", wish.as_str(), found.as_str());
            Err(refused("unsupported_format", detail))
        }
    }
}

/// The type of a file that is known and no text.
fn binary(head: &[u8]) -> Option<&'static str> {
    let kind = infer::get(head).filter(|kind| kind.matcher_type() != infer::MatcherType::Text)?;
    // The marks of some formats are letters that a text can begin with.
    let controls = head.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31)).count();
    (controls * 100 > head.len() && !encoding::is_wide(head)).then(|| kind.mime_type())
}

fn text(head: &[u8]) -> Result<Format, ImportError> {
    // Good enough for the signs that decide, in every encoding.
    let signs: Vec<u8> = head
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, 0 | 0xef | 0xbb | 0xbf | 0xfe | 0xff) && !byte.is_ascii_whitespace())
        .take(2)
        .collect();
    match signs.as_slice() {
        [b'{', ..] => Ok(Format::Jsonl),
        [b'[', b'{' | b']'] => {
            let detail =
                "this is a JSON array; write one object on each line, without brackets and commas between";
            Err(refused("unsupported_format", detail))
        }
        [] => Err(refused("invalid_csv", "the file has no first line with column names")),
        _ => Ok(Format::Csv),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<Format, ImportError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upload");
        std::fs::write(&path, bytes).unwrap();
        format(&path, &Wishes::default())
    }

    #[test]
    fn the_content_decides_and_not_the_name() {
        assert_eq!(of(b"name;email\n").unwrap(), Format::Csv);
        assert_eq!(of(b"BM,a text that begins like a picture\n").unwrap(), Format::Csv);
        assert_eq!(of(b"\xef\xbb\xbf {\"name\":1}\n").unwrap(), Format::Jsonl);
        assert_eq!(of(b"\xff\xfe{\0\"\0").unwrap(), Format::Jsonl);
        let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
        picture.extend_from_slice(&[0; 200]);
        for bad in [&picture[..], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", b"[{\"a\":1}]", b"", b"  \n"] {
            assert!(matches!(of(bad), Err(ImportError::Records(_))), "{bad:?}");
        }
    }
}
