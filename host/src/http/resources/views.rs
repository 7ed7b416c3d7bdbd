//! `/views`: saved views, somebody's own or shared. A list applies one with `?view={id}`.

use std::str::FromStr as _;

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::{Any, MaybeUndefined, ToJSON as _};
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::Value as Json;

use crate::clock::rfc3339;
use crate::http::access::{Access, id, missing};
use crate::http::answer::{Created, Done, Found, cursor, cut, expected_version, page_size};
use crate::http::gateway;
use crate::http::input::Input;
use crate::http::mutated::{Mutated, Thing, answered, gone, manner};
use crate::http::problem::{Fault, Problem};
use crate::http::resources::Tag;
use crate::ids::{TeamId, ViewId};
use crate::records::views::{Audience, Content, OBJECT, SavedView};
use crate::records::{RecordError, Records, Scope};

/// The code of a view that is not there.
pub const MISSING: &str = "view_not_found";

/// Lists, saves and changes views.
pub struct ViewsApi {
    /// The record engine.
    pub records: Records,
}

/// Who sees a view.
#[derive(Enum)]
#[oai(rename = "ViewAudience", rename_all = "snake_case")]
enum AudienceWord {
    /// Whoever saved it.
    Private,
    /// A team.
    Team,
    /// Every member.
    Organization,
}

/// A saved view.
#[derive(Object)]
#[oai(rename = "View")]
pub struct ViewBody {
    /// Its id: lists take it as `?view=`.
    id: String,
    /// Grows with every change; also the `ETag`.
    version: i64,
    /// When it was saved.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
    /// What people call it.
    name: String,
    /// The entity whose records it shows: `crm.account`.
    entity: String,
    /// The filter in its JSON form; null: all records.
    filter: Option<Any<Json>>,
    /// `-amount,name`; null: newest first.
    sort: Option<String>,
    /// The columns; null: all.
    fields: Option<Vec<String>>,
    /// Who sees it.
    audience: AudienceWord,
    /// Which team, when it is a team's.
    team: Option<String>,
    /// Whether its audience sees it first.
    is_default: bool,
    /// Who saved it.
    owner: String,
    /// Whether you may change it.
    may_change: bool,
}

/// A page of views.
#[derive(Object)]
pub struct ViewList {
    /// In the order of their making.
    data: Vec<ViewBody>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// A view to save.
#[derive(Object)]
#[oai(rename = "NewView")]
pub struct ViewInput {
    /// What people call it.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// The entity whose records it shows: `crm.account`.
    #[oai(validator(min_length = 3, max_length = 130))]
    entity: String,
    /// The filter in its JSON form; none: all records.
    filter: Option<Any<Json>>,
    /// `-amount,name`; none: newest first.
    #[oai(validator(min_length = 1, max_length = 400))]
    sort: Option<String>,
    /// The columns; none: all.
    fields: Option<Vec<String>>,
    /// Who sees it; private unless said. The organization's take the right `manage` on `host.view`.
    audience: Option<AudienceWord>,
    /// Which team; your first one unless said.
    team: Option<String>,
    /// Whether its audience sees it first; another one that was is it no more.
    is_default: Option<bool>,
}

/// What changes of a view; what is absent stays, null clears.
#[derive(Object)]
#[oai(rename = "ViewChange")]
pub struct ViewPatch {
    /// What people call it.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: Option<String>,
    /// The filter in its JSON form; null: all records.
    filter: MaybeUndefined<Any<Json>>,
    /// `-amount,name`; null: newest first.
    sort: MaybeUndefined<String>,
    /// The columns; null: all.
    fields: MaybeUndefined<Vec<String>>,
    /// Who sees it.
    audience: Option<AudienceWord>,
    /// Which team.
    team: Option<String>,
    /// Whether its audience sees it first.
    is_default: Option<bool>,
}

#[OpenApi(prefix_path = "/api/v1/views", tag = "Tag::Views")]
impl ViewsApi {
    /// List views
    ///
    /// Yours, those of your teams and the organization's, of entities that you may read.
    #[oai(path = "/", method = "get", operation_id = "list_views")]
    async fn list(
        &self,
        access: Access,
        /// Of this entity only: `crm.account`.
        entity: Query<Option<String>>,
        /// 1 to 200, 50 unless asked for.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<ViewList>, Problem> {
        let scope = access.entered.scope(&access.caller);
        let (size, after) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let views =
            self.records.views(&scope, entity.0.as_deref(), after, size + 1).map_err(gateway::problem)?;
        let (views, next_cursor) = cut(views, size, |view| view.id.to_string());
        let data = views.into_iter().map(|view| body(&scope, view)).collect();
        Ok(Found::new(ViewList { data, next_cursor }))
    }

    /// Save a view
    ///
    /// The filter, the order and the columns are checked against the entity.
    #[oai(path = "/", method = "post", operation_id = "create_view")]
    async fn create(
        &self,
        access: Access,
        input: Input<ViewInput>,
        /// Whether it is only to be tried.
        dry_run: Query<Option<bool>>,
        /// Sent again with the same key and body, it is saved once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Mutated<Created<ViewBody>>, Problem> {
        let scope = access.entered.scope(&access.caller);
        let manner = manner(dry_run.0, key.0.as_deref(), &["create_view", &input.0.to_json_string()])?;
        let came = self.records.create_view(&scope, input.0.content()?, manner).await.map_err(problem)?;
        answered(came, &Shown { scope: &scope }, |view| {
            let (location, version) = (access.link(&format!("/views/{}", view.id)), view.version);
            Created::new(body(&scope, view)).at(location).version(version)
        })
    }

    /// Get a view
    #[oai(path = "/:id", method = "get", operation_id = "get_view")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<ViewBody>, Problem> {
        let scope = access.entered.scope(&access.caller);
        let view = self.records.saved_view(&scope, self::id(&id.0, MISSING)?).map_err(problem)?;
        let version = view.version;
        Ok(Found::new(body(&scope, view)).version(version))
    }

    /// Change a view
    #[oai(path = "/:id", method = "patch", operation_id = "update_view")]
    async fn update(
        &self,
        access: Access,
        id: Path<String>,
        input: Input<ViewPatch>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// Whether it is only to be tried.
        dry_run: Query<Option<bool>>,
        /// Sent again with the same key, condition and body, it is changed once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Mutated<Found<ViewBody>>, Problem> {
        let (scope, text, if_match) = (access.entered.scope(&access.caller), id.0, if_match.0.as_deref());
        let (id, version) = (self::id(&text, MISSING)?, expected_version(if_match)?);
        let parts = ["update_view", &text, if_match.unwrap_or_default(), &input.0.to_json_string()];
        let manner = manner(dry_run.0, key.0.as_deref(), &parts)?;
        let team = input.0.team.as_deref().map(team).transpose()?;
        let change = move |content: Content| input.0.applied(content, team);
        let changed = self.records.change_view(&scope, (id, version), change, manner).await;
        let came = changed.map_err(|error| self.refused(&scope, id, error))?;
        answered(came, &Shown { scope: &scope }, |view| {
            let version = view.version;
            Found::new(body(&scope, view)).version(version)
        })
    }

    /// Delete a view
    #[oai(path = "/:id", method = "delete", operation_id = "delete_view")]
    async fn delete(
        &self,
        access: Access,
        id: Path<String>,
        /// The ETag of the version that you know.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// Whether it is only to be tried.
        dry_run: Query<Option<bool>>,
        /// Sent again with the same key and condition, it is answered again.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Mutated<Done>, Problem> {
        let (scope, text, if_match) = (access.entered.scope(&access.caller), id.0, if_match.0.as_deref());
        let (id, version) = (self::id(&text, MISSING)?, expected_version(if_match)?);
        let parts = ["delete_view", &text, if_match.unwrap_or_default()];
        let manner = manner(dry_run.0, key.0.as_deref(), &parts)?;
        let deleted = self.records.delete_view(&scope, (id, version), manner).await;
        let came = deleted.map_err(|error| self.refused(&scope, id, error))?;
        Ok(gone(came, &Shown { scope: &scope }))
    }
}

impl ViewsApi {
    /// The problem of a change; with the view as it is, if somebody else was faster.
    fn refused(&self, scope: &Scope, id: ViewId, error: RecordError) -> Problem {
        let stale = matches!(error, RecordError::Stale { .. });
        let refusal = problem(error);
        match self.records.saved_view(scope, id) {
            Ok(view) if stale => {
                refusal.with_extra("current", body(scope, view).to_json().unwrap_or_default())
            }
            _ => refusal,
        }
    }
}

/// Views as dry runs tell of them.
struct Shown<'a> {
    scope: &'a Scope,
}

impl Thing<SavedView> for Shown<'_> {
    fn object(&self) -> &'static str {
        OBJECT
    }

    fn id(&self, view: &SavedView) -> String {
        view.id.to_string()
    }

    fn body(&self, view: &SavedView) -> Json {
        body(self.scope, view.clone()).to_json().unwrap_or_default()
    }
}

fn problem(error: RecordError) -> Problem {
    match error {
        RecordError::NotFound => missing(MISSING),
        other => gateway::problem(other),
    }
}

fn team(text: &str) -> Result<TeamId, Problem> {
    TeamId::from_str(text).map_err(|_| {
        Problem::invalid(vec![Fault::new("/team", "team_not_found", "There is no team with this id.")])
    })
}

impl AudienceWord {
    const fn audience(&self) -> Audience {
        match self {
            Self::Private => Audience::Private,
            Self::Team => Audience::Team,
            Self::Organization => Audience::Organization,
        }
    }
}

impl From<Audience> for AudienceWord {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Private => Self::Private,
            Audience::Team => Self::Team,
            Audience::Organization => Self::Organization,
        }
    }
}

impl ViewInput {
    fn content(self) -> Result<Content, Problem> {
        Ok(Content {
            name: self.name,
            entity: self.entity,
            filter: self.filter.map(|filter| filter.0),
            sort: self.sort,
            fields: self.fields,
            audience: self.audience.map_or(Audience::Private, |word| word.audience()),
            team: self.team.as_deref().map(team).transpose()?,
            is_default: self.is_default.unwrap_or(false),
        })
    }
}

impl ViewPatch {
    fn applied(self, before: Content, team: Option<TeamId>) -> Content {
        fn changed<T>(change: MaybeUndefined<T>, before: Option<T>) -> Option<T> {
            match change {
                MaybeUndefined::Undefined => before,
                MaybeUndefined::Null => None,
                MaybeUndefined::Value(value) => Some(value),
            }
        }
        Content {
            name: self.name.unwrap_or(before.name),
            entity: before.entity,
            filter: changed(self.filter, before.filter.map(Any)).map(|filter| filter.0),
            sort: changed(self.sort, before.sort),
            fields: changed(self.fields, before.fields),
            audience: self.audience.map_or(before.audience, |word| word.audience()),
            team: team.or(before.team),
            is_default: self.is_default.unwrap_or(before.is_default),
        }
    }
}

fn body(scope: &Scope, view: SavedView) -> ViewBody {
    let may_change = view.may_change(scope);
    ViewBody {
        id: view.id.to_string(),
        version: view.version,
        created_at: rfc3339(view.created_at),
        updated_at: rfc3339(view.updated_at),
        name: view.content.name,
        entity: view.content.entity,
        filter: view.content.filter.map(Any),
        sort: view.content.sort,
        fields: view.content.fields,
        audience: view.content.audience.into(),
        team: view.content.team.map(|team| team.to_string()),
        is_default: view.content.is_default,
        owner: view.owner.to_string(),
        may_change,
    }
}
