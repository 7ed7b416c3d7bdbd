//! How many cells the sheets of an OpenDocument workbook have once their repetitions are written out. A cell may say
//! "a million times", and the parser obeys; so they are counted before.

use std::io::Read;

use super::refused;
use crate::records::import::ImportError;

/// Most cells of a workbook that is held in memory.
const CELLS: u64 = 2_000_000;
/// Longest tag that is looked at; in a longer one nobody repeats anything.
const TAG: usize = 64 * 1024;

/// Counts.
#[derive(Default)]
struct Count {
    cells: u64,
    widest: u64,
    /// Of the row at hand: its repetitions, cells up to the last that has something, and empty ones behind it.
    rows: u64,
    width: u64,
    behind: u64,
    /// Rows without anything since the last that had something.
    blank: u64,
}

impl Count {
    fn tag(&mut self, tag: &[u8]) -> Option<()> {
        let name = tag.split(|byte| byte.is_ascii_whitespace() || *byte == b'/').next().unwrap_or_default();
        match name {
            b"table:table-row" => {
                self.end_row();
                self.rows = repeated(tag, b"table:number-rows-repeated=")?;
            }
            b"table:table-cell" | b"table:covered-table-cell" => {
                let times = repeated(tag, b"table:number-columns-repeated=")?;
                if tag.ends_with(b"/")
                    && !tag.windows(13).any(|window| window == b"office:value-" || window == b"office:value=")
                {
                    self.behind = self.behind.saturating_add(times);
                } else {
                    self.width = self.width.saturating_add(self.behind).saturating_add(times);
                    self.behind = 0;
                }
            }
            b"table:table" => {
                self.end_row();
                (self.blank, self.widest) = (0, 0);
            }
            _ => {}
        }
        Some(())
    }

    fn end_row(&mut self) {
        if self.width == 0 {
            self.blank = self.blank.saturating_add(self.rows);
        } else {
            self.widest = self.widest.max(self.width);
            let rows = self.rows.saturating_add(std::mem::take(&mut self.blank));
            self.cells = self.cells.saturating_add(rows.saturating_mul(self.widest));
        }
        (self.rows, self.width, self.behind) = (0, 0, 0);
    }
}

/// The number behind the attribute; 1 without it. `None` when it is no plain number.
fn repeated(tag: &[u8], attribute: &[u8]) -> Option<u64> {
    let Some(at) = tag.windows(attribute.len()).position(|window| window == attribute) else {
        return Some(1);
    };
    let value = tag.get(at + attribute.len() + 1..)?;
    let digits = value.split(|byte| matches!(byte, b'"' | b'\'')).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Refuses a document with more cells than fit.
pub(super) fn check(content: impl Read) -> Result<(), ImportError> {
    let damaged = || refused("invalid_workbook", "the workbook is damaged: its content cannot be read");
    let mut content = std::io::BufReader::with_capacity(1 << 16, content);
    let (mut chunk, mut tag, mut inside, mut quote) = (vec![0; 1 << 16], Vec::new(), false, None);
    let mut count = Count::default();
    loop {
        let read = content.read(&mut chunk).map_err(|_| damaged())?;
        for byte in chunk.get(..read).unwrap_or_default() {
            match (inside, quote, *byte) {
                (false, _, b'<') => {
                    tag.clear();
                    inside = true;
                }
                (true, None, b'>') => {
                    inside = false;
                    count.tag(&tag).ok_or_else(damaged)?;
                }
                (true, open, byte) => {
                    quote = match (open, byte) {
                        (None, b'"' | b'\'') => Some(byte),
                        (Some(sign), byte) if sign == byte => None,
                        (open, _) => open,
                    };
                    if tag.len() >= TAG {
                        return Err(damaged());
                    }
                    tag.push(byte);
                }
                _ => {}
            }
        }
        if read == 0 {
            break;
        }
        if count.cells > CELLS {
            break;
        }
    }
    count.end_row();
    if count.cells > CELLS {
        let detail = format!(
            "the workbook has more than {CELLS} cells; save it as .xlsx or CSV, which have no such bound"
        );
        return Err(refused("file_too_large", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(rows: &str) -> bool {
        let content = format!("<?xml version=\"1.0\"?><table:table table:name=\"a>b\">{rows}</table:table>");
        check(content.as_bytes()).is_ok()
    }

    #[test]
    fn repetitions_are_counted_where_something_follows_them() {
        let cell = "<table:table-cell office:value-type=\"string\"><text:p>x</text:p></table:table-cell>";
        let empty = |times: u64| format!("<table:table-cell table:number-columns-repeated=\"{times}\"/>");
        let row = |times: u64, cells: &str| {
            format!("<table:table-row table:number-rows-repeated='{times}'>{cells}</table:table-row>")
        };
        assert!(fits(&row(1, cell)));
        // What every program writes: nothing up to the end of the sheet.
        assert!(fits(
            &[row(1, &format!("{cell}{}", empty(16_000))), row(1_048_000, &empty(16_384))].concat()
        ));
        assert!(!fits(&row(1_000, &format!("{}{cell}", empty(16_000)))));
        assert!(!fits(&[row(1, &cell.repeat(3)), row(1_000_000, &empty(1)), row(1, cell)].concat()));
        assert!(!fits(&row(3_000_000, cell)));
        let wide = "<table:table-cell office:value=\"1\" table:number-columns-repeated=\"16384\"/>";
        assert!(!fits(&row(1, wide).repeat(200)));
        assert!(!fits("<table:table-row table:number-rows-repeated=\"x\"></table:table-row>"));
    }
}
