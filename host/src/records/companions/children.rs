//! Records of the same module that refer to a record, and what was changed in them lately: a bounded look at those that
//! changed last and that the caller may read.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::{params, params_from_iter};

use super::changes::{self, Entry};
use crate::ids::RecordId;
use crate::records::filter::bind;
use crate::records::list::write_visible;
use crate::records::schema::{Entity, Field, Kind, Module};
use crate::records::value::Value;
use crate::records::{RecordError, Scope};
use crate::storage::Connection;

/// Most records of one relation that are looked at: those that changed last.
const OF_RELATION: i64 = 100;
/// Most records that are looked at.
const ALL: usize = 200;

/// A record that refers.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) entity: Arc<Entity>,
    pub(super) id: RecordId,
    pub(super) title: Option<String>,
    updated_at: i64,
}

/// A change of a record that refers.
pub(super) struct ChildEntry {
    pub(super) child: Child,
    pub(super) entry: Entry,
}

/// Changes of the records that refer to `record`, below `seq`, the newest first, at most `limit`.
pub(super) fn entries(
    conn: &Rc<Connection>,
    scope: &Scope,
    module: &Module,
    (entity, record): (&Entity, RecordId),
    below: i64,
    limit: usize,
) -> Result<Vec<ChildEntry>, RecordError> {
    let children = referring(conn, scope, module, entity, record)?;
    let mut newest: Vec<(i64, RecordId)> = Vec::new();
    // Numbers first, from the index alone; of the rows only those that are shown.
    let sql = "select seq from _stoa_changes where record = ?1 and seq < ?2 order by seq desc limit ?3";
    let mut statement = conn.prepare(sql)?;
    for id in children.keys() {
        let mut rows = statement.query(params![id.as_bytes(), below, limit as i64])?;
        while let Some(row) = rows.next()? {
            newest.push((row.get(0)?, *id));
        }
    }
    newest.sort_unstable_by_key(|one| std::cmp::Reverse(one.0));
    newest.truncate(limit);
    let mut found = Vec::with_capacity(newest.len());
    for (seq, id) in newest {
        if let (Some(entry), Some(child)) = (changes::one(conn, seq)?, children.get(&id)) {
            found.push(ChildEntry { child: child.clone(), entry });
        }
    }
    Ok(found)
}

/// The records that refer and that the caller may read, those that changed last.
fn referring(
    conn: &Rc<Connection>,
    scope: &Scope,
    module: &Module,
    entity: &Entity,
    record: RecordId,
) -> Result<HashMap<RecordId, Child>, RecordError> {
    let mut found: Vec<Child> = Vec::new();
    for other in &module.entities {
        for field in &other.fields {
            let (Kind::Reference(target, _) | Kind::References(target, _)) = &field.kind else { continue };
            if target.plugin == entity.plugin && target.entity == entity.key {
                found.extend(by_relation(conn, scope, other, field, record)?);
            }
        }
    }
    found.sort_unstable_by_key(|child| std::cmp::Reverse(child.updated_at));
    let mut children = HashMap::new();
    for child in found.into_iter().filter(|child| child.id != record) {
        if children.len() < ALL {
            children.entry(child.id).or_insert(child);
        }
    }
    Ok(children)
}

fn by_relation(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Arc<Entity>,
    field: &Field,
    record: RecordId,
) -> Result<Vec<Child>, RecordError> {
    let title = entity.title.as_ref().and_then(|title| entity.attribute(title));
    let title = title.filter(|title| scope.shows(entity, title));
    let title = title.map_or("null".to_owned(), |title| format!("\"{}\"", title.key));
    let (mut sql, mut params) =
        (format!("select id, updated_at, {title} from \"{}\" where ", entity.key), Vec::new());
    if matches!(field.kind, Kind::References(..)) {
        sql.push_str("id in (select record from _stoa_links where target = ");
        bind(record.into(), &mut sql, &mut params);
        sql.push_str(" and entity = ");
        bind(Value::Text(entity.key.to_string()), &mut sql, &mut params);
        sql.push_str(" and field = ");
        bind(Value::Text(field.key.to_string()), &mut sql, &mut params);
        sql.push_str(") and ");
    } else {
        sql.push_str(&format!("\"{}\" = ", field.key));
        bind(record.into(), &mut sql, &mut params);
        sql.push_str(" and ");
    }
    match write_visible(scope, entity, "read", &mut sql, &mut params) {
        Err(RecordError::Forbidden { .. }) => return Ok(Vec::new()),
        other => other?,
    }
    sql.push_str(" order by updated_at desc limit ");
    bind(Value::Integer(OF_RELATION), &mut sql, &mut params);
    let mut statement = conn.prepare(&sql)?;
    let children = statement.query_map(params_from_iter(&params), |row| {
        let title = match Value::from_sql(row.get_ref(2)?) {
            Value::Text(text) => Some(text),
            Value::Integer(number) => Some(number.to_string()),
            Value::Null | Value::Id(_) => None,
        };
        let (id, updated_at) = (RecordId::from_bytes(row.get(0)?), row.get(1)?);
        Ok(Child { entity: Arc::clone(entity), id, title, updated_at })
    })?;
    Ok(children.collect::<rusqlite::Result<_>>()?)
}
