//! SQLite's limits of size and depth, for the host's statements and for a plugin's.

use rusqlite::limits::Limit;

/// Values for a connection.
pub(super) type Limits = [(Limit, i32); 9];

// Host and plugin share a handle, and these limits act while a statement is compiled or run; so each side has its own.
pub(super) const HOST_LIMITS: Limits = [
    (Limit::SQLITE_LIMIT_LENGTH, 64 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
    (Limit::SQLITE_LIMIT_COLUMN, 2_000),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 1_000),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 500),
    (Limit::SQLITE_LIMIT_VDBE_OP, 1_000_000),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 32_766),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 1_000),
];

// Twice the 64 KiB a plugin may send: the host puts its views before a caller's statement.
pub(super) const PLUGIN_LIMITS: Limits = [
    (Limit::SQLITE_LIMIT_LENGTH, 4 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 128 << 10),
    (Limit::SQLITE_LIMIT_COLUMN, 256),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 999),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
];

/// Puts limits into force.
pub(super) fn set(connection: &rusqlite::Connection, limits: &Limits) -> rusqlite::Result<()> {
    for (limit, value) in limits {
        connection.set_limit(*limit, *value)?;
    }
    Ok(())
}
