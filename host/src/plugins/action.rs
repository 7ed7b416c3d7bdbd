//! Actions: named business operations, a `write` one in a transaction of its own, a `read` one on a snapshot.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::call::{self, Ground};
use super::declaration::{Action, ActionMode, ActionTarget};
use super::hooks::missing;
use super::usage::CallKind;
use super::{Plugin, Plugins};
use crate::ids::RecordId;
use crate::records::list::{self, View};
use crate::records::rights;
use crate::records::schema::Entity;
use crate::records::tx::{Authority, Tx};
use crate::records::{RecordError, Records, Scope, write};

/// What an action is to work on.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The record, for an action on one.
    pub record: Option<RecordId>,
    /// The version that the caller knows, if it matters.
    pub version: Option<u64>,
    /// The input.
    pub input: Map<String, Json>,
}

/// What an action answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// JSON.
    pub body: Vec<u8>,
    /// The record's version afterwards, for an action on one.
    pub version: Option<u64>,
}

/// The object that policies speak of: `plugin.entity`, or `plugin.module`.
fn object(plugin: &Plugin, action: &Action) -> String {
    let id = &plugin.manifest.id;
    format!("{id}.{}", action.entity.as_deref().unwrap_or("module"))
}

impl Plugins {
    /// Runs an action in this write transaction. An action on a record answers the record as it is afterwards, unless the
    /// plugin answers something of its own.
    ///
    /// # Errors
    /// [`RecordError::NotFound`], [`RecordError::Forbidden`], [`RecordError::Stale`], what the plugin refuses.
    pub fn act(
        &self,
        tx: &Tx,
        plugin: &Arc<Plugin>,
        action: &Action,
        invocation: &Invocation,
    ) -> Result<Answer, RecordError> {
        let entity = action.entity.as_deref().and_then(|key| tx.module.entity(key));
        permit(tx, plugin, action, entity.as_ref(), invocation)?;
        let deeper = tx.on(Authority::PluginForCaller).deeper()?;
        let output = {
            let _pass = self.gate.enter(tx.scope.organization.id);
            invoke(plugin, Ground::Write(Box::new(deeper)), action, invocation)?
        };
        let record = invocation.record.zip(entity).filter(|_| output.is_empty() || output == "null");
        let Some((id, entity)) = record else {
            return Ok(Answer { body: output.into_bytes(), version: None });
        };
        match list::get(&tx.conn, &tx.scope, &entity, id, &View::within(&tx.scope, &entity, None, None)?) {
            Ok(one) => Ok(Answer { body: one.body, version: Some(one.version) }),
            // The action took the record out of its caller's sight; it is done all the same.
            Err(RecordError::NotFound) => Ok(Answer { body: Vec::new(), version: None }),
            Err(error) => Err(error),
        }
    }

    /// Runs a `read` action on a snapshot, on this thread, which must not be an async worker.
    ///
    /// # Errors
    /// [`RecordError::NotFound`], [`RecordError::Forbidden`], what the plugin refuses.
    pub fn look(
        &self,
        engine: &Records,
        scope: &Scope,
        plugin: &Arc<Plugin>,
        action: &Action,
        invocation: &Invocation,
    ) -> Result<Answer, RecordError> {
        let module = plugin.module(scope)?;
        let entity = action.entity.as_deref().and_then(|key| module.entity(key));
        let object = object(plugin, action);
        let rows = scope.policy.decide(&scope.caller.principal, &object, &action.verb);
        let forbidden = || RecordError::Forbidden { object: object.clone(), action: action.verb.clone() };
        if rows.never() {
            return Err(forbidden());
        }
        let _pass = self.gate.enter(scope.organization.id);
        let output = engine.read(scope, module, |conn| {
            if let (Some(id), Some(entity)) = (invocation.record, &entity) {
                let values = write::readable(conn, scope, entity, id)?.ok_or(RecordError::NotFound)?;
                if !rights::permits(conn, scope, entity, &Some(rows), &values) {
                    return Err(forbidden());
                }
            }
            let ground = Ground::read(engine, scope, module, conn);
            invoke(plugin, ground, action, invocation)
        })?;
        Ok(Answer { body: output.into_bytes(), version: None })
    }
}

fn invoke(
    plugin: &Arc<Plugin>,
    ground: Ground,
    action: &Action,
    invocation: &Invocation,
) -> Result<String, RecordError> {
    let input = Json::Object(invocation.input.clone()).to_string();
    let output = call::run(plugin, ground, CallKind::Action, |store, instance| {
        let Some(actions) = &plugin.actions else {
            return Ok(Err(missing(plugin, "actions")));
        };
        let record = invocation.record.map(call::to_wit);
        actions.load(&mut *store, instance)?.stoa_plugin_actions().call_invoke(
            store,
            &action.key,
            record,
            &input,
        )
    })?;
    if !output.is_empty() && serde_json::from_str::<&serde_json::value::RawValue>(&output).is_err() {
        let detail = format!("the action `{}` answered something that is not JSON", action.key);
        return Err(RecordError::Plugin {
            plugin: plugin.manifest.id.to_string(),
            code: "plugin_bad_answer",
            detail,
        });
    }
    Ok(output)
}

/// The caller may do this to this record: readable, within the grant's scope, at the version that he knows.
fn permit(
    tx: &Tx,
    plugin: &Plugin,
    action: &Action,
    entity: Option<&Arc<Entity>>,
    invocation: &Invocation,
) -> Result<(), RecordError> {
    debug_assert!(action.mode != ActionMode::Read);
    let object = object(plugin, action);
    let rows = tx.scope.policy.decide(&tx.scope.caller.principal, &object, &action.verb);
    let forbidden = || RecordError::Forbidden { object: object.clone(), action: action.verb.clone() };
    let (Some(entity), Some(id), ActionTarget::Record) = (entity, invocation.record, action.target) else {
        return if rows.never() { Err(forbidden()) } else { Ok(()) };
    };
    let values = write::find(tx, entity, id)?.ok_or(RecordError::NotFound)?;
    if !write::permits(tx, entity, &Some(rows), &values) {
        return Err(forbidden());
    }
    write::fresh(tx, entity, id, invocation.version, &values)
}
