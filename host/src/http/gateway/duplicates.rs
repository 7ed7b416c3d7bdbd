//! Duplicates of an entity's records: the check of payloads, and the reason for writing one all the same.

use std::sync::Arc;

use poem::http::uri::PathAndQuery;
use poem::http::{Method, StatusCode, Uri};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};

use super::{Call, json, method_not_allowed, parameters, problem, records};
use crate::http::aside::aside;
use crate::http::problem::{Fault, Problem};
use crate::ids::RecordId;
use crate::records::duplicates::check::{self, Subjects};
use crate::records::schema::Entity;

/// The parameter that says why a duplicate is to be written all the same.
const ALLOW: &str = "allow_duplicates";
/// Longest reason, in characters.
const REASON: usize = 500;
/// Most payloads of one check.
const MOST: usize = 1_000;

/// Takes the reason for writing a duplicate out of the address of a write, so that every kind of write knows it.
pub(super) fn reason(request: &mut Request) -> Result<Option<Arc<str>>, Problem> {
    let writes = matches!(*request.method(), Method::POST | Method::PATCH | Method::PUT);
    let query = request.uri().query().filter(|query| query.contains(ALLOW)).map(str::to_owned);
    let Some(query) = query.filter(|_| writes) else {
        return Ok(None);
    };
    let pairs = parameters::pairs(request)?;
    let Some((_, value)) = pairs.into_iter().find(|(name, _)| name == ALLOW) else {
        return Ok(None);
    };
    let value = value.trim();
    if value.is_empty() || value.chars().count() > REASON || value.chars().any(char::is_control) {
        let detail =
            format!("`{ALLOW}` is the reason for writing a duplicate: a text of 1 to {REASON} characters.");
        return Err(Problem::malformed("invalid_allow_duplicates", detail));
    }
    let named = |part: &&str| part.split('=').next() != Some(ALLOW);
    let rest = query.split('&').filter(named).collect::<Vec<_>>().join("&");
    let path = request.uri().path();
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(target.parse::<PathAndQuery>().map_err(|error| Problem::internal(&error))?);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|error| Problem::internal(&error))?;
    Ok(Some(value.into()))
}

impl Call<'_> {
    /// `POST /{plugin}/{entities}/duplicates`
    pub(super) async fn duplicates(
        self,
        entity: &Arc<Entity>,
        mut request: Request,
    ) -> Result<Response, Problem> {
        if *request.method() != Method::POST {
            return Err(method_not_allowed("POST"));
        }
        if let Some((name, _)) = parameters::pairs(&request)?.first() {
            return Err(parameters::unknown(name));
        }
        let subjects = subjects(records::members(&mut request).await?).map_err(Problem::invalid)?;
        let (engine, scope, entity) = (self.app.records.clone(), self.scope.clone(), Arc::clone(entity));
        let look = move || check::check(&engine, &scope, &entity, &subjects);
        let found = aside(look).await?;
        Ok(json(StatusCode::OK, found.map_err(problem)?.to_string().into_bytes()))
    }
}

/// `{"records":[{…}]}` or `{"ids":["…"]}`
fn subjects(members: Map<String, Json>) -> Result<Subjects, Vec<Fault>> {
    let unknown = |name: &&String| !matches!(name.as_str(), "records" | "ids");
    let mut faults: Vec<Fault> = members
        .keys()
        .filter(unknown)
        .map(|name| Fault::new(format!("/{name}"), "unknown_field", "send `records` or `ids`".to_owned()))
        .collect();
    let list = |name: &str| match members.get(name) {
        Some(Json::Array(items)) if (1..=MOST).contains(&items.len()) => Ok(Some(items.clone())),
        Some(_) => {
            Err(Fault::new(format!("/{name}"), "wrong_type", format!("must be a list of 1 to {MOST}")))
        }
        None => Ok(None),
    };
    let lists = (list("records"), list("ids"));
    let subjects = match lists {
        (Ok(Some(items)), Ok(None)) => records_of(items, &mut faults),
        (Ok(None), Ok(Some(items))) => ids_of(&items, &mut faults),
        (Err(fault), _) | (_, Err(fault)) => {
            faults.push(fault);
            None
        }
        _ => {
            faults.push(Fault::new(String::new(), "required", "send either `records` or `ids`".to_owned()));
            None
        }
    };
    subjects.filter(|_| faults.is_empty()).ok_or(faults)
}

fn records_of(items: Vec<Json>, faults: &mut Vec<Fault>) -> Option<Subjects> {
    let mut records = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        match item {
            Json::Object(members) => records.push(members),
            _ => {
                let detail = "must be an object with the fields of a record".to_owned();
                faults.push(Fault::new(format!("/records/{at}"), "wrong_type", detail));
            }
        }
    }
    Some(Subjects::Records(records))
}

fn ids_of(items: &[Json], faults: &mut Vec<Fault>) -> Option<Subjects> {
    let mut ids: Vec<RecordId> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        match item.as_str().and_then(|text| text.parse().ok()) {
            Some(id) => ids.push(id),
            None => {
                let detail = "must be the id of a record".to_owned();
                faults.push(Fault::new(format!("/ids/{at}"), "invalid_id", detail));
            }
        }
    }
    Some(Subjects::Ids(ids))
}
