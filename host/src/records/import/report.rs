//! The error file of an import.

use serde_json::Value as Json;

use super::spec::Spec;
use super::store;
use crate::jobs::Job;
use crate::records::error::RecordError;
use crate::records::{Records, Scope};

/// `line,column,code,detail`, in the order of the file.
pub(super) fn csv(engine: &Records, scope: &Scope, job: &Job, spec: &Spec) -> Result<Vec<u8>, RecordError> {
    let mut faults = match spec.entity.split_once('.').and_then(|(plugin, _)| scope.module(plugin)) {
        Some(module) => engine.read(scope, module, |conn| store::errors(conn, job.id))?,
        None => Vec::new(),
    };
    if faults.is_empty() {
        let result: Json =
            job.result.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        faults = result.get("errors").and_then(Json::as_array).cloned().unwrap_or_default();
    }
    let mut out = csv::Writer::from_writer(Vec::new());
    let written = out.write_record(["line", "column", "code", "detail"]).and_then(|()| {
        faults.iter().try_for_each(|fault| {
            let text = |key: &str| match fault.get(key) {
                Some(Json::String(text)) => harmless(text),
                Some(Json::Number(number)) => number.to_string(),
                _ => String::new(),
            };
            out.write_record([text("line"), text("column"), text("code"), text("detail")])
        })
    });
    let failed = |_| RecordError::bad("error_file", "the error file could not be written");
    written.map_err(failed)?;
    out.into_inner().map_err(|_| RecordError::bad("error_file", "the error file could not be written"))
}

/// Keeps a spreadsheet from taking a text for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn no_text_becomes_a_formula() {
        assert_eq!(harmless("=1+1"), "'=1+1");
        assert_eq!(harmless("plain - text"), "plain - text");
    }
}
