//! `/users/{id}/second-factor`: what an administrator does for somebody who has lost theirs.

use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};

use crate::config::PublicAddress;
use crate::http::access::Access;
use crate::http::answer::Done;
use crate::http::browser::Browser;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::me::credentials::{proof, refused};
use crate::http::resources::users::UsersApi;

/// Resets second factors of people.
pub struct UserFactorsApi {
    /// Whom one may change.
    pub users: UsersApi,
    /// How the installation is reached.
    pub address: PublicAddress,
}

/// Who asks, once more.
#[derive(Object)]
pub struct FactorReset {
    /// The present password of whoever asks. Whoever has none has signed in within the last five minutes instead.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: Option<String>,
    /// A code of their authenticator app, or a recovery code; needed with a second factor.
    #[oai(validator(max_length = 64))]
    code: Option<String>,
}

#[OpenApi(prefix_path = "/api/v1/users", tag = "Tag::Users")]
impl UserFactorsApi {
    /// Reset a person's second factor
    ///
    /// For somebody else, with no more rights, who has lost app and recovery codes: make sure that it is them. The app, the
    /// codes, every session and every token of theirs end, and they are told by mail. Where the organization demands a second
    /// factor, they add a new one when they sign in.
    #[oai(path = "/:id/second-factor/reset", method = "post", operation_id = "reset_user_factor")]
    async fn reset(
        &self,
        access: Access,
        browser: Browser,
        id: Path<String>,
        input: Input<FactorReset>,
    ) -> Result<Done, Problem> {
        let user = self.users.find(&access, &id.0, "update")?;
        let FactorReset { password, code } = &input.0;
        let visitor = browser.visitor(&self.address);
        let proof = password.as_deref().map(|password| proof(password, code.as_deref(), &visitor));
        let (identity, by) = (&self.users.identity, &access.caller);
        let reset = identity.reset_factors(by, access.organization(), user.id, proof.as_ref());
        reset.await.map_err(refused)?;
        Ok(Done)
    }
}
