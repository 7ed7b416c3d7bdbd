//! Which members a record's JSON has: what `fields` and `expand` ask for, and what a SELECT lists for it.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Scope;
use super::error::RecordError;
use super::filter::target_of;
use super::json::{Form, Member, json_key};
use super::rights::{masked_names, write_masked};
use super::schema::{Entity, Field, Kind, Target};

/// What a file field refers to is called so: no entity can be.
pub(super) const FILE: &str = "file:";

/// Most references that one request expands, both levels together.
const EXPANSIONS: usize = 8;

/// The order of a record's members: identity first, then what the plugin declared, then where it came from.
const LEADING: [&str; 8] =
    ["id", "version", "created_at", "updated_at", "created_by", "updated_by", "owner_id", "team_id"];

/// Which members a record's JSON has, and what the SELECT lists for them.
#[derive(Clone, Debug)]
pub struct View {
    pub(super) members: Vec<Member>,
    pub(super) select: String,
    /// `,"_masked":[…]`: which members the caller may not read; nothing when there are none.
    pub(super) masked: Vec<u8>,
    /// The expanded members.
    pub expansions: Vec<Expansion>,
}

/// A member that is shown as the record it refers to.
#[derive(Clone, Debug)]
pub struct Expansion {
    /// What it refers to.
    pub target: Target,
    /// How that is shown; `None`: with all members.
    pub view: Option<View>,
}

/// Who asks for members.
#[derive(Clone, Copy)]
enum Asking<'a> {
    /// Host code, for itself.
    Host,
    /// A caller, at this level of expansion.
    Caller(&'a Scope, u8),
}

impl Asking<'_> {
    fn field<'e>(self, entity: &'e Entity, key: &str) -> Result<Option<&'e Field>, RecordError> {
        match self {
            Self::Host => Ok(entity.attribute(key)),
            Self::Caller(scope, _) => scope.field(entity, key),
        }
    }

    fn shows(self, entity: &Entity, field: &Field) -> bool {
        match self {
            Self::Host => true,
            Self::Caller(scope, _) => scope.shows(entity, field),
        }
    }
}

impl View {
    /// The members asked for by `fields` (all when `None`; `id` and `version` always) with one level of `expand`: for host
    /// code. What a caller asks for goes through [`View::within`].
    ///
    /// # Errors
    /// [`RecordError::BadRequest`] for a name that the entity does not have or that cannot be expanded.
    pub fn parse(entity: &Entity, fields: Option<&str>, expand: Option<&str>) -> Result<Self, RecordError> {
        Self::build(entity, fields, expand, Asking::Host)
    }

    /// The same as a caller asks for it: with rights on fields, and two levels of `expand` (`account.parent`).
    ///
    /// # Errors
    /// As for [`View::parse`], and [`RecordError::FieldNotReadable`].
    pub fn within(
        scope: &Scope,
        entity: &Entity,
        fields: Option<&str>,
        expand: Option<&str>,
    ) -> Result<Self, RecordError> {
        Self::build(entity, fields, expand, Asking::Caller(scope, 1))
    }

    fn build(
        entity: &Entity,
        fields: Option<&str>,
        expand: Option<&str>,
        asking: Asking<'_>,
    ) -> Result<Self, RecordError> {
        let wanted: Option<Vec<&str>> = fields.map(|names| names.split(',').collect());
        for name in wanted.iter().flatten() {
            if asking.field(entity, name)?.is_none() {
                let name: String = name.chars().take(64).collect();
                let detail = format!("`{name}` is not a field of {}", entity.object);
                return Err(RecordError::bad("unknown_field", detail));
            }
        }
        let shown = |field: &&Field| {
            matches!(&*field.key, "id" | "version")
                || match &wanted {
                    Some(names) => names.contains(&&*field.key),
                    None => asking.shows(entity, field),
                }
        };
        let leading = LEADING.iter().filter_map(|key| entity.attribute(key));
        let trailing = ["source", "external_ids"].iter().filter_map(|key| entity.attribute(key));
        let attributes: Vec<&Field> = leading.chain(&entity.fields).chain(trailing).filter(shown).collect();

        let mut view = Self {
            members: Vec::with_capacity(attributes.len()),
            select: String::new(),
            masked: Vec::new(),
            expansions: Vec::new(),
        };
        if let (None, Asking::Caller(scope, _)) = (&wanted, asking) {
            write_masked(&masked_names(scope, entity), &mut view.masked);
        }
        for field in attributes {
            view.push(field, &field.json_key, None);
        }
        for (name, inner) in heads(expand)? {
            view.expand(entity, name, &inner, asking)?;
        }
        Ok(view)
    }

    fn push(&mut self, field: &Field, key: &str, expand: Option<usize>) {
        let money = matches!(field.kind, Kind::Money);
        let column =
            self.members.iter().map(|member| if matches!(member.form, Form::Money) { 2 } else { 1 }).sum();
        if !self.select.is_empty() {
            self.select.push_str(", ");
        }
        let _ = write!(self.select, "\"{}\"", field.key);
        if money {
            let _ = write!(self.select, ", \"{}_currency\"", field.key);
        }
        self.members.push(Member { json_key: key.to_owned(), form: Form::of(&field.kind), column, expand });
    }

    /// `account` and `account_id` both name a field `account_id`; under its own name the member is replaced, under the
    /// other one it is added.
    fn expand(
        &mut self,
        entity: &Entity,
        name: &str,
        inner: &[&str],
        asking: Asking<'_>,
    ) -> Result<(), RecordError> {
        let mut found = None;
        for key in [name.to_owned(), format!("{name}_id"), format!("{name}_ids")] {
            if let Some(field) = asking.field(entity, &key)?
                && let Some(target) = target_of(field).cloned().or_else(|| file(entity, field))
            {
                found = Some((field, target));
                break;
            }
        }
        let Some((field, target)) = found else {
            let detail = format!("`{}` of {} does not refer to a record", short(name), entity.object);
            return Err(RecordError::bad("invalid_expand", detail));
        };
        let view = if inner.is_empty() { None } else { Some(deeper(&target, name, inner, asking)?) };
        let expansion = self.expansions.len();
        self.expansions.push(Expansion { target, view });
        match self.members.iter_mut().find(|member| member.json_key == field.json_key) {
            Some(member) if *name == *field.key => member.expand = Some(expansion),
            _ => self.push(field, &json_key(name), Some(expansion)),
        }
        Ok(())
    }
}

/// What a file field refers to: what its module keeps of files.
fn file(entity: &Entity, field: &Field) -> Option<Target> {
    matches!(field.kind, Kind::File)
        .then(|| Target { plugin: Arc::clone(&entity.plugin), entity: FILE.into() })
}

/// The names to expand, each with the names to expand inside of it.
fn heads(expand: Option<&str>) -> Result<Vec<(&str, Vec<&str>)>, RecordError> {
    let names: Vec<&str> = expand.map(|names| names.split(',').collect()).unwrap_or_default();
    let mut heads: Vec<(&str, Vec<&str>)> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if at >= EXPANSIONS || names.iter().take(at).any(|before| before == name) {
            let detail = format!("`expand` takes up to {EXPANSIONS} references, each once");
            return Err(RecordError::bad("invalid_expand", detail));
        }
        let (head, inner) = name.split_once('.').map_or((*name, None), |(head, inner)| (head, Some(inner)));
        match heads.iter_mut().find(|(before, _)| *before == head) {
            Some((_, inside)) => inside.extend(inner),
            None => heads.push((head, inner.into_iter().collect())),
        }
    }
    Ok(heads)
}

/// How an expanded record is shown that has expanded members itself.
fn deeper(target: &Target, name: &str, inner: &[&str], asking: Asking<'_>) -> Result<View, RecordError> {
    let refuse = |why: &str| {
        let detail =
            format!("`{}.{}` cannot be expanded: {why}", short(name), short(inner.first().unwrap_or(&"")));
        RecordError::bad("invalid_expand", detail)
    };
    let Asking::Caller(scope, level) = asking else {
        return Err(refuse("one level is all there is here"));
    };
    if level > 1 || inner.iter().any(|name| name.contains('.')) {
        return Err(refuse("two levels is all there is"));
    }
    if &*target.entity == FILE {
        return Err(refuse("a file refers to nothing"));
    }
    if &*target.plugin == "host" {
        return Err(refuse("people and teams are shown by their names"));
    }
    let entity = scope.entity(&target.plugin, &target.entity);
    let entity = entity.ok_or_else(|| refuse("this organization does not have that module"))?;
    View::build(&entity, None, Some(&inner.join(",")), Asking::Caller(scope, level + 1))
}

fn short(name: &str) -> String {
    name.chars().filter(|sign| !sign.is_control()).take(64).collect()
}
