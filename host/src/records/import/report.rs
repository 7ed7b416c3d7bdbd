//! The error file of an import, and what an undo left as it is.

use serde_json::Value as Json;

use super::store;
use crate::jobs::Job;
use crate::records::error::RecordError;
use crate::records::{Records, Scope, guard};

/// The faults of a job, in their order: from the file that it wrote to, or from its result.
pub(super) fn kept(
    engine: &Records,
    scope: &Scope,
    job: &Job,
    entity: &str,
) -> Result<Vec<Json>, RecordError> {
    let mut faults = match entity.split_once('.').and_then(|(plugin, _)| scope.module(plugin)) {
        Some(module) => engine.read(scope, module, |conn| store::errors(conn, job.id))?,
        None => Vec::new(),
    };
    if faults.is_empty() {
        let result: Json =
            job.result.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        faults = result.get("errors").and_then(Json::as_array).cloned().unwrap_or_default();
    }
    Ok(faults)
}

/// `line,column,code,detail`, in the order of the file; of a workbook the sheet first.
pub(super) fn import(faults: &[Json], sheet: Option<&str>) -> Result<Vec<u8>, RecordError> {
    let members = ["line", "column", "code", "detail"];
    match sheet {
        None => csv(&members, faults, &[]),
        Some(sheet) => csv(&["sheet", "line", "column", "code", "detail"], faults, &[("sheet", sheet)]),
    }
}

/// `entity,record,fields,code,detail`.
pub(super) fn undo(faults: &[Json]) -> Result<Vec<u8>, RecordError> {
    csv(&["entity", "record", "fields", "code", "detail"], faults, &[])
}

fn csv(members: &[&str], faults: &[Json], constants: &[(&str, &str)]) -> Result<Vec<u8>, RecordError> {
    let text = |fault: &Json, key: &str| match fault.get(key) {
        Some(Json::String(text)) => guard::put(text).into_owned(),
        Some(Json::Number(number)) => number.to_string(),
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(";"),
        _ => {
            let constant = constants.iter().find(|(name, _)| *name == key);
            constant.map(|(_, text)| guard::put(text).into_owned()).unwrap_or_default()
        }
    };
    let mut out = csv::Writer::from_writer(Vec::new());
    let written = out.write_record(members).and_then(|()| {
        faults.iter().try_for_each(|fault| out.write_record(members.iter().map(|key| text(fault, key))))
    });
    let failed = || RecordError::bad("error_file", "the error file could not be written");
    written.map_err(|_| failed())?;
    out.into_inner().map_err(|_| failed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_error_file_names_what_where_and_why_and_holds_no_formula() {
        let faults = [json!({"line": 3, "column": "=x", "code": "required", "detail": "a \"b\""})];
        let text = |bytes: Result<Vec<u8>, RecordError>| String::from_utf8(bytes.unwrap()).unwrap();
        assert_eq!(text(import(&faults, None)), "line,column,code,detail\n3,'=x,required,\"a \"\"b\"\"\"\n");
        assert_eq!(
            text(import(&faults, Some("Sheet1"))),
            "sheet,line,column,code,detail\nSheet1,3,'=x,required,\"a \"\"b\"\"\"\n"
        );
        let left = [json!({"entity": "tree", "record": "1", "fields": ["a", "b"], "code": "changed_since"})];
        assert_eq!(text(undo(&left)), "entity,record,fields,code,detail\ntree,1,a;b,changed_since,\n");
    }
}
