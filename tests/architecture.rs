//! The architecture as a test: layers, rooms of libraries, words, headers, sizes, the documentation of the contract.
//!
//! Each rule is a function from a file's path and text to what is wrong with it (`architecture/rules.rs`), so that each
//! is also shown to fail on a planted violation (`architecture/planted.rs`).

mod attacks;
mod codes;
mod contract;
mod contract_planted;
mod planted;
mod rules;
mod source;
mod unwanted;

use std::path::{Path, PathBuf};
use std::{fs, io};

/// What is wrong with the file at `path` (from the root, with `/`): one line for each violation.
type Rule = fn(path: &str, text: &str) -> Vec<String>;

const SOURCES: [&str; 5] = ["host", "sdk", "plugins", "tests", "xtask"];

/// Applies a rule to every file with this extension under the folders.
fn hold(rule: Rule, folders: &[&str], extension: &str) -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in folders {
        walk(&root.join(folder), extension, &mut files)
            .map_err(|error| io::Error::other(format!("{folder}: {error}")))?;
    }
    assert!(files.len() >= folders.len(), "the walk found next to nothing under {folders:?}");
    let mut wrong = Vec::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file).map_err(|error| io::Error::other(format!("{path}: {error}")))?;
        wrong.extend(rule(&path, &text));
    }
    assert!(wrong.is_empty(), "{} violations:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

fn walk(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            walk(&path, extension, files)?;
        } else if path.extension().is_some_and(|one| one == extension) {
            files.push(path);
        }
    }
    Ok(())
}

#[test]
fn host_modules_only_look_down() -> io::Result<()> {
    hold(rules::looks_down, &["host/src"], "rs")
}

#[test]
fn libraries_stay_in_their_rooms() -> io::Result<()> {
    hold(rules::rooms, &["host/src"], "rs")
}

#[test]
fn the_host_knows_no_business_word() -> io::Result<()> {
    hold(rules::business_words, &["host/src"], "rs")
}

#[test]
fn every_file_says_what_it_owns() -> io::Result<()> {
    hold(rules::header, &SOURCES, "rs")
}

#[test]
fn no_file_is_longer_than_the_ceiling() -> io::Result<()> {
    hold(rules::ceiling, &SOURCES, "rs")
}

#[test]
fn no_file_is_named_after_nothing() -> io::Result<()> {
    hold(rules::file_name, &SOURCES, "rs")
}

#[test]
fn errors_are_typed() -> io::Result<()> {
    hold(rules::untyped_errors, &SOURCES, "rs")
}

#[test]
fn unsafe_code_stands_in_the_listed_files_only() -> io::Result<()> {
    hold(rules::unsafe_code, &SOURCES, "rs")
}

#[test]
fn no_test_is_skipped_and_no_work_is_left_in_comments() -> io::Result<()> {
    hold(rules::unfinished, &SOURCES, "rs")
}

#[test]
fn every_item_of_the_plugin_contract_is_documented() -> io::Result<()> {
    hold(rules::contract_docs, &["sdk/wit/v1"], "wit")
}

#[test]
fn the_host_needs_no_plugin_and_a_plugin_needs_the_sdk_alone() -> io::Result<()> {
    hold(rules::dependencies, &["host", "plugins"], "toml")
}
