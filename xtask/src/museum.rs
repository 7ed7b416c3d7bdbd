//! `cargo xtask museum`: the exhibits of the contract's newest published version.

use std::fs;
use std::path::Path;

use stoa_tests::npm;

use crate::arguments::Arguments;
use crate::components;
use crate::fault::Fault;
use crate::workspace::{Workspace, run, say};

pub(crate) const HELP: &str = "\
cargo xtask museum

Makes the exhibits of a contract that was just published, once:

  1. takes the newest version of sdk/wit/published, which must be that of sdk/wit/v1;
  2. builds tests/guests/exhibit with the SDK as it is now, and plugins/examples/iban with npm;
  3. lays both out as packages in tests/museum/VERSION.

What is in the museum is never made again: a version that is there already is refused. To publish a version: raise it in all files
of sdk/wit/v1, copy them to sdk/wit/published/VERSION, run this, commit all of it together.
";

pub(crate) fn command(workspace: &Workspace, arguments: Arguments) -> Result<(), Fault> {
    arguments.done()?;
    let version = newest(&workspace.root.join("sdk/wit/published"))?;
    let clock = workspace.root.join("sdk/wit/v1/clock.wit");
    let text = fs::read_to_string(&clock).map_err(Fault::at(clock.display()))?;
    if !text.starts_with(&format!("package stoa:plugin@{version};")) {
        return Err(Fault::new(format!("sdk/wit/v1 is not {version}: copy it to sdk/wit/published first")));
    }
    let room = workspace.root.join("tests/museum").join(&version);
    if room.exists() {
        return Err(Fault::new(format!("{} is there: exhibits are never made again", room.display())));
    }
    fs::create_dir_all(&room).map_err(Fault::at(room.display()))?;
    components::exhibit(workspace, &room)?;
    let iban = npm::iban().map_err(Fault::at("plugins/examples/iban"))?.join("iban");
    let there = room.join("iban");
    fs::create_dir_all(&there).map_err(Fault::at(there.display()))?;
    for file in ["component.wasm", "manifest.json", "sql.json"] {
        fs::copy(iban.join(file), there.join(file)).map_err(Fault::at(file))?;
    }
    say(format_args!("{} is made; it stays as it is", room.display()));
    run(std::process::Command::new("ls").args(["-lR"]).arg(&room))
}

fn newest(published: &Path) -> Result<String, Fault> {
    let number = |name: &str| name.split('.').map(|part| part.parse::<u32>().ok()).collect::<Vec<_>>();
    let entries = fs::read_dir(published).map_err(Fault::at(published.display()))?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.max_by_key(|name| number(name)).ok_or_else(|| Fault::new("no contract was published"))
}
