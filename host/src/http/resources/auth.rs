//! `/auth`: getting in. The only resources that need no token.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};

use crate::http::answer::{Done, Found};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::Identity;
use crate::organizations::Organization;

/// Logs in and sets up.
pub struct AuthApi {
    /// People and credentials.
    pub identity: Identity,
}

/// An address and a password.
#[derive(Object)]
pub struct Login {
    /// As it was given when the person was created, in any letter case.
    #[oai(validator(min_length = 3, max_length = 254))]
    email: String,
    /// At most 128 characters.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
}

/// What to send as `Authorization: Bearer …`.
#[derive(Object)]
pub struct Token {
    /// The access token.
    access_token: String,
    /// Always `Bearer`.
    token_type: String,
    /// Seconds until it is over.
    expires_in: i64,
}

/// The token of a set-up link and the password that its person chose.
#[derive(Object)]
pub struct SetUp {
    /// What stands behind `#token=` in the link.
    #[oai(validator(min_length = 1, max_length = 256))]
    token: String,
    /// 12 to 128 characters.
    #[oai(validator(max_length = 128))]
    password: String,
}

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Auth")]
impl AuthApi {
    /// Log in
    ///
    /// Unknown address, wrong password and disabled person get the same answer.
    #[oai(path = "/login", method = "post", operation_id = "log_in")]
    async fn log_in(
        &self,
        organization: Data<&Arc<Organization>>,
        input: Input<Login>,
    ) -> Result<Found<Token>, Problem> {
        let Login { email, password } = input.0;
        let token = self.identity.log_in(organization.0, &email, &password, &visitor()).await?;
        let token_type = "Bearer".to_owned();
        Ok(Found::new(Token { access_token: token.token, token_type, expires_in: token.expires_in }))
    }

    /// Choose the password behind a set-up link
    ///
    /// The link works once and for 72 hours.
    #[oai(path = "/setup", method = "post", operation_id = "set_up")]
    async fn set_up(
        &self,
        organization: Data<&Arc<Organization>>,
        input: Input<SetUp>,
    ) -> Result<Done, Problem> {
        self.identity.set_up(organization.0, &input.0.token, &input.0.password).await?;
        Ok(Done)
    }
}
fn visitor() -> crate::identity::Visitor {
    crate::identity::Visitor {
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        user_agent: String::new(),
        known_device: None,
    }
}
