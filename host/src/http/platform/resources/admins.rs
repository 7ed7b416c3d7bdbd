//! `/admins`: those who run the installation.

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Enum, Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::id;
use crate::http::answer::{Created, Done, Found, cursor, cut, expected_version, page_size};
use crate::http::input::Input;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::identity::Email;
use crate::platform::{Admin, AdminChange, AdminStatus, Area, Invitation, NewAdmin, Platform};

use super::Tag;

const MISSING: &str = "admin_not_found";

/// Lists, invites and changes administrators.
pub(in crate::http::platform) struct AdminsApi {
    /// The plane.
    pub platform: Platform,
}

/// What the platform's roles are called.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "PlatformRole", rename_all = "snake_case")]
pub(in crate::http::platform) enum RoleName {
    /// Looks, and reaches organizations by impersonation only.
    Support,
    /// Makes, suspends and resumes organizations.
    Operator,
    /// Licenses modules.
    Billing,
    /// Manages administrators, sessions and keys.
    Security,
    /// Reads everything but organizations' data.
    Auditor,
    /// Everything.
    Owner,
}

impl RoleName {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Operator => "operator",
            Self::Billing => "billing",
            Self::Security => "security",
            Self::Auditor => "auditor",
            Self::Owner => "owner",
        }
    }
}

/// Whether an administrator may act.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "AdminStatus", rename_all = "snake_case")]
pub(in crate::http::platform) enum StatusView {
    /// Not before they have chosen a password.
    Invited,
    /// They may.
    Active,
    /// Not any more.
    Disabled,
}

/// An administrator.
#[derive(Object)]
#[oai(rename = "Admin")]
pub(in crate::http::platform) struct AdminView {
    /// Their id.
    id: String,
    /// Grows with every change; also the `ETag`.
    version: i64,
    /// When they came.
    created_at: String,
    /// When they were last changed.
    updated_at: String,
    /// What people call them.
    name: String,
    /// Their address.
    email: String,
    /// Whether they may act.
    status: StatusView,
    /// Names of their roles.
    roles: Vec<String>,
    /// Whether they have chosen a password.
    has_password: bool,
    /// Whether they have a second factor; without one they may enrol one and nothing else.
    has_second_factor: bool,
}

impl From<&Admin> for AdminView {
    fn from(admin: &Admin) -> Self {
        let status = match admin.status {
            AdminStatus::Invited => StatusView::Invited,
            AdminStatus::Active => StatusView::Active,
            AdminStatus::Disabled => StatusView::Disabled,
        };
        Self {
            id: admin.id.to_string(),
            version: admin.version,
            created_at: rfc3339(admin.created_at),
            updated_at: rfc3339(admin.updated_at),
            name: admin.name.clone(),
            email: admin.email.clone(),
            status,
            roles: admin.roles.clone(),
            has_password: admin.has_password,
            has_second_factor: admin.has_factor,
        }
    }
}

/// A page of administrators.
#[derive(Object)]
#[oai(rename = "AdminList")]
pub(in crate::http::platform) struct AdminList {
    /// In the order of their coming.
    data: Vec<AdminView>,
    /// Where the next page begins; null: this is the last.
    next_cursor: Option<String>,
}

/// Whom to invite.
#[derive(Object)]
#[oai(rename = "NewAdmin")]
pub(in crate::http::platform) struct AdminInput {
    /// Their address.
    #[oai(validator(min_length = 3, max_length = 254))]
    email: String,
    /// What people call them.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// At least one; none that may do more than yours.
    roles: Vec<RoleName>,
}

/// What is to change; absent members stay as they are.
#[derive(Object)]
#[oai(rename = "AdminPatch")]
pub(in crate::http::platform) struct AdminPatch {
    /// What people call them.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: Option<String>,
    /// At least one; none that may do more than yours.
    roles: Option<Vec<RoleName>>,
    /// Disabling ends every session they have.
    status: Option<StatusView>,
}

/// A link with which an administrator chooses a password.
#[derive(Object)]
#[oai(rename = "AdminInvitation")]
pub(in crate::http::platform) struct InvitationView {
    /// What the link carries; it works once.
    token: String,
    /// The link, to be given to the administrator.
    url: String,
    /// Until when.
    expires_at: String,
}

impl From<&Invitation> for InvitationView {
    fn from(invitation: &Invitation) -> Self {
        let expires_at = rfc3339(invitation.expires_at);
        Self { token: invitation.token.clone(), url: invitation.url.clone(), expires_at }
    }
}

/// An administrator who is invited, and the link.
#[derive(Object)]
#[oai(rename = "InvitedAdmin")]
pub(in crate::http::platform) struct Invited {
    /// The administrator.
    admin: AdminView,
    /// The link, shown this once.
    invitation: InvitationView,
}

#[OpenApi(prefix_path = "/admin/v1/admins", tag = "Tag::Admins")]
impl AdminsApi {
    /// List administrators
    #[oai(path = "/", method = "get", operation_id = "list_administrators")]
    async fn list(
        &self,
        staff: Staff,
        /// 1 to 200, 50 unless asked for.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<AdminList>, Problem> {
        staff.may(Area::Security, "read")?;
        let (size, after) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let admins = self.platform.admins(after, size + 1).await?;
        let (admins, next_cursor) = cut(admins, size, |admin| admin.id.to_string());
        Ok(Found::new(AdminList { data: admins.iter().map(AdminView::from).collect(), next_cursor }))
    }

    /// Invite an administrator
    ///
    /// They choose a password behind the link and enrol a second factor at their first sign-in.
    #[oai(path = "/", method = "post", operation_id = "invite_administrator")]
    async fn create(&self, staff: Staff, input: Input<AdminInput>) -> Result<Created<Invited>, Problem> {
        staff.may(Area::Security, "write")?;
        let AdminInput { email, name, roles } = input.0;
        let new = NewAdmin { email: Email::parse(&email)?, name, roles: names(&roles) };
        let (admin, invitation) = self.platform.invite(&staff.0, new).await?;
        let location = format!("/admin/v1/admins/{}", admin.id);
        let body = Invited { admin: (&admin).into(), invitation: (&invitation).into() };
        Ok(Created::new(body).at(location).version(admin.version))
    }

    /// Get an administrator
    #[oai(path = "/:id", method = "get", operation_id = "get_administrator")]
    async fn get(&self, staff: Staff, id: Path<String>) -> Result<Found<AdminView>, Problem> {
        staff.may(Area::Security, "read")?;
        let admin = self.platform.admin(self::id(&id.0, MISSING)?).await?;
        Ok(Found::new(AdminView::from(&admin)).version(admin.version))
    }

    /// Change an administrator
    ///
    /// Only whoever has every right that they have and are to have; nobody their own status. There is always an active owner.
    #[oai(path = "/:id", method = "patch", operation_id = "change_administrator")]
    async fn update(
        &self,
        staff: Staff,
        id: Path<String>,
        input: Input<AdminPatch>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<AdminView>, Problem> {
        staff.may(Area::Security, "write")?;
        let AdminPatch { name, roles, status } = input.0;
        let status = status.map(|status| match status {
            StatusView::Invited => AdminStatus::Invited,
            StatusView::Active => AdminStatus::Active,
            StatusView::Disabled => AdminStatus::Disabled,
        });
        let if_version = expected_version(if_match.0.as_deref())?;
        let change = AdminChange { if_version, name, roles: roles.map(|roles| names(&roles)), status };
        let admin = self.platform.change(&staff.0, self::id(&id.0, MISSING)?, change).await?;
        Ok(Found::new(AdminView::from(&admin)).version(admin.version))
    }

    /// Make a new link
    ///
    /// For a lost link or a forgotten password. Links made before stop working; a second factor stays.
    #[oai(path = "/:id/invitation", method = "post", operation_id = "invite_administrator_again")]
    async fn invite(&self, staff: Staff, id: Path<String>) -> Result<Created<InvitationView>, Problem> {
        staff.may(Area::Security, "write")?;
        let invitation = self.platform.invite_again(&staff.0, self::id(&id.0, MISSING)?).await?;
        Ok(Created::new(InvitationView::from(&invitation)))
    }

    /// Take a second factor away
    ///
    /// From somebody else who has lost it: their sessions end, and they enrol a new one at their next sign-in.
    #[oai(path = "/:id/second-factor", method = "delete", operation_id = "reset_administrator_factor")]
    async fn reset(&self, staff: Staff, id: Path<String>) -> Result<Done, Problem> {
        staff.may(Area::Security, "write")?;
        self.platform.reset_factor(&staff.0, self::id(&id.0, MISSING)?).await?;
        Ok(Done)
    }
}

fn names(roles: &[RoleName]) -> Vec<String> {
    roles.iter().map(|role| role.as_str().to_owned()).collect()
}
