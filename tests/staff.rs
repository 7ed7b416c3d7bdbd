//! Administrators of a host's platform, as stories need them: claimed, invited, with a second factor.

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host};
use stoa_tests::text;
use totp_rs::{Builder, Totp};

/// Good enough for everybody here.
pub(crate) const PASSWORD: &str = "violet tram over nine hills";

/// The address of the first owner.
pub(crate) const OWNER: &str = "olga@platform.example";

/// An administrator who is signed in with a second factor.
pub(crate) struct Staff {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) recovery: Vec<String>,
    pub(crate) cookie: String,
}

/// A fresh claim code.
pub(crate) fn claim_code(host: &Host) -> String {
    text(&host.cli(&["admin", "claim-code", "--json"]).json(), "claim_code").to_owned()
}

/// Claims the platform.
pub(crate) fn claim(host: &Host) -> Staff {
    let body = json!({ "code": claim_code(host), "email": OWNER, "name": "Olga", "password": PASSWORD });
    host.platform().post("/admin/v1/claim", &body).created();
    enrolled(host, OWNER)
}

/// Invites somebody with this role and lets them in.
pub(crate) fn invited(host: &Host, by: &Staff, role: &str) -> Staff {
    let email = format!("{role}@platform.example");
    let body = json!({ "email": email, "name": role, "roles": [role] });
    let made = by.client.post("/admin/v1/admins", &body).created();
    accept(host, text(&made["invitation"], "token")).expect(204);
    enrolled(host, &email)
}

/// Accepts an invitation.
pub(crate) fn accept(host: &Host, token: &str) -> Answer {
    host.platform().post("/admin/v1/invitations/accept", &json!({ "token": token, "password": PASSWORD }))
}

/// Signs in.
pub(crate) fn sign_in(host: &Host, email: &str, code: Option<&str>) -> Answer {
    let mut body = json!({ "email": email, "password": PASSWORD });
    if let Some(code) = code {
        body["code"] = code.into();
    }
    host.platform().post("/admin/v1/auth/sign-in", &body)
}

/// Signs in for the first time and enrols a second factor.
pub(crate) fn enrolled(host: &Host, email: &str) -> Staff {
    let token = sign_in(host, email, None).ok();
    assert_eq!(token["enrolment_required"], true);
    let client = host.platform().with_token(text(&token, "access_token"));
    let begun = client.post("/admin/v1/me/totp", &json!({ "password": PASSWORD })).ok();
    let secret = text(&begun, "secret").to_owned();
    let answer = client.post("/admin/v1/me/totp/confirm", &json!({ "code": code(&secret, 0) }));
    let confirmed = answer.ok();
    let client = host.platform().with_token(text(&confirmed["token"], "access_token"));
    let me = client.get("/admin/v1/me").ok();
    let recovery = confirmed["recovery_codes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let cookie = answer.header("set-cookie").unwrap_or_default();
    Staff {
        client,
        id: text(&me, "id").to_owned(),
        secret,
        recovery: recovery.map(str::to_owned).collect(),
        cookie: cookie.split(';').next().unwrap_or_default().to_owned(),
    }
}

/// The code of the step that is so many after the one of now.
#[expect(clippy::disallowed_methods, reason = "an app that shows codes has the time of its own device")]
pub(crate) fn code(secret: &str, steps: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    totp(secret).generate(now + steps * 30).to_string()
}

fn totp(secret: &str) -> Totp {
    let mut bits = 0_u128;
    let mut bytes = Vec::new();
    for (index, letter) in secret.bytes().enumerate() {
        let value = if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
        bits = (bits << 5) | u128::from(value);
        if index % 8 == 7 {
            bytes.extend_from_slice(&bits.to_be_bytes()[11..]);
            bits = 0;
        }
    }
    Builder::new().with_secret(<[u8; 20]>::try_from(bytes).unwrap()).build().unwrap()
}

/// Somebody who was let in before, signed in anew: a host that was started again has another address.
pub(crate) fn again(host: &Host, staff: &Staff) -> Client {
    let token = sign_in(host, OWNER, Some(&code(&staff.secret, 1))).ok();
    host.platform().with_token(text(&token, "access_token"))
}
