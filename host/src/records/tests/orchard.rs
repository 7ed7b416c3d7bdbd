//! A module in which records hang together in every way that a reference can declare, and what is in its file.

use std::sync::Arc;

use serde_json::Value as Json;

use super::garden::{PLUGIN, entity, field, module};
use super::world::{Desk, World};
use crate::ids::{OrganizationId, RecordId};
use crate::records::RecordError;
use crate::records::schema::{Entity, Field, Kind, Module, OnDelete, Target};
use crate::records::trash::{self, Wish};
use crate::records::tx::Hook;

fn one(key: &str, to: &str, rule: OnDelete) -> Field {
    field(key, Kind::Reference(Target { plugin: PLUGIN.into(), entity: to.into() }, rule))
}

fn many(key: &str, to: &str, rule: OnDelete) -> Field {
    field(key, Kind::References(Target { plugin: PLUGIN.into(), entity: to.into() }, rule))
}

fn plant(key: &str, mut fields: Vec<Field>) -> Arc<Entity> {
    fields.insert(0, Field { required: true, ..field("name", Kind::Text) });
    entity(key, fields, &Hook::ALL)
}

/// Plants that refer to each other; a fruit goes with its tree although it also holds it, a basket goes with any of what is
/// in it, a sign holds all that it names.
pub(super) fn orchard() -> Arc<Module> {
    let entities = vec![
        plant(
            "plant",
            vec![
                Field { unique: true, ..field("code", Kind::Text) },
                one("mate", "plant", OnDelete::Detach),
                many("friends", "plant", OnDelete::Detach),
                one("stem", "plant", OnDelete::Cascade),
                many("roots", "plant", OnDelete::Cascade),
                one("anchor", "plant", OnDelete::Restrict),
                Field { max: Some(9), ..field("height", Kind::Integer) },
            ],
        ),
        plant(
            "fruit",
            vec![one("held", "plant", OnDelete::Restrict), one("tree", "plant", OnDelete::Cascade)],
        ),
        plant("basket", vec![many("content", "plant", OnDelete::Cascade)]),
        plant("sign", vec![many("names", "plant", OnDelete::Restrict)]),
    ];
    module("1", entities, Vec::new())
}

pub(super) fn world() -> World {
    World::of(OrganizationId::new(), orchard())
}

/// Everything that must be as it was after a deletion was taken back: all columns but the version and its stamps, the
/// links, the external ids.
pub(super) fn snapshot(world: &World) -> Vec<String> {
    let module = Arc::clone(&world.module);
    world.raw(move |conn| {
        let mut lines = Vec::new();
        let mut add = |sql: String| -> Result<(), RecordError> {
            let mut statement = conn.prepare(&sql)?;
            let found = statement.query_map([], |row| row.get::<_, String>(0))?;
            lines.extend(found.collect::<rusqlite::Result<Vec<String>>>()?);
            Ok(())
        };
        for entity in &module.entities {
            let volatile = ["version", "updated_at", "updated_by"];
            let columns: Vec<String> = entity
                .columns()
                .filter(|column| !volatile.contains(&column.as_str()))
                .map(|column| format!("quote(\"{column}\")"))
                .collect();
            let columns = columns.join(" || ' ' || ");
            add(format!("select '{} ' || {columns} from \"{}\" order by 1", entity.key, entity.key))?;
        }
        add("select 'link ' || entity || field || hex(record) || hex(target) from _stoa_links order by 1".into())?;
        add("select 'external ' || entity || source || value || hex(record) from _stoa_external_ids order by 1"
            .into())?;
        add("select 'trash ' || hex(record) || hex(cohort) || detached from _stoa_trash order by 1".into())?;
        Ok(lines)
    })
}

/// Empties the orchard.
pub(super) fn clear(world: &World) {
    world.clear();
    world.raw(|conn| Ok(conn.batch("delete from _stoa_links; delete from _stoa_trash;")?));
}

impl Desk<'_> {
    pub(super) fn restore(&self, entity: &str, id: RecordId) -> Result<usize, RecordError> {
        self.restore_with(entity, id, Wish::default())
    }

    pub(super) fn restore_with(&self, entity: &str, id: RecordId, wish: Wish) -> Result<usize, RecordError> {
        let entity = self.world.entity(entity);
        self.write(move |tx| trash::restore(tx, &entity, id, wish))
    }

    pub(super) fn purge(&self, entity: &str, id: RecordId, cohort: bool) -> Result<usize, RecordError> {
        let entity = self.world.entity(entity);
        self.write(move |tx| trash::purge(tx, &entity, id, cohort))
    }

    /// A page of the recycle bin.
    pub(super) fn bin(
        &self,
        entity: &str,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Json, RecordError> {
        let entity = self.world.entity(entity);
        let page = trash::Page { limit, cursor };
        let body = trash::page(&self.world.records, &self.scope, &entity, &page)?;
        Ok(serde_json::from_slice(&body).unwrap())
    }
}

/// The code of a conflict.
pub(super) fn conflict<T: std::fmt::Debug>(outcome: Result<T, RecordError>) -> String {
    match outcome {
        Err(RecordError::Conflict { code, .. }) => code.into_owned(),
        other => panic!("{other:?} is no conflict"),
    }
}

/// `/changes/<record>/field code` of each conflict, with the record's name in `names` instead of its id.
pub(super) fn conflicts<T: std::fmt::Debug>(
    outcome: Result<T, RecordError>,
    names: &[(RecordId, &str)],
) -> Vec<String> {
    let Err(RecordError::Conflict { code, faults, extra, .. }) = outcome else {
        panic!("{outcome:?} is no conflict")
    };
    assert_eq!((&*code, extra["conflicts"].as_array().unwrap().len()), ("restore_conflict", faults.len()));
    let told = |fault: &crate::records::Fault| {
        let pointer =
            names.iter().fold(fault.pointer.clone(), |text, (id, name)| text.replace(&id.to_string(), name));
        format!("{} {}", pointer.trim_start_matches("/changes/"), fault.code)
    };
    let mut told: Vec<String> = faults.iter().map(told).collect();
    told.sort();
    told
}
