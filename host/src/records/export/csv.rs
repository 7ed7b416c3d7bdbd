//! Rows as CSV, RFC 4180: quotes where they are needed, lines end with CR LF, texts are guarded against spreadsheets.

use rusqlite::Row;

use super::plan::{Nature, Plan};
use super::titles::Titles;
use crate::records::error::RecordError;
use crate::records::guard;

/// The first line.
pub(super) fn header(plan: &Plan, mark: bool, out: &mut Vec<u8>) {
    if mark {
        out.extend_from_slice("\u{feff}".as_bytes());
    }
    for (at, column) in plan.columns.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        cell(&column.name, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// The line of a row. `text` is scratch.
pub(super) fn row(
    plan: &Plan,
    row: &Row<'_>,
    titles: &mut Titles<'_>,
    text: &mut String,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let start = out.len();
    for (at, column) in plan.columns.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match column.write(plan, row, titles, text)? {
            Nature::Text => cell(&guard::put(text), out),
            Nature::Empty => {}
            _ => cell(text, out),
        }
    }
    if out.len() == start {
        out.extend_from_slice(b"\"\""); // one empty cell is a line, an empty line is none
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// A cell, quoted if anything in it needs that.
fn cell(text: &str, out: &mut Vec<u8>) {
    if !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(cells in proptest::collection::vec("[a-c,;\"'\r\n\t= ü]{0,8}", 1..6)) {
            let mut out = Vec::new();
            for (at, text) in cells.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                cell(text, &mut out);
            }
            out.extend_from_slice(b"\r\n");
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(out.as_slice());
            let read: Vec<Vec<String>> =
                reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            let blank = cells.len() == 1 && cells[0].is_empty();
            prop_assert_eq!(read, if blank { Vec::new() } else { vec![cells] });
        }
    }
}
