//! `/sessions`: who is signed in. Everybody sees and ends their own.

use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::id;
use crate::http::answer::{Done, Found, cursor, cut, page_size};
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::platform::{Area, Platform, Session};

use super::Tag;

/// Lists and ends sessions.
pub(in crate::http::platform) struct SessionsApi {
    /// The plane.
    pub platform: Platform,
}

/// A signed-in browser or program.
#[derive(Object)]
#[oai(rename = "AdminSession")]
pub(in crate::http::platform) struct SessionView {
    /// Its id.
    id: String,
    /// Whose.
    admin_id: String,
    /// Whether it is the one that asks.
    current: bool,
    /// Whether a second factor was shown.
    second_factor: bool,
    /// Where it was begun.
    address: String,
    /// When.
    created_at: String,
    /// When it was last used, to the minute.
    last_seen_at: String,
    /// When it is over at the latest.
    expires_at: String,
}

/// A page of sessions.
#[derive(Object)]
#[oai(rename = "AdminSessionList")]
pub(in crate::http::platform) struct SessionList {
    /// In the order of their beginning.
    data: Vec<SessionView>,
    /// Where the next page begins; null: this is the last.
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/admin/v1/sessions", tag = "Tag::Sessions")]
impl SessionsApi {
    /// List sessions that are going on
    ///
    /// Everybody's for those who may read security, else one's own.
    #[oai(path = "/", method = "get", operation_id = "list_administrator_sessions")]
    async fn list(
        &self,
        staff: Staff,
        /// 1 to 200, 50 unless asked for.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<SessionList>, Problem> {
        let of = staff.may(Area::Security, "read").is_err().then_some(staff.0.admin.id);
        let (size, after) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let sessions = self.platform.sessions(of, after, size + 1).await?;
        let (sessions, next_cursor) = cut(sessions, size, |session| session.id.to_string());
        let data = sessions.iter().map(|session| view(session, &staff)).collect();
        Ok(Found::new(SessionList { data, next_cursor }))
    }

    /// End a session
    ///
    /// One's own; another's takes the right to change security and every right that they have.
    #[oai(path = "/:id", method = "delete", operation_id = "end_administrator_session")]
    async fn end(&self, staff: Staff, id: Path<String>) -> Result<Done, Problem> {
        let others = staff.may(Area::Security, "write").is_ok();
        self.platform.end_session(&staff.0, self::id(&id.0, "session_not_found")?, others).await?;
        Ok(Done)
    }
}

fn view(session: &Session, staff: &Staff) -> SessionView {
    SessionView {
        id: session.id.to_string(),
        admin_id: session.admin.to_string(),
        current: session.id == staff.0.session,
        second_factor: session.strong,
        address: session.address.clone(),
        created_at: rfc3339(session.created_at),
        last_seen_at: rfc3339(session.last_seen_at),
        expires_at: rfc3339(session.expires_at),
    }
}
