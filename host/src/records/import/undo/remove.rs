//! One record that an import made: it goes to the recycle bin, unless it is somebody else's by now.

use std::rc::Rc;
use std::sync::Arc;

use super::image::Image;
use super::store::{self, Entry};
use super::{Outcome, Undo, changed_since, forbidden};
use crate::ids::{JobId, RecordId};
use crate::records::error::RecordError;
use crate::records::schema::{DELETED_AT, Entity, Field, Kind, OnDelete};
use crate::records::tx::Authority;
use crate::records::value::Value;
use crate::records::{derived, write};
use crate::storage::Connection;

/// Most referring records that are looked at.
const LOOKED_AT: i64 = 100;

/// Who refers to a record.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Referring {
    /// Nobody.
    None,
    /// What the import made, which is still there because a dry run keeps nothing.
    Import,
    /// A record that stays.
    Others(String),
}

impl Undo<'_> {
    /// Deletes the record as anybody would: what hooks made for it goes along where that is declared.
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
        if !self.options.force {
            match self.referring(entity, entry.record)? {
                Referring::None => {}
                Referring::Import => return Ok(Outcome::Deleted),
                Referring::Others(which) => {
                    let detail = format!("{which} refers to it by now");
                    return Ok(Outcome::Left("referred_to", Vec::new(), detail));
                }
            }
        }
        // The policy was asked; what goes along is decided by what references declare.
        write::delete(&self.tx.on(Authority::Host), entity, entry.record, None)?;
        Ok(Outcome::Deleted)
    }

    /// Whether the record, which a hook made along the way, belongs to one that is left as it is: then it stays too.
    pub(super) fn belongs_to_left(
        &self,
        job: JobId,
        entity: &Entity,
        entry: &Entry,
    ) -> Result<bool, RecordError> {
        let Some(current) = self.current(entity, entry.record)? else {
            return Ok(false);
        };
        let refers = |field: &&Field| matches!(field.kind, Kind::Reference(..) | Kind::References(..));
        for field in entity.fields.iter().filter(refers) {
            let value = current.get(field.column).cloned().unwrap_or_default();
            for target in value.id().into_iter().chain(derived::targets(&value)) {
                if store::is_left(&self.tx.conn, (job, self.request), target)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Who refers to the record and would not go along with it.
    fn referring(&self, entity: &Entity, id: RecordId) -> Result<Referring, RecordError> {
        let mut found = Referring::None;
        for module in &*self.tx.scope.modules {
            let own = module.plugin == self.tx.module.plugin;
            for referring in &module.entities {
                for (field, rule) in referring.fields.iter().filter_map(|field| points_at(field, entity)) {
                    let look = |conn: &Rc<Connection>| {
                        self.referrer(conn, (referring, field), id, own && rule == OnDelete::Cascade)
                    };
                    let by = if own {
                        look(&self.tx.conn)?
                    } else {
                        self.tx.engine.read(&self.tx.scope, module, look)?
                    };
                    match by {
                        Referring::Others(_) => return Ok(by),
                        Referring::Import => found = by,
                        Referring::None => {}
                    }
                }
            }
        }
        Ok(found)
    }

    fn referrer(
        &self,
        conn: &Rc<Connection>,
        (referring, field): (&Entity, &Field),
        id: RecordId,
        goes_along: bool,
    ) -> Result<Referring, RecordError> {
        let mut found = Referring::None;
        for record in store::pointing(conn, referring, field, id, LOOKED_AT)? {
            if record == id {
                continue;
            }
            let made = (goes_along || self.options.dry_run) && store::made(conn, self.request, record)?;
            if !made {
                return Ok(Referring::Others(format!("a record of {} (`{}`)", referring.object, field.key)));
            }
            if !goes_along {
                found = Referring::Import;
            }
        }
        Ok(found)
    }
}

fn points_at<'f>(field: &'f Field, entity: &Entity) -> Option<(&'f Field, OnDelete)> {
    let (Kind::Reference(target, rule) | Kind::References(target, rule)) = &field.kind else {
        return None;
    };
    (target.plugin == entity.plugin && target.entity == entity.key).then_some((field, *rule))
}
