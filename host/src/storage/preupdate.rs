//! SQLite's pre-update hook: the one place that talks to it. It copies every changed row into a [`Recorder`].
//!
//! rusqlite offers the hook only with bindings generated at build time, so the five functions are called directly.
//! SQLite must be compiled with `SQLITE_ENABLE_PREUPDATE_HOOK`; `.cargo/config.toml` sees to that.
#![expect(unsafe_code, reason = "the hook is a C callback with a raw pointer")]

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use libsqlite3_sys as ffi;

use super::recorder::{Cell, Operation, Recorder, Row};

/// Makes every row change on `connection` known to `recorder`.
///
/// The recorder is boxed so that its address stays, and the caller must drop the connection before it.
pub(super) fn attach(connection: &rusqlite::Connection, recorder: &RefCell<Recorder>) {
    let context = std::ptr::from_ref(recorder).cast_mut().cast::<c_void>();
    // SAFETY: the handle is open, and `Connection` declares the recorder after the handle, so it outlives it.
    unsafe {
        ffi::sqlite3_preupdate_hook(connection.handle(), Some(on_change), context);
    }
}

unsafe extern "C" fn on_change(
    context: *mut c_void,
    db: *mut ffi::sqlite3,
    operation: c_int,
    _database: *const c_char,
    table: *const c_char,
    old_rowid: i64,
    new_rowid: i64,
) {
    // SAFETY: SQLite passes the pointer given to `attach` and a table name that ends in NUL.
    let (recorder, table) =
        unsafe { (&*context.cast::<RefCell<Recorder>>(), CStr::from_ptr(table).to_bytes()) };
    if table.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"_stoa_")) {
        return;
    }
    // A panic must not cross into C. The recorder is left marked, and the request cannot be kept.
    let recorded = catch_unwind(AssertUnwindSafe(|| {
        let mut recorder = recorder.borrow_mut();
        let (operation, rowid) = match operation {
            ffi::SQLITE_INSERT => (Operation::Insert, new_rowid),
            ffi::SQLITE_UPDATE => (Operation::Update, old_rowid),
            _ => (Operation::Delete, old_rowid),
        };
        recorder.record(operation, table, rowid, &Changed { db });
    }));
    if recorded.is_err()
        && let Ok(mut recorder) = recorder.try_borrow_mut()
    {
        recorder.mark_broken();
    }
}

/// The row that is about to change; alive only during the callback.
struct Changed {
    db: *mut ffi::sqlite3,
}

impl Changed {
    fn value(
        &self,
        get: unsafe extern "C" fn(*mut ffi::sqlite3, c_int, *mut *mut ffi::sqlite3_value) -> c_int,
        column: usize,
    ) -> Option<Cell<'_>> {
        let mut value = std::ptr::null_mut();
        let column = c_int::try_from(column).ok()?;
        // SAFETY: called inside the callback with its own handle. The value is owned by SQLite and stays until the
        // callback returns, which the lifetime of `self` stands for.
        unsafe {
            if get(self.db, column, &raw mut value) != ffi::SQLITE_OK || value.is_null() {
                return None;
            }
            Some(match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_INTEGER => Cell::Integer(ffi::sqlite3_value_int64(value)),
                ffi::SQLITE_FLOAT => Cell::Real(ffi::sqlite3_value_double(value)),
                ffi::SQLITE_TEXT => {
                    let text = ffi::sqlite3_value_text(value);
                    Cell::Text(bytes(text.cast(), ffi::sqlite3_value_bytes(value)))
                }
                ffi::SQLITE_BLOB => {
                    let blob = ffi::sqlite3_value_blob(value);
                    Cell::Blob(bytes(blob, ffi::sqlite3_value_bytes(value)))
                }
                _ => Cell::Null,
            })
        }
    }
}

unsafe fn bytes<'a>(start: *const c_void, length: c_int) -> &'a [u8] {
    match usize::try_from(length) {
        // SAFETY: SQLite answers the length of the very buffer it just answered.
        Ok(length) if length > 0 && !start.is_null() => unsafe {
            std::slice::from_raw_parts(start.cast(), length)
        },
        _ => &[],
    }
}

impl Row for Changed {
    fn columns(&self) -> usize {
        // SAFETY: called inside the callback with its own handle.
        usize::try_from(unsafe { ffi::sqlite3_preupdate_count(self.db) }).unwrap_or(0)
    }

    fn before(&self, column: usize) -> Option<Cell<'_>> {
        self.value(ffi::sqlite3_preupdate_old, column)
    }

    fn after(&self, column: usize) -> Option<Cell<'_>> {
        self.value(ffi::sqlite3_preupdate_new, column)
    }
}
