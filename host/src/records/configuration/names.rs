//! The names in a document: what a key may be, what is taken, who may be granted what.

use std::collections::HashSet;
use std::sync::Arc;

use super::compile::Site;
use super::document::{Document, FieldDocument, GrantDocument, Object, OptionSet};
use super::fields::is_own;
use super::shape::{below, fault};
use crate::identity::ROLES;
use crate::policy::{Effect, Grant, OWNER, Scope};
use crate::records::error::Fault;
use crate::records::schema::{CUSTOM, CUSTOM_MODULE, Kind, Module, SYSTEM_COLUMNS};

/// Most columns of a table: plugin code may not read wider ones.
pub(super) const COLUMNS: usize = 250;

/// What can be granted on an object.
const ACTIONS: [&str; 10] =
    ["list", "read", "create", "update", "delete", "import", "export", "merge", "restore", "purge"];

/// Names that tables of SQLite and of the host start with.
const TABLES: [&str; 8] =
    ["visible_", "sqlite_", "pragma_", "dbstat", "bytecode", "tables_used", "fts3tokenize", "fts5vocab"];

/// Names that mean something else in a list's address, in `expand`, or to SQLite.
const FIELDS: [&str; 15] = [
    "limit", "cursor", "sort", "fields", "expand", "q", "count", "view", "format", "dry_run", "owner",
    "team", "rowid", "oid", "reason",
];

/// The words in addresses that no object can have.
const PLURALS: [&str; 2] = ["reports", "actions"];

/// The columns that every table has.
pub(super) fn system() -> HashSet<String> {
    SYSTEM_COLUMNS.iter().map(|name| (*name).to_owned()).collect()
}

/// Checks what a field is called; its columns join `taken`. `false` when it cannot be there.
pub(super) fn field(
    field: &FieldDocument,
    module: &str,
    at: &str,
    taken: &mut HashSet<String>,
    faults: &mut Vec<Fault>,
) -> bool {
    let at = below(at, "key");
    let own = is_own(module);
    let wrong = if !own && !field.key.starts_with(CUSTOM) {
        Some(format!(
            "fields that you add to an entity of a module start with `{CUSTOM}`: `{CUSTOM}{}`",
            field.key
        ))
    } else if own && FIELDS.contains(&field.key.as_str()) {
        Some(format!("`{}` means something else in addresses; choose another key", field.key))
    } else {
        None
    };
    let second = (field.kind == "money").then(|| format!("{}_currency", field.key));
    let mut clear = wrong.is_none();
    faults.extend(wrong.map(|detail| fault(at.as_str(), "invalid_key", detail)));
    for column in std::iter::once(field.key.clone()).chain(second) {
        if let Some(column) = Some(column).filter(|column| !taken.insert(column.clone())) {
            clear = false;
            faults.push(fault(at.as_str(), "duplicate_key", format!("there is a column `{column}` already")));
        }
    }
    clear
}

/// Checks what an object is called.
pub(super) fn object<'d>(
    object: &'d Object,
    at: &str,
    keys: &mut HashSet<&'d str>,
    plurals: &mut HashSet<&'d str>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    if TABLES.iter().any(|taken| object.key.starts_with(taken)) {
        let detail = format!("a key does not start with any of {}", TABLES.join(", "));
        faults.push(fault(below(at, "key"), "invalid_key", detail));
    }
    if !keys.insert(&object.key) {
        faults.push(fault(below(at, "key"), "duplicate_key", format!("another object is `{}`", object.key)));
    }
    // Also the plural of an archived object is kept for it: it can be restored.
    if !plurals.insert(&object.plural) || PLURALS.contains(&object.plural.as_str()) {
        let detail = format!("`{}` is taken; choose another plural", object.plural);
        faults.push(fault(below(at, "plural"), "duplicate_key", detail));
    }
    for (role, grant) in &object.grants {
        faults.extend(grant_faults(role, grant, &below(&below(at, "grants"), role)));
    }
    faults
}

fn grant_faults(role: &str, grant: &GrantDocument, at: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    if role == OWNER {
        faults.push(fault(at, "owner_has_all", "the owner may do everything; leave this grant out"));
    } else if !ROLES.contains(&role) {
        faults.push(fault(at, "unknown_role", format!("one of {}", ROLES.join(", "))));
    }
    if grant.scope.parse::<Scope>().is_err() {
        faults.push(fault(below(at, "scope"), "unknown_scope", "own, team or org"));
    }
    let mut seen = HashSet::new();
    for (index, action) in grant.actions.iter().enumerate() {
        let at = format!("{at}/actions/{index}");
        if !ACTIONS.contains(&action.as_str()) {
            faults.push(fault(at, "unknown_action", format!("one of {}", ACTIONS.join(", "))));
        } else if !seen.insert(action) {
            faults.push(fault(at, "duplicate_key", format!("`{action}` stands twice")));
        }
    }
    faults
}

/// The rights on the organization's own objects: the owner's, and those that the document gives. Bad ones are left out;
/// [`object`] reports them.
pub(super) fn grants(document: &Document) -> Vec<Grant> {
    let mut grants = Vec::new();
    for object in document.objects.iter().filter(|object| !object.archived) {
        let name = format!("{CUSTOM_MODULE}.{}", object.key);
        let mut grant = |role: &str, action: &str, scope: Scope| {
            let (role, object, action) = (role.to_owned(), name.clone(), action.to_owned());
            let grant = Grant { role, object, action, scope, effect: Effect::Allow };
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        };
        ACTIONS.iter().for_each(|action| grant(OWNER, action, Scope::Org));
        for (role, given) in
            object.grants.iter().filter(|(role, _)| *role != OWNER && ROLES.contains(&role.as_str()))
        {
            let Ok(scope) = given.scope.parse::<Scope>() else { continue };
            let known = given.actions.iter().filter(|action| ACTIONS.contains(&action.as_str()));
            known.for_each(|action| grant(role, action, scope));
        }
    }
    grants
}

/// Checks what a set says about options that give way to others.
pub(super) fn replacements(set: &OptionSet, at: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut gone = HashSet::new();
    for (index, replacement) in set.replace.iter().enumerate() {
        let at = format!("{at}/replace/{index}");
        let item = |key: &str| set.options.iter().find(|item| item.key == key);
        for (member, key) in [("from", &replacement.from), ("to", &replacement.to)] {
            if item(key).is_none() {
                let detail = format!("`{key}` is no option of `{}`", set.key);
                faults.push(fault(below(&at, member), "unknown_option", detail));
            }
        }
        let taken = set.replace.iter().any(|other| other.from == replacement.to);
        if taken || item(&replacement.to).is_some_and(|item| item.archived) {
            let detail =
                format!("`{}` is archived or replaced itself; name an option that stays", replacement.to);
            faults.push(fault(below(&at, "to"), "archived_option", detail));
        }
        if item(&replacement.from).is_some_and(|item| !item.archived) {
            let detail = format!("archive `{}`, or leave its replacement out", replacement.from);
            faults.push(fault(below(&at, "from"), "option_in_use", detail));
        }
        if !gone.insert(&replacement.from) {
            let detail = format!("`{}` is replaced twice", replacement.from);
            faults.push(fault(below(&at, "from"), "duplicate_key", detail));
        }
    }
    faults
}

/// Two references to one entity cannot have one name from its side, nor the name of one of its fields.
pub(super) fn inverses(modules: &[Arc<Module>], sites: &[Site<'_>], faults: &mut Vec<Fault>) {
    let entities = || modules.iter().flat_map(|module| &module.entities);
    let mut seen: HashSet<(String, Arc<str>)> = HashSet::new();
    let mut ordered: Vec<_> =
        entities().flat_map(|entity| entity.fields.iter().map(move |field| (entity, field))).collect();
    ordered.sort_by_key(|(_, field)| field.custom); // what is declared was there first
    for (entity, field) in ordered {
        let (Kind::Reference(target, _) | Kind::References(target, _), Some(inverse)) =
            (&field.kind, &field.inverse)
        else {
            continue;
        };
        let name = format!("{}.{}", target.plugin, target.entity);
        let field_there =
            entities().any(|entity| *entity.object == *name && entity.attribute(inverse).is_some());
        let twice = !seen.insert((name.clone(), Arc::clone(inverse)));
        if !field.custom || !(field_there || twice) {
            continue;
        }
        let site = sites.iter().find(|site| *site.plugin == *entity.plugin && *site.entity == *entity.key);
        let place = site.and_then(|site| {
            let index = site.fields.iter().position(|written| *written.key == *field.key)?;
            Some(format!("{}/fields/{index}/inverse", site.at))
        });
        let detail = format!("`{inverse}` is taken on {name}; choose another name");
        faults.push(fault(place.unwrap_or_default(), "duplicate_key", detail));
    }
}
