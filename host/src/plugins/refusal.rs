//! Refusals on their way in and out: what a plugin refuses as an error of ours, an error of ours as a refusal for the plugin.

use super::Plugin;
use super::bindings::host::stoa::plugin::types::{Failure, Refusal};
use crate::records::{Fault, RecordError};

/// A refusal of the plugin as an error of ours; its codes are prefixed nowhere: they belong to the plugin's own address.
pub(super) fn refused(plugin: &Plugin, refusal: Refusal) -> RecordError {
    let faults: Vec<Fault> = refusal.failures.into_iter().map(fault).collect();
    match refusal.kind.as_str() {
        "invalid" if faults.is_empty() => RecordError::Invalid(vec![Fault {
            pointer: String::new(),
            code: refusal.code.into(),
            detail: refusal.detail,
        }]),
        "invalid" => RecordError::Invalid(faults),
        "not-found" => RecordError::NotFound,
        "forbidden" if refusal.code == "forbidden" => {
            RecordError::Forbidden { object: plugin.manifest.id.to_string(), action: "this".to_owned() }
        }
        // The plugin was refused what no caller's right could give it, and gave up over it.
        "forbidden" => {
            tracing::warn!(plugin = %plugin.manifest.id, code = refusal.code, detail = refusal.detail, "plugin was refused");
            RecordError::Plugin {
                plugin: plugin.manifest.id.to_string(),
                code: "plugin_forbidden",
                detail: "it tried something that plugins may not do".to_owned(),
            }
        }
        "conflict" => {
            let extra = serde_json::from_str(&refusal.extra).unwrap_or_default();
            RecordError::Conflict { code: refusal.code.into(), detail: refusal.detail, extra, faults }
        }
        _ => {
            tracing::warn!(plugin = %plugin.manifest.id, kind = refusal.kind, code = refusal.code, detail = refusal.detail, "plugin gave up");
            RecordError::Plugin {
                plugin: plugin.manifest.id.to_string(),
                code: "plugin_refused",
                detail: "it could not do it; its author finds the reason in the log".to_owned(),
            }
        }
    }
}

/// A fault as the plugin wrote it.
pub(super) fn fault(failure: Failure) -> Fault {
    Fault { pointer: failure.pointer, code: failure.code.into(), detail: failure.detail }
}

/// An error of ours as a refusal for the plugin: what it can act on, nothing of the host's insides.
pub(super) fn refusal(error: RecordError) -> Refusal {
    let simple = |kind: &str, code: &str, detail: String| Refusal {
        kind: kind.into(),
        code: code.into(),
        detail,
        failures: Vec::new(),
        extra: String::new(),
    };
    let failures = |faults: Vec<Fault>| {
        faults
            .into_iter()
            .map(|fault| Failure {
                pointer: fault.pointer,
                code: fault.code.into_owned(),
                detail: fault.detail,
            })
            .collect()
    };
    match error {
        RecordError::NotFound => simple("not-found", "record_not_found", error.to_string()),
        RecordError::Forbidden { .. } => simple("forbidden", "forbidden", error.to_string()),
        RecordError::FieldNotReadable { .. } => simple("forbidden", "field_not_readable", error.to_string()),
        RecordError::FieldNotWritable { .. } => simple("forbidden", "field_not_writable", error.to_string()),
        RecordError::BadRequest { code, detail } => simple("invalid", code, detail),
        RecordError::Invalid(faults) => Refusal {
            failures: failures(faults),
            ..simple("invalid", "validation_failed", "the input breaks rules".into())
        },
        RecordError::Conflict { code, detail, extra, faults } => {
            let extra =
                if extra.is_empty() { String::new() } else { serde_json::Value::Object(extra).to_string() };
            Refusal { failures: failures(faults), extra, ..simple("conflict", &code, detail) }
        }
        RecordError::Stale { .. } => simple("conflict", "version_conflict", error.to_string()),
        RecordError::KeyReused => simple("conflict", "idempotency_key_reused", error.to_string()),
        RecordError::Plugin { code, detail, .. } => simple("limit", code, detail),
        RecordError::PluginPaused { .. } => simple("limit", "plugin_paused", error.to_string()),
        RecordError::Schema(_) | RecordError::Storage(_) | RecordError::Identity(_) => {
            tracing::error!(error = format!("{error:?}"), "host call failed");
            simple("failed", "host_failed", "the host could not do it".into())
        }
    }
}
