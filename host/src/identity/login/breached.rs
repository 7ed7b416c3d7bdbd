//! Passwords that leaked somewhere: a file of the operator's, with one SHA-1 in hexadecimal on each line, sorted, whatever
//! follows it, as Have I Been Pwned offers for download. It is too large for memory and sorted, so it is searched where it
//! lies, by halving. Nothing is asked of anybody over the network.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// Hexadecimal digits of a hash.
const DIGITS: usize = 40;

/// What is read at once: more than two lines.
const CHUNK: usize = 256;

/// The list, open.
#[derive(Debug)]
pub struct Breached {
    file: File,
    length: u64,
}

/// A line of it.
struct Line {
    /// In capitals.
    hash: Vec<u8>,
    start: u64,
    /// Where the line after it begins.
    next: u64,
}

impl Breached {
    /// Opens the list at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or does not begin as such a list does.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let list = Self { file, length };
        let first = list.line_after(0)?.map(|line| line.hash).unwrap_or_default();
        if first.len() != DIGITS || !first.iter().all(u8::is_ascii_hexdigit) {
            let why = "its first line is not a SHA-1 in hexadecimal";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(list)
    }

    /// Whether a password is in the list.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn has(&self, password: &str) -> io::Result<bool> {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        let wanted: String = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        let (mut low, mut high) = (0, self.length);
        while low < high {
            let middle = low + (high - low) / 2;
            // Whatever begins at `high` or before it, and behind `low`, may still be it.
            match self.line_after(middle)?.filter(|line| line.start <= high) {
                Some(line) if line.hash == wanted.as_bytes() => return Ok(true),
                Some(line) if line.hash.as_slice() < wanted.as_bytes() => low = line.next - 1,
                _ => high = middle,
            }
        }
        Ok(false)
    }

    /// The first line that begins at `from` (when that is 0) or behind the next line feed.
    fn line_after(&self, from: u64) -> io::Result<Option<Line>> {
        let mut chunk = [0; CHUNK];
        let read = self.file.read_at(&mut chunk, from)?;
        let text = chunk.get(..read).unwrap_or_default();
        let feed = |text: &[u8]| text.iter().position(|byte| *byte == b'\n');
        let start = match from {
            0 => 0,
            _ => match feed(text) {
                Some(at) => at + 1,
                None => return Ok(None),
            },
        };
        let rest = text.get(start..).unwrap_or_default();
        if rest.len() < DIGITS {
            return Ok(None);
        }
        let end = feed(rest).map_or(rest.len(), |at| at + 1);
        let hash = rest.get(..DIGITS).unwrap_or_default().to_ascii_uppercase();
        let at = |within: usize| from.saturating_add(u64::try_from(within).unwrap_or(u64::MAX));
        Ok(Some(Line { hash, start: at(start), next: at(start + end) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of `passwords`, with counts of different lengths and `ending` lines.
    fn list(passwords: &[String], ending: &str, last: bool) -> tempfile::NamedTempFile {
        let mut lines: Vec<String> = passwords
            .iter()
            .enumerate()
            .map(|(count, password)| {
                let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
                let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
                format!("{hash}:{}", count * count)
            })
            .collect();
        lines.sort();
        let mut text = lines.join(ending);
        if last {
            text.push_str(ending);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn every_password_of_a_list_is_found_and_no_other() {
        for size in [1, 2, 3, 10, 1_000] {
            let passwords: Vec<String> = (0..size).map(|number| format!("password {number}")).collect();
            for (ending, last) in [("\r\n", true), ("\n", false), ("\n", true)] {
                let file = list(&passwords, ending, last);
                let list = Breached::open(file.path()).unwrap();
                for password in &passwords {
                    assert!(list.has(password).unwrap(), "{password} of {size}");
                }
                for other in 0..300 {
                    assert!(!list.has(&format!("another {other}")).unwrap(), "{other} of {size}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_such_list_is_refused_at_start() {
        for text in ["", "hello", "123456\npassword\n", &"G".repeat(64)] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            assert!(Breached::open(file.path()).is_err(), "{text}");
        }
        assert!(Breached::open(Path::new("/nowhere/at/all")).is_err());
    }
}
