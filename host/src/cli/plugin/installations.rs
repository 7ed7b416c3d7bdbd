//! The plugins of one organization: installed, upgraded, switched, taken away. The host has the rules; this asks for consent.

#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::process::ExitCode;

use hyper::Method;
use semver::Version;
use serde_json::{Value, json};

use super::catalogue::{PLUGINS, lines, rows, versions};
use crate::cli::arguments::{InstallVersion, InstallationCommand, One, Wanted};
use crate::cli::client::{Client, segment};
use crate::cli::commands::text_of;
use crate::cli::host::Host;
use crate::cli::{CliError, output};

/// What the host answered, and what people are told.
type Told = (Value, String);

pub(super) async fn run(command: InstallationCommand) -> Result<ExitCode, CliError> {
    let setting = &command.place().setting;
    let host = Host::reach(&setting.installation).await?;
    let outcome = asked(&host.client, &command).await;
    host.leave().await;
    let (answer, words) = outcome?;
    if setting.json {
        output::json(&answer);
    } else {
        output::say(&words);
    }
    Ok(ExitCode::SUCCESS)
}

async fn asked(client: &Client, command: &InstallationCommand) -> Result<Told, CliError> {
    use InstallationCommand as C;
    let here = Here::find(client, &command.place().org).await?;
    match command {
        C::Install(options) => here.install(options).await,
        C::Upgrade(options) => here.upgrade(options).await,
        C::Rollback(options) => here.post(&options.one, "roll-back", "is back in version").await,
        C::Enable(options) => here.post(&options.one, "enable", "is on in version").await,
        C::Disable(options) => {
            here.post(&options.one, "disable", "is off; its records wait, in version").await
        }
        C::Pin(options) => here.post(&options.one, "pin", "stays in version").await,
        C::Unpin(options) => {
            here.post(&options.one, "unpin", "goes with roll-outs again, from version").await
        }
        C::Uninstall(options) => here.uninstall(&options.one).await,
        C::Installed(_) => here.installed().await,
    }
}

/// One organization, as the host knows it.
struct Here<'a> {
    client: &'a Client,
    slug: &'a str,
    /// The address of its plugins.
    root: String,
}

impl<'a> Here<'a> {
    async fn find(client: &'a Client, slug: &'a str) -> Result<Self, CliError> {
        let organization = client.get(&format!("/organizations/{}", segment(slug))).await?;
        let root = format!("/admin/v1/organizations/{}/plugins", text_of(&organization["id"]));
        Ok(Self { client, slug, root })
    }

    async fn install(&self, options: &InstallVersion) -> Result<Told, CliError> {
        let Wanted { plugin, version } = &options.wanted;
        let version = match version {
            Some(version) => version.clone(),
            None => newest(&versions(self.client, plugin).await?).ok_or_else(|| {
                CliError::Operator(format!(
                    "no version of `{plugin}` runs\n`stoa plugin show {plugin}` says why."
                ))
            })?,
        };
        self.bring(options, &version).await
    }

    async fn upgrade(&self, options: &InstallVersion) -> Result<Told, CliError> {
        let (plugin, slug) = (&options.wanted.plugin, self.slug);
        let now = self.client.get(&format!("{}/{plugin}", self.root)).await?;
        let runs = text_of(&now["version"]).to_owned();
        let newest = || now["newest"].as_str().map(str::to_owned);
        let wanted = options.wanted.version.clone().or_else(newest).unwrap_or_else(|| runs.clone());
        if wanted == runs {
            let words = format!("{slug} has {plugin} {runs} already.");
            return Ok((now, words));
        }
        if read(&wanted) < read(&runs) {
            return Err(CliError::Operator(format!(
                "{slug} has {plugin} {runs}, which is newer than {wanted}
`stoa plugin rollback {plugin} --org {slug}` goes back to the version before, `stoa plugin install` to any that ran there."
            )));
        }
        self.bring(options, &wanted).await
    }

    /// Brings a version, once what it can do is agreed to.
    async fn bring(&self, options: &InstallVersion, version: &str) -> Result<Told, CliError> {
        let (plugin, slug) = (&options.wanted.plugin, self.slug);
        let path = format!("{}/{plugin}", self.root);
        let preview = self.client.get(&format!("{path}/preview?version={}", segment(version))).await?;
        let changes = changes(&preview);
        if options.dry_run {
            let words = format!("{plugin} {version} in {slug} would bring:{changes}");
            return Ok((json!({ "plugin": plugin, "version": version, "preview": preview }), words));
        }
        let added = &preview["capabilities_added"];
        let asks = added.as_array().is_some_and(|added| !added.is_empty());
        if asks && !options.consent {
            let what = format!("{plugin} {version} can do what nobody agreed to for {slug}:{changes}");
            let question = || output::agree(&format!("{what}\nAgree?"));
            let agreed = if options.place.setting.json { None } else { question() };
            match agreed {
                Some(true) => {}
                Some(false) => return Err(CliError::Operator("nothing was installed".to_owned())),
                None => {
                    let next = "Nothing was installed. Look through it; `--consent` agrees to all of it.";
                    return Err(CliError::Operator(format!("{what}\n{next}")));
                }
            }
        }
        let body = json!({ "version": version, "consent": added });
        let installed = self.client.call(Method::PUT, &path, Some(&body)).await?;
        let mut words = format!("{slug} has {plugin} {version} now");
        if let Some(from) = preview["from"].as_str().filter(|from| *from != version) {
            words.push_str(&format!(", instead of {from}"));
        }
        words.push('.');
        if installed["licensed"] != true {
            let known = self.client.get(&format!("{PLUGINS}/{plugin}/versions/{version}")).await?;
            let module = text_of(&known["module"]);
            words.push_str(&format!(
                "\nIt does not run there before its module is licensed: `stoa license {slug} {module}`."
            ));
        }
        Ok((installed, words))
    }

    /// Something that is said with one word.
    async fn post(&self, one: &One, verb: &str, became: &str) -> Result<Told, CliError> {
        let path = format!("{}/{}/{verb}", self.root, one.plugin);
        let now = self.client.call(Method::POST, &path, None).await?;
        let words = format!("{} in {} {became} {}.", one.plugin, self.slug, text_of(&now["version"]));
        Ok((now, words))
    }

    async fn uninstall(&self, one: &One) -> Result<Told, CliError> {
        let path = format!("{}/{}", self.root, one.plugin);
        let gone = self.client.call(Method::DELETE, &path, None).await?;
        let kept = match gone["archived"].as_str() {
            Some(file) => format!("Its records are in the organization's folder archive/: {file}"),
            None => "It had no records.".to_owned(),
        };
        let words = format!("{} is taken away from {}. {kept}", one.plugin, self.slug);
        Ok((gone, words))
    }

    async fn installed(&self) -> Result<Told, CliError> {
        let all = self.client.get(&self.root).await?;
        let known = self.client.get(PLUGINS).await?;
        let runs = |one: &Value| {
            rows(&known).any(|version| {
                version["plugin"] == one["plugin"]
                    && version["version"] == one["version"]
                    && version["runs"] == true
            })
        };
        let line = |one: &Value| of_installation(one, runs(one));
        let words = lines(rows(&all).map(line), "It has no plugin: `stoa plugin install`.");
        Ok((all, words))
    }
}

/// What a preview tells, a line each.
fn changes(preview: &Value) -> String {
    let kinds = [
        ("capabilities_added", "can, and could not before"),
        ("capabilities_removed", "cannot any more"),
        ("schema_added", "new"),
        ("schema_removed", "not shown any more; values are kept"),
        ("steps", "step of its own; its file is copied before"),
    ];
    let line = |(name, words): (&str, &str)| {
        let each = preview[name].as_array().into_iter().flatten();
        each.map(|one| format!("\n  {words}: {}", text_of(one))).collect::<String>()
    };
    let all: String = kinds.into_iter().map(line).collect();
    if all.is_empty() { " nothing that is not there".to_owned() } else { all }
}

/// `runs`: its version is at hand.
fn of_installation(one: &Value, runs: bool) -> String {
    let part = |name: &str| text_of(&one[name]);
    let mut marks = vec![if one["enabled"] == true { "on".to_owned() } else { "off".to_owned() }];
    if !runs {
        marks.push("its version is stopped".to_owned());
    } else if one["licensed"] != true {
        marks.push("not licensed".to_owned());
    }
    if one["pinned"] == true {
        marks.push("pinned".to_owned());
    }
    if let Some(newest) = one["newest"].as_str().filter(|newest| *newest != part("version")) {
        marks.push(format!("newest is {newest}"));
    }
    let mut line = format!("{:<24} {:<12} {}", part("plugin"), part("version"), marks.join(", "));
    if let Some(version) = one["fault"]["version"].as_str() {
        line.push_str(&format!(
            "\n  {version} could not be made ready: {}",
            text_of(&one["fault"]["detail"])
        ));
    }
    line
}

/// The newest version that runs.
fn newest(versions: &[Value]) -> Option<String> {
    let running = versions.iter().filter(|one| one["runs"] == true).filter_map(|one| one["version"].as_str());
    running.max_by_key(|version| read(version)).map(str::to_owned)
}

fn read(version: &str) -> Option<Version> {
    Version::parse(version).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_the_newest_that_runs() {
        let version = |number: &str, runs: bool| json!({ "version": number, "runs": runs });
        let all = [version("1.9.0", true), version("1.10.0", true), version("2.0.0", false)];
        assert_eq!(newest(&all).as_deref(), Some("1.10.0"));
        assert_eq!(newest(&[version("1.0.0", false)]), None);
    }

    #[test]
    fn a_preview_tells_everything_that_changes() {
        let preview =
            json!({ "capabilities_added": ["requires:crm"], "schema_removed": ["note.text"], "steps": [] });
        assert_eq!(
            changes(&preview),
            "\n  can, and could not before: requires:crm\n  not shown any more; values are kept: note.text"
        );
        assert_eq!(changes(&json!({})), " nothing that is not there");
    }

    #[test]
    fn an_installation_is_told_with_what_is_special() {
        let one = json!({
            "plugin": "notes", "version": "1.0.0", "enabled": true, "licensed": true, "pinned": true, "newest": "2.0.0",
            "fault": { "version": "2.0.0", "detail": "No." },
        });
        let line = of_installation(&one, true);
        assert!(line.contains("on, pinned, newest is 2.0.0\n  2.0.0 could not be made ready: No."), "{line}");
        assert!(of_installation(&one, false).contains("on, its version is stopped, pinned"));
        let off = json!({ "enabled": false, "licensed": false });
        assert!(of_installation(&off, true).ends_with("off, not licensed"));
    }
}
