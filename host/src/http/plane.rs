//! The plane of the organizations: which one is asked, who asks, and which part of the API answers.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use poem::endpoint::{BoxEndpoint, Endpoint};
use poem::http::uri::PathAndQuery;
use poem::http::{HeaderMap, Method, StatusCode, Uri, header};
use poem::{EndpointExt, IntoEndpoint, IntoResponse, Request, Response};
use poem_openapi::OpenApiService;

use crate::app::App;
use crate::caller::Caller;
use crate::http::access::Prefix;
use crate::http::address::{self, Address, no_route};
use crate::http::docs::Pages;
use crate::http::edge::RouteClass;
use crate::http::gate::{Gate, Seal, Terminal};
use crate::http::gateway::Gateway;
use crate::http::oauth::{self, OAuth};
use crate::http::openapi::Document;
use crate::http::problem::Problem;
use crate::http::proxy::ClientAddress;
use crate::http::query::QueryTable;
use crate::http::resources::{self, Resources};
use crate::http::{body, callback, cors, errors, request};
use crate::identity::IdentityError;
use crate::ids::RequestId;
use crate::organizations::{Organization, Status};

/// First segments below `/api/v1` that belong to the host; every other one is a plugin's id.
pub const HOST_AREAS: [&str; 35] = [
    "api-keys",
    "audit",
    "auth",
    "authz",
    "bulk",
    "clients",
    "configuration",
    "domains",
    "duplicates",
    "events",
    "exports",
    "files",
    "grants",
    "identity-providers",
    "imports",
    "jobs",
    "keys",
    "me",
    "merges",
    "modules",
    "organization",
    "platform",
    "policies",
    "privacy",
    "roles",
    "search",
    "security",
    "service-accounts",
    "sessions",
    "settings",
    "sign-ins",
    "teams",
    "users",
    "views",
    "webhooks",
];

/// The longest bearer that is looked at.
const LONGEST_BEARER: usize = 4096;

/// What the plane needs to know from the configuration.
pub struct Site {
    /// The document needs no token.
    pub demo: bool,
    /// Where uploads are kept until their job is over.
    pub uploads: Arc<Path>,
    /// What the operator says about requests.
    pub gate: Terminal,
}

/// The folder for uploads, for whoever streams one.
#[derive(Clone)]
pub struct UploadFolder(pub Arc<Path>);

/// Everything an organization's people and programs reach.
pub struct Plane {
    app: App,
    site: Site,
    host: BoxEndpoint<'static>,
    gate: Gate,
    gateway: Gateway,
    oauth: OAuth,
    document: Arc<Document>,
    queries: QueryTable,
    pages: Pages,
}

impl Plane {
    /// The plane over this application.
    ///
    /// # Errors
    /// When the API document of the host is not what this module expects; a test holds that it is.
    pub fn new(app: App, site: Site) -> Result<Self, serde_json::Error> {
        let service = OpenApiService::new(resources::all(&app), "Stoa", env!("CARGO_PKG_VERSION"))
            .description("One organization's API: the host's own resources and the modules it may use.");
        let document = Document::new(&service.spec())?;
        Ok(Self {
            gate: Gate::new(&app, site.gate.clone()),
            gateway: Gateway::new(app.clone()),
            oauth: OAuth::new(app.identity.clone()),
            host: service.into_endpoint().map_to_response().boxed(),
            queries: QueryTable::of::<Resources>(),
            pages: Pages::new(),
            app,
            site,
            document: Arc::new(document),
        })
    }

    async fn organization(&self, slug: &str) -> Result<Arc<Organization>, Problem> {
        match self.app.organizations.by_slug(slug).await {
            Ok(Some(organization)) if organization.status == Status::Active => Ok(organization),
            Ok(Some(_)) => {
                let detail = "This organization is suspended. Its data is kept; ask the operator.";
                Err(Problem::new(StatusCode::FORBIDDEN, "organization_suspended", detail))
            }
            Ok(None) => Err(Problem::not_found("organization_not_found", "There is no such organization.")),
            Err(error) => Err(Problem::internal(&error)),
        }
    }

    async fn route(
        &self,
        part: Part,
        mut request: Request,
        address: &Address,
        seal: &mut Seal,
    ) -> poem::Result<Response> {
        let organization = match self.organization(&address.slug).await {
            Ok(organization) => organization,
            Err(problem) => return Err(self.gate.stranger(&request).err().unwrap_or(problem).into()),
        };
        set_path(&mut request, &address.path)?;
        let terms = self.gate.terms(&organization).await?;
        self.gate.origin(&mut request, &organization, &terms, seal)?;
        if cors::is_preflight(&request) {
            return Ok(cors::preflight(part.methods()));
        }
        let limit = part.body_limit(&address.path, request.method());
        body::bound(&mut request, limit)?;
        request.set_data(Arc::clone(&organization));
        request.set_data(Prefix(address.prefix.as_str().into()));
        match part {
            Part::Page => return Ok(self.pages.answer(&request)?),
            Part::OAuth => {
                self.gate.stranger(&request)?;
                return Ok(self.oauth.call(request, &organization).await?);
            }
            Part::Nothing => return Err(no_route().into()),
            Part::Callback => {
                self.gate.stranger(&request)?;
                return callback::answer(&self.app, &request, &organization).await;
            }
            Part::Open => self.gate.stranger(&request)?,
            Part::Document if self.site.demo => return self.document(&request, address, &organization).await,
            _ => {}
        }
        let mut _place = None;
        if part != Part::Open {
            let caller = match self.caller(&request, &organization) {
                Ok(caller) => caller,
                Err(problem) => return Err(self.gate.stranger(&request).err().unwrap_or(problem).into()),
            };
            _place = Some(self.gate.admit(&mut request, &caller, &terms, seal)?);
            request.set_data(caller);
        }
        if part == Part::Document {
            return self.document(&request, address, &organization).await;
        }
        if part != Part::Open {
            let entered = self.app.enter(&organization).await.map_err(|error| Problem::internal(&error))?;
            request.set_data(entered);
        }
        if part == Part::Plugin {
            return Ok(self.gateway.call(request).await?.into_response());
        }
        self.queries.check(&request)?;
        request.set_data(UploadFolder(Arc::clone(&self.site.uploads)));
        self.host.call(request).await
    }

    fn address(&self, request: &Request) -> Result<Address, Problem> {
        let host = address::host(request)?;
        self.gate.host(&host)?;
        let inserted = oauth::without_insertion(request.uri().path());
        let path = inserted.as_deref().unwrap_or_else(|| request.uri().path());
        address::resolve(&host, path, self.app.address.base_domain.as_deref())
    }

    /// A 405 says what would work; the gateway has said it already.
    fn tell_methods(&self, part: Part, path: &str, headers: &mut HeaderMap) {
        let methods = match part {
            Part::Page | Part::Document => part.methods().to_owned(),
            _ => self.queries.methods(path),
        };
        let methods = if methods.is_empty() { part.methods().to_owned() } else { methods };
        if let Ok(value) = methods.parse() {
            headers.entry(header::ALLOW).or_insert(value);
        }
    }

    fn caller(&self, request: &Request, organization: &Organization) -> Result<Caller, Problem> {
        let bearer = bearer(request.headers()).ok_or_else(Problem::unauthenticated)?;
        let id = request::current().unwrap_or_else(RequestId::new);
        let caller =
            self.app.identity.authenticate(organization, bearer, id).map_err(|error| match error {
                IdentityError::Storage(_) | IdentityError::Cryptography(_) => Problem::internal(&error),
                _ => Problem::unauthenticated(),
            })?;
        // From elsewhere a good key is no key: the answer tells nothing about it.
        let from = ClientAddress::of(request).0;
        caller.principal.admits(Some(from)).then_some(caller).ok_or_else(Problem::unauthenticated)
    }

    async fn document(
        &self,
        request: &Request,
        address: &Address,
        organization: &Arc<Organization>,
    ) -> poem::Result<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(poem::error::MethodNotAllowedError.into());
        }
        let entered = self.app.enter(organization).await.map_err(|error| Problem::internal(&error))?;
        let (documents, prefix) = (Arc::clone(&self.document), address.prefix.clone());
        // The first one of its kind takes longer than an async worker has.
        let text = tokio::task::spawn_blocking(move || documents.of(&prefix, &entered)).await;
        let text = text.map_err(|error| Problem::internal(&error))?;
        let kind = "application/vnd.oai.openapi+json;version=3.1";
        Ok(Response::builder().header(header::CONTENT_TYPE, kind).body(text))
    }
}

impl Endpoint for Plane {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        request.set_data(self.gate.client(&request));
        let mut seal = Seal::default();
        let mut response = match self.address(&request) {
            Ok(address) => {
                let part = Part::of(&address.path, request.method());
                let mut response = match self.route(part, request, &address, &mut seal).await {
                    Ok(response) => errors::checked(response),
                    Err(error) => errors::answer(error),
                };
                if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                    self.tell_methods(part, &address.path, response.headers_mut());
                }
                response.set_data(RouteClass(class(part, &address.path)));
                response
            }
            Err(problem) => problem.response(),
        };
        self.gate.seal(seal, response.headers_mut());
        Ok(response)
    }
}

/// Which part of the API a path belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// A page for browsers and what it loads.
    Page,
    /// The authorization server.
    OAuth,
    /// The OpenAPI document.
    Document,
    /// A host resource that needs no token.
    Open,
    /// Where people come back from another issuer.
    Callback,
    /// The host resource that takes files.
    Import,
    /// A host resource.
    Host,
    /// A plugin's entities, actions and reports.
    Plugin,
    /// Nothing.
    Nothing,
}

impl Part {
    /// What may be asked for anywhere in it.
    const fn methods(self) -> &'static str {
        match self {
            Self::Page | Self::Document | Self::Callback | Self::Nothing => "GET, HEAD",
            Self::Import => "POST",
            Self::Open | Self::Host | Self::Plugin | Self::OAuth => "GET, HEAD, POST, PUT, PATCH, DELETE",
        }
    }

    fn body_limit(self, path: &str, method: &Method) -> usize {
        match self {
            Self::Import => body::UPLOAD_LIMIT + body::LIMIT,
            Self::Plugin if takes_files(path, method) => body::UPLOAD_LIMIT + body::LIMIT,
            Self::Plugin if path.ends_with("/bulk") => body::BULK_LIMIT,
            _ => body::LIMIT,
        }
    }

    fn of(path: &str, method: &Method) -> Self {
        if Pages::serves(path) {
            return Self::Page;
        }
        if oauth::serves(path) {
            return Self::OAuth;
        }
        if path == "/openapi.json" {
            return Self::Document;
        }
        match area(path) {
            _ if callback::serves(path) => Self::Callback,
            None => Self::Nothing,
            Some("auth" | "security") => Self::Open,
            Some("files") if is_content(path) => Self::Open,
            Some("imports") if *method == Method::POST => Self::Import,
            Some(area) if HOST_AREAS.contains(&area) => Self::Host,
            Some(_) => Self::Plugin,
        }
    }
}

/// Whether a path below a plugin's takes files of a record, or of one that is yet to be made.
fn takes_files(path: &str, method: &Method) -> bool {
    *method == Method::POST && path.ends_with("/files")
}

/// Whether a path is that of a file's content, which its link opens.
fn is_content(path: &str) -> bool {
    let id = path.strip_prefix("/api/v1/files/").and_then(|rest| rest.strip_suffix("/content"));
    id.is_some_and(|id| !id.contains('/'))
}

fn area(path: &str) -> Option<&str> {
    path.strip_prefix("/api/v1/")?.split('/').next()
}

fn class(part: Part, path: &str) -> &'static str {
    match part {
        Part::Page => "page",
        Part::OAuth => "oauth",
        Part::Document => "openapi",
        Part::Plugin => "plugin",
        Part::Nothing => "none",
        Part::Callback => "callback",
        Part::Open | Part::Import | Part::Host => {
            let area = area(path).unwrap_or_default();
            HOST_AREAS.into_iter().find(|known| *known == area).unwrap_or("none")
        }
    }
}

/// The one bearer of the request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= LONGEST_BEARER)
        .then_some(token)
}

fn set_path(request: &mut Request, path: &str) -> Result<(), Problem> {
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let target: PathAndQuery = format!("{path}{query}").parse().map_err(|_| no_route())?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    (parts.scheme, parts.authority, parts.path_and_query) = (None, None, Some(target));
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| no_route())?;
    Ok(())
}
