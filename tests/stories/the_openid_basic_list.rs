//! The OpenID Foundation's list for a basic provider, ported, over HTTP. What the
//! provider does not offer is refused by the code that the specifications have for it, and discovery says so.

use std::time::Duration;

use serde_json::json;
use stoa_testkit::wait_for;
use stoa_tests::text;

use super::a_program_signs_people_in::{Person, form, location, parameter, query, refused, sign_in};
use super::a_relying_party::{BYE, claims, on_stage, part, waits_for_the_person};
use super::a_second_factor_is_asked::{code, enrol};
use crate::door::{Door, PASSWORD, person};
use crate::staff;

#[test]
fn basic_response_type_missing() {
    on_stage(|stage| {
        assert_eq!(stage.error(&[("response_type", "")]), "invalid_request");
        assert_eq!(stage.error(&[("response_type", "id_token")]), "unsupported_response_type");
        assert_eq!(stage.discovery()["response_types_supported"], json!(["code"]));
    });
}

#[test]
fn basic_id_token_signature_and_kid() {
    on_stage(|stage| {
        let tokens = stage.tokens(&[]);
        let token = text(&tokens, "id_token");
        let header = part(token, 0);
        assert_eq!(header["alg"], "RS256");
        let keys = stage.door.get("/oauth/jwks").ok();
        let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
        assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!("RSA"), &json!("RS256"), &json!("sig")));
        assert!(key.get("d").is_none(), "no half that is secret");
        let claims = claims(&tokens);
        assert_eq!(claims["iss"], stage.discovery()["issuer"]);
        assert_eq!((&claims["aud"], &claims["nonce"]), (&json!(stage.client.id), &json!("n-0S6_WzA2Mj")));
        assert_eq!(claims["sub"], stage.info(&tokens)["sub"]);
        assert!(claims["exp"].as_i64() > claims["iat"].as_i64());
        for (from, to) in [(0, "eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoiIn0"), (2, "AAAA"), (2, "")] {
            let mut parts: Vec<_> = token.split('.').collect();
            parts[from] = to;
            let error = stage.error(&[("id_token_hint", &parts.join("."))]);
            assert_eq!(error, "invalid_request", "a token that was changed is none of ours");
        }
    });
}

#[test]
fn basic_userinfo_by_get_header_post_header_and_post_body() {
    on_stage(|stage| {
        let tokens = stage.tokens(&[]);
        let token = text(&tokens, "access_token");
        let bearer = stage.acme.with_token(token);
        let expected = stage.info(&tokens);
        assert_eq!(bearer.call("POST", "/oauth/userinfo").send().ok(), expected);
        assert_eq!(form(&stage.door, "/oauth/userinfo", &[("access_token", token)]).ok(), expected);
        let none = form(&stage.door, "/oauth/userinfo", &[("access_token", "x")]);
        refused(&none, 401, "invalid_token");
        assert!(none.header("www-authenticate").is_some());
    });
}

#[test]
fn basic_nonce_absent() {
    on_stage(|stage| assert_eq!(claims(&stage.tokens(&[("nonce", "")])).get("nonce"), None));
}

#[test]
fn basic_scopes_profile_email() {
    on_stage(|stage| {
        let info = stage.info(&stage.tokens(&[]));
        assert_eq!(info.as_object().unwrap().len(), 1, "nothing but `sub`: {info}");
        let info = stage.info(&stage.tokens(&[("scope", "openid profile")]));
        assert!(info["name"].is_string() && info["updated_at"].is_i64() && info.get("email").is_none());
        let info = stage.info(&stage.tokens(&[("scope", "openid email")]));
        assert_eq!(info["email"], stage.person.email.as_str());
        assert_eq!(info["email_verified"], false, "no proof is kept, and none is claimed");
        assert!(info.get("name").is_none());
        let known = stage.discovery()["claims_supported"].clone();
        assert!(known.as_array().unwrap().contains(&json!("email_verified")));
    });
}

#[test]
fn basic_prompt_login() {
    on_stage(|stage| {
        let before = claims(&stage.tokens(&[]));
        let address = stage.asked(&[("prompt", "login")]);
        let waiting = format!("request={}", waits_for_the_person(&address));
        waits_for_the_person(&stage.sent(&stage.cookie, &waiting));
        let again = sign_in(&stage.acme, &stage.person);
        let after = claims(&stage.redeemed(&stage.sent(&again, &waiting)).ok());
        assert!(after["auth_time"].as_i64() >= before["auth_time"].as_i64());
        assert_ne!(after["sid"], before["sid"]);
    });
}

#[test]
fn basic_prompt_none_not_logged_in() {
    on_stage(|stage| {
        let address = stage.sent("a=b", &stage.query(&[("prompt", "none")]));
        assert_eq!(parameter(&address, "error").as_deref(), Some("login_required"));
        assert_eq!(stage.error(&[("prompt", "none login")]), "invalid_request");
    });
}

#[test]
fn basic_prompt_none_logged_in() {
    on_stage(|stage| {
        let first = claims(&stage.tokens(&[]));
        let second = claims(&stage.tokens(&[("prompt", "none")]));
        assert_eq!((&first["sub"], &first["auth_time"]), (&second["sub"], &second["auth_time"]));
    });
}

#[test]
fn basic_max_age_1_and_10000() {
    on_stage(|stage| {
        let young = claims(&stage.tokens(&[("max_age", "10000")]));
        assert!(young["auth_time"].is_i64());
        let waiting = wait_for("a session older than a second", Duration::from_secs(10), || {
            let address = stage.asked(&[("max_age", "1")]);
            address.contains("/auth/sign-in#").then(|| waits_for_the_person(&address).to_owned())
        });
        let again = sign_in(&stage.acme, &stage.person);
        let after = claims(&stage.redeemed(&stage.sent(&again, &format!("request={waiting}"))).ok());
        assert!(after["auth_time"].as_i64() > young["auth_time"].as_i64());
        let still = claims(&stage.tokens(&[("max_age", "10000")]));
        assert_eq!(still["auth_time"], young["auth_time"], "the old session is young enough");
        assert_eq!(stage.error(&[("max_age", "soon")]), "invalid_request");
    });
}

#[test]
fn basic_unknown_parameter_ui_and_claims_locales() {
    on_stage(|stage| {
        let more =
            [("extra", "foobar"), ("ui_locales", "se de"), ("claims_locales", "se"), ("display", "page")];
        stage.tokens(&more);
    });
}

#[test]
fn basic_id_token_hint() {
    on_stage(|stage| {
        let tokens = stage.tokens(&[]);
        let hint = [("prompt", "none"), ("id_token_hint", text(&tokens, "id_token"))];
        assert_eq!(claims(&stage.tokens(&hint))["sub"], claims(&tokens)["sub"]);
        let email = person(&stage.acme.owner(), &stage.door, "ann");
        let ann = Person { email, password: PASSWORD.to_owned() };
        let address = stage.sent(&sign_in(&stage.acme, &ann), &stage.query(&hint));
        assert_eq!(parameter(&address, "error").as_deref(), Some("login_required"), "somebody else is here");
    });
}

#[test]
fn basic_login_hint() {
    on_stage(|stage| {
        stage.tokens(&[("login_hint", "bob+x@acme.example")]);
        let address = stage.sent("a=b", &stage.query(&[("login_hint", "bob+x@acme.example")]));
        assert!(address.ends_with("&login_hint=bob%2Bx%40acme.example"), "{address}");
        let script = stage.door.get("/auth/sign-in.js").text();
        assert!(script.contains("asked.get(\"login_hint\")"), "the page writes it into its field");
        assert_eq!(stage.error(&[("login_hint", &"x".repeat(300))]), "invalid_request");
    });
}

#[test]
fn basic_acr_values() {
    on_stage(|stage| {
        let wish = [("acr_values", "aal2 aal1")];
        assert_eq!(claims(&stage.tokens(&wish))["acr"], "aal1", "nobody is asked for what they do not have");
        let email = person(&stage.acme.owner(), &stage.door, "ann");
        let mut browser = Door::new(stage.acme.anonymous());
        browser.say(&email, PASSWORD).ok();
        let (session, token) = browser.complete();
        let (ann, cookie) = (stage.acme.with_token(&token), format!("stoa_sid={session}"));
        let begun = ann.post("/api/v1/me/totp", &json!({ "password": PASSWORD })).ok();
        let code = |steps| staff::code(text(&begun, "secret"), steps);
        let codes = json!({ "first": code(0), "second": code(1) });
        ann.post("/api/v1/me/totp/confirm", &codes).ok();
        waits_for_the_person(&stage.sent(&cookie, &stage.query(&wish)));
        let without = stage.redeemed(&stage.sent(&cookie, &stage.query(&[]))).ok();
        assert_eq!(claims(&without)["acr"], "aal1", "it says what was, not what was wished for");
        let silent = [("acr_values", "aal2"), ("prompt", "none")];
        let silent = stage.redeemed(&stage.sent(&cookie, &stage.query(&silent))).ok();
        assert_eq!(claims(&silent)["acr"], "aal1", "a wish is no condition");
    });
}

#[test]
fn basic_essential_acr() {
    on_stage(|stage| {
        let essential =
            |acr: &str| format!(r#"{{"id_token": {{"acr": {{"essential": true, "values": ["{acr}"]}}}}}}"#);
        let (second, gold) = (essential("aal2"), essential("urn:example:gold"));
        let second = [("claims", second.as_str())];
        assert_eq!(stage.error(&second), "unmet_authentication_requirements", "there is no second factor");
        assert_eq!(stage.error(&[("claims", &gold)]), "unmet_authentication_requirements");
        assert_eq!(stage.error(&[("claims", "acr")]), "invalid_request");

        let email = person(&stage.acme.owner(), &stage.door, "ann");
        let mut browser = Door::new(stage.acme.anonymous());
        browser.say(&email, PASSWORD).ok();
        let (session, token) = browser.complete();
        let (ann, cookie) = (stage.acme.with_token(&token), format!("stoa_sid={session}"));
        let (secret, _, step) = enrol(&ann);
        let waiting =
            format!("request={}", waits_for_the_person(&stage.sent(&cookie, &stage.query(&second))));
        let silent = [second[0], ("prompt", "none")];
        let silent = stage.sent(&cookie, &stage.query(&silent));
        assert_eq!(
            parameter(&silent, "error").as_deref(),
            Some("login_required"),
            "she could, and is not asked"
        );
        waits_for_the_person(&stage.sent(&cookie, &waiting));
        browser.say(&email, PASSWORD).ok();
        browser.step("/totp", &json!({ "code": code(&secret, step + 1) })).ok();
        let strong = format!("stoa_sid={}", browser.complete().0);
        let tokens = stage.redeemed(&stage.sent(&strong, &waiting)).ok();
        assert_eq!(claims(&tokens)["acr"], "aal2");
        let silent = [second[0], ("prompt", "none")];
        let tokens = stage.redeemed(&stage.sent(&strong, &stage.query(&silent))).ok();
        assert_eq!(claims(&tokens)["acr"], "aal2");
    });
}

#[test]
fn basic_code_reuse() {
    on_stage(|stage| {
        let address = stage.asked(&[]);
        let tokens = stage.redeemed(&address).ok();
        refused(&stage.redeemed(&address), 400, "invalid_grant");
        let ended = stage.acme.with_token(text(&tokens, "access_token")).get("/oauth/userinfo");
        refused(&ended, 401, "invalid_token");
    });
}

#[test]
fn basic_unregistered_redirect_uri() {
    on_stage(|stage| {
        for bad in ["https://rp.example/cb2", "https://rp.example/cb?x=1", "https://evil.example/cb"] {
            let path = format!("/oauth/authorize?{}", stage.query(&[("redirect_uri", bad)]));
            let page = stage.door.call("GET", &path).header("Cookie", &stage.cookie).send();
            assert_eq!((page.status(), page.header("location")), (400, None), "{bad}");
        }
    });
}

#[test]
fn basic_post_authorize() {
    on_stage(|stage| {
        let body = stage.query(&[]);
        let call = stage.door.call("POST", "/oauth/authorize").header("Cookie", &stage.cookie);
        let call = call.header("Content-Type", "application/x-www-form-urlencoded").body(body.as_bytes());
        stage.redeemed(&location(&call.send())).ok();
    });
}

#[test]
fn basic_client_secret_post() {
    on_stage(|stage| {
        let known = stage.discovery()["token_endpoint_auth_methods_supported"].clone();
        assert!(known.as_array().unwrap().contains(&json!("client_secret_post")));
        stage.tokens(&[]);
        let id = stage.client.id.as_str();
        let wrong = [("grant_type", "authorization_code"), ("client_id", id), ("client_secret", "x")];
        refused(&form(&stage.door, "/oauth/token", &wrong), 401, "invalid_client");
    });
}

#[test]
fn basic_unsigned_request_object_and_request_uri() {
    on_stage(|stage| {
        let object = ("request", "eyJhbGciOiJub25lIn0.eyJzY29wZSI6Im9wZW5pZCJ9.");
        assert_eq!(stage.error(&[object]), "request_not_supported");
        assert_eq!(stage.error(&[("request_uri", "https://rp.example/r")]), "request_uri_not_supported");
        let said = stage.discovery();
        assert_eq!(said["request_parameter_supported"], false);
        assert_eq!(said["request_uri_parameter_supported"], false);
    });
}

#[test]
fn basic_essential_claims() {
    on_stage(|stage| {
        let wish = r#"{"userinfo":{"name":{"essential":true}},"id_token":{"email":{"essential":true}}}"#;
        let tokens = stage.tokens(&[("claims", wish)]);
        assert_eq!(stage.discovery()["claims_parameter_supported"], true);
        assert!(stage.info(&tokens).get("name").is_none(), "it widens nothing");
        assert!(claims(&tokens).get("email").is_none());
    });
}

#[test]
fn basic_refresh_token() {
    on_stage(|stage| {
        assert!(stage.tokens(&[]).get("refresh_token").is_none(), "without offline_access there is none");
        let first = stage.tokens(&[("scope", "openid offline_access")]);
        let old = [("refresh_token", text(&first, "refresh_token"))];
        let next = stage.token("refresh_token", &old).ok();
        let (before, after) = (claims(&first), claims(&next));
        for claim in ["iss", "sub", "aud", "auth_time"] {
            assert_eq!(before[claim], after[claim], "{claim}");
        }
        assert_ne!(first["refresh_token"], next["refresh_token"]);
        refused(&stage.token("refresh_token", &old), 400, "invalid_grant");
    });
}

#[test]
fn basic_pkce() {
    on_stage(|stage| {
        for change in
            [("code_challenge", ""), ("code_challenge_method", ""), ("code_challenge_method", "plain")]
        {
            assert_eq!(stage.error(&[change]), "invalid_request", "{change:?}");
        }
        let code = parameter(&stage.asked(&[]), "code").unwrap();
        refused(&stage.exchanged(&code, &"a".repeat(43)), 400, "invalid_grant");
        assert_eq!(stage.discovery()["code_challenge_methods_supported"], json!(["S256"]));
    });
}

#[test]
fn basic_discovery() {
    on_stage(|stage| {
        let said = stage.discovery();
        let issuer = text(&said, "issuer");
        let names = ["authorization", "token", "userinfo", "end_session", "revocation", "introspection"];
        for name in names {
            let address = text(&said, &format!("{name}_endpoint")).to_owned();
            let path = address.strip_prefix(issuer).unwrap();
            assert_ne!(stage.door.get(path).status(), 404, "{path}");
        }
        assert!(text(&said, "jwks_uri").starts_with(issuer));
        assert_eq!(said["subject_types_supported"], json!(["public"]));
        assert!(said["id_token_signing_alg_values_supported"].as_array().unwrap().contains(&json!("RS256")));
        assert_eq!(said["acr_values_supported"], json!(["aal1", "aal2"]));
    });
}

#[test]
fn basic_rp_initiated_logout() {
    on_stage(|stage| {
        let tokens = stage.tokens(&[]);
        let hint = text(&tokens, "id_token");
        let out = [("id_token_hint", hint), ("post_logout_redirect_uri", BYE), ("state", "gone")];
        let path = format!("/oauth/end_session?{}", query(&out));
        let left = stage.door.call("GET", &path).header("Cookie", &stage.cookie).send();
        assert_eq!(location(&left), format!("{BYE}?state=gone"));
        assert_eq!(stage.error(&[("prompt", "none")]), "login_required");
    });
}
