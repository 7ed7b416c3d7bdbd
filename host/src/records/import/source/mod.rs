//! What an uploaded file is, found out from its content and never from its name: format, encoding, delimiter, sheet,
//! columns. And the file that the job reads: text in UTF-8 as it came, everything else converted to it once.
//!
//! ```text
//! csv, jsonl in UTF-8        as uploaded
//! csv, jsonl in another      decoded; what cannot be decoded stays a broken line
//! xlsx, ods                  one CSV line for each row that is not blank, its number in front
//! ```
//!
//! So a job is the same resumable reader of lines for all of them, and needs the memory of a batch.

mod cell;
mod collector;
mod dialect;
mod encoding;
mod objects;
mod package;
mod repeats;
mod scan;
mod sniff;
mod starts;
mod workbook;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ImportError;
use crate::records::error::{Fault, RecordError};

pub(super) use self::objects::ObjectLines;
pub(super) use self::starts::Starts;

/// Most columns that a file may have.
pub(super) const MAX_COLUMNS: usize = 1_000;
/// Most bytes of one line of data, be it spread over several lines by quotes.
pub(super) const MAX_LINE: usize = 1 << 20;

/// A kind of file.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Cells between delimiters.
    #[default]
    Csv,
    /// A workbook of Excel 2007 and later.
    Xlsx,
    /// A workbook of LibreOffice.
    Ods,
    /// One JSON object on each line.
    Jsonl,
}

impl Format {
    /// The word in specifications.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Ods => "ods",
            Self::Jsonl => "jsonl",
        }
    }
}

/// What a specification says of the file, instead of what its content says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wishes<'a> {
    /// The format.
    pub format: Option<Format>,
    /// A label of the Encoding Standard.
    pub encoding: Option<&'a str>,
    /// What separates cells.
    pub delimiter: Option<u8>,
    /// What quotes cells.
    pub quote: Option<u8>,
    /// The sheet.
    pub sheet: Option<&'a str>,
}

/// What a file is, and what the job needs to read it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Source {
    /// The format.
    pub format: Format,
    /// The encoding of text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub encoding: String,
    /// What separates the cells of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// What quotes the cells of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<char>,
    /// The sheet that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// Every sheet of the workbook.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sheets: Vec<String>,
    /// Whether the workbook has macros; they are never run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub macros: bool,
    /// The names of the columns, in order.
    pub columns: Vec<String>,
    /// Lines of data, faulty ones included.
    pub rows: u64,
}

impl Source {
    /// Whether the job reads a converted sheet: no header, the row's number in front of each line.
    pub(super) const fn converted(&self) -> bool {
        matches!(self.format, Format::Xlsx | Format::Ods)
    }

    /// What separates cells in the file that the job reads.
    pub(super) fn separator(&self) -> u8 {
        self.delimiter.and_then(|sign| u8::try_from(sign).ok()).unwrap_or(b',')
    }

    /// What quotes cells in the file that the job reads.
    pub(super) fn quoting(&self) -> u8 {
        self.quote.and_then(|sign| u8::try_from(sign).ok()).unwrap_or(b'"')
    }

    /// What was found out, for people.
    pub(super) fn report(&self) -> serde_json::Value {
        let mut report = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = report.as_object_mut() {
            for hidden in ["columns", "sheets", "rows"] {
                members.remove(hidden);
            }
        }
        report
    }
}

/// Finds out what the file is and puts what the job reads at `working`; the upload is moved there when it can be read
/// as it is. Not for an async worker.
///
/// # Errors
/// [`RecordError::Invalid`] when it is no file that can be imported, in words for whoever uploaded it.
pub(super) fn prepare(upload: &Path, wishes: &Wishes<'_>, working: &Path) -> Result<Source, ImportError> {
    let format = sniff::format(upload, wishes)?;
    match format {
        Format::Csv | Format::Jsonl => {
            let text = encoding::settle(upload, wishes.encoding)?;
            if text.as_it_is {
                std::fs::rename(upload, working).or_else(|_| std::fs::copy(upload, working).map(drop))?;
            } else {
                encoding::rewrite(upload, working, text.encoding)?;
            }
            let encoding = text.encoding.name().to_lowercase();
            if format == Format::Jsonl {
                let (columns, rows) = objects::scan(working)?;
                return Ok(Source { format, encoding, columns, rows, ..Source::default() });
            }
            let (delimiter, quote) = dialect::settle(working, wishes)?;
            let (columns, rows) = scan::cells(working, delimiter, quote)?;
            let (delimiter, quote) = (Some(char::from(delimiter)), Some(char::from(quote)));
            Ok(Source { format, encoding, delimiter, quote, columns, rows, ..Source::default() })
        }
        Format::Xlsx | Format::Ods => workbook::convert(upload, format, wishes.sheet, working),
    }
}

/// The file cannot be imported.
fn refused(code: &'static str, detail: impl Into<String>) -> ImportError {
    let fault = Fault { pointer: "/file".into(), code: code.into(), detail: detail.into() };
    RecordError::Invalid(vec![fault]).into()
}

/// The column names of a header: trimmed, none twice, at least one.
fn named<'a>(cells: impl Iterator<Item = &'a str>) -> Result<Vec<String>, ImportError> {
    let plain = |name: &str| name.trim_start_matches('\u{feff}').trim().to_owned();
    let names: Vec<String> = cells.map(plain).collect();
    if names.len() > MAX_COLUMNS {
        let detail = format!("the file has {} columns; {MAX_COLUMNS} is the most", names.len());
        return Err(refused("too_many_columns", detail));
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        let detail = format!("column `{twice}` stands twice in the first line; name each column once");
        return Err(refused("invalid_csv", detail));
    }
    if names.iter().all(String::is_empty) {
        return Err(refused("invalid_csv", "the file has no first line with column names"));
    }
    Ok(names)
}
