//! `/users`: the people of the organization.

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Enum, Object, OpenApi};

use crate::caller::Principal;
use crate::clock::rfc3339;
use crate::http::access::{Access, id, missing};
use crate::http::answer::{Created, Done, Found, cursor, cut, expected_version, page_size};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::people::{joined, owners_remain};
use crate::identity::{Email, Identity, Invited, NewUser, OWNER, User, UserChange, UserStatus};
use crate::ids::TeamId;

const OBJECT: &str = "host.user";
const MISSING: &str = "user_not_found";

/// Lists, creates and changes people.
pub struct UsersApi {
    /// People and credentials.
    pub identity: Identity,
}

/// Whether a person may act.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "UserStatus", rename_all = "snake_case")]
pub enum StatusView {
    /// They may.
    Active,
    /// Not any more; their records stay theirs.
    Disabled,
}

impl From<StatusView> for UserStatus {
    fn from(status: StatusView) -> Self {
        match status {
            StatusView::Active => Self::Active,
            StatusView::Disabled => Self::Disabled,
        }
    }
}

impl From<UserStatus> for StatusView {
    fn from(status: UserStatus) -> Self {
        match status {
            UserStatus::Active => Self::Active,
            UserStatus::Disabled => Self::Disabled,
        }
    }
}

/// A person.
#[derive(Object)]
#[oai(rename = "User")]
pub struct UserView {
    /// The id that records name as their owner.
    id: String,
    /// Grows with every change; also the `ETag`.
    version: i64,
    /// When they were created.
    created_at: String,
    /// When they were last changed.
    updated_at: String,
    /// What people call them.
    name: String,
    /// Without one they cannot log in.
    email: Option<String>,
    /// Their key in another system.
    external_id: Option<String>,
    /// Whether they may act.
    status: StatusView,
    /// Names of their roles.
    roles: Vec<String>,
    /// Ids of their teams, the primary team first.
    teams: Vec<String>,
    /// Whether they have chosen a password.
    has_password: bool,
}

/// A page of people.
#[derive(Object)]
pub struct UserList {
    /// In the order of their creation.
    data: Vec<UserView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// Somebody new.
#[derive(Object)]
#[oai(rename = "NewUser")]
pub struct UserInput {
    /// What people call them.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// Without one they cannot log in.
    #[oai(validator(max_length = 254))]
    email: Option<String>,
    /// At least one of `owner`, `manager`, `rep`, `readonly`.
    roles: Vec<String>,
    /// The id of their primary team.
    team: Option<String>,
    /// Their key in another system, unique.
    #[oai(validator(max_length = 200))]
    external_id: Option<String>,
    /// Whether to send them an invitation to their address.
    #[oai(default)]
    invite: bool,
}

/// What is to change; absent members stay as they are, null clears.
#[derive(Object)]
#[oai(rename = "UserPatch")]
pub struct UserPatch {
    /// What people call them.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: Option<String>,
    /// Without one they cannot log in.
    email: MaybeUndefined<String>,
    /// At least one.
    roles: Option<Vec<String>>,
    /// The id of their primary team.
    team: MaybeUndefined<String>,
    /// Their key in another system.
    external_id: MaybeUndefined<String>,
    /// Disabling ends every token they have.
    status: Option<StatusView>,
}

/// An invitation that nobody has used yet; its link is not kept.
#[derive(Object)]
pub struct OpenInvitation {
    /// Who made it. They must still be allowed to when it is used.
    invited_by: String,
    /// When.
    invited_at: String,
    /// Until when it is good.
    expires_at: String,
}

/// A link with which a person chooses a password.
#[derive(Object)]
pub struct Invitation {
    /// What the link carries; it works once.
    token: String,
    /// The path of the page with the token, to be given to the person.
    setup_url: String,
    /// Until when.
    expires_at: String,
}

#[OpenApi(prefix_path = "/api/v1/users", tag = "Tag::Users")]
impl UsersApi {
    /// List people
    #[oai(path = "/", method = "get", operation_id = "list_users")]
    async fn list(
        &self,
        access: Access,
        /// 1 to 200, 50 unless asked for.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<UserList>, Problem> {
        let scope = access.may(OBJECT, "read")?;
        let (size, after) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let users = self.identity.users(access.organization().id, after, size + 1)?;
        let (users, next_cursor) = cut(users, size, |user| user.id.to_string());
        let seen = users.iter().filter(|user| seen(&access, scope, user));
        Ok(Found::new(UserList { data: seen.map(UserView::from).collect(), next_cursor }))
    }

    /// Create a person
    ///
    /// With `POST /users/{id}/invitation` they get a link to choose a password.
    #[oai(path = "/", method = "post", operation_id = "create_user")]
    async fn create(&self, access: Access, input: Input<UserInput>) -> Result<Created<UserView>, Problem> {
        access.must(OBJECT, "create")?;
        let invite = input.0.invite;
        if invite && input.0.email.is_none() {
            return Err(crate::identity::IdentityError::NoEmail.into());
        }
        let user = self.identity.create_user(&access.caller, input.0.checked()?).await?;
        if invite {
            self.identity.invite_by_mail(&access.caller, access.organization(), user.id).await?;
        }
        let location = access.link(&format!("/users/{}", user.id));
        Ok(Created::new(UserView::from(&user)).at(location).version(user.version))
    }

    /// Get a person
    #[oai(path = "/:id", method = "get", operation_id = "get_user")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<UserView>, Problem> {
        let user = self.find(&access, &id.0, "read")?;
        Ok(Found::new(UserView::from(&user)).version(user.version))
    }

    /// Change a person
    #[oai(path = "/:id", method = "patch", operation_id = "update_user")]
    async fn update(
        &self,
        access: Access,
        id: Path<String>,
        input: Input<UserPatch>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<UserView>, Problem> {
        let user = self.find(&access, &id.0, "update")?;
        let change = input.0.checked(expected_version(if_match.0.as_deref())?)?;
        owners_remain(&self.identity, &access, user.id, |owner| owner_after(owner, &change))?;
        let user = self.identity.update_user(&access.caller, user.id, change).await?;
        Ok(Found::new(UserView::from(&user)).version(user.version))
    }

    /// Disable a person
    ///
    /// Every token, session and open invitation of theirs ends with it. The last active owner stays.
    #[oai(path = "/:id/disable", method = "post", operation_id = "disable_user")]
    async fn disable(&self, access: Access, id: Path<String>) -> Result<Found<UserView>, Problem> {
        self.turn(&access, &id.0, UserStatus::Disabled).await
    }

    /// Enable a person
    ///
    /// They log in anew.
    #[oai(path = "/:id/enable", method = "post", operation_id = "enable_user")]
    async fn enable(&self, access: Access, id: Path<String>) -> Result<Found<UserView>, Problem> {
        self.turn(&access, &id.0, UserStatus::Active).await
    }

    /// Invite a person by mail
    ///
    /// Or once more: the link that was sent before is dead then. The answer does not have the new one.
    #[oai(path = "/:id/invitation/mail", method = "post", operation_id = "mail_invitation")]
    async fn mail_invitation(
        &self,
        access: Access,
        id: Path<String>,
    ) -> Result<Created<OpenInvitation>, Problem> {
        let user = self.find(&access, &id.0, "update")?;
        let invited = self.identity.invite_by_mail(&access.caller, access.organization(), user.id).await?;
        Ok(Created::new(OpenInvitation::from(invited)))
    }

    /// Get a person's open invitation
    #[oai(path = "/:id/invitation", method = "get", operation_id = "get_invitation")]
    async fn invitation(&self, access: Access, id: Path<String>) -> Result<Found<OpenInvitation>, Problem> {
        let user = self.find(&access, &id.0, "update")?;
        let invited = self.identity.invitation(access.organization().id, user.id)?;
        Ok(Found::new(OpenInvitation::from(invited)))
    }

    /// Revoke a person's invitation
    ///
    /// Its link is dead at once.
    #[oai(path = "/:id/invitation", method = "delete", operation_id = "revoke_invitation")]
    async fn revoke_invitation(&self, access: Access, id: Path<String>) -> Result<Done, Problem> {
        let user = self.find(&access, &id.0, "update")?;
        self.identity.revoke_invitation(&access.caller, user.id).await?;
        Ok(Done)
    }

    /// Make a set-up link
    ///
    /// Links made before for this person stop working.
    #[oai(path = "/:id/invitation", method = "post", operation_id = "invite_user")]
    async fn invite(&self, access: Access, id: Path<String>) -> Result<Created<Invitation>, Problem> {
        let user = self.find(&access, &id.0, "update")?;
        let token = self.identity.invite(&access.caller, user.id).await?;
        let setup_url = setup_path(&access.prefix.0, &token.token);
        Ok(Created::new(Invitation { token: token.token, setup_url, expires_at: rfc3339(token.expires_at) }))
    }
}

/// The page behind a set-up link. The token stands behind `#`: browsers do not send that part to anybody.
#[must_use]
pub fn setup_path(prefix: &str, token: &str) -> String {
    format!("{prefix}/auth/setup#token={token}")
}

impl From<Invited> for OpenInvitation {
    fn from(invited: Invited) -> Self {
        Self {
            invited_by: invited.by.to_string(),
            invited_at: rfc3339(invited.at),
            expires_at: rfc3339(invited.expires_at),
        }
    }
}

/// What a change makes of an owner.
fn owner_after(owner: Principal, change: &UserChange) -> Option<Principal> {
    let roles = change.roles.as_ref();
    let stays = change.status != Some(UserStatus::Disabled)
        && roles.is_none_or(|roles| roles.iter().any(|role| role == OWNER));
    let owner = match roles {
        Some(roles) => owner.with_roles(roles.iter().map(String::as_str)),
        None => owner,
    };
    let owner = match change.team.flatten() {
        Some(team) => joined(owner, team),
        None => owner,
    };
    stays.then_some(owner)
}

impl UsersApi {
    async fn turn(
        &self,
        access: &Access,
        text: &str,
        status: UserStatus,
    ) -> Result<Found<UserView>, Problem> {
        let user = self.find(access, text, "update")?;
        let change = UserChange { status: Some(status), ..UserChange::default() };
        owners_remain(&self.identity, access, user.id, |owner| owner_after(owner, &change))?;
        let user = self.identity.update_user(&access.caller, user.id, change).await?;
        Ok(Found::new(UserView::from(&user)).version(user.version))
    }

    /// The person, if the caller may do `action`; unknown and unreadable look the same.
    pub(super) fn find(&self, access: &Access, text: &str, action: &str) -> Result<User, Problem> {
        let readable = access.may(OBJECT, "read")?;
        let user = self.identity.user(access.organization().id, id(text, MISSING)?)?;
        if !seen(access, readable, &user) {
            return Err(missing(MISSING));
        }
        if action != "read" && !seen(access, access.may(OBJECT, action)?, &user) {
            return Err(Problem::forbidden(format!("Your roles do not allow `{action}` on this user.")));
        }
        Ok(user)
    }
}

fn seen(access: &Access, scope: crate::policy::RowScope, user: &User) -> bool {
    scope.permits(&access.caller.principal, user.id, user.teams.first().copied())
}

fn team(text: &str) -> Result<TeamId, Problem> {
    id(text, "team_not_found")
}

impl UserInput {
    fn checked(self) -> Result<NewUser, Problem> {
        Ok(NewUser {
            email: self.email.as_deref().map(Email::parse).transpose()?,
            name: self.name,
            roles: self.roles,
            team: self.team.as_deref().map(team).transpose()?,
            external_id: self.external_id,
        })
    }
}

impl UserPatch {
    fn checked(self, if_version: Option<i64>) -> Result<UserChange, Problem> {
        let email =
            change(self.email).map(|email| email.as_deref().map(Email::parse).transpose()).transpose()?;
        let team = change(self.team).map(|text| text.as_deref().map(team).transpose()).transpose()?;
        let status = self.status.map(UserStatus::from);
        let external_id = change(self.external_id);
        Ok(UserChange { if_version, name: self.name, email, roles: self.roles, team, external_id, status })
    }
}

fn change<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        let status = StatusView::from(user.status);
        Self {
            id: user.id.to_string(),
            version: user.version,
            created_at: rfc3339(user.created_at),
            updated_at: rfc3339(user.updated_at),
            name: user.name.clone(),
            email: user.email.clone(),
            external_id: user.external_id.clone(),
            status,
            roles: user.roles.clone(),
            teams: user.teams.iter().map(ToString::to_string).collect(),
            has_password: user.has_password,
        }
    }
}
