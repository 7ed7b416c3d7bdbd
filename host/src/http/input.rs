//! JSON input of the host's own resources: parsed strictly, checked against the declared schema, all faults reported at
//! once. poem-openapi's own `Json` stops at the first fault and quotes its parser.

use poem::http::StatusCode;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value};

use crate::http::body;
use crate::http::problem::{Fault, Problem};
use crate::records::strict::{self, StrictError};

/// A JSON body that is a `T`.
pub struct Input<T>(pub T);

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for Input<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let json = MetaMediaType { content_type: "application/json", schema: T::schema_ref() };
        Some(MetaRequest { description: None, content: vec![json], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(parse::<T>(request, body).await?))
    }
}

async fn parse<T: ParseFromJSON>(request: &Request, body: &mut RequestBody) -> Result<T, Problem> {
    if !body::is_json(request.content_type()) {
        return Err(body::unsupported("Send JSON: `Content-Type: application/json`."));
    }
    let body = body.take().map_err(|error| body::unreadable(&error))?;
    let members = object(&body::read(body).await?)?;
    let faults = faults_of::<T>(&members);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    shaped(members)
}

/// What has no other fault: only a text that does not match its pattern is left to be refused.
fn shaped<T: ParseFromJSON>(members: Map<String, Value>) -> Result<T, Problem> {
    let patterns = patterns::<T>(&members);
    T::parse_from_json(Some(Value::Object(members))).map_err(|_| {
        if !patterns.is_empty() {
            return Problem::invalid(patterns);
        }
        let detail = "The input does not have the documented shape.";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail)
    })
}

/// What texts with a pattern would be told.
fn patterns<T: Type>(members: &Map<String, Value>) -> Vec<Fault> {
    let mut registry = Registry::new();
    T::register(&mut registry);
    let schema = T::schema_ref();
    let properties = look_up(&registry, &schema).into_iter().flat_map(|schema| &schema.properties);
    let told = |(name, property): &(&'static str, MetaSchemaRef)| {
        let pattern = look_up(&registry, property)?.pattern.as_deref()?;
        let fault = Fault::new(pointer("", name), "pattern", format!("The text must match `{pattern}`."));
        members.get(*name)?.is_string().then_some(fault)
    };
    properties.filter_map(told).collect()
}

/// One JSON object, no member twice.
///
/// # Errors
/// 400, and 422 for a member that stands twice.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    strict::object(bytes).map_err(|error| match &error {
        StrictError::Duplicate(name) => {
            Problem::invalid(vec![Fault::new(pointer("", name), "duplicate_member", format!("{error}."))])
        }
        StrictError::Malformed { .. } => Problem::malformed("malformed_json", format!("{error}.")),
    })
}

/// The JSON pointer of a member.
fn pointer(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Everything in `members` that the schema of `T` does not allow.
fn faults_of<T: Type>(members: &Map<String, Value>) -> Vec<Fault> {
    let mut registry = Registry::new();
    T::register(&mut registry);
    let mut faults = Vec::new();
    // What is read member by member elsewhere has no schema here.
    if let Some(schema) = look_up(&registry, &T::schema_ref()).filter(|schema| schema.ty == "object") {
        object_faults(&registry, schema, members, "", &mut faults);
    }
    faults
}

fn look_up<'a>(registry: &'a Registry, schema: &'a MetaSchemaRef) -> Option<&'a MetaSchema> {
    match schema {
        MetaSchemaRef::Inline(schema) => Some(schema),
        MetaSchemaRef::Reference(name) => registry.schemas.get(name),
    }
}

fn object_faults(
    registry: &Registry,
    schema: &MetaSchema,
    members: &Map<String, Value>,
    at: &str,
    faults: &mut Vec<Fault>,
) {
    for name in &schema.required {
        if !members.contains_key(*name) {
            faults.push(Fault::new(format!("{at}/{name}"), "required", format!("`{name}` is required.")));
        }
    }
    for (name, value) in members {
        let pointer = pointer(at, name);
        match schema.properties.iter().find(|(known, _)| known == name) {
            None => faults.push(Fault::new(pointer, "unknown_field", "There is no such field.")),
            Some((_, property)) => {
                let optional = !schema.required.contains(&name.as_str());
                if let Some(property) = look_up(registry, property).filter(|_| !(optional && value.is_null()))
                {
                    value_faults(registry, property, value, &pointer, faults);
                }
            }
        }
    }
}

fn value_faults(registry: &Registry, schema: &MetaSchema, value: &Value, at: &str, faults: &mut Vec<Fault>) {
    for part in schema.all_of.iter().filter_map(|part| look_up(registry, part)) {
        value_faults(registry, part, value, at, faults); // a named type with a description of its own
    }
    let mut fault = |code: &str, detail: String| faults.push(Fault::new(at, code, detail));
    match (schema.ty, value) {
        ("string", Value::String(text)) => text_faults(schema, text, &mut fault),
        ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => {
            if let Some(detail) = out_of_range(schema, number.as_f64()) {
                fault("out_of_range", detail);
            }
        }
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) | ("", _) => {}
        ("array", Value::Array(items)) => {
            if let Some(most) = schema.max_items.filter(|most| items.len() > *most) {
                fault("too_many", format!("At most {most}."));
            }
            if let Some(least) = schema.min_items.filter(|least| items.len() < *least) {
                fault("too_few", format!("At least {least}."));
            }
            let Some(schema) = schema.items.as_deref().and_then(|items| look_up(registry, items)) else {
                return;
            };
            for (index, item) in items.iter().enumerate() {
                value_faults(registry, schema, item, &format!("{at}/{index}"), faults);
            }
        }
        ("object", Value::Object(_)) if schema.properties.is_empty() => {}
        ("object", Value::Object(members)) => object_faults(registry, schema, members, at, faults),
        (expected, _) => fault("wrong_type", format!("The value must be of type {expected}.")),
    }
}

fn out_of_range(schema: &MetaSchema, number: Option<f64>) -> Option<String> {
    let number = number?;
    let (least, most) = (schema.minimum.unwrap_or(f64::MIN), schema.maximum.unwrap_or(f64::MAX));
    (!(least..=most).contains(&number)).then(|| match (schema.minimum, schema.maximum) {
        (Some(least), Some(most)) => format!("From {least} to {most}."),
        (Some(least), None) => format!("At least {least}."),
        (None, most) => format!("At most {}.", most.unwrap_or(f64::MAX)),
    })
}

fn text_faults(schema: &MetaSchema, text: &str, fault: &mut impl FnMut(&str, String)) {
    let length = text.chars().count();
    if let Some(most) = schema.max_length.filter(|most| length > *most) {
        fault("too_long", format!("At most {most} characters."));
    }
    if let Some(least) = schema.min_length.filter(|least| length < *least) {
        fault("too_short", format!("At least {least} characters."));
    }
    if text.chars().any(char::is_control) {
        fault("control_character", "Control characters are not allowed.".to_owned());
    }
    if !schema.enum_items.is_empty() && !schema.enum_items.iter().any(|item| item == text) {
        let allowed: Vec<_> = schema.enum_items.iter().filter_map(Value::as_str).collect();
        fault("not_an_option", format!("One of: {}.", allowed.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::Object;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Object)]
    struct Guest {
        #[oai(validator(min_length = 1, max_length = 5))]
        name: String,
        #[oai(validator(pattern = "^[a-z]+$"))]
        code: Option<String>,
        seats: Option<i64>,
        tags: Option<Vec<String>>,
    }

    fn codes(input: &Value) -> Vec<(String, String)> {
        let faults = faults_of::<Guest>(input.as_object().unwrap());
        faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn a_well_formed_input_has_no_faults() {
        assert_eq!(codes(&json!({"name": "Ada", "seats": null, "tags": ["x"]})), []);
        let guest = Guest::parse_from_json(Some(json!({"name": "Ada", "seats": 2}))).unwrap();
        assert_eq!((guest.name.as_str(), guest.seats, guest.tags), ("Ada", Some(2), None));
    }

    #[test]
    fn all_faults_are_told_at_once_with_their_places() {
        let found = codes(&json!({"seats": "two", "tags": ["x", 1, "a\u{0}"], "is_admin": true}));
        let expected = [
            ("/name", "required"),
            ("/is_admin", "unknown_field"),
            ("/seats", "wrong_type"),
            ("/tags/1", "wrong_type"),
            ("/tags/2", "control_character"),
        ];
        for (pointer, code) in expected {
            assert!(found.contains(&(pointer.into(), code.into())), "{pointer} {code}: {found:?}");
        }
        assert_eq!(found.len(), expected.len());
        assert_eq!(codes(&json!({"name": ""})), [("/name".into(), "too_short".into())]);
    }

    #[test]
    fn a_text_that_does_not_match_is_told_by_its_place() {
        let shaped = |input: Value| shaped::<Guest>(input.as_object().unwrap().clone());
        assert!(shaped(json!({"name": "Ada", "code": "x"})).is_ok());
        let refused = shaped(json!({"name": "Ada", "code": "X"})).unwrap_err();
        assert_eq!(
            (refused.errors[0].pointer.as_str(), refused.errors[0].code.as_str()),
            ("/code", "pattern")
        );
    }
}
