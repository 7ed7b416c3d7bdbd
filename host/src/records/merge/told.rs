//! What the caller is told of a merge or its undoing: what its own file said in the transaction, and what other modules'
//! files add afterwards. Of a dry run it is the member `result` of the report.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::log;
use super::reparent::Followers;
use crate::ids::MergeId;
use crate::records::error::RecordError;

/// An answer that is still being added to.
pub(super) struct Told {
    /// For the caller.
    pub(super) whole: Json,
    dry: bool,
}

impl Told {
    /// The answer of the transaction.
    pub(super) fn read(body: &[u8], dry: bool) -> Self {
        Self { whole: serde_json::from_slice(body).unwrap_or_default(), dry }
    }

    fn members(&mut self) -> Option<&mut Map<String, Json>> {
        let told = if self.dry { self.whole.get_mut("result")? } else { &mut self.whole };
        told.as_object_mut()
    }

    /// Which merge it is about.
    pub(super) fn merge(&self) -> Result<MergeId, RecordError> {
        let id = self.whole.pointer("/merge/id").and_then(Json::as_str);
        id.and_then(|id| id.parse().ok()).ok_or(RecordError::NotFound)
    }

    /// A member; empty when it is not there.
    pub(super) fn member<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let value = self.members().and_then(|members| members.get(name)).cloned();
        value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
    }

    pub(super) fn set(&mut self, name: &str, value: Json) {
        if let Some(members) = self.members() {
            members.insert(name.to_owned(), value);
        }
    }

    /// Adds references that followed, or came back, elsewhere.
    pub(super) fn moved_too(&mut self, followers: &Followers) {
        let mut moved: Vec<Json> = self.member("moved");
        moved.extend(log::listed(followers));
        let place = |one: &Json| {
            ["entity", "field"].map(|name| one.get(name).and_then(Json::as_str).map(str::to_owned))
        };
        moved.sort_by_key(place);
        self.set("moved", moved.into());
    }

    /// Adds references that stay elsewhere: `count` in all, those in `more` may be told.
    pub(super) fn refused_too(&mut self, more: Vec<Json>, count: i64) {
        let mut refused: Vec<Json> = self.member("refused");
        refused.extend(more);
        self.set("refused", refused.into());
        let known: i64 = self.member("refused_count");
        self.set("refused_count", (known + count).into());
    }
}
