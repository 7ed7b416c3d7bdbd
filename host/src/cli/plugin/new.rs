//! `stoa plugin new`: a project that compiles. It begins as the plugin of the SDK's front page, under another name.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::cli::arguments::NewProject;
use crate::cli::{CliError, output};
use crate::plugins::is_plugin_id;

/// The plugin that is begun with. It stands in the repository and is tested there.
const SOURCE: &str = include_str!("../../../../plugins/examples/notes/src/lib.rs");
const TESTS: &str = include_str!("template/tests.rs.txt");
const CARGO: &str = include_str!("template/Cargo.toml.txt");
const README: &str = include_str!("template/README.md.txt");
const CONFIG: &str = include_str!("template/config.toml.txt");
const IGNORED: &str = "/target\n*.stoa\n*.key\n";

pub(super) fn run(options: &NewProject) -> Result<ExitCode, CliError> {
    let name = &options.name;
    if !is_plugin_id(name) {
        return Err(CliError::Author(format!(
            "`{name}` cannot be a plugin's id: a-z, 0-9 and _, beginning with a letter, 63 at most, and no word of the host's \
             own API"
        )));
    }
    let folder = options.dir.clone().unwrap_or_else(|| PathBuf::from(name));
    if folder.exists() {
        return Err(CliError::Author(format!("{} is there already; nothing was written", folder.display())));
    }
    let sdk = sdk(options.sdk.as_deref())?;
    for (path, text) in files(name, &sdk) {
        write(&folder.join(path), &text)?;
    }
    if options.json {
        output::json(&json!({ "plugin": name, "folder": folder }));
    } else {
        output::say(&format!(
            "Created the plugin {name} in {0}\n  stoa plugin build {0}   a package folder\n  stoa plugin test {0}    its tests, and \
             what every plugin must pass",
            folder.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The dependency on the SDK as `Cargo.toml` says it: this host's version, or a folder.
fn sdk(path: Option<&Path>) -> Result<String, CliError> {
    let Some(path) = path else {
        return Ok(format!("\"{}\"", env!("CARGO_PKG_VERSION")));
    };
    let found = std::fs::canonicalize(path).map_err(|error| CliError::File(path.to_owned(), error))?;
    if !found.join("Cargo.toml").is_file() {
        return Err(CliError::Author(format!("{} is not the folder of the SDK", path.display())));
    }
    // A text of TOML and one of JSON are written the same way.
    Ok(format!("{{ path = {} }}", json!(found)))
}

/// Every file of the project.
fn files(name: &str, sdk: &str) -> [(&'static str, String); 6] {
    let filled = |text: &str| text.replace("{name}", name).replace("{sdk}", sdk);
    [
        ("Cargo.toml", filled(CARGO)),
        ("README.md", filled(README)),
        (".gitignore", IGNORED.to_owned()),
        (".cargo/config.toml", CONFIG.to_owned()),
        ("src/lib.rs", source(name)),
        ("src/tests.rs", TESTS.to_owned()),
    ]
}

/// The source with another id; the entity stays a note.
fn source(name: &str) -> String {
    let mut capital: Vec<char> = name.replace('_', " ").chars().collect();
    if let Some(first) = capital.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    let capital: String = capital.into_iter().collect();
    SOURCE
        .replace("id: \"notes\"", &format!("id: \"{name}\""))
        .replace("name: \"Notes\"", &format!("name: \"{capital}\""))
        .replace("module: \"notes\"", &format!("module: \"{name}\""))
        .replace("\"notes.note\"", &format!("\"{name}.note\""))
        .replace("/api/v1/notes/", &format!("/api/v1/{name}/"))
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error| CliError::File(path.to_owned(), error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_its_own_id_everywhere() {
        let source = source("field_visits");
        for said in [
            "id: \"field_visits\"",
            "name: \"Field visits\"",
            "module: \"field_visits\"",
            "\"field_visits.note\"",
            "`POST /api/v1/field_visits/notes/{id}/pin`",
        ] {
            assert!(source.contains(said), "{said}");
        }
        assert!(!source.contains("\"notes.") && !source.contains("/api/v1/notes/"));
        for (path, text) in files("x", "\"1\"") {
            assert!(!text.contains("{name}") && !text.contains("{sdk}"), "{path}");
        }
    }

    #[test]
    fn the_sdk_comes_from_a_folder_or_in_this_version() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(sdk(None).unwrap(), format!("\"{}\"", env!("CARGO_PKG_VERSION")));
        assert!(sdk(Some(folder.path())).is_err());
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        assert!(sdk(Some(folder.path())).unwrap().starts_with("{ path = \"/"));
    }
}
