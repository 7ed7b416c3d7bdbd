//! `/sign-ins` and `/me/sign-ins`: what happened at the organization's door. `/organization/sign-in`: of whom a second
//! factor is demanded there.

use jiff::Timestamp;
use poem_openapi::param::Query;
use poem_openapi::{Enum, Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::Access;
use crate::http::answer::{Found, cursor, cut, page_size};
use crate::http::errors::invalid_parameter;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::{Demand, EventKind, Identity, SignIn, SignInFilter};

const OBJECT: &str = "host.session";

/// Tells what happened, and says who needs a second factor.
pub struct SignInsApi {
    /// People and credentials.
    pub identity: Identity,
}

/// Something that happened at the door.
#[derive(Object)]
#[oai(rename = "SignIn")]
pub struct SignInView {
    /// Its number; later ones are higher.
    id: String,
    /// When.
    at: String,
    /// What: `sign_in`, `throttled`, `spraying`, `password_set`, `password_changed`, `reset_requested`, `password_reset`,
    /// `email_changed`, `email_restored`, `factor_added`, `factor_removed`, `recovery_codes_made`, `recovery_used`,
    /// `session_ended`, `sessions_ended`, `key_made`, `key_first_used`, `key_revoked`, `rules_changed`.
    kind: String,
    /// Whether it was refused.
    failed: bool,
    /// Why, such as `wrong_password`, `unknown_person`, `disabled`, `wrong_code`; null when it was not.
    cause: Option<String>,
    /// The person whose way in it is; null: of nobody known.
    user: Option<String>,
    /// Instead, for an address that nobody has: a keyed hash of it, the same for the same address.
    stranger: Option<String>,
    /// Where from: a prefix of an address.
    network: Option<String>,
    /// What the browser or app calls itself.
    device: Option<String>,
    /// Who did it, when it was somebody else.
    by: Option<String>,
    /// How (`pwd otp`), or the id of the session or key.
    about: Option<String>,
}

/// A page of them.
#[derive(Object)]
pub struct SignInList {
    /// The newest first.
    data: Vec<SignInView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// Of whom a second factor is demanded.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "SecondFactorDemand", rename_all = "snake_case")]
pub enum DemandView {
    /// Whoever has one is asked for it; nobody has to have one.
    Nobody,
    /// Of owners, and of whoever has a role of the organization's own.
    Administrators,
    /// Of everybody.
    Everybody,
}

/// What the organization asks of those who sign in.
#[derive(Object)]
#[oai(rename = "SignInRules")]
pub struct RulesView {
    /// Of whom a second factor is demanded.
    second_factor: DemandView,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Security")]
impl SignInsApi {
    /// What happened at the door
    ///
    /// Kept for 180 days; of failures, the newest 100,000.
    #[oai(path = "/sign-ins", method = "get", operation_id = "list_sign_ins")]
    async fn list(
        &self,
        access: Access,
        /// 1 to 200, 50 unless asked for.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Of this person only.
        user: Query<Option<String>>,
        /// Of this kind only.
        kind: Query<Option<String>>,
        /// From this instant on, RFC 3339.
        since: Query<Option<String>>,
    ) -> Result<Found<SignInList>, Problem> {
        access.must(OBJECT, "read")?;
        let unknown = |_| invalid_parameter("user", "is the id of a person");
        let user = user.0.as_deref().map(|text| text.parse().map_err(unknown)).transpose()?;
        let unknown = || invalid_parameter("kind", "is one of those that the document names");
        let kind = kind.0.map(|word| EventKind::parse(&word).ok_or_else(unknown)).transpose()?;
        let unknown = |_| invalid_parameter("since", "is an instant such as `2027-01-31T00:00:00Z`");
        let since = since.0.map(|text| text.parse::<Timestamp>().map_err(unknown)).transpose()?;
        let since = since.map(Timestamp::as_millisecond);
        let filter = SignInFilter { user, kind, since };
        self.page(&access, &filter, limit.0, cursor.0.as_deref())
    }

    /// What happened at my door
    #[oai(path = "/me/sign-ins", method = "get", operation_id = "list_my_sign_ins")]
    async fn mine(
        &self,
        access: Access,
        /// 1 to 200, 50 unless asked for.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<SignInList>, Problem> {
        access.oneself()?;
        let filter = SignInFilter { user: Some(access.caller.principal.id), ..SignInFilter::default() };
        self.page(&access, &filter, limit.0, cursor.0.as_deref())
    }

    /// What is asked of those who sign in
    #[oai(path = "/organization/sign-in", method = "get", operation_id = "get_sign_in_rules")]
    async fn rules(&self, access: Access) -> Result<Found<RulesView>, Problem> {
        access.must("host.organization", "read")?;
        let second_factor = self.identity.demand(access.organization().id)?.into();
        Ok(Found::new(RulesView { second_factor }))
    }

    /// Demand a second factor
    ///
    /// Whoever must have one and has none is signed out everywhere, you as well, and adds one when they sign in again.
    #[oai(path = "/organization/sign-in", method = "patch", operation_id = "set_sign_in_rules")]
    async fn set_rules(&self, access: Access, input: Input<RulesView>) -> Result<Found<RulesView>, Problem> {
        access.must("host.organization", "update")?;
        self.identity.set_demand(&access.caller, input.0.second_factor.into()).await?;
        Ok(Found::new(input.0))
    }
}

impl SignInsApi {
    fn page(
        &self,
        access: &Access,
        filter: &SignInFilter,
        limit: Option<u32>,
        from: Option<&str>,
    ) -> Result<Found<SignInList>, Problem> {
        let (size, before) = (page_size(limit)?, cursor::<i64>(from)?);
        let events = self.identity.sign_ins(access.organization().id, filter, before, size + 1)?;
        let (events, next_cursor) = cut(events, size, |event| event.seq.to_string());
        Ok(Found::new(SignInList { data: events.into_iter().map(SignInView::from).collect(), next_cursor }))
    }
}

impl From<SignIn> for SignInView {
    fn from(event: SignIn) -> Self {
        let hex = |bytes: Vec<u8>| bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self {
            id: event.seq.to_string(),
            at: rfc3339(event.at),
            kind: event.kind,
            failed: event.cause.is_some(),
            cause: event.cause,
            user: event.user.map(|id| id.to_string()),
            stranger: event.stranger.map(hex),
            network: event.network,
            device: event.device,
            by: event.by.map(|id| id.to_string()),
            about: event.about,
        }
    }
}

impl From<Demand> for DemandView {
    fn from(demand: Demand) -> Self {
        match demand {
            Demand::Nobody => Self::Nobody,
            Demand::Administrators => Self::Administrators,
            Demand::Everybody => Self::Everybody,
        }
    }
}

impl From<DemandView> for Demand {
    fn from(demand: DemandView) -> Self {
        match demand {
            DemandView::Nobody => Self::Nobody,
            DemandView::Administrators => Self::Administrators,
            DemandView::Everybody => Self::Everybody,
        }
    }
}
