//! The change log of a record, field by field, in the form in which REST shows values.
//!
//! The log holds columns. An amount whose currency did not change has one column there, and no currency; so the record's
//! amounts are walked back in time along with its entries, and go from page to page in the cursor.

use std::collections::BTreeMap;
use std::rc::Rc;

use rusqlite::types::ValueRef;
use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId, RequestId};
use crate::records::json::{Form, write_value};
use crate::records::schema::{Entity, Field, Kind, Stored};
use crate::records::value::Value;
use crate::records::{RecordError, Scope};
use crate::storage::Connection;

/// Most entries that one page looks at for a field that changes seldom; the page ends there, and a next one goes on.
pub const LOOKED_AT: usize = 10_000;

/// System columns whose changes people want to see. The others say what the entry itself says, or count.
const SHOWN: [&str; 3] = ["owner_id", "team_id", "external_ids"];

/// Whether the caller may read the field with this key.
pub(super) fn readable(scope: &Scope, entity: &Entity, key: &str) -> bool {
    entity.attribute(key).is_none_or(|field| scope.shows(entity, field))
}

/// An entry of the log, as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) seq: i64,
    pub(super) at: UnixMillis,
    pub(super) by: PrincipalId,
    pub(super) request: RequestId,
    pub(super) source: String,
    pub(super) as_plugin: bool,
    pub(super) operation: String,
    pub(super) old: Map<String, Json>,
    pub(super) new: Map<String, Json>,
}

/// What a field was and became.
#[derive(Debug, Serialize)]
pub struct FieldChange {
    /// The field's key.
    pub field: String,
    /// What it was.
    pub old: Box<RawValue>,
    /// What it became.
    pub new: Box<RawValue>,
}

const COLUMNS: &str = "seq, at, principal, request, source, as_plugin, operation, old, new";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let object = |at: usize| -> rusqlite::Result<Map<String, Json>> {
        let text = row.get_ref(at)?.as_str_or_null().unwrap_or_default();
        Ok(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    };
    let id = |at: usize| -> rusqlite::Result<[u8; 16]> {
        let bytes = row.get_ref(at)?.as_blob().unwrap_or_default();
        Ok(bytes.try_into().unwrap_or_default())
    };
    Ok(Entry {
        seq: row.get(0)?,
        at: row.get(1)?,
        by: PrincipalId::from_bytes(id(2)?),
        request: RequestId::from_bytes(id(3)?),
        source: row.get(4)?,
        as_plugin: row.get(5)?,
        operation: row.get(6)?,
        old: object(7)?,
        new: object(8)?,
    })
}

/// Entries of a record below `seq`, the newest first, at most `limit`; only those that touch `field`, if one is asked for.
/// Answers also where the look ended, if that was before the beginning of the log.
pub(super) fn entries(
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
    below: i64,
    field: Option<&Field>,
    limit: usize,
) -> Result<(Vec<Entry>, Option<i64>), RecordError> {
    let sql = format!(
        "select {COLUMNS}, entity from _stoa_changes where record = ?1 and seq < ?2 order by seq desc limit ?3"
    );
    let looked_at = if field.is_some() { LOOKED_AT } else { limit };
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params![record.as_bytes(), below, looked_at as i64])?;
    let (mut found, mut looked, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        looked += 1;
        last = Some(row.get(0)?);
        let own = row.get_ref(9)?.as_str().is_ok_and(|table| table == &*entity.key);
        if own && field.is_none_or(|field| touches(row, field)) {
            found.push(entry(row)?);
            if found.len() == limit {
                break;
            }
        }
    }
    let cut_off = looked == looked_at || found.len() == limit;
    Ok((found, last.filter(|_| cut_off)))
}

/// Whether an entry may say something of a field: a look at the text, before it is read as JSON.
fn touches(row: &Row<'_>, field: &Field) -> bool {
    let named = |at: usize| {
        let text = row.get_ref(at).ok().and_then(|text| text.as_str_or_null().ok().flatten());
        let money = matches!(field.kind, Kind::Money);
        text.is_some_and(|text| {
            text.contains(&*field.json_key)
                || (money && text.contains(&format!("\"{}_currency\":", field.key)))
        })
    };
    named(7) || named(8)
}

/// One entry of the log by its number.
pub(super) fn one(conn: &Rc<Connection>, seq: i64) -> Result<Option<Entry>, RecordError> {
    let sql = format!("select {COLUMNS} from _stoa_changes where seq = ?1");
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([seq])?;
    Ok(rows.next()?.map(entry).transpose()?)
}

impl Entry {
    /// What became of the record.
    pub(super) fn event(&self) -> &'static str {
        match (self.operation.as_str(), self.new.get("deleted_at")) {
            ("insert", _) => "created",
            ("delete", _) => "purged",
            (_, None) => "updated",
            (_, Some(Json::Null)) => "restored",
            (_, Some(_)) => "deleted",
        }
    }
}

/// The amounts of a record at a point in time, by field: minor units and currency.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Amounts(BTreeMap<String, Amount>);

type Amount = (Option<i64>, Option<String>);

impl Amounts {
    /// As they are now, in the record's values.
    pub(super) fn now(entity: &Entity, values: &[Value]) -> Self {
        let amounts = entity.fields.iter().filter(|field| matches!(field.kind, Kind::Money));
        let amount = |field: &Field| {
            let currency = values.get(field.column + 1).and_then(Value::text).map(str::to_owned);
            (values.get(field.column).and_then(Value::integer), currency)
        };
        Self(amounts.map(|field| (field.key.to_string(), amount(field))).collect())
    }

    /// As a cursor holds them.
    pub(super) fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// For a cursor, which whoever gets it can read: what is not shown is left out, and so are its changes.
    pub(super) fn written(&self, shown: impl Fn(&str) -> bool) -> String {
        let shown: BTreeMap<_, _> = self.0.iter().filter(|(key, _)| shown(key)).collect();
        serde_json::to_string(&shown).unwrap_or_default()
    }

    /// Steps from after an entry to before it, and answers the fields that it changed: all that people see, or one.
    pub(super) fn step_back(
        &mut self,
        entity: &Entity,
        entry: &Entry,
        only: Option<&Field>,
    ) -> Vec<FieldChange> {
        let system = SHOWN.iter().filter_map(|key| entity.attribute(key));
        let mut changes = Vec::new();
        for field in entity.fields.iter().chain(system) {
            let (old, new) = if matches!(field.kind, Kind::Money) {
                self.amount(field, entry)
            } else {
                (shown(field, entry.old.get(&*field.key)), shown(field, entry.new.get(&*field.key)))
            };
            let wanted = only.is_none_or(|only| only.key == field.key);
            if wanted && old.get() != new.get() {
                changes.push(FieldChange { field: field.key.to_string(), old, new });
            }
        }
        changes
    }

    /// What an amount was and became. The half that an entry does not say is what it is after the entry.
    fn amount(&mut self, field: &Field, entry: &Entry) -> (Box<RawValue>, Box<RawValue>) {
        let after = self.0.get(&*field.key).cloned().unwrap_or_default();
        let before = if entry.operation == "insert" {
            Amount::default()
        } else {
            let minor = entry.old.get(&*field.key).map(Json::as_i64);
            let currency = entry.old.get(&format!("{}_currency", field.key));
            let currency = currency.map(|currency| currency.as_str().map(str::to_owned));
            (minor.unwrap_or(after.0), currency.unwrap_or_else(|| after.1.clone()))
        };
        let written = |amount: &Amount| match amount {
            (Some(minor), Some(currency)) => {
                raw(&Form::Money, ValueRef::Integer(*minor), ValueRef::Text(currency.as_bytes()))
            }
            _ => raw(&Form::Money, ValueRef::Null, ValueRef::Null),
        };
        let shown = (written(&before), written(&after));
        self.0.insert(field.key.to_string(), before);
        shown
    }
}

/// A field's value in one half of an entry, as REST shows it.
fn shown(field: &Field, json: Option<&Json>) -> Box<RawValue> {
    let form = Form::of(&field.kind);
    let value = match (field.kind.stored(), json) {
        (Stored::Integer, Some(Json::Number(number))) => number.as_i64().map_or(Value::Null, Value::Integer),
        (Stored::Id, Some(Json::String(text))) => text.parse::<RecordId>().map_or(Value::Null, Value::from),
        (Stored::Text, Some(Json::String(text))) => Value::Text(text.clone()),
        _ => Value::Null,
    };
    match &value {
        Value::Null => raw(&form, ValueRef::Null, ValueRef::Null),
        Value::Integer(integer) => raw(&form, ValueRef::Integer(*integer), ValueRef::Null),
        Value::Text(text) => raw(&form, ValueRef::Text(text.as_bytes()), ValueRef::Null),
        Value::Id(bytes) => raw(&form, ValueRef::Blob(bytes), ValueRef::Null),
    }
}

fn raw(form: &Form, value: ValueRef<'_>, second: ValueRef<'_>) -> Box<RawValue> {
    let mut out = Vec::new();
    write_value(form, value, second, &mut out);
    let text = String::from_utf8(out).unwrap_or_default();
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::garden::garden;
    use serde_json::json;

    fn entry(operation: &str, old: Json, new: Json) -> Entry {
        let object = |json: Json| json.as_object().cloned().unwrap_or_default();
        Entry {
            seq: 1,
            at: 0,
            by: PrincipalId::new(),
            request: RequestId::new(),
            source: "api".into(),
            as_plugin: false,
            operation: operation.into(),
            old: object(old),
            new: object(new),
        }
    }

    fn told(changes: &[FieldChange]) -> Vec<String> {
        changes.iter().map(|c| format!("{}: {} -> {}", c.field, c.old.get(), c.new.get())).collect()
    }

    #[test]
    fn values_are_shown_as_rest_shows_them() {
        let tree = garden().entity("tree").unwrap();
        let parent = RecordId::new();
        let old = json!({"version": 1, "ratio": 1500, "done": 0, "at": 0, "share": null, "parent": null, "color": "red"});
        let new = json!({"version": 2, "ratio": 250, "done": 1, "at": 1000, "share": 125_000, "parent": parent, "color": "blue"});
        let changes = Amounts::default().step_back(&tree, &entry("update", old, new), None);
        assert_eq!(
            told(&changes),
            [
                r#"ratio: "1.500" -> "0.250""#.to_owned(),
                r#"share: null -> "12.5""#.to_owned(),
                "done: false -> true".to_owned(),
                r#"at: "1970-01-01T00:00:00.000Z" -> "1970-01-01T00:00:01.000Z""#.to_owned(),
                r#"color: "red" -> "blue""#.to_owned(),
                format!("parent: null -> \"{parent}\""),
            ]
        );
    }

    #[test]
    fn an_amount_is_whole_although_an_entry_says_half_of_it() {
        let tree = garden().entity("tree").unwrap();
        let mut amounts =
            Amounts(BTreeMap::from([("price".to_owned(), (Some(900), Some("USD".to_owned())))]));
        let digits = entry("update", json!({"price": 500}), json!({"price": 900}));
        let money =
            |minor: &str, currency: &str| format!(r#"{{"amount":"{minor}","currency":"{currency}"}}"#);
        assert_eq!(
            told(&amounts.step_back(&tree, &digits, None)),
            [format!("price: {} -> {}", money("5.00", "USD"), money("9.00", "USD"))]
        );
        let currency = entry("update", json!({"price_currency": "JPY"}), json!({"price_currency": "USD"}));
        assert_eq!(
            told(&amounts.step_back(&tree, &currency, None)),
            [format!("price: {} -> {}", money("500", "JPY"), money("5.00", "USD"))]
        );
        assert_eq!(amounts.written(|key| key != "price"), "{}", "what is not shown is in no cursor");
        let mut amounts = Amounts::read(&amounts.written(|_| true));
        let made = entry("insert", json!({}), json!({"price": 500, "price_currency": "JPY", "name": "x"}));
        assert_eq!(
            told(&amounts.step_back(&tree, &made, None)),
            [r#"name: null -> "x""#.to_owned(), format!("price: null -> {}", money("500", "JPY"))]
        );
    }
}
