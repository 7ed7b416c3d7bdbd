//! The ZIP archive that a workbook is: what is in it, and that unpacking it stays within bounds.
//!
//! What the archive says of its sizes is looked at first, which refuses an honest bomb at once; then everything is
//! unpacked once into nothing, because an archive can lie. Only then is it parsed.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use zip::ZipArchive;

use super::{Format, refused};
use crate::records::import::ImportError;

/// Most files in the archive.
const FILES: usize = 4_096;
/// Most bytes of the list of files.
const DIRECTORY: u64 = 1 << 20;
/// Most bytes of all files, unpacked.
const TOTAL: u64 = 1 << 30;
/// Most bytes, unpacked, of a file that the parser holds in memory, such as the table of texts.
const HELD: u64 = 128 << 20;
/// Most bytes of one element or text of a sheet, which is parsed as a stream.
const ELEMENT: usize = 1 << 20;
/// What an archive ends with, its comment left out.
const END: usize = 22;

/// What a workbook is.
pub(super) struct Package {
    /// Whether it has macros.
    pub(super) macros: bool,
}

fn damaged() -> ImportError {
    refused(
        "invalid_workbook",
        "the workbook is damaged: its archive cannot be read to the end; save it again",
    )
}

fn too_big(what: &str) -> ImportError {
    refused("file_too_large", format!("the workbook is too big once it is unpacked: {what}; send it as CSV"))
}

/// The archive, if its list of files is within bounds.
pub(super) fn open(path: &Path) -> Result<ZipArchive<BufReader<File>>, ImportError> {
    let mut file = File::open(path)?;
    directory(&mut file)?;
    file.rewind()?;
    let archive = ZipArchive::new(BufReader::new(file)).map_err(|_| damaged())?;
    if archive.len() > FILES {
        return Err(too_big(&format!("more than {FILES} files")));
    }
    Ok(archive)
}

/// Looks at the end of the archive, which says how long its list of files is: the parser reads all of it.
fn directory(file: &mut File) -> Result<(), ImportError> {
    let length = file.seek(SeekFrom::End(0))?;
    let tail = length.min(64 * 1024 + END as u64);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let at = bytes.windows(4).rposition(|window| window == b"PK\x05\x06").ok_or_else(damaged)?;
    let field = |from: usize, width: usize| -> Result<u64, ImportError> {
        let bytes = bytes.get(at + from..at + from + width).ok_or_else(damaged)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    if bytes.windows(4).any(|window| window == b"PK\x06\x07") || field(10, 2)? > FILES as u64 {
        return Err(too_big(&format!("more than {FILES} files")));
    }
    if field(12, 4)? > DIRECTORY { Err(too_big("its list of files")) } else { Ok(()) }
}

/// The format of a workbook.
pub(super) fn kind(path: &Path) -> Result<Format, ImportError> {
    let archive = open(path)?;
    let has = |name: &str| archive.index_for_name(name).is_some();
    if has("xl/workbook.xml") {
        return Ok(Format::Xlsx);
    }
    if has("content.xml") && has("mimetype") {
        return Ok(Format::Ods);
    }
    let detail = if has("xl/workbook.bin") {
        "this is a binary workbook (.xlsb); save it as .xlsx"
    } else {
        "this is a ZIP archive and no workbook; unpack it and send the files one by one"
    };
    Err(refused("unsupported_format", detail))
}

/// Unpacks everything into nothing, and answers what was seen on the way.
pub(super) fn inspect(path: &Path) -> Result<Package, ImportError> {
    let mut archive = open(path)?;
    let (mut package, mut said) = (Package { macros: false }, 0_u64);
    let mut names = Vec::with_capacity(archive.len());
    for at in 0..archive.len() {
        let file = archive.by_index_raw(at).map_err(|_| damaged())?;
        said = said.saturating_add(file.size());
        let name = file.name().map(|name| name.to_lowercase()).unwrap_or_default();
        if file.encrypted() {
            return Err(refused("unsupported_format", "the workbook has a password; save it without one"));
        }
        if !is_sheet(&name) && file.size() > HELD {
            return Err(too_big(&format!("one part has more than {} MiB", HELD >> 20)));
        }
        package.macros |= name.ends_with("vbaproject.bin") || name.starts_with("xl/macrosheets/");
        names.push(name);
    }
    if said > TOTAL {
        return Err(too_big(&format!("more than {} MiB", TOTAL >> 20)));
    }
    let mut left = TOTAL;
    for (at, name) in names.iter().enumerate() {
        let file = archive.by_index(at).map_err(|_| damaged())?;
        left -= unpack(file, is_sheet(name), left)?;
    }
    Ok(package)
}

fn is_sheet(name: &str) -> bool {
    name.starts_with("xl/worksheets/")
}

/// The number of bytes of a file, which must not be more than `left`.
fn unpack(file: impl Read, sheet: bool, left: u64) -> Result<u64, ImportError> {
    let (mut file, mut chunk, mut total) = (BufReader::with_capacity(1 << 16, file), vec![0; 1 << 16], 0);
    let (mut limit, mut element, mut declares) = (left.min(if sheet { TOTAL } else { HELD }), 0, false);
    loop {
        let read = file.read(&mut chunk).map_err(|_| damaged())?;
        let bytes = chunk.get(..read).unwrap_or_default();
        if read == 0 {
            return Ok(total);
        }
        if sheet && total == 0 && root(bytes) != Some("worksheet") {
            limit = limit.min(HELD); // no sheet, whatever its name is: the parser may hold it
        }
        total += read as u64;
        if total > limit {
            return Err(too_big(&format!("more than {} MiB", limit >> 20)));
        }
        for byte in bytes.iter().filter(|_| sheet) {
            // Declarations, comments and literal sections could be of any length; no program writes them into a sheet.
            if declares && *byte == b'!' {
                return Err(refused(
                    "invalid_workbook",
                    "a sheet of the workbook has declarations or comments",
                ));
            }
            declares = *byte == b'<';
            element = if declares { 0 } else { element + 1 };
            if element > ELEMENT {
                return Err(too_big(&format!("one cell has more than {} KiB", ELEMENT >> 10)));
            }
        }
    }
}

/// The name of the first element, without its prefix.
fn root(head: &[u8]) -> Option<&str> {
    let mut from = 0;
    loop {
        let at = from + head.get(from..)?.iter().position(|byte| *byte == b'<')? + 1;
        if head.get(at)?.is_ascii_alphabetic() {
            let rest = head.get(at..)?;
            let end =
                rest.iter().position(|byte| matches!(byte, b' ' | b'>' | b'/' | b'\r' | b'\n' | b'\t'))?;
            let name = std::str::from_utf8(rest.get(..end)?).ok()?;
            return Some(name.rsplit(':').next().unwrap_or(name));
        }
        from = at;
    }
}
