//! Parameters of queries and forms: no name twice, and a client's proof of who it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::Request;
use poem::http::{HeaderMap, Method, header};
use url::form_urlencoded;

use crate::http::body;
use crate::identity::{ClientAuth, ClientProof, OAuthError};

/// The longest query that is looked at.
const LONGEST: usize = 16 * 1_024;

/// The most bytes of a form.
const FORM: usize = 64 * 1_024;

/// The only kind of assertion.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const TWICE: OAuthError = OAuthError::InvalidRequest("A parameter stands twice.");
const UNREADABLE: OAuthError =
    OAuthError::InvalidRequest("Send a form: Content-Type: application/x-www-form-urlencoded.");

/// Parameters, no name twice.
#[derive(Debug)]
pub(super) struct Parameters(pub(super) Vec<(String, String)>);

impl Parameters {
    /// Those of the query for GET, of the form for POST. A POST with a query is refused: which of both counts?
    pub(super) async fn of(request: &mut Request) -> Result<Self, OAuthError> {
        let query = request.uri().query().unwrap_or_default();
        if *request.method() != Method::POST {
            if query.len() > LONGEST {
                return Err(OAuthError::InvalidRequest("The query is too long."));
            }
            return Self::parse(query.as_bytes());
        }
        if !query.is_empty() {
            return Err(OAuthError::InvalidRequest("Send the parameters in the body."));
        }
        Self::of_form(request).await
    }

    /// Those of the form.
    pub(super) async fn of_form(request: &mut Request) -> Result<Self, OAuthError> {
        let kind = request.content_type().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(UNREADABLE);
        }
        let bytes = body::read(request.take_body()).await.map_err(|_| UNREADABLE)?;
        if bytes.len() > FORM {
            return Err(OAuthError::InvalidRequest("The form is too long."));
        }
        Self::parse(&bytes)
    }

    fn parse(text: &[u8]) -> Result<Self, OAuthError> {
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text) {
            if all.len() >= 64 {
                return Err(OAuthError::InvalidRequest("There are too many parameters."));
            }
            if all.iter().any(|(known, _)| *known == name) {
                return Err(TWICE);
            }
            all.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(all))
    }

    /// A parameter; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that has to be there.
    pub(super) fn need(&self, name: &str, missing: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or(OAuthError::InvalidRequest(missing))
    }
}

/// What a client shows of itself.
pub(super) struct Credentials {
    id: Option<String>,
    shown: Option<String>,
    method: ClientAuth,
}

impl Credentials {
    /// In the header, as a secret in the form or as an assertion in the form, and only one of them.
    pub(super) fn of(headers: &HeaderMap, form: &Parameters) -> Result<Self, OAuthError> {
        let (id, secret) = (form.get("client_id").map(str::to_owned), form.get("client_secret"));
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        match (values.next(), secret, assertion(form)?) {
            (None, None, Some(text)) => {
                Ok(Self { id, shown: Some(text.to_owned()), method: ClientAuth::Key })
            }
            (None, secret, None) => {
                let id = Some(id.ok_or(OAuthError::InvalidClient)?);
                let method = if secret.is_some() { ClientAuth::Post } else { ClientAuth::None };
                Ok(Self { id, shown: secret.map(str::to_owned), method })
            }
            (Some(value), None, None) if values.next().is_none() => {
                let proof = value.to_str().ok().and_then(basic).ok_or(OAuthError::InvalidClient)?;
                if id.is_some() && id != proof.id {
                    return Err(OAuthError::InvalidRequest("The client is named twice, and differently."));
                }
                Ok(proof)
            }
            _ => Err(OAuthError::InvalidRequest("The client authenticates in two ways.")),
        }
    }

    /// The same for who judges it.
    pub(super) fn proof(&self) -> ClientProof<'_> {
        ClientProof { id: self.id.as_deref(), shown: self.shown.as_deref(), method: self.method }
    }
}

/// RFC 7523, 2.2: an assertion with its type.
fn assertion(form: &Parameters) -> Result<Option<&str>, OAuthError> {
    const MISSING: OAuthError =
        OAuthError::InvalidRequest("An assertion takes client_assertion and client_assertion_type.");
    match (form.get("client_assertion"), form.get("client_assertion_type")) {
        (None, None) => Ok(None),
        (Some(text), Some(ASSERTION)) => Ok(Some(text)),
        (Some(_), Some(_)) => Err(OAuthError::InvalidClient),
        _ => Err(MISSING),
    }
}

/// RFC 6749, 2.3.1: both halves are form-encoded first.
fn basic(value: &str) -> Option<Credentials> {
    let (scheme, text) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |half: &str| {
        let parsed = form_urlencoded::parse(half.as_bytes()).next();
        parsed.map(|(name, _)| name.into_owned()).unwrap_or_default()
    };
    Some(Credentials { id: Some(plain(id)), shown: Some(plain(secret)), method: ClientAuth::Basic })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Parameters, OAuthError> {
        Parameters::parse(text.as_bytes())
    }

    #[test]
    fn b9_no_parameter_stands_twice() {
        for twice in ["client_id=a&client_id=a", "scope=a&x=1&%73cope=b", "redirect_uri=&redirect_uri="] {
            assert!(parse(twice).is_err(), "{twice}");
        }
        let good = parse("a=1&b=%20x&c").unwrap();
        assert_eq!((good.get("a"), good.get("b"), good.get("c")), (Some("1"), Some(" x"), None));
        assert!(parse(&"a=1&".repeat(65)).is_err());
    }

    #[test]
    fn a_client_authenticates_in_one_way() {
        let header = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            headers
        };
        let encoded = format!("Basic {}", STANDARD.encode("a%2Db:c%3Ad"));
        let none = parse("").unwrap();
        let proof = Credentials::of(&header(&encoded), &none).unwrap();
        assert_eq!((proof.id.as_deref(), proof.shown.as_deref()), (Some("a-b"), Some("c:d")));
        let post = parse("client_id=x&client_secret=y").unwrap();
        assert_eq!(Credentials::of(&HeaderMap::new(), &post).unwrap().method, ClientAuth::Post);
        assert!(Credentials::of(&header(&encoded), &post).is_err());
        assert!(Credentials::of(&header(&encoded), &parse("client_id=other").unwrap()).is_err());
        assert!(Credentials::of(&HeaderMap::new(), &none).is_err());
        let kind = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let signed = parse(&format!("{kind}&client_assertion=a.b.c")).unwrap();
        let proof = Credentials::of(&HeaderMap::new(), &signed).unwrap();
        assert_eq!((proof.id, proof.shown.as_deref(), proof.method), (None, Some("a.b.c"), ClientAuth::Key));
        assert!(Credentials::of(&header(&encoded), &signed).is_err(), "beside a header");
        for bad in [
            format!("{kind}&client_assertion=a.b.c&client_secret=y"),
            format!("{kind}&client_id=x"),
            "client_assertion=a.b.c&client_id=x".to_owned(),
            "client_assertion=a.b.c&client_assertion_type=jwt&client_id=x".to_owned(),
        ] {
            assert!(Credentials::of(&HeaderMap::new(), &parse(&bad).unwrap()).is_err(), "{bad}");
        }
        for bad in ["Bearer x", "Basic", "Basic !", "Basic YQ=="] {
            assert!(Credentials::of(&header(bad), &none).is_err(), "{bad}");
        }
    }
}
