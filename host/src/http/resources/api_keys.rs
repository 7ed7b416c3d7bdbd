//! `/api-keys`: credentials of programs. The secret is shown once, at the creation.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::{Access, id, missing};
use crate::http::answer::{Created, Done, Found};
use crate::http::input::Input;
use crate::http::problem::{Fault, Problem};
use crate::http::resources::Tag;
use crate::identity::{ApiKey, Identity, NewApiKey};
use crate::policy::RowScope;

const OBJECT: &str = "host.api-key";
const MISSING: &str = "api_key_not_found";

/// Lists, creates and revokes keys.
pub struct ApiKeysApi {
    /// People and credentials.
    pub identity: Identity,
}

/// A key, without its secret.
#[derive(Object)]
#[oai(rename = "ApiKey")]
pub struct KeyView {
    /// The id that records name as their owner.
    id: String,
    /// What it is for.
    name: String,
    /// The role it acts with; null: it acts as a service account.
    role: Option<String>,
    /// The id of the service account it acts as.
    service_account: Option<String>,
    /// What it is limited to; null: not further.
    scopes: Option<Vec<String>>,
    /// The networks it is good from; null: from anywhere.
    allowed_networks: Option<Vec<String>>,
    /// Whether it may create and change people.
    administers: bool,
    /// When it was last used, to the minute.
    last_used_at: Option<String>,
    /// When it was created.
    created_at: String,
    /// When it stops working; null, for keys of before: when it is revoked.
    expires_at: Option<String>,
    /// When it was revoked.
    revoked_at: Option<String>,
}

/// A key and, this once, its secret.
#[derive(Object)]
pub struct NewKey {
    /// The key.
    api_key: KeyView,
    /// Send it as `Authorization: Bearer …`. It is not stored and cannot be shown again.
    secret: String,
}

/// All keys, revoked ones included.
#[derive(Object)]
pub struct KeyList {
    /// In the order of their creation.
    data: Vec<KeyView>,
    /// Always null: an organization has few keys.
    next_cursor: Option<String>,
}

/// What a key is for.
#[derive(Object)]
#[oai(rename = "NewApiKey")]
pub struct KeyInput {
    /// What it is for.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// The role it acts with, at most as strong as yours; it takes an owner to give one of the organization's own. Or else
    /// `service_account`.
    #[oai(validator(min_length = 1, max_length = 64))]
    role: Option<String>,
    /// The id of the service account it acts as.
    service_account: Option<String>,
    /// What it is limited to, such as `read`, `crm.contact:read` or `crm:*`.
    #[oai(validator(min_items = 1, max_items = 50))]
    scopes: Option<Vec<String>>,
    /// Networks it is good from, such as `192.0.2.0/24` or `2001:db8::/32`; an address is a network of its own.
    #[oai(validator(min_items = 1, max_items = 50))]
    allowed_networks: Option<Vec<String>>,
    /// Whether it may create and change people, as far as its role allows. No key makes keys.
    #[oai(default)]
    administers: bool,
    /// When it stops working, RFC 3339; a year away at most, and unless said otherwise.
    expires_at: Option<String>,
}

#[OpenApi(prefix_path = "/api/v1/api-keys", tag = "Tag::ApiKeys")]
impl ApiKeysApi {
    /// List keys
    #[oai(path = "/", method = "get", operation_id = "list_api_keys")]
    async fn list(&self, access: Access) -> Result<Found<KeyList>, Problem> {
        let scope = access.may(OBJECT, "read")?;
        let keys = self.identity.api_keys(access.organization().id)?;
        let seen = keys.iter().filter(|key| seen(&access, scope, key));
        Ok(Found::new(KeyList { data: seen.map(KeyView::from).collect(), next_cursor: None }))
    }

    /// Create a key
    #[oai(path = "/", method = "post", operation_id = "create_api_key")]
    async fn create(&self, access: Access, input: Input<KeyInput>) -> Result<Created<NewKey>, Problem> {
        access.must(OBJECT, "create")?;
        let (key, secret) = self.identity.create_api_key(&access.caller, input.0.checked()?).await?;
        let location = access.link(&format!("/api-keys/{}", key.id));
        Ok(Created::new(NewKey { api_key: KeyView::from(&key), secret: secret.reveal().to_owned() })
            .at(location))
    }

    /// Get a key
    #[oai(path = "/:id", method = "get", operation_id = "get_api_key")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<KeyView>, Problem> {
        let scope = access.may(OBJECT, "read")?;
        let key = self.identity.api_key(access.organization().id, self::id(&id.0, MISSING)?)?;
        if seen(&access, scope, &key) { Ok(Found::new(KeyView::from(&key))) } else { Err(missing(MISSING)) }
    }

    /// Revoke a key
    #[oai(path = "/:id", method = "delete", operation_id = "revoke_api_key")]
    async fn revoke(&self, access: Access, id: Path<String>) -> Result<Done, Problem> {
        let (readable, scope) = (access.may(OBJECT, "read")?, access.may(OBJECT, "delete")?);
        let key = self.identity.api_key(access.organization().id, self::id(&id.0, MISSING)?)?;
        if !seen(&access, readable, &key) {
            return Err(missing(MISSING));
        }
        if !seen(&access, scope, &key) {
            return Err(Problem::forbidden("Your roles do not allow `delete` on this key."));
        }
        self.identity.revoke_api_key(&access.caller, key.id).await?;
        Ok(Done)
    }
}

impl KeyInput {
    fn checked(self) -> Result<NewApiKey, Problem> {
        let unknown = |_| {
            let detail = "There is no service account with this id.";
            Problem::invalid(vec![Fault::new("/service_account", "not_found", detail)])
        };
        let service =
            self.service_account.as_deref().map(|text| text.parse().map_err(unknown)).transpose()?;
        Ok(NewApiKey {
            name: self.name,
            role: self.role,
            service,
            scopes: self.scopes,
            networks: self.allowed_networks.map(networks).transpose()?,
            administers: self.administers,
            expires_at: self.expires_at.as_deref().map(instant).transpose()?,
        })
    }
}

/// Networks in CIDR notation; an address alone is one of its own.
fn networks(texts: Vec<String>) -> Result<Vec<IpNet>, Problem> {
    let parsed = |text: &str| text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let (mut networks, mut faults) = (Vec::new(), Vec::new());
    for (index, text) in texts.iter().enumerate() {
        match parsed(text) {
            Ok(network) => networks.push(network),
            Err(_) => {
                let detail = "Write a network such as `192.0.2.0/24`.";
                faults.push(Fault::new(format!("/allowed_networks/{index}"), "invalid", detail));
            }
        }
    }
    if faults.is_empty() { Ok(networks) } else { Err(Problem::invalid(faults)) }
}

/// A key belongs to whoever created it.
fn seen(access: &Access, scope: RowScope, key: &ApiKey) -> bool {
    scope.permits(&access.caller.principal, key.created_by, None)
}

/// An instant in RFC 3339 as milliseconds.
pub(crate) fn instant(text: &str) -> Result<i64, Problem> {
    let invalid = |_| {
        let detail = "Write an instant such as `2027-01-31T00:00:00Z`.";
        Problem::invalid(vec![Fault::new("/expires_at", "invalid", detail)])
    };
    text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(invalid)
}

impl From<&ApiKey> for KeyView {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            role: key.role.clone(),
            service_account: key.service.map(|id| id.to_string()),
            scopes: key.scopes.clone(),
            allowed_networks: key
                .networks
                .as_ref()
                .map(|networks| networks.iter().map(ToString::to_string).collect()),
            administers: key.administers,
            last_used_at: key.last_used_at.map(rfc3339),
            created_at: rfc3339(key.created_at),
            expires_at: key.expires_at.map(rfc3339),
            revoked_at: key.revoked_at.map(rfc3339),
        }
    }
}
