//! The table `views` of an organization's own file.

use std::rc::Rc;

use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};

use super::{Content, SavedView};
use crate::caller::Principal;
use crate::ids::{PrincipalId, TeamId, ViewId};
use crate::records::error::RecordError;
use crate::records::filter::bind;
use crate::records::value::Value;
use crate::storage::Connection;

/// What the principal sees.
fn write_seen(principal: &Principal, sql: &mut String, params: &mut Vec<Value>) {
    sql.push_str("(audience = 'organization' or audience = 'private' and owner_id = ");
    bind(Value::Id(*principal.id.as_bytes()), sql, params);
    sql.push_str(" or audience = 'team' and (owner_id = ");
    bind(Value::Id(*principal.id.as_bytes()), sql, params);
    for team in principal.teams.iter() {
        sql.push_str(" or team_id = ");
        bind(Value::Id(*team.as_bytes()), sql, params);
    }
    sql.push_str("))");
}

/// Views after `after`, by id.
pub(super) fn list(
    conn: &Rc<Connection>,
    principal: &Principal,
    entity: Option<&str>,
    after: Option<ViewId>,
    limit: u32,
) -> Result<Vec<SavedView>, RecordError> {
    let (mut sql, mut params) = ("select * from views where id > ".to_owned(), Vec::new());
    bind(Value::Id(after.map_or([0; 16], |id| *id.as_bytes())), &mut sql, &mut params);
    if let Some(entity) = entity {
        sql.push_str(" and entity = ");
        bind(Value::Text(entity.to_owned()), &mut sql, &mut params);
    }
    sql.push_str(" and ");
    write_seen(principal, &mut sql, &mut params);
    sql.push_str(" order by id limit ");
    bind(Value::Integer(limit.into()), &mut sql, &mut params);
    let mut statement = conn.prepare(&sql)?;
    let views = statement.query_map(params_from_iter(&params), read)?;
    Ok(views.collect::<rusqlite::Result<_>>()?)
}

/// The view with this id, if the principal sees it.
pub(super) fn find(
    conn: &Rc<Connection>,
    principal: &Principal,
    id: ViewId,
) -> Result<Option<SavedView>, RecordError> {
    let (mut sql, mut params) = ("select * from views where id = ".to_owned(), Vec::new());
    bind(Value::Id(*id.as_bytes()), &mut sql, &mut params);
    sql.push_str(" and ");
    write_seen(principal, &mut sql, &mut params);
    let mut statement = conn.prepare(&sql)?;
    Ok(statement.query_row(params_from_iter(&params), read).optional()?)
}

/// How many views somebody has.
pub(super) fn count(conn: &Rc<Connection>, owner: PrincipalId) -> Result<i64, RecordError> {
    let mut statement = conn.prepare("select count(*) from views where owner_id = ?1")?;
    Ok(statement.query_row([owner.as_bytes()], |row| row.get(0))?)
}

/// Adds a view, or puts it in the place of what it was.
pub(super) fn put(conn: &Rc<Connection>, view: &SavedView) -> Result<(), RecordError> {
    let content = &view.content;
    conn.execute(
        "insert into views (id, version, name, entity, filter, sort, fields, audience, team_id, owner_id, is_default,
                            created_at, updated_at, updated_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         on conflict (id) do update set
             version = excluded.version, name = excluded.name, filter = excluded.filter, sort = excluded.sort,
             fields = excluded.fields, audience = excluded.audience, team_id = excluded.team_id,
             is_default = excluded.is_default, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        params![
            view.id.as_bytes(),
            view.version,
            content.name,
            content.entity,
            filter_text(content),
            content.sort,
            fields_text(content),
            content.audience.to_string(),
            content.team.as_ref().map(TeamId::as_bytes),
            view.owner.as_bytes(),
            content.is_default,
            view.created_at,
            view.updated_at,
            view.updated_by.as_bytes(),
        ],
    )?;
    Ok(())
}

/// Deletes a view.
pub(super) fn delete(conn: &Rc<Connection>, id: ViewId) -> Result<(), RecordError> {
    conn.execute("delete from views where id = ?1", [id.as_bytes()])?;
    Ok(())
}

/// When the view is the default of its audience, no other one of the entity is.
pub(super) fn one_default(conn: &Rc<Connection>, view: &SavedView) -> Result<(), RecordError> {
    let content = &view.content;
    if !content.is_default {
        return Ok(());
    }
    conn.execute(
        "update views set is_default = 0, version = version + 1, updated_at = ?6
         where is_default = 1 and entity = ?2 and id <> ?1 and audience = ?3
           and (audience <> 'private' or owner_id = ?4) and team_id is ?5",
        params![
            view.id.as_bytes(),
            content.entity,
            content.audience.to_string(),
            view.owner.as_bytes(),
            content.team.as_ref().map(TeamId::as_bytes),
            view.updated_at,
        ],
    )?;
    Ok(())
}

fn filter_text(content: &Content) -> Option<String> {
    content.filter.as_ref().map(ToString::to_string)
}

fn fields_text(content: &Content) -> Option<String> {
    content.fields.as_ref().map(|fields| serde_json::Value::from(fields.clone()).to_string())
}

fn read(row: &Row<'_>) -> rusqlite::Result<SavedView> {
    let filter: Option<String> = row.get("filter")?;
    let fields: Option<String> = row.get("fields")?;
    let audience: String = row.get("audience")?;
    let unreadable = |column: &str| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, format!("views.{column}").into())
    };
    Ok(SavedView {
        id: ViewId::from_bytes(row.get("id")?),
        version: row.get("version")?,
        content: Content {
            name: row.get("name")?,
            entity: row.get("entity")?,
            filter: filter
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|_| unreadable("filter"))?,
            sort: row.get("sort")?,
            fields: fields
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|_| unreadable("fields"))?,
            audience: audience.parse().map_err(|()| unreadable("audience"))?,
            team: row.get::<_, Option<[u8; 16]>>("team_id")?.map(TeamId::from_bytes),
            is_default: row.get("is_default")?,
        },
        owner: PrincipalId::from_bytes(row.get("owner_id")?),
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        updated_by: PrincipalId::from_bytes(row.get("updated_by")?),
    })
}
