//! Embeds plugin packages: every folder `<id>/` with `manifest.json`, `component.wasm` and perhaps `sql.json` below
//! `STOA_EMBED_PLUGINS`.
//! Without that variable the binary carries none and takes them from `stoa serve --plugins DIR`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const VARIABLE: &str = "STOA_EMBED_PLUGINS";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let mut text = String::from(
        "/// Id, manifest, component and SQL texts.\ntype Embedded = (&'static str, &'static [u8], &'static [u8], &'static [u8]);\n\n\
         /// Every embedded package.\nconst EMBEDDED: &[Embedded] = &[\n",
    );
    if let Some(folder) = env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
        for package in packages(Path::new(&folder))? {
            let id = package.file_name().unwrap_or_default();
            let (manifest, component) = (package.join("manifest.json"), package.join("component.wasm"));
            let sql = package.join("sql.json");
            // A file that is not there would count as changed at every build; the folder is watched, too.
            for file in [&manifest, &component, &sql].into_iter().filter(|file| file.is_file()) {
                println!("cargo::rerun-if-changed={}", file.display());
            }
            let _ =
                write!(text, "    ({id:?}, include_bytes!({manifest:?}), include_bytes!({component:?}), ");
            // A plugin without SQL may have no such file.
            let _ = match sql.is_file() {
                true => writeln!(text, "include_bytes!({sql:?})),"),
                false => writeln!(text, "b\"\"),"),
            };
        }
    }
    text.push_str("];\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("embedded_plugins.rs"), text)
}

/// The packages of `folder` in the order of their names, as absolute paths.
fn packages(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let folder = fs::canonicalize(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{VARIABLE}={}: {error}", folder.display())))?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join("manifest.json").is_file() && path.join("component.wasm").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
