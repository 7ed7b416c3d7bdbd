//! A plugin that misbehaves on purpose: each action tries one thing that a host must survive and refuse.
//!
//! An action that gets away with it answers `{"done": true}`, so a test can tell a refusal from a success. `ping`
//! behaves: it shows that the next request is served.

mod attacks;
mod holding;

use stoa_sdk::prelude::*;

/// A record, so that there is something to misbehave on. Saying `panic`, `loop` or `refuse` in `name` makes the hook do
/// so.
#[entity(key = "thing", plural = "things", title = "name", hooks(before_create = before_create))]
pub struct Thing {
    #[field(max = 200)]
    name: String,
    size: Option<i64>,
    #[field(read_only)]
    seal: Option<String>,
}

fn before_create(_: &Context, drafts: &mut [Draft<Thing>]) -> Result<()> {
    for draft in drafts {
        match draft.name.as_str() {
            "panic" => panic!("the hook panics on purpose"),
            "loop" => attacks::spin(),
            "refuse" => {
                draft.refuse("/name", "refused_on_purpose", "choose another name");
                draft.refuse("/size", "refused_on_purpose", "choose another size");
            }
            _ => {}
        }
    }
    Ok(())
}

stoa_sdk::plugin! {
    id: "hostile",
    name: "Hostile",
    module: "hostile",
    entities: [Thing],
    actions: [
        { key: "thing.ping", run: attacks::ping, on: collection, entity: Thing, mode: read, label: "Behave" },
        { key: "thing.loop", run: attacks::run_forever, on: collection, entity: Thing, mode: read, label: "Loop" },
        { key: "thing.loop_in_write", run: attacks::run_forever, on: collection, entity: Thing, mode: write, label: "Loop while writing" },
        { key: "thing.balloon", run: attacks::balloon, on: collection, entity: Thing, mode: read, label: "Allocate without end" },
        { key: "thing.panic", run: attacks::panic, on: collection, entity: Thing, mode: read, label: "Panic" },
        { key: "thing.deep", run: attacks::deep, on: collection, entity: Thing, mode: read, label: "Recurse without end" },
        { key: "thing.huge", run: attacks::huge, on: collection, entity: Thing, mode: read, label: "Pass a huge argument" },
        { key: "thing.spill", run: attacks::spill, on: collection, entity: Thing, mode: read, label: "Panic with a secret" },
        { key: "thing.half_then_loop", run: attacks::half_then_loop, on: collection, entity: Thing, mode: write, label: "Write and loop" },
        { key: "thing.half_then_panic", run: attacks::half_then_panic, on: collection, entity: Thing, mode: write, label: "Write and panic" },
        { key: "thing.stumble", run: attacks::stumble, on: collection, entity: Thing, mode: write, label: "Go on after a hook fell" },
        { key: "thing.chatter", run: attacks::chatter, on: collection, entity: Thing, mode: read, label: "Log without end" },
        { key: "thing.calls", run: attacks::calls, on: collection, entity: Thing, mode: read, label: "Call the host without end" },
        { key: "thing.host_table", run: attacks::host_table, on: collection, entity: Thing, mode: write, label: "Read a host table" },
        { key: "thing.host_table_write", run: attacks::host_table_write, on: collection, entity: Thing, mode: write, label: "Write a host table" },
        { key: "thing.schema", run: attacks::schema, on: collection, entity: Thing, mode: write, label: "Read the schema" },
        { key: "thing.pragma", run: attacks::pragma, on: collection, entity: Thing, mode: write, label: "Use a pragma" },
        { key: "thing.attach", run: attacks::attach, on: collection, entity: Thing, mode: write, label: "Attach a database" },
        { key: "thing.vacuum_into", run: attacks::vacuum_into, on: collection, entity: Thing, mode: write, label: "Copy the file away" },
        { key: "thing.transaction", run: attacks::transaction, on: collection, entity: Thing, mode: write, label: "End the transaction" },
        { key: "thing.ddl", run: attacks::ddl, on: collection, entity: Thing, mode: write, label: "Make a table" },
        { key: "thing.other_file", run: attacks::other_file, on: collection, entity: Thing, mode: write, label: "Read another plugin's table" },
        { key: "thing.other_entity", run: attacks::other_entity, on: collection, entity: Thing, mode: write, label: "Read another plugin's records" },
        { key: "thing.entity_write", run: attacks::entity_write, on: collection, entity: Thing, mode: write, label: "Write an entity's table" },
        { key: "thing.as_plugin", run: attacks::as_plugin, on: collection, entity: Thing, mode: write, label: "Use an authority that was not granted" },
        { key: "thing.write_in_read", run: attacks::write_in_read, on: collection, entity: Thing, mode: read, label: "Write in a read action" },
        { key: "thing.slow_sql", run: attacks::slow_sql, on: collection, entity: Thing, mode: read, label: "Run an endless statement" },
        { key: "thing.hoard", run: holding::hoard, on: collection, entity: Thing, mode: read, label: "Forget cursors" },
        { key: "thing.leak", run: holding::leak, on: collection, entity: Thing, mode: read, label: "Forget cursors without end" },
        { key: "thing.fat", run: holding::fat, on: collection, entity: Thing, mode: read, label: "Keep too much" },
        { key: "thing.dawdle", run: holding::dawdle, on: collection, entity: Thing, mode: read, label: "Wait in the host" },
        { key: "thing.write_meanwhile", run: holding::write_meanwhile, on: collection, entity: Thing, mode: write, label: "Write while a cursor is open" },
        { key: "thing.halves", run: holding::halves, on: collection, entity: Thing, mode: write, label: "Write in two halves" },
        { key: "thing.rant", run: holding::rant, on: collection, entity: Thing, mode: read, label: "Panic at length" },
        { key: "thing.remember", run: holding::remember, on: collection, entity: Thing, mode: read, label: "Count calls in memory" },
        { key: "thing.imprint", run: holding::imprint, on: collection, entity: Thing, mode: read, label: "Fill the memory" },
        { key: "thing.recall", run: holding::recall, on: collection, entity: Thing, mode: read, label: "Look for what is left in memory" },
        { key: "thing.reach", run: holding::reach, on: collection, entity: Thing, mode: write, label: "Use what is not offered" },
    ],
    reports: [
        { key: "table", run: attacks::table, reads: Thing, label: "Table", help: "Reads the table instead of the view." },
        { key: "shadow", run: attacks::shadow, reads: Thing, label: "Shadow", help: "Reads the table under the view's name." },
        { key: "honest", run: attacks::honest, reads: Thing, label: "Honest", help: "Reads the view." },
    ],
    grants: [
        Grant::new("owner", "org", "hostile.thing", ACTIONS),
        Grant::new("rep", "own", "hostile.thing", &["list", "read", "create"]),
    ],
}

const ACTIONS: &[&str] = &[
    "list",
    "read",
    "create",
    "update",
    "delete",
    "ping",
    "loop",
    "loop_in_write",
    "balloon",
    "panic",
    "deep",
    "huge",
    "spill",
    "half_then_loop",
    "half_then_panic",
    "stumble",
    "chatter",
    "calls",
    "host_table",
    "host_table_write",
    "schema",
    "pragma",
    "attach",
    "vacuum_into",
    "transaction",
    "ddl",
    "other_file",
    "other_entity",
    "entity_write",
    "as_plugin",
    "write_in_read",
    "slow_sql",
    "hoard",
    "leak",
    "fat",
    "dawdle",
    "write_meanwhile",
    "halves",
    "rant",
    "remember",
    "imprint",
    "recall",
    "reach",
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_manifest_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.json");
        stoa_sdk::testing::matches_file(path, &super::describe().to_pretty_json()).unwrap();
    }
}
