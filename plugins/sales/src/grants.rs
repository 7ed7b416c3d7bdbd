//! What the shipped roles may do here. Configuration is everybody's to read; opportunities follow their owners.

use stoa_sdk::manifest::Grant;

const PRODUCT: &str = "sales.product";
const PIPELINE: &str = "sales.pipeline";
const STAGE: &str = "sales.stage";
const HISTORY: &str = "sales.stage_history";

/// The object that opportunities are to policies.
pub(crate) const OPPORTUNITY: &str = "sales.opportunity";
/// The right to close on another day than today.
pub(crate) const BACKDATE: &str = "backdate";

const READ: &[&str] = &["list", "read"];
const ALL: &[&str] =
    &["list", "read", "create", "update", "delete", "import", "export", "merge", "restore", "purge"];
const SELL: &[&str] = &["list", "read", "create", "update", "move", "close-won", "close-lost", "reopen"];
const LEAD: &[&str] = &[
    "list",
    "read",
    "create",
    "update",
    "delete",
    "import",
    "export",
    "merge",
    "restore",
    "purge",
    "move",
    "close-won",
    "close-lost",
    "reopen",
    BACKDATE,
];

pub(crate) fn grants() -> Vec<Grant> {
    let mut grants = Vec::new();
    for object in [PRODUCT, PIPELINE, STAGE] {
        grants.push(Grant::new("owner", "org", object, ALL));
        for role in ["manager", "rep", "readonly"] {
            grants.push(Grant::new(role, "org", object, READ));
        }
    }
    for role in ["owner", "manager", "rep", "readonly"] {
        grants.push(Grant::new(role, "org", PIPELINE, &["board"]));
    }
    for (role, scope, actions) in
        [("owner", "org", LEAD), ("manager", "team", LEAD), ("rep", "own", SELL), ("readonly", "org", READ)]
    {
        grants.push(Grant::new(role, scope, OPPORTUNITY, actions));
        grants.push(Grant::new(role, scope, HISTORY, READ));
    }
    grants
}
