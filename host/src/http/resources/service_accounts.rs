//! `/service-accounts`: programs with roles of their own, whatever credentials they use.

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::{Access, id, missing};
use crate::http::answer::{Created, Found, cursor, cut, expected_version, page_size};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::users::StatusView;
use crate::identity::{Identity, NewServiceAccount, ServiceAccount, ServiceAccountChange, UserStatus};

const OBJECT: &str = "host.service-account";
const MISSING: &str = "service_account_not_found";

/// Lists, creates and changes service accounts.
pub struct ServiceAccountsApi {
    /// People and credentials.
    pub identity: Identity,
}

/// A program with an account. Its keys are among `/api-keys`.
#[derive(Object)]
#[oai(rename = "ServiceAccount")]
pub struct AccountView {
    /// The id that records name as their owner, and the subject of its tokens.
    id: String,
    /// Grows with every change; also the `ETag`.
    version: i64,
    /// When it was created.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
    /// Unique without regard to letter case.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Whether it may act.
    status: StatusView,
    /// Names of its roles.
    roles: Vec<String>,
}

/// A page of service accounts.
#[derive(Object)]
pub struct AccountList {
    /// In the order of their creation.
    data: Vec<AccountView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// A new program.
#[derive(Object)]
#[oai(rename = "NewServiceAccount")]
pub struct AccountInput {
    /// Unique without regard to letter case.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// What it is for.
    #[oai(validator(max_length = 1000))]
    description: Option<String>,
    /// At least one, each at most as strong as yours; never `owner`. It takes an owner to give the organization's own.
    #[oai(validator(min_items = 1, max_items = 50))]
    roles: Vec<String>,
}

/// What is to change; absent members stay as they are, null clears.
#[derive(Object)]
#[oai(rename = "ServiceAccountPatch")]
pub struct AccountPatch {
    /// Unique without regard to letter case.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: Option<String>,
    /// What it is for.
    description: MaybeUndefined<String>,
    /// At least one.
    #[oai(validator(min_items = 1, max_items = 50))]
    roles: Option<Vec<String>>,
    /// Disabling ends every token and every key of it.
    status: Option<StatusView>,
}

#[OpenApi(prefix_path = "/api/v1/service-accounts", tag = "Tag::ServiceAccounts")]
impl ServiceAccountsApi {
    /// List service accounts
    #[oai(path = "/", method = "get", operation_id = "list_service_accounts")]
    async fn list(
        &self,
        access: Access,
        /// 1 to 200, 50 unless asked for.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<AccountList>, Problem> {
        access.must(OBJECT, "read")?;
        let (size, after) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let accounts = self.identity.service_accounts(access.organization().id, after, size + 1)?;
        let (accounts, next_cursor) = cut(accounts, size, |account| account.id.to_string());
        Ok(Found::new(AccountList { data: accounts.iter().map(AccountView::from).collect(), next_cursor }))
    }

    /// Create a service account
    ///
    /// It has no credential yet: make API keys for it.
    #[oai(path = "/", method = "post", operation_id = "create_service_account")]
    async fn create(
        &self,
        access: Access,
        input: Input<AccountInput>,
    ) -> Result<Created<AccountView>, Problem> {
        access.must(OBJECT, "create")?;
        let AccountInput { name, description, roles } = input.0;
        let new = NewServiceAccount { name, description, roles };
        let account = self.identity.create_service_account(&access.caller, new).await?;
        let location = access.link(&format!("/service-accounts/{}", account.id));
        Ok(Created::new(AccountView::from(&account)).at(location).version(account.version))
    }

    /// Get a service account
    #[oai(path = "/:id", method = "get", operation_id = "get_service_account")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<AccountView>, Problem> {
        let account = self.find(&access, &id.0)?;
        Ok(Found::new(AccountView::from(&account)).version(account.version))
    }

    /// Change a service account
    #[oai(path = "/:id", method = "patch", operation_id = "update_service_account")]
    async fn update(
        &self,
        access: Access,
        id: Path<String>,
        input: Input<AccountPatch>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<AccountView>, Problem> {
        let change = input.0.change(expected_version(if_match.0.as_deref())?);
        self.apply(&access, &id.0, change).await
    }

    /// Disable a service account
    ///
    /// Every token and every key of it stops working.
    #[oai(path = "/:id/disable", method = "post", operation_id = "disable_service_account")]
    async fn disable(&self, access: Access, id: Path<String>) -> Result<Found<AccountView>, Problem> {
        let status = Some(UserStatus::Disabled);
        self.apply(&access, &id.0, ServiceAccountChange { status, ..ServiceAccountChange::default() }).await
    }

    /// Enable a service account
    ///
    /// Its keys work again, its tokens do not.
    #[oai(path = "/:id/enable", method = "post", operation_id = "enable_service_account")]
    async fn enable(&self, access: Access, id: Path<String>) -> Result<Found<AccountView>, Problem> {
        let status = Some(UserStatus::Active);
        self.apply(&access, &id.0, ServiceAccountChange { status, ..ServiceAccountChange::default() }).await
    }
}

impl ServiceAccountsApi {
    fn find(&self, access: &Access, text: &str) -> Result<ServiceAccount, Problem> {
        access.must(OBJECT, "read")?;
        let id = id(text, MISSING)?;
        self.identity.service_account(access.organization().id, id).map_err(|_| missing(MISSING))
    }

    async fn apply(
        &self,
        access: &Access,
        text: &str,
        change: ServiceAccountChange,
    ) -> Result<Found<AccountView>, Problem> {
        let account = self.find(access, text)?;
        access.must(OBJECT, "update")?;
        let account = self.identity.update_service_account(&access.caller, account.id, change).await?;
        Ok(Found::new(AccountView::from(&account)).version(account.version))
    }
}

impl AccountPatch {
    fn change(self, if_version: Option<i64>) -> ServiceAccountChange {
        let description = match self.description {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => Some(Some(text)),
        };
        let status = self.status.map(UserStatus::from);
        ServiceAccountChange { if_version, name: self.name, description, roles: self.roles, status }
    }
}

impl From<&ServiceAccount> for AccountView {
    fn from(account: &ServiceAccount) -> Self {
        Self {
            id: account.id.to_string(),
            version: account.version,
            created_at: rfc3339(account.created_at),
            updated_at: rfc3339(account.updated_at),
            name: account.name.clone(),
            description: account.description.clone(),
            status: StatusView::from(account.status),
            roles: account.roles.clone(),
        }
    }
}
