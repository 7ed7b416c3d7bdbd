//! `/me/consents`: what the person has allowed clients, and how they take it back.

use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::{Access, id};
use crate::http::answer::{Done, Found};
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::Identity;

/// Lists and revokes consents.
pub struct ConsentsApi {
    /// People and credentials.
    pub identity: Identity,
}

/// What was allowed to a client.
#[derive(Object)]
#[oai(rename = "Consent")]
pub struct ConsentView {
    /// The client's id.
    client: String,
    /// Its name.
    client_name: String,
    /// What it was allowed.
    scopes: Vec<String>,
    /// When, first.
    created_at: String,
    /// When, last.
    updated_at: String,
}

/// All of them.
#[derive(Object)]
pub struct ConsentList {
    /// By client.
    data: Vec<ConsentView>,
    /// Always null: a person allows few clients.
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/v1/me/consents", tag = "Tag::Clients")]
impl ConsentsApi {
    /// List what I have allowed
    #[oai(path = "/", method = "get", operation_id = "list_my_consents")]
    async fn list(&self, access: Access) -> Result<Found<ConsentList>, Problem> {
        access.oneself()?;
        let (organization, user) = (access.organization().id, access.caller.principal.id);
        let consents = self.identity.consents(organization, user)?.into_iter();
        let data = consents.map(|consent| ConsentView {
            client: consent.client.to_string(),
            client_name: consent.client_name,
            scopes: consent.scopes,
            created_at: rfc3339(consent.created_at),
            updated_at: rfc3339(consent.updated_at),
        });
        Ok(Found::new(ConsentList { data: data.collect(), next_cursor: None }))
    }

    /// Take a consent back
    ///
    /// Every token that the client got from you ends at once.
    #[oai(path = "/:client", method = "delete", operation_id = "revoke_my_consent")]
    async fn revoke(&self, access: Access, client: Path<String>) -> Result<Done, Problem> {
        access.oneself()?;
        let client = id(&client.0, "client_not_found")?;
        self.identity.revoke_consent(&access.caller, client).await?;
        Ok(Done)
    }
}
