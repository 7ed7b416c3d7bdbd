//! The recycle bin: what lies in it, bringing records back, throwing them away for good.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use serde_json::{Map, Value as Json, json as object};

use super::mutate::{Sent, reply};
use super::records::readback;
use super::{Call, is_get, json, listing, method_not_allowed, parameters, problem};
use crate::http::problem::{Fault, Problem};
use crate::ids::RecordId;
use crate::records::list::View;
use crate::records::mutation::Reply;
use crate::records::schema::Entity;
use crate::records::trash::{self, Page, Wish};
use crate::records::tx::Tx;
use crate::storage::ChangeOrigin;

impl Call<'_> {
    /// `GET …/deleted`
    pub(super) async fn deleted(self, entity: &Arc<Entity>, request: Request) -> Result<Response, Problem> {
        if !is_get(request.method()) {
            return Err(method_not_allowed("GET"));
        }
        let (mut limit, mut cursor) = (None, None);
        for (name, value) in parameters::pairs(&request)? {
            match name.as_str() {
                "limit" => limit = Some(value),
                "cursor" => cursor = Some(value),
                _ => return Err(parameters::unknown(&name)),
            }
        }
        let limit = limit.map_or(Ok(listing::LIMIT), |text| listing::limit(text.parse().ok()))?;
        let page = Page { limit, cursor };
        let body = trash::page(&self.app.records, &self.scope, entity, &page).map_err(problem)?;
        Ok(json(StatusCode::OK, body))
    }

    /// `POST …/{id}/restore`
    pub(super) async fn restore(
        self,
        entity: &Arc<Entity>,
        id: RecordId,
        mut request: Request,
    ) -> Result<Response, Problem> {
        if request.method() != Method::POST {
            return Err(method_not_allowed("POST"));
        }
        let sent = Sent::of(&mut request).await?;
        let wish = wish(sent.optional_members()?)?;
        let (kind, view) =
            (Arc::clone(entity), View::within(&self.scope, entity, None, None).map_err(problem)?);
        let work = move |tx: &Tx| {
            trash::restore(tx, &kind, id, wish)?;
            Ok(reply(StatusCode::OK, readback(tx, &kind, id, &view)?))
        };
        self.mutate(sent.manner, work).await
    }

    /// `POST …/{id}/purge`
    pub(super) async fn purge(
        self,
        entity: &Arc<Entity>,
        id: RecordId,
        mut request: Request,
    ) -> Result<Response, Problem> {
        if request.method() != Method::POST {
            return Err(method_not_allowed("POST"));
        }
        let sent = Sent::of(&mut request).await?;
        let mut members = sent.optional_members()?;
        let (mut faults, cohort) = (Vec::new(), members.remove("cohort"));
        let cohort = switch("cohort", cohort, &mut faults);
        unknown(&members, &mut faults);
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        let kind = Arc::clone(entity);
        let (records, module) = (self.app.records.clone(), Arc::clone(&self.module));
        let (organization, origin) = (self.scope.organization.id, ChangeOrigin::from(&self.scope.caller));
        let work = move |tx: &Tx| {
            let purged = trash::purge(tx, &kind, id, cohort)?;
            Ok(Reply::ok(object!({ "purged": purged }).to_string().into_bytes()))
        };
        let answer = self.mutate(sent.manner, work).await?;
        // The contents of files follow their rows; what is missed here, the next start removes.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = records.sweep_left(organization, &module, origin) {
                tracing::warn!(%error, "the files of a purged record could not be removed");
            }
        });
        Ok(answer)
    }
}

/// How records are to come back: `{"only_this": true, "changes": {"<id>": {…}}}`.
fn wish(mut members: Map<String, Json>) -> Result<Wish, Problem> {
    let (mut faults, only_this) = (Vec::new(), members.remove("only_this"));
    let only_this = switch("only_this", only_this, &mut faults);
    let mut changes = BTreeMap::new();
    match members.remove("changes") {
        None => {}
        Some(Json::Object(records)) => {
            for (key, fields) in records {
                let pointer = format!("/changes/{}", key.replace('~', "~0").replace('/', "~1"));
                match (RecordId::from_str(&key), fields) {
                    (Ok(id), Json::Object(fields)) => {
                        changes.insert(id, fields);
                    }
                    (Ok(_), _) => {
                        faults.push(Fault::new(pointer, "wrong_type", "New values are an object of fields."))
                    }
                    (Err(_), _) => {
                        faults.push(Fault::new(pointer, "invalid_id", "This is not the id of a record."))
                    }
                }
            }
        }
        Some(_) => faults.push(Fault::new(
            "/changes",
            "wrong_type",
            "`changes` is an object: the id of a record, and its new values.",
        )),
    }
    unknown(&members, &mut faults);
    if faults.is_empty() { Ok(Wish { only_this, changes }) } else { Err(Problem::invalid(faults)) }
}

fn switch(name: &str, value: Option<Json>, faults: &mut Vec<Fault>) -> bool {
    match value {
        None => false,
        Some(Json::Bool(on)) => on,
        Some(_) => {
            faults.push(Fault::new(format!("/{name}"), "wrong_type", format!("`{name}` is true or false.")));
            false
        }
    }
}

fn unknown(members: &Map<String, Json>, faults: &mut Vec<Fault>) {
    for key in members.keys() {
        let shown: String = key.chars().filter(|sign| !sign.is_control()).take(64).collect();
        let pointer = format!("/{}", shown.replace('~', "~0").replace('/', "~1"));
        faults.push(Fault::new(pointer, "unknown_field", format!("`{shown}` is not known here.")));
    }
}
