//! What an organization adds to the shipped policy: roles of its own, and rows.

use crate::clock::UnixMillis;
use crate::ids::{PolicyId, PrincipalId};

/// A role that an organization made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Role {
    /// Its name, unique and never changed: `contractor`.
    pub name: String,
    /// For people.
    pub label: String,
    /// For people: what it is for.
    pub description: String,
    /// The roles whose rights it has beside its own.
    pub inherits: Vec<String>,
    /// Grows with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Who made it.
    pub created_by: PrincipalId,
    /// When it was changed last.
    pub updated_at: UnixMillis,
}

/// A row as it was written. Nothing of it was checked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Words {
    /// `role:rep`, `team:<id>`, `user:<id>` or `svc:<id>`.
    pub subject: String,
    /// `<plugin>.<entity>`, `host.<thing>`, `<plugin>.<entity>#<field>` or `<plugin>.<entity>#@<label>`.
    pub object: String,
    /// A word.
    pub action: String,
    /// `own`, `team`, `subteams`, `shared` or `org`.
    pub scope: String,
    /// A condition, or nothing.
    pub condition: String,
    /// `allow` or `deny`.
    pub effect: String,
}

/// A row that an organization added.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addition {
    /// Which.
    pub id: PolicyId,
    /// What it says.
    pub words: Words,
    /// Why it was added.
    pub reason: String,
    /// When.
    pub created_at: UnixMillis,
    /// Who added it.
    pub created_by: PrincipalId,
}

/// All that an organization added.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Overlay {
    /// Its roles, by name.
    pub roles: Vec<Role>,
    /// Its rows, in the order in which they were added.
    pub rows: Vec<Addition>,
}
