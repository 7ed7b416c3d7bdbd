//! Everything below `/api/v1/{plugin}/`: the entities, actions and reports that plugins declare. No route is written per
//! entity; the manifest decides what an address means.
//!
//! ```text
//! GET  POST          /{plugin}/{entities}                 list, create
//! POST               /{plugin}/{entities}/query           list by a filter in JSON
//! POST               /{plugin}/{entities}/bulk            many changes in one transaction
//! GET                /{plugin}/{entities}/deleted         the recycle bin
//! POST               /{plugin}/{entities}/duplicates      check payloads against the records that are there
//! GET  PATCH DELETE  /{plugin}/{entities}/{id}            one record
//! POST               /{plugin}/{entities}/{id}/restore    out of the recycle bin
//! POST               /{plugin}/{entities}/{id}/purge      for good
//! POST (GET)         /{plugin}/{entities}/{id}/{verb}     action on a record (GET: a `read` action)
//! GET                /{plugin}/{entities}/search         found by words
//! GET                /{plugin}/{entities}/export          all of them, as a file
//! POST (GET)         /{plugin}/{entities}/{verb}          action on the collection
//! POST (GET)         /{plugin}/{verb}                     action of the module
//! GET                /{plugin}/reports/{report}           figures
//! ```
//!
//! Licence first, policy next, then the record engine; plugin code runs only behind all of them.

mod actions;
mod bulk;
mod companions;
mod duplicates;
mod error;
mod export;
mod listing;
mod merge;
pub(super) mod mutate;
mod parameters;
mod records;
mod reports;
mod search;
mod trash;

use std::str::FromStr as _;
use std::sync::Arc;

use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response};

use crate::app::{Absence, App, Entered};
use crate::caller::Caller;
use crate::http::problem::Problem;
use crate::ids::RecordId;
use crate::plugins::{ActionMode, ActionTarget, Plugin};
use crate::records::Scope;
use crate::records::schema::{CUSTOM_MODULE as CUSTOM, Entity, Module};

pub(super) use self::error::problem;

/// The endpoint of all plugins.
pub struct Gateway {
    app: App,
}

/// A request that found its plugin.
struct Call<'a> {
    app: &'a App,
    /// Whose code runs; `None` for what the organization made itself.
    plugin: Option<Arc<Plugin>>,
    /// The entities, as this organization has them.
    module: Arc<Module>,
    scope: Scope,
    /// `/t/acme/api/v1/sales`: for `Location`.
    base: String,
}

impl Gateway {
    /// A gateway to this host's plugins.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self { app }
    }

    async fn route(&self, request: Request) -> Result<Response, Problem> {
        let (Some(entered), Some(caller)) =
            (request.data::<Arc<Entered>>().cloned(), request.data::<Caller>().cloned())
        else {
            return Err(Problem::unauthenticated());
        };
        let path = request.uri().path().to_owned();
        let rest = path.strip_prefix("/api/v1/").unwrap_or_default();
        let segments: Vec<&str> = rest.split('/').collect();
        let Some((plugin, segments)) = segments.split_first() else {
            return Err(no_route());
        };
        let (id, scope) = (*plugin, entered.scope(&caller));
        let plugin = if id == CUSTOM { None } else { Some(Self::plugin(id, &entered)?) };
        let module = scope.module(id).cloned().ok_or_else(no_route)?;
        let prefix =
            request.data::<super::access::Prefix>().map(|prefix| Arc::clone(&prefix.0)).unwrap_or_default();
        let base = format!("{prefix}/api/v1/{id}");
        let call = Call { app: &self.app, scope, plugin, module, base };
        let asked = merge::Asked::of(&call, segments, &request);
        let outcome = call.dispatch(segments, request).await;
        outcome.map_err(|problem| match asked {
            Some(asked) => asked.or_merged(problem),
            None => problem,
        })
    }

    /// The plugin, if the organization may use it.
    fn plugin(id: &str, entered: &Entered) -> Result<Arc<Plugin>, Problem> {
        if let Some(plugin) = entered.plugins.iter().find(|plugin| &*plugin.manifest.id == id) {
            return Ok(Arc::clone(plugin));
        }
        let module = match entered.absence(id).ok_or_else(no_route)? {
            Absence::Unlicensed(module) => module,
            Absence::Disabled => {
                let detail =
                    format!("The plugin `{id}` is switched off for this organization. Its records are kept.");
                return Err(Problem::new(StatusCode::FORBIDDEN, "plugin_disabled", detail));
            }
            Absence::Stopped => {
                let detail = format!(
                    "The version of `{id}` that this organization runs was stopped. Ask the operator of this installation."
                );
                return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "plugin_stopped", detail));
            }
        };
        let detail = format!(
            "The module `{module}` is not licensed for this organization. Ask the operator of this installation."
        );
        let mut problem = Problem::new(StatusCode::FORBIDDEN, "license_required", detail);
        problem.extra.insert("module".into(), module.into());
        Err(problem)
    }
}

impl Call<'_> {
    async fn dispatch(mut self, segments: &[&str], mut request: Request) -> Result<Response, Problem> {
        self.scope.allow_duplicates = duplicates::reason(&mut request)?;
        match segments {
            ["reports", report] => self.report(report, request).await,
            [word] => match self.module.entity_by_plural(word).cloned() {
                Some(entity) => self.collection(&entity, request).await,
                None => self.action(None, None, ActionTarget::Module, word, request).await,
            },
            [plural, rest @ ..] => {
                let entity = self.module.entity_by_plural(plural).cloned().ok_or_else(no_route)?;
                self.below(&entity, rest, request).await
            }
            [] => Err(no_route()),
        }
    }

    /// Behind an entity: a word of the host, a record, or an action of the plugin.
    async fn below(
        self,
        entity: &Arc<Entity>,
        segments: &[&str],
        request: Request,
    ) -> Result<Response, Problem> {
        match segments {
            ["query"] => self.query(entity, request).await,
            ["search"] => self.search(entity, request).await,
            ["export"] => self.export(entity, request).await,
            ["bulk"] => self.bulk(entity, request).await,
            ["deleted"] => self.deleted(entity, request).await,
            ["duplicates"] => self.duplicates(entity, request).await,
            ["merge"] => self.merge(entity, request).await,
            [word @ ("tags" | "files")] => self.companions_of_all(entity, word, request).await,
            [word] => match RecordId::from_str(word) {
                Ok(id) => self.record(entity, id, request).await,
                Err(_) if self.knows(Some(entity), ActionTarget::Collection, word) => {
                    self.action(Some(entity), None, ActionTarget::Collection, word, request).await
                }
                Err(_) => Err(missing_record()),
            },
            [id, word, rest @ ..] if companions::WORDS.contains(word) => {
                self.companion(entity, id, (word, rest), request).await
            }
            [id, verb] => {
                let id = RecordId::from_str(id).map_err(|_| missing_record())?;
                match *verb {
                    "restore" => self.restore(entity, id, request).await,
                    "purge" => self.purge(entity, id, request).await,
                    _ => self.action(Some(entity), Some(id), ActionTarget::Record, verb, request).await,
                }
            }
            _ => Err(no_route()),
        }
    }

    fn knows(&self, entity: Option<&Arc<Entity>>, target: ActionTarget, verb: &str) -> bool {
        let key = entity.map(|entity| &*entity.key);
        self.plugin.as_ref().is_some_and(|plugin| plugin.manifest.action(key, target, verb).is_some())
    }
}

impl Endpoint for Gateway {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.route(request).await?)
    }
}

fn no_route() -> Problem {
    Problem::not_found("not_found", "There is nothing at this address.")
}

fn missing_record() -> Problem {
    Problem::not_found("record_not_found", "There is no record with this id, or none that you may read.")
}

/// 405 with what would work.
fn method_not_allowed(allowed: &str) -> Problem {
    let mut problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("This address answers {allowed}."),
    );
    if let Ok(value) = allowed.parse() {
        problem.headers.push((header::ALLOW, value));
    }
    problem
}

/// A JSON answer.
fn json(status: StatusCode, body: Vec<u8>) -> Response {
    Response::builder().status(status).header(header::CONTENT_TYPE, "application/json").body(body)
}

/// `"3"`
fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

const fn is_read(mode: ActionMode) -> bool {
    matches!(mode, ActionMode::Read)
}

fn is_get(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
