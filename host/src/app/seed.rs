//! What an organization starts with: the records that each manifest declares, made once.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{App, AppError, Entered};
use crate::identity::platform;
use crate::ids::RequestId;
use crate::plugins::{Plugin, Seed};
use crate::records::schema::{Entity, Kind, Target};
use crate::records::tx::{Authority, Tx};
use crate::records::write::{self, Changes};
use crate::records::{RecordError, Scope, find_external};
use crate::storage::Verdict;

/// The source of external ids that manifests give to their seeds.
pub(super) const SOURCE: &str = "stoa";

impl App {
    /// Makes the plugin's first records, unless that was done before.
    pub(super) async fn seed(&self, entered: &Entered, plugin: &Arc<Plugin>) -> Result<(), AppError> {
        if plugin.manifest.seed.is_empty() {
            return Ok(());
        }
        let scope = entered.scope(&platform(entered.organization.id, RequestId::new()));
        let seeds = Arc::clone(plugin);
        let work = move |tx: &Tx| {
            if tx.conn.prepare("select 1 from _stoa_schema where key = 'seeded'")?.exists([])? {
                return Ok(Verdict::Keep(()));
            }
            plant(&tx.on(Authority::Host), &seeds.manifest.seed)?;
            tx.conn.execute("insert into _stoa_schema (key, value) values ('seeded', 'true')", [])?;
            Ok(Verdict::Keep(()))
        };
        Ok(self.records.write(&scope, plugin.module(&scope)?, &self.hooks(), work).await?)
    }
}

/// Creates the records in order; a value `{"external_id": …}` is the record that bears it.
pub(super) fn plant(tx: &Tx, seeds: &[Seed]) -> Result<(), RecordError> {
    for seed in seeds {
        let entity = tx.module.entity(&seed.entity).ok_or(RecordError::NotFound)?;
        for row in &seed.rows {
            let members = resolved(&tx.scope, tx, &entity, row)?;
            write::create_one(tx, &entity, Changes::Members(members))?;
        }
    }
    Ok(())
}

fn resolved(
    scope: &Scope,
    tx: &Tx,
    entity: &Entity,
    row: &Map<String, Json>,
) -> Result<Map<String, Json>, RecordError> {
    let mut members = Map::new();
    for (key, value) in row {
        if key == "external_id" {
            members.insert("external_ids".into(), json!({ SOURCE: value }));
            continue;
        }
        let seeded = |target: &Target, value: &Json| -> Result<Json, RecordError> {
            let Some(id) = value.get("external_id").and_then(Json::as_str) else {
                return Ok(value.clone());
            };
            let missing = || {
                let detail = format!("no seed has the external id `{id}`");
                RecordError::invalid(key, "reference_not_found", detail)
            };
            let found = find_external(scope, tx, target, SOURCE, id)?;
            Ok(Json::String(found.ok_or_else(missing)?.to_string()))
        };
        let value = match (entity.field(key).map(|field| &field.kind), value) {
            (Some(Kind::Reference(target, _)), value) => seeded(target, value)?,
            (Some(Kind::References(target, _)), Json::Array(list)) => {
                Json::Array(list.iter().map(|item| seeded(target, item)).collect::<Result<_, _>>()?)
            }
            (_, value) => value.clone(),
        };
        members.insert(key.clone(), value);
    }
    Ok(members)
}
