//! `/organization/limits` and `/organization/origins`: how much may be asked for here and what is left, and which pages of
//! others may ask in a browser.

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde_json::{Map, Value};

use crate::http::access::Access;
use crate::http::answer::Found;
use crate::http::cors::Origin;
use crate::http::input::Input;
use crate::http::problem::{Fault, Problem};
use crate::http::rates::Meter;
use crate::http::resources::Tag;
use crate::http::terms::{LIMITS, ORIGINS};
use crate::settings::{HOST, Settings, SettingsError};

const OBJECT: &str = "host.organization";

/// The most origins of one organization.
const MOST_ORIGINS: usize = 50;

/// Tells and tightens limits.
pub struct LimitsApi {
    /// Where the organization's own are kept.
    pub settings: Settings,
}

/// One limit, and what is left of it.
#[derive(Object)]
#[oai(rename = "Limit")]
pub struct LimitView {
    /// Whose: `principal` (you), `organization`, `heavy` (reports, searches, exports, merges) or `jobs` (work that is begun).
    name: String,
    /// Requests that come back each second.
    per_second: u32,
    /// Requests that there can be at once.
    burst: u32,
    /// Requests that are left.
    remaining: u32,
    /// Seconds until all are back.
    reset_seconds: u32,
}

/// The limits.
#[derive(Object)]
pub struct LimitList {
    /// Where you draw from: `interactive` for people, `integration` for keys and service accounts.
    pool: String,
    /// Each of them.
    limits: Vec<LimitView>,
    /// Requests of the organization that may be served at the same time; keys and service accounts get three quarters.
    at_once: u32,
    /// Requests of the organization that are being served, this one included.
    in_flight: u32,
}

/// What the organization allows itself. Only less than the operator allows has an effect; null is the operator's.
#[derive(Object)]
pub struct LimitsInput {
    /// Requests per second of each person.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000000")))]
    person: Option<u32>,
    /// Requests per second of each key and service account.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000000")))]
    program: Option<u32>,
    /// Requests per second of all people, and of all programs.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000000")))]
    organization: Option<u32>,
    /// Reports, searches, exports and merges per second.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000000")))]
    heavy: Option<u32>,
    /// Imports and other long work begun per second.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000000")))]
    jobs: Option<u32>,
    /// Requests that are served at the same time.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000000")))]
    at_once: Option<u32>,
}

/// Web pages of others that may ask in a browser.
#[derive(Object)]
pub struct Origins {
    /// Scheme, host and port of each, such as `https://app.example.com`; nothing else, no wildcards.
    #[oai(validator(max_items = 50))]
    origins: Vec<String>,
}

#[OpenApi(prefix_path = "/api/v1/organization", tag = "Tag::Organization")]
impl LimitsApi {
    /// Limits and what is left
    ///
    /// A request costs 1; a report, search, export or merge 10; each row of many changes 0.1 more. Looking costs a tenth of a
    /// request of each limit.
    #[oai(path = "/limits", method = "get", operation_id = "get_limits")]
    async fn limits(&self, _access: Access, meter: Data<&Meter>) -> Result<Found<LimitList>, Problem> {
        let view =
            |(name, rate, left): (&str, crate::http::terms::Rate, crate::http::rates::Left)| LimitView {
                name: name.to_owned(),
                per_second: rate.per_second,
                burst: rate.burst,
                remaining: left.remaining,
                reset_seconds: left.reset,
            };
        let (in_flight, at_once) = meter.at_once();
        Ok(Found::new(LimitList {
            pool: meter.pool.as_str().to_owned(),
            limits: meter.left().into_iter().map(view).collect(),
            at_once,
            in_flight,
        }))
    }

    /// Tighten the limits
    ///
    /// Replaces what the organization set for itself. It holds from the next request on.
    #[oai(path = "/limits", method = "put", operation_id = "set_limits")]
    async fn set_limits(
        &self,
        access: Access,
        input: Input<LimitsInput>,
    ) -> Result<Found<LimitsInput>, Problem> {
        access.must(OBJECT, "update")?;
        let wanted = [
            ("person", input.0.person),
            ("program", input.0.program),
            ("organization", input.0.organization),
            ("heavy", input.0.heavy),
            ("jobs", input.0.jobs),
            ("at_once", input.0.at_once),
        ];
        let wrong = wanted.iter().filter(|(_, value)| value.is_some_and(|n| !(1..=10_000_000).contains(&n)));
        let faults: Vec<_> = wrong
            .map(|(name, _)| Fault::new(format!("/{name}"), "out_of_range", "A limit is 1 to 10000000."))
            .collect();
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        let values: Map<String, Value> =
            wanted.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?.into()))).collect();
        self.keep(&access, LIMITS, &Value::Object(values)).await?;
        Ok(Found::new(input.0))
    }

    /// Origins whose pages may ask
    #[oai(path = "/origins", method = "get", operation_id = "get_origins")]
    async fn origins(&self, access: Access) -> Result<Found<Origins>, Problem> {
        access.must(OBJECT, "read")?;
        let held = self.settings.held(access.organization().id).await.map_err(|error| failed(&error))?;
        let origins = held.get(ORIGINS).and_then(|text| serde_json::from_str(text).ok());
        Ok(Found::new(Origins { origins: origins.unwrap_or_default() }))
    }

    /// Replace the origins whose pages may ask
    ///
    /// A page of another origin can send a bearer token only when its origin is listed here. It never gets cookies.
    #[oai(path = "/origins", method = "put", operation_id = "set_origins")]
    async fn set_origins(&self, access: Access, input: Input<Origins>) -> Result<Found<Origins>, Problem> {
        access.must(OBJECT, "update")?;
        let given = &input.0.origins;
        let parsed: Vec<_> = given.iter().map(|text| Origin::parse(text.as_bytes())).collect();
        let wrong = parsed.iter().enumerate().filter(|(_, origin)| origin.is_none());
        let detail = "An origin is a scheme, a host and perhaps a port, such as https://app.example.com.";
        let mut faults: Vec<_> =
            wrong.map(|(at, _)| Fault::new(format!("/origins/{at}"), "invalid_origin", detail)).collect();
        if given.len() > MOST_ORIGINS {
            faults.push(Fault::new("/origins", "too_many", format!("At most {MOST_ORIGINS} origins.")));
        }
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        let origins: Vec<String> =
            parsed.into_iter().flatten().map(|origin| origin.as_str().to_owned()).collect();
        self.keep(&access, ORIGINS, &Value::from(origins.clone())).await?;
        Ok(Found::new(Origins { origins }))
    }
}

impl LimitsApi {
    async fn keep(&self, access: &Access, key: &str, value: &Value) -> Result<(), Problem> {
        let kept = self.settings.set(access.organization().id, HOST, key, &value.to_string()).await;
        kept.map_err(|error| failed(&error))
    }
}

fn failed(error: &SettingsError) -> Problem {
    Problem::internal(error)
}
