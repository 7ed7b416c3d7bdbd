//! Requests made of the document's examples: what stands in the address, in the query, in the body.

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, encode};

use super::document::Operation;
use super::world::{World, id};

/// An id of nothing.
pub(crate) const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

/// A request that an operation should serve.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<(String, Vec<u8>)>,
}

impl Request {
    pub(crate) fn send(&self, world: &World<'_>) -> Answer {
        self.send_as(&world.client)
    }

    /// Sends it as somebody else than the world's own.
    pub(crate) fn send_as(&self, client: &Client) -> Answer {
        let pairs = self.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let path = if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) };
        let mut call = client.call(&self.method, &path);
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        if let Some((kind, body)) = &self.body {
            call = call.header("Content-Type", kind).body(body);
        }
        call.send()
    }

    /// The same with another body of the same type.
    pub(crate) fn with_body(&self, body: &[u8]) -> Self {
        let kind = self.body.as_ref().map_or("application/json", |(kind, _)| kind).to_owned();
        Self { body: Some((kind, body.to_vec())), ..self.clone() }
    }

    /// The same with one more parameter.
    pub(crate) fn with_query(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.query.push((name.to_owned(), value.to_owned()));
        other
    }

    /// The same with one more header.
    pub(crate) fn with_header(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }
}

/// The requests that an operation's examples make, each on things of its own; one without a body where it reads none.
pub(crate) fn requests(world: &World<'_>, operation: &Operation<'_>) -> Vec<Request> {
    let path = || address(world, operation);
    let plain = |path: String| Request {
        method: operation.method.to_uppercase(),
        path,
        query: required(world, operation),
        headers: Vec::new(),
        body: None,
    };
    if let Some(form) = form(operation) {
        return vec![Request { body: Some(form), ..plain(path()) }];
    }
    let Some(body) = world.document.body(operation) else { return vec![plain(path())] };
    let examples = if body.examples.is_empty() && body.required {
        vec![sample(world, body.schema)]
    } else {
        body.examples.into_iter().cloned().collect()
    };
    let of_example = |example: Value| {
        let path = path();
        let body = (body.kind.to_owned(), nested(world, operation, body.schema, &example));
        Request { body: Some((body.0, body.1.to_string().into_bytes())), ..plain(path) }
    };
    examples.into_iter().map(of_example).collect()
}

/// An example, and the inputs of records inside it, with what only this world knows.
fn nested(world: &World<'_>, operation: &Operation<'_>, schema: &Value, example: &Value) -> Value {
    if operation.path.ends_with("/merge") {
        return merging(world, operation);
    }
    if operation.path.ends_with("/shares") {
        return sharing(world);
    }
    let collection = operation.path.rsplit_once('/').map_or("", |(collection, _)| collection);
    let entity = if is_entity(world, operation.path) { operation.path } else { collection };
    let mut filled = world.filled(entity, schema, example);
    let input = world.document.find("post", collection).and_then(|create| world.document.body(&create));
    let (Some(input), Some(members)) = (input, filled.as_object_mut()) else { return filled };
    for value in members.values_mut() {
        for item in value.as_array_mut().into_iter().flatten() {
            if let Some(fields) = item.get("fields").cloned() {
                item["fields"] = world.filled(collection, input.schema, &fields);
            }
        }
    }
    filled
}

/// Somebody with whom a record is shared.
fn sharing(world: &World<'_>) -> Value {
    json!({ "user": world.some("host.user"), "level": "read" })
}

/// Two records that become one.
fn merging(world: &World<'_>, operation: &Operation<'_>) -> Value {
    let collection = operation.path.strip_suffix("/merge").unwrap_or_default();
    let one = || id(&world.create(collection, "smallest"));
    json!({ "survivor_id": one(), "loser_ids": [one()] })
}

/// A form with one file, for an operation that reads forms.
fn form(operation: &Operation<'_>) -> Option<(String, Vec<u8>)> {
    let content = operation.spec["requestBody"]["content"].get("multipart/form-data")?;
    content["schema"]["properties"]
        .get("file")
        .filter(|_| content["schema"]["required"] == json!(["file"]))?;
    let body = "--walk\r\nContent-Disposition: form-data; name=\"file\"; filename=\"note.txt\"\r\nContent-Type: \
                text/plain\r\n\r\nA note.\r\n--walk--\r\n";
    Some(("multipart/form-data; boundary=walk".to_owned(), body.as_bytes().to_vec()))
}

/// Parameters that must be there, and the one without which nothing can be written twice.
fn required(world: &World<'_>, operation: &Operation<'_>) -> Vec<(String, String)> {
    let parameters = world.document.parameters(operation, "query").into_iter();
    let needed = parameters.filter(|parameter| parameter["required"] == true);
    let pair = |parameter: &Value| {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        (name, written(parameter.get("example").unwrap_or(&sample(world, &parameter["schema"]))))
    };
    let reason = ("allow_duplicates".to_owned(), "walk".to_owned());
    let reason = world.takes(operation, &reason.0).then_some(reason);
    needed.map(pair).chain(reason).collect()
}

/// A value as it stands in an address.
pub(crate) fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The operation's address, on a record of its own where it is about one.
pub(crate) fn address(world: &World<'_>, operation: &Operation<'_>) -> String {
    let Some((collection, rest)) = operation.path.split_once("/{id}") else {
        return host_address(world, operation);
    };
    if !is_list(world, collection) {
        return host_address(world, operation);
    }
    let made = is_entity(world, collection).then(|| id(&world.create(collection, "smallest")));
    // What only a plugin writes is there already, or not at all.
    let made = made.or_else(|| world.client.get(collection).ok()["data"].get(0).map(id));
    let record = format!("{collection}/{}", made.as_deref().unwrap_or(NOBODY));
    if matches!(rest, "/restore" | "/purge")
        && world.document.find("delete", &format!("{collection}/{{id}}")).is_some()
    {
        world.client.delete(&record).success();
    }
    format!("{record}{}", child(world, &record, rest))
}

/// Whether an entity's list is there.
fn is_list(world: &World<'_>, collection: &str) -> bool {
    let schema = |list: Operation<'_>| {
        let content = &list.spec["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        content.as_str().is_some_and(|name| name.ends_with(".page"))
    };
    world.document.find("get", collection).is_some_and(schema)
}

/// Whether records of an entity can be made there.
pub(crate) fn is_entity(world: &World<'_>, collection: &str) -> bool {
    let create = world.document.find("post", collection);
    create.is_some_and(|create| {
        create.spec["requestBody"]["content"]["application/json"]["examples"].get("smallest").is_some()
    })
}

/// What stands behind a record's id, with something at every parameter.
fn child(world: &World<'_>, record: &str, rest: &str) -> String {
    let Some((list, after)) = rest.split_once("/{") else { return rest.to_owned() };
    let after = after.split_once('}').map_or("", |(_, after)| after);
    let made = match list {
        "/files" => world.attach(&format!("{record}{list}")),
        "/shares" => Some(id(&world.client.post(&format!("{record}{list}"), &sharing(world)).created())),
        _ => {
            let answer =
                world.client.post(&format!("{record}{list}"), &json!({ "text": "Something to say" }));
            (answer.status() == 201).then(|| id(&answer.json()))
        }
    };
    format!("{list}/{}{after}", made.unwrap_or_else(|| NOBODY.to_owned()))
}

/// An address of the host: the first thing of its list for what only reads, nothing for what changes.
fn host_address(world: &World<'_>, operation: &Operation<'_>) -> String {
    let Some((list, rest)) = operation.path.split_once("/{") else { return operation.path.to_owned() };
    let first = (operation.method == "get" && world.document.find("get", list).is_some())
        .then(|| world.client.get(list))
        .filter(|answer| answer.status() == 200)
        .and_then(|answer| answer.json()["data"].get(0)?["id"].as_str().map(str::to_owned));
    let rest = rest.split_once('}').map_or("", |(_, rest)| rest);
    let rest: Vec<&str> =
        rest.split('/').map(|part| if part.starts_with('{') { NOBODY } else { part }).collect();
    format!("{list}/{}{}", first.as_deref().unwrap_or(NOBODY), rest.join("/"))
}

/// The smallest value that a schema of the host's allows.
pub(crate) fn sample(world: &World<'_>, schema: &Value) -> Value {
    let schema = world.document.resolve(schema);
    if let Some(first) = schema["examples"].get(0).or_else(|| schema["enum"].get(0)).or(schema.get("const")) {
        return first.clone();
    }
    if let Some(first) = schema["anyOf"].get(0).or_else(|| schema["oneOf"].get(0)).or(schema["allOf"].get(0))
    {
        return sample(world, first);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0)?.as_str());
    match (kind, schema["format"].as_str()) {
        (Some("object"), _) => {
            let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            needed.map(|key| (key.to_owned(), sample(world, &schema["properties"][key]))).collect()
        }
        (Some("array"), _) => json!([]),
        (Some("integer" | "number"), _) => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        (Some("boolean"), _) => json!(true),
        (_, Some("uuid")) => json!(NOBODY),
        (_, Some("date")) => json!("2026-01-15"),
        (_, Some("date-time")) => json!("2026-01-15T09:30:00Z"),
        (_, Some("email")) => json!("walk@example.com"),
        _ => json!("Example"),
    }
}
