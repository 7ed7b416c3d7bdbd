//! The public listener without plugins, asked as a client asks it: who gets in, what is refused, what is told.

use std::sync::Arc;

use poem::http::{Method, Uri};
use poem::{Endpoint, Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::gate::Terminal;
use super::operator::Operator;
use super::operator::provision::{self, NewOrganizationRequest};
use super::{Metrics, Site, public};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, PublicAddress};
use crate::organizations::Status;

const PASSWORD: &str = "a walk under one roof";

/// A host with the organization `acme`, whose owner has a key and an open set-up link.
struct Edge<E> {
    app: App,
    endpoint: E,
    key: String,
    link: String,
    _folder: TempDir,
}

fn address() -> PublicAddress {
    PublicAddress { origin: "https://crm.test".to_owned(), base_domain: Some("crm.test".to_owned()) }
}

async fn edge(demo: bool) -> Edge<impl Endpoint<Output = Response>> {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        data: folder.path().to_path_buf(),
        group_commit: 64,
        breached: None,
        address: address(),
        outbound: crate::config::Asking::default(),
    };
    let app = App::open(&config, Vec::new(), Clock::system()).await.unwrap();
    let uploads: Arc<std::path::Path> = folder.path().join("uploads").into();
    let operator =
        Operator { app: app.clone(), data: folder.path().to_path_buf(), uploads: Arc::clone(&uploads) };
    let request = json!({"slug": "acme", "name": "Acme", "owner": "ann@acme.example", "api_key": true});
    let request: NewOrganizationRequest = serde_json::from_value(request).unwrap();
    let created = provision::create(&operator, request).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let site = Site { demo, uploads, gate: Terminal::default() };
    Edge {
        endpoint: public(app.clone(), site, Metrics::default()).unwrap(),
        app,
        key: text(&created["api_key"]),
        link: text(&created["setup_url"]),
        _folder: folder,
    }
}

impl<E: Endpoint<Output = Response>> Edge<E> {
    async fn send(
        &self,
        method: Method,
        target: &str,
        bearer: Option<&str>,
        body: Option<Value>,
    ) -> (u16, Value) {
        let (host, path) = target.split_at(target.find('/').unwrap());
        let mut request =
            Request::builder().method(method).uri(path.parse::<Uri>().unwrap()).header("host", host);
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let request = match body {
            Some(body) => request.content_type("application/json").body(body.to_string()),
            None => request.finish(),
        };
        let response = self.endpoint.get_response(request).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().into_bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, target: &str, bearer: Option<&str>) -> (u16, Value) {
        self.send(Method::GET, target, bearer, None).await
    }

    async fn post(&self, target: &str, bearer: Option<&str>, body: Value) -> (u16, Value) {
        self.send(Method::POST, target, bearer, Some(body)).await
    }
}

#[tokio::test]
async fn an_organization_is_reached_by_path_and_by_host_name_with_its_own_token_only() {
    let edge = edge(false).await;
    let key = Some(edge.key.as_str());
    for target in ["localhost/t/acme/api/v1/me", "acme.crm.test/api/v1/me"] {
        let (status, me) = edge.get(target, key).await;
        assert_eq!((status, &me["organization"]), (200, &json!("acme")), "{target}: {me}");
        assert_eq!(edge.get(target, None).await.0, 401, "{target}");
    }
    for target in ["localhost/api/v1/me", "localhost/t/nobody/api/v1/me", "acme.crm.test/t/acme/api/v1/me"] {
        assert_eq!(edge.get(target, key).await.0, 404, "{target}");
    }
}

#[tokio::test]
async fn a_set_up_link_becomes_a_password_becomes_a_token() {
    let edge = edge(false).await;
    let (page, token) = edge.link.split_once("#token=").unwrap();
    let page = page.strip_prefix("https://").unwrap();
    assert_eq!(page, "acme.crm.test/auth/setup", "the link is made of the public address");
    assert_eq!(edge.get(page, None).await.0, 200, "the page behind the link");
    let set_up = json!({"token": token, "password": PASSWORD});
    assert_eq!(edge.post("localhost/t/acme/api/v1/auth/setup", None, set_up.clone()).await.0, 204);
    let (status, problem) = edge.post("localhost/t/acme/api/v1/auth/setup", None, set_up).await;
    assert_eq!((status, &problem["code"]), (401, &json!("invalid_setup_token")));
    let login = json!({"email": "ANN@acme.example", "password": PASSWORD});
    let (status, session) = edge.post("localhost/t/acme/api/v1/auth/login", None, login).await;
    assert_eq!((status, &session["token_type"]), (200, &json!("Bearer")), "{session}");
    let (_, me) = edge.get("localhost/t/acme/api/v1/me", session["access_token"].as_str()).await;
    assert_eq!((&me["kind"], &me["roles"]), (&json!("user"), &json!(["owner"])));
}

#[tokio::test]
async fn people_are_created_changed_on_the_version_one_knows_and_disabled() {
    let edge = edge(false).await;
    let key = Some(edge.key.as_str());
    let users = "localhost/t/acme/api/v1/users";
    let bob = json!({"name": "Bob", "email": "bob@acme.example", "roles": ["rep"]});
    let (status, created) = edge.post(users, key, bob.clone()).await;
    assert_eq!(status, 201, "{created}");
    assert_eq!(edge.post(users, key, bob).await.1["code"], "taken");
    let one = format!("{users}/{}", created["id"].as_str().unwrap());
    let (status, changed) = edge.send(Method::PATCH, &one, key, Some(json!({"email": null}))).await;
    assert_eq!((status, &changed["email"], &changed["version"]), (200, &Value::Null, &json!(2)));
    let (status, invited) = edge.post(&format!("{one}/invitation"), key, json!({})).await;
    assert_eq!((status, &invited["code"]), (409, &json!("no_email")));
    let (_, page) = edge.get(&format!("{users}?limit=1"), key).await;
    let next = page["next_cursor"].as_str().unwrap().to_owned();
    let (_, page) = edge.get(&format!("{users}?limit=1&cursor={next}"), key).await;
    assert_eq!((&page["data"][0]["name"], &page["next_cursor"]), (&json!("Bob"), &Value::Null));
    for bad in ["not-an-id", "00000000-0000-7000-8000-000000000000"] {
        assert_eq!(edge.get(&format!("{users}/{bad}"), key).await.1["code"], "user_not_found");
    }
}

#[tokio::test]
async fn a_key_does_what_its_role_may_and_nothing_once_it_is_revoked() {
    let edge = edge(false).await;
    let keys = "localhost/t/acme/api/v1/api-keys";
    let (status, _) = edge.post(keys, Some(&edge.key), json!({"name": "x", "role": "rep"})).await;
    assert_eq!(status, 403, "keys do not make keys");
    assert_eq!(edge.get(keys, Some(&edge.key)).await.1["data"].as_array().unwrap().len(), 1);
    let (_, me) = edge.get("localhost/t/acme/api/v1/me", Some(&edge.key)).await;
    let own = format!("{keys}/{}", me["id"].as_str().unwrap());
    assert_eq!(edge.send(Method::DELETE, &own, Some(&edge.key), None).await.0, 204);
    assert_eq!(edge.get("localhost/t/acme/api/v1/me", Some(&edge.key)).await.0, 401);
}

#[tokio::test]
async fn nobody_gets_into_a_suspended_organization() {
    let edge = edge(false).await;
    let organization = edge.app.organizations.by_slug("acme").await.unwrap().unwrap();
    edge.app.organizations.set_status(organization.id, Status::Suspended).await.unwrap();
    let (status, problem) = edge.get("localhost/t/acme/api/v1/me", Some(&edge.key)).await;
    assert_eq!((status, &problem["code"]), (403, &json!("organization_suspended")));
}

#[tokio::test]
async fn the_document_needs_a_token_unless_it_is_a_demo() {
    let closed = edge(false).await;
    assert_eq!(closed.get("localhost/t/acme/openapi.json", None).await.0, 401);
    let (status, document) = closed.get("localhost/t/acme/openapi.json", Some(&closed.key)).await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(document["servers"][0]["url"], "/t/acme");
    let open = edge(true).await;
    assert_eq!(open.get("localhost/t/acme/openapi.json", None).await.0, 200);
}

#[tokio::test]
async fn what_is_not_declared_is_refused() {
    let edge = edge(false).await;
    let key = Some(edge.key.as_str());
    let teams = "localhost/t/acme/api/v1/teams";
    assert_eq!(edge.get(&format!("{teams}?colour=red"), key).await.1["code"], "unknown_parameter");
    assert_eq!(edge.get(&format!("{teams}?limit=9&limit=9"), key).await.1["code"], "invalid_parameter");
    let (status, problem) = edge.post(teams, key, json!({"name": "East", "id": "x"})).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/id")));
    assert_eq!(edge.send(Method::PUT, teams, key, Some(json!({}))).await.0, 405);
    assert_eq!(edge.get("localhost/t/acme/api/v1/audit", key).await.1["code"], "not_found");
}
