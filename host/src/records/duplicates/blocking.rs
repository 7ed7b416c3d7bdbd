//! Blocking keys: what two records must have in common to be compared at all. Each criterion gives a record a few; they
//! are stored hashed, so that candidates are found without reading the table.
//!
//! Records that a criterion of equality takes for the same always share a key. Those that are merely alike share one if
//! they sound alike in one word, or begin alike: what differs in every word is not found.

use sha2::{Digest as _, Sha256};

use super::method::code;
use super::normalize::Form;
use super::pair::{End, Forms};
use super::rule::{Criterion, Method, Rule, Sort};

/// Words of a name whose sound makes keys.
const WORDS: usize = 3;
/// Letters of a prefix that makes a key.
const PREFIX: usize = 6;

/// One key of a record.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// What kind of key: `email.n`.
    pub sort: String,
    /// Of the value, its kind and the fields it comes from.
    pub hash: i64,
}

/// The keys that a record has, or by which its likes are found. The fields of `end` name them: records of another entity
/// are found by the keys of their own fields.
#[must_use]
pub fn keys(rule: &Rule, end: End, forms: &Forms) -> Vec<Key> {
    let mut keys = Vec::new();
    for (criterion, form) in rule.criteria.iter().zip(forms) {
        if let Some(form) = form {
            add(criterion, end.keys(criterion), form, &mut keys);
        }
    }
    keys
}

fn add(criterion: &Criterion, fields: &str, form: &Form, keys: &mut Vec<Key>) {
    let family = family(criterion.method);
    let values = match criterion.method {
        Method::Exact | Method::Normalized => vec![form.text.clone()],
        _ if criterion.kind == Sort::Person => by_names(&form.words),
        _ => by_words(&form.words),
    };
    for value in values {
        let key = Key {
            sort: format!("{}.{family}", criterion.kind.as_str()),
            hash: hash(&[fields, if criterion.provider_rules { "p" } else { "" }, family, &value]),
        };
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
}

/// Criteria of one family have the same keys.
const fn family(method: Method) -> &'static str {
    match method {
        Method::Exact => "x",
        Method::Normalized => "n",
        Method::JaroWinkler | Method::Trigram | Method::Phonetic => "f",
    }
}

/// The sound of each name with the first letter of each other: one name may be misspelt, and one missing.
fn by_names(names: &[String]) -> Vec<String> {
    if let [name] = names {
        return vec![code(name)];
    }
    let names: Vec<&String> = longest(names);
    let mut keys = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let sound = code(name);
        for (_, other) in names.iter().enumerate().filter(|(other, _)| *other != at) {
            keys.push(format!("{sound}|{}", other.chars().next().unwrap_or_default()));
        }
    }
    keys
}

fn longest(names: &[String]) -> Vec<&String> {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.chars().count()));
    names.truncate(WORDS);
    names
}

/// The sound of the first two words, the first letters of all, and the longest word with the initials.
fn by_words(words: &[String]) -> Vec<String> {
    let sound = |at: usize| words.get(at).map_or_else(String::new, |word| code(word));
    let mut keys = vec![format!("s{}|{}", sound(0), sound(1))];
    let joined: String = words.concat().chars().take(PREFIX).collect();
    keys.push(format!("p{joined}"));
    if words.len() > 1
        && let Some(longest) = longest(words).first()
    {
        let mut initials: Vec<char> = words.iter().filter_map(|word| word.chars().next()).collect();
        initials.sort_unstable();
        keys.push(format!("l{}|{}", code(longest), String::from_iter(initials)));
    }
    keys
}

/// 64 bits of a digest: equal texts meet, and nothing can be read back.
fn hash(parts: &[&str]) -> i64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let bytes = digest.finalize();
    let mut head = [0; 8];
    head.iter_mut().zip(bytes.iter()).for_each(|(to, from)| *to = *from);
    i64::from_le_bytes(head)
}
