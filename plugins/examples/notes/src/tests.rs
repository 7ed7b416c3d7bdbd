//! The plugin's rule, and that it is what it is shown as.

use stoa_sdk::testing::{Host, matches_file};

use super::*;

#[test]
fn a_note_is_pinned_once() {
    let host = Host::new::<Plugin>();
    let ctx = host.context();
    let note = Note { text: "Call back".into(), account: None, pinned: false };
    let id = ctx.records().create(&note).unwrap();
    pin(&ctx, id, ()).unwrap();
    assert!(ctx.records().get(id).unwrap().pinned);
    assert_eq!(pin(&ctx, id, ()).unwrap_err().code, "already_pinned");
}

#[test]
fn the_checked_in_manifest_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.json");
    matches_file(path, &describe().to_pretty_json()).unwrap();
}

#[test]
fn the_front_page_of_the_sdk_shows_this_plugin() {
    let front = include_str!("../../../../sdk/src/lib.rs");
    let shown = front.split("//! ```\n").nth(1).unwrap();
    let bare = |line: &str| line.strip_prefix("//! ").unwrap_or_default().to_owned();
    let shown: Vec<String> = shown.lines().map(bare).collect();
    let source = include_str!("lib.rs");
    let (source, _) = source.split_once("\n#[cfg(test)]").unwrap();
    let source: Vec<&str> = source.lines().skip(2).collect();
    let rest = shown.get(source.len()..).unwrap();
    assert_eq!(shown.get(..source.len()).unwrap(), source);
    assert!(rest.first().unwrap().is_empty());
}
