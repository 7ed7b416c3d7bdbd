//! What separates and quotes the cells of a text: the sign that cuts its first lines into equally many cells.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::Wishes;
use crate::records::import::ImportError;

/// Bytes of the sample.
const SAMPLE: u64 = 256 * 1024;
/// Lines of the sample.
const LINES: usize = 100;
/// What separates cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The delimiter and the quote of the file: the wished ones, or what the sample says.
pub(super) fn settle(path: &Path, wishes: &Wishes<'_>) -> Result<(u8, u8), ImportError> {
    let mut sample = Vec::new();
    let cut = File::open(path)?.take(SAMPLE).read_to_end(&mut sample)? as u64 == SAMPLE;
    let quote = wishes.quote.unwrap_or_else(|| quote(&sample));
    let delimiter = wishes.delimiter.unwrap_or_else(|| delimiter(&sample, quote, cut));
    Ok((delimiter, quote))
}

/// `"`, unless there is none and the first line's cells stand between `'`.
fn quote(sample: &[u8]) -> u8 {
    let line = sample.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let between = |cell: &[u8]| cell.len() > 1 && cell.starts_with(b"'") && cell.ends_with(b"'");
    let single = DELIMITERS.iter().any(|sign| line.split(|byte| byte == sign).all(between));
    if single && !sample.contains(&b'"') { b'\'' } else { b'"' }
}

/// The sign under which most lines have as many cells as the first one; more cells decide a tie.
fn delimiter(sample: &[u8], quote: u8, cut: bool) -> u8 {
    let mut best = (0, 0, b',');
    for sign in DELIMITERS {
        let widths = widths(sample, sign, quote, cut);
        let Some(first) = widths.first().copied().filter(|width| *width > 1) else {
            continue;
        };
        let alike = widths.iter().filter(|width| **width == first).count() * 1000 / widths.len();
        if (alike, first) > (best.0, best.1) {
            best = (alike, first, sign);
        }
    }
    best.2
}

fn widths(sample: &[u8], delimiter: u8, quote: u8, cut: bool) -> Vec<usize> {
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .delimiter(delimiter)
        .quote(quote)
        .from_reader(sample);
    let (mut record, mut widths) = (ByteRecord::new(), Vec::new());
    while widths.len() < LINES && reader.read_byte_record(&mut record).unwrap_or(false) {
        widths.push(record.len());
    }
    if cut && widths.len() > 1 && widths.len() < LINES {
        widths.pop(); // it ends where the sample does
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_that_cuts_lines_alike_is_the_delimiter() {
        let cases: [(&str, u8); 9] = [
            ("a,b,c\n1,2,3\n", b','),
            ("a;b\n1;2\n", b';'),
            ("a\tb\n1,5\t2\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("Name;Betrag;Datum\r\n\"Müller; Söhne\";1.234,50;01.02.2026\r\nWeiß;0,5;31.12.2025\r\n", b';'),
            ("name,remark\nx,\"a;b;c\"\ny,\"d;e\nf\"\n", b','),
            ("name\nx;y\n", b','),
            ("name\n", b','),
            ("", b','),
        ];
        for (text, sign) in cases {
            assert_eq!(char::from(delimiter(text.as_bytes(), b'"', false)), char::from(sign), "{text:?}");
        }
    }

    #[test]
    fn single_quotes_are_quotes_when_the_header_stands_in_them() {
        assert_eq!(quote(b"'a','b'\n'1','2'\n"), b'\'');
        assert_eq!(quote(b"a,b\n'1','2'\n"), b'"');
        assert_eq!(quote(b"'a','b'\n\"1\",'2'\n"), b'"');
    }
}
