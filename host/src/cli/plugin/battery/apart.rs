//! Two organizations with the same plugin: what one writes is neither seen nor felt in the other.
#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use hyper::Method;
use serde_json::{Value, json};

use super::caller::Caller;
use super::records::{Entity, count};
use super::stage::Stage;
use super::world::World;

/// Records, files and figures of a neighbour are the same before and after the organization works, and no address of the
/// one leads into the other.
pub(super) async fn are_apart(
    stage: &Stage,
    world: &World,
    entities: &[Entity<'_>],
    manifest: &Value,
) -> Result<(), String> {
    let plugin = manifest["id"].as_str().unwrap_or_default();
    let neighbour = stage.another("neighbour").await.map_err(|error| error.to_string())?;
    let before = seen(&neighbour.owner, entities, manifest).await?;
    let changes = stage.changes(&neighbour, plugin).await?;
    for entity in entities.iter().filter(|entity| entity.offers("create")) {
        let (address, body) = (&entity.address, world.body("post", &entity.address, "whole").await?);
        let id = world.made(&world.twice("post", address), &body).await?;
        is_closed(&world.owner, &neighbour.owner, entity, &id).await?;
    }
    for setting in manifest["settings"].as_array().into_iter().flatten() {
        let key = setting["key"].as_str().unwrap_or_default();
        if stage.sets(&neighbour, (plugin, key), &setting["default"]).await? {
            return Err(format!("the setting `{key}` of one organization is set in another"));
        }
    }
    let after = seen(&neighbour.owner, entities, manifest).await?;
    if let Some(((what, before), (_, after))) = before.iter().zip(&after).find(|(one, other)| one != other) {
        return Err(format!("{what} of another organization changed from {before} to {after}"));
    }
    let now = stage.changes(&neighbour, plugin).await?;
    if now != changes {
        return Err(format!("the file of another organization had {changes} changes and has {now}"));
    }
    Ok(())
}

/// A record of one organization is nowhere in the other, and the key of one opens nothing of the other.
async fn is_closed(owner: &Caller, neighbour: &Caller, entity: &Entity<'_>, id: &str) -> Result<(), String> {
    let place = format!("{}/{id}", entity.address);
    owner.get(&place).await?.expect(200)?;
    neighbour.get(&place).await?.expect(404)?;
    neighbour.get(&format!("{place}/history")).await?.expect(404)?;
    if entity.offers("update") {
        let change = json!({ "external_ids": { "battery": "theirs" } });
        neighbour.call(Method::PATCH, &place, Some(&change), None).await?.expect(404)?;
    }
    if entity.offers("delete") {
        neighbour.delete(&place).await?.expect(404)?;
    }
    let listed = neighbour.get(&format!("{}?id={id}", entity.address)).await?.expect(200)?;
    if listed["data"].as_array().is_none_or(|found| !found.is_empty()) {
        return Err(format!("{place} is listed in another organization: {listed}"));
    }
    let abroad = Caller { prefix: neighbour.prefix.clone(), ..owner.clone() };
    abroad.get(&entity.address).await?.expect(401)?;
    Ok(())
}

/// What an organization's owner sees of the plugin: how many records, the newest of them, the figures of reports.
async fn seen(
    owner: &Caller,
    entities: &[Entity<'_>],
    manifest: &Value,
) -> Result<Vec<(String, Value)>, String> {
    let mut seen = Vec::new();
    for entity in entities {
        let newest = owner.get(&format!("{}?limit=200", entity.address)).await?.expect(200)?;
        seen.push((entity.object.clone(), json!([count(owner, entity).await?, newest["data"]])));
    }
    let plugin = manifest["id"].as_str().unwrap_or_default();
    for report in manifest["reports"].as_array().into_iter().flatten() {
        let path = format!("/api/v1/{plugin}/reports/{}", report["key"].as_str().unwrap_or_default());
        let said = owner.get(&path).await?.one_of(&[200, 422])?;
        seen.push((path, json!([said["rows"], said["notes"]])));
    }
    Ok(seen)
}
