//! What a document says: its operations, their parameters, bodies and answers, and whether a value fits a schema.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use stoa_testkit::Answer;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// An OpenAPI document.
pub(crate) struct Document {
    pub(crate) json: Value,
    validators: RefCell<HashMap<String, Rc<Validator>>>,
}

/// One operation of it.
#[derive(Clone)]
pub(crate) struct Operation<'d> {
    pub(crate) method: &'d str,
    pub(crate) path: &'d str,
    pub(crate) spec: &'d Value,
}

/// What an operation reads.
pub(crate) struct Body<'d> {
    pub(crate) kind: &'d str,
    pub(crate) schema: &'d Value,
    pub(crate) examples: Vec<&'d Value>,
    pub(crate) required: bool,
}

impl Document {
    pub(crate) fn new(json: Value) -> Self {
        Self { json, validators: RefCell::default() }
    }

    /// Every operation, in the order of its address.
    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.json["paths"].as_object().unwrap();
        paths
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().iter();
                let methods = methods.filter(|(method, _)| METHODS.contains(&method.as_str()));
                methods.map(move |(method, spec)| Operation { method, path, spec })
            })
            .collect()
    }

    /// The operation at this address.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        self.operations().into_iter().find(|one| one.method == method && one.path == path)
    }

    /// What a `$ref` stands for, or the thing itself.
    pub(crate) fn resolve<'d>(&'d self, value: &'d Value) -> &'d Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        let found = self.json.pointer(reference.trim_start_matches('#'));
        self.resolve(found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
    }

    /// The parameters of an operation that stand in one place: `query`, `path`, `header`.
    pub(crate) fn parameters<'d>(&'d self, operation: &Operation<'d>, place: &str) -> Vec<&'d Value> {
        let all = operation.spec["parameters"].as_array().into_iter().flatten();
        all.map(|one| self.resolve(one)).filter(|one| one["in"] == place).collect()
    }

    /// What an operation reads, if it reads JSON.
    pub(crate) fn body<'d>(&'d self, operation: &Operation<'d>) -> Option<Body<'d>> {
        let body = self.resolve(&operation.spec["requestBody"]);
        let (kind, media) = body["content"].as_object()?.iter().find(|(kind, _)| kind.contains("json"))?;
        let examples = media["examples"].as_object().into_iter().flatten().map(|(_, one)| &one["value"]);
        let required = body["required"] == true;
        Some(Body { kind, schema: &media["schema"], examples: examples.collect(), required })
    }

    /// The properties of an object schema, those of its parts included.
    pub(crate) fn properties<'d>(&'d self, schema: &'d Value) -> Vec<(&'d str, &'d Value)> {
        let schema = self.resolve(schema);
        let own = schema["properties"].as_object().into_iter().flatten();
        let own = own.map(|(key, property)| (key.as_str(), property));
        let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| self.properties(part));
        own.chain(parts).collect()
    }

    /// Why a value does not fit a schema; nothing when it does.
    pub(crate) fn misfits(&self, schema: &Value, value: &Value) -> Option<String> {
        let text = schema.to_string();
        let known = self.validators.borrow().get(&text).cloned();
        let validator = known.unwrap_or_else(|| {
            let whole = json!({ "components": self.json["components"], "allOf": [schema] });
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
            let made = options.build(&whole).unwrap_or_else(|error| panic!("{text}: {error}"));
            let made = Rc::new(made);
            self.validators.borrow_mut().insert(text, Rc::clone(&made));
            made
        });
        let first = validator.iter_errors(value).next()?;
        Some(format!("{}: {first}", first.instance_path()))
    }

    /// What is said about an answer with this status: exactly, or for its range.
    fn response<'d>(&'d self, operation: &Operation<'d>, status: u16) -> Option<&'d Value> {
        let said = &operation.spec["responses"];
        let found = said.get(status.to_string()).or_else(|| said.get(format!("{}XX", status / 100)))?;
        Some(self.resolve(found))
    }

    /// What is wrong with an answer, as far as the document knows.
    pub(crate) fn objects(&self, operation: &Operation<'_>, answer: &Answer) -> Option<String> {
        let status = answer.status();
        let Some(said) = self.response(operation, status) else {
            return Some(format!("{status} is not documented: {}", answer.text()));
        };
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let Some(content) = said["content"].as_object().filter(|content| !content.is_empty()) else {
            let empty = answer.response.body.is_empty();
            return (!empty).then(|| format!("{status} is documented without a body: {}", answer.text()));
        };
        let media = content.iter().find(|(documented, _)| documented.split(';').next() == Some(kind));
        let Some((_, media)) = media else {
            return Some(format!("{status} came as `{kind}`, documented is {:?}", content.keys()));
        };
        if !kind.ends_with("json") {
            return None;
        }
        let Ok(body) = serde_json::from_slice::<Value>(&answer.response.body) else {
            return Some(format!("{status} is no JSON: {}", answer.text()));
        };
        self.misfits(&media["schema"], &body).map(|why| format!("{status} does not fit: {why} in {body}"))
    }
}

impl Operation<'_> {
    /// `post /api/v1/…`
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it can succeed at all: actions with effects cannot yet.
    pub(crate) fn can_succeed(&self) -> bool {
        let responses = self.spec["responses"].as_object();
        responses.into_iter().flatten().any(|(status, _)| status.starts_with('2'))
    }
}
