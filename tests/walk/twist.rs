//! Requests that are not what the document says: each must be refused with a documented problem, and none may break the
//! host. Where the document itself allows a twisted value, it may be served.

use serde_json::{Value, json};

use super::Faults;
use super::call::{Request, sample, written};
use super::document::Operation;
use super::world::World;

/// Values that stand in for a member of a body.
fn values() -> Vec<Value> {
    let huge: Value = serde_json::from_str("123456789012345678901234567890").unwrap();
    vec![
        Value::Null,
        json!(true),
        json!(-7),
        json!(1.5),
        huge,
        json!("no such thing \u{1}"),
        json!("\u{202e}reversed"),
        json!("x".repeat(110_000)),
        json!([]),
        json!([[1], null]),
        json!({}),
        json!({ "unknown": { "deep": 1 } }),
    ]
}

/// Twists everything about a request that works.
pub(crate) fn all(world: &World<'_>, operation: &Operation<'_>, request: &Request, faults: &Faults) {
    members(world, operation, request, faults);
    bodies(world, operation, request, faults);
    query(world, operation, request, faults);
    headers(world, operation, request, faults);
    path(world, operation, request, faults);
}

/// The answer is documented, and a refusal unless the request may be served.
fn judge(
    world: &World<'_>,
    operation: &Operation<'_>,
    request: &Request,
    may_serve: bool,
    what: &str,
    faults: &Faults,
) {
    let answer = request.send(world);
    let at = format!("{}: {what}", operation.name());
    if let Some(objection) = world.document.objects(operation, &answer) {
        faults.add(format!("{at}: {objection}"));
    } else if answer.status() >= 500 && answer.status() != 501 {
        faults.add(format!("{at}: {} {}", answer.status(), answer.text()));
    } else if answer.status() < 300 && !may_serve {
        faults.add(format!("{at}: was served with {}", answer.status()));
    }
}

fn members(world: &World<'_>, operation: &Operation<'_>, request: &Request, faults: &Faults) {
    let (Some(body), Some((_, sent))) = (world.document.body(operation), &request.body) else { return };
    let Ok(Value::Object(good)) = serde_json::from_slice::<Value>(sent) else { return };
    let mut twisted: Vec<(String, Value)> = Vec::new();
    for (key, _) in world.document.properties(body.schema) {
        for value in values() {
            let mut members = good.clone();
            let shown: String = value.to_string().chars().take(24).collect();
            members.insert(key.to_owned(), value);
            twisted.push((format!("`{key}` is {shown}"), members.into()));
        }
    }
    for key in good.keys() {
        let mut members = good.clone();
        members.remove(key);
        twisted.push((format!("`{key}` is missing"), members.into()));
    }
    let mut members = good;
    members.insert("no_such_member".to_owned(), json!(1));
    twisted.push(("an unknown member".to_owned(), members.into()));
    for (what, value) in twisted {
        let fits = world.document.misfits(body.schema, &value).is_none();
        let request = request.with_body(value.to_string().as_bytes());
        judge(world, operation, &request, fits, &what, faults);
    }
}

fn bodies(world: &World<'_>, operation: &Operation<'_>, request: &Request, faults: &Faults) {
    let Some(body) = world.document.body(operation) else { return };
    let cases: [(&str, &[u8]); 7] = [
        ("a list", b"[]"),
        ("a text", b"\"x\""),
        ("half an object", b"{\"a\":"),
        ("two objects", b"{}{}"),
        ("a member twice", b"{\"a\":1,\"a\":2}"),
        ("no UTF-8", b"{\"a\":\"\xff\"}"),
        ("far too deep", &[b'['; 4_000]),
    ];
    for (what, bytes) in cases {
        judge(world, operation, &request.with_body(bytes), false, what, faults);
    }
    let bytes = request.body.as_ref().map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    let other = Request { body: Some(("text/plain".to_owned(), bytes)), ..request.clone() };
    judge(world, operation, &other, false, "a body of another type", faults);
    if body.required {
        judge(world, operation, &Request { body: None, ..request.clone() }, false, "no body", faults);
    }
}

fn query(world: &World<'_>, operation: &Operation<'_>, request: &Request, faults: &Faults) {
    judge(
        world,
        operation,
        &request.with_query("no_such_parameter", "1"),
        false,
        "an unknown parameter",
        faults,
    );
    for parameter in world.document.parameters(operation, "query") {
        let name = parameter["name"].as_str().unwrap_or_default();
        let schema = world.document.resolve(&parameter["schema"]);
        if parameter["style"] == "deepObject" {
            let unknown = request.with_query(&format!("{name}[no_such_operator]"), "1");
            judge(world, operation, &unknown, false, &format!("`{name}` by an unknown operator"), faults);
            for (word, operand) in schema["properties"].as_object().into_iter().flatten() {
                values_of(world, operation, request, &format!("{name}[{word}]"), operand, faults);
            }
            continue;
        }
        let without = Request {
            query: request.query.iter().filter(|(known, _)| known != name).cloned().collect(),
            ..request.clone()
        };
        known(world, operation, &without, name, schema, faults);
        values_of(world, operation, &without, name, schema, faults);
        let twice = without.with_query(name, "1").with_query(name, "1");
        judge(world, operation, &twice, false, &format!("`{name}` twice"), faults);
    }
}

/// A parameter that is documented is known.
fn known(
    world: &World<'_>,
    operation: &Operation<'_>,
    request: &Request,
    name: &str,
    schema: &Value,
    faults: &Faults,
) {
    let value = match schema["type"] == "array" {
        true => written(&sample(world, &schema["items"])),
        false => written(&sample(world, schema)),
    };
    let answer = request.with_query(name, &value).send(world);
    if answer.text().contains("\"unknown_parameter\"") {
        faults.add(format!("{}: `{name}` is documented and not known", operation.name()));
    }
}

fn values_of(
    world: &World<'_>,
    operation: &Operation<'_>,
    request: &Request,
    name: &str,
    schema: &Value,
    faults: &Faults,
) {
    for value in
        ["", "no such thing", "-1", "99999999999999999999999", "\u{1}", "%00", "0", &"x".repeat(9_000)]
    {
        let may = allows(world, schema, value);
        let shown: String = value.chars().take(24).collect();
        judge(
            world,
            operation,
            &request.with_query(name, value),
            may,
            &format!("`{name}` is `{shown}`"),
            faults,
        );
    }
}

/// Whether a text in an address can be what a schema describes.
fn allows(world: &World<'_>, schema: &Value, text: &str) -> bool {
    if text.len() > 8_000 {
        return false;
    }
    let as_number = text.parse::<i64>().map(Value::from);
    let value = match schema["type"].as_str().or_else(|| schema["type"].get(0)?.as_str()) {
        Some("array") => text.split(',').map(Value::from).collect(),
        Some("integer" | "number") => as_number.unwrap_or_else(|_| text.into()),
        Some("boolean") => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    };
    world.document.misfits(schema, &value).is_none()
}

fn headers(world: &World<'_>, operation: &Operation<'_>, request: &Request, faults: &Faults) {
    for parameter in world.document.parameters(operation, "header") {
        let name = parameter["name"].as_str().unwrap_or_default();
        for value in ["no such thing", "\"-1\"", "\"1\", \"2\"", "\"999999\"", &"k".repeat(300)] {
            let fits = world.document.misfits(&parameter["schema"], &value.into()).is_none();
            // A version is well formed and yet not the record's.
            let may_serve = fits && name != "If-Match";
            let request = request.with_header(name, value);
            judge(world, operation, &request, may_serve, &format!("{name}: {value}"), faults);
        }
    }
}

fn path(world: &World<'_>, operation: &Operation<'_>, request: &Request, faults: &Faults) {
    let Some((before, _)) = operation.path.split_once("/{") else { return };
    let rest = request.path.strip_prefix(before).unwrap_or_default().trim_start_matches('/');
    let rest = rest.split_once('/').map(|(_, rest)| format!("/{rest}")).unwrap_or_default();
    for id in ["no-such-id", super::call::NOBODY, "0", "%00", &"x".repeat(3_000)] {
        let request = Request { path: format!("{before}/{id}{rest}"), ..request.clone() };
        judge(world, operation, &request, false, &format!("the id `{}`", &id[..id.len().min(24)]), faults);
    }
}
