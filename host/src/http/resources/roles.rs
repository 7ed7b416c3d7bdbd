//! `/roles`: the shipped roles, and those that the organization made.

use poem_openapi::param::{Header, Path};
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::access::{Access, missing};
use crate::http::answer::{Created, Done, Found, expected_version};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::policy::change::{OBJECT, PolicyChange};
use crate::policy::{PolicyError, Role, SHIPPED_ROLES};

const MISSING: &str = "role_not_found";

/// Lists, makes, changes and ends roles.
pub struct RolesApi {
    /// Policies and what they are checked against.
    pub app: App,
}

/// A role.
#[derive(Object)]
#[oai(rename = "Role")]
pub struct RoleView {
    /// Its name, which people and policies name it by.
    name: String,
    /// For people.
    label: String,
    /// What it is for.
    description: String,
    /// The roles whose rights it has beside its own.
    inherits: Vec<String>,
    /// Whether it is shipped; a shipped role cannot be changed.
    shipped: bool,
    /// Grows with every change; 0 of a shipped role.
    version: i64,
    /// When it was made; null of a shipped role.
    created_at: Option<String>,
    /// When it was last changed; null of a shipped role.
    updated_at: Option<String>,
}

/// All roles.
#[derive(Object)]
pub struct RoleList {
    /// The shipped ones, then the organization's own by name.
    data: Vec<RoleView>,
    /// Always null: all are on the first page.
    next_cursor: Option<String>,
}

/// A role to make.
#[derive(Object)]
#[oai(rename = "NewRole")]
pub struct RoleInput {
    /// Lower-case letters, digits, `-` and `_`; never changed.
    #[oai(validator(min_length = 1, max_length = 64, pattern = "^[a-z][a-z0-9_-]*$"))]
    name: String,
    /// For people.
    #[oai(validator(min_length = 1, max_length = 200))]
    label: String,
    /// What it is for.
    #[oai(default, validator(max_length = 1000))]
    description: String,
    /// The roles whose rights it has: at most 20, over at most five steps, none that you lack a right of.
    #[oai(default, validator(max_items = 20))]
    inherits: Vec<String>,
}

/// What changes of a role.
#[derive(Object)]
pub struct RoleChange {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 200))]
    label: Option<String>,
    /// What it is for.
    #[oai(validator(max_length = 1000))]
    description: Option<String>,
    /// The roles whose rights it has.
    #[oai(validator(max_items = 20))]
    inherits: Option<Vec<String>>,
}

#[OpenApi(prefix_path = "/api/v1/roles", tag = "Tag::Policy")]
impl RolesApi {
    /// List roles
    #[oai(path = "/", method = "get", operation_id = "list_roles")]
    async fn list(&self, access: Access) -> Result<Found<RoleList>, Problem> {
        access.may("host.user", "read")?;
        let overlay = self.app.policy.overlay(&self.app.identity, access.organization().id)?;
        let shipped = SHIPPED_ROLES.iter().map(|name| RoleView::shipped(name));
        let data = shipped.chain(overlay.roles.iter().map(RoleView::from)).collect();
        Ok(Found::new(RoleList { data, next_cursor: None }))
    }

    /// Make a role
    ///
    /// It may do what the roles that it inherits may, and what policies say of it.
    #[oai(path = "/", method = "post", operation_id = "create_role")]
    async fn create(&self, access: Access, input: Input<RoleInput>) -> Result<Created<RoleView>, Problem> {
        access.must(OBJECT, "update")?;
        let (RoleInput { name, label, description, inherits }, now) = (input.0, self.app.clock.now());
        let by = access.caller.principal.id;
        let role = Role {
            name,
            label,
            description,
            inherits,
            version: 1,
            created_at: now,
            created_by: by,
            updated_at: now,
        };
        let (view, location) = (RoleView::from(&role), access.link(&format!("/roles/{}", role.name)));
        self.app.change_policy(&access.entered, &access.caller, PolicyChange::Make(role)).await?;
        Ok(Created::new(view).at(location).version(1))
    }

    /// Get a role
    #[oai(path = "/:name", method = "get", operation_id = "get_role")]
    async fn get(&self, access: Access, name: Path<String>) -> Result<Found<RoleView>, Problem> {
        access.may("host.user", "read")?;
        if SHIPPED_ROLES.contains(&name.0.as_str()) {
            return Ok(Found::new(RoleView::shipped(&name.0)).version(0));
        }
        let role = self.find(&access, &name.0)?;
        Ok(Found::new(RoleView::from(&role)).version(role.version))
    }

    /// Change a role
    #[oai(path = "/:name", method = "patch", operation_id = "update_role")]
    async fn update(
        &self,
        access: Access,
        name: Path<String>,
        input: Input<RoleChange>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<RoleView>, Problem> {
        self.changeable(&access, &name.0)?;
        let version = expected_version(if_match.0.as_deref())?;
        let (known, change) = (self.find(&access, &name.0)?, input.0);
        let role = Role {
            label: change.label.unwrap_or(known.label),
            description: change.description.unwrap_or(known.description),
            inherits: change.inherits.unwrap_or(known.inherits),
            updated_at: self.app.clock.now(),
            name: known.name,
            ..known
        };
        let change = PolicyChange::Change(role, version);
        self.app.change_policy(&access.entered, &access.caller, change).await.map_err(named)?;
        let role = self.find(&access, &name.0)?;
        Ok(Found::new(RoleView::from(&role)).version(role.version))
    }

    /// End a role
    ///
    /// One that nobody has, that no role inherits and no policy speaks of.
    #[oai(path = "/:name", method = "delete", operation_id = "delete_role")]
    async fn delete(&self, access: Access, name: Path<String>) -> Result<Done, Problem> {
        self.changeable(&access, &name.0)?;
        let change = PolicyChange::End(name.0);
        self.app.change_policy(&access.entered, &access.caller, change).await.map_err(named)?;
        Ok(Done)
    }
}

impl RolesApi {
    fn find(&self, access: &Access, name: &str) -> Result<Role, Problem> {
        let overlay = self.app.policy.overlay(&self.app.identity, access.organization().id)?;
        overlay.roles.into_iter().find(|role| role.name == name).ok_or_else(|| missing(MISSING))
    }

    fn changeable(&self, access: &Access, name: &str) -> Result<(), Problem> {
        access.may("host.user", "read")?;
        access.must(OBJECT, "update")?;
        if SHIPPED_ROLES.contains(&name) {
            let detail = "A shipped role cannot be changed; make one that inherits it.";
            return Err(Problem::new(poem::http::StatusCode::CONFLICT, "role_is_shipped", detail));
        }
        self.find(access, name).map(drop)
    }
}

fn named(error: PolicyError) -> Problem {
    match error {
        PolicyError::Missing => missing(MISSING),
        error => error.into(),
    }
}

impl RoleView {
    fn shipped(name: &str) -> Self {
        let description = match name {
            "owner" => "May do everything in the organization.",
            "manager" => "Heads a team: sees and arranges its records.",
            "rep" => "Works with the records that are his own.",
            _ => "Looks, and changes nothing.",
        };
        Self {
            name: name.to_owned(),
            label: name.to_owned(),
            description: description.to_owned(),
            inherits: Vec::new(),
            shipped: true,
            version: 0,
            created_at: None,
            updated_at: None,
        }
    }
}

impl From<&Role> for RoleView {
    fn from(role: &Role) -> Self {
        Self {
            name: role.name.clone(),
            label: role.label.clone(),
            description: role.description.clone(),
            inherits: role.inherits.clone(),
            shipped: false,
            version: role.version,
            created_at: Some(rfc3339(role.created_at)),
            updated_at: Some(rfc3339(role.updated_at)),
        }
    }
}
