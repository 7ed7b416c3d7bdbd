//! Reads rows and checks them. Everything that is wrong is reported at once, with its place. What passes is made of known
//! words only, so that casbin, which ignores a misspelt effect and accepts a row of any length, never sees such a row.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::condition::Condition;
use super::error::{Fault, Origin};
use super::label::Label;
use super::overlay::{Addition, Overlay, Words};
use super::rows::{
    ACTIONS, Grant, Known, MAX_DEPTH, OWNER, ROLE, Row, Rule, SHIPPED_ROLES, base, is_host, is_name,
};
use super::scope::{Effect, Scope};
use super::subject::Subject;

#[derive(Default)]
pub(super) struct Reading {
    pub(super) rules: Vec<Rule>,
    pub(super) links: Vec<(String, String, Origin)>,
    pub(super) faults: Vec<Fault>,
    /// What the organization added and what is gone since; see [`Reading::overlay`].
    pub(super) stale: Vec<Fault>,
    /// Names and conditions stand in many rows and are kept once.
    names: HashSet<Arc<str>>,
    conditions: HashMap<String, Arc<Condition>>,
}

impl Reading {
    fn fault(&mut self, origin: Origin, what: impl Into<String>) {
        self.faults.push(Fault { origin, what: what.into() });
    }

    /// Fields stand between commas; no word of the shipped rows holds one, so there is no quoting.
    pub(super) fn lines(&mut self, text: &str) {
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if !line.is_empty() && !line.starts_with('#') {
                self.line(Origin::Line(number), &line.split(',').map(str::trim).collect::<Vec<_>>());
            }
        }
    }

    fn line(&mut self, origin: Origin, fields: &[&str]) {
        match *fields {
            ["p", subject, organization, object, action, scope, condition, effect] => {
                self.every_organization(origin, organization);
                if !condition.is_empty() {
                    self.fault(origin, format!("condition `{condition}` must be empty in shipped rows"));
                }
                let [subject, object, action, scope, effect] =
                    [subject, object, action, scope, effect].map(str::to_owned);
                let condition = String::new();
                self.words(origin, &Words { subject, object, action, scope, condition, effect });
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

    /// A row as it is written, shipped or added.
    fn words(&mut self, origin: Origin, words: &Words) {
        let Words { subject: who, object, action, scope, condition, effect } = words;
        let subject = Subject::parse(who);
        if subject.is_none() {
            let what = format!(
                "role `{who}` is not `{ROLE}` and a lower-case name, nor `team:`, `user:` or `svc:` and an id"
            );
            self.fault(origin, what);
        }
        self.object(origin, object, action);
        let scope = scope.parse::<Scope>().map_err(|_| {
            self.fault(origin, format!("scope `{scope}` is not own, team, subteams, shared or org"));
        });
        let effect = effect.parse::<Effect>().map_err(|_| {
            self.fault(origin, format!("effect `{effect}` is not allow or deny"));
        });
        let condition = match condition.as_str() {
            "" => Ok(None),
            text => self.condition(text).map(Some).map_err(|what| {
                self.fault(origin, format!("the condition {what}"));
            }),
        };
        if let (Some(subject), Ok(scope), Ok(effect), Ok(condition)) = (subject, scope, effect, condition) {
            let (object, action) = (self.name(object), self.name(action));
            self.row(origin, Row { subject, object, action, scope, condition, effect });
        }
    }

    fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(name) = self.names.get(text) {
            return Arc::clone(name);
        }
        let name: Arc<str> = text.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn condition(&mut self, text: &str) -> Result<Arc<Condition>, String> {
        if let Some(condition) = self.conditions.get(text) {
            return Ok(Arc::clone(condition));
        }
        let condition = Arc::new(Condition::parse(text)?);
        self.conditions.insert(text.to_owned(), Arc::clone(&condition));
        Ok(condition)
    }

    /// What must hold of a row as a whole.
    fn row(&mut self, origin: Origin, row: Row) {
        let whole = row.scope == Scope::Org && row.condition.is_none();
        if row.object.contains('#') && !whole {
            self.fault(origin, "a field is open or masked on all records: scope `org`, no condition");
        }
        let plain = !matches!(row.scope, Scope::Shared) && row.condition.is_none();
        if is_host(&row.object) && !plain {
            self.fault(origin, format!("`{}` has no records: no condition, no `shared`", row.object));
        }
        if row.scope == Scope::Shared && !matches!(&*row.action, "list" | "read" | "update") {
            self.fault(origin, format!("a share lets list, read and update, not `{}`", row.action));
        }
        if row.subject == Subject::Role(OWNER.to_owned()) && row.effect == Effect::Deny {
            self.fault(origin, format!("`{}` must not be denied to the {OWNER}", row.object));
        }
        self.rules.push(Rule { row, origin });
    }

    /// Checks the object and the action of a row; a shipped one alone may say `*`.
    fn object(&mut self, origin: Origin, object: &str, action: &str) {
        let shipped = matches!(origin, Origin::Line(_));
        match (object, action) {
            ("*", "*") if shipped => {}
            ("*", _) if shipped => self.action(origin, object, action),
            (_, "*") => self.fault(origin, format!("action `*` needs object `*`, not `{object}`")),
            _ => match object.split_once('#') {
                Some((whole, field)) => self.field(origin, whole, field, action),
                None => {
                    self.object_name(origin, object);
                    self.action(origin, object, action);
                }
            },
        }
    }

    fn field(&mut self, origin: Origin, object: &str, field: &str, action: &str) {
        if object != "*" || !matches!(origin, Origin::Line(_)) {
            self.object_name(origin, object);
        }
        let named = match field.strip_prefix('@') {
            Some(label) => label.parse::<Label>().is_ok(),
            None => is_name(field),
        };
        if !named || is_host(object) {
            self.fault(origin, format!("`#{field}` is neither a field nor `@` and a label of a record"));
        }
        if !matches!(action, "read" | "update") {
            self.fault(origin, format!("a field is read or updated, not `{action}`"));
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

    pub(super) fn grant(&mut self, origin: Origin, grant: &Grant) {
        if !is_name(&grant.role) {
            self.fault(origin, format!("role `{}` is not a lower-case name", grant.role));
        }
        if is_host(&grant.object) {
            self.fault(origin, format!("object `{}` is the host's, no plugin grants on it", grant.object));
        } else {
            self.object_name(origin, &grant.object);
        }
        self.action(origin, &grant.object, &grant.action);
        let row = Row {
            subject: Subject::Role(grant.role.clone()),
            object: self.name(&grant.object),
            action: self.name(&grant.action),
            scope: grant.scope,
            condition: None,
            effect: grant.effect,
        };
        self.row(origin, row);
    }

    /// What the organization added. It spoke of objects, actions and roles that were there when it was added; a licence
    /// that lapses, a plugin that is taken away, an entity that is removed takes them from under it. That is told, and
    /// keeps nobody out: only what is being added is refused for it (see `change.rs`). What is not of the language at
    /// all is a fault, whenever it was added.
    pub(super) fn overlay(&mut self, overlay: &Overlay, known: &Known) {
        let mut names: HashSet<&str> = HashSet::new();
        for (role, number) in overlay.roles.iter().zip(1..) {
            let (origin, name) = (Origin::Role(number), role.name.as_str());
            if !is_name(name) || SHIPPED_ROLES.contains(&name) || !names.insert(name) {
                self.fault(origin, format!("`{name}` is not a free lower-case name"));
            }
            let mut seen = HashSet::new();
            for ancestor in &role.inherits {
                if !seen.insert(ancestor) {
                    self.fault(origin, format!("`{name}` inherits `{ancestor}` twice"));
                }
                if !known.roles.contains(ancestor) && overlay.roles.iter().all(|role| role.name != *ancestor)
                {
                    self.stale(origin, format!("`{name}` inherits `{ancestor}`, which is no role"));
                }
                self.links.push((format!("{ROLE}{name}"), format!("{ROLE}{ancestor}"), origin));
            }
        }
        for added in &overlay.rows {
            self.added(added, known, &names);
        }
    }

    fn added(&mut self, added: &Addition, known: &Known, names: &HashSet<&str>) {
        let (origin, words) = (Origin::Added(added.id), &added.words);
        if let Some(Subject::Role(name)) = Subject::parse(&words.subject)
            && !known.roles.contains(&name)
            && !names.contains(name.as_str())
        {
            // Nobody can be given a role that is gone, but a role may still inherit it: the row stays in force, so that
            // no heir loses a deny.
            self.stale(origin, format!("there is no role `{name}`"));
        }
        let verb = (words.object.clone(), words.action.clone());
        let gone = if !known.objects.contains(base(&words.object)) {
            Some(format!("there is no object `{}`", words.object))
        } else if !ACTIONS.contains(&words.action.as_str()) && !known.verbs.contains(&verb) {
            Some(format!("`{}` has no action `{}`", words.object, words.action))
        } else {
            None
        };
        let before = self.rules.len();
        self.words(origin, words);
        if let Some(what) = gone {
            // The row decides nothing, and a deny that is left out lets nobody in: no other row speaks of this object
            // or action either, and what no row speaks of is denied to everybody. It counts again together with the
            // rows that would allow it.
            self.rules.truncate(before);
            self.stale(origin, what);
        }
    }

    fn stale(&mut self, origin: Origin, what: String) {
        self.stale.push(Fault { origin, what });
    }

    /// Refuses circles and long chains, which casbin would cut off without a word.
    pub(super) fn inheritance(&mut self) {
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

/// Replaces rows on `*` by one row for each object that plugins named. Refuses rows that stand twice; one that the
/// organization added is left out and told instead, because a later version of a plugin may come to say the same.
pub(super) fn expand(rules: Vec<Rule>, faults: &mut Vec<Fault>, stale: &mut Vec<Fault>) -> Vec<Rule> {
    let mut objects: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
    for Row { object, action, .. } in rules.iter().map(|rule| &rule.row) {
        if base(object) != "*" && !is_host(object) {
            let actions = objects
                .entry(base(object).into())
                .or_insert_with(|| ACTIONS.map(Arc::from).into_iter().collect());
            actions.insert(Arc::clone(action));
        }
    }
    let (wide, mut narrow): (Vec<_>, Vec<_>) =
        rules.into_iter().partition(|rule| base(&rule.row.object) == "*");
    let mut seen = HashSet::new();
    narrow.retain(|rule| {
        let first = seen.insert(rule.cells());
        if !first {
            let added = matches!(rule.origin, Origin::Added(_));
            let told = if added { &mut *stale } else { &mut *faults };
            told.push(Fault { origin: rule.origin, what: "says what an earlier row says".to_owned() });
        }
        first
    });
    for Rule { row: wide, origin } in wide {
        for (object, actions) in &objects {
            let field = wide.object.split_once('#').map(|(_, field)| field);
            let object = field.map_or_else(|| Arc::clone(object), |field| format!("{object}#{field}").into());
            let meant = |action: &&Arc<str>| match field {
                Some(_) => wide.action == **action,
                None => &*wide.action == "*" || wide.action == **action,
            };
            for action in actions.iter().filter(meant) {
                let row = Row { object: Arc::clone(&object), action: Arc::clone(action), ..wide.clone() };
                let rule = Rule { row, origin };
                if seen.insert(rule.cells()) {
                    narrow.push(rule);
                }
            }
        }
    }
    narrow
}
