//! Every field of an entity: written, read back, filtered with every operator that is documented, sorted by.

use serde_json::Value;
use stoa_testkit::encode;

use super::Faults;
use super::call::written;
use super::document::Operation;
use super::world::{World, id};

/// What a filter must answer about the one record that it is asked of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expected {
    Found,
    NotFound,
    Either,
}

/// Walks over the fields of the records at this address.
pub(crate) fn all(world: &World<'_>, address: &str, faults: &Faults) {
    let Some(list) = world.document.find("get", address) else {
        return faults.add(format!("{address}: there is no list"));
    };
    let record = there_and_back(world, address, faults);
    for parameter in world.document.parameters(&list, "query") {
        if parameter["style"] == "deepObject" {
            filter(world, &list, parameter, &record, faults);
        }
        if parameter["name"] == "sort" {
            sort(world, &list, parameter, &record, faults);
        }
        if parameter["name"] == "fields" {
            members(world, &list, parameter, &record, faults);
        }
    }
}

/// Whether a field may be written and not be read, not even by the owner.
fn masked(record: &Value, key: &str) -> bool {
    record["_masked"].as_array().is_some_and(|masked| masked.iter().any(|one| one == key))
}

/// Notes it when what is asked about such a field is answered.
fn withheld(world: &World<'_>, path: &str, faults: &Faults) {
    let answer = world.client.get(path);
    if answer.status() != 403 || answer.json()["code"] != "field_not_readable" {
        faults.add(format!("{path}: {} {}", answer.status(), answer.text()));
    }
}

/// Writes every field that can be written, and reads it back as it was sent.
fn there_and_back(world: &World<'_>, address: &str, faults: &Faults) -> Value {
    let create = world.document.find("post", address).unwrap();
    let body = world.document.body(&create).unwrap();
    let example = &create.spec["requestBody"]["content"]["application/json"]["examples"]["whole"]["value"];
    let sent = world.filled(address, body.schema, example);
    let made = world.client.post(&format!("{address}?allow_duplicates=walk"), &sent).created();
    let record = world.client.get(&format!("{address}/{}", id(&made))).ok();
    for (key, value) in sent.as_object().unwrap() {
        if masked(&record, key) {
            if record.get(key).is_some() {
                faults.add(format!("{address}: `{key}` is masked and shown"));
            }
            continue;
        }
        let same = match (value.as_str(), record[key].as_str()) {
            (Some(sent), Some(read)) => sent.eq_ignore_ascii_case(read),
            _ => *value == record[key],
        };
        if !same {
            faults.add(format!("{address}: `{key}` was sent as {value} and read as {}", record[key]));
        }
    }
    let documented =
        world.document.properties(&create.spec["responses"]["201"]["content"]["application/json"]["schema"]);
    for key in record.as_object().unwrap().keys() {
        if documented.iter().all(|(known, _)| known != key) {
            faults.add(format!("{address}: the member `{key}` of a record is not documented"));
        }
    }
    record
}

fn filter(world: &World<'_>, list: &Operation<'_>, parameter: &Value, record: &Value, faults: &Faults) {
    let name = parameter["name"].as_str().unwrap();
    for (word, operand) in parameter["schema"]["properties"].as_object().unwrap() {
        let (value, expected) = asked(word, operand, &record[name]);
        // A parameter stands once: a filter by the id itself needs no other.
        let narrowed = if name == "id" { String::new() } else { format!("&id={}", id(record)) };
        let path = format!(
            "{}?{name}{}={}{narrowed}&limit=2",
            list.path,
            encode(&format!("[{word}]")),
            encode(&value)
        );
        if masked(record, name) {
            withheld(world, &path, faults);
            continue;
        }
        let answer = world.client.get(&path);
        if answer.status() != 200 {
            faults.add(format!("{path}: {} {}", answer.status(), answer.text()));
            continue;
        }
        let page = answer.json();
        let found =
            page["data"].as_array().is_some_and(|data| data.iter().any(|one| one["id"] == record["id"]));
        let wrong = match expected {
            Expected::Found => !found,
            Expected::NotFound => found,
            Expected::Either => false,
        };
        if wrong {
            faults.add(format!("{path}: expected {expected:?}, the value is {}", record[name]));
        }
    }
}

/// What to ask of a field with this value, and what must come of it.
fn asked(word: &str, operand: &Value, value: &Value) -> (String, Expected) {
    use Expected::{Either, Found, NotFound};
    let has = !value.is_null();
    match word {
        "empty" => return ("true".to_owned(), if has { NotFound } else { Found }),
        "within" => return ("this_year".to_owned(), Either),
        _ => {}
    }
    let text = match value {
        Value::Null => any(operand),
        Value::Array(items) => items.first().map_or_else(|| any(operand), written),
        Value::Object(money) if money.contains_key("currency") => {
            format!("{} {}", written(&money["amount"]), written(&money["currency"]))
        }
        other => written(other),
    };
    let part = |text: &str| text.chars().take(4).collect::<String>().trim().to_owned();
    match word {
        "contains" | "starts" if !value.is_array() => (part(&text), if has { Found } else { NotFound }),
        "contains" | "eq" | "in" | "gte" | "lte" => (text, if has { Found } else { NotFound }),
        "ne" | "nin" => (text, if has { NotFound } else { Found }),
        "gt" | "lt" => (text, NotFound),
        _ => (text, Either),
    }
}

/// Some operand that fits.
fn any(operand: &Value) -> String {
    if let Some(first) = operand["enum"].get(0) {
        return written(first);
    }
    match (operand["type"].as_str(), operand["format"].as_str()) {
        (_, Some("uuid")) => super::call::NOBODY.to_owned(),
        (_, Some("date")) => "2026-01-15".to_owned(),
        (_, Some("date-time")) => "2026-01-15T09:30:00Z".to_owned(),
        (Some("boolean"), _) => "true".to_owned(),
        (Some("integer"), _) => "1".to_owned(),
        // What a list between commas holds is not said: an id is a text as well, and nobody has it.
        _ if operand["description"].is_string() => super::call::NOBODY.to_owned(),
        _ => "1".to_owned(),
    }
}

fn sort(world: &World<'_>, list: &Operation<'_>, parameter: &Value, record: &Value, faults: &Faults) {
    for order in parameter["schema"]["items"]["enum"].as_array().into_iter().flatten() {
        let path = format!("{}?sort={}&limit=2", list.path, encode(&written(order)));
        if masked(record, written(order).trim_start_matches('-')) {
            withheld(world, &path, faults);
            continue;
        }
        let answer = world.client.get(&path);
        if let Some(objection) = world.document.objects(list, &answer) {
            faults.add(format!("{path}: {objection}"));
        } else if answer.status() != 200 {
            faults.add(format!("{path}: {} {}", answer.status(), answer.text()));
        }
    }
}

/// Each member can be asked for by itself.
fn members(world: &World<'_>, list: &Operation<'_>, parameter: &Value, record: &Value, faults: &Faults) {
    for key in parameter["schema"]["items"]["enum"].as_array().into_iter().flatten().map(written) {
        let path = format!("{}/{}?fields={key}", list.path, id(record));
        if masked(record, &key) {
            withheld(world, &path, faults);
            continue;
        }
        let shown = world.client.get(&path);
        if shown.status() != 200 || shown.json().get(&key) != record.get(&key) {
            faults.add(format!("{path}: {} {}", shown.status(), shown.text()));
        }
    }
}
