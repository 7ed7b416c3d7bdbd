//! `/teams`: who works together. A record belongs to a team, and roles may reach as far as it.

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::{Access, id, missing};
use crate::http::answer::{Created, Found, cursor, cut, expected_version, page_size};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::{Identity, Team};
use crate::policy::RowScope;

const OBJECT: &str = "host.team";
const MISSING: &str = "team_not_found";

/// Lists, creates and renames teams.
pub struct TeamsApi {
    /// People and credentials.
    pub identity: Identity,
}

/// A team.
#[derive(Object)]
#[oai(rename = "Team")]
pub struct TeamView {
    /// Its id.
    id: String,
    /// Grows with every change; also the `ETag`.
    version: i64,
    /// When it was created.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
    /// Unique without regard to letter case.
    name: String,
    /// How many people are in it.
    members: i64,
}

/// A page of teams.
#[derive(Object)]
pub struct TeamList {
    /// In the order of their creation.
    data: Vec<TeamView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// A team's name.
#[derive(Object)]
pub struct TeamInput {
    /// Unique without regard to letter case.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
}

#[OpenApi(prefix_path = "/api/v1/teams", tag = "Tag::Teams")]
impl TeamsApi {
    /// List teams
    #[oai(path = "/", method = "get", operation_id = "list_teams")]
    async fn list(
        &self,
        access: Access,
        /// 1 to 200, 50 unless asked for.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<TeamList>, Problem> {
        let scope = access.may(OBJECT, "read")?;
        let (size, after) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let teams = self.identity.teams(access.organization().id, after, size + 1)?;
        let (teams, next_cursor) = cut(teams, size, |team| team.id.to_string());
        let seen = teams.iter().filter(|team| seen(&access, scope, team));
        Ok(Found::new(TeamList { data: seen.map(TeamView::from).collect(), next_cursor }))
    }

    /// Create a team
    #[oai(path = "/", method = "post", operation_id = "create_team")]
    async fn create(&self, access: Access, input: Input<TeamInput>) -> Result<Created<TeamView>, Problem> {
        access.must(OBJECT, "create")?;
        let team = self.identity.create_team(&access.caller, &input.0.name).await?;
        let location = access.link(&format!("/teams/{}", team.id));
        Ok(Created::new(TeamView::from(&team)).at(location).version(team.version))
    }

    /// Get a team
    #[oai(path = "/:id", method = "get", operation_id = "get_team")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<TeamView>, Problem> {
        let team = self.find(&access, &id.0)?;
        Ok(Found::new(TeamView::from(&team)).version(team.version))
    }

    /// Rename a team
    #[oai(path = "/:id", method = "patch", operation_id = "update_team")]
    async fn update(
        &self,
        access: Access,
        id: Path<String>,
        input: Input<TeamInput>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<TeamView>, Problem> {
        let team = self.find(&access, &id.0)?;
        if !seen(&access, access.may(OBJECT, "update")?, &team) {
            return Err(Problem::forbidden("Your roles do not allow `update` on this team."));
        }
        let version = expected_version(if_match.0.as_deref())?;
        let team = self.identity.rename_team(&access.caller, team.id, &input.0.name, version).await?;
        Ok(Found::new(TeamView::from(&team)).version(team.version))
    }
}

impl TeamsApi {
    fn find(&self, access: &Access, text: &str) -> Result<Team, Problem> {
        let scope = access.may(OBJECT, "read")?;
        let team = self.identity.team(access.organization().id, id(text, MISSING)?)?;
        if seen(access, scope, &team) { Ok(team) } else { Err(missing(MISSING)) }
    }
}

fn seen(access: &Access, scope: RowScope, team: &Team) -> bool {
    scope.permits(&access.caller.principal, None, team.id)
}

impl From<&Team> for TeamView {
    fn from(team: &Team) -> Self {
        Self {
            id: team.id.to_string(),
            version: team.version,
            created_at: rfc3339(team.created_at),
            updated_at: rfc3339(team.updated_at),
            name: team.name.clone(),
            members: team.members,
        }
    }
}
