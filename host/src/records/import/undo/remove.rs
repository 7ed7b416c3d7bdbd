//! One record that an import made: it goes to the recycle bin, unless it is somebody else's by now.

use std::sync::Arc;

use super::image::Image;
use super::store::{self, Entry};
use super::{Outcome, Undo, changed_since, forbidden};
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::schema::{DELETED_AT, Entity, Field, Kind};
use crate::records::store as rows;
use crate::records::tx::Authority;
use crate::records::value::Value;
use crate::records::write;

/// Most referring records that are looked at.
const LOOKED_AT: u32 = 100;

impl Undo<'_> {
    /// Moves the record to the recycle bin.
    pub(super) fn remove(&self, entity: &Arc<Entity>, entry: &Entry) -> Result<Outcome, RecordError> {
        let current = self.current(entity, entry.record)?;
        let live = |values: &Vec<Value>| values.get(DELETED_AT).is_some_and(Value::is_null);
        let Some(current) = current.filter(live) else {
            return Ok(Outcome::Unchanged);
        };
        let history = store::history(&self.tx.conn, self.request, entry)?;
        let changed = Image::of(entity, &history).touched_since(entity, &current);
        if !changed.is_empty() && !self.options.force {
            return Ok(changed_since(changed));
        }
        if !self.permitted(entity, "delete", &current) {
            return Ok(forbidden("delete"));
        }
        if self.options.force && self.referring(entity, entry.record)?.is_some() {
            // What the references declare decides: some go along, some are emptied, some hold it back.
            write::delete(&self.tx.on(Authority::Host), entity, entry.record, None)?;
            return Ok(Outcome::Deleted);
        }
        let left = |detail: String| Ok(Outcome::Left("referred_to", Vec::new(), detail));
        // Claimed before it is looked at: from here on nobody points at it from another file.
        if !self.claimed(entity, entry.record) {
            return left("another request is about to point at this record".to_owned());
        }
        if let Some(referring) = self.referring(entity, entry.record)? {
            return left(format!("{referring} refers to it by now"));
        }
        let mut after = current.clone();
        if let Some(slot) = after.get_mut(DELETED_AT) {
            *slot = Value::Integer(self.tx.now);
        }
        self.write(entity, &current, after)?;
        Ok(Outcome::Deleted)
    }

    /// An entity that has records which refer to this one, and by which field.
    fn referring(&self, entity: &Entity, id: RecordId) -> Result<Option<String>, RecordError> {
        for module in &*self.tx.scope.modules {
            let own = module.plugin == self.tx.module.plugin;
            for referring in &module.entities {
                for field in referring.fields.iter().filter(|field| points_at(field, entity)) {
                    let look = |conn: &std::rc::Rc<_>| self.referrers(conn, referring, field, id);
                    let found = if own {
                        look(&self.tx.conn)?
                    } else {
                        self.tx.engine.read(&self.tx.scope, module, look)?
                    };
                    if found {
                        return Ok(Some(format!("a record of {} (`{}`)", referring.object, field.key)));
                    }
                }
            }
        }
        Ok(None)
    }

    fn referrers(
        &self,
        conn: &std::rc::Rc<crate::storage::Connection>,
        referring: &Entity,
        field: &Field,
        id: RecordId,
    ) -> Result<bool, RecordError> {
        let found = match field.kind {
            Kind::References(..) => store::linking(conn, (&referring.key, &field.key), id, LOOKED_AT)?,
            _ => rows::referrers(conn, referring, field, id, LOOKED_AT)?,
        };
        for record in found.iter().filter(|record| **record != id) {
            // A dry run keeps nothing: what the import made is still there, and would be gone by now.
            if !self.options.dry_run || !store::made(conn, self.request, *record)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps other files from pointing at the record until it is gone.
    fn claimed(&self, entity: &Entity, id: RecordId) -> bool {
        let others = self.tx.scope.modules.iter().filter(|module| module.plugin != self.tx.module.plugin);
        let mut fields = others.flat_map(|module| &module.entities).flat_map(|other| &other.fields);
        if !fields.any(|field| points_at(field, entity)) {
            return true;
        }
        let claim = self.tx.engine.claims.delete(self.tx.scope.organization.id, entity, id);
        match claim {
            Some(claim) => {
                self.tx.claims.borrow_mut().push(claim);
                true
            }
            None => false,
        }
    }
}

fn points_at(field: &Field, entity: &Entity) -> bool {
    let (Kind::Reference(target, _) | Kind::References(target, _)) = &field.kind else {
        return false;
    };
    target.plugin == entity.plugin && target.entity == entity.key
}
