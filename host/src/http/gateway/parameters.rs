//! Query strings and headers of the gateway: what addresses of records take. What is unknown or stands twice is
//! refused.

use poem::Request;
use poem::http::header;

use super::problem;
use crate::http::problem::Problem;
use crate::records::list::View;
use crate::records::schema::Entity;
use crate::records::{RecordError, Scope};

/// Longest query string.
const LENGTH: usize = 8_192;

/// The parameters in order, none twice.
pub(super) fn pairs(request: &Request) -> Result<Vec<(String, String)>, Problem> {
    let Some(query) = request.uri().query().filter(|query| !query.is_empty()) else {
        return Ok(Vec::new());
    };
    if query.len() > LENGTH {
        return Err(Problem::malformed(
            "query_too_long",
            format!("The query string has more than {LENGTH} bytes."),
        ));
    }
    let unreadable = || {
        Problem::malformed(
            "invalid_query",
            "The query string cannot be read; percent-encode what is not plain text.",
        )
    };
    let pairs: Vec<(String, String)> = request.params().map_err(|_| unreadable())?;
    for (at, (name, _)) in pairs.iter().enumerate() {
        if pairs.iter().take(at).any(|(before, _)| before == name) {
            let shown: String = name.chars().filter(|sign| !sign.is_control()).take(64).collect();
            return Err(Problem::malformed(
                "duplicate_parameter",
                format!("The parameter `{shown}` stands twice; send it once."),
            ));
        }
    }
    Ok(pairs)
}

/// How one record is to be shown.
pub(super) fn view(scope: &Scope, entity: &Entity, request: &Request) -> Result<View, Problem> {
    let (mut fields, mut expand) = (None, None);
    for (name, value) in pairs(request)? {
        match name.as_str() {
            "fields" => fields = Some(value),
            "expand" => expand = Some(value),
            _ => return Err(unknown(&name)),
        }
    }
    View::within(scope, entity, fields.as_deref(), expand.as_deref()).map_err(problem)
}

/// Whether a mutation is only to be tried; no other parameter is taken.
pub(super) fn dry_run(request: &Request) -> Result<bool, Problem> {
    let mut dry = false;
    for (name, value) in pairs(request)? {
        dry = match (name.as_str(), value.as_str()) {
            ("dry_run", "true") => true,
            ("dry_run", "false") => false,
            ("dry_run", _) => {
                return Err(Problem::malformed("invalid_dry_run", "`dry_run` is true or false."));
            }
            _ => return Err(unknown(&name)),
        };
    }
    Ok(dry)
}

pub(super) fn unknown(name: &str) -> Problem {
    let shown: String = name.chars().filter(|sign| !sign.is_control()).take(64).collect();
    problem(RecordError::bad("unknown_parameter", format!("`{shown}` is not a parameter of this address")))
}

/// The version in `If-Match`; `*` and no header ask for none.
pub(super) fn if_match(request: &Request) -> Result<Option<u64>, Problem> {
    let mut values = request.headers().get_all(header::IF_MATCH).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if request.headers().contains_key(header::IF_MATCH) {
            Err(invalid_if_match())
        } else {
            Ok(None)
        };
    };
    let text = value.to_str().map_err(|_| invalid_if_match())?.trim();
    if text == "*" {
        return Ok(None);
    }
    let version =
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(invalid_if_match)
}

fn invalid_if_match() -> Problem {
    Problem::malformed("invalid_if_match", "If-Match is one version in quotes, as in the ETag: \"3\".")
}
