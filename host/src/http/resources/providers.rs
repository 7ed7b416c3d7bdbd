//! `/identity-providers`: other issuers whose people may sign in, and being known as who one is there.

use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Json;
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{ApiResponse, Object, OpenApi};

use crate::caller::PrincipalKind;
use crate::clock::rfc3339;
use crate::config::PublicAddress;
use crate::http::access::{Access, id};
use crate::http::answer::{Created, Done, Found, expected_version};
use crate::http::browser::Browser;
use crate::http::callback;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::users::StatusView;
use crate::identity::{Departure, FactorProof, Federation, GroupRole, Provider, ProviderChange, UserStatus};
use crate::organizations::Organization;

const OBJECT: &str = "host.identity-provider";
const MISSING: &str = "identity_provider_not_found";

/// Arranges providers.
pub struct ProvidersApi {
    /// Providers, and those who come from them.
    pub federation: Federation,
    /// How the installation is reached.
    pub address: PublicAddress,
}

/// What people of a group become here.
#[derive(Object)]
#[oai(rename = "GroupRole")]
pub struct GroupRoleView {
    /// A group as the provider names it; `*` is everybody.
    #[oai(validator(min_length = 1, max_length = 255))]
    group: String,
    /// A role that you have yourself, never `owner`.
    #[oai(validator(min_length = 1, max_length = 64))]
    role: String,
}

/// Another issuer whose people may sign in.
#[derive(Object)]
#[oai(rename = "IdentityProvider")]
pub struct ProviderView {
    /// Its id, also in the address of its callback.
    id: String,
    /// Grows with every change; also the `ETag`.
    version: i64,
    /// When it was created.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
    /// What people read on the button.
    name: String,
    /// Exactly as its discovery document and its ID tokens say.
    issuer: String,
    /// What we are there.
    client_id: String,
    /// Whether we have a secret there. It is never shown.
    has_client_secret: bool,
    /// What is asked for.
    scopes: Vec<String>,
    /// Whether anybody may sign in with it.
    status: StatusView,
    /// Whether an address that it has verified, of a domain that is shown to be the organization's, links people.
    authoritative: bool,
    /// Whether it makes people whom nobody knows yet.
    provisions: bool,
    /// The claim that names groups.
    groups_claim: String,
    /// What people of its groups become, at each sign-in.
    group_roles: Vec<GroupRoleView>,
    /// What its `acr` says when it asked for two factors.
    second_factor_acrs: Vec<String>,
    /// The redirect URI to register there.
    callback_url: String,
}

/// Every provider.
#[derive(Object)]
pub struct ProviderList {
    /// In the order of their creation.
    data: Vec<ProviderView>,
    /// Always null: an organization has few providers.
    next_cursor: Option<String>,
}

/// A new provider.
#[derive(Object)]
#[oai(rename = "NewIdentityProvider")]
pub struct ProviderInput {
    /// What people read on the button, unique.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// Its issuer; the discovery document below it must name the same.
    #[oai(validator(min_length = 8, max_length = 512))]
    issuer: String,
    /// What we are there.
    #[oai(validator(min_length = 1, max_length = 255))]
    client_id: String,
    /// What proves it; without one we are a public client. Write-only.
    #[oai(validator(min_length = 1, max_length = 1024))]
    client_secret: Option<String>,
    /// `openid` and what else is needed; `openid email profile` unless said otherwise.
    #[oai(validator(min_items = 1, max_items = 20))]
    scopes: Option<Vec<String>>,
    /// Whether an address that it has verified, of a domain that is shown to be the organization's, links people.
    authoritative: Option<bool>,
    /// Whether it makes people whom nobody knows yet.
    provisions: Option<bool>,
    /// The claim that names groups; `groups` unless said otherwise.
    #[oai(validator(min_length = 1, max_length = 200))]
    groups_claim: Option<String>,
    /// What people of its groups become, at each sign-in.
    #[oai(validator(max_items = 200))]
    group_roles: Option<Vec<GroupRoleView>>,
    /// What its `acr` says when it asked for two factors; such people are not asked for a second one here. None unless said
    /// otherwise.
    #[oai(validator(max_items = 20))]
    second_factor_acrs: Option<Vec<String>>,
}

/// What is to change; absent members stay as they are.
#[derive(Object)]
#[oai(rename = "IdentityProviderPatch")]
pub struct ProviderPatch {
    /// What people read on the button, unique.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: Option<String>,
    /// Its issuer. Another one clears the secret.
    #[oai(validator(min_length = 8, max_length = 512))]
    issuer: Option<String>,
    /// What we are there. Another one clears the secret.
    #[oai(validator(min_length = 1, max_length = 255))]
    client_id: Option<String>,
    /// What proves it; null: nothing. Write-only.
    client_secret: MaybeUndefined<String>,
    /// `openid` and what else is needed.
    #[oai(validator(min_items = 1, max_items = 20))]
    scopes: Option<Vec<String>>,
    /// Whether anybody may sign in with it.
    status: Option<StatusView>,
    /// Whether its word about addresses counts.
    authoritative: Option<bool>,
    /// Whether it makes people.
    provisions: Option<bool>,
    /// The claim that names groups.
    #[oai(validator(min_length = 1, max_length = 200))]
    groups_claim: Option<String>,
    /// What people of its groups become, at each sign-in.
    #[oai(validator(max_items = 200))]
    group_roles: Option<Vec<GroupRoleView>>,
    /// What its `acr` says when it asked for two factors; such people are not asked for a second one here.
    #[oai(validator(max_items = 20))]
    second_factor_acrs: Option<Vec<String>>,
}

/// A proof that it is you.
#[derive(Object)]
pub struct LinkInput {
    /// Your password.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
    /// A code of your authenticator app or a recovery code, if you have a second factor.
    #[oai(validator(max_length = 64))]
    code: Option<String>,
}

/// Where the browser goes now.
#[derive(Object)]
pub struct GoThere {
    /// The provider's page.
    authorization_url: String,
}

/// Where to go, with a cookie: only this browser can come back.
#[derive(ApiResponse)]
pub enum Gone {
    /// The browser goes to the address and is sent back to the provider's callback.
    #[oai(status = 200)]
    Ok(Json<GoThere>, #[oai(header = "Set-Cookie")] String),
}

#[OpenApi(prefix_path = "/api/v1/identity-providers", tag = "Tag::IdentityProviders")]
impl ProvidersApi {
    /// List identity providers
    #[oai(path = "/", method = "get", operation_id = "list_identity_providers")]
    async fn list(&self, access: Access) -> Result<Found<ProviderList>, Problem> {
        access.must(OBJECT, "read")?;
        let providers = self.federation.providers(access.organization().id)?;
        let data = providers.iter().map(|provider| self.view(&access, provider)).collect();
        Ok(Found::new(ProviderList { data, next_cursor: None }))
    }

    /// Set up an identity provider
    ///
    /// It is asked for its discovery document now; what that says is kept.
    #[oai(path = "/", method = "post", operation_id = "create_identity_provider")]
    async fn create(
        &self,
        access: Access,
        input: Input<ProviderInput>,
    ) -> Result<Created<ProviderView>, Problem> {
        access.must(OBJECT, "create")?;
        let provider = self.federation.create_provider(&access.caller, input.0.change()).await?;
        let location = access.link(&format!("/identity-providers/{}", provider.id));
        Ok(Created::new(self.view(&access, &provider)).at(location).version(provider.version))
    }

    /// Get an identity provider
    #[oai(path = "/:id", method = "get", operation_id = "get_identity_provider")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<ProviderView>, Problem> {
        let provider = self.find(&access, &id.0, "read")?;
        Ok(Found::new(self.view(&access, &provider)).version(provider.version))
    }

    /// Change an identity provider
    ///
    /// Another issuer or client clears the secret, unless the same request brings a new one.
    #[oai(path = "/:id", method = "patch", operation_id = "update_identity_provider")]
    async fn update(
        &self,
        access: Access,
        id: Path<String>,
        input: Input<ProviderPatch>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<ProviderView>, Problem> {
        let provider = self.find(&access, &id.0, "update")?;
        let change = input.0.change(expected_version(if_match.0.as_deref())?);
        let provider = self.federation.update_provider(&access.caller, provider.id, change).await?;
        Ok(Found::new(self.view(&access, &provider)).version(provider.version))
    }

    /// Remove an identity provider
    ///
    /// Its people stay, and who is who there is forgotten.
    #[oai(path = "/:id", method = "delete", operation_id = "delete_identity_provider")]
    async fn delete(&self, access: Access, id: Path<String>) -> Result<Done, Problem> {
        let provider = self.find(&access, &id.0, "delete")?;
        self.federation.delete_provider(&access.caller, provider.id).await?;
        Ok(Done)
    }

    /// Be known as who you are there
    ///
    /// For people, with their password: from then on they may sign in with the provider.
    #[oai(path = "/:id/link", method = "post", operation_id = "link_identity")]
    async fn link(
        &self,
        access: Access,
        id: Path<String>,
        browser: Browser,
        input: Input<LinkInput>,
    ) -> Result<Gone, Problem> {
        if access.caller.principal.kind != PrincipalKind::User {
            return Err(Problem::forbidden("Only people are linked to people."));
        }
        let organization = access.organization();
        let provider = self::id(&id.0, MISSING)?;
        let LinkInput { password, code } = &input.0;
        let visitor = browser.visitor(&self.address);
        let proof = FactorProof { password, code: code.as_deref(), visitor: &visitor };
        let gone = self.federation.depart_to_link(&access.caller, organization, provider, &proof);
        Ok(gone_to(gone.await?, &self.federation, organization))
    }
}

/// The answer that sends a browser away.
pub(super) fn gone_to(gone: Departure, federation: &Federation, organization: &Organization) -> Gone {
    let cookie = callback::set_cookie(&gone.browser, federation, organization);
    Gone::Ok(Json(GoThere { authorization_url: gone.address }), cookie)
}

impl ProvidersApi {
    fn find(&self, access: &Access, text: &str, action: &str) -> Result<Provider, Problem> {
        access.must(OBJECT, "read")?;
        let provider = self.federation.provider(access.organization().id, id(text, MISSING)?)?;
        access.must(OBJECT, action)?;
        Ok(provider)
    }

    fn view(&self, access: &Access, provider: &Provider) -> ProviderView {
        let mapped = provider.group_roles.iter();
        ProviderView {
            id: provider.id.to_string(),
            version: provider.version,
            created_at: rfc3339(provider.created_at),
            updated_at: rfc3339(provider.updated_at),
            name: provider.name.clone(),
            issuer: provider.issuer.clone(),
            client_id: provider.client_id.clone(),
            has_client_secret: provider.has_secret,
            scopes: provider.scopes.clone(),
            status: StatusView::from(provider.status),
            authoritative: provider.authoritative,
            provisions: provider.provisions,
            groups_claim: provider.groups_claim.clone(),
            group_roles: mapped
                .map(|entry| GroupRoleView { group: entry.group.clone(), role: entry.role.clone() })
                .collect(),
            second_factor_acrs: provider.second_factor_acrs.clone(),
            callback_url: self.federation.callback(access.organization(), provider.id),
        }
    }
}

fn mapping(given: Vec<GroupRoleView>) -> Vec<GroupRole> {
    given.into_iter().map(|entry| GroupRole { group: entry.group, role: entry.role }).collect()
}

impl ProviderInput {
    fn change(self) -> ProviderChange {
        ProviderChange {
            name: Some(self.name),
            issuer: Some(self.issuer),
            client_id: Some(self.client_id),
            client_secret: self.client_secret.map(Some),
            scopes: self.scopes,
            authoritative: self.authoritative,
            provisions: self.provisions,
            groups_claim: self.groups_claim,
            group_roles: self.group_roles.map(mapping),
            second_factor_acrs: self.second_factor_acrs,
            ..ProviderChange::default()
        }
    }
}

impl ProviderPatch {
    fn change(self, if_version: Option<i64>) -> ProviderChange {
        let client_secret = match self.client_secret {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(secret) => Some(Some(secret)),
        };
        ProviderChange {
            if_version,
            name: self.name,
            issuer: self.issuer,
            client_id: self.client_id,
            client_secret,
            scopes: self.scopes,
            status: self.status.map(UserStatus::from),
            authoritative: self.authoritative,
            provisions: self.provisions,
            groups_claim: self.groups_claim,
            group_roles: self.group_roles.map(mapping),
            second_factor_acrs: self.second_factor_acrs,
        }
    }
}
