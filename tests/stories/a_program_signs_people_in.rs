//! A program signs a person in over HTTP: the whole flow, what is refused on the way, and how it ends.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Organization, encode};
use stoa_tests::text;

pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1:7777/cb";

/// Somebody who can sign in, and may register clients.
pub(super) struct Person {
    pub(super) email: String,
    pub(super) password: String,
}

/// A client that was registered.
pub(super) struct Registered {
    pub(super) id: String,
    pub(super) secret: Option<String>,
}

/// The owner of the organization, who can sign in.
pub(super) fn member(acme: &Organization<'_>) -> Person {
    let (email, password) = acme.owner_credentials();
    Person { email, password: password.to_owned() }
}

/// A client, registered by this person.
pub(super) fn registered(acme: &Organization<'_>, person: &Person, client: &Value) -> Registered {
    let login = json!({"email": person.email, "password": person.password});
    let token = acme.anonymous().post("/api/v1/auth/login", &login).ok();
    let made = acme.with_token(text(&token, "access_token")).post("/api/v1/clients", client).created();
    Registered {
        id: text(&made["client"], "id").to_owned(),
        secret: made["client_secret"].as_str().map(str::to_owned),
    }
}

pub(super) fn phone(acme: &Organization<'_>, person: &Person) -> Registered {
    let phone = json!({
        "name": "Phone", "kind": "native", "auth_method": "none",
        "grants": ["authorization_code", "refresh_token"],
        "scopes": ["openid", "profile", "email", "offline_access"],
        "redirect_uris": ["http://127.0.0.1/cb"], "post_logout_redirect_uris": ["http://127.0.0.1:7777/bye"],
        "id_token_algorithm": "EdDSA",
    });
    registered(acme, person, &phone)
}

/// The cookie of a session, made as the page makes it.
pub(super) fn sign_in(acme: &Organization<'_>, person: &Person) -> String {
    let door = acme.anonymous();
    let step = |path: &str, cookie: Option<&str>, body: &Value| {
        let path = format!("/api/v1/auth/transactions{path}");
        let call = door.call("POST", &path).header("X-Stoa-Request", "1").json(body);
        match cookie {
            Some(cookie) => call.header("Cookie", cookie).send(),
            None => call.send(),
        }
    };
    let begun = step("", None, &json!({}));
    let login = pair(&begun, "stoa_tx");
    step("/identify", Some(&login), &json!({"email": person.email})).success();
    step("/password", Some(&login), &json!({"password": person.password})).success();
    pair(&step("/complete", Some(&login), &json!({})), "stoa_sid")
}

/// `name=value` of the cookie that an answer sets.
fn pair(answer: &Answer, name: &str) -> String {
    let line = answer.success().header("set-cookie").unwrap_or_default();
    let pair = line.split(';').next().unwrap_or_default();
    assert!(pair.starts_with(name), "no cookie {name}: {line}");
    pair.to_owned()
}

pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

fn asking<'a>(client: &'a Registered, changes: &[(&'a str, &'a str)]) -> String {
    let mut all = vec![
        ("client_id", client.id.as_str()),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid profile offline_access"),
        ("state", "xyz"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for change in changes {
        all.retain(|(name, _)| *name != change.0);
        all.push(*change);
    }
    query(&all)
}

pub(super) fn authorize(door: &Client, cookie: &str, query: &str) -> Answer {
    door.call("GET", &format!("/oauth/authorize?{query}")).header("Cookie", cookie).send()
}

pub(super) fn form(door: &Client, path: &str, parameters: &[(&str, &str)]) -> Answer {
    door.raw(path, "application/x-www-form-urlencoded", query(parameters).as_bytes())
}

pub(super) fn location(answer: &Answer) -> String {
    assert_eq!(answer.status(), 303, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

pub(super) fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.map(str::to_owned)
}

/// A code for the client, the consent given on the way.
pub(super) fn code(door: &Client, cookie: &str, client: &Registered) -> String {
    code_with(door, cookie, client, &[])
}

fn code_with(door: &Client, cookie: &str, client: &Registered, changes: &[(&str, &str)]) -> String {
    let mut next = location(&authorize(door, cookie, &asking(client, changes)));
    if let Some((_, request)) = next.split_once("/auth/consent#request=") {
        let path = format!("/oauth/consent/{request}");
        door.call("GET", &path).header("Cookie", cookie).send().ok();
        let refused = door.call("POST", &path).header("Cookie", cookie).json(&json!({"allow": true})).send();
        refused.problem(403, "cross_site_request");
        let allowed = door
            .call("POST", &path)
            .header("Cookie", cookie)
            .header("X-Stoa-Request", "1")
            .json(&json!({"allow": true}))
            .send()
            .ok();
        assert!(text(&allowed, "next").ends_with(request));
        next = location(&authorize(door, cookie, &format!("request={request}")));
    }
    assert!(next.starts_with(BACK), "{next}");
    assert_eq!(parameter(&next, "state").as_deref(), Some("xyz"));
    assert!(parameter(&next, "iss").is_some());
    parameter(&next, "code").unwrap()
}

pub(super) fn exchange(door: &Client, client: &Registered, code: &str) -> Answer {
    let parameters = [
        ("grant_type", "authorization_code"),
        ("client_id", client.id.as_str()),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    form(door, "/oauth/token", &parameters)
}

pub(super) fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status(), &answer.json()["error"]), (status, &json!(error)), "{}", answer.text());
}

#[test]
fn from_the_sign_in_page_to_signing_out() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door) = (member(&acme), acme.anonymous());
    let client = phone(&acme, &person);
    let asked = door.get(&format!("/oauth/authorize?{}", asking(&client, &[])));
    assert!(location(&asked).contains("/auth/sign-in#request=stoa_q1_"));

    let cookie = sign_in(&acme, &person);
    let code = code(&door, &cookie, &client);
    let answer = exchange(&door, &client, &code);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.ok();
    let bearer = acme.with_token(text(&tokens, "access_token"));
    for info in [bearer.get("/oauth/userinfo"), bearer.call("POST", "/oauth/userinfo").send()] {
        assert_eq!(info.ok()["name"], person.email.as_str());
    }
    let posted = form(&door, "/oauth/userinfo", &[("access_token", text(&tokens, "access_token"))]);
    assert_eq!(posted.ok()["name"], person.email.as_str());
    assert_eq!(bearer.get("/oauth/userinfo?access_token=x").status(), 200, "the query is not looked at");
    assert_eq!(door.get("/oauth/userinfo").status(), 401);
    for own in ["consents", "profile", "sessions", "sign-ins"] {
        bearer.get(&format!("/api/v1/me/{own}")).problem(403, "forbidden");
    }
    bearer.delete(&format!("/api/v1/me/consents/{}", client.id)).problem(403, "forbidden");
    let login = json!({"email": person.email, "password": person.password});
    let login = door.post("/api/v1/auth/login", &login).ok();
    let oneself = acme.with_token(text(&login, "access_token"));
    assert_eq!(oneself.get("/api/v1/me/consents").ok()["data"][0]["client"], client.id.as_str());

    let refresh = |token: &str| {
        let parameters =
            [("grant_type", "refresh_token"), ("client_id", client.id.as_str()), ("refresh_token", token)];
        form(&door, "/oauth/token", &parameters)
    };
    let next = refresh(text(&tokens, "refresh_token")).ok();
    refused(&exchange(&door, &client, &code), 400, "invalid_grant");
    refused(&refresh(text(&next, "refresh_token")), 400, "invalid_grant");
    bearer.get("/api/v1/me").problem(401, "invalid_token");

    let question = door.call("GET", "/oauth/end_session").header("Cookie", &cookie).send();
    assert!(question.text().contains("<h1>Sign out?</h1>"), "b22: without a hint the person is asked");
    let hint = text(&tokens, "id_token");
    let stray = query(&[("id_token_hint", hint), ("post_logout_redirect_uri", "https://evil.example/")]);
    let foreign = door.get(&format!("/oauth/end_session?{stray}"));
    assert_eq!(foreign.status(), 200, "b22: nobody is sent to an address that is not registered");
    let out = [
        ("id_token_hint", hint),
        ("post_logout_redirect_uri", "http://127.0.0.1:7777/bye"),
        ("state", "gone"),
    ];
    let path = format!("/oauth/end_session?{}", query(&out));
    let left = door.call("GET", &path).header("Cookie", &cookie).send();
    assert_eq!(location(&left), "http://127.0.0.1:7777/bye?state=gone");
    let silent = authorize(&door, &cookie, &asking(&client, &[("prompt", "none")]));
    assert_eq!(parameter(&location(&silent), "error").as_deref(), Some("login_required"));
}

#[test]
fn what_the_server_says_of_itself_is_where_it_is() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let door = acme.anonymous();
    let said = door.get("/.well-known/openid-configuration").ok();
    let issuer = format!("http://{}/t/acme", host.address());
    assert_eq!(said["issuer"], issuer.as_str());
    assert_eq!(door.get("/.well-known/oauth-authorization-server").ok(), said);
    assert_eq!(host.bare().get("/.well-known/oauth-authorization-server/t/acme").ok(), said);
    let keys = door.get("/oauth/jwks");
    assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(keys.ok()["keys"].as_array().unwrap().len(), 2);
    for method in ["token", "revoke", "introspect"] {
        assert_eq!(door.get(&format!("/oauth/{method}")).status(), 405, "{method}");
    }
    assert_eq!(door.get("/oauth/register").status(), 404);
}

#[test]
fn b8_b9_b12_malformed_requests_are_named_and_nobody_is_redirected_astray() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door) = (member(&acme), acme.anonymous());
    let client = phone(&acme, &person);
    for bad in [
        asking(&client, &[("redirect_uri", "https://evil.example/cb")]),
        asking(&client, &[("client_id", "00000000-0000-7000-8000-000000000000")]),
        format!("{}&client_id=x", asking(&client, &[])),
        format!("{}&scope=openid", asking(&client, &[])),
        format!("{}&redirect_uri={}", asking(&client, &[]), encode(BACK)),
        "request=stoa_q1_nothing".to_owned(),
    ] {
        let page = authorize(&door, "a=b", &bad);
        assert_eq!((page.status(), page.header("location")), (400, None), "{bad}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "b23");
    }
    let posted = door.raw(
        "/oauth/authorize",
        "application/x-www-form-urlencoded",
        asking(&client, &[("response_type", "token")]).as_bytes(),
    );
    assert_eq!(parameter(&location(&posted), "error").as_deref(), Some("unsupported_response_type"));
    for grant in ["password", "implicit", "urn:ietf:params:oauth:grant-type:saml2-bearer"] {
        let answer = form(&door, "/oauth/token", &[("grant_type", grant), ("client_id", &client.id)]);
        refused(&answer, 400, "unsupported_grant_type");
    }
    let twice = form(&door, "/oauth/token", &[("grant_type", "refresh_token"), ("grant_type", "x")]);
    refused(&twice, 400, "invalid_request");
    let stranger = form(&door, "/oauth/token", &[("grant_type", "refresh_token"), ("client_id", "x")]);
    refused(&stranger, 401, "invalid_client");
    let unknown = form(&door, "/oauth/revoke", &[("token", "x"), ("client_id", &client.id)]);
    assert_eq!(unknown.status(), 200);
    refused(
        &form(&door, "/oauth/introspect", &[("token", "x"), ("client_id", &client.id)]),
        401,
        "invalid_client",
    );
}

#[test]
fn b1_to_b16_over_http_the_first_refusals_hold() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door) = (member(&acme), acme.anonymous());
    let client = phone(&acme, &person);
    let cookie = sign_in(&acme, &person);
    let plain = authorize(&door, &cookie, &asking(&client, &[("code_challenge_method", "plain")]));
    assert_eq!(parameter(&location(&plain), "error").as_deref(), Some("invalid_request"));
    let once = code(&door, &cookie, &client);
    refused(&exchange(&door, &phone(&acme, &person), &once), 400, "invalid_grant");
    refused(&exchange(&door, &client, &once), 400, "invalid_grant");
    let site = json!({
        "name": "Site", "kind": "web", "auth_method": "client_secret_basic", "trusted": true,
        "grants": ["authorization_code"], "scopes": ["openid"], "redirect_uris": ["https://app.example.com/cb"],
    });
    let site = registered(&acme, &person, &site);
    let form = [("response_mode", "form_post"), ("redirect_uri", "https://app.example.com/cb")];
    let posted = authorize(&door, &cookie, &asking(&site, &form));
    assert!(posted.text().contains("name=\"code\""), "{}", posted.text());
}

/// The name of the request that waits for the person's consent.
fn waiting(answer: &Answer) -> String {
    let next = location(answer);
    let (_, request) = next.split_once("/auth/consent#request=").unwrap_or_else(|| panic!("{next}"));
    request.to_owned()
}

#[test]
fn a_program_that_cannot_prove_who_it_is_asks_each_time_and_says_for_how_long() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door) = (member(&acme), acme.anonymous());
    let (client, cookie) = (phone(&acme, &person), sign_in(&acme, &person));
    code(&door, &cookie, &client);
    let asked = |request: &str| {
        door.call("GET", &format!("/oauth/consent/{request}")).header("Cookie", &cookie).send()
    };
    let question = asked(&waiting(&authorize(&door, &cookie, &asking(&client, &[])))).ok();
    assert_eq!(question["lasts"]["seconds"], 90 * 86_400);
    let told =
        "For 90 days at most, also when you are signed out; it ends sooner when it is not used for 30 days.";
    assert_eq!(question["lasts"]["description"], told);
    let silent = authorize(&door, &cookie, &asking(&client, &[("prompt", "none")]));
    assert_eq!(parameter(&location(&silent), "error").as_deref(), Some("consent_required"));
    let short = asked(&waiting(&authorize(&door, &cookie, &asking(&client, &[("scope", "openid")])))).ok();
    let told = "For 10 minutes each time you sign in; it ends sooner when you sign out.";
    assert_eq!(
        (&short["lasts"]["description"], &short["lasts"]["unused_seconds"]),
        (&json!(told), &json!(null))
    );
}

#[test]
fn the_consent_page_has_a_button_to_sign_out() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door) = (member(&acme), acme.anonymous());
    let (client, cookie) = (phone(&acme, &person), sign_in(&acme, &person));
    let request = waiting(&authorize(&door, &cookie, &asking(&client, &[])));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("provider/consent.mjs");
    let mut page =
        Command::new("node").arg(page).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (_, session) = cookie.split_once('=').unwrap();
    let origin = format!("http://{}/t/acme", host.address());
    let input = json!({"origin": origin, "session": session, "request": request}).to_string();
    page.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = page.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let cookie = sign_in(&acme, &person);
    door.call("GET", &format!("/oauth/consent/{request}")).header("Cookie", &cookie).send().ok();
}

#[test]
fn a_program_that_acts_for_an_owner_makes_nothing_that_outlives_the_consent() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door) = (member(&acme), acme.anonymous());
    let scopes = "openid host.api-key:create host.client:create host.user:create host.team:read";
    let client = json!({
        "name": "Greedy", "kind": "native", "auth_method": "none", "grants": ["authorization_code"],
        "scopes": scopes.split(' ').collect::<Vec<_>>(), "redirect_uris": ["http://127.0.0.1/cb"],
    });
    let client = registered(&acme, &person, &client);
    let code = code_with(&door, &sign_in(&acme, &person), &client, &[("scope", scopes)]);
    let token = exchange(&door, &client, &code).ok();
    let greedy = acme.with_token(text(&token, "access_token"));
    greedy.get("/api/v1/teams").ok();
    greedy.post("/api/v1/api-keys", &json!({"name": "Robot", "role": "owner"})).problem(403, "forbidden");
    let another = json!({
        "name": "Another", "kind": "native", "auth_method": "none", "grants": ["authorization_code"],
        "scopes": ["openid"], "redirect_uris": ["http://127.0.0.1/cb"],
    });
    greedy.post("/api/v1/clients", &another).problem(403, "forbidden");
    let eve = json!({"name": "Eve", "email": "eve@acme.example", "roles": ["rep"]});
    greedy.post("/api/v1/users", &eve).problem(403, "forbidden");
}
