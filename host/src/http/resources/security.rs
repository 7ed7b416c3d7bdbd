//! `/security`: whoever finds a secret of this organization can have it revoked, without a token.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};

use crate::http::answer::Done;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::Identity;
use crate::organizations::Organization;

/// Takes reports.
pub struct LeaksApi {
    /// People and credentials.
    pub identity: Identity,
}

/// A secret that somebody found.
#[derive(Object)]
pub struct LeakedSecret {
    /// The whole text of an API key.
    #[oai(validator(min_length = 1, max_length = 256))]
    secret: String,
}

#[OpenApi(prefix_path = "/api/v1/security", tag = "Tag::Security")]
impl LeaksApi {
    /// Report a leaked secret
    ///
    /// Holding an API key is enough to have it revoked. The answer is the same whether or not it was one.
    #[oai(path = "/leaked-secret", method = "post", operation_id = "report_leaked_secret")]
    async fn report(
        &self,
        organization: Data<&Arc<Organization>>,
        input: Input<LeakedSecret>,
    ) -> Result<Done, Problem> {
        self.identity.revoke_leaked(organization.id, &input.0.secret).await?;
        Ok(Done)
    }
}
