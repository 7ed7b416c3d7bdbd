//! `/clients`: the register of OAuth clients. A secret is shown once, at the creation or the rotation.

mod key;
mod words;

use poem_openapi::param::{Header, Path};
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::{Access, id};
use crate::http::answer::{Created, Done, Found, expected_version};
use crate::http::input::Input;
use crate::http::problem::{Fault, Problem};
use crate::http::resources::Tag;
use crate::identity::{Client, ClientChange, Identity, LivesChange, NewClient, SigningAlgorithm};
use crate::ids::{ClientId, PrincipalId};

use self::key::KeySetView;
use self::words::{AlgorithmView, AuthView, GrantView, KindView};

const OBJECT: &str = "host.client";
const MISSING: &str = "client_not_found";

/// Registers, lists, changes and removes clients.
pub struct ClientsApi {
    /// People and credentials.
    pub identity: Identity,
}

/// A client, without its secret.
#[derive(Object)]
#[oai(rename = "Client")]
pub struct ClientView {
    /// Its `client_id`.
    id: String,
    /// Grows with every change.
    version: i64,
    /// What people are asked about.
    name: String,
    /// Where it runs.
    kind: KindView,
    /// How it proves that it is the one.
    auth_method: AuthView,
    /// The public keys of its assertions, for `private_key_jwt`.
    jwks: Option<KeySetView>,
    /// Whose pages may call the authorization server for it.
    origins: Vec<String>,
    /// How long an access token is good, in seconds. It never outlasts what it comes of.
    access_token_life: i64,
    /// How long a refresh token is good that is not used, in seconds.
    refresh_token_idle_life: i64,
    /// How long the client may come back after somebody signed in, in seconds.
    refresh_token_life: i64,
    /// Where codes may be sent.
    redirect_uris: Vec<String>,
    /// Where people may be sent after signing out.
    post_logout_redirect_uris: Vec<String>,
    /// How it comes to tokens.
    grants: Vec<GrantView>,
    /// What it may ask for.
    scopes: Vec<String>,
    /// The id of the service account it acts as, for `client_credentials`.
    service_account: Option<String>,
    /// What its ID tokens are signed with.
    id_token_algorithm: AlgorithmView,
    /// The organization's own: nobody is asked for consent, but by one without a secret at an address that is not `https`.
    trusted: bool,
    /// Whether it may do anything.
    active: bool,
    /// When it was created.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
}

/// A client and, this once, its secret.
#[derive(Object)]
pub struct ClientCreated {
    /// The client.
    client: ClientView,
    /// It is not stored and cannot be shown again; null for public clients.
    client_secret: Option<String>,
}

/// All clients.
#[derive(Object)]
pub struct ClientList {
    /// In the order of their creation.
    data: Vec<ClientView>,
    /// Always null: an organization has few clients.
    next_cursor: Option<String>,
}

/// A new client.
#[derive(Object)]
#[oai(rename = "NewClient")]
pub struct ClientInput {
    /// What people are asked about.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// Where it runs.
    kind: KindView,
    /// How it proves that it is the one. Native clients: `none`; everybody else best `private_key_jwt`.
    auth_method: AuthView,
    /// The public keys of its assertions, for `private_key_jwt`: RSA of 2048 bits and more, P-256 or Ed25519.
    jwks: Option<KeySetView>,
    /// Whose pages may call the authorization server for it: `https` letter by letter as browsers write it, or `http` at
    /// `localhost`, `127.0.0.1` and `[::1]`. Only of a client with `none`.
    #[oai(validator(max_items = 20))]
    origins: Option<Vec<String>>,
    /// How long an access token is good, in seconds. 600 unless asked for otherwise.
    #[oai(validator(minimum(value = "60"), maximum(value = "900")))]
    access_token_life: Option<i64>,
    /// How long a refresh token is good that is not used, in seconds: at most 28800, of a native client 2592000, which it is unless asked for otherwise.
    #[oai(validator(minimum(value = "60"), maximum(value = "2592000")))]
    refresh_token_idle_life: Option<i64>,
    /// How long the client may come back after somebody signed in, in seconds: at most 86400, of a native client
    /// 7776000, which it is unless asked for otherwise.
    #[oai(validator(minimum(value = "60"), maximum(value = "7776000")))]
    refresh_token_life: Option<i64>,
    /// `https` letter by letter; native clients also `http://127.0.0.1` and `http://[::1]` at any port, and a scheme of
    /// their own such as `com.example.app:/callback`. At most 20.
    redirect_uris: Option<Vec<String>>,
    /// Where people may be sent after signing out. At most 20.
    post_logout_redirect_uris: Option<Vec<String>>,
    /// At least one.
    grants: Vec<GrantView>,
    /// `openid`, `profile`, `email`, `offline_access`, `read`, or an action such as `crm.contact:read` or `crm:*`.
    scopes: Vec<String>,
    /// The id of a service account, for `client_credentials`.
    service_account: Option<String>,
    /// `RS256` unless asked for otherwise.
    id_token_algorithm: Option<AlgorithmView>,
    /// The organization's own: nobody is asked for consent, but by one without a secret at an address that is not `https`.
    /// False unless asked for.
    trusted: Option<bool>,
}

/// What is to change; absent members stay as they are.
#[derive(Object)]
#[oai(rename = "ClientPatch")]
pub struct ClientPatch {
    /// What people are asked about.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: Option<String>,
    /// The public keys of its assertions, for `private_key_jwt`: RSA of 2048 bits and more, P-256 or Ed25519. They take the place of those that there are.
    jwks: Option<KeySetView>,
    /// Whose pages may call the authorization server for it: `https` letter by letter as browsers write it, or `http` at
    /// `localhost`, `127.0.0.1` and `[::1]`. Only of a client with `none`. They take the place of those that there are.
    #[oai(validator(max_items = 20))]
    origins: Option<Vec<String>>,
    /// How long an access token is good, in seconds.
    #[oai(validator(minimum(value = "60"), maximum(value = "900")))]
    access_token_life: Option<i64>,
    /// How long a refresh token is good that is not used, in seconds: at most 28800, of a native client 2592000.
    #[oai(validator(minimum(value = "60"), maximum(value = "2592000")))]
    refresh_token_idle_life: Option<i64>,
    /// How long the client may come back after somebody signed in, in seconds: at most 86400, of a native client
    /// 7776000. For who signs in from now on.
    #[oai(validator(minimum(value = "60"), maximum(value = "7776000")))]
    refresh_token_life: Option<i64>,
    /// Where codes may be sent.
    redirect_uris: Option<Vec<String>>,
    /// Where people may be sent after signing out.
    post_logout_redirect_uris: Option<Vec<String>>,
    /// What it may ask for.
    scopes: Option<Vec<String>>,
    /// What its ID tokens are signed with.
    id_token_algorithm: Option<AlgorithmView>,
    /// The organization's own.
    trusted: Option<bool>,
    /// False ends all its tokens.
    active: Option<bool>,
}

#[OpenApi(prefix_path = "/api/v1/clients", tag = "Tag::Clients")]
impl ClientsApi {
    /// List clients
    #[oai(path = "/", method = "get", operation_id = "list_clients")]
    async fn list(&self, access: Access) -> Result<Found<ClientList>, Problem> {
        access.must(OBJECT, "read")?;
        let clients = self.identity.clients(access.organization().id)?;
        Ok(Found::new(ClientList { data: clients.iter().map(ClientView::from).collect(), next_cursor: None }))
    }

    /// Register a client
    #[oai(path = "/", method = "post", operation_id = "create_client")]
    async fn create(
        &self,
        access: Access,
        input: Input<ClientInput>,
    ) -> Result<Created<ClientCreated>, Problem> {
        access.must(OBJECT, "create")?;
        let (client, secret) = self.identity.create_client(&access.caller, input.0.checked()?).await?;
        let location = access.link(&format!("/clients/{}", client.id));
        let client_secret = secret.map(|secret| secret.reveal().to_owned());
        Ok(Created::new(ClientCreated { client: ClientView::from(&client), client_secret })
            .at(location)
            .version(client.version))
    }

    /// Get a client
    #[oai(path = "/:id", method = "get", operation_id = "get_client")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<ClientView>, Problem> {
        access.must(OBJECT, "read")?;
        let client = self.identity.client(access.organization().id, self::id(&id.0, MISSING)?)?;
        Ok(Found::new(ClientView::from(&client)).version(client.version))
    }

    /// Change a client
    ///
    /// Kind, authentication and grants stay what they are: another need is another client.
    #[oai(path = "/:id", method = "patch", operation_id = "update_client")]
    async fn update(
        &self,
        access: Access,
        id: Path<String>,
        input: Input<ClientPatch>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<ClientView>, Problem> {
        access.must(OBJECT, "update")?;
        let id: ClientId = self::id(&id.0, MISSING)?;
        let patch = input.0;
        let change = ClientChange {
            if_version: expected_version(if_match.0.as_deref())?,
            name: patch.name,
            redirect_uris: patch.redirect_uris,
            logout_uris: patch.post_logout_redirect_uris,
            keys: patch.jwks.map(KeySetView::taken),
            origins: patch.origins,
            lives: LivesChange {
                access: patch.access_token_life,
                idle: patch.refresh_token_idle_life,
                longest: patch.refresh_token_life,
            },
            scopes: patch.scopes,
            id_token_algorithm: patch.id_token_algorithm.map(Into::into),
            trusted: patch.trusted,
            active: patch.active,
        };
        let client = self.identity.update_client(&access.caller, id, change).await?;
        Ok(Found::new(ClientView::from(&client)).version(client.version))
    }

    /// Remove a client
    ///
    /// All its tokens end, and what people allowed it is forgotten.
    #[oai(path = "/:id", method = "delete", operation_id = "delete_client")]
    async fn delete(&self, access: Access, id: Path<String>) -> Result<Done, Problem> {
        access.must(OBJECT, "delete")?;
        self.identity.delete_client(&access.caller, self::id(&id.0, MISSING)?).await?;
        Ok(Done)
    }

    /// Replace the secret of a client
    ///
    /// The old one stops working at once.
    #[oai(path = "/:id/rotate-secret", method = "post", operation_id = "rotate_client_secret")]
    async fn rotate(&self, access: Access, id: Path<String>) -> Result<Found<ClientCreated>, Problem> {
        access.must(OBJECT, "update")?;
        let id: ClientId = self::id(&id.0, MISSING)?;
        let (client, secret) = self.identity.rotate_client_secret(&access.caller, id).await?;
        let client_secret = Some(secret.reveal().to_owned());
        Ok(Found::new(ClientCreated { client: ClientView::from(&client), client_secret })
            .version(client.version))
    }
}

impl ClientInput {
    fn checked(self) -> Result<NewClient, Problem> {
        let service = self.service_account.map(|text| {
            let fault = Fault::new("/service_account", "invalid", "There is no such service account.");
            text.parse::<PrincipalId>().map_err(|_| Problem::invalid(vec![fault]))
        });
        Ok(NewClient {
            name: self.name,
            kind: self.kind.into(),
            auth: self.auth_method.into(),
            keys: self.jwks.map(KeySetView::taken).unwrap_or_default(),
            origins: self.origins.unwrap_or_default(),
            lives: LivesChange {
                access: self.access_token_life,
                idle: self.refresh_token_idle_life,
                longest: self.refresh_token_life,
            },
            redirect_uris: self.redirect_uris.unwrap_or_default(),
            logout_uris: self.post_logout_redirect_uris.unwrap_or_default(),
            grants: self.grants.into_iter().map(Into::into).collect(),
            scopes: self.scopes,
            service: service.transpose()?,
            id_token_algorithm: self.id_token_algorithm.map_or(SigningAlgorithm::Rs256, Into::into),
            trusted: self.trusted.unwrap_or(false),
        })
    }
}

impl From<&Client> for ClientView {
    fn from(client: &Client) -> Self {
        Self {
            id: client.id.to_string(),
            version: client.version,
            name: client.name.clone(),
            kind: client.kind.into(),
            auth_method: client.auth.into(),
            jwks: KeySetView::of(&client.keys),
            origins: client.origins.clone(),
            access_token_life: client.lives.access,
            refresh_token_idle_life: client.lives.idle,
            refresh_token_life: client.lives.longest,
            redirect_uris: client.redirect_uris.clone(),
            post_logout_redirect_uris: client.logout_uris.clone(),
            grants: client.grants.iter().map(Into::into).collect(),
            scopes: client.scopes.clone(),
            service_account: client.service.map(|id| id.to_string()),
            id_token_algorithm: client.id_token_algorithm.into(),
            trusted: client.trusted,
            active: client.active,
            created_at: rfc3339(client.created_at),
            updated_at: rfc3339(client.updated_at),
        }
    }
}
