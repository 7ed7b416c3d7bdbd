//! Packed cells: the form in which values cross between plugin and host. `sdk/wit/v1/types.wit` defines it.

use crate::error::Refusal;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// The cells end in the middle of a value, a tag is unknown, or a value is not of the declared type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Self::failed("malformed_cells", "a value does not have the form that its declaration promises")
    }
}

/// One value, borrowed from the buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Absent.
    Null,
    /// An integer.
    Integer(i64),
    /// A double. Entities have none; a query may.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// Values, packed one after the other.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cells(Vec<u8>);

impl Cells {
    /// No values.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a value.
    pub fn push(&mut self, cell: Cell<'_>) {
        match cell {
            Cell::Null => self.0.push(NULL),
            Cell::Integer(value) => {
                self.0.push(INTEGER);
                self.0.extend_from_slice(&value.to_le_bytes());
            }
            Cell::Real(value) => {
                self.0.push(REAL);
                self.0.extend_from_slice(&value.to_le_bytes());
            }
            Cell::Text(text) => self.counted(TEXT, text.as_bytes()),
            Cell::Blob(bytes) => self.counted(BLOB, bytes),
        }
    }

    fn counted(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        // A component's memory ends long before a length of 32 bits does.
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// Appends values that are packed already.
    pub fn extend(&mut self, packed: &[u8]) {
        self.0.extend_from_slice(packed);
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to hand over.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads values one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether every value is read.
    #[must_use]
    pub const fn at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// What is not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    fn word(&mut self) -> Result<[u8; 8], Malformed> {
        self.take(8)?.try_into().map_err(|_| Malformed)
    }

    fn counted(&mut self) -> Result<&'a [u8], Malformed> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| Malformed)?);
        self.take(usize::try_from(length).map_err(|_| Malformed)?)
    }

    /// Whether the next value is absent.
    #[must_use]
    pub(crate) const fn at_null(&self) -> bool {
        matches!(self.0, [NULL, ..])
    }

    /// The next value, which is an integer. Like [`Reader::text`] faster than [`Reader::cell`]: rows are read with these.
    #[inline]
    pub(crate) fn integer(&mut self) -> Result<i64, Malformed> {
        self.tag(INTEGER)?;
        self.word().map(i64::from_le_bytes)
    }

    /// The next value, which is text.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        self.tag(TEXT)?;
        std::str::from_utf8(self.counted()?).map_err(|_| Malformed)
    }

    #[inline]
    fn tag(&mut self, wanted: u8) -> Result<(), Malformed> {
        match self.0 {
            [tag, rest @ ..] if *tag == wanted => {
                self.0 = rest;
                Ok(())
            }
            _ => Err(Malformed),
        }
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        match self.take(1)? {
            [NULL] => Ok(()),
            [INTEGER | REAL] => self.word().map(drop),
            [TEXT | BLOB] => self.counted().map(drop),
            _ => Err(Malformed),
        }
    }

    /// The next value.
    ///
    /// # Errors
    /// [`Malformed`] at the end and where the bytes are not cells.
    pub fn cell(&mut self) -> Result<Cell<'a>, Malformed> {
        match self.take(1)? {
            [NULL] => Ok(Cell::Null),
            [INTEGER] => Ok(Cell::Integer(i64::from_le_bytes(self.word()?))),
            [REAL] => Ok(Cell::Real(f64::from_le_bytes(self.word()?))),
            [TEXT] => std::str::from_utf8(self.counted()?).map(Cell::Text).map_err(|_| Malformed),
            [BLOB] => self.counted().map(Cell::Blob),
            _ => Err(Malformed),
        }
    }

    /// The bytes of the next `count` values, undecoded: texts may not be UTF-8.
    ///
    /// # Errors
    /// As for [`Reader::cell`].
    pub fn packed(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let from = self.0;
        for _ in 0..count {
            self.skip()?;
        }
        from.get(..from.len() - self.0.len()).ok_or(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packed_values_come_back(integer in any::<i64>(), text in ".*", blob in any::<Vec<u8>>(), real in -1e9..1e9_f64) {
            let cells = [Cell::Null, Cell::Integer(integer), Cell::Text(&text), Cell::Blob(&blob), Cell::Real(real)];
            let mut packed = Cells::new();
            cells.iter().for_each(|cell| packed.push(*cell));
            let mut reader = Reader::new(packed.as_bytes());
            for cell in cells {
                prop_assert_eq!(reader.cell(), Ok(cell));
            }
            prop_assert!(reader.at_end());

            let mut reader = Reader::new(packed.as_bytes());
            prop_assert!(reader.at_null());
            prop_assert_eq!((reader.integer(), reader.text()), (Err(Malformed), Err(Malformed)), "it is not left behind");
            prop_assert_eq!(reader.packed(1), Ok(&packed.as_bytes()[..1]));
            prop_assert!(!reader.at_null());
            prop_assert_eq!((reader.integer(), reader.text()), (Ok(integer), Ok(&*text)));
            prop_assert_eq!(reader.packed(2).map(<[u8]>::len), Ok(blob.len() + 5 + 9));
            prop_assert!(reader.at_end());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>()) {
            let mut reader = Reader::new(&bytes);
            while reader.cell().is_ok() {}
            let mut reader = Reader::new(&bytes);
            while reader.packed(1).is_ok() {}
        }
    }
}
