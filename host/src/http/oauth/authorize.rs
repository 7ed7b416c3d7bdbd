//! `/oauth/authorize`, by GET and by POST.

use std::sync::Arc;

use poem::{Request, Response};
use url::form_urlencoded::Serializer;

use super::parameters::Parameters;
use super::{OAuth, answer, person};
use crate::identity::{Ask, Authorization, AuthorizeError};
use crate::organizations::Organization;

impl OAuth {
    pub(super) async fn authorize(&self, mut request: Request, organization: &Arc<Organization>) -> Response {
        let person = match person::signed_in(&self.identity, organization, request.headers()).await {
            Ok(person) => person,
            Err(error) => {
                super::logged(&error);
                return answer::failed_page();
            }
        };
        let parameters = match Parameters::of(&mut request).await {
            Ok(Parameters(parameters)) => parameters,
            Err(error) => return answer::refused_page(&error.to_string()),
        };
        // A request that has waited is named alone; beside others, `request` would be a request object.
        let ask = match parameters.as_slice() {
            [(name, value)] if name == "request" => Ask::Known(value),
            parameters => Ask::New(parameters),
        };
        let issuer = self.identity.issuer(organization);
        match self.identity.authorize(organization, ask, person.as_ref()).await {
            Ok(Authorization::Answer(to)) => answer::to_client(&to),
            Ok(Authorization::SignIn(name)) => {
                // A hint saves typing; without it nothing is lost.
                let hint = self.identity.login_hint(organization, &name).ok().flatten();
                let hint = hint.map(|hint| {
                    format!("&{}", Serializer::new(String::new()).append_pair("login_hint", &hint).finish())
                });
                answer::redirect(&format!("{issuer}/auth/sign-in#request={name}{}", hint.unwrap_or_default()))
            }
            Ok(Authorization::Consent(name)) => {
                answer::redirect(&format!("{issuer}/auth/consent#request={name}"))
            }
            Err(AuthorizeError::Page(why)) => answer::refused_page(why),
            Err(AuthorizeError::Failed(error)) => {
                super::logged(&error);
                answer::failed_page()
            }
        }
    }
}
