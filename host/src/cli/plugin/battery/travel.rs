//! A record on a journey: out as a file, thrown away for good, and in again as it was.
#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::records::Entity;
use super::world::{World, id};

/// How long an import of one record may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the job is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Exported as CSV, purged, imported with the mapping that the host suggests, and compared.
pub(super) async fn comes_back(world: &World, entity: &Entity<'_>) -> Result<(), String> {
    let (owner, address) = (&world.owner, &entity.address);
    let body = world.body("post", address, "whole").await?;
    let before = owner.post(&world.twice("post", address), &body).await?.expect(201)?;
    let gone = id(&before)?;
    let said = owner.get(&format!("{address}/export?format=csv&id={gone}")).await?;
    said.expect(200)?;
    let place = format!("{address}/{gone}");
    owner.delete(&place).await?.one_of(&[200, 204])?;
    owner.post(&format!("{place}/purge"), &json!({})).await?.expect(200)?;
    let wish = json!({ "entity": entity.object });
    let looked = owner.form("/api/v1/imports/detect", &wish, &said.bytes).await?.expect(200)?;
    let begun =
        owner.form("/api/v1/imports", &looked["suggestion"]["spec"], &said.bytes).await?.expect(202)?;
    let job = ended(world, &format!("/api/v1/jobs/{}", id(&begun)?)).await?;
    if job["state"] != "succeeded" || job["progress"]["failed"] != 0 {
        return Err(format!("{address}: what was exported does not come in again: {job}"));
    }
    let newest = owner.get(&format!("{address}?limit=1")).await?.expect(200)?;
    let after = &newest["data"][0];
    for key in body.as_object().into_iter().flat_map(|body| body.keys()) {
        if before[key] != after[key] {
            return Err(format!("{address}: `{key}` left as {} and came as {}", before[key], after[key]));
        }
    }
    Ok(())
}

async fn ended(world: &World, path: &str) -> Result<Value, String> {
    let began = Instant::now();
    loop {
        let job = world.owner.get(path).await?.expect(200)?;
        if matches!(job["state"].as_str(), Some("succeeded" | "failed" | "cancelled")) {
            return Ok(job);
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{path} does not end: {job}"));
        }
        tokio::time::sleep(LOOK).await;
    }
}
