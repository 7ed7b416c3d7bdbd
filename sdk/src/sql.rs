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
    Ok((0..rows.count).map(|_| T::from_row(&mut reader)).collect::<Result<_, _>>()?)
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

    /// Opens a SELECT that is read in parts.
    ///
    /// # Errors
    /// The host's refusal.
    pub fn cursor(&self, sql: Sql, params: &[&dyn Param]) -> Result<Cursor> {
        self.backend.sql_open(sql.text(), bound(params)).map(Cursor)
    }
}

/// A SELECT that is read in parts.
pub struct Cursor(Box<dyn RawCursor>);

impl Cursor {
    /// The next rows, `max` at most; fewer only at the end.
    ///
    /// # Errors
    /// The host's refusal.
    pub fn next<T: FromRow>(&mut self, max: u32) -> Result<Vec<T>> {
        decoded(&self.0.next(max)?)
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn a_text_is_listed_behind_its_length() {
        assert_eq!(listed::<7>("a'b"), *b"\x03\0\0\0a'b");
        assert_eq!(crate::sql!("select ", 1).text(), "select 1");
    }
}
