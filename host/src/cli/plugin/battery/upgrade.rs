//! A version after another, and back: what each wrote the other reads, changes and keeps.
#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::caller::Caller;
use super::records::Entity;
use super::stage::{Place, Stage};
use super::world::{World, id};
use crate::cli::CliError;
use crate::cli::plugin::{UNPUBLISHED, refused};
use crate::plugins::{Archive, Plugin, Plugins, Trust, files_of};

/// The version of an earlier version that is made up.
const BEFORE: &str = "0.0.0-before";
/// How many fields are tried until a version without it is good.
const TRIES: usize = 12;
/// Whose values stand in every whole example.
const PLAIN: [&str; 5] = ["text", "integer", "boolean", "date", "decimal"];
/// What the host changes with every change of a record.
const MOVES: [&str; 4] = ["version", "updated_at", "updated_by", "external_ids"];

/// A version that was there before.
pub(super) struct Earlier {
    plugin: Arc<Plugin>,
    manifest: Value,
    /// For people.
    pub words: String,
}

impl Earlier {
    /// The package that the author names, or the plugin under test with one optional field less. Takes its time.
    ///
    /// # Errors
    /// The package named is no earlier version of the plugin, or not good.
    pub(super) fn find(
        plugins: &Plugins,
        files: &BTreeMap<String, Vec<u8>>,
        manifest: &Value,
        from: Option<&Path>,
    ) -> Result<Self, CliError> {
        if let Some(path) = from {
            return Self::named(plugins, manifest, path);
        }
        for (words, manifest) in made_up(manifest) {
            let mut files = files.clone();
            files.insert("manifest.json".to_owned(), manifest.to_string().into_bytes());
            let archive = Archive::pack(files, UNPUBLISHED, None).map_err(refused)?;
            if let Ok(plugin) = plugins.check(&archive, Trust::Local) {
                return Ok(Self { plugin: Arc::new(plugin), manifest, words });
            }
        }
        Err(CliError::Author("no earlier version can be made up; name one with --from".into()))
    }

    fn named(plugins: &Plugins, manifest: &Value, path: &Path) -> Result<Self, CliError> {
        let archive = if path.is_dir() {
            Archive::pack(files_of(path).map_err(refused)?, UNPUBLISHED, None)
        } else {
            let bytes = std::fs::read(path).map_err(|error| CliError::File(path.to_owned(), error))?;
            Archive::read(&bytes)
        };
        let archive = archive.map_err(refused)?;
        let text = archive.file("manifest.json").unwrap_or_default();
        let earlier: Value = serde_json::from_slice(text).map_err(CliError::Answer)?;
        let version = |manifest: &Value| semver::Version::parse(manifest["version"].as_str()?).ok();
        if earlier["id"] != manifest["id"] || version(&earlier) >= version(manifest) {
            let what = format!("{} {}", earlier["id"], earlier["version"]);
            return Err(CliError::Author(format!("{what} is no earlier version of the plugin")));
        }
        let plugin = plugins.check(&archive, Trust::Local).map_err(|faults| {
            CliError::Author(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        let words = earlier["version"].as_str().unwrap_or_default().to_owned();
        Ok(Self { plugin: Arc::new(plugin), manifest: earlier, words })
    }
}

/// Manifests of versions that might have been there before, the best first: without an optional field, and without hooks,
/// whose code knows that field; at last the same under a lower version.
fn made_up(manifest: &Value) -> Vec<(String, Value)> {
    let mut same = manifest.clone();
    same["version"] = BEFORE.into();
    let mut all = Vec::new();
    for (at, entity) in manifest["entities"].as_array().into_iter().flatten().enumerate() {
        let fields = entity["fields"].as_array().map_or(&[][..], Vec::as_slice);
        // What is required and cannot be said is said by hooks.
        let is_closed = |field: &Value| field["required"] == true && field["read_only"] == true;
        if fields.iter().any(|field| is_closed(field) && field["default"].is_null()) {
            continue;
        }
        for (which, field) in fields.iter().enumerate() {
            let kind = field["type"].as_str().unwrap_or_default();
            let needed = ["required", "read_only", "unique"].iter().any(|word| field[*word] == true);
            if needed || !PLAIN.contains(&kind) || field["key"] == entity["title"] {
                continue;
            }
            let mut without = same.clone();
            let entities = without["entities"].as_array_mut().into_iter().flatten();
            entities.for_each(|entity| entity["hooks"] = json!([]));
            if let Some(fields) = without["entities"][at]["fields"].as_array_mut() {
                fields.remove(which);
            }
            let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let words = format!("a version without `{}.{}`", name(&entity["key"]), name(&field["key"]));
            all.push((words, without));
        }
    }
    all.truncate(TRIES);
    all.push(("the same under a lower version".to_owned(), same));
    all
}

/// Records that were made, by address.
type Made = Vec<(String, Value)>;

/// An organization begins with the earlier version, goes up, back, and up again; each version writes, and all of it lasts.
pub(super) async fn goes_up_and_back(
    stage: &Stage,
    manifest: &Value,
    earlier: &Earlier,
    examples: &Value,
) -> Result<(), String> {
    let plugins = &stage.app.plugins;
    let text = |name: &str| manifest[name].as_str().unwrap_or_default();
    let old = Arc::clone(&earlier.plugin);
    let newer = plugins.take_off(text("id"), text("version")).ok_or("the plugin is not there")?;
    plugins.shelve(Arc::clone(&old));
    let begun = begins(stage, &old).await;
    plugins.shelve(Arc::clone(&newer));
    let place = begun?;

    let world = world(&place, examples).await?;
    let by_old = makes(&world, &earlier.manifest).await?;
    stage.install(&place, &newer).await?;
    are_there(&place, &by_old, &[]).await.map_err(|why| format!("after the upgrade, {why}"))?;
    let by_new = makes(&self::world(&place, examples).await?.behind(&world), manifest).await?;
    // Hooks may have brought the new into the old.
    let by_old = as_they_are(&place.owner, by_old).await?;

    stage.install(&place, &old).await?;
    are_there(&place, &by_old, &[]).await.map_err(|why| format!("after going back, {why}"))?;
    let known: Made = by_new.iter().filter(|(path, _)| knows(&earlier.manifest, path)).cloned().collect();
    are_there(&place, &known, &[]).await.map_err(|why| format!("after going back, {why}"))?;
    for (path, record) in &known {
        let change = json!({ "external_ids": { "battery": id(record)? } });
        place.owner.call(Method::PATCH, path, Some(&change), None).await?.one_of(&[200, 405])?;
    }

    stage.install(&place, &newer).await?;
    let told = |why| format!("after going back and up again, {why}");
    are_there(&place, &by_new, &MOVES).await.map_err(told)?;
    are_there(&place, &by_old, &MOVES).await.map_err(told)
}

/// An organization that has never seen another version.
async fn begins(stage: &Stage, old: &Arc<Plugin>) -> Result<Place, String> {
    let place = stage.another("upgraded").await.map_err(|error| error.to_string())?;
    stage.install(&place, old).await?;
    Ok(place)
}

/// The organization as the document of the version that runs describes it.
async fn world(place: &Place, examples: &Value) -> Result<World, String> {
    let document = place.owner.get("/openapi.json").await?.expect(200)?;
    Ok(World::new(place.owner.clone(), document, examples.clone()))
}

/// A whole record of each entity of a manifest, as the version that runs makes them.
async fn makes(world: &World, manifest: &Value) -> Result<Made, String> {
    let mut made = Made::new();
    for entity in Entity::all(manifest).iter().filter(|entity| entity.offers("create")) {
        let body = world.body("post", &entity.address, "whole").await?;
        let record = world.owner.post(&world.twice("post", &entity.address), &body).await?.expect(201)?;
        made.push((format!("{}/{}", entity.address, id(&record)?), record));
    }
    as_they_are(&world.owner, made).await
}

/// The records as the version that runs shows them.
async fn as_they_are(owner: &Caller, mut made: Made) -> Result<Made, String> {
    for (path, record) in &mut made {
        *record = owner.get(path).await?.expect(200)?;
    }
    Ok(made)
}

fn knows(manifest: &Value, path: &str) -> bool {
    Entity::all(manifest).iter().any(|entity| path.starts_with(&format!("{}/", entity.address)))
}

/// Whether each record is there with every value that it had, as far as the version that runs has such a field.
async fn are_there(place: &Place, made: &[(String, Value)], but: &[&str]) -> Result<(), String> {
    for (path, before) in made {
        let now = place.owner.get(path).await?.expect(200)?;
        let members = before.as_object().into_iter().flatten();
        for (key, value) in members.filter(|(key, _)| !but.contains(&key.as_str())) {
            if now.get(key).is_some_and(|now| now != value) {
                return Err(format!("`{key}` of {path} was {value} and is {}", now[key]));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_version_lacks_what_can_be_missed() {
        let manifest = json!({
            "id": "zoo", "version": "1.2.0",
            "entities": [
                { "key": "animal", "title": "name", "hooks": ["validate"], "fields": [
                    { "key": "name", "type": "text" },
                    { "key": "legs", "type": "integer", "required": true },
                    { "key": "tag", "type": "text", "unique": true },
                    { "key": "wild", "type": "boolean" },
                ] },
                { "key": "gate", "title": null, "hooks": [], "fields": [
                    { "key": "open", "type": "boolean", "required": true, "read_only": true, "default": false },
                    { "key": "note", "type": "text" },
                ] },
                { "key": "cage", "title": null, "hooks": [], "fields": [
                    { "key": "number", "type": "text", "required": true, "read_only": true },
                    { "key": "note", "type": "text" },
                ] },
            ],
        });
        let all = made_up(&manifest);
        let words: Vec<&str> = all.iter().map(|(words, _)| words.as_str()).collect();
        assert_eq!(
            words,
            [
                "a version without `animal.wild`",
                "a version without `gate.note`",
                "the same under a lower version"
            ]
        );
        let (_, without) = &all[0];
        assert_eq!(without["entities"][0]["fields"].as_array().unwrap().len(), 3);
        assert_eq!((&without["entities"][0]["hooks"], &without["version"]), (&json!([]), &json!(BEFORE)));
        assert_eq!(all[2].1["entities"], manifest["entities"]);
        assert!(knows(
            &json!({ "id": "zoo", "entities": [{ "key": "cage", "plural": "cages" }] }),
            "/api/v1/zoo/cages/1"
        ));
    }
}
