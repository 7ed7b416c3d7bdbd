//! Errors of the record engine as problems, one decision for each.

use poem::http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::clock::rfc3339;
use crate::http::problem::{Fault, Problem};
use crate::records::RecordError;
use crate::records::since::ChangedField;
use crate::storage::StorageError;

/// The problem of an error.
pub(in crate::http) fn problem(error: RecordError) -> Problem {
    match error {
        RecordError::NotFound => super::missing_record(),
        RecordError::Forbidden { object, action } => {
            Problem::forbidden(format!("Your roles do not allow `{action}` on {object}."))
        }
        RecordError::FieldNotReadable { object, field } => {
            let detail = format!(
                "Your roles do not allow to read `{field}` of {object}, nor to filter or sort by it."
            );
            Problem::new(StatusCode::FORBIDDEN, "field_not_readable", detail)
        }
        RecordError::FieldNotWritable { object, field } => {
            let detail = format!("Your roles do not allow to write `{field}` of {object}; leave it out.");
            let fault = Fault::new(format!("/{field}"), "field_not_writable", detail.clone());
            Problem::new(StatusCode::FORBIDDEN, "field_not_writable", detail).with_faults(vec![fault])
        }
        RecordError::Storage(StorageError::Deadline) => Problem::malformed(
            "query_too_costly",
            "The query did not end in time. Narrow it: compare an indexed field, ask for fewer relations, or sort by nothing.",
        ),
        RecordError::BadRequest { code, detail } => Problem::malformed(code, detail),
        RecordError::Invalid(faults) => Problem::invalid(faults.into_iter().map(fault).collect()),
        RecordError::Conflict { code, detail, extra, faults } => {
            let mut problem = Problem::new(StatusCode::CONFLICT, code, detail);
            problem.errors = faults.into_iter().map(fault).collect();
            problem.extra = extra;
            problem
        }
        RecordError::Stale { current, sent, record, changed } => stale(current, sent, &record, &changed),
        RecordError::KeyReused => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "This Idempotency-Key was sent before with another request. Make a new key for each request.",
        ),
        RecordError::Plugin { plugin, code, detail } => {
            let mut problem = Problem::new(
                StatusCode::BAD_GATEWAY,
                code,
                format!("The plugin `{plugin}` was stopped or failed: {detail}. Nothing was changed."),
            );
            problem.extra.insert("plugin".into(), plugin.into());
            problem
        }
        RecordError::PluginPaused { plugin, seconds } => {
            let detail = format!(
                "The plugin `{plugin}` failed too often here and is left alone for a while. Try again in {seconds} s. Nothing was changed."
            );
            let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "plugin_paused", detail);
            problem.extra.insert("plugin".into(), plugin.into());
            problem.with_retry_after(seconds.into())
        }
        error @ (RecordError::Schema(_) | RecordError::Storage(_) | RecordError::Identity(_)) => {
            Problem::internal(&error)
        }
    }
}

fn fault(fault: crate::records::Fault) -> Fault {
    Fault::new(fault.pointer, fault.code, fault.detail)
}

/// 412 with the record as it is now and what was changed meanwhile, so that a client can merge without asking again.
fn stale(current: u64, sent: u64, record: &[u8], changed: &[ChangedField]) -> Problem {
    let detail = format!(
        "The record is at version {current}; you sent If-Match \"{sent}\". Merge with `current` and send again."
    );
    let mut problem = Problem::new(StatusCode::PRECONDITION_FAILED, "version_conflict", detail);
    problem.extra.insert("current".into(), serde_json::from_slice(record).unwrap_or_default());
    let changed = changed
        .iter()
        .map(|one| json!({"field": &*one.field, "at": rfc3339(one.at), "by": one.by.to_string()}));
    problem.extra.insert("changed_since".into(), changed.collect());
    if let Ok(tag) = HeaderValue::from_str(&super::etag(current)) {
        problem.headers.push((header::ETAG, tag));
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_takes_too_long_is_told_apart_from_a_file_that_fails() {
        let late = problem(RecordError::Storage(StorageError::Deadline));
        assert_eq!((late.status.as_u16(), &*late.code), (400, "query_too_costly"));
        let failed = problem(RecordError::Storage(StorageError::Panicked));
        assert_eq!((failed.status.as_u16(), &*failed.code), (500, "internal"));
    }

    #[test]
    fn a_field_that_may_not_be_read_may_not_be_asked_about() {
        let refused = problem(RecordError::FieldNotReadable { object: "a.b".into(), field: "c".into() });
        assert_eq!((refused.status.as_u16(), &*refused.code), (403, "field_not_readable"));
        assert!(refused.detail.contains("`c` of a.b"));
    }
}
