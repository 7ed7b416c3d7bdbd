//! A plugin that looks around on the machine: by what it is called, by whom it was started, what time it is there. Its
//! component imports what a standard library has for that, and none of it is given.

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
        { key: "thing.environment", run: environment, on: collection, entity: Thing, mode: read, label: "Read the environment" },
        { key: "thing.clock", run: clock, on: collection, entity: Thing, mode: read, label: "Read another clock" },
    ],
    grants: [Grant::new("owner", "org", "thief.thing", &["list", "read", "create", "environment", "clock"])],
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_manifest_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.json");
        stoa_sdk::testing::matches_file(path, &super::describe().to_pretty_json()).unwrap();
    }
}
