//! What every declared entity must do over REST, whatever the plugin adds.
#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use hyper::Method;
use serde_json::{Value, json};

use super::caller::Caller;
use super::world::{World, id};
use crate::cli::client::segment;

/// Rows of the bulk request: as many as one may have.
const BULK: usize = 1_000;
/// A member that no entity has.
const STRANGER: &str = "no_such_field_x";

/// An entity that REST can create.
pub(super) struct Entity<'m> {
    /// `notes.note`
    pub object: String,
    /// `/api/v1/notes/notes`
    pub address: String,
    declared: &'m Value,
}

impl<'m> Entity<'m> {
    /// Those of a manifest.
    pub(super) fn all(manifest: &'m Value) -> Vec<Self> {
        let plugin = manifest["id"].as_str().unwrap_or_default();
        let declared = manifest["entities"].as_array().into_iter().flatten();
        let text = |value: &'m Value| value.as_str().unwrap_or_default();
        let entity = |declared: &'m Value| Self {
            object: format!("{plugin}.{}", text(&declared["key"])),
            address: format!("/api/v1/{plugin}/{}", text(&declared["plural"])),
            declared,
        };
        declared.map(entity).collect()
    }

    /// Whether REST offers this beyond reading.
    pub(super) fn offers(&self, operation: &str) -> bool {
        let named = self.declared["operations"].as_array();
        named.is_none_or(|all| all.iter().any(|one| one == operation))
    }

    fn searchable(&self) -> Option<&str> {
        let mut fields = self.declared["fields"].as_array()?.iter();
        let text = |field: &&Value| {
            field["searchable"].as_u64().is_some_and(|weight| weight > 0) && field["type"] == "text"
        };
        fields.find(text)?["key"].as_str()
    }
}

/// Created, read, listed, changed under a condition, with its history.
pub(super) async fn lives(world: &World, entity: &Entity<'_>) -> Result<(), String> {
    let (owner, address) = (&world.owner, &entity.address);
    let body = world.body("post", address, "whole").await?;
    let created = owner.post(&world.twice("post", address), &body).await?.expect(201)?;
    let place = format!("{address}/{}", id(&created)?);
    let said = owner.get(&place).await?;
    let (record, etag) = (said.expect(200)?, said.etag.ok_or("a record has no ETag")?);
    if record != created {
        return Err(format!("{place}: what was created is not what is read: {created} {record}"));
    }
    let found = owner.get(&format!("{address}?id={}", id(&created)?)).await?.expect(200)?;
    if found["data"].as_array().map_or(0, Vec::len) != 1 {
        return Err(format!("{address}: a list by id does not find the record: {found}"));
    }
    if entity.offers("update") {
        // The same values again are a change that every rule must let pass.
        let again = json!({ "external_ids": { "battery": id(&created)? } });
        let patch = |etag: String| {
            let (place, again) = (&place, &again);
            async move { owner.call(Method::PATCH, place, Some(again), Some(&etag)).await }
        };
        patch(etag.clone()).await?.expect(200)?;
        patch(etag).await?.expect(412)?;
    }
    let history = owner.get(&format!("{place}/history")).await?.expect(200)?;
    if history["data"].as_array().is_none_or(Vec::is_empty) {
        return Err(format!("{place}: its history is empty: {history}"));
    }
    Ok(())
}

/// Into the recycle bin, back, and gone for good, with nothing left to find.
pub(super) async fn goes(world: &World, entity: &Entity<'_>) -> Result<(), String> {
    let (owner, address) = (&world.owner, &entity.address);
    let body = world.body("post", address, "smallest").await?;
    let id = world.made(&world.twice("post", address), &body).await?;
    let place = format!("{address}/{id}");
    owner.delete(&place).await?.one_of(&[200, 204])?;
    owner.get(&place).await?.expect(404)?;
    owner.post(&format!("{place}/restore"), &json!({})).await?.expect(200)?;
    owner.get(&place).await?.expect(200)?;
    owner.delete(&place).await?.one_of(&[200, 204])?;
    owner.post(&format!("{place}/purge"), &json!({})).await?.expect(200)?;
    owner.get(&place).await?.expect(404)?;
    let bin = owner.get(&format!("{address}/deleted?limit=200")).await?.expect(200)?;
    let lists = owner.get(&format!("{address}?limit=200")).await?.expect(200)?;
    if bin.to_string().contains(&id) || lists["data"].to_string().contains(&id) {
        return Err(format!("{place}: it was purged and is still listed"));
    }
    owner.post(&format!("{place}/restore"), &json!({})).await?.one_of(&[404, 409])?;
    Ok(())
}

/// A field that is not declared is refused, on creating and on changing.
pub(super) async fn knows_its_fields(world: &World, entity: &Entity<'_>) -> Result<(), String> {
    let address = &entity.address;
    let mut body = world.body("post", address, "smallest").await?;
    body[STRANGER] = json!(1);
    let refused = world.owner.post(address, &body).await?.expect(422)?;
    if !refused["errors"].to_string().contains(STRANGER) {
        return Err(format!("{address}: a refusal does not name the unknown field: {refused}"));
    }
    if entity.offers("update") {
        let body = world.body("post", address, "smallest").await?;
        let id = world.made(&world.twice("post", address), &body).await?;
        let (place, change) = (format!("{address}/{id}"), json!({ STRANGER: 1 }));
        world.owner.call(Method::PATCH, &place, Some(&change), None).await?.expect(422)?;
    }
    Ok(())
}

/// Whoever has no right that the manifest grants gets nothing, and a stranger less.
pub(super) async fn is_guarded(
    world: &World,
    entity: &Entity<'_>,
    manifest: &Value,
    people: &[(&str, Caller)],
) -> Result<(), String> {
    let address = &entity.address;
    let body = world.body("post", address, "smallest").await?;
    let stranger = world.owner.with_key(None);
    stranger.get(address).await?.expect(401)?;
    stranger.post(address, &body).await?.expect(401)?;
    for (role, person) in people {
        if !granted(manifest, role, &entity.object, "create") {
            person.post(address, &body).await?.one_of(&[403, 404])?;
        }
        if !granted(manifest, role, &entity.object, "read") {
            person.get(address).await?.one_of(&[403, 404])?;
        }
    }
    Ok(())
}

fn granted(manifest: &Value, role: &str, object: &str, action: &str) -> bool {
    manifest["grants"].as_array().into_iter().flatten().any(|grant| {
        let named = grant["actions"].as_array().into_iter().flatten().any(|one| one == action);
        grant["role"] == role && grant["object"] == object && named
    })
}

/// A list finds a record by the value of each of its plain fields.
pub(super) async fn is_filtered(world: &World, entity: &Entity<'_>) -> Result<(), String> {
    const PLAIN: [&str; 5] = ["text", "integer", "boolean", "option", "date"];
    let address = &entity.address;
    let body = world.body("post", address, "whole").await?;
    let record = world.owner.post(&world.twice("post", address), &body).await?.expect(201)?;
    let id = id(&record)?;
    for field in entity.declared["fields"].as_array().into_iter().flatten() {
        let kind = field["type"].as_str().unwrap_or_default();
        let Some(key) = field["key"].as_str().filter(|_| PLAIN.contains(&kind)) else { continue };
        let value = match &record[key] {
            // What is withheld cannot be asked for.
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let path = format!("{address}?id={id}&{key}[eq]={}", segment(&value));
        let found = world.owner.get(&path).await?.expect(200)?;
        if found["data"].as_array().map_or(0, Vec::len) != 1 {
            return Err(format!("{path} does not find the record whose `{key}` is {value}"));
        }
    }
    Ok(())
}

/// A word of a record finds it.
pub(super) async fn is_found(world: &World, entity: &Entity<'_>) -> Result<(), String> {
    let (Some(field), address) = (entity.searchable(), &entity.address) else { return Ok(()) };
    let body = world.body("post", address, "whole").await?;
    let record = world.owner.post(&world.twice("post", address), &body).await?.expect(201)?;
    let text = record[field].as_str().unwrap_or_default();
    let Some(word) = text.split(|c: char| !c.is_alphanumeric()).find(|word| word.len() > 2) else {
        return Ok(());
    };
    let path = format!("{address}/search?q={}", segment(word));
    let found = world.owner.get(&path).await?.expect(200)?;
    if found["data"].as_array().is_none_or(Vec::is_empty) {
        return Err(format!("{path} finds nothing; a record has `{text}` in `{field}`"));
    }
    Ok(())
}

/// A thousand rows in one transaction, through every hook.
pub(super) async fn comes_in_bulk(world: &World, entity: &Entity<'_>) -> Result<(), String> {
    let address = &entity.address;
    let mut operations = Vec::with_capacity(BULK);
    for _ in 0..BULK {
        let fields = world.body("post", address, "smallest").await?;
        operations.push(json!({ "op": "create", "fields": fields }));
    }
    let path = world.twice("post", &format!("{address}/bulk"));
    let body = json!({ "atomic": true, "operations": operations });
    let answer = world.owner.post(&path, &body).await?.expect(200)?;
    if answer["created"] != BULK {
        let some: String = answer["results"].to_string().chars().take(600).collect();
        return Err(format!("{path}: {} of {BULK} rows were created: {some}", answer["created"]));
    }
    Ok(())
}

/// How many records there are.
pub(super) async fn count(owner: &Caller, entity: &Entity<'_>) -> Result<Value, String> {
    let path = format!("{}?limit=1&count=exact", entity.address);
    Ok(owner.get(&path).await?.expect(200)?["count"].clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_read_out_of_a_manifest() {
        let manifest = json!({
            "id": "zoo",
            "entities": [
                { "key": "animal", "plural": "animals", "operations": ["create"],
                  "fields": [{ "key": "name", "type": "text", "searchable": 3 }] },
                { "key": "cage", "plural": "cages", "operations": null, "fields": [] },
            ],
            "grants": [{ "role": "rep", "object": "zoo.animal", "actions": ["read"] }],
        });
        let all = Entity::all(&manifest);
        let [animal, cage] = &all[..] else { panic!("two") };
        assert_eq!((animal.object.as_str(), animal.address.as_str()), ("zoo.animal", "/api/v1/zoo/animals"));
        assert_eq!((animal.searchable(), cage.searchable()), (Some("name"), None));
        assert!(animal.offers("create") && !animal.offers("delete") && cage.offers("delete"));
        assert!(granted(&manifest, "rep", "zoo.animal", "read"));
        for (role, object, action) in
            [("rep", "zoo.cage", "read"), ("rep", "zoo.animal", "create"), ("x", "zoo.animal", "read")]
        {
            assert!(!granted(&manifest, role, object, action));
        }
    }
}
