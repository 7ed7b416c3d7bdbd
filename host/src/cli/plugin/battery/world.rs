//! Valid values: the examples of the document that the host makes of the plugin, with what only this organization knows,
//! and with what the author says in `tests/examples.json` where rules of the plugin want more.
#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::caller::Caller;

/// The organization under test.
pub(super) struct World {
    pub owner: Caller,
    pub document: Value,
    /// `{"notes.note": {"text": "…"}}`
    examples: Value,
    /// A live record of each object that something refers to.
    known: RefCell<HashMap<String, Option<String>>>,
    count: Cell<u32>,
}

impl World {
    pub(super) fn new(owner: Caller, document: Value, examples: Value) -> Self {
        Self { owner, document, examples, known: RefCell::default(), count: Cell::new(0) }
    }

    /// The same, whose unique values begin behind those that another has given.
    pub(super) fn behind(self, other: &Self) -> Self {
        self.count.set(other.count.get());
        self
    }

    /// The operation at this address.
    pub(super) fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        self.document["paths"].get(path)?.get(method)
    }

    /// Whether an operation has this parameter.
    pub(super) fn takes(&self, method: &str, path: &str, name: &str) -> bool {
        let parameters = self.operation(method, path).and_then(|one| one["parameters"].as_array());
        parameters.into_iter().flatten().any(|parameter| self.resolve(parameter)["name"] == name)
    }

    /// A path with the parameter that lets a record pass which looks like one that is there.
    pub(super) fn twice(&self, method: &str, path: &str) -> String {
        if self.takes(method, path, "allow_duplicates") {
            format!("{path}?allow_duplicates=battery")
        } else {
            path.to_owned()
        }
    }

    /// What a `$ref` stands for, or the thing itself.
    pub(super) fn resolve<'d>(&'d self, value: &'d Value) -> &'d Value {
        let found = value["$ref"].as_str().map(|to| self.document.pointer(to.trim_start_matches('#')));
        found.map_or(value, |found| found.unwrap_or(&Value::Null))
    }

    /// The properties of an object schema, those of its parts included.
    fn properties<'d>(&'d self, schema: &'d Value) -> Vec<(&'d str, &'d Value)> {
        let schema = self.resolve(schema);
        let own = schema["properties"].as_object().into_iter().flatten();
        let own = own.map(|(key, property)| (key.as_str(), property));
        let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| self.properties(part));
        own.chain(parts).collect()
    }

    /// The body that an operation's example makes: `smallest`, `whole`, or the first of them.
    pub(super) async fn body(&self, method: &str, path: &str, example: &str) -> Result<Value, String> {
        let nothing = || format!("the document has no example for {method} {path}");
        let content = self.operation(method, path).map(|one| &self.resolve(&one["requestBody"])["content"]);
        let media = content.and_then(Value::as_object).and_then(|content| {
            content.iter().find(|(kind, _)| kind.contains("json")).map(|(_, media)| media)
        });
        let media = media.ok_or_else(nothing)?;
        let all = media["examples"].as_object().ok_or_else(nothing)?;
        let example = all.get(example).or_else(|| all.values().next()).ok_or_else(nothing)?;
        let properties: HashMap<&str, &Value> = self.properties(&media["schema"]).into_iter().collect();
        let mut filled = Map::new();
        for (key, value) in example["value"].as_object().into_iter().flatten() {
            let property = properties.get(key.as_str()).copied().unwrap_or(&Value::Null);
            if let Some(value) = Box::pin(self.member(property, value)).await? {
                filled.insert(key.clone(), value);
            }
        }
        if method == "post" {
            self.as_the_author_says(path, &mut filled);
        }
        Ok(filled.into())
    }

    fn as_the_author_says(&self, path: &str, filled: &mut Map<String, Value>) {
        let said = object_of(&self.document, path).and_then(|object| self.examples.get(object));
        for (key, value) in said.and_then(Value::as_object).into_iter().flatten() {
            filled.insert(key.clone(), value.clone());
        }
    }

    /// One member; `None` when it refers to something that cannot be there.
    async fn member(&self, property: &Value, value: &Value) -> Result<Option<Value>, String> {
        if let Some(object) = property["x-references"].as_str() {
            return Ok(self.some(object).await?.map(Value::from));
        }
        if let Some(object) = property["items"]["x-references"].as_str() {
            return Ok(self.some(object).await?.map(|id| json!([id])));
        }
        Ok(match value {
            Value::String(text) if property["x-unique"] == true => Some(self.unique(property, text).into()),
            _ => Some(value.clone()),
        })
    }

    /// A record of the object that stays, made when there is none; `None` where nothing can be made.
    async fn some(&self, object: &str) -> Result<Option<String>, String> {
        if let Some(known) = self.known.borrow().get(object) {
            return Ok(known.clone());
        }
        let found = match object {
            "host.user" => {
                let page = self.owner.get("/api/v1/users").await?.expect(200)?;
                page["data"][0]["id"].as_str().map(str::to_owned)
            }
            "host.team" => Some(self.made("/api/v1/teams", &json!({ "name": self.text("Team") })).await?),
            // A file goes into the one record that it was uploaded for.
            "host.file" => None,
            _ => match address_of(&self.document, object) {
                Some(address) => {
                    let body = self.body("post", &address, "smallest").await?;
                    Some(self.made(&self.twice("post", &address), &body).await?)
                }
                None => None,
            },
        };
        self.known.borrow_mut().insert(object.to_owned(), found.clone());
        Ok(found)
    }

    /// Makes something and gives its id.
    pub(super) async fn made(&self, path: &str, body: &Value) -> Result<String, String> {
        let record = self.owner.post(path, body).await?.expect(201)?;
        id(&record)
    }

    fn text(&self, text: &str) -> String {
        self.count.set(self.count.get() + 1);
        format!("{text} {}", self.count.get())
    }

    fn unique(&self, property: &Value, text: &str) -> String {
        let tail = self.text("");
        let most = property["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok());
        let room = most.unwrap_or(100).saturating_sub(tail.len());
        text.chars().take(room).collect::<String>() + tail.as_str()
    }
}

/// A record's id.
pub(super) fn id(record: &Value) -> Result<String, String> {
    record["id"].as_str().map(str::to_owned).ok_or_else(|| format!("no id in {record}"))
}

/// The address of an object's records: of `crm.account`, `/api/v1/crm/accounts`.
fn address_of(document: &Value, object: &str) -> Option<String> {
    let page = format!("#/components/schemas/{object}.page");
    let paths = document["paths"].as_object()?;
    paths.iter().find(|(_, item)| listed(item) == Some(page.as_str())).map(|(path, _)| path.clone())
}

/// The object whose records are at an address.
fn object_of<'d>(document: &'d Value, path: &str) -> Option<&'d str> {
    listed(document["paths"].get(path)?)?.rsplit('/').next()?.strip_suffix(".page")
}

/// What an address lists.
fn listed(item: &Value) -> Option<&str> {
    item["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_and_its_address_find_each_other() {
        let schema = json!({ "$ref": "#/components/schemas/zoo.animal.page" });
        let get =
            json!({ "responses": { "200": { "content": { "application/json": { "schema": schema } } } } });
        let document = json!({ "paths": { "/api/v1/zoo/animals": { "get": get }, "/api/v1/other": {} } });
        assert_eq!(address_of(&document, "zoo.animal").as_deref(), Some("/api/v1/zoo/animals"));
        assert_eq!(address_of(&document, "zoo.plant"), None);
        assert_eq!(object_of(&document, "/api/v1/zoo/animals"), Some("zoo.animal"));
        assert_eq!(object_of(&document, "/api/v1/other"), None);
    }
}
