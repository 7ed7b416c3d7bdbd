//! Who asks, inside which organization, and what the policy lets them do with the host's own resources.

use std::str::FromStr;
use std::sync::Arc;

use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::app::Entered;
use crate::caller::Caller;
use crate::http::problem::Problem;
use crate::identity::IdentityError;
use crate::organizations::Organization;
use crate::policy::RowScope;

/// The name of the security scheme in the OpenAPI document.
pub const SCHEME: &str = "bearer";

/// An authenticated request inside an organization.
pub struct Access {
    /// Who.
    pub caller: Caller,
    /// Where, with what the organization may use and who may do what.
    pub entered: Arc<Entered>,
    /// What stands before `/api/v1` in links.
    pub prefix: Prefix,
}

/// What stands before the path in links to an organization: `/t/acme`, or nothing with a host name.
#[derive(Clone, Debug)]
pub struct Prefix(pub Arc<str>);

impl Access {
    /// The organization.
    #[must_use]
    pub fn organization(&self) -> &Arc<Organization> {
        &self.entered.organization
    }

    /// That the caller comes by itself and not by a program that acts for it: the scopes of such a program name records and
    /// not a person's account.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub fn oneself(&self) -> Result<(), Problem> {
        if self.caller.principal.limits.is_some() {
            Err(IdentityError::PersonRequired.into())
        } else {
            Ok(())
        }
    }

    /// The address of something below `/api/v1`.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.prefix.0)
    }

    /// On which rows of `object` the caller may do `action`.
    ///
    /// # Errors
    /// 403 when on none.
    pub fn may(&self, object: &str, action: &str) -> Result<RowScope, Problem> {
        let scope = self.entered.policy.decide(&self.caller.principal, object, action).rows();
        if scope.never() {
            return Err(Problem::forbidden(format!("Your roles do not allow `{action}` on {object}.")));
        }
        Ok(scope)
    }

    /// Lets pass who may do `action` on every row of `object`.
    ///
    /// # Errors
    /// 403.
    pub fn must(&self, object: &str, action: &str) -> Result<(), Problem> {
        if self.may(object, action)?.always() {
            return Ok(());
        }
        Err(Problem::forbidden(format!("Your roles do not allow `{action}` on every {object}.")))
    }
}

impl<'a> ApiExtractor<'a> for Access {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            SCHEME,
            MetaSecurityScheme {
                ty: "http",
                description: Some("An access token from `POST /api/v1/auth/login`, or an API key."),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let parts = (request.data::<Caller>(), request.data::<Arc<Entered>>(), request.data::<Prefix>());
        let (Some(caller), Some(entered), Some(prefix)) = parts else {
            return Err(Problem::unauthenticated().into());
        };
        Ok(Self { caller: caller.clone(), entered: Arc::clone(entered), prefix: prefix.clone() })
    }
}

/// An id from the path. Text that is no id names nothing.
///
/// # Errors
/// 404 with `code`.
pub fn id<T: FromStr>(text: &str, code: &'static str) -> Result<T, Problem> {
    text.parse().map_err(|_| missing(code))
}

/// The 404 of a host resource.
#[must_use]
pub fn missing(code: &'static str) -> Problem {
    Problem::not_found(code, "There is none with this id, or none that you may read.")
}
