//! References: whether what a record points at exists and may be seen, in this file or another plugin's.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::params_from_iter;

use super::error::{Fault, RecordError};
use super::filter::bind;
use super::list::write_visible;
use super::merge;
use super::schema::{Entity, Field, Kind, Target};
use super::store;
use super::tx::Tx;
use crate::ids::RecordId;
use crate::storage::Connection;

/// Answers of one batch, so that 500 rows that point at one account ask once.
#[derive(Default)]
pub struct Seen(HashMap<(Arc<str>, RecordId), bool>);

impl Seen {
    /// Takes it as known that this record of `object` is there.
    pub fn know(&mut self, object: &Arc<str>, id: RecordId) {
        self.0.insert((Arc::clone(object), id), true);
    }

    /// Checks the reference in `field`.
    ///
    /// # Errors
    /// A file fails. A reference to nothing, or to what the caller may not read, is the inner fault.
    pub fn check(&mut self, tx: &Tx, field: &Field, id: RecordId) -> Result<Result<(), Fault>, RecordError> {
        let (Kind::Reference(target, _) | Kind::References(target, _)) = &field.kind else {
            return Ok(Ok(()));
        };
        let key: Arc<str> = format!("{}.{}", target.plugin, target.entity).into();
        let known = self.0.get(&(Arc::clone(&key), id)).copied();
        let there = match known {
            Some(there) => there,
            None => {
                let there = readable(tx, target, id)?;
                self.0.insert((Arc::clone(&key), id), there);
                there
            }
        };
        if there {
            return Ok(Ok(()));
        }
        if let Some(into) = merged(tx, target, id)? {
            return Ok(Err(merge::fault(&field.key, &field.label, into)));
        }
        let detail = format!("{} points at no record of {key} that you may read", field.label);
        Ok(Err(Fault::at(&field.key, "reference_not_found", detail)))
    }
}

/// The record that stands for one that was merged away, if this authority may read it.
fn merged(tx: &Tx, target: &Target, id: RecordId) -> Result<Option<RecordId>, RecordError> {
    let Some(module) = tx.scope.module(&target.plugin) else { return Ok(None) };
    let Some(entity) = module.entity(&target.entity) else { return Ok(None) };
    let ask = |conn: &Rc<Connection>| match merge::successor(conn, &entity, id)? {
        Some((into, _)) if look(tx, conn, &entity, into)? => Ok(Some(into)),
        _ => Ok(None),
    };
    if module.plugin == tx.module.plugin { ask(&tx.conn) } else { tx.engine.read(&tx.scope, module, ask) }
}

fn readable(tx: &Tx, target: &Target, id: RecordId) -> Result<bool, RecordError> {
    if &*target.plugin == "host" {
        let organization = tx.scope.organization.id;
        let id = *id.as_bytes();
        return Ok(match &*target.entity {
            "team" => tx.engine.people.team_name(organization, crate::ids::TeamId::from_bytes(id))?.is_some(),
            _ => tx
                .engine
                .people
                .principal_name(organization, crate::ids::PrincipalId::from_bytes(id))?
                .is_some(),
        });
    }
    let Some(module) = tx.scope.module(&target.plugin) else {
        return Ok(false);
    };
    let Some(entity) = module.entity(&target.entity) else {
        return Ok(false);
    };
    if module.plugin == tx.module.plugin {
        return look(tx, &tx.conn, &entity, id);
    }
    // Claimed before it is looked at: from here on nobody deletes it until this write is committed.
    let Some(claim) = tx.engine.claims.point(tx.scope.organization.id, &entity, id) else { return Ok(false) };
    let there = tx.engine.read(&tx.scope, module, |conn| look(tx, conn, &entity, id))?;
    if there {
        tx.claims.borrow_mut().push(claim);
    }
    Ok(there)
}

fn look(tx: &Tx, conn: &Rc<Connection>, entity: &Entity, id: RecordId) -> Result<bool, RecordError> {
    if !tx.authority.asks_policy() {
        return store::exists(conn, entity, id);
    }
    let (mut sql, mut params) = (format!("select 1 from \"{}\" where id = ", entity.key), Vec::new());
    bind(id.into(), &mut sql, &mut params);
    let _ = write!(sql, " and ");
    match write_visible(&tx.scope, entity, "read", &mut sql, &mut params) {
        Err(RecordError::Forbidden { .. }) => return Ok(false),
        other => other?,
    }
    Ok(conn.prepare(&sql)?.exists(params_from_iter(&params))?)
}
