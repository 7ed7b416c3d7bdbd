//! A sheet of a workbook becomes the working file. Sheets of XLSX are read as a stream; those of ODS are held while they
//! are read, and bounded for it.

use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use calamine::{Data, Ods, Reader, Sheet, SheetType, SheetVisible, Xlsx};

use super::collector::Collector;
use super::{Format, Source, cell, package, refused, repeats};
use crate::records::error::{Fault, RecordError};
use crate::records::import::ImportError;

fn damaged() -> ImportError {
    refused(
        "invalid_workbook",
        "the workbook is damaged or holds what no spreadsheet program writes; save it again",
    )
}

/// Converts the sheet (the first one unless named), and says what the workbook is.
pub(super) fn convert(
    upload: &Path,
    format: Format,
    sheet: Option<&str>,
    working: &Path,
) -> Result<Source, ImportError> {
    let package = package::inspect(upload)?;
    // The parser meets files that nobody has tested it with; what it makes of them must not end the host's thread.
    let read = AssertUnwindSafe(|| match format {
        Format::Ods => ods(upload, sheet, working),
        _ => xlsx(upload, sheet, working),
    });
    let mut source = catch_unwind(read).map_err(|_| damaged())??;
    source.macros = package.macros;
    Ok(source)
}

fn xlsx(upload: &Path, wish: Option<&str>, working: &Path) -> Result<Source, ImportError> {
    let mut workbook: Xlsx<_> = Xlsx::new(BufReader::new(File::open(upload)?)).map_err(|_| damaged())?;
    let (sheet, sheets) = choose(workbook.sheets_metadata(), wish)?;
    let mut collector = Collector::new(working)?;
    {
        let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(|_| damaged())?;
        while let Some(found) = cells.next_cell().map_err(|_| damaged())? {
            let (row, column) = found.get_position();
            collector.cell(row, column, cell::text(Data::from(found.get_value().clone())))?;
        }
    }
    finish(Format::Xlsx, sheet, sheets, collector)
}

fn ods(upload: &Path, wish: Option<&str>, working: &Path) -> Result<Source, ImportError> {
    let mut archive = package::open(upload)?;
    repeats::check(archive.by_name("content.xml").map_err(|_| damaged())?)?;
    let mut workbook: Ods<_> = Ods::new(BufReader::new(File::open(upload)?)).map_err(|_| damaged())?;
    let (sheet, sheets) = choose(workbook.sheets_metadata(), wish)?;
    let range = workbook.worksheet_range(&sheet).map_err(|_| damaged())?;
    let (top, left) = range.start().unwrap_or_default();
    let mut collector = Collector::new(working)?;
    for (row, cells) in (top..).zip(range.rows()) {
        for (column, value) in (left..).zip(cells) {
            collector.cell(row, column, cell::text(value.clone()))?;
        }
    }
    finish(Format::Ods, sheet, sheets, collector)
}

fn finish(
    format: Format,
    sheet: String,
    sheets: Vec<String>,
    collector: Collector,
) -> Result<Source, ImportError> {
    let (columns, rows) = collector.finish()?;
    Ok(Source { format, sheet: Some(sheet), sheets, columns, rows, ..Source::default() })
}

/// The sheet that is wished for, or the first one that people see; and all that have cells.
fn choose(sheets: &[Sheet], wish: Option<&str>) -> Result<(String, Vec<String>), ImportError> {
    let cells = || sheets.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let names: Vec<String> = cells().map(|sheet| sheet.name.clone()).collect();
    let seen = cells().find(|sheet| sheet.visible == SheetVisible::Visible).or_else(|| cells().next());
    let chosen = match wish {
        Some(wish) => names.iter().find(|name| *name == wish).cloned(),
        None => seen.map(|sheet| sheet.name.clone()),
    };
    match (chosen, wish) {
        (Some(name), _) => Ok((name, names)),
        (None, None) => Err(refused("invalid_workbook", "the workbook has no sheet with cells")),
        (None, Some(wish)) => {
            let (wish, known): (String, String) =
                (wish.chars().take(64).collect(), names.join("`, `").chars().take(400).collect());
            let detail = format!("the workbook has no sheet `{wish}`; it has `{known}`");
            let fault = Fault { pointer: "/spec/sheet".into(), code: "unknown_sheet".into(), detail };
            Err(RecordError::Invalid(vec![fault]).into())
        }
    }
}
