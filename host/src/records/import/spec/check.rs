//! A specification against the entity and the file's columns: every fault at once.

use super::{Mapping, Mode, Spec};
use crate::records::Scope;
use crate::records::error::{Fault, RecordError};
use crate::records::import::source::{Format, Source};
use crate::records::input::ADDRESS;
use crate::records::schema::{Entity, Field, Kind, Target};

/// Most columns that are listed because nothing is said of them.
const LISTED: usize = 100;

/// Collects faults of the specification.
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, at: &str, code: &'static str, detail: String) {
        self.0.push(Fault { pointer: format!("/spec/{at}"), code: code.into(), detail });
    }
}

impl Spec {
    /// Checks the specification against the entity and, when there is one, the file. All faults at once.
    ///
    /// # Errors
    /// [`RecordError::Invalid`].
    pub fn check(
        &self,
        scope: &Scope,
        entity: Option<&Entity>,
        source: Option<&Source>,
    ) -> Result<(), RecordError> {
        let mut faults = Faults(Vec::new());
        let nested = source.is_none_or(|source| source.format == Format::Jsonl);
        if let Some(whose) = self.lacks_key(entity) {
            let detail = format!("{whose} by their external id; name its source and column");
            faults.add("external_id", "required", detail);
        }
        self.check_key(scope, entity, &mut faults);
        for (key, mapping) in &self.mapping {
            let at = format!("mapping/{}", key.replace('~', "~0").replace('/', "~1"));
            if mapping.column.is_none() == mapping.constant.is_none() {
                faults.add(
                    &at,
                    "invalid_mapping",
                    "a field comes from either a `column` or a `constant`".into(),
                );
            }
            if mapping.empty.as_deref().is_some_and(|rule| !matches!(rule, "null" | "skip")) {
                faults.add(&at, "invalid_mapping", "`empty` is `null` or `skip`".into());
            }
            if mapping.decimal.is_some_and(|sign| !matches!(sign, '.' | ',')) {
                faults.add(&at, "invalid_mapping", "`decimal` is `.` or `,`".into());
            }
            if let Some(detail) = field_fault(scope, entity, key, mapping, nested) {
                faults.add(&at, "invalid_mapping", detail);
            }
        }
        if let Some(source) = source {
            self.check_columns(&source.columns, &mut faults);
        }
        if faults.0.is_empty() { Ok(()) } else { Err(RecordError::Invalid(faults.0)) }
    }

    /// Columns that the file does not have, and columns of the file that nobody mentions.
    fn check_columns(&self, header: &[String], faults: &mut Faults) {
        let unknown = |column: &String| format!("the file has no column `{column}`");
        let lacks = |column: &&String| !header.contains(column);
        if let Some(column) = self.external_id.as_ref().map(|id| &id.column).filter(lacks) {
            faults.add("external_id/column", "unknown_column", unknown(column));
        }
        if let Some(column) = self.key.as_ref().and_then(|key| key.column.as_ref()).filter(lacks) {
            faults.add("key/column", "unknown_column", unknown(column));
        }
        for (key, mapping) in &self.mapping {
            let at = format!("mapping/{}", key.replace('~', "~0").replace('/', "~1"));
            for column in mapping.columns().filter(lacks) {
                faults.add(&at, "unknown_column", unknown(column));
            }
        }
        let unmapped: Vec<&String> = header.iter().filter(|column| !self.mentions(column)).collect();
        for column in unmapped.iter().take(LISTED) {
            let more = unmapped.len().saturating_sub(LISTED);
            let more =
                if more > 0 { format!(" ({more} columns more are not listed)") } else { String::new() };
            let detail = format!(
                "column `{column}` is neither mapped nor in `ignore`; nothing is dropped silently{more}"
            );
            faults.add("mapping", "unmapped_column", detail);
        }
    }

    /// Who needs an external id that is not named.
    fn lacks_key(&self, entity: Option<&Entity>) -> Option<&'static str> {
        match (&self.external_id, entity) {
            (None, None) => Some("people are imported"),
            (None, Some(_)) if self.key_field().is_some() => None,
            (None, Some(_)) if self.mode == Mode::Upsert => Some("mode `upsert` finds records"),
            (None, Some(_)) if self.mode == Mode::Update => Some("mode `update` finds records"),
            _ => None,
        }
    }

    fn check_key(&self, scope: &Scope, entity: Option<&Entity>, faults: &mut Faults) {
        let Some(key) = self.key_field() else {
            return;
        };
        let Some(entity) = entity else {
            return faults.add("key", "invalid_key", "people are found by their external id only".into());
        };
        if self.mode == Mode::Create {
            let detail = "mode `create` makes a record of every row; `key` is for `update` and `upsert`";
            return faults.add("key", "invalid_key", detail.into());
        }
        let unique = |field: &Field| field.unique || matches!(field.kind, Kind::AutoNumber(_));
        // Finding a record by a field answers whether it holds the value.
        if key != "id" && !scope.shown_field(entity, key).is_some_and(unique) {
            let shown = |field: &&Field| unique(field) && scope.shows(entity, field);
            let unique: Vec<&str> = entity.fields.iter().filter(shown).map(|field| &*field.key).collect();
            let known = [unique.as_slice(), &["id"]].concat().join("`, `");
            let detail = format!("records of {} are found by `{known}` or an external id", entity.object);
            return faults.add("key/field", "invalid_key", detail);
        }
        if self.key_column().is_none() {
            let detail = format!("say in `column` where `{key}` stands, or map the field");
            faults.add("key/column", "required", detail);
        }
    }
}

/// What is wrong with a field's source. `nested`: cells may be JSON objects, which bring what the mapping does not say.
fn field_fault(
    scope: &Scope,
    entity: Option<&Entity>,
    key: &str,
    mapping: &Mapping,
    nested: bool,
) -> Option<String> {
    let Some(entity) = entity else {
        let known = ["name", "email", "team", "roles"];
        return (!known.contains(&key))
            .then(|| format!("people have no `{key}`; known are {}", known.join(", ")));
    };
    let (base, part) = key.split_once('.').map_or((key, None), |(base, part)| (base, Some(part)));
    let Some(field) = entity.attribute(base).filter(|field| writable(field)) else {
        return Some(format!("{} has no field `{base}` that an import may set", entity.object));
    };
    match (&field.kind, part) {
        (Kind::Json, _) if base == "external_ids" => return external_fault(part, mapping),
        (_, None) => {}
        (Kind::Address, Some(part)) if ADDRESS.contains(&part) => return None,
        (Kind::Address, Some(_)) => {
            return Some(format!("an address has the parts {}", ADDRESS.join(", ")));
        }
        (_, Some(_)) => return Some(format!("`{base}` has no parts")),
    }
    if let Some(lookup) = &mapping.lookup {
        let (Kind::Reference(target, _) | Kind::References(target, _)) = &field.kind else {
            return Some(format!("`{key}` is not a reference; it needs no `lookup`"));
        };
        if let Some(detail) = lookup_fault(scope, target, &lookup.by) {
            return Some(detail);
        }
    }
    let currency = mapping.currency.is_some() || mapping.currency_column.is_some();
    match field.kind {
        Kind::Money if mapping.column.is_some() && !currency && !nested => {
            Some(format!("`{key}` is money; name its `currency` or its `currency_column`"))
        }
        Kind::Money => None,
        _ if mapping.currency_column.is_some() => {
            Some(format!("`{key}` is not money; it needs no `currency_column`"))
        }
        _ => None,
    }
}

fn external_fault(part: Option<&str>, mapping: &Mapping) -> Option<String> {
    let plain = part.is_none_or(|source| !source.is_empty() && source.len() <= 40);
    (!plain || mapping.column.is_none()).then(|| {
        "external ids come from a `column`: `external_ids.SOURCE`, or `external_ids` for JSON".into()
    })
}

fn lookup_fault(scope: &Scope, target: &Target, by: &str) -> Option<String> {
    let known = match (&*target.plugin, &*target.entity) {
        ("host", "team") => "`name`",
        ("host", _) => "`name` or `email`",
        (plugin, key) => {
            let Some(entity) = scope.entity(plugin, key) else {
                return Some(format!("the organization has no {plugin}.{key} to look up"));
            };
            let source = by.strip_prefix("external_id:").is_some_and(|source| !source.is_empty());
            if source || scope.shown_field(&entity, by).is_some_and(finds) {
                return None;
            }
            return Some(format!(
                "{} is looked up by one of its text or unique fields or by `external_id:SOURCE`, not by `{by}`",
                entity.object
            ));
        }
    };
    let quoted = format!("`{by}`");
    (!known.split(" or ").any(|name| name == quoted))
        .then(|| format!("a {} is looked up by {known}, not by {quoted}", target.entity))
}

/// Whether a text can stand for the record that holds it.
fn finds(field: &Field) -> bool {
    let text = matches!(field.kind, Kind::Text | Kind::Email | Kind::Phone | Kind::Url | Kind::AutoNumber(_));
    text || field.unique
}

fn writable(field: &Field) -> bool {
    !field.read_only && !matches!(field.kind, Kind::AutoNumber(_))
}
