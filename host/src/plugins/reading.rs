//! Reading a manifest member by member, so that everything that is wrong with it is found, each with its place.

use std::cell::RefCell;

use serde_json::{Map, Value as Json};

use super::manifest::ManifestFault;

/// Collects faults while a manifest is walked.
#[derive(Default)]
pub(super) struct Faults(RefCell<Vec<ManifestFault>>);

impl Faults {
    pub(super) fn add(&self, pointer: impl Into<String>, detail: impl Into<String>) {
        let fault = ManifestFault { pointer: pointer.into(), detail: detail.into() };
        let mut all = self.0.borrow_mut();
        if all.iter().all(|other| other.pointer != fault.pointer) {
            all.push(fault); // one place has one fault: the first that was seen
        }
    }

    pub(super) fn into_list(self) -> Vec<ManifestFault> {
        self.0.into_inner()
    }
}

/// One object of a manifest and where it stands. A member that is null is a member that is absent.
pub(super) struct Part<'a> {
    pointer: String,
    members: &'a Map<String, Json>,
    faults: &'a Faults,
}

impl<'a> Part<'a> {
    /// The object at `pointer`, which may have these members and no other.
    pub(super) fn of(pointer: String, json: &'a Json, known: &[&str], faults: &'a Faults) -> Option<Self> {
        let Some(members) = json.as_object() else {
            faults.add(pointer, "must be a JSON object");
            return None;
        };
        let part = Self { pointer, members, faults };
        for member in members.keys().filter(|member| !known.contains(&member.as_str())) {
            part.fault(member, "no member of this name is known");
        }
        Some(part)
    }

    /// The pointer to a member.
    pub(super) fn at(&self, member: &str) -> String {
        format!("{}/{}", self.pointer, member.replace('~', "~0").replace('/', "~1"))
    }

    /// Notes what is wrong with a member.
    pub(super) fn fault(&self, member: &str, detail: impl Into<String>) {
        self.faults.add(self.at(member), detail);
    }

    /// Notes what is wrong somewhere below.
    pub(super) fn fault_at(&self, pointer: String, detail: &str) {
        self.faults.add(pointer, detail);
    }

    /// A member, whatever it is.
    pub(super) fn json(&self, member: &str) -> Option<&'a Json> {
        self.members.get(member).filter(|json| !json.is_null())
    }

    /// A text, if there is one.
    pub(super) fn text(&self, member: &str) -> Option<&'a str> {
        let json = self.json(member)?;
        if json.as_str().is_none() {
            self.fault(member, "must be a text");
        }
        json.as_str()
    }

    /// A text that must be there.
    pub(super) fn needed(&self, member: &str) -> &'a str {
        let text = self.text(member).unwrap_or_default();
        if text.is_empty() {
            self.fault(member, "must be a text that is not empty");
        }
        text
    }

    /// A text that must be there and pass a test.
    pub(super) fn such(&self, member: &str, test: impl Fn(&str) -> bool, what: &str) -> Option<&'a str> {
        let text = self.needed(member);
        if !text.is_empty() && !test(text) {
            self.fault(member, format!("must be {what}"));
        }
        test(text).then_some(text)
    }

    /// One of a few words, which stand for something; `None` when it is absent or unknown.
    pub(super) fn word<T>(&self, member: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let word = self.text(member)?;
        let parsed = parse(word);
        if parsed.is_none() {
            self.fault(member, format!("`{word}` is not known here"));
        }
        parsed
    }

    /// Whether a member is true.
    pub(super) fn flag(&self, member: &str) -> bool {
        let Some(json) = self.json(member) else { return false };
        if !json.is_boolean() {
            self.fault(member, "must be true or false");
        }
        json.as_bool().unwrap_or_default()
    }

    /// A number of things, if there is one.
    pub(super) fn count(&self, member: &str) -> Option<usize> {
        let json = self.json(member)?;
        let count = json.as_u64().and_then(|count| usize::try_from(count).ok());
        if count.is_none() {
            self.fault(member, "must be a whole number, not below zero");
        }
        count
    }

    /// A JSON Schema, or nothing.
    pub(super) fn schema(&self, member: &str) -> Json {
        let Some(json) = self.json(member) else { return Json::Null };
        if !json.is_object() {
            self.fault(member, "must be a JSON Schema, an object");
        }
        json.clone()
    }

    /// The items of a list, each with its pointer.
    pub(super) fn list(&self, member: &str) -> Vec<(String, &'a Json)> {
        let Some(json) = self.json(member) else { return Vec::new() };
        if !json.is_array() {
            self.fault(member, "must be a list");
        }
        let items = json.as_array().into_iter().flatten().enumerate();
        items.map(|(at, item)| (format!("{}/{at}", self.at(member)), item)).collect()
    }

    /// An object, if there is one.
    pub(super) fn part(&self, member: &str, known: &[&str]) -> Option<Self> {
        Part::of(self.at(member), self.json(member)?, known, self.faults)
    }

    /// The objects of a list.
    pub(super) fn parts(&self, member: &str, known: &[&str]) -> Vec<Self> {
        let items = self.list(member).into_iter();
        items.filter_map(|(pointer, item)| Part::of(pointer, item, known, self.faults)).collect()
    }

    /// The words of a list, as what they stand for.
    pub(super) fn words<T>(&self, member: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let mut known = Vec::new();
        for (pointer, item) in self.list(member) {
            match item.as_str().and_then(&parse) {
                Some(value) => known.push(value),
                None => self.faults.add(pointer, format!("{item} is not known here")),
            }
        }
        known
    }
}

/// Whether a key is `[a-z][a-z0-9_]*`, 63 characters at most, and outside the host's names.
pub(super) fn is_key(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 63
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether a text can stand in an address and in a policy: a key that may also hold `-`.
pub(super) fn is_word(text: &str) -> bool {
    is_key(&text.replace('-', "_"))
}
