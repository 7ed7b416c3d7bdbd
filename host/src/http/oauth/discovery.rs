//! What the authorization server says of itself. Both documents are the same one.

use std::sync::Arc;

use poem::Response;
use poem::http::header;
use serde_json::json;

use super::{OAuth, answer};
use crate::identity::{FOREIGN_ALGORITHMS, STANDARD_SCOPES, SigningAlgorithm};
use crate::organizations::Organization;

impl OAuth {
    /// OpenID Connect Discovery 1.0 and RFC 8414.
    pub(super) fn discovery(&self, organization: &Arc<Organization>) -> Response {
        let issuer = self.identity.issuer(organization);
        let at = |name: &str| format!("{issuer}/oauth/{name}");
        let proved = ["private_key_jwt", "client_secret_basic", "client_secret_post"];
        let any = ["private_key_jwt", "client_secret_basic", "client_secret_post", "none"];
        let body = json!({
            "issuer": issuer,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"),
            "revocation_endpoint": at("revoke"),
            "introspection_endpoint": at("introspect"),
            "userinfo_endpoint": at("userinfo"),
            "end_session_endpoint": at("end_session"),
            "jwks_uri": at("jwks"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": any,
            "revocation_endpoint_auth_methods_supported": any,
            "introspection_endpoint_auth_methods_supported": proved,
            "token_endpoint_auth_signing_alg_values_supported": FOREIGN_ALGORITHMS,
            "revocation_endpoint_auth_signing_alg_values_supported": FOREIGN_ALGORITHMS,
            "introspection_endpoint_auth_signing_alg_values_supported": FOREIGN_ALGORITHMS,
            "scopes_supported": STANDARD_SCOPES,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported":
                [SigningAlgorithm::Rs256.as_str(), SigningAlgorithm::EdDsa.as_str()],
            "claim_types_supported": ["normal"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "acr", "amr",
                "name", "email", "email_verified", "updated_at",
            ],
            "acr_values_supported": ["aal1", "aal2"],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": true,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        });
        answer::with_header(answer::json(200, &body), header::CACHE_CONTROL, "public, max-age=300")
    }
}
