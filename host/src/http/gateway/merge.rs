//! `POST /{plugin}/{entities}/merge`, and what is said of records that were merged away.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};

use super::mutate::{Sent, response};
use super::{Call, is_get, method_not_allowed, no_route, problem};
use crate::app::App;
use crate::http::problem::{Fault, Problem};
use crate::ids::RecordId;
use crate::records::merge::Request as Merge;
use crate::records::mutation::Reply;
use crate::records::schema::Entity;
use crate::records::{RecordError, Scope};

impl Call<'_> {
    pub(super) async fn merge(self, entity: &Arc<Entity>, mut request: Request) -> Result<Response, Problem> {
        if !(entity.operations.update && entity.operations.delete) {
            return Err(no_route());
        }
        if *request.method() != Method::POST {
            return Err(method_not_allowed("POST"));
        }
        let sent = Sent::of(&mut request).await?;
        let mut asked = wanted(sent.members()?)?;
        if let Some(version) = sent.version {
            asked.versions.insert(asked.survivor, version);
        }
        let (engine, hooks) = (&self.app.records, self.app.hooks());
        let outcome = engine.merge(&self.scope, entity, &hooks, asked, sent.manner).await.map_err(refusal)?;
        // What is left to do in other modules' files is done without anybody asking again.
        let status = if outcome.open { StatusCode::ACCEPTED } else { StatusCode::OK };
        let body = outcome.body.to_string().into_bytes();
        Ok(response(Reply { status: status.as_u16(), body, replayed: outcome.replayed, ..Reply::default() }))
    }
}

/// The body of a merge.
fn wanted(members: Map<String, Json>) -> Result<Merge, Problem> {
    let mut faults = Vec::new();
    let mut merge = Merge {
        survivor: RecordId::from_bytes([0; 16]),
        losers: Vec::new(),
        choices: Map::new(),
        versions: BTreeMap::new(),
    };
    for name in ["survivor_id", "loser_ids"].into_iter().filter(|name| !members.contains_key(*name)) {
        faults.push(Fault::new(format!("/{name}"), "required", format!("`{name}` is required.")));
    }
    for (name, value) in members {
        let at = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        match (name.as_str(), value) {
            ("survivor_id", value) => match id(&value) {
                Some(id) => merge.survivor = id,
                None => faults.push(Fault::new(at, "invalid_id", "`survivor_id` is the id of a record.")),
            },
            ("loser_ids", Json::Array(ids)) => {
                for (place, value) in ids.iter().enumerate() {
                    match id(value) {
                        Some(id) => merge.losers.push(id),
                        None => {
                            let detail = "Each of `loser_ids` is the id of a record.";
                            faults.push(Fault::new(format!("{at}/{place}"), "invalid_id", detail));
                        }
                    }
                }
            }
            ("choices", Json::Object(choices)) => merge.choices = choices,
            ("versions", Json::Object(versions)) => {
                for (key, value) in versions {
                    match (RecordId::from_str(&key).ok(), value.as_u64()) {
                        (Some(id), Some(version)) => {
                            merge.versions.insert(id, version);
                        }
                        _ => {
                            let detail = "`versions` has the version of a record under its id.";
                            let key = key.replace('~', "~0").replace('/', "~1");
                            faults.push(Fault::new(format!("{at}/{key}"), "invalid_version", detail));
                        }
                    }
                }
            }
            ("loser_ids", _) => {
                faults.push(Fault::new(at, "wrong_type", "`loser_ids` is a list of ids of records."))
            }
            ("choices" | "versions", _) => {
                faults.push(Fault::new(at, "wrong_type", format!("`{name}` is an object.")))
            }
            _ => faults.push(Fault::new(
                at,
                "unknown_field",
                "A merge takes `survivor_id`, `loser_ids`, `choices` and `versions`.",
            )),
        }
    }
    if faults.is_empty() { Ok(merge) } else { Err(Problem::invalid(faults)) }
}

fn id(value: &Json) -> Option<RecordId> {
    value.as_str().and_then(|text| RecordId::from_str(text).ok())
}

/// A record that is not there, or not for the caller, is 404, as everywhere; the place says which one.
fn refusal(error: RecordError) -> Problem {
    match error {
        RecordError::Invalid(faults) if faults.iter().all(|fault| fault.code == "record_not_found") => {
            let detail = "There is no such record, or none that you may read; see `errors`.";
            let faults = faults.into_iter().map(|fault| Fault::new(fault.pointer, fault.code, fault.detail));
            Problem::not_found("record_not_found", detail).with_faults(faults.collect())
        }
        other => problem(other),
    }
}

/// What a request for a record asks, in case that the record is not there: it may have been merged.
pub(super) struct Asked<'a> {
    app: &'a App,
    scope: Scope,
    entity: Arc<Entity>,
    record: RecordId,
    reads: bool,
    /// `/t/acme/api/v1/crm/accounts`
    base: String,
    /// `/timeline?limit=3`, or nothing.
    rest: String,
}

impl<'a> Asked<'a> {
    /// What `segments` behind the plugin's id ask, if it is something of one record.
    pub(super) fn of(call: &Call<'a>, segments: &[&str], request: &Request) -> Option<Self> {
        let [plural, id, rest @ ..] = segments else { return None };
        let mut after: String = rest.iter().flat_map(|segment| ["/", *segment]).collect();
        if let Some(query) = request.uri().query() {
            after.extend(["?", query]);
        }
        Some(Self {
            app: call.app,
            scope: call.scope.clone(),
            entity: call.module.entity_by_plural(plural).cloned()?,
            record: RecordId::from_str(id).ok()?,
            reads: is_get(request.method()),
            base: format!("{}/{plural}", call.base),
            rest: after,
        })
    }

    /// The answer instead of "there is no such record": 301 for whoever reads, 409 for whoever wants to do something.
    pub(super) fn or_merged(&self, problem: Problem) -> Problem {
        if problem.status != StatusCode::NOT_FOUND || problem.code != "record_not_found" {
            return problem;
        }
        let (into, merge) = match self.app.records.merged_into(&self.scope, &self.entity, self.record) {
            Ok(Some(found)) => found,
            Ok(None) => return problem,
            Err(error) => return super::problem(error),
        };
        let status = if self.reads { StatusCode::MOVED_PERMANENTLY } else { StatusCode::CONFLICT };
        let detail = format!("This record was merged into {into}; use that one.");
        let answer = Problem::new(status, "merged", detail)
            .with_extra("into", into.to_string())
            .with_extra("merge", merge.to_string());
        match HeaderValue::from_str(&format!("{}/{into}{}", self.base, self.rest)) {
            Ok(place) if self.reads => answer.with_header(header::LOCATION, place),
            _ => answer,
        }
    }
}
