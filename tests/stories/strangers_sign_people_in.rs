//! Programs that others wrote sign a person in: openid-client and oauth4webapi, from discovery to signing out.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;
use stoa_testkit::Host;

use crate::programs::installed;

use super::a_program_signs_people_in::{member, registered};

#[test]
fn two_relying_parties_are_content_with_the_provider() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let person = member(&acme);
    let scopes = ["openid", "profile", "email", "offline_access", "read"];
    let native = registered(
        &acme,
        &person,
        &json!({
            "name": "Phone", "kind": "native", "auth_method": "none", "scopes": scopes,
            "grants": ["authorization_code", "refresh_token"],
            "redirect_uris": ["http://127.0.0.1/cb"], "post_logout_redirect_uris": ["http://127.0.0.1:49152/bye"],
        }),
    );
    let web = registered(
        &acme,
        &person,
        &json!({
            "name": "Site", "kind": "web", "auth_method": "client_secret_basic", "scopes": scopes,
            "grants": ["authorization_code", "refresh_token"], "redirect_uris": ["https://app.example.com/cb"],
        }),
    );
    let input = json!({
        "issuer": format!("http://{}/t/acme", host.address()),
        "email": person.email, "password": person.password, "native": native.id,
        "web": { "id": web.id, "secret": web.secret },
    });
    let script = installed("clients", &["relying_party.mjs"]).join("relying_party.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("Node 20 or later is needed (`node`): {error}"));
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}\n\nthe host said:\n{}", host.log());
}
