//! What a plugin can reach, as a plain trait: the host inside a component, memory in native tests.

use crate::error::{Failure, Result};
use crate::id::RecordId;

/// The organization for which a call runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: RecordId,
    /// Its key in addresses: `acme`.
    pub slug: String,
    /// For people.
    pub name: String,
    /// IANA time zone.
    pub zone: String,
    /// BCP 47.
    pub locale: String,
    /// ISO 4217 code of the base currency.
    pub currency: String,
}

/// On whose behalf a call runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    /// Its id.
    pub id: RecordId,
    /// `user`, `api-key`, `plugin` or `platform`. Others may come.
    pub kind: String,
    /// For people.
    pub name: String,
    /// The primary team first.
    pub teams: Vec<RecordId>,
    /// `owner`, `manager`, `rep`, `readonly`, or the organization's own.
    pub roles: Vec<String>,
}

/// A record, packed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RawRow {
    /// Id.
    pub id: RecordId,
    /// Version.
    pub version: u64,
    /// System cells, then the declared fields.
    pub cells: Vec<u8>,
}

/// A change of some fields of one record, packed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RawChange {
    /// Id.
    pub id: RecordId,
    /// The version that the change was decided on.
    pub version: Option<u64>,
    /// Values of the fields named beside the list.
    pub cells: Vec<u8>,
}

/// A part of a query's result, packed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RawRows {
    /// Columns per row.
    pub columns: u32,
    /// Rows in `cells`.
    pub count: u32,
    /// Row-major.
    pub cells: Vec<u8>,
    /// Whether a limit cut the result.
    pub more: bool,
}

/// A draft, packed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RawDraft {
    /// Id.
    pub id: RecordId,
    /// The row in the file.
    pub before: Option<Vec<u8>>,
    /// The row as it will be.
    pub after: Vec<u8>,
}

/// A hook's answer for one draft.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RawVerdict {
    /// The declared fields as the plugin wants them.
    pub fields: Option<Vec<u8>>,
    /// Why the record must not be written.
    pub failures: Vec<Failure>,
}

/// A finished report, packed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RawReport {
    /// Row-major.
    pub cells: Vec<u8>,
    /// Rows in `cells`.
    pub count: u32,
    /// A JSON object, or empty.
    pub notes: String,
}

/// A query that is read in parts.
pub trait RawCursor {
    /// The next rows, `max` at most; fewer only at the end.
    ///
    /// # Errors
    /// The host's refusal.
    fn next(&mut self, max: u32) -> Result<RawRows>;
}

/// Every door of the contract that this SDK opens. The functions are those of `sdk/wit/v1`.
#[expect(missing_docs, clippy::missing_errors_doc, reason = "sdk/wit/v1 documents each function")]
pub trait Backend {
    fn organization(&self) -> Organization;
    fn principal(&self) -> Principal;
    fn request_id(&self) -> String;
    fn source(&self) -> String;
    fn remaining_ms(&self) -> u32;
    fn allows(&self, object: &str, action: &str) -> bool;

    fn now(&self) -> i64;
    fn today(&self) -> String;
    fn random_bytes(&self, length: u32) -> Vec<u8>;
    fn random_id(&self) -> RecordId;
    fn log(&self, level: &str, message: &str);
    fn setting(&self, key: &str) -> Option<String>;

    fn get(&self, entity: &str, id: RecordId, authority: &str) -> Result<Option<RawRow>>;
    fn find(
        &self,
        entity: &str,
        filter: &str,
        sort: &str,
        limit: u32,
        authority: &str,
    ) -> Result<Vec<RawRow>>;
    fn create(
        &self,
        entity: &str,
        fields: &[String],
        rows: Vec<Vec<u8>>,
        authority: &str,
    ) -> Result<Vec<RecordId>>;
    fn update(
        &self,
        entity: &str,
        fields: &[String],
        changes: Vec<RawChange>,
        authority: &str,
    ) -> Result<Vec<u64>>;
    fn delete(&self, entity: &str, ids: &[RecordId], authority: &str) -> Result<()>;

    fn sql_read(&self, text: &str, params: Vec<u8>) -> Result<RawRows>;
    fn sql_run(&self, text: &str, params: Vec<Vec<u8>>) -> Result<u64>;
    fn sql_open(&self, text: &str, params: Vec<u8>) -> Result<Box<dyn RawCursor>>;
}
