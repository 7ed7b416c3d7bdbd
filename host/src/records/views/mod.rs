//! Saved views: a named filter, order and columns of one entity. Somebody's own, a team's, or everybody's.
//!
//! A view is checked against the entity when it is saved and again when it is used: fields may have gone since, and whoever
//! uses a shared view has rights of his own. It selects nothing that its user could not select himself.
//!
//! Who sees and who changes it: a private view, its owner. A team's, the team; its owner and whoever may `manage`
//! `host.view` change it. The organization's, every member; whoever may `manage`.

mod rules;
mod store;

use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::error::RecordError;
use super::filter::{Context, Filter};
use super::mutation::Manner;
use super::own::Came;
use super::schema::Entity;
use super::{Records, Scope};
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, TeamId, ViewId};
use crate::storage::Connection;

/// What the policy calls them.
pub const OBJECT: &str = "host.view";
/// The right on the views of teams and of the organization.
pub const MANAGE: &str = "manage";
/// Most views of one owner.
const MOST: i64 = 500;

/// Who sees a view.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Audience {
    /// Its owner.
    Private,
    /// A team.
    Team,
    /// Every member.
    Organization,
}

impl Audience {
    const ALL: [(&'static str, Self); 3] =
        [("private", Self::Private), ("team", Self::Team), ("organization", Self::Organization)];
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, one)| one == self).map_or("private", |(word, _)| word))
    }
}

impl FromStr for Audience {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(word, _)| *word == text).map(|(_, one)| *one).ok_or(())
    }
}

/// What a view says.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Content {
    /// What people call it.
    pub name: String,
    /// `plugin.entity`
    pub entity: String,
    /// The filter's JSON form; `None`: all records.
    pub filter: Option<Json>,
    /// `-amount,name`; `None`: newest first.
    pub sort: Option<String>,
    /// The columns; `None`: all.
    pub fields: Option<Vec<String>>,
    /// Who sees it.
    pub audience: Audience,
    /// Which team, when it is a team's.
    pub team: Option<TeamId>,
    /// Whether its audience sees it first.
    pub is_default: bool,
}

/// A saved view.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SavedView {
    /// Its id.
    pub id: ViewId,
    /// Grows with every change.
    pub version: i64,
    /// What it says.
    pub content: Content,
    /// Who made it.
    pub owner: PrincipalId,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// By whom.
    pub updated_by: PrincipalId,
}

impl SavedView {
    /// Whether the caller may change it, given that he sees it.
    #[must_use]
    pub fn may_change(&self, scope: &Scope) -> bool {
        let mine = self.owner == scope.caller.principal.id;
        match self.content.audience {
            Audience::Private => mine,
            Audience::Team => mine || manages(scope),
            Audience::Organization => manages(scope),
        }
    }
}

/// Whether the caller may manage the views of others.
fn manages(scope: &Scope) -> bool {
    scope.policy.decide(&scope.caller.principal, OBJECT, MANAGE).always()
}

fn must_manage(scope: &Scope) -> Result<(), RecordError> {
    if manages(scope) {
        return Ok(());
    }
    Err(RecordError::Forbidden { object: OBJECT.to_owned(), action: MANAGE.to_owned() })
}

/// What a view does to a list.
#[derive(Debug)]
pub struct Applied {
    /// Which records.
    pub filter: Filter,
    /// In which order, unless the request says.
    pub sort: Option<String>,
    /// Which members, unless the request says.
    pub fields: Option<String>,
}

impl Records {
    /// At most `limit` views that the caller sees, after the one with id `after`, of one entity or of all.
    ///
    /// # Errors
    /// Only when the file fails.
    pub fn views(
        &self,
        scope: &Scope,
        entity: Option<&str>,
        after: Option<ViewId>,
        limit: u32,
    ) -> Result<Vec<SavedView>, RecordError> {
        let file = self.own_file(scope.organization.id)?;
        let seen = file.read(|conn| store::list(conn, &scope.caller.principal, entity, after, limit))?;
        // What the caller may not read at all, or the organization does not have any more, is not for him.
        Ok(seen.into_iter().filter(|view| rules::readable(scope, &view.content.entity).is_some()).collect())
    }

    /// The view with this id, if the caller sees it.
    ///
    /// # Errors
    /// [`RecordError::NotFound`].
    pub fn saved_view(&self, scope: &Scope, id: ViewId) -> Result<SavedView, RecordError> {
        let file = self.own_file(scope.organization.id)?;
        let found = file.read(|conn| store::find(conn, &scope.caller.principal, id))?;
        found.ok_or(RecordError::NotFound)
    }

    /// Saves a new view.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] with every fault, [`RecordError::Forbidden`] for an audience that takes more rights.
    pub async fn create_view(
        &self,
        scope: &Scope,
        content: Content,
        manner: Manner,
    ) -> Result<Came<SavedView>, RecordError> {
        let (engine, scope_of_it) = (self.clone(), scope.clone());
        let work = move |conn: &Rc<Connection>| {
            let scope = scope_of_it;
            let content = rules::checked(&engine, &scope, content)?;
            rules::may_address(&engine, &scope, &content)?;
            let (now, owner) = (engine.now(), scope.caller.principal.id);
            if store::count(conn, owner)? >= MOST {
                let detail = format!("somebody saves at most {MOST} views; delete some that are not used");
                return Err(conflict("too_many_views", detail));
            }
            let view = SavedView {
                id: ViewId::new(),
                version: 1,
                content,
                owner,
                created_at: now,
                updated_at: now,
                updated_by: owner,
            };
            store::put(conn, &view)?;
            store::one_default(conn, &view)?;
            Ok(Came::from(None, Some(view)))
        };
        self.write_own(scope, manner, work).await
    }

    /// Changes a view: `change` makes the new content from the old one.
    ///
    /// # Errors
    /// As for [`Records::create_view`]; [`RecordError::NotFound`], and [`RecordError::Stale`] when it has another version.
    pub async fn change_view(
        &self,
        scope: &Scope,
        (id, version): (ViewId, Option<i64>),
        change: impl FnOnce(Content) -> Content + Send + 'static,
        manner: Manner,
    ) -> Result<Came<SavedView>, RecordError> {
        let (engine, scope_of_it) = (self.clone(), scope.clone());
        let work = move |conn: &Rc<Connection>| {
            let scope = scope_of_it;
            let before = changeable(conn, &scope, (id, version), "update")?;
            let content = rules::checked(&engine, &scope, change(before.content.clone()))?;
            if content == before.content {
                return Ok(Came::from(Some(before.clone()), Some(before)));
            }
            if (content.audience, content.team) != (before.content.audience, before.content.team) {
                rules::may_address(&engine, &scope, &content)?;
            }
            let after = SavedView {
                version: before.version + 1,
                content,
                updated_at: engine.now(),
                updated_by: scope.caller.principal.id,
                ..before.clone()
            };
            store::put(conn, &after)?;
            store::one_default(conn, &after)?;
            Ok(Came::from(Some(before), Some(after)))
        };
        self.write_own(scope, manner, work).await
    }

    /// Deletes a view.
    ///
    /// # Errors
    /// As for [`Records::change_view`].
    pub async fn delete_view(
        &self,
        scope: &Scope,
        (id, version): (ViewId, Option<i64>),
        manner: Manner,
    ) -> Result<Came<SavedView>, RecordError> {
        let scope_of_it = scope.clone();
        let work = move |conn: &Rc<Connection>| {
            let before = changeable(conn, &scope_of_it, (id, version), "delete")?;
            store::delete(conn, id)?;
            Ok(Came::from(Some(before), None))
        };
        self.write_own(scope, manner, work).await
    }

    /// What a view does to a list of `entity`, checked against the entity as it is now and the caller's rights.
    ///
    /// # Errors
    /// [`RecordError::NotFound`] when the caller does not see it, [`RecordError::BadRequest`] when it is of another entity,
    /// [`RecordError::Conflict`] when it does not fit the entity any more.
    pub fn applied_view(&self, scope: &Scope, entity: &Entity, id: ViewId) -> Result<Applied, RecordError> {
        let view = self.saved_view(scope, id)?;
        if view.content.entity != *entity.object {
            let detail = format!("the view is of {}, not of {}", view.content.entity, entity.object);
            return Err(RecordError::bad("view_of_other_entity", detail));
        }
        let context = Context::of(scope, self.now());
        let (filter, faults) = rules::against(&context, scope, entity, &view.content)?;
        if !faults.is_empty() {
            return Err(RecordError::Conflict {
                code: "view_outdated".into(),
                detail: format!(
                    "the view `{}` does not fit {} any more; change it as `errors` says, or list without it",
                    view.content.name, entity.object
                ),
                extra: serde_json::Map::new(),
                faults,
            });
        }
        let fields = view.content.fields.map(|fields| fields.join(","));
        Ok(Applied { filter, sort: view.content.sort, fields })
    }
}

fn conflict(code: &'static str, detail: String) -> RecordError {
    RecordError::Conflict { code: code.into(), detail, extra: serde_json::Map::new(), faults: Vec::new() }
}

/// The view, if the caller sees it, may change it, and knows the version that there is.
fn changeable(
    conn: &Rc<Connection>,
    scope: &Scope,
    (id, version): (ViewId, Option<i64>),
    action: &str,
) -> Result<SavedView, RecordError> {
    let view = store::find(conn, &scope.caller.principal, id)?.ok_or(RecordError::NotFound)?;
    if !view.may_change(scope) {
        return Err(RecordError::Forbidden { object: OBJECT.to_owned(), action: action.to_owned() });
    }
    match version.filter(|sent| *sent != view.version) {
        None => Ok(view),
        Some(sent) => Err(RecordError::Stale {
            current: view.version.unsigned_abs(),
            sent: sent.unsigned_abs(),
            record: b"null".to_vec(),
            changed: Vec::new(),
        }),
    }
}
