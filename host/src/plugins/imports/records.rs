//! `records`: the plugin's own entities with every rule, through the same pipeline as everybody.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::plugins::bindings::host::stoa::plugin::records::{Change as WitChange, Host, Row};
use crate::plugins::bindings::host::stoa::plugin::types::{RecordId as WitId, Refusal};
use crate::plugins::call::{Ground, State, from_wit, to_wit};
use crate::plugins::refusal::refusal;
use crate::records::cells::push;
use crate::records::filter::{self, Context, Filter, Sight, bind};
use crate::records::list::{self, write_visible};
use crate::records::schema::{
    CREATED_AT, CREATED_BY, Entity, OWNER, SYSTEM_COLUMNS, TEAM, UPDATED_AT, UPDATED_BY,
};
use crate::records::sort::Sort;
use crate::records::tx::{Authority, Tx};
use crate::records::value::Value;
use crate::records::write::{self, Cellwise, Change, Changes};
use crate::records::{Fault, RecordError};

/// Most rows of one call.
const ROWS: usize = 1_000;

/// The system columns that cross, in the contract's order.
pub(crate) const CROSSING: [usize; 6] = [CREATED_AT, CREATED_BY, UPDATED_AT, UPDATED_BY, OWNER, TEAM];

/// A record's values as the contract's cells: six system columns, then the declared fields.
pub(crate) fn pack(entity: &Entity, values: &[Value]) -> Vec<u8> {
    let values = values.get(..entity.plugin_width).unwrap_or(values); // what the organization added is not the plugin's
    let mut cells = Vec::with_capacity(values.len() * 12);
    let system = CROSSING.iter().filter_map(|at| values.get(*at));
    system.chain(values.iter().skip(SYSTEM_COLUMNS.len())).for_each(|value| push(value, &mut cells));
    cells
}

fn row(entity: &Entity, values: &[Value]) -> Option<Row> {
    let (id, version) = list::identity_of(values);
    Some(Row { id: to_wit(id?), version, cells: pack(entity, values) })
}

fn unknown_authority() -> RecordError {
    RecordError::bad("unknown_authority", "authority is `caller` or `plugin`")
}

impl State {
    fn entity(&self, key: &str) -> Result<Arc<Entity>, RecordError> {
        self.module().entity(key).ok_or_else(|| {
            let key: String = key.chars().take(64).collect();
            RecordError::bad("unknown_entity", format!("`{key}` is no entity of this plugin's manifest"))
        })
    }

    fn authority(&self, word: &str) -> Result<Authority, RecordError> {
        match word {
            "caller" => Ok(Authority::PluginForCaller),
            "plugin" if self.module().may_act_as_plugin => Ok(Authority::Plugin),
            "plugin" => Err(RecordError::Forbidden {
                object: self.plugin.manifest.id.to_string(),
                action: "records.as-plugin".into(),
            }),
            _ => Err(unknown_authority()),
        }
    }

    fn writing(&self, authority: &str) -> Result<Tx, RecordError> {
        match &self.ground {
            Ground::Write(tx) => Ok(tx.on(self.authority(authority)?)),
            Ground::Read { .. } => Err(RecordError::Forbidden {
                object: self.plugin.manifest.id.to_string(),
                action: "write in a report or read action".into(),
            }),
        }
    }

    fn select(
        &self,
        entity: &Entity,
        authority: &str,
        condition: impl FnOnce(&mut String, &mut Vec<Value>),
        order: &str,
    ) -> Result<Vec<Row>, RecordError> {
        let (mut sql, mut params) = (String::new(), Vec::new());
        if self.authority(authority)? == Authority::Plugin {
            sql.push_str("deleted_at is null");
        } else if write_visible(self.scope(), entity, "read", &mut sql, &mut params).is_err() {
            return Ok(Vec::new());
        }
        sql.push_str(" and ");
        condition(&mut sql, &mut params);
        let mut found = list::rows(self.conn(), entity, &sql, order, &params)?;
        if self.authority(authority)? != Authority::Plugin {
            found.iter_mut().for_each(|values| self.scope().mask(entity, values));
        }
        Ok(found.iter().filter_map(|values| row(entity, values)).collect())
    }

    fn find_rows(
        &self,
        key: &str,
        json: &str,
        sort: &str,
        limit: u32,
        authority: &str,
    ) -> Result<Vec<Row>, RecordError> {
        let entity = self.entity(key)?;
        // What the organization added is not the plugin's to ask for.
        let declared = self.plugin.manifest.records.entity(key);
        let declared = declared.as_deref().unwrap_or(&entity);
        let filter = match json {
            "" => Filter::all(),
            text => {
                let parsed = serde_json::from_str(text)
                    .map_err(|_| RecordError::bad("invalid_filter", "the filter is not JSON"))?;
                filter::parse_json(&Context::of(self.scope(), self.now()), declared, &parsed)?
            }
        };
        let sight = match self.authority(authority)? {
            Authority::Plugin => Sight::Plugin,
            _ => Sight::Caller,
        };
        let condition = filter.condition(self.engine(), self.scope(), &entity, sight)?;
        let sort = if sort.is_empty() { Sort::newest() } else { Sort::parse(declared, sort)? };
        let mut order = String::new();
        sort.write_order(&mut order);
        let limit = usize::try_from(limit).unwrap_or(ROWS).clamp(1, ROWS);
        let _ = write!(order, " limit {limit}");
        self.select(&entity, authority, |sql, params| condition.write(sql, params), &order)
    }

    fn create_rows(
        &self,
        key: &str,
        fields: Vec<String>,
        rows: Vec<Vec<u8>>,
        authority: &str,
    ) -> Result<Vec<WitId>, RecordError> {
        let (tx, entity) = (self.writing(authority)?, self.entity(key)?);
        within_limit(rows.len())?;
        declares(&entity, &fields)?;
        let fields: Arc<[String]> = fields.into();
        let inputs = rows
            .into_iter()
            .map(|cells| Changes::Cells(Cellwise { fields: Arc::clone(&fields), cells }))
            .collect();
        marked(&tx, || {
            let mut ids = Vec::new();
            let mut faults: Vec<Fault> = Vec::new();
            for outcome in write::create(&tx, &entity, inputs)? {
                match outcome {
                    Ok(id) => ids.push(to_wit(id)),
                    Err(found) => faults.extend(found),
                }
            }
            if faults.is_empty() { Ok(ids) } else { Err(RecordError::Invalid(faults)) }
        })
    }

    fn update_rows(
        &self,
        key: &str,
        fields: Vec<String>,
        changes: Vec<WitChange>,
        authority: &str,
    ) -> Result<Vec<u64>, RecordError> {
        let (tx, entity) = (self.writing(authority)?, self.entity(key)?);
        within_limit(changes.len())?;
        declares(&entity, &fields)?;
        let fields: Arc<[String]> = fields.into();
        let changes = changes.into_iter().map(|change| Change {
            id: from_wit(change.id),
            version: change.version,
            changes: Changes::Cells(Cellwise { fields: Arc::clone(&fields), cells: change.cells }),
        });
        let changes = changes.collect();
        marked(&tx, || write::update(&tx, &entity, changes))
    }

    fn delete_rows(&self, key: &str, ids: Vec<WitId>, authority: &str) -> Result<(), RecordError> {
        let (tx, entity) = (self.writing(authority)?, self.entity(key)?);
        within_limit(ids.len())?;
        marked(&tx, || ids.into_iter().try_for_each(|id| write::delete(&tx, &entity, from_wit(id), None)))
    }
}

fn within_limit(rows: usize) -> Result<(), RecordError> {
    if rows > ROWS {
        return Err(RecordError::bad("too_many_rows", format!("one call takes at most {ROWS} records")));
    }
    Ok(())
}

/// Refuses fields that the organization added: they are not the plugin's.
fn declares(entity: &Entity, fields: &[String]) -> Result<(), RecordError> {
    match fields.iter().find(|key| entity.field(key).is_some_and(|field| field.custom)) {
        Some(key) => {
            Err(RecordError::bad("unknown_field", format!("`{key}` is no field of this plugin's manifest")))
        }
        None => Ok(()),
    }
}

/// Runs a write in a savepoint of its own, so that a plugin may hear of a refusal and go on; what the plugin does on its
/// own authority is marked in the change log.
fn marked<T>(tx: &Tx, f: impl FnOnce() -> Result<T, RecordError>) -> Result<T, RecordError> {
    let before = tx.conn.mark_as_plugin(tx.authority == Authority::Plugin);
    let outcome = tx.conn.savepoint(f);
    tx.conn.mark_as_plugin(before);
    outcome
}

impl Host for State {
    fn get(
        &mut self,
        entity: String,
        id: WitId,
        authority: String,
    ) -> wasmtime::Result<Result<Option<Row>, Refusal>> {
        self.enter()?;
        let found = self.entity(&entity).and_then(|entity| {
            self.select(
                &entity,
                &authority,
                |sql, params| {
                    sql.push_str("id = ");
                    bind(from_wit(id).into(), sql, params);
                },
                "",
            )
        });
        Ok(found.map(|mut rows| rows.pop()).map_err(refusal))
    }

    fn find(
        &mut self,
        entity: String,
        filter: String,
        sort: String,
        limit: u32,
        authority: String,
    ) -> wasmtime::Result<Result<Vec<Row>, Refusal>> {
        self.enter()?;
        Ok(self.find_rows(&entity, &filter, &sort, limit, &authority).map_err(refusal))
    }

    fn create(
        &mut self,
        entity: String,
        fields: Vec<String>,
        rows: Vec<Vec<u8>>,
        authority: String,
    ) -> wasmtime::Result<Result<Vec<WitId>, Refusal>> {
        self.enter()?;
        Ok(self.create_rows(&entity, fields, rows, &authority).map_err(refusal))
    }

    fn update(
        &mut self,
        entity: String,
        fields: Vec<String>,
        changes: Vec<WitChange>,
        authority: String,
    ) -> wasmtime::Result<Result<Vec<u64>, Refusal>> {
        self.enter()?;
        Ok(self.update_rows(&entity, fields, changes, &authority).map_err(refusal))
    }

    fn delete(
        &mut self,
        entity: String,
        ids: Vec<WitId>,
        authority: String,
    ) -> wasmtime::Result<Result<(), Refusal>> {
        self.enter()?;
        Ok(self.delete_rows(&entity, ids, &authority).map_err(refusal))
    }
}
