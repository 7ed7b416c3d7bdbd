//! The codes of refusals: every code that the host can answer stands in a table of docs/API.md, and every code that stands
//! there is answered somewhere. A table of codes is one whose rows begin with a status.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::source::Source;

/// What stands before the code of a refusal.
const MAKERS: [&str; 9] = [
    "Problem::malformed(",
    "Problem::not_found(",
    "Problem::busy(",
    "RecordError::bad(",
    " conflict(",
    "missing(",
    "MISSING: &str =",
    "Conflict { code:",
    "BadRequest { code:",
];

/// Codes that never leave the host: between it and its plugins, in its jobs.
const INSIDE: [&str; 4] = ["error_file", "export_abandoned", "too_many_rows", "unknown_authority"];

/// The codes that a file of the host answers.
fn answered(text: &str) -> Vec<String> {
    let code = Source::of(text).without_tests().code;
    let made = MAKERS.iter().flat_map(|maker| behind(&code, maker));
    let mut found: Vec<String> = made.filter_map(literal).collect();
    // `Problem::new(StatusCode::CONFLICT, "taken", …)`, `(StatusCode::CONFLICT, "taken")`
    let statuses = behind(&code, "StatusCode::").filter_map(|rest| {
        literal(
            rest.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_')
                .trim_start()
                .strip_prefix(',')?,
        )
    });
    found.extend(statuses);
    found
}

fn behind<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(word).map(move |(at, _)| &text[at + word.len()..])
}

/// The literal that comes first, if it looks like a code.
fn literal(text: &str) -> Option<String> {
    let (word, _) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    let is_code =
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_code.then(|| word.to_owned())
}

/// The codes in the tables of the documentation.
fn documented(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for row in text.lines().filter_map(|line| line.strip_prefix("| ")) {
        let Some((status, codes)) = row.split_once('|') else { continue };
        if status.trim().split(", ").all(|one| one.len() == 3 && one.parse::<u16>().is_ok()) {
            found.extend(codes.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_code_is_documented_and_every_documented_code_is_answered() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documented = documented(&std::fs::read_to_string(root.join("docs/API.md"))?);
    let mut files = Vec::new();
    super::walk(&root.join("host/src"), "rs", &mut files)?;
    let (mut made, mut all) = (BTreeMap::new(), String::new());
    for file in files {
        let path = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        // The operator's socket, the platform and tests are not the API of organizations.
        if path.contains("/tests") || path.contains("/operator/") || path.contains("/platform/") {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        made.extend(answered(&text).into_iter().map(|code| (code, path.clone())));
        all.push_str(&Source::of(&text).without_tests().code);
    }
    assert!(
        made.len() > 60 && documented.len() > 100,
        "{} codes, {} documented",
        made.len(),
        documented.len()
    );
    let missing: Vec<_> = made
        .iter()
        .filter(|(code, _)| !documented.contains(*code) && !INSIDE.contains(&code.as_str()))
        .collect();
    assert!(missing.is_empty(), "codes that no table of docs/API.md has: {missing:#?}");
    let stale: Vec<_> = documented.iter().filter(|code| !all.contains(&format!("\"{code}\""))).collect();
    assert!(stale.is_empty(), "codes in docs/API.md that nothing answers: {stale:?}");
    Ok(())
}

#[test]
fn a_code_is_found_however_it_is_answered() {
    let text = r#"
        const MISSING: &str = "thing_not_found";
        fn f() { Problem::malformed("invalid_thing", "x"); Problem::new(StatusCode::CONFLICT, "taken", "x") }
        fn g() { RecordError::bad(
            "unknown_thing", "x"); let x = conflict("in_use", "x"); log("no_code"); }
        // Problem::malformed("only_said", "x")
        #[cfg(test)]
        mod tests { fn f() { Problem::malformed("only_tested", "x") } }
    "#;
    let mut found = answered(text);
    found.sort();
    assert_eq!(found, ["in_use", "invalid_thing", "taken", "thing_not_found", "unknown_thing"]);
    let table = "| 409 | `taken`, `in_use` |\n| `name` | `no_code` |\n| 404, 410 | `gone`: `x` |";
    assert_eq!(documented(table), ["gone", "in_use", "taken", "x"].map(String::from).into());
}
