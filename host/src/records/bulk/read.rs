//! The request as it came: `{"atomic": true, "operations": [{"op": "create", "fields": {…}}, …]}`.

use std::str::FromStr as _;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{By, OPERATIONS, Operation};
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::schema::Entity;

/// What the pointer of a fault in an operation's own form begins with, as against one in its fields.
pub(super) const OWN: &str = "\u{0}";

/// A request of many operations. One that cannot be read has its faults instead.
#[derive(Debug)]
pub struct Bulk {
    /// All or nothing.
    pub atomic: bool,
    pub(super) operations: Vec<Result<Operation, Vec<Fault>>>,
}

impl Bulk {
    /// How many operations it asks for.
    #[must_use]
    pub fn size(&self) -> usize {
        self.operations.len()
    }
}

/// Reads a request.
///
/// # Errors
/// [`RecordError::Invalid`] when it is not such a request at all.
pub fn read(entity: &Entity, mut body: Map<String, Json>) -> Result<Bulk, RecordError> {
    let mut faults = Vec::new();
    let atomic = match body.remove("atomic") {
        None => true,
        Some(Json::Bool(atomic)) => atomic,
        Some(_) => {
            faults.push(Fault::at("atomic", "wrong_type", "`atomic` is true or false"));
            true
        }
    };
    let operations = match body.remove("operations") {
        Some(Json::Array(operations)) if operations.len() > OPERATIONS => {
            let detail =
                format!("one request takes at most {OPERATIONS} operations, these are {}", operations.len());
            faults.push(Fault::at("operations", "too_many", detail));
            Vec::new()
        }
        Some(Json::Array(operations)) => operations,
        None => {
            faults.push(Fault::at("operations", "required", "`operations` is required: a list"));
            Vec::new()
        }
        Some(_) => {
            faults.push(Fault::at("operations", "wrong_type", "`operations` is a list"));
            Vec::new()
        }
    };
    let unknown = |key: &String| {
        Fault::at(key, "unknown_field", "a bulk request has the members `atomic` and `operations`")
    };
    faults.extend(body.keys().map(unknown));
    if !faults.is_empty() {
        return Err(RecordError::Invalid(faults));
    }
    let operations = operations.into_iter().map(|json| operation(entity, json)).collect();
    Ok(Bulk { atomic, operations })
}

/// The members of an operation that were not looked at yet, and what was wrong so far.
struct Members {
    left: Map<String, Json>,
    faults: Vec<Fault>,
}

impl Members {
    fn fault(&mut self, member: &str, code: &'static str, detail: impl Into<String>) {
        let mut fault = Fault::at(member, code, detail);
        fault.pointer.insert_str(0, OWN);
        self.faults.push(fault);
    }

    fn id(&mut self) -> Option<RecordId> {
        let id = self.left.remove("id");
        let id = id.as_ref().and_then(Json::as_str).and_then(|text| RecordId::from_str(text).ok());
        if id.is_none() {
            self.fault("id", "invalid_id", "`id` is the id of a record");
        }
        id
    }

    fn version(&mut self) -> Option<u64> {
        let version = self.left.remove("version").filter(|version| !version.is_null())?;
        let known = version.as_u64();
        if known.is_none() {
            self.fault("version", "wrong_type", "`version` is the number of the version that you know");
        }
        known
    }

    fn fields(&mut self) -> Map<String, Json> {
        match self.left.remove("fields") {
            Some(Json::Object(fields)) => return fields,
            None => self.fault("fields", "required", "`fields` is required: an object"),
            Some(_) => self.fault("fields", "wrong_type", "`fields` is an object"),
        }
        Map::new()
    }

    fn by(&mut self, entity: &Entity) -> Option<By> {
        let (by, value) = (self.left.remove("by"), self.left.remove("value"));
        let Some(by) = by.as_ref().and_then(Json::as_str) else {
            self.fault("by", "wrong_type", "`by` is `external_id:` and a source, or a unique field");
            return None;
        };
        let value = value.unwrap_or(Json::Null);
        if let Some(source) = by.strip_prefix("external_id:") {
            let Json::String(value) = value else {
                self.fault("value", "wrong_type", "`value` is the record's id in the other system, a text");
                return None;
            };
            return Some(By::External { source: source.to_owned(), value });
        }
        let Some(field) = entity.field(by).filter(|field| field.unique) else {
            let detail =
                format!("`by` is `external_id:` and a source, or a unique field of {}", entity.object);
            self.fault("by", "unknown_field", detail);
            return None;
        };
        match crate::records::input::field(field, &value) {
            Ok((stored, _)) if !stored.is_null() => Some(By::Field { key: Arc::clone(&field.key), value }),
            Ok(_) => {
                self.fault("value", "required", "`value` is required: what the record is known by");
                None
            }
            Err(fault) => {
                self.fault("value", "invalid_value", fault.detail);
                None
            }
        }
    }

    fn op(&mut self, entity: &Entity) -> Option<Operation> {
        let op = self.left.remove("op");
        match op.as_ref().and_then(Json::as_str) {
            Some("create") => Some(Operation::Create(self.fields())),
            Some("update") => {
                let (id, version, fields) = (self.id(), self.version(), self.fields());
                Some(Operation::Update { id: id?, version, fields })
            }
            Some("upsert") => {
                let (by, fields) = (self.by(entity), self.fields());
                Some(Operation::Upsert { by: by?, fields })
            }
            Some("delete") => {
                let (id, version) = (self.id(), self.version());
                Some(Operation::Delete { id: id?, version })
            }
            _ => {
                self.left.clear();
                self.fault("op", "unknown_operation", "`op` is create, update, upsert or delete");
                None
            }
        }
    }
}

fn operation(entity: &Entity, json: Json) -> Result<Operation, Vec<Fault>> {
    let Json::Object(left) = json else {
        let detail = "an operation is an object with `op`, such as {\"op\": \"create\", \"fields\": {}}";
        return Err(vec![Fault { pointer: OWN.into(), code: "wrong_type".into(), detail: detail.into() }]);
    };
    let mut members = Members { left, faults: Vec::new() };
    let operation = members.op(entity);
    for key in std::mem::take(&mut members.left).keys() {
        members.fault(key, "unknown_field", "this operation has no such member");
    }
    if let Some(operation) = &operation {
        offered(entity, operation, &mut members);
    }
    match operation {
        Some(operation) if members.faults.is_empty() => Ok(operation),
        _ => Err(members.faults),
    }
}

/// What the API does not offer for single records, it does not offer for many.
fn offered(entity: &Entity, operation: &Operation, members: &mut Members) {
    let offers = entity.operations;
    let (allowed, word) = match operation {
        Operation::Create(_) => (offers.create, "created"),
        Operation::Update { .. } => (offers.update, "changed"),
        Operation::Upsert { .. } => (offers.create && offers.update, "created and changed"),
        Operation::Delete { .. } => (offers.delete, "deleted"),
    };
    if !allowed {
        let detail = format!("records of {} cannot be {word} directly", entity.object);
        members.fault("op", "not_offered", detail);
    }
}
