//! Records on a journey: out as a file of every format that is documented, thrown away, and in again as they were.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::Part;

use super::Faults;
use super::call::written;
use super::world::{World, id};

/// Takes a whole record at this address on the journey, once for each format.
pub(crate) fn all(world: &World<'_>, address: &str, faults: &Faults) {
    let Some(export) = world.document.find("get", &format!("{address}/export")) else {
        return faults.add(format!("{address}: there is no export"));
    };
    let parameters = world.document.parameters(&export, "query");
    let format = parameters.iter().find(|parameter| parameter["name"] == "format");
    let formats = format.and_then(|format| format["schema"]["enum"].as_array());
    for format in formats.into_iter().flatten().map(written) {
        let record = world.create(address, "whole");
        let path = format!("{address}/export?format={format}&id={}", id(&record));
        let file = world.client.get(&path);
        let refused = || (file.status() != 200).then(|| format!("was answered with {}", file.status()));
        if let Some(objection) = world.document.objects(&export, &file).or_else(refused) {
            faults.add(format!("{path}: {objection}"));
            continue;
        }
        let place = format!("{address}/{}", id(&record));
        world.client.delete(&place).success();
        world.client.post(&format!("{place}/purge"), &json!({})).success();
        match import(world, address, &file.response.body) {
            Ok(again) => compare(world, address, &format, (&record, &again), faults),
            Err(why) => faults.add(format!("{address} as {format}: {why}")),
        }
    }
}

/// Imports a file of one record with the mapping that the host suggests, and gives the record.
fn import(world: &World<'_>, address: &str, file: &[u8]) -> Result<Value, String> {
    let wish = json!({ "entity": object(world, address) }).to_string();
    let looked = world.client.multipart("/api/v1/imports/detect", &parts(&wish, file));
    if looked.status() != 200 {
        return Err(format!("was not recognized: {}", looked.text()));
    }
    let mut spec = looked.json()["suggestion"]["spec"].clone();
    // A file belongs to the record that it was uploaded for, which is gone.
    for (key, _) in input(world, address).iter().filter(|(_, schema)| is_file(schema)) {
        let mapping = spec["mapping"].as_object_mut().and_then(|mapping| mapping.remove(key));
        let column = mapping.map(|mapping| mapping["column"].clone());
        match spec.get_mut("ignore").and_then(Value::as_array_mut) {
            Some(ignored) => ignored.extend(column),
            None => spec["ignore"] = column.into_iter().collect(),
        }
    }
    let begun = world.client.multipart("/api/v1/imports", &parts(&spec.to_string(), file));
    if begun.status() != 202 {
        return Err(format!("was not taken: {}", begun.text()));
    }
    let job = format!("/api/v1/jobs/{}", id(&begun.json()));
    let ended = world.client.finished(&job, Duration::from_secs(60));
    if ended["state"] != "succeeded" || ended["progress"]["failed"] != 0 {
        let errors = world.client.get(&format!("{job}/errors")).text();
        return Err(format!("ended as {ended}: {errors}"));
    }
    let newest = world.client.get(&format!("{address}?limit=1")).ok();
    Ok(newest["data"][0].clone())
}

fn parts<'a>(spec: &'a str, file: &'a [u8]) -> [Part<'a>; 2] {
    let (json, bytes) = ("application/json", "application/octet-stream");
    [
        Part { name: "spec", file_name: None, content_type: json, body: spec.as_bytes() },
        Part { name: "file", file_name: Some("records"), content_type: bytes, body: file },
    ]
}

/// `crm.account` of `/api/v1/crm/accounts`.
fn object(world: &World<'_>, address: &str) -> String {
    let list = world.document.find("get", address).unwrap();
    let schema = &list.spec["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
    let name = schema.as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    name.trim_end_matches(".page").to_owned()
}

fn input(world: &World<'_>, address: &str) -> Vec<(String, Value)> {
    let create = world.document.find("post", address).unwrap();
    let body = world.document.body(&create).unwrap();
    let members = world.document.properties(body.schema).into_iter();
    members.map(|(key, schema)| (key.to_owned(), schema.clone())).collect()
}

fn is_file(schema: &Value) -> bool {
    schema["x-references"] == "host.file"
}

/// What can be sent must have come back as it went.
fn compare(
    world: &World<'_>,
    address: &str,
    format: &str,
    (before, after): (&Value, &Value),
    faults: &Faults,
) {
    for (key, schema) in input(world, address) {
        if !is_file(&schema) && before[&key] != after[&key] {
            let (left, came) = (&before[&key], &after[&key]);
            faults.add(format!("{address} as {format}: `{key}` left as {left} and came as {came}"));
        }
    }
}
