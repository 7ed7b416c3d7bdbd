//! Rows as a workbook with one sheet, written row by row to a file.
//!
//! Texts are written as texts and never as formulas, and guarded all the same: a sheet is saved as CSV sooner or later.

use std::path::Path;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::Export;
use super::plan::Nature;
use super::titles::Titles;
use crate::records::error::{Fault, RecordError};
use crate::records::guard;
use crate::storage::StorageError;

/// Most records of a sheet: it has 1,048,576 rows, and the first has the names.
pub const MOST_ROWS: u64 = 1_048_575;
/// Most characters of a cell, in units of UTF-16.
const LONGEST: usize = 32_767;
/// Digits that spreadsheets keep.
const DIGITS: usize = 15;

/// Refuses more records than a sheet has rows.
pub(super) fn fits(rows: u64) -> Result<(), RecordError> {
    if rows <= MOST_ROWS {
        return Ok(());
    }
    let detail = format!(
        "these are {rows} records and a sheet holds {MOST_ROWS}; export CSV or JSON Lines, or filter"
    );
    Err(refused("too_many_rows", detail))
}

fn refused(code: &'static str, detail: String) -> RecordError {
    RecordError::Invalid(vec![Fault { pointer: "/format".into(), code: code.into(), detail }])
}

/// The disk, mostly.
fn failed(path: &Path) -> impl Fn(XlsxError) -> RecordError + Copy + '_ {
    move |error| {
        let source = std::io::Error::other(error.to_string());
        RecordError::Storage(StorageError::File { path: path.to_owned(), source })
    }
}

/// Writes the workbook.
pub(super) fn write(
    export: &mut Export,
    path: &Path,
    folder: &Path,
    rows: &mut u64,
) -> Result<(), RecordError> {
    let failed = failed(path);
    let mut workbook = Workbook::new();
    workbook.set_tempdir(folder).map_err(failed)?;
    let sheet = workbook.add_worksheet_with_constant_memory().map_err(failed)?;
    // A sheet's name has at most 31 characters, and keys are plain.
    let name: String = export.entity.plural.chars().take(31).collect();
    sheet.set_name(name).map_err(failed)?;
    for (at, column) in (0_u16..).zip(&export.plan.columns) {
        sheet.write_string(0, at, &column.name).map_err(failed)?;
    }
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let mut titles = Titles::new(&export.engine, &export.scope);
    let mut text = String::new();
    loop {
        let plan = &export.plan;
        let more = export.walk.page(
            (&export.engine, &export.scope, &export.module, &export.entity),
            &plan.select,
            |row| {
                fits(*rows + 1)?; // more may have come since they were counted
                let number = u32::try_from(*rows + 1).unwrap_or(u32::MAX);
                for (at, column) in (0_u16..).zip(&plan.columns) {
                    let nature = column.write(plan, row, &mut titles, &mut text)?;
                    if text.len() > LONGEST && text.encode_utf16().count() >= LONGEST {
                        let detail = format!(
                            "record {} of this export has more than {LONGEST} characters in `{}`, and a cell holds no more; \
                             export CSV or JSON Lines",
                            *rows + 1,
                            column.name
                        );
                        return Err(refused("cell_too_long", detail));
                    }
                    cell(sheet, (number, at), nature, &text, &date).map_err(failed)?;
                }
                *rows += 1;
                Ok(())
            },
        )?;
        if !more {
            break;
        }
    }
    workbook.save(path).map_err(failed)
}

fn cell(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    nature: Nature,
    text: &str,
    date: &Format,
) -> Result<(), XlsxError> {
    match nature {
        Nature::Empty => {}
        Nature::Number if text.bytes().filter(u8::is_ascii_digit).count() <= DIGITS => {
            match text.parse::<f64>() {
                Ok(number) => drop(sheet.write_number(row, column, number)?),
                Err(_) => drop(sheet.write_string(row, column, text)?),
            }
        }
        Nature::Boolean => drop(sheet.write_boolean(row, column, text == "true")?),
        Nature::Date => match moment(text) {
            Some(moment) => drop(sheet.write_datetime_with_format(row, column, &moment, date)?),
            None => drop(sheet.write_string(row, column, text)?),
        },
        Nature::Text => drop(sheet.write_string(row, column, guard::put(text).into_owned())?),
        Nature::Number | Nature::Plain => drop(sheet.write_string(row, column, text)?),
    }
    Ok(())
}

/// The date, if it is one that spreadsheets know: theirs begin in March 1900, before it they count a day too many.
fn moment(text: &str) -> Option<ExcelDateTime> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let date = ExcelDateTime::from_ymd(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    (text >= "1900-03-01").then_some(date)
}
