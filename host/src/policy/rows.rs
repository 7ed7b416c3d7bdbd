//! The rows of a policy: the shipped ones of `policies/roles.csv`, the grants of plugins, what the organization added.
//! `reading.rs` checks them.

use std::collections::HashSet;
use std::sync::Arc;

use super::condition::Condition;
use super::error::{Fault, Origin, PolicyError};
use super::overlay::Overlay;
use super::reading::{Reading, expand};
use super::scope::{Effect, Scope};
use super::subject::Subject;

/// The shipped roles.
pub(super) const SHIPPED: &str = include_str!("../../../policies/roles.csv");

/// Actions that every object may know. Others are verbs of a plugin's object.
pub const ACTIONS: [&str; 13] = [
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
    "publish",
    "manage",
    "bypass-duplicates",
];

/// The role that may do everything in its organization.
pub const OWNER: &str = "owner";

/// How many steps a role may inherit.
pub(super) const MAX_DEPTH: usize = 5;

/// What a role may do, or must not do, with an object of a plugin.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Grant {
    /// The role's name: `rep`.
    pub role: String,
    /// `<plugin>.<entity>`.
    pub object: String,
    /// One of [`ACTIONS`] or a verb of the plugin.
    pub action: String,
    /// How far it reaches.
    pub scope: Scope,
    /// Allow or deny.
    pub effect: Effect,
}

/// What a row says, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Of whom.
    pub subject: Subject,
    /// Of what: `<plugin>.<entity>`, with `#<field>` or `#@<label>` of its fields.
    pub object: Arc<str>,
    /// One of [`ACTIONS`] or a verb of the plugin.
    pub action: Arc<str>,
    /// How far it reaches.
    pub scope: Scope,
    /// Of which records.
    pub condition: Option<Arc<Condition>>,
    /// Allow or deny.
    pub effect: Effect,
}

/// A row of a policy that was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What it says.
    pub row: Row,
    /// Where it says so.
    pub origin: Origin,
}

impl Rule {
    /// The row as casbin holds it, in the order of `policy_definition`.
    pub(super) fn cells(&self) -> Vec<String> {
        let Row { subject, object, action, scope, condition, effect } = &self.row;
        let condition = condition.as_ref().map(|condition| condition.text()).unwrap_or_default();
        let subject = subject.to_string();
        [&*subject, "*", object, action, scope.as_str(), condition, effect.as_str()]
            .map(str::to_owned)
            .to_vec()
    }
}

/// What casbin puts before a role's name, so that no role can pass for a principal.
pub(super) const ROLE: &str = "role:";

/// The roles that are shipped; an organization cannot change them.
pub const SHIPPED_ROLES: [&str; 4] = [OWNER, "manager", "rep", "readonly"];

/// A policy's rows, checked.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) rules: Vec<Rule>,
    /// Heir and ancestor, both with [`ROLE`].
    pub(super) links: Vec<(String, String)>,
    /// Roles that exist although no row speaks of them yet.
    pub(super) made: Vec<String>,
    /// What of the organization's own speaks of something that is gone.
    pub(super) stale: Vec<Fault>,
}

impl Rows {
    /// Reads `text` in the format of `roles.csv` and adds the plugins' grants and what the organization added.
    pub(super) fn collect(text: &str, grants: &[Grant], overlay: &Overlay) -> Result<Self, PolicyError> {
        let mut reading = Reading::default();
        reading.lines(text);
        for (position, grant) in grants.iter().enumerate() {
            reading.grant(Origin::Grant(position + 1), grant);
        }
        let known = Known::of(&reading.rules);
        reading.overlay(overlay, &known);
        reading.inheritance();
        let Reading { rules, links, mut faults, mut stale, .. } = reading;
        let rules = expand(rules, &mut faults, &mut stale);
        if !faults.is_empty() {
            return Err(PolicyError::Invalid(faults));
        }
        if rules.is_empty() {
            return Err(PolicyError::Empty);
        }
        let links = links.into_iter().map(|(heir, ancestor, _)| (heir, ancestor)).collect();
        let made = overlay.roles.iter().map(|role| role.name.clone()).collect();
        Ok(Self { rules, links, made, stale })
    }
}

/// The words that shipped rows and manifests use: what an organization's rows may speak of.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Objects, without their fields.
    pub(super) objects: HashSet<String>,
    /// Objects and actions on them that are not in [`ACTIONS`].
    pub(super) verbs: HashSet<(String, String)>,
    /// Roles.
    pub(super) roles: HashSet<String>,
}

impl Known {
    fn of(rules: &[Rule]) -> Self {
        let mut known = Self::default();
        for row in rules.iter().map(|rule| &rule.row) {
            known.objects.insert(base(&row.object).to_owned());
            known.verbs.insert((row.object.to_string(), row.action.to_string()));
            if let Subject::Role(name) = &row.subject {
                known.roles.insert(name.clone());
            }
        }
        known
    }
}

/// The object that a field belongs to.
pub(super) fn base(object: &str) -> &str {
    object.split('#').next().unwrap_or(object)
}

pub(super) fn is_host(object: &str) -> bool {
    object.split('.').next() == Some("host")
}

/// Lower-case letters, digits, `-` and `_`, a letter first, 64 at most.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}
