//! One operation of the document, put together from what it takes, what it answers and what it refuses.

use serde_json::{Map, Value as Json, json};

use super::problems;
use crate::http::access::SCHEME;

/// An operation in the making.
pub(super) struct Operation {
    name: String,
    members: Map<String, Json>,
    parameters: Vec<Json>,
    responses: Map<String, Json>,
}

impl Operation {
    /// An operation under this name, which becomes a name in the languages of those who generate clients.
    pub(super) fn new(name: &str, tag: &str, summary: impl Into<String>) -> Self {
        let mut members = Map::new();
        members.insert("tags".to_owned(), json!([tag]));
        members.insert("summary".to_owned(), summary.into().into());
        members.insert("security".to_owned(), json!([{ SCHEME: [] }]));
        let name = name.replace(['.', '-'], "_");
        let operation = Self { name, members, parameters: Vec::new(), responses: Map::new() };
        operation.refuses(&[400, 401, 403, 429])
    }

    /// Its name so far.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Says more about it.
    pub(super) fn describe(mut self, text: &str) -> Self {
        if !text.is_empty() {
            self.members.insert("description".to_owned(), text.into());
        }
        self
    }

    /// Takes these parameters.
    pub(super) fn takes(mut self, parameters: impl IntoIterator<Item = Json>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// Reads a JSON body, with examples by name.
    pub(super) fn reads(self, schema: Json, examples: Vec<(&str, Json)>) -> Self {
        self.reads_as("application/json", schema, examples)
    }

    /// Reads a body of this type.
    pub(super) fn reads_as(mut self, kind: &str, schema: Json, examples: Vec<(&str, Json)>) -> Self {
        let named = examples.into_iter().map(|(name, value)| (name.to_owned(), json!({ "value": value })));
        let examples: Map<String, Json> = named.collect();
        let mut media = json!({ "schema": schema });
        if let Some(media) = media.as_object_mut().filter(|_| !examples.is_empty()) {
            media.insert("examples".to_owned(), examples.into());
        }
        self.members
            .insert("requestBody".to_owned(), json!({ "required": true, "content": { kind: media } }));
        self.refuses(&[408, 413, 415, 422])
    }

    /// Reads a body, or none.
    pub(super) fn optional_body(mut self) -> Self {
        if let Some(body) = self.members.get_mut("requestBody").and_then(Json::as_object_mut) {
            body.insert("required".to_owned(), false.into());
        }
        self
    }

    /// Answers JSON.
    pub(super) fn answers(self, status: u16, description: &str, schema: Json) -> Self {
        self.answers_as(status, description, "application/json", schema)
    }

    /// Answers a body of this type.
    pub(super) fn answers_as(self, status: u16, description: &str, kind: &str, schema: Json) -> Self {
        self.response(status, |response| {
            response.insert("description".to_owned(), description.into());
            let content = response.entry("content").or_insert_with(|| json!({}));
            if let Some(content) = content.as_object_mut() {
                content.insert(kind.to_owned(), json!({ "schema": schema }));
            }
        })
    }

    /// Answers nothing but a status.
    pub(super) fn answers_nothing(self, status: u16, description: &str) -> Self {
        self.response(status, |response| drop(response.insert("description".to_owned(), description.into())))
    }

    /// Says which headers come with an answer.
    pub(super) fn with_headers(self, status: u16, names: &[&str]) -> Self {
        let shared =
            |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
        let headers: Map<String, Json> = names.iter().map(shared).collect();
        self.response(status, |response| drop(response.insert("headers".to_owned(), headers.into())))
    }

    /// Changes the response of a status, which is made when it is not there.
    fn response(mut self, status: u16, change: impl FnOnce(&mut Map<String, Json>)) -> Self {
        let response = self.responses.entry(status.to_string()).or_insert_with(|| json!({}));
        if let Some(members) = response.as_object_mut() {
            change(members);
        }
        self
    }

    /// Refuses in these ways.
    pub(super) fn refuses(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            self.responses.entry(status.to_string()).or_insert_with(|| problems::reference(*status));
        }
        self
    }

    /// Refuses as whatever runs plugin code does.
    pub(super) fn runs_plugin(self, does: bool) -> Self {
        if does { self.refuses(&[409, 422, 502, 503]) } else { self }
    }

    /// The operation as JSON, under this name.
    pub(super) fn named(self, name: &str) -> Json {
        let Self { mut members, parameters, responses, .. } = self;
        members.insert("operationId".to_owned(), name.into());
        if !parameters.is_empty() {
            members.insert("parameters".to_owned(), parameters.into());
        }
        members.insert("responses".to_owned(), responses.into());
        members.into()
    }
}
