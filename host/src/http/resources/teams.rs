//! `/teams`: who works together, and which team stands below which. A record belongs to a team, and roles may reach as
//! far as it, or as far as the teams below it.

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::{Access, id, missing};
use crate::http::answer::{Created, Done, Found, cursor, cut, expected_version, page_size};
use crate::http::input::Input;
use crate::http::problem::{Fault, Problem};
use crate::http::resources::Tag;
use crate::http::resources::people::{joined, owners_remain};
use crate::identity::{Identity, Team, TeamChange};
use crate::ids::{PrincipalId, TeamId};
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
    /// The id of the team it stands below; null: at the top.
    parent: Option<String>,
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

/// A new team.
#[derive(Object)]
#[oai(rename = "NewTeam")]
pub struct TeamInput {
    /// Unique without regard to letter case.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// The id of the team it stands below. There are at most 8 levels.
    parent: Option<String>,
}

/// What is to change; absent members stay as they are.
#[derive(Object)]
pub struct TeamPatch {
    /// Unique without regard to letter case.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: Option<String>,
    /// The id of the team it stands below, never one below itself; null: at the top.
    parent: MaybeUndefined<String>,
}

#[OpenApi(prefix_path = "/api/v1/teams", tag = "Tag::Teams")]
impl TeamsApi {
    /// List teams
    #[oai(path = "/", method = "get", operation_id = "list_teams")]
    async fn list(
        &self,
        access: Access,
        /// 1 to 200, 50 unless asked for.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
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
        let TeamInput { name, parent } = input.0;
        let parent = parent.as_deref().map(parent_id).transpose()?;
        let team = self.identity.create_team_below(&access.caller, &name, parent).await?;
        let location = access.link(&format!("/teams/{}", team.id));
        Ok(Created::new(TeamView::from(&team)).at(location).version(team.version))
    }

    /// Get a team
    #[oai(path = "/:id", method = "get", operation_id = "get_team")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<TeamView>, Problem> {
        let team = self.find(&access, &id.0)?;
        Ok(Found::new(TeamView::from(&team)).version(team.version))
    }

    /// Rename or move a team
    ///
    /// What stands below it moves with it.
    #[oai(path = "/:id", method = "patch", operation_id = "update_team")]
    async fn update(
        &self,
        access: Access,
        id: Path<String>,
        input: Input<TeamPatch>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<TeamView>, Problem> {
        let team = self.find(&access, &id.0)?;
        if !seen(&access, access.may(OBJECT, "update")?, &team) {
            return Err(Problem::forbidden("Your roles do not allow `update` on this team."));
        }
        let version = expected_version(if_match.0.as_deref())?;
        let change = input.0.checked(version)?;
        let team = self.identity.update_team(&access.caller, team.id, change).await?;
        Ok(Found::new(TeamView::from(&team)).version(team.version))
    }

    /// Put a person into a team
    ///
    /// As a further team: their primary team is changed with the person.
    #[oai(path = "/:id/members/:user", method = "put", operation_id = "add_team_member")]
    async fn add(&self, access: Access, id: Path<String>, user: Path<String>) -> Result<Done, Problem> {
        let (team, user) = self.member(&access, &id.0, &user.0)?;
        owners_remain(&self.identity, &access, user, |owner| Some(joined(owner, team)))?;
        self.identity.add_to_team(&access.caller, user, team).await?;
        Ok(Done)
    }

    /// Take a person out of a team
    #[oai(path = "/:id/members/:user", method = "delete", operation_id = "remove_team_member")]
    async fn remove(&self, access: Access, id: Path<String>, user: Path<String>) -> Result<Done, Problem> {
        let (team, user) = self.member(&access, &id.0, &user.0)?;
        self.identity.remove_from_team(&access.caller, user, team).await?;
        Ok(Done)
    }
}

/// A team that a body names.
fn parent_id(text: &str) -> Result<TeamId, Problem> {
    let unknown =
        |_| Problem::invalid(vec![Fault::new("/parent", "not_found", "There is no team with this id.")]);
    text.parse().map_err(unknown)
}

impl TeamPatch {
    fn checked(self, if_version: Option<i64>) -> Result<TeamChange, Problem> {
        let parent = match self.parent {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => Some(Some(parent_id(&text)?)),
        };
        Ok(TeamChange { if_version, name: self.name, parent })
    }
}

impl TeamsApi {
    fn find(&self, access: &Access, text: &str) -> Result<Team, Problem> {
        let scope = access.may(OBJECT, "read")?;
        let team = self.identity.team(access.organization().id, id(text, MISSING)?)?;
        if seen(access, scope, &team) { Ok(team) } else { Err(missing(MISSING)) }
    }
}

impl TeamsApi {
    /// Team and person, for whoever may change both: membership decides which records somebody reaches.
    fn member(&self, access: &Access, team: &str, user: &str) -> Result<(TeamId, PrincipalId), Problem> {
        let team = self.find(access, team)?;
        access.must(OBJECT, "update")?;
        access.must("host.user", "update")?;
        let user = self.identity.user(access.organization().id, id(user, "user_not_found")?)?;
        Ok((team.id, user.id))
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
            parent: team.parent.map(|id| id.to_string()),
            members: team.members,
        }
    }
}
