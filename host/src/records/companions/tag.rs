//! Tags: short words on a record. Compared without regard to letter case, written as they were first written.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use unicode_normalization::UnicodeNormalization as _;

use super::event::{self, Happened};
use super::{Page, Paging, access, binding, paged, store};
use crate::ids::RecordId;
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::records::value::Value;
use crate::records::{Fault, RecordError, Records, Scope};
use crate::storage::Connection;

/// Most characters of a tag.
pub const LONGEST: usize = 50;
/// Most tags of a record.
pub const MOST: usize = 30;

/// A tag: how it is written and how it is compared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tag {
    /// As it is written.
    pub text: String,
    /// As it is compared.
    pub fold: String,
}

impl Tag {
    /// A tag of this text.
    ///
    /// # Errors
    /// What is wrong with it, as code and words.
    pub fn parse(text: &str) -> Result<Self, (&'static str, String)> {
        let text: String = text.trim().nfc().collect();
        if text.is_empty() {
            return Err(("required", "a tag is not empty".into()));
        }
        if text.chars().any(char::is_control) {
            return Err(("control_character", "a tag has no control characters".into()));
        }
        if text.chars().count() > LONGEST {
            return Err(("too_long", format!("a tag has at most {LONGEST} characters")));
        }
        let fold = text.to_lowercase().nfc().collect();
        Ok(Self { text, fold })
    }
}

/// What is to become of a record's tags.
#[derive(Clone, Debug)]
pub enum Tagging {
    /// These and no others.
    Set(Vec<Tag>),
    /// Some more, some less.
    Change {
        /// Given, if it is not there.
        add: Vec<Tag>,
        /// Taken, if it is there.
        remove: Vec<Tag>,
    },
}

/// Changes the tags of a record; answers them in order.
///
/// # Errors
/// The caller may not, or there would be too many.
pub fn change(
    tx: &Tx,
    entity: &Arc<Entity>,
    record: RecordId,
    tagging: Tagging,
) -> Result<Vec<String>, RecordError> {
    access::change(&tx.conn, &tx.scope, entity, record)?;
    let before: BTreeMap<String, String> = store::tags(&tx.conn, &entity.key, record)?.into_iter().collect();
    let after = planned(&before, tagging);
    if after.len() > MOST {
        let detail = format!("a record has at most {MOST} tags; this would be {}", after.len());
        return Err(RecordError::invalid("tags", "too_many_tags", detail));
    }
    let removed: Vec<(&String, &String)> =
        before.iter().filter(|(fold, _)| !after.contains_key(*fold)).collect();
    for (fold, _) in &removed {
        store::untag(&tx.conn, &entity.key, record, fold)?;
    }
    let by = (tx.now, tx.scope.caller.principal.id);
    let mut added = Vec::new();
    for (fold, text) in after.iter().filter(|(fold, _)| !before.contains_key(*fold)) {
        let text = store::spelling(&tx.conn, &entity.key, fold)?.unwrap_or_else(|| text.clone());
        store::tag(&tx.conn, &entity.key, record, (fold, &text), by)?;
        added.push(text);
    }
    if !(added.is_empty() && removed.is_empty()) {
        let removed: Vec<&String> = removed.into_iter().map(|(_, text)| text).collect();
        let detail = json!({ "added": added, "removed": removed });
        event::say(tx, entity, record, Happened::Tagged, detail)?;
    }
    let tags = store::tags(&tx.conn, &entity.key, record)?;
    Ok(tags.into_iter().map(|(_, text)| text).collect())
}

/// The tags as they will be: what is there keeps its spelling.
fn planned(before: &BTreeMap<String, String>, tagging: Tagging) -> BTreeMap<String, String> {
    let (mut after, add) = match tagging {
        Tagging::Set(tags) => {
            let kept = before.iter().filter(|(fold, _)| tags.iter().any(|tag| tag.fold == **fold));
            (kept.map(|(fold, text)| (fold.clone(), text.clone())).collect(), tags)
        }
        Tagging::Change { add, remove } => {
            let mut left = before.clone();
            left.retain(|fold, _| !remove.iter().any(|tag| tag.fold == *fold));
            (left, add)
        }
    };
    for tag in add {
        after.entry(tag.fold).or_insert(tag.text);
    }
    after
}

/// Reads a list of tags; every one that is wrong is a fault at its place.
#[must_use]
pub fn parse_all(member: &str, texts: &[serde_json::Value], faults: &mut Vec<Fault>) -> Vec<Tag> {
    let mut tags = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let parsed = match text.as_str() {
            Some(text) => Tag::parse(text),
            None => Err(("wrong_type", "a tag is text".into())),
        };
        match parsed {
            Ok(tag) => tags.push(tag),
            Err((code, detail)) => {
                faults.push(Fault { pointer: format!("/{member}/{at}"), code: code.into(), detail });
            }
        }
    }
    tags
}

/// The tags of a record, in order.
///
/// # Errors
/// [`RecordError::NotFound`], or the file fails.
pub fn of_record(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    record: RecordId,
) -> Result<Vec<String>, RecordError> {
    access::read(conn, scope, entity, record)?;
    let tags = store::tags(conn, &entity.key, record)?;
    Ok(tags.into_iter().map(|(_, text)| text).collect())
}

/// A tag of an entity, and on how many of the records that the caller may read it is.
#[derive(Debug, Eq, PartialEq, Serialize)]
pub struct TagCount {
    /// The tag.
    pub tag: String,
    /// On how many records.
    pub count: u64,
}

/// A page of the tags of an entity that begin with `start`, in order, counted over the records that the caller may read.
///
/// # Errors
/// [`RecordError::Forbidden`], a cursor of another list, or the file fails.
pub fn counts(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    entity: &Entity,
    (start, paging): (&str, &Paging),
) -> Result<Page<TagCount>, RecordError> {
    let start: String = start.trim().nfc().collect::<String>().to_lowercase().nfc().collect();
    let binding = format!("{} {start}", binding("tags", scope, entity, None));
    let read = |from: Option<Vec<Value>>, limit| {
        let after = from.as_ref().and_then(|values| values.first()?.text()).unwrap_or_default();
        store::tag_counts(conn, scope, entity, (&start, after), limit)
    };
    let (found, next_cursor) =
        paged(engine, &binding, paging, read, |(fold, _)| [Value::Text(fold.clone())])?;
    Ok(Page { data: found.into_iter().map(|(_, count)| count).collect(), next_cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        Tag::parse(text).unwrap()
    }

    #[test]
    fn a_tag_is_trimmed_composed_and_compared_without_case() {
        assert_eq!(tag("  VIP "), Tag { text: "VIP".into(), fold: "vip".into() });
        assert_eq!(tag("Cafe\u{301}"), tag("Caf\u{e9}"));
        assert_eq!(tag("STRASSE ÄÖ").fold, "strasse äö");
        assert_eq!(tag(&"ü".repeat(LONGEST)).text.chars().count(), LONGEST);
        for (bad, code) in [
            ("", "required"),
            (" \t ", "required"),
            ("a\nb", "control_character"),
            ("a\u{0}", "control_character"),
            (&"x".repeat(LONGEST + 1), "too_long"),
        ] {
            assert_eq!(Tag::parse(bad).unwrap_err().0, code, "{bad:?}");
        }
    }

    #[test]
    fn a_tag_that_is_there_keeps_its_spelling() {
        let before = BTreeMap::from([("vip".to_owned(), "VIP".to_owned()), ("old".into(), "old".into())]);
        let set = planned(&before, Tagging::Set(vec![tag("Vip"), tag("New"), tag("NEW")]));
        assert_eq!(set, BTreeMap::from([("vip".into(), "VIP".into()), ("new".into(), "New".into())]));
        let changed =
            planned(&before, Tagging::Change { add: vec![tag("vip"), tag("x")], remove: vec![tag("OLD")] });
        assert_eq!(changed, BTreeMap::from([("vip".into(), "VIP".into()), ("x".into(), "x".into())]));
    }

    #[test]
    fn every_wrong_tag_is_a_fault_at_its_place() {
        let mut faults = Vec::new();
        let texts = [json!("ok"), json!(7), json!(""), json!("also")];
        let tags = parse_all("add", &texts, &mut faults);
        assert_eq!(tags.len(), 2);
        let told: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(told, ["/add/1", "/add/2"]);
    }
}
