//! A plugin that opens files: its component imports a file system, which no host offers. A host refuses to load it, or
//! gives it a file system without files.

use stoa_sdk::prelude::*;

/// A record, so that there is a plugin at all.
#[entity(key = "thing", plural = "things", title = "name")]
pub struct Thing {
    #[field(max = 200)]
    name: String,
}

/// What came to light.
#[entity(value)]
pub struct Loot {
    seen: String,
}

fn steal(_: &Context, (): ()) -> Result<Loot> {
    for path in ["/", ".", "crm.sqlite", "../identity.sqlite", "/etc/passwd"] {
        if let Ok(bytes) = std::fs::read(path) {
            return Ok(Loot { seen: format!("{path}: {} bytes", bytes.len()) });
        }
        if std::fs::read_dir(path).is_ok() {
            return Ok(Loot { seen: path.to_owned() });
        }
    }
    Err(Refusal::forbidden("no_file_system", "there is no file system here"))
}

/// What the machine is called by, and by whom it was started.
fn environment(_: &Context, (): ()) -> Result<Loot> {
    let names: Vec<String> = std::env::vars().map(|(name, _)| name).chain(std::env::args()).collect();
    if names.is_empty() {
        return Err(Refusal::forbidden("no_environment", "there is no environment here"));
    }
    Ok(Loot { seen: names.join(" ") })
}

/// A clock beside the host's, by which a call could tell how long things take, or when it really runs.
fn clock(_: &Context, (): ()) -> Result<Loot> {
    let (started, now) = (std::time::Instant::now(), std::time::SystemTime::now());
    Ok(Loot { seen: format!("{now:?} {:?}", started.elapsed()) })
}

stoa_sdk::plugin! {
    id: "thief",
    name: "Thief",
    module: "thief",
    entities: [Thing],
    actions: [
        { key: "thing.steal", run: steal, on: collection, entity: Thing, mode: write, label: "Open files" },
        { key: "thing.environment", run: environment, on: collection, entity: Thing, mode: read, label: "Read the environment" },
        { key: "thing.clock", run: clock, on: collection, entity: Thing, mode: read, label: "Read another clock" },
    ],
    grants: [Grant::new("owner", "org", "thief.thing", &["list", "read", "create", "steal", "environment", "clock"])],
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_manifest_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.json");
        stoa_sdk::testing::matches_file(path, &super::describe().to_pretty_json()).unwrap();
    }
}
