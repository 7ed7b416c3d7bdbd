//! What a document would mean for the records that are there: how many break a new demand, how many change with it. Nothing
//! is written; tables are read as they will be.

use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::document::Document;
use super::fill;
use super::store;
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::filter::{Filter, Sight};
use crate::records::schema::{Choice, Condition, Entity, Field, Kind, Module, Validation};
use crate::records::value::Value;
use crate::records::{Records, Scope};
use crate::storage::Connection;

/// Ids that are shown of the records a change concerns.
const SHOWN: u32 = 10;
/// How long the counts of one file may take together.
const PATIENCE: Duration = Duration::from_secs(30);

/// One consequence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Impact {
    /// `plugin.entity`.
    pub entity: String,
    /// The field it is about, if it is about one.
    pub field: Option<String>,
    /// Stable: `required`, `required_when`, `unique`, `bounds`, `length`, `rule`, `option_archived`, `option_replaced`,
    /// `numbered`.
    pub code: &'static str,
    /// How many records; `None` when it cannot be counted before it is in force.
    pub count: Option<u64>,
    /// The first of them.
    pub ids: Vec<RecordId>,
    /// For people.
    pub detail: String,
    /// Whether it keeps the document from being published.
    pub blocks: bool,
}

/// The consequences of going from the modules `before` to those of `scope`; only those that concern a record.
///
/// # Errors
/// A file fails.
pub(super) fn impacts(
    engine: &Records,
    scope: &Scope,
    before: &[Arc<Module>],
    document: &Document,
) -> Result<Vec<Impact>, RecordError> {
    let mut found = Vec::new();
    for module in &*scope.modules {
        let old = before.iter().find(|old| old.plugin == module.plugin);
        let replaced = fill::replaced(document, module);
        if old.is_some_and(|old| Arc::ptr_eq(old, module)) && replaced.is_empty() {
            continue;
        }
        let file = engine.file(scope.organization.id, module)?;
        file.read_within(PATIENCE, |conn| {
            conn.declare_entities(Arc::clone(&module.tables));
            let shadow = shadow(conn, module)?;
            for entity in &module.entities {
                if !store::has_table(conn, &entity.key)? {
                    continue;
                }
                let old = old.and_then(|old| old.entity(&entity.key));
                let mut counting =
                    Counting { engine, scope, conn, shadow: &shadow, entity, found: &mut found };
                counting.entity(old.as_deref())?;
                for change in replaced.iter().filter(|change| change.entity == entity.key) {
                    counting.replaced(change)?;
                }
            }
            Ok::<_, RecordError>(())
        })?;
    }
    Ok(found)
}

/// The tables as they will be: each that lacks a column, or is not there yet, under its own name before a statement.
fn shadow(conn: &Rc<Connection>, module: &Module) -> Result<String, RecordError> {
    let mut sql = String::new();
    for entity in &module.entities {
        let there = store::columns(conn, &entity.key)?;
        let lacking: Vec<String> = entity
            .columns()
            .filter(|column| !there.contains(column))
            .map(|column| format!("null as \"{column}\""))
            .collect();
        if lacking.is_empty() {
            continue;
        }
        sql.push_str(if sql.is_empty() { "with " } else { ", " });
        let lacking = lacking.join(", ");
        let _ = match there.is_empty() {
            true => write!(sql, "\"{}\" as (select {lacking} where 0)", entity.key),
            false => write!(sql, "\"{0}\" as (select *, {lacking} from main.\"{0}\")", entity.key),
        };
    }
    if !sql.is_empty() {
        sql.push(' ');
    }
    Ok(sql)
}

struct Counting<'c> {
    engine: &'c Records,
    scope: &'c Scope,
    conn: &'c Rc<Connection>,
    shadow: &'c str,
    entity: &'c Arc<Entity>,
    found: &'c mut Vec<Impact>,
}

/// A consequence to be counted.
struct About<'a> {
    field: Option<&'a str>,
    code: &'static str,
    detail: String,
    blocks: bool,
}

impl Counting<'_> {
    fn entity(&mut self, old: Option<&Entity>) -> Result<(), RecordError> {
        let entity = Arc::clone(self.entity);
        for field in &entity.fields {
            let before = old.and_then(|old| old.field(&field.key));
            if field.custom {
                self.field(field, before)?;
            }
            self.needed(field, before)?;
        }
        for rule in &*entity.rules {
            let same = |old: &Validation| old.key == rule.key && old.condition == rule.condition;
            if !old.is_some_and(|old| old.rules.iter().any(same)) {
                let detail = format!(
                    "records that break the rule `{}`; they stay, and cannot be saved until they keep it",
                    rule.key
                );
                let about = About { field: rule.field.as_deref(), code: "rule", detail, blocks: false };
                self.filter(&about, &Condition(Filter::Not(Box::new(rule.condition.0.clone()))), "1")?;
            }
        }
        Ok(())
    }

    /// Counts what satisfies a condition in SQL.
    fn plain(&mut self, about: &About<'_>, condition: &str, params: &[Value]) -> Result<(), RecordError> {
        let (count, ids) = store::count(self.conn, self.shadow, &self.entity.key, condition, params, SHOWN)?;
        if count > 0 {
            self.push(about, Some(count), ids);
        }
        Ok(())
    }

    /// Counts what satisfies a filter and a condition in SQL. A filter that looks at another file's new columns cannot be
    /// asked yet.
    fn filter(&mut self, about: &About<'_>, filter: &Condition, and: &str) -> Result<(), RecordError> {
        let (mut sql, mut params) = (format!("{and} and "), Vec::new());
        let counted =
            filter.0.condition(self.engine, self.scope, self.entity, Sight::Plugin).and_then(|condition| {
                condition.write(&mut sql, &mut params);
                store::count(self.conn, self.shadow, &self.entity.key, &sql, &params, SHOWN)
            });
        match counted {
            Ok((0, _)) => {}
            Ok((count, ids)) => self.push(about, Some(count), ids),
            Err(error) => {
                tracing::debug!(%error, entity = %self.entity.object, "an impact cannot be counted");
                self.push(about, None, Vec::new());
            }
        }
        Ok(())
    }

    fn push(&mut self, about: &About<'_>, count: Option<u64>, ids: Vec<RecordId>) {
        self.found.push(Impact {
            entity: self.entity.object.to_string(),
            field: about.field.map(str::to_owned),
            code: about.code,
            count,
            ids,
            detail: about.detail.clone(),
            blocks: about.blocks,
        });
    }

    fn needed(&mut self, field: &Field, before: Option<&Field>) -> Result<(), RecordError> {
        let Some(condition) = &field.required_when else { return Ok(()) };
        if before.is_some_and(|before| before.required_when.as_ref() == Some(condition)) {
            return Ok(());
        }
        let detail = format!(
            "records that need a value for `{}` and have none; they are asked for it when next saved",
            field.key
        );
        let about = About { field: Some(&field.key), code: "required_when", detail, blocks: false };
        self.filter(&about, condition, &format!("\"{}\" is null", field.key))
    }

    fn field(&mut self, field: &Field, before: Option<&Field>) -> Result<(), RecordError> {
        let (key, column) = (&*field.key, format!("\"{}\"", field.key));
        let about = |code, detail: String, blocks| About { field: Some(key), code, detail, blocks };
        if field.required && !before.is_some_and(|before| before.required) {
            let detail =
                format!("records without a value for `{key}`; they are asked for it when next saved");
            self.plain(&about("required", detail, false), &format!("{column} is null"), &[])?;
        }
        if field.unique && !before.is_some_and(|before| before.unique) {
            let detail =
                format!("records that share a value of `{key}`; change them before it becomes unique");
            let twice = format!(
                "{column} in (select {column} from \"{}\" where deleted_at is null and {column} is not null \
                 group by {column} having count(*) > 1)",
                self.entity.key
            );
            self.plain(&about("unique", detail, true), &twice, &[])?;
        }
        if matches!(field.kind, Kind::AutoNumber(_)) && before.is_none() {
            let most = fill::NUMBERED;
            let detail = format!("records that get a number for `{key}`, oldest first, {most} at most");
            self.plain(&about("numbered", detail, false), &format!("{column} is null"), &[])?;
        }
        self.bounds(field, before)?;
        let (Kind::Option(now) | Kind::Options(now)) = &field.kind else { return Ok(()) };
        let (Some(Kind::Option(then) | Kind::Options(then)), false) =
            (before.map(|before| &before.kind), now.is_empty())
        else {
            return Ok(());
        };
        let open = |choice: &&Choice| {
            choice.archived && then.iter().any(|old| old.key == choice.key && !old.archived)
        };
        for choice in now.iter().filter(open) {
            let detail = format!(
                "records that hold the option `{}`; they keep it, and it is not chosen anew",
                choice.key
            );
            let (condition, params) = fill::holding(field, &[choice.key.as_str()]);
            self.plain(&about("option_archived", detail, false), &condition, &params)?;
        }
        Ok(())
    }

    fn bounds(&mut self, field: &Field, before: Option<&Field>) -> Result<(), RecordError> {
        let (Some(before), column) = (before, format!("\"{}\"", field.key)) else { return Ok(()) };
        let mut parts = Vec::new();
        if let Some(min) = field.min.filter(|min| before.min.is_none_or(|old| old < *min)) {
            parts.push(format!("{column} < {min}"));
        }
        if let Some(max) = field.max.filter(|max| before.max.is_none_or(|old| old > *max)) {
            parts.push(format!("{column} > {max}"));
        }
        let detail = |what: &str| {
            format!(
                "records whose `{}` is {what}; they stay, and cannot be given such a value again",
                field.key
            )
        };
        let about =
            |code, what: &str| About { field: Some(&field.key), code, detail: detail(what), blocks: false };
        if !parts.is_empty() {
            self.plain(&about("bounds", "below `min` or above `max`"), &parts.join(" or "), &[])?;
        }
        let mut parts = Vec::new();
        if field.max_length < before.max_length {
            parts.push(format!("length({column}) > {}", field.max_length));
        }
        if let Some(min) = field.min_length.filter(|min| before.min_length.is_none_or(|old| old < *min)) {
            parts.push(format!("length({column}) < {min}"));
        }
        if !parts.is_empty() {
            self.plain(&about("length", "too short or too long"), &parts.join(" or "), &[])?;
        }
        Ok(())
    }

    fn replaced(&mut self, change: &fill::Replaced) -> Result<(), RecordError> {
        for (from, to) in &change.options {
            let detail = format!("records whose option `{from}` becomes `{to}`");
            let about =
                About { field: Some(&change.field.key), code: "option_replaced", detail, blocks: false };
            let (condition, params) = fill::holding(&change.field, &[from.as_str()]);
            self.plain(&about, &condition, &params)?;
        }
        Ok(())
    }
}
