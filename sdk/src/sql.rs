//! SQL on the plugin's own file. Texts are written in the source with [`sql!`](crate::sql!), values are bound.

use crate::backend::{Backend, RawCursor, RawRows};
use crate::cells::{Cell, Cells, Malformed, Reader};
use crate::error::Result;
use crate::field::Stored;

/// A statement that was written in the source. Nothing else converts to it, so a pasted-together text does not compile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sql(&'static str);

impl Sql {
    /// For [`sql!`](crate::sql!) only.
    #[doc(hidden)]
    #[must_use]
    pub const fn from_source(text: &'static str) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        self.0
    }
}

/// A statement: `sql!("select count(*) from visible_note where done = ?1")`. Parts are joined as `concat!` does.
///
/// The text is also written into the component's custom section `stoa:sql`, out of which the package's `sql.json` is made. A
/// host runs no other text, so a statement cannot come into being while the plugin runs.
#[macro_export]
macro_rules! sql {
    ($($text:literal),+ $(,)?) => {{
        const TEXT: &str = concat!($($text),+);
        #[cfg(target_family = "wasm")]
        const _: () = {
            #[unsafe(link_section = "stoa:sql")]
            static LISTED: [u8; TEXT.len() + 4] = $crate::sql::listed(TEXT);
        };
        $crate::Sql::from_source(TEXT)
    }};
}

/// A text as it stands in the section: its length as four bytes, little endian, and itself. For [`sql!`](crate::sql!) only.
///
/// # Panics
/// At compile time, should the array have another length.
#[doc(hidden)]
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "evaluated by the compiler; a host takes 64 KiB"
)]
pub const fn listed<const N: usize>(text: &str) -> [u8; N] {
    let (text, mut bytes) = (text.as_bytes(), [0; N]);
    let length = (text.len() as u32).to_le_bytes();
    let mut at = 0;
    while at < N {
        bytes[at] = if at < 4 { length[at] } else { text[at - 4] };
        at += 1;
    }
    bytes
}

/// A value that can be bound to a parameter. Money takes two.
pub trait Param {
    /// Appends its cells.
    fn bind(&self, out: &mut Cells);
}

impl<T: Stored> Param for T {
    fn bind(&self, out: &mut Cells) {
        self.write(out);
    }
}

impl Param for &str {
    fn bind(&self, out: &mut Cells) {
        out.push(Cell::Text(self));
    }
}

/// What a row of a result becomes: tuples of field types, and structs with `#[entity(row)]`.
pub trait FromRow: Sized {
    /// Columns that it takes.
    const COLUMNS: usize;

    /// Reads one row.
    ///
    /// # Errors
    /// The columns are of other types.
    fn from_row(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Tuples of up to ten columns.
macro_rules! tuple_rows {
    ($(($($name:ident),+);)+) => {$(
        impl<$($name: Stored),+> FromRow for ($($name,)+) {
            const COLUMNS: usize = 0 $(+ $name::CELLS)+;

            fn from_row(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(($($name::read(reader)?,)+))
            }
        }
    )+};
}

tuple_rows! {
    (A); (A, B); (A, B, C); (A, B, C, D); (A, B, C, D, E); (A, B, C, D, E, F); (A, B, C, D, E, F, G);
    (A, B, C, D, E, F, G, H); (A, B, C, D, E, F, G, H, I); (A, B, C, D, E, F, G, H, I, J);
}

fn bound(params: &[&dyn Param]) -> Vec<u8> {
    let mut cells = Cells::new();
    params.iter().for_each(|param| param.bind(&mut cells));
    cells.into_bytes()
}

fn decoded<T: FromRow>(rows: &RawRows) -> Result<Vec<T>> {
    if rows.count > 0 && usize::try_from(rows.columns) != Ok(T::COLUMNS) {
        return Err(Malformed.into());
    }
    let mut reader = Reader::new(&rows.cells);
    // A row has a byte for each column at least: what the count promises beyond that is not there.
    let promised = usize::try_from(rows.count).unwrap_or(usize::MAX);
    let mut decoded = Vec::with_capacity(promised.min(rows.cells.len()));
    for _ in 0..rows.count {
        decoded.push(T::from_row(&mut reader)?);
    }
    Ok(decoded)
}

/// The plugin's file of this organization.
#[derive(Clone, Copy)]
pub struct Database<'a> {
    backend: &'a dyn Backend,
}

impl<'a> Database<'a> {
    pub(crate) const fn new(backend: &'a dyn Backend) -> Self {
        Self { backend }
    }

    /// Runs a SELECT and decodes its rows. A result above 10,000 rows or 4 MiB is an error: read it with a
    /// [`cursor`](Self::cursor), or count in SQL.
    ///
    /// # Errors
    /// The host's refusal, other columns than `T` has, or a result that was cut.
    pub fn read<T: FromRow>(&self, sql: Sql, params: &[&dyn Param]) -> Result<Vec<T>> {
        let rows = self.backend.sql_read(sql.text(), bound(params))?;
        if rows.more {
            let detail = "the result was cut; read it with a cursor or aggregate it in SQL";
            return Err(crate::Refusal {
                kind: "limit".into(),
                ..crate::Refusal::failed("result_cut", detail)
            });
        }
        decoded(&rows)
    }

    /// Runs an INSERT, UPDATE or DELETE on a private table; answers the rows changed.
    ///
    /// # Errors
    /// The host's refusal.
    pub fn run(&self, sql: Sql, params: &[&dyn Param]) -> Result<u64> {
        self.backend.sql_run(sql.text(), vec![bound(params)])
    }

    /// Runs it once for each list of parameters, in one call.
    ///
    /// # Errors
    /// The host's refusal.
    pub fn run_many(&self, sql: Sql, params: &[&[&dyn Param]]) -> Result<u64> {
        self.backend.sql_run(sql.text(), params.iter().map(|params| bound(params)).collect())
    }

    /// Opens a SELECT that is read in parts: its result as it stood then, whatever the call writes afterwards. A call has eight
    /// cursors and 16 MiB of their results open at most; dropping one makes room.
    ///
    /// # Errors
    /// The host's refusal.
    pub fn cursor(&self, sql: Sql, params: &[&dyn Param]) -> Result<Cursor> {
        self.backend.sql_open(sql.text(), bound(params)).map(Cursor)
    }
}

/// Rows that the iterator of a cursor asks for at a time: few enough for the memory of a call, many enough for its calls.
const PART: u32 = 1_000;

/// A SELECT that is read in parts.
pub struct Cursor(Box<dyn RawCursor>);

impl Cursor {
    /// The next rows, `max` at most; fewer at the end, and where a part would be larger than 10,000 rows or 4 MiB. None: the
    /// end.
    ///
    /// # Errors
    /// The host's refusal.
    pub fn next<T: FromRow>(&mut self, max: u32) -> Result<Vec<T>> {
        decoded(&self.0.next(max)?)
    }

    /// The rows that are left, one by one, fetched a thousand at a time. After an error it ends.
    #[must_use]
    pub fn rows<T: FromRow>(self) -> Rows<T> {
        Rows { cursor: Some(self), part: Vec::new().into_iter() }
    }
}

/// The rows of a cursor. It is closed at its end, or when it is dropped.
pub struct Rows<T> {
    cursor: Option<Cursor>,
    part: std::vec::IntoIter<T>,
}

impl<T: FromRow> Iterator for Rows<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.part.next() {
            return Some(Ok(row));
        }
        match self.cursor.as_mut()?.next(PART) {
            Ok(part) => self.part = part.into_iter(),
            Err(refusal) => {
                self.cursor = None;
                return Some(Err(refusal));
            }
        }
        let row = self.part.next();
        if row.is_none() {
            self.cursor = None;
        }
        row.map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_listed_behind_its_length() {
        assert_eq!(listed::<7>("a'b"), *b"\x03\0\0\0a'b");
        assert_eq!(crate::sql!("select ", 1).text(), "select 1");
    }

    /// Parts as a host may give them: full ones, one that a limit cut, none.
    struct Parts(Vec<Result<RawRows>>);

    impl RawCursor for Parts {
        fn next(&mut self, max: u32) -> Result<RawRows> {
            assert_eq!(max, PART);
            if self.0.is_empty() { Ok(RawRows::default()) } else { self.0.remove(0) }
        }
    }

    fn part(numbers: std::ops::Range<i64>, more: bool) -> Result<RawRows> {
        let mut cells = Cells::new();
        let count = u32::try_from(numbers.clone().count()).unwrap();
        numbers.for_each(|number| cells.push(Cell::Integer(number)));
        Ok(RawRows { columns: 1, count, cells: cells.into_bytes(), more })
    }

    #[test]
    fn the_rows_of_a_cursor_come_one_by_one_over_all_parts() {
        let parts = vec![part(0..1_000, true), part(1_000..1_700, true), part(1_700..2_000, false)];
        let rows: Result<Vec<(i64,)>> = Cursor(Box::new(Parts(parts))).rows().collect();
        assert_eq!(rows.unwrap(), (0..2_000).map(|number| (number,)).collect::<Vec<_>>());
    }

    #[test]
    fn a_refusal_ends_the_rows_of_a_cursor() {
        let refusal = || Err(crate::Refusal::failed("sql_deadline", "late"));
        let mut rows =
            Cursor(Box::new(Parts(vec![part(0..1, true), refusal(), part(1..2, false)]))).rows::<(i64,)>();
        assert_eq!(rows.next().map(Result::unwrap), Some((0,)));
        assert!(rows.next().unwrap().is_err());
        assert!(rows.next().is_none());
        let wrong = Cursor(Box::new(Parts(vec![part(0..2, false)]))).rows::<(i64, i64)>().next();
        assert!(wrong.unwrap().is_err(), "other columns than the rows have");
    }
}
