//! Who asks on the platform's plane, and what their roles let them do.

use poem::http::StatusCode;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::http::access::SCHEME;
use crate::http::problem::Problem;
use crate::platform::{Area, Reach, Signed, reach};

/// An administrator who has shown a second factor.
pub(super) struct Staff(pub(super) Signed);

/// An administrator who may not have one yet.
pub(super) struct Enrolling(pub(super) Signed);

impl Staff {
    /// How far they may do `action` in `area`.
    ///
    /// # Errors
    /// 403 when not at all.
    pub(super) fn may(&self, area: Area, action: &str) -> Result<Reach, Problem> {
        reach(&self.0.admin.roles, area, action).ok_or_else(|| {
            Problem::forbidden(format!("Your roles do not allow `{action}` on {}.", area.as_str()))
        })
    }
}

impl<'a> ApiExtractor<'a> for Staff {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(SCHEME, scheme());
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let signed = request.data::<Signed>().cloned().ok_or_else(Problem::unauthenticated)?;
        if !signed.strong {
            let detail = "Enrol a second factor first: `POST /admin/v1/me/totp`.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "enrolment_required", detail).into());
        }
        Ok(Self(signed))
    }
}

impl<'a> ApiExtractor<'a> for Enrolling {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(SCHEME, scheme());
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(request.data::<Signed>().cloned().ok_or_else(Problem::unauthenticated)?))
    }
}

fn scheme() -> MetaSecurityScheme {
    MetaSecurityScheme {
        ty: "http",
        description: Some(
            "An access token from `POST /admin/v1/auth/sign-in` or `POST /admin/v1/auth/token`.",
        ),
        name: None,
        key_in: None,
        scheme: Some("bearer"),
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    }
}
