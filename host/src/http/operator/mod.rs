//! The operator's API on the local socket: what the command line asks of a host, running or not.
//!
//! Whoever may open the socket is the operator: it lies in the data folder with mode 0600 and the kernel tells who is at
//! the other end (`socket.rs`). Organizations come to be in `provision.rs`; health is judged in `doctor.rs`; plugins are the
//! platform's plane in the operator's name (`plugins.rs`).

pub mod doctor;
mod plugins;
pub mod provision;
pub mod socket;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use poem::endpoint::Endpoint;
use poem::http::{StatusCode, header};
use poem::web::{Data, Path as PathParam};
use poem::{Body, EndpointExt, IntoResponse, Response, Route, get, handler, post, put};
use poem_openapi::types::ToJSON;
use serde::Deserialize;
use serde_json::{Value, json};

use self::plugins::Plugins;
use self::provision::NewOrganizationRequest;
use crate::app::App;
use crate::caller::Caller;
use crate::http::access::id;
use crate::http::metrics::Metrics;
use crate::http::problem::Problem;
use crate::http::resources::api_keys::instant;
use crate::http::resources::jobs::JobView;
use crate::http::resources::upload::StoredFile;
use crate::http::{body, input, request};
use crate::identity::{self, NewApiKey};
use crate::ids::RequestId;
use crate::organizations::Organization;
use crate::platform;
use crate::records::Scope;

/// What the operator's API works with.
#[derive(Clone)]
pub struct Operator {
    /// Every handle.
    pub app: App,
    /// The data folder.
    pub data: PathBuf,
    /// Where uploads are kept until their job is over.
    pub uploads: Arc<Path>,
}

impl Operator {
    async fn organization(&self, slug: &str) -> Result<Arc<Organization>, Problem> {
        let found = self.app.organizations.by_slug(slug).await.map_err(|error| Problem::internal(&error))?;
        let detail = format!("There is no organization `{slug}`. `stoa org list` shows them.");
        found.ok_or_else(|| Problem::not_found("organization_not_found", detail))
    }

    /// What the platform may do in this organization.
    async fn scope(&self, organization: &Arc<Organization>) -> Result<Scope, Problem> {
        let entered = self.app.enter(organization).await.map_err(|error| Problem::internal(&error))?;
        Ok(entered.scope(&Self::caller(organization)))
    }

    /// The platform as a caller in this organization.
    fn caller(organization: &Organization) -> Caller {
        identity::platform(organization.id, request::current().unwrap_or_else(RequestId::new))
    }
}

/// The routes of the socket.
pub fn routes(operator: Operator, metrics: Metrics) -> impl Endpoint<Output = Response> + 'static {
    let routes = Route::new()
        .at("/organizations", get(list_organizations).post(create_organization))
        .at("/organizations/:slug", get(get_organization))
        .at("/organizations/:slug/api-keys", post(create_api_key))
        .at("/organizations/:slug/licences/:module", put(license).delete(revoke_license))
        .at("/organizations/:slug/imports", post(import))
        .at("/organizations/:slug/jobs", get(list_jobs))
        .at("/organizations/:slug/jobs/:id", get(get_job))
        .at("/organizations/:slug/jobs/:id/errors", get(get_job_errors))
        .at("/platform/claim-code", post(claim_code))
        .at("/doctor", get(examine))
        .nest_no_strip("/admin/v1", Plugins::new(&operator.app))
        .data(operator);
    crate::http::edge::guarded(routes.map_to_response(), metrics)
}

/// An object that holds exactly the members of `T`. The operator may read what the parser says.
async fn read<T: for<'de> Deserialize<'de>>(body: Body) -> Result<T, Problem> {
    let members = input::object(&body::read(body).await?)?;
    serde_json::from_value(Value::Object(members))
        .map_err(|error| Problem::malformed("malformed_request", error.to_string()))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    Response::builder().status(status).header(header::CONTENT_TYPE, "application/json").body(body.to_string())
}

#[handler]
async fn list_organizations(operator: Data<&Operator>) -> Result<Response, Problem> {
    let all = operator.app.organizations.list().await.map_err(|error| Problem::internal(&error))?;
    let data: Vec<Value> = all.iter().map(|organization| provision::view(organization)).collect();
    Ok(answer(StatusCode::OK, &json!({ "data": data })))
}

#[handler]
async fn get_organization(
    operator: Data<&Operator>,
    PathParam(slug): PathParam<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &provision::view(&*operator.organization(&slug).await?)))
}

#[handler]
async fn create_organization(operator: Data<&Operator>, body: Body) -> Result<Response, Problem> {
    let created = provision::create(operator.0, read::<NewOrganizationRequest>(body).await?).await?;
    Ok(answer(StatusCode::CREATED, &created))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRequest {
    role: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
}

#[handler]
async fn create_api_key(
    operator: Data<&Operator>,
    PathParam(slug): PathParam<String>,
    body: Body,
) -> Result<Response, Problem> {
    let organization = operator.organization(&slug).await?;
    let KeyRequest { role, name, expires_at } = read(body).await?;
    let name = name.unwrap_or_else(|| format!("{role} key of the operator"));
    let expires_at = expires_at.as_deref().map(instant).transpose()?;
    let new = NewApiKey { name, role: Some(role), expires_at, administers: true, ..NewApiKey::default() };
    let (key, secret) = operator.app.identity.create_api_key(&Operator::caller(&organization), new).await?;
    let body = json!({
        "id": key.id.to_string(), "organization": slug, "role": key.role, "name": key.name, "api_key": secret.reveal(),
    });
    Ok(answer(StatusCode::CREATED, &body))
}

#[handler]
async fn license(
    operator: Data<&Operator>,
    PathParam((slug, module)): PathParam<(String, String)>,
) -> Result<Response, Problem> {
    let organization = operator.organization(&slug).await?;
    operator.app.license(&organization, &module, None).await?;
    Ok(answer(StatusCode::OK, &json!({ "organization": slug, "module": module, "licensed": true })))
}

#[handler]
async fn revoke_license(
    operator: Data<&Operator>,
    PathParam((slug, module)): PathParam<(String, String)>,
) -> Result<Response, Problem> {
    let organization = operator.organization(&slug).await?;
    operator.app.licensing.revoke(organization.id, &module).await?;
    Ok(answer(StatusCode::OK, &json!({ "organization": slug, "module": module, "licensed": false })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportRequest {
    /// An absolute path on this machine.
    file: PathBuf,
    /// The spec, as the text of its file.
    spec: String,
}

#[handler]
async fn import(
    operator: Data<&Operator>,
    PathParam(slug): PathParam<String>,
    body: Body,
) -> Result<Response, Problem> {
    let organization = operator.organization(&slug).await?;
    let ImportRequest { file, spec } = read(body).await?;
    // The job takes the file it is given away; the operator keeps theirs.
    let copy = copy(&file, &operator.uploads).await.map_err(|error| {
        Problem::malformed("file_unreadable", format!("{} cannot be read: {error}", file.display()))
    })?;
    let scope = operator.scope(&organization).await?;
    let job = operator.app.imports.submit(&scope, &spec, copy.path()).await?;
    Ok(answer(StatusCode::ACCEPTED, &JobView::from(&job).to_json().unwrap_or_default()))
}

async fn copy(file: &Path, folder: &Path) -> std::io::Result<StoredFile> {
    let mut from = tokio::fs::File::open(file).await?;
    let (stored, mut to) = StoredFile::create(folder).await?;
    tokio::io::copy(&mut from, &mut to).await?;
    to.sync_all().await?;
    Ok(stored)
}

#[handler]
async fn list_jobs(
    operator: Data<&Operator>,
    PathParam(slug): PathParam<String>,
) -> Result<Response, Problem> {
    let organization = operator.organization(&slug).await?;
    let jobs = operator.app.jobs.list(organization.id, None, 200).await?;
    let data: Vec<Option<Value>> = jobs.iter().map(|job| JobView::from(job).to_json()).collect();
    Ok(answer(StatusCode::OK, &json!({ "data": data })))
}

#[handler]
async fn get_job(
    operator: Data<&Operator>,
    PathParam((slug, job)): PathParam<(String, String)>,
) -> Result<Response, Problem> {
    let organization = operator.organization(&slug).await?;
    let job = operator.app.jobs.get(organization.id, id(&job, "job_not_found")?).await?;
    Ok(answer(StatusCode::OK, &JobView::from(&job).to_json().unwrap_or_default()))
}

#[handler]
async fn get_job_errors(
    operator: Data<&Operator>,
    PathParam((slug, job)): PathParam<(String, String)>,
) -> Result<Response, Problem> {
    let organization = operator.organization(&slug).await?;
    let job = operator.app.jobs.get(organization.id, id(&job, "job_not_found")?).await?;
    let csv = operator.app.imports.errors_csv(&operator.scope(&organization).await?, job.id).await?;
    Ok(Response::builder().header(header::CONTENT_TYPE, "text/csv; charset=utf-8").body(csv))
}

/// A new code for the first administrator of the platform, while there is none.
#[handler]
async fn claim_code(operator: Data<&Operator>) -> Result<Response, Problem> {
    let Some(code) = operator.app.platform.new_claim_code().await? else {
        let detail = "The platform has administrators; they invite further ones.";
        return Err(Problem::new(StatusCode::CONFLICT, "already_claimed", detail));
    };
    Ok(answer(StatusCode::CREATED, &json!({ "claim_code": code, "hours": platform::CLAIM / 3_600_000 })))
}

#[handler]
async fn examine(operator: Data<&Operator>) -> Response {
    answer(StatusCode::OK, &doctor::examine(operator.0).await).into_response()
}
