//! The whole text once, before its job: its header, how many lines it has, and that none of them is without end.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use csv::{ByteRecord, ReaderBuilder};

use super::{MAX_LINE, named, refused};
use crate::records::import::ImportError;

/// What the parser reads at a time.
const BUFFER: usize = 8 * 1024;

/// Lets the parser read so much for one record and no more.
struct Bounded {
    file: File,
    allowance: Rc<Cell<usize>>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.get();
        if left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.file.read(buffer)?;
        self.allowance.set(left.saturating_sub(read));
        Ok(read)
    }
}

/// The column names and the number of lines after them.
pub(super) fn cells(path: &Path, delimiter: u8, quote: u8) -> Result<(Vec<String>, u64), ImportError> {
    let allowance = Rc::new(Cell::new(MAX_LINE));
    let file = Bounded { file: File::open(path)?, allowance: Rc::clone(&allowance) };
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .delimiter(delimiter)
        .quote(quote)
        .buffer_capacity(BUFFER)
        .from_reader(file);
    let (mut record, mut columns, mut lines) = (ByteRecord::new(), None, 0);
    loop {
        allowance.set(MAX_LINE);
        let line = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(endless(error, line)),
        }
        if columns.is_some() {
            lines += 1;
            continue;
        }
        let cells: Result<Vec<&str>, _> = record.iter().map(std::str::from_utf8).collect();
        let cells = cells.map_err(|_| {
            let detail =
                "the first line is not UTF-8 text; say its `encoding`, or save the file as CSV in UTF-8";
            refused("invalid_csv", detail)
        })?;
        columns = Some(named(cells.into_iter())?);
    }
    let none = || refused("invalid_csv", "the file has no first line with column names");
    Ok((columns.ok_or_else(none)?, lines))
}

fn endless(error: csv::Error, line: u64) -> ImportError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let detail = format!(
                "what begins on line {line} is longer than {} KiB; is a quote never closed?",
                MAX_LINE / 1024
            );
            refused("line_too_long", detail)
        }
        csv::ErrorKind::Io(error) => error.into(),
        _ => io::Error::other("the stored upload cannot be read as CSV").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::error::RecordError;

    fn scanned(bytes: &[u8]) -> Result<(Vec<String>, u64), (String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, bytes).unwrap();
        cells(&path, b',', b'"').map_err(|error| match error {
            ImportError::Records(RecordError::Invalid(faults)) => {
                (faults[0].code.to_string(), faults[0].detail.clone())
            }
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn lines_are_counted_whatever_is_wrong_with_them() {
        let (columns, lines) = scanned(b"name,b\nx,1\n\xff\n\n\"a\nb\",3,4\n").unwrap();
        assert_eq!((columns, lines), (vec!["name".to_owned(), "b".to_owned()], 3));
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_with_its_line() {
        let mut file = b"name,b\nx,1\ny,\"".to_vec();
        file.resize(MAX_LINE * 3, b'z');
        let (code, detail) = scanned(&file).unwrap_err();
        assert_eq!(code, "line_too_long");
        assert!(detail.contains("line 3"), "{detail}");
        let mut wide = b"name,b\n".to_vec();
        wide.resize(MAX_LINE - 100, b'z');
        assert_eq!(scanned(&wide).unwrap().1, 1);
    }

    #[test]
    fn a_header_has_at_most_a_thousand_columns() {
        let of = |columns: usize| {
            let names: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
            scanned(format!("{}\n", names.join(",")).as_bytes())
        };
        assert_eq!(of(super::super::MAX_COLUMNS).unwrap().0.len(), super::super::MAX_COLUMNS);
        assert_eq!(of(super::super::MAX_COLUMNS + 1).unwrap_err().0, "too_many_columns");
        assert_eq!(of(100_000).unwrap_err().0, "too_many_columns");
    }
}
