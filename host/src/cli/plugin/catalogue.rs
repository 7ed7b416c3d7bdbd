//! Whom an installation trusts, and the versions that they published: asked of the host, which has the rules.

use std::process::ExitCode;

use hyper::Method;
use serde_json::{Value, json};

use crate::cli::arguments::{
    CatalogueCommand, KillVersion, OneVersion, PublishPackage, ReviveVersion, RevokeKey, Setting, ShowPlugin,
    TrustPublisher,
};
use crate::cli::client::Client;
use crate::cli::commands::{ask, text_of};
use crate::cli::host::Host;
use crate::cli::{CliError, output};

/// Where the platform's plane has publishers.
const PUBLISHERS: &str = "/admin/v1/publishers";
/// Where it has versions.
pub(super) const PLUGINS: &str = "/admin/v1/plugins";

pub(super) async fn run(command: CatalogueCommand) -> Result<ExitCode, CliError> {
    match command {
        CatalogueCommand::Trust(options) => trust(options).await,
        CatalogueCommand::Revoke(options) => revoke(options).await,
        CatalogueCommand::Publishers(options) => publishers(options.setting).await,
        CatalogueCommand::Publish(options) => publish(options).await,
        CatalogueCommand::List(options) => list(options.setting).await,
        CatalogueCommand::Show(options) => show(options).await,
        CatalogueCommand::Kill(options) => kill(options).await,
        CatalogueCommand::Revive(options) => revive(options).await,
    }
}

async fn trust(options: TrustPublisher) -> Result<ExitCode, CliError> {
    let TrustPublisher { setting, publisher, public_key, level, name } = options;
    let (path, body) = match level {
        Some(level) => {
            let name = name.unwrap_or_else(|| publisher.clone());
            let body = json!({ "id": publisher, "name": name, "trust": level, "public_key": public_key });
            (PUBLISHERS.to_owned(), body)
        }
        None => (format!("{PUBLISHERS}/{publisher}/keys"), json!({ "public_key": public_key })),
    };
    ask(&setting.installation, (Method::POST, &path), Some(body), setting.json, |made| {
        format!("{}\nWhat it signed can be published: `stoa plugin publish FILE.stoa`.", of_publisher(made))
    })
    .await
}

async fn revoke(options: RevokeKey) -> Result<ExitCode, CliError> {
    let RevokeKey { setting, publisher, key } = options;
    let path = format!("{PUBLISHERS}/{publisher}/keys/{key}");
    ask(&setting.installation, (Method::DELETE, &path), None, setting.json, |left| {
        format!("{}\nNothing that {key} signed runs any more.", of_publisher(left))
    })
    .await
}

async fn publishers(setting: Setting) -> Result<ExitCode, CliError> {
    ask(&setting.installation, (Method::GET, PUBLISHERS), None, setting.json, |answer| {
        let nobody = "Nobody is trusted yet: `stoa plugin trust`.";
        lines(rows(answer).map(of_publisher), nobody)
    })
    .await
}

async fn publish(options: PublishPackage) -> Result<ExitCode, CliError> {
    let package = super::bytes_of(&options.file)?;
    let path = if options.dry_run { format!("{PLUGINS}?dry_run=true") } else { PLUGINS.to_owned() };
    let host = Host::reach(&options.setting.installation).await?;
    let answer = host.client.upload(&path, package).await;
    host.leave().await;
    let version = answer?;
    if options.setting.json {
        output::json(&version);
    } else {
        output::say(&published(&version, options.dry_run));
    }
    Ok(ExitCode::SUCCESS)
}

fn published(version: &Value, dry_run: bool) -> String {
    let part = |name: &str| text_of(&version[name]);
    let (plugin, number) = (part("plugin"), part("version"));
    let what = format!("{plugin} {number}, signed by {} with {}", part("publisher"), part("key"));
    match (dry_run, version["killed_reason"].as_str()) {
        (_, Some(reason)) => {
            format!(
                "{what}, is in the catalogue and stopped: {reason}\n`stoa plugin revive {plugin} {number}` lets it run."
            )
        }
        (true, None) => format!("{what}, can be published. Nothing was kept."),
        (false, None) => {
            format!(
                "{what}, is in the catalogue.\nAn organization gets it with `stoa plugin install {plugin}@{number} --org SLUG`."
            )
        }
    }
}

async fn list(setting: Setting) -> Result<ExitCode, CliError> {
    ask(&setting.installation, (Method::GET, PLUGINS), None, setting.json, |answer| {
        let line = |one: &Value| {
            let part = |name: &str| one[name].as_str().unwrap_or("-");
            let (plugin, version, trust) = (part("plugin"), part("version"), part("trust"));
            format!("{plugin:<24} {version:<12} {trust:<10} {:<16} {}", part("publisher"), state(one))
        };
        lines(rows(answer).map(line), "There is no plugin: `stoa plugin publish` brings a package.")
    })
    .await
}

async fn show(options: ShowPlugin) -> Result<ExitCode, CliError> {
    let host = Host::reach(&options.setting.installation).await?;
    let outcome = found(&host.client, &options.plugin).await;
    host.leave().await;
    let (versions, fleet) = outcome?;
    if options.setting.json {
        output::json(&json!({ "plugin": options.plugin, "versions": versions, "fleet": fleet }));
    } else {
        let told: Vec<String> = versions.iter().map(|version| of_version(version, &fleet)).collect();
        output::say(&told.join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The versions of a plugin, and who runs them.
async fn found(client: &Client, plugin: &str) -> Result<(Vec<Value>, Value), CliError> {
    let versions = versions(client, plugin).await?;
    Ok((versions, fleet(client, plugin).await?))
}

/// The versions of a plugin; at least one.
pub(super) async fn versions(client: &Client, plugin: &str) -> Result<Vec<Value>, CliError> {
    let all = client.get(PLUGINS).await?;
    let of_it: Vec<Value> = rows(&all).filter(|one| one["plugin"] == plugin).cloned().collect();
    if of_it.is_empty() {
        return Err(CliError::Operator(format!(
            "there is no plugin `{plugin}` here\n`stoa plugin list` shows what there is, `stoa plugin publish` brings a package."
        )));
    }
    Ok(of_it)
}

async fn fleet(client: &Client, plugin: &str) -> Result<Value, CliError> {
    client.get(&format!("/admin/v1/fleet?plugin={plugin}")).await
}

async fn kill(options: KillVersion) -> Result<ExitCode, CliError> {
    let KillVersion { version: OneVersion { setting, plugin, number: version }, reason } = options;
    let host = Host::reach(&setting.installation).await?;
    let outcome = stopped(&host.client, (&plugin, &version), &reason).await;
    host.leave().await;
    let (killed, organizations) = outcome?;
    if setting.json {
        output::json(&killed);
    } else {
        output::say(&format!(
            "{plugin} {version} is stopped; it was installed in {}. Its addresses answer 503 plugin_stopped.
Bring them to another version with `stoa plugin install {plugin}@VERSION --org SLUG`, or let it run again with
`stoa plugin revive {plugin} {version}`.",
            counted(organizations)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn stopped(
    client: &Client,
    (plugin, version): (&str, &str),
    reason: &str,
) -> Result<(Value, u64), CliError> {
    let path = format!("{PLUGINS}/{plugin}/versions/{version}/kill");
    let killed = client.post(&path, &json!({ "reason": reason })).await?;
    Ok((killed, running(&fleet(client, plugin).await?, version)))
}

async fn revive(options: ReviveVersion) -> Result<ExitCode, CliError> {
    let ReviveVersion { version: OneVersion { setting, plugin, number: version } } = options;
    let path = format!("{PLUGINS}/{plugin}/versions/{version}/revive");
    ask(&setting.installation, (Method::POST, &path), None, setting.json, |revived| {
        format!("{plugin} {version}: {}.", state(revived))
    })
    .await
}

/// How many organizations have this version.
fn running(fleet: &Value, version: &str) -> u64 {
    let count = fleet["versions"].as_array().into_iter().flatten().find(|one| one["version"] == version);
    count.and_then(|one| one["organizations"].as_u64()).unwrap_or_default()
}

fn counted(organizations: u64) -> String {
    if organizations == 1 { "1 organization".to_owned() } else { format!("{organizations} organizations") }
}

/// Whether a version runs.
fn state(version: &Value) -> String {
    match version["killed_reason"].as_str() {
        Some(reason) => format!("stopped: {reason}"),
        None if version["runs"] == true => "runs".to_owned(),
        None => {
            "does not run: its key was revoked or its package does not hold (see the host's log)".to_owned()
        }
    }
}

fn of_publisher(publisher: &Value) -> String {
    let part = |name: &str| text_of(&publisher[name]);
    let key = |key: &Value| {
        let (id, public) = (text_of(&key["id"]), text_of(&key["public_key"]));
        match key["revoked_at"].as_str() {
            Some(at) => format!("\n  key {id}  {public}  revoked {at}"),
            None => format!("\n  key {id}  {public}"),
        }
    };
    let keys = publisher["keys"].as_array().into_iter().flatten().map(key);
    format!("{:<20} {:<10} {}{}", part("id"), part("trust"), part("name"), keys.collect::<String>())
}

fn of_version(version: &Value, fleet: &Value) -> String {
    let part = |name: &str| version[name].as_str();
    let number = part("version").unwrap_or_default();
    let mut text = format!("{} {number}: {}", part("plugin").unwrap_or_default(), state(version));
    text.push_str(&format!("\n  installed in {}", counted(running(fleet, number))));
    for (name, words) in [
        ("trust", "trust"),
        ("publisher", "publisher"),
        ("key", "signed with"),
        ("sha256", "sha256"),
        ("uploaded_at", "published"),
        ("module", "module"),
    ] {
        if let Some(value) = part(name) {
            text.push_str(&format!("\n  {words:<12} {value}"));
        }
    }
    let capabilities = version["capabilities"].as_array().into_iter().flatten();
    text.extend(capabilities.map(|one| format!("\n  can          {}", text_of(one))));
    text
}

/// The items of a list.
pub(super) fn rows(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["data"].as_array().into_iter().flatten()
}

/// One line each, or what stands there when there is none.
pub(super) fn lines(each: impl Iterator<Item = String>, none: &str) -> String {
    let all: Vec<String> = each.collect();
    if all.is_empty() { none.to_owned() } else { all.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_with_its_state_and_who_has_it() {
        let fleet = json!({ "versions": [{ "version": "1.0.0", "organizations": 2 }] });
        let version = json!({
            "plugin": "notes", "version": "1.0.0", "runs": true, "publisher": "acme", "module": null,
            "capabilities": ["requires:crm"],
        });
        let text = of_version(&version, &fleet);
        assert!(text.starts_with("notes 1.0.0: runs\n  installed in 2 organizations"), "{text}");
        assert!(text.contains("publisher    acme") && text.ends_with("requires:crm"), "{text}");
        let stopped = json!({ "runs": false, "killed_reason": "it lies" });
        assert_eq!(state(&stopped), "stopped: it lies");
        assert!(state(&json!({ "runs": false, "killed_reason": null })).contains("revoked"));
    }

    #[test]
    fn a_revoked_key_stands_out() {
        let keys = json!([{ "id": "1f", "public_key": "A=", "revoked_at": "2026-01-01T00:00:00.000Z" }]);
        let text =
            of_publisher(&json!({ "id": "acme", "trust": "private", "name": "Acme Inc.", "keys": keys }));
        assert!(text.contains("Acme Inc.\n  key 1f  A=  revoked 2026"), "{text}");
    }
}
