//! Lists: `GET /{entities}?…` and the same with a body, `POST /{entities}/query`, for filters that nest or are long.

use std::str::FromStr as _;
use std::sync::Arc;

use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};

use super::{Call, json, method_not_allowed, parameters, problem, records};
use crate::http::access::missing;
use crate::http::aside::aside;
use crate::http::problem::{Fault, Problem};
use crate::http::resources::views::MISSING;
use crate::ids::ViewId;
use crate::records::filter::{self, Context, Filter};
use crate::records::list::{Count, Query, View};
use crate::records::schema::Entity;
use crate::records::search::Words;
use crate::records::sort::Sort;
use crate::records::{RecordError, Records, Scope};

/// Records per page, unless asked otherwise.
pub(super) const LIMIT: usize = 50;
/// Most records per page.
const MOST: usize = 200;

/// What a list is asked for, in whichever form.
#[derive(Default)]
struct Asked {
    filter: Option<Filter>,
    words: Option<Words>,
    sort: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
    fields: Option<String>,
    expand: Option<String>,
    count: Count,
    view: Option<String>,
}

impl Call<'_> {
    /// `GET /{entities}`.
    pub(super) async fn list(self, entity: &Arc<Entity>, request: &Request) -> Result<Response, Problem> {
        let pairs = parameters::pairs(request)?;
        let context = Context::of(&self.scope, self.app.records.now());
        let asked = Asked::of_address(&context, entity, pairs)?;
        self.answer(entity, asked).await
    }

    /// `POST /{entities}/query`.
    pub(super) async fn query(self, entity: &Arc<Entity>, mut request: Request) -> Result<Response, Problem> {
        if request.method() != Method::POST {
            return Err(method_not_allowed("POST"));
        }
        if let Some((name, _)) = parameters::pairs(&request)?.first() {
            return Err(parameters::unknown(name));
        }
        let members = records::members(&mut request).await?;
        let context = Context::of(&self.scope, self.app.records.now());
        let asked = Asked::of_body(&context, entity, &members)?;
        self.answer(entity, asked).await
    }

    /// The records that parameters of a list select, for whoever selects records in the same words.
    pub(super) fn understood(&self, entity: &Entity, pairs: Vec<(String, String)>) -> Result<Query, Problem> {
        let context = Context::of(&self.scope, self.app.records.now());
        let asked = Asked::of_address(&context, entity, pairs)?;
        asked.with_view(&self.app.records, &self.scope, entity)?.query(&self.scope, entity).map_err(problem)
    }

    async fn answer(self, entity: &Arc<Entity>, asked: Asked) -> Result<Response, Problem> {
        let asked = asked.with_view(&self.app.records, &self.scope, entity)?;
        let query = asked.query(&self.scope, entity).map_err(problem)?;
        let (engine, scope, entity) = (self.app.records.clone(), self.scope, Arc::clone(entity));
        let body = run(engine, scope, entity, query).await?;
        Ok(json(StatusCode::OK, body))
    }
}

/// The newest records are read at once; whatever looks for records or counts them may take its time, on a thread that may.
async fn run(engine: Records, scope: Scope, entity: Arc<Entity>, query: Query) -> Result<Vec<u8>, Problem> {
    let quick = query.filter.is_all()
        && query.words.is_none()
        && query.sort.keys.is_empty()
        && query.count == Count::None;
    let list = move || engine.list(&scope, &entity, &query);
    let body = if quick { list() } else { aside(list).await? };
    body.map_err(problem)
}

impl Asked {
    fn of_address(
        context: &Context<'_>,
        entity: &Entity,
        pairs: Vec<(String, String)>,
    ) -> Result<Self, Problem> {
        let (mut asked, mut tests) = (Self::default(), Vec::new());
        for (name, value) in pairs {
            match name.as_str() {
                "limit" => asked.limit = Some(limit(usize::from_str(&value).ok())?),
                "cursor" => asked.cursor = Some(value),
                "sort" => asked.sort = Some(value),
                "fields" => asked.fields = Some(value),
                "expand" => asked.expand = Some(value),
                "count" => asked.count = count(&value)?,
                "view" => asked.view = Some(value),
                "q" => asked.words = Some(Words::parse(&value).map_err(problem)?),
                _ => tests.push((name, value)),
            }
        }
        asked.filter = Some(filter::parse_query(context, entity, &tests).map_err(problem)?);
        Ok(asked)
    }

    fn of_body(context: &Context<'_>, entity: &Entity, members: &Map<String, Json>) -> Result<Self, Problem> {
        let (mut asked, mut faults) = (Self::default(), Vec::new());
        for (name, value) in members {
            let mut wrong = |what: &str| {
                faults.push(Fault::new(format!("/{name}"), "wrong_type", format!("`{name}` is {what}.")));
            };
            match (name.as_str(), value) {
                (
                    "filter" | "sort" | "limit" | "cursor" | "fields" | "expand" | "count" | "view" | "q",
                    Json::Null,
                ) => {}
                ("filter", Json::Object(_)) => {
                    asked.filter = Some(filter::parse_json(context, entity, value).map_err(problem)?);
                }
                ("filter", _) => wrong("an object"),
                ("limit", Json::Number(number)) => {
                    asked.limit =
                        Some(limit(number.as_u64().and_then(|number| usize::try_from(number).ok()))?);
                }
                ("limit", _) => wrong("a number"),
                ("cursor", Json::String(text)) => asked.cursor = Some(text.clone()),
                ("q", Json::String(text)) => asked.words = Some(Words::parse(text).map_err(problem)?),
                ("q", _) => wrong("a text"),
                ("view", Json::String(text)) => asked.view = Some(text.clone()),
                ("view", _) => wrong("the id of a saved view"),
                ("cursor", _) => wrong("a text, `next_cursor` of the page before"),
                ("count", Json::String(text)) => asked.count = count(text)?,
                ("count", _) => wrong("none, capped or exact"),
                ("sort" | "fields" | "expand", _) => match names(value) {
                    Some(text) if name == "sort" => asked.sort = Some(text),
                    Some(text) if name == "fields" => asked.fields = Some(text),
                    Some(text) => asked.expand = Some(text),
                    None => wrong("a text with commas, or a list of texts"),
                },
                _ => {
                    let shown: String = name.chars().filter(|sign| !sign.is_control()).take(64).collect();
                    let detail = "A query has `filter`, `sort`, `limit`, `cursor`, `fields`, `expand`, `count`, `view` and `q`.";
                    faults.push(Fault::new(format!("/{shown}"), "unknown_field", detail));
                }
            }
        }
        if faults.is_empty() { Ok(asked) } else { Err(Problem::invalid(faults)) }
    }

    /// A saved view stands behind what the request says: its filter holds too, its order and columns unless there are
    /// others.
    fn with_view(mut self, engine: &Records, scope: &Scope, entity: &Entity) -> Result<Self, Problem> {
        let Some(text) = &self.view else { return Ok(self) };
        let gone = || missing(MISSING);
        let id = ViewId::from_str(text).map_err(|_| gone())?;
        let applied = engine.applied_view(scope, entity, id).map_err(|error| match error {
            RecordError::NotFound => gone(),
            other => problem(other),
        })?;
        self.filter = Some(applied.filter.and(self.filter.unwrap_or_else(Filter::all)));
        self.sort = self.sort.or(applied.sort);
        self.fields = self.fields.or(applied.fields);
        Ok(self)
    }

    fn query(self, scope: &Scope, entity: &Entity) -> Result<Query, RecordError> {
        let sort = self.sort.as_deref().map(|text| Sort::within(scope, entity, text)).transpose()?;
        Ok(Query {
            filter: self.filter.unwrap_or_else(Filter::all),
            words: self.words,
            sort: sort.unwrap_or_else(Sort::newest),
            limit: self.limit.unwrap_or(LIMIT),
            cursor: self.cursor,
            view: View::within(scope, entity, self.fields.as_deref(), self.expand.as_deref())?,
            count: self.count,
        })
    }
}

/// `"-amount,name"` or `["-amount", "name"]`.
fn names(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(Json::as_str).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}

pub(super) fn limit(number: Option<usize>) -> Result<usize, Problem> {
    number
        .filter(|number| (1..=MOST).contains(number))
        .ok_or_else(|| Problem::malformed("invalid_limit", format!("`limit` is a number from 1 to {MOST}.")))
}

fn count(text: &str) -> Result<Count, Problem> {
    match text {
        "none" => Ok(Count::None),
        "capped" => Ok(Count::Capped),
        "exact" => Ok(Count::Exact),
        _ => Err(Problem::malformed("invalid_count", "`count` is none, capped or exact.")),
    }
}
