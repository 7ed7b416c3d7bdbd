//! Comments: what people say about a record, and whom they call.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::str::FromStr as _;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::comment_store as store;
use super::event::{self, Happened};
use super::{Names, Page, Paging, Person, access, after, binding, follower, mention, paged};
use crate::clock::{UnixMillis, rfc3339};
use crate::ids::{PrincipalId, RecordId};
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::records::value::Value;
use crate::records::{Fault, RecordError, Records, Scope};
use crate::storage::Connection;

/// Most characters of a comment.
pub const LONGEST: usize = 10_000;

/// A comment as it is stored.
#[derive(Clone, Debug)]
pub struct Comment {
    /// Its id.
    pub id: RecordId,
    /// When it was written.
    pub at: UnixMillis,
    /// Who wrote it.
    pub by: PrincipalId,
    /// What it says.
    pub text: String,
    /// When it was changed last.
    pub edited_at: Option<UnixMillis>,
    /// When it was deleted.
    pub deleted_at: Option<UnixMillis>,
    /// Counts its changes.
    pub version: u64,
}

/// A comment as lists show it.
#[derive(Debug, Serialize)]
pub struct CommentView {
    /// Its id.
    pub id: RecordId,
    /// For `If-Match`.
    pub version: u64,
    /// When it was written.
    pub created_at: String,
    /// When it was changed last.
    pub edited_at: Option<String>,
    /// Who wrote it.
    pub by: Person,
    /// What it says.
    pub text: String,
    /// Whom it calls.
    pub mentions: Vec<Person>,
}

impl CommentView {
    /// What the comment says once `members`, a merge patch, is applied.
    ///
    /// # Errors
    /// As [`Words::parse`].
    pub fn changed_by(&self, mut members: Map<String, Json>) -> Result<Words, RecordError> {
        if !members.contains_key("text") {
            members.insert("text".into(), Json::String(self.text.clone()));
            // A text that stays calls whom it called, also those who were named beside it.
            if !members.contains_key("mentions") {
                members
                    .insert("mentions".into(), self.mentions.iter().map(|one| one.id.to_string()).collect());
            }
        }
        Words::parse(&members)
    }
}

/// What somebody wants a comment to say.
#[derive(Clone, Debug)]
pub struct Words {
    text: String,
    called: BTreeSet<PrincipalId>,
}

impl Words {
    /// Reads `{"text": …, "mentions": […]}`.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] with every fault.
    pub fn parse(members: &Map<String, Json>) -> Result<Self, RecordError> {
        let mut faults = Vec::new();
        for name in members.keys().filter(|name| !matches!(name.as_str(), "text" | "mentions")) {
            faults.push(Fault::at(name, "unknown_field", "a comment has `text` and `mentions`"));
        }
        let text = match members.get("text") {
            None | Some(Json::Null) => Err(("required", "say something in `text`".to_owned())),
            Some(Json::String(text)) => checked_text(text),
            Some(_) => Err(("wrong_type", "`text` is text".to_owned())),
        };
        let text = text.unwrap_or_else(|(code, detail)| {
            faults.push(Fault::at("text", code, detail));
            String::new()
        });
        let mut called: BTreeSet<PrincipalId> = mention::in_text(&text).into_iter().collect();
        called.extend(beside(members.get("mentions"), &mut faults));
        if called.len() > mention::MOST {
            let detail = format!("a comment mentions at most {} people", mention::MOST);
            faults.push(Fault::at("mentions", "too_many_mentions", detail));
        }
        if faults.is_empty() { Ok(Self { text, called }) } else { Err(RecordError::Invalid(faults)) }
    }
}

/// The text, its lines ended in one way.
fn checked_text(text: &str) -> Result<String, (&'static str, String)> {
    let text = text.replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err(("required", "say something in `text`".into()));
    }
    if text.chars().count() > LONGEST {
        return Err(("too_long", format!("a comment has at most {LONGEST} characters")));
    }
    if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t')) {
        return Err((
            "control_character",
            "a comment has no control characters but line ends and tabs".into(),
        ));
    }
    Ok(text)
}

/// The ids in `mentions`.
fn beside(mentions: Option<&Json>, faults: &mut Vec<Fault>) -> Vec<PrincipalId> {
    let list = match mentions {
        None | Some(Json::Null) => return Vec::new(),
        Some(Json::Array(list)) => list,
        Some(_) => {
            faults.push(Fault::at("mentions", "wrong_type", "`mentions` is a list of user ids"));
            return Vec::new();
        }
    };
    let mut ids = Vec::new();
    for (at, id) in list.iter().enumerate() {
        match id.as_str().and_then(|id| PrincipalId::from_str(id).ok()) {
            Some(id) => ids.push(id),
            None => faults.push(Fault {
                pointer: format!("/mentions/{at}"),
                code: "wrong_type".into(),
                detail: "a mention is the id of a user".into(),
            }),
        }
    }
    ids
}

/// Writes a comment; its writer and those whom it calls follow the record from now on.
///
/// # Errors
/// [`RecordError::NotFound`], or somebody is called who cannot be.
pub fn add(tx: &Tx, entity: &Arc<Entity>, record: RecordId, words: &Words) -> Result<RecordId, RecordError> {
    let values = access::read(&tx.conn, &tx.scope, entity, record)?;
    mention::check(tx, entity, &values, &words.called, &BTreeSet::new())?;
    let (id, by) = (RecordId::new(), tx.scope.caller.principal.id);
    let comment = Comment {
        id,
        at: tx.now,
        by,
        text: words.text.clone(),
        edited_at: None,
        deleted_at: None,
        version: 1,
    };
    store::insert(&tx.conn, &entity.key, record, &comment)?;
    event::say(tx, entity, record, Happened::Commented, json!({ "comment": id }))?;
    follower::joins(tx, entity, record, words.called.iter().copied())?;
    follower::commenter_joins(tx, entity, record)?;
    store::set_mentions(&tx.conn, id, &words.called)?;
    Ok(id)
}

/// Changes what one's own comment says.
///
/// # Errors
/// [`RecordError::NotFound`]; [`RecordError::Forbidden`] for somebody else's; [`RecordError::Stale`]; somebody is called who
/// cannot be.
pub fn edit(
    tx: &Tx,
    entity: &Arc<Entity>,
    (record, id): (RecordId, RecordId),
    version: Option<u64>,
    words: &Words,
) -> Result<(), RecordError> {
    let values = access::read(&tx.conn, &tx.scope, entity, record)?;
    let comment = live(&tx.conn, entity, record, id)?;
    if comment.by != tx.scope.caller.principal.id {
        return Err(not_yours(entity, "change another person's comment"));
    }
    fresh(tx, &comment, version)?;
    let before = store::mentions(&tx.conn, id)?;
    mention::check(tx, entity, &values, &words.called, &before)?;
    if comment.text == words.text && before == words.called {
        return Ok(());
    }
    store::update(&tx.conn, id, &words.text, tx.now)?;
    store::set_mentions(&tx.conn, id, &words.called)?;
    let detail = json!({ "comment": id, "before": comment.text });
    event::say(tx, entity, record, Happened::CommentEdited, detail)?;
    follower::joins(tx, entity, record, words.called.difference(&before).copied())
}

/// Deletes a comment: one's own, or any when one may delete the record. It is shown no more; that it was there is.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`], [`RecordError::Stale`].
pub fn delete(
    tx: &Tx,
    entity: &Arc<Entity>,
    (record, id): (RecordId, RecordId),
    version: Option<u64>,
) -> Result<(), RecordError> {
    let values = access::read(&tx.conn, &tx.scope, entity, record)?;
    let comment = live(&tx.conn, entity, record, id)?;
    let own = comment.by == tx.scope.caller.principal.id;
    if !own && !access::may(&tx.conn, &tx.scope, entity, &values, "delete") {
        return Err(not_yours(entity, "delete another person's comment"));
    }
    fresh(tx, &comment, version)?;
    store::bury(&tx.conn, id, tx.now)?;
    event::say(tx, entity, record, Happened::CommentDeleted, json!({ "comment": id }))
}

fn not_yours(entity: &Entity, action: &str) -> RecordError {
    RecordError::Forbidden { object: entity.object.to_string(), action: action.to_owned() }
}

/// Refuses what was decided on an older version.
fn fresh(tx: &Tx, comment: &Comment, version: Option<u64>) -> Result<(), RecordError> {
    let Some(sent) = version.filter(|sent| *sent != comment.version) else { return Ok(()) };
    let mut views = shown(&tx.engine, &tx.scope, &tx.conn, vec![comment.clone()])?;
    let record = views.pop().and_then(|view| serde_json::to_vec(&view).ok()).unwrap_or_default();
    Err(RecordError::Stale { current: comment.version, sent, record, changed: Vec::new() })
}

fn live(
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
    id: RecordId,
) -> Result<Comment, RecordError> {
    let found = store::find(conn, &entity.key, record, id)?;
    found.filter(|comment| comment.deleted_at.is_none()).ok_or(RecordError::NotFound)
}

/// One comment as lists show it.
///
/// # Errors
/// [`RecordError::NotFound`], or the file fails.
pub fn get(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    entity: &Entity,
    (record, id): (RecordId, RecordId),
) -> Result<CommentView, RecordError> {
    access::read(conn, scope, entity, record)?;
    let comment = live(conn, entity, record, id)?;
    shown(engine, scope, conn, vec![comment])?.pop().ok_or(RecordError::NotFound)
}

/// A page of the comments of a record, the newest first.
///
/// # Errors
/// [`RecordError::NotFound`], a cursor of another list, or the file fails.
pub fn page(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
    paging: &Paging,
) -> Result<Page<CommentView>, RecordError> {
    access::read(conn, scope, entity, record)?;
    let binding = binding("comments", scope, entity, Some(record));
    let read = |from, limit| store::page(conn, &entity.key, record, after(from), limit);
    let (comments, next_cursor) =
        paged(engine, &binding, paging, read, |one| [Value::Integer(one.at), one.id.into()])?;
    Ok(Page { data: shown(engine, scope, conn, comments)?, next_cursor })
}

/// Comments as lists show them: one look at the mentions, one at the names.
fn shown(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    comments: Vec<Comment>,
) -> Result<Vec<CommentView>, RecordError> {
    let ids: Vec<RecordId> = comments.iter().map(|comment| comment.id).collect();
    let mut called = store::mentions_of(conn, &ids)?;
    let ids = comments.iter().map(|comment| comment.by).chain(called.values().flatten().copied());
    let names = Names::of(engine, scope, ids)?;
    let views = comments.into_iter().map(|comment| CommentView {
        id: comment.id,
        version: comment.version,
        created_at: rfc3339(comment.at),
        edited_at: comment.edited_at.map(rfc3339),
        by: names.person(comment.by),
        text: comment.text,
        mentions: called
            .remove(&comment.id)
            .unwrap_or_default()
            .into_iter()
            .map(|id| names.person(id))
            .collect(),
    });
    Ok(views.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(json: Json) -> Result<Words, Vec<String>> {
        let Json::Object(members) = json else { return Err(Vec::new()) };
        Words::parse(&members).map_err(|error| match error {
            RecordError::Invalid(faults) => {
                faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
            }
            other => vec![other.to_string()],
        })
    }

    #[test]
    fn a_comment_says_something_of_reasonable_length_without_control_characters() {
        assert_eq!(words(json!({"text": "line\r\nline\tend"})).unwrap().text, "line\nline\tend");
        assert_eq!(words(json!({"text": "ü".repeat(LONGEST)})).unwrap().text.chars().count(), LONGEST);
        for (bad, faults) in [
            (json!({}), vec!["/text required"]),
            (json!({"text": " \n"}), vec!["/text required"]),
            (json!({"text": 7}), vec!["/text wrong_type"]),
            (json!({"text": "x".repeat(LONGEST + 1)}), vec!["/text too_long"]),
            (json!({"text": "a\u{0}b"}), vec!["/text control_character"]),
            (json!({"text": "a\u{1b}[31m"}), vec!["/text control_character"]),
            (json!({"text": "a", "mentions": "b"}), vec!["/mentions wrong_type"]),
            (
                json!({"text": "a", "mentions": ["b", 1]}),
                vec!["/mentions/0 wrong_type", "/mentions/1 wrong_type"],
            ),
            (json!({"text": null, "by": "me"}), vec!["/by unknown_field", "/text required"]),
        ] {
            assert_eq!(words(bad.clone()).unwrap_err(), faults, "{bad}");
        }
    }

    #[test]
    fn those_in_the_text_and_those_beside_it_are_called_once() {
        let (ann, bob) = (PrincipalId::new(), PrincipalId::new());
        let words =
            words(json!({"text": format!("hello @[{ann}]"), "mentions": [ann.to_string(), bob.to_string()]}));
        assert_eq!(words.unwrap().called, BTreeSet::from([ann, bob]));
        let many: Vec<String> = (0..=mention::MOST).map(|_| PrincipalId::new().to_string()).collect();
        assert_eq!(
            self::words(json!({"text": "a", "mentions": many})).unwrap_err(),
            ["/mentions too_many_mentions"]
        );
    }
}
