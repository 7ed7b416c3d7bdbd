//! Records that operations need: made through the document's own examples, what they refer to first.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use serde_json::{Map, Value, json};
use stoa_testkit::{Client, Part};

use super::document::{Document, Operation};

/// An organization's records as far as the walk made them.
pub(crate) struct World<'w> {
    pub(crate) document: &'w Document,
    pub(crate) client: Client,
    /// One live record of each object that something refers to.
    known: RefCell<HashMap<String, Option<String>>>,
    count: Cell<u32>,
}

impl<'w> World<'w> {
    pub(crate) fn new(document: &'w Document, client: Client) -> Self {
        Self { document, client, known: RefCell::default(), count: Cell::new(0) }
    }

    /// A number that no other value of this world has.
    pub(crate) fn number(&self) -> u32 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    /// The address of an object's records: of `crm.account`, `/api/v1/crm/accounts`.
    fn address(&self, object: &str) -> Option<&'w str> {
        let reference = format!("#/components/schemas/{object}.page");
        let lists = self.document.operations().into_iter().filter(|one| one.method == "get");
        let mut lists = lists.filter(|one| {
            one.spec["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
                == reference.as_str()
        });
        lists.next().map(|one| one.path)
    }

    /// A record of the object that stays, made when there is none; `None` where nothing can be made.
    pub(crate) fn some(&self, object: &str) -> Option<String> {
        if let Some(known) = self.known.borrow().get(object) {
            return known.clone();
        }
        let found = match object {
            "host.user" => self.first("/api/v1/users"),
            "host.team" => self.team(),
            _ => self.address(object).map(|address| id(&self.create(address, "smallest"))),
        };
        self.known.borrow_mut().insert(object.to_owned(), found.clone());
        found
    }

    fn first(&self, path: &str) -> Option<String> {
        let page = self.client.get(path).ok();
        page["data"].get(0).map(id)
    }

    fn team(&self) -> Option<String> {
        let name = format!("Team {}", self.number());
        Some(id(&self.client.post("/api/v1/teams", &json!({ "name": name })).created()))
    }

    /// Attaches a file at this address.
    pub(crate) fn attach(&self, path: &str) -> Option<String> {
        let body = format!("a file, number {}", self.number());
        let part = Part {
            name: "file",
            file_name: Some("note.txt"),
            content_type: "text/plain",
            body: body.as_bytes(),
        };
        let answer = self.client.multipart(path, &[part]);
        (answer.status() == 201).then(|| id(&answer.json()))
    }

    /// A new record made of one of the examples of its address.
    #[track_caller]
    pub(crate) fn create(&self, address: &str, example: &str) -> Value {
        let operation = self.document.find("post", address);
        let operation = operation.unwrap_or_else(|| panic!("nothing can be created at {address}"));
        let media = operation.spec["requestBody"]["content"]["application/json"].as_object().unwrap();
        let example = &media["examples"][example]["value"];
        let body = self.filled(address, &media["schema"], example);
        let path = if self.takes(&operation, "allow_duplicates") {
            format!("{address}?allow_duplicates=walk")
        } else {
            address.to_owned()
        };
        self.client.post(&path, &body).created()
    }

    /// Whether an operation has this parameter in its query.
    pub(crate) fn takes(&self, operation: &Operation<'_>, name: &str) -> bool {
        self.document.parameters(operation, "query").iter().any(|parameter| parameter["name"] == name)
    }

    /// An example of an input at this address, with what only this world knows: ids of records that are there, values
    /// that nobody has yet.
    pub(crate) fn filled(&self, address: &str, schema: &Value, example: &Value) -> Value {
        let Some(members) = example.as_object() else { return example.clone() };
        let properties: HashMap<&str, &Value> = self.document.properties(schema).into_iter().collect();
        let mut filled = Map::new();
        for (key, value) in members {
            let property = properties.get(key.as_str()).copied().unwrap_or(&Value::Null);
            if let Some(value) = self.member(address, property, value) {
                filled.insert(key.clone(), value);
            }
        }
        filled.into()
    }

    /// One member; `None` when it refers to something that cannot be there.
    fn member(&self, address: &str, property: &Value, value: &Value) -> Option<Value> {
        if property["x-references"] == "host.file" {
            // A file goes into the one record that it was uploaded for.
            return self.attach(&format!("{address}/files")).map(Value::from);
        }
        if let Some(object) = property["x-references"].as_str() {
            return self.some(object).map(Value::from);
        }
        if let Some(object) = property["items"]["x-references"].as_str() {
            return self.some(object).map(|id| json!([id]));
        }
        match value {
            Value::String(text) if property["x-unique"] == true => Some(self.unique(property, text).into()),
            _ => Some(value.clone()),
        }
    }

    fn unique(&self, property: &Value, text: &str) -> String {
        let tail = format!(" {}", self.number());
        let most = property["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok());
        let room = most.unwrap_or(100).saturating_sub(tail.len());
        text.chars().take(room).collect::<String>() + &tail
    }
}

/// A record's id.
#[track_caller]
pub(crate) fn id(record: &Value) -> String {
    record["id"].as_str().unwrap_or_else(|| panic!("no id in {record}")).to_owned()
}
