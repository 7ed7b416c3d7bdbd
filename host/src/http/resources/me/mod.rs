//! `/me`: who the token belongs to; `credentials.rs` has how they get in.

pub mod credentials;

use poem_openapi::{Object, OpenApi};

use crate::http::access::Access;
use crate::http::answer::Found;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::Identity;

pub use credentials::CredentialsApi;

/// Tells who asks.
pub struct MeApi {
    /// People and credentials.
    pub identity: Identity,
}

/// A team and its name.
#[derive(Object)]
pub struct TeamName {
    /// The team's id.
    id: String,
    /// Its name.
    name: String,
}

/// Whoever asks.
#[derive(Object)]
pub struct Me {
    /// The principal's id: the owner of what it creates.
    id: String,
    /// `user` or `api-key`.
    kind: String,
    /// The person's or the key's name.
    name: String,
    /// Names of the roles.
    roles: Vec<String>,
    /// The teams, the primary team first.
    teams: Vec<TeamName>,
    /// The slug of the organization.
    organization: String,
}

#[OpenApi(prefix_path = "/api/v1/me", tag = "Tag::Organization")]
impl MeApi {
    /// Who am I
    #[oai(path = "/", method = "get", operation_id = "get_me")]
    async fn get(&self, access: Access) -> Result<Found<Me>, Problem> {
        let principal = &access.caller.principal;
        let names = self.identity.team_names(access.organization().id, &principal.teams)?;
        let team = |id| TeamName {
            id: format!("{id}"),
            name: names.get(id).map_or_else(String::new, ToString::to_string),
        };
        Ok(Found::new(Me {
            id: principal.id.to_string(),
            kind: principal.kind.as_str().to_owned(),
            name: principal.name.to_string(),
            roles: principal.roles.iter().map(ToString::to_string).collect(),
            teams: principal.teams.iter().map(team).collect(),
            organization: access.organization().slug.to_string(),
        }))
    }
}
