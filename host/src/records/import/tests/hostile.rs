//! Files that are made to hurt: each gets a clear answer, and nothing is kept of it.

use std::io::{Cursor, Write as _};

use rust_xlsxwriter::Workbook;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::orchard::orchard;
use super::*;

fn names(rows: &[&str]) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, text) in (0..).zip(rows) {
        sheet.write_string(row, 0, *text).unwrap();
    }
    workbook.save_to_buffer().unwrap()
}

/// The workbook with files added or replaced.
fn with(workbook: &[u8], files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut from = ZipArchive::new(Cursor::new(workbook)).unwrap();
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..from.len() {
        let file = from.by_index_raw(at).unwrap();
        let name = file.name().unwrap().into_owned();
        if files.iter().all(|(other, _)| *other != name) {
            to.raw_copy_file(file).unwrap();
        }
    }
    for (name, content) in files {
        to.start_file(*name, SimpleFileOptions::default()).unwrap();
        to.write_all(content).unwrap();
    }
    to.finish().unwrap().into_inner()
}

/// Replaces what the list of files says of the unpacked size of the file with this name.
fn claiming(archive: &[u8], name: &str, size: u32) -> Vec<u8> {
    let mut archive = archive.to_vec();
    let entries: Vec<usize> =
        (0..archive.len() - 46).filter(|at| archive[*at..].starts_with(b"PK\x01\x02")).collect();
    for at in entries {
        if archive[at + 46..].starts_with(name.as_bytes()) {
            archive[at + 24..at + 28].copy_from_slice(&size.to_le_bytes());
        }
    }
    archive
}

#[test]
fn a_file_that_is_made_to_hurt_is_refused_in_words() {
    let desk = Desk::of(orchard());
    let good = names(&["name", "Oak"]);
    let sheet = "xl/worksheets/sheet1.xml";
    let head = "<?xml version=\"1.0\"?><worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>";
    let long = format!(
        "{head}<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>{}</t></is></c></row></sheetData></worksheet>",
        "x".repeat(2 << 20)
    );
    let entity = format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{head}</sheetData></worksheet>");
    let mut wide = Workbook::new();
    let columns = wide.add_worksheet();
    for column in 0..16_384 {
        columns.write_string(0, column, format!("c{column}")).unwrap();
    }
    let many: Vec<(String, Vec<u8>)> = (0..5_000).map(|at| (format!("x{at}"), Vec::new())).collect();
    let many: Vec<(&str, Vec<u8>)> =
        many.iter().map(|(name, empty)| (name.as_str(), empty.clone())).collect();
    let mut quote = b"name\n\"".to_vec();
    quote.resize(4 << 20, b'x');
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 4_000]].concat();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a bomb that says so", claiming(&good, sheet, u32::MAX - 1), "/file file_too_large"),
        ("a cell without end", with(&good, &[(sheet, long.into_bytes())]), "/file file_too_large"),
        ("an entity", with(&good, &[(sheet, entity.into_bytes())]), "/file invalid_workbook"),
        ("sixteen thousand columns", wide.save_to_buffer().unwrap(), "/file too_many_columns"),
        ("five thousand files", with(&good, &many), "/file file_too_large"),
        ("half a workbook", good[..good.len() / 2].to_vec(), "/file invalid_workbook"),
        ("a workbook without end", good[..good.len() - 10].to_vec(), "/file invalid_workbook"),
        ("an archive", with(&good, &[])[..4].to_vec(), "/file invalid_workbook"),
        (
            "no workbook",
            {
                let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
                zip.start_file("../../x", SimpleFileOptions::default()).unwrap();
                zip.finish().unwrap().into_inner()
            },
            "/file unsupported_format",
        ),
        ("an empty sheet", names(&[]), "/file invalid_workbook"),
        ("a quote without end", quote, "/file line_too_long"),
        ("a picture", picture, "/file unsupported_format"),
        ("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".repeat(100), "/file unsupported_format"),
        ("nothing", Vec::new(), "/file invalid_csv"),
        ("objects without lines", b"[{\"name\":1}]".to_vec(), "/file unsupported_format"),
    ];
    let spec = json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" } } });
    for (what, file, expected) in cases {
        assert_eq!(refused(desk.submit(&spec, &file)), [expected], "{what}");
    }
    let folder = desk.imports.folder(desk.scope.organization.id).unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "nothing is left behind");
    assert_eq!(desk.world.number("select count(*) from plant"), 0);
}

#[test]
fn bytes_and_depths_that_no_field_takes_cost_their_line_only() {
    let desk = Desk::of(orchard());
    let spec = json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" } } });
    let (job, result) = desk.whole(&spec, b"name\nOak\nE\0lm\n\xef\xbb\xbfAsh\nFir\n");
    assert_eq!(counts(&result), [2, 0, 2]);
    assert_eq!(brief(&desk.errors(&job)), ["3,name,control_character", "4,name,control_character"]);
    let deep = format!("{{\"name\":{}{}}}\n{{\"name\":\"Yew\"}}\n", "[".repeat(10_000), "]".repeat(10_000));
    let (job, result) = desk.whole(&spec, deep);
    assert_eq!(counts(&result), [1, 0, 1]);
    assert_eq!(brief(&desk.errors(&job)), ["1,,invalid_json"]);
    assert_eq!(desk.import(&spec, "\u{feff}\u{feff}\"name\"\nElm\n"), [1, 0, 0]);
}

#[test]
fn macros_are_seen_and_never_run() {
    let desk = Desk::of(orchard());
    let file = with(&names(&["name", "Oak"]), &[("xl/vbaProject.bin", b"Sub Auto_Open()".to_vec())]);
    let spec = json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" } } });
    let (_, result) = desk.whole(&spec, file);
    assert_eq!((counts(&result), &result["source"]["macros"]), ([1, 0, 0], &json!(true)));
}

#[test]
fn g2_no_name_in_an_archive_becomes_a_path() {
    let desk = Desk::of(orchard());
    let spec = json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" } } });
    let names = [
        "../../../slip",
        "/tmp/stoa-zip-slip",
        "..\\..\\slip",
        "C:\\slip",
        "xl/../../slip",
        "xl/worksheets/../../../slip",
    ];
    for name in names {
        let file = with(&self::names(&["name", "Oak"]), &[(name, b"slipped".to_vec())]);
        // Whether or not such a workbook is taken: it is read where it is.
        if let Ok(job) = desk.submit(&spec, &file) {
            desk.run(&job);
        }
    }
    let mut folders = vec![desk.world.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(!path.to_string_lossy().contains("slip"), "{}", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(!std::path::Path::new("/tmp/stoa-zip-slip").exists());
}
