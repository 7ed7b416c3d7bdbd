//! One record that an import changed: its fields are again what they were.

use std::sync::Arc;

use super::image::Image;
use super::store::{self, Entry};
use super::{Outcome, Undo, changed_since, forbidden};
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::reference::Seen;
use crate::records::schema::{
    DELETED_AT, EXTERNAL_IDS, Entity, Field, ID, Kind, UPDATED_AT, UPDATED_BY, VERSION,
};
use crate::records::tx::Authority;
use crate::records::value::Value;
use crate::records::{derived, list, store as rows, write};

impl Undo<'_> {
    /// Gives the record the values from before the import.
    pub(super) fn restore(&self, entity: &Arc<Entity>, entry: &Entry) -> Result<Outcome, RecordError> {
        let history = store::history(&self.tx.conn, self.request, entry)?;
        let image = Image::of(entity, &history);
        let Some(current) = self.current(entity, entry.record)? else {
            return Ok(Outcome::Left("record_gone", Vec::new(), "the record was deleted for good".into()));
        };
        if current.get(DELETED_AT).is_some_and(|at| !at.is_null()) {
            let detail = "it is in the recycle bin; restore it there, then undo again".to_owned();
            return Ok(Outcome::Left("record_deleted", Vec::new(), detail));
        }
        let changed = image.changed_since(entity, &current);
        if !changed.is_empty() && !self.options.force {
            return Ok(changed_since(changed));
        }
        let after = image.before(&current);
        if after == current {
            return Ok(Outcome::Unchanged);
        }
        if !self.permitted(entity, "update", &current) {
            return Ok(forbidden("update"));
        }
        let locked = self.locked(entity, &current, &after);
        if !locked.is_empty() {
            let detail = "your roles do not let you write these fields".to_owned();
            return Ok(Outcome::Left("field_not_writable", locked, detail));
        }
        if let Some(left) = self.in_the_way(entity, entry.record, &current, &after)? {
            return Ok(left);
        }
        self.write(entity, &current, after)?;
        Ok(Outcome::Restored)
    }

    /// The record as it stands, in the recycle bin or not.
    pub(super) fn current(&self, entity: &Entity, id: RecordId) -> Result<Option<Vec<Value>>, RecordError> {
        Ok(list::rows(&self.tx.conn, entity, "id = ?1", "", &[Value::from(id)])?.pop())
    }

    /// Whether the caller may do this to the record; asked of the imported entity only.
    pub(super) fn permitted(&self, entity: &Entity, action: &str, current: &[Value]) -> bool {
        let principal = &self.tx.scope.caller.principal;
        let rows =
            self.asks_policy(entity).then(|| self.tx.scope.policy.decide(principal, &entity.object, action));
        write::permits(self.tx, entity, &rows, current)
    }

    /// The fields that would change and that the caller may not write: an old value is a value like any other.
    fn locked(&self, entity: &Entity, current: &[Value], after: &[Value]) -> Vec<String> {
        if !self.asks_policy(entity) {
            return Vec::new();
        }
        let changes = |field: &&Field| {
            let columns = if matches!(field.kind, Kind::Money) { 2 } else { 1 };
            (field.column..field.column + columns).any(|at| current.get(at) != after.get(at))
        };
        let changed = entity.fields.iter().filter(changes);
        let locked = changed.filter(|field| self.tx.scope.may_write(entity, field).is_err());
        locked.map(|field| field.key.to_string()).collect()
    }

    /// What keeps old values from coming back: others have them by now, or what they point at is gone. In a dry run what
    /// the import made is still there, and is in nobody's way.
    fn in_the_way(
        &self,
        entity: &Arc<Entity>,
        id: RecordId,
        current: &[Value],
        after: &[Value],
    ) -> Result<Option<Outcome>, RecordError> {
        let host = self.tx.on(Authority::Host);
        let mut seen = Seen::default();
        for field in &entity.fields {
            let value = after.get(field.column).cloned().unwrap_or_default();
            if value.is_null() || current.get(field.column) == Some(&value) {
                continue;
            }
            let holder =
                if field.unique { rows::holder(&self.tx.conn, entity, field, &value, id)? } else { None };
            if let Some(holder) = holder {
                if self.vanishes(holder)? {
                    return Ok(Some(Outcome::Restored));
                }
                let detail = format!("another record has the old value of {} by now", field.label);
                return Ok(Some(Outcome::Left("not_unique", vec![field.key.to_string()], detail)));
            }
            if !matches!(field.kind, Kind::Reference(..) | Kind::References(..)) {
                continue;
            }
            for target in value.id().into_iter().chain(derived::targets(&value)) {
                if seen.check(&host, field, target)?.is_err() {
                    let detail = format!("what {} pointed at is gone", field.label);
                    return Ok(Some(Outcome::Left(
                        "reference_not_found",
                        vec![field.key.to_string()],
                        detail,
                    )));
                }
            }
        }
        for (source, value) in external_ids(after) {
            let holder = rows::by_external_id(&self.tx.conn, entity, &source, &value)?;
            if let Some(holder) = holder.filter(|holder| *holder != id) {
                if self.vanishes(holder)? {
                    return Ok(Some(Outcome::Restored));
                }
                let detail = format!("another record has the old external id from {source} by now");
                return Ok(Some(Outcome::Left("not_unique", vec!["external_ids".into()], detail)));
            }
        }
        Ok(None)
    }

    /// Whether a record would be gone, were this no dry run.
    fn vanishes(&self, record: RecordId) -> Result<bool, RecordError> {
        Ok(self.options.dry_run && store::made(&self.tx.conn, self.request, record)?)
    }

    /// Writes the values with everything that is kept beside a row.
    fn write(&self, entity: &Entity, current: &[Value], mut after: Vec<Value>) -> Result<(), RecordError> {
        let (_, version) = list::identity_of(current);
        let author = Value::Id(*self.tx.scope.caller.principal.id.as_bytes());
        for (at, value) in [
            (VERSION, Value::Integer(i64::try_from(version + 1).unwrap_or(i64::MAX))),
            (UPDATED_AT, Value::Integer(self.tx.now)),
            (UPDATED_BY, author),
        ] {
            if let Some(slot) = after.get_mut(at) {
                *slot = value;
            }
        }
        let names: Vec<String> = entity.columns().collect();
        let changed: Vec<usize> =
            (ID + 1..entity.width).filter(|at| current.get(*at) != after.get(*at)).collect();
        rows::update(&self.tx.conn, entity, &names, &changed, &after)?;
        derived::refresh(&self.tx.conn, entity, Some(current), Some(&after))?;
        let Some(id) = after.get(ID).and_then(Value::id) else {
            return Ok(());
        };
        rows::set_external_ids(&self.tx.conn, entity, id, &external_ids(&after))
    }
}

fn external_ids(values: &[Value]) -> Vec<(String, String)> {
    let text = values.get(EXTERNAL_IDS).and_then(Value::text);
    let ids: Option<std::collections::BTreeMap<String, String>> =
        text.and_then(|text| serde_json::from_str(text).ok());
    ids.unwrap_or_default().into_iter().collect()
}
