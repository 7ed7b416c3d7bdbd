//! What the plugin as a whole must do: its document, its actions and reports, and how near it comes to its limits.
#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::records::Entity;
use super::stage::Stage;
use super::world::World;
use crate::plugins::{CallKind, Limits};

/// A member that no input has.
const STRANGER: &str = "no_such_member_x";
/// From this share of a limit on, the author is warned.
const WARNING: f64 = 0.8;

/// The document has every address of the plugin, and every reference in it names something.
pub(super) fn is_documented(world: &World, entities: &[Entity<'_>]) -> Result<(), String> {
    for entity in entities {
        for (method, path) in [("get", entity.address.clone()), ("get", format!("{}/{{id}}", entity.address))]
        {
            world.operation(method, &path).ok_or_else(|| format!("the document lacks {method} {path}"))?;
        }
        if entity.offers("create") {
            world.operation("post", &entity.address).ok_or_else(|| format!("no post {}", entity.address))?;
        }
    }
    resolves(world, &world.document)
}

fn resolves(world: &World, value: &Value) -> Result<(), String> {
    if value["$ref"].is_string() && world.resolve(value).is_null() {
        return Err(format!("the document's {} names nothing", value["$ref"]));
    }
    let members = value.as_object().into_iter().flat_map(Map::values);
    let items = value.as_array().into_iter().flatten();
    members.chain(items).try_for_each(|inner| resolves(world, inner))
}

/// Every action refuses a member that its input does not have, and nobody without a key gets to it.
pub(super) async fn actions_know_their_input(world: &World, manifest: &Value) -> Result<(), String> {
    let plugin = manifest["id"].as_str().unwrap_or_default();
    for action in manifest["actions"].as_array().into_iter().flatten() {
        if action["mode"] == "effect" {
            continue;
        }
        let verb = action["verb"].as_str().unwrap_or_default();
        let Some(base) = base(world, manifest, action).await? else { continue };
        let path = format!("{base}/{verb}");
        world.owner.with_key(None).post(&path, &json!({})).await?.expect(401)?;
        let refused = world.owner.post(&path, &json!({ STRANGER: 1 })).await?;
        refused
            .expect(422)
            .map_err(|why| format!("{plugin}.{verb} takes a member that it does not know: {why}"))?;
    }
    Ok(())
}

/// Where an action is: below a record made for it, a list, or the module. `None`: nothing can be made.
async fn base(world: &World, manifest: &Value, action: &Value) -> Result<Option<String>, String> {
    let plugin = manifest["id"].as_str().unwrap_or_default();
    let Some(key) = action["entity"].as_str() else {
        return Ok(Some(format!("/api/v1/{plugin}")));
    };
    let object = format!("{plugin}.{}", key.rsplit('.').next().unwrap_or(key));
    let Some(entity) = Entity::all(manifest).into_iter().find(|entity| entity.object == object) else {
        return Err(format!("an action names the entity `{key}`, which is not there"));
    };
    if action["target"] != "record" {
        return Ok(Some(entity.address));
    }
    if !entity.offers("create") {
        return Ok(None);
    }
    let body = world.body("post", &entity.address, "smallest").await?;
    let id = world.made(&world.twice("post", &entity.address), &body).await?;
    Ok(Some(format!("{}/{id}", entity.address)))
}

/// Every report answers with figures, or says what its parameters lack.
pub(super) async fn reports_answer(world: &World, manifest: &Value) -> Result<(), String> {
    let plugin = manifest["id"].as_str().unwrap_or_default();
    for report in manifest["reports"].as_array().into_iter().flatten() {
        let path = format!("/api/v1/{plugin}/reports/{}", report["key"].as_str().unwrap_or_default());
        let wanted: &[u16] = if report["params"]["required"].as_array().is_some_and(|all| !all.is_empty()) {
            &[200, 422]
        } else {
            &[200]
        };
        world.owner.get(&path).await?.one_of(wanted)?;
        world.owner.get(&format!("{path}?{STRANGER}=1")).await?.one_of(&[400, 422])?;
        world.owner.with_key(None).get(&path).await?.expect(401)?;
    }
    Ok(())
}

/// A request whose method is nobody's.
pub(super) async fn refuses_other_methods(world: &World, entities: &[Entity<'_>]) -> Result<(), String> {
    for entity in entities {
        world.owner.call(Method::PUT, &entity.address, Some(&json!({})), None).await?.one_of(&[404, 405])?;
    }
    Ok(())
}

/// What calls of each kind used at most, one line each, with a warning when a limit is near.
pub(super) fn limits(stage: &Stage, plugin: &str) -> Vec<String> {
    let now = stage.app.clock.now();
    let used = stage.app.plugins.usage(Some(stage.organization), now);
    let mut lines = Vec::new();
    let newest = stage.app.plugins.versions(plugin).pop();
    let limits = newest.map_or(Limits::USUAL, |plugin| plugin.manifest.limits);
    for (at, kind) in CallKind::ALL.into_iter().enumerate() {
        let of_kind =
            used.iter().filter(|usage| &*usage.plugin == plugin).filter_map(|usage| usage.used.get(at));
        let of_kind: Vec<_> = of_kind.filter(|used| used.calls > 0).collect();
        let most = |f: &dyn Fn(&&crate::plugins::Used) -> f64| of_kind.iter().map(f).fold(0.0, f64::max);
        let calls: u64 = of_kind.iter().map(|used| used.calls).sum();
        if calls == 0 {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let figures = [
            ("processor ms", most(&|used| millis(used.most.cpu)), millis(limits.cpu(kind))),
            ("time ms", most(&|used| millis(used.most.wall)), millis(limits.wall(kind))),
            ("memory MiB", most(&|used| used.memory as f64 / 1_048_576.0), f64::from(limits.memory_mib)),
            ("host calls", most(&|used| used.most.host_calls as f64), f64::from(limits.host_calls)),
        ];
        let told: Vec<String> = figures.iter().map(|(what, used, limit)| told(what, *used, *limit)).collect();
        lines.push(format!("{:<7} {calls:>5} calls, at most {}", kind.as_str(), told.join(", ")));
    }
    lines
}

fn told(what: &str, used: f64, limit: f64) -> String {
    let near = if used >= limit * WARNING { " NEAR ITS LIMIT" } else { "" };
    format!("{what} {used:.1} of {limit:.0}{near}")
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_near_is_said() {
        assert_eq!(told("processor ms", 39.9, 50.0), "processor ms 39.9 of 50");
        assert_eq!(told("processor ms", 40.0, 50.0), "processor ms 40.0 of 50 NEAR ITS LIMIT");
    }
}
