//! The catalogue of a package's SQL: every text that its plugin may ever use, known before it runs.
//!
//! What a hostile text costs is paid when it is compiled, and that cannot be bounded inside a process. So texts are
//! written in a plugin's source, collected into `sql.json` when the package is made ([`section`]), compiled once in a
//! limited child when the package is loaded ([`check`]), and a text that does not stand there is refused before SQLite
//! sees it. Values are always bound.

pub(super) mod check;
pub(super) mod section;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// The format of `sql.json` that this host reads.
const FORMAT: u64 = 1;
/// Most texts of a package.
const TEXTS: usize = 1_000;
/// Most bytes of a text.
const LENGTH: usize = 64 << 10;

/// What a statement does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// It reads.
    Read,
    /// It changes private tables.
    Write,
}

/// A text of the catalogue.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    /// The statement, byte for byte as the plugin will send it.
    pub(super) text: String,
    /// What its package says that it does; what SQLite says must be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Kind>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: u64,
    texts: Vec<Listed>,
}

/// Reads `sql.json`; no file, no texts.
///
/// # Errors
/// What is wrong with it, for the author.
pub(super) fn read(file: &[u8]) -> Result<Vec<Listed>, String> {
    if file.is_empty() {
        return Ok(Vec::new());
    }
    let file: File = serde_json::from_slice(file).map_err(|error| format!("sql.json: {error}"))?;
    if file.v != FORMAT {
        return Err(format!("sql.json: this host reads format {FORMAT}"));
    }
    if file.texts.len() > TEXTS {
        return Err(format!("sql.json lists {} texts; {TEXTS} are allowed", file.texts.len()));
    }
    for Listed { text, .. } in &file.texts {
        let wrong = match text.len() {
            0 => "a text is empty".to_owned(),
            1..=LENGTH if text.contains('\0') => format!("`{}` holds a NUL", excerpt(text)),
            1..=LENGTH => continue,
            length => format!("`{}` has {length} bytes; {LENGTH} are allowed", excerpt(text)),
        };
        return Err(format!("sql.json: {wrong}"));
    }
    if !file.texts.is_sorted_by(|one, next| one.text < next.text) {
        return Err("sql.json: the texts are not in order, each once".to_owned());
    }
    Ok(file.texts)
}

/// The beginning of a text, for messages.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 160;
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// The texts that a plugin may use. Asking costs one look-up and no memory.
#[derive(Debug, Default)]
pub(super) struct Texts(HashSet<Box<str>>);

impl Texts {
    pub(super) fn new(listed: Vec<Listed>) -> Self {
        Self(listed.into_iter().map(|listed| listed.text.into_boxed_str()).collect())
    }

    /// Whether the plugin may use it.
    pub(super) fn lists(&self, text: &str) -> bool {
        self.0.contains(text)
    }
}

/// Says in the log which texts a component carries that its package does not list: they will be refused.
pub(super) fn warn_of_missing(package: &str, component: &[u8], texts: &Texts) {
    let carried = section::texts(component).unwrap_or_default();
    let missing: Vec<_> =
        carried.iter().filter(|text| !texts.lists(text)).map(|text| excerpt(text)).collect();
    if let Some(first) = missing.first() {
        let count = missing.len();
        tracing::warn!(
            package,
            count,
            first,
            "texts of the component do not stand in sql.json and will be refused"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_is_read_and_asked() {
        let file =
            br#"{"v":1,"texts":[{"text":"insert into t values (?1)","kind":"write"},{"text":"select 1"}]}"#;
        let listed = read(file).unwrap();
        assert_eq!(listed.iter().map(|listed| listed.kind).collect::<Vec<_>>(), [Some(Kind::Write), None]);
        let texts = Texts::new(listed);
        assert!(texts.lists("select 1"));
        for other in ["select 1 ", "SELECT 1", "select 2", ""] {
            assert!(!texts.lists(other), "{other}");
        }
        assert!(read(b"").unwrap().is_empty());
    }

    #[test]
    fn a_catalogue_with_faults_is_refused() {
        let long = format!(r#"{{"v":1,"texts":[{{"text":"select '{}'"}}]}}"#, "x".repeat(LENGTH));
        let entries: Vec<_> = (0..=TEXTS).map(|n| format!(r#"{{"text":"select {n:05}"}}"#)).collect();
        let many = format!(r#"{{"v":1,"texts":[{}]}}"#, entries.join(","));
        for (file, words) in [
            ("nonsense", "expected"),
            (r#"{"v":2,"texts":[]}"#, "format 1"),
            (r#"{"v":1,"texts":[],"more":1}"#, "unknown field"),
            (r#"{"v":1,"texts":[{"text":"select 1","kind":"admin"}]}"#, "unknown variant"),
            (r#"{"v":1,"texts":[{"text":""}]}"#, "empty"),
            (r#"{"v":1,"texts":[{"text":"select \u0000"}]}"#, "NUL"),
            (r#"{"v":1,"texts":[{"text":"b"},{"text":"a"}]}"#, "in order"),
            (r#"{"v":1,"texts":[{"text":"a"},{"text":"a"}]}"#, "each once"),
            (&long, "65545 bytes"),
            (&many, "1001 texts"),
        ] {
            let answer = read(file.as_bytes());
            assert!(answer.as_ref().is_err_and(|told| told.contains(words)), "{words}: {answer:?}");
        }
    }
}
