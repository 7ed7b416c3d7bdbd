//! JSON Lines: one object on each line. Lines are bounded, and so is the depth of what stands on them.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::{MAX_COLUMNS, MAX_LINE, refused};
use crate::records::error::Fault;
use crate::records::import::ImportError;
use crate::records::strict::{self, StrictError};

/// The lines that are not blank.
pub(in crate::records::import) struct ObjectLines {
    file: BufReader<File>,
    number: u64,
    line: Vec<u8>,
}

impl ObjectLines {
    /// The lines of a file.
    pub(in crate::records::import) fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { file: BufReader::with_capacity(64 * 1024, File::open(path)?), number: 0, line: Vec::new() })
    }

    /// Moves to the next line; its number, the first being 1. `None` at the end.
    pub(in crate::records::import) fn advance(&mut self) -> std::io::Result<Option<u64>> {
        loop {
            self.line.clear();
            let most = MAX_LINE as u64 + 1;
            if self.file.by_ref().take(most).read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.len() > MAX_LINE && !self.line.ends_with(b"\n") {
                self.pass_over()?;
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(self.number));
            }
        }
    }

    /// Reads on to the end of the line without keeping it.
    fn pass_over(&mut self) -> std::io::Result<()> {
        loop {
            let buffer = self.file.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(buffer.len(), |at| at + 1);
            self.file.consume(used);
            if end.is_some() || used == 0 {
                return Ok(());
            }
        }
    }

    /// The object of the line.
    pub(in crate::records::import) fn object(&self) -> Result<Map<String, Json>, Fault> {
        object(&self.line)
    }
}

/// One object.
fn object(line: &[u8]) -> Result<Map<String, Json>, Fault> {
    let whole =
        |code: &'static str, detail: String| Fault { pointer: String::new(), code: code.into(), detail };
    if line.len() > MAX_LINE {
        let detail = format!("the line is longer than {} KiB", MAX_LINE / 1024);
        return Err(whole("line_too_long", detail));
    }
    if std::str::from_utf8(line).is_err() {
        return Err(whole("not_utf8", "the line is not UTF-8 text".into()));
    }
    strict::object(line).map_err(|error| match error {
        StrictError::Malformed { column, .. } => {
            let detail = format!("the line is not one JSON object; look at column {column}");
            whole("invalid_json", detail)
        }
        StrictError::Duplicate(name) => {
            whole("duplicate_member", format!("the member `{name}` stands twice on the line"))
        }
    })
}

/// The members of all objects, in the order in which they first occur, and the number of lines.
pub(super) fn scan(path: &Path) -> Result<(Vec<String>, u64), ImportError> {
    let mut lines = ObjectLines::open(path)?;
    let (mut columns, mut seen, mut count) = (Vec::new(), HashSet::new(), 0);
    while lines.advance()?.is_some() {
        count += 1;
        let Ok(object) = lines.object() else {
            continue; // the job reports it
        };
        for name in object.into_iter().map(|(name, _)| name) {
            if seen.contains(&name) {
                continue;
            }
            if columns.len() == MAX_COLUMNS {
                let detail = format!("the objects have more than {MAX_COLUMNS} different members");
                return Err(refused("too_many_columns", detail));
            }
            seen.insert(name.clone());
            columns.push(name);
        }
    }
    if columns.is_empty() {
        let detail = "no line is one JSON object with members; write {\"name\": …} on each line";
        return Err(refused("invalid_jsonl", detail));
    }
    Ok((columns, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Result<u64, String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, text).unwrap();
        let (mut lines, mut all) = (ObjectLines::open(&path).unwrap(), Vec::new());
        while let Some(number) = lines.advance().unwrap() {
            all.push(lines.object().map(|_| number).map_err(|fault| format!("{number} {}", fault.code)));
        }
        all
    }

    #[test]
    fn each_line_is_an_object_or_told_why_not() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_LINE * 2));
        let text = format!("{{\"a\":1}}\n\n[1]\n{deep}\n{{\"a\":1,\"a\":2}}\r\n{long}\n{{\"a\":\n{{}}");
        let told = |text: &str| Err(text.to_owned());
        assert_eq!(
            lines(text.as_bytes()),
            [
                Ok(1),
                told("3 invalid_json"),
                told("4 invalid_json"),
                told("5 duplicate_member"),
                told("6 line_too_long"),
                told("7 invalid_json"),
                Ok(8)
            ]
        );
        assert_eq!(lines(b"{\"a\":\"\xff\"}\n"), [told("1 not_utf8")]);
    }

    #[test]
    fn the_columns_are_the_members_of_all_objects() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, "{\"b\":1}\nx\n{\"a\":1,\"b\":2}\n").unwrap();
        assert_eq!(scan(&path).unwrap(), (vec!["b".to_owned(), "a".to_owned()], 3));
        std::fs::write(&path, "{}\n").unwrap();
        assert!(scan(&path).is_err());
    }
}
