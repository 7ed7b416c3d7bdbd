//! The uploaded file: its column names and its lines. What is wrong with a line is told as faults of that line; only a
//! file that cannot be read ends the import.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};

use super::ImportError;
use super::lines::Starts;
use super::spec::Spec;
use crate::records::error::{Fault, RecordError};

/// Most columns that a file may have.
const MAX_COLUMNS: usize = 1_000;

/// A line as it was read: kept when it has to be looked at again.
pub(super) struct Line {
    /// Where it starts in the file, the header being line 1.
    pub(super) number: u64,
    /// Its cells, one for each column; or why it is none.
    pub(super) cells: Result<StringRecord, Fault>,
}

/// The lines after the header.
pub(super) struct Lines {
    reader: Reader<File>,
    columns: usize,
    record: ByteRecord,
    starts: Starts,
}

impl Lines {
    /// The lines of a file with this many columns.
    pub(super) fn open(path: &Path, spec: &Spec, columns: usize) -> Result<Self, ImportError> {
        let starts = Starts::new(path)?;
        Ok(Self { reader: reader(path, spec)?, columns, record: ByteRecord::new(), starts })
    }

    /// Passes over lines that an earlier run took.
    pub(super) fn skip(&mut self, lines: u64) -> Result<(), ImportError> {
        for _ in 0..lines {
            self.advance()?;
        }
        Ok(())
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, ImportError> {
        if !self.advance()? {
            return Ok(None);
        }
        let number = self.starts.line(self.record.position())?;
        let whole = |code: &'static str, detail| Fault { pointer: String::new(), code: code.into(), detail };
        let (found, wanted) = (self.record.len(), self.columns);
        let cells = match StringRecord::from_byte_record(self.record.clone()) {
            Ok(cells) if found == wanted => Ok(cells),
            Ok(_) => {
                let detail = format!("the line has {found} cells, the header {wanted}");
                Err(whole("wrong_cell_count", detail))
            }
            Err(_) => Err(whole("not_utf8", "the line is not UTF-8 text".into())),
        };
        Ok(Some(Line { number, cells }))
    }

    fn advance(&mut self) -> Result<bool, ImportError> {
        self.reader.read_byte_record(&mut self.record).map_err(unreadable)
    }
}

fn unreadable(error: csv::Error) -> ImportError {
    std::io::Error::other(error.to_string()).into()
}

fn reader(path: &Path, spec: &Spec) -> Result<Reader<File>, ImportError> {
    let delimiter = spec.delimiter.and_then(|sign| u8::try_from(sign).ok()).unwrap_or(b',');
    ReaderBuilder::new().flexible(true).delimiter(delimiter).from_path(path).map_err(unreadable)
}

/// The column names of a file.
pub(super) fn header(path: &Path, spec: &Spec) -> Result<Vec<String>, ImportError> {
    let refuse = |code: &'static str, detail: String| -> ImportError {
        RecordError::Invalid(vec![Fault { pointer: "/file".into(), code: code.into(), detail }]).into()
    };
    let mut reader = reader(path, spec)?;
    let header = match reader.headers() {
        Ok(header) => header,
        Err(error) if error.is_io_error() => return Err(unreadable(error)),
        Err(_) => {
            let detail = "the first line is not UTF-8 text; save the file as CSV in UTF-8";
            return Err(refuse("invalid_csv", detail.into()));
        }
    };
    if header.len() > MAX_COLUMNS {
        let detail = format!("the file has {} columns; {MAX_COLUMNS} is the most", header.len());
        return Err(refuse("too_many_columns", detail));
    }
    let named = |name: &str| name.trim_start_matches('\u{feff}').trim().to_owned();
    let names: Vec<String> = header.iter().map(named).collect();
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        let detail = format!("column `{twice}` stands twice in the first line; name each column once");
        return Err(refuse("invalid_csv", detail));
    }
    if names.iter().all(String::is_empty) {
        return Err(refuse("invalid_csv", "the file has no first line with column names".into()));
    }
    Ok(names)
}

/// Lines of the file without the header: for "how far" only.
pub(super) fn count(path: &Path, spec: &Spec) -> Result<u64, ImportError> {
    let mut reader = reader(path, spec)?;
    let mut record = ByteRecord::new();
    let mut lines = 0;
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        lines += 1;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf, Spec) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, bytes).unwrap();
        (folder, path, Spec::parse(r#"{"entity":"users","mapping":{}}"#).unwrap())
    }

    #[test]
    fn a_line_that_is_no_text_or_has_other_cells_is_a_fault_and_the_next_one_is_read() {
        let (_folder, path, spec) = written(b"a,b\n1,2\n\xff,2\n1\n3,4\n");
        let mut lines = Lines::open(&path, &spec, 2).unwrap();
        let mut told = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let cells = line.cells.map(|cells| cells.iter().collect::<Vec<_>>().join("+"));
            told.push((line.number, cells.map_err(|fault| fault.code.into_owned())));
        }
        let fault = |code: &str| Err(code.to_owned());
        assert_eq!(
            told,
            [
                (2, Ok("1+2".to_owned())),
                (3, fault("not_utf8")),
                (4, fault("wrong_cell_count")),
                (5, Ok("3+4".to_owned()))
            ]
        );
        assert_eq!(count(&path, &spec).unwrap(), 4);
    }

    #[test]
    fn the_mark_at_the_beginning_of_a_file_is_no_part_of_a_name() {
        for start in ["\u{feff}", "\u{feff} ", "\u{feff}\u{feff}"] {
            let (_folder, path, spec) = written(format!("{start}name,b\n").as_bytes());
            assert_eq!(header(&path, &spec).unwrap(), ["name", "b"]);
        }
    }

    #[test]
    fn a_header_has_at_most_a_thousand_columns() {
        let of = |columns: usize| {
            let names: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
            let (_folder, path, spec) = written(format!("{}\n", names.join(",")).as_bytes());
            header(&path, &spec)
        };
        assert_eq!(of(MAX_COLUMNS).unwrap().len(), MAX_COLUMNS);
        let Err(ImportError::Records(RecordError::Invalid(faults))) = of(MAX_COLUMNS + 1) else {
            panic!("accepted");
        };
        assert_eq!(faults[0].code, "too_many_columns");
    }
}
