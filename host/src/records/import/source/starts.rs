//! On which line of a file a record starts, as people and their editors count.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Result};
use std::path::Path;

use csv::Position;

/// Follows the parser through the file. The parser skips blank lines, and says where it was before them.
pub(in crate::records::import) struct Starts {
    file: BufReader<File>,
    at: u64,
}

impl Starts {
    pub(in crate::records::import) fn new(path: &Path) -> Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?), at: 0 })
    }

    /// The line of the record that the parser found from `position` on.
    pub(in crate::records::import) fn line(&mut self, position: Option<&Position>) -> Result<u64> {
        let Some(position) = position else {
            return Ok(0);
        };
        let ahead = i128::from(position.byte()) - i128::from(self.at);
        self.file.seek_relative(i64::try_from(ahead).unwrap_or_default())?;
        self.at = position.byte();
        let mut line = position.line();
        loop {
            let buffer = self.file.fill_buf()?;
            let blank = buffer.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
            let (bytes, ends) =
                blank.fold((0, 0), |(bytes, ends), byte| (bytes + 1, ends + u64::from(*byte == b'\n')));
            let done = bytes < buffer.len() || bytes == 0;
            self.file.consume(bytes);
            self.at += bytes as u64;
            line += ends;
            if done {
                return Ok(line);
            }
        }
    }
}
