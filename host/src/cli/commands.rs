//! The commands that ask one question: organizations, licences, keys.

#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::process::ExitCode;

use hyper::Method;
use serde_json::{Value, json};

use super::arguments::{ClaimCode, CreateKey, CreateOrganization, Installation, License, ListOrganizations};
use super::client::segment;
use super::host::Host;
use super::{CliError, output};

/// Asks the host of the folder, and prints the answer: the whole as JSON, or what `words` makes of it.
pub(super) async fn ask(
    installation: &Installation,
    (method, path): (Method, &str),
    body: Option<Value>,
    as_json: bool,
    words: impl FnOnce(&Value) -> String,
) -> Result<ExitCode, CliError> {
    let host = Host::reach(installation).await?;
    let answer = host.client.call(method, path, body.as_ref()).await;
    host.leave().await;
    let answer = answer?;
    if as_json {
        output::json(&answer)
    } else {
        output::say(&words(&answer))
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn create_organization(options: CreateOrganization) -> Result<ExitCode, CliError> {
    let body = json!({
        "slug": options.slug, "name": options.name, "owner": options.owner, "modules": options.modules,
        "zone": options.zone, "locale": options.locale, "currency": options.currency, "api_key": options.api_key,
    });
    let target = (Method::POST, "/organizations");
    ask(&options.installation, target, Some(body), options.json, |created| {
        let mut text = format!(
            "Created {}. Its owner chooses a password at\n  {}\n  (once, until {})",
            text_of(&created["organization"]["slug"]),
            text_of(&created["setup_url"]),
            text_of(&created["setup_expires_at"]),
        );
        if let Some(key) = created["api_key"].as_str() {
            text.push_str(&format!("\nAPI key, shown this once:\n  {key}"));
        }
        text
    })
    .await
}

pub(super) async fn list_organizations(options: ListOrganizations) -> Result<ExitCode, CliError> {
    let target = (Method::GET, "/organizations");
    ask(&options.installation, target, None, options.json, |answer| {
        let line = |organization: &Value| {
            let part = |name: &str| text_of(&organization[name]).to_owned();
            format!("{:<32} {:<10} {}", part("slug"), part("status"), part("name"))
        };
        let lines: Vec<String> = answer["data"].as_array().into_iter().flatten().map(line).collect();
        if lines.is_empty() {
            "There is no organization yet: `stoa org create`.".to_owned()
        } else {
            lines.join("\n")
        }
    })
    .await
}

pub(super) async fn license(options: License) -> Result<ExitCode, CliError> {
    let path = format!("/organizations/{}/licences/{}", segment(&options.slug), segment(&options.module));
    let method = if options.revoke { Method::DELETE } else { Method::PUT };
    ask(&options.installation, (method, &path), None, options.json, |answer| {
        let state = if answer["licensed"] == true { "is licensed for" } else { "is no longer licensed for" };
        format!("{} {state} {}.", text_of(&answer["organization"]), text_of(&answer["module"]))
    })
    .await
}

pub(super) async fn create_api_key(options: CreateKey) -> Result<ExitCode, CliError> {
    let path = format!("/organizations/{}/api-keys", segment(&options.org));
    let body = json!({ "role": options.role, "name": options.name, "expires_at": options.expires_at });
    ask(&options.installation, (Method::POST, &path), Some(body), options.json, |answer| {
        format!(
            "API key with the role {}, shown this once:\n  {}",
            text_of(&answer["role"]),
            text_of(&answer["api_key"])
        )
    })
    .await
}

pub(super) async fn claim_code(options: ClaimCode) -> Result<ExitCode, CliError> {
    let target = (Method::POST, "/platform/claim-code");
    ask(&options.installation, target, None, options.json, |answer| {
        let (code, hours) = (text_of(&answer["claim_code"]), &answer["hours"]);
        format!("Claim code, good once and for {hours} hours:\n  {code}")
    })
    .await
}

/// A text, or nothing.
pub(super) fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
