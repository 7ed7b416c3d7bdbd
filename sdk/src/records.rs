//! Typed records of the plugin's own entities, with every rule: permissions, declared rules, hooks, change log.

use std::marker::PhantomData;

use serde_json::{Value, json};

use crate::backend::{Backend, RawChange};
use crate::cells::Cells;
use crate::entity::{Entity, Record};
use crate::error::{Refusal, Result};
use crate::field::{Stored as _, Wire};
use crate::id::{Reference, UserId};

const AS_CALLER: &str = "caller";
const AS_PLUGIN: &str = "plugin";
/// The one system column that a plugin may write beside the declared fields.
const OWNER: &str = "owner_id";

/// What to find: conditions that all must hold, an order, a limit.
#[derive(Clone, Debug)]
pub struct Find {
    conditions: Vec<Value>,
    sort: String,
    limit: u32,
}

impl Find {
    /// All records, 1000 at most.
    #[must_use]
    pub const fn all() -> Self {
        Self { conditions: Vec::new(), sort: String::new(), limit: 1000 }
    }

    fn with(mut self, field: &str, op: &str, value: Value) -> Self {
        self.conditions.push(json!({ "field": field, "op": op, "value": value }));
        self
    }

    /// The field has this value.
    #[must_use]
    pub fn eq(self, field: &str, value: &impl Wire) -> Self {
        self.with(field, "eq", value.to_json())
    }

    /// The field has one of these values.
    #[must_use]
    pub fn one_of<T: Wire>(self, field: &str, values: &[T]) -> Self {
        self.with(field, "in", values.iter().map(T::to_json).collect())
    }

    /// The field has no value.
    #[must_use]
    pub fn empty(self, field: &str) -> Self {
        self.with(field, "empty", true.into())
    }

    /// The order: `-amount,name`.
    #[must_use]
    pub fn sort(mut self, sort: &str) -> Self {
        sort.clone_into(&mut self.sort);
        self
    }

    /// How many at most, 1 to 1000.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit.clamp(1, 1000);
        self
    }

    fn filter(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { json!({ "and": self.conditions }).to_string() }
    }
}

/// Records of the entity `T`.
#[derive(Clone, Copy)]
pub struct Records<'a, T> {
    backend: &'a dyn Backend,
    authority: &'static str,
    entity: PhantomData<fn() -> T>,
}

impl<'a, T: Entity> Records<'a, T> {
    pub(crate) const fn new(backend: &'a dyn Backend) -> Self {
        Self { backend, authority: AS_CALLER, entity: PhantomData }
    }

    /// The same with the plugin's own authority, which may do everything. Needs the permission `records.as-plugin`
    /// and is marked in the change log.
    #[must_use]
    pub const fn as_plugin(self) -> Self {
        Self { authority: AS_PLUGIN, ..self }
    }

    /// The record.
    ///
    /// # Errors
    /// `not-found` when there is none that this authority may read.
    pub fn get(&self, id: Reference<T>) -> Result<Record<T>> {
        self.look(id)?.ok_or_else(|| Refusal::not_found(T::KEY))
    }

    /// The record, if there is one that this authority may read.
    ///
    /// # Errors
    /// The host's refusal.
    pub fn look(&self, id: Reference<T>) -> Result<Option<Record<T>>> {
        let row = self.backend.get(T::KEY, id.id(), self.authority)?;
        Ok(row.map(|row| Record::from_row(row.id, row.version, &row.cells)).transpose()?)
    }

    /// The records that fit.
    ///
    /// # Errors
    /// The host's refusal.
    pub fn find(&self, what: &Find) -> Result<Vec<Record<T>>> {
        let rows = self.backend.find(T::KEY, &what.filter(), &what.sort, what.limit, self.authority)?;
        let rows = rows.into_iter().map(|row| Record::from_row(row.id, row.version, &row.cells));
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Creates a record, owned by the principal.
    ///
    /// # Errors
    /// Every rule that it breaks.
    pub fn create(&self, record: &T) -> Result<Reference<T>> {
        let ids = self.create_all(std::slice::from_ref(record))?;
        ids.first().copied().ok_or_else(|| Refusal::failed("no_id", "the host answered no id"))
    }

    /// Creates records in one call.
    ///
    /// # Errors
    /// Every rule that one of them breaks; then none is created.
    pub fn create_all(&self, records: &[T]) -> Result<Vec<Reference<T>>> {
        let fields: Vec<String> = T::FIELDS.iter().map(|(key, _)| (*key).to_owned()).collect();
        let rows = records.iter().map(|record| packed(record, None)).collect();
        self.create_rows(&fields, rows)
    }

    /// Creates records for these owners in one call.
    ///
    /// # Errors
    /// As for [`Records::create_all`].
    pub fn create_for(&self, records: &[(Option<UserId>, T)]) -> Result<Vec<Reference<T>>> {
        let own = [OWNER].into_iter().chain(T::FIELDS.iter().map(|(key, _)| *key));
        let fields: Vec<String> = own.map(str::to_owned).collect();
        let rows = records.iter().map(|(owner, record)| packed(record, Some(*owner))).collect();
        self.create_rows(&fields, rows)
    }

    fn create_rows(&self, fields: &[String], rows: Vec<Vec<u8>>) -> Result<Vec<Reference<T>>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids = self.backend.create(T::KEY, fields, rows, self.authority)?;
        Ok(ids.into_iter().map(Reference::from).collect())
    }

    /// Writes the changed fields of a record, its owner among them, if it still has the version that was read. Hooks may change more of it:
    /// [`get`](Self::get) it again to see.
    ///
    /// # Errors
    /// Every rule that the change breaks.
    pub fn save(&self, record: &mut Record<T>) -> Result<()> {
        self.save_all(std::slice::from_mut(record))
    }

    /// Writes the changed fields of these records, and their changed owners, in one call.
    ///
    /// # Errors
    /// Every rule that one of the changes breaks; then none is written.
    pub fn save_all(&self, records: &mut [Record<T>]) -> Result<()> {
        let mut changed = Vec::new();
        let mut positions = Vec::new();
        let mut owners = false;
        for record in records {
            let of_record = record.changed()?;
            if !of_record.is_empty() || record.changed_owner() {
                owners |= record.changed_owner();
                positions.extend(of_record);
                changed.push(record);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        positions.sort_unstable();
        positions.dedup();

        let keys = positions.iter().filter_map(|at| T::FIELDS.get(*at)).map(|(key, _)| *key);
        let fields: Vec<String> =
            owners.then_some(OWNER).into_iter().chain(keys).map(str::to_owned).collect();
        let mut changes = Vec::with_capacity(changed.len());
        for record in &changed {
            let cells = record.cells_of(owners, &positions)?;
            changes.push(RawChange { id: record.id.id(), version: Some(record.version), cells });
        }
        let versions = self.backend.update(T::KEY, &fields, changes, self.authority)?;
        for (record, version) in changed.into_iter().zip(versions) {
            record.saved(version);
        }
        Ok(())
    }

    /// Moves records to the recycle bin.
    ///
    /// # Errors
    /// The host's refusal.
    pub fn delete(&self, ids: &[Reference<T>]) -> Result<()> {
        let ids: Vec<_> = ids.iter().map(|id| id.id()).collect();
        self.backend.delete(T::KEY, &ids, self.authority)
    }
}

fn packed<T: Entity>(record: &T, owner: Option<Option<UserId>>) -> Vec<u8> {
    let mut cells = Cells::new();
    if let Some(owner) = owner {
        owner.write(&mut cells);
    }
    record.write(&mut cells);
    cells.into_bytes()
}
