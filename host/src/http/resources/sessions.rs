//! `/sessions`: where people are signed in, for those who administer them. One's own are among `/me/sessions`.

use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::{Access, id};
use crate::http::answer::{Done, Found};
use crate::http::errors::invalid_parameter;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::{Identity, Session};
use crate::ids::PrincipalId;

const OBJECT: &str = "host.session";
const MISSING: &str = "session_not_found";

/// Lists and ends sessions of people.
pub struct SessionsApi {
    /// People and credentials.
    pub identity: Identity,
}

/// Where a person is signed in.
#[derive(Object)]
#[oai(rename = "UserSession")]
pub struct UserSessionView {
    /// Its id; nobody gets in with that.
    id: String,
    /// Whose it is.
    user: String,
    /// Since when.
    created_at: String,
    /// When it was last used, to the minute.
    last_seen: String,
    /// When the person last proved who they are.
    auth_time: String,
    /// How, such as `pwd` and `otp`.
    methods: Vec<String>,
    /// What the browser or app calls itself.
    device: String,
    /// From which network.
    network: String,
}

/// The live sessions of a person.
#[derive(Object)]
pub struct UserSessionList {
    /// The newest first.
    data: Vec<UserSessionView>,
    /// Always null: a person has few sessions.
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/v1/sessions", tag = "Tag::Users")]
impl SessionsApi {
    /// List a person's sessions
    #[oai(path = "/", method = "get", operation_id = "list_user_sessions")]
    async fn list(
        &self,
        access: Access,
        /// Whose.
        user: Query<String>,
    ) -> Result<Found<UserSessionList>, Problem> {
        access.must(OBJECT, "read")?;
        let user = self.user(&access, &user.0)?;
        let sessions = self.identity.sessions_of(access.organization().id, user)?;
        let data = sessions.iter().map(UserSessionView::from).collect();
        Ok(Found::new(UserSessionList { data, next_cursor: None }))
    }

    /// End a person's sessions
    ///
    /// All of them, and every access token of theirs. Their password stays.
    #[oai(path = "/", method = "delete", operation_id = "end_user_sessions")]
    async fn end_all(
        &self,
        access: Access,
        /// Whose.
        user: Query<String>,
    ) -> Result<Done, Problem> {
        access.must(OBJECT, "delete")?;
        let user = self.user(&access, &user.0)?;
        self.identity.end_tokens(&access.caller, user).await?;
        Ok(Done)
    }

    /// End a session
    #[oai(path = "/:id", method = "delete", operation_id = "end_user_session")]
    async fn end(&self, access: Access, id: Path<String>) -> Result<Done, Problem> {
        access.must(OBJECT, "delete")?;
        self.identity.end_session(&access.caller, self::id(&id.0, MISSING)?).await?;
        Ok(Done)
    }
}

impl SessionsApi {
    fn user(&self, access: &Access, text: &str) -> Result<PrincipalId, Problem> {
        let id = text.parse().map_err(|_| invalid_parameter("user", "is the id of a person"))?;
        Ok(self.identity.user(access.organization().id, id)?.id)
    }
}

impl From<&Session> for UserSessionView {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.to_string(),
            user: session.user.to_string(),
            created_at: rfc3339(session.created_at),
            last_seen: rfc3339(session.last_seen),
            auth_time: rfc3339(session.auth_time),
            methods: session.amr(),
            device: session.device.clone(),
            network: session.network.clone(),
        }
    }
}
