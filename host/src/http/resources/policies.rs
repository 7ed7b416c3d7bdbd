//! `/policies`: the organization's own rows of its policy. A row is added and taken away, never changed.

use poem::http::StatusCode;
use poem_openapi::param::Path;
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::Value as Json;

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::access::{Access, id, missing};
use crate::http::answer::{Created, Done, Found};
use crate::http::input::Input;
use crate::http::problem::{Fault, Problem};
use crate::http::resources::Tag;
use crate::ids::PolicyId;
use crate::policy::change::{OBJECT, PolicyChange, addition};
use crate::policy::{Addition, PolicyError, Words};

const MISSING: &str = "policy_not_found";

/// Lists, adds and takes away rows.
pub struct PoliciesApi {
    /// Policies and what they are checked against.
    pub app: App,
}

/// What a row does.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "PolicyEffect", rename_all = "lowercase")]
pub enum EffectWord {
    /// Lets, unless something denies.
    Allow,
    /// Forbids, whatever allows.
    Deny,
}

/// How far a row reaches.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "PolicyScope", rename_all = "lowercase")]
pub enum ScopeWord {
    /// Records that one owns.
    Own,
    /// Records of one's teams.
    Team,
    /// Records of one's teams and those below.
    Subteams,
    /// Records that were shared with one.
    Shared,
    /// All.
    Org,
}

/// A row of the organization's own.
#[derive(Object)]
#[oai(rename = "Policy")]
pub struct PolicyView {
    /// Its id.
    id: String,
    /// `role:rep`, `team:<id>`, `user:<id>` or `svc:<id>`.
    subject: String,
    /// `<plugin>.<entity>`, `host.<thing>`, or a field: `<plugin>.<entity>#<field>`, `<plugin>.<entity>#@<label>`.
    object: String,
    /// What is done with it.
    action: String,
    /// How far.
    scope: String,
    /// Of which records, in the filter language; null: of all.
    condition: Option<Json>,
    /// Allow or deny.
    effect: String,
    /// Why.
    reason: String,
    /// What it speaks of that is not there now, such as an object of a module that is not licensed; null: all is there.
    /// Such a row is kept. It decides nothing until that is back; a condition that does not fit allows nothing and denies
    /// everything.
    stale: Option<String>,
    /// When it was added.
    created_at: String,
    /// Who added it.
    created_by: String,
}

/// All rows of the organization's own.
#[derive(Object)]
pub struct PolicyList {
    /// In the order in which they were added.
    data: Vec<PolicyView>,
    /// Always null: all are on the first page.
    next_cursor: Option<String>,
}

/// A row to add.
#[derive(Object)]
#[oai(rename = "NewPolicy")]
pub struct PolicyInput {
    /// `role:rep`, `team:<id>`, `user:<id>` or `svc:<id>`.
    #[oai(validator(min_length = 1, max_length = 128))]
    subject: String,
    /// `<plugin>.<entity>`, `host.<thing>`, or a field: `<plugin>.<entity>#<field>`, `<plugin>.<entity>#@<label>`.
    #[oai(validator(min_length = 1, max_length = 200))]
    object: String,
    /// A word such as `read`, or a verb of the plugin.
    #[oai(validator(min_length = 1, max_length = 64))]
    action: String,
    /// How far.
    scope: ScopeWord,
    /// Of which records, in the filter language, about their own fields; a value may be `{"var":"user.id"}`.
    condition: Option<Json>,
    /// Allow or deny.
    effect: EffectWord,
    /// Why, for whoever reads it later.
    #[oai(validator(min_length = 1, max_length = 500))]
    reason: String,
}

#[OpenApi(prefix_path = "/api/v1/policies", tag = "Tag::Policy")]
impl PoliciesApi {
    /// List the organization's own policies
    #[oai(path = "/", method = "get", operation_id = "list_policies")]
    async fn list(&self, access: Access) -> Result<Found<PolicyList>, Problem> {
        access.must(OBJECT, "read")?;
        let overlay = self.app.policy.overlay(&self.app.identity, access.organization().id)?;
        let data = overlay.rows.iter().map(|row| self.view(&access, row)).collect();
        Ok(Found::new(PolicyList { data, next_cursor: None }))
    }

    /// Add a policy
    ///
    /// The whole policy is built anew and checked before this one counts; it decides from the next request on. You cannot
    /// allow what you may not do yourself.
    #[oai(path = "/", method = "post", operation_id = "create_policy")]
    async fn create(
        &self,
        access: Access,
        input: Input<PolicyInput>,
    ) -> Result<Created<PolicyView>, Problem> {
        access.must(OBJECT, "update")?;
        let (words, reason) = words(input.0);
        let added = addition(&access.caller, self.app.clock.now(), words, reason);
        let view = PolicyView::from(&added);
        let location = access.link(&format!("/policies/{}", added.id));
        self.app.change_policy(&access.entered, &access.caller, PolicyChange::Add(added)).await?;
        Ok(Created::new(view).at(location))
    }

    /// Get a policy
    #[oai(path = "/:id", method = "get", operation_id = "get_policy")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<PolicyView>, Problem> {
        access.must(OBJECT, "read")?;
        let id: PolicyId = self::id(&id.0, MISSING)?;
        let overlay = self.app.policy.overlay(&self.app.identity, access.organization().id)?;
        let row = overlay.rows.iter().find(|row| row.id == id).ok_or_else(|| missing(MISSING))?;
        Ok(Found::new(self.view(&access, row)))
    }

    /// Take a policy away
    #[oai(path = "/:id", method = "delete", operation_id = "delete_policy")]
    async fn delete(&self, access: Access, id: Path<String>) -> Result<Done, Problem> {
        access.must(OBJECT, "read")?;
        access.must(OBJECT, "update")?;
        let change = PolicyChange::Remove(self::id(&id.0, MISSING)?);
        self.app.change_policy(&access.entered, &access.caller, change).await?;
        Ok(Done)
    }
}

impl PoliciesApi {
    fn view(&self, access: &Access, row: &Addition) -> PolicyView {
        let stale = access.entered.stale(&access.caller, row.id, self.app.clock.now());
        PolicyView { stale, ..PolicyView::from(row) }
    }
}

fn words(input: PolicyInput) -> (Words, String) {
    let scope = match input.scope {
        ScopeWord::Own => "own",
        ScopeWord::Team => "team",
        ScopeWord::Subteams => "subteams",
        ScopeWord::Shared => "shared",
        ScopeWord::Org => "org",
    };
    let effect = match input.effect {
        EffectWord::Allow => "allow",
        EffectWord::Deny => "deny",
    };
    let words = Words {
        subject: input.subject,
        object: input.object,
        action: input.action,
        scope: scope.to_owned(),
        condition: input.condition.map(|json| json.to_string()).unwrap_or_default(),
        effect: effect.to_owned(),
    };
    (words, input.reason)
}

impl From<&Addition> for PolicyView {
    fn from(row: &Addition) -> Self {
        let words = &row.words;
        Self {
            id: row.id.to_string(),
            subject: words.subject.clone(),
            object: words.object.clone(),
            action: words.action.clone(),
            scope: words.scope.clone(),
            condition: serde_json::from_str(&words.condition).ok(),
            effect: words.effect.clone(),
            reason: row.reason.clone(),
            stale: None,
            created_at: rfc3339(row.created_at),
            created_by: row.created_by.to_string(),
        }
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        use PolicyError as E;
        let text = error.to_string();
        match error {
            E::Invalid(faults) => {
                let fault =
                    |fault: &crate::policy::Fault| Fault::new("", "invalid_policy", fault.what.clone());
                Self::invalid(faults.iter().map(fault).collect())
            }
            E::Lacking { .. } => Self::new(StatusCode::FORBIDDEN, "grant_exceeds_own", text),
            E::OwnersOnly => Self::forbidden(text),
            E::LockedOut => Self::new(StatusCode::CONFLICT, "would_lock_out", text),
            E::Missing => missing(MISSING),
            E::Taken(_) => {
                let faults = vec![Fault::new("/name", "taken", text.clone())];
                Self::new(StatusCode::CONFLICT, "taken", text).with_faults(faults)
            }
            E::Stale => Self::new(StatusCode::PRECONDITION_FAILED, "version_conflict", text),
            E::Held => Self::new(StatusCode::CONFLICT, "role_in_use", text),
            E::Full => Self::new(StatusCode::CONFLICT, "too_many", text),
            E::Identity(error) => error.into(),
            E::Empty | E::Unsafe(_) | E::Foreign(_) | E::Engine(_) | E::Unfinished(_) => {
                Self::internal(&error)
            }
        }
    }
}
