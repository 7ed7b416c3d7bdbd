//! Answers with more than a body: the status, where the new thing is, which version it has. And pages of lists.

use poem::http::header;
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};

use crate::http::errors::invalid_parameter;
use crate::http::problem::Problem;

/// A body with `Location` and `ETag`, where it has them.
pub struct Answer<T, const STATUS: u16> {
    body: T,
    location: Option<String>,
    version: Option<i64>,
}

/// 200.
pub type Found<T> = Answer<T, 200>;
/// 201.
pub type Created<T> = Answer<T, 201>;
/// 202.
pub type Accepted<T> = Answer<T, 202>;

impl<T, const STATUS: u16> Answer<T, STATUS> {
    /// With this body.
    #[must_use]
    pub fn new(body: T) -> Self {
        Self { body, location: None, version: None }
    }

    /// With `Location`.
    #[must_use]
    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// With `ETag`.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }
}

impl<T: ToJSON, const STATUS: u16> IntoResponse for Answer<T, STATUS> {
    fn into_response(self) -> Response {
        let body = self.body.to_json().unwrap_or_default().to_string();
        let status = poem::http::StatusCode::from_u16(STATUS).unwrap_or_default();
        let mut response =
            Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
        if let Some(location) = self.location {
            response = response.header(header::LOCATION, location);
        }
        if let Some(version) = self.version {
            response = response.header(header::ETAG, format!("\"{version}\""));
        }
        response.body(body)
    }
}

impl<T: Type + ToJSON, const STATUS: u16> ApiResponse for Answer<T, STATUS> {
    fn meta() -> MetaResponses {
        let json = MetaMediaType { content_type: "application/json", schema: T::schema_ref() };
        let header = |name: &str, text: &str| MetaHeader {
            name: name.to_owned(),
            description: Some(text.to_owned()),
            required: false,
            deprecated: false,
            schema: String::schema_ref(),
        };
        let headers = match STATUS {
            200 => vec![header("ETag", "The version, for `If-Match`.")],
            _ => vec![header("Location", "Where it is."), header("ETag", "The version, for `If-Match`.")],
        };
        let description = match STATUS {
            201 => "Created.",
            202 => "Accepted: the work goes on.",
            _ => "Done.",
        };
        let response = MetaResponse {
            description,
            status: Some(STATUS),
            status_range: None,
            content: vec![json],
            headers,
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 204.
pub struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        poem::http::StatusCode::NO_CONTENT.into_response()
    }
}

impl ApiResponse for Done {
    fn meta() -> MetaResponses {
        let response = MetaResponse {
            description: "Done; there is nothing to say.",
            status: Some(204),
            status_range: None,
            content: Vec::new(),
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}

/// The version in `If-Match`, when the header is there; `*` is any.
///
/// # Errors
/// 400.
pub fn expected_version(if_match: Option<&str>) -> Result<Option<i64>, Problem> {
    let Some(text) = if_match.map(str::trim).filter(|text| *text != "*") else {
        return Ok(None);
    };
    let version =
        text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|text| text.parse().ok());
    let detail = "`If-Match` is the ETag of the version you know, such as `\"3\"`.";
    version.map(Some).ok_or_else(|| Problem::malformed("invalid_if_match", detail))
}

/// The number of items on a page: 50 unless asked for, 1 to 200.
///
/// # Errors
/// 400.
pub fn page_size(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(50) {
        limit @ 1..=200 => Ok(limit),
        _ => Err(invalid_parameter("limit", "is 1 to 200")),
    }
}

/// The place to go on from.
///
/// # Errors
/// 400 for a cursor that was not given out.
pub fn cursor<T: std::str::FromStr>(cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let refused = |_| Problem::malformed("invalid_cursor", "The cursor is not one that was given out.");
    cursor.map(|text| text.parse().map_err(refused)).transpose()
}

/// Cuts `items`, one more than a page, to the page, and says where the next one begins.
#[must_use]
pub fn cut<T>(mut items: Vec<T>, size: u32, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let size = size as usize;
    if items.len() <= size {
        return (items, None);
    }
    items.truncate(size);
    let next = items.last().map(id);
    (items, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_where_and_which_version() {
        let response = Created::new("x".to_owned()).at("/t/a/x".to_owned()).version(3).into_response();
        assert_eq!(response.status().as_u16(), 201);
        assert_eq!((response.header("location"), response.header("etag")), (Some("/t/a/x"), Some("\"3\"")));
    }

    #[test]
    fn if_match_is_an_etag_or_any() {
        assert_eq!(expected_version(None).unwrap(), None);
        assert_eq!(expected_version(Some("*")).unwrap(), None);
        assert_eq!(expected_version(Some("\"7\"")).unwrap(), Some(7));
        for bad in ["7", "W/\"7\"", "\"\"", "\"1\", \"2\"", "\"x\""] {
            assert_eq!(expected_version(Some(bad)).unwrap_err().code, "invalid_if_match", "{bad}");
        }
    }

    #[test]
    fn a_page_has_a_size_and_a_next() {
        assert_eq!(page_size(None).unwrap(), 50);
        assert!(page_size(Some(0)).is_err() && page_size(Some(201)).is_err());
        assert_eq!(cut(vec![1, 2, 3], 2, ToString::to_string), (vec![1, 2], Some("2".to_owned())));
        assert_eq!(cut(vec![1, 2], 2, ToString::to_string), (vec![1, 2], None));
    }
}
