//! What the stories share with the long runs of `cargo xtask`: a sales extract, and the steps of the tutorial.

#![expect(clippy::indexing_slicing, clippy::panic, reason = "a story reports by failing")]

mod extract;
pub mod kills;
pub mod npm;
pub mod tutorial;

use serde_json::Value;

pub use extract::Extract;

/// A text member of a JSON object.
///
/// # Panics
/// When it is not there.
#[track_caller]
#[must_use]
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no text `{member}` in {value}"))
}

/// A record's id.
///
/// # Panics
/// When it has none.
#[track_caller]
#[must_use]
pub fn id(value: &Value) -> &str {
    text(value, "id")
}

/// The exact count of a list.
///
/// # Panics
/// When the list does not say it.
#[track_caller]
#[must_use]
pub fn count(client: &stoa_testkit::Client, path: &str) -> u64 {
    let glue = if path.contains('?') { '&' } else { '?' };
    let page = client.get(&format!("{path}{glue}limit=1&count=exact")).ok();
    page["count"].as_u64().unwrap_or_else(|| panic!("no count in {page}"))
}
