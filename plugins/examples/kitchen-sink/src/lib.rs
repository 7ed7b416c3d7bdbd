//! The kitchen sink: a plugin that uses everything that the SDK offers, in the words of a restaurant.
//!
//! It is the example to look things up in, and the host's own test: a story walks over every operation of the document
//! that the host makes of it, so a field type or an attribute without support fails there. It is licensed like any
//! module and never shipped.
//!
//! Reading order: `dishes.rs` (every field type and attribute), `around.rs` (what stands around a dish: each rule for
//! deletion), `hooks.rs` (every hook), `actions.rs` (every target and mode), `report.rs` (every type of column), `portions.rs`
//! (a cursor), `data.rs` (private tables, settings, seed). This file is the list.

mod actions;
mod around;
mod data;
mod dishes;
mod hooks;
mod portions;
mod report;

use stoa_sdk::manifest::Grant;

use crate::around::{Menu, Preparation, Tasting, Trace};
use crate::dishes::Dish;

stoa_sdk::plugin! {
    id: "kitchen",
    name: "Kitchen",
    module: "kitchen",
    requires: ["crm"],
    permissions: ["records.as-plugin"],
    entities: [Menu, Dish, Preparation, Tasting, Trace],
    private: data::steps(),
    actions: [
        {
            key: "dish.praise", run: actions::praise, on: record, mode: write,
            label: "Praise", help: "Adds points to the dish's rating. Twice the same remark is a conflict.",
        },
        {
            key: "dish.recipe", run: actions::recipe, on: record, mode: read,
            label: "Recipe", help: "What goes into so many servings.",
        },
        {
            key: "dish.deliver", run: actions::deliver, on: record, mode: effect,
            label: "Deliver", help: "Sends the dish out. Effects are not offered yet.",
        },
        {
            key: "dish.reprice", run: actions::reprice, on: collection, entity: Dish, mode: write,
            label: "Reprice", help: "Raises every price in one currency by a percentage.",
        },
        {
            key: "dish.count", run: actions::count, on: collection, entity: Dish, mode: read,
            label: "Count", help: "How many dishes of a course you may read.",
        },
        {
            key: "dish.advertise", run: actions::advertise, on: collection, entity: Dish, mode: effect,
            label: "Advertise", help: "Tells everybody. Effects are not offered yet.",
        },
        {
            key: "kitchen.open", run: actions::open, on: module, mode: write,
            label: "Open", help: "Opens the kitchen for a day and counts how often that was done.",
        },
        {
            key: "kitchen.hours", run: actions::hours, on: module, mode: read,
            label: "Hours", help: "The hours of the settings.",
        },
        {
            key: "kitchen.announce", run: actions::announce, on: module, mode: effect,
            label: "Announce", help: "Announces the day. Effects are not offered yet.",
        },
    ],
    reports: [
        {
            key: "card", run: report::card, reads: Dish,
            label: "Card", help: "The dishes of a course, one line each: every type of column.",
        },
        {
            key: "portions", run: portions::portions, reads: Dish,
            label: "Portions", help: "What each portion of a dish costs, shared to the cent: a result that is read in parts.",
        },
    ],
    grants: grants(),
    settings: data::settings(),
    seed: data::seed(),
    demo: data::demo(),
}

const DISH: &str = "kitchen.dish";
const MODULE: &str = "kitchen.module";

const READ: &[&str] = &["list", "read"];
const COOK: &[&str] = &["list", "read", "create", "update", "delete", "restore"];
const ALL: &[&str] =
    &["list", "read", "create", "update", "delete", "import", "export", "merge", "restore", "purge"];
/// The verbs of the actions on dishes.
const SERVE: &[&str] = &["praise", "recipe", "deliver", "reprice", "count", "advertise"];

/// Each shipped role another reach: the owner everything, the manager what the team has, the rep what is his, and who
/// only reads reads.
fn grants() -> Vec<Grant> {
    let mut grants = Vec::new();
    for object in ["kitchen.menu", "kitchen.preparation", "kitchen.tasting"] {
        grants.push(Grant::new("owner", "org", object, ALL));
        grants.push(Grant::new("manager", "org", object, ALL));
        grants.push(Grant::new("rep", "org", object, READ));
        grants.push(Grant::new("readonly", "org", object, READ));
    }
    grants.extend([
        Grant::new("owner", "org", DISH, ALL),
        Grant::new("owner", "org", DISH, SERVE),
        Grant::new("manager", "team", DISH, ALL),
        Grant::new("manager", "team", DISH, SERVE),
        Grant::new("rep", "own", DISH, COOK),
        Grant::new("rep", "own", DISH, SERVE),
        Grant::new("readonly", "org", DISH, READ),
        Grant::new("readonly", "org", DISH, &["recipe", "count"]),
        Grant::new("owner", "org", "kitchen.trace", READ),
        Grant::new("owner", "org", MODULE, &["open", "hours", "announce"]),
        Grant::new("manager", "org", MODULE, &["open", "hours"]),
        Grant::new("rep", "org", MODULE, &["hours"]),
    ]);
    grants
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stoa_sdk::testing::matches_file;

    #[test]
    fn the_checked_in_manifest_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.json");
        matches_file(path, &super::describe().to_pretty_json()).unwrap();
    }

    /// The words that the published schema knows in this place.
    fn known(schema: &serde_json::Value, at: &str) -> BTreeSet<String> {
        let words = schema.pointer(at).and_then(serde_json::Value::as_array).unwrap();
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn it_uses_every_type_every_hook_every_target_and_mode_and_every_column() {
        let schema = serde_json::from_str(include_str!("../../../../sdk/manifest.schema.json")).unwrap();
        let manifest = super::describe();
        let fields = || manifest.entities.iter().flat_map(|entity| &entity.fields);
        let used = |words: &mut dyn Iterator<Item = &String>| words.cloned().collect::<BTreeSet<_>>();

        let at = "/$defs/field/properties/type/enum";
        assert_eq!(used(&mut fields().map(|field| &field.kind)), known(&schema, at));
        let at = "/$defs/field/properties/class/enum";
        assert_eq!(used(&mut fields().map(|field| &field.class)), known(&schema, at));
        let at = "/$defs/field/properties/on_delete/enum";
        assert_eq!(used(&mut fields().filter_map(|field| field.on_delete.as_ref())), known(&schema, at));
        let at = "/$defs/entity/properties/hooks/items/enum";
        let hooks = &mut manifest.entities.iter().flat_map(|entity| &entity.hooks);
        assert_eq!(used(hooks), known(&schema, at));
        let at = "/$defs/column/properties/type/enum";
        let columns = &mut manifest.reports.iter().flat_map(|report| &report.columns);
        assert_eq!(used(&mut columns.map(|column| &column.kind)), known(&schema, at));
        let pairs: BTreeSet<_> =
            manifest.actions.iter().map(|action| (action.target.as_str(), action.mode.as_str())).collect();
        assert_eq!(pairs.len(), 9, "three targets in three modes");
        assert!(manifest.entities.iter().any(|entity| !entity.duplicates.is_empty()));
        assert!(
            fields().any(|field| field.inverse.is_some()) && fields().any(|field| field.format.is_some())
        );
    }
}
