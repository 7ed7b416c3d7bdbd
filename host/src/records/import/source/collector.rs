//! The rows of a sheet as lines of the working file, written while the sheet is read.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use super::{MAX_COLUMNS, MAX_LINE, named, refused};
use crate::records::import::ImportError;

/// Makes lines of cells. The first row that is not blank is the header.
pub(super) struct Collector {
    writer: csv::Writer<BufWriter<File>>,
    columns: Vec<String>,
    /// Which of them stands in which column of the sheet.
    places: HashMap<u32, usize>,
    row: u32,
    /// The row at hand: columns of the sheet and their texts.
    cells: Vec<(u32, String)>,
    size: usize,
    fault: Option<String>,
    lines: u64,
}

impl Collector {
    pub(super) fn new(working: &Path) -> Result<Self, ImportError> {
        let writer =
            csv::WriterBuilder::new().flexible(true).from_writer(BufWriter::new(File::create(working)?));
        Ok(Self {
            writer,
            columns: Vec::new(),
            places: HashMap::new(),
            row: 0,
            cells: Vec::new(),
            size: 0,
            fault: None,
            lines: 0,
        })
    }

    /// Takes the next cell; both places count from 0.
    pub(super) fn cell(
        &mut self,
        row: u32,
        column: u32,
        text: Result<String, String>,
    ) -> Result<(), ImportError> {
        if row != self.row {
            self.end_row()?;
            self.row = row;
        }
        match text {
            Ok(text) if text.is_empty() => {}
            Ok(text) => {
                self.size += text.len();
                if self.size > MAX_LINE {
                    self.fault = Some(format!("the row is longer than {} KiB", MAX_LINE / 1024));
                } else if self.columns.is_empty() && self.cells.len() >= MAX_COLUMNS {
                    let detail = format!("the sheet has more than {MAX_COLUMNS} columns");
                    return Err(refused("too_many_columns", detail));
                } else if self.columns.is_empty() || self.places.contains_key(&column) {
                    self.cells.push((column, text));
                } else {
                    self.fault = Some(format!("column {} has a cell here, but no name", letters(column)));
                }
            }
            Err(error) => self.fault = Some(format!("the cell in column {} is {error}", letters(column))),
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), ImportError> {
        let (cells, fault) = (std::mem::take(&mut self.cells), self.fault.take());
        self.size = 0;
        if cells.is_empty() && fault.is_none() {
            return Ok(());
        }
        if self.columns.is_empty() {
            return self.header(&cells);
        }
        let mut texts = vec![String::new(); self.columns.len()];
        for (column, text) in cells {
            if let Some(slot) = self.places.get(&column).and_then(|at| texts.get_mut(*at)) {
                *slot = text;
            }
        }
        let number = u64::from(self.row) + 1;
        let number = fault.map_or_else(|| number.to_string(), |fault| format!("{number} {fault}"));
        self.lines += 1;
        let line = std::iter::once(&number).chain(&texts);
        self.writer.write_record(line).map_err(|error| std::io::Error::other(error.to_string()).into())
    }

    fn header(&mut self, cells: &[(u32, String)]) -> Result<(), ImportError> {
        let texts = cells.iter().filter(|(_, text)| !text.trim().is_empty());
        let places: Vec<u32> = texts.clone().map(|(column, _)| *column).collect();
        self.columns = named(texts.map(|(_, text)| text.as_str()))?;
        self.places = places.into_iter().zip(0..).collect();
        Ok(())
    }

    /// The names of the columns, and how many rows followed.
    pub(super) fn finish(mut self) -> Result<(Vec<String>, u64), ImportError> {
        self.end_row()?;
        if self.columns.is_empty() {
            return Err(refused("invalid_workbook", "the sheet has no first row with column names"));
        }
        let file = self.writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        Ok((self.columns, self.lines))
    }
}

/// `C` for 2, as spreadsheets name columns.
fn letters(column: u32) -> String {
    let (mut name, mut rest) = (Vec::new(), column + 1);
    while rest > 0 {
        rest -= 1;
        name.push(b'A' + u8::try_from(rest % 26).unwrap_or_default());
        rest /= 26;
    }
    name.reverse();
    String::from_utf8(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_letters() {
        let named = [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")];
        for (column, name) in named {
            assert_eq!(letters(column), name);
        }
    }

    #[test]
    fn rows_become_lines_with_their_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let mut sheet = Collector::new(&path).unwrap();
        let rows: [(u32, u32, Result<&str, &str>); 9] = [
            (1, 1, Ok("name")),
            (1, 3, Ok("b")),
            (2, 1, Ok("x, \"y\"")),
            (4, 3, Ok("2\n3")),
            (4, 2, Ok("")),
            (5, 1, Err("#N/A")),
            (6, 9, Ok("far")),
            (7, 0, Ok("")),
            (8, 1, Ok("z")),
        ];
        for (row, column, text) in rows {
            sheet.cell(row, column, text.map(str::to_owned).map_err(str::to_owned)).unwrap();
        }
        let (columns, lines) = sheet.finish().unwrap();
        assert_eq!((columns, lines), (vec!["name".to_owned(), "b".to_owned()], 5));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "3,\"x, \"\"y\"\"\",\n5,,\"2\n3\"\n6 the cell in column B is #N/A,,\n\
             \"7 column J has a cell here, but no name\",,\n9,z,\n"
        );
    }

    #[test]
    fn a_sheet_of_sixteen_thousand_columns_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut sheet = Collector::new(&folder.path().join("rows")).unwrap();
        let refused = (0..16_384).find_map(|column| sheet.cell(0, column, Ok(format!("c{column}"))).err());
        assert!(matches!(refused, Some(ImportError::Records(_))), "{refused:?}");
    }
}
