//! `/publishers`: who may publish plugins on this installation, and what they sign with.

use poem_openapi::param::Path;
use poem_openapi::{Enum, Object, OpenApi};

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::answer::{Created, Found};
use crate::http::input::Input;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::platform::Area;
use crate::plugins::Trust;
use crate::plugins::catalogue::{Publisher, PublisherKey};

use super::Tag;

/// Trusts publishers and their keys.
pub(in crate::http::platform) struct PublishersApi {
    /// Every handle.
    pub app: App,
}

/// How far a publisher is trusted.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "Trust", rename_all = "snake_case")]
pub(in crate::http::platform) enum TrustView {
    /// Reviewed by whoever runs the installation.
    Verified,
    /// Of one customer, for itself.
    Private,
    /// Anybody whose key is known.
    Community,
}

/// A key of a publisher.
#[derive(Object)]
#[oai(rename = "PublisherKey")]
pub(in crate::http::platform) struct KeyView {
    /// As packages name it.
    id: String,
    /// Ed25519, base64.
    public_key: String,
    /// Since when.
    created_at: String,
    /// Since when nothing that it signed runs; null: it is trusted.
    revoked_at: Option<String>,
}

/// Somebody who publishes.
#[derive(Object)]
#[oai(rename = "Publisher")]
pub(in crate::http::platform) struct PublisherView {
    /// In addresses.
    id: String,
    /// For people.
    name: String,
    /// How far they are trusted.
    trust: TrustView,
    /// The oldest first.
    keys: Vec<KeyView>,
    /// Since when.
    created_at: String,
}

/// Everybody.
#[derive(Object)]
pub(in crate::http::platform) struct PublisherList {
    /// By id.
    data: Vec<PublisherView>,
    /// Always null: there are few.
    next_cursor: Option<String>,
}

/// Whom to trust.
#[derive(Object)]
#[oai(rename = "NewPublisher")]
pub(in crate::http::platform) struct PublisherInput {
    /// In addresses: 2 to 40 of a-z, 0-9 and dashes, beginning with a letter.
    #[oai(validator(min_length = 2, max_length = 40, pattern = "^[a-z][a-z0-9-]+$"))]
    id: String,
    /// For people.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// How far.
    trust: TrustView,
    /// Ed25519, 32 bytes in base64, as `stoa plugin keygen` prints it.
    #[oai(validator(min_length = 44, max_length = 44))]
    public_key: String,
}

/// One more key.
#[derive(Object)]
#[oai(rename = "NewPublisherKey")]
pub(in crate::http::platform) struct KeyInput {
    /// Ed25519, 32 bytes in base64, as `stoa plugin keygen` prints it.
    #[oai(validator(min_length = 44, max_length = 44))]
    public_key: String,
}

impl From<TrustView> for Trust {
    fn from(view: TrustView) -> Self {
        match view {
            TrustView::Verified => Self::Verified,
            TrustView::Private => Self::Private,
            TrustView::Community => Self::Community,
        }
    }
}

impl From<Trust> for TrustView {
    fn from(trust: Trust) -> Self {
        match trust {
            Trust::Verified | Trust::Core | Trust::Local => Self::Verified,
            Trust::Private => Self::Private,
            Trust::Community => Self::Community,
        }
    }
}

impl From<&PublisherKey> for KeyView {
    fn from(key: &PublisherKey) -> Self {
        Self {
            id: key.id.clone(),
            public_key: key.public_key.clone(),
            created_at: rfc3339(key.created_at),
            revoked_at: key.revoked_at.map(rfc3339),
        }
    }
}

impl From<&Publisher> for PublisherView {
    fn from(publisher: &Publisher) -> Self {
        Self {
            id: publisher.id.clone(),
            name: publisher.name.clone(),
            trust: publisher.trust.into(),
            keys: publisher.keys.iter().map(KeyView::from).collect(),
            created_at: rfc3339(publisher.created_at),
        }
    }
}

#[OpenApi(prefix_path = "/admin/v1/publishers", tag = "Tag::Plugins")]
impl PublishersApi {
    /// List publishers
    #[oai(path = "/", method = "get", operation_id = "list_publishers")]
    async fn list(&self, staff: Staff) -> Result<Found<PublisherList>, Problem> {
        staff.may(Area::Licences, "read")?;
        let data = self.app.catalogue.publishers().await?.iter().map(PublisherView::from).collect();
        Ok(Found::new(PublisherList { data, next_cursor: None }))
    }

    /// Trust a publisher
    ///
    /// From now on packages that this key signed may be uploaded. How far a publisher is trusted decides what its packages may
    /// have, and is not changed.
    #[oai(path = "/", method = "post", operation_id = "trust_publisher")]
    async fn trust(
        &self,
        staff: Staff,
        input: Input<PublisherInput>,
    ) -> Result<Created<PublisherView>, Problem> {
        staff.may(Area::Security, "write")?;
        let PublisherInput { id, name, trust, public_key } = input.0;
        let made =
            self.app.catalogue.trust((&id, &name), trust.into(), &public_key, staff.0.admin.id).await?;
        Ok(Created::new(PublisherView::from(&made)).at(format!("/admin/v1/publishers/{id}")))
    }

    /// Get a publisher
    #[oai(path = "/:publisher", method = "get", operation_id = "get_publisher")]
    async fn get(&self, staff: Staff, publisher: Path<String>) -> Result<Found<PublisherView>, Problem> {
        staff.may(Area::Licences, "read")?;
        Ok(Found::new(PublisherView::from(&self.app.catalogue.publisher(&publisher.0).await?)))
    }

    /// Trust one more key of a publisher
    #[oai(path = "/:publisher/keys", method = "post", operation_id = "add_publisher_key")]
    async fn add_key(
        &self,
        staff: Staff,
        publisher: Path<String>,
        input: Input<KeyInput>,
    ) -> Result<Created<PublisherView>, Problem> {
        staff.may(Area::Security, "write")?;
        let made = self.app.catalogue.add_key(&publisher.0, &input.0.public_key, staff.0.admin.id).await?;
        Ok(Created::new(PublisherView::from(&made)).at(format!("/admin/v1/publishers/{}", made.id)))
    }

    /// Revoke a key
    ///
    /// Nothing that it signed runs from the next request on, in no organization.
    #[oai(path = "/:publisher/keys/:key", method = "delete", operation_id = "revoke_publisher_key")]
    async fn revoke_key(
        &self,
        staff: Staff,
        publisher: Path<String>,
        key: Path<String>,
    ) -> Result<Found<PublisherView>, Problem> {
        staff.may(Area::Security, "write")?;
        let left = self.app.catalogue.revoke_key(&publisher.0, &key.0, staff.0.admin.id).await?;
        Ok(Found::new(PublisherView::from(&left)))
    }
}
