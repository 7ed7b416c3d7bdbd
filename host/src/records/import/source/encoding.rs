//! In which encoding a text is, and the same text in UTF-8.
//!
//! A byte order mark decides; then whether the bytes are UTF-8; then what the letters look like. A file that is UTF-8 but
//! for a few bytes stays UTF-8, its broken lines are reported: guessing would turn every other umlaut into two letters.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};

use super::sniff::head;
use crate::records::error::{Fault, RecordError};
use crate::records::import::ImportError;

const CHUNK: usize = 64 * 1024;
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A text's encoding.
pub(super) struct Text {
    pub(super) encoding: &'static Encoding,
    /// Whether the bytes are UTF-8 without a mark already.
    pub(super) as_it_is: bool,
}

/// The encoding of a text: the wished one, or what its bytes say.
pub(super) fn settle(path: &Path, wish: Option<&str>) -> Result<Text, ImportError> {
    let head = head(path)?;
    let marked = Encoding::for_bom(&head).map(|(encoding, _)| encoding);
    let encoding = match wish {
        Some(label) => Encoding::for_label(label.as_bytes())
            .filter(|encoding| *encoding != REPLACEMENT)
            .ok_or_else(|| unknown(label))?,
        None => match marked {
            Some(encoding) => encoding,
            None => match wide(&head) {
                Some(encoding) => encoding,
                None if is_utf8(path)? => UTF_8,
                None => guessed(path)?,
            },
        },
    };
    Ok(Text { encoding, as_it_is: encoding == UTF_8 && marked.is_none() })
}

fn unknown(label: &str) -> ImportError {
    let label: String = label.chars().filter(|sign| !sign.is_control()).take(40).collect();
    let detail = format!("`{label}` is no encoding that is known here; use a name such as `windows-1252`");
    let fault = Fault { pointer: "/spec/encoding".into(), code: "unknown_encoding".into(), detail };
    RecordError::Invalid(vec![fault]).into()
}

/// UTF-16 without a mark: every second byte of plain letters is zero.
fn wide(head: &[u8]) -> Option<&'static Encoding> {
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, pairs) = (zeros(0), zeros(1), head.len() / 2);
    if pairs < 2 {
        return None;
    }
    match (even * 10 > pairs * 6, odd * 10 > pairs * 6) {
        (false, true) if even * 20 < pairs => Some(UTF_16LE),
        (true, false) if odd * 20 < pairs => Some(UTF_16BE),
        _ => None,
    }
}

/// Whether the bytes are UTF-16, by a mark or by the look of them.
pub(super) fn is_wide(head: &[u8]) -> bool {
    let marked = Encoding::for_bom(head).map(|(encoding, _)| encoding);
    marked.or_else(|| wide(head)).is_some_and(|encoding| encoding == UTF_16LE || encoding == UTF_16BE)
}

/// Whether the bytes are UTF-8, or at least rather that than anything else.
fn is_utf8(path: &Path) -> Result<bool, ImportError> {
    let (mut file, mut carried, mut chunk) = (File::open(path)?, Vec::new(), vec![0; CHUNK]);
    let (mut good, mut bad) = (0_usize, 0_usize);
    loop {
        let read = file.read(&mut chunk)?;
        carried.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let mut rest = carried.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    good += text.chars().filter(|sign| !sign.is_ascii()).count();
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    let text = std::str::from_utf8(valid).unwrap_or_default();
                    good += text.chars().filter(|sign| !sign.is_ascii()).count();
                    rest = after;
                    match error.error_len() {
                        Some(length) => {
                            bad += 1;
                            rest = rest.get(length..).unwrap_or_default();
                        }
                        None if read == 0 => {
                            bad += 1;
                            rest = &[];
                            break;
                        }
                        None => break, // the rest of the character is in the next chunk
                    }
                }
            }
        }
        carried = rest.to_vec();
        if read == 0 {
            return Ok(bad == 0 || good > bad * 4);
        }
    }
}

fn guessed(path: &Path) -> Result<&'static Encoding, ImportError> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let (mut file, mut chunk) = (File::open(path)?, vec![0; CHUNK]);
    loop {
        let read = file.read(&mut chunk)?;
        detector.feed(chunk.get(..read).unwrap_or_default(), read == 0);
        if read == 0 {
            return Ok(detector.guess(None, Utf8Detection::Deny));
        }
    }
}

/// Writes the text in UTF-8 and without marks. Bytes that mean nothing become one that is no UTF-8, so that their line
/// is reported as what it is.
pub(super) fn rewrite(from: &Path, to: &Path, encoding: &'static Encoding) -> Result<(), ImportError> {
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut reader = BufReader::with_capacity(CHUNK, File::open(from)?);
    let mut writer = BufWriter::new(File::create(to)?);
    let (mut chunk, mut out) = (vec![0; CHUNK], vec![0; CHUNK * 4]);
    let mut begun = false;
    loop {
        let read = reader.read(&mut chunk)?;
        let (last, mut rest) = (read == 0, chunk.get(..read).unwrap_or_default());
        loop {
            let (result, used, written) = decoder.decode_to_utf8_without_replacement(rest, &mut out, last);
            rest = rest.get(used..).unwrap_or_default();
            let mut bytes = out.get(..written).unwrap_or_default();
            while let Some(after) = bytes.strip_prefix(MARK).filter(|_| !begun) {
                bytes = after;
            }
            begun |= !bytes.is_empty();
            writer.write_all(bytes)?;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => writer.write_all(&[0xff])?,
            }
        }
        if last {
            writer.flush()?;
            return Ok(writer.get_ref().sync_all()?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], wish: Option<&str>) -> (String, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&from, bytes).unwrap();
        let text = settle(&from, wish).unwrap();
        if text.as_it_is {
            return (text.encoding.name().to_owned(), bytes.to_vec());
        }
        rewrite(&from, &to, text.encoding).unwrap();
        (text.encoding.name().to_owned(), std::fs::read(&to).unwrap())
    }

    fn wide(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    }

    #[test]
    fn the_encoding_is_read_off_the_bytes() {
        let german = "Name;Straße;Größe\r\nMüller;Königsallee 3;größer\r\nWeiß;Übergasse;klein\r\n";
        let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(german);
        let japanese = "会社名,住所,電話番号\n株式会社山田製作所,東京都千代田区,03-1234-5678\n有限会社鈴木商店,大阪府大阪市北区,06-1234-5678\n";
        let (shift, _, _) = encoding_rs::SHIFT_JIS.encode(japanese);
        let marked = |bytes: Vec<u8>, mark: &[u8]| [mark, &bytes].concat();
        let cases: [(&str, Vec<u8>, &str); 8] = [
            ("UTF-8", german.into(), german),
            ("UTF-8", marked(german.into(), MARK), german),
            ("windows-1252", latin.to_vec(), german),
            ("Shift_JIS", shift.to_vec(), japanese),
            ("UTF-16LE", marked(wide(german, false), b"\xff\xfe"), german),
            ("UTF-16BE", marked(wide(german, true), b"\xfe\xff"), german),
            ("UTF-16LE", wide(german, false), german),
            ("UTF-16BE", wide(german, true), german),
        ];
        for (name, bytes, text) in cases {
            let (found, read) = read(&bytes, None);
            assert_eq!((found.as_str(), String::from_utf8(read).unwrap().as_str()), (name, text));
        }
    }

    #[test]
    fn a_wish_beats_what_the_bytes_say() {
        let (name, text) = read(b"a\n\xe4\n", Some("iso-8859-2"));
        assert_eq!((name.as_str(), text.as_slice()), ("ISO-8859-2", "a\nä\n".as_bytes()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "a").unwrap();
        for bad in ["ebcdic", "replacement", ""] {
            assert!(matches!(settle(&path, Some(bad)), Err(ImportError::Records(_))), "{bad}");
        }
    }

    #[test]
    fn a_few_broken_bytes_do_not_change_the_encoding_of_a_file() {
        let text = [&"größe,straße\n".repeat(20).into_bytes()[..], b"\xff\n"].concat();
        assert_eq!(read(&text, None), ("UTF-8".into(), text.clone()));
        // What no decoder understands stays broken, for the line to be reported.
        let (_, cut) = read(b"\xff\xfea\0\n\0\x00\xd8b\0\n\0", None);
        assert_eq!(cut, b"a\n\xffb\n");
    }

    #[test]
    fn marks_are_no_text_however_many_there_are() {
        let text = [MARK, MARK, b"\"name\"\n"].concat();
        assert_eq!(read(&text, None).1, b"\"name\"\n");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_become_something(bytes: Vec<u8>) {
            read(&bytes, None);
        }

        #[test]
        fn any_text_in_utf16_is_read_back(text in "[a-zà-ž ,;\n]{3,200}") {
            let (_, read) = read(&[b"\xff\xfe", &wide(&text, false)[..]].concat(), None);
            proptest::prop_assert_eq!(String::from_utf8(read).unwrap(), text);
        }
    }
}
