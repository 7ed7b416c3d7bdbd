//! The lines of a file that was prepared. What is wrong with a line is told as faults of that line; only a file that
//! cannot be read ends the import.

use std::fs::File;
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};
use serde_json::{Map, Value as Json};

use super::ImportError;
use super::source::{Format, ObjectLines, Source, Starts};
use crate::records::error::Fault;

/// A line as it was read: kept when it has to be looked at again.
pub(super) struct Line {
    /// Where it starts in the file, or the row of the sheet; the first is 1.
    pub(super) number: u64,
    /// Its cells; or why it has none.
    pub(super) cells: Result<Cells, Fault>,
}

/// The cells of a line.
pub(super) enum Cells {
    /// One text for each column.
    Texts(StringRecord),
    /// The members of an object.
    Members(Map<String, Json>),
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// The line has no such member; a text always has all of its columns.
    Absent,
    /// A text.
    Text(&'a str),
    /// A JSON value that is no text.
    Json(&'a Json),
}

impl Cells {
    /// The cell of the column with this name, which stands at this place.
    pub(super) fn get(&self, name: &str, at: Option<usize>) -> Cell<'_> {
        match self {
            Self::Texts(texts) => Cell::Text(at.and_then(|at| texts.get(at)).unwrap_or_default()),
            Self::Members(members) => match members.get(name) {
                None => Cell::Absent,
                Some(Json::Null) => Cell::Text(""),
                Some(Json::String(text)) => Cell::Text(text),
                Some(json) => Cell::Json(json),
            },
        }
    }
}

/// The lines of data.
pub(super) enum Lines {
    /// Cells between delimiters.
    Cells(Box<CellLines>),
    /// One object on each line.
    Objects(ObjectLines),
}

/// Lines of cells.
pub(super) struct CellLines {
    reader: Reader<File>,
    columns: usize,
    encoding: String,
    record: ByteRecord,
    /// `None`: each line begins with its number.
    starts: Option<Starts>,
}

impl Lines {
    /// The lines of a prepared file.
    pub(super) fn open(path: &Path, source: &Source) -> Result<Self, ImportError> {
        if source.format == Format::Jsonl {
            return Ok(Self::Objects(ObjectLines::open(path)?));
        }
        let reader = ReaderBuilder::new()
            .flexible(true)
            .has_headers(!source.converted())
            .delimiter(source.separator())
            .quote(source.quoting())
            .from_path(path)
            .map_err(unreadable)?;
        Ok(Self::Cells(Box::new(CellLines {
            reader,
            columns: source.columns.len(),
            encoding: source.encoding.clone(),
            record: ByteRecord::new(),
            starts: if source.converted() { None } else { Some(Starts::new(path)?) },
        })))
    }

    /// Passes over lines that an earlier run took.
    pub(super) fn skip(&mut self, lines: u64) -> Result<(), ImportError> {
        for _ in 0..lines {
            match self {
                Self::Cells(cells) => drop(cells.advance()?),
                Self::Objects(objects) => drop(objects.advance()?),
            }
        }
        Ok(())
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, ImportError> {
        match self {
            Self::Cells(cells) => cells.next(),
            Self::Objects(objects) => Ok(objects
                .advance()?
                .map(|number| Line { number, cells: objects.object().map(Cells::Members) })),
        }
    }
}

impl CellLines {
    fn next(&mut self) -> Result<Option<Line>, ImportError> {
        if !self.advance()? {
            return Ok(None);
        }
        let Some(starts) = &mut self.starts else {
            return Ok(Some(self.converted()));
        };
        let number = starts.line(self.record.position())?;
        let (found, wanted) = (self.record.len(), self.columns);
        let cells = match StringRecord::from_byte_record(self.record.clone()) {
            Ok(cells) if found == wanted => Ok(Cells::Texts(cells)),
            Ok(_) => {
                Err(whole("wrong_cell_count", format!("the line has {found} cells, the header {wanted}")))
            }
            Err(_) if self.encoding == "utf-8" => Err(whole("not_utf8", "the line is not UTF-8 text".into())),
            Err(_) => Err(whole("not_text", format!("the line is not {} text", self.encoding))),
        };
        Ok(Some(Line { number, cells }))
    }

    /// A line of a sheet: its number, and what is wrong with it if something is, in front of its cells.
    fn converted(&self) -> Line {
        let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
        let mut cells = self.record.iter().map(text);
        let first = cells.next().unwrap_or_default();
        let (number, fault) = first.split_once(' ').map_or((first.as_str(), None), |(n, f)| (n, Some(f)));
        let cells = match fault {
            Some(fault) => Err(whole("invalid_cell", fault.to_owned())),
            None => Ok(Cells::Texts(cells.collect())),
        };
        Line { number: number.parse().unwrap_or_default(), cells }
    }

    fn advance(&mut self) -> Result<bool, ImportError> {
        self.reader.read_byte_record(&mut self.record).map_err(unreadable)
    }
}

fn whole(code: &'static str, detail: String) -> Fault {
    Fault { pointer: String::new(), code: code.into(), detail }
}

fn unreadable(error: csv::Error) -> ImportError {
    std::io::Error::other(error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::super::source::{Wishes, prepare};
    use super::*;
    use crate::records::error::RecordError;

    fn read(file: &[u8]) -> Vec<(u64, Result<String, String>)> {
        let folder = tempfile::tempdir().unwrap();
        let (upload, working) = (folder.path().join("upload"), folder.path().join("working"));
        std::fs::write(&upload, file).unwrap();
        let source = prepare(&upload, &Wishes::default(), &working).unwrap();
        let mut lines = Lines::open(&working, &source).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let cells = line.cells.map(|cells| match cells {
                Cells::Texts(texts) => texts.iter().collect::<Vec<_>>().join("+"),
                Cells::Members(members) => Json::Object(members).to_string(),
            });
            all.push((line.number, cells.map_err(|fault| fault.code.to_string())));
        }
        assert_eq!(all.len() as u64, source.rows);
        all
    }

    #[test]
    fn lines_bear_the_numbers_that_people_count() {
        let broken = ["größe,b\n", "x,1\n"].concat().into_bytes();
        let broken = [&broken[..], b"\xff,2\n\"a\nb\",3\ny\n\nz,4\n"].concat();
        let told = |text: &str| Err(text.to_owned());
        assert_eq!(
            read(&[&"ä,ö\n".repeat(9).into_bytes()[..], b"1,2\n"].concat()).len(),
            9,
            "the first line is the header"
        );
        let mark = [b"\xef\xbb\xbf", &broken[..]].concat();
        assert_eq!(
            read(&mark),
            [
                (2, Ok("x+1".into())),
                (3, told("not_utf8")),
                (4, Ok("a\nb+3".into())),
                (6, told("wrong_cell_count")),
                (8, Ok("z+4".into()))
            ]
        );
        assert_eq!(
            read(b"{\"a\":[1]}\n\n{\"b\":\"x\"}\nno\n"),
            [(1, Ok("{\"a\":[1]}".into())), (3, Ok("{\"b\":\"x\"}".into())), (4, told("invalid_json"))]
        );
    }

    #[test]
    fn the_mark_at_the_beginning_of_a_file_is_no_part_of_a_name() {
        for start in ["\u{feff}", "\u{feff} ", "\u{feff}\u{feff}", "\u{feff}\u{feff}\"name\",c\n"] {
            let folder = tempfile::tempdir().unwrap();
            let (upload, working) = (folder.path().join("upload"), folder.path().join("working"));
            std::fs::write(&upload, format!("{start}name,b\n")).unwrap();
            let source = prepare(&upload, &Wishes::default(), &working).unwrap();
            assert_eq!(source.columns[0], "name");
        }
    }

    #[test]
    fn a_wish_for_another_format_is_refused_when_it_cannot_be_meant() {
        let folder = tempfile::tempdir().unwrap();
        let (upload, working) = (folder.path().join("upload"), folder.path().join("working"));
        std::fs::write(&upload, "name\nx\n").unwrap();
        let wishes = Wishes { format: Some(Format::Xlsx), ..Wishes::default() };
        let Err(ImportError::Records(RecordError::Invalid(faults))) = prepare(&upload, &wishes, &working)
        else {
            panic!("accepted");
        };
        assert_eq!(faults[0].code, "unsupported_format");
    }
}
