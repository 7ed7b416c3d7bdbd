//! Hooks: the record engine's door to plugin code.

use std::sync::Arc;

use super::bindings::hooks::exports::stoa::plugin::hooks::Draft as WitDraft;
use super::bindings::host::stoa::plugin::types::Refusal;
use super::call::{self, Ground, to_wit};
use super::imports::records::pack;
use super::refusal::fault;
use super::usage::CallKind;
use super::{Plugin, Plugins};
use crate::records::RecordError;
use crate::records::cells::Cells;
use crate::records::schema::{Entity, Kind};
use crate::records::tx::{Draft, Hook, Hooks, Tx};
use crate::records::value::Value;
use crate::records::write;

impl Hooks for Plugins {
    fn run(
        &self,
        tx: &Tx,
        hook: Hook,
        entity: &Arc<Entity>,
        drafts: &mut [Draft],
    ) -> Result<(), RecordError> {
        if drafts.is_empty() {
            return Ok(());
        }
        let plugin = self.of(&tx.scope, &entity.plugin)?;
        let tx = tx.deeper()?;
        let sent: Vec<WitDraft> = drafts
            .iter()
            .map(|draft| WitDraft {
                id: to_wit(draft.id),
                before: draft.before.as_deref().map(|before| pack(entity, before)),
                after: pack(entity, &draft.after),
            })
            .collect();
        let _pass = (tx.depth == 1).then(|| self.gate.enter(tx.scope.organization.id));
        let verdicts = call::run(&plugin, Ground::Write(Box::new(tx)), CallKind::Hook, |store, instance| {
            let Some(hooks) = &plugin.hooks else {
                return Ok(Err(missing(&plugin, "hooks")));
            };
            hooks.load(&mut *store, instance)?.stoa_plugin_hooks().call_run(
                store,
                hook.as_str(),
                &entity.key,
                &sent,
            )
        })?;
        if verdicts.len() != drafts.len() {
            return Err(bad(
                &plugin.manifest.id,
                format!("{} answered {} verdicts for {} drafts", hook.as_str(), verdicts.len(), drafts.len()),
            ));
        }
        for (draft, verdict) in drafts.iter_mut().zip(verdicts) {
            draft.faults.extend(verdict.failures.into_iter().map(fault));
            if let Some(cells) =
                verdict.fields.filter(|_| matches!(hook, Hook::BeforeCreate | Hook::BeforeUpdate))
            {
                unpack(&plugin.manifest.id, entity, &cells, &mut draft.after)?;
            }
        }
        Ok(())
    }
}

/// Puts the plugin's values in place of the declared fields. Whether they follow the declared rules is asked later, of
/// everything at once.
fn unpack(plugin: &str, entity: &Entity, cells: &[u8], values: &mut [Value]) -> Result<(), RecordError> {
    let mut cells = Cells::new(cells);
    for field in entity.declared() {
        let misfit = || {
            bad(plugin, format!("a hook answered cells that do not fit {} `{}`", entity.object, field.key))
        };
        let mut next = || cells.next().and_then(|cell| cell.ok()?.to_value().ok()).ok_or_else(misfit);
        let (value, money) = (next()?, matches!(field.kind, Kind::Money));
        let second = if money { next()? } else { Value::Null };
        if !write::fits(&field.kind, &value, &second) {
            return Err(misfit());
        }
        let slots = values.iter_mut().skip(field.column).take(if money { 2 } else { 1 });
        slots.zip([write::unless_empty(&field.kind, value), second]).for_each(|(slot, value)| *slot = value);
    }
    if cells.next().is_some() {
        return Err(bad(plugin, format!("a hook answered more cells than {} has", entity.object)));
    }
    Ok(())
}

fn bad(plugin: &str, detail: String) -> RecordError {
    RecordError::Plugin { plugin: plugin.to_owned(), code: "plugin_bad_answer", detail }
}

/// The manifest promises an export that the component does not have.
pub(super) fn missing(plugin: &Plugin, export: &str) -> Refusal {
    Refusal {
        kind: "failed".into(),
        code: "export_missing".into(),
        detail: format!("{} declares logic but its component does not export `{export}`", plugin.manifest.id),
        failures: Vec::new(),
        extra: String::new(),
    }
}

#[cfg(test)]
mod tests;
