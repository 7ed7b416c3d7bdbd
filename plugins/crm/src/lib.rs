//! The base plugin: the companies and people that every other module refers to. Always on, licensed with nothing.
//!
//! `accounts.rs` and `contacts.rs` declare and check; this file is the list of what the plugin offers.

mod accounts;
mod contacts;
mod demo;
mod hierarchy;

use stoa_sdk::manifest::{Grant, View};

use crate::accounts::Account;
use crate::contacts::Contact;

stoa_sdk::plugin! {
    id: "crm",
    name: "CRM",
    permissions: ["records.as-plugin"],
    entities: [Account, Contact],
    grants: grants(),
    demo: demo::records(),
    views: views(),
}

const ALL: &[&str] =
    &["list", "read", "create", "update", "delete", "import", "export", "merge", "restore", "purge"];
const READ: &[&str] = &["list", "read"];
const LEAD: &[&str] = &["create", "update", "delete", "import", "export", "merge", "restore", "purge"];
const WRITE: &[&str] = &["create", "update"];

/// Companies are common knowledge; people belong to whoever looks after them.
fn grants() -> Vec<Grant> {
    vec![
        Grant::new("owner", "org", "crm.account", ALL),
        Grant::new("owner", "org", "crm.contact", ALL),
        Grant::new("manager", "org", "crm.account", READ),
        Grant::new("manager", "team", "crm.account", LEAD),
        Grant::new("manager", "team", "crm.contact", ALL),
        Grant::new("rep", "org", "crm.account", READ),
        Grant::new("rep", "own", "crm.account", WRITE),
        Grant::new("rep", "team", "crm.contact", READ),
        Grant::new("rep", "own", "crm.contact", &["list", "read", "create", "update", "delete"]),
        Grant::new("readonly", "org", "crm.account", READ),
        Grant::new("readonly", "org", "crm.contact", READ),
    ]
}

/// What reports of other plugins group and name their figures by; nothing that reaches a person or says what a company earns.
fn views() -> Vec<View> {
    vec![
        View::of::<Account>(
            "accounts",
            &["name", "kind", "parent", "industry", "country", "employees", "owner_id", "team_id"],
        ),
        View::of::<Contact>("contacts", &["name", "title", "account", "owner_id", "team_id"]),
    ]
}

#[cfg(test)]
mod tests {
    use stoa_sdk::testing::matches_file;

    #[test]
    fn the_checked_in_manifest_and_policy_are_what_the_code_says() {
        let manifest = super::describe();
        let folder = env!("CARGO_MANIFEST_DIR");
        matches_file(&format!("{folder}/manifest.json"), &manifest.to_pretty_json()).unwrap();
        matches_file(&format!("{folder}/../../policies/plugins/crm.csv"), &manifest.to_policy_csv()).unwrap();
    }
}
