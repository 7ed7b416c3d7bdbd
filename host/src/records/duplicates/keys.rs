//! The stored keys of an entity, in step with its rows and with its rules.
//!
//! A change of a row refreshes its keys in the same transaction. A change of the rules, or of the organization's region,
//! makes all keys anew: small tables at once, when the file is prepared; large ones in steps behind it, each its own
//! transaction, so that writes come in between. How far that is stands in the file; a crash loses nothing.

use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::blocking::{self, Key};
use super::normalize::Region;
use super::pair::{End, forms};
use super::rule::{Rule, fields};
use super::{index, store};
use crate::identity::PLATFORM;
use crate::ids::RequestId;
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Field, ID, Module};
use crate::records::value::Value;
use crate::storage::{ChangeOrigin, Connection, TenantFile, Verdict};

/// Rows whose keys are made in one transaction.
const STEP: usize = 2_000;
/// Changes when the normalizers or the keys do: then every file makes its keys anew.
const FORMAT: u32 = 2;
/// Where the file remembers the organization's region.
const REGION: &str = "duplicates.region";

/// How far the keys of an entity are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct State {
    /// Of the rules and the region that the keys were made for.
    fingerprint: String,
    phase: Phase,
    /// The last row whose keys were made.
    after: i64,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// Old keys are taken away.
    Clear,
    /// New ones are made.
    Fill,
    /// Every row has its keys.
    Done,
}

fn place(entity: &str) -> String {
    format!("duplicates:{entity}")
}

/// The rules that give records keys: those that compare an entity with itself.
fn keeping(entity: &Entity) -> impl Iterator<Item = &Rule> {
    entity.duplicates.iter().filter(|rule| rule.within())
}

fn fingerprint(entity: &Entity, region: Region) -> String {
    let criteria: Vec<_> = keeping(entity).map(|rule| &rule.criteria).collect();
    let text = serde_json::json!([FORMAT, region.as_str(), criteria]).to_string();
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The fields that the rules read, each once.
pub(super) fn compared<'e>(entity: &'e Entity, rules: &[(&'e Rule, End)]) -> Vec<&'e Field> {
    let mut all: Vec<&Field> = Vec::new();
    for (rule, end) in rules {
        for field in rule.criteria.iter().flat_map(|criterion| fields(entity, end.keys(criterion))) {
            if all.iter().all(|known| known.key != field.key) {
                all.push(field);
            }
        }
    }
    all
}

/// The region that the file's keys are made for.
pub(super) fn region(conn: &Rc<Connection>) -> Result<Region, RecordError> {
    Ok(store::remembered::<String>(conn, REGION)?.map_or_else(Region::default, |code| Region::named(&code)))
}

/// The keys that a row has by the entity's rules.
fn keys_of(entity: &Entity, values: &[Value], region: Region) -> Vec<Key> {
    let mut keys: Vec<Key> = keeping(entity)
        .flat_map(|rule| blocking::keys(rule, End::Own, &forms(rule, End::Own, entity, values, region)))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Brings the keys of a row in step with it.
///
/// # Errors
/// The file fails.
pub(in crate::records) fn refresh(
    conn: &Rc<Connection>,
    entity: &Entity,
    before: Option<&[Value]>,
    after: Option<&[Value]>,
) -> Result<(), RecordError> {
    let rules: Vec<(&Rule, End)> = keeping(entity).map(|rule| (rule, End::Own)).collect();
    let Some(record) = before.or(after).and_then(|row| row.get(ID)).and_then(Value::id) else {
        return Ok(());
    };
    let value = |row: Option<&[Value]>, field: &Field| row.and_then(|row| row.get(field.column)).cloned();
    if compared(entity, &rules).iter().all(|field| value(before, field) == value(after, field)) {
        return Ok(());
    }
    let region = region(conn)?;
    let keys = after.map(|row| keys_of(entity, row, region)).unwrap_or_default();
    index::put(conn, entity, record, &keys)
}

/// Gives new rows their keys.
///
/// # Errors
/// The file fails.
pub(in crate::records) fn enter<'r>(
    conn: &Rc<Connection>,
    entity: &Entity,
    rows: impl Iterator<Item = &'r [Value]>,
) -> Result<(), RecordError> {
    if keeping(entity).next().is_none() {
        return Ok(());
    }
    let region = region(conn)?;
    for row in rows {
        let Some(record) = row.get(ID).and_then(Value::id) else { continue };
        index::put(conn, entity, record, &keys_of(entity, row, region))?;
    }
    Ok(())
}

/// Sees whether the keys of the module's entities are made for its rules and the region, and begins to make them anew
/// where they are not. Answers whether there is more to do, by [`step`].
///
/// # Errors
/// The file fails.
pub(in crate::records) fn prepare(
    conn: &Rc<Connection>,
    module: &Module,
    region: Region,
) -> Result<bool, RecordError> {
    if self::region(conn)? != region {
        store::remember(conn, REGION, region.as_str())?;
    }
    let mut more = false;
    for entity in &module.entities {
        let wanted = fingerprint(entity, region);
        let state: Option<State> = store::remembered(conn, &place(&entity.key))?;
        if state.is_none() && keeping(entity).next().is_none() {
            continue;
        }
        if state.is_none_or(|state| state.fingerprint != wanted) {
            let state = State { fingerprint: wanted, phase: Phase::Clear, after: 0 };
            store::remember(conn, &place(&entity.key), &state)?;
        }
        more |= step(conn, entity)?;
    }
    Ok(more)
}

/// Makes the keys of the next rows. Answers whether there are more. Nothing happens when the keys are being made for
/// other rules than these: whoever changed them goes on.
///
/// # Errors
/// The file fails.
pub(in crate::records) fn step(conn: &Rc<Connection>, entity: &Entity) -> Result<bool, RecordError> {
    let Some(mut state) = store::remembered::<State>(conn, &place(&entity.key))? else {
        return Ok(false);
    };
    let region = region(conn)?;
    if state.phase == Phase::Done || state.fingerprint != fingerprint(entity, region) {
        return Ok(false);
    }
    if state.phase == Phase::Clear {
        index::clear(conn, entity)?;
        state.phase = Phase::Fill;
    }
    if state.phase == Phase::Fill {
        let rules: Vec<(&Rule, End)> = keeping(entity).map(|rule| (rule, End::Own)).collect();
        let rows = store::rows_after(conn, entity, &compared(entity, &rules), state.after, STEP)?;
        for (_, record, values) in &rows {
            index::put(conn, entity, *record, &keys_of(entity, values, region))?;
        }
        state.after = rows.last().map_or(state.after, |(row, ..)| *row);
        if rows.len() < STEP {
            state.phase = Phase::Done;
        }
    }
    store::remember(conn, &place(&entity.key), &state)?;
    Ok(state.phase != Phase::Done)
}

/// Whether an entity has keys at all.
///
/// # Errors
/// The file fails.
pub(super) fn kept(conn: &Rc<Connection>, entity: &Entity) -> Result<bool, RecordError> {
    Ok(store::remembered::<State>(conn, &place(&entity.key))?.is_some())
}

/// Whether every row has its keys: until then, a check may miss records.
///
/// # Errors
/// The file fails.
pub(super) fn complete(conn: &Rc<Connection>, entity: &Entity) -> Result<bool, RecordError> {
    let state: Option<State> = store::remembered(conn, &place(&entity.key))?;
    Ok(state.map_or_else(|| keeping(entity).next().is_none(), |state| state.phase == Phase::Done))
}

/// Makes the rest of a module's keys, step by step, behind whoever prepared the file.
pub(in crate::records) async fn finish(file: Arc<TenantFile>, module: Arc<Module>) {
    for entity in &module.entities {
        loop {
            let origin = ChangeOrigin {
                principal: PLATFORM,
                request: RequestId::new(),
                source: crate::caller::Source::Platform,
            };
            let plan = Arc::clone(entity);
            let done: Result<bool, RecordError> =
                file.write(origin, move |conn| step(conn, &plan).map(Verdict::Keep)).await;
            match done {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    // The next start goes on; until then a check may miss records, and says so.
                    tracing::warn!(entity = %entity.object, %error, "the keys for duplicates cannot be made");
                    return;
                }
            }
        }
    }
}
