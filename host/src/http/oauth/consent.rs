//! `/oauth/consent/{request}`: what the consent page asks the person, and tells. JSON, with the cookie of their session.

use std::sync::Arc;

use poem::http::{HeaderMap, StatusCode};
use poem::{Request, Response};
use serde_json::{Value, json};

use super::{OAuth, answer, person};
use crate::clock::{UnixMillis, rfc3339};
use crate::http::body;
use crate::http::input;
use crate::http::problem::{Fault, Problem};
use crate::identity::{Lasting, SignedIn};
use crate::organizations::Organization;

impl OAuth {
    /// What is asked.
    pub(super) async fn consent_question(
        &self,
        request: Request,
        organization: &Arc<Organization>,
        name: &str,
    ) -> Result<Response, Problem> {
        let person = self.person(request.headers(), organization).await?;
        let question = self.identity.consent_question(organization, name, &person)?;
        let scopes: Vec<_> = question
            .scopes
            .iter()
            .map(|scope| json!({ "scope": scope, "description": in_words(scope) }))
            .collect();
        Ok(answer::json(
            200,
            &json!({
                "client": { "id": question.client.id, "name": question.client.name },
                "redirect_uri": question.redirect_uri,
                "scopes": scopes,
                "lasts": {
                    "seconds": question.lasts.longest / 1_000,
                    "unused_seconds": question.lasts.unused.map(|unused| unused / 1_000),
                    "description": lasts(question.lasts),
                },
                "user": { "id": person.user, "name": question.user_name },
                "expires_at": rfc3339(question.expires_at),
            }),
        ))
    }

    /// What the person said: `{"allow": true}` or `{"allow": false}`. The page then goes to `next`.
    pub(super) async fn answer_consent(
        &self,
        mut request: Request,
        organization: &Arc<Organization>,
    ) -> Result<Response, Problem> {
        person::same_site(request.headers())?;
        let person = self.person(request.headers(), organization).await?;
        if !body::is_json(request.content_type()) {
            return Err(body::unsupported("Send JSON: `Content-Type: application/json`."));
        }
        let members = input::object(&body::read(request.take_body()).await?)?;
        let allow = match members.get("allow") {
            Some(Value::Bool(allow)) if members.len() == 1 => *allow,
            _ => {
                let fault =
                    Fault::new("/allow", "required", "Send `allow`, true or false, and nothing else.");
                return Err(Problem::invalid(vec![fault]));
            }
        };
        let path = request.uri().path().to_owned();
        let name = path.strip_prefix("/oauth/consent/").unwrap_or_default();
        self.identity.answer_consent(organization, name, &person, allow).await?;
        let next = format!("{}/oauth/authorize?request={name}", self.identity.issuer(organization));
        Ok(answer::json(200, &json!({ "next": next })))
    }

    async fn person(
        &self,
        headers: &HeaderMap,
        organization: &Arc<Organization>,
    ) -> Result<SignedIn, Problem> {
        let person = person::signed_in(&self.identity, organization, headers).await?;
        let detail = "Nobody is signed in with this browser.";
        person.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "not_signed_in", detail))
    }
}

/// How long a client may do it, for people.
fn lasts(lasting: Lasting) -> String {
    let longest = span(lasting.longest);
    match lasting.unused {
        Some(unused) => format!(
            "For {longest} at most, also when you are signed out; it ends sooner when it is not used for {}.",
            span(unused)
        ),
        None => format!("For {longest} each time you sign in; it ends sooner when you sign out."),
    }
}

/// A length of time, for people.
fn span(milliseconds: UnixMillis) -> String {
    let minutes = milliseconds / 60_000;
    match (minutes / 1_440, minutes / 60) {
        (days @ 2.., _) => format!("{days} days"),
        (_, hours @ 2..) => format!("{hours} hours"),
        _ => format!("{minutes} minutes"),
    }
}

/// What a scope allows, for people.
fn in_words(scope: &str) -> String {
    match scope {
        "openid" => "Know who you are".to_owned(),
        "profile" => "Know your name".to_owned(),
        "email" => "Know your e-mail address".to_owned(),
        "offline_access" => "Act for you while you are away".to_owned(),
        "read" => "Read everything that you may read".to_owned(),
        scope => match scope.split_once(':') {
            Some((object, "*")) => format!("Do with {object} whatever you may do with it"),
            Some((object, action)) => format!("Do `{action}` with {object}, where you may"),
            None => scope.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_for_how_long_in_words() {
        const HOUR: UnixMillis = 3_600_000;
        for (longest, unused, expected) in [
            (
                90 * 24 * HOUR,
                Some(30 * 24 * HOUR),
                "For 90 days at most, also when you are signed out; it ends sooner when it is not used for 30 days.",
            ),
            (
                24 * HOUR,
                Some(8 * HOUR),
                "For 24 hours at most, also when you are signed out; it ends sooner when it is not used for 8 hours.",
            ),
            (HOUR / 6, None, "For 10 minutes each time you sign in; it ends sooner when you sign out."),
        ] {
            assert_eq!(lasts(Lasting { longest, unused }), expected);
        }
    }
}
