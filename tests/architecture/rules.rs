//! The rules, each a function from a path and a text to its violations.

use super::source::{Source, is_word, line_of, words};

/// Low to high: a module of the host uses itself and whatever stands before it. Modules to come have their place.
const LAYERS: [&str; 23] = [
    "ids",
    "clock",
    "caller",
    "config",
    "storage",
    "audit",
    "jobs",
    "mail",
    "outbound",
    "organizations",
    "licensing",
    "settings",
    "identity",
    "platform",
    "policy",
    "records",
    "events",
    "plugins",
    "privacy",
    "app",
    "http",
    "cli",
    "main",
];

/// Libraries and where in `host/src` they live: folders end with `/`.
const ROOMS: [(&str, &[&str]); 15] = [
    ("oauth2", &["identity/"]),
    ("reqwest", &["outbound/"]),
    ("rusqlite", &["storage/", "records/", "store.rs"]),
    ("libsqlite3_sys", &["storage/"]),
    ("sqlx", &["storage/", "store.rs"]),
    ("wasmparser", &["plugins/package/"]),
    ("wasmtime", &["plugins/"]),
    ("poem", &["http/", "app.rs", "main.rs"]),
    ("poem_openapi", &["http/", "app.rs", "main.rs"]),
    ("casbin", &["policy/"]),
    ("rhai", &["policy/"]),
    ("jsonwebtoken", &["identity/"]),
    ("argon2", &["identity/"]),
    ("chacha20poly1305", &["storage/"]),
    ("clap", &["cli/", "cli.rs", "main.rs"]),
];

/// Words of single modules of the product, none of which means anything else in a host.
const BUSINESS: [&str; 10] = [
    "opportunity",
    "opportunities",
    "lead",
    "leads",
    "campaign",
    "campaigns",
    "ticket",
    "tickets",
    "deal",
    "deals",
];

/// The only files that may hold unsafe code, each with its reason in an `#[expect]`.
const UNSAFE: [&str; 6] = [
    "host/src/storage/preupdate.rs",
    "host/src/storage/heap.rs",
    "host/src/plugins/artifact.rs",
    "sdk/src/export.rs",
    "sdk/src/sql.rs",                      // the attribute that names a section
    "tests/guests/hostile/src/holding.rs", // a guest that looks through all memory that it gets
];

const BANNED_NAMES: [&str; 8] =
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"];

const CEILING: usize = 400;

/// A host module names no module that stands above it.
pub(crate) fn looks_down(path: &str, text: &str) -> Vec<String> {
    let Some(module) = module_of(path) else {
        return Vec::new();
    };
    let Some(here) = layer(module) else {
        return vec![format!("{path}: module `{module}` has no place in the order of layers")];
    };
    let source = Source::of(text).without_tests();
    let mut wrong = Vec::new();
    for (line, used) in uses(&source.skeleton, depth_of(path)) {
        if layer(&used).is_some_and(|there| there > here) {
            wrong.push(format!("{path}:{line}: `{module}` uses `{used}`, which stands above it"));
        }
    }
    wrong
}

/// A library is named in its room only.
pub(crate) fn rooms(path: &str, text: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("host/src/").filter(|_| !is_test_file(path)) else {
        return Vec::new();
    };
    let source = Source::of(text).without_tests();
    let mut wrong = Vec::new();
    for (line, word) in words(&source.skeleton, |character| !is_word(character)) {
        let Some((library, rooms)) = ROOMS.iter().find(|(library, _)| *library == word) else {
            continue;
        };
        let at_home = rooms.iter().any(|room| {
            if room.ends_with('/') {
                inside.starts_with(room)
            } else {
                inside == *room || is_store(inside, room)
            }
        });
        if !at_home {
            wrong.push(format!("{path}:{line}: `{library}` lives in {} only", rooms.join(", ")));
        }
    }
    wrong
}

/// No identifier and no literal of the host contains a word of the business.
pub(crate) fn business_words(path: &str, text: &str) -> Vec<String> {
    if is_test_file(path) {
        return Vec::new();
    }
    let source = Source::of(text).without_tests();
    let mut wrong = Vec::new();
    for (line, word) in words(&source.code, |character| !character.is_alphanumeric()) {
        for part in humps(word) {
            if BUSINESS.contains(&part.as_str()) {
                wrong.push(format!("{path}:{line}: `{part}` is a plugin's word"));
            }
        }
    }
    wrong
}

/// A file opens with what it is about.
pub(crate) fn header(path: &str, text: &str) -> Vec<String> {
    let said = text
        .lines()
        .next()
        .and_then(|first| first.strip_prefix("//!"))
        .is_some_and(|rest| !rest.trim().is_empty());
    if said { Vec::new() } else { vec![format!("{path}:1: does not open with `//!` and a subject")] }
}

/// A file can be read in one go.
pub(crate) fn ceiling(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines <= CEILING { Vec::new() } else { vec![format!("{path}: {lines} lines, {CEILING} at most")] }
}

/// A name says what is inside.
pub(crate) fn file_name(path: &str, _: &str) -> Vec<String> {
    let mut parts = path.split('/').map(|part| part.trim_end_matches(".rs"));
    parts
        .find(|part| BANNED_NAMES.contains(part))
        .map(|part| format!("{path}: `{part}` says nothing"))
        .into_iter()
        .collect()
}

/// Errors are enums of their module.
pub(crate) fn untyped_errors(path: &str, text: &str) -> Vec<String> {
    word_in_code(path, text, "anyhow", "errors are typed, one enum a module")
}

/// Unsafe code stands in listed files.
pub(crate) fn unsafe_code(path: &str, text: &str) -> Vec<String> {
    if UNSAFE.contains(&path) {
        return Vec::new();
    }
    word_in_code(path, text, "unsafe", "not a listed file; see tests/architecture/rules.rs")
}

/// No test is switched off, nothing is left for later. Literals may speak of either.
pub(crate) fn unfinished(path: &str, text: &str) -> Vec<String> {
    let source = Source::of(text);
    let mut wrong = Vec::new();
    for (number, (line, skeleton)) in text.lines().zip(source.skeleton.lines()).enumerate() {
        if skeleton.contains("#[ignore") {
            wrong.push(format!("{path}:{}: a test is switched off", number + 1));
        }
        let is_comment =
            line.trim_start().starts_with("//") || skeleton.trim_end().len() < line.trim_end().len();
        let left = |word: &str| word == "TODO" || word == "FIXME";
        let in_literal = source.code.lines().nth(number).unwrap_or_default().split(|c| !is_word(c)).any(left);
        if is_comment && !in_literal && line.split(|c| !is_word(c)).any(left) {
            wrong.push(format!("{path}:{}: work is left in a comment", number + 1));
        }
    }
    wrong
}

/// Every interface, world, type and function of the contract has a doc comment.
pub(crate) fn contract_docs(path: &str, text: &str) -> Vec<String> {
    const ITEMS: [&str; 8] = ["interface", "world", "record", "variant", "enum", "flags", "resource", "type"];
    let mut wrong = Vec::new();
    let mut documented = false;
    for (number, line) in text.lines().map(str::trim).enumerate() {
        let item = line.split(' ').next().is_some_and(|word| ITEMS.contains(&word));
        let function = !line.starts_with("//")
            && [": func(", ": static func(", ": async func(", "constructor("]
                .iter()
                .any(|sign| line.contains(sign));
        if (item || function) && !documented {
            wrong.push(format!("{path}:{}: no doc comment on `{line}`", number + 1));
        }
        documented = line.starts_with("///") || (documented && line.starts_with('@'));
    }
    wrong
}

/// The host depends on no plugin and on no SDK; a plugin depends on neither the host nor another plugin.
pub(crate) fn dependencies(path: &str, text: &str) -> Vec<String> {
    if !path.ends_with("Cargo.toml") {
        return Vec::new();
    }
    let forbidden: &[&str] =
        if path.starts_with("host/") { &["/sdk", "/plugins"] } else { &["/host", "/plugins", "\"../"] };
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((_, target)) = line.split_once("path = ").filter(|_| line.contains('{')) else {
            continue;
        };
        let to_sdk = target.contains("/sdk");
        if forbidden.iter().any(|one| target.contains(one)) && (path.starts_with("host/") || !to_sdk) {
            wrong.push(format!("{path}:{}: must not depend on {target}", number + 1));
        }
    }
    wrong
}

fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("host/src/")?;
    let first = inside.split('/').next()?;
    Some(first.trim_end_matches(".rs")).filter(|module| *module != "lib")
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == module)
}

/// How many `super::` lead from the file's module to the crate.
fn depth_of(path: &str) -> usize {
    let inside = path.trim_start_matches("host/src/");
    let folders = inside.matches('/').count();
    if inside.ends_with("/mod.rs") { folders } else { folders + 1 }
}

fn is_store(inside: &str, room: &str) -> bool {
    room == "store.rs" && inside.ends_with("/store.rs")
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/")
}

/// The modules that code names, by `crate::x`, `crate::{x, y::z}` or enough `super::`.
fn uses(skeleton: &str, depth: usize) -> Vec<(usize, String)> {
    let climb = "super::".repeat(depth);
    let mut found = Vec::new();
    for root in ["crate::", "stoa::", climb.as_str()] {
        for (offset, _) in skeleton.match_indices(root) {
            let (before, rest) = skeleton.split_at(offset);
            let after = rest.split_at(root.len()).1;
            if before.ends_with(|c: char| is_word(c)) || before.ends_with("super::") {
                continue;
            }
            let line = line_of(skeleton, offset);
            found.extend(heads(after).into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// The first names of a path: of `a::b` it is `a`, of `{a::b, c}` they are `a` and `c`.
fn heads(after: &str) -> Vec<String> {
    let Some(group) = after.strip_prefix('{') else {
        return vec![after.chars().take_while(|c| is_word(*c)).collect()];
    };
    let (mut depth, mut heads, mut head, mut open) = (0_usize, Vec::new(), String::new(), true);
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(std::mem::take(&mut head));
                open = true;
            }
            _ if depth == 0 && open && is_word(character) => head.push(character),
            _ if !character.is_whitespace() => open = false,
            _ => {}
        }
    }
    heads.push(head);
    heads
}

/// `TicketQueue` and `ticket_queue` are two words each.
fn humps(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut after_lower = false;
    for character in word.chars() {
        if character.is_uppercase() && after_lower {
            parts.push(String::new());
        }
        after_lower = character.is_lowercase();
        if let Some(part) = parts.last_mut() {
            part.extend(character.to_lowercase());
        }
    }
    parts
}

fn word_in_code(path: &str, text: &str, forbidden: &str, why: &str) -> Vec<String> {
    let source = Source::of(text);
    let found =
        words(&source.skeleton, |character| !is_word(character)).filter(|(_, word)| *word == forbidden);
    found.map(|(line, word)| format!("{path}:{line}: `{word}`: {why}")).collect()
}
