//! `/security/events` and `/keys`: the log of the plane, and what signs its tokens.

use poem_openapi::param::Query;
use poem_openapi::{Enum, Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::answer::{Found, cursor, cut, page_size};
use crate::http::errors::invalid_parameter;
use crate::http::input::Input;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::ids::PrincipalId;
use crate::platform::{Area, Event, EventsPage, Outcome, Platform, PlatformKey, Reach};

use super::Tag;

/// Tells what was done, and turns keys.
pub(in crate::http::platform) struct SecurityApi {
    /// The plane.
    pub platform: Platform,
}

/// How something ended.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "EventOutcome", rename_all = "snake_case")]
pub(in crate::http::platform) enum OutcomeView {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// It failed on our side.
    Failed,
}

/// What happened.
#[derive(Object)]
#[oai(rename = "PlatformEvent")]
pub(in crate::http::platform) struct EventView {
    /// Its id.
    id: String,
    /// When.
    at: String,
    /// Who, when that is known.
    admin_id: Option<String>,
    /// Their name then.
    admin_name: Option<String>,
    /// The operation, by its id in this document.
    action: String,
    /// What it was about.
    target: Option<String>,
    /// How it ended.
    outcome: OutcomeView,
    /// The code of the refusal.
    code: Option<String>,
    /// The request, as in `X-Request-Id`.
    request_id: String,
    /// Where it came from; `local socket`: a command of the operator's.
    address: String,
}

/// A page of events.
#[derive(Object)]
#[oai(rename = "PlatformEventList")]
pub(in crate::http::platform) struct EventList {
    /// The newest first.
    data: Vec<EventView>,
    /// Where the next page begins; null: this is the last.
    next_cursor: Option<String>,
}

/// How urgent it is.
#[derive(Object)]
#[oai(rename = "PlatformKeyRotation")]
pub(in crate::http::platform) struct RotationInput {
    /// Nothing that an earlier key signed is good any more. Else it is for as long as it would have been.
    emergency: Option<bool>,
}

/// A signing key.
#[derive(Object)]
#[oai(rename = "PlatformKey")]
pub(in crate::http::platform) struct KeyView {
    /// Its RFC 7638 name.
    kid: String,
    /// When it was made.
    created_at: String,
    /// Null: it signs. Else it only verifies, until then.
    verifies_until: Option<String>,
}

/// The keys that sign or verify.
#[derive(Object)]
#[oai(rename = "PlatformKeyList")]
pub(in crate::http::platform) struct KeyList {
    /// The newest first.
    data: Vec<KeyView>,
    /// Always null: there are few.
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/admin/v1", tag = "Tag::Security")]
impl SecurityApi {
    /// Read the log
    ///
    /// Everything that administrators did and every refused attempt to get in. Some roles see their own actions only.
    #[oai(path = "/security/events", method = "get", operation_id = "list_platform_events")]
    async fn events(
        &self,
        staff: Staff,
        /// 1 to 200, 50 unless asked for.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Of one administrator, by id.
        admin_id: Query<Option<String>>,
        /// Of one operation, such as `suspend_organization`.
        action: Query<Option<String>>,
        /// Those that ended so.
        outcome: Query<Option<OutcomeView>>,
    ) -> Result<Found<EventList>, Problem> {
        let own = staff.may(Area::Audit, "read")? == Reach::Own;
        let invalid = |_| invalid_parameter("admin_id", "is not an id");
        let asked = admin_id.0.map(|text| text.parse::<PrincipalId>().map_err(invalid)).transpose()?;
        let me = staff.0.admin.id;
        if own && asked.is_some_and(|asked| asked != me) {
            return Ok(Found::new(EventList { data: Vec::new(), next_cursor: None }));
        }
        let size = page_size(limit.0)?;
        let page = EventsPage {
            before: self::cursor(cursor.0.as_deref())?,
            admin: if own { Some(me) } else { asked },
            action: action.0,
            outcome: outcome.0.map(|outcome| match outcome {
                OutcomeView::Done => Outcome::Done,
                OutcomeView::Refused => Outcome::Refused,
                OutcomeView::Failed => Outcome::Failed,
            }),
            limit: size + 1,
        };
        let events = self.platform.events(&page).await?;
        let (events, next_cursor) = cut(events, size, |event| event.id.to_string());
        Ok(Found::new(EventList { data: events.into_iter().map(EventView::from).collect(), next_cursor }))
    }

    /// Rotate the signing key
    ///
    /// A new key signs the platform's access tokens from now on.
    #[oai(path = "/keys/rotate", method = "post", operation_id = "rotate_platform_keys")]
    async fn rotate(&self, staff: Staff, input: Input<RotationInput>) -> Result<Found<KeyList>, Problem> {
        staff.may(Area::Security, "write")?;
        let keys = self.platform.rotate_keys(input.0.emergency.unwrap_or(false)).await?;
        Ok(Found::new(KeyList { data: keys.into_iter().map(KeyView::from).collect(), next_cursor: None }))
    }
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            id: event.id.to_string(),
            at: rfc3339(event.at),
            admin_id: event.admin.map(|id| id.to_string()),
            admin_name: event.admin_name,
            action: event.action,
            target: event.target,
            outcome: match event.outcome {
                Outcome::Done => OutcomeView::Done,
                Outcome::Refused => OutcomeView::Refused,
                Outcome::Failed => OutcomeView::Failed,
            },
            code: event.code,
            request_id: event.request.to_string(),
            address: event.address,
        }
    }
}

impl From<PlatformKey> for KeyView {
    fn from(key: PlatformKey) -> Self {
        let verifies_until = key.verifies_until.map(rfc3339);
        Self { kid: key.kid, created_at: rfc3339(key.created_at), verifies_until }
    }
}
