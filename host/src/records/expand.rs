//! `expand=`: another record's JSON where its id stood, two levels deep. One query for each expanded member of each level,
//! whatever the page's length.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::companions::attachment::attachment_json;
use super::error::RecordError;
use super::filter::Filter;
use super::json::{ID_LENGTH, Place, write_id, write_text};
use super::list::{Count, Query, View, page};
use super::members::{Expansion, FILE};
use super::schema::{Entity, Module, Target};
use super::sort::Sort;
use super::{Records, Scope};
use crate::ids::{PrincipalId, RecordId, TeamId};

/// Most records that one member of a page brings in: a multi-reference can name a hundred each row.
const MOST: usize = 5_000;

/// Puts the referred records into `body`. A record that the caller may not read, or that is gone, stays `{"id":…}`.
///
/// # Errors
/// A file fails.
pub fn splice(
    engine: &Records,
    scope: &Scope,
    body: Vec<u8>,
    places: &[Place],
    expansions: &[Expansion],
) -> Result<Vec<u8>, RecordError> {
    if places.is_empty() {
        return Ok(body);
    }
    let mut wanted = vec![BTreeSet::new(); expansions.len()];
    for place in places {
        if let Some(ids) = wanted.get_mut(place.expansion) {
            ids.insert(place.id);
        }
    }
    let found = expansions.iter().zip(&wanted).map(|(expansion, ids)| fetch(engine, scope, expansion, ids));
    let found: Vec<HashMap<RecordId, Vec<u8>>> = found.collect::<Result<_, _>>()?;
    let mut out = Vec::with_capacity(body.len() * 2);
    let mut from = 0;
    for place in places {
        out.extend_from_slice(body.get(from..place.at).unwrap_or_default());
        match found.get(place.expansion).and_then(|records| records.get(&place.id)) {
            Some(record) => out.extend_from_slice(record),
            None => {
                out.extend_from_slice(b"{\"id\":");
                write_id(place.id.as_bytes(), &mut out);
                out.push(b'}');
            }
        }
        from = place.at + ID_LENGTH;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Ok(out)
}

fn fetch(
    engine: &Records,
    scope: &Scope,
    expansion: &Expansion,
    ids: &BTreeSet<RecordId>,
) -> Result<HashMap<RecordId, Vec<u8>>, RecordError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    if ids.len() > MOST {
        let detail =
            format!("the page refers to more than {MOST} records to expand; ask for a smaller `limit`");
        return Err(RecordError::bad("expansion_too_large", detail));
    }
    let target = &expansion.target;
    if &*target.plugin == "host" {
        return people(engine, scope, target, ids);
    }
    if &*target.entity == FILE {
        let module = scope.module(&target.plugin).ok_or(RecordError::NotFound)?;
        return attachment_json(engine, scope, module, ids);
    }
    let Some((module, entity)) =
        scope.module(&target.plugin).and_then(|module| Some((module, module.entity(&target.entity)?)))
    else {
        return Ok(HashMap::new());
    };
    let mut found = load(engine, scope, (module, &entity), expansion, ids)?;
    // A record that was merged away is shown as the one that stands for it, until the reference has followed.
    let missing: Vec<RecordId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
    let stand_ins = engine.stand_ins(scope, &entity, &missing)?;
    if !stand_ins.is_empty() {
        let others = load(
            engine,
            scope,
            (module, &entity),
            expansion,
            &stand_ins.iter().map(|(_, into)| *into).collect(),
        )?;
        for (record, into) in stand_ins {
            found.extend(others.get(&into).map(|shown| (record, shown.clone())));
        }
    }
    Ok(found)
}

fn load(
    engine: &Records,
    scope: &Scope,
    (module, entity): (&Module, &Arc<Entity>),
    expansion: &Expansion,
    ids: &BTreeSet<RecordId>,
) -> Result<HashMap<RecordId, Vec<u8>>, RecordError> {
    let query = Query {
        filter: Filter::Among(ids.iter().copied().collect()),
        words: None,
        sort: Sort::newest(),
        limit: ids.len(),
        cursor: None,
        view: expansion.view.clone().map_or_else(|| View::within(scope, entity, None, None), Ok)?,
        count: Count::None,
    };
    let page = match engine.read(scope, module, |conn| page(engine, conn, scope, entity, &query)) {
        Err(RecordError::Forbidden { .. }) => return Ok(HashMap::new()),
        other => other?,
    };
    Ok(split(&splice(engine, scope, page.body, &page.places, &query.view.expansions)?))
}

/// The records of a page's body, by id.
fn split(body: &[u8]) -> HashMap<RecordId, Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        data: Vec<&'a serde_json::value::RawValue>,
    }
    #[derive(serde::Deserialize)]
    struct Head {
        id: RecordId,
    }
    let Ok(body) = serde_json::from_slice::<Body<'_>>(body) else {
        return HashMap::new();
    };
    let keyed = body.data.into_iter().filter_map(|raw| {
        let head: Head = serde_json::from_str(raw.get()).ok()?;
        Some((head.id, raw.get().as_bytes().to_vec()))
    });
    keyed.collect()
}

/// People and teams are shown by id and name.
fn people(
    engine: &Records,
    scope: &Scope,
    target: &Target,
    ids: &BTreeSet<RecordId>,
) -> Result<HashMap<RecordId, Vec<u8>>, RecordError> {
    let organization = scope.organization.id;
    let mut names: HashMap<RecordId, Arc<str>> = HashMap::new();
    for id in ids {
        let name = match &*target.entity {
            "team" => engine.people.team_name(organization, TeamId::from_bytes(*id.as_bytes()))?,
            _ => engine.people.principal_name(organization, PrincipalId::from_bytes(*id.as_bytes()))?,
        };
        if let Some(name) = name {
            names.insert(*id, name);
        }
    }
    let written = names.into_iter().map(|(id, name)| {
        let mut out = b"{\"id\":".to_vec();
        write_id(id.as_bytes(), &mut out);
        out.extend_from_slice(b",\"name\":");
        write_text(&name, &mut out);
        out.push(b'}');
        (id, out)
    });
    Ok(written.collect())
}
