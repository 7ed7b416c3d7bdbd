//! The rows of a policy, read and checked: the shipped ones of `policies/roles.csv` and the grants of plugins.
//!
//! Everything that is wrong is reported at once, with its line. What passes is made of known words only, so that
//! casbin, which ignores a misspelt effect and accepts a row of any length, never sees such a row.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::error::{Fault, Origin, PolicyError};
use super::scope::{Effect, Scope};

/// The shipped roles.
pub(super) const SHIPPED: &str = include_str!("../../../policies/roles.csv");

/// Actions that every object may know. Others are verbs of a plugin's object.
pub const ACTIONS: [&str; 8] =
    ["list", "read", "create", "update", "delete", "import", "export", "bypass-duplicates"];

/// The role that may do everything in its organization.
pub const OWNER: &str = "owner";

/// How many steps a role may inherit.
const MAX_DEPTH: usize = 5;

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

/// A row of a policy that was loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// What it says.
    pub grant: Grant,
    /// Where it says so.
    pub origin: Origin,
}

impl Rule {
    /// The row as casbin holds it, in the order of `policy_definition`.
    pub(super) fn row(&self) -> Vec<String> {
        let Grant { role, object, action, scope, effect } = &self.grant;
        let role = format!("{ROLE}{role}");
        [&role, "*", object, action, scope.as_str(), "", effect.as_str()].map(str::to_owned).to_vec()
    }
}

/// What casbin puts before a role's name, so that no role can pass for a principal.
pub(super) const ROLE: &str = "role:";

/// A policy's rows, checked.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) rules: Vec<Rule>,
    /// Heir and ancestor, both with [`ROLE`].
    pub(super) links: Vec<(String, String)>,
}

impl Rows {
    /// Reads `text` in the format of `roles.csv` and adds the plugins' grants.
    pub(super) fn collect(text: &str, grants: &[Grant]) -> Result<Self, PolicyError> {
        let mut reading = Reading::default();
        reading.lines(text);
        for (position, grant) in grants.iter().enumerate() {
            reading.grant(Origin::Grant(position + 1), grant);
        }
        reading.inheritance();
        let Reading { rules, links, mut faults, .. } = reading;
        let rules = expand(rules, &mut faults);
        if !faults.is_empty() {
            return Err(PolicyError::Invalid(faults));
        }
        if rules.is_empty() {
            return Err(PolicyError::Empty);
        }
        Ok(Self { rules, links: links.into_iter().map(|(heir, ancestor, _)| (heir, ancestor)).collect() })
    }
}

#[derive(Default)]
struct Reading {
    rules: Vec<Rule>,
    links: Vec<(String, String, Origin)>,
    faults: Vec<Fault>,
}

impl Reading {
    fn fault(&mut self, origin: Origin, what: impl Into<String>) {
        self.faults.push(Fault { origin, what: what.into() });
    }

    /// Fields stand between commas; no word of the language holds one, so there is no quoting.
    fn lines(&mut self, text: &str) {
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if !line.is_empty() && !line.starts_with('#') {
                self.line(Origin::Line(number), &line.split(',').map(str::trim).collect::<Vec<_>>());
            }
        }
    }

    fn line(&mut self, origin: Origin, fields: &[&str]) {
        match *fields {
            ["p", role, organization, object, action, scope, condition, effect] => {
                self.every_organization(origin, organization);
                if !condition.is_empty() {
                    self.fault(
                        origin,
                        format!("condition `{condition}` must be empty: there are no conditions yet"),
                    );
                }
                let role = self.role(origin, role);
                self.object(origin, object, action);
                let scope = scope.parse::<Scope>().map_err(|_| {
                    self.fault(origin, format!("scope `{scope}` is not own, team or org"));
                });
                let effect = effect.parse::<Effect>().map_err(|_| {
                    self.fault(origin, format!("effect `{effect}` is not allow or deny"));
                });
                if let (Some(role), Ok(scope), Ok(effect)) = (role, scope, effect) {
                    let grant =
                        Grant { role, object: object.to_owned(), action: action.to_owned(), scope, effect };
                    self.rules.push(Rule { grant, origin });
                }
            }
            ["g", heir, ancestor, organization] => {
                self.every_organization(origin, organization);
                if let (Some(heir), Some(ancestor)) = (self.role(origin, heir), self.role(origin, ancestor)) {
                    self.links.push((format!("{ROLE}{heir}"), format!("{ROLE}{ancestor}"), origin));
                }
            }
            ["p", ..] => self.fault(origin, format!("has {} fields, a grant has 8", fields.len())),
            ["g", ..] => self.fault(origin, format!("has {} fields, an inheritance has 4", fields.len())),
            _ => self.fault(origin, "starts with neither `p` nor `g`"),
        }
    }

    fn every_organization(&mut self, origin: Origin, organization: &str) {
        if organization != "*" {
            self.fault(
                origin,
                format!("organization `{organization}` must be `*`: this file is for all of them"),
            );
        }
    }

    fn role(&mut self, origin: Origin, text: &str) -> Option<String> {
        let name = text.strip_prefix(ROLE).filter(|name| is_name(name));
        if name.is_none() {
            self.fault(origin, format!("role `{text}` is not `{ROLE}` and a lower-case name"));
        }
        name.map(str::to_owned)
    }

    /// Checks the object and the action of a shipped row, which alone may say `*`.
    fn object(&mut self, origin: Origin, object: &str, action: &str) {
        match (object, action) {
            ("*", "*") => {}
            ("*", _) => self.action(origin, object, action),
            (_, "*") => self.fault(origin, format!("action `*` needs object `*`, not `{object}`")),
            _ => {
                self.object_name(origin, object);
                self.action(origin, object, action);
            }
        }
    }

    fn object_name(&mut self, origin: Origin, object: &str) {
        if !object.split_once('.').is_some_and(|(plugin, thing)| is_name(plugin) && is_name(thing)) {
            self.fault(origin, format!("object `{object}` is not `<plugin>.<entity>` or `host.<thing>`"));
        }
    }

    /// Verbs belong to plugins: on the host's objects and on all objects only [`ACTIONS`] exist.
    fn action(&mut self, origin: Origin, object: &str, action: &str) {
        let known = ACTIONS.contains(&action);
        if !known && (object == "*" || is_host(object)) {
            self.fault(origin, format!("action `{action}` is not one of {}", ACTIONS.join(", ")));
        } else if !known && !is_name(action) {
            self.fault(origin, format!("action `{action}` is not a lower-case name"));
        }
    }

    fn grant(&mut self, origin: Origin, grant: &Grant) {
        if !is_name(&grant.role) {
            self.fault(origin, format!("role `{}` is not a lower-case name", grant.role));
        }
        if is_host(&grant.object) {
            self.fault(origin, format!("object `{}` is the host's, no plugin grants on it", grant.object));
        } else {
            self.object_name(origin, &grant.object);
        }
        self.action(origin, &grant.object, &grant.action);
        if grant.role == OWNER && grant.effect == Effect::Deny {
            self.fault(origin, format!("`{}` must not be denied to the {OWNER}", grant.object));
        }
        self.rules.push(Rule { grant: grant.clone(), origin });
    }

    /// Refuses circles and long chains, which casbin would cut off without a word.
    fn inheritance(&mut self) {
        let mut ancestors: HashMap<&str, Vec<&str>> = HashMap::new();
        for (heir, ancestor, _) in &self.links {
            ancestors.entry(heir).or_default().push(ancestor);
        }
        let mut faults = Vec::new();
        for (heir, _, origin) in &self.links {
            let mut reached = vec![heir.as_str()];
            for _ in 0..=MAX_DEPTH {
                let mut next: Vec<&str> =
                    reached.iter().filter_map(|role| ancestors.get(role)).flatten().copied().collect();
                next.sort_unstable();
                next.dedup();
                reached = next;
            }
            if !reached.is_empty() {
                let what = format!("`{heir}` inherits in a circle or over more than {MAX_DEPTH} steps");
                faults.push(Fault { origin: *origin, what });
            }
        }
        self.faults.append(&mut faults);
    }
}

/// Replaces rows on `*` by one row for each object that plugins named, and refuses rows that stand twice.
fn expand(rules: Vec<Rule>, faults: &mut Vec<Fault>) -> Vec<Rule> {
    let mut objects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Grant { object, action, .. } in rules.iter().map(|rule| &rule.grant) {
        if object != "*" && !is_host(object) {
            let actions = objects
                .entry(object.clone())
                .or_insert_with(|| ACTIONS.map(str::to_owned).into_iter().collect());
            actions.insert(action.clone());
        }
    }
    let (wide, mut narrow): (Vec<_>, Vec<_>) = rules.into_iter().partition(|rule| rule.grant.object == "*");
    let mut seen = HashSet::new();
    for rule in &narrow {
        if !seen.insert(rule.grant.clone()) {
            faults.push(Fault { origin: rule.origin, what: "says what an earlier row says".to_owned() });
        }
    }
    for Rule { grant: wide, origin } in wide {
        for (object, actions) in &objects {
            for action in actions.iter().filter(|action| wide.action == "*" || wide.action == **action) {
                let grant = Grant { object: object.clone(), action: action.clone(), ..wide.clone() };
                if seen.insert(grant.clone()) {
                    narrow.push(Rule { grant, origin });
                }
            }
        }
    }
    narrow
}

fn is_host(object: &str) -> bool {
    object.split('.').next() == Some("host")
}

/// Lower-case letters, digits, `-` and `_`, a letter first, 64 at most.
fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}
