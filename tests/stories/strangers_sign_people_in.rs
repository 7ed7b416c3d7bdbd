//! Programs that others wrote sign a person in: openid-client and oauth4webapi, from discovery to signing out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use stoa_testkit::Host;

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
    let script = installed().join("relying_party.mjs");
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

/// The folder with the script and what it needs, installed into `target` once for each version of the lock file.
fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let here = folder.parent().and_then(Path::parent).unwrap().join("target/clients");
    std::fs::create_dir_all(&here).unwrap();
    let lock = "package-lock.json";
    let wanted = std::fs::read(folder.join(lock)).unwrap();
    let done = here.join("node_modules").join("installed");
    for name in ["package.json", lock, "relying_party.mjs"] {
        std::fs::copy(folder.join(name), here.join(name)).unwrap();
    }
    if std::fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return here;
    }
    let output = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&here)
        .output()
        .unwrap_or_else(|error| panic!("Node 20 or later is needed (`npm`): {error}"));
    assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(done, wanted).unwrap();
    here
}
