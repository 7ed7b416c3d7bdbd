//! What publishing does to records: options that give way to others, numbers for a new auto-number. In batches through the
//! file's writer, so that other writes go on in between, and each change is in the change log.

use std::rc::Rc;
use std::sync::Arc;

use super::document::Document;
use super::judge::keys;
use super::store;
use crate::clock::{UnixMillis, civil};
use crate::ids::PrincipalId;
use crate::records::derived;
use crate::records::error::RecordError;
use crate::records::number;
use crate::records::schema::{CREATED_AT, Entity, Field, Kind, Module, UPDATED_AT, UPDATED_BY, VERSION};
use crate::records::store as rows;
use crate::records::value::Value;
use crate::records::{Records, Scope};
use crate::storage::{ChangeOrigin, Connection, Verdict};

/// Most records that a new auto-number is given to when it is published.
pub(super) const NUMBERED: usize = 100_000;
/// Records of one batch: a few milliseconds of the writer's time.
pub(super) const BATCH: usize = 500;

/// Options of one field that give way to others.
#[derive(Clone, Debug)]
pub(super) struct Replaced {
    pub(super) entity: Arc<str>,
    pub(super) field: Field,
    /// From and to.
    pub(super) options: Vec<(String, String)>,
}

/// The options of this module's fields that the document replaces.
pub(super) fn replaced(document: &Document, module: &Module) -> Vec<Replaced> {
    let mut all = Vec::new();
    for entity in &module.entities {
        let written = match document.entities.get(&*entity.object) {
            Some(extension) => &extension.fields[..],
            None => {
                let own = document.objects.iter().find(|own| *entity.object == format!("custom.{}", own.key));
                own.map_or(&[][..], |own| &own.fields)
            }
        };
        for (field, written) in entity
            .fields
            .iter()
            .filter(|field| field.custom)
            .filter_map(|field| Some((field, written.iter().find(|written| *written.key == *field.key)?)))
        {
            let set = written.option_set.as_deref().and_then(|key| document.option_set(key));
            let options: Vec<_> = set
                .into_iter()
                .flat_map(|set| &set.replace)
                .map(|one| (one.from.clone(), one.to.clone()))
                .collect();
            if !options.is_empty() {
                all.push(Replaced { entity: Arc::clone(&entity.key), field: field.clone(), options });
            }
        }
    }
    all
}

/// The condition of records that hold any of these options.
pub(super) fn holding(field: &Field, options: &[&str]) -> (String, Vec<Value>) {
    let params: Vec<Value> = options.iter().map(|key| Value::Text((*key).to_owned())).collect();
    let places: Vec<String> = (1..=params.len()).map(|place| format!("?{place}")).collect();
    let (column, places) = (format!("\"{}\"", field.key), places.join(", "));
    let condition = match field.kind {
        Kind::Options(_) => {
            format!(
                "{column} is not null and exists (select 1 from json_each({column}) where value in ({places}))"
            )
        }
        _ => format!("{column} in ({places})"),
    };
    (condition, params)
}

/// Does everything that the document and the new fields of these modules ask for, with at most so many `numbers` for each
/// field. Done again, it finds nothing left to do.
///
/// # Errors
/// A file fails; what was done stays, and is right as soon as the document is in force.
pub(super) async fn fill(
    engine: &Records,
    scope: &Scope,
    before: &[Arc<Module>],
    document: &Document,
    numbers: usize,
) -> Result<(), RecordError> {
    for module in &*scope.modules {
        for change in replaced(document, module) {
            let Some(entity) = module.entity(&change.entity) else { continue };
            run(engine, scope, module, usize::MAX, move |conn, doing| replace(conn, doing, &entity, &change))
                .await?;
        }
        let old = before.iter().find(|old| old.plugin == module.plugin);
        for entity in &module.entities {
            let known = old.and_then(|old| old.entity(&entity.key));
            let fresh = |field: &&Field| {
                field.custom
                    && matches!(field.kind, Kind::AutoNumber(_))
                    && known.as_ref().is_none_or(|known| known.field(&field.key).is_none())
            };
            for field in entity.fields.iter().filter(fresh) {
                let (entity, field) = (Arc::clone(entity), field.clone());
                run(engine, scope, module, numbers, move |conn, doing| give(conn, doing, &entity, &field))
                    .await?;
            }
        }
    }
    Ok(())
}

/// Who does it, when, and in whose zone years begin.
#[derive(Clone)]
struct Doing {
    by: PrincipalId,
    at: UnixMillis,
    zone: String,
}

/// Runs a batch again and again until one has nothing left, `most` records at most.
async fn run(
    engine: &Records,
    scope: &Scope,
    module: &Arc<Module>,
    most: usize,
    batch: impl Fn(&Rc<Connection>, &Doing) -> Result<usize, RecordError> + Send + Sync + 'static,
) -> Result<(), RecordError> {
    let (mut done, batch) = (0, Arc::new(batch));
    while done < most {
        let file = engine.file(scope.organization.id, module)?;
        let doing =
            Doing { by: scope.caller.principal.id, at: engine.now(), zone: scope.organization.zone.clone() };
        let batch = Arc::clone(&batch);
        let changed = file
            .write(ChangeOrigin::from(&scope.caller), move |conn| batch(conn, &doing).map(Verdict::Keep))
            .await?;
        if changed < BATCH {
            return Ok(());
        }
        done += changed;
    }
    Ok(())
}

fn replace(
    conn: &Rc<Connection>,
    doing: &Doing,
    entity: &Entity,
    change: &Replaced,
) -> Result<usize, RecordError> {
    let from: Vec<&str> = change.options.iter().map(|(from, _)| from.as_str()).collect();
    let (condition, params) = holding(&change.field, &from);
    let found = store::some(conn, entity, &condition, &params, BATCH)?;
    for before in &found {
        let held = keys(before.get(change.field.column), &change.field.kind);
        let mapped = held.into_iter().map(|key| {
            let to = change.options.iter().find(|(from, _)| *from == key);
            to.map_or(key, |(_, to)| to.clone())
        });
        write(conn, doing, entity, before, &change.field, chosen(&change.field.kind, mapped.collect()))?;
    }
    Ok(found.len())
}

/// Options as they are stored: several each once, in the order in which they are declared.
fn chosen(kind: &Kind, keys: Vec<String>) -> Value {
    match kind {
        Kind::Options(choices) => {
            let keys: Vec<&str> = choices
                .iter()
                .map(|choice| choice.key.as_str())
                .filter(|key| keys.iter().any(|held| held == key))
                .collect();
            Value::Text(serde_json::Value::from(keys).to_string())
        }
        _ => keys.into_iter().next().map_or(Value::Null, Value::Text),
    }
}

fn give(conn: &Rc<Connection>, doing: &Doing, entity: &Entity, field: &Field) -> Result<usize, RecordError> {
    let Kind::AutoNumber(format) = &field.kind else { return Ok(0) };
    let found = store::some(conn, entity, &format!("\"{}\" is null", field.key), &[], BATCH)?;
    for before in &found {
        let made = before.get(CREATED_AT).and_then(Value::integer).unwrap_or(doing.at);
        let year = civil(made, &doing.zone).year();
        let number = number::next(conn, &entity.key, &field.key, format, year)?;
        write(conn, doing, entity, before, field, Value::Text(number))?;
    }
    Ok(found.len())
}

/// One field of one record, and that it changed.
fn write(
    conn: &Rc<Connection>,
    doing: &Doing,
    entity: &Entity,
    before: &[Value],
    field: &Field,
    value: Value,
) -> Result<(), RecordError> {
    let mut after = before.to_vec();
    let version = before.get(VERSION).and_then(Value::integer).unwrap_or_default() + 1;
    let new = [
        (field.column, value),
        (VERSION, Value::Integer(version)),
        (UPDATED_AT, Value::Integer(doing.at)),
        (UPDATED_BY, Value::Id(*doing.by.as_bytes())),
    ];
    let mut changed = Vec::with_capacity(new.len());
    for (at, value) in new {
        if let Some(slot) = after.get_mut(at) {
            *slot = value;
            changed.push(at);
        }
    }
    let names: Vec<String> = entity.columns().collect();
    rows::update(conn, entity, &names, &changed, &after)?;
    derived::refresh(conn, entity, Some(before), Some(&after))
}
